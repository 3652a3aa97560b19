"""From a problem to the solvers' programme: letters that may be used, and a record of every limit on the law."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.perception.divergence import DIVERGENCES
from rdcsolve.perception.measures import support
from rdcsolve.perception.transport import monotone_order
from rdcsolve.problems import Perception, Problem
from rdcsolve.problems.least_law import AtLeast, at_least
from rdcsolve.rounding import EPS, sum_units, units
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.perception.blocks import Block, ExactBlock, TransportBlock
from rdcsolve.solvers.perception.distance_block import DiscrepancyDistance, DistanceBlock, DivergenceDistance
from rdcsolve.solvers.perception.interior_point import Statement
from rdcsolve.solvers.perception.smooth_newton import SmoothLaw

_INSIDE = 1e-11  # of a limit on a law: how far inside the method aims, so that the rounded channel meets it
_INSIDE_LOSSES = 1e-12  # the same of limits on losses, whose means are rounded less
_UNSURE = 4e-15  # of a divergence at its least: what the check, whose roundings nu multiplies, may find it off by
_SAME_MEAN = 1e-20  # of the largest discrepancy: one that is none
_SHIFTED = 16 * EPS  # of prices and levels: what shifts of both, and the check, round prices by
_ALWAYS = 800  # roundings, of what does not grow with the problem
_ROUNDINGS = 3  # how many times those that the check counts are aimed inside by; half of that is allowed


@dataclass(frozen=True, eq=False)
class Law:
    """One limit on the law, over the places that letters in use show.

    Attributes
    ----------
    index : int
        Of the perception.
    perception : Perception
    bound : float
        inf where the multiplier is given.
    given : float or None
        The multiplier, where it is given.
    atoms : numpy.ndarray
        Shape (T',): the target's atoms of positive mass, of a transport distance.
    shown : numpy.ndarray
        Shape (m',): which places are shown.
    place : numpy.ndarray
        Shape (k,): what every letter in use shows, as a position in `shown`.
    order : tuple of numpy.ndarray or None
        An order of atoms and places in which costs are Monge.
    n_symbols : int
        Of the source.
    weights : numpy.ndarray or None
        Shape (n,), of mean one over the task's symbols: how much each counts, in the law of a class.
    moved : float
        Mass that the check may move to make laws of classes exact.
    read : AtLeast or None
        How a limit at the least distance of any law is read. An f-divergence's is solved as one at zero.
    stated : Perception or None
        The f-divergence that such a limit is about.
    """

    index: int
    perception: Perception
    bound: float
    given: float | None
    atoms: np.ndarray
    shown: np.ndarray
    place: np.ndarray
    order: tuple[np.ndarray, np.ndarray] | None
    n_symbols: int
    weights: np.ndarray | None = None
    moved: float = 0.0
    read: AtLeast | None = None
    stated: Perception | None = None

    @property
    def is_least(self) -> bool:
        """Whether laws within the limit are those at the least distance, which a channel has to have exactly."""
        return self.read is not None and not self.is_zero

    def exact_law(self, q: np.ndarray, plan: np.ndarray | None) -> np.ndarray:
        """Return a law at the least distance, shape (m',), near one that nearly is; a plan (T', m') tells where."""
        assert self.read is not None
        if self.perception.cost is None:  # total variation: all of the target's masses, and more anywhere
            more = np.maximum(q - self.target, 0.0)
            return np.asarray(self.target + more * (self.outside / max(float(more.sum()), 1e-300)))
        assert self.read.exact.cost is not None
        free = self.read.exact.cost[np.ix_(self.atoms, self.shown)] == 0
        kept = np.where(free, q if plan is None else plan, 0.0)
        sums = kept.sum(axis=1, keepdims=True)
        kept = np.where(sums > 0, kept, free)
        return np.asarray((self.target / self.target.sum()) @ (kept / kept.sum(axis=1, keepdims=True)))

    @property
    def misplaced(self) -> float:
        """Mass that the check may find misplaced in a law of a class that is exact but for rounding, twice."""
        if not (self.is_zero or self.is_least) or self.weights is None:
            return 0.0
        return units(4 * (2 * sum_units(self.n_symbols) + sum_units(self.place.size) + self.place.size + 64))

    @property
    def is_zero(self) -> bool:
        """Whether the limit is zero."""
        return self.bound == 0

    @property
    def target(self) -> np.ndarray:
        """The target's masses, divided by their sum: of atoms, or of the places shown."""
        masses = self.perception.target
        own = masses[self.shown] if self.perception.compares_masses else masses[self.atoms]
        return np.asarray(own / (math.fsum(masses) + self.perception.outside))

    @property
    def outside(self) -> float:
        """Mass of the target that no letter in use can show, for measures that compare places."""
        if not self.perception.compares_masses:
            return 0.0
        if self.shown.size == self.perception.n_places and not self.perception.outside:
            return 0.0
        return max(0.0, 1.0 - float(self.target.sum()))

    @property
    def cost(self) -> np.ndarray:
        """Costs between atoms and the places shown, shape (T', m')."""
        assert self.perception.cost is not None
        return np.asarray(self.perception.cost[np.ix_(self.atoms, self.shown)])

    @property
    def features(self) -> np.ndarray:
        """Features of the places shown, shape (m', r), of a discrepancy."""
        assert self.perception.features is not None
        return np.asarray(self.perception.features[self.shown])

    def witness(self, law: np.ndarray) -> np.ndarray:
        """Return what bounds a discrepancy near a law on the places shown, shape (r,); nothing for other measures."""
        if self.perception.features is None:
            return np.empty(0)
        return np.asarray(law @ self.features / float(law.sum()))

    def exact_target(self) -> np.ndarray:
        """Return the only law at distance zero, shape (m',), where no mass is `missing`.

        Raises
        ------
        InvalidInput
            If there are several.
        """
        if self.perception.cost is None:
            return self.target
        free = self.cost == 0
        if (free.sum(axis=1) > 1).any():
            raise InvalidInput(
                f"'{self.perception.name}' is limited to zero, where several reproductions cost an atom nothing; give "
                "a small positive limit, or a cost that tells them apart"
            )
        return np.bincount(free.argmax(axis=1), weights=self.target, minlength=self.shown.size)

    @property
    def missing(self) -> float:
        """Mass of the target that no letter in use can take at distance zero."""
        if self.perception.cost is None:
            return self.outside
        return float(self.target[~(self.cost == 0).any(axis=1)].sum())

    def least_price(self, w: np.ndarray) -> float:
        """Return the price of places that no letter in use shows: the least, and not above zero where mass is there."""
        least = float(w.min())
        return min(least, 0.0) if self.missing else least

    def mean_price(self, w: np.ndarray) -> float:
        """Return the mean of prices w, shape (m',), of a law at distance zero; missing mass has the least price."""
        least = self.least_price(w)
        if self.perception.cost is None:
            return float(self.target @ w) + self.outside * least
        reached = self.cost == 0
        own = np.where(reached, w, -math.inf).max(axis=1)
        return float(self.target @ np.where(reached.any(axis=1), own, least))

    @property
    def measured(self) -> Perception:
        """The measure over the places shown, the target's masses divided by their sum."""
        cost = self.cost if self.perception.cost is not None else None
        features = self.features if self.perception.features is not None else None
        name, measure = self.perception.name, self.perception.measure
        return Perception(name, measure, self.target, self.place, cost, self.outside, features)

    def law(self, p: np.ndarray, channel: np.ndarray) -> np.ndarray:
        """Return the law on the places shown, shape (m',), of a channel (n, k) to letters in use, p (n,)."""
        own = p if self.weights is None else p * self.weights
        return np.bincount(self.place, weights=own @ channel, minlength=self.shown.size)

    def support(
        self, w: np.ndarray, nu: float, tau: float, law: np.ndarray | None = None
    ) -> tuple[float, float, float]:
        """Return what prices w, shape (m',), cost besides nu P, and the scalars nu and tau that are charged.

        The level is raised until no price is beyond the domain of f*. There f* is steep, so that what counts is prices
        that rounding may have raised. A discrepancy is bounded near a law (m',).
        """
        if self.stated is not None:
            return self._finite_support(w)
        if self.is_zero:
            return self.mean_price(w), nu, tau
        if self.perception.measure not in DIVERGENCES:
            return support(self.measured, w, nu, tau, None if law is None else self.witness(law)), nu, tau
        w = w + _SHIFTED * (float(np.abs(w).max()) + abs(tau))
        steepest, top = DIVERGENCES[self.perception.measure].steepest, float(w.max())
        if nu and math.isfinite(steepest):
            tau = max(tau, top - nu * steepest * (1 - _SHIFTED) + _SHIFTED * (abs(top) + abs(tau)))
        return support(self.measured, w, nu, tau), nu, tau

    def _finite_support(self, w: np.ndarray) -> tuple[float, float, float]:
        """Return what prices w, shape (m',), cost besides nu P, nu and tau, of a divergence at its least.

        There f is nearly a parabola at the only ratio 1 / T of masses: nu balances what is left to second order with
        what its own roundings cost.
        """
        assert self.stated is not None
        assert self.read is not None
        divergence, total = DIVERGENCES[self.stated.measure], math.fsum(self.stated.target) + self.stated.outside
        share, used = math.fsum(self.stated.target) / total, self.target > 0
        ratio = np.array([1 / share])
        mean = float(self.target @ w)
        spread = float(self.target @ (w - mean) ** 2)
        bend = share / float(divergence.bend(ratio)[0])
        least = share * float(divergence.f(ratio)[0]) + (1 - share) * divergence.at_zero
        room = max(self.read.bound - least, 0.0) + _UNSURE
        slope = float(divergence.slope(ratio)[0])
        nu = max(math.sqrt(0.5 * bend * spread / room), 1e-3 * (float(w.max()) - mean))
        if math.isfinite(divergence.steepest):
            nu = max(nu, 2 * (float(w.max()) - mean) / (divergence.steepest - slope))
        tau = mean - nu * slope
        values = divergence.conjugate((w[used] - tau) / nu).value
        lost = (1 - share) * divergence.at_zero
        return tau + nu * (share * float(self.target[used] @ values) - lost), nu, tau

    def block(self) -> Block:
        """Return what the limit adds to the programme, aimed a little inside of it."""
        if self.is_zero:
            return ExactBlock(self.exact_target())
        perception = self.perception
        if perception.measure in DIVERGENCES:
            known = self.smooth()
            assert known.divergence is not None
            distance = DivergenceDistance(self.target, known.divergence)
            return DistanceBlock(distance, self.shown.size, known.limit, known.given)
        if perception.features is not None:
            limit = 0.0 if self.given is not None else self.aimed
            quadratic = DiscrepancyDistance(self.features, perception.scale, self._at_no_discrepancy())
            return DistanceBlock(quadratic, self.shown.size, limit, self.given)
        target, cost = (self.target, self.cost) if perception.cost is not None else self._total_variation()
        # what every plan costs is taken off, or nothing would be left of a limit just above it
        cost = cost - cost.min(axis=1, keepdims=True)
        return TransportBlock(target, cost, 0.0 if self.given is not None else self.aimed - self.least, self.given)

    @cached_property
    def least(self) -> float:
        """A distance that no law on the places shown is below."""
        if self.perception.cost is not None:
            return float(self.target @ self.cost.min(axis=1)) / float(self.target.sum())
        return self.outside if self.perception.measure == "tv" else 0.0

    @property
    def charged(self) -> float:
        """The limit as the check reads it."""
        return self.bound if self.read is None else self.read.bound

    @property
    def room(self) -> float:
        """What the limit leaves above the least distance."""
        return max(self.bound - self.least, 0.0)

    @property
    def allowed(self) -> float:
        """How far a law may be for the check to find the limit met, roundings included."""
        return self.bound - self.room * 0.5 * _INSIDE - 0.5 * self._rounding

    @property
    def aimed(self) -> float:
        """How far the law is to be: a little less than allowed."""
        return self.bound - self.room * _INSIDE - self._rounding

    @property
    def _rounding(self) -> float:
        """What the check may find a distance longer by, but no share of the limit that would matter.

        It counts the roundings of a letter's mass, which is a sum over symbols, of a place's, a sum over letters, and
        of the sums over a plan's rows and columns, and charges each for what is sent and for what is received. An
        interior point's plan has an entry for every atom and place, so those sums are long.
        """
        of_law = sum_units(self.n_symbols) + sum_units(self.place.size) + self.place.size + 16
        of_plan = 4 * max(self.atoms.size, self.shown.size) + 8  # what is filled up may stand there twice
        count: float = _ROUNDINGS * 2 * (2 * of_law + of_plan) + _ALWAYS
        if self.weights is not None:  # a symbol's share of a class is a product more, and is divided by a sum
            count += 2 * (2 * sum_units(self.n_symbols) + 32)
        scale = self.perception.scale
        if self.moved:
            members = self.perception.members
            share = 1.0 if members is None or self.weights is None else float(members.max() / self.weights.max())
            count += 2 * self.moved / units(1) / share
        if self.perception.features is not None:  # a square is known as its root is: the less of it, the better
            scale = 2 * math.sqrt(scale * self.bound) if math.isfinite(self.bound) else scale
        return min(units(count) * scale, 0.1 * self.room)

    def smooth(self) -> SmoothLaw:
        """Return what Newton's method needs to know, aimed a little inside the limit; masses in the letters' order."""
        if self.is_zero:
            return SmoothLaw(self.exact_target()[self.place], None)
        divergence = DIVERGENCES[self.perception.measure]
        lost = self.outside * divergence.at_zero if self.outside else 0.0
        limit = 0.0 if self.given is not None else self.aimed
        return SmoothLaw(self.target[self.place], divergence, limit - lost, self.given)

    def _at_no_discrepancy(self) -> np.ndarray | None:
        """Return the target as a law on the places shown, shape (m',), if that is what it is."""
        masses = self.perception.target
        if masses.size != self.perception.n_places:
            return None
        law = masses[self.shown] / math.fsum(masses)
        mean = law @ self.features
        return law if float(mean @ mean) <= _SAME_MEAN * self.perception.scale else None

    def _total_variation(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the total variation as a transport distance, with one more atom for mass that no place shows."""
        target, m = self.target, self.shown.size
        used = target > 0
        cost = 1 - np.eye(m)[used]
        target = target[used]
        if self.outside > 0:
            target, cost = np.append(target, self.outside), np.vstack([cost, np.ones(m)])
        return target, cost


@dataclass(frozen=True, eq=False)
class Programme:
    """The task, its letters in use, and its limits on laws.

    Attributes
    ----------
    problem : Problem
    task : ReducedProblem
        Without the limits on laws.
    letters : numpy.ndarray
        Shape (k,): indices of the letters in use.
    laws : tuple of Law
        Those that are limited, or have a multiplier.
    ruled_out : numpy.ndarray or None
        Mask (n, k): pairs that the laws of classes rule out.
    """

    problem: Problem
    task: ReducedProblem
    letters: np.ndarray
    laws: tuple[Law, ...]
    ruled_out: np.ndarray | None = None

    @property
    def is_smooth(self) -> bool:
        """Whether there is one law, whose support function is smooth, and one letter for every place."""
        if len(self.laws) != 1 or self.laws[0].shown.size != self.letters.size or self.laws[0].weights is not None:
            return False
        return self.laws[0].is_zero or self.laws[0].perception.measure in DIVERGENCES

    @property
    def p(self) -> np.ndarray:
        """Masses of symbols, divided by their sum; shape (n,)."""
        return self.task.p / math.fsum(self.task.p)

    @cached_property
    def allowed(self) -> np.ndarray:
        """How large means of losses may be, shape (R,), for the check to find limits met once laws are made exact."""
        bounds, moved = np.asarray(self.task.bounds), sum(law.misplaced for law in self.laws)
        if not moved:
            return bounds
        losses, forbidden = self.task.letters.tables(self.letters)
        spreads = [np.ptp(loss if forbidden is None else loss[~forbidden]) for loss in map(np.asarray, losses)]
        return np.asarray(bounds - np.minimum(moved * np.array(spreads), 1e-3 * np.abs(bounds)))

    def statement(self) -> Statement:
        """Return what the interior point works on."""
        losses, forbidden = self.task.letters.tables(self.letters)
        stacked = np.array([np.asarray(loss) for loss in losses])
        bounds = np.where(self.task.free, self.allowed * (1 - _INSIDE_LOSSES), 0.0)
        if self.ruled_out is not None:
            forbidden = self.ruled_out if forbidden is None else forbidden | self.ruled_out
        places, weights = tuple(law.place for law in self.laws), tuple(law.weights for law in self.laws)
        return Statement(self.p, stacked, forbidden, bounds, self.task.free, places, weights)


def programme_of(problem: Problem, task: ReducedProblem) -> Programme:
    """Return the programme of a problem, whose task without the limits on laws is known."""
    if not task.letters.is_stored:
        raise InvalidInput(
            "limits on the law of the reproduction need losses stored as tables; give them as arrays, or use fewer "
            "symbols or letters"
        )
    letters = np.arange(problem.n_letters)
    counted = [k for k in range(len(problem.perceptions)) if _counts(problem, k)]
    for k in counted:
        if problem.perceptions[k].members is None:
            letters = letters[possible_places(problem, k)[problem.perceptions[k].place[letters]]]
    ruled_out = _ruled_out(problem, task, counted)
    never = ruled_out if task.letters.forbidden is None else task.letters.forbidden | ruled_out
    letters = letters[~never[:, letters].all(axis=0)]
    if not letters.size or never[:, letters].all(axis=1).any():
        raise InvalidInput("the limits on the law of the reproduction leave no letter")
    if len(counted) == 1 and problem.perceptions[counted[0]].measure in DIVERGENCES and not ruled_out.any():
        letters = _one_for_each_place(problem, task, counted[0], letters)
    laws = tuple(_law(problem, k, letters, task) for k in counted)
    moved = sum(law.misplaced for law in laws)
    laws = tuple(law if law.is_zero else replace(law, moved=moved) for law in laws)
    return Programme(problem, task, letters, laws, ruled_out[:, letters] if ruled_out.any() else None)


def _ruled_out(problem: Problem, task: ReducedProblem, counted: list[int]) -> np.ndarray:
    """Return the pairs, mask (n, n_letters), that limits on the laws of classes rule out: see `possible_places`."""
    mask = np.zeros((task.p.size, problem.n_letters), dtype=bool)
    for k in counted:
        perception = problem.perceptions[k]
        if perception.members is not None:
            out = ~possible_places(problem, k)[perception.place]
            mask |= np.outer(perception.members[task.letters.symbols] > 0, out)
    return mask


def _one_for_each_place(problem: Problem, task: ReducedProblem, k: int, letters: np.ndarray) -> np.ndarray:
    """Return the letters without those that are equal to others, which spares the larger programme."""
    _, first, which = np.unique(problem.perceptions[k].place[letters], return_index=True, return_inverse=True)
    if first.size == letters.size:
        return letters
    losses, forbidden = task.letters.tables(letters)
    tables = [np.asarray(loss) for loss in losses] + ([] if forbidden is None else [forbidden])
    if any(not np.array_equal(table, table[:, first[which.ravel()]]) for table in tables):
        return letters
    return np.sort(letters[first])


def _is_zero(problem: Problem, k: int) -> bool:
    if problem.perception_multipliers is not None:
        return False
    perception, bound = problem.perceptions[k], float(problem.perception_bounds[k])
    return bound == 0 or (perception.measure in DIVERGENCES and at_least(perception, bound) is not None)


def possible_places(problem: Problem, k: int) -> np.ndarray:
    """Return which places a law may show at all, shape (m,).

    A limit at zero, ``"kl"`` and ``"chi2"`` rule out places where the target has nothing.
    """
    perception = problem.perceptions[k]
    if not (perception.measure in ("kl", "chi2") or _is_zero(problem, k)):
        return np.ones(perception.n_places, dtype=bool)
    if perception.cost is None:
        return np.asarray(perception.target > 0)
    return np.asarray((perception.cost[perception.target > 0] == 0).any(axis=0))


def _counts(problem: Problem, k: int) -> bool:
    if problem.perception_multipliers is not None:
        return bool(problem.perception_multipliers[k] > 0)
    return math.isfinite(float(problem.perception_bounds[k]))


def _law(problem: Problem, k: int, letters: np.ndarray, task: ReducedProblem) -> Law:
    perception = problem.perceptions[k]
    given = None if problem.perception_multipliers is None else float(problem.perception_multipliers[k])
    own = perception.place[letters]
    weights = perception.weights(problem.p_x)
    if weights is None:
        shown, place = np.unique(own, return_inverse=True)
    else:  # what letters that the class cannot use show does not matter
        shown = np.unique(own[possible_places(problem, k)[own]])
        place = np.minimum(np.searchsorted(shown, own), shown.size - 1)
        weights = weights[task.letters.symbols]
    atoms = np.empty(0, dtype=np.intp) if perception.compares_masses else np.flatnonzero(perception.target > 0)
    order = None if perception.cost is None else monotone_order(perception.cost[np.ix_(atoms, shown)])
    bound = float(problem.perception_bounds[k])
    read = at_least(perception, bound)
    law = Law(k, perception, bound, given, atoms, shown, place.ravel(), order, problem.n_x, weights, read=read)
    if read is None or perception.measure not in DIVERGENCES:
        return law
    return replace(law, perception=read.exact, bound=0.0, stated=perception)
