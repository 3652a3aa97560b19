"""Prices over soft decisions, reduced to what a search has to look at.

The price of symbol j and decisions r is c_j(r) = sum_i exp(log_weights[i, j] + eta_i(r)) with
eta_i(r) = sum_k lambda_k sum_s w_k[i, s] log r_ks. Row i's exponent is largest at r_k = w_k[i] (Gibbs' inequality), so
with D_i(r) = max eta_i - eta_i(r) >= 0, a sum of relative entropies, the price is sum_i a_ij exp(-D_i(r)): weights that
do not depend on r, and factors at most one. After division by the largest weight nothing overflows, and the largest
price lies between one and the number of rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

EPS = 2.0**-52
_NOTHING = -1e30  # logarithm of a weight that is zero
_ALMOST = 2.0**-40  # by how much a multiplier may be below one where the price counts as convex


@dataclass(frozen=True)
class Part:
    """The prices over those symbols i that agree on the labels decided outright.

    A label that is a function of x and has lambda_k >= 1 makes the price convex in r_k, as a sum of powers of single
    entries, so the largest price is at a vertex of its simplex: there only the symbols of that class have a term.
    Classes that no symbol of the part has get no probability, labels with one class left drop out, and symbols with
    equal conditionals are added up.

    Attributes
    ----------
    rows : numpy.ndarray
        Shape (n_rows,): the symbols i of the part.
    weights : numpy.ndarray
        Shape (n_y, n): a_ij / exp(log_scale), after addition of equal rows.
    powers : numpy.ndarray
        Shape (N, n): lambda_k w_k[i, s] for the N classes of all remaining labels, label after label.
    shifts : numpy.ndarray
        Shape (K, n): the largest value of lambda_k sum_s w_k[i, s] log r_ks, <= 0.
    offsets : numpy.ndarray
        Shape (K + 1,): where each label's classes begin.
    multipliers : numpy.ndarray
        Shape (K,).
    remaining : tuple of (int, numpy.ndarray)
        Index of each remaining label and its classes that are left.
    decided : tuple of (int, int)
        Index and class of each label decided outright.
    n_added : int
        An upper bound on the number of terms of a price, before equal rows were added.
    number : int
        Which of the parts it is, those without a weight counted too: combinations in lexicographical order.
    """

    rows: np.ndarray
    weights: np.ndarray
    powers: np.ndarray
    shifts: np.ndarray
    offsets: np.ndarray
    multipliers: np.ndarray
    remaining: tuple[tuple[int, np.ndarray], ...]
    decided: tuple[tuple[int, int], ...]
    n_added: int
    number: int = 0

    @property
    def n_classes(self) -> int:
        """Number N of classes of the remaining labels."""
        return int(self.powers.shape[0])

    @property
    def dimension(self) -> int:
        """Number of free entries of the remaining decisions."""
        return self.n_classes - self.multipliers.size

    @cached_property
    def total_shift(self) -> np.ndarray:
        """The largest value of every exponent, shape (n,)."""
        return np.asarray(self.shifts.sum(axis=0))

    @cached_property
    def degree(self) -> float:
        """Largest sum of a row's powers: every term is homogeneous of at most this degree."""
        return float(self.powers.sum(axis=0).max(initial=0.0))

    @property
    def is_concave(self) -> bool:
        """Whether weighted geometric means of degree at most one make every price concave.

        Powers that exceed one by roundings move an exponent by a rounding of its size, which the weights include.
        """
        return self.degree <= 1 + 8 * EPS

    @property
    def rounding(self) -> float:
        """Relative error of a sum over the part's terms, with a few roundings of each term."""
        return EPS * (self.n_added + 64)

    def centre(self) -> np.ndarray:
        """Return uniform decisions, shape (N,)."""
        return np.concatenate([np.full(classes.size, 1.0 / classes.size) for _, classes in self.remaining])

    def terms(self, columns: np.ndarray, decisions: np.ndarray) -> np.ndarray:
        """Return the terms of the prices of letters, shape (m, n), for decisions of shape (m, N)."""
        exponents = np.log(np.maximum(decisions, 1e-300)) @ self.powers - self.total_shift
        return np.asarray(self.weights[columns] * np.exp(np.minimum(exponents, 0.0)))


