"""Text that programs of spectrometers export, each in several forms; descriptors in several."""

import numpy as np
import pytest

from diffdip.io import SpectrumError, read_spectra
from diffdip.io.sweep_summary import summary_of
from tests.helpers import instrument_files as made, instrument_variants as files, spectra_files
from tests.helpers.instrument_variants import FIELD, line


def read_one(path):
    spectra = read_spectra(path)
    assert spectra.sizes["angle"] == 1
    return np.squeeze(spectra["field"].values), spectra["signal"].values[0], spectra


def rows_of(mark, *, per_mt=1.0, index=False, more=(), comma=False):
    """Rows of a field and a signal, with a number in front or other cells behind."""
    rows = []
    for i, (b, s) in enumerate(zip(FIELD.tolist(), line().tolist(), strict=True)):
        cells = [*([str(i + 1)] if index else []), f"{per_mt * b:.4f}", *more, f"{s:.4f}"]
        rows.append(mark.join(cells))
    text = "\n".join(rows) + "\n"
    return text.replace(".", ",") if comma else text


EXPORTS = {
    "winepr, gauss": "Filename:\tC:\\a.par\tDate: 01/02/2011\n\nX [G]\tIntensity\n"
    + rows_of("\t", per_mt=10),
    "winepr, spaces": "X [mT]          Intensity []\n" + rows_of("      "),
    "winepr, commas": "Filename: a.spc\n\nX [mT]\tIntensity\n" + rows_of("\t", comma=True),
    "xepr, index": "index            Field [G]         Intensity []\n\n"
    + rows_of("      ", per_mt=10, index=True),
    "xepr, tabs": "# Xepr export\nField [G]\tIntensity []\n" + rows_of("\t", per_mt=10),
    "xepr, angle": "index   Field [mT]   Sample Angle [deg]   Intensity []\n"
    + rows_of("   ", index=True, more=("30.000",)),
    "esrstudio": "Name;film\nRecipe\nBfrom;330;B from\n\nMeas\nBField [mT];MW_Absorption []\n"
    + rows_of(";"),
    "esrstudio, commas": "Name;film\n\nRecipe\nFrequency;9,45\n\nMeas\n"
    "BField [mT];MW_Absorption []\n" + rows_of(";", comma=True),
    "esrstudio, sep": "sep=;\nName;film\nMeas\nBField [mT];MW_Absorption []\n" + rows_of(";"),
    "sep of commas": "sep=,\nfield_mT,signal\n" + rows_of(","),
    "sep of tabs": "sep=\t\nfield_mT\tsignal\n" + rows_of("\t"),
    "sep with a mark": '"sep=;"\nfield_mT;signal\n' + rows_of(";", comma=True),
}


@pytest.mark.parametrize("end", ["", "\x1a"])
@pytest.mark.parametrize("name", EXPORTS)
def test_exports(tmp_path, name, end):
    path = tmp_path / "film_30deg.txt"
    path.write_text(EXPORTS[name] + end)
    field, signal, spectra = read_one(path)
    np.testing.assert_allclose(field, FIELD, atol=1e-9)
    np.testing.assert_allclose(signal, line(), atol=1e-4)
    assert spectra["angle"].values == [30]


@pytest.mark.parametrize("maker", ["bes3t", "esp"])
@pytest.mark.parametrize("lines", [60_000, 300_000])
def test_descriptors_of_megabytes(tmp_path, maker, lines):
    program = "* a pulse program\n" * lines
    if maker == "bes3t":
        path = files.bes3t(tmp_path / "film_0deg.DSC", extra=program)
    else:
        path = files.esp(tmp_path / "film_0deg.par", len(FIELD), RES=len(FIELD))
        path.write_text(path.read_text() + program)
    assert path.stat().st_size > 1_000_000
    np.testing.assert_allclose(read_one(path)[0], FIELD)


@pytest.mark.parametrize(
    ("entries", "axis"),
    [
        *[({"YNAM": f"'{name}'"}, "Y") for name in ("MW Phase", "Signal Phase", "Pulse angle")],
        *[
            ({"XNAM": f"'{name}'"}, "X")
            for name in ("Field Modulation", "Modulation", "B1 Field", "Sweep Width")
        ],
        *[({"YNAM": f"'{name}'", "YUNI": "''"}, "Y") for name in ("Slice", "Index", "Rotation")],
    ],
)
def test_axes_of_a_bes3t_that_only_look_right(tmp_path, entries, axis):
    rows = [line(), line(338.2), line(338.4)] if axis == "Y" else None
    with pytest.raises(SpectrumError, match="axis"):
        read_spectra(files.bes3t(tmp_path / "rotation.DSC", rows, **entries))


@pytest.mark.parametrize("name", ["Temperature_K", "gain", "phase_deg", "lock-in time constant"])
def test_a_column_that_varies_within_a_sweep_is_said(tmp_path, name):
    values = [20 + (i * 7) % 5 for i in range(len(FIELD))]
    rows = [f"{b},{v},{s}" for b, v, s in zip(FIELD, values, line(), strict=True)]
    path = tmp_path / "film_30deg.csv"
    path.write_text("\n".join([f"field_mT,{name},signal", *rows]))
    assert (
        f"column '{name}' changes within the sweep and is not used"
        in (read_spectra(path).attrs["notes"])
    )


@pytest.mark.parametrize("kind", made.ONE_FILE_EACH)
def test_a_single_spectrum_of_every_instrument(tmp_path, kind):
    """Without an angle in the file or its name."""
    content, name = made.ONE_FILE_EACH[kind]
    path = tmp_path / name.replace("_{}deg", "")
    path.write_bytes(content(30.0))
    assert np.isnan(read_spectra(path)["angle"].values).tolist() == [True]
    told = dict(summary_of(path))
    assert told["spectra"] == "1"
    assert told["angle"] == "not found: give it with --angle-deg"
    assert ("not stated" in told["frequency"]) == kind.startswith("niehs")


@pytest.mark.parametrize("kind", spectra_files.KINDS)
def test_a_summary_of_every_kind(tmp_path, kind):
    told = dict(summary_of(spectra_files.KINDS[kind](tmp_path)))
    assert told["spectra"] == "3"
    assert told["points"] == "81"
    assert told["field"].startswith("330 to 346 mT")
    assert told["frequency"] == "9.45 GHz"
    assert told["angle"].startswith("0 to 60°")
