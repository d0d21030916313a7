"""Durable runs: samples of a model in a zarr store, written batch by batch.

A batch is one chunk of every array, each written to a file of its own that appears complete
or not at all. So a run that was killed, even by SIGKILL, goes on where it stopped and ends with
the same bytes as one that was not. The store is made beside its place and moved there, for the
same reason. Two runs with the same parameters on one store need no lock: each does all the work,
and every file holds the same bytes whichever of them put it there last. Every chunk ends with a
CRC-32C sum.
"""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .writing import OutputError


if TYPE_CHECKING:
    import xarray as xr

    from ..ensembles.models import AbstractModel
    from ..ensembles.simulation import BatchPlan

COLUMNS = {
    "D": ("D", 1.0, "dimensionless tensor of eq. 3"),
    "A": ("A_mT", 1e3, "anisotropy field mu0 M (Dxx + Dyy)"),
    "B": ("B_mT", 1e3, "anisotropy field mu0 M (Dxx - Dyy)"),
    "C": ("C_mT", 1e3, "anisotropy field mu0 M Dxy"),
    "M": ("M_A_per_m", 1.0, "magnetization"),
    "n_dipoles": ("n_dipoles", 1, "number of dipoles"),
    "closest": ("closest_nm", 1.0, "distance of the closest pair"),
    "starts": ("starts", 1, "attempts to place the sample"),
}
"""Name in files, factor from SI and meaning of each array of an `Ensemble`."""

BATCH_LANES = 8
"""Samples to a batch, in units of those that one device computes at once."""

PATIENCE = 30.0
"""Seconds without news after which the first process does what another one left undone."""


QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
QUANTILE_HEADS = ("1 %", "25 %", "median", "75 %", "99 %", "68 % interval of the median")
"""Which quantiles of a run are shown, and the heads of their table."""


class RunError(ValueError):
    """A store that cannot be read or continued. The message is one line and names the path."""


class Run:
    """The store of one run, and which of its batches are there.

    Raises `RunError` where the path holds something else, a run with other parameters, or one
    with a damaged chunk; `OutputError` where it cannot be written.
    """

    def __init__(self, path: Path, plan: "BatchPlan", *, create: bool = True):
        self.path, self.plan = Path(path), plan
        if create and not os.path.lexists(self.path):
            self._create()
        wait_until(self.path.exists, f"{self.path}: no other process made it")
        self._check()

    def missing(self) -> list[int]:
        """The batches not yet written."""
        return [b for b in range(self.plan.count) if not all(p.exists() for p in self._chunks(b))]

    def write(self, batch: int, arrays: dict[str, np.ndarray]) -> None:
        """Write one batch, the same bytes whenever and by whomever it is written."""
        samples = self.plan.samples(batch)
        part = slice(samples.start, samples.stop)
        try:
            group = _zarr().open_group(self.path, mode="r+")
            for name, (column, factor, _) in COLUMNS.items():
                values = arrays[name]
                group[column][part] = values if factor == 1 else values * values.dtype.type(factor)
        except OSError as error:
            raise _not_written(self.path, error) from error

    def _chunks(self, batch: int) -> list[Path]:
        return [chunk_path(self.path, name, batch) for name in COLUMNS]

    def _create(self) -> None:
        zarr = _zarr()
        n, size = self.plan.n_samples, min(self.plan.size, self.plan.n_samples)
        settings = run_settings(self.plan)
        part = self.path.parent / f".{self.path.name}.{uuid.uuid4().hex}.part"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            group = zarr.create_group(part, zarr_format=3, attributes=settings)
            for name, (column, _, meaning) in COLUMNS.items():
                whole = name in ("n_dipoles", "starts")
                inner = (3, 3) if name == "D" else ()
                group.create_array(
                    column,
                    shape=(n, *inner),
                    chunks=(size, *inner),
                    dtype="int32" if whole else settings["dtype"],
                    fill_value=-1 if whole else np.nan,
                    compressors=[zarr.codecs.ZstdCodec(level=3), zarr.codecs.Crc32cCodec()],
                    dimension_names=("sample", "row", "column")[: 1 + len(inner)],
                    attributes={"long_name": meaning},
                    config={"write_empty_chunks": True},
                )
            os.rename(part, self.path)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            if not os.path.lexists(self.path):  # else another run was faster
                raise _not_written(self.path, error) from error

    def _check(self) -> None:
        found, wanted = read_settings(self.path), run_settings(self.plan)
        for name, value in _flat(wanted).items():
            if _flat(found).get(name) != value:
                raise RunError(
                    f"{self.path}: a run with {name} = {_flat(found).get(name)}, not {value}: give "
                    "the same parameters to go on with it, or another --out"
                )
        arrays = _open_arrays(self.path, found)
        for batch in sorted(set(range(self.plan.count)) - set(self.missing())):
            _read_batch(arrays, self.path, self.plan.samples(batch), batch)


