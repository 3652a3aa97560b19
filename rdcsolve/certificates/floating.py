"""What a check needs of a certificate, in floating point: direct sums over the problem's losses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext

import numpy as np

from rdcsolve.problems import Problem

_PAIRS_AT_A_TIME = 1 << 18


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
        self.u, self.multipliers = u[self.symbols], multipliers
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

    def least_loss(self, index: int) -> float:
        """Return sum_i p_i min_a L(i, a) over the letters that no loss forbids."""
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
        """Return E L under the channel, whose forbidden pairs have no mass."""
        totals = np.zeros(self.p.size)
        for columns in self._blocks(self.letters.size):
            rows = self.channel[:, columns]
            block = self._rows(np.take(self.losses[index], self.letters[columns], axis=1))
            totals += np.multiply(rows, block, out=np.zeros(rows.shape), where=rows > 0).sum(axis=1)
        return math.fsum(self.p / self.row_sums() * totals)

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
