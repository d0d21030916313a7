"""The laws of a packing, for loops that numba compiles: directions, ligands, extra dipoles, walls.

They are those of `ensembles.crystal_growth`, `surface_dipoles` and `containers`, in float64. What
many proposals need is a loop over arrays that the compiler can do with vectors: without branches,
and with polynomials instead of calls of a library.
"""

import math

import numpy as np
from numba import njit


CYLINDER, SPHERE, BOX = range(3)

_compiled = njit(error_model="numpy")
_FREE = {"nsz", "arcp", "contract", "afn"}
_vectorized = njit(fastmath=_FREE, error_model="numpy")
_within = njit(fastmath=_FREE, error_model="numpy", forceinline=True)

# the power series of sine and cosine, exact to rounding up to an eighth of a turn
_SINE = tuple((-1) ** k / math.factorial(2 * k + 1) for k in range(8))
_COSINE = tuple((-1) ** k / math.factorial(2 * k) for k in range(9))


@_within
def on_circle(share):
    """Cosine and sine of a share of a full turn, from 0 to 1."""
    quarter = math.floor(4 * share + 0.5)
    angle = (share - 0.25 * quarter) * (2 * math.pi)
    x = angle * angle
    a, b, c, d, e, f, g, h = _SINE
    sine = angle * (a + x * (b + x * (c + x * (d + x * (e + x * (f + x * (g + x * h)))))))
    a, b, c, d, e, f, g, h, i = _COSINE
    cosine = a + x * (b + x * (c + x * (d + x * (e + x * (f + x * (g + x * (h + x * i)))))))
    turned = (quarter == 1) | (quarter == 3)
    cosine, sine = (sine, cosine) if turned else (cosine, sine)
    cosine = -cosine if (quarter == 1) | (quarter == 2) else cosine
    sine = -sine if (quarter == 2) | (quarter == 3) else sine
    return cosine, sine


@_within
def direction(one, two):
    """A random unit vector from two uniform numbers."""
    z = 2 * one - 1
    across = math.sqrt(max(1 - z * z, 0.0))
    cosine, sine = on_circle(two)
    return across * cosine, across * sine, z


@_vectorized
def directions(one, two, x, y, z):
    """Random unit vectors from uniform numbers."""
    for k in range(len(one)):
        x[k], y[k], z[k] = direction(one[k], two[k])


@_compiled
def normal_below(x):
    """The share of a normal law below x."""
    return 0.5 * math.erfc(-x * math.sqrt(0.5))


# the inverse of the error function in three ranges, highest power first (Giles 2012, table 5)
# fmt: off
_CENTRE = np.array([
    -3.6444120640178196996e-21, -1.685059138182016589e-19, 1.2858480715256400167e-18,
    1.115787767802518096e-17, -1.333171662854620906e-16, 2.0972767875968561637e-17,
    6.6376381343583238325e-15, -4.0545662729752068639e-14, -8.1519341976054721522e-14,
    2.6335093153082322977e-12, -1.2975133253453532498e-11, -5.4154120542946279317e-11,
    1.051212273321532285e-09, -4.1126339803469836976e-09, -2.9070369957882005086e-08,
    4.2347877827932403518e-07, -1.3654692000834678645e-06, -1.3882523362786468719e-05,
    0.0001867342080340571352, -0.00074070253416626697512, -0.0060336708714301490533,
    0.24015818242558961693, 1.6536545626831027356,
])
_TAIL = np.array([
    2.2137376921775787049e-09, 9.0756561938885390979e-08, -2.7517406297064545428e-07,
    1.8239629214389227755e-08, 1.5027403968909827627e-06, -4.013867526981545969e-06,
    2.9234449089955446044e-06, 1.2475304481671778723e-05, -4.7318229009055733981e-05,
    6.8284851459573175448e-05, 2.4031110387097893999e-05, -0.0003550375203628474796,
    0.00095328937973738049703, -0.0016882755560235047313, 0.0024914420961078508066,
    -0.0037512085075692412107, 0.005370914553590063617, 1.0052589676941592334,
    3.0838856104922207635,
])
_END = np.array([
    -2.7109920616438573243e-11, -2.5556418169965252055e-10, 1.5076572693500548083e-09,
    -3.7894654401267369937e-09, 7.6157012080783393804e-09, -1.4960026627149240478e-08,
    2.9147953450901080826e-08, -6.7711997758452339498e-08, 2.2900482228026654717e-07,
    -9.9298272942317002539e-07, 4.5260625972231537039e-06, -1.9681778105531670567e-05,
    7.5995277030017761139e-05, -0.00021503011930044477347, -0.00013871931833623122026,
    1.0103004648645343977, 4.8499064014085844221,
])
# fmt: on


@njit(error_model="numpy", fastmath={"contract"})
def polynomial(coefficients, x):
    """Its value; an odd number of coefficients. Two chains of operations run side by side."""
    squared, even, odd = x * x, coefficients[0], coefficients[1]
    for k in range(2, len(coefficients) - 1, 2):
        even, odd = even * squared + coefficients[k], odd * squared + coefficients[k + 1]
    return (even * x + odd) * x + coefficients[len(coefficients) - 1]


