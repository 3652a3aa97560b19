"""Checks shared by everything a user can state: arrays, masses, bounds and names.

Each check returns the value in the form the library keeps (read-only float64 arrays, plain floats) or raises
`InvalidInput` with a message that names the value and the cure.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.options import switch
from rdcsolve.reading import TEXT, Reading, as_floats, read

MASS_TOLERANCE = 1e-9
"""How far from one a sum of doubles may be before it is called an error; below it, the masses are rescaled."""

_ROUNDING = 4 * np.finfo(float).eps
_BELOW_ZERO = 32  # roundings of the other entries that an entry below zero may be, and still be taken for zero
_SURELY_ROUNDING = 1e-9  # what is closer to zero, and tiny beside other losses, is not looked at further
_COULD_BE_MEANT = 2.0**-10
_FEW_BITS = 256

_LARGE = 2.0**900  # sums of larger masses could overflow

_GAP = 1e12  # between the sizes of losses, next to each other: those above are penalties, or those below roundings
_LARGEST_GAIN = 2.0**1000  # a loss further below zero could be further from others than any float


def freeze(array: np.ndarray) -> np.ndarray:
    """Make an array that this library has just created read-only, without a copy."""
    array.setflags(write=False)
    return array


def float_array(value: Any, name: str) -> np.ndarray:
    """Return `value` as a read-only, C-ordered float64 array that nobody else can write to.

    Parameters
    ----------
    value : array_like
        Real numbers in whatever `rdcsolve.reading.read` reads; booleans are 1 and 0.
    name : str
        What to call the array in an error message.

    Returns
    -------
    numpy.ndarray
        A copy, unless `value` already is a read-only float64 array that owns its memory.

    Raises
    ------
    InvalidInput
        If the entries are not real numbers, one is masked, missing, or an integer that no float equals, or the nesting
        is ragged.
    """
    if _is_frozen(value):
        frozen: np.ndarray = value
        return frozen
    return freeze(as_floats(read(value, name), name))


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
        Non-negative masses; zeros are welcome, and roundings below zero are zeros.
    name : str
        What to call the masses in an error message.
    normalise : bool, optional
        Rescale any positive sum to one. Without it a sum further from one than `sum_tolerance` is an error.

    Raises
    ------
    InvalidInput
        On a wrong shape, an empty alphabet, NaN, infinite or negative masses, or a wrong sum.
    """
    normalise = switch(normalise, "normalise")
    reading = _reading(value, name)
    floats = _floats(reading, value, name)
    if floats.ndim != 1:
        raise InvalidInput(f"{name} has shape {_shape(floats)}; give one mass per symbol, shape (n,)")
    if floats.size == 0:
        raise InvalidInput(f"{name} is empty; an alphabet needs at least one symbol")
    if reading.entries.dtype.kind == "b" and not normalise:
        raise InvalidInput(
            f"{name} holds booleans; give masses, or pass normalise=True to spread the mass evenly over what is True"
        )
    masses = _checked_masses(_masses_without_roundings(floats, reading), name)
    total = math.fsum(masses)
    _check_sum(total, name, normalise, "pass normalise=True or rescale", sum_tolerance(reading.epsilon, masses.size))
    if abs(total - 1.0) <= _ROUNDING:
        return masses
    return freeze(masses / total)


def mass_rows(
    value: Any,
    name: str,
    n_rows: int | None,
    *,
    normalise: bool = False,
    cure: str = "pass normalise=True or rescale",
    masses: np.ndarray | None = None,
) -> np.ndarray:
    """Return conditional masses as a read-only (n_rows, k) array whose rows sum to one to rounding.

    Parameters
    ----------
    value : array_like
        One distribution per row; roundings below zero are zeros.
    name : str
        What to call the matrix in an error message.
    n_rows : int or None
        How many rows there must be; None for any number.
    normalise : bool, optional
        Rescale rows with any positive sum. Without it a sum further from one than `sum_tolerance` is an error.
    cure : str, optional
        What the message proposes when a row does not sum to one.
    masses : numpy.ndarray, optional
        Masses of the symbols that the rows are conditioned on, shape (n_rows,). A symbol without mass needs no
        distribution: where its row is empty, all zeros or NaN, it is given the uniform one.
    """
    normalise = switch(normalise, "normalise")
    reading = _reading(value, name)
    floats = _floats(reading, value, name)
    shape = floats.shape
    if len(shape) != 2 or shape[1] == 0 or n_rows not in (None, shape[0]):
        wanted = "n" if n_rows is None else str(n_rows)
        raise InvalidInput(
            f"{name} has shape {_shape(floats)}; it needs {wanted} rows, one distribution each: ({wanted}, k)"
        )
    rows = _checked_masses(_masses_without_roundings(_filled(floats, masses), reading), name)
    totals = rows.sum(axis=1)
    worst = int(np.argmax(np.abs(totals - 1.0))) if totals.size else 0
    if normalise and totals.min() <= 0:
        worst = int(np.argmin(totals))
    tolerance = sum_tolerance(reading.epsilon, shape[1])
    _check_sum(float(totals[worst]), f"row {worst} of {name}", normalise, cure, tolerance)
    if abs(totals[worst] - 1.0) <= max(4, rows.shape[1]) * _ROUNDING:
        return rows
    return freeze(rows / totals[:, None])


