"""Nothing leaves unchecked: every answer's bounds are those that the check of its certificate confirms.

Solvers hand in an answer with its certificate and what they hope that it proves. Here the check is run on it, and
whatever is not confirmed is reported as the weaker thing that it is, with a sentence.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from rdcsolve import deadline, extras
from rdcsolve.certificates.check import Verification, examine, excess_over_limits
from rdcsolve.certificates.entropies import entropy_rounding
from rdcsolve.certificates.maps import no_map_meets
from rdcsolve.certificates.tolerances import AS_LEAST
from rdcsolve.problems import PerceptionAtRate, Problem
from rdcsolve.problems.least_law import at_least
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.channel import Channel
from rdcsolve.results.claims import largest_rate, of_the_rate
from rdcsolve.results.result import Result
from rdcsolve.results.status import Proof, Status, ended_by, judged
from rdcsolve.results.units import told
from rdcsolve.rounding import EPS, exact_dot

_REMADE = 1e-14  # relatively, and nats: what means and rates of a channel differ by where its rows are made again
_MOST_IN_BALLS = 4096  # entries of a channel that ball arithmetic takes some milliseconds for
_RESOLVED = 1e-12  # of a loss's spread: a gap on the loss below this is rounding beside its largest values
_AT_LEVEL = 8 * EPS  # of a loss's level: 4 EPS for the lower bound, 2 for the upper, and the next floats


def confirmed(result: Result, problem: Problem, tolerance: float) -> Result:
    """Return the result with the bounds, losses and status that its own certificate proves.

    Parameters
    ----------
    result : Result
        Of this problem.
    problem : Problem
    tolerance : float
        The gap that was asked for, nats: what OPTIMAL promises.

    Notes
    -----
    Where the time is up, or an interrupt comes, before the check is through, the bound is the one that needs no proof.
    """
    try:
        return _confirmed(result, problem, tolerance)
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        cut_short = _without_proof(result, problem, ended_by(stop))
    with deadline.ignored():
        return _confirmed(cut_short, problem, tolerance)


def _confirmed(result: Result, problem: Problem, tolerance: float) -> Result:
    if result.status is Status.INFEASIBLE:
        return _infeasible(result, problem)
    if result.certificate is None:
        return _weaker(result, "there is no certificate") if result.proof is Proof.CERTIFIED else result
    found = _examined(result, problem)
    if isinstance(result.certificate.channel, Channel):
        found = _on_any_machine(found)
    if not math.isfinite(found.upper):
        return _without_channel(result, problem, found)
    return _with_bounds(result, problem, found, tolerance)


def _without_proof(result: Result, problem: Problem, status: Status) -> Result:
    """Return the result with the certificate that needs no multipliers, which is soon checked.

    With u and all multipliers zero a price is the mass of the symbols that may use the letter, at most one.
    """
    certificate = result.certificate
    if result.status is Status.INFEASIBLE or certificate is None:
        return _weaker(replace(result, certificate=None), "the check was cut short", status)
    zeros = np.zeros(len(problem.losses))
    least = replace(certificate, u=np.zeros(problem.n_x), u_rest=np.zeros(problem.n_x), multipliers=zeros, proof=None)
    changes: dict[str, Any] = {
        "status": status,
        "proof": Proof.CERTIFIED,
        "objective_lower": -math.inf,
        "multipliers": dict.fromkeys(problem.limit_names, 0.0),
        "d_tilted": np.zeros(problem.n_x),
        "message": "; ".join(
            filter(None, [result.message, "the check was cut short: what is proved needs no multipliers"])
        ),
        "certificate": least,
    }
    return replace(result, **changes)


def _examined(result: Result, problem: Problem) -> Verification:
    """Return what the certificate proves; over letters of a user's own, what it proves of the channel."""
    certificate = result.certificate
    assert certificate is not None
    if problem.own_letters is None:
        return examine(certificate, problem)
    listed = problem.listed(result.reproduction, result.decisions)
    over_these = replace(certificate, letters=np.arange(result.letters.size), fingerprint=listed.fingerprint())
    found = examine(over_these, listed)
    return replace(found, proved=False, lower=certificate.lower if problem.goal.target is not None else 0.0)


