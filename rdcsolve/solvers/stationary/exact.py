"""The exact phase of the alternation: the finite problem of given soft decisions, and the decisions of its solution."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.information import conditional_entropy, entropy, mutual_information
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.result import Result
from rdcsolve.results.status import Proof, Status
from rdcsolve.solvers.finite.least_loss import minimise_loss
from rdcsolve.solvers.finite.least_rate import empty, minimise_rate
from rdcsolve.solvers.finite.reduction import least_loss
from rdcsolve.solvers.loop import Settings
from rdcsolve.solvers.stationary.starts import Arena, Candidate

_EPS = float(np.finfo(float).eps)
_UNUSED = 1e-9  # output mass of a letter whose decisions are free to change
_SETTLED = 1e-10  # relative fall of the objective that counts as none
_FURTHEST = 30.0  # how far a step is stretched at most
_OF_THE_ROOM = 1e-7  # that a limit leaves above the least mean, where roundings beside one would be more than that
_HELD = 1e-13  # of the spread: how far from its bound a mean may be that is to equal it
_SHARE = 1e-5  # shares of a symbol below this are dropped where a limit may need exact zeros


@dataclass(frozen=True, eq=False)
class Found:
    """A channel that meets the limits, with what it attains by definition.

    Attributes
    ----------
    value : float
        The objective.
    rate : float
        Nats.
    losses : dict of str to float
    listed : Result
        The solution of the finite problem, whose channel, letters, masses and multipliers these are.
    narrowed : bool
        Whether decisions excluded pairs of symbol and letter that the problem itself allows.
    settled : bool
        Whether further steps bring nothing.
    """

    value: float
    rate: float
    losses: dict[str, float]
    listed: Result
    narrowed: bool
    settled: bool = False


def _exact(arena: Arena, decisions: np.ndarray, settings: Settings) -> Found | None:
    """Return the best channel for stacked decisions (S, k), or None if they leave none that meets the limits."""
    problem = arena.problem
    if problem.goal.budget is not None:
        problem = problem.with_limits(rate=None)  # a budget: looked at in the end
    try:
        listed = problem.listed(np.arange(problem.n_letters), arena.split_by_label(decisions))
    except InvalidInput:  # decisions that exclude classes leave a symbol without a letter
        return None
    listed = listed.with_limits(**arena.aims) if arena.aims else listed
    solve = minimise_rate if listed.goal.target is None else minimise_loss
    result = solve(listed, settings, None)
    if not result.channel.size or not np.isfinite(result.channel).all():
        return None
    before = np.zeros((problem.n_x, 1), dtype=bool) if problem.forbidden is None else problem.forbidden
    narrowed = listed.forbidden is not None and bool((listed.forbidden & ~before)[arena.symbols].any())
    return _attained(problem, result, narrowed)


def _attained(problem: Problem, result: Result, narrowed: bool) -> Found | None:
    """Return what the channel of a listed problem attains, or None if it misses a limit."""
    losses = {loss.name: result.losses[loss.name] for loss in problem.linear_losses}
    for label in problem.label_entropies:
        losses[label.name] = conditional_entropy(problem.p_x, label.conditional, result.channel)
    used = result.channel[problem.p_x > 0]
    rate = mutual_information(problem.p_x, result.channel) if (used != used[0]).any() else 0.0
    means = np.array(list(losses.values()))
    limited = np.isfinite(problem.bounds)
    met = bool(np.all(means[limited] <= (problem.bounds + _allowed(problem))[limited]))
    for m in np.flatnonzero(problem.held).tolist():
        met = met and abs(float(means[m] - problem.bounds[m])) <= _HELD * problem.spread(m)
    value = problem.goal.value(rate, means)
    if problem.goal.target is not None:
        met = met and rate <= problem.goal.rate * (1 + 4 * _EPS)
    return Found(value, rate, losses, result, narrowed) if met else None


def _allowed(problem: Problem) -> np.ndarray:
    """Return what roundings may take means beyond bounds by, shape (M,): of a linear loss, little beside its room."""
    bounds = np.where(np.isfinite(problem.bounds), problem.bounds, 0.0)
    allowed = 4 * _EPS * (1 + np.abs(bounds))
    for m in np.flatnonzero(np.isfinite(problem.bounds[: len(problem.linear_losses)])).tolist():
        least = least_loss(problem, m)
        allowed[m] = min(allowed[m], _OF_THE_ROOM * max(bounds[m] - least, 0.0) + 4 * _EPS * abs(least))
    return allowed


def as_it_is(arena: Arena, channel: np.ndarray, settings: Settings) -> Found | None:
    """Return what a channel (n, k) attains, by which nothing but itself is shown, or None if it misses a limit."""
    problem = arena.problem
    letters = np.flatnonzero((channel > 0).any(axis=0))
    whole = np.full((problem.n_x, letters.size), 1 / letters.size)
    whole[arena.symbols] = channel[:, letters]
    for i in np.flatnonzero(problem.p_x == 0).tolist():  # any allowed letter will do
        allowed = np.ones(letters.size) if problem.forbidden is None else ~problem.forbidden[i, letters] + 0.0
        whole[i] = allowed / allowed.sum() if allowed.any() else 1 / letters.size
    losses = {loss.name: mean_loss(problem, loss.block(None, letters), whole) for loss in problem.linear_losses}
    shown = empty(problem, settings, Status.STALLED, Proof.NONE, "", 0.0, {})
    made = replace(
        shown,
        channel=whole,
        letters=letters,
        q=problem.p_x @ whole,
        losses=losses,
        multipliers=dict.fromkeys(problem.loss_names, 0.0),
    )
    return _attained(problem, made, narrowed=True)


def constant_channel(arena: Arena, settings: Settings) -> Candidate | None:
    """Return the best channel that tells nothing of the symbol, under linear limits: all label entropies are H(S)."""
    problem, target = arena.problem, arena.problem.goal.target
    loose = problem.minimising("rate").with_limits(rate=None, **dict.fromkeys(problem._label_names, None))
    is_linear = target is not None and target < arena.n_linear
    loose = loose.minimising(problem.objective, rate=0.0) if is_linear else loose
    listed = loose.listed(np.arange(arena.n_letters), arena.split_by_label(arena.prior_everywhere()))
    result = (minimise_loss if is_linear else minimise_rate)(listed, settings, None)
    if not result.channel.size or not np.isfinite(result.q).all():
        return None
    masses = np.zeros(arena.n_letters)
    masses[result.letters] = result.q / result.q.sum()
    channel = np.tile(masses, (arena.p.size, 1))
    if (channel[arena.mask < 0] > 0).any():
        return None
    q, decisions = arena.posterior(channel, arena.prior_everywhere())
    return Candidate("constant", q, decisions, math.inf, 0.0, 0, False, channel)


def mean_loss(problem: Problem, losses: np.ndarray, channel: np.ndarray) -> float:
    """Return E L of a channel (n_x, k) under the losses of its letters, infinite ones that it does not use left out."""
    joint = problem.p_x[:, None] * channel
    return math.fsum((joint * np.where(joint > 0, losses, 0.0)).ravel().tolist())


def _next_decisions(arena: Arena, found: Found, decisions: np.ndarray) -> np.ndarray:
    """Return the posteriors (S, k), and for letters without mass the decisions that would make them most attractive.

    A letter that nobody uses may decide as it likes. If some decision brings its price
    sum_i p_i exp(u_i - lambda.L(i, a)) above one, giving it mass improves the objective.
    """
    channel = np.zeros((arena.p.size, arena.n_letters))
    channel[:, found.listed.letters] = found.listed.channel[arena.symbols]
    q, posteriors = arena.posterior(channel, decisions)
    certificate = found.listed.certificate
    unused = np.flatnonzero(q < _UNUSED)
    if certificate is not None and unused.size and arena.prior.size:
        posteriors[:, unused] = arena.most_attractive(unused, certificate.u[arena.symbols], certificate.multipliers)
    return posteriors


def _sharpened(arena: Arena, candidate: Candidate) -> np.ndarray:
    """Return a candidate's posteriors without its small shares: limits at their least value need exact zeros."""
    if candidate.channel is None:
        return candidate.decisions
    channel = np.where(candidate.channel < _SHARE, 0.0, candidate.channel)
    total = channel.sum(axis=1, keepdims=True)
    channel = np.where(total > 0, channel / np.where(total > 0, total, 1.0), candidate.channel)
    return arena.posterior(channel, candidate.decisions)[1]


