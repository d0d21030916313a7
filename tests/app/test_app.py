"""`diffdip app`: what its pages show is what the command line says, and strangers' files do no
harm. In Streamlit's own test bench, and once in a browser."""

import base64
import contextlib
import http.client
import io
import itertools
import json
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.request
import zipfile
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import jax
import pytest
from hypothesis import given, strategies as st
from selenium.webdriver.common.keys import Keys
from streamlit.runtime.scriptrunner import StopException
from streamlit.testing.v1 import AppTest

import diffdip
from diffdip.app import downloads, main
from diffdip.app.ensembles_page import plan_of
from diffdip.app.uploads import Upload, choices_beside, plain_name, read_uploads
from diffdip.cli import serve
from diffdip.ensembles.simulation import BatchPlan
from diffdip.io import InputError, read_spectra
from diffdip.report.parameter_text import value_text
from tests.helpers import spectra_files as files
from tests.helpers.command_line import assert_refused, run
from tests.helpers.raw_data import GONIOMETER, needs_goniometer


MARKUP = "film <b>*1*![x](http:__127.0.0.1:9_x.png)"
ENTITIES = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]>'
    b"<ESRXmlFile>&c;</ESRXmlFile>"
)
HUGE = "rotation/rotation.DSC: XPTS = '268435456': expected a whole number from 1 to 50000000"


def zipped(folder, prefix="sweeps/"):
    return downloads.zip_bytes(
        {f"{prefix}{path.name}": path.read_bytes() for path in sorted(folder.iterdir())}
    )


def huge(folder):
    """A BES3T descriptor that declares 2 GB, beside a few bytes of data."""
    descriptor = files.bes3t(folder)
    text = re.sub(r"XPTS\t\d+", f"XPTS\t{2**31 // 8}", descriptor.read_text())
    return {"rotation.DSC": text.encode(), "rotation.DTA": bytes(800)}


@pytest.fixture
def sweeps(tmp_path):
    """A folder of Magnettech files."""
    folder = tmp_path / "sweeps"
    folder.mkdir()
    return files.magnettech(folder)


