"""Calls from XLA into loops that numba has compiled, on the CPU.

A call has arrays as operands and results, and a row of whole numbers. Its loop is divided into
*tasks* that can run in any order: each writes its own part of the results. Threads share the tasks.
They are started and joined within the call, and two calls share nothing. So calls from several
threads, devices or processes do not disturb each other, and no call waits for Python.

XLA describes a call in a struct (`XLA_FFI_CallFrame`). Its places are those of major version 0 of
the interface, where fields are never moved: see xla/ffi/api/c_api.h in `jax.ffi.include_dir()`.

A loop that runs out of memory ends before its last task. The call then fails with an error of XLA.

Compilation by numba takes seconds, and is paid once: the result is stored beside this file, or in
the user's folder for caches. Small steps are written as LLVM instructions (`intrinsic`), because
numba takes a quarter of a second for any function, however small.
"""

import ctypes
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import carray, cfunc, njit, types  # type: ignore
from numba.core import cgutils
from numba.extending import intrinsic


# of XLA_FFI_CallFrame
_EXTENSION, _API, _STAGE, _OPERANDS, _RESULTS, _ATTRIBUTES = 8, 16, 32, 72, 112, 160
# of XLA_FFI_Api
_ERROR_CREATE = 48
# of a metadata extension: the type is 1
_KIND, _METADATA, _VERSION = 8, 24, 24
# of XLA_FFI_Buffer
_TYPE, _DATA, _RANK, _DIMS = 16, 24, 32, 40
# of XLA_FFI_Array
_NUMBERS = 16

_EXECUTE, _DOUBLE, _RESOURCE_EXHAUSTED = 3, 12, 8

LOOP, THREADS, AXES, TASKS, COST, OWN = range(6)
"""The first whole numbers of a call: its loop; the threads; the axes of one array of the first
operand; the tasks for one; about how many ns a task takes; and where those of the loop begin."""

_WORTH = 200_000
"""Work in ns for which it is worth while to start a thread."""

_STATE = 4
"""Numbers that threads share: the next task, the number of tasks, the call, and how many threads
found no task left."""

_MOST_THREADS = 256

_MOST_LOOPS = 16
_loops = (ctypes.c_void_p * _MOST_LOOPS)()
llvmlite.binding.add_symbol("diffdip_loops", ctypes.addressof(_loops))

_create = types.ExternalFunction(
    "pthread_create", types.int32(types.intp, types.intp, types.intp, types.intp)
)
_join = types.ExternalFunction("pthread_join", types.int32(types.intp, types.intp))

WORD = cgutils.intp_t


# instructions; addresses and whole numbers have 64 bits


def _one(result: Any) -> Callable[..., Any]:
    """A decorator: the function writes the instructions for one whole number."""

    def make(write: Callable[..., Any]) -> Any:
        def typing(_, a):
            return result(types.intp), lambda c, builder, s, values: write(builder, *values)

        return intrinsic(typing)

    return make


def _two(result: Any, value: Any = types.intp) -> Callable[..., Any]:
    """The same for a whole number and a value."""

    def make(write: Callable[..., Any]) -> Any:
        def typing(_, a, b):
            return result(types.intp, value), lambda c, builder, s, values: write(builder, *values)

        return intrinsic(typing)

    return make


def _at(builder: Any, address: Any, kind: Any = WORD) -> Any:
    """What is stored at an address."""
    return builder.load(builder.inttoptr(address, kind.as_pointer()))


def _plus(builder: Any, address: Any, offset: int) -> Any:
    return builder.add(address, WORD(offset))


def _put(builder: Any, address: Any, value: Any) -> Any:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer()))
    return cgutils.voidptr_t(None)


@_one(types.intp)
def word(builder, address):
    """The number at an address."""
    return _at(builder, address)


@_one(types.intp)
def _half(builder, address):
    return builder.zext(_at(builder, address, ir.IntType(32)), WORD)


