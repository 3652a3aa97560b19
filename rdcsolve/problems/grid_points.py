"""Points in a list that are a full product grid, in whatever order, and tables of losses between such points."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.problems.distortions import NAMED_DISTORTIONS
from rdcsolve.problems.separable import SeparableLoss
from rdcsolve.problems.structures import Table, is_all

_FEWEST_PAIRS = 2**20  # below that a product with the table is about as fast as one with a small matrix per axis


class Places(NamedTuple):
    """Listed points as points of a grid.

    Attributes
    ----------
    axes : tuple of numpy.ndarray
        The coordinates along each axis in increasing order, shapes (n_1,), (n_2,), ...
    places : numpy.ndarray or None
        Shape (n,): where in the grid's C order each point is; None where that is the order of the list.
    """

    axes: tuple[np.ndarray, ...]
    places: np.ndarray | None


def grid_of(points: np.ndarray) -> Places | None:
    """Return the product grid that points, shape (n, dim), are, each of its points once, or None.

    Coordinates are the same only if they are equal as floats: nothing is rounded, so that losses stay what they are.

    Examples
    --------
    >>> grid_of(np.array([[0.0, 5.0], [1.0, 5.0], [0.0, 7.0], [1.0, 7.0]])).places.tolist()
    [0, 2, 1, 3]
    >>> grid_of(np.array([[0.0, 5.0], [1.0, 5.0], [0.0, 7.0], [1.0, 7.5]])) is None
    True
    """
    axes, along = [], []
    for column in points.T:
        axis, place = np.unique(column, return_inverse=True)
        axes.append(axis)
        along.append(place.ravel())
    sides = tuple(axis.size for axis in axes)
    if math.prod(sides) != points.shape[0]:
        return None
    places = np.ravel_multi_index(along, sides)
    if np.bincount(places, minlength=places.size).max() > 1:  # a point twice, and another one not at all
        return None
    return Places(tuple(axes), None if is_all(places, places.size) else places)


class GridTable(Table):
    """A table of losses between points that form grids: kernels of it are Kronecker products of one matrix per axis.

    The table is what the loss is: bounds, certificates and fingerprints are those of the table alone.

    Parameters
    ----------
    matrix : numpy.ndarray
        Shape (n, k).
    separable : SeparableLoss
        The same losses, to rounding, between the points of the grids in C order.
    rows, letters : numpy.ndarray or None
        Where in that order symbols and letters are, shapes (n,) and (k,); None for all of them as they come.
    """

    def __init__(
        self, matrix: np.ndarray, separable: SeparableLoss, rows: np.ndarray | None, letters: np.ndarray | None
    ) -> None:
        super().__init__(matrix)
        self.separable, self.rows, self.letters = separable, rows, letters

    def at_rows(self, rows: np.ndarray) -> GridTable:
        """Return the table of some rows."""
        if is_all(rows, self.shape[0]):
            return self
        return GridTable(self.matrix[rows], self.separable, self._of_rows(rows), self.letters)

    def lowered(self, matrix: np.ndarray, rows: np.ndarray | None) -> GridTable:
        """Return the table of some rows (None for all) with their least entries taken off, which `matrix` is."""
        return GridTable(matrix, self.separable.less_row_minima()[0], self._of_rows(rows), self.letters)

    def _of_rows(self, rows: np.ndarray | None) -> np.ndarray | None:
        if rows is None:
            return self.rows
        return rows if self.rows is None else self.rows[rows]

    @property
    def grid(self) -> str:
        """How many points there are along each axis, as in ``"50 x 50"``."""
        return " x ".join(str(side) for side in self.separable.grid)


def with_grid(matrix: np.ndarray, distortion: Any, points: Any, reproduction: Any) -> np.ndarray | GridTable:
    """Return the matrix of a named distortion, as a `GridTable` where symbols and letters are full grids.

    Parameters
    ----------
    matrix : numpy.ndarray
        Shape (n, k).
    distortion : Any
        Of `distortion_matrix`.
    points, reproduction : numpy.ndarray or None
        Shapes (n, dim) and (k, dim).
    """
    if not isinstance(distortion, str) or distortion not in NAMED_DISTORTIONS or matrix.size < _FEWEST_PAIRS:
        return matrix
    if points is None or reproduction is None or points.shape[1] < 2:
        return matrix
    symbols = grid_of(points)
    letters = symbols if reproduction is points or symbols is None else grid_of(reproduction)
    if symbols is None or letters is None:
        return matrix
    separable = SeparableLoss.between(distortion, symbols.axes, letters.axes)
    return GridTable(matrix, separable, symbols.places, letters.places)


def recognised_grid(problem: Any) -> str | None:
    """Return the sides of the grid that listed points turned out to be, if a finite problem's kernels go by it.

    Examples
    --------
    >>> from rdcsolve.problems import Problem, Source
    >>> places = np.stack(np.meshgrid(np.arange(40.0), np.arange(30.0)), axis=-1).reshape(-1, 2)
    >>> recognised_grid(Problem(Source(places, np.full(1200, 1 / 1200))).with_limits(D=2.0))
    '40 x 30'
    """
    if not problem.is_finite or problem.forbidden is not None or problem.perceptions:
        return None
    counts = np.isfinite(problem.bounds) if problem.multipliers is None else problem.multipliers > 0
    target = problem.goal.target
    losses = [loss.structure for m, loss in enumerate(problem.linear_losses) if counts[m] or m == target]
    grids = {loss.grid for loss in losses if isinstance(loss, GridTable)}
    is_one = len(grids) == 1 and all(isinstance(loss, GridTable) for loss in losses)
    return grids.pop() if is_one else None
