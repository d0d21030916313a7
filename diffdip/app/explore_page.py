"""The page "Explore": A, B, C, frequency and g on sliders, and all branches of Hres(angle)."""

import math
from collections.abc import Mapping
from typing import Any

import streamlit as st

from ..curve import Curve, CurveSettings, resonance_curve
from . import frame


FIELDS = ("A_mT", "B_mT", "C_mT")

PUBLISHED = CurveSettings(191.5, 204.6, 0.0, 2.0, 9.45)
"""Sample I of the paper, from which the sliders start where there is no fit."""

MOVED = frame.KEPT + "moved "
"""Keys of the sliders begin so."""

REACHES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0)
"""How far the sliders of A, B and C go, in mT."""


def show() -> None:
    """The page."""
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
    curve, files = _computed(settings)
    with right:
        st.image(files["curve.png"], width=640)
        for sentence in curve.sentences():
            st.write(frame.as_text(sentence))
        frame.download("All files as a zip", files, "curve.zip")


def start_of(fit: Mapping[str, Any] | None) -> CurveSettings:
    """What is shown first: the document of a fit as it is, at its mean frequency.

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
    """The shortest of `REACHES` that is twice the largest of these values, or the longest.

    >>> reach_for(0.926, 0.083), reach_for(191.5, -204.6), reach_for(1e6)
    (2.0, 500.0, 2000.0)
    """
    largest = max(abs(value) for value in values)
    return next((reach for reach in REACHES if 2 * largest <= reach), REACHES[-1])


def _start(fit: Mapping[str, Any] | None) -> None:
    """Put the sliders where the fit is."""
    start = start_of(fit)
    state = st.session_state
    state["explored"], state["start"] = fit, start
    for name in (*FIELDS, "g", "frequency_GHz", "convention"):
        state[MOVED + name] = getattr(start, name)
    state[MOVED + "reach"] = reach_for(start.A_mT, start.B_mT, start.C_mT)


def _sliders() -> CurveSettings:
    state = st.session_state
    reach = state[MOVED + "reach"]
    digits = max(0, 3 - math.floor(math.log10(reach)))
    value: list[float] = []
    for name in FIELDS:
        key = MOVED + name
        state[key] = min(max(state[key], -reach), reach)  # the reach may have become shorter
        label, form = name.replace("_mT", " (mT)"), f"%.{digits}f"
        value.append(st.slider(label, -reach, reach, step=reach / 1000, format=form, key=key))
    st.select_slider(
        "A, B and C up to (mT)", REACHES, format_func=lambda x: f"{x:g}", key=MOVED + "reach"
    )
    start: CurveSettings = state["start"]
    top = max(100.0, 2 * start.frequency_GHz)
    frequency = st.slider(
        "Frequency (GHz)", 0.1, top, step=0.01, format="%.3f", key=MOVED + "frequency_GHz"
    )
    ends = min(1.0, start.g), max(4.0, start.g)
    g = st.slider("g", *ends, step=0.001, format="%.4f", key=MOVED + "g")
    convention = st.radio(
        "Convention", ("paper", "physical"), horizontal=True, key=MOVED + "convention"
    )
    a, b, c = value
    return CurveSettings(a, b, c, g, frequency, convention=convention)


@st.cache_resource(max_entries=32, show_spinner=False)
def _computed(settings: CurveSettings) -> tuple[Curve, dict[str, bytes]]:
    with frame.COMPUTING:
        curve = resonance_curve(settings)
        return curve, curve.files()
