"""What a result prints, held against what its certificate proves."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from rdcsolve.certificates.check import Verification
from rdcsolve.certificates.maps import no_map_meets
from rdcsolve.information import entropy, nats_to_bits
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.problems.validation import MASS_TOLERANCE
from rdcsolve.results.channel import Channel
from rdcsolve.results.units import is_information

_UNITS = 4e-16  # relatively: what a conversion of units rounds by


def verified(result: Any, problem: Problem, arithmetic: str) -> Verification:
    """Return what a result's certificate proves, with every claim of the result itself that does not follow.

    Parameters
    ----------
    result : Result
        With a certificate.
    problem : Problem
        The problem solved.
    arithmetic : {"float", "ball"}
    """
    if result.status.name == "INFEASIBLE":
        return _refuting(result, problem, arithmetic)
    found: Verification = result.certificate.verify(problem, arithmetic)
    return _with_claims(result, problem, found)


def is_stronger(claimed: float, proved: float, sign: int, allowed: float = 0.0) -> bool:
    """Return whether a claimed bound says more than the one that is proved.

    Parameters
    ----------
    claimed, proved : float
        NaN, and the infinity that bounds nothing, claim nothing. The other infinity claims everything.
    sign : {1, -1}
        1 for lower bounds, -1 for upper ones.
    allowed : float, optional
        Relatively, what a claim may be beyond.
    """
    if math.isnan(claimed) or claimed == -sign * math.inf:
        return False
    if math.isinf(claimed):
        return claimed != proved
    return not sign * (claimed - proved) <= allowed * (1 + abs(claimed))


def of_the_rate(problem: Problem) -> Problem:
    """Return the least rate under the problem's limits on losses: what a certificate of infeasibility is about."""
    return problem.minimising("rate").with_limits(rate=None)


def largest_rate(problem: Problem) -> float:
    """Return what no rate within the limits exceeds, nats: H(X), log k with k fixed letters, or the limit on rates."""
    largest = entropy(problem.p_x[problem.p_x > 0])
    if problem.letters == "fixed" and problem.label_entropies:
        largest = min(largest, math.log(problem.n_letters))  # of H(A); split letters are more than there are symbols
    largest = largest * (1 + 1e-12) + 1e-12
    return largest if problem.rate_bound is None else min(largest, problem.rate_bound)


def _refuting(result: Any, problem: Problem, arithmetic: str) -> Verification:
    """Return the verification that no channel meets the limits: every rate would be beyond the largest there is."""
    found: Verification = result.certificate.verify(of_the_rate(problem), arithmetic)
    largest = largest_rate(problem)
    if (found.proved and found.lower > largest) or no_map_meets(result.certificate, problem, arithmetic):
        return found
    fault = f"the limits are proved to need a rate of {found.lower:.10g} nat, which is not beyond {largest:.10g}"
    return replace(found, valid=False, messages=(fault, *found.messages))


def _with_claims(result: Any, problem: Problem, found: Verification) -> Verification:
    """Return a verification with the claims of the result that do not follow."""
    faults = [*_differences(result, problem), *_unlike_the_channel(result, problem)]
    if result.objective != problem.objective:
        faults.append(
            f"the result is about the objective {result.objective!r}, the problem about {problem.objective!r}"
        )
    else:
        faults += _beyond(result, found)
    faults += _losses(result, found)
    faults += [
        f"{name} is said to be {result.perceptions.get(name, math.nan):.17g} but the law is proved to be within "
        f"{attained:.17g} only"
        for name, attained in found.perceptions.items()
        if not result.perceptions.get(name, math.nan) >= attained - found.slack.get(name, 0.0)
    ]
    if not faults:
        return found
    return replace(found, valid=False, messages=(*faults, *found.messages))


