"""A first look: a fit of a measured series, and the published samples.

(a) The table that comes with diffdip: a narrow line, measured with a goniometer. Each row has its
own microwave frequency. A, B and C are fitted. (b) Hres(angle) of the paper's samples I and II, see
figure1.py.

    python experiments/first_look.py --out out
"""

import math

import figure1
import matplotlib as mpl
from matplotlib.figure import Figure
from script import finish, made_by, parser_of, picture_files

from diffdip import FitResult, fit_series
from diffdip.io import example_path, read_table
from diffdip.report.figures.fits import draw_fit
from diffdip.report.figures.style import STYLE


DESCRIPTION = """\
Fit the bundled goniometer table, draw it beside the published samples, and print both results.
"""

EPILOG = """\
Writes first_look.png and first_look.pdf. Example:
  python experiments/first_look.py --out out
"""


def fit_example() -> FitResult:
    """The fit of the bundled table: A, B, C free, g = 2."""
    [sample] = read_table(example_path())
    return fit_series(sample.angle, sample.field, sample.sigma, frequency=sample.frequency)


def table(result: FitResult) -> str:
    """Parameters of the fit, and the calculated fields of the published samples, in mT."""
    lines = ["goniometer table (g = 2, paper convention)"]
    for name in result.names:
        value, error = 1e3 * result.values[name], 1e3 * result.standard_errors[name]
        low, high = (1e3 * bound for bound in result.intervals[name]["68"])
        lines.append(f"  {name} = {value:8.4f} ± {error:.4f} mT, 68 % in {low:.4f} to {high:.4f}")
    amplitude = math.hypot(result.values["B"], 2 * result.values["C"])
    lines.append(f"  sqrt(B² + 4C²) = {1e3 * amplitude:.4f} mT, rms = {1e3 * result.rms:.4f} mT")
    return "\n".join([*lines, "", "published samples (9.45 GHz, g = 2)", figure1.table()])


def figure(result: FitResult) -> Figure:
    """Both parts side by side, two columns wide."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(170 / 25.4, 78 / 25.4), layout="constrained")
        cells = figure.add_gridspec(2, 2, width_ratios=(1.15, 1), height_ratios=(3, 1))
        main = figure.add_subplot(cells[0, 0])
        below = figure.add_subplot(cells[1, 0], sharex=main)
        draw_fit(main, below, result)
        main.set_title("(a) a narrow line on a goniometer", loc="left")
        figure.align_ylabels((main, below))
        published = figure.add_subplot(cells[:, 1])
        figure1.draw_samples(published)
        published.set_title("(b) CdSe nanocrystals, published A and B", loc="left")
    return figure


def files(result: FitResult) -> dict[str, bytes]:
    """All files of the script, by name."""
    return picture_files("first_look", figure(result), made_by("first_look.py", result.convention))


def main(argv: list[str] | None = None) -> None:
    parser = parser_of("first_look", DESCRIPTION, EPILOG, seed=None)
    options = parser.parse_args(argv)
    result = fit_example()
    finish(parser, options, files(result), table(result))


if __name__ == "__main__":
    main()
