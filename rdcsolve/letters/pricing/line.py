"""A proved bound of the price of letters that are points of the line with soft decisions.

On a cell of the line, every term's Gaussian is its Taylor polynomial up to a proved remainder. A polynomial is an
average of its Bernstein coefficients, so with the coefficients of all terms in place of their weights, the price
anywhere on the cell is at most the largest price over decisions for one of a few weightings: the same question as for
listed symbols. Coefficients are linear in the polynomial, so where the price is flat they are flat too, and cells
need not be small there; near a maximum that is not flat they are halved.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.proof import PriceProof
from rdcsolve.letters.pricing.decisions import (
    Decisions,
    is_by_tangents,
    is_provable,
    largest_price,
    log_price_bounded,
    prices_above,
)
from rdcsolve.letters.pricing.parts import EPS
from rdcsolve.letters.pricing.points import FreeLetters, FreePrice
from rdcsolve.letters.pricing.record import Record, proof_of

_DEGREE = 10
_FIRST = 0.125  # half the width of the first cells, in units of the kernel's 1 / sqrt(lambda)
_MOST_HALVINGS = 20
_MOST_CELLS = 200_000
_ENTRIES = 1 << 21  # weights held at a time
_MOST_ENTRIES = 300_000_000  # weights of the first cells: a minute's work
_NEAR, _MOST_NEAR = 1e-3, 256  # nats, letters: those whose own bounds are looked at
_MOST_BOUNDED = 8  # of these: where tangents bound prices, those whose bounds say how far tangents get
_CRAMER = 1.0866  # |H_n(z)| exp(-z^2 / 2) <= 1.0865 sqrt(2^n n!) for all n and z (Indritz 1961)
_ROUNDINGS = 400 * EPS  # of a Hermite function, times sqrt(2^n n!) exp(-z^2 / 2), and of the sum over n


@dataclass(frozen=True)
class LargestFreePrice:
    """The largest price over all points and decisions.

    Attributes
    ----------
    log_upper : float
        If `proved`, no letter's log price is larger, all roundings considered; else `log_best`.
    log_best : float
        The log price of the best letter found.
    best : FreeLetters
        Local maxima found, the best first.
    proved : bool
        False off the line, where more than three dimensions of decisions would have had to be searched, and where the
        points lie so far apart, beside the kernel's width, that the line would have far too many cells.
    n_cells : int
        How many cells of the line were bounded.
    proof : PriceProof or None
        What proves it, if `proved`; else what proves `log_proved`.
    log_proved : float
        See `rdcsolve.letters.pricing.decisions.LargestPrice`.
    """

    log_upper: float
    log_best: float
    best: FreeLetters
    proved: bool
    n_cells: int
    proof: PriceProof | None = None
    log_proved: float = math.inf


def largest_free_price(
    price: FreePrice,
    rtol: float = 1e-10,
    log_error: float | np.ndarray = 0.0,
    found: FreeLetters | None = None,
    log_enough: float = -math.inf,
    may_go_on: Callable[[float], bool] | None = None,
) -> LargestFreePrice:
    """Return the largest price over all points and decisions; on the line with a proved upper bound of it.

    Parameters
    ----------
    price : FreePrice
    rtol : float
        How close to the largest price, relatively, the bound should be.
    log_error : float or numpy.ndarray
        Bound of the absolute error of every one of the price's log weights.
    found : FreeLetters, optional
        Local maxima; by default they are searched for.
    log_enough : float, optional
        A log price below which bounds need not go.
    may_go_on : callable, optional
        See `rdcsolve.letters.pricing.decisions.largest_price`.
    """
    best = price.maxima() if found is None else found
    log_best = float(best.log_prices.max(initial=-math.inf))
    if not price.multiplier > 0:
        return _anywhere(price, best, rtol=rtol, log_error=log_error, log_enough=log_enough, may_go_on=may_go_on)
    if price.points.shape[1] > 1 or not is_provable(price.labels, price.multipliers):
        return LargestFreePrice(log_best, log_best, best, False, 0)
    if _n_first(price) * price.points.size * (_DEGREE + 1) > _MOST_ENTRIES:
        return LargestFreePrice(log_best, log_best, best, False, 0)
    return _Line(price, rtol, log_error, best, log_enough).bounded()


def _n_first(price: FreePrice) -> float:
    """Return how many cells the line has at first; a price falls outwards beyond the points."""
    return max(1.0, float(np.ceil(np.ptp(price.points) * math.sqrt(price.multiplier) / (2 * _FIRST))))


def _anywhere(price: FreePrice, best: FreeLetters, **options: Any) -> LargestFreePrice:
    """Return the largest price where points cost nothing: that of a single weighting; options are `largest_price`'s."""
    found = largest_price(price.log_weights[:, None], price.labels, price.multipliers, **options)
    log_best = max(float(best.log_prices.max(initial=-math.inf)), found.log_best)
    if found.log_best > best.log_prices.max(initial=-math.inf) + 1e-13:  # met by branch and bound alone
        place = np.repeat(price.points[:1], 1, axis=0)
        one = FreeLetters(place, tuple(soft[None] for soft in found.decisions), np.array([found.log_best]))
        best = FreeLetters(
            np.vstack([one.places, best.places]),
            tuple(np.vstack(pair) for pair in zip(one.decisions, best.decisions, strict=True)),
            np.r_[one.log_prices, best.log_prices],
        )
    upper = max(found.log_upper, log_best)
    return LargestFreePrice(upper, log_best, best, found.proved, 1, found.proof, found.log_proved)


