"""How a distribution depends on the parameters of a model, and inference of these."""
