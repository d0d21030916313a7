"""Choices of an analysis: what is refused, and by which name."""

import math

import pytest

from diffdip import Choices
from diffdip.foundation.errors import InputError
from diffdip.report.choices import ConfigError, check_choice, choices_toml, read_choices


@pytest.fixture
def config(tmp_path):
    return tmp_path / "choices.toml"


@pytest.mark.parametrize(
    ("content", "what", "given"),
    [
        ("colour = 1", "key", "colour"),
        ("definition = 1", "definition", 1),
        ("definition = 'Zero'", "definition", "Zero"),
        ("g = 'none'", "g", "none"),
        ("strongest = 1", "strongest", 1),
        ("smoothing = 4", "smoothing", 4),
        ("baseline = true", "baseline", True),
        ("baseline = 1.0", "baseline", 1.0),
        ("baseline = 'linear'", "baseline", "linear"),
        ("near_mT = -1", "near_mT", -1),
        ("phase_deg = inf", "phase_deg", math.inf),
        ("convention = [\n'paper']", "convention", ["paper"]),
        ("strongest = true\nnear_mT = 338", "near_mT", 338),
    ],
)
def test_a_wrong_key_is_named_with_its_file(config, content, what, given):
    config.write_text(content)
    with pytest.raises(ConfigError) as error:
        read_choices(config)
    assert (error.value.what, error.value.given) == (what, given)
    assert error.value.where == (str(config),)


def test_nan_is_not_a_number_above_0(config):
    config.write_text("g = nan")
    with pytest.raises(ConfigError) as error:
        read_choices(config)
    assert error.value.what == "g"
    assert math.isnan(error.value.given)


@pytest.mark.parametrize("content", ["g = ", "g = 2\ng = 2", "baseline = 1\n" * 10_000])
def test_a_file_that_is_not_toml_is_named(config, content):
    config.write_text(content)
    with pytest.raises(ConfigError) as error:
        read_choices(config)
    assert error.value.where == (str(config),)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("baseline", [None, 2, "auto"])
def test_choices_come_back_from_their_file(config, baseline):
    chosen = Choices(
        "gaussian", near_mT=338.5, baseline=baseline, phase_deg=0.1, direct="lorentzian"
    )
    config.write_bytes(choices_toml(chosen))
    assert Choices(**read_choices(config)) == chosen


def test_a_front_end_says_what_no_choice_is():
    with pytest.raises(InputError) as error:
        Choices(baseline=6)
    assert (error.value.what, error.value.given) == ("baseline", 6)
    assert "an empty field" in error.value.worded(
        lambda name: {"none": "an empty field"}.get(name, name)
    )
    with pytest.raises(InputError) as error:
        check_choice("smoothing", 4)
    assert "{none}" not in error.value.expected
