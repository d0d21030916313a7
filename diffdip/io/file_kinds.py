"""Kinds of files with spectra, found from their first bytes, and the reader of each kind."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..foundation.errors import InputError
from .bes3t import is_bes3t, read_bes3t
from .esp import is_esp, read_esp
from .input_files import first_bytes
from .magnettech import is_magnettech, read_magnettech
from .netcdf_spectra import is_netcdf, read_netcdf
from .other_instruments import BY_ENDING, BY_SIGNATURE, Reader
from .specman import is_specman
from .sweep import SpectrumError, Sweep
from .text_spectra import read_text_sweeps


Attributes = dict[str, str | float]

HEAD = 4096
"""Bytes from which the kind of a file is found."""

LONGEST_ATTRIBUTES = 1_000_000
"""Bytes of a first line that are searched for attributes."""


ENDINGS = {
    ".xml": "Magnettech ESRStudio",
    ".esr": "Active Spectrum",
    ".json": "Adani e-Spinoza",
    ".epr": "CIQTEK",
    **dict.fromkeys((".jdx", ".dx", ".jcamp"), "JCAMP-DX"),
    **dict.fromkeys((".lmb", ".sim", ".exp"), "NIEHS or SpecMan"),
    **dict.fromkeys((".nc", ".h5", ".hdf5"), "NetCDF"),
    **dict.fromkeys((".dta", ".spc"), "Bruker"),
    ".d01": "SpecMan",
}
"""Programs by the ending of their files, for messages."""


@dataclass(frozen=True)
class Kind:
    """A kind of file: its name, and what reads its sweeps and the attributes of a dataset."""

    name: str
    read: Callable[[Path], tuple[list[Sweep], Attributes | None]]


def _text(path: Path) -> tuple[list[Sweep], Attributes | None]:
    """A table. The name of another program's file that is no table says what it should be."""
    try:
        return read_text_sweeps(path), _attributes(path)
    except InputError:
        name = ENDINGS.get(path.suffix.casefold())
        if name is None:
            raise
        raise SpectrumError(
            f"not recognized as {name}",
            expected=f"a file of {name}",
            hint="Copy or export it again",
        ) from None


def _one_file(name: str, read: Reader) -> Kind:
    """A kind of files without the attributes of a dataset."""
    return Kind(name, lambda path: (read(path), None))


# lambdas and functions, so that each reader is looked up when it is called
MAGNETTECH = Kind("Magnettech XML", lambda path: (read_magnettech(path), None))
BES3T = Kind("Bruker BES3T", lambda path: (read_bes3t(path), None))
ESP = Kind("Bruker ESP", lambda path: (read_esp(path), None))
NETCDF = Kind("NetCDF", read_netcdf)
TEXT = Kind("text", _text)

RECOGNISED: dict[Callable[[bytes], bool], Kind] = {
    is_netcdf: NETCDF,
    is_bes3t: BES3T,
    is_magnettech: MAGNETTECH,
    is_esp: ESP,
    **{test: _one_file(*pair) for test, pair in BY_SIGNATURE.items()},
}

WITHOUT_SIGNATURE = {
    ending: (test, _one_file(name, read)) for ending, (test, name, read) in BY_ENDING.items()
}
"""Kinds that only the ending tells, after all others, with a test of the first bytes."""

BRUKER = {".dsc": BES3T, ".par": ESP}
"""Kinds by the ending of their descriptor. Such a file is no table, whatever it begins with."""

DESCRIPTORS = {**BRUKER, ".exp": RECOGNISED[is_specman]}
"""Kinds whose descriptor lies beside files of binary data, by its ending."""


def kind_of(path: Path) -> Kind | None:
    """The kind of a file; None for a binary file of an unknown kind. Raises `SpectrumError`."""
    head = _head(path)
    for recognises, kind in RECOGNISED.items():
        if recognises(head):
            return kind
    ending = path.suffix.casefold()
    test, kind = WITHOUT_SIGNATURE.get(ending, (None, None))
    if test is not None and test(head):
        return kind
    if ending in BRUKER:  # a descriptor with a head that is not known
        return BRUKER[ending]
    text = head.startswith((b"\xff\xfe", b"\xfe\xff")) or not re.search(rb"[\x00-\x08]", head)
    return TEXT if text else None


def _head(path: Path) -> bytes:
    return first_bytes(path, HEAD, SpectrumError, "a file of spectra")


def _attributes(path: Path) -> Attributes | None:
    """The attributes of a dataset that `write_spectra` put into the first line of a CSV file."""
    if not _head(path).startswith(b"# {"):
        return None
    with path.open("rb") as stream:
        line = stream.readline(LONGEST_ATTRIBUTES)
    try:
        found = json.loads(line[2:])
    except (ValueError, RecursionError):
        return None
    return {k: v for k, v in found.items() if type(v) in (str, float, int)}
