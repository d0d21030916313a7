import diffdip.foundation.errors

from .curve_results import curve_files as curve_files
from .fit_results import (
    fit_document as fit_document,
    fit_files as fit_files,
    residual_warnings as residual_warnings,
)
from .sensitivity_results import (
    inference_files as inference_files,
    sensitivity_files as sensitivity_files,
)
from .spectra import (
    positions_table as positions_table,
    read_spectra as read_spectra,
    write_spectra as write_spectra,
)
from .sweep import SpectrumError as SpectrumError
from .table import (
    Anisotropies as Anisotropies,
    Sample as Sample,
    TableError as TableError,
    example_path as example_path,
    read_anisotropies as read_anisotropies,
    read_table as read_table,
)
from .writing import OutputError as OutputError, write_files as write_files

InputError = diffdip.foundation.errors.InputError  # the lazy loader reads names of this folder only
