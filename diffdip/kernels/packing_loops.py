"""The random choices of packings of crystals, in loops for the CPU.

The choices are those of `ensembles.crystal_growth` and `ensembles.surface_dipoles`, number by
number: random numbers come from the same keys, and the first acceptable proposal is taken. Those
modules say what is done and why; here one proposal is judged after the other. All arithmetic is in
float64. With float32 the two forms can differ where a proposal is acceptable by a rounding error.
"""

import math

import numpy as np
from numba import njit

from . import native_calls as native


STEPS, FIRST_CANDIDATES = 8, 32
SPARE, MOST_OFFERS = 6, 60
EXTRA_CANDIDATES, MOST_EXTRA = 6, 12
MOST_REDRAWS = 5

CYLINDER, SPHERE, BOX = range(3)

GROUP = 80
"""Random numbers for proposals are made as they are needed, for 16 proposals at a time."""

U32 = np.uint32
PARITY = U32(0x1BD11BDA)
TURNS = tuple(tuple(U32(turn) for turn in turns) for turns in ((13, 15, 26, 6), (17, 29, 16, 24)))
WORD = U32(32)

_compiled = njit(error_model="numpy")
_inlined = njit(error_model="numpy", inline="always")
_within = njit(error_model="numpy", forceinline=True)


# random numbers


@_within
def _mix(a, b, turn):
    a = U32(a + b)
    b = U32(U32(b << turn) | U32(b >> U32(WORD - turn)))
    return a, U32(a ^ b)


@_within
def _block(key, a, b):
    """The two words of threefry with 20 rounds, for a key of two words and a counter of two."""
    one, two = key
    three = U32(U32(one ^ two) ^ PARITY)
    (r, s, t, u), (v, w, x, y) = TURNS
    a, b = U32(a + one), U32(b + two)
    a, b = _mix(a, b, r)
    a, b = _mix(a, b, s)
    a, b = _mix(a, b, t)
    a, b = _mix(a, b, u)
    a, b = U32(a + two), U32(b + U32(three + U32(1)))
    a, b = _mix(a, b, v)
    a, b = _mix(a, b, w)
    a, b = _mix(a, b, x)
    a, b = _mix(a, b, y)
    a, b = U32(a + three), U32(b + U32(one + U32(2)))
    a, b = _mix(a, b, r)
    a, b = _mix(a, b, s)
    a, b = _mix(a, b, t)
    a, b = _mix(a, b, u)
    a, b = U32(a + one), U32(b + U32(two + U32(3)))
    a, b = _mix(a, b, v)
    a, b = _mix(a, b, w)
    a, b = _mix(a, b, x)
    a, b = _mix(a, b, y)
    a, b = U32(a + two), U32(b + U32(three + U32(4)))
    a, b = _mix(a, b, r)
    a, b = _mix(a, b, s)
    a, b = _mix(a, b, t)
    a, b = _mix(a, b, u)
    return U32(a + three), U32(b + U32(one + U32(5)))


@_compiled
def _fold(key, number):
    """The key of a number: `jax.random.fold_in`."""
    return _block(key, U32(0), number)


@_compiled
def _fill_part(words, key, count, precise, first, most):
    """The words of `count` numbers, an even one: see `numerics.random_numbers`.

    Of the blocks of two words, at most `most` from the block `first` on.
    """
    blocks = count if precise else count // 2
    last = min(first + most, blocks)
    # with slices, numba knows that no index is negative, and the loop is vectorized
    ones, twos = words[first:last], words[first + blocks : last + blocks]
    for i in range(len(ones)):
        ones[i], twos[i] = _block(key, U32(first + i), U32(first + i + blocks))


@_compiled
def _fill(words, key, count, precise):
    """The words of all `count` numbers."""
    _fill_part(words, key, count, precise, np.int64(0), np.int64(count))


@_within
def _uniform(words, i, count, precise):
    """Number i of the `count` that `_fill` prepared."""
    if precise:
        high, low = np.int64(words[i]) >> 5, np.int64(words[i + count]) >> 6
        return (high * 2.0**26 + low) * 2.0**-53
    return (np.int64(words[i]) >> 8) * 2.0**-24


# laws


@_compiled
def _direction(one, two):
    z = 2 * one - 1
    across = math.sqrt(max(1 - z * z, 0.0))
    return across * math.cos(2 * math.pi * two), across * math.sin(2 * math.pi * two), z


@_compiled
def _below(x):
    """The share of a normal law below x."""
    return 0.5 * math.erfc(-x * math.sqrt(0.5))


