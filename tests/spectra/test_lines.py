"""Lines and their positions: against analytic lines, scatter of noise, and measured sweeps."""

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import cumulative_trapezoid
from scipy.optimize import brentq
from scipy.signal import hilbert

from diffdip import Preparation, find_lines, fit_line, fit_series, line_positions, zero_crossing
from diffdip.foundation.errors import InputError
from diffdip.foundation.units import MU_B, PLANCK
from diffdip.io import example_path, positions_table, read_spectra, read_table
from diffdip.spectra.definitions import DEFINITIONS, SHAPES
from diffdip.spectra.line_reading import crossing, midpoint
from diffdip.spectra.line_selection import each_sweep
from diffdip.spectra.line_shapes import columns, gaussian, lorentzian, mixture
from diffdip.spectra.lines import LineError, smooth
from diffdip.spectra.noise import Noise, noise_of
from tests.helpers.raw_data import GONIOMETER, ROTATION, needs_goniometer, needs_rotation


FIELD = np.linspace(320.0, 356.0, 721)


def line(at=338.0, width=3.0, fraction=0.0, phase=0.0, field=FIELD):
    """A derivative line of height 1 from extremum to extremum, without its mirror image."""
    absorption, dispersion, *_ = mixture(field - at, width, fraction)
    mixed = np.cos(np.radians(phase)) * absorption + np.sin(np.radians(phase)) * dispersion
    return mixed / np.ptp(absorption)


def dataset(signals, field=FIELD, angles=None, frequency=9.45):
    angles = np.arange(len(signals)) * 10.0 if angles is None else angles
    return xr.Dataset(
        {"signal": (("angle", "field"), np.array(signals))},
        coords={
            "angle": angles,
            "field": field,
            "frequency": ("angle", np.full(len(signals), frequency)),
        },
    )


@pytest.mark.parametrize("shape", [lorentzian, gaussian])
def test_shapes_are_derivatives_of_a_pair(shape):
    """Half the width at half maximum, and a dispersion that is the Hilbert transform."""
    x = np.linspace(-4000, 4000, 160001)
    absorption, dispersion, *_ = shape(x, 3.0)
    whole = cumulative_trapezoid(absorption, x, initial=0)
    assert np.interp([0, 1.5], x, whole) == pytest.approx([1, 0.5], abs=1e-3)
    transform = np.imag(hilbert(absorption))
    np.testing.assert_allclose(dispersion[70000:90000], transform[70000:90000], atol=2e-4)


def test_the_mirror_image_makes_the_signal_odd():
    """Power absorbed is even in the field, so its derivative is odd, for any phase."""
    x = np.linspace(-300, 300, 601)
    for phase in (0.0, 40.0):
        signal = columns(x, 70.0, 90.0, 0.4, phase)[:, 0]
        np.testing.assert_allclose(signal, -signal[::-1], atol=1e-15)


@pytest.mark.parametrize(
    ("definition", "fraction"),
    [
        *((definition, 0.0) for definition in DEFINITIONS if definition != "lorentzian"),
        *((definition, 1.0) for definition in DEFINITIONS if definition != "gaussian"),
    ],
)
def test_a_symmetric_line_has_one_position(definition, fraction):
    spectra = dataset([line(at, fraction=fraction) for at in (337.87, 338.0, 338.31)])
    found = line_positions(spectra, definition)
    np.testing.assert_allclose(1e3 * found.field, [337.87, 338.0, 338.31], atol=2e-4)
    per_fwhm = {0.0: 1 / np.sqrt(2 * np.log(2)), 1.0: 1 / np.sqrt(3)}[fraction]
    expected = 3.0 if definition in SHAPES else 3.0 * per_fwhm
    np.testing.assert_allclose(1e3 * found.width, expected, atol=0.051)
    np.testing.assert_allclose(found.angle, np.radians([0, 10, 20]))
    np.testing.assert_allclose(found.frequency, 9.45e9)
    assert found.settings["definition"] == definition


