"""Tables of any resonance: directions, planes, frequencies, and what was measured."""

import numpy as np
import pytest

from diffdip.io import TableError, read_table


def table(folder, text, **options):
    path = folder / "sample.csv"
    path.write_text(text.strip().replace(" ", "") + "\n")
    return read_table(path, **options)


def refused(folder, text, **options):
    with pytest.raises(TableError) as error:
        table(folder, text, **options)
    return str(error.value)


def test_one_angle_and_many_frequencies_is_one_series(tmp_path):
    rows = "\n".join(f"180,{100 + 10 * i},{9 + i}" for i in range(5))
    [sample] = table(tmp_path, "angle_deg,field_mT,frequency_GHz\n0,90,8\n" + rows)
    [series] = sample.series("xz")
    assert series.along_one_direction
    assert not series.is_rotation
    assert series.plane == "xz"
    np.testing.assert_allclose(series.abscissa, 1e9 * np.arange(8, 14))


def test_two_frequencies_are_two_series_and_a_drift_is_one(tmp_path):
    both = [(a, f + 0.001 * a) for f in (9.4, 34.0) for a in (0, 45, 90)]
    rows = "\n".join(f"{a},{300 + a},{f}" for a, f in both)
    [sample] = table(tmp_path, "angle_deg,field_mT,frequency_GHz\n" + rows)
    low, high = sample.series()
    np.testing.assert_allclose(low.frequency, [9.4e9, 9.445e9, 9.49e9])
    np.testing.assert_allclose(np.degrees(high.angle), [0, 45, 90])
    assert [one.name for one in (low, high)] == ["sample (1)", "sample (2)"]


def test_planes_and_directions_in_one_table(tmp_path):
    text = """
    angle_deg,theta_deg,phi_deg,plane,field_mT,frequency_GHz
    0,,,xy,300,9.4
    90,,,xy,310,9.4
    0,,,yz,320,9.4
    30,,,yz,330,9.4
    ,0,0,xy,340,9.4
    ,90,90,xy,350,9.4
    """
    [sample] = table(tmp_path, text)
    flat, tilted, along = sample.series("xz")
    assert (flat.plane, tilted.plane) == ("xy", "yz")
    np.testing.assert_allclose(along.direction, [[0, 0, 1], [0, 1, 0]], atol=1e-12)
    assert [len(one) for one in (flat, tilted, along)] == [2, 2, 2]


def test_theta_alone_is_an_angle(tmp_path):
    [sample] = table(tmp_path, "theta_deg,field_mT,frequency_GHz\n0,300,9.4\n30,310,9.4")
    assert sample.direction is None
    np.testing.assert_allclose(np.degrees(sample.angle), [0, 30])


def test_measured_frequencies(tmp_path):
    text = """
    angle_deg,field_mT,frequency_GHz,measured,sigma_mT,sigma_GHz
    0,100,9.1,frequency,,0.01
    0,120,9.9,Frequency,,0.02
    0,300,9.4,field,0.5,
    90,310,9.4,field,0.5,
    """
    [sample] = table(tmp_path, text)
    swept, turned = sample.series()
    assert (swept.measured, turned.measured) == ("frequency", "field")
    np.testing.assert_allclose(swept.sigma, [1e7, 2e7])
    np.testing.assert_allclose(
        swept.observed, 6.62607015e-34 / 9.2740100657e-24 / 2 * swept.frequency
    )
    np.testing.assert_allclose(turned.sigma, [5e-4, 5e-4])
    lacking = text.replace("0.02", "")
    assert "sigma_GHz" in refused(tmp_path, lacking)
    assert "measured" in refused(tmp_path, text, measured="field")
    assert "'time'" in refused(tmp_path, text.replace("Frequency", "time"))


def test_columns_by_choice(tmp_path):
    text = "phi_deg,alpha_deg,Bext,freq_GHz,note_mT\n0,1,300,9.4,7\n30,31,310,9.4,7"
    assert "--angle" not in refused(tmp_path, text)
    assert "angle_column" in refused(tmp_path, text)
    [sample] = table(tmp_path, text, columns={"angle": "alpha_deg", "field": "Bext=mT"})
    np.testing.assert_allclose(np.degrees(sample.angle), [1, 31])
    np.testing.assert_allclose(sample.field, [0.3, 0.31])
    assert [flag.code for flag in sample.warnings if "phi" in flag.message] == ["unused-column"]
    [sample] = table(tmp_path, text, columns={"angle": "phi_deg", "field": "note_mT"})
    np.testing.assert_allclose(sample.field, 0.007)
    assert "unit" in refused(tmp_path, text, columns={"angle": "phi_deg", "field": "Bext"})
    assert "'B'" in refused(tmp_path, text, columns={"field": "B"})


