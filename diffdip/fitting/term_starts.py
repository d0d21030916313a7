"""Where parameters of terms are likely, as the data suggest: the range that starts cover.

In the plane of a film w0² = H (H + µ0M_eff), along its normal w0 = H − µ0M_eff. All other fields
are of the size by which the resonance field varies, or less where a film makes it vary.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float


FILM: Final = "Meff"

LEAST: Final = 0.02
"""Fields are likely within this part of w0, at least."""

BESIDE_FILM: Final = 0.15
"""Out of the plane of a film, other fields are likely within twice this part of w0."""

WIDE: Final = 0.3
"""The estimate of µ0M_eff is that good."""


class Likely(NamedTuple):
    """Starts of a parameter cover `center` ± `width` (SI)."""

    center: float
    width: float


def likely_values(
    names: Sequence[str],
    observed: Float[np.ndarray, " n"],
    larmor: Float[np.ndarray, " n"],
    in_film_plane: bool,
) -> dict[str, Likely]:
    """Ranges of the fields among `names`, from resonance fields and w0 of each point (tesla).

    `in_film_plane` says that all fields lie in the xy-plane. Angles are not among the results.
    """
    known = np.isfinite(observed) & np.isfinite(larmor)
    field, w0 = observed[known], larmor[known]
    if not len(field):
        return {}
    # the shift at each point, so that several frequencies do not count as anisotropy
    varies = float(np.ptp(field - w0)) if in_film_plane else float(np.ptp(field))
    if FILM in names and not in_film_plane:
        # the film makes most of the variation
        varies = min(varies, BESIDE_FILM * float(np.median(w0)))
    width = max(2 * varies, LEAST * float(np.median(w0)))
    likely = {name: Likely(0.0, width) for name in names if name != FILM}
    if in_film_plane:
        film = float(np.median(w0**2 / field - field))
        likely[FILM] = Likely(film, max(WIDE * abs(film), width))
    else:
        # somewhere between the values that the two extreme fields have in the plane and across it
        high, low = float(np.max(field)), float(np.min(field))
        across, along = high - float(np.median(w0)), float(np.median(w0)) ** 2 / low - low
        center = 0.5 * (across + along)
        likely[FILM] = Likely(center, max(abs(across - along), WIDE * abs(center), width))
    return likely
