"""What every price is a sum over: the symbols of positive mass, weighted by a dual point."""

from __future__ import annotations

import math
from collections.abc import Iterator
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


class DualWeights:
    """The symbols of positive mass at a dual point (u, lambda), and the largest prices there.

    Parameters
    ----------
    problem : Problem
    u : numpy.ndarray
        Shape (n_x,).
    multipliers : numpy.ndarray
        Shape (M,), >= 0.
    """

    def __init__(self, problem: Problem, u: np.ndarray, multipliers: np.ndarray) -> None:
        self.symbols = np.flatnonzero(problem.p_x > 0)
        self._everything = self.symbols.size == problem.n_x
        self.losses = [loss.matrix for loss in problem.linear_losses]
        self.p = problem.p_x[self.symbols] / math.fsum(problem.p_x)
        self.free = problem.free
        self.labels = [self._rows(label.conditional) for label in problem.label_entropies]
        self.first_label = len(problem.losses) - len(self.labels)  # index of the first label's loss
        self.u, self.multipliers = u[self.symbols], multipliers[: self.first_label]
        self.label_multipliers = multipliers[self.first_label :]
        self._log_weights: np.ndarray | None = None

    def log_max_price(self) -> float:
        """Return log max_a sum_i p_i exp(u_i - lambda.L(i, a)) over listed letters, nats; -inf if all are zero."""
        largest = -math.inf
        for columns in self._blocks(self.losses[0].shape[1]):
            exponent = self._exponents(columns)
            top = exponent.max(axis=0)
            exponent = exponent[:, top > -math.inf]
            top = top[top > -math.inf]
            if top.size:
                exponent -= top
                largest = max(largest, float((top + np.log(np.exp(exponent).sum(axis=0))).max()))
        return largest

    def largest_price(self, rtol: float = _PRICE_TOLERANCE, log_enough: float = 0.0) -> LargestPrice:
        """Return the largest price over all symbols and soft decisions: what was found, and a bound with its proof.

        Certificates are stored with u scaled so that no price exceeds one: to show that much is enough by default.
        """
        from rdcsolve.letters.pricing.decisions import largest_price

        symbols, _ = self.distinct_symbols()
        found = largest_price(
            self.log_weights()[:, symbols],
            self.labels,
            self.label_multipliers,
            rtol=rtol,
            log_enough=log_enough,
            numbers=symbols,
        )
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
        return largest_free_price(self.free_price(), rtol, log_error, log_enough=log_enough)

    def distinct_symbols(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the first symbol of every group with the same losses and forbidden pairs, and every symbol's group.

        They have equal prices: often all of them, where no linear loss counts.
        """
        tables = [
            self._rows(matrix) if multiplier > 0 else np.isinf(self._rows(matrix))
            for multiplier, matrix in zip(self.multipliers, self.losses, strict=True)
        ]
        groups: dict[bytes, int] = {}
        columns = zip(*(np.ascontiguousarray(table.T) for table in tables), strict=True)
        group = [groups.setdefault(b"".join(part.tobytes() for part in parts), len(groups)) for parts in columns]
        _, first = np.unique(group, return_index=True)
        return first, np.array(group)

    def log_weights(self) -> np.ndarray:
        """Return log p_i + u_i - lambda.L(i, a) over the linear losses, shape (n, n_letters), rounded upwards.

        Sums of M + 2 terms err by less than 2^-50 (M + 3) of the sum of the terms' sizes, which is at most twice that
        of the positive ones and the result's.
        """
        if self._log_weights is None:
            exponent = self._exponents(slice(0, self.losses[0].shape[1]))
            sizes = 2 * (np.abs(np.log(self.p)) + np.abs(self.u))[:, None] + np.abs(
                np.maximum(exponent, _NEGLIGIBLE_LOG)
            )
            self._log_weights = exponent + 2.0**-50 * (len(self.losses) + 3) * sizes
        return self._log_weights

    def _exponents(self, columns: slice) -> np.ndarray:
        exponent = np.repeat((np.log(self.p) + self.u)[:, None], columns.stop - columns.start, axis=1)
        for multiplier, matrix in zip(self.multipliers, self.losses, strict=True):
            block = self._rows(matrix[:, columns])
            if multiplier > 0:
                with np.errstate(over="ignore"):  # beyond the range of floats the term is zero
                    exponent -= multiplier * block
            else:
                exponent[np.isinf(block)] = -math.inf
        return exponent

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
        least = np.full(self.p.size, math.inf)
        for columns in self._blocks(self.losses[0].shape[1]):
            block = self._rows(self.losses[index][:, columns])
            for matrix in self.losses:
                block = np.where(np.isinf(self._rows(matrix[:, columns])), math.inf, block)
            np.minimum(least, block.min(axis=1), out=least)
        return math.fsum(self.p * least)

    def spread_within_letters(self, channel: np.ndarray) -> float:
        """Return E |X - E[X | A]|^2 of a channel, in the distortion's unit."""
        assert self.free is not None
        points, rows = self._rows(self.free.points), self._rows(channel)
        joint = rows * (self.p / rows.sum(axis=1))[:, None]
        means = replace(self.free, points=points).means(rows * self.p[:, None])
        total = 0.0
        for coordinate, mean in zip(points.T, means.T, strict=True):
            total += math.fsum((joint * (coordinate[:, None] - mean) ** 2).sum(axis=1))
        return total * self.free.scale

    def _rows(self, block: np.ndarray) -> np.ndarray:
        return block if self._everything else block[self.symbols]

    def _blocks(self, n_columns: int) -> Iterator[slice]:
        width = max(1, _PAIRS_AT_A_TIME // self.p.size)
        for start in range(0, n_columns, width):
            yield slice(start, min(start + width, n_columns))
