"""Certificates that no channel meets the limits: a lower bound on the rate that no rate can reach.

No rate exceeds H(X). If weights w >= 0 make sum_i p_i min_a w.L(i, a) larger than w.b, the multipliers lambda = s w and
u_i = s min_a w.L(i, a) bound the rate from below by s times the difference (every price is at most one), and s is as
large as we like. So infeasible limits have a certificate of the same form as every other answer, and the same check.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.information import entropy
from rdcsolve.problems import Problem
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.rounding import UNIT, exact_dot
from rdcsolve.solvers.finite.feasibility import best_mixture
from rdcsolve.solvers.finite.reduction import is_below_least

_MOST_CUTS = 200
_CLEARLY = 3.0  # nats by which the bound is to exceed every rate, so that roundings of large multipliers do not matter
_SURE = 8.0  # times as far as the exact excess asks for
_NO_MASS = 1e-15  # what a limit leaves pairs that are forbidden in effect
_EXCLUDING = 1e-6  # the same, of penalties that are cut
_TWICE = 2.0  # times as far as the excess of an entropy asks for, of which half may be rounding
_ENTROPIES = 8.0  # roundings of an entropy that are less than what can be refuted
_ROUNDED = 1e-15  # nats, at least
_LARGEST = 1e250
_DOUBTS = 8.0  # roundings that an excess has to be above


class Refutation(NamedTuple):
    """Weights w (M,), what each symbol's best letter costs beyond the least values (n,), and by how much w.b is missed.

    Attributes
    ----------
    weights, costs, excess
    shifts : numpy.ndarray
        Shape (M, n): the losses' least values, symbol by symbol.
    """

    weights: np.ndarray
    costs: np.ndarray
    excess: float
    shifts: np.ndarray


def refutation(problem: Problem) -> Certificate | None:
    """Return a certificate that no channel meets the problem's limits on losses, or None if none was found."""
    symbols = np.flatnonzero(problem.p_x > 0)
    found = _of_labels(problem, symbols) or _of_one_loss(problem, symbols) or _of_linear_losses(problem, symbols)
    if found is None:
        return None
    size = entropy(problem.p_x[symbols]) + _CLEARLY
    scale = size / found.excess
    point = DualPoint.shifted(problem, symbols, scale * found.costs, scale * found.weights, found.shifts)
    bounding = problem.minimising("rate").with_limits(rate=None)
    return Certificate(
        objective="rate",
        u=point.u,
        u_rest=point.rest,
        multipliers=point.multipliers,
        letters=np.empty(0, dtype=np.intp),
        channel=np.empty((problem.n_x, 0)),
        lower=point.bound(bounding),
        upper=math.nan,
        fingerprint=problem.fingerprint(),
        proof=PriceProof(),  # the sum of all terms, none of which exceeds its mass, bounds every price
    )


def _of_labels(problem: Problem, symbols: np.ndarray) -> Refutation | None:
    """Return what refutes the limit on a single label entropy: it is below H(S | X)."""
    first = len(problem.losses) - len(problem.label_entropies)
    for m, label in enumerate(problem.label_entropies, start=first):
        if math.isinf(problem.bounds[m]):
            continue
        rows = label.conditional[symbols]
        rows = rows / rows.sum(axis=1, keepdims=True)
        least = -(rows * np.log(np.where(rows > 0, rows, 1.0))).sum(axis=1)
        excess = exact_dot((problem.p_x[symbols], least), plus=(-float(problem.bounds[m]),))
        if excess > least_excess(*rows.shape):
            shifts, weights = np.zeros((len(problem.losses), symbols.size)), np.zeros(len(problem.losses))
            shifts[m], weights[m] = least, 1.0
            return Refutation(weights, np.zeros(symbols.size), excess / _TWICE, shifts)
    return None


def least_excess(n_symbols: int, n_classes: int) -> float:
    """Return by how much a limit on a label is to be below H(S | X), nats, to be refuted.

    Less may be rounding: of H(S | X), and of prices, which count logarithms of n_symbols rows of n_classes masses.
    """
    return _ENTROPIES * (_ROUNDED + UNIT * (n_symbols + n_classes + 8) * math.log(n_classes))


def _of_one_loss(problem: Problem, symbols: np.ndarray) -> Refutation | None:
    """Return what refutes the limit on a single linear loss: it is below the least value by more than a rounding.

    The excess is exact, so it may be as small as it likes. The check takes off it what a least mean computed in floats
    may be off by, less than four fifths of the least excess that counts as one; `_SURE` makes up for that.
    """
    p = problem.p_x[symbols]
    for m in range(len(problem.linear_losses)):
        bound = float(problem.bounds[m])
        if math.isinf(bound) or not is_below_least(problem, m, bound):
            continue
        shifts, weights = np.zeros((len(problem.losses), symbols.size)), np.zeros(len(problem.losses))
        shifts[m], weights[m] = problem.row_minima(m)[symbols], 1.0
        return Refutation(weights, np.zeros(symbols.size), mean_excess(p, shifts[m], bound) / _SURE, shifts)
    return None


