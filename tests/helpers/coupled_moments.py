"""Moments of the tests of `dynamics`: all have the same shape, so that programs are shared."""

import numpy as np
import scipy.constants

from diffdip import Moments
from tests.helpers.random_dipoles import jittered_dipoles


SITES = 6
BOHR = scipy.constants.physical_constants["Bohr magneton"][0]
PAIR = scipy.constants.mu_0 * BOHR / (4 * np.pi * 1e-27)
"""µ0/4π of one µB at one nm, in tesla."""

PER_HZ = scipy.constants.h / (2 * BOHR)
"""The field in tesla of 1 Hz at g = 2."""


def padded(positions, exchange=0.0, moments=1.73):
    """Moments with masked sites after them, which hold nonsense."""
    positions = np.asarray(positions, float)
    count = len(positions)
    sites = np.full((SITES, 3), np.nan)
    sites[:count] = positions
    kept = np.arange(SITES) < count
    values = np.where(kept, np.resize(np.broadcast_to(moments, count), SITES), np.nan)
    return Moments(sites, exchange, values, kept)


def several(exchange=2.0, seed=4, size=1.0):
    """Six unequal moments at random places, with unequal exchange in proportion to `exchange`."""
    positions, moments = jittered_dipoles(seed, SITES, side=2)
    positions = size * positions
    unequal = np.random.default_rng(seed).uniform(0.2, 1, (SITES, SITES))
    return Moments(positions, exchange * (unequal + unequal.T), moments)
