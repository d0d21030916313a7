"""Mathematics without physics: roots, their derivatives, integrals, random numbers.

`polynomial_roots` finds all real roots; `implicit_roots` gives their derivatives;
`fourier_inversion` gives a law from its characteristic function, `direction_averages` the means
over directions that go into one; `dawson_function` and `random_numbers` are what JAX lacks.
"""