# the inverse of the error function in three ranges, highest power first (Giles 2012, table 5)
_CENTRE = np.array(
    """
    -3.6444120640178196996e-21 -1.685059138182016589e-19 1.2858480715256400167e-18
    1.115787767802518096e-17 -1.333171662854620906e-16 2.0972767875968561637e-17
    6.6376381343583238325e-15 -4.0545662729752068639e-14 -8.1519341976054721522e-14
    2.6335093153082322977e-12 -1.2975133253453532498e-11 -5.4154120542946279317e-11
    1.051212273321532285e-09 -4.1126339803469836976e-09 -2.9070369957882005086e-08
    4.2347877827932403518e-07 -1.3654692000834678645e-06 -1.3882523362786468719e-05
    0.0001867342080340571352 -0.00074070253416626697512 -0.0060336708714301490533
    0.24015818242558961693 1.6536545626831027356
    """.split(),
    float,
)
_TAIL = np.array(
    """
    2.2137376921775787049e-09 9.0756561938885390979e-08 -2.7517406297064545428e-07
    1.8239629214389227755e-08 1.5027403968909827627e-06 -4.013867526981545969e-06
    2.9234449089955446044e-06 1.2475304481671778723e-05 -4.7318229009055733981e-05
    6.8284851459573175448e-05 2.4031110387097893999e-05 -0.0003550375203628474796
    0.00095328937973738049703 -0.0016882755560235047313 0.0024914420961078508066
    -0.0037512085075692412107 0.005370914553590063617 1.0052589676941592334
    3.0838856104922207635
    """.split(),
    float,
)
_END = np.array(
    """
    -2.7109920616438573243e-11 -2.5556418169965252055e-10 1.5076572693500548083e-09
    -3.7894654401267369937e-09 7.6157012080783393804e-09 -1.4960026627149240478e-08
    2.9147953450901080826e-08 -6.7711997758452339498e-08 2.2900482228026654717e-07
    -9.9298272942317002539e-07 4.5260625972231537039e-06 -1.9681778105531670567e-05
    7.5995277030017761139e-05 -0.00021503011930044477347 -0.00013871931833623122026
    1.0103004648645343977 4.8499064014085844221
    """.split(),
    float,
)


@njit(error_model="numpy", fastmath={"contract"})
def _polynomial(coefficients, x):
    """Its value; an odd number of coefficients. Two chains of operations run side by side."""
    squared, even, odd = x * x, coefficients[0], coefficients[1]
    for k in range(2, len(coefficients) - 1, 2):
        even, odd = even * squared + coefficients[k], odd * squared + coefficients[k + 1]
    return (even * x + odd) * x + coefficients[len(coefficients) - 1]


@_compiled
def _erf_inv(x):
    w = -math.log((1 - x) * (1 + x))
    if w < 6.25:
        return x * _polynomial(_CENTRE, w - 3.125)
    if w < 16:
        return x * _polynomial(_TAIL, math.sqrt(w) - 3.25)
    return x * _polynomial(_END, math.sqrt(w) - 5)


@_compiled
def _thickness(uniform, mean, sd, most):
    """Thickness of a ligand shell; `most` is the share of the normal law above zero."""
    above = (1 - uniform) * most
    return max(mean - sd * math.sqrt(2.0) * _erf_inv(2 * above - 1), 0.0)


@_compiled
def _share_below(thickness, mean, sd, precise):
    """The probability of a thinner shell, and whether it is large enough for this precision."""
    if not math.isfinite(thickness):
        return 1.0, True
    share = 1 - _below((mean - thickness) / sd) / _below(mean / sd)
    return share, share > 1000 * (2.0**-52 if precise else 2.0**-23)


@_compiled
def _fisher(one, two, x, y, z, kappa):
    below = min(-math.log1p((1 - one) * math.expm1(-2 * kappa)) / kappa, 2.0)
    across = math.sqrt(max(below * (2 - below), 0.0))
    c, s = across * math.cos(2 * math.pi * two), across * math.sin(2 * math.pi * two)
    sign = -1.0 if z < 0 else 1.0
    a = -1 / (sign + z)
    b = x * y * a
    return (
        (1 - below) * x + c * (1 + sign * x * x * a) + s * b,
        (1 - below) * y + c * sign * b + s * (sign + y * y * a),
        (1 - below) * z - c * sign * x - s * y,
    )


# containers


