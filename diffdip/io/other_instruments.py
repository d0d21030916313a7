"""Readers of instruments that write one file for each sweep, by signature or by ending."""

from collections.abc import Callable
from pathlib import Path

from .active_spectrum import is_active_spectrum, read_active_spectrum
from .adani import is_adani_json, is_adani_text, read_adani_json, read_adani_text
from .ciqtek import is_ciqtek, read_ciqtek
from .jcamp import is_jcamp, read_jcamp
from .jeol import is_jeol, read_jeol
from .magnettech_spe import read_magnettech_spe
from .niehs import (
    is_niehs_binary,
    is_niehs_dat,
    is_niehs_text,
    is_two_columns,
    read_niehs_binary,
    read_niehs_dat,
    read_niehs_text,
)
from .specman import is_specman, read_specman
from .sweep import Sweep


Reader = Callable[[Path], list[Sweep]]

SPECMAN = "SpecMan"

BY_SIGNATURE: dict[Callable[[bytes], bool], tuple[str, Reader]] = {
    is_active_spectrum: ("Active Spectrum", read_active_spectrum),
    is_adani_text: ("Adani text", read_adani_text),
    is_adani_json: ("Adani JSON", read_adani_json),
    is_ciqtek: ("CIQTEK", read_ciqtek),
    is_specman: (SPECMAN, read_specman),
    is_niehs_text: ("NIEHS text", read_niehs_text),
    is_niehs_dat: ("NIEHS interchange", read_niehs_dat),
    is_niehs_binary: ("NIEHS binary", read_niehs_binary),
    is_jcamp: ("JCAMP-DX", read_jcamp),
    is_jeol: ("JEOL", read_jeol),
}
"""Name and reader of each kind, by the test of a file's first bytes."""

BY_ENDING: dict[str, tuple[Callable[[bytes], bool], str, Reader]] = {
    ".spe": (lambda _: True, "Magnettech SPE", read_magnettech_spe),
    ".exp": (is_two_columns, "NIEHS text", read_niehs_text),
}
"""A test of the first bytes, name and reader of the kinds without a signature, by the ending."""
