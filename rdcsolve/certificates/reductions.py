"""Prices over soft decisions, reduced to parts: (a) to (c) on the page about the certificate file.

The price of a column of weights A_i and decisions r is sum_i A_i exp(sum_s b_is log r_s). It falls with every power
b_is, since no r_s exceeds one, so powers are rounded down, and whatever is rounded, the price that is bounded here lies
above the true one. In place of the largest exponent M_i of a row stands a number just above it, which is taken as it is
in what the weights gain and the exponents lose.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rdcsolve.certificates.elementary import LOG_ERROR, Elementary
from rdcsolve.rounding import TINY, row_sums, sum_units, two_sum, units

ALMOST = 2.0**-40
"""By how much a multiplier, or a sum of powers, may be on the wrong side of one."""


@dataclass(frozen=True, eq=False)
class Part:
    """The prices over the symbols that agree on the labels decided outright.

    Attributes
    ----------
    rows : numpy.ndarray
        Shape (n,): the symbols of the part.
    groups : numpy.ndarray or None
        Shape (n,): symbols with equal powers are added up; None where each is its own group.
    powers : numpy.ndarray
        Shape (N, n_groups), the classes of all labels one after the other, rounded down.
    tops : numpy.ndarray
        Shape (K, n_groups): not below the largest exponents of every label.
    offsets : tuple of int
        Where each label's classes begin, and N.
    short : float
        The price may be larger by this share of the total: powers that are one but for roundings.
    """

    rows: np.ndarray
    groups: np.ndarray | None
    powers: np.ndarray
    tops: np.ndarray
    offsets: tuple[int, ...]
    short: float

    @property
    def n_classes(self) -> int:
        """Number N of classes."""
        return int(self.powers.shape[0])

    @property
    def labels(self) -> list[tuple[int, int]]:
        """Where each label's classes begin and end."""
        return list(zip(self.offsets[:-1], self.offsets[1:], strict=True))

    @cached_property
    def top(self) -> np.ndarray:
        """The largest exponents of all labels together, shape (n_groups,)."""
        return np.asarray(self.tops.sum(axis=0))

    @property
    def gain(self) -> np.ndarray:
        """The largest exponent of every symbol of the part, shape (n,)."""
        return self.top if self.groups is None else self.top[self.groups]

    @cached_property
    def row_powers(self) -> np.ndarray:
        """Not below the sum of every row's powers, shape (n_groups,)."""
        return row_sums(np.ascontiguousarray(self.powers.T)) * (1 + units(sum_units(self.n_classes) + 2))

    @cached_property
    def degree(self) -> float:
        """One, or not below the largest sum of a row's powers."""
        return max(1.0, float(self.row_powers.max(initial=0.0)))

    @cached_property
    def sizes(self) -> np.ndarray:
        """What exponents' errors are relative to, besides the exponents: shape (n_groups,)."""
        return np.asarray(2 * np.abs(self.tops).sum(axis=0) + self.row_powers)

    def added(self, weights: np.ndarray) -> np.ndarray:
        """Return the weights of groups, shape (n_groups, J), from those of the part's symbols, rounded up."""
        if self.groups is None:
            return weights
        order = np.argsort(self.groups, kind="stable")
        ends = np.flatnonzero(np.diff(self.groups[order])) + 1
        parts = [row_sums(np.ascontiguousarray(weights[one].T)) for one in np.split(order, ends)]
        return np.array(parts) * (1 + units(sum_units(self.rows.size) + 2))


@dataclass(frozen=True, eq=False)
class Reduced:
    """All parts, and a logarithm that all weights gain: the classes that are left out are worth so much."""

    parts: list[Part]
    factor: float

    def gain(self, n_rows: int) -> np.ndarray:
        """Return what every symbol's exponents gain, shape (n,), not rounded in any direction."""
        gain = np.zeros(n_rows)
        for part in self.parts:
            gain[part.rows] = part.gain
        return gain + self.factor


@dataclass(frozen=True, eq=False)
class _Label:
    """A label's powers (n, N), where its stored numbers are positive (n, N), and whether single classes decide.

    Powers that are too small for floats are zero. What the parts are must not depend on that.
    """

    powers: np.ndarray
    is_positive: np.ndarray
    is_convex: bool

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Return the powers of some rows, of the classes that are left in them."""
        return np.asarray(self.powers[rows][:, self.is_positive[rows].any(axis=0)])


def reduced(labels: list[np.ndarray], multipliers: list[float], n_rows: int, elementary: Elementary) -> Reduced:
    """Return the parts of the price.

    Parameters
    ----------
    labels : list of numpy.ndarray
        The stored conditionals w_k, shape (n, n_k), of the symbols of positive mass.
    multipliers : list of float
        lambda_k >= 0.
    n_rows : int
        n.
    elementary : Elementary
    """
    factor, left = 0.0, []
    for label, multiplier in zip(labels, multipliers, strict=True):
        if multiplier > 0:
            one, gained = _without_constants(label, multiplier, elementary)
            left.append(one)
            factor += gained
    factor += units(len(left)) * abs(factor)
    convex = [one for one in left if one.is_convex]
    soft = [one for one in left if not one.is_convex]
    short = 0.0
    for one in convex:
        # r^b <= r + 1 - b for b < 1
        lacking = max(0.0, 1.0 - float(row_sums(one.powers).min()) * (1 - units(sum_units(one.powers.shape[1]) + 2)))
        short = (1 + short) * (1 + lacking) * (1 + units(4)) - 1 if lacking or short else 0.0
    parts = [_part(rows, [one.of(rows) for one in soft], short, elementary) for rows in _corners(convex, n_rows)]
    return Reduced(parts, factor)


def _powers(label: np.ndarray, multiplier: float) -> np.ndarray:
    """Return lambda w_is / S_i, rounded down: the row's sum S_i is exact but for two roundings, two more are made."""
    total, rest = np.zeros(label.shape[0]), np.zeros(label.shape[0])
    for column in label.T:
        total, lost = two_sum(total, column)
        rest += lost
    return label * multiplier / (total + rest)[:, None] * (1 - units(8))


