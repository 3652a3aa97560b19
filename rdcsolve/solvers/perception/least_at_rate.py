"""The least loss, or the least distance of the reproduction's law, under a limit on the rate and limits on the rest."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rdcsolve.certificates import Certificate
from rdcsolve.letters.choice import space_of
from rdcsolve.problems import PerceptionAtRate, Problem
from rdcsolve.results.result import Result
from rdcsolve.results.status import Proof, Status, judged
from rdcsolve.solvers.finite.least_rate import beyond_the_rate, empty, infeasible
from rdcsolve.solvers.finite.reduction import least_loss
from rdcsolve.solvers.loop import Settings
from rdcsolve.solvers.perception.idle_rate import is_idle, least_whatever_the_rate
from rdcsolve.solvers.perception.refutation import far_away, least_distance
from rdcsolve.solvers.perception.solve import minimise_rate_within_laws
from rdcsolve.solvers.perception.splits import minimise_rate_over_splits

_MOST_SOLVES = 60
_PATIENCE = 3  # rates in a row that are not found as near as was asked for: then nothing nearer will come
_ROUNDING = 1e-13  # relatively: claims are moved outwards by it
_NEGLIGIBLE = 1e-12  # of the scale: a width that is none
_NEAR = 1e-13  # of a least distance: how near to it a bound with a large multiplier comes
_NO_CHANNEL = "no channel found meets the limit on the rate, and none is excluded"
_NARROW = 1e-15  # of the upper end: brackets that floats cannot divide


def least_rate_within_laws(problem: Problem, settings: Settings, start: Result | None) -> Result:
    """Return the least rate, or Lagrangian, with its bounds, whatever letters a problem with perceptions has."""
    if problem.is_finite:
        return minimise_rate_within_laws(problem, settings, start)
    return minimise_rate_over_splits(problem, settings, start)


def minimise_within_laws(problem: Problem, settings: Settings, start: Result | None) -> Result:
    """Return the least value of the loss or perception that the problem minimises, with its bounds.

    The least rate falls and is convex in the bound on what is minimised, so its tangent at any bound crosses the rate
    limit at or below the answer. From there tangents go on from below, and end beside it.
    """
    goal: Any = problem.goal
    return _Search(problem, settings, goal.name, goal.rate).run(start)


@dataclass(eq=False)
class _Search:
    problem: Problem
    settings: Settings
    name: str
    rate: float
    floor: float = 0.0  # a proved lower bound
    ceiling: float = math.inf  # what a channel within the rate limit attains
    anchor: Certificate | None = None  # what proves that no channel at all has less
    dual: Result | None = None
    primal: Result | None = None
    beyond: float = 1.0
    width: float = math.inf
    solves: int = 0
    steps: int = 0

    def run(self, start: Result | None) -> Result:
        """Bracket the answer, and shrink the bracket."""
        least = self._least()
        self.floor = least * (1 - _ROUNDING)
        if least > 0 and isinstance(self.problem.goal, PerceptionAtRate):
            multiplier = max(self.rate, 1e-3) / (_NEAR * least)
            self.anchor = far_away(self.problem, self.problem.goal.perception, multiplier)
            self.floor = least * (1 - _NEAR)
        loosest = self._at(math.inf, start)
        if loosest.status is Status.INFEASIBLE:
            return replace(loosest, objective=self.problem.objective)
        if loosest.rate_lower > self.rate:
            message = beyond_the_rate(self.problem, loosest.rate_lower, self.rate)
            return infeasible(self.problem, self.settings, {"rate": loosest.rate_lower}, message, loosest.certificate)
        self._record(loosest, math.inf)
        if is_idle(self.problem) and math.isfinite(self.ceiling):
            whole = least_whatever_the_rate(self.problem, self.settings, self.ceiling)
            if whole is not None:
                self._record(whole, self.ceiling)
        if self._takes(least):
            tightest = self._at(least, loosest)
            if tightest.certificate is not None and tightest.rate_upper <= self.rate:
                self._record(tightest, least)
        status, warm = self._shrink(loosest)
        return self._result(status, warm)

    def _takes(self, least: float) -> bool:
        """Return whether the least value is a limit that a problem can have, and the least there is."""
        goal: Any = self.problem.goal
        if not isinstance(goal, PerceptionAtRate):
            return True
        pairs = zip(self.problem.perceptions, self.problem.perception_bounds, strict=True)
        others = [one for k, (one, bound) in enumerate(pairs) if bound == 0 and k != goal.perception]
        own = self.problem.perceptions[goal.perception]
        is_apart = not others or all(one.members is None for one in (own, *others))
        return least == 0 and own.can_be_zero and is_apart

    def _least(self) -> float:
        """Return the least value there may be."""
        goal: Any = self.problem.goal
        if isinstance(goal, PerceptionAtRate):
            return least_distance(self.problem.perceptions[goal.perception])
        index = self.problem.loss_names.index(self.name)
        if index >= len(self.problem.linear_losses):
            return space_of(self.problem.without_perceptions()).least_loss(index)
        return least_loss(self.problem.without_perceptions(), index)

    def _shrink(self, warm: Result) -> tuple[Status, Result]:
        low, bound, failed = self.floor, self._middle(self.floor), 0
        while self.solves < _MOST_SOLVES and failed < _PATIENCE and not self._proved():
            if time.perf_counter() - self.settings.began > self.settings.limits.time_limit:
                return Status.TIME_LIMIT, warm
            result = self._at(bound, warm)
            if result.status in (Status.STOPPED_BY_CALLBACK, Status.INTERRUPTED):
                return result.status, warm
            failed = 0 if result.status in (Status.OPTIMAL, Status.INFEASIBLE) else failed + 1
            if result.certificate is not None and result.letters.size:
                warm = result
                self._record(result, bound)
            else:
                self._refute(result, bound)
            if not result.rate_upper <= self.rate:
                low = max(low, bound)
            low = max(low, self.floor)
            following = self._following(low)
            is_closed = math.isfinite(self.ceiling) and self.ceiling - low <= _NARROW * self.ceiling
            if following == bound or is_closed:
                break
            bound = following
        return (Status.OPTIMAL if self._proved() else Status.STALLED), warm

    def _following(self, low: float) -> float:
        """Return the next bound: a little beyond where the best tangent crosses the rate limit; else the middle.

        How little is doubled again and again where that was not enough: a channel's rate is above the least by a gap.
        Refutations raise the floor to where they were asked for and hardly beyond, so there the bracket is halved.
        """
        width, before = self.ceiling - low, self.width
        self.width = width
        if self.dual is None or (self.anchor is not None and width > 0.5 * before):
            return self._middle(low)
        self.beyond = 4 * self.beyond if low > self.floor else 1.0
        following = max(low, self.floor) + 0.4 * self.beyond * self._allowed(self.floor)
        return following if following < self.ceiling else self._middle(low)

    def _middle(self, low: float) -> float:
        # distances may be attained that are larger than any that matter: near those, solutions say next to nothing
        if not self.ceiling < max(4 * low, self._scale()):
            return max(4 * low, 1e-2 * self._scale())
        if low > 0 and self.ceiling > 4 * low:
            return math.sqrt(low * self.ceiling)
        return low + 0.5 * (self.ceiling - low) if low > 0 else 0.1 * self.ceiling

    def _allowed(self, value: float) -> float:
        """Return the gap that `solve` promises, in the unit of what is minimised."""
        slope = self._slope()
        most = self.settings.tolerance * max(1.0, value)
        return min(most, self.settings.tolerance / min(slope, 1 / max(value, 1e-300)))

    def _slope(self) -> float:
        return math.inf if self.dual is None else self.dual.multipliers[self.name]

    def _proved(self) -> bool:
        width = self.ceiling - self.floor
        if self.problem.goal.within(self.floor, self.ceiling, self.settings.tolerance, self._slope()):
            return True
        return width <= self.settings.tolerance and width <= _NEGLIGIBLE * self._scale()

    def _scale(self) -> float:
        """Return the scale on which a width is rounding."""
        goal: Any = self.problem.goal
        if isinstance(goal, PerceptionAtRate):
            return self.problem.perceptions[goal.perception].scale
        if goal.target >= len(self.problem.linear_losses):
            return 1.0
        return self.problem.spread(goal.target)

    def _at(self, bound: float, start: Result | None) -> Result:
        stated = self.problem.minimising("rate").with_limits(rate=None, **{self.name: bound})
        slope = self._slope()
        aim = 0.2 * self.settings.tolerance * (min(1.0, slope) if math.isfinite(slope) else 1.0)
        self.solves += 1
        result = least_rate_within_laws(stated, replace(self.settings, tolerance=max(aim, 1e-12)), start)
        self.steps += result.steps
        return result

    def _record(self, result: Result, bound: float) -> None:
        """Read both bounds off a result of the rate at a bound."""
        slope = result.multipliers[self.name]
        if result.certificate is not None and 0 < slope < math.inf and math.isfinite(bound):
            floor = bound + (result.certificate.lower - self.rate) / slope
            floor -= _ROUNDING * (abs(bound) + (abs(result.certificate.lower) + self.rate) / slope)
            if floor > self.floor or self.dual is None:
                self.anchor = None if floor > self.floor else self.anchor
                self.floor, self.dual = max(floor, self.floor), result
        if result.rate_upper <= self.rate:
            value = self._attained(result) * (1 + _ROUNDING)
            if value < self.ceiling:
                self.ceiling, self.primal = value, result

    def _refute(self, result: Result, bound: float) -> None:
        """Read a lower bound off a refutation of some bound: no channel has less, whatever its rate."""
        if result.status is not Status.INFEASIBLE or result.certificate is None:
            return
        certificate = result.certificate
        slope = self._anchored(certificate)[self.name]
        if not 0 < slope < math.inf or not math.isfinite(certificate.lower):
            return
        floor = bound + (certificate.lower - self.rate) / slope
        floor -= _ROUNDING * (abs(bound) + (abs(certificate.lower) + self.rate) / slope)
        if floor > self.floor:
            self.floor, self.anchor = floor, certificate

    def _attained(self, result: Result) -> float:
        return {**result.losses, **result.perceptions}[self.name]

    def _anchored(self, anchor: Certificate) -> dict[str, float]:
        """Return the multipliers by name where the least distance of all laws is the bound."""
        own = dict(zip(self.problem.loss_names, map(float, anchor.multipliers), strict=True))
        return own | {
            name: law.multiplier for name, law in zip(self.problem.perception_names, anchor.laws, strict=True)
        }

    def _without_channel(self, status: Status, last: Result) -> Result:
        """Return what is proved where no channel was found within the limit on the rate."""
        found = empty(self.problem, self.settings, status, Proof.NONE, _NO_CHANNEL, math.nan, {})
        found = replace(found, steps=self.steps, method=last.method)
        below = self.anchor if self.anchor is not None or self.dual is None else self.dual.certificate
        if below is None or not self.floor > 0:
            return found
        certificate = replace(
            below,
            objective=self.name,
            fingerprint=self.problem.fingerprint(),
            letters=np.empty(0, dtype=np.intp),
            channel=np.empty((self.problem.n_x, 0)),
            lower=self.floor,
            upper=math.nan,
        )
        return replace(
            found,
            proof=Proof.CERTIFIED,
            objective_lower=self.floor,
            multipliers=self._anchored(certificate),
            certificate=certificate,
        )

    def _result(self, status: Status, last: Result) -> Result:
        if self.primal is None:
            return self._without_channel(status, last)
        made = self.primal
        proving = self.dual if self.dual is not None else made
        certificate, below = made.certificate, proving.certificate if self.anchor is None else self.anchor
        if certificate is not None and below is not None:
            pairs = zip(below.laws, certificate.laws, strict=True)
            laws = tuple(
                replace(ours, rows=plan.rows, columns=plan.columns, masses=plan.masses) for ours, plan in pairs
            )
            certificate = replace(
                certificate,
                objective=self.name,
                u=below.u,
                u_rest=below.u_rest,
                multipliers=below.multipliers,
                proof=below.proof,
                laws=laws,
                lower=self.floor,
                upper=self.ceiling,
            )
        return replace(
            made,
            status=judged(status, self.problem.goal, self.floor, self.ceiling, self.settings.tolerance, self._slope()),
            proof=Proof.CERTIFIED if certificate is not None else Proof.NONE,
            objective=self.name,
            objective_lower=self.floor,
            objective_upper=self.ceiling,
            rate_lower=math.nan,
            multipliers=proving.multipliers if self.anchor is None else self._anchored(self.anchor),
            d_tilted=np.asarray(proving.d_tilted) if self.anchor is None else self.anchor.u,
            certificate=certificate,
            steps=self.steps,
            seconds=time.perf_counter() - self.settings.began,
            message="" if status is Status.OPTIMAL else made.message,
        )
