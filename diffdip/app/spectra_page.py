"""The page "Spectra": a rotation dropped onto it, what was chosen, the fit, and its files."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from ..analysis import Analysis, analyze
from ..io import InputError
from ..io.choices import RULES, Choices
from ..line_positions import DEFINITIONS
from ..report import Report, make_report
from ..report_page import CAPTIONS, RESULT_HEADS, assumptions, result_rows, result_sentence, summary
from . import frame
from .uploads import Upload, choices_beside, read_uploads


LINES = {
    "only": "the only one",
    "strongest": "the strongest of each angle",
    "near": "nearest to a field",
}

NO_BASELINE = -1  # Streamlit shows None as something still to be chosen
BASELINES = {NO_BASELINE: "none", **{n: f"polynomial of order {n}" for n in range(6)}}

Uploads = tuple[Upload, ...]


def show() -> None:
    """The page."""
    head = st.container()
    dropped = st.file_uploader(
        "One file of all angles, the files of a folder, or the folder as a zip",
        accept_multiple_files=True,
        help="Magnettech .xml, Bruker .DSC with .DTA or .par with .spc, delimited text, NetCDF; "
        "each known by its content.",
    )
    try:
        uploads = _uploads([Upload(file.name, file.getvalue()) for file in dropped])
        choices = _choices()
        with head:
            frame.head("Spectra", choices.convention)
        if not uploads:
            st.info("Drop a measured rotation to see its spectra and the fit of A, B and C.")
            return
        analysis = _analysed(uploads, choices)
    except ValueError as error:
        st.error(frame.as_text(_as_widgets(str(error))))
        return
    st.session_state["fit"] = analysis.document
    _show_result(analysis, _reported(uploads, choices))


def _uploads(dropped: Sequence[Upload]) -> Uploads:
    """What is shown: the last files that came, also after a visit to another page."""
    if dropped and tuple(dropped) != st.session_state.get("uploads"):
        st.session_state["uploads"] = tuple(dropped)
        _set_choices(choices_beside(dropped))
    return st.session_state.get("uploads", ())


def _set_choices(chosen: Mapping[str, Any]) -> None:
    """Give the widgets the choices of a file, over the defaults."""
    values = Choices(**chosen)
    line = "strongest" if values.strongest else "only" if values.near_mT is None else "near"
    for name in RULES:
        st.session_state[frame.KEPT + name] = getattr(values, name)
    st.session_state[f"{frame.KEPT}line"] = line
    if values.baseline is None:
        st.session_state[f"{frame.KEPT}baseline"] = NO_BASELINE


def _choices() -> Choices:
    """What the widgets in the sidebar say. Raises `ValueError`."""
    if f"{frame.KEPT}line" not in st.session_state:
        _set_choices({})
    key = lambda name: frame.KEPT + name
    with st.sidebar:
        st.subheader("Position of a line")
        definition = st.selectbox("Definition", DEFINITIONS, key=key("definition"))
        line = st.selectbox("Line", LINES, format_func=LINES.__getitem__, key=key("line"))
        near = None
        if line == "near":
            near = st.number_input(
                "Field at the least angle (mT)", format="%.3f", key=key("near_mT"), value=None
            )
        baseline = st.selectbox(
            "Baseline", BASELINES, format_func=BASELINES.__getitem__, key=key("baseline")
        )
        phase = st.number_input(
            "Phase (°)",
            value=None,
            placeholder="0, or fitted with a line shape",
            key=key("phase_deg"),
        )
        smoothing = st.number_input(
            "Smoothing (samples, odd; 0 is none)", min_value=0, step=1, key=key("smoothing")
        )
        st.subheader("Model")
        convention = st.selectbox("Convention", ("paper", "physical"), key=key("convention"))
        g = st.number_input("g", format="%.5f", step=0.001, key=key("g"))
        frequency = st.number_input(
            "Frequency (GHz)",
            value=None,
            format="%.6f",
            placeholder="as the files state",
            key=key("frequency_GHz"),
        )
        skip = st.checkbox("Leave out damaged files", key=key("skip_damaged"))
    if line == "near" and near is None:
        raise ValueError("Line nearest to a field: expected a field in mT")
    return Choices(
        definition=definition,
        near_mT=near,
        strongest=line == "strongest",
        baseline=None if baseline == NO_BASELINE else baseline,
        phase_deg=phase,
        smoothing=int(smoothing),
        g=g,
        frequency_GHz=frequency,
        convention=convention,
        skip_damaged=skip,
    )


@st.cache_resource(max_entries=4, show_spinner="Reading the spectra and fitting A, B, C …")
def _analysed(uploads: Uploads, choices: Choices) -> Analysis:
    spectra = read_uploads(uploads, choices.skip_damaged)
    with frame.COMPUTING:
        try:
            return analyze(spectra, choices)
        except ValueError as error:
            raise InputError(f"{spectra.attrs['source']}: {error}") from None


@st.cache_resource(max_entries=4, show_spinner="Drawing …")
def _reported(uploads: Uploads, choices: Choices) -> Report:
    analysis = _analysed(uploads, choices)
    with frame.COMPUTING:
        return make_report(analysis)


def _show_result(analysis: Analysis, report: Report) -> None:
    st.subheader(frame.as_text(analysis.name), anchor=False)
    st.caption(frame.as_text(summary(analysis)))
    frame.table(("parameter", *RESULT_HEADS), result_rows(report.document["fit"]))
    st.write(frame.as_text(result_sentence(report.document)))
    frame.doubts(analysis.doubts)
    if not analysis.doubts:
        st.success("Nothing doubtful was found.")
    with st.container(horizontal=True):
        frame.download("All files as a zip", report.files, "analysis.zip")
        frame.download("Report", {"report.html": report.files["report.html"]}, "report.html")
    _picture(report, "fit")
    for names in (("spectra", "map"), ("branches", "correlation")):
        for column, name in zip(st.columns(2, gap="large"), names, strict=True):
            with column:
                _picture(report, name)
    with st.expander("What was assumed"):
        _facts(assumptions(analysis))
    if analysis.instrument:
        with st.expander("Instrument, as stated in all files"):
            _facts(analysis.instrument.items())


def _picture(report: Report, name: str) -> None:
    st.image(report.pictures[name], caption=CAPTIONS[name])


def _facts(rows: Any) -> None:
    """Text by name, shown by a widget that takes it for nothing else."""
    st.dataframe(pd.DataFrame(rows, columns=["", "value"]), hide_index=True)


def _as_widgets(message: str) -> str:
    """The message with the names that choices have on the page."""
    for name, label in (
        ("line='strongest'", "Line: the strongest"),
        ("near=", "nearest to "),
        ("give it with frequency_GHz", "give it as Frequency (GHz)"),
    ):
        message = message.replace(name, label)
    return message
