"""What `diffdip fit` prints."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import console, print_doubt, print_line, print_paths, print_table


if TYPE_CHECKING:
    from ..fitting.suggestion import Suggestion


def print_fits(documents: list[dict[str, Any]], written: list[Path]) -> None:
    """Print the parameters of fits, the doubts and notes on them, and the files written."""
    from ..report.parameter_text import (
        chi2_text,
        heading,
        interval_text,
        noise_note,
        part_heading,
        rms_text,
        value_text,
    )

    shown = console()
    convention = documents[0]["convention"]
    heads = ("sample", "parameter", "value ± error", "68 % interval", "rms", "chi2/dof")
    sections: list[list[list[str]]] = []
    for document in documents:
        sections.append([])
        for i, (name, entry) in enumerate(document["parameters"].items()):
            first = [document["sample"], rms_text(document)]
            first += [chi2_text(document)]
            sample, *misfit = first if i == 0 else [""] * 3
            row = [sample, heading(name), value_text(entry), interval_text(entry), *misfit]
            sections[-1].append(row)
    print_table(
        shown,
        "Anisotropy fields" + ("" if convention == "none" else f", {convention} convention"),
        heads,
        sections,
        names=2,
        dropped=("rms", "chi2/dof", "68 % interval"),
    )
    widths = [document for document in documents if "line_widths" in document]
    if widths:
        sections = [
            [
                [document["sample"] if i == 0 else "", part_heading(name), value_text(entry)]
                for i, (name, entry) in enumerate(document["line_widths"]["parts"].items())
            ]
            for document in widths
        ]
        heads = ("sample", "part", "value ± error")
        print_table(shown, "Line widths (FWHM)", heads, sections, names=2)
    for document in documents:
        for flag in [
            *document["flags"],
            *document["warnings"],
            *document.get("line_widths", {"flags": []})["flags"],
        ]:
            print_doubt(shown, f"{document['sample']}: {flag['message']}")
        if note := noise_note(document):
            print_line(shown, f"{document['sample']}: {note}")
    print_paths(shown, written)


def print_suggestions(
    label: str, suggestions: Sequence["Suggestion"], *, in_frequency: bool
) -> None:
    """Print which terms a sample asks for, the best first.

    `in_frequency` says that all residuals are those of measured frequencies.
    """
    from ..foundation.units import larmor_value
    from ..report.parameter_text import number

    shown = console()
    best = suggestions[0]
    unit, of = (larmor_value(1e6, 2.0), "MHz") if in_frequency else (1e-3, "mT")
    rows = [
        [
            " + ".join(one.terms),
            str(one.parameters),
            f"{one.bic - best.bic:.1f}",
            number(one.rms / unit),
            first_sentence(one.left) or "-",
        ]
        for one in suggestions
    ]
    heads = (*("terms", "parameters", "BIC − best"), f"rms ({of})", "what the residuals show")
    print_table(
        shown, f"{label}: sums of terms, the best first", heads, [rows], names=1, dropped=heads[4:]
    )
    options = " ".join(f"--term {term}" for term in best.terms)
    print_line(shown, f"Fit the first with {options}")
    if "thin-film" in best.terms and "two-fold" in best.terms and len(best.terms) == 2:
        print_line(shown, "In the plane this is the same model as A, B, C: A = 2 µ0M_eff/3.")


def suggestions_document(
    labels: Sequence[str], suggested: Sequence[Sequence["Suggestion"]]
) -> dict[str, Any]:
    """The suggestions for each sample, the best first, for JSON."""
    from ..io.writing import made_by

    return {
        **made_by({"command": "fit --suggest"}),
        "samples": [
            {
                "sample": label,
                "suggestions": [
                    {
                        "terms": list(one.terms),
                        "parameters": one.parameters,
                        "bic": one.bic,
                        "rms_mT": 1e3 * one.rms,
                        "residuals": one.left,
                    }
                    for one in suggestions
                ],
            }
            for label, suggestions in zip(labels, suggested, strict=True)
        ],
    }


def first_sentence(text: str) -> str:
    """The first sentence, without its full stop; numbers and names may have points.

    >>> first_sentence("Series a.b: They vary by 1.5 mT. They are not noise.")
    'Series a.b: They vary by 1.5 mT'
    """
    return re.split(r"\.(?: +(?=[A-Z])|$)", text, maxsplit=1)[0]