@_compiled
def _point(kind, sizes, one, two, three):
    if kind == CYLINDER:
        distance, angle = sizes[7] * math.sqrt(one), 2 * math.pi * two
        return distance * math.cos(angle), distance * math.sin(angle), sizes[8] * (2 * three - 1)
    if kind == SPHERE:
        x, y, z = _direction(one, two)
        distance = sizes[7] * three ** (1 / 3)
        return distance * x, distance * y, distance * z
    return sizes[7] * (2 * one - 1), sizes[8] * (2 * two - 1), sizes[9] * (2 * three - 1)


@_compiled
def _contains(kind, sizes, x, y, z):
    if kind == CYLINDER:
        return x * x + y * y <= sizes[7] * sizes[7] and abs(z) <= sizes[8]
    if kind == SPHERE:
        return x * x + y * y + z * z <= sizes[7] * sizes[7]
    return abs(x) <= sizes[7] and abs(y) <= sizes[8] and abs(z) <= sizes[9]


@_compiled
def _reach(kind, sizes, x, y, z):
    if kind == CYLINDER:
        return math.hypot(math.hypot(x, y) + sizes[7], abs(z) + sizes[8])
    if kind == SPHERE:
        return math.sqrt(x * x + y * y + z * z) + sizes[7]
    x, y, z = abs(x) + sizes[7], abs(y) + sizes[8], abs(z) + sizes[9]
    return math.sqrt(x * x + y * y + z * z)


# a packing


@_compiled
def _first_place(kind, sizes, diameter, key, precise, words, first):
    """Numbers of a first centre that leaves room for a second one; returns its reach."""
    count = 3 * FIRST_CANDIDATES
    _fill(words, key, count, precise)
    found = 0.0
    for candidate in range(FIRST_CANDIDATES + 1):
        i = 3 * (candidate % FIRST_CANDIDATES)  # the first one again if none leaves room
        for k in range(3):
            first[k] = _uniform(words, i + k, count, precise)
        x, y, z = _point(kind, sizes, first[0], first[1], first[2])
        found = _reach(kind, sizes, x, y, z)
        if found >= diameter:
            break
    return found, x, y, z


