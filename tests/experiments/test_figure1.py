"""Fig. 1 of the paper from its published A and B, and the first figure of the README."""

import numpy as np
import pytest
from PIL import Image
from scipy.optimize import brentq

from tests.helpers.scripts import script, written


W0 = 6.62607015e-34 * 9.45e9 / (2 * 9.2740100657e-24) * 1e3


@pytest.fixture(scope="module")
def figure1():
    return script("figure1")


def on_axis(a, b, sign):
    """Hres (mT) with M along H on an axis: root of (H − 2d)(H − 3a/2 − d) = w0², d = ±b/2."""
    a, d = -a, -sign * b / 2  # the convention of the paper
    condition = lambda h: (h - 2 * d) * (h - 1.5 * a - d) - W0**2
    return brentq(condition, max(2 * d, 1.5 * a + d), 5e3)


def test_the_four_numbers(figure1):
    calculated = [figure1.extrema(sample) for sample in figure1.SAMPLES]
    expected = [[52.952, 399.575], [238.329, 277.645]]
    np.testing.assert_allclose(calculated, expected, atol=5e-4)
    by_root = [[on_axis(s.A, s.B, sign) for sign in (1, -1)] for s in figure1.SAMPLES]
    np.testing.assert_allclose(calculated, by_root, rtol=1e-9)


def test_the_other_convention_is_excluded(figure1):
    low, high = figure1.extrema(figure1.SAMPLES[0], "physical")
    assert (low, high) == (pytest.approx(647.1, abs=0.1), pytest.approx(379.9, abs=0.1))


@pytest.mark.slow
def test_positions_from_spectra_are_the_resonance_fields(figure1):
    for sample in figure1.SAMPLES:
        found = 1e3 * figure1.positions(sample).field
        at = np.searchsorted(figure1.DEGREES, figure1.SPECTRA)
        np.testing.assert_allclose(found, figure1.fields(sample)[at], atol=1e-3)
    misplaced = 1e3 * figure1.positions(figure1.SAMPLES[0], "zero-crossing").field
    assert misplaced[0] < 52.95 - 1  # without the line at negative field


def test_the_printed_table(figure1):
    lines = figure1.table().splitlines()
    assert [lines[1].split()[-4:], lines[2].split()[-4:]] == [
        ["52.952", "62", "399.575", "400"],
        ["238.329", "-", "277.645", "-"],
    ]


@pytest.mark.slow
def test_the_figure_shows_the_stated_values(figure1):
    axes, *stacks = figure1.figure().axes
    [stated] = [line for line in axes.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(stated.get_xydata(), [[0, 62], [90, 400]])
    assert [line.get_linestyle() for line in axes.lines].count("--") == 2
    for stack, sample in zip(stacks, figure1.SAMPLES, strict=True):
        [dots] = [line for line in stack.lines if line.get_marker() == "o"]
        np.testing.assert_allclose(dots.get_xdata()[[0, 6]], figure1.extrema(sample), atol=1e-3)


@pytest.mark.slow
def test_the_script_writes_its_figure(figure1, tmp_path, capsys):
    figure1.main(["--out", str(tmp_path / "out")])
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "399.575" in printed.out
    assert written(tmp_path / "out") == {"figure1.pdf", "figure1.png"}


@pytest.mark.slow
def test_the_first_look(tmp_path, capsys):
    out = tmp_path / "out"
    script("first_look").main(["--out", str(out)])
    printed = capsys.readouterr().out
    # the amplitude at one frequency, 0.0633 mT, is 3/4 of sqrt(B² + 4C²) for weak anisotropy
    assert "sqrt(B² + 4C²) = 0.0844 mT" in printed
    assert "277.645" in printed
    assert written(out) == {"first_look.pdf", "first_look.png"}
    with Image.open(out / "first_look.png") as image:
        assert "experiments/first_look.py; convention paper" in image.info["Description"]