def parts_of(
    log_weights: np.ndarray,
    labels: list[np.ndarray],
    multipliers: np.ndarray,
    log_error: float | np.ndarray | None = None,
) -> tuple[list[Part], float]:
    """Return the parts, and the logarithm of the scale that all weights were divided by (-inf: no letter has a price).

    Parameters
    ----------
    log_weights : numpy.ndarray
        Shape (n, n_y), nats, -inf allowed.
    labels : list of numpy.ndarray
        Conditionals w_k, shape (n, n_k).
    multipliers : numpy.ndarray
        Shape (len(labels),), >= 0.
    log_error : float or numpy.ndarray, optional
        One, or one per row, shape (n,). If given, weights are rounded upwards: they include this error of every
        logarithm, their own rounding, and the rounding of the largest exponents. A computed sum_s b_s log r_s of N
        terms errs by at most (N + 3) 2^-53 times the sum of its terms' sizes, which is |max eta_i| + D_i(r). Twice
        that many units of the first are added here; units of D_i(r) are left to whoever evaluates it.
    """
    vertices = [k for k, label in enumerate(labels) if is_convex(label, float(multipliers[k]))]
    soft = [k for k in range(len(labels)) if multipliers[k] > 0 and k not in vertices]
    largest = [multipliers[k] * _largest_exponents(labels[k]) for k in soft]
    shifts = np.array(largest).reshape(len(soft), log_weights.shape[0])
    bounded = np.maximum(log_weights, _NOTHING)
    exponents = bounded + shifts.sum(axis=0)[:, None] if soft else bounded.copy()
    log_scale = float(exponents.max(initial=_NOTHING))
    if log_scale < 0.5 * _NOTHING:
        return [], -math.inf
    if log_error is not None:
        n_classes = sum(labels[k].shape[1] for k in soft)
        fixed = (n_classes + 6) * (np.abs(shifts).sum(axis=0) + float(multipliers[soft].sum())) if soft else 0.0
        short = sum(labels[k].shape[1] * max(1.0 - float(multipliers[k]), 0.0) for k in vertices)  # r^b <= r + 1 - b
        log_error = log_error + 2.0 * short
        per_row = np.broadcast_to(EPS * (fixed + 4 + 2 * abs(log_scale)) + log_error, log_weights.shape[:1])
        np.abs(bounded, out=bounded)
        bounded *= 4 * EPS
        bounded += per_row[:, None]
        exponents += bounded
    exponents -= log_scale
    weights = np.exp(exponents, out=exponents)
    merge = bool((multipliers > 0).all())  # a label that costs nothing is read off the unmerged terms
    parts = []
    used = weights.any(axis=1)
    for number, (rows, decided) in enumerate(corners(labels, vertices)):
        if used[rows].any():
            one = _part(rows, decided, weights, used, labels, shifts, multipliers, soft, merge)
            parts.append(replace(one, number=number))
    return parts, log_scale


def is_convex(label: np.ndarray, multiplier: float) -> bool:
    """Return whether the price is convex in a label's decisions: a function of x with a multiplier of at least one."""
    return multiplier >= 1 - _ALMOST and bool((np.count_nonzero(label, axis=1) == 1).all())


def _largest_exponents(label: np.ndarray) -> np.ndarray:
    """Return max over r of sum_s w_s log r_s, shape (n,): at r = w / sum(w), whether or not rows sum to one exactly."""
    sums = label.sum(axis=1)
    parts = label * np.log(np.where(label > 0, label, 1.0))
    return np.asarray(parts.sum(axis=1) - sums * np.log(np.where(sums > 0, sums, 1.0)))


def corners(
    labels: list[np.ndarray], vertices: list[int]
) -> list[tuple[np.ndarray | slice, tuple[tuple[int, int], ...]]]:
    """Return the rows of each combination of classes that some row has, and the combination, in order."""
    if not vertices:
        return [(slice(None), ())]
    classes = np.stack([labels[k].argmax(axis=1) for k in vertices])
    code = np.ravel_multi_index(tuple(classes), [labels[k].shape[1] for k in vertices])
    order = np.argsort(code, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(code[order])) + 1)
    return [(group, tuple(zip(vertices, classes[:, group[0]].tolist(), strict=True))) for group in groups]


def _part(  # noqa: PLR0913 - the shared tables of all parts, and which this one is
    group: np.ndarray | slice,
    decided: tuple[tuple[int, int], ...],
    all_weights: np.ndarray,
    used: np.ndarray,
    labels: list[np.ndarray],
    all_shifts: np.ndarray,
    multipliers: np.ndarray,
    soft: list[int],
    merge: bool,
) -> Part:
    # Rows without a weight say which classes there are, so that proofs do not depend on what underflows.
    rows = np.arange(used.size)[group]
    rows = rows[used[rows]]
    weights, shifts = all_weights[rows], all_shifts[:, rows]
    remaining, powers, kept = [], [], []
    for position, k in enumerate(soft):
        classes = np.flatnonzero(labels[k][group].any(axis=0))
        conditional = labels[k][rows]
        if classes.size == 1:
            decided += ((k, int(classes[0])),)
            continue
        remaining.append((k, classes))
        powers.append(multipliers[k] * conditional[:, classes])
        kept.append(position)
    table = np.hstack(powers) if powers else np.empty((rows.size, 0))
    shifts = shifts[kept]
    n_added = rows.size
    if merge and not powers:
        weights, table, shifts = weights.sum(axis=0, keepdims=True), table[:1], shifts[:, :1]
    elif merge:
        order = np.lexsort(table.T)
        first = np.r_[0, np.flatnonzero((np.diff(table[order], axis=0) != 0).any(axis=1)) + 1]
        if first.size < 0.9 * rows.size:
            weights = np.add.reduceat(weights[order], first, axis=0)
            table, shifts = table[order[first]], shifts[:, order[first]]
    return Part(
        rows,
        np.ascontiguousarray(weights.T),
        np.ascontiguousarray(table.T),
        np.ascontiguousarray(shifts),
        np.cumsum([0, *(classes.size for _, classes in remaining)]),
        multipliers[[k for k, _ in remaining]],
        tuple(remaining),
        decided,
        n_added,
    )
