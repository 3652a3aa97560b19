"""Which space a problem's letters come from: nothing else asks of which kind letters are."""

from __future__ import annotations

from rdcsolve.letters.points import PointSpace
from rdcsolve.letters.space import LetterSpace
from rdcsolve.letters.split import SplitSpace
from rdcsolve.problems import Problem


def space_of(problem: Problem) -> LetterSpace:
    """Return the space of a problem's letters: the only place where one is chosen."""
    if problem.own_letters is not None:
        own: LetterSpace = problem.own_letters.of(problem)
        return own
    if problem.free is not None:
        return PointSpace(problem)
    return SplitSpace(problem)
