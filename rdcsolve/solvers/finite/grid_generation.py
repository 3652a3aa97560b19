"""Column generation on grids of any size: an interior point whose letters come and go between its Newton steps.

Where losses are sums over the axes of a grid, the prices of *all* letters cost no more than those of a few, and the
Newton matrix of any letters needs no columns. So all letters are priced at every step, letters of no use leave, dear
ones join, and nothing is begun anew. The problem is first solved on every second, fourth, ... point of the axes, as
long as these resolve the kernel; its letters are the first ones of the next finer grid.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.kernels.kernel import on_grid
from rdcsolve.problems.line import LineLoss
from rdcsolve.problems.separable import SeparableLoss
from rdcsolve.solvers.finite.grid_rounds import CoarseLetters, GridLoss, attempts, grid_losses
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.finite.repair import repair
from rdcsolve.solvers.loop import Iterate, Start

MANY_LETTERS = 1024
"""Letters from which on this pays, where the grid resolves the kernel."""

TOO_MANY = 16384
"""Letters from which on nothing else is within reach."""

_RESOLVED = 0.15  # nats that a step along an axis may cost: a coarser grid says nothing about the finer one
_APART = 1.3  # nats that the way between two neighbours among the first letters costs
_MOST_BYTES = 2**30  # of the first letters' Newton matrix
_FEWEST = 16  # points that every axis keeps on coarser grids
_MOST_ROUNDS = 80  # of a coarse grid
_AT_ONCE_ON_LINES = 3  # halvings between two levels of a line, where a step on the finest is the dearest by far
_BARELY = 1e-6  # of the largest mass: letters of less are not taken to a finer grid


def suits(task: ReducedProblem) -> bool:
    """Return whether a task is one for this method: losses are sums over one grid's axes, and the grid is fine."""
    letters = task.letters
    if task.equal.any() or letters.forbidden is not None or letters.n_letters < MANY_LETTERS:
        return False
    found = [on_grid(structure) for structure in letters.structures]
    grids = {(one[0].grid, one[0].letter_grid) for one in found if one is not None}
    if None in found or len(grids) > 1:
        return False
    losses = grid_losses(letters.structures)
    if len(losses[0].grid) == 1:
        return len(losses) == 1 and isinstance(losses[0], LineLoss) and losses[0].distortion == "squared_error"
    steps = [_cost_of_steps(losses, task.first_multipliers(), d, 1) for d in range(len(losses[0].grid))]
    return letters.n_letters >= TOO_MANY or max(steps) <= _RESOLVED


def rounds_on_grid(task: ReducedProblem, start: Start | None, tolerance: float) -> Iterator[Iterate]:
    """Yield one iterate per round of the grid itself; see `rdcsolve.solvers.loop.Solver`."""
    if start is not None:
        letters, q, multipliers = start.letters, start.q, start.multipliers
    else:
        letters, q, multipliers = _from_coarser_grids(task, tolerance)
    for found in attempts(task, letters, q, multipliers, tolerance):
        log_v = np.log(found.last.point.v) - found.log_scale
        mended = repair(
            task.letters, log_v, found.multipliers
        )  # a letter in the tail shall not cost the bound its price
        lower = mended.bound - task.charge(found.multipliers)
        q = found.last.q / found.last.q.sum()
        yield Iterate(found.last.letters, q, mended.log_v, found.multipliers, lower, found.value)


# --------------------------------------------------------------------------------------------- grids


