"""Every test runs in float64 with strict promotion, and with array shapes checked at each call."""

from jaxtyping import install_import_hook


with install_import_hook("diffdip", "beartype.beartype"):
    import diffdip  # noqa: F401

import jax
import pytest
from hypothesis import settings


jax.config.update("jax_numpy_dtype_promotion", "strict")
settings.register_profile("project", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def double_precision(request):
    """float64, unless the test is marked `float32`."""
    with jax.enable_x64("float32" not in request.keywords):
        yield
