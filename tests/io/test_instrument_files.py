"""What instruments really write: each kind of doubt in several forms, read right or refused."""

import numpy as np
import pytest

from diffdip.io import TableError, read_spectra, read_table, write_spectra
from diffdip.io.angles import angle_by_pattern, angle_in_name, listed_angles
from diffdip.io.sweep_summary import summary_of
from diffdip.spectra.field_sweeps import field_runs
from diffdip.spectra.line_selection import each_sweep
from tests.helpers import instrument_variants as files
from tests.helpers.instrument_variants import FIELD, curve, line, measurement
from tests.helpers.reading import notes, refusal


def one(path):
    """The field and signal of the only spectrum, and the dataset."""
    spectra = read_spectra(path)
    [(field, signal)] = each_sweep(spectra)
    return field, signal, spectra


# axes


HOLD = '<Recipe Type="{}"><Parameters><Param Name="{}">{}</Param></Parameters></Recipe>'


@pytest.mark.parametrize(
    ("recipe", "attributes"),
    [
        (HOLD.format("kinetic", "BHoldEnabled", "True"), {}),
        (HOLD.format("single", "BHoldEnabled", "true"), {}),
        (HOLD.format("kinetic", "KineticMode", "Transient"), {}),
        (HOLD.format("kinetic", "Modulation", "0.1"), {}),
        ("", {"XDatasource": "Time"}),
        ("", {"XDatasource": "Temperature"}),
    ],
)
def test_a_magnettech_measurement_over_time_is_refused(tmp_path, recipe, attributes):
    path = files.magnettech(tmp_path / "film_0deg.xml", measurement(recipe=recipe, **attributes))
    assert "Such a measurement has no resonance field" in refusal(path)


def test_a_magnettech_series_of_field_sweeps_is_read(tmp_path):
    recipe = HOLD.format("kinetic", "KineticMode", "FieldSweep")
    path = files.magnettech(tmp_path / "film_0deg.xml", measurement(recipe=recipe))
    np.testing.assert_allclose(one(path)[0], FIELD)


@pytest.mark.parametrize(
    ("entries", "word"),
    [
        ({"JEX": "ENDOR", "JUN": "MHz", "GST": 1, "GSI": 80}, "ENDOR"),
        ({"JEX": "Time-Sweep"}, "Time-Sweep"),
        ({"JEX": "ESEEM"}, "ESEEM"),
        ({"JUN": "MHz"}, "MHz"),
        ({"JUN": "s", "JEX": "field-sweep"}, "'s'"),
        ({"JUN": "mT", "XXUN": "G"}, "XXUN and JUN"),
    ],
)
def test_an_esp_axis_that_is_no_field_is_refused(tmp_path, entries, word):
    assert word in refusal(files.esp(tmp_path / "film_0deg.par", **entries))


@pytest.mark.parametrize(
    ("unit", "start", "width"), [("mT", 330, 16), ("T", 0.33, 0.016), ("kG", 3.3, 0.16)]
)
def test_the_unit_of_an_esp_axis_counts(tmp_path, unit, start, width):
    path = files.esp(tmp_path / "film_0deg.par", JUN=unit, GST=start, GSI=width)
    assert one(path)[0][[0, -1]] == pytest.approx([330, 346])


@pytest.mark.parametrize(
    "entries",
    [
        {"XNAM": "'Time'", "XUNI": "'s'"},
        {"XNAM": "'RF'", "XUNI": "'MHz'"},
        {"XNAM": "'Modulation Amplitude'"},
        {"XNAM": "'Angle'", "XUNI": "'deg'"},
        {"XUNI": "''"},
        {"XUNI": None},
    ],
)
def test_a_bes3t_axis_that_is_no_field_is_refused(tmp_path, entries):
    assert "axis" in refusal(files.bes3t(tmp_path / "film_0deg.DSC", **entries))


