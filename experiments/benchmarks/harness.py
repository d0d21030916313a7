"""Timing for the benchmarks: compile and run apart, ratios to a reference of the same run."""

import time
from collections.abc import Callable
from typing import Any

import jax


def best_time(call: Callable[[], Any], repeats: int = 5) -> float:
    """Shortest of several runs in seconds, waiting for results, after one run to warm up."""
    jax.block_until_ready(call())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return min(times)


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., Any], float]:
    """The compiled function for such arguments, and the seconds that tracing and compiling took."""
    start = time.perf_counter()
    result = jax.jit(function).lower(*arguments).compile()
    return result, time.perf_counter() - start


def row(
    name: str, value: str, reference: str, ratio: float, compile_s: float | None = None
) -> None:
    """Print one row of a benchmark table."""
    compiling = "" if compile_s is None else f"{compile_s:.1f} s"
    print(f"{name:34} {value:>22}   {ratio:9.3g} ×  {reference:34} {compiling:>8}", flush=True)


def header(title: str) -> None:
    """Print the head of a benchmark table."""
    print(f"\n{title}")
    print(f"{'':34} {'':>22}   {'ratio':>9}    {'reference (same run)':34} {'compile':>8}")
