"""Datasets of spectra in NetCDF files of the classic kind, as `write_spectra` makes them."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from .sweep import SpectrumError, Sweep, read_bytes


MAGIC = b"CDF"
HDF5 = b"\x89HDF"

NAMES = ("angle", "field", "frequency", "signal")


def is_netcdf(head: bytes) -> bool:
    """Whether a file begins as NetCDF does, of the classic kind or the later one."""
    return head.startswith((MAGIC, HDF5))


def read_netcdf(path: Path) -> tuple[list[Sweep], dict[str, str | float]]:
    """Sweeps and attributes of a dataset. Raises `SpectrumError` for what is damaged or no such."""
    data = read_bytes(path)
    if data.startswith(HDF5):
        raise SpectrumError(f"{path}: NetCDF-4 or HDF5; expected NetCDF of the classic kind")
    arrays, attributes = _contents(path, data)
    angle, field, frequency, signal = (arrays[name] for name in NAMES)
    shapes = ", ".join(f"{name} {arrays[name].shape}" for name in NAMES)
    shape = signal.shape
    fits = len(shape) == 2 and signal.size and angle.shape == frequency.shape == shape[:1]
    if not fits or field.shape not in (shape, shape[1:]):
        raise SpectrumError(f"{path}: {shapes}: expected a signal of angle by field, and these")
    field = np.broadcast_to(field, shape)
    sweeps = [
        Sweep(float(a), float(nu), b[~np.isnan(b)], s[~np.isnan(b)], path)
        for a, nu, b, s in zip(angle, frequency, field, signal, strict=True)
    ]
    return sweeps, attributes


def _contents(path: Path, data: bytes) -> tuple[dict[str, np.ndarray], dict[str, str | float]]:
    from scipy.io import netcdf_file

    try:
        with netcdf_file(io.BytesIO(data), mmap=False) as file:
            variables = {str(name): variable for name, variable in file.variables.items()}
            arrays = {n: np.array(variables[n][...], float) for n in NAMES if n in variables}
            attributes = {str(k): _plain(value) for k, value in file._attributes.items()}
    except Exception as error:  # whatever the reader makes of damaged bytes
        raise SpectrumError(f"{path}: damaged, cannot be read as NetCDF: {_line(error)}") from None
    missing = [name for name in NAMES if name not in arrays]
    if missing:
        raise SpectrumError(f"{path}: no {missing[0]} in it; expected spectra written by diffdip")
    return arrays, {name: value for name, value in attributes.items() if value is not None}


def _plain(value: Any) -> str | float | None:
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, str):
        return value
    return float(value) if np.size(value) == 1 else None


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__
