"""Every test runs in float64 with strict promotion, and with array shapes checked at each call."""

import jax
import pytest
from hypothesis import settings

from tests.helpers import array_shapes


FOLDERS = ("foundation", "numerics", "resonance", "dipoles", "dynamics", "ensembles")
FOLDERS += ("statistics", "sensitivities", "spectra", "fitting", "io", "report")
# stays installed, because a folder is imported when it is first used
array_shapes.install([f"diffdip.{folder}" for folder in FOLDERS])

# A subset of a TrueType font takes a tenth of a second, in several hundred files. The test
# `test_letters_of_a_pdf_are_a_truetype_font` has the style of users.
from diffdip.report.figures.style import STYLE  # noqa: E402


STYLE["pdf.fonttype"] = 3

jax.config.update("jax_numpy_dtype_promotion", "strict")
settings.register_profile("project", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def double_precision(request):
    """float64, unless the test is marked `float32`."""
    with jax.enable_x64("float32" not in request.keywords):
        yield
