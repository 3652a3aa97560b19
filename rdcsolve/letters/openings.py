"""Letters to begin with: those that a source symbol would like best, at a space's anchors."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from rdcsolve.letters.letters import Letters
from rdcsolve.problems import Problem

_WIDENINGS = ((8, True), (8, False), (32, False), (None, False))  # groups of labels, and whether pairs are thinned
_FEW = 200  # pairs that a first restricted problem takes in its stride


def openings(problem: Problem, anchors: Letters, losses: Sequence[np.ndarray], priors: Letters) -> Iterator[Letters]:
    """Yield longer and longer lists of letters at a space's anchors; see `LetterSpace.openings`.

    Parameters
    ----------
    problem : Problem
    anchors : Letters
        See `LetterSpace.anchors`.
    losses : sequence of numpy.ndarray
        The linear losses of the anchors, shape (n_x, number of anchors).
    priors : Letters
        Letters that every list has besides; see `LetterSpace.priors`.
    """
    wishes = _wishes(problem, losses)
    may_thin = all(np.isfinite(wish).all() for wish in wishes)
    for groups, thin in _WIDENINGS:
        letters = wished_letters(problem, anchors, wishes, groups, thin and may_thin)
        yield letters.with_more(priors).distinct()


def wished_letters(
    problem: Problem, anchors: Letters, wishes: list[np.ndarray], groups: int | None, thin: bool
) -> Letters:
    """Return the letters that a source symbol would like best, one each, of which many may be equal.

    The symbol is the one with the least losses, measured by their bounds or multipliers; the soft decisions are
    p(s | x), averaged over groups of symbols with similar labels.

    Parameters
    ----------
    problem : Problem
    anchors : Letters
    wishes : list of numpy.ndarray
        Losses by which symbols choose, shape (n_x, number of anchors).
    groups : int or None
        How many groups; None for one per distinct conditional, which attains the least label entropies.
    thin : bool
        Whether some 200 pairs, evenly spread, are enough.
    """
    used = np.flatnonzero(problem.p_x > 0)
    rows = [label.conditional[used] for label in problem.label_entropies]
    member, centres = _groups(problem.p_x[used], rows, groups)
    choices = [wish[used].argmin(axis=1) for wish in wishes]
    pairs = np.unique(np.concatenate([np.column_stack([choice, member]) for choice in choices]), axis=0)
    if thin and pairs.shape[0] > _FEW:
        pairs = pairs[np.linspace(0, pairs.shape[0] - 1, _FEW).astype(np.intp)]
    return Letters(anchors.places[pairs[:, 0]], tuple(centre[pairs[:, 1]] for centre in centres))


def _wishes(problem: Problem, losses: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the losses by which a symbol chooses: all that count added up, and each alone; inf where forbidden."""
    weights = []
    for m, loss in enumerate(losses):
        finite = loss[np.isfinite(loss)]
        typical = max(float(finite.mean()) if finite.size else 0.0, 1e-200)
        if problem.multipliers is not None:
            weights.append(float(problem.multipliers[m]))
        elif problem.bounds[m] < math.inf:
            weights.append(1 / max(float(problem.bounds[m]), 1e-9 * typical))
        else:
            weights.append(1 / typical if problem.minimise == problem.loss_names[m] else 0.0)
    counted = [(weight, loss) for weight, loss in zip(weights, losses, strict=True) if weight]
    forbidden = np.where(np.logical_or.reduce([np.isinf(loss) for loss in losses]), np.inf, 0.0)
    if not counted:
        return [losses[0] + forbidden]
    total = sum(weight * loss for weight, loss in counted) + forbidden
    return [total, *(loss + forbidden for _, loss in counted)] if len(counted) > 1 else [total]


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
