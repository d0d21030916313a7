"""Tables of A and B of many samples."""

from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np

from .column_meanings import ANISOTROPIES, ANISOTROPY_NAMES, EXAMPLES, TableError
from .input_files import as_place
from .table_values import open_table


LARGEST_MEDIAN = 100.0
"""Tesla. A larger median is a mistake of the unit; single samples of a heavy tail may be larger."""


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
    for name, values in zip(ANISOTROPIES, (a, b), strict=True):
        sizes = np.abs(values[~np.isnan(values)])
        if sizes.size and (middle := np.median(sizes)) > LARGEST_MEDIAN:
            raise TableError(
                f"column '{EXAMPLES[name]}'",
                given=f"a median of {middle:.3g} T",
                expected=f"a median of the sizes up to {LARGEST_MEDIAN:g} T",
                hint="Check the unit in the header",
            ).at(as_place(path))
    known = ~np.isnan(a) & ~np.isnan(b)
    return Anisotropies(a[known], b[known], path, int(np.sum(~known)))
