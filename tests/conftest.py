"""Every test runs in float64 with strict promotion, and with array shapes checked at each call.

What XLA compiled is kept in `.pytest_cache`, a folder for each worker, also for the processes and
notebooks that tests start, and for the next run.
"""

import os
from pathlib import Path

from jaxtyping import install_import_hook


with install_import_hook("diffdip", "beartype.beartype"):
    import diffdip  # noqa: F401

import jax
import pytest
from hypothesis import settings


WORKER = os.environ.get("PYTEST_XDIST_WORKER", "main")
CACHE = str(Path(__file__).parent.parent / ".pytest_cache" / "jax" / WORKER)
os.environ["JAX_COMPILATION_CACHE_DIR"] = CACHE
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
jax.config.update("jax_compilation_cache_dir", CACHE)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
jax.config.update("jax_numpy_dtype_promotion", "strict")
settings.register_profile("project", deadline=None, derandomize=True, max_examples=25)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def double_precision(request):
    """float64, unless the test is marked `float32`."""
    with jax.enable_x64("float32" not in request.keywords):
        yield
