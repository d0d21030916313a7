"""diffdip: the differentiable way to understand magnetic anisotropy made by dipoles."""

from . import magnetometry as magnetometry
from .analysis import Analysis as Analysis, analyze as analyze
from .cauchy import (
    CauchyLaw as CauchyLaw,
    cauchy_law as cauchy_law,
    fit_cauchy as fit_cauchy,
)
from .containers import Box as Box, Cylinder as Cylinder, Sphere as Sphere
from .convention import PAPER as PAPER, PHYSICAL as PHYSICAL, Convention as Convention
from .crystals import (
    AbstractModel as AbstractModel,
    NanocrystalPacking as NanocrystalPacking,
    UniformBox as UniformBox,
    UniformCylinder as UniformCylinder,
    UniformSphere as UniformSphere,
)
from .dipoles import DipoleSummary as DipoleSummary, DipoleSystem as DipoleSystem
from .direct_fit import SpectraFit as SpectraFit, fit_spectra as fit_spectra
from .dominant import DominantPairs as DominantPairs, dominant_pairs as dominant_pairs
from .energy import (
    AbstractEnergy as AbstractEnergy,
    AbstractTensorEnergy as AbstractTensorEnergy,
    AnisotropyFields as AnisotropyFields,
    CubicAnisotropy as CubicAnisotropy,
    EnergySum as EnergySum,
    TensorAnisotropy as TensorAnisotropy,
    ThinFilm as ThinFilm,
    UniaxialAnisotropy as UniaxialAnisotropy,
)
from .ensemble import Ensemble as Ensemble, simulate as simulate
from .fit import (
    FitResult as FitResult,
    ManyFits as ManyFits,
    fit_joint as fit_joint,
    fit_many as fit_many,
    fit_series as fit_series,
)
from .infer import Inference as Inference, Inferred as Inferred, infer as infer
from .influence import Influence as Influence, influence as influence
from .io.choices import Choices as Choices
from .lattice import lattice as lattice
from .levy import LevyLaw as LevyLaw, levy_law as levy_law
from .line_positions import (
    LinePositions as LinePositions,
    line_positions as line_positions,
)
from .line_reading import zero_crossing as zero_crossing
from .line_shapes import LineFit as LineFit, fit_line as fit_line
from .loss import LossFit as LossFit, fit_loss as fit_loss
from .observable import (
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
from .pair_density import PairDensity as PairDensity, pair_density as pair_density
from .parameters import Free as Free
from .posterior import Posterior as Posterior, sample_posterior as sample_posterior
from .problem import (
    FullTensorModel as FullTensorModel,
    InPlaneModel as InPlaneModel,
    Series as Series,
)
from .resonance import (
    Branches as Branches,
    larmor_field as larmor_field,
    plane_directions as plane_directions,
    resonance_branches as resonance_branches,
    resonance_branches_along as resonance_branches_along,
    resonance_field as resonance_field,
    resonance_field_along as resonance_field_along,
)
from .sensitivity import (
    Sensitivity as Sensitivity,
    SensitivityTable as SensitivityTable,
    sensitivity as sensitivity,
)
from .smit_suhl import (
    equilibrium_condition as equilibrium_condition,
    resonance_condition as resonance_condition,
)
from .spectrum import (
    LineError as LineError,
    Lines as Lines,
    Preparation as Preparation,
    find_lines as find_lines,
)
from .statistics import (
    compare_measured as compare_measured,
    log_histogram as log_histogram,
    quantiles as quantiles,
    same_distribution as same_distribution,
    tail_index as tail_index,
)
from .swept import SweptLine as SweptLine, swept_line as swept_line, swept_spectra as swept_spectra
from .tensor import TensorProjection as TensorProjection, project_tensor as project_tensor


__version__ = "0.1.0"
