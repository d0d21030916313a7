"""What all pages share: head, text from files, tables, downloads, and one computation at a time."""

import re
import string
import threading
from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from ..foundation.flags import Flag
from ..foundation.version import __version__
from .downloads import zip_bytes


KEPT = "kept "
"""Widgets whose key begins so keep their value while another page is shown."""

COMPUTING = threading.Lock()
"""Held while numbers or figures are made: Matplotlib's settings are those of the whole process."""


def head(title: str, convention: str) -> None:
    """Title, version, convention and units of a page."""
    st.title(title)
    st.caption(
        f"diffdip {__version__} · {convention} convention · fields in mT, angles in degrees, "
        "frequencies in GHz, lengths in nm"
    )


def keep_widgets() -> None:
    """Hold the values of the widgets called `KEPT`, which Streamlit forgets with their page."""
    for name, value in st.session_state.items():
        if isinstance(name, str) and name.startswith(KEPT):
            st.session_state[name] = value


def as_text(text: str) -> str:
    r"""Text on one line for Markdown, in which nothing of it has a meaning.

    >>> print(as_text("film <b>_1_ $x$"))
    film \<b\>\_1\_ \$x\$
    """
    line = " ".join(text.split())
    return re.sub(f"([{re.escape(string.punctuation)}])", r"\\\1", line)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table of text, the first column naming the rows."""
    cells = [[as_text(cell) for cell in row] for row in rows]
    st.table(pd.DataFrame(cells, columns=list(heads)).set_index(heads[0]))


def doubts(flags: Sequence[Flag]) -> None:
    """The doubts about a result, a warning each."""
    for flag in flags:
        st.warning(as_text(flag.message), icon=":material/warning:")


def download(label: str, files: Callable[[], Mapping[str, bytes]], name: str) -> None:
    """A button for one file, or for several as a zip; they are made when it is pressed."""

    def data() -> bytes:
        made = files()
        return next(iter(made.values())) if len(made) == 1 else zip_bytes(made)

    st.download_button(label, data, name, on_click="ignore", icon=":material/download:")