@pytest.mark.parametrize(
    "entries",
    [
        {"YUNI": "''"},
        {"YUNI": None},
        {"YNAM": "'Phase'"},
        {"YNAM": "'Projection'"},
        {"YNAM": "'Microwave Power'", "YUNI": "'dB'"},
        {"YNAM": "'Time'", "YUNI": "'s'"},
    ],
)
def test_a_second_axis_that_is_no_angle_is_refused(tmp_path, entries):
    rows = [line(), line(338.2), line(338.4)]
    assert "axis" in refusal(files.bes3t(tmp_path / "rotation.DSC", rows, **entries))


@pytest.mark.parametrize("name", ["Sample Angle", "Goniometer", "phi"])
def test_names_of_an_angle(tmp_path, name):
    path = files.bes3t(tmp_path / "rotation.DSC", [line(), line(338.2)], YNAM=f"'{name}'")
    assert read_spectra(path)["angle"].values.tolist() == [0, 30]


@pytest.mark.parametrize("value", ["0", "0.000000e+00", "-0.0"])
@pytest.mark.parametrize("maker", [files.bes3t, files.esp])
def test_a_frequency_of_zero_is_unknown(tmp_path, maker, value):
    name = {files.bes3t: "film_0deg.DSC", files.esp: "film_0deg.par"}[maker]
    spectra = read_spectra(maker(tmp_path / name, MWFQ=value, MF=value))
    assert np.isnan(spectra["frequency"]).all()


def test_a_counter_stands_in_for_the_frequency(tmp_path):
    counter = "#DSL\t1.0\n.DVC     freqCounter, 1.0\nFrequencyMon       9.45 GHz"
    path = files.bes3t(tmp_path / "film_0deg.DSC", extra=counter, MWFQ=0)
    assert read_spectra(path)["frequency"].values == [9.45]
    path = files.bes3t(tmp_path / "film_0deg.DSC", extra=counter, MWFQ=9.3e9)
    spectra = read_spectra(path)
    assert spectra["frequency"].values == [9.3]
    assert "FrequencyMon 9.45" in notes(spectra)


# several curves, measurements, sweeps


PRE, RAW = {"Mode": "Pre"}, {"Mode": "Raw"}


@pytest.mark.parametrize("order", [1, -1])
def test_the_processed_curve_is_taken(tmp_path, order):
    fields = [curve("BField", FIELD, **PRE), curve("BField", 1000 + 0 * FIELD, **RAW)][::order]
    signals = [curve("MW_Absorption", line(), **PRE), curve("MW_Absorption", FIELD, **RAW)][::order]
    path = files.magnettech(tmp_path / "film_0deg.xml", measurement([*fields, *signals]))
    field, signal, _ = one(path)
    np.testing.assert_array_equal(field, FIELD)
    np.testing.assert_array_equal(signal, line())
    assert "'BField (Raw)'" in dict(summary_of(path))["not used"]


@pytest.mark.parametrize(
    "curves",
    [
        [curve("BField", FIELD), curve("BField", FIELD), curve("MW_Absorption", line())],
        [curve("BField", FIELD), curve("MW_Absorption", line()), curve("MW_Absorption", line())],
        [curve("BField", FIELD, **RAW), curve("MW_Absorption", line())],
        [curve("BField", FIELD, YUnit="s"), curve("MW_Absorption", line())],
    ],
)
def test_curves_that_cannot_be_told_apart_are_refused(tmp_path, curves):
    assert "BField" in refusal(
        files.magnettech(tmp_path / "film_0deg.xml", measurement(curves))
    ) or "MW_Absorption" in refusal(tmp_path / "film_0deg.xml")


def test_the_first_harmonic_is_the_signal(tmp_path):
    names = ("MWAbsorption (2nd harm.)", "MWAbsorption (1st harm.)")
    signals = [
        curve("MW_Absorption", v, Name=n) for n, v in zip(names, (FIELD, line()), strict=True)
    ]
    path = tmp_path / "film_0deg.xml"
    files.magnettech(path, measurement([curve("BField", FIELD, YUnit="mT"), *signals]))
    np.testing.assert_array_equal(one(path)[1], line())


def test_the_unit_of_a_magnettech_field_counts(tmp_path):
    curves = [curve("BField", 10 * FIELD, YUnit="G"), curve("MW_Absorption", line())]
    path = files.magnettech(tmp_path / "film_0deg.xml", measurement(curves))
    np.testing.assert_allclose(one(path)[0], FIELD)


