"""`diffdip app`: pages in a browser, served to this machine alone."""

import socket
from pathlib import Path
from typing import Annotated

import typer

from .common import app, fail


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
"""Streamlit's settings, given on its command line so that none of a user's overrides them."""


@app.command("app")
def serve(
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help="Port to listen at. [default: the first free one from 8501]"
        ),
    ] = None,
    no_browser: Annotated[
        bool, typer.Option("--no-browser", help="Do not open a browser, and print the address.")
    ] = False,
) -> None:
    """Spectra, curves and ensembles on pages in a browser.

    Drop a file or a folder's zip and see spectra and fit; move A, B, C, frequency and g; see the
    distribution of an ensemble build up; take home all that the command line writes. The pages
    are served to this machine alone, until Ctrl-C. Needs the extra: pip install 'diffdip[app]'.

    [bold]Examples[/bold]

        diffdip app

        diffdip app --port 8600 --no-browser
    """
    try:
        from streamlit.web import cli as streamlit
    except ImportError:
        fail("diffdip app needs Streamlit: pip install 'diffdip[app]'")
    if port is not None:
        _check_free(port)
    options = {**OPTIONS, "server.headless": str(no_browser).lower()}
    if port is not None:
        options["server.port"] = port
    script = Path(__file__).parent.parent / "app" / "main.py"
    flags = [
        f"--{name}={one}"
        for name, value in options.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    streamlit.main(["run", str(script), *flags], standalone_mode=False)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError as error:
            fail(f"--port {port}: cannot be used: {error.strerror or error}")
