"""What a decoder attains, recomputed from the encoder, the problem and what it shows, sums rounded once."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.rounding import two_sum, up
from rdcsolve.universal.decoding import Decoder, by_symbol, label_masses
from rdcsolve.universal.slack import origins

_ROW_TOLERANCE = 1e-9  # how far from one the masses of a soft decision may sum


class Attained(NamedTuple):
    """A mean loss, as what it is above the least entry of the loss: a large constant in a loss costs no digits."""

    origin: float
    above: float

    @property
    def value(self) -> float:
        """The mean loss, rounded up: at a level of 1e10 the nearest double may be below it by 1e-6."""
        value, error = two_sum(self.origin, self.above)
        return up(float(value)) if error > 0 else float(value)

    def beyond(self, bound: float) -> float:
        """Return by how much the loss exceeds a bound, >= 0; NaN if the bound is."""
        excess = self.above - (bound - self.origin)
        return max(excess, 0.0) if not math.isnan(excess) else math.nan


def decoder_fault(problem: Problem, decoder: Decoder, joint: np.ndarray) -> str:
    """Return what keeps a decoder from being one, or an empty string; `joint` has the masses of symbol and message."""
    k, letters = joint.shape[1], np.asarray(decoder.letters)
    n_letters = problem.n_letters if problem.linear_losses else decoder.reproduction.shape[0]
    if letters.shape != (k,):
        return f"has letters of shape {letters.shape} for {k} messages"
    if letters.dtype.kind not in "iu" or (k and not 0 <= letters.min() <= letters.max() < n_letters):
        return f"has letters that are not indices below {n_letters}"
    if problem.free is not None:
        expected = (n_letters, problem.free.points.shape[1])
        if decoder.reproduction.shape != expected or not np.isfinite(decoder.reproduction).all():
            return f"does not show finite points, of shape {expected}"
    if problem.forbidden is not None and (problem.forbidden[:, letters] & (joint > 0)).any():
        return "shows a symbol that is forbidden"
    if len(decoder.decisions) != len(problem.label_entropies):
        return f"has {len(decoder.decisions)} decisions for {len(problem.label_entropies)} labels"
    for label, soft in zip(problem.label_entropies, decoder.decisions, strict=True):
        if soft.shape != (k, label.conditional.shape[1]):
            return f"has decisions of shape {soft.shape} on {label.name}"
        if not (soft >= 0).all() or not (np.abs(soft.sum(axis=1) - 1) <= _ROW_TOLERANCE).all():
            return f"has decisions on {label.name} that are no distributions"
    return ""


def losses_of(problem: Problem, decoder: Decoder, joint: np.ndarray) -> dict[str, Attained]:
    """Return all losses of a decoder that has no fault, by name.

    A label's is the log-loss of the decoder's own decisions, which is no less than the entropy given the message; with
    fixed letters it is at least the entropy given the symbol shown.
    """
    attained = {}
    for loss, origin in zip(problem.linear_losses, origins(problem), strict=True):
        shown = np.where(joint > 0, loss.block(None, np.asarray(decoder.letters)) - origin, 0.0)
        attained[loss.name] = Attained(origin, _total(joint * shown))
    if problem.free is not None:
        squares = problem.free.matrix(decoder.reproduction[decoder.letters])
        attained[problem.free.name] = Attained(0.0, _total(joint * squares))
    by_letter, _ = by_symbol(problem, joint, decoder.letters)
    for label, soft in zip(problem.label_entropies, decoder.decisions, strict=True):
        decided = _log_loss(label_masses(label.conditional, joint), soft / soft.sum(axis=1, keepdims=True))
        masses = label_masses(label.conditional, by_letter)
        total = masses.sum(axis=1, keepdims=True)
        least = _log_loss(masses, np.divide(masses, total, out=np.ones_like(masses), where=total > 0))
        attained[label.name] = Attained(0.0, max(decided, least))
    return attained


def _log_loss(masses: np.ndarray, decisions: np.ndarray) -> float:
    """Return -sum m log r over messages and classes; inf where a class that has mass is excluded."""
    some = masses > 0
    if (decisions[some] == 0).any():
        return math.inf
    return max(0.0, -_total(masses[some] * np.log(decisions[some])))


def _total(terms: np.ndarray) -> float:
    return math.fsum(terms.ravel().tolist())