def test_all_measurements_of_a_file_are_read(tmp_path):
    made = [
        measurement([curve("BField", FIELD), curve("MW_Absorption", line(338 + i))], gon=10.0 * i)
        for i in range(3)
    ]
    spectra = read_spectra(files.magnettech(tmp_path / "rotation.xml", *made))
    assert spectra["angle"].values.tolist() == [0, 10, 20]
    np.testing.assert_array_equal(spectra["signal"], [line(338.0), line(339.0), line(340.0)])


def test_measurements_without_angles_are_refused(tmp_path):
    path = files.magnettech(tmp_path / "a_10deg.xml", measurement(), measurement())
    assert "no angle" in refusal(path)
    spectra = read_spectra(path, angles=[0.0, 90.0])
    assert spectra["angle"].values.tolist() == [0, 90]


@pytest.mark.parametrize("word", ["_result", "_average", "-mean"])
def test_an_average_counts_once(tmp_path, word):
    for angle in (0, 30):
        for run, name in enumerate((f"{word[0]}1", f"{word[0]}2", word)):
            files.table(tmp_path / f"film_{angle}deg{name}.csv", at=338 + 0.1 * run)
    spectra = read_spectra(tmp_path)
    assert spectra["angle"].values.tolist() == [0, 30]
    # the table has three decimals
    np.testing.assert_allclose(spectra["signal"].values[0], line(338.2), atol=1e-3)
    assert "4 runs" in notes(spectra)


def test_an_average_is_found_by_its_numbers(tmp_path):
    signals = [line(338.0), line(338.2)]
    signals.append((signals[0] + signals[1]) / 2)
    made = [
        measurement([curve("BField", FIELD), curve("MW_Absorption", signal)], gon=30)
        for signal in signals
    ]
    spectra = read_spectra(files.magnettech(tmp_path / "a.xml", *made))
    np.testing.assert_array_equal(spectra["signal"], [signals[2]])


def test_a_series_is_no_set_of_runs(tmp_path):
    for i in (1, 2, 3):
        files.table(tmp_path / f"film_{i}.csv", at=338 + i, above=f"# angle = {10 * i} deg\n")
    files.table(tmp_path / "film_result.csv", above="# angle = 90 deg\n")
    assert read_spectra(tmp_path)["angle"].values.tolist() == [10, 20, 30, 90]


def test_repeated_angles_are_said(tmp_path):
    for name in ("a_30deg", "b_30deg", "c_60deg"):
        files.table(tmp_path / f"{name}.csv", at=338 + len(name) % 2)
    assert "angles are repeated" in notes(read_spectra(tmp_path))


UP = [*range(330, 341)]


@pytest.mark.parametrize(
    ("field", "directions"),
    [
        ([*UP, *UP[::-1]], [1, -1]),
        ([*UP, *UP[-2::-1]], [1, -1]),
        ([*UP[::-1], *UP], [-1, 1]),
        ([*UP, *UP], [1, 1]),
        ([*UP, *UP[::-1], *UP], [1, -1, 1]),
    ],
)
def test_sweeps_up_and_down_are_kept_apart(tmp_path, field, directions):
    rows = "\n".join(f"{b},{i}" for i, b in enumerate(field))
    path = tmp_path / "film_30deg.csv"
    path.write_text(f"field_mT,signal\n{rows}\n")
    spectra = read_spectra(path)
    assert spectra["angle"].values.tolist() == [30] * len(directions)
    sweeps = each_sweep(spectra)
    start = 0
    for (at, signal), direction in zip(sweeps, directions, strict=True):
        assert (np.diff(at) > 0).all()
        assert signal[::direction].tolist() == list(range(start, start + len(at)))
        start += len(at)
    assert start == len(field)
    if len(set(directions)) > 1:
        assert spectra["direction"].values.tolist() == directions
    for ending in (".nc", ".csv"):
        copy = write_spectra(spectra, tmp_path / f"copy{ending}")
        assert read_spectra(copy).identical(spectra)


