"""Checking a universal encoder against the problem and its targets, without the solver.

What is proved follows from the problem, the encoder, the decoders and the certificates alone. `universal_rate` reports
no more than that: `confirmed` is the last that it does, and `verify` lets anybody repeat it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates import Certificate, Verification
from rdcsolve.errors import InvalidInput
from rdcsolve.information import mutual_information
from rdcsolve.problems import Problem
from rdcsolve.results import Proof, Status
from rdcsolve.results.claims import is_stronger
from rdcsolve.results.status import ended_by
from rdcsolve.universal.answer import Answer
from rdcsolve.universal.attained import decoder_fault, losses_of
from rdcsolve.universal.decoding import Decoder
from rdcsolve.universal.encoder import channel_of
from rdcsolve.universal.laws import laws_shown
from rdcsolve.universal.penalty import Bounds, Penalty, penalty_between
from rdcsolve.universal.reduction import CornerReduction, TupleReduction, implies_all, reductions_of
from rdcsolve.universal.slack import SHARE, limit_slack
from rdcsolve.universal.targets import rows_of, with_bounds
from rdcsolve.universal.units import unlike_nats
from rdcsolve.universal.verification import UniversalVerification

Claimed = TypeVar("Claimed", bound=Answer)

_ENDED = (
    Status.STEP_LIMIT,
    Status.TIME_LIMIT,
    Status.STOPPED_BY_CALLBACK,
    Status.INTERRUPTED,
    Status.NUMERICAL_ERROR,
)
_ROUNDING = 1e-14  # of the rate of an encoder
_CLAIM_ALLOWANCE = 1e-12  # by which two computations of one bound may differ
_TUPLE_ROUNDING = 1e-12  # nats: of a bound over tuples, whose prices are matrix products
_SHOWN = 1e-14  # relatively: by which two sums of a whole loss may differ
_MASS_ALLOWANCE = 1e-12  # by which a message's mass may differ from what the encoder sends


@dataclass(eq=False)
class _Evidence:
    """What follows from an answer, and what is wrong with it.

    Attributes
    ----------
    lower, upper : float
        Proved bounds on R(Theta); inf above where there is no encoder, or a decoder misses its target.
    alone : list of Verification or None
        None where a target has no certificate.
    is_one : bool
        Whether one target implies all others.
    excess : list of dict of str to float
    losses, perceptions : list of dict of str to float
        What every decoder attains. A mean that is computed in floats can end a rounding above the bound that it meets;
        then it is the bound.
    rise : float
        By how much the encoder's rate may be higher if all decoders show laws of limits at zero exactly, nats.
    faults : list of str
        Of the encoder and its decoders: with any, there is no upper bound.
    claims : list of str
        What is claimed of single decoders, messages and targets beyond what follows.
    notes : list of str
    """

    is_one: bool
    lower: float = 0.0
    upper: float = math.inf
    alone: list[Verification | None] = field(default_factory=list)
    excess: list[dict[str, float]] = field(default_factory=list)
    losses: list[dict[str, float]] = field(default_factory=list)
    perceptions: list[dict[str, float]] = field(default_factory=list)
    rise: float = 0.0
    faults: list[str] = field(default_factory=list)
    claims: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def penalty(self) -> Penalty:
        """Return the bounds on the penalty that are proved."""
        alone = [
            Bounds(0.0, 0.0, math.inf) if one is None else Bounds(one.lower, one.lower, one.upper) for one in self.alone
        ]
        return penalty_between(Bounds(self.lower, self.lower, self.upper), alone, 0.0, is_one=self.is_one)


def verify(universal: Answer, problem: Problem, arithmetic: str = "float") -> UniversalVerification:
    """Recompute what a universal encoder claims from the problem; see `Universal.verify`."""
    problem = problem.in_unit("nat")
    if universal.in_nats is not None:
        found = verify(universal.in_nats, problem, arithmetic)
        fault = unlike_nats(universal)
        return found if fault is None else replace(found, valid=False, messages=(fault, *found.messages))
    certificates = [one.certificate for one in (universal.result, *universal.results)]
    if not universal.decoders or all(one is None for one in certificates):
        raise InvalidInput(
            f"the universal encoder has no decoders or no certificate ({universal.status.name}); there is nothing to "
            "verify"
        )
    evidence = _evidence(universal, problem, lambda one, stated: one.verify(stated, arithmetic), arithmetic)
    low, high, _ = evidence.penalty()
    claims = [("an upper bound", universal.rate_upper, evidence.upper, -1)]
    if universal.proof is Proof.CERTIFIED:
        claims += [("a lower bound", universal.rate_lower, evidence.lower, 1)]
    if universal.penalty_proof is Proof.CERTIFIED:
        claims += [("a penalty of at most", universal.penalty_upper, high, -1)]
        claims += [("a penalty of at least", universal.penalty_lower, low, 1)]
    notes = list(evidence.notes)
    notes += [f"target {j} alone has no certificate" for j, one in enumerate(evidence.alone) if one is None]
    if not universal.proof is universal.penalty_proof is Proof.CERTIFIED:
        notes.append("what is said of the rate or the penalty beyond these bounds is not proved, and not compared")
    faults = evidence.claims + evidence.faults
    faults += [
        f"{name} of {claimed:.17g} is claimed but only {found:.17g} follows"
        for name, claimed, found, sign in claims
        if is_stronger(claimed, found, sign, _CLAIM_ALLOWANCE)
    ]
    return UniversalVerification(
        arithmetic=arithmetic,
        lower=evidence.lower,
        upper=evidence.upper,
        penalty_lower=low,
        penalty_upper=high,
        alone=tuple(evidence.alone),
        excess=tuple(evidence.excess),
        valid=not faults,
        messages=(*faults, *notes),
    )


def confirmed(universal: Claimed, problem: Problem, tolerance: float) -> Claimed:
    """Return the answer with the bounds, the status and the proofs that its own check confirms.

    Parameters
    ----------
    universal : Universal
        Of this problem, with the bounds that the solver of the equivalent problem claims.
    problem : Problem
        The one that `universal_rate` was given.
    tolerance : float
        The gap that was asked for, nats: what OPTIMAL promises.

    Notes
    -----
    Where the time is up, or an interrupt comes, certificates prove what `solve` confirmed of each, as it returned them.
    """
    if any(one.status is Status.INFEASIBLE for one in universal.results):
        return universal
    try:
        prove = _as_returned if deadline.is_up() else _proved
        return _confirmed(universal, problem, tolerance, _evidence(universal, problem, prove))
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        cut_short = replace(universal, status=ended_by(stop))
    with deadline.ignored():
        return _confirmed(cut_short, problem, tolerance, _evidence(cut_short, problem, _as_returned))


def _proved(certificate: Certificate, problem: Problem) -> Verification:
    return certificate.verify(problem)


def _as_returned(certificate: Certificate, problem: Problem) -> Verification:
    """Return what the check of `solve` confirmed, without another one."""
    upper = certificate.upper if math.isfinite(certificate.upper) else math.inf
    return Verification("rate", "float", max(certificate.lower, 0.0), upper, {}, math.nan, valid=True)


def _confirmed(universal: Claimed, problem: Problem, tolerance: float, evidence: _Evidence) -> Claimed:
    notes = [universal.message, *evidence.claims]
    if universal.status is Status.INFEASIBLE:
        notes.append("that no encoder serves all targets is not proved")
    if not math.isfinite(evidence.upper):
        return _without_encoder(universal, evidence, notes)
    searched = _searched(universal)
    lower, proof = min(evidence.lower, evidence.upper), Proof.CERTIFIED
    if searched > lower and evidence.upper - lower > tolerance:
        lower, proof = min(searched, evidence.upper), Proof.UNVERIFIED
        notes.append(_rests_on_search(evidence.lower))
    gap = evidence.upper - lower
    status = _judged(universal.status, proof, gap, tolerance)
    if universal.status is Status.OPTIMAL and status is not Status.OPTIMAL:
        notes.append(f"the check confirms a gap of {gap:.3g}")
    alone = [_bounds_alone(one.rate_lower, found) for one, found in zip(universal.results, evidence.alone, strict=True)]
    together = Bounds(min(evidence.lower, evidence.upper), lower, evidence.upper)
    penalty = penalty_between(together, alone, tolerance, is_one=evidence.is_one)
    return replace(
        universal,
        status=status,
        proof=proof,
        decoders=_with_losses(universal.decoders, evidence),
        rate_lower=lower,
        rate_upper=evidence.upper,
        penalty_lower=penalty.lower,
        penalty_upper=penalty.upper,
        penalty_proof=penalty.proof,
        message="; ".join(filter(None, notes)),
    )


def _with_losses(decoders: tuple[Decoder, ...], evidence: _Evidence) -> tuple[Decoder, ...]:
    """Return decoders that report what they attain; targets that shared one still do where that is equal."""
    made: dict[tuple[Any, ...], Decoder] = {}
    keys = []
    for one, losses, laws in zip(decoders, evidence.losses, evidence.perceptions, strict=True):
        keys.append((id(one), *losses.items(), *laws.items()))
        made.setdefault(keys[-1], replace(one, losses=losses, perceptions=laws))
    return tuple(made[key] for key in keys)


def _searched(universal: Answer) -> float:
    """Return the lower bound that the search for the dearest letters came to where it is not proved, else zero."""
    return universal.result.rate_lower if universal.result.proof is Proof.UNVERIFIED else 0.0


def _rests_on_search(proved: float) -> str:
    return f"the lower bound rests on a search; {proved:.10g} nat is proved"


def _without_encoder(universal: Claimed, evidence: _Evidence, notes: list[str]) -> Claimed:
    """Return the answer without an upper bound: there is no encoder, or one that misses a target and is not shown."""
    ended = universal.status in _ENDED
    notes += [f"there is no upper bound: {fault}" for fault in evidence.faults]
    lower = max(evidence.lower, _searched(universal))
    if lower > evidence.lower:
        notes.append(_rests_on_search(evidence.lower))
    elif lower > 0:
        notes.append(f"every encoder needs at least {lower:.10g} nat")
    return replace(
        universal,
        status=universal.status if ended else Status.STALLED,
        proof=Proof.NONE,
        encoder=np.empty((universal.encoder.shape[0], 0)),
        q=np.empty(0),
        decoders=(),
        rate_lower=lower,
        rate_upper=math.nan,
        penalty_lower=math.nan,
        penalty_upper=math.nan,
        penalty_proof=Proof.NONE,
        message="; ".join(filter(None, notes)),
    )


def _judged(status: Status, proof: Proof, gap: float, tolerance: float) -> Status:
    """Return what to call a search that ended with `status` and bounds so far apart."""
    if gap <= tolerance and (status is not Status.STATIONARY or proof is Proof.CERTIFIED):
        return Status.OPTIMAL
    if status not in (Status.OPTIMAL, Status.ALMOST_OPTIMAL, Status.STALLED):
        return status
    return Status.ALMOST_OPTIMAL if gap <= math.sqrt(tolerance) else Status.STALLED


def _bounds_alone(claimed: float, found: Verification | None) -> Bounds:
    if found is None:
        return Bounds(0.0, 0.0, math.inf)
    return Bounds(found.lower, found.lower if math.isnan(claimed) else max(claimed, found.lower), found.upper)


# ------------------------------------------------------------------------------------- what follows


Prove = Callable[[Certificate, Problem], Verification]


def _evidence(universal: Answer, problem: Problem, prove: Prove, arithmetic: str = "float") -> _Evidence:
    """Return what follows from the problem, the encoder, the decoders and the certificates."""
    bounds = rows_of(problem, universal.targets)
    evidence = _Evidence(is_one=implies_all(bounds))
    _add_targets(evidence, universal, problem, bounds, prove)
    together, notes = _together(universal, problem, bounds, prove, arithmetic)
    evidence.notes += notes
    evidence.lower = max([together, *(one.lower for one in evidence.alone if one is not None)])
    _add_encoder(evidence, universal, problem, bounds)
    return evidence


def _add_targets(evidence: _Evidence, universal: Answer, problem: Problem, bounds: np.ndarray, prove: Prove) -> None:
    """Check every target on its own; equal ones share a result, and are checked once."""
    checked: dict[tuple[int, bytes], Verification] = {}
    for j, (result, row) in enumerate(zip(universal.results, bounds, strict=True)):
        if result.certificate is None:
            evidence.alone.append(None)
            continue
        key = id(result), row.tobytes()
        if key not in checked:
            checked[key] = prove(result.certificate, with_bounds(problem, row))
        found = checked[key]
        evidence.alone.append(found)
        faults = [] if found.valid else list(found.messages)
        shown = [("an upper bound", result.rate_upper, found.upper, -1)]
        if result.proof is Proof.CERTIFIED and result.status is not Status.INFEASIBLE:
            shown += [("a lower bound", result.rate_lower, found.lower, 1)]
        faults += [
            f"{name} of {claimed:.17g} is reported but only {value:.17g} follows"
            for name, claimed, value, sign in shown
            if found.valid and is_stronger(claimed, value, sign, _CLAIM_ALLOWANCE)
        ]
        evidence.claims += [f"target {j} alone: {fault}" for fault in faults]


def _add_encoder(evidence: _Evidence, universal: Answer, problem: Problem, bounds: np.ndarray) -> None:
    """Check that the encoder is one, that its decoders are, and that each meets its target."""
    nothing = [dict.fromkeys(target, math.nan) for target in universal.targets]
    if not universal.decoders:
        evidence.excess = nothing
        return
    try:
        channel = channel_of(universal, problem.n_x)
    except InvalidInput as error:
        evidence.faults.append(str(error))
        evidence.excess = nothing
        return
    if len(universal.decoders) != len(bounds):
        evidence.faults.append(f"there are {len(universal.decoders)} decoders for {len(bounds)} targets")
        evidence.excess = nothing
        return
    joint = channel * problem.p_x[:, None]
    masses = joint.sum(axis=0)
    if universal.q.shape != masses.shape or not (np.abs(universal.q - masses) <= _MASS_ALLOWANCE).all():
        evidence.claims.append("q does not hold the masses of the messages")
    slack = limit_slack(problem)
    for j, row in enumerate(bounds):
        evidence.excess.append(_excess(evidence, universal, with_bounds(problem, row), j, channel, slack))
    if not evidence.faults:
        rate = mutual_information(problem.p_x, channel)
        evidence.upper = (rate + _ROUNDING * (1 + rate) if rate > 0 else 0.0) + evidence.rise


def _excess(
    evidence: _Evidence, universal: Answer, problem: Problem, j: int, channel: np.ndarray, slack: dict[str, float]
) -> dict[str, float]:
    """Return by how much decoder j exceeds the limits of its target, those of the problem, and note what is too much.

    Mass that has to be moved so that a law is exact raises no loss by more than that share of its range.
    """
    decoder, joint = universal.decoders[j], channel * problem.p_x[:, None]
    fault = decoder_fault(problem, decoder, joint)
    if fault:
        evidence.faults.append(f"decoder {j} {fault}")
        return dict.fromkeys(universal.targets[j], math.nan)
    excess, losses = {}, {}
    attained, laws = losses_of(problem, decoder, joint), laws_shown(problem, decoder, channel)
    slack = slack | laws.slack
    for name, bound in zip(problem.loss_names, problem.bounds.tolist(), strict=True):
        losses[name] = min(attained[name].value, bound)
        if bound < math.inf:
            excess[name] = attained[name].beyond(bound) + laws.moved * slack[name] / SHARE
        claimed, value = decoder.losses.get(name, math.nan), attained[name].value
        if value - claimed > slack[name] + _SHOWN * abs(value):
            evidence.claims.append(f"decoder {j} is said to attain {name} {claimed:.17g} but attains {value:.17g}")
    excess |= laws.excess
    evidence.losses.append(losses)
    evidence.perceptions.append(laws.within(problem))
    evidence.rise += laws.rise
    for name, bound in zip(problem.limit_names, [*problem.bounds, *problem.perception_bounds], strict=True):
        if name in excess and not excess[name] <= slack[name]:
            evidence.faults.append(f"decoder {j} exceeds the limit {bound:.6g} on {name} by {excess[name]:.3g}")
    for name, value in laws.distances.items():
        claimed = decoder.perceptions.get(name, value)
        if value - claimed > laws.slack[name]:
            evidence.claims.append(
                f"decoder {j} is said to be within {claimed:.17g} on {name} but {value:.17g} follows"
            )
    return excess


def _together(
    universal: Answer, problem: Problem, bounds: np.ndarray, prove: Prove, arithmetic: str
) -> tuple[float, list[str]]:
    """Return what the certificate of the equivalent problem proves, that problem being made anew, and notes."""
    certificate = universal.result.certificate
    if certificate is None:
        return 0.0, []
    for reduction in reductions_of(problem, bounds):
        if isinstance(reduction, CornerReduction):
            if certificate.fingerprint == reduction.problem.fingerprint():
                return prove(certificate, reduction.apply()).lower, []
        elif list(universal.result.multipliers) == reduction.tuples.limit_names:
            return _over_tuples(universal, reduction, prove, arithmetic)
    if certificate.fingerprint == problem.fingerprint():
        return 0.0, ["the corner law does not hold for these targets: only the bounds of the targets alone are left"]
    raise InvalidInput(
        f"the certificate is about the losses {', '.join(universal.result.multipliers)}, which are not those of these "
        "targets; pass the problem that was solved"
    )


def _over_tuples(
    universal: Answer, reduction: TupleReduction, prove: Prove, arithmetic: str
) -> tuple[float, list[str]]:
    """Return what a certificate proves about the rate over all tuples, whether they are listed or not."""
    certificate, tuples = universal.result.certificate, reduction.tuples
    assert certificate is not None
    if universal.problem.n_letters == tuples.count:
        return prove(certificate, reduction.apply()).lower, []
    if prove is _as_returned:
        return 0.0, ["there was no time to price all tuples: only the bounds of the targets alone are left"]
    note = [] if arithmetic == "float" else ["all tuples were priced in floating point"]
    log_largest = tuples.price(certificate.u, certificate.multipliers).largest(0.0).log_upper
    limited = reduction.apply(np.zeros((1, len(tuples.sizes)), dtype=np.intp))  # whose limits are those of all tuples
    lower = certificate.point.bound(limited, log_largest) - _TUPLE_ROUNDING
    return max(lower, 0.0) if math.isfinite(lower) else 0.0, note
