"""Zips of a folder, which may be hostile: unpacked within limits, or refused."""

import io
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..foundation.errors import InputError
from .column_meanings import shown
from .input_files import inside, short_message
from .sweep import MAX_BYTES
from .sweep_files import MAX_FILES


CHUNK = 2**20
"""Bytes that are unpacked at a time."""

ENTRY = b"PK\x01\x02"
"""First bytes of the entry of each member in a zip's directory."""

DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError)
"""What `zipfile` raises for a damaged zip, or bytes that are not a zip."""

METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Compression methods that can be unpacked in pieces of bounded size."""

ONE_ROTATION = "the files of one rotation"
MAKE_AGAIN = "Make the zip again"

_LEFT_OUT = re.compile(r"(^|/)(__MACOSX/|\.)")
"""Members that desktops add to a folder's files. `read_spectra` leaves out hidden files too."""


class ArchiveError(InputError):
    """A zip that is not unpacked. The zip and the member are in `where`."""


def is_zip(data: bytes) -> bool:
    """Whether these bytes start like a zip.

    >>> is_zip(b"PK\\x03\\x04"), is_zip(b"angle_deg,field_mT")
    (True, False)
    """
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def unpack(
    data: bytes, folder: Path, name: str, max_bytes: int = MAX_BYTES, max_members: int = MAX_FILES
) -> list[Path]:
    """Write the files of a zip into `folder`. They must lie in one folder in the zip.

    Hidden files and the name of that folder are left out. The limit holds for the bytes that come
    out, whatever sizes the zip declares: beyond `max_bytes` in all, unpacking stops.

    Raises `ArchiveError`, with `name` as the zip's name, for damaged and encrypted zips, more than
    `max_members` members, links, and names that lead out of the folder.

    >>> import tempfile
    >>> stream = io.BytesIO()
    >>> with zipfile.ZipFile(stream, "w") as archive:
    ...     archive.writestr("sweeps/film_10deg.csv", "field_mT,signal")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in unpack(stream.getvalue(), Path(folder), "sweeps.zip")]
    ['film_10deg.csv']
    """
    with inside(name):
        return _unpack(data, folder, max_bytes, max_members)


def _unpack(data: bytes, folder: Path, max_bytes: int, max_members: int) -> list[Path]:
    """Unpack a zip. Raises `ArchiveError` without the zip's name."""
    # counted before zipfile makes an object of each; every member has the signature of its entry
    if data.count(ENTRY) > max_members:
        raise ArchiveError(f"more than {max_members} members", expected=ONE_ROTATION)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except DAMAGE as error:
        raise ArchiveError(f"a damaged zip ({short_message(error)})", hint=MAKE_AGAIN) from None
    paths: list[Path] = []
    with archive:
        left = max_bytes
        for member in _members(archive):
            path = folder / PurePosixPath(member.filename).name
            with inside(shown(member.filename)):
                size = _write(archive, member, path, left)
                if size > left:
                    raise ArchiveError(
                        f"unpacks to more than {max_bytes / 1e6:g} MB in all",
                        expected=ONE_ROTATION,
                    )
            left -= size
            paths.append(path)
    return paths


def _members(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files to unpack. All entries are checked before the first is written."""
    entries = archive.infolist()
    for entry in entries:
        with inside(shown(entry.filename)):
            _check(entry)
    # "./a.csv" is a.csv
    plain = {entry: str(PurePosixPath(entry.filename)) for entry in entries}
    members = [m for m in entries if not m.is_dir() and not _LEFT_OUT.search(plain[m])]
    if not members:
        raise ArchiveError("no files in the zip", expected=ONE_ROTATION)
    folders = sorted({str(PurePosixPath(member.filename).parent) for member in members})
    if len(folders) > 1:
        raise ArchiveError(
            f"files in {len(folders)} folders, such as {shown(folders[0])} and {shown(folders[1])}",
            expected="one folder with the files of one rotation",
        )
    return members


def _check(entry: zipfile.ZipInfo) -> None:
    """Raises `ArchiveError` for an entry that is not safe to unpack."""
    # the original name: zipfile cuts names at a null byte and turns separators into slashes
    name = entry.orig_filename
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        raise ArchiveError("a name that leads out of the folder", hint=MAKE_AGAIN)
    if "\\" in name or ":" in name:
        raise ArchiveError(
            "a name with \\ or :, which may lead out of the folder", hint="Rename the file"
        )
    unnamed = not PurePosixPath(name).name and not entry.is_dir()
    if unnamed or re.search(r"[\x00-\x1f\x7f]", name):
        raise ArchiveError("not a name of a file", hint="Rename the file")
    if max(len(part.encode(errors="replace")) for part in parts) > 255:
        raise ArchiveError("a name longer than 255 bytes", hint="Rename the file")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError("a link or a device", expected="a file", hint=MAKE_AGAIN)
    if entry.flag_bits & 0x1:
        raise ArchiveError("encrypted", expected="a zip without a password")
    if entry.compress_type not in METHODS:
        raise ArchiveError(
            "compressed by an unusual method", expected="deflate, the usual one", hint=MAKE_AGAIN
        )


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, limit: int) -> int:
    """Unpack one member and return its size. Stops at the first byte beyond `limit`.

    Raises `ArchiveError` for damage, and where the file cannot be written.
    """
    size = 0
    try:
        with archive.open(member) as stream, path.open("xb") as target:
            while size <= limit and (piece := stream.read(min(CHUNK, limit + 1 - size))):
                size += len(piece)
                target.write(piece)
    except DAMAGE as error:
        raise ArchiveError(f"damaged ({short_message(error)})", hint=MAKE_AGAIN) from None
    except OSError as error:  # a second file with this name, or a name that the system refuses
        raise ArchiveError(
            f"cannot be unpacked: {error.strerror}", hint="Rename the file"
        ) from None
    return size
