"""What a check needs of a certificate, in ball arithmetic: intervals that hold the exact values.

Stored floats are exact as they stand, masses and rows of the channel are divided by their exact sums, and
every operation of python-flint (Johansson 2017) widens its interval by its own rounding. Prices over soft decisions are
bounded as in floating point, with elementary functions whose errors are proved.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from operator import mul
from typing import Any

import numpy as np

from rdcsolve.certificates.elementary import HIGHEST, LOWEST, Elementary
from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.certificates.line_prices import prices_on_line
from rdcsolve.certificates.product_prices import prices_on_grid
from rdcsolve.errors import MissingExtra
from rdcsolve.rounding import UNIT, sum_units, units

try:
    from flint import arb, ctx, fmpq

    from rdcsolve.certificates.exponential import PROVED, exp_upper, float_above
except ImportError as error:
    raise MissingExtra.of("ball", "verification in ball arithmetic") from error

_BITS = 128
_RESOLVED = 1e-30  # of an excess that is a difference of logarithms: equal ones differ by less
_TINY = 1e-40  # -x log x < 1e-37 for all smaller x
_PRICED = 1 << 17  # pairs of symbol and letter whose exponentials are taken as balls: about a second
_UNIT = arb(0.5, 0.5)  # holds [0, 1]


class BallNumbers(FloatNumbers):
    """The numbers of `FloatNumbers`, each the end of a ball; same interface and same parameters.

    The cost is some 2 microseconds, and 0.6 per loss, for every positive entry of the channel: a few seconds
    for 10^6 of them. From there on rates and means of linear losses are what floats prove with logarithms whose
    errors are proved, some 1e-14 of them above the balls' and a hundred times as fast; whether a limit is kept is
    still told by balls. Pricing adds some 40 nanoseconds per pair of symbol and letter, and 2 microseconds per
    symbol for every letter whose price is within rounding of the largest.
    """

    elementary: Elementary = PROVED
    on_line = None  # every entry of the channel is a ball
    _log_price: Any = None  # log C as a ball, where that is known better than to a float

    def context(self) -> AbstractContextManager[None]:
        """Return the context that sets the precision, and puts the caller's back at the end."""
        return _precision(_BITS)

    def counts_as_least(self, m: int, bound: float) -> bool:
        """Return whether a bound is below the least mean by no more than its rounding; see `FloatNumbers`.

        Here also for labels: nothing in ball arithmetic may exceed a limit, not even by a rounding.
        """
        if m < self.first_label:
            return super().counts_as_least(m, bound) or self._counts_as_constant(m, bound)
        least = self._least_entropies[m - self.first_label]
        return bool(arb(bound) < least) and bool(arb(bound) >= least - self.entropy_rounding(m))

    def _counts_as_constant(self, m: int, bound: float) -> bool:
        """Return whether the rate is limited to zero, and a bound below the least mean of a letter by its rounding.

        At rate zero letters do not depend on the symbol: the least mean of one letter takes the part of the least mean.
        It may have been computed from a mixture, with some more roundings.
        """
        if self.problem.rate_bound != 0 or not self.linear:
            return False
        least, size = self._least_constants[m]
        return bool(arb(bound) < least) and bool(arb(bound) >= least - arb(4 * UNIT * (self.n_rows + 4)) * size)

    @cached_property
    def _least_constants(self) -> list[tuple[Any, Any]]:
        """The least mean of a letter that no loss forbids to any symbol, and of its losses' sizes, for every loss."""
        means, sizes, allowed = [], [], []
        for letters in self.blocks(self.problem.n_letters):
            parts = [self.block(one, letters) for one in range(len(self.linear))]
            allowed.append(np.logical_and.reduce([np.isfinite(part) for part in parts]).all(axis=0))
            means.append([self.masses @ np.where(np.isfinite(part), part, 0.0) for part in parts])
        shown = np.flatnonzero(np.concatenate(allowed))
        if not shown.size:
            return [(arb(math.inf), arb(0))] * len(self.linear)
        for m, row in enumerate(np.hstack(means)[:, shown]):
            near = shown[row <= row.min() + 1e-9 * abs(row.min())]
            columns = [self.block(m, np.array([letter]))[:, 0] for letter in near.tolist()]
            balls = [(_dot(self.masses, column) / self._total, column) for column in columns]
            least = min(balls, key=lambda one: float(one[0].mid()), default=(arb(math.inf), self.masses))
            sizes.append((least[0], _dot(self.masses, np.abs(least[1])) / self._total))
        return sizes

    @cached_property
    def _least_entropies(self) -> list[Any]:
        """H(S | X) of every label."""
        return [_dot_of(self.masses, [_entropy(row) for row in label]) / self._total for label in self.labels]

    # ------------------------------------------------------------------------------------------- from below

    def log_largest_listed(self) -> float:
        """Return the smallest float not below log max_a sum_i p_i exp(u_i - lambda.L(i, a)), nats.

        Proved bounds in plain floats single out the letters that can have the largest price; only theirs are
        computed as balls. On a fine line these are hundreds of neighbours: of those that are too many the bounds
        count, as they stand.
        """
        guess = super().log_largest_listed()
        if not math.isfinite(guess):
            return math.inf
        bounds = self._price_bounds(guess)
        most = _PRICED // self.masses.size if np.isfinite(bounds).all() else bounds.size
        weights = self._weights() if most else []
        scale = arb(-guess).exp()
        largest = arb(0)
        for place, a in enumerate(np.argsort(-bounds).tolist()):
            if arb(bounds[a]) < largest * scale:
                break
            if place >= most:  # no other bound is larger
                largest = largest.max(arb(bounds[a]) / scale)
                break
            largest = largest.max(self._price(a, weights))
        self._log_price = (largest / self._total).log()
        return _upper_end(self._log_price)

    def _weights(self) -> list[Any]:
        """Return p_i exp(u_i) of every symbol."""
        triples = zip(self.masses.tolist(), self.u.tolist(), self.u_rest.tolist(), strict=True)
        return [arb(mass) * (arb(u) + arb(rest)).exp() for mass, u, rest in triples]

    def _price(self, a: int, weights: list[Any]) -> Any:
        """Return sum_i weights_i exp(-lambda.L(i, a)); equal rows of losses share one exponential."""
        columns = np.column_stack([self.block(m, np.array([a])) for m in range(len(self.linear))])
        allowed = np.flatnonzero(np.isfinite(columns).all(axis=1))
        rows, which = np.unique(columns[allowed][:, self.active], axis=0, return_inverse=True)
        factors = [arb(-multiplier) for multiplier in self.multipliers[self.active].tolist()]
        kernel = [sum(map(mul, factors, map(arb, row)), arb(0)).exp() for row in rows.tolist()]
        terms = (weights[i] * kernel[k] for i, k in zip(allowed.tolist(), which.ravel().tolist(), strict=True))
        return sum(terms, arb(0))

    def _price_bounds(self, guess: float) -> np.ndarray:
        """Return a proved upper bound of exp(-guess) times every letter's price, inf where there is none.

        Exponents go through M + 5 roundings of numbers no larger than |e|, |guess| and their own size; they are cut
        from below where their terms do not matter.
        """
        count = units(len(self.active) + 8)
        high, low = self.exponents
        start = high + (np.abs(low) + 2 * count * (np.abs(high) + abs(guess)))
        bounds = np.full(self.problem.n_letters, math.inf)
        products = prices_on_grid(self) or prices_on_line(self)
        if products is not None and products.scale - guess <= HIGHEST - 1:
            shift = products.scale - guess
            shift += units(2) * (abs(products.scale) + abs(guess))
            factor = float(exp_upper(np.array([max(shift, LOWEST)]))[0])
            return np.where(
                np.isfinite(products.bounds), products.bounds * factor * (1.0 + units(2)) + 1e-290, math.inf
            )
        for columns in self.blocks(bounds.size):
            exponent = self._costed(start, columns) - guess
            exponent += count * np.abs(np.maximum(exponent, LOWEST))
            usable = (exponent <= HIGHEST).all(axis=0)
            sums = self.masses @ exp_upper(np.clip(exponent, LOWEST, HIGHEST))
            sums *= 1.0 + units(self.masses.size + 4)
            bounds[columns] = np.where(usable, sums + 1e-290, math.inf)
        return bounds

    def lower_bound(
        self,
        log_largest: float,
        charged: list[int],
        target: int | None,
        spared: Sequence[int] = (),
        of_laws: float = 0.0,
    ) -> float:
        """Return the lower bound that u and the multipliers give; see `FloatNumbers.lower_bound`."""
        value = (_dot(self.masses, self.u) + _dot(self.masses, self.u_rest)) / self._total
        value -= arb(log_largest) if self._log_price is None else self._log_price
        value -= arb(of_laws)
        for m in charged:
            value -= arb(float(self.multipliers[m])) * self._limit(m, float(self.problem.bounds[m]))
        if target is not None:
            value = (value - arb(float(self.problem.rate_bound or 0.0))) / arb(float(self.multipliers[target]))
        for m in spared:
            value += (self._own_multiplier(m) - arb(float(self.multipliers[m]))) * self._least_loss(m)
        return _lower_end(value)

    def least_loss(self, m: int) -> float:
        """Return the largest float not above the least mean of a loss; H(S | X) for a label."""
        return _lower_end(self._least_loss(m))

    def least_lagrangian(self) -> float:
        """Return the largest float not above zero rate and all losses at their least; see `FloatNumbers`."""
        charged = range(len(self.problem.loss_names)) if self.problem.multipliers is not None else ()
        return _lower_end(sum((self._own_multiplier(m) * self._least_loss(m) for m in charged), arb(0)))

    def _own_multiplier(self, m: int) -> Any:
        assert self.problem.multipliers is not None
        return arb(float(self.problem.multipliers[m]))

    def _least_loss(self, m: int) -> Any:
        if m >= self.first_label:
            return self._least_entropies[m - self.first_label]
        if self.free is not None:
            return arb(0)
        return _dot(self.masses, self.shifts[m]) / self._total

    # ------------------------------------------------------------------------------------------- the channel

    def row_error(self) -> float:
        """Return the largest deviation from one of a row's sum, or an upper bound of it."""
        if self.channel_rows.is_large:
            return super().row_error() + units(sum_units(self.letters.size) + 2) * (1 + super().row_error())
        return max(_upper_end(abs(_excess_over_one(row))) for row in self.channel)

    @cached_property
    def rate(self) -> float:
        """The smallest float not below I(X; A), nats; zero if all rows are the same. If large, a float."""
        return super().rate if self.channel_rows.is_large else _upper_end(self._rate)

    @cached_property
    def _rate(self) -> Any:
        return arb(0) if (self.channel == self.channel[0]).all() else self._channel_moments[0]

    def rate_excess(self, bound: float) -> float:
        """Return the smallest float not below I(X; A) - bound."""
        return _upper_end(self._rate - arb(bound))

    def mean(self, m: int) -> float:
        """Return the smallest float not below E L under the channel; H(S | A) for a label. If large, a float."""
        if self.channel_rows.is_large and m < self.first_label and self.free is None:
            return super().mean(m)
        return _upper_end(self._mean(m))

    def excess(self, m: int, bound: float) -> float:
        """Return the smallest float not below E L - bound."""
        if self.counts_as_least(m, bound):
            return self._excess_over_least(m)
        if m >= len(self.linear):
            return _upper_end(self._mean(m) - arb(bound))
        excess = self._above_bound(m, bound)
        if excess.contains(0):  # no width tells a channel at its limit from one beyond
            return _upper_end(excess) if self._is_beyond(m, bound) else 0.0
        return _upper_end(excess)

    def shortfall(self, m: int, bound: float) -> float:
        """Return the smallest float not below bound - E L for a linear loss."""
        if self.counts_as_least(m, bound):
            return _upper_end(self._limit(m, bound) - self._mean(m))
        return _upper_end(-self._above_bound(m, bound))

    def _above_bound(self, m: int, bound: float) -> Any:
        """Return E (L - bound): a loss that is the bound everywhere does not exceed it by the width of a ball."""
        excess, limit = arb(0), arb(bound)
        scales = np.array([share / row_sum for share, row_sum in self.row_shares])
        for j, letter in enumerate(self.letters.tolist()):
            used = np.flatnonzero(self.channel[:, j])
            over = [arb(cost) - limit for cost in self.block(m, np.array([letter]))[used, 0].tolist()]
            joint = map(mul, scales[used].tolist(), map(arb, self.channel[used, j].tolist()))
            excess += sum(map(mul, joint, over), arb(0))
        return excess

    def _is_beyond(self, m: int, bound: float) -> bool:
        """Return whether E (L - bound) > 0, in fractions; rows of equal sums share one division."""
        by_sum: dict[Any, Any] = {}
        block, limit = self.block(m, self.letters), _fraction(bound)
        for mass, row, costs in zip(self.masses.tolist(), self.channel.tolist(), block.tolist(), strict=True):
            used = [(_fraction(w), _fraction(cost)) for w, cost in zip(row, costs, strict=True) if w]
            over = sum((w * (cost - limit) for w, cost in used), fmpq(0))
            total = sum((w for w, _ in used), fmpq(0))
            by_sum[total] = by_sum.get(total, fmpq(0)) + _fraction(mass) * over
        return bool(sum((over / total for total, over in by_sum.items()), fmpq(0)) > 0)

    def _limit(self, m: int, bound: float) -> Any:
        """Return a bound, or the least mean where it counts as that."""
        if not self.counts_as_least(m, bound):
            return arb(bound)
        if m >= self.first_label:
            return self._least_entropies[m - self.first_label]
        if not super().counts_as_least(m, bound):
            return self._least_constants[m][0]
        return _dot(self.masses, self.shifts[m]) / self._total

    def _excess_over_least(self, m: int) -> float:
        """Return how far E L is above the least mean; zero where it is that to the last of 100 bits."""
        if m < len(self.linear):
            used = [(j, np.flatnonzero(self.channel[:, j])) for j in range(self.letters.size)]
            blocks = [self.block(m, np.array([letter]))[:, 0] for letter in self.letters.tolist()]
            if all((blocks[j][rows] == self.shifts[m][rows]).all() for j, rows in used):
                return 0.0
        excess = self._mean(m) - self._limit(m, -math.inf if m < 0 else float(self.problem.bounds[m]))
        return 0.0 if abs(excess) < _RESOLVED else _upper_end(excess)

    def objective(self, target: int | None) -> float:
        """Return the smallest float not below the problem's objective for the channel."""
        if target is not None:
            return self.mean(target)
        if self.channel_rows.is_large:
            return super().objective(target)
        value = self._rate
        if self.problem.multipliers is not None:
            for m, multiplier in enumerate(self.problem.multipliers.tolist()):
                value = value + arb(multiplier) * self._mean(m)
        return _upper_end(value)

    def _mean(self, m: int) -> Any:
        """Return E L under the channel, whose forbidden pairs have no mass."""
        if m not in self._balls:
            if m >= self.first_label:
                self._balls[m] = self._label_mean(self.labels[m - self.first_label])
            elif self.free is not None:
                self._balls[m] = self._spread_mean() * arb(self.free.scale)
            else:
                self._balls[m] = self._channel_moments[1][m]
        return self._balls[m]

    @cached_property
    def _balls(self) -> dict[int, Any]:
        return {}

    def _label_mean(self, label: np.ndarray) -> Any:
        """Return H(S | A) = sum_a sum_s P(s, a) log (q(a) / P(s, a)), nats; rows of the label sum to one."""
        scales = [share / row_sum for share, row_sum in self.row_shares]
        sums = [1 + _excess_over_one(row) for row in label]
        entropy = arb(0)
        for column in self.channel.T:
            used = np.flatnonzero(column)
            pairs = zip(used.tolist(), column[used].tolist(), strict=True)
            joint = [scales[i] * arb(value) / sums[i] for i, value in pairs]
            classes = np.flatnonzero(label[used].any(axis=0)).tolist()
            if len(classes) < 2:
                continue  # nothing is left unknown, exactly
            masses = []
            for s in classes:
                weights = label[used, s].tolist()
                masses.append(sum((j * arb(w) for j, w in zip(joint, weights, strict=True) if w), arb(0)))
            entropy += _unknown(masses)
        return entropy

    def _spread_mean(self) -> Any:
        """Return E |X - y(A)|^2 for letters at the means, rounded to floats: no less than at the means themselves."""
        assert self.free is not None
        scales = [share / row_sum for share, row_sum in self.row_shares]
        points = self.own(self.free.points)
        whole = np.zeros((self.problem.n_x, self.letters.size))
        whole[slice(None) if self.rows is None else self.rows] = self.channel * self.masses[:, None]
        means = self.free.means(whole)
        total = arb(0)
        for column, place in zip(self.channel.T, means.tolist(), strict=True):
            used = np.flatnonzero(column)
            joint = [scales[i] * arb(value) for i, value in zip(used.tolist(), column[used].tolist(), strict=True)]
            for coordinate, mean in zip(points[used].T, place, strict=True):
                errors = [arb(value) - arb(mean) for value in coordinate.tolist()]
                total += sum(map(mul, joint, map(mul, errors, errors)), arb(0))
        return total

    @cached_property
    def row_shares(self) -> list[tuple[Any, Any]]:
        """Every symbol's share of the mass, and the sum of its row."""
        total = self._total
        sums = [1 + _excess_over_one(row) for row in self.channel]
        return [(arb(mass) / total, row_sum) for mass, row_sum in zip(self.masses.tolist(), sums, strict=True)]

    @cached_property
    def _channel_moments(self) -> tuple[Any, list[Any]]:
        """The rate and the means of all linear losses, from one pass over the channel.

        With rows W_i of sum S_i, the rate is sum p_i W_ia / S_i log W_ia - sum p_i log S_i - sum q_a log q_a.
        """
        shares = self.row_shares
        scales = np.array([share / row_sum for share, row_sum in shares])
        rate = -sum((share * row_sum.log() for share, row_sum in shares), arb(0))
        means = [arb(0)] * len(self.linear)
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
            for m in range(len(self.linear)):
                costs = map(arb, self.block(m, np.array([letter]))[used, 0].tolist())
                means[m] += sum(map(mul, joint, costs), arb(0))
        return rate, means

    @cached_property
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