@pytest.fixture
def no_traces(tmp_path, monkeypatch):
    """A temporary directory of this test, which is empty at its end."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    yield
    assert list(place.iterdir()) == []


@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize("prefix", ["", "sweeps/"])
def test_a_zip_is_read_as_its_folder(sweeps, prefix, monkeypatch):
    monkeypatch.chdir(sweeps.parent)
    found = read_uploads([Upload("sweeps.zip", zipped(sweeps, prefix))])
    assert found.identical(read_spectra("sweeps"))


@pytest.mark.usefixtures("no_traces")
def test_files_are_read_as_a_folder(sweeps):
    uploads = [Upload(path.name, path.read_bytes()) for path in sweeps.iterdir()]
    assert read_uploads(uploads).attrs["title"] == "spectra"
    files.bes3t(sweeps)
    pair = [Upload(path.name, path.read_bytes()) for path in sweeps.glob("rotation.*")]
    assert read_uploads(pair).attrs["title"] == "rotation"
    assert read_uploads(pair)["angle"].values.tolist() == [0, 30, 60]


@pytest.mark.usefixtures("no_traces")
def test_choices_of_the_folder(sweeps):
    (sweeps / "diffdip.toml").write_text("definition = 'midpoint'\n")
    assert choices_beside([Upload("a.zip", zipped(sweeps))]) == {"definition": "midpoint"}
    assert choices_beside([Upload("a.csv", b"x")]) == {}
    (sweeps / "diffdip.toml").write_text("colour = 1\n")
    with pytest.raises(InputError, match=r"^a/diffdip.toml: unknown key 'colour'"):
        choices_beside([Upload("a.zip", zipped(sweeps))])


@pytest.mark.usefixtures("no_traces")
def test_messages_name_the_files_of_the_sender(sweeps, tmp_path):
    (tmp_path / "huge").mkdir()
    cases = [
        ({"../film <b>.xml": ENTITIES}, "film _b_.xml: defines a document type or entities"),
        (huge(tmp_path / "huge"), HUGE),
        ({"a.zip": b"PK\x03\x04"}, "a.zip: is no zip that can be read"),
        ({"a.zip": zipped(sweeps), "b.xml": b""}, "a.zip: a zip among other files"),
        ({"x/b.xml": b"", "b.xml": b""}, "b.xml: two files of this name"),
        ({"film.bin": b"\x00\x01"}, "film.bin: is of no known kind"),
    ]
    for uploads, words in cases:
        with pytest.raises(InputError) as error:
            read_uploads([Upload(*item) for item in uploads.items()])
        assert words in str(error.value)
        assert str(tmp_path) not in str(error.value)
    with pytest.raises(InputError, match="10001 files"):
        read_uploads([Upload("a", b"")] * 10_001)


def test_reasons_for_leaving_out_name_the_files_too(sweeps):
    (sweeps / "sweep_90.xml").write_bytes(ENTITIES)
    found = read_uploads([Upload("sweeps.zip", zipped(sweeps))], skip_damaged=True)
    assert found.attrs["skipped"].startswith("sweep_90.xml: defines a document type")


@given(st.text())
def test_plain_names_lead_nowhere(name):
    plain = plain_name(name)
    assert Path(plain).name == plain == plain_name(plain)
    assert not plain.startswith(".")
    assert 0 < len(plain.encode(errors="surrogatepass")) < 256


def test_without_streamlit_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "streamlit.web", None)
    assert_refused(run("app"), "pip install 'diffdip[app]'")


def test_a_port_in_use_is_one_line():
    with socket.create_server((serve.ADDRESS, 0)) as server:
        port = server.getsockname()[1]
        assert_refused(run("app", "--port", port), f"--port {port}: cannot be used: ")


def bench(page="spectra", **state):
    """A page in Streamlit's test bench; sessions of the bench have no navigation."""

    def script(page):
        from importlib import import_module

        from diffdip.app.frame import keep_widgets

        keep_widgets()
        import_module(f"diffdip.app.{page}_page").show()

    app = AppTest.from_function(script, kwargs={"page": page}, default_timeout=120)
    for name, value in state.items():
        app.session_state[name] = value
    return app.run()


def words(app):
    """All that the page says."""
    kinds = (app.title, app.caption, app.markdown, app.error, app.warning, app.info)
    return " ".join(element.value for kind in kinds for element in kind)


def plain(text):
    """Markdown of `as_text` as a reader sees it."""
    return re.sub(r"\\(.)", r"\1", text)


def test_the_script_shows_a_page_with_version_and_units():
    app = AppTest.from_file(main.__file__, default_timeout=60).run()
    assert not app.exception
    assert app.title[0].value == "Spectra"
    assert f"diffdip {diffdip.__version__} · paper convention · fields in mT" in words(app)


def test_spectra_that_cannot_be_read_are_one_line(tmp_path):
    app = bench()
    app.file_uploader[0].set_value([("film <b>.xml", ENTITIES, "text/xml")]).run()
    [error] = app.error
    assert plain(error.value).startswith("film _b_.xml: defines a document type")
    assert not app.exception
    two = [(name, data, "") for name, data in huge(tmp_path).items()]
    app.file_uploader[0].set_value(two).run()
    assert HUGE in plain(app.error[0].value)


def test_choices_are_checked_and_explained():
    app = bench()
    app.selectbox(key="kept line").select("near").run()
    assert "expected a field in mT" in app.error[0].value
    app.number_input(key="kept near_mT").set_value(338.0).run()
    assert not app.error
    app.number_input(key="kept frequency_GHz").set_value(-3.0).run()
    assert plain(app.error[0].value) == "Frequency (GHz) = -3.0: expected a number above 0"


