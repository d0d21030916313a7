"""Steps on the sphere of directions of M, for polynomial energies, as instructions for vectors.

Each step reads and writes rows of a table, whose columns are lanes: places with the same energy.
The formulas are those of `resonance.field_of_magnetization`, `resonance_equations` and `stability`,
with the slopes of h∥ in closed form.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from .lanes import Lanes, Vectors, rows_of
from .native_calls import WORD
from .polynomials import EVEN, ODD, PLACES, exponents
from .search_limits import LARGEST_STEP


U, ALONG, LARMOR, FIELD, EXISTS = 0, 3, 6, 7, 8
DEPTH, APPLIED, LOWEST, LOWEST_DEPTH, AT = 9, 10, 13, 16, 17
ROWS = 18
"""Rows of the table: u, ĥ and w0; Hres, and 1 where it is a resonance; e(u) − u·H; Hres ĥ; the
lowest direction of M that was found, its depth, and the vertex of the mesh where its search began.
Vectors have three rows."""

TORQUE, OFFSET, SPREAD = 0, 3, 4
TERMS = 5
"""Rows of a table of `FieldTerms`."""

EXCHANGE = len(PLACES)
COEFFICIENTS = EXCHANGE + 1
"""Numbers that describe an energy: its coefficients, and the H_ex of a standing spin wave."""

TOGETHER = 8
"""Vertices that are compared in one step. Their number is a multiple of it."""

Vector = Sequence[Lanes]
Matrix = Sequence[Vector]

_AXES = range(3)


def _dot(a: Vector, b: Vector) -> Lanes:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _cross(a: Vector, b: Vector) -> Vector:
    minor = lambda i, j: a[i] * b[j] - a[j] * b[i]
    return minor(1, 2), minor(2, 0), minor(0, 1)


def _times(matrix: Matrix, vector: Vector) -> Vector:
    return [_dot(row, vector) for row in matrix]


def _solved(rows: Matrix, right: Vector) -> Vector:
    """By Cramer's rule; a determinant of 0 is replaced by 1."""
    columns = list(zip(*rows, strict=True))
    adjugate = [_cross(columns[1], columns[2]), _cross(columns[2], columns[0])]
    adjugate.append(_cross(columns[0], columns[1]))
    determinant = _dot(columns[0], adjugate[0])
    one = determinant * 0.0 + 1.0
    inverse = 1.0 / one.select(determinant.is_("==", 0.0), determinant)
    return [inverse * part for part in _times(adjugate, right)]


def _unit(vector: Vector) -> Vector:
    size = 1.0 / _dot(vector, vector).root()
    return [size * part for part in vector]


class _Polynomial:
    """e(u) with its derivatives, in tesla."""

    def __init__(self, vectors: Vectors, coefficients: Any, u: Vector):
        builder = vectors.builder
        number = lambda place: builder.load(builder.gep(coefficients, [WORD(place)]))
        self._coefficient = lambda place: Lanes(vectors, vectors.spread(number(place)))
        parts = self._part(u, EVEN)
        # most energies have no odd part
        kept = [cgutils.alloca_once_value(builder, part.value) for part in parts]
        odd = ir.Constant(ir.IntType(1), 0)
        for alpha in exponents(ODD):
            there = builder.fcmp_unordered("!=", number(PLACES[alpha]), ir.DoubleType()(0.0))
            odd = builder.or_(odd, there)
        with builder.if_then(odd):
            for place, part, more in zip(kept, parts, self._part(u, ODD), strict=True):
                builder.store((part + more).value, place)
        values = [Lanes(vectors, builder.load(place)) for place in kept]
        self.value, self.gradient = values[0], values[1:4]
        self.hessian, self.turned = _matrix(values[4:10]), _matrix(values[10:16])
        self.third = dict(zip(exponents(3), values[16:], strict=True))

    def _part(self, u: Vector, degree: int) -> list[Lanes]:
        """Value, gradient, Hessian, third derivatives times u, third derivatives.

        Those of lower order follow from those of higher order by Euler's theorem.
        """
        third = {}
        monomials = _scaled_monomials(u, degree - 3)
        for beta in exponents(3):
            terms = (self._coefficient(PLACES[_plus(beta, m)]) * w for m, w in monomials.items())
            third[beta] = _total(terms)
        along = lambda i, j: _total(third[_times_of(i, j, k)] * u[k] for k in _AXES)
        turned = [along(i, j) for i, j in _PAIRS]
        hessian = [part * (1 / (degree - 2)) for part in turned]
        gradient = [part * (1 / (degree - 1)) for part in _times(_matrix(hessian), u)]
        value = _dot(gradient, u) * (1 / degree)
        return [value, *gradient, *hessian, *turned, *third.values()]