def test_a_field_with_noise_is_one_sweep():
    noise = 0.2 * np.sin(37.0 * np.arange(400))
    assert field_runs(np.linspace(330, 346, 400) + noise) == [slice(0, 400)]
    assert field_runs(np.linspace(346, 330, 400) + noise) == [slice(0, 400)]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        (338 + 0.1 * np.sin(37.0 * np.arange(400)), "up and down"),
        (338 + 0.01 * np.sin(37.0 * np.arange(400)), "varies by 0.02 mT only"),
        (np.linspace(338, 338.01, 400), "varies by 0.01 mT only"),
        (np.full(400, 338.0), "all fields are 338 mT"),
    ],
)
def test_a_field_that_is_held_is_refused(tmp_path, field, told):
    path = tmp_path / "film_30deg.csv"
    rows = "\n".join(f"{b:.6f},{i}" for i, b in enumerate(field))
    path.write_text(f"field_mT,signal\n{rows}\n")
    assert told in refusal(path)


@pytest.mark.parametrize("name", ["Time [s]", "Temperature_K", "Power (dB)", "Slice"])
def test_a_third_axis_is_refused(tmp_path, name):
    by_slice = [(b, v) for v in (0, 10, 20) for b in UP]
    by_field = [(b, v) for b in UP for v in (0, 10, 20)]
    for i, order in enumerate((by_slice, by_field)):
        rows = "\n".join(f"{b};{v};{b + v}" for b, v in order)
        path = tmp_path / f"film_{i}0deg.csv"
        path.write_text(f"field_mT;{name};signal\n{rows}\n")
        assert "further axis" in refusal(path)


def test_a_clock_beside_the_field_is_no_axis(tmp_path):
    rows = "\n".join(f"{i};{b};{0.5 * i};7;{i % 3};{i}" for i, b in enumerate(UP))
    path = tmp_path / "film_30deg.csv"
    path.write_text(f"index;field_mT;Time [s];gain;other;signal\n{rows}\n")
    spectra = read_spectra(path)
    assert notes(spectra) == (
        "film_30deg.csv: column 'other' changes within the sweep and is not used"
    )


# sources that contradict each other


@pytest.mark.parametrize("gon", ["0", "0.0", "-0"])
def test_a_goniometer_that_is_not_used(tmp_path, gon):
    for angle in (0, 30, 60):
        path = tmp_path / f"film_{angle}deg.xml"
        files.magnettech(path, measurement(gon=gon))
    spectra = read_spectra(tmp_path)
    assert spectra["angle"].values.tolist() == [0, 30, 60]
    assert "GonAngle is 0 in all files" in notes(spectra)


def test_the_entry_gan_of_zero(tmp_path):
    for angle in (0, 30, 60):
        files.esp(tmp_path / f"film_{angle}deg.par", GAN="0.000000")
    assert read_spectra(tmp_path)["angle"].values.tolist() == [0, 30, 60]


def test_an_angle_of_the_file_that_differs_from_the_name_is_said(tmp_path):
    files.magnettech(tmp_path / "film_30deg.xml", measurement(gon=45))
    files.magnettech(tmp_path / "film_0deg.xml", measurement(gon=359.99))
    spectra = read_spectra(tmp_path)
    assert "states 45° (GonAngle), its name 30°" in notes(spectra)
    assert "1 files" not in notes(spectra)
    np.testing.assert_allclose(spectra["angle"], [-0.01, 45], atol=1e-9)


@pytest.mark.parametrize(
    "above",
    [
        "# angle = 10 deg\n# phi = 30 deg\n",
        "# frequency = 9.45 GHz\n# nu = 9.30 GHz\n",
        "# f = 137 MHz\n# freq: 9.45 GHz\n",
        "# Microwave frequency = 9.45 GHz\n# MwFreq = 9.30 GHz\n",
    ],
)
def test_comments_that_contradict_each_other_are_refused(tmp_path, above):
    assert "several values" in refusal(files.table(tmp_path / "film_0deg.csv", above=above))


def test_a_microwave_frequency_has_precedence(tmp_path):
    above = "# Microwave frequency = 9.45 GHz\n# f = 137 MHz\n"
    spectra = read_spectra(files.table(tmp_path / "film_0deg.csv", above=above))
    assert spectra["frequency"].values == [9.45]
    assert "137 MHz" in notes(spectra)


