"""Files: tables of measured resonance fields, and results of fits.

>>> from diffdip.io import example_path, read_table
>>> read_table(example_path())[0].name
'goniometer'
"""

from .results import (
    OutputError as OutputError,
    curve_files as curve_files,
    fit_document as fit_document,
    fit_files as fit_files,
    residual_warnings as residual_warnings,
    write_files as write_files,
)
from .table import (
    Sample as Sample,
    TableError as TableError,
    example_path as example_path,
    read_table as read_table,
)
