"""What a certificate proves about the law of the reproduction, in ball arithmetic: the numbers of `FloatLaw`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from rdcsolve.certificates.ball import BallNumbers
from rdcsolve.certificates.laws import DIVERGENCES, FloatLaw
from rdcsolve.errors import MissingExtra

try:
    from flint import arb

    from rdcsolve.certificates.exponential import float_above
except ImportError as error:
    raise MissingExtra.of("ball", "verification in ball arithmetic") from error

_NEAR = 1e-9  # of what is subtracted, and at least so many nats: more than floats hide of the largest of several

_F: dict[str, Callable[[Any], Any]] = {
    "kl": lambda t: t * t.log() - t + 1,
    "reverse_kl": lambda t: t - 1 - t.log(),
    "chi2": lambda t: _square(t - 1),
    "reverse_chi2": lambda t: _square(t - 1) / t,
    "hellinger": lambda t: _square(t.sqrt() - 1) / 2,
    "js": lambda t: (t * t.log() - (1 + t) * ((1 + t) / 2).log()) / 2,
}
_CONJUGATE: dict[str, Callable[[Any], Any]] = {
    "kl": lambda s: s.expm1(),
    "reverse_kl": lambda s: -(-s).log1p(),
    "chi2": lambda s: _square((1 + s / 2).max(arb(0))) - 1,
    "reverse_chi2": lambda s: 2 - 2 * (1 - s).sqrt(),
    "hellinger": lambda s: s / (1 - 2 * s),
    "js": lambda s: -(2 - (2 * s).exp()).log() / 2,
}
_HALF_LOG_2 = "js"


def _square(ball: Any) -> Any:
    return ball * ball  # a power of a ball around zero is not a number


class BallLaw(FloatLaw):
    """The numbers of `FloatLaw`, each the upper end of a ball; same parameters."""

    numbers: BallNumbers

    @property
    def _total(self) -> Any:
        return _sum(map(arb, [self.perception.outside, *self.perception.target.tolist()]))

    def support(self) -> float:
        """Return an upper bound of h(w), nats, inf if there is none; see `FloatLaw.support`."""
        perception, nu = self.perception, self.nu
        if nu == 0:
            return self._largest_price()
        if perception.features is not None:
            return self._discrepancy_support(perception.features)
        if perception.cost is not None:
            return self._transport_support(perception.cost)
        if math.isinf(nu):
            return self._mean_of(map(arb, self.w.tolist())) if not perception.outside else math.inf
        if perception.measure in DIVERGENCES:
            return self._support_of_divergence()
        if perception.is_exact:
            return math.inf
        away = arb(float(self.w.max())) - arb(nu)
        total = _sum(
            arb(t) * arb(w).max(away) for t, w in zip(perception.target.tolist(), self.w.tolist(), strict=True)
        )
        return _upper((total + arb(perception.outside) * away) / self._total)

    def _mean_of(self, values: Iterable[Any]) -> float:
        masses = self.perception.target.tolist()
        return _upper(_sum(arb(t) * value for t, value in zip(masses, values, strict=True) if t) / self._total)

    def _transport_support(self, cost: np.ndarray) -> float:
        """Return the bound with every maximum over the places that floats cannot tell from the best."""
        guesses = np.where(cost > 0, -math.inf, self.w) if math.isinf(self.nu) else self.w - self.nu * cost
        tops = guesses.max(axis=1)
        if not np.isfinite(tops[self.perception.target > 0]).all():
            return math.inf
        # where w - nu c is above a top t, nu c is at most w - t, and floats err by units of w and |t|
        near = guesses >= (tops - _NEAR * (1 + float(self.w.max()) + np.abs(tops)))[:, None]
        nu, values = arb(0) if math.isinf(self.nu) else arb(self.nu), []
        for t, row, chosen in zip(self.perception.target.tolist(), cost, near, strict=True):
            best = None
            for j in np.flatnonzero(chosen).tolist() if t else []:
                value = arb(float(self.w[j])) - nu * arb(float(row[j]))
                best = value if best is None else best.max(value)
            values.append(best)
        return self._mean_of(values)

    def _support_of_divergence(self) -> float:
        perception = self.perception
        name, steepest = perception.measure, DIVERGENCES[perception.measure].steepest
        if math.isinf(DIVERGENCES[name].at_zero) and perception.outside:
            return math.inf
        nu, tau, total = arb(self.nu), arb(self.proof.level), arb(0)
        for t, w in zip(perception.target.tolist(), self.w.tolist(), strict=True):
            s = (arb(w) - tau) / nu
            if (t or math.isfinite(steepest)) and not s <= arb(steepest):
                return math.inf
            if t:
                total += arb(t) * _CONJUGATE[name](s)
        if perception.outside:
            total -= arb(perception.outside) * _at_zero(name)
        return _upper(tau + nu * total / self._total)

    def _discrepancy_support(self, features: np.ndarray) -> float:
        """Return max_j (w_j - 2 nu f_j.z) + nu |z|^2, for the witness z: |q.f - z|^2 is not negative."""
        if math.isinf(self.nu):
            return math.inf
        nu, z = arb(self.nu), [arb(value) for value in self.proof.witness.tolist()]
        best = None
        for price, row in zip(self.w.tolist(), features.tolist(), strict=True):
            value = arb(price) - 2 * nu * _sum(arb(f) * g for f, g in zip(row, z, strict=False))
            best = value if best is None else best.max(value)
        return _upper(best + nu * _sum(g * g for g in z))

    def charge(self) -> float:
        """Return an upper bound of nu times the limit, nats."""
        return 0.0 if self.nu == 0 or self.bound == 0 else _upper(arb(self.nu) * arb(self.bound))

    def distance(self) -> float:
        """Return an upper bound of the channel's distance from the target; see `FloatLaw.distance`."""
        perception, law = self.perception, self._law_balls()
        if perception.features is not None:
            return self._discrepancy_balls(perception.features, law)
        if perception.cost is not None:
            return min(self._transport_balls(law), self._coupling())
        if perception.measure in DIVERGENCES and not self.has_to_be_exact:
            return self._divergence_balls(law)
        target = [arb(t) / self._total for t in perception.target.tolist()]
        outside = arb(perception.outside) / self._total
        return _upper((outside + _sum(abs(t - q) for t, q in zip(target, law, strict=True))) / 2)

    def _law_balls(self) -> list[Any]:
        """Return the law on places; exactly zero where no letter has mass."""
        numbers, law = self.numbers, [arb(0)] * self.perception.n_places
        own = None if self.perception.members is None else numbers.own(self.perception.members)
        scales = [share / row_sum for share, row_sum in numbers.row_shares]
        if own is not None:
            members = list(map(arb, own.tolist()))
            total = _sum(share * part for (share, _), part in zip(numbers.row_shares, members, strict=True))
            scales = [scale * part / total for scale, part in zip(scales, members, strict=True)]
        for column, letter in zip(numbers.channel.T, numbers.letters.tolist(), strict=True):
            used = np.flatnonzero(column if own is None else column * (own > 0))
            place = int(self.perception.place[letter])
            entries = zip(used.tolist(), column[used].tolist(), strict=True)
            law[place] = law[place] + _sum(scales[i] * arb(value) for i, value in entries)
        return law

    def _transport_balls(self, law: list[Any]) -> float:
        proof, cost = self.proof, self.cost()
        if not proof.rows.size:
            return math.inf
        rows, columns, spent = [arb(0)] * cost.shape[0], [arb(0)] * cost.shape[1], arb(0)
        entries = zip(proof.rows.tolist(), proof.columns.tolist(), proof.masses.tolist(), strict=True)
        for i, j, mass in entries:
            moved = arb(mass)
            rows[i], columns[j] = rows[i] + moved, columns[j] + moved
            spent += moved * arb(float(cost[i, j]))
        nothing, total = arb(0), self._total
        missing = _sum(
            (arb(t) / total - r).max(nothing) for t, r in zip(self.perception.target.tolist(), rows, strict=True)
        )
        missing += _sum((s - q).max(nothing) for s, q in zip(columns, law, strict=True))
        return _upper(spent + arb(float(cost.max())) * missing)

    def _coupling(self) -> float:
        perception, numbers = self.perception, self.numbers
        is_own = perception.members is None and np.array_equal(perception.target, numbers.problem.p_x)
        if self.proof.rows.size or not is_own:
            return math.inf
        cost = numbers.own(self.cost())[:, perception.place[numbers.letters]]
        scales, total = [share / row_sum for share, row_sum in numbers.row_shares], arb(0)
        for i, j in zip(*(index.tolist() for index in np.nonzero((numbers.channel > 0) & (cost > 0))), strict=True):
            total += scales[i] * arb(float(numbers.channel[i, j])) * arb(float(cost[i, j]))
        return _upper(total)

    def distance_under(self, exact: FloatLaw) -> float:
        """Return an upper bound of a distance where the law is the target of another limit; inf if unknown."""
        known = self.places_under(exact)
        if known is None:
            return math.inf
        law, total = [arb(0)] * self.perception.n_places, _sum(map(arb, exact.perception.target.tolist()))
        for place, mass in zip(*(array.tolist() for array in known), strict=True):
            law[place] = law[place] + arb(mass) / total
        if self.perception.features is not None:
            return self._discrepancy_balls(self.perception.features, law)
        return self._divergence_balls(law)

    def _divergence_within(self, moved: float) -> float:
        """Return an upper bound of a divergence of laws whose masses differ from the channel's by so much at most."""
        law, shown = self._law_balls(), self._shown()
        return self._divergence_balls(
            [q + arb(0, moved) if is_shown else q for q, is_shown in zip(law, shown, strict=True)]
        )

    @staticmethod
    def _discrepancy_balls(features: np.ndarray, law: list[Any]) -> float:
        shown = [(q, row) for q, row in zip(law, features.tolist(), strict=True) if not bool(q == 0)]
        means = [_sum(q * arb(row[r]) for q, row in shown) for r in range(features.shape[1])]
        return _upper(_sum(mean * mean for mean in means))

    def _divergence_balls(self, law: list[Any]) -> float:
        name = self.perception.measure
        target = [arb(t) / self._total for t in self.perception.target.tolist()]
        outside = arb(self.perception.outside) / self._total
        total = outside * _at_zero(name) if self.perception.outside else arb(0)
        for mass, t, q in zip(self.perception.target.tolist(), target, law, strict=True):
            has_none = bool(q == 0)
            if not mass:
                if not has_none:
                    if math.isinf(DIVERGENCES[name].steepest):
                        return math.inf
                    total += q * _slope(name)
            elif has_none:
                if math.isinf(DIVERGENCES[name].at_zero):
                    return math.inf
                total += t * _at_zero(name)
            else:
                total += t * _F[name](q / t)
        return _upper(total)


def _at_zero(name: str) -> Any:
    return arb(2).log() / 2 if name == _HALF_LOG_2 else arb(DIVERGENCES[name].at_zero)


def _slope(name: str) -> Any:
    return arb(2).log() / 2 if name == _HALF_LOG_2 else arb(DIVERGENCES[name].steepest)


def _sum(values: Iterable[Any]) -> Any:
    return sum(values, arb(0))


def _upper(value: Any) -> float:
    """Return the smallest float that is not below any number of the ball; inf if there is none."""
    return float(float_above(value))
