"""Fits against planted parameters, and their flags when the data do not determine them."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.stats

import diffdip as dd
from diffdip.fitting.parameters import ParameterSet
from diffdip.foundation.errors import NOT_GIVEN, InputError


NU = 9.45e9
ANGLES = np.deg2rad(np.arange(0, 181, 10.0))


measured = jax.jit(dd.resonance_field)
measured_along = jax.jit(dd.resonance_field_along)


def curve(A=0.0, B=0.0, C=0.0, angle=ANGLES, frequency=NU, g=2.0):
    return np.asarray(measured(dd.AnisotropyFields(A, B, C), jnp.asarray(angle), frequency, g))


def codes(result):
    return {flag.code for flag in result.flags}


def correlation(result, one, other):
    return abs(result.correlation[result.names.index(one), result.names.index(other)])


@pytest.mark.slow
def test_sample_one_is_recovered_without_a_start():
    result = dd.fit_series(ANGLES, curve(0.1915, 0.2046, 0.02), frequency=NU)
    assert result.converged
    assert result.flags == ()
    assert result.convention == "paper"
    for name, value in {"A": 0.1915, "B": 0.2046, "C": 0.02}.items():
        assert result.values[name] == pytest.approx(value, abs=1e-8)
    assert result.rms < 1e-9
    fine = np.linspace(0, np.pi, 7)
    np.testing.assert_allclose(result.curve(fine), curve(0.1915, 0.2046, 0.02, fine), atol=1e-9)


@pytest.mark.slow
def test_conventions_differ_by_the_sign_of_the_fields():
    field = curve(0.1, 0.05, 0.02)
    paper = dd.fit_series(ANGLES, field, frequency=NU)
    physical = dd.fit_series(ANGLES, field, frequency=NU, convention="physical")
    for name in "ABC":
        assert physical.values[name] == pytest.approx(-paper.values[name], abs=1e-9)
    assert physical.convention == "physical"


@pytest.mark.slow
def test_agrees_with_scipy_in_values_and_covariance():
    rng = np.random.default_rng(0)
    sigma = rng.uniform(1e-3, 3e-3, ANGLES.shape)
    field = curve(0.12, 0.06, -0.03) + sigma * rng.normal(size=ANGLES.shape)
    result = dd.fit_series(ANGLES, field, sigma, frequency=NU)

    values, covariance = scipy.optimize.curve_fit(
        lambda _, *x: curve(*x),
        ANGLES,
        field,
        p0=[0.1, 0.05, 0.0],
        sigma=sigma,
        absolute_sigma=True,
    )
    np.testing.assert_allclose([result.values[n] for n in "ABC"], values, atol=1e-7)
    np.testing.assert_allclose(result.covariance, covariance, rtol=1e-3)
    chi2 = float(np.sum(((field - curve(*values)) / sigma) ** 2))
    assert result.chi2 == pytest.approx(chi2, rel=1e-6)
    assert result.reduced_chi2 == pytest.approx(chi2 / (len(ANGLES) - 3), rel=1e-6)


@pytest.mark.slow
def test_profile_interval_is_where_chi2_has_risen_by_one_and_four():
    rng = np.random.default_rng(1)
    field = curve(0.1915, 0.2046, 0.0) + 2e-3 * rng.normal(size=ANGLES.shape)
    result = dd.fit_series(ANGLES, field, 2e-3, frequency=NU)
    for rise, label in ((1.0, "68"), (4.0, "95")):
        for end in result.intervals["B"][label]:
            fixed = {"A": dd.Free(), "B": end, "C": dd.Free()}
            other = dd.fit_series(ANGLES, field, 2e-3, frequency=NU, parameters=fixed)
            assert other.chi2 - result.chi2 == pytest.approx(rise, rel=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_intervals_hold_the_truth_as_often_as_they_say(known):
    """Series with 2 mT noise, |A|, |B| ≤ 250 mT, angles without a resonance left out."""
    rng = np.random.default_rng(20260101)
    count = 600 if known else 300
    truth = rng.uniform(-0.25, 0.25, (count, 3)) * np.array([1, 1, 0.4])
    clean = np.asarray(
        jax.jit(
            jax.vmap(lambda x: dd.resonance_field(dd.AnisotropyFields(*x), jnp.asarray(ANGLES), NU))
        )(jnp.asarray(truth))
    )
    enough = np.sum(np.isfinite(clean), axis=1) >= 8
    truth, clean = truth[enough], clean[enough]
    assert len(truth) > 0.98 * count
    noisy = clean + 2e-3 * rng.normal(size=clean.shape)
    noisy[noisy <= 0] = np.nan  # no field of a line
    fits = dd.fit_many(ANGLES, noisy, 2e-3 if known else None, frequency=NU, intervals=True)
    far = np.max(np.abs(fits.values - truth) / fits.standard_errors, axis=1) > 6
    assert np.mean(far) <= 0.005
    for level, coverage in enumerate((0.6827, 0.9545)):
        inside = (truth > fits.lower[:, level]) & (truth < fits.upper[:, level])
        # four standard deviations of a binomial share
        allowed = 4 * np.sqrt(coverage * (1 - coverage) / len(truth))
        assert np.all(np.abs(inside.mean(axis=0) - coverage) < allowed)


@pytest.mark.slow
def test_fit_many_without_an_angle_that_all_series_have():
    field = np.array([curve(0.1, 0.05), curve(0.08, -0.03)])
    field[0, ::2], field[1, 1::2] = np.nan, np.nan
    many = dd.fit_many(ANGLES, field, frequency=NU)
    np.testing.assert_allclose(many.values[:, :2], [[0.1, 0.05], [0.08, -0.03]], atol=1e-8)


@pytest.mark.slow
def test_fit_many_is_fit_series_for_each():
    rng = np.random.default_rng(2)
    fields = np.stack([curve(0.1, 0.05), curve(-0.05, 0.1, 0.02)])
    fields = fields + 1e-3 * rng.normal(size=fields.shape)
    fields[1, 3] = np.nan
    many = dd.fit_many(ANGLES, fields, frequency=NU, batch=1)
    for i, field in enumerate(fields):
        one = dd.fit_series(ANGLES, field, frequency=NU)
        np.testing.assert_allclose(many.values[i], [one.values[n] for n in "ABC"], atol=1e-8)
        np.testing.assert_allclose(many.covariance[i], one.covariance, rtol=1e-5)
        assert many.rms[i] == pytest.approx(one.rms, rel=1e-6)
        # without sigma and profiles the intervals are symmetric, by Student's law
        for level, part in enumerate((0.6827, 0.9545)):
            width = scipy.stats.t.ppf((1 + part) / 2, one.dof) * many.standard_errors[i]
            np.testing.assert_allclose(many.upper[i, level] - many.values[i], width, rtol=1e-6)
            np.testing.assert_allclose(many.values[i] - many.lower[i, level], width, rtol=1e-6)


def unmeasured(series: dd.Series) -> dd.Series:
    """All fields left out, for which nothing new is compiled."""
    nothing = np.full(series.field.shape, np.nan)
    return dd.Series(
        series.angle, nothing, series.sigma, frequency=series.frequency, plane=series.plane
    )


@pytest.mark.slow
def test_three_planes_give_all_of_the_tensor():
    truth = {"A": 0.05, "B": -0.04, "C": 0.03, "Cxz": 0.02, "Cyz": -0.05}
    energy = dd.FullTensorModel()({name: jnp.asarray(value) for name, value in truth.items()})
    rng = np.random.default_rng(3)
    series = [
        dd.Series(
            ANGLES,
            np.asarray(measured_along(energy, dd.plane_directions(ANGLES, plane), NU))
            + 5e-4 * rng.normal(size=ANGLES.shape),
            frequency=NU,
            plane=plane,
        )
        for plane in ("xy", "xz", "yz")
    ]
    result = dd.fit_joint(series, model=dd.FullTensorModel())
    assert result.converged
    for name, value in truth.items():
        assert abs(result.values[name] - value) < 4 * result.standard_errors[name]
        assert result.standard_errors[name] < 1e-3
    # one plane alone cannot
    alone = dd.fit_joint([series[0], *map(unmeasured, series[1:])], model=dd.FullTensorModel())
    worst = max(alone.standard_errors[n] for n in ("Cxz", "Cyz"))
    assert worst > 10 * max(result.standard_errors.values())


def film(values):
    plane = dd.UniaxialAnisotropy(values["Hu"], jnp.array([1.0, 1.0, 0.0]))
    return dd.CubicAnisotropy(values["H1"]) + plane + dd.ThinFilm(values["Meff"])


@pytest.mark.slow
def test_cubic_and_uniaxial_film():
    truth = {"H1": 0.05, "Hu": 0.01, "Meff": 0.8}
    frequency = 20e9
    angles = np.deg2rad(np.arange(0, 180, 15.0))
    energy = film({name: jnp.asarray(value) for name, value in truth.items()})
    field = np.asarray(measured(energy, jnp.asarray(angles), frequency))
    field = field + 2e-4 * np.random.default_rng(4).normal(size=field.shape)
    parameters = {"H1": dd.Free(), "Hu": dd.Free(), "Meff": dd.Free(0.0, 2.0)}
    result = dd.fit_series(angles, field, frequency=frequency, parameters=parameters, model=film)
    assert result.converged
    for name, value in truth.items():
        assert abs(result.values[name] - value) < 4 * result.standard_errors[name]
    assert result.standard_errors["H1"] < 1e-3


@pytest.mark.slow
def test_two_frequencies_separate_g_from_a():
    low, high = curve(0.02, 0.01, g=2.05), curve(0.02, 0.01, g=2.05, frequency=34e9)
    series = [
        dd.Series(ANGLES, low, np.full(ANGLES.shape, 1e-3), frequency=NU),
        dd.Series(ANGLES, high, np.full(ANGLES.shape, 1e-3), frequency=34e9),
    ]
    both = dd.fit_joint(series, g=dd.Free())
    assert both.values["g"] == pytest.approx(2.05, abs=1e-7)
    assert "degenerate" not in codes(both)
    one = dd.fit_joint([series[0], unmeasured(series[1])], g=dd.Free())
    assert "degenerate" in codes(one)
    assert correlation(one, "A", "g") > 0.98


@pytest.mark.slow
def test_offset_and_c_are_flagged_as_degenerate():
    result = dd.fit_series(ANGLES, curve(0.1, 0.08), frequency=NU, offset=dd.Free())
    assert "degenerate" in codes(result)
    assert correlation(result, "C", "offset") > 0.98
    fixed = {"A": dd.Free(), "B": dd.Free(), "C": 0.0}
    start = dd.Free(-np.pi / 4, np.pi / 4)
    turned = curve(0.1, 0.08, angle=ANGLES - 0.3)
    result = dd.fit_series(ANGLES, turned, frequency=NU, offset=start, parameters=fixed)
    assert result.values["offset"] == pytest.approx(0.3, abs=1e-6)
    assert result.flags == ()


@pytest.mark.slow
def test_flags_two_minima():
    """With C = 0 and a free offset, (B, offset) and (−B, offset + 90°) are the same curve."""
    fixed = {"A": dd.Free(), "B": dd.Free(), "C": 0.0}
    offset = dd.Free(-np.pi / 2, np.pi / 2)
    turned = curve(0.1, 0.08, angle=ANGLES - 0.3) + 1e-3 * np.cos(7 * ANGLES)
    result = dd.fit_series(ANGLES, turned, frequency=NU, offset=offset, parameters=fixed)
    assert "several-minima" in codes(result)


@pytest.mark.slow
def test_flags_points_without_resonance():
    field = curve(0.24, 0.24).copy()
    field[5:8] = 0.9  # lines that no A, B, C with the rest can have
    held = {"A": 0.4, "B": dd.Free(0.39, 0.41), "C": 0.0}
    result = dd.fit_series(ANGLES, field, frequency=NU, parameters=held)
    assert "no-resonance" in codes(result)
    assert np.isnan(result.predicted).any()
    assert np.isfinite(list(result.values.values())).all()


@pytest.mark.slow
def test_bounds_hold_and_are_flagged():
    bounded = {"A": dd.Free(), "B": dd.Free(0.0, 0.1), "C": dd.Free()}
    result = dd.fit_series(ANGLES, curve(0.1, 0.15), frequency=NU, parameters=bounded)
    assert 0.0 <= result.values["B"] <= 0.1
    assert "at-bound" in codes(result)


def test_copies_of_points_are_flagged():
    field = curve(0.02, 0.01) + np.random.default_rng(3).normal(0, 1e-4, ANGLES.shape)
    assert dd.fit_series(ANGLES, field, frequency=NU).flags == ()
    repeated = dd.fit_series(np.tile(ANGLES, 5), np.tile(field, 5), frequency=NU)
    [flag] = [flag for flag in repeated.flags if flag.code == "copies"]
    assert f"{4 * ANGLES.size} points" in flag.message
    series = dd.Series(ANGLES, field, frequency=NU)
    assert "copies" in codes(dd.fit_joint([series, series]))


@pytest.mark.parametrize("size", [3e-5, 1e-4])
def test_repeated_measurements_of_few_digits_are_not_copies(size):
    noise = np.random.default_rng(3).normal(0, size, (2, ANGLES.size))
    field = np.round(curve(0.02, 0.01) + noise, 4)  # to 0.1 mT
    assert 2 < np.sum(field[0] == field[1]) < ANGLES.size
    found = dd.fit_series(np.tile(ANGLES, 2), field.ravel(), frequency=NU)
    assert found.flags == ()


@pytest.mark.slow
def test_tied_parameters_follow_their_rule():
    tied = {"A": dd.Free(), "B": lambda p: 0.5 * p["A"], "C": 0.0}
    result = dd.fit_series(ANGLES, curve(0.1, 0.05), frequency=NU, parameters=tied)
    assert result.names == ("A",)
    assert result.values["B"] == pytest.approx(0.05, abs=1e-8)


@pytest.mark.slow
def test_optax_route_with_squares_agrees_with_least_squares():
    rng = np.random.default_rng(6)
    field = curve(0.12, -0.08, 0.03) + 1e-3 * rng.normal(size=ANGLES.shape)
    squares = dd.fit_series(ANGLES, field, frequency=NU)
    descent = dd.fit_loss([dd.Series(ANGLES, field, frequency=NU)], lambda r: jnp.mean(r**2))
    assert descent.converged
    for name in "ABC":
        assert descent.values[name] == pytest.approx(squares.values[name], abs=2e-6)
    assert descent.loss == pytest.approx(squares.chi2 / len(ANGLES), rel=1e-4)


@pytest.mark.float32
def test_fits_run_in_double_precision_by_themselves():
    assert not jax.config.jax_enable_x64
    with jax.enable_x64(True):
        field = curve(0.1915, 0.2046)
    result = dd.fit_series(ANGLES, field, frequency=NU)
    assert result.values["A"] == pytest.approx(0.1915, abs=1e-8)
    assert not jax.config.jax_enable_x64


@pytest.mark.parametrize(
    ("changes", "what", "value"),
    [
        ({"angle": ANGLES[:2], "field": [0.3, 0.3]}, "points", 2),
        ({"frequency": -1.0}, "frequency", -1.0),
        ({"sigma": 0.0}, "sigma", 0.0),
        ({"angle": ANGLES[:-1]}, "angle", (18,)),
        ({"angle": np.where(ANGLES > 3, np.inf, ANGLES)}, "angle", np.inf),
        ({"angle": ["north"] * 19}, "angle", ["north"] * 19),
        ({"frequency": [NU, NU]}, "frequency", (2,)),
        ({"loss": "cauchy"}, "loss", "cauchy"),
        ({"plane": "yx"}, "plane", "yx"),
        ({"parameters": {"A": 0.0, "B": 0.0, "C": 0.0}}, "no parameter is free", NOT_GIVEN),
        ({"model": film}, "parameters", None),
        ({"parameters": {"g": dd.Free()}}, "parameters", "g"),
        ({"parameters": {"c": 0.0}}, "parameters", "c"),
        ({"model": dd.InPlaneModel(), "convention": "physical"}, "convention", "physical"),
    ],
)
def test_bad_input_is_named(changes, what, value):
    given = {"angle": ANGLES, "field": curve(), "sigma": None, "frequency": NU} | changes
    with pytest.raises(InputError) as caught:
        dd.fit_series(**given)
    assert (caught.value.what, caught.value.given) == (what, value)
    assert str(caught.value).startswith(what)


def test_an_unknown_convention_is_refused():
    with pytest.raises(ValueError, match="si"):
        dd.fit_series(ANGLES, curve(), frequency=NU, convention="si")


def test_series_that_do_not_fit_together_are_refused():
    one = dd.Series(ANGLES, curve(), frequency=NU)
    other = dd.Series(ANGLES, curve(), 1e-3, frequency=NU)
    with pytest.raises(InputError) as caught:
        dd.fit_joint([one, other])
    assert caught.value.what == "sigma"
    with pytest.raises(InputError) as caught:
        dd.fit_joint([one, one], offset=[0.0])
    assert (caught.value.what, caught.value.given) == ("offset", [0.0])


@pytest.mark.parametrize(
    ("changes", "what", "value", "where"),
    [
        ({"field": np.zeros((0, 19))}, "field", (0, 19), ()),
        ({"batch": 0}, "batch", 0, ()),
        ({"sigma": np.ones(3)}, "sigma", (3,), ()),
        (
            {"field": [ANGLES + 0.3, np.where(ANGLES < 0.1, 0.3, np.nan)]},
            "points",
            1,
            ("series 1",),
        ),
    ],
)
def test_bad_input_of_many_fits_is_named(changes, what, value, where):
    given = {"angle": ANGLES, "field": np.full((2, 19), 0.3), "frequency": NU} | changes
    with pytest.raises(InputError) as caught:
        dd.fit_many(**given)
    error = caught.value
    assert (error.what, error.given, error.where) == (what, value, where)


def test_a_loss_needs_a_step():
    with pytest.raises(InputError) as caught:
        dd.fit_loss([dd.Series(ANGLES, curve(), frequency=NU)], jnp.sum, steps=0)
    assert (caught.value.what, caught.value.given) == ("steps", 0)


def test_bounds_must_be_ordered():
    with pytest.raises(InputError) as caught:
        dd.Free(1.0, 0.0)
    assert (caught.value.what, caught.value.given) == ("lower", 1.0)


def test_parameters_not_named_stay_free():
    result = dd.fit_series(ANGLES, curve(0.1, 0.05), frequency=NU, parameters={"B": dd.Free(0, 1)})
    assert result.names == ("A", "B", "C")
    assert result.values["A"] == pytest.approx(0.1, abs=1e-6)


@pytest.mark.slow
def test_models_carry_the_convention():
    field = curve(0.1, 0.05)
    result = dd.fit_series(ANGLES, field, frequency=NU, model=dd.InPlaneModel("physical"))
    assert result.convention == "physical"
    assert result.values["A"] == pytest.approx(-0.1, abs=1e-7)
    assert dd.fit_many(ANGLES, field, frequency=NU, convention="physical").convention == "physical"


def test_no_false_alarm_for_ordinary_noise_and_an_alarm_for_a_wrong_sigma():
    rng = np.random.default_rng(7)
    for A, B, C in ((0.1, 0.05, 0.0), (-0.05, 0.12, 0.03), (0.19, 0.2, 0.0)):
        field = curve(A, B, C) + 2e-3 * rng.normal(size=ANGLES.shape)
        assert dd.fit_series(ANGLES, field, 2e-3, frequency=NU).flags == ()
        wrong = dd.fit_series(ANGLES, field, 2e-4, frequency=NU)
        assert codes(wrong) == {"scaled-errors"}
        # a sigma that the residuals contradict is as good as none
        unknown = dd.fit_series(ANGLES, field, frequency=NU)
        assert wrong.error_factor == pytest.approx(wrong.reduced_chi2**0.5)
        for name in "ABC":
            assert wrong.values[name] == pytest.approx(unknown.values[name], abs=1e-9)
            assert wrong.standard_errors[name] == pytest.approx(unknown.standard_errors[name], 1e-6)
            for level in ("68", "95"):
                np.testing.assert_allclose(
                    wrong.intervals[name][level], unknown.intervals[name][level], rtol=1e-3
                )


def test_as_many_points_as_parameters_leave_the_errors_open():
    # at 0, 50 and 110°; the rest without a line, which compiles nothing new
    used = np.isin(np.arange(len(ANGLES)), [0, 5, 11])
    result = dd.fit_series(ANGLES, np.where(used, curve(0.1, 0.05), np.nan), frequency=NU)
    assert result.values["A"] == pytest.approx(0.1, abs=1e-6)
    assert np.isnan(result.standard_errors["A"])
    assert codes(result) == {"no-degrees-of-freedom"}


@pytest.mark.slow
def test_branches_of_a_fit_hold_its_curve():
    result = dd.fit_series(ANGLES, curve(0.1915, 0.2046), frequency=NU)
    branches = result.branches(ANGLES)
    np.testing.assert_allclose(branches.field[:, 0], result.curve(ANGLES), rtol=1e-12)
    np.testing.assert_array_equal(result.curve(ANGLES, series=-1), result.curve(ANGLES))
    with pytest.raises(InputError) as caught:
        result.curve(ANGLES, series=1)
    assert (caught.value.what, caught.value.given) == ("series", 1)


def test_bounded_variables_are_inverse_to_each_other():
    free = [dd.Free(), dd.Free(-1.0, 2.0), dd.Free(lower=0.5), dd.Free(upper=0.5)]
    parameters = ParameterSet.of(dict(zip("abcd", free, strict=True)))
    x = jnp.array([0.3, 1.7, 0.9, -2.0])
    y = parameters.unbounded(x)
    np.testing.assert_allclose(parameters.bounded(y), x, rtol=1e-12)
    # far outside the bounds the variables stay finite
    outside = parameters.unbounded(jnp.array([5.0, 3.0, 0.0, 1.0]))
    assert np.all(np.isfinite(outside))


@pytest.mark.slow
def test_minima_that_differ_by_less_than_a_millitesla_are_told():
    """At 250 MHz all fields are small; one plane does not tell the sign of (Cxz, Cyz)."""
    truth = {"A": 1e-3, "B": -8e-4, "C": 5e-4, "Cxz": 6e-4, "Cyz": -4e-4}
    energy = dd.FullTensorModel()({name: jnp.asarray(value) for name, value in truth.items()})
    clean = np.asarray(measured(energy, jnp.asarray(ANGLES), 250e6))
    for seed in range(2):
        field = clean + np.random.default_rng(seed).normal(0, 2e-6, ANGLES.shape)
        found = dd.fit_series(ANGLES, field, frequency=250e6, model=dd.FullTensorModel())
        assert "several-minima" in codes(found)


def test_a_bound_is_reached_within_the_error_only():
    noise = np.random.default_rng(1).normal(0, 1e-7, ANGLES.shape)
    bounded = {"A": dd.Free(lower=0)}
    small = dd.fit_series(ANGLES, curve(8e-5, 1e-4) + noise, frequency=NU, parameters=bounded)
    assert small.standard_errors["A"] < 1e-7
    assert small.flags == ()
    pushed = dd.fit_series(ANGLES, curve(-8e-5, 1e-4) + noise, frequency=NU, parameters=bounded)
    assert "at-bound" in codes(pushed)


@pytest.mark.parametrize("sigma", [None, 2e-5])
def test_errors_from_few_points_are_said(sigma):
    """Also where a sigma that the residuals contradict was replaced by their scatter."""
    angle = np.radians([0.0, 45.0, 90.0, 135.0])
    field = np.array([0.337, 0.3382, 0.3391, 0.3379]) + np.array([2, -2, 2, -2]) * 2e-4
    fit = dd.fit_series(angle, field, sigma, frequency=9.45e9)
    [message] = [f.message for f in fit.flags if f.code == "few-degrees-of-freedom"]
    assert "only 1 degree of freedom" in message
    assert "71 %" in message
    right = dd.fit_series(angle, field, 5e-4, frequency=9.45e9)
    assert "few-degrees-of-freedom" not in codes(right)


def test_the_other_sign_of_b_is_told_with_a_free_offset():
    """The same solution half a turn further does not hide that of the opposite sign of B."""
    angle = np.radians(np.arange(0.0, 180.0, 10.0))
    sample = dd.AnisotropyFields(0.1, 0.03)
    for seed in range(8):
        rng = np.random.default_rng(seed)
        field = np.asarray(dd.resonance_field(sample, angle, 9.45e9)) + rng.normal(0, 2e-4, 18)
        fit = dd.fit_series(
            angle, field, 2e-4, frequency=9.45e9, offset=dd.Free(), parameters={"C": 0.0}
        )
        [flag] = [flag for flag in fit.flags if flag.code == "several-minima"]
        [offset] = re.findall(r"offset = (-?[\d.]+)°", flag.message)
        assert abs(float(offset)) == pytest.approx(90, abs=2)


@pytest.mark.slow
def test_copies_of_a_solution_do_not_hide_another_one():
    """B and C by their size and an angle have copies; the other sign of Cxz and Cyz is told."""
    tensor = dd.FullTensorModel()

    def turned(v):
        b, c = v["B2"] * jnp.cos(2 * v["phi_2"]), v["B2"] * jnp.sin(2 * v["phi_2"]) / 2
        return tensor({"A": v["A"], "B": b, "C": c, "Cxz": v["Cxz"], "Cyz": v["Cyz"]})

    truth = {"A": 0.1, "B2": 0.08, "phi_2": 0.3, "Cxz": 0.06, "Cyz": -0.04}
    angle = np.radians(np.arange(0.0, 180.0, 10.0))
    energy = turned({name: jnp.asarray(value) for name, value in truth.items()})
    clean = np.asarray(dd.resonance_field(energy, angle, 9.45e9))
    for seed in (2, 3, 4, 7):
        field = clean + np.random.default_rng(seed).normal(0, 2e-4, 18)
        fit = dd.fit_series(
            angle, field, 2e-4, frequency=9.45e9, model=turned, intervals=False,
            parameters={name: dd.Free() for name in truth},
        )  # fmt: skip
        [flag] = [flag for flag in fit.flags if flag.code == "several-minima"]
        [other] = re.findall(r"Cxz = (-?[\d.]+)", flag.message)
        assert float(other) * fit.values["Cxz"] < 0