def sum_tolerance(epsilon: float, count: int) -> float:
    """Return how far from one a sum of `count` masses may be before it is called an error.

    Masses computed in numbers with the spacing `epsilon` at one, such as 1.2e-7 for float32, are each off by half of it
    relatively, and the sum that they were divided by, by a few, or a random walk of `count` of them. In doubles that is
    far below 1e-9, which is the least tolerance.
    """
    return max(MASS_TOLERANCE, epsilon * max(4.0, math.sqrt(count)))


def _reading(value: Any, name: str) -> Reading:
    return Reading(value, float(np.finfo(float).eps)) if _is_frozen(value) else read(value, name)


def _floats(reading: Reading, value: Any, name: str) -> np.ndarray:
    return reading.entries if reading.entries is value and _is_frozen(value) else freeze(as_floats(reading, name))


def _masses_without_roundings(masses: np.ndarray, reading: Reading) -> np.ndarray:
    """Return masses with zeros for those that rounding has put below zero, as differences of masses do."""
    if reading.entries.dtype.kind in "biu" or not masses.min(initial=0.0) < 0:
        return masses
    finite = np.abs(masses[np.isfinite(masses)])
    least = -_BELOW_ZERO * reading.epsilon * finite.max(initial=0.0)
    return freeze(np.where((masses < 0) & (masses >= least), 0.0, masses))


