"""Polynomials in the components of a unit vector, as numbers that the loops for the CPU read.

On the unit sphere any polynomial up to degree 6 is a homogeneous one of degree 6 plus one of degree
5, because u·u = 1 raises a degree by two. A coefficient belongs to u^α/α!, so that a derivative has
the coefficients of the polynomial itself, elsewhere.
"""

import functools
import math

import numpy as np


EVEN, ODD = 6, 5
"""Degrees of the two parts."""

Exponents = tuple[int, int, int]


@functools.cache
def exponents(degree: int) -> tuple[Exponents, ...]:
    """Of all monomials of a degree."""
    return tuple(
        (a, b, degree - a - b) for a in range(degree, -1, -1) for b in range(degree - a, -1, -1)
    )


PLACES = {alpha: k for k, alpha in enumerate(exponents(EVEN) + exponents(ODD))}
"""Where the coefficient of each monomial is."""


@functools.cache
def sample_points() -> np.ndarray:
    """Unit vectors at which a polynomial is known if its values are: 100 and their opposites.

    More than there are coefficients, so that rounding averages out.
    """
    count = 100
    z = (np.arange(count) + 0.5) / count
    angle = np.arange(count) * np.pi * (3 - 5**0.5)
    ring = np.sqrt(1 - z * z)
    half = np.stack([ring * np.cos(angle), ring * np.sin(angle), z], axis=1)
    return np.concatenate([half, -half])


@functools.cache
def from_samples(degree: int) -> np.ndarray:
    """The matrix from values at the first half of `sample_points` to the coefficients of a part.

    Those of the even part come from half the sum of opposite points, of the odd one from half the
    difference.
    """
    x, y, z = np.split(sample_points(), 2)[0].T
    scale = [math.prod(map(math.factorial, alpha)) for alpha in exponents(degree)]
    columns = [x**a * y**b * z**c for a, b, c in exponents(degree)]
    return np.array(scale)[:, None] * np.linalg.pinv(np.stack(columns, axis=1))
