"""The exchange method: problems with label entropies, over reproduction symbols with any soft decisions.

A restricted problem over listed letters is linear and finite, so the other solvers apply. Its dual prices every pair
of symbol and soft decisions; the dearest join the list, idle ones leave it, and the largest price proves the bound.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rdcsolve.certificates.floating import FloatNumbers, distinct_columns
from rdcsolve.letters.decisions import Decisions, local_maxima
from rdcsolve.problems import Problem
from rdcsolve.solvers.feasibility import margin
from rdcsolve.solvers.first_letters import first_letters, prior_letters
from rdcsolve.solvers.interior_point import InteriorPoint
from rdcsolve.solvers.least_loss import minimise_loss
from rdcsolve.solvers.least_rate import infeasible, minimise_rate, task_within_limits
from rdcsolve.solvers.loop import Limits
from rdcsolve.solvers.result import Result, StepRecord
from rdcsolve.solvers.settings import Settings
from rdcsolve.solvers.split_letters import Prices, SplitLetters, distinct, merge
from rdcsolve.solvers.split_result import PricedDual, finished, impossible, unlimited
from rdcsolve.solvers.status import Status

_WIDENINGS = ((8, True), (8, False), (32, False), (None, False))  # groups of labels, and whether pairs are thinned
_PATIENCE = 6  # rounds without a smaller gap before the method counts as stalled
_IDLE = 1e-8  # share of the output mass below which a letter leaves the list
_MOST_CANDIDATES = 400  # of the dearest letters found in one round
_WORTH = math.log(0.9)  # log price from which an earlier letter stays
_INNER_STEPS = 200


class _Priced(NamedTuple):
    """The letters found by pricing, and the logarithm of every symbol's term at every reproduction symbol."""

    maxima: Decisions
    log_weights: np.ndarray


def solve_split(problem: Problem, settings: Settings, start: Result | None = None, enough: float = -math.inf) -> Result:
    """Return the solution over symbols with soft decisions, with its bounds.

    Parameters
    ----------
    problem : Problem
        With label entropies.
    settings : Settings
        Its solver is that of the restricted problems.
    start : Result, optional
        With `decisions`: its letters are among the first.
    enough : float, optional
        An objective at which to stop, whatever the gap.
    """
    trivial = impossible(problem, settings)
    if trivial is not None:
        return trivial
    return _Exchange(problem, settings, enough).run(start)


