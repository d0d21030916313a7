"""Line widths against the absorption of the linearized Landau–Lifshitz–Gilbert equation.

The reference knows neither H(u) nor derivatives: at each field of a sweep it minimizes the energy,
solves the equation of motion of a damped M in a small microwave field, and looks where the absorbed
power is half of its maximum.
"""

import numpy as np
import pytest
from scipy.optimize import brentq, minimize

from diffdip import (
    AnisotropyFields,
    CubicAnisotropy,
    StandingSpinWave,
    ThinFilm,
    UniaxialAnisotropy,
    larmor_field,
    line_width,
    resonance_field,
    width_slopes,
)
from diffdip.foundation.errors import InputError


FREQUENCY = 9.45e9
AXIS = np.array([0.6, 0.8, 0.0])


def sample(values):
    """One structure for all tests that need the general solver."""
    crystal = CubicAnisotropy(values["cubic"]) + UniaxialAnisotropy(values["uniaxial"], AXIS)
    return ThinFilm(values["film"]) + crystal + StandingSpinWave(values["exchange"])


def energy_by_hand(values, u):
    x, y, z = u
    cubic = x * x * y * y + y * y * z * z + z * z * x * x
    uniaxial = values["uniaxial"] * (AXIS @ u) ** 2
    return (values["film"] * z * z - uniaxial + values["cubic"] * cubic) / 2


def absorption(values, field, direction, alpha, w0):
    """Absorbed power at a field: −Im of the mean transverse susceptibility, times w0."""

    def depth(angles):
        theta, phi = angles
        u = np.array([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)])
        return energy_by_hand(values, u) - field * u @ direction

    start = np.arccos(direction[2]), np.arctan2(direction[1], direction[0])
    near = minimize(depth, start, method="BFGS", options={"gtol": 1e-10})
    theta, phi = near.x
    step = 1e-3
    # second derivatives along θ and φ, where φ has the metric sin θ
    moved = lambda p, q: depth((theta + step * p, phi + step * q / np.sin(theta)))
    tt = (moved(1, 0) + moved(-1, 0) - 2 * moved(0, 0)) / step**2
    pp = (moved(0, 1) + moved(0, -1) - 2 * moved(0, 0)) / step**2
    tp = (moved(1, 1) + moved(-1, -1) - moved(1, -1) - moved(-1, 1)) / (4 * step**2)
    stiffness = np.array([[tt, tp], [tp, pp]]) + values["exchange"] * np.eye(2)
    # u × dm/dt turns θ into φ; e^{−iwt}
    turn = np.array([[0, 1], [-1, 0]])
    response = np.linalg.inv(stiffness - 1j * w0 * (alpha * np.eye(2) + turn))
    return w0 * np.trace(response).imag


def width_by_sweep(values, direction, alpha, w0, near, guess):
    """FWHM of the absorption around a resonance that is known roughly."""
    power = lambda field: absorption(values, field, direction, alpha, w0)
    fields = near + guess * np.linspace(-0.6, 0.6, 25)
    top = np.argmax([power(field) for field in fields])
    a, b, _ = np.polyfit(
        fields[top - 3 : top + 4] - near, [power(f) for f in fields[top - 3 : top + 4]], 2
    )
    peak = near - b / (2 * a)
    half = power(peak) / 2
    ends = [brentq(lambda f: power(f) - half, peak, peak + side * 1.5 * guess) for side in (-1, 1)]
    return ends[1] - ends[0]


@pytest.mark.slow
def test_damping_against_the_equation_of_motion():
    """Near the normal of a film, where M lags far behind, and for a crystal in any direction."""
    w0, alpha = float(larmor_field(FREQUENCY)), 1e-3
    film = {"film": 0.8, "cubic": 0.0, "uniaxial": 0.0, "exchange": 0.0}
    crystal = {"film": 0.3, "cubic": 0.06, "uniaxial": 0.05, "exchange": 0.02}
    plane = np.array([[0.0, 0.0, 1.0], [0.8, 0.6, 0.0]])  # from the normal
    dragged = []
    for values, degrees in ((film, [2.0, 5.0, 20.0]), (crystal, [10.0, 40.0, 80.0])):
        angles = np.radians(degrees)
        slopes = width_slopes(sample, angles, FREQUENCY, plane=plane, values=values)
        for angle, field, slope in zip(angles, slopes.field, slopes.damping, strict=True):
            direction = np.cos(angle) * plane[0] + np.sin(angle) * plane[1]
            expected = float(alpha * slope)
            found = width_by_sweep(values, direction, alpha, w0, float(field), expected)
            assert found == pytest.approx(expected, rel=2e-3)
            dragged.append(expected / (2 * alpha * w0))
    # no field is left where exchange alone lifts the frequency above w0
    far = width_slopes(sample, angles, FREQUENCY, plane=plane, values={**crystal, "exchange": 2.0})
    assert np.isnan([far.field, far.damping, far.mosaic]).all()
    # it is not the plain 2αw0
    assert max(dragged) > 2
    assert np.ptp(dragged) > 0.5


FILM = {"A": 2 / 3 * 0.7, "B": 0.0, "C": 0.0}
TENSOR = {"A": 0.12, "B": 0.05, "C": 0.02}


def model(values):
    return AnisotropyFields(values["A"], values["B"], values["C"])


def test_in_the_plane_of_a_film_and_along_its_normal():
    """ΔH = 2αw0 exactly, at every frequency; A = 2µ0M_eff/3."""
    frequency = np.array([4e9, 40e9])
    none = {"A": 0.0, "g": 0.0}
    for angle in (0.0, np.pi / 2):
        width = line_width(
            model,
            np.full(2, angle),
            frequency,
            plane="xz",
            damping=0.01,
            spreads=none,
            values=FILM,
        )
        np.testing.assert_allclose(width, 0.02 * larmor_field(frequency), rtol=1e-12)


def test_disorder_is_the_change_of_the_field():
    """Mosaic and spreads against differences of the resonance field, by both additions."""
    angle, frequency, step = np.array([0.5, 1.0]), np.array([9.45e9, 20e9]), 1e-5
    field = lambda angle=angle, g=2.0, **more: np.asarray(
        resonance_field(model({**TENSOR, **more}), angle, frequency, g)
    )
    turned = np.abs(field(angle + step) - field(angle - step)) / (2 * step)
    by_a = np.abs(field(A=0.12 + step) - field(A=0.12 - step)) / (2 * step)
    by_g = np.abs(field(g=2 + step) - field(g=2 - step)) / (2 * step)
    parts = np.stack([0.02 * turned, 0.01 * by_a, 0.003 * by_g, [0.002, 0.002]])
    assert (parts[0] > 1e-4).all()
    given = {"mosaic": 0.02, "inhomogeneous": 0.002, "spreads": {"A": 0.01, "g": 0.003}}
    for addition, expected in (("linear", parts.sum(0)), ("squares", np.sqrt((parts**2).sum(0)))):
        found = line_width(model, angle, frequency, values=TENSOR, addition=addition, **given)
        np.testing.assert_allclose(found, expected, rtol=1e-7)


def test_wrong_names_are_refused():
    with pytest.raises(InputError) as caught:
        width_slopes(ThinFilm(0.5), 0.0, FREQUENCY, spread=("A",))
    assert (caught.value.what, caught.value.given) == ("spread", "A")
    with pytest.raises(InputError) as caught:
        line_width(ThinFilm(0.5), 0.0, FREQUENCY, addition="cubes")
    assert caught.value.what == "addition"
