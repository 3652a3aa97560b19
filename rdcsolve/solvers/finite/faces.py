"""Limits that leave no room: the face of the channels within them, where they are equalities of free sign.

Losses held at a value, two limits whose sum no channel goes below, several losses at a joint minimum: no channel is
strictly within such limits, interior points have no centre to follow, and multipliers have no end. Section "Limits
that leave no room" of the page on certificates proves what is done here. One linear programme finds weights w of the
limits with the least mean of w.L equal to w.b, and among them, by strict complementarity (Goldman and Tucker 1956),
those that exclude every pair which no channel within the limits uses, and tell every limit that all of them meet with
equality. Then pairs are masked, these limits become equalities, dependent ones drop out, and what is left has an
interior: a channel that uses every pair, with room under every other limit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rdcsolve.letters import FiniteLetters
from rdcsolve.problems import Problem
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.rounding import exact_dot
from rdcsolve.solvers.finite.feasibility import margin
from rdcsolve.solvers.finite.reduction import Face, ReducedProblem, masked_task

_MOST_PAIRS = 300_000  # of the linear programme: beyond them it takes minutes
_MOST_LOOKED_AT = 10_000_000  # pairs whose losses are not stored: a pass over them is short
_NO_ROOM = 1e-9  # of the bounds: limits that leave a channel more have an interior
_ROUNDING = 1e-12  # of the spreads: a distance of w.b from the least mean of w.L that counts as none
_NEXT_TO = 1e-7  # of the spreads: a bound that a programme may hardly tell from the least value
_TINY = 1e-8  # mass: below it a programme cannot tell a weighted loss from the least one
_LOOSE = 1e3  # spreads: a bound that no mean comes near
_MOST_FACES = 4  # one after the other; the programme's first one is complete but for its accuracy
_TIE = 1e-11  # of the largest weighted loss: an excess that is rounding
_HALF = 0.5  # between an excess of zero and one of one
_DEPENDENT = 1e-9  # share of a loss that the others leave: it says nothing of its own


def limited_task(problem: Problem, bounds: np.ndarray) -> ReducedProblem | None:
    """Return the task of the least rate under `bounds`, shape (M,), inf where a loss is not limited.

    Limits that leave no room have become masks, and equalities that do not depend on each other. None is returned if
    they make another limit unattainable.
    """
    task = masked_task(problem, bounds)
    task = None if task is None else on_face(task)
    return None if task is None else _without_idle(task)


def _without_idle(task: ReducedProblem) -> ReducedProblem:
    """Return the task without limits that no choice among the allowed pairs exceeds: their multipliers are zero.

    Masks may leave a loss next to no spread, and a method that looks for its multiplier nothing to go by.
    """
    letters, free = task.letters, task.free.copy()
    if task.p.size * letters.n_letters > _MOST_LOOKED_AT and not letters.is_stored:
        return task
    for row in np.flatnonzero(task.free & ~task.equal).tolist():
        highest = letters.structures[row].extremes(letters.forbidden).highest
        free[row] = float(task.p @ highest) > task.bounds[row]
    return replace(task, free=free, bounds=np.where(free, task.bounds, np.inf))


def on_face(task: ReducedProblem) -> ReducedProblem | None:
    """Return the task with its limits restricted to the face of the channels that meet them, None if there are none."""
    if task.p.size * task.letters.n_letters > _MOST_PAIRS or not task.letters.is_stored:
        return _independent(task)
    spreads = np.where(task.spreads > 0, task.spreads, 1.0)
    for _ in range(_MOST_FACES):
        found = _excluding(task, spreads)
        if found is None:
            break
        before, task = task, _restricted(task, found)
        limited = task.free & ~task.equal
        if (task.bounds < -_ROUNDING * spreads)[limited].any():
            return None
        # at their least, now that pairs are masked; an equality there would have a multiplier without end
        spent = task.free & (task.bounds <= np.where(task.equal, _ROUNDING * spreads, 0.0))
        if spent.any():
            task = _restricted(task, np.where(spent, _HALF / _TIE / spreads, 0.0))
        elif not task.faces[-1].masked.any() and np.array_equal(task.equal, before.equal):
            break  # weights that say nothing new
    return _independent(task)


def _excluding(task: ReducedProblem, spreads: np.ndarray) -> np.ndarray | None:
    """Return weights (R,) of limits that leave no room, None if all that are left have some.

    Limits next to the least value of their loss come after the others: beside one of 1e-11 the accuracy of a programme,
    which is absolute, says nothing.
    """
    small = task.free & ~task.equal & (task.bounds < _NEXT_TO * spreads)
    if small.any() and not small[task.free].all():
        found = _excluding(replace(task, free=task.free & ~small), spreads)
        if found is not None:
            return found
    proof = None
    if not task.equal.any():
        if int(task.free.sum()) < 2:
            return None  # a loss above its least mean: channels near that have room
        room = margin(task, enough=1 - _NO_ROOM)
        if room.attained < 1 - _NO_ROOM or room.least > 1 + _ROUNDING:
            return None
        proof = room.weights
    weights = _weights(task)
    return _weights_of(task, proof) if weights is None and proof is not None else weights


class _Scaled(NamedTuple):
    """Free losses at the allowed pairs in units of their spreads (F, P), the pairs' symbols, bounds (F,), spreads."""

    losses: np.ndarray
    rows: np.ndarray
    allowed: np.ndarray
    bounds: np.ndarray
    spreads: np.ndarray