def simulate_to(
    path: Path,
    plan: "BatchPlan",
    *,
    process: int = 0,
    processes: int = 1,
    advance: Callable[[int], None] = lambda samples: None,
) -> None:
    """Compute what a run lacks and write it batch by batch; `advance` hears of samples done.

    With several processes, each on the same `path`, process p takes the batches b with
    b mod `processes` = p. The first one makes the store, stays until all is there, and does what
    others left undone when nothing new came for a while.
    """
    run = Run(path, plan, create=process == 0)
    missing = run.missing()
    advance(plan.n_samples - sum(len(plan.samples(batch)) for batch in missing))
    mine = [batch for batch in missing if batch % processes == process]
    for batch, arrays in plan.run(mine):
        run.write(batch, arrays)
        advance(len(plan.samples(batch)))
    if process or processes == 1:
        return
    others = set(missing) - set(mine)
    heard = time.monotonic()
    while others:
        done = others - set(run.missing())
        for batch in done:
            advance(len(plan.samples(batch)))
        others -= done
        if done:
            heard = time.monotonic()
        elif time.monotonic() - heard > PATIENCE:
            for batch, arrays in plan.run([min(others)]):
                run.write(batch, arrays)
        else:
            time.sleep(0.2)


def default_batch(model: "AbstractModel", path: Path) -> int:
    """Samples to a batch: those of the run where there is one, else what takes about a second."""
    from ..ensembles.simulation import lanes_on

    if Path(path).exists():
        return read_settings(path)["batch_size"]
    return BATCH_LANES * lanes_on(model)


def run_settings(plan: "BatchPlan") -> dict[str, Any]:
    """Everything that the bytes of a run depend on."""
    return plan.settings() | {"batch_size": plan.size}


def read_settings(path: Path) -> dict[str, Any]:
    """How a run was made. Raises `RunError` for anything that is not a run."""
    path = Path(path)
    if not path.exists():
        raise RunError(f"{path}: no such run")
    try:
        settings = json.loads((path / "zarr.json").read_text())["attributes"]
        if not {"diffdip", "model", "seed", "dtype", "n_samples", "batch_size"} <= settings.keys():
            raise KeyError
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{path}: not a run of diffdip ensemble") from error
    for name in ("n_samples", "batch_size"):
        if type(settings[name]) is not int or settings[name] < 1:
            where = path / "zarr.json"
            raise RunError(f"{where}: {name} = {settings[name]}, expected a whole number above 0")
    if settings["dtype"] not in ("float32", "float64"):
        raise RunError(f"{path / 'zarr.json'}: dtype = {settings['dtype']}, expected float32 or 64")
    return settings


