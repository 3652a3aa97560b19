"""What limits on convex distances of the law add to the interior point: f-divergences and discrepancies.

    H(w) = max <w, v>   such that   sum v = 1,   d(v) <= P,   v >= 0

The law v is a variable of its own, with multipliers tau, nu and z; in the optimum w_j = tau + nu d'(v)_j - z_j. In
place of v one could have the conjugate of prices, and fewer unknowns; but as nu falls to zero f* of (w - tau) / nu is
singular, and this is not: a limit that does not bind costs no steps. v is eliminated, as a plan is. The system has
prices above the level, x = w - tau: where nu is nearly zero they are known to many more digits than w and tau.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np
from scipy.linalg import qr, solve_triangular

from rdcsolve.perception.divergence import Divergence
from rdcsolve.solvers.loop import NumericalBreakdown
from rdcsolve.solvers.perception.blocks import Multiplier, length

_LEAST_MASS = 1e-6  # of an even share: what no place begins below
_HALVINGS = 10  # of the way from the target, until a law is within the limit
_FIRST_PRODUCT = 0.1  # nats: of all masses and their slacks together
_MOST_SHRUNK = 0.9  # of a mass in one step: f' is far from linear on the way to zero
_MOST_GROWN = 10.0
_MOST_MULTIPLIER = 0.9  # of nu


class Slopes(NamedTuple):
    """A distance at a law: its value, its gradient (m,), and of its Hessian the diagonal (m,), where it is diagonal.

    Else a factor (m, r) of it, whose product with its transpose the Hessian is.
    """

    value: float
    slopes: np.ndarray
    bends: np.ndarray


class Distance(Protocol):
    """A convex distance of laws on m places, as the block sees it.

    Attributes
    ----------
    scale : float
        Its unit.
    target : numpy.ndarray or None
        Shape (m,): a law at no distance, where one is known.
    """

    scale: float
    target: np.ndarray | None

    def at(self, law: np.ndarray) -> Slopes:
        """Return what there is to know at a positive law, shape (m,)."""

    def furthest(self, law: np.ndarray, step: np.ndarray) -> float:
        """Return the longest step for which the gradient is like its linear model; inf if any is."""


class DivergenceDistance(Distance):
    """An f-divergence from a target (m,), which sums to one, or to less where the target has mass elsewhere."""

    scale = 1.0

    def __init__(self, target: np.ndarray, divergence: Divergence) -> None:
        self.target, self.divergence, self.old = target, divergence, target > 0

    def at(self, law: np.ndarray) -> Slopes:
        """Return what there is to know at a positive law, shape (m,)."""
        old, target = self.old, self.target[self.old]
        ratios = law[old] / target
        slopes, bends = np.full(law.size, self.divergence.steepest), np.zeros(law.size)
        slopes[old], bends[old] = self.divergence.slope(ratios), self.divergence.bend(ratios) / target
        value = float(target @ self.divergence.f(ratios)) + float(slopes[~old] @ law[~old])
        return Slopes(value, slopes, bends)

    def furthest(self, law: np.ndarray, step: np.ndarray) -> float:
        """Return the longest step for which f' is like its linear model, which it is not on the way to zero."""
        share = step[self.old] / law[self.old]
        return 1 / max(float(np.maximum(share / _MOST_GROWN, -share / _MOST_SHRUNK).max(initial=0.0)), 1e-300)


class DiscrepancyDistance(Distance):
    """The squared length of the mean of features, shape (m, r): quadratic. A law at no distance may be known."""

    def __init__(self, features: np.ndarray, scale: float, target: np.ndarray | None) -> None:
        self.features, self.scale, self.target = features, scale, target
        self.factor = math.sqrt(2.0) * features

    def at(self, law: np.ndarray) -> Slopes:
        """Return what there is to know at a law, shape (m,)."""
        mean = law @ self.features
        return Slopes(float(mean @ mean), 2 * self.features @ mean, self.factor)

    def furthest(self, law: np.ndarray, step: np.ndarray) -> float:
        """Return infinity: the gradient is linear."""
        return math.inf


