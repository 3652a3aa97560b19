"""What a certificate proves about the law of the reproduction, in floating point, with every rounding counted.

For each measure there are two numbers: h(w), which the mean price of the places does not exceed by more than nu d, and
the distance d of the channel's own law from the target. Both are rounded up. Masses of the target, those without a
place among them, are divided by their exact sum.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.problems import Perception
from rdcsolve.problems.least_law import at_least
from rdcsolve.rounding import ELEMENTARY, EPS, TINY, exact_dot, sum_units, units, up, weighted_sums

_NO_BOUND = math.inf


class Divergence(NamedTuple):
    """An f-divergence sum_j p_j f(q_j / p_j), f convex, f(1) = f'(1) = 0, for arrays of floats or for balls.

    Attributes
    ----------
    f : callable
        f(t) for t > 0, and by how much floats err at most, absolutely.
    at_zero : float
        f(0); errs by at most EPS of itself, and not downwards.
    conjugate : callable
        An upper bound of f*(s) = sup_t (s t - f(t)), which increases, in floats.
    steepest : float
        f'(infinity), the end of the domain of f*; rounded down.
    """

    f: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
    at_zero: float
    conjugate: Callable[[np.ndarray], np.ndarray]
    steepest: float


def _kl(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    term = t * np.log(t)
    return term - t + 1, ELEMENTARY * np.abs(term) + units(4) * (np.abs(term) + t + 1)


def _reverse_kl(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    log = np.log(t)
    return t - 1 - log, ELEMENTARY * np.abs(log) + units(4) * (np.abs(log) + t + 1)


def _chi2(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    value = (t - 1) ** 2
    return value, units(6) * value


def _reverse_chi2(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    value = (t - 1) ** 2 / t
    return value, units(6) * value


def _hellinger(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    value: np.ndarray = 0.5 * ((t - 1) / (np.sqrt(t) + 1)) ** 2
    return value, units(12) * value


def _js(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = t * np.log(t), (1 + t) * np.log((1 + t) / 2)
    size = np.abs(first) + np.abs(second) + (1 + t)
    return 0.5 * (first - second), (ELEMENTARY + units(8)) * size


def _rounded_up(value: np.ndarray, relative: float) -> np.ndarray:
    return np.asarray(value + relative * np.abs(value))


def _kl_conjugate(s: np.ndarray) -> np.ndarray:
    return _rounded_up(np.expm1(s), ELEMENTARY + EPS)


def _reverse_kl_conjugate(s: np.ndarray) -> np.ndarray:
    return _rounded_up(-np.log1p(-s), ELEMENTARY + EPS)


def _chi2_conjugate(s: np.ndarray) -> np.ndarray:
    # s + s^2 / 4 beyond -2; each term is rounded a few times, on its own scale
    return np.where(s > -2, s + s * s / 4 + units(6) * (np.abs(s) + s * s / 4), -1.0)


def _reverse_chi2_conjugate(s: np.ndarray) -> np.ndarray:
    return _rounded_up(2 * s / (1 + np.sqrt(1 - s)), units(8))


def _hellinger_conjugate(s: np.ndarray) -> np.ndarray:
    return _rounded_up(s / (1 - 2 * s), units(8))


def _js_conjugate(s: np.ndarray) -> np.ndarray:
    rise = _rounded_up(np.expm1(2 * s), ELEMENTARY + EPS)
    return _rounded_up(-0.5 * np.log1p(-np.minimum(rise, 1.0)), ELEMENTARY + 2 * EPS)


DIVERGENCES = {
    "kl": Divergence(_kl, 1.0, _kl_conjugate, math.inf),
    "reverse_kl": Divergence(_reverse_kl, math.inf, _reverse_kl_conjugate, 1.0),
    "chi2": Divergence(_chi2, 1.0, _chi2_conjugate, math.inf),
    "reverse_chi2": Divergence(_reverse_chi2, math.inf, _reverse_chi2_conjugate, 1.0),
    "hellinger": Divergence(_hellinger, 0.5, _hellinger_conjugate, 0.5),
    "js": Divergence(_js, 0.5 * math.log(2) * (1 + EPS), _js_conjugate, 0.5 * math.log(2) * (1 - EPS)),
}
"""By name. Conjugates are those of theory: e^s - 1, -log(1 - s), (1 + s/2)_+^2 - 1, 2 - 2 sqrt(1 - s), s / (1 - 2s),
-log(2 - e^2s) / 2."""


class FloatLaw:
    """Bounds on what one measure of the reproduction's law is worth, and on how far the channel's law is away.

    Parameters
    ----------
    perception : Perception
    proof : LawProof
        Fit for the measure.
    bound : float
        The limit; inf if there is none. At the least distance of any law it is read as that and what computing it
        rounds by.
    numbers : FloatNumbers
        Of the channel.
    """

    def __init__(self, perception: Perception, proof: LawProof, bound: float, numbers: FloatNumbers) -> None:
        self.at_least = at_least(perception, bound)
        bound = bound if self.at_least is None else self.at_least.bound
        self.perception, self.proof, self.bound, self.numbers = perception, proof, bound, numbers
        self.nu, self.w = proof.multiplier, proof.prices
        # of the target's masses, with those that have no place, above one
        self.over = math.fsum([-1.0, perception.outside, *perception.target.tolist()])

    def from_above(self) -> FloatLaw:
        """Return the law as the upper bound sees it: at zero of another measure, if only that meets the limit."""
        if self.at_least is None or self.distance() <= self.bound:
            return self
        exact, proof = self.at_least.exact, self.proof
        if exact.cost is not None and self.perception.cost is None:
            proof = self._spread(exact)
        return type(self)(exact, proof, 0.0, self.numbers)

    def _spread(self, exact: Perception) -> LawProof:
        """Return the plan that leaves masses where they are; what is more than the target's is of its last atom."""
        law, _ = FloatLaw._law(self)
        target = exact.target / math.fsum(exact.target)
        kept, more = np.minimum(target[:-1], law), np.maximum(law - target[:-1], 0.0)
        more *= min(1.0, float(target[-1]) / max(float(more.sum()), TINY))
        places = np.arange(law.size)
        rows = np.concatenate([places, np.full(law.size, law.size)])
        return replace(
            self.proof, rows=rows, columns=np.concatenate([places, places]), masses=np.concatenate([kept, more])
        )

    @property
    def has_to_be_exact(self) -> bool:
        """Whether the limit leaves only the target's own mass where it costs nothing."""
        return self.bound == 0

    @property
    def is_of_class(self) -> bool:
        """Whether it is the law of a class alone."""
        return self.perception.members is not None

    def is_beside(self, others: list[FloatLaw]) -> bool:
        """Whether the law is of a class that has no symbol in common with those of other laws."""
        own, theirs = self.perception.members, [law.perception.members for law in others]
        return own is not None and all(members is not None and not (members * own).any() for members in theirs)

    @property
    def can_be_exact(self) -> bool:
        """Whether some law is at distance zero: all of the target's mass has a place where it costs nothing."""
        if self.perception.cost is None:
            return not self.perception.outside and self.perception.features is None
        return bool((self.perception.cost[self.perception.target > 0] == 0).any(axis=1).all())

    @property
    def share(self) -> float:
        """A lower bound of the mass of the class whose law it is."""
        if self.perception.members is None:
            return 1.0
        total = exact_dot((self.numbers.masses, self.numbers.own(self.perception.members)))
        return float(total / (1.0 + self.numbers.excess_mass) * (1 - units(8)))

    @property
    def is_lipschitz(self) -> bool:
        """Whether moving mass changes the distance by no more than a multiple of it."""
        return self.perception.measure not in DIVERGENCES and self.perception.features is None

    def raised(self, distance: float, moved: float, exact: FloatLaw | None) -> float:
        """Return an upper bound of a distance after some mass was moved, which makes the law what `exact` asks for.

        What misses that one's own target is allowed for by the caller.
        """
        if not moved or exact is None or self.has_to_be_exact:
            return distance
        if self.is_lipschitz:  # all that is moved may be of the class
            return up(distance + up(up(moved / self.share) * self.perception.scale))
        if exact.is_of_class:
            return self._raised_by_classes(distance, up(moved / self.share))
        return max(distance, self.distance_under(exact))

    def _raised_by_classes(self, distance: float, moved: float) -> float:
        """Return an upper bound of a distance once no more mass of the law was moved; inf if unknown."""
        if self.perception.features is not None:  # the mean of features moves by twice that, times their length
            root = math.sqrt(distance) + 2 * moved * math.sqrt(self.perception.scale)
            return up(root * root * (1 + units(64)))
        divergence = DIVERGENCES[self.perception.measure]
        if math.isinf(divergence.steepest) and not (self.perception.target > 0).all():
            return _NO_BOUND
        new = up(moved * divergence.steepest * (1 + 8 * EPS)) if math.isfinite(divergence.steepest) else 0.0
        return max(distance, up(self._divergence_within(moved) + new))

    def _divergence_within(self, moved: float) -> float:
        """Return an upper bound of a divergence of laws whose masses differ from the channel's by so much at most."""
        law, relative = self._law()
        return self._divergence_of(law, relative + up(moved) / np.maximum(law, TINY), self._shown())

    def places_of_atoms(self) -> np.ndarray | None:
        """Return where each atom of the target is at distance zero, shape (T,); None unless it is at one place only.

        Atoms without mass are anywhere.
        """
        cost, used = self.perception.cost, self.perception.target > 0
        if cost is None:
            return np.arange(used.size) if self.can_be_exact else None
        free = cost == 0
        return free.argmax(axis=1) if (free[used].sum(axis=1) == 1).all() else None

    def places_under(self, exact: FloatLaw) -> tuple[np.ndarray, np.ndarray] | None:
        """Return our place of each atom of another law's target, where the law is that target, and their masses.

        None where that is not known: where letters that show one place there show several here, or none.
        """
        atoms = exact.places_of_atoms()
        if atoms is None or self.is_of_class or exact.is_of_class:
            return None
        here = np.full(exact.perception.n_places, -1)
        here[exact.perception.place] = self.perception.place
        if not np.array_equal(here[exact.perception.place], self.perception.place):
            return None
        used = exact.perception.target > 0
        places = here[atoms[used]]
        return (places, exact.perception.target[used]) if (places >= 0).all() else None

    def distance_under(self, exact: FloatLaw) -> float:
        """Return an upper bound of a distance where the law is the target of another limit; inf if unknown."""
        known = self.places_under(exact)
        if known is None:
            return _NO_BOUND
        places, masses = known
        law = np.bincount(places, masses, self.perception.n_places) / (1.0 + exact.over)
        if self.perception.features is not None:
            return self._discrepancy(self.perception.features, law, units(masses.size + 4))
        return self._divergence_of(law, units(masses.size + 4), law > 0)

    def cost(self) -> np.ndarray:
        """Return costs, shape (T, m); those of a limit at zero count as zero or one, which limits the same laws."""
        assert self.perception.cost is not None
        return (self.perception.cost > 0).astype(float) if self.has_to_be_exact else self.perception.cost

    # ------------------------------------------------------------------------------------------- from below

    def support(self) -> float:
        """Return an upper bound of h(w), nats, inf if there is none: E w <= h(w) + nu d for every channel.

        With an infinite multiplier it holds for channels with d = 0.
        """
        perception = self.perception
        if self.nu == 0:
            return self._largest_price()
        if perception.features is not None:
            return self._discrepancy_support(perception.features)
        if perception.cost is not None:
            return self._mean(self._potential(perception.cost))
        if math.isinf(self.nu):
            return self._mean(self.w) if not perception.outside else _NO_BOUND
        if perception.measure in DIVERGENCES:
            return self._divergence_support(DIVERGENCES[perception.measure])
        if perception.is_exact:
            return _NO_BOUND
        away = float(self.w.max()) - self.nu
        away += EPS * abs(away)
        total = exact_dot((perception.target, np.maximum(self.w, away)), plus=(perception.outside * away,))
        return self._over_sum(total, perception.outside * abs(away))

    def _largest_price(self) -> float:
        return float(self.w.max())

    def _potential(self, cost: np.ndarray) -> np.ndarray:
        """Return upper bounds of max_j (w_j - nu c_ij), shape (T,).

        With nu' = fl(nu (1 - 16 UNIT)), fl(nu' c) <= nu c (1 - 13 UNIT). So a difference is at least (w - nu c) less
        UNIT w, its own rounding included, and adding the largest w is rounded by at most UNIT (w + nu c) more.
        """
        if math.isinf(self.nu):
            return np.asarray(np.where(cost > 0, -math.inf, self.w).max(axis=1))
        below = self.w - cost * (self.nu * (1 - 8 * EPS))
        return np.asarray(below.max(axis=1) + (2 * EPS * float(self.w.max()) + TINY))

    def _mean(self, values: np.ndarray) -> float:
        """Return an upper bound of the target's mean of values."""
        used = self.perception.target > 0
        if not np.isfinite(values[used]).all():
            return _NO_BOUND
        return self._over_sum(exact_dot((self.perception.target[used], values[used])))

    def _over_sum(self, total: float, size: float = 0.0) -> float:
        """Return an upper bound of a sum over the target, rounded once, divided by its mass."""
        value = total / (1.0 + self.over)
        return up(value + units(6) * (abs(value) + size) + TINY)

    def _divergence_support(self, divergence: Divergence) -> float:
        """Return tau + nu (sum_j t_j f*((w_j - tau) / nu) - outside f(0)), rounded up.

        f* increases, so its argument is rounded up; beyond its domain there is no bound. Places that the target has no
        mass at only need (w - tau) / nu within the domain, or are out of reach where that has no end.
        """
        perception, tau = self.perception, self.proof.level
        s = (self.w - tau) / self.nu
        s = s + (units(4) * np.abs(s) + TINY)
        used = perception.target > 0
        counts = used if math.isinf(divergence.steepest) else np.ones(s.size, dtype=bool)
        if not np.isfinite(s).all() or float(s[counts].max(initial=-math.inf)) > divergence.steepest:
            return _NO_BOUND
        if not math.isfinite(divergence.at_zero) and perception.outside:
            return _NO_BOUND
        with np.errstate(divide="ignore", over="ignore"):
            values = divergence.conjugate(s[used])
        if not np.isfinite(values).all():
            return _NO_BOUND
        lost = perception.outside * divergence.at_zero if perception.outside else 0.0
        mean = exact_dot((perception.target[used], values), plus=(-lost,)) / (1.0 + self.over)
        size = exact_dot((perception.target[used], np.abs(values))) + lost
        return up(tau + self.nu * mean + units(16) * (abs(tau) + self.nu * size))

    def _discrepancy_support(self, features: np.ndarray) -> float:
        """Return max_j (w_j - 2 nu f_j.z) + nu |z|^2, rounded up, for the witness z: |q.f - z|^2 is not negative."""
        z = self.proof.witness if self.proof.witness.size else np.zeros(features.shape[1])
        if math.isinf(self.nu):
            return _NO_BOUND
        twice = 2 * self.nu
        with np.errstate(over="ignore", invalid="ignore"):
            given = twice * (features @ z)
            error = twice * (np.abs(features) @ np.abs(z)) * units(2 * z.size + 8) + TINY
            highest = float((self.w - given + error + units(4) * (np.abs(self.w) + np.abs(given))).max())
            square = self.nu * float(z @ z) * (1 + units(2 * z.size + 8)) + TINY
        total = highest + square
        return up(total + units(4) * (abs(highest) + square)) if math.isfinite(total) else _NO_BOUND

    def charge(self) -> float:
        """Return an upper bound of nu times the limit, nats."""
        if self.nu == 0 or self.bound == 0:
            return 0.0
        return up(self.nu * self.bound)

    # ------------------------------------------------------------------------------------------- the channel

    def distance(self) -> float:
        """Return an upper bound of the channel's distance from the target.

        For a limit at zero it is the mass that is not where it should be, and so it is for ``"exact"``.
        """
        law, relative = self._law()
        if self.perception.features is not None:
            return self._discrepancy(self.perception.features, law, relative)
        if self.perception.cost is not None:
            return min(self._transport(law, relative), self._coupling())
        if self.perception.measure in DIVERGENCES and not self.has_to_be_exact:
            return self._divergence_of(law, relative, self._shown())
        target = self.perception.target / (1.0 + self.over)
        outside = self.perception.outside / (1.0 + self.over)
        apart = 0.5 * math.fsum([outside, *np.abs(target - law).tolist()])
        return apart + relative + units(6)

    def _law(self) -> tuple[np.ndarray, float]:
        """Return the law on places, shape (m,), and by how much of itself each mass errs."""
        numbers, members = self.numbers, self.perception.members
        count = sum_units(numbers.letters.size) + sum_units(numbers.n_rows) + numbers.channel_rows.n_blocks + 12
        if members is None:
            return self.perception.law(numbers.letters, numbers.survey.masses), units(count + numbers.letters.size)
        # shares are masses over sums of rows and the sum of masses; what is divided by has one exact sum more
        own = numbers.shares * numbers.own(members)
        law = self.perception.law(numbers.letters, weighted_sums(own, numbers.channel)) / self.share
        return law, units(count + numbers.letters.size + sum_units(numbers.n_rows) + 24)

    def _shown(self) -> np.ndarray:
        """Return which places have mass, shape (m,): masses too small for a float are masses."""
        channel, members = self.numbers.channel, self.perception.members
        channel = channel if members is None else channel[self.numbers.own(members) > 0]
        letters = self.numbers.letters[(channel > 0).any(axis=0)]
        shown = np.zeros(self.perception.n_places, dtype=bool)
        shown[self.perception.place[letters]] = True
        return shown

    def _transport(self, law: np.ndarray, relative: float) -> float:
        """Return what the stored plan costs, and the largest cost for all mass that it does not move.

        Rows and columns of the plan are scaled down to the two laws; what is missing then is at most the sum of what
        rows lack and what columns have too much.
        """
        proof, cost = self.proof, self.cost()
        if not proof.rows.size:
            return _NO_BOUND
        target = self.perception.target / (1.0 + self.over)
        rows = np.bincount(proof.rows, weights=proof.masses, minlength=cost.shape[0])
        columns = np.bincount(proof.columns, weights=proof.masses, minlength=cost.shape[1])
        most = max(int(np.bincount(index).max()) for index in (proof.rows, proof.columns))
        missing = math.fsum(np.maximum(target - rows, 0.0)) + math.fsum(np.maximum(columns - law, 0.0))
        total = math.fsum(proof.masses)
        missing += (2 * relative + units(2 * most + 8)) * (1.0 + total)
        spent = exact_dot((proof.masses, cost[proof.rows, proof.columns]))
        return up((spent + float(cost.max()) * missing) * (1 + units(4)))

    def _discrepancy(self, features: np.ndarray, law: np.ndarray, relative: float) -> float:
        """Return the squared length of the mean of features, with every coordinate as large as it may be."""
        mean = np.abs(law @ features)
        error = (law @ np.abs(features)) * (relative + units(2 * law.size + 8))
        return up(float(((mean + error) ** 2).sum()) * (1 + units(features.shape[1] + 8)))

    def _coupling(self) -> float:
        """Return the mean cost of symbol and reproduction: they are a plan, where the target is the source's own law.

        Looked at only without a stored plan, since it takes a pass over the channel.
        """
        perception, problem = self.perception, self.numbers.problem
        is_own = perception.members is None and np.array_equal(perception.target, problem.p_x)
        if self.proof.rows.size or not is_own:
            return _NO_BOUND
        numbers, cost = self.numbers, self.numbers.own(self.cost())[:, perception.place[self.numbers.letters]]
        total = math.fsum(numbers.shares * (numbers.channel * cost).sum(axis=1))
        return up(total * (1 + units(2 * cost.shape[1] + 16)))

    def _divergence_of(self, law: np.ndarray, relative: float | np.ndarray, shown: np.ndarray) -> float:
        """Return sum_j t_j f(q_j / t_j): f is convex, so that the ends of every ratio's interval bound it."""
        divergence = DIVERGENCES[self.perception.measure]
        target = self.perception.target / (1.0 + self.over)
        outside = self.perception.outside / (1.0 + self.over)
        used, total = target > 0, 0.0
        errors = np.broadcast_to(relative, law.shape)
        new = float((law * (1 + errors))[~used].sum())
        if math.isinf(divergence.steepest):
            if shown[~used].any():
                return _NO_BOUND
        elif new > 0:
            total += new * divergence.steepest * (1 + 8 * EPS) * (1 + units(law.size + 8))
        if outside > 0:
            total += outside * divergence.at_zero * (1 + units(4))
        ratios, error = law[used] / target[used], errors[used] + units(6)
        some = ratios > 0
        bounds = np.full(ratios.size, divergence.at_zero)
        if (error[some] >= 1).any():
            return _NO_BOUND
        ends = [divergence.f(ratios[some] * (1 + sign * error[some])) for sign in (1.0, -1.0)]
        bounds[some] = np.maximum(*(value + allowance for value, allowance in ends))
        if not np.isfinite(bounds).all():
            return _NO_BOUND
        total += exact_dot((target[used], np.maximum(bounds, 0.0)))
        return up(total * (1 + units(12)))
