"""Spectra of a rotation: noise, lines, line shapes, positions, and synthetic sweeps."""
