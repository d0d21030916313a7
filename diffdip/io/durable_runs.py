"""Durable runs: samples of a model in a zarr store, written batch by batch.

A batch is one chunk of every array. Each chunk is a separate file that appears complete or not
at all, and ends with a CRC-32C checksum. So an interrupted run, even one ended by SIGKILL, resumes
and gives byte-identical output. For the same reason the store is created under a temporary name and
then renamed. Two runs with the same parameters on one store need no lock: each does all the work,
and both write the same bytes into every file.
"""

import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np

from ..foundation.errors import InputError, shown_value
from .writing import OutputError


if TYPE_CHECKING:
    import xarray as xr

    from ..ensembles.models import AbstractModel
    from ..ensembles.simulation import BatchPlan


class Column(NamedTuple):
    """How one array of an `Ensemble` is stored.

    Args:
        name: In files, with the unit.
        meaning: One phrase.
        factor: From SI to the unit in files.
        whole: Whether the values are whole numbers.
        inner: Shape of the value of one sample.
    """

    name: str
    meaning: str
    factor: float = 1.0
    whole: bool = False
    inner: tuple[int, ...] = ()

    @property
    def missing(self) -> float | int:
        """What stands for a missing sample."""
        return -1 if self.whole else np.nan

    def dtype(self, of_floats: str) -> str:
        """The dtype in files, in a run whose floats have the given one."""
        return "int32" if self.whole else of_floats

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the axes."""
        return ("sample", "row", "column")[: 1 + len(self.inner)]


COLUMNS = {
    "D": Column("D", "dimensionless tensor of eq. 3", inner=(3, 3)),
    "A": Column("A_mT", "anisotropy field mu0 M (Dxx + Dyy)", 1e3),
    "B": Column("B_mT", "anisotropy field mu0 M (Dxx - Dyy)", 1e3),
    "C": Column("C_mT", "anisotropy field mu0 M Dxy", 1e3),
    "M": Column("M_A_per_m", "magnetization"),
    "n_dipoles": Column("n_dipoles", "number of dipoles", whole=True),
    "closest": Column("closest_nm", "distance of the closest pair"),
    "starts": Column("starts", "attempts to place the sample", whole=True),
}
"""The column of each array of an `Ensemble`, by the name of the array."""

BATCH_LANES = 8
"""Samples in a batch, in units of the samples that one device computes at once."""

PATIENCE = 30.0
"""Seconds without a new batch after which the first process does the work of the others."""

STORE_PATIENCE = 60.0
"""Seconds that the other processes wait for the first one to make the store."""


class RunError(InputError):
    """A store that cannot be read or resumed. `where` names its path."""


class Run:
    """The store of one run.

    Args:
        path: Of the store, a folder.
        plan: The model, the samples and the batches of the run.
        create: Make the store if it does not exist. Otherwise wait for another process to make it.

    Raises:
        RunError: If the path holds something else, a run with other parameters, or a damaged chunk.
        OutputError: If the store cannot be written.
    """

    def __init__(self, path: Path, plan: "BatchPlan", *, create: bool = True):
        self.path, self.plan = Path(path), plan
        if create and not os.path.lexists(self.path):
            self._create()
        self._wait()
        self._check()

    def missing(self) -> list[int]:
        """The batches that are not written yet."""
        return [b for b in range(self.plan.count) if not all(p.exists() for p in self._chunks(b))]

    def write(self, batch: int, arrays: dict[str, np.ndarray]) -> None:
        """Write one batch. Its bytes do not depend on the process or the time."""
        samples = self.plan.samples(batch)
        part = slice(samples.start, samples.stop)
        try:
            group = _zarr().open_group(self.path, mode="r+")
            for name, column in COLUMNS.items():
                values = arrays[name]
                if column.factor != 1:
                    values = values * values.dtype.type(column.factor)
                group[column.name][part] = values
        except OSError as error:
            raise _not_written(self.path, error) from error

    def _chunks(self, batch: int) -> list[Path]:
        """The files of a batch."""
        return [chunk_path(self.path, name, batch) for name in COLUMNS]

    def _wait(self) -> None:
        """Wait for the process that makes the store."""
        end = time.monotonic() + STORE_PATIENCE
        while not self.path.exists():
            if time.monotonic() > end:
                raise RunError(
                    "no store",
                    expected=f"the first process to make it within {STORE_PATIENCE:g} seconds",
                    hint="Start the process of index 0 as well",
                    where=(str(self.path),),
                )
            time.sleep(0.1)

    def _create(self) -> None:
        """Make an empty store."""
        zarr = _zarr()
        n, size = self.plan.n_samples, min(self.plan.size, self.plan.n_samples)
        settings = run_settings(self.plan)
        part = self.path.parent / f".{self.path.name}.{uuid.uuid4().hex}.part"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            group = zarr.create_group(part, zarr_format=3, attributes=settings)
            for column in COLUMNS.values():
                group.create_array(
                    column.name,
                    shape=(n, *column.inner),
                    chunks=(size, *column.inner),
                    dtype=column.dtype(settings["dtype"]),
                    fill_value=column.missing,
                    compressors=[zarr.codecs.ZstdCodec(level=3), zarr.codecs.Crc32cCodec()],
                    dimension_names=column.dimensions,
                    attributes={"long_name": column.meaning},
                    config={"write_empty_chunks": True},
                )
            os.rename(part, self.path)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            if not os.path.lexists(self.path):  # otherwise another run was faster
                raise _not_written(self.path, error) from error

    def _check(self) -> None:
        """Refuse a run with other settings or with a damaged chunk."""
        found, wanted = read_settings(self.path), run_settings(self.plan)
        stored = _flat(found)
        for name, value in _flat(wanted).items():
            if stored.get(name) != value:
                text = shown_value(stored.get(name)).replace("{", "{{").replace("}", "}}")
                raise RunError(
                    name.removeprefix("model."),
                    given=value,
                    expected=f"{text}, as in the run that is stored there",
                    hint="Use the same parameters to resume that run, or write to another place",
                    where=(str(self.path),),
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
    """Compute the batches that a run lacks and write them one by one.

    If several processes work on one `path`, process p computes the batches b with
    b mod `processes` = p. The first process makes the store and stays until all batches are
    written. If no new batch appears for `PATIENCE` seconds, it computes those of the others.

    Args:
        path: Of the store.
        plan: The run.
        process: Index of this process.
        processes: Number of processes.
        advance: Is called with the number of samples done since the last call.

    Raises:
        RunError: If the path holds something else, a run with other parameters, or a damaged chunk.
        OutputError: If the store cannot be written.
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
    """Samples in a batch: those of the stored run, or as many as take about a second."""
    from ..ensembles.simulation import lanes_on

    if Path(path).exists():
        return read_settings(path)["batch_size"]
    return BATCH_LANES * lanes_on(model)


