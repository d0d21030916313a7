"""Zips that may be hostile: those that a desktop makes are unpacked, all others are refused."""

import contextlib
import io
import stat
import struct
import zipfile

import pytest
from hypothesis import given, settings, strategies as st

from diffdip.io.archive import ArchiveError, is_zip, unpack


def made(members, **options):
    """A zip of contents by name; a name may be a `ZipInfo`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return stream.getvalue()


def unpacked(folder, data, **limits):
    return {path.name: path.read_bytes() for path in unpack(data, folder, "a.zip", **limits)}


def refusal(folder, data, **limits):
    """The error of a zip that is refused; it names the zip, and nothing is written elsewhere."""
    target = folder / "target"
    target.mkdir()
    with pytest.raises(ArchiveError) as caught:
        unpack(data, target, "a.zip", **limits)
    error = caught.value
    assert error.where[0] == "a.zip"
    assert len(str(error).splitlines()) == 1
    assert str(folder) not in str(error)
    assert list(folder.iterdir()) == [target]
    return error


@pytest.mark.parametrize("prefix", ["", "sweeps/", "of/today/", "./", "./sweeps/"])
def test_files_of_one_folder_are_unpacked(tmp_path, prefix):
    members = {f"{prefix}film_10°.xml": b"ten", f"{prefix}film_20°.xml": b"twenty"}
    desktop = {"__MACOSX/sweeps/._film_10.xml": b"x", f"{prefix}.DS_Store": b"x"}
    data = made({**({prefix: b""} if prefix else {}), **members, **desktop})
    assert is_zip(data)
    assert unpacked(tmp_path, data) == {"film_10°.xml": b"ten", "film_20°.xml": b"twenty"}
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "name",
    [
        *("../outside.xml", "sweeps/../../outside.xml", "/etc/outside.xml", "sweeps/.."),
        *("C:/outside.xml", "C:outside.xml", "..\\outside.xml", "\\\\host\\outside.xml"),
    ],
)
def test_names_that_lead_elsewhere(tmp_path, name):
    entry = zipfile.ZipInfo("place")
    entry.filename = name  # the constructor would change it
    error = refusal(tmp_path, made({"good.xml": b"x", entry: b"x"}))
    assert "out of the folder" in error.what
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize("name", ["a\nb.xml", "x" * 256])
def test_other_names(tmp_path, name):
    assert len(refusal(tmp_path, made({name: b"x"})).where) == 2


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices(tmp_path, kind):
    entry = zipfile.ZipInfo("link.xml")
    entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
    error = refusal(tmp_path, made({entry: b"/etc/passwd"}))
    assert error.where == ("a.zip", "'link.xml'")
    assert "link" in error.what


def test_encrypted(tmp_path):
    data = bytearray(made({"film.xml": b"secret"}))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    error = refusal(tmp_path, bytes(data))
    assert error.where == ("a.zip", "'film.xml'")
    assert "encrypted" in error.what


def test_unusual_packing(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("film.xml", b"x" * 100)
    assert "method" in refusal(tmp_path, stream.getvalue()).what


def test_several_folders_and_none(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    error = refusal(tmp_path / "one", made({"a/1.xml": b"", "b/2.xml": b""}))
    assert "2 folders, such as 'a' and 'b'" in error.what
    assert "no files" in refusal(tmp_path / "two", made({"a/": b""})).what


def test_two_files_of_one_name(tmp_path):
    entry = zipfile.ZipInfo("film.xml")
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = made({"film.xml": b"one", entry: b"two"})
    error = refusal(tmp_path, data)
    assert error.where == ("a.zip", "'film.xml'")
    assert "File exists" in error.what


def test_too_many_members(tmp_path):
    data = made({f"{i}.xml": b"" for i in range(11)})
    assert "10 members" in refusal(tmp_path, data, max_members=10).what


def test_a_bomb_stops_at_the_limit(tmp_path):
    data = made({"film.xml": bytes(30_000_000)})
    assert len(data) < 40_000
    error = refusal(tmp_path, data, max_bytes=2_000_000)
    assert error.where == ("a.zip", "'film.xml'")
    assert "2 MB" in error.what
    assert [path.stat().st_size for path in (tmp_path / "target").iterdir()] == [2_000_001]


def test_sizes_add_up(tmp_path):
    members = {f"{i}.xml": bytes(400) for i in range(3)}
    assert len(unpacked(tmp_path, made(members), max_bytes=1200)) == 3
    (tmp_path / "again").mkdir()
    assert refusal(tmp_path / "again", made(members), max_bytes=1199).where[1] == "'2.xml'"


@pytest.mark.parametrize("declared", [10, 2**32 - 2])
def test_declared_sizes_are_not_believed(tmp_path, declared):
    """A member of 5000 bytes, whatever it declares, of which only 1000 may come out."""
    data = bytearray(made({"film.xml": bytes(5000)}))
    for signature, size in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.index(signature) + size, declared)
    target = tmp_path / "target"
    target.mkdir()
    with contextlib.suppress(ArchiveError):
        unpack(bytes(data), target, "a.zip", max_bytes=1000)
    [path] = target.iterdir()
    assert path.stat().st_size <= min(declared, 1001)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"not a zip", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_zip(tmp_path, data):
    words = "damaged zip" if len(data) < 22 else "no files"
    assert words in refusal(tmp_path, data).what


@settings(max_examples=200)
@given(
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    end=st.integers(0, 400),
    numbers=st.data(),
)
def test_damage_is_refused_or_harmless(tmp_path_factory, changes, end, numbers):
    data = bytearray(made({"sweeps/film_10.xml": b"<x/>" * 20, "sweeps/film_20.xml": b"y" * 60}))
    for place, value in changes:
        data[place % len(data)] = value
    kept = len(data) if numbers.draw(st.booleans()) else end
    folder = tmp_path_factory.mktemp("damaged")
    with contextlib.suppress(ArchiveError):
        found = unpack(bytes(data[:kept]), folder, "a.zip")
        assert all(path.parent == folder and path.is_file() for path in found)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1000
