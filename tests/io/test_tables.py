"""Tables: every spelling that is accepted, every mistake with its place."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from diffdip.io import (
    InputError,
    TableError,
    column_meanings,
    example_path,
    read_table,
    table_values,
)


PLAIN = "angle_deg,field_mT,frequency_GHz\n0,338.1,9.45\n45,339.2,9.46\n90,340.3,9.47\n"


def write(folder, content, name="sweep.csv"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(path, frequency=None):
    """The error for a table that cannot be used: one line that starts with the path as given."""
    with pytest.raises(TableError) as caught:
        read_table(path, frequency)
    error = caught.value
    assert len(str(error).splitlines()) == 1
    assert error.where[0] == str(path)
    return error


def test_a_table_in_si_units(tmp_path):
    path = write(tmp_path, PLAIN)
    [sample] = read_table(path)
    assert sample.name == "sweep"
    assert sample.source == path
    assert sample.sigma is None
    assert sample.warnings == ()
    np.testing.assert_allclose(sample.angle, [0, np.pi / 4, np.pi / 2], rtol=1e-15)
    np.testing.assert_allclose(sample.field, [0.3381, 0.3392, 0.3403], rtol=1e-15)
    np.testing.assert_allclose(sample.frequency, [9.45e9, 9.46e9, 9.47e9], rtol=1e-15)


def test_comments_are_kept_up_to_a_limit(tmp_path):
    [sample] = read_table(write(tmp_path, '# of film 3\n"# 2020;"\n#\n' + PLAIN + "# at last\n"))
    assert sample.comments == ("of film 3", "2020", "at last")
    many = "".join(f"# {i} {'x' * 2000}\n" for i in range(30))
    [sample] = read_table(write(tmp_path, many + PLAIN))
    *some, last = sample.comments
    assert [comment[:3] for comment in some] == [f"{i} x"[:3] for i in range(20)]
    assert {len(comment) for comment in some} == {1000}
    assert last == "and 10 more comments"


@pytest.mark.parametrize(
    ("header", "cell", "radians"),
    [
        ("angle_deg", "30", np.pi / 6),
        ("Angle (deg)", "30", np.pi / 6),
        ("alpha [°]", "30", np.pi / 6),
        ("α_H / °", "30", np.pi / 6),
        ("angle", "30", np.pi / 6),
        ("Rotation angle [degrees]", "30", np.pi / 6),
        ("angle_rad", "0.5", 0.5),
        ("phi in rad", "0.5", 0.5),
    ],
)
def test_spellings_of_the_angle(tmp_path, header, cell, radians):
    path = write(tmp_path, f"{header};field_mT\n0;300\n{cell};310\n")
    assert read_table(path, 9e9)[0].angle[1] == pytest.approx(radians, rel=1e-14)


@pytest.mark.parametrize(
    ("header", "cell"),
    [
        ("field_mT", "338.5"),
        ("field [T]", "0.3385"),
        ("B_T", "0.3385"),
        ("Hres (G)", "3385"),
        ("H_res/Oe", "3385"),
        ("Magnetic field (kOe)", "3.385"),
        ("kG B", None),
        ("Hres, kG", "3.385"),
        ("µ0H (mT)", "338.5"),
        ("mu0 H_res [µT]", "338500"),
        ("B0 {gauss}", "3.385e3"),
        ("resonance_field_millitesla", "+338.5"),
    ],
)
def test_spellings_of_the_field(tmp_path, header, cell):
    path = write(tmp_path, f"angle\t{header}\n0\t{cell}\n90\t{cell}\n")
    if cell is None:
        assert "'angle', 'kG B'" in refusal(path, 9e9).what
    else:
        assert read_table(path, 9e9)[0].field[1] == pytest.approx(0.3385, rel=1e-14)


@pytest.mark.parametrize(
    ("header", "tesla"),
    [("sigma_mT", 2e-3), ("error (G)", 2e-4), ("Uncertainty", 1e-4 * 2), ("σ [T]", 2.0)],
)
def test_errors_have_their_unit_or_that_of_the_field(tmp_path, header, tesla):
    path = write(tmp_path, f"{header},angle,field_G\n2,0,3385\n2,90,3386\n")
    np.testing.assert_allclose(read_table(path, 9e9)[0].sigma, tesla, rtol=1e-14)


@pytest.mark.parametrize("header", ["frequency_MHz", "nu (MHz)", "ν [MHz]", "MW frequency / MHz"])
def test_spellings_of_the_frequency(tmp_path, header):
    path = write(tmp_path, f"angle,field_G,{header}\n0,3385,9450\n90,3386,9460\n")
    np.testing.assert_allclose(read_table(path)[0].frequency, [9.45e9, 9.46e9], rtol=1e-14)


def test_one_frequency_for_every_row(tmp_path):
    path = write(tmp_path, "angle,field_G\n0,3385\n90,3386\n")
    assert read_table(path, 9.45e9)[0].frequency.tolist() == [9.45e9, 9.45e9]


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_decimal_comma(tmp_path, delimiter):
    text = PLAIN.replace(",", delimiter).replace(".", ",")
    [sample] = read_table(write(tmp_path, text))
    np.testing.assert_allclose(sample.field, [0.3381, 0.3392, 0.3403], rtol=1e-15)


@pytest.mark.parametrize(
    "content",
    [
        ("# note\n" + PLAIN).encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.replace("angle_deg", "alpha [°]").encode("cp1252"),
        PLAIN.replace("0,338.1", '"0","338.1"').encode(),
        PLAIN.replace("\n", ",,\n").encode(),
        ("# made by hand\n\n" + PLAIN.replace("\n45", "\n# pause\n,,\n 45 ")).encode(),
    ],
    ids=["bom", "utf16", "crlf", "cr", "cp1252", "quotes", "empty columns", "comments"],
)
def test_ways_of_writing_the_same_table(tmp_path, content):
    [sample] = read_table(write(tmp_path, content))
    np.testing.assert_allclose(sample.field, [0.3381, 0.3392, 0.3403], rtol=1e-15)
    np.testing.assert_allclose(np.degrees(sample.angle), [0, 45, 90], rtol=1e-14)


def test_samples_keep_their_order_and_their_rows(tmp_path):
    rows = ["II,0,300", "I,0,310", "II,45,301", "I,90,311", "II,90,302"]
    path = write(tmp_path, "sample,angle,field_mT\n" + "\n".join(rows))
    first, second = read_table(path, 9e9)
    assert (first.name, second.name) == ("II", "I")
    np.testing.assert_allclose(first.field, [0.300, 0.301, 0.302])
    np.testing.assert_allclose(second.angle, [0, np.pi / 2])


NONE = InputError("").given
"""Stands for an error without a value."""

BAD = {
    "empty": ("", (), "empty", NONE),
    "comments only": ("# nothing\n\n", (), "empty", NONE),
    "header only": ("angle,field_mT,f_GHz\n", ("row 1",), "no rows", NONE),
    "no angle": (
        "alfa,field_mT,f_GHz\n1,2,3\n",
        ("row 1",),
        "the angle among 'alfa', 'field_mT', 'f_GHz'",
        NONE,
    ),
    "no field": ("angle,f_GHz\n1,3\n", ("row 1",), "the field among 'angle', 'f_GHz'", NONE),
    "spaces": ("angle field_mT\n1 2\n", ("row 1",), "column for the frequency", NONE),
    "no unit": ("angle,field,f_GHz\n1,2,3\n", ("row 1",), "column 'field'", NONE),
    "unknown unit": (
        "angle,field (V/m),f_GHz\n1,2,3\n",
        ("row 1",),
        "column 'field (V/m)'",
        "V/m",
    ),
    "unit of something else": (
        "angle (mT),field_mT,f_GHz\n1,2,3\n",
        ("row 1",),
        "column 'angle (mT)'",
        "mT",
    ),
    "no unit of the frequency": (
        "angle,field_mT,frequency\n1,2,3\n",
        ("row 1",),
        "column 'frequency'",
        NONE,
    ),
    "duplicate": (
        "angle_deg,field_mT,angle_rad,f_GHz\n1,2,3,4\n",
        ("row 1",),
        "columns 'angle_deg' and 'angle_rad'",
        NONE,
    ),
    "no frequency": ("angle,field_mT\n0,338\n90,339\n", ("row 1",), "frequency", NONE),
    "text": (PLAIN.replace("339.2", "high"), ("row 3",), "column 'field_mT'", "high"),
    "line of the file": (
        "# one\n\n" + PLAIN.replace("340.3", "34o.3"),
        ("row 6",),
        "column 'field_mT'",
        "34o.3",
    ),
    "nan": (PLAIN.replace("339.2", "NaN"), ("row 3",), "column 'field_mT'", "NaN"),
    "inf": (PLAIN.replace("9.46", "inf"), ("row 3",), "column 'frequency_GHz'", "inf"),
    "overflow": (PLAIN.replace("339.2", "1e999"), ("row 3",), "column 'field_mT'", "1e999"),
    "denormal": (PLAIN.replace("339.2", "1e-320"), ("row 3",), "column 'field_mT'", "1e-320"),
    "underscore": (PLAIN.replace("339.2", "33_9"), ("row 3",), "column 'field_mT'", "33_9"),
    "missing value": (PLAIN.replace("339.2", ""), ("row 3",), "column 'field_mT'", ""),
    "negative field": (PLAIN.replace("339.2", "-339.2"), ("row 3",), "column 'field_mT'", "-339.2"),
    "zero frequency": (PLAIN.replace("9.46", "0"), ("row 3",), "column 'frequency_GHz'", "0"),
    "negative frequency": (
        PLAIN.replace("9.46", "−9.46"),
        ("row 3",),
        "column 'frequency_GHz'",
        "−9.46",
    ),
    "wild angle": (PLAIN.replace("45,", "4500,"), ("row 3",), "column 'angle_deg'", "4500"),
    "zero sigma": (
        "angle,field_mT,sigma_mT,f_GHz\n0,338,1,9\n90,339,0,9\n",
        ("row 3",),
        "column 'sigma_mT'",
        "0",
    ),
    "negative sigma": (
        "angle,field_mT,sigma_mT,f_GHz\n0,338,1,9\n90,339,-1,9\n",
        ("row 3",),
        "column 'sigma_mT'",
        "-1",
    ),
    "short row": (PLAIN.replace("45,339.2,9.46", "45,339.2"), ("row 3",), "cells", 2),
    "long row": (PLAIN.replace("9.46", "9.46,7"), ("row 3",), "cells", 4),
    "decimal comma": (PLAIN.replace("339.2", "339,2"), ("row 3",), "cells", 4),
    "quoted decimal comma": (
        PLAIN.replace("339.2", '"339,2"'),
        ("row 3",),
        "column 'field_mT'",
        "339,2",
    ),
    "two decimal marks": (
        PLAIN.replace(",", ";").replace("339.2", "339,2"),
        ("row 3",),
        "column 'field_mT'",
        "339,2",
    ),
    "thousands": ("angle;field_G;f_GHz\n0;3,385;9\n", (), "'3,385' may be 3385 or 3.385", NONE),
    "a point after a comma": (
        "angle;field_G;f_GHz\n0;3385,1;9\n1;3385.1;9\n",
        ("row 3",),
        "column 'field_G'",
        "3385.1",
    ),
    "equal angles": (
        PLAIN.replace("45,", "0,").replace("90,", "180,"),
        ("rows 2 to 4",),
        "sample 'sweep' are 0°",
        NONE,
    ),
    "no name": ("sample,angle,field_mT,f_GHz\n,0,338,9\n", ("row 2",), "column 'sample'", ""),
    "odd name": (
        "sample,angle,field_mT,f_GHz\na\x85b,0,338,9\n",
        ("row 2",),
        "column 'sample'",
        "a\x85b",
    ),
    "open quote": (PLAIN.replace("339.2", '"339.2'), ("row 3",), "not a row", NONE),
    "null bytes": (b"angle\x00field", (), "not a text file", NONE),
    "undecodable": (b"angle,field_mT\n\x81\x8d\n", (), "not a text file", NONE),
    "binary": (bytes(range(256)), (), "not a text file", NONE),
    "cut utf-16": (PLAIN.encode("utf-16")[:-1], (), "not a text file", NONE),
}


@pytest.mark.parametrize("case", BAD)
def test_a_mistake_is_named_with_its_place(tmp_path, case):
    content, where, what, given = BAD[case]
    error = refusal(write(tmp_path, content))
    assert error.where[1:] == where
    assert what in error.what
    assert error.given == given or given is NONE is error.given
    assert error.expected or error.hint


def test_units_that_are_accepted_are_listed(tmp_path):
    error = refusal(write(tmp_path, BAD["unknown unit"][0]))
    assert "T, mT, G, Oe, kG, kOe, uT" in error.expected


def test_a_long_value_is_cut(tmp_path):
    error = refusal(write(tmp_path, PLAIN.replace("339.2", "x" * 10000)))
    assert len(str(error)) < 200 + len(str(tmp_path))


def test_frequency_given_twice(tmp_path):
    error = refusal(write(tmp_path, PLAIN), 9.45e9)
    assert error.where[1:] == ("row 1",)
    assert "'frequency_GHz'" in error.what
    assert "{frequency}" in error.expected


@pytest.mark.parametrize("frequency", [0.0, -9.45e9, 9.45, float("-inf"), float("inf")])
def test_a_frequency_out_of_range(tmp_path, frequency):
    path = write(tmp_path, "angle,field_mT\n0,338\n90,339\n")
    assert refusal(path, frequency).given == frequency
    assert np.isnan(refusal(path, float("nan")).given)


def test_what_is_no_file(tmp_path):
    assert "folder" in refusal(tmp_path).what
    assert "No such file" in refusal(tmp_path / "none.csv").what
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert "regular file" in refusal(tmp_path / "pipe").what
    with pytest.raises(TableError, match="embedded null"):
        read_table("a\0b.csv")


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    path = write(tmp_path, PLAIN)

    def refuse(self, *_):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    assert "Permission denied" in refusal(path).what


def test_a_file_that_is_too_large(tmp_path, monkeypatch):
    path = write(tmp_path, PLAIN)
    monkeypatch.setattr(table_values, "MAX_BYTES", len(PLAIN))
    assert len(read_table(path)) == 1
    monkeypatch.setattr(table_values, "MAX_BYTES", len(PLAIN) - 1)
    assert "MB" in refusal(path).what


def test_full_turn_is_read_as_zero(tmp_path):
    path = write(tmp_path, PLAIN.replace("0,338.1", "359.99,338.1"))
    [sample] = read_table(path)
    np.testing.assert_allclose(np.degrees(sample.angle), [-0.01, 45, 90], atol=1e-12)
    [flag] = sample.warnings
    assert flag.code == "angle-read-as-negative"
    assert all(part in flag.message for part in ("359.99°", "row 2", "-0.01°"))


def test_a_sweep_over_the_full_turn_stays(tmp_path):
    rows = "".join(f"{angle},338.{angle}\n" for angle in range(0, 360, 5))
    [sample] = read_table(write(tmp_path, "angle,field_mT\n" + rows), 9e9)
    assert np.degrees(sample.angle).max() == pytest.approx(355)
    assert sample.warnings == ()


def test_a_stalled_line_fit_is_pointed_out(tmp_path):
    rows = "".join(f"{10 * i},{f}\n" for i, f in enumerate([330, 331, 331, 331, 332, 333, 333]))
    [sample] = read_table(write(tmp_path, "angle,field_mT\n" + rows), 9e9)
    [flag] = sample.warnings
    assert flag.code == "repeated-field"
    assert all(part in flag.message for part in ("3 to 5", "331 mT"))


def test_a_goniometer_that_stands_nearly_still_reads_degrees(tmp_path):
    rows = "".join(f"{a},{b},9.45\n" for a, b in ((0, 337), (0.12, 338), (0.05, 339)))
    [sample] = read_table(write(tmp_path, f"angle,field_mT,f_GHz\n{rows}"))
    assert sample.angle[1] == pytest.approx(np.radians(0.12))


@pytest.mark.parametrize("header", ["sigma_%", "error %", "sigma (%)", "Hres error ‰"])
def test_a_relative_error_is_no_field(tmp_path, header):
    text = f"angle,field_mT,{header},f_GHz\n0,338,0.1,9.45\n90,339,0.1,9.45\n"
    with pytest.raises(TableError, match="expected a unit of the sigma"):
        read_table(write(tmp_path, text))


@pytest.mark.parametrize("header", ["-angle_deg,field_mT", "angle_deg,√H (mT)", "phi,- B (G)"])
def test_a_sign_before_a_name_changes_its_meaning(tmp_path, header):
    with pytest.raises(TableError, match="no column for the"):
        read_table(write(tmp_path, f"{header},f_GHz\n0,338,9.45\n90,339,9.45\n"))


@pytest.mark.parametrize("scale", [1 / 360, 1 / 180, np.pi / 180])
def test_turns_without_a_unit_are_no_degrees(tmp_path, scale):
    rows = "".join(f"{scale * a:.4f},{b},9.45\n" for a, b in ((0, 337), (50, 338), (90, 339)))
    with pytest.raises(TableError, match="look like radians or turns"):
        read_table(write(tmp_path, f"angle,field_mT,f_GHz\n{rows}"))
    assert read_table(write(tmp_path, f"angle_deg,field_mT,f_GHz\n{rows}"))


def test_unused_columns_are_pointed_out(tmp_path):
    # whether fields and frequencies fit together depends on the model: the fit tells
    path = write(tmp_path, "angle,field_mT,note\n0,3380,ok\n90,3390,ok\n")
    [unused] = read_table(path, 9.45e9)[0].warnings
    assert unused.code == "unused-column"
    assert "'note'" in unused.message


def test_the_bundled_example():
    [sample] = read_table(example_path())
    assert len(sample.angle) == 19
    assert len(sample.warnings) == 1  # the goniometer's 359.99°


MUTATIONS = [b"\x00", b"\xff", b"nan", b"1e999", b'"', b",", b";", b"\t", b"\n", b"#", b"-", b""]
SEEDS = [
    PLAIN.encode(),
    PLAIN.replace(",", ";").replace(".", ",").encode("utf-8-sig"),
    PLAIN.encode("utf-16"),
    "sample\talpha [°]\tHres (G)\tσ\tν (GHz)\nI\t0\t3385\t1\t9\nI\t9\t3386\t2\t9\n".encode(),
]


@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(
        st.tuples(
            st.integers(0, 80),
            st.integers(0, 6),
            st.sampled_from(MUTATIONS) | st.binary(max_size=4),
        ),
        max_size=4,
    ),
    frequency=st.sampled_from([None, 9.45e9]),
)
def test_any_bytes_give_samples_or_a_table_error(tmp_path_factory, seed, edits, frequency):
    content = seed
    for place, length, new in edits:
        content = content[:place] + new + content[place + length :]
    path = write(tmp_path_factory.getbasetemp(), content, "fuzz.csv")
    try:
        samples = read_table(path, frequency)
    except TableError as error:
        samples, lines = [], str(error).splitlines()
    else:
        lines = ["no error"]
    assert len(lines) == 1
    assert samples or lines != ["no error"]
    for sample in samples:
        count = len(sample.angle)
        assert count > 0
        for values in (sample.angle, sample.field, sample.frequency):
            assert values.shape == (count,)
            assert np.isfinite(values).all()
        assert sample.sigma is None or (sample.sigma > 0).all()


def test_every_name_belongs_to_one_quantity():
    names = [name for group in column_meanings.NAMES.values() for name in group.split()]
    assert len(names) == len(set(names))
