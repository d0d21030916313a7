"""Damaged files of every kind: 200 each here, and 10 000 by `python tests/fuzz_spectra.py`."""

import fuzz_spectra
import pytest
import spectra_files as files

from diffdip.io import sources


@pytest.mark.parametrize("kind", files.KINDS)
def test_damaged_files_are_refused_in_words(tmp_path, kind):
    outcomes, slowest, peak = fuzz_spectra.run(kind, 200, 2, tmp_path, traced=20)
    assert outcomes["refused"] > 60
    assert outcomes["read"] > 5  # else it is the wrong files that are damaged
    assert slowest < 2
    assert peak < 20e6


def test_another_exception_is_told(tmp_path, monkeypatch):
    def fail(path):
        raise KeyError("MwFreq")

    monkeypatch.setattr(sources, "read_magnettech", fail)
    with pytest.raises(AssertionError, match=r"KeyError\('MwFreq'\)"):
        fuzz_spectra.run("magnettech", 5, 1, tmp_path)


def test_the_memory_of_a_reader_is_seen(tmp_path, monkeypatch):
    read = sources.read_text

    def wasteful(path):
        assert len(bytes(30_000_000)) > 0
        return read(path)

    monkeypatch.setattr(sources, "read_text", wasteful)
    assert fuzz_spectra.run("matrix", 3, 1, tmp_path, traced=1)[2] > 29e6
