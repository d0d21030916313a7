"""A progress bar on stderr, where that is a terminal."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console


@contextlib.contextmanager
def progress_bar(
    task: str, total: int, done: int = 0, shown: bool = True
) -> Iterator[Callable[..., None]]:
    """A bar for the time of the work; call what it yields with the steps that were completed."""
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
        disable=not (shown and console.is_terminal),
    ) as bar:
        name = bar.add_task(task, total=total, completed=done)
        yield lambda steps=1: bar.advance(name, steps)
