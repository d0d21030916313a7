"""Timing for the benchmarks: compile and run apart, ratios to a reference of the same run."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
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


WIDTHS = (36, 20, 10, 36, 8, 8)
COLUMNS = ("", "", "ratio", "reference (same run)", "compile")


def row(
    name: str, value: str, reference: str, ratio: float, compile_s: float | None = None
) -> None:
    """Print one row of a benchmark table."""
    line(
        name, value, f"{ratio:.3g} ×", reference, "" if compile_s is None else f"{compile_s:.1f} s"
    )


def header(title: str, columns: Sequence[str] = COLUMNS) -> None:
    """Print the title and the head of a table in Markdown."""
    print(f"\n### {title}\n")
    line(*columns)
    line(*("---" for _ in columns))


def line(*cells: str) -> None:
    """Print one line of a Markdown table that can be read as it is, too."""
    padded = (f"{cell:{width}}" for cell, width in zip(cells, WIDTHS, strict=False))
    print(f"| {' | '.join(padded)} |", flush=True)


def machine(precision: str) -> str:
    """What the numbers were measured on: versions, device, processor."""
    devices = jax.devices()
    return (
        f"jax {jax.__version__}, {len(devices)} × {devices[0].device_kind}, {precision}; "
        f"{processor()}, {os.cpu_count()} cores"
    )


def processor() -> str:
    """The processor's name, as well as the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
