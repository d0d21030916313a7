"""`diffdip fit` with terms, model files, several tables, and suggestions."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from tests.helpers.command_line import assert_refused, document, run


TRUTH = {"Meff": 1.1, "B4": 0.04, "phi_4": 0.1}
ANGLES = np.arange(0.0, 180.0, 10.0)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A four-fold film at 9.88 GHz and g = 2.05, with 0.1 mT of noise, as a table."""
    with jax.enable_x64(True):
        model = dd.TermsModel(("thin-film", "four-fold"))
        energy = model({name: jnp.asarray(value) for name, value in TRUTH.items()})
        field = 1e3 * np.asarray(dd.resonance_field(energy, np.radians(ANGLES), 9.88e9, 2.05))
    field += np.random.default_rng(4).normal(0, 0.1, len(field))
    path = tmp_path_factory.mktemp("film") / "film.csv"
    rows = [f"{a},{h:.4f},9.88" for a, h in zip(ANGLES, field, strict=True)]
    path.write_text("angle_deg,field_mT,frequency_GHz\n" + "\n".join(rows) + "\n")
    return path


def fitted(*arguments, out):
    done = run("fit", *arguments, "--out", out)
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    document = json.loads((out / "fit.json").read_text())
    [found] = document["fits"]
    return document["settings"], found, done.stdout


@pytest.mark.slow
def test_terms_and_the_same_model_from_a_file(film, tmp_path):
    terms = ("--term", "thin-film", "--term", "four-fold")
    settings, found, printed = fitted(film, "--g", 2.05, *terms, out=tmp_path / "terms")
    assert settings["terms"] == ["thin-film", "four-fold"]
    assert (found["flags"], found["converged"]) == ([], True)
    expected = {"Meff_mT": 1100, "B4_mT": 40, "phi_4_deg": np.degrees(0.1)}
    for name, value in expected.items():
        entry = found["parameters"][name]
        assert abs(entry["value"] - value) < 4 * entry["standard_error"]
    assert found["rms_mT"] == pytest.approx(0.1, rel=0.5)
    assert "Meff (mT)" in printed
    assert "convention" not in printed
    model = tmp_path / "model.toml"
    lines = ['terms = ["thin-film", "four-fold"]', "[parameters]", "g = 2.05", "B4_mT = 40"]
    model.write_text("\n".join(lines))
    _, bound, _ = fitted("--series", film, "--model", model, out=tmp_path / "model")
    assert not bound["parameters"]["B4_mT"]["free"]
    meff = bound["parameters"]["Meff_mT"]
    assert meff["value"] == pytest.approx(1100, abs=4 * meff["standard_error"])
    # A, B and C cannot make a four-fold pattern, and the fit says so
    _, flat, _ = fitted(film, "--g", 2.05, out=tmp_path / "tensor")
    assert "structured-residuals" in [flag["code"] for flag in flat["flags"]]


@pytest.mark.slow
def test_suggestions_name_the_terms(film):
    done = run("fit", film, "--g", 2.05, "--suggest")
    assert done.exit_code == 0, done.output
    assert "Fit the first with --term thin-film --term four-fold" in done.stdout
    [sample] = document("fit", film, "--g", 2.05, "--suggest")["samples"]
    bic = [one["bic"] for one in sample["suggestions"]]
    assert bic == sorted(bic)
    assert sample["suggestions"][0]["terms"] == ["thin-film", "four-fold"]


@pytest.mark.slow
def test_options_that_contradict_each_other(film, tmp_path):
    model = tmp_path / "model.toml"
    model.write_text('terms = ["cubic"]')
    cases = {
        "--model": (film, "--term", "cubic", "--model", model),
        "--suggest": (film, "--term", "cubic", "--suggest"),
        "--fix-a-mt": (film, "--term", "cubic", "--fix-a-mt", 3),
        "--series": (film, "--series", film),
        "--term": (film, "--term", "cubics"),
        "model.toml": (film, "--model", tmp_path / "no" / "model.toml"),
    }
    for word, arguments in cases.items():
        assert word in assert_refused(run("fit", *arguments)), word
