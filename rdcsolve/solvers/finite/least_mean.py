"""The least mean of a loss under limits on the others at the two ends of the rate: linear programmes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.errors import SolverFailed
from rdcsolve.problems import Problem
from rdcsolve.problems.structures import LossStructure, row_blocks
from rdcsolve.rounding import EPS
from rdcsolve.solvers.finite.recovery import Primal, complete, constant, meets

_STEEPNESSES = np.logspace(0, -9, 19)  # per largest difference; the best is where two errors are equal
_NO_MASS = 1e-15  # what a limit leaves letters that are forbidden in effect
_LARGEST_RATIO = 1e12  # of numbers that a linear programme makes sense of
_ACTIVE = 1e-6  # of a row's largest entry: limits closer to being met with equality are made so
EXPONENTIALS = 4e-15  # the rounding of log max c where every exponent is small


class LeastMean(NamedTuple):
    """A channel, and weights that prove how little it could be improved.

    Attributes
    ----------
    lower : float
        sum_i p_i min_a (L_0 + sum_m w_m (L_m - b_m)): no channel that meets the limits has a smaller mean of L_0.
    weights : numpy.ndarray
        Shape (M,): w, with one for L_0 itself.
    minima : numpy.ndarray
        Shape (n_x,): min_a sum_m w_m L_m(i, a).
    primal : Primal
        The programme's channel.
    """

    lower: float
    weights: np.ndarray
    minima: np.ndarray
    primal: Primal

    def dual(self, rate: float) -> DualPoint:
        """Return the same proof as multipliers and u.

        With lambda = s w and u_i = s min_a w.L(i, a) every price is at most one, and the bound on the loss, (p.u -
        sum_m lambda_m b_m - R) / lambda_0, comes within R / s of `lower`: s is chosen so large that this vanishes.
        """
        size = float(np.abs(self.minima).max(initial=0.0))
        steepness = min(1e13 * max(rate, 1e-3) / size, 1e300) if size else 1.0
        return DualPoint.of(steepness * self.minima, steepness * self.weights)


def least_mean(problem: Problem, index: int) -> LeastMean:
    """Return the least mean of the loss `index` under the problem's limits on losses, through HiGHS.

    Parameters
    ----------
    problem : Problem
        Its limits can be met.
    index : int
    """
    from scipy.sparse import coo_array

    symbols = np.flatnonzero(problem.p_x > 0)
    p = problem.p_x[symbols]
    allowed = np.ones((symbols.size, problem.n_letters), dtype=bool)
    if problem.forbidden is not None:
        allowed &= ~problem.forbidden[symbols]
    rows, columns = np.nonzero(allowed)
    limited = [int(m) for m in np.flatnonzero(np.isfinite(problem.bounds))]
    means = {m: p[rows] * problem.linear_losses[m].block()[symbols[rows], columns] for m in (index, *limited)}
    least = np.full(symbols.size, np.inf)
    np.minimum.at(least, rows, means[index])
    count = np.arange(rows.size)
    rows_sum = coo_array((np.ones(rows.size), (rows, count)), shape=(symbols.size, rows.size))
    sizes = _sizes(np.array([means[m] for m in limited]).reshape(len(limited), rows.size))
    found: list[LeastMean] = []
    for answer in _programmes(means[index] - least[rows], [means[m] for m in limited], problem, limited, rows_sum):
        channel, weights = np.zeros(allowed.shape), np.zeros(len(problem.losses))
        weights[index] = 1.0
        if answer.status == 0:
            channel[rows, columns] = np.maximum(answer.x, 0)
            weights[limited] = _prices(answer, problem, limited, sizes)
        else:  # without an answer the trivial weights still bound, and nothing is attained
            channel[rows, columns] = 1.0
        channel /= channel.sum(axis=1, keepdims=True)
        mixed = np.zeros(allowed.shape)
        for m in np.flatnonzero(weights):
            mixed += weights[m] * np.where(allowed, problem.linear_losses[m].block(symbols), 0.0)
        minima = np.zeros(problem.n_x)
        minima[symbols] = np.where(allowed, mixed, np.inf).min(axis=1)
        lower = float(problem.p_x @ minima) - float(weights[limited] @ problem.bounds[limited])
        made = complete(problem, np.arange(problem.n_letters), channel, symbols)
        found.append(LeastMean(lower, weights, minima, made))
    best = max(found, key=lambda one: one.lower)
    return best._replace(primal=_best([one.primal for one in found], problem, index))


def _best(made: list[Primal], problem: Problem, index: int) -> Primal:
    """Return the channel with the least mean among those that meet the limits on other losses, if any do."""
    return min(made, key=lambda one: (not meets(problem, one.means, index), float(one.means[index])))


def least_constant_mean(problem: Problem, index: int) -> tuple[Primal, DualPoint]:
    """Return the channel of rate zero with the least mean of the loss `index`, and the proof that there is no better.

    At rate zero the letter ignores the symbol: with r its distribution and M_m(a) = sum_i p_i L_m(i, a), the mean
    sum_a r_a M_0(a) is least subject to sum_a r_a M_m(a) <= b_m, a linear programme over letters. Its weights w give
    the tangent plane of the rate at this point through u_i = s sum_a r_a w.L(i, a) and lambda = s w: prices
    exceed one by the order of s^2 only, and the bound on the loss misses the optimum by the order of s, beside the
    rounding of a division by s: of a few s the one with the best bound is taken.

    Parameters
    ----------
    problem : Problem
        Some constant output meets its limits.
    index : int
    """
    symbols = np.flatnonzero(problem.p_x > 0)
    p = problem.p_x[symbols]
    usable = np.ones(problem.n_letters, dtype=bool)
    if problem.forbidden is not None:
        usable &= ~problem.forbidden[symbols].any(axis=0)
    letters = np.flatnonzero(usable)
    limited = [int(m) for m in np.flatnonzero(np.isfinite(problem.bounds))]
    structures = [loss.structure.at_rows(symbols) for loss in problem.linear_losses]
    means = {m: weighted_sum(structures[m], p, letters) for m in (index, *limited)}
    # Letters out of a limit's reach get no mass, but have to be priced like all others: of one limit by all letters
    vertices = []
    if len(limited) == 1 and not problem.equal[limited[0]]:
        mean = means[limited[0]]
        edge = _edge_at(mean, means[index] - means[index].min(initial=math.inf), float(problem.bounds[limited[0]]))
        vertices = [(*one, letters, mean[None]) for one in edge]
    kept = _within_reach(problem, {m: means[m] for m in limited}, letters.size)
    letters, means = letters[kept], {m: mean[kept] for m, mean in means.items()}
    cost = means[index] - means[index].min(initial=math.inf)
    answers = _programmes(cost, [means[m] for m in limited], problem, limited, np.ones((1, letters.size)))
    table = np.array([means[m] for m in limited]).reshape(len(limited), letters.size)
    sizes = _sizes(table)
    vertices += [(one.x, _prices(one, problem, limited, sizes), letters, table) for one in answers if one.status == 0]
    found = [_constant_of(*vertex, problem, index, limited) for vertex in vertices]
    if not found:
        raise SolverFailed(f"HiGHS found no constant output within the limits: {answers[0].message}")
    return _best([made for made, _, _ in found], problem, index), max(found, key=lambda one: one[2])[1]


def _constant_of(  # noqa: PLR0913 - what the programme was about
    x: np.ndarray,
    limit_prices: np.ndarray,
    letters: np.ndarray,
    table: np.ndarray,
    problem: Problem,
    index: int,
    limited: list[int],
) -> tuple[Primal, DualPoint, float]:
    """Return the channel of an answer to the programme over letters, its dual point, and the plane that this proves."""
    symbols = np.flatnonzero(problem.p_x > 0)
    p, structures = problem.p_x[symbols], [loss.structure.at_rows(symbols) for loss in problem.linear_losses]
    masses = _at_vertex(x, table, problem.bounds[limited])
    weights = np.zeros(len(problem.losses))
    weights[index] = 1.0
    weights[limited] = limit_prices
    counted = [(weights[m], structures[m]) for m in np.flatnonzero(weights)]
    used = masses > 0
    shares = masses[used] / masses.sum()
    tangent = sum(weight * structure.block(None, letters[used]) for weight, structure in counted) @ shares
    # Letters that are no constant output, as a pair is forbidden, have prices too: with one that is left, all there is
    spreads = {_spread(tangent, counted, letters), _spread(tangent, counted, slice(None))} - {0.0} or {1.0}
    scales = np.concatenate([_STEEPNESSES / spread for spread in sorted(spreads)])
    prices = np.zeros((scales.size, problem.n_letters))
    for rows, mixed in _blocks(counted):
        below = tangent[rows, None] - mixed
        if problem.forbidden is not None:  # by a loss that may have no weight
            below = np.where(problem.forbidden[symbols[rows]], -np.inf, below)
        with np.errstate(over="ignore"):  # an infinite price proves nothing, and is not chosen
            prices += [p[rows] @ np.exp(s * below) for s in scales]
    bounds = []
    for s, price in zip(scales, prices.max(axis=1).tolist(), strict=True):
        bounds.append((float(p @ tangent) - (math.log(price) + EXPONENTIALS) / s, s, price))
    best, s, price = max(bounds)
    u = np.zeros(problem.n_x)
    u[symbols] = s * tangent - math.log(price)
    lower = best - float(weights[limited] @ problem.bounds[limited])
    return constant(problem, letters[used], shares), DualPoint.of(u, s * weights), lower


def _edge_at(means: np.ndarray, cost: np.ndarray, bound: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return masses and price of the limit at the edge above a bound of the convex boundary of (mean, cost), if any.

    A programme cannot tell a bound from one a rounding above the least mean, and takes any price for it.
    """
    within = means <= bound
    if not within.any() or within.all():
        return []
    left = int(np.flatnonzero(within)[np.argmin(cost[within])])
    right = int(np.flatnonzero(~within)[np.argmin(cost[~within])])
    if cost[right] >= cost[left]:
        return []
    price = 0.0
    for _ in range(means.size):
        price = float((cost[left] - cost[right]) / (means[right] - means[left]))
        below = int(np.argmin(cost + price * means))
        if cost[below] + price * means[below] >= cost[left] + price * means[left]:
            break
        left, right = (below, right) if within[below] else (left, below)
    x = np.zeros(means.size)
    x[right] = (bound - means[left]) / (means[right] - means[left])
    x[left] = 1 - x[right]
    return [(x, np.array([price]))]


