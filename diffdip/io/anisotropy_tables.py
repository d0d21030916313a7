"""Tables of A and B of many samples."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from .column_meanings import ANISOTROPIES, ANISOTROPY_NAMES, TableError
from .input_files import as_place
from .table_values import open_table


@dataclass(frozen=True)
class Anisotropies:
    """A and B of many samples as read.

    Args:
        A: Anisotropy field A of each sample in tesla, float64 of shape (n,).
        B: Anisotropy field B of each sample in tesla, float64 of shape (n,).
        source: The file.
        left_out: Number of rows that were left out because A or B is empty.
    """

    A: np.ndarray
    B: np.ndarray
    source: Path
    left_out: int


def read_anisotropies(path: str | PathLike[str]) -> Anisotropies:
    """Read A and B of many samples from a CSV or TSV file, one row for each sample.

    The columns `A_mT` and `B_mT` (or `A (G)` and so on, with a unit) are found as in `read_table`.
    Other columns are not used, so that what `diffdip export` writes can be read. Rows in which A or
    B is empty are left out and counted.

    Args:
        path: The file.

    Returns:
        The complete pairs, in the order of the file.

    Raises:
        TableError: If the table cannot be used. `where` gives the file and the row (line of the
            file), `what` the column, `given` the value.
    """
    path = Path(path)
    try:
        rows = open_table(path, ANISOTROPY_NAMES, ANISOTROPIES).rows()
    except TableError as error:
        raise error.at(as_place(path)) from None
    a, b = (
        np.concatenate([np.array(data.values[name]) for data in rows.values()])
        for name in ANISOTROPIES
    )
    known = ~np.isnan(a) & ~np.isnan(b)
    return Anisotropies(a[known], b[known], path, int(np.sum(~known)))
