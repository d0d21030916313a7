"""The documentation as a reader uses it: Python blocks run, commands and links exist."""

import re
import shlex
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import typer.main

from diffdip.cli import app


ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
SLOW = {"README.md", "ensembles.md", "in_python.md", "from_spectra.md"}
SLOW |= {"fit_a_series.md", "sensitivity_and_inference.md"}
"""Pages whose Python takes more than a few seconds."""

PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^ {4}(?:srun )?(diffdip\b.*)$", re.MULTILINE)
TARGET = re.compile(r"^ {4}make (\S+)", re.MULTILINE)
SCRIPT = re.compile(r"\b(experiments/[\w/]+\.py)\b")
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)]*)?\)")


def text(page):
    return page.read_text(encoding="utf-8")


def python_pages():
    for page in PAGES:
        if PYTHON.search(text(page)):
            marks = [pytest.mark.slow] if page.name in SLOW else []
            yield pytest.param(page, id=page.name, marks=marks)


def commands():
    for page in PAGES:
        for line in COMMAND.findall(text(page)):
            yield pytest.param(line, id=f"{page.name}: {line}")


def numbers(printed):
    """All numbers of a printed text."""
    return [float(word) for word in re.findall(r"-?\d+\.?\d*(?:[eE][-+]?\d+)?", printed)]


def readme(names, printed):
    # docs/sensitivity_and_inference.md has the same samples: 4.375 mT
    median = np.median(np.abs(names["ensemble"].B))
    assert median == pytest.approx(4.375e-3, rel=1e-3)
    assert f"value=array({median:.8f}" in printed
    # B is linear in the moment
    assert "moment: 1.00 ± 0.00 %" in printed


def conventions(names, printed):
    # sample I of the paper, and the fields with the other sign
    found = np.array(numbers(printed)).reshape(2, 2)
    np.testing.assert_allclose(found, [[52.95, 399.57], [647.1, 379.9]], atol=0.05)


def ensembles(names, printed):
    median = np.median(np.abs(names["ensemble"].B))
    # 5.9 mT with 2000 samples, in the table of the page
    assert median == pytest.approx(5.9e-3, rel=0.1)
    # the law is made of other samples, and knows only their close pairs
    assert numbers(printed)[-1] == pytest.approx(1e3 * median, rel=0.1)


def fit_a_series(names, printed):
    fit = names["fit"]
    # experiments/goniometer_table.py wrote the table; A, B, C as docs/from_spectra.md has them
    found = [1e3 * fit.values[name] for name in "ABC"]
    np.testing.assert_allclose(found, [0.9261, 0.0837, -0.0055], atol=1e-4)
    for name, value in zip("ABC", found, strict=True):
        assert f"{name} = {value:.4f} mT" in printed


def flags(names, printed):
    first, second = printed.splitlines()
    assert first == "film.csv: near = -1: expected a field above 0 mT"
    assert second == "near -1.0 ('film.csv',)"


def from_spectra(names, printed):
    found = names["found"]
    for name, tesla in {"A": 0.060, "B": 0.040, "C": 0.0}.items():
        error = found.standard_errors[name]
        assert 0 < error < 1e-3
        assert abs(found.values[name] - tesla) < 4 * error


def in_python(names, printed):
    assert "(200, 3)" in printed
    # sample I at 0°, and sample II, whose B is 24.1 mT
    np.testing.assert_allclose(np.nanmax(names["branches"].field), 0.05295, atol=1e-5)
    low, high = names["posterior"].intervals["B"]["68"]
    assert low < 0.0241 < high
    # −K u_z⁴ of the term, and ½ M_eff u_z² of the film, at u_z = 0.8
    energy = float(names["energy"](jnp.array([0.0, 0.6, 0.8])))
    assert energy == pytest.approx(-0.02 * 0.8**4 + 0.5 * 0.8 * 0.8**2, rel=1e-6)


def sensitivity_and_inference(names, printed):
    assert numbers(printed) == [pytest.approx(1.0, abs=1e-5)]


CHECKS = {
    "README.md": readme,
    "conventions.md": conventions,
    "ensembles.md": ensembles,
    "fit_a_series.md": fit_a_series,
    "flags.md": flags,
    "from_spectra.md": from_spectra,
    "in_python.md": in_python,
    "sensitivity_and_inference.md": sensitivity_and_inference,
}
"""What the Python of each page must find, from its variables and from what it prints."""


@pytest.mark.slow
@pytest.mark.float32
@pytest.mark.parametrize("page", list(python_pages()))
def test_python_blocks_find_what_is_known(page, tmp_path, monkeypatch, capsys):
    """Each page in one fresh namespace, its blocks in order."""
    monkeypatch.chdir(tmp_path)
    precision = jax.config.jax_enable_x64
    namespace = {"__name__": page.stem}
    try:
        for block in PYTHON.findall(text(page)):
            exec(compile(block, str(page), "exec"), namespace)
    finally:
        jax.config.update("jax_enable_x64", precision)
    CHECKS[page.name](namespace, capsys.readouterr().out)


@pytest.mark.parametrize("line", list(commands()))
def test_commands_and_their_options_exist(line):
    name, *arguments = shlex.split(line, comments=True)[1:]
    group = typer.main.get_command(app)
    if name.startswith("--"):
        assert name == "--help"
        return
    command = group.get_command(None, name)
    assert command is not None
    # refuses unknown options, but does not look for the files
    context = command.context_class(command, info_name=name)
    command.make_parser(context).parse_args(list(arguments))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_targets_scripts_and_links_exist(page):
    makefile = text(ROOT / "Makefile")
    for target in TARGET.findall(text(page)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    for script in SCRIPT.findall(text(page)):
        assert (ROOT / script).is_file(), script
    for link, _ in LINK.findall(text(page)):
        if "://" not in link:
            assert (page.parent / link).exists(), link
