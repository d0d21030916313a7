"""Frequencies in names of files, compared with those that the files state."""

import re
from collections.abc import Sequence

from .column_meanings import shown
from .sweep import Sweep


_NAMED = re.compile(
    r"(?<![\d.,p])(?P<whole>\d{1,4})(?:[.,p](?P<decimals>\d{1,6}))?[ _-]?GHz(?![^\W_])",
    re.IGNORECASE | re.ASCII,
)


def check_named(sweeps: Sequence[Sweep]) -> list[str]:
    """A note if the one frequency in a name differs from that in the file by more than rounding."""
    differing = []
    for sweep in sweeps:
        matches = list(_NAMED.finditer(sweep.source.stem[:255]))
        if len(matches) != 1 or not sweep.frequency_ghz > 0:
            continue
        [match] = matches
        decimals = match["decimals"] or ""
        named = float(f"{match['whole']}.{decimals}")
        if abs(named - sweep.frequency_ghz) > 10.0 ** -len(decimals):
            differing.append((sweep, named))
    if not differing:
        return []
    sweep, named = differing[0]
    more = f" ({len(differing)} spectra differ like this)" if len(differing) > 1 else ""
    return [
        f"{shown(sweep.source.name)} states {sweep.frequency_ghz:.6g} GHz, its name {named:g} GHz: "
        f"the frequency in the file is used{more}"
    ]
