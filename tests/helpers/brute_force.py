"""Resonances found the slow way, with NumPy alone: the reference for tests of the solver.

There are two routes, which share neither equations nor code with the library. `planar_resonances`
turns the paper's two conditions into one trigonometric polynomial in the angle of M and computes
all its roots. `resonances_by_minimization` uses only the definition: it minimizes the energy in a
field, computes the frequency of small oscillations from the stiffness matrix, follows each minimum
as the field changes, and notes where that frequency crosses the given one.
"""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np


class Energy(Protocol):
    """A batch of energies e(u) in tesla, for u of shape (..., 3); `take` selects from the batch."""

    def take(self, index): ...
    def value(self, u): ...
    def gradient(self, u): ...
    def hessian(self, u): ...


@dataclass
class Quadratic:
    """e = ½ u·K·u for a batch of K."""

    K: np.ndarray

    def take(self, index):
        return Quadratic(self.K[index])

    def value(self, u):
        return 0.5 * np.einsum("...i,...ij,...j", u, self.K, u)

    def gradient(self, u):
        return np.einsum("...ij,...j->...i", self.K, u)

    def hessian(self, u):
        return np.broadcast_to(self.K, (*u.shape, 3))


@dataclass
class Cubic:
    """e = (H₁/2)(x²y² + y²z² + z²x²) = (H₁/4)(1 − x⁴ − y⁴ − z⁴) in crystal axes (rows)."""

    strength: np.ndarray
    axes: np.ndarray

    def take(self, index):
        return Cubic(self.strength[index], self.axes[index])

    def _crystal(self, u):
        return np.einsum("...ij,...j->...i", self.axes, u)

    def value(self, u):
        return self.strength / 4 * (1 - (self._crystal(u) ** 4).sum(-1))

    def gradient(self, u):
        slope = -self.strength[..., None] * self._crystal(u) ** 3
        return np.einsum("...ji,...j->...i", self.axes, slope)

    def hessian(self, u):
        curvature = -3 * self.strength[..., None] * self._crystal(u) ** 2
        return np.einsum("...ki,...k,...kj->...ij", self.axes, curvature, self.axes)


@dataclass
class Total:
    """The sum of two energies."""

    first: Energy
    second: Energy

    def take(self, index):
        return Total(self.first.take(index), self.second.take(index))

    def value(self, u):
        return self.first.value(u) + self.second.value(u)

    def gradient(self, u):
        return self.first.gradient(u) + self.second.gradient(u)

    def hessian(self, u):
        return self.first.hessian(u) + self.second.hessian(u)


def in_plane(angle):
    """Unit vectors at an angle from x in the xy-plane."""
    return np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)


def assert_same_sets(found, expected, draws=slice(None), tolerance=1e-9, turn=1e-6):
    """Both have the same branches: fields to `tolerance`, directions to `turn` radians."""
    (field, u), (field_0, u_0) = (
        [np.asarray(a)[draws] for a in both] for both in (found, expected)
    )
    assert (np.isfinite(field).sum(1) == np.isfinite(field_0).sum(1)).all()
    apart = np.abs(field[:, :, None] / field_0[:, None] - 1) / tolerance
    apart = np.maximum(apart, np.linalg.norm(u[:, :, None] - u_0[:, None], axis=-1) / turn)
    apart = np.nan_to_num(apart, nan=np.inf)
    assert (np.min(apart, axis=2)[np.isfinite(field)] < 1).all()
    assert (np.min(apart, axis=1)[np.isfinite(field_0)] < 1).all()


class Resonances(NamedTuple):
    """A flat list: number in the batch, field in tesla, direction of M."""

    draw: np.ndarray
    field: np.ndarray
    direction: np.ndarray

    def padded(self, draws, slots):
        """Fields (draws, slots) and directions, highest field first, filled with NaN."""
        order = np.lexsort((-self.field, self.draw))
        draw = self.draw[order]
        slot = np.arange(draw.size) - np.searchsorted(draw, draw)
        field, direction = np.full((draws, slots), np.nan), np.full((draws, slots, 3), np.nan)
        field[draw, slot], direction[draw, slot] = self.field[order], self.direction[order]
        return field, direction