def test_every_choice_has_a_widget():
    """What a diffdip.toml chooses is what the page uses: none of the keys is passed over."""
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
    }
    for line in ({}, {"near_mT": None, "strongest": True}):
        expected = diffdip.Choices(**chosen | line)
        state = {f"kept {name}": value for name, value in asdict(expected).items()}
        app = bench(**state, **{"kept line": "strongest" if line else "near"})
        assert not app.exception
        assert app.session_state["choices"] == expected
    default = bench()
    assert default.session_state["choices"] == diffdip.Choices()
    assert asdict(expected).keys() == chosen.keys() | {"strongest"}


def test_choices_and_uploads_of_a_session(sweeps):
    app = bench()
    app.number_input(key="kept g").set_value(2.05).run()

    def drop(*uploads):
        app.file_uploader[0].set_value([(*one, "") for one in uploads]).run()
        assert not app.exception
        return plain(words(app))

    # choices made before stay
    assert "3 spectra from 0 to 60°" in drop(("sweeps.zip", zipped(sweeps)))
    assert app.session_state["fit"]["parameters"]["g"]["value"] == 2.05
    # a file of choices that is refused stays refused, and no fit is left
    (sweeps / "diffdip.toml").write_text("colour = 1\n")
    assert "sweeps/diffdip.toml: unknown key 'colour'" in drop(("sweeps.zip", zipped(sweeps)))
    assert "unknown key 'colour'" in plain(words(app.run()))
    assert "fit" not in app.session_state
    (sweeps / "diffdip.toml").write_text("definition = 'midpoint'\n")
    said = drop(("sweeps.zip", zipped(sweeps)))
    assert "choices of diffdip.toml" in said
    assert app.session_state["choices"] == diffdip.Choices(definition="midpoint")
    # the choices of a file go with it
    (sweeps / "diffdip.toml").unlink()
    assert "choices of" not in drop(("sweeps.zip", zipped(sweeps)))
    assert app.session_state["choices"] == diffdip.Choices()
    # what is removed is gone
    assert "Drop a measured rotation" in drop()
    assert "fit" not in app.session_state
    # and what came from before a visit to another page can be
    app.session_state["uploads"] = (Upload("a.csv", b"angle_deg,field_mT\n0,338\n"),)
    said = plain(words(app.run()))
    assert "a.csv, kept from before" in said
    assert "diffdip fit takes a table of resonance fields" in said
    app.button[0].click().run()
    assert "Drop a measured rotation" in words(app)


def test_explore_starts_from_a_fit_and_follows_the_sliders():
    fit = {
        "sample": MARKUP,
        "convention": "physical",
        "frequency_GHz": {"mean": 9.4},
        "parameters": {f"{n}_mT": {"value": v} for n, v in zip("ABC", (1, -2, 0.5), strict=True)}
        | {"g": {"value": 2.1}},
    }
    app = bench("explore", fit=fit)
    assert [slider.value for slider in app.slider] == [1, -2, 0.5, 9.4, 2.1]
    assert MARKUP in plain(app.button[0].label)
    before = words(app)
    assert "physical convention, w0 = 319.8" in plain(before)
    app.slider[1].set_value(4.0).run()
    assert app.number_input[1].value == 4
    moved = words(app)
    assert moved != before
    app.number_input[1].set_value(-30.25).run()  # farther than the slider goes
    assert (app.slider[1].value, app.number_input[1].value) == (-5, -30.25)
    assert words(app) not in (before, moved)
    app.select_slider[0].set_value(1.0).run()
    app.select_slider[0].set_value(50.0).run()
    assert app.slider[1].value == -30.25
    app.button[0].click().run()
    assert app.slider[1].value == -2
    assert words(app) == before
    published = bench("explore")
    assert "Hres 52.95 to 399.57 mT (paper convention" in plain(words(published))


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


