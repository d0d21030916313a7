"""Samples of sweeps up and down in one table, sorted by field: apart, refused or said."""

import numpy as np
import pytest
import xarray as xr

from diffdip import find_lines, line_positions
from diffdip.foundation.errors import InputError
from diffdip.io import SpectrumError, read_spectra, write_spectra
from diffdip.spectra.line_selection import each_sweep
from diffdip.spectra.mixed_sweeps import are_mixed
from tests.helpers import instrument_variants as files


FIELD = np.linspace(330.0, 346.0, 161)


def line(at, field=FIELD, noise=3.0, seed=0):
    x = field - at
    noisy = np.random.default_rng(seed).normal(scale=noise, size=len(field))
    return -1000 * x * np.exp(-(x**2) / 2) + noisy


def table(folder, rows, header="field_mT,signal"):
    path = folder / "film_30deg.csv"
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows), ""]))
    return path


def up_and_down(apart=0.4, offset=0.0):
    """Field, signal, direction and number of recording of both sweeps, sorted by field."""
    fields = FIELD, FIELD[::-1] + offset
    signals = [line(338 + apart * i, field, seed=i) for i, field in enumerate(fields)]
    numbers = range(2 * len(FIELD))
    names = ["up"] * len(FIELD) + ["down"] * len(FIELD)
    rows = zip(np.concatenate(fields), np.concatenate(signals), names, numbers, strict=True)
    return sorted(rows, key=lambda row: row[0])


ORDERS = {
    "as sorted": lambda rows: rows,
    "descending": lambda rows: rows[::-1],
    "then by signal": lambda rows: sorted(rows, key=lambda row: row[:2]),
    "ties by chance": lambda rows: sorted(rows, key=lambda row: (row[0], (7919 * row[3]) % 101)),
}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("apart", [0.1, 0.4, 2.0])
def test_each_field_twice_with_other_signals_is_refused(tmp_path, order, apart):
    rows = [row[:2] for row in ORDERS[order](up_and_down(apart))]
    with pytest.raises(SpectrumError, match="each field is there 2 times") as caught:
        read_spectra(table(tmp_path, rows))
    assert "column direction" in caught.value.hint


