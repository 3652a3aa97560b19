"""Upper bounds of prices where losses are sums over the axes of a grid: a few products with small matrices.

With L(i, a) = sum_d T_d[i_d, a_d] the prices c(a) = sum_i w_i prod_d exp(-lambda.T_d[i_d, a_d]) of all letters are one
product with a matrix (n_d, k_d) after the other. Everything that is added up is non-negative, so that each of these
sums errs by no more than n_d roundings of itself, in whatever order its terms are added.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.elementary import exp_upper
from rdcsolve.problems import Problem
from rdcsolve.problems.separable import SeparableLoss, outer_sum
from rdcsolve.rounding import ELEMENTARY, EPS, TINY, units, up

_WORTHWHILE = 1 << 20  # pairs: on smaller grids every pair is looked at, which errs by a little less
_LEAST_MASS = 1e-300  # to which masses are raised: their logarithms stay in range


class ProductPrices(NamedTuple):
    """Upper bounds of all prices: `bounds`, shape (k,), times exp(scale); what they are above by is a few roundings."""

    scale: float
    bounds: np.ndarray

    def log_largest(self) -> float:
        """Return an upper bound of the logarithm of the largest price, inf if there is none."""
        largest = float(self.bounds.max())
        if not math.isfinite(largest):
            return math.inf
        log = math.log(largest)
        total = self.scale + log
        return up(total + EPS * (abs(total) + abs(log)) + ELEMENTARY * (1 + abs(log)))


def over_one_grid(problem: Problem, multipliers: np.ndarray) -> list[SeparableLoss] | None:
    """Return the losses with multipliers if products price them: sums over one grid's axes, which forbid nothing."""
    active = np.flatnonzero(multipliers)
    if not active.size or active[-1] >= len(problem.linear_losses) or problem.forbidden is not None:
        return None
    found = [problem.linear_losses[m].structure for m in active.tolist()]
    losses = [structure for structure in found if isinstance(structure, SeparableLoss)]
    same = {(loss.grid, loss.letter_grid) for loss in losses}
    is_one = len(losses) == len(found) and len(same) == 1 and not (multipliers[active] < 0).any()
    return losses if is_one else None


def prices_on_grid(numbers: Any, worthwhile: int = _WORTHWHILE) -> ProductPrices | None:
    """Return upper bounds of sum_i p_i exp(e_i - sum_m lambda_m (L_m(i, a) - origin_m(i))), or None off grids.

    They hold whether a loss is the exact sum of its tables' entries or that sum in floats.

    Parameters
    ----------
    numbers : FloatNumbers
        With e and the origins, its losses' least values.
    worthwhile : int, optional
        How many pairs of symbol and letter there have to be.

    Notes
    -----
    In what a letter costs along an axis, sum_m lambda_m (T - min T), a difference, a product and up to M - 1 sums are
    rounded; adding up the axes rounds the losses once per axis more. The least cost of every row is taken off, so that
    some letter costs each symbol nothing and no price that matters leaves the range of floats. All roundings are
    relative to the costs, which are what is taken off and the rest: e is raised by as much of the one, and the other
    made smaller. The same roundings of the origins are relative to these, and raise e too.
    """
    problem, multipliers, masses = numbers.problem, numbers.multipliers, numbers.masses
    losses = over_one_grid(problem, multipliers)
    high, low = numbers.exponents
    if losses is None or masses.size * problem.n_letters < worthwhile or not np.isfinite(high).all():
        return None
    active = np.flatnonzero(multipliers)
    n_axes = len(losses[0].grid)
    count = units(len(losses) + 2 * n_axes + 8)
    costs = [_costs(losses, multipliers[active], d) for d in range(n_axes)]
    least = [cost.min(axis=1) for cost in costs]
    taken_off = outer_sum(least)[problem.p_x > 0]
    raised = high + (np.abs(low) + units(4) * np.abs(high)) - taken_off
    raised += units(4) * np.abs(raised) + count * taken_off
    for m in active.tolist():
        if n_axes > 1 and numbers.origins[m].any():
            raised += multipliers[m] * np.abs(numbers.origins[m]) * count
    floored = np.maximum(masses, _LEAST_MASS)
    scale = float((raised + np.log(floored)).max())
    if not math.isfinite(scale):
        return None
    apart = raised - scale
    apart += units(2) * np.abs(apart)
    weights = np.zeros(problem.n_x)
    weights[problem.p_x > 0] = floored * exp_upper(numbers.elementary, apart) * (1 + units(4)) + TINY
    tensor, error = weights.reshape(losses[0].grid), units(4)
    for cost, lowest in zip(costs, least, strict=True):
        deadline.look()
        factor = exp_upper(numbers.elementary, (lowest[:, None] - cost) * (1.0 - count)) + TINY
        # the axis that is added up is the first that is left: after all of them the letters are in order
        tensor = np.tensordot(tensor, factor, axes=(0, 0))
        error += units(factor.shape[0] + 4) * (1 + 1e-9)
    return ProductPrices(scale, tensor.ravel() * (1.0 + error) + TINY)


def _costs(losses: list[SeparableLoss], multipliers: np.ndarray, d: int) -> np.ndarray:
    """Return sum_m lambda_m (T_m - its rows' least) of axis d, shape (n_d, k_d); inf beyond the range of floats."""
    total = np.zeros(losses[0].tables[d].shape)
    with np.errstate(over="ignore"):
        for loss, multiplier in zip(losses, multipliers.tolist(), strict=True):
            total += multiplier * (loss.tables[d] - loss.tables[d].min(axis=1, keepdims=True))
    return total