def test_a_comment_that_contradicts_a_column_is_refused(tmp_path):
    path = tmp_path / "film_0deg.csv"
    rows = "\n".join(f"9.3,{b},{i}" for i, b in enumerate(UP))
    path.write_text(f"# frequency = 9.45 GHz\nfrequency_GHz,field_mT,signal\n{rows}\n")
    assert "9.45" in refusal(path)


# numbers in text, angles in names


@pytest.mark.parametrize(
    ("rows", "mark"),
    [
        (["3,300", "3,310", "3,320", "3,330"], "\t"),
        (["3,300.0", "3,310.0", "3,320.0", "3,330.0"], "\t"),
        (["3.300,0", "3.310,0", "3.320,0", "3.330,0"], ";"),
        (["3300,0", "3310,0", "3320,0", "3330,0"], ";"),
        (['"3,300"', '"3,310"', '"3,320"', '"3,330"'], ","),
    ],
)
def test_marks_in_numbers(tmp_path, rows, mark):
    signal = "0,25" if rows[0].endswith(",0") else "0.25"
    text = "\n".join(f"{row}{mark}{signal}" for row in rows)
    path = tmp_path / "film_0deg.txt"
    path.write_text(f"Field (G){mark}Signal\n{text}\n")
    field, found, _ = one(path)
    np.testing.assert_allclose(field, [330, 331, 332, 333])
    assert found.tolist() == [0.25] * 4


def test_numbers_that_may_have_thousands_are_refused(tmp_path):
    path = tmp_path / "film_0deg.txt"
    path.write_text("Field (G);Signal\n3,300;1\n3,310;2\n3,320;3\n3,330;4\n")
    assert "'3,300' may be 3300 or 3.300" in refusal(path)
    # as thousands these would be 330 T
    path.write_text("Field (mT);Signal\n330,125;1\n331,250;2\n332,375;3\n333,500;4\n")
    np.testing.assert_allclose(one(path)[0], [330.125, 331.25, 332.375, 333.5])


@pytest.mark.parametrize("name", ["phi", "angle", "Rotation"])
@pytest.mark.parametrize("last", [np.pi, np.pi / 2, 2 * np.pi])
def test_radians_without_a_unit_are_refused(tmp_path, name, last):
    path = tmp_path / "series.csv"
    rows = "\n".join(f"{a:.5f},{338 + a},9.45" for a in np.linspace(0, last, 7))
    path.write_text(f"{name},field_mT,f_GHz\n{rows}\n")
    with pytest.raises(TableError, match="radians"):
        read_table(path)
    path.write_text(f"{name}_rad,field_mT,f_GHz\n{rows}\n")
    assert read_table(path)[0].angle[-1] == pytest.approx(last, abs=1e-5)
    path.write_text(f"{name}_deg,field_mT,f_GHz\n{rows}\n")
    assert read_table(path)[0].angle[-1] == pytest.approx(np.radians(last), abs=1e-5)


def test_radians_in_spectra_are_refused(tmp_path):
    path = tmp_path / "rotation.csv"
    rows = [f"{a:.4f},{b},{b}" for a in (0, 0.7854, 1.5708) for b in UP]
    path.write_text("phi,field_mT,signal\n" + "\n".join(rows) + "\n")
    assert "radians" in refusal(path)
    path.write_text("field_mT,0,0.7854,1.5708\n" + "\n".join(f"{b},1,2,3" for b in UP) + "\n")
    assert "radians" in refusal(path)


AMBIGUOUS = [
    "2p5deg", "film_12_5deg", "m30deg", "film_m30deg", "phi30_theta0", "phi30_theta30",
    "rotation_295deg_C", "rot_295K", "1.2.30deg", "phi30_5", "phi30p5", "sample2_45°", "30deg5",
    "x2-30deg", "minus30deg", "angle30_10deg",
]  # fmt: skip


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_an_ambiguous_name_is_refused(tmp_path, name):
    path = files.table(tmp_path / f"{name}.csv")
    assert "angle_from" in refusal(path)
    assert "ambiguous" in refusal(tmp_path)
    # what the user says decides
    assert read_spectra(path, angles=[12.5])["angle"].values == [12.5]


