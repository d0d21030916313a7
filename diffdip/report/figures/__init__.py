"""Figures for papers: fields in mT, angles in degrees.

Every function returns a new `matplotlib.figure.Figure`, and leaves the settings of
Matplotlib and the state of pyplot alone. Figures are one column (85 mm) or two columns (170 mm)
wide. The names are listed in `__init__.pyi` and are imported when they are first used.
"""

import lazy_loader


__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
