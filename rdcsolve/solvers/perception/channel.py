"""Channels that meet limits on losses and on the law of the reproduction, made of the interior point's iterates."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.information import mutual_information
from rdcsolve.perception.divergence import DIVERGENCES
from rdcsolve.perception.transport import north_west, plan_between
from rdcsolve.solvers.perception.programme import Law, Programme

_DROPPED = 1e-14  # of all mass: entries of a plan that together are no more are left out
_SMALL_PROGRAMME = 2500  # pairs of atom and place: the best plan of this size takes milliseconds
_LOOKED_AT = 40  # rows and columns of a plan
_SCALINGS = 50
_CORRECTIONS = 5
_MOST_CORRECTED = 1500  # symbols and places: a system of this size takes a second
_SCALED = 1e-15  # of all mass: a law that is off by no more is the one wanted
ALMOST_NONE = 1e-3  # the largest share of the safe channel that is worth trying while there is better to come


class Plan(NamedTuple):
    """Rows, columns and masses of a plan, shape (e,) each, over a law's own atoms and places shown."""

    rows: np.ndarray
    columns: np.ndarray
    masses: np.ndarray


class Attained(NamedTuple):
    """A channel over letters in use, its rate and means, and for every law its distance and plan.

    Attributes
    ----------
    channel : numpy.ndarray
        Shape (n, k).
    rate : float
    means : numpy.ndarray
        Shape (R,), of shifted losses.
    distances : tuple of float
    plans : tuple of Plan or None
    """

    channel: np.ndarray
    rate: float
    means: np.ndarray
    distances: tuple[float, ...]
    plans: tuple[Plan | None, ...]