def _total(terms: Any) -> Lanes:
    first, *others = terms
    for term in others:
        first = first + term
    return first


def _plus(a: Any, b: Any) -> Any:
    return tuple(p + q for p, q in zip(a, b, strict=True))


def _times_of(*axes: int) -> Any:
    """How often each axis occurs."""
    return tuple(axes.count(axis) for axis in _AXES)


_PAIRS = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]


def _matrix(values: Sequence[Lanes]) -> Matrix:
    """A symmetric matrix from its elements at `_PAIRS`."""
    xx, xy, xz, yy, yz, zz = values
    return (xx, xy, xz), (xy, yy, yz), (xz, yz, zz)


def _scaled_monomials(u: Vector, degree: int) -> dict[Any, Lanes]:
    """u^α/α! for all α of a degree."""
    powers = []
    for part in u:
        own = [part * 0.0 + 1.0]
        for k in range(1, degree + 1):
            own.append(own[-1] * part * (1 / k))
        powers.append(own)
    x, y, z = powers
    return {(a, b, c): x[a] * y[b] * z[c] for a, b, c in exponents(degree)}


class _Terms:
    """h∥ − κ and what it needs of the energy: −tr E_t/2 − H_ex, and (tr E_t)²/4 − det E_t."""

    def __init__(self, energy: _Polynomial, u: Vector, exchange: Lanes):
        hessian = energy.hessian
        self.turned = _times(hessian, u)
        self.along = _dot(u, self.turned)
        self.trace = hessian[0][0] + hessian[1][1] + hessian[2][2]
        self.half = 0.5 * (self.trace - self.along)
        cofactors = [_cross(hessian[1], hessian[2]), _cross(hessian[2], hessian[0])]
        cofactors.append(_cross(hessian[0], hessian[1]))
        self.cofactors = _times(cofactors, u)
        self.offset = -self.half - exchange
        self.spread = self.half * self.half - _dot(u, self.cofactors)

    def slopes(self, energy: _Polynomial, u: Vector) -> tuple[Vector, Vector]:
        """The gradients of tr E_t/2 and of the spread."""
        hessian, third, turned = energy.hessian, energy.third, self.turned
        twice = _times(energy.turned, u)
        # the change of u·cof(E) u with each element of E
        change = lambda i, j: (
            turned[i] * u[j] + u[i] * turned[j] - self.trace * u[i] * u[j] - hessian[i][j]
        )
        weights = {(i, j): change(i, j) for i, j in _PAIRS}
        for i in _AXES:
            weights[i, i] = weights[i, i] + (self.trace - self.along)
        half, spread = [], []
        for k in _AXES:
            trace = _total(third[_times_of(i, i, k)] for i in _AXES)
            half.append(0.5 * (trace - twice[k]) - turned[k])
            determinant = 2.0 * self.cofactors[k]
            for i, j in _PAIRS:
                weight = weights[i, j] if i == j else 2.0 * weights[i, j]
                determinant = determinant + weight * third[_times_of(i, j, k)]
            spread.append(2.0 * self.half * half[k] - determinant)
        return half, spread


class _Table:
    """Rows of lanes."""

    def __init__(self, vectors: Vectors, rows: Sequence[Any]):
        self._vectors, self._rows = vectors, rows

    def get(self, row: int) -> Lanes:
        return Lanes(self._vectors, self._vectors.load(self._rows[row], self._vectors.real))

    def put(self, row: int, value: Lanes) -> None:
        self._vectors.store(value.value, self._rows[row])

    def vector(self, row: int) -> Vector:
        return [self.get(row + k) for k in _AXES]

    def put_vector(self, row: int, vector: Vector) -> None:
        for k in _AXES:
            self.put(row + k, vector[k])


