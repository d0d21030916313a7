"""Spectra of a rotation: from the files of a spectrometer to one labelled dataset, and back."""

import json
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..spectra.line_selection import each_sweep
from .angles import near_full_turn
from .input_files import as_place, inside
from .sweep import SpectrumError, Sweep, common
from .sweep_files import Found, read_sweeps
from .writing import OutputError, csv_bytes, write_files


if TYPE_CHECKING:
    import xarray as xr

MAX_SAMPLES = 50_000_000
"""Datasets of more samples are refused. The NaN after the end of shorter sweeps count."""


def read_spectra(path: str | PathLike[str], skip_damaged: bool = False) -> "xr.Dataset":
    """Read the spectra of a rotation: one file with all angles, or a folder with a file for each.

    The kind of the files is found from their content: Magnettech XML and .spe, Bruker BES3T (.DSC
    with .DTA), ESP or WinEPR (.par with .spc), JEOL, Adani, CIQTEK, Active Spectrum, SpecMan (.exp
    with .d01), NIEHS, JCAMP-DX, delimited text, NetCDF, or what `write_spectra` wrote. An angle
    that a file does not state is read from its name (`film_10deg`). In a sweep over half a turn, an
    angle just below 360° is read as a small negative angle.

    Nothing is interpolated between sweeps. If their fields differ, the coordinate `field` has a row
    for each angle, and field and signal are NaN after the end of a shorter sweep. Then
    `signal.isel(angle=0)` has the fields of that angle.

    Args:
        path: A file or a folder.
        skip_damaged: Leave out files of a folder that cannot be read. The attribute `skipped` of
            the dataset then has one line for each, with its name and what is wrong.

    Returns:
        A dataset with `signal` over the dimensions `angle` (degrees, ascending) and `field` (mT),
        and the coordinate `frequency` (GHz; NaN where it is unknown) by angle.

    Raises:
        SpectrumError: If the spectra cannot be used. `where` gives the path, the file in a folder,
            and the row or entry.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "film_10deg.csv")
    ...     _ = path.write_text("field_G,signal\\n3360,1\\n3370,4\\n3380,-4\\n3390,-1\\n")
    ...     spectra = read_spectra(path)
    >>> spectra["angle"].values, spectra["field"].values, spectra["signal"].values
    (array([10.]), array([336., 337., 338., 339.]), array([[ 1.,  4., -4., -1.]]))
    """
    return read_named(Path(path), as_place(Path(path)), skip_damaged=skip_damaged)


def read_named(path: Path, name: str, *, skip_damaged: bool = False) -> "xr.Dataset":
    """What `read_spectra` returns, with `name` instead of the path in its errors."""
    with inside(name), np.errstate(all="ignore"):  # bad numbers are refused afterwards
        return dataset(read_sweeps(path, skip_damaged=skip_damaged), path)


def dataset(found: Found, path: Path) -> "xr.Dataset":
    """The sweeps that were found in a file or folder as one dataset."""
    import xarray as xr

    angles = np.array([sweep.angle_deg for sweep in found.sweeps], float)
    turned = near_full_turn(angles)
    angles = np.where(turned, angles - 360, angles)
    order = np.argsort(angles, kind="stable")
    sweeps = [found.sweeps[i] for i in order]
    field, signal = _arrays(sweeps)
    attributes = found.attributes
    if attributes is None:
        attributes = _attributes(found, path, turned=bool(turned.any()))
    frequency = np.array([sweep.frequency_ghz for sweep in sweeps], float)
    dimensions = ("angle", "field")[-field.ndim :]
    return xr.Dataset(
        {"signal": (("angle", "field"), signal, {"long_name": "signal as recorded"})},
        coords={
            "angle": ("angle", angles[order], {"units": "degrees"}),
            "field": (dimensions, field, {"units": "mT"}),
            "frequency": ("angle", frequency, {"units": "GHz"}),
        },
        attrs=attributes,
    )