def test_zero_crossing_of_an_asymmetric_line():
    """A line with a weaker one beside it crosses zero where a root finder says."""
    both = lambda x: gaussian(x - 338, 3.0).absorption + 0.3 * gaussian(x - 338.6, 3.0).absorption
    root = brentq(lambda x: both(np.array([x]))[0], 337, 340)
    assert 338.1 < root < 338.2
    assert zero_crossing(FIELD, both(FIELD)) == pytest.approx(root, abs=2e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("phase", [-60.0, 0.0, 25.0])
def test_fits_find_the_mixing_of_dispersion(shape, phase):
    fraction = {"lorentzian": 1.0, "gaussian": 0.0, "pseudo-voigt": 0.35}[shape]
    signal = 5 * columns(FIELD, 338.2, 3.0, fraction, phase)[:, 0] + 0.2 + 0.01 * (FIELD - 338)
    found = fit_line(FIELD, signal, shape, 337.5, 4.0, baseline=1)
    assert found.position == pytest.approx(338.2, abs=1e-5)
    assert found.width == pytest.approx(3.0, abs=1e-4)
    assert found.phase_deg == pytest.approx(phase, abs=1e-3)
    assert found.fraction == pytest.approx(fraction, abs=1e-4)
    np.testing.assert_allclose(found.signal, signal, atol=1e-6)
    wrong = fit_line(FIELD, signal, shape, 337.5, 4.0, baseline=1, phase_deg=phase + 20)
    assert abs(wrong.position - 338.2) > 0.05


def test_phase_and_baseline_are_taken_out_before():
    """Without its dispersion a mixed line crosses zero at its centre."""
    field = np.linspace(300, 376, 3001)
    mixed = line(338.0, 2.0, 1.0, 30.0, field)
    drift = 0.3 + 0.01 * (field - 338) + 1e-4 * (field - 338) ** 2
    spectra = dataset([mixed + drift], field)
    options = {"phase_deg": 30.0, "baseline": 2}
    for definition in ("zero-crossing", "midpoint"):
        [at] = 1e3 * line_positions(spectra, definition, **options).field
        assert at == pytest.approx(338.0, abs=5e-3)
        [at] = 1e3 * line_positions(spectra, definition, baseline=2).field
        assert abs(at - 338) > 0.05


@pytest.mark.parametrize(
    ("field", "at"), [(FIELD - 400, -62.0), (FIELD, 357.0), (0 * FIELD + 338, 338.0)]
)
def test_a_fit_starts_within_the_sweep(field, at):
    with pytest.raises(LineError) as caught:
        fit_line(field, line(), "gaussian", at, 3.0)
    assert caught.value.given == at


def test_what_cannot_be_fitted():
    with pytest.raises(LineError):
        fit_line(FIELD, 0 * FIELD, "gaussian", 338.0, 3.0)
    with pytest.raises(LineError, match=r"fit from 338 ends at \d+"):
        fit_line(FIELD, FIELD * 1.0, "lorentzian", 338.0, 3.0)
    with pytest.raises(InputError) as caught:
        fit_line(FIELD, line(), "voigt", 338.0, 3.0)
    assert (caught.value.what, caught.value.given) == ("shape", "voigt")


def refused(spectra, *args, **options):
    """The error of positions that cannot be found."""
    with pytest.raises(LineError) as caught:
        line_positions(spectra, *args, **options)
    return caught.value


def test_a_line_of_few_samples_is_not_fitted():
    field = np.linspace(330, 346, 81)
    signal = sum(line(at, 0.6, field=field) for at in (336.9, 338.1, 339.3))
    error = refused(dataset([signal], field), "gaussian", near=338.0)
    assert error.where == ("0°",)
    assert error.given in (6, 7)
    assert "338.1" in error.what


def test_a_line_that_does_not_cross_zero():
    error = refused(dataset([line() + 2]))
    assert error.where == ("0°",)
    assert "{baseline}" in error.hint
    [at] = 1e3 * line_positions(dataset([line() + 2]), baseline=0).field
    assert at == pytest.approx(338, abs=1e-3)


@pytest.mark.parametrize("lobe", [8e-309, 1e-12])
def test_no_midpoint_of_one_lobe(lobe):
    """The other extremum is a bend that is only rounding, whose vertex could lie anywhere."""
    field, bump = np.arange(300.0, 340.0, 0.1), np.sin(np.pi * np.arange(20) / 20)
    signal = np.zeros(len(field))
    signal[150:170], signal[250:270] = bump, -lobe * bump
    with pytest.raises(LineError, match="no parabola fits the extremum at 326"):
        midpoint(field, signal, int(np.argmax(signal)), int(np.argmin(signal)))


@pytest.mark.parametrize("scale", [1e-300, 1e-170, -1e100])
@pytest.mark.parametrize("definition", DEFINITIONS)
def test_positions_do_not_depend_on_the_unit_of_the_signal(definition, scale):
    rng = np.random.default_rng(4)
    signal = line() + 0.01 * rng.normal(size=len(FIELD))
    plain, scaled = (line_positions(dataset([s]), definition) for s in (signal, scale * signal))
    np.testing.assert_allclose(scaled.field, plain.field, rtol=1e-9)
    np.testing.assert_allclose(scaled.sigma, plain.sigma, rtol=1e-4)


def noisy(rng, signal, level, correlated):
    noise = rng.normal(size=len(signal) + 30)
    if correlated:
        kernel = np.exp(-np.arange(12) / 3)
        noise = np.convolve(noise, kernel / np.sqrt(kernel @ kernel))
    return signal + level * noise[20 : 20 + len(signal)]


CALIBRATED = [
    *((definition, {}, False) for definition in DEFINITIONS),
    *((definition, {}, True) for definition in DEFINITIONS),
    ("zero-crossing", {"smoothing": 15}, False),
    ("midpoint", {"smoothing": 15}, False),
    ("zero-crossing", {"baseline": 1}, False),
    ("zero-crossing", {"phase_deg": 20.0}, False),
    ("lorentzian", {"phase_deg": 0.0, "baseline": 1, "smoothing": 7}, False),
]


@pytest.mark.slow
@pytest.mark.parametrize(("definition", "options", "correlated"), CALIBRATED)
def test_errors_are_the_scatter_of_noisy_spectra(definition, options, correlated):
    """200 spectra give the scatter to 5 %; the errors must agree within 20 %."""
    rng = np.random.default_rng(7)
    fraction = {"lorentzian": 1.0, "pseudo-voigt": 0.5}.get(definition, 0.0)
    clean = line(338.1, fraction=fraction)
    signals = [noisy(rng, clean, 0.015, correlated) for _ in range(200)]
    found = line_positions(dataset(signals, angles=np.arange(200.0)), definition, **options)
    ratio = np.sqrt(np.mean(found.sigma**2)) / found.field.std()
    print(f"{definition} {options} correlated={correlated}: error / scatter = {ratio:.3f}")
    assert ratio == pytest.approx(1, abs=0.2)


def test_noise_of_a_correlated_series():
    rng = np.random.default_rng(3)
    kernel = np.exp(-np.arange(40) / 5)
    noise = np.convolve(rng.normal(size=200000), kernel, "valid")
    found = noise_of(noise)
    expected = np.correlate(kernel, kernel, "full")[39:]
    assert found.sigma == pytest.approx(np.sqrt(expected[0]), rel=0.02)
    assert found.of_sum(np.full(500, 1 / 500)) == pytest.approx(
        kernel.sum() / np.sqrt(500), rel=0.1
    )
    white = noise_of(rng.normal(size=20000))
    assert len(white.covariance) <= 2
    assert Noise(np.array([4.0, 2.0])).of_sum(np.array([1.0, -1.0])) == pytest.approx(2.0)


@pytest.mark.parametrize("width", [60.0, 120.0, 200.0])
def test_a_band_as_broad_as_its_field(width):
    """Near zero field the line at negative field is a part of the signal, and of the fit."""
    rng = np.random.default_rng(1)
    field = np.linspace(0, 600, 1201)
    signal = columns(field, 100.0, width, 1.0, 0.0)[:, 0]
    signal = signal / np.abs(signal).max() + 0.01 * rng.normal(size=len(field))
    fitted = line_positions(dataset([signal], field), "lorentzian")
    assert abs(1e3 * fitted.field[0] - 100) < 4e3 * fitted.sigma[0] < 1
    assert 1e3 * fitted.width[0] == pytest.approx(width, rel=0.01)
    crossing = 1e3 * line_positions(dataset([signal], field)).field[0]
    assert (abs(crossing - 100) > 5) == (width == 200)


def six(shift=0.0):
    return sum(line(at + shift, 1.0) for at in (326, 330, 334, 340, 345, 350))


def test_lines_are_found_and_counted():
    rng = np.random.default_rng(0)
    signal = six() + 0.02 * rng.normal(size=len(FIELD))
    lines = find_lines(FIELD, signal)
    np.testing.assert_allclose(lines.position, [326, 330, 334, 340, 345, 350], atol=0.1)
    np.testing.assert_allclose(lines.width, 1 / np.sqrt(2 * np.log(2)), atol=0.2)
    np.testing.assert_allclose(lines.height, 1, atol=0.15)
    assert lines.noise.sigma == pytest.approx(0.02, rel=0.1)
    assert len(find_lines(FIELD, -signal)) == len(lines) == 6
    np.testing.assert_allclose(find_lines(FIELD[::-1], signal[::-1]).position, lines.position)


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_has_no_lines(seed):
    assert len(find_lines(FIELD, np.random.default_rng(seed).normal(size=len(FIELD)))) == 0


def test_a_flat_signal_has_no_lines():
    assert len(find_lines(FIELD, np.zeros(len(FIELD)))) == 0
    assert len(find_lines(FIELD, np.full(len(FIELD), -2.5))) == 0
    assert len(find_lines(FIELD, FIELD)) == 0


def test_one_of_several_lines_is_selected():
    spectra = dataset([six()])
    error = refused(spectra)
    assert error.where == ("0°",)
    assert "326.0, 330.0, 334.0, 340.0, 345.0, 350.0 mT" in error.what
    assert {"{strongest}", "{near}"} <= set(error.hint.split())
    assert 1e3 * line_positions(spectra, near=341.4).field[0] == pytest.approx(340, abs=1e-3)
    spectra = dataset([six() + line(334, 1.0)])
    assert 1e3 * line_positions(spectra, line="strongest").field[0] == pytest.approx(334, abs=1e-3)
    assert refused(dataset([np.zeros(len(FIELD))])).where == ("0°",)


def test_a_chosen_line_is_followed_past_where_another_one_was():
    """The line from 334 mT ends at 339.4, nearer to where that from 340 mT began."""
    shifts = np.linspace(0, 5.4, 7)
    found = line_positions(dataset([six(shift) for shift in shifts]), near=334.2)
    np.testing.assert_allclose(1e3 * found.field, 334 + shifts, atol=1e-3)
    assert found.warnings == ()


def test_a_line_that_vanishes_is_not_replaced_by_its_neighbour():
    both, other = line(334) + line(340), line(340)
    spectra = dataset([both, both, other, both])
    error = refused(spectra, near=334.0)
    assert error.where == ("20°",)
    assert "334.0" in error.what
    assert "340.0" in error.hint
    found = line_positions(spectra.isel(angle=[0, 1, 3]), near=334.0)
    np.testing.assert_allclose(1e3 * found.field, 334, atol=1e-3)


@pytest.mark.parametrize("near", [3340.0, 33.4, 337.0])
def test_a_line_far_from_where_it_was_asked_for_is_refused(near):
    error = refused(dataset([line(331, 0.8) + line(343, 0.8)]), near=near)
    assert (error.what, error.given, error.where) == ("near", near, ("0°",))


@pytest.mark.parametrize(("definition", "count"), [("zero-crossing", 1), ("lorentzian", 0)])
def test_a_band_that_reaches_zero_field_needs_a_shape(definition, count):
    field = np.linspace(0, 600, 1201)
    signals = [columns(field, at, 100.0, 1.0, None)[:, 0] for at in (53.0, 300.0)]
    found = line_positions(dataset(signals, field), definition)
    assert [flag.code for flag in found.warnings] == count * ["broad-line"]
    if not count:
        np.testing.assert_allclose(1e3 * found.field, [53, 300], atol=1e-3)


def test_a_leap_to_another_line_is_pointed_out():
    signals = [six() + line(at, 1.0) for at in (326, 350)]
    [flag] = line_positions(dataset(signals), line="strongest").warnings
    assert flag.code == "line-jump"
    assert all(number in flag.message for number in ("0°", "10°", "326.00", "350.00"))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("definition", {"definition": "centroid"}),
        ("line", {"line": "weakest"}),
        ("near", {"near": float("inf")}),
        ("near", {"line": "strongest", "near": 338.0}),
        ("baseline", {"baseline": -1}),
        ("smoothing", {"smoothing": 6}),
        ("phase_deg", {"phase_deg": float("-inf")}),
        ("phase_deg", {"phase_deg": float("inf"), "definition": "gaussian"}),
    ],
)
def test_options_out_of_range(name, options):
    with pytest.raises(InputError) as caught:
        line_positions(dataset([line()]), **options)
    assert (caught.value.what, caught.value.given) == (name, options[name])