@_compiled
def erf_inv(x):
    """The inverse of the error function, for −1 < x < 1."""
    w = -math.log((1 - x) * (1 + x))
    if w < 6.25:
        return x * polynomial(_CENTRE, w - 3.125)
    if w < 16:
        return x * polynomial(_TAIL, math.sqrt(w) - 3.25)
    return x * polynomial(_END, math.sqrt(w) - 5)


# the quantile of the normal law where its distance from 1/2 is below 0.425 (Wichura 1988, AS 241)
_ABOVE = (
    3.3871328727963666080,
    133.14166789178437745,
    1971.5909503065514427,
    13731.693765509461125,
    45921.953931549871457,
    67265.770927008700853,
    33430.575583588128105,
    2509.0809287301226727,
)
_BELOW = (
    1.0,
    42.313330701600911252,
    687.18700749205790830,
    5394.1960214247511077,
    21213.794301586595867,
    39307.895800092710610,
    28729.085735721942674,
    5226.4952788528545610,
)
_CENTRAL = 0.425


@_within
def _central_score(share):
    """The quantile of the normal law, for shares from 0.075 to 0.925."""
    q = share - 0.5
    x = _CENTRAL * _CENTRAL - q * q
    a, b, c, d, e, f, g, h = _ABOVE
    above = a + x * (b + x * (c + x * (d + x * (e + x * (f + x * (g + x * h))))))
    a, b, c, d, e, f, g, h = _BELOW
    below = a + x * (b + x * (c + x * (d + x * (e + x * (f + x * (g + x * h))))))
    return q * above / below


@_within
def _score(share):
    """The quantile of the normal law."""
    if abs(share - 0.5) <= _CENTRAL:
        return _central_score(share)
    return math.sqrt(2.0) * erf_inv(2 * share - 1)


@_within
def thickness(uniform, mean, sd, most):
    """Thickness of a ligand shell; `most` is the share of the normal law above zero."""
    return max(mean - sd * _score((1 - uniform) * most), 0.0)


@_vectorized
def _central_thicknesses(uniform, mean, sd, most, found):
    for k in range(len(uniform)):
        found[k] = max(mean - sd * _central_score((1 - uniform[k]) * most), 0.0)


@_compiled
def thicknesses(uniform, mean, sd, most, found):
    """`thickness` of many shells; few are in the tails of the normal law."""
    _central_thicknesses(uniform, mean, sd, most, found)
    for k in range(len(uniform)):
        if abs((1 - uniform[k]) * most - 0.5) > _CENTRAL:
            found[k] = thickness(uniform[k], mean, sd, most)


@_compiled
def share_below(thickness, mean, sd, precise):
    """The probability of a thinner shell, and whether it is large enough for this precision."""
    if not math.isfinite(thickness):
        return 1.0, True
    share = 1 - normal_below((mean - thickness) / sd) / normal_below(mean / sd)
    return share, share > 1000 * (2.0**-52 if precise else 2.0**-23)


@_compiled
def fisher(one, two, x, y, z, kappa):
    """A random unit vector by Fisher's law about (x, y, z), from two uniform numbers."""
    below = min(-math.log1p((1 - one) * math.expm1(-2 * kappa)) / kappa, 2.0)
    across = math.sqrt(max(below * (2 - below), 0.0))
    cosine, sine = on_circle(two)
    c, s = across * cosine, across * sine
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
def point(kind, sizes, one, two, three):
    """A random point in a container, from three uniform numbers."""
    if kind == CYLINDER:
        distance, (cosine, sine) = sizes[7] * math.sqrt(one), on_circle(two)
        return distance * cosine, distance * sine, sizes[8] * (2 * three - 1)
    if kind == SPHERE:
        x, y, z = direction(one, two)
        distance = sizes[7] * three ** (1 / 3)
        return distance * x, distance * y, distance * z
    return sizes[7] * (2 * one - 1), sizes[8] * (2 * two - 1), sizes[9] * (2 * three - 1)


@_vectorized
def lie_within(kind, sizes, x, y, z, first, last, within):
    """Whether the points from `first` to `last` lie in a container."""
    # one condition for all containers, without branches
    radius = math.inf if kind == BOX else sizes[7]
    weight = 1.0 if kind == SPHERE else 0.0
    most_x = sizes[7] if kind == BOX else math.inf
    most_y = sizes[8] if kind == BOX else math.inf
    most_z = sizes[9] if kind == BOX else sizes[8] if kind == CYLINDER else math.inf
    most = radius * radius
    for k in range(np.uint64(first), np.uint64(last)):  # no index is negative
        in_round = x[k] * x[k] + y[k] * y[k] + weight * (z[k] * z[k]) <= most
        in_box = (abs(x[k]) <= most_x) & (abs(y[k]) <= most_y) & (abs(z[k]) <= most_z)
        within[k] = in_round & in_box


@_compiled
def farthest(kind, sizes, x, y, z):
    """The largest distance from a point to a point of a container."""
    if kind == CYLINDER:
        return math.hypot(math.hypot(x, y) + sizes[7], abs(z) + sizes[8])
    if kind == SPHERE:
        return math.sqrt(x * x + y * y + z * z) + sizes[7]
    x, y, z = abs(x) + sizes[7], abs(y) + sizes[8], abs(z) + sizes[9]
    return math.sqrt(x * x + y * y + z * z)
