"""The page "Spectra": an uploaded rotation, the choices, the fit and the files."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ..foundation.errors import InputError
from ..report.analysis import Analysis, analyze, with_frequency
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
from ..spectra.definitions import AUTO, DEFINITIONS, ORDERS, SHAPES
from ..spectra.line_selection import each_sweep
from ..spectra.positions import line_positions
from . import frame
from .field_labels import LABELS, LINES
from .uploads import Upload, choices_beside, read_uploads


if TYPE_CHECKING:
    import xarray as xr

# Streamlit shows None as an empty field, so we use the word none
BASELINES = {
    NONE: "none",
    AUTO: "polynomial, order chosen from the spectra",
    **{n: f"polynomial of order {n}" for n in ORDERS},
}

Uploads = tuple[Upload, ...]


def show() -> None:
    """Show the page."""
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
            frame.refuse(refused)
            return
        if not uploads:
            st.info("Drop the files of a rotation above to fit A, B and C.")
            return
        spectra = _spectra(uploads, choices)
        if spectra.sizes["angle"] == 1:
            _forget_fit()
            _show_one(spectra, choices)
            return
        analysis = _analysis(uploads, choices)
    except InputError as error:
        _forget_fit()
        frame.refuse(error)
        return
    st.session_state["fit"] = fit_document_of(analysis)
    [st.session_state["measured"]] = analysis.fit.series
    _show_result(analysis, _report(uploads, choices))


def _drop() -> None:
    """Show the field for dropped files, and the files kept while another page was shown."""
    dropped = st.file_uploader(
        "One file with all angles, all files of a folder, or the folder as a zip",
        accept_multiple_files=True,
        key="dropped",
        on_change=_take,
        help="Bruker .DSC with .DTA or .par with .spc, Magnettech, JEOL, Adani, CIQTEK and "
        "others, delimited text or NetCDF. "
        "The kind is recognized by the content. A diffdip.toml among the files sets the choices.",
    )
    kept: Uploads = st.session_state.get("uploads", ())
    if kept and not dropped:
        with st.container(horizontal=True, vertical_alignment="center"):
            first, *more = kept
            names = f"{first.name} and {len(more)} more" if more else first.name
            st.caption(f"{frame.as_text(names)}, still loaded")
            st.button("Remove", on_click=_take, icon=":material/close:")
    if chosen := st.session_state.get("chosen by"):
        st.caption(f"Choices from {frame.as_text(chosen)}")


def _take() -> None:
    """Keep the uploaded files, and use the choices of a file among them."""
    state = st.session_state
    files = state.get("dropped") or ()
    dropped = [Upload(f.name, f.getvalue()) for f in files if isinstance(f, UploadedFile)]
    state["uploads"] = tuple(dropped)
    before = [state.pop(name, None) for name in ("chosen by", "fit", "measured", "refused")]
    if len(dropped) < len(files):  # of a page that was open before the server started
        state["uploads"] = ()
        state["refused"] = frame.LOST
        return
    try:
        chosen = choices_beside(dropped)
        # choices of a file are removed with it; choices made by hand stay
        if chosen or before[0]:
            _set_choices(chosen)
        if chosen:
            state["chosen by"] = NAME
    except InputError as error:
        state["refused"] = error.worded(str)  # a message about a file names its keys


def _forget_fit() -> None:
    for name in ("fit", "measured"):
        st.session_state.pop(name, None)


def _set_choices(chosen: Mapping[str, Any]) -> None:
    """Set the widgets to the choices of a file, and to the defaults."""
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
    """The choices of the widgets in the sidebar. Raises `InputError`."""
    key = lambda name: frame.KEPT + name
    with st.sidebar:
        st.subheader("Position of a line")
        definition = st.selectbox(LABELS["definition"], DEFINITIONS, key=key("definition"))
        line = st.selectbox(LABELS["line"], LINES, format_func=LINES.__getitem__, key=key("line"))
        near = None
        if line == "near":
            near = st.number_input(LABELS["near_mT"], format="%.3f", key=key("near_mT"), value=None)
        baseline = st.selectbox(
            LABELS["baseline"], BASELINES, format_func=BASELINES.__getitem__, key=key("baseline")
        )
        phase = st.number_input(
            LABELS["phase_deg"],
            value=None,
            placeholder="fitted with a line shape, else 0",
            key=key("phase_deg"),
        )
        windows = sorted({0, *range(5, 52, 2), st.session_state[key("smoothing")]})
        smoothing = st.selectbox(
            LABELS["smoothing"],
            windows,
            format_func=lambda n: f"over {n} data points" if n else "none",
            key=key("smoothing"),
        )
        st.subheader("Model")
        convention = st.selectbox(
            LABELS["convention"], ("paper", "physical"), key=key("convention")
        )
        g = st.number_input(LABELS["g"], min_value=1e-3, format="%.5f", step=0.001, key=key("g"))
        frequency = st.number_input(
            LABELS["frequency_GHz"],
            value=None,
            format="%.6f",
            placeholder="from the files",
            key=key("frequency_GHz"),
        )
        direct = st.selectbox(
            LABELS["direct"],
            (NONE, *SHAPES),
            format_func=lambda shape: "no" if shape == NONE else f"{shape} lines",
            key=key("direct"),
            help="Also fit all data points of all spectra at once. It takes about half a minute.",
        )
        skip = st.checkbox(LABELS["skip_damaged"], key=key("skip_damaged"))
        angles = st.text_input(
            LABELS["angles"],
            key=key("angles"),
            placeholder="from the files",
            help="In the order of the names of the files: first:last:step, or with commas.",
        )
        angle_from = st.text_input(
            LABELS["angle_from"], key=key("angle_from"), placeholder="for example (\\d+)deg"
        )
    if line == "near" and near is None:
        raise InputError("near_mT", expected="a field in mT")
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
        angles=angles or None,
        angle_from=angle_from or None,
    )


@st.cache_resource(max_entries=4, scope="session", show_spinner="Reading the spectra …")
def _spectra(uploads: Uploads, choices: Choices) -> "xr.Dataset":
    return read_uploads(
        uploads,
        skip_damaged=choices.skip_damaged,
        angles=choices.angles,
        angle_from=choices.angle_from,
    )


def _show_one(spectra: "xr.Dataset", choices: Choices) -> None:
    """Show one spectrum and the position of its line. Raises `InputError`."""
    [(field, signal)] = each_sweep(spectra)
    angle = float(spectra["angle"].values[0])
    at = "angle unknown" if angle != angle else f"{angle:g}°"
    st.subheader(frame.as_text(str(spectra.attrs["title"])), anchor=False)
    st.caption(
        frame.as_text(f"One spectrum, {at}, {spectra.attrs['format']}. A fit needs three angles.")
    )
    st.line_chart(pd.DataFrame({"field (mT)": field, "signal": signal}), x="field (mT)", y="signal")
    for note in str(spectra.attrs.get("notes", "")).splitlines():
        st.warning(frame.as_text(note))
    with frame.COMPUTING:
        found = line_positions(
            with_frequency(spectra, choices.frequency_GHz, needed=False),
            choices.definition,
            line="strongest" if choices.strongest else None,
            near=choices.near_mT,
            baseline=choices.baseline,
            phase_deg=choices.phase_deg,
            smoothing=choices.smoothing,
            progress=False,
        )
    value, error, width = (1e3 * float(v[0]) for v in (found.field, found.sigma, found.width))
    frame.table(
        ("", "mT"),
        [
            (f"position, {choices.definition}", f"{value:.4f}"),
            ("standard error", f"{error:.2g}"),
            (f"width, {found.settings['width']}", f"{width:.4g}"),
        ],
    )
    frame.doubts(found.warnings)


@st.cache_resource(
    max_entries=4, scope="session", show_spinner="Reading the spectra and fitting A, B, C …"
)
def _analysis(uploads: Uploads, choices: Choices) -> Analysis:
    spectra = _spectra(uploads, choices)
    with frame.COMPUTING:
        try:
            return analyze(spectra, choices)
        except InputError as error:
            raise error.at(str(spectra.attrs["source"])) from None


@st.cache_resource(max_entries=4, scope="session", show_spinner="Drawing …")
def _report(uploads: Uploads, choices: Choices) -> Report:
    analysis = _analysis(uploads, choices)
    with frame.COMPUTING:
        return make_report(analysis)


def _show_result(analysis: Analysis, report: Report) -> None:
    st.subheader(frame.as_text(analysis.name), anchor=False)
    st.caption(frame.as_text(summary(analysis)))
    frame.table(("parameter", *RESULT_HEADS), result_rows(report.document["fit"]))
    st.write(frame.as_text(result_sentence(report.document)))
    frame.doubts(analysis.doubts)
    if not analysis.doubts:
        st.success("No doubts about this result.")
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
        st.subheader(LABELS["direct"], anchor=False)
        frame.table(DIRECT_HEADS, direct_rows(report.document))
        st.write(frame.as_text(direct_sentence(direct)))
        _picture(report, "direct")
    with st.expander("Fits with other definitions of a position"):
        frame.table(DEFINITION_HEADS, definition_rows(report.document))
        for note in definition_notes(report.document):
            st.caption(frame.as_text(note))
    with st.expander("Assumptions"):
        _facts(assumptions(analysis))
    if analysis.instrument:
        with st.expander("Instrument settings that are the same in all files"):
            _facts(analysis.instrument.items())


def _picture(report: Report, name: str) -> None:
    st.image(report.pictures[name], caption=CAPTIONS[name], alt=CAPTIONS[name])


def _facts(rows: Any) -> None:
    """Show text by name in a widget that interprets no markup."""
    st.dataframe(pd.DataFrame(rows, columns=["", "value"]), hide_index=True)