class _Line:
    def __init__(
        self, price: FreePrice, rtol: float, log_error: float | np.ndarray, best: FreeLetters, enough: float
    ) -> None:
        self.price, self.rtol, self.log_error, self.best, self.enough = price, rtol, log_error, best, enough
        self.root = math.sqrt(price.multiplier)
        self.x = price.points[:, 0]
        self.log_upper = -math.inf
        self.n_cells = 0
        self.matrix = _bernstein()
        self.floor = self._floor()
        self.records: list[tuple[np.ndarray, np.ndarray, Record]] = []  # cells, those that are final, notes

    @property
    def log_best(self) -> float:
        return float(self.best.log_prices.max(initial=-math.inf))

    def bounded(self) -> LargestFreePrice:
        edges = np.linspace(self.x.min(), self.x.max(), int(_n_first(self.price)) + 1)
        cells = np.stack([edges[:-1], edges[1:]], axis=1)
        for halving in range(_MOST_HALVINGS + 1):
            if not cells.size:
                break
            is_last = halving == _MOST_HALVINGS or self.n_cells + len(cells) > _MOST_CELLS
            above = [self._above(block, is_last) for block in self._blocks(cells)]
            self.n_cells += len(cells)
            left = cells[np.concatenate(above)]
            middle = 0.5 * left.sum(axis=1)
            is_whole = (left[:, 0] < middle) & (middle < left[:, 1])
            if not is_whole.all():  # beyond what floats tell apart
                for block in self._blocks(left[~is_whole]):
                    self._above(block, True)
                left, middle = left[is_whole], middle[is_whole]
            cells = np.concatenate([np.stack([left[:, 0], middle], axis=1), np.stack([middle, left[:, 1]], axis=1)])
        upper = max(self.log_upper, self.log_best)
        return LargestFreePrice(upper, self.log_best, self.best, True, self.n_cells, self._proof())

    def _proof(self) -> PriceProof:
        line = np.concatenate([cells[final] for cells, final, _ in self.records])
        order = np.lexsort((line[:, 1], line[:, 0]))
        number = np.empty(len(line), dtype=np.int64)
        number[order] = np.arange(len(line))
        noted, first = [], 0
        for _, final, record in self.records:
            count = int(np.count_nonzero(final))
            columns = np.zeros((final.size, _DEGREE + 1), dtype=np.int64)
            own = number[first : first + count, None]
            columns[final] = (_DEGREE + 1) * own + np.arange(_DEGREE + 1)
            noted.append((columns.ravel(), record))
            first += count
        return proof_of(noted, line[order])

    def _blocks(self, cells: np.ndarray) -> list[np.ndarray]:
        size = max(1, _ENTRIES // (self.x.size * (_DEGREE + 1)))
        return [cells[a : a + size] for a in range(0, len(cells), size)]

    def _above(self, cells: np.ndarray, is_last: bool) -> np.ndarray:
        """Return which cells may hold a price above the threshold; bound the others, or all if it is the last time."""
        log_weights = self._weightings(cells)
        while True:
            deadline.look()
            noted = prices_above(
                log_weights,
                self.price.labels,
                self.price.multipliers,
                max(max(self.log_best, self.floor) + self._slack(), self.enough),
                log_error=self.log_error,
                is_last=is_last,
            )
            by_cell = np.any(noted.above.reshape(len(cells), -1), axis=1)
            if is_last or not self._look(cells[by_cell]):
                break
        self.log_upper = max(self.log_upper, noted.log_upper)
        for part in noted.record.values():
            part.leave_out(np.repeat(by_cell, _DEGREE + 1))
        self.records.append((cells, ~by_cell, noted.record))
        return np.asarray(by_cell)

    def _look(self, cells: np.ndarray) -> bool:
        """Climb from the cells that may hold a dearer letter than the best; return whether one was found."""
        before = self.log_best
        if not len(cells):
            return False
        thinned = cells[:: max(1, len(cells) // 64)]
        found = self.price.maxima(places=thinned.mean(axis=1)[:, None])
        if not float(found.log_prices.max(initial=-math.inf)) > before + 0.25 * self.rtol:
            return False
        decisions = tuple(np.vstack(pair) for pair in zip(found.decisions, self.best.decisions, strict=True))
        self.best = FreeLetters(
            np.vstack([found.places, self.best.places]), decisions, np.r_[found.log_prices, self.best.log_prices]
        )
        self.floor = self._floor()
        return True

    def _floor(self) -> float:
        """Return the logarithm of the largest price found, each letter's as its own cell is bounded.

        No bound can go below it. With large multipliers, what exponents may err by is far above the tolerance, and more
        for some letters than for others; cells would be halved in vain.
        """
        near = np.flatnonzero(self.best.log_prices > self.log_best - _NEAR)[:_MOST_NEAR]
        if not near.size:
            return -math.inf
        columns = self._weightings(np.repeat(self.best.places[near], 2, axis=1))[:, :: _DEGREE + 1]
        letters = Decisions(
            np.arange(near.size), tuple(soft[near] for soft in self.best.decisions), np.zeros(near.size)
        )
        price = self.price
        floor = log_price_bounded(columns, price.labels, price.multipliers, letters, self.log_error)
        if not is_by_tangents(price.labels, price.multipliers):
            return floor
        # Tangents alone may end above the threshold, at a place by itself too: halving the cells around it is in vain.
        dear = columns[:, np.argsort(-self.best.log_prices[near], kind="stable")[:_MOST_BOUNDED]]
        enough = max(floor + self._slack(), self.enough)
        bound = prices_above(
            dear, price.labels, price.multipliers, enough, log_error=self.log_error, is_last=True
        ).log_upper
        return max(floor, bound)

    def _slack(self) -> float:
        """Return by how much a bound may exceed the best letter's price."""
        return max(0.5 * self.rtol, 64 * EPS)

    def _weightings(self, cells: np.ndarray) -> np.ndarray:
        """Return logarithms of every cell's Bernstein coefficients, rounded up, shape (n, cells * (degree + 1)).

        With z = sqrt(lambda) (x - centre) and tau in [-T, T] the place on the cell, exp(-(z - tau)^2) =
        exp(-z^2) sum_n H_n(z) tau^n / n!. The coefficients are exp(-z^2 / 2) times sums of Hermite functions; a
        Bernstein coefficient of (tau / T)^n is at most one in size, as a mean of products of +-1.
        """
        centre = 0.5 * cells.sum(axis=1)
        half = np.maximum(cells[:, 1] - centre, centre - cells[:, 0]) * self.root * (1 + 8 * EPS)
        z = self.root * (self.x[:, None] - centre)  # (n, cells)
        hermite = np.exp(-0.5 * z**2)
        before = np.zeros_like(hermite)
        coefficients = np.zeros((*z.shape, _DEGREE + 1))
        power = np.ones_like(half)  # (sqrt(2) T)^n / sqrt(n!)
        for n in range(_DEGREE + 1):
            coefficients += (hermite * power)[:, :, None] * self.matrix[n]
            after = math.sqrt(2 / (n + 1)) * z * hermite - math.sqrt(n / (n + 1)) * before
            before, hermite = hermite, after
            power = power * math.sqrt(2 / (n + 1)) * half
        longest = float(half.max(initial=0.0))
        ratio = math.sqrt(2 / (_DEGREE + 2)) * longest
        remainder = _CRAMER * power / (1 - ratio) if ratio < 1 else np.full_like(power, math.inf)
        np.maximum(coefficients, 0.0, out=coefficients)  # larger is still a bound
        coefficients += (remainder * (1 + 1e-9) + _ROUNDINGS * math.exp(2 * longest))[None, :, None]
        np.log(coefficients, out=coefficients)
        exponent = self.price.log_weights[:, None] - 0.5 * z**2
        exponent += EPS * (8 + 2 * np.abs(self.price.log_weights)[:, None] + z**2)  # roundings of these lines
        coefficients += exponent[:, :, None]
        return coefficients.reshape(self.x.size, -1)


def _bernstein() -> np.ndarray:
    """Return the Bernstein coefficients of u^n on [-1, 1] at degree m = 10, shape (m + 1, m + 1): row n.

    The k-th is the mean, over all choices of n of k ones and m - k minus ones, of their product (the polar form).
    """
    m = _DEGREE
    rows = []
    for n in range(m + 1):
        row = []
        for k in range(m + 1):
            ones = range(max(0, n - m + k), min(k, n) + 1)
            total = sum(math.comb(k, j) * math.comb(m - k, n - j) * (-1) ** (n - j) for j in ones)
            row.append(float(Fraction(total, math.comb(m, n))))
        rows.append(row)
    return np.array(rows)
