"""Proved bounds of prices over cells of soft decisions in NumPy: the twin of `cells` for the first answers.

The bounds are those of `cells` and `curved`, for all cells of a level together; see there for the proofs.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from rdcsolve.letters.pricing.layout import EPS, FLOOR, GRID, RAISED, SMALL, WORK

_Labels = list[tuple[int, int]]


@dataclass(frozen=True)
class _Bounds:
    """What bounds every term over each of c cells, and how the vertices lie.

    Attributes
    ----------
    middle : numpy.ndarray
        Shape (c, N): midpoints.
    ratios : list of numpy.ndarray
        For each label, shape (c, n_k, n_k): entries of its vertices beside those of the midpoint, less one.
    spread : numpy.ndarray
        Shape (c,): the largest size of these.
    mid : numpy.ndarray
        Shape (c, n): exponents at the midpoints.
    constant, slope : numpy.ndarray
        Shape (c, n): term i is at most constant_i + sum_s slope_i b_is t_s with t the relative step from the midpoint.
    """

    middle: np.ndarray
    ratios: list[np.ndarray]
    spread: np.ndarray
    mid: np.ndarray
    constant: np.ndarray
    slope: np.ndarray


def _own_ranges(
    powers: np.ndarray,
    shift: np.ndarray,
    multiplier: float,
    vertices: np.ndarray,
    middle: np.ndarray,
    ratio: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the least, the middle and a largest value of a label's part of every exponent, shape (c, n) each."""
    at_vertices = np.log(np.maximum(vertices, RAISED)) @ powers - shift
    value = np.log(middle) @ powers - shift
    high = at_vertices.max(axis=1)
    if len(powers) == 2:
        first = vertices[:, :, :1]
        begin, end, whole = first.min(axis=1), first.max(axis=1), powers.sum(axis=0)
        inside = (powers[0] >= begin * whole * (1 - 4 * EPS)) & (powers[0] <= end * whole * (1 + 4 * EPS))
        high = np.where(inside, 0.0, high)
    else:
        y = (ratio @ powers).max(axis=1) / multiplier
        y = np.where(y > 0.5, np.log1p(np.maximum(y, 0.0)), y - y * y * (0.5 - y / 3))
        high = np.minimum(0.0, value + multiplier * y)
    return at_vertices.min(axis=1), value, high


def _bounds(  # noqa: PLR0913 - the signature of the compiled twin
    powers: np.ndarray,
    shifts: np.ndarray,
    sizes: np.ndarray,
    labels: _Labels,
    multipliers: np.ndarray,
    degree: float,
    rounding: float,
    cells: np.ndarray,
) -> _Bounds:
    unit = EPS * (len(powers) + 6)
    middle, ratios = np.empty(cells.shape[:2]), []
    low, mid, high = np.zeros((3, len(cells), powers.shape[1]))
    for k, (a, b) in enumerate(labels):
        vertices = cells[:, a:b, : b - a]
        middle[:, a:b] = (vertices / (b - a)).sum(axis=1)
        ratios.append(vertices / middle[:, None, a:b] - 1)
        own = _own_ranges(powers[a:b], shifts[k], float(multipliers[k]), vertices, middle[:, a:b], ratios[-1])
        for whole, part in zip((low, mid, high), own, strict=True):
            whole += part
    spread = np.max([np.abs(ratio).max(axis=(1, 2)) for ratio in ratios], axis=0)
    top = np.minimum(0.0, high + unit * (np.abs(high) + np.abs(mid) + degree * spread[:, None]))
    drop = top - (low - unit * (np.abs(low) + 2 * sizes))
    chord = np.full_like(drop, degree)
    falls = drop > 1e-10
    chord[falls] = np.expm1(-drop[falls]) / np.expm1(-drop[falls] / degree)
    fall = np.expm1((mid + unit * np.abs(mid) - top) / degree)
    scale = np.exp(top)
    constant = scale * (1 + chord * fall + rounding * (1 + chord * np.abs(fall) + degree * spread[:, None]))
    return _Bounds(middle, ratios, spread, mid, constant, scale * chord * (1 + fall) / degree)