class _Exchange:
    def __init__(self, problem: Problem, settings: Settings, enough: float) -> None:
        self.problem, self.settings, self.enough = problem, settings, enough
        self.target = None if problem.minimise == "rate" else problem.loss_names.index(problem.minimise)
        self.best: tuple[Result, SplitLetters] | None = None
        self.dual: PricedDual | None = None
        self.last: PricedDual | None = None
        self.widening = 0
        self.history: list[StepRecord] = []

    def run(self, start: Result | None) -> Result:
        """Exchange letters until the gap is within the tolerance or a limit is reached."""
        letters, warm = self._first(start), None
        self.pool = letters
        inner_gap, waited, narrowest = 1e-3, 0, math.inf
        status, message = Status.STEP_LIMIT, ""
        while len(self.history) < self.settings.limits.max_steps:
            found = self._restricted(letters, inner_gap, warm)
            if found.status is Status.INFEASIBLE:
                wider = self._wider(letters)
                if isinstance(wider, Result):
                    return wider
                letters, warm = wider, None
                self.pool = self.pool.with_more(letters)
                continue
            if found.certificate is None:
                status, message = found.status, found.message
                break
            if self.best is None or found.objective_upper < self.best[0].objective_upper:
                self.best = found, letters
            priced = self._price(found, letters)
            gap = self._upper() - (self.last.lower if self.last is not None else -math.inf)
            self._record(found, letters)
            ended = self._ended(found)
            if ended is not None:
                status = ended
                break
            waited = 0 if gap < 0.9 * narrowest else waited + 1
            narrowest = min(narrowest, gap)
            if waited >= _PATIENCE:
                status = Status.STALLED
                break
            inner_gap = max(0.2 * self.settings.tolerance, min(0.03 * abs(gap), inner_gap))
            letters, warm = self._exchanged(found, letters, priced)
        if self.last is not None and not self.last.checked:
            self._check(self.last)
        return finished(self.problem, self.settings, self.best, self.dual, status, message, tuple(self.history))

    # ------------------------------------------------------------------------- restricted problems

    def _first(self, start: Result | None) -> SplitLetters:
        problem = self.problem
        letters = self._listed_first()
        if problem.multipliers is None:
            # The restricted problem needs a channel well inside the limits, wherever the full one has it.
            bare = task_within_limits(unlimited(problem), self.settings)
            wanted = 0.0 if isinstance(bare, Result) or not bare.free.any() else margin(bare).attained
            while self.widening + 1 < len(_WIDENINGS) and self._margin(letters) > 0.5 * (1 + wanted):
                self.widening += 1
                letters = self._listed_first()
        if start is not None and start.letters.size and start.decisions:
            used = start.q > _IDLE * start.q.max()
            letters = SplitLetters(start.letters, start.decisions).take(used).with_more(letters)
        return letters

    def _listed_first(self) -> SplitLetters:
        spread = np.unique(np.linspace(0, self.problem.n_letters - 1, 16).astype(np.intp))
        priors = prior_letters(self.problem).take(spread)
        return first_letters(self.problem, *_WIDENINGS[self.widening]).with_more(priors)

    def _margin(self, letters: SplitLetters) -> float:
        listed = self.problem.listed(*letters).minimising("rate").with_limits(rate=None)
        task = task_within_limits(listed, self.settings)
        if isinstance(task, Result):
            return math.inf
        return margin(task).attained if task.free.any() else 0.0

    def _restricted(self, letters: SplitLetters, gap: float, warm: Result | None) -> Result:
        listed = self.problem.listed(*letters)
        limits = Limits(_INNER_STEPS, self.settings.limits.time_limit)
        solver = self.settings.solver
        if warm is not None and isinstance(solver, InteriorPoint):
            solver = replace(solver, warm_up_steps=1)  # the last round has left little to warm up
        settings = replace(self.settings, solver=solver, tolerance=gap, limits=limits)
        if self.target is not None:
            return minimise_loss(listed, settings, warm)
        if self.problem.multipliers is None:  # a budget on the rate is a matter of the whole problem
            listed = listed.with_limits(rate=None)
        return minimise_rate(listed, settings, warm)

    def _wider(self, letters: SplitLetters) -> SplitLetters | Result:
        """Return more letters, or the result that says that no letters will do."""
        if self.widening + 1 < len(_WIDENINGS):
            self.widening += 1
            return letters.with_more(self._listed_first())
        if self.target is None or self.best is not None:
            return finished(self.problem, self.settings, self.best, self.dual, Status.STALLED, "", tuple(self.history))
        rate = float(self.problem.rate_bound or 0.0)
        others = self.problem.minimising("rate").with_limits(rate=None)
        least = solve_split(others, self.settings, None, enough=rate * (1 - 1e-9))
        if least.rate_lower > rate:
            message = f"the other limits alone need a rate of at least {least.rate_lower:.10g} nat, not {rate:.10g}"
            return infeasible(self.problem, self.settings, {"rate": least.rate_lower}, message)
        if not least.rate_upper <= rate:
            message = f"the rate limit is within {least.gap:.1g} of what the other limits need"
            return finished(self.problem, self.settings, None, None, Status.STALLED, message, tuple(self.history))
        return letters.with_more(SplitLetters(least.letters, least.decisions))

    # ------------------------------------------------------------------------- pricing

    def _price(self, found: Result, letters: SplitLetters) -> _Priced:
        """Search for the dearest letters; prove that there are none dearer once the gap depends on it."""
        assert found.certificate is not None
        u, multipliers = found.certificate.u, found.certificate.multipliers
        dual = PricedDual(self.problem, u, multipliers)
        self.last = dual
        numbers = dual.numbers
        used = found.letters[found.q > _IDLE * found.q.max()]
        starts = letters.take(used)
        log_weights = numbers.log_weights()
        maxima = self._maxima(log_weights, numbers, Decisions(starts.symbols, starts.decisions, np.zeros(used.size)))
        dual.estimate(float(maxima.log_prices.max()))
        if self._within(dual.lower, dual):
            missed = self._check(dual)
            if missed is not None:
                maxima = Decisions(
                    np.r_[maxima.columns, missed.columns],
                    tuple(np.vstack(pair) for pair in zip(maxima.decisions, missed.decisions, strict=True)),
                    np.r_[maxima.log_prices, missed.log_prices],
                )
        return _Priced(maxima, log_weights)

    def _maxima(self, log_weights: np.ndarray, numbers: FloatNumbers, starts: Decisions) -> Decisions:
        """Return the local maxima of the price; of symbols with equal prices only the best for the limits.

        Symbols have equal prices where no limit on a linear loss costs anything, but the limits are still to be met.
        """
        symbols, group = distinct_columns(log_weights)
        known = replace(starts, columns=group[starts.columns])
        found = local_maxima(log_weights[:, symbols], numbers.labels, numbers.label_multipliers, known)
        if symbols.size == log_weights.shape[1]:
            return found
        letters = SplitLetters(symbols[found.columns], found.decisions)
        shares = np.exp(self._prices(log_weights).terms(letters) - found.log_prices)
        cost = np.zeros(log_weights.shape)
        for loss, bound in zip(self.problem.linear_losses, self.problem.bounds, strict=False):
            if bound < math.inf:
                matrix = loss.matrix[numbers.symbols]
                cost += np.where(np.isfinite(matrix), matrix, 0.0) / max(float(bound), 1e-300)
        expected = np.where(group == found.columns[:, None], shares.T @ cost, np.inf)
        return replace(found, columns=expected.argmin(axis=1))

    def _check(self, dual: PricedDual) -> Decisions | None:
        """Bound the price of every letter, and return a letter dearer than the search had found, if there is one."""
        estimated = dual.log_largest
        largest = dual.check()
        if self.dual is None or (dual.proved, dual.lower) > (self.dual.proved, self.dual.lower):
            self.dual = dual
        if largest is None or largest.log_best <= estimated + 1e-13:
            return None
        return Decisions(
            np.array([largest.column]),
            tuple(soft[None] for soft in largest.decisions),
            np.array([largest.log_best]),
        )

    def _exchanged(self, found: Result, letters: SplitLetters, priced: _Priced) -> tuple[SplitLetters, Result]:
        """Return the next letters, and where to start among them.

        Those in use, merged; the dearest found; and of all earlier ones those that are nearly worth their price,
        without which a small list has wild duals.
        """
        maxima = priced.maxima
        dear = np.flatnonzero(maxima.log_prices > 0)
        dear = dear[np.argsort(-maxima.log_prices[dear])[:_MOST_CANDIDATES]]
        prices = self._prices(priced.log_weights)
        joint = found.channel * self.problem.p_x[:, None]
        merged, q = merge(self.problem, letters.take(found.letters), joint, self.last.multipliers)  # type: ignore[union-attr]
        new = SplitLetters(maxima.columns[dear], tuple(soft[dear] for soft in maxima.decisions))
        new = new.take(distinct(prices.affinity(new)))
        chosen = merged.with_more(new)
        pool = self.pool.take(prices.logs(self.pool) > _WORTH)
        both, size = chosen.joined(pool), chosen.symbols.size
        apart = distinct(prices.affinity(both), size)
        self.pool = self.pool.with_more(new)
        letters = chosen.with_more(both.take(apart[apart >= size]))
        start = np.full(letters.symbols.size, 1e-3 / letters.symbols.size)
        start[: q.size] += q
        return letters, replace(found, letters=np.arange(start.size), q=start / start.sum())

    def _prices(self, log_weights: np.ndarray) -> Prices:
        numbers = self.last.numbers  # type: ignore[union-attr]
        return Prices(log_weights, numbers.labels, numbers.label_multipliers)

    # ------------------------------------------------------------------------- progress

    def _upper(self) -> float:
        return math.inf if self.best is None else self.best[0].objective_upper

    def _within(self, lower: float, dual: PricedDual) -> bool:
        """Return whether the gap is within the tolerance, by the rule that `solve` documents."""
        upper, tolerance = self._upper(), self.settings.tolerance
        gap = upper - lower
        if self.target is None:
            return gap <= tolerance
        price = float(dual.multipliers[self.target])
        return gap <= tolerance * max(1.0, upper) and gap * min(price, 1 / max(upper, 1e-300)) <= tolerance

    def _ended(self, found: Result) -> Status | None:
        if self.dual is not None and self._within(self.dual.lower, self.dual):
            return Status.OPTIMAL
        if self._upper() <= self.enough:
            return Status.STOPPED_BY_CALLBACK
        if found.status in (Status.INTERRUPTED, Status.TIME_LIMIT):
            return found.status
        limits = self.settings.limits
        if limits.callback is not None and limits.callback(self.history[-1]):
            return Status.STOPPED_BY_CALLBACK
        if time.perf_counter() - self.settings.began > limits.time_limit:
            return Status.TIME_LIMIT
        return None

    def _record(self, found: Result, letters: SplitLetters) -> None:
        assert self.last is not None
        seconds = time.perf_counter() - self.settings.began
        multipliers = tuple(float(value) for value in self.last.multipliers)
        step, size = len(self.history) + 1, letters.symbols.size
        self.history.append(StepRecord(step, seconds, self.last.lower, found.objective_upper, multipliers, size))