def test_a_spectrum_that_is_no_series_of_numbers():
    for field, signal in ((FIELD[:7], FIELD[:7]), (FIELD, FIELD[:-1])):
        with pytest.raises(InputError) as caught:
            find_lines(field, signal)
        assert caught.value.given == (field.shape, signal.shape)
    with pytest.raises(InputError) as caught:
        find_lines(FIELD, np.where(np.arange(721) == 9, np.inf, 1))
    error = caught.value
    assert (error.what, error.given, error.where) == ("signal", np.inf, ("sample 10",))


def test_preparation_and_its_adjoint():
    """⟨w, P s⟩ = ⟨Pᵀ w, s⟩ for weights away from the ends, where the filter is symmetric."""
    rng = np.random.default_rng(5)
    weights = np.where(np.abs(FIELD - 338) < 8, rng.normal(size=len(FIELD)), 0)
    everywhere = rng.normal(size=len(FIELD))
    inner = np.where(np.abs(FIELD - 338) < 14, everywhere, 0)
    for options, signal in (
        ({"smoothing": 21}, inner),
        ({"baseline": 2}, everywhere),
        ({"phase_deg": 40.0}, inner),
        ({"smoothing": 21, "baseline": 2}, everywhere),
    ):
        preparation = Preparation(**options)
        direct = weights @ preparation.apply(FIELD, signal)
        assert preparation.adjoint(FIELD, weights) @ signal == pytest.approx(direct, rel=1e-9)
    np.testing.assert_allclose(smooth(FIELD**3, 21), FIELD**3, rtol=1e-12)