def _on_any_machine(found: Verification) -> Verification:
    """Return what is proved of a channel whose rows are made anew, by exponentials that may be rounded otherwise."""
    losses = {name: value + _REMADE * (1 + abs(value)) if value else value for name, value in found.losses.items()}
    rate = found.rate + _REMADE * (1 + found.rate) if found.rate else found.rate
    return replace(found, upper=found.upper + _REMADE * (1 + abs(found.upper)), losses=losses, rate=rate)


def combined(first: Result, second: Result, problem: Problem, tolerance: float) -> Result:
    """Return the best channel of two results with the best bound of both, confirmed."""
    if second.certificate is None or first.status is Status.INFEASIBLE or second.status is Status.INFEASIBLE:
        return second if second.proof is Proof.CERTIFIED else first
    if first.certificate is None:
        return second
    made = second if not first.objective_upper < second.objective_upper else first
    proving = first if first.certificate.lower > second.certificate.lower else second
    assert made.certificate is not None
    assert proving.certificate is not None
    if made is proving:
        return made
    certificate = replace(
        proving.certificate,
        letters=made.certificate.letters,
        channel=made.certificate.channel,
        upper=made.certificate.upper,
    )
    whole = replace(made, certificate=certificate, multipliers=proving.multipliers, d_tilted=proving.d_tilted)
    return confirmed(replace(whole, objective_lower=proving.objective_lower), problem, tolerance)


def _with_bounds(result: Result, problem: Problem, found: Verification, tolerance: float) -> Result:
    """Return the result with the confirmed bounds; a bound that rests on a search stays, and is called UNVERIFIED."""
    goal, certificate = problem.goal, result.certificate
    assert certificate is not None
    proof, lower, notes = result.proof, found.lower, [result.message]
    slope = _slope(problem, certificate)
    if proof is Proof.UNVERIFIED or (not found.proved and proof is not Proof.NONE):
        if result.objective_lower > found.lower and not goal.within(found.lower, found.upper, tolerance, slope):
            if proof is Proof.CERTIFIED:
                notes.append(
                    "the largest price was searched for, not proved; what is proved is the certificate's own bound"
                )
            proof, lower = Proof.UNVERIFIED, min(result.objective_lower, found.upper)
            slope = goal.slope(np.array(list(result.multipliers.values())))
        elif found.proved and proof is Proof.UNVERIFIED:  # by the numbers that the certificate has instead
            proof, result = Proof.CERTIFIED, _at_multipliers(result, problem)
    slope = slope if slope > 0 else math.inf
    status = judged(result.status, goal, lower, found.upper, tolerance, slope)
    if _is_rounding(problem, lower, found.upper, tolerance, slope):
        status = Status.OPTIMAL if status in (Status.ALMOST_OPTIMAL, Status.STALLED) else status
    if result.status is Status.STATIONARY and proof is not Proof.CERTIFIED:
        status = Status.STATIONARY
    if result.status is Status.OPTIMAL and status is not Status.OPTIMAL:
        notes.append(f"the check confirms a gap of {found.upper - lower:.3g}")
    notes += _within_rounding(problem, certificate, found)
    losses = {
        name: min(found.losses[name], bound) if math.isfinite(bound) else found.losses[name]
        for name, bound in zip(problem.loss_names, problem.bounds.tolist(), strict=True)
    }
    changes: dict[str, Any] = {
        "status": status,
        "proof": proof,
        "objective_lower": lower,
        "objective_upper": found.upper,
        "rate_lower": _rate_lower(problem, result, found, lower),
        "rate_upper": found.upper if is_rate(goal.name) else found.rate,
        "losses": losses,
        "perceptions": _perceptions(problem, found),
        "message": "; ".join(dict.fromkeys(filter(None, notes))),
        "certificate": replace(certificate, lower=found.lower, upper=found.upper),
    }
    return replace(result, **changes)


