"""Sweeps of Magnettech spectrometers (ESRStudio) in XML files.

Field and signal are recorded at different times. The field is interpolated to the time of each
sample of the signal, and samples at times without a field are left out.
"""

import base64
import re
from pathlib import Path
from typing import Any

import numpy as np

from .column_meanings import shown, unit_scale
from .input_files import inside
from .sweep import BOM, SpectrumError, Sweep, read_bytes


MAX_BYTES = 20_000_000
"""Larger files are refused: a sweep has a few hundred thousand characters."""

EXPECTED = "a file of Magnettech ESRStudio"

LETTERS = 12
"""Characters of base64 for eight bytes."""


def is_magnettech(head: bytes) -> bool:
    """Whether a file that starts with these bytes is XML."""
    return head.removeprefix(BOM).lstrip().startswith(b"<")


def read_magnettech(path: Path) -> list[Sweep]:
    """Read one XML file: a sweep for each of its measurements.

    Entities and document types are refused: no spectrometer writes them, and they can be attacks.
    Raises `SpectrumError` with the element that is wrong.
    """
    measurements = _root(path).findall(".//Measurement")
    if not measurements:
        raise SpectrumError("no element Measurement", expected=EXPECTED)
    if len(measurements) == 1:
        return [_sweep(measurements[0], path)]
    sweeps = []
    for number, measurement in enumerate(measurements, start=1):
        with inside(f"measurement {number}"):
            sweeps.append(_sweep(measurement, path))
    return sweeps


def _sweep(measurement: Any, path: Path) -> Sweep:
    """The sweep of an element Measurement. Raises `SpectrumError`."""
    _check_field_sweep(measurement)
    curves = list(measurement.iter("Curve"))
    field_curve = _chosen(curves, "BField")
    unit = field_curve.get("YUnit") or "mT"
    per_unit = 1e3 * unit_scale("Curve BField", "field", unit)
    with inside("Curve BField"):
        field_time, field = curve_values(field_curve)
    signal_curve = _chosen(curves, "MW_Absorption")
    with inside("Curve MW_Absorption"):
        time, signal = curve_values(signal_curve)
    # the signal is recorded for some time after the last field
    known = (time >= field_time[0]) & (time <= field_time[-1])
    others = [curve for curve in curves if curve not in (field_curve, signal_curve)]
    return Sweep(
        _attribute(measurement, "GonAngle", None),
        _attribute(measurement, "MwFreq", np.nan),
        np.interp(time[known], field_time, per_unit * field),
        signal[known],
        path,
        _instrument(measurement),
        angle_from="GonAngle",
        axis=f"BField [{unit}]",
        label=measurement.get("Name") or "",
        ignored=tuple(f"curve {_called(curve)}" for curve in others),
    )


def _check_field_sweep(measurement: Any) -> None:
    """Raise `SpectrumError` for a measurement over time, or over anything but the field."""
    hint = "Such a measurement has no resonance field: leave it out"
    source = measurement.get("XDatasource")
    if source and source.casefold() != "bfield":
        raise SpectrumError("XDatasource", given=source, expected="BField", hint=hint)
    recipe = measurement.find("./Recipe")
    if recipe is None:
        return
    settings = {
        parameter.get("Name"): (parameter.text or "").strip().casefold()
        for parameter in recipe.findall("./Parameters/Param")
    }
    if settings.get("BHoldEnabled") in ("true", "1", "yes"):
        raise SpectrumError(
            "BHoldEnabled",
            given="True",
            expected="a sweep of the field, not a time sweep",
            hint=hint,
        )
    kind = (recipe.get("Type") or "").casefold()
    mode = settings.get("KineticMode", "")
    if kind in ("kinetic", "transient", "timesweep", "time") and mode != "fieldsweep":
        given = f"{kind}, {mode}" if mode else kind
        raise SpectrumError(
            "type of the recipe",
            given=given,
            expected="a sweep of the field, not a time sweep",
            hint=hint,
        )


