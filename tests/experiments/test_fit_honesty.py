"""The count of wrong fits that say nothing: what it counts, on fits whose answer is known."""

import numpy as np
import pytest

import diffdip as dd
from tests.helpers.scripts import script


@pytest.fixture(scope="module")
def honesty():
    return script("fit_honesty")


@pytest.mark.slow
def test_a_lacking_term_is_flagged_and_white_noise_is_not(honesty):
    kind = honesty.KINDS["A, B, C"]
    white = honesty.count("A, B, C", kind, "white", 20, [1])
    assert white.flagged <= 2
    assert white.wrong <= 1
    assert 50 < white.inside_68 < 85
    assert white.inside_95 > 85
    lacking = honesty.count("A, B, C", kind, "lacks a term", 10, [1])
    assert lacking.flagged == 10
    assert lacking.wrong_and_silent == 0


@pytest.mark.slow
def test_errors_as_told_hold_for_correlated_noise(honesty):
    row = honesty.count("A, B, C", honesty.KINDS["A, B, C"], "correlated", 40, [1])
    assert row.wrong_and_silent >= 4
    assert row.wrong_as_told_and_silent <= 1
    assert row.noted > 30
    assert row.largest_factor > 2


def test_a_wrong_fit_without_a_flag_is_silent(honesty):
    """An error of g shifts A, which no residual shows."""
    kind = honesty.KINDS["A, B, C"]._replace(g=2.01)
    row = honesty.count("shifted", kind, "white", 2, [1])
    assert (row.wrong, row.wrong_and_silent, row.flagged) == (2, 2, 0)
    assert row.wrong_as_told_and_silent == 2
    # a code that doubts the number counts, a note on how it was read does not
    assert not ({"misfit", "structured-residuals", "g-or-A"} & honesty.NOTES)


def test_disturbances_are_what_their_names_say(honesty):
    kind = honesty.KINDS["A, B, C, noise unknown"]
    truth = {"A": 0.05, "B": 0.03, "C": 0.01, "g": 2.0}

    def noise(disturbance):
        noisy, exact = (
            honesty.made(kind, truth, "xy", honesty.LOW, disturbance, rng)
            for rng in (np.random.default_rng(7), Quiet())
        )
        return noisy.angle, (noisy.field - exact.field) / honesty.NOISE

    angle, white = noise("white")
    assert len(angle) == 18
    assert 0.6 < np.std(white) < 1.5
    _, correlated = noise("correlated")
    follow = correlated[1:] - honesty.CORRELATION * correlated[:-1]
    expected = np.random.default_rng(7).normal(size=18)[1:] * np.sqrt(1 - honesty.CORRELATION**2)
    assert follow == pytest.approx(expected, abs=1e-6)
    _, wrong = noise("two wrong points")
    assert np.sum(np.abs(wrong) > 20) == 2
    assert len(noise("few points")[0]) == 6


class Quiet:
    """A generator of no noise."""

    def normal(self, size):
        return np.zeros(size)

    def choice(self, values, size, replace=True):
        return np.arange(size) if np.isscalar(values) else np.zeros(size)


def test_files_hold_all_rows(honesty):
    row = honesty.Row("A, B, C", "white", 2, 68.0, 95.0, 0, 0, 0, 1, 0, 1.5, 1.0)
    files = honesty.files([row], 3)
    header, line = files["fit_honesty.csv"].decode().splitlines()
    assert header.split(",") == list(honesty.Row._fields)
    assert line.startswith('"A, B, C",white,2,68')
    assert f'"diffdip": "{dd.__version__}"'.encode() in files["fit_honesty.json"]
    assert "A, B, C" in honesty.table([row])
