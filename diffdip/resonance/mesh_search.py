"""Starts near the resonances of any smooth energy: a search on a mesh of the sphere.

H(u) is explicit, so its values at the vertices of a triangulated sphere do not depend on the
direction of the field and are computed once. A resonance for the direction ĥ lies where the ray
along ĥ pierces the surface H(u): the triangles that it pierces are starts for Newton's method.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from ..numerics.vectors import components
from .energy_terms import AbstractEnergy
from .field_of_magnetization import field_terms
from .resonance_polynomials import Candidates


SUBDIVISIONS = 3
"""Of an icosahedron: 642 vertices, about 8° apart."""

SLOTS = 8
"""Resonances that are kept for a direction of the field."""

MESH_STEPS = 10
"""Newton steps from a triangle of the mesh, about 8° wide, to all digits."""

GROUP = 16
"""Triangles of which the highest scores are compared first. Their number is a multiple of it."""

SLACK = 0.2
"""How far outside a triangle the ray may pass, in barycentric coordinates, because the surface
between the vertices is curved; and how far behind the origin, in lengths of the longest side."""


@functools.cache
def sphere_mesh(subdivisions: int = SUBDIVISIONS) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (unit vectors) and triangles of a subdivided icosahedron."""
    golden = (1 + 5**0.5) / 2
    corners = [(0, s, t * golden) for s in (-1, 1) for t in (-1, 1)]
    vertices = np.array([np.roll(corner, shift) for shift in range(3) for corner in corners], float)
    edge = np.linalg.norm(vertices[:, None] - vertices, axis=-1) < 2.1
    triangles = np.array(
        [
            (i, j, k)
            for i in range(12)
            for j in range(i)
            for k in range(j)
            if edge[i, j] and edge[j, k] and edge[i, k]
        ]
    )
    for _ in range(subdivisions):
        sides = np.sort(triangles[:, [[0, 1], [1, 2], [2, 0]]], axis=-1)
        unique, inverse = np.unique(sides.reshape(-1, 2), axis=0, return_inverse=True)
        middle = len(vertices) + inverse.reshape(-1, 3)
        vertices = np.concatenate([vertices, vertices[unique].sum(axis=1)])
        (a, b, c), (ab, bc, ca) = triangles.T, middle.T
        pieces = [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        triangles = np.concatenate([np.stack(piece, axis=-1) for piece in pieces])
    # 32 bits: a program for float32 has no 64-bit integers, and JAX may keep those of the array
    triangles = triangles.astype(np.int32)
    return vertices / np.linalg.norm(vertices, axis=-1, keepdims=True), triangles


def mesh_candidates(energy: AbstractEnergy, dtype: Any) -> Candidates:
    """The function (ĥ, w0) → starts near all resonances of `energy`, and which slots hold one.

    Two resonances closer to each other than the vertices (about 8°) may be missed or merged.
    """
    vertices, corners = sphere_mesh()
    u, triangles = jnp.asarray(vertices, dtype), jnp.asarray(corners)
    terms = jax.vmap(lambda u: field_terms(energy, components(u)))(u)

    def candidates(
        field_direction: Float[Array, "3"], larmor: Float[Array, ""]
    ) -> tuple[Float[Array, "slots 3"], Bool[Array, " slots"]]:
        field = lambda terms, u: jnp.stack(terms.field(components(u), larmor))
        H = jax.vmap(field)(terms, u)
        a, b, c = H[triangles[:, 0]], H[triangles[:, 1]], H[triangles[:, 2]]
        normals = jnp.stack([jnp.cross(b, c), jnp.cross(c, a), jnp.cross(a, b)], axis=1)
        volume = jnp.sum(a * normals[:, 0], axis=-1)
        sides = jnp.stack([a - b, b - c, c - a])
        side = jnp.sqrt(jnp.max(jnp.sum(sides * sides, axis=-1), axis=0))
        weights = normals @ field_direction
        total = jnp.sum(weights, axis=-1)
        regular = (volume != 0) & (total != 0)
        safe = jnp.where(regular, total, 1)
        score = jnp.min(weights / safe[:, None], axis=-1)
        # volume/total is the distance along the ray
        score = jnp.where(regular & (volume / safe > -SLACK * side), score, -jnp.inf)
        best, index = _highest(score)
        found = best > -SLACK
        shares = jnp.where(found[:, None], weights[index] / safe[index, None], 1)
        start = jnp.einsum("sk,ski->si", shares, u[triangles[index]])
        return start / jnp.linalg.norm(start, axis=-1, keepdims=True), found

    return candidates


def _highest(score: Float[Array, " n"]) -> tuple[Float[Array, " slots"], Int[Array, " slots"]]:
    """The `SLOTS` highest scores and their indices: `top_k` in two steps, which sort less.

    The highest scores lie in the groups with the highest maxima.
    """
    groups = score.reshape(-1, GROUP)
    _, chosen = lax.top_k(jnp.max(groups, axis=1), SLOTS)
    best, place = lax.top_k(groups[chosen].reshape(-1), SLOTS)
    return best, chosen[place // GROUP] * GROUP + place % GROUP
