"""Claims on one sample: the tensor D, the shape of Hres(angle), samples I and II."""

from typing import Any

import figure1
import figure3
import figure5
import jax
import jax.numpy as jnp
import numpy as np
from claim import Claim, judged

from diffdip import AnisotropyFields, TensorAnisotropy, larmor_field, resonance_field
from diffdip.foundation.convention import PAPER
from diffdip.foundation.units import MU_0


SAMPLE_I = figure1.SAMPLES[0]


def tensor() -> list[Claim]:
    """Claims on D: it has no trace, and it describes the dipolar energy."""
    made = figure3.run(count=figure3.QUICK_DIPOLES)
    trace = max(float(abs(np.trace(x.fitted)) / np.abs(x.fitted).max()) for x in made)
    misfit = max(x.misfit for x in made)
    difference = max(x.difference for x in made)
    return [
        Claim(
            "tr D = 0",
            "eq. 3",
            f"|tr D| / max |D| = {trace:.0e}",
            judged(trace < 1e-10),
            "the term of each pair, I − 3 r̂r̂ᵀ, has no trace",
            {"trace_over_largest": trace},
        ),
        Claim(
            "eq. 3 describes F_dip well",
            "Fig. 3",
            f"largest residual {misfit:.0e} of the amplitude; fit and closed form differ by "
            f"{difference:.0e}",
            judged(misfit < 1e-10),
            "it does so exactly: eq. 2 is a quadratic form in the direction of M",
            {"residual_over_amplitude": misfit, "fit_against_closed_form": difference},
        ),
    ]


_DEGREES = jnp.arange(0.0, 180.0, 1.0)


@jax.jit
def _solve(energy: Any) -> jax.Array:
    return resonance_field(energy, jnp.deg2rad(_DEGREES.astype(float)), figure1.FREQUENCY)


def _shape(A: float, B: float, C: float = 0.0) -> tuple[float, float, float]:
    """Median, range and angle (°) of the lowest value of Hres(angle), all fields in mT."""
    curve = 1e3 * np.asarray(_solve(AnisotropyFields(A / 1e3, B / 1e3, C / 1e3, PAPER)))
    return float(np.median(curve)), float(np.ptp(curve)), float(_DEGREES[int(np.argmin(curve))])


def curve() -> list[Claim]:
    """Claims on how A, B and C change Hres(angle)."""
    A, B = SAMPLE_I.A, SAMPLE_I.B
    w0 = 1e3 * float(larmor_field(figure1.FREQUENCY))
    slope = (_shape(0.1, 0.0)[0] - w0) / 0.1
    both, only_a, only_b = _shape(A, B), _shape(A, 0.0), _shape(0.0, B)
    small, small_a = _shape(0.0, 1.0)[1], _shape(100.0, 1.0)[1]
    turned = _shape(A, 0.0, B / 2)
    tilted = _shape(0.0, 1.0, 0.5)
    return [
        Claim(
            "A shifts the median of Hres(angle)",
            "eq. 4",
            f"by {slope:.2f} A for small A; for sample I, A alone {only_a[0] - w0:+.0f} mT, "
            f"B alone {only_b[0] - w0:+.0f} mT, both {both[0] - w0:+.0f} mT",
            "depends",
            "true to first order; to higher order B also shifts the median",
            {
                "shift_per_A": slope,
                "shift_A_alone_mT": only_a[0] - w0,
                "shift_B_alone_mT": only_b[0] - w0,
                "shift_both_mT": both[0] - w0,
            },
        ),
        Claim(
            "the amplitude depends only on B",
            "eq. 4",
            f"range of Hres {small:.2f} B for small B, {small_a:.2f} B with A = 100 mT; sample I's "
            f"B: {only_b[1]:.0f} mT without A, {both[1]:.0f} mT with it",
            "depends",
            "true to first order in A and B, and for C = 0: the amplitude is proportional to "
            "sqrt(B² + 4C²)",
            {
                "range_per_B": small,
                "range_per_B_at_A_100_mT": small_a,
                "range_without_A_mT": only_b[1],
                "range_with_A_mT": both[1],
            },
        ),
        Claim(
            "C sets the phase",
            "eq. 4",
            f"changing (B, C) to (0, B/2) moves the lowest Hres from {both[2]:.0f}° to "
            f"{turned[2]:.0f}° and changes the range by {abs(turned[1] - both[1]):.1g} mT; adding "
            f"C = B/2 to B multiplies "
            f"the range by {tilted[1] / small:.2f}",
            "depends",
            "the phase is ½ atan2(2C, B), so a change of C alone also changes the amplitude",
            {
                "angle_B_deg": both[2],
                "angle_C_deg": turned[2],
                "range_ratio_C_half_B": tilted[1] / small,
            },
        ),
    ]


