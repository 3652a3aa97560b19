"""The part of a certificate that proves the largest price: places of tangents, trees of cells, cells of the line.

What they mean, and what a check does with them, is the page on the certificate file; here they are only kept, packed
as named arrays and unpacked again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from rdcsolve.errors import InvalidInput

_NAME = re.compile(r"(0|[1-9][0-9]{0,5})_(places_columns|places|splits|ends|share_[a-z]+)")
_LINE = "line"


def _none(*shape: int, kind: type = np.int32) -> np.ndarray:
    array: np.ndarray = np.zeros(shape, dtype=kind)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class ShareProof:
    """Cells of shares, which bound prices of labels with any number of classes: trees of them, one for each column.

    Attributes
    ----------
    joins : numpy.ndarray
        Shape (V, 2), integers: number N + v joins two classes, or earlier joins, of one label.
    columns, sizes : numpy.ndarray
        Shape (T,), integers: the columns, ascending, and how many cells each one's tree has.
    cuts : numpy.ndarray
        Shape (cells,), integers: the join whose share a cell is cut at, -1 for a leaf. Breadth first, tree by tree.
    at : numpy.ndarray
        Shape (cuts,): where, between zero and one.
    near : numpy.ndarray
        Shape (leaves,), integers: the letter that a leaf is bounded around, -1 for a tangent.
    forms, slopes, places : numpy.ndarray
        Shapes (t, V), integers 0 to 9; (t, V); (t, N), positive: of the leaves with tangents.
    letters : numpy.ndarray
        Shape (k, V): shares between zero and one.
    """

    joins: np.ndarray
    columns: np.ndarray
    sizes: np.ndarray
    cuts: np.ndarray
    at: np.ndarray
    near: np.ndarray
    forms: np.ndarray
    slopes: np.ndarray
    places: np.ndarray
    letters: np.ndarray

    def __post_init__(self) -> None:
        for name, (ndim, kind) in _SHARES.items():
            _check_array(f"share_{name}", getattr(self, name), ndim, kind)
        n_joins, n_tangents = len(self.joins), int(np.count_nonzero(self.near < 0))
        widths = (self.joins.shape[1] - 2, self.forms.shape[1] - n_joins, self.slopes.shape[1] - n_joins)
        _check(not any(widths) and self.letters.shape[1] == n_joins, "its tables of shares have not one column a join")
        rows = (len(self.forms), len(self.slopes), len(self.places))
        _check(rows == 3 * (n_tangents,), "its tables of shares have not one row for each tangent")
        _check(self.sizes.shape == self.columns.shape, "not every column of shares has one tree")
        _check(bool((np.diff(self.columns) > 0).all()), "columns of shares are not in order")
        _check(bool((self.sizes > 0).all()) and int(self.sizes.sum()) == self.cuts.size, "trees of shares are cut off")
        n_cuts = int(np.count_nonzero(self.cuts >= 0))
        _check(self.at.size == n_cuts and self.near.size == self.cuts.size - n_cuts, "trees of shares do not fit")
        ranges = [(self.joins, 0, 2**31), (self.columns, 0, 2**31), (self.cuts, -1, n_joins)]
        ranges += [(self.near, -1, len(self.letters)), (self.forms, 0, 10)]
        for array, low, end in ranges:
            _check(low <= array.min(initial=low) and array.max(initial=low) < end, "a number of shares is out of range")
        between = ((self.at > 0) & (self.at < 1)).all() and ((self.letters > 0) & (self.letters < 1)).all()
        _check(bool(between), "a share is not between zero and one")
        _check(bool((self.places > 0).all() and (self.places < 2).all()), "a place of shares is not positive")
        _check(bool(np.isfinite(self.slopes).all()), "a slope of shares is not finite")


_SHARES = {
    "joins": (2, "i"),
    "columns": (1, "i"),
    "sizes": (1, "i"),
    "cuts": (1, "i"),
    "at": (1, "f"),
    "near": (1, "i"),
    "forms": (2, "i"),
    "slopes": (2, "f"),
    "places": (2, "f"),
    "letters": (2, "f"),
}
"""Arrays of a proof by shares: dimensions and kind."""


@dataclass(frozen=True, eq=False)
class PartProof:
    """What bounds the prices of one part; columns that are in none of it are bounded by their totals.

    Attributes
    ----------
    places_columns : numpy.ndarray
        Shape (t,), integers: the columns that are bounded by a tangent.
    places : numpy.ndarray
        Shape (t, N): where, the classes of all labels of the part one after the other, positive.
    splits : numpy.ndarray
        Shape (nodes,), integers: the edge that each cell of the tree is halved at, or -1. Breadth first.
    ends : numpy.ndarray
        Shape (e, 2), integers: node and column where the column's bound is taken.
    shares : ShareProof or None
        Cells of shares.
    """

    places_columns: np.ndarray = field(default_factory=lambda: _none(0))
    places: np.ndarray = field(default_factory=lambda: _none(0, 0, kind=np.float64))
    splits: np.ndarray = field(default_factory=lambda: _none(0, kind=np.int8))
    ends: np.ndarray = field(default_factory=lambda: _none(0, 2))
    shares: ShareProof | None = None

    def __post_init__(self) -> None:
        for name, ndim in (("places_columns", 1), ("places", 2), ("splits", 1), ("ends", 2)):
            _check_array(name, getattr(self, name), ndim, "f" if name == "places" else "i")
        _check(len(self.places) == self.places_columns.size, "places has not one row for each of its columns")
        _check(bool(((self.places > 0) & (self.places < 1 + 1e-6)).all()), "a place is not positive, or above one")
        _check(self.places_columns.min(initial=0) >= 0, "places_columns has a negative entry")
        _check(self.ends.shape[1] == 2, f"ends has shape {self.ends.shape}, not two columns")
        _check(self.ends.min(initial=0) >= 0, "ends has a negative entry")
        _check(self.splits.min(initial=0) >= -1, "splits has an entry below -1")
        n_split = int(np.count_nonzero(self.splits >= 0))
        _check(self.splits.size in (0, 2 * n_split + 1), "splits is not a tree")
        _check(
            not len(self.ends) or int(self.ends[:, 0].max()) < self.splits.size, "ends names a node that is not there"
        )

    @property
    def is_empty(self) -> bool:
        """Whether all columns are bounded by their totals."""
        return not (self.places_columns.size or len(self.ends) or self.shares is not None)


@dataclass(frozen=True, eq=False)
class PriceProof:
    """Proof of the largest price.

    Attributes
    ----------
    parts : tuple of PartProof
        By number; parts that are missing at the end are empty.
    line : numpy.ndarray or None
        Shape (c, 2): cells of the line, where letters are points of it.
    """

    parts: tuple[PartProof, ...] = ()
    line: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.line is not None:
            _check_array(_LINE, self.line, 2, "f")
            _check(self.line.shape[1] == 2, f"{_LINE} has shape {self.line.shape}, not two columns")

    @property
    def is_empty(self) -> bool:
        """Whether all columns are bounded by their totals, which takes no proof."""
        return self.line is None and all(part.is_empty for part in self.parts)

    @property
    def size(self) -> int:
        """Number of numbers in all arrays."""
        return sum(array.size for array in self.packed().values())

    def packed(self) -> dict[str, np.ndarray]:
        """Return all that is not empty as arrays by name."""
        arrays = {} if self.line is None else {_LINE: self.line}
        for number, part in enumerate(self.parts):
            if part.places_columns.size:
                arrays |= {f"{number}_places_columns": part.places_columns, f"{number}_places": part.places}
            if len(part.ends):
                arrays |= {f"{number}_splits": part.splits, f"{number}_ends": part.ends}
            if part.shares is not None:
                arrays |= {f"{number}_share_{name}": getattr(part.shares, name) for name in _SHARES}
        return arrays


def unpacked(arrays: Mapping[str, np.ndarray]) -> PriceProof:
    """Return the proof of which `PriceProof.packed` made these arrays.

    Raises
    ------
    InvalidInput
        If a name, shape, type or entry is not one that a proof can have.
    """
    held: dict[int, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        matched = _NAME.fullmatch(name)
        if matched:
            held.setdefault(int(matched[1]), {})[matched[2]] = _frozen(array)
        else:
            _check(name == _LINE, f"{name!r} is not the name of an array of a proof")
    parts = tuple(_part(held.get(number, {})) for number in range(max(held, default=-1) + 1))
    return PriceProof(parts, _frozen(arrays[_LINE]) if _LINE in arrays else None)


def _part(held: dict[str, np.ndarray]) -> PartProof:
    shares = {name.removeprefix("share_"): held.pop(name) for name in list(held) if name.startswith("share_")}
    _check(shares.keys() in (set(), set(_SHARES)), "arrays of shares are missing, or too many")
    return PartProof(**held, shares=ShareProof(**shares) if shares else None)


def _frozen(array: np.ndarray) -> np.ndarray:
    copied = np.array(array)
    copied.setflags(write=False)
    return copied


def _check_array(name: str, array: np.ndarray, ndim: int, kind: str) -> None:
    is_right = isinstance(array, np.ndarray) and array.dtype.kind == kind and array.ndim == ndim
    found = f"{array.dtype} and shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
    kinds = {"f": "real numbers", "i": "signed integers"}
    _check(is_right, f"{name} has {found}, not {ndim} dimensions of {kinds[kind]}")


def _check(is_right: bool, fault: str) -> None:
    if not is_right:
        raise InvalidInput(f"the proof of the largest price is malformed: {fault}; solve the problem again")
