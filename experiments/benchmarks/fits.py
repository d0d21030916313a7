"""Speed of fits and of the command line, compared with scipy and with imports in the same run.

    python experiments/benchmarks/fits.py [--series 10000]

Three ratios: `fit_many` on series of 37 angles, compared with scipy; `diffdip fit` as a cold
process, compared with `python -c "import jax, equinox, scipy.stats, matplotlib.pyplot"`; and
`import diffdip`, compared with `import jax, equinox, scipy.stats`. This is not a test.
"""

import argparse
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from harness import header, machine, row

import diffdip as dd


NU = 9.45e9
ANGLES = np.deg2rad(np.arange(0, 181, 5.0))


def process_time(*command: str, repeats: int = 3) -> float:
    """Shortest wall time of a process, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


def planted(count: int) -> np.ndarray:
    """Noisy series of samples with |A|, |B| ≤ 250 mT."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(-0.25, 0.25, (count, 3)) * np.array([1, 1, 0.4])
    with jax.enable_x64(True):
        curves = jax.vmap(lambda x: dd.resonance_field(dd.AnisotropyFields(*x), ANGLES, NU))
        clean = np.asarray(jax.jit(curves)(jnp.asarray(truth)))
    clean = clean[np.sum(np.isfinite(clean), axis=1) >= 8]
    return clean + 2e-3 * rng.normal(size=clean.shape)


def scipy_fit_time(fields: np.ndarray) -> float:
    """Seconds for one scipy fit from one start, with our compiled model and its Jacobian."""
    with jax.enable_x64(True):
        model = lambda x: dd.resonance_field(dd.AnisotropyFields(*x), ANGLES, NU)
        value, slope = jax.jit(model), jax.jit(jax.jacfwd(model))
        complete = [field for field in fields if np.all(np.isfinite(field))][:50]

        def fit(field: np.ndarray) -> None:
            scipy.optimize.least_squares(
                lambda x: np.nan_to_num(value(x)) - field,
                np.zeros(3),
                jac=lambda x: np.nan_to_num(slope(x)),
                method="lm",
            )

        fit(complete[0])
        start = time.perf_counter()
        for field in complete:
            fit(field)
        return (time.perf_counter() - start) / len(complete)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--series", type=int, default=10_000, help="number of series for fit_many")
    count = parser.parse_args().series
    print(machine("float64"))

    header("Fits of 37 angles, A, B, C free")
    fields = planted(count)
    per_scipy = scipy_fit_time(fields)
    for intervals in (False, True):
        part = fields if not intervals else fields[: max(len(fields) // 10, 256)]
        start = time.perf_counter()
        dd.fit_many(ANGLES, part[:256], 2e-3, frequency=NU, intervals=intervals)
        first = time.perf_counter() - start
        start = time.perf_counter()
        dd.fit_many(ANGLES, part, 2e-3, frequency=NU, intervals=intervals)
        each = (time.perf_counter() - start) / len(part)
        name = f"fit_many, {len(part)} series" + (", profiles" if intervals else "")
        row(
            name,
            f"{1e3 * each:.3f} ms each",
            "scipy least_squares, one start",
            per_scipy / each,
            first,
        )

    header("Whole processes (ratio: time over reference)")
    libraries = process_time(sys.executable, "-c", "import jax, equinox, scipy.stats")
    own = process_time(sys.executable, "-c", "import diffdip")
    row("import diffdip", f"{own:.2f} s", "import jax, equinox, scipy.stats", own / libraries)
    plotting = "import jax, equinox, scipy.stats, matplotlib.pyplot"
    libraries = process_time(sys.executable, "-c", plotting)
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-c", "from diffdip.cli import app; app()")
        fit = process_time(*command, "fit", "--example", "--out", folder)
    row(
        "diffdip fit --example, cold", f"{fit:.2f} s", "import … matplotlib.pyplot", fit / libraries
    )


if __name__ == "__main__":
    main()
