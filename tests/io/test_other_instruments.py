"""Instruments that write one file for each sweep: synthetic files, and real ones beside them."""

import csv
import json
import re
import struct
from contextlib import contextmanager

import numpy as np
import pytest

from diffdip.foundation.errors import InputError
from diffdip.io import SpectrumError, read_spectra
from diffdip.io.file_kinds import kind_of
from tests.helpers import instrument_files as made, spectra_files as files
from tests.helpers.raw_data import EPRFILES, needs_eprfiles
from tests.helpers.reading import refusal


NAMES = {
    "active spectrum": "Active Spectrum",
    "adani text": "Adani text",
    "adani json": "Adani JSON",
    "adani parts": "Adani JSON",
    "jeol": "JEOL",
    "ciqtek": "CIQTEK",
    "jcamp": "JCAMP-DX",
    "niehs text": "NIEHS text",
    "niehs dat": "NIEHS interchange",
    "niehs binary": "NIEHS binary",
    "specman": "SpecMan",
    "netcdf4": None,  # keeps the format of the files that it was made from
}

WITHOUT_FREQUENCY = ("niehs text", "niehs dat", "niehs binary")


@pytest.mark.parametrize("kind", NAMES)
def test_every_kind_gives_the_same_rotation(tmp_path, kind):
    spectra = read_spectra(made.KINDS[kind](tmp_path))
    np.testing.assert_array_equal(spectra["angle"], files.ANGLES)
    expected = np.stack([files.signal(angle) for angle in files.ANGLES])
    # JEOL and NIEHS binary files have float32
    np.testing.assert_allclose(spectra["signal"], expected, rtol=2e-7, atol=1e-9)
    field = np.broadcast_to(spectra["field"], expected.shape)
    np.testing.assert_allclose(field, [files.FIELD] * 3, rtol=0, atol=1e-5)
    if kind in WITHOUT_FREQUENCY:
        assert np.isnan(spectra["frequency"]).all()
    else:
        np.testing.assert_allclose(spectra["frequency"], files.FREQUENCY, rtol=1e-12)
    if NAMES[kind]:
        assert spectra.attrs["format"] == NAMES[kind]


def read_one(tmp_path, content, name="film_30deg.x"):
    """The only spectrum of a file with this content."""
    path = tmp_path / name
    path.write_bytes(content)
    return read_spectra(path)


@pytest.mark.parametrize("points", [512, 1024, 2048, 4096])
@pytest.mark.parametrize(("flags", "frequency"), [(0, np.nan), (1, 9.45), (2, np.nan), (3, 9.45)])
def test_dialects_of_spe(tmp_path, points, flags, frequency):
    """Fractions in hundredths or thousandths, and a frequency or none."""
    content = bytearray(made.spe(30.0, flags=flags, points=points))
    at = 2 * points
    content[at : at + 8] = struct.pack("<4h", 3380, 50, 160, 25)
    spectra = read_one(tmp_path, bytes(content), "film_30deg.spe")
    per = 1000 if flags & 2 else 100
    centre, width = 338.0 + 5 / per, 16.0 + 2.5 / per
    field = spectra["field"].values
    assert len(field) == points
    assert field[[0, -1]] == pytest.approx([centre - width / 2, centre + width / 2], abs=1e-9)
    assert spectra["frequency"].values[0] == pytest.approx(frequency, nan_ok=True)


def test_an_unmeasured_frequency_is_unknown(tmp_path):
    content = made.spe(30.0)[:-3] + bytes(3)
    assert np.isnan(read_one(tmp_path, content, "film_30deg.spe")["frequency"].values[0])
    empty = made.ciqtek(30.0).replace(b'"freq": 9.45', b'"freq": 0')
    assert np.isnan(read_one(tmp_path, empty)["frequency"].values[0])


