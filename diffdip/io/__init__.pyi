import diffdip.foundation.errors

from .anisotropy_tables import Anisotropies as Anisotropies, read_anisotropies as read_anisotropies
from .column_meanings import TableError as TableError
from .curve_results import curve_files as curve_files
from .fit_results import (
    fit_document as fit_document,
    fit_files as fit_files,
    residual_warnings as residual_warnings,
)
from .model_files import ModelFile as ModelFile, read_model as read_model
from .samples import Sample as Sample
from .sensitivity_results import (
    inference_files as inference_files,
    sensitivity_files as sensitivity_files,
)
from .series_tables import (
    example_path as example_path,
    positions_table as positions_table,
    read_table as read_table,
)
from .spectra_dataset import read_spectra as read_spectra, write_spectra as write_spectra
from .sweep import SpectrumError as SpectrumError
from .writing import OutputError as OutputError, write_files as write_files

InputError = diffdip.foundation.errors.InputError  # the lazy loader reads names of this folder only
