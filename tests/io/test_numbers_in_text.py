"""Numbers and headers in text: marks, columns and units that are not what they seem."""

import numpy as np
import pytest

from diffdip.foundation.errors import InputError
from diffdip.io import TableError, read_spectra, read_table
from tests.helpers import instrument_files, instrument_variants as files
from tests.helpers.instrument_variants import FIELD, line
from tests.helpers.reading import refusal


def written(path, header, rows, mark=",", above=""):
    text = "\n".join([header, *(mark.join(row) for row in rows)])
    path.write_text(f"{above}{text}\n")
    return path


PAIRS = [(b, s) for b, s in zip(FIELD.tolist(), np.round(line(), 1).tolist(), strict=True)]


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("field_mT,signal", lambda b, s: (f"{b:.1f},{s:.1f}".replace(".", ","),)),
        ("field_mT,signal", lambda b, s: (f"{b:.1f}", f"{s:.1f}", "1")),
        ("field_G,signal", lambda b, s: (f"{10 * b:,.0f}", f"{s:.0f}")),
        # row names without a name in the header, as R writes them
        ("field_mT,signal", lambda b, s: ("7", f"{b:.1f}", f"{s:.1f}")),
    ],
)
def test_rows_with_more_cells_than_the_header_are_refused(tmp_path, header, row):
    path = written(tmp_path / "film_30deg.csv", header, [row(b, s) for b, s in PAIRS])
    assert "row 2: number of cells = " in refusal(path)


def test_empty_cells_at_the_end_are_none(tmp_path):
    rows = [(str(b), str(s), "", "") for b, s in PAIRS]
    path = written(tmp_path / "film_30deg.csv", "field_mT,signal", rows)
    np.testing.assert_allclose(read_spectra(path)["field"], FIELD)


@pytest.mark.parametrize(
    ("header", "scale"), [("field_G", 10), ("H (Oe)", 10), ("H [A/m]", 800), ("B (uT)", 1000)]
)
def test_points_may_stand_between_thousands(tmp_path, header, scale):
    """3.300 G in every row are 3300 or 3.3: only another number can tell."""
    grouped = lambda b: f"{scale * b:,.0f}".replace(",", ".")
    path = tmp_path / "film_30deg.txt"
    for end in ("", ".5"):
        rows = [(grouped(b), f"{s:.0f}{end}") for b, s in PAIRS]
        written(path, f"{header}\tsignal", rows, "\t")
        if not end:
            assert "may be" in refusal(path)
            assert "between thousands" in refusal(path)
        else:  # a point that is surely decimal
            assert read_spectra(path)["field"].values[0] < 1


def test_three_decimals_of_a_millitesla_are_decimals(tmp_path):
    rows = [(f"{b:.3f}", f"{s:.0f}") for b, s in PAIRS]
    path = written(tmp_path / "film_30deg.csv", "field_mT,signal", rows)
    np.testing.assert_allclose(read_spectra(path)["field"], FIELD)
    path = written(
        tmp_path / "film_0deg.csv",
        "field_T,signal",
        [(f"{float(b) / 1e3:.3f}", s) for b, s in rows],
    )
    np.testing.assert_allclose(read_spectra(path)["field"].values[[0, -1]], FIELD[[0, -1]])


@pytest.mark.parametrize(
    ("unit", "field", "decimal"),
    [
        ("G", "3.370", None),
        ("G", "3,370", None),
        ("mT", "337,000", 0.337),
        ("G", "3.370,5", 0.33705),
    ],
)
def test_marks_in_a_table_of_resonance_fields(tmp_path, unit, field, decimal):
    path = tmp_path / "series.txt"
    path.write_text(f"angle_deg\tfield_{unit}\n0\t{field}\n90\t{field}\n")
    if decimal is None:
        with pytest.raises(TableError, match="may be"):
            read_table(path, 9.45e9)
    else:
        [sample] = read_table(path, 9.45e9)
        np.testing.assert_allclose(sample.field, decimal)


@pytest.mark.parametrize(
    ("comment", "ghz"),
    [
        ("# frequency = 9,450 GHz", 9.45),
        ("# frequency = 9,450 MHz", 9.45),
        ("# frequency = 9,450.5 MHz", 9.4505),
        ("# frequency = 9,450,000,000 Hz", 9.45),
        ("# f = 34,123 MHz", 34.123),
        ("# MW frequency: 9,45 GHz", 9.45),
    ],
)
def test_marks_in_a_stated_frequency(tmp_path, comment, ghz):
    path = files.table(tmp_path / "film_0deg.csv", above=f"{comment}\n")
    assert read_spectra(path)["frequency"].values == [pytest.approx(ghz)]


def test_a_stated_frequency_that_may_be_two(tmp_path):
    path = files.table(tmp_path / "film_0deg.csv", above="# frequency = 1,450 GHz\n")
    assert "decimal mark" in refusal(path)


