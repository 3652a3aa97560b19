"""The weights A of every column whose price over soft decisions is to be bounded, a few columns at a time.

A column is a symbol of the reproduction alphabet, or, where letters are points of the line, a Bernstein coefficient of
a cell: see the page about the certificate file. Weights are divided by exp(scale) and rounded up.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import numpy as np

from rdcsolve.certificates.elementary import HIGHEST, LOWEST, Elementary, exp_upper
from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.errors import InvalidInput
from rdcsolve.rounding import EPS, units

DEGREE = 10
_CRAMER = 1.0866  # |H_n(z)| exp(-z^2 / 2) <= 1.0865 sqrt(2^n n!) for all n and z (Indritz 1961)
_ROUNDINGS = 100 * EPS
_PAIRS = 1 << 18
_FAR = 1e300  # what is as far below all else is nothing


class Columns(NamedTuple):
    """Some columns.

    Attributes
    ----------
    numbers : numpy.ndarray
        Shape (J,): their numbers in the proof.
    exponents : numpy.ndarray
        Shape (n, J), nats: logarithms of weights without masses and factors, rounded up; -inf at forbidden pairs.
    factors : numpy.ndarray or None
        Shape (n, J), >= 0, rounded up.
    """

    numbers: np.ndarray
    exponents: np.ndarray
    factors: np.ndarray | None


class Base(NamedTuple):
    """What all columns have in common.

    Attributes
    ----------
    masses : numpy.ndarray
        Shape (n,), none below 1e-300.
    start : numpy.ndarray
        Shape (n,): u_i less what the losses' least values cost, rounded up.
    scale : float
        The largest exponent of all columns with its gain and the logarithm of its mass, but for roundings.
    """

    masses: np.ndarray
    start: np.ndarray
    scale: float

    def weights(self, columns: Columns, rows: np.ndarray, gain: np.ndarray, elementary: Elementary) -> np.ndarray:
        """Return weights divided by exp(scale), rounded up, shape (m, J).

        Parameters
        ----------
        columns : Columns
        rows : numpy.ndarray
            Shape (m,): symbols.
        gain : numpy.ndarray
            Shape (m,): added to their exponents.
        elementary : Elementary
        """
        shift = gain - self.scale
        exponents = columns.exponents[rows] + shift[:, None]
        # rounding of the sums above; where an exponent is below LOWEST only that end is used
        exponents += units(4) * (np.abs(np.maximum(exponents, LOWEST)) + (np.abs(gain) + abs(self.scale))[:, None])
        if exponents.max(initial=-math.inf) > HIGHEST:
            return np.full(exponents.shape, math.inf)
        weights = exp_upper(elementary, exponents) * self.masses[rows, None]
        if columns.factors is not None:
            weights *= columns.factors[rows]
        return np.asarray(weights * (1 + units(4)))


def base_of(numbers: FloatNumbers, gain: np.ndarray) -> Base:
    """Return what all columns have in common; see `FloatNumbers.exponents` for the start.

    Where several losses count, no letter may be the cheapest for all of them: at a start far above all exponents the
    weights would underflow, every one of them.

    Parameters
    ----------
    numbers : FloatNumbers
    gain : numpy.ndarray
        Shape (n,): what all exponents of a symbol gain later.
    """
    high, low = numbers.exponents
    start = high + (np.abs(low) + units(4) * np.abs(high))
    masses = np.maximum(numbers.masses, 1e-300)
    most = start + gain + np.log(masses)
    scale = float(most.max())
    if numbers.free is None and len(numbers.active) > 1:
        attained = float((most - _least_costs(numbers)).max())
        scale = attained if math.isfinite(attained) else scale  # no letter has any weight
    return Base(masses, start, scale)


def _least_costs(numbers: FloatNumbers) -> np.ndarray:
    """Return what every symbol's cheapest letter costs it above the losses' least values, shape (n,); inf if none."""
    least = np.full(numbers.n_rows, math.inf)
    for letters in numbers.blocks(numbers.problem.n_letters):
        with np.errstate(over="ignore"):  # beyond the range of floats the term is zero
            costs = sum(abs(numbers.multipliers[m]) * numbers.distances(m, letters) for m in numbers.active)
        least = np.minimum(least, np.min(costs, axis=1))
    return least


# ------------------------------------------------------------------------------------------- symbols


def listed_columns(numbers: FloatNumbers, base: Base) -> Iterator[Columns]:
    """Yield the columns of listed letters; of those with the same losses and forbidden pairs only the first.

    An exponent goes through M + 3 roundings of numbers no larger than |start| and its own size.
    """
    active = numbers.active
    known: set[bytes] = set()
    has_forbidden = numbers.problem.forbidden is not None
    count = units(len(active) + 4)
    n_letters = numbers.problem.n_letters if active or has_forbidden else 1
    for letters in numbers.blocks(n_letters):
        parts = [numbers.distances(m, letters) for m in active]
        banned = _forbidden(numbers, letters) if has_forbidden else None
        keys = [*parts] if banned is None else [*parts, banned]
        first = np.arange(letters.start, letters.stop)
        if keys:
            first = first[[_is_new(known, keys, j) for j in range(first.size)]]
        if not first.size:
            continue
        exponents = np.repeat(base.start[:, None], first.size, axis=1)
        for m, part in zip(active, parts, strict=True):
            with np.errstate(over="ignore"):  # beyond the range of floats the term is zero
                exponents -= abs(numbers.multipliers[m]) * part[:, first - letters.start]
        exponents += count * (2 * np.abs(base.start)[:, None] + np.abs(np.maximum(exponents, -_FAR)))
        if banned is not None:
            exponents[banned[:, first - letters.start]] = -math.inf
        yield Columns(first, exponents, None)


def _forbidden(numbers: FloatNumbers, letters: slice) -> np.ndarray:
    """Return the mask of forbidden pairs."""
    return np.asarray(np.logical_or.reduce([np.isinf(numbers.block(m, letters)) for m in range(len(numbers.linear))]))


def _is_new(known: set[bytes], tables: list[np.ndarray], j: int) -> bool:
    key = b"".join(np.ascontiguousarray(table[:, j]).tobytes() for table in tables)
    before = len(known)
    known.add(key)
    return len(known) > before


# ------------------------------------------------------------------------------------------- points


def anywhere(base: Base) -> Iterator[Columns]:
    """Yield the only column of letters that are points where the distance costs nothing."""
    yield Columns(np.zeros(1, dtype=int), base.start[:, None], None)


def line_columns(
    points: np.ndarray, multiplier: float, cells: np.ndarray, base: Base, elementary: Elementary
) -> Iterator[Columns]:
    """Yield the columns of cells of the line: the Bernstein coefficients of every term's Gaussian on the cell.

    Parameters
    ----------
    points : numpy.ndarray
        Shape (n,).
    multiplier : float
        lambda of the squared distance.
    cells : numpy.ndarray
        Shape (c, 2).
    """
    size = max(1, _PAIRS // (points.size * (DEGREE + 1)))
    for first in range(0, len(cells), size):
        block = cells[first : first + size]
        number = (DEGREE + 1) * first + np.arange((DEGREE + 1) * len(block))
        yield Columns(number, *_gaussians(points, multiplier, block, base, elementary))


def _gaussians(
    points: np.ndarray, multiplier: float, cells: np.ndarray, base: Base, elementary: Elementary
) -> tuple[np.ndarray, np.ndarray]:
    """Return the columns' exponents u_i - z^2 / 2 and their factors, both rounded up, shape (n, c (DEGREE + 1)).

    The factor is exp(-z^2 / 2) sum_n coefficient_k(n) H_n(z) T^n / n! plus the remainder, or the bound of that sum that
    Cramer's inequality gives. z = sqrt(lambda) (x - y0) is computed to within 4 roundings, relatively, which changes
    exp(-(z - tau)^2) by a factor below exp(8 UNIT (z^2 + |z| T) 2); then z counts as exact. What the exponential and
    its lower end add is a common factor of all terms of the sum, which is positive where it counts.

    The recurrence of the functions h_n = H_n exp(-z^2 / 2) / sqrt(2^n n!) multiplies errors by no more than it would
    itself grow if all its signs were plus; with that the sum over n is exp(2 |z| T + T^2 - z^2 / 2) <= exp(3 T^2), and
    each of its 11 terms goes through fewer than 8 roundings for every step: fewer than 100 EPS exp(3 T^2) together.
    """
    root = math.sqrt(multiplier)
    centre = 0.5 * cells.sum(axis=1)
    half = np.maximum(cells[:, 1] - centre, centre - cells[:, 0]) * root * (1 + units(8))
    z = root * (points[:, None] - centre)
    with np.errstate(over="ignore"):
        squares = np.minimum(z * z, _FAR)
    h = elementary.exp_upper(np.maximum(-0.5 * squares, LOWEST))
    before = np.zeros_like(h)
    sums = np.zeros((*z.shape, DEGREE + 1))
    power, most = np.ones_like(half), np.zeros_like(half)  # (sqrt(2) T)^n / sqrt(n!), and the sum of them
    for n in range(DEGREE + 1):
        sums += (h * power)[:, :, None] * bernstein()[n]
        most = most + power
        h, before = math.sqrt(2 / (n + 1)) * z * h - math.sqrt(n / (n + 1)) * before, h
        power = power * math.sqrt(2 / (n + 1)) * half
    longest = float(half.max(initial=0.0))
    ratio = math.sqrt(2 / (DEGREE + 2)) * longest * (1 + units(8))
    if not ratio < 1:
        raise InvalidInput("the proof of the largest price does not hold: its cells of the line are too wide")
    remainder = _CRAMER * power / (1 - ratio) * (1 + 1e-9) + _ROUNDINGS * math.exp(3 * longest**2)
    factors = np.minimum(np.maximum(sums, 0.0), (_CRAMER * (1 + 1e-9) * most)[:, None])
    factors = (factors + remainder[:, None]) * (1 + units(4))
    exponents = base.start[:, None] - 0.5 * squares
    exponents += units(24) * (np.abs(base.start)[:, None] + squares + longest * np.abs(z))
    columns = np.repeat(exponents[:, :, None], DEGREE + 1, axis=2)
    return columns.reshape(points.size, -1), factors.reshape(points.size, -1)


@cache
def bernstein() -> np.ndarray:
    """Return the Bernstein coefficients of u^n on [-1, 1] at degree m = 10, shape (m + 1, m + 1): row n.

    The k-th is the mean, over all choices of n of k ones and m - k minus ones, of their product (the polar form).
    """
    m = DEGREE
    rows = []
    for n in range(m + 1):
        row = []
        for k in range(m + 1):
            ones = range(max(0, n - m + k), min(k, n) + 1)
            total = sum(math.comb(k, j) * math.comb(m - k, n - j) * (-1) ** (n - j) for j in ones)
            row.append(float(Fraction(total, math.comb(m, n))))
        rows.append(row)
    return np.array(rows)
