"""Uploads are read like the files of a folder, leave no trace, and cannot do harm."""

from pathlib import Path

import pytest
from hypothesis import given, strategies as st

from diffdip.app.uploads import Upload, choices_beside, plain_name, read_uploads
from diffdip.foundation.errors import InputError
from diffdip.io import read_spectra
from diffdip.io.sweep_files import MAX_FILES
from tests.helpers import spectra_files as files
from tests.helpers.uploaded_files import ENTITIES, HUGE_PARTS, huge, zipped


@pytest.fixture
def sweeps(tmp_path):
    """A folder of Magnettech files."""
    folder = tmp_path / "sweeps"
    folder.mkdir()
    return files.magnettech(folder)


@pytest.fixture
def no_traces(tmp_path, monkeypatch):
    """A temporary directory of this test, which is empty at its end."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    yield
    assert list(place.iterdir()) == []


@pytest.mark.usefixtures("no_traces")
@pytest.mark.parametrize("prefix", ["", "sweeps/"])
def test_a_zip_is_read_as_its_folder(sweeps, prefix, monkeypatch):
    monkeypatch.chdir(sweeps.parent)
    found = read_uploads([Upload("sweeps.zip", zipped(sweeps, prefix))])
    assert found.identical(read_spectra("sweeps"))


@pytest.mark.usefixtures("no_traces")
def test_files_are_read_as_a_folder(sweeps):
    uploads = [Upload(path.name, path.read_bytes()) for path in sweeps.iterdir()]
    assert read_uploads(uploads).attrs["title"] == "spectra"
    files.bes3t(sweeps)
    pair = [Upload(path.name, path.read_bytes()) for path in sweeps.glob("rotation.*")]
    assert read_uploads(pair).attrs["title"] == "rotation"
    assert read_uploads(pair)["angle"].values.tolist() == [0, 30, 60]


@pytest.mark.usefixtures("no_traces")
def test_choices_of_the_folder(sweeps):
    (sweeps / "diffdip.toml").write_text("definition = 'midpoint'\n")
    assert choices_beside([Upload("a.zip", zipped(sweeps))]) == {"definition": "midpoint"}
    assert choices_beside([Upload("a.csv", b"x")]) == {}
    (sweeps / "diffdip.toml").write_text("colour = 1\n")
    with pytest.raises(InputError, match=r"^a/diffdip.toml: .*'colour'"):
        choices_beside([Upload("a.zip", zipped(sweeps))])


@pytest.mark.usefixtures("no_traces")
def test_messages_name_the_files_of_the_sender(sweeps, tmp_path):
    (tmp_path / "huge").mkdir()
    cases = [
        ({"../film <b>.xml": ENTITIES}, ["film _b_.xml"]),
        (huge(tmp_path / "huge"), HUGE_PARTS),
        ({"a.zip": b"PK\x03\x04"}, ["a.zip"]),
        ({"a.zip": zipped(sweeps), "b.xml": b""}, ["a.zip"]),
        ({"x/b.xml": b"", "b.xml": b""}, ["b.xml"]),
        ({"film.bin": b"\x00\x01"}, ["film.bin"]),
    ]
    for uploads, parts in cases:
        with pytest.raises(InputError) as error:
            read_uploads([Upload(*item) for item in uploads.items()])
        assert all(part in str(error.value) for part in parts)
        assert str(tmp_path) not in str(error.value)
    with pytest.raises(InputError, match=f"{MAX_FILES + 1} files"):
        read_uploads([Upload("a", b"")] * (MAX_FILES + 1))


def test_files_that_were_left_out_are_named(sweeps):
    (sweeps / "sweep_90.xml").write_bytes(ENTITIES)
    found = read_uploads([Upload("sweeps.zip", zipped(sweeps))], skip_damaged=True)
    assert found.attrs["skipped"].startswith("sweep_90.xml: ")


@given(st.text())
def test_plain_names_lead_nowhere(name):
    plain = plain_name(name)
    assert Path(plain).name == plain == plain_name(plain)
    assert not plain.startswith(".")
    assert 0 < len(plain.encode(errors="surrogatepass")) < 256
