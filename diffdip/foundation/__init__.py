"""What every room uses: units, conventions, input as arrays, errors, flags, progress, the version.

`units`, `convention`, `errors`, `flags` and `version` load without JAX.
"""
