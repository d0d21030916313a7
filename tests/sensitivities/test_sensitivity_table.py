"""Derivatives of statistics of ensembles, against exact cases and finite differences."""

import csv
import dataclasses
import importlib
import itertools
from functools import cache
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from diffdip.ensembles.models import Draw
from diffdip.foundation.errors import InputError
from diffdip.sensitivities.observables import (
    Amplitude,
    CauchyWidth,
    Component,
    GeometricMean,
    Magnitude,
    Quantile,
    Response,
    TailFraction,
)
from diffdip.sensitivities.parameter_differences import Runs
from diffdip.sensitivities.sample_derivatives import methods_of, parameters_of


MEDIAN_B = Quantile(Magnitude("B"))


@cache
def uniform() -> dd.AbstractModel:
    """Made when a test asks for it, in the precision of the tests."""
    return dd.UniformCylinder(n=60, density=2.0)


@cache
def packing() -> dd.AbstractModel:
    """Made when a test asks for it, in the precision of the tests."""
    return dd.NanocrystalPacking(n_crystals=3, extra_spacing=0.26)


@pytest.mark.slow
def test_exact_cases_of_uniform_dipoles():
    statistics = [MEDIAN_B, Quantile(Component("A"), 0.9), CauchyWidth(Component("B"))]
    table = dd.sensitivity(uniform(), statistics, n_samples=1000, seed=3, progress=False)
    assert len(table.rows) == 3 * 3
    for statistic, name in itertools.product(statistics, ("density", "moment")):
        row = table.row(statistic.label, name)
        assert row.logarithmic == pytest.approx(1, rel=1e-9)
        assert row.derivative == pytest.approx(row.value / row.at, rel=1e-9)
        assert row.method == "derivative"
    ensemble = dd.simulate(uniform(), 1000, seed=3, progress=False)
    assert table.rows[0].value == pytest.approx(np.median(np.abs(ensemble.B)), rel=1e-6)


@pytest.mark.slow
def test_derivative_by_the_shape_agrees_with_differences():
    """The aspect ratio moves dipoles, and no random choice changes."""
    statistics = [MEDIAN_B, GeometricMean(Magnitude("A")), TailFraction(Magnitude("B"), 0.05)]
    exact, differences = (
        dd.sensitivity(
            uniform(),
            statistics,
            ["aspect"],
            n_samples=4000,
            method=method,
            step=0.1,
            progress=False,
        )
        for method in ("auto", "differences")
    )
    for one, other in zip(exact, differences, strict=True):
        assert (one.method, other.method) == ("derivative", "differences")
        combined = np.hypot(one.logarithmic_error, other.logarithmic_error)
        assert abs(one.logarithmic - other.logarithmic) < 3.5 * combined
        assert other.logarithmic_error < 0.25


STATISTICS = [
    MEDIAN_B,
    Quantile(Magnitude("A"), 0.8),
    GeometricMean(Magnitude("B")),
    CauchyWidth(Component("B")),
]


@pytest.fixture(scope="module")
def of_packing():
    """All parameters of a packing."""
    with jax.enable_x64(True):
        return dd.sensitivity(packing(), STATISTICS, n_samples=2000, seed=1, progress=False)


@pytest.mark.slow
def test_flips_agree_with_differences(of_packing):
    """For the parameters that the claim of the paper depends on."""
    differences = dd.sensitivity(
        packing(),
        STATISTICS,
        ["bond_length", "extra_spacing", "extra_below", "kappa"],
        n_samples=2000,
        seed=2,
        method="differences",
        progress=False,
    )
    compared = []
    for other in differences:
        one = of_packing.row(other.statistic, other.parameter)
        assert one.method == "derivative"
        error = np.hypot(one.logarithmic_error, other.logarithmic_error)
        compared.append((one.logarithmic - other.logarithmic) / error)
    assert np.max(np.abs(compared)) < 3.7
    # the bond length has a strong effect
    for statistic in STATISTICS:
        row = of_packing.row(statistic.label, "bond_length")
        assert row.logarithmic < -5 * row.logarithmic_error < 0


