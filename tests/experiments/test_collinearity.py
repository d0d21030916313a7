"""The script on parallel moments: how it reads lines, and its numbers of one packing."""

import csv

import jax
import numpy as np
import pytest

from diffdip import larmor_field
from tests.helpers import scripts


@pytest.fixture(scope="module")
def script():
    return scripts.script("collinearity")


def test_a_lorentzian_is_read_from_few_points(script):
    field = np.linspace(0.45, 0.2, 31)
    top, width = 0.3371, 0.0203
    found = script.line(field, 3 / (1 + ((field - top) / (width / 2)) ** 2))
    assert found == pytest.approx((top, width), abs=1e-6)
    # of two lines the higher one
    two = 3 / (1 + ((field - 0.25) / 0.01) ** 2) + 4 / (1 + ((field - 0.4) / 0.01) ** 2)
    assert script.line(field, two)[0] == pytest.approx(0.4, abs=1e-3)


def test_what_cannot_be_read_is_not_a_number(script):
    field = np.linspace(0.2, 0.4, 21)
    assert np.isnan(script.line(field, field)).all()  # it rises to the end
    unstable = np.where(field < 0.25, np.nan, 1 - (field - 0.3) ** 2)
    assert np.isnan(script.line(field, unstable)).all()


@pytest.mark.slow
def test_the_exchange_adds_up_to_the_ratio(script):
    with jax.enable_x64(True):
        [packed] = script.packings((3,), 1, 1)[:1]
        kept = np.asarray(packed.system.mask)
        for law in script.LAWS:
            J = script.exchange(packed, law, 7.0)
            assert np.all(J[~kept] == 0)
            np.testing.assert_array_equal(J, J.T)
            mean = J.sum() / kept.sum()
            assert mean == pytest.approx(7 * packed.pair_energy)
        apart = np.linalg.norm(
            np.asarray(packed.system.positions)[:, None] - packed.system.positions, axis=-1
        )
        near = apart[np.ix_(kept, kept)][np.triu_indices(kept.sum(), 1)].min()
        assert packed.closest == pytest.approx(near)
        ends = packed.fields.min(), packed.fields.max()
        assert ends[0] < float(larmor_field(script.FREQUENCY)) < ends[1]


def rows_of(script, **medians):
    """Made-up rows, one for each ratio."""
    return [
        script.Row(0.26, 3, 0, "all", r, 0.3, 0.1, d, 1.0, 1.0, 0.01, 1.0, 0, 0)
        for r, d in zip(medians["ratio"], medians["deviation"], strict=True)
    ]


def test_the_needed_exchange_is_interpolated(script):
    rows = rows_of(script, ratio=(1.0, 10.0, 100.0), deviation=(1.0, 1.0, 0.01))
    assert script.needed(rows, 0.26, "all") == pytest.approx(10**1.5)
    assert script.needed(rows[:2], 0.26, "all") == np.inf
    unread = [*rows, rows[2]._replace(deviation=np.nan, not_read=5)]
    assert script.needed(unread, 0.26, "all") == pytest.approx(10**1.5)


@pytest.mark.slow
def test_one_packing(script, tmp_path, monkeypatch):
    """No exchange leaves the line at w0; strong exchange gives the rigid model."""
    monkeypatch.setattr(script, "QUICK_RATIOS", (0.01, 1e4))
    monkeypatch.setattr(script, "LAWS", ("all",))
    script.main(["--quick", "--sizes", "3", "--samples", "1", "--out", str(tmp_path)])
    names = {f"collinearity.{kind}" for kind in ("csv", "pdf", "png")}
    assert scripts.written(tmp_path) == names
    with (tmp_path / "collinearity.csv").open(encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 4
    for row in rows:
        assert row["convention"] == "physical"
        assert (row["unstable_points"], row["sweeps_not_read"]) == ("0", "0")
        deviation, amplitude = float(row["deviation"]), float(row["amplitude"])
        if float(row["ratio"]) < 1:
            assert deviation > 0.5
            assert float(row["width"]) > 1.05
        else:
            assert deviation < 0.02
            assert amplitude == pytest.approx(1, abs=0.02)
            assert float(row["width"]) == pytest.approx(1, abs=0.01)
            assert float(row["alignment"]) == pytest.approx(1, abs=1e-4)
