"""Models made of named terms: parameters, energies, and where the search for them starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import diffdip as dd
from diffdip.fitting.equivalent_angles import nearest_copy, same_solution
from diffdip.fitting.equivalent_solutions import least_surprising
from diffdip.fitting.least_squares_problem import Design
from diffdip.fitting.parameter_table import parameter_kind
from diffdip.fitting.predictions import linearized
from diffdip.fitting.problem import FitProblem
from diffdip.fitting.term_models import KINDS, TermsModel
from diffdip.fitting.term_names import TERMS
from diffdip.fitting.term_starts import likely_values
from diffdip.foundation.errors import InputError
from diffdip.foundation.units import larmor_value


def test_every_term_has_parameters_with_units():
    assert list(KINDS) == list(TERMS)
    for term, kind in KINDS.items():
        model = TermsModel((term,))
        values = {name: jnp.asarray(0.1) for name in model.names}
        energy = model(values)
        assert model.names == kind.parameters
        assert np.isfinite(energy(jnp.array([0.6, 0.0, 0.8])))
        units = {parameter_kind(name).unit for name in model.names}
        assert units <= {"mT", "deg"}


def test_a_sum_is_that_of_the_terms():
    model = TermsModel(("thin-film", "cubic", "uniaxial"), crystal=("110", "001"))
    values = {"Meff": 0.9, "H1": 0.05, "Hu": 0.02, "phi_u": 0.3}
    u = jnp.array([0.48, 0.6, 0.64])
    by_hand = dd.ThinFilm(0.9) + dd.CubicAnisotropy(0.05, dd.crystal_axes("110", "001"))
    by_hand += dd.UniaxialAnisotropy(0.02, [np.cos(0.3), np.sin(0.3), 0.0])
    found = model({name: jnp.asarray(value) for name, value in values.items()})(u)
    np.testing.assert_allclose(found, by_hand(u), rtol=1e-12)


def test_a_fixed_axis_replaces_its_angle():
    model = TermsModel(("uniaxial", "uniaxial"), axes={"uniaxial": "011"})
    assert model.names == ("Hu", "Hu_2", "phi_u_2")
    along = jnp.array([0.0, 1.0, 1.0]) / 2**0.5
    energy = model({"Hu": jnp.asarray(0.1), "Hu_2": jnp.zeros(()), "phi_u_2": jnp.zeros(())})
    np.testing.assert_allclose(energy(along), -0.05, rtol=1e-6)


def test_each_term_has_its_own_axis():
    model = TermsModel(("uniaxial", "uniaxial"), axes={"uniaxial": "100", "uniaxial_2": "010"})
    assert model.names == ("Hu", "Hu_2")
    energy = model({"Hu": jnp.asarray(0.1), "Hu_2": jnp.asarray(0.3)})
    np.testing.assert_allclose(energy(jnp.array([1.0, 0.0, 0.0])), -0.05, rtol=1e-6)
    np.testing.assert_allclose(energy(jnp.array([0.0, 1.0, 0.0])), -0.15, rtol=1e-6)
    with pytest.raises(InputError, match="uniaxial_2"):
        TermsModel(("uniaxial", "uniaxial"), axes={"uniaxial_3": "100"})


@pytest.mark.parametrize(
    ("terms", "axes", "held", "turns"),
    [
        (("thin-film", "two-fold", "four-fold"), {}, (), True),
        (("thin-film", "two-fold", "four-fold"), {}, ("phi_4",), False),
        (("two-fold", "two-fold"), {}, ("phi_2_2",), False),
        (("two-fold", "two-fold"), {}, (), True),
        (("thin-film", "perpendicular", "uniaxial-2"), {}, (), True),
        (("tensor",), {}, (), True),
        (("tensor",), {}, ("C",), False),
        (("thin-film", "cubic", "uniaxial"), {}, (), False),
        (("uniaxial",), {"uniaxial": "110"}, (), False),
        (("uniaxial", "two-fold"), {"uniaxial": "001"}, (), True),
    ],
)
def test_what_a_free_offset_is_the_same_as(terms, axes, held, turns):
    model = TermsModel(terms, axes=axes)
    free = set(model.names) - set(held)
    assert model.turns_with(free) == turns
    # what other values of the free parameters must undo: the energy turned by 0.3 about z
    rng = np.random.default_rng(0)
    values = dict(zip(model.names, rng.uniform(0.1, 0.3, len(model.names)), strict=True))
    turned = dict(values)
    for name in free:
        turned[name] += 0.3 if name.startswith("phi") else 0.0
    if "C" in free:
        cos, sin = np.cos(0.6), np.sin(0.6)
        b, c = values["B"], 2 * values["C"]
        turned |= {"B": b * cos - c * sin, "C": (b * sin + c * cos) / 2}
    turn = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
    u = np.array([[0.8, 0.0, 0.6], [0.36, 0.48, 0.8], [0.6, -0.8, 0.0]])
    as_jax = lambda numbers: {name: jnp.asarray(x) for name, x in numbers.items()}
    first, second = model(as_jax(values)), model(as_jax(turned))
    apart = [float(second(jnp.asarray(turn @ one)) - first(jnp.asarray(one))) for one in u]
    assert (np.max(np.abs(apart)) < 1e-6) == turns


def test_wrong_terms():
    for terms in ((), "cubic", ("cubics",)):
        with pytest.raises(InputError):
            TermsModel(terms)
    with pytest.raises(InputError, match="uniaxial"):
        TermsModel(("cubic", "uniaxial"), axes={"cubic": "110"})


def test_a_film_is_likely_where_kittel_puts_it():
    larmor = np.array([larmor_value(f, 2.1) for f in (9e9, 18e9)])
    field = np.sqrt(0.7**2 + larmor**2) - 0.7  # H (H + 1.4) = w0²
    found = likely_values(["H1"], field, larmor, in_film_plane=True)
    assert found["Meff"].center == pytest.approx(1.4)
    across = likely_values([], np.array([field[0], larmor[0] + 1.4]), larmor[[0, 0]], False)
    assert abs(across["Meff"].center - 1.4) < 1e-6
    assert likely_values(["H1"], np.array([np.nan]), larmor[:1], True) == {}


@pytest.mark.slow
def test_points_of_all_kinds_are_fitted_together():
    # the rotation alone leaves Meff against g open; frequencies and the normal settle it
    truth = {"Meff": 0.9, "B4": 0.04, "phi_4": 0.2}
    model, rng = TermsModel(("thin-film", "four-fold")), np.random.default_rng(8)
    angle, set_field = np.radians(np.arange(0.0, 180.0, 12.0)), np.linspace(0.1, 0.4, 8)
    normal = np.array([[0.0, 0.0, 1.0], [0.05, 0.0, 1.0]])
    noise, hertz_noise = 2e-4, 4e6
    with jax.enable_x64(True):
        energy = model({name: jnp.asarray(value) for name, value in truth.items()})
        turned = dd.resonance_field(energy, angle - 0.05, 9.5e9, 2.1)
        along = dd.resonance_field_along(energy, normal, 9.5e9, 2.1)
        swept = dd.resonance_frequency(energy, 0.3 - 0.05, set_field, 2.1)
    series = [
        dd.Series(angle, turned + rng.normal(0, noise, 15), noise, frequency=9.5e9),
        dd.Series(None, along + rng.normal(0, noise, 2), noise, frequency=9.5e9, direction=normal),
        dd.Series(
            np.full(8, 0.3),
            set_field,
            hertz_noise,
            frequency=swept + rng.normal(0, hertz_noise, 8),
            measured="frequency",
        ),
    ]
    fit = dd.fit_joint(series, model=model, g=dd.Free(), offset=0.05)
    assert fit.converged
    for name, value in {**truth, "g": 2.1}.items():
        assert abs(fit.values[name] - value) < 4 * fit.standard_errors[name], name
    assert fit.standard_errors["g"] < 0.01
    assert 0.3 < fit.reduced_chi2 < 2
    np.testing.assert_allclose(fit.frequencies(0.3, set_field, 2), swept, rtol=1e-3)
    with pytest.raises(InputError, match="plane"):
        fit.curve(0.0, 1)
    # the same axis a quarter of a turn further: reported near its start, and within its bounds
    further = fit.values["phi_4"] + np.pi / 2
    for free, expected in (
        (dd.Free(start=further), further),
        (dd.Free(lower=1.2, upper=2.4), further),
    ):
        again = dd.fit_joint(
            series, model=model, g=dd.Free(), offset=0.05, parameters={"phi_4": free}
        )
        assert again.values["phi_4"] == pytest.approx(expected, abs=1e-4)
        low, high = again.intervals["phi_4"]["68"]
        assert low < again.values["phi_4"] < high


def test_the_least_surprising_of_equal_solutions():
    names = ("Meff", "H1", "Hu", "phi_u", "offset")
    rows = [
        (1.2848, -0.05, -0.01, 0.0168, -0.6852),
        (1.2097, 0.05, -0.01, -0.7686, 0.1002),
        (1.1997, 0.05, 0.01, 0.8022, 0.1002),
        (1.1997, 0.05, 0.01, -2.3394, 0.1002),
    ]
    score = least_surprising(names, np.array([rows]))
    assert np.argmin(score) == 2
    # −Hu a quarter of a turn further is Hu and another Meff: the energies differ by a constant
    problem, _ = film(("thin-film", "cubic", "uniaxial"))
    assert problem.parameters.free == names
    same = [same_solution(problem, np.array(rows[2]), np.array(row)) for row in rows]
    assert same == [False, True, True, True]
    assert not least_surprising(("A", "B", "C"), -np.ones((1, 2, 3))).any()


def test_a_film_turned_by_its_symmetry_is_the_same():
    """A quarter turn of a cubic film with its axis. Another normal or sixth of a turn is not."""
    problem, x = film(("thin-film", "cubic", "uniaxial"))
    names = problem.parameters.free
    x[names.index("phi_u")], x[names.index("offset")] = 0.3, 0.1
    for turn, same in ((np.pi / 2, True), (1.5 * np.pi, True), (np.pi / 3, False)):
        other = x.copy()
        other[names.index("phi_u")] += turn
        # angles count from the offset: the field at the same place of the table sees the same film
        other[names.index("offset")] -= turn
        assert same_solution(problem, x, other) == same
        design = Design((np.linspace(0, 3, 9),), np.asarray(9.45e9))
        fields = linearized(problem, design, np.stack([x, other]), many=False)[0]
        assert np.allclose(*fields, rtol=0, atol=1e-9) == same
    # with the opposite sign, the axis need not turn: other numbers, which have to be told
    other[names.index("offset")] = x[names.index("offset")] - np.pi / 2
    other[names.index("phi_u")] = x[names.index("phi_u")]
    assert not same_solution(problem, x, other)
    other[names.index("Hu")] *= -1
    assert not same_solution(problem, x, other)


def film(terms, **parameters):
    """The problem of a film with a free offset, and a vector of likely values."""
    problem = FitProblem.of(
        [dd.Series(np.linspace(0, 3, 9), np.full(9, 0.3), frequency=9.45e9)],
        g=2.0,
        offset=dd.Free(),
        parameters=parameters,
        model=TermsModel(terms),
        loss="linear",
        convention=None,
    )
    x = problem.parameters.central_point()
    x[[problem.parameters.kind(name).unit == "mT" for name in problem.parameters.free]] = 0.05
    return problem, x


@pytest.mark.parametrize(
    ("terms", "phi", "offset"),
    [
        (("thin-film", "uniaxial"), -45.0, -11.0),
        # a field along −h is another one for an energy that changes if M is reversed
        (("thin-film", "uniaxial", "bias"), -45.0, 169.0),
    ],
)
def test_angles_are_told_at_their_copies_nearest_to_zero(terms, phi, offset):
    """675° of an axis is −45°, and −911° of an offset −11°, as well in a rival solution."""
    problem, x = film(terms)
    far, near = x.copy(), x.copy()
    for name, there, here in (("phi_u", 675.0, phi), ("offset", -911.0, offset)):
        at = problem.parameters.free.index(name)
        far[at], near[at] = np.radians([there, here])
    found = nearest_copy(problem, far)
    np.testing.assert_allclose(found, near, atol=1e-12)


def test_copies_of_angles_give_the_same_fields():
    """With a bias, which half a turn of the offset would change."""
    problem, x = film(("uniaxial", "bias"))
    x[problem.parameters.free.index("offset")] = np.radians(-911.0)
    design = Design((np.linspace(0, np.pi, 5),), np.asarray(9.45e9))
    vectors = np.stack([x, nearest_copy(problem, x)])
    assert np.ptp(vectors, axis=0).max() > 1
    one, other = linearized(problem, design, vectors, many=False)[0]
    np.testing.assert_allclose(one, other, rtol=1e-9)
    assert np.ptp(one) > 0.01


def test_an_angle_is_told_near_its_start():
    """As the user thinks of it, and where its prior is."""
    problem, x = film(("thin-film", "uniaxial"), phi_u=dd.Free(start=np.radians(170.0)))
    at = problem.parameters.free.index("phi_u")
    x[at] = np.radians(-5.0)
    found = nearest_copy(problem, x)
    assert np.degrees(found[at]) == pytest.approx(175.0)


def test_an_angle_stays_within_its_bounds():
    problem, x = film(("thin-film", "uniaxial"), phi_u=dd.Free(lower=10.0))
    x[problem.parameters.free.index("phi_u")] = 12.0
    np.testing.assert_array_equal(nearest_copy(problem, x), x)
