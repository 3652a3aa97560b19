"""Bounds that are proved where the largest price was only searched for.

Cells of shares bound the largest price of any number of classes, as closely as the time allows: they are tried at the
multipliers of the optimum first. With label multipliers of sum at most one a price is concave, and a tangent proves the
largest one. So such multipliers always give a proved bound, if a weaker one than the multipliers of the optimum.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from rdcsolve import deadline, narration
from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.letters.pricing.decisions import bounded_at
from rdcsolve.letters.space import LetterSpace
from rdcsolve.letters.weights import distinct_symbols, log_weights, symbol_weights
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.claims import largest_rate
from rdcsolve.results.result import Result
from rdcsolve.results.status import Proof, Status, ended_by
from rdcsolve.results.units import told
from rdcsolve.solvers.exchange.exchange import solve_over
from rdcsolve.solvers.finite.least_rate import beyond_the_rate, infeasible
from rdcsolve.solvers.loop import Limits, Settings

_COARSE = 1e-5  # nats: a relaxed problem need not be solved further
_ROUNDS = 60
_SHORT = 0.02  # of the tolerance: of so little the proof may be short, where the search left the most it may
_FINEST = 1e-12
_LEAST_RATE = 1e-15  # nats: no rate is known better
_SHARE_OF_TIME = 1 / 3  # of what is left, for cells of shares
_ROUNDING = 3e-14  # of sums and logarithms; what is claimed in the end is the check's word
_IDLE = 1e-4  # nats: what a multiplier of a linear loss is worth, to be left out of a proof by cells


@dataclass(frozen=True, eq=False)
class ProvedDual:
    """A dual point in its stored form, in which no price exceeds one, with what proves that.

    Attributes
    ----------
    point : DualPoint
    proof : PriceProof or None
    lower : float
        The bound on the objective that follows.
    """

    point: DualPoint
    proof: PriceProof | None
    lower: float


def with_proved_bound(space: LetterSpace, settings: Settings, result: Result, start: Result | None = None) -> Result:
    """Return the result with the best bound at hand in its certificate, if its own rests on a search.

    Parameters
    ----------
    space : LetterSpace
    settings : Settings
        Nothing is solved once their time is up: then the bound is the one that takes no solving.
    result : Result
        Of the space's problem.
    start : Result, optional
        Of the same losses: its cells of shares are gone on with, and what its certificate proves is not lost.
    """
    certificate = result.certificate
    if result.proof is not Proof.UNVERIFIED or certificate is None:
        return result
    if not space.problem.label_entropies or not space.is_checked:
        return result
    found: list[ProvedDual] = []
    try:
        for one in _proved(space, settings, result, start):
            found.append(one)
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:  # what is proved by then stays so
        result = replace(result, status=ended_by(stop))
    best = max(found, key=lambda one: one.lower, default=None)
    if best is None or not best.lower > certificate.lower:
        return result
    point = best.point
    stronger = replace(
        certificate, u=point.u, u_rest=point.rest, multipliers=point.multipliers, proof=best.proof, lower=best.lower
    )
    return replace(result, certificate=stronger)


def _proved(space: LetterSpace, settings: Settings, result: Result, start: Result | None) -> Iterator[ProvedDual]:
    """Yield what is proved, as it is: what takes no time first, and what takes most only if it is still needed."""
    certificate = result.certificate
    assert certificate is not None
    known = _known(space, start)
    whole = _share_for_labels(space)
    proved = [_stored(space, known.point, known.proof)] if known is not None else []
    proved += [_informed(space, whole)] if whole.any() else []
    yield from proved
    by_shares = _by_shares(space, settings, result, None if known is None else known.proof)
    if by_shares is not None:
        yield by_shares
        proved.append(by_shares)
    lower, slope = max((one.lower for one in proved), default=None), space.problem.goal.slope(certificate.multipliers)
    if lower is None or not space.problem.goal.within(lower, result.objective_upper, settings.tolerance, slope):
        yield from _relaxed(space, settings, certificate.multipliers)


def _known(space: LetterSpace, start: Result | None) -> Certificate | None:
    """Return the certificate of a start for the same objective whose dual point is proved, not merely hoped for."""
    if start is None or start.certificate is None or start.objective != space.problem.objective:
        return None
    is_proved = start.proof is Proof.CERTIFIED or start.certificate.proof is not None
    return start.certificate if is_proved else None


def beyond_labels(space: LetterSpace, settings: Settings) -> Result | None:
    """Return that no channel meets the limits if those on label entropies alone need more rate than allowed, or None.

    No rate is below H(S) - C, whatever the letters, and that takes no search to prove. Allowed is no more than the
    limit on the rate, nor than what there is: few fixed letters have little.

    Parameters
    ----------
    space : LetterSpace
    settings : Settings
    """
    problem, rate = space.problem, space.problem.rate_bound
    if rate is None or not problem.label_entropies or not space.is_checked:
        return None
    rate = largest_rate(problem)
    others = space.of(problem.minimising("rate").with_limits(rate=None))
    shares, first = _share_for_labels(others), len(problem.losses) - len(problem.label_entropies)
    some = np.flatnonzero(shares[first:])
    if any(problem.bounds[first + k] < space.least_loss(first + k) for k in some.tolist()):
        return None  # that limit cannot be met at any rate, which is told with what is least
    needed = sum(shares[first + k] * (_entropy(problem, k) - problem.bounds[first + k]) for k in some.tolist())
    return _excluded(space, settings, _informed(others, shares)) if needed > rate else None


def with_rate_excluded(space: LetterSpace, settings: Settings, result: Result) -> Result:
    """Return the result, or that no channel meets the limits if the one on the rate is below what can be proved.

    A search that ends without a channel may have proved less of the other limits' least rate than there is to prove.

    Parameters
    ----------
    space : LetterSpace
    settings : Settings
    result : Result
        Of the space's problem.
    """
    problem = space.problem
    if problem.rate_bound is None or result.proof is not Proof.NONE or result.status is not Status.STALLED:
        return result
    if not problem.label_entropies or not space.is_checked or deadline.is_up():
        return result
    others = space.of(problem.minimising("rate").with_limits(rate=None))
    settings = replace(settings, tolerance=max(min(settings.tolerance, 1e-2 * problem.rate_bound), _LEAST_RATE))
    least = with_proved_bound(others, settings, solve_over(others, settings)).certificate
    if least is None:
        return result
    return _excluded(space, settings, ProvedDual(least.point, least.proof, least.lower)) or result


def _excluded(space: LetterSpace, settings: Settings, found: ProvedDual) -> Result | None:
    """Return that no channel meets the limits if a dual point of the least rate proves it, or None."""
    problem, rate = space.problem, largest_rate(space.problem)
    if not found.lower > rate:
        return None
    certificate = Certificate(
        objective="rate",
        u=found.point.u,
        u_rest=found.point.rest,
        multipliers=found.point.multipliers,
        letters=np.empty(0, dtype=np.intp),
        channel=np.empty((problem.n_x, 0)),
        lower=found.lower,
        upper=math.nan,
        fingerprint=problem.fingerprint(),
        proof=found.proof,
    )
    message = beyond_the_rate(problem, found.lower, rate)
    if rate != problem.rate_bound:
        least, most = (told(problem, "rate", number) for number in (found.lower, rate))
        message = f"the limits need a rate of at least {least}, and no channel has more than {most}"
    return infeasible(problem, settings, {"rate": found.lower}, message, certificate)


def spared(space: LetterSpace, multipliers: np.ndarray) -> float:
    """Return what a Lagrangian has at least beside the plane of smaller multipliers: the rest, at the least means."""
    own = space.problem.multipliers
    if own is None:
        return 0.0
    return math.fsum(
        (own[m] - multipliers[m]) * space.least_loss(m) for m in np.flatnonzero(own > multipliers).tolist()
    )


def _relaxed(space: LetterSpace, settings: Settings, multipliers: np.ndarray) -> Iterator[ProvedDual]:
    """Yield what problems prove whose label multipliers are small enough for their solutions to be proofs."""
    problem = space.problem
    n_linear = len(problem.losses) - len(problem.label_entropies)
    if not multipliers[:n_linear].any():
        return
    excess = max(1.0, float(multipliers[n_linear:].sum()))
    scaled = multipliers.copy()
    scaled[n_linear:] /= excess
    both = multipliers / excess  # the same plane, as far as the losses are concerned, less of it
    for relaxed in (scaled, both):
        if not deadline.is_up():
            yield from _solved(space, space.problem.at_multipliers(**_named(problem, relaxed)), settings)
    if is_rate(problem.objective) and not deadline.is_up():
        yield from _solved(space, problem.with_limits(**{one.name: None for one in problem.label_entropies}), settings)


def _by_shares(space: LetterSpace, settings: Settings, result: Result, earlier: PriceProof | None) -> ProvedDual | None:
    """Return what cells of shares prove, within the budget, of the dual point that the search ended at.

    Or of that without multipliers that are worth next to nothing, which is tried first, with half of the budget: where
    a hundred reproduction symbols have nearly the same prices, cells have to bring each of them down.
    """
    certificate, budget = result.certificate, settings.limits.proof_budget
    assert certificate is not None
    if not budget > 0 or not certificate.multipliers.any():
        return None
    duals = [*_without_idle(space.problem, certificate), (certificate.u, certificate.multipliers)]
    # the check that follows may take as long as the search, and what it does not come to is not proved
    stop_at = deadline.clock() + _SHARE_OF_TIME * deadline.left()
    best: ProvedDual | None = None
    for left, (u, multipliers) in zip(range(len(duals), 0, -1), duals, strict=True):
        slope, now = space.problem.goal.slope(multipliers), deadline.clock()
        if best is not None and space.problem.goal.within(
            best.lower, result.objective_upper, settings.tolerance, slope
        ):
            break
        if deadline.is_up():
            break
        until = now + (stop_at - now) / left
        found = _bounded_by_shares(space, settings, u, multipliers, (budget / len(duals), until), earlier)
        best = max(filter(None, (best, found)), key=lambda one: one.lower, default=None)
    return best


def _without_idle(problem: Problem, certificate: Certificate) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield u and multipliers without those of linear limits that move no price by much, if there are any.

    Their losses' means given the symbol are taken off u in place of the losses, so that the bound stays what it is, but
    for what prices change by: no more than a multiplier times how far losses are from these means.
    """
    if problem.multipliers is not None or problem.free is not None:
        return
    u, multipliers = certificate.u.copy(), certificate.multipliers.copy()
    channel = np.asarray(certificate.channel)
    for m, loss in enumerate(problem.linear_losses):
        block = loss.block(None, certificate.letters)
        if m == problem.goal.target or not multipliers[m] or not np.isfinite(block).all():
            continue
        means = (channel * block).sum(axis=1)
        apart = float(problem.p_x @ (channel * np.abs(block - means[:, None])).sum(axis=1))
        if abs(multipliers[m]) * apart <= _IDLE:
            u -= multipliers[m] * means
            multipliers[m] = 0.0
    if (multipliers != certificate.multipliers).any():
        yield u, multipliers


