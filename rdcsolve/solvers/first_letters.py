"""Pairs of symbol and soft decisions to begin with where letters are split."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.solvers.split_letters import SplitLetters

_FEW = 200  # pairs that a first restricted problem takes in its stride


def prior_letters(problem: Problem) -> SplitLetters:
    """Return every symbol with the labels' marginals: what letters stand for when they say nothing."""
    priors = (problem.p_x @ label.conditional for label in problem.label_entropies)
    count = problem.n_letters
    return SplitLetters(np.arange(count), tuple(np.tile(prior / prior.sum(), (count, 1)) for prior in priors))


def first_letters(problem: Problem, groups: int | None, thin: bool) -> SplitLetters:
    """Return the letters that a source symbol would like best, one each, of which many are equal.

    The symbol is the one with the least losses, measured by their bounds or multipliers; the soft decisions are
    p(s | x), averaged over groups of symbols with similar labels.

    Parameters
    ----------
    problem : Problem
    groups : int or None
        How many groups; None for one per distinct conditional, which attains the least label entropies.
    thin : bool
        Whether some 200 pairs, evenly spread, are enough.
    """
    used = np.flatnonzero(problem.p_x > 0)
    rows = [label.conditional[used] for label in problem.label_entropies]
    member, centres = _groups(problem.p_x[used], rows, groups)
    choices = [matrix[used].argmin(axis=1) for matrix in _wishes(problem)]
    pairs = np.unique(np.concatenate([np.column_stack([choice, member]) for choice in choices]), axis=0)
    if thin and pairs.shape[0] > _FEW and problem.forbidden is None:
        pairs = pairs[np.linspace(0, pairs.shape[0] - 1, _FEW).astype(np.intp)]
    return SplitLetters(pairs[:, 0], tuple(centre[pairs[:, 1]] for centre in centres))


def _wishes(problem: Problem) -> list[np.ndarray]:
    """Return the losses by which a symbol chooses: all that count added up, and each alone."""
    weights = []
    for m, loss in enumerate(problem.linear_losses):
        finite = loss.matrix[np.isfinite(loss.matrix)]
        typical = max(float(finite.mean()) if finite.size else 0.0, 1e-200)
        if problem.multipliers is not None:
            weights.append(float(problem.multipliers[m]))
        elif problem.bounds[m] < math.inf:
            weights.append(1 / max(float(problem.bounds[m]), 1e-9 * typical))
        else:
            weights.append(1 / typical if problem.minimise == loss.name else 0.0)
    counted = [(weight, loss.matrix) for weight, loss in zip(weights, problem.linear_losses, strict=True) if weight]
    forbidden = 0.0 if problem.forbidden is None else np.where(problem.forbidden, np.inf, 0.0)
    if not counted:
        return [problem.linear_losses[0].matrix + forbidden]
    total = sum(weight * matrix for weight, matrix in counted) + forbidden
    return [total, *(matrix + forbidden for _, matrix in counted)] if len(counted) > 1 else [total]


def _groups(p: np.ndarray, rows: list[np.ndarray], count: int | None) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return each symbol's group and the groups' mean conditionals, per label."""
    if not rows:
        return np.zeros(p.size, dtype=np.intp), []
    stacked = np.hstack(rows)
    distinct, member = np.unique(np.round(stacked, 12), axis=0, return_inverse=True)
    member = member.ravel()
    if count is not None and distinct.shape[0] > count:
        member = _nearest(np.sqrt(stacked), count)
    size = member.max() + 1
    mass = np.bincount(member, p, size)
    centres = [
        np.column_stack([np.bincount(member, p * row[:, s], size) / mass for s in range(row.shape[1])]) for row in rows
    ]
    return member, [centre / centre.sum(axis=1, keepdims=True) for centre in centres]


def _nearest(points: np.ndarray, count: int) -> np.ndarray:
    """Return the nearest of `count` points spread far from one another (farthest-point traversal)."""
    centres = [0]
    distance = ((points - points[0]) ** 2).sum(axis=1)
    member = np.zeros(points.shape[0], dtype=np.intp)
    while len(centres) < count:
        farthest = int(distance.argmax())
        to_new = ((points - points[farthest]) ** 2).sum(axis=1)
        member[to_new < distance] = len(centres)
        distance = np.minimum(distance, to_new)
        centres.append(farthest)
    return np.unique(member, return_inverse=True)[1].ravel()
