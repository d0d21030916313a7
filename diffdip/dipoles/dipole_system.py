"""Dipoles in a volume: their energy, tensor and anisotropy fields (eqs. 1–3)."""

from typing import Final

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, Int, Shaped

from ..foundation.convention import PAPER, Convention, as_convention
from ..foundation.errors import InputError
from ..foundation.units import FIELD_UNIT, MAGNETIZATION_UNIT, MOMENT_SPIN_HALF
from ..resonance.energy_terms import AnisotropyFields, TensorAnisotropy
from .ewald_split import LEAST_TOLERANCE, shape_for
from .ewald_sums import ewald_pair_sum, ewald_sum_and_closest
from .pair_sums import pair_differences, pair_sum, pair_sum_and_closest
from .sites import checked_sites
from .tensor_projection import symmetric


MANY: Final = 30_000
"""Dipoles from which on the sum over near pairs and a mesh is faster than that over all pairs."""


TOLERANCE: Final = 1e-4
"""Error of that sum by default."""


class DipoleSummary(eqx.Module):
    """The results of one arrangement of dipoles that statistics use.

    Args:
        D: The dipolar tensor, (3, 3), dimensionless.
        A: Anisotropy field in tesla, µ0M (Dxx + Dyy).
        B: Anisotropy field in tesla, µ0M (Dxx − Dyy).
        C: Anisotropy field in tesla, µ0M Dxy.
        M: Magnetization in A/m.
        n_dipoles: The number of unmasked dipoles.
        closest: The distance of the closest pair in nm; inf with fewer than two dipoles.
    """

    D: Float[Array, "3 3"]
    A: Float[Array, ""]
    B: Float[Array, ""]
    C: Float[Array, ""]
    M: Float[Array, ""]
    n_dipoles: Int[Array, ""]
    closest: Float[Array, ""]


