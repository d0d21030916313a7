"""Random and regular arrangements of dipoles, and simulation of many samples."""
