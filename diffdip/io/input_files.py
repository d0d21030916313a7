"""Files that are read: their bytes within a limit, and their places in errors.

A reader raises errors that say where in its file something is wrong ("row 3"). The caller that
knows the name of the file, as the user knows it, adds that name once, with `inside`.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..foundation.errors import InputError


@contextmanager
def inside(place: str) -> Iterator[None]:
    """Add a place to every `InputError` that is raised in the block.

    >>> with inside("film.csv"), inside("row 3"):
    ...     raise InputError("no number")
    Traceback (most recent call last):
    diffdip.foundation.errors.InputError: film.csv: row 3: no number
    """
    try:
        yield
    except InputError as error:
        raise error.at(place) from None


def as_place(path: Path | str) -> str:
    """A path as a place in an error, with odd characters escaped.

    >>> print(as_place(Path("film 10°.csv")), as_place("a\\0b"))
    film 10°.csv 'a\\x00b'
    """
    text = str(path)
    return text if text.isprintable() else repr(text)


def short_message(error: Exception) -> str:
    """The message of another library on one short line.

    >>> short_message(ValueError("bad\\n  magic number"))
    'bad magic number'
    """
    return " ".join(str(error).split())[:100] or type(error).__name__


def first_bytes(path: Path, count: int, failure: type[InputError], expected: str) -> bytes:
    """Up to `count` bytes from the start of a regular file.

    It allocates no more than the file holds. Raises `failure`, without the file's name, for
    anything else; `expected` is a phrase for it.
    """
    try:
        if path.exists() and not path.is_file():
            raise failure("not a regular file", expected=expected)
        with path.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            return stream.read(min(size + 1, count))
    except failure:
        raise
    except OSError as error:
        reason = error.strerror or error
    except ValueError as error:  # a null byte in the name
        reason = error
    raise failure(f"cannot be read: {reason}", hint="Check its name and permissions")


def without_dos_end(data: bytes) -> bytes:
    """The bytes without the Ctrl-Z at which DOS programs end a text, and what fills its block.

    >>> without_dos_end(b"1 2\\r\\n\\x1a\\x1a\\x00")
    b'1 2\\r\\n'
    """
    rest = data.rstrip(b"\x1a\x00\r\n")
    end = data[len(rest) :].partition(b"\x1a")
    return rest + end[0] if end[1] else data


def all_bytes(path: Path, limit: int, failure: type[InputError], expected: str) -> bytes:
    """All bytes of a regular file. Raises `failure` as `first_bytes` does, or beyond `limit`."""
    data = first_bytes(path, limit + 1, failure, expected)
    if len(data) > limit:
        raise failure(f"more than {limit / 1e6:g} MB", expected=expected)
    return data
