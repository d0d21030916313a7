"""`diffdip reproduce`: what a user sees, and that mistakes cost one line, code 2 and no file."""

from pathlib import Path

import pytest

from diffdip.cli import paper
from diffdip.io import OutputError
from tests.helpers.command_line import assert_refused, run


EXPERIMENTS = Path(__file__).parent.parent.parent / "experiments"


@pytest.fixture
def scripts(monkeypatch):
    """The module that the command runs; the path is as before when the test is over."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    import reproduce

    return reproduce


@pytest.mark.slow
def test_only_the_figure_asked_for(scripts, tmp_path):
    done = run("reproduce", "--figure", "1", "--figure", "1", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["figure1.pdf", "figure1.png"]
    assert "399.575" in done.stdout
    assert "wrote figure1.png, figure1.pdf in" in done.stdout
    assert done.stderr.startswith("[1/1] Fig. 1")


def test_options_reach_the_scripts(scripts, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(
        scripts, "reproduce", lambda *given, **more: seen.append((*given, more)) or []
    )
    assert run("reproduce", "--out", tmp_path).exit_code == 0
    options = ("--quick", "--seed", 7, "--figure", 5, "--figure", 3, "--force")
    assert run("reproduce", *options, "--out", tmp_path).exit_code == 0
    assert seen == [
        (tmp_path, [], False, 0, {"force": False}),
        (tmp_path, [5, 3], True, 7, {"force": True}),
    ]


def test_parts_are_made_in_order(scripts, monkeypatch, tmp_path):
    made = []
    parts = {n: lambda work, n=n: made.append((n, work.quick, work.seed)) for n in scripts.FIGURES}
    monkeypatch.setattr(scripts, "FIGURES", parts)
    assert run("reproduce", "--figure", 5, "--figure", 3, "--out", tmp_path).exit_code == 0
    assert made == [(3, False, 0), (5, False, 0)]
    assert tuple(scripts.FIGURES) == paper.FIGURES
    assert list(scripts.ALL_PARTS)[:2] == ["first look", "Fig. 1"]


@pytest.mark.parametrize("figure", ["2", "6", "one", "1.0", ""])
def test_a_figure_that_is_not_calculated(figure, tmp_path):
    done = run("reproduce", "--figure", "1", "--figure", figure, "--out", tmp_path / "out")
    assert_refused(done, f"--figure = {figure!r}", "1, 3, 4, 5")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("seed", ["-1", str(2**32), "x"])
def test_a_seed_out_of_range(seed, tmp_path):
    done = run("reproduce", "--seed", seed, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "--seed" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_a_file(scripts, tmp_path):
    (tmp_path / "out").write_text("mine")
    done = run("reproduce", "--out", tmp_path / "out")  # all of it: said before anything is made
    assert_refused(done, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.slow
def test_finished_parts_stay(scripts, monkeypatch, tmp_path):
    def stop(work):
        raise OutputError("figure3.png: cannot be written: disk full")

    monkeypatch.setitem(scripts.FIGURES, 3, stop)
    done = run("reproduce", "--figure", 3, "--figure", 1, "--out", tmp_path)
    assert done.exit_code == 2
    assert "figure3.png" in done.stderr.splitlines()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure1.pdf", "figure1.png"]


def test_without_the_scripts(monkeypatch, tmp_path):
    monkeypatch.setattr(paper, "__file__", str(tmp_path / "diffdip" / "cli" / "paper.py"))
    assert_refused(run("reproduce", "--figure", 1), tmp_path / "diffdip")


@pytest.mark.parametrize("inside", [True, False])
def test_where_the_scripts_are(monkeypatch, tmp_path, inside):
    package = tmp_path / "diffdip"
    monkeypatch.setattr(paper, "__file__", str(package / "cli" / "paper.py"))
    folder = (package if inside else tmp_path) / "experiments"
    folder.mkdir(parents=True)
    (folder / "reproduce.py").touch()
    assert paper.scripts_folder() == folder