@pytest.mark.parametrize(
    ("name", "degrees"),
    [
        ("film_30deg_1", 30),
        ("film_30deg_77K", 30),
        ("20201216_30deg", 30),
        ("film_77K_phi_-30", -30),
        ("F_gon_10dg", 10),
    ],
)
def test_a_name_that_is_clear(name, degrees):
    assert angle_in_name(name).degrees == degrees


@pytest.mark.parametrize("name", ["00011201", "99090211", "100416_wt60min", "phosphor5", "film"])
def test_a_name_without_an_angle(name):
    assert angle_in_name(name) is None


def test_a_pattern_for_names(tmp_path):
    for name, at in (("a_2p5deg_77K", 338.0), ("a_m12p5deg_77K", 339.0)):
        files.table(tmp_path / f"{name}.csv", at=at)
    spectra = read_spectra(tmp_path, angle_from=r"_([mp\d]+)deg")
    assert spectra["angle"].values.tolist() == [-12.5, 2.5]
    assert "'m12p5' in a_m12p5deg_77K.csv" in spectra.attrs["angles_from"]
    assert "no angle in the name" in refusal(tmp_path, angle_from="phi")
    assert "regular expression" in refusal(tmp_path, angle_from="(")
    assert angle_by_pattern("x45", r"\d+").degrees == 45


def test_angles_as_given(tmp_path):
    for i in (1, 2, 10):
        files.table(tmp_path / f"s{i}.csv", at=338 + i / 10)
    spectra = read_spectra(tmp_path, angles=listed_angles("0:60:30"))
    assert spectra["angle"].values.tolist() == [0, 30, 60]
    np.testing.assert_allclose(spectra["signal"].values[2], line(339.0), atol=1e-3)
    assert "number of angles" in refusal(tmp_path, angles=[0.0, 1.0])
    for wrong in ("0:180", "0:180:0", "a", "0:1:0.3", "nan", "0:1e9:1"):
        with pytest.raises(ValueError, match="angles"):
            listed_angles(wrong)


# what a format leaves out, or puts elsewhere


@pytest.mark.parametrize("points", [256, 1024, 2048])
def test_the_points_of_an_esp_follow_from_its_data(tmp_path, points):
    path = files.esp(tmp_path / "film_0deg.par", points)
    field, _, _ = one(path)
    assert len(field) == points
    assert field[[0, -1]] == pytest.approx([330, 346])
    data = path.with_suffix(".spc")
    data.write_bytes(data.read_bytes()[:-100])
    assert "cut off" in refusal(path)


@pytest.mark.parametrize(
    ("entries", "ends"),
    [
        ({"GSI": None, "HCF": 3380}, [335.5, 340.5]),
        ({"GSI": None, "GST": 3355}, [335.5, 340.5]),
        ({"GSI": None, "GST": None, "HCF": 3380}, [335.5, 340.5]),
        ({"GSI": None, "HCF": 3380, "HSW": 160}, [330, 346]),
    ],
)
def test_the_default_width_of_an_esp(tmp_path, entries, ends):
    field, _, _ = one(files.esp(tmp_path / "film_0deg.par", **entries))
    assert field[[0, -1]] == pytest.approx(ends)


def test_entries_of_an_esp_that_differ_are_said(tmp_path):
    spectra = read_spectra(files.esp(tmp_path / "film_0deg.par", HCF=3500, HSW=160))
    assert "GST and GSI are used" in notes(spectra)


@pytest.mark.parametrize(
    ("maker", "entries"),
    [
        (files.esp, {"GAN": 30.0}),
        (files.esp, {"SANX": 30.0}),
        (files.bes3t, {"SANX": "30.0"}),
        (files.bes3t, {"extra": "#DSL\t1.0\n.DVC     goniometer, 1.0\nAngle   30.000 deg"}),
        (files.bes3t, {"extra": "#DSL\t1.0\n.DVC     erGonio, 1.0\nSampleAngle   30.000"}),
    ],
)
def test_the_angle_of_a_goniometer(tmp_path, maker, entries):
    path = tmp_path / ("s2.par" if maker is files.esp else "s2.DSC")
    assert read_spectra(maker(path, **entries))["angle"].values == [30]


