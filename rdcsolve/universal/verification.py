"""Checking a universal encoder against the problem and its targets, without the solver."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from rdcsolve.certificates import Verification
from rdcsolve.errors import InvalidInput
from rdcsolve.information import mutual_information
from rdcsolve.problems import Problem
from rdcsolve.results import Proof
from rdcsolve.universal.decoding import Decoder, best_decoder, decoder_of
from rdcsolve.universal.encoder import channel_of
from rdcsolve.universal.rate import law_of, undominated
from rdcsolve.universal.result import Universal
from rdcsolve.universal.targets import bounds_of, with_bounds, with_split_letters
from rdcsolve.universal.tuples import Tuples

_LIMIT_TOLERANCE = 1e-9  # of its bound, by which a decoder may exceed a limit
_ENTROPY_ALLOWANCE = 1e-14  # nats, by which a label's entropy may exceed its limit: rounding of logarithms
_CLAIM_ALLOWANCE = 4e-12  # a penalty is a difference of two rates, each known to 1e-12


@dataclass(frozen=True)
class UniversalVerification:
    """What a universal encoder, its decoders and its certificates prove about a problem.

    Parameters
    ----------
    arithmetic : str
        Of the certificates: ``"float"`` or ``"ball"``. The encoder and its decoders are evaluated in floating point.
    lower, upper : float
        Bounds on R(Theta), nats; the upper one is the rate of the encoder, inf if a decoder misses its target.
    penalty_lower, penalty_upper : float
        Bounds on A(Theta) that follow.
    alone : tuple of Verification
        Of every target on its own.
    excess : tuple of dict of str to float
        By how much every decoder exceeds the limits of its target, >= 0.
    valid : bool
        Whether all decoders meet their targets and what the encoder claims follows.
    messages : tuple of str
        What is wrong, then what else there is to know.
    """

    arithmetic: str
    lower: float
    upper: float
    penalty_lower: float
    penalty_upper: float
    alone: tuple[Verification, ...]
    excess: tuple[dict[str, float], ...]
    valid: bool
    messages: tuple[str, ...] = ()

    def __str__(self) -> str:
        verdict = "valid" if self.valid else "NOT valid"
        rows = [
            f"{verdict} in {self.arithmetic} arithmetic: R(Theta) in [{self.lower:.12f}, {self.upper:.12f}], "
            f"gap {self.upper - self.lower:.1e}",
            f"  rate penalty in [{self.penalty_lower:.3e}, {self.penalty_upper:.3e}] nat",
        ]
        for j, one in enumerate(self.alone):
            rows.append(f"  target {j} alone: rate in [{one.lower:.12f}, {one.upper:.12f}]")
        return "\n".join(rows + [f"  {message}" for message in self.messages])


def verify(universal: Universal, problem: Problem, arithmetic: str = "float") -> UniversalVerification:
    """Recompute what a universal encoder claims from the problem; see `Universal.verify`."""
    if not universal.decoders or any(one.certificate is None for one in (*universal.results, universal.result)):
        raise InvalidInput(
            f"the universal encoder has no decoders or no certificates ({universal.status.name}); there is nothing to "
            "verify"
        )
    bounds = bounds_of(problem.with_limits(**dict.fromkeys(problem.loss_names)), universal.targets)
    faults: list[str] = []
    alone = tuple(
        result.certificate.verify(with_bounds(problem, row), arithmetic)  # type: ignore[union-attr]
        for result, row in zip(universal.results, bounds, strict=True)
    )
    refuted = [(j, one) for j, one in enumerate(alone) if not one.valid]
    faults += [f"target {j} alone: {message}" for j, one in refuted for message in one.messages]
    channel = channel_of(universal, problem.n_x)
    joint = channel * problem.p_x[:, None]
    excess = tuple(_excess(problem, universal, j, joint, row, faults) for j, row in enumerate(bounds))
    upper = math.inf if faults else mutual_information(problem.p_x, channel)
    together, notes = _lower(universal, problem, bounds, arithmetic)
    lower = max(together, *(one.lower for one in alone))
    is_target = universal.law == "corner" and any((row == bounds.min(axis=0)).all() for row in bounds)
    low, high = 0.0, 0.0
    if not is_target:
        low = max(lower - max(one.upper for one in alone), 0.0)
        high = max(upper - max(one.lower for one in alone), 0.0)
    claims = [("an upper bound", universal.rate_upper, upper, upper - universal.rate_upper)]
    if universal.proof is Proof.CERTIFIED:
        claims += [("a lower bound", universal.rate_lower, lower, universal.rate_lower - lower)]
    if universal.penalty_proof is Proof.CERTIFIED:
        claims += [("a penalty of at most", universal.penalty_upper, high, high - universal.penalty_upper)]
        claims += [("a penalty of at least", universal.penalty_lower, low, universal.penalty_lower - low)]
    if not universal.proof is universal.penalty_proof is Proof.CERTIFIED:
        notes.append("what is said of the rate or the penalty beyond these bounds is not proved, and not compared")
    for name, claimed, found, beyond in claims:
        if not beyond <= _CLAIM_ALLOWANCE * (1 + abs(claimed)):
            faults.append(f"{name} of {claimed:.17g} is claimed but only {found:.17g} follows")
    messages = (*faults, *notes)
    return UniversalVerification(arithmetic, lower, upper, low, high, alone, excess, not faults, messages)


def _excess(
    problem: Problem, universal: Universal, j: int, joint: np.ndarray, row: np.ndarray, faults: list[str]
) -> dict[str, float]:
    """Return by how much decoder j exceeds the limits of its target, and note where that is too much."""
    attained = _losses(problem, universal.decoders[j], joint, universal.law == "fixed letters")
    entropies = [label.name for label in problem.label_entropies]
    excess = {}
    for name, bound in zip(problem.loss_names, row.tolist(), strict=True):
        if bound < math.inf:
            excess[name] = max(0.0, attained[name] - bound)
            if not excess[name] <= _LIMIT_TOLERANCE * bound + (_ENTROPY_ALLOWANCE if name in entropies else 0.0):
                faults.append(f"decoder {j} exceeds the limit {bound:.6g} on {name} by {excess[name]:.3g}")
    return excess


def _losses(problem: Problem, decoder: Decoder, joint: np.ndarray, merged: bool) -> dict[str, float]:
    """Return what a decoder attains, computed anew."""
    if problem.free is None:
        if not 0 <= decoder.letters.min() <= decoder.letters.max() < problem.n_letters:
            raise InvalidInput(f"a decoder's letters are not indices below {problem.n_letters}")
        return decoder_of(problem, joint, decoder.letters, merged=merged).losses
    used = joint.sum(axis=0) > 0
    squares = problem.free.matrix(decoder.reproduction[decoder.letters][used])
    return best_decoder(problem, joint[:, used]).losses | {problem.free.name: float((joint[:, used] * squares).sum())}


def _lower(universal: Universal, problem: Problem, bounds: np.ndarray, arithmetic: str) -> tuple[float, list[str]]:
    """Return what the certificate of the equivalent problem proves, that problem being made anew, and notes."""
    certificate = universal.result.certificate
    assert certificate is not None
    split = with_split_letters(problem)
    if certificate.fingerprint == split.fingerprint():
        if law_of(split, bounds, "automatic") == "corner":
            return certificate.verify(with_bounds(split, bounds.min(axis=0)), arithmetic).lower, []
        return 0.0, ["the corner law does not hold for these targets: only the bounds of the targets alone are left"]
    linear = np.where(np.arange(bounds.shape[1]) < len(split.linear_losses), bounds, math.inf)
    for own in (undominated(linear), list(range(len(bounds)))):
        tuples = Tuples(split, bounds[own])
        if list(universal.result.multipliers) != tuples.loss_names or certificate.u.shape != problem.p_x.shape:
            continue
        if universal.problem.n_letters == tuples.count:
            return certificate.verify(tuples.stated(tuples.everything()), arithmetic).lower, []
        note = [] if arithmetic == "float" else ["all tuples were priced in floating point"]
        named = dict(zip(tuples.loss_names, certificate.multipliers.tolist(), strict=True))
        return tuples.bound(certificate.u, named, tuples.dearest(certificate.u, named)[0]), note
    raise InvalidInput(
        f"the certificate is about the losses {', '.join(universal.result.multipliers)}, which are not those of these "
        "targets; pass the problem that was solved"
    )
