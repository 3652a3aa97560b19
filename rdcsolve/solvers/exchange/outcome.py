"""Bounds and results of problems with label entropies: what a dual point proves once letters are priced."""

from __future__ import annotations

import math
import time
from dataclasses import replace

import numpy as np

from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.information import conditional_entropy
from rdcsolve.letters.weights import DualWeights
from rdcsolve.problems import Problem
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Proof, Status
from rdcsolve.solvers.exchange.letters import SplitLetters
from rdcsolve.solvers.exchange.prices import Priced, Prices
from rdcsolve.solvers.exchange.starting_letters import anchored, at_anchors, prior_letters, unlimited
from rdcsolve.solvers.finite.feasibility import constant_output
from rdcsolve.solvers.finite.least_rate import beyond_budget, empty, infeasible, task_within_limits, zero_rate
from rdcsolve.solvers.finite.recovery import posteriors
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
    proof : PriceProof or None
        Of the largest price, where not every letter can be tried.
    """

    def __init__(self, problem: Problem, u: np.ndarray, multipliers: np.ndarray) -> None:
        self.problem, self.u, self.multipliers = problem, u, multipliers
        self.numbers = DualWeights(problem, u, multipliers)
        self.prices = Prices(problem, self.numbers)
        self.log_largest, self.lower = math.nan, -math.inf
        self.checked = self.proved = False
        self.proof: PriceProof | None = None

    def estimate(self, log_largest: float) -> None:
        """Enter the largest price that a search found."""
        self.log_largest = log_largest
        self.lower = self._bound()

    def check(self, tolerance: float = 0.0) -> Priced | None:
        """Bound the price of every letter; return what was found on the way, None if there was nothing to search.

        Parameters
        ----------
        tolerance : float, optional
            The gap on the objective that is asked for: of little of it the bound may be short.
        """
        found = None
        target = None if self.problem.minimise == "rate" else self.problem.loss_names.index(self.problem.minimise)
        price = 1.0 if target is None else float(self.multipliers[target])
        short = max(_SHORT * tolerance * min(price, 1.0), 1e-12)
        # Bounded once more with u scaled, prices come out the same to some 1e-13: the bound of then is at most one.
        if self.problem.free is not None:
            free = self.numbers.largest_free_price(max(short, 1e-10), -math.inf)
            self.log_largest, self.proved, self.proof = free.log_upper + 2e-12, free.proved, free.proof
            found = Priced(SplitLetters(free.best.places, free.best.decisions), free.best.log_prices)
        elif self.numbers.label_multipliers.any():
            listed = self.numbers.largest_price(short, -math.inf)
            self.log_largest, self.proved, self.proof = listed.log_upper + 2e-12, listed.proved, listed.proof
            decisions = tuple(soft[None] for soft in listed.decisions)
            found = Priced(SplitLetters(np.array([listed.column]), decisions), np.array([listed.log_best]))
        else:
            self.log_largest, self.proved = self.numbers.log_max_price(), True
        self.checked = True
        self.lower = self._bound()
        return found

    def proved_lower(self) -> float:
        """Return the bound if it is proved, else the one that needs no multipliers."""
        return self.lower if self.proved else self._trivial()

    def _trivial(self) -> float:
        problem = self.problem
        if problem.minimise == "rate":  # or a Lagrangian
            return 0.0
        return self.numbers.least_loss(problem.loss_names.index(problem.minimise)) * (1 - 1e-13)

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


def impossible(problem: Problem, settings: Settings) -> Result | None:
    """Return the result of limits that no channel meets, or of rate zero, or None.

    Letters can copy p(s | x), at which every label entropy is least, whatever their symbols: so label entropies
    can be met together with the other limits if each side can alone.
    """
    if problem.multipliers is not None:
        return None
    numbers = DualWeights(problem, np.zeros(problem.n_x), np.zeros(len(problem.losses)))
    for m, label in enumerate(problem.label_entropies, start=numbers.first_label):
        least = numbers.least_loss(m)
        if problem.bounds[m] < least * (1 - 1e-14) - 1e-15:
            message = f"{label.name} <= {problem.bounds[m]:.10g} is below H(S | X) = {least:.10g}"
            return infeasible(problem, settings, {label.name: least}, message)
    anchors = anchored(problem)
    met = task_within_limits(unlimited(anchors), settings)
    if isinstance(met, Result):
        return replace(met, objective=problem.objective, fingerprint=problem.fingerprint())
    if problem.minimise != "rate":
        return None
    letters = at_anchors(problem, anchors, prior_letters(anchors))
    listed = problem.listed(*letters)
    task = task_within_limits(listed.with_limits(rate=None), settings)
    constant = None if isinstance(task, Result) else constant_output(task)
    if constant is None:
        return None
    found = zero_rate(listed, settings, *constant)
    dual = PricedDual(problem, np.zeros(problem.n_x), np.zeros(len(problem.losses)))
    dual.check()
    return finished(problem, settings, (found, letters), dual, Status.OPTIMAL, "", ())


def finished(
    problem: Problem,
    settings: Settings,
    best: tuple[Result, SplitLetters] | None,
    dual: PricedDual | None,
    status: Status,
    message: str,
    history: tuple[StepRecord, ...],
) -> Result:
    """Return the result of a restricted problem's channel and a dual point, its letters' decisions made posterior."""
    method = f"exchange with {settings.solver.name}"
    if best is None or dual is None:
        nothing = empty(problem, settings, status, Proof.NONE, message, math.nan, {}, history)
        return replace(nothing, method=method)
    found, listed = best
    places = listed.places[found.letters]
    order = np.argsort(places, kind="stable") if places.ndim == 1 else np.lexsort(places.T[::-1])
    # an entry as small as this has no weight at all, but may underflow in a product and forbid its own letter
    channel = np.where(found.channel < 1e-250, 0.0, found.channel)
    joint = (channel * problem.p_x[:, None]).T
    order = order[joint[order].sum(axis=1) > 0]  # a letter of such entries alone has no posterior
    channel, q, joint = channel[:, order], found.q[order], joint[order]
    decisions = tuple(posteriors(joint, label.conditional) for label in problem.label_entropies)
    losses = {loss.name: found.losses[loss.name] for loss in problem.linear_losses}
    letters, reproduction = places[order], np.empty((0, 0))
    if problem.free is not None:
        # at its best a letter is at the mean of what it stands for, wherever the list had it
        letters, reproduction = np.arange(order.size), problem.free.means(joint.T)
        losses[problem.free.name] = dual.numbers.spread_within_letters(channel)
    losses |= {
        label.name: conditional_entropy(problem.p_x, label.conditional, channel) for label in problem.label_entropies
    }
    means = np.array(list(losses.values()))
    upper = found.objective_upper
    if problem.multipliers is not None:
        value = found.rate_upper + float(problem.multipliers @ means)
        upper = value + 1e-14 * (1 + abs(value))
    elif problem.minimise != "rate":
        upper = losses[problem.minimise] * (1 + 1e-13)
        if problem.loss_names.index(problem.minimise) >= dual.numbers.first_label:
            upper += _ENTROPY_ROUNDING  # differences of logarithms: their rounding does not shrink with the entropy
    lower = min(dual.lower, upper) if dual.lower - upper < 1e-12 * (1 + abs(upper)) else dual.lower
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
        letters,
        channel,
        min(lower, dual.proved_lower()),
        upper,
        problem.fingerprint(),
        proof=None if dual.proof is None or dual.proof.is_empty else dual.proof,
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
        letters=letters,
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
        reproduction=reproduction,
    )