def _step(write: Callable[[Vectors, Any, Lanes, _Table, Lanes], None]) -> Any:
    """An instruction of the coefficients of an energy, a table of lanes, and a number."""

    def typing(_, coefficients, table, number):
        def code(context, builder, signature, values):
            kinds = signature.args
            vectors = Vectors(builder, kinds[1].dtype)
            pointer = context.make_array(kinds[0])(context, builder, values[0]).data
            rows = rows_of(context, builder, kinds[1], values[1], ROWS)
            exchange = builder.load(builder.gep(pointer, [WORD(EXCHANGE)]))
            spread = lambda value: Lanes(vectors, vectors.spread(value))
            write(vectors, pointer, spread(exchange), _Table(vectors, rows), spread(values[2]))
            return context.get_dummy_value()

        return types.void(coefficients, table, types.float64), code

    return intrinsic(typing)


@_step
def advance(vectors, coefficients, exchange, table, share):
    """One step of Newton's method towards the resonance, for a share of the energy.

    The step is that of `resonance_equations.towards_resonance`.
    """
    u, along, larmor = table.vector(U), table.vector(ALONG), table.get(LARMOR)
    energy = _Polynomial(vectors, coefficients, u)
    terms = _Terms(energy, u, exchange)
    half, spread = terms.slopes(energy, u)
    root = (share * share * terms.spread + larmor * larmor).root()
    parallel = share * terms.offset + root
    by_spread = 0.5 * share * share / root
    slope = [by_spread * spread[k] - share * half[k] for k in _AXES]
    field = [parallel * u[k] + share * energy.gradient[k] for k in _AXES]
    change = [[u[i] * slope[j] + share * energy.hessian[i][j] for j in _AXES] for i in _AXES]
    for k in _AXES:
        change[k][k] = change[k][k] + parallel
    columns = list(zip(*change, strict=True))
    by_length = [larmor * u[k] - _dot(columns[k], along) for k in _AXES]
    jacobian = [[change[i][j] + along[i] * by_length[j] for j in _AXES] for i in _AXES]
    length = 0.5 * larmor * (_dot(u, u) - 1.0) - _dot(field, along)
    step = _solved(jacobian, [field[k] + length * along[k] for k in _AXES])
    size = _dot(step, step).root()
    shorter = LARGEST_STEP / size
    shorter = shorter.select(size.is_(">", LARGEST_STEP), shorter * 0.0 + 1.0)
    table.put_vector(U, _unit([u[k] - shorter * step[k] for k in _AXES]))


@_step
def judge(vectors, coefficients, exchange, table, accuracy):
    """Hres with M along u, whether that is a resonance, and the energy there.

    It is one if H(u) is along ĥ to `accuracy`: the test of `general_solver`.
    """
    u, along, larmor = table.vector(U), table.vector(ALONG), table.get(LARMOR)
    energy = _Polynomial(vectors, coefficients, u)
    terms = _Terms(energy, u, exchange)
    normal = _dot(u, energy.gradient)
    torque = [energy.gradient[k] - normal * u[k] for k in _AXES]
    root = (terms.spread + larmor * larmor).root()
    parallel = normal + terms.offset + root
    magnitude = (parallel * parallel + _dot(torque, torque)).root()
    field = [parallel * u[k] + torque[k] for k in _AXES]
    forward = _dot(field, along)
    length = 0.5 * larmor * (_dot(u, u) - 1.0) - forward
    error = _largest(field[k] + length * along[k] for k in _AXES)
    size = _largest(torque) + _largest([parallel]) + larmor
    # without exchange both stiffnesses must be positive, too, or M does not stay there
    mean = root - exchange
    one, none = size * 0.0 + 1.0, size * 0.0
    exists = one.select(error.is_("<", accuracy * size), none)
    for condition in (
        forward.is_(">", 0.0),
        mean.is_(">", 0.0),
        (mean * mean).is_(">=", terms.spread),
    ):
        exists = exists.select(condition, none)
    applied = [magnitude * along[k] for k in _AXES]
    table.put(FIELD, magnitude)
    table.put(EXISTS, exists)
    table.put_vector(APPLIED, applied)
    table.put(DEPTH, energy.value - _dot(u, applied))


