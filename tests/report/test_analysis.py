"""`diffdip analyze`: the numbers of two commands in one, and a page that needs no other file."""

import base64
import csv
import json
import re
import shutil
from html.parser import HTMLParser

import equinox as eqx
import numpy as np
import pytest
import xarray as xr

import diffdip
from diffdip.foundation.errors import InputError
from diffdip.io import read_spectra, read_table
from diffdip.report.choices import MAY_BE_NONE, none_as_unset, read_choices, resolved
from diffdip.report.documents import report_name
from diffdip.report.files import analysis_files
from diffdip.report.parameter_text import value_text
from diffdip.report.tables import result_sentence
from diffdip.spectra import positions
from tests.helpers import spectra_files as files
from tests.helpers.command_line import refused, run
from tests.helpers.raw_data import GONIOMETER, needs_goniometer


pytestmark = pytest.mark.slow


WRITTEN = {
    *("report.html", "analysis.json", "positions.csv", "points.csv", "curve.csv", "origin.csv"),
    *("config.toml", "spectra.pdf", "map.pdf", "fit.pdf", "correlation.pdf", "branches.pdf"),
}
OF_DIRECT = {"direct.csv", "direct.pdf"}
VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Text and attributes of a page; fails on tags that are not closed in order."""

    def __init__(self, content):
        super().__init__()
        self.open, self.attributes, self.cells = [], [], []
        self.text = ""
        self.feed(content)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        assert tag not in ("script", "link", "iframe", "object", "details")
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "td" in self.open:
            self.cells[-1] += data


def page(folder):
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def table(path):
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def same_files(one, other):
    assert one.keys() == other.keys()
    assert [name for name in one if one[name] != other[name]] == []


def stepwise(tmp_path, source, *options):
    """The fit of `diffdip positions` and then `diffdip fit`."""
    table = tmp_path / "stepwise.csv"
    assert run("positions", source, "--out", table, *options).exit_code == 0
    assert run("fit", table, "--out", tmp_path / "stepwise").exit_code == 0
    [found] = json.loads((tmp_path / "stepwise" / "fit.json").read_text())["fits"]
    return found


def codes(flags):
    """The codes of flags, or of their documents."""
    return [flag["code"] if isinstance(flag, dict) else flag.code for flag in flags]


def stored(folder):
    """The document of an analysis."""
    return json.loads((folder / "analysis.json").read_text())


def numbers(document):
    """Values, errors and intervals of a fit document, flat."""
    return np.array(
        [
            number
            for entry in document["parameters"].values()
            if entry["free"]
            for number in (entry["value"], entry["standard_error"], *entry["interval_68"])
        ]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Spectra of three angles, in Magnettech's form."""
    folder = tmp_path_factory.mktemp("analysis") / "film <b> & 1"
    folder.mkdir()
    return files.magnettech(folder)


@pytest.fixture(scope="module")
def analysed(folder):
    """What the command prints, and its folder."""
    out = folder.parent / "report"
    done = run("analyze", folder, "--out", out, "--direct", "gaussian")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    return done.stdout, out


def test_help_teaches():
    done = run("analyze", "--help")
    assert done.exit_code == 0
    text = " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", done.stdout).split())
    for words in ("diffdip analyze sweeps/ --out report", "--config report/config.toml", "near_mT"):
        assert words in text


def test_summary_and_files(analysed):
    printed, out = analysed
    assert {path.name for path in out.iterdir()} == WRITTEN | OF_DIRECT
    for words in ("3 angles from 0 to 60°", "zero-crossing: 337.500 to 339.000 mT", "A (mT)"):
        assert words in printed
    assert codes(stored(out)["fit"]["flags"]) == ["no-degrees-of-freedom"]
    assert all(name in printed for name in WRITTEN)


