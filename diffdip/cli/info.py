"""`diffdip info`: what was recognized in files of spectra, in a table."""

from pathlib import Path
from typing import Annotated, Any

import typer

from ..foundation.errors import InputError
from ..foundation.version import __version__
from .common import MEASUREMENTS, command, tell
from .modes import Mode, mode
from .option_names import option_name
from .output import console, print_json, print_line


@command(MEASUREMENTS, has_json=True)
def info(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files or folders of spectra.")
    ],
) -> None:
    """Say what is recognized in files of spectra.

    For each file it prints the format and the instrument; the axis of the field with its unit in
    the file, its range in mT and the number of points; the frequency; the angle and where it came
    from; notes; and what is in the file but not used. It writes nothing. If a file cannot be read,
    it says why, and the exit code is 2.

    [bold]Examples[/bold]

        diffdip info film_10deg.xml

        diffdip info sweeps/*.DSC
    """
    shown = console()
    failed = 0
    found: list[dict[str, Any]] = []
    for file in files:
        try:
            rows = _rows(file)
        except InputError as error:
            failed += 1
            rows = [("cannot be read", error.worded(option_name))]
            if mode() is Mode.QUIET:
                tell(f"{file}: {rows[0][1]}")
        found.append({"file": str(file), **_document(rows)})
        print_line(shown, f"{file}")
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            print_line(shown, f"  {name:{width}}  {value}")
    print_json(lambda: {"diffdip": __version__, "files": found})
    if failed:
        raise typer.Exit(2)


def _document(rows: list[tuple[str, str]]) -> dict[str, Any]:
    """The rows by name, all notes as a list."""
    notes = [value for name, value in rows if name == "note"]
    others = {name.replace(" ", "_"): value for name, value in rows if name != "note"}
    return {**others, "notes": notes}


def _rows(path: Path) -> list[tuple[str, str]]:
    """Names and values for one file or folder. Raises `InputError`."""
    from ..io.sweep_summary import summary_of

    return summary_of(path)
