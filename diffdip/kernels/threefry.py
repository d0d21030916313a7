"""Random numbers of JAX's generator, threefry with 20 rounds, for loops that numba compiles.

The numbers are those of `numerics.random_numbers`.
"""

import numpy as np
from numba import njit


U32 = np.uint32
PARITY = U32(0x1BD11BDA)
TURNS = tuple(tuple(U32(turn) for turn in turns) for turns in ((13, 15, 26, 6), (17, 29, 16, 24)))
WORD = U32(32)

_compiled = njit(error_model="numpy")
_within = njit(error_model="numpy", forceinline=True)


@_within
def mix(a, b, turn):
    """One round: the sum, and the second word rotated and combined with it."""
    a = U32(a + b)
    b = U32(U32(b << turn) | U32(b >> U32(WORD - turn)))
    return a, U32(a ^ b)


@_within
def block(key, a, b):
    """The two words of threefry with 20 rounds, for a key of two words and a counter of two."""
    one, two = key
    three = U32(U32(one ^ two) ^ PARITY)
    (r, s, t, u), (v, w, x, y) = TURNS
    a, b = U32(a + one), U32(b + two)
    a, b = mix(a, b, r)
    a, b = mix(a, b, s)
    a, b = mix(a, b, t)
    a, b = mix(a, b, u)
    a, b = U32(a + two), U32(b + U32(three + U32(1)))
    a, b = mix(a, b, v)
    a, b = mix(a, b, w)
    a, b = mix(a, b, x)
    a, b = mix(a, b, y)
    a, b = U32(a + three), U32(b + U32(one + U32(2)))
    a, b = mix(a, b, r)
    a, b = mix(a, b, s)
    a, b = mix(a, b, t)
    a, b = mix(a, b, u)
    a, b = U32(a + one), U32(b + U32(two + U32(3)))
    a, b = mix(a, b, v)
    a, b = mix(a, b, w)
    a, b = mix(a, b, x)
    a, b = mix(a, b, y)
    a, b = U32(a + two), U32(b + U32(three + U32(4)))
    a, b = mix(a, b, r)
    a, b = mix(a, b, s)
    a, b = mix(a, b, t)
    a, b = mix(a, b, u)
    return U32(a + three), U32(b + U32(one + U32(5)))


@_compiled
def fold(key, number):
    """The key of a number: `jax.random.fold_in`."""
    return block(key, U32(0), number)


@_compiled
def fill(words, key, count, precise):
    """The words of `count` numbers, an even one: see `numerics.random_numbers`."""
    blocks = count if precise else count // 2
    # with slices, numba knows that no index is negative, and the loop is vectorized
    ones, twos = words[:blocks], words[blocks : 2 * blocks]
    for i in range(len(ones)):
        ones[i], twos[i] = block(key, U32(i), U32(i + blocks))


@_within
def uniform_at(words, i, count, precise):
    """Number i of the `count` that `fill` prepared."""
    if precise:
        high, low = np.int64(words[i]) >> 5, np.int64(words[i + count]) >> 6
        return (high * 2.0**26 + low) * 2.0**-53
    return (np.int64(words[i]) >> 8) * 2.0**-24


@_compiled
def uniforms(words, count, precise, numbers):
    """The `count` numbers that `fill` prepared."""
    ones, twos, own = words[:count], words[count : 2 * count], numbers[:count]
    if precise:
        for i in range(len(ones)):
            own[i] = (
                np.int64(ones[i] >> U32(5)) * 2.0**26 + np.int64(twos[i] >> U32(6))
            ) * 2.0**-53
    else:
        for i in range(len(ones)):
            own[i] = np.int64(ones[i] >> U32(8)) * 2.0**-24
