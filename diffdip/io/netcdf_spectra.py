"""Datasets of spectra in classic NetCDF files, as `write_spectra` writes them."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from .input_files import short_message
from .sweep import SpectrumError, Sweep, read_bytes


MAGIC = b"CDF"
HDF5 = b"\x89HDF"

NAMES = ("angle", "field", "frequency", "signal")
"""Arrays of a dataset of spectra."""

WRITTEN = "Use a file that diffdip convert wrote"


def is_netcdf(head: bytes) -> bool:
    """Whether a file starts like classic NetCDF, or like NetCDF-4."""
    return head.startswith((MAGIC, HDF5))


def read_netcdf(path: Path) -> tuple[list[Sweep], dict[str, str | float]]:
    """Sweeps and attributes of a dataset. Raises `SpectrumError`."""
    data = read_bytes(path)
    if data.startswith(HDF5):
        raise SpectrumError("NetCDF-4 or HDF5", expected="classic NetCDF", hint=WRITTEN)
    arrays, attributes = _contents(data)
    angle, field, frequency, signal = (arrays[name] for name in NAMES)
    shape = signal.shape
    fits = len(shape) == 2 and signal.size and angle.shape == frequency.shape == shape[:1]
    if not fits or field.shape not in (shape, shape[1:]):
        raise SpectrumError(
            "shapes of the arrays",
            given={name: arrays[name].shape for name in NAMES},
            expected="a signal of angle by field, and the other arrays with the same lengths",
        )
    field = np.broadcast_to(field, shape)
    sweeps = [
        Sweep(float(a), float(nu), b[~np.isnan(b)], s[~np.isnan(b)], path)
        for a, nu, b, s in zip(angle, frequency, field, signal, strict=True)
    ]
    return sweeps, attributes


def _contents(data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str | float]]:
    """The arrays and attributes in these bytes. Raises `SpectrumError`."""
    from scipy.io import netcdf_file

    try:
        with netcdf_file(io.BytesIO(data), mmap=False) as file:
            variables = {str(name): variable for name, variable in file.variables.items()}
            arrays = {n: np.array(variables[n][...], float) for n in NAMES if n in variables}
            attributes = {str(k): _plain(value) for k, value in file._attributes.items()}
    except Exception as error:  # scipy raises many kinds for damaged bytes
        raise SpectrumError(
            f"a damaged NetCDF file ({short_message(error)})", hint="Copy or convert it again"
        ) from None
    missing = [name for name in NAMES if name not in arrays]
    if missing:
        raise SpectrumError(f"no array {missing[0]} in the file", hint=WRITTEN)
    return arrays, {name: value for name, value in attributes.items() if value is not None}


def _plain(value: Any) -> str | float | None:
    """An attribute as text or a number; None for arrays."""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        return value
    return float(value) if np.size(value) == 1 else None
