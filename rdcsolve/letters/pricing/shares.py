"""Proved bounds of prices with any number of classes: branch and bound over cells of shares, column by column."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rdcsolve import memory
from rdcsolve.letters.pricing.parts import EPS, Part
from rdcsolve.letters.pricing.record import EarlierShares, ShareNotes
from rdcsolve.letters.pricing.share_search import explore, retrace

_FIRST = 512  # cells of a column before others are looked at
_FEWEST = 16
_MOST_PRODUCTS = 4e7  # cells times entries of powers between two looks at the clock: below a second
_MOST_TURNS = 400
_MOST_BYTES = 1 << 30  # of the cells of all columns, where so much is free
_SHARE_OF_MEMORY = 0.25
_MOST_LETTERS = 400  # that cells may be bounded around
_MOST_ENTRIES = 1 << 24  # of what is held of letters
_INSIDE = 1e-12  # shares of letters keep this far from zero and one
_APART = 1e-7  # letters closer than this are one
_LOOKS = 64  # open cells from which letters are looked for at a time
_TOP = 1e-3  # nats: letters that far below the dearest are not worth a neighbourhood
_JUDGED = 2048  # cells of each column after which the search is first judged: the largest bound is that of the last
_MORE = 1.25  # times as many cells between two judgements
_LEFT = 0.98  # of the gap before: where more is left, the cells between have gained next to nothing
_BOTH_WAIT = 0.4  # waiting cells to new ones; a cut whose halves both wait makes two cells, and one waits more
_LARGEST = 700.0  # logarithms beyond are of numbers that floats do not hold


def joins_of(part: Part) -> np.ndarray:
    """Return a binary tree over the classes of every label, shape (V, 2): join N + v has the two children in row v.

    Those two are joined whose joining loses least of what their label tells about the row, children first.
    """
    mass = part.weights.sum(axis=0)
    mass = mass / mass.sum()
    joins: list[tuple[int, int]] = []
    for a, b in zip(part.offsets[:-1].tolist(), part.offsets[1:].tolist(), strict=True):
        alive = list(range(a, b))
        table = part.powers[a:b] * mass + 1e-300
        costs = np.full((b - a, b - a), math.inf)
        for k in range(1, b - a):
            costs[k, :k] = _cost(table[k], table[:k])
        while len(alive) > 1:
            i, j = np.unravel_index(int(costs.argmin()), costs.shape)
            joins.append((alive[j], alive[i]))
            table[j] += table[i]
            alive[j] = part.n_classes + len(joins) - 1
            alive.pop(i)
            table = np.delete(table, i, axis=0)
            costs = np.delete(np.delete(costs, i, axis=0), i, axis=1)
            costs[j, :j] = _cost(table[j], table[:j])
            costs[j + 1 :, j] = _cost(table[j], table[j + 1 :])
    return np.array(joins, dtype=np.int64).reshape(-1, 2)


def _cost(one: np.ndarray, others: np.ndarray) -> np.ndarray:
    both = one + others
    total, own, theirs = both.sum(axis=1), one.sum(), others.sum(axis=1)
    mixed = one * np.log(one / own) + others * np.log(others / theirs[:, None])
    return np.asarray((mixed - both * np.log(both / total[:, None])).sum(axis=1))


class Joined:
    """A part's classes joined in a tree: what bounds need of every join and row, shapes (V, n)."""

    def __init__(self, part: Part, joins: np.ndarray | None = None) -> None:
        self.part, self.joins = part, joins_of(part) if joins is None else joins
        n_joins = len(self.joins)
        masses = np.zeros((part.n_classes + n_joins, part.powers.shape[1]))
        masses[: part.n_classes] = part.powers
        for v, (a, b) in enumerate(self.joins.tolist()):
            masses[part.n_classes + v] = masses[a] + masses[b]
        self.left, self.right = masses[self.joins[:, 0]], masses[self.joins[:, 1]]
        self.whole = masses[part.n_classes :].copy()
        some = self.whole > 0
        self.share = np.divide(self.left, self.whole, out=np.full(some.shape, 0.5), where=some)
        logs = [np.log(np.where(one > 0, one, 1.0)) for one in (self.left, self.right, self.whole)]
        self.inside = self.left * (logs[0] - logs[2]) + self.right * (logs[1] - logs[2])
        self.gamma = (1 - 8 * EPS) / max(1.0, part.degree * (1 + 8 * EPS))
        self.idle = np.maximum(1 - self.gamma * part.powers.sum(axis=0), 0.0)

    def shares_of(self, decisions: np.ndarray) -> np.ndarray:
        """Return the shares of decisions (k, N), shape (k, V), inside of (0, 1)."""
        n = self.part.n_classes
        masses = np.zeros((len(decisions), n + len(self.joins)))
        masses[:, :n] = np.maximum(decisions, 1e-300)
        for v, (a, b) in enumerate(self.joins.tolist()):
            masses[:, n + v] = masses[:, a] + masses[:, b]
        shares = masses[:, self.joins[:, 0]] / masses[:, n:]
        return np.asarray(np.clip(shares, _INSIDE, 1 - _INSIDE))


