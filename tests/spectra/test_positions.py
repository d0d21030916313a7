"""Positions by several definitions at once, and the line that they share."""

import numpy as np
import pytest
import xarray as xr

from diffdip import line_positions
from diffdip.foundation.errors import InputError
from diffdip.spectra.definitions import DEFINITIONS
from diffdip.spectra.line_shapes import columns
from diffdip.spectra.lines import LineError
from diffdip.spectra.positions import LinePositions, positions_by_definition


FIELD = np.linspace(320.0, 356.0, 721)
OPTIONS = ({}, {"smoothing": 7}, {"baseline": 1, "phase_deg": 10.0}, {"near": 337.0})


def rotation(positions, others=None, width=2.0):
    """Spectra with one line at each position, and a second one at each of `others`."""
    signals = [columns(FIELD, at, width, 0.7, 5.0)[:, 0] for at in positions]
    if others is not None:
        signals = [
            s + 1.5 * columns(FIELD, at, width, 0.7, 5.0)[:, 0]
            for s, at in zip(signals, others, strict=True)
        ]
    noise = np.random.default_rng(0).normal(size=(len(signals), len(FIELD)))
    return xr.Dataset(
        {"signal": (("angle", "field"), np.array(signals) + 1e-3 * noise)},
        coords={
            "angle": 15.0 * np.arange(len(signals)),
            "field": FIELD,
            "frequency": ("angle", np.full(len(signals), 9.45)),
        },
    )


@pytest.mark.parametrize("options", OPTIONS)
def test_all_definitions_at_once(options):
    spectra = rotation([337.0, 338.0, 337.5])
    ticks = []
    together = positions_by_definition(
        spectra, list(DEFINITIONS), **options, advance=lambda: ticks.append(1)
    )
    assert list(together) == list(DEFINITIONS)
    assert len(ticks) == 3
    for definition, found in together.items():
        alone = line_positions(spectra, definition, **options)
        assert isinstance(found, LinePositions)
        for name in ("angle", "field", "sigma", "width", "frequency"):
            np.testing.assert_array_equal(getattr(found, name), getattr(alone, name))
        assert (found.width_sigma is None) == (DEFINITIONS[definition].shape is None)
        if found.width_sigma is not None:
            np.testing.assert_array_equal(found.width_sigma, alone.width_sigma)
            assert ((found.width_sigma > 0) & (found.width_sigma < 0.05 * found.width)).all()
        assert found.settings == alone.settings
        assert found.warnings == alone.warnings
        np.testing.assert_allclose(1e3 * found.field, [337.0, 338.0, 337.5], atol=0.15)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_a_line_is_followed_past_a_stronger_one(definition):
    """The lines move, and the other one would be nearer to the first field at the last angle."""
    weak, strong = np.linspace(332, 340, 9), np.linspace(340, 332.5, 9) + 10
    found = line_positions(rotation(weak, strong, width=1.0), definition, near=332.0)
    np.testing.assert_allclose(1e3 * found.field, weak, atol=0.1)


def test_each_definition_has_its_own_error():
    """On a high offset a line crosses no zero, but it has two extrema."""
    spectra = rotation([338.0, 338.5, 337.5]) + 3.0
    found = positions_by_definition(spectra, ["zero-crossing", "midpoint"])
    assert isinstance(found["midpoint"], LinePositions)
    error = found["zero-crossing"]
    assert isinstance(error, LineError)
    assert error.where == ("0°",)
    with pytest.raises(LineError) as caught:
        line_positions(spectra, "zero-crossing")
    assert str(caught.value) == str(error)


def test_a_choice_that_contradicts_itself_is_refused():
    with pytest.raises(InputError, match="near"):
        positions_by_definition(rotation([338.0]), ["midpoint"], line="strongest", near=338.0)


def test_copies_of_spectra_are_flagged():
    spectra = rotation([337.0, 338.0, 337.5])
    assert line_positions(spectra).warnings == ()
    copied = spectra.isel(angle=[0, 1, 1, 2]).assign_coords(angle=[0.0, 15.0, 20.0, 30.0])
    [flag] = line_positions(copied).warnings
    assert flag.code == "copies"
    assert "1 of 4 spectra" in flag.message
    assert "15° and 20°" in flag.message
