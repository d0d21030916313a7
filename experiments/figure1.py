"""Fig. 1 of the paper: Hres(angle) calculated from the published A and B.

The dashed lines of Fig. 1 are the model for samples I and II at 9.45 GHz, with g = 2 and C = 0. The
published values need the `paper` convention. With the physical sign, the resonances of sample I
would be at 647 and 380 mT, but the text states 62 and about 400 mT.

The figure also shows the spectra of such samples, with Lorentzian bands 80 mT wide (the paper
states no width). The dots are positions found by a fit that includes the line at negative field.

    python experiments/figure1.py --out out
"""

from typing import Any, NamedTuple

import jax
import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from script import finish, made_by, parser_of, picture_files

from diffdip import (
    AnisotropyFields,
    LinePositions,
    SweptLine,
    line_positions,
    resonance_field,
    swept_spectra,
)
from diffdip.report.figures.style import BLUE, STYLE, VERMILLION, angle_axis


DESCRIPTION = """\
Calculate Hres(angle) of the published samples I and II (Fig. 1), and its lowest and highest value.
"""

EPILOG = """\
Writes figure1.png and figure1.pdf. Example:
  python experiments/figure1.py --out out
"""

FREQUENCY = 9.45e9
DEGREES = np.linspace(0, 180, 361)
SPECTRA = np.arange(0.0, 181.0, 15.0)
"""Angles of the spectra, in degrees."""

FIELD = np.linspace(0.0, 600.0, 601)
WIDTH = 80.0
"""Full width at half maximum of the bands, in mT."""


class Published(NamedTuple):
    """A, B in mT as published, and (angle in degrees, Hres in mT) as stated in the text."""

    name: str
    A: float
    B: float
    stated: tuple[tuple[float, float], ...] = ()


SAMPLES = (
    Published("sample I", 191.5, 204.6, ((0.0, 62.0), (90.0, 400.0))),
    Published("sample II", 122.6, 24.1),
)
"""Elsewhere the text gives B = 206.6 mT for sample I. This is the value of the fit."""


_solve = jax.jit(resonance_field)
_sweep = jax.jit(swept_spectra)


def fields(sample: Published, convention: str = "paper") -> np.ndarray:
    """Hres in mT at DEGREES, in float64."""
    with jax.enable_x64(True):
        energy = AnisotropyFields(sample.A / 1e3, sample.B / 1e3, 0.0, convention)
        return 1e3 * np.asarray(_solve(energy, np.radians(DEGREES), FREQUENCY))


def extrema(sample: Published, convention: str = "paper") -> tuple[float, float]:
    """Hres in mT at 0° and at 90°."""
    curve = fields(sample, convention)
    return float(curve[DEGREES == 0][0]), float(curve[DEGREES == 90][0])


def spectra(sample: Published) -> xr.Dataset:
    """Derivative spectra of a sample, without noise."""
    with jax.enable_x64(True):
        energy = AnisotropyFields(sample.A / 1e3, sample.B / 1e3)
        line = SweptLine(WIDTH / 1e3)
        signal = np.asarray(_sweep(energy, np.radians(SPECTRA), FREQUENCY, FIELD / 1e3, line))
    frequency = np.full(len(SPECTRA), FREQUENCY / 1e9)
    return xr.Dataset(
        {"signal": (("angle", "field"), signal)},
        coords={"angle": SPECTRA, "field": FIELD, "frequency": ("angle", frequency)},
    )


def positions(sample: Published, definition: str = "lorentzian") -> LinePositions:
    """Positions of the lines in the spectra."""
    return line_positions(spectra(sample), definition, line="strongest")


def draw_spectra(axes: Any, sample: Published, found: LinePositions, color: str) -> None:
    """Draw the spectra stacked by angle, Hres as a dashed line, and the positions as dots."""
    signal = spectra(sample)["signal"].values
    scale = 0.9 * (SPECTRA[1] - SPECTRA[0]) / np.abs(signal).max()
    for angle, one in zip(SPECTRA, signal, strict=True):
        axes.plot(FIELD, angle + scale * one, color="black", linewidth=0.6)
    axes.plot(fields(sample), DEGREES, "--", color=color)
    axes.plot(1e3 * found.field, np.degrees(found.angle), "o", color=color, markersize=3.5)
    axes.set_xlim(FIELD[0], FIELD[-1])
    axes.set_yticks(SPECTRA[::2])
    axes.set_xlabel("field (mT)")
    axes.set_ylabel(r"$\alpha_H$ (°)")
    axes.set_title(sample.name, loc="left")


def draw_samples(axes: Any) -> None:
    """Draw Hres(α_H) of both samples and the stated values into `axes`."""
    for sample, color in zip(SAMPLES, (BLUE, VERMILLION), strict=True):
        label = f"{sample.name}: A = {sample.A:g} mT, B = {sample.B:g} mT"
        axes.plot(DEGREES, fields(sample), "--", color=color, label=label)
        if sample.stated:
            angles, values = zip(*sample.stated, strict=True)
            label = f"{sample.name}, stated in the text"
            axes.plot(angles, values, "o", color=color, markersize=4.5, label=label)
    axes.set_ylim(0, 560)
    axes.set_ylabel(rf"$H_\mathrm{{res}}$ at {FREQUENCY / 1e9:g} GHz (mT)")
    axes.legend(loc="upper left")
    angle_axis(axes, DEGREES)


def table() -> str:
    """The calculated Hres at 0° and 90° next to the stated ones, in mT."""
    lines = ["sample      A (mT)  B (mT)  Hres(0°)  stated  Hres(90°)  stated   (mT)"]
    for sample in SAMPLES:
        low, high = extrema(sample)
        stated = dict(sample.stated)
        marks = [f"{stated[a]:.0f}" if a in stated else "-" for a in (0.0, 90.0)]
        lines.append(
            f"{sample.name:10s}  {sample.A:6.1f}  {sample.B:6.1f}  {low:8.3f}  {marks[0]:>6s}  "
            f"{high:9.3f}  {marks[1]:>6s}"
        )
    return "\n".join(lines)


def figure() -> Figure:
    """The figure, two columns wide: Hres(α_H) of both samples, and the spectra of each."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(170 / 25.4, 75 / 25.4), layout="constrained")
        both, *single = figure.subplots(1, 3, width_ratios=(1.9, 1, 1))
        draw_samples(both)
        for axes, sample, color in zip(single, SAMPLES, (BLUE, VERMILLION), strict=True):
            found = positions(sample)
            draw_spectra(axes, sample, found, color)
            both.plot(np.degrees(found.angle), 1e3 * found.field, ".", color=color, markersize=3)
    return figure


def files() -> dict[str, bytes]:
    """All files of the script, by name."""
    return picture_files("figure1", figure(), made_by("figure1.py"))


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("figure1", DESCRIPTION, EPILOG, seed=None)
    finish(parser, parser.parse_args(argv), files(), table())


if __name__ == "__main__":
    main()
