"""Two sources of one thing in a file: compared, and refused or said; never silently one of them."""

import struct

import numpy as np
import pytest

from diffdip.io import read_spectra
from tests.helpers import instrument_files as made, instrument_variants as files, spectra_files
from tests.helpers.instrument_variants import FIELD, line
from tests.helpers.reading import notes, refusal


ANGLES = (0, 30, 60)


def written(path, header, cells, at=338.0, above=""):
    pairs = zip(np.round(FIELD, 3).tolist(), np.round(line(at), 3).tolist(), strict=True)
    rows = [",".join(map(str, cells(i, *pair))) for i, pair in enumerate(pairs)]
    path.write_text("\n".join([*([above] if above else []), header, *rows, ""]))
    return path


@pytest.mark.parametrize(
    "name", ["Hall probe (mT)", "B_set [mT]", "gaussmeter_G", "Bmeas/T", "set point (kOe)"]
)
def test_another_field_is_compared(tmp_path, name):
    units = {"gaussmeter_G": 10, "Bmeas/T": 1e-3, "set point (kOe)": 0.01}
    scale = units.get(name, 1)
    for offset, told in ((0.0, ""), (3.0, "differs by up to 3 mT")):
        path = written(tmp_path / "film_30deg.csv", f"field_mT,{name},signal",
                       lambda i, b, s, o=offset: (b, scale * (b + o), s))  # fmt: skip
        spectra = read_spectra(path)
        np.testing.assert_allclose(spectra["field"], FIELD)
        assert told in notes(spectra)
        assert ("differs" in notes(spectra)) == bool(told)


@pytest.mark.parametrize("names", [
    "absorption,dI/dB", "signal,dchi/dH", "amplitude,derivative", "intensity,dP/dB",
])  # fmt: skip
def test_two_signals_are_a_choice(tmp_path, names):
    path = written(tmp_path / "film_30deg.csv", f"field_mT,{names}", lambda i, b, s: (b, s, -s))
    assert "expected one column for the signal" in refusal(path)


@pytest.mark.parametrize("header", ["field_mT,amplitude,theta", "field_mT,signal,phi"])
def test_a_phase_that_is_called_like_an_angle(tmp_path, header):
    path = written(tmp_path / "film.csv", header, lambda i, b, s: (b, s, 90 + i % 3))
    assert "changes from row to row" in refusal(path)


def test_angles_may_alternate_at_each_field(tmp_path):
    rows = [f"{b},{s},{a}" for b, s in zip(FIELD, line(), strict=True) for a in ANGLES]
    path = tmp_path / "film.csv"
    path.write_text("\n".join(["field_mT,signal,angle_deg", *rows]))
    assert read_spectra(path)["angle"].values.tolist() == list(ANGLES)


@pytest.mark.parametrize("name", ["sample", "Polarity", "material", "run"])
@pytest.mark.parametrize("sorted_by_field", [False, True])
def test_words_that_tell_sweeps_apart_are_a_further_axis(tmp_path, name, sorted_by_field):
    rows = [(b, s, word) for word, at in (("A", 338.0), ("B", 338.5))
            for b, s in zip(FIELD.tolist(), line(at).tolist(), strict=True)]  # fmt: skip
    rows = sorted(rows) if sorted_by_field else rows
    path = tmp_path / "film_30deg.csv"
    path.write_text("\n".join([f"field_mT,signal,{name}", *(f"{b},{s},{w}" for b, s, w in rows)]))
    assert "is a further axis: the field is swept at 'A', 'B'" in refusal(path)


@pytest.mark.parametrize("words", [["ok"], ["ok", "overload"], ["12:00:{i:02d}"]])
def test_words_within_a_sweep_are_no_axis(tmp_path, words):
    """A remark on some samples, or a time of day."""
    path = written(tmp_path / "film_30deg.csv", "field_mT,signal,status",
                   lambda i, b, s: (b, s, words[i % 7 % len(words)].format(i=i)))  # fmt: skip
    np.testing.assert_allclose(read_spectra(path)["signal"].values[0], line(), atol=1e-3)


