"""What is fitted: free parameters, the model that they belong to, and where the search starts."""

import warnings
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..foundation.convention import Convention, as_convention
from ..foundation.errors import InputError
from ..foundation.units import larmor_value
from ..resonance.fields import resonance_field, resonance_field_along
from ..resonance.frequencies import resonance_frequency_along
from ..resonance.planes import Plane, plane_directions
from .anisotropy_models import FIRST_ORDER, FullTensorModel, InPlaneModel, Model, first_order
from .closed_form_starts import Harmonics, cover_half_turn, projected
from .least_squares import Estimates, estimate
from .least_squares_problem import Data, Design
from .parameter_table import offset_name, parameter_kind
from .parameters import Free, Parameter, ParameterSet, Values
from .robust_loss import without_far_points
from .search import Hints
from .series import AS_FIELD, Series, check_series
from .term_models import TermsModel
from .term_starts import Likely, likely_values


SCREENED = 160
"""Starts whose predictions are compared with the data before the best are optimized."""

REACH = 0.7
"""Starts of anisotropy fields are spread over ± this part of w0."""

LOSSES = ("linear", "soft_l1")

StaticPlane: TypeAlias = str | tuple[tuple[float, ...], ...]
"""A plane that JAX can compare, so that fits in one plane share their compiled code."""


