"""The pages in Streamlit's own test bench: their numbers are those of the command line."""

import itertools
import re
from dataclasses import asdict

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from streamlit.runtime.caching import clear_session_resource_cache
from streamlit.runtime.scriptrunner import StopException
from streamlit.runtime.uploaded_file_manager import DeletedFile
from streamlit.testing.v1 import AppTest

import diffdip
from diffdip.app import frame, main, spectra_page
from diffdip.app.ensembles_page import plan_of
from diffdip.app.field_labels import LABELS, field_label
from diffdip.app.uploads import Upload
from diffdip.ensembles.simulation import BatchPlan
from diffdip.report.choices import RULES
from diffdip.resonance.tabulated import tabulated_field
from tests.helpers import spectra_files as files
from tests.helpers.browser import PATIENCE
from tests.helpers.command_line import run
from tests.helpers.uploaded_files import ENTITIES, HUGE_PARTS, MARKUP, huge, zipped


SESSION = "test session id"
"""The name of every session of Streamlit's test bench."""


@pytest.fixture
def sweeps(tmp_path):
    """A folder of Magnettech files."""
    folder = tmp_path / "sweeps"
    folder.mkdir()
    return files.magnettech(folder)


def bench(page="spectra", **state):
    """A page in Streamlit's test bench; sessions of the bench have no navigation."""

    def script(page):
        from importlib import import_module

        from diffdip.app.frame import keep_widgets

        keep_widgets()
        import_module(f"diffdip.app.{page}_page").show()

    app = AppTest.from_function(script, kwargs={"page": page}, default_timeout=PATIENCE)
    for name, value in state.items():
        app.session_state[name] = value
    return app.run()


def text_of(app):
    """All text of the page."""
    kinds = (app.title, app.caption, app.markdown, app.error, app.warning, app.info)
    return " ".join(element.value for kind in kinds for element in kind)


def plain(text):
    """Markdown of `as_text` as a reader sees it."""
    return re.sub(r"\\(.)", r"\1", text)


def test_the_script_shows_a_page_with_version_and_units():
    app = AppTest.from_file(main.__file__, default_timeout=PATIENCE).run()
    assert not app.exception
    assert app.title[0].value == "Spectra"
    assert f"diffdip {diffdip.__version__} · paper convention" in text_of(app)


def test_spectra_that_cannot_be_read_are_one_line(tmp_path):
    app = bench()
    app.file_uploader[0].set_value([("film <b>.xml", ENTITIES, "text/xml")]).run()
    [error] = app.error
    assert plain(error.value).startswith("film _b_.xml: ")
    assert not app.exception
    two = [(name, data, "") for name, data in huge(tmp_path).items()]
    app.file_uploader[0].set_value(two).run()
    assert all(part in plain(app.error[0].value) for part in HUGE_PARTS)


def test_choices_are_checked_and_explained():
    app = bench()
    app.selectbox(key="kept line").select("near").run()
    assert plain(app.error[0].value).startswith(field_label("near_mT"))
    app.number_input(key="kept near_mT").set_value(338.0).run()
    assert not app.error
    app.number_input(key="kept frequency_GHz").set_value(-3.0).run()
    assert plain(app.error[0].value).startswith("“Frequency (GHz)” = -3: ")


def test_every_choice_has_a_widget():
    """The page uses every key of a diffdip.toml."""
    chosen = {
        "definition": "pseudo-voigt",
        "near_mT": 338.5,
        "baseline": 2,
        "phase_deg": -7.0,
        "smoothing": 75,
        "g": 2.1,
        "frequency_GHz": 9.4,
        "convention": "physical",
        "direct": "gaussian",
        "skip_damaged": True,
        "angles": "0:180:10",
        "angle_from": None,
    }
    other = {"near_mT": None, "strongest": True, "angles": None, "angle_from": "(.*)deg"}
    for line in ({}, other):
        expected = diffdip.Choices(**chosen | line)
        state = {f"kept {name}": value for name, value in asdict(expected).items()}
        app = bench(**state, **{"kept line": "strongest" if line else "near"})
        assert not app.exception
        assert app.session_state["choices"] == expected
    default = bench()
    assert default.session_state["choices"] == diffdip.Choices()
    assert asdict(expected).keys() == chosen.keys() | {"strongest"}


