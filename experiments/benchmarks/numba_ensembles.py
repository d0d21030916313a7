"""Fig. 5 as a numba program: samples are computed one after the other, shared among threads.

The packings follow the same rules as `diffdip.NanocrystalPacking`, in loops over one proposal at a
time. The random numbers differ, so only the distributions agree. The pair sum is in float32 and
vectorized. Unlike diffdip, it does not look for the closest pair. The two savings of diffdip are
made here too: a first crystal from which no other can be reached is not taken, and the ligands of
a single pair are not thicker than the space that is available.
"""

import math

import numpy as np
from numba import njit, prange


DIAMETER, FRACTION = 2.7, 0.2
LIGAND_MEAN, LIGAND_SD, EXTRA_BELOW = 0.3, 0.3, 0.3
PER_CRYSTAL, BOND, KAPPA = 10, 0.26, 3.0
MAX_PROPOSALS, MAX_STARTS = 1000, 20
MOST = 40
"""Largest number of dipoles on one crystal, and of candidates for an extra dipole."""

MAX_COSINE = 1 - 2 * (BOND / DIAMETER) ** 2
ANYWHERE = 2.0
"""Extra dipoles keep no distance, as printed; no cosine is larger."""

SPREAD = -math.expm1(-2 * KAPPA)

GOLDEN, MIX_1, MIX_2 = (
    np.uint64(n) for n in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
)
S11, S27, S30, S31 = (np.uint64(n) for n in (11, 27, 30, 31))


@njit(fastmath=True, error_model="numpy")
def uniform(state):
    """A number uniform in [0, 1): SplitMix64, faster than numba's Mersenne Twister."""
    state[0] += GOLDEN
    z = state[0]
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return np.float64((z ^ (z >> S31)) >> S11) * 2.0**-53


@njit(fastmath=True, error_model="numpy")
def in_disk(state):
    """A point uniform in the unit disk, and its squared distance from the centre (not 0)."""
    while True:
        x, y = 2 * uniform(state) - 1, 2 * uniform(state) - 1
        squared = x * x + y * y
        if 0 < squared < 1:
            return x, y, squared


@njit(fastmath=True, error_model="numpy")
def direction(state):
    """A unit vector of uniform direction (Marsaglia 1972)."""
    x, y, squared = in_disk(state)
    across = 2 * math.sqrt(1 - squared)
    return across * x, across * y, 1 - 2 * squared


@njit(fastmath=True, error_model="numpy")
def thickness(state, limit):
    """Thickness of a ligand shell (nm): normal, between 0 and `limit`."""
    if limit < LIGAND_MEAN + LIGAND_SD:
        while True:
            trial = limit * uniform(state)
            score = (trial - LIGAND_MEAN) / LIGAND_SD
            if uniform(state) < math.exp(-0.5 * score * score):
                return trial
    while True:
        x, _, squared = in_disk(state)
        trial = LIGAND_MEAN + LIGAND_SD * x * math.sqrt(-2 * math.log(squared) / squared)
        if 0 <= trial <= limit:
            return trial


@njit(fastmath=True, error_model="numpy")
def pack(state, half, centers, parent, axis, shells):
    """Grow crystals in a cylinder with the half sizes `half` for centres; False if it failed."""
    count = len(centers)
    for _ in range(MAX_STARTS):
        while True:
            x, y, _ = in_disk(state)
            x, y, z = half * x, half * y, half * (2 * uniform(state) - 1)
            reach = math.hypot(math.hypot(x, y) + half, abs(z) + half)
            if reach >= DIAMETER:
                break
        centers[0] = x, y, z
        limit = reach - DIAMETER if count == 2 else 1e3
        placed, refused = 1, 0
        while placed < count and refused < MAX_PROPOSALS:
            before = int(uniform(state) * placed)
            one, other = thickness(state, limit), thickness(state, limit)
            u, v, w = direction(state)
            step = DIAMETER + one + other
            x = centers[before, 0] + step * u
            y = centers[before, 1] + step * v
            z = centers[before, 2] + step * w
            free = x * x + y * y <= half * half and abs(z) <= half
            k = 0
            while free and k < placed:
                dx, dy, dz = x - centers[k, 0], y - centers[k, 1], z - centers[k, 2]
                free = dx * dx + dy * dy + dz * dz >= DIAMETER * DIAMETER
                k += 1
            refused += 1
            if free:
                centers[placed] = x, y, z
                parent[placed - 1] = before
                axis[placed - 1] = u, v, w
                shells[placed - 1] = one, other
                placed += 1
                refused = 0
        if placed == count:
            return True
    return False


@njit(fastmath=True, error_model="numpy")
def put(candidate, dipoles, number, most):
    """Add a dipole to the `number` on a crystal; False if a cosine to one of them is above most."""
    x, y, z = candidate
    for k in range(number):
        if x * dipoles[k, 0] + y * dipoles[k, 1] + z * dipoles[k, 2] > most:
            return False
    dipoles[number] = x, y, z
    return True