def _spread(tangent: np.ndarray, counted: Sequence[tuple[float, LossStructure]], letters: Any) -> float:
    """Return by how much losses differ from those of the constant output, where some letters are used."""
    ends = [_ends(tangent[rows, None] - mixed[:, letters]) for rows, mixed in _blocks(counted)]
    gain, loss = (max(values) for values in zip(*ends, strict=True))
    return gain if loss > _LARGEST_RATIO * gain > 0 else max(gain, loss)  # penalties only lower prices


def _ends(below: np.ndarray) -> tuple[float, float]:
    """Return by how much entries are above zero, and by how much below, at most; forbidden pairs do not count."""
    finite = below[np.isfinite(below)]
    return float(finite.max(initial=0.0)), float(-finite.min(initial=0.0))


def _within_reach(problem: Problem, means: dict[int, np.ndarray], count: int) -> np.ndarray:
    """Return the mask of letters that the limits leave some mass: none of those that cost a penalty beside its room.

    Parameters
    ----------
    problem : Problem
    means : dict of int to numpy.ndarray
        Of the limited losses: the mean of each letter, shape (count,).
    count : int
        Of the letters.
    """
    kept = np.ones(count, dtype=bool)
    for m, mean in means.items():
        least = float(mean.min(initial=math.inf))
        room = float(problem.bounds[m]) - least
        if room > 0 and not problem.equal[m]:
            kept &= mean - least <= room / _NO_MASS
    return kept if kept.any() else np.ones(count, dtype=bool)


