"""Shared by the scripts: arguments, pictures with a note on their origin, tables, writing files."""

import argparse
import csv
import io
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

import diffdip
from diffdip import PAPER
from diffdip.io import OutputError, write_files
from diffdip.report.figures.style import STYLE


def parser_of(
    name: str, description: str, epilog: str, seed: int | None = 0
) -> argparse.ArgumentParser:
    """A parser with --out, --force and, if `seed` is not None, --seed with this default."""
    parser = argparse.ArgumentParser(
        prog=f"{name}.py",
        description=description,
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("out"),
        metavar="DIR",
        help="folder, created if missing: out",
    )
    parser.add_argument(
        "--force", action="store_true", help="replace files that diffdip did not write"
    )
    if seed is not None:
        parser.add_argument(
            "--seed",
            type=int,
            default=seed,
            help="the same seed gives the same samples: %(default)s",
        )
    return parser


def at_least(least: int, reason: str) -> Callable[[str], int]:
    """Argument type: a whole number not below `least`; smaller ones are refused with `reason`."""

    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"{value}: {reason}. Give {least} or more")
        return value

    return number


positive = at_least(1, "there would be no samples")
crystals = at_least(2, "pairs between crystals need two crystals")


class Amount(NamedTuple):
    """How much a script computes: the numbers of crystals, and the number of samples of each."""

    sizes: tuple[int, ...]
    samples: int


def parse_amount(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, full: Amount, quick: Amount
) -> tuple[argparse.Namespace, Amount]:
    """Parse all arguments; --samples, --sizes and --quick give the amount."""
    parser.add_argument(
        "--samples", type=positive, metavar="N", help=f"samples of each kind: {full.samples}"
    )
    listed = " ".join(map(str, full.sizes))
    parser.add_argument(
        "--sizes", type=crystals, nargs="+", metavar="N", help=f"numbers of crystals: {listed}"
    )
    listed = " ".join(map(str, quick.sizes))
    parser.add_argument(
        "--quick", action="store_true", help=f"{quick.samples} samples of {listed} crystals"
    )
    options = parser.parse_args(argv)
    sizes, samples = quick if options.quick else full
    sizes = tuple(dict.fromkeys(options.sizes or sizes))
    return options, Amount(sizes, options.samples or samples)


def parse_series(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, full: int, quick: int
) -> tuple[argparse.Namespace, int]:
    """Parse all arguments; --series and --quick give the number of series of each kind."""
    parser.add_argument("--series", type=positive, metavar="N", help=f"of each kind: {full}")
    parser.add_argument("--quick", action="store_true", help=f"{quick} of each kind")
    options = parser.parse_args(argv)
    return options, options.series or (quick if options.quick else full)


def made_by(command: str, convention: str = PAPER.name) -> str:
    """The note in a picture: the command and the convention that it was made with."""
    return f"diffdip {diffdip.__version__}, experiments/{command}; convention {convention}"


def picture_files(name: str, figure: Figure, made_by: str) -> dict[str, bytes]:
    """PNG and PDF of a figure, by file name. They contain the note `made_by` and no date."""
    files = {}
    metadata: dict[str, dict[str, Any]] = {
        "png": {"Software": None, "Description": made_by},
        "pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Subject": made_by},
    }
    for kind, described in metadata.items():
        stream = io.BytesIO()
        with mpl.rc_context(STYLE):
            figure.savefig(stream, format=kind, dpi=300, metadata=described)
        files[f"{name}.{kind}"] = stream.getvalue()
    return files


def csv_bytes(rows: Iterable[Sequence[Any]]) -> bytes:
    """The bytes of a CSV file."""
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()


def finish(
    parser: argparse.ArgumentParser, options: argparse.Namespace, made: dict[str, bytes], text: str
) -> None:
    """Write the files, then print the text and the names of the files."""
    try:
        written = write_files(options.out, made, force=options.force)
    except OutputError as error:
        parser.exit(2, f"{parser.prog.removesuffix('.py')}: {error}\n")
    print(text)
    print("wrote", *written)
