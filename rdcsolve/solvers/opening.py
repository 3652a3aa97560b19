"""The exchange method's first list of letters, and wider ones where it does not meet the limits."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.solvers.anchors import anchored, at_anchors
from rdcsolve.solvers.feasibility import margin
from rdcsolve.solvers.first_letters import first_letters, prior_letters
from rdcsolve.solvers.least_rate import task_within_limits
from rdcsolve.solvers.result import Result
from rdcsolve.solvers.settings import Settings
from rdcsolve.solvers.split_letters import SplitLetters
from rdcsolve.solvers.split_result import starting, unlimited

_WIDENINGS = ((8, True), (8, False), (32, False), (None, False))  # groups of labels, and whether pairs are thinned
_IDLE = 1e-6  # share of the largest mass below which an earlier result's letter is no start
_ROOM = 0.9  # of the limits that an earlier result's letters must be able to meet


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
