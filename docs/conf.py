"""Settings of the documentation site, which `make docs` builds.

The pages are the Markdown files of this folder, the notebooks, and the list of changes. They are
read where they lie, so the same links work here and on a code host. Nothing is fetched or executed:
notebooks are shown with their stored results, which the tests check.
"""

import sys
from pathlib import Path


sys.path.insert(0, str(Path(__file__).parent / "site_build"))

from diffdip import __version__


project = "diffdip"
version = release = __version__
root_doc = "docs/index"
include_patterns = ["docs/**.md", "notebooks/*.ipynb", "CHANGELOG.md", "CONTRIBUTING.md"]
exclude_patterns = [".*", "build", "dist", "out", "diffdip", "experiments", "tests"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "public_names", "mathml"]
highlight_language = "none"  # commands and tables; Python blocks say that they are Python

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True

autodoc_typehints = "none"  # docstrings state shapes and units; public_names.py links what returns
autodoc_preserve_defaults = True
autodoc_inherit_docstrings = False
autodoc_member_order = "bysource"
python_maximum_signature_line_length = 90

nitpick_ignore = [  # errors that have no entry here
    ("py:exc", "ValueError"),
    ("py:exc", "ImportError"),
    ("py:exc", "NothingPlacedError"),
    ("py:exc", "RunError"),
]

html_theme = "furo"  # one column of text and the list of pages: no more than this site needs
html_title = f"diffdip {version}"
html_math_renderer = "mathml"
html_static_path = ["site_build/static"]
html_css_files = ["site.css"]
html_extra_path = ["site_build/front"]
html_show_sourcelink = False
html_copy_source = False
html_show_copyright = False
