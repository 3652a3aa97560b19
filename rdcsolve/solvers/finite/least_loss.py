"""Least loss under a limit on the rate: D(R), by Newton's method on the rate as a function of the bound."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.errors import SolverFailed
from rdcsolve.information import mutual_information
from rdcsolve.problems import Problem
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status, ended_by, judged, out_of_time
from rdcsolve.rounding import EPS
from rdcsolve.solvers.finite import recovery
from rdcsolve.solvers.finite.least_mean import EXPONENTIALS, least_constant_mean, least_mean, weighted_sum
from rdcsolve.solvers.finite.least_rate import beyond_the_rate, empty, infeasible, rate_under
from rdcsolve.solvers.finite.recovery import Primal
from rdcsolve.solvers.finite.reduction import least_loss, least_pairs
from rdcsolve.solvers.loop import Limits, Settings

_MOST_SOLVES = 60
_ROUNDING = 1e-13  # relative allowance for the rounding of sums and products: claims are moved outwards by it
_NEGLIGIBLE = 1e-12  # share of the loss's spread that is none at all beside it
_PENALTY = 1e12  # between the sizes of losses, next to each other: what is above is a penalty
_FINEST = 1e-15  # nats: no rate is known better
_SLACK = 9e-13  # nats, or of a spread: limits are met to 1e-12 in floating point, roundings of the check included
_PATIENCE = 6  # solves without a narrower bracket before the search counts as stalled


def minimise_loss(problem: Problem, settings: Settings, start: Result | None) -> Result:
    """Return the least value of the loss that the problem minimises, with its bounds.

    The least rate R(b) falls and is convex in the bound b on the loss, with slope -lambda. So the tangent at any b
    crosses the rate limit at or below the answer: that is the dual bound of Theorem 6 on the page on
    certificates, and the next b to try. In log b the curve is closer to straight, which saves a few solves.
    """
    rate = problem.rate_bound
    assert rate is not None
    search = _Search(problem, settings, problem.loss_names.index(problem.minimise), rate)
    return search.run(start)


def rate_at_least(problem: Problem, index: int) -> float:
    """Return a lower bound on the rate that the least value of a stored loss takes, nats: no solving, one pass.

    Let S_i be the letters that are cheapest for symbol i, and m(a) the mass of the symbols with a in S_i. A channel at
    the least value stays within the S_i, and u_i = -log max_{a in S_i} m(a) has prices sum_{i: a in S_i} p_i exp(u_i)
    of at most sum_{i: a in S_i} p_i / m(a) = 1. So the rate is at least p.u; it is p.u where every S_i is one letter.

    Parameters
    ----------
    problem : Problem
    index : int
        Of a linear loss.
    """
    used = problem.p_x > 0
    p, cheapest = problem.p_x[used], least_pairs(problem, index)[used]
    crowd = np.where(cheapest, p @ cheapest, 0.0).max(axis=1)
    return float(-(p @ np.log(np.minimum(crowd, 1.0))))


@dataclass
class _Search:
    problem: Problem
    settings: Settings
    index: int
    rate: float
    floor: float = -math.inf  # a proved lower bound on the loss
    dual: Result | None = None  # the result whose certificate proves it
    ceiling: float = math.inf  # the loss of a channel within the rate limit
    primal: Result | None = None
    unlimited: float | None = None  # the least loss at any rate, once it was asked for
    solves: int = 0
    steps: int = 0
    history: list[StepRecord] = field(default_factory=list)

    def run(self, start: Result | None) -> Result:
        """Bracket the answer and shrink the bracket, until the time is up or an interrupt comes."""
        try:
            return self._bracketed(start)
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            return self._cut_short(ended_by(stop))

    def _cut_short(self, status: Status) -> Result:
        """Return what is known of the loss."""
        last = self.primal or self.dual
        if last is not None:
            return self._finish(status, last)
        floor = self.floor if math.isfinite(self.floor) else math.nan
        return empty(self.problem, self.settings, status, Proof.NONE, "", floor, {}, tuple(self.history))

    def _bracketed(self, start: Result | None) -> Result:
        least = least_loss(self.problem, self.index)
        self.floor = least * (1 - _ROUNDING)
        loosest = self._at(math.inf, 1e-2, start)
        if loosest.status is Status.INFEASIBLE:
            return replace(loosest, objective=self.problem.objective)
        if loosest.rate_lower > self.rate:
            return self._excluded(loosest)
        if loosest.rate_upper > self.rate:  # a small rate is told from one below it only as closely as it is small
            finest = max(min(self.settings.tolerance, 1e-2 * self.rate), _FINEST)
            loosest = self._at(math.inf, finest, loosest)
            if loosest.rate_lower > self.rate:
                return self._excluded(loosest)
        self._record(loosest)
        if loosest.rate_upper == 0:
            self._record_programme(*least_constant_mean(self.problem, self.index), loosest)
        if self.rate == 0:
            self._constant_within_slack(loosest)
            return self._finish(Status.STALLED, loosest)
        if self._may_be_least():
            tightest = self._at(least, 1e-2 * max(self.rate, 1e-3), loosest)
            if tightest.status is not Status.INFEASIBLE and tightest.rate_upper <= self.rate:
                self._record(tightest)
        if self._proved():
            return self._finish(Status.OPTIMAL, self.primal or loosest)
        return self._shrink(least, loosest if start is None else start)

    def _excluded(self, loosest: Result) -> Result:
        """Return the result of a rate limit that is below what the other limits need."""
        least = loosest.rate_lower
        message = beyond_the_rate(self.problem, least, self.rate)
        return infeasible(self.problem, self.settings, {"rate": least}, message, loosest.certificate)

    def _may_be_least(self) -> bool:
        """Return whether the least value of the loss may be within the rate limit, and can be solved for at all."""
        problem = self.problem
        # a limit at the least value is a mask of all pairs: only for what is stored
        if np.isfinite(problem.bounds).any() or not problem.linear_losses[self.index].is_stored:
            return False
        return rate_at_least(problem, self.index) <= self.rate * (1 + _ROUNDING) + _ROUNDING

    def _at_any_rate(self, result: Result) -> float:
        """Use the least loss at any rate: it matters, and is worth its time, only where the rate limit is slack."""
        if self.unlimited is None:
            unlimited = least_mean(self.problem, self.index)
            self._record_programme(unlimited.primal, unlimited.dual(self.rate), result)
            self.unlimited = unlimited.lower
        return self.unlimited

    def _constant_within_slack(self, loosest: Result) -> None:
        """Use the best constant output that meets the limits within the check's slack, if nothing else was found.

        A limit at the least mean that a constant output has is met by that output, or missed by a rounding.
        """
        if self.primal is not None or self.problem.equal.any():
            return
        problem = self.problem
        letters = np.arange(problem.n_letters)
        if problem.forbidden is not None:
            letters = letters[~problem.forbidden[problem.p_x > 0].any(axis=0)]
        if not letters.size:  # every letter is forbidden to some symbol: no output is constant
            return
        for least_of_one in (True, False):  # the first is read as the least mean where the rate is limited to zero
            bounds = problem.bounds.copy()
            for m in np.flatnonzero(np.isfinite(bounds)).tolist():
                slack = 0.5 * _SLACK * problem.spread(m)
                means = weighted_sum(problem.linear_losses[m].structure, problem.p_x, letters)
                least = means.min(initial=math.inf) * (1 + 4 * EPS)
                bounds[m] = max(bounds[m], min(least, bounds[m] + slack)) if least_of_one else bounds[m] + slack
            try:
                relaxed = problem.with_limits(**dict(zip(problem.loss_names, map(float, bounds), strict=True)))
                self._record_programme(*least_constant_mean(relaxed, self.index), loosest, bounds)
            except SolverFailed:
                continue
            if self.primal is not None:
                break

    def _record_programme(
        self, made: Primal, found: DualPoint, loosest: Result, bounds: np.ndarray | None = None
    ) -> None:
        """Use what a linear programme proves and attains; whatever its channel misses leaves only the bound."""
        problem = self.problem
        certificate = recovery.certificate(problem, found, made, 0.0, 0.0)
        within = (
            problem if bounds is None else problem.with_limits(**dict(zip(problem.loss_names, bounds, strict=True)))
        )
        met = recovery.meets(within, made.means, self.index)
        self._record(
            replace(
                loosest,
                rate_lower=0.0,
                rate_upper=made.rate if met else math.inf,
                losses=dict(zip(problem.loss_names, map(float, made.means), strict=True)),
                multipliers=dict(zip(problem.loss_names, map(float, found.multipliers), strict=True)),
                channel=made.channel,
                letters=made.letters,
                q=made.q,
                d_tilted=found.u - float(found.multipliers @ made.means),
                certificate=certificate,
                method="linear programme",
            )
        )

    def _shrink(self, least: float, warm: Result) -> Result:
        low, high = least, self.ceiling
        bound = self._first_guess(low, high, warm)
        accuracy = 1e-3
        status = Status.STALLED
        since_better, width = 0, math.inf
        while self.solves < _MOST_SOLVES and since_better < _PATIENCE:
            since_better = 0 if self.ceiling - self.floor < 0.9 * width else since_better + 1
            width = min(width, self.ceiling - self.floor)
            result = self._at(bound, accuracy, warm)
            if result.status in (Status.STOPPED_BY_CALLBACK, Status.INTERRUPTED):
                status = result.status
                break
            if deadline.is_up() or time.perf_counter() - self.settings.began > self.settings.limits.time_limit:
                status = out_of_time()
                break
            if result.status is Status.INFEASIBLE or not math.isfinite(result.rate_upper):
                least = max(least, self._at_any_rate(warm))
                if self._proved():
                    break
                low, high = max(bound, least), min(high, self.ceiling)
                bound = 0.5 * (low + high)
                continue
            warm = result
            self._record(result)
            slope = result.multipliers[self.problem.minimise]
            if self._proved():
                return self._finish(Status.OPTIMAL, result)
            if self._attained(result) <= self.rate:
                high = min(high, bound, self.ceiling)  # a constant output may be far better than was asked for
            elif result.rate_lower > self.rate:
                low = max(low, bound)
            inside = max(0.25 * self.settings.tolerance * min(1.0, slope), 2 * self._rounding)
            excess = self._attained(result) - (self.rate - inside)
            finest = 0.1 * self.settings.tolerance * min(1.0, slope)
            accuracy = min(accuracy, max(1e-3 * abs(excess), finest, _FINEST))
            bound = self._next(bound, excess, slope, low, high, least)
        if not self._proved() and status is Status.STALLED and np.isfinite(self.problem.bounds).any():
            self._at_any_rate(warm)
        if not self._proved() and status is Status.STALLED:
            self._from_below(warm)
        return self._finish(status, warm)

    def _from_below(self, warm: Result) -> None:
        """Go on from the floor as far as it rises, and use the slack of the rate limit where no channel is within it.

        Beside the least rate that the other limits need, the loss falls as the root of what the limit leaves above it,
        and multipliers are tiny: bounds on the loss from above are at the mercy of roundings there, and each tangent at
        the floor has the next floor. Where a limit is below that least rate by a rounding, no channel is within it, and
        one that the check finds within its slack has to do.
        """
        for _ in range(_PATIENCE):
            known = self.floor
            if not math.isfinite(known) or self._proved():
                break
            self._record(self._at(known, _FINEST, warm))
            if not self.floor > known:
                break
        if math.isfinite(self.floor) and not self._proved():  # the channel at the floor may miss the limit by rounding
            beyond = 0.5 * self.settings.tolerance * min(1.0, 1 / max(self._slope(), 1e-300))
            self._record(self._at(self.floor + beyond, _FINEST, warm))
        self._constant_within_slack(warm)
        if self.primal is None:
            for bound in (self.floor, math.inf):
                self._record(self._at(bound, _FINEST, warm), _SLACK)
                if self.primal is not None:
                    break

    def _first_guess(self, low: float, high: float, warm: Result) -> float:
        known = warm.losses.get(self.problem.minimise, math.nan)
        if low < known < high:
            return known
        top = high if math.isfinite(high) else max(self.ceiling, 1.0)
        if top - low > _PENALTY * (1 + abs(low)):
            top = min(top, self._ordinary(low, top))
        return low + (top - low) * math.exp(-min(self.rate, 30.0))

    def _ordinary(self, low: float, top: float) -> float:
        """Return the largest mean of the loss without penalties, which a channel of rate zero may not avoid.

        A bound as large as these leaves no mask, and the methods nothing to go by.
        """
        loss = self.problem.linear_losses[self.index].block()[self.problem.p_x > 0]
        minima = self.problem.row_minima(self.index)[self.problem.p_x > 0]
        above = np.where(np.isfinite(loss), loss - minima[:, None], 0.0)
        sizes = np.unique(above[above > 0])
        ends = np.flatnonzero(sizes[1:] > _PENALTY * sizes[:-1])
        if not ends.size:
            return top
        return low + float(
            self.problem.p_x[self.problem.p_x > 0] @ np.where(above <= sizes[ends[-1]], above, 0).max(axis=1)
        )

    def _next(self, bound: float, excess: float, slope: float, low: float, high: float, least: float) -> float:
        """Return the Newton step in log(bound - least), kept inside the bracket."""
        if slope <= 0:  # rate zero: beyond the answer, and flat
            return 0.5 * (max(low, self.floor) + min(high, bound))
        room = bound - least
        step = least + room * math.exp(float(np.clip(excess / max(slope * room, 1e-300), -3.0, 3.0)))
        if abs(excess) < 1e-4:  # near the answer the plain step keeps the tangent's guarantee
            step = bound + excess / max(slope, 1e-300)
        if not low < step < high:
            step = 0.5 * (low + high) if step <= low or not math.isfinite(step) else 0.5 * (bound + high)
        return step

    def _proved(self) -> bool:
        """Return whether the bracket is within the tolerance, in the loss's unit and in a unit that scales with it.

        The first is the rule that `solve` documents: tolerance * max(1, loss), as losses have any unit. The second is
        nats, the width times the multiplier of the certificate that proves the lower end, or the share of the loss:
        near the least value of the loss the multiplier grows without limit and only the share has a meaning. A width
        that is rounding beside the largest loss meets the second in any case.
        """
        width, tolerance = self.ceiling - self.floor, self.settings.tolerance
        if self.problem.goal.within(self.floor, self.ceiling, tolerance, self._slope()):
            return True
        return width <= tolerance and width <= _NEGLIGIBLE * self.problem.spread(self.index)

    def _slope(self) -> float:
        return math.inf if self.dual is None else self.dual.multipliers[self.problem.minimise]

    def _at(self, bound: float, tolerance: float, start: Result | None) -> Result:
        bounds = self.problem.bounds.copy()
        bounds[self.index] = bound
        limits: Limits = self.settings.limits
        if limits.callback is not None:
            limits = replace(limits, callback=self._told)
        settings = replace(self.settings, tolerance=tolerance, limits=limits)
        self.solves += 1
        result = rate_under(self.problem, bounds, settings, start)
        self.steps += result.steps
        return result

    def _told(self, record: StepRecord) -> object:
        """Tell the caller of a step at a given bound, whose own numbers are rates, what is known of the loss."""
        assert self.settings.limits.callback is not None
        return self.settings.limits.callback(self._in_terms_of_the_loss(record))

    def _in_terms_of_the_loss(self, record: StepRecord) -> StepRecord:
        value = self.ceiling if math.isfinite(self.ceiling) else math.nan
        return replace(record, lower=self.floor, value=value)

    def _record(self, result: Result, slack: float | None = None) -> None:
        """Read both bounds on the loss off a result of the rate, whose own may be beyond the limit by a slack."""
        name = self.problem.minimise
        if result.certificate is None:
            return
        point = result.certificate.point
        if point.multipliers[self.index] > 0:
            floor = point.bound(self.problem)
            size = float(np.abs(point.u).max()) + self.rate
            floor -= (4 * EPS * size + EXPONENTIALS) / float(point.multipliers[self.index]) + _ROUNDING * abs(floor)
            if floor > self.floor:
                self.floor, self.dual = floor, result
        value = result.losses[name] * (1 + _ROUNDING)
        largest = max(self.rate - self._rounding, 0.0) if slack is None else self.rate + slack
        if self._attained(result) <= largest and value < self.ceiling:
            self.ceiling, self.primal = value, result
        seconds = time.perf_counter() - self.settings.began
        multipliers = tuple(float(one) for one in point.multipliers)
        record = StepRecord(len(self.history) + 1, seconds, 0.0, 0.0, multipliers, result.letters.size)
        self.history.append(self._in_terms_of_the_loss(record))

    @property
    def _rounding(self) -> float:
        """What the rate of a channel may be off by, nats; that of a constant output is zero exactly."""
        return 8 * EPS * (1 + self.rate)

    def _attained(self, result: Result) -> float:
        """Return the rate of a channel, to a few roundings where that is an array; zero if all rows are one."""
        if not isinstance(result.channel, np.ndarray) or not math.isfinite(result.rate_upper):
            return result.rate_upper
        used = result.channel[self.problem.p_x > 0]
        return 0.0 if (used == used[0]).all() else mutual_information(self.problem.p_x, result.channel)

    def _finish(self, status: Status, last: Result) -> Result:
        problem = self.problem
        made = self.primal if self.primal is not None else last
        found = self.dual if self.dual is not None else made
        upper = self.ceiling
        if self._proved():
            status = Status.OPTIMAL
        else:
            status = judged(status, problem.goal, self.floor, upper, self.settings.tolerance, self._slope())
        certificate = made.certificate
        if certificate is not None and found.certificate is not None:
            certificate = replace(
                certificate,
                objective=problem.minimise,
                u=found.certificate.u,
                u_rest=found.certificate.u_rest,
                multipliers=found.certificate.multipliers,
                lower=self.floor,
                upper=upper,
            )
        plane = float(found.rate_lower)
        return replace(
            made,
            status=status,
            proof=Proof.CERTIFIED if certificate is not None else Proof.NONE,
            objective=problem.minimise,
            objective_lower=self.floor,
            objective_upper=upper,
            rate_lower=max(0.0, min(plane, made.rate_upper)) if found is made else math.nan,
            rate_upper=made.rate_upper,
            multipliers=found.multipliers,
            d_tilted=found.d_tilted,
            certificate=certificate,
            steps=self.steps,
            history=tuple(self.history),
            seconds=time.perf_counter() - self.settings.began,
            message="" if status is Status.OPTIMAL else made.message,
        )
