"""Datasets of spectra in NetCDF: the classic kind, as `write_spectra` writes it, and NetCDF-4."""

import io
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from .column_meanings import unit_scale
from .hdf5_guards import DAMAGED, LimitedBytes, guard_attributes
from .input_files import inside, short_message
from .sweep import SpectrumError, Sweep, read_bytes
from .unlabelled_angles import check_degrees


MAGIC = b"CDF"
HDF5 = b"\x89HDF"

NAMES = ("angle", "field", "frequency", "signal")
"""Arrays of a dataset of spectra."""

IN_FILES = {"angle": np.pi / 180, "field": 1e-3, "frequency": 1e9}
"""Units that arrays have where they state none, in SI units."""

ASSUMED = {"angle": "degrees", "field": "mT", "frequency": "GHz"}
"""These units, in words."""

MAX_VALUES = 50_000_000
"""Larger arrays are refused before they are read."""

DEFLATED = 1032
"""Bytes at most that one byte of deflated data unpacks to (M. Adler, zlib)."""

PACKED = ("scale_factor", "add_offset")
"""Attributes of values that are not stored as they are."""

MISSING = ("_FillValue", "missing_value")
"""Attributes with the number that stands for a missing value."""

WRITTEN = "Use a file that diffdip convert wrote"

Contents = tuple[dict[str, np.ndarray], dict[str, str], dict[str, str | float]]
"""Arrays and their units by name, and attributes."""


def is_netcdf(head: bytes) -> bool:
    """Whether a file starts like classic NetCDF, or like NetCDF-4."""
    return head.startswith((MAGIC, HDF5))


def read_netcdf(path: Path) -> tuple[list[Sweep], dict[str, str | float]]:
    """Sweeps and attributes of a dataset. Raises `SpectrumError`."""
    data = read_bytes(path)
    arrays, units, attributes = _contents(data)
    angle, field, frequency, signal = (arrays[name] for name in NAMES)
    shape = signal.shape
    fits = len(shape) == 2 and signal.size and angle.shape == frequency.shape == shape[:1]
    if not fits or field.shape not in (shape, shape[1:]):
        raise SpectrumError(
            "shapes of the arrays",
            given={name: arrays[name].shape for name in NAMES},
            expected="a signal of angle by field, and the other arrays with the same lengths",
        )
    if not units.get("angle"):
        check_degrees("array angle", angle[~np.isnan(angle)])
    notes = tuple(
        f"array {name} has no unit: {unit} are assumed"
        for name, unit in ASSUMED.items()
        if not units.get(name) and not np.isnan(arrays[name]).all()
    )
    angle, field, frequency = (
        arrays[name] * _scale(name, units.get(name, "")) for name in IN_FILES
    )
    field = np.broadcast_to(field, shape)
    direction = arrays.get("direction", np.ones(len(angle)))
    if direction.shape != angle.shape:
        direction = np.ones(len(angle))
    sweeps = [
        Sweep(
            None if np.isnan(a) else float(a),
            float(nu),
            b[~np.isnan(b)],
            s[~np.isnan(b)],
            path,
            angle_from="axis angle",
            axis="field [mT]",
            direction=-1 if d < 0 else 1,
            notes=notes,
        )
        for a, nu, b, s, d in zip(angle, frequency, field, signal, direction, strict=True)
    ]
    return sweeps, attributes


def _scale(name: str, unit: str) -> float:
    """Degrees, mT or GHz by the unit of an array; 1 where it states none. Raises `InputError`."""
    if not unit:
        return 1.0
    scale = unit_scale(f"array {name}", name, unit) / IN_FILES[name]
    return float(f"{scale:.15g}")


def _contents(data: bytes) -> Contents:
    """What a file of either kind has. Raises `SpectrumError`."""
    try:
        found = _hdf5(data) if data.startswith(HDF5) else _classic(data)
    except SpectrumError:
        raise
    except Exception as error:  # both libraries raise many kinds for damaged bytes
        raise SpectrumError(
            f"a damaged NetCDF file ({short_message(error)})", hint="Copy or convert it again"
        ) from None
    missing = [name for name in NAMES if name not in found[0]]
    if missing:
        raise SpectrumError(f"no array {missing[0]} in the file", hint=WRITTEN)
    return found


def _classic(data: bytes) -> Contents:
    from scipy.io import netcdf_file

    with netcdf_file(io.BytesIO(data), mmap=False) as file:
        variables = {str(name): variable for name, variable in file.variables.items()}
        used = [name for name in (*NAMES, "direction") if name in variables]
        arrays = {name: np.array(variables[name][...], float) for name in used}
        own = {name: variables[name]._attributes for name in used}
        dimensions = {name: tuple(map(str, variables[name].dimensions)) for name in used}
        units = _units(own)
        return _ordered(arrays, own, dimensions), units, _texts(file._attributes)


