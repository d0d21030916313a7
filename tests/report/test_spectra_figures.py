"""Figures of spectra: what is drawn lies where the data lie."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr

from diffdip import line_positions
from diffdip.report.figures.fits import figure_correlation
from diffdip.report.figures.spectra import figure_map, figure_spectra
from diffdip.report.figures.style import figure_bytes


def rotation(count=7, samples=3001, width=1.0):
    """Gaussian derivatives from 338 to 342 mT, or nearer to 340 the narrower they are."""
    angle, field = np.linspace(0, 180, count), np.linspace(330.0, 350.0, samples)
    x = (field - 340) / width - 2 * np.cos(2 * np.radians(angle))[:, None]
    signal = -x * np.exp(-(x**2))
    coordinates = {"angle": angle, "field": field, "frequency": ("angle", np.full(count, 9.45))}
    return xr.Dataset({"signal": (("angle", "field"), signal)}, coords=coordinates)


def test_a_stack_keeps_extremes_and_marks_positions():
    spectra = rotation()
    found = line_positions(spectra)
    spectra["signal"][0, 1234] = 3.0
    axes: Any = figure_spectra(spectra, found).axes[0]
    curves, marks = axes.lines[::2], axes.lines[1::2]
    assert len(curves) == len(marks) == 7
    assert len(curves[0].get_xdata()) <= 1402
    gap = 1.6 * 30
    assert curves[0].get_ydata().max() == pytest.approx(gap)  # the sample that sticks out
    for i, (curve, mark) in enumerate(zip(curves, marks, strict=True)):
        x, y = np.ravel(mark.get_xdata())[0], np.ravel(mark.get_ydata())[0]
        assert x == pytest.approx(1e3 * found.field[i])
        assert y == pytest.approx(30 * i, abs=0.1)  # at the zero crossing
        assert curve.get_xdata()[[0, -1]].tolist() == [330, 350]


def test_a_stack_with_the_model_of_all_spectra():
    spectra = rotation()
    residuals = tuple(0.1 * (one + i) for i, one in enumerate(spectra["signal"].values))
    direct: Any = SimpleNamespace(residuals=residuals)
    axes: Any = figure_spectra(spectra, line_positions(spectra), direct).axes[0]
    curves, models = axes.lines[::2], axes.lines[1::2]
    assert len(curves) == len(models) == 7
    for i, (curve, model) in enumerate(zip(curves, models, strict=True)):
        np.testing.assert_array_equal(curve.get_xdata(), model.get_xdata())
        over_angle = curve.get_ydata() - 30 * i
        expected = 0.9 * over_angle - 1.6 * 30 * 0.1 * i / np.abs(spectra["signal"].values).max()
        np.testing.assert_allclose(model.get_ydata() - 30 * i, expected, atol=1e-9)


def test_a_stack_of_many_says_what_is_left_out():
    spectra = rotation(81, 301)
    axes: Any = figure_spectra(spectra, line_positions(spectra)).axes[0]
    assert len(axes.lines) == 2 * 27
    assert axes.get_title(loc="left") == "one spectrum in 3 is drawn"


def test_a_map_has_the_signal_at_field_and_angle():
    spectra = rotation()
    found = line_positions(spectra)
    axes: Any = figure_map(spectra, found).axes[0]
    mesh = axes.collections[0]
    values = mesh.get_array()
    assert values.shape == (7, 600)
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[:, 0, 1], np.arange(-15, 200, 30))
    field = (corners[0, 1:, 0] + corners[0, :-1, 0]) / 2
    for i, at in enumerate(1e3 * found.field):
        line = np.abs(field - at) < 0.5
        assert np.abs(np.interp(at, field[line], values[i, line])) < 0.05
        assert values[i].max() == pytest.approx(1.0, abs=0.01)
    [marks] = axes.lines
    np.testing.assert_allclose(marks.get_xdata(), 1e3 * found.field)


def test_all_of_the_sweep_is_drawn_of_a_broad_line():
    spectra = rotation()
    for make in (figure_spectra, figure_map):
        axes: Any = make(spectra, line_positions(spectra)).axes[0]
        assert axes.get_xlim() == pytest.approx((330, 350), abs=0.02)
        assert "part" not in axes.get_xlabel()


def test_the_part_about_a_narrow_line_is_drawn():
    """Another, stronger line far away is neither seen nor sets the scale."""
    spectra = rotation(width=0.05)
    far = (spectra["field"].values - 346) / 0.05
    spectra["signal"][:] += -4 * far * np.exp(-(far**2))
    found = line_positions(spectra, near=340.1)
    margin = 4e3 * found.width.mean()
    assert margin == pytest.approx(4 * 0.05 * np.sqrt(2), rel=0.1)
    for make in (figure_spectra, figure_map):
        axes: Any = make(spectra, found).axes[0]
        ends = (339.9 - margin, 340.1 + margin)
        assert axes.get_xlim() == pytest.approx(ends, abs=0.02)
        assert axes.get_xlabel().endswith("(mT), part of the sweep")
    values = axes.collections[0].get_array()
    assert np.abs(values).max(axis=1).min() > 0.9
    assert not np.ma.getmaskarray(np.ma.masked_invalid(values)).any()
    curve = figure_spectra(spectra, found).axes[0].lines[0]
    assert np.ptp(np.asarray(curve.get_ydata())) == pytest.approx(2 * 1.6 * 30, rel=0.1)


def test_sweeps_at_one_angle_share_its_height():
    """Also where the angles are in no order."""
    spectra = rotation().isel(angle=[2, 0, 1, 1, 3])
    spectra["signal"][3] *= -2
    mesh: Any = figure_map(spectra, line_positions(spectra)).axes[0].collections[0]
    edges = mesh.get_coordinates()[:, 0, 1]
    np.testing.assert_allclose(edges, [-15, 15, 30, 45, 75, 105])
    largest = np.abs(mesh.get_array()).max(axis=1)
    np.testing.assert_allclose(largest, [0.5, 0.5, 1, 0.5, 0.5], rtol=0.01)


def test_a_map_ends_where_a_sweep_ends():
    spectra = rotation()
    spectra["signal"][2, 2900:] = np.nan
    shorter = spectra.assign_coords(
        field=(("angle", "field"), spectra["field"].where(spectra["signal"].notnull()).values.T)
    )
    mesh: Any = figure_map(shorter, line_positions(rotation())).axes[0].collections[0]
    missing = np.ma.getmaskarray(np.ma.masked_invalid(mesh.get_array()))
    assert missing[2].sum() == pytest.approx(600 * 101 / 3001, abs=2)
    assert not missing[[0, 1, 3, 4, 5, 6]].any()


def test_correlations_are_written_into_a_matrix():
    result: Any = SimpleNamespace(
        names=("A", "g"), correlation=np.array([[1.0, -0.001], [-0.001, np.nan]])
    )
    figure = figure_correlation(result)
    axes: Any = figure.axes[0]
    assert [text.get_text() for text in axes.texts] == ["1.00", "0.00", "0.00", "?"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["$A$", "$g$"]
    assert figure_bytes(figure, "pdf").startswith(b"%PDF")


@pytest.mark.parametrize("names", [("log_k_1", "K_"), ("a^", "x$y")])
def test_the_correlation_takes_any_name_of_a_parameter(names):
    result: Any = SimpleNamespace(names=names, correlation=np.eye(2))
    assert figure_bytes(figure_correlation(result), "png").startswith(b"\x89PNG")
