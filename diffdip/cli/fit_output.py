"""What `diffdip fit` prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .output import console, print_line, print_paths, print_table


if TYPE_CHECKING:
    from ..fitting.suggestion import Suggestion


def print_fits(documents: list[dict[str, Any]], written: list[Path]) -> None:
    """Print the parameters of fits, the doubts about them, and the files written."""
    from ..report.parameter_text import (
        heading,
        interval_text,
        number,
        part_heading,
        value_text,
    )

    shown = console()
    convention = documents[0]["convention"]
    heads = ("sample", "parameter", "value ± error", "68 % interval", "rms (mT)", "chi2/dof")
    sections: list[list[list[str]]] = []
    for document in documents:
        sections.append([])
        for i, (name, entry) in enumerate(document["parameters"].items()):
            first = [document["sample"], number(document["rms_mT"])]
            first += [number(document["reduced_chi2"])]
            sample, *misfit = first if i == 0 else [""] * 3
            row = [sample, heading(name), value_text(entry), interval_text(entry), *misfit]
            sections[-1].append(row)
    print_table(
        shown,
        "Anisotropy fields" + ("" if convention == "none" else f", {convention} convention"),
        heads,
        sections,
        names=2,
        dropped=("rms (mT)", "chi2/dof", "68 % interval"),
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
            print_line(shown, f"{document['sample']}: {flag['message']}")
    print_paths(shown, written)


def print_suggestions(label: str, suggestions: Sequence["Suggestion"]) -> None:
    """Print which terms a sample asks for, the best first."""
    from ..report.parameter_text import number

    shown = console()
    best = suggestions[0]
    rows = [
        [
            " + ".join(one.terms),
            str(one.parameters),
            f"{one.bic - best.bic:.1f}",
            number(1e3 * one.rms),
            one.left.split(", with")[0].split(":")[0] or "-",
        ]
        for one in suggestions
    ]
    heads = ("terms", "parameters", "BIC − best", "rms (mT)", "what the residuals show")
    print_table(
        shown, f"{label}: sums of terms, the best first", heads, [rows], names=1, dropped=heads[4:]
    )
    options = " ".join(f"--term {term}" for term in best.terms)
    print_line(shown, f"Fit the first with {options}")
    if "thin-film" in best.terms and "two-fold" in best.terms and len(best.terms) == 2:
        print_line(shown, "In the plane this is the same model as A, B, C: A = 2 µ0M_eff/3.")