class Channels:
    """Makes channels that meet all limits.

    Parameters
    ----------
    programme : Programme
    """

    def __init__(self, programme: Programme) -> None:
        self.programme, self.statement = programme, programme.statement()
        self.p = programme.p
        self.safe: Attained | None = self._safe()

    def keep(self, channel: np.ndarray) -> Attained | None:
        """Return what a channel attains if it meets all limits, and mix with it from now on."""
        sums = channel.sum(axis=1, keepdims=True)
        if not (sums > 0).all():
            return None
        plans = (None,) * len(self.programme.laws)
        channel = self._with_exact_laws(channel / sums, plans)
        made = self._attained(channel, (None,) * len(self.programme.laws))
        if self._share(made) != 0:
            return None
        self.safe = made
        return made

    def met(
        self, channel: np.ndarray, plans: tuple[np.ndarray | None, ...], most: float = ALMOST_NONE
    ) -> Attained | None:
        """Return a channel near the one given that meets all limits, or None.

        What is missing is made up for by a share of a channel that meets them with room to spare: rates, losses and
        distances are convex in the channel.

        Parameters
        ----------
        channel : numpy.ndarray
            Shape (n, k), >= 0, rows that sum to nearly one.
        plans : tuple
            For every law a plan that is nearly one between the target and the channel's law, shape (T', m'), or None.
        most : float, optional
            The largest share that is worth trying.
        """
        sums = channel.sum(axis=1, keepdims=True)
        if not (sums > 0).all():
            return None
        channel = self._with_exact_laws(channel / sums, plans)
        now = self._attained(channel, plans)
        share = self._share(now)
        if share == 0:
            return now
        if share is None or share > most or self.safe is None:
            return None
        both = zip(self.programme.laws, now.plans, self.safe.plans, strict=True)
        mixed_plans = tuple(_mixed(law, plan, safe, share) for law, plan, safe in both)
        mixed = self._attained((1 - share) * channel + share * self.safe.channel, mixed_plans)
        return mixed if self._share(mixed) == 0 else None

    def _share(self, now: Attained) -> float | None:
        """Return how much of the safe channel meets the limits, zero if none is needed, None if none helps."""
        share = 0.0
        statement, safe = self.statement, self.safe
        pairs = [
            (float(now.means[m]), float(self.programme.allowed[m]), math.inf if safe is None else float(safe.means[m]))
            for m in np.flatnonzero(statement.is_free).tolist()
        ]
        for k, law in enumerate(self.programme.laws):
            if law.given is None and not law.is_zero and not law.is_least:
                pairs.append((now.distances[k], law.allowed, math.inf if safe is None else safe.distances[k]))
        for value, bound, there in pairs:
            if value > bound:
                if not there < bound:
                    return None
                share = max(share, (value - bound * (1 - 1e-13)) / (value - there))
        return min(share * (1 + 1e-9), 1.0)

    def _attained(self, channel: np.ndarray, plans: tuple[np.ndarray | None, ...]) -> Attained:
        means = np.array([self.p @ np.einsum("ia,ia->i", channel, loss) for loss in self.statement.losses])
        distances, kept = [], []
        for law, plan in zip(self.programme.laws, plans, strict=True):
            distance, own = self._distance(law, law.law(self.p, channel), plan)
            distances.append(distance)
            kept.append(own)
        return Attained(channel, mutual_information(self.p, channel), means, tuple(distances), tuple(kept))

    def _distance(self, law: Law, q: np.ndarray, plan: np.ndarray | None) -> tuple[float, Plan | None]:
        perception = law.perception
        if perception.features is not None:
            mean = law.witness(q)
            return float(mean @ mean), None
        if perception.cost is not None:
            best = _transport(law, q / q.sum(), plan)
            return float(best.masses @ law.cost[best.rows, best.columns]), best
        if perception.measure in DIVERGENCES and not law.is_zero:
            return DIVERGENCES[perception.measure].between(law.target, q, law.outside), None
        return 0.5 * (float(np.abs(law.target - q).sum()) + law.outside), None

    def _with_exact_laws(self, channel: np.ndarray, plans: tuple[np.ndarray | None, ...]) -> np.ndarray:
        """Return a channel with the laws that limits at zero ask for, which are of classes without common symbols.

        So do limits at the least distance of any law.
        """
        channel = channel.copy()
        for law, plan in zip(self.programme.laws, plans, strict=True):
            if law.is_zero or law.is_least:
                weights = np.ones(self.p.size) if law.weights is None else law.weights
                own = weights > 0
                channel[own] = self._with_law(channel[own], (self.p * weights)[own], law, plan)
        return channel

    def _with_law(self, channel: np.ndarray, p: np.ndarray, law: Law, plan: np.ndarray | None) -> np.ndarray:
        """Return rows of a channel, of symbols with masses p in the law, that show a law at the least distance.

        Columns that have too much are scaled down, and what rows then lack goes where the law lacks it.
        """
        wanted = self._wanted(channel, p, law, plan)
        if self.statement.forbidden is not None:
            return self._scaled_to(channel, p, law, wanted)
        for _ in range(3):  # the first changes what matters, the others only roundings
            joint = channel * p[:, None]
            have = np.bincount(law.place, weights=joint.sum(axis=0), minlength=wanted.size)
            scale = np.minimum(1.0, wanted / np.maximum(have, 1e-300))
            joint *= scale[law.place]
            missing = p - joint.sum(axis=1)
            lacking = wanted - np.bincount(law.place, weights=joint.sum(axis=0), minlength=wanted.size)
            missing, lacking = np.maximum(missing, 0.0), np.maximum(lacking, 0.0)
            if missing.any() and lacking.any():
                rows, places, masses = north_west(missing, lacking)
                first = np.full(wanted.size, -1)
                first[law.place[::-1]] = np.arange(law.place.size)[::-1]
                np.add.at(joint, (rows, first[places]), masses)
            channel = joint / joint.sum(axis=1, keepdims=True)
        return channel

    @staticmethod
    def _wanted(channel: np.ndarray, p: np.ndarray, law: Law, plan: np.ndarray | None) -> np.ndarray:
        """Return the law, shape (m',), at zero or at the least distance that rows of a channel are to show."""
        if law.is_zero:
            return law.exact_target()
        return law.exact_law(np.bincount(law.place, weights=p @ channel, minlength=law.shown.size), plan)

    def _scaled_to(self, channel: np.ndarray, p: np.ndarray, law: Law, wanted: np.ndarray) -> np.ndarray:
        """Return the channel with columns and rows scaled in turn (Sinkhorn), which uses no other pairs."""
        for _ in range(_SCALINGS):
            have = np.bincount(law.place, weights=p @ channel, minlength=wanted.size)
            if np.abs(have - wanted).sum() <= _SCALED:
                break
            channel = channel * (wanted / np.maximum(have, 1e-300))[law.place]
            sums = channel.sum(axis=1, keepdims=True)
            if not sums.min() > 0:
                break
            channel = channel / sums
        return self._corrected(channel, p, law, wanted)

    @staticmethod
    def _corrected(channel: np.ndarray, p: np.ndarray, law: Law, wanted: np.ndarray) -> np.ndarray:
        """Return the channel with both sums mended by shares of the masses it has, a_i + b_j of each.

        Where pairs have to lose all of their mass scaling takes forever, and this one step.
        """
        n, m = p.size, wanted.size
        for _ in range(_CORRECTIONS if n + m <= _MOST_CORRECTED else 0):
            joint = channel * p[:, None]
            at_places = np.zeros((n, m))
            np.add.at(at_places.T, law.place, joint.T)
            off = np.concatenate([p - joint.sum(axis=1), wanted - at_places.sum(axis=0)])
            if np.abs(off).sum() <= _SCALED:
                break
            sums = np.diag(np.concatenate([joint.sum(axis=1), at_places.sum(axis=0)]))
            sums[:n, n:], sums[n:, :n] = at_places, at_places.T
            shares = np.linalg.lstsq(sums, off, rcond=None)[0]
            joint = np.maximum(joint * (1 + shares[:n, None] + shares[n:][law.place]), 0.0)
            rows = joint.sum(axis=1, keepdims=True)
            if not rows.min() > 0:
                break
            channel = joint / rows
        return channel

    def _safe(self) -> Attained | None:
        """Return a channel that is far inside the limits: every symbol to the letter that is cheapest in all losses."""
        statement, task = self.statement, self.programme.task
        if any(law.is_zero and law.missing for law in self.programme.laws):
            return None
        weights = np.where(task.free, 1 / np.where(task.free, task.bounds, 1.0), 0.0)
        weights = weights if weights.any() else np.ones(weights.size)
        total = np.tensordot(weights, statement.losses, axes=1)
        if statement.forbidden is not None:
            total = np.where(statement.forbidden, math.inf, total)
        channel = np.zeros(total.shape)
        channel[np.arange(self.p.size), total.argmin(axis=1)] = 1.0
        for law in self.programme.laws:
            if not (law.is_zero or law.is_least):
                continue
            shown = law.law(self.p, channel)
            if np.abs(shown - (law.exact_target() if law.is_zero else law.exact_law(shown, None))).max() > 1e-12:
                return None
        return self._attained(channel, tuple(None for _ in self.programme.laws))


