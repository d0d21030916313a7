"""Free-energy terms: functions of the direction of magnetization u, in tesla.

A term is e(u) = F_aniso/M. Only its values on the unit sphere matter, not those off it. A new term
is a class with one method:

    class Octahedral(AbstractEnergy):
        strength: float

        def __call__(self, direction):
            return self.strength * (direction**6).sum()
"""

import abc

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..foundation.arrays import as_float
from ..foundation.convention import PAPER, Convention, as_convention
from ..numerics.vectors import (
    Matrix3,
    Vector3,
    add,
    rows_of,
    scale,
    sum_of,
    times,
    transposed,
)


class AbstractEnergy(eqx.Module):
    """A free-energy term e(u) in tesla, for unit vectors u of shape (3,). Terms add with `+`."""

    @abc.abstractmethod
    def __call__(self, direction: Float[Array, "3"]) -> Float[Array, ""]:
        """The energy of a magnetization along `direction`, divided by M.

        Args:
            direction: A unit vector, shape (3,).

        Returns:
            e(u) in tesla.
        """

    def derivatives(self, direction: Vector3) -> tuple[Vector3, Matrix3]:
        """Gradient and Hessian of e(u) as a function in space, in tesla.

        By differentiation, unless a term knows them in closed form, which is faster.
        """
        energy = lambda x, y, z: self(jnp.stack([x, y, z]))
        gradient = jax.grad(energy, (0, 1, 2))
        return gradient(*direction), jax.jacfwd(gradient, (0, 1, 2))(*direction)

    def __add__(self, other: "AbstractEnergy") -> "EnergySum":
        return EnergySum((self, other))


class AbstractTensorEnergy(AbstractEnergy):
    """A term that is a quadratic form, e(u) = ½ u·K·u with K in tesla.

    Its resonances are the roots of one polynomial, so that all of them are found.
    """

    @abc.abstractmethod
    def tensor(self) -> Float[Array, "3 3"]:
        """The symmetric matrix K in tesla."""

    def __call__(self, direction: Float[Array, "3"]) -> Float[Array, ""]:
        return 0.5 * direction @ self.tensor() @ direction

    def derivatives(self, direction: Vector3) -> tuple[Vector3, Matrix3]:
        tensor = rows_of(self.tensor())
        return times(tensor, direction), tensor


class EnergySum(AbstractEnergy):
    """The sum of several terms, e(u) = Σ eᵢ(u)."""

    terms: tuple[AbstractEnergy, ...]

    def __call__(self, direction: Float[Array, "3"]) -> Float[Array, ""]:
        return sum((term(direction) for term in self.terms[1:]), self.terms[0](direction))

    def derivatives(self, direction: Vector3) -> tuple[Vector3, Matrix3]:
        gradient, hessian = self.terms[0].derivatives(direction)
        for term in self.terms[1:]:
            more, more_curvature = term.derivatives(direction)
            gradient = add(gradient, more)
            hessian = sum_of(hessian, more_curvature)
        return gradient, hessian


class AnisotropyFields(AbstractTensorEnergy):
    """The paper's anisotropy fields A, B, C, as the energy of a sample.

    A = µ0M (Dxx + Dyy), B = µ0M (Dxx − Dyy), C = µ0M Dxy. Dxz and Dyz are zero, so
    K = s [[(A+B)/2, C, 0], [C, (A−B)/2, 0], [0, 0, −A]], with s = −1 in the `paper` convention and
    +1 in `physical`. Rotating the sample by δ about z turns (B, 2C) by 2δ and leaves A.

    Args:
        A: Out-of-plane anisotropy field in tesla, 0 by default.
        B: In-plane anisotropy field in tesla, 0 by default.
        C: Its component at 45°, in tesla, 0 by default.
        convention: `PAPER` (the default), `PHYSICAL`, or the name of one.

    Raises:
        InputError: For an unknown convention.

    >>> from diffdip import resonance_field
    >>> sample = AnisotropyFields(A=0.1915, B=0.2046)
    >>> print(f"{1e3 * resonance_field(sample, 0.0, 9.45e9):.2f} mT")
    52.95 mT
    """

    A: Float[Array, ""] = eqx.field(converter=as_float, default=0.0)
    B: Float[Array, ""] = eqx.field(converter=as_float, default=0.0)
    C: Float[Array, ""] = eqx.field(converter=as_float, default=0.0)
    convention: Convention = eqx.field(converter=as_convention, static=True, default=PAPER)

    def tensor(self) -> Float[Array, "3 3"]:
        s = self.convention.sign
        zero = jnp.zeros_like(self.A)
        upper, lower = s * (self.A + self.B) / 2, s * (self.A - self.B) / 2
        c, normal = s * self.C, -s * self.A
        return jnp.stack(
            [
                jnp.stack([upper, c, zero]),
                jnp.stack([c, lower, zero]),
                jnp.stack([zero, zero, normal]),
            ]
        )