class DipoleSystem(eqx.Module):
    """Collinear magnetic dipoles at fixed positions in a sample volume.

    For unequal moments eqs. 2 and 3 of the paper hold with m² → mᵢmⱼ and M = Σ mᵢ/V.

    Args:
        positions: Shape (n, 3), in nm.
        volume: The volume of the sample in nm³.
        moments: In µB, one for all or shape (n,); 1.73 by default.
        mask: Shape (n,), False for sites that are padding; all True by default. Whatever masked
            sites hold, NaN included, reaches neither values nor gradients.
        convention: `PAPER` (the default), `PHYSICAL`, or the name of one: how pairs are counted.
        crystal: Shape (n,), the number of the crystal that a dipole sits on, if a model gives it.
        extra: Shape (n,), True for dipoles added under a thin ligand shell, if a model gives it.
            Neither tensor nor fields depend on `crystal` and `extra`.

    Raises:
        InputError: For arrays of other shapes, without a site, or for an unknown convention.

    Two unmasked dipoles at the same place have no finite energy: energy, tensor and anisotropy
    fields are then NaN, never inf.

    >>> import jax.numpy as jnp
    >>> pair = DipoleSystem(jnp.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.4]]), volume=8.0)
    >>> fields = pair.anisotropy_fields()
    >>> print(f"A = {1e3 * fields.A:.1f} mT, B = {1e3 * fields.B:.1f} mT")
    A = 100.3 mT, B = 0.0 mT
    """

    positions: Float[Array, "n 3"]
    volume: Float[Array, ""]
    moments: Float[Array, " n"]
    mask: Bool[Array, " n"]
    crystal: Int[Array, " n"] | None
    extra: Bool[Array, " n"] | None
    convention: Convention = eqx.field(static=True)

    def __init__(
        self,
        positions: Float[ArrayLike, "n 3"],
        volume: Shaped[ArrayLike, ""],
        moments: Shaped[ArrayLike, ""] | Shaped[ArrayLike, " n"] = MOMENT_SPIN_HALF,
        mask: Bool[ArrayLike, " n"] | None = None,
        convention: Convention | str = PAPER,
        *,
        crystal: Int[Array, " n"] | None = None,
        extra: Bool[Array, " n"] | None = None,
    ):
        self.positions, self.moments, self.mask = checked_sites(positions, moments, mask, "dipole")
        self.volume = jnp.asarray(volume, self.positions.dtype)
        if self.volume.ndim:
            raise InputError("volume", given=self.volume.shape, expected="one number, in nm³")
        self.crystal, self.extra = crystal, extra
        self.convention = as_convention(convention)

    @property
    def total_moment(self) -> Float[Array, ""]:
        """Σ mᵢ of the unmasked dipoles, in µB."""
        return jnp.sum(jnp.where(self.mask, self.moments, 0))

    @property
    def magnetization(self) -> Float[Array, ""]:
        """M = Σ mᵢ/V in A/m, with all moments aligned."""
        return self.total_moment / self.volume * MAGNETIZATION_UNIT

    def energy_density(self, direction: Float[ArrayLike, "*batch 3"]) -> Float[Array, "*batch"]:
        """Dipolar energy density with all moments along u, summed pair by pair (eq. 2 for W = 2).

        F_dip(u) = (µ0/4πV) W Σ_{i<j} mᵢmⱼ [1 − 3 (r̂ᵢⱼ·u)²]/rᵢⱼ³. It does not use `tensor`, which
        can therefore be checked against it.

        Args:
            direction: Unit vectors u, shape (..., 3).

        Returns:
            F_dip in J/m³, shape (...).
        """
        return self._energy_density(jnp.asarray(direction, self.positions.dtype))

    @eqx.filter_jit
    def _energy_density(self, u: Float[Array, "*batch 3"]) -> Float[Array, "*batch"]:
        flat = u.reshape(-1, 3)
        positions = self.positions
        moments = jnp.where(self.mask, self.moments, 0)
        index = jnp.arange(positions.shape[0])

        @jax.checkpoint
        def row(i: Array) -> Array:
            unit, weight = pair_differences(
                positions[i], positions, self.mask & self.mask[i] & (index > i)
            )
            cosine = unit @ flat.T
            return moments[i] * (weight * moments) @ (1 - 3 * cosine * cosine)

        pairs = jnp.sum(jax.lax.map(row, index), axis=0)
        pairs = jnp.where(jnp.isfinite(pairs), pairs, jnp.nan).reshape(u.shape[:-1])
        # (µ0/4π) µB²/nm⁶ in J/m³, built from factors that float32 can hold
        unit = FIELD_UNIT * MAGNETIZATION_UNIT / (4 * jnp.pi)
        return self.convention.pair_weight * unit / self.volume * pairs

    def tensor(self, tolerance: float | int = TOLERANCE) -> Float[Array, "3 3"]:
        """The dipolar tensor D of eq. 3 in closed form.

        D = (2V/4π(Σmᵢ)²) W Σ_{i<j} mᵢmⱼ (I − 3 r̂ r̂ᵀ)/r³, so that F_dip = (µ0/2) M² u·D·u. For
        W = 1, −D·M is the mean dipolar field at the dipoles, weighted by their moments.

        The sum goes over all pairs for fewer than 30 000 dipoles. For more, only near pairs are
        summed one by one, and the rest on a mesh; the time is then proportional to n.

        Args:
            tolerance: Error of that second sum, relative to |D| or to 1, whichever is larger;
                10⁻⁴ by default. Below 10⁻⁶, 0 for instance, the sum goes over all pairs.

        Returns:
            Shape (3, 3), dimensionless, symmetric, with tr D = 0.
        """
        if self._sums_all_pairs(tolerance):
            return self._tensor_of_all_pairs()
        sites = self.positions, self.moments, self.mask
        shape = shape_for(self.positions, self.mask, tolerance)
        return self._tensor(ewald_pair_sum(*sites, shape, tolerance))

    def anisotropy_fields(self, tolerance: float | int = TOLERANCE) -> AnisotropyFields:
        """The anisotropy fields in tesla; Dxz and Dyz are left out.

        A = µ0M (Dxx + Dyy), B = µ0M (Dxx − Dyy), C = µ0M Dxy. For `tolerance` see `tensor`.
        """
        A, B, C = self._fields(self.tensor(tolerance))
        return AnisotropyFields(A, B, C, convention=self.convention)

    def summary(
        self, tolerance: float | int = TOLERANCE, mesh: tuple[int, int, int] | None = None
    ) -> DipoleSummary:
        """Tensor, anisotropy fields and closest distance in one pass over the pairs.

        For statistics: it has no derivatives. Differentiate `tensor` and `anisotropy_fields`
        instead.

        Args:
            tolerance: See `tensor`. With the sum for many dipoles, `closest` is NaN if no pair is
                within a few mean distances.
            mesh: Points of its mesh along x, y and z; by default those that suit the sample. Under
                `jit` the sample is not known: the mesh for a compact one is correct for any
                sample, but slower for flat and long ones.
        """
        if self._sums_all_pairs(tolerance):
            return self._summary_of_all_pairs()
        sites = self.positions, self.moments, self.mask
        shape = mesh or shape_for(self.positions, self.mask, tolerance)
        return self._summary(*ewald_sum_and_closest(*sites, shape, tolerance))

    def _summary(self, sums: Float[Array, "6"], closest: Float[Array, ""]) -> DipoleSummary:
        D = self._tensor(sums)
        count = jnp.sum(self.mask, dtype=jnp.int32)
        return DipoleSummary(D, *self._fields(D), self.magnetization, count, closest)

    def anisotropy(self) -> TensorAnisotropy:
        """The whole tensor as a free energy, K = s µ0M D in tesla, for fields in any direction."""
        return TensorAnisotropy(self.convention.sign * self._field_unit() * self.tensor())

    # each in one program: step by step, the first call would take half a second

    @eqx.filter_jit
    def _summary_of_all_pairs(self) -> DipoleSummary:
        return self._summary(*pair_sum_and_closest(self.positions, self.moments, self.mask))

    @eqx.filter_jit
    def _tensor_of_all_pairs(self) -> Float[Array, "3 3"]:
        return self._tensor(pair_sum(self.positions, self.moments, self.mask))

    def _sums_all_pairs(self, tolerance: float | int) -> bool:
        if not tolerance >= 0:
            raise InputError("tolerance", given=tolerance, expected="0 or a positive number")
        return self.positions.shape[0] < MANY or tolerance < LEAST_TOLERANCE

    def _tensor(self, sums: Float[Array, "6"]) -> Float[Array, "3 3"]:
        factor = self.convention.pair_weight * self.volume / (2 * jnp.pi * self.total_moment**2)
        return symmetric(factor * sums)

    def _field_unit(self) -> Float[Array, ""]:
        """µ0M in tesla."""
        return FIELD_UNIT * self.total_moment / self.volume

    @eqx.filter_jit
    def _fields(self, D: Float[Array, "3 3"]) -> tuple[Array, Array, Array]:
        field = self._field_unit() * D
        return field[0, 0] + field[1, 1], field[0, 0] - field[1, 1], field[0, 1]
