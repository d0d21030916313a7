"""What commands print and write. Rich and Matplotlib are imported when they are needed."""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ..ensembles.model_parameters import ALL
from ..foundation.visible_text import visible
from .common import check_folder, tell
from .modes import Mode, mode


if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console
    from rich.table import Table

FIGURE_KINDS = ("png", "pdf")

LONGEST_NAME = 24
"""Characters after which a name is folded in a narrow terminal."""


def console() -> "Console":
    """Standard output for text; at least 100 columns wide where it is not a terminal.

    With --json and --quiet text goes nowhere.
    """
    from rich.console import Console

    if mode() is not Mode.TEXT:
        return Console(file=io.StringIO())
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=100)


def print_line(shown: "Console", text: str) -> None:
    """One line, however long, in which no character is markup or moves the cursor."""
    shown.print(visible(text), markup=False, soft_wrap=True)


def print_doubt(shown: "Console", text: str) -> None:
    """One line about a doubt, which --quiet and --json do not hide."""
    if mode() is Mode.TEXT:
        print_line(shown, text)
    else:
        tell(text)


def print_json(document: Callable[[], Mapping[str, Any] | bytes]) -> None:
    """With --json: the result, as the JSON file of the command has it."""
    if mode() is Mode.JSON:
        from ..io.writing import json_bytes

        found = document()
        text = (found if isinstance(found, bytes) else json_bytes(found)).decode()
        typer.echo(text.rstrip())


def print_table(
    shown: "Console",
    title: str,
    heads: Sequence[str],
    sections: Iterable[Sequence[Sequence[str]]],
    *,
    names: int = 1,
    dropped: Sequence[str] = (),
) -> None:
    """A table of text, or its rows as sentences in a terminal that is too narrow for it.

    Args:
        shown: Where it is printed.
        title: Stands above the table.
        heads: Of the columns.
        sections: Groups of rows. A name that is empty is that of the row above.
        names: How many columns at the left are names.
        dropped: Heads of the columns that are left out of a narrow table, one after the other.
    """
    sections = [[[visible(cell) for cell in row] for row in rows] for rows in sections]
    for count in range(len(dropped) + 1):
        kept = [i for i, head in enumerate(heads) if head not in dropped[:count]]
        for longest in (None, LONGEST_NAME):
            table = _table(title, heads, sections, names, kept, longest)
            wide = shown.options.update(width=10_000, max_width=10_000)
            needed = shown.measure(table, options=wide).maximum
            if not shown.is_terminal:  # a file takes lines of any length
                shown.width = max(shown.width, needed)
            if needed <= shown.width:
                shown.print(table)
                return
    print_line(shown, title)
    for rows in sections:
        last = [""] * names
        for row in rows:
            last = [cell or before for cell, before in zip(row, last, strict=False)]
            cells = zip(heads[names:], row[names:], strict=True)
            said = "; ".join(f"{head} {cell}" for head, cell in cells if cell)
            shown.print(f"{', '.join(last)}: {said}", markup=False)


def _table(
    title: str,
    heads: Sequence[str],
    sections: Iterable[Sequence[Sequence[str]]],
    names: int,
    kept: Sequence[int],
    longest: int | None,
) -> "Table":
    """A table of the columns that are kept; long names are folded."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left")
    for i in kept:
        if i < names:
            table.add_column(heads[i], overflow="fold", max_width=longest, no_wrap=longest is None)
        else:
            table.add_column(heads[i], justify="right", no_wrap=True)
    for rows in sections:
        for row in rows:
            table.add_row(*(Text(row[i]) for i in kept))
        table.add_section()
    return table


def print_paths(shown: "Console", written: list[Path]) -> None:
    """Say which files were written, and where."""
    if written:
        names = ", ".join(path.name for path in written)
        print_line(shown, f"wrote {names} in {written[0].parent}")


def check_results(
    out: Path | None, names: Iterable[str], inputs: Iterable[Path] = (), *, force: bool
) -> None:
    """Refuse, before a computation, what `write_files` would refuse after it."""
    check_folder(out)
    if out is not None:
        from ..io.writing import check_inputs, check_origins

        unknown = dict.fromkeys(names, b"")
        check_inputs([out / name for name in unknown], inputs)
        if not force:
            check_origins(out, unknown)


def names_with_figure(stem: str) -> list[str]:
    """The files that `write_with_figure` writes for a command with a JSON and a CSV file."""
    return [f"{stem}.{kind}" for kind in ("json", "csv", *FIGURE_KINDS)]


def write_with_figure(
    out: Path, files: Mapping[str, bytes], stem: str, figure: "Figure", **options: Any
) -> list[Path]:
    """Write files, and a figure of each kind; the options are those of `write_files`."""
    from ..io import write_files
    from ..report.figures.style import figure_bytes

    figures = {f"{stem}.{kind}": figure_bytes(figure, kind) for kind in FIGURE_KINDS}
    return write_files(out, {**files, **figures}, **options)


def samples_title(settings: Mapping[str, Any]) -> str:
    """The heading of a table about samples of a model."""
    model = settings["model"]
    return (
        f"{settings['n_samples']} samples of {model['type']}, {model['convention']} convention, "
        f"seed {settings['seed']}"
    )


def with_unit(value: str, parameter: str) -> str:
    """A value with the unit of a model's parameter.

    >>> with_unit("2", "density"), with_unit("3", "kappa")
    ('2 nm⁻³', '3')
    """
    unit = ALL[parameter].unit if parameter in ALL else ""
    return f"{value} {unit}".strip()
