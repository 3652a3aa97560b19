"""The exchange method: any problem whose letters come from a letter space.

A restricted problem over listed letters is linear and finite, so the other solvers apply. Its dual prices every letter
of the space; the dearest join the list, idle ones leave it, and the largest price proves the bound.
"""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from rdcsolve import deadline
from rdcsolve.letters.letters import Letters, PricedLetters, apart
from rdcsolve.letters.space import LetterSpace
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status, ended_by, out_of_time
from rdcsolve.solvers.exchange.at_one import at_one
from rdcsolve.solvers.exchange.at_points import at_points
from rdcsolve.solvers.exchange.at_rate import AtRate
from rdcsolve.solvers.exchange.at_zero_rate import AtZeroRate
from rdcsolve.solvers.exchange.least_entropy import LeastEntropies
from rdcsolve.solvers.exchange.letter_newton import Slid, gathered, slide
from rdcsolve.solvers.exchange.outcome import PricedDual, finished, impossible, trivial_dual
from rdcsolve.solvers.exchange.starting_letters import Opening, starting
from rdcsolve.solvers.finite.entropy_limits import aimed_limits
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.finite.least_rate import beyond_the_rate, infeasible, minimise_rate
from rdcsolve.solvers.loop import Limits, Settings

_PATIENCE = 6  # rounds without a smaller gap before the method counts as stalled
_INCONCLUSIVE = 3  # proofs, of some seconds each, that end far above the dearest letter found
_IDLE = 1e-8  # share of the output mass below which a letter leaves the list
_MOST_CANDIDATES = 400  # of the dearest letters found in one round
_WORTH = math.log(0.9)  # log price from which an earlier letter stays
_MOST_UNMERGED = 60  # letters of a list from which nobody leaves after a round without progress
_INNER_STEPS = 200
_COLD, _WARM = 1e-3, 1e-5  # nats: what the first list is solved to; letters of a neighbour are worth more than a look
_FLOOR = 0.8
_FALL = (0.03, 0.1)
_FINER, _FINEST = 0.1, 1e-4  # what a round without progress asks of the next: letters of tiny mass hardly show in a gap
_NEAR = 0.02  # of a loss: from this gap on the bound at which its least rate is the given one is known well enough
_ROUNDING = 1e-11  # relatively: bounds that exceed an attained value by more are refuted
_LATE = 10  # tolerances: from this gap on the search is thorough
_KEPT = 0.6  # of the restricted problem's tolerance


def solve_over(
    space: LetterSpace, settings: Settings, start: Result | None = None, enough: float = -math.inf
) -> Result:
    """Return the solution of a letter space's problem, with its bounds.

    Parameters
    ----------
    space : LetterSpace
    settings : Settings
        Its solver is that of the restricted problems.
    start : Result, optional
        Its letters are among the first, if they are of this space's kind.
    enough : float, optional
        An objective at which to stop, whatever the gap.
    """
    trivial = impossible(space, settings)
    if trivial is not None:
        return trivial
    return _Exchange(space, settings, enough).run(start)