def _from_coarser_grids(task: ReducedProblem, tolerance: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return letters of the grid, masses, and multipliers, that are nearly those of the solution."""
    losses, multipliers = grid_losses(task.letters.structures), task.first_multipliers()
    halvings = _halvings(losses, multipliers)
    masses = np.zeros(losses[0].shape[0])
    rows = on_grid(task.letters.structures[0])[1]  # type: ignore[index]
    masses[slice(None) if rows is None else rows] = task.p
    tensors = [masses.reshape(losses[0].grid)]
    for _ in range(halvings):
        tensors.append(_halved(tensors[-1]))
    letters, q = _first_letters(losses, multipliers, 2**halvings)
    levels = [*range(halvings, 0, -(_AT_ONCE_ON_LINES if len(losses[0].grid) == 1 else 1)), 0]
    for level, following in pairwise(levels):
        step = 2**level
        coarse = [_coarser(loss, step) for loss in losses]
        grid = coarse[0].letter_grid
        p = tensors[level].ravel()
        rows = np.flatnonzero(p)
        known = CoarseLetters(p[rows], tuple(loss.at_rows(rows) for loss in coarse))
        coarse_task = replace(task, letters=known)  # type: ignore[arg-type]
        for number, found in enumerate(attempts(coarse_task, letters, q, multipliers, tolerance)):
            if found.value - found.lower <= tolerance or number >= _MOST_ROUNDS:
                break
        multipliers, last = found.multipliers, found.last
        kept = last.q > _BARELY * last.q.max()
        letters, q = last.letters[kept], last.q[kept]
        places = tuple(2 ** (level - following) * place for place in np.unravel_index(letters, grid))
        finer = tuple(-(-side // 2**following) for side in losses[0].letter_grid)
        letters = np.ravel_multi_index(places, finer)
    return letters, q, multipliers


def _coarser(loss: GridLoss, step: int) -> GridLoss:
    """Return the loss between every so many points of every axis."""
    if isinstance(loss, LineLoss):
        return loss.coarser(step)
    return SeparableLoss([table[::step, ::step] for table in loss.tables])


def _halvings(losses: Sequence[GridLoss], multipliers: np.ndarray) -> int:
    """Return how often the axes may be halved, so that they still resolve the kernel and have some points."""
    count = 0
    while True:
        step = 2 ** (count + 1)
        sides = [min(-(-n // step), -(-k // step)) for n, k in zip(losses[0].grid, losses[0].letter_grid, strict=True)]
        costs = [_cost_of_steps(losses, multipliers, d, step) for d in range(len(sides))]
        if min(sides) < _FEWEST or max(costs) > _RESOLVED:
            return count
        count += 1


def _cost_of_steps(losses: Sequence[GridLoss], multipliers: np.ndarray, d: int, step: int) -> float:
    """Return what the letter so many steps from the best costs more than the best, for most symbols of axis d; nats."""
    if isinstance(losses[0], LineLoss):
        return float(multipliers[0]) * losses[0].cost_of_steps(step)
    tables = [loss.tables[d] for loss in losses if isinstance(loss, SeparableLoss)]
    table = sum(multiplier * table for multiplier, table in zip(multipliers, tables, strict=True))
    assert isinstance(table, np.ndarray)
    best = table.argmin(axis=1)
    other = np.where(best + step < table.shape[1], best + step, best - step)
    inside = other >= 0
    if not inside.any():
        return math.inf
    rows = np.flatnonzero(inside)
    return float(np.median(table[rows, other[rows]] - table[rows, best[rows]]))


def _halved(tensor: np.ndarray) -> np.ndarray:
    """Return the masses at every second point of all axes: those between are shared out among their neighbours."""
    for axis in range(tensor.ndim):
        tensor = np.moveaxis(tensor, axis, 0)
        even, odd = tensor[::2].copy(), tensor[1::2]
        even[: len(odd)] += 0.5 * odd
        even[1 : len(odd) + 1] += 0.5 * odd[: len(even) - 1]
        if len(odd) == len(even):  # the last point has no neighbour beyond
            even[-1] += 0.5 * odd[-1]
        tensor = np.moveaxis(even, 0, axis)
    return tensor


def _first_letters(losses: Sequence[GridLoss], multipliers: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return letters about a kernel's width apart, on the grid of every so many points, and equal masses."""
    places, grid = [], []
    for d, side in enumerate(losses[0].letter_grid):
        size = -(-side // step)
        apart = 1
        while 2 * apart < size and _cost_of_steps(losses, multipliers, d, step * (apart + 1)) <= _APART:
            apart += 1
        places.append(np.arange(min(apart // 2, size - 1), size, apart))
        grid.append(size)
    count = math.prod(place.size for place in places)
    if 8 * count**2 > _MOST_BYTES:
        cost = max(_cost_of_steps(losses, multipliers, d, 1) for d in range(len(grid)))
        raise InvalidInput(
            f"the grid does not resolve the kernel: a step along an axis costs {cost:.3g} nat at these multipliers, so "
            f"that some {count} letters would be needed at once, with a matrix of {8e-6 * count**2:.0f} MB; use "
            "smaller multipliers (larger limits), a part of the grid, or BlahutArimoto() for a few digits"
        )
    letters = np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), grid).ravel()
    return letters, np.full(letters.size, 1 / letters.size)
