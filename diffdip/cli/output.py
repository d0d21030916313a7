"""What commands print and write. Rich and Matplotlib are imported when they are needed."""

import io
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..ensembles.model_parameters import ALL
from .common import check_folder


if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

FIGURE_KINDS = ("png", "pdf")


def console() -> "Console":
    """Standard output for any encoding; at least 100 columns wide where it is not a terminal."""
    from rich.console import Console

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=100)


def print_line(shown: "Console", text: str) -> None:
    """One line, however long, in which no character is markup."""
    shown.print(text, markup=False, soft_wrap=True)


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
