"""The energy terms of `term_models` in words, for help that must not wait for JAX."""

from typing import Final


TERMS: Final = {
    "tensor": "the paper's anisotropy fields A, B, C",
    "thin-film": "a film with the normal z: µ0M_eff",
    "uniaxial": "uniaxial with an axis in the xy-plane at phi_u: Hu = 2K/M",
    "perpendicular": "uniaxial along z: Hp = 2K/M",
    "uniaxial-2": "uniaxial of second order along z: HK2 = 4K2/M",
    "cubic": "cubic: H1 = 2K1/M",
    "cubic-2": "cubic of second order: H2 = 2K2/M",
    "bias": "exchange bias in the xy-plane: B1, easy at phi_1",
    "two-fold": "two-fold in the xy-plane: B2, easy at phi_2",
    "four-fold": "four-fold in the xy-plane: B4, easy at phi_4",
    "six-fold": "six-fold in the xy-plane: B6, easy at phi_6",
    "spin-wave": "a standing spin wave: exchange field Hex",
}
"""What each term is, with its field in the notation of the literature."""
