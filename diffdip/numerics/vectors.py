"""Vectors and matrices in space as tuples of scalars.

Under vmap each scalar is one contiguous batch, and every operation is elementwise. XLA makes one
loop of many of them, where products of small arrays would each be a loop of their own. The
operations are primitives of JAX: `a * b` would be a jitted function, which takes ten times as long
to trace.
"""

from typing import TypeAlias

from jax import lax
from jaxtyping import Array, Float

from .elementwise import not_zero


Scalar: TypeAlias = Float[Array, ""]
Vector3: TypeAlias = tuple[Scalar, Scalar, Scalar]
Matrix3: TypeAlias = tuple[Vector3, Vector3, Vector3]
"""The rows of a matrix."""


def components(vector: Float[Array, "3"]) -> Vector3:
    """The elements of an array of three."""
    x, y, z = (lax.index_in_dim(vector, i, keepdims=False) for i in range(3))
    return x, y, z


def rows_of(matrix: Float[Array, "3 3"]) -> Matrix3:
    """The rows of an array, as tuples."""
    a, b, c = (components(lax.index_in_dim(matrix, i, keepdims=False)) for i in range(3))
    return a, b, c


def dot(a: Vector3, b: Vector3) -> Scalar:
    """a · b."""
    x, y, z = (lax.mul(p, q) for p, q in zip(a, b, strict=True))
    return lax.add(lax.add(x, y), z)


def cross(a: Vector3, b: Vector3) -> Vector3:
    """a × b."""
    minor = lambda i, j: lax.sub(lax.mul(a[i], b[j]), lax.mul(a[j], b[i]))
    return minor(1, 2), minor(2, 0), minor(0, 1)


def add(a: Vector3, b: Vector3) -> Vector3:
    """a + b."""
    return lax.add(a[0], b[0]), lax.add(a[1], b[1]), lax.add(a[2], b[2])


def subtract(a: Vector3, b: Vector3) -> Vector3:
    """a − b."""
    return lax.sub(a[0], b[0]), lax.sub(a[1], b[1]), lax.sub(a[2], b[2])


def scale(factor: Scalar, a: Vector3) -> Vector3:
    """A multiple of a vector."""
    return lax.mul(factor, a[0]), lax.mul(factor, a[1]), lax.mul(factor, a[2])


def unit(a: Vector3) -> Vector3:
    """The vector over its length."""
    return scale(lax.rsqrt(dot(a, a)), a)


def times(matrix: Matrix3, vector: Vector3) -> Vector3:
    """A matrix times a vector."""
    return dot(matrix[0], vector), dot(matrix[1], vector), dot(matrix[2], vector)


def transposed(matrix: Matrix3) -> Matrix3:
    """The columns of a matrix as rows."""
    a, b, c = matrix
    return (a[0], b[0], c[0]), (a[1], b[1], c[1]), (a[2], b[2], c[2])


def sum_of(one: Matrix3, other: Matrix3) -> Matrix3:
    """The sum of two matrices."""
    return add(one[0], other[0]), add(one[1], other[1]), add(one[2], other[2])


def multiple(factor: Scalar, matrix: Matrix3) -> Matrix3:
    """A multiple of a matrix."""
    a, b, c = matrix
    return scale(factor, a), scale(factor, b), scale(factor, c)


def outer(a: Vector3, b: Vector3) -> Matrix3:
    """a bᵀ."""
    return scale(a[0], b), scale(a[1], b), scale(a[2], b)


def with_diagonal(matrix: Matrix3, value: Scalar) -> Matrix3:
    """The matrix plus a multiple of the unit matrix."""
    a, b, c = matrix
    return (
        (lax.add(a[0], value), a[1], a[2]),
        (b[0], lax.add(b[1], value), b[2]),
        (c[0], c[1], lax.add(c[2], value)),
    )


def cofactors(matrix: Matrix3) -> Matrix3:
    """The matrix of cofactors, which is that of the adjugate transposed."""
    a, b, c = matrix
    return cross(b, c), cross(c, a), cross(a, b)


def adjugate_form(matrix: Matrix3, vector: Vector3) -> Scalar:
    """v · adj(M) v for a symmetric M: for a unit vector the determinant of M normal to it."""
    return dot(vector, times(cofactors(matrix), vector))


def solved(matrix: Matrix3, right: Vector3) -> Vector3:
    """The x with M x = b, by Cramer's rule; a determinant of 0 is replaced by 1."""
    columns = transposed(matrix)
    adjugate = cofactors(columns)
    determinant = not_zero(dot(columns[0], adjugate[0]))
    return scale(lax.div(lax.full_like(determinant, 1.0), determinant), times(adjugate, right))
