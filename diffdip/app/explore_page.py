"""The page "Explore": energy terms on sliders, measured points, and all branches of Hres(angle)."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from ..fitting.parameter_table import parameter_kind
from ..fitting.series import Series
from ..fitting.term_models import TermsModel
from ..fitting.term_names import TERMS
from ..foundation.errors import InputError
from ..report.curve import Curve, CurveSettings, resonance_curve
from ..report.figures.style import figure_bytes
from ..report.parameter_text import heading
from ..resonance.planes import PLANES
from . import frame
from .field_labels import LABELS
from .uploads import Upload, read_rotations


PUBLISHED = CurveSettings((191.5, 204.6, 0.0), 2.0, 9.45)
"""Sample I of the paper, where the sliders start without a fit."""

MOVED = frame.KEPT + "moved "
"""Start of the keys of the sliders."""

PICTURE_DPI = 150

REACHES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
"""Ranges of the sliders of anisotropy fields (mT)."""

FILM, FILM_REACH = "Meff_mT", 3000.0
"""The field of a film is much larger than other anisotropy fields: it has a range of its own."""


def show() -> None:
    """Show the page."""
    fit = st.session_state.get("fit")
    if MOVED + "g" not in st.session_state or st.session_state.get("explored") != fit:
        _start(fit)
    head = st.container()
    left, right = st.columns((2, 3), gap="large")
    with left:
        points = _points()
        settings = _sliders()
        origin = "sample I of the paper" if fit is None else f"the fit of {fit['sample']}"
        st.button(
            f"Back to {frame.as_text(origin)}",
            on_click=_start,
            args=(fit,),
            icon=":material/restart_alt:",
        )
    with head:
        frame.head("Explore", settings.convention)
    if not settings.terms:
        st.info("Choose one energy term or more.")
        return
    if points is not None and points.plane != settings.plane:
        points = None
        st.info("The measured points lie in another plane.")
    curve, picture = _computed(settings, points)
    sentences = [*curve.sentences(), *filter(None, [curve.missing()])]
    with right:
        st.image(picture, width=640, alt=f"Resonance fields by angle: {'; '.join(sentences)}")
        for sentence in sentences:
            st.write(frame.as_text(sentence))
        frame.download("All files as a zip", lambda: _files(curve), "curve.zip")


def start_of(fit: Mapping[str, Any] | None) -> CurveSettings:
    """The settings of a fit, by its document, at its mean frequency; sample I without a fit.

    >>> start_of(None).frequency_GHz
    9.45
    """
    if fit is None:
        return PUBLISHED
    value = {name: entry["value"] for name, entry in fit["parameters"].items()}
    return CurveSettings(
        (value["A_mT"], value["B_mT"], value["C_mT"]),
        value["g"],
        fit["frequency_GHz"]["mean"],
        convention=fit["convention"],
    )


def reach_for(*values: float) -> float:
    """The smallest of `REACHES` that is at least twice the largest value, or the largest one.

    >>> reach_for(0.926, 0.083), reach_for(191.5, -204.6), reach_for(1e6)
    (2.0, 500.0, 2000.0)
    """
    largest = max(abs(value) for value in values)
    return next((reach for reach in REACHES if 2 * largest <= reach), REACHES[-1])


def _start(fit: Mapping[str, Any] | None) -> None:
    """Set the sliders to the values of the fit."""
    start = start_of(fit)
    state = st.session_state
    state["explored"], state["start"] = fit, start
    values = start.parameters() | {
        name: getattr(start, name) for name in ("g", "frequency_GHz", "plane", "convention")
    }
    for name, value in values.items():
        state[MOVED + name] = value
    state[MOVED + "terms"] = list(start.terms)
    state[MOVED + "reach"] = reach_for(*start.values)


def _points() -> Series | None:
    """Show a field for a table, and return its rotation, or that of the page "Spectra"."""
    state = st.session_state
    dropped = st.file_uploader(
        "Measured points: a table of angles and fields",
        key="dropped points",
        help="Delimited text with the columns angle_deg and field_mT, as for diffdip fit. Without "
        "a table, the points are those of the page Spectra.",
    )
    if dropped is None:
        return state.get("measured")
    if not isinstance(dropped, UploadedFile):  # of a page that was open before the server started
        frame.refuse(frame.LOST)
        return None
    upload = Upload(dropped.name, dropped.getvalue())
    try:
        rotations = read_rotations(upload, state[MOVED + "frequency_GHz"], state[MOVED + "plane"])
    except InputError as error:
        frame.refuse(error)
        return None
    if len(rotations) > 1:
        chosen = st.selectbox("Series", rotations)
    else:
        [chosen] = rotations
    points = rotations[chosen]
    if state.get("shown points") != (upload, chosen):
        state["shown points"] = (upload, chosen)
        frequency = float(points.frequency.mean()) / 1e9
        state["start"] = replace(state["start"], frequency_GHz=frequency)
        state[MOVED + "frequency_GHz"] = frequency
        state[MOVED + "plane"] = points.plane
    return points


def _sliders() -> CurveSettings:
    """Show a slider for each value, and beside it a field for any number."""
    state = st.session_state
    terms = st.multiselect(
        "Energy terms", TERMS, format_func=TERMS.__getitem__, key=MOVED + "terms"
    )
    names = TermsModel(terms).names if terms else ()
    values = tuple(_parameter(name) for name in names)
    st.select_slider(
        "Range of the sliders of anisotropy fields: ± (mT)",
        REACHES,
        format_func=lambda x: f"{x:g}",
        key=MOVED + "reach",
    )
    start: CurveSettings = state["start"]
    about = start.frequency_GHz
    near = (0.8 * about, 1.2 * about)
    frequency = _moved("frequency_GHz", LABELS["frequency_GHz"], near, about / 2000, least=1e-3)
    ends = min(1.0, start.g), max(4.0, start.g)
    g = _moved("g", LABELS["g"], ends, 0.001, least=1e-3)
    plane = st.radio("Plane of rotation", PLANES, horizontal=True, key=MOVED + "plane")
    convention = st.radio(
        LABELS["convention"], ("paper", "physical"), horizontal=True, key=MOVED + "convention"
    )
    return CurveSettings(values, g, frequency, tuple(terms), plane, convention)


def _parameter(name: str) -> float:
    """The slider of a parameter of a term, in mT or degrees."""
    kind = parameter_kind(name)
    key = f"{name}_{kind.unit}"
    st.session_state.setdefault(MOVED + key, kind.start * kind.factor)
    if kind.period is not None:
        reach = kind.period * kind.factor / 2
        step = 0.5
    else:
        reach = FILM_REACH if key == FILM else st.session_state[MOVED + "reach"]
        step = reach / 1000
    return _moved(key, heading(key), (-reach, reach), step)


def _moved(
    name: str, label: str, ends: tuple[float, float], step: float, least: float | None = None
) -> float:
    """A value set by the slider or typed.

    For a typed value beyond its range, the slider stays at its end.
    """
    state = st.session_state
    slider, typed = f"{MOVED}{name} by slider", f"{MOVED}{name} typed"
    value = float(state[MOVED + name])
    state[slider], state[typed] = min(max(value, ends[0]), ends[1]), value
    wide, narrow = st.columns((3, 2), vertical_alignment="bottom")
    digits = max(0, 1 - math.floor(math.log10(step)))
    arguments = {"on_change": _take, "kwargs": {"name": name}}
    wide.slider(
        label, *ends, step=step, format=f"%.{digits}f", key=slider, args=(slider,), **arguments
    )
    narrow.number_input(
        label,
        least,
        step=step,
        format="%.10g",
        key=typed,
        label_visibility="collapsed",
        args=(typed,),
        **arguments,
    )
    return value


def _take(widget: str, name: str) -> None:
    """Take the value of the widget that was moved."""
    st.session_state[MOVED + name] = st.session_state[widget]


def _content(series: Series) -> tuple[bytes | None, ...]:
    """What identifies a series in a cache."""
    arrays = (series.angle, series.field, series.sigma, series.frequency)
    return tuple(None if array is None else array.tobytes() for array in arrays)


@st.cache_resource(
    max_entries=32,
    scope="session",
    show_spinner="Computing …",
    hash_funcs={Series: _content},
)
def _computed(settings: CurveSettings, points: Series | None) -> tuple[Curve, bytes]:
    with frame.COMPUTING:
        curve = resonance_curve(settings, points)
        return curve, figure_bytes(curve.figure(), "png", PICTURE_DPI)


def _files(curve: Curve) -> dict[str, bytes]:
    with frame.COMPUTING:
        return curve.files()