class _Exchange:
    def __init__(self, space: LetterSpace, settings: Settings, enough: float) -> None:
        self.space, self.problem, self.settings, self.enough = space, space.problem, settings, enough
        problem = self.problem
        self.target = problem.goal.target
        self.best: tuple[Result, Letters] | None = None
        self.dual: PricedDual | None = None
        self.last: PricedDual | None = None
        self.hoped: PricedDual | None = None  # of the best bound so far, as far as the search can tell
        self.at_rate = AtRate(problem)
        self.at_least = LeastEntropies(space)
        self.at_zero = AtZeroRate(space)
        self.aims = aimed_limits(problem)
        self.opening = Opening(space, settings)
        self.history: list[StepRecord] = []
        self.inconclusive = 0  # proofs that ran out of cells far above the dearest letter that there is to be found

    def run(self, start: Result | None) -> Result:
        """Exchange letters until the gap is within the tolerance or a limit is reached.

        An interrupt from the keyboard ends it like the limit on the time, wherever it comes: what is known is kept.
        """
        message = ""
        try:
            ended = self._rounds(start)
            if isinstance(ended, Result):
                return ended
            status, message = ended
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            status = ended_by(stop)
            if self.best is None:
                nothing_met = self._one_round(start)
                if nothing_met is not None:
                    return nothing_met
        status = self._settled(status)
        try:
            return self._finished(status, message)
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            return self._finished(ended_by(stop), message)

    def _one_round(self, start: Result | None) -> Result | None:
        """Try, in the little time that is left, to have one round to hand out; return a result that none is needed."""
        limits = replace(self.settings.limits, max_steps=len(self.history) + 1, time_limit=math.inf, callback=None)
        self.settings = replace(self.settings, limits=limits)
        self.opening = Opening(self.space, self.settings)
        try:
            with deadline.finishing():
                ended = self._rounds(start)
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            ended_by(stop)
            return None
        return ended if isinstance(ended, Result) else None

    def _rounds(self, start: Result | None) -> tuple[Status, str] | Result:
        """Return why the exchange ended, or the result that says that no letters will do."""
        own = at_points(self.space)
        if own is not None:
            self.hoped = PricedDual(self.space, *own)
            self.hoped.estimate(0.0)
        moved = None if start is None else self._moved(start)
        letters, warm = self.opening.first(start) if moved is None else moved
        if self.at_least.indices:
            letters, warm = self.at_least.listed(letters), None
        self.pool = letters
        inner_gap = (_COLD if warm is None else _WARM) if moved is None else _FLOOR * self.settings.tolerance
        waited, narrowest = 0, math.inf
        while len(self.history) < self.settings.limits.max_steps:
            found = self._restricted(letters, inner_gap, warm)
            if found.status is Status.INFEASIBLE:
                wider = self._restored(letters) or self._wider(letters)
                if isinstance(wider, Result):
                    return (Status.STALLED, "") if self.best is not None else wider
                letters, warm = self.at_least.listed(wider), None
                self.pool = self.pool.with_more(letters)
                continue
            if found.certificate is None:
                return found.status, found.message
            if self.best is None or found.objective_upper < self.best[0].objective_upper:
                self.best = found, letters
            priced = self._price(found, letters)
            self._drop_refuted()
            gap = self._gap()
            self._record(found, letters)
            ended = self._ended(found)
            if ended is not None:
                return ended, ""
            waited = 0 if gap < 0.9 * narrowest else waited + 1
            narrowest = min(narrowest, gap)
            if waited >= _PATIENCE:
                return Status.STALLED, ""
            floor = _FLOOR * self.settings.tolerance * max(_FINER**waited, _FINEST)
            largest = inner_gap if not waited else _FINER * inner_gap
            inner_gap = max(floor, min(self._fall(gap) * self._worth(abs(gap)), largest))
            is_stuck = waited > 0 and len(letters) < _MOST_UNMERGED
            letters, warm = self._exchanged(found, letters, priced, is_stuck)
        return Status.STEP_LIMIT, ""

    def _moved(self, start: Result) -> tuple[Letters, Result] | None:
        """Return where an earlier result's letters slide to under these limits, if that seems to be all it takes.

        The letters of a neighbour on a surface are those of this problem but for their decisions, which no list has:
        round after round would close in on them, where Newton's method is there in a few steps.
        """
        if not self.problem.label_entropies or self.problem.multipliers is not None or self.target is not None:
            return None
        if not (start.letters.size and self.space.fits(start)):
            return None
        multipliers = np.array([start.multipliers.get(name, 0.0) for name in self.problem.loss_names])
        joint = np.asarray(start.channel) * self.problem.p_x[:, None]
        letters, q = self.space.merge(self.space.letters_of(start), joint, multipliers)
        slid = slide(self.space, letters, q / q.sum(), multipliers, self.problem.bounds)
        if slid is None:
            return None
        dual = PricedDual(self.space, slid.u, slid.multipliers)
        dual.estimate(float(dual.prices.maxima(slid.letters).log_prices.max(initial=-math.inf)))
        self.hoped = dual
        if not dual.log_largest <= self.settings.tolerance:
            return None
        return slid.letters, starting(start, slid.q, len(slid.letters))

    def _settled(self, status: Status) -> Status:
        """See that there is a bound to hand out: the best one, proved if it can be, or the one that needs no proof."""
        try:
            if self.hoped is None:
                self.hoped = self.last
            if self.hoped is not None and not self.hoped.checked and status is not Status.INTERRUPTED:
                self._check(self.hoped)
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            status = ended_by(stop)
        if self.dual is None and self.best is not None:
            self.dual = trivial_dual(self.space)
        return status

    def _finished(self, status: Status, message: str) -> Result:
        return finished(self.space, self.settings, self.best, self.dual, status, message, tuple(self.history))

    # ------------------------------------------------------------------------- restricted problems

    def _restricted(self, letters: Letters, gap: float, warm: Result | None) -> Result:
        listed = self.space.listed(letters)
        listed = self.at_least.attainable(listed.with_limits(**self.aims) if self.aims else listed)
        limits = Limits(_INNER_STEPS, self.settings.limits.time_limit)
        solver = self.settings.solver
        if isinstance(solver, InteriorPoint):
            solver = replace(solver, kept=_KEPT)  # duals in a corner are wild beside the letters listed
        settings = replace(self.settings, solver=solver, tolerance=gap, limits=limits)
        if self.target is not None:
            return self.at_rate.restricted(listed, settings, warm, self._gap() <= _NEAR * self._upper())
        if self.problem.multipliers is None:  # a budget on the rate is a matter of the whole problem
            listed = listed.with_limits(rate=None)
        return minimise_rate(listed, settings, warm)

    def _restored(self, letters: Letters) -> Letters | None:
        """Return letters that were exchanged for others without which the limits cannot be met; None if none were."""
        if self.best is None:
            return None
        again = letters.with_more(self.best[1])
        return again if len(again) > len(letters) else None

    def _wider(self, letters: Letters) -> Letters | Result:
        """Return more letters, or the result that says that no letters will do."""
        wider = self.opening.wider()
        if wider is not None:
            return letters.with_more(wider)
        if self.target is None or self.best is not None:
            return self._finished(Status.STALLED, "")
        rate = float(self.problem.rate_bound or 0.0)
        others = self.problem.minimising("rate").with_limits(rate=None)
        least = solve_over(self.space.of(others), self.settings, None, enough=rate * (1 - 1e-9))
        if least.rate_lower > rate and least.proof is Proof.CERTIFIED:
            message = beyond_the_rate(self.problem, least.rate_lower, rate)
            return infeasible(self.problem, self.settings, {"rate": least.rate_lower}, message, least.certificate)
        if not least.rate_upper <= rate:
            known = f"{least.gap:.1g}" if least.proof is Proof.CERTIFIED else "what is proved"
            message = f"no channel found meets the rate limit; it is within {known} of what the other limits need"
            return finished(self.space, self.settings, None, None, Status.STALLED, message, tuple(self.history))
        wider = letters.with_more(self.space.letters_of(least))
        if len(wider) > len(letters):
            return wider
        if self.aims:  # a limit at H(S) takes no rate, one that is lower by a rounding does
            self.aims = {}
            return letters
        message = "letters that meet the rate limit with one method do not meet it, by a rounding, with another"
        return finished(self.space, self.settings, None, None, Status.STALLED, message, tuple(self.history))

    # ------------------------------------------------------------------------- pricing

    def _price(self, found: Result, letters: Letters) -> PricedLetters:
        """Search for the dearest letters; prove that there are none dearer once the gap depends on it."""
        assert found.certificate is not None
        dual = PricedDual(self.space, found.certificate.u, found.certificate.multipliers)
        self.last = dual
        thorough = self._worth(self._gap()) <= _LATE * self.settings.tolerance
        maxima = dual.prices.maxima(letters.take(found.letters[found.q > _IDLE * found.q.max()]), thorough)
        dual.estimate(float(maxima.log_prices.max(initial=-math.inf)))  # no letter at all: no number that is known
        if self.hoped is None or dual.lower > self.hoped.lower:
            self.hoped = dual
        others = self.at_zero.duals(found, letters, self._upper())
        nearby = at_one(self.space, dual.u, dual.multipliers)
        if nearby is not None:
            exact = PricedDual(self.space, *nearby)
            exact.estimate(0.0)
            others.append(exact)
        self.hoped = max([self.hoped, *others], key=lambda one: one.lower)
        if not self.hoped.checked and self._within(self.hoped.lower, self.hoped):
            missed = self._check(self.hoped)
            if missed is not None:
                maxima = maxima.joined(missed)
        return maxima

    def _check(self, dual: PricedDual) -> PricedLetters | None:
        """Bound the price of every letter, and return letters dearer than the search had found, if there are any."""
        estimated = dual.log_largest
        found = dual.check(self.settings.tolerance)
        dearest = estimated if found is None else max(estimated, float(found.log_prices.max(initial=-math.inf)))
        price = min(self.problem.goal.slope(dual.multipliers), 1.0)
        self.inconclusive += dual.log_largest - dearest > self.settings.tolerance * price
        if self.dual is None or (dual.proved, dual.lower) > (self.dual.proved, self.dual.lower):
            self.dual = dual
        return None if found is None or not found.log_prices.max(initial=-math.inf) > estimated + 1e-13 else found

    def _exchanged(
        self, found: Result, letters: Letters, maxima: PricedLetters, is_stuck: bool
    ) -> tuple[Letters, Result]:
        """Return the next letters, and where to start among them.

        Those in use, merged; the dearest found; and of all earlier ones those that are nearly worth their price,
        without which a small list has wild duals. After a round without progress nothing is merged, and nobody leaves:
        next to zero rate all letters are nearly equal, and what merging takes away would have to be found again.
        """
        assert self.last is not None
        prices = self.last.prices
        dear = np.flatnonzero(maxima.log_prices > 0)
        dear = dear[np.argsort(-maxima.log_prices[dear])[:_MOST_CANDIDATES]]
        joint = found.channel * self.problem.p_x[:, None]
        merged, q = self.space.merge(letters.take(found.letters), joint, self.last.multipliers)
        new, kept = maxima.letters.take(dear), merged
        if is_stuck:
            new, kept, q = new.with_more(merged).with_more(letters), letters.take(found.letters), found.q
        else:
            new = new.take(apart(prices.affinity(new)))
        if self.at_least.indices:
            kept, q = self.at_least.settled(kept).united(q)
        chosen = kept.with_more(new)
        slid = self._slid(found, maxima)
        if slid is not None:
            chosen = chosen.with_more(slid.letters)
            dual = PricedDual(self.space, slid.u, slid.multipliers)
            dual.estimate(float(dual.prices.maxima(slid.letters).log_prices.max()))
            if self.hoped is None or dual.lower > self.hoped.lower:
                self.hoped = dual
        pool = self.pool.take(prices.logs(self.pool) > _WORTH)
        both, size = chosen.joined(pool), len(chosen)
        unlike = apart(prices.affinity(both), size)
        self.pool = self.pool.with_more(new)
        letters = chosen.with_more(both.take(unlike[unlike >= size]))
        if self.at_least.indices:
            others = self.at_least.listed(letters.take(np.arange(len(kept), len(letters))))
            letters = letters.take(np.arange(len(kept))).with_more(others)
        letters = letters.with_more(self.opening.holding)
        return letters, starting(found, q, len(letters))

    def _slid(self, found: Result, maxima: PricedLetters) -> Slid | None:
        """Return where the letters in use slide to, one for every summit of the price, or None."""
        assert self.last is not None
        if not self.problem.label_entropies and not self.space.coordinates(self.last.multipliers):
            return None  # letters stay where they are
        joint = found.channel * self.problem.p_x[:, None]
        start = gathered(self.space, self.last.prices, maxima, joint)
        if start is None:
            return None
        bounds = self.problem.bounds.copy()
        if self.problem.multipliers is not None:
            bounds[:] = math.inf
        if self.target is not None:
            bounds[self.target] = found.losses[self.problem.minimise]
        return slide(self.space, *start, self.last.multipliers, bounds)

    # ------------------------------------------------------------------------- progress

    def _upper(self) -> float:
        return math.inf if self.best is None else self.best[0].objective_upper

    def _drop_refuted(self) -> None:
        """Forget a bound that a channel contradicts: the search had missed a letter."""
        if self._gap() < -_ROUNDING * (1 + abs(self._upper())):
            self.hoped = None
            if self.dual is not None and not self.dual.proved:
                self.dual = None

    def _gap(self) -> float:
        return self._upper() - (self.hoped.lower if self.hoped is not None else -math.inf)

    def _worth(self, gap: float) -> float:
        """Return the tolerance that a gap meets: what rounds are solved to does not depend on the unit of a loss."""
        assert self.last is not None
        return self.problem.goal.worth(gap, self._upper(), self.problem.goal.slope(self.last.multipliers))

    def _fall(self, gap: float) -> float:
        """Return the share of the gap that the next restricted problem may leave: less if the letters are complete."""
        assert self.last is not None
        price = 1.0 if self.target is None else max(float(self.last.multipliers[self.target]), 1e-300)
        return _FALL[0] if self.last.log_largest < _FALL[0] * gap * price else _FALL[1]

    def _within(self, lower: float, dual: PricedDual) -> bool:
        """Return whether the gap is within the tolerance, by the rule that `solve` documents."""
        slope = self.problem.goal.slope(dual.multipliers)
        return self.problem.goal.within(lower, self._upper(), self.settings.tolerance, slope)

    def _ended(self, found: Result) -> Status | None:
        if self.dual is not None and self._within(self.dual.lower, self.dual):
            return Status.OPTIMAL
        if self.inconclusive >= _INCONCLUSIVE:
            return Status.STALLED
        if self._upper() <= self.enough:
            return Status.STOPPED_BY_CALLBACK
        if found.status in (Status.INTERRUPTED, Status.TIME_LIMIT):
            return found.status
        limits = self.settings.limits
        if limits.callback is not None and limits.callback(self.history[-1]):
            return Status.STOPPED_BY_CALLBACK
        if deadline.is_up() or time.perf_counter() - self.settings.began > limits.time_limit:
            return out_of_time()
        return None

    def _record(self, found: Result, letters: Letters) -> None:
        assert self.last is not None
        seconds = time.perf_counter() - self.settings.began
        multipliers = tuple(float(value) for value in self.last.multipliers)
        step, size = len(self.history) + 1, len(letters)
        self.history.append(StepRecord(step, seconds, self.last.lower, found.objective_upper, multipliers, size))
