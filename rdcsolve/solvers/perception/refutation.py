"""Limits on the law of the reproduction that no channel meets, and channels far inside of those that some does.

Both come from one linear programme: how far do limits on laws have to be widened, as shares of themselves, so that a
channel within the limits on losses meets them? Its dual is a certificate, as of any other infeasible problem: with
weights for which no channel has a negative mean, u, multipliers and prices may be as large as we like. f-divergences
enter by tangents, more of them where the programme's law is.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from rdcsolve import deadline
from rdcsolve.certificates import Certificate
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.information import entropy
from rdcsolve.perception.divergence import DIVERGENCES
from rdcsolve.perception.measures import distance, nearest_mean, support
from rdcsolve.problems import Perception, Problem
from rdcsolve.solvers.perception.interior_point import Point, Statement
from rdcsolve.solvers.perception.programme import Law, Programme

_CLEARLY = 3.0  # nats by which a refutation's bound is to exceed every rate
_SURELY = 1e-12  # of a least distance: a limit that is below it by no more is not refuted for that
_EXCEEDED = 1e-9  # of the limits: what the programme's rounding may be
_MOST_ROUNDS = 60  # of tangents
_FOLLOWED = 1e-9  # of a limit: how near tangents have to follow a distance
_FIRST_RATIOS = np.concatenate([np.logspace(-4, -0.5, 15), np.linspace(0.4, 2.0, 17), np.logspace(0.5, 3, 11)])
_ACCURATE = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def beyond_reach(problem: Problem) -> tuple[dict[str, float], str, Certificate] | None:
    """Return what refutes a limit on a law below the least distance of any law on letters: that, in words, and proved.

    None if no limit is so far away.
    """
    if problem.multipliers is not None:
        return None
    for k, perception in enumerate(problem.perceptions):
        bound = float(problem.perception_bounds[k])
        places = _usable_places(problem, perception)
        if math.isinf(bound) or not places.size or (perception.measure in DIVERGENCES and bound > 0):
            continue
        least = least_distance(perception, places)
        if least * (1 - _SURELY) > bound:
            nu = (entropy(problem.p_x) + _CLEARLY) / (least - bound)
            what = (
                f"{perception.name} <= {bound:.10g} is below the least distance {least:.10g} of any law on the letters"
            )
            return {perception.name: least}, what, far_away(problem, k, nu, places)
    return None


def _usable_places(problem: Problem, perception: Perception) -> np.ndarray:
    """Return the places of letters that some symbol, or some of the class, may use."""
    if problem.forbidden is None:
        return np.unique(perception.place)
    own = problem.p_x > 0
    own = own if perception.members is None else own & (perception.members > 0)
    return np.unique(perception.place[~problem.forbidden[own].all(axis=0)])


def least_distance(perception: Perception, places: np.ndarray | None = None) -> float:
    """Return a distance that no law on some places, by default all, is below, whatever the other limits."""
    target = perception.target / (math.fsum(perception.target) + perception.outside)
    places = np.arange(perception.n_places) if places is None else places
    if perception.features is not None:
        features = perception.features[places]
        mean = nearest_mean(features)
        return max(0.0, float((2 * (features @ mean)).min() - mean @ mean))  # |y|^2 >= 2 y.z - |z|^2
    if perception.cost is not None:
        return float(target @ perception.cost[:, places].min(axis=1))
    outside = max(0.0, 1.0 - float(target[places].sum())) if places.size < perception.n_places else 0.0
    outside += perception.outside / (math.fsum(perception.target) + perception.outside)
    if perception.measure not in DIVERGENCES:
        return outside
    at_zero = DIVERGENCES[perception.measure].at_zero
    return outside * at_zero if outside else 0.0


def far_away(problem: Problem, k: int, nu: float, places: np.ndarray | None = None) -> Certificate:
    """Return the certificate that all laws on some places, by default all, are far away, by a multiplier alone.

    Places of letters that nobody may use would be near; what others cost more, u makes up for.
    """
    perception = problem.perceptions[k]
    prices, witness = np.zeros(perception.n_places), np.empty(0)
    is_short = places is not None and places.size < prices.size
    if is_short:
        prices[places] = nu * perception.scale
    if perception.features is not None:
        witness = nearest_mean(perception.features[places] if is_short else perception.features)
        if is_short:  # what is added to other places' prices at most
            prices[places] = 4 * nu * math.sqrt(perception.scale * float(witness @ witness))
    laws = [LawProof.idle(one) for one in problem.perceptions]
    laws[k] = LawProof(prices, nu, witness=witness)
    weights = perception.weights(problem.p_x)
    return Certificate(
        objective="rate",
        u=float(prices.max()) * (np.ones(problem.n_x) if weights is None else weights),
        u_rest=np.zeros(problem.n_x),
        multipliers=np.zeros(len(problem.losses)),
        letters=np.empty(0, dtype=np.intp),
        channel=np.empty((problem.n_x, 0)),
        lower=math.nan,
        upper=math.nan,
        fingerprint=problem.fingerprint(),
        laws=tuple(laws),
    )


class Nearest(NamedTuple):
    """How well the limits on laws can be met by channels within those on losses.

    Attributes
    ----------
    excess : float
        The least share t by which all limits on laws have to be widened to (1 + t) times themselves, those at zero to
        t times their scale; -1 at least: then, and for negative t, limits on losses are narrowed as much.
    channel : numpy.ndarray
        Shape (n, k): one for which that is enough.
    weights : Weights
        What proves that it takes so much.
    """

    excess: float
    channel: np.ndarray
    weights: Weights


class Weights(NamedTuple):
    """The dual of the programme: u (n,), multipliers (R,), for every law its multiplier and prices of places (m',)."""

    u: np.ndarray
    multipliers: np.ndarray
    of_laws: tuple[float, ...]
    prices: tuple[np.ndarray, ...]


class _Rows:
    """A linear programme as it is put together: columns come in groups, rows one by one."""

    def __init__(self) -> None:
        self.size = 0
        self.entries: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {"eq": [], "ub": []}
        self.right: dict[str, list[np.ndarray]] = {"eq": [], "ub": []}
        self.count = {"eq": 0, "ub": 0}
        self.of_either_sign: list[int] = []

    def columns(self, count: int) -> np.ndarray:
        """Return the numbers of new columns."""
        self.size += count
        return np.arange(self.size - count, self.size)

    def add(self, kind: str, right: Any, *parts: tuple[Any, np.ndarray, Any]) -> np.ndarray:
        """Add rows, each part with the row's position, the columns and the entries; return the rows' numbers."""
        right = np.atleast_1d(np.asarray(right, dtype=float))
        first = self.count[kind]
        for rows, columns, values in parts:
            rows, columns, values = np.broadcast_arrays(rows, columns, values)
            self.entries[kind].append((first + rows.ravel(), columns.ravel(), values.ravel()))
        self.right[kind].append(right)
        self.count[kind] += right.size
        return np.arange(first, first + right.size)

    def solve(self, objective: np.ndarray, bounds: list[tuple[float | None, float | None]]) -> Any:
        """Return the answer of HiGHS."""
        from scipy.optimize import linprog
        from scipy.sparse import coo_array

        stated: dict[str, Any] = {}
        for kind in ("eq", "ub"):
            if self.count[kind]:
                rows, columns, values = (np.concatenate(part) for part in zip(*self.entries[kind], strict=True))
                shape = (self.count[kind], self.size)
                stated[f"A_{kind}"] = coo_array((values, (rows, columns)), shape=shape).tocsr()
                stated[f"b_{kind}"] = np.concatenate(self.right[kind])
        deadline.look()
        return linprog(objective, **stated, bounds=bounds, method="highs", options=_ACCURATE)


class _Shows(NamedTuple):
    """What pairs of symbol and letter show: their places, columns, and the weights of their masses in a law."""

    place: np.ndarray
    joint: np.ndarray
    weights: np.ndarray

    def times(self, factor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the entries of rows, one for each place, that are the law times a factor."""
        return self.place, self.joint, factor * self.weights


class _Programme:
    """The linear programme of a statement's limits.

    Parameters
    ----------
    programme : Programme
    statement : Statement
    least : float
        The least share by which limits may be widened: 0, or -1 to find a channel with room to spare.
    minimised : int, optional
        A loss whose mean is made least within the limits as they are, a little inside of them, and has none itself.
    """

    def __init__(self, programme: Programme, statement: Statement, least: float, minimised: int | None = None) -> None:
        self.laws, self.statement, self.least, self.minimised = programme.laws, statement, least, minimised
        self.bounds = programme.task.bounds
        n, k = statement.losses.shape[1:]
        allowed = np.ones((n, k), dtype=bool) if statement.forbidden is None else ~statement.forbidden
        self.symbols, self.letters = np.nonzero(allowed)
        self.tangents = {index: _FIRST_RATIOS for index, law in enumerate(self.laws) if _is_divergence(law)}
        self.means = {index: _first_means(law) for index, law in enumerate(self.laws) if _is_discrepancy(law)}

    def solved(self) -> Nearest | None:
        """Return the answer, None where HiGHS has none."""
        found = None
        for _ in range(_MOST_ROUNDS if self.tangents or self.means else 1):
            answer, read = self._once()
            if answer.status != 0:
                return found
            found = read(answer)
            if not self._more(answer, found):
                break
        return found

    def _more(self, answer: Any, found: Nearest) -> bool:
        """Add tangents where the law is, and return whether the divergence is above what they say there."""
        is_above = False
        for index, law in enumerate(self.laws):
            q = law.law(self.statement.p, found.channel)
            if index in self.tangents or index in self.means:
                allowed = law.bound * (1 + answer.x[0])
                is_above |= not distance(law.measured, q) <= allowed * (1 + _FOLLOWED) + 1e-15 * law.perception.scale
            if index in self.means:
                self.means[index] = np.vstack([self.means[index], law.witness(q)])
            if index in self.tangents:
                ratios = q[law.target > 0] / law.target[law.target > 0]
                ratios = ratios[ratios > 1e-9]
                self.tangents[index] = np.unique(np.concatenate([self.tangents[index], ratios]))
        return is_above

    def _once(self) -> tuple[Any, Any]:
        rows = _Rows()
        share, joint = rows.columns(1), rows.columns(self.symbols.size)
        statement = self.statement
        sums = rows.add("eq", statement.p, (self.symbols, joint, 1.0))
        limited = [m for m in np.flatnonzero(statement.is_free).tolist() if m != self.minimised]
        bounds_on = self.bounds if self.minimised is None else statement.bounds
        narrowed = -1.0 if self.least < 0 else 0.0
        of_losses = [
            rows.add(
                "ub",
                bounds_on[m],
                (0, joint, statement.losses[m][self.symbols, self.letters]),
                (0, share, narrowed * self.bounds[m]),
            )
            for m in limited
        ]
        readers = [self._law(rows, index, law, share, joint) for index, law in enumerate(self.laws)]
        objective = np.zeros(rows.size)
        objective[0] = 1.0
        if self.minimised is not None:
            objective[joint] = statement.losses[self.minimised][self.symbols, self.letters]
        bounds: list[tuple[float | None, float | None]] = [(0.0, None)] * rows.size
        for column in rows.of_either_sign:
            bounds[column] = (None, None)
        bounds[0] = (self.least, None if self.least == 0 and self.minimised is None else 0.0)

        def read(answer: Any) -> Nearest:
            channel = np.zeros(statement.losses.shape[1:])
            channel[self.symbols, self.letters] = np.maximum(answer.x[joint], 0.0)
            multipliers = np.zeros(statement.is_free.size)
            if self.minimised is not None:
                multipliers[self.minimised] = 1.0
            for m, row in zip(limited, of_losses, strict=True):
                multipliers[m] = max(0.0, -float(answer.ineqlin.marginals[row[0]]))
            pairs = [reader(answer) for reader in readers]
            of_laws, prices = tuple(nu for nu, _ in pairs), tuple(w for _, w in pairs)
            weights = Weights(answer.eqlin.marginals[sums], multipliers, of_laws, prices)
            return Nearest(float(answer.fun), channel / statement.p[:, None], weights)

        return rows.solve(objective, bounds), read

    def _law(self, rows: _Rows, index: int, law: Law, share: np.ndarray, joint: np.ndarray) -> Any:
        """Add a limit on the law, and return what reads its multiplier and its prices off an answer."""
        place, weights = law.place[self.letters], self.statement.weights[index]
        own = np.ones(place.size) if weights is None else weights[self.symbols]
        shows = _Shows(place, joint, own)
        bound = law.bound if self.minimised is None else law.aimed
        limit, unit = (0.0, law.perception.scale) if law.is_zero else (bound, bound)
        if (law.is_zero or law.is_least) and self.least < 0:
            unit = 0.0
        if law.perception.cost is not None:
            return self._transport(rows, law, shows, (limit, unit), share)
        if index in self.means:
            return self._discrepancy(rows, index, law, shows, (limit, unit), share)
        if index in self.tangents:
            return self._divergence(rows, index, law, shows, (limit, unit), share)
        spare = rows.columns(law.shown.size)
        too_much = rows.add("ub", law.target, shows.times(1.0), (np.arange(spare.size), spare, -1.0))
        row = rows.add("ub", limit, (0, spare, 1.0), (0, share, -unit))

        def read(answer: Any) -> tuple[float, np.ndarray]:
            marginals = answer.ineqlin.marginals
            return max(0.0, -float(marginals[row[0]])), np.maximum(-marginals[too_much], 0.0)

        return read

    def _transport(self, rows: _Rows, law: Law, shows: _Shows, limit: tuple[float, float], share: np.ndarray) -> Any:
        cost = law.cost
        if law.is_zero:
            cost = law.perception.scale * (cost > 0)
        plan = rows.columns(cost.size)
        atoms, places = (index.ravel() for index in np.indices(cost.shape))
        rows.add("eq", law.target / law.target.sum(), (atoms, plan, 1.0))
        balance = rows.add("eq", np.zeros(cost.shape[1]), (places, plan, 1.0), shows.times(-1.0))
        row = rows.add("ub", limit[0], (0, plan, cost.ravel()), (0, share, -limit[1]))

        def read(answer: Any) -> tuple[float, np.ndarray]:
            return max(0.0, -float(answer.ineqlin.marginals[row[0]])), np.asarray(answer.eqlin.marginals[balance])

        return read

    def _discrepancy(
        self, rows: _Rows, index: int, law: Law, shows: _Shows, limit: tuple[float, float], share: np.ndarray
    ) -> Any:
        """Add |y|^2 >= 2 y.z - |z|^2 for some means z of features, y being that of the law."""
        means, features = self.means[index], law.features
        mean = rows.columns(features.shape[1])
        rows.of_either_sign += mean.tolist()
        axis = np.arange(mean.size)
        at, pair = (part.ravel() for part in np.meshgrid(axis, np.arange(shows.joint.size), indexing="ij"))
        entries = features[shows.place[pair], at] * shows.weights[pair]
        rows.add("eq", np.zeros(mean.size), (axis, mean, -1.0), (at, shows.joint[pair], entries))
        every, coordinate = (part.ravel() for part in np.indices(means.shape))
        cuts = rows.add(
            "ub",
            limit[0] + (means**2).sum(axis=1),
            (every, mean[coordinate], 2 * means.ravel()),
            (np.arange(means.shape[0]), share, -limit[1]),
        )

        def read(answer: Any) -> tuple[float, np.ndarray]:
            weights = np.maximum(-answer.ineqlin.marginals[cuts], 0.0)
            return float(weights.sum()), 2 * features @ (weights @ means)

        return read

    def _divergence(
        self, rows: _Rows, index: int, law: Law, shows: _Shows, limit: tuple[float, float], share: np.ndarray
    ) -> Any:
        divergence = DIVERGENCES[law.perception.measure]
        ratios, used = self.tangents[index], np.flatnonzero(law.target > 0)
        slopes, values = divergence.slope(ratios), divergence.f(ratios)
        parts = rows.columns(used.size)
        law_columns = rows.columns(law.shown.size)
        balance = rows.add(
            "eq",
            np.zeros(law.shown.size),
            (np.arange(law.shown.size), law_columns, 1.0),
            shows.times(-1.0),
        )
        for ratio, slope, value in zip(ratios.tolist(), slopes.tolist(), values.tolist(), strict=True):
            at = np.arange(used.size)
            right = law.target[used] * (ratio * slope - value)
            rows.add("ub", right, (at, law_columns[used], slope), (at, parts, -1.0))
        new = np.flatnonzero(law.target <= 0)
        lost = law.outside * divergence.at_zero if law.outside else 0.0
        row = rows.add(
            "ub",
            limit[0] - lost,
            (0, parts, 1.0),
            (0, law_columns[new], divergence.steepest if new.size else 0.0),
            (0, share, -limit[1]),
        )

        def read(answer: Any) -> tuple[float, np.ndarray]:
            return max(0.0, -float(answer.ineqlin.marginals[row[0]])), np.asarray(answer.eqlin.marginals[balance])

        return read


def _is_discrepancy(law: Law) -> bool:
    return law.perception.features is not None


def _first_means(law: Law) -> np.ndarray:
    """Return the mean features near which a discrepancy is bounded at first: of the right length, along every axis."""
    axes = math.sqrt(law.bound) * np.eye(law.features.shape[1])
    return np.vstack([axes, -axes])


def _is_divergence(law: Law) -> bool:
    return law.perception.measure in DIVERGENCES and not law.is_zero


def _at_zero(law: Law) -> float:
    return DIVERGENCES[law.perception.measure].at_zero


def constant_law(programme: Programme, statement: Statement) -> np.ndarray | None:
    """Return a channel (n, k) whose rows are all the same and that meets all limits, None if none was found."""
    never = None if statement.forbidden is None else np.asarray(statement.forbidden.any(axis=0))
    if never is not None and never.all():
        return None
    means = np.einsum("i,ria->ra", statement.p, statement.losses)[:, None, :]
    mask = None if never is None else never[None]
    same = tuple(None for _ in statement.weights)  # classes show what all symbols do
    alone = Statement(np.ones(1), means, mask, statement.bounds, statement.is_free, statement.places, same)
    whole = replace(programme, laws=tuple(replace(law, weights=None) for law in programme.laws))
    found = nearest(whole, alone)
    if found is None or found.excess > 0:
        return None
    return np.repeat(found.channel, statement.p.size, axis=0)


def nearest(programme: Programme, statement: Statement) -> Nearest | None:
    """Return how well the limits can be met: what refutes them, or a channel with room to spare.

    None where a divergence is infinite whatever the channel, since mass has no letter in use.
    """
    if any(_is_divergence(law) and law.outside and math.isinf(_at_zero(law)) for law in programme.laws):
        return None
    found = _Programme(programme, statement, 0.0).solved()
    if found is None or found.excess > _EXCEEDED:
        return found
    return _Programme(programme, statement, -1.0).solved() or found


def least_mean(programme: Programme, statement: Statement, minimised: int) -> Nearest | None:
    """Return the least mean of a loss within all other limits, as `excess`, whose weights have one for that loss.

    None where the programme has no answer.
    """
    if any(_is_divergence(law) and law.outside and math.isinf(_at_zero(law)) for law in programme.laws):
        return None
    return _Programme(programme, statement, 0.0, minimised).solved()


def refuting_point(programme: Programme, statement: Statement, found: Nearest, scale: float) -> Point:
    """Return the dual point of which the programme's weights are a direction, `scale` times them.

    Its prices are the letters' own, so that nothing rests on the accuracy of the programme.
    """
    weights = found.weights
    multipliers = scale * weights.multipliers
    u = scale * weights.u
    prices = tuple(scale * w for w in weights.prices)
    log_prices, shares = statement.log_prices(u, multipliers, prices)
    scalars = []
    for law, nu in zip(programme.laws, weights.of_laws, strict=True):
        if law.is_zero:
            scalars.append((math.inf, 0.0))
        elif _is_divergence(law):
            own = prices[len(scalars)]
            if law.weights is None:
                own = np.full(law.shown.size, -math.inf)
                np.maximum.at(own, law.place, log_prices)
            scalars.append((scale * nu, _best_level(law, own, scale * nu)))
        else:
            scalars.append((scale * nu, 0.0))
    q = programme.p @ found.channel
    return Point(u, multipliers, log_prices, tuple(scalars), prices, q, shares, math.inf)


def _best_level(law: Law, w: np.ndarray, nu: float) -> float:
    """Return the tau with the least support of prices w."""
    measure, steepest = law.measured, DIVERGENCES[law.perception.measure].steepest
    top, width = float(w.max()), float(np.ptp(w)) + nu
    bottom = top - min(steepest, 30.0) * nu
    found = minimize_scalar(
        lambda tau: min(support(measure, w, nu, tau), 1e300),
        bounds=(bottom, top + 30 * width),
        method="bounded",
        options={"xatol": 1e-13 * (abs(top) + width)},
    )
    return float(found.x)


def scale_of(programme: Programme, found: Nearest) -> float:
    """Return by how much weights are to be multiplied, so that their bound exceeds every rate."""
    return (entropy(programme.p) + _CLEARLY) / found.excess
