"""Fixed letters: alternation over channel, output masses and soft decisions, from several starts.

With one letter per reproduction symbol H(S | A) is concave in the channel, so the problem is not convex and the
alternation finds stationary points. Given a soft decision per letter, H(S | A) turns into a linear loss that is no
smaller, and the problem into one with finitely many letters; given its channel, the posteriors are the best
decisions. Neither half-step can raise the objective or break a limit.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from rdcsolve import deadline, options
from rdcsolve.calls import public_call
from rdcsolve.certificates import Certificate
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.claims import largest_rate
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status, ended_by, out_of_time
from rdcsolve.results.units import told
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.finite.least_rate import infeasible, minimise_rate, without_channel
from rdcsolve.solvers.loop import Limits, Settings
from rdcsolve.solvers.stationary.exact import Found, as_it_is, constant_channel, least_losses, polish, trivial_bound
from rdcsolve.solvers.stationary.map_weights import map_refutation
from rdcsolve.solvers.stationary.starts import Arena, Candidate, Start

_CHEAP = 1e-10  # relative fall of the value at which the cheap phase ends
_LARGE = 1000  # pairs of symbol and letter above which only the best starts get all their steps
_MAPS = 3  # maps that meet the limits, from which the exact phase goes on
_SAME = 1e-6  # relative distance of values of starts that count as one stationary point
_NO_MAP = (
    "weighted by the certificate's multipliers the limits are exceeded by every map from symbols to letters, and by a "
    "channel no less than by the best map"
)


@public_call
@dataclass(frozen=True)
class Alternation:
    """Blahut-Arimoto alternation over channel, output masses and soft decisions, from several starts.

    Parameters
    ----------
    starts : int, optional
        Random starts, besides the informed ones.
    rng : int, numpy.random.Generator or None, optional
        Where random starts come from; None for fresh entropy.
    max_steps : int, optional
        Cheap steps per start; a tenth of them for all but the best starts on larger problems.
    anneal : bool, optional
        Whether one start follows the solution from where the problem is convex.
    informed : bool, optional
        Whether to start from the nearest letters, and from the solution with split letters if there is one.
    polish : int, optional
        How many of the best stationary points the exact phase works on.
    polish_steps : int, optional
        Exact steps on each.
    """

    starts: int = 10
    rng: int | np.random.Generator | None = 0
    max_steps: int = 2000
    anneal: bool = True
    informed: bool = True
    polish: int = 2
    polish_steps: int = 30

    def __post_init__(self) -> None:
        least = {"starts": 0, "max_steps": 1, "polish": 1, "polish_steps": 1}
        for name, smallest in least.items():
            options.whole(getattr(self, name), name, smallest)
        for name in ("anneal", "informed"):
            options.switch(getattr(self, name), name)
        options.generator(self.rng)
        if not (self.starts or self.anneal or self.informed):
            raise InvalidInput("starts is 0 without annealing or informed starts; allow at least one start")

    @property
    def name(self) -> str:
        """Name for tables and results."""
        return "alternation"


def solve_fixed(
    problem: Problem,
    settings: Alternation,
    tolerance: float = 1e-9,
    time_limit: float = math.inf,
    callback: Callable[[StepRecord], object] | None = None,
    split: Result | None = None,
) -> Result:
    """Return the best stationary point found of a problem with fixed letters.

    Parameters
    ----------
    problem : Problem
    settings : Alternation
    tolerance : float, optional
        Gap of the finite problems of the exact phase, nats.
    time_limit : float, optional
        Wall seconds, checked between starts and between exact steps.
    callback : callable, optional
        Called with a `StepRecord` per start and per exact step; a true return value stops the search.
    split : Result, optional
        The solution of the same problem with split letters: its lower bound holds here, and it gives starts.

    Returns
    -------
    Result
        STATIONARY, unless stopped early or nothing that meets the limits was found. The lower bound, its proof and
        `d_tilted` are those of `split`.
    """
    with deadline.within(time_limit):
        return _Search(problem, settings, tolerance, time_limit, callback, split).run()


class _Stop(Exception):
    """The search is to end now, for the reason given."""

    def __init__(self, status: Status) -> None:
        super().__init__(status.value)
        self.status = status


class _Search:
    def __init__(
        self,
        problem: Problem,
        settings: Alternation,
        tolerance: float,
        time_limit: float,
        callback: Callable[[StepRecord], object] | None,
        split: Result | None,
    ) -> None:
        self.problem, self.settings, self.split = problem, settings, split
        self.tolerance, self.time_limit, self.callback = tolerance, time_limit, callback
        self.began = time.perf_counter()
        self.inner = Settings(InteriorPoint(), min(tolerance, 1e-9), Limits(200), self.began)
        self.arena = Arena(problem)
        self.lower = trivial_bound(problem) if split is None else split.objective_lower
        self.history: list[StepRecord] = []
        self.candidates: list[Candidate] = []
        self.best: Found | None = None
        self.steps = 0
        self.begun_at = math.inf  # the value of a map that was handed to the exact phase

    def run(self) -> Result:
        """Descend from every start, then make the best ones exact."""
        refused = self._provably_infeasible()
        if refused is not None:
            return replace(refused, method=self.settings.name)
        status = Status.STATIONARY
        try:
            self._descend()
            self._polish(self.settings.polish, self.settings.polish_steps)
            if not self._is_within_budget() or self.problem.rate_bound == 0:  # which only constants meet
                self._from_maps()
        except _Stop as stop:
            status = stop.status
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            status = ended_by(stop)
        if self.best is None and status is not Status.STATIONARY:
            status = self._hurried(status)
        if self.best is None or not self._is_within_budget():
            return self._nothing(Status.STALLED if status is Status.STATIONARY else status)
        if status is Status.STATIONARY and not self.best.settled:
            status = Status.STEP_LIMIT if self.best.value < self.begun_at else Status.STALLED
        return self._result(self.best, status)

    def _is_within_budget(self) -> bool:
        """Return whether a channel was found that meets the limit on the rate too, where the rate is minimised."""
        if self.best is None:
            return False
        budget = math.inf if self.problem.rate_bound is None else self.problem.rate_bound
        return not is_rate(self.problem.objective) or self.best.rate <= budget * (1 + 1e-13)

    def _hurried(self, status: Status) -> Status:
        """Take one exact step, which turns the best start so far into a channel that can be handed out."""
        try:
            with deadline.finishing():
                self._polish(1, 1)
        except _Stop:
            return status
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            return ended_by(stop)
        return status

    def _descend(self) -> None:
        settings = self.settings
        rng = np.random.default_rng(settings.rng)
        starts = [] if self.split is None or not settings.informed else list(self.arena.starts_of_split(self.split))
        large = self.arena.mask.size > _LARGE
        steps = settings.max_steps // 10 + 1 if large else settings.max_steps
        for start in [*starts, *self.arena.starts(settings.starts, rng, settings.informed, settings.anneal)]:
            self._descend_from(start, steps)
        if large:
            for candidate in self._ranked()[: settings.polish + 1]:
                self._descend_from(self.arena.resumed(candidate), settings.max_steps)

    def _descend_from(self, start: Start, steps: int) -> None:
        candidate = self.arena.descend(start, steps, _CHEAP)
        self.candidates.append(candidate)
        self.steps += candidate.steps
        self._report(candidate.value if candidate.met else math.nan)

    def _ranked(self) -> list[Candidate]:
        """Return candidates of distinct values, best first, those that miss a limit last."""
        kept: list[Candidate] = []
        for candidate in sorted(self.candidates, key=lambda c: (not c.met, c.value if c.met else c.excess)):
            if not kept or not kept[-1].met or candidate.value > kept[-1].value + _SAME * (1 + abs(kept[-1].value)):
                kept.append(candidate)
        return kept

    def _polish(self, at_most: int, steps: int) -> None:
        """Make the best candidates exact, until enough of them have turned out to meet the limits."""
        polished = 0
        for candidate in self._ranked():
            found = None
            for found in polish(self.arena, candidate, steps, self.inner):
                if self.best is None or found.value <= self.best.value:
                    self.best = found
                self.steps += 1
                if steps > 1:
                    self._report(found.value)
            polished += found is not None
            if polished >= at_most:
                break
            if deadline.is_up():
                raise _Stop(out_of_time())

    def _from_maps(self) -> None:
        """Go on from maps from symbols to letters, and channels that tell nothing, where no descent met the limits."""
        from rdcsolve.solvers.stationary.maps import feasible_maps

        constant = constant_channel(self.arena, self.inner)
        for candidate in filter(None, [constant, *itertools.islice(feasible_maps(self.arena), _MAPS)]):
            self.candidates.append(candidate)
            for found in polish(self.arena, candidate, self.settings.polish_steps, self.inner):
                if self.best is None or found.value <= self.best.value:
                    self.best = found
                self.steps += 1
                self._report(found.value)
            assert candidate.channel is not None
            as_found = as_it_is(self.arena, candidate.channel, self.inner)
            if as_found is not None and (self.best is None or as_found.value < self.best.value):
                self.best, self.begun_at = as_found, as_found.value

    def _report(self, value: float) -> None:
        seconds = time.perf_counter() - self.began
        record = StepRecord(len(self.history) + 1, seconds, self.lower, value, (), self.problem.n_letters)
        self.history.append(record)
        if self.callback is not None and self.callback(record):
            raise _Stop(Status.STOPPED_BY_CALLBACK)
        if deadline.is_up():
            raise _Stop(out_of_time())

    def _provably_infeasible(self) -> Result | None:
        """Return the infeasible result where a bound is below its loss's least value, or split letters prove it."""
        problem = self.problem
        if self.split is not None and self.split.status is Status.INFEASIBLE:
            return replace(self.split, seconds=time.perf_counter() - self.began)
        beyond = self._beyond_every_rate()
        if beyond is not None:
            return beyond
        least = least_losses(problem)
        for name, bound in zip(problem.loss_names, problem.bounds, strict=True):
            if bound < least[name] - 1e-13 * (1 + least[name]):
                stated, value = (told(problem, name, number) for number in (float(bound), least[name]))
                message = f"{name} <= {stated} is below its least value {value}"
                return infeasible(problem, self.inner, {name: least[name]}, message, map_refutation(problem))
        return None

    def _beyond_every_rate(self) -> Result | None:
        """Return the infeasible result where split letters need a rate that fixed ones, or the limit, do not allow."""
        problem = self.problem
        certificate = None if self.split is None else self.split.certificate
        if certificate is None or not is_rate(problem.objective):
            return None
        needed, largest = certificate.lower, largest_rate(problem)
        if not needed > largest:
            return None
        least, most = (told(problem, "rate", rate) for rate in (needed, largest))
        message = f"the limits need a rate of at least {least}, and no channel has more than {most}"
        return infeasible(problem, self.inner, {"rate": needed}, message, certificate)

    def _nothing(self, status: Status) -> Result:
        """Return the result where no channel was found: infeasible only if that follows from the other limits."""
        problem = self.problem
        if status is Status.STALLED and problem.multipliers is None:
            relaxed = problem.minimising("rate").with_limits(**dict.fromkeys(problem._label_names, None))
            priors = self.arena.split_by_label(self.arena.prior_everywhere())
            answer = minimise_rate(relaxed.listed(np.arange(problem.n_letters), priors), self.inner, None)
            if answer.status is Status.INFEASIBLE:
                return replace(answer, method=self.settings.name, objective=problem.objective)
            certificate = map_refutation(problem)
            if certificate is not None:
                return replace(infeasible(problem, self.inner, {}, _NO_MAP, certificate), method=self.settings.name)
        message = "no start met the limits; that does not prove that no channel does"
        return replace(
            infeasible(problem, self.inner, {}, message if status is Status.STALLED else status.value),
            status=status,
            proof=Proof.NONE,
            objective_lower=self.lower,
            objective_upper=math.nan,
            rate_lower=self.lower if is_rate(problem.objective) else math.nan,
            rate_upper=math.nan,
            method=self.settings.name,
            steps=self.steps,
            history=tuple(self.history),
            certificate=self._from_below(),
        )

    def _from_below(self) -> Certificate | None:
        """Return the certificate of split letters without a channel: the lower bound needs none."""
        certificate = None if self.split is None else self.split.certificate
        return None if certificate is None else replace(without_channel(certificate), objective=certificate.objective)

    def _result(self, found: Found, status: Status) -> Result:
        problem, split = self.problem, self.split
        of_rate = is_rate(problem.objective)
        proof = Proof.NONE if split is None else split.proof
        rate_upper = found.rate + 1e-14 * (1 + found.rate) if found.rate > 0 else 0.0
        upper = rate_upper if of_rate else found.value + 1e-14 * (1 + abs(found.value))
        listed = found.listed
        certificate = None if split is None else split.certificate
        if certificate is not None:
            certificate = replace(certificate, letters=listed.letters, channel=listed.channel, upper=upper)
        if proof is Proof.CERTIFIED and upper - self.lower <= self.tolerance:
            status = Status.OPTIMAL  # what split letters attain is attained without splitting
        return Result(
            status=status,
            proof=proof,
            objective=problem.objective,
            objective_lower=self.lower,
            objective_upper=upper,
            rate_lower=self.lower if of_rate else math.nan,
            rate_upper=rate_upper,
            losses=found.losses,
            multipliers=listed.multipliers,
            channel=listed.channel,
            letters=listed.letters,
            q=listed.q,
            d_tilted=np.full(problem.n_x, math.nan),
            certificate=certificate,
            fingerprint=problem.fingerprint(),
            method=self.settings.name,
            steps=self.steps,
            seconds=time.perf_counter() - self.began,
            history=tuple(self.history),
            message=self._message(found, upper),
            decisions=self.arena.decisions_of(listed.channel),
        )

    def _message(self, found: Found, upper: float) -> str:
        near = [c for c in self.candidates if c.met and c.value <= upper + 1e-5 * (1 + abs(upper))]
        parts = [f"{len(near)} of {len(self.candidates)} starts reached the best value"]
        if self.split is not None:
            parts.append(f"{upper - self.lower:.3g} above the bound with split letters")
        total = sum(found.listed.multipliers[name] for name in self.problem._label_names)
        # decisions that exclude pairs act like multipliers that are not in the sum
        if self.problem.label_entropies and total <= 1 + 1e-9 and found.settled and not found.narrowed:
            parts.append("the label multipliers add up to at most one: the Lagrangian is convex, the point optimal")
        return "; ".join(parts)
