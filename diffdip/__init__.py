"""diffdip: magnetic anisotropy caused by dipole–dipole interactions, with derivatives.

From dipole positions it computes the tensor D, the anisotropy fields A, B, C and the resonance
field Hres at each angle. It also fits A, B, C, or all elements of D, to measured fields.

The folders are rooms, and each uses only those before it: `foundation`, `numerics`, `resonance`,
`dipoles`, `ensembles` and `dynamics`, `statistics` and `spectra`, `sensitivities` and `fitting`,
`io`, `report`, `cli` and `app`.

The public names are listed in `__init__.pyi`. Each is imported when it is first used.
"""

import lazy_loader

from .foundation.version import __version__ as __version__


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