def _within_rounding(problem: Problem, certificate: Any, found: Verification) -> list[str]:
    """Return sentences on limits that the channel exceeds by what the check grants to rounding.

    The float check bounds the excess from above, roundings included. Where ball arithmetic is at hand and the channel
    is small, it says whether there is any, and which limits on labels are below the least entropy by a rounding.
    """
    told = [message for message in found.messages if message.endswith(AS_LEAST)]
    over = {name: value for name, value in found.excess.items() if value > 0}
    if not over or problem.own_letters is not None:
        return told
    is_small = isinstance(certificate.channel, np.ndarray) and certificate.channel.size <= _MOST_IN_BALLS
    if is_small and extras.is_installed("ball"):
        over, told = excess_over_limits(certificate, problem, "ball")
    shown = [f"{name} by {value:.2g}" for name, value in over.items()]
    return [*told, f"limits are met only within rounding, exceeded by at most: {', '.join(shown)}"] if shown else told


def _at_multipliers(result: Result, problem: Problem) -> Result:
    """Return the result with its certificate's multipliers, which may be others than the search ended at."""
    assert result.certificate is not None
    if problem.letters == "fixed" and problem.label_entropies:
        return result
    own = result.certificate.multipliers.tolist()
    return replace(result, multipliers=result.multipliers | dict(zip(problem.loss_names, own, strict=True)))


def _laws(problem: Problem, certificate: Any) -> list[tuple[Any, str]]:
    """Return the certificate's proofs of laws with their names."""
    return list(zip(certificate.laws, problem.perception_names, strict=False))


def _slope(problem: Problem, certificate: Any) -> float:
    """Return how many nats of rate a unit of the objective is worth."""
    goal = problem.goal
    if isinstance(goal, PerceptionAtRate):
        return float(certificate.laws[goal.perception].multiplier) if certificate.laws else 0.0
    return goal.slope(certificate.multipliers)


def _perceptions(problem: Problem, found: Verification) -> dict[str, float]:
    """Return the distances attained; a limit that the check finds met is not said to be exceeded by a rounding.

    At the least distance of any law that is the limit as it is read.
    """
    distances = {}
    for perception, bound in zip(problem.perceptions, problem.perception_bounds.tolist(), strict=True):
        read = at_least(perception, bound)
        distances[perception.name] = min(found.perceptions[perception.name], bound) if read is None else read.bound
    return distances


def _rate_lower(problem: Problem, result: Result, found: Verification, lower: float) -> float:
    """Return a lower bound on the rate of every channel with the losses of this one: what the plane says there.

    The losses shown are cut at their limits. What the channel's own exceed them by, a rounding, counts here: beside a
    symbol of mass 1e-17 it is worth more rate, at a multiplier of 1e12, than there is.
    """
    certificate = result.certificate
    assert certificate is not None
    if is_rate(problem.objective):
        return lower
    if not found.proved:
        return math.nan
    means = np.array([found.losses[name] for name in problem.loss_names])
    laws = [(law.multiplier, found.perceptions[name]) for law, name in _laws(problem, certificate)]
    if any(math.isinf(multiplier) for multiplier, _ in laws):
        return math.nan
    spent = tuple(-multiplier * distance * (1 + 1e-15) for multiplier, distance in laws if multiplier)
    value = exact_dot((-certificate.multipliers, means), plus=(found.plane, *spent))
    return min(max(math.nextafter(value, -math.inf), 0.0), found.rate)