@pytest.mark.parametrize("word", [
    lambda i: f"10:{i // 120:02d}:{i // 2 % 60:02d}",  # two samples in each second
    lambda i: "overload" if i % 9 == 4 else "ok",
    lambda i: "1mV" if i < 200 else "100uV",
])  # fmt: skip
def test_words_beside_rounded_fields_are_no_axis(tmp_path, word):
    """Many neighbouring fields are equal, and the words sometimes change between them."""
    fields = np.round(FIELD * 2) / 2
    path = written(tmp_path / "film_30deg.csv", "field_mT,signal,remark",
                   lambda i, b, s: (fields[i], s, word(i)))  # fmt: skip
    spectra = read_spectra(path)
    assert len(spectra["angle"]) == 1


@pytest.mark.parametrize("words", [("10:01", "10:02"), ("auf", "ab"), ("first", "second")])
def test_words_for_up_and_down_are_no_axis(tmp_path, words):
    rows = [*zip(FIELD, line(), [words[0]] * len(FIELD), strict=True)]
    rows += [*zip(FIELD[::-1], line(338.4)[::-1], [words[1]] * len(FIELD), strict=True)]
    path = tmp_path / "film_30deg.csv"
    path.write_text("\n".join(["field_mT,signal,when", *(f"{b},{s},{w}" for b, s, w in rows)]))
    spectra = read_spectra(path)
    assert sorted(spectra["direction"].values) == [-1, 1]


def test_words_are_no_fields(tmp_path):
    path = written(tmp_path / "film_30deg.csv", "field_mT,Hall probe (mT),signal",
                   lambda i, b, s: (b, f"{b:.3f} mT", s))  # fmt: skip
    assert "differs" not in notes(read_spectra(path))


def test_frequencies_that_drift_are_one(tmp_path):
    for last, count in ((9.4513, 1), (9.6, 0)):
        path = written(tmp_path / "film_30deg.csv", "field_mT,signal", lambda i, b, s: (b, s),
                       above="# frequency = 9.4512 GHz")  # fmt: skip
        path.write_text(path.read_text() + f"# frequency = {last} GHz\n")
        if count:
            spectra = read_spectra(path)
            assert spectra["frequency"].values == [9.4512]
            assert "9.4513" in notes(spectra)
        else:
            assert "several values of the frequency" in refusal(path)


@pytest.mark.parametrize("comment", ["# angle = {} deg", "# phi: {}°", "#Sample angle = {} deg"])
def test_comments_between_blocks_count(tmp_path, comment):
    rows = [f"{b} {s}" for b, s in zip(FIELD, line(), strict=True)]
    blocks = ["\n".join([comment.format(a), *rows]) for a in ANGLES]
    path = tmp_path / "film_30deg.txt"
    path.write_text("\n\n".join(["field_mT signal\n" + blocks[0], *blocks[1:]]))
    assert "several values of the angle" in refusal(path)


def test_a_comment_below_the_table_counts(tmp_path):
    path = written(tmp_path / "film.csv", "field_mT,signal", lambda i, b, s: (b, s))
    path.write_text(path.read_text() + "# angle = 25 deg\n# frequency = 9.45 GHz\n")
    spectra = read_spectra(path)
    assert spectra["angle"].values == [25]
    assert spectra["frequency"].values == [9.45]


@pytest.mark.parametrize("held", [0, 45, 90])
@pytest.mark.parametrize("name", ["angle_deg", "Sample Angle [deg]", "goniometer"])
def test_a_column_of_one_angle_in_all_files(tmp_path, held, name):
    for a in ANGLES:
        written(tmp_path / f"film_{a}deg.csv", f"{name},field_mT,signal",
                lambda i, b, s: (held, b, s))  # fmt: skip
    spectra = read_spectra(tmp_path)
    assert spectra["angle"].values.tolist() == list(ANGLES)
    assert f"is {held} in all files: the angles are from the names" in notes(spectra)
    alone = read_spectra(tmp_path / "film_30deg.csv")
    assert alone["angle"].values == [held]


