"""What a check needs of a certificate, in floating point, with every rounding counted.

Losses are shifted, symbol by symbol, by their least allowed value first: a subtraction is rounded relatively to its
result, so a constant part of a loss costs nothing, however large. What the shift takes off u and off the bounds is
computed exactly. After that only non-negative numbers are added up. The proofs of what an operation, a sum or an
elementary function errs by are in `rdcsolve.rounding`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.elementary import FLOAT, Elementary
from rdcsolve.certificates.entropies import entropy_rounding, largest_entropy, least_entropy
from rdcsolve.certificates.line_moments import channel_on_line
from rdcsolve.certificates.line_prices import prices_on_line
from rdcsolve.certificates.moments import ChannelRows, Moments, RowsOnDemand, Survey, moments, survey
from rdcsolve.certificates.origins import largest_difference, least_values, with_largest
from rdcsolve.certificates.product_prices import prices_on_grid
from rdcsolve.certificates.proof import PriceProof
from rdcsolve.certificates.tolerances import LEAST_TOLERANCE
from rdcsolve.problems import Problem
from rdcsolve.rounding import (
    ELEMENTARY,
    EPS,
    TINY,
    UNIT,
    exact_dot,
    row_sums,
    sum_units,
    two_product,
    two_sum,
    units,
    up,
    weighted_sums,
)

_PAIRS_AT_A_TIME = 1 << 18


class FloatNumbers:
    """Bounds on means, prices and rates of a certificate's numbers; each is rounded in the direction that is safe.

    Symbols of mass zero take no part. Masses and rows of the channel are divided by their exact sums.

    Parameters
    ----------
    problem : Problem
    u, u_rest : numpy.ndarray
        Shape (n_x,): u is their exact sum.
    multipliers : numpy.ndarray
        Shape (M,), >= 0 but for linear losses that are held at their bounds.
    letters : numpy.ndarray
        Shape (k,).
    channel : numpy.ndarray or RowsOnDemand
        Shape (n_x, k).
    proof : PriceProof or None
        Of the largest price, where that needs one.
    """

    elementary: Elementary = FLOAT

    def __init__(
        self,
        problem: Problem,
        u: np.ndarray,
        u_rest: np.ndarray,
        multipliers: np.ndarray,
        letters: np.ndarray,
        channel: np.ndarray | RowsOnDemand,
        proof: PriceProof | None,
    ) -> None:
        self.problem, self.multipliers, self.letters, self.proof = problem, multipliers, letters, proof
        symbols = np.flatnonzero(problem.p_x > 0)
        self.rows: np.ndarray | None = None if symbols.size == problem.n_x else symbols
        self.masses = self.own(problem.p_x)
        self.excess_mass = math.fsum([-1.0, *self.masses.tolist()])  # of the sum of masses above one, rounded once
        self.linear, self.free = problem.linear_losses, problem.free
        self.labels = [self.own(label.conditional) for label in problem.label_entropies]
        self.first_label = len(problem.losses) - len(self.labels)
        self.u, self.u_rest = self.own(u), self.own(u_rest)
        self.whole_channel = channel = channel if isinstance(channel, np.ndarray) else channel.of(problem)
        self.channel_rows = ChannelRows(channel, self.rows, self.masses.size, letters, problem)

    @cached_property
    def channel(self) -> np.ndarray:
        """The channel's rows at symbols of positive mass, as one array."""
        return self.own(np.asarray(self.whole_channel))

    def context(self) -> AbstractContextManager[None]:
        """Return the context that the arithmetic has to run in."""
        return nullcontext()

    def own(self, table: np.ndarray) -> np.ndarray:
        """Return the rows of the symbols of positive mass."""
        return table if self.rows is None else table[self.rows]

    def block(self, m: int, letters: slice | np.ndarray) -> np.ndarray:
        """Return what letters cost the symbols of positive mass under a linear loss."""
        return self.linear[m].block(self.rows, letters)

    @cached_property
    def active(self) -> list[int]:
        """Which linear losses have a multiplier."""
        return [m for m in range(len(self.linear)) if self.multipliers[m] != 0]

    @property
    def n_rows(self) -> int:
        """How many symbols have a positive mass."""
        return self.masses.size

    @cached_property
    def shifts(self) -> np.ndarray:
        """The least value of every linear loss over the allowed letters, shape (M', n); zero where letters are free."""
        if not self.linear:
            return np.zeros((1, self.n_rows))
        shifts = np.array([self.own(loss.row_minima()) for loss in self.linear])
        if len(self.linear) == 1 or self.problem.forbidden is None:
            return shifts
        return least_values(self.block, shifts, self.blocks(self.problem.n_letters))

    @cached_property
    def origins(self) -> np.ndarray:
        """What prices count losses from, shape (M', n): the least values, or the largest under a negative multiplier.

        So lambda (L - origin) is never negative, and sums of such products lose nothing by cancellation.
        """
        turned = [m for m in self.active if self.multipliers[m] < 0]
        if not turned:
            return self.shifts
        return with_largest(self.block, self.shifts, turned, self.blocks(self.problem.n_letters))

    def distances(self, m: int, letters: slice) -> np.ndarray:
        """Return how far a loss is from its origin, >= 0: each entry is rounded once."""
        block = self.block(m, letters)
        if self.multipliers[m] < 0:
            return np.where(np.isinf(block), math.inf, self.origins[m][:, None] - block)
        return block - self.shifts[m][:, None] if self.is_shifted[m] else block

    @cached_property
    def is_shifted(self) -> list[bool]:
        """Which losses the shift changes at all."""
        return [bool(shift.any()) for shift in self.shifts]

    @cached_property
    def exponents(self) -> tuple[np.ndarray, np.ndarray]:
        """The number u_i - sum_m lambda_m origin_m(i) as two floats, shape (n,) each.

        Their sum errs by less than 2^-100 of the sum of the sizes of what is added up: two_sum and two_product are
        exact, and only the additions of what they leave, themselves below 2^-52 of the sizes, are rounded.
        """
        total, rest = two_sum(self.u, self.u_rest)
        for m in self.active:
            if self.origins[m].any():
                product, left = two_product(-self.multipliers[m], self.origins[m])
                total, lost = two_sum(total, product)
                rest = rest + (left + lost)
        return two_sum(total, rest)

    def room(self, m: int, bound: float, origins: np.ndarray | None = None) -> float:
        """Return b - sum_i p_i min_a L(i, a), which a limit leaves above the least mean; it errs by 3 units of itself.

        It is sum_i mass_i (b - min_i) divided by the sum of masses: zero where it is zero, whatever masses sum to.
        Origins (M', n) may take the place of the least values.
        """
        origins = self.shifts if origins is None else origins
        if m >= len(self.linear) or not origins[m].any():
            return bound
        high, low = two_sum(bound, -origins[m])
        return exact_dot((self.masses, high), (self.masses, low)) / (1.0 + self.excess_mass)

    def stated_rounding(self, m: int) -> float:
        """Return what a least mean computed in floats rounds by, on the scale on which symbols' least values differ.

        Masses such as 0.3 and bounds such as 0.3 * 1e11 + 0.1 are rounded before they get here: with the masses one
        rounding each, and the products and sums of the bound three more at most, the room that was meant differs by so
        much from that of the stored numbers. A lower bound allows for it. A constant that all symbols have in common is
        left out, since no rounding of the masses, which sum to one, can change what it contributes.
        """
        if m >= self.first_label:
            least = self.least_loss(m)
            rounding = self.entropy_rounding(m)
            return 3 * rounding if least and abs(float(self.problem.bounds[m]) - least) <= rounding else 0.0
        if m >= len(self.linear) or not self.is_shifted[m]:
            return 0.0
        order = np.argsort(self.shifts[m])
        middle = order[min(int(np.searchsorted(np.cumsum(self.masses[order]), 0.5)), order.size - 1)]
        apart = float(self.masses @ np.abs(self.shifts[m] - self.shifts[m][middle]))
        return 4 * UNIT * apart * (1 + units(self.n_rows))

    def entropy_rounding(self, m: int) -> float:
        """Return what H(S | X) of a label, at most log n_s, errs by when it is computed in floats."""
        return entropy_rounding(self.n_rows, self.labels[m - self.first_label].shape[1])

    def counts_as_least(self, m: int, bound: float) -> bool:
        """Return whether a bound is below the least mean by no more than what computing that in floats rounds by.

        Whoever limits a loss to its least mean computes it as a sum of n products, and may end below the exact one.
        Where losses have a constant part of many spreads that rounding could hide all differences: a millionth of the
        spread is the most, unless no choice of letters makes any difference.
        The least entropy of a label is known here only to a rounding, which the slack of limits covers.
        """
        if m >= len(self.linear) or not self.is_shifted[m]:
            return False
        room = self.room(m, bound)
        if room >= 0 or -room > UNIT * (self.n_rows + 4) * float(self.masses @ np.abs(self.shifts[m])):
            return False
        spread = self.problem.spread(m)
        return not spread or -room <= LEAST_TOLERANCE * spread

    def least_mean(self, m: int) -> float:
        """Return sum_i p_i min_a L(i, a) over the allowed letters; it errs by 3 units of itself."""
        if m >= len(self.linear) or not self.is_shifted[m]:
            return 0.0
        return exact_dot((self.masses, self.shifts[m])) / (1.0 + self.excess_mass)

    # ------------------------------------------------------------------------------------------- from below
    @property
    def needs_proof(self) -> bool:
        """Whether letters cannot all be tried."""
        return self.free is not None or bool(self.multipliers[self.first_label :].any())

    def log_largest_listed(self) -> float:
        """Return the bound where letters are the symbols of a finite alphabet.

        In an exponent x = e - sum_m lambda_m l_m, e and every partial sum are rounded once, and every product twice:
        M + 3 roundings of numbers no larger than |e| + |x|, as is the sum of the products; x - top is one more. With
        |x| <= |top| + |x - top| these are of |e|, which every row's e includes below, of |top|, which the logarithm
        includes, and of |x - top|, which is never positive and is made smaller by as much. TINY is for what underflows.
        """
        high, low = self.exponents
        count = units(len(self.active) + 6)
        start = high + (np.abs(low) + count * np.abs(high))
        if not np.isfinite(start).all():
            return math.inf
        products = prices_on_grid(self) or prices_on_line(self)
        if products is not None:
            return up(products.log_largest() + self.log_mass)
        relative = ELEMENTARY + units(sum_units(self.n_rows) + 6)
        largest = -math.inf
        for letters in self.blocks(self.problem.n_letters):
            x = self._costed(start, letters)
            top = float(x.max())
            if top > -math.inf:
                x -= top
                x *= 1.0 - count
                log = math.log(float(weighted_sums(self.masses, np.exp(x, out=x)).max()) + TINY)
                largest = max(largest, top + log + (count * abs(top) + (ELEMENTARY + EPS) * abs(log)))
        if not math.isfinite(largest):
            return math.inf
        return up(largest + EPS * abs(largest) + relative + self.log_mass)

    @property
    def log_mass(self) -> float:
        """An upper bound of -log(1 + excess): sums over masses that are not divided by their sum lack it."""
        return -self.excess_mass * (1.0 - math.copysign(1e-6, self.excess_mass))

    def _costed(self, start: np.ndarray, letters: slice) -> np.ndarray:
        """Return exponents less what letters cost, -inf at forbidden pairs."""
        x: np.ndarray | None = None
        for m in self.active:
            with np.errstate(over="ignore"):  # beyond the range of floats the term is zero
                cost = self.distances(m, letters) * -abs(self.multipliers[m])
            x = np.add(cost, start[:, None] if x is None else x, out=cost)
        x = np.repeat(start[:, None], letters.stop - letters.start, axis=1) if x is None else x
        if self.problem.forbidden is not None:
            for m in np.flatnonzero(self.multipliers[: len(self.linear)] == 0).tolist():
                x[np.isinf(self.block(m, letters))] = -math.inf
        return x

    @cached_property
    def _mean_exponent(self) -> float:
        """A lower bound of sum_i p_i (u_i - lambda.origin(i))."""
        high, low = self.exponents  # the second is a rounding of the first, so that sums of it need not be exact
        mean = exact_dot((self.masses, high), plus=(float(self.masses @ low),)) / (1.0 + self.excess_mass)
        sizes = float(self.masses @ np.abs(self.u)) + sum(
            abs(float(self.multipliers[m])) * float(self.masses @ np.abs(self.origins[m])) for m in self.active
        )
        lost = 2.0**-99 * sizes + units(self.n_rows + 4) * float(self.masses @ np.abs(low))
        return mean - units(3) * abs(mean) - lost

    def lower_bound(
        self,
        log_largest: float,
        charged: list[int],
        target: int | None,
        spared: Sequence[int] = (),
        of_laws: float = 0.0,
    ) -> float:
        """Return the lower bound that u and the multipliers give: p.u - lambda.b - log C, rounded down.

        In shifted terms it is sum_i p_i e_i - sum_m lambda_m (b_m - mean of the origin) - log C, and a loss that is not
        charged for its bound keeps lambda_m times the mean of its origin.

        Parameters
        ----------
        log_largest : float
            log C.
        charged, target : list of int, int or None
            Losses whose multiplier is charged with the problem's bound; the loss that is minimised.
        spared : sequence of int, optional
            Losses whose multiplier is below the Lagrangian's own: what is left of that counts at the least mean.
        of_laws : float, optional
            What limits on the reproduction's law, and prices of places, take off; nats.
        """
        slope = 1.0 if target is None else float(self.multipliers[target])
        terms = [self._mean_exponent, -log_largest, -of_laws]
        if target is not None:
            terms.append(-float(self.problem.rate_bound or 0.0))
        for m in charged:
            bound = float(self.problem.bounds[m])
            multiplier = float(self.multipliers[m])
            is_least = multiplier > 0 and self.counts_as_least(m, bound)
            room = 0.0 if is_least else self.room(m, bound, self.origins)
            terms += [-multiplier * room, -abs(multiplier) * self.stated_rounding(m)]
        total = math.fsum(terms) - units(6) * math.fsum(map(abs, terms))
        kept = [m for m in self.active if m not in charged]
        extra = [float(self.multipliers[m]) / slope * self._mean_origin(m) for m in kept]
        extra += [self._spare(m, float(self.multipliers[m])) for m in spared]
        if slope != 1.0:
            total = total / slope - EPS * abs(total / slope)
        if not any(extra):
            return total
        return math.fsum([total, *extra]) - units(8) * math.fsum([abs(total), *map(abs, extra)])

    def _mean_origin(self, m: int) -> float:
        """Return sum_i p_i origin_m(i); it errs by 3 units of itself."""
        return self.least_mean(m) if self.multipliers[m] > 0 else -self.room(m, 0.0, self.origins)

    def plane(self, log_largest: float, of_laws: float = 0.0) -> float:
        """Return a lower bound of p.u - log C, nats, less what prices of places take off."""
        return self.lower_bound(log_largest, [], None, (), of_laws)

    def least_loss(self, m: int) -> float:
        """Return a lower bound of the least mean of a loss; H(S | X) for a label."""
        if m >= self.first_label:
            return least_entropy(self.labels[m - self.first_label], self.masses, 1.0 + self.excess_mass)
        if self.free is not None:
            return 0.0  # a letter at every point
        least = self.least_mean(m)
        return least - units(4) * abs(least)

    def least_lagrangian(self) -> float:
        """Return a lower bound of the Lagrangian that needs no dual point: zero rate, and all losses at their least."""
        own = self.problem.multipliers
        terms = [] if own is None else [self._spare(m, 0.0) for m in np.flatnonzero(own).tolist()]
        return math.fsum(terms) - (units(4) * math.fsum(map(abs, terms)) if len(terms) > 1 else 0.0)

    def _spare(self, m: int, used: float) -> float:
        """Return a lower bound of what a Lagrangian's multiplier beyond the one used is worth at the least mean."""
        assert self.problem.multipliers is not None
        worth = (float(self.problem.multipliers[m]) - used) * self.least_loss(m)
        return worth - units(4) * abs(worth)

    # ------------------------------------------------------------------------------------------- the channel

    @cached_property
    def on_line(self) -> tuple[Survey, Moments] | None:
        """The same without a look at every pair, where the channel is between points of a line, or None."""
        return channel_on_line(self)

    @cached_property
    def survey(self) -> Survey:
        """What one pass over the channel tells."""
        if self.on_line is not None:
            return self.on_line[0]
        return survey(self.channel_rows, self.masses / (1.0 + self.excess_mass))

    def row_error(self) -> float:
        """Return the largest deviation from one of a row's sum."""
        return float(np.abs(self.survey.totals - 1.0).max())

    @cached_property
    def shares(self) -> np.ndarray:
        """What the entries of a row are multiplied by to be joint masses, shape (n,)."""
        return self.masses / (self.survey.totals * (1.0 + self.excess_mass))

    @property
    def _units(self) -> float:
        """What a joint mass p_i W(a | i) errs by, relatively: the row's sum and five operations."""
        return units(sum_units(self.letters.size) + 6)

    def _cautious(self, count: float) -> float:
        """Return an allowance, with the caution of an `Elementary` where ball arithmetic adds up floats as well."""
        return self.elementary.caution * count if self.channel_rows.is_large else count

    @cached_property
    def _moments(self) -> Moments:
        """What a second pass over the channel adds up."""
        if self.on_line is not None:
            return self.on_line[1]
        return moments(self.channel_rows, self.survey, self.shares, self.shifts, self.labels, self.elementary)

    @cached_property
    def rate(self) -> float:
        """An upper bound of I(X; A), nats; exactly zero if all rows are the same.

        For any masses q' at all, sum p W log(W / q') = I(X; A) + sum_a q_a log(q_a / q'_a) >= I(X; A) - log sum_a q'_a
        (Gibbs), so that what the output masses err by does not matter. All joint masses of a row err by the same
        factor, and so does the row's divergence; the logarithm of W / q' errs by its own rounding and that of its
        argument. The divergences' terms have sizes of at most I + 2 / e together.
        """
        if self.survey.is_constant:
            return 0.0
        rate, over = self._moments.rate, math.fsum([-1.0, *self.survey.masses.tolist()])
        count = self._cautious(self._units + units(sum_units(self.letters.size) + 8) + ELEMENTARY)
        return max(0.0, up(rate + max(over, 0.0) + count * (abs(rate) + 2.0) + units(12) + TINY))

    def rate_excess(self, bound: float) -> float:
        """Return an upper bound of I(X; A) - bound."""
        return up(self.rate - bound) if self.rate else -bound

    def mean(self, m: int) -> float:
        """Return an upper bound of E L under the channel; H(S | A) for a label."""
        above, least = self._above(m), self.least_mean(m)
        return above if least == 0 else up(up(least + units(4) * abs(least)) + above)

    def excess(self, m: int, bound: float) -> float:
        """Return an upper bound of E L - bound."""
        room = 0.0 if self.counts_as_least(m, bound) else self.room(m, bound)
        excess = self._above(m) - room
        return excess if excess == 0 or room == 0 else excess + units(4) * abs(room) + EPS * abs(excess)

    def shortfall(self, m: int, bound: float) -> float:
        """Return an upper bound of bound - E L for a linear loss; `_mean_above` says what E L may err by."""
        room, total = self.room(m, bound), self._moments.losses[m]
        least = total * (1 - self._units - units(sum_units(self.letters.size) + 6)) - (TINY if total else 0.0)
        return room - least + units(4) * abs(room) + EPS * abs(room - least)

    def _above(self, m: int) -> float:
        """Return an upper bound of how far E L is above the least mean, from which the loss was shifted."""
        if m not in self._means:
            self._means[m] = self._mean_above(m)
        return self._means[m]

    @cached_property
    def _means(self) -> dict[int, float]:
        return {}

    def _mean_above(self, m: int) -> float:
        if m >= self.first_label:
            sums = sum_units(self.n_rows) + self.channel_rows.n_blocks
            return largest_entropy(self._moments.joint[m - self.first_label], self._units, sums)
        if self.free is not None:
            return self._spread_within_letters() * self.free.scale * (1 + units(4))
        total = self._moments.losses[m]
        count = self._cautious(self._units + units(sum_units(self.letters.size) + 6))
        return total * (1 + count) + (TINY if total else 0.0)

    def _spread_within_letters(self) -> float:
        """Return an upper bound of E |X - y(A)|^2 with letters at their means, rounded: no less than at the means."""
        assert self.free is not None
        points, channel = self.own(self.free.points), self.channel
        joint = np.zeros((self.problem.n_x, self.letters.size))
        joint[slice(None) if self.rows is None else self.rows] = channel * self.masses[:, None]
        means = self.free.means(joint)
        total = 0.0
        for coordinate, mean in zip(points.T, means.T, strict=True):
            squares = channel * (coordinate[:, None] - mean) ** 2
            total += math.fsum(self.shares * row_sums(squares))
        total *= 1 + self._units + units(sum_units(self.letters.size) + means.shape[1] + 10)
        return total + (TINY if total else 0.0)

    def objective(self, target: int | None) -> float:
        """Return an upper bound of the problem's objective for the channel."""
        if target is not None:
            return self.mean(target)
        if self.problem.multipliers is None:
            return self.rate
        terms = [self.rate]
        terms += [float(value) * self.mean(m) for m, value in enumerate(self.problem.multipliers) if value]
        return up(math.fsum(terms) + units(4) * math.fsum(map(abs, terms))) if any(terms) else 0.0

    def spread(self, m: int) -> float:
        """Return the largest minus the least value of a loss over the pairs that are allowed, rounded."""
        if m >= self.first_label:
            return math.log(self.labels[m - self.first_label].shape[1])
        if self.free is not None:
            sides = np.ptp(self.own(self.free.points), axis=0)
            return float(sides @ sides) * self.free.scale
        if self.problem.forbidden is None:
            known = self.linear[m].structure.extremes()  # found once for all
            return float(self.own(known.highest).max() - self.own(known.lowest).min())
        return largest_difference(self.block, len(self.linear), m, self.blocks(self.problem.n_letters))

    def blocks(self, n_columns: int) -> Iterator[slice]:
        """Yield slices of columns, a few MB of pairs each."""
        width = max(1, _PAIRS_AT_A_TIME // self.n_rows)
        for start in range(0, n_columns, width):
            deadline.look()
            yield slice(start, min(start + width, n_columns))
