"""Posterior draws against the fit where that is right, and against the truth where it is not."""

import importlib
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal
import scipy.stats

import diffdip as dd
from diffdip.fitting.chain_quality import quality_of
from diffdip.foundation.errors import NOT_GIVEN, InputError


NU = 9.45e9
ANGLES = np.deg2rad(np.arange(0, 181, 10.0))
FREE = {"A": dd.Free(), "B": dd.Free(), "C": dd.Free()}


def noisy(A, B, C, sigma, seed=0, angle=ANGLES):
    fields = dd.AnisotropyFields(A, B, C)
    clean = np.asarray(dd.resonance_field(fields, jnp.asarray(angle), NU))
    return clean + sigma * np.random.default_rng(seed).normal(size=angle.shape)


def sampled(*arguments, **options):
    return dd.sample_posterior(*arguments, frequency=NU, **options)


def codes(posterior):
    return {flag.code for flag in posterior.flags}


def settled(posterior):
    return max(posterior.r_hat.values()) < 1.01 and min(posterior.ess_tail.values()) > 1000


@pytest.mark.slow
def test_is_gaussian_and_agrees_with_the_fit_where_noise_is_low():
    field = noisy(0.1915, 0.2046, 0.02, 5e-4)
    posterior = sampled(ANGLES, field, 5e-4)
    fit = dd.fit_series(ANGLES, field, 5e-4, frequency=NU)
    assert posterior.flags == ()
    assert settled(posterior)
    assert posterior.samples.shape == (4, 1000, 3)
    assert posterior.divergences == 0
    np.testing.assert_allclose(posterior.covariance, fit.covariance, rtol=0.2, atol=1e-9)
    for name in "ABC":
        error = fit.standard_errors[name]
        assert posterior.standard_deviations[name] == pytest.approx(error, rel=0.1)
        assert posterior.mean[name] == pytest.approx(fit.values[name], abs=0.2 * error)
        assert posterior.width_ratio[name] == pytest.approx(1, abs=0.1)
        for label in ("68", "95"):
            np.testing.assert_allclose(
                posterior.intervals[name][label], fit.intervals[name][label], atol=0.2 * error
            )
    again = dd.sample_posterior(dd.Series(ANGLES, field, np.full(19, 5e-4), frequency=NU))
    np.testing.assert_array_equal(again.samples, posterior.samples)


@pytest.mark.slow
def test_weak_anisotropy_leaves_the_phase_open_and_bounds_the_amplitude():
    posterior = sampled(ANGLES, noisy(0.05, 3e-4, 0.0, 2e-3), 2e-3)
    assert settled(posterior)
    assert "open-phase" in codes(posterior)
    assert np.all(posterior.amplitude() >= 0)
    assert np.ptp(posterior.phase()) > 0.99 * np.pi
    # B and 2C are normal with one width: the amplitude follows Rice's law
    center = np.hypot(posterior.mean["B"], 2 * posterior.mean["C"])
    width = posterior.standard_deviations["B"]
    assert 2 * posterior.standard_deviations["C"] == pytest.approx(width, rel=0.1)
    rice = scipy.stats.rice(center / width, scale=width)
    for level in (0.16, 0.5, 0.84, 0.95):
        assert np.mean(posterior.amplitude() < rice.ppf(level)) == pytest.approx(level, abs=0.04)


@pytest.fixture(scope="module")
def few():
    """Six angles (the rest without a line, which compiles nothing new), the noise unknown."""
    with jax.enable_x64(True):
        field = noisy(0.15, 0.1, 0.02, 1e-3, seed=3)
        used = np.arange(19) % 3 == 0
        used[18] = False
        posterior = sampled(ANGLES, np.where(used, field, np.nan), n_samples=2000)
        return ANGLES[used], field[used], posterior


@pytest.mark.slow
def test_few_angles_and_unknown_noise_have_the_tails_of_student(few):
    angle, field, posterior = few
    assert max(posterior.r_hat.values()) < 1.01
    assert posterior.names == ("A", "B", "C", "sigma")
    draws = posterior.samples.reshape(-1, 4)
    # importance sampling from a wide Student law, independent of NUTS
    fit = posterior.fit
    center, covariance = np.array([fit.values[n] for n in "ABC"]), 2 * fit.covariance
    law = scipy.stats.multivariate_t(center, covariance, df=2, seed=1)
    x = law.rvs(40000)
    x = x[np.max(np.abs(x), axis=1) < 3 * float(dd.larmor_field(NU))]
    model = jax.jit(
        jax.vmap(lambda x: dd.resonance_field(dd.AnisotropyFields(*x), jnp.asarray(angle), NU))
    )
    chi2 = np.sum((field - np.asarray(model(jnp.asarray(x)))) ** 2, axis=1)
    weight = np.where(np.isfinite(chi2), np.nan_to_num(chi2, nan=1.0) ** (-len(angle) / 2), 0)
    weight = weight / law.pdf(x)
    weight /= weight.sum()
    assert 1 / np.sum(weight**2) > 5000
    for i in range(3):
        order = np.argsort(x[:, i])
        for level in (0.05, 0.16, 0.5, 0.84, 0.95):
            expected = x[order[np.searchsorted(np.cumsum(weight[order]), level)], i]
            assert np.mean(draws[:, i] < expected) == pytest.approx(level, abs=0.03)


