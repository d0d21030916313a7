"""`diffdip app`: what its pages show is what the command line says, and strangers' files do no
harm. In Streamlit's own test bench, and once in a browser."""

import contextlib
import io
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
from pathlib import Path
from urllib.parse import urlsplit

import jax
import pytest
import spectra_files as files
from hypothesis import given, strategies as st
from raw_data import GONIOMETER, needs_goniometer
from streamlit.testing.v1 import AppTest
from test_cli import assert_refused, run

import diffdip
from diffdip.app import downloads, main
from diffdip.app.uploads import Upload, choices_beside, plain_name, read_uploads
from diffdip.cli import serve
from diffdip.io import InputError, read_spectra
from diffdip.io.parameter_text import value_text


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
    app.number_input(key="kept smoothing").set_value(4).run()
    assert "smoothing = 4: expected an odd" in plain(app.error[0].value)


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
    assert words(app) != before
    app.select_slider[0].set_value(2.0).run()
    assert app.slider[1].value == 2
    app.button[0].click().run()
    assert app.slider[1].value == -2
    assert words(app) == before
    published = bench("explore")
    assert "Hres 52.95 to 399.57 mT (paper convention" in plain(words(published))


def test_an_ensemble_is_what_the_command_line_exports(tmp_path):
    app = bench("ensembles")
    app.selectbox[0].select("uniform in a sphere").run()
    app.number_input(key="kept ensemble n").set_value(20)
    app.number_input(key="kept ensemble samples").set_value(100)
    app.number_input(key="kept ensemble seed").set_value(3)
    next(b for b in app.button if b.label == "Draw the samples").click().run()
    assert not app.exception
    drawn = app.session_state["drawn"]
    model = ("--model", "sphere", "--dipoles", 20, "--samples", 100, "--seed", 3, "--batch", 64)
    with jax.enable_x64(False):
        assert run("ensemble", *model, "--out", tmp_path / "run.zarr").exit_code == 0
    assert run("export", tmp_path / "run.zarr", tmp_path / "run.csv").exit_code == 0
    assert drawn.table == (tmp_path / "run.csv").read_bytes()
    assert [row[0] for row in drawn.rows] == ["|A|", "|B|", "|C|"]
    app.number_input(key="kept ensemble density").set_value(0.0)
    next(b for b in app.button if b.label == "Draw the samples").click().run()
    assert "density" in app.error[0].value


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
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    try:
        found.get(f"http://{serve.ADDRESS}:{served}")
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
    """Reload the page, drop files onto it, and wait until it says something of them."""
    browser.refresh()
    until(lambda: "Drop a measured rotation" in body(browser))
    [place] = until(lambda: browser.find_elements("css selector", "input[type=file]"))
    place.send_keys("\n".join(map(str, paths)))


def cells(browser):
    """Value ± error of A, B, C on the page."""
    until(lambda: "Signal over field and angle" in body(browser))

    def read():
        rows = browser.find_elements("css selector", "table tbody tr")
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
    archive = tmp_path / "goniometer.zip"
    archive.write_bytes(zipped(GONIOMETER))
    upload(browser, archive)
    found = cells(browser)
    expected, doubts = of_command_line(GONIOMETER, tmp_path / "out")
    assert found == expected
    assert found["A (mT)"].startswith("0.92")
    assert all(sentence in body(browser) for sentence in doubts)
    browser.save_screenshot(str(tmp_path / "goniometer.png"))


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
        assert "Traceback" not in body(browser)


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