@_one(types.voidptr)
def pointer(builder, address):
    """An address as a pointer."""
    return builder.inttoptr(address, cgutils.voidptr_t)


@_one(types.uint32)
def read_bits(builder, address):
    """The 32 bits at an address."""
    return _at(builder, address, ir.IntType(32))


@_one(types.float32)
def read_single(builder, address):
    """The float32 at an address."""
    return _at(builder, address, ir.FloatType())


@_one(types.float64)
def read_double(builder, address):
    """The float64 at an address."""
    return _at(builder, address, ir.DoubleType())


write_word = _two(types.voidptr)(_put)
write_half = _two(types.voidptr, types.int32)(_put)
write_byte = _two(types.voidptr, types.uint8)(_put)
write_single = _two(types.voidptr, types.float32)(_put)
write_double = _two(types.voidptr, types.float64)(_put)


@_one(types.intp)
def _take(builder, address):
    """The number at an address, which goes up by one; no two threads get the same."""
    place = builder.inttoptr(address, WORD.as_pointer())
    return builder.atomic_rmw("add", place, WORD(1), "monotonic")


def _of_list(builder: Any, frame: Any, where: int, index: Any) -> Any:
    """The address of a description in one of the lists of a call."""
    first = _at(builder, _plus(builder, frame, where))
    return _at(builder, builder.add(first, builder.mul(index, WORD(8))))


@_two(types.intp)
def operand(builder, frame, index):
    """An operand: the address of its description."""
    return _of_list(builder, frame, _OPERANDS, index)


@_two(types.intp)
def result(builder, frame, index):
    """A result: the address of its description."""
    return _of_list(builder, frame, _RESULTS, index)


@_two(types.intp)
def number(builder, frame, index):
    """One of the whole numbers of the call."""
    array = _of_list(builder, frame, _ATTRIBUTES, WORD(0))
    numbers = _at(builder, _plus(builder, array, _NUMBERS))
    return _at(builder, builder.add(numbers, builder.mul(index, WORD(8))))


@_one(types.intp)
def data(builder, buffer):
    """The address of the numbers of an operand or a result."""
    return _at(builder, _plus(builder, buffer, _DATA))


@njit
def values(buffer, size, dtype):
    """The first numbers of an operand or a result, as an array."""
    return carray(pointer(data(buffer)), (size,), dtype)


@_one(types.boolean)
def is_double(builder, buffer):
    """Whether the numbers have 64 bits; otherwise they have 32."""
    kind = _at(builder, _plus(builder, buffer, _TYPE), ir.IntType(32))
    return builder.icmp_signed("==", kind, ir.IntType(32)(_DOUBLE))


@_two(types.intp)
def length(builder, buffer, axis):
    """The length of an axis, counted from the last one as −1."""
    rank = _at(builder, _plus(builder, buffer, _RANK))
    lengths = _at(builder, _plus(builder, buffer, _DIMS))
    return _at(builder, builder.add(lengths, builder.mul(builder.add(rank, axis), WORD(8))))


_THREAD = ir.FunctionType(ir.VoidType(), [WORD])


@_one(types.intp)
def _loop(builder, index):
    """The address of a loop, in a table that every process fills for itself."""
    module = builder.module
    table = module.globals.get("diffdip_loops")
    if table is None:
        table = ir.GlobalVariable(module, ir.ArrayType(WORD, _MOST_LOOPS), "diffdip_loops")
    return builder.load(builder.gep(table, [WORD(0), index]))


@_two(types.voidptr)
def _run(builder, loop, state):
    builder.call(builder.inttoptr(loop, _THREAD.as_pointer()), [state])
    return cgutils.voidptr_t(None)


@intrinsic
def _place_for_state(_):
    """The address of a place for the state and the threads of a call, on the stack."""

    def write(context, builder, signature, values):
        place = cgutils.alloca_once(builder, WORD, size=WORD(_STATE + _MOST_THREADS))
        return builder.ptrtoint(place, WORD)

    return types.intp(), write


