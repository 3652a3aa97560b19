"""Checks shared by everything a user can state: arrays, masses, bounds and names.

Each check returns the value in the form the library keeps (read-only float64 arrays, plain floats) or raises
`InvalidInput` with a message that names the value and the cure.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput

MASS_TOLERANCE = 1e-9
"""How far from one a sum of masses may be before it is called an error; below it, the masses are rescaled."""

_ROUNDING = 4 * np.finfo(float).eps


def freeze(array: np.ndarray) -> np.ndarray:
    """Make an array that this library has just created read-only, without a copy."""
    array.setflags(write=False)
    return array


def float_array(value: Any, name: str) -> np.ndarray:
    """Return `value` as a read-only, C-ordered float64 array that nobody else can write to.

    Parameters
    ----------
    value : array_like
        Real numbers, in any nesting that forms a regular array.
    name : str
        What to call the array in an error message.

    Returns
    -------
    numpy.ndarray
        A copy, unless `value` already is a read-only float64 array that owns its memory.

    Raises
    ------
    InvalidInput
        If the entries are not real numbers or the nesting is ragged.
    """
    if _is_frozen(value):
        frozen: np.ndarray = value
        return frozen
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{name} is not a regular array of numbers ({error}); make its rows equally long") from error
    if array.dtype.kind not in "biufO":
        raise InvalidInput(f"{name} holds {array.dtype} entries; convert them to real numbers")
    try:
        return freeze(np.array(array, dtype=np.float64, order="C", copy=True))
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{name} holds entries that are not real numbers ({error}); convert them first") from error


def _is_frozen(value: Any) -> bool:
    return (
        type(value) is np.ndarray
        and value.dtype == np.float64
        and value.flags.c_contiguous
        and value.flags.owndata
        and not value.flags.writeable
    )


def _shape(array: np.ndarray) -> str:
    return str(tuple(int(side) for side in array.shape))


def point_array(value: Any, name: str) -> np.ndarray:
    """Return points as a read-only (n, dim) array; a 1-D input becomes a column."""
    points = float_array(value, name)
    if points.ndim == 1:
        points = freeze(points.reshape(-1, 1).copy())
    if points.ndim != 2:
        raise InvalidInput(f"{name} has shape {_shape(points)}; give one row per point, shape (n, dim)")
    if points.shape[0] == 0 or points.shape[1] == 0:
        raise InvalidInput(f"{name} has shape {_shape(points)} and is empty; give at least one point of dimension >= 1")
    if not np.isfinite(points).all():
        row, column = np.argwhere(~np.isfinite(points))[0]
        raise InvalidInput(f"{name}[{row}, {column}] is {points[row, column]}; points must be finite: drop or fix it")
    return points


def mass_vector(value: Any, name: str, *, normalise: bool = False) -> np.ndarray:
    """Return masses as a read-only (n,) array whose sum is one to rounding.

    Parameters
    ----------
    value : array_like
        Non-negative masses; zeros are welcome.
    name : str
        What to call the masses in an error message.
    normalise : bool, optional
        Rescale any positive sum to one. Without it a sum further than 1e-9 from one is an error.

    Raises
    ------
    InvalidInput
        On a wrong shape, an empty alphabet, NaN, infinite or negative masses, or a wrong sum.
    """
    masses = float_array(value, name)
    if masses.ndim != 1:
        raise InvalidInput(f"{name} has shape {_shape(masses)}; give one mass per symbol, shape (n,)")
    if masses.size == 0:
        raise InvalidInput(f"{name} is empty; an alphabet needs at least one symbol")
    _check_masses(masses, name)
    total = math.fsum(masses)
    _check_sum(total, name, normalise, "pass normalise=True or rescale")
    if abs(total - 1.0) <= _ROUNDING:
        return masses
    return freeze(masses / total)


def mass_rows(
    value: Any,
    name: str,
    n_rows: int,
    *,
    normalise: bool = False,
    cure: str = "pass normalise=True or rescale",
) -> np.ndarray:
    """Return conditional masses as a read-only (n_rows, k) array whose rows sum to one to rounding.

    Parameters
    ----------
    value : array_like
        One distribution per row.
    name : str
        What to call the matrix in an error message.
    n_rows : int
        How many rows there must be.
    normalise : bool, optional
        Rescale rows with any positive sum.
    cure : str, optional
        What the message proposes when a row does not sum to one.
    """
    rows = float_array(value, name)
    if rows.ndim != 2 or rows.shape[0] != n_rows or rows.shape[1] == 0:
        raise InvalidInput(
            f"{name} has shape {_shape(rows)}; it needs {n_rows} rows, one distribution each: ({n_rows}, k)"
        )
    _check_masses(rows, name)
    totals = rows.sum(axis=1)
    worst = int(np.argmax(np.abs(totals - 1.0)))
    if normalise and totals.min() <= 0:
        worst = int(np.argmin(totals))
    _check_sum(float(totals[worst]), f"row {worst} of {name}", normalise, cure)
    if abs(totals[worst] - 1.0) <= max(4, rows.shape[1]) * _ROUNDING:
        return rows
    return freeze(rows / totals[:, None])


def _check_masses(masses: np.ndarray, name: str) -> None:
    bad = ~(np.isfinite(masses) & (masses >= 0))
    if not bad.any():
        return
    index = np.argwhere(bad)[0]
    place = ", ".join(str(int(i)) for i in index)
    raise InvalidInput(
        f"{name}[{place}] is {masses[tuple(index)]:.6g}; masses must be finite and non-negative: fix that entry"
    )


def _check_sum(total: float, name: str, normalise: bool, cure: str) -> None:
    if normalise:
        if not 0 < total < math.inf:
            raise InvalidInput(f"{name} sums to {total:.6g} and cannot be normalised; give it a positive, finite mass")
    elif abs(total - 1.0) > MASS_TOLERANCE:
        raise InvalidInput(f"{name} sums to {total:.12g}; {cure}")


def loss_matrix(value: Any, name: str) -> np.ndarray:
    """Return a loss matrix as a read-only 2-D array of entries in [0, inf]; ``+inf`` forbids the pair."""
    matrix = float_array(value, name)
    if matrix.ndim != 2 or matrix.size == 0:
        raise InvalidInput(f"{name} has shape {_shape(matrix)}; give a matrix of shape (n_x, n_y) with no empty side")
    smallest = matrix.min()  # NaN if any entry is
    if not smallest >= 0:
        row, column = np.argwhere(~(matrix >= 0))[0]
        raise InvalidInput(
            f"{name}[{row}, {column}] is {matrix[row, column]:.6g}; losses must be >= 0 (+inf forbids the "
            "pair): fix that entry, or add a constant to the whole matrix"
        )
    return matrix


def real_number(value: Any, name: str) -> float:
    """Return `value` as a float; anything that is not a real scalar is an error."""
    if isinstance(value, (str, bytes, bool)) or np.ndim(value) != 0:
        raise InvalidInput(f"{name} is {value!r}; give one real number")
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} is {value!r}; give one real number") from error


def upper_bound(value: Any, name: str) -> float:
    """Return a limit's bound, a number in [0, inf]."""
    bound = real_number(value, name)
    if not bound >= 0:
        raise InvalidInput(f"{name} is {bound:.6g}; a bound must be >= 0, or inf for no limit")
    return bound


def rate_bound(value: Any) -> float:
    """Return a rate limit in nats, a finite number >= 0."""
    bound = upper_bound(value, "the rate bound")
    if math.isinf(bound):
        raise InvalidInput("the rate bound is inf; give a finite rate in nats (H(X) is always enough), or leave it out")
    return bound


def one_of(value: Any, known: tuple[str, ...], name: str) -> str:
    """Return `value` if it is one of the `known` names; the error lists them."""
    if isinstance(value, str) and value in known:
        return value
    choices = ", ".join(repr(choice) for choice in known)
    raise InvalidInput(f"unknown {name} {value!r}; choose one of {choices}")
