"""Chromium without a window, and what a test does on a page of `diffdip app`."""

import contextlib
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from diffdip.cli import serve
from diffdip.report.tables import CAPTIONS
from tests.helpers.command_line import PROCESS


PATIENCE = 1200
"""Seconds after which a page counts as hanging, however busy the machine is."""

DROP_HERE = "Drop the files of a rotation"
"""What the page Spectra says before files are there."""

chrome, driver = (shutil.which(name) for name in ("chromium", "chromedriver"))
needs_browser = pytest.mark.skipif(
    chrome is None or driver is None, reason="chromium or chromedriver is not installed"
)


@contextmanager
def serving():
    """The port of `diffdip app`, started as a user does."""
    with socket.create_server((serve.ADDRESS, 0)) as free:
        port = free.getsockname()[1]
    command = [*PROCESS, "app", "--no-browser", "--port", str(port)]
    # nobody reads the server's output; a pipe could fill up
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, **quiet) as server:
        try:
            until(lambda: listens(serve.ADDRESS, port))
            yield port
        finally:
            server.terminate()


@contextmanager
def browsing(port, profile, saved):
    """Chromium at the page Spectra; `downloads` and `home` are attributes of what it yields."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chrome
    flags = "headless no-sandbox disable-gpu disable-quic no-first-run window-size=1280,1400 "
    flags += "disable-background-networking disable-component-update disable-sync"
    for flag in flags.split():
        options.add_argument(f"--{flag}")
    options.add_argument(f"--user-data-dir={profile}")
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    options.add_experimental_option("prefs", {"download.default_directory": str(saved)})
    found = webdriver.Chrome(options, webdriver.ChromeService(driver))
    found.downloads, found.home = saved, f"http://{serve.ADDRESS}:{port}"
    try:
        found.get(found.home)
        yield found
    finally:
        found.quit()


def until(ready, seconds=PATIENCE):
    """Wait until a condition is true on a page that may change; its value."""
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
    """Reload the page and drop files onto it."""
    browser.get(browser.home)
    until(lambda: DROP_HERE in body(browser))
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
    until(lambda: CAPTIONS["branches"] in body(browser))

    def read():
        rows = browser.find_element("tag name", "table").find_elements("css selector", "tbody tr")
        texts = [[c.text for c in row.find_elements("css selector", "th, td")] for row in rows]
        return {name: value for name, value, *_ in texts}

    return until(read)