class ShareSearch:
    """Branch and bound over one column's cells.

    Parameters
    ----------
    joined : Joined
    column : int
    decisions : numpy.ndarray
        Shape (k, N): local maxima of the column.
    top : float
        The logarithm of what bounds need not be below.
    earlier : ShareNotes, optional
        Of a search over cells of the same joins: its cells are bounded first, whatever its prices were.

    Attributes
    ----------
    upper : float
        The largest bound of a leaf, in the part's scale.
    """

    def __init__(
        self, joined: Joined, column: int, decisions: np.ndarray, top: float, earlier: ShareNotes | None = None
    ) -> None:
        self.joined, self.column = joined, column
        part = joined.part
        n_joins = len(joined.joins)
        with np.errstate(divide="ignore"):
            self.log_weights = np.log(part.weights[column]) - part.total_shift
        self.log_weights = np.maximum(self.log_weights, -1e300)
        self.top = top
        self.seen, self.seen_at = np.full(1, -math.inf), np.empty(part.n_classes)
        n = part.powers.shape[1]
        self.letters, self.masses, self.drifts = (np.empty((0, n_joins)) for _ in range(3))
        self.slants, self.products = np.empty((0, n_joins, n)), np.empty((0, n_joins, n_joins))
        self.prices, self.looked = np.empty(0), _FIRST
        self.take(decisions)
        self.capacity = 0
        self.arrays: dict[str, np.ndarray] = {}
        n_cells = 1 if earlier is None else earlier.cuts.size
        self._grow(2 * _FIRST + n_cells)
        self.state = np.array([n_cells, 0, 0], dtype=np.int64)
        self._begin(earlier)
        self.upper = math.inf
        self.bytes_each = n_joins * (8 + 8 + 1 + 4) + 4 * part.n_classes + 45

    def _begin(self, earlier: ShareNotes | None) -> None:
        """Enter the cells to begin with, each with multipliers and a place to begin at."""
        arrays, part, n_cells = self.arrays, self.joined.part, self.n_cells
        arrays["lows"][0], arrays["highs"][0] = 0.0, 1.0
        arrays["children"][:n_cells], arrays["bounds"][:n_cells] = -1, math.inf
        arrays["forms"][:n_cells], arrays["slopes"][:n_cells] = 1, 0.0
        centre = part.powers.mean(axis=1)
        for a, b in zip(part.offsets[:-1], part.offsets[1:], strict=True):
            arrays["places"][:n_cells, a:b] = np.maximum(centre[a:b] / centre[a:b].sum(), 1e-6)
        if earlier is None:
            return
        arrays["cuts"][:n_cells], arrays["cut_at"][np.flatnonzero(earlier.cuts >= 0)] = earlier.cuts, earlier.at
        retrace(arrays["cuts"][:n_cells], earlier.at, arrays["lows"], arrays["highs"], arrays["children"])
        tangents = np.flatnonzero(earlier.cuts < 0)[earlier.near < 0]
        for name in ("forms", "slopes", "places"):
            arrays[name][tangents] = getattr(earlier, name)

    def take(self, decisions: np.ndarray) -> None:
        """Prepare more letters that cells may be bounded around: decisions (k, N) of local maxima of the column."""
        joined, n_joins = self.joined, len(self.joined.joins)
        room = max(1, min(_MOST_LETTERS, _MOST_ENTRIES // joined.whole.size)) - len(self.letters)
        shares = joined.shares_of(decisions)
        known = np.abs(shares[:, None] - self.letters).max(axis=2).min(axis=1, initial=math.inf)
        shares = shares[known > _APART]
        logs = np.log(shares) @ joined.left + np.log1p(-shares) @ joined.right + self.log_weights
        highest = logs.max(axis=1, initial=-math.inf)
        prices = highest + np.log(np.exp(logs - highest[:, None]).sum(axis=1))
        order = np.argsort(-prices)
        if order.size and prices[order[0]] > self.seen[0]:
            self.seen[0], self.seen_at = float(prices[order[0]]), decisions[known > _APART][order[0]]
        order = order[prices[order] > self.top - _TOP][: max(room, 0)]
        shares, prices = shares[order], prices[order]
        laws = np.exp(logs[order] - prices[:, None])
        slants = joined.left - shares[:, :, None] * joined.whole
        products = np.empty((len(order), n_joins, n_joins))
        for k in range(len(order)):
            products[k] = slants[k] * laws[k] @ slants[k].T
        new = (shares, laws @ joined.whole.T, np.einsum("kvi,ki->kv", slants, laws), slants, products, prices)
        old = (self.letters, self.masses, self.drifts, self.slants, self.products, self.prices)
        both = [np.concatenate(pair) for pair in zip(old, new, strict=True)]
        self.letters, self.masses, self.drifts, self.slants, self.products, self.prices = both

    def open_places(self, count: int) -> np.ndarray:
        """Return the places of the cells that wait with the largest bounds, shape (k, N)."""
        waiting = self.arrays["heap"][: int(self.state[1])]
        chosen = waiting[np.argsort(-self.arrays["bounds"][waiting])[:count]]
        return np.asarray(self.arrays["places"][chosen], dtype=float)

    def _grow(self, capacity: int) -> None:
        n, n_joins = self.joined.part.n_classes, len(self.joined.joins)
        shapes = {
            "lows": (n_joins, np.float64),
            "highs": (n_joins, np.float64),
            "forms": (n_joins, np.int8),
            "slopes": (n_joins, np.float32),
            "places": (n, np.float32),
            "bounds": (0, np.float64),
            "cuts": (0, np.int32),
            "cut_at": (0, np.float64),
            "children": (0, np.int64),
            "near": (0, np.int32),
            "heap": (0, np.int64),
        }
        for name, (width, kind) in shapes.items():
            wider = np.empty((capacity, width) if width else capacity, dtype=kind)
            if self.capacity:
                wider[: self.capacity] = self.arrays[name]
            self.arrays[name] = wider
        self.capacity = capacity

    def go_on(self, threshold: float, count: int) -> None:
        """Bound some more cells, so many at most, unless all bounds are below the logarithm of a threshold already."""
        most = int(self.state[0]) + count
        if most > self.capacity:
            self._grow(max(most, 2 * self.capacity))
        joined, part = self.joined, self.joined.part
        explore(  # type: ignore[call-arg]
            self.log_weights,
            part.powers,
            part.offsets,
            joined.joins,
            joined.left,
            joined.right,
            joined.whole,
            joined.inside,
            joined.share,
            joined.gamma,
            joined.idle,
            self.letters,
            self.masses,
            self.drifts,
            self.slants,
            self.products,
            self.prices,
            *self.arrays.values(),
            self.state,
            threshold,
            _MOST_TURNS,
            count,
            self.seen,
            self.seen_at,
        )
        n_cells = int(self.state[0])
        leaves = self.arrays["children"][:n_cells] < 0
        self.upper = _exp(float(self.arrays["bounds"][:n_cells][leaves].max()))

    @property
    def is_done(self) -> bool:
        """Whether no cell waits, and every one has a bound."""
        return bool(self.state[1] == 0 and self.state[2] == self.state[0])

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return int(self.state[0])

    def notes(self) -> ShareNotes:
        """Return what proves `upper`."""
        arrays = self.arrays
        order, level = [], np.zeros(1, dtype=np.int64)
        while level.size:
            order.append(level)
            first = arrays["children"][level]
            first = first[first >= 0]
            level = np.stack([first, first + 1], axis=1).ravel()
        cells = np.concatenate(order)
        is_cut = arrays["children"][cells] >= 0
        leaves = cells[~is_cut]
        near = arrays["near"][leaves]
        used, which = np.unique(near[near >= 0], return_inverse=True)
        near = near.copy()
        near[near >= 0] = which
        tangents = leaves[near < 0]
        return ShareNotes(
            np.where(is_cut, arrays["cuts"][cells], -1).astype(np.int32),
            arrays["cut_at"][cells[is_cut]],
            near,
            arrays["forms"][tangents],
            arrays["slopes"][tangents],
            arrays["places"][tangents],
            self.letters[used],
        )


class Progress:
    """Whether more cells are likely to bring the bound down.

    There are searches whose largest bound stands still where every cut leaves both halves to be cut again, as along
    ridges of letters that are nearly as dear as the dearest. They would go on like that for as long as they may.

    Parameters
    ----------
    n_columns : int
        How many are searched: until all have come down, the largest bound stands still as well.
    """

    def __init__(self, n_columns: int) -> None:
        self.gap, self.n_cells, self.waiting = math.inf, n_columns * _JUDGED / _MORE, 0

    def stands_still(self, gap: float, n_cells: int, waiting: int) -> bool:
        """Return whether the last fifth of the cells has gained next to nothing, and next to none of them is closed.

        Parameters
        ----------
        gap : float
            Logarithm of the largest bound over what it need not be below.
        n_cells, waiting : int
            Cells in all, and those that wait to be cut.
        """
        if n_cells < _MORE * self.n_cells:
            return False
        new, before, waited = n_cells - self.n_cells, self.gap, self.waiting
        self.gap, self.n_cells, self.waiting = gap, n_cells, waiting
        return gap > _LEFT * before and waiting - waited > _BOTH_WAIT * new


def _is_tree(joins: np.ndarray, part: Part) -> bool:
    """Return whether joins of another search are those of a binary tree over the classes of each of a part's labels."""
    n = part.n_classes
    if joins.shape != (part.dimension, 2) or np.unique(joins).size != joins.size:
        return False
    label = np.concatenate([np.repeat(np.arange(part.multipliers.size), np.diff(part.offsets)), np.zeros(len(joins))])
    for v, (a, b) in enumerate(joins.tolist()):
        if not 0 <= min(a, b) <= max(a, b) < n + v or label[a] != label[b]:
            return False
        label[n + v] = label[a]
    return True


def _exp(x: float) -> float:
    """Return e^x, or inf where that is no float: first cells beside large multipliers have such bounds."""
    return math.exp(x) if x <= _LARGEST else math.inf


def bounded_by_shares(
    part: Part,
    columns: np.ndarray,
    maxima: Callable[[int, np.ndarray | None], np.ndarray],
    threshold: float,
    may_go_on: Callable[[float], bool],
    raised: Callable[[int, np.ndarray], tuple[float, np.ndarray]],
    earlier: EarlierShares | None = None,
) -> tuple[list[ShareSearch], float]:
    """Bound the prices of some columns over all decisions.

    Parameters
    ----------
    part : Part
    columns : numpy.ndarray
    maxima : callable
        Takes a column, and decisions to climb from or None, and returns those of its local maxima, shape (k, N).
    threshold : float
        What bounds need not be below, in the part's scale.
    may_go_on : callable
        Takes the size of further work, cells times the entries of the powers, and says whether it may be done.
    raised : callable
        Takes a column and a place whose price is above the threshold, and returns the next threshold and decisions of
        local maxima, shape (k, N). Cells that are done stay done.
    earlier : EarlierShares, optional
        Trees of cells to begin with.

    Returns
    -------
    list of ShareSearch
    float
        The largest bound.
    """
    before = earlier.trees if earlier is not None and _is_tree(earlier.joins, part) else {}
    joined = Joined(part, earlier.joins if earlier is not None and before else None)
    top = math.log(threshold)
    searches = [
        ShareSearch(joined, int(column), maxima(int(column), None), top, before.get(int(column))) for column in columns
    ]
    most_bytes = min(_MOST_BYTES, _SHARE_OF_MEMORY * memory.free_bytes())
    size = joined.part.powers.size
    several = int(min(max(_MOST_PRODUCTS / size, _FEWEST), _FIRST))
    progress = Progress(len(searches))
    while True:
        open_ones = [one for one in searches if one.upper > threshold and not one.is_done]
        if not open_ones:
            break
        worst = max(open_ones, key=lambda one: (one.n_cells == 1, one.upper))  # a bound may stay infinite
        step = several if worst.n_cells > 1 else 2
        held = sum(one.n_cells * one.bytes_each for one in searches)
        if worst.n_cells > 1 and (held > most_bytes or not may_go_on(float(step * size))):
            break
        n_cells, waiting = (sum(int(one.state[k]) for one in searches) for k in (2, 1))
        if worst.n_cells > 1 and progress.stands_still(math.log(worst.upper) - top, n_cells, waiting):
            break
        worst.go_on(top, step)
        if worst.n_cells >= 2 * worst.looked and not worst.is_done:
            worst.looked = worst.n_cells
            worst.take(maxima(worst.column, worst.open_places(_LOOKS)))
        if float(worst.seen[0]) > top:
            threshold, decisions = raised(worst.column, worst.seen_at)
            top = max(math.log(threshold), float(worst.seen[0]))
            threshold = math.exp(min(top, _LARGEST))
            for one in searches:
                one.top = top
            worst.take(decisions)
    return searches, max(one.upper for one in searches)
