"""Path following: problems that differ in their limits or multipliers, each solved from a centred iterate of the last.

A solution is a corner, the worst place for an interior point to begin at. What is kept from one problem to the next is
a point of the central path instead, q z = lambda s = mu for one mu. The central path is smooth in the limits, since no
letter leaves it; so a few Newton steps at the same mu take the point along, and a copy of it goes on to the tolerance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from rdcsolve import deadline
from rdcsolve.kernels import backends, make_kernel
from rdcsolve.solvers.finite.column_generation import ColumnGeneration
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.finite.newton_system import Point, Restricted, newton_points
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.finite.repair import repair
from rdcsolve.solvers.finite.restarts import closest, interior_points
from rdcsolve.solvers.loop import Iterate, NumericalBreakdown, Start

_HELD = 3e-6  # nats: complementarity of the iterate that is kept, all pairs together
_ABOVE = 100.0  # tolerances that it is kept above
_CENTRED = 3.0  # times what is held: the gap of a point that is near enough to the central path
_LEAST_PAIR = 0.02  # of what is held: the least product q z of such a point
_MOST_STEPS = 8  # Newton steps at constant complementarity before the way is halved
_SHORTEST = 1 / 64  # of the way to the next limits: shorter steps cost more than a cold start
_FINISH = 0.3  # of the tolerance: what the restricted problem is solved to
_MOST_FINISHING = 30  # Newton steps
_MOST_FIRST = 100
_MOST_ROUNDS = 12
_FEW = 64  # letters that all are kept
_SPACING = 0.4  # between letters of the cover, in the kernel's own metric
_FINER = 0.1  # between those that are priced at once, to see where prices peak
_SLIGHT = 1e-5  # above one: prices that masses of first order bring to one
_SINGULAR = 1e-9  # of the largest singular value
_HALF = 0.5  # least factor of a small correction
_DEAR = 1e-3  # below one: prices further below do not matter to a bound that is nearly one of the whole list
_AROUND = 2  # places on either side of such a peak are priced, too
_MANY = 1000  # letters, from which on pricing them all before the check does takes a large part of the time
_RENEWED = 1.4  # the cover is made anew when a multiplier has changed by this factor
_ROWS = 96  # symbols that the metric is measured on
_DENSE = 0.25  # distance of letters next to each other on a list whose order is a geometry
_WORTH = 0.01  # of the tolerance: what letters may gain by sliding to a neighbour, all together, and stay without them
_NEAR = 0.05  # below one: prices of letters that stay where the list has no geometry
_IDLE = 1e-3  # q / z of letters that leave there


def can_follow(task: ReducedProblem) -> bool:
    """Return whether the task's limits can be moved: they leave room, and the losses are tables in memory."""
    is_plain = task.letters.is_stored and not task.faces and not task.equal.any() and backends.current() is None
    return is_plain and (task.letters.forbidden is None or task.letters.n_letters <= _FEW)


