"""What a session leaves behind: nothing, from the moment that its page is closed."""

from collections.abc import Callable

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


def forget_when_closed() -> None:
    """Remove uploads, results and choices of this session when its page is closed.

    Streamlit keeps them for two minutes or longer, in case that the page comes back.
    """
    _forgetting()


@st.cache_resource(scope="session", show_spinner=False, on_release=lambda forget: forget())
def _forgetting() -> Callable[[], None]:
    """What is called when Streamlit clears the caches of the session, as it does at its end."""
    context = get_script_run_ctx()
    if context is None:  # a script without a server
        return lambda: None
    state, uploads, session = context.session_state, context.uploaded_file_mgr, context.session_id

    def forget() -> None:
        uploads.remove_session_files(session)
        for name in list(state.filtered_state):
            del state[name]

    return forget
