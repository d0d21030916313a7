from .curves import figure_curve as figure_curve
from .ensembles import figure_ensemble as figure_ensemble
from .fits import (
    draw_fit as draw_fit,
    figure_correlation as figure_correlation,
    figure_fit as figure_fit,
)
from .sensitivities import (
    draw_distributions as draw_distributions,
    draw_sensitivity as draw_sensitivity,
    figure_inference as figure_inference,
    figure_sensitivity as figure_sensitivity,
)
from .spectra import figure_map as figure_map, figure_spectra as figure_spectra
from .style import (
    BLUE as BLUE,
    GRAY as GRAY,
    GREEN as GREEN,
    ONE_COLUMN as ONE_COLUMN,
    ORANGE as ORANGE,
    STYLE as STYLE,
    TWO_COLUMNS as TWO_COLUMNS,
    VERMILLION as VERMILLION,
    angle_axis as angle_axis,
    figure_bytes as figure_bytes,
)
from .widths import figure_widths as figure_widths
