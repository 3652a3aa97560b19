"""Label entropies limited to the least there is, H(S | X): then letters decide as their symbols do, exactly.

H(S | A) = H(S | X) says that a letter leaves nothing of X that would tell more about S. So all symbols that use it have
the same p(s | x), and that is its soft decision: there are as many decisions as different rows p(s | x), and a pair of
symbol and letter with different ones is out. A posterior that is off by 1e-13 is another decision, at which the limit
cannot be met; so decisions are put back to the rows they come from.
"""

from __future__ import annotations

import math
from functools import cached_property

import numpy as np

from rdcsolve.letters.letters import Letters
from rdcsolve.letters.space import LetterSpace
from rdcsolve.problems import Problem
from rdcsolve.problems.losses import log_loss

_ROUNDING = 1e-15  # nats, of an entropy that was computed in floats
_UNIT = 2.0**-53
_ALIKE = 1e-15  # nats: rows whose divergence is below this are one
_NEARBY = 1e-3  # of the divergences of rows: decisions nearer than that to one of them are meant to be it
_MOST = 300  # letters of a list that holds every place with every row


class LeastEntropies:
    """The labels of a problem whose entropy is limited to H(S | X).

    Parameters
    ----------
    space : LetterSpace

    Attributes
    ----------
    indices : list of int
        Of their losses.
    """

    def __init__(self, space: LetterSpace) -> None:
        self.space, problem = space, space.problem
        first = len(problem.losses) - len(problem.label_entropies)
        self.indices = [
            m
            for m in range(first, len(problem.losses))
            if problem.bounds[m] <= space.least_loss(m) + _rounding(space, m)
        ]
        self.first = first
        used = problem.p_x > 0
        self._rows = {m: _different(problem.label_entropies[m - first].conditional[used]) for m in self.indices}

    def settled(self, letters: Letters, share: float = math.inf) -> Letters:
        """Return the letters with the decisions of these labels put to the rows that they are nearest to.

        That is for letters in use. Others keep theirs, unless they are a small share of the rows' own divergences away:
        no symbol may use them, but the list's multipliers have to hold them down, and all between them that are not
        listed. What is next to a row would take multipliers without end.
        """
        decisions = list(letters.decisions)
        for m, rows in self._rows.items():
            soft = decisions[m - self.first]
            divergence = _divergences(rows, soft)
            nearest = divergence.argmin(axis=0)
            apart = _divergences(rows, rows)[~np.eye(len(rows), dtype=bool)].min(initial=math.inf)
            is_near = divergence.min(axis=0) <= share * min(apart, 1.0)
            decisions[m - self.first] = np.where(is_near[:, None], rows[nearest], soft)
        return Letters(letters.places, tuple(decisions))

    @cached_property
    def exact(self) -> Letters:
        """Letters with all rows that a symbol may want, at every place; none if these are too many to be listed.

        Where several labels are among these, a letter needs a symbol's rows of all of them at once.
        """
        anchors, problem = self.space.anchors(), self.space.problem
        used = problem.p_x > 0
        tables = [problem.label_entropies[m - self.first].conditional[used] for m in self.indices]
        nearest = [_divergences(self._rows[m], t).argmin(axis=0) for m, t in zip(self.indices, tables, strict=True)]
        wanted = np.unique(np.array(nearest).reshape(len(nearest), -1), axis=1)  # (labels, combinations of rows)
        if not self.indices or len(anchors) * wanted.shape[1] > _MOST:
            return anchors.take(np.empty(0, dtype=np.intp))
        every = anchors.take(np.repeat(np.arange(len(anchors)), wanted.shape[1]))
        decisions = list(every.decisions)
        for m, rows in zip(self.indices, wanted, strict=True):
            decisions[m - self.first] = np.tile(self._rows[m][rows], (len(anchors), 1))
        return Letters(every.places, tuple(decisions))

    def listed(self, letters: Letters) -> Letters:
        """Return letters in use or not as a list that can meet the limits: the exact ones, and all that are not nearby.

        A row that was normalised anew, or read off a channel, is another one by a rounding: beside the exact one it
        would be masked, or leave that without symbols to use it.
        """
        return self.exact.with_more(self.settled(letters, _NEARBY)) if self.indices else letters

    def attainable(self, listed: Problem) -> Problem:
        """Return a listed problem with the limits on these entropies at the least that its letters attain.

        An entropy near zero is known to some 1e-16, not to as much of itself: asked for the least one, which letters
        that tell the symbol have, a list may miss it in the last place.
        """
        bounds = {}
        for m in self.indices:
            least = listed.least_mean(m)
            if abs(least - listed.bounds[m]) <= 2 * _rounding(self.space, m):
                bounds[listed.loss_names[m]] = least
        return listed.with_limits(**bounds) if bounds else listed


def _rounding(space: LetterSpace, m: int) -> float:
    """Return what H(S | X) of a label rounds by; the check allows as much for limits that are read as the least."""
    label = space.problem.label_entropies[m - len(space.problem.losses)]
    n, n_classes = label.conditional.shape
    return _ROUNDING + _UNIT * (n + n_classes + 8) * math.log(max(n_classes, 2))


def _divergences(rows: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    """Return KL(row | decision), nats, shape (number of rows, number of decisions)."""
    entropies = -(rows * np.log(np.where(rows > 0, rows, 1.0))).sum(axis=1)
    return np.asarray(log_loss(rows, decisions) - entropies[:, None])


def _different(rows: np.ndarray) -> np.ndarray:
    """Return the first of every group of rows that are equal but for roundings."""
    rows = np.unique(rows, axis=0)
    divergence = _divergences(rows, rows)
    kept: list[int] = []
    for row in range(len(rows)):
        if not kept or not (divergence[row, kept] <= _ALIKE).any():
            kept.append(row)
    return np.asarray(rows[kept])
