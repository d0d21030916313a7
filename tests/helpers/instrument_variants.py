"""Variants of instrument files: what real programs write beside the plain form."""

import numpy as np

from tests.helpers import spectra_files as files


FIELD = np.linspace(330.0, 346.0, 41)  # mT


def line(at=338.0, field=FIELD):
    x = field - at
    return -1000 * x * np.exp(-(x**2) / 2)


def curve(kind, values, **attributes):
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    return (
        f'<Curve YType="{kind}" XOffset="0" XSlope="0.5"{written} Compression="Base64">'
        f"{files.encoded(values)}</Curve>"
    )


def measurement(curves=None, recipe="", gon=None, **attributes):
    """An element Measurement; `recipe` is the inside of the element Recipe, with its tags."""
    if gon is not None:
        attributes["GonAngle"] = gon
    written = "".join(f' {name}="{value}"' for name, value in attributes.items())
    if curves is None:
        curves = [curve("BField", FIELD), curve("MW_Absorption", line())]
    inside = "".join(curves)
    return f"<Measurement{written}>{recipe}<DataCurves>{inside}</DataCurves></Measurement>"


def magnettech(path, *measurements):
    path.write_text(f"<ESRXmlFile><Data>{''.join(measurements)}</Data></ESRXmlFile>")
    return path


def bes3t(path, rows=None, head="", extra="", **entries):
    """A .DSC with its .DTA; `rows` of signals make a second axis of angles."""
    data = np.array([line()] if rows is None else rows)
    stated = {
        "BSEQ": "BIG",
        "IKKF": "REAL",
        "XTYP": "IDX",
        "YTYP": "NODATA" if rows is None else "IDX",
        "ZTYP": "NODATA",
        "IRFMT": "D",
        "XPTS": len(FIELD),
        "XMIN": 3300.0,
        "XWID": 160.0,
        "XNAM": "'Field'",
        "XUNI": "'G'",
        "YPTS": len(data),
        "YMIN": 0.0,
        "YWID": 30.0 * (len(data) - 1),
        "YNAM": "'Angle'",
        "YUNI": "'deg'",
        "MWFQ": 9.45e9,
        **entries,
    }
    lines = [f"{name}\t{value}" for name, value in stated.items() if value is not None]
    path.write_text(head + "\n".join(["#DESC\t1.2", *lines, "#SPL\t1.2", extra, ""]))
    path.with_suffix(".DTA").write_bytes(data.astype(">f8").tobytes())
    return path


def esp(path, points=256, dos=False, **entries):
    """A .par with a .spc of as many points; entries that are None are left out."""
    stated = {"JSS": 2, "GST": 3300.0, "GSI": 160.0, "MF": 9.45, **entries}
    lines = [f"{name}  {value}" for name, value in stated.items() if value is not None]
    path.write_text("\n".join(["DOS  Format"] * dos + [*lines, ""]))
    signal = line(field=np.linspace(330.0, 346.0, points))
    data = signal.astype("<f4") if dos else np.round(signal).astype(">i4")
    path.with_suffix(".spc").write_bytes(data.tobytes())
    return path


def table(path, header="field_mT,signal", at=338.0, above="", mark=",", end=""):
    rows = [f"{b:.2f}{mark}{s:.3f}" for b, s in zip(FIELD.tolist(), line(at).tolist(), strict=True)]
    path.write_bytes((above + header + "\n" + "\n".join(rows) + "\n" + end).encode())
    return path
