"""Losses that are sums over the axes of a product grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.distortions import axis_tables
from rdcsolve.problems.structures import Extremes, LossStructure, Selection, indices
from rdcsolve.problems.validation import freeze, loss_matrix


class SeparableLoss(LossStructure):
    """A sum over the axes of a product grid: L(i, a) = sum_d T_d[i_d, a_d], with nothing larger than the T_d stored.

    Symbols and letters are grids, each in C order: the last axis runs fastest, as in ``numpy.meshgrid(...,
    indexing="ij")`` and in `numpy.ravel`.

    Parameters
    ----------
    tables : sequence of array_like
        One per axis, shape (n_d, k_d), entries in [0, inf). The grid has n_1 n_2 ... symbols and k_1 k_2 ... letters.

    Attributes
    ----------
    grid, letter_grid : tuple of int
        (n_1, n_2, ...) and (k_1, k_2, ...).

    Examples
    --------
    >>> line = (np.arange(3.0)[:, None] - np.arange(3.0)) ** 2
    >>> loss = SeparableLoss([line, line])
    >>> loss.shape
    (9, 9)
    >>> loss.block(np.array([0]), np.array([0, 4, 8])).tolist()
    [[0.0, 2.0, 8.0]]
    """

    def __init__(self, tables: Sequence[Any]) -> None:
        if not isinstance(tables, Sequence) or not tables:
            raise InvalidInput(f"tables is {tables!r}; give one matrix (n_d, k_d) per axis of the grid")
        self.tables = tuple(loss_matrix(table, f"the table of axis {d}") for d, table in enumerate(tables))
        for d, table in enumerate(self.tables):
            if not np.isfinite(table).all():
                raise InvalidInput(
                    f"the table of axis {d} holds inf; a separable loss forbids no pair: use a matrix, or finite losses"
                )
        self.grid = tuple(table.shape[0] for table in self.tables)
        self.letter_grid = tuple(table.shape[1] for table in self.tables)
        self.shape = math.prod(self.grid), math.prod(self.letter_grid)

    @classmethod
    def between(cls, distortion: str, axes: Sequence[Any], letter_axes: Sequence[Any] | None = None) -> SeparableLoss:
        """Return a named distortion between the points of two product grids.

        Parameters
        ----------
        distortion : str
            A name that `distortion_matrix` knows: all of them are sums over the coordinates.
        axes : sequence of array_like
            Coordinates of the symbols along each axis.
        letter_axes : sequence of array_like, optional
            The same of the letters; by default the symbols'.

        Examples
        --------
        >>> SeparableLoss.between("squared_error", [[0.0, 1.0], [0.0, 2.0]]).block()[0].tolist()
        [0.0, 4.0, 1.0, 5.0]
        """
        letter_axes = axes if letter_axes is None else letter_axes
        if len(axes) != len(letter_axes):
            raise InvalidInput(
                f"there are {len(axes)} axes of symbols but {len(letter_axes)} of letters; give both the same number"
            )
        return cls(axis_tables(distortion, axes, letter_axes))

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return the sum of the tables' entries."""
        n, k = self.shape
        at_rows = np.unravel_index(indices(rows, n), self.grid)
        at_letters = None if letters is None else np.unravel_index(indices(letters, k), self.letter_grid)
        return combined(np.add, self.tables, at_rows, at_letters)

    @cached_property
    def _extremes(self) -> Extremes:
        """Least and largest entries of a sum over axes are the sums of the axes' own."""
        return Extremes(
            outer_sum([table.min(axis=1) for table in self.tables]), outer_sum([t.max(axis=1) for t in self.tables])
        )

    @cached_property
    def forbids(self) -> bool:
        """False: a separable loss is finite."""
        return False

    def weighted_sum(self, weights: np.ndarray) -> np.ndarray:
        """Return sum_i weights_i L(i, a) from the weights' sums along the axes."""
        tensor = weights.reshape(self.grid)
        every = range(len(self.grid))
        return outer_sum(
            [tensor.sum(axis=tuple(e for e in every if e != d)) @ table for d, table in enumerate(self.tables)]
        )

    def less_row_minima(self) -> tuple[SeparableLoss, np.ndarray]:
        """Return the loss with every row's least entry taken off, again separable, and what was taken off."""
        minima = [table.min(axis=1) for table in self.tables]
        if not any(low.any() for low in minima):
            return self, np.zeros(self.shape[0])
        tables = [freeze(table - low[:, None]) for table, low in zip(self.tables, minima, strict=True)]
        return SeparableLoss(tables), outer_sum(minima)

    def digest(self) -> bytes:
        """Return the tables' bytes."""
        parts = [f"|axis {d}{table.shape}|".encode() + table.tobytes() for d, table in enumerate(self.tables)]
        return b"separable" + b"".join(parts)

    def __repr__(self) -> str:
        sides = " x ".join(str(side) for side in self.grid)
        return f"SeparableLoss({sides} symbols, {' x '.join(str(side) for side in self.letter_grid)} letters)"


def combined(
    operation: np.ufunc,
    tables: Sequence[np.ndarray],
    rows: Sequence[np.ndarray],
    letters: Sequence[np.ndarray] | None,
) -> np.ndarray:
    """Return tables[0][i, a] + tables[1][j, b] + ..., or their product, for points (i, j, ...), (a, b, ...) of grids.

    Parameters
    ----------
    operation : numpy.ufunc
        `numpy.add` or `numpy.multiply`.
    tables : sequence of numpy.ndarray
        One per axis, shape (n_d, k_d).
    rows : sequence of numpy.ndarray
        The points' places along each axis, each of shape (n,).
    letters : sequence of numpy.ndarray or None
        The same of the letters, or None for the whole grid in C order, which takes no gathering.
    """
    total: np.ndarray | None = None
    for d, (table, i) in enumerate(zip(tables, rows, strict=True)):
        if letters is not None:
            a = letters[d]
            if table.shape[0] * a.size <= i.size * table.shape[1]:  # whichever leaves less to be copied twice
                part = np.take(np.take(table, a, axis=1), i, axis=0)
            else:
                part = np.take(np.take(table, i, axis=0), a, axis=1)
            total = part if total is None else operation(total, part, out=total)
        else:
            part = np.take(table, i, axis=0)
            total = part if total is None else operation(total[:, :, None], part[:, None, :])
            total = total.reshape(i.size, math.prod(total.shape[1:]))
    assert total is not None
    return total


def outer_sum(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return parts[0][i] + parts[1][j] + ..., flattened in C order."""
    total = parts[0]
    for part in parts[1:]:
        total = np.add.outer(total, part)
    return np.ravel(total)