def _stretched(old: np.ndarray, new: np.ndarray, stretch: float) -> np.ndarray:
    """Go beyond `new`, `stretch` times as far as from `old` to it, in the logarithm; exact zeros stay."""
    both = (old > 0) & (new > 0)
    ratio = np.divide(new, old, out=np.ones_like(new), where=both)
    return new * np.clip(ratio, math.exp(-3 / stretch), math.exp(3 / stretch)) ** stretch


def polish(arena: Arena, candidate: Candidate, steps: int, settings: Settings) -> Iterator[Found]:
    """Alternate between the finite problem, solved exactly, and its posteriors; yield ever better channels.

    Steps are stretched, as in the cheap phase; one that did not help is taken back.
    """
    plain = decisions = candidate.decisions
    stretch, small = 0.0, 0
    last: Found | None = None
    for step in range(steps):
        found = _exact(arena, decisions, settings)
        if found is None and last is None:
            plain = decisions = _sharpened(arena, candidate)
            found = _exact(arena, decisions, settings)
        if found is None or (last is not None and found.value > last.value and stretch > 0):
            if stretch == 0:
                return
            decisions, stretch = plain, 0.0  # the plain step cannot be worse
            continue
        fall = math.inf if last is None else last.value - found.value
        small = small + 1 if fall <= _SETTLED * (1 + abs(found.value)) else 0
        last = found if last is None or fall > 0 else last
        if small == 2 or (small and stretch == 0):
            yield replace(last, settled=True)
            return
        yield last
        if step == steps - 1:
            return
        plain = _next_decisions(arena, found, decisions)
        stretch = min(max(1.0, 2 * stretch), _FURTHEST)
        decisions = _stretched(decisions, plain, stretch)


def least_losses(problem: Problem) -> dict[str, float]:
    """Return a lower bound on every loss over all channels: H(S | A) >= H(S | X), and H(S) - log k for k letters."""
    least = {loss.name: least_loss(problem, m) for m, loss in enumerate(problem.linear_losses)}
    used = problem.p_x > 0
    for label in problem.label_entropies:
        known = conditional_entropy(problem.p_x, label.conditional, np.eye(problem.n_x))
        prior = problem.p_x[used] @ label.conditional[used]
        least[label.name] = max(known, entropy(prior) - math.log(problem.n_letters))
    return least


def trivial_bound(problem: Problem) -> float:
    """Return a lower bound on the objective that needs no solver."""
    if is_rate(problem.objective):
        return 0.0
    least = least_losses(problem)
    if problem.multipliers is not None:
        return float(problem.multipliers @ np.array(list(least.values()))) * (1 - 1e-12)
    return least[problem.minimise] * (1 - 1e-12)
