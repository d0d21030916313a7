"""What was recognized in a file or folder of spectra, as names and values."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from .spectra_dataset import angles_from, notes_of
from .sweep import Sweep
from .sweep_angles import AngleChoice
from .sweep_files import Found, read_sweeps


INSTRUMENT = ("Device", "INSTRUMENT", "JON", "SWV", "TITL", "Model", "instrument", "Instrument")
"""Entries that may name the instrument."""

MOST_SHOWN = 8

WHATEVER = AngleChoice(needed=False)


def summary_of(path: Path) -> list[tuple[str, str]]:
    """Names and values that describe the spectra in a file or folder.

    Args:
        path: A file or a folder, as for `read_spectra`.

    Returns:
        Pairs such as ("frequency", "9.45 GHz"), in the order in which they are shown.

    Raises:
        SpectrumError: If the spectra cannot be used.
    """
    with np.errstate(all="ignore"):
        found = read_sweeps(path, skip_damaged=path.is_dir(), angles=WHATEVER)
    sweeps = found.sweeps
    rows = [("format", found.kind)]
    named = [str(sweeps[0].instrument[n]) for n in INSTRUMENT if n in sweeps[0].instrument]
    rows += [("instrument", named[0])] if named else []
    rows += [
        ("spectra", str(len(sweeps))),
        ("field", _field(sweeps)),
        ("points", _range([len(sweep.field_mt) for sweep in sweeps])),
        ("frequency", _frequency(sweeps)),
        ("angle", _angles(sweeps)),
    ]
    rows += [("note", note) for note in _notes(found)]
    unused = list(dict.fromkeys(name for sweep in sweeps for name in sweep.ignored))
    if unused:
        more = f" and {len(unused) - MOST_SHOWN} more" if len(unused) > MOST_SHOWN else ""
        rows.append(("not used", ", ".join(unused[:MOST_SHOWN]) + more))
    return rows


def _field(sweeps: Sequence[Sweep]) -> str:
    low = min(float(sweep.field_mt.min()) for sweep in sweeps)
    high = max(float(sweep.field_mt.max()) for sweep in sweeps)
    axis = sweeps[0].axis
    return f"{low:.7g} to {high:.7g} mT" + (f", in the file {axis}" if axis else "")


def _frequency(sweeps: Sequence[Sweep]) -> str:
    known = [f for sweep in sweeps if not np.isnan(f := sweep.frequency_ghz)]
    if not known:
        return "not stated: give --frequency-ghz to analyze or positions"
    lacking = len(sweeps) - len(known)
    return f"{_range(known)} GHz" + (f", not stated in {lacking} spectra" if lacking else "")


def _angles(sweeps: Sequence[Sweep]) -> str:
    known = [sweep.angle_deg for sweep in sweeps if sweep.angle_deg is not None]
    if not known:
        return "not found: give it with --angle-deg"
    return f"{_range(known)}°, from {angles_from(sweeps)}"


def _range(values: Sequence[float] | Sequence[int]) -> str:
    low, high = min(values), max(values)
    return f"{low:.10g}" if low == high else f"{low:.10g} to {high:.10g}"


def _notes(found: Found) -> Iterable[str]:
    yield from notes_of(found)
    for reason in found.skipped:
        yield f"left out {reason}"