@_step
def descend(vectors, coefficients, exchange, table, number):
    """One step of Newton's method to a lower energy, as in `stability.lowest_direction`."""
    u, applied = table.vector(LOWEST), table.vector(APPLIED)
    energy = _Polynomial(vectors, coefficients, u)
    gradient = [energy.gradient[k] - applied[k] for k in _AXES]
    along = _dot(u, gradient)
    turned = _times(energy.hessian, u)
    curved = _dot(u, turned) + along + 1.0
    normal = [curved * u[k] - turned[k] for k in _AXES]
    stiffness = [
        [energy.hessian[i][j] + u[i] * normal[j] - turned[i] * u[j] for j in _AXES] for i in _AXES
    ]
    for k in _AXES:
        stiffness[k][k] = stiffness[k][k] - along
    step = _solved(stiffness, [gradient[k] - along * u[k] for k in _AXES])
    trial = _unit([u[k] - step[k] for k in _AXES])
    there = _Polynomial(vectors, coefficients, trial).value - _dot(trial, applied)
    here = energy.value - _dot(u, applied)
    lower = there.is_("<", here)
    table.put_vector(LOWEST, [trial[k].select(lower, u[k]) for k in _AXES])
    table.put(LOWEST_DEPTH, there.select(lower, here))


def _largest(values: Any) -> Lanes:
    """The largest absolute value; with NaN among the values, some number or NaN."""
    found = None
    for value in values:
        size = value.select(value.is_(">", 0.0), -value)
        found = size if found is None else found.select(found.is_(">", size), size)
    assert found is not None
    return found


def _tabulating(rows: int, write: Callable[..., Sequence[Lanes]]) -> Any:
    """An instruction: numbers at a vector of vertices of the mesh, beginning at a column."""

    def typing(_, coefficients, mesh, start, table):
        def code(context, builder, signature, values):
            kinds = signature.args
            vectors = Vectors(builder, kinds[1].dtype)
            pointer = context.make_array(kinds[0])(context, builder, values[0]).data
            places = rows_of(context, builder, kinds[1], values[1], 3)
            into = rows_of(context, builder, kinds[3], values[3], rows)
            at = lambda row: builder.gep(row, [values[2]])
            u = [Lanes(vectors, vectors.load(at(row), vectors.real)) for row in places]
            exchange = vectors.spread(builder.load(builder.gep(pointer, [WORD(EXCHANGE)])))
            energy = _Polynomial(vectors, pointer, u)
            for row, value in zip(into, write(energy, u, Lanes(vectors, exchange)), strict=True):
                vectors.store(value.value, at(row))
            return context.get_dummy_value()

        return types.void(coefficients, mesh, types.intp, table), code

    return intrinsic(typing)


def _energy_only(energy: _Polynomial, u: Vector, exchange: Lanes) -> Sequence[Lanes]:
    return [energy.value]


def _field_terms(energy: _Polynomial, u: Vector, exchange: Lanes) -> Sequence[Lanes]:
    """Those of `field_of_magnetization`."""
    terms, along = _Terms(energy, u, exchange), _dot(u, energy.gradient)
    torque = [energy.gradient[k] - along * u[k] for k in _AXES]
    return [*torque, along + terms.offset, terms.spread]


tabulate_energy = _tabulating(1, _energy_only)
tabulate_terms = _tabulating(TERMS, _field_terms)


@intrinsic
def lowest_vertex(_, mesh, energies, count, table):
    """An instruction: the vertex where the energy less u·H is lowest, in each lane."""

    def code(context, builder, signature, values):
        kinds = signature.args
        vectors = Vectors(builder, kinds[0].dtype)
        columns = rows_of(context, builder, kinds[0], values[0], 3)
        columns += rows_of(context, builder, kinds[1], values[1], 1)
        lanes = _Table(vectors, rows_of(context, builder, kinds[3], values[3], ROWS))
        applied = lanes.vector(APPLIED)
        lowest, at = vectors.variable(float("inf")), vectors.variable(0.0)
        with cgutils.for_range_slice(builder, WORD(0), values[2], WORD(TOGETHER)) as (first, _):
            least = Lanes(vectors, builder.load(lowest))
            place = Lanes(vectors, builder.load(at))
            for index in [builder.add(first, WORD(k)) for k in range(TOGETHER)]:
                *vertex, energy = (
                    Lanes(vectors, vectors.spread(builder.load(builder.gep(row, [index]))))
                    for row in columns
                )
                depth = energy - _dot(vertex, applied)
                lower = depth.is_("<", least)
                number = vectors.spread(builder.sitofp(index, ir.DoubleType()))
                least = depth.select(lower, least)
                place = Lanes(vectors, number).select(lower, place)
            builder.store(least.value, lowest)
            builder.store(place.value, at)
        lanes.put(AT, Lanes(vectors, builder.load(at)))
        return context.get_dummy_value()

    return types.void(mesh, energies, types.intp, table), code
