"""Bounds and results of the exchange: what a dual point proves once letters are priced."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.information import conditional_entropy
from rdcsolve.letters.letters import Letters, PricedLetters
from rdcsolve.letters.space import LetterSpace
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status, judged
from rdcsolve.results.units import told
from rdcsolve.solvers.exchange.starting_letters import unlimited
from rdcsolve.solvers.finite.feasibility import constant_output
from rdcsolve.solvers.finite.infeasibility import least_excess
from rdcsolve.solvers.finite.least_rate import beyond_budget, empty, infeasible, task_within_limits, zero_rate
from rdcsolve.solvers.loop import Settings

_EPS = float(np.finfo(float).eps)
_SHORT = 0.1
_ROUNDING = 3e-14  # of sums and logarithms; what is claimed in the end is the check's word


class PricedDual:
    """A dual point, the logarithm of the largest price, and the bound on the objective that follows.

    Attributes
    ----------
    log_largest : float
        Of the prices found, or proved once `checked`.
    lower : float
        The bound on the objective: a proof only if `proved`.
    checked, proved : bool
        Whether every letter was considered, and whether that is a proof.
    proof : object
        What the space's bound on all prices rests on, if a check needs it.
    """

    def __init__(self, space: LetterSpace, u: np.ndarray, multipliers: np.ndarray) -> None:
        self.space, self.problem, self.u, self.multipliers = space, space.problem, u, multipliers
        self.point = DualPoint.of(u, multipliers)
        self.prices = space.price(u, multipliers)
        self.log_largest, self.lower = math.nan, -math.inf
        self.checked = self.proved = False
        self.proof: PriceProof | None = None

    def estimate(self, log_largest: float) -> None:
        """Enter the largest price that a search found."""
        self.log_largest = log_largest
        self.lower = self._bound()

    def check(self, tolerance: float = 0.0) -> PricedLetters | None:
        """Bound the price of every letter; return what was found on the way, None if there was nothing to search.

        Parameters
        ----------
        tolerance : float, optional
            The gap on the objective that is asked for: of little of it the bound may be short.
        """
        price = self.problem.goal.slope(self.multipliers)
        found = self.prices.largest(max(_SHORT * tolerance * min(price, 1.0), 1e-12))
        self.log_largest, self.proof = found.log_upper, found.proof
        self.proved = found.proved and self.space.is_checked
        self.checked = True
        self.lower = self._bound()
        return found.dearest

    def proved_lower(self) -> float:
        """Return the bound if it is proved, else the one that needs no multipliers."""
        return self.lower if self.proved else self._trivial()

    def _trivial(self) -> float:
        target = self.problem.goal.target
        return 0.0 if target is None else self.space.least_loss(target) * (1 - 1e-13)

    def _bound(self) -> float:
        rounding = _EPS * (
            400 + 16 * float(np.abs(self.u[self.problem.p_x > 0]).max())
        )  # solvers aim that much further
        bound = self.point.bound(self.problem, self.log_largest + rounding)
        return max(bound, self._trivial())


def trivial_dual(space: LetterSpace) -> PricedDual:
    """Return the dual point that proves what needs no proof: no rate is negative, no loss below its least value.

    With u and all multipliers zero a price is the mass of the symbols that may use the letter, at most one.
    """
    dual = PricedDual(space, np.zeros(space.problem.n_x), np.zeros(len(space.problem.losses)))
    dual.estimate(0.0)
    dual.checked, dual.proved = True, space.is_checked
    return dual


def impossible(space: LetterSpace, settings: Settings) -> Result | None:
    """Return the result of limits that no channel meets, or of rate zero, or None.

    Letters can copy p(s | x), at which every label entropy is least, whatever their places: so label entropies
    can be met together with the other limits if each side can alone.
    """
    problem = space.problem
    if problem.multipliers is not None:
        return None
    n_linear = len(problem.losses) - len(problem.label_entropies)
    for m, label in enumerate(problem.label_entropies, start=n_linear):
        least = space.least_loss(m)
        if least - problem.bounds[m] > least_excess(problem.n_x, label.conditional.shape[1]):
            bound, entropy = (told(problem, label.name, value) for value in (float(problem.bounds[m]), least))
            message = f"{label.name} <= {bound} is below H(S | X) = {entropy}"
            return infeasible(problem, settings, {label.name: least}, message)
    met = task_within_limits(unlimited(space), settings)
    if isinstance(met, Result):
        return _unattainable(space, settings, met)
    if problem.goal.target is not None:
        return None
    letters = space.anchors()
    listed = space.listed(letters)
    task = task_within_limits(listed.with_limits(rate=None), settings)
    constant = None if isinstance(task, Result) else constant_output(task)
    if constant is None:
        return None
    found = zero_rate(listed, settings, *constant)
    return finished(space, settings, (found, letters), trivial_dual(space), Status.OPTIMAL, "", ())


def _unattainable(space: LetterSpace, settings: Settings, met: Result) -> Result:
    """Return the result of linear limits that a space's anchors do not meet."""
    problem = space.problem
    if space.anchors_decide:
        return replace(met, objective=problem.objective, fingerprint=problem.fingerprint())
    message = f"no letters that {type(space).__name__} begins with meet the limits, which proves nothing: {met.message}"
    return empty(problem, settings, Status.STALLED, Proof.NONE, message, math.nan, {})


