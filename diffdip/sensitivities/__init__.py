"""Sensitivity of distributions to the parameters of a model, and inference of these parameters."""
