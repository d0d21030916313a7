"""Figures: what is drawn is what was measured and computed, legible and always the same bytes."""

import dataclasses
import struct
import subprocess
import sys

import jax
import jax.numpy as jnp
import matplotlib as mpl
import matplotlib.text
import numpy as np
import pytest

from diffdip import (
    AnisotropyFields,
    FitResult,
    Series,
    larmor_field,
    resonance_branches,
    resonance_field,
)
from diffdip.report import figures as plot
from diffdip.report.figures.curves import figure_curve
from diffdip.report.figures.ensembles import figure_ensemble
from diffdip.report.figures.fits import figure_fit
from diffdip.report.figures.sensitivities import figure_inference, figure_sensitivity
from diffdip.report.figures.style import figure_bytes
from diffdip.sensitivities.sensitivity_table import Sensitivity, SensitivityTable


DRIFT = 1e9 * np.linspace(9.45, 9.55, 12)


def result(frequency=9.45e9, sigma=None, A=0.1915, B=0.2046):
    """A fit by hand at 12 angles over half a turn, residuals of ±2 mT."""
    angle = np.radians(np.arange(0.0, 180.0, 15.0))
    with jax.enable_x64(True):
        energy = AnisotropyFields(A, B, 0.0)
        predicted = np.asarray(resonance_field(energy, angle, np.broadcast_to(frequency, 12)))
    residuals = 2e-3 * np.array([1.0, -1.0] * 6)
    return FitResult(
        names=("A",),
        values={"g": 2.0, "offset": 0.0, "A": A, "B": B, "C": 0.0},
        standard_errors={"A": 1e-3},
        covariance=np.array([[1e-6]]),
        correlation=np.ones((1, 1)),
        intervals={"A": {"68": (A - 1e-3, A + 1e-3), "95": (A - 2e-3, A + 2e-3)}},
        chi2=1.0,
        reduced_chi2=None,
        rms=2e-3,
        dof=11,
        n_points=12,
        residuals=residuals,
        predicted=predicted,
        converged=True,
        flags=(),
        convention="paper",
        loss="linear",
        series=(Series(angle, predicted + residuals, sigma, frequency=frequency),),
        energy=energy,
    )


def points(axes, marker):
    [line] = [line for line in axes.lines if line.get_marker() == marker]
    return line.get_xydata()


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def check_fonts(figure):
    figure.draw_without_rendering()
    texts = [t for t in figure.findobj(matplotlib.text.Text) if t.get_text() and t.get_visible()]
    assert texts
    assert min(text.get_fontsize() for text in texts) >= 7


@pytest.mark.slow
def test_data_model_and_residuals_are_drawn():
    fit = result(sigma=1e-3)
    figure = figure_fit(fit, title="sample I")
    main, below, around = figure.axes
    angle = np.arange(0, 180, 15)
    np.testing.assert_allclose(points(main, "o")[:, 0], angle, atol=1e-9)
    np.testing.assert_allclose(points(main, "o")[:, 1], 1e3 * fit.series[0].field)
    np.testing.assert_allclose(points(below, "o")[:, 1], [2, -2] * 6)
    [curve] = [line for line in main.lines if line.get_label() == "model"]
    at_90 = curve.get_ydata()[curve.get_xdata() == 90.0]
    assert at_90 == pytest.approx(399.575, abs=1e-3)  # the published sample I
    np.testing.assert_allclose(points(around, "o")[:, 1], 1e3 * fit.series[0].field)
    bars = main.containers[0].lines[2][0].get_segments()
    np.testing.assert_allclose([bar[1, 1] - bar[0, 1] for bar in bars], 2.0)
    assert main.get_ylabel().endswith("at 9.45 GHz (mT)")
    assert below.get_xlabel().endswith("(°)")
    assert below.get_ylabel() == "residual (mT)"
    assert legend(main) == ["model", "measured"]
    assert main.get_title(loc="left") == "sample I"
    assert around.get_ylim()[0] == 0
    check_fonts(figure)


@pytest.mark.slow
def test_data_at_several_frequencies_are_drawn_at_the_mean():
    fit = result(frequency=DRIFT)
    main, below, _ = figure_fit(fit).axes
    with jax.enable_x64(True):
        mean = resonance_field(fit.energy, fit.series[0].angle, np.mean(DRIFT))
    np.testing.assert_allclose(points(main, "o")[:, 1], 1e3 * (np.asarray(mean) + fit.residuals))
    np.testing.assert_allclose(points(below, "o")[:, 1], [2, -2] * 6)
    assert legend(main) == ["model", "measured, corrected to this frequency"]


