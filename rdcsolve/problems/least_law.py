"""Limits on the law of the reproduction at the least distance of any law: how they are read.

Where the target has mass that no reproduction can carry, no law is at distance zero. A limit at the least distance
leaves only the laws that attain it, no channel of floats has one of them, and whoever computes that distance may end
a few roundings above or below. So such a limit is read as the least distance and what computing it rounds by.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Context, Decimal, localcontext
from typing import NamedTuple

import numpy as np

from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.problems.perception import DIVERGENCES, Perception
from rdcsolve.rounding import UNIT

_CLOSE = 1e-11  # of the scale: room above the least distance that is no more than roundings of a long plan
_DIGITS = 50
_TERMS = 4  # roundings of a computed least distance, beside one for every mass


class AtLeast(NamedTuple):
    """A limit at the least distance, as it is read.

    Attributes
    ----------
    bound : float
        Not below the one stated, nor below the least distance.
    exact : Perception
        A measure whose limit at zero leaves laws within `bound` only.
    """

    bound: float
    exact: Perception


def at_least(perception: Perception, bound: float) -> AtLeast | None:
    """Return how a limit near the least distance of any law on the places is read.

    Parameters
    ----------
    perception : Perception
    bound : float
        The limit.

    Returns
    -------
    AtLeast or None
        None where the limit is zero, clear of the least distance on either side, or that distance is not known.
    """
    if not 0 < bound < math.inf:
        return None
    if perception.cost is not None:
        return _transport(perception, bound)
    if not perception.outside or perception.measure == "exact":
        return None
    if perception.measure == "tv":
        return _total_variation(perception, bound)
    return _divergence(perception, bound) if perception.measure in DIVERGENCES else None


def _transport(perception: Perception, bound: float) -> AtLeast | None:
    assert perception.cost is not None
    nearest = perception.cost.min(axis=1)
    room = -mean_excess(perception.target, nearest, bound)
    least = bound - room
    if not least > 0:
        return None
    rounding = UNIT * (np.count_nonzero(perception.target) + _TERMS) * least
    if not -rounding <= room <= max(rounding, _CLOSE * perception.scale):
        return None
    # all mass at pairs that cost no more than that is within the limit, whatever these numbers are rounded by
    apart = perception.cost - nearest[:, None] > 0.5 * max(room, rounding)
    return AtLeast(max(bound, least + rounding), replace(perception, measure="transport", cost=apart.astype(float)))


def _total_variation(perception: Perception, bound: float) -> AtLeast | None:
    """Return the limit as one of laws that have all of the target's masses on places, and more anywhere."""
    masses = np.append(perception.target, perception.outside)
    values = np.append(np.zeros(perception.target.size), 1.0)
    room = -mean_excess(masses, values, bound)
    rounding = UNIT * (np.count_nonzero(masses) + _TERMS)
    if not -rounding <= room <= max(rounding, _CLOSE):
        return None
    cost = np.vstack([1.0 - np.eye(perception.n_places), np.zeros(perception.n_places)])
    exact = replace(perception, measure="transport", target=masses, cost=cost, outside=0.0)
    return AtLeast(max(bound, bound - room + rounding), exact)


def _divergence(perception: Perception, bound: float) -> AtLeast | None:
    """Return the limit as one that leaves only the target's own shares: f is strictly convex, and f' increases."""
    with localcontext(Context(prec=_DIGITS)):
        shown, outside = (
            sum(map(Decimal, part), Decimal(0)) for part in (perception.target.tolist(), [perception.outside])
        )
        share = shown / (shown + outside)
        least = _least_divergence(perception.measure, share) if share else None
        if least is None:
            return None
        room = float(Decimal(bound) - least)
    rounding = UNIT * (np.count_nonzero(perception.target) + 1 + _TERMS)
    if not -rounding <= room <= max(rounding, _CLOSE):
        return None
    return AtLeast(max(bound, float(least) + rounding), replace(perception, measure="exact", outside=0.0))


def _least_divergence(measure: str, share: Decimal) -> Decimal | None:
    """Return T f(1 / T) + (1 - T) f(0) for a target with the mass T on places, None where f(0) is infinite."""
    if measure == "kl":
        return -share.ln()
    if measure == "chi2":
        return 1 / share - 1
    if measure == "hellinger":
        return 1 - share.sqrt()
    if measure == "js":  # of the mixture (1 + T) / 2 on places and (1 - T) / 2 elsewhere
        return _mixed(share)
    return None


def _mixed(share: Decimal) -> Decimal:
    two = Decimal(2)
    return (share * (2 * share / (1 + share)).ln() + (two / (1 + share)).ln() + (1 - share) * two.ln()) / 2
