"""Reproduce the paper: all figures, and every claim with a number and a verdict.

python experiments/reproduce.py --quick --out out
"""

import csv
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import claims
import dominant_pairs
import figure1
import figure3
import figure4
import figure5
import finite_size
from figure4 import parser_of, picture_files

import diffdip
from diffdip import UniformCylinder
from diffdip.io import OutputError, write_files


FIGURES = (1, 3, 4, 5)
QUICK_DIPOLES, DIPOLES = 300, 1000

DESCRIPTION = """\
Reproduce Figs. 1, 3, 4, 5 of the paper, its dominant pairs, a finite-size study and its claims.

Everything goes into one folder; claims.md lists each claim of the paper with the number found
here, a verdict and the reason. Each part is written as soon as it is done. With --figure only those
figures are made.
"""

EPILOG = """\
Figs. 1, 3, 4 and 5 take a few minutes on two cores, the finite-size study some more; --quick takes
fewer samples everywhere, about two minutes in all. Examples:
  python experiments/reproduce.py --quick --out out
  python experiments/reproduce.py --figure 5 --seed 1 --out out
"""


class Work:
    """What is done so far: results that later parts need, and the folder that files go to."""

    def __init__(self, out: Path, seed: int, quick: bool):
        self.out, self.seed, self.quick = out, seed, quick
        self.samples = figure5.QUICK_SAMPLES if quick else figure5.SAMPLES
        self.ensembles: dict[tuple[float, int], Any] = {}
        self.dominant: dict[float, Any] = {}
        self.written: list[Path] = []

    def made_by(self, script: str) -> str:
        return (
            f"diffdip {diffdip.__version__}, experiments/reproduce.py, {script}, seed {self.seed}, "
            f"convention {diffdip.PAPER}"
        )

    def write(self, files: dict[str, bytes], text: str) -> None:
        self.written += write_files(self.out, files)
        print(text, flush=True)


def make_figure1(work: Work) -> None:
    drawn = picture_files("figure1", figure1.figure(), work.made_by("figure1.py"))
    work.write(drawn, figure1.table())


def make_figure3(work: Work) -> None:
    count = QUICK_DIPOLES if work.quick else DIPOLES
    # seed 0 is the one that the script itself takes
    seed = figure3.SEED + work.seed
    made = [figure3.arrange(seed, i, count) for i in range(figure3.ARRANGEMENTS)]
    made_by = work.made_by(f"figure3.py --seed {seed} --dipoles {count}")
    work.write(
        picture_files("figure3", figure3.draw(made), made_by),
        "\n".join(figure3.describe(index, one) for index, one in enumerate(made)),
    )


def make_figure4(work: Work) -> None:
    samples = figure4.run(figure4.CRYSTALS, figure4.SAMPLES, work.seed)
    made = figure4.files(samples, work.seed, figure4.SAMPLES)
    work.write(made, figure4.table(samples))


def make_figure5(work: Work) -> None:
    work.ensembles = figure5.run(figure5.SIZES, work.samples, work.seed)
    work.write(figure5.files(work.ensembles), figure5.table(work.ensembles))


def make_dominant(work: Work) -> None:
    size = figure5.SIZES[-1]
    work.dominant = {
        spacing: dominant_pairs.run(size, work.samples, work.seed, spacing)
        for spacing in figure5.SPACINGS
    }
    results = {f"extra dipoles {figure5.rule(s)}": found for s, found in work.dominant.items()}
    uniform = UniformCylinder(n=1000, density=2.0)
    results["1000 uniform dipoles"] = dominant_pairs.run_model(uniform, work.samples, work.seed)
    rows = dominant_pairs.table(results)
    stream = io.StringIO(newline="")
    csv.writer(stream, lineterminator="\n").writerows(rows)
    made_by = work.made_by(f"dominant_pairs.py --crystals {size} --samples {work.samples}")
    work.write(
        {
            **picture_files("dominant_pairs", dominant_pairs.figure(results), made_by),
            "dominant_pairs.csv": stream.getvalue().encode(),
        },
        "\n".join("; ".join(row) for row in rows),
    )


def make_finite_size(work: Work) -> None:
    if work.quick:
        sizes, samples, seconds = (
            finite_size.QUICK_SIZES,
            finite_size.QUICK_SAMPLES,
            finite_size.QUICK_SECONDS,
        )
    else:
        sizes, samples, seconds = finite_size.SIZES, finite_size.SAMPLES, finite_size.SECONDS
    rows = finite_size.run(sizes, samples, seconds, work.seed)
    work.write(finite_size.files(rows), finite_size.table(rows))


def make_claims(work: Work) -> None:
    rows = claims.claims(work.ensembles, work.dominant)
    work.write(claims.files(rows, work.ensembles), claims.table(rows))


FIGURE_PARTS: dict[int, Callable[[Work], None]] = {
    1: make_figure1,
    3: make_figure3,
    4: make_figure4,
    5: make_figure5,
}
ALL_PARTS = {
    **{f"Fig. {number}": part for number, part in FIGURE_PARTS.items()},
    "dominant pairs": make_dominant,
    "finite size": make_finite_size,
    "claims": make_claims,
}


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("reproduce", DESCRIPTION, EPILOG)
    parser.add_argument(
        "--figure",
        type=int,
        choices=FIGURES,
        action="append",
        metavar="N",
        help="only this figure (1, 3, 4 or 5); may be given again",
    )
    parser.add_argument("--quick", action="store_true", help="fewer samples, about two minutes")
    options = parser.parse_args(argv)
    parts = ALL_PARTS
    if options.figure:
        parts = {f"Fig. {number}": FIGURE_PARTS[number] for number in sorted(set(options.figure))}
    work = Work(options.out, options.seed, options.quick)
    start = time.perf_counter()
    for index, (name, part) in enumerate(parts.items()):
        seconds = time.perf_counter() - start
        print(f"[{index + 1}/{len(parts)}] {name} ({seconds:.0f} s)", file=sys.stderr, flush=True)
        try:
            part(work)
        except OutputError as error:
            parser.exit(2, f"reproduce: {error}\n")
        print()
    print("wrote", *work.written)


if __name__ == "__main__":
    main()
