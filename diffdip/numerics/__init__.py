"""Mathematics without physics: roots, their derivatives, integrals, random numbers.

`elementwise` holds the operations that solvers are made of; `polynomial_roots` finds all real
roots; `implicit_roots` gives their derivatives; `fourier_inversion` gives a law from its
characteristic function; `direction_averages` gives the means over directions that such a law needs;
`dawson_function` and `random_numbers` replace functions that JAX lacks or has only in a slow form.
"""