def _losses_without_roundings(losses: np.ndarray, reading: Reading, name: str) -> np.ndarray:
    """Return losses with zeros for entries below zero if they are the roundings of expanded squares.

    |x|^2 + |a|^2 - 2 x.a errs by a few roundings of its terms, which shows where a letter lies at its symbol. So each
    must be tiny beside the median loss of its row, and the only such entry there: an entry below zero may be meant, and
    large penalties in place of inf must not make it look small. Roundings have few digits. Where an entry has few, is
    of a size that people write, and stands beside a single large number, nothing tells what it is: an error.
    """
    if reading.entries.dtype.kind in "biu" or not losses.min() < 0:
        return losses
    rows = losses[(losses < 0).any(axis=1)]
    positive = np.sort(np.where((rows > 0) & (rows < _least_penalty(losses)), rows, math.inf), axis=1)
    count = (positive < math.inf).sum(axis=1)
    median = positive[np.arange(count.size), count // 2]
    with np.errstate(over="ignore"):
        is_tiny = (rows != 0) & (np.abs(rows) <= (_BELOW_ZERO * reading.epsilon * median)[:, None])
    if not (count.all() and (is_tiny.sum(axis=1) == 1).all() and is_tiny[rows < 0].all()):
        return losses
    below = losses[losses < 0]
    of_size = below[below < -max(_SURELY_ROUNDING, 64 * reading.epsilon)]
    if (_odd_part(of_size) >= _FEW_BITS).any():
        return losses
    large = rows[(rows > 0) & ~is_tiny]
    if (of_size <= -_COULD_BE_MEANT).any() and large.min() == large.max():  # as penalties, or two points' distance
        row, column = np.argwhere(losses == of_size.min())[0]
        raise InvalidInput(
            f"{name}[{row}, {column}] is {losses[row, column]:.6g} beside losses of {median.max():.3g}: it may be the "
            "rounding of a squared distance, or be meant; replace large losses that forbid a pair by inf, or take "
            f"np.maximum({name}, 0)"
        )
    return freeze(np.maximum(losses, 0.0))


def _odd_part(values: np.ndarray) -> np.ndarray:
    """Return what is left of numbers when they are divided by a power of two until they are odd: their digits.

    The last step of an expanded square is the difference of two floats close to each other, which is exact: a few units
    in their last place, a number of few digits. A number such as -0.3 has all digits that there are.
    """
    whole = np.abs(np.ldexp(np.frexp(values)[0], 53)).astype(np.int64)
    return np.asarray(whole // np.maximum(whole & -whole, 1))


def _least_penalty(losses: np.ndarray) -> float:
    """Return the least loss that stands for "forbidden", inf if none does.

    A wide gap between sizes tells such losses from others, or others from roundings. No row of expanded squares has
    more than one rounding, so it tells penalties if a row has two losses below it.
    """
    sizes = np.unique(np.abs(losses[np.isfinite(losses) & (losses != 0)]))
    for end in np.flatnonzero(sizes[1:] > _GAP * sizes[:-1]).tolist():
        if ((losses != 0) & (np.abs(losses) <= sizes[end])).sum(axis=1).max() > 1:
            return float(sizes[end + 1])
    return math.inf


def _filled(rows: np.ndarray, masses: np.ndarray | None) -> np.ndarray:
    """Return the rows with the uniform distribution where there is neither a mass nor a distribution."""
    if masses is None or masses.all():
        return rows
    empty = (masses == 0) & (np.isnan(rows).any(axis=1) | ~rows.any(axis=1))
    return freeze(np.where(empty[:, None], 1.0 / rows.shape[1], rows)) if empty.any() else rows


def _checked_masses(masses: np.ndarray, name: str) -> np.ndarray:
    """Return the masses if they are some, and have a sum."""
    bad = ~(np.isfinite(masses) & (masses >= 0))
    if bad.any():
        index = np.argwhere(bad)[0]
        place = ", ".join(str(int(i)) for i in index)
        raise InvalidInput(
            f"{name}[{place}] is {masses[tuple(index)]:.6g}; masses must be finite and non-negative: fix that entry"
        )
    if masses.max(initial=0.0) > _LARGE:
        raise InvalidInput(
            f"{name} has the mass {masses.max():.6g}, and a sum that may be no float; divide all masses by the largest"
        )
    return masses


def _check_sum(total: float, name: str, normalise: bool, cure: str, tolerance: float) -> None:
    if normalise:
        if not total > 0:
            raise InvalidInput(f"{name} sums to {total:.6g} and cannot be normalised; give it a positive, finite mass")
    elif abs(total - 1.0) > tolerance:
        raise InvalidInput(f"{name} sums to {total:.12g}; {cure}")


def loss_matrix(value: Any, name: str) -> np.ndarray:
    """Return a loss matrix as a read-only 2-D array of real entries; ``+inf`` forbids the pair."""
    reading = _reading(value, name)
    floats = _floats(reading, value, name)
    if floats.ndim != 2 or floats.size == 0:
        raise InvalidInput(f"{name} has shape {_shape(floats)}; give a matrix of shape (n_x, n_y) with no empty side")
    matrix = _losses_without_roundings(floats, reading, name)
    smallest = matrix.min()  # NaN if any entry is
    if not smallest >= -_LARGEST_GAIN:
        row, column = np.argwhere(~(matrix >= -_LARGEST_GAIN))[0]
        raise InvalidInput(
            f"{name}[{row}, {column}] is {matrix[row, column]:.6g}; losses are real numbers, or +inf, which forbids "
            f"the pair, and none is below {-_LARGEST_GAIN:.3g}: fix that entry"
        )
    return matrix


def real_number(value: Any, name: str) -> float:
    """Return `value` as a float; anything that is not a real scalar is an error."""
    if type(value) in (int, float):  # nearly always
        entries: Any = np.asarray(value)
    else:
        try:
            entries = read(value, name).entries
        except InvalidInput as error:
            raise InvalidInput(f"{name} is {value!r}; give one real number") from error
    if entries.ndim != 0 or isinstance(entries[()], (bool, np.bool_, *TEXT)) or entries.dtype.kind not in "iufO":
        raise InvalidInput(f"{name} is {value!r}; give one real number")
    try:
        return float(entries[()])
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInput(f"{name} is {value!r}; give one real number") from error


def real_numbers(value: Any, name: str) -> np.ndarray:
    """Return bounds, multipliers or lengths as a read-only float64 array; a truth value is none of these."""
    listed = value if isinstance(value, (list, tuple)) else ()  # NumPy makes numbers of those that stand beside some
    for index, entry in enumerate(listed):
        if isinstance(entry, (bool, np.bool_)):
            raise InvalidInput(f"{name}[{index}] is {entry!r}; give a real number")
    reading = read(value, name)
    if reading.entries.dtype.kind == "b":
        raise InvalidInput(f"{name} holds booleans; give real numbers")
    return freeze(as_floats(reading, name))


def loss_bound(value: Any, name: str) -> float:
    """Return a bound on a mean loss, a real number or inf."""
    bound = real_number(value, name)
    if not bound > -math.inf:
        raise InvalidInput(f"{name} is {bound:.6g}; a bound is a real number, or inf for no limit")
    return bound


def upper_bound(value: Any, name: str) -> float:
    """Return a bound on what is never below zero, a number in [0, inf]."""
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