class PathFollowing:
    """The solver of a curve or a surface: it remembers where it has been.

    The problems it is given one after another are neighbours: the same source and losses under other limits, or at
    other multipliers. What cannot be followed, the first of them for one, is solved by `method`.

    Parameters
    ----------
    method : ColumnGeneration or InteriorPoint
    prices_all : bool, optional
        Whether bounds are over all letters. If not, on long lists those far from any that matter are left to the check
        of the answer; whoever asks for the same once more, since the check did not confirm it, has all letters priced.
    """

    name = "path following"

    def __init__(self, method: ColumnGeneration | InteriorPoint, prices_all: bool = True) -> None:
        self.method, self.prices_all = method, prices_all
        self._kept: _Centred | None = None
        self._cover = _Cover.nothing()
        self._peaks = np.empty(0)  # of the prices at the last problem, in places on the list

    def iterates(self, task: ReducedProblem, start: Start | None, tolerance: float) -> Iterator[Iterate]:
        """Yield two iterates per round of letters, centred and finished; see `rdcsolve.solvers.loop.Solver`."""
        kept, self._kept = self._kept, None
        if can_follow(task):
            with suppress(NumericalBreakdown, np.linalg.LinAlgError):
                yield from self._rounds(task, kept, start, tolerance)
            self._kept = None
        yield from self.method.iterates(task, start, tolerance)

    def _rounds(
        self, task: ReducedProblem, kept: _Centred | None, start: Start | None, tolerance: float
    ) -> Iterator[Iterate]:
        hold = max(_HELD, _ABOVE * tolerance)
        if kept is None or not kept.is_neighbour_of(task):
            if start is None:
                return
            kept = self._begun(task, start, hold)
        before = self._peaks
        in_part = not self.prices_all and self._cover.is_ordered and not kept.is_at(task)
        in_part = in_part and task.letters.n_letters > _MANY
        for _ in range(_MOST_ROUNDS):
            kept = kept.moved(task, hold)
            # a step of its own, of which no bound is known: whoever watches may stop here
            yield Iterate(kept.letters, kept.q / kept.q.sum(), kept.log_v, kept.multipliers, -math.inf, math.nan)
            end = kept.finished(_FINISH * tolerance)
            log_v, multipliers = np.log(end.v) - end.kernel.log_scale, end.multipliers
            priced = _Prices.near(task, kept.letters, end, self._cover) if in_part else None
            among = None if priced is None else priced.letters[1 - priced.prices < _DEAR]
            priced = _Prices.of(task, log_v, multipliers) if priced is None else priced
            missing = np.empty(0, dtype=np.intp)
            if self._cover.is_ordered:
                missing = np.setdiff1d(priced.tops(1.0), kept.letters)
                log_v = _levelled(kept, missing, end, priced, log_v)
            mended = repair(task.letters, log_v, multipliers, among=among)
            self._kept = self._for_the_next(kept, end, priced, before, tolerance, hold)
            lower = mended.bound - task.charge(multipliers)
            yield Iterate(kept.letters, end.q / end.q.sum(), mended.log_v, multipliers, lower, end.value)
            new = np.setdiff1d(np.union1d(mended.letters, missing), kept.letters)
            if not (new.size or in_part):
                return
            in_part = in_part and bool(new.size)  # nothing near is missing: then something far is
            kept = kept.with_letters(new, hold)

    def _begun(self, task: ReducedProblem, start: Start, hold: float) -> _Centred:
        """Return a first centred point, near the solution of a neighbour."""
        kernel = task.letters.kernel(start.multipliers)
        q = np.full(task.letters.n_letters, 1e-4 / task.letters.n_letters)
        q[start.letters] += (1 - 1e-4) * start.q
        v = 1 / kernel.matvec(q)
        self._cover = _Cover.of(task, start.multipliers, np.log(v) - kernel.log_scale)
        self._peaks = np.empty(0)
        used = start.q > _IDLE / start.q.size  # interior points leave a trace of mass at every letter
        letters = np.union1d(self._cover.letters, start.letters[used])
        if not self._cover.is_ordered:
            letters = np.union1d(letters, np.flatnonzero(1 - kernel.rmatvec(task.p * v) < _NEAR))
        q = q[letters] / q[letters].sum()
        points = interior_points(task, letters, q, start.multipliers, 5, 1e-3 / letters.size, kept=hold)
        for point in islice(points, _MOST_FIRST):
            deadline.look()
            if _is_centred(point, hold):
                return _Centred.of(task, letters, point)
        raise NumericalBreakdown("no centred iterate was found")

    def _for_the_next(  # noqa: PLR0913 - what is known of one problem
        self, kept: _Centred, end: Point, priced: _Prices, before: np.ndarray, tolerance: float, hold: float
    ) -> _Centred:
        """Return the centred point with the letters that a neighbouring problem is likely to ask for.

        Prices peak at letters with mass. Where these were `before`, at the last problem, tells where they go.
        """
        space = kept.task.letters
        if space.n_letters <= _FEW:
            return kept
        if self._cover.is_outdated(end.multipliers):
            self._cover = _Cover.of(kept.task, end.multipliers, np.log(end.v) - end.kernel.log_scale)
        if not self._cover.is_ordered:
            used = (kept.q > _IDLE * kept.z) | (end.q > 1e-6)
            letters = np.union1d(kept.letters[used], priced.letters[1 - priced.prices < _NEAR])
            return kept.on(letters, hold)
        # c falls away from a letter like its curvature: what letters gain by sliding is that, times their mass
        gains = priced.bends(kept.letters) * end.q
        order = np.argsort(gains)
        sliding = kept.letters[order[np.cumsum(gains[order]) > _WORTH * tolerance]]
        self._peaks = priced.peaks()
        there = _ahead(sliding, self._peaks, before)
        tails = _ahead(_alone(self._peaks, sliding), self._peaks, before)
        beside = np.concatenate([sliding, there - 1, there, there + 1, tails]).clip(0, space.n_letters - 1)
        return kept.on(np.union1d(self._cover.letters, beside), hold)


