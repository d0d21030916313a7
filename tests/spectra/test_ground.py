"""Lines on grounds of many forms: found, read at the right field, or said to be on a ground."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from diffdip import line_positions
from diffdip.foundation.errors import InputError
from diffdip.io import read_spectra
from diffdip.spectra.baseline_order import baseline_order
from diffdip.spectra.ground import ground_below
from diffdip.spectra.ground_shift import crossing_shift
from diffdip.spectra.line_shapes import columns
from diffdip.spectra.lines import LineError, Preparation, find_lines
from tests.helpers.raw_data import GONIOMETER, ROTATION, needs_goniometer, needs_rotation


FIELD = np.linspace(250.0, 430.0, 1801)
T = (FIELD - 340) / 90
AT, WIDTH = 337.0, 3.0

GROUNDS = {
    "offset": 5 + 0 * T,
    "film": 5 * T + 2,
    "falling": -1.5 * T,
    "steep": 60 * T,
    "curved": 5 * T**2 + 3 * T,
    "cubic": 3 * T**3 - 2 * T**2 + T,
    "drift": 6 * np.exp(T),
    "cavity": 2 * np.sin(2.5 * T) + 2,
}
ORDERS = {"offset": 0, "film": 1, "falling": 1, "steep": 1, "curved": 2, "cubic": 3}


def sweep(ground=0.0, noise=1 / 480, at=AT, seed=0, frequency=9.45):
    """A line of height 1 from extremum to extremum, `1/noise` times the white noise."""
    line = columns(FIELD, at, WIDTH, 1.0, 0.0)[:, 0]
    noisy = np.random.default_rng(seed).normal(scale=noise, size=len(FIELD))
    return dataset([line / np.ptp(line) + ground + noisy], [frequency])


def dataset(signals, frequencies):
    return xr.Dataset(
        {"signal": (("angle", "field"), np.array(signals))},
        coords={
            "angle": 10.0 * np.arange(len(signals)),
            "field": FIELD,
            "frequency": ("angle", frequencies),
        },
    )


def away(found):
    """Distance from the true position in standard errors."""
    return abs(1e3 * found.field[0] - AT) / (1e3 * found.sigma[0])


@pytest.mark.parametrize("ground", ORDERS)
@pytest.mark.parametrize("definition", ["zero-crossing", "midpoint", "lorentzian", "pseudo-voigt"])
def test_a_baseline_makes_room_for_every_definition(ground, definition):
    """The baseline is taken off before the search, for fitted shapes as for the zero crossing."""
    found = line_positions(sweep(GROUNDS[ground]), definition, baseline=ORDERS[ground])
    assert away(found) < 4
    assert 1e3 * found.sigma[0] < 0.02
    assert not found.warnings


@pytest.mark.parametrize("ground", GROUNDS)
def test_the_order_is_chosen(ground):
    spectra = sweep(GROUNDS[ground])
    found = line_positions(spectra, baseline="auto")
    assert away(found) < 4
    order = found.settings["baseline"]
    assert order == baseline_order(spectra)
    assert found.settings["baseline_order"] == "auto"
    assert order >= ORDERS.get(ground, 4)
    by_number = line_positions(spectra, baseline=order)
    np.testing.assert_array_equal(found.field, by_number.field)
    assert "baseline_order" not in by_number.settings


def test_no_baseline_where_none_is_needed():
    assert baseline_order(sweep()) is None
    assert line_positions(sweep(), baseline="auto").settings["baseline"] is None


@pytest.mark.parametrize("ground", ["film", "falling", "steep", "curved", "cubic"])
def test_without_a_baseline_the_ground_is_said(ground):
    """Either no position, with what to do, or a position with a flag; never only a number."""
    try:
        found = line_positions(sweep(GROUNDS[ground]))
    except LineError as error:
        said = error.hint
    else:
        said = " ".join(flag.code for flag in found.warnings)
        assert away(found) > 5
    assert "{baseline} 1" in said or "sloping-ground" in said


@pytest.mark.parametrize("ground", ["film", "falling", "steep", "curved", "cubic"])
def test_the_search_sees_the_line_and_the_noise_on_any_ground(ground):
    spectra = sweep(GROUNDS[ground])
    lines = find_lines(FIELD, spectra["signal"].values[0])
    nearest = np.abs(lines.position - AT).argmin()
    assert lines.position[nearest] == pytest.approx(AT, abs=0.15)
    assert lines.width[nearest] == pytest.approx(WIDTH / np.sqrt(3), abs=0.3)
    assert lines.noise.sigma == pytest.approx(1 / 480, rel=0.15)


def test_a_flat_ground_is_left_alone():
    """Also under a line that fills the sweep."""
    narrow, wide = (columns(FIELD, AT, width, 1.0, 0.0)[:, 0] for width in (3.0, 90.0))
    for signal in (narrow, wide, narrow + 1e-3 * T):
        np.testing.assert_array_equal(ground_below(FIELD, signal), 0)


def test_a_shift_by_the_ground_is_estimated():
    """The flag's estimate against the zero crossing with and without the ground."""
    sloping, flat = (line_positions(sweep(ground)) for ground in (GROUNDS["falling"] + 0.1, 0.0))
    [flag] = sloping.warnings
    moved = 1e3 * (sloping.field[0] - flat.field[0])
    stated = float(flag.message.split("by about ")[1].split()[0])
    assert stated == pytest.approx(moved, rel=0.25)


