"""Do the moments stay parallel? Resonances of packings against the strength of exchange.

The paper assumes that exchange keeps all moments parallel, so that only the sum of the dipolar
energies acts. Here each moment turns in its own field, and the absorption of the whole packing is
swept. It is compared with the rigid model: Hres and width of one macrospin with the tensor D.

    python experiments/collinearity.py --quick --out out
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.interpolate import CubicSpline
from script import Amount, csv_bytes, finish, made_by, parse_amount, parser_of, picture_files

from diffdip import (
    PHYSICAL,
    DipoleSystem,
    Moments,
    NanocrystalPacking,
    absorption_sweep,
    decaying_exchange,
    larmor_field,
    width_slopes,
)
from diffdip.dipoles.dipole_system import DipoleSummary
from diffdip.dynamics.moments import PAIR_FIELD
from diffdip.foundation.progress import progress_bar
from diffdip.report.figures.style import BLUE, GRAY, STYLE, TWO_COLUMNS, VERMILLION


SIZES, QUICK_SIZES = (10, 20), (4,)
SAMPLES, QUICK_SAMPLES, SEED = 5, 2, 0
"""Samples of the smallest packing; of larger ones fewer, in proportion to their crystals."""

RATIOS, QUICK_RATIOS = (0.1, 1.0, 10.0, 30.0, 100.0, 1000.0), (0.1, 10.0, 1000.0)
"""Exchange energy of one moment with all others, over the dipolar energy of the closest pair."""

SPACINGS = (0.26, 0.0)
"""Least distance of an extra dipole from others in nm: the physical rule, and the print."""

LAWS = ("all", "near")
DECAY = 0.3
"""Decay length of the exchange "near" in nm, about a bond length."""

ANGLES = np.deg2rad(np.arange(0.0, 180.0, 36.0))
FIELDS = 41
MARGIN = 0.06
"""Tesla that a sweep goes beyond the resonances of the rigid model, and beyond w0."""

FREQUENCY, DAMPING = 9.45e9, 0.03
MEV = 17.2760
"""µB·T in one meV."""

NEAR = 0.1
"""Deviation at which the rigid model counts as good: a tenth of the anisotropic shift."""

DESCRIPTION = """\
Compare resonances of moments that turn one by one with those of the rigid model.

For packings under both rules for extra dipoles, at 9.45 GHz and a damping of 0.03. The exchange of
a moment with all others, summed, is given as a multiple of the dipolar energy µ0m²/4πr³ of the
closest pair of the packing. Two laws: "all" couples all pairs alike; "near" decays with distance as
exp(-r/0.3 nm), so that it is weak between crystals.

A line is read from the absorption as a spectrometer would: its highest point, and its full width at
half maximum. "deviation" is the rms difference of Hres from the rigid model over all angles,
divided by the rms shift of the rigid Hres from w0: 0 if the rigid model holds, 1 if no anisotropy
is left. "amplitude" is the range of Hres(angle), and "width" the mean width, over those of the
rigid model. Points without a stable equilibrium are counted; a sweep with any is not read. So are
samples without a rigid resonance at some angle; they have no deviation.
"""

EPILOG = """\
Writes collinearity.png, collinearity.pdf and collinearity.csv. All moments are 1.73 µB. The sweep
goes from high to low fields. On a busy machine OPENBLAS_NUM_THREADS=1 is faster. Example:
  python experiments/collinearity.py --sizes 10 --samples 2
