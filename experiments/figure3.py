"""Fig. 3 of the paper: the dipolar energy of random dipoles is the energy of one tensor.

Three random arrangements of dipoles in a cylinder. Points show the energy density F_dip (eq. 2) as
the magnetization turns in the xy-, xz- and yz-plane. Lines show F_eff (eq. 3) of the tensor D
that was fitted to the points. The script prints the three tensors and the residuals of the fit.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from matplotlib.figure import Figure
from script import at_least, finish, made_by, parser_of, picture_files

from diffdip import UniformCylinder, plane_directions, project_tensor
from diffdip.foundation.units import MU_0


ARRANGEMENTS = 3
DIPOLES, QUICK_DIPOLES = 1000, 300
# of the first dozen seeds, this one has the most similar energies, so that all three are visible
SEED = 0
PLANES = ("xy", "xz", "yz")
DENSITY = 2.0  # dipoles per nm³
ANGLES = np.deg2rad(np.arange(0, 361, 15))
COLORS = ("#0072B2", "#D55E00", "#009E73")  # can be distinguished with all kinds of color vision
MARKERS = ("o", "s", "^")

DESCRIPTION = """\
Reproduce Fig. 3: energy density of random dipoles against the direction of magnetization.

Points show eq. 2, summed over all pairs (each counted twice, as printed: convention `paper`). Lines
show eq. 3, (µ0/2) M² u·D·u, with the symmetric traceless D that fits the points of all three planes
by least squares. Eq. 2 is a quadratic form in u. So the fit is exact to rounding, and D equals the
closed form. The script prints both differences.
"""

EPILOG = """\
Writes figure3.png and figure3.pdf. The same seed gives the same arrangements. The closest pairs
dominate the energy, so its scale differs by a factor of more than ten between arrangements. The
default seed gives three of similar size. The time grows with the square of --dipoles. Examples:
  python experiments/figure3.py --out out
  python experiments/figure3.py --seed 7 --out out       three other arrangements
"""


class Arrangement(NamedTuple):
    """One arrangement: energies (plane, angle) and residuals in J/m³, both tensors, M in A/m."""

    energies: np.ndarray
    fitted: np.ndarray
    closed_form: np.ndarray
    residual: np.ndarray
    magnetization: float

    @property
    def amplitude(self) -> float:
        """Half the range of the energies over the three planes, in J/m³."""
        return 0.5 * float(np.ptp(self.energies))

    @property
    def misfit(self) -> float:
        """The largest |F_dip − F_eff|, divided by the amplitude."""
        return float(np.max(np.abs(self.residual))) / self.amplitude

    @property
    def difference(self) -> float:
        """The largest element of the difference of both tensors, divided by that of D."""
        size = np.max(np.abs(self.closed_form))
        return float(np.max(np.abs(self.fitted - self.closed_form)) / size)

    def model(self, plane: str, angles: np.ndarray) -> np.ndarray:
        """F_eff of the fitted tensor (eq. 3), in J/m³."""
        u = np.asarray(plane_directions(angles, plane))
        scale = 0.5 * MU_0 * self.magnetization**2
        return scale * np.einsum("ki,ij,kj->k", u, self.fitted, u)


def arrange(seed: int, index: int, count: int) -> Arrangement:
    """Draw arrangement `index` of this seed and compute everything that is shown, in float64."""
    with jax.enable_x64(True):
        key = jax.random.fold_in(jax.random.key(seed), index)
        found = jax.device_get(_compute(key, count))
    return Arrangement(*found[:-1], float(found[-1]))


@partial(jax.jit, static_argnums=1)
def _compute(key: jax.Array, count: int) -> tuple[jax.Array, ...]:
    system = UniformCylinder(count, DENSITY).sample(key)
    u = jnp.stack([plane_directions(ANGLES, plane) for plane in PLANES])
    energies = system.energy_density(u)
    fit = project_tensor(u.reshape(-1, 3), energies.ravel(), system.magnetization)
    return energies, fit.D, system.tensor(), fit.residual, system.magnetization


def draw(arrangements: Sequence[Arrangement]) -> Figure:
    """One panel for each plane; energies in kJ/m³ against degrees."""
    figure = Figure(figsize=(7.0, 2.9), layout="constrained")
    panels = figure.subplots(1, len(PLANES), sharex=True, sharey=True)
    fine = np.linspace(0, 2 * np.pi, 361)
    for letter, plane, panel in zip("abc", PLANES, panels, strict=True):
        panel.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        pairs = []
        for index, one in enumerate(arrangements):
            look = {"color": COLORS[index], "clip_on": False, "zorder": 3}
            line = panel.plot(np.rad2deg(fine), 1e-3 * one.model(plane, fine), lw=1.0, **look)
            points = panel.plot(
                np.rad2deg(ANGLES),
                1e-3 * one.energies[PLANES.index(plane)],
                MARKERS[index],
                markersize=3.5,
                markerfacecolor="white",
                markeredgewidth=0.8,
                **look,
            )
            pairs.append((line[0], points[0]))
        panel.set_title(f"({letter})  ${plane}$-plane", loc="left", fontsize=9)
        panel.set_xlabel(f"Angle of $M$ from ${plane[0]}$ to ${plane[1]}$ (°)", fontsize=9)
        panel.set_xlim(0, 360)
        panel.set_xticks(range(0, 361, 90))
        panel.tick_params(direction="in", top=True, right=True, labelsize=8)
    panels[0].set_ylabel(r"$F_\mathrm{dip}$ (kJ/m³)", fontsize=9)
    figure.legend(
        pairs,
        [f"arrangement {index + 1}" for index in range(len(pairs))],
        loc="outside upper center",
        ncols=len(pairs),
        frameon=False,
        fontsize=8,
    )
    return figure


def describe(index: int, one: Arrangement) -> str:
    """The tensor of one arrangement and its residuals, as text."""
    rows = "\n".join("    " + " ".join(f"{x:10.4f}" for x in row) for row in one.fitted)
    return (
        f"arrangement {index + 1}: D =\n{rows}\n"
        f"    trace; trace of the closed form    {np.trace(one.fitted):.1e}, "
        f"{np.trace(one.closed_form):.1e}\n"
        f"    amplitude of F_dip                 {1e-3 * one.amplitude:.4g} kJ/m³\n"
        f"    largest |residual| / amplitude     {one.misfit:.1e}\n"
        f"    largest |D − closed form| / |D|    {one.difference:.1e}"
    )


def run(seed: int = SEED, count: int = DIPOLES) -> list[Arrangement]:
    """The arrangements of this seed."""
    return [arrange(seed, index, count) for index in range(ARRANGEMENTS)]


def table(arrangements: Sequence[Arrangement]) -> str:
    """The tensors of all arrangements and their residuals, as text."""
    return "\n".join(describe(index, one) for index, one in enumerate(arrangements))


def files(arrangements: Sequence[Arrangement], seed: int, count: int) -> dict[str, bytes]:
    """All files of the script, by name."""
    made = made_by(f"figure3.py --seed {seed} --dipoles {count}")
    return picture_files("figure3", draw(arrangements), made)


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("figure3", DESCRIPTION, EPILOG, SEED)
    parser.add_argument(
        "--dipoles",
        type=at_least(2, "one dipole has no pairs"),
        default=DIPOLES,
        metavar="N",
        help=f"number in each arrangement, at {DENSITY:g} per nm³: %(default)s",
    )
    options = parser.parse_args(argv)
    made = run(options.seed, options.dipoles)
    finish(parser, options, files(made, options.seed, options.dipoles), table(made))


if __name__ == "__main__":
    main()
