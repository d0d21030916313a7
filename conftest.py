"""What the processes of the tests share: compiled programs, and the cores."""

import atexit
import ctypes
import gc
import os
import shutil
import sys
import tempfile
from pathlib import Path


if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # for this run only; workers and commands that tests start inherit it
    folder = tempfile.mkdtemp(prefix="diffdip-compiled-")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    # all of them: one from a file takes 2 ms, and the smallest that is compiled takes 15 ms
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    atexit.register(shutil.rmtree, folder, ignore_errors=True)

# the workers use all cores: a small product of matrices would wait for threads of its own
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import jax


# Most tests run a program once or twice: less work for the compiler saves more than slower code
# costs. Notebooks and commands of their own processes are compiled as for users.
if "JAX_DISABLE_MOST_OPTIMIZATIONS" not in os.environ:
    jax.config.update("jax_disable_most_optimizations", True)

# JAX makes many objects that stay (see `diffdip.cli.main`). A file that a cycle keeps open fails a
# later test than the one that opened it.
gc.set_threshold(1_000_000)

LIMIT = 2.5 * 2**30
"""Bytes of memory beyond which a worker drops what JAX has compiled. Below it programs are kept,
because several modules share them."""


def pytest_runtest_teardown(item, nextitem):
    if nextitem is not None and nextitem.path == item.path:
        return
    if resident_bytes() > LIMIT:
        jax.clear_caches()
        gc.collect()
        if sys.platform == "linux":  # glibc keeps freed memory for itself unless it is asked
            trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
            if trim is not None:
                trim(0)


def resident_bytes() -> float:
    """Memory of this process, or infinity on systems that do not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return float("inf")
    return pages * 4096.0
