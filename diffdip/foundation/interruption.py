"""Ctrl-C and SIGTERM: the process ends at once, with one line, and leaves no half-written file.

Python runs signal handlers between two steps of the main thread, which can be a minute late while
XLA compiles; and an exception raised between any two steps can end in XLA as a segfault. So the
handlers do nothing. A thread reads the numbers of signals from a pipe and ends the process.
"""

import _thread
import atexit
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final


EXIT_CODES: Final[dict[int, int]] = {signal.SIGINT: 130, signal.SIGTERM: 143}
"""Signals that end the process, and its exit codes, as shells have them."""

PATIENCE: Final = 5.0
"""Seconds that a signal waits for files that are being written."""

UNFINISHED: Final[set[str]] = set()
"""Files and folders that an interruption removes."""

_WRITING: Final = _thread.RLock()
_ADVICE = ["Start the same command again"]


def end_at_signals() -> None:
    """End this process at Ctrl-C and SIGTERM; call it first, in the main thread.

    Signals that the caller of the process ignores, as `nohup` does, stay ignored.
    """
    reading, writing = os.pipe()
    if os.name == "posix":
        os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in EXIT_CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    _thread.start_new_thread(_wait, (reading,))
    atexit.register(_default)


def advise(sentence: str) -> None:
    """Say how to go on after an interruption, without a full stop."""
    _ADVICE[0] = sentence


@contextmanager
def undivided() -> Iterator[None]:
    """Let an interruption wait until the files of this block are complete."""
    with _WRITING:
        yield


@contextmanager
def unfinished(*paths: str | os.PathLike[str]) -> Iterator[None]:
    """Remove these files or folders if the block is interrupted, in whatever way."""
    names = {os.fspath(path) for path in paths}
    UNFINISHED.update(names)
    try:
        yield
    except BaseException:
        remove(names)
        raise
    finally:
        UNFINISHED.difference_update(names)


def remove(paths: set[str]) -> None:
    """Remove files, and folders with all that they hold; what cannot be removed stays."""
    for path in paths:
        for folder, folders, files in os.walk(path, topdown=False):
            for name in files:
                _try(os.unlink, os.path.join(folder, name))
            for name in folders:
                _try(os.rmdir, os.path.join(folder, name))
        _try(os.rmdir if os.path.isdir(path) else os.unlink, path)


def _try(action: Callable[[str], None], path: str) -> None:
    try:
        action(path)
    except OSError:
        return


def _wait(reading: int) -> None:
    """Wait for a signal, and end the process. Must not import: the main thread may be importing."""
    code = None
    while code is None:
        code = EXIT_CODES.get(os.read(reading, 1)[0])
    _WRITING.acquire(timeout=PATIENCE)  # kept, so that no other file is begun
    remove(set(UNFINISHED))
    # a progress bar hides the cursor
    clear = "\r\x1b[2K\x1b[?25h" if os.isatty(2) else ""
    try:
        os.write(2, f"{clear}diffdip: interrupted. {_ADVICE[0]}\n".encode())
    finally:
        os._exit(code)


def _default() -> None:
    """Let signals end the process in their usual way while Python ends."""
    for number in EXIT_CODES:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.set_wakeup_fd(-1)
