"""Which method suits a problem: by its size and the support that is to be expected."""

from __future__ import annotations

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.solvers.column_generation import ColumnGeneration
from rdcsolve.solvers.interior_point import InteriorPoint

_SMALL = 96  # letters: below this the interior point on all of them takes a few milliseconds


def choose(problem: Problem) -> InteriorPoint | ColumnGeneration:
    """Return the solver that `solve` would use.

    Small alphabets take the interior point on all letters. For large ones what counts is how many letters
    end up with mass. A smooth kernel leaves few: the letters' columns of a smooth loss are nearly spanned by a few
    of them, so the singular values of a sample of the losses fall fast, and column generation wins. Otherwise most
    letters are used, and the interior point takes them all at once.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    InteriorPoint or ColumnGeneration
        Frozen settings; change them, or pass another solver to `solve`, to override.

    Examples
    --------
    >>> from rdcsolve import Problem, sources
    >>> choose(Problem(sources.gaussian(n_x=50)))
    InteriorPoint(warm_up_steps=10)
    >>> choose(Problem(sources.gaussian(n_x=500)))
    ColumnGeneration(first_letters=64, max_inner_steps=50)
    """
    if problem.n_letters <= _SMALL:
        return InteriorPoint()
    return ColumnGeneration() if _is_smooth(problem) or problem.n_letters > 4000 else InteriorPoint()


def _is_smooth(problem: Problem) -> bool:
    """Return whether every loss, sampled on 64 x 64 pairs, is close to a matrix of rank 16."""
    rows = np.unique(np.linspace(0, problem.n_x - 1, 64).astype(np.intp))
    columns = np.unique(np.linspace(0, problem.n_letters - 1, 64).astype(np.intp))
    for loss in problem.losses:
        sample = loss.matrix[np.ix_(rows, columns)]
        if not np.isfinite(sample).all():
            return False
        values = np.linalg.svd(sample, compute_uv=False)
        if values.size > 16 and values[16] > 1e-6 * values[0]:
            return False
    return True
