"""The angle of each spectrum: files, names and comments that differ or lack a unit."""

import numpy as np
import pytest

from diffdip.io import read_spectra
from diffdip.io.angles import angle_in_name
from tests.helpers import instrument_files, instrument_variants as files
from tests.helpers.instrument_variants import FIELD, line, measurement
from tests.helpers.reading import notes, refusal


ANGLES = [0, 30, 60]


HELD = {
    "magnettech": lambda path, held: files.magnettech(
        path.with_suffix(".xml"), measurement(gon=held)
    ),
    "esp": lambda path, held: files.esp(path.with_suffix(".par"), GAN=held),
    "bes3t": lambda path, held: files.bes3t(path.with_suffix(".DSC"), SANX=held),
    "text": lambda path, held: files.table(
        path.with_suffix(".csv"), above=f"# angle = {held} deg\n"
    ),
    "ciqtek": lambda path, held: path.with_suffix(".epr").write_bytes(
        instrument_files.ciqtek(held, goniometer="1")
    ),
}
"""Writers of a spectrum whose file states an angle."""


@pytest.mark.parametrize("held", [0, 45, -1])
@pytest.mark.parametrize("kind", HELD)
def test_a_goniometer_that_stands_still(tmp_path, kind, held):
    for angle in ANGLES:
        HELD[kind](tmp_path / f"film_{angle}deg", held)
    spectra = read_spectra(tmp_path)
    assert spectra["angle"].values.tolist() == ANGLES
    assert f"is {held:g} in all files: the angles are from the names" in notes(spectra)


def test_a_goniometer_that_moves_has_precedence(tmp_path):
    for angle in ANGLES:
        HELD["esp"](tmp_path / f"film_{angle}deg", angle + 5)
    spectra = read_spectra(tmp_path)
    assert spectra["angle"].values.tolist() == [5, 35, 65]
    assert "the angle in the file is used (3 files differ like this)" in notes(spectra)


def test_a_goniometer_that_stands_still_and_names_too(tmp_path):
    for i in range(3):
        HELD["esp"](tmp_path / f"film_10deg_{i}", 45)
    spectra = read_spectra(tmp_path)
    assert spectra["angle"].values.tolist() == [45, 45, 45]
    assert "angles are repeated" in notes(spectra)


@pytest.mark.parametrize("gon", [None, 0, 45])
def test_measurements_of_a_file_have_names(tmp_path, gon):
    parts = [measurement(Name=f"film_{angle}deg", gon=gon) for angle in ANGLES]
    spectra = read_spectra(files.magnettech(tmp_path / "rotation_7.xml", *parts))
    assert spectra["angle"].values.tolist() == ANGLES


@pytest.mark.parametrize("gon", ["", " ", "NaN"])
def test_an_empty_angle_is_not_stated(tmp_path, gon):
    for angle in ANGLES:
        path = tmp_path / f"film_{angle}deg.xml"
        files.magnettech(path, measurement(gon=gon, MwFreq=gon))
    spectra = read_spectra(tmp_path)
    assert spectra["angle"].values.tolist() == ANGLES
    assert np.isnan(spectra["frequency"]).all()


RADIANS = [0, 0.5236, 1.0472, 1.5708]


@pytest.mark.parametrize("name", ["phi{}", "angle_{}", "{}"])
def test_radians_in_names_are_refused(tmp_path, name):
    for angle in RADIANS:
        files.table(tmp_path / f"{name.format(angle)}.csv")
    assert "look like radians" in refusal(tmp_path)


@pytest.mark.parametrize("comment", ["# angle = {}", "# Goniometer angle: {}", "Sample Angle;{}"])
def test_radians_in_comments_are_refused(tmp_path, comment):
    for i, angle in enumerate(RADIANS):
        above = comment.format(angle) + "\n"
        files.table(tmp_path / f"s{i}.csv", "field_mT;signal", above=above, mark=";")
    assert "look like radians" in refusal(tmp_path)


@pytest.mark.parametrize("comment", ["# angle = {} deg", "# angle_deg = {}", "# angle: {}°"])
def test_small_angles_with_their_unit_are_degrees(tmp_path, comment):
    for i, angle in enumerate(RADIANS):
        files.table(tmp_path / f"s{i}.csv", above=comment.format(angle) + "\n")
    np.testing.assert_allclose(read_spectra(tmp_path)["angle"], RADIANS)


@pytest.mark.parametrize("first", ["1", "0", "001"])
def test_names_that_count_are_no_angles(tmp_path, first):
    for i in range(4):
        files.table(tmp_path / f"{int(first) + i:0{len(first)}}.csv")
    assert "has no unit and counts from" in refusal(tmp_path)
    spectra = read_spectra(tmp_path, angles=[0.0, 30.0, 60.0, 90.0])
    assert spectra["angle"].values.tolist() == [0, 30, 60, 90]


@pytest.mark.parametrize("header", ["1,2,3", "0,1,2", "2,1,3"])
def test_a_header_that_counts_has_no_angles(tmp_path, header):
    path = tmp_path / "rotation.csv"
    rows = [f"{b},1,2,3" for b in FIELD]
    path.write_text("\n".join([f"field_mT,{header}", *rows]))
    assert "has no unit and counts from" in refusal(path)
    labelled = ",".join(f"{cell} deg" for cell in header.split(","))
    path.write_text("\n".join([f"field_mT,{labelled}", *rows]))
    assert read_spectra(path).sizes["angle"] == 3


@pytest.mark.parametrize(
    "name", ["phi30_psi0", "alpha30beta10", "tilt5_phi30", "rot30_chi-45", "3e1deg", "2d5deg"]
)
def test_other_angles_in_a_name_make_it_ambiguous(tmp_path, name):
    assert "ambiguous" in refusal(files.table(tmp_path / f"{name}.csv"))


@pytest.mark.parametrize("name", ["tilt30deg", "side_30deg", "made30deg", "psi_30deg"])
def test_one_angle_in_a_name_is_clear(name):
    assert angle_in_name(name).degrees == 30


@pytest.mark.parametrize("names", [("up", "down"), ("1", "-1"), ("down", "up")])
def test_directions_of_a_file_share_the_angle_of_its_name(tmp_path, names):
    rows = [
        f"{b},{s},{name}"
        for name, at in zip(names, (338.0, 338.4), strict=True)
        for b, s in zip(FIELD, line(at), strict=True)
    ]
    path = tmp_path / "film_30deg.csv"
    path.write_text("\n".join(["field_mT,signal,direction", *rows]))
    spectra = read_spectra(path)
    assert spectra["angle"].values.tolist() == [30, 30]
    assert sorted(spectra["direction"].values) == [-1, 1]


@pytest.mark.parametrize(
    "endings",
    [(" (1)", " (2)", ""), ("_a", "_b", "_c"), ("_1", "_2", "_3"), ("_x", "_y", "_total")],
)
@pytest.mark.parametrize("divisor", [1, 2])
def test_an_average_or_a_sum_is_found_whatever_its_name(tmp_path, endings, divisor):
    runs = [line(338.0), line(338.02)]
    for angle in ANGLES:
        for ending, values in zip(endings, [*runs, sum(runs) / divisor], strict=True):
            path = tmp_path / f"film_{angle}deg{ending}.xml"
            curves = [files.curve("BField", FIELD), files.curve("MW_Absorption", values)]
            files.magnettech(path, measurement(curves))
    spectra = read_spectra(tmp_path)
    assert spectra["angle"].values.tolist() == ANGLES
    assert "6 runs" in notes(spectra)
    np.testing.assert_allclose(spectra["signal"].values[0], sum(runs) / divisor)