def _scaled(task: ReducedProblem) -> _Scaled:
    free = np.flatnonzero(task.free)
    shape = task.p.size, task.letters.n_letters
    allowed = np.ones(shape, dtype=bool) if task.letters.forbidden is None else ~task.letters.forbidden
    rows, _ = np.nonzero(allowed)
    losses = np.array([task.letters.structures[m].block()[allowed] for m in free])
    largest = losses.max(axis=1)
    spreads = np.where(largest > 0, largest, np.maximum(task.bounds[free], 1e-300))
    bounds = np.minimum(task.bounds[free] / spreads, _LOOSE)
    return _Scaled(losses / spreads[:, None], rows, allowed, bounds, spreads)


def _weights(task: ReducedProblem) -> np.ndarray | None:
    """Return weights (R,) of the limits that exclude as many pairs, and tell as many equalities, as any; or None.

    The programme is: maximise the sum of all excesses, each cut at one: of w.L(i, a) - y_i over the allowed pairs, and
    of w_m over the limits that are no equalities, such that none is negative and w.b <= p.y. Its solutions form a cone
    but for the cuts, so an excess that can be positive is one at the optimum.
    """
    from scipy.optimize import linprog
    from scipy.sparse import coo_array, csr_array, hstack, vstack

    data = _scaled(task)
    count, n_pairs = data.losses.shape
    n = task.p.size
    limited = np.flatnonzero(~task.equal[task.free])
    at = np.arange(n_pairs)
    of_pairs = hstack(
        [
            csr_array(-data.losses.T),
            coo_array((np.ones(n_pairs), (at, data.rows)), shape=(n_pairs, n)),
            coo_array((np.ones(n_pairs), (at, at)), shape=(n_pairs, n_pairs + limited.size)),
        ]
    )
    number = np.arange(limited.size)
    of_limits = coo_array(
        (
            np.r_[-np.ones(limited.size), np.ones(limited.size)],
            (np.r_[number, number], np.r_[limited, count + n + n_pairs + number]),
        ),
        shape=(limited.size, count + n + n_pairs + limited.size),
    )
    of_bounds = csr_array(np.r_[data.bounds, -task.p, np.zeros(n_pairs + limited.size)][None])
    lowest = np.where(task.equal[task.free], -np.inf, 0.0)
    ranges = [(low, np.inf) for low in lowest] + [(-np.inf, np.inf)] * n
    # a symbol of less mass than the programme resolves would have excesses at no cost, by a y_i that is too low
    ranges += [(0.0, cut) for cut in np.r_[task.p[data.rows] > _TINY, np.ones(limited.size)].tolist()]
    answer = linprog(
        -np.r_[np.zeros(count + n), np.ones(n_pairs + limited.size)],
        A_ub=vstack([of_pairs, of_limits, of_bounds]).tocsr(),
        b_ub=np.zeros(n_pairs + limited.size + 1),
        bounds=ranges,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if answer.x is None or -answer.fun < _HALF:
        return None
    found = np.where(np.abs(answer.x[:count]) > 1e-9 * np.abs(answer.x[:count]).max(initial=0.0), answer.x[:count], 0.0)
    found[limited] = np.maximum(found[limited], 0.0)  # below zero within the programme's accuracy, but of no use there
    if not found.any():
        return None
    weights = np.zeros(task.free.size)
    weights[task.free] = found / data.spreads
    least = _least(found @ data.losses, data.allowed)
    room = exact_dot((found, data.bounds), (-task.p, least))
    return weights if abs(room) <= _ROUNDING * np.abs(found).max(initial=0.0) else None


def _weights_of(task: ReducedProblem, proof: np.ndarray) -> np.ndarray | None:
    """Return the weights (R,) of the proof that limits leave no room, shape (F,) and per bound; or None.

    They exclude what they happen to exclude. But they are no more than a few limits need, where the programme's
    accuracy, which is absolute, cannot tell a bound of 1e-11 from none, and takes that limit for another equality.
    """
    data = _scaled(task)
    found = np.where(proof > _DEPENDENT, proof, 0.0) / data.bounds
    found /= found.max()
    mixed = found @ data.losses
    least = _least(mixed, data.allowed)
    room = exact_dot((found, data.bounds), (-task.p, least))
    if abs(room) > _ROUNDING:
        return None
    weights = np.zeros(task.free.size)
    weights[task.free] = found * (_HALF / _TIE) / data.spreads  # so that an excess above ties is above one half
    return weights


def _least(mixed: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    whole = np.full(allowed.shape, np.inf)
    whole[allowed] = mixed
    return np.asarray(whole.min(axis=1))


def _restricted(task: ReducedProblem, weights: np.ndarray) -> ReducedProblem:
    """Return the task without the pairs above the least weighted loss, its weighted limits as equalities."""
    data = _scaled(task)
    mixed = np.full(data.allowed.shape, np.inf)
    mixed[data.allowed] = (weights[task.free] * data.spreads) @ data.losses
    # a programme's weights may be of any size, and an excess of one beside 1e15 is a rounding
    excess = max(_HALF, _TIE * float(np.abs(weights[task.free] * data.spreads).max()))
    masked = data.allowed & (mixed - mixed.min(axis=1, keepdims=True) > excess)
    problem, symbols = task.problem, task.letters.symbols
    mask = np.zeros((problem.n_x, problem.n_letters), dtype=bool)
    mask[symbols] = ~data.allowed | masked
    letters = FiniteLetters(problem, list(task.relevant), mask)
    spreads = np.ones(task.free.size)
    spreads[task.free] = data.spreads
    tight = task.free & (task.equal | (weights * spreads > _HALF))
    bounds = task.bounds.copy()
    for row in np.flatnonzero(task.free).tolist():
        bound = float(problem.bounds[task.relevant[row]])
        bounds[row] = -mean_excess(letters.p, letters.shifts[row], bound)
    face = Face(weights, masked)
    return replace(task, letters=letters, bounds=bounds, equal=tight, faces=(*task.faces, face))


def _independent(task: ReducedProblem) -> ReducedProblem:
    """Return the task with as few equalities as say the same: no loss a combination of the others on allowed pairs.

    A loss that depends on the symbol alone, at the pairs that are left, says nothing at all.
    """
    held = np.flatnonzero(task.equal)
    if not held.size:
        return task
    from scipy.linalg import qr

    columns = []
    for row in held.tolist():
        loss = task.letters.structures[row].block()
        allowed = np.ones(loss.shape, dtype=bool) if task.letters.forbidden is None else ~task.letters.forbidden
        means = np.where(allowed, loss, 0.0).sum(axis=1) / allowed.sum(axis=1)
        spread = float(task.spreads[row]) or 1.0
        columns.append(np.where(allowed, loss - means[:, None], 0.0).ravel() / spread)
    _, triangle, order = qr(np.stack(columns, axis=1), mode="economic", pivoting=True)
    sizes = np.abs(np.diag(triangle))
    kept = order[: sizes.size][sizes > _DEPENDENT * max(1.0, np.sqrt(len(columns[0])))]
    equal = np.zeros(task.free.size, dtype=bool)
    equal[held[kept]] = True
    free = task.free & (equal | ~task.equal)
    return replace(task, free=free, equal=equal, bounds=np.where(free, task.bounds, np.inf))
