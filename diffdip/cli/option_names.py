"""What the arguments of the library are called on the command line."""

from typing import Final

from ..ensembles.model_parameters import ALL


_SAME: Final = (
    "angle_column",
    "angle_deg",
    "angle_from",
    "angles",
    "baseline",
    "convention",
    "definition",
    "direct",
    "element",
    "field_column",
    "frequency_column",
    "frequency_GHz",
    "g",
    "impurity",
    "loss",
    "measured",
    "method",
    "near",
    "phase_deg",
    "plane",
    "repair",
    "seed",
    "sigma_column",
    "skip_damaged",
    "smoothing",
    "step",
    "steps",
    "strongest",
)

OPTIONS: Final = {
    **{name: f"--{name.lower().replace('_', '-')}" for name in _SAME},
    **{name: f"--{parameter.option}" for name, parameter in ALL.items()},
    "edges": "--aspect",
    "frequency": "--frequency-ghz",
    "line": "--strongest",
    "n_samples": "--samples",
    "batch_size": "--batch",
    "near_mT": "--near",
    "offset": "--free-offset",
    "parameters": "--parameter",
    "share": "--impurity",
    "statistics": "--statistic",
    "term": "--term",
    "width": "--width",
    "parts": "--width-part",
    "spread": "--width-part",
}
"""The option of each argument and each choice, by its Python name."""


def option_name(argument: str) -> str:
    """The option that sets an argument; names of anything else stay as they are.

    >>> option_name("near_mT"), option_name("n_crystals"), option_name("no line")
    ('--near', '--crystals', 'no line')
    """
    return OPTIONS.get(argument, argument)
