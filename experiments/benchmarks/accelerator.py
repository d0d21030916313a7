"""Speed of an accelerator, with every result held against that of the CPU of the same machine.

    python experiments/benchmarks/accelerator.py [--size small|full] [--out accelerator.md]

Takes at most four minutes on a GPU: a part that would begin later is left out, and the table says
so. Parts: pair sums and their gradients, with the share of the card's float32 peak; sampling; the
ensembles of Fig. 5 with their statistics; one sample of 10⁶ dipoles; 100 000 fits. The table names
the card. Without an accelerator it runs on the CPU, and compares that with itself: a dry run.

The script stops if a result differs from that of the CPU.
"""

import argparse
import contextlib
import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import fits
import jax
import numpy as np
import pairs
from ensembles import statistics
from harness import best_time, compiled, header, line, machine, row

import diffdip as dd


LIMIT = 240.0
"""Seconds after which no other part begins."""

PEAKS = {"H200": 67.0, "H100": 67.0, "A100": 19.5, "L40S": 91.6, "L4": 30.3, "V100": 15.7}
"""float32 peak of cards in TFLOP/s (SXM versions), from their data sheets."""

REPEATS = 3
GRADIENT_FLOPS = 3 * pairs.FLOPS_PER_PAIR
"""Of value and gradient by positions: about twice the terms, and each pair is visited twice."""


class Size(NamedTuple):
    """How much of each part: (dipoles, systems), (crystals, samples), dipoles, series."""

    pairs: tuple[tuple[int, int], ...]
    figure5: tuple[tuple[int, int], ...]
    dipoles: int
    series: int


SIZES = {
    "full": Size(
        ((1104, 2000), (200_000, 1)), tuple((n, 2000) for n in (2, 10, 20, 100)), 10**6, 100_000
    ),
    "small": Size(((60, 20), (2000, 1)), ((2, 100),), 30_000, 64),
}
COMPARED = 16
"""Systems of a batch, and COMPARED² series, that the CPU computes as well."""


def peak_of(device: Any) -> float | None:
    """float32 peak in TFLOP/s, if the card is known."""
    kind = device.device_kind
    return next((peak for name, peak in PEAKS.items() if name in kind), None)


def close(name: str, found: Any, expected: Any, tolerance: float) -> str:
    """The largest difference, relative to the largest number, as text; stops if it is too large."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    away = float(np.max(np.abs(found - expected)) / np.max(np.abs(expected)))
    if not away <= tolerance:
        sys.exit(f"{name}: differs from the CPU by {away:.1e}, more than {tolerance:.0e}")
    return f"CPU, equal to {away:.0e}"


def pair_sums(size: Size, device: Any, cpu: Any, peak: float | None) -> None:
    """Value and gradient of pair sums, and the share of the card's peak."""
    header("Pair sum in float32 (ratio: share of the card's peak)")
    with_gradient = jax.value_and_grad(pairs.scalar)
    for n, count in size.pairs:
        for name, function, flops in (
            ("value", pairs.pair_sum, pairs.FLOPS_PER_PAIR),
            ("value, gradient by positions", with_gradient, GRADIENT_FLOPS),
        ):
            systems = jax.device_put(pairs.Systems.equal(n, count), device)
            call, compile_s = compiled(jax.vmap(function), *systems)
            found = jax.block_until_ready(call(*systems))
            seconds = best_time(lambda call=call, systems=systems: call(*systems), REPEATS)
            value = found if name == "value" else found[0]
            some = jax.device_put(jax.tree.map(lambda a: a[:COMPARED], systems), cpu)
            if name == "value" or count > 1:
                reference = jax.jit(jax.vmap(function))(*some)
                first = reference if name == "value" else reference[0]
                text = close(name, value[:COMPARED], first, 1e-4)
                if name != "value":
                    text = close(name, found[1][:COMPARED], reference[1], 1e-3)
            else:  # on the CPU the gradient of one large system would take too long
                moved = pairs.from_positions(found, systems)[1]
                text = close(name, moved, value, 3e-3).replace("CPU", "Euler's theorem")
            share = flops * systems.pairs / seconds / (1e12 * peak) if peak else np.nan
            row(f"{n} × {count}, {name}", systems.rate(seconds), text, share, compile_s)


def sampling(size: Size, device: Any, cpu: Any) -> None:
    """Samples of packings, without their pair sums."""
    header("Sampling (ratio: times as fast as the CPU)")
    crystals, samples = size.figure5[-1]
    model = dd.NanocrystalPacking(n_crystals=crystals)
    key = jax.random.key(0)
    draw = jax.vmap(lambda i: model.draw(jax.random.fold_in(key, i)))
    shares, times, compile_s = [], [], 0.0
    for place in (device, cpu):
        with jax.default_device(place):
            index = jax.device_put(np.arange(min(samples, 512), dtype=np.uint32), place)
            call, compile_s = compiled(draw, index)
            times.append(best_time(lambda call=call, index=index: call(index), REPEATS))
            draws = call(index)
            shares.append(np.mean(np.sum(np.asarray(draws.system.mask), axis=1)))
    text = close("dipoles of a packing", shares[0], shares[1], 0.01)
    rate = f"{len(index) / times[0]:.0f} samples/s"
    row(f"{crystals} crystals", rate, text, times[1] / times[0], compile_s)


