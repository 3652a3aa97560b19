"""Products with exp(-s (x - y)^2) between points of the line, in O(n + k), by interpolation between Chebyshev nodes.

The line is cut into blocks half a kernel's width long. In a block the kernel is a polynomial of degree 15 to within
1e-16 of its largest value, so that points are worth their block's nodes, and nodes of all blocks at one distance from
each other share one small matrix.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

_NODES = 16
_WIDTH = 0.56  # of a block, in kernel widths 1 / sqrt(s)
_REACH = 27.0  # kernel widths: exp(-27^2) is below the least float
_AT_A_TIME = 1 << 16  # points
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
            return np.asarray(found * np.exp(-self.scale))
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
        places, blocks = self.at_x.places, self.at_x.block_of
        tilt = base[:, 0][blocks] - s * places * (places + 2 * mean[blocks]) - self.scale
        with np.errstate(over="ignore"):
            return np.asarray(self.at_x.interpolated(values) * np.exp(tilt))

    def backward(self, weights: np.ndarray, power: int = 0) -> np.ndarray:
        """Return (K o L^power)' weights, shape (k,), to within 1e-15 of the sum of its largest terms' sizes."""
        scaled = weights * np.exp(-self.scale)
        return self._all(self.at_x.gathered(scaled), self.at_y, power, bool((weights >= 0).all()))

    def _all(self, nodes: np.ndarray, there: _Interpolation, power: int, is_positive: bool) -> np.ndarray:
        product = there.interpolated(self.blocks.product(nodes, power))
        return np.maximum(product, 0.0 if power else _LEAST) if is_positive else product

    def gram(self, weights: np.ndarray, letters: np.ndarray) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m)."""
        s, blocks = self.steepness, self.blocks
        total = np.zeros((letters.size, letters.size))
        y = self.y[letters]
        for b, gram in self.at_x.grams(weights * np.exp(-2 * self.scale)):
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
        angles = (2 * np.arange(_NODES) + 1) * np.pi / (2 * _NODES)
        self.nodes = np.cos(angles)
        self.offsets = self.nodes * self.width / 2
        self.barycentric = (-1.0) ** np.arange(_NODES) * np.sin(angles)
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
    """What points of the line are worth at the nodes of their blocks."""

    def __init__(self, points: np.ndarray, blocks: _Blocks) -> None:
        cuts = np.searchsorted(points, blocks.edges[1:-1])
        self.cuts = [0, *cuts.tolist(), points.size]
        self.block_of = np.repeat(np.arange(blocks.centres.size), np.diff(self.cuts))
        self.places = points - blocks.centres[self.block_of]
        self.matrix = np.empty((points.size, _NODES))
        for start in range(0, points.size, _AT_A_TIME):
            some = slice(start, start + _AT_A_TIME)
            apart = self.places[some, None] * (2 / blocks.width) - blocks.nodes
            hit = apart == 0
            apart[hit] = 1.0
            rows = np.divide(blocks.barycentric, apart, out=apart)
            at_node = hit.any(axis=1)
            rows[at_node] = hit[at_node]
            rows /= rows.sum(axis=1, keepdims=True)
            self.matrix[some] = rows

    def _parts(self) -> list[tuple[int, slice]]:
        pairs = zip(self.cuts[:-1], self.cuts[1:], strict=True)
        return [(b, slice(start, stop)) for b, (start, stop) in enumerate(pairs) if stop > start]

    def gathered(self, weights: np.ndarray) -> np.ndarray:
        """Return weights of the points as weights of the nodes, shape (blocks, nodes)."""
        nodes = np.zeros((len(self.cuts) - 1, _NODES))
        for b, some in self._parts():
            nodes[b] = weights[some] @ self.matrix[some]
        return nodes

    def interpolated(self, values: np.ndarray) -> np.ndarray:
        """Return values at the points from those at the nodes, shape (blocks, nodes)."""
        found = np.empty(self.places.size)
        for b, some in self._parts():
            np.dot(self.matrix[some], values[b], out=found[some])
        return found

    def grams(self, weights: np.ndarray) -> list[tuple[int, np.ndarray]]:
        """Return the blocks with their weighted Gram matrices, shape (nodes, nodes)."""
        found = []
        for b, some in self._parts():
            total = np.zeros((_NODES, _NODES))
            for start in range(some.start, some.stop, _AT_A_TIME):
                part = slice(start, min(start + _AT_A_TIME, some.stop))
                total += (self.matrix[part] * weights[part, None]).T @ self.matrix[part]
            found.append((b, total))
        return found
