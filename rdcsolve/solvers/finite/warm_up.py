"""A few alternations that turn a rough start into one good enough for Newton's method."""

from __future__ import annotations

import numpy as np

from rdcsolve import deadline
from rdcsolve.kernels import make_kernel
from rdcsolve.solvers.finite.best_channel import best_channel
from rdcsolve.solvers.finite.reduction import ReducedProblem

_FLOOR = 1e-8  # least share of the uniform distribution: a letter without mass cannot come back


def warm_up(
    task: ReducedProblem, letters: np.ndarray, q: np.ndarray, multipliers: np.ndarray | None, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return output masses and multipliers after `steps` Blahut-Arimoto steps.

    The multipliers of limited losses follow: each step uses the ones that meet the limits, loosely.

    Parameters
    ----------
    task : ReducedProblem
    letters, q : numpy.ndarray
        Shape (k,); `q` sums to one.
    multipliers : numpy.ndarray or None
        Shape (R,); None for a first guess from the bounds.
    steps : int
    """
    if multipliers is None:
        # from a nat per range upwards: a multiplier that is far too large leaves no gradient to go by
        multipliers = np.where(task.free & ~task.equal, 1 / task.ranges, task.first_multipliers())
    q = (1 - _FLOOR) * q + _FLOOR / q.size
    if not task.free.any():
        losses, forbidden = task.letters.restricted(letters)
        kernel = make_kernel(losses, multipliers, forbidden)
        for _ in range(steps):
            deadline.look()
            q = q * kernel.rmatvec(task.p / kernel.matvec(q))
        return (1 - _FLOOR) * q + _FLOOR / q.size, multipliers
    for _ in range(max(steps // 3, 1)):
        deadline.look()
        tilted = best_channel(task, letters, q, multipliers, accuracy=1e-6, max_steps=30)
        multipliers = tilted.multipliers
        q = (1 - _FLOOR) * tilted.output_masses(task.p) + _FLOOR / q.size
    # An inactive limit keeps a multiplier above zero, as an interior point must: one that costs next to nothing.
    limited = task.free & ~task.equal
    multipliers = np.where(limited, np.maximum(multipliers, 1e-6 / task.ranges), multipliers)
    return (1 - _FLOOR) * q + _FLOOR / q.size, multipliers