def _bounded_by_shares(
    space: LetterSpace,
    settings: Settings,
    u: np.ndarray,
    multipliers: np.ndarray,
    time_for_it: tuple[float, float],
    earlier: PriceProof | None,
) -> ProvedDual | None:
    """Return what cells of shares prove of a dual point within so many CPU seconds, and before a time of the clock."""
    budget, stop_at = time_for_it
    until = math.nan

    def may_go_on(work: float) -> bool:
        nonlocal until
        del work
        deadline.look()
        worked = time.thread_time() - narration.seconds_compiling()  # loops are compiled when NumPy has had its fill
        if math.isnan(until):
            until = worked + budget
        return worked < until and deadline.clock() < stop_at

    rtol = max(_SHORT * settings.tolerance * min(space.problem.goal.slope(multipliers), 1.0), _FINEST)
    try:
        prices = space.price(u, multipliers)
        prices.earlier = earlier
        found = prices.largest(rtol, may_go_on)
    except deadline.TimeIsUp:
        return None
    log_upper = found.log_upper if found.proved else found.log_proved
    if not math.isfinite(log_upper):
        return None
    return _stored(space, DualPoint.of(u, multipliers).scaled(log_upper + _ROUNDING), found.proof)


def _named(problem: Problem, multipliers: np.ndarray) -> dict[str, float]:
    return dict(zip(problem.loss_names, multipliers.tolist(), strict=True))