def _capped(p: np.ndarray, above: np.ndarray, room: float) -> np.ndarray:
    """Return losses above the least ones with penalties cut to what excludes a pair as well, beside what is ordinary.

    A loss that is smaller somewhere has no larger least mean: what refutes the limits for it refutes them for the loss
    itself. And a programme makes no sense of one mass beside another that is 1e16 of it. What counts is what pairs add
    to the mean, for symbols of little mass have their place in a bound that is as close.
    """
    is_finite = np.isfinite(above)
    costs = p[:, None] * np.where(is_finite, above, 0.0)
    ordinary = max(room, float(costs.max(initial=0.0, where=costs <= room / _NO_MASS)))
    if ordinary > 0:
        most = np.minimum(ordinary / _EXCLUDING / np.maximum(p, 1e-200), _LARGEST)
    else:  # a bound at the least mean excludes whatever is above it
        least = float(above.min(initial=math.inf, where=is_finite & (above > 0)))
        most = np.full(p.size, min(least, _EXCLUDING * _LARGEST) / _EXCLUDING)
    return np.where(is_finite, np.minimum(above, most[:, None]), above)


def _stated_rounding(p: np.ndarray, least: np.ndarray) -> float:
    """Return what a least mean rounds by where masses and bounds are rounded before they get here, as the check does.

    That is 4 roundings of the mean distance of the symbols' least values (n,) from their median.
    """
    order = np.argsort(least)
    middle = order[min(int(np.searchsorted(np.cumsum(p[order]), 0.5)), order.size - 1)]
    return float(4 * UNIT * (p @ np.abs(least - least[middle])) * (1 + UNIT * (p.size + 1)))


def _of_linear_losses(problem: Problem, symbols: np.ndarray) -> Refutation | None:
    """Return what refutes the limits on linear losses together, by cutting planes.

    Each weighting has a cheapest deterministic channel, a point of (E L_1 - b_1, ...) in units of the largest term of
    a mean. The linear programme over the points seen gives the best mixture, whose largest coordinate is positive if
    and only if no channel meets the limits, and the next weights.
    """
    limited = [m for m in range(len(problem.linear_losses)) if math.isfinite(problem.bounds[m])]
    if not limited:
        return None
    p, rows = problem.p_x[symbols], np.arange(symbols.size)
    forbidden = None if problem.forbidden is None else problem.forbidden[symbols]
    shifts, scaled, asked, spreads = np.zeros((len(problem.losses), symbols.size)), [], [], []
    doubts = []
    for m in limited:
        matrix = problem.linear_losses[m].block(symbols)
        matrix = matrix if forbidden is None else np.where(forbidden, np.inf, matrix)
        shifts[m] = matrix.min(axis=1)
        above = matrix - shifts[m][:, None]
        room = exact_dot((-p, shifts[m]), plus=(float(problem.bounds[m]),))
        if not problem.equal[m]:
            above = _capped(p, above, room)
        spread = float((p[:, None] * np.where(np.isfinite(above), above, 0.0)).max(initial=0.0)) or 1.0
        spreads.append(spread)
        scaled.append(above / spread)
        # the check takes a bound below the least mean by a rounding as one at it
        asked.append((room if problem.equal[m] else max(room, 0.0)) / spread)
        doubts.append(_stated_rounding(p, shifts[m]) / spread)
    # a loss that is held at its bound has two sides, each with a weight >= 0 of its own
    held = np.flatnonzero(problem.equal[limited])
    sides, signs = np.r_[np.arange(len(limited)), held], np.r_[np.ones(len(limited)), -np.ones(held.size)]
    weights, points = np.full(sides.size, 1 / sides.size), []
    best: Refutation | None = None
    for _ in range(_MOST_CUTS):
        deadline.look()
        both = np.bincount(sides, weights * signs, minlength=len(limited))
        mixed = np.tensordot(both, np.where(np.isfinite(scaled), scaled, 0.0), axes=1)
        mixed = mixed if forbidden is None else np.where(forbidden, np.inf, mixed)
        choice = mixed.argmin(axis=1)
        costs = mixed[rows, choice]
        excess = float(p @ costs) - float(both @ asked)
        sizes = float(p @ np.abs(costs)) + float(np.abs(both) @ np.abs(asked))
        excess -= _DOUBTS * (UNIT * (p.size + len(limited)) * sizes + float(np.abs(both) @ doubts))
        if excess > 0 and (best is None or excess > best.excess):
            whole = np.zeros(len(problem.losses))
            whole[limited] = both / spreads
            best = Refutation(whole, costs, excess, shifts)
        above = np.array([float(p @ loss[rows, choice]) - b for loss, b in zip(scaled, asked, strict=True)])
        points.append(signs * above[sides])
        if sides.size == 1:
            break
        attained, weights, _ = best_mixture(np.array(points))
        if attained <= 0 or attained - excess <= 1e-3 * attained:
            break
    return best