"""

COLUMNS = (
    *("convention", "extra_spacing_nm", "n_crystals", "sample", "exchange", "ratio"),
    *("closest_nm", "pair_energy_meV", "exchange_meV", "deviation", "amplitude", "width"),
    *("rigid_amplitude_mT", "alignment", "unstable_points", "sweeps_not_read"),
)


class Row(NamedTuple):
    """One packing with one exchange; see `DESCRIPTION`. NaN where no sweep could be read."""

    spacing: float
    crystals: int
    sample: int
    law: str
    ratio: float
    closest: float
    pair_energy: float
    deviation: float
    amplitude: float
    width: float
    rigid_amplitude: float
    alignment: float
    unstable: int
    not_read: int


class Packed(NamedTuple):
    """A packing, its closest pair (nm), and what the rigid model says: Hres and widths in tesla."""

    spacing: float
    crystals: int
    sample: int
    system: DipoleSystem
    closest: float
    field: np.ndarray
    width: np.ndarray

    @property
    def pair_energy(self) -> float:
        """µ0m²/4πr³ of the closest pair, in µB·T."""
        moment = float(self.system.moments[0])
        return PAIR_FIELD * moment**2 / self.closest**3

    @property
    def fields(self) -> np.ndarray:
        """The sweep."""
        ends = np.append(self.field[np.isfinite(self.field)], float(larmor_field(FREQUENCY)))
        return np.linspace(max(0.01, ends.min() - MARGIN), ends.max() + MARGIN, FIELDS)


@eqx.filter_jit
def drawn(model: NanocrystalPacking, key: jax.Array) -> tuple[DipoleSystem, DipoleSummary]:
    """One sample of a model, and its summary."""
    system = model.sample(key)
    return system, system.summary()


def packings(sizes: Sequence[int], samples: int, seed: int) -> list[Packed]:
    """Packings under both rules: `samples` of the smallest size, fewer of larger ones."""
    found = []
    key = jax.random.key(seed)
    for spacing in SPACINGS:
        for size in sizes:
            model = NanocrystalPacking(size, extra_spacing=spacing, convention=PHYSICAL)
            for index in range(max(1, samples * min(sizes) // size)):
                system, summary = drawn(model, jax.random.fold_in(key, np.uint32(index)))
                energy = system.anisotropy()
                rigid = width_slopes(energy, ANGLES, FREQUENCY)
                field, width = np.asarray(rigid.field), DAMPING * np.asarray(rigid.damping)
                closest = float(summary.closest)
                found.append(Packed(spacing, size, index, system, closest, field, width))
    return found


def exchange(packed: Packed, law: str, ratio: float) -> np.ndarray:
    """Jᵢⱼ in µB·T; summed over the others it is ratio × the pair energy, on average."""
    system = packed.system
    if law == "all":
        shape = np.ones((len(system.mask), len(system.mask)))
    else:
        shape = np.asarray(decaying_exchange(system.positions, 1.0, DECAY))
    kept = np.asarray(system.mask)
    shape = np.where(kept[:, None] & kept & ~np.eye(len(kept), dtype=bool), shape, 0.0)
    return ratio * packed.pair_energy * kept.sum() / shape.sum() * shape


def line(field: np.ndarray, absorption: np.ndarray) -> tuple[float, float]:
    """Highest point and full width at half maximum of one line, both in tesla.

    The inverse of a Lorentzian is a parabola, so its spline is accurate between few points. NaN if
    the absorption is, or if the line is not between the ends.
    """
    order = np.argsort(field)
    field, absorption = field[order], absorption[order]
    if not np.isfinite(absorption).all() or absorption.argmax() in (0, len(field) - 1):
        return np.nan, np.nan
    inverse = CubicSpline(field, absorption.max() / absorption)
    grid = np.linspace(field[0], field[-1], 20 * len(field))
    at = grid[np.argmin(inverse(grid))]
    turning = inverse.derivative().roots(extrapolate=False)
    top = turning[np.argmin(np.abs(turning - at))]
    crossings = inverse.solve(2 * float(inverse(top)), extrapolate=False)
    below, above = crossings[crossings < top], crossings[crossings > top]
    if not len(below) or not len(above):
        return float(top), np.nan
    return float(top), float(above[0] - below[-1])


def compare(packed: Packed, law: str, ratio: float) -> Row:
    """Sweep one packing with one exchange at all angles, and compare with the rigid model."""
    with jax.enable_x64(True):  # holds for one thread
        moments = Moments.of(packed.system, jnp.asarray(exchange(packed, law, ratio)))
        sweep = jax.device_get(absorption_sweep(moments, ANGLES, packed.fields, FREQUENCY, DAMPING))
        w0 = float(larmor_field(FREQUENCY))
    read = np.array([line(sweep.field, one) for one in sweep.absorption])
    field, width = read.T
    shift = np.sqrt(np.mean((packed.field - w0) ** 2))
    whole = bool(np.isfinite(field).all())
    return Row(
        packed.spacing,
        packed.crystals,
        packed.sample,
        law,
        ratio,
        packed.closest,
        packed.pair_energy,
        float(np.sqrt(np.mean((field - packed.field) ** 2)) / shift),
        float(np.ptp(field) / np.ptp(packed.field)) if whole else np.nan,
        float(np.mean(width / packed.width)),
        float(np.ptp(packed.field)),
        float(np.min(sweep.alignment, where=sweep.stable, initial=1.0)),
        int(np.sum(~sweep.stable)),
        int(np.sum(~np.isfinite(field))),
    )


def run(
    sizes: Sequence[int] = SIZES,
    samples: int = SAMPLES,
    seed: int = SEED,
    ratios: Sequence[float] = RATIOS,
) -> list[Row]:
    """All packings with both laws of exchange and all ratios, on all cores."""
    with jax.enable_x64(True):
        cases = packings(sizes, samples, seed)
    work = [(packed, law, ratio) for packed in cases for law in LAWS for ratio in ratios]
    rows = []
    with (
        progress_bar("collinearity", len(work)) as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for row in pool.map(lambda case: compare(*case), work):
            rows.append(row)
            advance(1)
    return rows


def run_amount(quick: bool, seed: int = SEED) -> list[Row]:
    """`run` with all samples, or with few of small packings."""
    if quick:
        return run(QUICK_SIZES, QUICK_SAMPLES, seed, QUICK_RATIOS)
    return run(SIZES, SAMPLES, seed)


def middle(rows: Sequence[Row], name: str) -> tuple[float, float, float]:
    """Median, 16 % and 84 % quantile of a column over rows that could be read."""
    values = np.array([getattr(row, name) for row in rows])
    values = values[np.isfinite(values)]
    if not len(values):
        return np.nan, np.nan, np.nan
    low, median, high = np.quantile(values, [0.16, 0.5, 0.84])
    return float(median), float(low), float(high)


def needed(rows: Sequence[Row], spacing: float, law: str) -> float:
    """The ratio at which the median deviation falls below `NEAR`, interpolated; else inf."""
    own = [row for row in rows if row.spacing == spacing and row.law == law]
    ratios = sorted({row.ratio for row in own})
    medians = [middle([row for row in own if row.ratio == r], "deviation")[0] for r in ratios]
    for index, (ratio, median) in enumerate(zip(ratios, medians, strict=True)):
        if median < NEAR:
            if not index:
                return ratio
            logs = np.log([medians[index - 1], median])
            part = (logs[0] - np.log(NEAR)) / (logs[0] - logs[1])
            return float(ratios[index - 1] * (ratio / ratios[index - 1]) ** part)
    return float("inf")


def table(rows: Sequence[Row]) -> str:
    """Medians for a terminal."""
    lines = [
        "rule     exchange  n_NC   ratio  samples  deviation  amplitude  width  unstable  not read"
        "  no rigid"
    ]
    for spacing in SPACINGS:
        for law in LAWS:
            for size in sorted({row.crystals for row in rows}):
                for ratio in sorted({row.ratio for row in rows}):
                    own = [
                        row
                        for row in rows
                        if (row.spacing, row.law, row.crystals, row.ratio)
                        == (spacing, law, size, ratio)
                    ]
                    if not own:
                        continue
                    deviation, amplitude, width = (
                        middle(own, name)[0] for name in ("deviation", "amplitude", "width")
                    )
                    lines.append(
                        f"{spacing:4.2f} nm  {law:8s}  {size:4d}  {ratio:6g}  {len(own):7d}  "
                        f"{deviation:9.3f}  {amplitude:9.3f}  {width:5.2f}  "
                        f"{sum(row.unstable for row in own):8d}  "
                        f"{sum(row.not_read for row in own):8d}  "
                        f"{sum(not np.isfinite(row.rigid_amplitude) for row in own):8d}"
                    )
            lines.append(
                f"{spacing:4.2f} nm  {law:8s}  median deviation below {NEAR:g} from a ratio of "
                f"{needed(rows, spacing, law):.2g} on"
            )
    return "\n".join(lines)


PANELS = {
    "deviation": "deviation of $H_\\mathrm{res}$ / its shift",
    "amplitude": "amplitude / rigid amplitude",
    "width": "line width / rigid width",
}
COLORS = dict(zip(SPACINGS, (BLUE, VERMILLION), strict=True))
WIDTHS = dict(zip(SPACINGS, (2.5, 1.0), strict=True))
"""Of lines: both rules give the same packing where no crystal has an extra dipole."""

STYLES = {"all": "-", "near": "--"}


def figure(rows: Sequence[Row]) -> Figure:
    """Deviations against the exchange: medians with the range of 68 %; two columns wide."""
    ratios = sorted({row.ratio for row in rows})
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(TWO_COLUMNS / 25.4, 72 / 25.4), layout="constrained")
        panels = figure.subplots(1, 3)
        for axes, (name, label), letter in zip(panels, PANELS.items(), "abc", strict=True):
            for spacing, color in COLORS.items():
                for law, dashes in STYLES.items():
                    own = [row for row in rows if (row.spacing, row.law) == (spacing, law)]
                    drawn = np.array(
                        [middle([r for r in own if r.ratio == ratio], name) for ratio in ratios]
                    )
                    width = WIDTHS[spacing]
                    look = {"color": color, "linewidth": width, "markersize": 2 * width}
                    axes.plot(ratios, drawn[:, 0], dashes, marker="o", **look)
                    if law == "all":
                        axes.fill_between(
                            ratios, drawn[:, 1], drawn[:, 2], color=color, alpha=0.18, linewidth=0
                        )
            axes.set_xscale("log")
            axes.set_ylabel(label)
            axes.set_title(f"({letter})", loc="left")
            if name == "deviation":
                axes.set_yscale("log")
                axes.axhline(NEAR, color=GRAY, linewidth=0.6, linestyle=":")
            else:
                axes.axhline(1, color=GRAY, linewidth=0.6, linestyle=":")
                axes.set_ylim(bottom=0)
        handles = [Line2D([], [], color=COLORS[s], linewidth=WIDTHS[s]) for s in SPACINGS]
        handles += [Line2D([], [], color="black", linestyle=dashes) for dashes in STYLES.values()]
        labels = [f"extra dipoles {SPACINGS[0]} nm from others", "extra dipoles anywhere"]
        labels += ["exchange of all pairs alike", f"exchange decays in {DECAY} nm"]
        figure.supxlabel(
            "exchange energy of a moment / dipolar energy of the closest pair", fontsize=8
        )
        figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure


def files(rows: Sequence[Row], seed: int, samples: int) -> dict[str, bytes]:
    """All files of the script, by name."""
    sizes = ", ".join(str(size) for size in sorted({row.crystals for row in rows}))
    made = made_by(
        f"collinearity.py --samples {samples} --seed {seed}; n_NC = {sizes}", PHYSICAL.name
    )
    lines: list[Sequence[Any]] = [COLUMNS]
    for row in rows:
        numbers = (
            row.closest,
            row.pair_energy / MEV,
            row.ratio * row.pair_energy / MEV,
            row.deviation,
            row.amplitude,
            row.width,
            1e3 * row.rigid_amplitude,
            row.alignment,
        )
        shown = ("" if np.isnan(number) else f"{number:.6g}" for number in numbers)
        first = (PHYSICAL.name, f"{row.spacing:g}", row.crystals, row.sample, row.law)
        lines.append([*first, f"{row.ratio:g}", *shown, row.unstable, row.not_read])
    return {
        **picture_files("collinearity", figure(rows), made),
        "collinearity.csv": csv_bytes(lines),
    }


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("collinearity", DESCRIPTION, EPILOG, SEED)
    options, amount = parse_amount(
        parser, argv, Amount(SIZES, SAMPLES), Amount(QUICK_SIZES, QUICK_SAMPLES)
    )
    ratios = QUICK_RATIOS if options.quick else RATIOS
    rows = run(*amount, options.seed, ratios)
    finish(parser, options, files(rows, options.seed, amount.samples), table(rows))


if __name__ == "__main__":
    main()
