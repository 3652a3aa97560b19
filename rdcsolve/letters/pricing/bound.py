"""Proved upper bounds of the prices of one part: in closed form, by a tangent, or by branch and bound."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from rdcsolve import deadline
from rdcsolve.letters.pricing.ascent import climb, climb_each
from rdcsolve.letters.pricing.layout import MOST_CLASSES, WORK
from rdcsolve.letters.pricing.parts import Part
from rdcsolve.letters.pricing.record import EarlierShares, PartRecord, Record, Tree
from rdcsolve.letters.pricing.shifts import shifted

MOST_DIMENSIONS = 3
_FIRST_LEVELS = {1: 5, 2: 6, 3: 8}  # halvings before the first bounds
_PIECE = 20_000_000  # products between two looks at the clock
_LOOK_EVERY = 3  # levels between looks at the prices at midpoints
_WORTH = 0.98  # prices at midpoints above this share of the largest are climbed from
_SHIFTS = 30  # of the places of tangents
_INTERIOR = 1e-250  # a tangent is taken where no decision is smaller


@dataclass
class Search:
    """The largest price found so far, in the parts' scale, and the bound of all prices looked at so far.

    Attributes
    ----------
    rtol : float
        Bounds need not be closer to the largest price than this, relatively.
    cells_left : int
        How many more cells may be bounded.
    best : float
        Largest price found, and the letter that has it.
    upper : float
        Largest bound.
    proved : bool
        Whether every part looked at has a bound.
    enough : float
        Bounds need not be below this either.
    above : numpy.ndarray or None
        If given, shape (n_y,), bool: the threshold stays as it is, and symbols whose price may exceed it are marked
        here and left out of the bound. Otherwise the threshold rises with every better letter.
    record : dict of int to PartRecord
        Where bounds were taken, by the number of the part: a proof is made of it.
    may_go_on : callable or None
        Asked before so many more cells of shares, for labels of many classes, are bounded; None if that is not to be
        tried.
    earlier : dict of int to EarlierShares
        By the number of the part, cells of shares that an earlier search has cut.
    maxima : dict of int to tuple
        By the number of the part, columns (m,) and decisions (m, N) of local maxima.
    is_short : bool
        Whether that ended before the bound was near the largest price.
    """

    rtol: float
    cells_left: int
    best: float = 0.0
    part: Part | None = None
    column: int = 0
    decisions: np.ndarray | None = None
    upper: float = 0.0
    proved: bool = True
    n_cells: int = 0
    enough: float = 0.0
    above: np.ndarray | None = None
    record: Record = field(default_factory=dict)
    may_go_on: Callable[[float], bool] | None = None
    is_short: bool = False
    earlier: dict[int, EarlierShares | None] = field(default_factory=dict)
    maxima: dict[int, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)

    def offer(self, part: Part, columns: np.ndarray, decisions: np.ndarray, prices: np.ndarray) -> None:
        """Take the best of some letters, shapes (m,), (m, N), (m,), if it is better."""
        if self.above is not None:
            return
        if prices.size and prices.max() > self.best:
            m = int(prices.argmax())
            self.best, self.part, self.column, self.decisions = float(prices[m]), part, int(columns[m]), decisions[m]

    def threshold(self, part: Part) -> float:
        """Return what bounds may reach without further work; roundings cannot be beaten."""
        return max(self.best * (1 + max(0.5 * self.rtol, 16 * part.rounding)), self.enough)

    def bound(self, part: Part, columns: np.ndarray, prices: np.ndarray) -> None:
        """Bound all prices of a part, given those of local maxima with their columns, shape (m,)."""
        totals = part.weights.sum(axis=1) * (1 + part.rounding)  # no factor exceeds one
        active = np.flatnonzero(totals > self.threshold(part))
        self._settle(float(np.delete(totals, active).max(initial=0.0)))
        active = self._given_up(active, columns[prices > self.threshold(part)])
        if active.size and part.n_classes == 0:
            self._settle_or_mark(totals[active], active)
        elif active.size and part.is_concave:
            active = self._concave(part, active)
            if active.size:
                self._branch(part, active, columns, prices)
        elif active.size:
            self._branch(part, active, columns, prices)

    def _noted(self, part: Part) -> PartRecord:
        return self.record.setdefault(part.number, PartRecord())

    def _settle(self, bound: float) -> None:
        self.upper = max(self.upper, bound)

    def _settle_or_mark(self, bounds: np.ndarray, columns: np.ndarray) -> None:
        """Enter final bounds of columns that are above the threshold."""
        if self.above is None:
            self._settle(float(bounds.max(initial=0.0)))
        else:
            self.above[columns] = True

    def _given_up(self, active: np.ndarray, dear: np.ndarray) -> np.ndarray:
        """Mark columns with a letter above a threshold that stays; return the others."""
        if self.above is None:
            return active
        self.above[dear] = True
        return np.asarray(active[~self.above[active]])

    def _concave(self, part: Part, active: np.ndarray) -> np.ndarray:
        """Bound prices by tangents; return the columns whose bound could be improved upon.

        A concave price lies below its tangent at any interior r: c(r) + sum_k (max_s dc/dr_ks - sum_s r_ks dc/dr_ks).
        """
        r = _hoelder(part, active)
        if r is None:
            r = climb_each(part, active, np.broadcast_to(part.centre(), (active.size, part.n_classes)))[1]
        r = np.maximum(r, _INTERIOR)
        self.offer(part, active, r, part.terms(active, r).sum(axis=1))
        bounds, places = np.full(active.size, math.inf), r
        for _ in range(_SHIFTS):
            deadline.look()
            found = _tangent(part, active, r)
            places = np.where((found < bounds)[:, None], r, places)
            bounds = np.minimum(bounds, found)
            if (bounds <= self.threshold(part)).all():
                break
            # Entries that hardly count may be off by any factor, and tangents are steep there: a shift sets them right.
            r = np.maximum(shifted(part, part.weights[active], r)[1], _INTERIOR)
        self._noted(part).places.append((active, places))
        done = bounds <= self.threshold(part)
        self._settle(float(bounds[done].max(initial=0.0)))
        if part.dimension > MOST_DIMENSIONS:
            self._settle_or_mark(bounds[~done], active[~done])
            return active[:0]
        return active[~done]

    def _branch(self, part: Part, active: np.ndarray, columns: np.ndarray, prices: np.ndarray) -> None:
        if part.dimension > MOST_DIMENSIONS or np.diff(part.offsets).max() > MOST_CLASSES:
            self._by_shares(part, active)
            return
        sizes = np.abs(part.shifts).sum(axis=0) + part.degree
        known = np.zeros(part.weights.shape[0])
        np.maximum.at(known, columns, prices)
        cells = np.zeros((1, part.n_classes, MOST_CLASSES))
        for a, b in zip(part.offsets[:-1], part.offsets[1:], strict=True):
            cells[0, a:b, : b - a] = np.eye(b - a)
        begins, pairs = np.array([0, active.size]), active.astype(np.int64)
        open_end = float(part.weights[active].sum(axis=1).max()) * (1 + part.rounding)
        level, n_first = 0, _FIRST_LEVELS[part.dimension]
        tree = Tree()
        self._noted(part).trees.append(tree)
        while cells.shape[0]:
            mode = 0 if level < n_first else 2 if (level - n_first) % _LOOK_EVERY == 0 else 1
            if mode:
                if cells.shape[0] > self.cells_left:
                    self._settle_or_mark(np.array([open_end]), pairs)
                    tree.end(np.diff(begins), pairs)
                    return
                self.cells_left -= cells.shape[0]
                self.n_cells += cells.shape[0]
            found = self._refined(part, sizes, cells, begins, pairs, mode)
            self._settle(found.final)
            tree.end(np.diff(begins), pairs, found.ended)
            tree.halve(found.splits)
            if mode:
                open_end = min(open_end, found.unfinished)
            cells, begins, pairs = found.cells, found.begins, found.pairs
            seen, seen_at = found.seen, found.seen_at
            level += 1
            if self.above is not None:
                self.above |= seen > self.threshold(part)
                cells, begins, pairs, tree.alive = _without(cells, begins, pairs, tree.alive, self.above)
                continue
            better = np.flatnonzero(seen > np.maximum(known * (1 + 1e-9), _WORTH * self.best))
            if better.size:
                columns, decisions, prices = climb(part, better, seen_at[better])
                self.offer(part, columns, decisions, prices)
                np.maximum.at(known, columns, prices)

    def _refined(
        self, part: Part, sizes: np.ndarray, cells: np.ndarray, begins: np.ndarray, pairs: np.ndarray, mode: int
    ) -> _Level:
        """Bound and halve the cells of one level, some at a time."""
        threshold, n_y = self.threshold(part), part.weights.shape[0]
        seen, seen_at = np.zeros(n_y), np.zeros((n_y, part.n_classes))
        splits, ended = np.empty(len(cells), dtype=np.int8), np.empty(pairs.size, dtype=np.bool_)
        new_cells, new_begins, new_pairs = [cells[:0]], [np.zeros(1, dtype=np.int64)], [pairs[:0]]
        final, unfinished, first, count = 0.0, 0.0, 0, 0
        at_a_time = max(1, _PIECE // (part.powers.size * (part.n_classes + 1)))
        while first < len(cells):
            deadline.look()
            last = max(int(np.searchsorted(begins, begins[first] + at_a_time, side="right")) - 1, first + 1)
            size = 2 * (last - first)
            own_cells = np.empty((size, *cells.shape[1:]))
            own_begins = np.empty(size + 1, dtype=np.int64)
            own_pairs = np.empty(2 * int(begins[last] - begins[first]), dtype=np.int64)
            n_new, one_final, one_unfinished = _refine()(
                part.weights,
                part.powers,
                part.shifts,
                sizes,
                part.offsets,
                part.multipliers,
                max(1.0, part.degree),
                part.rounding,
                cells[first:last],
                begins[first : last + 1],
                pairs,
                threshold,
                mode,
                own_cells,
                own_begins,
                own_pairs,
                seen,
                seen_at,
                splits[first:last],
                ended,
            )
            final, unfinished = max(final, one_final), max(unfinished, one_unfinished)
            new_cells.append(own_cells[:n_new].copy())
            new_begins.append(own_begins[1 : n_new + 1] + count)
            new_pairs.append(own_pairs[: own_begins[n_new]].copy())
            count += int(own_begins[n_new])
            first = last
        whole = np.concatenate(new_cells), np.concatenate(new_begins), np.concatenate(new_pairs)
        return _Level(*whole, splits, ended, seen, seen_at, final, unfinished)

    def _by_shares(self, part: Part, active: np.ndarray) -> None:
        """Bound prices over cells of shares, which takes any number of classes and as much time as there is."""
        if self.may_go_on is None:
            self.proved = False
            return
        from rdcsolve.letters.pricing.shares import bounded_by_shares  # compiled, and seldom needed

        known = self.maxima.get(part.number, (active[:0], np.empty((0, part.n_classes))))

        def climbed(column: int, starts: np.ndarray | None) -> np.ndarray:
            if starts is None:
                return np.asarray(known[1][known[0] == column])
            return climb(part, np.full(len(starts), column), starts)[1]

        def raised(column: int, place: np.ndarray) -> tuple[float, np.ndarray]:
            found = climb(part, np.array([column]), np.maximum(place, 1e-30)[None])
            self.offer(part, *found)
            return self.threshold(part), found[1]

        before = self.earlier.get(part.number)
        searches, upper = bounded_by_shares(part, active, climbed, self.threshold(part), self.may_go_on, raised, before)
        notes = self._noted(part)
        notes.joins = searches[0].joined.joins
        notes.shares = [(one.column, one.notes()) for one in searches]
        self.is_short = self.is_short or upper > self.threshold(part)
        self._settle(upper * (1 + 64 * part.rounding))


def _refine() -> Callable[..., tuple[int, float, float]]:
    """Return what bounds and halves cells: in NumPy, or compiled where a process has much to bound."""
    if WORK.may_stay_plain():
        from rdcsolve.letters.pricing.plain_cells import refine

        return refine
    from rdcsolve.letters.pricing.cells import refine as compiled

    return compiled


@dataclass(frozen=True)
class _Level:
    """What became of the cells of a level: the next ones, and what `refine` says of those."""

    cells: np.ndarray
    begins: np.ndarray
    pairs: np.ndarray
    splits: np.ndarray
    ended: np.ndarray
    seen: np.ndarray
    seen_at: np.ndarray
    final: float
    unfinished: float


def _without(
    cells: np.ndarray, begins: np.ndarray, pairs: np.ndarray, nodes: np.ndarray, above: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return cells, with their numbers, without the columns that are marked; those without any left go too."""
    kept = ~above[pairs]
    if kept.all():
        return cells, begins, pairs, nodes
    counts = np.diff(np.concatenate([[0], np.cumsum(kept)])[begins])
    used = counts > 0
    return cells[used].copy(), np.concatenate([[0], np.cumsum(counts[used])]), pairs[kept].copy(), nodes[used]