def test_the_goniometer_counts_if_it_is_on(tmp_path):
    on = made.ciqtek(42.5, goniometer="1")
    assert read_one(tmp_path, on)["angle"].values == [42.5]
    assert read_one(tmp_path, made.ciqtek(42.5))["angle"].values == [30.0]  # from the name
    turned = made.jeol(30.0, goniometer=b"uD17.5")
    assert read_one(tmp_path, turned)["angle"].values == [17.5]
    assert read_one(tmp_path, made.jeol(30.0))["angle"].values == [30.0]


def test_lines_of_several_angles(tmp_path):
    document = json.loads(made.ciqtek(0.0))
    [line] = document["dataStore"]["lineDataList"]
    rows = [{**line, "params": {"angle": f"{angle}"}} for angle in (0, 30)]
    spectra = read_one(tmp_path, made.ciqtek(0.0, lines=rows))
    np.testing.assert_array_equal(spectra["angle"], [0, 30])
    rows = [{**line, "params": {"delay": "3"}} for _ in range(2)]
    with pytest.raises(SpectrumError, match="2 lines with 'delay' varied"):
        read_one(tmp_path, made.ciqtek(0.0, lines=rows))


@pytest.mark.parametrize("count", [4, 14])
def test_samples_over_the_modulation(tmp_path, count):
    """The wave with the phase of the file remains; a constant and a second harmonic do not."""
    spectra = read_one(tmp_path, made.adani_json(30.0, count=count, phase=1.1))
    np.testing.assert_allclose(spectra["signal"].values[0], files.signal(30.0), atol=1e-9)


FORMS = {
    "pairs": ["3300 0.5, 3340 -1; 3380 2", "3420,7 3460,0"],
    "affn": ["3300 0.5 -1", "3380 2 7 0"],
    "pac": ["3300+5-10", "3380+20+70+0"],
    "sqz": ["3300E a0", "3380 B0G0@"],
    "dif": ["3300 E j5L0", "3380 B0N0p0", "3460 @"],
    "dup": ["3300 1 U B1J", "3460 B2"],
}
"""Five signals: 0.5, -1, 2, 7, 0 (in tenths where there is a factor); `dup` has its own."""


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_jcamp(tmp_path, form):
    pairs = form == "pairs"
    layout = "(XY..XY)" if pairs else "(X++(Y..Y))"
    factor = 1 if form in ("pairs", "affn", "dup") else 0.1
    content = made.jcamp_file("XYDATA", layout, FORMS[form], points=5, factor=factor)
    spectra = read_one(tmp_path, content)
    expected = [1, 1, 1, 21, 22] if form == "dup" else [0.5, -1, 2, 7, 0]
    np.testing.assert_allclose(spectra["signal"].values[0], expected, atol=1e-12)
    np.testing.assert_allclose(spectra["field"], [330, 334, 338, 342, 346])


def test_a_field_through_t_and_mt(tmp_path):
    rows = ["0.330 1", "0.334 2", "0.338 3", "0.342 4", "0.346 5"]
    content = made.jcamp_file("XYPOINTS", "(XY..XY)", rows, unit="TESLA", points=5)
    content = content.replace(b"3300", b"0.330").replace(b"3460", b"0.346")
    np.testing.assert_allclose(read_one(tmp_path, content)["field"], [330, 334, 338, 342, 346])
    in_gauss = made.jeol(30.0, unit=b"G")
    np.testing.assert_allclose(read_one(tmp_path, in_gauss)["field"].values[[0, -1]], [33, 34.6])


def test_plain_exp_is_in_gauss(tmp_path):
    """The tools of NIEHS define two columns without a head as gauss and signal."""
    rows = made.niehs_text(30.0).split(b"[DATA]\n")[1]
    spectra = read_one(tmp_path, rows, "film_30deg.exp")
    assert spectra.attrs["format"] == "NIEHS text"
    assert spectra["field"].values[0] == pytest.approx(330.0)


def test_a_table_called_exp_is_text(tmp_path):
    text = b"field_G,signal\n3360,1\n3370,4\n3380,-4\n3390,-1\n"
    assert read_one(tmp_path, text, "film_30deg.exp").attrs["format"] == "text"


