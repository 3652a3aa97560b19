"""Where to look for local maxima over soft decisions: a spread of starts, thinned for every symbol."""

from __future__ import annotations

import itertools
import math

import numpy as np

from rdcsolve.letters.pricing.parts import Part

_FEW = 64  # climbs that are made without selection
_MANY = 600  # the same where the search is to be thorough: a ridge has many summits close together
_MOST = 2400  # climbs for all symbols together
_PER_SYMBOL = (12, 200)  # least and most of them for each
_REPRESENTATIVES = (40, 200)  # rows whose own decisions are looked at: fewer where there are many symbols
_APART = 1e-4  # squared distance of representatives in the variables sqrt(r)
_HILL = (
    0.1  # the same times the degree: eta falls by twice that from one to the next, and hills closer together are one
)
_MOST_ROWS = 2000  # symbols among which representatives are chosen
_LATTICE = {2: {1: 0, 2: 7, 3: 5}, 3: {2: 14, 3: 8}, 4: {3: 7}}  # steps per edge, by classes and total dimension


def starts(part: Part, thorough: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Return symbols and decisions to climb from, shapes (m,) and (m, N).

    The spread is fine enough to see every term's own hill: eta falls from its largest value by about 2 lambda times the
    squared distance in the variables sqrt(r). For each symbol those points are kept that are no lower than their
    neighbours; all of them if they are few.
    """
    points, neighbours = _binary_grid(part) if part.dimension == 1 else _scattered(part)
    exponents = np.log(points) @ part.powers - part.total_shift
    prices = part.weights @ np.exp(np.minimum(exponents, 0.0)).T
    # The price at the decisions of the largest term's row is at least that term: take them where the spread misses it.
    missed = np.flatnonzero(part.weights.max(axis=1) > prices.max(axis=1))
    own = _conditionals(part, part.weights[missed].argmax(axis=1)) * (1 - 1e-9) + 1e-9 * part.centre()
    chosen = prices > 1e-290
    if chosen.size > (_MANY if thorough else _FEW):
        for column in neighbours.T:
            chosen &= prices >= prices[:, column]
        most = _between(_PER_SYMBOL, _MOST // part.weights.shape[0])
        if points.shape[0] > most:
            level = np.partition(np.where(chosen, prices, 0.0), -most, axis=1)[:, -most]
            chosen &= prices >= level[:, None]
    columns, which = np.nonzero(chosen)
    return np.r_[missed, columns], np.vstack([own, points[which]])


def _between(ends: tuple[int, int], value: int) -> int:
    return min(max(value, ends[0]), ends[1])


def _binary_grid(part: Part) -> tuple[np.ndarray, np.ndarray]:
    size = int(min(513, max(33, 3 * math.sqrt(part.degree))))
    angle = np.linspace(1e-3, math.pi / 2 - 1e-3, size)
    points = np.stack([np.sin(angle) ** 2, np.cos(angle) ** 2], axis=1)
    index = np.arange(size)
    return points, np.stack([np.maximum(index - 1, 0), np.minimum(index + 1, size - 1)], axis=1)


def _scattered(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Return the centre, points near vertices, decisions of well separated rows, and in few dimensions a lattice."""
    centre = part.centre()
    sizes = np.diff(part.offsets)
    points = [centre[None], _representatives(part, _between(_REPRESENTATIVES, _MOST // part.weights.shape[0]))]
    if math.prod(sizes.tolist()) <= 32:
        points.append(np.array(list(map(np.concatenate, itertools.product(*(np.eye(size) for size in sizes))))))
    if part.dimension <= 3:
        lattices = [_simplex_lattice(size, _LATTICE[size][part.dimension]) for size in sizes.tolist()]
        points.append(np.array(list(map(np.concatenate, itertools.product(*lattices)))))
    whole = np.vstack(points)
    whole = whole[np.sort(np.unique(np.round(whole, 6), axis=0, return_index=True)[1])]
    share = min(0.02, 1 / part.degree)
    whole = (1 - share) * whole + share * centre  # steps cannot leave a face
    roots = np.sqrt(whole)
    squared = (roots**2).sum(axis=1)
    distance = squared[:, None] + squared - 2 * roots @ roots.T
    n_neighbours = min(2 * part.dimension, 6, whole.shape[0] - 1)
    return whole, np.argpartition(distance, n_neighbours, axis=1)[:, : n_neighbours + 1]


def _representatives(part: Part, count: int) -> np.ndarray:
    """Return the decisions w_k[i] of rows that lie far from one another, farthest first."""
    step = -(-part.powers.shape[1] // _MOST_ROWS)
    table = _conditionals(part, np.arange(0, part.powers.shape[1], step))
    roots = np.sqrt(table)
    squared = (roots**2).sum(axis=1)
    chosen = [0]
    distance = squared + squared[0] - roots @ (2 * roots[0])
    while len(chosen) < count and distance.max() > min(_APART, _HILL / part.degree):
        chosen.append(int(distance.argmax()))
        np.minimum(distance, squared + squared[chosen[-1]] - roots @ (2 * roots[chosen[-1]]), out=distance)
    return table[chosen]


def _conditionals(part: Part, rows: np.ndarray) -> np.ndarray:
    """Return the decisions w_k[i] for which the terms of some rows are largest, shape (len(rows), N)."""
    table = part.powers[:, rows].T.copy()
    for a, b in itertools.pairwise(part.offsets.tolist()):
        table[:, a:b] /= table[:, a:b].sum(axis=1, keepdims=True)
    return table


def _simplex_lattice(n_classes: int, steps: int) -> np.ndarray:
    """Return all probability vectors whose entries are multiples of 1 / steps."""
    bars = np.array(list(itertools.combinations(range(steps + n_classes - 1), n_classes - 1)))
    edges = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), steps + n_classes - 1)])
    return (np.diff(edges, axis=1) - 1) / steps
