"""Strict JSON and plain CSV as bytes, and files that are written completely or not at all.

Everything is built in memory first. `write_files` then puts it into place so that a failure leaves
no file half-written. It replaces only files that diffdip wrote, and never an input. Tables have one
header row with units and an empty cell where a value is missing.
"""

import csv
import io
import json
import math
import os
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..foundation.interruption import undivided, unfinished
from ..foundation.version import __version__


_MARKS: Final = {
    ".csv": rb'"diffdip": "|^"?# diffdip \d',
    ".json": rb'^\{\s*"diffdip": ',
    ".toml": rb"^# diffdip \d",
    ".html": rb'name="generator" content="diffdip',
}
_MARK: Final = rb"diffdip"
"""What files of diffdip contain, CSV in a comment: by their ending, and for all other endings."""

_UNMARKED: Final = (".csv", ".png", ".pdf", ".html")
"""Results of these kinds need no mark beside others of the same results that have one."""

_NUMBER = re.compile(r"[-+]\d+(\.\d*)?([eE][-+]?\d+)?", re.ASCII)
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""Starts of text that a spreadsheet would compute; it shows text behind an apostrophe as it is."""

_LOOKED_AT: Final = 2**20
"""Bytes at either end of a file that are searched for it."""


class OutputError(OSError):
    """A file that cannot be written. The message is one line and names the path."""


def write_files(
    folder: Path, files: Mapping[str, bytes], *, inputs: Iterable[Path] = (), force: bool = False
) -> list[Path]:
    """Write all files into a folder, or none of them.

    Each file is written beside its place first and moved there when all are complete. A failure
    leaves what was there before. A file that exists is replaced only if it says that diffdip wrote
    it, or is a table or figure beside such a file of the same results. Tables must have the same
    columns.

    Args:
        folder: Is made if it does not exist, with its parents.
        files: Contents by file name.
        inputs: Files and folders that were read; see `check_inputs`.
        force: Whether to replace files of any origin. Inputs are not replaced even then.

    Returns:
        The paths of the files, in the same order.

    Raises:
        OutputError: Where a file cannot be written, or must not be replaced. It names the path and
            the reason.
    """
    asked, folder = Path(folder), _resolved(Path(folder))
    check_inputs([asked / name for name in files], inputs)
    if not force:
        check_origins(asked, files)
    made = [parent for parent in (folder, *folder.parents) if not _exists(parent)]
    parts = {folder / f".{uuid.uuid4().hex}.part": name for name in files}
    try:
        with undivided(), unfinished(*parts):
            folder.mkdir(parents=True, exist_ok=True)
            for part, name in parts.items():
                if (folder / name).is_dir():
                    raise IsADirectoryError(None, "a folder has this name", str(folder / name))
                part.write_bytes(files[name])
            for part, name in parts.items():
                os.replace(part, folder / name)
    except (OSError, ValueError) as error:
        for parent in made:
            _remove_empty(parent)
        where = getattr(error, "filename", None) or folder
        where = asked / parts[Path(where)] if Path(where) in parts else where
        raise OutputError(f"{where}: cannot be written: {_reason(error)}") from error
    return [asked / name for name in files]


def check_inputs(targets: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Raise `OutputError` for a target that is an input, or lies in a folder that is read.

    In such a folder the next reading would count it as another measurement.
    """
    inputs = list(inputs)
    for target in targets:
        # "new/.." is where a folder that does not exist yet would lead to
        place = _resolved(target.parent) / target.name
        for source in inputs:
            if _same(place, source):
                raise OutputError(f"{target}: is the input. Choose another name")
            if source.is_dir() and _same(place.parent, source):
                raise OutputError(
                    f"{target}: lies in the folder that is read, where it would count as a "
                    "measurement. Choose another folder"
                )


def _resolved(folder: Path) -> Path:
    try:
        return folder.resolve()
    except (OSError, ValueError, RuntimeError):
        return folder  # writing it will fail, and say why


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them does not exist
        return False


