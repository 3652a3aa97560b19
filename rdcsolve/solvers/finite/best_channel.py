"""The best channel with given output masses, and what it costs (Theorem 4 of the page on certificates)."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rdcsolve import deadline
from rdcsolve.kernels import Kernel, make_kernel
from rdcsolve.solvers.finite.normal_equations import in_own_units
from rdcsolve.solvers.finite.reduction import ReducedProblem

_NOTHING = 1e-14  # nats per range: a multiplier below it is none
_ENDLESS = 1e200  # where multipliers stop that no channel ends


class BestChannel(NamedTuple):
    """The channel W = q K / t at the multipliers that maximise G_q.

    Attributes
    ----------
    multipliers : numpy.ndarray
        Shape (R,).
    kernel : Kernel
        K at these multipliers.
    q, t : numpy.ndarray
        Shapes (k,) and (n,).
    log_v : numpy.ndarray
        Shape (n,): -log t, in the shifted losses' scale.
    means : numpy.ndarray
        Shape (R,): the shifted losses' means.
    met : bool
        Whether every limit is met.
    """

    multipliers: np.ndarray
    kernel: Kernel
    q: np.ndarray
    t: np.ndarray
    log_v: np.ndarray
    means: np.ndarray
    met: bool

    @property
    def channel(self) -> np.ndarray:
        """The channel as an array, shape (n, k)."""
        channel = self.kernel.columns() * self.q
        channel /= self.t[:, None]
        return channel

    def output_masses(self, p: np.ndarray) -> np.ndarray:
        """Return the masses of the channel's letters, shape (k,)."""
        return self.q * self.kernel.rmatvec(p / self.t)


def best_channel(
    task: ReducedProblem,
    letters: np.ndarray,
    q: np.ndarray,
    multipliers: np.ndarray,
    bounds: np.ndarray | None = None,
    accuracy: float = 1e-13,
    max_steps: int = 200,
) -> BestChannel:
    """Maximise G_q over the multipliers of the limited losses by a projected Newton method.

    Those of losses that are held at their bounds are not projected: they may have either sign.

    Parameters
    ----------
    task : ReducedProblem
    letters : numpy.ndarray
        Shape (k,).
    q : numpy.ndarray
        Shape (k,): output masses, > 0, summing to one.
    multipliers : numpy.ndarray
        Shape (R,): where to start.
    bounds : numpy.ndarray, optional
        Shape (R,): by default the task's.
    accuracy : float, optional
        Accepted relative distance of a mean from its bound.
    max_steps : int, optional
    """
    bounds = task.bounds if bounds is None else bounds
    losses, forbidden = task.letters.restricted(letters)
    free = np.flatnonzero(task.free)
    own, equal = bounds[free], task.equal[free]
    multipliers = multipliers.copy()
    now = _evaluate(task, losses, forbidden, q, multipliers, free, bounds)
    for _ in range(max_steps if free.size else 0):
        gradient = now.means[free] - own
        if not (np.isfinite(gradient).all() and np.isfinite(now.covariance).all()):
            break  # multipliers out of range, where masses cannot meet the limits: LAPACK would print what it thinks
        rising = equal | (multipliers[free] > 0) | (gradient > 0)
        if not (rising & (np.abs(gradient) > accuracy * own)).any():
            break
        step = _newton_step(now.covariance, gradient, rising, own)
        moved = _move(task, losses, forbidden, q, multipliers, free, bounds, step, now)
        if moved is None:
            break
        multipliers, now = moved
    within = now.means[free] <= own * (1 + 2 * accuracy)
    within &= ~equal | (now.means[free] >= own * (1 - 2 * accuracy))
    met = bool(within.all())
    return BestChannel(multipliers, now.kernel, q, now.t, now.log_v, now.means, met)


class _Point(NamedTuple):
    value: float
    kernel: Kernel
    t: np.ndarray
    log_v: np.ndarray
    means: np.ndarray
    covariance: np.ndarray


def _evaluate(task, losses, forbidden, q, multipliers, free, bounds):  # type: ignore[no-untyped-def]
    deadline.look()
    kernel = make_kernel(losses, multipliers, forbidden)
    t, means, covariances = kernel.moments(q, free)
    log_v = -(np.log(t) + kernel.log_scale)
    value = float(task.p @ log_v) - float(multipliers[free] @ bounds[free])
    return _Point(value, kernel, t, log_v, means @ task.p, covariances @ task.p)


def _newton_step(covariance, gradient, rising, bounds):  # type: ignore[no-untyped-def]
    """Return the Newton step over the rising multipliers, damped where the covariance is singular."""
    index = np.flatnonzero(rising)
    step = np.zeros(gradient.size)
    if index.size == 1:  # the usual case, and a hundredth of the time
        at = index[0]
        own, slope = float(covariance[at, at]), float(gradient[at])
        curvature = own + (1e-14 * max(own, 1e-300) + 1e-14 * abs(slope) * float(bounds[at]))
        step[at] = slope / curvature if 0 < curvature < math.inf else 0.0
        return step
    matrix = covariance[np.ix_(index, index)]
    size = np.maximum(np.diag(matrix), 1e-300)
    matrix = matrix + np.diag(1e-14 * size + 1e-14 * np.abs(gradient[index]) * bounds[index])
    if np.isfinite(matrix).all():  # unless squares of losses are near the largest float
        step[index] = in_own_units(matrix, gradient[index])
    return step


def _move(task, losses, forbidden, q, multipliers, free, bounds, step, now):  # type: ignore[no-untyped-def]  # noqa: PLR0913
    """Return the next multipliers and point, or None if no length of step raises G_q."""
    old, step, places = multipliers[free].tolist(), step.tolist(), free.tolist()  # so few that floats are faster
    ranges, equal = task.ranges[free].tolist(), task.equal[free].tolist()
    share = _share_within_reach(step, old, ranges, equal)
    for _ in range(40):
        trial = multipliers.copy()
        for place, value, change, extent, is_held in zip(places, old, step, ranges, equal, strict=True):
            target = value + share * change
            if (target < 0 and not is_held) or abs(target) * extent < _NOTHING:
                target = 0.0
            trial[place] = target
        if trial[free].tolist() == old:
            return None
        point = _evaluate(task, losses, forbidden, q, trial, free, bounds)
        if point.value >= now.value - 1e-15 * (1 + abs(now.value)):
            return trial, point
        share = share / 4
    return None


def _share_within_reach(step, old, ranges, equal):  # type: ignore[no-untyped-def]
    """Return the share of the step that takes no multiplier further than what is known here says anything about.

    A multiplier of one nat per range is the natural first step from zero. One that is far too large leaves
    neither gradient nor covariance, so it falls by a factor of eight at most. The whole step is shortened, as its other
    multipliers belong to this one's.
    """
    share = 1.0
    for change, value, extent, is_held in zip(step, old, ranges, equal, strict=True):
        unit = 1 / extent if extent else math.inf
        furthest = 8 * min(abs(value), _ENDLESS) + unit
        lowest = -furthest if is_held else value / 8 if value > unit else 0.0
        if change > 0 or lowest != 0:  # beyond zero the multiplier is cut, not the step
            reach = max(furthest - value if change > 0 else value - lowest, 0.0)
            share = min(share, reach / max(abs(change), reach, 1e-300))
    return share
