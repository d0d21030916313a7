"""What all pages share: head, messages, tables, downloads, and one computation at a time."""

import re
import string
import threading
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from ..foundation.errors import InputError
from ..foundation.flags import Flag
from ..foundation.version import __version__
from ..foundation.visible_text import visible
from .downloads import zip_bytes
from .field_labels import field_label


KEPT = "kept "
"""Start of the keys of widgets that keep their value while another page is shown."""

LOST = "The app was started again. Reload this page, and drop all files once more."
"""Said of files that were dropped before the server started."""

COMPUTING = threading.Lock()
"""Held while numbers or figures are made, because Matplotlib's settings belong to the process."""


def head(title: str, convention: str) -> None:
    """Show title, version, convention and units of a page."""
    st.title(title)
    st.caption(
        f"diffdip {__version__} · {convention} convention · fields in mT, angles in degrees, "
        "frequencies in GHz, lengths in nm"
    )


def keep_widgets() -> None:
    """Keep the values of the widgets called `KEPT`; Streamlit drops them with their page."""
    for name, value in st.session_state.items():
        if isinstance(name, str) and name.startswith(KEPT):
            st.session_state[name] = value


def as_text(text: str) -> str:
    r"""Text on one line for Markdown, with every mark escaped.

    >>> print(as_text("film <b>_1_ $x$"))
    film \<b\>\_1\_ \$x\$
    """
    line = visible(" ".join(text.split()))
    return re.sub(f"([{re.escape(string.punctuation)}])", r"\\\1", line)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Show a table of text; the first column names the rows."""
    cells = [[as_text(cell) for cell in row] for row in rows]
    st.table(pd.DataFrame(cells, columns=list(heads)).set_index(heads[0]))


def refuse(error: InputError | str) -> None:
    """Show why input cannot be used, with the labels of the fields."""
    message = error.worded(field_label) if isinstance(error, InputError) else error
    st.error(as_text(message))


def doubts(flags: Sequence[Flag]) -> None:
    """Show each doubt about a result as a warning."""
    for flag in flags:
        st.warning(as_text(flag.message), icon=":material/warning:")


def download(label: str, files: Callable[[], Mapping[str, bytes]], name: str) -> None:
    """Show a button for one file, or for several as a zip. Files are made when it is pressed."""

    def data() -> bytes:
        made = files()
        return next(iter(made.values())) if len(made) == 1 else zip_bytes(made)

    st.download_button(label, data, name, on_click="ignore", icon=":material/download:")