def tangent_frame(u):
    """Two unit vectors normal to u and to each other, (..., 2, 3)."""
    helper = np.where(np.abs(u[..., :1]) < 0.6, [1.0, 0.0, 0.0], [0.0, 1.0, 0.0])
    first = np.cross(u, helper)
    first /= np.linalg.norm(first, axis=-1, keepdims=True)
    return np.stack([first, np.cross(u, first)], axis=-2)


def torque_and_stiffness(energy, u, field):
    """First and second derivative of e(u) − H·u in the tangent plane, and that plane's frame."""
    frame = tangent_frame(u)
    slope = energy.gradient(u) - field
    torque = np.einsum("...ai,...i->...a", frame, slope)
    along = np.einsum("...i,...i", u, slope)[..., None, None]
    stiffness = np.einsum("...ai,...ij,...bj->...ab", frame, energy.hessian(u), frame)
    return torque, stiffness - along * np.eye(2), frame


def frequency_squared(stiffness):
    """w² in T²: the determinant of a positive stiffness, or −1 if the point is no minimum."""
    a, b, c = stiffness[..., 0, 0], stiffness[..., 1, 1], stiffness[..., 0, 1]
    return np.where((a > 0) & (a * b > c * c), a * b - c * c, -1.0)


def descend(energy, u, field, steps=30):
    """Walk to minima of e(u) − H·u: Newton's method with |eigenvalues| of the stiffness."""
    for _ in range(steps):
        torque, stiffness, frame = torque_and_stiffness(energy, u, field)
        half_sum = 0.5 * (stiffness[..., 0, 0] + stiffness[..., 1, 1])
        p = 0.5 * (stiffness[..., 0, 0] - stiffness[..., 1, 1])
        q = stiffness[..., 0, 1]
        radius = np.hypot(p, q) + 1e-300
        x, y = torque[..., 0], torque[..., 1]
        mirrored = np.stack([p * x + q * y, q * x - p * y], axis=-1) / radius[..., None]
        upper, lower = np.abs(half_sum + radius), np.abs(half_sum - radius)
        step = -0.5 * (torque + mirrored) / (upper + 1e-9)[..., None]
        step -= 0.5 * (torque - mirrored) / (lower + 1e-9)[..., None]
        step *= np.minimum(1, 0.3 / (np.linalg.norm(step, axis=-1, keepdims=True) + 1e-300))
        u = u + np.einsum("...a,...ai->...i", step, frame)
        u = u / np.linalg.norm(u, axis=-1, keepdims=True)
    return u


def spread_points(count):
    """`count` points spread evenly over the sphere (a spiral)."""
    z = 1 - (2 * np.arange(count) + 1) / count
    turn = np.arange(count) * np.pi * (3 - 5**0.5)
    return np.stack([np.sqrt(1 - z * z) * np.cos(turn), np.sqrt(1 - z * z) * np.sin(turn), z], -1)


def lowest_energy(energy, field, grid=400, starts=4):
    """Global minimum of e(u) − H·u over the sphere, for H of shape (n, 3) and a batch of n."""
    points = spread_points(grid)
    everywhere = energy.take(np.arange(len(field))[:, None])
    values = everywhere.value(points[None]) - field @ points.T
    u = points[np.argpartition(values, starts, axis=1)[:, :starts]]
    u = descend(everywhere, u, field[:, None])
    return np.min(everywhere.value(u) - np.sum(field[:, None] * u, -1), axis=1)


