"""A folder's zip from a stranger: unpacked within limits, or refused in one sentence."""

import io
import re
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ..foundation.errors import InputError
from .columns import shown
from .sources import MAX_FILES
from .sweep import MAX_BYTES


CHUNK = 2**20

ENTRY = b"PK\x01\x02"
"""With these bytes begins what a zip says of each of its members."""

DAMAGE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, RuntimeError)
"""What `zipfile` raises for bytes that are no zip, or a damaged one."""

METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
"""Ways of packing that are unpacked in pieces of bounded size."""

_LEFT_OUT = re.compile(r"(^|/)(__MACOSX/|\.)")
"""Members that desktops put beside a folder's files; `read_spectra` leaves out hidden ones too."""


class ArchiveError(InputError):
    """A zip that is not unpacked. The message is one line and names the zip and the member."""


def is_zip(data: bytes) -> bool:
    """Whether a file of these bytes is a zip, by its first ones.

    >>> is_zip(b"PK\\x03\\x04"), is_zip(b"angle_deg,field_mT")
    (True, False)
    """
    return data.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def unpack(
    data: bytes, folder: Path, name: str, max_bytes: int = MAX_BYTES, max_members: int = MAX_FILES
) -> list[Path]:
    """Write the files of a zip, which must lie in one folder in it, into `folder`.

    That folder's name is left away, and so are hidden files. Sizes are those that come out,
    whatever the zip declares: beyond `max_bytes` in all, unpacking stops. Raises `ArchiveError`,
    with `name` as that of the zip, for damaged and encrypted ones, more members than `max_members`,
    links, and names that lead elsewhere.

    >>> import tempfile
    >>> stream = io.BytesIO()
    >>> with zipfile.ZipFile(stream, "w") as archive:
    ...     archive.writestr("sweeps/film_10deg.csv", "field_mT,signal")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in unpack(stream.getvalue(), Path(folder), "sweeps.zip")]
    ['film_10deg.csv']
    """
    # before zipfile makes an object of each; no member lacks the signature of its entry
    if data.count(ENTRY) > max_members:
        raise ArchiveError(f"{name}: more than {max_members} members; expected one rotation")
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except DAMAGE as error:
        raise ArchiveError(f"{name}: is no zip that can be read: {_line(error)}") from None
    paths: list[Path] = []
    with archive:
        left = max_bytes
        for member in _members(archive, name):
            path = folder / PurePosixPath(member.filename).name
            where = f"{name}: {shown(member.filename)}"
            try:
                size = _write(archive, member, path, left)
            except DAMAGE as error:
                raise ArchiveError(f"{where}: is damaged: {_line(error)}") from None
            except OSError as error:  # a second file of this name, or one that the system refuses
                raise ArchiveError(f"{where}: cannot be unpacked: {error.strerror}") from None
            if size > left:
                raise ArchiveError(
                    f"{where}: unpacks to more than {max_bytes / 1e6:g} MB in all; expected the "
                    "files of one rotation"
                )
            left -= size
            paths.append(path)
    return paths


def _members(archive: zipfile.ZipFile, name: str) -> list[zipfile.ZipInfo]:
    """The files to unpack; every entry is checked before one is written."""
    entries = archive.infolist()
    for entry in entries:
        if reason := _refusal(entry):
            raise ArchiveError(f"{name}: {shown(entry.filename)}: {reason}")
    members = [m for m in entries if not m.is_dir() and not _LEFT_OUT.search(m.filename)]
    if not members:
        raise ArchiveError(f"{name}: holds no files; expected those of one rotation")
    folders = sorted({str(PurePosixPath(member.filename).parent) for member in members})
    if len(folders) > 1:
        raise ArchiveError(
            f"{name}: files in {len(folders)} folders, {shown(folders[0])} and "
            f"{shown(folders[1])} among them; expected one folder with the files of one rotation"
        )
    return members


def _refusal(entry: zipfile.ZipInfo) -> str:
    """Why a member is refused; empty where it is not."""
    # zipfile cuts names at a null byte and turns the system's separators into slashes
    name = entry.orig_filename
    parts = name.split("/")
    if name.startswith("/") or ".." in parts:
        return "the name leads out of the folder, which is refused"
    if "\\" in name or ":" in name:
        return "has \\ or : in its name, which may lead out of the folder, and is refused"
    if re.search(r"[\x00-\x1f\x7f]", name) or not PurePosixPath(name).name:
        return "is no name of a file"
    if max(len(part.encode(errors="replace")) for part in parts) > 255:
        return "the name is longer than 255 bytes"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, which is refused"
    if entry.flag_bits & 0x1:
        return "is encrypted; expected a zip without a password"
    if entry.compress_type not in METHODS:
        return "is packed in an unusual way; expected deflate, the usual one"
    return ""


def _write(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, limit: int) -> int:
    """Unpack one member piece by piece; how many bytes came out, up to the first beyond `limit`."""
    size = 0
    with archive.open(member) as stream, path.open("xb") as target:
        while size <= limit and (piece := stream.read(min(CHUNK, limit + 1 - size))):
            size += len(piece)
            target.write(piece)
    return size


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