@dataclass(frozen=True, eq=False)
class _Prices:
    """Letters, increasing, and their prices c, shape (k,) each: of the whole list, or of all that are near one."""

    letters: np.ndarray
    prices: np.ndarray

    @classmethod
    def of(cls, task: ReducedProblem, log_v: np.ndarray, multipliers: np.ndarray) -> _Prices:
        """Return the prices of all letters; log v, shape (n,), in the losses' own scale."""
        kernel = task.letters.kernel(multipliers)
        return cls(np.arange(task.letters.n_letters), kernel.rmatvec(task.p * np.exp(log_v + kernel.log_scale)))

    @classmethod
    def near(cls, task: ReducedProblem, letters: np.ndarray, end: Point, cover: _Cover) -> _Prices:
        """Return the prices of these letters, of a fine cover, and around the places where they seem to peak."""
        log_v = np.log(end.v) - end.kernel.log_scale
        in_hand = cls(letters, end.kernel.rmatvec(task.p * end.v))
        kernel = make_kernel(cover.finer_losses, end.multipliers)  # whose losses are the same for many a point
        spread = cls(cover.finer, kernel.rmatvec(task.p * np.exp(log_v + kernel.log_scale)))
        first = in_hand.joined(spread)
        peaks = np.rint(first.peaks()).astype(np.intp)
        around = (peaks[:, None] + np.arange(-_AROUND, _AROUND + 1)).clip(0, task.letters.n_letters - 1)
        new = np.setdiff1d(around, first.letters)
        kernel = task.letters.kernel_of(new, end.multipliers)
        return first.joined(cls(new, kernel.rmatvec(task.p * np.exp(log_v + kernel.log_scale))))

    def joined(self, other: _Prices) -> _Prices:
        """Return the prices of all letters of two lists."""
        letters, places = np.unique(np.r_[self.letters, other.letters], return_index=True)
        return _Prices(letters, np.r_[self.prices, other.prices][places])

    def at(self, letters: np.ndarray) -> np.ndarray:
        """Return the prices of some of the letters."""
        return self.prices[np.searchsorted(self.letters, letters)]

    def bends(self, letters: np.ndarray) -> np.ndarray:
        """Return by how much the prices of letters exceed their neighbours' mean, twice, where these are known."""
        padded = np.r_[self.prices[:1], self.prices, self.prices[-1:]]
        place = np.searchsorted(self.letters, letters).clip(0, self.letters.size - 1)
        bends = np.maximum(2 * padded[place + 1] - padded[place] - padded[place + 2], 0.0)
        return np.where(self.letters[place] == letters, bends, 0.0)

    def tops(self, price: float) -> np.ndarray:
        """Return the letters above a price that none next to them on this list is dearer than."""
        rises = np.diff(self.prices)
        return self.letters[1:-1][(rises[:-1] >= 0) & (rises[1:] < 0) & (self.prices[1:-1] > price)]

    def peaks(self) -> np.ndarray:
        """Return where prices near one are largest along the list, in places: tops of parabolas through three."""
        at = np.searchsorted(self.letters, self.tops(1 - _NEAR))
        left, right = self.prices[at] - self.prices[at - 1], self.prices[at] - self.prices[at + 1]
        before = (self.letters[at] - self.letters[at - 1]).astype(float)
        after = (self.letters[at + 1] - self.letters[at]).astype(float)
        # the parabola's slope is left / before half a step before, and -right / after half a step after
        return np.asarray(
            self.letters[at] + (left * after**2 - right * before**2) / (2 * (left * after + right * before))
        )


@dataclass(frozen=True, eq=False)
class _Cover:
    """Letters spread evenly in the kernel's own metric, and whether the order of the list is a geometry at all."""

    letters: np.ndarray
    multipliers: np.ndarray
    is_ordered: bool
    finer: np.ndarray
    finer_losses: tuple[np.ndarray, ...] = ()

    @classmethod
    def nothing(cls) -> _Cover:
        nobody = np.empty(0, dtype=np.intp)
        return cls(nobody, np.empty(0), False, nobody)

    @classmethod
    def of(cls, task: ReducedProblem, multipliers: np.ndarray, log_v: np.ndarray) -> _Cover:
        """Return the cover at these multipliers and log v, shape (n,), in the losses' own scale."""
        count = task.letters.n_letters
        if count <= _FEW:
            return cls(np.arange(count), multipliers, False, np.arange(count))
        rows = np.unique(np.linspace(0, task.p.size - 1, _ROWS).astype(np.intp))
        exponent = (np.log(task.p[rows]) / 2 + log_v[rows])[:, None]
        for multiplier, structure in zip(multipliers, task.letters.structures, strict=True):
            exponent = exponent - multiplier * structure.block(rows, None)
        columns = np.exp(exponent)
        sizes = np.maximum((columns**2).sum(axis=0), 1e-300)
        apart = np.sqrt(((columns[:, 1:] - columns[:, :-1]) ** 2).sum(axis=0) / sizes[1:])
        if np.median(apart) > _DENSE:
            return replace(cls.nothing(), multipliers=multipliers)
        arc = np.r_[0.0, np.cumsum(np.minimum(apart, 1.0))]
        letters, finer = (
            np.unique(np.r_[np.searchsorted(arc, np.arange(0.0, arc[-1], spacing)).clip(0, count - 1), count - 1])
            for spacing in (_SPACING, _FINER)
        )
        kept = tuple(structure.block(None, finer) for structure in task.letters.structures) if count > _MANY else ()
        return cls(letters, multipliers, True, finer, kept)

    def is_outdated(self, multipliers: np.ndarray) -> bool:
        """Return whether the kernel has widened or narrowed since."""
        largest = np.maximum(multipliers, self.multipliers)
        return bool((largest > _RENEWED * np.minimum(multipliers, self.multipliers)).any())


