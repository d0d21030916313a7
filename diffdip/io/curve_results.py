"""All branches of a curve Hres(angle) as files."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..resonance.planes import magnetization_angles
from .writing import csv_bytes, json_bytes, made_by


if TYPE_CHECKING:
    from ..resonance.branches import Branches


def curve_files(
    angle: np.ndarray, branches: "Branches", plane: str, settings: Mapping[str, Any]
) -> dict[str, bytes]:
    """The files of a curve: `curve.csv` with all branches, `curve.json` with how it was made.

    `curve.csv` has one row for each resonance of each angle, the highest field first. `lag_deg` is
    α_H − α_M in the plane of rotation; `elevation_deg` is the angle of M out of that plane;
    `stable` and `measured` are 1 or 0. An angle without resonance has one row with an empty field.

    Args:
        angle: Angles of the field in radians, shape (n,).
        branches: The resonances at these angles, from `resonance_branches`.
        plane: "xy", "xz" or "yz".
        settings: Goes into `curve.json`.

    Returns:
        Contents by file name.
    """
    lag, elevation = magnetization_angles(angle, np.asarray(branches.direction), plane)
    field, stable = np.asarray(branches.field), np.asarray(branches.stable)
    measured = np.asarray(branches.is_measured())
    rows: list[list[Any]] = []
    for i, alpha in enumerate(np.degrees(angle)):
        slots = np.flatnonzero(np.isfinite(field[i]))
        rows += [
            [
                alpha,
                1e3 * field[i, slot],
                np.degrees(lag[i, slot]),
                np.degrees(elevation[i, slot]),
                int(stable[i, slot]),
                int(measured[i, slot]),
            ]
            for slot in slots
        ] or [[alpha, np.nan, np.nan, np.nan, 0, 0]]
    header = "angle_deg field_mT lag_deg elevation_deg stable measured"
    return {"curve.csv": csv_bytes(header, rows), "curve.json": json_bytes(made_by(settings))}
