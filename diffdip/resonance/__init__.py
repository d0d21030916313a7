"""From a free energy to the resonance field of each direction of the applied field.

`energy_terms` are the free energies; `field_of_magnetization` gives the field H(u) that makes the
magnetization u resonate; `planar_solver` and `general_solver` invert H(u), with starts from
`resonance_polynomials`, `mesh_search` or saturation (`resonance_equations`); on a CPU
`polynomial_solver` finds what `general_solver` would; `root_derivatives` differentiates the result;
`stability` and `branches` pick the measured resonance; `planes` holds the planes in which the field
rotates; `fields` has the public functions; `smit_suhl` the paper's equations as printed.
"""
