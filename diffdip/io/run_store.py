"""The store of a run: a zarr group with one array for each quantity, one chunk for each batch.

A chunk is a file of its own, ends with a CRC-32C checksum, and always holds a whole batch: the
last one also holds samples beyond the end of the arrays, which no reader shows. So the bytes of a
chunk depend neither on the number of samples nor on the process that wrote them, and a run can be
continued with more samples.
"""

import json
import os
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, NoReturn

import numpy as np

from ..foundation.errors import InputError
from ..foundation.interruption import remove, undivided, unfinished


if TYPE_CHECKING:
    import xarray as xr


LAYOUT: Final = 1
"""The number of this layout of files; newer programs may have others."""

ZARR_FORMAT: Final = 3


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


class RunError(InputError):
    """A store that cannot be read or resumed. `where` names its path."""


def read_settings(path: Path) -> dict[str, Any]:
    """The settings of a stored run. Raises `RunError` for anything that is not a run."""
    path = Path(path)
    if not path.exists():
        raise RunError("no such run", hint="Write one with diffdip ensemble", where=(str(path),))
    file = path / "zarr.json"
    try:
        document = json.loads(file.read_text())
        settings = document["attributes"]
        if not {"diffdip", "model", "seed", "dtype", "n_samples", "batch_size"} <= settings.keys():
            raise KeyError
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(
            "not a run", expected="a store written by diffdip ensemble", where=(str(path),)
        ) from error
    layout = settings.get("layout", 0)
    if (document.get("zarr_format"), type(layout)) != (ZARR_FORMAT, int) or layout > LAYOUT:
        raise RunError(
            "a store of a newer diffdip",
            given=settings["diffdip"],
            expected=f"layout {LAYOUT} in zarr format {ZARR_FORMAT}",
            hint="Install the newer version to read it",
            where=(str(path),),
        )
    if layout < LAYOUT and type(settings["n_samples"]) is type(settings["batch_size"]) is int:
        settings["batch_size"] = min(settings["n_samples"], settings["batch_size"])
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


def write_descriptions(path: Path, settings: dict[str, Any], *, extend: bool) -> None:
    """Make an empty store, or change the number of samples of the one that is there.

    A process that is killed in between leaves the settings as they were, or no store.

    Raises:
        OSError: If it cannot be written, or, unless it is extended, if there is one already.
    """
    zarr = _zarr()
    n, size = settings["n_samples"], settings["batch_size"]
    part = path.parent / f".{uuid.uuid4().hex}.part"
    with undivided(), unfinished(part):
        path.parent.mkdir(parents=True, exist_ok=True)
        group = zarr.create_group(part, zarr_format=ZARR_FORMAT, attributes=settings)
        for column in COLUMNS.values():
            group.create_array(
                column.name,
                shape=(n, *column.inner),
                dimension_names=column.dimensions,
                attributes={"long_name": column.meaning},
                **_coding(column, settings["dtype"], size),
            )
        if not extend:
            os.rename(part, path)
            return
        # the settings last: until then they say how many samples there are
        for name in [*(column.name for column in COLUMNS.values()), ""]:
            os.replace(part / name / "zarr.json", path / name / "zarr.json")
        remove({str(part)})


def write_batch(
    path: Path, batch: int, arrays: dict[str, np.ndarray], settings: dict[str, Any]
) -> None:
    """Write a whole batch, with the arrays of an `Ensemble` in SI units. Raises `OSError`."""
    size, dtype = settings["batch_size"], settings["dtype"]
    chunks = {}
    for name, column in COLUMNS.items():
        values = arrays[name]
        if column.factor != 1:
            values = values * values.dtype.type(column.factor)
        chunks[chunk_path(path, name, batch)] = _chunk(column, values, dtype, size)
    parts = {file.with_name(f".{uuid.uuid4().hex}.part"): file for file in chunks}
    with undivided(), unfinished(*parts):
        for part, file in parts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(chunks[file])
            os.replace(part, file)


def _chunk(column: Column, values: np.ndarray, dtype: str, size: int) -> bytes:
    """The bytes of one chunk, as zarr writes it."""
    files: dict[str, Any] = {}
    store = _zarr().storage.MemoryStore(files)
    coding = _coding(column, dtype, size)
    array = _zarr().create_array(store, shape=coding["chunks"], **coding)
    array[:] = values
    [chunk] = [data.to_bytes() for name, data in files.items() if name.startswith("c/")]
    return chunk


def _coding(column: Column, dtype: str, size: int) -> dict[str, Any]:
    """How a column is divided and encoded, as zarr's arguments."""
    codecs = _zarr().codecs
    return {
        "chunks": (size, *column.inner),
        "dtype": column.dtype(dtype),
        "fill_value": column.missing,
        "compressors": [codecs.ZstdCodec(level=3), codecs.Crc32cCodec()],
        "config": {"write_empty_chunks": True},
    }


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
    arrays = open_arrays(path, settings)
    for batch in range(-(-n // size)):
        samples = range(batch * size, min((batch + 1) * size, n))
        try:
            part = read_batch(arrays, path, samples, batch) if is_written(path, batch) else None
        except RunError:
            if damaged != "drop":
                raise
            part = None
        complete += 0 if part is None else len(samples)
        parts.append(_nothing(len(samples), settings["dtype"]) if part is None else part)
    variables = {}
    for column in COLUMNS.values():
        values = np.concatenate([part[column.name] for part in parts])
        variables[column.name] = (column.dimensions, values, {"long_name": column.meaning})
    return xr.Dataset(variables, attrs=settings | {"complete": complete})


def is_written(path: Path, batch: int) -> bool:
    """Whether a batch has all its chunks."""
    return all(chunk_path(path, name, batch).exists() for name in COLUMNS)


def chunk_path(path: Path, name: str, batch: int) -> Path:
    """The file of one batch of one array (by its name in an `Ensemble`)."""
    column = COLUMNS[name]
    return Path(path, column.name, "c", str(batch), *("0" for _ in column.inner))


def open_arrays(path: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """The arrays of a store by column. Their shapes and chunks must agree with the settings."""
    n, size = settings["n_samples"], settings["batch_size"]
    arrays = {}
    for column in COLUMNS.values():
        try:
            array = arrays[column.name] = _zarr().open_array(path / column.name, mode="r")
            # they are longer while another process adds samples
            wrong = array.shape[0] < n or array.shape[1:] != column.inner
            if wrong or array.chunks != (size, *column.inner):
                raise ValueError
        except Exception as error:  # a reader of damaged text may raise anything
            raise RunError(
                "damaged description",
                expected=f"an array of {n} samples in batches of {size}",
                hint="Start the run again in another place",
                where=(str(path / column.name / "zarr.json"),),
            ) from error
    return arrays


def read_batch(
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
                hint="Start the run again with {repair} to compute them once more",
                where=(str(chunk_path(path, name, batch)),),
            ) from error
    return read


def _nothing(count: int, dtype: str) -> dict[str, np.ndarray]:
    """The values that stand for missing samples, by column."""
    return {
        column.name: np.full((count, *column.inner), column.missing, column.dtype(dtype))
        for column in COLUMNS.values()
    }


def _zarr() -> Any:
    """Zarr with its codecs, which take long to import."""
    import zarr
    import zarr.codecs
    import zarr.storage

    return zarr
