"""Spectra of every kind: read, written and read back; every mistake with its place."""

import base64
import os
import struct
import subprocess
import sys
import time

import numpy as np
import pytest

from diffdip.io import (
    InputError,
    OutputError,
    SpectrumError,
    TableError,
    read_spectra,
    write_spectra,
)
from diffdip.io.angles import angle_in_name
from diffdip.io.spectra_dataset import read_named
from diffdip.spectra.line_selection import each_sweep
from tests.helpers import spectra_files as files
from tests.helpers.raw_data import GONIOMETER, ROTATION, needs_goniometer, needs_rotation


def refusal(path, **options):
    """The error for spectra that cannot be used: one line that starts with the path as given."""
    with pytest.raises(SpectrumError) as caught:
        read_spectra(path, **options)
    error = caught.value
    assert len(str(error).splitlines()) == 1
    assert error.where[0] == (str(path) if str(path).isprintable() else repr(path))
    return error


@pytest.mark.parametrize("kind", files.KINDS)
def test_every_kind_gives_the_same_dataset(tmp_path, kind):
    spectra = read_spectra(files.KINDS[kind](tmp_path))
    assert spectra["signal"].dims == ("angle", "field")
    np.testing.assert_allclose(spectra["angle"], files.ANGLES, rtol=1e-15)
    np.testing.assert_allclose(spectra["field"], files.FIELD, rtol=1e-14)
    np.testing.assert_allclose(spectra["frequency"], files.FREQUENCY, rtol=1e-15)
    digits = 1e-6 if kind == "esp" else 0  # float32
    for angle, row in zip(files.ANGLES, spectra["signal"].values, strict=True):
        np.testing.assert_allclose(row, files.signal(angle), rtol=digits)
    units = {name: spectra[name].attrs["units"] for name in ("angle", "field", "frequency")}
    assert units == {"angle": "degrees", "field": "mT", "frequency": "GHz"}
    assert {"source", "format", "title", "diffdip"} <= spectra.attrs.keys()
    assert all(type(value) in (str, float) for value in spectra.attrs.values())


@pytest.mark.parametrize(
    "options",
    [
        {"order": "LIT"},
        {"letter": "F"},
        {"axis": "IDX"},
        {"parts": "CPLX"},
        {"order": "LIT", "letter": "F", "axis": "IDX"},
    ],
)
def test_bes3t_in_its_varieties(tmp_path, options):
    spectra = read_spectra(files.bes3t(tmp_path, **options))
    np.testing.assert_allclose(spectra["angle"], files.ANGLES)
    np.testing.assert_allclose(spectra["signal"][1], files.signal(30.0), rtol=1e-6)


def test_esp_of_whole_numbers(tmp_path):
    spectra = read_spectra(files.esp(tmp_path, dos=False))
    np.testing.assert_array_equal(spectra["signal"][2], np.round(files.signal(60.0)))


def test_one_spectrum_with_its_angle_in_the_name(tmp_path):
    spectra = read_spectra(files.esp_single(tmp_path))
    assert spectra["angle"].values.tolist() == [30.0]
    np.testing.assert_allclose(spectra["field"], files.FIELD, rtol=1e-14)


def test_curves_as_text(tmp_path):
    path = tmp_path / "sweep.xml"
    path.write_bytes(files.xml(30.0, compression="None"))
    np.testing.assert_array_equal(read_spectra(path)["signal"][0], files.signal(30.0))


@pytest.mark.parametrize("header", ["Field [G]   Intensity [a.u.]", "B_G signal", "  H (G)  y "])
def test_spaces_between_cells(tmp_path, header):
    rows = ["3380.0    -1.5e3", " 3381 2", "3382.0  3", "3383.0\t4"]
    path = write(tmp_path, "film_10deg.txt", header + "\n" + "\n".join(rows) + "\n")
    spectra = read_spectra(path)
    np.testing.assert_allclose(spectra["field"], [338, 338.1, 338.2, 338.3], rtol=1e-14)
    assert spectra["signal"].values.tolist() == [[-1500, 2, 3, 4]]


