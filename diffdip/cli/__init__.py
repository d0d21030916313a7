"""The command `diffdip`: thin over the library, one module for each kind of question.

Fields are mT, angles degrees, frequencies GHz, lengths nm. Wrong input ends with one line on
stderr and exit code 2 before anything is written. JAX and other large packages are imported when a
command runs, so that `diffdip --help` is fast.

`main` is the process; `app` is the Typer application with all commands, loaded when it is first
used.
"""

import atexit
import gc
from typing import Any

from ..foundation.interruption import end_at_signals


def __getattr__(name: str) -> Any:
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .commands import app

    return app


def main() -> None:
    """Run `diffdip` as the process that it is, and end it with the exit code of the command.

    Signals are handled from the first line on: the other imports take a third of a second.
    """
    end_at_signals()
    # JAX makes a million objects that stay. With the thresholds of Python, a cold fit spends a
    # seventh of its time on looking for cycles among them, most of that after its last line.
    gc.set_threshold(200_000, 2, 2)
    atexit.register(gc.freeze)

    from .streams import run_to_streams

    run_to_streams(lambda: __getattr__("app")(prog_name="diffdip"))
