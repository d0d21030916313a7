"""Fig. 4 of the paper: how nanocrystals are packed and where their dipoles sit.

(a) A packing, drawn by ray casting, and the contact of two crystals with the points P and P′.
(b) The ligand thickness at P′: samples and their law. (c) The extra dipoles about P′: the Fisher
law and samples. The samples in (b) and (c) come from whole packings, so they also show the effect
of the rules of the packing.

    python experiments/figure4.py --out out
"""

import math
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Wedge
from packing_samples import Samples, fisher_cumulative, run, thickness_law
from scipy.stats import kstest
from script import crystals, finish, made_by, parser_of, picture_files, positive

import diffdip
from diffdip import NanocrystalPacking
from diffdip.ensembles.simulation import describe
from diffdip.io.writing import json_bytes
from diffdip.report.figures.style import BLUE, GRAY, STYLE, TWO_COLUMNS, VERMILLION


CRYSTALS, SAMPLES, SEED = 20, 200, 0
VIEW_AZIMUTH, VIEW_ELEVATION = 2.6, 0.35  # radians
DOT = 0.17  # radius of a drawn dipole in nm
PIXELS = 900
SHOWN = 400  # extra dipoles in (c), including those on the far side

DESCRIPTION = """\
Draw Fig. 4: a random packing of nanocrystals, its contacts, and the laws of its construction.

Prints three numbers beside those of the laws: the mean ligand thickness at the facing points P′,
the share of thicknesses below the limit for an extra dipole, and the mean cosine of the angle
between an extra dipole and its P′.
"""

EPILOG = """\
Writes figure4.png, figure4.pdf and figure4.json. Examples:
  python experiments/figure4.py --out out
  python experiments/figure4.py --crystals 60 --seed 3     another, larger packing
"""


def table(samples: Samples) -> str:
    """Sampled numbers beside those of the laws, with Kolmogorov–Smirnov probabilities."""
    law, kappa = thickness_law(samples.model), float(samples.model.kappa)
    limit, cosine = float(samples.model.extra_below), samples.turned[:, 2]
    lines = [
        f"facing points P′              {len(samples.thickness)}",
        f"mean ligand thickness (nm)    {samples.thickness.mean():.4f}   law {law.mean():.4f}",
        f"share below {limit:g} nm            {np.mean(samples.thickness < limit):.4f}   "
        f"law {law.cdf(limit):.4f}",
        f"p-value of the law            {kstest(samples.thickness, law.cdf).pvalue:.3f}",
        f"extra dipoles                 {len(cosine)}",
    ]
    if len(cosine):
        fisher = kstest(cosine, lambda x: fisher_cumulative(x, kappa))
        lines += [
            f"mean cosine to P′             {cosine.mean():.4f}   "
            f"law {1 / math.tanh(kappa) - 1 / kappa:.4f}",
            f"p-value of the law            {fisher.pvalue:.3f}",
        ]
    return "\n".join(lines)