def test_the_data_file_leads_to_its_descriptor(tmp_path):
    expected = read_spectra(files.bes3t(tmp_path))
    for name in ("rotation.DTA", "rotation.YGF"):
        found = read_spectra(tmp_path / name)
        np.testing.assert_array_equal(found["signal"], expected["signal"])


def test_the_kind_is_found_from_the_content(tmp_path):
    path = files.matrix(tmp_path).rename(tmp_path / "matrix.xml")
    assert read_spectra(path).attrs["format"] == "text"
    path = tmp_path / "sweep.dat"
    path.write_bytes(b"\xef\xbb\xbf" + files.xml(30.0))
    assert read_spectra(path).attrs["format"] == "Magnettech XML"


def test_other_files_of_a_folder_are_left_alone(tmp_path):
    files.magnettech(tmp_path)
    (tmp_path / "LICENSE").write_text("Do as you like.")
    (tmp_path / ".hidden.xml").write_text("<")
    (tmp_path / "notes").mkdir()
    assert read_spectra(tmp_path).sizes["angle"] == 3


def test_angles_ascend_and_fields_too(tmp_path):
    path = tmp_path / "down.csv"
    rows = [f"{a},{b},{a + b}" for a in (90, 0) for b in (344, 343, 342, 341)]
    path.write_text("angle,field_mT,signal\n" + "\n".join(rows) + "\n")
    spectra = read_spectra(path)
    assert spectra["angle"].values.tolist() == [0, 90]
    assert spectra["field"].values.tolist() == [341, 342, 343, 344]
    assert spectra["signal"].values[1].tolist() == [431, 432, 433, 434]
    assert np.isnan(spectra["frequency"]).all()


def ragged(folder):
    path = folder / "ragged.csv"
    rows = [f"{a},{b}.5,{a - b}" for a, n in ((0, 6), (45, 4)) for b in range(300, 300 + n)]
    path.write_text("angle,field_mT,signal\n" + "\n".join(rows) + "\n")
    return path


def test_sweeps_that_differ_keep_their_fields(tmp_path):
    spectra = read_spectra(ragged(tmp_path))
    assert spectra["field"].dims == ("angle", "field")
    [(_, whole), (field, signal)] = each_sweep(spectra)
    assert whole.shape == (6,)
    np.testing.assert_array_equal(field, [300.5, 301.5, 302.5, 303.5])
    np.testing.assert_array_equal(signal, [-255, -256, -257, -258])
    assert spectra["signal"].isel(angle=1)["field"].dims == ("field",)


def test_a_full_turn_reads_as_zero(tmp_path):
    for angle, gon in zip(files.ANGLES, (359.99, 30.0, 60.0), strict=True):
        (tmp_path / f"{angle:g}.xml").write_bytes(files.xml(angle, gon=gon))
    np.testing.assert_allclose(read_spectra(tmp_path)["angle"], [-0.01, 30, 60], atol=1e-12)


@pytest.mark.parametrize("kind", [*files.KINDS, "ragged"])
@pytest.mark.parametrize("ending", [".nc", ".csv"])
def test_written_and_read_back_equal(tmp_path, kind, ending):
    spectra = read_spectra({**files.KINDS, "ragged": ragged}[kind](tmp_path))
    target = tmp_path / f"copy{ending}"
    assert write_spectra(spectra, target) == target
    assert read_spectra(target).identical(spectra)


def test_a_failure_to_write_leaves_what_was_there(tmp_path):
    spectra = read_spectra(files.matrix(tmp_path))
    with pytest.raises(OutputError, match=r"copy\.xlsx"):
        write_spectra(spectra, tmp_path / "copy.xlsx")
    (tmp_path / "folder.nc").mkdir()
    with pytest.raises(OutputError, match=r"folder\.nc"):
        write_spectra(spectra, tmp_path / "folder.nc")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder.nc", "matrix.tsv"]


