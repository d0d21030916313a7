"""Resonances of polynomial energies, in loops for the CPU: those of `resonance.general_solver`.

The lanes of a vector are directions of the field with the same energy. The branch that is
continuous with saturation is followed in all lanes at once. Where it does not end at a stable
resonance, and for all branches, one direction is searched at a time: its starts are the lanes.
"""

import math
from typing import Any

import numpy as np
from numba import njit  # type: ignore

from . import native_calls as native
from .lanes import VECTOR_BYTES
from .search_limits import ABOVE_MINIMUM, RESIDUAL_POWER, SAME_ROOT
from .sphere_instructions import (
    ALONG,
    AT,
    COEFFICIENTS,
    DEPTH,
    EXISTS,
    FIELD,
    LARMOR,
    LOWEST,
    LOWEST_DEPTH,
    OFFSET,
    ROWS,
    SPREAD,
    TERMS,
    TOGETHER,
    TORQUE,
    U,
    advance,
    descend,
    judge,
    lowest_vertex,
    tabulate_energy,
    tabulate_terms,
)


PLACES, CHUNKS, SLOTS, SEARCHED, VERTICES, TRIANGLES = (native.OWN + k for k in range(6))
STAGES, LAST_STEPS, MESH_STEPS, DESCENT_STEPS, SLACK = (native.OWN + 6 + k for k in range(5))
"""The whole numbers of the calls: directions of one energy, and tasks for them; resonances in the
result, 1 for the measured one; those that a search keeps; vertices and triangles of the mesh; steps
of the methods; and per cent by which a ray may miss a triangle."""

LANES = VECTOR_BYTES // 8

ACCURACY = float(np.finfo(float).eps) ** RESIDUAL_POWER
SAME = SAME_ROOT * float(np.finfo(float).eps)

_compiled = njit(error_model="numpy")


@_compiled
def _read(buffer, index):
    """A number of an operand, in float64."""
    address = native.data(buffer)
    if native.is_double(buffer):
        return native.read_double(address + 8 * index)
    return np.float64(native.read_single(address + 4 * index))


@_compiled
def _write(buffer, index, value):
    address = native.data(buffer)
    if native.is_double(buffer):
        native.write_double(address + 8 * index, value)
    else:
        native.write_single(address + 4 * index, np.float32(value))


@_compiled
def _decide(coefficients, mesh, energies, tolerance, descents, lanes, stable):
    """Whether each lane is a resonance, and whether no direction of M has a lower energy."""
    judge(coefficients, lanes, ACCURACY)
    lowest_vertex(mesh, energies, mesh.shape[1], lanes)  # type: ignore
    for lane in range(LANES):
        vertex = int(lanes[AT, lane])
        for k in range(3):
            lanes[LOWEST + k, lane] = mesh[k, vertex]
    for _ in range(descents):
        descend(coefficients, lanes, 0.0)
    for lane in range(LANES):
        above = lanes[DEPTH, lane] - lanes[LOWEST_DEPTH, lane]
        stable[lane] = lanes[EXISTS, lane] > 0 and above <= tolerance * lanes[LARMOR, lane]