@dataclass(frozen=True, eq=False)
class _Centred:
    """A point near the central path of a task, on some letters; see `newton_system.Point`.

    Attributes
    ----------
    task : ReducedProblem
    letters : numpy.ndarray
        Shape (k,), increasing.
    q, z : numpy.ndarray
        Shape (k,).
    log_v : numpy.ndarray
        Shape (n,), in the losses' own scale, not that of a kernel's rows.
    multipliers, slacks : numpy.ndarray
        Shapes (R,) and (F,).
    """

    task: ReducedProblem
    letters: np.ndarray
    q: np.ndarray
    z: np.ndarray
    log_v: np.ndarray
    multipliers: np.ndarray
    slacks: np.ndarray

    @classmethod
    def of(cls, task: ReducedProblem, letters: np.ndarray, point: Point) -> _Centred:
        log_v = np.log(point.v) - point.kernel.log_scale
        return cls(task, letters, point.q, point.z, log_v, point.multipliers, point.slacks)

    def is_neighbour_of(self, task: ReducedProblem) -> bool:
        """Return whether a task differs from this one's in limits or multipliers alone."""
        own = self.task
        one, other = own.letters.forbidden, task.letters.forbidden
        is_same_mask = one is other if one is None or other is None else np.array_equal(one, other)
        return (
            is_same_mask
            and own.relevant == task.relevant
            and own.problem.fingerprint() == task.problem.fingerprint()
            and np.array_equal(own.free, task.free)
        )

    def moved(self, task: ReducedProblem, hold: float) -> _Centred:
        """Return the centred point of a neighbouring task; the way there is halved where Newton's method is lost."""
        now, done, step, recentred = self, 0.0, 1.0, False
        while done < 1:
            deadline.look()
            part = min(1.0, done + step)
            between = task if part == 1 else _between(self.task, task, part)
            try:
                there = now._centred(between, hold)
            except NumericalBreakdown:
                there = None
            if there is None and now is self and not recentred:  # letters have come and gone: that first
                recentred = True
                now = now._centred(self.task, hold, 3 * _MOST_STEPS) or now
            elif there is None:
                step /= 2
                if step < _SHORTEST:
                    raise NumericalBreakdown("the central path cannot be followed to these limits")
            else:
                now, done, step = there, part, 2 * step
        return now

    def _centred(self, task: ReducedProblem, hold: float, most: int = _MOST_STEPS) -> _Centred | None:
        mu = hold / self.letters.size
        for step, point in enumerate(self._points(task, mu)):
            if step and _is_centred(point, hold):
                return _Centred.of(task, self.letters, point)
            if step == most:
                return None
        return None

    def finished(self, gap: float) -> Point:
        """Return the solution on these letters, to within a gap in nats where rounding lets it."""
        return closest(self._points(self.task), gap, _MOST_FINISHING)

    def _points(self, task: ReducedProblem, mu: float | None = None) -> Iterator[Point]:
        """Yield Newton's points for a task, at constant complementarity of the pairs if one is given."""
        losses, forbidden = task.letters.restricted(self.letters)
        data = Restricted(task.p, losses, forbidden, task.free, task.bounds, ranges=task.ranges)
        multipliers = np.where(task.free, self.multipliers, task.fixed)
        kernel = make_kernel(losses, multipliers, forbidden)
        v = np.exp(self.log_v + kernel.log_scale)
        start = Point(self.q, v, self.z, multipliers, self.slacks, kernel, np.nan, np.nan)
        return newton_points(data, start, mu)

    def is_at(self, task: ReducedProblem) -> bool:
        """Return whether a neighbouring task has the limits and multipliers that this one has."""
        return np.array_equal(self.task.bounds, task.bounds) and np.array_equal(self.task.fixed, task.fixed)

    def with_letters(self, new: np.ndarray, hold: float) -> _Centred:
        """Return the point with more letters, which enter where the dual says the central path is: q = mu / z."""
        if not new.size:
            return self
        mu = hold / self.letters.size
        exponent = self.log_v[:, None]
        for multiplier, structure in zip(self.multipliers, self.task.letters.structures, strict=True):
            exponent = exponent - multiplier * structure.block(None, new)
        z = np.maximum(1 - self.task.p @ np.exp(exponent), 0.1 * np.sqrt(mu))
        letters = np.r_[self.letters, new]
        order = np.argsort(letters)
        return replace(self, letters=letters[order], q=np.r_[self.q, mu / z][order], z=np.r_[self.z, z][order])

    def on(self, letters: np.ndarray, hold: float) -> _Centred:
        """Return the point on these letters, increasing; mass of those that leave goes to the nearest on the list."""
        stays = np.isin(self.letters, letters)
        kept, left = self.letters[stays], self.letters[~stays]
        q = self.q[stays].copy()
        if left.size:
            place = np.searchsorted(kept, left).clip(1, kept.size - 1)
            place -= left - kept[place - 1] < kept[place] - left
            np.add.at(q, place, self.q[~stays])
        smaller = replace(self, letters=kept, q=q, z=self.z[stays])
        return smaller.with_letters(np.setdiff1d(letters, kept), hold)