def test_a_data_file_leads_to_its_description(tmp_path):
    made.specman(tmp_path, streams=1)
    spectra = read_spectra(tmp_path / "rotation.d01")
    assert spectra.attrs["format"] == "SpecMan"
    np.testing.assert_array_equal(spectra["signal"].values[1], files.signal(30.0))


def cut(content):
    """A file without its last fifth."""
    return content[: len(content) * 4 // 5]


REFUSED = {
    "cut spe": (cut(made.spe(0.0)), "a.spe", "number of bytes"),
    "spe of another program": (bytes(4100 + 512 * 512 * 4), "a.spe", "MB|number of bytes"),
    "cut esr": (cut(made.esr(0.0)), "a.ESR", "rows of the table"),
    "esr without average": (
        made.esr(0.0).replace(b"\tAVERAGED", b"\tSWEEP 0"),
        "a.ESR",
        "3 sweeps without their average",
    ),
    "cut adani": (cut(made.adani_text(0.0)), "a.dat", "last field|row"),
    "adani of another head": (
        made.adani_text(0.0).replace(b"338,00", b"330,00"),
        "a.dat",
        "first field",
    ),
    "adani without unit": (made.adani_text(0.0).replace(b"00 mT", b"00"), "a.dat", "unit"),
    "cut adani json": (cut(made.adani_json(0.0)), "a.json", "not JSON"),
    "jeol endor": (made.jeol(0.0, unit=b"MHz"), "a", "axis in 'MHz'"),
    "jeol time": (made.jeol(0.0, unit=b"s"), "a", "axis in 's'"),
    "cut jeol": (cut(made.jeol(0.0)), "a", "number of bytes"),
    "jeol processed": (made.jeol(0.0, extra=4), "a", "number of bytes"),
    "jeol imaginary": (made.jeol(0.0, kind=b"imagi"), "a", "kind of the data"),
    "ciqtek time": (made.ciqtek(0.0, axis="Time[us]"), "a.epr", r"axis 'Time\[us\]'"),
    "ciqtek field in s": (made.ciqtek(0.0, axis="Field[s]"), "a.epr", "unit of axis"),
    "ciqtek words": (made.ciqtek(0.0).replace(b"3300.0", b'"x"'), "a.epr", "ReData"),
    "jcamp infrared": (
        made.jcamp_file("XYPOINTS", "(XY..XY)", ["1 2"], unit="1/CM"),
        "a.jdx",
        "XUNITS = '1/CM'",
    ),
    "cut jcamp": (cut(made.jcamp(0.0)), "a.jdx", "samples = |row|pairs"),
    "jcamp gap": (
        made.jcamp_file("XYDATA", "(X++(Y..Y))", ["3300 1 ?", "3460 3"], points=3),
        "a.jdx",
        "row 13: a missing signal",
    ),
    "jcamp without a row": (
        made.jcamp_file("XYDATA", "(X++(Y..Y))", ["3300 1 2", "3340 3 4 5"], points=5),
        "a.jdx",
        "row 14: field of the row = 3340: expected 3380",
    ),
    "jcamp check": (
        made.jcamp_file("XYDATA", "(X++(Y..Y))", ["3300 1J", "3380 3K"], points=3),
        "a.jdx",
        "first signal of the row = 3: expected 2",
    ),
    "cut dat": (cut(made.niehs_dat(0.0)), "a.dat", "rows of the signal"),
    "cut lmb": (cut(made.niehs_binary(0.0)), "a.lmb", "number of bytes"),
    "exp of words": (b"[EPR]\n[DATA]\n3300 1\n3301 x\n", "a.exp", "row 4: row = '3301 x'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_whole_sweep_of_the_field(tmp_path, case):
    content, name, message = REFUSED[case]
    with pytest.raises(SpectrumError, match=message) as caught:
        read_one(tmp_path, content, name)
    assert len(str(caught.value).splitlines()) == 1
    assert str(caught.value).startswith(str(tmp_path / name))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"field": "B0 = 330 MHz to 346 MHz;p"}, "swept: 'B0', 'gonioangle'"),
        ({"field": "B0 = 330 s to 346 s;p"}, "swept: 'B0', 'gonioangle'"),
        ({"field": "B1 = 330 mT to 346 mT;p"}, "no entry 'B0' in params"),
        ({"field": "B0 = 330 mT, 331 mT;p"}, "values = 2: expected 81"),
        ({"angle": "ns"}, "axis 'gonioangle' beside the field"),
    ],
)
def test_what_specman_swept_otherwise(tmp_path, options, message):
    path = made.specman(tmp_path, **options)
    with pytest.raises(SpectrumError, match=message):
        read_spectra(path)


