"""Notes of a search, of which a proof of the largest price is made: places of tangents, and how cells were halved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.proof import PartProof, PriceProof, ShareProof


class Tree:
    """The cells of one search by branch and bound, numbered breadth first, and where the bounds of columns are final.

    Attributes
    ----------
    alive : numpy.ndarray
        Numbers of the cells of the present level.
    """

    def __init__(self) -> None:
        self.alive = np.zeros(1, dtype=np.int64)
        self._levels: list[np.ndarray] = []
        self._ends: list[np.ndarray] = []
        self._first, self._width = 0, 1

    def halve(self, splits: np.ndarray) -> None:
        """Enter the edges that the present level's cells are halved at, -1 for those that are not; go to the next."""
        level = np.full(self._width, -1, dtype=np.int8)
        level[self.alive - self._first] = splits
        self._levels.append(level)
        self._first += self._width
        self._width = 2 * int(np.count_nonzero(splits >= 0))
        self.alive = np.arange(self._first, self._first + self._width)

    def end(self, counts: np.ndarray, columns: np.ndarray, ended: np.ndarray | None = None) -> None:
        """Enter columns, so many for each cell of the present level, whose bound there is final."""
        nodes = np.repeat(self.alive, counts)
        pairs = np.stack([nodes, columns], axis=1)
        pairs = pairs if ended is None else pairs[ended]
        if len(pairs):
            self._ends.append(pairs)

    def leave_out(self, dropped: np.ndarray) -> None:
        """Forget columns, a mask over all, whose bounds come from elsewhere."""
        self._ends = [pairs[~dropped[pairs[:, 1]]] for pairs in self._ends]

    @property
    def splits(self) -> np.ndarray:
        """Edges of all cells, the unfinished level's included."""
        return np.concatenate([*self._levels, np.full(self._width, -1, dtype=np.int8)])

    @property
    def ends(self) -> np.ndarray:
        """Nodes and columns, shape (e, 2)."""
        return np.concatenate([np.zeros((0, 2), dtype=np.int64), *self._ends])


@dataclass(frozen=True, eq=False)
class ShareNotes:
    """How the cells of shares of one column were cut, and what bounds each leaf; see `ShareProof` for the arrays."""

    cuts: np.ndarray
    at: np.ndarray
    near: np.ndarray
    forms: np.ndarray
    slopes: np.ndarray
    places: np.ndarray
    letters: np.ndarray


@dataclass(frozen=True, eq=False)
class EarlierShares:
    """Cells of shares of an earlier search over the same classes: its joins, and how the cells of columns were cut."""

    joins: np.ndarray
    trees: dict[int, ShareNotes]


def earlier_shares(proof: PriceProof | None, part: int, numbers: np.ndarray) -> EarlierShares | None:
    """Return the cells of shares that a proof has of a part; None if it has none.

    Parameters
    ----------
    proof : PriceProof or None
    part : int
        The part's number.
    numbers : numpy.ndarray
        Shape (n_y,): what the proof calls the columns.
    """
    if proof is None or part >= len(proof.parts) or proof.parts[part].shares is None:
        return None
    shares = proof.parts[part].shares
    assert shares is not None
    columns = {int(number): column for column, number in enumerate(numbers.tolist())}
    trees: dict[int, ShareNotes] = {}
    cell = cut = leaf = tangent = 0
    for number, size in zip(shares.columns.tolist(), shares.sizes.tolist(), strict=True):
        cuts = shares.cuts[cell : cell + size]
        n_cuts = int(np.count_nonzero(cuts >= 0))
        near = shares.near[leaf : leaf + size - n_cuts]
        n_tangents = int(np.count_nonzero(near < 0))
        rows, ends = slice(tangent, tangent + n_tangents), slice(cut, cut + n_cuts)
        kept = (shares.forms[rows], shares.slopes[rows], shares.places[rows])
        if number in columns:
            trees[columns[number]] = ShareNotes(cuts, shares.at[ends], near, *kept, shares.letters)
        cell, cut, leaf, tangent = cell + size, cut + n_cuts, leaf + size - n_cuts, tangent + n_tangents
    return EarlierShares(shares.joins.astype(np.int64), trees)


@dataclass
class PartRecord:
    """Notes on one part."""

    places: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    trees: list[Tree] = field(default_factory=list)
    joins: np.ndarray | None = None
    shares: list[tuple[int, ShareNotes]] = field(default_factory=list)

    def leave_out(self, dropped: np.ndarray) -> None:
        """Forget columns, a mask over all."""
        self.places = [(columns[~dropped[columns]], r[~dropped[columns]]) for columns, r in self.places]
        for tree in self.trees:
            tree.leave_out(dropped)


Record = dict[int, PartRecord]
"""Notes on all parts, by number."""


