"""Vectors written as LLVM instructions, one lane for each place.

So the speed of a loop does not depend on which loops a version of a compiler turns into vectors.
"""

from functools import reduce
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core.registry import cpu_target

from . import native_calls as native


FREE = ("nsz", "arcp", "contract", "afn")
"""For 1/√ only, which becomes an estimate and a step of Newton's method. All other operations are
exactly those written, whatever is around them."""


def _vector_bytes() -> int:
    """64 with AVX-512, as far as numba knows, else 32."""
    _, _, features = cpu_target.target_context.codegen().magic_tuple()  # type: ignore
    return 64 if "+avx512f" in features else 32


VECTOR_BYTES = _vector_bytes()


class Vectors:
    """Writes instructions for all lanes of a vector."""

    def __init__(self, builder: Any, dtype: Any):
        self.builder = builder
        self._bits = dtype.bitwidth
        self.lanes = 8 * VECTOR_BYTES // self._bits
        self.real = self.of(ir.FloatType() if self._bits == 32 else ir.DoubleType())
        self.double = self.of(ir.DoubleType())

    def of(self, kind: Any) -> Any:
        """The type of a vector."""
        return ir.VectorType(kind, self.lanes)

    def constant(self, value: float) -> Any:
        return self.real([value] * self.lanes)

    def variable(self, value: float) -> Any:
        place = cgutils.alloca_once(self.builder, self.real)
        self.builder.store(self.constant(value), place)
        return place

    def spread(self, value: Any) -> Any:
        """One number in all lanes."""
        kind, index = self.of(value.type), ir.IntType(32)
        nothing = kind(ir.Undefined)
        first = self.builder.insert_element(nothing, value, index(0))
        return self.builder.shuffle_vector(first, nothing, self.of(index)(None))

    def load(self, pointer: Any, kind: Any) -> Any:
        return self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()), align=4)

    def store(self, value: Any, pointer: Any) -> None:
        place = self.builder.bitcast(pointer, value.type.as_pointer())
        self.builder.store(value, place, align=4)

    def widened(self, value: Any) -> Any:
        return value if self._bits == 64 else self.builder.fpext(value, self.double)

    def product(self, *factors: Any) -> Any:
        return reduce(self.builder.fmul, factors)

    def sum(self, a: Any, b: Any) -> Any:
        return self.builder.fadd(a, b)

    def plus(self, a: Any, b: Any, c: Any) -> Any:
        """a b + c, rounded once if the processor can."""
        return self._call("fmuladd", a, b, c)

    def inverse_root(self, value: Any) -> Any:
        root = self._call("sqrt", value, fastmath=FREE)
        return self.builder.fdiv(self.constant(1), root, flags=FREE)

    def smaller(self, a: Any, b: Any) -> Any:
        """The smaller of two; b if a is NaN."""
        return self.builder.select(self.builder.fcmp_ordered("<", a, b), a, b)

    def _call(self, name: str, *operands: Any, fastmath: Any = ()) -> Any:
        kind = ir.FunctionType(operands[0].type, [x.type for x in operands])
        name = f"llvm.{name}.v{self.lanes}f{self._bits}"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, operands, fastmath=fastmath)

    def root(self, value: Any) -> Any:
        return self._call("sqrt", value)


class Lanes:
    """A value in all lanes, with the arithmetic of numbers: each operation is an instruction.

    A product and a sum may be rounded once, if the processor can. A lane does not depend on others.
    """

    def __init__(self, vectors: Vectors, value: Any):
        self.vectors, self.value = vectors, value

    def _do(self, name: str, other: Any, turned: bool = False) -> "Lanes":
        if not isinstance(other, Lanes):
            other = Lanes(self.vectors, self.vectors.constant(other))
        a, b = (other, self) if turned else (self, other)
        do = getattr(self.vectors.builder, name)
        return Lanes(self.vectors, do(a.value, b.value, flags=("contract",)))

    def __add__(self, other: Any) -> "Lanes":
        return self._do("fadd", other)

    def __sub__(self, other: Any) -> "Lanes":
        return self._do("fsub", other)

    def __rsub__(self, other: Any) -> "Lanes":
        return self._do("fsub", other, turned=True)

    def __mul__(self, other: Any) -> "Lanes":
        return self._do("fmul", other)

    def __truediv__(self, other: Any) -> "Lanes":
        return self._do("fdiv", other)

    def __rtruediv__(self, other: Any) -> "Lanes":
        return self._do("fdiv", other, turned=True)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> "Lanes":
        return self * -1.0

    def root(self) -> "Lanes":
        return Lanes(self.vectors, self.vectors.root(self.value))

    def is_(self, relation: str, other: Any) -> Any:
        """A comparison, for `select`; false for NaN."""
        if not isinstance(other, Lanes):
            other = Lanes(self.vectors, self.vectors.constant(other))
        return self.vectors.builder.fcmp_ordered(relation, self.value, other.value)

    def select(self, condition: Any, other: "Lanes") -> "Lanes":
        """This value where a condition holds, else another one."""
        value = self.vectors.builder.select(condition, self.value, other.value)
        return Lanes(self.vectors, value)


def rows_of(context: Any, builder: Any, kind: Any, value: Any, count: int) -> list[Any]:
    """Where the first rows of an array begin.

    Addresses are computed as integers: with `getelementptr`, 20 dipoles take a third longer.
    """
    array = context.make_array(kind)(context, builder, value)
    row, _ = cgutils.unpack_tuple(builder, array.strides)
    begin = builder.ptrtoint(array.data, native.WORD)
    places = [builder.add(begin, builder.mul(row, native.WORD(q))) for q in range(count)]
    return [builder.inttoptr(place, array.data.type) for place in places]
