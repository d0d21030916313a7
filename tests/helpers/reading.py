"""What reading a file of spectra says: its refusal, or its notes."""

import pytest

from diffdip.io import SpectrumError, read_spectra


def refusal(path, **options):
    """The one line that refuses a file, which says what was expected or what to do."""
    with pytest.raises(SpectrumError) as caught:
        read_spectra(path, **options)
    [line] = str(caught.value).splitlines()
    assert caught.value.expected or caught.value.hint
    return line


def notes(spectra):
    """The notes of a dataset, empty without one."""
    return spectra.attrs.get("notes", "")
