"""The least rate, or Lagrangian, under limits on losses and on the law of the reproduction."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates import Certificate
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.problems.priced import letter_prices
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status, ended_by, judged, out_of_time
from rdcsolve.solvers.finite import recovery
from rdcsolve.solvers.finite.least_rate import empty, infeasible, minimise_rate, task_within_limits
from rdcsolve.solvers.finite.reduction import fixed_task
from rdcsolve.solvers.loop import NumericalBreakdown, Settings
from rdcsolve.solvers.perception.channel import ALMOST_NONE, Attained, Channels, proof_of
from rdcsolve.solvers.perception.idle import (
    Watched,
    idle_limits,
    idle_proof,
    is_met_by,
    with_idle_laws,
    with_met_limits,
)
from rdcsolve.solvers.perception.interior_point import Point, Statement, interior_points
from rdcsolve.solvers.perception.off_faces import off_faces
from rdcsolve.solvers.perception.programme import Law, Programme, possible_places, programme_of
from rdcsolve.solvers.perception.progress import Progress
from rdcsolve.solvers.perception.refutation import (
    beyond_reach,
    constant_law,
    least_distance,
    nearest,
    refuting_point,
    scale_of,
)
from rdcsolve.solvers.perception.smooth_newton import smooth_points

METHOD = "interior point with laws"
_CLOSE = 30.0  # tolerances: products below this call for a channel
_FAR = 800.0  # nats: what e to the power of minus it is nothing beside floats
_SPARE = 1e-9  # nats: prices of places that no law within the limits shows are not where bounds are tight
_MISSING = 1e-15  # of all mass: rounding
_CAME_TO_NOTHING = (Status.STALLED, Status.STEP_LIMIT, Status.NUMERICAL_ERROR)
_ROUNDING = 2e-15  # of what is added up: allowance that this module takes off its own bounds


def minimise_rate_within_laws(problem: Problem, settings: Settings, start: Result | None) -> Result:
    """Return the least rate, or Lagrangian, with its bounds: first without the limits on laws, which may not bind."""
    refuted = beyond_reach(problem)
    if refuted is not None:
        return of_problem(problem, infeasible(problem, settings, *refuted))
    bare = problem.without_perceptions()
    counts = [k for k in range(len(problem.perceptions)) if _is_limited(problem, k)]
    plain, watched = None, Watched(settings.solver, problem, counts)
    if not counts or (problem.multipliers is None and not any(problem.perception_bounds[k] == 0 for k in counts)):
        plain = minimise_rate(bare, replace(settings, solver=watched), None)
        if not watched.is_far:
            if plain.status is Status.INFEASIBLE or plain.certificate is None:
                return of_problem(problem, plain)
            if not counts or is_met_by(problem, counts, plain):
                return with_idle_laws(problem, plain)
    task = fixed_task(bare) if problem.multipliers is not None else task_within_limits(bare, settings)
    if isinstance(task, Result):
        return of_problem(problem, task)
    if task.equal.any():
        raise InvalidInput(
            "a limit on the law of the reproduction that matters is not offered yet beside losses held at a value, or "
            "limits on losses that leave no room together; lift one, or loosen a bound"
        )
    result = Run(programme_of(problem, task), settings).result(plain if start is None else start)
    if watched.is_far and result.status in _CAME_TO_NOTHING:
        plain = minimise_rate(bare, settings, None)
        if plain.certificate is not None and is_met_by(problem, counts, plain):
            return with_idle_laws(problem, plain)
    idle = idle_limits(problem, counts, result, settings)
    if not idle:
        return result
    lifted = problem.with_limits(**{problem.perception_names[k]: None for k in idle})
    less = minimise_rate_within_laws(lifted, settings, result)
    is_better = less.certificate is not None and less.gap < result.gap and is_met_by(problem, idle, less)
    return with_met_limits(problem, idle, less) if is_better else result


def _is_limited(problem: Problem, k: int) -> bool:
    if problem.perception_multipliers is not None:
        return bool(problem.perception_multipliers[k] > 0)
    return math.isfinite(float(problem.perception_bounds[k]))


def of_problem(problem: Problem, plain: Result) -> Result:
    """Return a result without a channel as one of the problem with its laws."""
    names = problem.perception_names
    certificate = plain.certificate
    return replace(
        plain,
        fingerprint=problem.fingerprint(),
        perceptions=dict.fromkeys(names, math.nan),
        multipliers=plain.multipliers | dict.fromkeys(names, math.nan),
        certificate=certificate and replace(certificate, fingerprint=problem.fingerprint()),
    )


class _Dual:
    """The best dual point so far: a point of the method, and prices that make it prove a bound."""

    def __init__(self, lower: float, point: Point, prices: tuple[np.ndarray, ...]) -> None:
        self.lower, self.point, self.prices = lower, point, prices


@dataclass(eq=False)
class Run:
    """One run of the interior point, and what it found."""

    programme: Programme
    settings: Settings
    dual: _Dual | None = None
    best: Attained | None = None
    last: Point | None = None
    upper: float = math.inf
    history: list[StepRecord] = field(default_factory=list)
    status: Status = Status.STALLED
    message: str = ""

    def result(self, plain: Result | None) -> Result:
        """Run until the gap is closed, or nothing more comes, and return the result."""
        self.begin()
        is_out = any(law.is_zero and law.missing > _MISSING for law in self.programme.laws)
        try:
            if self.programme.problem.multipliers is None:
                self.dual = self._trivial()
            if not is_out:
                self._run(plain)
        except NumericalBreakdown as breakdown:
            self.status, self.message = Status.NUMERICAL_ERROR, str(breakdown)
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            self.status = ended_by(stop)
        try:
            if self.status in _CAME_TO_NOTHING and self.programme.problem.multipliers is None:
                self._ask_what_can_be_met()
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            self.status = ended_by(stop)
        if self.best is None and self.last is not None and self.status is not Status.INFEASIBLE:
            self._attain(self.last, [], 1.0)
        return self._result()

    def begin(self) -> Statement:
        """Return the statement of the programme, with what makes channels that meet its limits."""
        self.channels = Channels(self.programme)
        return self.channels.statement

    def met(self, channel: np.ndarray) -> Attained | None:
        """Return a channel near the one given that meets all limits, with a little of one that has room to spare."""
        plans = (None,) * len(self.programme.laws)
        made = self.channels.met(channel, plans)
        if made is not None:
            return made
        found = nearest(self.programme, self.channels.statement)
        if found is None or found.excess > 0 or self.channels.keep(found.channel) is None:
            return None
        return self.channels.met(channel, plans)

    def with_answer(self, point: Point, made: Attained, status: Status) -> Result:
        """Return the result of a dual point and a channel that were found otherwise."""
        self.dual, self.best, self.upper, self.status = self._proved(point), made, made.rate, status
        return self._found(*self._point(), made)

    def _trivial(self) -> _Dual:
        """Return the dual point that proves that no rate is negative."""
        statement, laws = self.channels.statement, self.programme.laws
        u, multipliers = np.zeros(statement.p.size), np.zeros(statement.is_free.size)
        log_prices, shares = statement.log_prices(u, multipliers)
        scalars = tuple((math.inf if law.is_zero else 0.0, 0.0) for law in laws)
        nothing = tuple(np.zeros(law.shown.size) for law in laws)
        point = Point(u, multipliers, log_prices, scalars, nothing, np.ones(log_prices.size), shares, math.inf)
        return _Dual(0.0, point, nothing)

    def _ask_what_can_be_met(self) -> None:
        """Refute the limits, or find a channel that meets them with room to spare, by a linear programme."""
        statement = self.channels.statement
        if self.lower <= self.settings.tolerance:
            same = constant_law(self.programme, statement)
            made = None if same is None else self.channels.keep(same)
            if made is not None and made.rate < self.upper:
                self.best, self.upper = made, made.rate
                self.status = Status.OPTIMAL
                return
        found = nearest(self.programme, statement)
        if found is None:
            return
        if found.excess > 0:
            point = refuting_point(self.programme, statement, found, scale_of(self.programme, found))
            dual = self._proved(point)
            if dual.lower > self._beyond:
                self.dual, self.status = dual, Status.INFEASIBLE
            return
        made = self.channels.keep(found.channel)
        if made is not None and made.rate < self.upper:
            self.best, self.upper = made, made.rate
        if self.last is not None:
            self._attain(self.last, [], 1.0)

    # --------------------------------------------------------------------------------------- the method

    def _start(self, plain: Result | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return u, multipliers and masses to begin at."""
        programme, statement = self.programme, self.channels.statement
        task, k = programme.task, programme.letters.size
        multipliers, q = task.first_multipliers(), np.full(k, 1 / k)
        if plain is not None:
            names = programme.problem.loss_names
            known = np.array([plain.multipliers.get(names[m], 0.0) for m in task.relevant])
            multipliers = np.where(task.free & (known > 1e-3 * multipliers), known, multipliers)
        exponent = -np.tensordot(multipliers, statement.losses, axes=1)
        if statement.forbidden is not None:
            exponent[statement.forbidden] = -math.inf
        top = exponent.max(axis=1)
        kernel = np.exp(exponent - top[:, None])
        for _ in range(10):
            q = q * ((programme.p / (kernel @ q)) @ kernel)
        q = 0.9 * q / q.sum() + 0.1 / k
        return -np.log(kernel @ q) - top, multipliers, q

    def _run(self, plain: Result | None) -> None:
        tolerance, limits = self.settings.tolerance, self.settings.limits
        blocks: list[Any] = []
        u, multipliers, q = self._start(plain)
        if self.programme.is_smooth:
            law = self.programme.laws[0].smooth()
            points = smooth_points(self.channels.statement, law, u, multipliers, tolerance)
        else:
            blocks = [law.block() for law in self.programme.laws]
            points = interior_points(self.channels.statement, blocks, u, multipliers, q, tolerance)
        progress = Progress(tolerance)
        for step, point in enumerate(points, start=1):
            self._look(point, blocks)
            gap = self.upper - self.lower
            seconds = time.perf_counter() - self.settings.began
            shown = tuple(map(float, point.multipliers)) + tuple(nu for nu, _ in point.scalars)
            record = StepRecord(step, seconds, self.lower, self.upper, shown, point.q.size)
            self.history.append(record)
            if gap <= tolerance:
                self.status = Status.OPTIMAL
                return
            if self.lower > self._beyond:
                self.status = Status.INFEASIBLE
                return
            if progress.has_ended(self.lower, self.upper, point.products):
                return
            if limits.callback is not None and limits.callback(record):
                self.status = Status.STOPPED_BY_CALLBACK
                return
            if step >= limits.max_steps:
                self.status = Status.STEP_LIMIT
                return
            if deadline.is_up() or seconds > limits.time_limit:
                self.status = out_of_time()
                return

    @property
    def lower(self) -> float:
        """The best bound so far, nats."""
        return -math.inf if self.dual is None else self.dual.lower

    @property
    def _beyond(self) -> float:
        """What no rate exceeds, nats; inf for a Lagrangian."""
        if self.programme.problem.multipliers is not None:
            return math.inf
        return entropy(self.programme.p) * (1 + 1e-9) + 1e-9

    def _look(self, point: Point, blocks: list[Any]) -> None:
        """Take what a point proves, and what its channel attains once that promises to be close."""
        dual = self._proved(point)
        if dual.lower > self.lower:
            self.dual = dual
        self.last = point
        if point.products <= max(_CLOSE * self.settings.tolerance, 1e-7):
            self._attain(point, blocks, ALMOST_NONE)

    def _attain(self, point: Point, blocks: list[Any], most: float) -> None:
        """Take what a point's channel attains, mixed with a share of a safe one."""
        channel = point.shares * (point.q / self.programme.p[:, None])
        plans = tuple(getattr(block, "plan", None) for block in blocks) or (None,) * len(self.programme.laws)
        made = self.channels.met(channel, plans, most)
        if made is not None:
            value = self._value(made)
            if value < self.upper:
                self.best, self.upper = made, value

    def _value(self, made: Attained) -> float:
        problem, task = self.programme.problem, self.programme.task
        if problem.multipliers is None:
            return made.rate
        value = made.rate + float(task.fixed @ made.means)
        given = ((law.given or 0.0, d) for law, d in zip(self.programme.laws, made.distances, strict=True))
        return value + sum(nu * distance for nu, distance in given)

    def _mended(self, point: Point) -> tuple[Point, tuple[np.ndarray, ...]]:
        """Return a point and prices of places with which no letter is too dear.

        Those of the last law that is not about a class make up for what is; u does where there is none.
        """
        programme = self.programme
        whole = [k for k, law in enumerate(programme.laws) if law.weights is None]
        prices, left = list(point.prices), point.log_prices
        if not whole:
            over = float(left.max()) if programme.laws else max(0.0, float(left.max()))
            return point._replace(u=point.u - over, log_prices=left - over), tuple(prices)
        for k in whole[:-1]:
            left = left - prices[k][programme.laws[k].place]
        last = programme.laws[whole[-1]]
        prices[whole[-1]] = np.full(last.shown.size, -math.inf)
        np.maximum.at(prices[whole[-1]], last.place, left)
        return point, tuple(prices)

    def _proved(self, point: Point) -> _Dual:
        """Return what a point proves: p.u - lambda.b - sum of supports, nats, with scalars within their domains."""
        programme = self.programme
        point, prices = self._mended(point)
        value = float(programme.p @ point.u) - programme.task.charge(point.multipliers)
        size, scalars = abs(value), []
        for law, w, (nu, tau) in zip(programme.laws, prices, point.scalars, strict=True):
            found, nu, tau = law.support(w, nu, tau, self._law_at(law, point))
            charge = 0.0 if law.given is not None or math.isinf(nu) else nu * law.charged
            value -= found + charge
            size += abs(found) + abs(charge)
            scalars.append((nu, tau))
        lower = value - _ROUNDING * size if math.isfinite(value) else -math.inf
        return _Dual(lower, point._replace(scalars=tuple(scalars)), prices)

    def _law_at(self, law: Law, point: Point) -> np.ndarray:
        """Return the law on the places shown, shape (m',), that a point's masses and shares make."""
        return law.law(np.ones(point.u.size), point.shares * point.q)

    # --------------------------------------------------------------------------------------- the result

    def _point(self) -> tuple[DualPoint, tuple[LawProof, ...]]:
        """Return the best dual point in the problem's own terms, and the proofs of laws.

        Prices are shifted so that the least is zero, block by block, which the last bit of u makes up for.
        """
        problem, task = self.programme.problem, self.programme.task
        bare = problem.without_perceptions()
        assert self.dual is not None
        point = self.dual.point
        proofs = [LawProof.idle(perception) for perception in problem.perceptions]
        plans = (None,) * len(self.programme.laws) if self.best is None else self.best.plans
        pairs = zip(self.programme.laws, self.dual.prices, strict=True)
        least = [law.least_price(w) if law.is_zero else float(w.min()) for law, w in pairs]
        log_v = point.u - sum(
            low * (np.ones(point.u.size) if law.weights is None else law.weights)
            for law, low in zip(self.programme.laws, least, strict=True)
        )
        for k, (law, w, (nu, tau)) in enumerate(zip(self.programme.laws, self.dual.prices, point.scalars, strict=True)):
            scalars = nu, tau - least[k] if tau else tau
            proofs[law.index] = proof_of(
                law, w - least[k], scalars, plans[k], self._impossible(k, log_v), law.witness(self._law_at(law, point))
            )
        found, letters = point.multipliers, task.letters
        if task.faces:
            total = letter_prices(problem, [proof.prices for proof in proofs])
            letters, log_v, found = off_faces(task, total, log_v, found)
        multipliers, shifts = np.zeros(len(bare.losses)), np.zeros((len(bare.losses), task.p.size))
        multipliers[list(task.relevant)] = found
        shifts[list(task.relevant)] = letters.shifts[: len(task.relevant)]
        dual = DualPoint.shifted(bare, task.letters.symbols, log_v, multipliers, shifts)
        return dual, tuple(proofs)

    def _impossible(self, k: int, log_v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the places of letters that law k rules out, and the prices that make their letters cheap enough.

        The class of a law pays so much for them that nothing is left of its symbols' part in a price.
        """
        task, programme = self.programme.task, self.programme
        law = programme.laws[k]
        if law.weights is not None:
            out = np.flatnonzero(~possible_places(programme.problem, law.index))
            least = float(law.weights[law.weights > 0].min())
            return out, np.full(out.size, (_FAR + float(np.ptp(log_v))) / least)
        out = np.setdiff1d(np.arange(programme.problem.n_letters), programme.letters)
        out = out[~possible_places(programme.problem, law.index)[law.perception.place[out]]]
        if task.letters.forbidden is not None:  # what is forbidden to all symbols has no price
            out = out[~task.letters.forbidden[:, out].all(axis=0)]
        assert self.dual is not None
        losses, forbidden = task.letters.tables(out)
        stacked = np.array([np.asarray(loss) for loss in losses]).reshape(len(losses), programme.p.size, out.size)
        statement = Statement(programme.p, stacked, forbidden, task.bounds, task.free, (), ())
        log_prices, _ = statement.log_prices(log_v, self.dual.point.multipliers)
        return law.perception.place[out], np.maximum(log_prices, 0.0) + _SPARE

    def _result(self) -> Result:
        problem = self.programme.problem
        if self.dual is None:
            return of_problem(problem, self._empty(Proof.NONE))
        dual, proofs = self._point()
        if self.status is Status.INFEASIBLE:
            return self._infeasible(dual, proofs)
        if self.best is None:
            return self._without_channel(dual, proofs)
        return self._found(dual, proofs, self.best)

    def _without_channel(self, dual: DualPoint, proofs: tuple[LawProof, ...]) -> Result:
        """Return the bound, which is worth having without a channel, too."""
        problem = self.programme.problem
        if problem.multipliers is not None or not self.lower > 0:
            return of_problem(problem, self._empty(Proof.NONE))
        multipliers = dict(zip(problem.loss_names, map(float, dual.multipliers), strict=True))
        multipliers |= {name: one.multiplier for name, one in zip(problem.perception_names, proofs, strict=True)}
        found = of_problem(problem, self._empty(Proof.CERTIFIED))
        return replace(found, certificate=self._certificate(dual, proofs, None), multipliers=multipliers)

    def _found(self, dual: DualPoint, proofs: tuple[LawProof, ...], best: Attained) -> Result:
        problem, task, programme = self.programme.problem, self.programme.task, self.programme
        bare = problem.without_perceptions()
        made = recovery.complete(bare, programme.letters, best.channel, task.letters.symbols)
        lower = max(self.lower, 0.0) if problem.multipliers is None else self.lower
        pairs = zip(programme.laws, best.distances, strict=True)
        limited = {law.index: d if law.read is None else law.charged for law, d in pairs}
        own = [
            proof if k in limited else idle_proof(problem.perceptions[k], _law(problem, k, made))
            for k, proof in enumerate(proofs)
        ]
        multipliers = dict(zip(problem.loss_names, map(float, dual.multipliers), strict=True))
        multipliers |= {name: proof.multiplier for name, proof in zip(problem.perception_names, own, strict=True)}
        means = np.where(np.isfinite(problem.bounds), problem.bounds, made.means)
        return Result(
            status=judged(self.status, problem.goal, lower, self.upper, self.settings.tolerance),
            proof=Proof.CERTIFIED,
            objective=problem.objective,
            objective_lower=lower,
            objective_upper=self.upper,
            rate_lower=lower if is_rate(problem.objective) else math.nan,
            rate_upper=made.rate,
            losses=dict(zip(problem.loss_names, map(float, made.means), strict=True)),
            multipliers=multipliers,
            channel=made.channel,
            letters=made.letters,
            q=made.q,
            d_tilted=dual.u - float(dual.multipliers @ means),
            certificate=self._certificate(dual, tuple(own), made),
            fingerprint=problem.fingerprint(),
            method=METHOD,
            steps=len(self.history),
            seconds=time.perf_counter() - self.settings.began,
            history=tuple(self.history),
            message=self.message,
            perceptions={name: limited.get(k, math.nan) for k, name in enumerate(problem.perception_names)},
            output_law=_law(problem, 0, made),
        )

    def _certificate(self, dual: DualPoint, proofs: tuple[LawProof, ...], made: recovery.Primal | None) -> Certificate:
        problem = self.programme.problem
        nobody = np.empty(0, dtype=np.intp)
        return Certificate(
            objective=problem.objective,
            u=dual.u,
            u_rest=dual.rest,
            multipliers=dual.multipliers,
            letters=nobody if made is None else made.letters,
            channel=np.empty((problem.n_x, 0)) if made is None else made.channel,
            lower=self.lower,
            upper=math.nan if made is None else self.upper,
            fingerprint=problem.fingerprint(),
            laws=proofs,
        )

    def _infeasible(self, dual: DualPoint, proofs: tuple[LawProof, ...]) -> Result:
        problem = self.programme.problem
        message = "each limit may be met, but not all together with those on the law of the reproduction"
        least = {law.perception.name: least_distance(law.perception) for law in self.programme.laws}
        limited = np.flatnonzero(np.isfinite(problem.bounds)).tolist()
        least |= {problem.loss_names[m]: problem.least_mean(m) for m in limited}
        answer = empty(problem, self.settings, Status.INFEASIBLE, Proof.CERTIFIED, message, math.inf, least)
        certificate = replace(self._certificate(dual, proofs, None), objective="rate")
        return replace(of_problem(problem, answer), method=METHOD, certificate=certificate)

    def _empty(self, proof: Proof) -> Result:
        lower = self.lower if math.isfinite(self.lower) else math.nan
        nothing: Result = empty(
            self.programme.problem, self.settings, self.status, proof, self.message, lower, {}, tuple(self.history)
        )
        return nothing


def _law(problem: Problem, k: int, made: recovery.Primal) -> np.ndarray:
    perception = problem.perceptions[k]
    return perception.law(made.letters, perception.masses_of(problem.p_x, made.channel, made.q))