def test_numbers_are_those_of_positions_and_fit(tmp_path, folder, analysed):
    _, out = analysed
    found = stored(out)
    expected = stepwise(tmp_path, folder)
    ours = {name: entry["value"] for name, entry in found["fit"]["parameters"].items()}
    for name, entry in expected["parameters"].items():
        assert ours[name] == pytest.approx(entry["value"], rel=1e-6, abs=1e-6)
    assert ours["B_mT"] == pytest.approx(-4 / 3, rel=0.01)
    assert found["fit"]["flags"] == expected["flags"]
    for name in ("points.csv", "curve.csv"):
        rows = [
            [float(cell) for cell in row[1:] if cell]
            for path in (out / name, tmp_path / "stepwise" / name)
            for row in table(path)[1:]
        ]
        half = len(rows) // 2
        for one, other in zip(rows[:half], rows[half:], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_positions_are_what_fit_reads(analysed):
    [sample] = read_table(analysed[1] / "positions.csv")
    np.testing.assert_allclose(1e3 * sample.field, [339, 338.5, 337.5], atol=1e-4)


def test_the_page_stands_alone_and_escapes_what_files_say(analysed):
    out = analysed[1]
    report = page(out)
    assert "film <b> & 1" in report.text
    sources = [value for name, value in report.attributes if name in ("src", "href")]
    assert len(sources) == 6
    for source in sources:
        kind, data = source.split(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(data, validate=True).startswith(b"\x89PNG")
    assert not re.search("https?:|url\\(|@import", (out / "report.html").read_text())
    for words in (
        "A (mT)",
        "95 %",
        *(flag["message"] for flag in stored(out)["fit"]["flags"]),
        "zero crossing of the derivative",
        "paper: each pair counted twice",
        "9.45 GHz, from the files",
        "MS-5000",
        "matplotlib",
    ):
        assert words in report.text


def test_the_page_has_the_numbers_of_the_document(analysed):
    cells = page(analysed[1]).cells
    fit = stored(analysed[1])["fit"]
    for name in ("A", "B", "C"):
        value, sign, error = cells[cells.index(f"{name} (mT)") + 1].split(" ")
        expected = fit["parameters"][f"{name}_mT"]
        assert float(value) == pytest.approx(expected["value"], rel=1e-3, abs=1e-3)
        assert sign == "±"
        assert float(error) == pytest.approx(expected["standard_error"], rel=0.06)


def test_a_note_on_correlated_noise_follows_the_fit(analysed):
    document = stored(analysed[1])
    document["fit"]["correlated_noise"] = None
    without = result_sentence(document)
    document["fit"]["correlated_noise"] = {"note": "These points exclude no drift."}
    assert result_sentence(document) == f"{without} These points exclude no drift."


def test_all_spectra_at_once_beside_the_positions(analysed):
    out = analysed[1]
    found = stored(out)
    direct = found["direct"]
    assert (direct["shape"], direct["converged"], direct["flags"]) == ("gaussian", True, [])
    for name in ("A_mT", "B_mT", "C_mT"):
        value = direct["parameters"][name]["value"]
        assert value == pytest.approx(found["fit"]["parameters"][name]["value"], abs=1e-3)
    # of exp(−x²/2), x in mT
    width = 2 * np.sqrt(2 * np.log(2))
    assert direct["width_mT"]["min"] == pytest.approx(width, rel=1e-3)
    heads, *rows = table(out / "direct.csv")
    assert heads == ["angle_deg", "field_mT", "width_mT", "amplitude", "rms", "noise"]
    rows = np.array(rows, float)
    np.testing.assert_allclose(rows[:, :2].T, [[0, 30, 60], [339, 338.5, 337.5]], atol=1e-3)
    np.testing.assert_allclose(rows[:, 3], 1000, rtol=1e-3)
    report = page(out)
    cells = report.cells
    assert "All spectra at once" in report.text
    assert "Gaussian lines" in report.text
    start = cells.index("phase (deg)") - 12
    assert [cells[start + 4 * i] for i in range(3)] == ["A (mT)", "B (mT)", "C (mT)"]
    assert float(cells[start + 6].split(" ")[0]) == pytest.approx(
        direct["parameters"]["B_mT"]["value"], abs=1e-3
    )


@pytest.mark.slow
def test_definitions_side_by_side(tmp_path):
    """A line whose asymmetry turns with the field, so that what is found depends on definition."""
    angle = np.linspace(0, 180, 7)
    x = files.FIELD - 338 - 0.1 * np.cos(2 * np.radians(angle))[:, None]
    tail = 1 + 0.2 * np.cos(2 * np.radians(angle))[:, None] * np.tanh(x)
    noise = 1e-4 * np.random.default_rng(0).normal(size=x.shape)
    spectra = read_spectra_without_attributes().assign(
        signal=(("angle", "field"), -x * np.exp(-(x**2) / 2) * tail + noise)
    )
    found = diffdip.analyze(spectra, diffdip.Choices(definition="midpoint"))
    assert list(found.by_definition)[:2] == ["midpoint", "zero-crossing"]
    assert found.by_definition["midpoint"] is found.fit
    for definition, other in found.by_definition.items():
        lines = diffdip.line_positions(spectra, definition)
        expected = diffdip.fit_series(
            lines.angle, lines.field, lines.errors, frequency=lines.frequency
        )
        for name in "ABC":
            assert other.values[name] == pytest.approx(expected.values[name], abs=1e-9)
    [doubt] = [doubt for doubt in found.doubts if doubt.code == "definitions-differ"]
    assert doubt.message.startswith("B ")
    files_of = analysis_files(found)
    told = json.loads(files_of["analysis.json"])["by_definition"]
    report = Page(files_of["report.html"].decode())
    for definition, entry in told.items():
        row = report.cells.index(definition, 12)
        expected = [value_text(entry["parameters"][name]) for name in ("A_mT", "B_mT", "C_mT")]
        assert report.cells[row + 1 : row + 4] == expected


def test_definitions_of_a_symmetric_line_do_not_differ():
    spectra = read_spectra_without_attributes()
    spectra["signal"] += 0.01 * np.random.default_rng(1).normal(size=spectra["signal"].shape)
    assert "definitions-differ" not in codes(diffdip.analyze(spectra).doubts)


@pytest.mark.slow
def test_a_phase_that_is_held_at_a_wrong_value_shows_in_the_fit_of_all_spectra():
    angle, field = np.linspace(0, 170, 18), np.linspace(0.2, 0.5, 301)
    line = diffdip.SweptLine(0.02, 1.0, np.radians(20.0))
    energy = diffdip.AnisotropyFields(0.04, 0.02)
    made = eqx.filter_jit(diffdip.swept_spectra)(energy, np.radians(angle), 9.45e9, field, line)
    signal = np.array(made)
    signal += 0.002 * signal.max() * np.random.default_rng(0).normal(size=signal.shape)
    coordinates = {"angle": angle, "field": 1e3 * field, "frequency": ("angle", np.full(18, 9.45))}
    spectra = xr.Dataset({"signal": (("angle", "field"), signal)}, coords=coordinates)
    held = diffdip.Choices(definition="lorentzian", phase_deg=0.0, direct="lorentzian")
    found = diffdip.analyze(spectra, held)
    [doubt] = [doubt for doubt in found.doubts if doubt.code == "direct-fit-differs"]
    assert doubt.message.startswith("A ")
    assert 30 < 1e3 * found.fit.values["A"] < 40
    assert 1e3 * found.direct.values["A"] == pytest.approx(40, abs=0.5)


def test_a_definition_that_is_refused_says_why(monkeypatch):
    monkeypatch.setattr(positions, "LEAST_TO_FIT", 10_000)
    found = diffdip.analyze(read_spectra_without_attributes())
    error = found.by_definition["lorentzian"]
    assert isinstance(error, InputError)
    report = Page(analysis_files(found)["report.html"].decode())
    start = report.cells.index("lorentzian")
    assert report.cells[start : start + 5] == ["lorentzian", "-", "-", "-", "-"]
    assert f"lorentzian: {error.worded(report_name)}" in report.text


def test_a_report_calls_arguments_by_the_names_of_choices():
    error = InputError("near", given=3.0, hint="Select one with {strongest} or {near}")
    assert error.worded(report_name) == ("near_mT = 3. Select one with strongest = true or near_mT")


def test_origin_table_has_rows_of_names_units_and_comments(analysed):
    names, units, comments, *rows = table(analysed[1] / "origin.csv")
    assert names[:2] + names[-1:] == ["Angle", "Resonance field", "Curve"]
    assert units == ["deg", *["mT"] * 3, "GHz", "mT", "mT", "deg", "mT"]
    assert comments[1] == "zero-crossing"
    assert [float(row[0]) for row in rows[:3]] == [0, 30, 60]
    np.testing.assert_allclose([float(row[1]) for row in rows[:3]], [339, 338.5, 337.5], atol=1e-3)
    assert {len(row) for row in rows} == {9}
    assert rows[3][:7] == [""] * 7
    assert float(rows[360][7]) == 180


def test_the_same_again_from_the_saved_choices_wherever_the_folder_is(tmp_path, folder, analysed):
    before = contents(analysed[1])
    config = analysed[1] / "config.toml"
    moved = tmp_path / "elsewhere" / folder.name
    shutil.copytree(folder, moved)
    assert run("analyze", moved, "--config", config, "--out", tmp_path / "again").exit_code == 0
    same_files(contents(tmp_path / "again"), before)


@pytest.mark.slow
def test_choices_of_the_folder_and_options_over_them(tmp_path):
    source = files.several_lines(tmp_path)
    (tmp_path / "diffdip.toml").write_text(
        "definition = 'gaussian'\nstrongest = true\ng = 2.1\nfrequency_GHz = 9\n"
    )
    chosen = ("--near", 330.4, "--baseline", 1, "--convention", "physical")
    done = run("analyze", source, "--out", tmp_path / "a", *chosen)
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "diffdip.toml") in done.stdout
    found = stored(tmp_path / "a")
    assert found["settings"] == {
        "definition": "gaussian",
        "near_mT": 330.4,
        "strongest": False,
        "baseline": 1,
        "smoothing": 0,
        "g": 2.1,
        "frequency_GHz": 9.0,
        "convention": "physical",
        "skip_damaged": False,
    }
    assert found["fit"]["convention"] == "physical"
    [sample] = read_table(tmp_path / "a" / "positions.csv")
    np.testing.assert_allclose(1e3 * sample.field, 330, atol=1e-3)
    [note] = [flag for flag in found["fit"]["warnings"] if flag["code"] == "setting-unused"]
    assert note["message"] in done.stdout
    text = page(tmp_path / "a").text
    for words in (note["message"], "Gaussian", "330.4 mT", "order 1", "2.1"):
        assert words in text


def test_none_undoes_what_a_file_chose(tmp_path):
    config = tmp_path / "diffdip.toml"
    config.write_text("baseline = 1\nphase_deg = 'none'\nnear_mT = 330\nfrequency_GHz = 9.4\n")
    kept = resolved(read_choices(config), {})
    assert (kept.baseline, kept.phase_deg, kept.near_mT) == (1, None, 330.0)
    config.write_text(config.read_text() + "direct = 'gaussian'\n")
    undone = {name: none_as_unset(name, "none") for name in MAY_BE_NONE}
    assert resolved(read_choices(config), undone) == diffdip.Choices()
    # and as typed: without near_mT no line is selected
    (tmp_path / "spectra").mkdir()
    source = files.several_lines(tmp_path / "spectra")
    typed = "--near none --baseline none --phase-deg none --frequency-ghz none"
    line = refused("analyze", source, "--config", config, "--out", tmp_path / "a", *typed.split())
    assert all(position in line for position in ("330.0", "340.0"))


def test_a_lacking_frequency_has_to_be_given(tmp_path):
    source = tmp_path / "spectra"
    source.mkdir()
    for path in files.text_folder(source).iterdir():
        path.write_text(re.sub(r"# frequency.*\n", "", path.read_text()))
    line = refused("analyze", source, "--out", tmp_path / "a")
    assert "0°, 30°, 60°" in line
    with pytest.raises(InputError) as error:
        diffdip.analyze(read_spectra(source))
    assert error.value.what == "frequency_GHz"
    assert not (tmp_path / "a").exists()
    done = run("analyze", source, "--out", tmp_path / "a", "--frequency-ghz", 9.45)
    assert done.exit_code == 0, done.output
    found = stored(tmp_path / "a")
    assert found["fit"]["frequency_GHz"]["mean"] == pytest.approx(9.45)
    assert "9.45 GHz, from the choices" in page(tmp_path / "a").text


def test_a_damaged_file_is_named_or_left_out(tmp_path):
    source = tmp_path / "sweeps"
    source.mkdir()
    files.magnettech(source)
    (source / "sweep_90.xml").write_bytes(files.xml(90.0))
    damaged = source / "sweep_30.xml"
    damaged.write_bytes(damaged.read_bytes()[:900])
    line = refused("analyze", source, "--out", tmp_path / "a")
    assert str(source) in line
    assert damaged.name in line
    assert not (tmp_path / "a").exists()
    done = run("analyze", source, "--out", tmp_path / "a", "--skip-damaged")
    assert done.exit_code == 0, done.output
    [line] = done.stderr.splitlines()
    assert "sweep_30.xml" in line
    warnings = stored(tmp_path / "a")["fit"]["warnings"]
    [left_out] = [flag for flag in warnings if flag["code"] == "file-skipped"]
    assert "sweep_30.xml" in left_out["message"]
    assert left_out["message"] in page(tmp_path / "a").text
    assert len(read_table(tmp_path / "a" / "positions.csv")[0].field) == 3


def test_a_wrong_file_of_choices_is_one_line(tmp_path):
    config = tmp_path / "choices.toml"
    config.write_text("smoothing = 4")
    line = refused("analyze", tmp_path, "--config", config, "--out", tmp_path / "a")
    assert all(part in line for part in (str(config), "smoothing = 4"))
    assert not (tmp_path / "a").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--smoothing", 4), ("--smoothing = 4",)),
        (("--baseline", 6), ("--baseline = 6",)),
        (("--baseline", "off"), ("--baseline", "off")),
        (("--g", 0), ("--g = 0",)),
        (("--near", "nan"), ("--near", "nan")),
        (("--phase-deg", "inf"), ("--phase-deg", "inf")),
        (("--frequency-ghz", 0), ("--frequency-ghz = 0",)),
        (("--near", 338, "--strongest"), ("--near = 338",)),
        (("--config", "none.toml"), ("none.toml",)),
    ],
)
def test_wrong_options_are_one_line(tmp_path, options, named):
    line = refused("analyze", tmp_path, "--out", tmp_path / "a", *options)
    assert all(part in line for part in named)


