"""Models that are sums of named energy terms: their parameters, and the energy for values of them.

The command line, model files and pages offer these terms. A term may stand several times in a
model; from the second one on it has a number, in the names of its parameters (Hu_2) and its axis
(uniaxial_2).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
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
        turned_by: Parameters that together can undo a turn of the term about z: none for a term of
            that symmetry. None for a term that the crystal orients.
        takes_axis: Whether a fixed axis may replace its angle.
    """

    parameters: tuple[str, ...]
    build: Callable[[Sequence[Any], Frame], AbstractEnergy]
    turned_by: tuple[str, ...] | None = ()
    takes_axis: bool = False


def _uniaxial(values: Sequence[Any], frame: Frame) -> AbstractEnergy:
    if frame["axis"] is not None:
        return UniaxialAnisotropy(values[0], jnp.asarray(frame["axis"]))
    cos, sin = jnp.cos(values[1]), jnp.sin(values[1])
    return UniaxialAnisotropy(values[0], jnp.stack([cos, sin, jnp.zeros_like(cos)]))


def _in_plane(fold: int) -> TermKind:
    return TermKind(
        (f"B{fold}", f"phi_{fold}"),
        lambda values, _: InPlaneAnisotropy(values[0], fold, values[1]),
        (f"phi_{fold}",),
    )


KINDS: Final[Mapping[str, TermKind]] = {
    "tensor": TermKind(
        ("A", "B", "C"),
        lambda values, frame: AnisotropyFields(
            values[0], values[1], values[2], frame["convention"]
        ),
        ("B", "C"),
    ),
    "thin-film": TermKind(
        ("Meff",),
        lambda values, _: ThinFilm(values[0]),
    ),
    "uniaxial": TermKind(
        ("Hu", "phi_u"),
        _uniaxial,
        ("phi_u",),
        takes_axis=True,
    ),
    "perpendicular": TermKind(
        ("Hp",),
        lambda values, _: UniaxialAnisotropy(values[0], jnp.array([0.0, 0.0, 1.0])),
    ),
    "uniaxial-2": TermKind(
        ("HK2",),
        lambda values, frame: SecondOrderUniaxial(
            values[0], (0.0, 0.0, 1.0) if frame["axis"] is None else frame["axis"]
        ),
        takes_axis=True,
    ),
    "cubic": TermKind(
        ("H1",),
        lambda values, frame: CubicAnisotropy(values[0], frame["axes"]),
        None,
    ),
    "cubic-2": TermKind(
        ("H2",),
        lambda values, frame: SecondOrderCubic(values[0], frame["axes"]),
        None,
    ),
    "bias": _in_plane(1),
    "two-fold": _in_plane(2),
    "four-fold": _in_plane(4),
    "six-fold": _in_plane(6),
    "spin-wave": TermKind(
        ("Hex",),
        lambda values, _: StandingSpinWave(values[0]),
    ),
}
"""The terms by name, in the order of `term_names.TERMS`."""


class TermsModel(eqx.Module):
    """A sum of named terms as the model of a fit.

    Args:
        terms: Names of `KINDS`, for example ("thin-film", "cubic").
        convention: Of A, B, C of the term "tensor". Default: `PAPER`.
        crystal: Miller indices of the crystal directions along z and x of the sample. Default:
            ("001", "100"), a (001) film with [100] at angle 0.
        axes: Fixed axes of terms by name, as vectors or as Miller indices. The second "uniaxial" is
            uniaxial_2 here. Default: the axis of "uniaxial" lies in the xy-plane at the parameter
            phi_u, that of "uniaxial-2" along z.

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
        able = [name for name, term in _numbered(tuple(terms)) if KINDS[term].takes_axis]
        fixed = {}
        for term, axis in (axes or {}).items():
            if term not in able:
                expected = f"a term with an axis: {', '.join(able) or 'none of these'}"
                raise InputError("axis", given=term, expected=expected)
            x, y, z = np.asarray(crystal_direction(axis, frame), float).tolist()
            fixed[term] = (x, y, z)
        self.terms = tuple(terms)
        self.convention = as_convention(convention)
        self.crystal = crystal
        self.axes = tuple(fixed.items())

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters, term by term."""
        return tuple(name for _, _, names in self._each() for name in names)

    def turns_with(self, free: Collection[str]) -> bool:
        """Whether the parameters that are `free` can undo any turn about z.

        An offset of the angles in the xy-plane then has no effect of its own.
        """
        axes = dict(self.axes)
        for label, term, names in self._each():
            by = KINDS[term].turned_by
            if label in axes:
                turns = bool(np.hypot(*axes[label][:2]) < 1e-6)
            else:
                suffix = names[0].removeprefix(KINDS[term].parameters[0])
                turns = by is not None and all(name + suffix in free for name in by)
            if not turns:
                return False
        return True

    def __call__(self, values: Values) -> AbstractEnergy:
        """The energy for these values (tesla, radians)."""
        axes = dict(self.axes)
        frame = {"convention": self.convention, "axes": crystal_axes(*self.crystal)}
        energies = [
            KINDS[term].build([values[n] for n in names], {**frame, "axis": axes.get(label)})
            for label, term, names in self._each()
        ]
        return energies[0] if len(energies) == 1 else EnergySum(tuple(energies))

    def _each(self) -> list[tuple[str, str, tuple[str, ...]]]:
        """Each term with its number, its kind, and the names of its parameters."""
        axes, found = dict(self.axes), []
        for label, term in _numbered(self.terms):
            names = KINDS[term].parameters
            if label in axes:
                names = names[:1]  # the axis is fixed
            suffix = label.removeprefix(term)
            found.append((label, term, tuple(name + suffix for name in names)))
        return found


def _numbered(terms: Sequence[str]) -> list[tuple[str, str]]:
    """Each term with a number from the second one of its kind on, and its kind."""
    counts = [terms[: i + 1].count(term) for i, term in enumerate(terms)]
    return [(t if n == 1 else f"{t}_{n}", t) for t, n in zip(terms, counts, strict=True)]