def _chosen(curves: list[Any], name: str) -> Any:
    """The curve with a YType: the processed one, if the raw one is there too.

    Raises `SpectrumError` without such a curve, or for several that do not differ in kind.
    """
    named = [curve for curve in curves if curve.get("YType") == name]
    processed = [curve for curve in named if (curve.get("Mode") or "").casefold() != "raw"]
    first = [curve for curve in processed if "1st harm" in (curve.get("Name") or "")]
    for found in (processed, first):
        if len(found) == 1:
            return found[0]
    if not named:
        found = ", ".join(shown(str(curve.get("YType"))) for curve in curves[:8]) or "none"
        raise SpectrumError(
            f"no Curve with YType {name} (found: {found})", expected="a sweep of the field"
        )
    if not processed:
        [*others, last] = named
        # counts of a converter have no unit
        if not others and (name != "BField" or last.get("YUnit")):
            return last
        raise SpectrumError(
            f"{len(named)} Curve {name}, all of Mode Raw",
            expected="one in mT",
            hint="Export the processed curves",
        )
    told = ", ".join(map(_called, processed[:4]))
    raise SpectrumError(
        f"{len(processed)} curves with YType {name} ({told})",
        expected="one",
        hint="Export one of them",
    )


def _called(curve: Any) -> str:
    """A curve as an error or a note calls it."""
    name = curve.get("Name") or curve.get("YType") or "without a name"
    mode = curve.get("Mode")
    return shown(f"{name} ({mode})" if mode else str(name))


def curve_values(curve: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and values of an element Curve: text, or doubles in base64, each padded by itself.

    Raises `SpectrumError` for anything else.

    >>> from xml.etree.ElementTree import fromstring
    >>> curve_values(fromstring('<Curve XOffset="0.5" XSlope="1">1 -2</Curve>'))
    (array([0.5, 1.5]), array([ 1., -2.]))
    """
    text = curve.text or ""
    if (curve.get("Compression") or "").casefold() == "base64":
        values = _doubles("".join(text.split()))
    else:
        values = np.array([_number(word) for word in re.split(r"[\s;,]+", text.strip()) if word])
    offset, slope = (_float(curve.get(name), name) for name in ("XOffset", "XSlope"))
    if not len(values):
        raise SpectrumError("no values", hint="Export the sweep again")
    if not slope > 0:
        raise SpectrumError("XSlope", given=slope, expected="a time above 0 s between samples")
    return offset + slope * np.arange(len(values)), values


def _root(path: Path) -> Any:
    """The root element of an XML file. Raises `SpectrumError`."""
    from xml.etree.ElementTree import ParseError

    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        return fromstring(read_bytes(path, MAX_BYTES), forbid_dtd=True)
    except DefusedXmlException:
        raise SpectrumError(
            "a document type or entities, which may be an attack", expected=EXPECTED
        ) from None
    except SpectrumError:
        raise
    except (ParseError, ValueError, LookupError) as error:  # also for an unknown encoding
        raise SpectrumError(f"not well-formed XML ({error})", expected=EXPECTED) from None


def _doubles(letters: str) -> np.ndarray:
    """Doubles in base64. Each has twelve characters, and the last is =.

    Raises `SpectrumError`.
    """
    good = re.match(r"(?:[A-Za-z0-9+/]{11}=)*", letters)
    end = good.end() if good else 0
    if end < len(letters):
        raise SpectrumError(
            f"value {end // LETTERS + 1}",
            given=letters[end : end + LETTERS],
            expected="a double in base64, of twelve characters",
        )
    # "A" (six zero bits) for "=" makes nine bytes of each double; the first eight count
    nine = np.frombuffer(base64.b64decode(letters.replace("=", "A")), np.uint8).reshape(-1, 9)
    return np.ascontiguousarray(nine[:, :8]).view("<f8").ravel()


def _attribute(element: Any, name: str, missing: Any) -> Any:
    """An attribute as a number, `missing` without it. Raises `SpectrumError`."""
    text = element.get(name)
    if text is None or text.strip().casefold() in ("", "nan"):
        return missing
    with inside("Measurement"):
        return _float(text, name)


def _number(word: str) -> float:
    """A number, which may be NaN. Raises `SpectrumError`."""
    try:
        return float(word)
    except ValueError:
        raise SpectrumError("value", given=word, expected="a number") from None


def _float(text: str | None, name: str) -> float:
    """A finite number. Raises `SpectrumError`."""
    try:
        value = float(text or "")
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise SpectrumError(name, given=text or "", expected="a finite number")
    return value


def _instrument(measurement: Any) -> dict[str, str | float]:
    """What the file says about the device and its settings."""
    found = {name: measurement.get(name) for name in ("Device", "SWV") if measurement.get(name)}
    for parameter in measurement.findall("./Recipe/Parameters/Param"):
        name, unit, text = parameter.get("Name"), parameter.get("Unit"), parameter.text
        if name and text:
            found[f"{name} ({unit})" if unit else name] = text.strip()
    return found
