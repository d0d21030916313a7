"""Where spectra come from: what kind of file, one or a folder of them, and at which angles."""

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ..foundation.errors import InputError
from .angles import angle_in_name
from .bes3t import is_bes3t, read_bes3t
from .esp import is_esp, read_esp
from .magnettech import is_magnettech, read_magnettech
from .spectra_netcdf import is_netcdf, read_netcdf
from .spectra_text import read_text
from .sweep import SpectrumError, Sweep, checked
from .text import read_regular


Attributes = dict[str, str | float]

HEAD = 4096
"""Bytes from which the kind of a file is found."""

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".asc")
"""Files of a folder that count as spectra in text where none is of a known kind."""

MAX_FILES = 10_000


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name, and what reads it."""

    name: str
    read: Callable[[Path], tuple[list[Sweep], Attributes | None]]


@dataclass(frozen=True)
class Found:
    """Sweeps with their angles, the kind of their files, and what could not be read.

    `attributes` are those of the dataset where the file was written from one.
    """

    sweeps: Sequence[Sweep]
    kind: str
    skipped: tuple[str, ...] = field(default=())
    attributes: Attributes | None = None


def _text(path: Path) -> tuple[list[Sweep], Attributes | None]:
    return read_text(path), _attributes(path)


MAGNETTECH = Kind("Magnettech XML", lambda path: ([read_magnettech(path)], None))
BES3T = Kind("Bruker BES3T", lambda path: (read_bes3t(path), None))
ESP = Kind("Bruker ESP", lambda path: (read_esp(path), None))
NETCDF = Kind("NetCDF", read_netcdf)
TEXT = Kind("text", _text)

RECOGNISED: dict[Callable[[bytes], bool], Kind] = {
    is_netcdf: NETCDF,
    is_bes3t: BES3T,
    is_magnettech: MAGNETTECH,
    is_esp: ESP,
}


def read_sweeps(path: Path, skip_damaged: bool = False) -> Found:
    """All sweeps of a file or folder, as `read_spectra` says. Raises `SpectrumError`."""
    try:
        return _folder(path, skip_damaged) if path.is_dir() else _file(path)
    except SpectrumError:
        raise
    except InputError as error:  # of the columns of a table
        raise SpectrumError(str(error)) from None
    except ValueError as error:  # a null byte in the name
        raise SpectrumError(f"{str(path)!r}: cannot be read: {error}") from None


def _file(path: Path) -> Found:
    kind = _kind(path)
    if kind is None:
        path, kind = _descriptor(path)
    sweeps, attributes = kind.read(path)
    return Found(_with_angles(sweeps), kind.name, (), attributes)


def _folder(path: Path, skip_damaged: bool) -> Found:
    paths = _files(path)
    kinds = {file: _kind(file) for file in paths}
    counts = Counter(kind for kind in kinds.values() if kind not in (TEXT, None))
    if len(counts) > 1:
        names = " and ".join(sorted(kind.name for kind in counts))
        raise SpectrumError(f"{path}: holds files of {names}; expected those of one spectrometer")
    kind = next(iter(counts), TEXT)
    members = _members(paths, kinds, kind)
    if not members:
        raise SpectrumError(
            f"{path}: no spectra in this folder; expected .xml, .DSC with .DTA, .par with .spc, or "
            f"text ({', '.join(TEXT_ENDINGS)})"
        )
    sweeps: list[Sweep] = []
    skipped: list[str] = []
    for member in members:
        try:
            sweeps += _with_angles(kind.read(member)[0])
        except InputError as error:
            if not skip_damaged:
                raise
            skipped.append(str(error))
    if not sweeps:
        raise SpectrumError(f"{path}: none of {len(members)} files can be read: {skipped[0]}")
    return Found(sweeps, kind.name, tuple(skipped))


def _files(path: Path) -> list[Path]:
    try:
        paths = sorted(file for file in path.iterdir() if file.is_file())
    except OSError as error:
        raise SpectrumError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(paths) > MAX_FILES:
        raise SpectrumError(f"{path}: {len(paths)} files; expected a folder of one rotation")
    return [file for file in paths if not file.name.startswith(".")]


def _members(paths: list[Path], kinds: dict[Path, Kind | None], kind: Kind) -> list[Path]:
    """Files of this kind, and those that by their ending should be: they are damaged."""
    if kind is TEXT:
        return [file for file in paths if file.suffix.casefold() in TEXT_ENDINGS]
    endings = {file.suffix.casefold() for file in paths if kinds[file] is kind}
    return [file for file in paths if file.suffix.casefold() in endings]


def _kind(path: Path) -> Kind | None:
    """What a file is by its first bytes; None for one that is neither text nor known."""
    head = _head(path)
    for recognises, kind in RECOGNISED.items():
        if recognises(head):
            return kind
    text = head.startswith((b"\xff\xfe", b"\xfe\xff")) or not re.search(rb"[\x00-\x08]", head)
    return TEXT if text else None


def _head(path: Path) -> bytes:
    return read_regular(path, HEAD, SpectrumError, "a file of spectra")[:HEAD]


def _descriptor(path: Path) -> tuple[Path, Kind]:
    """The descriptor of a file of binary data: the one of the same name beside it."""
    endings = {".dsc": BES3T, ".par": ESP}
    for other in _files(path.parent):
        kind = endings.get(other.suffix.casefold())
        if other.stem == path.stem and kind is not None and _kind(other) is kind:
            return other, kind
    raise SpectrumError(
        f"{path}: is of no known kind; expected Magnettech XML, Bruker .DSC or .par with its data "
        "beside it, text, or NetCDF"
    )


def _with_angles(sweeps: list[Sweep]) -> list[Sweep]:
    return [checked(_with_angle(sweep)) for sweep in sweeps]


def _with_angle(sweep: Sweep) -> Sweep:
    """The sweep with the angle of its file's name where the file does not state it."""
    if sweep.angle_deg is not None and not np.isnan(sweep.angle_deg):
        return sweep
    angle = angle_in_name(sweep.source.stem)
    if angle is None:
        raise SpectrumError(
            f"{sweep.source}: no angle in the file or its name; "
            "expected a name such as film_10deg, or in text a comment such as '# angle = 10 deg'"
        )
    return replace(sweep, angle_deg=angle)


def _attributes(path: Path) -> Attributes | None:
    """The attributes of a dataset that `write_spectra` put into the first line of a CSV file."""
    first = _head(path).split(b"\n", 1)[0]
    if not first.startswith(b"# {"):
        return None
    with path.open("rb") as stream:
        line = stream.readline(1_000_000)
    try:
        found = json.loads(line[2:])
    except (ValueError, RecursionError):
        return None
    return {k: v for k, v in found.items() if type(v) in (str, float, int)}
