"""Standard output and error of the process: in any encoding, and where they cannot be written."""

import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO


class StreamError(OSError):
    """Standard output or error cannot be written: a full disk, a closed pipe."""


class Stream(io.TextIOWrapper):
    """Shows a question mark for what its encoding lacks, and raises `StreamError`."""

    def write(self, text: str, /) -> int:
        with _as_stream_error():
            return super().write(text)

    def flush(self) -> None:
        with _as_stream_error():
            super().flush()


def run_to_streams(command: Callable[[], None]) -> None:
    """Run a command; an output that cannot be written ends it with one line and exit code 2."""
    sys.stdout, sys.stderr = _wrapped(sys.stdout), _wrapped(sys.stderr)
    try:
        try:
            command()
        finally:
            sys.stdout.flush()
    except StreamError as error:
        _drop(sys.stdout)
        if not isinstance(error.__cause__, BrokenPipeError):  # `| head` has seen enough
            line = f"diffdip: standard output cannot be written: {error.strerror}\n"
            try:
                sys.stderr.write(line)
                sys.stderr.flush()
            except StreamError:
                _drop(sys.stderr)
        sys.exit(2)


def _wrapped(stream: TextIO | None) -> TextIO:
    """The stream as a `Stream`; one that is closed goes nowhere."""
    if stream is None:
        return open(os.devnull, "w", encoding="utf-8")
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    return Stream(
        stream.detach(),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


@contextmanager
def _as_stream_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StreamError(error.errno, error.strerror) from error


def _drop(stream: TextIO) -> None:
    """Send what is left nowhere: Python flushes once more when it ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except OSError:
        return
