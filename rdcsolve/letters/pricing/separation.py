"""Classes that are equally likely under every symbol leave the price in closed form.

If w_is = w_s for all i and s in E, every term has the factor prod_E r_s^{lambda w_s}. With W = sum_E w_s and
r_s = (1 - sum_E r) rho_s outside E, the price is prod_E r_s^{lambda w_s} (1 - sum_E r)^{lambda (1 - W)} times the price
of rho at the multiplier lambda (1 - W), so its maxima have r_s = w_s on E. An erased label turns into the label itself,
whose price may be flat over a whole face of the simplex, where cells would have to be tiny.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from rdcsolve.letters.pricing.parts import EPS


@dataclass(frozen=True)
class Separated:
    """Prices without the classes that separate.

    Attributes
    ----------
    log_weights : numpy.ndarray
        Shape (n, n_y): the largest value of the factors of the classes that are left out is included.
    log_error : numpy.ndarray
        Shape (n,): bound of the roundings made here.
    labels : list of numpy.ndarray
        The classes that are left, shape (n, n'_k), rows summing to one.
    multipliers : numpy.ndarray
        Shape (K,): lambda_k (1 - W_k).
    kept : list of numpy.ndarray
        Per label the classes that are left.
    constant : list of numpy.ndarray
        Per label, shape (n_k,): w_s of the classes left out, zero elsewhere.
    """

    log_weights: np.ndarray
    log_error: np.ndarray
    labels: list[np.ndarray]
    multipliers: np.ndarray
    kept: list[np.ndarray]
    constant: list[np.ndarray]

    def reduced(self, decisions: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Return decisions, shape (m, n_k) per label, among the classes that are left."""
        found = []
        for soft, classes in zip(decisions, self.kept, strict=True):
            part = soft[:, classes]
            total = part.sum(axis=1, keepdims=True)
            found.append(np.where(total > 0, part / np.where(total > 0, total, 1.0), 1.0 / classes.size))
        return tuple(found)

    def expanded(self, decisions: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
        """Return decisions among all classes, shape (..., n_k), from those among the classes that are left."""
        whole = []
        for soft, classes, constant in zip(decisions, self.kept, self.constant, strict=True):
            full = np.broadcast_to(constant, (*soft.shape[:-1], constant.size)).copy()
            full[..., classes] = soft * (1 - constant.sum())
            whole.append(full)
        return tuple(whole)


def separated(log_weights: np.ndarray, labels: list[np.ndarray], multipliers: np.ndarray) -> Separated:
    """Return the prices without the classes that are equally likely, to the last bit, under all symbols.

    Parameters
    ----------
    log_weights : numpy.ndarray
        Shape (n, n_y), nats, -inf allowed.
    labels : list of numpy.ndarray
        Conditionals w_k, shape (n, n_k).
    multipliers : numpy.ndarray
        Shape (K,), >= 0.
    """
    whole = Separated(
        log_weights,
        np.zeros(log_weights.shape[0]),
        list(labels),
        np.array(multipliers, dtype=float),
        [np.arange(label.shape[1]) for label in labels],
        [np.zeros(label.shape[1]) for label in labels],
    )
    for k, label in enumerate(labels):
        if multipliers[k] > 0:
            whole = _without_constants(whole, k, label)
    return whole


def _without_constants(whole: Separated, k: int, label: np.ndarray) -> Separated:
    is_constant = (label == label[0]).all(axis=0)
    constant = np.where(is_constant, label[0], 0.0)
    classes = np.flatnonzero(~is_constant)
    left = math.fsum([1.0, *-constant])
    if not constant.any() or not left > 0 or not label[:, classes].any(axis=1).all():
        return whole  # nothing but empty classes, or nothing else: others see to that
    rest = label[:, classes].sum(axis=1)
    total = constant.sum() + rest
    shares = constant[is_constant & (constant > 0)]
    multiplier = float(whole.multipliers[k])
    # Row i's largest factor, at r_s = w_s / total_i: rows sum to one only nearly.
    factor = multiplier * (
        float(shares @ np.log(shares)) + rest * np.log(np.where(rest > 0, rest, 1.0)) - total * np.log(total)
    )
    # Sums of N terms, and powers that are off by some units relatively (their exponents are below lambda log N).
    n_classes = label.shape[1]
    log_error = EPS * ((n_classes + 8) * (np.abs(factor) + multiplier * (1 + np.log(n_classes))) + np.abs(factor))
    size = np.abs(np.where(whole.log_weights > -np.inf, whole.log_weights, 0.0)).max(axis=1)
    conditional = label[:, classes] / np.where(rest > 0, rest, 1.0)[:, None]
    return replace(
        whole,
        log_weights=whole.log_weights + factor[:, None],
        log_error=whole.log_error + log_error + EPS * size,
        labels=[*whole.labels[:k], conditional, *whole.labels[k + 1 :]],
        multipliers=np.r_[whole.multipliers[:k], multiplier * left, whole.multipliers[k + 1 :]],
        kept=[*whole.kept[:k], classes, *whole.kept[k + 1 :]],
        constant=[*whole.constant[:k], constant, *whole.constant[k + 1 :]],
    )
