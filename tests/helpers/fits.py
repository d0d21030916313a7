"""A fit made by hand, whose numbers a test knows."""

import jax
import numpy as np

from diffdip import AnisotropyFields, FitResult, Series, resonance_field
from diffdip.foundation.flags import Flag


FREQUENCY = 9.45e9


def fit_by_hand():
    """A fit by hand: A and B free, the rest fixed, residuals of ±1 mT."""
    angle = np.radians(np.arange(0.0, 180.0, 30.0))
    with jax.enable_x64(True):
        energy = AnisotropyFields(0.1226, 0.0241, 0.0)
        predicted = np.asarray(resonance_field(energy, angle - 0.1, FREQUENCY))
    residuals = 1e-3 * np.array([1.0, -1.0, 1.0, -1.0, 1.0, -1.0])
    covariance = np.array([[4e-6, 1e-6], [1e-6, 9e-6]])
    return FitResult(
        names=("B", "A"),
        values={"g": 2.0, "offset": 0.1, "B": 0.0241, "A": 0.1226, "C": 0.0},
        standard_errors={"B": 2e-3, "A": 3e-3},
        covariance=covariance,
        correlation=np.array([[1.0, 1 / 6], [1 / 6, 1.0]]),
        intervals={
            "B": {"68": (0.022, 0.026), "95": (np.nan, 0.028)},
            "A": {"68": (0.119, 0.125), "95": (0.115, np.inf)},
        },
        chi2=6.0,
        reduced_chi2=None,
        rms=1e-3,
        dof=4,
        n_points=6,
        residuals=residuals,
        predicted=predicted,
        converged=True,
        flags=(Flag("degenerate", "A and B cannot be separated."),),
        convention="paper",
        loss="linear",
        series=(Series(angle, predicted + residuals, None, frequency=FREQUENCY),),
        energy=energy,
    )