def check_origins(folder: Path, files: Mapping[str, bytes]) -> None:
    """Raise `OutputError` if one of the files exists and diffdip did not write it.

    Before a long computation, b"" stands for contents that are not known yet.
    """
    place = _resolved(folder)
    before = {name: _ends(place / name) for name in files if _is_file(place / name)}
    marked = {name for name, content in before.items() if _is_marked(name, content)}
    for name, content in before.items():
        if not (name in marked or _is_beside(name, files[name], marked)):
            raise OutputError(
                f"{folder / name}: exists, and is no earlier result of this command. Choose "
                "another place, or replace it with --force (in Python, force=True)"
            )
        if name.endswith(".csv") and files[name] and _kind(content) != _kind(files[name]):
            raise OutputError(
                f"{folder / name}: exists with other columns. Choose another place, or replace it "
                "with --force (in Python, force=True)"
            )


def _is_marked(name: str, content: bytes) -> bool:
    """Whether the content says that diffdip wrote it."""
    ending = Path(name).suffix
    searched = _comments(content) if ending == ".csv" else content
    return re.search(_MARKS.get(ending, _MARK), searched) is not None


def _is_beside(name: str, new: bytes, marked: set[str]) -> bool:
    """Whether a file without a mark belongs to results of which others have one."""
    others = {other for other in marked if not other.endswith(_UNMARKED)}
    commented = name.endswith(".csv") and bool(_comments(new))
    return name.endswith(_UNMARKED) and not commented and bool(others)


def _ends(path: Path) -> bytes:
    """The first and the last bytes of a file. Raises `OutputError`."""
    try:
        with path.open("rb") as stream:
            start = stream.read(_LOOKED_AT)
            stream.seek(max(len(start), path.stat().st_size - _LOOKED_AT))
            return start + stream.read()
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be replaced: {_reason(error)}") from error


def _columns(table: bytes) -> bytes:
    """The header row of a table, below its comments."""
    marks = (b"#", b'"#')
    return next((line for line in table.splitlines() if not line.startswith(marks)), b"")


def _kind(table: bytes) -> list[bytes]:
    """The first two columns: others come and go with the options of a command."""
    return _columns(table).split(b",")[:2]


def _comments(table: bytes) -> bytes:
    """The lines above the header row."""
    return table[: table.find(_columns(table))]


def _reason(error: Exception) -> Any:
    return getattr(error, "strerror", None) or error


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False  # writing it will fail, and say why


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):
        return True  # what cannot be looked at was not made here and must not be removed


def _remove_empty(folder: Path) -> None:
    try:
        folder.rmdir()
    except (OSError, ValueError):
        return


def made_by(settings: Mapping[str, Any] | None) -> dict[str, Any]:
    """The version of diffdip and the settings: the beginning of every JSON document."""
    return {"diffdip": __version__, "settings": plain(dict(settings or {}))}


def plain(value: Any) -> Any:
    """The value in the types of JSON. NaN and infinity, which JSON does not have, become None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def json_bytes(document: Any) -> bytes:
    """Strict JSON of plain data and numpy numbers. NaN and infinity become null.

    >>> json_bytes({"n": np.int64(2), "found": [math.nan]}).split()
    [b'{', b'"n":', b'2,', b'"found":', b'[', b'null', b']', b'}']
    """
    text = json.dumps(plain(document), indent=2, allow_nan=False, ensure_ascii=False)
    return (text + "\n").encode(errors="replace")


def csv_bytes(header: str, rows: Sequence[Sequence[Any]]) -> bytes:
    """A table with these columns. Numbers have ten digits; NaN and infinity give empty cells.

    >>> csv_bytes("angle_deg field_mT", [[0.0, 337.5], [90.0, math.nan]])
    b'angle_deg,field_mT\\n0,337.5\\n90,\\n'
    """
    return rows_bytes([header.split(), *rows])


def rows_bytes(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows of text and numbers, as `csv_bytes` writes them."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows([[_cell(value) for value in row] for row in rows])
    return stream.getvalue().encode(errors="replace")


def _is_number(text: str) -> bool:
    """Whether a text is a number, with all its digits, and so no formula of a spreadsheet."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _cell(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return f"{value:.10g}" if math.isfinite(value) else ""
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return value
