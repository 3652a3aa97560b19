"""The independent cross-check: the same problem through CVXPY and a general conic solver.

Nothing of the other solvers' arithmetic is used: losses go into CVXPY as they are, values come back, and
plain sums over the losses turn them into bounds.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.certificates import Certificate
from rdcsolve.errors import InvalidInput
from rdcsolve.information import mutual_information
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.confirmation import confirmed
from rdcsolve.results.result import Result
from rdcsolve.results.status import Proof, Status, judged
from rdcsolve.results.units import told
from rdcsolve.solvers.conic import bounds as bounding
from rdcsolve.solvers.conic import programme as program
from rdcsolve.solvers.conic.bounds import Bound
from rdcsolve.solvers.conic.programme import Answer, ConicFailure, Data
from rdcsolve.solvers.finite.infeasibility import refutation
from rdcsolve.solvers.finite.least_rate import beyond_the_rate, without_channel


@public_call
@dataclass(frozen=True)
class Conic:
    """Disciplined convex programming through CVXPY (Diamond and Boyd 2016), for comparison.

    Limited problems have the whole channel as variable, with one exponential cone per pair: up to a few
    thousand pairs. At fixed multipliers the output masses suffice, with one cone per symbol: up to about a
    thousand symbols. The bounds are computed afterwards from the values returned, so they hold however the
    solver fared; its accuracy limits the gap to about 1e-8 nats.

    Parameters
    ----------
    solver : str, optional
        One of ``cvxpy.installed_solvers()`` that takes exponential cones, ``"CLARABEL"`` or ``"SCS"``.

    Raises
    ------
    InvalidInput
        On solving, if CVXPY does not find the solver or it does not take exponential cones, or a loss is held at its
        bound.
    MissingExtra
        On solving, if CVXPY is not installed.
    """

    solver: str = "CLARABEL"

    def __post_init__(self) -> None:
        options.text(self.solver, "solver")

    @property
    def name(self) -> str:
        """Name for tables and results."""
        return f"CVXPY with {self.solver}"

    def solve(self, problem: Problem, tolerance: float = 1e-9) -> Result:
        """Solve a problem; see `rdcsolve.solve`.

        Parameters
        ----------
        problem : Problem
        tolerance : float, optional
            The gap asked for, in nats. Where a loss is minimised, its gap, and that times its multiplier or
            relative to its largest value, whichever is less.

        Returns
        -------
        Result
        """
        options.instance(problem, Problem, "problem", "pass a Problem, or use Problem.from_arrays")
        tolerance = options.tolerance(tolerance)
        if problem.held.any():
            name = problem.loss_names[int(problem.held.argmax())]
            raise InvalidInput(f"{name} is held at its bound (equal=True), which Conic does not do; leave solver out")
        began = time.perf_counter()
        program.cvxpy_with(self.solver)
        result = _Run(problem, self, tolerance).result()
        if result.status is Status.INFEASIBLE and result.certificate is None:
            result = replace(result, certificate=refutation(problem))
        return confirmed(replace(result, seconds=time.perf_counter() - began), problem, tolerance)


class _Run:
    """One problem on its way through the solver."""

    def __init__(self, problem: Problem, settings: Conic, tolerance: float) -> None:
        self.problem, self.settings, self.tolerance = problem, settings, tolerance
        self.data = Data.of(problem)
        never = problem.bounds >= self.data.losses.max(axis=(1, 2))  # limits that every channel meets
        self.bounds = np.where(never, math.inf, problem.bounds)
        self.masked: list[tuple[int, np.ndarray]] = []

    @property
    def target(self) -> int:
        """Index of the loss that is minimised."""
        return self.problem.loss_names.index(self.problem.minimise)

    def result(self) -> Result:
        """Return the result, whatever happens to the solver."""
        beyond = self._mask_minima()
        if beyond is not None:
            return beyond
        try:
            strict = self._strictly_inside()
            if strict is None:
                text = "each limit can be met, but not all together"
                return self._empty(Status.INFEASIBLE, text, self._minimum())
            if self.problem.goal.target is not None:
                return self._least_loss(strict)
            return self._within_budget(self._assemble(self._least_rate(), strict))
        except ConicFailure as failure:
            return self._empty(Status.NUMERICAL_ERROR, str(failure), {})

    def _least_rate(self) -> Answer:
        given = self.problem.multipliers
        solver = self.settings.solver
        if given is not None:
            return program.least_lagrangian(self.data, given, solver, self.tolerance)
        return program.least_rate(self.data, self.bounds, solver, self.tolerance)

    def _mask_minima(self) -> Result | None:
        """Turn limits at the least value of their loss, which no channel is strictly inside, into a mask.

        A mask raises the least values of the other losses, so this is repeated. Return the result if it turns out
        that a limit is below its least value, else None.
        """
        problem, whole = self.problem, self.data
        for _ in problem.losses:
            for m in np.flatnonzero(np.isfinite(self.bounds)).tolist():
                loss, name = whole.losses[m], problem.loss_names[m]
                minima = self.data.least(loss)
                value = float(whole.p @ minima)
                rounding = 1e-14 * max(value, 1e-2 * float(loss.max()))
                if problem.bounds[m] < value - rounding:
                    bound = told(problem, name, float(problem.bounds[m]))
                    text = f"{name} <= {bound} is below its least value {told(problem, name, value)}"
                    text += " under the limits at their minimum" if self.masked else ""
                    return self._empty(Status.INFEASIBLE, text, self._minimum())
                if problem.bounds[m] <= value + rounding:
                    allowed = self.data.allowed & (loss <= minima[:, None] * (1 + 1e-15))
                    self.data = replace(self.data, allowed=allowed, losses=np.where(allowed, whole.losses, 0.0))
                    self.bounds[m] = math.inf
                    self.masked.append((m, minima))
        return None

    def _minimum(self) -> dict[str, float]:
        """Return the least value of every limited loss by itself."""
        whole, names = Data.of(self.problem), self.problem.loss_names
        limited = np.flatnonzero(np.isfinite(self.problem.bounds))
        return {names[m]: float(whole.p @ whole.least(whole.losses[m])) for m in limited}

    def _strictly_inside(self) -> np.ndarray | None:
        """Return a channel (n, m) with room under every limit that is left, or None if none meets them."""
        data = self.data
        if not data.allowed.any(axis=1).all():
            return None
        limited = np.flatnonzero(np.isfinite(self.bounds))
        if limited.size <= 1:
            loss = data.losses[limited].sum(axis=0)
            return bounding.deterministic(data, np.where(data.allowed, loss, np.inf).argmin(axis=1))
        channel, weights = program.most_slack(data, self.bounds, self.settings.solver)
        # Theorem 5 of the page on certificates: a positive value proves that no channel meets the limits.
        priced = np.tensordot(weights[limited], data.losses[limited], axes=1)
        asked = float(weights[limited] @ self.bounds[limited])
        if float(data.p @ data.least(priced)) - asked > 1e-13 * (asked + float(priced.max())):
            return None
        return bounding.normalised(channel)

    def _least_loss(self, strict: np.ndarray) -> Result:
        """Return the least loss under the rate limit; it takes a channel of less rate within the others."""
        rate = self.problem.rate_bound
        assert rate is not None
        quiet = bounding.best_letter(self.data, self.bounds, self.target)
        if quiet is None:
            relaxed = self.problem.minimising("rate").with_limits(rate=None)
            cheapest = _Run(relaxed, self.settings, self.tolerance).result()
            if cheapest.rate_lower > rate:
                return self._beyond(rate, cheapest)
            if cheapest.certificate is None:
                return replace(cheapest, objective=self.problem.objective)
            quiet = np.zeros(self.data.allowed.shape)
            quiet[:, cheapest.letters] = cheapest.channel[self.data.symbols]
        solver = self.settings.solver
        answer = program.least_loss(self.data, self.target, self.bounds, rate, solver, self.tolerance)
        return self._assemble(answer, strict, quiet)

    def _within_budget(self, result: Result) -> Result:
        """Return the result, unless the rate limit beside the least rate is out of reach."""
        budget = self.problem.rate_bound
        if budget is not None and result.rate_lower > budget:
            return self._beyond(budget, result)
        return result

    def _beyond(self, limit: float, least: Result) -> Result:
        lower = least.rate_lower
        text = beyond_the_rate(self.problem, lower, limit)
        answer = self._empty(Status.INFEASIBLE, text, {"rate": lower})
        return answer if least.certificate is None else replace(answer, certificate=without_channel(least.certificate))

    def _channel(self, answers: list[Answer], strict: np.ndarray, quiet: np.ndarray | None) -> np.ndarray | None:
        """Return the best channel to be had that meets every limit: the solver's own, or a tilted one."""
        own = [bounding.normalised(answer.channel) for answer in answers if answer.channel is not None]
        tilted = [bounding.tilted(self.data, answer) for answer in answers]
        candidates = own + [one for one in tilted if one is not None]
        rate = self.problem.rate_bound if quiet is not None else None
        budget = math.inf if rate is None else rate
        met = (bounding.within_limits(self.data, one, self.bounds, strict, budget, quiet) for one in candidates)
        return min((one for one in met if one is not None), key=self._value, default=None)

    def _value(self, channel: np.ndarray) -> float:
        """Return the objective of a channel."""
        means = self.data.means(channel)
        if self.problem.goal.target is not None:
            return float(means[self.target])
        charged = 0.0 if self.problem.multipliers is None else float(self.problem.multipliers @ means)
        return mutual_information(self.data.p, channel) + charged

    def _assemble(self, answer: Answer, strict: np.ndarray, quiet: np.ndarray | None = None) -> Result:
        """Turn values into bounds, and bounds into a result."""
        answers, notes = [answer], [*answer.notes]
        if answer.channel is not None:
            # At the multipliers found, the small programme resolves rare symbols far better than the large one.
            try:
                given = answer.multipliers, self.settings.solver, self.tolerance
                answers.append(program.least_lagrangian(self.data, *given))
                notes += answers[-1].notes
            except ConicFailure as failure:
                notes.append(str(failure))
        channel = self._channel(answers, strict, quiet)
        bounds = [bounding.best_bound(self.problem, self.data, one, self.masked) for one in answers]
        bound = max(filter(None, bounds), key=lambda bound: bound.lower, default=None)
        if channel is None or bound is None:
            reason = "; ".join(["the values returned prove nothing", *notes])
            return self._empty(Status.NUMERICAL_ERROR, reason, {})
        value = self._value(channel)
        upper = value + 1e-14 * (1 + abs(value))
        if self.problem.goal.target is not None:
            upper = value * (1 + 1e-14)
        steps = sum(answer.steps for answer in answers)
        return replace(self._filled(channel, bound, upper), steps=steps, message="; ".join(dict.fromkeys(notes)))

    def _filled(self, channel: np.ndarray, bound: Bound, upper: float) -> Result:
        problem = self.problem
        rate, means = mutual_information(self.data.p, channel), self.data.means(channel)
        full, letters = bounding.on_all_symbols(problem, self.data, channel)
        point, goal = bound.point, problem.goal
        charged = float(point.multipliers @ means)
        slope = goal.slope(point.multipliers)
        if goal.target is not None:  # a multiplier that tends to infinity, where the rate limit is slack, is no unit
            slope = min(slope, 1 / max(float(self.data.losses[goal.target].max()), 1e-300))
        status = judged(Status.OPTIMAL, goal, bound.lower, upper, self.tolerance, slope)
        plane = point.plane(problem) - charged - bounding.rounding(point.u)
        return Result(
            status=status,
            proof=Proof.CERTIFIED,
            objective=problem.objective,
            objective_lower=bound.lower,
            objective_upper=upper,
            rate_lower=bound.lower if is_rate(problem.objective) else min(max(plane, 0.0), rate),
            rate_upper=upper if is_rate(problem.objective) else rate,
            losses=dict(zip(problem.loss_names, means.tolist(), strict=True)),
            multipliers=dict(zip(problem.loss_names, point.multipliers.tolist(), strict=True)),
            channel=full,
            letters=letters,
            q=problem.p_x @ full,
            d_tilted=point.u - charged,
            certificate=Certificate(
                objective=problem.objective,
                u=point.u,
                u_rest=point.rest,
                multipliers=point.multipliers,
                letters=letters,
                channel=full,
                lower=bound.lower,
                upper=upper,
                fingerprint=problem.fingerprint(),
            ),
            fingerprint=problem.fingerprint(),
            method=self.settings.name,
        )

    def _empty(self, status: Status, message: str, minimum: dict[str, float]) -> Result:
        problem = self.problem
        unknown = dict.fromkeys(problem.loss_names, math.nan)
        infeasible = status is Status.INFEASIBLE
        value = math.inf if infeasible else math.nan
        rate = value if is_rate(problem.objective) else math.nan
        return Result(
            status=status,
            proof=Proof.CERTIFIED if infeasible else Proof.NONE,
            objective=problem.objective,
            objective_lower=value,
            objective_upper=value,
            rate_lower=rate,
            rate_upper=rate,
            losses=unknown,
            multipliers=dict(unknown),
            channel=np.empty((problem.n_x, 0)),
            letters=np.empty(0, dtype=np.intp),
            q=np.empty(0),
            d_tilted=np.full(problem.n_x, math.nan),
            certificate=None,
            fingerprint=problem.fingerprint(),
            method=self.settings.name,
            minimum=minimum,
            message=message,
        )
