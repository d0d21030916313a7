"""Models that are sums of named energy terms: their parameters, and the energy for values of them.

The command line, model files and pages offer these terms. A term may stand several times in a
model; from the second one on its parameters have a number, as in Hu_2.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from ..foundation.convention import PAPER, Convention, as_convention
from ..foundation.errors import InputError
from ..resonance.crystal_directions import crystal_axes, crystal_direction
from ..resonance.crystal_terms import (
    CubicAnisotropy,
    InPlaneAnisotropy,
    SecondOrderCubic,
    SecondOrderUniaxial,
)
from ..resonance.energy_terms import (
    AbstractEnergy,
    AnisotropyFields,
    EnergySum,
    StandingSpinWave,
    ThinFilm,
    UniaxialAnisotropy,
)
from .parameters import Values


Frame = Mapping[str, Any]
"""What orients a term: the convention, the crystal's `axes` and the term's own `axis` or None."""


@dataclass(frozen=True)
class TermKind:
    """A kind of term.

    Args:
        parameters: Names of its parameters.
        build: The function (values of the parameters, frame) → energy.
        summary: What the term is, with its field in the literature's notation.
        takes_axis: Whether a fixed axis may replace its angle.
    """

    parameters: tuple[str, ...]
    build: Callable[[Sequence[Any], Frame], AbstractEnergy]
    summary: str
    takes_axis: bool = False


def _uniaxial(values: Sequence[Any], frame: Frame) -> AbstractEnergy:
    if frame["axis"] is not None:
        return UniaxialAnisotropy(values[0], jnp.asarray(frame["axis"]))
    cos, sin = jnp.cos(values[1]), jnp.sin(values[1])
    return UniaxialAnisotropy(values[0], jnp.stack([cos, sin, jnp.zeros_like(cos)]))


def _in_plane(fold: int) -> TermKind:
    name = {1: "exchange bias", 2: "two-fold", 4: "four-fold", 6: "six-fold"}[fold]
    return TermKind(
        (f"B{fold}", f"phi_{fold}"),
        lambda values, _: InPlaneAnisotropy(values[0], fold, values[1]),
        f"{name} in the xy-plane: field B{fold}, easy at the angle phi_{fold}",
    )


KINDS: Final[Mapping[str, TermKind]] = {
    "tensor": TermKind(
        ("A", "B", "C"),
        lambda values, frame: AnisotropyFields(
            values[0], values[1], values[2], frame["convention"]
        ),
        "the paper's anisotropy fields A, B, C",
    ),
    "thin-film": TermKind(
        ("Meff",),
        lambda values, _: ThinFilm(values[0]),
        "a film with the normal z: µ0M_eff",
    ),
    "uniaxial": TermKind(
        ("Hu", "phi_u"),
        _uniaxial,
        "uniaxial with an axis in the xy-plane at phi_u: Hu = 2K/M",
        takes_axis=True,
    ),
    "perpendicular": TermKind(
        ("Hp",),
        lambda values, _: UniaxialAnisotropy(values[0], jnp.array([0.0, 0.0, 1.0])),
        "uniaxial along z: Hp = 2K/M",
    ),
    "uniaxial-2": TermKind(
        ("Hu2",),
        lambda values, frame: SecondOrderUniaxial(
            values[0], (0.0, 0.0, 1.0) if frame["axis"] is None else frame["axis"]
        ),
        "uniaxial of second order along z: Hu2 = 4K2/M",
        takes_axis=True,
    ),
    "cubic": TermKind(
        ("H1",),
        lambda values, frame: CubicAnisotropy(values[0], frame["axes"]),
        "cubic: H1 = 2K1/M",
    ),
    "cubic-2": TermKind(
        ("H2",),
        lambda values, frame: SecondOrderCubic(values[0], frame["axes"]),
        "cubic of second order: H2 = 2K2/M",
    ),
    "bias": _in_plane(1),
    "two-fold": _in_plane(2),
    "four-fold": _in_plane(4),
    "six-fold": _in_plane(6),
    "spin-wave": TermKind(
        ("Hex",),
        lambda values, _: StandingSpinWave(values[0]),
        "a standing spin wave: exchange field Hex",
    ),
}
"""The terms by name."""


class TermsModel(eqx.Module):
    """A sum of named terms as the model of a fit.

    Args:
        terms: Names of `KINDS`, for example ("thin-film", "cubic").
        convention: Of A, B, C of the term "tensor". Default: `PAPER`.
        crystal: Miller indices of the crystal directions along z and x of the sample. Default:
            ("001", "100"), a (001) film with [100] at angle 0.
        axes: Fixed axes of terms by name, as vectors or as Miller indices. Default: the axis of
            "uniaxial" lies in the xy-plane at the parameter phi_u, that of "uniaxial-2" along z.

    Raises:
        InputError: For an unknown term, and for an axis of a term that has none.

    >>> model = TermsModel(("thin-film", "cubic", "uniaxial"))
    >>> model.names
    ('Meff', 'H1', 'Hu', 'phi_u')
    """

    terms: tuple[str, ...] = eqx.field(static=True)
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)
    crystal: tuple[str, str] = eqx.field(static=True, default=("001", "100"))
    axes: tuple[tuple[str, tuple[float, float, float]], ...] = eqx.field(static=True, default=())

    def __init__(
        self,
        terms: Sequence[str],
        convention: Convention | str = PAPER,
        crystal: tuple[str, str] = ("001", "100"),
        axes: Mapping[str, Any] | None = None,
    ):
        if isinstance(terms, str) or not terms:
            raise InputError("terms", given=terms, expected="one or more names of terms")
        for term in terms:
            if term not in KINDS:
                raise InputError("term", given=term, expected=f"one of {', '.join(KINDS)}")
        frame = np.asarray(crystal_axes(*crystal), float)
        fixed = {}
        for term, axis in (axes or {}).items():
            if term not in terms or not KINDS[term].takes_axis:
                able = ", ".join(t for t in terms if KINDS[t].takes_axis) or "none of these"
                raise InputError("axis", given=term, expected=f"a term with an axis: {able}")
            x, y, z = np.asarray(crystal_direction(axis, frame), float).tolist()
            fixed[term] = (x, y, z)
        self.terms = tuple(terms)
        self.convention = as_convention(convention)
        self.crystal = crystal
        self.axes = tuple(fixed.items())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, term by term."""
        return tuple(name for _, names in self._each() for name in names)

    def __call__(self, values: Values) -> AbstractEnergy:
        """The energy for these values (tesla, radians)."""
        axes = dict(self.axes)
        frame = {"convention": self.convention, "axes": crystal_axes(*self.crystal)}
        energies = [
            KINDS[term].build([values[n] for n in names], {**frame, "axis": axes.get(term)})
            for term, names in self._each()
        ]
        return energies[0] if len(energies) == 1 else EnergySum(tuple(energies))

    def _each(self) -> list[tuple[str, tuple[str, ...]]]:
        """Each term with the names of its parameters."""
        axes, found = dict(self.axes), []
        for i, term in enumerate(self.terms):
            number = 1 + self.terms[:i].count(term)
            names = KINDS[term].parameters
            if term in axes:
                names = names[:1]  # the axis is fixed
            suffix = "" if number == 1 else f"_{number}"
            found.append((term, tuple(name + suffix for name in names)))
        return found