@pytest.mark.parametrize("name", ["rot{}", "phi_{}", "angle{:02d}", "gon_{:03d}", "alpha{}"])
@pytest.mark.parametrize("first", [0, 1])
def test_counts_after_the_name_of_an_angle_are_refused(tmp_path, name, first):
    for i in range(first, first + 4):
        files.table(tmp_path / f"{name.format(i)}.csv", at=338 + i / 10)
    assert "has no unit and counts from" in refusal(tmp_path)
    for i in range(first, first + 4):
        (tmp_path / f"{name.format(i)}.csv").rename(tmp_path / f"{name.format(10 * i)}.csv")
    assert read_spectra(tmp_path)["angle"].values.tolist() == [
        10 * i for i in range(first, first + 4)
    ]


@pytest.mark.parametrize("name", ["angle", "phi", "Rotation"])
def test_a_column_that_counts_sweeps_is_no_angle(tmp_path, name):
    rows = [f"{k},{b},{s}" for k in (1, 2, 3) for b, s in zip(FIELD, line(), strict=True)]
    path = tmp_path / "film.csv"
    path.write_text("\n".join([f"{name},field_mT,signal", *rows]))
    assert "has no unit and counts from 1 to 3" in refusal(path)
    path.write_text("\n".join([f"{name}_deg,field_mT,signal", *rows]))
    assert read_spectra(path)["angle"].values.tolist() == [1, 2, 3]


@pytest.mark.parametrize("part", ["9.45GHz", "9p45_GHz", "34GHz", "9.4 GHz"])
def test_a_frequency_in_the_name_is_compared(tmp_path, part):
    path = tmp_path / f"film_30deg_{part}.csv"
    agreeing = {"34GHz": 34.2, "9.4 GHz": 9.45}.get(part, 9.4501)
    for stated in (agreeing, 9.2, 0.0):
        files.table(path, above=f"# frequency = {stated} GHz\n")
        assert ("the frequency in the file is used" in notes(read_spectra(path))) == (stated == 9.2)


@pytest.mark.parametrize("cells", ["10,50,100,200", "1,2,5,10", "0,10,20,40"])
def test_columns_without_a_unit_at_unequal_steps_are_said(tmp_path, cells):
    path = tmp_path / "film.csv"
    path.write_text("\n".join([f"field_mT,{cells}", *(f"{b},1,2,3,4" for b in FIELD)]))
    assert "read as angles in degrees" in notes(read_spectra(path))


@pytest.mark.parametrize("entries", [
    {"JSS 4096": "JSS 0"},
    {"JSS 4096": "JSS 2", "SSX 81": "RES 81", "SSY 3": "REY 3"},
    {"JSS 4096": "JSS 0", "SSX 81": "XPLS 81"},
])  # fmt: skip
def test_an_esp_series_without_its_second_axis_is_refused(tmp_path, entries):
    path = spectra_files.esp(tmp_path)
    text = path.read_bytes().decode()
    for old, new in entries.items():
        assert old in text
        text = text.replace(old, new)
    path.write_bytes(text.encode())
    assert "243 samples" in refusal(path)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ("CenterField        3000.00 G\nSweepWidth         160.0 G", "give 292 to 308 mT"),
        ("CenterField        3380.00 G\nSweepWidth         500.0 G", "give 313 to 363 mT"),
        ("SweepDirection     Down", "SweepDirection is 'Down'"),
        ("CenterField        3381.00 G\nSweepWidth         160.0 G\nSweepDirection     Up", ""),
        ("CenterField        3000.00 G\nSweepWidth         0.0 G", ""),
    ],
)
def test_the_field_controller_of_a_bes3t(tmp_path, settings, told):
    extra = f"#DSL\t1.0\n.DVC     fieldCtrl, 1.0\n{settings}"
    spectra = read_spectra(files.bes3t(tmp_path / "film_0deg.DSC", extra=extra))
    np.testing.assert_allclose(spectra["field"], FIELD)
    assert told in notes(spectra)
    assert bool(notes(spectra)) == bool(told)


