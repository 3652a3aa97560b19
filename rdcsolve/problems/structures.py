"""How a loss is known: as a table, as a function evaluated block by block, as rows of another, or by somebody else.

A *structure* is any object with ``shape`` = (n_x, n_letters) and ``block(rows, letters)``. Everything else that solvers
ask of a loss follows from these two, and a structure that knows better may say so: ``row_minima``, ``spread``,
``forbids``, ``digest`` and ``kernel`` are used where they exist.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.distortions import distortion_matrix, function_name
from rdcsolve.problems.validation import float_array, freeze, loss_matrix, point_array

TABLE_BYTES = 2**28
"""The largest table, in bytes, that is made of a loss which is not stored as one."""

BLOCK_PAIRS = 1 << 18
"""Pairs of symbol and letter that are looked at together: a few MB, whatever the size of the problem."""

Selection = slice | np.ndarray | None
"""Some rows or letters: all (None), a slice, or an array of indices."""


class Extremes(NamedTuple):
    """Row by row the least and the largest entry that is allowed, inf and -inf in rows without any; shape (n,) each."""

    lowest: np.ndarray
    highest: np.ndarray

    def spread(self, rows: Selection = None) -> float:
        """Return the largest difference within one row: what is added to a whole row does not change it."""
        every = slice(None) if rows is None else rows
        lowest, highest = self.lowest[every], self.highest[every]
        some = highest >= lowest
        return float(np.max(highest[some] - lowest[some], initial=0.0))


class LossStructure(ABC):
    """What a loss answers. Subclasses say `shape` and `block`; the rest follows, and may be said better.

    Attributes
    ----------
    shape : tuple of int
        (n_x, n_letters).
    """

    shape: tuple[int, int]

    @abstractmethod
    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return the losses of some letters at some symbols, a dense array; +inf where a pair is forbidden.

        Parameters
        ----------
        rows, letters : slice, numpy.ndarray or None
            Which symbols and which letters; None for all.
        """

    def extremes(self, forbidden: np.ndarray | None = None) -> Extremes:
        """Return the least and the largest allowed entry of every row; without a mask they are worked out once."""
        return self._extremes if forbidden is None else extremes(self, forbidden)

    @cached_property
    def _extremes(self) -> Extremes:
        return extremes(self)

    def row_minima(self, rows: Selection = None, forbidden: np.ndarray | None = None) -> np.ndarray:
        """Return min_a L(i, a) over the letters allowed, shape (n,), exact; inf where there is none.

        Parameters
        ----------
        rows : slice, numpy.ndarray or None, optional
        forbidden : numpy.ndarray, optional
            Mask (n_x, n_letters) of pairs that are not allowed, besides those of infinite loss.
        """
        lowest = self.extremes(forbidden).lowest
        return np.asarray(lowest if rows is None else lowest[rows])

    def spread(self, rows: Selection = None, forbidden: np.ndarray | None = None) -> float:
        """Return the largest difference between two letters allowed to one symbol; parameters as of `row_minima`.

        Limits are met, and called attained, on this scale: it stays when a constant is added to a symbol's losses.
        """
        return self.extremes(forbidden).spread(rows)

    @cached_property
    def forbids(self) -> bool:
        """Whether any entry is +inf."""
        return any(np.isinf(self.block(rows).max()) for rows in row_blocks(self.shape))

    def weighted_sum(self, weights: np.ndarray) -> np.ndarray:
        """Return sum_i weights_i L(i, a), shape (n_letters,); for losses that forbid nothing."""
        total = np.zeros(self.shape[1])
        for rows in row_blocks(self.shape):
            total += weights[rows] @ self.block(rows)
        return total

    def at_rows(self, rows: np.ndarray) -> LossStructure:
        """Return the structure of some rows."""
        return self if is_all(rows, self.shape[0]) else Rows(self, rows)

    def digest(self) -> bytes | None:
        """Return bytes that stand for all entries in a fingerprint, or None to have the entries themselves read."""
        return None


def extremes(structure: LossStructure, forbidden: np.ndarray | None = None) -> Extremes:
    """Return the least and the largest allowed entry of every row, by one pass over blocks of rows."""
    n = structure.shape[0]
    lowest, highest = np.full(n, math.inf), np.full(n, -math.inf)
    for rows in row_blocks(structure.shape):
        block = structure.block(rows)
        if forbidden is not None:
            block = np.where(forbidden[rows], math.inf, block)
        lowest[rows] = block.min(axis=1)
        top = block.max(axis=1)
        if np.isinf(top).any():
            top = np.where(np.isinf(block), -math.inf, block).max(axis=1)
        highest[rows] = top
    return Extremes(lowest, highest)