@pytest.mark.parametrize(("read", "part"), [(crossing, 1e-4), (midpoint, 0.04)])
def test_the_weight_of_each_sample_in_a_position(read, part):
    """Against finite differences, of a coarse line whose samples lie unevenly about the zero.

    The parabola's window moves with its vertex, which the weights leave out.
    """
    field = np.linspace(334, 342, 33) + 0.03
    signal = line(338.2, field=field) + 0.07
    first, last = int(np.argmax(signal)), int(np.argmin(signal))
    _, weights = read(field, signal, first, last)
    for sample in range(first - 2, last + 3):
        shift = np.where(np.arange(len(field)) == sample, 1e-6, 0)
        up, down = (read(field, signal + s, first, last)[0] for s in (shift, -shift))
        assert weights[sample] == pytest.approx((up - down) / 2e-6, rel=part, abs=part)
    assert np.abs(weights).max() > 0.1


@pytest.mark.slow
def test_the_table_is_what_fit_reads(tmp_path):
    rng = np.random.default_rng(2)
    angles = np.arange(0.0, 180, 10)
    signals = [
        line(338 + np.cos(2 * np.radians(a))) + 0.01 * rng.normal(size=len(FIELD)) for a in angles
    ]
    found = line_positions(dataset(signals, angles=angles))
    path = tmp_path / "t.csv"
    path.write_bytes(positions_table(found))
    [sample] = read_table(path)
    for name in ("angle", "field", "sigma", "frequency"):
        np.testing.assert_allclose(getattr(sample, name), getattr(found, name), rtol=1e-9)
    assert sample.warnings == ()
    fit = fit_series(found.angle, found.field, found.sigma, frequency=found.frequency)
    assert 1e3 * fit.values["B"] == pytest.approx(-4 / 3, rel=0.01)
    assert fit.reduced_chi2 < 2


