"""diffdip: the differentiable way to understand magnetic anisotropy made by dipoles.

From dipole positions it computes the tensor D, the anisotropy fields A, B, C and the resonance
field Hres of each angle, with derivatives; and it fits all of them to measurements.

The folders are rooms, and each uses only those before it: `foundation`, `numerics`, `resonance`,
`dipoles`, `ensembles`, `statistics` and `spectra`, `sensitivities` and `fitting`, `io`, `report`,
`cli` and `app`.

The public names are listed in `__init__.pyi`. Each is imported when it is first used.
"""

import lazy_loader

from .foundation.version import __version__ as __version__


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
