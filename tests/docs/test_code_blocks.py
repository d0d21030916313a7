"""The documentation as a reader uses it: Python blocks run, commands and links exist."""

import re
import shlex
from pathlib import Path

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


@pytest.mark.float32
@pytest.mark.parametrize("page", list(python_pages()))
def test_python_blocks_run(page, tmp_path, monkeypatch, capsys):
    """Each page in one fresh namespace, its blocks in order."""
    import jax

    monkeypatch.chdir(tmp_path)
    precision = jax.config.jax_enable_x64
    namespace = {"__name__": page.stem}
    try:
        for block in PYTHON.findall(text(page)):
            exec(compile(block, str(page), "exec"), namespace)
    finally:
        jax.config.update("jax_enable_x64", precision)


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
