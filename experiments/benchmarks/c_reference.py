"""The pair sum in C: compiled here and called with ctypes.

Short vectors suit small systems, and long ones large systems: the rest of a row that fills no
vector is longer for long vectors. So on a processor with vectors of 512 bits the kernel is compiled
for these and for vectors of 256 bits, and each case is compared with the faster of the two.
"""

import ctypes
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np


SOURCE = Path(__file__).with_name("pair_sum.c")
FLAGS = ("-O3", "-march=native", "-ffast-math", "-fopenmp", "-fPIC")
WIDTH = "-mprefer-vector-width="


class PairSum:
    """The compiled C kernel. It takes x, y, z and moments, each float32 of shape (systems, n)."""

    def __init__(self, library: Path, flags: tuple[str, ...]):
        self._library = ctypes.CDLL(str(library))
        self.flags = flags

    @property
    def name(self) -> str:
        """C, with the width of its vectors if that was chosen."""
        widths = [flag.removeprefix(WIDTH) for flag in self.flags if flag.startswith(WIDTH)]
        return f"C, {widths[0]} bits" if widths else "C"

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


def compile_pair_sums() -> list[PairSum]:
    """The kernel for each width of vectors; none without a C compiler that supports OpenMP."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        return []
    try:
        return [_compile(compiler, (*FLAGS, *width)) for width in _widths(compiler)]
    except (subprocess.CalledProcessError, OSError):
        return []


def _widths(compiler: str) -> list[list[str]]:
    """The flags for each width that the processor has, where there is a choice."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return [[]]
    asking = (compiler, "-march=native", "-dM", "-E", "-x", "c", "/dev/null")
    known = subprocess.run(asking, check=True, capture_output=True, text=True).stdout
    return [[f"{WIDTH}{bits}"] for bits in ((256, 512) if "__AVX512F__" in known else (256,))]


def _compile(compiler: str, flags: tuple[str, ...]) -> PairSum:
    with tempfile.TemporaryDirectory() as folder:
        made, library = Path(folder, "pair_sum.o"), Path(folder, "pair_sum.so")
        # do not link with -ffast-math: GCC would switch subnormals off in the whole process
        compiling = (compiler, *flags, "-c", SOURCE, "-o", made)
        linking = (compiler, "-shared", "-fopenmp", made, "-o", library, "-lm")
        for command in (compiling, linking):
            subprocess.run(command, check=True, capture_output=True)
        return PairSum(library, flags)
