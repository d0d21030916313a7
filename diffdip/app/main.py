"""The script that Streamlit runs: it shows one of the pages."""

import streamlit as st

from diffdip.app import ensembles_page, explore_page, spectra_page
from diffdip.app.frame import keep_widgets
from diffdip.app.sessions import forget_when_closed


def show_app() -> None:
    """Show the selected page."""
    # an icon would make the browser ask another server for it
    st.set_page_config("diffdip", layout="wide")
    forget_when_closed()
    keep_widgets()
    pages = [
        st.Page(spectra_page.show, title="Spectra", url_path="spectra", default=True),
        st.Page(explore_page.show, title="Explore", url_path="explore"),
        st.Page(ensembles_page.show, title="Ensembles", url_path="ensembles"),
    ]
    st.navigation(pages, position="top").run()


if __name__ == "__main__":
    show_app()
