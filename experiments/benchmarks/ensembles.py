"""Speed and memory of ensembles, compared with a C kernel and a numba program in the same run.

    python experiments/benchmarks/ensembles.py [--parts pairs figure5 gradient memory] [--quick]

Prints tables in Markdown:

pairs        pair sum and its derivatives, in unique pairs per second, compared with C and OpenMP,
             compiled by this script. On a processor with vectors of 512 bits, C is compiled for
             these and for 256 bits, and each case is compared with the faster. C is in float32.
figure5      the ensembles of Fig. 5 from sampling to statistics, compared with the same in numba
gradient     derivatives of the median of |B| by all parameters, compared with the median alone
memory       peak memory of a process that simulates few and many samples

This is not a test. But the script stops if a pair sum differs from that of C.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
import pairs
from c_reference import compile_pair_sums
from harness import best_time, header, line, machine, row

import diffdip as dd
from diffdip.ensembles.simulation import BatchPlan
from diffdip.foundation.units import FIELD_UNIT, MOMENT_SPIN_HALF


SIZES, SAMPLES = (2, 10, 20, 100), 2000
QUICK_SIZES, QUICK_SAMPLES = (2,), 200
REPEATS = 3
PARTS = ("pairs", "figure5", "gradient", "memory")

START = "import jax; jax.numpy.zeros(1).block_until_ready()"
MEMORY = {
    "NanocrystalPacking(100)": (500, 2000, 8000),
    "UniformCylinder(n=1100, density=2.0)": (500, 2000, 20_000),
}
QUICK_MEMORY = {"UniformCylinder(n=50, density=2.0)": (20,)}
MEMORY_LIMIT = 1024
"""Memory in MiB that a process should not exceed, for any number of samples."""

Fields = dict[str, np.ndarray]
"""A and B of each sample in tesla, and `dipoles`, its number of dipoles."""


def statistics(fields: Fields) -> list[Any]:
    """The statistics of Fig. 5: log histograms and medians of |A| and |B|, with errors."""
    return [
        statistic
        for name in "AB"
        for statistic in (
            dd.log_histogram(1e3 * fields[name], 4),
            dd.quantiles(1e3 * np.abs(fields[name]), 0.5),
        )
    ]


def by_diffdip(size: int, samples: int, seed: int) -> Fields:
    """The ensemble of packings of `size` crystals, by diffdip."""
    model = dd.NanocrystalPacking(n_crystals=size)
    ensemble = dd.simulate(model, samples, seed, progress=False)
    return {"A": ensemble.A, "B": ensemble.B, "dipoles": ensemble.n_dipoles}


def by_numba(size: int, samples: int, seed: int) -> Fields:
    """The same ensemble by the numba program; its sums are converted in the `paper` convention."""
    import numba_ensembles

    sums, dipoles = numba_ensembles.samples(size, samples, seed)
    unit = FIELD_UNIT * MOMENT_SPIN_HALF / np.pi / np.where(dipoles > 0, dipoles, np.nan)
    xx, yy = sums[:, 0].astype(float), sums[:, 1].astype(float)
    return {"A": unit * (xx + yy), "B": unit * (xx - yy), "dipoles": dipoles}


def whole(program: Callable[..., Fields], size: int, samples: int) -> tuple[Fields, float, float]:
    """An ensemble, the seconds for it and its statistics, and the seconds for compilation."""
    times = []
    for _ in range(1 + REPEATS):
        start = time.perf_counter()
        fields = program(size, samples, 0)
        statistics(fields)
        times.append(time.perf_counter() - start)
    return fields, min(times[1:]), times[0] - min(times[1:])


def split(size: int, samples: int) -> tuple[float, float]:
    """Seconds for sampling and for pair sums of an ensemble, in batches as in `simulate`."""
    model = dd.NanocrystalPacking(n_crystals=size)
    plan = BatchPlan.make(model, samples, 0, None, None)
    key = jax.random.key(0)
    draw = jax.jit(jax.vmap(lambda sample: model.sample(jax.random.fold_in(key, sample))))
    summarize = jax.jit(jax.vmap(lambda system: system.summary()))
    totals = []
    for _ in range(1 + REPEATS):
        sampling = summing = 0.0
        for first in range(0, samples, plan.size):
            start = time.perf_counter()
            systems = jax.block_until_ready(draw(np.arange(first, first + plan.size)))
            between = time.perf_counter()
            jax.block_until_ready(summarize(systems))
            sampling += between - start
            summing += time.perf_counter() - between
        totals.append((sampling, summing))
    return min(totals[1:], key=sum)


def figure5(sizes: Sequence[int], samples: int) -> None:
    """Print the time of each size and of all, and a test that both programs draw the same law."""
    try:
        import numba
    except ModuleNotFoundError:
        print("\nFig. 5 is left out: numba is not installed. Run: pip install -e '.[bench]'")
        return
    header(f"Fig. 5, {samples} samples each, with statistics (ratio: times as fast)")
    found, totals = {}, np.zeros(2)
    for size in sizes:
        ours, own_s, compile_s = whole(by_diffdip, size, samples)
        theirs, reference_s, _ = whole(by_numba, size, samples)
        name = f"numba {numba.__version__}, {reference_s:.3f} s"
        row(f"{size} crystals", f"{own_s:.3f} s", name, reference_s / own_s, compile_s)
        found[size] = ours, theirs
        totals += own_s, reference_s
    name = f"numba {numba.__version__}, {totals[1]:.3f} s"
    row("all", f"{totals[0]:.3f} s", name, totals[1] / totals[0])

    header(
        "Median of |B| in mT (68 % interval), mean number of dipoles, and p for one law of |B|",
        ("", "diffdip", "dipoles", "numba", "dipoles", "p"),
    )
    for size, (ours, theirs) in found.items():
        p = dd.same_distribution(np.abs(ours["B"]), np.abs(theirs["B"])).p_value
        line(f"{size} crystals", *described(ours), *described(theirs), f"{p:.2f}")


def shares(sizes: Sequence[int], samples: int) -> None:
    """Print the time of each stage of Fig. 5."""
    header("Time of each stage in diffdip", ("", "sampling", "pair sums"))
    for size in sizes:
        line(f"{size} crystals", *(f"{s:.3f} s" for s in split(size, samples)))


def gradient(sizes: Sequence[int], samples: int) -> None:
    """Print the cost of the derivatives by all parameters, compared with the statistic itself."""
    statistic = dd.Quantile(dd.Magnitude("B"))
    header(f"Derivatives of {statistic.label}, {samples} samples (ratio: times the cost)")
    for size in sizes:
        model = dd.NanocrystalPacking(n_crystals=size)
        derive = partial(dd.sensitivity, model, statistic, n_samples=samples, progress=False)
        alone = best_time(partial(_median, model, samples), REPEATS)
        reference = f"the statistic, {alone:.3f} s"
        ways = {"": derive, ", by central differences": partial(derive, method="differences")}
        for name, call in ways.items():
            taken = best_time(call, REPEATS)
            row(f"{size} crystals{name}", f"{taken:.3f} s", reference, taken / alone)


def _median(model: dd.AbstractModel, samples: int) -> float:
    return float(np.median(np.abs(dd.simulate(model, samples, progress=False).B)))


def described(fields: Fields) -> tuple[str, str]:
    """Median of |B| with its interval, and mean number of dipoles, as text."""
    median = dd.quantiles(1e3 * np.abs(fields["B"]), 0.5)
    text = f"{median.value:.2f} ({median.low:.2f} to {median.high:.2f})"
    return text, f"{np.mean(fields['dipoles']):.2f}"


def peak_memory(code: str) -> float:
    """Peak resident memory in MiB of a process that runs `code`.

    The value comes from /proc, because `resource.getrusage` would also count the memory of the
    process that started it.
    """
    report = "; print([l for l in open('/proc/self/status') if l.startswith('VmHWM')][0])"
    done = subprocess.run(
        [sys.executable, "-c", code + report], check=True, capture_output=True, text=True
    )
    return int(done.stdout.split()[-2]) / 1024


def memory(models: dict[str, Sequence[int]]) -> None:
    """Print the peak memory of processes that simulate few and many samples."""
    if not sys.platform.startswith("linux"):
        print("\nPeak memory is left out: it is read from /proc, which only Linux has.")
        return
    header(f"Peak memory of a process (ratio: share of {MEMORY_LIMIT} MiB)")
    reference = peak_memory(START)
    row("import jax, first array", f"{reference:.0f} MiB", "", reference / MEMORY_LIMIT)
    for model, counts in models.items():
        for samples in counts:
            code = f"import diffdip as dd; dd.simulate(dd.{model}, {samples}, progress=False)"
            peak = peak_memory(code)
            beyond = f"JAX alone + {peak - reference:.0f} MiB"
            short = model.replace(", density=2.0", "")
            row(f"{short}, {samples}", f"{peak:.0f} MiB", beyond, peak / MEMORY_LIMIT)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="default: all")
    parser.add_argument(
        "--quick", action="store_true", help="small cases, to check that everything runs"
    )
    options = parser.parse_args(arguments)
    quick = options.quick
    print(machine("float32"))
    if "pairs" in options.parts:
        kernels = compile_pair_sums()
        if not kernels:
            print("\nThe pair sum is left out: there is no C compiler with OpenMP.")
        else:
            for kernel in kernels:
                print(f"{kernel.name}: {' '.join(kernel.flags)}")
            if len(kernels) > 1:
                print("Each case is compared with the faster of the two.")
            if quick:
                pairs.quick_against_c(kernels)
            else:
                pairs.against_c(kernels, pairs.CASES)
    if "figure5" in options.parts:
        figure5(QUICK_SIZES if quick else SIZES, QUICK_SAMPLES if quick else SAMPLES)
        if not quick:
            shares(SIZES, SAMPLES)
    if "gradient" in options.parts:
        gradient(QUICK_SIZES if quick else SIZES[1::2], QUICK_SAMPLES if quick else SAMPLES)
    if "memory" in options.parts:
        memory(QUICK_MEMORY if quick else MEMORY)


if __name__ == "__main__":
    main()
