"""Bounds of prices of labels with any number of classes: the replay of cells of shares.

A tree joins the classes of every label, and a cell bounds, for every join, the share of its mass that its first child
has. See the page about the certificate file for both bounds of a cell and what they rest on; here are the allowances
for what floating point does to them.

Masses of joins are sums of at most N powers; what is said of an exponent errs by at most `unit` of the sum of the sizes
of everything that is added up in it: logarithms, the sums over N classes and V joins with a few operations each.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rdcsolve.certificates.elementary import HIGHEST, LOG_ERROR, Elementary, exp_upper
from rdcsolve.certificates.proof import ShareProof
from rdcsolve.certificates.reductions import Part
from rdcsolve.errors import InvalidInput
from rdcsolve.rounding import TINY, row_sums, sum_units, units, weighted_sums

_ENTRIES = 1 << 16  # of an array of cells and rows that is held at a time
_LARGEST_Z = 3.0
_SERIES = 40  # terms of sum 2 z^n / (n + 2)!, z <= 3: what is left out is below 1e-30
_THIN = 1e-3  # widths of cells, as shares of the smaller end, below which lines have the slope of their middle
_APART = 1e-4  # quotients of closer numbers would be nothing but rounding
_FLOOR = 1e-300


class _Letter(NamedTuple):
    """What bounds around a letter need of it, for one column: rows (V,), matrices (V, V), tables (V, G)."""

    price: float
    shares: np.ndarray
    masses: np.ndarray
    drifts: np.ndarray
    slants: np.ndarray
    products: np.ndarray
    squares: np.ndarray
    error: float


class ShareBounds:
    """Bounds of the prices of one part over cells of shares.

    Parameters
    ----------
    part : Part
    joins : numpy.ndarray
        Shape (V, 2): of the proof.
    elementary : Elementary
    """

    def __init__(self, part: Part, joins: np.ndarray, elementary: Elementary) -> None:
        self.part, self.elementary = part, elementary
        n, n_groups = part.powers.shape
        _check_joins(joins, part)
        masses = np.zeros((n + len(joins), n_groups))
        masses[:n] = part.powers
        for v, (a, b) in enumerate(joins.tolist()):
            masses[n + v] = masses[a] + masses[b]
        self.left, self.right, self.whole = masses[joins[:, 0]], masses[joins[:, 1]], masses[n:]
        some = self.whole > 0
        self.share = np.divide(self.left, self.whole, out=np.full(some.shape, 0.5), where=some)
        other = np.divide(self.right, self.whole, out=np.full(some.shape, 0.5), where=some)
        self.inside = self.left * self._logs(self.share) + self.right * self._logs(other)
        n_joins = len(joins)
        caution = elementary.caution
        self.unit = caution * (LOG_ERROR + units(2 * n + 4 * n_joins + 24))
        self.lost = units(2 * n + 8)  # of the mass of a join, in what is left of its children's difference
        self.gamma = (1.0 - units(16)) / part.degree
        sure = part.row_powers * (1 - 2 * units(sum_units(n) + 4))
        self.idle = np.maximum(1.0 - self.gamma * sure, 0.0) + units(4)
        self.concave = self.gamma * part.powers

    def _logs(self, x: np.ndarray) -> np.ndarray:
        return self.elementary.log(np.where(x > 0, x, 1.0))

    def bounds(self, proof: ShareProof, weights: np.ndarray) -> np.ndarray:
        """Return bounds of the proof's columns, shape (T,).

        Parameters
        ----------
        proof : ShareProof
        weights : numpy.ndarray
            Shape (T, G): of the columns.
        """
        found = np.empty(len(weights))
        first = first_cut = first_leaf = first_tangent = 0
        for column, size in enumerate(proof.sizes.tolist()):
            cuts = proof.cuts[first : first + size]
            n_cuts = int(np.count_nonzero(cuts >= 0))
            lows, highs = _replayed(cuts, proof.at[first_cut : first_cut + n_cuts], len(proof.joins))
            near = proof.near[first_leaf : first_leaf + size - n_cuts]
            n_tangents = int(np.count_nonzero(near < 0))
            chosen = slice(first_tangent, first_tangent + n_tangents)
            leaves = np.flatnonzero(cuts < 0)
            with np.errstate(all="ignore"):
                largest = self._by_tangents(weights[column], lows, highs, leaves[near < 0], proof, chosen)
                for k in np.unique(near[near >= 0]).tolist():
                    own = leaves[near == k]
                    letter = self._letter(weights[column], proof.letters[k])
                    largest = max(largest, self._around(letter, lows[own], highs[own]))
            found[column] = largest
            first, first_cut, first_tangent = first + size, first_cut + n_cuts, chosen.stop
            first_leaf += size - n_cuts
        return found

    # ------------------------------------------------------------------------------------------- by tangents

    def _by_tangents(
        self,
        weights: np.ndarray,
        lows: np.ndarray,
        highs: np.ndarray,
        leaves: np.ndarray,
        proof: ShareProof,
        chosen: slice,
    ) -> float:
        largest = 0.0
        size = max(1, _ENTRIES // weights.size)
        forms, slopes, places = proof.forms[chosen], proof.slopes[chosen], proof.places[chosen]
        for start in range(0, leaves.size, size):
            block = slice(start, start + size)
            own = leaves[block]
            bounds = self._tangents(
                weights,
                lows[own],
                highs[own],
                forms[block],
                slopes[block].astype(float),
                places[block].astype(float),
            )
            largest = max(largest, float(np.where(np.isnan(bounds), np.inf, bounds).max()))
        return largest

    def _tangents(  # noqa: PLR0913 - what the proof says of every cell
        self,
        weights: np.ndarray,
        lows: np.ndarray,
        highs: np.ndarray,
        forms: np.ndarray,
        slopes: np.ndarray,
        places: np.ndarray,
    ) -> np.ndarray:
        """Return the bounds of cells by the tangents of their concave prices at places."""
        part = self.part
        heights = self.elementary.log(places)
        exponents = self.gamma * (heights @ part.powers) - part.top
        sizes = self.gamma * (np.abs(heights) @ part.powers + part.row_powers) + (np.abs(part.top) + 1.0)
        ends, spare = np.where(slopes > 0, lows, highs), 1.0 - self.gamma
        exponents += slopes @ self.left - (slopes * ends) @ self.whole
        sizes += np.abs(slopes) @ self.left + (np.abs(slopes) * ends) @ self.whole
        for v in range(len(self.whole)):
            value, size = self._form(v, forms[:, v], lows[:, v], highs[:, v])
            exponents += spare * value
            sizes += size
        exponents += self.unit * sizes
        terms = weights * exp_upper(self.elementary, np.minimum(exponents, HIGHEST))
        masses = weighted_sums(terms, np.ascontiguousarray(self.concave.T)) / places
        bounds = row_sums(terms * self.idle)
        for a, b in part.labels:
            bounds += masses[:, a:b].max(axis=1)
        count = units(2 * sum_units(weights.size) + 2 * len(part.labels) + 12)
        bounds = bounds * (1 + self.elementary.caution * count) + TINY
        return np.where(exponents.max(axis=1) > HIGHEST, np.inf, bounds)

    def _form(self, v: int, form: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return W psi(L / W), psi convex and no less than -h from low to high, and what it may err by `unit` of."""
        is_line = form == 0
        if not is_line.any():
            return self._curve(v, form, low, high)
        if is_line.all():
            value, size = self._over(v, low, high)
            return value, size + self.whole[v]
        value, size = np.empty((2, form.size, self.part.powers.shape[1]))
        for some in (is_line, ~is_line):
            value[some], size[some] = self._form(v, form[some], low[some], high[some])
        return value, size

    def _curve(self, v: int, form: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the same where psi is -h between a and b, its tangents beyond, and no less than lines up to them.

        The lines are over [low, a] and [b, high].
        """
        left, right = self.left[v], self.right[v]
        third, rest = np.divmod(form - 1, 3)
        a = np.clip(low + 0.25 * third * (high - low), low, high)
        b = np.clip(high - 0.25 * rest * (high - low), a, high)
        ends = [self._logs(x)[:, None] for x in (a, 1.0 - a, b, 1.0 - b)]
        value = np.where(self.share[v] < a[:, None], left * ends[0] + right * ends[1], self.inside[v])
        np.copyto(value, left * ends[2] + right * ends[3], where=self.share[v] > b[:, None])
        size = np.abs(value) + self.whole[v]
        for begin, end in ((low, a), (b, high)):
            some = np.flatnonzero(begin < end)
            if some.size:
                over, own = self._over(v, begin[some], end[some])
                value[some] = np.maximum(value[some], over)
                size[some] += own
        return value, size

    def _over(self, v: int, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return W times lines over intervals at L / W, and the sizes of what is added up."""
        left, whole = self.left[v], self.whole[v]
        slope, height = (x[:, None] for x in self._line(begin, end))
        return slope * left + height * whole, np.abs(slope) * left + np.abs(height) * whole

    def _line(self, begin: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return slopes and heights at zero of lines that are no less than -h at both ends, so between them too.

        Any slope will do. In a thin cell it comes from the derivative, since the quotient would be nothing but
        rounding: the two arithmetics would find different lines, and one could prove less than the other.
        """
        at_begin, at_end, width = self._negative_entropy(begin), self._negative_entropy(end), end - begin
        slope = np.divide(at_end - at_begin, width, out=np.zeros(begin.shape), where=end > begin)
        thin = width < _THIN * np.minimum(begin, 1.0 - end)
        middle = begin + 0.5 * width
        bent = self._logs(middle) - self._logs(1.0 - middle) + width**2 / 24 * (1 / (1.0 - middle) ** 2 - 1 / middle**2)
        slope = np.where(thin, bent, slope)
        height = np.maximum(at_begin - slope * begin, at_end - slope * end)
        return slope, height + self.unit * (4.0 + 2 * np.abs(slope))

    def _negative_entropy(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x * self._logs(x) + (1.0 - x) * self._logs(1.0 - x))

    # ------------------------------------------------------------------------------------------- around letters

    def _letter(self, weights: np.ndarray, shares: np.ndarray) -> _Letter:
        """Return what bounds around a letter need: its price, the law of its terms, and means under that law."""
        part = self.part
        logs, others = self.elementary.log(shares), self.elementary.log(1.0 - shares)
        exponents = logs @ self.left + others @ self.right - part.top
        sizes = np.abs(logs) @ self.left + np.abs(others) @ self.right + self.whole.sum(axis=0) + np.abs(part.top) + 1
        terms = weights * exp_upper(self.elementary, np.minimum(exponents + self.unit * sizes, HIGHEST))
        total = float(row_sums(terms))
        price = total * (1 + units(sum_units(weights.size) + 4)) + TINY
        law = terms / total
        slants = self.left - shares[:, None] * self.whole
        error = 4 * self.unit * float(sizes.max()) + units(2 * sum_units(weights.size) + 16)
        return _Letter(
            price if exponents.max() <= HIGHEST else np.inf,
            shares,
            self.whole @ law,
            slants @ law,
            slants,
            (slants * law) @ slants.T,
            self.whole**2 @ law,
            error,
        )

    def _around(self, letter: _Letter, lows: np.ndarray, highs: np.ndarray) -> float:
        """Return the largest bound of cells around a letter: its price, but for what is of higher order."""
        largest = 0.0
        size = max(1, _ENTRIES // max(self.whole.shape[1], len(self.whole) ** 2))
        for start in range(0, len(lows), size):
            block = slice(start, start + size)
            bounds = self._near(letter, lows[block], highs[block])
            largest = max(largest, float(np.where(np.isnan(bounds), np.inf, bounds).max()))
        return largest

    def _near(self, letter: _Letter, lows: np.ndarray, highs: np.ndarray) -> np.ndarray:
        n_joins = len(self.whole)
        reach = np.maximum(np.abs(lows - letter.shares), np.abs(highs - letter.shares)) * (1 + units(2))
        steep = np.maximum(self._quotient(lows, letter.shares), self._quotient(highs, letter.shares))
        slants = np.abs(letter.slants) + self.lost * self.whole
        z = 2 * ((steep * reach) @ slants).max(axis=1) * (1 + units(n_joins + 8))
        widest = ((steep * reach**2) @ self.whole).max(axis=1) * (1 + units(n_joins + 8 + self.part.n_classes))
        psi, term = np.zeros(len(z)), np.ones(len(z))
        for m in range(_SERIES):
            psi += term
            term = term * z / (m + 3)
        psi *= 1 + units(4 * _SERIES)
        lightest = np.maximum(letter.masses * (1 - 2 * letter.error), _FLOOR)
        scales = np.sqrt(steep / lightest)
        form = scales[:, :, None] * letter.products * scales[:, None, :]
        lost = letter.error + 4 * self.lost + units(sum_units(self.whole.shape[1]) + 16)
        second = 2 * psi * (_largest_eigenvalue(form) + lost * (scales**2) @ letter.squares)
        bend = (np.sqrt(second) + np.sqrt(0.5 * psi * widest)) ** 2 * (1 + units(32)) - 1
        heavy = letter.masses * (1 + 2 * letter.error)
        linear = 2 * (steep * reach) @ (np.abs(letter.drifts) + 2 * (letter.error + self.lost) * heavy)
        bound = letter.price * (1 + linear + np.maximum(bend, 0.0) * ((steep * reach**2) @ heavy))
        return np.where(z <= _LARGEST_Z, bound * (1 + units(2 * n_joins + 32)), np.inf)

    def _quotient(self, x: np.ndarray, share: np.ndarray) -> np.ndarray:
        """Return numbers not below kl(x || share) / (x - share)^2: the quotient itself, or a bound of its integral."""
        smooth = (1 / (3 * share * (1.0 - share)) + 1 / (6 * x * (1.0 - x))) * (1 + units(12))
        terms = [x * self._logs(x / share), (1.0 - x) * self._logs((1.0 - x) / (1.0 - share))]
        apart = np.abs(x - share) * (1 - units(2))
        error = self.unit * (np.abs(terms[0]) + np.abs(terms[1]) + 2.0)
        exact = (terms[0] + terms[1] + error) / apart**2 * (1 + units(8))
        return np.fmin(np.where(np.isnan(smooth), np.inf, smooth), np.where(apart >= _APART, exact, np.inf))


def _largest_eigenvalue(form: np.ndarray) -> np.ndarray:
    """Return upper bounds of the largest eigenvalues of symmetric matrices (P, V, V), none negative.

    For any square Q with |Q'Q - I| <= e < 1 in the norm of row sums, x'Sx <= y'Q'SQy and |x|^2 >= (1 - e) |y|^2 with
    x = Qy; the eigenvalues of Q'SQ lie in Gershgorin's discs. Q need only be near the eigenvectors.
    """
    n = form.shape[1]
    usable = np.isfinite(form).all(axis=(1, 2))
    form = np.where(usable[:, None, None], form, 0.0)
    vectors = np.linalg.eigh(form)[1]
    turned = np.swapaxes(vectors, 1, 2) @ form @ vectors
    middle = np.einsum("pvv->pv", turned)
    discs = (middle + np.abs(turned).sum(axis=2) - np.abs(middle)).max(axis=1)
    skew = np.abs(np.swapaxes(vectors, 1, 2) @ vectors - np.eye(n)).sum(axis=2).max(axis=1) + units(n * (n + 8))
    discs = np.maximum(discs, 0.0) + n**2 * units(4 * n + 16) * np.abs(form).sum(axis=(1, 2))
    return np.where(usable & (skew < 0.5), discs / (1 - np.minimum(skew, 0.5)) * (1 + units(4)), np.inf)


def _replayed(cuts: np.ndarray, at: np.ndarray, n_joins: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of all cells of a tree, shape (cells, V) each."""
    lows, highs = np.zeros((cuts.size, n_joins)), np.ones((cuts.size, n_joins))
    parents = np.flatnonzero(cuts >= 0)
    _check(cuts.size == 2 * parents.size + 1, "a tree of shares has cells that are missing, or left over")
    order = 2 * np.arange(parents.size)
    _check(bool((parents <= order).all()), "a tree of shares has a cell among its own descendants")
    done = 0
    while done < parents.size:
        stop = int(np.searchsorted(parents, 2 * done, side="right"))  # those cells are known
        own, first = parents[done:stop], 2 * np.arange(done, stop) + 1
        join, place = cuts[own], at[done:stop]
        inside = (lows[own, join] < place) & (place < highs[own, join])
        _check(bool(inside.all()), "a cell of shares is not cut inside of it")
        for child in (first, first + 1):
            lows[child], highs[child] = lows[own], highs[own]
        highs[first, join] = lows[first + 1, join] = place
        done = stop
    return lows, highs


def _check_joins(joins: np.ndarray, part: Part) -> None:
    """Refuse joins that are no binary trees, one over the classes of each label."""
    n = part.n_classes
    label = np.repeat(np.arange(len(part.labels)), [b - a for a, b in part.labels])
    _check(len(joins) == n - len(part.labels), f"it joins classes {len(joins)} times")
    owner, used = np.concatenate([label, np.full(len(joins), -1)]), np.zeros(n + len(joins), dtype=bool)
    for v, (a, b) in enumerate(joins.tolist()):
        _check(max(a, b) < n + v and a != b, "a join is not of two earlier ones")
        _check(not used[a] and not used[b] and owner[a] == owner[b], "a join is of classes that are joined already")
        used[a] = used[b] = True
        owner[n + v] = owner[a]


def _check(is_right: bool, fault: str) -> None:
    if not is_right:
        raise InvalidInput(f"the proof of the largest price does not hold: {fault}")
