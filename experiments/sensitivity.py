"""Do derivatives of ensemble statistics agree with finite differences?

python experiments/sensitivity.py --quick --out out
"""

from typing import Any

import numpy as np
from script import csv_bytes, finish, made_by, parser_of

from diffdip import (
    AbstractModel,
    CauchyWidth,
    Component,
    GeometricMean,
    Magnitude,
    NanocrystalPacking,
    Quantile,
    SensitivityTable,
    UniformCylinder,
    sensitivity,
)


STATISTICS = (Quantile(Magnitude("B")), GeometricMean(Magnitude("A")), CauchyWidth(Component("B")))
PARAMETERS = ("bond_length", "extra_spacing", "extra_below", "kappa", "moment", "diameter")
STEPS = (0.05, 0.1)
SAMPLES, QUICK_SAMPLES = 20_000, 400
MORE = 4
"""Samples for the derivatives, divided by samples for each run of a difference."""

CRYSTALS, QUICK_CRYSTALS = 10, 2

DESCRIPTION = """\
Compare two ways to compute the derivatives of ensemble statistics: from the samples themselves, as
`sensitivity` does, and by central differences of independent samples (with common random numbers
within a difference). For six parameters, three statistics and two steps. The derivatives take four
times as many samples.
"""

EPILOG = """\
Takes a quarter of an hour on two cores, or half a minute with --quick. Example:
  python experiments/sensitivity.py --quick --out out
"""


def compare(
    model: AbstractModel, names: tuple[str, ...], samples: int, seed: int
) -> list[list[Any]]:
    """One row for each statistic and parameter, as in `HEADER`.

    A row has the statistic, the parameter, the method, the derivative and its error, and for each
    step the difference, its error, and the distance of both in combined standard errors.
    """
    whole = sensitivity(model, STATISTICS, n_samples=MORE * samples, seed=seed)
    steps = [
        sensitivity(
            model, STATISTICS, names, samples, seed + 1 + i, method="differences", step=step
        )
        for i, step in enumerate(STEPS)
    ]
    return [_row(whole, steps, statistic.label, name) for statistic in STATISTICS for name in names]


def _row(
    whole: SensitivityTable, steps: list[SensitivityTable], statistic: str, name: str
) -> list[Any]:
    one = whole.row(statistic, name)
    row = [statistic, name, one.method, one.logarithmic, one.logarithmic_error]
    for table, step in zip(steps, STEPS, strict=True):
        other = table.row(statistic, name)
        # error of a central difference if T is a power of the parameter
        curvature = abs(one.logarithmic) ** 3 * step**2 / 6
        combined = np.linalg.norm([one.logarithmic_error, other.logarithmic_error, curvature])
        distance = (one.logarithmic - other.logarithmic) / combined
        row += [other.logarithmic, other.logarithmic_error, distance]
    return row


HEADER = (
    *("statistic", "parameter", "method", "dlnT_dlntheta", "error"),
    *(f"{name}_{step}" for step in STEPS for name in ("difference", "its_error", "distance")),
)


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("sensitivity", DESCRIPTION, EPILOG)
    parser.add_argument("--quick", action="store_true", help="few samples of two crystals")
    options = parser.parse_args(argv)
    samples = QUICK_SAMPLES if options.quick else SAMPLES
    # the physical rule, because a spacing of 0 has no logarithm
    packing = NanocrystalPacking(QUICK_CRYSTALS if options.quick else CRYSTALS, extra_spacing=0.26)
    uniform = UniformCylinder(n=50, density=2.0)
    rows = compare(packing, PARAMETERS, samples, options.seed)
    rows += compare(uniform, ("density",), samples, options.seed)
    lines = [_line(row) for row in rows]
    far = max(abs(z) for row in rows for z in row[7::3])
    lines.append(f"largest of {2 * len(rows)} distances: {far:.1f} combined standard errors")
    table = csv_bytes([[f"# {made_by('sensitivity.py')}"], HEADER, *rows])
    finish(parser, options, {"sensitivity.csv": table}, "\n".join(lines))


def _line(row: list[Any]) -> str:
    others = zip(row[5::3], row[6::3], row[7::3], strict=True)
    numbers = "".join(f"  {d:+.3f} ± {e:.3f} ({z:+.1f})" for d, e, z in others)
    return f"{row[0]:28}{row[1]:15}{row[2]:12}{row[3]:+.3f} ± {row[4]:.3f}{numbers}"


if __name__ == "__main__":
    main()