def figure(samples: Samples) -> Figure:
    """The figure, two columns wide."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(TWO_COLUMNS / 25.4, 135 / 25.4), layout="constrained")
        cells = figure.add_gridspec(2, 2, height_ratios=(1.25, 1))
        draw_packing(figure.add_subplot(cells[0, 0]), samples)
        draw_contact(figure.add_subplot(cells[0, 1]), samples.model)
        draw_thickness(figure.add_subplot(cells[1, 0]), samples)
        draw_fisher(figure.add_subplot(cells[1, 1]), samples)
    return figure


def _view(points: np.ndarray) -> np.ndarray:
    """Points in the frame of the viewer: x to the right, y up, z towards the viewer."""
    a, e = VIEW_AZIMUTH, VIEW_ELEVATION
    right = [-math.sin(a), math.cos(a), 0]
    toward = [math.cos(e) * math.cos(a), math.cos(e) * math.sin(a), math.sin(e)]
    return points @ np.array([right, np.cross(toward, right), toward]).T


def render(
    centers: np.ndarray, radii: np.ndarray, colors: np.ndarray, extent: float, pixels: int
) -> np.ndarray:
    """Shaded spheres as an RGBA image of the square ±`extent`, x right, y up, z to the viewer."""
    line = (np.arange(pixels) + 0.5) / pixels * 2 * extent - extent
    image = np.zeros((pixels, pixels, 4))
    depth = np.full((pixels, pixels), -np.inf)
    nearest, farthest = centers[:, 2].max(), centers[:, 2].min()
    light = np.array([-0.45, 0.55, 0.70])
    for (x, y, z), radius, color in zip(centers, radii, colors, strict=True):
        column = slice(*np.searchsorted(line, [x - radius, x + radius]))
        row = slice(*np.searchsorted(line, [y - radius, y + radius]))
        dx, dy = (line[column] - x) / radius, (line[row] - y)[:, None] / radius
        inside = 1 - dx**2 - dy**2
        height = np.sqrt(np.maximum(inside, 0))
        front = (inside > 0) & (z + radius * height > depth[row, column])
        bright = np.maximum(light[0] * dx + light[1] * dy + light[2] * height, 0)
        shade = color * (0.45 + 0.6 * bright[..., None]) + 0.35 * bright[..., None] ** 30
        haze = 0.45 * (nearest - z) / max(nearest - farthest, radius)
        shade = np.clip(shade, 0, 1) * (1 - haze) + haze
        image[row, column][front] = np.concatenate([shade, np.ones_like(shade[..., :1])], -1)[front]
        depth[row, column][front] = (z + radius * height)[front]
    return image


def draw_packing(axes: Any, samples: Samples) -> None:
    """Draw cores as gray spheres, dipoles as blue dots, extra dipoles in red, and the container."""
    radius = 0.5 * float(samples.model.diameter)
    diameter = (4 * samples.volume / math.pi) ** (1 / 3)
    extent = 0.70 * diameter
    spheres = _view(np.concatenate([samples.centers, samples.positions]))
    dots = np.where(samples.extra[:, None], to_rgb(VERMILLION), to_rgb(BLUE))
    cores = np.full((len(samples.centers), 3), 0.78)
    image = render(
        spheres,
        np.repeat([radius, DOT], [len(cores), len(dots)]),
        np.concatenate([cores, dots]),
        extent,
        PIXELS,
    )
    turn = np.linspace(0, 2 * math.pi, 181)
    for level in (-1, 1):
        rim = np.stack([np.cos(turn), np.sin(turn), np.full_like(turn, level)], axis=-1)
        x, y, z = _view(diameter / 2 * rim).T
        behind = np.where(z < 0, y, np.nan) if level < 0 else y
        axes.plot(x, behind, color=GRAY, linewidth=0.7, zorder=1)
        if level < 0:
            axes.plot(x, np.where(z >= 0, y, np.nan), color=GRAY, linewidth=0.7, zorder=3)
    half = diameter / 2 * math.cos(VIEW_ELEVATION)
    for side in (-1, 1):
        axes.plot([side * diameter / 2] * 2, [-half, half], color=GRAY, linewidth=0.7, zorder=1)
    axes.imshow(
        image, extent=(-extent, extent) * 2, origin="lower", interpolation="antialiased", zorder=2
    )
    for color, label in ((BLUE, "dipole"), (VERMILLION, "extra dipole")):
        axes.plot([], [], "o", color=color, markersize=3.5, label=label)
    _bare(axes, extent)
    axes.set_ylim(-extent, 1.12 * extent)
    axes.legend(loc="upper right", ncols=2, borderaxespad=0, columnspacing=1, handletextpad=0.2)
    axes.set_title(
        f"(a) {len(samples.centers)} crystals, {len(samples.positions)} dipoles", loc="left"
    )
    axes.plot(
        [-diameter / 2, -diameter / 2 + 2], [-0.97 * extent] * 2, color="black", linewidth=1.5
    )
    axes.text(-diameter / 2 + 2.3, -0.97 * extent, "2 nm", va="center", fontsize=7)


def draw_contact(axes: Any, model: NanocrystalPacking) -> None:
    """Draw two cores whose ligand shells touch at P. The thin shell gives an extra dipole."""
    d, l1, l2 = float(model.diameter), 0.50, 0.18
    tilt = math.radians(20)
    along = np.array([math.cos(tilt), math.sin(tilt)])
    across = np.array([-along[1], along[0]])
    gap = d + l1 + l2
    one, two = -gap / 2 * along, gap / 2 * along
    for center, shell, turned in ((one, l1, 0.0), (two, l2, math.pi)):
        middle = math.degrees(tilt + turned)
        wedge = Wedge(center, d / 2 + shell, middle - 24, middle + 24, width=shell)
        wedge.set(facecolor="0.8", edgecolor="none")
        axes.add_patch(wedge)
        axes.add_patch(Circle(center, d / 2, facecolor="0.94", edgecolor="black", linewidth=0.8))
    far = d / 2 * 0.98
    axes.annotate(
        "",
        one - far * across,
        one + far * across,
        arrowprops={"arrowstyle": "<->", "linewidth": 0.7, "shrinkA": 0, "shrinkB": 0},
    )
    axes.text(*(one - 0.12 * along), f"{d:g} nm", ha="right", va="center", fontsize=7)
    first, second = one + d / 2 * along, two - d / 2 * along
    touch = one + (d / 2 + l1) * along
    axes.plot(*np.array([first, second]).T, ".", color="black", markersize=5, zorder=4)
    axes.plot(*touch, "x", color="black", markersize=4.5, zorder=4)
    axes.text(*(first - 0.10 * along), "P′", ha="right", va="center")
    axes.text(*(second + 0.14 * along), "P′", ha="left", va="center")
    for start, length, name, up in ((first, l1, "$l_1$", 1), (touch, l2, "$l_2$", 1)):
        ends = np.array([start, start + length * along]) + up * 0.80 * across
        axes.plot(*ends.T, "-", color=BLUE, linewidth=1.2, solid_capstyle="butt")
        for end, foot in zip(ends, (start, start + length * along), strict=True):
            axes.plot(*np.array([foot, end]).T, ":", color=BLUE, linewidth=0.7)
        axes.text(*(ends.mean(axis=0) + 0.22 * across), name, ha="center", va="center", color=BLUE)
    axes.annotate(
        "P",
        touch,
        touch - 1.15 * across,
        ha="center",
        va="center",
        arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": GRAY, "shrinkB": 3},
    )
    angle = tilt + math.pi + 0.42
    extra = two + d / 2 * np.array([math.cos(angle), math.sin(angle)])
    axes.plot(*extra, "o", color=VERMILLION, markersize=4.5, zorder=5)
    axes.annotate(
        f"extra dipole,\nas $l_2$ < {float(model.extra_below):g} nm",
        extra,
        (two[0] + 0.1, two[1] - d / 2 - 0.75),
        ha="center",
        va="center",
        fontsize=7,
        color=VERMILLION,
        arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": VERMILLION, "shrinkB": 3},
    )
    extent = 0.5 * gap * along[0] + d / 2 + 0.1
    _bare(axes, extent)
    axes.set_ylim(-2.5, 2.2)
    axes.set_title("two crystals in contact", loc="left")


def draw_thickness(axes: Any, samples: Samples) -> None:
    """Draw a histogram of the sampled thickness, and the law."""
    law, limit = thickness_law(samples.model), float(samples.model.extra_below)
    top = float(law.ppf(0.9995))
    axes.hist(
        samples.thickness,
        bins=np.linspace(0, top, 37),
        density=True,
        color=BLUE,
        alpha=0.35,
        label="contacts accepted",
    )
    grid = np.linspace(0, top, 400)
    pdf = np.r_[0, law.pdf(grid)]
    axes.plot(np.r_[0, grid], pdf, color=VERMILLION, label="truncated normal law")
    axes.axvline(limit, color=GRAY, linestyle="--", linewidth=0.8)
    share = np.mean(samples.thickness < limit)
    text = f"extra\ndipole:\n{share:.0%}\n(law {law.cdf(limit):.0%})"
    axes.text(limit - 0.02, 0.10, text, ha="right", fontsize=7)
    axes.set_xlim(-0.03, top)
    axes.set_ylim(0, None)
    axes.set_xlabel("ligand thickness at P′ (nm)")
    axes.set_ylabel(r"density (nm$^{-1}$)")
    axes.legend(loc="upper right")
    axes.set_title("(b) ligand thickness", loc="left")


def draw_fisher(axes: Any, samples: Samples) -> None:
    """Draw the Fisher density on the near side of a crystal, and sampled dipoles there."""
    kappa = float(samples.model.kappa)
    line = np.linspace(-1, 1, 400)
    x, y = np.meshgrid(line, line)
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    # P′ to the right, up and towards the viewer
    pole = np.array([0.42, 0.30, 0.0])
    pole[2] = math.sqrt(1 - pole @ pole)
    cosine = pole[0] * x + pole[1] * y + pole[2] * z
    density = kappa / (4 * math.pi * math.sinh(kappa)) * np.exp(kappa * cosine)
    image = axes.imshow(
        np.where(x**2 + y**2 <= 1, density, np.nan),
        extent=(-1, 1, -1, 1),
        origin="lower",
        cmap="viridis",
        vmin=0,
        interpolation="bilinear",
    )
    right = np.cross([0.0, 1.0, 0.0], pole)
    right /= np.linalg.norm(right)
    points = samples.turned[:SHOWN] @ np.array([right, np.cross(pole, right), pole])
    near = points[points[:, 2] > 0]
    axes.plot(
        *near[:, :2].T,
        "o",
        color="white",
        markersize=2.2,
        markeredgecolor="black",
        markeredgewidth=0.3,
    )
    axes.add_patch(Circle((0, 0), 1, fill=False, edgecolor="black", linewidth=0.8))
    axes.plot(*pole[:2], "+", color=VERMILLION, markersize=8, markeredgewidth=1.6)
    axes.annotate(
        "P′",
        pole[:2],
        (1.12, 0.72),
        color=VERMILLION,
        va="center",
        arrowprops={"arrowstyle": "-", "linewidth": 0.7, "color": VERMILLION, "shrinkB": 4},
    )
    _bare(axes, 1.04)
    axes.set_xlim(-1.35, 1.35)
    bar = axes.figure.colorbar(image, ax=axes, shrink=0.85, pad=0.02)
    bar.set_label("density (per steradian)")
    axes.set_title(f"(c) extra dipole about P′, κ = {kappa:g}", loc="left")


def _bare(axes: Any, extent: float) -> None:
    axes.set_aspect("equal")
    axes.set_xlim(-extent, extent)
    axes.set_ylim(-extent, extent)
    axes.axis("off")


def files(samples: Samples, seed: int, packings: int) -> dict[str, bytes]:
    """All files of the script, by name."""
    settings = {
        "diffdip": diffdip.__version__,
        "model": describe(samples.model),
        "seed": seed,
        "n_samples": packings,
    }
    made = made_by(
        f"figure4.py --crystals {samples.model.n_crystals} --samples {packings} --seed {seed}",
        str(samples.model.convention),
    )
    law, cosine = thickness_law(samples.model), samples.turned[:, 2]
    limit, kappa = float(samples.model.extra_below), float(samples.model.kappa)
    numbers = {
        "facing_points": len(samples.thickness),
        "mean_thickness_nm": samples.thickness.mean(),
        "mean_thickness_of_law_nm": law.mean(),
        "share_below_limit": np.mean(samples.thickness < limit),
        "share_below_limit_of_law": law.cdf(limit),
        "extra_dipoles": len(cosine),
        "mean_cosine": cosine.mean() if len(cosine) else None,
        "mean_cosine_of_law": 1 / math.tanh(kappa) - 1 / kappa,
    }
    return {
        **picture_files("figure4", figure(samples), made),
        "figure4.json": json_bytes({**settings, "results": numbers}),
    }


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("figure4", DESCRIPTION, EPILOG, SEED)
    parser.add_argument(
        "--crystals",
        type=crystals,
        default=CRYSTALS,
        metavar="N",
        help="number in each packing, 2 or more: %(default)s",
    )
    parser.add_argument(
        "--samples",
        type=positive,
        default=SAMPLES,
        metavar="N",
        help="number of packings for (b) and (c): %(default)s",
    )
    options = parser.parse_args(argv)
    samples = run(options.crystals, options.samples, options.seed)
    made = files(samples, options.seed, options.samples)
    finish(parser, options, made, table(samples))


if __name__ == "__main__":
    main()