@pytest.mark.parametrize("label", ["FIRSTX", "LASTX"])
@pytest.mark.parametrize("form", ["pairs", "affn"])
def test_the_ends_of_a_jcamp_table(tmp_path, label, form):
    rows = {"pairs": ["3300 1, 3340 2, 3380 3, 3420 4, 3460 5"], "affn": ["3300 1 2 3", "3420 4 5"]}
    layout = "(XY..XY)" if form == "pairs" else "(X++(Y..Y))"
    content = made.jcamp_file("XYDATA", layout, rows[form], points=5).decode()
    path = tmp_path / "film_30deg.jdx"
    old = {"FIRSTX": "3300", "LASTX": "3460"}[label]
    path.write_text(content.replace(f"{label}= {old}", f"{label}= 3200"))
    assert "expected" in refusal(path)
    path.write_text(content)
    assert read_spectra(path)["field"].values[-1] == pytest.approx(346)


@pytest.mark.parametrize("unit", ["T", "mT", "G"])
@pytest.mark.parametrize("offset", [0.0, 4600.0])
def test_a_measured_field_of_specman(tmp_path, unit, offset):
    """A stream in units of the field has the measured one."""
    path = made.specman(tmp_path, field="B0 = -8 mT to 8 mT;p;Field_swp@FLD" if offset else
                        "B0 = 330 mT to 346 mT;p;Field@FLD")  # fmt: skip
    text = path.read_text().replace(
        "[params]", f"[streams]\nnames = Re, B\nunits = V, {unit}\n[params]"
    )
    path.write_text(text)
    data = path.with_suffix(".d01")
    content = data.read_bytes()
    count = 81 * 3
    per_mt = {"T": 1e-3, "mT": 1.0, "G": 10.0}[unit]
    field = spectra_files.FIELD + offset
    values = np.tile(per_mt * field, 3)
    data.write_bytes(content[: -8 * count] + struct.pack(f"<{count}d", *values))
    spectra = read_spectra(path)
    np.testing.assert_allclose(spectra["field"].values, field, rtol=1e-12)
    assert ("the measured field is used" in notes(spectra)) == bool(offset)


@pytest.mark.parametrize("engine", ["scipy", "h5netcdf"])
@pytest.mark.parametrize("lacking", ["angle", "field", "frequency"])
def test_arrays_without_a_unit_are_said(tmp_path, engine, lacking):
    spectra = read_spectra(spectra_files.long_table(tmp_path))
    del spectra[lacking].attrs["units"]
    path = tmp_path / "film.nc"
    spectra.to_netcdf(path, engine=engine)
    assert f"array {lacking} has no unit" in notes(read_spectra(path))
    if lacking == "angle":
        radians = spectra.assign_coords(angle=np.radians(spectra["angle"].values))
        radians.to_netcdf(path, engine=engine)
        assert "look like radians" in refusal(path)


def test_columns_of_fields_are_said(tmp_path):
    """A matrix that lies on its side has more columns than rows."""
    names = "".join(f",{b:g}" for b in np.arange(330, 346, 0.5))
    rows = "".join(f"{10 * i}" + ",1" * 32 + "\n" for i in range(10))
    path = tmp_path / "a.csv"
    path.write_text(f"field_mT{names}\n{rows}")
    assert "330, 330.5, 331 … are read as angles in degrees, at 10 fields" in notes(
        read_spectra(path)
    )


