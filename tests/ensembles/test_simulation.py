"""`simulate`: samples do not depend on batches or devices, and follow the known law."""

import os
import subprocess
import sys

import equinox as eqx
import jax
import numpy as np
import pytest

import diffdip as dd
from diffdip.ensembles.simulation import ARRAYS, NothingPlacedError, describe
from diffdip.foundation import units
from diffdip.foundation.errors import InputError
from diffdip.statistics.cauchy import A_CENTER, fit_cauchy


SEED = 3
N_TINY, N_PACKED = 37, 9

ON_SEVERAL_DEVICES = f"""
import sys
import jax, numpy as np
jax.config.update("jax_enable_x64", True)
import diffdip as dd

assert len(jax.devices()) == 4
tiny = dd.UniformCylinder(n=12, density=2.0)
packed = dd.NanocrystalPacking(2, max_starts=4, extra_below=0.15)
arrays = {{}}
for model, count, devices, batch in ((tiny, {N_TINY}, 1, None), (tiny, {N_TINY}, 1, 7),
                                     (tiny, {N_TINY}, 2, None), (tiny, {N_TINY}, 4, 10),
                                     (packed, {N_PACKED}, 1, None), (packed, {N_PACKED}, 4, None)):
    ensemble = dd.simulate(model, count, seed={SEED}, devices=jax.devices()[:devices],
                           batch_size=batch, progress=False)
    for name in {ARRAYS!r}:
        arrays[f"{{type(model).__name__}} {{devices}} {{batch}} {{name}}"] = getattr(ensemble, name)
np.savez(sys.argv[1], **arrays)
"""


def tiny(**parameters):
    return dd.UniformCylinder(n=12, density=2.0, **parameters)


def packed(**parameters):
    return dd.NanocrystalPacking(2, max_starts=4, extra_below=0.15, **parameters)


def simulate(model, count, seed=SEED, **options):
    return dd.simulate(model, count, seed=seed, progress=False, **options)


@pytest.fixture(scope="module")
def ensembles():
    """One of each model, in one batch on one device."""
    with jax.enable_x64(True):
        return simulate(tiny(), N_TINY), simulate(packed(), N_PACKED)


def assert_same_bits(one, other):
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.slow
def test_batches_do_not_matter(ensembles):
    for batch_size in (1, 7, N_TINY, 1000):
        assert_same_bits(simulate(tiny(), N_TINY, batch_size=batch_size), ensembles[0])
    assert_same_bits(simulate(packed(), N_PACKED, batch_size=5), ensembles[1])
    # nor does how many follow
    shorter = simulate(tiny(), 5)
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(shorter, name), getattr(ensembles[0], name)[:5])


@pytest.mark.slow
def test_devices_do_not_matter(ensembles, tmp_path):
    """One, two and four virtual devices of a process of its own, compiled as for users."""
    flags = {
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
        "JAX_PLATFORMS": "cpu",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "0",
    }
    file = tmp_path / "several.npz"
    command = [sys.executable, "-c", ON_SEVERAL_DEVICES, str(file)]
    subprocess.run(command, check=True, env=os.environ | flags)
    with np.load(file) as stored:
        arrays = dict(stored)
    for model, ensemble, ways in (
        ("UniformCylinder", ensembles[0], ("1 7", "2 None", "4 10")),
        ("NanocrystalPacking", ensembles[1], ("4 None",)),
    ):
        for name in ARRAYS:
            alone = arrays[f"{model} 1 None {name}"]
            np.testing.assert_allclose(alone, getattr(ensemble, name), rtol=1e-12, atol=1e-14)
            for way in ways:
                title = f"{model} {way} {name}"
                np.testing.assert_array_equal(arrays[title], alone, err_msg=title)