def test_a_specman_file_of_another_measurement(tmp_path):
    path = made.specman(tmp_path)
    data = path.with_suffix(".d01")
    content = bytearray(data.read_bytes())
    content[12:16] = struct.pack("<i", 80)
    data.write_bytes(bytes(content))
    with pytest.raises(SpectrumError, match="lengths of the axes"):
        read_spectra(path)


def test_units_of_netcdf(tmp_path):
    """A file in tesla, radians and hertz, of either kind."""
    spectra = read_spectra(files.long_table(tmp_path))
    other = spectra.assign_coords(
        field=("field", spectra["field"].values / 1e3, {"units": "T"}),
        angle=("angle", np.radians(spectra["angle"].values), {"units": "rad"}),
        frequency=("angle", spectra["frequency"].values * 1e9, {"units": "Hz"}),
    )
    classic, new = tmp_path / "classic.nc", tmp_path / "new.nc"
    other.to_netcdf(classic, engine="scipy", format="NETCDF3_64BIT")
    other.to_netcdf(new, engine="h5netcdf")
    for path in (classic, new):
        found = read_spectra(path)
        np.testing.assert_allclose(found["field"], spectra["field"], rtol=1e-14)
        np.testing.assert_allclose(found["angle"], spectra["angle"], rtol=1e-14)
        np.testing.assert_allclose(found["frequency"], spectra["frequency"], rtol=1e-14)
    other["field"].attrs["units"] = "s"
    other.to_netcdf(tmp_path / "time.nc", engine="h5netcdf")
    with pytest.raises(InputError, match="unit of array field = 's'"):
        read_spectra(tmp_path / "time.nc")


def test_packed_and_swollen_netcdf(tmp_path):
    """Values that are stored otherwise, and blocks that swell when they are unpacked."""
    import h5py

    spectra = read_spectra(files.long_table(tmp_path))
    packed = {"signal": {"dtype": "i2", "scale_factor": 0.1, "_FillValue": -1}}
    spectra.to_netcdf(tmp_path / "packed.nc", engine="h5netcdf", encoding=packed)
    with pytest.raises(SpectrumError, match="array signal has scale_factor"):
        read_spectra(tmp_path / "packed.nc")
    path = made.netcdf4(tmp_path)
    with h5py.File(path, "a") as file:
        import zlib

        data = file["signal"]
        assert isinstance(data, h5py.Dataset)
        data.id.write_direct_chunk((0, 0), zlib.compress(bytes(30_000_000)))
    with pytest.raises(SpectrumError, match="block 0 is larger than"):
        read_spectra(path)


@contextmanager
def without_signal(path):
    """A NetCDF-4 file whose signal is taken out, to be replaced, and the values of the signal."""
    import h5py

    with h5py.File(path, "a") as file:
        values = np.array(file["signal"])
        del file["signal"]
        yield file, values