def _curved(  # noqa: PLR0913 - as above
    powers: np.ndarray,
    labels: _Labels,
    weights: np.ndarray,
    found: _Bounds,
    cells: np.ndarray,
    degree: float,
    rounding: float,
) -> np.ndarray:
    """Return bounds by second-order expansions, shape (m,), of pairs with these weights (m, n) and cells (m,)."""
    unit, spread, mid = EPS * (len(powers) + 6), found.spread[cells][:, None], found.mid[cells]
    ratios = [ratio[cells] for ratio in found.ratios]
    near = 1 - spread
    longest, square = np.zeros_like(mid), np.zeros_like(mid)
    for (a, b), ratio in zip(labels, ratios, strict=True):
        longest += np.abs(ratio @ powers[a:b]).max(axis=1)
        square += (ratio**2 @ powers[a:b]).max(axis=1)
    error = unit * (np.abs(mid) + 16)
    g = np.exp(np.minimum(mid + error, 0.0))
    first, second = longest + square / near, square / near**2
    third = first**3 + 3 * first * second + 2 * square * spread / near**3
    remainder = np.exp(np.minimum(longest, error - mid)) * third / 6
    slack = g * (remainder * (1 + 1e-9) + 4 * error * (1 + longest + longest**2 + square))

    weighted = weights * g
    price, beyond = weighted.sum(axis=1), (weights * slack).sum(axis=1)
    means = weighted @ powers.T
    moments = np.stack([(weighted * row) @ powers.T for row in powers], axis=1)
    vertices = itertools.product(*(range(b - a) for a, b in labels))
    corners = np.stack(
        [np.hstack([r[:, v] for r, v in zip(ratios, corner, strict=True)]) for corner in vertices], axis=1
    )
    tilted = means[:, None, :] * corners
    along = tilted.sum(axis=2)
    form = along[:, :, None] + along[:, None, :] - tilted @ corners.transpose(0, 2, 1)
    form += corners @ moments @ corners.transpose(0, 2, 1)
    steepness = degree * spread[:, 0]
    sizes = 1 + steepness + steepness**2
    return np.asarray((price + 0.5 * form.max(axis=(1, 2)) + beyond) + 8 * rounding * (price + beyond) * sizes)


