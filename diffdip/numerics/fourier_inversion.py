"""From a characteristic function to its law: Fourier inversion on a geometric grid."""

import math
from typing import Final

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float


STEPS: Final = 240
"""Nodes per decade."""


class Nodes(eqx.Module):
    """A characteristic function φ at the nodes of a geometric grid, and its inversion.

    Between nodes φ is the cubic through the four nearest, and the integral of that cubic with
    e^{−ity} is exact (Filon). The result is therefore right for any y, however fast e^{−ity}
    oscillates.

    Args:
        t: The nodes, in geometric progression.
        real: The real part of ln φ at the nodes.
        imaginary: The imaginary part of ln φ.
        rate: Of the Cauchy law e^{−t/rate} that `cumulative` subtracts from φ.
        decays: Whether φ decays. If not, all results are NaN.
    """

    t: Float[Array, " nodes"]
    real: Float[Array, " nodes"]
    imaginary: Float[Array, " nodes"]
    rate: Float[Array, ""]
    decays: Bool[Array, ""]

    def density(self, y: Array) -> Array:
        """The probability density at y: ∫ φ(t) e^{−ity} dt / 2π."""
        size = jnp.exp(self.real)
        phi = size * jnp.cos(self.imaginary), size * jnp.sin(self.imaginary)
        # between the second node and its mirror image φ is 1
        beginning = 2 * self.t[1] * jnp.sinc(y * self.t[1] / math.pi)
        density = (beginning / 2 + self._transform(phi, y)[0]) / math.pi
        return self.known(density)

    def cumulative(self, y: Array) -> Array:
        """The probability of a value below y (Gil-Pelaez).

        Its integrand is φ(t)/t. A Cauchy law, whose probability is known, is subtracted from φ
        first, so that the integrand is finite at t = 0.
        """
        known = self.t / self.rate
        # e^ψ − 1 without loss for small ψ
        turned = -2 * jnp.sin(self.imaginary / 2) ** 2
        real = jnp.expm1(self.real) + jnp.exp(self.real) * turned - jnp.expm1(-known)
        imaginary = jnp.exp(self.real) * jnp.sin(self.imaginary)
        without = self._transform((real / self.t, imaginary / self.t), y)[1]
        cumulative = 0.5 + (jnp.arctan(y * self.rate) - without) / math.pi
        return self.known(cumulative)

    def known(self, value: Array) -> Array:
        """The value; NaN, with NaN as its derivatives, if φ does not decay."""
        return value * jnp.where(self.decays, 1.0, jnp.nan).astype(value.dtype)

    def _transform(self, values: tuple[Array, Array], y: Array) -> tuple[Array, Array]:
        """Both parts of ∫ f(t) e^{−ity} dt, from the second node to the last but one."""
        t = self.t[1:-1]
        half, centre = (t[1:] - t[:-1]) / 2, (t[1:] + t[:-1]) / 2
        j = _spherical_bessel(y * half)
        a, b = (_legendre(part) for part in values)
        real = j[0] * a[0] + j[1] * b[1] - j[2] * a[2] - j[3] * b[3]
        imaginary = j[0] * b[0] - j[1] * a[1] - j[2] * b[2] + j[3] * a[3]
        cosine, sine = jnp.cos(y * centre), jnp.sin(y * centre)
        twice = 2 * half
        return twice @ (cosine * real + sine * imaginary), twice @ (
            cosine * imaginary - sine * real
        )


def _legendre(values: Array) -> Array:
    """Legendre coefficients, between neighbours, of the cubic through the four nearest values."""
    q = 10 ** (1 / STEPS)
    places = (np.array([1 / q, 1, q, q * q]) - (1 + q) / 2) / ((q - 1) / 2)
    matrix = np.linalg.inv(np.polynomial.legendre.legvander(places, 3))
    count = len(values) - 3
    near = jnp.stack([values[i : i + count] for i in range(4)])
    return jnp.asarray(matrix, values.dtype) @ near


def _spherical_bessel(x: Array) -> list[Array]:
    """j0 … j3, by series near 0, where the closed forms cancel."""
    small = jnp.abs(x) < 2
    near, far = jnp.where(small, x, 0), jnp.where(small, 2, x)
    sine, cosine = jnp.sin(far), jnp.cos(far)
    closed = [sine / far, (sine / far - cosine) / far]
    for n in (1, 2):
        closed.append((2 * n + 1) / far * closed[n] - closed[n - 1])
    half_square = -near * near / 2
    series, power = [], jnp.ones_like(near)
    for n in range(4):
        term = total = jnp.ones_like(near)
        for k in range(1, 13):
            term = term * half_square / (k * (2 * n + 2 * k + 1))
            total = total + term
        series.append(power * total)
        power = power * near / (2 * n + 3)
    return [jnp.where(small, a, b) for a, b in zip(series, closed, strict=True)]
