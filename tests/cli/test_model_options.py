"""The options of models: wrong numbers, and runs that are resumed with other ones."""

import pytest

from tests.helpers.command_line import refused, run


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--aspect", "nan"),
        ("--kappa", "nan"),
        ("--volume-fraction", "-7"),
        ("--bond-length-nm", "-1"),
        ("--moment-mub", "0"),
        ("--dipoles", "1"),
    ],
)
@pytest.mark.parametrize("model", ["sphere", "packing"])
def test_wrong_numbers_are_refused_for_every_model(tmp_path, model, option, value):
    out = tmp_path / "run.zarr"
    line = refused("ensemble", "--model", model, option, value, "--out", out)
    assert f"{option} = {value}" in line
    assert not out.exists()


@pytest.mark.slow
def test_a_run_of_another_model_names_the_option(tmp_path):
    out = tmp_path / "run.zarr"
    command = ["ensemble", "--model", "sphere", "--dipoles", 12, "--samples", 4, "--out", out]
    assert run(*command).exit_code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    line = refused(*command, "--moment-mub", 2)
    assert "--moment-mub = 2" in line
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_an_unknown_parameter_is_named_once():
    line = refused("sensitivity", "--crystals", 2, "--parameter", "colour")
    assert line.count("--parameter") == 1
    assert "'colour'" in line