def _tilted(off_plane: float) -> float:
    """Hres in mT of sample I at 60° with µ0M Dxz in mT."""
    A, B = SAMPLE_I.A, SAMPLE_I.B
    half = np.diag([(A + B) / 2, (A - B) / 2, -A])
    half[0, 2] = half[2, 0] = off_plane
    return 1e3 * float(_solve(TensorAnisotropy(PAPER.sign * half / 1e3))[60])


def off_plane_elements(ensembles: figure5.Ensembles) -> Claim:
    """The claim that Dxz and Dyz hardly matter."""
    fields = {size: _tilted(float(size)) for size in (0, 20, 50, 100)}
    largest = max(abs(fields[size] - fields[0]) for size in fields)
    listed = ", ".join(f"{fields[size]:.1f}" for size in fields)
    ensemble = ensembles[max(ensembles, key=lambda key: (key[0] == 0, key[1]))]  # as printed
    off_plane = np.abs(ensemble.D[:, 0, 2]) * MU_0 * ensemble.M
    ratio = float(np.nanmedian(off_plane) / np.nanmedian(np.abs(ensemble.B)))
    return Claim(
        "Hres in the plane has a negligible dependence on Dxz and Dyz",
        "before eq. 4",
        f"sample I at 60° with µ0M Dxz = 0, 20, 50, 100 mT: {listed} mT; in packings median "
        f"|µ0M Dxz| is {ratio:.2f} of median |B|",
        "depends" if largest > 5 else "agrees",
        "the effect is of second order in Dxz and Dyz, so it is negligible if they are small "
        "against the field; but no axis of a packing is special, so they are as large as Dxy",
        {
            **{f"Hres_at_Dxz_{size}_mT": field for size, field in fields.items()},
            "median_Dxz_over_median_B": ratio,
        },
    )


def published_samples() -> list[Claim]:
    """Claims on samples I and II."""
    one, two = figure1.SAMPLES
    stated = dict(one.stated)
    rows = []
    low, high = figure1.extrema(one)
    wrong = figure1.extrema(one, "physical")
    near = abs(low - stated[0.0]) < 15 and abs(high - stated[90.0]) < 15
    rows.append(
        Claim(
            "sample I: A = 191.5, B = 204.6 mT give its curve, 62 to about 400 mT",
            "Fig. 1",
            f"{low:.1f} and {high:.1f} mT; with the physical sign {wrong[0]:.0f} and "
            f"{wrong[1]:.0f} mT",
            judged(near),
            f"requires the sign of eq. 1 as printed; the lowest field is {stated[0.0] - low:.0f} mT"
            " below the measured one",
            {"Hres_0_mT": low, "Hres_90_mT": high, "physical_0_mT": wrong[0]},
        )
    )
    other = one._replace(B=206.6)
    shifted = figure1.extrema(other)
    rows.append(
        Claim(
            "sample I has one B",
            "text at Figs. 1 and 5",
            f"the text gives 204.6 and 206.6 mT: Hres(0°) = {low:.1f} and {shifted[0]:.1f} mT",
            "differs",
            "one of them is a misprint; 204.6 mT agrees better with the measured 62 mT",
            {"Hres_0_at_204.6_mT": low, "Hres_0_at_206.6_mT": shifted[0]},
        )
    )
    low, high = figure1.extrema(two)
    rows.append(
        Claim(
            "sample II: A = 122.6, B = 24.1 mT give its curve",
            "Fig. 1",
            f"{low:.1f} and {high:.1f} mT",
            "not checkable",
            "the paper does not state its lowest and highest field, only that its amplitude is "
            f"much smaller than that of sample I; our {high - low:.0f} mT is consistent with that",
            {"Hres_0_mT": low, "Hres_90_mT": high},
        )
    )
    return rows