def figure5(size: Size, device: Any, cpu: Any) -> None:
    """The ensembles of Fig. 5 with their statistics."""
    header("Fig. 5 as a whole (ratio: times as fast as the CPU)")
    for crystals, samples in size.figure5:
        model, found, times, first = dd.NanocrystalPacking(n_crystals=crystals), [], [], 0.0
        for place in (device, cpu):

            def whole(place: Any = place, model: Any = model, samples: int = samples) -> Any:
                ensemble = dd.simulate(model, samples, devices=[place], progress=False)
                statistics({name: getattr(ensemble, name) for name in "AB"})
                return ensemble

            start = time.perf_counter()
            found.append(whole())
            between = time.perf_counter()
            whole()
            times.append(time.perf_counter() - between)
            first = first or between - start - times[0]
        one, other = (np.abs(ensemble.B) for ensemble in found)
        p = dd.same_distribution(one, other).p_value
        if p < 1e-4:
            sys.exit(f"Fig. 5: the law of |B| differs from that of the CPU, p = {p:.0e}")
        median = f"median {1e3 * np.median(one):.2f}, CPU {1e3 * np.median(other):.2f} mT"
        row(f"{crystals} crystals", f"{times[0]:.3f} s", median, times[1] / times[0], first)


def many_dipoles(size: Size, device: Any, cpu: Any) -> None:
    """One sample of very many dipoles: D to a tolerance, and its gradient."""
    header("D of one sample to 1e-4 (ratio: times as fast as the CPU)")
    model = dd.UniformCylinder(n=size.dipoles, density=2.0)
    system = jax.jit(lambda key: model.sample(key))(jax.random.key(0))
    slope = lambda system: jax.grad(
        lambda p: dd.DipoleSystem(p, system.volume).anisotropy_fields().B
    )(system.positions)
    for name, function, tolerance in (
        ("D", lambda system: system.tensor(), 2e-4),
        ("gradient of B", slope, 2e-3),
    ):
        results, times, first = [], [], 0.0
        for place in (device, cpu):
            with jax.default_device(place):
                own = jax.device_put(system, place)
                call, compile_s = compiled(function, own)
                first = first or compile_s
                results.append(np.asarray(call(own)))
                times.append(best_time(lambda call=call, own=own: call(own), 1))
        text = close(name, results[0], results[1], tolerance)
        row(
            f"{size.dipoles} dipoles, {name}", f"{times[0]:.3f} s", text, times[1] / times[0], first
        )


def many_fits(size: Size, device: Any, cpu: Any) -> None:
    """`fit_many` of series of 37 angles in float64."""
    header("fit_many, 37 angles, A, B, C free (ratio: times as fast as the CPU)")
    _, _, fields = fits.planted(size.series)
    few = min(len(fields), COMPARED**2)

    def fit(some: np.ndarray) -> tuple[Any, float]:
        start = time.perf_counter()
        found = dd.fit_many(fits.ANGLES, some, fits.SIGMA, frequency=fits.NU)
        return found, time.perf_counter() - start

    with jax.default_device(device):
        _, first = fit(fields[:few])
        found, seconds = fit(fields)
    with jax.default_device(cpu):
        fit(fields[:few])
        reference, on_cpu = fit(fields[:few])
    text = close("χ² of fits", found.chi2[:few], reference.chi2, 1e-6)
    rate = len(fields) / seconds
    row(f"{len(fields)} series", f"{rate:.0f} fits/s", text, rate * on_cpu / few, first)


@contextlib.contextmanager
def copied(path: Path) -> Iterator[None]:
    """What is printed is also written to a file, at the end."""
    kept = io.StringIO()
    stdout = sys.stdout

    class Both(io.TextIOBase):
        def write(self, text: str) -> int:
            stdout.write(text)
            return kept.write(text)

        def flush(self) -> None:
            stdout.flush()

    with contextlib.redirect_stdout(Both()):
        yield
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(kept.getvalue(), encoding="utf-8")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--size", choices=SIZES, default="full", help="default: full")
    parser.add_argument(
        "--out", type=Path, default=Path("accelerator.md"), help="file of the table"
    )
    parser.add_argument("--peak-tflops", type=float, help="float32 peak of a card not known here")
    options = parser.parse_args(arguments)
    size, device, cpu = SIZES[options.size], jax.devices()[0], jax.devices("cpu")[0]
    peak = options.peak_tflops or peak_of(device)
    parts: tuple[Callable[[], None], ...] = (
        lambda: pair_sums(size, device, cpu, peak),
        lambda: many_dipoles(size, device, cpu),
        lambda: many_fits(size, device, cpu),
        lambda: figure5(size, device, cpu),
        lambda: sampling(size, device, cpu),
    )
    start = time.perf_counter()
    with copied(options.out):
        print(f"{machine('float32')}; float32 peak: {peak or 'not known'} TFLOP/s")
        if device.platform == "cpu":
            print("JAX finds no accelerator: a dry run, which compares the CPU with itself.")
        for number, part in enumerate(parts):
            if time.perf_counter() - start > LIMIT:
                line(
                    f"the last {len(parts) - number} parts are left out: {LIMIT:.0f} s have passed"
                )
                break
            part()
        print(f"\nThe whole took {time.perf_counter() - start:.0f} s.")


if __name__ == "__main__":
    main()