def test_points_without_a_place_or_a_frequency(tmp_path):
    both = "angle_deg,theta_deg,phi_deg,field_mT,frequency_GHz\n0,,,300,9.4\n5,90,0,310,9.4"
    assert "row 3" in refused(tmp_path, both)
    assert "angle" in refused(tmp_path, "theta_x,field_mT,frequency_GHz\n0,300,9.4")
    alone = "angle_deg,field_mT\n0,300\n0,310"
    assert "frequency" in refused(tmp_path, alone)
    assert "other angles or frequencies" in refused(tmp_path, alone, frequency=9.4e9)
    assert "frequency" in refused(tmp_path, alone, frequency=9.4e9, measured="frequency")


def test_a_series_has_frequencies_within_one_percent_of_its_lowest(tmp_path):
    # each is within 1 % of the one before, the last 4 % above the first
    rows = "\n".join(
        f"{a},{300 + a},{f}" for f in (9.4, 9.45, 9.5, 9.6, 9.7, 9.78) for a in range(0, 91, 10)
    )
    [sample] = table(tmp_path, "angle_deg,field_mT,frequency_GHz\n" + rows)
    spans = [(one.frequency.min(), one.frequency.max()) for one in sample.series()]
    assert spans == [(9.4e9, 9.45e9), (9.5e9, 9.5e9), (9.6e9, 9.6e9), (9.7e9, 9.78e9)]


def test_a_map_of_few_angles_is_a_series_for_each_angle(tmp_path):
    rows = "\n".join(f"{a},{300 + a + 30 * f},{f}" for f in range(5, 25) for a in (0, 90))
    [sample] = table(tmp_path, "angle_deg,field_mT,frequency_GHz\n" + rows)
    first, second = sample.series(name="map")
    assert (len(first), len(second)) == (20, 20)
    assert first.along_one_direction
    assert [first.name, second.name] == ["map (1)", "map (2)"]


def test_errors_without_a_unit_have_that_of_what_was_measured(tmp_path):
    text = "angle_deg,field_mT,frequency_GHz,err\n0,100,9.1,0.01\n0,120,9.9,0.02"
    [sample] = table(tmp_path, text, measured="frequency")
    np.testing.assert_allclose(sample.sigma, [1e7, 2e7])
    [note] = [flag for flag in sample.warnings if flag.code == "reading-note"]
    assert "'err'" in note.message
    assert "frequency_GHz" in note.message
    other = text.replace("_GHz", "_MHz").replace("9.1", "9100").replace("9.9", "9900")
    other = other.replace("err", "dnu")
    [sample] = table(tmp_path, other, columns={"sigma": "dnu"}, measured="frequency")
    np.testing.assert_allclose(sample.sigma, [1e4, 2e4])
    # the unit of the field says that these are no errors of frequencies
    assert "sigma_GHz" in refused(tmp_path, text.replace("err", "err_mT"), measured="frequency")
    [sample] = table(tmp_path, "angle_deg,field_mT,frequency_GHz,err\n0,300,9.4,1\n90,310,9.4,2")
    np.testing.assert_allclose(sample.sigma, [1e-3, 2e-3])


def test_a_direction_needs_no_plane(tmp_path):
    text = """
    angle_deg,theta_deg,phi_deg,plane,field_mT,frequency_GHz
    0,,,yz,300,9.4
    90,,,yz,310,9.4
    ,0,0,,340,9.4
    """
    [sample] = table(tmp_path, text)
    tilted, along = sample.series("xz")
    assert (tilted.plane, len(along)) == ("yz", 1)
    assert "row 3" in refused(tmp_path, text.replace("90,,,yz", "90,,,"))
    without = "angle_deg,plane,field_mT,frequency_GHz\n0,,300,9.4\n90,xy,310,9.4"
    assert "plane" in refused(tmp_path, without)