class FitProblem(eqx.Module):
    """Parameters, the model that they belong to, and the planes of the series."""

    parameters: ParameterSet
    model: Model = eqx.field(static=True)
    planes: tuple[StaticPlane | None, ...] = eqx.field(static=True)
    """None for a series along directions."""
    measured: tuple[str, ...] = eqx.field(static=True)
    """"field" or "frequency", for each series."""
    own_offsets: bool = eqx.field(static=True)
    loss: str = eqx.field(static=True)

    @staticmethod
    def of(
        series: Sequence[Series],
        *,
        g: Parameter,
        offset: Parameter | Sequence[Parameter],
        parameters: Mapping[str, Parameter] | None,
        model: Model | None,
        loss: str,
        convention: Convention | str | None,
        points: bool = True,
    ) -> "FitProblem":
        """The problem of the arguments of a fit; `points` says whether to count those of `series`.

        Raises:
            InputError: For arguments that do not fit together, and for fewer points than free
                parameters.
        """
        check_series(series)
        if loss not in LOSSES:
            raise InputError("loss", given=loss, expected=" or ".join(LOSSES))
        if model is None:
            model = InPlaneModel(as_convention("paper" if convention is None else convention))
        given = _of_model(model, parameters, convention)
        own = isinstance(offset, Sequence)
        if own and len(offset) != len(series):
            raise InputError(
                "offset", given=offset, expected=f"one for each series, {len(series)} in all"
            )
        each = enumerate(offset) if own else [(0, offset)]
        offsets = {offset_name(i, own=own): value for i, value in each}
        units = getattr(model, "units", None)
        everything = ParameterSet.of({**given, "g": g, **offsets}, units)
        _check_settings(g, list(offsets.values()))
        if not everything.free:
            raise InputError("no parameter is free", hint="Leave at least one parameter free")
        if points:
            check_points(sum(int(np.sum(np.isfinite(s.observed))) for s in series), everything)
        return FitProblem(
            parameters=everything,
            model=model,
            planes=tuple(None if s.direction is not None else _static(s.plane) for s in series),
            measured=tuple(s.measured for s in series),
            own_offsets=own,
            loss=loss,
        )

    @property
    def convention(self) -> str:
        """Name of the convention that A, B, C are in; "none" for a model without them."""
        if isinstance(self.model, TermsModel) and "tensor" not in self.model.terms:
            return "none"
        return str(getattr(self.model, "convention", "none"))

    def starts(self, design: Design, data: Data | None = None) -> np.ndarray:
        """Vectors spread over everything plausible, the same for all data sets."""
        larmor = larmor_value(float(np.nanmean(design.frequency)), self._likely("g"))
        return self.parameters.starting_points(SCREENED, REACH * larmor, self._ranges(design, data))

    def _ranges(self, design: Design, data: Data | None) -> dict[str, Likely]:
        """Where fields are likely, in terms and in a model of the user; nothing for A, B, C."""
        if data is None or isinstance(self.model, InPlaneModel | FullTensorModel):
            return {}
        field = np.where(data.weight > 0, data.field, np.nan)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a point without any data
            typical = np.nanmedian(field, axis=0)
        sizes = [len(where) for where in design.where]
        measured = np.repeat([m == "field" for m in self.measured], sizes)
        if design.field is not None:  # the set fields are resonance fields as well
            typical = np.where(
                measured, typical, np.where(np.isfinite(typical), design.field, np.nan)
            )
        larmor = larmor_value(np.broadcast_to(design.frequency, typical.shape), self._likely("g"))
        names = [n for n in self.parameters.free if self.parameters.kind(n).unit == "mT"]
        flat = all(plane == "xy" for plane in self.planes)
        return {
            name: range_
            for name, range_ in likely_values(names, typical, larmor, flat).items()
            if name in names
        }

    def hints(self, design: Design, data: Data) -> Hints:
        """Starts that the data suggest.

        No anisotropy, A, B, C to first order and 70 % of that, and for one series in the xy-plane
        the closed forms of `closed_form_starts`.
        """
        center = self.parameters.central_point(self._ranges(design, data))
        m = len(data.field)
        unknown = np.full(data.field.shape, np.nan)
        if not isinstance(self.model, InPlaneModel | FullTensorModel):
            return Hints(np.tile(center, (m, 1, 1)), unknown, 0)
        sign = self.model.convention.sign
        field = np.where(data.weight > 0, data.field, np.nan)
        larmor = larmor_value(np.asarray(design.frequency), self._likely("g"))
        angles = [
            np.asarray(where) - self._likely(offset_name(i, own=self.own_offsets))
            if where.ndim == 1
            else np.zeros(len(where))
            for i, where in enumerate(design.where)
        ]
        fit_for = [
            p == "xy" and m == "field" for p, m in zip(self.planes, self.measured, strict=True)
        ]
        in_plane = np.repeat(fit_for, [len(a) for a in angles])
        shift = np.where(in_plane, field - larmor, np.nan)
        first = projected(first_order(sign, np.concatenate(angles)), shift)
        vectors, curve, size = first[:, None], unknown, 0
        if isinstance(self.model, InPlaneModel) and fit_for == [True]:
            [angle] = angles
            harmonics = Harmonics.of(angle, field)
            roots = harmonics.starts(float(np.nanmean(larmor)), sign)
            vectors = np.concatenate([vectors, roots], axis=1)
            size = harmonics.coefficients.shape[1]
            if self._only_anisotropy():
                used = data.weight > 0
                smooth = np.where(used, harmonics.curve(angle), 0.0)
                curve = np.where(cover_half_turn(angle, used)[:, None], smooth, np.nan)
        x = np.tile(center, (m, 2 + vectors.shape[1], 1))
        for name, column in zip(FIRST_ORDER, np.moveaxis(vectors, -1, 0), strict=True):
            if name in self.parameters.free:
                index = self.parameters.free.index(name)
                x[:, 1, index] = 0.7 * column[:, 0] + 0.3 * center[index]
                x[:, 2:, index] = column
        return Hints(np.clip(x, self.parameters.lower, self.parameters.upper), curve, size)

    def _only_anisotropy(self) -> bool:
        """Whether A, B and C alone are free, without bounds, with the default loss."""
        free = self.parameters
        unbounded = bool(np.isinf(free.lower).all() and np.isinf(free.upper).all())
        return free.free == FIRST_ORDER and not free.tied and unbounded and self.loss == "linear"

    def estimate(
        self, design: Design, data: Data, *, known_sigma: bool, intervals: bool
    ) -> Estimates:
        """Minimize the loss; see `least_squares.estimate`."""
        hints, robust = self.hints(design, data), self.loss == "soft_l1"
        if robust:
            near = self.hints(design, without_far_points(design, data))
            hints = near._replace(x=np.concatenate([near.x, hints.x[:, 1:]], axis=1))
        return estimate(
            self,
            design,
            data,
            self.starts(design, data),
            hints,
            known_sigma=known_sigma,
            robust=robust,
            intervals=intervals,
        )

    def predict(self, vector: jax.Array, design: Design) -> jax.Array:
        """What was measured in each series (tesla), one after the other; NaN without resonance."""
        values = self.parameters.values(vector)
        energy, g = self.model(values), values["g"]
        # one call for all series: each would be compiled again
        if set(self.planes) == {"xy"} and "frequency" not in self.measured:
            angles = [self._angle(i, design, values) for i in range(len(self.planes))]
            return resonance_field(energy, jnp.concatenate(angles), design.frequency, g)
        along = jnp.concatenate([self._along(i, design, values) for i in range(len(self.planes))])
        if "frequency" not in self.measured:
            return resonance_field_along(energy, along, design.frequency, g)
        assert design.field is not None
        sizes = [len(where) for where in design.where]
        swept = np.repeat([measured == "frequency" for measured in self.measured], sizes)
        at_field = resonance_frequency_along(energy, along[swept], design.field[swept], g)
        predicted = jnp.zeros(len(along)).at[swept].set(AS_FIELD * at_field)
        if swept.all():
            return predicted
        frequency = jnp.broadcast_to(design.frequency, len(along))[~swept]
        at_frequency = resonance_field_along(energy, along[~swept], frequency, g)
        return predicted.at[~swept].set(at_frequency)

    def _angle(self, index: int, design: Design, values: Values) -> Array:
        """The angles of a series from the axis of its plane."""
        return jnp.asarray(design.where[index]) - values[offset_name(index, own=self.own_offsets)]

    def _along(self, index: int, design: Design, values: Values) -> Array:
        """The directions of the applied field in a series."""
        plane = self.planes[index]
        if plane is None:
            return jnp.asarray(design.where[index])
        basis = plane if isinstance(plane, str) else np.array(plane)
        return plane_directions(self._angle(index, design, values), basis)

    def _likely(self, name: str) -> float:
        """A fixed value, or the middle start of a free one."""
        if name in self.parameters.fixed:
            return float(self.parameters.fixed_values[self.parameters.fixed.index(name)])
        if name in self.parameters.free:
            return float(self.parameters.central_point()[self.parameters.free.index(name)])
        return parameter_kind(name).start


