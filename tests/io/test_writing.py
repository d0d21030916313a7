"""Files are complete or not there at all."""

import os
from pathlib import Path

import pytest

from diffdip.io import OutputError, write_files
from diffdip.io.writing import check_origins, csv_bytes


def test_files_are_written_and_replaced(tmp_path):
    folder = tmp_path / "new" / "results"
    written = write_files(folder, {"a.txt": b"one of diffdip", "b.txt": b"two"})
    assert written == [folder / "a.txt", folder / "b.txt"]
    write_files(folder, {"a.txt": b"three"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.txt": b"three",
        "b.txt": b"two",
    }


OURS = {"fit.json": b'{"diffdip": 1}', "points.csv": b"angle,field\n0,1\n"}
MADE_BY_US = {
    "json": {"fit.json": b'{"diffdip": 0}'},
    "table beside our json": {**OURS, "points.csv": b"angle,field\n5,6\n7,8\n"},
    "table with our comment": {"points.csv": b"# diffdip 0.1.0\nangle,field\n5,6\n"},
    "table with our quoted comment": {"points.csv": b'"# diffdip 1, a"\nangle,field\n5,6\n'},
    "table with our settings": {"points.csv": b'# {"diffdip": "0.1.0"}\nangle,field\n5,6\n'},
}
FOREIGN = {
    "json": {"fit.json": b'{"g": 2}'},
    "table with the same columns": {"points.csv": b"angle,field\n5,6\n"},
    "table with other columns beside our json": {**OURS, "points.csv": b"angle,mT\n5,6\n"},
    "table whose comment mentions us": {"points.csv": b"# for diffdip\nangle,field\n5,6\n"},
    "json that mentions us": {"fit.json": b'{"path": "/home/me/diffdip/a.csv"}'},
    "table that mentions us in a cell": {"points.csv": b"angle,field,by\n5,6,diffdip\n"},
    "table and foreign json": {"fit.json": b"{}", "points.csv": b"angle,field\n5,6\n"},
}


def test_text_that_a_spreadsheet_would_compute_is_quoted():
    rows = [["=1+1", -1.5], ["@x", 2], ["-a", 3], ["a=b", 4]]
    lines = csv_bytes("sample x", rows).decode().splitlines()
    assert lines == ["sample,x", "'=1+1,-1.5", "'@x,2", "'-a,3", "a=b,4"]


def test_parts_are_removed_at_a_keyboard_interrupt(tmp_path, monkeypatch):
    """As in a notebook, where no handler ends the process."""

    def interrupted(part, target):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path / "new", {"a.txt": b"1", "b.txt": b"2"})
    assert list((tmp_path / "new").iterdir()) == []


def put(folder, files):
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.mark.parametrize("case", MADE_BY_US)
def test_results_of_before_are_replaced(tmp_path, case):
    put(tmp_path, MADE_BY_US[case])
    write_files(tmp_path, OURS)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == OURS


@pytest.mark.parametrize("case", FOREIGN)
def test_what_diffdip_did_not_write_is_replaced_by_force_only(tmp_path, case):
    put(tmp_path, FOREIGN[case])
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match=r"no earlier result|other columns"):
        write_files(tmp_path, OURS)
    assert snapshot(tmp_path) == before
    write_files(tmp_path, OURS, force=True)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == OURS


def test_figures_of_earlier_versions_have_no_mark(tmp_path):
    put(tmp_path, {**OURS, "fit.png": b"a picture without a mark"})
    write_files(tmp_path, {**OURS, "fit.png": b"Software\0diffdip"})
    assert (tmp_path / "fit.png").read_bytes() == b"Software\0diffdip"
    (tmp_path / "fit.json").unlink()
    (tmp_path / "fit.png").write_bytes(b"a photograph")
    with pytest.raises(OutputError, match="no earlier result"):
        write_files(tmp_path, {**OURS, "fit.png": b"Software\0diffdip"})


def test_a_long_computation_is_refused_before_it_starts(tmp_path):
    names = dict.fromkeys(OURS, b"")
    check_origins(tmp_path, names)
    put(tmp_path, OURS)
    check_origins(tmp_path, names)
    (tmp_path / "fit.json").write_bytes(b"mine")
    with pytest.raises(OutputError, match="no earlier result"):
        check_origins(tmp_path, names)


def test_an_input_is_never_replaced(tmp_path):
    put(tmp_path, OURS)
    (tmp_path / "link.json").symlink_to(tmp_path / "fit.json")
    (tmp_path / "hard.json").hardlink_to(tmp_path / "fit.json")
    before = snapshot(tmp_path)
    for source in ("fit.json", "link.json", "hard.json"):
        with pytest.raises(OutputError, match="is the input"):
            write_files(tmp_path, OURS, inputs=[tmp_path / source], force=True)
    with pytest.raises(OutputError, match="lies in the folder that is read"):
        write_files(tmp_path, {"new.csv": b"a"}, inputs=[tmp_path], force=True)
    assert snapshot(tmp_path) == before
    write_files(tmp_path / "results", {"new.csv": b"a"}, inputs=[tmp_path])


def snapshot(folder):
    return {path: path.is_file() and path.read_bytes() for path in folder.rglob("*")}


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "out").write_text("mine")
    before = snapshot(tmp_path)
    for folder in (tmp_path / "out", tmp_path / "out" / "deeper"):
        with pytest.raises(OutputError) as caught:
            write_files(folder, {"a.txt": b"one"})
        assert str(tmp_path / "out") in str(caught.value)
        assert snapshot(tmp_path) == before


def test_a_folder_where_a_file_should_be(tmp_path):
    (tmp_path / "b.txt").mkdir()
    before = snapshot(tmp_path)
    with pytest.raises(OutputError, match=r"b\.txt"):
        write_files(tmp_path, {"a.txt": b"one", "b.txt": b"two"})
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize("fails", ["write", "replace"])
def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch, fails):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    if fails == "write":
        write = Path.write_bytes
        monkeypatch.setattr(
            Path, "write_bytes", lambda p, d: write(p, d) if "a.txt" in p.name else full()
        )
    else:
        monkeypatch.setattr(os, "replace", full)
    folder = tmp_path / "new" / "results"
    with pytest.raises(OutputError, match=r"results.*No space left on device"):
        write_files(folder, {"a.txt": b"one", "b.txt": b"two"})
    assert list(tmp_path.iterdir()) == []


def test_an_impossible_name(tmp_path):
    with pytest.raises(OutputError, match="embedded null"):
        write_files(tmp_path / "a\0b", {"a.txt": b"one"})
