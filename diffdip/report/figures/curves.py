"""Figures of curves Hres(angle) with all branches, and of the lag of the magnetization."""

from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ...resonance.planes import magnetization_angles
from .style import BLUE, GRAY, ONE_COLUMN, STYLE, VERMILLION, angle_axis, inches, title_above


if TYPE_CHECKING:
    from ...fitting.series import Series
    from ...resonance.branches import Branches

REACH = 0.3
"""A line of a branch ends where the unit vector of M would change by more than this."""


def figure_curve(
    angle: np.ndarray,
    branches: "Branches",
    *,
    plane: str = "xy",
    larmor: float | None = None,
    title: str = "",
    points: "Series | None" = None,
    width: float = ONE_COLUMN,
) -> Figure:
    """All branches of Hres(α_H) above, and the lag α_H − α_M of the magnetization below.

    Stable resonances are solid lines, metastable ones gray and dashed. The resonance that is seen
    after saturation is thick. Two states with M on the two sides of the plane share a line. The
    axis of fields begins at zero unless the fields vary by less than a tenth.

    Args:
        angle: Angles of the field in radians, shape (n,).
        branches: The resonances at these angles, from `resonance_branches`.
        plane: "xy", "xz" or "yz".
        larmor: The field w0 (tesla) without anisotropy, for a dotted line; none by default.
        title: Stands above the figure, on one line or several.
        points: Measured fields of a rotation, as dots with error bars; none by default.
        width: Of the figure, in mm.
    """
    degrees = np.degrees(angle)
    field, stable = 1e3 * np.asarray(branches.field), np.asarray(branches.stable)
    directions = np.asarray(branches.direction)
    lag = np.degrees(magnetization_angles(angle, directions, plane)[0])
    exists = np.isfinite(field)
    measured = np.asarray(branches.is_measured())

    with mpl.rc_context(STYLE):
        figure = Figure(figsize=inches(width, 95), layout="constrained")
        main, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
        if larmor is not None:
            main.axhline(1e3 * larmor, color=GRAY, linewidth=0.6, linestyle=":", label="$w_0$")
        kinds = (
            ("metastable", exists & ~stable, {"color": GRAY, "linestyle": "--", "linewidth": 1.0}),
            ("stable", stable & ~measured, {"color": BLUE, "linewidth": 1.2}),
            ("seen after saturation", measured, {"color": VERMILLION, "linewidth": 1.8}),
        )
        for label, mask, style in kinds:
            for i, (row, slot) in enumerate(_traces(field, directions, mask)):
                main.plot(degrees[row], field[row, slot], label=label if i == 0 else None, **style)
                # no vertical line where the lag jumps from 180° to −180°
                wraps = np.abs(np.diff(lag[row, slot])) > 180
                for piece in np.split(np.arange(len(row)), np.flatnonzero(wraps) + 1):
                    below.plot(degrees[row][piece], lag[row, slot][piece], **style)
        if points is not None:
            main.errorbar(
                np.degrees(points.angle),
                1e3 * points.field,
                None if points.sigma is None else 1e3 * points.sigma,
                fmt="o",
                color="black",
                markersize=2.5,
                elinewidth=0.6,
                label="measured",
                zorder=3,
            )
        if not exists.any():
            main.text(0.5, 0.5, "no resonance at any angle", transform=main.transAxes, ha="center")
        shown = field[exists] if points is None else np.append(field[exists], 1e3 * points.field)
        main.set_ylim(_floor(shown), None)
        main.set_ylabel(r"$H_\mathrm{res}$ (mT)")
        if main.get_legend_handles_labels()[0]:
            main.legend(loc="best", handlelength=2.2)
        if title:
            title_above(main, *title.splitlines())
        below.axhline(0, color=GRAY, linewidth=0.5)
        below.set_ylabel(r"lag $\alpha_H-\alpha_M$ (°)")
        angle_axis(below, degrees)
        figure.align_ylabels((main, below))
    return figure


def _floor(fields: np.ndarray) -> float | None:
    """Where an axis of fields begins: at zero, unless the fields vary little."""
    small = fields.size and np.ptp(fields) < 0.1 * fields.max()
    return None if small else 0.0


def _traces(
    field: np.ndarray, directions: np.ndarray, mask: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows and slots of lines through the marked resonances; each line follows one state of M.

    Slots are ordered by field, so that all lower slots shift where a branch begins or ends. For
    this reason a line continues with the nearest direction of M that no other line has taken, and
    ends where even that one is far away.
    """
    traces: list[list[tuple[int, int]]] = []
    ended: list[list[tuple[int, int]]] = []
    for row in range(len(field)):
        free = [int(slot) for slot in np.flatnonzero(mask[row])]
        going = []
        for trace in traces:
            last = directions[trace[-1]]
            distance = {slot: np.linalg.norm(directions[row, slot] - last) for slot in free}
            nearest = min(free, key=distance.__getitem__, default=None)
            if nearest is not None and distance[nearest] < REACH:
                free.remove(nearest)
                trace.append((row, nearest))
                going.append(trace)
            else:
                ended.append(trace)
        traces = going + [[(row, slot)] for slot in free]
    return [tuple(np.array(trace).T) for trace in ended + traces]  # type: ignore[misc]