def weighted_sum(structure: LossStructure, p: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """Return the means of the loss at single letters; others may be forbidden to some symbol."""
    if structure.forbids:
        return p @ structure.block(None, letters)
    return structure.weighted_sum(p)[letters]


def _programmes(
    objective: np.ndarray, means: list[np.ndarray], problem: Problem, limited: list[int], sums: Any
) -> list[Any]:
    """Return what HiGHS says of: minimise objective.x such that means.x <= bounds and sums.x = 1, x >= 0.

    The means of losses that are held at their bounds are to equal them; these come before the sums. A mixture is
    rounded, and would end above a bound by a digit of its last place as often as below. So bounds are
    lowered by some such digits first, which a bound at the least value may not leave room for.

    Where the objective has entries of sizes that HiGHS fails on beside each other, it is asked twice: about the large
    ones, the rest of which is rounding, and about the small ones, with those cut that are penalties beside them.
    Weights prove what they prove, and a channel attains what it attains, whatever programme they come from.

    Parameters
    ----------
    objective : numpy.ndarray
        Shape (k,), >= 0.
    means : list of numpy.ndarray
        Shapes (k,), one for each of `limited`.
    problem : Problem
    limited : list of int
        Losses.
    sums : array
        Shape (r, k).
    """
    held = problem.equal[limited]
    table, bounds = np.array(means).reshape(len(limited), objective.size), problem.bounds[limited]
    sizes = _sizes(table)  # HiGHS allows rows to be missed by some 1e-7, whatever the unit of a loss
    return [_answer(unit, cost, table / sizes[:, None], bounds / sizes, held, sums) for unit, cost in _costs(objective)]


def _answer(  # noqa: PLR0913 - a programme
    unit: float, cost: np.ndarray, table: np.ndarray, bounds: np.ndarray, held: np.ndarray, sums: Any
) -> Any:
    """Return the answer to one programme, with the prices of the objective whose unit is given."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, issparse, vstack

    upper = table[~held] if (~held).any() else None
    if held.any():
        sums = vstack([csr_array(table[held]), sums]) if issparse(sums) else np.vstack([table[held], sums])
    for lowered in (16 * EPS, 0.0):
        answer = linprog(
            cost,
            A_ub=upper,
            b_ub=None if upper is None else (bounds - lowered * np.abs(bounds))[~held],
            A_eq=sums,
            b_eq=np.r_[bounds[held], np.ones(sums.shape[0] - int(held.sum()))],
            bounds=(0, None),
            method="highs",
            options={"time_limit": deadline.left()},
        )
        if answer.status == 0:
            answer.ineqlin.marginals = unit * answer.ineqlin.marginals
            answer.eqlin.marginals = unit * answer.eqlin.marginals
            break
    return answer


def _costs(objective: np.ndarray) -> list[tuple[float, np.ndarray]]:
    """Return units of the objective, and its entries in them: its largest, and its least beside penalties."""
    largest, least = objective.max(initial=0.0), objective.min(initial=math.inf, where=objective > 0)
    if not largest > 0:
        return [(1.0, objective)]
    costs = [(float(largest), objective / largest)]
    if largest > _LARGEST_RATIO * least:
        costs.append((float(least), np.minimum(objective, _LARGEST_RATIO * least) / least))
    return costs


def _sizes(table: np.ndarray) -> np.ndarray:
    """Return the largest entry of every row, one where all are zero."""
    largest = np.abs(table).max(axis=1, initial=0.0)
    return np.where(largest > 0, largest, 1.0)


def _at_vertex(x: np.ndarray, table: np.ndarray, bounds: np.ndarray) -> np.ndarray:
    """Return masses close to x, with the same support, whose means are at the limits that x is near to rounding.

    Parameters
    ----------
    x : numpy.ndarray
        Shape (k,): what a linear programme returns, with some seven digits.
    table, bounds : numpy.ndarray
        Shapes (M, k) and (M,): means of single letters, and their limits.
    """
    x = np.maximum(x, 0.0)
    if not bounds.size:
        return x
    sizes, used = _sizes(table), x > 0
    near = np.abs(table @ x - bounds) <= _ACTIVE * sizes
    rows = np.vstack([table[near] / sizes[near, None], np.ones(x.size)])[:, used]
    asked = np.r_[(bounds - 16 * EPS * np.abs(bounds))[near] / sizes[near], 1.0]
    for _ in range(2):
        x[used] += np.linalg.lstsq(rows, asked - rows @ x[used], rcond=None)[0]
    return np.maximum(x, 0.0)


def _prices(answer: Any, problem: Problem, limited: list[int], sizes: np.ndarray) -> np.ndarray:
    """Return the programme's prices of the limits: >= 0 but for losses that are held at their bounds."""
    held = problem.equal[limited]
    prices = np.zeros(len(limited))
    prices[~held] = np.maximum(-answer.ineqlin.marginals, 0)
    prices[held] = -answer.eqlin.marginals[: int(held.sum())]
    return prices / sizes


def _blocks(counted: Sequence[tuple[float, LossStructure]]) -> Iterator[tuple[slice, np.ndarray]]:
    """Yield a weighted sum of losses, some rows at a time."""
    for rows in row_blocks(counted[0][1].shape):
        yield rows, sum(weight * structure.block(rows) for weight, structure in counted)  # type: ignore[misc]
