"""What a check needs of a certificate, in floating point, with every rounding counted.

Losses are shifted, symbol by symbol, by their least allowed value first: a subtraction is rounded relatively to its
result, so a constant part of a loss costs nothing, however large. What the shift takes off u and off the bounds is
computed exactly (`rdcsolve.rounding.exact_dot`). After that only non-negative numbers are added up, and a sum of n of
them errs by at most n units of itself in whatever order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property

import numpy as np

from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.problems import Objective, Problem
from rdcsolve.rounding import EXPONENTIAL, UNIT, down, exact_dot, two_product, two_sum, up

_PAIRS_AT_A_TIME = 1 << 18
_FURTHEST = 600.0  # exponents are kept below this: exp overflows at 709
_TINY = 1e-290  # covers what underflows


class FloatNumbers:
    """Bounds on means, prices and rates of a certificate's numbers; each is rounded in the direction that is safe.

    Symbols of mass zero take no part. Masses and rows of the channel are divided by their sums.

    Parameters
    ----------
    problem : Problem
    point : DualPoint
    letters : numpy.ndarray
        Shape (k,).
    channel : numpy.ndarray
        Shape (n_x, k).
    proof : PriceProof or None
        Of the largest price, where that needs one.
    """

    def __init__(
        self, problem: Problem, point: DualPoint, letters: np.ndarray, channel: np.ndarray, proof: object = None
    ) -> None:
        self.problem, self.point, self.letters, self.proof = problem, point, letters, proof
        self.symbols = np.flatnonzero(problem.p_x > 0)
        self.rows: slice | np.ndarray = slice(None) if self.symbols.size == problem.n_x else self.symbols
        self.masses = problem.p_x[self.rows]
        self.excess_mass = math.fsum([*self.masses.tolist(), -1.0])  # of the sum of masses above one, rounded once
        self.p = self.masses / (1.0 + self.excess_mass)
        self.linear = problem.linear_losses
        self.n_linear = len(problem.losses) - len(problem.label_entropies)
        self.multipliers = point.multipliers
        self.channel = channel[self.rows]

    def context(self) -> AbstractContextManager[None]:
        """Return the context that the arithmetic has to run in."""
        return nullcontext()

    # ------------------------------------------------------------------------------------------ the shift

    def _block(self, m: int, letters: slice | np.ndarray | None = None) -> np.ndarray:
        return self.linear[m].block(self.rows, slice(None) if letters is None else letters)

    def _forbidden(self, letters: slice | np.ndarray) -> np.ndarray | None:
        mask = self.problem.forbidden
        return None if mask is None else mask[self.rows][:, letters]

    @cached_property
    def shifts(self) -> np.ndarray:
        """The least value of every linear loss over the allowed letters, shape (M', n); zero where letters are free."""
        shifts = np.zeros((self.n_linear, self.p.size))
        for m, loss in enumerate(self.linear):
            if self.problem.forbidden is None:
                shifts[m] = loss.row_minima()[self.rows]
                continue
            shifts[m] = math.inf
            for letters in self._blocks(self.problem.n_letters):
                allowed = np.where(self._forbidden(letters), math.inf, self._block(m, letters))
                np.minimum(shifts[m], allowed.min(axis=1), out=shifts[m])
        return shifts

    @cached_property
    def exponents(self) -> tuple[np.ndarray, float]:
        """u_i - sum_m lambda_m min_a L_m(i, a), shape (n,), rounded once, and what each errs by, in units of itself."""
        total, rest = two_sum(self.point.u[self.rows], self.point.rest[self.rows])
        for m in np.flatnonzero(self.multipliers[: self.n_linear]):
            if not self.shifts[m].any():
                continue
            product, left = two_product(-self.multipliers[m], self.shifts[m])
            total, lost = two_sum(total, product)
            rest = rest + (left + lost)
        return total + rest, 2.0

    def shifted_bound(self, m: int, bound: float) -> float:
        """Return b - sum_i p_i min_a L(i, a), rounded once: the room that a limit leaves above the least value."""
        if m >= self.n_linear or not self.shifts[m].any():
            return bound
        # masses sum to 1 + excess: (b (1 + excess) - sum_i mass_i min_i) / (1 + excess)
        exact = exact_dot(
            (-self.masses, self.shifts[m]), (np.array([bound]), np.array([self.excess_mass])), plus=(bound,)
        )
        return exact / (1.0 + self.excess_mass)

    def least_mean(self, m: int) -> float:
        """Return sum_i p_i min_a L(i, a), rounded twice."""
        if m >= self.n_linear or not self.shifts[m].any():
            return 0.0
        return exact_dot((self.masses, self.shifts[m])) / (1.0 + self.excess_mass)

    # ------------------------------------------------------------------------------------------ lower bounds

    def log_largest(self) -> tuple[float, bool]:
        """Return an upper bound of log max_a sum_i p_i exp(u_i - lambda.L(i, a)), nats, and whether it is proved."""
        if self.problem.free is None and not self.multipliers[self.n_linear :].any():
            return self._log_largest_listed(), True
        from rdcsolve.certificates.standin import FloatNumbers as StandIn

        empty = np.empty(0, dtype=np.intp), np.empty((self.problem.n_x, 0))
        old = StandIn(self.problem, self.point.u, self.multipliers, *empty)
        value = old.log_max_price()
        return value + 1e-12, old.proved

    def _log_largest_listed(self) -> float:
        """Return the bound where letters are the symbols of a finite alphabet.

        An exponent x = e - lambda.L is the sum of M + 1 terms, each rounded twice, so it errs by (M + 4) units of
        2 |e| + |x|, where |e| covers lambda.L up to |x|. Weighted by p exp(x) the second adds at most c max(x, 0) and
        1 / e, since x exp(x) > -1 / e; and max(x, 0) <= |e|. The rest errs by n + 12 units for a sum of n terms.
        """
        exponent, units = self.exponents
        active = np.flatnonzero(self.multipliers[: self.n_linear])
        size = float(np.abs(exponent).max(initial=0.0))
        if not math.isfinite(size):
            return math.inf
        log_largest = -math.inf
        for letters in self._blocks(self.problem.n_letters):
            x = np.repeat(exponent[:, None], letters.stop - letters.start, axis=1)
            for m in active:
                with np.errstate(over="ignore"):  # beyond the range of floats the term is zero
                    block = self._block(m, letters)
                    if self.shifts[m].any():
                        block = block - self.shifts[m][:, None]
                    x -= self.multipliers[m] * block
            forbidden = self._forbidden(letters)
            if forbidden is not None:
                x[forbidden] = -math.inf
            down_by = max(0.0, float(x.max()) - _FURTHEST)
            if down_by:
                x -= down_by
            largest = float((self.p @ np.exp(x, out=x)).max())
            if not largest < math.inf:
                return math.inf
            log_largest = max(log_largest, math.log(largest + _TINY) + down_by)
        each = UNIT * (active.size + 4 + units) * (3 * size + abs(log_largest) + math.exp(min(-log_largest, 700.0)))
        relative = each + UNIT * (self.p.size + 12) + EXPONENTIAL
        return up(log_largest + relative + EXPONENTIAL * abs(log_largest))

    def _mean_exponent(self) -> float:
        """Return a lower bound of sum_i p_i (u_i - lambda.min_a L(i, a))."""
        exponent, units = self.exponents
        mean = exact_dot((self.masses, exponent)) / (1.0 + self.excess_mass)
        return mean - UNIT * ((units + 2) * float(self.p @ np.abs(exponent)) * (1 + 1e-9) + 3 * abs(mean))

    def lower_bound(self, goal: Objective, bounds: np.ndarray, log_largest: float) -> float:
        """Return a lower bound on the objective: what p.u - lambda.b - log C comes to, rounded down.

        In shifted terms it is sum_i p_i e_i - sum_m lambda_m b'_m - log C, where a loss that is not charged for its
        bound keeps its least mean.
        """
        charged = goal.charged(self.multipliers)
        terms = [self._mean_exponent(), -log_largest, -goal.rate]
        for m in np.flatnonzero(charged):
            terms.append(-float(charged[m]) * self.shifted_bound(int(m), float(bounds[m])))
        total = math.fsum(terms) - 6 * UNIT * math.fsum(map(abs, terms))
        slope = goal.slope(self.multipliers)
        total = down(total / slope) if slope != 1.0 else total
        kept = [m for m in np.flatnonzero(self.multipliers[: self.n_linear]).tolist() if not charged[m]]
        if not kept:
            return total
        extra = [float(self.multipliers[m]) / slope * self.least_mean(m) for m in kept]
        return math.fsum([total, *extra]) - 8 * UNIT * math.fsum([abs(total), *map(abs, extra)])

    def plane(self, log_largest: float) -> float:
        """Return a lower bound of p.u - log C, nats."""
        terms = [self._mean_exponent(), -log_largest]
        terms += [float(self.multipliers[m]) * self.least_mean(m) for m in range(self.n_linear) if self.multipliers[m]]
        return math.fsum(terms) - 8 * UNIT * math.fsum(map(abs, terms))

    def least_loss(self, m: int) -> float:
        """Return a lower bound of the least mean of a loss; H(S | X) for a label."""
        if m >= self.n_linear:
            rows = self._label(m)
            terms = -rows * np.log(np.where(rows > 0, rows, 1.0))
            least = math.fsum(self.p * terms.sum(axis=1))
            return max(least - (EXPONENTIAL + UNIT * (rows.shape[1] + 8)) * (least + 1.0), 0.0)
        least = self.least_mean(m)
        return least - 4 * UNIT * abs(least)

    # ------------------------------------------------------------------------------------------ the channel

    def row_error(self) -> float:
        """Return the largest deviation from one of a row's sum."""
        return float(np.abs(self._row_sums - 1.0).max())

    @cached_property
    def _row_sums(self) -> np.ndarray:
        return self.channel.sum(axis=1)

    @cached_property
    def _joint(self) -> np.ndarray:
        """p_i W(a | i), shape (n, k); each errs by k + 5 units."""
        return self.channel * (self.p / self._row_sums)[:, None]

    @property
    def _units(self) -> float:
        """What a sum over all pairs of non-negative products of joint masses errs by, relatively."""
        n, k = self.channel.shape
        return UNIT * (n + 2 * k + 16)

    @cached_property
    def rate(self) -> float:
        """An upper bound of I(X; A), nats; exactly zero if all rows are the same.

        With all joint masses and row sums off by d relatively, a term w log(w / q) is off by d (|log(w / q)| + 3) w.
        """
        if (self.channel == self.channel[0]).all():
            return 0.0
        q = self._joint.sum(axis=0)
        total, sizes = 0.0, 0.0
        scale = 1.0 / self._row_sums
        for letters in self._blocks(self.letters.size):
            joint = self._joint[:, letters]
            some = joint > 0  # a joint mass that underflows to zero contributes nothing
            ratio = np.divide(
                self.channel[:, letters] * scale[:, None], q[letters], out=np.ones(joint.shape), where=some
            )
            terms = joint * np.log(ratio, out=np.zeros(joint.shape), where=some)
            total += math.fsum(terms.sum(axis=1))
            sizes += float(np.abs(terms).sum())
        error = (self._units + EXPONENTIAL) * (sizes * (1 + 1e-9) + 3.0)
        return max(0.0, up(total + error))

    def rate_excess(self, bound: float) -> float:
        """Return an upper bound of I(X; A) - bound."""
        return up(self.rate - bound) if self.rate else -bound

    def mean(self, m: int) -> float:
        """Return an upper bound of E L under the channel; H(S | A) for a label."""
        above = self._mean_above(m)
        return up(self.least_mean(m) + above) if above and self.least_mean(m) else above + self.least_mean(m)

    def excess(self, m: int, bound: float) -> float:
        """Return an upper bound of E L - bound."""
        room = self.shifted_bound(m, bound)
        excess = self._mean_above(m) - room
        return excess + 4 * UNIT * abs(room) if room and excess else excess

    def _mean_above(self, m: int) -> float:
        """Return an upper bound of how far E L is above the least mean, from which the loss was shifted."""
        if m >= self.n_linear:
            return self._label_entropy(self._label(m))
        if self.problem.free is not None:
            return self._spread_within_letters() * self.problem.free.scale * (1 + 4 * UNIT)
        total = 0.0
        for letters in self._blocks(self.letters.size):
            joint = self._joint[:, letters]
            block = self._block(m, self.letters[letters])
            if self.shifts[m].any():
                block = block - self.shifts[m][:, None]
            total += float(np.multiply(joint, block, out=np.zeros(joint.shape), where=joint > 0).sum())
        return total * (1 + self._units)

    def _label(self, m: int) -> np.ndarray:
        """Return the label's conditionals, shape (n, n_s), rows summing to one up to a few units."""
        rows = self.problem.label_entropies[m - self.n_linear].conditional[self.rows]
        return rows / rows.sum(axis=1, keepdims=True)

    def _label_entropy(self, label: np.ndarray) -> float:
        """Return an upper bound of H(S | A) = sum_a sum_s P(s, a) log (q(a) / P(s, a)), nats.

        Joint masses off by d relatively make a term off by d (log(q / P) + 2) P.
        """
        joint = self._joint.T @ label
        q = np.broadcast_to(joint.sum(axis=1, keepdims=True), joint.shape)
        some = joint > 0
        ratio = np.divide(q, joint, out=np.ones(joint.shape), where=some)
        terms = joint * np.log(ratio, out=np.zeros(joint.shape), where=some)
        several = some & (joint < q)  # a letter with one class leaves nothing unknown, exactly
        if not several.any():
            return 0.0
        units = self._units + UNIT * (2 * label.shape[1] + 8)
        total = math.fsum(terms.ravel())
        return max(0.0, up(total + (units + EXPONENTIAL) * (total + 2 * float(joint[several].sum()))))

    def _spread_within_letters(self) -> float:
        """Return an upper bound of E |X - y(A)|^2 with letters at their means, rounded: no less than at the means."""
        assert self.problem.free is not None
        points, means = self._points_and_means()
        total = 0.0
        for coordinate, mean in zip(points.T, means.T, strict=True):
            total += math.fsum((self._joint * (coordinate[:, None] - mean) ** 2).sum(axis=1))
        return total * (1 + self._units + 8 * UNIT)

    def _points_and_means(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the symbols' points (n, dim) and the letters' means (k, dim), rounded."""
        free = self.problem.free
        assert free is not None
        joint = np.zeros((self.problem.n_x, self.channel.shape[1]))
        joint[self.rows] = self.channel * self.masses[:, None]
        return free.points[self.rows], free.means(joint)

    def objective(self, goal: Objective) -> float:
        """Return an upper bound of the objective of the channel."""
        if goal.target is not None:
            return self.mean(goal.target)
        if goal.multipliers is None:
            return self.rate
        terms = [self.rate]
        terms += [float(value) * self.mean(m) for m, value in enumerate(goal.multipliers) if value]
        return up(math.fsum(terms) * (1 + 4 * UNIT)) if any(terms) else 0.0

    def forbidden_mass(self) -> float:
        """Return the largest entry of the channel at a forbidden pair; exact."""
        mask = self.problem.forbidden
        if mask is None:
            return 0.0
        return float(np.max(self.channel, initial=0.0, where=mask[self.rows][:, self.letters]))

    def spread(self, m: int) -> float:
        """Return the largest minus the least value of a loss over the pairs that are allowed, rounded."""
        if m >= self.n_linear:
            return math.log(self.problem.label_entropies[m - self.n_linear].conditional.shape[1])
        if self.problem.free is not None:
            points = self.problem.free.points[self.rows]
            return float(np.ptp(points, axis=0) @ np.ptp(points, axis=0)) * self.problem.free.scale
        low, high = math.inf, -math.inf
        for letters in self._blocks(self.problem.n_letters):
            block, forbidden = self._block(m, letters), self._forbidden(letters)
            allowed = slice(None) if forbidden is None else ~forbidden
            low = min(low, float(np.min(block[allowed], initial=math.inf)))
            high = max(high, float(np.max(block[allowed], initial=-math.inf)))
        return high - low

    def _blocks(self, n_columns: int) -> Iterator[slice]:
        width = max(1, _PAIRS_AT_A_TIME // self.p.size)
        for start in range(0, n_columns, width):
            yield slice(start, min(start + width, n_columns))
