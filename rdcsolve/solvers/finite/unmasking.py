"""From a dual point of a face's problem to one of the problem as it was stated: large multipliers stand for masks."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.letters import FiniteLetters
from rdcsolve.problems import Problem
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.solvers.finite.reduction import Face, ReducedProblem

_DEPTHS = (0.0, 5.0, 10.0, 20.0, 40.0, 80.0, 300.0)  # nats below one: what the terms of masked pairs are brought to
_WORTH = 1e-13  # nats: what a steeper multiplier has to save


def without_faces(
    task: ReducedProblem, log_v: np.ndarray, multipliers: np.ndarray
) -> tuple[FiniteLetters, np.ndarray, np.ndarray, float]:
    """Return letters without masks, log_v and multipliers that do without them, and log C.

    A face with weights w is left by adding s w to the multipliers and s min_a w.L(i, a) to u: at pairs of the face
    nothing changes, at masked ones the exponent falls by s times the excess of w.L, and the bound stays, as w.b is the
    least mean of w.L. Large s brings the terms of masked pairs as low as is wanted, and makes multipliers
    positive that may not be negative. A w.b that is off by a rounding costs s times that, so of a few s the best is
    taken. Faces that were found last are left first.

    Parameters
    ----------
    task : ReducedProblem
        With faces.
    log_v : numpy.ndarray
        Shape (n,), u in the scale of its shifted losses.
    multipliers : numpy.ndarray
        Shape (R,).
    """
    space = FiniteLetters(task.problem, list(task.relevant))
    log_v = log_v + multipliers @ (task.letters.shifts - space.shifts)  # masks raised the least losses
    best: tuple[float, np.ndarray, np.ndarray, float] | None = None
    for depth in _DEPTHS:
        found = _left(task, space, log_v, multipliers, depth)
        if found is None:
            continue
        raised, trial, charged = found
        dearest = space.price(raised, trial).maximum
        if not 0 < dearest < math.inf:
            continue
        lost = math.log(dearest) + charged
        if best is None or lost < best[0] - _WORTH:  # the smallest that does: large ones make other prices steep
            best = lost, raised, trial, math.log(dearest)
    if best is None:  # no multiplier leaves a price in range: without any the trivial bound follows
        return space, np.zeros(log_v.shape), np.zeros(multipliers.shape), 0.0
    return space, best[1], best[2], best[3]


@np.errstate(over="ignore", invalid="ignore")  # penalties near the largest float: exponents of minus infinity
def _left(
    task: ReducedProblem, space: FiniteLetters, log_v: np.ndarray, multipliers: np.ndarray, depth: float
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Return log_v, multipliers and what the bounds' roundings cost, nats; None if a multiplier stays negative."""
    losses = space.losses
    exponents = log_v[:, None] - np.tensordot(multipliers, losses, axes=1)
    masked = np.logical_or.reduce([face.masked for face in task.faces])
    banned = masked if space.forbidden is None else masked | space.forbidden
    charged = 0.0
    for face in reversed(task.faces):
        weighted = np.tensordot(face.weights, losses, axes=1)
        least = np.where(banned, np.inf, weighted).min(axis=1)  # the same at every pair that is left
        above = weighted - least[:, None]
        steepness = _positive(task, face, multipliers)
        if face.masked.any():
            needed = (exponents[face.masked] + depth) / np.maximum(above[face.masked], 1e-300)
            steepness = max(steepness, float(needed.max()))
        if not steepness < 1e300:
            return None
        exponents = exponents - steepness * above
        log_v = log_v + steepness * least
        multipliers = multipliers + steepness * face.weights
        charged += steepness * abs(_room(task, space, face, least))
    allowed_signs = task.problem.held[list(task.relevant)] | (multipliers >= 0)
    return (log_v, multipliers, charged) if allowed_signs.all() else None


def _positive(task: ReducedProblem, face: Face, multipliers: np.ndarray) -> float:
    """Return how much of the weights it takes to raise negative multipliers to zero, where they may not be negative."""
    held = task.problem.held[list(task.relevant)]
    negative = (multipliers < 0) & ~held & (face.weights > 0)
    return float((-multipliers[negative] / face.weights[negative]).max(initial=0.0)) * (1 + 1e-15)


def _room(task: ReducedProblem, space: FiniteLetters, face: Face, least: np.ndarray) -> float:
    """Return how far w.b is above the least mean of w.L."""
    problem: Problem = task.problem
    rows = np.flatnonzero(face.weights).tolist()
    bounds = [-mean_excess(space.p, space.shifts[row], float(problem.bounds[task.relevant[row]])) for row in rows]
    return math.fsum([*(face.weights[rows] * np.array(bounds)).tolist(), *(-space.p * least).tolist()])
