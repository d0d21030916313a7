"""Rotation planes that have names. Without JAX."""

from typing import Final


PLANES: Final = {"xy": (0, 1), "xz": (0, 2), "yz": (1, 2)}
"""Rotation planes by name: the axis at angle 0 and the one at 90°."""
