"""What a check needs of a certificate, in floating point: direct sums over the problem's losses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from rdcsolve.problems import Problem

if TYPE_CHECKING:
    from rdcsolve.letters.pricing.decisions import LargestPrice
    from rdcsolve.letters.pricing.line import LargestFreePrice
    from rdcsolve.letters.pricing.points import FreePrice

_PAIRS_AT_A_TIME = 1 << 18
_PRICE_TOLERANCE = 1e-12  # between the dearest letter found and the bound on all
_FREE_PRICE_TOLERANCE = 1e-10  # the same where letters are free
_NEGLIGIBLE_LOG = -1000.0  # a term below exp of this is none beside the largest


def distinct_columns(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first of every group of equal columns, and every column's group.

    Symbols have equal prices where no linear loss counts, often all of them.
    """
    groups: dict[bytes, int] = {}
    group = [groups.setdefault(column.tobytes(), len(groups)) for column in np.ascontiguousarray(matrix.T)]
    _, first = np.unique(group, return_index=True)
    return first, np.array(group)


class FloatNumbers:
    """Means, prices and rates of a certificate's numbers, with ordinary rounding.

    Symbols of mass zero take no part. Masses and rows of the channel are divided by their sums, which are one
    to rounding. Letters are taken in blocks: a few MB of memory whatever the size.

    Parameters
    ----------
    problem : Problem
    u : numpy.ndarray
        Shape (n_x,).
    multipliers : numpy.ndarray
        Shape (M,), >= 0.
    letters : numpy.ndarray
        Shape (k,).
    channel : numpy.ndarray
        Shape (n_x, k).

    Attributes
    ----------
    proved : bool
        Whether `log_max_price` is an upper bound on every price; False where it was only searched for.
    """

    def __init__(
        self,
        problem: Problem,
        u: np.ndarray,
        multipliers: np.ndarray,
        letters: np.ndarray,
        channel: np.ndarray,
    ) -> None:
        self.symbols = np.flatnonzero(problem.p_x > 0)
        self._everything = self.symbols.size == problem.n_x
        self.losses = [loss.matrix for loss in problem.linear_losses]
        self.p = problem.p_x[self.symbols] / math.fsum(problem.p_x)
        self.free = problem.free
        self.labels = [self._rows(label.conditional) for label in problem.label_entropies]
        self.first_label = len(problem.losses) - len(self.labels)  # index of the first label's loss
        self.u, self.multipliers = u[self.symbols], multipliers[: self.first_label]
        self.label_multipliers = multipliers[self.first_label :]
        self.proved = True
        self._log_weights: np.ndarray | None = None
        self.letters = letters
        self.channel = channel if self._everything else channel[self.symbols]

    def context(self) -> AbstractContextManager[None]:
        """Return the context that the arithmetic has to run in."""
        return nullcontext()

    def number(self, value: float) -> float:
        """Return a stored number in this arithmetic."""
        return value

    def lower_end(self, value: float) -> float:
        """Return a float that is not above the number, as far as this arithmetic can tell."""
        return value

    def upper_end(self, value: float) -> float:
        """Return a float that is not below the number, as far as this arithmetic can tell."""
        return value

    def mean_u(self) -> float:
        """Return p.u, nats."""
        return math.fsum(self.p * self.u)

    def log_max_price(self) -> float:
        """Return log max_a sum_i p_i exp(u_i - lambda.L(i, a)), nats; -inf if every exponent overflows."""
        if self.free is not None:
            return self.largest_free_price().log_upper
        if self.label_multipliers.any():
            return self.largest_price().log_upper
        start = (np.log(self.p) + self.u)[:, None]
        largest = -math.inf
        for columns in self._blocks(self.losses[0].shape[1]):
            exponent = np.repeat(start, columns.stop - columns.start, axis=1)
            for multiplier, matrix in zip(self.multipliers, self.losses, strict=True):
                block = self._rows(matrix[:, columns])
                if multiplier > 0:
                    with np.errstate(over="ignore"):  # beyond the range of floats the term is zero
                        exponent -= multiplier * block
                else:
                    exponent[np.isinf(block)] = -math.inf
            top = exponent.max(axis=0)
            exponent = exponent[:, top > -math.inf]
            top = top[top > -math.inf]
            if top.size:
                exponent -= top
                largest = max(largest, float((top + np.log(np.exp(exponent).sum(axis=0))).max()))
        return largest

    def largest_price(self, rtol: float = _PRICE_TOLERANCE, log_enough: float = 0.0) -> LargestPrice:
        """Return the largest price over all symbols and soft decisions: what was found, and an upper bound.

        Certificates are stored with u scaled so that no price exceeds one: to show that much is enough by default.
        """
        from rdcsolve.letters.pricing.decisions import largest_price

        weights = self.log_weights()
        symbols, _ = distinct_columns(weights)
        found = largest_price(
            weights[:, symbols], self.labels, self.label_multipliers, rtol=rtol, log_enough=log_enough
        )
        self.proved = found.proved
        return replace(found, column=int(symbols[found.column]))

    def free_price(self) -> FreePrice:
        """Return the price of free letters, as a function of points and soft decisions."""
        from rdcsolve.letters.pricing.points import FreePrice

        assert self.free is not None
        return FreePrice(
            np.log(self.p) + self.u,
            self._rows(self.free.points),
            float(self.multipliers[0]) * self.free.scale,
            self.labels,
            self.label_multipliers,
        )

    def largest_free_price(self, rtol: float = _FREE_PRICE_TOLERANCE, log_enough: float = 0.0) -> LargestFreePrice:
        """Return the largest price over all points and soft decisions: what was found, and on the line a bound."""
        from rdcsolve.letters.pricing.line import largest_free_price

        log_error = 2.0**-50 * (np.abs(np.log(self.p)) + np.abs(self.u))
        found = largest_free_price(self.free_price(), rtol, log_error, log_enough=log_enough)
        self.proved = found.proved
        return found

    def log_weights(self) -> np.ndarray:
        """Return log p_i + u_i - lambda.L(i, a) over the linear losses, shape (n, n_letters), rounded upwards.

        Sums of M + 2 terms err by less than 2^-50 (M + 3) of the sum of the terms' sizes, which is at most twice that
        of the positive ones and the result's.
        """
        if self._log_weights is not None:
            return self._log_weights
        log_p = np.log(self.p)
        exponent = np.repeat((log_p + self.u)[:, None], self.losses[0].shape[1], axis=1)
        for multiplier, matrix in zip(self.multipliers, self.losses, strict=True):
            block = self._rows(matrix)
            if multiplier > 0:
                with np.errstate(over="ignore"):  # beyond the range of floats the term is zero
                    exponent -= multiplier * block
            else:
                exponent[np.isinf(block)] = -math.inf
        size = 2 * (np.abs(log_p) + np.abs(self.u))[:, None] + np.abs(np.maximum(exponent, _NEGLIGIBLE_LOG))
        self._log_weights = exponent + 2.0**-50 * (len(self.losses) + 3) * size
        return self._log_weights

    def terms_at(self, places: np.ndarray) -> np.ndarray:
        """Return log p_i + u_i - lambda.L(i, a) for letters at symbols (k,), or at points (k, dim) where free."""
        return self.log_weights()[:, places] if self.free is None else self.free_price().weights_at(places)

    def least_loss(self, index: int) -> float:
        """Return sum_i p_i min_a L(i, a) over the letters that no loss forbids; H(S | X) for a label."""
        if index >= self.first_label:
            label = self.labels[index - self.first_label]
            return -math.fsum(self.p * (label * np.log(np.where(label > 0, label, 1.0))).sum(axis=1))
        if self.free is not None:
            return 0.0  # a letter at every point
        return math.fsum(self.p * self.least_per_symbol(index))

    def least_per_symbol(self, index: int) -> np.ndarray:
        """Return min_a L(i, a) over the letters that no loss forbids, shape (n,); exact."""
        least = np.full(self.p.size, math.inf)
        for columns in self._blocks(self.losses[0].shape[1]):
            block = self._rows(self.losses[index][:, columns])
            for matrix in self.losses:
                block = np.where(np.isinf(self._rows(matrix[:, columns])), math.inf, block)
            np.minimum(least, block.min(axis=1), out=least)
        return least

    def row_sums(self) -> np.ndarray:
        """Return the sums of the channel's rows, shape (n,)."""
        return self.channel.sum(axis=1)

    def row_error(self) -> float:
        """Return the largest deviation from one of a row's sum."""
        return float(np.abs(self.row_sums() - 1.0).max())

    def rate(self) -> float:
        """Return I(X; A) of the channel, nats."""
        totals = np.zeros(self.p.size)
        scale = 1.0 / self.row_sums()
        for columns in self._blocks(self.letters.size):
            rows = self.channel[:, columns] * scale[:, None]
            joint = self.p[:, None] * rows
            q = np.broadcast_to(joint.sum(axis=0), rows.shape)
            some = joint > 0  # a joint mass that underflows to zero contributes nothing
            terms = np.log(rows, out=np.zeros(rows.shape), where=some)
            terms -= np.log(q, out=np.zeros(rows.shape), where=some)
            totals += (rows * terms).sum(axis=1)
        return max(0.0, math.fsum(self.p * totals))

    def mean_loss(self, index: int) -> float:
        """Return E L under the channel, whose forbidden pairs have no mass; H(S | A) for a label.

        Where letters are free it is the mean squared distance from the letters' means.
        """
        if index >= self.first_label:
            return self._label_entropy(self.labels[index - self.first_label])
        if self.free is not None:
            return self._spread_within_letters() * self.free.scale
        totals = np.zeros(self.p.size)
        for columns in self._blocks(self.letters.size):
            rows = self.channel[:, columns]
            block = self._rows(np.take(self.losses[index], self.letters[columns], axis=1))
            totals += np.multiply(rows, block, out=np.zeros(rows.shape), where=rows > 0).sum(axis=1)
        return math.fsum(self.p / self.row_sums() * totals)

    def _label_entropy(self, label: np.ndarray) -> float:
        """Return H(S | A) = sum_a sum_s P(s, a) log (sum_s P(s, a) / P(s, a)), nats."""
        joint = (self.channel * (self.p / self.row_sums())[:, None]).T @ label
        q = np.broadcast_to(joint.sum(axis=1, keepdims=True), joint.shape)
        some = joint > 0
        terms = np.log(q, out=np.zeros(joint.shape), where=some) - np.log(joint, out=np.zeros(joint.shape), where=some)
        return max(0.0, math.fsum((joint * terms).ravel()))

    def _spread_within_letters(self) -> float:
        """Return E |X - E[X | A]|^2."""
        joint = self.channel * (self.p / self.row_sums())[:, None]
        points, means = self._points_and_means()
        total = 0.0
        for coordinate, mean in zip(points.T, means.T, strict=True):
            total += math.fsum((joint * (coordinate[:, None] - mean) ** 2).sum(axis=1))
        return total

    def _points_and_means(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the symbols' points (n, dim) and the letters' means (k, dim), rounded."""
        assert self.free is not None
        points = self._rows(self.free.points)
        return points, replace(self.free, points=points).means(self.channel * self.p[:, None])

    def forbidden_mass(self) -> float:
        """Return the largest entry of the channel at a forbidden pair; exact."""
        largest = 0.0
        for columns in self._blocks(self.letters.size):
            for matrix in self.losses:
                banned = np.isinf(self._rows(np.take(matrix, self.letters[columns], axis=1)))
                largest = max(largest, float(np.max(self.channel[:, columns], initial=0.0, where=banned)))
        return largest

    def _rows(self, block: np.ndarray) -> np.ndarray:
        return block if self._everything else block[self.symbols]

    def _blocks(self, n_columns: int) -> Iterator[slice]:
        width = max(1, _PAIRS_AT_A_TIME // self.p.size)
        for start in range(0, n_columns, width):
            yield slice(start, min(start + width, n_columns))
