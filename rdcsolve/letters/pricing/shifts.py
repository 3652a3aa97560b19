"""Mean shifts: ascent of the price over soft decisions for many starts together, one matrix product a step."""

from __future__ import annotations

import numpy as np

from rdcsolve import deadline
from rdcsolve.letters.pricing.parts import Part

_MOST_SHIFTS = 100
_ENTRIES = 1 << 22  # of an array of letters and terms that is held at a time
_LEAST = 1e-300


def shift_each(part: Part, columns: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the decisions (m, N) and scaled prices (m,) that mean shifts lead to, all starts together.

    With very many classes Newton's matrices are out of proportion. Shifts are stretched in the logarithm while that
    pays, and taken as they are where it does not: they cannot descend then.
    """
    decisions, prices = np.array(starts, dtype=float), np.zeros(len(columns))
    block = max(1, _ENTRIES // part.weights.shape[1])
    for first in range(0, len(columns), block):
        rows = slice(first, first + block)
        decisions[rows], prices[rows] = _shift(part, part.weights[columns[rows]], decisions[rows])
    return decisions, prices


def _shift(part: Part, weights: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    price, target = shifted(part, weights, r)
    stretch = np.ones(len(r))
    for _ in range(_MOST_SHIFTS):
        deadline.look()
        ratio = np.log(np.maximum(target, _LEAST)) - np.log(np.maximum(r, _LEAST))
        trial = np.where(r > 0, r * np.exp(np.clip(stretch[:, None] * ratio, -5.0, 5.0)), 0.0)
        _normalise_each(part, trial)
        value, after = shifted(part, weights, trial)
        worse = ~(value >= price)
        if worse.any():
            trial[worse] = target[worse]
            value[worse], after[worse] = shifted(part, weights[worse], trial[worse])
        stretch = np.where(worse, 1.0, np.minimum(2.0 * stretch, 32.0))
        settled = np.all(value - price <= 1e-10 * value)
        r, price, target = trial, value, after
        if settled:
            break
    return r, price


def shifted(part: Part, weights: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the prices (m,) of decisions (m, N) and the mean of the classes under the shares of their terms."""
    exponents = np.log(np.maximum(r, _LEAST)) @ part.powers - part.total_shift
    terms = weights * np.exp(np.minimum(exponents, 0.0))
    means = terms @ part.powers.T
    _normalise_each(part, means)
    return terms.sum(axis=1), means


def _normalise_each(part: Part, r: np.ndarray) -> None:
    for a, b in zip(part.offsets[:-1], part.offsets[1:], strict=True):
        total = r[:, a:b].sum(axis=1, keepdims=True)
        r[:, a:b] /= np.where(total > 0, total, 1.0)