def _levelled(kept: _Centred, new: np.ndarray, end: Point, priced: _Prices, log_v: np.ndarray) -> np.ndarray:
    """Return log v with prices of one at their peaks, those of missing letters among them, to first order.

    A missing letter takes its mass from others. `repair` gives it mass and takes none, and that mass is what the bound
    loses; here masses of the letters at peaks change by either sign, in a Newton step on their prices.
    """
    if not new.size or priced.prices.max() > 1 + _SLIGHT:
        return log_v
    places = np.searchsorted(kept.letters, np.intersect1d(priced.tops(0.0), kept.letters))
    used = places[end.q[places] > end.z[places]]
    others = kept.task.letters.kernel_of(new, end.multipliers)
    columns = [
        end.kernel.columns(used) * end.v[:, None],
        others.columns() * np.exp(log_v + others.log_scale)[:, None],
    ]
    scaled = np.hstack(columns)
    excess = priced.at(np.r_[kept.letters[used], new]) - 1
    masses = np.linalg.lstsq((scaled * kept.task.p[:, None]).T @ scaled, excess, rcond=_SINGULAR)[0]
    raised = 1 + scaled @ masses
    return np.asarray(log_v - np.log(raised)) if raised.min() > _HALF else log_v


def _alone(peaks: np.ndarray, letters: np.ndarray) -> np.ndarray:
    """Return the letters at peaks that none of the given letters is at.

    Peaks of next to no mass, in the tails of a density, travel by many places from one problem to the next. Without a
    letter there the tail's prices exceed one, and a round of its own would have to bring it, every time.
    """
    places = np.unique(np.rint(peaks).astype(np.intp))
    if not letters.size:
        return places
    return places[np.abs(places[:, None] - letters).min(axis=1) > 1]


def _ahead(letters: np.ndarray, peaks: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the letters at which the peaks nearest to some will be, if they go on as they came from those before.

    A peak came from the nearest one before if it is that one's nearest, too.
    """
    if not (peaks.size and before.size):
        return np.empty(0, dtype=np.intp)
    near = np.unique(np.abs(letters[:, None] - peaks).argmin(axis=1))
    origin = np.abs(peaks[near, None] - before).argmin(axis=1)
    is_mutual = np.abs(before[origin, None] - peaks).argmin(axis=1) == near
    there = (2 * peaks[near] - before[origin])[is_mutual]
    return np.rint(there[np.isfinite(there)]).astype(np.intp)


def _between(first: ReducedProblem, last: ReducedProblem, part: float) -> ReducedProblem:
    """Return the task part of the way from one to another: multipliers go by shares, and so do bounds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        bounds = np.where(last.free, first.bounds ** (1 - part) * last.bounds**part, last.bounds)
        fixed = np.where(last.fixed > 0, first.fixed ** (1 - part) * last.fixed**part, last.fixed)
    return replace(last, bounds=bounds, fixed=fixed)


def _is_centred(point: Point, hold: float) -> bool:
    """Return whether a point is near the central path where its pairs have this complementarity all together."""
    pair = float((point.q * point.z).min()) * point.q.size
    return abs(point.value - point.lower) < _CENTRED * hold and pair > _LEAST_PAIR * hold
