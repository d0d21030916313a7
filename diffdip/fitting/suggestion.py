"""Which terms a series asks for: sums of terms, ranked by the Bayesian information criterion.

All candidates are parts of one sum, fitted with the other terms frozen at zero. So one program
serves them all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import jax
import numpy as np

from ..foundation.errors import InputError
from .minimization import minimized
from .parameters import Free, Parameter
from .predictions import linearized
from .problem import FitProblem
from .residual_structure import structure_flags
from .series import Series, check_series, stack_series, without_padding
from .term_models import TermsModel


IN_PLANE: Final = ("thin-film", "two-fold", "four-fold", "six-fold")
"""Terms that are tried for a rotation in the xy-plane."""

THROUGH_NORMAL: Final = ("thin-film", "uniaxial-2", "cubic")
"""Terms that are tried for other rotations."""

PARTS: Final = {
    IN_PLANE: (
        ("thin-film",),
        ("thin-film", "two-fold"),
        ("thin-film", "four-fold"),
        ("thin-film", "two-fold", "four-fold"),
        ("thin-film", "six-fold"),
        ("thin-film", "two-fold", "six-fold"),
        ("thin-film", "two-fold", "four-fold", "six-fold"),
    ),
    THROUGH_NORMAL: (
        ("thin-film",),
        ("thin-film", "uniaxial-2"),
        ("thin-film", "cubic"),
        ("thin-film", "uniaxial-2", "cubic"),
    ),
}
"""The candidates."""

SIZES: Final = (1.0, 0.5, 2.0)
"""Starts of the fields of a term, in amplitudes of its harmonic."""


@dataclass(frozen=True)
class Suggestion:
    """One candidate.

    Args:
        terms: Its terms.
        parameters: Number of free parameters.
        bic: Bayesian information criterion, without unit; the lowest is the best.
        rms: Root mean square of the residuals in tesla.
        left: What the residuals still show, in words; empty if they look like noise.
    """

    terms: tuple[str, ...]
    parameters: int
    bic: float
    rms: float
    left: str


def suggest_terms(series: Sequence[Series], *, g: float = 2.0) -> list[Suggestion]:
    """Rank sums of energy terms for measured series of one sample.

    BIC = χ² + p ln n, or n ln(χ²/n) + p ln n where sigma is unknown, for p parameters and n points.
    A difference of more than 10 is strong evidence. In the xy-plane a film with a two-fold term is
    the same model as A, B, C.

    Args:
        series: Series in planes. Frequencies and fields may have been measured.
        g: The g-factor, fixed. Default: 2.

    Returns:
        The candidates, the best first. Those with as many parameters as points are left out.

    Raises:
        InputError: For no series, series along directions, or fewer than 4 points.

    >>> import numpy as np
    >>> angle = np.deg2rad(np.arange(0, 180, 10))
    >>> series = Series(angle, 0.1 + 0.005 * np.cos(4 * angle), frequency=9.45e9)
    >>> suggest_terms([series])[0].terms
    ('thin-film', 'four-fold')
    """
    check_series(series)
    if any(s.direction is not None for s in series):
        raise InputError("series", expected="series in planes, not along directions")
    in_plane = all(isinstance(s.plane, str) and s.plane == "xy" for s in series)
    terms = IN_PLANE if in_plane else THROUGH_NORMAL
    model = TermsModel(terms)
    offset: Parameter = 0.0 if in_plane else Free()
    problem = FitProblem.of(
        series,
        g=g,
        offset=offset,
        parameters=None,
        model=model,
        loss="linear",
        convention=None,
        points=False,
    )
    design, data, known = stack_series(series)
    names = problem.parameters.free
    count = int(np.sum(data.weight > 0))
    candidates = []
    for part in PARTS[terms]:
        used = {*TermsModel(part).names, "offset"}
        if sum(name in used for name in names) < count:
            candidates.append((part, np.array([name in used for name in names])))
    if not candidates:
        raise InputError("points", given=count, expected="at least 4")
    with jax.enable_x64(True):
        first = problem.hints(design, data).x[0, 0]
        starts = np.stack(
            [
                np.where(used, start, 0.0)
                for _, used in candidates
                for start in _starts(problem, first, series)
            ]
        )
        lanes = len(starts) // len(candidates)
        frozen = np.repeat([~used for _, used in candidates], lanes, axis=0)
        ends = minimized(problem, design, data, starts[None], frozen[None])
        cost = ends.cost[0].reshape(len(candidates), lanes)
        best = ends.x[0].reshape(len(candidates), lanes, -1)[
            np.arange(len(candidates)), np.argmin(cost, axis=1)
        ]
        predicted, slope = linearized(problem, design, best, many=False)
    observed = np.concatenate([s.observed for s in series])
    weight = without_padding(data.weight[0], series)
    found = []
    for (part, used), chi2, row, changes in zip(
        candidates, np.min(cost, axis=1), predicted, slope, strict=True
    ):
        residuals = observed - without_padding(row, series)
        jacobian = weight[:, None] * without_padding(changes, series)[:, used]
        size = int(np.sum(used))
        misfit = chi2 if known else count * np.log(max(chi2, 1e-300) / count)
        flags = structure_flags(series, residuals, weight * residuals, jacobian)
        found.append(
            Suggestion(
                terms=part,
                parameters=size,
                bic=float(misfit + size * np.log(count)),
                rms=float(np.sqrt(np.nanmean(residuals**2))),
                left=" ".join(flag.message for flag in flags),
            )
        )
    return sorted(found, key=lambda one: one.bic)


def _starts(problem: FitProblem, first: np.ndarray, series: Sequence[Series]) -> np.ndarray:
    """Starts for all parameters: those of the first, with fields and phases from harmonics."""
    names = problem.parameters.free
    angle = np.concatenate([s.angle for s in series])
    field = np.concatenate([s.observed - np.nanmedian(s.observed) for s in series])
    known = np.isfinite(field)
    angle, field = angle[known], field[known]
    starts = []
    signs = (1, -1) if "H1" in names else (1,)  # a phase stands for the sign of the others
    for size in SIZES:
        for sign in signs:
            start = first.copy()
            for i, name in enumerate(names):
                fold = {"B2": 2, "B4": 4, "B6": 6, "HK2": 2, "H1": 4}.get(name)
                if fold is None:
                    continue
                waves = np.stack([np.cos(fold * angle), np.sin(fold * angle)], axis=1)
                c, s = np.linalg.lstsq(waves, field, rcond=1e-6)[0]
                start[i] = size * np.hypot(c, s) * (1 if name.startswith("B") else sign)
                # the field is lowest along the easy direction
                phase = f"phi_{fold}"
                if name.startswith("B") and phase in names:
                    start[names.index(phase)] = np.arctan2(-s, -c) / fold
            starts.append(start)
    return np.stack(starts)
