"""`diffdip infer`: the density behind samples, files that read back, one line for a mistake."""

import numpy as np
import pytest

from diffdip.io import read_anisotropies
from tests.helpers.command_line import assert_refused, run
from tests.helpers.model_commands import SMALL, drawn, read_csv, strict_json


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """A and B of 100 samples at a density of 3 nm⁻³, in gauss and mT, and a row without B."""
    found = drawn(3.0, 100, seed=5)
    path = tmp_path_factory.mktemp("measured") / "measured.csv"
    pairs = zip(found.A.tolist(), found.B.tolist(), strict=True)
    rows = [f"{i},{1e4 * a},{1e3 * b}" for i, (a, b) in enumerate(pairs)]
    path.write_text("sample,A (G),B_mT,C_mT\n" + ",\n".join([*rows, "x,1,"]) + ",\n")
    return path


@pytest.mark.slow
def test_inference_finds_the_density(tmp_path, measured):
    options = ["--parameter", "density", "--steps", "12", "--out", tmp_path / "out"]
    done = run("infer", measured, *SMALL, *options)
    assert done.exit_code == 0, done.output
    for word in ("density", "nm⁻³", "yes", "100 measured samples", "chi2 = ", "infer.json"):
        assert word in done.stdout
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {f"infer.{kind}" for kind in ("json", "csv", "png", "pdf")}
    document = strict_json(tmp_path / "out" / "infer.json")
    density = document["parameters"]["density"]
    assert density["value"] == pytest.approx(3.0, rel=0.3)
    low, high = density["interval_95"]
    assert low < density["value"] < high
    assert density["identifiable"] is True
    assert document["input"] == str(measured)
    assert document["convention"] == "paper"
    settings = document["settings"]
    assert (settings["measured"], settings["left_out"], settings["steps"]) == (100, 1, 12)
    assert settings["start"]["density"] == 2.0
    assert settings["model"]["density"] == pytest.approx(density["value"], rel=1e-5)
    [row] = read_csv(tmp_path / "out" / "infer.csv")
    assert (row["parameter"], row["unit"], row["identifiable"]) == ("density", "nm^-3", "1")
    assert float(row["low_68"]) == pytest.approx(density["interval_68"][0])


@pytest.mark.slow
def test_a_product_leaves_its_factors_open(tmp_path, measured):
    """Only the product of density and moment is determined."""
    options = ["--parameter", "density", "--parameter", "moment", "--steps", "3"]
    done = run("infer", measured, *SMALL, *options, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout.count(" open ") == 4
    row = read_csv(tmp_path / "infer.csv")[0]
    assert (row["identifiable"], row["high_68"]) == ("0", "")
    assert strict_json(tmp_path / "infer.json")["parameters"]["density"]["interval_68"] is None


@pytest.mark.slow
def test_tables_of_anisotropies(measured, tmp_path):
    data = read_anisotropies(measured)
    found = drawn(3.0, 100, seed=5)
    np.testing.assert_allclose(data.A, found.A, rtol=1e-6)
    np.testing.assert_allclose(data.B, found.B, rtol=1e-6)
    path = tmp_path / "excel.csv"
    path.write_text("# a comment\n|B| (T);A [mT]\n0,5;-1,5\n0,25;2\n")
    data = read_anisotropies(path)
    np.testing.assert_allclose(data.A, [-1.5e-3, 2e-3])
    np.testing.assert_allclose(data.B, [0.5, 0.25])
    # a tail as long as that of the printed packings
    path.write_text("A_mT,B_mT\n1,2\n3,-136370.9\n4,5\n")
    np.testing.assert_allclose(read_anisotropies(path).B, [2e-3, -136.3709, 5e-3])


BAD_TABLES = {
    "text": ("A_mT,B_mT\n1,2\n1,x\n", ["row 3", "B_mT", "'x'"]),
    "nan": ("A_mT,B_mT\nnan,2\n", ["row 2", "A_mT", "nan"]),
    "no unit": ("A,B_mT\n1,2\n", ["row 1", "'A'"]),
    "no B": ("A_mT,angle_deg\n1,2\n", ["row 1", "B_mT"]),
    "huge": ("A_mT,B_mT\n1,2e6\n3,4e5\n", ["B_mT", "1.2e+03 T", "unit"]),
    "infinite": ("A_mT,B_mT\n1,1e999\n", ["row 2", "B_mT", "1e999"]),
    "few": ("A_mT,B_mT\n1,2\n3,4\n5,\n", ["2 rows", "10"]),
    "empty": ("", []),
}
"""Content of a table, and what the message names besides the file."""


@pytest.mark.parametrize("case", BAD_TABLES)
def test_a_bad_table_is_one_line(tmp_path, case):
    content, parts = BAD_TABLES[case]
    path = tmp_path / "measured.csv"
    path.write_text(content)
    options = ["--parameter", "density", "--out", tmp_path / "out"]
    assert_refused(run("infer", path, *SMALL, *options), path, *parts)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_bad_option_is_one_line(tmp_path, measured):
    for name, given in (("colour", "colour"), ("dipoles", "n")):
        done = run("infer", measured, *SMALL, "--parameter", name)
        assert_refused(done, f"--parameter = '{given}'")
    good = ["--parameter", "density"]
    assert_refused(run("infer", tmp_path / "none.csv", *good), "none.csv")
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert_refused(run("infer", measured, *good, "--out", taken), "--out", taken)
    assert taken.read_text() == "mine"