class DistanceBlock:
    """A limit on a distance; prices above the level, the level, and the multiplier are shown to the system.

    Parameters
    ----------
    distance : Distance
    n_places : int
    limit : float
        P less what mass elsewhere costs; unused where nu is given.
    given : float, optional
        nu, where the limit is a multiplier.
    """

    has_level = is_smooth = True

    def __init__(self, distance: Distance, n_places: int, limit: float, given: float | None = None) -> None:
        self.distance = distance
        self.scalar = Multiplier(limit, given, 1.0, 1.0)
        self.n_scalars = 1 if given is not None else 2
        self.tau = self.d_tau = self.pull = 0.0
        nothing = np.zeros(n_places)
        self.x = self.d_x = self.v = self.d_v = self.z = self.d_z = nothing
        self.give = self.towards = self.wanted = nothing
        self.now = Slopes(0.0, nothing, nothing)

    @property
    def w(self) -> np.ndarray:
        """Prices of places, shape (m,)."""
        return self.x + self.tau

    def start(self, w: np.ndarray, law: np.ndarray) -> None:
        """Begin at prices w and as near to a law as the limit lets."""
        self.tau = float(law @ w) / float(law.sum())
        self.x = w - self.tau
        self.v = self._towards(law / float(law.sum()))
        self.z = _FIRST_PRODUCT / w.size / self.v
        if self.scalar.is_free:
            limit, scale, spread = self.scalar.limit, self.distance.scale, float(law @ self.x**2)
            self.scalar.nu = max(1.0, math.sqrt(spread * scale / max(limit, 1e-12 * scale))) / scale
            spent = self.distance.at(self.v).value
            self.scalar.eta = max(limit - spent, spent, _FIRST_PRODUCT * 1e-12 * scale)

    def _towards(self, law: np.ndarray) -> np.ndarray:
        """Return a law on the way from the target to the one given, within half of the limit."""
        least = law if self.distance.target is None else self.distance.target
        least = np.maximum(least, _LEAST_MASS / law.size)
        least = least / float(least.sum())
        for share in 0.9 * 0.5 ** np.arange(_HALVINGS):
            mixed = (1 - share) * least + share * law
            if not self.scalar.is_free or self.distance.at(mixed).value <= 0.5 * self.scalar.limit:
                return np.asarray(mixed)
        return np.asarray(least)

    def complementarity(self, primal: float = 0.0, dual: float = 0.0) -> tuple[float, int]:
        """Return the sum of products of slacks and multipliers after steps of these lengths, and how many there are."""
        more, count = self.scalar.complementarity(primal, dual)
        return more + float((self.v + dual * self.d_v) @ (self.z + primal * self.d_z)), count + self.v.size

    def hessian(self) -> np.ndarray:
        """Return the matrix over prices above the level, the level, and nu if it is free."""
        m, nu = self.x.size, self.scalar.nu
        self.now = self.distance.at(self.v)
        bends = self.now.bends
        self.give = _inverse(nu * bends if bends.ndim == 1 else math.sqrt(nu) * bends, self.v / self.z)
        self.towards = self.x - nu * self.now.slopes
        matrix = np.zeros((m + self.n_scalars, m + self.n_scalars))
        if self.give.ndim == 1:
            matrix[np.arange(m), np.arange(m)] = self.give
        else:
            matrix[:m, :m] = self.give
        if self.scalar.is_free:
            leaning = self._given(self.now.slopes)
            matrix[:m, -1] = matrix[-1, :m] = -leaning
            matrix[-1, -1] = float(leaning @ self.now.slopes) + self.scalar.eta / nu
        return matrix

    def _given(self, prices: np.ndarray) -> np.ndarray:
        """Return how far the law moves with prices."""
        return np.asarray(self.give * prices if self.give.ndim == 1 else self.give @ prices)

    def gradient(self, centre: float, corrected: bool) -> np.ndarray:
        """Return the gradient over prices above the level, the level and nu, towards products `centre`."""
        self.wanted = (centre - (self.d_v * self.d_z if corrected else 0.0)) / self.v
        moved = self._given(self.towards + self.wanted)
        of_scalars = [1.0]
        if self.scalar.is_free:
            self.pull = self.scalar.pull(centre, corrected)
            of_scalars.append(self.scalar.limit - self.now.value - float(self.now.slopes @ moved) - self.pull)
        return np.append(self.v + moved, of_scalars)

    def move(self, step: np.ndarray) -> None:
        """Work out the directions of the law and its slacks."""
        m = self.x.size
        self.d_x, self.d_tau = step[:m], float(step[m])
        d_nu = float(step[-1]) if self.scalar.is_free else 0.0
        self.d_v = self._given(self.d_x - self.now.slopes * d_nu + self.towards + self.wanted)
        self.d_z = self.wanted - self.z - self.z / self.v * self.d_v
        if self.scalar.is_free:
            self.scalar.move(d_nu, self.pull)

    def lengths(self) -> tuple[float, float]:
        """Return how far slacks and nu, and masses and eta, can go."""
        first, second = self.scalar.lengths()
        return min(first, length(self.z, self.d_z)), min(second, length(self.v, self.d_v))

    def cap(self) -> float:
        """Return the longest step for which the distance is like its model."""
        of_nu = abs(self.scalar.d_nu) / self.scalar.nu / _MOST_MULTIPLIER
        return min(1 / max(1.0, of_nu), self.distance.furthest(self.v, self.d_v))

    def advance(self, primal: float, dual: float) -> None:
        """Go."""
        self.x = self.x + primal * self.d_x
        self.tau += primal * self.d_tau
        self.z = self.z + primal * self.d_z
        self.v = self.v + dual * self.d_v
        self.scalar.advance(primal, dual)

    def shift(self, amount: float) -> None:
        """Subtract a constant from all prices, and so from the level."""
        self.tau -= amount

    def scalars(self) -> tuple[float, float]:
        """Return nu and tau."""
        return self.scalar.nu, self.tau


def _inverse(bends: np.ndarray, loose: np.ndarray) -> np.ndarray:
    """Return the inverse of a Hessian, by its diagonal (m,) or a factor (m, r), with 1 / loose on its diagonal added.

    In the scale of `loose` the sum is the identity and a square; its root by QR, since the square may be so large that
    a sum in floats would forget the identity.
    """
    if bends.ndim == 1:
        return np.asarray(loose / (1 + loose * bends))
    root = np.sqrt(loose)
    triangle = qr(np.vstack([bends.T * root, np.eye(root.size)]), mode="r", check_finite=False)[0][: root.size]
    if not np.isfinite(triangle).all():
        raise NumericalBreakdown("the law of a limit on a discrepancy left the range of floats")
    half = solve_triangular(triangle, np.diag(root), trans="T", check_finite=False)
    return np.asarray(half.T @ half)
