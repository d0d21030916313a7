"""How the field runs in a measurement: up, down, several times, or not at all."""

from itertools import pairwise

import numpy as np

from ..foundation.errors import InputError


BACK = 0.05
"""The field turns if it runs back by more than this part of its range; less is noise."""

PARTIAL = 0.5
"""A run over less than this part of the range is left out, with a note."""

MAX_RUNS = 20
"""A field that turns more often is not swept."""

FLYBACK = 3
"""Up to this many samples between two runs are a return of the field, and no run."""


def field_runs(field: np.ndarray, back: float = BACK) -> list[slice]:
    """The samples of each run of the field in one direction.

    It turns if it runs back by more than the part `back` of its range. Raises `InputError` if it
    turns too often to be swept.

    >>> field_runs(np.array([330.0, 331, 332, 333, 332, 331, 330]))
    [slice(0, 4, None), slice(4, 7, None)]
    >>> field_runs(np.array([330.0, 331, 332, 333, 330, 331, 332, 333]))
    [slice(0, 4, None), slice(4, 8, None)]
    """
    turns = _turns(field, back)
    if len(turns) > 2 * MAX_RUNS:
        raise InputError(
            f"the field goes up and down {len(turns) + 1} times between {field.min():.6g} and "
            f"{field.max():.6g}",
            expected="a sweep of the field, up or down",
            hint="Use a measurement in which the field is swept, not held or stepped",
        )
    edges = [0, *(turn + 1 for turn in turns), len(field)]
    runs: list[slice] = []
    start = 0
    for low, high in pairwise(edges):
        if runs and high < len(field) and high - low <= FLYBACK:
            start = high - 1  # the field flew back: its last sample starts the next run
            continue
        runs.append(slice(start, high))
        start = high
    return runs


def _turns(field: np.ndarray, part: float) -> list[int]:
    """Indices at which the field turns back by more than noise, in ascending order."""
    back = part * np.ptp(field)
    for values in (field, -field):
        if (np.maximum.accumulate(values) - values).max() <= back:
            return []
    steps = np.sign(np.diff(field))
    moves = np.flatnonzero(steps)
    corners = moves[:-1][steps[moves[1:]] != steps[moves[:-1]]] + 1
    turns: list[int] = []
    direction = high = low = 0
    for i in [*corners.tolist(), len(field) - 1]:
        # `high` and `low` are the extrema since the last turn
        high = i if field[i] > field[high] else high
        low = i if field[i] < field[low] else low
        if direction >= 0 and field[high] - field[i] > back:
            turns += [high] * direction
            direction, low = -1, i
        elif direction <= 0 and field[i] - field[low] > back:
            turns += [low] * -direction
            direction, high = 1, i
        if len(turns) > 2 * MAX_RUNS:
            break
    return turns
