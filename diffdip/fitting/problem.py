"""What is fitted: measured series, models of their energy, and both together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..dipoles.tensor_projection import symmetric
from ..foundation.arrays import Numbers
from ..foundation.convention import PAPER, Convention, as_convention
from ..foundation.units import MU_B, PLANCK
from ..resonance.energy_terms import AbstractEnergy, AnisotropyFields, TensorAnisotropy
from ..resonance.fields import resonance_field, resonance_field_along
from ..resonance.planes import PLANES, Plane, plane_directions
from .least_squares import Data, Estimates, estimate
from .parameters import Free, Parameter, ParameterSet, Values


Model = Callable[[Values], AbstractEnergy]

SCREENED = 160
PAD = 8
"""Series are padded to a multiple of this length, so that fewer lengths are compiled."""


class InPlaneModel(eqx.Module):
    """The default model: `AnisotropyFields` from the parameters A, B, C (tesla)."""

    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)
    names: ClassVar[tuple[str, ...]] = ("A", "B", "C")

    def __call__(self, values: Values) -> AnisotropyFields:
        return AnisotropyFields(values["A"], values["B"], values["C"], self.convention)


class FullTensorModel(eqx.Module):
    """All of D: A, B, C and Cxz = µ0M Dxz, Cyz = µ0M Dyz (tesla), for series in several planes."""

    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)
    names: ClassVar[tuple[str, ...]] = ("A", "B", "C", "Cxz", "Cyz")

    def __call__(self, values: Values) -> TensorAnisotropy:
        A, B, C = values["A"], values["B"], values["C"]
        elements = jnp.stack([(A + B) / 2, (A - B) / 2, -A, C, values["Cxz"], values["Cyz"]])
        return TensorAnisotropy(self.convention.sign * symmetric(elements))


@dataclass(frozen=True)
class Series:
    """One measured series: resonance fields of one sample rotated in one plane.

    `angle` in radians and `field` in tesla, both of shape (n,); `sigma` the standard error of each
    field in tesla (None: equal and unknown); `frequency` in Hz, one for all or one per
    angle; `plane` as for `resonance_field`. Points whose field is NaN are left out. Raises
    `ValueError` for shapes that do not fit, and for a frequency or sigma that is not positive.
    """

    angle: np.ndarray
    field: np.ndarray
    sigma: np.ndarray | None
    frequency: np.ndarray
    plane: Plane
    name: str

    def __init__(
        self,
        angle: Numbers,
        field: Numbers,
        sigma: Numbers | None = None,
        *,
        frequency: Numbers,
        plane: Plane = "xy",
        name: str = "",
    ):
        shape = np.shape(field)
        if len(shape) != 1 or np.shape(angle) != shape:
            raise ValueError(
                f"angle and field must be of one length, not {np.shape(angle)} and {shape}"
            )
        columns = (
            {"frequency": frequency} if sigma is None else {"frequency": frequency, "sigma": sigma}
        )
        for key, column in columns.items():
            if np.shape(column) not in ((), shape):
                raise ValueError(
                    f"{key} must be one number or one per angle, not {np.shape(column)}"
                )
            if not np.all((np.asarray(column, float) > 0) | ~np.isfinite(np.asarray(field, float))):
                raise ValueError(f"{key} must be positive")
        if not np.all(np.isfinite(np.asarray(angle, float))):
            raise ValueError("angle must be finite")
        if isinstance(plane, str) and plane not in PLANES:
            raise ValueError(f"unknown plane {plane!r}: expected xy, xz, yz or two vectors")

        def full(value: Numbers) -> np.ndarray:
            return np.broadcast_to(np.asarray(value, float), shape).copy()

        object.__setattr__(self, "angle", full(angle))
        object.__setattr__(self, "field", full(field))
        object.__setattr__(self, "sigma", None if sigma is None else full(sigma))
        object.__setattr__(self, "frequency", full(frequency))
        object.__setattr__(self, "plane", plane)
        object.__setattr__(self, "name", name)


class FitProblem(eqx.Module):
    """Parameters, the model that they belong to, and the planes of the series."""

    parameters: ParameterSet
    model: Model = eqx.field(static=True)
    planes: tuple[Any, ...] = eqx.field(static=True)
    own_offsets: bool = eqx.field(static=True)
    loss: str = eqx.field(static=True)

    @staticmethod
    def of(
        series: Sequence[Series],
        g: Parameter,
        offset: Parameter | Sequence[Parameter],
        parameters: Mapping[str, Parameter] | None,
        model: Model | None,
        loss: str,
        convention: Convention | str | None,
        points: bool = True,
    ) -> "FitProblem":
        if loss not in ("linear", "soft_l1"):
            raise ValueError(f"unknown loss {loss!r}: expected linear or soft_l1")
        if model is None:
            model = InPlaneModel(as_convention("paper" if convention is None else convention))
        given = dict(parameters or {})
        reserved = {"g", "offset"} & given.keys()
        if reserved:
            raise ValueError(f"give {reserved.pop()} by its own argument, not in parameters")
        if isinstance(model, InPlaneModel | FullTensorModel):
            if convention is not None and as_convention(convention) != model.convention:
                raise ValueError(f"the model is in the {model.convention} convention")
            unknown = given.keys() - set(model.names)
            if unknown:
                names = ", ".join(model.names)
                raise ValueError(f"unknown parameter {min(unknown)!r}: expected {names}")
            given = {name: given.get(name, Free()) for name in model.names}
        elif not given:
            raise ValueError("a model of your own needs `parameters`")
        own_offsets = isinstance(offset, Sequence)
        if own_offsets and len(offset) != len(series):
            raise ValueError(f"{len(offset)} offsets for {len(series)} series")
        offsets = (
            {f"offset_{i + 1}": value for i, value in enumerate(offset)}
            if own_offsets
            else {"offset": offset}
        )
        everything = ParameterSet.of({**given, "g": g, **offsets})
        if not everything.free:
            raise ValueError("no parameter is free")
        count = sum(int(np.sum(np.isfinite(s.field))) for s in series)
        if points and count < len(everything.free):
            raise ValueError(
                f"{count} points are fewer than the {len(everything.free)} free parameters"
            )
        return FitProblem(
            parameters=everything,
            model=model,
            planes=tuple(s.plane if isinstance(s.plane, str) else _frozen(s.plane) for s in series),
            own_offsets=own_offsets,
            loss=loss,
        )

    @property
    def convention(self) -> str:
        """Name of the convention that A, B, C are in; "none" for a model of the user's own."""
        return str(getattr(self.model, "convention", "none"))

    def _likely(self, name: str) -> float:
        """A fixed value, or the middle start of a free one."""
        if name in self.parameters.fixed:
            return float(self.parameters.fixed_values[self.parameters.fixed.index(name)])
        if name in self.parameters.free:
            return float(self.parameters.central_point()[self.parameters.free.index(name)])
        return 2.0 if name == "g" else 0.0

    def starts(self, series: Sequence[Series]) -> np.ndarray:
        """Vectors spread over everything plausible, the same for all data."""
        frequency = float(np.mean([np.mean(s.frequency) for s in series]))
        larmor = frequency * PLANCK / (MU_B * self._likely("g"))
        return self.parameters.starting_points(SCREENED, 0.7 * larmor)

    def hints(self, series: Sequence[Series], fields: Sequence[np.ndarray]) -> np.ndarray:
        """Starts that the data suggest: no anisotropy, and their second harmonic.

        To first order Hres = w0 + s (¾A + ¾B cos 2α + (3/2) C sin 2α) in the xy-plane.
        """
        free = self.parameters.free
        center = self.parameters.central_point()
        harmonic = center.copy()
        if isinstance(self.model, InPlaneModel | FullTensorModel):
            s, w0_per_hertz = self.model.convention.sign, PLANCK / (MU_B * self._likely("g"))
            rows, values = [np.zeros((0, 3))], [np.zeros(0)]
            for i, (one, field) in enumerate(zip(series, fields, strict=True)):
                if isinstance(one.plane, str) and one.plane == "xy":
                    used = np.isfinite(field)
                    offset = f"offset_{i + 1}" if self.own_offsets else "offset"
                    angle = 2 * (one.angle[used] - self._likely(offset))
                    rows.append(
                        s
                        * np.stack([0.75 + 0 * angle, 0.75 * np.cos(angle), 1.5 * np.sin(angle)], 1)
                    )
                    values.append(field[used] - one.frequency[used] * w0_per_hertz)
            fields_abc, *_ = np.linalg.lstsq(np.concatenate(rows), np.concatenate(values))
            for name, value in zip("ABC", fields_abc, strict=True):
                if name in free:
                    harmonic[free.index(name)] = value
        lower, upper = self.parameters.lower, self.parameters.upper
        return np.clip([center, harmonic, 0.7 * harmonic + 0.3 * center], lower, upper)

    def estimate(
        self,
        design: Any,
        data: Data,
        starts: np.ndarray,
        hints: np.ndarray,
        known: bool,
        intervals: bool,
    ) -> Estimates:
        robust = self.loss == "soft_l1"
        return estimate(
            self, design, data, starts, hints, known_sigma=known, robust=robust, intervals=intervals
        )

    def predict(self, vector: jax.Array, design: Any) -> jax.Array:
        """Fields of all series, one after the other, NaN where there is no resonance."""
        angle, frequency = design
        values = self.parameters.values(vector)
        energy = self.model(values)
        angles = [
            angle[i] - values[f"offset_{i + 1}" if self.own_offsets else "offset"]
            for i in range(len(self.planes))
        ]
        # one call for all series: each would be compiled again
        g = values["g"]
        if set(self.planes) == {"xy"}:
            return resonance_field(energy, jnp.concatenate(angles), frequency, g)
        bases = [p if isinstance(p, str) else np.array(p) for p in self.planes]
        directions = map(plane_directions, angles, bases)
        return resonance_field_along(energy, jnp.concatenate(list(directions)), frequency, g)


def _frozen(plane: Any) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(x) for x in row) for row in np.asarray(plane))


def stack_series(series: Sequence[Series]) -> tuple[Any, Data, bool]:
    """Angles and frequencies, and data, of all series, padded with points of no weight."""
    known = [s.sigma is not None for s in series]
    if any(known) and not all(known):
        raise ValueError("give sigma for all series or for none")
    angle, frequency, fields, sigmas = [], [], [], []
    for s in series:
        pad = (0, -len(s.field) % PAD)
        angle.append(np.pad(s.angle, pad))
        frequency.append(np.pad(s.frequency, pad, mode="edge"))
        fields.append(np.pad(s.field, pad, constant_values=np.nan))
        if s.sigma is not None:
            sigmas.append(np.pad(s.sigma, pad, mode="edge"))
    sigma = np.concatenate(sigmas)[None] if sigmas else None
    data = Data.of(np.concatenate(fields)[None], sigma)
    return (tuple(angle), common_frequency(np.concatenate(frequency))), data, all(known)


def common_frequency(frequency: np.ndarray) -> np.ndarray:
    """The frequency as one number where it is the same for all points: that saves work."""
    return np.asarray(frequency[0]) if np.ptp(frequency) == 0 else frequency