def test_mistakes_leave_what_was_there(tmp_path):
    source, out = files.matrix(tmp_path), tmp_path / "a"
    out.mkdir()
    before = '<meta name="generator" content="diffdip 0.1.0">of before'
    (out / "report.html").write_text(before)
    two = files.several_lines(tmp_path)
    line = refused("analyze", two, "--out", out)
    assert all(word in line for word in ("--strongest", "--near", "340.0"))
    assert "none.xml" in refused("analyze", tmp_path / "none.xml", "--out", out)
    assert str(source) in refused("analyze", source, "--out", source)
    single = tmp_path / "one"
    single.mkdir()
    (single / "film_10deg.xml").write_bytes(files.xml(10.0))
    assert str(single) in refused("analyze", single, "--out", single)
    assert "10°" in refused("analyze", single, "--out", out)
    assert contents(out) == {"report.html": before.encode()}


@pytest.mark.slow
@needs_goniometer
def test_the_goniometer_folder(tmp_path):
    source = tmp_path / "goniometer"
    shutil.copytree(GONIOMETER, source)
    done = run("analyze", source, "--out", tmp_path / "a")
    assert (done.exit_code, done.stderr) == (0, ""), done.output
    found = stored(tmp_path / "a")
    expected = stepwise(tmp_path, source)
    # the noise explains a small part of the residuals, so that the errors are multiplied
    factor = np.sqrt(expected["reduced_chi2"])
    assert factor == pytest.approx(23.5, abs=0.1)
    assert found["fit"]["error_factor"] == pytest.approx(factor, rel=1e-3)
    warnings = [*found["fit"]["flags"], *found["fit"]["warnings"]]
    assert {"scaled-errors", "definitions-differ", "g-or-A"} <= set(codes(warnings))
    for name, entry in expected["parameters"].items():
        ours = found["fit"]["parameters"][name]
        assert ours["value"] == pytest.approx(entry["value"], rel=1e-4)
        if entry["free"]:
            assert ours["standard_error"] == pytest.approx(entry["standard_error"], 1e-4)
    report = page(tmp_path / "a")
    assert all(flag["message"] in report.text for flag in warnings)
    for numbers_of_flags in ("23.5", "0.08338 mT", "A = 0.926 mT at g = 2 ", "g = 2.0041"):
        assert numbers_of_flags in report.text
    value = found["fit"]["parameters"]["A_mT"]
    assert f"{value['value']:.5f} ± {value['standard_error']:.5f}" in report.text
    assert "MS-5000 [11-0096]" in report.text
    assert "that of each angle, from the files" in report.text


