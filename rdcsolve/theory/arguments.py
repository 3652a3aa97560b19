"""Argument checks shared by the closed forms: what is refused, and how scalars and arrays are returned."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rdcsolve.errors import InvalidInput
from rdcsolve.reading import as_floats, read

Array = NDArray[np.float64]
FloatOrArray = float | Array

# A limit that one closed form computes and another is asked to meet is off by a few roundings.
_ROUNDINGS = 16


def number(name: str, value: ArrayLike) -> Array:
    """`value` as float64; NaN and text are refused, infinities pass.

    Raises
    ------
    InvalidInput
        If a value is not a number.
    """
    try:
        array = as_floats(read(value, name), name)
    except InvalidInput as error:
        raise InvalidInput(f"{name} must be a number or an array of numbers, not {value!r} ({error})") from error
    if np.isnan(array).any():
        raise InvalidInput(f"{name} contains NaN; pass inf where there is no limit")
    return array


def within(
    name: str,
    value: ArrayLike,
    low: float,
    high: float = np.inf,
    *,
    open_low: bool = False,
    finite: bool = False,
) -> Array:
    """`value` as float64 in [low, high], or (low, high] with `open_low`; `finite` refuses infinities as well.

    Raises
    ------
    InvalidInput
        If a value is NaN or outside the interval; the message names the first such value.
    """
    array = number(name, value)
    bad = (array <= low if open_low else array < low) | (array > high)
    if finite:
        bad |= np.isinf(array)
    if bad.any():
        wanted = f"{'>' if open_low else '>='} {low:g}"
        if np.isfinite(high):
            wanted += f" and <= {high:g}"
        if finite:
            wanted += " and finite"
        raise InvalidInput(f"{name} must be {wanted}; got {array[bad].flat[0]:g}")
    return array


def at_least(value: Array, threshold: Array) -> NDArray[np.bool_]:
    """Return whether value >= threshold, forgiving the last few roundings of a threshold near 1 or larger."""
    slack = _ROUNDINGS * np.finfo(np.float64).eps * np.maximum(1.0, np.abs(threshold))
    # An infinite threshold has an infinite slack and inf - inf is NaN: compare those exactly.
    finite = np.isfinite(threshold)
    return np.where(finite, value >= threshold - np.where(finite, slack, 0.0), value >= threshold)


def as_result(array: ArrayLike) -> FloatOrArray:
    """Return a Python float for scalar arguments, an array otherwise; a negative zero turns positive."""
    result = np.asarray(array, dtype=np.float64) + 0.0
    return float(result) if result.ndim == 0 else result