@pytest.mark.slow
def test_lengths_together_scale_as_the_inverse_cube(of_packing):
    methods = {row.parameter: row.method for row in of_packing}
    assert methods["diameter"] == "similarity"
    assert methods["volume_fraction"] == methods["ligand_mean"] == "differences"
    lengths = (
        "diameter",
        "ligand_mean",
        "ligand_sd",
        "extra_below",
        "bond_length",
        "extra_spacing",
    )
    total = sum(of_packing.row(MEDIAN_B.label, name).logarithmic for name in lengths)
    assert total == pytest.approx(-3, rel=1e-6)
    direct = dd.sensitivity(
        packing(), [MEDIAN_B], ["diameter"], n_samples=1500, seed=5, progress=False
    )
    one, other = of_packing.row(MEDIAN_B.label, "diameter"), direct.rows[0]
    assert other.method == "differences"
    combined = np.hypot(one.logarithmic_error, other.logarithmic_error)
    assert abs(one.logarithmic - other.logarithmic) < 3.5 * combined < 1.5


def test_a_spacing_of_zero_is_left_out():
    """As printed. It has no logarithm; all lengths together still give the diameter."""
    names, zero = parameters_of(dd.NanocrystalPacking(3))
    assert zero == ["extra_spacing"]
    assert "bond_length" in names
    methods = methods_of(dd.NanocrystalPacking(3), names)
    assert methods["diameter"] == "similarity"
    assert methods_of(packing(), names)["diameter"] == "differences"  # its spacing is a length


@pytest.mark.slow
def test_amplitude_follows_from_the_fields():
    """For weak anisotropy the amplitude is proportional to B and C, so to the moment."""
    statistics = [Quantile(Amplitude()), MEDIAN_B]
    table = dd.sensitivity(packing(), statistics, ["moment"], n_samples=500, progress=False)
    amplitude, field = table
    assert amplitude.logarithmic == pytest.approx(1, abs=0.01)
    assert amplitude.value > field.value


@pytest.mark.slow
def test_integers_by_differences():
    table = dd.sensitivity(uniform(), [MEDIAN_B], ["n"], n_samples=500, progress=False)
    (row,) = table
    up, down = (
        np.median(np.abs(dd.simulate(dataclasses.replace(uniform(), n=n), 500, progress=False).B))
        for n in (61, 59)
    )
    assert row.derivative == pytest.approx((up - down) / 2, rel=1e-6)
    assert row.logarithmic == pytest.approx(60 * row.derivative / row.value, rel=1e-9)


@pytest.mark.slow
def test_own_model_by_differences():
    class Pair(dd.AbstractModel):
        distance: jax.Array
        convention: dd.Convention = eqx.field(static=True, default=dd.PAPER)

        def draw(self, key):
            r = self.distance * (1 + jax.random.uniform(key, (), self.distance.dtype))
            positions = jnp.zeros((2, 3), r.dtype).at[1, 0].set(r)
            system = dd.DipoleSystem(positions, 1.0, convention=self.convention)
            return Draw(system, jnp.ones((), jnp.int32), jnp.ones((), bool))

    (row,) = dd.sensitivity(Pair(jnp.array(0.5)), MEDIAN_B, n_samples=200, progress=False)
    assert (row.parameter, row.method) == ("distance", "differences")
    assert row.logarithmic == pytest.approx(-3, rel=0.02)
    assert row.logarithmic_error < 1e-6


@pytest.mark.parametrize("count", range(1, 8))
def test_runs_separate_parameters(count):
    names = [
        "volume_fraction",
        "ligand_mean",
        "ligand_sd",
        "kappa",
        "bond_length",
        "moment",
        "extra_below",
    ]
    names = names[:count]
    power = np.arange(1.0, count + 1)
    for shared in (True, False):
        runs = Runs.of(packing(), names, 0.05, shared=shared)
        # ln of Π θ^p has the derivatives p
        values = [
            sum(p * np.log(float(getattr(m, n))) for p, n in zip(power, names, strict=True))
            for m in runs.models
        ]
        np.testing.assert_allclose([runs.effect(values, i) for i in range(count)], power)
    assert len(Runs.of(packing(), names, 0.05).models) == {1: 2, 2: 4, 3: 4}.get(count, 8)