def finished(
    space: LetterSpace,
    settings: Settings,
    best: tuple[Result, Letters] | None,
    dual: PricedDual | None,
    status: Status,
    message: str,
    history: tuple[StepRecord, ...],
) -> Result:
    """Return the result of a restricted problem's channel and a dual point, its letters' decisions made posterior."""
    problem = space.problem
    method = f"exchange with {settings.solver.name}"
    if best is None or dual is None:
        lower = 0.0 if is_rate(problem.objective) else math.nan
        nothing = empty(problem, settings, status, Proof.NONE, message, lower, {}, history)
        return replace(nothing, method=method)
    if not math.isfinite(dual.log_largest):  # prices beyond the range of floats: scaled by them, u would be infinite
        dual = trivial_dual(space)
    found, listed = best
    letters, channel, q = _in_order(listed.take(found.letters), found.channel, found.q, problem)
    decisions = space.posterior(letters, channel * problem.p_x[:, None]).decisions
    shown = space.shown(letters, channel)
    losses = _losses(problem, found, shown.losses, channel)
    means = np.array(list(losses.values()))
    goal = problem.goal
    upper = goal.value(found.rate_upper, means)
    upper += _ROUNDING * (1 + abs(upper))
    lower = min(dual.lower, upper) if dual.lower - upper < 1e-12 * (1 + abs(upper)) else dual.lower
    if not space.is_checked and not message:
        message = (
            f"the check of certificates does not know the letters of {type(space).__name__}: the lower bound rests on "
            "their search"
        )
    if not dual.proved and lower > upper:
        lower, status = dual.proved_lower(), Status.STALLED
        message = "the search for the dearest letter missed one: only the bound that needs no multipliers is left"
    scaled = dual.point.scaled(dual.log_largest)
    certificate = Certificate(
        objective=problem.objective,
        u=scaled.u,
        u_rest=scaled.rest,
        multipliers=scaled.multipliers,
        letters=shown.indices,
        channel=channel,
        lower=min(lower, dual.proved_lower()),
        upper=upper,
        fingerprint=problem.fingerprint(),
        proof=None if dual.proof is None or dual.proof.is_empty else dual.proof,
    )
    proved = lower if dual.proved else dual.proved_lower()
    beyond = beyond_budget(problem, settings, proved, upper, certificate) if goal.budget is not None else None
    if beyond is not None:
        return replace(beyond, method=method, steps=len(history), history=history)
    rate_lower = lower if is_rate(problem.objective) else math.nan
    if problem.multipliers is not None:
        rate_lower = max(lower - float(problem.multipliers @ means), 0.0)
    return Result(
        status=judged(status, goal, lower, upper, settings.tolerance, goal.slope(dual.multipliers) or math.inf),
        proof=Proof.CERTIFIED if dual.proved else Proof.UNVERIFIED,
        objective=problem.objective,
        objective_lower=lower,
        objective_upper=upper,
        rate_lower=rate_lower,
        rate_upper=found.rate_upper,
        losses=losses,
        multipliers=dict(zip(problem.loss_names, map(float, dual.multipliers), strict=True)),
        channel=channel,
        letters=shown.indices,
        q=q,
        d_tilted=scaled.u - float(dual.multipliers @ np.where(np.isfinite(problem.bounds), problem.bounds, means)),
        certificate=certificate,
        fingerprint=problem.fingerprint(),
        method=method,
        steps=len(history),
        seconds=time.perf_counter() - settings.began,
        history=history,
        message=message,
        decisions=decisions,
        reproduction=shown.reproduction,
    )


def _in_order(
    letters: Letters, channel: np.ndarray, q: np.ndarray, problem: Problem
) -> tuple[Letters, np.ndarray, np.ndarray]:
    """Return letters ordered by their places, with channel and masses, without those that have no posterior."""
    places = letters.places
    order = np.argsort(places, kind="stable") if places.ndim == 1 else np.lexsort(places.T[::-1])
    # an entry as small as this has no weight at all, but may underflow in a product and forbid its own letter
    channel = np.where(channel < 1e-250, 0.0, channel)
    order = order[(channel * problem.p_x[:, None])[:, order].sum(axis=0) > 0]
    return letters.take(order), channel[:, order], q[order]


def _losses(problem: Problem, found: Result, changed: dict[str, float], channel: np.ndarray) -> dict[str, float]:
    """Return the means of all losses under a channel: linear ones as found, or as final places have changed them."""
    entropies = {
        label.name: conditional_entropy(problem.p_x, label.conditional, channel) for label in problem.label_entropies
    }
    known = changed | entropies
    return {name: known[name] if name in known else found.losses[name] for name in problem.loss_names}
