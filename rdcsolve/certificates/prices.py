"""An upper bound of the largest price of letters with soft decisions, from the proof that a certificate carries."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates.cells import CellBounds, replayed
from rdcsolve.certificates.elementary import LOG_ERROR, Elementary, exp_upper
from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.certificates.proof import PartProof, PriceProof
from rdcsolve.certificates.reductions import Part, reduced
from rdcsolve.certificates.shares import ShareBounds
from rdcsolve.certificates.weightings import Base, Columns, anywhere, base_of, line_columns, listed_columns
from rdcsolve.errors import InvalidInput
from rdcsolve.rounding import EPS, TINY, row_sums, sum_units, units, up, weighted_sums

_ENOUGH = 1e-9  # nats: a certificate in its stored form has no price above one, but for roundings


def log_largest_price(numbers: FloatNumbers) -> tuple[float, bool]:
    """Return an upper bound of the logarithm of the largest price, and whether the certificate proves it.

    Without a proof there are still the columns' totals, which may do for a certificate in its stored form, in which no
    price exceeds one. The bound is infinite where nothing can be said: exponents that leave the range of floats, and
    points off the line, for which there is no proof.

    Raises
    ------
    InvalidInput
        If the proof is not one.
    """
    proof = PriceProof() if numbers.proof is None else numbers.proof
    if not np.isfinite(numbers.exponents[0]).all():
        return math.inf, True
    elementary = numbers.elementary
    multipliers = numbers.multipliers[numbers.first_label :].tolist()
    left = reduced(numbers.labels, multipliers, numbers.n_rows, elementary)
    base = base_of(numbers, left.gain(numbers.n_rows))
    columns = _columns(numbers, proof, base)
    if columns is None:
        return math.inf, False
    searches = [
        _PartBound(
            part, proof.parts[number] if number < len(proof.parts) else PartProof(), base, left.factor, elementary
        )
        for number, part in enumerate(left.parts)
    ]
    _check(len(proof.parts) <= len(searches), f"it has {len(proof.parts)} parts, the prices {len(searches)}")
    for block in columns:
        deadline.look()
        for search in searches:
            search.add(block)
    short = sum(search.largest_total * search.part.short for search in searches)
    largest = max(search.bound() for search in searches) + short * (1 + 1e-9) + TINY
    if not math.isfinite(largest):
        return math.inf, True
    log = float(elementary.log(np.array([largest]))[0])
    log += elementary.caution * LOG_ERROR * (abs(log) + 0.125)
    value = base.scale + log
    value = up(value + EPS * (abs(base.scale) + abs(log)) + numbers.log_mass)
    return value, numbers.proof is not None or value <= _ENOUGH


def _columns(numbers: FloatNumbers, proof: PriceProof, base: Base) -> Iterator[Columns] | None:
    """Return the columns, or None for points off the line."""
    if numbers.free is None:
        _check(proof.line is None, "it has cells of the line, but letters are listed")
        return listed_columns(numbers, base)
    multiplier = float(numbers.multipliers[0]) * numbers.free.scale
    if not multiplier > 0:
        return anywhere(base)
    points = numbers.own(numbers.free.points)
    if points.shape[1] > 1 or proof.line is None:
        return None
    line = proof.line
    covers = (
        len(line) > 0
        and bool(np.isfinite(line).all())
        and bool((line[:, 0] <= line[:, 1]).all())
        and bool((line[1:, 0] == line[:-1, 1]).all())
        and line[0, 0] <= points.min()
        and line[-1, 1] >= points.max()
    )
    _check(covers, "its cells do not cover the points of the line")
    return line_columns(points[:, 0], multiplier, line, base, numbers.elementary)


class _PartBound:
    """The bound of one part, as columns come.

    Attributes
    ----------
    largest_total : float
        Of all columns.
    """

    def __init__(self, part: Part, proof: PartProof, base: Base, factor: float, elementary: Elementary) -> None:
        self.part, self.proof, self.base, self.elementary = part, proof, base, elementary
        self.gain = part.gain + (factor + units(2) * (np.abs(part.gain) + abs(factor)))
        self.largest_total = self._settled = 0.0
        by_shares = proof.ends[:0, 1] if proof.shares is None else proof.shares.columns
        self.numbers = np.unique(np.concatenate([proof.places_columns, proof.ends[:, 1], by_shares]))
        self._kept: list[np.ndarray] = []
        self._kept_totals: list[np.ndarray] = []
        n_classes = part.n_classes
        if proof.places_columns.size:
            shape = (proof.places_columns.size, n_classes)
            _check(proof.places.shape == shape, f"places have shape {proof.places.shape}, not {shape}")
        _check(n_classes > 0 or not self.numbers.size, "it has cells or places where there is nothing to decide")

    def add(self, columns: Columns) -> None:
        """Bound some columns by their totals, and keep the weights of those that the proof knows more about."""
        weights = self.base.weights(columns, self.part.rows, self.gain, self.elementary)
        weights = np.ascontiguousarray(self.part.added(weights).T)
        totals = row_sums(weights) * (1 + units(sum_units(weights.shape[1]) + 2))
        totals = np.where(np.isnan(totals), math.inf, totals)  # what is not a number bounds nothing
        self.largest_total = max(self.largest_total, float(totals.max(initial=0.0)))
        kept = np.isin(columns.numbers, self.numbers)
        self._settled = max(self._settled, float(np.max(totals, initial=0.0, where=~kept)))
        if kept.any():
            self._kept.append(weights[kept])
            self._kept_totals.append(totals[kept])

    def bound(self) -> float:
        """Return a bound of all columns' prices."""
        if not self.numbers.size:
            return self._settled
        totals = np.concatenate([np.zeros(0), *self._kept_totals])
        _check(totals.size == self.numbers.size, "it names a column that is not there, or not the first of its kind")
        weights = np.concatenate(self._kept)
        if not np.isfinite(weights).all():
            return math.inf
        bounds = totals
        if self.proof.places_columns.size and float(self.part.row_powers.max()) <= 1.0:
            bounds = np.fmin(bounds, self._tangents(weights))
        if len(self.proof.ends):
            cells = CellBounds(self.part, weights, self.elementary)
            bounds = np.fmin(bounds, replayed(self.proof, self.numbers, cells, self._settled))
        if self.proof.shares is not None:
            bounds = np.fmin(bounds, self._by_shares(weights))
        return max(self._settled, float(bounds.max()))

    def _by_shares(self, weights: np.ndarray) -> np.ndarray:
        """Return the bounds by cells of shares, inf for columns that are in none."""
        shares = self.proof.shares
        assert shares is not None
        n_classes = self.part.n_classes
        _check(shares.places.shape[1] == n_classes, f"it has shares of {shares.places.shape[1]} classes")
        which = np.searchsorted(self.numbers, shares.columns)
        bounds = np.full(len(weights), math.inf)
        bounds[which] = ShareBounds(self.part, shares.joins, self.elementary).bounds(shares, weights[which])
        return bounds

    def _tangents(self, weights: np.ndarray) -> np.ndarray:
        """Return the bounds by tangents, inf for columns without a place.

        A price that is concave, and increases in every entry of r, lies below its tangent at any positive r, whatever
        its sum. Terms that are rounded up raise the tangent everywhere: its coefficients are not negative there.
        """
        part, r = self.part, self.proof.places
        which = np.searchsorted(self.numbers, self.proof.places_columns)
        logs = self.elementary.log(r)
        sizes = (np.abs(logs) + 0.125) @ part.powers + np.abs(part.tops).sum(axis=0)
        allowance = self.elementary.caution * (LOG_ERROR + units(part.n_classes + len(part.labels) + 6))
        exponents = logs @ part.powers - part.top + allowance * sizes
        terms = weights[which] * exp_upper(self.elementary, exponents)
        moments = weighted_sums(terms, np.ascontiguousarray(part.powers.T))
        found = row_sums(terms)
        size = found.copy()
        for a, b in part.labels:
            steepest = (moments[:, a:b] / r[:, a:b]).max(axis=1)
            total = row_sums(moments[:, a:b])
            found += steepest - total
            size += steepest + total
        count = units(2 * sum_units(weights.shape[1]) + sum_units(part.n_classes) + 2 * len(part.labels) + 8)
        found = found + self.elementary.caution * count * size + TINY
        bounds = np.full(len(weights), math.inf)
        np.fmin.at(bounds, which, found)
        return bounds


def _check(is_right: bool, fault: str) -> None:
    if not is_right:
        raise InvalidInput(f"the proof of the largest price does not hold: {fault}")
