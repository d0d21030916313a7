"""Moments that need not be parallel: their equilibria, spin waves, absorption and resonances.

`moments` has the moments and their energy; `equilibria` finds the minimum of the energy in a field;
`spin_waves` linearizes the motion there; `field_sweeps` sweeps the field.
"""
