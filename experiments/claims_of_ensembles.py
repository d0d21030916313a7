"""Claims on ensembles of samples: distributions of A and B, and the pairs that dominate."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import dominant_pairs
import figure5
import numpy as np
from claim import Claim, over_rules


LITTLE = 3
"""Medians of |B| that differ by a smaller factor count as depending little on n_NC."""


def distributions(ensembles: figure5.Ensembles) -> list[Claim]:
    """Claims on Fig. 5."""
    rows = {
        (name, row["extra_spacing_nm"], row["n_crystals"]): row
        for name in "AB"
        for row in figure5.statistics(ensembles, name)
    }
    spacings = list(dict.fromkeys(key[0] for key in ensembles))
    sizes = list(dict.fromkeys(key[1] for key in ensembles))

    def rule(spacing: float) -> str:
        return f"extra dipoles {figure5.rule(spacing)}"

    decades, wide = {}, []
    ratios, stable = {}, []
    inside_numbers, inside = {}, []
    for spacing in spacings:
        spans = [rows[name, spacing, n]["decades"] for name in "AB" for n in sizes]
        decades[spacing] = (min(spans), max(spans))
        wide.append(abs(np.mean(spans) - 4) < 0.75)
        medians = [rows["B", spacing, n]["median_mT"] for n in sizes]
        ratios[spacing] = max(medians) / min(medians)
        stable.append(ratios[spacing] < LITTLE)
        places = [rows[k, spacing, n]["percentiles_I_II"] for k in "AB" for n in sizes]
        inside_numbers[spacing] = (min(map(min, places)), max(map(max, places)))
        inside.append(inside_numbers[spacing][0] > 0.5 and inside_numbers[spacing][1] < 99.5)
    pvalues = {
        spacing: min(
            row["p_value"]
            for row in figure5.comparisons(ensembles, "B")
            if row["extra_spacing_nm"] == spacing
        )
        if len(sizes) > 1
        else math.nan
        for spacing in spacings
    }
    print_first = "as printed, extra dipoles lie anywhere"
    return [
        Claim(
            "A and B span about 4 decades",
            "Fig. 5",
            "; ".join(
                f"{rule(s)}: {low:.1f} to {high:.1f} decades" for s, (low, high) in decades.items()
            ),
            over_rules(wide),
            f"from the 1 % to the 99 % quantile of |A| and |B|; {print_first}; two dipoles on one "
            "crystal can then be at any distance, which is not physical",
            {f"decades_{x}_{s:g}_nm": v[i] for s, v in decades.items() for i, x in _ENDS},
        ),
        Claim(
            "the distributions depend little on n_NC",
            "Fig. 5",
            "; ".join(
                f"{rule(s)}: medians of |B| differ by a factor of {r:.1f}, smallest p "
                f"{pvalues[s]:.0e}"
                for s, r in ratios.items()
            ),
            over_rules(stable),
            f"criterion: medians differ by a factor below {LITTLE}; {print_first}; widths then "
            "change little up to 100 crystals and grow beyond, see finite_size; with the bond "
            "length kept, they shrink with n_NC",
            {f"ratio_of_medians_{s:g}_nm": r for s, r in ratios.items()},
        ),
        Claim(
            "samples I and II lie within the calculated ranges for all n_NC",
            "Fig. 5",
            "; ".join(
                f"{rule(s)}: percentiles {low:.1f} to {high:.1f}"
                for s, (low, high) in inside_numbers.items()
            ),
            over_rules(inside),
            f"percentiles of A and B of both samples; {print_first}; with the bond length kept, "
            "A = 191.5 mT lies outside the range",
            {f"percentile_{x}_{s:g}_nm": v[i] for s, v in inside_numbers.items() for i, x in _ENDS},
        ),
        Claim(
            "the A, B of 30 samples are distributed as calculated for n_NC = 100",
            "Fig. 5, insets",
            "numbers are published for 2 of 30 samples",
            "not checkable",
            "the 30 values are not published; diffdip.compare_measured could compare them",
            {},
        ),
    ]


_ENDS = ((0, "least"), (1, "most"))


def pairs(dominant: Mapping[str, dominant_pairs.Counted]) -> list[Claim]:
    heads = (
        "F_dip is dominated by only 2–4 pairs",
        "the dominant pairs are between different crystals",
        "their dipoles are a few Å apart",
        "in most ensembles they involve an extra dipole",
    )
    source = "text after Fig. 5"
    if not dominant:
        why = "the dominant pairs were not computed in this run"
        return [Claim(head, source, "-", "not checkable", why, {}) for head in heads]
    found = {
        key: dominant_pairs.summary(result)
        for key, result in dominant.items()
        if "extra_80" in result  # has crystals
    }

    def row(
        head: str, key: str, judge: Callable[[float], bool], forms: Mapping[str, str], why: str
    ) -> Claim:
        """`forms` holds texts by the names of `summary`; the first one decides the verdict."""
        found_here, values = [], {}
        for case, summary in found.items():
            shown = {name: summary[name]["value"] for name in forms}
            if None not in shown.values():
                parts = (form.format(shown[name]) for name, form in forms.items())
                found_here.append(f"{dominant_pairs.LABELS[case]}: {', '.join(parts)}")
                values[f"{key}_{case}"] = next(iter(shown.values()))
        verdict = over_rules([judge(value) for value in values.values()])
        return Claim(head, source, "; ".join(found_here), verdict, why, values)

    return [
        row(
            heads[0],
            "pairs_80",
            lambda value: value <= 4,
            {
                "pairs that carry 80 % of D, median": "{:.0f} for 80 % of D",
                "pairs that carry 50 % of D, median": "{:.0f} for half of it",
            },
            "medians of the number of strongest pairs; the number for 80 % of D decides",
        ),
        row(
            heads[1],
            "share_between_crystals",
            lambda value: value > 0.5,
            {
                "ensembles whose strongest pair is between different crystals": "the strongest "
                "pair in {:.0%} of the samples"
            },
            "as printed, the closest pairs are an extra dipole and a neighbour on its own "
            "crystal, closer than any two atoms" + _only_between(found.get("between_crystals")),
        ),
        row(
            heads[2],
            "distance_nm",
            lambda value: 0.1 < value < 0.6,
            {"distance of the strongest pair (nm), median": "{:.2f} nm"},
            "median of the distance between the dipoles of the strongest pair",
        ),
        row(
            heads[3],
            "share_with_extra",
            lambda value: value > 0.5,
            {"ensembles whose strongest pair involves an extra dipole": "in {:.0%} of the samples"},
            "share of the samples whose strongest pair involves an extra dipole",
        ),
    ]


def _only_between(summary: Mapping[str, Mapping[str, Any]] | None) -> str:
    """The results for the other claims if pairs on one crystal are left out of the sum."""
    if summary is None:
        return ""
    value = lambda name: summary[name]["value"]
    return (
        "; if pairs on one crystal are left out of the sum, "
        f"{value('pairs that carry 50 % of D, median'):.0f} pairs make up half of D and "
        f"{value('pairs that carry 80 % of D, median'):.0f} pairs 80 %; the dipoles of the "
        "strongest pair are "
        f"{value('distance of the strongest pair (nm), median'):.2f} nm apart, and in "
        f"{value('ensembles whose strongest pair involves an extra dipole'):.0%} of the samples "
        "one of them is extra"
    )
