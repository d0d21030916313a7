from . import io as io
from .dipoles import magnetometry as magnetometry
from .dipoles.dipole_system import DipoleSummary as DipoleSummary, DipoleSystem as DipoleSystem
from .dipoles.pair_ranking import DominantPairs as DominantPairs, dominant_pairs as dominant_pairs
from .dipoles.tensor_projection import (
    TensorProjection as TensorProjection,
    project_tensor as project_tensor,
)
from .dynamics.equilibria import Equilibrium as Equilibrium, equilibrium as equilibrium
from .dynamics.field_sweeps import (
    FieldSweep as FieldSweep,
    UniformResonance as UniformResonance,
    absorption_sweep as absorption_sweep,
    uniform_resonance as uniform_resonance,
)
from .dynamics.moments import Moments as Moments, decaying_exchange as decaying_exchange
from .dynamics.spin_waves import (
    SpinWaves as SpinWaves,
    absorption as absorption,
    spin_waves as spin_waves,
)
from .ensembles.containers import Box as Box, Cylinder as Cylinder, Sphere as Sphere
from .ensembles.lattices import lattice as lattice
from .ensembles.models import (
    AbstractModel as AbstractModel,
    UniformBox as UniformBox,
    UniformCylinder as UniformCylinder,
    UniformSphere as UniformSphere,
)
from .ensembles.nanocrystal_packing import NanocrystalPacking as NanocrystalPacking
from .ensembles.simulation import Ensemble as Ensemble, simulate as simulate
from .fitting.anisotropy_models import (
    FullTensorModel as FullTensorModel,
    InPlaneModel as InPlaneModel,
)
from .fitting.fit_result import FitResult as FitResult
from .fitting.loss_fit import LossFit as LossFit, fit_loss as fit_loss
from .fitting.parameters import Free as Free
from .fitting.posterior import Posterior as Posterior, sample_posterior as sample_posterior
from .fitting.series import Series as Series
from .fitting.series_fit import (
    ManyFits as ManyFits,
    fit_joint as fit_joint,
    fit_many as fit_many,
    fit_series as fit_series,
)
from .fitting.spectra_fit import SpectraFit as SpectraFit, fit_spectra as fit_spectra
from .fitting.suggestion import Suggestion as Suggestion, suggest_terms as suggest_terms
from .fitting.term_models import TermsModel as TermsModel
from .fitting.width_fit import (
    WidthFit as WidthFit,
    fit_widths as fit_widths,
    fit_widths_of as fit_widths_of,
)
from .foundation.convention import PAPER as PAPER, PHYSICAL as PHYSICAL, Convention as Convention
from .foundation.version import __version__ as __version__
from .report.analysis import Analysis as Analysis, analyze as analyze
from .report.choices import Choices as Choices
from .resonance.branches import Branches as Branches
from .resonance.crystal_directions import (
    crystal_axes as crystal_axes,
    crystal_direction as crystal_direction,
    crystal_plane as crystal_plane,
)
from .resonance.crystal_terms import (
    CubicAnisotropy as CubicAnisotropy,
    InPlaneAnisotropy as InPlaneAnisotropy,
    SecondOrderCubic as SecondOrderCubic,
    SecondOrderUniaxial as SecondOrderUniaxial,
)
from .resonance.energy_terms import (
    AbstractEnergy as AbstractEnergy,
    AbstractTensorEnergy as AbstractTensorEnergy,
    AnisotropyFields as AnisotropyFields,
    EnergySum as EnergySum,
    StandingSpinWave as StandingSpinWave,
    TensorAnisotropy as TensorAnisotropy,
    ThinFilm as ThinFilm,
    UniaxialAnisotropy as UniaxialAnisotropy,
)
from .resonance.fields import (
    larmor_field as larmor_field,
    resonance_branches as resonance_branches,
    resonance_branches_along as resonance_branches_along,
    resonance_field as resonance_field,
    resonance_field_along as resonance_field_along,
)
from .resonance.frequencies import (
    resonance_frequency as resonance_frequency,
    resonance_frequency_along as resonance_frequency_along,
)
from .resonance.line_widths import line_width as line_width, width_slopes as width_slopes
from .resonance.planes import plane_directions as plane_directions
from .resonance.smit_suhl import (
    equilibrium_condition as equilibrium_condition,
    resonance_condition as resonance_condition,
)
from .sensitivities.dipole_influence import Influence as Influence, influence as influence
from .sensitivities.inference import infer as infer
from .sensitivities.inference_result import Inference as Inference, Inferred as Inferred
from .sensitivities.observables import (
    AbstractObservable as AbstractObservable,
    AbstractStatistic as AbstractStatistic,
    Amplitude as Amplitude,
    CauchyWidth as CauchyWidth,
    Component as Component,
    GeometricMean as GeometricMean,
    Magnitude as Magnitude,
    Quantile as Quantile,
    TailFraction as TailFraction,
)
from .sensitivities.sensitivity_table import (
    Sensitivity as Sensitivity,
    SensitivityTable as SensitivityTable,
    sensitivity as sensitivity,
)
from .spectra.line_fits import LineFit as LineFit, fit_line as fit_line
from .spectra.line_reading import zero_crossing as zero_crossing
from .spectra.lines import (
    LineError as LineError,
    Lines as Lines,
    Preparation as Preparation,
    find_lines as find_lines,
)
from .spectra.positions import (
    LinePositions as LinePositions,
    line_positions as line_positions,
)
from .spectra.synthetic_sweeps import (
    SweptLine as SweptLine,
    swept_line as swept_line,
    swept_spectra as swept_spectra,
)
from .statistics.cauchy import (
    CauchyLaw as CauchyLaw,
    cauchy_law as cauchy_law,
    fit_cauchy as fit_cauchy,
)
from .statistics.close_pairs import PairDensity as PairDensity, pair_density as pair_density
from .statistics.comparisons import (
    compare_measured as compare_measured,
    same_distribution as same_distribution,
)
from .statistics.heavy_tails import (
    log_histogram as log_histogram,
    quantiles as quantiles,
    tail_index as tail_index,
)
from .statistics.levy import LevyLaw as LevyLaw, levy_law as levy_law
