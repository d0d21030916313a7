"""Small valid files of the instruments that write one file for each sweep, with angles in names."""

import json
import struct

import numpy as np

from tests.helpers import spectra_files as files


FIELD, FREQUENCY = files.FIELD, files.FREQUENCY

POINTS = 512
"""Samples of a Magnettech `.spe` file, which has no fewer."""


def spe(angle, *, flags=1, points=POINTS):
    """A sweep of 3300 to 3460 G; flag 1 has a frequency, flag 2 thousandths."""
    field = np.linspace(330.0, 346.0, points)
    values = np.round(np.interp(field, FIELD, files.signal(angle))).astype("<i2")
    numbers = [3380, 0, 160, 0, *[0] * 26]
    trailer = np.array(numbers, "<i2").tobytes() + bytes([flags])
    return values.tobytes() + trailer + int(FREQUENCY * 1e6).to_bytes(3, "big")


def esr(angle):
    """The average and one of its two sweeps, which differ."""
    values = files.signal(angle).tolist()
    head = [
        "SAMPLE NAME\tfilm\t\t",
        "SENSOR SERIAL NO\t1",
        "STARTING SWEEP FIELD (G)\t3300.000000",
        "ENDING SWEEP FIELD (G)\t3460.000000",
        f"NUMBER OF POINTS\t{len(values)}.000000",
        "SWEEP NUMBER\tAVERAGED\tSWEEP 1\tSWEEP 2",
        f"FREQUENCY (MHz)\t{1e3 * FREQUENCY}\t1\t2",
        "FIELD (G)\tINTENSITY\t\t",
    ]
    rows = [f"{10 * b:.6f}\t{s!r}\t{2 * s!r}\t0" for b, s in zip(FIELD, values, strict=True)]
    return "\r\n".join([*head, *rows, ""]).encode()


def adani_text(angle):
    """Decimal commas, a degree sign in Latin-1."""
    head = [
        "======================== Parameters: ========================\t\t",
        "\t\t",
        "     Center field: 338,00 mT\t\t",
        "     Sweep width: 16,00 mT\t\t",
        f" Microwave frequency: {1e3 * FREQUENCY:.2f} MHz\t\t".replace(".", ","),
        "         Temperature: 32,00 °C\t\t",
        "=============================================================\t\t",
    ]
    values = zip(FIELD, files.signal(angle).tolist(), strict=True)
    rows = [f"{i}\t{b:.5f}\t{s!r}".replace(".", ",") for i, (b, s) in enumerate(values)]
    return "\r\n".join([*head, *rows, ""]).encode("latin-1")


def adani_json(angle, *, count=14, phase=0.4):
    """Samples over a period of the modulation: a constant, a wave, and its second harmonic."""
    turn = 2 * np.pi * np.arange(count) / count + phase
    waves = [s * np.sin(turn) * 2 / count + 5 + 3 * np.cos(2 * turn) for s in files.signal(angle)]
    points = [{"Points": w.tolist(), "FrameNumber": i} for i, w in enumerate(waves)]
    common = {"CenterMagneticField": 338.0, "SweepWidth": 16.0, "PointsCount": len(points)}
    return document(common, points, {"Phase": phase})


def adani_parts(angle, phase=0.4):
    """Parts in phase and in quadrature."""
    one = np.array([np.cos(phase), np.sin(phase)])
    other = np.array([-np.sin(phase), np.cos(phase)])
    points = [{"Points": (s * one + 7 * other).tolist()} for s in files.signal(angle)]
    common = {"CenterMagneticField": 338.0, "SweepWidth": 16.0, "PointsCount": len(points)}
    return document(common, points, {"PhaseRadians": phase})


def document(common, points, phase):
    """A JSON document of e-Spinoza."""
    content = {
        "ExperimentOptions": {"CommonOptions": common, "ExperimentType": 0},
        "Values": [{"Values": points}],
        **phase,
        "MwFrequencyKHz": int(1e6 * FREQUENCY),
    }
    return json.dumps(content).encode()


def jeol(angle, *, unit=b"mT", kind=b"complex", process=b"cAcqu", goniometer=b"uD0.000", extra=0):
    """The head with fill bytes, and two channels."""
    values = np.stack([files.signal(angle), np.full(len(FIELD), 9.0)])[: 1 + (kind == b"complex")]
    head = bytearray(b"\xcd" * (0x251C + extra))

    def put(at, content):
        head[at : at + len(content) + 1] = content + b"\x00"

    put(0, process)
    head[0x54:0x60] = struct.pack("<3i", 0, 1, len(FIELD))
    put(0x60, kind)
    head[0x70:0x78] = struct.pack("<2f", 330.0, 16.0)
    put(0x78, unit)
    put(0x18AC, b"tyFA200")
    put(0x1BF4, f"uF{1e3 * FREQUENCY:.3f}".encode())
    put(0x1C04, b"UFMHz")
    put(0x1D26, goniometer)
    return bytes(head) + values.astype("<f4").tobytes()


def ciqtek(angle, *, axis="Field[G]", goniometer="0", lines=None):
    """The field in gauss, with the goniometer on or off."""
    values = zip((10 * FIELD).round(6).tolist(), files.signal(angle).tolist(), strict=True)
    table = [list(pair) for pair in values]
    line = {"ReData": table, "ImData": [[b, 0] for b, _ in table], "freq": FREQUENCY}
    store = {"lineDataList": lines or [line], "xAxisName": axis}
    settings = {
        "frequency": "9.4",
        "lineEdit_Angle_CurrAngle": str(angle),
        "pushButton_Angle_OnOff": goniometer,
    }
    content = {"_dataVersion": "V2.0", "dataStore": store, "setting": settings}
    return json.dumps(content, indent=1).encode()