@pytest.mark.slow
def test_points_without_a_resonance_are_marked_as_measured():
    fit = result()
    residuals = fit.residuals.copy()
    residuals[3] = np.nan
    main, below, around = figure_fit(dataclasses.replace(fit, residuals=residuals)).axes
    expected = [[45.0, 1e3 * fit.series[0].field[3]]]
    np.testing.assert_allclose(points(main, "^"), expected)
    assert len(points(main, "o")) == len(points(below, "o")) == 11
    assert len(points(around, "^")) == 1
    assert "no resonance in the model" in legend(main)


def test_a_weak_variation_is_seen_in_the_polar_plot():
    fit = result(A=1e-3, B=1e-4)
    polar = figure_fit(fit).axes[2]
    center, edge = polar.get_ylim()
    field = 1e3 * fit.series[0].field
    assert 0 < center < field.min()
    assert edge > field.max()
    assert (field.max() - field.min()) > 0.3 * (edge - center)
    assert center == round(center)  # in mT: the field varies by some mT
    assert f"centre at {center:.10g} mT" in polar.get_title()
    apart = np.cos(fit.series[0].angle - np.radians(polar.get_rlabel_position()))
    assert np.max(apart) < np.cos(np.radians(20))  # of the labels from all points


def test_one_figure_for_each_series():
    fit = result()
    second = Series(np.array([0.0, 1.0]), np.array([0.25, 0.3]), None, frequency=9e9)
    both = dataclasses.replace(
        fit,
        series=(*fit.series, second),
        residuals=np.append(fit.residuals, [1e-3, -3e-3]),
        predicted=np.append(fit.predicted, [0.249, 0.303]),
    )
    _, below, _ = figure_fit(both, series=1).axes
    np.testing.assert_allclose(points(below, "o")[:, 1], [1.0, -3.0])


@pytest.fixture(scope="module")
def folded():
    """A sample with stable, metastable and measured branches: A = 300, B = 500 mT."""
    angle = np.linspace(0, np.pi, 181)
    with jax.enable_x64(True):
        return angle, resonance_branches(AnisotropyFields(0.3, 0.5), angle, 9.45e9)


def lines(axes, style, width):
    return [
        line
        for line in axes.lines
        if line.get_linestyle() == style and line.get_linewidth() == pytest.approx(width)
    ]


@pytest.mark.slow
def test_every_resonance_is_drawn_once_and_the_measured_one_thick(folded):
    angle, branches = folded
    figure = figure_curve(angle, branches, larmor=float(larmor_field(9.45e9)))
    main, below = figure.axes
    measured, _ = branches.measured()
    known = np.isfinite(measured)
    for axes in (main, below):
        drawn = np.concatenate([line.get_xdata() for line in lines(axes, "-", 1.8)])
        np.testing.assert_allclose(np.sort(drawn), np.degrees(angle[known]))
    heights = np.concatenate([line.get_ydata() for line in lines(main, "-", 1.8)])
    np.testing.assert_allclose(np.sort(heights), np.sort(1e3 * measured[known]))
    count = lambda *styles: sum(
        len(line.get_xdata()) for style in styles for line in lines(main, *style)
    )
    assert count(("-", 1.8), ("-", 1.2)) == branches.stable.sum()
    assert count(("--", 1.0)) == (np.isfinite(branches.field) & ~branches.stable).sum()
    assert set(legend(main)) == {"metastable", "stable", "seen after saturation", "$w_0$"}
    assert main.get_ylabel().endswith("(mT)")
    check_fonts(figure)


@pytest.mark.slow
def test_lines_follow_one_state_of_the_magnetization(folded):
    """Where two branches cross in field, at 90°, each goes on with its own direction of M."""
    figure = figure_curve(*folded)
    for line in figure.axes[1].lines:
        assert np.all(np.abs(np.diff(line.get_ydata())) < 20)


@pytest.mark.slow
def test_no_resonance_at_all(folded):
    angle, branches = folded
    empty = dataclasses.replace(
        branches,
        field=jnp.full_like(branches.field, jnp.nan),
        stable=jnp.zeros_like(branches.stable),
    )
    figure = figure_curve(angle, empty, title="A = 1\nxy plane")
    assert figure.axes[0].get_title(loc="left") == "A = 1\nxy plane"
    assert [text.get_text() for text in figure.axes[0].texts] == ["no resonance at any angle"]
    figure_bytes(figure, "png")


def answers(statistic, values, errors):
    return [
        Sensitivity(statistic, 1.0, 0.1, name, 1.0, value, error, value, error, "derivative")
        for name, value, error in zip(
            ("kappa", "bond_length", "moment"), values, errors, strict=True
        )
    ]