@_compiled
def _starts(mesh, terms, triangles, direction, larmor, slack, starts, score):
    """Starts near all resonances, best first: see `mesh_search`. Returns how many there are."""
    vertices, slots = mesh.shape[1], len(score)
    field = np.empty((3, vertices))
    for v in range(vertices):
        parallel = terms[OFFSET, v] + math.sqrt(terms[SPREAD, v] + larmor * larmor)
        for k in range(3):
            field[k, v] = parallel * mesh[k, v] + terms[TORQUE + k, v]
    weight, corner = np.empty(3), np.empty((3, 3))
    count = 0
    for triangle in range(triangles.shape[0]):
        for k in range(3):
            for axis in range(3):
                corner[k, axis] = field[axis, triangles[triangle, k]]
        side, total, volume = 0.0, 0.0, 0.0
        for k in range(3):
            b, c = corner[(k + 1) % 3], corner[(k + 2) % 3]
            x, y, z = (
                b[1] * c[2] - b[2] * c[1],
                b[2] * c[0] - b[0] * c[2],
                b[0] * c[1] - b[1] * c[0],
            )
            weight[k] = x * direction[0] + y * direction[1] + z * direction[2]
            total += weight[k]
            if k == 0:
                a = corner[0]
                volume = a[0] * x + a[1] * y + a[2] * z
            dx, dy, dz = b[0] - c[0], b[1] - c[1], b[2] - c[2]
            side = max(side, dx * dx + dy * dy + dz * dz)
        # volume/total is the distance along the ray
        if volume == 0 or total == 0 or not volume / total > -slack * math.sqrt(side):
            continue
        least = min(weight[0] / total, weight[1] / total, weight[2] / total)
        if not least > -slack or (count == slots and least <= score[slots - 1]):
            continue
        place = min(count, slots - 1)
        while place > 0 and score[place - 1] < least:
            score[place] = score[place - 1]
            starts[place] = starts[place - 1]
            place -= 1
        score[place], count = least, min(count + 1, slots)
        for axis in range(3):
            starts[place, axis] = 0.0
            for k in range(3):
                starts[place, axis] += weight[k] / total * mesh[axis, triangles[triangle, k]]
    for place in range(count):
        size = math.sqrt(np.sum(starts[place] * starts[place]))
        starts[place] /= size
    return count


@_compiled
def _search(
    coefficients, mesh, energies, terms, triangles, direction, larmor, tolerance, steps, found
):
    """All resonances for one direction: rows of u, Hres, exists, stable."""
    mesh_steps, descents, slack = steps
    slots = len(found)
    starts, score, stable = np.empty((slots, 3)), np.empty(slots), np.empty(LANES, np.bool_)
    lanes = np.empty((ROWS, LANES))
    count = _starts(mesh, terms, triangles, direction, larmor, slack, starts, score)
    found[:] = 0.0
    for first in range(0, count, LANES):
        for lane in range(LANES):
            lanes[LARMOR, lane] = larmor
            for k in range(3):
                lanes[ALONG + k, lane] = direction[k]
                lanes[U + k, lane] = starts[min(first + lane, count - 1), k]
        for _ in range(mesh_steps):
            advance(coefficients, lanes, 1.0)
        _decide(coefficients, mesh, energies, tolerance, descents, lanes, stable)
        for slot in range(first, min(first + LANES, count)):
            lane = slot - first
            for k in range(3):
                found[slot, k] = lanes[U + k, lane]
            found[slot, 3] = lanes[FIELD, lane]
            found[slot, 4] = lanes[EXISTS, lane]
            found[slot, 5] = stable[lane]
            for other in range(slot):
                apart = 0.0
                for k in range(3):
                    apart += (found[slot, k] - found[other, k]) ** 2
                if found[other, 4] > 0 and apart < SAME:
                    found[slot, 4] = 0.0


@_compiled
def _put(result, place, direction, row, found):
    """Write u and two flags; where nothing was found u is the direction of the field."""
    for k in range(3):
        _write(result, 5 * place + k, row[k] if found else direction[k])
    _write(result, 5 * place + 3, 1.0 if found else 0.0)
    _write(result, 5 * place + 4, 1.0 if found and row[5] > 0 else 0.0)