def _transport(law: Law, q: np.ndarray, plan: np.ndarray | None) -> Plan:
    """Return a plan between the target and a law on the places shown: the best where costs are Monge."""
    target = law.target / law.target.sum()
    if law.is_zero:
        return Plan(np.arange(target.size), (law.cost == 0).argmax(axis=1), target)
    if law.order is not None:
        atoms, places = law.order
        rows, columns, masses = north_west(target[atoms], q[places])
        return Plan(atoms[rows], places[columns], masses)
    if plan is None and law.cost.size <= _SMALL_PROGRAMME:
        best = plan_between(target, q, law.cost)
        plan = np.zeros(law.cost.shape)
        plan[best.rows, best.columns] = best.masses
    elif plan is None:
        plan = np.where(law.cost == 0, np.minimum(target[:, None], q), 0.0)
    plan = plan * np.minimum(1.0, target / np.maximum(plan.sum(axis=1), 1e-300))[:, None]
    plan = plan * np.minimum(1.0, q / np.maximum(plan.sum(axis=0), 1e-300))
    flat = np.sort(plan, axis=None)
    small = flat[max(int(np.searchsorted(np.cumsum(flat), _DROPPED)) - 1, 0)]
    plan = np.where(plan > small, plan, 0.0)
    lacking = np.maximum(target - plan.sum(axis=1), 0.0), np.maximum(q - plan.sum(axis=0), 0.0)
    plan = plan + _cheapest_first(law.cost, *lacking)
    lacking = np.maximum(target - plan.sum(axis=1), 0.0), np.maximum(q - plan.sum(axis=0), 0.0)
    rows, columns = np.nonzero(plan)
    more = north_west(*lacking) if lacking[0].any() and lacking[1].any() else (rows[:0], columns[:0], np.zeros(0))
    parts = zip((rows, columns, plan[rows, columns]), more, strict=True)
    return Plan(*(np.concatenate(pair) for pair in parts))


def _cheapest_first(cost: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return masses, shape of `cost`, that fill most of what rows and columns lack, the cheapest pairs first.

    A symbol that is nearly alone with its letter gets its mass to a few digits only: what it lacks belongs there, and
    would be dear elsewhere. Only the rows and columns that lack most are looked at.
    """
    filled = np.zeros(cost.shape)
    atoms, places = np.argsort(-rows)[:_LOOKED_AT], np.argsort(-columns)[:_LOOKED_AT]
    rows, columns = rows.copy(), columns.copy()
    order = np.argsort(cost[np.ix_(atoms, places)], axis=None, kind="stable")
    for i, j in zip(atoms[order // places.size].tolist(), places[order % places.size].tolist(), strict=True):
        mass = min(rows[i], columns[j])
        if mass > 0:
            filled[i, j] = mass
            rows[i] -= mass
            columns[j] -= mass
    return filled


def _mixed(law: Law, plan: Plan | None, safe: Plan | None, share: float) -> np.ndarray | None:
    """Return the mixture of two plans as an array, or None where the best plan is found anew."""
    if plan is None or safe is None or law.order is not None or law.is_zero:
        return None
    mixed = np.zeros(law.cost.shape)
    np.add.at(mixed, (plan.rows, plan.columns), (1 - share) * plan.masses)
    np.add.at(mixed, (safe.rows, safe.columns), share * safe.masses)
    return mixed


def proof_of(
    law: Law,
    prices: np.ndarray,
    scalars: tuple[float, float],
    plan: Plan | None,
    others: tuple[np.ndarray, np.ndarray],
    witness: np.ndarray,
) -> LawProof:
    """Return what the certificate holds for a law, from numbers on the places shown; prices >= 0.

    Places that no law within the limit shows may have any price: `others` are some of them, with what their letters
    need.
    """
    multiplier, level = scalars
    places, dear = others
    perception = law.perception
    whole = np.zeros(perception.n_places)
    whole[law.shown] = prices
    np.maximum.at(whole, places, dear)
    if plan is None:
        return LawProof(whole, multiplier, level, witness=witness)
    rows, columns = law.atoms[plan.rows].astype(np.int64), law.shown[plan.columns].astype(np.int64)
    return LawProof(whole, multiplier, level, rows, columns, plan.masses)
