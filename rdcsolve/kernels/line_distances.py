"""Products with exp(-s |x - y|) between points of the line, in O(n + k), by recursions; and its inverse.

What all letters to the left of a point add up to is what they did at the point before, times exp(-s step), so that one
sweep in each direction is a product. Such sums as unknowns, tied to their neighbours' alone, make Newton's matrix of
all letters one with a few diagonals (as for a Markov process on the line): a step costs O(n).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_BELOW, _ABOVE = 4, 6  # diagonals of the equations of `AbsoluteProducts.factorised`


class AbsoluteProducts:
    """K = exp(-s |x - y|) and K o |x - y|, K o |x - y|^2 as operators.

    All terms of a product with a non-negative vector are non-negative, and nothing is subtracted.

    Parameters
    ----------
    x, y : numpy.ndarray
        Shapes (n,) and (k,), increasing.
    steepness : float
        s > 0.
    scale : numpy.ndarray
        Shape (n,): what is taken off every row's exponents.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, steepness: float, scale: np.ndarray) -> None:
        self.x, self.y, self.steepness, self.scale = x, y, steepness, scale
        self.is_square = x is y
        self._raised = np.exp(-scale)
        if self.is_square:
            self._all = x
        else:
            self._all = np.union1d(x, y)
            self._at_x, self._at_y = np.searchsorted(self._all, x), np.searchsorted(self._all, y)
        self._steps = np.diff(self._all)
        self._decays = np.exp(-steepness * self._steps)

    def forward(self, q: np.ndarray, power: int = 0) -> np.ndarray:
        """Return (K o L^power) q, shape (n,)."""
        if self.is_square:
            return np.asarray(self._raised * self._swept(q, power))
        everywhere = np.zeros(self._all.size)
        everywhere[self._at_y] = q
        return np.asarray(self._raised * self._swept(everywhere, power)[self._at_x])

    def backward(self, weights: np.ndarray, power: int = 0) -> np.ndarray:
        """Return (K o L^power)' weights, shape (k,)."""
        scaled = weights * self._raised
        if self.is_square:
            return self._swept(scaled, power)
        everywhere = np.zeros(self._all.size)
        everywhere[self._at_x] = scaled
        return self._swept(everywhere, power)[self._at_y]

    def _swept(self, values: np.ndarray, power: int) -> np.ndarray:
        from rdcsolve.kernels.line_sweeps import sweep

        total = np.zeros(values.size)
        sweep(np.ascontiguousarray(values), self._steps, self._decays, power, total)
        return total

    def gram(self, weights: np.ndarray, letters: np.ndarray) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m)."""
        from rdcsolve.kernels.line_sweeps import gram_of_letters

        order = np.argsort(letters)
        y = self.y[letters[order]]
        scaled = weights * self._raised**2
        gram = np.empty((y.size, y.size))
        gram_of_letters(self.x, scaled, y, self.steepness, gram)
        back = np.argsort(order)
        return np.asarray(gram[np.ix_(back, back)])

    def factorised(self, weights: np.ndarray, scaling: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return what solves (S K' W K S + I) x = b, for S = diag(scaling) over all letters, which are the symbols.

        With g = S x, F the sums of g from the left (a place with itself) and G those from the right (without), K g is
        F + G; with A and B the same of W K g, x + S (A + B) = b. These are four unknowns a place, each tied to its
        neighbours' alone. Points may be as close as they like: steps occur in exp(-s step) only, and no inverse of K
        is made, whose entries grow as steps shrink.
        """
        from scipy.linalg import lapack

        n, squares, w = self.x.size, scaling * scaling, weights * self._raised**2
        decays = np.r_[self._decays, 0.0]  # to the next place
        before, following = np.r_[0.0, self._decays], np.r_[squares[1:], 0.0]
        after = np.r_[w[1:], 0.0]
        to_left, to_right, from_left, from_right = (1 / (1 + part) for part in (squares, following, w, after))
        bands = np.zeros((2 * _BELOW + _ABOVE + 1, 4 * n), order="F")  # as LAPACK has it, which works in place

        def put(row: int, column: int, places: int, values: np.ndarray) -> None:
            """Put values into an equation's row, at an unknown of the place itself (0), the next or the last one."""
            first, last = max(-places, 0), n - max(places, 0)  # of the equations that have such a neighbour
            begin = column + 4 * (first + places)
            band = bands[_BELOW + _ABOVE + row - column - 4 * places]
            band[begin : begin + 4 * (last - first) : 4] = values[first:last]

        for row, side, decay, scale in ((0, -1, before, to_left), (2, -1, before, from_left)):
            put(row, row, 0, scale)
            put(row, row, side, -decay * scale)
        for row, scale in ((1, to_right), (3, from_right)):
            put(row, row, 0, scale)
            put(row, row, 1, -decays * scale)
        for column in (2, 3):
            put(0, column, 0, squares * to_left)
            put(1, column, 1, decays * following * to_right)
        for column in (0, 1):
            put(2, column, 0, -w * from_left)
            put(3, column, 1, -decays * after * from_right)
        factor, pivots, info = lapack.dgbtrf(bands, _BELOW, _ABOVE, overwrite_ab=1)
        if info:
            raise np.linalg.LinAlgError(f"the Newton matrix of the line is singular at {info}")

        def solved(right: np.ndarray) -> np.ndarray:
            if right.ndim == 2:
                return np.stack([solved(column) for column in right.T], axis=1)
            whole = np.zeros((n, 4))
            whole[:, 0] = scaling * right * to_left
            whole[:-1, 1] = (decays[:-1] * (scaling * right)[1:]) * to_right[:-1]
            sums, _ = lapack.dgbtrs(factor, _BELOW, _ABOVE, whole.ravel(), pivots, overwrite_b=1)
            sums = sums.reshape(n, 4)
            # of two ways to x the one that subtracts less: letters that matter are what is new in their sums
            new = sums[:, 0].copy()
            new[1:] -= self._decays * sums[:-1, 0]
            return np.asarray(np.where(squares > 1, new / scaling, right - scaling * (sums[:, 2] + sums[:, 3])))

        return solved
