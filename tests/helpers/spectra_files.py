"""Small valid files of every kind of spectra, for tests of their readers."""

import base64
import struct

import numpy as np


ANGLES = (0.0, 30.0, 60.0)
FIELD = np.linspace(330.0, 346.0, 81)  # mT
FREQUENCY = 9.45


def signal(angle):
    """A Gaussian derivative line that moves by 1 mT over the rotation; multiples of 2⁻¹⁰."""
    x = FIELD - 338 - np.cos(2 * np.radians(angle))
    return np.round(-1000 * x * np.exp(-(x**2) / 2) * 1024) / 1024


def encoded(values):
    """Doubles in base64, each with padding of its own."""
    return "".join(base64.b64encode(struct.pack("<d", value)).decode() for value in values)


def curve(kind, offset, slope, values, compression="Base64"):
    text = encoded(values) if compression == "Base64" else " ".join(map(repr, values.tolist()))
    return (
        f'<Curve YType="{kind}" XOffset="{offset}" XSlope="{slope}" '
        f'Compression="{compression}">{text}</Curve>'
    )


def xml(angle, compression="Base64", gon=None):
    """A sweep in which the field has half as many samples as the signal."""
    field = np.linspace(330.0, 346.0, 41)
    curves = curve("BField", 0, 0.5, field, compression)
    curves += curve("MW_Absorption", 0.0, 0.25, signal(angle), compression)
    return (
        f'<?xml version="1.0"?><ESRXmlFile><Data><Measurement MwFreq="{FREQUENCY}" '
        f'GonAngle="{angle if gon is None else gon}" Device="MS-5000"><Recipe><Parameters>'
        '<Param Name="Modulation" Unit="mT">0.05</Param></Parameters></Recipe>'
        f"<DataCurves>{curves}</DataCurves></Measurement></Data></ESRXmlFile>"
    ).encode()


def magnettech(folder):
    for angle in ANGLES:
        (folder / f"sweep_{angle:g}.xml").write_bytes(xml(angle))
    return folder


def bes3t(folder, *, order="BIG", letter="D", axis="IGD", parts="REAL"):
    """Field in G, equal steps; angles from a .YGF file or as equal steps."""
    endian, code = {"BIG": ">", "LIT": "<"}[order], {"D": "f8", "F": "f4"}[letter]
    entries = {
        "BSEQ": order,
        "IKKF": parts,
        "XTYP": "IDX",
        "YTYP": axis,
        "ZTYP": "NODATA",
        "IRFMT": letter,
        "YFMT": letter,
        "XPTS": len(FIELD),
        "XMIN": 3300.0,
        "XWID": 160.0,
        "YPTS": len(ANGLES),
        "YMIN": ANGLES[0],
        "YWID": ANGLES[-1] - ANGLES[0],
        "XNAM": "'Field'",
        "XUNI": "'G'",
        "YNAM": "'Angle'",
        "YUNI": "'deg'",
        "MWFQ": FREQUENCY * 1e9,
    }
    lines = [f"{name}\t{value}" for name, value in entries.items()]
    text = "\n".join(["#DESC\t1.2 * DESCRIPTOR INFORMATION", "*", *lines, "#SPL\t1.2", "*"])
    (folder / "rotation.DSC").write_text(text + "\n")
    values = np.stack([signal(angle) for angle in ANGLES])
    if parts == "CPLX":
        values = np.stack([values, -values], axis=-1)
    (folder / "rotation.DTA").write_bytes(values.astype(endian + code).tobytes())
    if axis == "IGD":
        (folder / "rotation.YGF").write_bytes(np.array(ANGLES, endian + code).tobytes())
    return folder / "rotation.DSC"


def esp(folder, *, dos=True):
    """WinEPR (float32) or, of whole numbers, ESP (int32)."""
    entries = {
        "JSS": 4096,
        "ANZ": len(FIELD) * len(ANGLES),
        "SSX": len(FIELD),
        "SSY": len(ANGLES),
        "XXLB": 3300.0,
        "XXWI": 160.0,
        "XYLB": ANGLES[0],
        "XYWI": ANGLES[-1] - ANGLES[0],
        "XXUN": "G",
        "XYUN": "deg",
        "JEX": "field-sweep",
        "JEY": "angle-sweep",
        "MF ": FREQUENCY,
    }
    lines = ["DOS  Format"] * dos + [f"{name} {value}" for name, value in entries.items()]
    (folder / "rotation.par").write_bytes("\r".join(lines).encode() + b"\r")
    values = np.stack([signal(angle) for angle in ANGLES])
    data = values.astype("<f4") if dos else np.round(values).astype(">i4")
    (folder / "rotation.spc").write_bytes(data.tobytes())
    return folder / "rotation.par"


def esp_single(folder):
    """One spectrum, whose angle is in the name, with the axis as centre and width."""
    text = f"DOS  Format\rANZ {len(FIELD)}\rJSS 0\rHCF 3380.0\rHSW 160.0\rMF  {FREQUENCY}\r"
    (folder / "film_30deg.par").write_bytes(text.encode())
    (folder / "film_30deg.spc").write_bytes(signal(30.0).astype("<f4").tobytes())
    return folder / "film_30deg.par"


def text_folder(folder):
    """A file for each angle, in G with decimal commas, the angle in a comment or in the name."""
    for angle in ANGLES:
        rows = [f"{10 * b:.6f};{s!r}" for b, s in zip(FIELD, signal(angle).tolist(), strict=True)]
        comment = "# angle = 30 deg\n" if angle == 30 else ""
        name = "second.txt" if angle == 30 else f"film_{angle:g}deg.txt"
        text = "B (G);intensity\n" + "\n".join(rows) + "\n"
        text = f"# frequency: {FREQUENCY} GHz\n{comment}" + text
        (folder / name).write_text(text.replace(".", ",").replace("9,45", "9.45"))
    return folder


