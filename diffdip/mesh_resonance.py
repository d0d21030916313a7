"""Where an arbitrary smooth energy resonates: a search on a mesh of the sphere.

H(u) is explicit, so its values at the vertices of a triangulated sphere do not depend on the
direction of the field. Resonances lie where H(u) points along ĥ: the vertices where it does so
more closely than at their neighbours are good starts for Newton's method.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from .energy import AbstractEnergy
from .explicit import FieldTerms, field_terms
from .tensor_resonance import Candidates


SUBDIVISIONS = 3
SLOTS = 6


@functools.cache
def sphere_mesh(subdivisions: int = SUBDIVISIONS) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (unit vectors) of a subdivided icosahedron and the six neighbours of each.

    The twelve vertices with five neighbours name one of them twice.
    """
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
    around: list[set[int]] = [set() for _ in vertices]
    for triangle in triangles:
        for corner in triangle:
            around[corner].update(int(other) for other in triangle if other != corner)
    neighbours = np.array([np.resize(sorted(others), 6) for others in around])
    return vertices / np.linalg.norm(vertices, axis=-1, keepdims=True), neighbours


def mesh_candidates(energy: AbstractEnergy, dtype: Any) -> Candidates:
    """The function (ĥ, w0) → starts near all resonances of `energy`, and which slots hold one.

    Two resonances closer to each other than the mesh (about 8°) may be missed or merged.
    """
    vertices, neighbours = sphere_mesh()
    u = jnp.asarray(vertices, dtype)
    terms = jax.vmap(lambda u: field_terms(energy, u))(u)

    def candidates(
        field_direction: Float[Array, "3"], larmor: Float[Array, ""]
    ) -> tuple[Float[Array, "slots 3"], Bool[Array, " slots"]]:
        H = jax.vmap(FieldTerms.field, in_axes=(0, 0, None))(terms, u, larmor)
        size = jnp.sqrt(jnp.sum(H * H, axis=-1))
        cosine = (H @ field_direction) / jnp.where(size > 0, size, 1)
        highest = jnp.max(cosine[neighbours], axis=-1)
        score = jnp.where((cosine >= highest) & (cosine > 0), cosine, -1)
        best, index = jax.lax.top_k(score, SLOTS)
        found = best > 0
        return jnp.where(found[:, None], u[index], field_direction), found

    return candidates