def test_the_angle_of_another_device_is_not_taken(tmp_path):
    extra = "#DSL\t1.0\n.DVC     mixer, 1.0\nAngle   30.000 deg"
    assert np.isnan(read_spectra(files.bes3t(tmp_path / "s2.DSC", extra=extra))["angle"]).all()


def test_a_long_descriptor(tmp_path):
    program = "\n".join(["* a pulse program"] * 100_000)
    path = files.bes3t(tmp_path / "film_0deg.DSC", extra=program)
    assert path.stat().st_size > 1_500_000
    np.testing.assert_allclose(one(path)[0], FIELD)


# recognition


@pytest.mark.parametrize(
    "head", ["* made by hand\n", "*\r\n* a\r\n\r\n", "\ufeff", "* " + "x" * 5000 + "\n"]
)
def test_heads_before_the_signature(tmp_path, head):
    np.testing.assert_allclose(one(files.bes3t(tmp_path / "film_0deg.DSC", head=head))[0], FIELD)
    path = files.esp(tmp_path / "a.par", RES=256)
    path.write_bytes(head.encode() + path.read_bytes())
    assert read_spectra(path).attrs["format"] == "Bruker ESP"


@pytest.mark.parametrize("content", ["", "hello\nthere\n", "field_mT,signal\n1,2\n"])
def test_a_message_about_a_descriptor_speaks_of_no_columns(tmp_path, content):
    for name in ("a.DSC", "a.dsc", "a.par"):
        path = tmp_path / name
        path.write_text(content)
        assert not {"column", "CSV", "header"} & set(refusal(path).split())


@pytest.mark.parametrize(
    ("above", "header", "mark", "end"),
    [
        ("Filename:\tC:\\a.par\tDate: 01/02/2011\n\n", "X [mT]\tIntensity", "\t", ""),
        ("", "X [mT]          Intensity []", "   ", ""),
        ("sep=;\n", "field (mT);signal", ";", ""),
        ("", "field (mT);signal", ";", "\x1a"),
        ("", "field (mT);signal", ";", "\x1a\x1a\n"),
        ("\ufeffName;film\n\nRecipe\nBfrom;330;B from\n\nMeas\n", "BField [mT];y []", ";", ""),
        ("% made by hand\n; 12.1.2011\n", "Applied Field (mT),signal", ",", ""),
        ("Sample: film\nOperator: me\n", "H_ext [mT]\tsignal", "\t", ""),
        ("", "Feld [mT];Intensität", ";", ""),
        ("", "mT,signal", ",", ""),
        ("", "Field,Signal\nmT,a.u.", ",", ""),
        ("", "Field\tSignal\nmT\t\nfilm\tfilm", "\t", ""),
    ],
)
def test_text_of_many_programs(tmp_path, above, header, mark, end):
    path = files.table(tmp_path / "film_30deg.txt", header, above=above, mark=mark, end=end)
    field, signal, spectra = one(path)
    np.testing.assert_allclose(field, FIELD)
    np.testing.assert_allclose(signal, line(), atol=1e-3)
    assert spectra["angle"].values == [30]


@pytest.mark.parametrize(
    ("header", "per_mt"),
    [
        ("H (Oe)", 10),
        ("H [kOe]", 0.01),
        ("Applied Field (A/m)", 795.7747),
        ("H_kA/m", 0.7957747),
        ("BField_G", 10),
    ],
)
def test_units_of_the_field(tmp_path, header, per_mt):
    path = tmp_path / "film_0deg.csv"
    rows = "\n".join(f"{b * per_mt:.6f},{i}" for i, b in enumerate(UP))
    path.write_text(f"{header},signal\n{rows}\n")
    np.testing.assert_allclose(one(path)[0], UP, rtol=1e-5)


def test_a_frequency_above_the_header(tmp_path):
    above = "Name;film\nRecipe\nFrequency;9.45\nTemperature;25\nMeas\n"
    path = files.table(tmp_path / "a_0deg.csv", "BField [mT];y []", above=above, mark=";")
    assert read_spectra(path)["frequency"].values == [9.45]