@pytest.mark.parametrize("first", [1, 20, 40])
def test_a_field_whose_unit_changes_is_said(tmp_path, first):
    """From some row on it is in gauss, as where two tables were joined."""
    path = written(tmp_path / "film_30deg.csv", "field_mT,signal",
                   lambda i, b, s: (b if i < first else 10 * b, s))  # fmt: skip
    assert "the field leaps from" in notes(read_spectra(path))
    whole = written(tmp_path / "film_30deg.csv", "field_mT,signal", lambda i, b, s: (b, s))
    assert not notes(read_spectra(whole))


@pytest.mark.parametrize("engine", ["scipy", "h5netcdf"])
@pytest.mark.parametrize("count", [3, 81])
def test_arrays_of_field_by_angle_are_turned(tmp_path, engine, count):
    """With as many angles as fields the lengths do not tell: the names of the dimensions do."""
    spectra = read_spectra(spectra_files.long_table(tmp_path))
    spectra = spectra.isel(angle=np.linspace(0, 2, count).round().astype(int))
    spectra = spectra.assign_coords(angle=("angle", np.linspace(0, 90, count), {"units": "deg"}))
    path = tmp_path / "film.nc"
    spectra.transpose("field", "angle").to_netcdf(path, engine=engine)
    np.testing.assert_array_equal(read_spectra(path)["signal"], spectra["signal"])


@pytest.mark.parametrize("engine", ["scipy", "h5netcdf"])
@pytest.mark.parametrize("attribute", ["_FillValue", "missing_value"])
def test_missing_values_of_netcdf_are_no_signal(tmp_path, engine, attribute):
    spectra = read_spectra(spectra_files.long_table(tmp_path))
    path, fill = tmp_path / "film.nc", 9.969209968386869e36
    spectra["signal"].encoding[attribute] = fill
    spectra.to_netcdf(path, engine=engine)
    np.testing.assert_array_equal(read_spectra(path)["signal"], spectra["signal"])
    spectra["signal"][1, :4] = np.nan
    spectra.to_netcdf(path, engine=engine)
    assert f"array signal has 4 missing values, marked by {attribute}" in refusal(path)


@pytest.mark.parametrize("attribute", [{"missing_value": "n/a"}, {"_Unsigned": "false"}])
def test_words_of_netcdf_that_mark_nothing(tmp_path, attribute):
    spectra = read_spectra(spectra_files.long_table(tmp_path))
    path = tmp_path / "film.nc"
    other = spectra.copy()
    other["signal"].attrs |= attribute
    other.to_netcdf(path, engine="h5netcdf")
    np.testing.assert_array_equal(read_spectra(path)["signal"], spectra["signal"])


@pytest.mark.parametrize("axis", ["X", "Y"])
@pytest.mark.parametrize("offset", [0, 100])
def test_the_file_of_an_axis_of_a_bes3t(tmp_path, axis, offset):
    """The entries state its ends, too."""
    path = spectra_files.bes3t(tmp_path)
    if axis == "X":
        fields = 10 * spectra_files.FIELD + offset
        path.with_suffix(".XGF").write_bytes(fields.astype(">f8").tobytes())
        text = path.read_text().replace("XTYP\tIDX", "XTYP\tIGD\nXFMT\tD")
    else:
        text = path.read_text().replace(f"YMIN\t{spectra_files.ANGLES[0]}", f"YMIN\t{offset}")
    path.write_text(text)
    spectra = read_spectra(path)
    told = f"{axis}MIN and {axis}WID give"
    assert (told in notes(spectra)) == bool(offset)
    if axis == "X":
        np.testing.assert_allclose(spectra["field"], spectra_files.FIELD + offset / 10)


@pytest.mark.parametrize("entry", ["BSEQ\tBIG\n", "IRFMT\tD\n"])
def test_a_bes3t_that_does_not_say_how_it_has_its_numbers(tmp_path, entry):
    path = spectra_files.bes3t(tmp_path)
    whole = read_spectra(path)
    assert not notes(whole)
    path.write_text(path.read_text().replace(entry, ""))
    assert f"no entry {entry.split()[0]}" in notes(read_spectra(path))