@pytest.mark.slow
def test_sample_i_has_the_key_i(ensembles):
    """By way of `sample` and the differentiable sums, one sample at a time."""

    @eqx.filter_jit
    def directly(model, index):
        system = model.sample(jax.random.fold_in(jax.random.key(SEED), index))
        return system, system.tensor(), system.anisotropy_fields()

    ensemble = ensembles[0]
    assert len(ensemble) == N_TINY
    for i in (0, 1, 17, N_TINY - 1):
        system, D, fields = directly(tiny(), np.uint32(i))
        scale = np.max(abs(D))
        np.testing.assert_allclose(ensemble.D[i], D, rtol=0, atol=1e-12 * scale)
        unit = units.MU_0 * ensemble.M[i]
        for name in "ABC":
            value = getattr(ensemble, name)[i]
            assert abs(value - getattr(fields, name)) < 1e-12 * scale * unit
        distance = np.linalg.norm(system.positions[:, None] - system.positions, axis=-1)
        assert ensemble.closest[i] == pytest.approx(
            np.min(distance[np.triu_indices(12, 1)]), rel=1e-12
        )
    assert len(np.unique(ensemble.B)) == N_TINY
    other = simulate(tiny(), N_TINY, seed=SEED + 1)
    assert not np.isin(other.B, ensemble.B).any()


@pytest.mark.slow
def test_numbers_belong_together(ensembles):
    for ensemble, n_dipoles in zip(ensembles, (12, None), strict=True):
        field = units.MU_0 * ensemble.M[:, None, None] * ensemble.D
        scale = np.max(abs(field), axis=(1, 2))
        for name, expected in (
            ("A", field[:, 0, 0] + field[:, 1, 1]),
            ("B", field[:, 0, 0] - field[:, 1, 1]),
            ("C", field[:, 0, 1]),
        ):
            assert (abs(getattr(ensemble, name) - expected) < 1e-12 * scale).all()
        np.testing.assert_array_equal(ensemble.D, np.swapaxes(ensemble.D, 1, 2))
        assert (abs(np.trace(field, axis1=1, axis2=2)) < 1e-12 * scale).all()
        assert ensemble.unplaced == 0
        if n_dipoles:
            np.testing.assert_array_equal(ensemble.n_dipoles, n_dipoles)
            volume = 6.0
        else:
            assert set(ensemble.n_dipoles) <= {20, 21, 22}
            assert len(set(ensemble.n_dipoles)) > 1
            volume = 2 * np.pi / 6 * 2.7**3 / 0.2
        moment = 1.73 * 9.2740100657e-24
        np.testing.assert_allclose(
            ensemble.M, ensemble.n_dipoles * moment / (volume * 1e-27), rtol=1e-12
        )


@pytest.mark.slow
def test_settings_record_the_model_and_the_versions(ensembles):
    ensemble = ensembles[1]
    settings = ensemble.settings
    assert settings["diffdip"] == dd.__version__
    assert settings["jax"] == jax.__version__
    assert settings["dtype"] == "float64"
    assert settings["platform"] == "cpu"
    assert (settings["seed"], settings["n_samples"]) == (SEED, N_PACKED)
    model = settings["model"]
    assert model["type"] == "NanocrystalPacking"
    assert model["container"] == {"type": "Cylinder", "aspect": 1.0}
    assert model["convention"] == ensemble.convention == "paper"
    made = packed()
    for name in (
        "n_crystals",
        "diameter",
        "volume_fraction",
        "extra_below",
        "max_starts",
        "moment",
    ):
        assert model[name] == getattr(made, name)
    box = describe(dd.UniformBox(n=3, density=1.0, edges=(1.0, 2.0, 3.0), convention="physical"))
    assert box["edges"] == [1.0, 2.0, 3.0]
    assert box["convention"] == "physical"


@pytest.mark.slow
def test_conventions_differ_by_a_factor(ensembles):
    """W = 1 instead of 2, on the same positions; the sign enters resonances only."""
    paper, physical = ensembles[0], simulate(tiny(convention="physical"), N_TINY)
    assert physical.convention == "physical"
    for name in ("D", "A", "B", "C"):
        np.testing.assert_allclose(
            getattr(paper, name), 2 * getattr(physical, name), rtol=1e-12, atol=0
        )
    np.testing.assert_array_equal(paper.M, physical.M)
    np.testing.assert_array_equal(paper.closest, physical.closest)