@pytest.mark.parametrize(
    "text",
    [
        "angle_deg  field_mT  f_GHz\n0  338  9.45\n90  339  9.45\n",
        "sep=;\nangle_deg;field_mT;f_GHz\n0;338;9,45\n90;339;9,45\n",
        "Film\nmade by hand\n\nangle,field,f\ndeg,mT,GHz\n0,338,9.45\n90,339,9.45\n",
        "angle_deg,field_mT,f_GHz\n0,338,9.45\n90,339,9.45\n\x1a",
        "angle_deg field_mT f_GHz\n0 338 9.45\n90 339 9.45\n",
        "  angle_deg   field_mT   f_GHz\n   0.0   338.0   9.45\n  90.0   339.0   9.45\n",
        "Sample Angle [deg]   Field [mT]   f [GHz]\n0\t338\t9.45\n90\t339\t9.45\n",
        "# made by hand\nangle_deg  field_mT  f_GHz\n\n0  338,0  9,45\n90  339,0  9,45\n",
    ],
)
def test_tables_of_resonance_fields_are_laid_out_alike(tmp_path, text):
    path = tmp_path / "series.txt"
    path.write_text(text)
    [sample] = read_table(path)
    np.testing.assert_allclose(np.degrees(sample.angle), [0, 90])
    np.testing.assert_allclose(sample.field, [0.338, 0.339])
    np.testing.assert_allclose(sample.frequency, 9.45e9)


@pytest.mark.parametrize("kept", [1, 2])
@pytest.mark.parametrize("how", ["cut", "zeros", "zeros from the middle"])
def test_a_rotation_that_was_stopped(tmp_path, kept, how):
    rows = np.array([line(), line(338.2), line(338.4), line(338.6)])
    if how != "cut":
        rows[kept if how == "zeros" else kept - 0 :] = 0
        if how == "zeros from the middle":
            rows[kept, :12] = line()[:12] + 1
    path = files.bes3t(tmp_path / "rotation.DSC", rows)
    if how == "cut":
        data = path.with_suffix(".DTA")
        data.write_bytes(data.read_bytes()[: 8 * len(FIELD) * kept + 100])
    spectra = read_spectra(path)
    assert spectra["angle"].values.tolist() == [0, 30][:kept]
    np.testing.assert_array_equal(spectra["signal"], [line(), line(338.2)][:kept])
    assert f"{kept} of 4 angles are measured" in notes(spectra)


# one spectrum


def test_one_spectrum_needs_no_angle(tmp_path):
    spectra = read_spectra(files.table(tmp_path / "film.csv"))
    assert np.isnan(spectra["angle"].values).tolist() == [True]
    for ending in (".nc", ".csv"):
        copy = write_spectra(spectra, tmp_path / f"copy{ending}")
        assert read_spectra(copy).identical(spectra)
        copy.unlink()
    files.table(tmp_path / "other.csv")
    assert "no angle" in refusal(tmp_path)


def test_one_measurement_of_two_sweeps_needs_no_angle(tmp_path):
    rows = "\n".join(f"{b},{i}" for i, b in enumerate([*UP, *UP]))
    path = tmp_path / "film.csv"
    path.write_text(f"field_mT,signal\n{rows}\n")
    spectra = read_spectra(path)
    assert np.isnan(spectra["angle"].values).tolist() == [True, True]
    assert "up to 2 sweeps at the same angle: unknown" in notes(spectra)


def test_a_summary(tmp_path):
    for angle in (0, 30):
        files.table(tmp_path / f"film_{angle}deg.csv", above="# frequency = 9.45 GHz\n")
    found = dict(summary_of(tmp_path))
    assert found["spectra"] == "2"
    assert found["field"] == "330 to 346 mT, in the file field_mT"
    assert found["points"] == "41"
    assert found["frequency"] == "9.45 GHz"
    assert found["angle"].startswith("0 to 30°, from names of the files ('0deg'")
    path = files.table(tmp_path / "film_2p5deg.csv")
    assert "ambiguous" in dict(summary_of(path))["note"]
