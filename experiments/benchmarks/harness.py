"""Timing for the benchmarks: compile and run times apart, ratios to a reference of the same run."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax


def best_time(call: Callable[[], Any], repeats: int = 5) -> float:
    """Shortest time of several runs, in seconds, after one run to warm up. Waits for results."""
    jax.block_until_ready(call())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(call())
        times.append(time.perf_counter() - start)
    return min(times)


def compiled(function: Callable[..., Any], *arguments: Any) -> tuple[Callable[..., Any], float]:
    """The function compiled for these arguments, and the seconds for tracing and compiling."""
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
    """Print one line of a Markdown table, padded so that it is readable as plain text."""
    padded = (f"{cell:{width}}" for cell, width in zip(cells, WIDTHS, strict=False))
    print(f"| {' | '.join(padded)} |", flush=True)


def machine(precision: str) -> str:
    """The machine of the measurement: versions, device, processor."""
    devices = jax.devices()
    return (
        f"jax {jax.__version__}, {len(devices)} × {devices[0].device_kind}, {precision}; "
        f"{processor()}, {os.cpu_count()} cores"
    )


def processor() -> str:
    """The name of the processor, if the system knows it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