@njit(fastmath=True, error_model="numpy")
def fisher(state, x, y, z):
    """A direction of the Fisher law about (x, y, z)."""
    below = -math.log1p(-SPREAD * uniform(state)) / KAPPA
    c, s, squared = in_disk(state)
    across = math.sqrt(below * (2 - below) / squared)
    c, s = across * c, across * s
    sign = 1.0 if z >= 0 else -1.0
    a = -1 / (sign + z)
    b = x * y * a
    along = 1 - below
    return (
        along * x + c * (1 + sign * x * x * a) + s * b,
        along * y + c * sign * b + s * (sign + y * y * a),
        along * z - c * sign * x - s * y,
    )


@njit(fastmath=True, error_model="numpy")
def add_extra(state, dipoles, numbers, crystal, x, y, z):
    """Add an extra dipole to a crystal, about a direction; False if there was no place."""
    for _ in range(MOST):
        if numbers[crystal] == MOST:
            return False
        if put(fisher(state, x, y, z), dipoles[crystal], numbers[crystal], ANYWHERE):
            numbers[crystal] += 1
            return True
    return False


@njit(fastmath=True, error_model="numpy")
def dress(state, parent, axis, shells, dipoles, numbers):
    """Place the dipoles of all crystals, extra ones last; False if one found no place."""
    for crystal in range(len(numbers)):
        number = 0
        while number < PER_CRYSTAL:
            if put(direction(state), dipoles[crystal], number, MAX_COSINE):
                number += 1
        numbers[crystal] = number
    for i in range(len(parent)):
        x, y, z = axis[i]
        if shells[i, 0] < EXTRA_BELOW and not add_extra(
            state, dipoles, numbers, parent[i], x, y, z
        ):
            return False
        if shells[i, 1] < EXTRA_BELOW and not add_extra(state, dipoles, numbers, i + 1, -x, -y, -z):
            return False
    return True


@njit(fastmath=True, error_model="numpy")
def pairs_with(xi, yi, zi, x, y, z):
    """Σ (I − 3 r̂ r̂ᵀ)/r³ of one dipole with others, in nm⁻³ as xx, yy, zz, xy, xz, yz."""
    one, three, zero = np.float32(1), np.float32(3), np.float32(0)
    xx, yy, zz, xy, xz, yz = zero, zero, zero, zero, zero, zero
    for j in range(len(x)):
        dx, dy, dz = x[j] - xi, y[j] - yi, z[j] - zi
        inverse = one / math.sqrt(dx * dx + dy * dy + dz * dz)
        second = inverse * inverse
        first = inverse * second
        third = three * first * second
        tx, ty, tz = third * dx, third * dy, third * dz
        xx += first - tx * dx
        yy += first - ty * dy
        zz += first - tz * dz
        xy -= tx * dy
        xz -= tx * dz
        yz -= ty * dz
    return xx, yy, zz, xy, xz, yz


@njit(fastmath=True, error_model="numpy")
def pair_sum(x, y, z, sums):
    """Add the sum over all pairs to `sums`."""
    for i in range(len(x) - 1):
        # slices, because their indices cannot be negative; otherwise the loop is not vectorized
        after = slice(i + 1, len(x))
        row = pairs_with(x[i], y[i], z[i], x[after], y[after], z[after])
        for k in range(6):
            sums[k] += row[k]


@njit(fastmath=True, error_model="numpy")
def sample(state, crystals, sums):
    """Write the pair sums of one packing to `sums`; return the number of dipoles (0: failed)."""
    volume = crystals * math.pi / 6 * DIAMETER**3 / FRACTION
    half = 0.5 * (4 * volume / math.pi) ** (1 / 3) - DIAMETER / 2
    contacts = crystals - 1
    centers, parent = np.empty((crystals, 3)), np.empty(contacts, np.int64)
    axis, shells = np.empty((contacts, 3)), np.empty((contacts, 2))
    dipoles, numbers = np.empty((crystals, MOST, 3)), np.empty(crystals, np.int64)
    if not pack(state, half, centers, parent, axis, shells):
        return 0
    if not dress(state, parent, axis, shells, dipoles, numbers):
        return 0
    total = np.sum(numbers)
    # separate arrays: numba would not know that rows of one array are contiguous
    x, y, z = np.empty(total, np.float32), np.empty(total, np.float32), np.empty(total, np.float32)
    at = 0
    for crystal in range(crystals):
        for k in range(numbers[crystal]):
            x[at] = centers[crystal, 0] + DIAMETER / 2 * dipoles[crystal, k, 0]
            y[at] = centers[crystal, 1] + DIAMETER / 2 * dipoles[crystal, k, 1]
            z[at] = centers[crystal, 2] + DIAMETER / 2 * dipoles[crystal, k, 2]
            at += 1
    pair_sum(x, y, z, sums)
    return at


@njit(fastmath=True, error_model="numpy", parallel=True)
def samples(crystals, count, seed):
    """Pair sums (nm⁻³) and number of dipoles of each packing."""
    sums, dipoles = np.zeros((count, 6), np.float32), np.empty(count, np.int64)
    for i in prange(count):
        state = np.array([seed * count + i], np.uint64)
        state[0] *= MIX_2  # well separated seeds
        dipoles[i] = sample(state, crystals, sums[i])
    return sums, dipoles