def _without_constants(label: np.ndarray, multiplier: float, elementary: Elementary) -> tuple[_Label, float]:
    """Return a label without the classes that are equally likely under all symbols, and the logarithm of their worth.

    With R the share of those classes in r the price has the factors prod_E r_s^b_s and (1 - R)^B_i, B_i the sum of the
    other powers of row i. They differ by roundings: the least of each kind is no smaller.
    """
    powers = _powers(label, multiplier)
    constant = (label == label[0]).all(axis=0) & (label[0] > 0)
    others = ~(label == label[0]).all(axis=0)
    left = math.fsum([1.0, *(-label[0, constant]).tolist()])
    gained, kept, is_positive = 0.0, powers, label > 0
    if constant.any() and left > 0 and label[:, others].any(axis=1).all():
        kept, is_positive = powers[:, others], is_positive[:, others]
        least = np.r_[powers[:, constant].min(axis=0), row_sums(kept).min() * (1 - units(sum_units(kept.shape[1])))]
        gained = float(_largest_exponent(least[None], elementary)[0])
        multiplier = multiplier * left
    is_function = bool((np.count_nonzero(is_positive, axis=1) == 1).all())
    return _Label(kept, is_positive, is_function and multiplier >= 1 - ALMOST), gained


def _largest_exponent(powers: np.ndarray, elementary: Elementary) -> np.ndarray:
    """Return numbers not below max_r sum_s b_s log r_s = sum_s b_s log(b_s / B), B = sum_s b_s; rows of powers.

    No term is positive, and what shares err by counts for B at most: nothing grows with the logarithm of powers, which
    are as large as multipliers. Shares that are too small for floats are made larger.
    """
    whole = row_sums(powers)
    shares = np.divide(powers, whole[:, None], out=np.ones(powers.shape), where=powers > 0)
    value = row_sums(powers * elementary.log(np.maximum(shares, TINY)))
    allowance = elementary.caution * (LOG_ERROR + units(2 * sum_units(powers.shape[1]) + 8))
    return np.asarray(np.minimum(value + allowance * (np.abs(value) + whole), 0.0))


def _corners(convex: list[_Label], n_rows: int) -> list[np.ndarray]:
    """Return the rows of every combination of classes that some row has, in lexicographical order."""
    if not convex:
        return [np.arange(n_rows)]
    classes = np.stack([one.is_positive.argmax(axis=1) for one in convex], axis=1)
    _, which = np.unique(classes, axis=0, return_inverse=True)
    which = which.ravel()
    order = np.argsort(which, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(which[order])) + 1)


def _part(rows: np.ndarray, powers: list[np.ndarray], short: float, elementary: Elementary) -> Part:
    kept = [table for table in powers if table.shape[1] > 1]
    offsets = tuple(int(end) for end in np.cumsum([0, *(table.shape[1] for table in kept)]))
    if not kept:
        return Part(rows, np.zeros(rows.size, dtype=int), np.zeros((0, 1)), np.zeros((0, 1)), offsets, short)
    table = np.hstack(kept)
    first, groups = _equal_rows(table)
    table = table[first]
    largest = float(row_sums(table).max()) * (1 + units(sum_units(table.shape[1]) + 4))
    if 1.0 < largest <= 1.0 + ALMOST:  # concave but for roundings
        table = table * ((1 - units(4)) / largest)
    pairs = zip(offsets[:-1], offsets[1:], strict=True)
    tops = np.array([_largest_exponent(table[:, a:b], elementary) for a, b in pairs])
    return Part(rows, groups, np.ascontiguousarray(table.T), tops, offsets, short)


def _equal_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Return the first of every group of equal rows, and every row's group; None where few are equal."""
    known: dict[bytes, int] = {}
    groups = np.array([known.setdefault(row.tobytes(), len(known)) for row in np.ascontiguousarray(table)])
    if len(known) > 0.9 * len(table):
        return np.arange(len(table)), None
    _, first = np.unique(groups, return_index=True)
    return first, groups
