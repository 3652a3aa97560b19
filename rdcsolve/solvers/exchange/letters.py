"""Letters with soft decisions: lists of them, their likeness, their mergers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdcsolve.problems import Problem

_ALIKE = 0.999  # affinity from which two letters found in one round are one
_SAME_COST = 1e-6  # nats: linear losses that differ by less do not tell letters apart


class SplitLetters(NamedTuple):
    """Letters: where they are, and per label entropy soft decisions, shape (k, n_s).

    They are at symbols, shape (k,), or at points, shape (k, dim), where letters are free.
    """

    places: np.ndarray
    decisions: tuple[np.ndarray, ...]

    def take(self, which: np.ndarray) -> SplitLetters:
        """Return some of the letters."""
        return SplitLetters(self.places[which], tuple(soft[which] for soft in self.decisions))

    def joined(self, others: SplitLetters) -> SplitLetters:
        """Return these letters and others, equal ones twice."""
        decisions = tuple(np.vstack(pair) for pair in zip(self.decisions, others.decisions, strict=True))
        return SplitLetters(np.concatenate([self.places, others.places]), decisions)

    def with_more(self, others: SplitLetters) -> SplitLetters:
        """Return these letters and others; of equal ones the first."""
        both = self.joined(others)
        places = both.places if both.places.ndim == 1 else both.places + 0.0  # -0.0 is no other place
        rounded = np.column_stack([places, *(np.round(soft, 12) for soft in both.decisions)])
        return both.take(np.sort(np.unique(rounded, axis=0, return_index=True)[1]))


def distinct(affinity: np.ndarray, settled: int = 0) -> np.ndarray:
    """Return the first `settled` letters, and those of the others that are not close to an earlier one kept."""
    free = np.array(~(affinity[:settled] >= _ALIKE).any(axis=0))
    free[:settled] = False
    picked = list(range(settled))
    while free.any():
        first = int(free.argmax())
        picked.append(first)
        free &= affinity[first] < _ALIKE
        free[first] = False
    return np.array(picked, dtype=np.intp)


def merge(
    problem: Problem, letters: SplitLetters, joint: np.ndarray, multipliers: np.ndarray
) -> tuple[SplitLetters, np.ndarray]:
    """Return the letters into which groups of nearly equal ones merge, at their common posterior, and their masses.

    A letter between two listed ones is made of both; their common posterior is much closer to it than either, so the
    exchange converges like a secant method where the dearest letters alone would close in by turns. A free letter's
    place is the mean of its posterior.

    Parameters
    ----------
    problem : Problem
    letters : SplitLetters
        k of them.
    joint : numpy.ndarray
        Joint masses of symbols and letters, shape (n_x, k).
    multipliers : numpy.ndarray
        Shape (M,).
    """
    order = np.argsort(-joint.sum(axis=0))
    letters, joint = letters.take(order), joint[:, order]
    mass = joint.sum(axis=0)
    root = np.sqrt(joint / mass)
    affinity = root.T @ root
    # Letters of different symbols are one where no active limit tells them apart.
    for loss, multiplier in zip(problem.linear_losses, multipliers, strict=False):
        if multiplier > 0:
            matrix = np.where(np.isfinite(loss.matrix), loss.matrix, 0.0)[:, letters.places]
            cost = multiplier * np.einsum("ia,ia->a", joint, matrix) / mass
            affinity[np.abs(cost[:, None] - cost) > _SAME_COST] = 0.0
    np.fill_diagonal(affinity, 1.0)
    leaders = distinct(affinity)
    group = affinity[:, leaders].argmax(axis=1)
    merged = np.zeros((leaders.size, joint.shape[0]))
    np.add.at(merged, group, joint.T)
    return posteriors(problem, letters.take(leaders), merged), merged.sum(axis=1)


def posteriors(problem: Problem, letters: SplitLetters, joint: np.ndarray) -> SplitLetters:
    """Return letters with the decisions, and free ones at the places, that joint masses (k, n_x) make the best."""
    both = [joint @ label.conditional for label in problem.label_entropies]
    decisions = tuple(soft / soft.sum(axis=1, keepdims=True) for soft in both)
    if problem.free is None:
        return SplitLetters(letters.places, decisions)
    return SplitLetters(joint @ problem.free.points / joint.sum(axis=1, keepdims=True), decisions)
