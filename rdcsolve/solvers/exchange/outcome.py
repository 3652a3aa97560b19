"""Bounds and results of the exchange: what a dual point proves once letters are priced."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from rdcsolve.certificates import Certificate
from rdcsolve.information import conditional_entropy
from rdcsolve.letters.letters import Letters, PricedLetters
from rdcsolve.letters.space import LetterSpace
from rdcsolve.problems import Problem
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status
from rdcsolve.solvers.exchange.starting_letters import unlimited
from rdcsolve.solvers.finite.feasibility import constant_output
from rdcsolve.solvers.finite.least_rate import beyond_budget, empty, infeasible, task_within_limits, zero_rate
from rdcsolve.solvers.loop import Settings

_EPS = float(np.finfo(float).eps)
_SHORT = 0.1
_ENTROPY_ROUNDING = 2e-14  # nats, of a sum of terms -P log P with logarithms up to some tens


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
        self.prices = space.price(u, multipliers)
        self.log_largest, self.lower = math.nan, -math.inf
        self.checked = self.proved = False
        self.proof: object = None

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
        target = None if self.problem.minimise == "rate" else self.problem.loss_names.index(self.problem.minimise)
        price = 1.0 if target is None else float(self.multipliers[target])
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
        problem = self.problem
        if problem.minimise == "rate":  # or a Lagrangian
            return 0.0
        return self.space.least_loss(problem.loss_names.index(problem.minimise)) * (1 - 1e-13)

    def _bound(self) -> float:
        problem, u, multipliers = self.problem, self.u, self.multipliers
        target = None if problem.minimise == "rate" else problem.loss_names.index(problem.minimise)
        used = problem.p_x > 0
        value = float(problem.p_x[used] @ u[used]) - self.log_largest
        charged = 0.0
        if problem.multipliers is None:
            limited = [m for m in np.flatnonzero(multipliers) if m != target]
            charged = float(sum(multipliers[m] * problem.bounds[m] for m in limited))
        sizes = 8 * float(np.abs(u[used]).max()) + 8 * float(problem.p_x[used] @ np.abs(u[used])) + 8 * abs(charged)
        value -= charged + _EPS * (400 + sizes)
        if target is not None:
            if not multipliers[target] > 0:
                return self._trivial()
            value = (value - float(problem.rate_bound or 0.0)) / float(multipliers[target])
            value -= 8 * _EPS * abs(value)
        return max(value, self._trivial())


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
        if problem.bounds[m] < least * (1 - 1e-14) - 1e-15:
            message = f"{label.name} <= {problem.bounds[m]:.10g} is below H(S | X) = {least:.10g}"
            return infeasible(problem, settings, {label.name: least}, message)
    met = task_within_limits(unlimited(space), settings)
    if isinstance(met, Result):
        return _unattainable(space, settings, met)
    if problem.minimise != "rate":
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
        nothing = empty(problem, settings, status, Proof.NONE, message, math.nan, {}, history)
        return replace(nothing, method=method)
    found, listed = best
    letters, channel, q = _in_order(listed.take(found.letters), found.channel, found.q, problem)
    decisions = space.posterior(letters, channel * problem.p_x[:, None]).decisions
    shown = space.shown(letters, channel)
    losses = _losses(problem, found, shown.losses, channel)
    means = np.array(list(losses.values()))
    upper = found.objective_upper
    if problem.multipliers is not None:
        value = found.rate_upper + float(problem.multipliers @ means)
        upper = value + 1e-14 * (1 + abs(value))
    elif problem.minimise != "rate":
        upper = losses[problem.minimise] * (1 + 1e-13)
        if problem.minimise in [label.name for label in problem.label_entropies]:
            upper += _ENTROPY_ROUNDING  # differences of logarithms: their rounding does not shrink with the entropy
    lower = min(dual.lower, upper) if dual.lower - upper < 1e-12 * (1 + abs(upper)) else dual.lower
    if not space.is_checked and not message:
        message = (
            f"the check of certificates does not know the letters of {type(space).__name__}: the lower bound rests on "
            "their search"
        )
    if not dual.proved and lower > upper:
        lower, status = dual.proved_lower(), Status.STALLED
        message = "the search for the dearest letter missed one: only the bound that needs no multipliers is left"
    unit = 1.0 if problem.minimise == "rate" else max(1.0, upper)  # losses have any unit: see `solve`
    if status is Status.STALLED and upper - lower <= math.sqrt(settings.tolerance) * unit:
        status = Status.ALMOST_OPTIMAL
    if problem.minimise == "rate":
        beyond = beyond_budget(problem, settings, lower if dual.proved else dual.proved_lower(), upper)
        if beyond is not None:
            return replace(beyond, method=method, steps=len(history), history=history)
    scaled = dual.u - dual.log_largest
    certificate = Certificate(
        problem.objective,
        scaled,
        dual.multipliers,
        shown.indices,
        channel,
        min(lower, dual.proved_lower()),
        upper,
        problem.fingerprint(),
    )
    rate_lower = lower if problem.minimise == "rate" else math.nan
    if problem.multipliers is not None:
        rate_lower = max(lower - float(problem.multipliers @ means), 0.0)
    return Result(
        status=status,
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
        d_tilted=scaled - float(dual.multipliers @ np.where(np.isfinite(problem.bounds), problem.bounds, means)),
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
