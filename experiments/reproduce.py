"""Reproduce the paper: all figures, and each claim with a number and a verdict.

The command `diffdip reproduce` runs this.
"""

import sys
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import claims
import collinearity
import dominant_pairs
import figure1
import figure3
import figure4
import figure5
import finite_size
import first_look

from diffdip.io import write_files


class Work:
    """Results that later parts need, and the folder for the files."""

    def __init__(self, out: Path, quick: bool, seed: int, *, force: bool):
        self.out, self.quick, self.seed, self.force = out, quick, seed, force
        self.samples = figure5.QUICK_SAMPLES if quick else figure5.SAMPLES
        self.sizes = figure5.QUICK_SIZES if quick else figure5.SIZES
        self.ensembles: dict[tuple[float, int], Any] = {}
        self.dominant: dict[str, dominant_pairs.Counted] = {}
        self.swept: list[collinearity.Row] = []
        self.written: list[Path] = []

    def write(self, files: dict[str, bytes], text: str) -> None:
        self.written += write_files(self.out, files, force=self.force)
        print(f"{text.rstrip()}\n", flush=True)


def make_first_look(work: Work) -> None:
    result = first_look.fit_example()
    work.write(first_look.files(result), first_look.table(result))


def make_figure1(work: Work) -> None:
    work.write(figure1.files(), figure1.table())


def make_figure3(work: Work) -> None:
    count = figure3.QUICK_DIPOLES if work.quick else figure3.DIPOLES
    seed = figure3.SEED + work.seed  # seed 0 gives the default seed of the script
    made = figure3.run(seed, count)
    work.write(figure3.files(made, seed, count), figure3.table(made))


def make_figure4(work: Work) -> None:
    samples = figure4.run(figure4.CRYSTALS, figure4.SAMPLES, work.seed)
    work.write(figure4.files(samples, work.seed, figure4.SAMPLES), figure4.table(samples))


def make_figure5(work: Work) -> None:
    work.ensembles = figure5.run(work.sizes, work.samples, work.seed)
    work.write(figure5.files(work.ensembles), figure5.table(work.ensembles))


def make_dominant(work: Work) -> None:
    size = (work.sizes[-1], work.samples, work.seed)
    work.dominant = dominant_pairs.run(*size)
    work.write(dominant_pairs.files(work.dominant, *size), dominant_pairs.text(work.dominant))


def make_finite_size(work: Work) -> None:
    sizes, seconds = (
        (finite_size.QUICK_SIZES, finite_size.QUICK_SECONDS)
        if work.quick
        else (finite_size.SIZES, finite_size.SECONDS)
    )
    rows = finite_size.run(sizes, work.samples, seconds, work.seed, work.ensembles)
    work.write(finite_size.files(rows), finite_size.table(rows))


def make_collinearity(work: Work) -> None:
    work.swept = collinearity.run_amount(work.quick, work.seed)
    samples = collinearity.QUICK_SAMPLES if work.quick else collinearity.SAMPLES
    work.write(collinearity.files(work.swept, work.seed, samples), collinearity.table(work.swept))


def make_claims(work: Work) -> None:
    rows = claims.all_claims(work.ensembles, work.dominant, work.swept)
    work.write(claims.files(rows, work.ensembles), claims.table(rows))


FIGURES: dict[int, Callable[[Work], None]] = {
    1: make_figure1,
    3: make_figure3,
    4: make_figure4,
    5: make_figure5,
}
"""The calculated figures of the paper, by number."""

ALL_PARTS = {
    "first look": make_first_look,
    **{f"Fig. {number}": part for number, part in FIGURES.items()},
    "dominant pairs": make_dominant,
    "finite size": make_finite_size,
    "collinearity": make_collinearity,
    "claims": make_claims,
}


def reproduce(
    out: Path,
    figures: Collection[int] = (),
    quick: bool = False,
    seed: int = 0,
    *,
    force: bool = False,
) -> list[Path]:
    """Make everything, or only these `figures`.

    Tables are printed to standard output, progress to standard error. Each part is written as soon
    as it is finished.

    Args:
        out: Folder for the files.
        figures: Numbers of figures; none makes everything.
        quick: Take fewer samples and sizes.
        seed: Seed of all samples.
        force: Whether to replace files that diffdip did not write.

    Returns:
        The files that were written.

    Raises:
        OutputError: If files cannot be written. The folder is tested first.
    """
    parts = ALL_PARTS
    if figures:
        parts = {f"Fig. {number}": FIGURES[number] for number in sorted(set(figures))}
    work = Work(out, quick, seed, force=force)
    write_files(out, {})
    start = time.perf_counter()
    report = lambda text: print(text, file=sys.stderr, flush=True)
    for index, (name, part) in enumerate(parts.items(), 1):
        report(f"[{index}/{len(parts)}] {name} ({time.perf_counter() - start:.0f} s)")
        part(work)
    report(f"done in {time.perf_counter() - start:.0f} s")
    return work.written
