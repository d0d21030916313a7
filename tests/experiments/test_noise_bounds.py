"""The count of bounds on correlated noise: the noise that it draws, and what it counts."""

import csv

import numpy as np
import pytest

from tests.helpers.scripts import script


@pytest.fixture(scope="module")
def bounds():
    return script("noise_bounds")


def test_noise_has_the_size_and_the_correlation_of_its_kind(bounds):
    drawn = bounds.Noise(0.8, 2.0, 0.5).drawn(np.random.default_rng(0), 40_000, 5)
    expected = 2.0 * 0.8 ** np.abs(np.subtract.outer(np.arange(5), np.arange(5)))
    assert np.cov(drawn.T) == pytest.approx(expected + 0.5 * np.eye(5), abs=0.06)


def test_errors_as_told_hold_where_errors_as_stated_do_not(bounds):
    found = bounds.row("0.7", 18, 300, [1], known=True)
    assert found.below > 88
    assert found.wrong > 20
    assert found.wrong_as_told < 2
    assert found.noted > 90
    assert 1 < found.flagged < 20
    assert (found.ratio_A, found.ratio_B) == pytest.approx((2.2, 1.55), rel=0.15)
    # σ that is only the white part
    beside = bounds.row("0.7 beside sigma", 18, 300, [2], known=True)
    assert beside.wrong > 30
    assert beside.wrong_as_told < 3


def test_a_table_and_a_file_have_all_kinds(bounds, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(bounds.run, "__defaults__", (2, 0, (18,)))
    bounds.main(["--quick", "--out", str(tmp_path)])
    with (tmp_path / "noise_bounds.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["noise"] for row in rows] == [name for name in bounds.KINDS for _ in range(2)]
    printed = capsys.readouterr().out
    assert all(name in printed for name in bounds.KINDS)
