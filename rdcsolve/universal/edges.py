"""Decoders between two deterministic ones that differ in one message: where regions of fixed letters end.

A label's entropy given the symbol shown is concave in the decoder, a linear loss is linear, and decoders are a product
of simplices. Inside of a face of two dimensions or more a pair of concave losses can be moved, along a direction in
which the first does not change, until neither has grown and the face has one dimension less. So what any decoder
attains, one on an edge attains too, or better: a decoder that is deterministic but for one message, for which it draws
one of two symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rdcsolve.universal.decoding import unnormalised_entropy
from rdcsolve.universal.deterministic import Assignments
from rdcsolve.universal.hulls import staircase
from rdcsolve.universal.steps import Steps

_HALVINGS = 60
_ROUNDS = 20  # of neighbours of neighbours that are looked at where maps are searched for


@dataclass(frozen=True, eq=False)
class Edges:
    """Some deterministic decoders, and the edges between them that may be on the boundary.

    Parameters
    ----------
    assignments : Assignments
        Two losses in all.
    order : tuple of int
        Which two of its losses count, the first to the right.
    maps : numpy.ndarray
        Shape (T, k): the symbols shown, of decoders whose two losses are finite.
    points : numpy.ndarray
        Shape (T, 2): what they attain.
    base, message, other : numpy.ndarray
        Shape (E,): an edge goes from map `base` to the one that shows the symbol `other` for one message instead.
    ends : numpy.ndarray
        Shape (E, 2, 2): what its two ends attain.
    """

    assignments: Assignments
    order: tuple[int, int]
    maps: np.ndarray
    points: np.ndarray
    base: np.ndarray
    message: np.ndarray
    other: np.ndarray
    ends: np.ndarray

    def lowest(self, first: float) -> tuple[float, int, float]:
        """Return the least second loss where the first is at most this, and the decoder that attains it.

        Returns
        -------
        tuple
            The loss, inf if there is none; the place of the map or, counted from len(maps) on, of the edge; the chance
            of the other symbol.
        """
        inside = np.flatnonzero(self.points[:, 0] <= first)
        if not inside.size:
            return np.inf, 0, 0.0
        best = int(inside[self.points[inside, 1].argmin()])
        least = float(self.points[best, 1])
        starts, stops = self.ends[:, 0], self.ends[:, 1]
        crossing = ((starts[:, 0] <= first) != (stops[:, 0] <= first)) & (self.ends[:, :, 1].min(axis=1) < least)
        edges = np.flatnonzero(crossing)  # concave: with both ends inside none is lower than these, with none it is out
        if not edges.size:
            return least, best, 0.0
        chances = self._crossings(edges, first)
        seconds = self._along(edges, 1)(chances)
        k = int(seconds.argmin())
        if seconds[k] >= least:
            return least, best, 0.0
        return float(seconds[k]), len(self.maps) + int(edges[k]), float(chances[k])

    def decoder(self, place: int, chance: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the symbols that a decoder shows, and those that it shows instead with its chance, both (k,)."""
        if place < len(self.maps):
            return self.maps[place], self.maps[place]
        edge = place - len(self.maps)
        letters = self.maps[self.base[edge]]
        others = letters.copy()
        others[self.message[edge]] = self.other[edge]
        return letters, others

    def _crossings(self, edges: np.ndarray, first: float) -> np.ndarray:
        """Return the chances at which edges with one end inside cross the level of the first loss, from the inside."""
        low, high = self.ends[edges, 0, 0], self.ends[edges, 1, 0]
        if self.order[0] < len(self.assignments.linear):
            return np.clip((first - low) / (high - low), 0.0, 1.0)
        inside = np.where(low <= first, 0.0, 1.0)
        outside, value = 1.0 - inside, self._along(edges, 0)
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            within = value(middle) <= first
            inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
        return inside

    def _along(self, edges: np.ndarray, which: int) -> Callable[[np.ndarray], np.ndarray]:
        """Return one of the two losses on edges as a function of the chances of their other symbols."""
        start, stop = self.ends[edges, 0, which], self.ends[edges, 1, which]
        n_linear, place = len(self.assignments.linear), self.order[which]
        if place < n_linear:
            return lambda chances: start + chances * (stop - start)
        masses = self.assignments.labels[place - n_linear]
        maps, message, other = self.maps[self.base[edges]], self.message[edges], self.other[edges]
        own = maps[np.arange(edges.size), message]
        kept = np.arange(maps.shape[1]) != message[:, None]
        beside = np.stack([((maps == symbol[:, None]) & kept) @ masses for symbol in (own, other)])
        moved = masses[message]
        rest = start - unnormalised_entropy(beside + [moved, 0 * moved]).sum(axis=0)

        def value(chances: np.ndarray) -> np.ndarray:
            shares = np.stack([1 - chances, chances])[..., None]
            return rest + unnormalised_entropy(beside + shares * moved).sum(axis=0)

        return value


