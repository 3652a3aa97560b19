"""All cells of a small source: their entropies, and their losses under the decoders that are best at given prices."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy.special import xlog1py

from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.rounding import exact_dot

MOST_SYMBOLS = 16
"""Symbols of positive mass: 3^16 / 2 sums for one partition take a few hundredths of a second."""

_MOST_BYTES = 2**28


class Partition(NamedTuple):
    """Cells as sets of symbols, bit by bit; the letter of each; and rate and mean losses, shape (1 + M,)."""

    cells: tuple[int, ...]
    letters: tuple[int, ...]
    means: np.ndarray


class Cells:
    """The 2^n - 1 cells that symbols can be put into together, and the empty one.

    Quantities are numbered: 0 is the rate, 1 + m is loss m of the problem. Linear losses count from a symbol's least
    entry, whose mean stands in `shifts`. So every quantity is a sum of terms >= 0, none of which is a difference of
    larger ones, and is good to a few roundings of itself.

    Parameters
    ----------
    problem : Problem
        With listed letters or free ones; see `check_problem` in `one_shot`.

    Raises
    ------
    InvalidInput
        If there are more symbols of positive mass than `MOST_SYMBOLS`, or too many letters for the tables.
    """

    def __init__(self, problem: Problem) -> None:
        self.symbols = np.flatnonzero(problem.p_x > 0)
        self.n = int(self.symbols.size)
        if self.n > MOST_SYMBOLS:
            raise InvalidInput(
                f"the source has {self.n} symbols of positive mass, and all their partitions are looked at, for up to "
                f"{MOST_SYMBOLS}; merge symbols (sources.kmeans_codebook finds groups), or bound codes by solve()"
            )
        n_losses, n_letters = len(problem.linear_losses), problem.n_letters
        needed = 8 * n_losses * 2**self.n * n_letters
        if needed > _MOST_BYTES:
            raise InvalidInput(
                f"{n_losses} losses of {n_letters} letters for all {2**self.n} cells of {self.n} symbols take "
                f"{needed / 1e6:.0f} MB, more than {_MOST_BYTES / 1e6:.0f} MB; give fewer letters (reproduction=)"
            )
        self.p = problem.p_x[self.symbols]
        self.dim = problem.source.dim or 1
        self._member = ((np.arange(2**self.n)[:, None] >> np.arange(self.n)) & 1).astype(float)
        mass, others = self._member @ self.p, (1.0 - self._member) @ self.p
        self.entropy = _surprise(mass, others)
        self._set_linear(problem)
        self._set_own(problem)

    def _set_linear(self, problem: Problem) -> None:
        """Set the sums of every linear loss in every cell, per letter, and which letters a cell may not use."""
        tables = [loss.block(self.symbols) for loss in problem.linear_losses]
        self.first_linear = len(problem.losses) - len(tables) - len(problem.label_entropies)
        self.shifts, self.linear = np.zeros(1 + len(problem.losses)), []
        for m, table in enumerate(tables):
            least = problem.row_minima(m)[self.symbols]
            above = np.where(np.isinf(table), 0.0, table - least[:, None]).clip(0.0)  # a forbidden letter may be lower
            self.linear.append(self._member @ (self.p[:, None] * above))
            self.shifts[1 + self.first_linear + m] = exact_dot((self.p, least))
        self.is_forbidden = None
        if problem.forbidden is not None and problem.forbidden[self.symbols].any():
            self.is_forbidden = self._member @ problem.forbidden[self.symbols].astype(float) > 0

    def _set_own(self, problem: Problem) -> None:
        """Set what the best decoder of a cell has whatever the prices: squared errors to means, label entropies."""
        self.own: dict[int, np.ndarray] = {}
        weights = self._member * self.p
        if problem.free is not None:
            squares = problem.free.matrix(problem.free.points[self.symbols])[self.symbols]
            pairs = ((weights @ squares) * weights).sum(axis=1)
            mass = weights.sum(axis=1)
            # the squared error to the mean is half the mean of that between two: no difference of large numbers
            self.own[1] = np.divide(0.5 * pairs, mass, out=np.zeros_like(mass), where=mass > 0)
        for k, label in enumerate(problem.label_entropies):
            masses = weights @ label.conditional[self.symbols]
            others = masses @ (1.0 - np.eye(masses.shape[1]))
            ratios = np.divide(others, masses, out=np.zeros_like(masses), where=masses > 0)
            self.own[1 + len(problem.losses) - len(problem.label_entropies) + k] = xlog1py(masses, ratios).sum(axis=1)

    def costs(self, prices: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the cost of each cell under its best decoder, shape (2^n,), and that decoder's letter.

        Parameters
        ----------
        prices : numpy.ndarray
            Of rate and losses, shape (1 + M,), >= 0.
        """
        cost = prices[0] * self.entropy
        for quantity, values in self.own.items():
            cost = cost + prices[quantity] * values
        if not self.linear:
            return cost, None
        total = sum(prices[1 + self.first_linear + m] * table for m, table in enumerate(self.linear))
        if self.is_forbidden is not None:
            total = np.where(self.is_forbidden, math.inf, total)
        letters = total.argmin(axis=1)
        return cost + np.take_along_axis(total, letters[:, None], axis=1)[:, 0], letters

    def partition(self, cells: list[int], letters: np.ndarray | None, n_losses: int) -> Partition:
        """Return a partition with the letters of its cells, and its rate and losses."""
        means = np.zeros(1 + n_losses)
        means[0] = math.fsum(self.entropy[cells].tolist())
        for quantity, values in self.own.items():
            means[quantity] = math.fsum(values[cells].tolist())
        shown = [] if letters is None else letters[cells].tolist()
        for m, table in enumerate(self.linear):
            means[1 + self.first_linear + m] = math.fsum(table[cells, shown].tolist())
        return Partition(tuple(cells), tuple(shown), means)

    def members(self, cell: int) -> np.ndarray:
        """Return which symbols of the source a cell holds."""
        return self.symbols[self._member[cell] > 0]


def _surprise(mass: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return -m log m, where `others` is 1 - m: near one the logarithm is taken of what is left."""
    is_large = mass > 0.5
    near_one = np.log1p(-np.where(is_large, others, 0.0))
    small = np.log(np.where(is_large | (mass <= 0), 1.0, mass))
    return mass * -np.where(is_large, near_one, small)