def broad(width, ground=0.0, noise=1 / 480, seed=0, fraction=1.0, phase=0.0):
    """A line that takes a large part of the sweep, as those of films do."""
    line = columns(FIELD, AT, width, fraction, phase)[:, 0]
    noisy = np.random.default_rng(seed).normal(scale=noise, size=len(FIELD))
    return dataset([line / np.ptp(line) + ground + noisy], [9.45])


def told(spectra, **options):
    """The shift that the flag states, 0 without it, and the position in mT."""
    found = line_positions(spectra, **options)
    shifts = [
        float(flag.message.split("by about ")[1].split()[0])
        for flag in found.warnings
        if flag.code == "sloping-ground"
    ]
    return (shifts or [0.0])[0], 1e3 * found.field[0]


@pytest.mark.parametrize("width", [3.0, 10.0, 20.0, 30.0, 60.0])
@pytest.mark.parametrize(
    ("ground", "baseline"),
    [("curved", 0), ("curved", 1), ("cubic", 1), ("film", None)],
)
def test_a_baseline_of_too_low_an_order_is_said(width, ground, baseline):
    spectra = broad(width, 0.05 * GROUNDS[ground])
    shift, position = told(spectra, baseline=baseline)
    assert abs(position - AT) > 0.05
    assert shift == pytest.approx(position - AT, rel=0.4)
    [flag] = [f for f in line_positions(spectra, baseline=baseline).warnings
              if f.code == "sloping-ground"]  # fmt: skip
    assert f"order {(baseline or 0) + 1}" in flag.message
    assert "auto" in flag.message


@pytest.mark.parametrize(
    ("fraction", "baseline"), [(1.0, 1), (1.0, 2), (0.5, 1), (0.5, 2), (0.0, 1)]
)
def test_a_baseline_that_takes_the_tails_of_a_line_is_said(fraction, baseline):
    spectra = broad(60.0, fraction=fraction)
    shift, position = told(spectra, baseline=baseline)
    assert abs(position - AT) > 0.1
    assert shift == pytest.approx(position - AT, rel=0.7)
    assert told(spectra)[0] == 0


