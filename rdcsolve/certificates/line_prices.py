"""Upper bounds of prices where the loss is a distance between points of the line, or its square: O(n + k) of work.

The price of a letter at y is c(y) = sum_i w_i exp(-lambda L(x_i, y)) with w >= 0. Everything here errs by fractions of
W = sum_i w_i, which is some ten times the largest price, or of c(y) itself.

**Absolute error.** Symbols to the left of y and those to its right are added up apart, from the left and from the
right, by running sums of w_i exp(lambda (x_i - r)) with r no more than 32 nat from x_i; all terms are non-negative.

**Squared error.** With zeta = (x - b) sqrt(2 lambda) and tau = (y - b) sqrt(2 lambda), |tau| <= 1/2, for the centre b
of a block of letters,

    exp(-lambda (x - y)^2) = exp(-tau^2 / 2) sum_k [exp(-zeta^2 / 2) zeta^k / sqrt(k!)] [tau^k / sqrt(k!)].

A bracket of the first kind is at most one in size, since (k / e)^k <= k!, so that terms from k = 22 on come to less
than W 2^-22 / sqrt(22!) (1 + 1 / 9 + ...) < 10^-17 W. Symbols with |zeta| > 10 are worth less than exp(-9.5^2 / 2) <
10^-19 W.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.elementary import LOWEST, Elementary
from rdcsolve.certificates.elementary import exp_upper as exponential
from rdcsolve.certificates.product_prices import ProductPrices
from rdcsolve.problems import Problem
from rdcsolve.problems.line import LineLoss
from rdcsolve.rounding import TINY, row_sums, sum_units, units

_WORTHWHILE = 1 << 20  # pairs: on shorter lines every pair is looked at, which errs by a little less
_LEAST_MASS = 1e-300  # to which masses are raised: their logarithms stay in range
_DEGREES = 22
_LEFT_OUT = 1e-16  # of W: terms of higher degrees and far symbols, ten times over
_FAR = 10.0
BLOCK = 32.0
"""Nats that a running sum goes on without being carried."""

_AT_A_TIME = 1 << 16


def line_loss(problem: Problem, multipliers: np.ndarray) -> LineLoss | None:
    """Return the one loss with a multiplier if it is between points of a line, and nothing is forbidden."""
    active = np.flatnonzero(multipliers)
    if active.size != 1 or active[0] >= len(problem.linear_losses) or problem.forbidden is not None:
        return None
    structure = problem.linear_losses[active[0]].structure
    return structure if isinstance(structure, LineLoss) and multipliers[active[0]] > 0 else None


def prices_on_line(numbers: Any, worthwhile: int = _WORTHWHILE) -> ProductPrices | None:
    """Return upper bounds of sum_i p_i exp(e_i - lambda (L(i, a) - origin(i))), or None off the line.

    They hold whether a loss is exact or computed in floats, which errs by three roundings of itself.

    Parameters
    ----------
    numbers : FloatNumbers
        With e and the origins, its losses' least values.
    worthwhile : int, optional
        How many pairs of symbol and letter there have to be.

    Notes
    -----
    The weights are w_i = p_i exp(e_i + lambda origin_i), raised by what their exponents err by. An exponent lambda L
    that errs by a fraction d changes its term by at most d (lambda L) exp(-lambda L) < 0.37 d, to the first order: so
    roundings of losses, multipliers and places count as fractions of W.
    """
    problem, masses = numbers.problem, numbers.masses
    loss = line_loss(problem, numbers.multipliers)
    high, low = numbers.exponents
    if loss is None or masses.size * problem.n_letters < worthwhile or not np.isfinite(high).all():
        return None
    m = int(np.flatnonzero(numbers.multipliers)[0])
    multiplier = float(numbers.multipliers[m])
    raised = high + (np.abs(low) + units(4) * np.abs(high))
    if numbers.origins[m].any():
        worth = multiplier * np.abs(numbers.origins[m])
        raised = raised + worth + units(6) * (worth + np.abs(raised))
    floored = np.maximum(masses, _LEAST_MASS)
    scale = float((raised + np.log(floored)).max())
    if not math.isfinite(scale):
        return None
    apart = raised - scale
    apart += units(2) * np.abs(apart)
    weights = floored * exponential(numbers.elementary, apart) * (1 + units(4)) + TINY
    points = loss.points if numbers.rows is None else loss.points[numbers.rows]
    total = float(row_sums(weights)) * (1 + units(sum_units(weights.size) + 1))
    find = _absolute if loss.distortion == "absolute" else _squared
    bounds = find(numbers.elementary, points, weights, loss.reproduction, multiplier, total)
    return ProductPrices(scale, bounds)


def _absolute(
    elementary: Elementary, x: np.ndarray, w: np.ndarray, y: np.ndarray, multiplier: float, total: float
) -> np.ndarray:
    """Return bounds under absolute error.

    An exponent lambda (x - r) errs by 3 roundings of itself and, of a distance of up to 32 nat, of x - r: some
    10^-14. A price goes through as many additions as there are symbols, and a carry over every block.
    """
    count = units(x.size + y.size + 2 * 8 * BLOCK + 64) + 8 * elementary.excess
    prices = from_left(elementary, x, w, y, multiplier, "right")
    prices += from_left(elementary, -x[::-1], w[::-1], -y[::-1], multiplier, "left")[::-1]
    return prices * (1 + count) + total * units(16) + TINY


def from_left(
    elementary: Elementary, x: np.ndarray, w: np.ndarray, y: np.ndarray, multiplier: float, side: Any
) -> np.ndarray:
    """Return the sum over x <= y (side right) or x < y (left) of w exp(-lambda (y - x)), shape (k,)."""
    low = min(x[0], y[0])
    block_x, block_y = (np.floor(multiplier * (place - low) / BLOCK) for place in (x, y))
    found = np.zeros(y.size)
    carried, at = 0.0, low  # what is left of all symbols before, at the beginning of the block in hand
    for block in np.union1d(block_x, block_y).tolist():
        deadline.look()
        start = low + block * BLOCK / multiplier
        if carried:
            carried *= float(exponential(elementary, np.array([-multiplier * (start - at)]))[0])
        at = start
        here = slice(*np.searchsorted(block_x, [block, block + 1]).tolist())
        there = slice(*np.searchsorted(block_y, [block, block + 1]).tolist())
        sums = np.r_[0.0, np.cumsum(w[here] * exponential(elementary, multiplier * (x[here] - start)))]
        before = np.searchsorted(x[here], y[there], side)
        found[there] = (carried + sums[before]) * exponential(elementary, -multiplier * (y[there] - start))
        carried += float(sums[-1])
    return found


def _squared(
    elementary: Elementary, x: np.ndarray, w: np.ndarray, y: np.ndarray, multiplier: float, total: float
) -> np.ndarray:
    """Return bounds under squared error.

    A bracket exp(-zeta^2 / 2) zeta^k / sqrt(k!) is computed by k + 8 roundings and an exponential, and zeta errs by 4
    units of itself, which changes it by at most 4 (k + zeta^2) units of itself, and sup zeta^2 times it is below k + 3:
    less than 250 units in all. Sums and Horner's polynomial add their own.
    """
    root = math.sqrt(2 * multiplier)
    count = units(sum_units(x.size) + 600) + 4 * elementary.excess
    allowed = total * (2.0 * count + _LEFT_OUT)
    _, firsts = np.unique(np.floor((y - y[0]) * root), return_index=True)
    bounds = np.empty(y.size)
    for first, end in pairwise([*firsts.tolist(), y.size]):
        deadline.look()
        there = slice(first, end)
        centre = (y[there.start] + y[there.stop - 1]) / 2
        reach = _FAR / root
        here = slice(*np.searchsorted(x, [centre - reach, centre + reach]).tolist())
        moments = _moments(elementary, (x[here] - centre) * root, w[here])
        tau = (y[there] - centre) * root
        value = np.full(tau.size, moments[-1])
        for moment in moments[-2::-1].tolist():
            value *= tau
            value += moment
        # the factor is at most one, and value may be below zero by what it errs by
        factor = exponential(elementary, -0.5 * tau * tau)
        bounds[there] = np.maximum(value, 0.0) * factor * (1.0 + units(8)) + allowed + TINY
    return bounds


def _moments(elementary: Elementary, zeta: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Return sum_i w_i exp(-zeta_i^2 / 2) zeta_i^k / k! for k < 22, to within the roundings that `_squared` counts."""
    total = np.zeros(_DEGREES)
    for start in range(0, zeta.size, _AT_A_TIME):
        some = slice(start, start + _AT_A_TIME)
        terms = w[some] * exponential(elementary, np.maximum(-0.5 * zeta[some] ** 2, LOWEST))
        for k in range(_DEGREES):
            total[k] += float(row_sums(terms))
            if k + 1 < _DEGREES:
                terms *= zeta[some]
                terms *= 1 / math.sqrt(k + 1)
    return np.asarray(total / [math.sqrt(math.factorial(k)) for k in range(_DEGREES)])