class TensorAnisotropy(AbstractTensorEnergy):
    """Any symmetric tensor: e(u) = ½ u·K·u (for dipoles K = s µ0M D).

    Args:
        K: Shape (3, 3), in tesla. Its symmetric part counts. A trace adds a constant to the energy
            and changes no resonance.

    >>> import jax.numpy as jnp
    >>> float(TensorAnisotropy(jnp.diag(jnp.array([0.2, 0.0, -0.2])))(jnp.array([1.0, 0.0, 0.0])))
    0.10000000149011612
    """

    K: Float[Array, "3 3"] = eqx.field(converter=as_float)

    def tensor(self) -> Float[Array, "3 3"]:
        return 0.5 * (self.K + self.K.T)


class UniaxialAnisotropy(AbstractTensorEnergy):
    """Uniaxial anisotropy: e(u) = −(H_u/2) (u·n)², with H_u = 2K_u/M.

    Args:
        field: H_u in tesla; positive for an easy axis, negative for a hard one.
        axis: n, shape (3,), of any length.

    >>> from diffdip import resonance_field
    >>> easy = resonance_field(UniaxialAnisotropy(0.05, [1.0, 0.0, 0.0]), 0.0, 9.45e9)
    >>> print(f"{1e3 * easy:.2f} mT")
    287.59 mT
    """

    field: Float[Array, ""] = eqx.field(converter=as_float)
    axis: Float[Array, "3"] = eqx.field(converter=as_float)

    def tensor(self) -> Float[Array, "3 3"]:
        axis = self.axis / jnp.linalg.norm(self.axis)
        return -self.field * jnp.outer(axis, axis)


class ThinFilm(AbstractTensorEnergy):
    """A thin film: e(u) = ½ µ0M_eff (u·n)².

    Its resonances are Kittel's: w0² = H (H + µ0M_eff) with the field in the plane of the film, and
    w0 = H − µ0M_eff along the normal.

    Args:
        field: The effective magnetization µ0M_eff in tesla. If positive (shape anisotropy), the
            normal is hard.
        normal: n, shape (3,), of any length; z by default.

    >>> import jax.numpy as jnp
    >>> print(f"{ThinFilm(1.0)(jnp.array([0.0, 0.0, 1.0])):.2f}")
    0.50
    """

    field: Float[Array, ""] = eqx.field(converter=as_float)
    normal: Float[Array, "3"] = eqx.field(converter=as_float, default=(0.0, 0.0, 1.0))

    def tensor(self) -> Float[Array, "3 3"]:
        normal = self.normal / jnp.linalg.norm(self.normal)
        return self.field * jnp.outer(normal, normal)


class CubicAnisotropy(AbstractEnergy):
    """Cubic anisotropy: e(u) = (H_1/2) (u₁²u₂² + u₂²u₃² + u₃²u₁²), with H_1 = 2K_1/M.

    Args:
        field: H_1 in tesla. If positive, the crystal axes are easy.
        axes: The crystal axes in the frame of the sample, as the rows of an orthonormal (3, 3)
            array; by default the axes of that frame.

    >>> import jax.numpy as jnp
    >>> print(f"{CubicAnisotropy(0.06)(jnp.ones(3) / 3**0.5):.3f}")
    0.010
    """

    field: Float[Array, ""] = eqx.field(converter=as_float)
    axes: Float[Array, "3 3"] = eqx.field(
        converter=as_float, default=((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    )

    def __call__(self, direction: Float[Array, "3"]) -> Float[Array, ""]:
        x, y, z = jnp.square(self.axes @ direction)
        return 0.5 * self.field * (x * y + y * z + z * x)

    def derivatives(self, direction: Vector3) -> tuple[Vector3, Matrix3]:
        axes = rows_of(self.axes)
        x, y, z = times(axes, direction)
        # half of the second derivatives with respect to x, y, z over the field
        xx, yy, zz = 0.5 * (y * y + z * z), 0.5 * (z * z + x * x), 0.5 * (x * x + y * y)
        slope = scale(2.0 * self.field, (xx * x, yy * y, zz * z))
        curvature = (xx, x * y, x * z), (x * y, yy, y * z), (x * z, y * z, zz)
        columns = transposed(axes)
        across = tuple(times(curvature, column) for column in columns)
        a, b, c = (scale(2.0 * self.field, times(columns, one)) for one in across)
        return times(columns, slope), (a, b, c)


def quadratic_form(energy: AbstractEnergy) -> Float[Array, "3 3"] | None:
    """K of an energy whose type says that it is ½ u·K·u, or of a sum of such; otherwise None."""
    if isinstance(energy, AbstractTensorEnergy):
        return energy.tensor()
    if isinstance(energy, EnergySum):
        tensors = [quadratic_form(term) for term in energy.terms]
        known = [tensor for tensor in tensors if tensor is not None]
        if len(known) == len(tensors):
            return sum(known[1:], known[0])
    return None
