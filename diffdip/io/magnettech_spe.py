"""Sweeps of older Magnettech spectrometers (MS-100 to MS-400, MT-500): binary files `.spe`.

A file has 512, 1024, 2048 or 4096 samples (int16, little-endian) and then 64 bytes: numbers as a
whole part and a fraction (int16 each), and in the last four bytes flags and the frequency. There
are three dialects: fractions in hundredths; in thousandths (flag 2); and either of them with the
frequency in kHz (flag 1). The files have no signature: they are recognized by ending and size.

The layout is that of EasySpin's `eprload`; its sample files and readings are the test.
"""

import struct
from pathlib import Path

import numpy as np

from .sweep import SpectrumError, Sweep, read_bytes


POINTS = (512, 1024, 2048, 4096)
TRAILER = 64

WITH_FREQUENCY, THOUSANDTHS, WITH_TEMPERATURE = 1, 2, 4
"""Bits of the flags."""

NAMES = {
    3: ("MWAttenuation (dB)", 1.0),
    4: ("SweepTime (s)", 1.0),
    7: ("Number", 1.0),
    9: ("TimeConstant (s)", 1.0),
    12: ("Samples", 1.0),
    2: ("Modulation (mT)", 1e-4),
}
"""Numbers of the trailer on the instrument, by their place, and their units as shown."""


def read_magnettech_spe(path: Path) -> list[Sweep]:
    """Read one `.spe` file: one sweep, without an angle. Raises `SpectrumError`."""
    sizes = [2 * n + TRAILER for n in POINTS]
    data = read_bytes(path, 10 * max(sizes))
    if len(data) not in sizes:
        raise SpectrumError(
            "number of bytes",
            given=len(data),
            expected=f"one of {', '.join(map(str, sizes))}, as Magnettech .spe files have",
        )
    signal = np.frombuffer(data[:-TRAILER], "<i2").astype(float)
    trailer = data[-TRAILER:]
    flags = trailer[60]
    parts = np.frombuffer(trailer[:60], "<i2").astype(float)
    values = parts[0::2] + parts[1::2] / (1000 if flags & THOUSANDTHS else 100)
    centre, width = 0.1 * values[0], 0.1 * values[1]  # the file has gauss
    if not width > 0:
        raise SpectrumError("width of the sweep (mT)", given=float(width), expected="above 0")
    frequency = np.nan
    if flags & WITH_FREQUENCY:
        frequency = int.from_bytes(trailer[61:64], "big") / 1e6 or np.nan  # 0: not measured
    instrument: dict[str, str | float] = {"Device": "Magnettech, file .spe"}
    instrument |= {name: float(scale * values[i]) for i, (name, scale) in NAMES.items()}
    if flags & WITH_TEMPERATURE:
        instrument["Temperature (°C)"] = float(struct.unpack_from("<i", trailer, 52)[0])
    field = centre + width * np.linspace(-0.5, 0.5, len(signal))
    return [Sweep(None, frequency, field, signal, path, instrument)]