def planar_resonances(K, angle, larmor):
    """All minima in resonance for K with z as a principal axis and the field in the xy-plane.

    With e(α) the energy of M in the plane at the angle α and Δ = α_H − α, equilibrium is
    H sin Δ = e′. Put into (H cos Δ + e″)(H cos Δ + K_zz − u·K·u) = w0² it gives a trigonometric
    polynomial of order 4 in α, and its 8 roots are the eigenvalues of a companion matrix.
    M out of the plane: K u − H ĥ ∥ u needs K u − H ĥ = K_zz u. Returns the resonances, and the
    draws with a pair of roots so close to merging (4·10⁻⁶) that their number is uncertain.
    """
    normal = K[:, 2, 2]

    def functions(alpha):
        x, y = np.cos(alpha), np.sin(alpha)
        kxx, kyy, kxy = (K[(slice(None), *ij)][:, None] for ij in [(0, 0), (1, 1), (0, 1)])
        energy2 = kxx * x * x + kyy * y * y + 2 * kxy * x * y
        first = (kyy - kxx) * x * y + kxy * (x * x - y * y)
        second = kxx * y * y + kyy * x * x - 2 * kxy * x * y - energy2
        return first, second, normal[:, None] - energy2, angle[:, None] - alpha

    def condition(alpha):
        first, second, out, lag = functions(alpha)
        s, c = np.sin(lag), np.cos(lag)
        return (first * c + second * s) * (first * c + out * s) - (larmor * s) ** 2

    samples = condition(np.broadcast_to(2 * np.pi * np.arange(16) / 16, (len(K), 16)))
    harmonics = np.roll(np.fft.fft(samples) / 16, 4, axis=1)[:, :9]  # orders −4 … 4
    companion = np.zeros((len(K), 8, 8), complex)
    companion[:, 0] = -harmonics[:, 7::-1] / harmonics[:, 8:]
    companion[:, np.arange(1, 8), np.arange(7)] = 1
    roots = np.linalg.eigvals(companion)
    real = np.abs(np.log(np.abs(roots))) < 1e-6
    alpha = np.angle(roots)
    orders = 1j * np.arange(-4, 5)
    for _ in range(3):
        slope = np.einsum("nk,nrk->nr", harmonics * orders, np.exp(orders * alpha[..., None])).real
        step = condition(alpha) / np.where(slope == 0, 1, slope)
        alpha -= np.where(real, np.clip(step, -1e-3, 1e-3), 0)

    first, second, out, lag = functions(alpha)
    larger = np.maximum(-second, -out)  # H cos Δ must exceed it for both stiffnesses to be positive
    gap = np.abs(second - out)
    along = larger + 2 * larmor**2 / (gap + np.sqrt(gap**2 + 4 * larmor**2))
    field = np.hypot(along, first)
    error = np.hypot(field * np.sin(lag) - first, field * np.cos(lag) - along)
    kept = real & (error < 1e-9 * (field + larmor))
    draw = np.nonzero(kept)[0]
    u = np.stack([np.cos(alpha[kept]), np.sin(alpha[kept]), np.zeros(draw.size)], axis=-1)
    inside = Resonances(draw, field[kept], u)

    distance = np.abs(roots[:, :, None] - roots[:, None]) + 9 * np.eye(8)
    close = np.min(distance, axis=2) < 4e-6
    doubtful = np.unique(np.nonzero(close & (error < 1e-3 * (field + larmor)))[0])

    L = K[:, :2, :2] - normal[:, None, None] * np.eye(2)
    determinant, trace = np.linalg.det(L), np.trace(L, axis1=1, axis2=2)
    v = np.linalg.solve(L, np.stack([np.cos(angle), np.sin(angle)], -1)[..., None])[..., 0]
    up2 = larmor**2 / determinant
    draw = np.nonzero((determinant > 0) & (trace > 0) & (up2 < 1))[0]
    height = np.sqrt(up2[draw])
    size = np.linalg.norm(v[draw], axis=1)
    field = np.sqrt(1 - up2[draw]) / size
    flat = field[:, None] * v[draw]
    outside = [Resonances(draw, field, np.c_[flat, sign * height]) for sign in (1, -1)]
    return Resonances(*map(np.concatenate, zip(inside, *outside, strict=True))), doubtful


