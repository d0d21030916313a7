"""Mathematics without physics: roots, their derivatives, integrals, random numbers."""
