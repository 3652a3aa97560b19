"""Which method suits a problem: by its size and the support that is to be expected."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.problems import Problem
from rdcsolve.problems.line import LineLoss
from rdcsolve.solvers.finite.column_generation import ColumnGeneration
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.stationary.alternation import Alternation

_SMALL = 128  # letters: below this the interior point on all of them takes some ten milliseconds
MOST_LETTERS = 4000  # letters: beyond this its Newton matrix is out of proportion
_SAMPLE = (192, 448)  # least and most symbols and letters whose kernel is looked at


@public_call
def choose(problem: Problem) -> InteriorPoint | ColumnGeneration | Alternation:
    """Return the solver that `solve` would use.

    Small alphabets take the interior point on all letters; very small ones, of at most 1024 pairs, that method on dense
    arrays at once. For large ones what counts is how many letters end up
    with mass. No more than the kernel's rank are needed, so a sample of the kernel is looked at: if it is of low
    rank (a smooth loss and not too large multipliers) the support is sparse and column generation wins; if not,
    most letters matter, and the interior point takes them all at once. Beyond 4000 letters column generation
    is used in any case, except under absolute error between points of a line, where the interior point takes a step in
    time that grows like their number. Where a label's entropy counts or letters are free, restricted problems are
    small: the interior point. Fixed letters make that problem non-convex: alternation from several starts.

    Parameters
    ----------
    problem : Problem

    Returns
    -------
    InteriorPoint, ColumnGeneration or Alternation
        Frozen settings; change them, or pass another solver to `solve`, to override.

    Examples
    --------
    >>> from rdcsolve import Problem, sources
    >>> choose(Problem(sources.gaussian(n_x=50)))
    InteriorPoint(warm_up_steps=10)
    >>> choose(Problem(sources.gaussian(n_x=500)))
    ColumnGeneration(first_letters=100, max_inner_steps=50)
    """
    options.instance(problem, Problem, "problem", "pass a Problem")
    if problem.label_entropies and problem.letters == "fixed":
        return Alternation()
    if not problem.is_finite or problem.n_letters <= _SMALL:
        return InteriorPoint()
    if takes_all_letters(problem):
        return InteriorPoint()
    if problem.n_letters > MOST_LETTERS or _kernel_is_of_low_rank(problem):
        return ColumnGeneration()
    return InteriorPoint()


def takes_all_letters(problem: Problem) -> bool:
    """Return whether Newton's matrix over all letters has a few diagonals: absolute error between points of a line."""
    if not problem.is_finite or problem.forbidden is not None or len(problem.linear_losses) != 1:
        return False
    loss = problem.linear_losses[0].structure
    return isinstance(loss, LineLoss) and loss.distortion == "absolute" and loss.is_square


def _kernel_is_of_low_rank(problem: Problem) -> bool:
    """Return whether a sample of the kernel, at a guess of the multipliers, has at most half of full rank."""
    rng = np.random.default_rng(0)
    size = min(max(problem.n_letters // 4, _SAMPLE[0]), _SAMPLE[1])
    rows = _sample(np.flatnonzero(problem.p_x > 0), size, rng)
    columns = _sample(np.arange(problem.n_letters), size, rng)
    exponent = np.zeros((rows.size, columns.size))
    for m, loss in enumerate(problem.linear_losses):
        sample = loss.block(rows, columns)
        multiplier = _guess(problem, m, sample)
        # an infinite loss forbids its pair whatever the multiplier
        exponent -= np.where(np.isinf(sample), np.inf, multiplier * np.where(np.isinf(sample), 0.0, sample))
    top = exponent.max(axis=1)
    kernel = np.exp(exponent - np.where(np.isfinite(top), top, 0.0)[:, None])
    values = np.linalg.svd(kernel, compute_uv=False)
    return int((values > 1e-6 * values[0]).sum()) <= min(rows.size, columns.size) // 2


def _sample(indices: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return indices if indices.size <= size else np.sort(rng.choice(indices, size, replace=False))


def _guess(problem: Problem, m: int, sample: np.ndarray) -> float:
    """Return the multiplier, or one nat per bound for a limited loss: its order of magnitude."""
    if problem.multipliers is not None:
        return float(problem.multipliers[m])
    bound = float(problem.bounds[m])
    if problem.goal.target == m and problem.rate_bound is not None:
        finite = sample[np.isfinite(sample)]
        bound = float(finite.mean()) * math.exp(-problem.rate_bound) if finite.size else math.inf
    return 0.0 if math.isinf(bound) else 1 / max(bound, 1e-12 * float(sample[np.isfinite(sample)].max(initial=1e-300)))