def _is_rounding(problem: Problem, lower: float, upper: float, tolerance: float, slope: float) -> bool:
    """Return whether a gap on a loss that is minimised is no more than was asked for beyond what rounding costs.

    That is measured beside the loss's own range. Beside its level, which may be far larger than all differences between
    letters, both bounds are rounded outwards by units of the least mean; those are left out of the gap.
    """
    gap, goal = upper - lower, problem.goal
    if isinstance(goal, PerceptionAtRate):
        scale = problem.perceptions[goal.perception].scale
        return gap <= tolerance * max(1.0, upper) and gap <= _RESOLVED * scale
    target = goal.target
    if target is None:
        return False
    label = target - len(problem.losses) + len(problem.label_entropies)
    if label >= 0:  # both bounds of a label's entropy are rounded outwards, by units of log n_s whatever its size
        n_classes = problem.label_entropies[label].conditional.shape[1]
        return gap <= 2 * entropy_rounding(int((problem.p_x > 0).sum()), n_classes)
    if target >= len(problem.linear_losses):
        return False
    least = _AT_LEVEL * max(abs(problem.least_mean(target)), abs(upper))
    if gap <= least or goal.within(lower, upper - least, tolerance, slope):
        return True
    return gap <= tolerance * max(1.0, upper - problem.origin(target)) and gap <= _RESOLVED * problem.spread(target)


def _without_channel(result: Result, problem: Problem, found: Verification) -> Result:
    """Return the result of a channel that misses a limit, or of none: only the lower bound is left.

    Who looks at a channel takes its numbers for what can be had within the limits, so one that is refused is not shown.
    """
    certificate = result.certificate
    assert certificate is not None
    refused = f"the check refuses the channel: {'; '.join(found.messages)}" if certificate.letters.size else ""
    lower = found.lower if result.proof is not Proof.UNVERIFIED else result.objective_lower
    nobody, nothing = np.empty(0, dtype=np.intp), np.empty((problem.n_x, 0))
    changes: dict[str, Any] = {
        "status": Status.STALLED if result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL) else result.status,
        "proof": Proof.NONE,
        "objective_lower": lower,
        "objective_upper": math.nan,
        "rate_lower": lower if is_rate(result.objective) else math.nan,
        "rate_upper": math.nan,
        "losses": dict.fromkeys(problem.loss_names, math.nan),
        "perceptions": dict.fromkeys(problem.perception_names, math.nan),
        "output_law": np.empty(0),
        "channel": nothing,
        "letters": nobody,
        "q": np.empty(0),
        "decisions": (),
        "reproduction": np.empty((0, 0)),
        "message": "; ".join(filter(None, [result.message, refused])),
        "certificate": replace(certificate, lower=found.lower, upper=math.nan, letters=nobody, channel=nothing),
    }
    return replace(result, **changes)


def _infeasible(result: Result, problem: Problem) -> Result:
    """Return the result if its certificate puts every rate beyond H(X), or beyond the limit on the rate."""
    if result.certificate is None:
        return _weaker(result, "that no channel meets the limits is not proved")
    found, largest = examine(result.certificate, of_the_rate(problem)), largest_rate(problem)
    if found.proved and found.lower > largest:
        return replace(result, certificate=replace(result.certificate, lower=found.lower, upper=math.nan))
    if no_map_meets(result.certificate, problem):
        return replace(result, certificate=replace(result.certificate, lower=math.nan, upper=math.nan))
    certificate = replace(result.certificate, lower=found.lower, upper=math.nan)
    return _weaker(
        replace(result, certificate=certificate),
        f"the limits need a rate of at least {told(problem, 'rate', found.lower)}, which is not beyond "
        f"{told(problem, 'rate', largest)}",
    )


def _weaker(result: Result, reason: str, status: Status = Status.STALLED) -> Result:
    """Return a result that claims no proof, for this reason."""
    changes: dict[str, Any] = {
        "status": status if result.status in (Status.OPTIMAL, Status.INFEASIBLE) else result.status,
        "proof": Proof.NONE,
        "message": "; ".join(filter(None, [result.message, reason])),
    }
    if result.status is Status.INFEASIBLE:
        changes |= dict.fromkeys(("objective_lower", "objective_upper", "rate_lower", "rate_upper"), math.nan)
        changes["minimum"] = {}
    return replace(result, **changes)
