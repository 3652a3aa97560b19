"""Checks of bounds and their proof: order, honesty, certificate, optimality conditions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.problems import PerceptionAtRate, Problem
from rdcsolve.problems.objective import is_in_nats
from rdcsolve.testing.evaluation import (
    EPS,
    Achieved,
    Dual,
    achieved,
    dual_terms,
    full_channel,
    least_losses,
    require,
)
from rdcsolve.testing.feasibility import LIMIT_TOLERANCE, check_channel
from rdcsolve.testing.laws import letter_prices, spent
from rdcsolve.testing.listed import listed, with_many_letters

_SPREAD_TOLERANCE = 1e-12  # of losses' spreads, by which limits may be exceeded in floating point


def check_bounds(result: Any, tolerance: float = 1e-9) -> None:
    """Check that the bounds are in order, and that the status is honest about the gap between them.

    Parameters
    ----------
    result : Result
    tolerance : float, optional
        The tolerance that the solver was given.

    Raises
    ------
    AssertionError
        If a lower bound exceeds its upper bound, if OPTIMAL is claimed for a gap above the tolerance (for a loss,
        above tolerance * max(1, loss), the rule of `solve`) or ALMOST_OPTIMAL for one above its square root, if
        something is called certified without a certificate and finite bounds, or INFEASIBLE without the attainable
        minimum.
    """
    status = result.status.name
    if status == "INFEASIBLE":
        values = list(result.minimum.values())
        named = bool(values) and all(map(math.isfinite, values))
        require(named, f"INFEASIBLE, but `minimum` does not say what can be attained: {result.minimum}")
        return
    for name in ("objective", "rate"):
        lower, upper = getattr(result, f"{name}_lower"), getattr(result, f"{name}_upper")
        # Written so that an unknown number, NaN, passes.
        crossed = lower > upper + 64 * EPS * (1 + abs(upper))
        excess = lower - upper
        require(not crossed, f"{name}: lower bound {lower:.15g} > upper bound {upper:.15g} by {excess:.3g}")
    gap = result.objective_upper - result.objective_lower
    if status in ("OPTIMAL", "ALMOST_OPTIMAL"):
        allowed = tolerance if status == "OPTIMAL" else math.sqrt(tolerance)
        if not is_in_nats(result.objective):  # losses have any unit: the rule is relative above one
            allowed *= max(1.0, abs(result.objective_upper))
        require(gap <= allowed, f"{status} is claimed, but the gap is {gap:.6g} > {allowed:.3g}")
    if result.proof.name == "CERTIFIED":
        require(result.certificate is not None, "CERTIFIED is claimed, but there is no certificate")
        require(math.isfinite(gap), f"CERTIFIED is claimed, but the gap is {gap}")


def check_certificate(result: Any, problem: Problem, arithmetic: str = "float") -> None:
    """Check that the certificate proves what the result claims.

    It is verified by `Certificate.verify`, and then in floating point by the few lines of this package's own
    that follow the definition. Where a label's entropy counts, those lines try many letters, not all.

    Parameters
    ----------
    result : Result
    problem : Problem
    arithmetic : {"float", "ball"}, optional
        See `Certificate.verify`.

    Raises
    ------
    AssertionError
        With the verification's messages, or the two bounds that disagree.
    """
    certificate = result.certificate
    require(certificate is not None, "there is no certificate")
    verification = certificate.verify(problem, arithmetic=arithmetic)
    require(verification.valid, f"the certificate is refuted: {'; '.join(verification.messages)}")
    problem = with_many_letters(result, problem)
    dual = _dual(problem, certificate)
    trivial = _trivial(problem)
    worth = _per_nat(problem, certificate)
    proved = max(dual.bound * (worth if isinstance(problem.goal, PerceptionAtRate) else 1.0), trivial)
    slack = dual.rounding * max(1.0, worth) + 64 * EPS * (1 + abs(proved))
    claims = {"certificate": certificate.lower}
    if result.proof.name == "CERTIFIED":
        claims["result"] = result.objective_lower
    for who, lower in (claims | {"verification": verification.lower}).items():
        # Written so that an unknown number, NaN, passes.
        refuted = lower > proved + slack
        require(not refuted, f"the {who} claims the lower bound {lower:.15g} but only {proved:.15g} follows")


def _trivial(problem: Problem) -> float:
    """Return the bound that needs no certificate: no rate is below zero, and no loss below its least mean."""
    least = least_losses(problem)
    if problem.multipliers is None:
        return least.get(problem.objective, 0.0)
    pairs = zip(problem.loss_names, problem.multipliers.tolist(), strict=True)
    return math.fsum(price * least.get(name, 0.0) for name, price in pairs if price)


def _dual(problem: Problem, certificate: Any) -> Dual:
    laws = getattr(certificate, "laws", ())  # a certificate made elsewhere may know of none
    prices, paid = letter_prices(problem, laws), spent(problem, laws)
    return dual_terms(problem, certificate.u, certificate.multipliers, prices, paid)


def _per_nat(problem: Problem, certificate: Any) -> float:
    """Return how much of the objective one nat is worth."""
    if is_in_nats(problem.objective):
        return 1.0
    goal = problem.goal
    if isinstance(goal, PerceptionAtRate):
        price = certificate.laws[goal.perception].multiplier
    else:
        price = float(certificate.multipliers[problem.loss_names.index(problem.minimise)])
    return 1.0 / price if price > 0 else 0.0


def check_kkt(result: Any, problem: Problem, tolerance: float | None = None) -> None:
    """Check the optimality conditions of the channel and the certificate together.

    With c(a) = sum_i p_i exp(u_i - lambda.L(i, a)), joint masses P(i, a) = p_i W(a | i) and
    T(i, a) = p_i q_a exp(u_i - lambda.L(i, a)) these are

    - prices: c(a) <= 1 for every letter;
    - support: sum_a q_a (1 - c(a)) is small, so c = 1 on the letters that carry mass;
    - stationarity: sum P log(P / T) is small, so the channel is the tilted one;
    - complementary slackness: lambda_m (b_m - E L_m) is small for every limit, and so is R - I.

    The last two kinds add up to the gap (in nats), and the second kind is at most the third, because
    log(1 / x) >= 1 - x. So a pair with a gap g meets all of them to g, whatever the problem. Where the lower bound
    is the trivial one instead, a rate of zero or the least value of the loss, only the gap above it is checked.

    Parameters
    ----------
    result : Result
        With `channel`, `letters`, bounds on the objective, and a `certificate` with `u` and `multipliers`.
    problem : Problem
    tolerance : float, optional
        Nats; by default the gap that the result reports, plus what exceeding limits by 1e-9 of themselves, or by 1e-12
        of the losses' spreads, can be worth.

    Raises
    ------
    AssertionError
        Naming the condition, the letter or limit, and the numbers.
    """
    require(result.certificate is not None, "there is no certificate")
    result, problem = listed(result, problem)
    lam = np.asarray(result.certificate.multipliers, dtype=float)
    dual = _dual(problem, result.certificate)
    channel = full_channel(problem, result.channel, result.letters)
    check_channel(problem, channel)
    reached = achieved(problem, channel)
    slack = dual.rounding + 64 * EPS * float(1 + reached.rate + np.abs(lam) @ np.abs(reached.losses))
    gap = result.objective_upper - result.objective_lower
    worth = _per_nat(problem, result.certificate)
    trivial = _trivial(problem)
    if worth == 0 or dual.bound < result.objective_lower <= trivial + slack:
        excess = reached.objective(problem) - trivial
        close = excess <= gap + slack
        require(close, f"only the trivial lower bound {trivial:.6g} follows, and the channel is {excess:.3g} above it")
        return
    if tolerance is None:
        tolerance = gap / worth + LIMIT_TOLERANCE * _paid(problem, lam) + _SPREAD_TOLERANCE * _spread(problem, lam)
    _check_prices(problem, channel, dual, tolerance, slack)
    _check_slackness(problem, reached, lam, tolerance + slack)


def _paid(problem: Problem, multipliers: np.ndarray) -> float:
    """Return lambda.b over the limits: what exceeding all of them by the factor two is worth, in nats."""
    limited = np.isfinite(problem.bounds)
    return float(np.abs(multipliers[limited]) @ np.abs(problem.bounds[limited])) + (problem.rate_bound or 0.0)


def _spread(problem: Problem, multipliers: np.ndarray) -> float:
    """Return lambda.spread over the limits on linear losses: the scale on which the check of certificates has slack."""
    losses = problem.linear_losses
    limited = [m for m in range(len(losses)) if np.isfinite(problem.bounds[m]) and multipliers[m] != 0]
    used = np.flatnonzero(problem.p_x > 0)
    return sum(abs(float(multipliers[m])) * losses[m].spread(used) for m in limited)


def _check_prices(problem: Problem, channel: np.ndarray, dual: Dual, tolerance: float, slack: float) -> None:
    """Check prices, support and stationarity."""
    excess = math.expm1(dual.log_max_price)
    require(dual.log_max_price <= slack, f"the largest price is 1 + {excess:.3g}, above one")
    with np.errstate(under="ignore"):
        prices = problem.p_x @ np.exp(dual.log_terms)
    q = problem.p_x @ channel
    idle = q * (1 - prices)
    worst = int(idle.argmax())
    require(
        idle.sum() <= tolerance + slack,
        f"letters in use are priced below one: sum_a q_a (1 - c_a) = {idle.sum():.3g} > {tolerance:.3g}; "
        f"letter {worst} has mass {q[worst]:.3g} and price {prices[worst]:.9g}",
    )
    joint = problem.p_x[:, None] * channel
    i, a = np.nonzero(joint)
    distance = math.fsum(joint[i, a] * (np.log(channel[i, a]) - np.log(q[a]) - dual.log_terms[i, a]))
    close = distance <= tolerance + slack
    require(close, f"the channel is {distance:.3g} nats from the tilted one; allowed {tolerance:.3g}")


def _check_slackness(problem: Problem, reached: Achieved, multipliers: np.ndarray, allowed: float) -> None:
    for m, (name, bound) in enumerate(zip(problem.loss_names, problem.bounds, strict=True)):
        if not math.isfinite(bound):
            continue
        spare = bound - reached.losses[m]
        product = abs(multipliers[m] * spare) if problem.held[m] else multipliers[m] * spare
        require(
            product <= allowed,
            f"{name} has multiplier {multipliers[m]:.6g} and slack {spare:.3g}, product {product:.3g}; "
            f"allowed {allowed:.3g}",
        )
    if problem.goal.target is not None:
        spare = problem.goal.rate - reached.rate
        require(spare <= allowed, f"the rate limit is not used up: {spare:.3g} nats are left")