@pytest.mark.parametrize(
    ("stated", "ghz"), [("9,450.00 MHz", 9.45), ("9,450 MHz", 9.45), ("9,45 GHz", 9.45)]
)
def test_marks_in_an_adani_file(tmp_path, stated, ghz):
    content = instrument_files.adani_text(30.0).replace(b"9450,00 MHz", stated.encode())
    path = tmp_path / "film_30deg.dat"
    path.write_bytes(content)
    assert read_spectra(path)["frequency"].values == [pytest.approx(ghz)]


@pytest.mark.parametrize("letter", ["D", "d", "E"])
def test_exponents_of_fortran(tmp_path, letter):
    rows = [(f"{b:.7e}".replace("e", letter), f"{s:.7e}".replace("e", letter)) for b, s in PAIRS]
    path = written(tmp_path / "film_30deg.csv", "field_mT,signal", rows)
    np.testing.assert_allclose(read_spectra(path)["field"], FIELD)


@pytest.mark.parametrize("names", ["X,Y", "Y,X", "x (V),y (V)"])
def test_two_channels_are_a_choice(tmp_path, names):
    rows = [(str(b), str(s), "0") for b, s in PAIRS]
    path = written(tmp_path / "film_30deg.csv", f"field_mT,{names}", rows)
    assert "expected one column for the signal" in refusal(path)


@pytest.mark.parametrize("mark", [",", "\t", "  "])
def test_a_header_behind_a_comment_mark(tmp_path, mark):
    """NumPy's savetxt writes it."""
    header = f"# made by hand\n# field_mT{mark}signal"
    path = written(tmp_path / "film_30deg.txt", header, [(str(b), str(s)) for b, s in PAIRS], mark)
    np.testing.assert_allclose(read_spectra(path)["field"], FIELD)
    path.write_text(f"# angle_deg{mark}field_mT\n0{mark}338\n90{mark}339\n")
    [sample] = read_table(path, 9.45e9)
    np.testing.assert_allclose(sample.field, [0.338, 0.339])


TABLE = "angle_deg,field_mT\n0,338\n90,339\n"


@pytest.mark.parametrize(
    "comment", ["# frequency = 9.45 GHz", "# f: 9450 MHz", "# nu (GHz) = 9.45"]
)
def test_a_frequency_above_a_table_of_fields(tmp_path, comment):
    path = tmp_path / "series.csv"
    path.write_text(f"{comment}\n{TABLE}")
    [sample] = read_table(path)
    np.testing.assert_allclose(sample.frequency, 9.45e9)
    [sample] = read_table(path, 9.45e9)
    assert not sample.warnings
    [sample] = read_table(path, 34e9)
    [told] = [str(flag) for flag in sample.warnings if flag.code == "reading-note"]
    assert "Not used: comment" in told


@pytest.mark.parametrize(
    "comments",
    ["# f = 9.45 GHz\n# f = 9.47 GHz", "# f = 9.45 GHz\n# nu = 34 GHz", "# f = 9.45\n"],
)
def test_frequencies_above_a_table_that_are_no_help(tmp_path, comments):
    path = tmp_path / "series.csv"
    path.write_text(f"{comments}\n{TABLE}")
    with pytest.raises(TableError):
        read_table(path)
    [sample] = read_table(path, 9.45e9)
    np.testing.assert_allclose(sample.frequency, 9.45e9)


def test_an_angle_that_changes_from_row_to_row(tmp_path):
    rows = [(f"{0.001 * i:.3f}", str(b), str(s)) for i, (b, s) in enumerate(PAIRS)]
    path = written(tmp_path / "rotation.csv", "angle_deg,field_mT,signal", rows)
    assert "changes from row to row" in refusal(path)


def test_a_message_names_only_options_that_there_are(tmp_path):
    rows = [(str(b), str(b), str(s)) for b, s in PAIRS]
    path = written(tmp_path / "film_0deg.csv", "B_mT,H_mT,signal", rows)
    assert "column}" not in refusal(path)
    assert "Rename or delete one" in refusal(path)


@pytest.mark.parametrize(
    "field",
    [
        "B0 = 330 mT to 346;p",
        "B0 = 3.3 kG to 3.46;p",
        "B0 = 330 mT step 0.2;p",
        "B0 = 330 to 346 mT;p",
    ],
)
def test_a_limit_without_a_unit_beside_one_with_a_prefix(tmp_path, field):
    path = instrument_files.specman(tmp_path, field=field)
    with pytest.raises(InputError, match="Write the unit after both values"):
        read_spectra(path)


@pytest.mark.parametrize(
    "field", ["B0 = 3300 G to 3460;p", "B0 = 330 mT to 0.346 T;p", "B0 = 330 mT step 0.2 mT;p"]
)
def test_limits_whose_unit_is_clear(tmp_path, field):
    spectra = read_spectra(instrument_files.specman(tmp_path, field=field))
    np.testing.assert_allclose(spectra["field"].values[[0, -1]], [330, 346])


@pytest.mark.parametrize("name", ["phaseangle", "PulseAngle", "tip_angle"])
def test_a_specman_angle_that_is_not_of_the_sample(tmp_path, name):
    path = instrument_files.specman(tmp_path)
    path.write_text(path.read_text().replace("gonioangle", name))
    with pytest.raises(InputError, match="only the angle of a rotation"):
        read_spectra(path)