@pytest.mark.slow
def test_choices_and_uploads_of_a_session(sweeps):
    app = bench()
    app.number_input(key="kept g").set_value(2.05).run()

    def drop(*uploads):
        app.file_uploader[0].set_value([(*one, "") for one in uploads]).run()
        assert not app.exception
        return plain(text_of(app))

    # choices made before stay
    assert "3 spectra from 0 to 60°" in drop(("sweeps.zip", zipped(sweeps)))
    assert app.session_state["fit"]["parameters"]["g"]["value"] == 2.05
    # a file of choices that is refused stays refused, and no fit is left
    (sweeps / "diffdip.toml").write_text("colour = 1\n")
    for said in (drop(("sweeps.zip", zipped(sweeps))), plain(text_of(app.run()))):
        assert re.search("sweeps/diffdip.toml: .*'colour'", said)
    assert "fit" not in app.session_state
    (sweeps / "diffdip.toml").write_text("definition = 'midpoint'\n")
    drop(("sweeps.zip", zipped(sweeps)))
    assert app.session_state["chosen by"] == "diffdip.toml"
    assert app.session_state["choices"] == diffdip.Choices(definition="midpoint")
    # the choices of a file go with it
    (sweeps / "diffdip.toml").unlink()
    drop(("sweeps.zip", zipped(sweeps)))
    assert "chosen by" not in app.session_state
    assert app.session_state["choices"] == diffdip.Choices()
    # what is removed is gone
    assert "Drop the files of a rotation" in drop()
    assert "fit" not in app.session_state
    # and what came from before a visit to another page can be
    app.session_state["uploads"] = (Upload("a.csv", b"angle_deg,field_mT\n0,338\n"),)
    said = plain(text_of(app.run()))
    assert "a.csv, still loaded" in said
    assert "a.csv: " in plain(app.error[0].value)
    app.button[0].click().run()
    assert "Drop the files of a rotation" in text_of(app)


@pytest.mark.slow
def test_explore_starts_from_a_fit_and_follows_the_sliders():
    fit = {
        "sample": MARKUP,
        "convention": "physical",
        "frequency_GHz": {"mean": 9.4},
        "parameters": {
            f"{n}_mT": {"value": v} for n, v in zip("ABC", (1.0, -2.0, 0.5), strict=True)
        }
        | {"g": {"value": 2.1}},
    }
    app = bench("explore", fit=fit)
    assert [slider.value for slider in app.slider] == [1, -2, 0.5, 9.4, 2.1]
    assert MARKUP in plain(app.button[0].label)
    before = text_of(app)
    assert "physical convention, w0 = 319.8" in plain(before)
    app.slider[1].set_value(4.0).run()
    assert app.number_input[1].value == 4
    moved = text_of(app)
    assert moved != before
    app.number_input[1].set_value(-30.25).run()  # farther than the slider goes
    assert (app.slider[1].value, app.number_input[1].value) == (-5, -30.25)
    assert text_of(app) not in (before, moved)
    app.select_slider[0].set_value(1.0).run()
    app.select_slider[0].set_value(50.0).run()
    assert app.slider[1].value == -30.25
    app.button[0].click().run()
    assert app.slider[1].value == -2
    assert text_of(app) == before
    published = bench("explore")
    assert "Hres 52.95 to 399.57 mT (paper convention" in plain(text_of(published))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("a", "frequency", "g"), [(3000.0, 9.4, 2.0), (1e-7, 0.05, 0.5), (1.0, 350.0, 9.0)]
)
def test_any_fit_can_be_explored(a, frequency, g):
    values = {"A_mT": a, "B_mT": 0.0, "C_mT": 0.0, "g": g}
    fit = {
        "sample": "film",
        "convention": "paper",
        "frequency_GHz": {"mean": frequency},
        "parameters": {name: {"value": value} for name, value in values.items()},
    }
    app = bench("explore", fit=fit)
    assert not app.exception
    assert [field.value for field in app.number_input] == [a, 0, 0, frequency, g]