def test_the_table_without_noise_or_frequency(tmp_path):
    found = line_positions(dataset([line(), line(339)], frequency=np.nan))
    path = tmp_path / "t.csv"
    path.write_bytes(positions_table(found))
    [sample] = read_table(path, 9.45e9)
    np.testing.assert_allclose(sample.field, found.field, rtol=1e-9)


@needs_goniometer
def test_the_positions_of_the_goniometer_sweeps():
    spectra = read_spectra(GONIOMETER)
    found = line_positions(spectra)
    [sample] = read_table(example_path())
    np.testing.assert_allclose(found.field, sample.field, atol=6e-9)  # rounded to 0.01 µT
    for (field, signal), at in zip(each_sweep(spectra), 1e3 * found.field, strict=True):
        top, bottom = int(np.argmax(signal)), int(np.argmin(signal))
        after = top + int(np.argmax(signal[top:bottom] < 0))  # the first sample below zero
        share = signal[after - 1] / (signal[after - 1] - signal[after])
        crossing = field[after - 1] + share * (field[after] - field[after - 1])
        assert at == pytest.approx(crossing, abs=0.01)
    g = PLANCK * found.frequency / (MU_B * found.field)
    design = np.stack([found.angle**0, np.cos(2 * found.angle), np.sin(2 * found.angle)], axis=1)
    factors, *_ = np.linalg.lstsq(design, g, rcond=None)
    assert factors[0] == pytest.approx(2.0041, abs=2e-5)
    assert np.hypot(*factors[1:]) == pytest.approx(3.75e-4, rel=0.02)
    assert np.sqrt(np.mean((g - design @ factors) ** 2)) < 2.5e-5


@needs_goniometer
@pytest.mark.parametrize("definition", list(DEFINITIONS)[1:])
def test_other_definitions_agree_on_the_goniometer_sweeps(definition):
    """The line is not quite symmetric: definitions differ by a twentieth of its width at most."""
    spectra = read_spectra(GONIOMETER).isel(angle=[0, 9])
    reference, found = line_positions(spectra), line_positions(spectra, definition)
    np.testing.assert_allclose(found.field, reference.field, atol=1e-5)
    assert (found.field != reference.field).all()


@pytest.mark.slow
@needs_rotation
def test_a_rotation_of_many_lines():
    spectra = read_spectra(ROTATION)
    error = refused(spectra)
    assert error.where == ("0°",)
    assert "8 lines (313.3, 321.5" in error.what
    for near in (313.3, 321.5, 329.9, 338.6, 347.5, 356.6):
        found = line_positions(spectra, near=near)
        assert np.abs(1e3 * found.field - near).max() < 0.2
        assert np.abs(np.diff(1e3 * found.field)).max() < 0.05