@pytest.mark.parametrize("entry", ["XPTS\t7", "XWID\t1234"])
def test_an_entry_of_a_bes3t_with_two_values(tmp_path, entry):
    path = spectra_files.bes3t(tmp_path)
    text = path.read_text()
    name, value = entry.split("\t")
    [same] = [line for line in text.splitlines() if line.startswith(f"{name}\t")]
    path.write_text(text.rstrip("\n") + f"\n{same}\n")
    read_spectra(path)
    path.write_text(text.rstrip("\n") + f"\n{entry}\n")
    message = refusal(path)
    assert f"entry {name}" in message
    assert value in message


@pytest.mark.parametrize(
    "record", ["##FIRSTX= 3200", "##LASTX= 3500", "##XUNITS= TESLA", "##YFACTOR= 2"]
)
def test_labels_of_a_jcamp_that_stand_twice(tmp_path, record):
    content = made.jcamp(30.0).decode()
    label, value = record.strip("#").split("= ")
    path = tmp_path / "film_30deg.jdx"
    path.write_text(content.replace("##XYPOINTS", f"{record}\r\n##XYPOINTS"))
    message = refusal(path)
    assert f"{label} = (" in message
    assert value in message


@pytest.mark.parametrize("record", ["##XUNITS= gauss", "##YFACTOR= 1.0 $$ as recorded"])
def test_labels_of_a_jcamp_that_say_the_same_twice(tmp_path, record):
    path = tmp_path / "film_30deg.jdx"
    path.write_bytes(made.jcamp(30.0))
    once = read_spectra(path)
    content = made.jcamp(30.0).decode()
    path.write_text(content.replace("##XYPOINTS", f"{record}\r\n##XYPOINTS"))
    again = read_spectra(path)
    for name in ("field", "signal"):
        np.testing.assert_array_equal(again[name], once[name])


def test_a_sign_before_a_name_in_a_comment_is_no_list_mark(tmp_path):
    path = written(tmp_path / "film_30deg.csv", "field_mT,signal", lambda i, b, s: (b, s),
                   above="# -angle: 20 deg")  # fmt: skip
    assert float(read_spectra(path)["angle"][0]) == 30


@pytest.mark.parametrize("mark", ["# - ", "- ", "# * ", "-- "])
def test_list_marks_before_a_name_in_a_comment(tmp_path, mark):
    """An item of a list states an angle as any comment does."""
    path = written(tmp_path / "film.csv", "field_mT,signal", lambda i, b, s: (b, s),
                   above=f"{mark}angle: 20 deg\n{mark}frequency = 9.45 GHz")  # fmt: skip
    spectra = read_spectra(path)
    assert float(spectra["angle"][0]) == 20
    assert float(spectra["frequency"][0]) == 9.45


@pytest.mark.parametrize(("other", "told"), [("9.4501 GHz", ""), ("9850 MHz", "9.85 GHz")])
def test_two_frequencies_of_a_jcamp(tmp_path, other, told):
    content = made.jcamp(30.0).decode()
    path = tmp_path / "film_30deg.jdx"
    path.write_text(content.replace("##XYPOINTS", f"##FREQUENCY= {other}\r\n##XYPOINTS"))
    spectra = read_spectra(path)
    assert spectra["frequency"].values == [spectra_files.FREQUENCY]
    assert told in notes(spectra)
    assert bool(told) == bool(notes(spectra))


@pytest.mark.parametrize("name", ["center field", "Centre Field", "HCF"])
@pytest.mark.parametrize(("centre", "shift"), [("338.0 mT", 0), ("3380 G", 338), ("0.338 T", 338)])
def test_fields_relative_to_a_centre_are_said(tmp_path, name, centre, shift):
    relative = lambda i, b, s: (round(b - shift, 3), s)
    above = f"# {name} = {centre}"
    path = written(tmp_path / "film_30deg.csv", "field_mT,signal", relative, above=above)
    assert ("Are the fields relative to this centre?" in notes(read_spectra(path))) == bool(shift)
