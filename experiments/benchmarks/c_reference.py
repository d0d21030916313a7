"""The pair sum in C, compiled on the spot and called by ctypes."""

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
    # left to itself GCC takes 16 lanes where there are, and their longer rest loops cost more
    FLAGS += ["-mprefer-vector-width=256"]


class PairSum:
    """The compiled C kernel, which takes x, y, z and moments as float32 (systems, n) each."""

    def __init__(self, library: Path):
        self._library = ctypes.CDLL(str(library))

    def __call__(self, sites: tuple[np.ndarray, ...]) -> np.ndarray:
        """The six sums of each system; one system has its rows shared among the cores."""
        systems, n = sites[0].shape
        sums = np.empty((systems, 6), np.float32)
        pointers = [ctypes.c_void_p(array.ctypes.data) for array in (*sites, sums)]
        if systems == 1:
            self._library.one_system(*pointers[:4], n, pointers[4])
        else:
            self._library.many_systems(*pointers[:4], systems, n, pointers[4])
        return sums


def compile_pair_sum() -> PairSum | None:
    """The kernel, None without a C compiler that knows OpenMP."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        made, library = Path(folder, "pair_sum.o"), Path(folder, "pair_sum.so")
        # linked with -ffast-math, GCC's library would switch subnormals off in the whole process
        compiling = (compiler, *FLAGS, "-c", SOURCE, "-o", made)
        linking = (compiler, "-shared", "-fopenmp", made, "-o", library, "-lm")
        try:
            for command in (compiling, linking):
                subprocess.run(command, check=True, capture_output=True)
            return PairSum(library)
        except (subprocess.CalledProcessError, OSError):
            return None
