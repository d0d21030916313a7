"""A progress bar on stderr, where that is a terminal."""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar


_WITHOUT: ContextVar[bool] = ContextVar("without bars", default=False)


@contextlib.contextmanager
def without_bars() -> Iterator[None]:
    """Show no bar while the block runs."""
    token = _WITHOUT.set(True)
    try:
        yield
    finally:
        _WITHOUT.reset(token)


@contextlib.contextmanager
def progress_bar(task: str, total: int, *, shown: bool = True) -> Iterator[Callable[..., None]]:
    """Show a bar while the block runs; it yields a function that moves the bar on.

    Args:
        task: What the bar says.
        total: The number of steps.
        shown: False hides the bar on a terminal too.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=_WITHOUT.get() or not (shown and console.is_terminal),
    ) as bar:
        name = bar.add_task(task, total=total)
        yield lambda steps=1: bar.advance(name, steps)
