"""What a problem minimises, as records: the rate, a Lagrangian, or one loss at a limited rate.

Whatever depends on the objective is asked of its record: the value of a channel, which multipliers bound it and how,
the unit, when a gap is small enough. Names are compared here and where a problem is stated, and nowhere else.

Each record says how a dual point (u, lambda) with largest price C bounds it: by
(p.u - charged(lambda).b - rate - log C) / slope(lambda), if it `admits` lambda.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Rate:
    """The least rate under limits on losses.

    Parameters
    ----------
    budget : float or None
        A limit on the rate beside its own minimum, nats: the problem is infeasible if the minimum is larger.
    """

    budget: float | None = None

    name: ClassVar[str] = "rate"
    target: ClassVar[int | None] = None
    rate: ClassVar[float] = 0.0
    in_nats: ClassVar[bool] = True
    multipliers: ClassVar[np.ndarray | None] = None

    def value(self, rate: float, means: np.ndarray) -> float:
        """Return the objective of a channel with this rate, nats, and these mean losses, shape (M,)."""
        return rate

    def admits(self, multipliers: np.ndarray, bounds: np.ndarray, held: np.ndarray) -> bool:
        """Return whether these multipliers, shape (M,), bound the rate: none on a loss that is not limited.

        None may be negative but on a loss that is `held` at its bound, shape (M,).
        """
        return bool(np.isfinite(bounds[multipliers != 0]).all() and (held | (multipliers >= 0)).all())

    def charged(self, multipliers: np.ndarray) -> np.ndarray:
        """Return the multipliers with which the limits' bounds are charged, shape (M,)."""
        return multipliers

    def trivial(self, least: np.ndarray) -> float:
        """Return a bound that needs no multipliers, from the least values of all losses, shape (M,)."""
        return 0.0

    def slope(self, multipliers: np.ndarray) -> float:
        """Return how many nats of rate a unit of the objective is worth."""
        return 1.0

    def within(self, lower: float, upper: float, tolerance: float, slope: float = 1.0) -> bool:
        """Return whether a gap is as small as `solve` promises: at most the tolerance, nats."""
        return upper - lower <= tolerance

    def worth(self, gap: float, upper: float, slope: float = 1.0) -> float:
        """Return the tolerance that a gap meets: itself."""
        return gap


@dataclass(frozen=True, eq=False)
class Lagrangian:
    """I(X; A) + sum_m multipliers[m] E L_m, without limits.

    Parameters
    ----------
    multipliers : numpy.ndarray
        Shape (M,), >= 0.
    """

    multipliers: np.ndarray

    name: ClassVar[str] = "lagrangian"
    target: ClassVar[int | None] = None
    rate: ClassVar[float] = 0.0
    in_nats: ClassVar[bool] = True
    budget: ClassVar[float | None] = None

    def value(self, rate: float, means: np.ndarray) -> float:
        """Return the objective of a channel with this rate, nats, and these mean losses, shape (M,)."""
        return rate + float(self.multipliers @ means)

    def admits(self, multipliers: np.ndarray, bounds: np.ndarray, held: np.ndarray) -> bool:
        """Return whether these multipliers, shape (M,), bound the Lagrangian: none above the problem's own."""
        return bool(np.all((multipliers >= 0) & (multipliers <= self.multipliers)))

    def charged(self, multipliers: np.ndarray) -> np.ndarray:
        """Return zeros, shape (M,): there are no limits."""
        return np.zeros(multipliers.shape)

    def trivial(self, least: np.ndarray) -> float:
        """Return a bound that needs no certificate, from the least values of all losses, shape (M,)."""
        charged = np.flatnonzero(self.multipliers)
        return float(self.multipliers[charged] @ least[charged])

    def slope(self, multipliers: np.ndarray) -> float:
        """Return how many nats of rate a unit of the objective is worth."""
        return 1.0

    def within(self, lower: float, upper: float, tolerance: float, slope: float = 1.0) -> bool:
        """Return whether a gap is as small as `solve` promises: at most the tolerance, nats."""
        return upper - lower <= tolerance

    def worth(self, gap: float, upper: float, slope: float = 1.0) -> float:
        """Return the tolerance that a gap meets: itself."""
        return gap


