"""Distortions: from a name, a matrix or a function to the matrix d(x_i, y_j)."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.memory import require
from rdcsolve.problems.validation import freeze, loss_matrix, one_of, point_array

# Rows are handled in blocks of this many entries, so that the scratch stays in cache.
_BLOCK_ENTRIES = 1 << 16


def _square(difference: np.ndarray) -> None:
    np.multiply(difference, difference, out=difference)


def _magnitude(difference: np.ndarray) -> None:
    np.abs(difference, out=difference)


def _disagreement(difference: np.ndarray) -> None:
    np.not_equal(difference, 0.0, out=difference, casting="unsafe")


_PER_COORDINATE: dict[str, Callable[[np.ndarray], None]] = {
    "squared_error": _square,
    "mean_squared_error": _square,
    "absolute": _magnitude,
    "hamming": _disagreement,
}

NAMED_DISTORTIONS = tuple(_PER_COORDINATE)
"""The distortions that can be asked for by name."""


def distortion_matrix(distortion: Any, points: Any, reproduction: Any, *, name: str = "distortion") -> np.ndarray:
    """Return the matrix of distortions between points and reproduction points.

    Parameters
    ----------
    distortion : str, array_like or callable
        ``"squared_error"``, ``"absolute"`` and ``"hamming"`` add (x - y)^2, abs(x - y) and [x != y] over the
        coordinates; ``"mean_squared_error"`` averages (x - y)^2. A matrix (n_x, n_y) is taken as it is; a
        function is called as ``distortion(points, reproduction)`` and returns such a matrix.
    points : array_like or None
        Shape (n_x, dim) or (n_x,); not needed for a matrix.
    reproduction : array_like or None
        Shape (n_y, dim) or (n_y,); not needed for a matrix.
    name : str, optional
        What to call the matrix in an error message.

    Returns
    -------
    numpy.ndarray
        Shape (n_x, n_y), read-only, real numbers; ``+inf`` forbids the pair.

    Raises
    ------
    InvalidInput
        On an unknown name, missing points, dimensions that differ, or entries that are NaN or -inf.

    Examples
    --------
    >>> distortion_matrix("squared_error", [0.0, 1.0], [0.0, 3.0]).tolist()
    [[0.0, 9.0], [1.0, 4.0]]
    """
    if not isinstance(distortion, str) and not callable(distortion):
        return loss_matrix(distortion, name)
    if isinstance(distortion, str):
        one_of(distortion, NAMED_DISTORTIONS, "distortion")
    described = repr(distortion) if isinstance(distortion, str) else function_name(distortion)
    if points is None or reproduction is None:
        missing = "source has no points" if points is None else "reproduction points are missing"
        raise InvalidInput(f"the {missing}, which {name} {described} needs; give them, or pass a matrix (n_x, n_y)")
    points, reproduction = point_array(points, "points"), point_array(reproduction, "reproduction")
    require(
        8.0 * points.shape[0] * reproduction.shape[0],
        f"a table of {points.shape[0]} x {reproduction.shape[0]} losses",
        "take fewer letters (reproduction=), or a BlockLoss or SeparableLoss, which is not stored",
    )
    if not isinstance(distortion, str):
        check_takes(distortion, (points, reproduction), f"{name} {described}", "points and reproduction points")
        matrix = loss_matrix(distortion(points, reproduction), f"{name} from {described}")
        return check_shape(matrix, (points.shape[0], reproduction.shape[0]), f"{name} from {described}")
    if points.shape[1] != reproduction.shape[1]:
        raise InvalidInput(
            f"points have dimension {points.shape[1]} but reproduction has {reproduction.shape[1]}; "
            "make the dimensions equal"
        )
    matrix = _sum_over_coordinates(_PER_COORDINATE[distortion], points, reproduction)
    if distortion == "mean_squared_error":
        matrix /= points.shape[1]
    return loss_matrix(freeze(matrix), name)


def _sum_over_coordinates(
    transform: Callable[[np.ndarray], None], points: np.ndarray, reproduction: np.ndarray
) -> np.ndarray:
    n_x, n_y = points.shape[0], reproduction.shape[0]
    matrix = np.zeros((n_x, n_y))
    n_rows = max(1, min(n_x, _BLOCK_ENTRIES // n_y))
    scratch = np.empty((n_rows, n_y))
    for start in range(0, n_x, n_rows):
        block = matrix[start : start + n_rows]
        difference = scratch[: block.shape[0]]
        for x, y in zip(points[start : start + n_rows].T, reproduction.T, strict=True):
            np.subtract(x[:, None], y[None, :], out=difference)
            transform(difference)
            block += difference
    return matrix


def axis_tables(distortion: str, axes: Sequence[Any], letter_axes: Sequence[Any]) -> list[np.ndarray]:
    """Return the parts that a named distortion between points of two product grids is the sum of, one per axis.

    Parameters
    ----------
    distortion : str
    axes, letter_axes : sequence of array_like
        Coordinates along each axis, shapes (n_d,) and (k_d,).
    """
    one_of(distortion, NAMED_DISTORTIONS, "distortion")
    tables = []
    for x, y in zip(axes, letter_axes, strict=True):
        table = np.subtract.outer(np.ravel(x).astype(float), np.ravel(y).astype(float))
        _PER_COORDINATE[distortion](table)
        tables.append(table / len(axes) if distortion == "mean_squared_error" else table)
    return tables


def check_shape(matrix: np.ndarray, shape: tuple[int, int], name: str) -> np.ndarray:
    """Return `matrix` if it has the `shape` (n_x, n_y) that the symbols and letters call for."""
    if matrix.shape != shape:
        raise InvalidInput(
            f"{name} has shape {matrix.shape} but there are {shape[0]} symbols and {shape[1]} letters; "
            f"give a matrix of shape {shape}"
        )
    return matrix


def check_takes(function: Any, arguments: tuple[Any, ...], what: str, called_with: str) -> None:
    """Raise if a function of the user's cannot be called with these arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some that are compiled do not tell
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise InvalidInput(f"{what} is called with {called_with}, but that does not fit ({error}); change it") from None


def function_name(function: Any) -> str:
    """Return the name of a function, for messages and reprs."""
    return str(getattr(function, "__name__", type(function).__name__))
