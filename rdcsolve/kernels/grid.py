"""The kernel of losses that are sums over the axes of a grid: a Kronecker product of one small matrix per axis."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from rdcsolve.kernels.blocks import EPS, BlockKernel
from rdcsolve.kernels.kernel import of_grid
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
        active = np.flatnonzero(multipliers).tolist()
        found = [one for one in (of_grid(losses[m]) for m in active) if one is not None]
        parts = [(one.whole, multipliers[m]) for m, one in zip(active, found, strict=True)]
        whole, self.rows, self.letters = found[0]
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
        """Return whether the losses are separable over one grid, at the same of its rows, letters in the same order."""
        found = [of_grid(loss) for loss in losses]
        some = [one for one in found if one is not None]
        if len(some) < len(found):
            return False
        first = some[0]
        return all(
            one.whole.grid == first.whole.grid
            and one.whole.letter_grid == first.whole.letter_grid
            and _same(one.rows, first.rows)
            and _same(one.letters, first.letters)
            for one in some
        )

    @property
    def has_gram(self) -> bool:
        """Whether Gram matrices need no columns."""
        return self._midpoints is not None

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return self._forward(self.factors, q)

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        return self._backward(self.factors, weights)

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return some of the entries, in the kernel's row scale, as products of the factors' entries."""
        of_grid = np.arange(self.shape[0]) if self.rows is None else self.rows
        at_rows = np.unravel_index(of_grid if rows is None else of_grid[rows], self.grid)
        in_order = self.letters is None and letters is None
        at_letters = None if in_order else np.unravel_index(self._places(letters), self.letter_grid)
        return combined(np.multiply, self.factors, at_rows, at_letters)

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m); by midpoints where the loss allows it.

        Squared error on an even grid has K_ia K_ib = exp(-lambda (a - b)^2 / 2) exp(-2 lambda (x_i - (a + b) / 2)^2):
        one more Kronecker product, with a grid of half steps, and a gather of m^2 numbers.
        """
        if self._midpoints is None:
            return super().gram(weights, letters)
        from rdcsolve.kernels.grid_gather import gathered

        seen, factor = self._embedded(weights).reshape(self.grid), self._apart
        for middle, _ in self._midpoints:
            seen = np.tensordot(seen, middle, axes=(0, 0))
        # on the grid of half steps the midpoint of letters at f and g is at f + g, and what they are apart at f - g
        places = np.ravel_multi_index(np.unravel_index(self._places(letters), self.letter_grid), seen.shape)
        gram = np.empty((places.size, places.size))
        gathered(seen.ravel(), factor, places.astype(np.uint64), np.uint64(factor.size // 2), gram)
        return gram

    @cached_property
    def _apart(self) -> np.ndarray:
        """Return exp(-lambda distance^2 / 2) of two letters by the difference of their places on half steps."""
        total = np.ones(1)
        for _, apart in self._midpoints or []:
            total = np.multiply.outer(total, np.r_[apart[:0:-1], apart]).ravel()
        return total

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
        found = of_grid(self.losses[m])
        if found is None or found.whole.grid != self.grid or found.whole.letter_grid != self.letter_grid:
            return None
        return found.whole.tables if _same(found.letters, self.letters) else None

    def _with(self, d: int, table: np.ndarray) -> list[np.ndarray]:
        return [factor * table if e == d else factor for e, factor in enumerate(self.factors)]

    def _forward(self, factors: Sequence[np.ndarray], q: np.ndarray) -> np.ndarray:
        if self.letters is not None:
            listed, q = q, np.empty(q.size)
            q[self.letters] = listed
        tensor = q.reshape(self.letter_grid)
        for factor in factors:  # the axis that is summed goes last: after all of them the order is back
            tensor = np.tensordot(tensor, factor, axes=(0, 1))
        flat = tensor.ravel()
        return flat if self.rows is None else flat[self.rows]

    def _backward(self, factors: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        tensor = self._embedded(weights).reshape(self.grid)
        for factor in factors:
            tensor = np.tensordot(tensor, factor, axes=(0, 0))
        flat = tensor.ravel()
        return flat if self.letters is None else flat[self.letters]

    def _places(self, letters: Selection) -> np.ndarray:
        """Return where letters are in the grid's own order."""
        every = np.arange(self.shape[1]) if self.letters is None else self.letters
        return every if letters is None else every[letters]

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