def resonances_by_minimization(energy, direction, larmor, highest, coarse=40, starts=24, fine=10):
    """All resonances for fields along `direction` (n, 3) up to `highest` (n), by definition.

    At `coarse` fields the minima are searched from `starts` directions. Each is followed to the
    neighbouring coarse fields in `fine` steps, and where w² crosses w0² the field is bisected. A
    minimum that ceases to exist does so with w = 0.
    """
    n = len(direction)
    grid = highest[:, None] * np.linspace(1e-7, 1, coarse)
    draws = np.arange(n)[:, None, None]
    u = np.broadcast_to(spread_points(starts), (n, coarse, starts, 3))
    field = (grid[..., None] * direction[:, None])[:, :, None]
    u = descend(energy.take(draws), u, field, steps=25)
    torque, stiffness, _ = torque_and_stiffness(energy.take(draws), u, field)
    found = (np.abs(torque).max(-1) < 1e-9) & (frequency_squared(stiffness) > 0)
    same = np.linalg.norm(u[..., :, None, :] - u[..., None, :, :], axis=-1) < 1e-5
    earlier = np.tril(np.ones((starts, starts), bool), -1)
    found &= ~np.any(same & earlier & found[..., None, :], axis=-1)

    def excess(draw, size, u):
        """Follow minima to fields of another size; w² − w0² there, or −1 where they are lost."""
        moved, batch, field = u, energy.take(draw), size[:, None] * direction[draw]
        for _ in range(6):
            torque, stiffness, frame = torque_and_stiffness(batch, moved, field)
            determinant = np.linalg.det(stiffness)
            stiffness[np.abs(determinant) < 1e-12] = np.eye(2)
            step = -np.linalg.solve(stiffness, torque[..., None])[..., 0]
            step *= np.minimum(1, 0.2 / (np.linalg.norm(step, axis=-1, keepdims=True) + 1e-300))
            moved = moved + np.einsum("...a,...ai->...i", step, frame)
            moved = moved / np.linalg.norm(moved, axis=-1, keepdims=True)
        torque, stiffness, _ = torque_and_stiffness(batch, moved, field)
        lost = (np.abs(torque).max(-1) > 1e-9) | (np.linalg.norm(moved - u, axis=-1) > 0.2)
        square = np.where(lost, -1.0, frequency_squared(stiffness))
        return moved, square - larmor**2, square > 0

    brackets = []
    for way in (1, -1):
        draw, level, start = np.nonzero(found)
        inside = (level + way >= 0) & (level + way < coarse)
        draw, level, start = draw[inside], level[inside], start[inside]
        here, there = grid[draw, level], grid[draw, level + way]
        u_old = u[draw, level, start]
        _, old, _ = excess(draw, here, u_old)
        for i in range(fine):
            a, b = here + (there - here) * i / fine, here + (there - here) * (i + 1) / fine
            u_new, new, alive = excess(draw, b, u_old)
            crossed = (old > 0) != (new > 0)
            brackets.append((draw[crossed], a[crossed], b[crossed], u_old[crossed], old[crossed]))
            draw, here, there = draw[alive], here[alive], there[alive]
            u_old, old = u_new[alive], new[alive]
    draw, inner, outer, u_inner, sign = map(np.concatenate, zip(*brackets, strict=True))
    for _ in range(50):
        middle = 0.5 * (inner + outer)
        moved, value, alive = excess(draw, middle, u_inner)
        ours = alive & ((value > 0) == (sign > 0))
        inner, outer = np.where(ours, middle, inner), np.where(ours, outer, middle)
        u_inner = np.where(ours[:, None], moved, u_inner)
    _, value, _ = excess(draw, inner, u_inner)
    kept = np.abs(value) < 1e-6 * larmor**2
    draw, inner, u_inner = draw[kept], inner[kept], u_inner[kept]
    twin = (draw[:, None] == draw) & (np.linalg.norm(u_inner[:, None] - u_inner, axis=-1) < 1e-6)
    first = ~np.any(np.tril(twin, -1), axis=1)
    return Resonances(draw[first], inner[first], u_inner[first])
