"""The page "Spectra": a rotation dropped onto it, what was chosen, the fit, and its files."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from ..io import InputError
from ..report.analysis import Analysis, analyze
from ..report.choices import NAME, NONE, RULES, Choices
from ..report.documents import fit_document_of
from ..report.files import Report, make_report
from ..report.tables import (
    CAPTIONS,
    DEFINITION_HEADS,
    DIRECT_HEADS,
    RESULT_HEADS,
    assumptions,
    definition_notes,
    definition_rows,
    direct_rows,
    direct_sentence,
    result_rows,
    result_sentence,
    summary,
)
from ..spectra.definitions import DEFINITIONS, SHAPES
from . import frame
from .uploads import Upload, choices_beside, read_uploads


LINES = {
    "only": "the only one",
    "strongest": "the strongest of each angle",
    "near": "nearest to a field",
}

# Streamlit shows None as something still to be chosen
BASELINES = {NONE: "none", **{n: f"polynomial of order {n}" for n in range(6)}}

Uploads = tuple[Upload, ...]


def show() -> None:
    """The page."""
    head = st.container()
    _drop()
    uploads: Uploads = st.session_state.get("uploads", ())
    if f"{frame.KEPT}line" not in st.session_state:
        _set_choices({})
    with head:
        frame.head("Spectra", st.session_state[f"{frame.KEPT}convention"])
    try:
        choices = st.session_state["choices"] = _choices()
        if refused := st.session_state.get("refused"):
            raise InputError(refused)
        if not uploads:
            st.info("Drop a measured rotation to see its spectra and the fit of A, B and C.")
            return
        analysis = _analysed(uploads, choices)
    except ValueError as error:
        st.session_state.pop("fit", None)
        st.error(frame.as_text(_as_widgets(str(error))))
        return
    st.session_state["fit"] = fit_document_of(analysis)
    _show_result(analysis, _reported(uploads, choices))


def _drop() -> None:
    """Where files are dropped, and what is kept of them after a visit to another page."""
    dropped = st.file_uploader(
        "One file of all angles, the files of a folder, or the folder as a zip",
        accept_multiple_files=True,
        key="dropped",
        on_change=_take,
        help="Magnettech .xml, Bruker .DSC with .DTA or .par with .spc, delimited text, NetCDF; "
        "each known by its content. Choices in a diffdip.toml among them are taken.",
    )
    kept: Uploads = st.session_state.get("uploads", ())
    if kept and not dropped:
        with st.container(horizontal=True, vertical_alignment="center"):
            first, *more = kept
            names = f"{first.name} and {len(more)} more" if more else first.name
            st.caption(f"{frame.as_text(names)}, kept from before")
            st.button("Remove", on_click=_take, icon=":material/close:")
    if chosen := st.session_state.get("chosen by"):
        st.caption(f"choices of {frame.as_text(chosen)}")


def _take() -> None:
    """Keep what lies in the uploader now, and the choices of a file in it."""
    state = st.session_state
    dropped = [Upload(file.name, file.getvalue()) for file in state.get("dropped") or ()]
    state["uploads"] = tuple(dropped)
    before = [state.pop(name, None) for name in ("chosen by", "fit", "refused")]
    try:
        chosen = choices_beside(dropped)
        # those of a file go with it; those made by hand stay
        if chosen or before[0]:
            _set_choices(chosen)
        if chosen:
            state["chosen by"] = NAME
    except InputError as error:
        state["refused"] = str(error)


def _set_choices(chosen: Mapping[str, Any]) -> None:
    """Give the widgets the choices of a file, over the defaults."""
    values = Choices(**chosen)
    state = st.session_state
    for name in RULES:
        state[frame.KEPT + name] = getattr(values, name)
    line = "strongest" if values.strongest else "only" if values.near_mT is None else "near"
    state[f"{frame.KEPT}line"] = line
    for name in ("baseline", "direct"):
        if getattr(values, name) is None:
            state[frame.KEPT + name] = NONE


def _choices() -> Choices:
    """What the widgets in the sidebar say. Raises `ValueError`."""
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
        windows = sorted({0, *range(5, 52, 2), st.session_state[key("smoothing")]})
        smoothing = st.selectbox(
            "Smoothing",
            windows,
            format_func=lambda n: f"over {n} samples" if n else "none",
            key=key("smoothing"),
        )
        st.subheader("Model")
        convention = st.selectbox("Convention", ("paper", "physical"), key=key("convention"))
        g = st.number_input("g", min_value=1e-3, format="%.5f", step=0.001, key=key("g"))
        frequency = st.number_input(
            "Frequency (GHz)",
            value=None,
            format="%.6f",
            placeholder="as the files state",
            key=key("frequency_GHz"),
        )
        direct = st.selectbox(
            "All spectra at once",
            (NONE, *SHAPES),
            format_func=lambda shape: "no" if shape == NONE else f"{shape} lines",
            key=key("direct"),
            help="Fit all samples of all spectra too, beside the positions. Takes half a minute.",
        )
        skip = st.checkbox("Leave out damaged files", key=key("skip_damaged"))
    if line == "near" and near is None:
        raise ValueError("Line nearest to a field: expected a field in mT")
    return Choices(
        definition=definition,
        near_mT=near,
        strongest=line == "strongest",
        baseline=None if baseline == NONE else baseline,
        phase_deg=phase,
        smoothing=smoothing,
        g=g,
        frequency_GHz=frequency,
        convention=convention,
        direct=None if direct == NONE else direct,
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
        frame.download("All files as a zip", lambda: report.files, "analysis.zip")
        page = {"report.html": report.files["report.html"]}
        frame.download("Report", lambda: page, "report.html")
    _picture(report, "fit")
    for names in (("spectra", "map"), ("branches", "correlation")):
        for column, name in zip(st.columns(2, gap="large"), names, strict=True):
            with column:
                _picture(report, name)
    if (direct := report.document["direct"]) is not None:
        st.subheader("All spectra at once", anchor=False)
        frame.table(DIRECT_HEADS, direct_rows(report.document))
        st.write(frame.as_text(direct_sentence(direct)))
        _picture(report, "direct")
    with st.expander("By other definitions of a position"):
        frame.table(DEFINITION_HEADS, definition_rows(report.document))
        for note in definition_notes(report.document):
            st.caption(frame.as_text(note))
    with st.expander("What was assumed"):
        _facts(assumptions(analysis))
    if analysis.instrument:
        with st.expander("Instrument, as stated in all files"):
            _facts(analysis.instrument.items())


def _picture(report: Report, name: str) -> None:
    st.image(report.pictures[name], caption=CAPTIONS[name], alt=CAPTIONS[name])


def _facts(rows: Any) -> None:
    """Text by name, shown by a widget that takes it for nothing else."""
    st.dataframe(pd.DataFrame(rows, columns=["", "value"]), hide_index=True)


def _as_widgets(message: str) -> str:
    """The message with the names that choices have on the page."""
    for name, label in (
        ("line='strongest'", "Line: the strongest"),
        ("near=", "nearest to "),
        ("direct =", "All spectra at once ="),
        ("give it with frequency_GHz", "give it as Frequency (GHz)"),
        ("frequency_GHz =", "Frequency (GHz) ="),
        ("near_mT =", "Field at the least angle (mT) ="),
        ("phase_deg =", "Phase (°) ="),
        (f', or "{NONE}"', ""),
    ):
        message = message.replace(name, label)
    return message