def _share_for_labels(space: LetterSpace) -> np.ndarray:
    """Return label multipliers of sum at most one, shape (M,), that are worth most in `_informed`'s bound.

    What a unit of a label's multiplier adds to it is known, so the labels that add most get as much as they may have.
    """
    problem = space.problem
    first = len(problem.losses) - len(problem.label_entropies)
    shares, left = np.zeros(len(problem.losses)), 1.0
    target = problem.goal.target
    if target is not None:  # only the label that is minimised itself can be bounded like that
        shares[target] = float(target >= first)
        return shares
    gains = np.array([_entropy(problem, k) for k in range(len(problem.label_entropies))])
    if problem.multipliers is None:
        gains -= problem.bounds[first:]
        caps = np.where(np.isfinite(problem.bounds[first:]), 1.0, 0.0)
    else:
        gains -= [space.least_loss(first + k) for k in range(gains.size)]
        caps = problem.multipliers[first:]
    for k in np.argsort(-gains).tolist():
        if gains[k] > 0:
            shares[first + k] = min(left, float(caps[k]))
            left = max(left - shares[first + k], 0.0)
    return shares


def _marginal(problem: Problem, k: int) -> np.ndarray:
    prior = problem.p_x @ problem.label_entropies[k].conditional
    return np.asarray(prior / prior.sum())


