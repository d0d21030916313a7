"""Whole commands as cold processes, compared with a process that draws a figure by hand.

    python experiments/benchmarks/startup.py [--spectra FOLDER] [--sweeps 2000] [--repeats 5]

The reference, `reference_figure.py`, imports jax, equinox and scipy.stats and draws a figure like
that of `diffdip fit` to PNG and PDF. Each command runs in turn with the reference. FOLDER holds the
spectra of a rotation; without it 19 sweeps are made. Many sweeps of 1000 samples (`--sweeps`) are
analysed once. A curve and its picture are made as the app does. This is not a test.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
import xarray as xr
from harness import header, line, machine, row

import diffdip as dd
from diffdip.report.curve import CurveSettings, resonance_curve
from diffdip.report.figures.style import figure_bytes


PICTURE_DPI = 150
REFERENCE = Path(__file__).with_name("reference_figure.py")
COMMAND = (sys.executable, "-c", "from diffdip.cli import main; main()")
CURVE = ("curve", "--a-mt", "191.5", "--b-mt", "204.6", "--frequency-ghz", "9.45")


def run(*command: str) -> tuple[float, float, float]:
    """Wall and CPU seconds of a process, and its highest memory in MiB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def against_reference(name: str, arguments: tuple[str, ...], repeats: int, folder: str) -> None:
    """Median times of a command and of the reference, run in turn, and their ratio."""
    ours, theirs = [], []
    for _ in range(repeats):
        theirs.append(run(sys.executable, str(REFERENCE), folder))
        ours.append(run(*COMMAND, *arguments, "--out", f"{folder}/{arguments[0]}"))
    (wall, cpu, _), (reference, reference_cpu, _) = (
        [statistics.median(values) for values in zip(*times, strict=True)]
        for times in (ours, theirs)
    )
    row(
        f"{name}, wall", f"{wall:.2f} s", f"imports and figure, {reference:.2f} s", wall / reference
    )
    row(f"{name}, CPU", f"{cpu:.2f} s", f"{reference_cpu:.2f} s", cpu / reference_cpu)


def sweeps(path: Path, count: int, samples: int = 1000) -> str:
    """Noisy spectra of a rotation as a NetCDF file."""
    angle = np.linspace(0, 180, count)
    field = np.linspace(290, 400, samples)
    with jax.enable_x64(True):
        sample = dd.AnisotropyFields(0.02, 0.03, 0.005)
        position = 1e3 * np.asarray(dd.resonance_field(sample, np.radians(angle), 9.45e9))
    x = (field - position[:, None]) / 4
    noise = np.random.default_rng(0).normal(size=x.shape)
    xr.Dataset(
        {"signal": (("angle", "field"), -x / (1 + x**2) ** 2 + 0.005 * noise)},
        coords={
            "angle": ("angle", angle, {"units": "deg"}),
            "field": ("field", field, {"units": "mT"}),
            "frequency": ("angle", np.full(count, 9.45), {"units": "GHz"}),
        },
    ).to_netcdf(path)
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--spectra", type=Path, help="folder of the spectra of a rotation")
    parser.add_argument("--sweeps", type=int, default=2000, help="sweeps that are analysed once")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each command")
    given = parser.parse_args()
    print(machine("float64"))

    with tempfile.TemporaryDirectory() as folder:
        few = str(given.spectra or sweeps(Path(folder, "few.nc"), 19))
        header("Cold processes (ratio: time over reference)")
        for name, arguments in (
            ("fit --example", ("fit", "--example")),
            ("curve", CURVE),
            ("analyze, 19 spectra", ("analyze", few)),
        ):
            against_reference(name, arguments, given.repeats, folder)

        header("Imports (ratio: time over reference)")
        libraries, *_ = run(sys.executable, "-c", "import jax, equinox, scipy.stats")
        own, *_ = run(sys.executable, "-c", "import diffdip")
        row("import diffdip", f"{own:.2f} s", "jax, equinox, scipy.stats", own / libraries)

        header("Explore, a slider is moved", ("", "seconds"))
        settings = [CurveSettings((191.5 + i, 204.6, 0.0), 2.0, 9.45) for i in range(4)]
        for name, moved in zip(("first", "second", "third", "fourth"), settings, strict=True):
            start = time.perf_counter()
            figure_bytes(resonance_curve(moved).figure(), "png", PICTURE_DPI)
            line(name, f"{time.perf_counter() - start:.2f} s")

        header(f"{given.sweeps} sweeps of 1000 samples", ("", "wall", "CPU", "memory"))
        many = sweeps(Path(folder, "many.nc"), given.sweeps)
        for command, out in (("positions", "positions.csv"), ("analyze", "of-many")):
            wall, cpu, memory = run(*COMMAND, command, many, "--out", f"{folder}/{out}")
            line(command, f"{wall:.1f} s", f"{cpu:.1f} s", f"{memory:.0f} MiB")


if __name__ == "__main__":
    main()
