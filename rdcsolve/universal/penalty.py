"""The rate penalty between bounds, from bounds on R(Theta) and on the rates of the targets alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rdcsolve.results import Proof


class Bounds(NamedTuple):
    """Bounds on a rate: what is proved from below, what a search found there (no less), and what is attained."""

    proved: float
    found: float
    upper: float


class Penalty(NamedTuple):
    """Bounds on A(Theta), and what they prove."""

    lower: float
    upper: float
    proof: Proof


def penalty_between(together: Bounds, alone: Sequence[Bounds], tolerance: float, *, is_one: bool) -> Penalty:
    """Return bounds on the penalty; only the bounds that decide need a proof of their own.

    Parameters
    ----------
    together : Bounds
        On R(Theta); `upper` is inf where no encoder was found, and so is the upper bound on the penalty then.
    alone : sequence of Bounds
        On the rate of every target alone; `upper` is inf where no channel was found.
    tolerance : float
        By how much a proved upper bound may be weaker than one that rests on a search, and is yet preferred.
    is_one : bool
        Whether one target implies all others, so that R(Theta) is its rate, whatever that is.
    """
    if is_one:
        return Penalty(0.0, 0.0, Proof.CERTIFIED)
    dearest = max(one.upper for one in alone)
    low, proved_low = (max(bound - dearest, 0.0) for bound in (together.found, together.proved))
    high = max(together.upper - max(one.found for one in alone), 0.0)
    proved_high = max(together.upper - max(one.proved for one in alone), 0.0)
    if low <= proved_low and proved_high <= high + tolerance:
        return Penalty(proved_low, proved_high, Proof.CERTIFIED)
    return Penalty(low, high, Proof.UNVERIFIED)
