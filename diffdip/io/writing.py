"""Strict JSON and plain CSV as bytes, and files that are written completely or not at all.

Everything is built in memory first. `write_files` then puts it into place so that a failure leaves
no file half-written. Tables have one header row with units and an empty cell where a value is
missing.
"""

import csv
import io
import json
import math
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..foundation.version import __version__


class OutputError(OSError):
    """A file that cannot be written. The message is one line and names the path."""


def write_files(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write all files into a folder, or none of them.

    Each file is written beside its place first and moved there when all are complete. A failure
    leaves what was there before.

    Args:
        folder: Is made if it does not exist, with its parents.
        files: Contents by file name. Files of the same names are replaced.

    Returns:
        The paths of the files, in the same order.

    Raises:
        OutputError: Where a file cannot be written. It names the path and the reason.
    """
    folder = Path(folder)
    made = [parent for parent in (folder, *folder.parents) if not _exists(parent)]
    parts: list[tuple[Path, Path]] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            target = folder / name
            if target.is_dir():
                raise IsADirectoryError(None, "a folder has this name", str(target))
            part = folder / f".{name}.{uuid.uuid4().hex}.part"
            parts.append((part, target))
            part.write_bytes(data)
        for part, target in parts:
            os.replace(part, target)
    except (OSError, ValueError) as error:
        for part, _ in parts:
            part.unlink(missing_ok=True)
        for parent in made:
            _remove_empty(parent)
        where = getattr(error, "filename", None) or folder
        reason = getattr(error, "strerror", None) or error
        raise OutputError(f"{where}: cannot be written: {reason}") from error
    return [target for _, target in parts]


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


def _cell(value: Any) -> Any:
    if isinstance(value, float | np.floating):
        return f"{value:.10g}" if math.isfinite(value) else ""
    return value