@pytest.mark.parametrize(("count", "batch_size"), [(0, None), (-1, None), (5, 0), (5, -2)])
def test_no_samples(count, batch_size):
    with pytest.raises(InputError) as error:
        simulate(tiny(), count, batch_size=batch_size)
    expected = ("n_samples", count) if count < 1 else ("batch_size", batch_size)
    assert (error.value.what, error.value.given) == expected


@pytest.mark.slow
def test_nothing_could_be_placed():
    model = packed(volume_fraction=0.6)
    with pytest.raises(NothingPlacedError, match="volume_fraction") as error:
        simulate(model, 5)
    assert "\n" not in str(error.value)


def test_some_could_not_be_placed():
    """In a narrow container only some samples can be placed with few starts."""
    ensemble = simulate(packed(volume_fraction=0.24), 40)
    lost = np.isnan(ensemble.M)
    assert 0 < ensemble.unplaced == lost.sum() < 40
    for name in ("A", "B", "C", "closest"):
        np.testing.assert_array_equal(np.isnan(getattr(ensemble, name)), lost)
    np.testing.assert_array_equal(np.isnan(ensemble.D).all(axis=(1, 2)), lost)
    assert not np.isnan(ensemble.D[~lost]).any()
    np.testing.assert_array_equal(ensemble.starts[lost], 20)  # 4 starts, 5 times


@pytest.mark.slow
@pytest.mark.float32
def test_law_of_many_dipoles():
    """B and 2C are Cauchy of half width ⅔ µ0M, A of 0.4031 µ0M, for W = 1; W = 2 doubles them.

    A width fitted to 20000 values has a standard error of √(2/20000) = 1 %, and 1000 dipoles
    fall 1 % short of the limit of many (0.86 of it for 30, 0.94 for 100, 0.96 for 300).
    A is centred at ⅓ − 0.3116 + `A_CENTER` = −0.032 in a cylinder as high as wide.
    """
    model = dd.UniformCylinder(n=1000, density=2.0, convention="physical")
    ensemble = simulate(model, 20_000, seed=0)
    unit = units.MU_0 * ensemble.M
    A, B, C = (fit_cauchy(getattr(ensemble, name) / unit) for name in "ABC")
    for fit, half_width in ((A, 0.4031), (B, 2 / 3), (C, 1 / 3)):
        assert fit.half_width == pytest.approx(half_width, rel=0.03)
    assert abs(A.center - (1 / 3 - 0.3116 + A_CENTER)) < 4 * A.center_error
    assert abs(B.center) < 4 * B.center_error
    assert abs(C.center) < 4 * C.center_error

    paper = simulate(dd.UniformCylinder(n=1000, density=2.0), 200, seed=0)
    for name in "ABC":
        np.testing.assert_array_equal(getattr(paper, name), 2 * getattr(ensemble, name)[:200])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("crystals", "reference"), [(2, 13.7), (10, 10.5), (20, 10.7), (100, 15.8)]
)
def test_the_print_is_the_default(crystals, reference):
    """Medians of |B| in mT, against a program of its own with 2000 samples of each size.

    If extra dipoles kept the bond length, they would be 11.0, 5.9, 4.2 and 2.0 mT.
    """
    ensemble = simulate(dd.NanocrystalPacking(crystals), 6000)
    median = dd.quantiles(1e3 * np.abs(ensemble.B), 0.5)
    relative = (median.high - median.low) / (2 * median.value)
    noise = relative * np.sqrt(1 + 6000 / 2000)  # of both programs
    assert noise < 0.06
    assert abs(np.log(median.value / reference)) < 3.3 * noise


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seeds_that_would_repeat_others(seed):
    with pytest.raises(InputError) as error:
        dd.simulate(dd.UniformCylinder(n=5, density=1.0), 2, seed, progress=False)
    assert (error.value.what, error.value.given) == ("seed", seed)