def matrix(folder):
    """Angles in the first row, fields in T in the first column."""
    header = "field_T\t" + "\t".join(f"{angle:g} deg" for angle in ANGLES)
    table = np.stack([signal(angle) for angle in ANGLES], axis=1)
    rows = [
        "\t".join([repr(b / 1e3), *map(repr, row)])
        for b, row in zip(FIELD.tolist(), table.tolist(), strict=True)
    ]
    path = folder / "matrix.tsv"
    path.write_text(f"# frequency = {FREQUENCY} GHz\n{header}\n" + "\n".join(rows) + "\n")
    return path


def long_table(folder):
    """A row for each sample."""
    rows = [
        f"{angle},{FREQUENCY},{b!r},{s!r}"
        for angle in ANGLES
        for b, s in zip(FIELD.tolist(), signal(angle).tolist(), strict=True)
    ]
    path = folder / "long.csv"
    path.write_text("angle_deg,frequency_GHz,field_mT,signal\n" + "\n".join(rows) + "\n")
    return path


def netcdf(folder):
    from diffdip.io import read_spectra, write_spectra

    return write_spectra(read_spectra(long_table(folder)), folder / "rotation.nc")


def magnettech_many(folder):
    """Several measurements in one file, with raw curves and settings."""
    part = lambda text: text[text.index("<Measurement") : text.index("</Data>")]
    raw = curve("BField", 0, 0.5, np.arange(41.0)).replace("<Curve", '<Curve Mode="Raw"')
    settings = '<Param Name="BHoldEnabled">False</Param><Param Name="KineticMode">x</Param>'
    parts = [part(xml(angle).decode()) for angle in ANGLES]
    text = "".join(parts).replace("</Parameters>", f"{settings}</Parameters>")
    text = text.replace("</DataCurves>", f"{raw}</DataCurves>")
    path = folder / "rotation.xml"
    path.write_text(f"<ESRXmlFile><Data>{text}</Data></ESRXmlFile>")
    return path


def bes3t_device(folder):
    """A spectrum whose angle is in the layer of a device."""
    text = (
        "* saved by hand\n#DESC\t1.2\nBSEQ\tBIG\nIKKF\tREAL\nXTYP\tIDX\nYTYP\tNODATA\nIRFMT\tD\n"
        f"XPTS\t{len(FIELD)}\nXMIN\t3300\nXWID\t160\nXNAM\t'Field'\nXUNI\t'G'\n#SPL\t1.2\n"
        f"MWFQ    {1e9 * FREQUENCY}\n#DSL\t1.0\n.DVC     goniometer, 1.0\nAngle   30.000 deg\n"
    )
    (folder / "s1.DSC").write_text(text)
    (folder / "s1.DTA").write_bytes(signal(30.0).astype(">f8").tobytes())
    return folder / "s1.DSC"


def esp_defaults(folder):
    """A spectrum without the entries that ESP leaves out."""
    text = f"JSS  2\nJUN G\nJEX field-sweep\nGST  3300\nGSI  160\nGAN  30\nMF  {FREQUENCY}\n"
    (folder / "s1.par").write_text(text)
    shape = np.interp(np.linspace(330, 346, 256), FIELD, signal(30.0))
    (folder / "s1.spc").write_bytes(np.round(shape).astype(">i4").tobytes())
    return folder / "s1.par"


def studio(folder):
    """Lines above the header, a third column that is not used, decimal commas, an up-down sweep."""
    rows = [
        f"{b:.2f};{s:.3f};{i}"
        for i, (b, s) in enumerate(zip([*FIELD, *FIELD[::-1]], [*signal(30.0)] * 2, strict=True))
    ]
    table = "BField [mT];MW_Absorption [];index\n" + "\n".join(rows) + "\n"
    head = f"sep=;\nName;film\nRecipe\nBfrom;330;B from\nFrequency;{FREQUENCY}\n\nMeas\n"
    path = folder / "film_30deg.csv"
    path.write_bytes((head + table.replace(".", ",")).encode() + b"\x1a")
    return path


def xepr_ascii(folder):
    """Columns apart by spaces, with an index and an angle."""
    rows = [
        f"{i:10d}{10 * b:22.6f}{angle:22.3f}{s:22.6f}"
        for angle in ANGLES
        for i, (b, s) in enumerate(zip(FIELD, signal(angle), strict=True), start=1)
    ]
    header = "     index            Field [G]   Sample Angle [deg]         Intensity []"
    path = folder / "rotation.txt"
    path.write_text(header + "\n\n" + "\n".join(rows) + "\n")
    return path


KINDS = {
    "magnettech": magnettech,
    "bes3t": bes3t,
    "esp": esp,
    "text folder": text_folder,
    "matrix": matrix,
    "long table": long_table,
    "netcdf": netcdf,
}
"""Each writes files into a folder and returns what to read: that folder, or the file."""

VARIANTS = {
    "magnettech, several": magnettech_many,
    "bes3t of a device": bes3t_device,
    "esp with defaults": esp_defaults,
    "esrstudio text": studio,
    "xepr text": xepr_ascii,
}
"""Further forms of these kinds, which give other datasets."""


def several_lines(folder):
    """Two lines of which the upper one is the stronger."""
    path = folder / "two.csv"
    one = lambda x, at: -(x - at) * np.exp(-((x - at) ** 2))
    rows = [
        f"{angle},9.45,{x},{one(x, 330) + 2 * one(x, 340)}"
        for angle in (0, 45, 90)
        for x in np.arange(320, 350, 0.1).round(6)
    ]
    path.write_text("angle,frequency_GHz,field_mT,signal\n" + "\n".join(rows) + "\n")
    return path
