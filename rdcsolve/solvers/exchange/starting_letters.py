"""Which of a space's letters the exchange begins with, and wider lists where they do not meet the limits."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cached_property

import numpy as np

from rdcsolve import deadline
from rdcsolve.letters.letters import Letters
from rdcsolve.letters.space import LetterSpace
from rdcsolve.problems import Problem
from rdcsolve.results.result import Result
from rdcsolve.solvers.finite.feasibility import feasible_channel, margin
from rdcsolve.solvers.finite.least_rate import task_within_limits
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.loop import Settings

_IDLE = 1e-6  # share of the largest mass below which an earlier result's letter is no start
_MOST_HELD = 300  # letters that are listed only to hold multipliers
_ROOM = 0.9  # of the limits that an earlier result's letters must be able to meet


class Opening:
    """Where the exchange begins.

    Parameters
    ----------
    space : LetterSpace
    settings : Settings
    """

    def __init__(self, space: LetterSpace, settings: Settings) -> None:
        self.space, self.problem, self.settings = space, space.problem, settings
        self.lists = space.openings()
        self.is_exhausted = not self.problem.label_entropies

    @cached_property
    def bare(self) -> ReducedProblem | Result:
        """The task of the limits on linear losses alone, or the result that says that they cannot be met."""
        return task_within_limits(unlimited(self.space), self.settings)

    @cached_property
    def holding(self) -> Letters:
        """Letters that no list may be without: those at which multipliers have to hold what limits leave no room for.

        On a face of the channels large multipliers stand for masks, and how large depends on the places that are
        listed. A list of only those in use says nothing about the others, which then have enormous prices, and with
        every round other limits would seem to do.
        """
        anchors = self.space.anchors()
        is_held = (
            self.problem.multipliers is None
            and len(anchors) <= _MOST_HELD
            and not isinstance(self.bare, Result)
            and bool(self.bare.faces)
        )
        return anchors if is_held else anchors.take(np.empty(0, dtype=np.intp))

    def first(self, start: Result | None) -> tuple[Letters, Result | None]:
        """Return the first letters, and where to start among them."""
        if start is not None and self.space.fits(start):
            earlier = self._of_earlier(start)
            if earlier is not None:
                return earlier
        letters = next(self.lists).with_more(self.holding)
        holds_all = not self.problem.label_entropies and len(letters) >= len(self.space.anchors())
        if self.problem.multipliers is None and not holds_all:
            # The restricted problem needs a channel well inside the limits, wherever the full one has it.
            bare = self.bare
            wanted = 0.0 if isinstance(bare, Result) or not bare.free.any() else margin(bare).attained
            while self._margin(letters) > 0.5 * (1 + wanted):
                deadline.look()
                wider = self.wider()
                if wider is None:
                    break
                letters = wider
        return letters, None

    def _of_earlier(self, start: Result) -> tuple[Letters, Result] | None:
        """Return an earlier result's letters in use and where to start among them, if they leave room in the limits."""
        used = start.q > _IDLE * start.q.max()
        own, q = self.space.letters_of(start).take(used).united(start.q[used])
        letters = own.with_more(self.space.priors())
        if self.problem.multipliers is None and self._margin(letters) > _ROOM:
            return None
        return letters, starting(start, q, len(letters))

    def _margin(self, letters: Letters) -> float:
        listed = self.space.listed(letters).minimising("rate").with_limits(rate=None)
        task = task_within_limits(listed, self.settings)
        if isinstance(task, Result):
            return math.inf
        return margin(task).attained if task.free.any() else 0.0

    def wider(self) -> Letters | None:
        """Return a longer list of letters, or None if there is none."""
        wider = next(self.lists, None)
        if wider is None and not self.is_exhausted:
            self.is_exhausted = True
            return self._meeting()
        return wider

    def _meeting(self) -> Letters | None:
        """Return letters that tell the symbol's label as well as X does, at the places of a channel within the limits.

        The linear limits are met by these places, and label entropies are least at these decisions, so that all limits
        are met which can be met at all.
        """
        bare = self.bare
        if isinstance(bare, Result) or self.problem.multipliers is not None:
            return None
        found = feasible_channel(bare) if bare.free.any() else _cheapest(bare)
        if found is None:
            return None
        places, channel = found
        rows, columns = np.nonzero(channel > 0)
        symbols = bare.letters.symbols[rows]
        decisions = tuple(label.conditional[symbols] for label in self.problem.label_entropies)
        normalised = tuple(soft / soft.sum(axis=1, keepdims=True) for soft in decisions)
        return Letters(self.space.anchors().places[places[columns]], normalised).distinct()


def _cheapest(task: ReducedProblem) -> tuple[np.ndarray, np.ndarray]:
    """Return letters and a channel that uses allowed pairs, where nothing else is asked."""
    choice, _ = task.letters.cheapest(np.zeros(task.free.size))
    letters, places = np.unique(choice, return_inverse=True)
    return letters, np.eye(letters.size)[places.ravel()]


def unlimited(space: LetterSpace) -> Problem:
    """Return the finite problem of the least rate under the limits on linear losses alone, over a space's anchors."""
    listed = space.listed(space.anchors()).minimising("rate")
    return listed.with_limits(rate=None, **{label.name: None for label in space.problem.label_entropies})


def starting(result: Result, q: np.ndarray, size: int) -> Result:
    """Return a result to start from among letters the first of which have the masses q.

    Half of the mass goes to all alike: from a start near the boundary an interior point gets stuck.
    """
    masses = np.full(size, q.sum() / size)
    masses[: q.size] += q
    return replace(result, letters=np.arange(size), q=masses / masses.sum())
