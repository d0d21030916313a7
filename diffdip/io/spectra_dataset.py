"""Spectra of a rotation: from the files of a spectrometer to one labelled dataset, and back."""

import json
import re
from collections import Counter
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..foundation.errors import InputError
from ..spectra.line_selection import each_sweep
from .angles import check_pattern, near_full_turn
from .input_files import as_place, inside
from .sweep import SpectrumError, Sweep, common
from .sweep_angles import STATED_OR_NAMED, AngleChoice
from .sweep_files import Found, read_sweeps
from .writing import OutputError, csv_bytes, write_files


if TYPE_CHECKING:
    import xarray as xr

MAX_SAMPLES = 50_000_000
"""Datasets of more samples are refused. The NaN after the end of shorter sweeps count."""


def read_spectra(
    path: str | PathLike[str],
    skip_damaged: bool = False,
    *,
    angles: Sequence[float] | None = None,
    angle_from: str | None = None,
) -> "xr.Dataset":
    """Read the spectra of a rotation: one file with all angles, or a folder with a file for each.

    The kind of the files is found from their content: Magnettech XML and .spe, Bruker BES3T (.DSC
    with .DTA), ESP or WinEPR (.par with .spc), JEOL, Adani, CIQTEK, Active Spectrum, SpecMan (.exp
    with .d01), NIEHS, JCAMP-DX, delimited text, NetCDF, or what `write_spectra` wrote. An angle
    that a file does not state is read from its name (`film_10deg`); a name that is ambiguous is
    refused. In a sweep over half a turn, an angle just below 360° is read as a small negative
    angle. One spectrum alone needs no angle, which is then NaN.

    Sweeps up and down are kept apart: the coordinate `direction` is then 1 for up and -1 for down.
    Runs whose average is among the files are left out. The attribute `notes` has one line for each
    thing of this kind that the user must know, and `angles_from` says where the angles came from.

    Nothing is interpolated between sweeps. If their fields differ, the coordinate `field` has a row
    for each angle, and field and signal are NaN after the end of a shorter sweep. Then
    `signal.isel(angle=0)` has the fields of that angle.

    Args:
        path: A file or a folder.
        skip_damaged: Leave out files of a folder that cannot be read. The attribute `skipped` of
            the dataset then has one line for each, with its name and what is wrong.
        angles: Angles in degrees, one for each spectrum in the order of the names of the files
            (numbers by their value). By default those of the files or their names.
        angle_from: Regular expression whose first group is the angle in the name of a file.

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
    choice = angle_choice(angles, angle_from)
    return read_named(Path(path), as_place(Path(path)), skip_damaged=skip_damaged, angles=choice)


def angle_choice(angles: Sequence[float] | None, angle_from: str | None) -> AngleChoice:
    """The arguments of `read_spectra` on angles, checked. Raises `SpectrumError`."""
    if angles is not None and angle_from is not None:
        raise SpectrumError("angle_from", given=angle_from, expected="no {angles} beside it")
    try:
        return AngleChoice(
            None if angles is None else tuple(map(float, angles)),
            None if angle_from is None else check_pattern(angle_from),
        )
    except InputError as error:
        raise error.as_category(SpectrumError) from None


def read_named(
    path: Path, name: str, *, skip_damaged: bool = False, angles: AngleChoice = STATED_OR_NAMED
) -> "xr.Dataset":
    """What `read_spectra` returns, with `name` instead of the path in its errors."""
    with inside(name), np.errstate(all="ignore"):  # bad numbers are refused afterwards
        return dataset(read_sweeps(path, skip_damaged=skip_damaged, angles=angles), path)


def dataset(found: Found, path: Path) -> "xr.Dataset":
    """The sweeps that were found in a file or folder as one dataset."""
    import xarray as xr

    angles = np.array([np.nan if s.angle_deg is None else s.angle_deg for s in found.sweeps], float)
    turned = near_full_turn(angles)
    angles = np.where(turned, angles - 360, angles)
    order = np.argsort(angles, kind="stable")
    sweeps = [found.sweeps[i] for i in order]
    field, signal = _arrays(sweeps)
    attributes = found.attributes
    if attributes is None:
        attributes = _attributes(found, path, turned=bool(turned.any()))
    else:
        attributes = attributes | _new_notes(attributes, notes_of(found))
    frequency = np.array([sweep.frequency_ghz for sweep in sweeps], float)
    dimensions = ("angle", "field")[-field.ndim :]
    coordinates = {
        "angle": ("angle", angles[order], {"units": "degrees"}),
        "field": (dimensions, field, {"units": "mT"}),
        "frequency": ("angle", frequency, {"units": "GHz"}),
    }
    directions = np.array([sweep.direction for sweep in sweeps], float)
    if len(set(directions)) > 1:
        told = {"long_name": "1 for a sweep up, -1 for one down"}
        coordinates["direction"] = ("angle", directions, told)
    return xr.Dataset(
        {"signal": (("angle", "field"), signal, {"long_name": "signal as recorded"})},
        coords=coordinates,
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
    attributes["angles_from"] = angles_from(found.sweeps)
    if notes := notes_of(found):
        attributes["notes"] = "\n".join(notes)
    return attributes


def _new_notes(attributes: dict[str, str | float], notes: Sequence[str]) -> dict[str, str]:
    """The notes of a file that was written from a dataset, with those that it does not have."""
    old = str(attributes.get("notes", "")).splitlines()
    known = {_without_names(line) for line in old}
    lines = [*old, *(note for note in notes if _without_names(note) not in known)]
    return {"notes": "\n".join(lines)} if lines else {}


def _without_names(note: str) -> str:
    """A note without the name of its file, and how many are like it."""
    text = re.sub(r" \(\d+ files like this\)\Z", "", note)
    return text.partition(": ")[2] or text


def angles_from(sweeps: Sequence[Sweep]) -> str:
    """Where the angles of sweeps came from, with two examples of names."""
    ways: dict[str, list[Sweep]] = {}
    for sweep in sweeps:
        way = "name" if sweep.angle_from.startswith("name,") else sweep.angle_from
        ways.setdefault(way if sweep.angle_deg is not None else "unknown", []).append(sweep)
    told = []
    for way, members in list(ways.items())[:4]:
        if way == "name":
            parts = dict.fromkeys(f"{s.angle_from[6:]} in {s.source.name}" for s in members)
            more = ", ..." if len(parts) > 2 else ""
            told.append(f"names of the files ({', '.join(list(parts)[:2])}{more})")
        else:
            told.append(way or "the file")
    return "; ".join(told)


def notes_of(found: Found) -> list[str]:
    """What the user must know about how the sweeps were read, one sentence each."""
    files: dict[str, dict[str, None]] = {}
    for sweep in found.sweeps:
        for note in sweep.notes:
            files.setdefault(note, {})[sweep.source.name] = None
    notes = [
        f"{next(iter(names))}: {note}" + (f" ({len(names)} files like this)" * (len(names) > 1))
        for note, names in files.items()
    ]
    return [*found.notes, *notes, *_repeated(found.sweeps)]


def _repeated(sweeps: Sequence[Sweep]) -> list[str]:
    """A sentence if angles have several sweeps in one direction, or sweeps in both."""
    counts = Counter((sweep.angle_deg, sweep.direction) for sweep in sweeps)
    again = [angle for (angle, _), count in counts.items() if count > 1]
    notes = []
    if again:
        most = max(counts.values())
        told = ", ".join("unknown" if a is None else f"{a:g}°" for a in again[:5]) + ", ..." * (
            len(again) > 5
        )
        notes.append(f"angles are repeated, up to {most} sweeps at the same angle: {told}")
    both = {angle for angle, direction in counts if (angle, -direction) in counts}
    if both:
        notes.append(f"{len(both)} angles have a sweep up and a sweep down, which are kept apart")
    return notes


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
    known = ["direction"] if "direction" in spectra.coords else []
    shared = [angles, frequencies, *(spectra[name].values for name in known)]
    rows = [
        [i, *cells, repr(b), repr(s)]
        for i, (values, (field, signal)) in enumerate(
            zip(zip(*shared, strict=True), each_sweep(spectra), strict=True), start=1
        )
        for cells in [["" if np.isnan(v) else repr(float(v)) for v in values]]
        for b, s in zip(field.tolist(), signal.tolist(), strict=True)
    ]
    settings = json.dumps(spectra.attrs, ensure_ascii=True)
    header = " ".join(["sweep angle_deg frequency_GHz", *known, "field_mT signal"])
    return f"# {settings}\n".encode() + csv_bytes(header, rows)