@needs_goniometer
def test_the_goniometer_sweeps():
    spectra = read_spectra(GONIOMETER)
    assert spectra.sizes["angle"] == 19
    np.testing.assert_allclose(spectra["angle"], np.arange(0, 190, 10), atol=0.011)
    assert spectra["angle"].values[0] == 359.990020751953 - 360
    assert spectra["frequency"].values[0] == 9.49291459168898
    # the first sweep by other means: letters of the file, one double after the other
    text = next(GONIOMETER.glob("*_0dg.xml")).read_text(encoding="utf-8-sig")
    field, signal = (
        [
            struct.unpack("<d", base64.b64decode(part[i : i + 12]))[0]
            for i in range(0, len(part), 12)
        ]
        for part in (block.split("</Curve>")[0] for block in text.split('"Base64">')[1:])
    )
    found_field, found_signal = each_sweep(spectra)[0]
    # the signal's clock: 1 ms from 22 ms on; the field's: 20 ms from 0
    within = int(np.floor((0.02 * (len(field) - 1) - 0.022) / 0.001 + 1e-6)) + 1
    assert len(signal) - 70 < within < len(signal)
    assert found_signal.tolist() == signal[:within]
    assert found_field[-1] != found_field[-2]
    for sample in (0, 5000, 12345):
        tick, part = divmod(0.022 + 0.001 * sample, 0.02)
        low, high = field[int(tick)], field[int(tick) + 1]
        expected = low + part / 0.02 * (high - low)
        assert found_field[sample] == pytest.approx(expected, abs=1e-9)


@needs_rotation
def test_the_rotation_of_an_esp():
    spectra = read_spectra(ROTATION)
    assert spectra.sizes == {"angle": 37, "field": 2048}
    np.testing.assert_allclose(spectra["angle"], np.arange(0, 181, 5))
    data = next(ROTATION.glob("*.spc")).read_bytes()
    for row, column in ((0, 0), (36, 2047), (17, 1000)):
        [value] = struct.unpack_from("<f", data, 4 * (2048 * row + column))
        assert spectra["signal"].values[row, column] == value
    assert spectra["field"].values[[0, -1]].tolist() == pytest.approx([300.0, 370.0], rel=1e-14)
    assert spectra["frequency"].values[0] == 9.399263
    assert spectra.attrs["instrument_JON"] == "Bruker BioSpin GmbH"


@pytest.mark.parametrize(
    ("name", "angle"),
    [
        ("20201216_goniometersweep_F_gon_10dg", 10),
        ("film_-7.5deg", -7.5),
        ("film-30deg", 30),
        ("phi=12,5", 12.5),
        ("090", 90),
        ("-15.0", -15),
        ("film_2", None),
        ("degas2", None),
        ("10degas", None),
    ],
)
def test_the_angle_in_a_name(name, angle):
    found = angle_in_name(name)
    assert (None if found is None else found.degrees) == angle


