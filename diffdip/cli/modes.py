"""What a command prints: text, JSON, or nothing but errors and doubts."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from enum import Enum

from ..foundation.errors import InputError
from ..foundation.progress import without_bars


class Mode(Enum):
    """What goes to standard output."""

    TEXT = "text"
    JSON = "json"
    QUIET = "quiet"


_MODE: ContextVar[Mode] = ContextVar("mode", default=Mode.TEXT)


def mode() -> Mode:
    """The mode of the command that runs."""
    return _MODE.get()


@contextmanager
def printing(*, quiet: bool, as_json: bool) -> Iterator[None]:
    """Print in the mode of the options while the block runs."""
    if quiet and as_json:
        raise InputError("--json", expected="no --quiet beside it")
    chosen = Mode.QUIET if quiet else Mode.JSON if as_json else Mode.TEXT
    token = _MODE.set(chosen)
    try:
        if quiet:
            with without_bars():
                yield
        else:
            yield
    finally:
        _MODE.reset(token)