@pytest.mark.slow
def test_terms_on_sliders_follow_measured_points():
    """The model that made the points lies at their noise, and another one does not."""
    truth = {
        name: jnp.asarray(v) for name, v in (("Meff", 0.9), ("B4", 0.02), ("phi_4", np.pi / 6))
    }
    angle = np.radians(np.arange(0, 360, 15.0))
    energy = diffdip.TermsModel(["thin-film", "four-fold"])(truth)
    field = np.asarray(tabulated_field(energy, angle, 9.8e9, 2.1))
    field += 1e-4 * np.random.default_rng(0).normal(size=len(field))
    rows = [f"{a:.6g},{h:.6f},9.8" for a, h in zip(np.degrees(angle), 1e3 * field, strict=True)]
    table = "angle_deg,field_mT,frequency_GHz\n" + "\n".join(rows)

    app = bench("explore")
    app.file_uploader[0].set_value([("film.csv", table.encode(), "")]).run()
    assert app.session_state["kept moved frequency_GHz"] == pytest.approx(9.8)
    app.multiselect[0].set_value(["thin-film", "four-fold"]).run()
    for name, value in {"Meff_mT": 900, "B4_mT": 20, "phi_4_deg": 30, "g": 2.1}.items():
        app.number_input(key=f"kept moved {name} typed").set_value(value).run()
    assert not app.exception
    assert 0.06 < rms_of(app) < 0.14
    assert app.slider(key="kept moved phi_4_deg by slider").max == 45
    app.slider(key="kept moved phi_4_deg by slider").set_value(-30.0).run()
    assert rms_of(app) > 5
    placed = table.replace(",9.8", ",9.8,xy").replace("GHz\n", "GHz,plane\n")
    app.file_uploader[0].set_value([("film.csv", placed.encode(), "")]).run()
    assert not app.info
    app.radio(key="kept moved plane").set_value("xz").run()
    assert "lie in another plane" in app.info[0].value
    app.multiselect[0].set_value([]).run()
    assert "one energy term or more" in app.info[0].value
    assert not app.exception


def rms_of(app):
    """The rms in mT that the page states."""
    return float(re.search(r"lie ([\d.]+) mT", plain(text_of(app)))[1])


def test_a_table_without_a_rotation_is_refused_on_explore():
    app = bench("explore")
    for table, said in (
        (b"angle_deg,field_mT\n0,abc\n", "film.csv: row 2: "),
        # the fault itself, not that of a second try with a frequency
        (b"angle_deg,field_mT,frequency_GHz\n0,abc,9.3\n", "film.csv: row 2: "),
        (b"angle_deg,field_mT\n0,338\n0,339\n", "film.csv: rows 2 to 3: all angles"),
        (
            b"theta_deg,phi_deg,field_mT\n0,0,338\n90,0,339\n90,90,338.5\n",
            "film.csv: no rotation in the table",
        ),
    ):
        app.file_uploader[0].set_value([("film.csv", table, "")]).run()
        assert plain(app.error[0].value).startswith(said)
        assert not app.exception