def test_nothing_heavy_is_imported_before_it_is_needed():
    code = (
        "import sys, diffdip, diffdip.cli, diffdip.io as io; io.read_spectra; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert "diffdip.io.spectra_dataset" in modules
    assert not modules & {
        "xarray",
        "pandas",
        "defusedxml",
        "scipy.signal",
        "scipy.io",
        "matplotlib",
    }


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


LONG = "angle,field_mT,signal\n0,300,1\n0,301,2\n0,302,3\n0,303,4\n"
NONE = InputError("").given
"""Stands for an error without a value."""

BAD_FILES = {
    "empty": ("a.csv", "", (), "empty", NONE),
    "binary": ("a.csv", bytes(range(256)), (), "unknown kind", NONE),
    "header only": ("a.csv", "field_mT,signal\n", ("row 1",), "no rows", NONE),
    "no unit": ("a.csv", LONG.replace("field_mT", "field"), ("row 1",), "column 'field'", NONE),
    "no field": ("a.csv", LONG.replace("field_mT", "x"), ("row 1",), "'angle', 'x'", NONE),
    "no signal": ("a.csv", LONG.replace("signal", "x"), ("row 1",), "without a signal", NONE),
    "no signal in a matrix": ("a.csv", "field_mT,x,z\n3,1,2\n", ("row 1",), "signal", NONE),
    "ambiguous angle": ("a_2p5deg.csv", LONG.replace("angle", "index"), (), "ambiguous", NONE),
    "text": ("a.csv", LONG.replace("2\n", "two\n"), ("row 3",), "column 'signal'", "two"),
    "ragged": ("a.csv", LONG.replace("0,301,2", "0,301"), ("row 3",), "cells", 2),
    "overflow": ("a.csv", LONG.replace("2\n", "1e999\n"), ("sample 2",), "signal", np.inf),
    "wild field": ("a.csv", LONG.replace("302", "1e9"), ("sample 3",), "field (mT)", 1e9),
    "wild angle": ("a.csv", LONG.replace("0,3", "9000,3"), (), "angle", 9000),
    "one field": (
        "a.csv",
        LONG.replace("301", "300").replace("302", "300").replace("303", "300"),
        (),
        "300 mT",
        NONE,
    ),
    "too short": ("a.csv", LONG.replace("0,303,4\n", ""), (), "samples", 3),
    "two frequencies": (
        "a.csv",
        "angle,frequency_GHz,field_mT,signal\n0,9,300,1\n0,9.1,301,2\n0,9,302,3\n0,9,303,3\n",
        ("row 3",),
        "column 'frequency_GHz'",
        "9.1",
    ),
    "wild frequency": ("a.csv", "# frequency = 9.45 Hz\n" + LONG, (), "frequency", 9.45e-9),
    "stated in nonsense": (
        "a.csv",
        "# frequency = 9.45 mT\n" + LONG,
        ("comment '# frequency = 9.45 mT'",),
        "unit",
        "mT",
    ),
    "not well-formed": ("a.xml", "<a>", (), "no element found", NONE),
    "another xml": ("a.xml", "<a/>", (), "Measurement", NONE),
    "no curves": ("a.xml", "<a><Measurement/></a>", (), "BField", NONE),
    "no values": (
        "a.xml",
        '<a><Measurement><Curve YType="BField" XOffset="0" XSlope="1"/></Measurement></a>',
        ("Curve BField",),
        "no values",
        NONE,
    ),
    "no clock": (
        "a.xml",
        '<a><Measurement><Curve YType="BField" XOffset="0">1 2</Curve></Measurement></a>',
        ("Curve BField",),
        "XSlope",
        "",
    ),
    "no value": (
        "a.xml",
        '<a><Measurement><Curve YType="BField">1 two</Curve></Measurement></a>',
        ("Curve BField",),
        "value",
        "two",
    ),
    "cut base64": (
        "a.xml",
        files.xml(30.0).replace(b"=</Curve>", b"</Curve>", 1),
        ("Curve BField",),
        "value 41",
        "AAAAAACgdUA",
    ),
    "no number": (
        "a.xml",
        files.xml(30.0).replace(b"9.45", b"9,45"),
        ("Measurement",),
        "MwFreq",
        "9,45",
    ),
    "cut hdf5": ("a.nc", b"\x89HDF\r\n\x1a\n", (), "damaged", NONE),
    "cut netcdf": ("a.nc", b"CDF\x02\x00", (), "damaged", NONE),
    "empty netcdf": ("a.nc", b"CDF\x01" + bytes(28), (), "angle", NONE),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_a_mistake_is_named_with_its_place(tmp_path, case):
    name, content, where, what, given = BAD_FILES[case]
    path = write(tmp_path, name, content)
    error = refusal(path)
    assert error.where == (str(path), *where)
    assert what in error.what
    assert error.given == given or given is NONE is error.given
    assert given is not NONE or error.expected or error.hint


BAD_DESCRIPTORS = {
    "no data": (files.bes3t, ("rotation.DTA", None), (), "rotation.dta", NONE),
    "cut data": (files.bes3t, ("rotation.DTA", 100), ("rotation.DTA",), "bytes", 100),
    "no axis": (files.bes3t, ("rotation.YGF", None), (), "rotation.ygf", NONE),
    "huge": (files.bes3t, ("XPTS\t81", "XPTS\t4000000000"), (), "XPTS", "4000000000"),
    "huge product": (files.bes3t, ("XPTS\t81", "XPTS\t49000000"), (), "49000000 × 3", NONE),
    "negative": (files.bes3t, ("YPTS\t3", "YPTS\t-3"), (), "YPTS", "-3"),
    "no number": (files.bes3t, ("XMIN\t3300.0", "XMIN\tlow"), (), "XMIN", "low"),
    "no entry": (files.bes3t, ("XMIN\t3300.0", "*"), (), "no entry XMIN", NONE),
    "unit": (files.bes3t, ("'G'", "'s'"), (), "Field", "s"),
    "other axis": (files.bes3t, ("'deg'", "'K'"), (), "Angle", "K"),
    "letters": (files.bes3t, ("IRFMT\tD", "IRFMT\tA"), (), "IRFMT", "A"),
    "byte order": (files.bes3t, ("BSEQ\tBIG", "BSEQ\tOLD"), (), "BSEQ", "OLD"),
    "channels": (files.bes3t, ("REAL", "REAL,REAL"), (), "IKKF", "REAL,REAL"),
    "three axes": (files.bes3t, ("ZTYP\tNODATA", "ZTYP\tIDX\nZPTS\t2"), (), "ZTYP", "IDX"),
    "axis kind": (files.bes3t, ("XTYP\tIDX", "XTYP\tNTUP"), (), "XTYP", "NTUP"),
    "esp cut": (files.esp, ("rotation.spc", 8), ("rotation.spc",), "bytes", 8),
    "esp missing": (files.esp, ("rotation.spc", None), (), "rotation.spc", NONE),
    "esp huge": (files.esp, ("SSX 81", "SSX 40000000"), (), "40000000 × 3", NONE),
    "esp complex": (files.esp, ("JSS 4096", "JSS 4112"), (), "JSS", 4112),
    "esp axis": (files.esp, ("XYUN deg", "XYUN K"), (), "angle", "K"),
    "esp no field": (files.esp, ("XXLB", "XXLC"), (), "no entry HCF", NONE),
}


@pytest.mark.parametrize("case", BAD_DESCRIPTORS)
def test_a_descriptor_that_does_not_fit(tmp_path, case):
    make, (name, change), where, what, given = BAD_DESCRIPTORS[case]
    path = make(tmp_path)
    other = tmp_path / name
    if change is None:
        other.unlink()
    elif isinstance(change, int):
        other.write_bytes(other.read_bytes()[:change])
    else:
        text = path.read_bytes().decode()
        assert name in text
        path.write_bytes(text.replace(name, change, 1).encode())
    error = refusal(path)
    assert error.where == (str(path), *where)
    assert what in error.what
    assert error.given == given or given is NONE is error.given


def test_a_fault_in_a_descriptor_that_was_found_from_its_data(tmp_path):
    path = files.bes3t(tmp_path)
    path.write_text(path.read_text().replace("XPTS\t81", "XPTS\tmany"))
    data = tmp_path / "rotation.DTA"
    assert refusal(data).where == (str(data), "rotation.DSC")


def test_entities_are_refused(tmp_path):
    laughs = "".join(f'<!ENTITY l{i + 1} "{f"&l{i};" * 10}">' for i in range(12))
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{laughs}]><a>&l12;</a>'
    assert "entities" in refusal(write(tmp_path, "a.xml", bomb)).what
    secret = write(tmp_path, "secret", "text")
    outside = f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><a>&x;</a>'
    assert "entities" in refusal(write(tmp_path, "b.xml", outside)).what


HOSTILE = {
    "deep": b"<a>" * 300_000,
    "attributes": b"<a " + b" ".join(b'a%d="1"' % i for i in range(100_000)) + b"/>",
    "blank comment": b"#" + b" " * 1_000_000 + b"\n" + LONG.encode(),
    "blank header": b"field_mT,1" + b" " * 1_000_000 + b"x\n1,2\n",
    "wide header": b"field_mT" + b",1" * 300_000 + b"\n1,2\n",
    "digits": LONG.replace("301", "3" * 1_000_000).encode(),
    "braces": b"# " + b'{"a":' * 100_000 + b"\n" + LONG.encode(),
    "netcdf": b"CDF\x01" + b"\xff" * 4 + b"\x00\x00\x00\x0a" + b"\x7f\xff\xff\xff" * 40,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_costs_little(tmp_path, case):
    """About a million bytes, made to take long: read or refused within seconds of CPU time."""
    path = write(tmp_path, "a_10deg.dat", HOSTILE[case])
    start = time.process_time()
    said = ""
    try:
        assert read_spectra(path).sizes["angle"] == 1
    except SpectrumError as error:
        said = str(error)
    assert len(said) < 500
    assert time.process_time() - start < 5


def test_a_header_that_is_too_wide(tmp_path):
    error = refusal(write(tmp_path, "a_10deg.dat", HOSTILE["wide header"]))
    assert (error.given, error.where[1:]) == (300001, ("row 1",))
    assert "10000" in error.expected


def test_what_is_no_file(tmp_path):
    assert "No such file" in refusal(tmp_path / "none.xml").what
    assert ".xml" in refusal(tmp_path).expected
    assert "embedded null" in refusal("a\0b.xml").what
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert refusal(tmp_path / "pipe").expected


def test_a_folder_of_two_kinds(tmp_path):
    files.magnettech(tmp_path)
    files.esp(tmp_path)
    error = refusal(tmp_path)
    assert error.where == (str(tmp_path),)
    assert "Bruker ESP and Magnettech XML" in error.what


def test_a_file_is_called_what_its_reader_calls_it(tmp_path):
    path = write(tmp_path, "a.csv", LONG.replace("2\n", "two\n"))
    with pytest.raises(SpectrumError) as caught:
        read_named(path, "mine.csv")
    assert caught.value.where == ("mine.csv", "row 3")


@pytest.mark.parametrize("damage", [b"", b"<a", b"\x00\x01\x02", b"<a/>"])
def test_a_damaged_file_is_named_or_skipped(tmp_path, damage):
    files.magnettech(tmp_path)
    path = write(tmp_path, "sweep_30.xml", damage)
    assert refusal(tmp_path).where[:2] == (str(tmp_path), path.name)
    spectra = read_spectra(tmp_path, skip_damaged=True)
    assert spectra["angle"].values.tolist() == [0, 60]
    [skipped] = spectra.attrs["skipped"].splitlines()
    assert skipped.startswith(f"{path.name}: ")
    assert str(tmp_path) not in skipped
    for ending in (".nc", ".csv"):
        assert read_spectra(write_spectra(spectra, tmp_path / f"c{ending}")).identical(spectra)
        (tmp_path / f"c{ending}").unlink()


def test_a_folder_in_which_all_is_damaged(tmp_path):
    write(tmp_path, "a.xml", b"<a/>")
    error = refusal(tmp_path, skip_damaged=True)
    assert error.where == (str(tmp_path),)
    assert "a.xml" in error.what


def test_one_base_for_what_cannot_be_read():
    assert issubclass(SpectrumError, InputError)
    assert issubclass(TableError, InputError)
    assert not issubclass(SpectrumError, TableError)
