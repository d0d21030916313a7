"""The pair sum in C: compiled here and called with ctypes."""

import ctypes
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np


SOURCE = Path(__file__).with_name("pair_sum.c")
FLAGS = ["-O3", "-march=native", "-ffast-math", "-fopenmp", "-fPIC"]
if platform.machine() in ("x86_64", "AMD64"):
    # by default GCC uses 16 lanes if the processor has them, and their longer rest loops cost more
    FLAGS += ["-mprefer-vector-width=256"]


class PairSum:
    """The compiled C kernel. It takes x, y, z and moments, each float32 of shape (systems, n)."""

    def __init__(self, library: Path):
        self._library = ctypes.CDLL(str(library))

    def __call__(self, sites: tuple[np.ndarray, ...]) -> np.ndarray:
        """The six sums of each system. A single system is shared among the cores by rows."""
        systems, n = sites[0].shape
        sums = np.empty((systems, 6), np.float32)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*sites, sums)]
        if systems == 1:
            self._library.one_system(*pointers[:4], n, pointers[4])
        else:
            self._library.many_systems(*pointers[:4], systems, n, pointers[4])
        return sums


def compile_pair_sum() -> PairSum | None:
    """The kernel, or None without a C compiler that supports OpenMP."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        made, library = Path(folder, "pair_sum.o"), Path(folder, "pair_sum.so")
        # do not link with -ffast-math: GCC would switch subnormals off in the whole process
        compiling = (compiler, *FLAGS, "-c", SOURCE, "-o", made)
        linking = (compiler, "-shared", "-fopenmp", made, "-o", library, "-lm")
        try:
            for command in (compiling, linking):
                subprocess.run(command, check=True, capture_output=True)
            return PairSum(library)
        except (subprocess.CalledProcessError, OSError):
            return None