def _differences(result: Any, problem: Problem) -> list[str]:
    """Return in what a result differs from its own certificate.

    Where letters are fixed, its multipliers are those at which the channel is stationary, and where the largest price
    was only searched for, those that the search ended at: they prove nothing.
    """
    certificate, faults = result.certificate, []
    if result.unit == "bit" and result.information_losses != problem.information_losses:  # who names them says in what
        names = ", ".join(problem.information_losses) or "none"
        faults.append(f"the losses said to be in bits are not those of the problem that are information ({names})")
    if result.objective != certificate.objective:
        faults.append(f"the result names the objective {result.objective!r}, its certificate {certificate.objective!r}")
    for name in ("letters", "channel"):
        own, proved = getattr(result, name), getattr(certificate, name)
        if own is not proved and not (own.is_same(proved) if isinstance(own, Channel) else np.array_equal(own, proved)):
            faults.append(f"the result's {name} is not that of its certificate")
    shown = np.array(list(result.multipliers.values()))
    nats = np.array([name not in result.information_losses for name in result.multipliers], dtype=bool)
    of_laws = [law.multiplier for law in certificate.laws] or [0.0] * len(problem.perceptions)
    own = np.array([*certificate.multipliers, *of_laws])
    if result.unit == "bit" and nats.shape == own.shape:
        own[nats] = nats_to_bits(own[nats])
    searched = problem.letters == "fixed" or result.proof.name == "UNVERIFIED"
    if not searched and (shown.shape != own.shape or not np.allclose(shown, own, rtol=_UNITS, atol=0.0)):
        faults.append("the result's multipliers are not those of its certificate")
    return faults


def _unlike_the_channel(result: Any, problem: Problem) -> list[str]:
    """Return which of a result's masses are not those of its channel."""
    if not isinstance(result.channel, np.ndarray) or result.channel.shape != (problem.n_x, result.letters.size):
        return []  # other faults say so
    faults, q = [], problem.p_x @ result.channel
    if not _alike(result.q, q):
        faults.append("the result's q is not what its channel puts out")
    elif result.output_law.size and problem.perceptions:
        perception = problem.perceptions[0]
        law = perception.law(result.letters, perception.masses_of(problem.p_x, result.channel, q))
        if not _alike(result.output_law, law):
            faults.append("the result's output_law is not that of its channel")
    return faults


def _alike(shown: np.ndarray, own: np.ndarray) -> bool:
    """Return whether masses are the same, to what sums of masses may be off."""
    return shown.shape == own.shape and bool((np.abs(shown - own) <= MASS_TOLERANCE).all())  # NaN is like nothing


def _shown(result: Any, value: float, name: str) -> float:
    """Return the value of the quantity of this name, in nats if it is information, in the unit of the result."""
    converts = result.unit == "bit" and is_information(name, result.information_losses)
    return float(nats_to_bits(value)) if converts else value


def _beyond(result: Any, found: Verification) -> list[str]:
    """Return the bounds that are stronger than what was proved."""
    lower, upper = (_shown(result, value, result.objective) for value in (found.lower, found.upper))
    rate = _shown(result, found.rate, "rate")
    claims = [("objective_upper", upper, -1), ("rate_upper", rate, -1)]
    if result.proof.name == "CERTIFIED":
        claims.append(("objective_lower", lower, 1))
        if is_rate(result.objective):
            claims.append(("rate_lower", lower, 1))
    allowed = 0.0 if result.unit == "nat" else _UNITS
    return [
        f"{name} is {getattr(result, name):.17g} but only {value:.17g} follows"
        for name, value, sign in claims
        if is_stronger(getattr(result, name), value, sign, allowed)
    ]


def _losses(result: Any, found: Verification) -> list[str]:
    """Return the losses that are said to be smaller than what the channel attains."""
    faults = []
    for name, in_nats in found.losses.items():
        claimed, attained = result.losses.get(name, math.nan), _shown(result, in_nats, name)
        rounding = _UNITS * abs(attained) if attained != in_nats else 0.0
        if not claimed >= attained - _shown(result, found.slack.get(name, 0.0), name) - rounding:
            faults.append(f"{name} is said to be {claimed:.17g} but the channel attains {attained:.17g}")
    return faults