def _hdf5(data: bytes) -> Contents:
    import h5netcdf

    class File(h5netcdf.File):
        _writable = False  # a file that is refused while it opens is closed without complaint

    guard_attributes()
    # pyfive is Python: damaged bytes cannot end the process, and it opens no other file
    # it warns of attributes of kinds that it does not know
    with (
        warnings.catch_warnings(action="ignore"),
        File(LimitedBytes(data), "r", backend="pyfive", phony_dims="access") as file,
    ):
        used = [name for name in (*NAMES, "direction") if name in file.variables]
        arrays, own, dimensions = {}, {}, {}
        for name in used:
            with inside(f"array {name}"):
                variable = file.variables[name]
                _check_size(variable, len(data))
                arrays[name] = np.array(variable[...], float)
                own[name] = dict(variable.attrs)
                dimensions[name] = tuple(map(str, variable.dimensions))
        units = _units(own)
        return _ordered(arrays, own, dimensions), units, _texts(dict(file.attrs))


def _ordered(
    arrays: dict[str, np.ndarray], own: dict[str, Any], dimensions: dict[str, tuple[str, ...]]
) -> dict[str, np.ndarray]:
    """The arrays, those of field by angle transposed. Raises `SpectrumError` for missing values."""
    for name, array in arrays.items():
        for attribute in MISSING:
            try:
                mark = np.asarray(own[name].get(attribute, np.nan), float)
            except (TypeError, ValueError):  # a word
                continue
            if count := int(np.isin(array, mark).sum()):
                raise SpectrumError(
                    f"array {name} has {count} missing values, marked by {attribute}",
                    expected="numbers, and NaN after the end of a shorter sweep",
                )
    ends = [dimensions.get(name, ())[-1:] for name in ("field", "angle")]
    turned = ends[0] + ends[1]
    return {
        name: array.T if array.ndim == 2 and dimensions[name] == turned else array
        for name, array in arrays.items()
    }


def _check_size(variable: Any, file_bytes: int) -> None:
    """Raise `SpectrumError` for values that need much more memory than the file has bytes."""
    dataset = variable._h5ds
    # that of the dimensions may differ in a damaged file
    count = int(max(np.prod(shape, dtype=float) for shape in (variable.shape, dataset.shape)))
    if variable.dtype.kind not in "fiu" or not 0 <= count <= MAX_VALUES:
        raise SpectrumError(
            f"{count} values of type {variable.dtype}", expected=f"numbers, up to {MAX_VALUES}"
        )
    # values that are declared and not stored would be filled in
    most = file_bytes * (DEFLATED if dataset.chunks and dataset.compression else 1)
    if count * variable.dtype.itemsize > most:
        raise SpectrumError(
            f"{count} values of {variable.dtype} in a file of {file_bytes} bytes",
            expected="values that the file has",
            hint=DAMAGED,
        )
    if not dataset.chunks:
        return
    size = int(np.prod(dataset.chunks, dtype=float)) * variable.dtype.itemsize
    if size > 8 * MAX_VALUES or dataset.compression not in (None, "gzip"):
        raise SpectrumError(
            f"blocks of {size} bytes, compression {dataset.compression}",
            expected="small blocks, with gzip or without compression",
        )
    declared = int(np.prod(np.ceil(np.divide(dataset.shape, dataset.chunks))))
    if (blocks := dataset.id.get_num_chunks()) != declared:
        raise SpectrumError(
            f"{blocks} of {declared} blocks of values are stored",
            expected="all of them",
            hint="Write all values, or copy the file again if it was damaged",
        )
    if not dataset.compression:
        return
    for i in range(blocks):
        _, packed = dataset.id.read_direct_chunk(dataset.id.get_chunk_info(i).chunk_offset)
        if len(zlib.decompressobj().decompress(packed, size + 5)) > size + 4:  # with a checksum
            raise SpectrumError(f"block {i} is larger than {size} bytes", expected="a sound file")


def _units(own: dict[str, Any]) -> dict[str, str]:
    """The unit of each array that states one. Raises `SpectrumError` for packed values."""
    for name, attributes in own.items():
        packed = [one for one in PACKED if one in attributes]
        if str(_plain(attributes.get("_Unsigned", ""))).casefold() == "true":
            packed.append("_Unsigned")
        if packed:
            raise SpectrumError(f"array {name} has {packed[0]}", expected="values as they are")
    stated = {name: one["units"] for name, one in own.items() if "units" in one}
    units = {name: _plain(value) for name, value in stated.items()}
    for name, unit in units.items():
        if not isinstance(unit, str):
            raise SpectrumError(f"unit of array {name}", given=unit, expected="text, such as mT")
    return {name: str(unit) for name, unit in units.items()}


def _texts(attributes: Any) -> dict[str, str | float]:
    """The attributes that are text or a number."""
    found = {str(name): _plain(value) for name, value in attributes.items()}
    return {name: value for name, value in found.items() if value is not None}


def _plain(value: Any) -> str | float | None:
    """An attribute as text or a number; None for arrays."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        return value
    if np.size(value) != 1:
        return None
    one = np.asarray(value).item()
    if isinstance(one, str | bytes):
        return _plain(one)
    return float(one) if isinstance(one, int | float) else None
