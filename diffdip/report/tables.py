"""The tables and sentences of a report as text, for the page in HTML and for the app."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..foundation.units import angle_text
from ..spectra.definitions import DEFINITIONS, SHAPES
from .analysis import Analysis
from .parameter_text import chi2_text, heading, interval_text, noise_note, number, value_text


ENERGIES = {
    "paper": "each pair counted twice; free energy per M: −H·u − ½ µ0M u·D·u",
    "physical": "each pair counted once; free energy per M: −H·u + ½ µ0M u·D·u",
}

CAPTIONS = {
    "spectra": "The spectra on one scale, each at the height of its angle. Dots mark the line "
    "positions.",
    "map": "Signal by field and angle. Dots mark the line positions. If an angle was measured "
    "several times, its sweeps share one strip.",
    "direct": "The spectra (solid) and the model that was fitted to all of them at once (dashed).",
    "fit": "Measured resonance fields with the fitted curve, the residuals, and a polar plot of "
    "fields and curve. Bars are standard errors.",
    "correlation": "Correlation of the fitted parameters.",
    "branches": "All resonances of the fitted model, and the angle by which the magnetization lags "
    "behind the field.",
}
"""What each figure shows, by its name."""

RESULT_HEADS = ("value ± standard error", "68 % interval", "95 % interval")

DEFINITION_HEADS = ("position", "A (mT)", "B (mT)", "C (mT)", "rms (mT)")

DIRECT_HEADS = ("", "from positions", "all spectra at once", "difference in standard errors")

TOLD_IN_WORDS = ("ln_width", "ln_width_cos", "ln_width_sin")
"""Parameters of a fit of all spectra that `direct_sentence` gives as a range of widths."""


def summary(analysis: Analysis) -> str:
    """One line on the spectra and their source."""
    first, last = np.degrees(analysis.positions.angle)[[0, -1]]
    attributes = analysis.spectra.attrs
    origin = [str(attributes[name]) for name in ("format", "source") if attributes.get(name)]
    count = len(analysis.positions.angle)
    rotation = f"{count} spectra from {angle_text(first)} to {angle_text(last)}°"
    return ", ".join([rotation, *origin])


def result_rows(fit: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Name and `RESULT_HEADS` of each free parameter of a fit's document."""
    return [
        (heading(name), value_text(entry), interval_text(entry), interval_text(entry, "95"))
        for name, entry in fit["parameters"].items()
        if entry["free"]
    ]


def result_sentence(document: Mapping[str, Any]) -> str:
    """How well the fit describes the positions, how far M lags, and a note on its errors."""
    fit, lag = document["fit"], document["largest_lag_deg"]
    sentence = (
        f"Convention: {fit['convention']}. {fit['n_points']} positions; the residuals are "
        f"{number(fit['rms_mT'])} mT (rms), χ²/dof = {chi2_text(fit)}."
    )
    if np.isfinite(lag):
        sentence += f" The magnetization lags behind the field by up to {lag:.2g}°."
    if note := noise_note(fit):
        sentence += f" {note}"
    return sentence


def definition_rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """`DEFINITION_HEADS` of each definition of a position, the chosen one first."""
    return [
        (name, *("-" for _ in DEFINITION_HEADS[1:]))
        if "refused" in entry
        else (name, *map(value_text, entry["parameters"].values()), number(entry["rms_mT"]))
        for name, entry in document["by_definition"].items()
    ]


def definition_notes(document: Mapping[str, Any]) -> list[str]:
    """What the rows of `definition_rows` mean, and why some of them are empty."""
    entries = document["by_definition"].items()
    refused = [f"{name}: {entry['refused']}" for name, entry in entries if "refused" in entry]
    return [
        "The first row is the chosen definition. If the line is asymmetric, the definitions give "
        "different A, B and C.",
        *refused,
    ]


def direct_rows(document: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """`DIRECT_HEADS` of each parameter of a fit of all spectra."""
    rows = []
    from_positions = document["fit"]["parameters"]
    for name, entry in document["direct"]["parameters"].items():
        if name in TOLD_IN_WORDS:
            continue
        other = from_positions.get(name)
        apart = ""
        if other is not None and entry["standard_error"] and other["standard_error"]:
            error = np.hypot(entry["standard_error"], other["standard_error"])
            apart = f"{abs(entry['value'] - other['value']) / error:.1f}"
        rows.append(
            (heading(name), "" if other is None else value_text(other), value_text(entry), apart)
        )
    return rows


def direct_sentence(direct: Mapping[str, Any]) -> str:
    """The model that was fitted to all spectra."""
    width, order = direct["width_mT"], direct["baseline"]
    baseline = "no baseline" if order is None else f"a baseline of order {order} for each angle"
    shape = SHAPES[direct["shape"]].label
    fraction = " The parameter fraction is the Lorentzian part of the line."
    return (
        f"The model has {shape} lines with one phase for all spectra, and {baseline}. "
        f"The full width at half maximum is {number(width['min'])} to {number(width['max'])} mT "
        "and varies with cos 2α and sin 2α."
    ) + fraction * ("fraction" in direct["parameters"])


def assumptions(analysis: Analysis) -> list[tuple[str, str]]:
    """What was assumed on the way from the spectra to A, B and C: subject and words."""
    choices, settings = analysis.choices, analysis.positions.settings
    definition = DEFINITIONS[choices.definition]
    line = {
        "only": "the only line of each spectrum",
        "strongest": "the strongest line of each spectrum",
    }
    near = f"the line closest to {choices.near_mT} mT at the first angle, followed to the others"
    baseline, phase = settings["baseline"], settings["phase_deg"]
    treated = "subtracted" if definition.shape is None else "fitted"
    order = "none" if baseline is None else f"polynomial of order {baseline}, {treated}"
    chosen = ", chosen by what it leaves between the lines" * ("baseline_order" in settings)
    smoothed = f"Savitzky–Golay filter over {choices.smoothing} data points"
    return [
        ("Position of a line", definition.description),
        ("Line", line.get(settings.get("line", ""), near)),
        ("Baseline", order + chosen),
        ("Phase", phase if phase == "fitted" else f"{phase:g}°"),
        ("Smoothing", smoothed if choices.smoothing else "none"),
        ("Weights", _weights(analysis)),
        ("Model", "A, B and C in the plane of rotation; parallel moments; no damping"),
        ("Convention", f"{choices.convention}: {ENERGIES[choices.convention]}"),
        (
            "Resonance",
            "of the resonances with M in the global minimum of the energy, the one at the highest "
            "field",
        ),
        ("g", f"{choices.g:g}, fixed"),
        ("Frequency", _frequency(analysis)),
    ]


def _weights(analysis: Analysis) -> str:
    """How the positions are weighted in the fit."""
    if analysis.positions.errors is None:
        return "all equal, because the spectra have no noise"
    factor = analysis.fit.error_factor
    scaled = f"; the errors of the result were multiplied by {factor:.3g}" if factor > 1 else ""
    return f"1/σ²; σ is the error from the noise of each spectrum{scaled}"


def _frequency(analysis: Analysis) -> str:
    """The frequencies, and where they come from."""
    low, high = analysis.positions.frequency.min() / 1e9, analysis.positions.frequency.max() / 1e9
    lacking = np.isnan(analysis.spectra["frequency"].values)
    origin = "from the choices" if lacking.all() else "from the files"
    if lacking.any() and not lacking.all():
        origin += f"; from the choices at {lacking.sum()} angles without one"
    text = f"{low:.7g} GHz" if low == high else f"{low:.7g} to {high:.7g} GHz, that of each angle"
    return f"{text}, {origin}"
