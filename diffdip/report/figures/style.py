"""The look of all figures: colors, sizes, the axis of angles, and figures as bytes."""

import io
import warnings
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager

from ...foundation.visible_text import visible


ONE_COLUMN = 85.0
"""Width of a figure of one column in mm."""

TWO_COLUMNS = 170.0
"""Width of a figure of two columns in mm."""

BLUE, VERMILLION, GREEN, ORANGE, GRAY = "#0072B2", "#D55E00", "#009E73", "#E69F00", "#666666"
"""Colors that color-blind readers can distinguish (Okabe and Ito)."""

_OF_THE_MACHINE = ("backend", "date.epoch", "docstring", "interactive", "toolbar", "tk", "webagg")
"""Starts of settings that do not change a figure."""

_FALLBACKS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
)
"""Fonts with Chinese, Japanese and Korean characters, for names that need them."""

STYLE: dict[Any, Any] = {
    # not the user's own settings, such as text.usetex
    **{k: v for k, v in mpl.rcParamsDefault.items() if not k.startswith(_OF_THE_MACHINE)},
    "font.family": [
        "DejaVu Sans",
        *(f for f in _FALLBACKS if any(f == one.name for one in fontManager.ttflist)),
    ],
    "font.size": 8.0,
    "axes.labelsize": 8.0,
    "axes.titlesize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "grid.linewidth": 0.4,
    "grid.color": "#d0d0d0",
    "lines.linewidth": 1.2,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "svg.hashsalt": "diffdip",
}
"""Settings of all figures, for `matplotlib.rc_context(STYLE)`."""


def angle_axis(axes: Any, degrees: np.ndarray) -> None:
    """Label the x-axis as the angle of the field, with ticks and limits for angles `degrees`."""
    low, high = degrees.min(), degrees.max()
    step = next((s for s in (15, 30, 45, 90, 180) if (high - low) / s <= 9), 360)
    axes.set_xticks(np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step)
    margin = 0.025 * (high - low)
    axes.set_xlim(low - margin, high + margin)
    axes.set_xlabel(r"angle of the field $\alpha_H$ (°)")


def title_above(axes: Any, *lines: str) -> None:
    """Write lines of text above axes as they are; they may be names of files."""
    axes.set_title("\n".join(map(visible, lines)), loc="left", parse_math=False)


def figure_bytes(figure: Figure, kind: str, dpi: int = 300) -> bytes:
    """The figure as a `png` or `pdf` file. The same figure gives the same bytes.

    The layout is computed for the first file, and the figure keeps it: what is added to the figure
    afterwards moves nothing else.
    """
    # dates and version numbers would differ from run to run
    metadata: dict[str, Any] = {
        "png": {"Software": "diffdip"},
        "pdf": {"CreationDate": None, "ModDate": None, "Creator": "diffdip", "Producer": None},
    }[kind]
    stream = io.BytesIO()
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # a box stands for a character that no font on this machine has
        warnings.filterwarnings("ignore", r"Glyph .* missing from")
        figure.savefig(stream, format=kind, dpi=dpi, metadata=metadata)
        figure.set_layout_engine("none")
    return stream.getvalue()


def inches(width: float, height: float | int) -> tuple[float, float]:
    """A size in mm, converted to inches for Matplotlib."""
    return width / 25.4, height / 25.4
