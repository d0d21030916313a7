"""Statistics by their names on the command line, such as `median-B` and `tail-B:100`."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from ..foundation.errors import InputError


if TYPE_CHECKING:
    from ..sensitivities.observables import AbstractStatistic

STATISTICS: Final = (
    "median-A, q90-B (the 90 % quantile of |B|), mean-B (geometric mean of |B|), tail-B:100 (share "
    "of samples with |B| > 100 mT), width-B (half width of the Cauchy law), amplitude (median of "
    "the largest minus the smallest Hres)"
)
"""Examples of all kinds, for `--help` and for messages."""


def statistics_by_name(
    names: Sequence[str], frequency_GHz: float
) -> "dict[str, AbstractStatistic]":
    """Each statistic once, by the first name given for it: q50-B is median-B.

    Raises `InputError` for an unknown name. `frequency_GHz` is for amplitudes.
    """
    found: dict[str, AbstractStatistic] = {}
    for name in names:
        try:
            statistic = _statistic(name, 1e9 * frequency_GHz)
        except InputError as error:
            raise error.at(f"--statistic {name}") from None
        if statistic.label not in {other.label for other in found.values()}:
            found[name] = statistic
    return found


def _statistic(name: str, frequency: float) -> "AbstractStatistic":
    from ..sensitivities import observables as o

    if name == "amplitude":
        return o.Quantile(o.Amplitude(frequency))
    kind, _, rest = name.partition("-")
    component, colon, bound = rest.partition(":")
    kinds: dict[str, Callable[[], AbstractStatistic]] = {
        "median": lambda: o.Quantile(o.Magnitude(component)),
        "mean": lambda: o.GeometricMean(o.Magnitude(component)),
        "width": lambda: o.CauchyWidth(o.Component(component)),
        "tail": lambda: o.TailFraction(o.Magnitude(component), _number(bound) / 1e3),
    }
    if kind[:1] == "q" and kind[1:]:
        kinds[kind] = lambda: o.Quantile(o.Magnitude(component), _number(kind[1:]) / 100)
    if kind not in kinds or bool(colon) != (kind == "tail"):
        raise InputError("unknown name", expected=f"a name such as {STATISTICS}")
    return kinds[kind]()


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError("number", given=text, expected="a number such as 100")
    return number
