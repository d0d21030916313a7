"""diffdip: the differentiable way to understand magnetic anisotropy made by dipoles.

The public names are listed in `__init__.pyi` and are imported when they are first used.
"""

import lazy_loader

from .foundation.version import __version__ as __version__


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
