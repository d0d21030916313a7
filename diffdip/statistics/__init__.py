"""Statistics without moments: quantiles, tails, and the laws of A, B and C."""
