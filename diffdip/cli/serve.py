"""`diffdip app`: pages in a browser, served only to this machine."""

import socket
from pathlib import Path
from typing import Annotated

import typer

from ..foundation.errors import InputError
from ..foundation.interruption import advise
from .common import OTHERS, command


ADDRESS = "127.0.0.1"

UPLOAD_MB = 50

OPTIONS: dict[str, object] = {
    "server.address": ADDRESS,
    "server.allowedHosts": [ADDRESS, "localhost"],
    "server.enableCORS": "true",
    "server.enableXsrfProtection": "true",
    "server.maxUploadSize": UPLOAD_MB,
    "server.enableAgentApi": "false",
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": "false",
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.showErrorLinks": "false",
    "client.toolbarMode": "minimal",
    "theme.base": "light",
    "theme.primaryColor": "#0072B2",
}
"""Streamlit's settings, given as options so that a user's own settings do not override them."""


@command(OTHERS, "app")
def serve_pages(
    port: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=65535,
            show_default="the first free port from 8501",
            help="Port of the address.",
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Only print the address.")
    ] = False,
) -> None:
    """Open pages in the browser for spectra, resonance curves and ensembles.

    The page Spectra analyzes dropped files and shows the fit; Explore draws the resonance curve for
    values of A, B, C, g and frequency; Ensembles simulates a model. Spectra and Explore offer the
    files of diffdip analyze and diffdip curve as a download, Ensembles the table of diffdip export.
    The pages are served only to this machine, until Ctrl-C. To install the needed packages, run in
    the clone of diffdip: pip install -e '.\\[app]'

    [bold]Examples[/bold]

        diffdip app

        diffdip app --port 8600 --no-browser
    """
    try:
        from streamlit.web import cli as streamlit
    except ImportError:
        raise InputError(
            "diffdip app", expected="Streamlit", hint="In the clone, run: pip install -e '.[app]'"
        ) from None
    if port is not None:
        _check_free(port)
    options = {**OPTIONS, "server.headless": str(no_browser).lower()}
    if port is not None:
        options["server.port"] = port
    script = Path(__file__).parent.parent / "app" / "served.py"
    flags = [
        f"--{name}={one}"
        for name, value in options.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    advise("The pages are no longer served. Start diffdip app again for new ones")
    streamlit.main(["run", str(script), *flags], standalone_mode=False)


def _check_free(port: int) -> None:
    """Raise `InputError` for a port that another program uses."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            raise InputError(
                f"--port {port}",
                expected=f"a free port ({error.strerror})",
                hint="Choose another one",
            ) from None
