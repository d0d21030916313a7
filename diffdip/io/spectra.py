"""Spectra of a rotation from any spectrometer, as one labelled dataset, and back into files."""

import json
import os
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..spectra.positions import each_sweep
from .angles import near_full_turn
from .sources import read_sweeps
from .sweep import SpectrumError, Sweep, common
from .writing import OutputError, csv_bytes, write_files


if TYPE_CHECKING:
    import xarray as xr

    from ..spectra.positions import LinePositions

MAX_SAMPLES = 50_000_000
"""More samples than this, with those that fill up shorter sweeps, are refused."""


def read_spectra(path: str | PathLike[str], skip_damaged: bool = False) -> "xr.Dataset":
    """Read the spectra of a rotation: a file of all angles, or a folder with a file for each.

    What kind of files they are is found from their content: Magnettech XML, Bruker BES3T (.DSC with
    .DTA) and ESP or WinEPR (.par with .spc), delimited text, and what `write_spectra` wrote.
    The dataset has `signal` over the dimensions `angle` (degrees) and `field` (mT), and `frequency`
    (GHz; NaN where it is not known) by angle. Angles ascend. Nothing is interpolated between
    sweeps: where they differ in their fields, the coordinate `field` has a row for each angle, with
    NaN in field and signal after the end of a shorter one, and `signal.isel(angle=0)` has its own.
    An angle just below 360° in a sweep over half a turn is the small negative one that it is.

    An angle that a file does not state is taken from its name (`film_10deg`). With
    `skip_damaged` files of a folder that cannot be read are left out; the attribute `skipped` has
    the reasons, one a line. Raises `SpectrumError`, whose message names the file and the place.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "film_10deg.csv")
    ...     _ = path.write_text("field_G,signal\\n3360,1\\n3370,4\\n3380,-4\\n3390,-1\\n")
    ...     spectra = read_spectra(path)
    >>> spectra["angle"].values, spectra["field"].values, spectra["signal"].values
    (array([10.]), array([336., 337., 338., 339.]), array([[ 1.,  4., -4., -1.]]))
    """
    path = Path(path)
    with np.errstate(all="ignore"):  # numbers without meaning are refused later, by name
        found = read_sweeps(path, skip_damaged)
        return dataset(found.sweeps, found.kind, str(path), found.skipped, found.attributes)


def dataset(
    sweeps: Sequence[Sweep],
    kind: str,
    source: str,
    skipped: Sequence[str] = (),
    attributes: dict[str, str | float] | None = None,
) -> "xr.Dataset":
    """Sweeps that all have an angle as one dataset, as `read_spectra` describes it.

    `attributes`, where given, are its attributes as they are.
    """
    import xarray as xr

    from ..foundation.version import __version__

    angles = np.array([sweep.angle_deg for sweep in sweeps], float)
    turned = near_full_turn(angles)
    angles = np.where(turned, angles - 360, angles)
    order = np.argsort(angles, kind="stable")
    sweeps = [sweeps[i] for i in order]
    field, signal = _arrays(sweeps, source)
    if attributes is None:
        # not the whole path: what is made of the spectra is the same wherever they lie
        whole = Path(source).resolve()
        attributes = {"title": whole.stem, "source": whole.name, "format": kind}
        attributes["diffdip"] = __version__
        names = {f"instrument_{_plain(name)}": value for name, value in common(sweeps).items()}
        attributes |= names
        if turned.any():
            attributes["angles"] = "those just below 360 degrees are read as negative"
        if skipped:
            attributes["skipped"] = "\n".join(skipped).replace(f"{source}{os.sep}", "")
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


def write_spectra(spectra: "xr.Dataset", target: str | PathLike[str]) -> Path:
    """Write what `read_spectra` gave, to be read by it again: `.nc` (NetCDF) or `.csv`.

    NetCDF is of the classic kind with 64-bit offsets. CSV has a row for each sample, with numbers
    written to the last bit, and the attributes as JSON in a comment. Raises `OutputError`; then the
    file is as it was before.

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
    [written] = write_files(target.parent, {target.name: content})
    return written


def positions_table(positions: "LinePositions") -> bytes:
    """Positions as the CSV table that `read_table` and `diffdip fit` read, in mT, degrees, GHz.

    How they were found is in comments. The column of frequencies is left out where one is not
    known, that of errors where one is zero.

    >>> from diffdip import LinePositions
    >>> one, two = np.array([0.0, np.pi / 2]), np.array([0.338, 0.3382])
    >>> found = LinePositions(one, two, two / 1e6, two / 100, 9.45e9 + 0 * one, {"line": "only"})
    >>> print(positions_table(found).decode().split("\\n", 1)[1])
    angle_deg,field_mT,sigma_mT,frequency_GHz
    0,338,0.000338,9.45
    90,338.2,0.0003382,9.45
    <BLANKLINE>
    """
    from ..foundation.version import __version__

    columns = {
        "angle_deg": np.degrees(positions.angle),
        "field_mT": 1e3 * positions.field,
        "sigma_mT": 1e3 * positions.sigma,
        "frequency_GHz": positions.frequency / 1e9,
    }
    if positions.errors is None:
        del columns["sigma_mT"]
    if np.isnan(positions.frequency).any():
        del columns["frequency_GHz"]
    settings = {k: v for k, v in positions.settings.items() if v is not None}
    comment = json.dumps({"diffdip": __version__, **settings}, ensure_ascii=True)
    rows = list(zip(*columns.values(), strict=True))
    return f"# {comment}\n".encode() + csv_bytes(" ".join(columns), rows)


def _arrays(sweeps: Sequence[Sweep], source: str) -> tuple[np.ndarray, np.ndarray]:
    """Field, of one dimension where all sweeps share it, and signal."""
    first = sweeps[0].field_mt
    shared = all(np.array_equal(first, sweep.field_mt) for sweep in sweeps[1:])
    longest = max(len(sweep.field_mt) for sweep in sweeps)
    if longest * len(sweeps) > MAX_SAMPLES:
        raise SpectrumError(
            f"{source}: {len(sweeps)} sweeps of up to {longest} samples; "
            f"expected {MAX_SAMPLES} or fewer"
        )
    signal = np.stack([_filled(sweep.signal, longest) for sweep in sweeps])
    if shared:
        return np.array(first, float), signal
    return np.stack([_filled(sweep.field_mt, longest) for sweep in sweeps]), signal


def _filled(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values.astype(float), (0, length - len(values)), constant_values=np.nan)


def _plain(name: str) -> str:
    """A name of letters, digits and underscores."""
    return re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")


def _csv(spectra: "xr.Dataset") -> bytes:
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