@_one(types.intp)
def _out_of_memory(builder, frame):
    """An error of XLA: the address of its description."""
    text = cgutils.make_bytearray(b"there is not enough memory: compute less at once\0")
    text = cgutils.global_constant(builder, "diffdip_out_of_memory", text)
    parts = [WORD(32), WORD(0), builder.ptrtoint(text, WORD), WORD(_RESOURCE_EXHAUSTED)]
    arguments = builder.ptrtoint(cgutils.alloca_once(builder, WORD, size=WORD(len(parts))), WORD)
    for k, part in enumerate(parts):
        _put(builder, _plus(builder, arguments, 8 * k), part)
    create = _at(builder, _plus(builder, _at(builder, _plus(builder, frame, _API)), _ERROR_CREATE))
    kind = ir.FunctionType(WORD, [WORD])
    return builder.call(builder.inttoptr(create, kind.as_pointer()), [arguments])


# the call


@njit
def next_task(state):
    """The next task that no thread has taken, or −1 after the last one; call it until then."""
    task = _take(state)
    if task < word(state + 8):
        return task
    _take(state + 24)
    return -1


@_one(types.intp)
def call_of(builder, state):
    """The call that the tasks belong to: what XLA handed over."""
    return _at(builder, _plus(builder, state, 16))


# compilation


def _stored(function: Any, signature: str) -> Any:
    """Compile a function for C, and store the result where numba finds a place for it.

    The function has a variable from outside, `stamp`, so that numba takes a stored result only if
    no file of this folder has changed.
    """
    try:
        return cfunc(signature, cache=True, error_model="numpy")(function)
    except Exception:  # no folder that can be written, a full disk, a damaged file of before
        return cfunc(signature, error_model="numpy")(function)


def _stamp() -> int:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return zlib.crc32(b"".join(file.read_bytes() for file in files))


STAMP = _stamp()


def compiled_loop(make: Callable[[int], Any], index: int) -> Any:
    """Compile the function that `make(STAMP)` returns, and make it the loop of this number.

    The function gets the address of a state, for `call_of` and `next_task`. Returns what XLA calls.
    """
    function = _stored(make(STAMP), "void(intp)")
    _kept.append(function)
    _loops[index] = function.address
    return _handler().ctypes


@lru_cache(maxsize=1)
def _handler() -> Any:
    return _stored(_make_handle(STAMP), "intp(intp)")


def _make_handle(stamp: int) -> Any:
    def handle(frame):
        """What XLA calls."""
        extension = word(frame + _EXTENSION)
        if extension != 0 and _half(extension + _KIND) == 1:  # it asks for the version: 0.1
            write_word(word(extension + _METADATA) + _VERSION, 1 << 32)
            return 0
        if _half(frame + _STAGE) != _EXECUTE or stamp < 0:
            return 0
        first = operand(frame, 0)
        tasks = number(frame, TASKS)
        for axis in range(word(first + _RANK) - number(frame, AXES)):
            tasks *= word(word(first + _DIMS) + 8 * axis)
        threads = min(number(frame, THREADS), tasks, tasks * number(frame, COST) // _WORTH + 1)
        threads = min(threads, _MOST_THREADS)
        loop = _loop(number(frame, LOOP))
        state = _place_for_state()  # type: ignore
        write_word(state, 0)
        write_word(state + 8, tasks)
        write_word(state + 16, frame)
        write_word(state + 24, 0)
        started = 0  # a thread that cannot be started leaves its tasks to the others
        for _ in range(threads - 1):
            started += _create(state + 8 * (_STATE + started), 0, loop, state) == 0
        _run(loop, state)
        for k in range(started):
            _join(word(state + 8 * (_STATE + k)), 0)
        # a loop that raised an exception, for want of memory, did not come to the end
        return 0 if word(state + 24) == started + 1 else _out_of_memory(frame)

    return handle


_kept: list[Any] = []
