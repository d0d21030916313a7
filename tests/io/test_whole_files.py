"""Marks at the begin and end of text files, sweeps that were stopped, heads of other sweeps."""

import numpy as np
import pytest

from diffdip.io import read_spectra
from tests.helpers import instrument_files as made, instrument_variants as files, spectra_files
from tests.helpers.instrument_variants import FIELD, line
from tests.helpers.reading import notes, refusal


TEXTS = ("active spectrum", "adani text", "jcamp", "niehs text", "niehs dat")


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("how", ["mark", "Ctrl-Z", "a block of Ctrl-Z", "both"])
def test_marks_of_other_systems(tmp_path, kind, how):
    content, name = made.ONE_FILE_EACH[kind]
    plain = content(30.0)
    start = b"\xef\xbb\xbf" if how in ("mark", "both") else b""
    end = {"mark": b"", "a block of Ctrl-Z": b"\x1a" * 100 + b"\r\n"}.get(how, b"\x1a")
    path = tmp_path / name.format(30)
    path.write_bytes(plain)
    expected = read_spectra(path)
    path.write_bytes(start + plain + end)
    found = read_spectra(path)
    assert found.attrs["format"] == expected.attrs["format"]
    np.testing.assert_array_equal(found["signal"], expected["signal"])


@pytest.mark.parametrize("maker", ["bes3t", "esp"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_the_sign_of_degrees_in_a_descriptor(tmp_path, maker, encoding):
    path = getattr(spectra_files, maker)(tmp_path)
    text = path.read_bytes().decode().replace("'deg'", "'°'").replace("XYUN deg", "XYUN °")
    path.write_bytes(text.encode(encoding))
    np.testing.assert_allclose(read_spectra(path)["angle"], spectra_files.ANGLES)


@pytest.mark.parametrize("last", ["60 °", "60 deg", "1.0471975512 rad", "1047.1975512 mrad"])
def test_units_of_a_specman_angle(tmp_path, last):
    unit = last.split()[1]
    path = made.specman(tmp_path, angle=unit)
    path.write_text(path.read_text().replace(f"60 {unit}", last), encoding="utf-8")
    np.testing.assert_allclose(read_spectra(path)["angle"], spectra_files.ANGLES, atol=1e-7)


def test_a_comment_before_jcamp(tmp_path):
    path = tmp_path / "film_30deg.jdx"
    path.write_bytes(b"$$ saved by hand\r\n\r\n" + made.jcamp(30.0))
    assert read_spectra(path).attrs["format"] == "JCAMP-DX"


@pytest.mark.parametrize("part", [0.3, 0.7, 0.85])
@pytest.mark.parametrize("kind", ["folder", "folder down", "long table"])
def test_a_stopped_sweep_is_left_out(tmp_path, kind, part):
    count = round(part * len(FIELD))
    field = FIELD[::-1] if kind == "folder down" else FIELD
    texts = []
    for angle in (0, 30, 60):
        kept = slice(count if angle == 60 else None)
        pairs = zip(field[kept], line(field=field)[kept], strict=True)
        texts.append([f"{b:.4f},{s:.3f}" for b, s in pairs])
    if kind == "long table":
        rows = [f"{a},{row}" for a, one in zip((0, 30, 60), texts, strict=True) for row in one]
        (tmp_path / "a.csv").write_text("\n".join(["angle_deg,field_mT,signal", *rows]))
    else:
        for angle, rows in zip((0, 30, 60), texts, strict=True):
            path = tmp_path / f"film_{angle}deg.csv"
            path.write_text("\n".join(["field_mT,signal", *rows]))
    spectra = read_spectra(tmp_path / "a.csv" if kind == "long table" else tmp_path)
    assert spectra["angle"].values.tolist() == [0, 30]
    assert f"has {count} of {len(FIELD)} samples" in notes(spectra)
    assert "was stopped and is left out" in notes(spectra)


@pytest.mark.parametrize(("narrow", "range"), [(60, slice(5, 30)), (30, slice(25))])
def test_a_sweep_over_another_range_is_kept(tmp_path, narrow, range):
    """Only the last sweep can have been stopped."""
    for angle in (0, 30, 60):
        part = range if angle == narrow else slice(None)
        rows = [f"{b},{s}" for b, s in zip(FIELD[part], line()[part], strict=True)]
        path = tmp_path / f"film_{angle}deg.csv"
        path.write_text("\n".join(["field_mT,signal", *rows]))
    assert read_spectra(tmp_path)["angle"].values.tolist() == [0, 30, 60]


@pytest.mark.parametrize("left", [1, 15, 30])
def test_a_last_row_that_ends_in_zeros(tmp_path, left):
    rows = np.array([line(at) for at in (337.0, 338.0, 339.0)]) + 1
    rows[-1, left:] = 0
    path = files.bes3t(tmp_path / "rotation.DSC", rows)
    spectra = read_spectra(path)
    assert spectra["angle"].values.tolist() == [0, 30]
    assert "2 of 3 angles are measured" in notes(spectra)


def test_rows_that_all_end_in_a_constant_are_whole(tmp_path):
    rows = np.array([line(at) for at in (337.0, 338.0, 339.0)])
    rows[:, 30:] = 0  # an instrument of few digits
    assert read_spectra(files.bes3t(tmp_path / "rotation.DSC", rows)).sizes["angle"] == 3


@pytest.mark.parametrize(
    ("kind", "old", "new", "message"),
    [
        ("adani json", b'"ExperimentType": 0', b'"ExperimentType": 2', "ExperimentType"),
        ("adani json", b'"PointsCount": 81', b'"PointsCount": 162', "PointsCount declares"),
        ("adani parts", b'"PointsCount": 81', b'"PointsCount": 80', "PointsCount declares"),
        ("active spectrum", b"STARTING SWEEP FIELD (G)\t3300", b"STARTING SWEEP FIELD (G)\t3000",
         "STARTING SWEEP FIELD"),
        ("active spectrum", b"ENDING SWEEP FIELD (G)\t3460", b"ENDING SWEEP FIELD (G)\t3500",
         "ENDING SWEEP FIELD"),
    ],
)  # fmt: skip
def test_heads_of_another_sweep(tmp_path, kind, old, new, message):
    content, name = made.ONE_FILE_EACH[kind]
    assert old in content(30.0)
    path = tmp_path / name.format(30)
    path.write_bytes(content(30.0).replace(old, new))
    assert message in refusal(path)


def test_a_descriptor_of_comments_alone(tmp_path):
    path = files.esp(tmp_path / "film_0deg.par")
    path.write_text("* operator, laboratory")
    assert "no entries, such as GST or HCF" in refusal(path)


@pytest.mark.parametrize("content", [b"", b"hello\nthere\n", b"[1]"])
@pytest.mark.parametrize(
    ("ending", "name"),
    [("xml", "Magnettech"), ("ESR", "Active Spectrum"), ("epr", "CIQTEK"), ("json", "Adani"),
     ("jdx", "JCAMP-DX"), ("lmb", "NIEHS"), ("nc", "NetCDF"), ("DTA", "Bruker"),
     ("d01", "SpecMan")],
)  # fmt: skip
def test_a_message_about_an_instrument_file_speaks_of_no_columns(tmp_path, ending, name, content):
    path = tmp_path / f"film_30deg.{ending}"
    path.write_bytes(content)
    assert f"not recognized as {name}" in refusal(path)


@pytest.mark.parametrize("ending", ["zip", "xlsx", "csv"])
def test_a_zip_says_what_to_do(tmp_path, ending):
    path = tmp_path / f"film_30deg.{ending}"
    path.write_bytes(b"PK\x03\x04" + bytes(60))
    assert "Unpack a zip into a folder; save a table as CSV" in refusal(path)
