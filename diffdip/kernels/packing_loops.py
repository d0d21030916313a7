"""The random choices of packings of crystals, in loops for the CPU.

The choices are those of `ensembles.crystal_growth` and `ensembles.surface_dipoles`, number by
number: random numbers come from the same keys, and the first acceptable proposal is taken. Those
modules say what is done and why; here proposals are prepared in groups, and judged one after the
other. All arithmetic is in float64. With float32 the two forms can differ where a proposal is
acceptable by a rounding error.
"""

import numpy as np
from numba import njit

from . import native_calls as native
from .packing_cells import cell_at, divide, has_room
from .packing_laws import (
    direction,
    directions,
    farthest,
    fisher,
    lie_within,
    normal_below,
    point,
    share_below,
    thickness,
    thicknesses,
)
from .threefry import U32, fill, fold, uniform_at, uniforms


STEPS, FIRST_CANDIDATES = 8, 32
SPARE, MOST_OFFERS = 6, 60
EXTRA_CANDIDATES, MOST_EXTRA = 6, 12
MOST_REDRAWS = 5


GROUP = 64
"""Proposals that are prepared together, when the first of them is needed."""

BLOCK = 128
"""Crystals whose dipoles are placed together."""

_compiled = njit(error_model="numpy")
_vectorized = njit(error_model="numpy", fastmath={"nsz", "contract"})
_inlined = njit(error_model="numpy", inline="always")


@_compiled
def _first_place(kind, sizes, diameter, key, precise, words, first):
    """Numbers of a first centre that leaves room for a second one; returns its reach."""
    count = 3 * FIRST_CANDIDATES
    fill(words, key, count, precise)
    found, x, y, z = 0.0, 0.0, 0.0, 0.0
    for candidate in range(FIRST_CANDIDATES + 1):
        i = 3 * (candidate % FIRST_CANDIDATES)  # the first one again if none leaves room
        for k in range(3):
            first[k] = uniform_at(words, i + k, count, precise)
        x, y, z = point(kind, sizes, first[0], first[1], first[2])
        found = farthest(kind, sizes, x, y, z)
        if found >= diameter:
            break
    return found, x, y, z


@_inlined
def _shell(uniform, precise, share):
    """The uniform number of a ligand shell, in the precision of the packing."""
    return uniform * share if precise else np.float64(np.float32(uniform * share))


@_compiled
def _prepare(
    drawn, first, precise, share, sizes, above, one, two, three, four, chosen, x, y, z, length
):
    """The moves of `GROUP` proposals from `first` on; all arrays but `drawn` have that length."""
    for k in range(GROUP):
        i = 5 * (first + k)
        one[k], two[k], chosen[k] = drawn[i], drawn[i + 1], drawn[i + 4]
        three[k] = _shell(drawn[i + 2], precise, share)
        four[k] = _shell(drawn[i + 3], precise, share)
    directions(one, two, x, y, z)
    diameter, mean, sd = sizes[0], sizes[1], sizes[2]
    thicknesses(three, mean, sd, above, one)
    thicknesses(four, mean, sd, above, two)
    for k in range(GROUP):
        length[k] = diameter + one[k] + two[k]


@_vectorized
def _propose(axis, chosen, placed, centers, direction, length, first, last, centre):
    """One coordinate of the centres of some proposals of a group."""
    for k in range(np.uint64(first), np.uint64(last)):  # no index is negative
        before = np.int32(chosen[k] * placed)
        centre[k] = centers[axis, before] + length[k] * direction[k]


