"""The judge of universal encoders and of regions: every decoder evaluated from the encoder alone."""

from __future__ import annotations

import itertools
import math
import tempfile
from dataclasses import replace
from pathlib import Path

import campaign_exact as exact
import campaign_feasible as feasible
import numpy as np
from campaign_bounds import says_so
from campaign_judge import SLACK, Findings, judge_result
from flint import arb

import rdcsolve as rdc

_PENALTY_SLACK = 1e-11
_ROUNDING = 1e-11  # of the spread: regions are exact to rounding
_DECODERS = 2000
_WEIGHTS = 24
_DRAWN = 20


# --------------------------------------------------------------------------------- universal encoders


def judge_universal(stated, problem, universal, findings: Findings) -> None:
    """Report everything that is wrong with the result of `universal_rate`."""
    if not any(name in target for target in stated.targets for name in stated.entropies):
        stated = replace(stated, letters="split")  # nobody reads the label, so nothing is merged
    alone = [stated.limited(target) for target in stated.targets]
    if universal.status is rdc.Status.INFEASIBLE:
        answers = [feasible.can_be_met(one) for one in alone]
        if all(answers):
            findings.error("false_infeasible", f"every target can be met: {universal.message}")
        elif False not in answers:
            findings.note("infeasible_unclear")
        return
    for one, result in zip(alone, universal.results, strict=True):
        judge_result(one, result, findings, own=False)
    if universal.decoders:
        for target, decoder in zip(stated.targets, universal.decoders, strict=True):
            _judge_decoder(stated, universal, target, decoder, findings)
        _judge_rate(stated, universal, findings)
    _judge_penalty(universal, findings)
    _judge_checks(problem, universal, findings)


def _judge_decoder(stated, universal, target, decoder, findings: Findings) -> None:
    """Evaluate a decoder from the encoder, against its target and against what it reports."""
    found = decoded(stated, universal.encoder, decoder.letters, decoder.reproduction, findings)
    for name, bound in target.items():
        excess = found[name] - arb(bound)
        if excess > SLACK * exact.spread(stated, name):
            findings.error("limit", f"a decoder exceeds {name} <= {bound!r}", float(excess))
        if not decoder.losses[name] <= bound:
            findings.error("above_bound", f"a decoder's {name} is above {bound!r}", decoder.losses[name] - bound)
    for name, value in found.items():
        below = value - arb(decoder.losses[name])
        if below > SLACK * exact.spread(stated, name):
            findings.error("under_reported", f"a decoder's {name} is below what it attains", float(below))


def decoded(stated, encoder, letters, reproduction, findings: Findings) -> dict:
    """Return the exact losses of a decoder that shows one symbol, or point, per message."""
    found = exact.attained(stated, encoder, _messages(stated, letters))
    for kind, words in dict(found.faults).items():
        findings.error(kind, words)
    means = dict(found.means)
    if stated.free:
        means["distortion"] = _squares(stated, encoder, reproduction[letters])
    return means


def _messages(stated, letters):
    """Return what tells letters apart: the symbols shown; messages where letters are points."""
    return np.arange(len(letters)) if stated.free else letters


def _squares(stated, encoder, places):
    p, total = exact.masses(stated.p), arb(0)
    for i, mass in p.items():
        row = sum((arb(float(w)) for w in encoder[i]), arb(0))
        for w, place in zip(encoder[i], places, strict=True):
            if w > 0:
                gaps = ((arb(float(x)) - arb(float(y))) ** 2 for x, y in zip(stated.points[i], place, strict=True))
                total += mass * arb(float(w)) / row * sum(gaps, arb(0))
    return total / stated.per_dimension


def _judge_rate(stated, universal, findings: Findings) -> None:
    found = exact.attained(replace(stated, letters="split"), universal.encoder, np.zeros(universal.q.size, dtype=int))
    if found.rate > arb(universal.rate_upper) + SLACK * (1 + found.rate):
        findings.error(
            "under_reported", "the encoder's rate is above rate_upper", float(found.rate) - universal.rate_upper
        )
    if universal.proof is rdc.Proof.CERTIFIED and arb(universal.rate_lower) > found.rate and not findings.errors:
        findings.error(
            "lower_refuted", "the encoder does better than rate_lower", universal.rate_lower - float(found.rate)
        )


def _judge_penalty(universal, findings: Findings) -> None:
    """Bounds on the penalty follow from those on the rates."""
    low, high = universal.penalty_lower, universal.penalty_upper
    if universal.rate_lower > universal.rate_upper or low > high or low < 0:
        findings.error(
            "order", f"rate [{universal.rate_lower!r}, {universal.rate_upper!r}], penalty [{low!r}, {high!r}]"
        )
    uppers = [one.rate_upper for one in universal.results]
    if math.isnan(high) or not universal.decoders or not np.isfinite(uppers).all():
        return
    if low > max(universal.rate_lower - max(uppers), 0.0) + _PENALTY_SLACK:
        findings.error("penalty", f"penalty_lower {low!r} is more than follows from the rates", low)
    proved = [one.rate_lower for one in universal.results if one.proof is rdc.Proof.CERTIFIED]
    implied = any(_implies(one, universal.targets) for one in universal.targets)
    least = universal.rate_upper - max(proved, default=0.0)
    if universal.penalty_proof is rdc.Proof.CERTIFIED and not implied and high < least - _PENALTY_SLACK:
        findings.error("penalty", f"penalty_upper {high!r} is less than follows from the rates", least - high)


def _implies(one, targets) -> bool:
    """Return whether a target is as strict as all others."""
    return all(one.get(name, math.inf) <= bound for other in targets for name, bound in other.items())


