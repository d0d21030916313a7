"""Doubts about draws, on draws made by hand: each is raised by its cause and by nothing else."""

import dataclasses

import numpy as np
import pytest

from diffdip.fitting.posterior_result import Draws, posterior_of
from tests.helpers.fits import fit_by_hand


CHAINS, LENGTH = 4, 500
FIT = fit_by_hand()
CENTER = np.array([FIT.values[name] for name in FIT.names])


def normal_draws(scale=1.0):
    """Independent draws (chains, draws, 2) from the normal law of the fit, widened by `scale`."""
    random = np.random.default_rng(7)
    root = np.linalg.cholesky(FIT.covariance)
    return CENTER + scale * random.normal(size=(CHAINS, LENGTH, 2)) @ root.T


def codes(x, *, diverged=0, fit=FIT):
    """Codes of the flags of these draws, of which `diverged` came from divergent transitions."""
    shape = x.shape[:2]
    drawn = Draws(
        x=x,
        chi2=np.zeros(shape),
        nearest=np.zeros(shape, int),
        diverged=np.arange(x[..., 0].size).reshape(shape) < diverged,
        jumped=np.zeros(shape, bool),
    )
    bounds = CENTER - 1, CENTER + 1
    return {
        flag.code for flag in posterior_of(FIT.names, x, drawn, CENTER[None], fit, bounds, {}).flags
    }


def test_draws_of_the_normal_law_raise_no_doubt():
    assert codes(normal_draws()) == set()


def test_a_chain_in_another_place_disagrees():
    x = normal_draws()
    x[0] += 2 * np.sqrt(np.diagonal(FIT.covariance))
    assert "chains-disagree" in codes(x)


def test_draws_that_hardly_move_are_few():
    """Ten different draws in each chain, each of them held for fifty transitions."""
    assert "few-effective-samples" in codes(np.repeat(normal_draws()[:, ::50], 50, axis=1))


def test_divergences_are_told():
    assert codes(normal_draws(), diverged=3) == {"divergences"}


def test_a_sigma_that_the_residuals_contradict():
    # the fit multiplied its errors by 3, the draws are those of sigma as given
    fit = dataclasses.replace(FIT, error_factor=3.0)
    assert codes(normal_draws(1 / 3), fit=fit) == {"misfit"}


@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_an_interval_unlike_that_of_the_fit(scale):
    assert codes(normal_draws(scale)) == {"not-gaussian"}