def test_three_sweeps_are_refused(tmp_path):
    rows = [(b, s) for at in (338.0, 338.1, 338.2) for b, s in zip(FIELD, line(at), strict=True)]
    with pytest.raises(SpectrumError, match="each field is there 3 times"):
        read_spectra(table(tmp_path, sorted(rows, key=lambda row: row[0])))


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        ("field_mT,signal,direction", lambda b, s, name, i: (b, s, name)),
        ("field_mT,signal,Branch", lambda b, s, name, i: (b, s, name)),
        ("field_mT,signal,sweep dir", lambda b, s, name, i: (b, s, {"up": "+1"}.get(name, "-1"))),
        ("field_mT,signal,Scan direction", lambda b, s, name, i: (
            b, s, {"up": "forward"}.get(name, "backward"))),
        ("index,field_mT,signal", lambda b, s, name, i: (i, b, s)),
        ("field_mT,signal,Time [s]", lambda b, s, name, i: (b, s, 0.04 * i)),
        ("field_mT,signal,No.,gain", lambda b, s, name, i: (b, s, i, 2)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("offset", [0.0, -0.037])
def test_a_column_that_tells_the_direction_keeps_them_apart(tmp_path, header, cells, offset):
    path = table(tmp_path, [cells(*row) for row in up_and_down(offset=offset)], header)
    spectra = read_spectra(path)
    assert spectra["angle"].values.tolist() == [30, 30]
    found = dict(zip(spectra["direction"].values, each_sweep(spectra), strict=True))
    np.testing.assert_allclose(found[1][1], line(338.0))
    np.testing.assert_allclose(found[-1][0], FIELD + offset)
    np.testing.assert_allclose(found[-1][1], line(338.4, FIELD[::-1] + offset, seed=1)[::-1])
    at = 1e3 * line_positions(spectra).field
    expected = np.where(spectra["direction"] == 1, 338.0, 338.4)
    np.testing.assert_allclose(at, expected, atol=0.02)


@pytest.mark.parametrize("offset", [0.01, 0.03, 0.05, 0.08])
def test_sweeps_at_fields_that_nearly_agree_are_said(tmp_path, offset):
    rows = [row[:2] for row in up_and_down(offset=offset)]
    spectra = read_spectra(table(tmp_path, rows))
    assert "two curves in turn" in spectra.attrs["notes"]
    for ending in (".nc", ".csv"):
        copy = write_spectra(spectra, tmp_path / f"copy{ending}")
        assert read_spectra(copy).identical(spectra)
        del spectra.attrs["notes"]  # a file that was written without them has them again
        copy = write_spectra(spectra, copy, force=True)
        assert "two curves in turn" in read_spectra(copy).attrs["notes"]
        spectra = read_spectra(tmp_path / "film_30deg.csv")


@pytest.mark.parametrize("times", [2, 3, 5])
def test_repeated_fields_with_equal_signals_are_said(tmp_path, times):
    rows = [(b, s) for i in range(times) for b, s in zip(FIELD, line(338.0, seed=i), strict=True)]
    path = table(tmp_path, sorted(rows, key=lambda row: row[0]))
    assert f"each field is there {times} times" in read_spectra(path).attrs["notes"]


@pytest.mark.parametrize("digits", [1, 2, 3])
@pytest.mark.parametrize("count", [321, 801, 1601, 4001])
@pytest.mark.parametrize("noise", [0.0, 3.0, 300.0])
def test_one_sweep_is_not_taken_for_two(tmp_path, digits, count, noise):
    """Also where fields are rounded, so that several samples have the same one."""
    field = np.linspace(330.0, 346.0, count)
    rows = zip(np.round(field, digits).tolist(), line(338.0, field, noise).tolist(), strict=True)
    told = read_spectra(table(tmp_path, rows)).attrs.get("notes", "")
    assert "two curves" not in told
    assert ("times" in told) == (10.0**-digits > 35 / count)


def test_noise_is_not_taken_for_two_sweeps():
    noise = np.random.default_rng(3).normal(size=(300, 322))
    fields = np.repeat(FIELD, 2)
    assert not any(are_mixed(fields, one) for one in noise)
    assert not any(are_mixed(np.linspace(330, 346, 322), one) for one in noise)


@pytest.mark.parametrize("kind", ["magnettech", "bes3t", "netcdf"])
def test_readers_of_instruments_look_for_mixed_sweeps(tmp_path, kind):
    rows = np.array([row[:2] for row in up_and_down()])
    if kind == "magnettech":
        field = files.curve("BField", rows[:, 0])
        path = tmp_path / "film_30deg.xml"
        files.magnettech(path, files.measurement([field, files.curve("MW_Absorption", rows[:, 1])]))
    elif kind == "bes3t":
        path = tmp_path / "film_30deg.DSC"
        files.bes3t(path, XTYP="IGD", XFMT="D", XPTS=len(rows))
        path.with_suffix(".DTA").write_bytes(rows[:, 1].astype(">f8").tobytes())
        path.with_suffix(".XGF").write_bytes((10 * rows[:, 0]).astype(">f8").tobytes())
    else:
        path = tmp_path / "film.nc"
        dataset(*rows.T).to_netcdf(path, engine="scipy")
    with pytest.raises(SpectrumError, match="each field is there 2 times"):
        read_spectra(path)


def dataset(field, signal):
    return xr.Dataset(
        {"signal": (("angle", "field"), [signal])},
        coords={"angle": [30.0], "field": field, "frequency": ("angle", [9.45])},
    )


@pytest.mark.parametrize("options", [{}, {"baseline": "auto"}, {"definition": "lorentzian"}])
def test_a_dataset_of_python_is_one_sweep(options):
    field = np.concatenate([FIELD, FIELD[::-1]])
    signal = np.concatenate([line(338.0), line(338.4)[::-1]])
    with pytest.raises(InputError, match="2 sweeps"):
        line_positions(dataset(field, signal), **options)
    with pytest.raises(InputError, match="2 sweeps"):
        find_lines(field, signal)
    down = line_positions(dataset(FIELD[::-1], line(338.0)[::-1]))
    assert 1e3 * down.field[0] == pytest.approx(338.0, abs=0.02)
