"""What floating point errs by, with a proof of each allowance, and sums and products without any error.

A double has 53 bits: +, -, *, / and the square root round their exact result to the nearest double, which errs by at
most UNIT of the result (barring under- and overflow). NumPy's exp, expm1, log and log1p are taken to be good to four
units in the last place; a unit in the last place is at most 2 UNIT of the number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import chain

import numpy as np

UNIT = 2.0**-53
"""Relative error of one operation."""

EPS = 2.0 * UNIT
"""Distance between one and the next double."""

ELEMENTARY = 8 * UNIT
"""Relative error of exp and log: four units in the last place."""

TINY = 1e-290
"""Added where products may underflow: far more than 10^6 times the least normal double, far less than what counts."""

_SPLIT = 134217729.0  # 2^27 + 1: cuts a double into two halves of 26 bits (Veltkamp)
_LARGEST = 1e290  # beyond this the cut overflows
_TOGETHER = 64
_AT_A_TIME = 1 << 14


def up(value: float) -> float:
    """Return the next float above."""
    return math.nextafter(value, math.inf)


def down(value: float) -> float:
    """Return the next float below."""
    return math.nextafter(value, -math.inf)


def units(count: float) -> float:
    """Return what `count` roundings one after the other err by, relatively.

    (1 + UNIT)^count - 1 and 1 - (1 - UNIT)^count are at most count UNIT / (1 - count UNIT) (Higham 2002, lemma 3.1),
    and for count <= 2^32 that is below count UNIT (1 + 2^-20).
    """
    return count * UNIT * (1.0 + 2.0**-20)


# ------------------------------------------------------------------------------------------- without error


def two_sum(a: np.ndarray | float, b: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded sum and its exact rounding error (Knuth): a + b = s + e."""
    with np.errstate(over="ignore", invalid="ignore"):
        s = np.add(a, b)
        t = s - a
        return s, (a - (s - t)) + (b - t)


def two_product(a: np.ndarray | float, b: np.ndarray | float) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded product and its exact rounding error (Dekker): a * b = p + e.

    That is so if the product is zero or between 2^-900 and 2^900 and neither factor exceeds 10^290; below, e errs by
    less than 2^-1000; above, it is not a number, so that whatever uses it proves nothing.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        p = np.multiply(a, b)
        a_high, a_low = _halves(np.asarray(a, dtype=float))
        b_high, b_low = _halves(np.asarray(b, dtype=float))
        return p, ((a_high * b_high - p) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    cut = _SPLIT * np.where(np.abs(a) < _LARGEST, a, math.nan)
    high = cut - (cut - a)
    return high, a - high


def exact_dot(*pairs: tuple[np.ndarray, np.ndarray], plus: tuple[float, ...] = ()) -> float:
    """Return sum_pairs a.b + sum(plus), rounded once: `math.fsum` adds exactly what `two_product` splits exactly.

    Not a number, or infinite, if a product leaves the range in which it can be split.

    Parameters
    ----------
    *pairs : tuple of numpy.ndarray
        Vectors of equal length.
    plus : tuple of float, optional
    """
    terms = list(plus)
    for a, b in pairs:  # numbers of Python take four times the memory: of long vectors not all at a time
        if a.size <= _AT_A_TIME:
            terms += _split_products(a, b)
    long = [_long_products(a, b) for a, b in pairs if a.size > _AT_A_TIME]
    try:
        return math.fsum(chain(terms, *long) if long else terms)
    except (OverflowError, ValueError):  # infinities of both signs, or a sum beyond the range
        return math.nan


def _split_products(a: np.ndarray, b: np.ndarray) -> list[float]:
    high, low = two_product(a, b)
    return [*high.ravel().tolist(), *low.ravel().tolist()]


def _long_products(a: np.ndarray, b: np.ndarray) -> Iterator[float]:
    a, b = a.ravel(), b.ravel()
    for start in range(0, a.size, _AT_A_TIME):
        some = slice(start, start + _AT_A_TIME)
        yield from _split_products(a[some], b[some])


# ------------------------------------------------------------------------------------------- sums of many terms


def sum_units(count: int) -> int:
    """Return how many roundings a sum of `count` terms made by `row_sums` or `weighted_sums` goes through.

    Sums over `_TOGETHER` terms, in whatever order, put each term through fewer than that many additions (Higham 2002,
    section 4.2); then sums are added up in the same way, until one is left.
    """
    levels = 0
    while count > _TOGETHER:
        count, levels = -(-count // _TOGETHER), levels + 1
    return levels * _TOGETHER + max(count, 1)


def row_sums(terms: np.ndarray) -> np.ndarray:
    """Return the sums over the last axis; each errs by units(sum_units(n)) of the sum of its terms' sizes."""
    n = terms.shape[-1]
    while n > _TOGETHER:
        whole = n - n % _TOGETHER
        parts = terms[..., :whole].reshape(*terms.shape[:-1], -1, _TOGETHER).sum(axis=-1)
        rest = terms[..., whole:].sum(axis=-1, keepdims=True)
        terms = np.concatenate([parts, rest], axis=-1) if whole < n else parts
        n = terms.shape[-1]
    return terms.sum(axis=-1)


def weighted_sums(weights: np.ndarray, terms: np.ndarray) -> np.ndarray:
    """Return weights @ terms, for weights (n,) or (m, n) and terms (n, k); errs by units(sum_units(n) + 1)."""
    n = terms.shape[0]
    if n <= _TOGETHER:
        return weights @ terms
    whole = n - n % _TOGETHER
    left = weights[..., :whole].reshape(*weights.shape[:-1], -1, _TOGETHER)
    left = left[:, None, :] if weights.ndim == 1 else np.moveaxis(left, -2, 0)
    parts = left @ terms[:whole].reshape(-1, _TOGETHER, terms.shape[1])
    parts = parts[:, 0] if weights.ndim == 1 else parts
    if whole < n:
        parts = np.concatenate([parts, (weights[..., whole:] @ terms[whole:])[None]])
    return row_sums(np.moveaxis(parts, 0, -1))
