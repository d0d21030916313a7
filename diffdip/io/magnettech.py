"""Sweeps of Magnettech spectrometers (ESRStudio), one XML file each.

Field and signal have clocks of their own; the field is interpolated to the time of each sample, and
samples at times when it was not recorded are left out.
"""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np

from .columns import shown
from .sweep import SpectrumError, Sweep, read_bytes


MAX_BYTES = 20_000_000
"""Larger files are refused: a sweep has some hundred thousand letters."""

LETTERS = 12
"""Letters of base64 for eight bytes."""


def is_magnettech(head: bytes) -> bool:
    """Whether a file that begins with these bytes is XML."""
    return head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")


def read_magnettech(path: Path) -> Sweep:
    """Read one XML file. Entities and document types are refused, as no spectrometer writes them.

    Raises `SpectrumError`, which names the file and what is wrong in it.
    """
    measurement = _root(path).find(".//Measurement")
    if measurement is None:
        raise SpectrumError(f"{path}: no Measurement element; expected a Magnettech ESRStudio file")
    curves = {curve.get("YType"): curve for curve in measurement.iter("Curve")}
    field_time, field = _curve(path, curves, "BField")
    time, signal = _curve(path, curves, "MW_Absorption")
    # the signal is recorded some time longer, at a field that is not
    known = (time >= field_time[0]) & (time <= field_time[-1])
    return Sweep(
        _attribute(path, measurement, "GonAngle", None),
        _attribute(path, measurement, "MwFreq", np.nan),
        np.interp(time[known], field_time, field),
        signal[known],
        path,
        _instrument(measurement),
    )


def curve_values(curve: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and values of a Curve element: text, or doubles in base64, each padded by itself.

    Raises `ValueError` for what is neither.

    >>> from xml.etree.ElementTree import fromstring
    >>> curve_values(fromstring('<Curve XOffset="0.5" XSlope="1">1 -2</Curve>'))
    (array([0.5, 1.5]), array([ 1., -2.]))
    """
    text = curve.text or ""
    if (curve.get("Compression") or "").casefold() == "base64":
        values = _doubles("".join(text.split()))
    else:
        values = np.array([float(word) for word in re.split(r"[\s;,]+", text.strip()) if word])
    offset, slope = (_float(curve.get(name), name) for name in ("XOffset", "XSlope"))
    if not len(values) or not slope > 0:
        raise ValueError(f"{len(values)} values at steps of {slope:g} s")
    return offset + slope * np.arange(len(values)), values


def _root(path: Path) -> Any:
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(read_bytes(path, MAX_BYTES), forbid_dtd=True)
    except DefusedXmlException:
        raise SpectrumError(
            f"{path}: defines a document type or entities, which is refused; "
            "expected a Magnettech ESRStudio file"
        ) from None
    except (ParseError, ValueError, LookupError) as error:  # also of an unknown encoding
        raise SpectrumError(f"{path}: not well-formed XML: {error}") from None


def _curve(path: Path, curves: dict[str | None, Any], name: str) -> tuple[np.ndarray, np.ndarray]:
    if name not in curves:
        found = ", ".join(shown(str(key)) for key in list(curves)[:8]) or "none"
        raise SpectrumError(
            f"{path}: not a sweep: no Curve with YType {name}; those there are: {found}"
        )
    try:
        return curve_values(curves[name])
    except ValueError as error:
        raise SpectrumError(f"{path}: Curve {name}: {error}") from None


def _doubles(letters: str) -> np.ndarray:
    """Doubles in base64, each of twelve letters of which the last is =. Raises `ValueError`."""
    good = re.match(r"(?:[A-Za-z0-9+/]{11}=)*", letters)
    end = good.end() if good else 0
    if end < len(letters):
        chunk = letters[end : end + LETTERS]
        raise ValueError(f"{shown(chunk)} is not a double in base64, twelve letters")
    # with a letter without bits in place of =, nine bytes each, of which eight count
    nine = np.frombuffer(base64.b64decode(letters.replace("=", "A")), np.uint8).reshape(-1, 9)
    return np.ascontiguousarray(nine[:, :8]).view("<f8").ravel()


def _attribute(path: Path, element: Any, name: str, missing: Any) -> Any:
    text = element.get(name)
    if text is None:
        return missing
    try:
        return _float(text, name)
    except ValueError as error:
        raise SpectrumError(f"{path}: Measurement: {error}") from None


def _float(text: str | None, name: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise ValueError(f"{name} = {shown(text or '')}: expected a finite number")
    return value


def _instrument(measurement: Any) -> dict[str, str | float]:
    found = {name: measurement.get(name) for name in ("Device", "SWV") if measurement.get(name)}
    for parameter in measurement.findall("./Recipe/Parameters/Param"):
        name, unit, text = parameter.get("Name"), parameter.get("Unit"), parameter.text
        if name and text:
            found[f"{name} ({unit})" if unit else name] = text.strip()
    return found