def row_blocks(shape: Sequence[int], pairs: int = BLOCK_PAIRS) -> Iterator[slice]:
    """Yield slices of rows that hold about so many pairs each."""
    height = max(1, pairs // max(1, shape[1]))
    for start in range(0, shape[0], height):
        yield slice(start, min(start + height, shape[0]))


def is_all(selection: Selection, size: int) -> bool:
    """Return whether a selection leaves nothing out and keeps the order."""
    return selection is None or (
        isinstance(selection, np.ndarray) and selection.size == size and np.array_equal(selection, np.arange(size))
    )


def indices(selection: Selection, size: int) -> np.ndarray:
    """Return the indices that a selection stands for."""
    if selection is None:
        return np.arange(size)
    return np.arange(size)[selection] if isinstance(selection, slice) else np.asarray(selection)


class Table(LossStructure):
    """A loss stored as a matrix.

    Parameters
    ----------
    matrix : numpy.ndarray
        Shape (n_x, n_letters).
    """

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = matrix
        self.shape = matrix.shape
        self._sums: tuple[bytes, np.ndarray] | None = None  # what `weighted_sum` returned last

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return some of the matrix, as it stands where nothing is left out."""
        if isinstance(rows, np.ndarray) and isinstance(letters, np.ndarray):
            return np.asarray(self.matrix[np.ix_(rows, letters)])
        part = self.matrix if rows is None else self.matrix[rows]
        if letters is None:
            return part
        return part[:, letters] if isinstance(letters, slice) else np.take(part, letters, axis=1)

    @cached_property
    def forbids(self) -> bool:
        """Whether any entry is +inf."""
        return bool(np.isinf(self.matrix.max()))

    def weighted_sum(self, weights: np.ndarray) -> np.ndarray:
        """Return weights @ matrix; the last answer is kept, as every problem with this loss asks for the same."""
        key = weights.tobytes()
        if self._sums is None or self._sums[0] != key:
            self._sums = key, freeze(np.asarray(weights @ self.matrix))
        return self._sums[1]

    def at_rows(self, rows: np.ndarray) -> Table:
        """Return the table of some rows."""
        return self if is_all(rows, self.shape[0]) else Table(self.matrix[rows])


class Rows(LossStructure):
    """Some rows of another structure.

    Parameters
    ----------
    whole : LossStructure
    rows : numpy.ndarray
        Indices, shape (n,).
    """

    def __init__(self, whole: LossStructure, rows: np.ndarray) -> None:
        self.whole, self.rows = whole, rows
        self.shape = rows.size, whole.shape[1]

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return the block of the whole at these rows."""
        return self.whole.block(self.rows if rows is None else self.rows[rows], letters)

    def row_minima(self, rows: Selection = None, forbidden: np.ndarray | None = None) -> np.ndarray:
        """Return min_a L(i, a), as the whole knows it unless more is forbidden."""
        if forbidden is not None:
            return super().row_minima(rows, forbidden)
        return self.whole.row_minima(self.rows if rows is None else self.rows[rows])


class Shifted(LossStructure):
    """Another structure with a constant taken off every row, and zero at forbidden pairs.

    Parameters
    ----------
    whole : LossStructure
    shifts : numpy.ndarray
        Shape (n,): at most the row's least allowed entry.
    forbidden : numpy.ndarray, optional
        Mask, shape (n, n_letters).
    """

    def __init__(self, whole: LossStructure, shifts: np.ndarray, forbidden: np.ndarray | None = None) -> None:
        self.whole, self.shifts, self.forbidden = whole, shifts, forbidden
        self.shape = whole.shape

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return the block of the whole, shifted."""
        every = slice(None)
        shift = self.shifts[every if rows is None else rows]
        block = self.whole.block(rows, letters) - shift[:, None]
        if self.forbidden is None:
            return np.asarray(block)
        mask = Table(self.forbidden).block(rows, letters)
        return np.where(mask, 0.0, block)

    def row_minima(self, rows: Selection = None, forbidden: np.ndarray | None = None) -> np.ndarray:
        """Return min_a L(i, a), as the whole knows it unless something is forbidden."""
        if forbidden is not None or self.forbidden is not None:
            return super().row_minima(rows, forbidden)
        lowest = self.whole.row_minima() - self.shifts
        return np.asarray(lowest if rows is None else lowest[rows])


class LetterLoss(LossStructure):
    """What letters cost whatever the symbol.

    Parameters
    ----------
    n_x : int
    costs : numpy.ndarray
        Shape (n_letters,), finite and >= 0.
    """

    def __init__(self, n_x: int, costs: np.ndarray) -> None:
        self.costs, self.shape = costs, (n_x, int(costs.size))

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return the losses of some letters at some symbols."""
        costs = self.costs if letters is None else self.costs[letters]
        return np.broadcast_to(costs, (indices(rows, self.shape[0]).size, costs.size))


class BlockLoss(LossStructure):
    """A distortion between points that is evaluated block by block, and never stored as a whole.

    Parameters
    ----------
    distortion : str or callable
        As of `distortion_matrix`: a name, or a function of points (r, dim) and reproduction points (k, dim) that
        returns their (r, k) losses.
    points, reproduction : array_like
        Shapes (n_x, dim) and (n_letters, dim).

    Examples
    --------
    >>> loss = BlockLoss("absolute", [0.0, 1.0, 5.0], [0.0, 2.0])
    >>> loss.block(slice(1, 3)).tolist()
    [[1.0, 1.0], [5.0, 3.0]]
    """

    def __init__(self, distortion: Any, points: Any, reproduction: Any) -> None:
        if not isinstance(distortion, str) and not callable(distortion):
            raise InvalidInput(f"distortion is {distortion!r}; give a name or a function: a matrix needs no blocks")
        self.distortion = distortion
        self.points, self.reproduction = point_array(points, "points"), point_array(reproduction, "reproduction")
        self.shape = self.points.shape[0], self.reproduction.shape[0]
        self.block(slice(0, 1), slice(0, 1))  # an unknown name, or dimensions that differ, are told now

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return the losses of some letters at some symbols."""
        every = slice(None)
        points = np.ascontiguousarray(self.points[every if rows is None else rows])
        reproduction = np.ascontiguousarray(self.reproduction[every if letters is None else letters])
        if not points.size or not reproduction.size:
            return np.zeros((points.shape[0], reproduction.shape[0]))
        return distortion_matrix(self.distortion, points, reproduction)

    def __repr__(self) -> str:
        name = repr(self.distortion) if isinstance(self.distortion, str) else function_name(self.distortion)
        return f"BlockLoss({name}, {self.shape[0]} x {self.shape[1]})"


class Adapted(LossStructure):
    """Somebody's own structure: blocks are checked, and what it does not say is worked out.

    Parameters
    ----------
    own : object
        With ``shape`` and ``block``.
    name : str
        For messages.
    """

    def __init__(self, own: Any, name: str) -> None:
        self.own, self.name = own, name
        self.shape = self._shape()
        self.block(slice(0, 1))

    def _shape(self) -> tuple[int, int]:
        shape = self.own.shape
        is_pair = isinstance(shape, tuple) and len(shape) == 2
        if not is_pair or not all(isinstance(side, (int, np.integer)) and side > 0 for side in shape):
            raise InvalidInput(f"{self.name}: shape is {shape!r}; give two positive integers, (n_x, n_letters)")
        return int(shape[0]), int(shape[1])

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return the structure's own block, if it is one."""
        block = float_array(self.own.block(rows, letters), f"{self.name}: block(rows, letters)")
        expected = indices(rows, self.shape[0]).size, indices(letters, self.shape[1]).size
        if block.shape != expected:
            raise InvalidInput(
                f"{self.name}: block(rows, letters) has shape {block.shape} for {expected[0]} rows and {expected[1]} "
                "letters; return one row per symbol and one column per letter"
            )
        return block if not block.size else loss_matrix(block, f"{self.name}: block(rows, letters)")

    def row_minima(self, rows: Selection = None, forbidden: np.ndarray | None = None) -> np.ndarray:
        """Return min_a L(i, a), by the structure's own word if it has one and nothing else is forbidden."""
        if forbidden is not None or not hasattr(self.own, "row_minima"):
            return super().row_minima(rows, forbidden)
        lowest = float_array(self.own.row_minima(), f"{self.name}: row_minima()")
        return lowest if rows is None else lowest[rows]

    def spread(self, rows: Selection = None, forbidden: np.ndarray | None = None) -> float:
        """Return the largest difference within a row, by the structure's own word if it has one."""
        if forbidden is not None or not hasattr(self.own, "spread"):
            return super().spread(rows, forbidden)
        return float(self.own.spread())

    @cached_property
    def forbids(self) -> bool:
        """Whether any entry is +inf, by the structure's own word if it has one."""
        if hasattr(self.own, "forbids"):
            return bool(self.own.forbids)
        return any(np.isinf(self.block(rows).max()) for rows in row_blocks(self.shape))

    def digest(self) -> bytes | None:
        """Return the structure's own digest, if it has one."""
        own = getattr(self.own, "digest", None)
        return None if own is None else bytes(own())

    def __repr__(self) -> str:
        return f"{type(self.own).__name__}({self.shape[0]} x {self.shape[1]})"


def is_structure(value: Any) -> bool:
    """Return whether a value is meant as a loss structure rather than as a matrix, a name or a function."""
    return hasattr(value, "block")


def structure_of(value: Any, name: str) -> LossStructure:
    """Return a user's loss as a structure: a matrix becomes a `Table`, an object with blocks is adapted.

    Raises
    ------
    InvalidInput
        If the value is neither, or lacks what a structure needs.
    """
    if isinstance(value, LossStructure):
        return value
    if not is_structure(value):
        return Table(loss_matrix(value, name))
    if not callable(value.block) or not hasattr(value, "shape"):
        missing = "shape = (n_x, n_letters)" if callable(value.block) else "a method block(rows, letters)"
        raise InvalidInput(
            f"{name} is a {type(value).__name__} without {missing}; a loss structure has shape and block(rows, letters)"
        )
    return Adapted(value, name)