def _attributes(found: Found, path: Path, *, turned: bool) -> dict[str, str | float]:
    """The attributes of a dataset: where it comes from, and notes on how it was read."""
    from ..foundation.version import __version__

    whole = path.resolve()
    attributes: dict[str, str | float] = {
        "title": whole.stem,
        "source": whole.name,  # without its folder: results do not depend on where the files lie
        "format": found.kind,
        "diffdip": __version__,
    }
    entries = common(found.sweeps)
    attributes |= {f"instrument_{_plain(name)}": value for name, value in entries.items()}
    if turned:
        attributes["angles"] = "values just below 360 degrees were read as negative angles"
    if found.skipped:
        attributes["skipped"] = "\n".join(found.skipped)
    return attributes


def write_spectra(
    spectra: "xr.Dataset", target: str | PathLike[str], *, force: bool = False
) -> Path:
    """Write a dataset to a file from which `read_spectra` reads the same dataset.

    NetCDF is of the classic kind with 64-bit offsets. CSV has a row for each sample, with numbers
    to the last bit, and the attributes as JSON in a comment.

    Args:
        spectra: Dataset as `read_spectra` returns it.
        target: File to write, with the ending `.nc` (NetCDF) or `.csv`.
        force: Whether to replace a file that diffdip did not write.

    Returns:
        The path of the file.

    Raises:
        OutputError: If the file cannot be written. A file that was there before stays as it was.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "film_10deg.csv")
    ...     _ = path.write_text("field_G,signal\\n3360,1\\n3370,4\\n3380,-4\\n3390,-1\\n")
    ...     spectra = read_spectra(path)
    ...     read_spectra(write_spectra(spectra, Path(folder, "film.nc"))).identical(spectra)
    True
    """
    target = Path(target)
    if target.suffix == ".nc":
        content = bytes(spectra.to_netcdf(None, engine="scipy", format="NETCDF3_64BIT"))
    elif target.suffix == ".csv":
        content = _csv(spectra)
    else:
        raise OutputError(f"{target}: expected a name that ends in .csv or .nc")
    [written] = write_files(target.parent, {target.name: content}, force=force)
    return written


def _arrays(sweeps: Sequence[Sweep]) -> tuple[np.ndarray, np.ndarray]:
    """Field, of one dimension if all sweeps share it, and signal. Raises `SpectrumError`."""
    first = sweeps[0].field_mt
    shared = all(np.array_equal(first, sweep.field_mt) for sweep in sweeps[1:])
    longest = max(len(sweep.field_mt) for sweep in sweeps)
    if longest * len(sweeps) > MAX_SAMPLES:
        raise SpectrumError(
            f"{len(sweeps)} sweeps of up to {longest} samples",
            expected=f"{MAX_SAMPLES} samples or fewer in all",
        )
    signal = np.stack([_filled(sweep.signal, longest) for sweep in sweeps])
    if shared:
        return np.array(first, float), signal
    return np.stack([_filled(sweep.field_mt, longest) for sweep in sweeps]), signal


def _filled(values: np.ndarray, length: int) -> np.ndarray:
    """The values with NaN up to a length."""
    return np.pad(values.astype(float), (0, length - len(values)), constant_values=np.nan)


def _plain(name: str) -> str:
    """The name with underscores for everything but letters and digits."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")


def _csv(spectra: "xr.Dataset") -> bytes:
    """The dataset as a table with a row for each sample."""
    angles, frequencies = spectra["angle"].values, spectra["frequency"].values
    rows = [
        [i, repr(float(angle)), "" if np.isnan(f) else repr(float(f)), repr(b), repr(s)]
        for i, (angle, f, (field, signal)) in enumerate(
            zip(angles, frequencies, each_sweep(spectra), strict=True), start=1
        )
        for b, s in zip(field.tolist(), signal.tolist(), strict=True)
    ]
    settings = json.dumps(spectra.attrs, ensure_ascii=True)
    return f"# {settings}\n".encode() + csv_bytes(
        "sweep angle_deg frequency_GHz field_mT signal", rows
    )
