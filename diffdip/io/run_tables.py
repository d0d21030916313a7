"""Stored runs as tables: exported files, and quantiles of the anisotropy fields."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..foundation.flags import Flag
from .run_store import read_run
from .writing import OutputError, plain, write_files


if TYPE_CHECKING:
    import xarray as xr

QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
QUANTILE_HEADS = ("1 %", "25 %", "median", "75 %", "99 %", "68 % interval of the median")
"""The quantiles of a run that are shown, and the heads of their table."""

MOST_NAMED = 10
"""The most ranges of missing samples that a message names."""


def export_run(
    path: Path, target: Path, *, skip_damaged: bool = False, force: bool = False
) -> list[Flag]:
    """Write a run as CSV or NetCDF.

    CSV has one row for each sample, below a comment with the settings. NetCDF is classic with
    64-bit offsets, which MATLAB, Origin and Panoply open; the settings are JSON text in the
    attribute `settings`.

    Args:
        path: Of the store.
        target: The file; its ending, .csv or .nc, gives the format.
        skip_damaged: Whether to treat the samples of a damaged chunk as missing.
        force: Whether to replace a file that diffdip did not write.

    Returns:
        A flag if samples are missing, and one if samples could not be placed.

    Raises:
        RunError: If the path holds no run, or one with a damaged chunk.
        OutputError: If the ending is another one, or the file cannot be written.
    """
    target = Path(target)
    if target.suffix not in (".csv", ".nc"):
        raise OutputError(f"{target}: expected a name that ends in .csv or .nc")
    dataset = read_run(path, damaged="drop" if skip_damaged else "raise")
    settings = json.dumps(dataset.attrs, ensure_ascii=True)
    if target.suffix == ".csv":
        table = dataset.drop_vars("D").to_dataframe()
        for name in ("n_dipoles", "starts"):
            # empty cells, as those of the other columns
            table[name] = table[name].astype("Int32").mask(table[name] < 0)
        rows, columns = np.triu_indices(3)
        for row, column in zip(rows, columns, strict=True):
            table[f"D{'xyz'[row]}{'xyz'[column]}"] = dataset["D"].values[:, row, column]
        content = f"# {settings}\n{table.to_csv(lineterminator=chr(10))}".encode()
    else:
        dataset.attrs = {"settings": settings, "complete": dataset.attrs["complete"]}
        content = bytes(dataset.to_netcdf(None, engine="scipy", format="NETCDF3_64BIT"))
    write_files(target.parent, {target.name: content}, inputs=[path], force=force)
    return [*missing_flags(dataset), *unplaced_flags(dataset)]


def unplaced_flags(dataset: "xr.Dataset") -> list[Flag]:
    """A flag if samples of a run could not be placed. Missing samples do not count."""
    count = int((dataset["M_A_per_m"].isnull() & ~_missing(dataset)).sum())
    message = f"{count} samples could not be placed. Their rows are empty."
    return [Flag("unplaced-samples", message)] if count else []


def missing_flags(dataset: "xr.Dataset") -> list[Flag]:
    """A flag if samples of a run are not computed yet; it names them.

    >>> import xarray as xr
    >>> print(missing_flags(xr.Dataset({"starts": ("sample", [1, -1, -1, 2, -1])}))[0])
    2 of 5 samples are there. Missing: 1 to 2, 4. Start diffdip ensemble again to compute them.
    """
    missing = np.flatnonzero(_missing(dataset).values)
    if not len(missing):
        return []
    blocks = np.split(missing, np.flatnonzero(np.diff(missing) > 1) + 1)
    names = [f"{b[0]} to {b[-1]}" if len(b) > 1 else f"{b[0]}" for b in blocks]
    if len(names) > MOST_NAMED:
        names[MOST_NAMED - 1 :] = [f"and {len(names) - MOST_NAMED + 1} more ranges"]
    total = dataset.sizes["sample"]
    message = (
        f"{total - len(missing)} of {total} samples are there. Missing: {', '.join(names)}. "
        "Start diffdip ensemble again to compute them."
    )
    return [Flag("missing-samples", message)]


def _missing(dataset: "xr.Dataset") -> "xr.DataArray":
    return dataset["starts"] < 0


def run_document(dataset: "xr.Dataset") -> dict[str, Any]:
    """The settings of a run and the quantiles of |A|, |B| and |C| (mT), for JSON."""
    found = {
        f"abs_{name}_mT": {
            **{f"quantile_{p:g}": value for p, value in zip(QUANTILES, values, strict=True)},
            "median_interval_68": list(interval),
        }
        for name, values, interval in _quantiles(dataset)
    }
    number, closest = typical(dataset)
    flags = [*missing_flags(dataset), *unplaced_flags(dataset)]
    return plain(
        {
            **dataset.attrs,
            "n_samples": dataset.sizes["sample"],
            "quantiles": found,
            "mean_dipoles": number,
            "median_closest_nm": closest,
            "flags": [flag.document() for flag in flags],
        }
    )


def quantile_rows(dataset: "xr.Dataset") -> list[tuple[str, ...]]:
    """The name and `QUANTILE_HEADS` of |A|, |B| and |C| of a run, in mT."""
    return [
        (f"|{name}|", *(f"{value:.4g}" for value in values), f"{low:.4g} to {high:.4g}")
        for name, values, (low, high) in _quantiles(dataset)
    ]


def typical(dataset: "xr.Dataset") -> tuple[float, float]:
    """The mean number of dipoles, and the median distance of the closest pair in nm."""
    placed = np.isfinite(dataset["M_A_per_m"].values)
    number = dataset["n_dipoles"].values[placed].mean()
    return float(number), float(np.nanmedian(dataset["closest_nm"].values))


def _quantiles(dataset: "xr.Dataset") -> list[tuple[str, np.ndarray, tuple[float, float]]]:
    """Of |A|, |B| and |C|: the name, its `QUANTILES`, and the interval of the median."""
    from ..statistics.heavy_tails import quantiles

    middle = QUANTILES.index(0.5)
    laws = {name: quantiles(np.abs(dataset[f"{name}_mT"].values), QUANTILES) for name in "ABC"}
    return [(name, law.value, (law.low[middle], law.high[middle])) for name, law in laws.items()]