def proof_of(records: Iterable[tuple[np.ndarray, Record]], line: np.ndarray | None = None) -> PriceProof:
    """Return the proof that searches over different columns make together.

    Parameters
    ----------
    records : iterable of (numpy.ndarray, Record)
        For every search, the number of each of its columns in the proof, and its notes.
    line : numpy.ndarray, optional
        Cells of the line.
    """
    noted: dict[int, list[tuple[np.ndarray, PartRecord]]] = {}
    for numbers, record in records:
        for part, one in record.items():
            noted.setdefault(part, []).append((numbers, one))
    parts = tuple(_part(noted.get(part, [])) for part in range(max(noted, default=-1) + 1))
    while parts and parts[-1].is_empty:
        parts = parts[:-1]
    return PriceProof(parts, line)


def _part(noted: list[tuple[np.ndarray, PartRecord]]) -> PartProof:
    columns, places, trees = [], [], []
    for numbers, one in noted:
        for own, r in one.places:
            if own.size:
                columns.append(numbers[own])
                places.append(r)
        for tree in one.trees:
            ends = tree.ends
            if len(ends):
                trees.append((tree.splits, np.stack([ends[:, 0], numbers[ends[:, 1]]], axis=1)))
    kept: dict[str, np.ndarray] = {}
    if columns:
        kept |= {"places_columns": np.concatenate(columns).astype(np.int32), "places": np.vstack(places)}
    if trees:
        splits, ends = _together(trees)
        kept |= {"splits": splits, "ends": ends.astype(np.int32)}
    return PartProof(**kept, shares=_shares(noted))


def _shares(noted: list[tuple[np.ndarray, PartRecord]]) -> ShareProof | None:
    """Return all trees of shares one after the other, in the order of their columns."""
    trees = [(int(numbers[column]), notes) for numbers, one in noted for column, notes in one.shares]
    joins = next((one.joins for _, one in noted if one.joins is not None), None)
    if joins is None or not trees:
        return None
    trees.sort(key=lambda pair: pair[0])
    first = np.cumsum([0, *(len(notes.letters) for _, notes in trees)])
    near = [np.where(notes.near < 0, -1, notes.near + start) for start, (_, notes) in zip(first, trees, strict=False)]

    def stacked(name: str) -> np.ndarray:
        return np.concatenate([getattr(notes, name) for _, notes in trees])

    return ShareProof(
        joins=joins.astype(np.int32),
        columns=np.array([number for number, _ in trees], dtype=np.int32),
        sizes=np.array([notes.cuts.size for _, notes in trees], dtype=np.int32),
        near=np.concatenate(near).astype(np.int32),
        **{name: stacked(name) for name in ("cuts", "at", "forms", "slopes", "places", "letters")},
    )


def _together(trees: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Return one tree for all columns, without cells where none ends nor passes, numbered breadth first.

    A cell is halved at the same edge in every search, since its shape alone decides.
    """
    child, split = np.array([-1]), np.array([-1], dtype=np.int8)
    ends = []
    for splits, pairs in trees:
        at = np.zeros(splits.size, dtype=np.int64)
        deadline.look()
        for halved, first in _levels(splits):
            here = at[halved]
            new = here[child[here] < 0]
            child[new] = child.size + 2 * np.arange(new.size)
            split[new] = splits[halved[child[here] >= child.size]]
            child = np.concatenate([child, np.full(2 * new.size, -1)])
            split = np.concatenate([split, np.full(2 * new.size, -1, dtype=np.int8)])
            at[first] = child[here]
            at[first + 1] = child[here] + 1
        ends.append(np.stack([at[pairs[:, 0]], pairs[:, 1]], axis=1))
    return _numbered(child, split, np.concatenate(ends))


def _levels(splits: np.ndarray) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Yield the cells that are halved, and the first children of each, level by level."""
    start, stop = 0, 1
    while start < stop:
        halved = start + np.flatnonzero(splits[start:stop] >= 0)
        yield halved, stop + 2 * np.arange(halved.size)
        start, stop = stop, stop + 2 * halved.size


def _numbered(child: np.ndarray, split: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return splits and ends with cells numbered breadth first, those left out that have no end at or below them."""
    parent = np.full(child.size, -1)
    halved = np.flatnonzero(child >= 0)
    parent[child[halved]] = parent[child[halved] + 1] = halved
    passed, reached = np.zeros(child.size, dtype=bool), np.zeros(child.size, dtype=bool)
    reached[ends[:, 0]] = True  # marks: to look for the different numbers among millions takes seconds
    while (above := parent[reached]).size:
        reached[:] = False
        reached[above[above >= 0]] = True
        reached &= ~passed
        passed |= reached
    number = np.full(child.size, -1)
    level, count, splits = np.zeros(1, dtype=np.int64), 0, []
    while level.size:
        number[level] = count + np.arange(level.size)
        count += level.size
        splits.append(np.where(passed[level], split[level], -1))
        first = child[level[passed[level]]]
        level = np.stack([first, first + 1], axis=1).ravel()
    return np.concatenate(splits).astype(np.int8), np.stack([number[ends[:, 0]], ends[:, 1]], axis=1)
