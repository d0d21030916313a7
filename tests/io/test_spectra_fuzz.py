"""Damaged files of every kind: 200 each; `python -m tests.helpers.fuzz_spectra` reads 10 000."""

import time

import pytest

from diffdip.io import file_kinds
from tests.helpers import fuzz_spectra


@pytest.mark.slow
@pytest.mark.parametrize("kind", fuzz_spectra.KINDS)
def test_damaged_files_are_refused(tmp_path, kind):
    outcomes, _, _ = fuzz_spectra.run(kind, 200, 2, tmp_path, traced=20)
    assert outcomes["refused"] > 60
    # otherwise the damage is too heavy; in a zip a checksum finds nearly all of it
    assert kind == "zip" or outcomes["read"] > (0 if kind in fuzz_spectra.OTHERS else 5)


def test_another_exception_is_reported(tmp_path, monkeypatch):
    def fail(path):
        raise KeyError("MwFreq")

    monkeypatch.setattr(file_kinds, "read_magnettech", fail)
    with pytest.raises(AssertionError, match=r"KeyError\('MwFreq'\)"):
        fuzz_spectra.run("magnettech", 5, 1, tmp_path)


def test_the_memory_of_a_reader_is_seen(tmp_path, monkeypatch):
    read = file_kinds.read_text_sweeps

    def wasteful(path):
        assert len(bytes(30_000_000)) > 0
        return read(path)

    monkeypatch.setattr(file_kinds, "read_text_sweeps", wasteful)
    with pytest.raises(AssertionError, match=r"matrix.*: 3\d MB for"):
        fuzz_spectra.run("matrix", 3, 1, tmp_path, traced=1)


def test_a_slow_reader_is_seen(tmp_path, monkeypatch):
    read = file_kinds.read_text_sweeps

    def slow(path):
        until = time.process_time() + 0.2
        while time.process_time() < until:
            pass
        return read(path)

    monkeypatch.setattr(file_kinds, "read_text_sweeps", slow)
    monkeypatch.setattr(fuzz_spectra, "LONGEST", 0.1)
    with pytest.raises(AssertionError, match=r"matrix.*: 0\.\d s for"):
        fuzz_spectra.run("matrix", 3, 1, tmp_path)