@pytest.mark.slow
def test_errors_are_those_of_repeated_runs():
    rows = [
        next(iter(dd.sensitivity(packing(), MEDIAN_B, ["bond_length"], 400, seed, progress=False)))
        for seed in range(30)
    ]
    stated = np.sqrt(np.mean([row.logarithmic_error**2 for row in rows]))
    found = np.std([row.logarithmic for row in rows], ddof=1)
    assert 0.6 < stated / found < 1.7


@pytest.mark.slow
def test_experiment_compares_both_ways(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent.parent / "experiments"))
    script = importlib.import_module("sensitivity")
    # the packing of the script takes half a minute to compile
    monkeypatch.setattr(script, "NanocrystalPacking", lambda n_crystals, extra_spacing: uniform())
    monkeypatch.setattr(script, "PARAMETERS", ("density", "aspect"))
    monkeypatch.setattr(script, "QUICK_SAMPLES", 200)
    script.main(["--quick", "--out", str(tmp_path)])
    with (tmp_path / "sensitivity.csv").open() as file:
        assert file.readline().startswith('"# diffdip ')
        rows = list(csv.DictReader(file))
    assert [row["parameter"] for row in rows] == 3 * ["density", "aspect"] + 3 * ["density"]
    for row in rows:
        assert max(abs(float(row[f"distance_{step}"])) for step in script.STEPS) < 4
        if row["parameter"] == "density" and row["statistic"] == "median |B|":
            assert float(row["dlnT_dlntheta"]) == pytest.approx(1)
    assert "largest of 18 distances" in capsys.readouterr().out


def no_shell() -> dd.AbstractModel:
    return dataclasses.replace(packing(), ligand_mean=0.0)


@pytest.mark.parametrize(
    ("model", "parameter", "method", "what", "given"),
    [
        (packing, "bond_lenght", "auto", "parameters", "bond_lenght"),
        (packing, "container", "auto", "parameters", "container"),
        (packing, "max_starts", "auto", "parameters", "max_starts"),
        (packing, "kappa", "best", "method", "best"),
        (no_shell, "ligand_mean", "auto", "parameters", "ligand_mean"),
    ],
)
def test_parameters_without_a_derivative(model, parameter, method, what, given):
    with pytest.raises(InputError) as error:
        dd.sensitivity(model(), MEDIAN_B, [parameter], 20, method=method, progress=False)
    assert (error.value.what, error.value.given) == (what, given)


@pytest.mark.parametrize(
    ("what", "given"), [("n_samples", 19), ("step", 0.0), ("seed", -1), ("statistics", [])]
)
def test_options_that_cannot_be_used(what, given):
    with pytest.raises(InputError) as error:
        dd.sensitivity(uniform(), **{"statistics": MEDIAN_B, "progress": False} | {what: given})
    assert (error.value.what, error.value.given) == (what, given)


@pytest.mark.slow
def test_quantiles_of_infinite_values():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=1000)
    slope = 2 * x
    response = lambda x: Response(x, slope, np.zeros(0), np.zeros(0), np.zeros(0))
    for infinite, level in ((400, 0.5), (480, 0.5), (700, 0.2)):
        some = np.where(np.arange(1000) < infinite, np.inf, x)
        statistic = Quantile(Amplitude(), level)
        value = statistic.value(some)
        assert value == pytest.approx(level / (1 - infinite / 1000), rel=0.1)
        assert statistic.slope(response(some)) == pytest.approx(2 * value, rel=0.02)
    statistic = Quantile(Amplitude())
    assert statistic.value(np.full(5, np.inf)) == np.inf
    for infinite in (600, 1000):
        some = np.where(np.arange(1000) < infinite, np.inf, x)
        assert statistic.value(some) == np.inf
        assert np.isnan(statistic.slope(response(some)))
