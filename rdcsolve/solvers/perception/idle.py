"""Limits on laws that do not bind: what is within them already, and the proofs that use nothing of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.errors import SolverFailed
from rdcsolve.perception.measures import distance
from rdcsolve.perception.transport import monotone_order, plan_between
from rdcsolve.problems import Perception, Problem
from rdcsolve.results.result import Result
from rdcsolve.results.status import Status
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.loop import Iterate, Settings, Solver, Start

_MANY_STEPS = 100
_ROUGH = 1e-3  # nats: a gap at which laws that are far outside of a limit show
_FAR = 2.0  # limits: the law of a rough solution that is as far outside will not come back to within
_SMALL_PROGRAMME = 2500  # pairs of atom and place: a transport programme of this size takes milliseconds


def law_of(problem: Problem, perception: Perception, result: Result) -> np.ndarray:
    """Return the law on places of a result, shape (m,)."""
    return perception.law(result.letters, perception.masses_of(problem.p_x, result.channel, result.q))


def is_met_by(problem: Problem, counts: list[int], plain: Result) -> bool:
    """Return whether the solution without limits on laws meets them, as far as is quickly known."""
    for k in counts:
        perception, bound = problem.perceptions[k], float(problem.perception_bounds[k])
        if bound == 0 or _quick_distance(problem, perception, plain) > bound * (1 - 1e-12):
            return False
    return True


class Watched:
    """A solver without the limits on laws, that ends once its law is so far outside of one that this surely matters.

    Parameters
    ----------
    solver : Solver
    problem : Problem
        With the limits.
    counts : list of int
        Which of its perceptions are limited.

    Attributes
    ----------
    is_far : bool
        Whether it ended early.
    """

    def __init__(self, solver: Solver, problem: Problem, counts: list[int]) -> None:
        self.solver, self.problem, self.is_far = solver, problem, False
        self.sublinear = getattr(solver, "sublinear", False)
        self.seen = [k for k in counts if _is_quick(problem.perceptions[k])]

    @property
    def name(self) -> str:
        """Name for tables and results."""
        return self.solver.name

    def iterates(self, task: ReducedProblem, start: Start | None, tolerance: float) -> Iterator[Iterate]:
        """Yield the solver's iterates; see `rdcsolve.solvers.loop.Solver`."""
        for iterate in self.solver.iterates(task, start, tolerance):
            yield iterate
            if tolerance < iterate.value - iterate.lower <= _ROUGH and self._is_outside(iterate):
                self.is_far = True
                return

    def _is_outside(self, iterate: Iterate) -> bool:
        for k in self.seen:
            perception = self.problem.perceptions[k]
            bound = float(self.problem.perception_bounds[k])
            if distance(perception, perception.law(iterate.letters, iterate.q)) > _FAR * bound:
                return True
        return False


def _is_quick(perception: Perception) -> bool:
    """Return whether a distance is quickly known from the masses of letters."""
    cost = perception.cost
    return perception.members is None and (
        cost is None or cost.size <= _SMALL_PROGRAMME or monotone_order(cost) is not None
    )


def _quick_distance(problem: Problem, perception: Perception, result: Result) -> float:
    """Return an upper bound of a result's distance: the distance itself but for large programmes of transport."""
    law, cost = law_of(problem, perception, result), perception.cost
    if cost is None or cost.size <= _SMALL_PROGRAMME or monotone_order(cost) is not None:
        return distance(perception, law)
    if perception.members is not None or not np.array_equal(perception.target, problem.p_x):
        return float(cost.max())
    channel = np.asarray(result.channel)
    return float(problem.p_x @ np.einsum("ia,ia->i", channel, cost[:, perception.place[result.letters]]))


def with_idle_laws(problem: Problem, plain: Result) -> Result:
    """Return the solution without limits on laws, which meets them: their multipliers are zero."""
    certificate = plain.certificate
    assert certificate is not None
    laws = tuple(idle_proof(perception, law_of(problem, perception, plain)) for perception in problem.perceptions)
    names = problem.perception_names
    return replace(
        plain,
        objective=problem.objective,
        fingerprint=problem.fingerprint(),
        perceptions={one.name: _quick_distance(problem, one, plain) for one in problem.perceptions},
        multipliers=plain.multipliers | dict.fromkeys(names, 0.0),
        certificate=replace(certificate, fingerprint=problem.fingerprint(), laws=laws),
        output_law=law_of(problem, problem.perceptions[0], plain),
    )


def idle_proof(perception: Perception, law: np.ndarray) -> LawProof:
    """Return the proof of a law that limits nothing, with a plan that says how far it is, if one is quickly found."""
    idle, cost = LawProof.idle(perception), perception.cost
    if cost is None or (cost.size > _SMALL_PROGRAMME and monotone_order(cost) is None):
        return idle
    try:
        plan = plan_between(perception.target, law, cost)
    except SolverFailed:
        return idle
    return replace(idle, rows=plan.rows.astype(np.int64), columns=plan.columns.astype(np.int64), masses=plan.masses)


def idle_limits(problem: Problem, counts: list[int], result: Result, settings: Settings) -> list[int]:
    """Return the limits beside others that a run that came to a halt early did not need.

    Their multipliers go to zero, and the system becomes singular in their prices before the others are found.
    """
    is_halted = result.status in (Status.ALMOST_OPTIMAL, Status.STALLED)
    is_halted |= result.status is Status.STEP_LIMIT and result.steps >= _MANY_STEPS
    if not is_halted or problem.multipliers is not None:
        return []
    spent = {k: result.multipliers[problem.perception_names[k]] * float(problem.perception_bounds[k]) for k in counts}
    idle = [k for k, value in spent.items() if value < settings.tolerance]
    return idle if len(idle) < len(counts) else []


def with_met_limits(problem: Problem, idle: list[int], less: Result) -> Result:
    """Return the solution of a problem with some limits on laws lifted as that of the problem, whose law meets them."""
    assert less.certificate is not None
    names = problem.perception_names
    distances = {names[k]: _quick_distance(problem, problem.perceptions[k], less) for k in idle}
    return replace(
        less,
        fingerprint=problem.fingerprint(),
        perceptions=less.perceptions | distances,
        certificate=replace(less.certificate, fingerprint=problem.fingerprint()),
    )