def edges_of(
    assignments: Assignments, order: tuple[int, int], maps: np.ndarray, complete: bool, steps: Steps
) -> Edges | None:
    """Return the edges at some maps, those left out that cannot be on the boundary; None if no map has finite losses.

    Parameters
    ----------
    assignments : Assignments
    order : tuple of int
        Which two of its losses count.
    maps : numpy.ndarray
        Shape (T, k).
    complete : bool
        Whether these are all maps; otherwise neighbours of theirs that are better join.
    steps : Steps
        A message at which all maps are changed is one. Once they are over, what was found stays.
    """
    maps, points = _finite(assignments, order, maps)
    if not complete:
        maps, points = _with_neighbours(assignments, order, maps, points, steps)
    if not maps.size:
        return None
    stairs = points[staircase(points)]
    nowhere = np.empty(0, dtype=np.intp)
    found = [(nowhere, nowhere, nowhere, np.empty((0, 2, 2)))]
    for z, ends_here in _moves(assignments, order, maps, steps):
        symbols = np.arange(assignments.n_symbols)
        other_one = symbols > maps[:, z][:, None] if complete else symbols != maps[:, z][:, None]
        ends = np.stack([np.broadcast_to(points[:, None], ends_here.shape), ends_here], axis=2)
        with np.errstate(invalid="ignore"):
            low, left = ends.min(axis=2)[..., 1], ends[..., 0].min(axis=2)
            place = np.searchsorted(stairs[:, 0], left, side="right") - 1
            reached = np.where(place >= 0, stairs[np.maximum(place, 0), 1], np.inf)
            # what is on the edge is to the right of one end and, being concave, above the lower one
            base, other = np.nonzero(other_one & np.isfinite(ends_here).all(axis=2) & (low < reached))
        found.append((base, np.full(base.size, z), other, ends[base, other]))
    base, message, other, ends = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Edges(assignments, order, maps, points, base, message, other, ends)


def _finite(assignments: Assignments, order: tuple[int, int], maps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ends = _moved(assignments, order, maps, 0)
    points = ends[np.arange(len(maps)), maps[:, 0]]
    finite = np.isfinite(points).all(axis=1)
    return maps[finite], points[finite]


def _with_neighbours(
    assignments: Assignments, order: tuple[int, int], maps: np.ndarray, points: np.ndarray, steps: Steps
) -> tuple[np.ndarray, np.ndarray]:
    """Return maps and those that differ from one of them in one message, as long as the staircase gets lower."""
    new = maps[staircase(points)]
    for _ in range(_ROUNDS):
        if steps.are_over():
            break
        stairs, joined = points[staircase(points)], [new[:0]]
        for z, ends in _moves(assignments, order, new, steps):
            place = np.searchsorted(stairs[:, 0], ends[..., 0], side="right") - 1
            reached = np.where(place >= 0, stairs[np.maximum(place, 0), 1], np.inf)
            base, other = np.nonzero(np.isfinite(ends).all(axis=2) & (ends[..., 1] < reached))
            moved = new[base].copy()
            moved[:, z] = other
            joined.append(moved)
        candidates = np.unique(np.concatenate(joined), axis=0)
        if not candidates.size:
            break
        candidates, values = _finite(assignments, order, candidates)
        best = staircase(values)
        new = candidates[best]
        maps, points = np.concatenate([maps, new]), np.concatenate([points, values[best]])
    return maps, points


def _moves(
    assignments: Assignments, order: tuple[int, int], maps: np.ndarray, steps: Steps
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield every message with what `_moved` says of it; each is a step."""
    for z in range(maps.shape[1]):
        if steps.are_over():
            return
        yield z, _moved(assignments, order, maps, z)
        steps.taken()


def _moved(assignments: Assignments, order: tuple[int, int], maps: np.ndarray, z: int) -> np.ndarray:
    """Return what maps attain that show any symbol for a message instead, shape (T, n, 2)."""
    n_linear, (count, k) = len(assignments.linear), maps.shape
    kept = np.arange(k) != z
    shown = maps[:, kept, None] == np.arange(assignments.n_symbols)  # (T, k - 1, n)
    ends = np.empty((count, assignments.n_symbols, 2))
    for which, place in enumerate(order):
        if place < n_linear:
            cost = assignments.linear[place]
            rest = cost[np.flatnonzero(kept), maps[:, kept]].sum(axis=1)
            ends[..., which] = rest[:, None] + cost[z]
            continue
        masses = assignments.labels[place - n_linear]
        beside = np.einsum("tkn,ks->tns", shown.astype(float), masses[kept], optimize=True)
        without = unnormalised_entropy(beside)
        ends[..., which] = (without.sum(axis=1)[:, None] - without) + unnormalised_entropy(beside + masses[z])
    return ends
