"""What options of `diffdip fit` make of a model, and which contradict each other. No fit runs."""

import numpy as np
import pytest

import diffdip as dd
from diffdip.cli.fit_options import Loss, settings_of
from diffdip.cli.fit_output import first_sentence
from diffdip.foundation.errors import InputError
from diffdip.io.samples import Sample
from diffdip.report.series_fits import FitSettings, fit_sample, table_names
from tests.helpers.command_line import assert_refused, run


TABLE = "angle_deg,field_mT,frequency_GHz\n" + "\n".join(
    f"{10 * i},{300 + i},9.4" for i in range(9)
)


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.csv"
    path.write_text(TABLE)
    return path


def settings(path=None, terms=(), fixed=None, **options):
    given = {"g": None, "free_g": False, "free_offset": False, "plane": None} | options
    given |= {"width": None, "width_parts": ()}
    fixed_mt = dict.fromkeys("ABC") | (fixed or {})
    return settings_of(
        terms=terms, model=path, fixed_mt=fixed_mt, loss=Loss.LINEAR, convention="paper", **given
    )


def a_model(folder, *lines):
    path = folder / "model.toml"
    path.write_text("\n".join(lines))
    return path


def test_freeing_g_keeps_what_the_file_says(tmp_path):
    bounded = a_model(
        tmp_path,
        'terms = ["thin-film"]',
        "[parameters]",
        "g = { start = 2.1, lower = 2.0, upper = 2.2 }",
        "offset_deg = { lower = -9, upper = 9 }",
    )
    assert settings(bounded, free_g=True).g == dd.Free(2.0, 2.2, start=2.1)
    assert settings(bounded, free_g=True, g=2.05).g == dd.Free(2.0, 2.2, start=2.05)
    assert settings(bounded, g=2.05).g == 2.05
    offset = settings(bounded, free_offset=True).offset
    assert np.degrees([offset.lower, offset.upper]) == pytest.approx([-9, 9])
    number = a_model(tmp_path, 'terms = ["thin-film"]', "[parameters]", "g = 2.1")
    assert settings(number, free_g=True).g == dd.Free(start=2.1)
    assert settings(free_g=True).g == dd.Free(start=2.0)


def test_a_tensor_in_a_file_takes_fixed_values(tmp_path):
    path = a_model(tmp_path, 'terms = ["tensor", "four-fold"]', "[parameters]", "A_mT = 3")
    assert settings(path, fixed={"A": 5.0}).parameters["A"] == pytest.approx(5e-3)
    other = a_model(tmp_path, 'terms = ["four-fold"]')
    with pytest.raises(InputError) as caught:
        settings(other, fixed={"A": 5.0})
    assert caught.value.what == "--fix-a-mt"
    assert "tensor" in caught.value.hint


@pytest.mark.parametrize(
    "option",
    [
        ("--loss", "soft_l1"),
        ("--fix-a-mt", 1),
        ("--free-g",),
        ("--free-offset",),
        ("--convention", "physical"),
        ("--force",),
        ("--term", "cubic"),
    ],
)
def test_suggestions_refuse_what_they_would_not_follow(film, option):
    line = assert_refused(run("fit", film, "--suggest", *option))
    assert option[0] in line
    assert "--suggest" in line


def test_a_series_is_a_table_of_one_sample(film, tmp_path):
    two = tmp_path / "two.csv"
    rows = [f"{10 * i},{300 + i},9.4,{'ab'[i % 2]}" for i in range(18)]
    two.write_text("angle_deg,field_mT,frequency_GHz,sample\n" + "\n".join(rows))
    line = assert_refused(run("fit", "--series", film, "--series", two))
    assert "two.csv" in line
    assert "a, b" in line


def a_sample(path, name):
    angle = np.radians(np.arange(0, 90, 10.0))
    return Sample(name, angle, 0.3 + 0 * angle, None, 9.4e9 + 0 * angle, path)


def test_series_are_named_by_their_files(tmp_path):
    low, high = tmp_path / "low.csv", tmp_path / "high.csv"
    assert table_names([a_sample(low, "film"), a_sample(high, "film")]) == ["low", "high"]
    there = tmp_path / "b" / "low.csv"
    assert table_names([a_sample(low, "x"), a_sample(there, "x")]) == [str(low), str(there)]
    twice = table_names([a_sample(low, "x"), a_sample(low, "y")])
    assert twice == [f"{low}: x", f"{low}: y"]
    [one] = a_sample(low, "film").series(name="low")
    assert one.name == "low"


@pytest.mark.parametrize(
    ("terms", "held", "names"),
    [
        (("thin-film", "four-fold"), {}, "phi_4"),
        (("thin-film", "two-fold", "four-fold"), {}, "phi_2 and phi_4"),
        (("thin-film",), {}, "nothing"),
        (("tensor",), {"A": 0.1}, "C"),
    ],
)
def test_an_offset_that_nothing_shows_is_refused(tmp_path, terms, held, names):
    chosen = FitSettings(dd.TermsModel(terms), held, offset=dd.Free())
    with pytest.raises(InputError) as caught:
        fit_sample([a_sample(tmp_path / "film.csv", "film")], "film", chosen)
    assert caught.value.what == "offset"
    assert names in caught.value.expected


def test_the_first_sentence():
    text = "Series a.csv: The residuals vary with 4α, by 1.5 mT. They are not noise. A cubic"
    assert first_sentence(text) == "Series a.csv: The residuals vary with 4α, by 1.5 mT"
    assert first_sentence("It drifts.") == "It drifts"
    assert first_sentence("") == ""