def jcamp(angle):
    """Pairs, with the field in gauss."""
    values = zip(FIELD, files.signal(angle).tolist(), strict=True)
    return jcamp_file("XYPOINTS", "(XY..XY)", [f"{10 * b:.6f}, {s!r}" for b, s in values])


def jcamp_file(label, form, rows, *, unit="GAUSS", points=81, factor=1):
    """Records around a table from 3300 to 3460."""
    head = [
        "##TITLE= film",
        "##JCAMP-DX= 5.01 $$ test",
        "##DATA TYPE= EMR SPECTRUM",
        f"##XUNITS= {unit}",
        "##YUNITS= ARBITRARY UNITS",
        "##XFACTOR= 1",
        f"##YFACTOR= {factor}",
        "##FIRSTX= 3300",
        "##LASTX= 3460",
        f"##NPOINTS= {points}",
        f"##.MICROWAVE FREQUENCY= {FREQUENCY} GHz",
        f"##{label}= {form}",
    ]
    return "\r\n".join([*head, *rows, "##END=", ""]).encode()


def niehs_text(angle):
    rows = [
        f"{10 * b:.3f}\t{s!r}" for b, s in zip(FIELD, files.signal(angle).tolist(), strict=True)
    ]
    return "\n".join(["[EPR]", "N1: film", "", "[DATA]", *rows, ""]).encode()


def niehs_dat(angle):
    values = files.signal(angle).tolist()
    return "\n".join(["ESRFILE", "160", "3380", f"{len(values)}", *map(repr, values), ""]).encode()


def niehs_binary(angle, *, kind=b"ESR2"):
    values = files.signal(angle).astype("<f4").tobytes()
    numbers = struct.pack("<20f", 160.0, 3380.0, len(FIELD), *[0.0] * 17)
    notes = b"film".ljust(60, b"\x00") + b"9.45GHz".ljust(12, b"\x00") * 19
    return kind + numbers + values + notes + bytes(120) * (kind == b"ESR2")


ONE_FILE_EACH = {
    "active spectrum": (esr, "film_{}deg.ESR"),
    "adani text": (adani_text, "film_{}deg.dat"),
    "adani json": (adani_json, "film_{}deg.json"),
    "adani parts": (adani_parts, "film_{}deg.json"),
    "jeol": (jeol, "film_{}deg"),
    "ciqtek": (ciqtek, "film_{}deg.epr"),
    "jcamp": (jcamp, "film_{}deg.jdx"),
    "niehs text": (niehs_text, "film_{}deg.exp"),
    "niehs dat": (niehs_dat, "film_{}deg.dat"),
    "niehs binary": (niehs_binary, "film_{}deg.lmb"),
    "magnettech spe": (spe, "film_{}deg.spe"),
}
"""The content of a file at an angle, and the file's name."""


def folder_of(kind):
    """What writes a file for each angle into a folder."""
    content, name = ONE_FILE_EACH[kind]

    def write(folder):
        for angle in files.ANGLES:
            (folder / name.format(f"{angle:g}")).write_bytes(content(angle))
        return folder

    return write


def specman(folder, *, field="B0 = 330 mT to 346 mT;p;Field@FLD", angle="deg", streams=2):
    """Field and angle are swept; the second stream is the imaginary part."""
    sweep = [f"sweep0 = X,{len(FIELD)},1,B0", f"sweep1 = Y,{len(files.ANGLES)},1,gonioangle"]
    params = [
        field,
        f"gonioangle = 0 {angle} to 60 {angle};p;Rotor@M",
        f"MWFreq = {FREQUENCY} GHz;",
    ]
    lines = ["[general]", "name = film", "[sweep]", "transient = I,100,1,a,b", *sweep]
    lines += ["sweep2 = P,1,1,RepTime", "[params]", *params, "RepTime = 1 ms;p", "[program]", "x"]
    (folder / "rotation.exp").write_text("\r\n".join([*lines, ""]))
    values = np.stack([files.signal(one) for one in files.ANGLES])  # the field varies fastest
    count = values.size
    head = struct.pack("<2I", streams, 0)
    head += streams * struct.pack("<6i", 2, len(FIELD), len(files.ANGLES), 1, 1, count)
    data = values.tobytes() + np.full(count * (streams - 1), 9.0).tobytes()
    (folder / "rotation.d01").write_bytes(head + data)
    return folder / "rotation.exp"


def netcdf4(folder, **encoding):
    """What xarray writes through h5netcdf."""
    from diffdip.io import read_spectra

    spectra = read_spectra(files.long_table(folder))
    path = folder / "rotation.nc"
    settings = {"signal": {"zlib": True, "shuffle": True, **encoding}}
    spectra.to_netcdf(path, engine="h5netcdf", encoding=settings)
    return path


KINDS = {
    **{kind: folder_of(kind) for kind in ONE_FILE_EACH},
    "specman": specman,
    "netcdf4": netcdf4,
}
"""Each writes files into a folder and returns what to read: that folder, or the file."""