def _make(stamp):
    """One task is a part of the directions of one energy.

    Operands: coefficients of energies, ĥ, w0, vertices of the mesh, its triangles. The result has
    u, whether it is a resonance, and whether it is stable, for each slot.
    """

    def loop(state):
        frame = native.call_of(state)
        given, directions = native.operand(frame, 0), native.operand(frame, 1)
        larmors, result = native.operand(frame, 2), native.result(frame, 0)
        n, chunks = native.number(frame, PLACES), native.number(frame, CHUNKS)
        slots, vertices = native.number(frame, SLOTS), native.number(frame, VERTICES)
        stages, last_steps = native.number(frame, STAGES), native.number(frame, LAST_STEPS)
        descents = native.number(frame, DESCENT_STEPS)
        slack = native.number(frame, SLACK) / 100
        steps = native.number(frame, MESH_STEPS), descents, slack
        eps = np.finfo(np.float64).eps
        if not native.is_double(given) or stamp < 0:
            eps = np.float64(np.finfo(np.float32).eps)
        tolerance = ABOVE_MINIMUM * math.sqrt(eps)
        padded = -(-vertices // TOGETHER) * TOGETHER
        mesh, energies, terms = (
            np.empty((3, padded)),
            np.empty((1, padded)),
            np.empty((TERMS, padded)),
        )
        for v in range(padded):
            for k in range(3):
                mesh[k, v] = _read(native.operand(frame, 3), 3 * min(v, vertices - 1) + k)
        corners = native.number(frame, TRIANGLES)
        triangles = native.values(native.operand(frame, 4), 3 * corners, np.int32)
        triangles = triangles.reshape(corners, 3)
        coefficients, lanes = np.empty(COEFFICIENTS), np.empty((ROWS, LANES))
        stable, found = np.empty(LANES, np.bool_), np.empty((native.number(frame, SEARCHED), 6))
        direction = np.empty(3)
        energy, known = -1, False
        task = native.next_task(state)
        while task >= 0:
            if energy != task // chunks:
                energy, known = task // chunks, False
                for k in range(COEFFICIENTS):
                    coefficients[k] = _read(given, COEFFICIENTS * energy + k)
                for first in range(0, padded, LANES):
                    tabulate_energy(coefficients, mesh, first, energies)
            part = task % chunks
            stop = energy * n + n * (part + 1) // chunks
            for first in range(energy * n + n * part // chunks, stop, LANES):
                count = min(LANES, stop - first)
                for lane in range(LANES):
                    place = first + min(lane, count - 1)
                    lanes[LARMOR, lane] = _read(larmors, place)
                    size = 0.0
                    for k in range(3):
                        direction[k] = _read(directions, 3 * place + k)
                        size += direction[k] * direction[k]
                    # in float32 it is a unit vector to a few digits only
                    for k in range(3):
                        lanes[ALONG + k, lane] = direction[k] / math.sqrt(size)
                        lanes[U + k, lane] = lanes[ALONG + k, lane]
                if slots == 1:
                    for step in range(stages + last_steps):
                        advance(coefficients, lanes, min((step + 1) / stages, 1.0))
                    _decide(coefficients, mesh, energies, tolerance, descents, lanes, stable)
                for lane in range(count):
                    for k in range(3):
                        direction[k] = lanes[ALONG + k, lane]
                    if slots == 1 and stable[lane]:
                        for k in range(3):
                            found[0, k] = lanes[U + k, lane]
                        found[0, 5] = 1.0
                        _put(result, first + lane, direction, found[0], True)
                        continue
                    if not known:
                        known = True
                        for start in range(0, padded, LANES):
                            tabulate_terms(coefficients, mesh, start, terms)
                    _search(
                        coefficients,
                        mesh,
                        energies,
                        terms,
                        triangles,
                        direction,
                        lanes[LARMOR, lane],
                        tolerance,
                        steps,
                        found,
                    )
                    if slots > 1:
                        for slot in range(slots):
                            row = found[slot]
                            _put(result, (first + lane) * slots + slot, direction, row, row[4] > 0)
                        continue
                    best = 0
                    for slot in range(1, len(found)):
                        measurable = found[slot, 4] > 0 and found[slot, 5] > 0
                        before = found[best, 4] > 0 and found[best, 5] > 0
                        if measurable and (not before or found[slot, 3] > found[best, 3]):
                            best = slot
                    row = found[best]
                    _put(result, first + lane, direction, row, row[4] > 0 and row[5] > 0)
            task = native.next_task(state)

    return loop


def compile_loop(index: int, name: str) -> Any:
    """Compile the loop of this file; returns what XLA calls."""
    return native.compiled_loop(_make, index)
