"""Can the limits of a stated problem be met? By exact least values, a linear programme, and channels that are known."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import campaign_exact as exact
import numpy as np
from flint import arb
from scipy.optimize import linprog

_CLEAR = 1e-8  # of the spreads: a margin that linear programming tells for certain
_MAPS = 500  # maps from symbols to letters that are all tried


def meets(stated, found) -> bool:
    """Return whether it is proved that an evaluated channel keeps every limit, with no slack."""
    if found.faults:
        return False
    limits = [(found.means[name], bound) for name, bound in active(stated).items()]
    limits += [] if stated.rate is None else [(found.rate, stated.rate)]
    return all(value <= arb(bound) or _is_zero(value, bound) for value, bound in limits)


def _is_zero(value, bound) -> bool:
    return bound == 0 and value.contains(arb(0))


def active(stated) -> dict[str, float]:
    """Return the limits that count."""
    if stated.multipliers is not None:
        return {}
    return {name: bound for name, bound in stated.bounds.items() if bound < math.inf and name != stated.minimise}


def can_be_met(stated) -> bool | None:
    """Return whether some channel meets the limits on losses, whatever its rate; None if that is not known."""
    limits = active(stated)
    for name, bound in limits.items():
        if exact.least(stated, name) > arb(bound):
            return False
    if stated.witness is not None and meets(_without_rate(stated), _evaluated(stated, stated.witness)):
        return True
    linear = {name: bound for name, bound in limits.items() if name in stated.linear}
    answer = True if len(linear) < 2 else _by_programme(stated, linear)
    has_entropies = any(name in limits for name in stated.entropies)
    if stated.letters != "fixed" or not has_entropies or answer is False:
        return answer  # split letters tell all symbols apart, whatever is shown: entropies are at their least values
    return _by_maps(stated, limits)


def _without_rate(stated):
    return replace(stated, rate=None)


def _evaluated(stated, channel):
    return exact.attained(stated, channel, np.arange(channel.shape[1]))


def _by_programme(stated, linear) -> bool | None:
    """Return whether several linear limits can be met at once, or None if it is a matter of rounding."""
    symbols = np.flatnonzero(stated.p > 0)
    allowed = ~stated.forbidden[symbols]
    p = stated.p[symbols] / math.fsum(stated.p)
    rows, right = [], []
    for name, bound in linear.items():
        least = np.where(allowed, stated.linear[name][symbols], math.inf).min(axis=1)
        spread = float(exact.spread(stated, name)) or 1.0
        shifted = np.where(allowed, stated.linear[name][symbols] - least[:, None], 0.0) / spread
        rows.append((p[:, None] * shifted)[allowed])
        right.append(float((arb(bound) - exact.least(stated, name)) / arb(spread)))
    count = int(allowed.sum())
    which = np.nonzero(allowed)[0]
    answer = linprog(
        np.r_[np.zeros(count), 1.0],
        A_ub=np.hstack([np.array(rows), -np.ones((len(rows), 1))]),
        b_ub=right,
        A_eq=np.hstack([(which == np.arange(symbols.size)[:, None]).astype(float), np.zeros((symbols.size, 1))]),
        b_eq=np.ones(symbols.size),
        bounds=[(0, None)] * count + [(None, None)],
        method="highs",
    )
    if answer.status != 0 or abs(answer.fun) < _CLEAR:
        return None
    return bool(answer.fun < 0)


def _by_maps(stated, limits) -> bool | None:
    """Return whether fixed letters can meet the limits, as far as maps from symbols to letters tell.

    An entropy is concave in the channel, so by itself it is least at a map.
    """
    symbols = np.flatnonzero(stated.p > 0)
    choices = [np.flatnonzero(~stated.forbidden[i]) for i in symbols]
    if math.prod(len(one) for one in choices) > _MAPS:
        return None
    reached = dict.fromkeys((name for name in stated.entropies if name in limits), False)
    for letters in itertools.product(*choices):
        channel = np.zeros(stated.forbidden.shape)
        channel[symbols, list(letters)] = 1.0
        found = _evaluated(stated, channel)
        if meets(_without_rate(stated), found):
            return True
        reached |= {name: True for name in reached if not found.means[name] > arb(limits[name])}
    return None if all(reached.values()) else False
