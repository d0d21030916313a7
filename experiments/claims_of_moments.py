"""The claim that all moments are parallel, from sweeps of moments that turn one by one."""

from collections.abc import Sequence

import collinearity
from claim import Claim


def parallel(rows: Sequence[collinearity.Row]) -> Claim:
    """The claim that exchange keeps the moments parallel, so that only the sum of energies acts."""
    head = "exchange keeps all moments parallel, so that only the sum of dipolar energies acts"
    source = "after eq. 1"
    if not rows:
        return Claim(head, source, "-", "not checkable", "no sweep was computed in this run", {})
    least, most = (end(row.ratio for row in rows) for end in (min, max))
    texts, numbers = [], {}
    for spacing in collinearity.SPACINGS:
        own = [row for row in rows if row.spacing == spacing and row.law == "all"]
        weak = [row for row in own if row.ratio == least]
        amplitude = collinearity.middle(weak, "amplitude")[0]
        deviation = collinearity.middle(weak, "deviation")[0]
        needed = {law: collinearity.needed(rows, spacing, law) for law in collinearity.LAWS}
        pair = collinearity.middle(weak, "pair_energy")[0] / collinearity.MEV
        every, near = (_times(needed[law], most) for law in ("all", "near"))
        name = "anywhere" if spacing == 0 else f"{spacing:g} nm from others"
        texts.append(
            f"extra dipoles {name}: with exchange of {least:g} of the closest pair's energy "
            f"({1e3 * pair:.0f} µeV) the deviation is {deviation:.2f} of the shift of Hres, and "
            f"the amplitude {amplitude:.2f} of that of parallel moments; a deviation below "
            f"{collinearity.NEAR:g} needs {every} that energy if all pairs couple alike, "
            f"{near} if exchange decays in {collinearity.DECAY:g} nm"
        )
        numbers |= {
            f"deviation_weak_{spacing:g}_nm": deviation,
            f"amplitude_weak_{spacing:g}_nm": amplitude,
            f"pair_energy_meV_{spacing:g}_nm": pair,
        }
        numbers |= {
            f"ratio_needed_{law}_{spacing:g}_nm": value
            for law, value in needed.items()
            if value < float("inf")
        }
    return Claim(
        head,
        source,
        "; ".join(texts),
        "depends",
        "the exchange of a moment with all others, summed, has to exceed the dipolar energy of the "
        "closest pair many times, also between crystals; the paper does not state its strength; "
        f"{sum(row.not_read for row in rows)} of {len(rows) * len(collinearity.ANGLES)} sweeps "
        f"could not be read, and {sum(row.rigid_amplitude != row.rigid_amplitude for row in rows)} "
        f"of {len(rows)} comparisons have no rigid resonance",
        numbers,
    )


def _times(ratio: float, most: float) -> str:
    return f"{ratio:.0f} times" if ratio < float("inf") else f"more than {most:g} times"
