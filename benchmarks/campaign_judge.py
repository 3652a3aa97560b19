"""The judge of the campaign: what an answer says, against what its channel and its certificate are found to be."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path

import campaign_bounds as bounds
import campaign_exact as exact
import campaign_feasible as feasible
import numpy as np
from flint import arb

import rdcsolve as rdc

SLACK = arb(1e-12)
_LARGE_GAP = 1e-5


class Findings:
    """What is wrong with an answer, and what is worth counting."""

    def __init__(self) -> None:
        self.errors: list[dict] = []
        self.notes: list[str] = []

    def error(self, kind: str, words: str, amount: float = math.nan) -> None:
        """Add an error."""
        self.errors.append({"kind": kind, "detail": words, "amount": None if math.isnan(amount) else amount})

    def note(self, kind: str) -> None:
        """Add something that is counted and no error."""
        self.notes.append(kind)


def judge_result(stated, result, findings: Findings, *, own: bool = True) -> None:
    """Report everything that is wrong with the result of `solve`."""
    if result.status is rdc.Status.INFEASIBLE:
        judge_infeasible(stated, result, findings)
        return
    if any(math.isfinite(x) and math.isfinite(y) and x > y for x, y in _intervals(result)):
        findings.error("order", f"a lower bound is above the upper one: {_intervals(result)}")
    found = judge_channel(stated, result, findings) if result.letters.size else None
    if not result.letters.size and math.isfinite(result.objective_upper):
        findings.error("upper_without_channel", f"an upper bound of {result.objective_upper!r} without a channel")
    bounds.judge_lower(stated, result, found, findings)
    _judge_by_witness(stated, result, findings)
    judge_storage(result, findings)
    bounds.judge_file(stated, result, findings)
    if own and result.certificate is not None and result.letters.size:
        judge_own_check(stated.problem(), result, findings)


def _intervals(result):
    return [(result.objective_lower, result.objective_upper), (result.rate_lower, result.rate_upper)]


# --------------------------------------------------------------------------------- the upper side


def judge_channel(stated, result, findings: Findings):
    """Evaluate the channel of a result and compare limits and reported numbers; returns the evaluation, or None."""
    found = exact.attained(stated, result.channel, result.letters)
    for kind, words in dict(found.faults).items():
        findings.error(kind, words)
    if found.faults:
        return None
    for name, bound in feasible.active(stated).items():
        excess = found.means[name] - arb(bound)
        reads_as_least = _reads_as_least(stated, result, name, bound)
        if reads_as_least and not found.means[name] > exact.least(stated, name):
            findings.note("read_as_least_said")
        elif excess > SLACK * exact.spread(stated, name):
            findings.error("limit", f"{name} exceeds its limit {bound!r}", float(excess))
        elif excess > 0:
            findings.note("limit_within_slack")
        if not result.losses[name] <= bound:
            findings.error("above_bound", f"losses[{name!r}] is above {bound!r}", result.losses[name] - bound)
    if stated.rate is not None and found.rate > arb(stated.rate) + SLACK:
        findings.error("rate_limit", f"the rate exceeds {stated.rate!r}", float(found.rate - arb(stated.rate)))
    for name, mean in found.means.items():
        slack = SLACK * exact.spread(stated, name)
        bound = stated.bounds.get(name, math.inf)
        if _reads_as_least(stated, result, name, bound):
            # a loss is told as met, so it may be short by what the limit is
            slack = slack + (mean - arb(bound)).max(0)
        _reported(f"losses[{name!r}]", result.losses[name], mean, slack, findings)
    value = exact.objective_of(stated, found)
    _reported("rate_upper", result.rate_upper, found.rate, SLACK * (1 + abs(found.rate)), findings)
    slack = SLACK * (1 + abs(value))
    if stated.objective in stated.loss_names:
        slack = SLACK * exact.spread(stated, stated.objective)
    _reported("objective_upper", result.objective_upper, value, slack, findings)
    _judge_gap(stated, result, findings)
    return found


def _reads_as_least(stated, result, name: str, bound: float) -> bool:
    """Return whether an answer says that a limit is read as the least value, and may."""
    return bounds.reads_as_least(result, name) and exact.is_a_rounding_below_least(stated, name, bound)


def _reported(name: str, claim: float, value, slack, findings: Findings) -> None:
    """Report a number that is below what the channel attains."""
    if not math.isfinite(claim):
        findings.error("under_reported", f"{name} is {claim!r} though there is a channel")
    elif value > arb(claim) + slack:
        findings.error(
            "under_reported", f"{name} {claim!r} is below what the channel attains", float(value - arb(claim))
        )


def _judge_gap(stated, result, findings: Findings) -> None:
    """An optimum with a wide gap, in nats or of the loss, is none."""
    size, price = max(1.0, abs(result.objective_upper)), 1.0
    if stated.objective in stated.loss_names:
        size = max(float(exact.spread(stated, stated.objective)), abs(result.objective_upper))
        price = result.multipliers[stated.objective]
    is_wide = not result.gap <= _LARGE_GAP * size and not result.gap * price <= _LARGE_GAP
    if result.status is rdc.Status.OPTIMAL and is_wide:
        findings.error("optimal_gap", f"OPTIMAL with a gap of {result.gap:.3g}", result.gap)


def _judge_by_witness(stated, result, findings: Findings) -> None:
    """A channel that is known to meet the limits refutes a lower bound above its own value."""
    if stated.witness is None or result.proof is not rdc.Proof.CERTIFIED:
        return
    known = exact.attained(stated, stated.witness, np.arange(stated.witness.shape[1]))
    value = exact.objective_of(stated, known)
    if feasible.meets(stated, known) and arb(result.objective_lower) > value:
        findings.error(
            "lower_refuted", "a known channel does better than the bound", result.objective_lower - float(value)
        )


# --------------------------------------------------------------------------------- what cannot be met


def judge_infeasible(stated, result, findings: Findings) -> None:
    """Report a claim that the limits cannot be met, if a channel meets them."""
    if result.proof is not rdc.Proof.CERTIFIED:
        findings.note("infeasible_unproved")
    bounds.judge_file(stated, result, findings)
    answer = feasible.can_be_met(stated)
    if answer is False:
        return
    if stated.rate is None:
        if answer:
            findings.error("false_infeasible", f"the limits can be met: {result.message}")
        else:
            findings.note("infeasible_unclear")
        return
    known = (
        None if stated.witness is None else exact.attained(stated, stated.witness, np.arange(stated.witness.shape[1]))
    )
    if known is not None and feasible.meets(stated, known):
        findings.error("false_infeasible", "a known channel meets the limits and the rate")
        return
    _judge_needed_rate(stated, result, findings)


def _judge_needed_rate(stated, result, findings: Findings) -> None:
    """What the other limits need is asked of the library, and its channel and its certificate are judged."""
    limits = feasible.active(stated)
    loose = replace(stated, minimise="rate", rate=None, multipliers=None, bounds=limits)
    needed = rdc.solve(loose.problem())
    if needed.status is rdc.Status.INFEASIBLE:
        if feasible.can_be_met(loose):
            findings.error("false_infeasible", f"without the rate limit too: {needed.message}")
        return
    if not needed.letters.size:
        findings.note("infeasible_unclear")
        return
    found = exact.attained(stated, needed.channel, needed.letters)
    if feasible.meets(stated, found):
        findings.error(
            "false_infeasible", f"a channel of rate {float(found.rate)!r} meets everything: {result.message}"
        )
        return
    u, multipliers = bounds.numbers_of(stated, needed.certificate)
    log_largest = bounds.log_largest_price(loose, u, multipliers, needed)
    if not exact.proved(loose, u, multipliers, log_largest) > arb(stated.rate):
        findings.note("infeasible_unclear")


# --------------------------------------------------------------------------------- files and own checks


def judge_storage(result, findings: Findings) -> None:
    """A file gives back what was saved."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "result.npz")
        result.save(path)
        again = rdc.load(path)
    names = ("status", "proof", "objective_lower", "objective_upper", "rate_lower", "rate_upper", "losses")
    if any(not _same(getattr(again, name), getattr(result, name)) for name in names):
        findings.error("storage", "what is loaded is not what was saved")
    elif not np.array_equal(again.channel, result.channel) or not np.array_equal(again.letters, result.letters):
        findings.error("storage", "the channel that is loaded is not the one that was saved")


def _same(left, right) -> bool:
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[name], right[name]) for name in left)
    return bool(left == right) or (isinstance(left, float) and math.isnan(left) and math.isnan(right))


def judge_own_check(problem, result, findings: Findings) -> None:
    """The library's own check, in floating point and in ball arithmetic, has to agree."""
    for arithmetic in ("float", "ball"):
        check = result.certificate.verify(problem, arithmetic=arithmetic)
        if arithmetic == "ball" and bounds.says_so(result) and math.isinf(check.upper):
            findings.note("within_rounding_said")
        elif result.proof is not rdc.Proof.NONE and not check.valid:
            findings.error(f"own_check_{arithmetic}", "; ".join(check.messages)[:300])
        if (
            math.isfinite(check.lower)
            and math.isfinite(check.upper)
            and check.lower > check.upper + 1e-12 * (1 + abs(check.upper))
        ):
            findings.error("own_check_order", f"{arithmetic}: {check.lower!r} above {check.upper!r}")