@dataclass(frozen=True)
class LossAtRate:
    """The least value of one loss under a limit on the rate, and limits on others.

    Parameters
    ----------
    name : str
        Of the loss.
    target : int
        Its index among the problem's losses.
    rate : float
        Nats.
    origin : float, optional
        What the size of the loss is counted from: its least mean where it has entries below zero.
    """

    name: str
    target: int
    rate: float
    origin: float = 0.0

    in_nats: ClassVar[bool] = False
    budget: ClassVar[float | None] = None
    multipliers: ClassVar[np.ndarray | None] = None

    def value(self, rate: float, means: np.ndarray) -> float:
        """Return the objective of a channel with this rate, nats, and these mean losses, shape (M,)."""
        return float(means[self.target])

    def admits(self, multipliers: np.ndarray, bounds: np.ndarray, held: np.ndarray) -> bool:
        """Return whether these multipliers, shape (M,), bound the loss: it has one, and no other without a limit.

        None may be negative but on a loss that is `held` at its bound, shape (M,).
        """
        others = self.charged(multipliers)
        is_charged = np.isfinite(bounds[others != 0]).all() and (held | (others >= 0)).all()
        return bool(multipliers[self.target] > 0 and is_charged)

    def charged(self, multipliers: np.ndarray) -> np.ndarray:
        """Return the multipliers of the other losses, shape (M,), with which their bounds are charged."""
        others = np.array(multipliers, dtype=float)
        others[self.target] = 0.0
        return others

    def trivial(self, least: np.ndarray) -> float:
        """Return the least value of the loss at any rate, from those of all losses, shape (M,)."""
        return float(least[self.target])

    def slope(self, multipliers: np.ndarray) -> float:
        """Return how many nats of rate a unit of the objective is worth: the loss's own multiplier."""
        return float(multipliers[self.target])

    def within(self, lower: float, upper: float, tolerance: float, slope: float = math.inf) -> bool:
        """Return whether a gap is as small as `solve` promises.

        It is at most tolerance * max(1, loss), as losses have any unit; and either the gap times the multiplier
        `slope`, which is in nats, or its share of the loss is at most the tolerance. A loss that has entries below zero
        counts from its least mean here.
        """
        return self.worth(upper - lower, upper, slope) <= tolerance

    def worth(self, gap: float, upper: float, slope: float = math.inf) -> float:
        """Return the tolerance that a gap, in the loss's unit, meets by the rule of `within`."""
        return _worth(gap, upper - self.origin, slope)


@dataclass(frozen=True)
class PerceptionAtRate:
    """The least distance of the reproduction's law from its target under a limit on the rate, and limits on losses.

    Multipliers of losses are only charged here; the distance has a multiplier of its own, which `LawProof` keeps.

    Parameters
    ----------
    name : str
        Of the perception.
    perception : int
        Its index among the problem's perceptions.
    rate : float
        Nats.
    """

    name: str
    perception: int
    rate: float

    target: ClassVar[int | None] = None
    in_nats: ClassVar[bool] = False
    budget: ClassVar[float | None] = None
    multipliers: ClassVar[np.ndarray | None] = None

    def value(self, rate: float, means: np.ndarray) -> float:
        """Return NaN: a rate and mean losses do not tell the law of the reproduction."""
        return math.nan

    def admits(self, multipliers: np.ndarray, bounds: np.ndarray, held: np.ndarray) -> bool:
        """Return whether these multipliers, shape (M,), bound the distance: none on a loss that is not limited.

        None may be negative but on a loss that is `held` at its bound, shape (M,).
        """
        return bool(np.isfinite(bounds[multipliers != 0]).all() and (held | (multipliers >= 0)).all())

    def charged(self, multipliers: np.ndarray) -> np.ndarray:
        """Return the multipliers with which the limits' bounds are charged, shape (M,)."""
        return multipliers

    def trivial(self, least: np.ndarray) -> float:
        """Return zero: no distance is negative."""
        return 0.0

    def slope(self, multipliers: np.ndarray) -> float:
        """Return NaN: the multiplier of the distance is not among those of losses."""
        return math.nan

    def within(self, lower: float, upper: float, tolerance: float, slope: float = math.inf) -> bool:
        """Return whether a gap is as small as `solve` promises: as for a loss, see `LossAtRate`."""
        return self.worth(upper - lower, upper, slope) <= tolerance

    def worth(self, gap: float, upper: float, slope: float = math.inf) -> float:
        """Return the tolerance that a gap, in the distance's unit, meets by the rule of `within`."""
        return _worth(gap, upper, slope)


def _worth(gap: float, size: float, slope: float) -> float:
    """Return the tolerance that a gap meets: next to the same in any unit of what has this size."""
    if not math.isfinite(gap) or not math.isfinite(size):
        return math.inf
    return max(gap / max(1.0, size), gap * min(slope, 1 / max(size, 1e-300)))


Objective = Rate | Lagrangian | LossAtRate | PerceptionAtRate


def is_in_nats(objective: str) -> bool:
    """Return whether the objective of this name is a rate, or a Lagrangian, which is one too; losses have any unit."""
    return objective in (Rate.name, Lagrangian.name)


def is_rate(objective: str) -> bool:
    """Return whether this is the name of the rate itself."""
    return objective == Rate.name


def is_lagrangian(objective: str) -> bool:
    """Return whether this is the name of a Lagrangian."""
    return objective == Lagrangian.name