@pytest.mark.slow
def test_sigma_follows_its_conditional_law(few):
    """Σ r²/σ² is χ² with n degrees of freedom, whatever A, B, C are."""
    angle, field, posterior = few
    draws = posterior.samples.reshape(-1, 4)[::8]
    model = jax.vmap(lambda x: dd.resonance_field(dd.AnisotropyFields(*x), jnp.asarray(angle), NU))
    chi2 = np.sum((field - np.asarray(model(jnp.asarray(draws[:, :3])))) ** 2, axis=1)
    statistic = chi2 / draws[:, 3] ** 2
    assert scipy.stats.kstest(statistic, scipy.stats.chi2(len(angle)).cdf).pvalue > 1e-3


@pytest.mark.slow
def test_coverage_experiment(few, monkeypatch):
    """Series as long as that of `few`, whose sampler is compiled."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent.parent.parent / "experiments"))
    script = importlib.import_module("posterior_coverage")
    rows = [script.row(len(ANGLES), False, 2, 0)]
    inside = rows[0].inside
    assert np.all(np.array(inside["95"]) >= np.array(inside["68"]))
    assert sum(inside["95"]) >= 4  # of 6; fewer would be a chance below 1e-3
    assert "sigma unknown, 2 series" in script.table(rows)
    document = json.loads(script.files(rows, 0)["posterior_coverage.json"])
    assert document["rows"][0]["inside"] == rows[0].inside
    low, high = script.allowed(0.5, 100)
    assert (low, high) == (35, 65)


@pytest.mark.slow
def test_both_minima_of_a_symmetry_share_the_draws():
    """With C = 0 and a free offset, (B, offset) and (−B, offset + 90°) are the same curve."""
    held = {"A": dd.Free(), "B": dd.Free(), "C": 0.0}
    field = noisy(0.1, 0.08, 0.03, 1e-3)
    posterior = sampled(ANGLES, field, 1e-3, offset=dd.Free(), parameters=held)
    assert settled(posterior)
    np.testing.assert_allclose(posterior.shares, 0.5, atol=0.05)
    assert "several-minima" in codes(posterior)
    B, offset = posterior.draws("B"), posterior.draws("offset")
    assert np.mean(B > 0) == pytest.approx(0.5, abs=0.05)
    assert np.std(np.abs(B)) < 1e-3
    turned = np.mean(offset[B > 0]) - np.mean(offset[B < 0])
    assert abs(turned) == pytest.approx(np.pi / 2, abs=5e-3)
    with pytest.raises(InputError) as caught:
        posterior.phase()
    assert (caught.value.what, caught.value.given) == ("name", "C")


@pytest.mark.slow
def test_a_bound_cuts_the_posterior_and_is_flagged():
    field = noisy(0.1, 0.08, 0.0, 1e-3)
    bounded = FREE | {"B": dd.Free(0.0, 0.08)}
    posterior = sampled(ANGLES, field, 1e-3, parameters=bounded)
    assert posterior.draws("B").max() <= 0.08
    assert "at-bound" in codes(posterior)
    assert posterior.settings["priors"]["B"] == "flat from 0 to 0.08"


@pytest.mark.slow
def test_no_resonance_anywhere_is_flagged():
    held = {"A": dd.Free(0.39, 0.41), "B": dd.Free(0.39, 0.41), "C": dd.Free(-0.01, 0.01)}
    field = np.full(ANGLES.shape, 0.3)
    posterior = sampled(ANGLES, field, 1e-3, parameters=held)
    assert np.all(np.isnan(posterior.samples))
    assert codes(posterior) == {"no-resonance"}


def test_r_hat_and_effective_sizes():
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(4, 1000))
    r_hat, bulk, tail = quality_of(draws)
    assert r_hat < 1.005
    assert 3000 < bulk < 5000
    assert 3000 < tail < 5000
    shifted, wider = draws.copy(), draws.copy()
    shifted[0] += 1
    wider[0] *= 3  # the same mean: only the folded draws tell
    assert quality_of(shifted).r_hat > 1.05
    assert quality_of(wider).r_hat > 1.05
    correlated = scipy.signal.lfilter([1], [1, -0.9], draws, axis=1)
    # (1 − ρ)/(1 + ρ) of them are effective
    assert quality_of(correlated).ess_bulk == pytest.approx(4000 / 19, rel=0.4)


@pytest.mark.parametrize(
    ("changes", "what", "value"),
    [
        ({"field": None}, "field", None),
        (
            {"angle": dd.Series(ANGLES, 0.3 + 0 * ANGLES, frequency=NU), "field": None},
            "sigma",
            NOT_GIVEN,
        ),
        ({"sigma": None, "angle": ANGLES[:3], "field": 0.3 + ANGLES[:3]}, "sigma", None),
        ({"n_samples": 3}, "n_samples", 3),
        ({"n_chains": 0}, "n_chains", 0),
        ({"frequency": -1.0}, "frequency", -1.0),
    ],
)
def test_bad_input_is_named(changes, what, value):
    given = {"angle": ANGLES, "field": ANGLES + 1, "sigma": 1e-3, "frequency": NU} | changes
    with pytest.raises(InputError) as caught:
        dd.sample_posterior(**given)
    assert (caught.value.what, caught.value.given) == (what, value)
    assert str(caught.value).startswith(what)


def test_a_model_of_your_own_needs_bounds():
    def film(values):
        return dd.ThinFilm(values["Meff"])

    with pytest.raises(InputError) as caught:
        sampled(
            ANGLES, np.full(19, 0.3), 1e-3, model=film, parameters={"Meff": dd.Free()}, plane="xz"
        )
    assert (caught.value.what, caught.value.given) == ("parameters", "Meff")


def test_without_numpyro_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpyro", None)
    with pytest.raises(ImportError, match=r"\.\[posterior\]"):
        sampled(ANGLES, ANGLES, 1e-3)