def _entropy(problem: Problem, k: int) -> float:
    prior = _marginal(problem, k)
    return -float(prior @ np.log(np.where(prior > 0, prior, 1.0)))


def _informed(space: LetterSpace, multipliers: np.ndarray) -> ProvedDual:
    """Return the dual point that says I(X; A) >= sum_k lambda_k I(S_k; A), sum lambda_k <= 1, in no time.

    With u_i = -sum_k lambda_k sum_s w_k(s | i) log p_k(s) no price exceeds one, by the inequality of the means.
    """
    problem = space.problem
    first, u = len(problem.losses) - len(problem.label_entropies), np.zeros(problem.n_x)
    for k, label in enumerate(problem.label_entropies):
        prior = _marginal(problem, k)
        u -= multipliers[first + k] * (label.conditional @ np.log(np.where(prior > 0, prior, 1.0)))
    u = np.where(problem.p_x > 0, u, 0.0)
    weights = symbol_weights(problem.p_x, u, multipliers, problem.label_entropies)
    logs, symbols = weights.log[:, None], np.zeros(1, dtype=np.intp)
    if problem.free is None:
        losses = [loss.block() for loss in problem.linear_losses]
        symbols, _ = distinct_symbols(weights, losses)
        logs = log_weights(weights, losses)[:, symbols]
    priors = tuple(_marginal(problem, k) for k in range(len(problem.label_entropies)))
    log_upper, proof = bounded_at(
        logs, weights.labels, weights.label_multipliers, priors, log_error=weights.log_error, numbers=symbols
    )
    if not math.isfinite(log_upper):
        return ProvedDual(DualPoint.zero(problem), None, -math.inf)
    return _stored(space, DualPoint.of(u, multipliers).scaled(log_upper), proof)


def _solved(space: LetterSpace, relaxed: Problem, settings: Settings) -> Iterator[ProvedDual]:
    """Yield what the solution of a relaxed problem, with the same losses, proves about this one."""
    limits = Limits(_ROUNDS, settings.limits.time_limit)
    settings = replace(settings, tolerance=max(settings.tolerance, _COARSE), limits=limits)
    found = solve_over(space.of(relaxed), settings)
    if found.proof is Proof.CERTIFIED and found.certificate is not None:
        yield _stored(space, found.certificate.point, found.certificate.proof)


def _stored(space: LetterSpace, point: DualPoint, proof: PriceProof | None) -> ProvedDual:
    lower = point.bound(space.problem) + spared(space, point.multipliers)
    return ProvedDual(point, None if proof is None or proof.is_empty else proof, lower)