@_compiled
def _grow(frame, sizes, key, precise, words, centers, first, parent, uniform):
    """Place the crystals; the number of starts, and whether the last one was successful."""
    kind, at_once = native.number(frame, KIND), native.number(frame, AT_ONCE)
    max_proposals = native.number(frame, MAX_PROPOSALS)
    max_starts = native.number(frame, MAX_STARTS)
    diameter, mean, sd = sizes[0], sizes[1], sizes[2]
    n, count = native.number(frame, CRYSTALS), STEPS * at_once * 5
    filled = np.empty(count // GROUP + 1, np.bool_)
    height = sizes[8] if kind == CYLINDER else sizes[7] if kind == SPHERE else sizes[9]
    above = _below(mean / sd)
    starts, placed, refused, tables = 0, 0, 0, 0
    share, possible = 1.0, True
    while placed < n and not (starts >= max_starts and refused >= max_proposals):
        own = _fold(key, U32(tables))
        tables += 1
        if placed == 0 or refused >= max_proposals:
            reach, x, y, z = _first_place(
                kind, sizes, diameter, _fold(own, U32(1)), precise, words, first
            )
            centers[0], centers[1], centers[2] = x, y, z
            starts, placed, refused = starts + 1, 1, 0
            if n == 2:
                share, possible = _share_below(reach - diameter, mean, sd, precise)
            if n == 1:
                break
        if not possible:
            refused += STEPS * at_once
            continue
        own = _fold(own, U32(0))
        for k in range(len(filled)):
            filled[k] = False
        for step in range(STEPS):
            if placed == n:
                break
            refused += at_once
            for proposal in range(at_once):
                i = 5 * (step * at_once + proposal)
                block = i if precise or i < count // 2 else i - count // 2
                if not filled[block // GROUP]:
                    filled[block // GROUP] = True
                    _fill_part(words, own, count, precise, block - block % GROUP, np.int64(GROUP))
                before = int(_uniform(words, i + 4, count, precise) * placed)
                x, y, z = centers[3 * before], centers[3 * before + 1], centers[3 * before + 2]
                # a container has no hollows: what is outside now is outside with ligands, too
                w = 2 * _uniform(words, i, count, precise) - 1
                if abs(z + diameter * w) > height:
                    continue
                u, v, w = _direction(
                    _uniform(words, i, count, precise), _uniform(words, i + 1, count, precise)
                )
                if not _contains(kind, sizes, x + diameter * u, y + diameter * v, z + diameter * w):
                    continue
                one = _uniform(words, i + 2, count, precise) * share
                two = _uniform(words, i + 3, count, precise) * share
                if not precise:
                    one, two = np.float64(np.float32(one)), np.float64(np.float32(two))
                length = (
                    diameter + _thickness(one, mean, sd, above) + _thickness(two, mean, sd, above)
                )
                x, y, z = x + length * u, y + length * v, z + length * w
                good = _contains(kind, sizes, x, y, z)
                k = 0
                while good and k < 3 * placed:
                    dx, dy, dz = x - centers[k], y - centers[k + 1], z - centers[k + 2]
                    good = dx * dx + dy * dy + dz * dz >= diameter * diameter
                    k += 3
                if good:
                    at = 3 * placed
                    centers[at], centers[at + 1], centers[at + 2] = x, y, z
                    parent[placed - 1] = before
                    at = 4 * (placed - 1)
                    uniform[at] = _uniform(words, i, count, precise)
                    uniform[at + 1] = _uniform(words, i + 1, count, precise)
                    uniform[at + 2], uniform[at + 3] = one, two
                    placed, refused = placed + 1, 0
                    break
    return starts, placed == n


@_compiled
def _far(x, y, z, dipoles, start, count, most):
    """Whether a direction keeps its distance to `count` dipoles from place `start` on."""
    for k in range(3 * start, 3 * (start + count), 3):
        if x * dipoles[k] + y * dipoles[k + 1] + z * dipoles[k + 2] > most:
            return False
    return True


@_compiled
def _scatter(key, crystals, per_crystal, most, precise, words, dipoles, filled):
    """Uniform directions on each crystal; whether all found a place."""
    offered = per_crystal + SPARE
    count = offered * crystals * 2
    for crystal in range(crystals):
        filled[crystal] = 0
    for number in range(MOST_OFFERS):
        _fill(words, _fold(key, U32(number)), count, precise)
        complete = True
        for crystal in range(crystals):
            for offer in range(offered):
                if filled[crystal] == per_crystal:
                    break
                i = 2 * (offer * crystals + crystal)
                x, y, z = _direction(
                    _uniform(words, i, count, precise), _uniform(words, i + 1, count, precise)
                )
                start = crystal * per_crystal
                if _far(x, y, z, dipoles, start, filled[crystal], most):
                    at = 3 * (start + filled[crystal])
                    dipoles[at], dipoles[at + 1], dipoles[at + 2] = x, y, z
                    filled[crystal] += 1
            complete &= filled[crystal] == per_crystal
        if complete:
            return True
    return False


@_compiled
def _add_extra(sizes, key, per_crystal, precise, words, parent, uniform, dipoles, filled, extra):
    """Extra dipoles where the ligand is thin; whether all found a place."""
    mean, sd, below, kappa, most = sizes[1], sizes[2], sizes[3], sizes[4], sizes[6]
    above = _below(mean / sd)
    contacts = len(parent)
    crystals = contacts + 1
    count = 2 * contacts * EXTRA_CANDIDATES * 2
    _fill(words, key, count, precise)
    # whether there is a dipole is decided again when it is placed, with other rounding errors
    below += 8 * (2.0**-52 if precise else 2.0**-23) * (mean + sd + below)
    for crystal in range(crystals):
        filled[crystal] = 0
    for place in range(2 * contacts):
        contact, side = place // 2, place % 2
        pick = 0
        if _thickness(uniform[4 * contact + 2 + side], mean, sd, above) < below:
            x, y, z = _direction(uniform[4 * contact], uniform[4 * contact + 1])
            crystal = np.int64(parent[contact])
            if side:
                x, y, z, crystal = -x, -y, -z, contact + 1
            start = crystals * per_crystal + crystal * MOST_EXTRA
            found = False
            for candidate in range(EXTRA_CANDIDATES):
                i = 2 * (place * EXTRA_CANDIDATES + candidate)
                one = _uniform(words, i, count, precise)
                two = _uniform(words, i + 1, count, precise)
                u, v, w = _fisher(one, two, x, y, z, kappa)
                if _far(u, v, w, dipoles, crystal * per_crystal, per_crystal, most) and _far(
                    u, v, w, dipoles, start, filled[crystal], most
                ):
                    pick, found = candidate, True
                    break
            if not found or filled[crystal] == MOST_EXTRA:
                return False
            at = 3 * (start + filled[crystal])
            dipoles[at], dipoles[at + 1], dipoles[at + 2] = u, v, w
            filled[crystal] += 1
        i = 2 * (place * EXTRA_CANDIDATES + pick)
        extra[2 * place] = _uniform(words, i, count, precise)
        extra[2 * place + 1] = _uniform(words, i + 1, count, precise)
    return True


@_inlined
def _choose(frame, key, sizes, precise, first, parent, uniform, dipoles, extra):
    """All random choices of a packing: the number of starts, and whether it is complete."""
    at_once, per_crystal = native.number(frame, AT_ONCE), native.number(frame, PER_CRYSTAL)
    contacts = len(parent)
    crystals = contacts + 1
    most = max(STEPS * at_once * 5, 3 * FIRST_CANDIDATES, 24 * contacts)
    most = max(most, 2 * (per_crystal + SPARE) * crystals)
    words = np.empty(2 * most, np.uint32)
    centers = np.empty(3 * crystals)
    filled = np.empty(crystals, np.int64)
    starts, done, number = 0, False, 0
    while number < MOST_REDRAWS and not done:
        own = _fold(key, U32(number))
        more, done = _grow(
            frame, sizes, _fold(own, U32(0)), precise, words, centers, first, parent, uniform
        )
        starts += more
        done = done and _scatter(
            _fold(own, U32(1)), crystals, per_crystal, sizes[5], precise, words, dipoles, filled
        )
        if contacts > 0:
            done = done and _add_extra(
                sizes,
                _fold(own, U32(2)),
                per_crystal,
                precise,
                words,
                parent,
                uniform,
                dipoles,
                filled,
                extra,
            )
        number += 1
    return starts, done


# the call

KIND, AT_ONCE, MAX_PROPOSALS, MAX_STARTS, PER_CRYSTAL, CRYSTALS = range(native.OWN, native.OWN + 6)
"""The whole numbers of the call."""

SIZES = 10
"""Numbers that describe a model: diameter, mean and standard deviation of the ligand, the thickness
for an extra dipole, κ, cosines of the two distances, three half sizes of the container (nm)."""


@_compiled
def _write(values, buffer, start, precise):
    """Write numbers to a result, from place `start` on."""
    place = native.data(buffer)
    for k in range(len(values)):
        if precise:
            native.write_double(place + 8 * (start + k), values[k])
        else:
            native.write_single(place + 4 * (start + k), np.float32(values[k]))


@_compiled
def _read(values, buffer, start, precise):
    """Read numbers of an operand, from place `start` on."""
    place = native.data(buffer)
    for k in range(len(values)):
        if precise:
            values[k] = native.read_double(place + 8 * (start + k))
        else:
            values[k] = np.float64(native.read_single(place + 4 * (start + k)))


def _make_loop(stamp):
    def loop(state):
        frame = native.call_of(state)
        crystals, contacts = native.number(frame, CRYSTALS), native.number(frame, CRYSTALS) - 1
        per_crystal = native.number(frame, PER_CRYSTAL)
        precise = native.is_double(native.operand(frame, 1)) or stamp < 0
        keys = native.data(native.operand(frame, 0))
        sizes, first = np.empty(SIZES), np.empty(3)
        parent, uniform = np.empty(contacts, np.int32), np.empty(4 * contacts)
        extra = np.empty(4 * contacts)
        dipoles = np.empty(3 * crystals * (per_crystal + MOST_EXTRA))
        i = native.next_task(state)
        while i >= 0:
            key = native.read_bits(keys + 8 * i), native.read_bits(keys + 8 * i + 4)
            _read(sizes, native.operand(frame, 1), SIZES * i, precise)
            starts, complete = _choose(
                frame, key, sizes, precise, first, parent, uniform, dipoles, extra
            )
            _write(first, native.result(frame, 0), 3 * i, precise)
            parents = native.data(native.result(frame, 1)) + 4 * contacts * i
            for k in range(contacts):
                native.write_half(parents + 4 * k, parent[k])
            _write(uniform, native.result(frame, 2), 4 * contacts * i, precise)
            native.write_half(native.data(native.result(frame, 3)) + 4 * i, np.int32(starts))
            native.write_byte(native.data(native.result(frame, 4)) + i, np.uint8(complete))
            _write(
                dipoles[: 3 * crystals * per_crystal],
                native.result(frame, 5),
                3 * crystals * per_crystal * i,
                precise,
            )
            _write(extra, native.result(frame, 6), 4 * contacts * i, precise)
            i = native.next_task(state)

    return loop


def compile_loop(index, name):
    """Compile the loop of this file; returns what XLA calls."""
    return native.compiled_loop(_make_loop, index)
