"""The sweeps of a file, or of a folder with a file for each angle, each sweep with its angle.

Errors name a file relative to the folder that is read; the caller adds the name of that folder, or
of the file if only one is read.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..foundation.errors import InputError
from .file_kinds import DESCRIPTORS, TEXT, Attributes, Kind, kind_of
from .input_files import as_place, first_bytes, inside
from .named_frequencies import check_named
from .sweep import SpectrumError, Sweep, checked, without_stopped
from .sweep_angles import STATED_OR_NAMED, AngleChoice, Unnamed, with_angles


TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".asc")
"""Files of a folder that are read as text, if no file is of another known kind."""

MAX_FILES = 10_000
"""Folders of more files are refused: a rotation has hundreds of angles at most."""


@dataclass(frozen=True)
class Found:
    """What was read from a file or folder.

    Args:
        sweeps: Sweeps with their angles, in the order of the files.
        kind: Name of the kind of the files.
        skipped: One sentence for each file that could not be read, starting with its name.
        attributes: Attributes of the dataset, if the file was written from one.
        notes: Sentences on angles and sweeps that the user must know.
    """

    sweeps: Sequence[Sweep]
    kind: str
    skipped: tuple[str, ...] = ()
    attributes: Attributes | None = None
    notes: tuple[str, ...] = ()


def read_sweeps(
    path: Path, *, skip_damaged: bool = False, angles: AngleChoice = STATED_OR_NAMED
) -> Found:
    """All sweeps of a file or folder, as `read_spectra` describes it. Raises `SpectrumError`."""
    try:
        if path.is_dir():
            return _folder(path, angles, skip_damaged=skip_damaged)
        return _file(path, angles)
    except SpectrumError:
        raise
    except InputError as error:  # a TableError about columns and cells
        raise error.as_category(SpectrumError) from None


def _file(path: Path, angles: AngleChoice) -> Found:
    kind = kind_of(path)
    if kind is not None:
        read, attributes = kind.read(path)
        return _alone(kind.name, read, attributes, angles)
    descriptor, kind = _descriptor(path)
    with inside(as_place(descriptor.name)):
        return _alone(kind.name, kind.read(descriptor)[0], None, angles)


def _alone(
    kind: str, read: list[Sweep], attributes: Attributes | None, angles: AngleChoice
) -> Found:
    """The sweeps of one file. Raises `InputError`."""
    named = with_angles(read, angles, many=False)
    sweeps: list[Sweep] = []
    for sweep in named.sweeps:
        if isinstance(sweep, Unnamed):
            raise sweep.error
        sweeps += checked(sweep)
    sweeps, notes = without_stopped(sweeps)
    told = (*named.notes, *check_named(sweeps), *notes)
    return Found(sweeps, kind, (), attributes, told)


def _folder(path: Path, angles: AngleChoice, *, skip_damaged: bool) -> Found:
    paths = _files(path)
    kinds: dict[Path, Kind | None] = {}
    for file in paths:
        with inside(as_place(file.name)):
            kinds[file] = kind_of(file)
    counts = Counter(kind for kind in kinds.values() if kind not in (TEXT, None))
    if len(counts) > 1:
        names = " and ".join(sorted(kind.name for kind in counts))
        raise SpectrumError(
            f"files of two kinds, {names}",
            expected="the files of one spectrometer",
            hint="Read each kind from a separate folder",
        )
    kind = next(iter(counts), TEXT)
    members = _members(paths, kinds, kind)
    if not members:
        raise SpectrumError(
            "no spectra in this folder",
            expected="files of a spectrometer, such as .xml, .DSC or .par, or text "
            f"({', '.join(TEXT_ENDINGS)})",
        )
    read: list[Sweep] = []
    skipped: list[InputError] = []
    for member in members:
        try:
            with inside(as_place(member.name)):
                read += kind.read(member)[0]
        except InputError as error:
            if not skip_damaged:
                raise
            skipped.append(error)
    named = with_angles(read, angles, many=len(members) > 1)
    sweeps: list[Sweep] = []
    for sweep in named.sweeps:
        try:
            with inside(as_place(sweep.source.name)):
                if isinstance(sweep, Unnamed):
                    raise sweep.error
                sweeps += checked(sweep)
        except InputError as error:
            if not skip_damaged:
                raise
            skipped.append(error)
    if not sweeps:
        raise SpectrumError(f"none of {len(members)} files can be read. The first: {skipped[0]}")
    sweeps, notes = without_stopped(sweeps)
    told = (*named.notes, *check_named(sweeps), *notes)
    return Found(sweeps, kind.name, tuple(map(str, skipped)), None, told)


def _files(path: Path) -> list[Path]:
    """The files of a folder that are not hidden, by name. Raises `SpectrumError`."""
    try:
        paths = sorted(file for file in path.iterdir() if file.is_file())
    except OSError as error:
        raise SpectrumError(
            f"cannot be read: {error.strerror or error}", hint="Check its permissions"
        ) from None
    if len(paths) > MAX_FILES:
        raise SpectrumError(
            "files in the folder", given=len(paths), expected=f"up to {MAX_FILES}, of one rotation"
        )
    return [file for file in paths if not file.name.startswith(".")]


def _members(paths: list[Path], kinds: dict[Path, Kind | None], kind: Kind) -> list[Path]:
    """The files of this kind, and those with the same endings, which must be damaged."""
    if kind is TEXT:
        return [file for file in paths if file.suffix.casefold() in TEXT_ENDINGS]
    endings = {file.suffix.casefold() for file in paths if kinds[file] is kind}
    return [file for file in paths if file.suffix.casefold() in endings]


def _descriptor(path: Path) -> tuple[Path, Kind]:
    """The descriptor beside a file of binary data, with the same name. Raises `SpectrumError`."""
    for other in _files(path.parent):
        kind = DESCRIPTORS.get(other.suffix.casefold())
        if other.stem == path.stem and kind is not None and kind_of(other) is kind:
            return other, kind
    zipped = first_bytes(path, 4, SpectrumError, "a file of spectra") == b"PK\x03\x04"
    raise SpectrumError(
        "a zip, or a file of an office program" if zipped else "a binary file of an unknown kind",
        expected="files of a spectrometer, as the documentation lists them, text, or NetCDF",
        hint="Unpack a zip into a folder; save a table as CSV" if zipped else "",
    )