def _is_said(check, is_told: bool) -> bool:
    """Return whether all that a check finds wrong is what the answer tells of itself."""
    words = (
        "exceeds the limit",
        "only inf follows",
        "is below its least value by a rounding",
        "is not proved, and not compared",  # a check says so of what is valid too
    )
    return is_told and not check.valid and all(any(word in one for word in words) for one in check.messages)


def _judge_checks(problem, universal, findings: Findings) -> None:
    """Own checks, and what a file gives back."""
    if universal.decoders:
        for arithmetic in ("float", "ball"):
            check = universal.verify(problem, arithmetic=arithmetic)
            if arithmetic == "ball" and _is_said(check, says_so(universal, *universal.results)):
                findings.note("within_rounding_said")
            elif universal.proof is not rdc.Proof.NONE and not check.valid:
                findings.error(f"own_check_{arithmetic}", "; ".join(check.messages)[:300])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "universal.npz")
        universal.save(path)
        again = rdc.load(path)
    if not np.array_equal(again.encoder, universal.encoder) or again.status is not universal.status:
        findings.error("storage", "what is loaded is not what was saved")


# --------------------------------------------------------------------------------- regions


def judge_region(stated, region, findings: Findings) -> None:
    """Report everything that is wrong with the result of `achievable_region`."""
    names = region.losses
    spreads = np.array([float(exact.spread(stated, name)) or 1.0 for name in names])
    levels = np.array([float(exact.least(stated, name)) for name in names])
    slack = _ROUNDING * spreads + 1e-14 * levels
    if region.letters.size:
        for v, vertex in enumerate(region.vertices):
            attained = _drawn_pair(stated, names, region.letters[v], region.others[v], region.chances[v], findings)
            if (attained > vertex + slack).any():
                findings.error(
                    "region_inner", f"{vertex} is not attained, but {attained}", float((attained - vertex).max())
                )
    if (region.outer.min(axis=0) > region.vertices.min(axis=0) + slack).any():
        findings.error("region_order", "the outer boundary is inside of the inner one")
    if stated.free:
        _judge_corner(stated, region, slack, findings)
    else:
        _judge_outer(stated, region, slack, findings)


def _pair(stated, names, letters, findings: Findings):
    """Return the two losses of a decoder."""
    letters = np.asarray(letters)
    used = stated.p @ stated.encoder > 0
    shown = np.zeros(stated.encoder.shape[1], dtype=int)
    shown[used if letters.size != shown.size else slice(None)] = letters
    means = decoded(stated, stated.encoder, shown, np.empty((0, 0)), findings)
    return np.array([float(means[name]) for name in names])


def _drawn_pair(stated, names, letters, others, chance, findings: Findings):
    """Return the two losses of a decoder that shows other symbols with a chance: its messages are sent as two."""
    used = stated.p @ stated.encoder > 0
    encoder = stated.encoder[:, used]
    if chance == 0 or (letters == others).all():
        return _pair(stated, names, letters, findings)
    mixed = letters != others
    kept = np.where(mixed, (1 - chance) * encoder, encoder)
    split = replace(stated, encoder=np.hstack([kept, chance * encoder[:, mixed]]))
    return _pair(split, names, np.concatenate([letters, others[mixed]]), findings)


def _judge_corner(stated, region, slack, findings: Findings) -> None:
    """Free letters: the means and the posteriors of the messages are best at everything."""
    found = exact.attained(stated, stated.encoder, np.arange(stated.encoder.shape[1]))
    corner = np.array([float(found.means[name]) for name in region.losses])
    if (np.abs(region.vertices[0] - corner) > slack).any():
        findings.error("region_inner", f"corner {region.vertices[0]}, but {corner} is right")


def _judge_outer(stated, region, slack, findings: Findings) -> None:
    """No decoder that is tried is outside of the outer boundary; two linear losses: no weighting is less."""
    if set(region.losses) <= set(stated.linear):
        _judge_support(stated, region, slack, findings)
    n, k = stated.forbidden.shape[1], int((stated.p @ stated.encoder > 0).sum())
    if n**k > _DECODERS // 8 or k != stated.encoder.shape[1]:
        return
    rng = np.random.default_rng(0)
    for _ in range(_DRAWN):
        letters, others, chance = rng.integers(n, size=k), rng.integers(n, size=k), rng.random()
        pair = _drawn_pair(stated, region.losses, letters, others, chance, findings)
        if not region.contains(pair + slack, bound="outer"):
            findings.error("region_outer", f"a decoder that chooses at random attains {pair}, said to be outside")
            return
    for letters in itertools.product(range(n), repeat=k):
        pair = _pair(stated, region.losses, letters, findings)
        if not region.contains(pair + slack, bound="outer"):
            findings.error("region_outer", f"decoder {letters} attains {pair}, which is said to be outside")
            return


def _judge_support(stated, region, slack, findings: Findings) -> None:
    """The least weighted sum of two linear losses is a sum over messages of the cheapest symbol."""
    joint = stated.p[:, None] * stated.encoder / math.fsum(stated.p)
    first, second = (joint.T @ stated.linear[name] for name in region.losses)
    for angle in np.linspace(0, math.pi / 2, _WEIGHTS):
        weights = np.array([math.cos(angle), math.sin(angle)]) / (slack / _ROUNDING)
        right = float((weights[0] * first + weights[1] * second).min(axis=1).sum())
        if abs(region.least(weights) - right) > 1e-9 * (1 + abs(right) * 1e-3):
            findings.error("region_support", f"least weighted sum {region.least(weights)!r}, right {right!r}")
            return
