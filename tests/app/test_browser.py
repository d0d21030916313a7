"""`diffdip app` in a browser: pages, downloads, hostile files and requests of strangers."""

import base64
import contextlib
import http.client
import io
import json
import re
import socket
import struct
import sys
import urllib.request
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from selenium.webdriver.common.keys import Keys

from diffdip.app.uploads import plain_name
from diffdip.cli import serve
from diffdip.report.parameter_text import value_text
from tests.helpers import spectra_files as files
from tests.helpers.browser import (
    PATIENCE,
    body,
    browsing,
    cells,
    downloaded,
    listens,
    needs_browser,
    press,
    serving,
    until,
    upload,
)
from tests.helpers.command_line import assert_refused, run, run_apart
from tests.helpers.raw_data import GONIOMETER, needs_goniometer
from tests.helpers.uploaded_files import ENTITIES, HUGE_PARTS, MARKUP, huge, zipped


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served():
    """The port of `diffdip app`."""
    with serving() as port:
        yield port


@pytest.fixture(scope="module")
def browser(served, tmp_path_factory):
    """A browser at the page Spectra."""
    folders = (tmp_path_factory.mktemp(name) for name in ("chromium", "downloads"))
    with browsing(served, *folders) as found:
        yield found


def test_without_streamlit_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "streamlit.web", None)
    assert_refused(run("app"), "pip install -e '.[app]'")


def test_a_port_in_use_is_one_line():
    with socket.create_server((serve.ADDRESS, 0)) as server:
        port = server.getsockname()[1]
        assert_refused(run("app", "--port", port), f"--port {port}")


def of_command_line(source, out):
    """The values of `diffdip analyze`, and its flags.

    By a process of its own, like the app: with the same fonts, and the same threads and options of
    the compiler, which decide the last digit.
    """
    done = run_apart("analyze", source, "--out", out)
    assert done.returncode == 0, done.stderr
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
    assert all(doubt["message"] in body(browser) for doubt in doubts)
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
    assert all(doubt["message"] in body(browser) for doubt in doubts)
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
    until(lambda: "Choose a model and simulate samples" in body(browser))
    [samples] = browser.find_elements("css selector", "input[aria-label=Samples]")
    samples.send_keys(Keys.CONTROL, "a")
    samples.send_keys("20000", Keys.ENTER)
    press(browser, "Simulate")
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
    for names, parts in (
        (["entities.xml"], ["entities.xml: "]),
        (["path.zip"], ["path.zip: ", "../../outside.xml"]),
        (["rotation.DSC", "rotation.DTA"], HUGE_PARTS),
    ):
        upload(browser, *(tmp_path / name for name in names))
        until(lambda parts=parts: all(part in body(browser) for part in parts))
        assert "encountered an error" not in body(browser)


def answer(port, path, **headers):
    """The status of a request, with headers of one's own."""
    connection = http.client.HTTPConnection(serve.ADDRESS, port, timeout=PATIENCE)
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
        ("127.0.0.1", "http://localhost", 403),
        ("127.0.0.1", "http://127.0.0.1:1", 403),
        ("localhost", "http://localhost:1", 403),
    ],
)
def test_strangers_pages_are_refused(served, host, origin, status):
    """By the name they use (DNS rebinding) and by where they are from."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    headers = upgrade | {"Sec-WebSocket-Key": "eA==", "Host": f"{host}:{served}"}
    headers["Sec-WebSocket-Key"] = base64.b64encode(bytes(16)).decode()
    headers["Origin"] = origin if origin.count(":") == 2 else f"{origin}:{served}"
    assert answer(served, "/_stcore/stream", **headers) == status


def test_requests_of_other_pages_are_refused(served):
    own = f"http://{serve.ADDRESS}:{served}"
    for origin, status in [(own, 200), ("http://localhost:1", 403), ("null", 403)]:
        assert answer(served, "/_stcore/health", Origin=origin) == status


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
