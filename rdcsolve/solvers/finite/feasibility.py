"""Whether the limits can be met, and whether one distribution of letters meets them all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdcsolve import deadline
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.solvers.finite.reduction import ReducedProblem

_EXCLUDED = 1e-12  # of the bounds: what the sums of a proof that no channel meets them can round by
_INSIDE = 1e-13  # of its bounds: how far inside a mixture has to be


class Margin(NamedTuple):
    """How well the limits can be met, as a fraction of the bounds.

    Attributes
    ----------
    attained : float
        Some channel has E L_m <= attained * b_m for every limit, and |E L_m - b_m| <= (attained - 1) * spread_m for
        every loss that is held at its bound.
    least : float
        No channel does better than this (Theorem 5 of the page on certificates, with `weights`).
    weights : numpy.ndarray
        Shape (F,), or longer: losses that are held at their bounds have two, from above and from below.
    choices : numpy.ndarray
        Shape (V, n): deterministic channels, each symbol's place in the list of letters.
    mixture : numpy.ndarray
        Shape (V,): the mixture of them that attains `attained`.
    """

    attained: float
    least: float
    weights: np.ndarray
    choices: np.ndarray
    mixture: np.ndarray


def margin(task: ReducedProblem, letters: np.ndarray | None = None, enough: float = 0.5) -> Margin:
    """Return the least max_m E L_m / b_m over channels into `letters`, by cutting planes.

    Each weighting of the limits gives a cheapest deterministic channel, a point of (E L_1, ..., E L_F); the linear
    programme over the points seen gives the best mixture, and the next weights.

    Parameters
    ----------
    task : ReducedProblem
    letters : numpy.ndarray, optional
        By default all.
    enough : float, optional
        Stop once that much is attained.
    """
    rows, slopes, offsets = _sides(task)
    weights = np.full(rows.size, 1 / rows.size)
    points: list[np.ndarray] = []
    choices: list[np.ndarray] = []
    least, best = -np.inf, weights
    for _ in range(100):
        deadline.look()
        over_bounds = np.zeros(task.free.size)
        np.add.at(over_bounds, rows, weights * slopes)
        choice, costs = task.letters.cheapest(over_bounds, letters)
        point = costs[rows] @ task.p * slopes + offsets
        bound = float(weights @ point)
        if bound > least:
            least, best = bound, weights
        if not np.isfinite(bound):
            return Margin(np.inf, np.inf, weights, np.empty((0, task.p.size), dtype=np.intp), np.empty(0))
        choices.append(choice)
        points.append(point)
        if rows.size == 1:
            return Margin(float(point[0]), bound, weights, np.array(choices), np.ones(1))
        if float(point.max()) <= enough:  # alone, before any mixture is looked for
            alone = (np.arange(len(choices)) == len(choices) - 1).astype(float)
            return Margin(float(point.max()), least, best, np.array(choices), alone)
        attained, weights, mixture = best_mixture(np.array(points))
        if attained <= enough or least > 1 + _EXCLUDED or attained - least <= 1e-12 * (1 + attained):
            break
    return Margin(attained, least, best, np.array(choices), mixture)


def _sides(task: ReducedProblem) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return losses, and slopes and offsets of their means, whose largest value is to be at most one.

    A limit asks that E L / b is; a loss that is held at b, that 1 + (E L - b) / spread is, and 1 - (E L - b) / spread.
    """
    limited, held = np.flatnonzero(task.free & ~task.equal), np.flatnonzero(task.equal)
    slopes = 1 / task.scales
    centres = 1 - task.bounds[held] * slopes[held]
    return (
        np.r_[limited, held, held],
        np.r_[slopes[limited], slopes[held], -slopes[held]],
        np.r_[np.zeros(limited.size), centres, 2 - centres],
    )


def least_attained(task: ReducedProblem) -> float:
    """Return what `margin` attains over all letters; zero for one limit: shifted losses have a zero in every row."""
    return 0.0 if int(task.free.sum()) <= 1 and not task.equal.any() else margin(task).attained


