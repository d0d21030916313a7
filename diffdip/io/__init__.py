"""Files: spectra, tables of measured resonance fields or anisotropies, and results.

The public names are listed in `__init__.pyi` and are imported when they are first used, so that a
program that only reads files does not wait for JAX.

>>> from diffdip.io import example_path, read_table
>>> read_table(example_path())[0].name
'goniometer'
"""

import lazy_loader

from ..foundation.errors import InputError as InputError


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
