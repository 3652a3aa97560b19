"""The letters of a finite problem, with the losses that matter: what its solvers and column generation work on.

Over symbols without labels `SplitSpace` is the letter space, and the exchange works on it; but finite problems do not
need it. They are what the exchange solves in every round, with any solver, column generation among them: that shifts
and masks losses, repairs the bound letter by letter and keeps one kernel over the whole alphabet, none of which a list
of letters that comes and goes could.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve.kernels import BlockKernel, Kernel, make_kernel
from rdcsolve.kernels.kernel import separable
from rdcsolve.problems import Problem
from rdcsolve.problems.grid_points import GridTable
from rdcsolve.problems.line import LineLoss
from rdcsolve.problems.separable import SeparableLoss, outer_sum
from rdcsolve.problems.structures import LossStructure, Shifted, Table, is_all, row_blocks


@dataclass(frozen=True)
class Pricing:
    """The prices c(a) = sum_i p_i exp(u_i - lambda.L(i, a)) of letters.

    Attributes
    ----------
    prices : numpy.ndarray
        One price per letter of the space's list.
    maximum : float
        An upper bound on the price of every letter of the space.
    proved : bool
        Whether `maximum` is proved, not merely the best that a search found.
    """

    prices: np.ndarray
    maximum: float
    proved: bool


class FiniteLetters:
    """The letters of a problem, over its symbols of positive mass, with the losses that matter.

    Every loss is shifted, symbol by symbol, so that its least allowed entry is zero. That changes neither the
    channel nor the rate, only moves a constant from the losses into the bounds; it keeps kernels in range at
    large multipliers and limits near their minimum accurate.

    Parameters
    ----------
    problem : Problem
    relevant : sequence of int
        Which losses to keep: those limited or with a positive multiplier.
    forbidden : numpy.ndarray, optional
        Mask (n_x, n_letters) of further forbidden pairs.

    Attributes
    ----------
    symbols : numpy.ndarray
        Indices of the n symbols of positive mass.
    p : numpy.ndarray
        Their masses, shape (n,).
    structures : tuple of LossStructure
        M losses of shape (n, n_letters): shifted, zero at forbidden pairs.
    shifts : numpy.ndarray
        Shape (M, n): what was subtracted.
    forbidden : numpy.ndarray or None
        Mask (n, n_letters).
    """

    def __init__(self, problem: Problem, relevant: list[int], forbidden: np.ndarray | None = None) -> None:
        self.symbols = np.flatnonzero(problem.p_x > 0)
        everything = self.symbols.size == problem.n_x
        self.p = problem.p_x[self.symbols]
        masks = [mask for mask in (problem.forbidden, forbidden) if mask is not None]
        self.forbidden = None if not masks else np.logical_or.reduce(masks)[self.symbols]
        self.shifts = np.zeros((len(relevant), self.p.size))
        kept = []
        for row, index in enumerate(relevant):
            whole = problem.linear_losses[index].structure
            is_ready = everything and self.forbidden is None and isinstance(whole, Table)
            if is_ready and not problem.row_minima(index).any():
                structure: LossStructure = whole  # with what it knows of itself, and without a pass over it
            else:
                structure, self.shifts[row] = self._shifted(whole, everything)
            kept.append(structure)
        self.structures: tuple[LossStructure, ...] = tuple(kept)
        self.n_letters = problem.n_letters
        self._kernel: tuple[bytes, Kernel] | None = None
        self._last: tuple[np.ndarray, tuple[np.ndarray, ...]] | None = None
        grids = {
            structure.letter_grid
            for structure in (problem.linear_losses[index].structure for index in relevant)
            if isinstance(structure, (SeparableLoss, LineLoss))
        }
        self._grid: tuple[int, ...] | None = grids.pop() if len(grids) == 1 else None

    def _shifted(self, structure: LossStructure, everything: bool) -> tuple[LossStructure, np.ndarray]:
        """Return the loss at the symbols of positive mass, with its least entries taken off, and these."""
        if isinstance(structure, Table):
            some = None if everything else self.symbols
            matrix, minima = self._shifted_matrix(structure.block(some))
            if isinstance(structure, GridTable) and self.forbidden is None:
                return structure.lowered(matrix, some), minima
            return Table(matrix), minima
        if isinstance(structure, SeparableLoss) and self.forbidden is None:
            lowered, minima = structure.less_row_minima()
            return lowered.at_rows(self.symbols), minima[self.symbols]
        rows = structure.at_rows(self.symbols)
        minima = rows.row_minima(None, self.forbidden)
        if self.forbidden is None and not minima.any():
            return rows, minima
        return Shifted(rows, minima, self.forbidden), minima

    def _shifted_matrix(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.forbidden is not None:
            matrix = np.where(self.forbidden, np.inf, matrix)
        minima = matrix.min(axis=1)
        if minima.any():
            matrix = matrix - minima[:, None]
        if self.forbidden is not None:
            matrix = np.where(self.forbidden, 0.0, matrix)
        return matrix, minima

    @property
    def losses(self) -> tuple[np.ndarray, ...]:
        """The structures as M arrays of shape (n, n_letters)."""
        return tuple(structure.block() for structure in self.structures)

    def losses_of(self, letters: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the shifted losses of the letters, M arrays of shape (n, len(letters)); the last ones are kept."""
        if self._last is None or not np.array_equal(self._last[0], letters):
            self._last = letters.copy(), tuple(structure.block(None, letters) for structure in self.structures)
        return self._last[1]

    def forbidden_of(self, letters: np.ndarray) -> np.ndarray | None:
        """Return the mask of forbidden pairs, shape (n, len(letters)), or None."""
        return None if self.forbidden is None else np.take(self.forbidden, letters, axis=1)

    def kernel(self, multipliers: np.ndarray) -> Kernel:
        """Return the kernel over all letters; the last one made is kept."""
        key = multipliers.tobytes()
        if self._kernel is None or self._kernel[0] != key:
            self._kernel = None  # frees the old matrix before the new one is made
            self._kernel = (key, make_kernel(self.structures, multipliers, self.forbidden))
        return self._kernel[1]

    def kernel_of(self, letters: np.ndarray, multipliers: np.ndarray) -> Kernel:
        """Return the kernel over some letters; nothing of it is kept."""
        losses = tuple(structure.block(None, letters) for structure in self.structures)
        return make_kernel(losses, multipliers, self.forbidden_of(letters))

    def restricted(self, letters: np.ndarray) -> tuple[tuple[Any, ...], np.ndarray | None]:
        """Return losses and mask of some letters, as `make_kernel` takes them.

        They are arrays, since letters are few, except for all letters of losses that are not stored, or on a grid.
        """
        is_plain = all(type(structure) is Table for structure in self.structures)
        if letters.size == self.n_letters and not is_plain and is_all(letters, self.n_letters):
            return self.structures, self.forbidden
        return self.tables(letters)

    def tables(self, letters: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray | None]:
        """Return losses and mask of some letters, all of them arrays."""
        return self.losses_of(letters), self.forbidden_of(letters)

    @property
    def is_stored(self) -> bool:
        """Whether every loss is an array in memory."""
        return all(isinstance(structure, Table) for structure in self.structures)

    def cheapest(self, weights: np.ndarray, letters: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the letter with the least weighted loss for each symbol, and what it costs.

        Parameters
        ----------
        weights : numpy.ndarray
            Shape (M,).
        letters : numpy.ndarray, optional
            The letters to choose from; by default all.

        Returns
        -------
        choice : numpy.ndarray
            Shape (n,): places in `letters`.
        costs : numpy.ndarray
            Shape (M, n): every loss of the choice; inf where a symbol has no letter.
        """
        if letters is None and self.forbidden is None:
            along_axes = _cheapest_on_grid(self.structures, weights)
            if along_axes is not None:
                return along_axes
        size = self.n_letters if letters is None else letters.size
        choice = np.empty(self.p.size, dtype=np.intp)
        costs = np.empty((len(self.structures), self.p.size))
        for rows in row_blocks((self.p.size, size)):
            blocks = [structure.block(rows, letters) for structure in self.structures]
            mixed = sum(weight * block for weight, block in zip(weights, blocks, strict=True) if weight)
            mixed = np.zeros(blocks[0].shape) if isinstance(mixed, int) else mixed
            if self.forbidden is not None:
                mixed = np.where(Table(self.forbidden).block(rows, letters), np.inf, mixed)
            best = mixed.argmin(axis=1)
            at = np.arange(best.size), best
            choice[rows] = best
            for row, block in enumerate(blocks):
                costs[row, rows] = np.where(np.isinf(mixed[at]), np.inf, block[at])
        return choice, costs

    def spread_evenly(self, count: int) -> np.ndarray:
        """Return about so many letters, evenly spread over the list, or over the grid that they form."""
        if self._grid is None:
            return np.unique(np.linspace(0, self.n_letters - 1, min(count, self.n_letters)).astype(np.intp))
        # as many on an axis as makes their product the count, however long the axes are
        shares = np.array(self._grid, dtype=float)
        step = max((np.prod(shares) / max(count, 1)) ** (1 / shares.size), 1.0)
        places = [
            np.unique(np.linspace(0, side - 1, max(int(np.ceil(side / step)), 1)).astype(np.intp))
            for side in self._grid
        ]
        return np.ravel_multi_index(np.meshgrid(*places, indexing="ij"), self._grid).ravel()

    def peaks(self, prices: np.ndarray) -> np.ndarray:
        """Return a mask of the letters that no neighbour on the list, or on the grid, is dearer than."""
        tensor = prices if self._grid is None else prices.reshape(self._grid)
        is_peak = np.ones(tensor.shape, dtype=bool)
        for axis in range(tensor.ndim):
            ahead = [slice(None)] * tensor.ndim
            behind = list(ahead)
            ahead[axis], behind[axis] = slice(1, None), slice(None, -1)
            is_peak[tuple(ahead)] &= tensor[tuple(ahead)] >= tensor[tuple(behind)]
            is_peak[tuple(behind)] &= tensor[tuple(behind)] >= tensor[tuple(ahead)]
        return is_peak.ravel()

    def price(self, log_v: np.ndarray, multipliers: np.ndarray) -> Pricing:
        """Return the price of every letter; `log_v` holds u in the shifted losses' scale, shape (n,)."""
        kernel = self.kernel(multipliers)
        if not np.isfinite(kernel.relative_error):
            kernel = BlockKernel(self.structures, multipliers, self.forbidden)
        prices = kernel.rmatvec(self.p * np.exp(log_v + kernel.log_scale))
        return Pricing(prices, float(prices.max()), proved=True)


def _cheapest_on_grid(
    structures: tuple[LossStructure, ...], weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the cheapest letters and what they cost where all losses are sums over one grid's axes, else None.

    The cheapest letter then has the cheapest place along every axis.
    """
    found = [separable(structure) for structure in structures]
    grids = {(one[0].grid, one[0].letter_grid) for one in found if one is not None}
    if None in found or len(grids) != 1:
        return None
    losses, rows = [one[0] for one in found if one is not None], found[0][1]  # type: ignore[index]
    first = losses[0]
    n_axes = len(first.grid)
    mixed = [sum(weight * loss.tables[d] for weight, loss in zip(weights, losses, strict=True)) for d in range(n_axes)]
    best = [np.asarray(table).argmin(axis=1) for table in mixed]
    places = np.meshgrid(*best, indexing="ij")
    every = slice(None) if rows is None else rows
    choice = np.ravel_multi_index(places, first.letter_grid).ravel()[every]
    costs = [
        outer_sum([table[np.arange(at.size), at] for table, at in zip(loss.tables, best, strict=True)])[every]
        for loss in losses
    ]
    return choice, np.array(costs)