def _fraction(value: float) -> Any:
    """Return a float as an exact fraction."""
    return fmpq(*value.as_integer_ratio())


def _upper_end(value: Any) -> float:
    """Return the smallest float that is not below any number of the ball; inf if there is none."""
    return float_above(value)


def _lower_end(value: Any) -> float:
    """Return the largest float that is not above any number of the ball; -inf if there is none."""
    return 0.0 - float_above(-value)  # never -0.0


def _dot(left: np.ndarray, right: np.ndarray) -> Any:
    return sum(map(mul, map(arb, left.tolist()), map(arb, right.tolist())), arb(0))


def _dot_of(left: np.ndarray, right: list[Any]) -> Any:
    return sum(map(mul, map(arb, left.tolist()), right), arb(0))


def _entropy(row: np.ndarray) -> Any:
    """Return the entropy of a row divided by its sum S, sum_s (w_s / S) log (S / w_s), nats; zero for one class."""
    weights = list(map(arb, row[row > 0].tolist()))
    return arb(0) if len(weights) == 1 else _unknown(weights) / (1 + _excess_over_one(row))


def _unknown(masses: list[Any]) -> Any:
    """Return sum_s m_s log (m / m_s), m the sum of all: to a share of itself, however small it is.

    The largest mass may be nearly all, and its logarithm nearly zero: it is told by what the others are beside it.
    """
    masses = sorted(masses, key=lambda mass: float(mass.mid()))
    *others, largest = masses
    rest = sum(others, arb(0))
    whole = rest + largest
    return largest * (rest / largest).log1p() + sum((mass * (whole / mass).log() for mass in others), arb(0))


def _excess_over_one(masses: np.ndarray) -> Any:
    """Return the sum of masses minus one: `math.fsum` rounds an exact sum once, and what that leaves out once more."""
    terms = [*masses.tolist(), -1.0]
    nearest = math.fsum(terms)
    rest = math.fsum([*terms, -nearest])
    return arb(nearest) + arb(rest, 2.0**-52 * abs(rest)) if rest else arb(nearest)
