"""Two passes over a channel, a few MB of its rows at a time, so that it needs no more memory than that."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np

from rdcsolve.certificates.elementary import Elementary
from rdcsolve.problems import Problem
from rdcsolve.rounding import row_sums, weighted_sums

_PAIRS_AT_A_TIME = 1 << 18
_LARGE = 1 << 20  # pairs of symbol and letter from which on ball arithmetic adds up floats, too


class RowsOnDemand(Protocol):
    """A channel that is too large to be stored."""

    @property
    def shape(self) -> tuple[int, int]:
        """(n_x, k)."""
        ...

    def of(self, problem: Problem) -> RowsOnDemand:
        """Return the channel with the losses of the problem."""
        ...

    def rows(self, symbols: slice | np.ndarray | None = None) -> np.ndarray:
        """Return the rows of some symbols."""
        ...


class Block(NamedTuple):
    """Places among the symbols of positive mass, these symbols, and their rows."""

    places: slice
    symbols: slice | np.ndarray
    rows: np.ndarray


class ChannelRows:
    """The rows of the symbols of positive mass.

    Parameters
    ----------
    channel : numpy.ndarray or RowsOnDemand
        Shape (n_x, k).
    symbols : numpy.ndarray or None
        Shape (n,): those of positive mass; None if all are.
    n_rows : int
        n.
    letters : numpy.ndarray
        Shape (k,).
    problem : Problem
    """

    def __init__(
        self,
        channel: np.ndarray | RowsOnDemand,
        symbols: np.ndarray | None,
        n_rows: int,
        letters: np.ndarray,
        problem: Problem,
    ) -> None:
        self.channel, self.symbols, self.n_rows, self.letters, self.problem = channel, symbols, n_rows, letters, problem
        self._step = max(1, _PAIRS_AT_A_TIME // max(1, letters.size))

    @property
    def is_large(self) -> bool:
        """Whether ball arithmetic, too, takes rates and means of linear losses from sums of floats."""
        return self.n_rows * self.letters.size >= _LARGE

    @property
    def n_blocks(self) -> int:
        """How many blocks there are."""
        return -(-self.n_rows // self._step)

    def __iter__(self) -> Iterator[Block]:
        for start in range(0, self.n_rows, self._step):
            places = slice(start, min(start + self._step, self.n_rows))
            symbols = places if self.symbols is None else self.symbols[places]
            rows = self.channel[symbols] if isinstance(self.channel, np.ndarray) else self.channel.rows(symbols)
            yield Block(places, symbols, rows)


class Survey(NamedTuple):
    """Sums of rows (n,), rounded masses of letters (k,), the range of entries, and whether all rows are equal.

    `forbidden` is the largest entry at a forbidden pair.
    """

    totals: np.ndarray
    masses: np.ndarray
    least: float
    largest: float
    is_constant: bool
    forbidden: float


def survey(channel: ChannelRows, p: np.ndarray) -> Survey:
    """Return what one pass tells of a channel, or of what may be none; p are the symbols' masses, shape (n,)."""
    totals, masses = np.zeros(channel.n_rows), np.zeros(channel.letters.size)
    least, largest, forbidden, is_constant = math.inf, -math.inf, 0.0, True
    first: np.ndarray | None = None
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):  # of a channel that is none
        for places, symbols, rows in channel:
            first = rows[0].copy() if first is None else first
            totals[places] = row_sums(rows)
            masses += weighted_sums(p[places] / totals[places], rows)
            least = float(np.minimum(least, rows.min()))  # NaN stays NaN
            largest = float(np.maximum(largest, rows.max()))
            # the last row alone tells most channels that are not constant
            is_constant = is_constant and bool((rows[-1] == first).all()) and bool((rows == first).all())
            if channel.problem.forbidden is not None:
                for loss in channel.problem.linear_losses:
                    banned = np.isinf(loss.block(symbols, channel.letters))
                    forbidden = max(forbidden, float(np.max(rows, initial=0.0, where=banned)))
    return Survey(totals, masses, least, largest, is_constant, forbidden)


class Moments(NamedTuple):
    """The rate, means of linear losses above their least values, and joint masses of letters and classes (k, n_s)."""

    rate: float
    losses: list[float]
    joint: list[np.ndarray]


def moments(
    channel: ChannelRows,
    known: Survey,
    shares: np.ndarray,
    shifts: np.ndarray,
    labels: list[np.ndarray],
    elementary: Elementary,
) -> Moments:
    """Return what a second pass adds up: over letters, then over symbols, joint masses block by block.

    Parameters
    ----------
    channel : ChannelRows
    known : Survey
        Of the channel; its masses of letters need not be exact.
    shares : numpy.ndarray
        Shape (n,): what entries of a row are multiplied by to be joint masses.
    shifts : numpy.ndarray
        Shape (M', n): the least values of the linear losses.
    labels : list of numpy.ndarray
        Conditionals, shape (n, n_s).
    elementary : Elementary
        Whose logarithm is taken.
    """
    q, linear = known.masses, channel.problem.linear_losses
    divergence, above = np.zeros(channel.n_rows), np.zeros((len(linear), channel.n_rows))
    scaled = [label * (shares / row_sums(label))[:, None] for label in labels]
    joint = [np.zeros((channel.letters.size, label.shape[1])) for label in labels]
    for places, symbols, rows in channel:
        # without zeros nothing has to be left out, which takes a fraction of the time
        positive = np.True_ if known.least > 0 else rows > 0
        is_full = bool(positive.all())
        if not known.is_constant:
            if is_full and q.min() > 1e-300:
                ratios = rows / q
            else:
                ratios = np.divide(rows, q, out=np.ones(rows.shape), where=positive & (q > 1e-300))
            logs = elementary.log(ratios)
            divergence[places] = row_sums(np.multiply(rows, logs, out=logs))
        for m, loss in enumerate(linear):
            block = loss.block(symbols, channel.letters)
            if shifts[m].any():
                block = block - shifts[m][places, None]
            if is_full:
                above[m, places] = row_sums(rows * block)
            else:
                above[m, places] = row_sums(np.multiply(rows, block, out=np.zeros(rows.shape), where=positive))
        for sums, masses in zip(joint, scaled, strict=True):
            sums += weighted_sums(np.ascontiguousarray(rows.T), masses[places])
    # W is W' / S for the stored row W' of sum S, so that log S is taken off
    rate = math.fsum(shares * (divergence - known.totals * elementary.log(known.totals)))
    return Moments(rate, [math.fsum(shares * row) for row in above], joint)
