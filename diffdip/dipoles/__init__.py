"""From dipole positions to the dipolar tensor D and the anisotropy fields A, B, C."""

from . import magnetometry as magnetometry
