"""Calls of loops from XLA when memory runs out."""

import subprocess
import sys

import pytest


LITTLE_MEMORY = """
import resource
import jax, numpy as np
import diffdip as dd

model = dd.NanocrystalPacking(100_000)
key = jax.random.key(0)
choose = jax.jit(lambda key: model.choose(key)).lower(key).compile()
jax.block_until_ready(jax.jit(lambda key: dd.NanocrystalPacking(3).choose(key))(key))
at_start = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
for extra in (30, 45, 60, 75, 90, 110, 1000):
    resource.setrlimit(resource.RLIMIT_AS, (at_start + extra * 2**20, -1))
    try:
        choices = jax.block_until_ready(choose(key))
        print("found", np.asarray(choices.growth.first, float).tolist())
    except Exception as error:
        print(str(error).splitlines()[0])
"""


@pytest.mark.slow
@pytest.mark.skipif(
    sys.platform != "linux", reason="the memory of a process is limited as on Linux"
)
def test_a_loop_without_memory_is_an_error_and_no_result():
    done = subprocess.run(
        [sys.executable, "-c", LITTLE_MEMORY], capture_output=True, text=True, check=True
    )
    *others, last = done.stdout.splitlines()
    assert last.startswith("found")
    assert any("not enough memory: compute less" in line for line in others)
    assert {line for line in others if line.startswith("found")} <= {last}
