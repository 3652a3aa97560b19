"""The letters of a finite problem, with the losses that matter: what its solvers and column generation work on.

Over symbols without labels `SplitSpace` is the letter space, and the exchange works on it; but finite problems do not
need it. They are what the exchange solves in every round, with any solver, column generation among them: that shifts
and masks losses, repairs the bound letter by letter and keeps one kernel over the whole alphabet, none of which a list
of letters that comes and goes could.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rdcsolve.kernels import DenseKernel
from rdcsolve.problems import Problem


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
    losses : tuple of numpy.ndarray
        M arrays of shape (n, n_letters): shifted, zero at forbidden pairs.
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
            matrix = problem.linear_losses[index].matrix
            matrix = matrix if everything else matrix[self.symbols]
            if self.forbidden is not None:
                matrix = np.where(self.forbidden, np.inf, matrix)
            self.shifts[row] = matrix.min(axis=1)
            if self.shifts[row].any():
                matrix = matrix - self.shifts[row][:, None]
            if self.forbidden is not None:
                matrix = np.where(self.forbidden, 0.0, matrix)
            kept.append(matrix)
        self.losses = tuple(kept)
        self.n_letters = problem.n_letters
        self._kernel: tuple[bytes, DenseKernel] | None = None

    def losses_of(self, letters: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the shifted losses of the letters, M arrays of shape (n, len(letters))."""
        return tuple(np.take(loss, letters, axis=1) for loss in self.losses)

    def forbidden_of(self, letters: np.ndarray) -> np.ndarray | None:
        """Return the mask of forbidden pairs, shape (n, len(letters)), or None."""
        return None if self.forbidden is None else np.take(self.forbidden, letters, axis=1)

    def kernel(self, multipliers: np.ndarray) -> DenseKernel:
        """Return the kernel over all letters; the last one made is kept."""
        key = multipliers.tobytes()
        if self._kernel is None or self._kernel[0] != key:
            self._kernel = None  # frees the old matrix before the new one is made
            self._kernel = (key, DenseKernel(self.losses, multipliers, self.forbidden))
        return self._kernel[1]

    def price(self, log_v: np.ndarray, multipliers: np.ndarray) -> Pricing:
        """Return the price of every letter; `log_v` holds u in the shifted losses' scale, shape (n,)."""
        kernel = self.kernel(multipliers)
        prices = kernel.rmatvec(self.p * np.exp(log_v + kernel.log_scale))
        return Pricing(prices, float(prices.max()), proved=True)