@pytest.mark.slow
def test_a_tornado_chart_is_sorted_by_size():
    rows = answers("median |B|", (0.5, -3.0, 1.0), (0.1, 0.4, np.nan))
    rows += answers("share", (np.nan, np.nan, 2.0), (np.nan, np.nan, 0.2))
    figure = figure_sensitivity(SensitivityTable(tuple(rows), {}))
    first, second = figure.axes
    names = [label.get_text() for label in first.get_yticklabels()]
    assert names == ["kappa", "moment", "bond length"]  # from below
    np.testing.assert_allclose([bar.get_width() for bar in first.patches], [0.5, 1.0, -3.0])
    assert len({bar.get_facecolor() for bar in first.patches}) == 2
    bars = first.collections[0].get_segments()
    np.testing.assert_allclose([bars[i][:, 0] for i in (0, 2)], [[0.4, 0.6], [-3.4, -2.6]])
    assert [text.get_title(loc="left") for text in figure.axes] == ["median |B|", "share"]
    [bar] = second.patches
    assert bar.get_y() + bar.get_height() / 2 == pytest.approx(2)  # on top
    assert bar.get_width() == 2.0
    assert "theta" in first.get_xlabel()
    check_fonts(figure)
    assert figure_bytes(figure, "pdf") == figure_bytes(figure, "pdf")


def test_three_tornado_charts_leave_no_empty_axes():
    rows = [row for name in "abc" for row in answers(name, (1.0, 2.0, 3.0), (1.0, 1.0, 1.0))]
    assert len(figure_sensitivity(SensitivityTable(tuple(rows), {})).axes) == 3


def test_distribution_functions_in_mT():
    measured = (np.array([1e-3, -2e-3, 4e-3, np.nan]), np.array([0.0, 3e-3, 5e-3]))
    model = (np.array([1e-3, 2e-3]), np.array([1e-4, -1e-2]))
    figure = figure_inference(measured, model, title="mine")
    first, second = figure.axes
    of_model, of_measured = first.lines
    np.testing.assert_allclose(of_measured.get_xdata()[1:], [1, 2, 4])
    np.testing.assert_allclose(of_measured.get_ydata()[1:], [1 / 3, 2 / 3, 1])
    np.testing.assert_allclose(of_model.get_xdata()[1:], [1, 2])
    assert {axes.get_xscale() for axes in figure.axes} == {"log"}
    assert second.get_xlabel() == "$|B|$ (mT)"
    assert first.get_xlim()[1] > 4
    assert legend(first) == ["model", "measured (3 samples)"]
    assert first.get_title(loc="left") == "mine"
    check_fonts(figure)


def png_size(data):
    return struct.unpack(">II", data[16:24])


@pytest.mark.slow
def test_files_are_the_same_bytes_in_the_size_of_columns(folded):
    make = (lambda: figure_fit(result()), lambda: figure_curve(*folded))
    for figure, millimeters in zip(make, (plot.TWO_COLUMNS, plot.ONE_COLUMN), strict=True):
        png, pdf = figure_bytes(figure(), "png"), figure_bytes(figure(), "pdf")
        assert png == figure_bytes(figure(), "png")
        assert pdf == figure_bytes(figure(), "pdf")
        assert pdf.startswith(b"%PDF")
        assert b"CreationDate" not in pdf
        # who made it, without a version
        assert b"Software\0diffdip" in png
        assert b"/Creator (diffdip)" in pdf
        assert png_size(png)[0] == pytest.approx(millimeters / 25.4 * 300, abs=1)


def test_settings_of_matplotlib_stay():
    before = dict(mpl.rcParams)
    figure_bytes(figure_fit(result()), "png")
    assert dict(mpl.rcParams) == before


@pytest.mark.slow
def test_pyplot_is_not_imported():
    code = "import sys; from diffdip.report.figures import *; "
    code += "sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_ensemble_shares_one_scale_and_leaves_out_what_is_nan():
    few, many = np.array([np.nan, 1.0, -2.0, 30.0]), np.full(50, 5.0)
    figure = figure_ensemble({"A": few, "B": many, "C": np.zeros(3)}, "title")
    first, second, third = figure.axes
    assert first.get_legend().get_texts()[0].get_text() == "median 2 mT"
    assert second.get_legend().get_texts()[0].get_text() == "median 5 mT"
    assert third.texts[0].get_text() == "no sample is above zero"
    low, high = third.get_ylim()
    assert low == 0
    assert high > 6  # all samples in one of six bins a decade
    assert figure_bytes(figure, "png").startswith(b"\x89PNG")


def test_letters_of_a_pdf_are_a_truetype_font():
    """So that they can be edited, as journals ask; in the style of users, not that of the tests."""
    code = """
import sys
from matplotlib.figure import Figure
from diffdip.report.figures.style import figure_bytes
figure = Figure()
figure.text(0, 0, "Hres")
sys.stdout.buffer.write(figure_bytes(figure, "pdf"))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert b"/FontFile2" in found.stdout
    assert b"/Type3" not in found.stdout