@pytest.mark.parametrize("chunks", [None, (1, 1000)])
def test_netcdf_that_declares_more_than_it_has(tmp_path, chunks):
    """Values that were never written are filled in on reading, whatever their number."""
    path = made.netcdf4(tmp_path)
    with without_signal(path) as (file, _):
        file.create_dataset("signal", (3, 10_000_000), "f8", chunks=chunks)
    with pytest.raises(SpectrumError, match=r"values of float64 in a file of \d+ bytes"):
        read_spectra(path)


@pytest.mark.parametrize("compression", ["gzip", None])
def test_blocks_of_netcdf_that_are_not_there(tmp_path, compression):
    """The list of blocks that a shape needs would be made first, however long."""
    import h5py

    path = made.netcdf4(tmp_path)
    with without_signal(path) as (file, values):
        data = file.create_dataset(
            "signal", values.shape, "f8", chunks=(1, 9), compression=compression
        )
        data[:2] = values[:2]
    with pytest.raises(SpectrumError, match="18 of 27 blocks of values are stored"):
        read_spectra(path)
    with h5py.File(path, "a") as file:
        data = file["signal"]
        assert isinstance(data, h5py.Dataset)
        data[2] = values[2]
    np.testing.assert_array_equal(read_spectra(path)["signal"], values)


@pytest.mark.parametrize("length", [100_000, 100_000_000])
def test_a_netcdf_array_longer_than_its_dimension(tmp_path, length):
    """The length of the dimension is not that of the array, whose blocks would all be listed."""
    path = made.netcdf4(tmp_path)
    with without_signal(path) as (file, values):
        data = file.create_dataset(
            "signal", data=values, chunks=(3, 81), maxshape=(3, None), compression="gzip"
        )
        for axis, name in enumerate(("angle", "field")):
            data.dims[axis].attach_scale(file[name])
        data.resize((3, length))
    with pytest.raises(SpectrumError, match=r"array signal: .*(blocks of values|values of type)"):
        read_spectra(path)


def test_attribute_that_declares_more_than_it_has(tmp_path):
    """pyfive would make room for 8 GB before it reads the first value."""
    import h5py

    path = made.netcdf4(tmp_path)
    with h5py.File(path, "a") as file:
        lists = np.empty(1, object)
        lists[0] = np.arange(12_345)
        file["signal"].attrs.create("lists", lists, dtype=h5py.vlen_dtype("i8"))
    assert read_spectra(path)["signal"].size
    data = path.read_bytes()
    assert data.count(struct.pack("<I", 12_345)) == 1
    path.write_bytes(data.replace(struct.pack("<I", 12_345), struct.pack("<I", 2**30)))
    with pytest.raises(SpectrumError, match="an attribute of 1073741824 values in"):
        read_spectra(path)


def test_netcdf_that_refers_to_itself(tmp_path):
    """A header of an object whose continuation is that continuation, for ever."""
    start = b"\x89HDF\r\n\x1a\n\x02\x08\x08\x00"
    start += struct.pack("<4QI", 0, 2**64 - 1, 200, 48, 0)
    header = b"OHDR\x02\x00\x18"
    at = len(start + header) + 24
    further = struct.pack("<BHBQQI", 16, 16, 0, at, 28, 0)
    (tmp_path / "a.nc").write_bytes(start + header + further + b"OCHK" + further)
    with pytest.raises(SpectrumError, match="at byte 79, refers to itself"):
        read_spectra(tmp_path / "a.nc")


