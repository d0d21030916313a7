"""The bundled example table, from the raw sweeps of a Magnettech goniometer.

Each XML file holds one sweep of the field at one angle: the derivative of one narrow
absorption line. Its resonance field is the zero crossing of the recorded signal between
the line's two extrema: that of a straight line fitted by least squares to the samples that lie
between them and within a quarter of the smaller extremum. No baseline is taken off. Field and
signal have clocks of their own; the field is interpolated to the time of each sample.

The fields are written as measured, each with the microwave frequency of its file: the
frequency drifts by 1.1 MHz over the sweep, 0.04 mT beside the 0.13 mT by which the line moves.

    python experiments/goniometer_table.py FOLDER [--out FILE]
"""

import argparse
import base64
import binascii
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


try:  # the standard parser expands entities; the hardened one comes with the test extra
    from defusedxml.ElementTree import parse
except ImportError:  # pragma: no cover
    from xml.etree.ElementTree import parse


CENTRE = 0.25
"""Part of the smaller extremum within which the straight line is fitted."""

COMMENTS = """\
# Resonance fields of one narrow line at X-band: a Magnettech MS-5000 goniometer sweep, 19 angles.
# Derived values: zero crossings of the derivative lines, by experiments/goniometer_table.py.
# Source: https://github.com/tillbiskup/cwepr, tests/io/testdata/magnettech-goniometer at commit
# 707eb609, BSD 2-clause, copyright 2018- Till Biskup, 2018/19 Pascal Kirchner,
# 2020- Mirjam Schröder.
"""


class Sweep(NamedTuple):
    """One sweep: the goniometer's angle in degrees, frequency in GHz, field in mT and signal."""

    angle_deg: float
    frequency_ghz: float
    field_mt: np.ndarray
    signal: np.ndarray


def read_sweep(path: Path) -> Sweep:
    """Read a Magnettech XML file. `ValueError` names the file and what is missing in it."""
    root: Any = parse(path).getroot()
    measurement = root.find(".//Measurement")
    if measurement is None:
        raise ValueError(f"{path}: no Measurement element; expected a Magnettech ESRStudio file")
    curves = {curve.get("YType"): curve for curve in measurement.iter("Curve")}
    try:
        field_time, field = curve_values(curves["BField"])
        time, signal = curve_values(curves["MW_Absorption"])
        angle, frequency = float(measurement.get("GonAngle")), float(measurement.get("MwFreq"))
    except (AttributeError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise ValueError(f"{path}: not a goniometer sweep: {error!r}") from error
    return Sweep(angle, frequency, np.interp(time, field_time, field), signal)


def curve_values(curve: Any) -> tuple[np.ndarray, np.ndarray]:
    """Times (s) and values of a curve: doubles, each of them in base64 with padding of its own."""
    text = "".join(curve.text.split())
    width = 12  # letters of base64 for eight bytes
    raw = b"".join(base64.b64decode(text[i : i + width]) for i in range(0, len(text), width))
    values = np.frombuffer(raw, dtype="<f8")
    time = float(curve.get("XOffset")) + float(curve.get("XSlope")) * np.arange(len(values))
    return time, values


def zero_crossing(field: np.ndarray, signal: np.ndarray) -> float:
    """Where a derivative line passes through zero between its extrema, in the unit of `field`.

    >>> import numpy as np
    >>> x = np.linspace(-4.0, 5.0, 2001)
    >>> round(zero_crossing(x, -(x - 0.3) * np.exp(-((x - 0.3) ** 2) / 2)) + 0.0, 6)
    0.3
    """
    first, last = sorted((int(np.argmax(signal)), int(np.argmin(signal))))
    inner = slice(first, last + 1)
    limit = CENTRE * min(signal.max(), -signal.min())
    central = np.abs(signal[inner]) < limit
    slope, offset = np.polyfit(field[inner][central], signal[inner][central], 1)
    return float(-offset / slope)


def table(folder: Path) -> str:
    """The table of all XML files in a folder, in the order of their names (that of recording)."""
    paths = sorted(folder.glob("*.xml"))
    if not paths:
        raise ValueError(f"{folder}: no .xml files")
    rows = ["angle_deg,field_mT,frequency_GHz"]
    for sweep in map(read_sweep, paths):
        field = zero_crossing(sweep.field_mt, sweep.signal)
        rows.append(f"{sweep.angle_deg:.2f},{field:.5f},{sweep.frequency_ghz:.7f}")
    return COMMENTS + "\n".join(rows) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Write the example table from a folder of Magnettech goniometer sweeps.",
        epilog="Resonance field: zero crossing of the derivative line between its extrema.",
    )
    parser.add_argument("folder", type=Path, help="folder with one XML file for each angle")
    default = Path(__file__).parent.parent / "diffdip" / "data" / "goniometer.csv"
    parser.add_argument(
        "--out", type=Path, default=default, help="the table (default: %(default)s)"
    )
    arguments = parser.parse_args()
    try:
        arguments.out.write_text(table(arguments.folder), encoding="utf-8")
    except (OSError, ValueError) as error:
        parser.exit(2, f"goniometer_table: {error}\n")
    print(f"wrote {arguments.out}")


if __name__ == "__main__":
    main()
