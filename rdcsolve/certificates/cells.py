"""Bounds of prices over cells of soft decisions, and the replay of a tree of them.

A cell is a product over labels of simplices, given by their vertices: an array (N, S) whose row a + v is vertex v of
the label whose classes are a to b, in its first b - a entries. See the page about the certificate file for both bounds
and what they rest on; here are the allowances for what floating point does to them.

With U = LOG_ERROR + N + 8 roundings, a computed eta_i(r) less the row's top errs by at most U times its size and the
row's `sizes`: a sum over classes of power times logarithm, all of one sign, less a number of the size of the top.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.elementary import (
    HIGHEST,
    LOG_ERROR,
    LOWEST,
    Elementary,
    exp_lower,
    exp_upper,
    expm1_upper,
)
from rdcsolve.certificates.proof import PartProof
from rdcsolve.certificates.reductions import Part
from rdcsolve.errors import InvalidInput
from rdcsolve.rounding import EPS, TINY, sum_units, units

_GRID = 2.0**52
_RAISED = 1e-40
_SMALL = 0.25
_MOST_CORNERS = 64
_QUEUE = 1 << 14  # cells that may wait for their bounds
_PAIRS_EACH = 4  # as many times more pairs of cells and columns
_DENSE = 0.15  # share of pairs of cells and columns from which on all are looked at
_ENTRIES = 1 << 14  # of an array of cells and rows that is held at a time


class Cells(NamedTuple):
    """Some cells, and what both bounds need of them; C cells, G rows.

    Attributes
    ----------
    ratios : numpy.ndarray
        Shape (C, N, S): vertices divided by the midpoint, less one.
    middle : numpy.ndarray
        Shape (C, G): eta_i at the midpoint, less the top.
    low, high : numpy.ndarray
        Shape (C, G): bounds of the same on the cell.
    spread : numpy.ndarray
        Shape (C,): the largest size of a ratio.
    """

    ratios: np.ndarray
    middle: np.ndarray
    low: np.ndarray
    high: np.ndarray
    spread: np.ndarray


class CellBounds:
    """Bounds of the prices of one part over cells.

    Parameters
    ----------
    part : Part
    weights : numpy.ndarray
        Shape (J, G): of the columns in question.
    elementary : Elementary
    """

    def __init__(self, part: Part, weights: np.ndarray, elementary: Elementary) -> None:
        self.part, self.weights, self.elementary = part, weights, elementary
        n, n_groups = part.powers.shape
        self.unit = elementary.caution * (LOG_ERROR + units(n + 8))
        self.sum_error = elementary.caution * units(sum_units(n_groups) + 2 * n + 24)
        squares = (part.powers[:, None] * part.powers).reshape(n * n, n_groups)
        self.products = np.concatenate([np.ones((1, n_groups)), part.powers, squares]).T
        self.most_rows = max(1, _ENTRIES // n_groups)
        corners = int(np.prod([b - a for a, b in part.labels]))
        self.has_second = corners <= _MOST_CORNERS

    def bounds(self, cells: np.ndarray, counts: np.ndarray, columns: np.ndarray, settled: float) -> np.ndarray:
        """Return bounds of columns on cells, shape (P,).

        Parameters
        ----------
        cells : numpy.ndarray
            Shape (C, N, S).
        counts : numpy.ndarray
            Shape (C,): how many columns are asked for on each.
        columns : numpy.ndarray
            Shape (P,): those of the first cell, then those of the second, and so on.
        settled : float
            A bound that need not be improved upon.
        """
        found = np.empty(columns.size)
        ends = np.cumsum(counts)
        first, done = 0, 0
        while first < len(cells):
            deadline.look()
            last = int(np.searchsorted(ends, done + _PAIRS_EACH * self.most_rows, side="right"))
            last = min(max(last, first + 1), first + self.most_rows)
            chosen = slice(done, int(ends[last - 1]))
            which = np.repeat(np.arange(last - first), counts[first:last])
            found[chosen] = self._bounds(cells[first:last], which, columns[chosen], settled)
            settled = max(settled, float(found[chosen].max(initial=0.0)))
            first, done = last, chosen.stop
        return found

    def _bounds(self, cells: np.ndarray, which: np.ndarray, columns: np.ndarray, settled: float) -> np.ndarray:
        seen = self._seen(cells)
        bounds = _known(self._first(seen, which, columns))
        if not self.has_second:
            return bounds
        small = (seen.spread < _SMALL) & (self.part.degree * seen.spread**2 < _SMALL)
        again = np.flatnonzero(small[which] & (bounds > settled))
        if again.size:
            used, own = np.unique(which[again], return_inverse=True)
            chosen = Cells(*(table[used] for table in seen))
            better = self._second(chosen, own.ravel(), columns[again])
            bounds[again] = np.minimum(bounds[again], _known(better))
        return bounds

    def _seen(self, cells: np.ndarray) -> Cells:
        """Return what both bounds need of cells; the midpoint is rounded, and then taken as it is."""
        part, n_groups = self.part, self.part.powers.shape[1]
        count = len(cells)
        ratios = np.zeros(cells.shape)
        low, middle, high = (np.zeros((count, n_groups)) for _ in range(3))
        spread = np.zeros(count)
        for k, (a, b) in enumerate(part.labels):
            vertices = cells[:, a:b, : b - a]
            centre = vertices.mean(axis=1)
            ratios[:, a:b, : b - a] = own = vertices / centre[:, None] - 1
            spread = np.maximum(spread, np.abs(own).max(axis=(1, 2)))
            powers, top = part.powers[a:b], part.tops[k]
            ends = _times(self.elementary.log(np.maximum(vertices, _RAISED)), powers) - top
            at_centre = self.elementary.log(centre) @ powers - top
            low += ends.min(axis=1)
            middle += at_centre
            if b - a == 2:
                high += self._highest_of_two(vertices, ends, powers)
            else:
                high += self._highest(own, at_centre, a, b)
        size = part.sizes
        low -= self.unit * (np.abs(low) + size)
        high += self.unit * (np.abs(high) + size)
        return Cells(ratios, middle, low, np.minimum(high, 0.0), spread * (1 + units(4)))

    def _highest_of_two(self, vertices: np.ndarray, ends: np.ndarray, powers: np.ndarray) -> np.ndarray:
        """Return the largest exponent: zero where the mode may lie on the cell, else that of the better end."""
        begin, end = vertices[:, :, 0].min(axis=1)[:, None], vertices[:, :, 0].max(axis=1)[:, None]
        whole = powers[0] + powers[1]
        inside = (powers[0] >= begin * whole * (1 - units(8))) & (powers[0] <= end * whole * (1 + units(8)))
        return np.where(inside, 0.0, ends.max(axis=1))

    def _highest(self, ratios: np.ndarray, at_centre: np.ndarray, a: int, b: int) -> np.ndarray:
        """Return a bound of the largest exponent: B log of the tangent of exp(eta / B), B no less than the powers' sum.

        log(1 + y) <= y - y^2 / 2 + y^3 / 3 for all y > -1; y is rounded up.
        """
        powers = self.part.powers[a:b]
        whole = float(powers.sum(axis=0).max()) * (1 + units(b - a + 4))
        rise = _times(ratios, powers).max(axis=1)
        size = (np.abs(ratios).max(axis=(1, 2))[:, None] + 2) * powers.sum(axis=0)
        caution = self.elementary.caution
        y = (rise + caution * units(2 * (b - a) + 8) * size) / whole
        y = y + EPS * np.abs(y)
        series = y - y * y * (0.5 - y / 3) + caution * units(8) * (np.abs(y) + y * y * (1 + np.abs(y)))
        far = y > 0.5
        if far.any():
            log = self.elementary.log(1 + y[far])
            series[far] = log + caution * (LOG_ERROR * (np.abs(log) + 0.125) + units(2))
        value = at_centre + whole * series
        return np.asarray(np.minimum(value + caution * units(4) * (np.abs(at_centre) + whole * np.abs(series)), 0.0))

    def _first(self, seen: Cells, which: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the bounds by a chord above every term and a tangent above its root, pairs in the order of `which`.

        The chord may be too flat, and what it is multiplied by, fall, may be too large: the line still lies above. The
        ratios err by 3 roundings of 1 + spread, the products by the terms listed in `error`.
        """
        part, degree = self.part, self.part.degree
        drop = (seen.high - seen.low) * (1 + self.elementary.caution * units(4))
        chord = np.maximum(self._chord(drop, degree), 1.0)
        middle = seen.middle + self.unit * (np.abs(seen.middle) + part.sizes)
        root = (middle - seen.high) / degree
        root = root + self.elementary.caution * units(4) * (np.abs(middle) + np.abs(seen.high)) / degree
        fall = expm1_upper(self.elementary, root)
        scale = exp_upper(self.elementary, seen.high)
        wide = 1 + seen.spread[:, None]
        steep = chord * (1 + fall)
        error = self.sum_error * (1 + chord * np.abs(fall) + 2 * steep * wide) + TINY
        constant = scale * (1 + chord * fall + error)
        slope = scale * steep / degree
        bounds, moments = self._summed(constant, slope, which, columns)
        for a, b in part.labels:
            own = np.einsum("ps,pvs->pv", moments[:, a:b], seen.ratios[which, a:b, : b - a])
            bounds += own.max(axis=1)
        return bounds

    def _summed(
        self, constant: np.ndarray, slope: np.ndarray, which: np.ndarray, columns: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs' sums over rows of weight times constant, (P,), and times slope times powers, (P, N)."""
        powers = self.part.powers
        count, n_groups = constant.shape
        if columns.size > _DENSE * count * len(self.weights):  # all columns on all cells: one matrix product
            table = np.concatenate([constant[:, None], slope[:, None] * powers], axis=1)
            sums = (self.weights @ table.reshape(-1, n_groups).T).reshape(len(self.weights), count, -1)[columns, which]
            return sums[:, 0].copy(), sums[:, 1:]
        weights = self.weights[columns]
        return np.einsum("pg,pg->p", weights, constant[which]), (weights * slope[which]) @ powers.T

    def _chord(self, drop: np.ndarray, degree: float) -> np.ndarray:
        """Return numbers not above (1 - exp(-drop)) / (1 - exp(-drop / degree)) >= degree (1 - drop / 2)."""
        above = 1.0 - exp_upper(self.elementary, np.maximum(-drop, LOWEST)) - EPS
        below = 1.0 - exp_lower(self.elementary, -drop / degree) + EPS
        quotient = above / below
        return np.maximum(quotient - units(4) * np.abs(quotient), degree * (1.0 - 0.5 * drop) * (1 - units(6)))

    def _second(self, seen: Cells, which: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return the bounds by the expansion of the price to second order."""
        part = self.part
        long, square = np.zeros(seen.middle.shape), np.zeros(seen.middle.shape)
        for a, b in part.labels:
            own = seen.ratios[:, a:b, : b - a]
            long += np.abs(_times(own, part.powers[a:b])).max(axis=1)
            square += _times(own**2, part.powers[a:b]).max(axis=1)
        spread = seen.spread[:, None]
        near = (1 - spread) * (1 - units(4))
        size = 1 + part.row_powers
        long, square = long * (1 + units(24)) + units(8) * size, square * (1 + units(24)) + units(8) * size * spread
        first, second = long + square / near, square / near**2
        third = first**3 + 3 * first * second + 2 * square * spread / near**3
        allowance = self.unit * (np.abs(seen.middle) + part.sizes)
        power = exp_upper(self.elementary, np.minimum(np.minimum(long, allowance - seen.middle), HIGHEST))
        error = self.elementary.caution * units(32) * size * (1 + long + square) ** 2
        with np.errstate(over="ignore"):  # no bound then
            slack = power * third / 6 * (1 + units(32)) + error
        g = exp_upper(self.elementary, seen.middle + allowance)
        terms = self.weights[columns] * g[which]
        with np.errstate(invalid="ignore"):
            rest = np.einsum("pg,pg->p", terms, slack[which])
        price, form = self._form(seen.ratios, which, terms)
        steep = (part.degree * seen.spread)[which]
        sizes = 8 * self.sum_error * (price + rest) * (1 + steep + steep**2)
        return np.asarray(price + rest + 0.5 * form + sizes + TINY)

    def _form(self, ratios: np.ndarray, which: np.ndarray, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the sums of terms, and the largest value over pairs of corners of the second-order form."""
        corners = _corners(ratios, self.part.labels)[which]
        n = self.part.n_classes
        moments = terms @ self.products
        first, second = moments[:, 1 : n + 1], moments[:, n + 1 :].reshape(-1, n, n)
        straight = (corners @ first[:, :, None])[:, :, 0]
        across = np.swapaxes(corners, 1, 2)
        mixed = (corners @ second) @ across
        both = (corners * first[:, None]) @ across
        return moments[:, 0], (straight[:, :, None] + straight[:, None, :] + mixed - both).max(axis=(1, 2))


def _known(bounds: np.ndarray) -> np.ndarray:
    """Return bounds, infinite where arithmetic has left the range of floats: what is not a number bounds nothing."""
    return np.where(np.isnan(bounds), np.inf, bounds)


def _times(vertices: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Return vertices (C, V, S) times powers (S, G), shape (C, V, G): one product of matrices, not C of them."""
    return np.asarray((vertices.reshape(-1, vertices.shape[2]) @ powers).reshape(*vertices.shape[:2], -1))


def _corners(ratios: np.ndarray, labels: list[tuple[int, int]]) -> np.ndarray:
    """Return the ratios at every combination of one vertex for each label, shape (C, U, N)."""
    corners = np.zeros((len(ratios), 1, 0))
    for a, b in labels:
        own = ratios[:, a:b, : b - a]
        many, few = corners.shape[1], b - a
        corners = np.concatenate([np.repeat(corners, few, axis=1), np.tile(own, (1, many, 1))], axis=2)
    return corners


# ------------------------------------------------------------------------------------------- trees


def replayed(proof: PartProof, numbers: np.ndarray, bounds: CellBounds, settled: float) -> np.ndarray:
    """Return the bounds that a tree of cells gives each of its columns, shape (J,); inf for columns not in it.

    Parameters
    ----------
    proof : PartProof
    numbers : numpy.ndarray
        Shape (J,), sorted: which columns the rows of the bounds' weights are.
    bounds : CellBounds
    settled : float
        A bound that need not be improved upon.

    Raises
    ------
    InvalidInput
        If the cells where a column ends do not cover all decisions.
    """
    labels = bounds.part.labels
    edges = [(u, v) for a, b in labels for v in range(a, b) for u in range(a, v)]
    column = np.searchsorted(numbers, proof.ends[:, 1])
    key = np.sort(proof.ends[:, 0].astype(np.int64) * numbers.size + column)
    found, waiting = np.full(numbers.size, -np.inf), _Waiting(bounds, settled)
    cells = _whole(labels, bounds.part.n_classes)
    at = np.flatnonzero(np.bincount(column, minlength=numbers.size))  # columns that have come to `nodes`, in pairs
    nodes = np.zeros(at.size, dtype=np.int64)
    start, stop, n_ended = 0, 1, 0
    while start < stop:
        deadline.look()
        here = nodes * numbers.size + at
        place = np.minimum(np.searchsorted(key, here), key.size - 1)
        ends = key[place] == here
        n_ended += int(np.count_nonzero(ends))
        if ends.any():
            used, counts = np.unique(nodes[ends], return_counts=True)
            waiting.add(cells[used - start], counts, at[ends], found)
        halved = start + np.flatnonzero(proof.splits[start:stop] >= 0)
        going = ~ends
        rank = np.searchsorted(halved, nodes[going])
        _check(bool(np.isin(nodes[going], halved).all()), "a column does not end at a cell that is not halved")
        cells = _halves(cells[halved - start], proof.splits[halved], edges)
        nodes, at = _descended(stop + 2 * rank, at[going])
        start, stop = stop, stop + 2 * halved.size
        _check(stop <= proof.splits.size, "its tree is cut off")
    _check(stop == proof.splits.size, "it has cells that do not hang together")
    _check(n_ended == len(key), "a column ends at a cell that it does not come to")
    waiting.bound(found)
    return np.where(np.isneginf(found), np.inf, found)


class _Waiting:
    """Cells where columns end, whose bounds are taken many at a time."""

    def __init__(self, bounds: CellBounds, settled: float) -> None:
        self.bounds, self.settled = bounds, settled
        self.held: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.count = 0

    def add(self, cells: np.ndarray, counts: np.ndarray, columns: np.ndarray, found: np.ndarray) -> None:
        """Put more cells in the queue; `found` holds the columns' largest bounds so far."""
        self.held.append((cells, counts, columns))
        self.count += len(cells)
        if self.count > _QUEUE:
            self.bound(found)

    def bound(self, found: np.ndarray) -> None:
        """Bound all cells that wait, and raise the columns' largest bounds."""
        if self.held:
            cells, counts, columns = (np.concatenate(parts) for parts in zip(*self.held, strict=True))
            values = self.bounds.bounds(cells, counts, columns, self.settled)
            np.maximum.at(found, columns, values)
            self.settled = max(self.settled, float(values.max()))
        self.held, self.count = [], 0


def _descended(children: np.ndarray, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of cell and column at both children, in order of the cells."""
    nodes, both = np.concatenate([children, children + 1]), np.concatenate([columns, columns])
    order = np.argsort(nodes, kind="stable")
    return nodes[order], both[order]


def _whole(labels: list[tuple[int, int]], n_classes: int) -> np.ndarray:
    whole = np.zeros((1, n_classes, max(b - a for a, b in labels)))
    for a, b in labels:
        whole[0, a:b, : b - a] = np.eye(b - a)
    return whole


def _halves(cells: np.ndarray, splits: np.ndarray, edges: list[tuple[int, int]]) -> np.ndarray:
    """Return the two halves of every cell, exactly: those of the first, then those of the second, and so on."""
    _check(splits.max(initial=0) < len(edges), "it names an edge that cells do not have")
    both = np.repeat(cells, 2, axis=0)
    u, v = np.array(edges)[splits].T.reshape(2, -1)
    index = np.arange(len(cells))
    half = 0.5 * (cells[index, u] + cells[index, v])
    _check(bool((half * _GRID == np.floor(half * _GRID)).all()), "it halves a cell beyond the grid")
    both[2 * index, v] = half
    both[2 * index + 1, u] = half
    return both


def _check(is_right: bool, fault: str) -> None:
    if not is_right:
        raise InvalidInput(f"the proof of the largest price does not hold: {fault}")
