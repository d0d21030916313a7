"""The page Start: every file and command of it, in its order, with what it promises."""

import csv
import json
import shlex

import jax
import pytest

from tests.helpers.command_line import run
from tests.helpers.start_page import PAGE, File, steps


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder to work in, with JAX as a user has it."""
    monkeypatch.chdir(tmp_path)
    with jax.enable_x64(False):
        yield tmp_path


@pytest.mark.slow
def test_start_as_printed(folder):
    commands = []
    for step in steps():
        if isinstance(step, File):
            (folder / step.name).write_text(step.text, encoding="utf-8")
            continue
        name, *arguments = shlex.split(step.line)
        commands.append(arguments[0])
        if name == "python":
            text = (folder / arguments[0]).read_text(encoding="utf-8")
            exec(compile(text, arguments[0], "exec"), {"__name__": "__main__"})
            continue
        assert name == "diffdip"
        done = run(*arguments)
        assert (done.exit_code, done.stderr) == (0, ""), done.output
    assert commands == ["fit", "fit", "make_spectra.py", "analyze", "ensemble", "export"]

    [example] = json.loads((folder / "fit" / "fit.json").read_text(encoding="utf-8"))["fits"]
    assert "g-or-A" in codes(example)
    page = " ".join(PAGE.read_text(encoding="utf-8").split())
    for name in ("A_mT", "B_mT", "C_mT"):
        found = example["parameters"][name]
        printed = f"{found['value']:.5f} ± {found['standard_error']:.5f}"
        assert f"{name.replace('_mT', ' (mT)')} {printed}" in page
    assert {path.name for path in (folder / "fit").iterdir()} >= {"fit.png", "fit.pdf"}

    # the table and the spectra were made with A = 60 and B = 40 mT
    [mine] = json.loads((folder / "mine" / "fit.json").read_text(encoding="utf-8"))["fits"]
    assert_a_and_b(mine["parameters"])
    analysis = json.loads((folder / "report" / "analysis.json").read_text(encoding="utf-8"))
    assert_a_and_b(analysis["fit"]["parameters"])
    assert codes(analysis["fit"]) == {"g-or-A"}
    assert (folder / "report" / "report.html").is_file()

    with open(folder / "run.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(line for line in file if not line.startswith("#")))
    assert len(rows) == 1 + 200


def codes(fit):
    return {flag["code"] for flag in fit["flags"] + fit["warnings"]}


def assert_a_and_b(parameters):
    for name, value in {"A_mT": 60.0, "B_mT": 40.0}.items():
        found = parameters[name]
        assert 0 < found["standard_error"] < 0.3
        assert abs(found["value"] - value) < 4 * found["standard_error"]