@_compiled
def _grow(frame, sizes, key, precise, words, drawn, centers, first, parent, uniform):
    """Place the crystals; the number of starts, and whether the last one was successful."""
    kind, at_once = native.number(frame, KIND), native.number(frame, AT_ONCE)
    max_proposals = native.number(frame, MAX_PROPOSALS)
    max_starts = native.number(frame, MAX_STARTS)
    diameter, mean, sd = sizes[0], sizes[1], sizes[2]
    n, count = native.number(frame, CRYSTALS), STEPS * at_once * 5
    # whole arrays: numba counts references to slices, which takes longer than the work
    one, two, three, four = np.empty(GROUP), np.empty(GROUP), np.empty(GROUP), np.empty(GROUP)
    u, v, w, length = np.empty(GROUP), np.empty(GROUP), np.empty(GROUP), np.empty(GROUP)
    chosen, inside = np.empty(GROUP), np.empty(GROUP, np.bool_)
    half, counts = np.empty(3), np.empty(3, np.int64)
    latest = np.empty(divide(kind, sizes, n, half, counts), np.int32)
    chained = np.empty(n, np.int32)
    above = normal_below(mean / sd)
    starts, placed, refused, tables = 0, 0, 0, 0
    share, possible = 1.0, True
    while placed < n and not (starts >= max_starts and refused >= max_proposals):
        own = fold(key, U32(tables))
        tables += 1
        if placed == 0 or refused >= max_proposals:
            reach, x, y, z = _first_place(
                kind, sizes, diameter, fold(own, U32(1)), precise, words, first
            )
            centers[0, 0], centers[1, 0], centers[2, 0] = x, y, z
            latest[:], chained[0] = -1, -1
            latest[cell_at(x, y, z, half, counts)] = 0
            starts, placed, refused = starts + 1, 1, 0
            if n == 2:
                share, possible = share_below(reach - diameter, mean, sd, precise)
            if n == 1:
                break
        if not possible:
            refused += STEPS * at_once
            continue
        fill(words, fold(own, U32(0)), count, precise)
        uniforms(words, count, precise, drawn)
        prepared = -GROUP
        for step in range(STEPS):
            if placed == n:
                break
            refused += at_once
            proposal, end = step * at_once, (step + 1) * at_once
            while proposal < end:
                if proposal >= prepared + GROUP:
                    prepared = proposal
                    _prepare(
                        drawn, prepared, precise, share, sizes, above,
                        one, two, three, four, chosen, u, v, w, length,
                    )  # fmt: skip
                begin, last = proposal - prepared, min(end - prepared, GROUP)
                _propose(0, chosen, placed, centers, u, length, begin, last, one)
                _propose(1, chosen, placed, centers, v, length, begin, last, two)
                _propose(2, chosen, placed, centers, w, length, begin, last, three)
                lie_within(kind, sizes, one, two, three, begin, last, inside)
                proposal = prepared + last
                for k in range(begin, last):
                    if not inside[k]:
                        continue
                    x, y, z = one[k], two[k], three[k]
                    cell = cell_at(x, y, z, half, counts)
                    if has_room(x, y, z, diameter, centers, placed, counts, cell, latest, chained):
                        latest[cell], chained[placed] = placed, latest[cell]
                        centers[0, placed], centers[1, placed], centers[2, placed] = x, y, z
                        i, at = 5 * (prepared + k), 4 * (placed - 1)
                        parent[placed - 1] = np.int32(drawn[i + 4] * placed)
                        uniform[at], uniform[at + 1] = drawn[i], drawn[i + 1]
                        uniform[at + 2] = _shell(drawn[i + 2], precise, share)
                        uniform[at + 3] = _shell(drawn[i + 3], precise, share)
                        placed, refused, proposal = placed + 1, 0, end
                        break
    return starts, placed == n


@_compiled
def _far(x, y, z, dipoles, start, count, most):
    """Whether a direction keeps its distance to `count` dipoles from place `start` on."""
    for k in range(3 * start, 3 * (start + count), 3):
        if x * dipoles[k] + y * dipoles[k + 1] + z * dipoles[k + 2] > most:
            return False
    return True


@_vectorized
def _mark_near(x, y, z, dipoles, place, most, near):
    """Mark the crystals whose candidate is too near to the dipole in one place."""
    for k in range(len(near)):
        cosine = x[k] * dipoles[0, place, k] + y[k] * dipoles[1, place, k]
        near[k] |= cosine + z[k] * dipoles[2, place, k] > most