def read_run(path: Path, *, damaged: str = "raise") -> "xr.Dataset":
    """A run as an `xarray.Dataset`: arrays by `sample`, settings as attributes.

    Samples not there yet are NaN (-1 for whole numbers); `ds.attrs["complete"]` counts the others.
    A damaged chunk raises `RunError`, or with `damaged="drop"` reads as not there.
    """
    import xarray as xr

    settings = read_settings(path)
    n, size = settings["n_samples"], settings["batch_size"]
    parts, complete = [], 0
    arrays = _open_arrays(path, settings)
    for batch in range(-(-n // size)):
        samples = range(batch * size, min((batch + 1) * size, n))
        there = all(chunk_path(path, name, batch).exists() for name in COLUMNS)
        try:
            parts.append(_read_batch(arrays, path, samples, batch))
            complete += len(samples) if there else 0
        except RunError:
            if damaged != "drop":
                raise
            parts.append(_nothing(len(samples), settings["dtype"]))
    variables = {}
    for column, _, meaning in COLUMNS.values():
        values = np.concatenate([part[column] for part in parts])
        dimensions = ("sample", "row", "column")[: values.ndim]
        variables[column] = (dimensions, values, {"long_name": meaning})
    return xr.Dataset(variables, attrs=settings | {"complete": complete})


def export_run(path: Path, target: Path) -> None:
    """Write a run as CSV (one row a sample) or NetCDF, by the ending of `target`.

    NetCDF is of the classic kind with 64-bit offsets, which MATLAB, Origin and Panoply open;
    settings are JSON text in the attribute `settings`. Raises `RunError` and `OutputError`.
    """
    from .writing import write_files

    target = Path(target)
    if target.suffix not in (".csv", ".nc"):
        raise OutputError(f"{target}: expected a name that ends in .csv or .nc")
    dataset = read_run(path)
    settings = json.dumps(dataset.attrs, ensure_ascii=True)
    if target.suffix == ".csv":
        table = dataset.drop_vars("D").to_dataframe()
        rows, columns = np.triu_indices(3)
        for row, column in zip(rows, columns, strict=True):
            table[f"D{'xyz'[row]}{'xyz'[column]}"] = dataset["D"].values[:, row, column]
        content = f"# {settings}\n{table.to_csv(lineterminator=chr(10))}".encode()
    else:
        dataset.attrs = {"settings": settings, "complete": dataset.attrs["complete"]}
        content = bytes(dataset.to_netcdf(None, engine="scipy", format="NETCDF3_64BIT"))
    write_files(target.parent, {target.name: content})


def quantile_rows(dataset: "xr.Dataset") -> list[tuple[str, ...]]:
    """Name and `QUANTILE_HEADS` of |A|, |B| and |C| of a run, in mT."""
    from ..statistics.heavy_tails import quantiles

    rows = []
    for name in "ABC":
        found = quantiles(np.abs(dataset[f"{name}_mT"].values), QUANTILES)
        middle = QUANTILES.index(0.5)
        interval = f"{found.low[middle]:.4g} to {found.high[middle]:.4g}"
        rows.append((f"|{name}|", *(f"{value:.4g}" for value in found.value), interval))
    return rows


def chunk_path(path: Path, name: str, batch: int) -> Path:
    """The file of one batch of one array (by its name in an `Ensemble`)."""
    return Path(path) / COLUMNS[name][0] / "c" / str(batch) / ("0/0" if name == "D" else "")


def wait_until(ready: Callable[[], bool], otherwise: str, seconds: float = 60.0) -> None:
    """Wait for another process; `RunError` where it does not come."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise RunError(otherwise)
        time.sleep(0.1)


def _open_arrays(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The arrays of a store by column, each of the shape and chunks that its settings give."""
    group = _zarr().open_group(path, mode="r")
    n, size = settings["n_samples"], min(settings["batch_size"], settings["n_samples"])
    arrays = {}
    for name, (column, _, _) in COLUMNS.items():
        inner = (3, 3) if name == "D" else ()
        try:
            array = arrays[column] = group[column]
            if (array.shape, array.chunks) != ((n, *inner), (size, *inner)):
                raise ValueError
        except Exception as error:  # whatever a reader makes of damaged text
            raise RunError(
                f"{path / column / 'zarr.json'}: does not describe an array of {n} samples in "
                f"batches of {size}: this run cannot be read"
            ) from error
    return arrays


def _read_batch(
    arrays: dict[str, Any], path: Path, samples: range, batch: int
) -> dict[str, np.ndarray]:
    part = slice(samples.start, samples.stop)
    read = {}
    for name, (column, _, _) in COLUMNS.items():
        try:
            read[column] = np.asarray(arrays[column][part])
        except Exception as error:  # whatever a codec makes of damaged bytes
            where = chunk_path(path, name, batch)
            raise RunError(
                f"{where}: damaged, samples {part.start} to {part.stop - 1} cannot be read: delete "
                "this file and start the run again to compute them anew"
            ) from error
    return read


def _nothing(count: int, dtype: str) -> dict[str, np.ndarray]:
    return {
        column: np.full(count, -1, "int32")
        if name in ("n_dipoles", "starts")
        else np.full((count, 3, 3) if name == "D" else count, np.nan, dtype)
        for name, (column, _, _) in COLUMNS.items()
    }


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _not_written(path: Path, error: OSError) -> OutputError:
    where = error.filename or path
    return OutputError(f"{where}: cannot be written: {error.strerror or error}")


def _zarr() -> Any:
    import zarr
    import zarr.codecs

    return zarr
