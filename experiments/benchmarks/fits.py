"""Speed and quality of `fit_many` on series of 37 angles, compared with scipy in the same run.

    python experiments/benchmarks/fits.py [--series 10000]

The reference is scipy's `least_squares` from one start, with our compiled model and its Jacobian.
Also counts the fits whose χ² is above that of the truth, and how often the intervals hold the
truth. This is not a test.
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize
from harness import header, line, machine, row

import diffdip as dd


NU = 9.45e9
ANGLES = np.deg2rad(np.arange(0, 181, 5.0))


SIGMA = 2e-3


def planted(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, B, C with |A|, |B| ≤ 250 mT, their fields at all angles, noisy ones (tesla)."""
    rng = np.random.default_rng(0)
    truth = rng.uniform(-0.25, 0.25, (count, 3)) * np.array([1, 1, 0.4])
    with jax.enable_x64(True):
        curves = jax.vmap(lambda x: dd.resonance_field(dd.AnisotropyFields(*x), ANGLES, NU))
        clean = np.asarray(jax.jit(curves)(jnp.asarray(truth)))
    enough = np.sum(np.isfinite(clean), axis=1) >= 8
    truth, clean = truth[enough], clean[enough]
    noisy = clean + SIGMA * rng.normal(size=clean.shape)
    return truth, clean, np.where(noisy > 0, noisy, np.nan)  # no sweep shows a line below 0


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
    truth, clean, fields = planted(count)
    per_scipy = scipy_fit_time(fields)
    for intervals in (False, True):
        part = slice(len(fields) if not intervals else max(len(fields) // 5, 256))
        start = time.perf_counter()
        dd.fit_many(ANGLES, fields[:128], SIGMA, frequency=NU, intervals=intervals)
        first = time.perf_counter() - start
        start = time.perf_counter()
        found = dd.fit_many(ANGLES, fields[part], SIGMA, frequency=NU, intervals=intervals)
        each = (time.perf_counter() - start) / len(fields[part])
        name = f"fit_many, {len(fields[part])} series" + (", profiles" if intervals else "")
        row(
            name,
            f"{1e3 * each:.3f} ms each",
            "scipy least_squares, one start",
            per_scipy / each,
            first,
        )
        chi2_of_truth = np.nansum(((fields - clean)[part] / SIGMA) ** 2, axis=1)
        above = int(np.sum(found.chi2 > chi2_of_truth))
        line(f"χ² above that of the truth: {above} of {len(found.chi2)}")
        if intervals:
            inside = (found.lower <= truth[part, None]) & (truth[part, None] <= found.upper)
            one, two = 100 * np.mean(inside, axis=(0, 2))
            line(f"the truth lies in {one:.1f} % of 68 %, {two:.1f} % of 95 % intervals")


if __name__ == "__main__":
    main()
