"""What a cold start is compared with: import the libraries, and draw a figure like that of a fit.

    python experiments/benchmarks/reference_figure.py OUT

It has the size, panels, fonts and resolution of the figure of `diffdip fit`, drawn with matplotlib
alone, as PNG and PDF in the folder OUT.
"""

import sys
from pathlib import Path

import equinox  # noqa: F401
import jax  # noqa: F401
import matplotlib as mpl
import numpy as np
import scipy.stats  # noqa: F401
from matplotlib.figure import Figure


ANGLE = np.arange(0.0, 181.0, 10.0)
GRID = np.linspace(0.0, 180.0, 361)
MM = 1 / 25.4


def field(angle: np.ndarray) -> np.ndarray:
    """A curve of two-fold symmetry, in mT."""
    return 338 + 0.06 * np.cos(2 * np.radians(angle - 10))


def main(out: Path) -> None:
    style = {"font.size": 8.0, "pdf.fonttype": 42, "xtick.direction": "in", "ytick.direction": "in"}
    measured = field(ANGLE) + 0.002 * np.random.default_rng(0).normal(size=len(ANGLE))
    with mpl.rc_context(style):
        figure = Figure(figsize=(170 * MM, 82 * MM), layout="constrained")
        cells = figure.add_gridspec(2, 2, width_ratios=(1.55, 1), height_ratios=(3, 1))
        above = figure.add_subplot(cells[0, 0])
        below = figure.add_subplot(cells[1, 0], sharex=above)
        polar = figure.add_subplot(cells[:, 1], projection="polar")
        above.errorbar(ANGLE, measured, 0.002, fmt="o", label="measured")
        above.plot(GRID, field(GRID), label="model")
        above.set_ylabel(r"$H_\mathrm{res}$ at 9.45 GHz (mT)")
        above.set_title("reference", loc="left")
        above.legend()
        below.errorbar(ANGLE, measured - field(ANGLE), 0.002, fmt="o")
        below.axhline(0)
        below.set_ylabel("residual (mT)")
        below.set_xlabel(r"angle of the field $\alpha_H$ (°)")
        polar.plot(np.radians(GRID), field(GRID))
        polar.plot(np.radians(ANGLE), measured, "o")
        for kind in ("png", "pdf"):
            figure.savefig(out / f"reference.{kind}", dpi=300)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
