"""Random arrangements of dipoles and random directions, the same for the same seed."""

import numpy as np


def jittered_dipoles(seed, count=8, side=4, moments=(0.5, 3.0)):
    """Positions (nm) in a cube and unequal moments (µB), none closer than 0.4 nm.

    Sites of a simple cubic lattice of side³ places 1 nm apart, each moved by up to 0.3 nm.
    """
    rng = np.random.default_rng(seed)
    chosen = rng.permutation(side**3)[:count]
    sites = np.stack(np.unravel_index(chosen, (side, side, side)), axis=-1)
    return sites + rng.uniform(-0.3, 0.3, (count, 3)), rng.uniform(*moments, count)


def random_directions(seed, *shape):
    """Unit vectors, uniform on the sphere."""
    vectors = np.random.default_rng(seed).normal(size=(*shape, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
