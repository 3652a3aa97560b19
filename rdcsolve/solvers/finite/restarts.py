"""The interior point with a way out of a jam."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from rdcsolve import deadline
from rdcsolve.solvers.finite.newton_system import Point, Restricted, primal_dual
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.finite.warm_up import warm_up
from rdcsolve.solvers.loop import NumericalBreakdown, Standstill

_LONGEST_WARM_UP = 160  # Blahut-Arimoto steps
_PATIENCE = 5  # Newton steps without a smaller gap before the method counts as jammed


def interior_points(
    task: ReducedProblem,
    letters: np.ndarray,
    q: np.ndarray,
    multipliers: np.ndarray | None,
    warm_up_steps: int,
    mu: float | None = None,
    restarts: int = 4,
    kept: float = 0.0,
) -> Iterator[Point]:
    """Yield the points of `primal_dual` on the letters, after a warm-up, restarted when it jams.

    Newton's method on a problem whose kernel depends on the multipliers can run into the boundary far from the
    solution. Blahut-Arimoto steps cannot: from the best masses seen, a few more of them at each restart bring the
    start as close as it takes.

    Parameters
    ----------
    task : ReducedProblem
    letters, q : numpy.ndarray
        Shape (k,).
    multipliers : numpy.ndarray or None
        Shape (R,); None for a guess.
    warm_up_steps : int
        Before the first start; four times as many before each further one.
    mu : float, optional
        Complementarity to start from.
    restarts : int, optional
        How many at most.
    kept : float, optional
        As of `Restricted`.
    """
    space = task.letters
    losses, forbidden = space.restricted(letters)
    data = Restricted(task.p, losses, forbidden, task.free, task.bounds, kept, task.equal, task.ranges)
    standstill, best_gap = Standstill(task.ranges), math.inf
    steps = warm_up_steps
    for restart in range(restarts + 1):
        q, multipliers = warm_up(task, letters, q, multipliers, steps)
        standstill.begin_again()
        try:
            # Less complementarity to begin with disturbs the start less: limits that leave little room need that.
            first = mu if restart == 0 else 1e-3 * 0.01**restart / letters.size
            for point in primal_dual(data, q, multipliers, first):
                yield point
                gap = abs(point.value - point.lower)  # a value below the bound says nothing
                waited = standstill.after(gap, point.multipliers)
                if gap < best_gap:
                    best_gap, q, multipliers = gap, point.q / point.q.sum(), point.multipliers
                if waited > _PATIENCE and restart < restarts:
                    break
        except NumericalBreakdown:
            if restart == restarts:
                raise
        steps = min(4 * steps, _LONGEST_WARM_UP)


def closest(points: Iterable[Point], gap: float, most: int) -> Point:
    """Return the point whose bounds are closest, of so many at most, or the first with bounds this close.

    A breakdown ends the search, unless no point came before it.
    """
    best: Point | None = None
    try:
        for point in islice(points, most):
            deadline.look()
            own = abs(point.value - point.lower)
            if best is None or own < abs(best.value - best.lower):
                best = point
            if own <= gap:
                break
    except NumericalBreakdown:
        if best is None:
            raise
    assert best is not None
    return best
