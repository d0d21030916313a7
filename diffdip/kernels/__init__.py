"""Loops for the CPU that numba compiles."""
