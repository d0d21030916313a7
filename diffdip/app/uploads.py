"""Spectra from uploaded files, which are on disk under plain names only while they are read."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..foundation.errors import InputError
from ..foundation.interruption import unfinished
from ..io.angles import listed_angles
from ..io.archive import is_zip, unpack
from ..io.series_tables import NO_FREQUENCY, read_named_table
from ..io.spectra_dataset import angle_choice, read_named
from ..io.sweep import MAX_BYTES
from ..io.sweep_files import MAX_FILES
from ..report.choices import NAME, read_choices


if TYPE_CHECKING:
    import xarray as xr

    from ..fitting.series import Series


@dataclass(frozen=True)
class Upload:
    """An uploaded file: its name on the sender's machine, and its bytes."""

    name: str
    data: bytes


def read_uploads(
    uploads: Sequence[Upload],
    *,
    skip_damaged: bool = False,
    angles: str | None = None,
    angle_from: str | None = None,
) -> "xr.Dataset":
    """The spectra of one file, of the files of a folder, or of the zip of a folder.

    `angles` and `angle_from` are as in `Choices`. Raises `InputError`, which names the files as
    their sender does.

    >>> table = b"field_G,signal\\n3360,1\\n3370,4\\n3380,-4\\n3390,-1\\n"
    >>> read_uploads([Upload("film_10deg.csv", table)]).attrs["source"]
    'film_10deg.csv'
    """
    choice = angle_choice(None if angles is None else listed_angles(angles), angle_from)
    with _on_disk(uploads) as path:
        return read_named(path, path.name, skip_damaged=skip_damaged, angles=choice)


def read_rotations(upload: Upload, frequency_GHz: float, plane: str) -> "dict[str, Series]":
    """The rotations in a table of measured resonance fields, by name.

    A table that states no frequency was measured at `frequency_GHz`, one that states no plane in
    `plane`. Raises `InputError`.

    >>> table = b"angle_deg,field_mT\\n0,338.1\\n45,338.5\\n90,338.3\\n"
    >>> list(read_rotations(Upload("film.csv", table), 9.45, "xy"))
    ['film']
    """
    with _on_disk([upload]) as path:
        try:
            samples = read_named_table(path, path.name)
        except InputError as error:
            if error.what != NO_FREQUENCY:
                raise
            samples = read_named_table(path, path.name, 1e9 * frequency_GHz)
    found = {}
    for sample in samples:
        for i, series in enumerate(sample.series(plane)):
            if series.is_rotation and series.measured == "field":
                name = series.name or (f"{sample.name} ({i + 1})" if i else sample.name)
                while name in found:
                    name += "′"
                found[name] = series
    if not found:
        raise InputError(
            "no rotation in the table",
            expected="resonance fields at angles in a plane",
            hint="Fit other tables with diffdip fit",
        ).at(path.name)
    return found


def choices_beside(uploads: Sequence[Upload]) -> dict[str, Any]:
    """The choices of a `diffdip.toml` among the files. Raises `InputError`."""
    with _on_disk(uploads) as path:
        beside = path / NAME
        return read_choices(beside, f"{path.name}/{NAME}") if beside.is_file() else {}


def plain_name(name: str) -> str:
    """A file name of letters, digits and the marks that angles need, without folders.

    >>> plain_name("../film 10°.csv"), plain_name("a<b>:1.xml")
    ('film 10°.csv', 'a_b__1.xml')
    """
    last = re.split(r"[/\\]", name)[-1]
    plain = re.sub(r"[^\w .,+=()°º−-]", "_", last)[-60:].lstrip(". ")
    return plain or "file"


@contextmanager
def _on_disk(uploads: Sequence[Upload]) -> Iterator[Path]:
    """The path of the file or folder, inside a temporary folder that no message shows."""
    with tempfile.TemporaryDirectory(prefix="diffdip-") as made, unfinished(made):
        yield _placed(uploads, Path(made))


def _placed(uploads: Sequence[Upload], root: Path) -> Path:
    """The uploads as a file or a folder in `root`, under the name that the sender gave it."""
    size = sum(len(upload.data) for upload in uploads)
    if len(uploads) > MAX_FILES or size > MAX_BYTES:
        raise InputError(
            f"{len(uploads)} files with {size / 1e6:.0f} MB",
            expected=f"at most {MAX_FILES} files and {MAX_BYTES / 1e6:.0f} MB",
            hint="Upload one rotation",
        )
    names = [plain_name(upload.name) for upload in uploads]
    if len(uploads) == 1 and not is_zip(uploads[0].data):
        path = root / names[0]
        path.write_bytes(uploads[0].data)
        return path
    stems = {Path(name).stem for name in names}
    folder = root / (stems.pop() if len(stems) == 1 else "spectra")
    folder.mkdir()
    if len(uploads) == 1:
        unpack(uploads[0].data, folder, names[0])
        return folder
    for upload, name in zip(uploads, names, strict=True):
        if is_zip(upload.data):
            raise InputError("a zip among other files", expected="only the zip").at(name)
        path = folder / name
        if path.exists():
            raise InputError("two files of this name", expected="one for each angle").at(name)
        path.write_bytes(upload.data)
    return folder