def _longest_edges(
    cells: np.ndarray, labels: _Labels, multipliers: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the rows of the two vertices of every cell that lie farthest apart, and the edge's number."""
    longest, edge = np.full(len(cells), -1.0), np.zeros(len(cells), dtype=np.int64)
    ends: list[tuple[int, int]] = []
    for k, (a, b) in enumerate(labels):
        roots = np.sqrt(cells[:, a:b, : b - a])
        for v in range(a, b):
            for u in range(a, v):
                length = multipliers[k] * ((roots[:, u - a] - roots[:, v - a]) ** 2).sum(axis=1)
                edge[length > longest] = len(ends)
                longest = np.maximum(longest, length)
                ends.append((u, v))
    first, second = np.array(ends).T
    return first[edge], second[edge], edge


def refine(  # noqa: PLR0913 - the signature of the compiled twin
    weights: np.ndarray,
    powers: np.ndarray,
    shifts: np.ndarray,
    sizes: np.ndarray,
    offsets: np.ndarray,
    multipliers: np.ndarray,
    degree: float,
    rounding: float,
    cells: np.ndarray,
    begins: np.ndarray,
    columns: np.ndarray,
    threshold: float,
    mode: int,
    new_cells: np.ndarray,
    new_begins: np.ndarray,
    new_columns: np.ndarray,
    seen: np.ndarray,
    seen_at: np.ndarray,
    splits: np.ndarray,
    ended: np.ndarray,
) -> tuple[int, float, float]:
    """Bound prices over cells, and halve the cells of those above the threshold: `cells.refine`, word for word."""
    labels = list(itertools.pairwise(offsets.tolist()))
    own = slice(int(begins[0]), int(begins[-1]))
    pairs, owner = columns[own], np.repeat(np.arange(len(cells)), np.diff(begins))
    WORK.step(
        (pairs.size * (2 * len(powers) + 4) + len(cells) * (2 * len(powers) + 20)) * powers.shape[1] if mode else 0
    )
    bounds, final = np.zeros(pairs.size), 0.0
    over = np.zeros(pairs.size, dtype=bool)
    if mode:
        found = _bounds(powers, shifts, sizes, labels, multipliers, degree, rounding, cells)
        w = weights[pairs]
        moments = (w * found.slope[owner]) @ powers.T
        bounds = (w * found.constant[owner]).sum(axis=1) + FLOOR
        for (a, b), ratio in zip(labels, found.ratios, strict=True):
            bounds += (ratio[owner] @ moments[:, a:b, None])[:, :, 0].max(axis=1)
        spread = found.spread[owner]
        near = (bounds > threshold) & (spread < SMALL) & (degree * spread**2 < SMALL) & (bounds < 1.5 * threshold)
        if near.any():
            curves = _curved(powers, labels, w[near], found, owner[near], degree, rounding)
            bounds[near] = np.minimum(bounds[near], curves + FLOOR)
        over = bounds <= threshold
        final = float(bounds[over].max(initial=0.0))
        if mode > 1:
            _look(w, found, pairs, owner, ~over, seen, seen_at)
    ended[own] = over
    alive = np.unique(owner[~over])
    splits[:] = -1
    if not alive.size:
        new_begins[0] = 0
        return 0, final, 0.0
    u, v, edge = _longest_edges(cells[alive], labels, multipliers)
    at = np.arange(alive.size)
    half = 0.5 * (cells[alive, u] + cells[alive, v])
    exact = (half * GRID == np.floor(half * GRID)).all(axis=1)
    is_halved = np.zeros(len(cells), dtype=bool)
    is_halved[alive[exact]] = True
    stuck = ~over & ~is_halved[owner]
    ended[own] |= stuck
    final = max(final, float(bounds[stuck].max(initial=0.0)))
    open_end = float(bounds[~over & ~stuck].max(initial=0.0))
    splits[alive[exact]] = edge[exact]
    halves = np.stack([cells[alive], cells[alive]], axis=1)
    halves[at, 0, v], halves[at, 1, u] = half, half
    n_new = 2 * int(exact.sum())
    new_cells[:n_new] = halves[exact].reshape(n_new, *cells.shape[1:])
    kept = ~over & ~stuck
    counts = np.bincount(owner[kept], minlength=len(cells))[alive[exact]]
    new_begins[: n_new + 1] = np.concatenate([[0], np.cumsum(np.repeat(counts, 2))])
    # a cell's pairs once for each half: its first half's places, then as many after them
    place = np.arange(int(kept.sum())) + np.repeat(np.cumsum(counts) - counts, counts)
    new_columns[place] = pairs[kept]
    new_columns[place + np.repeat(counts, counts)] = pairs[kept]
    return n_new, final, open_end


def _look(
    weights: np.ndarray,
    found: _Bounds,
    pairs: np.ndarray,
    owner: np.ndarray,
    kept: np.ndarray,
    seen: np.ndarray,
    seen_at: np.ndarray,
) -> None:
    """Raise seen[j] to the largest price of symbol j at a midpoint of its cells that are kept, and note the place."""
    value = np.exp(np.minimum(found.mid, 0.0))
    prices = (weights[kept] * value[owner[kept]]).sum(axis=1)
    order = np.argsort(prices, kind="stable")
    j, where = pairs[kept][order], owner[kept][order]
    last = len(j) - 1 - np.unique(j[::-1], return_index=True)[1]  # the dearest place of every symbol
    better = last[prices[order][last] > seen[j[last]]]
    seen[j[better]], seen_at[j[better]] = prices[order][better], found.middle[where[better]]
