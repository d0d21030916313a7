"""Resonances of one sample as read from a table, and the series that they are."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..foundation.flags import Flag


if TYPE_CHECKING:
    from ..fitting.series import Series

SAME_FREQUENCY = 0.01
"""Frequencies, or set fields, up to this part above the lowest of a series belong to it."""

FEW_ANGLES = 4
"""With at most this number of angles, and more frequencies, a map is one series for each angle."""


@dataclass(frozen=True)
class Sample:
    """Resonances of one sample as read, in SI units.

    Args:
        name: Name of the sample.
        angle: Angles in radians, float64 of shape (n,). NaN for points along a direction.
        field: Resonance fields in tesla, or set fields, float64 of shape (n,).
        sigma: Standard errors of what was measured in tesla or Hz, float64 of shape (n,); None
            without a column.
        frequency: Frequencies in Hz, set or measured, float64 of shape (n,).
        source: The file.
        warnings: Notes on how the table was read, and doubts about it.
        comments: Comments of the file, such as how `diffdip positions` found the fields.
        direction: Directions of the field as unit vectors, float64 of shape (n, 3), NaN for points
            in a plane. None if there are only those.
        planes: The plane of each point, by name; None if the table does not say.
        swept: Whether the field was set and the frequency measured, bool of shape (n,). None if all
            fields were measured.
        width: Line widths in tesla, shape (n,), NaN where it is missing; None without a column.
        width_sigma: Their standard errors in tesla, shape (n,); None without a column.
        width_kind: "fwhm" or "peak-to-peak" by the name of the column; None if it does not say.
    """

    name: str
    angle: np.ndarray
    field: np.ndarray
    sigma: np.ndarray | None
    frequency: np.ndarray
    source: Path
    warnings: tuple[Flag, ...] = ()
    comments: tuple[str, ...] = ()
    direction: np.ndarray | None = None
    planes: tuple[str, ...] | None = None
    swept: np.ndarray | None = None
    width: np.ndarray | None = None
    width_sigma: np.ndarray | None = None
    width_kind: str | None = None

    def order(self, plane: str = "xy") -> np.ndarray:
        """The rows in the order of the points of `series`, of one series after the other."""
        return np.concatenate([rows for rows, _ in _groups(self, plane)])

    def series(self, plane: str = "xy", name: str = "") -> tuple["Series", ...]:
        """The points as series for `fit_joint`.

        A series has one plane, or directions, and frequencies of up to 1 % above its lowest, unless
        all its points have one direction. So a table of one rotation is one series. A map with
        fewer than 5 angles and more frequencies than angles is one series for each angle.

        Args:
            plane: The plane of points for which the table does not say. Default: "xy".
            name: Name of the series, with a number if there are several. Default: that of the
                sample if there are several, else empty.

        Returns:
            One series or more, in the order of their first points.
        """
        from ..fitting.series import Series

        groups = _groups(self, plane)
        own = name or self.name
        found = []
        for rows, kind in groups:
            swept = self.swept is not None and bool(self.swept[rows[0]])
            where = {"direction": self.direction[rows]} if kind is None else {}  # pyright: ignore[reportOptionalSubscript]
            found.append(
                Series(
                    None if kind is None else self.angle[rows],
                    self.field[rows],
                    None if self.sigma is None else self.sigma[rows],
                    frequency=self.frequency[rows],
                    plane="xy" if kind is None else kind,
                    name=f"{own} ({len(found) + 1})" if len(groups) > 1 else name,
                    measured="frequency" if swept else "field",
                    **where,
                )
            )
        return tuple(found)


def _groups(sample: Sample, plane: str) -> list[tuple[np.ndarray, str | None]]:
    """Rows that are one series, and their plane; None for directions."""
    count = len(sample.field)
    planes = sample.planes or (plane,) * count
    along = np.isnan(sample.angle)
    swept = np.zeros(count, bool) if sample.swept is None else sample.swept
    kinds = [None if a else p for a, p in zip(along, planes, strict=True)]
    found: list[tuple[np.ndarray, str | None]] = []
    for kind in dict.fromkeys(kinds):
        for by_frequency in (False, True):
            rows = np.flatnonzero([k == kind for k in kinds] & (swept == by_frequency))
            if not len(rows):
                continue
            if kind is None:
                found.append((rows, kind))
                continue
            held = sample.field[rows] if by_frequency else sample.frequency[rows]
            found += [(rows[part], kind) for part in _rotations(sample.angle[rows], held)]
    return sorted(found, key=lambda group: group[0][0])


def _rotations(angle: np.ndarray, held: np.ndarray) -> list[np.ndarray]:
    """Rows by what was held; those with one angle only are together, angle by angle."""
    parts, single = [], []
    for part in _alike(held):
        turned = np.abs(np.sin(angle[part] - angle[part[0]])) > 1e-6
        (parts if turned.any() else single).append(part)
    if parts:
        angles = len(np.unique(np.round(np.degrees(angle[np.concatenate(parts)]), 1)))
        if angles <= FEW_ANGLES and len(parts) > angles:
            parts, single = [], [*single, *parts]
    rest = np.sort(np.concatenate(single)) if single else np.array([], int)
    while len(rest):
        same = np.abs(np.sin(angle[rest] - angle[rest[0]])) <= 1e-6
        parts.append(rest[same])
        rest = rest[~same]
    return parts


def _alike(held: np.ndarray) -> list[np.ndarray]:
    """Rows whose held value is within 1 % of the lowest of them, in groups from low to high."""
    left, found = np.argsort(held, kind="stable"), []
    while len(left):
        values = held[left]
        near = values <= (1 + SAME_FREQUENCY) * values[0]
        found.append(np.sort(left[near]))
        left = left[~near]
    return found
