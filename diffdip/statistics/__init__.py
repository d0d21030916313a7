"""Heavy-tailed distributions: quantiles, tails, and the laws that A and B follow."""