def test_an_ensemble_is_what_the_command_line_exports(tmp_path):
    app = bench("ensembles")
    app.number_input(key="kept ensemble n_crystals").set_value(2)
    app.number_input(key="kept ensemble samples").set_value(100)
    app.number_input(key="kept ensemble seed").set_value(3)
    draw(app)
    drawing = app.session_state["drawing"]
    assert drawing.latest[0] == 100
    size = plan_of(diffdip.NanocrystalPacking(n_crystals=2), 100, 3).size
    model = ("--crystals", 2, "--samples", 100, "--seed", 3, "--batch", size)
    with jax.enable_x64(False):
        assert run("ensemble", *model, "--out", tmp_path / "run.zarr").exit_code == 0
    assert run("export", tmp_path / "run.zarr", tmp_path / "run.csv").exit_code == 0
    assert drawing.table() == (tmp_path / "run.csv").read_bytes()
    assert list(app.table[0].value.index) == [r"\|A\|", r"\|B\|", r"\|C\|"]
    said = plain(words(app))
    assert "packed crystals, paper convention, seed 3: Crystals 2, Dipoles per crystal 10" in said
    assert "changed" not in said
    app.number_input(key="kept ensemble kappa").set_value(1.0).run()
    assert "The choices beside were changed since: draw again." in words(app)


def draw(app):
    next(button for button in app.button if button.label == "Draw the samples").click().run()
    assert not app.exception


