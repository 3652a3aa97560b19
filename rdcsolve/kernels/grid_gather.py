"""The gather of Gram matrices on grids, for Numba: the caller passes contiguous arrays and a preallocated output."""

from __future__ import annotations

import numba

from rdcsolve import narration

narration.announce_compilation()


@numba.njit(cache=True)
def gathered(seen, apart, places, centre, gram):  # type: ignore[no-untyped-def]
    """Write seen[f + g] apart[f - g + centre] for all pairs of places f and g, which are unsigned: no index wraps."""
    size = places.size
    for a in range(size):
        place = places[a]
        for b in range(size):
            gram[a, b] = seen[place + places[b]] * apart[place + centre - places[b]]