@pytest.mark.parametrize("width", [3.0, 10.0, 20.0, 40.0, 60.0])
@pytest.mark.parametrize(("fraction", "phase"), [(1.0, 0.0), (0.5, 15.0), (0.0, -15.0)])
@pytest.mark.parametrize("noise", [1 / 50, 1 / 480, 1 / 3000])
def test_clean_lines_stand_on_no_ground(width, fraction, phase, noise):
    """Of any width and shape, without a baseline; and narrow ones with every baseline."""
    spectra = broad(width, noise=noise, fraction=fraction, phase=phase)
    for baseline in (None, 0, 1, 2) if width <= 10 else (None,):
        assert told(spectra, baseline=baseline)[0] == 0


@pytest.mark.parametrize("baseline", [None, 1])
def test_a_line_without_width_beside_a_broad_one(baseline):
    """Both of its extrema are at one field."""
    field = FIELD.copy()
    field[101] = field[100]
    preparation = Preparation(baseline=baseline)
    lines = find_lines(field, broad(30.0)["signal"].values[0], preparation)
    assert len(lines) == 1
    both = replace(
        lines, first=np.array([100, lines.first[0]]), last=np.array([101, lines.last[0]])
    )
    assert both.width[0] == 0
    assert np.isfinite(crossing_shift(both, 1, AT, preparation))


def test_dispersion_is_no_ground():
    for phase in (-30.0, 10.0, 60.0):
        signal = columns(FIELD, AT, WIDTH, 1.0, phase)[:, 0]
        noise = np.random.default_rng(1).normal(scale=1e-3, size=len(FIELD))
        found = line_positions(dataset([signal / np.ptp(signal) + noise], [9.45]))
        assert "sloping-ground" not in [flag.code for flag in found.warnings]


def test_a_line_that_moves_with_the_frequency_does_not_jump():
    """Two frequencies in one rotation: the line is the same one, and near follows it."""
    frequencies = [9.45, 8.2, 9.45]
    at = [AT, AT * 8.2 / 9.45, AT]
    parts = [sweep(at=a, seed=i)["signal"].values[0] for i, a in enumerate(at)]
    strong = columns(FIELD, 410.0, WIDTH, 1.0, 0.0)[:, 0]
    assert not line_positions(dataset(parts, frequencies)).warnings
    both = dataset(np.array(parts) + 2 * strong / np.ptp(strong), frequencies)
    np.testing.assert_allclose(1e3 * line_positions(both, near=AT).field, at, atol=0.02)
    [flag] = line_positions(dataset(parts, [9.45] * 3)).warnings
    assert flag.code == "line-jump"
    assert "frequency" not in flag.message
    [flag] = line_positions(dataset(parts[:2], [9.45, 9.9])).warnings
    assert flag.code == "line-jump"
    assert "from 9.45 to 9.9 GHz" in flag.message


@pytest.mark.parametrize("baseline", ["linear", 6, -1])
def test_orders_that_are_none(baseline):
    with pytest.raises(InputError, match="an order from 0 to 5, or auto"):
        line_positions(sweep(), baseline=baseline)


def test_the_baseline_of_the_search_is_that_of_the_fit():
    """Subtracting it first changes nothing in a fit that has the same polynomial."""
    spectra = sweep(GROUNDS["falling"])
    signal = spectra["signal"].values[0]
    flat = Preparation(baseline=1).apply(FIELD, signal)
    again = line_positions(dataset([flat], [9.45]), "lorentzian", baseline=1)
    found = line_positions(spectra, "lorentzian", baseline=1)
    np.testing.assert_allclose(found.field, again.field, rtol=1e-9)


@needs_goniometer
def test_goniometer_stands_on_flat_ground():
    found = line_positions(read_spectra(GONIOMETER))
    assert not found.warnings
    np.testing.assert_allclose(
        1e3 * found.field[[0, 9, 18]], [338.3635, 338.4630, 338.3755], atol=6e-4
    )


@needs_rotation
def test_many_lines_stand_on_flat_ground():
    assert not line_positions(read_spectra(ROTATION), near=338.6).warnings