def _check_settings(g: Parameter, offsets: Sequence[Parameter]) -> None:
    """Raises `InputError` for a g or an offset that can only be a mistake."""
    value = g.start if isinstance(g, Free) else g
    if isinstance(value, float | int) and not value > 0:
        raise InputError("g", given=value, expected="a number above 0")
    for offset in offsets:
        if isinstance(offset, float | int) and abs(offset) > 2 * np.pi:
            raise InputError("offset", given=offset, expected="an angle in radians, within a turn")


def check_points(count: int, parameters: ParameterSet) -> None:
    """Raises `InputError` for fewer points than free parameters."""
    if count < len(parameters.free):
        raise InputError(
            "points",
            given=count,
            expected=f"at least {len(parameters.free)}, one for each free parameter",
            hint="Measure more angles or fix parameters",
        )


def _of_model(
    model: Model,
    parameters: Mapping[str, Parameter] | None,
    convention: Convention | str | None,
) -> dict[str, Parameter]:
    """The parameters of the model: those of the user, and the rest of a known model free."""
    given = dict(parameters or {})
    # these two are arguments of their own, because they belong to the measurement
    for name in ("g", "offset"):
        if name in given:
            raise InputError(
                "parameters",
                given=name,
                expected="parameters of the model",
                hint=f"Give {{{name}}} as an argument of its own",
            )
    if not isinstance(model, InPlaneModel | FullTensorModel | TermsModel):
        if not given:
            raise InputError(
                "parameters",
                given=parameters,
                expected="the parameters of your model",
                hint="Give each a number, Free() or a function of the others",
            )
        return given
    if convention is not None and as_convention(convention) != model.convention:
        raise InputError(
            "convention",
            given=str(convention),
            expected=f"that of the model, {model.convention}",
            hint="Leave out {convention}, or give it to {model}",
        )
    unknown = given.keys() - set(model.names)
    if unknown:
        names = ", ".join(model.names)
        raise InputError("parameters", given=min(unknown), expected=f"names among {names}")
    return {name: given.get(name, Free()) for name in model.names}


def _static(plane: Plane) -> StaticPlane:
    if isinstance(plane, str):
        return plane
    return tuple(tuple(float(x) for x in row) for row in np.asarray(plane))
