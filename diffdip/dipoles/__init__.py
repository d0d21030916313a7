"""From dipole positions to the dipolar tensor D and the anisotropy fields A, B, C.

`dipole_system` has the dipoles and their results; `pair_sums` are the sums over pairs, with their
derivatives, and `pair_kernels` the loops that make them fast; `pair_ranking` finds the pairs that
contribute most to D; `tensor_projection` fits D to energies; `magnetometry` gives the number of
dipoles on a crystal.
"""

from . import magnetometry as magnetometry
