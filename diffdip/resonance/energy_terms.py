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
from jax import lax
from jaxtyping import Array, Float

from ..foundation.arrays import as_float
from ..foundation.convention import PAPER, Convention, as_convention
from ..numerics.vectors import (
    Matrix3,
    Scalar,
    Vector3,
    add,
    rows_of,
    sum_of,
    times,
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

    def degree(self) -> int | None:
        """The degree of e(u) as a polynomial in the components of u; None for other functions.

        On a CPU with numba, resonances of polynomials up to degree 6 compile in a tenth of the
        time, and many directions of one energy are solved three to five times as fast. If a term
        states too low a degree, fields are NaN.
        """
        return None

    def exchange_field(self) -> Scalar | None:
        """What exchange adds to both stiffnesses of the resonance, in tesla; None without it.

        Only a standing spin wave has it (`StandingSpinWave`).
        """
        return None

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

    def degree(self) -> int:
        return 2

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

    def degree(self) -> int | None:
        degrees = [degree for term in self.terms if (degree := term.degree()) is not None]
        return max(degrees) if len(degrees) == len(self.terms) else None

    def exchange_field(self) -> Scalar | None:
        fields = [field for term in self.terms if (field := term.exchange_field()) is not None]
        return sum(fields[1:], fields[0]) if fields else None


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


class StandingSpinWave(AbstractEnergy):
    """A standing spin wave across a film: exchange adds H_ex to both stiffnesses.

    The field of exchange is (2A_ex/M) ∇²m. For m ~ cos kz of the precession it is −H_ex m with
    H_ex = 2A_ex k²/M, and it does not act on the uniform M of the equilibrium. So the resonance

        det(E_t + (h∥ − κ + H_ex) I) = w0²

    replaces that of `field_of_magnetization`, and the equilibrium stays. In the plane of a film
    w0² = (H + H_ex) (H + H_ex + µ0M_eff), and along its normal w0 = H + H_ex − µ0M_eff (C. Kittel,
    Phys. Rev. 110, 1295, 1958). The mode p of a film of thickness d with free surfaces, or with
    pinned ones, has k = pπ/d. One energy describes one mode: a series of each mode has its own
    H_ex, and the other terms in common.

    The term has no energy of its own, e(u) = 0. Add it to others. A sum with it is solved as a
    general energy, also where the other terms are A, B, C or a tensor.

    Args:
        field: H_ex in tesla, 0 for the uniform mode.

    >>> import jax.numpy as jnp
    >>> from diffdip import resonance_field_along
    >>> mode = ThinFilm(0.5) + StandingSpinWave(0.1)
    >>> along_normal = resonance_field_along(mode, jnp.array([0.0, 0.0, 1.0]), 9.45e9)
    >>> print(f"{1e3 * along_normal:.2f} mT")
    737.59 mT
    """

    field: Float[Array, ""] = eqx.field(converter=as_float)

    def __call__(self, direction: Float[Array, "3"]) -> Float[Array, ""]:
        return 0.0 * direction[0]

    def derivatives(self, direction: Vector3) -> tuple[Vector3, Matrix3]:
        zero = lax.full_like(direction[0], 0.0)
        none = zero, zero, zero
        return none, (none, none, none)

    def degree(self) -> int:
        return 0

    def exchange_field(self) -> Scalar:
        return self.field


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
