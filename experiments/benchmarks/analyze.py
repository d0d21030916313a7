"""Speed of `diffdip analyze` as a cold process, compared with importing its libraries.

    python experiments/benchmarks/analyze.py FOLDER

FOLDER holds the spectra of a rotation. The reference is a fresh process that imports jax, xarray,
matplotlib and scipy. Prints a ratio and the time of each stage. This is not a test.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from fits import process_time
from harness import header, line, machine, row


LIBRARIES = "import jax, xarray, matplotlib, scipy"


def stages(folder: Path) -> dict[str, float]:
    """Seconds of each stage, one after the other in this process, including compilation."""
    from diffdip.io import read_spectra
    from diffdip.report.analysis import analyze
    from diffdip.report.files import analysis_files

    times = {}
    start = time.perf_counter()
    spectra = read_spectra(folder)
    times["read"] = time.perf_counter() - start
    start = time.perf_counter()
    found = analyze(spectra)
    times["positions and fit"] = time.perf_counter() - start
    start = time.perf_counter()
    analysis_files(found)
    times["figures, tables, report"] = time.perf_counter() - start
    return times


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder of spectra")
    folder = parser.parse_args().folder
    print(machine("float64"))

    header("From a folder of spectra to a report (ratio: time over reference)")
    libraries = process_time(sys.executable, "-c", LIBRARIES)
    with tempfile.TemporaryDirectory() as out:
        command = (sys.executable, "-c", "from diffdip.cli import app; app()")
        own = process_time(*command, "analyze", str(folder), "--out", out)
    row("diffdip analyze, cold", f"{own:.2f} s", f"libraries, {libraries:.2f} s", own / libraries)

    header("Time of each stage", ("", "seconds"))
    for name, seconds in stages(folder).items():
        line(name, f"{seconds:.2f} s")


if __name__ == "__main__":
    main()
