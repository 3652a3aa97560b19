"""The kernel of losses that are sums over the axes of a grid: a Kronecker product of one small matrix per axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from rdcsolve.kernels.blocks import EPS, BlockKernel
from rdcsolve.kernels.kernel import separable
from rdcsolve.problems.separable import combined, outer_sum
from rdcsolve.problems.structures import LossStructure, Selection

_UNIFORM = 1e-12  # how far a loss may be from squared error on even grids, relatively, for Gram matrices by midpoints


class GridKernel(BlockKernel):
    """K = K_1 x ... x K_d for K_d = exp(-lambda.T_d), T_d the losses' tables of axis d; see `Kernel`.

    A product with N letters on each of d axes costs O(N^(d+1)) in place of N^(2d), and nothing larger than a vector is
    stored. All terms of a product with a non-negative vector are non-negative, so its relative error is that of d sums.

    Parameters
    ----------
    losses : sequence of LossStructure
        M >= 1. Those with a multiplier are separable over one grid, or the same rows of such.
    multipliers : numpy.ndarray
        Shape (M,), >= 0, one of them positive.
    """

    def __init__(self, losses: Sequence[LossStructure], multipliers: np.ndarray) -> None:
        found = [
            (separable(loss), multiplier) for loss, multiplier in zip(losses, multipliers, strict=True) if multiplier
        ]
        parts = [(one[0], multiplier) for one, multiplier in found if one is not None]
        whole = parts[0][0]
        self.rows = found[0][0][1]  # type: ignore[index]
        self.grid, self.letter_grid = whole.grid, whole.letter_grid
        exponents = [
            np.sum([-multiplier * loss.tables[d] for loss, multiplier in parts], axis=0) for d in range(len(self.grid))
        ]
        tops = [exponent.max(axis=1) for exponent in exponents]
        self.factors = [np.exp(exponent - top[:, None]) for exponent, top in zip(exponents, tops, strict=True)]
        scale = outer_sum(tops)
        super().__init__(losses, multipliers, log_scale=scale if self.rows is None else scale[self.rows])
        self.relative_error = EPS * (64 + sum(self.grid) + sum(self.letter_grid))

    @staticmethod
    def suits(losses: Sequence[LossStructure]) -> bool:
        """Return whether the losses are separable over one grid, at the same of its rows."""
        found = [separable(loss) for loss in losses]
        some = [one for one in found if one is not None]
        if len(some) < len(found):
            return False
        first, rows = some[0]
        return all(
            whole.grid == first.grid and whole.letter_grid == first.letter_grid and _same(these, rows)
            for whole, these in some
        )

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return self._forward(self.factors, q)

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        return self._backward(self.factors, weights)

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return some of the entries, in the kernel's row scale, as products of the factors' entries."""
        n, k = self.shape
        of_grid = np.arange(n) if self.rows is None else self.rows
        at_rows = np.unravel_index(of_grid if rows is None else of_grid[rows], self.grid)
        at_letters = None if letters is None else np.unravel_index(np.arange(k)[letters], self.letter_grid)
        return combined(np.multiply, self.factors, at_rows, at_letters)

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m); by midpoints where the loss allows it.

        Squared error on an even grid has K_ia K_ib = exp(-lambda (a - b)^2 / 2) exp(-2 lambda (x_i - (a + b) / 2)^2):
        one more Kronecker product, with a grid of half steps, and a gather of m^2 numbers.
        """
        if self._midpoints is None:
            return super().gram(weights, letters)
        letters = np.arange(self.shape[1]) if letters is None else letters
        seen = self._embedded(weights).reshape(self.grid)
        for middle, _ in self._midpoints:
            seen = np.tensordot(seen, middle, axes=(0, 0))
        places = np.unravel_index(letters, self.letter_grid)
        flat = np.zeros((letters.size, letters.size), dtype=np.intp)
        scale = np.ones((letters.size, letters.size))
        for a, side, (_, apart) in zip(places, seen.shape, self._midpoints, strict=True):
            flat *= side
            flat += a[:, None] + a
            scale *= apart[np.abs(a[:, None] - a)]
        scale *= seen.ravel()[flat]
        return scale

    @cached_property
    def _midpoints(self) -> list[tuple[np.ndarray, np.ndarray]] | None:
        """Return for each axis exp(-2 lambda (x - midpoint)^2) and exp(-lambda distance^2 / 2), or None."""
        parts = []
        for factor in self.factors:
            found = _gaussian_parts(factor)
            if found is None:
                return None
            parts.append(found)
        return parts

    def loss_matvec(self, m: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m) q, shape (n,)."""
        tables = self._tables(m)
        if tables is None:
            return super().loss_matvec(m, q)
        return sum(self._forward(self._with(d, table), q) for d, table in enumerate(tables))  # type: ignore[return-value]

    def loss_rmatvec(self, m: int, weights: np.ndarray) -> np.ndarray:
        """Return (K o L_m)' weights, shape (k,)."""
        tables = self._tables(m)
        if tables is None:
            return super().loss_rmatvec(m, weights)
        return sum(  # type: ignore[return-value]
            self._backward(self._with(d, table), weights) for d, table in enumerate(tables)
        )

    def second(self, m: int, other: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m o L_other) q, shape (n,): d^2 products."""
        first, second = self._tables(m), self._tables(other)
        if first is None or second is None:
            return super().second(m, other, q)
        total = np.zeros(self.shape[0])
        for d, table in enumerate(first):
            once = self._with(d, table)
            for e, more in enumerate(second):
                twice = list(once)
                twice[e] = twice[e] * more
                total += self._forward(twice, q)
        return total

    def _tables(self, m: int) -> tuple[np.ndarray, ...] | None:
        found = separable(self.losses[m])
        if found is None or found[0].grid != self.grid or found[0].letter_grid != self.letter_grid:
            return None
        return found[0].tables

    def _with(self, d: int, table: np.ndarray) -> list[np.ndarray]:
        return [factor * table if e == d else factor for e, factor in enumerate(self.factors)]

    def _forward(self, factors: Sequence[np.ndarray], q: np.ndarray) -> np.ndarray:
        tensor = q.reshape(self.letter_grid)
        for factor in factors:  # the axis that is summed goes last: after all of them the order is back
            tensor = np.tensordot(tensor, factor, axes=(0, 1))
        flat = tensor.ravel()
        return flat if self.rows is None else flat[self.rows]

    def _backward(self, factors: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        tensor = self._embedded(weights).reshape(self.grid)
        for factor in factors:
            tensor = np.tensordot(tensor, factor, axes=(0, 0))
        return tensor.ravel()

    def _embedded(self, weights: np.ndarray) -> np.ndarray:
        """Return weights of the whole grid, zero where it has no row."""
        if self.rows is None:
            return weights
        everywhere = np.zeros(int(np.prod(self.grid)))
        everywhere[self.rows] = weights
        return everywhere


def _same(left: np.ndarray | None, right: np.ndarray | None) -> bool:
    return left is right or (left is not None and right is not None and np.array_equal(left, right))


def _gaussian_parts(factor: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Return exp(-2 s (i - j/2)^2), shape (N, 2 N - 1), and exp(-s j^2 / 2), shape (N,), for exp(-s (i - a)^2).

    s is the multiplier times the square of the grid's step; None if the factor is anything else.
    """
    size = factor.shape[0]
    if factor.shape != (size, size) or size < 3:
        return None
    with np.errstate(divide="ignore"):
        steepness = -float(np.log(factor[0, 1]))
    if not 0 < steepness < 100.0:
        return None
    places = np.arange(size)
    away = (places[:, None] - places) ** 2
    exact = np.exp(-steepness * away)
    if not np.allclose(factor, exact, rtol=_UNIFORM * max(1.0, float(away.max())), atol=1e-300):
        return None
    halves = np.arange(2 * size - 1) / 2
    return np.exp(-2 * steepness * (places[:, None] - halves) ** 2), np.exp(-0.5 * steepness * places**2.0)
