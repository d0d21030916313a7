"""The page "Explore": sliders for A, B, C, frequency and g, and all branches of Hres(angle)."""

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..report.curve import Curve, CurveSettings, resonance_curve
from ..report.figures.style import figure_bytes
from . import frame
from .field_labels import LABELS


FIELDS = ("A_mT", "B_mT", "C_mT")

PUBLISHED = CurveSettings(191.5, 204.6, 0.0, 2.0, 9.45)
"""Sample I of the paper, where the sliders start without a fit."""

MOVED = frame.KEPT + "moved "
"""Start of the keys of the sliders."""

PICTURE_DPI = 150

REACHES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
"""Ranges of the sliders of A, B and C (mT)."""


def show() -> None:
    """Show the page."""
    fit = st.session_state.get("fit")
    if MOVED + "g" not in st.session_state or st.session_state.get("explored") != fit:
        _start(fit)
    head = st.container()
    left, right = st.columns((2, 3), gap="large")
    with left:
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
    curve, picture = _computed(settings)
    sentences = curve.sentences()
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
        value["A_mT"],
        value["B_mT"],
        value["C_mT"],
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
    for name in (*FIELDS, "g", "frequency_GHz", "convention"):
        state[MOVED + name] = getattr(start, name)
    state[MOVED + "reach"] = reach_for(start.A_mT, start.B_mT, start.C_mT)


def _sliders() -> CurveSettings:
    """Show a slider for each value, and beside it a field for any number."""
    start: CurveSettings = st.session_state["start"]
    reach = st.session_state[MOVED + "reach"]
    about = start.frequency_GHz
    a, b, c = (
        _moved(name, name.replace("_mT", " (mT)"), (-reach, reach), reach / 1000) for name in FIELDS
    )
    st.select_slider(
        "Range of the sliders of A, B and C: ± (mT)",
        REACHES,
        format_func=lambda x: f"{x:g}",
        key=MOVED + "reach",
    )
    near = (0.8 * about, 1.2 * about)
    frequency = _moved("frequency_GHz", LABELS["frequency_GHz"], near, about / 2000, least=1e-3)
    ends = min(1.0, start.g), max(4.0, start.g)
    g = _moved("g", LABELS["g"], ends, 0.001, least=1e-3)
    convention = st.radio(
        LABELS["convention"], ("paper", "physical"), horizontal=True, key=MOVED + "convention"
    )
    return CurveSettings(a, b, c, g, frequency, convention=convention)


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


@st.cache_resource(max_entries=32, show_spinner=False)
def _computed(settings: CurveSettings) -> tuple[Curve, bytes]:
    with frame.COMPUTING:
        curve = resonance_curve(settings)
        return curve, figure_bytes(curve.figure(), "png", PICTURE_DPI)


def _files(curve: Curve) -> dict[str, bytes]:
    with frame.COMPUTING:
        return curve.files()
