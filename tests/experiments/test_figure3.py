"""The script of Fig. 3 with few dipoles: numbers against a plain double sum, files, output."""

import re

import jax
import numpy as np
import pytest
import scipy.constants
from PIL import Image

from diffdip import UniformCylinder
from tests.helpers.scripts import script, written


@pytest.fixture(scope="module")
def figure3():
    return script("figure3")


def double_sum(positions, volume, u):
    """Eq. 2 in J/m³: all moments 1.73 µB, every pair twice."""
    constant = scipy.constants.mu_0 / (4 * np.pi)
    moment = 1.73 * scipy.constants.physical_constants["Bohr magneton"][0]
    total = 0.0
    for i, j in np.ndindex(len(positions), len(positions)):
        if i != j:
            r = 1e-9 * (positions[j] - positions[i])
            size = np.linalg.norm(r)
            total += (1 - 3 * (r @ u / size) ** 2) / size**3
    return constant * moment**2 / (volume * 1e-27) * total


@pytest.mark.slow
def test_writes_both_files_and_prints_the_tensors(figure3, tmp_path, capsys):
    out = tmp_path / "made" / "here"
    figure3.main(["--out", str(out), "--seed", "4", "--dipoles", "30"])
    assert written(out) == {"figure3.pdf", "figure3.png"}
    with Image.open(out / "figure3.png") as image:
        assert image.size[0] == 2100
        assert image.info["Description"].startswith("diffdip ")
        assert "--seed 4 --dipoles 30; convention paper" in image.info["Description"]
        # the three colors of the arrangements are really there
        pixels = np.asarray(image.convert("RGB")).reshape(-1, 3)
    for color in figure3.COLORS:
        rgb = [int(color[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.sum(np.all(pixels == rgb, axis=-1)) > 1000
    assert (out / "figure3.pdf").read_bytes().startswith(b"%PDF")

    text = capsys.readouterr().out
    for index in range(3):
        rows = re.search(rf"arrangement {index + 1}: D =\n(.*\n.*\n.*)\n", text)
        printed = np.array(rows[1].split(), float).reshape(3, 3)
        expected = figure3.arrange(4, index, 30).closed_form
        np.testing.assert_allclose(printed, expected, rtol=0, atol=6e-5)
    exactness = re.findall(r"largest \|.* ([0-9.e+-]+)\n?", text)
    assert len(exactness) == 6
    assert max(map(float, exactness)) < 1e-12


@pytest.mark.slow
def test_numbers_are_those_of_a_double_sum(figure3):
    one = figure3.arrange(seed=1, index=2, count=12)
    with jax.enable_x64(True):
        key = jax.random.fold_in(jax.random.key(1), 2)
        system = UniformCylinder(12, 2.0).sample(key)
    positions = np.asarray(system.positions)
    angle = figure3.ANGLES[5]
    directions = {
        "xy": [np.cos(angle), np.sin(angle), 0],
        "xz": [np.cos(angle), 0, np.sin(angle)],
        "yz": [0, np.cos(angle), np.sin(angle)],
    }
    for row, (plane, u) in zip(one.energies, directions.items(), strict=True):
        expected = double_sum(positions, 12 / 2.0, np.array(u))
        np.testing.assert_allclose(row[5], expected, rtol=1e-8)
        np.testing.assert_allclose(one.model(plane, figure3.ANGLES[5:6])[0], expected, rtol=1e-8)
    assert one.misfit < 1e-12
    assert one.difference < 1e-12
    assert abs(np.trace(one.closed_form)) < 1e-12 * np.max(np.abs(one.closed_form))
    assert one.amplitude == pytest.approx(0.5 * (one.energies.max() - one.energies.min()))


@pytest.mark.slow
def test_each_arrangement_and_seed_is_another_and_repeats(figure3):
    tensors = [
        figure3.arrange(seed, index, 10).closed_form for seed, index in [(0, 0), (0, 1), (1, 0)]
    ]
    assert np.max(np.abs(tensors[0] - tensors[1])) > 1e-3
    assert np.max(np.abs(tensors[0] - tensors[2])) > 1e-3
    np.testing.assert_array_equal(figure3.arrange(0, 1, 10).closed_form, tensors[1])


@pytest.mark.slow
@pytest.mark.float32
def test_the_script_computes_in_float64_by_itself(figure3):
    one = figure3.arrange(0, 0, 10)
    assert one.energies.dtype == np.float64
    assert one.misfit < 1e-12
    # and leaves the setting of the caller alone
    assert not figure3.jax.config.jax_enable_x64
