"""The letters that the exchange method begins with, and wider lists where they do not meet the limits.

They are pairs of symbol and soft decisions. Free letters are seen through letters at the source's own points.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.problems.losses import Loss, LossTable
from rdcsolve.results.result import Result
from rdcsolve.solvers.exchange.letters import SplitLetters
from rdcsolve.solvers.finite.feasibility import margin
from rdcsolve.solvers.finite.least_rate import task_within_limits
from rdcsolve.solvers.loop import Settings

_WIDENINGS = ((8, True), (8, False), (32, False), (None, False))  # groups of labels, and whether pairs are thinned
_IDLE = 1e-6  # share of the largest mass below which an earlier result's letter is no start
_ROOM = 0.9  # of the limits that an earlier result's letters must be able to meet
_FEW = 200  # pairs that a first restricted problem takes in its stride


class Opening:
    """Where the exchange begins.

    Parameters
    ----------
    problem : Problem
        With label entropies, or free letters.
    settings : Settings
    """

    def __init__(self, problem: Problem, settings: Settings) -> None:
        self.problem, self.settings = problem, settings
        self.anchored = anchored(problem)
        self.widening = 0

    def first(self, start: Result | None) -> tuple[SplitLetters, Result | None]:
        """Return the first letters, and where to start among them."""
        if start is not None and self._fits(start):
            earlier = self._of_earlier(start)
            if earlier is not None:
                return earlier
        letters = self._listed_first()
        if self.problem.multipliers is None:
            # The restricted problem needs a channel well inside the limits, wherever the full one has it.
            bare = task_within_limits(unlimited(self.anchored), self.settings)
            wanted = 0.0 if isinstance(bare, Result) or not bare.free.any() else margin(bare).attained
            while self.widening + 1 < len(_WIDENINGS) and self._margin(letters) > 0.5 * (1 + wanted):
                self.widening += 1
                letters = self._listed_first()
        return letters, None

    def _of_earlier(self, start: Result) -> tuple[SplitLetters, Result] | None:
        """Return an earlier result's letters in use and where to start among them, if they leave room in the limits."""
        used = start.q > _IDLE * start.q.max()
        own = self.letters_of(start).take(used)
        letters = own.with_more(self._priors())
        if self.problem.multipliers is None and self._margin(letters) > _ROOM:
            return None
        if len(own.with_more(own).places) < used.sum():  # letters that are equal have no masses of their own
            return None
        return letters, starting(start, start.q[used], len(letters.places))

    def _fits(self, start: Result) -> bool:
        """Return whether a result has letters of this problem's kind."""
        if not start.letters.size or len(start.decisions) != len(self.problem.label_entropies):
            return False
        return self.problem.free is None or start.reproduction.shape[1:] == self.problem.free.points.shape[1:]

    def letters_of(self, result: Result) -> SplitLetters:
        """Return the letters of a result of this problem."""
        places = result.letters if self.problem.free is None else result.reproduction
        return SplitLetters(places, result.decisions)

    def _listed_first(self) -> SplitLetters:
        letters = first_letters(self.anchored, *_WIDENINGS[self.widening])
        return at_anchors(self.problem, self.anchored, letters).with_more(self._priors())

    def _priors(self) -> SplitLetters:
        """Return letters that say nothing about the labels, at symbols spread evenly."""
        spread = np.unique(np.linspace(0, self.anchored.n_letters - 1, 16).astype(np.intp))
        return at_anchors(self.problem, self.anchored, prior_letters(self.anchored).take(spread))

    def _margin(self, letters: SplitLetters) -> float:
        listed = self.problem.listed(*letters).minimising("rate").with_limits(rate=None)
        task = task_within_limits(listed, self.settings)
        if isinstance(task, Result):
            return math.inf
        return margin(task).attained if task.free.any() else 0.0

    def wider(self) -> SplitLetters | None:
        """Return a longer list of letters, or None if there is none."""
        if self.widening + 1 >= len(_WIDENINGS):
            return None
        self.widening += 1
        return self._listed_first()


def anchored(problem: Problem) -> Problem:
    """Return the problem with letters at the source's points and at their mean; the same where letters are listed.

    Every squared error is least, zero, with a letter at the symbol's own point, and that of a constant letter with the
    letter at the mean: limits that free letters can meet, and rate zero where they need none, are the same here.
    """
    if problem.free is None:
        return problem
    used = problem.p_x > 0
    mean = problem.p_x[used] @ problem.free.points[used] / problem.p_x[used].sum()
    points = np.vstack([np.unique(problem.free.points[used], axis=0), mean])
    table = LossTable(problem.p_x, [Loss(problem.free.name, problem.free.matrix(points))], problem.label_entropies)
    return problem._variant(_table=table, reproduction=points)


def at_anchors(problem: Problem, anchored: Problem, letters: SplitLetters) -> SplitLetters:
    """Return letters at symbols of the anchored problem as letters of the problem itself."""
    if problem.free is None:
        return letters
    assert anchored.reproduction is not None
    return SplitLetters(anchored.reproduction[letters.places], letters.decisions)


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


def unlimited(problem: Problem) -> Problem:
    """Return the finite problem of the least rate under the limits on linear losses alone."""
    listed = problem.listed(*prior_letters(problem)).minimising("rate")
    return listed.with_limits(rate=None, **{label.name: None for label in problem.label_entropies})


def starting(result: Result, q: np.ndarray, size: int) -> Result:
    """Return a result to start from among letters the first of which have the masses q.

    Half of the mass goes to all alike: from a start near the boundary an interior point gets stuck.
    """
    masses = np.full(size, q.sum() / size)
    masses[: q.size] += q
    return replace(result, letters=np.arange(size), q=masses / masses.sum())
