"""Products with exp(-s (x - y)^2) between points of the line, in O(n + k), by interpolation between Chebyshev nodes.

The line is cut into blocks half a kernel's width long. In a block the kernel is a polynomial of degree 15 to within
1e-16 of its largest value, so that points are worth their block's nodes, and nodes of all blocks at one distance from
each other share one small matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

_NODES = 16
_WIDTH = 0.56  # of a block, in kernel widths 1 / sqrt(s)
_REACH = 27.0  # kernel widths: exp(-27^2) is below the least float
_DIRECT = 1 << 24  # pairs of node and letter that are looked at one by one
_LEAST = 1e-300


class SquaredProducts:
    """K = exp(-s (x - y)^2) and K o (x - y)^2, K o (x - y)^4 as operators.

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
        self.blocks = _Blocks(min(x[0], y[0]), max(x[-1], y[-1]), steepness)
        self.is_square = x is y

    @staticmethod
    def n_nodes(low: float, high: float, steepness: float) -> float:
        """Return how many nodes a line takes."""
        return float(_NODES * ((high - low) * steepness**0.5 / _WIDTH + 1))

    @cached_property
    def at_x(self) -> _Interpolation:
        """What the symbols are worth at the nodes of their blocks."""
        return _Interpolation(self.x, self.blocks)

    @cached_property
    def at_y(self) -> _Interpolation:
        """The same of the letters."""
        return self.at_x if self.is_square else _Interpolation(self.y, self.blocks)

    def forward(self, q: np.ndarray, power: int = 0) -> np.ndarray:
        """Return (K o L^power) q, shape (n,); each entry to within 1e-13 of the sum of its terms' sizes if q is sparse.

        Otherwise to within 1e-15 of the largest entry. The sum of a few letters, as a function of the place s in a
        block, is exp(-s^2 - 2 z s) times a sum of exponentials of small slopes, z being the mean distance of the
        letters, by what they contribute: that sum is what is interpolated, so that it is right where it is tiny too.
        """
        used = np.flatnonzero(q)
        if used.size * self.blocks.centres.size * _NODES > _DIRECT:
            found = self._all(self.at_y.gathered(q), self.at_x, power, bool((q >= 0).all()))
            return np.asarray(found * self._unscaled)
        if not used.size:
            return np.zeros(self.x.size)
        s, centres, offsets = self.steepness, self.blocks.centres, self.blocks.offsets
        apart = centres[:, None] - self.y[used]
        exponents = -s * apart**2
        base = exponents.max(axis=1, keepdims=True)
        parts = np.exp(exponents - base) * np.abs(q[used])
        mean = (parts * apart).sum(axis=1) / np.maximum(parts.sum(axis=1), _LEAST)
        values = np.empty((centres.size, _NODES))
        for j, offset in enumerate(offsets.tolist()):
            terms = np.exp(exponents - base - 2 * s * offset * (apart - mean[:, None]))
            if power:
                terms *= (apart + offset) ** (2 * power)
            values[:, j] = terms @ q[used]
        found = self.at_x.interpolated(values)
        tilt = self.at_x.tilts(base[:, 0], mean, s)
        tilt -= self.scale
        with np.errstate(over="ignore"):
            found *= np.exp(tilt, out=tilt)
        return found

    def backward(self, weights: np.ndarray, power: int = 0) -> np.ndarray:
        """Return (K o L^power)' weights, shape (k,), to within 1e-15 of the sum of its largest terms' sizes."""
        return self._all(self.at_x.gathered(weights * self._unscaled), self.at_y, power, bool((weights >= 0).all()))

    def _all(self, nodes: np.ndarray, there: _Interpolation, power: int, is_positive: bool) -> np.ndarray:
        product = there.interpolated(self.blocks.product(nodes, power))
        return np.maximum(product, 0.0 if power else _LEAST, out=product) if is_positive else product

    @cached_property
    def _unscaled(self) -> np.ndarray | float:
        """What the row scale divides entries by: one where it is nothing, as between points and themselves."""
        return np.exp(-self.scale) if self.scale.any() else 1.0

    def gram(self, weights: np.ndarray, letters: np.ndarray) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m)."""
        s, blocks = self.steepness, self.blocks
        total = np.zeros((letters.size, letters.size))
        y = self.y[letters]
        for b, gram in self.at_x.grams(weights * self._unscaled * self._unscaled):
            columns = np.exp(-s * (blocks.centres[b] + blocks.offsets[:, None] - y) ** 2)
            total += columns.T @ (gram @ columns)
        return total


class _Blocks:
    """Blocks of equal width that cover an interval, with Chebyshev nodes."""

    def __init__(self, low: float, high: float, steepness: float) -> None:
        count = max(int(np.ceil((high - low) * np.sqrt(steepness) / _WIDTH)), 1)
        self.steepness, self.edges = steepness, np.linspace(low, high, count + 1)
        self.centres = (self.edges[:-1] + self.edges[1:]) / 2
        self.width = max(float(high - low) / count, 1e-300)
        self.angles = (2 * np.arange(_NODES) + 1) * np.pi / (2 * _NODES)
        self.offsets = np.cos(self.angles) * self.width / 2
        self.furthest = min(count - 1, int(_REACH / (np.sqrt(steepness) * self.width)) + 1)

    def product(self, values: np.ndarray, power: int) -> np.ndarray:
        """Return the kernel between all nodes, times values at them, shape (blocks, nodes)."""
        total, count = np.zeros(values.shape), values.shape[0]
        for away in range(-self.furthest, self.furthest + 1):
            squares = (self.offsets[:, None] - self.offsets - away * self.width) ** 2
            small = np.exp(-self.steepness * squares) * squares**power
            here = slice(max(-away, 0), count - max(away, 0))
            there = slice(max(away, 0), count - max(-away, 0))
            total[here] += values[there] @ small.T
        return total


class _Interpolation:
    """What points of the line are worth at the nodes of their blocks, through Chebyshev polynomials.

    Values at the nodes are coefficients of T_0 to T_15, so that nothing is stored beside the points' places; and since
    2 T_j T_k = T_(j + k) + T_|j - k|, a block's weighted Gram matrix is made of 31 moments.
    """

    def __init__(self, points: np.ndarray, blocks: _Blocks) -> None:
        inside = np.searchsorted(points, blocks.edges[1:-1])
        self.cuts = np.r_[0, inside, points.size].astype(np.int64)
        self.places = points - np.repeat(blocks.centres, np.diff(self.cuts))
        self.factor = 2 / blocks.width
        degrees = np.arange(_NODES)
        self.of_values = np.cos(degrees[:, None] * blocks.angles) * np.where(degrees == 0, 1, 2)[:, None] / _NODES
        self.sums, self.differences = degrees[:, None] + degrees, np.abs(degrees[:, None] - degrees)

    def gathered(self, weights: np.ndarray) -> np.ndarray:
        """Return weights of the points as weights of the nodes, shape (blocks, nodes)."""
        return self._moments(weights, _NODES) @ self.of_values

    def interpolated(self, values: np.ndarray) -> np.ndarray:
        """Return values at the points from those at the nodes, shape (blocks, nodes)."""
        from rdcsolve.kernels.line_sums import chebyshev_values

        found = np.empty(self.places.size)
        chebyshev_values(self.places, self.factor, self.cuts, values @ self.of_values.T, found)
        return found

    def tilts(self, base: np.ndarray, mean: np.ndarray, steepness: float) -> np.ndarray:
        """Return base - s x (x + 2 mean) at the points, from the blocks' base and mean."""
        from rdcsolve.kernels.line_sums import tilts

        found = np.empty(self.places.size)
        tilts(self.places, self.cuts, np.ascontiguousarray(base), mean, steepness, found)
        return found

    def grams(self, weights: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the blocks that have points with their weighted Gram matrices, shape (nodes, nodes)."""
        moments = self._moments(weights, 2 * _NODES - 1)
        for b in np.flatnonzero(np.diff(self.cuts)).tolist():
            products = 0.5 * (moments[b][self.sums] + moments[b][self.differences])
            yield b, self.of_values.T @ products @ self.of_values

    def _moments(self, weights: np.ndarray, count: int) -> np.ndarray:
        from rdcsolve.kernels.line_sums import chebyshev_moments

        moments = np.empty((self.cuts.size - 1, count))
        chebyshev_moments(self.places, self.factor, self.cuts, np.ascontiguousarray(weights), moments)
        return moments
