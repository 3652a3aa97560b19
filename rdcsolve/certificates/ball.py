"""What a check needs of a certificate, in ball arithmetic: intervals that hold the exact values.

Stored floats are exact as they stand, masses and rows of the channel are divided by their exact sums, and
every operation of python-flint (Johansson 2017) widens its interval by its own rounding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from operator import mul
from typing import Any

import numpy as np

from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.errors import MissingExtra
from rdcsolve.problems import Problem

try:
    from flint import arb, ctx

    from rdcsolve.certificates.exponential import HIGHEST, LOWEST, exp_upper, float_above
except ImportError as error:
    raise MissingExtra.of("ball", "verification in ball arithmetic") from error

_BITS = 128
_TINY = 1e-40  # -x log x < 1e-37 for all smaller x
_UNIT = arb(0.5, 0.5)  # holds [0, 1]


class BallNumbers(FloatNumbers):
    """The numbers of `FloatNumbers`, each as a ball; same interface and same parameters.

    The cost is some 2 microseconds, and 0.6 per loss, for every positive entry of the channel: a few seconds
    for 10^6 of them. Pricing adds some 40 nanoseconds per pair of symbol and letter, and 2 microseconds per
    symbol for every letter whose price is within rounding of the largest.
    """

    def __init__(
        self,
        problem: Problem,
        u: np.ndarray,
        multipliers: np.ndarray,
        letters: np.ndarray,
        channel: np.ndarray,
    ) -> None:
        super().__init__(problem, u, multipliers, letters, channel)
        self.masses = problem.p_x[self.symbols]
        self._moments: tuple[Any, list[Any]] | None = None

    def context(self) -> AbstractContextManager[None]:
        """Return the context that sets the precision, and puts the caller's back at the end."""
        return _precision(_BITS)

    def number(self, value: float) -> Any:
        """Return a stored number, exactly."""
        return arb(value)

    def lower_end(self, value: Any) -> float:
        """Return the largest float that is not above any number of the ball; -inf if there is none."""
        return 0.0 - self.upper_end(-value)  # never -0.0

    def upper_end(self, value: Any) -> float:
        """Return the smallest float that is not below any number of the ball; inf if there is none."""
        return float_above(value)

    def mean_u(self) -> Any:
        """Return p.u, nats."""
        return _dot(self.masses, self.u) / self._total()

    def log_max_price(self) -> Any:
        """Return log max_a sum_i p_i exp(u_i - lambda.L(i, a)), nats.

        Proved bounds in plain floats single out the letters that can have the largest price; only theirs are
        computed as balls.
        """
        if self.free is not None:
            return arb(self.largest_free_price().log_upper) + arb(0, 2.0**-50)
        if self.label_multipliers.any():
            # proved bounds in plain floats, which allow for every rounding, that of the masses' sum included
            return arb(self.largest_price().log_upper) + arb(0, 2.0**-50)
        guess = super().log_max_price()
        n_letters = self.losses[0].shape[1]
        bounds = self._price_bounds(guess) if math.isfinite(guess) else np.full(n_letters, math.inf)
        weights = list(map(mul, map(arb, self.masses.tolist()), (arb(u).exp() for u in self.u.tolist())))
        scale = arb(-guess).exp()
        largest = arb(0)
        for a in np.argsort(-bounds).tolist():
            if arb(bounds[a]) < largest * scale:
                break
            largest = largest.max(self._price(a, weights))
        return (largest / self._total()).log()

    def _price(self, a: int, weights: list[Any]) -> Any:
        """Return sum_i weights_i exp(-lambda.L(i, a)); equal rows of losses share one exponential."""
        columns = np.column_stack([matrix[self.symbols, a] for matrix in self.losses])
        allowed = np.flatnonzero(np.isfinite(columns).all(axis=1))
        active = np.flatnonzero(self.multipliers)
        rows, which = np.unique(columns[np.ix_(allowed, active)], axis=0, return_inverse=True)
        factors = [arb(-multiplier) for multiplier in self.multipliers[active].tolist()]
        kernel = [sum(map(mul, factors, map(arb, row)), arb(0)).exp() for row in rows.tolist()]
        terms = (weights[i] * kernel[k] for i, k in zip(allowed.tolist(), which.ravel().tolist(), strict=True))
        return sum(terms, arb(0))

    def _price_bounds(self, guess: float) -> np.ndarray:
        """Return a proved upper bound of exp(-guess) times every letter's price, inf where there is none.

        Exponents are sums of M + 2 terms and err by less than 2^-50 (M + 3) of the sum of their sizes, itself
        at most 2 |u| + 2 |guess| + |exponent|. They are cut from below where their terms do not matter.
        """
        error = 2.0**-50 * (len(self.losses) + 3)
        base = self.u - guess + error * 2.0 * (np.abs(self.u) + abs(guess)) + 1e-300
        bounds = np.full(self.losses[0].shape[1], math.inf)
        if np.abs(self.u).max() > 1e300:
            return bounds
        for columns in self._blocks(bounds.size):
            exponent = np.repeat(base[:, None], columns.stop - columns.start, axis=1)
            for multiplier, matrix in zip(self.multipliers.tolist(), self.losses, strict=True):
                block = self._rows(matrix[:, columns])
                if multiplier > 0:
                    with np.errstate(over="ignore"):  # far below LOWEST
                        exponent -= multiplier * block
                else:
                    exponent[np.isinf(block)] = -math.inf
            exponent += error * np.abs(np.maximum(exponent, LOWEST))
            usable = (exponent <= HIGHEST).all(axis=0)
            sums = self.masses @ exp_upper(np.clip(exponent, LOWEST, HIGHEST))
            sums *= 1.0 + 2.0**-50 * self.masses.size
            bounds[columns] = np.where(usable, sums + 1e-290, math.inf)
        return bounds

    def least_loss(self, index: int) -> Any:
        """Return sum_i p_i min_a L(i, a) over the letters that no loss forbids; H(S | X) for a label."""
        if index >= self.first_label:
            label = self.labels[index - self.first_label]
            rows = (sum((w * w.log() for w in map(arb, row[row > 0].tolist())), arb(0)) for row in label)
            return -sum(map(mul, map(arb, self.masses.tolist()), rows), arb(0)) / self._total()
        if self.free is not None:
            return arb(0)
        return _dot(self.masses, self.least_per_symbol(index)) / self._total()

    def row_error(self) -> float:
        """Return the largest deviation from one of a row's sum."""
        return max(self.upper_end(abs(_excess_over_one(row))) for row in self.channel)

    def rate(self) -> Any:
        """Return I(X; A) of the channel, nats; exactly zero if all rows are the same."""
        if (self.channel == self.channel[0]).all():
            return arb(0)
        return self._channel_moments()[0]

    def mean_loss(self, index: int) -> Any:
        """Return E L under the channel, whose forbidden pairs have no mass; H(S | A) for a label."""
        if index >= self.first_label:
            return self._label_entropy(self.labels[index - self.first_label])
        if self.free is not None:
            return self._spread_within_letters() * arb(self.free.scale)
        return self._channel_moments()[1][index]

    def _label_entropy(self, label: np.ndarray) -> Any:
        """Return H(S | A) = sum_a (q(a) log q(a) - sum_s P(s, a) log P(s, a)), nats."""
        scales = [share / row_sum for share, row_sum in self._shares()]
        entropy = arb(0)
        for column in self.channel.T:
            used = np.flatnonzero(column)
            joint = [scales[i] * arb(value) for i, value in zip(used.tolist(), column[used].tolist(), strict=True)]
            classes = np.flatnonzero(label[used].any(axis=0)).tolist()
            if len(classes) < 2:
                continue  # nothing is left unknown, exactly
            q = arb(0)
            for s in classes:
                weights = label[used, s].tolist()
                mass = sum((j * arb(w) for j, w in zip(joint, weights, strict=True) if w), arb(0))
                entropy -= mass * mass.log() if mass > _TINY else arb(-1e-37) * _UNIT
                q += mass
            entropy += q * q.log() if q > _TINY else arb(-1e-37) * _UNIT
        return entropy

    def _spread_within_letters(self) -> Any:
        """Return E |X - y(A)|^2 for letters at the means, rounded to floats: no less than at the means themselves."""
        scales = [share / row_sum for share, row_sum in self._shares()]
        points, means = self._points_and_means()
        total = arb(0)
        for column, place in zip(self.channel.T, means.tolist(), strict=True):
            used = np.flatnonzero(column)
            joint = [scales[i] * arb(value) for i, value in zip(used.tolist(), column[used].tolist(), strict=True)]
            for coordinate, mean in zip(points[used].T, place, strict=True):
                errors = [arb(value) - arb(mean) for value in coordinate.tolist()]
                total += sum(map(mul, joint, map(mul, errors, errors)), arb(0))
        return total

    def _shares(self) -> list[tuple[Any, Any]]:
        """Return every symbol's share of the mass, and the sum of its row."""
        total = self._total()
        sums = [1 + _excess_over_one(row) for row in self.channel]
        return [(arb(mass) / total, row_sum) for mass, row_sum in zip(self.masses.tolist(), sums, strict=True)]

    def _channel_moments(self) -> tuple[Any, list[Any]]:
        """Return the rate and the means of all losses, from one pass over the channel.

        With rows W_i of sum S_i, the rate is sum p_i W_ia / S_i log W_ia - sum p_i log S_i - sum q_a log q_a.
        """
        if self._moments is not None:
            return self._moments
        shares = self._shares()
        scales = np.array([share / row_sum for share, row_sum in shares])
        rate = -sum((share * row_sum.log() for share, row_sum in shares), arb(0))
        means = [arb(0)] * len(self.losses)
        for j, letter in enumerate(self.letters.tolist()):
            column = self.channel[:, j]
            used = np.argsort(-column)[: np.count_nonzero(column)]
            entries = list(map(arb, column[used].tolist()))
            joint = list(map(mul, scales[used].tolist(), entries))
            n_large = np.count_nonzero(column > _TINY)
            rate += sum(map(mul, joint, map(arb.log, entries[:n_large])), arb(0))
            if n_large < used.size:
                rate -= arb(1e-37) * _UNIT
            if used.size:
                q = sum(joint, arb(0))
                rate -= q * q.log()
            for m, matrix in enumerate(self.losses):
                costs = map(arb, matrix[self.symbols[used], letter].tolist())
                means[m] += sum(map(mul, joint, costs), arb(0))
        self._moments = rate, means
        return self._moments

    def _total(self) -> Any:
        return 1 + _excess_over_one(self.masses)


@contextmanager
def _precision(bits: int) -> Iterator[None]:
    before = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = before


def _dot(left: np.ndarray, right: np.ndarray) -> Any:
    return sum(map(mul, map(arb, left.tolist()), map(arb, right.tolist())), arb(0))


def _excess_over_one(masses: np.ndarray) -> Any:
    """Return the sum of masses minus one: `math.fsum` rounds the exact sum once, to the nearest float."""
    nearest = math.fsum([*masses.tolist(), -1.0])
    return arb(nearest, 2.0**-52 * abs(nearest) + 1e-300)
