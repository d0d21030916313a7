"""A doubt about a result, as data: a code for programs and a sentence for people."""

from dataclasses import dataclass
from typing import Final


CODES: Final = {
    "angle-read-as-negative": "An angle just below 360° was read as a small negative one.",
    "at-bound": "A fitted parameter lies at its bound.",
    "broad-line": "A line is so broad that it reaches zero field.",
    "chains-disagree": "The chains of a posterior do not agree.",
    "copies": "Measurements are exact copies of others, which makes the errors too small.",
    "definitions-differ": "A, B or C depends on the definition of a line position.",
    "degenerate": "Two or more parameters cannot be separated by the data.",
    "direct-fit-differs": "The fit of positions and the fit of all spectra disagree.",
    "divergences": "The sampler of a posterior had divergent transitions.",
    "explains-nothing": "No values of the free parameters explain the measured samples.",
    "few-degrees-of-freedom": "The standard errors come from very few points.",
    "few-effective-samples": "The draws of a posterior are too few for its quantiles.",
    "file-skipped": "A file could not be read and was left out.",
    "g-or-A": "A and g cannot be separated: a fitted A may be an error of g.",
    "implausible-g": "Fields and frequency give an implausible g-factor, or frequencies are more "
    "than 500 times apart.",
    "line-jump": "The line moves far between neighbouring angles.",
    "many-outliers": "Many points lie far from a fit.",
    "misfit": "The residuals are larger than expected from the errors, which were not scaled.",
    "missing-samples": "Some samples of an ensemble are not computed yet.",
    "no-degrees-of-freedom": "There are as many points as free parameters.",
    "no-resonance": "The model has no resonance at a measured angle.",
    "not-converged": "The search stopped before it reached a minimum.",
    "not-gaussian": "An interval of a posterior differs from that of the least-squares fit.",
    "open-interval": "An interval has no end on one side.",
    "open-phase": "The phase of the anisotropy is not determined.",
    "outlier": "A point lies far from the fit.",
    "pulling-points": "A single point moves a parameter by more than its error.",
    "reading-note": "Something about how the files were read that must be known: which of several "
    "sources, curves or sweeps was used.",
    "repeated-field": "Neighbouring rows have the same field.",
    "scaled-errors": "The residuals are larger than the errors given, so all errors of the result "
    "were scaled up.",
    "scattered-line": "Samples scatter more on a line than beside it.",
    "setting-unused": "A setting was not used, because the files state the value.",
    "several-minima": "Another minimum is about as good, or is not excluded.",
    "short-arc": "The angles cover too little of a rotation.",
    "sigma-too-large": "The residuals are much smaller than the given errors.",
    "sloping-ground": "The ground under a line shifts its zero crossing.",
    "structured-residuals": "The residuals do not look like noise.",
    "undetermined": "The data do not determine a parameter.",
    "unplaced-samples": "Some samples of an ensemble could not be placed.",
    "unused-column": "A column of a table is not used.",
}
"""Every code with its meaning."""


@dataclass(frozen=True)
class Flag:
    """A doubt about a result, or a note on how its input was read.

    Args:
        code: One of `CODES`. Programs and tests look at this.
        message: One sentence for a person, which may change between versions.

    Raises:
        ValueError: For a code that is not in `CODES`, a mistake in the program.

    >>> print(Flag("at-bound", "g is at its upper bound, 2.1, so its error is meaningless."))
    g is at its upper bound, 2.1, so its error is meaningless.
    """

    code: str
    message: str

    def __post_init__(self):
        if self.code not in CODES:
            raise ValueError(f"unknown code {self.code!r}")

    def __str__(self) -> str:
        return self.message

    def document(self) -> dict[str, str]:
        """Code and message as a dictionary, for JSON.

        >>> Flag("outlier", "One point is far off.").document()
        {'code': 'outlier', 'message': 'One point is far off.'}
        """
        return {"code": self.code, "message": self.message}
