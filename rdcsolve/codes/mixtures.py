"""Mixtures of deterministic codes: a linear programme whose columns are partitions, made when they are needed."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from rdcsolve.codes.cells import Cells, Partition
from rdcsolve.codes.partitions import cheapest_partition
from rdcsolve.results import Status
from rdcsolve.rounding import EPS, exact_dot, units

_SLACK = 1e-12  # of its spread: by how much a limit may be exceeded, as everywhere in the library
_MOST_ROUNDS = 1000
_IDLE = 1e-10  # weights and multipliers below this are HiGHS's rounding
_DEARER = (1.1, 1.3, 1.6, 2.0, 3.0, 5.0, 10.0, 100.0)  # times the prices of the limits


@dataclass(frozen=True, eq=False)
class Programme:
    """What is minimised over mixtures of codes; quantity 0 is the rate, 1 + m is loss m.

    Parameters
    ----------
    weights : numpy.ndarray
        Of the quantities in the objective, shape (1 + M,), >= 0.
    bounds : numpy.ndarray
        Shape (1 + M,); inf where there is no limit.
    spreads : numpy.ndarray
        The scale of each quantity, shape (1 + M,), > 0.
    n_words : int or None
        The largest number of cells.
    """

    weights: np.ndarray
    bounds: np.ndarray
    spreads: np.ndarray
    n_words: int | None


@dataclass(frozen=True, eq=False)
class Mixture:
    """The answer: partitions with weights, their means, bounds, and the prices that prove the lower one."""

    status: Status
    lower: float
    upper: float
    partitions: tuple[Partition, ...]
    weights: np.ndarray
    means: np.ndarray
    limited: tuple[int, ...]
    prices: np.ndarray
    single: Partition | None
    rounds: int


class _Mixed(NamedTuple):
    """Weights of the columns, their objective, the prices of the limits, and the largest excess in spreads."""

    weights: np.ndarray
    value: float
    prices: np.ndarray
    excess: float


def mixture(cells: Cells, programme: Programme, tolerance: float) -> Mixture:
    """Return the best mixture of codes: limits are met first, then the objective is minimised.

    Parameters
    ----------
    cells : Cells
    programme : Programme
    tolerance : float
        Gap to reach, in units of max(1, objective).
    """
    return _Generation(cells, programme).run(tolerance)


@dataclass(eq=False)
class _Generation:
    """Column generation: the linear programme over the partitions looked at so far, priced by all partitions."""

    cells: Cells
    programme: Programme
    columns: list[Partition] = field(default_factory=list)
    known: set[tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=set)
    rounds: int = 0

    def __post_init__(self) -> None:
        limited = np.flatnonzero(np.isfinite(self.programme.bounds))
        self.limited = limited
        self.bounds = self.programme.bounds[limited]
        self.spreads = self.programme.spreads[limited]

    def run(self, tolerance: float) -> Mixture:
        """Return the answer."""
        if not self._look(self.programme.weights)[1]:
            return self._infeasible(np.zeros(self.limited.size))  # forbidden pairs leave no code of so few messages
        prices = self._meet_limits()
        if prices is not None:
            return self._infeasible(prices)
        return self._minimise(tolerance)

    def _meet_limits(self) -> np.ndarray | None:
        """Look for columns until a mixture meets the limits; return prices that prove it impossible, or None."""
        for _ in range(_MOST_ROUNDS if self.limited.size else 0):
            mixed = self._least_excess()
            if mixed.excess <= _SLACK:
                return None
            prices = mixed.prices / self.spreads
            value, is_new = self._look(self._all_prices(prices, 0.0))
            if self._counted_down(value, prices) > _SLACK * float(prices @ self.spreads):
                return prices  # every code exceeds the mean of the bounds at these weights, and so does every mixture
            if not is_new:
                return None  # within rounding of the limits: what HiGHS makes of it decides
        return None

    def _minimise(self, tolerance: float) -> Mixture:
        lower, best_prices = -math.inf, np.zeros(self.limited.size)
        while True:
            mixed = self._least_objective()
            weights = self.programme.weights
            value, is_new = self._look(self._all_prices(mixed.prices, 1.0))
            proved = self._counted_down(value, mixed.prices)
            if proved > lower:
                lower, best_prices = proved, mixed.prices
            gap = mixed.value - lower
            if gap <= 1e-3 * tolerance * max(1.0, abs(mixed.value)) or not is_new or self.rounds >= _MOST_ROUNDS:
                break
        self._look_for_single_codes(best_prices)
        used = np.flatnonzero(mixed.weights > 0)
        means = np.array([math.fsum(column) for column in (self._table()[:, used] * mixed.weights[used]).tolist()])
        upper = exact_dot((weights, means))
        is_met = mixed.excess <= _SLACK
        is_close = upper - lower <= tolerance * max(1.0, abs(upper))
        return Mixture(
            status=Status.OPTIMAL if is_met and is_close else Status.STALLED,
            lower=min(lower, upper),
            upper=upper if is_met else math.inf,
            partitions=tuple(self.columns[k] for k in used),
            weights=mixed.weights[used],
            means=means,
            limited=tuple(self.limited.tolist()),
            prices=best_prices,
            single=self._single(),
            rounds=self.rounds,
        )

    def _look_for_single_codes(self, prices: np.ndarray) -> None:
        """Look at codes that are better in what is limited: one of them may meet all limits alone."""
        for factor in _DEARER if prices.any() else ():
            self._look(self._all_prices(factor * prices, 1.0))

    def _infeasible(self, prices: np.ndarray) -> Mixture:
        return Mixture(
            status=Status.INFEASIBLE,
            lower=math.inf,
            upper=math.inf,
            partitions=(),
            weights=np.zeros(0),
            means=np.zeros(0),
            limited=tuple(self.limited.tolist()),
            prices=prices,
            single=None,
            rounds=self.rounds,
        )

    # -------------------------------------------------------------------------------------------- columns

    def _look(self, prices: np.ndarray) -> tuple[float, bool]:
        """Add the best partition at these prices of all quantities; return its cost, and whether it is new."""
        cost, letters = self.cells.costs(prices)
        value, found = cheapest_partition(cost, self.programme.n_words)
        self.rounds += 1
        if not found:
            return value, False
        partition = self.cells.partition(found, letters, prices.size - 1)
        key = (partition.cells, partition.letters)
        is_new = key not in self.known
        if is_new:
            self.known.add(key)
            self.columns.append(partition)
        return value, is_new

    def _all_prices(self, prices: np.ndarray, objective: float) -> np.ndarray:
        every = objective * self.programme.weights
        every[self.limited] += prices
        return every

    def _counted_down(self, value: float, prices: np.ndarray) -> float:
        """Return what `value`, the least cost over all partitions, proves, less all its roundings.

        Costs are sums of terms >= 0. Each goes through at most 2 n + dim + 16 roundings in its cell (of pairs of
        points; logarithms take eight), one per quantity, and n where cells are added up. Masses may miss one by a few
        units in the last place.
        """
        roundings = 3 * self.cells.n + self.cells.dim + self.programme.weights.size + 24
        proved = value * (1.0 - units(roundings)) - 16 * EPS
        return exact_dot((-prices, self.bounds), plus=(proved,))

    def _table(self) -> np.ndarray:
        """Return rate and losses of all columns, shape (1 + M, K)."""
        return np.stack([column.means for column in self.columns], axis=1)

    def _single(self) -> Partition | None:
        """Return the best column that meets all limits alone, or None."""
        table = self._table()
        is_met = (table[self.limited] - self.bounds[:, None] <= _SLACK * self.spreads[:, None]).all(axis=0)
        if not is_met.any():
            return None
        values = np.where(is_met, self.programme.weights @ table, math.inf)
        return self.columns[int(values.argmin())]

    # -------------------------------------------------------------------------------------------- programmes

    def _least_excess(self) -> _Mixed:
        """Return the mixture whose largest excess, in spreads, is least."""
        rows = (self._table()[self.limited] - self.bounds[:, None]) / self.spreads[:, None]
        count, n = rows.shape
        matrix = np.hstack([rows, -np.ones((count, 1))])
        weights, prices = _solved(np.append(np.zeros(n), 1.0), matrix, np.zeros(count), np.append(np.ones(n), 0.0))
        weights = weights[:n] / weights[:n].sum()
        return _Mixed(weights, 0.0, prices, float((rows @ weights).max()))

    def _least_objective(self) -> _Mixed:
        """Return the best mixture that meets the limits, its weights good to the last digits."""
        table = self._table()
        rows = (table[self.limited] - self.bounds[:, None]) / self.spreads[:, None]
        cost = self.programme.weights @ table
        right = np.zeros(rows.shape[0])
        for _ in range(4):
            weights, prices = _solved(cost, rows, right, np.ones(cost.size))
            weights = _polished(weights, rows, right)
            excess = float((rows @ weights).max(initial=-math.inf))
            if excess <= _SLACK:
                break
            right = right - 2 * np.maximum(rows @ weights, 0.0)
        return _Mixed(weights, float(cost @ weights), prices / self.spreads, excess)


def _solved(cost: np.ndarray, rows: np.ndarray, right: np.ndarray, ones: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the minimiser of cost.w with rows w <= right, ones.w = 1, w >= 0, and the prices of the rows, >= 0.

    Where rounding leaves nothing within the rows, they are let out by a billionth: the caller looks at what came out.
    """
    from scipy.optimize import linprog

    settings = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
    for let_out in (0.0, 1e-13, 1e-11, 1e-9):
        answer = linprog(cost, rows, right + let_out, ones[None], [1.0], method="highs-ds", options=settings)
        if answer.status == 0:
            return np.maximum(answer.x, 0.0), np.maximum(-answer.ineqlin.marginals, 0.0)
    weights = np.zeros(cost.size)
    weights[int(np.maximum(rows, 0.0).sum(axis=0).argmin())] = 1.0
    return weights, np.zeros(right.size)


def _polished(weights: np.ndarray, rows: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the weights of the same columns that meet the same rows with equality, solved for anew.

    HiGHS meets rows to 1e-10, which at steep slopes would show in the value.
    """
    used = np.flatnonzero(weights > _IDLE)
    mine = weights[used] / weights[used].sum()
    is_active = np.abs(rows[:, used] @ mine - right) <= 1e-9
    matrix = np.vstack([rows[np.ix_(is_active, used)], np.ones((1, used.size))])
    solved = np.linalg.lstsq(matrix, np.append(right[is_active], 1.0), rcond=None)[0]
    exact = np.zeros(weights.size)
    is_better = (solved >= 0).all() and np.abs(solved - mine).max() <= 1e-6
    exact[used] = solved if is_better else mine
    return exact / exact.sum()
