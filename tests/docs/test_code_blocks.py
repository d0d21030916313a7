"""The documentation as a reader uses it: Python blocks run, commands exist."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import typer.main

from diffdip import larmor_field
from diffdip.cli import app


ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PYTHON_PAGES = {"README.md", "conventions.md", "ensembles.md", "fit_a_series.md", "flags.md"}
PYTHON_PAGES |= {
    "energies.md",
    "line_widths.md",
    "parallel_moments.md",
    "from_spectra.md",
    "in_python.md",
    "physics.md",
    "sensitivity_and_inference.md",
    "start.md",
}
"""Pages with Python, each of which has a test of what it finds; test_start.py has that of Start."""

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SCRIPT_OF_SHELL = re.compile(r"^```bash\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?: {4}(?:srun )?|srun )(diffdip\b.*)$", re.MULTILINE)
TARGET = re.compile(r"^ {4}make (\S+)", re.MULTILINE)
SCRIPT = re.compile(r"\b(experiments/[\w/]+\.py)\b")


def text(page):
    return page.read_text(encoding="utf-8")


def commands():
    for page in PAGES:
        for line in COMMAND.findall(text(page)):
            yield pytest.param(line, id=f"{page.name}: {line}")


def numbers(printed):
    """All numbers of a printed text."""
    return [float(word) for word in re.findall(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?", printed)]


@pytest.fixture
def run_python(tmp_path, monkeypatch, capsys):
    """Runs the blocks of a page in order; their variables, and what they print."""
    monkeypatch.chdir(tmp_path)
    precision = jax.config.jax_enable_x64

    def run(name):
        assert name in PYTHON_PAGES
        [page] = [page for page in PAGES if page.name == name]
        namespace = {"__name__": page.stem}
        for block in PYTHON.findall(text(page)):
            exec(compile(block, str(page), "exec"), namespace)
        return namespace, capsys.readouterr().out

    yield run
    jax.config.update("jax_enable_x64", precision)


def test_every_page_with_python_is_known():
    assert {page.name for page in PAGES if PYTHON.search(text(page))} == PYTHON_PAGES


@pytest.mark.slow
@pytest.mark.float32
def test_python_of_readme(run_python):
    names, printed = run_python("README.md")
    # docs/sensitivity_and_inference.md has the same samples: 10.50 mT
    median = np.median(np.abs(names["ensemble"].B))
    assert median == pytest.approx(10.50e-3, rel=1e-3)
    assert f"{1e3 * median:.3f}" in printed
    # B is linear in the moment
    assert "moment: 1.00 ± 0.00 %" in printed


@pytest.mark.float32
def test_python_of_conventions(run_python):
    _, printed = run_python("conventions.md")
    # sample I of the paper, and the fields with the other sign
    found = np.array(numbers(printed)).reshape(2, 2)
    np.testing.assert_allclose(found, [[52.95, 399.57], [647.1, 379.9]], atol=0.05)


@pytest.mark.slow
@pytest.mark.float32
def test_python_of_ensembles(run_python):
    names, printed = run_python("ensembles.md")
    median = np.median(np.abs(names["ensemble"].B))
    # 10.1 mT with 60 000 samples, in the table of the page; noise of 7 % with 500
    assert median == pytest.approx(10.1e-3, rel=0.2)
    # the law is made of 300 other samples, and knows only their close pairs
    assert numbers(printed)[-1] == pytest.approx(1e3 * median, rel=0.3)


@pytest.mark.slow
@pytest.mark.float32
def test_python_of_fit_a_series(run_python):
    names, printed = run_python("fit_a_series.md")
    fit = names["fit"]
    # experiments/goniometer_table.py wrote the table; A, B, C as docs/from_spectra.md has them
    found = [1e3 * fit.values[name] for name in "ABC"]
    np.testing.assert_allclose(found, [0.9261, 0.0837, -0.0055], atol=1e-4)
    for name, value in zip("ABC", found, strict=True):
        assert f"{name} = {value:.4f} mT" in printed


@pytest.mark.slow
def test_python_of_energies(run_python):
    """A (110) film by hand: along [001] and [1-10] M is parallel to H (Bickford's factors)."""
    _, printed = run_python("energies.md")
    first, _, last = numbers(printed)
    w0, film, cubic, uniaxial = float(larmor_field(9.45e9)), 0.9, 0.05, 0.02
    stiffness = (first + cubic - uniaxial) * (first + cubic + film)
    assert stiffness == pytest.approx(w0**2, rel=1e-6)
    stiffness = (last + cubic / 2 + uniaxial) * (last - cubic + film + uniaxial)
    assert stiffness == pytest.approx(w0**2, rel=1e-6)


@pytest.mark.slow
def test_python_of_line_widths(run_python):
    """The straight line of a Kittel plot, and 2αw0 along the axes of a film."""
    names, printed = run_python("line_widths.md")
    w0, found = np.asarray(larmor_field(names["frequency"])), names["found"]
    line = np.polyfit(2 * w0, names["width"], 1)
    np.testing.assert_allclose([found.values[n] for n in found.names], line, rtol=1e-6)
    assert not found.flags
    angles = np.array(numbers(printed)[-8:]).reshape(4, 2)[:, 1]
    np.testing.assert_allclose(angles[[0, 3]], 0.01 * float(larmor_field(9.45e9)), rtol=1e-6)
    assert angles[2] > 2 * angles[0]


@pytest.mark.slow
def test_python_of_parallel_moments(run_python):
    _, printed = run_python("parallel_moments.md")
    *rows, parallel = printed.splitlines()
    _, found, share = np.array([numbers(row) for row in rows]).T
    deviation = np.abs(found - numbers(parallel)[0])
    np.testing.assert_allclose(deviation[1:] / deviation[:-1], 0.1, rtol=0.3)
    assert 0 < 1 - share[0] < 0.1


@pytest.mark.float32
def test_python_of_flags(run_python):
    _, printed = run_python("flags.md")
    first, second = printed.splitlines()
    assert first == "film.csv: near = -1: expected a field above 0 mT"
    assert second == "near -1.0 ('film.csv',)"


@pytest.mark.slow
@pytest.mark.float32
def test_python_of_from_spectra(run_python):
    names, _ = run_python("from_spectra.md")
    found = names["found"]
    for name, tesla in {"A": 0.060, "B": 0.040, "C": 0.0}.items():
        error = found.standard_errors[name]
        assert 0 < error < 1e-3
        assert abs(found.values[name] - tesla) < 4 * error


@pytest.mark.slow
@pytest.mark.float32
def test_python_of_in_python(run_python):
    names, printed = run_python("in_python.md")
    assert "(200, 3)" in printed
    # sample I at 0°, and sample II, whose B is 24.1 mT
    np.testing.assert_allclose(np.nanmax(names["branches"].field), 0.05295, atol=1e-5)
    low, high = names["posterior"].intervals["B"]["68"]
    assert low < 0.0241 < high
    # −K u_z⁴ of the term, and ½ M_eff u_z² of the film, at u_z = 0.8
    energy = float(names["energy"](jnp.array([0.0, 0.6, 0.8])))
    assert energy == pytest.approx(-0.02 * 0.8**4 + 0.5 * 0.8 * 0.8**2, rel=1e-6)


@pytest.mark.float32
def test_python_of_physics(run_python):
    _, printed = run_python("physics.md")
    found, by_hand = numbers(printed)
    assert found == by_hand == pytest.approx(52.95, abs=5e-3)


@pytest.mark.slow
@pytest.mark.float32
def test_python_of_sensitivity_and_inference(run_python):
    _, printed = run_python("sensitivity_and_inference.md")
    assert numbers(printed) == [pytest.approx(1.0, abs=1e-5)]


@pytest.mark.parametrize("line", list(commands()))
def test_commands_and_their_options_exist(line):
    name, *arguments = shlex.split(line, comments=True)[1:]
    group = typer.main.get_command(app)
    if name.startswith("--"):
        assert name in {"--help"} | {option for one in group.params for option in one.opts}
        return
    command = group.get_command(None, name)
    assert command is not None
    # refuses unknown options, but does not look for the files
    context = command.context_class(command, info_name=name)
    command.make_parser(context).parse_args(list(arguments))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_scripts_of_the_shell_are_valid():
    scripts = [script for page in PAGES for script in SCRIPT_OF_SHELL.findall(text(page))]
    assert scripts
    for script in scripts:
        done = subprocess.run(
            ["bash", "-n"], input=script, text=True, capture_output=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, ""), script


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_and_scripts_exist(page):
    makefile = text(ROOT / "Makefile")
    for target in TARGET.findall(text(page)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for script in SCRIPT.findall(text(page)):
        assert (ROOT / script).is_file(), script
