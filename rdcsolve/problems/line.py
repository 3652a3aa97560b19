"""Losses between points of the line that are functions of their distance, however many points there are."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.structures import Extremes, LossStructure, Selection
from rdcsolve.problems.validation import freeze, one_of, point_array

LINE_DISTORTIONS = ("squared_error", "absolute")
"""The distortions between points of the line that have kernels of their own."""


class LineLoss(LossStructure):
    """(x - y)^2 or abs(x - y) between points of the line in increasing order, with nothing stored but the points.

    Products with exp(-lambda L) cost O(n + k), so that a million points are no more than their vectors.

    Parameters
    ----------
    distortion : {"squared_error", "absolute"}
    points : array_like
        Where the symbols sit, shape (n,), strictly increasing.
    reproduction : array_like, optional
        Where the letters sit, shape (k,), strictly increasing; by default where the symbols do.

    Attributes
    ----------
    distortion : str
    points, reproduction : numpy.ndarray
        Shapes (n,) and (k,), read-only.
    grid, letter_grid : tuple of int
        (n,) and (k,).

    Raises
    ------
    InvalidInput
        If there is no such distortion, or points are not finite or not in increasing order.

    Examples
    --------
    >>> loss = LineLoss("absolute", [0.0, 1.0, 5.0], [0.0, 2.0])
    >>> loss.block(slice(1, 3)).tolist()
    [[1.0, 1.0], [5.0, 3.0]]
    >>> LineLoss("squared_error", np.linspace(-5, 5, 10**6)).shape
    (1000000, 1000000)
    """

    def __init__(self, distortion: str, points: Any, reproduction: Any = None) -> None:
        one_of(distortion, LINE_DISTORTIONS, "distortion")
        self.distortion = distortion
        self.points = _increasing(points, "points")
        self.reproduction = self.points if reproduction is None else _increasing(reproduction, "reproduction")
        self.shape = self.points.size, self.reproduction.size
        self.grid, self.letter_grid = (self.points.size,), (self.reproduction.size,)

    @property
    def is_square(self) -> bool:
        """Whether letters sit where symbols do."""
        return self.points is self.reproduction or np.array_equal(self.points, self.reproduction)

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return the losses of some letters at some symbols."""
        every = slice(None)
        points = self.points[every if rows is None else rows]
        reproduction = self.reproduction[every if letters is None else letters]
        return self.of_distances(np.subtract.outer(points, reproduction))

    def of_distances(self, distances: np.ndarray) -> np.ndarray:
        """Turn distances, an array of their own, into what they cost."""
        if self.distortion == "squared_error":
            return np.asarray(np.square(distances, out=distances))
        return np.asarray(np.abs(distances, out=distances))

    @cached_property
    def _extremes(self) -> Extremes:
        """The nearest letter is one of a symbol's two neighbours, the farthest the first or the last of all."""
        x, y = self.points, self.reproduction
        above = np.searchsorted(y, x)
        near = [x - y[np.maximum(above - 1, 0)], x - y[np.minimum(above, y.size - 1)]]
        lowest = np.minimum(*(self.of_distances(distance) for distance in near))
        return Extremes(lowest, np.maximum(self.of_distances(x - y[0]), self.of_distances(x - y[-1])))

    @cached_property
    def forbids(self) -> bool:
        """False: distances are finite."""
        return False

    def weighted_sum(self, weights: np.ndarray) -> np.ndarray:
        """Return sum_i weights_i L(i, a) by moments: of all weights, or of those on either side of a letter."""
        x, y, total = self.points, self.reproduction, float(weights.sum())
        middle = float(weights @ x) / total if total else 0.0
        if self.distortion == "squared_error":
            return np.asarray(total * (y - middle) ** 2 + float(weights @ (x - middle) ** 2))
        below = np.searchsorted(x, y, side="right")
        mass = np.r_[0.0, np.cumsum(weights)][below]
        first = np.r_[0.0, np.cumsum(weights * (x - middle))][below]
        whole = float(weights @ (x - middle))
        return np.asarray((2 * mass - total) * (y - middle) + whole - 2 * first)

    def coarser(self, step: int) -> LineLoss:
        """Return the loss between every so many of the symbols and of the letters."""
        points = freeze(self.points[::step].copy())
        return LineLoss(self.distortion, points, points if self.is_square else self.reproduction[::step])

    def cost_of_steps(self, step: int) -> float:
        """Return what the letter so many steps from the best costs, for most symbols."""
        y = self.reproduction
        if step >= y.size:
            return float(np.inf)
        return float(np.median(self.of_distances(y[step:] - y[:-step])))

    def digest(self) -> bytes:
        """Return the points' bytes."""
        return f"line|{self.distortion}|{self.shape}|".encode() + self.points.tobytes() + self.reproduction.tobytes()

    def __repr__(self) -> str:
        return f"LineLoss({self.distortion!r}, {self.shape[0]} x {self.shape[1]})"


def _increasing(points: Any, name: str) -> np.ndarray:
    column = point_array(points, name)
    if column.shape[1] != 1:
        raise InvalidInput(f"{name} has shape {column.shape}; give the places on a line as one array")
    line = freeze(np.ascontiguousarray(column[:, 0]))
    if not (line[1:] > line[:-1]).all():
        place = int(np.argmin(np.diff(line)))
        raise InvalidInput(
            f"{name} is {line[place]:g} and then {line[place + 1]:g} at place {place}; a LineLoss takes points in "
            "increasing order: sort them, or use BlockLoss"
        )
    return line


def is_increasing(points: np.ndarray) -> bool:
    """Return whether points, shape (n,), are strictly increasing."""
    return bool((points[1:] > points[:-1]).all())