def test_what_cannot_be_drawn_is_one_line(monkeypatch):
    app = bench("ensembles", **{"kept ensemble density": 0.0})
    app.selectbox[0].select("uniform in a sphere").run()
    draw(app)
    assert "density" in app.error[0].value
    assert "drawing" not in app.session_state
    app.number_input(key="kept ensemble density").set_value(2.0)
    for error, sentence in (
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: out of memory\nmore"), "RESOURCE_EXH"),
        (OSError(28, "No space left on device"), "No space left on device"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(BatchPlan, "run", lambda *_, error=error: raised(error))
            draw(app)
        assert sentence in plain(app.error[0].value)
        assert "more" not in app.error[0].value


def raised(error):
    raise error


def test_what_was_drawn_before_a_stop_is_kept(monkeypatch):
    """Streamlit ends a script by an exception that is none of `Exception`."""
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
        draw(app)
    drawing = app.session_state["drawing"]
    done, _ = drawing.latest
    assert 0 < done < 1000
    table = drawing.table().decode().splitlines()
    assert len([line for line in table[2:] if ",," not in line]) == done
    assert f"Stopped after {done} of 1000 samples." in words(app.run())


chrome, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
needs_browser = pytest.mark.skipif(
    chrome is None or driver is None, reason="chromium or chromedriver is not installed"
)


@pytest.fixture(scope="module")
def served():
    """The address of `diffdip app`, started as a user does."""
    with socket.create_server((serve.ADDRESS, 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from diffdip.cli import app; app()", "app", "--no-browser"]
    with subprocess.Popen([*command, "--port", str(port)], stderr=subprocess.DEVNULL) as server:
        try:
            until(lambda: listens(serve.ADDRESS, port))
            yield port
        finally:
            server.terminate()


@pytest.fixture(scope="module")
def browser(served, tmp_path_factory):
    """Chromium without a window, at the page of spectra."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chrome
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run window-size=1280,1400 "
    flags += "disable-background-networking disable-component-update disable-sync"
    for flag in flags.split():
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('chromium')}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    saved = tmp_path_factory.mktemp("downloads")
    options.add_experimental_option("prefs", {"download.default_directory": str(saved)})
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    found.downloads, found.home = saved, f"http://{serve.ADDRESS}:{served}"
    try:
        found.get(found.home)
        yield found
    finally:
        found.quit()


def until(ready, seconds=150.0):
    """Wait for what a condition gives, on a page that may change; fail if never."""
    from selenium.common.exceptions import WebDriverException

    end = time.monotonic() + seconds
    while True:
        with contextlib.suppress(WebDriverException):
            if found := ready():
                return found
        assert time.monotonic() < end
        time.sleep(0.5)


def listens(address, port):
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=1):
        return True
    return False


def body(browser):
    return browser.find_element("tag name", "body").text


def upload(browser, *paths):
    """Open the page anew and drop files onto it."""
    browser.get(browser.home)
    until(lambda: "Drop a measured rotation" in body(browser))
    [place] = until(lambda: browser.find_elements("css selector", "input[type=file]"))
    place.send_keys("\n".join(map(str, paths)))


def press(browser, label, tag="button"):
    """Click what has this label, as soon as it is there."""
    until(lambda: pressed(browser, label, tag))


def pressed(browser, label, tag):
    found = [one for one in browser.find_elements("tag name", tag) if label in one.text]
    for one in found[:1]:
        one.click()
    return bool(found)


def downloaded(browser, name):
    """The bytes of a file that the browser has saved, once they are there."""
    path = Path(browser.downloads) / name
    return path.exists() and path.read_bytes()


def cells(browser):
    """Value ± error of A, B, C on the page."""
    until(lambda: "Signal over field and angle" in body(browser))

    def read():
        rows = browser.find_element("tag name", "table").find_elements("css selector", "tbody tr")
        texts = [[c.text for c in row.find_elements("css selector", "th, td")] for row in rows]
        return {name: value for name, value, *_ in texts}

    return until(read)


def of_command_line(source, out):
    """The same, of `diffdip analyze`, and what it calls doubtful."""
    assert run("analyze", source, "--out", out).exit_code == 0
    fit = json.loads((out / "analysis.json").read_text())["fit"]
    values = {f"{name} (mT)": value_text(fit["parameters"][f"{name}_mT"]) for name in "ABC"}
    return values, [*fit["flags"], *fit["warnings"]]


@needs_browser
def test_a_rotation_in_the_browser(browser, served, tmp_path):
    source = tmp_path / MARKUP
    source.mkdir()
    for angle in range(0, 181, 10):  # as many as of the goniometer: the fit is compiled once
        (source / f"sweep_{angle}.xml").write_bytes(files.xml(float(angle)))
    archive = tmp_path / f"{MARKUP}.zip"
    archive.write_bytes(zipped(source))
    upload(browser, archive)
    found = cells(browser)
    expected, doubts = of_command_line(source, tmp_path / "out")
    assert found == expected
    assert re.match(r"-1\.33\d* ± ", found["B (mT)"])
    assert all(sentence in body(browser) for sentence in doubts)
    assert plain_name(MARKUP) in body(browser)
    browser.save_screenshot(str(tmp_path / "spectra.png"))
    assert (tmp_path / "spectra.png").stat().st_size > 20_000
    asked = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [
        urlsplit(entry["params"]["request"]["url"])
        for entry in asked
        if entry["method"] == "Network.requestWillBeSent"
    ]
    hosts = {url.netloc for url in urls if url.scheme in ("http", "https", "ws", "wss")}
    assert hosts == {f"{serve.ADDRESS}:{served}"}


@needs_browser
@needs_goniometer
def test_the_goniometer_data_in_the_browser(browser, tmp_path):
    archive = tmp_path / f"{GONIOMETER.name}.zip"
    archive.write_bytes(zipped(GONIOMETER))
    upload(browser, archive)
    found = cells(browser)
    expected, doubts = of_command_line(GONIOMETER, tmp_path / "out")
    assert found == expected
    assert found["A (mT)"].startswith("0.92")
    assert all(sentence in body(browser) for sentence in doubts)
    browser.save_screenshot(str(tmp_path / "goniometer.png"))
    press(browser, "All files as a zip")
    with zipfile.ZipFile(io.BytesIO(until(lambda: downloaded(browser, "analysis.zip")))) as files:
        assert {name: files.read(name) for name in files.namelist()} == {
            path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()
        }
    # the sliders are where the fit is
    press(browser, "Explore", "a")
    until(lambda: "Back to the fit of goniometer" in body(browser))
    press(browser, "All files as a zip")
    with zipfile.ZipFile(io.BytesIO(until(lambda: downloaded(browser, "curve.zip")))) as files:
        assert sorted(files.namelist()) == ["curve.csv", "curve.json", "curve.pdf", "curve.png"]
        settings = json.loads(files.read("curve.json"))["settings"]
    fit = json.loads((tmp_path / "out" / "analysis.json").read_text())["fit"]
    assert settings["B_mT"] == fit["parameters"]["B_mT"]["value"]


@needs_browser
def test_an_ensemble_is_stopped_in_the_browser(browser):
    press(browser, "Ensembles", "a")
    until(lambda: "Choose a model and draw samples" in body(browser))
    [samples] = browser.find_elements("css selector", "input[aria-label=Samples]")
    samples.send_keys(Keys.CONTROL, "a")
    samples.send_keys("20000", Keys.ENTER)
    press(browser, "Draw the samples")
    until(lambda: re.search(r"\d{3,} of 20000 samples", body(browser)))
    press(browser, "Stop after this batch")
    stopped = until(lambda: re.search(r"Stopped after (\d+) of 20000 samples", body(browser)))
    assert 100 <= int(stopped[1]) < 20000
    press(browser, "Table of the samples")
    rows = until(lambda: downloaded(browser, "run.csv")).decode().splitlines()[2:]
    assert len(rows) == 20000
    assert sum(",," not in row for row in rows) >= int(stopped[1])


@needs_browser
def test_hostile_files_in_the_browser(browser, tmp_path):
    entry = zipfile.ZipInfo("../../outside.xml")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(entry, b"x")
    contents = huge(tmp_path) | {"entities.xml": ENTITIES, "path.zip": stream.getvalue()}
    for name, data in contents.items():
        (tmp_path / name).write_bytes(data)
    for names, sentence in (
        (["entities.xml"], "entities.xml: defines a document type or entities, which is refused"),
        (["path.zip"], "path.zip: '../../outside.xml': the name leads out of the folder"),
        (["rotation.DSC", "rotation.DTA"], HUGE),
    ):
        upload(browser, *(tmp_path / name for name in names))
        until(lambda sentence=sentence: sentence in body(browser), 30)
        assert "encountered an error" not in body(browser)


def answer(port, path, **headers):
    """The status of a request, with headers of one's own."""
    connection = http.client.HTTPConnection(serve.ADDRESS, port, timeout=30)
    with contextlib.closing(connection):
        connection.request("PUT" if "upload" in path else "GET", path, headers=headers)
        return connection.getresponse().status


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1", "http://127.0.0.1", 101),
        ("localhost", "http://localhost", 101),
        ("elsewhere.example", "http://elsewhere.example", 403),
        ("127.0.0.1", "http://elsewhere.example", 403),
    ],
)
def test_strangers_pages_are_refused(served, host, origin, status):
    """By the name they use (DNS rebinding) and by where they are from."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers = upgrade | {"Sec-WebSocket-Key": "eA==", "Host": f"{host}:{served}"}
    headers["Sec-WebSocket-Key"] = base64.b64encode(bytes(16)).decode()
    headers["Origin"] = f"{origin}:{served}"
    assert answer(served, "/_stcore/stream", **headers) == status


def test_uploads_need_the_token_of_a_page(served):
    assert answer(served, "/_stcore/upload_file/a/b") == 403


def test_the_server_listens_to_this_machine_alone(served):
    assert urllib.request.urlopen(f"http://{serve.ADDRESS}:{served}/_stcore/health").read() == b"ok"
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), served)}
    for address in others - {serve.ADDRESS}:
        assert not listens(address, served)
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {
        socket.inet_ntoa(struct.pack("<I", int(local.split(":")[0], 16)))
        for _, local, _, state, *_ in listening
        if state == "0A" and int(local.split(":")[1], 16) == served
    }
    assert addresses == {serve.ADDRESS}
