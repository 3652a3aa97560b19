"""Problems with free letters seen through letters at the source's own points, to begin with."""

from __future__ import annotations

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.problems.losses import Loss, LossTable
from rdcsolve.solvers.split_letters import SplitLetters


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
