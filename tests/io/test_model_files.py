"""Models of fits in TOML files."""

import jax.numpy as jnp
import numpy as np
import pytest

from diffdip import Free
from diffdip.foundation.errors import InputError
from diffdip.io import read_model


WHOLE = """
terms = ["thin-film", "cubic", "uniaxial", "uniaxial"]
plane = "xz"
[crystal]
normal = "110"
along = "001"
[axis]
uniaxial = "1-10"
[parameters]
g = { start = 2.05, lower = 2.0, upper = 2.2 }
offset_deg = "free"
Meff_mT = { start = 1200, lower = 0 }
H1_mT = 50
Hu_mT = { of = "H1_mT", times = 0.5, plus = 1 }
"""


def read(folder, text):
    path = folder / "model.toml"
    path.write_text(text)
    return read_model(path)


def refused(folder, text):
    with pytest.raises(InputError) as error:
        read(folder, text)
    assert "model.toml" in str(error.value)
    return str(error.value)


def test_a_whole_model(tmp_path):
    found = read(tmp_path, WHOLE)
    assert found.plane == "xz"
    assert found.g == Free(start=2.05, lower=2.0, upper=2.2)
    assert found.offset == Free()
    assert found.parameters["Meff"] == Free(start=1.2, lower=0.0)
    assert found.parameters["H1"] == pytest.approx(0.05)
    assert found.parameters["Hu"]({"H1": jnp.asarray(0.05)}) == pytest.approx(0.026)
    assert found.model.names == ("Meff", "H1", "Hu", "Hu_2", "phi_u_2")
    axis = dict(found.model.axes)["uniaxial"]  # [1-10] of a (110) film with [001] along x
    np.testing.assert_allclose(np.abs(axis), [0, 1, 0], atol=1e-6)


def test_an_angle_in_degrees(tmp_path):
    text = 'terms = ["uniaxial"]\n[parameters]\nphi_u_deg = 90'
    assert read(tmp_path, text).parameters["phi_u"] == pytest.approx(np.pi / 2)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("terms = 3", "terms"),
        ('terms = ["film"]', "thin-film"),
        ('terms = ["cubic"]\nplanes = "xy"', "planes"),
        ('terms = ["cubic"]\nplane = "xw"', "xw"),
        ('terms = ["cubic"]\n[parameters]\nH1 = 3', "H1_mT"),
        ('terms = ["cubic"]\n[parameters]\nH1_mT = "open(1)"', "free"),
        ('terms = ["cubic"]\n[parameters]\nH1_mT = { of = "H1_mT" }', "number"),
        ('terms = ["cubic"]\n[parameters]\nH1_mT = { lower = 3, upper = 2 }', "lower"),
        ('terms = ["cubic"]\n[parameters]\nH1_mT = nan', "number"),
        ('terms = ["cubic"]\n[axis]\ncubic = "110"', "axis"),
        ('terms = ["cubic"]\n[crystal]\nnormal = "110"', "along"),
        ('terms = ["cubic"', "TOML"),
    ],
)
def test_mistakes_name_the_file_and_the_key(tmp_path, text, word):
    assert word in refused(tmp_path, text)