@pytest.mark.slow
def test_an_ensemble_is_what_the_command_line_exports(tmp_path):
    app = bench("ensembles")
    app.number_input(key="kept ensemble n_crystals").set_value(2)
    app.number_input(key="kept ensemble samples").set_value(100)
    app.number_input(key="kept ensemble seed").set_value(3)
    simulate(app)
    simulation = app.session_state["simulation"]
    assert simulation.latest[0] == 100
    size = plan_of(diffdip.NanocrystalPacking(n_crystals=2), 100, 3).size
    model = ("--crystals", 2, "--samples", 100, "--seed", 3, "--batch", size)
    with jax.enable_x64(False):
        assert run("ensemble", *model, "--out", tmp_path / "run.zarr").exit_code == 0
    assert run("export", tmp_path / "run.zarr", tmp_path / "run.csv").exit_code == 0
    assert simulation.table() == (tmp_path / "run.csv").read_bytes()
    assert list(app.table[0].value.index) == [r"\|A\|", r"\|B\|", r"\|C\|"]
    said = plain(text_of(app))
    assert (
        "packed crystals, paper convention, seed 3: Crystals 2, Diameter of a core (nm) 2.7" in said
    )
    assert not app.info
    app.number_input(key="kept ensemble kappa").set_value(1.0).run()
    assert len(app.info) == 1  # the choices have changed since


def simulate(app):
    next(button for button in app.button if button.label == "Simulate").click().run()
    assert not app.exception


def test_what_cannot_be_simulated_is_one_line(monkeypatch):
    app = bench("ensembles", **{"kept ensemble density": 0.0})
    app.selectbox[0].select("uniform in a sphere").run()
    simulate(app)
    assert plain(app.error[0].value).startswith(f"{field_label('density')} = 0: ")
    assert "simulation" not in app.session_state
    app.number_input(key="kept ensemble density").set_value(2.0)
    for error, sentence in (
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory\nmore"), "RESOURCE_EXH"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(BatchPlan, "run", lambda *_, error=error: raised(error))
            simulate(app)
        assert sentence in plain(app.error[0].value)
        assert "more" not in app.error[0].value


def raised(error):
    raise error


@pytest.mark.slow
def test_samples_before_a_stop_are_kept(monkeypatch):
    """Streamlit ends a script by an exception that is not a subclass of `Exception`."""
    whole = BatchPlan.run

    def stopped(plan, batches):
        yield from itertools.islice(whole(plan, batches), 1)
        raise StopException

    app = bench("ensembles")
    app.selectbox[0].select("uniform in a sphere").run()
    app.number_input(key="kept ensemble n").set_value(20)
    app.number_input(key="kept ensemble samples").set_value(1000)
    with monkeypatch.context() as patch:
        patch.setattr(BatchPlan, "run", stopped)
        simulate(app)
    simulation = app.session_state["simulation"]
    done, _ = simulation.latest
    assert 0 < done < 1000
    table = simulation.table().decode().splitlines()
    assert len([line for line in table[2:] if ",," not in line]) == done
    assert re.search(rf"\b{done}\b.*\b1000\b", app.run().info[0].value)


def test_every_choice_has_a_label():
    assert set(RULES) - {"strongest"} <= set(LABELS)
    assert field_label("near") != field_label("near_mT")
    assert field_label("some words") == "some words"


def test_files_of_a_page_that_was_open_before_a_restart_are_asked_for_again():
    """The server does not have them any more."""
    app = bench()
    lost = DeletedFile("1")
    app.session_state["uploads"] = (Upload("a.csv", b"angle_deg,field_mT\n0,338\n"),)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(spectra_page.st, "session_state", {"dropped": [lost]})
        spectra_page._take()
        state = spectra_page.st.session_state
    assert state["uploads"] == ()
    assert state["refused"] == frame.LOST


def test_a_closed_page_leaves_nothing():
    clear_session_resource_cache(SESSION)  # of tests before: they all have this name
    app = AppTest.from_file(main.__file__, default_timeout=PATIENCE).run()
    app.session_state["uploads"] = (Upload("a.csv", b"0"),)
    clear_session_resource_cache(SESSION)  # as Streamlit does when the page is closed
    assert "uploads" not in app.session_state
    assert "choices" not in app.session_state