def test_numbers_of_a_column_have_the_same_decimals():
    spectra = read_spectra_without_attributes()
    rng = np.random.default_rng(0)
    noise = 10.0 ** np.linspace(-4, -2.5, 7)[:, None] * rng.normal(size=spectra["signal"].shape)
    spectra["signal"] += noise
    spectra["angle"] = [-0.00997925, *spectra["angle"].values[1:-1], 179.999]
    found = diffdip.analyze(spectra)
    report = Page(analysis_files(found)["report.html"].decode())
    assert "7 spectra from −0.01 to 180°" in report.text
    start = report.cells.index("−0.01")
    rows = np.reshape(report.cells[start : start + 42], (7, 6))
    for column in rows.T:
        assert len({len(cell.split(".")[1]) for cell in column}) == 1
    assert rows[-1, 0] == "180.00"
    np.testing.assert_allclose(
        rows[:, 2].astype(float),
        1e3 * found.positions.sigma,
        atol=0.05e3 * found.positions.sigma.min(),
    )


def test_a_dataset_of_ones_own_needs_no_attributes():
    spectra = read_spectra_without_attributes()
    found = diffdip.analyze(spectra, diffdip.Choices(definition="midpoint"))
    assert found.name == "sample"
    made = analysis_files(found)
    assert made.keys() == WRITTEN
    assert "7 spectra from 0 to 180°" in Page(made["report.html"].decode()).text


def read_spectra_without_attributes():
    angle, field = np.linspace(0, 180, 7), files.FIELD
    x = field - 338 - np.cos(2 * np.radians(angle))[:, None]
    coordinates = {"angle": angle, "field": field, "frequency": ("angle", np.full(7, 9.45))}
    return xr.Dataset(
        {"signal": (("angle", "field"), -x * np.exp(-(x**2) / 2))}, coords=coordinates
    )