def _tangent(part: Part, columns: np.ndarray, r: np.ndarray) -> np.ndarray:
    """Return the largest value of the prices' tangents at decisions r, shape (m, N), rounded up."""
    terms = part.terms(columns, r)
    moments = terms @ part.powers.T
    bounds = terms.sum(axis=1)
    sizes = bounds.copy()
    for a, b in zip(part.offsets[:-1], part.offsets[1:], strict=True):
        steepest = (moments[:, a:b] / r[:, a:b]).max(axis=1)
        total = moments[:, a:b].sum(axis=1)
        bounds += steepest - total
        sizes += steepest + total
    return np.asarray(bounds + 2 * part.rounding * sizes)


def tangents_at(part: Part, columns: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, PartRecord]:
    """Return bounds of columns' prices, shape (m,), by tangents at decisions r, shape (m, N), and what to note."""
    return _tangent(part, columns, r), PartRecord(places=[(columns, r)])


def _hoelder(part: Part, columns: np.ndarray) -> np.ndarray | None:
    """Return the optimal decisions if the only label is a function of x: r_s prop. to A_s^(1 / (1 - lambda)).

    A_s is the sum of the weights of class s. None for other parts.
    """
    if part.multipliers.size > 1 or part.multipliers[0] >= 1 or ((part.powers > 0).sum(axis=0) > 1).any():
        return None
    sums = part.weights[columns] @ (part.powers > 0).T
    logs = np.log(np.maximum(sums, 1e-300)) / (1 - part.multipliers[0])
    logs -= logs.max(axis=1, keepdims=True)
    r = np.exp(np.maximum(logs, math.log(_INTERIOR)))
    return np.asarray(r / r.sum(axis=1, keepdims=True))