def test_netcdf_of_other_measurements(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["spectrum"] = np.arange(5.0)
    with pytest.raises(SpectrumError, match="no array angle"):
        read_spectra(tmp_path / "a.h5")


LOST = ("EMX_field1d.par", "jena_se120802.par")
"""Descriptors of which only the first line is left: the readings cannot be checked."""


@needs_eprfiles
def test_real_files_as_easyspin_reads_them():
    with (EPRFILES / "reference.tsv").open() as stream:
        rows = {row["file"]: row for row in csv.DictReader(stream, delimiter="\t")}
    checked = 0
    for file, row in rows.items():
        path = EPRFILES / file
        if file in LOST:
            assert "no entries" in refusal(path)
            continue
        if row["file"] == "loncke_endor.par":
            assert "a sweep of the field" in refusal(path)
            continue
        sweep = one_sweep(path)
        per_mt = 10 if path.suffix.lower() in (".par", ".dsc", ".esr") else 1
        found = {
            "points": len(sweep.signal),
            "first": per_mt * sweep.field_mt[0],
            "last": per_mt * sweep.field_mt[-1],
            "signal_first": sweep.signal[0],
            "signal_last": sweep.signal[-1],
            "signal_mean": sweep.signal.mean(),
            "signal_sd": sweep.signal.std(ddof=1),
        }
        for name, value in found.items():
            assert value == pytest.approx(float(row[name]), rel=1e-7, abs=1e-6), (file, name)
        checked += 1
    assert checked == len(rows) - 3 == 10


def one_sweep(path):
    """The sweep of a file, before the angle is looked for."""
    kind = kind_of(path)
    assert kind is not None
    [sweep], _ = kind.read(path)
    return sweep


@needs_eprfiles
@pytest.mark.parametrize(
    ("name", "start", "samples", "frequency"),
    [
        ("181007UVA7 11.15", 330.366, 8192, 9.414075),
        ("jeol-spin", 331.925, 8191, 9.459341),
    ],
)
def test_real_jeol_files(name, start, samples, frequency):
    """The axis from the tags of the spectrometer, the channels counted from the end."""
    content = (EPRFILES / name).read_bytes()
    sweep = one_sweep(EPRFILES / name)
    text = content.decode("latin-1")
    centre = float(re.findall(r"cf([\d.]+)", text)[0])
    half = float(re.findall(r"sw(\d+)", text)[0])
    assert sweep.field_mt[0] == pytest.approx(start, abs=1e-3)
    assert sweep.field_mt[0] == pytest.approx(centre - half, abs=1e-3)
    # 8191 samples of 8192: the last one is a step short
    step = 2 * half / 8191
    assert sweep.field_mt[-1] == pytest.approx(centre - half + (samples - 1) * step, abs=2e-3)
    assert sweep.frequency_ghz == frequency
    numbers = struct.unpack(f"<{2 * samples}f", content[-8 * samples :])
    np.testing.assert_array_equal(sweep.signal, numbers[:samples])


@needs_eprfiles
def test_real_ciqtek_file():
    """Every number of the text of the real part, without a JSON reader."""
    sweep = one_sweep(EPRFILES / "CIQTEK_1D.epr")
    text = (EPRFILES / "CIQTEK_1D.epr").read_text()
    part = text[text.index('"ReData"') : text.index('"active"')]
    numbers = np.array(re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", part), float).reshape(-1, 2)
    np.testing.assert_allclose(10 * sweep.field_mt, numbers[:, 0], rtol=1e-14)
    np.testing.assert_array_equal(sweep.signal, numbers[:, 1])
    assert len(numbers) == 1024
    assert sweep.frequency_ghz == pytest.approx(9.8027002)


@needs_eprfiles
def test_real_adani_json():
    """The parts by a pattern, turned as a complex number; six lines of manganese."""
    sweep = one_sweep(EPRFILES / "Mn.json")
    text = (EPRFILES / "Mn.json").read_text()
    parts = np.array(re.findall(r'"Points":\[([^,]+),([^\]]+)\]', text), float)
    phase = float(re.findall(r'"PhaseRadians":([\d.]+)', text)[0])
    turned = (parts[:, 0] + 1j * parts[:, 1]) * np.exp(-1j * phase)
    np.testing.assert_allclose(sweep.signal, turned.real, rtol=1e-12, atol=1e-9)
    # the phase leaves most of the signal in phase
    assert turned.real.std() > 2.5 * turned.imag.std()
    assert sweep.field_mt[[0, -1]] == pytest.approx([326.37546644, 341.37546644])
    assert sweep.frequency_ghz == 9.383722
