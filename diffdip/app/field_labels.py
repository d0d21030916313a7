"""What choices and model parameters are called on the pages."""

from typing import Final

from ..ensembles.model_parameters import ALL, ModelParameter


def model_label(parameter: ModelParameter) -> str:
    """The label of a model's parameter, with its unit.

    >>> model_label(ALL["diameter"]), model_label(ALL["kappa"])
    ('Diameter of a core (nm)', 'Fisher κ of extra dipoles')
    """
    return f"{parameter.label} ({parameter.unit})" if parameter.unit else parameter.label


_PHRASES: Final = {
    "angle_from": "Angle in the names, as a regular expression",
    "angles": "Angles (degrees)",
    "baseline": "Baseline",
    "convention": "Convention",
    "definition": "Definition",
    "direct": "Fit of all spectra at once",
    "frequency_GHz": "Frequency (GHz)",
    "g": "g-factor",
    "line": "Line",
    "n_samples": "Samples",
    "near_mT": "Field at the smallest angle (mT)",
    "phase_deg": "Phase (degrees)",
    "seed": "Seed",
    "skip_damaged": "Leave out damaged files",
    "smoothing": "Smoothing",
}

LABELS: Final = {
    **_PHRASES,
    **{name: model_label(parameter) for name, parameter in ALL.items()},
}
"""The label of each field, by the Python name of what it sets."""

LINES: Final = {
    "only": "the only one",
    "strongest": "the strongest at each angle",
    "near": "nearest to a field",
}
"""Ways to select a line of a spectrum."""

_SHOWN: Final = {
    **LABELS,
    "frequency": LABELS["frequency_GHz"],
    **{name: f"{LABELS['line']}: {LINES[name]}" for name in ("strongest", "near")},
}


def field_label(argument: str) -> str:
    """The label of the field that sets an argument, in quotes; other names stay as they are.

    >>> field_label("frequency_GHz"), field_label("near"), field_label("no line")
    ('“Frequency (GHz)”', '“Line: nearest to a field”', 'no line')
    """
    if argument == "none":
        return "an empty field"
    return f"“{_SHOWN[argument]}”" if argument in _SHOWN else argument