@_compiled
def _scatter(key, crystals, per_crystal, most, precise, words, drawn, dipoles, filled):
    """Uniform directions on each crystal; whether all found a place."""
    offered = per_crystal + SPARE
    count = offered * crystals * 2
    block = min(BLOCK, crystals)
    x, y, z, near = np.empty(block), np.empty(block), np.empty(block), np.empty(block, np.bool_)
    one, two = np.zeros(block), np.zeros(block)
    taken = np.empty((3, per_crystal, block))
    filled[:] = 0
    for number in range(MOST_OFFERS):
        fill(words, fold(key, U32(number)), count, precise)
        uniforms(words, count, precise, drawn)
        for first in range(0, crystals, block):
            some = min(block, crystals - first)
            taken[:] = np.nan  # empty places are near to nothing
            for k in range(some):
                for place in range(filled[first + k]):
                    at = 3 * ((first + k) * per_crystal + place)
                    for axis in range(3):
                        taken[axis, place, k] = dipoles[at + axis]
            for offer in range(offered):
                for k in range(some):
                    i = 2 * (offer * crystals + first + k)
                    one[k], two[k] = drawn[i], drawn[i + 1]
                directions(one, two, x, y, z)
                near[:] = False
                for place in range(per_crystal):
                    _mark_near(x, y, z, taken, place, most, near)
                for k in range(some):
                    place = filled[first + k]
                    if not near[k] and place < per_crystal:
                        at = 3 * ((first + k) * per_crystal + place)
                        for axis, value in enumerate((x[k], y[k], z[k])):
                            taken[axis, place, k] = dipoles[at + axis] = value
                        filled[first + k] = place + 1
        if filled.min() == per_crystal:
            return True
    return False


@_compiled
def _add_extra(sizes, key, per_crystal, precise, words, parent, uniform, dipoles, filled, extra):
    """Extra dipoles where the ligand is thin; whether all found a place."""
    mean, sd, below, kappa, most = sizes[1], sizes[2], sizes[3], sizes[4], sizes[6]
    above = normal_below(mean / sd)
    contacts = len(parent)
    crystals = contacts + 1
    count = 2 * contacts * EXTRA_CANDIDATES * 2
    fill(words, key, count, precise)
    # whether there is a dipole is decided again when it is placed, with other rounding errors
    below += 8 * (2.0**-52 if precise else 2.0**-23) * (mean + sd + below)
    for crystal in range(crystals):
        filled[crystal] = 0
    for place in range(2 * contacts):
        contact, side = place // 2, place % 2
        pick = 0
        if thickness(uniform[4 * contact + 2 + side], mean, sd, above) < below:
            x, y, z = direction(uniform[4 * contact], uniform[4 * contact + 1])
            crystal = np.int64(parent[contact])
            if side:
                x, y, z, crystal = -x, -y, -z, contact + 1
            start = crystals * per_crystal + crystal * MOST_EXTRA
            found, u, v, w = False, x, y, z
            for candidate in range(EXTRA_CANDIDATES):
                i = 2 * (place * EXTRA_CANDIDATES + candidate)
                one = uniform_at(words, i, count, precise)
                two = uniform_at(words, i + 1, count, precise)
                u, v, w = fisher(one, two, x, y, z, kappa)
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
        extra[2 * place] = uniform_at(words, i, count, precise)
        extra[2 * place + 1] = uniform_at(words, i + 1, count, precise)
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
    drawn = np.zeros(most + 5 * GROUP)  # the last group may read behind the table
    centers = np.empty((3, crystals))
    filled = np.empty(crystals, np.int64)
    starts, done, number = 0, False, 0
    while number < MOST_REDRAWS and not done:
        own = fold(key, U32(number))
        more, done = _grow(
            frame, sizes, fold(own, U32(0)), precise, words, drawn, centers, first, parent, uniform
        )
        starts += more
        done = done and _scatter(
            fold(own, U32(1)),
            crystals,
            per_crystal,
            sizes[5],
            precise,
            words,
            drawn,
            dipoles,
            filled,
        )
        if contacts > 0:
            done = done and _add_extra(
                sizes,
                fold(own, U32(2)),
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
            if not complete:  # nothing of other packings
                first[:], parent[:], uniform[:], extra[:], dipoles[:] = 0, 0, 0, 0, 0
                for k in range(2, len(dipoles), 3):  # directions stay unit vectors
                    dipoles[k] = 1
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
