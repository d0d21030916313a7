"""Files are complete or not there at all."""

import os
from pathlib import Path

import pytest

from diffdip.io import OutputError, write_files


def test_files_are_written_and_replaced(tmp_path):
    folder = tmp_path / "new" / "results"
    written = write_files(folder, {"a.txt": b"one", "b.txt": b"two"})
    assert written == [folder / "a.txt", folder / "b.txt"]
    write_files(folder, {"a.txt": b"three"})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "a.txt": b"three",
        "b.txt": b"two",
    }


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