def best_mixture(points: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return min over mixtures of the points of their largest coordinate, its dual weights, and the mixture."""
    count, dimension = points.shape
    if dimension == 2:
        return _best_of_two(points)
    from scipy.optimize import linprog

    # variables: one weight per point, and the largest coordinate
    answer = linprog(
        np.r_[np.zeros(count), 1.0],
        A_ub=np.hstack([points.T, -np.ones((dimension, 1))]),
        b_ub=np.zeros(dimension),
        A_eq=np.r_[np.ones(count), 0.0][None],
        b_eq=[1.0],
        bounds=[(0, None)] * count + [(None, None)],
        method="highs",
    )
    if answer.status != 0:
        best = points.max(axis=1)
        alone = (np.arange(count) == best.argmin()).astype(float)
        return float(best.min()), np.full(dimension, 1 / dimension), alone
    weights = np.maximum(-answer.ineqlin.marginals, 0)
    mixture = np.maximum(answer.x[:count], 0)
    return float(answer.fun), weights / weights.sum(), mixture / mixture.sum()


def _best_of_two(points: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Return what `best_mixture` does for points in the plane: one of them, or two that meet where x = y.

    Two limits are the usual case, and a linear programme takes milliseconds to be set up. With y + t (x - y) for every
    point, the dual is the largest t in [0, 1] of the least of these lines: where the lowest pair meets, cut off at the
    ends, for the least of lines is concave.
    """
    difference = points[:, 0] - points[:, 1]
    alone = points.max(axis=1)
    single = int(alone.argmin())
    best, mixture = float(alone[single]), np.zeros(len(points))
    mixture[single] = 1.0
    right, left = np.flatnonzero(difference > 0), np.flatnonzero(difference < 0)
    if not (right.size and left.size):
        first = 0.5 + 0.5 * bool(right.size) - 0.5 * bool(left.size)
        return best, np.array([first, 1 - first]), mixture
    apart = difference[right][:, None] - difference[left]
    share = -difference[left] / apart  # of the point on the right
    values = share * points[right, 0][:, None] + (1 - share) * points[left, 0]
    i, j = np.unravel_index(int(values.argmin()), values.shape)
    if values[i, j] < best:
        best, mixture[single] = float(values[i, j]), 0.0
        mixture[right[i]], mixture[left[j]] = share[i, j], 1 - share[i, j]
    first = min(max(float((points[left[j], 1] - points[right[i], 1]) / apart[i, j]), 0.0), 1.0)
    return best, np.array([first, 1 - first]), mixture


def feasible_channel(task: ReducedProblem) -> tuple[np.ndarray, np.ndarray] | None:
    """Return letters (k,) and a channel (n, k) that meets the limits as well as any, or None if none is known to."""
    room = margin(task)
    if room.attained > (1 + _INSIDE if task.equal.any() else 1):
        return None
    letters, places = np.unique(room.choices, return_inverse=True)
    places = places.reshape(room.choices.shape)
    channel = np.zeros((task.p.size, letters.size))
    rows = np.arange(task.p.size)
    for choice, share in zip(places, room.mixture, strict=True):
        channel[rows, choice] += share
    return letters, channel


def constant_output(task: ReducedProblem) -> tuple[np.ndarray, np.ndarray] | None:
    """Return letters and masses of one output distribution that meets every limit, or None: zero rate."""
    letters = task.letters
    usable = np.ones(letters.n_letters, dtype=bool)
    if letters.forbidden is not None:
        usable &= ~letters.forbidden.any(axis=0)
    free = np.flatnonzero(task.free)
    candidates = np.flatnonzero(usable)
    if not candidates.size:
        return None
    if not free.size:
        return candidates[:1], np.ones(1)
    if task.equal.any():
        return _held_constant(task, candidates)
    means = np.array([letters.structures[m].weighted_sum(task.p) for m in free])[:, candidates]
    means /= task.bounds[free][:, None]
    single = int(means.max(axis=0).argmin())
    if means[:, single].max() <= 1 and _meets_exactly(task, int(candidates[single])):
        return candidates[[single]], np.ones(1)
    if free.size == 1 or means.sum(axis=0).min() > free.size * (1 + _EXCLUDED):
        return None  # where every letter exceeds the limits on average, so does every mixture: no programme is needed
    from scipy.optimize import linprog

    count = candidates.size
    answer = linprog(
        np.r_[np.zeros(count), 1.0],
        A_ub=np.hstack([means, -np.ones((free.size, 1))]),
        b_ub=np.zeros(free.size),
        A_eq=np.r_[np.ones(count), 0.0][None],
        b_eq=[1.0],
        bounds=[(0, None)] * (count + 1),
        method="highs",
    )
    if answer.status != 0:
        return None
    masses = np.maximum(answer.x[:count], 0)
    masses /= masses.sum()
    used = np.flatnonzero(masses)
    if (means @ masses).max() > 1 - _INSIDE:
        return None
    return candidates[used], masses[used]


def _held_constant(task: ReducedProblem, candidates: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return letters and masses as `constant_output` does, where some losses are held at their bounds."""
    from scipy.optimize import linprog

    means = np.array([structure.weighted_sum(task.p) for structure in task.letters.structures])[:, candidates]
    limited, held = np.flatnonzero(task.free & ~task.equal), np.flatnonzero(task.equal)
    scaled, bounds = means / task.scales[:, None], task.bounds / task.scales
    answer = linprog(
        np.zeros(candidates.size),
        A_ub=scaled[limited] if limited.size else None,
        b_ub=np.full(limited.size, 1 - 2 * _INSIDE) if limited.size else None,
        A_eq=np.vstack([scaled[held], np.ones(candidates.size)]),
        b_eq=np.r_[bounds[held], 1.0],
        bounds=(0, None),
        method="highs",
    )
    if answer.status != 0:
        return None
    masses = np.maximum(answer.x, 0)
    masses /= masses.sum()
    attained = scaled @ masses
    if (attained[limited] > 1 - _INSIDE).any() or (np.abs(attained[held] - bounds[held]) > _INSIDE).any():
        return None
    used = np.flatnonzero(masses)
    return candidates[used], masses[used]


def _meets_exactly(task: ReducedProblem, letter: int) -> bool:
    """Return whether a letter meets every limit, without rounding: one that does not needs a rate, however small."""
    problem, symbols = task.problem, task.letters.symbols
    for row in np.flatnonzero(task.free).tolist():
        m = task.relevant[row]
        column = problem.linear_losses[m].block(symbols, np.array([letter]))[:, 0]
        if mean_excess(task.p, column, float(problem.bounds[m])) > 0:
            return False
    return True