def run_settings(plan: "BatchPlan") -> dict[str, Any]:
    """Everything that the bytes of a run depend on."""
    return plan.settings() | {"batch_size": plan.size}


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a stored run. Raises `RunError` for anything that is not a run."""
    path = Path(path)
    if not path.exists():
        raise RunError("no such run", hint="Write one with diffdip ensemble", where=(str(path),))
    file = path / "zarr.json"
    try:
        settings = json.loads(file.read_text())["attributes"]
        if not {"diffdip", "model", "seed", "dtype", "n_samples", "batch_size"} <= settings.keys():
            raise KeyError
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            "not a run", expected="a store written by diffdip ensemble", where=(str(path),)
        ) from error
    for name in ("n_samples", "batch_size"):
        # not isinstance: True is an int in Python
        if type(settings[name]) is not int or settings[name] < 1:
            _refuse_setting(file, name, settings[name], "a whole number above 0")
    if settings["dtype"] not in ("float32", "float64"):
        _refuse_setting(file, "dtype", settings["dtype"], "'float32' or 'float64'")
    return settings


def _refuse_setting(file: Path, name: str, value: Any, expected: str) -> NoReturn:
    """Refuse a stored setting that no run has."""
    raise RunError(f"setting {name}", given=value, expected=expected, where=(str(file),))


def read_run(path: Path, *, damaged: str = "raise") -> "xr.Dataset":
    """A run as an `xarray.Dataset`: arrays by `sample`, with the settings as attributes.

    Args:
        path: Of the store.
        damaged: "raise", or "drop" to treat the samples of a damaged chunk as missing.

    Returns:
        Missing samples are NaN, or -1 for whole numbers. The attribute `complete` is the number of
        the other samples.

    Raises:
        RunError: For anything that is not a run, and for a damaged chunk unless it is dropped.
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
    for column in COLUMNS.values():
        values = np.concatenate([part[column.name] for part in parts])
        variables[column.name] = (column.dimensions, values, {"long_name": column.meaning})
    return xr.Dataset(variables, attrs=settings | {"complete": complete})


def chunk_path(path: Path, name: str, batch: int) -> Path:
    """The file of one batch of one array (by its name in an `Ensemble`)."""
    column = COLUMNS[name]
    return Path(path, column.name, "c", str(batch), *("0" for _ in column.inner))


def _open_arrays(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The arrays of a store by column. Their shapes and chunks must agree with the settings."""
    group = _zarr().open_group(path, mode="r")
    n, size = settings["n_samples"], min(settings["batch_size"], settings["n_samples"])
    arrays = {}
    for column in COLUMNS.values():
        try:
            array = arrays[column.name] = group[column.name]
            if (array.shape, array.chunks) != ((n, *column.inner), (size, *column.inner)):
                raise ValueError
        except Exception as error:  # a reader of damaged text may raise anything
            raise RunError(
                "damaged description",
                expected=f"an array of {n} samples in batches of {size}",
                hint="Start the run again in another place",
                where=(str(path / column.name / "zarr.json"),),
            ) from error
    return arrays


def _read_batch(
    arrays: dict[str, Any], path: Path, samples: range, batch: int
) -> dict[str, np.ndarray]:
    """One batch by column. Raises `RunError` for a damaged chunk."""
    part = slice(samples.start, samples.stop)
    read = {}
    for name, column in COLUMNS.items():
        try:
            read[column.name] = np.asarray(arrays[column.name][part])
        except Exception as error:  # a codec may raise anything for damaged bytes
            raise RunError(
                f"damaged: samples {part.start} to {part.stop - 1} cannot be read",
                hint="Delete this file and start the run again to compute them once more",
                where=(str(chunk_path(path, name, batch)),),
            ) from error
    return read


def _nothing(count: int, dtype: str) -> dict[str, np.ndarray]:
    """The values that stand for missing samples, by column."""
    return {
        column.name: np.full((count, *column.inner), column.missing, column.dtype(dtype))
        for column in COLUMNS.values()
    }


def _flat(settings: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Settings without nesting, named such as "model.density"."""
    flat = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _not_written(path: Path, error: OSError) -> OutputError:
    """The error for a store that cannot be written."""
    where = error.filename or path
    return OutputError(f"{where}: cannot be written: {error.strerror or error}")


def _zarr() -> Any:
    """Zarr with its codecs, which take long to import."""
    import zarr
    import zarr.codecs

    return zarr
