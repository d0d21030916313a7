"""How the rest of the program calls the loops of this folder; without numba it does not call them.

Neither this module nor the start of the program imports numba: that takes half a second.
"""

import importlib
import importlib.util
import os
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import jax
import jax.extend.backend
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap


LOOPS = {
    "near_slopes_32": "near_loops",
    "near_slopes_64": "near_loops",
    "near_sums_32": "near_loops",
    "near_sums_64": "near_loops",
    "packings": "packing_loops",
    "pair_sums_32": "pair_loops",
    "pair_sums_64": "pair_loops",
    "planar_fields_32": "planar_loops",
    "planar_fields_64": "planar_loops",
    "resonances": "sphere_loops",
    "second_at_32": "pair_loops",
    "second_at_64": "pair_loops",
    "third_at_32": "pair_loops",
    "third_at_64": "pair_loops",
}
"""The loops, by name, and the modules they are in. A loop has the number of its place here."""

_lock = threading.Lock()


@cache
def available() -> bool:
    """Whether there are loops: whether numba can be imported, and the system has POSIX threads."""
    if sys.platform == "win32" or importlib.util.find_spec("numba") is None:
        return False
    try:
        importlib.import_module("numba")
    except Exception as error:  # one that does not fit to NumPy, for example
        warnings.warn(
            f"numba cannot be imported ({error}), so that sums over pairs, packings and many "
            "resonances are slower",
            RuntimeWarning,
            stacklevel=2,
        )
        return False
    return True


def form(platform: str) -> str:
    """Which form of the sums and choices runs on a platform: "numba" or "jax".

    The two round differently, so results agree to the bit for one form only.
    """
    return "numba" if platform == "cpu" and available() else "jax"


def has_a_loop(dtype: Any) -> bool:
    """Whether loops know such numbers, and JAX keeps them as they are: float64 only with x64."""
    if not jnp.issubdtype(dtype, jnp.floating):
        return True
    kept = jax.dtypes.canonicalize_dtype(dtype) == dtype
    return kept and dtype in (jnp.float32, jnp.float64)


def by_platform(
    native: Callable[..., Any], portable: Callable[..., Any], *operands: Any, usable: bool = True
) -> Any:
    """`native(*operands)` on a CPU and `portable(*operands)` on an accelerator.

    Operands are arrays or pytrees of them. Both must give arrays of the same shapes. If `usable` is
    False, or without numba, `portable` is taken everywhere.
    """
    operands = jax.tree.map(jnp.asarray, operands)
    backends = set(jax.extend.backend.backends())
    known = all(has_a_loop(x.dtype) for x in jax.tree.leaves(operands))
    if not (usable and known and "cpu" in backends and available()):
        return portable(*operands)
    if backends == {"cpu"}:  # do not trace what is not used
        return native(*operands)
    return jax.lax.platform_dependent(*operands, cpu=native, default=portable)


def elementwise(
    native: Callable[..., Any], portable: Callable[..., Any], least: int
) -> Callable[..., Any]:
    """A function of arrays of one shape: `native` on a CPU for `least` places or more.

    Under `vmap` all places count. Results are arrays of the same shape, without derivatives.
    """

    @custom_vmap
    def function(*given: Any) -> Any:
        return by_platform(native, portable, *given, usable=given[0].size >= least)

    @function.def_vmap
    def _(size: int, batched: Sequence[bool], *given: Any) -> tuple[Any, Any]:
        arrays = (
            x if whole else jnp.broadcast_to(x, (size, *x.shape))
            for x, whole in zip(given, batched, strict=True)
        )
        results = function(*arrays)
        return results, jax.tree.map(lambda _: True, results)

    return function


def one_batch(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of rows and of places in each row, for which all axes of `vmap` are in these.

    Other rows make more rows. Other places of the same rows make more places.

    Args:
        function: Of pytrees of arrays. Those of the first one have an axis of rows, the others and
            the result have axes of rows and places.
    """

    @custom_vmap
    def whole(*given: Any) -> Any:
        return function(*given)

    @whole.def_vmap
    def _(size: int, batched: Sequence[Any], *given: Any) -> tuple[Any, Any]:
        (rows, *places), (other_rows, *other_places) = given, batched
        axis = 0 if any(jax.tree.leaves(other_rows)) else 1

        def merged(array: Any, has_axis: bool) -> Any:
            array = array if has_axis else jnp.broadcast_to(array, (size, *array.shape))
            shape = list(array.shape[1:])
            shape[axis] *= size
            return jnp.moveaxis(array, 0, axis).reshape(shape)

        def split(array: Any) -> Any:
            shape = (*array.shape[:axis], size, -1, *array.shape[axis + 1 :])
            return jnp.moveaxis(array.reshape(shape), axis, 0)

        if axis == 0:
            rows = jax.tree.map(merged, rows, other_rows)
        found = whole(rows, *jax.tree.map(merged, places, other_places))
        return jax.tree.map(split, found), jax.tree.map(lambda _: True, found)

    return whole


def call(
    name: str,
    operands: Sequence[Any],
    results: Sequence[tuple[tuple[int, ...], Any]],
    *,
    axes: int,
    tasks: int,
    cost: int,
    numbers: Sequence[int] = (),
) -> Sequence[Any]:
    """Call a loop. Under `vmap` it does all arrays in one call.

    Args:
        name: Of the loop.
        operands: Arrays.
        results: Shape and dtype of each result.
        axes: The axes of the first operand, without those of `vmap`.
        tasks: Tasks of one call without `vmap`.
        cost: About how many ns a task takes.
        numbers: What else the loop has to know.

    Returns:
        The results.
    """
    target = _registered(name)
    row = [list(LOOPS).index(name), _threads(), axes, tasks, cost, *numbers]
    shapes = [jax.ShapeDtypeStruct(shape, dtype) for shape, dtype in results]
    function = jax.ffi.ffi_call(target, shapes, vmap_method="broadcast_all")
    return function(*(jnp.asarray(x) for x in operands), numbers=np.array(row, np.int64))


def _threads() -> int:
    """Threads of one call: the cores, divided among the devices, which may all call at once."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, (cores or 1) // jax.local_device_count("cpu"))


def _registered(name: str) -> str:
    """The name by which XLA knows a loop, which is compiled if necessary."""
    with _lock:
        return _register(name)


@cache
def _register(name: str) -> str:
    module = importlib.import_module(f".{LOOPS[name]}", __package__)
    handler = module.compile_loop(list(LOOPS).index(name), name)
    target = f"diffdip_{name}"
    jax.ffi.register_ffi_target(target, jax.ffi.pycapsule(handler), platform="cpu")
    return target
