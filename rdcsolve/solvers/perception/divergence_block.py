"""What a limit on an f-divergence adds to the interior point, beside other limits, or with several letters at a place.

    H(w) = max <w, v>   such that   sum v = 1,   d(v) = sum_j t_j f(v_j / t_j) <= P,   v >= 0

The law v is a variable of its own, with multipliers tau, nu and z; in the optimum w_j = tau + nu f'(v_j / t_j) - z_j.
In place of v one could have f* of prices, and fewer unknowns; but as nu falls to zero f* of (w - tau) / nu is singular,
and this is not: a limit that does not bind costs no steps. v is eliminated, as a plan is. The system has prices above
the level, x = w - tau: where nu is nearly zero they are known to many more digits than w and tau.
"""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.perception.divergence import Divergence
from rdcsolve.solvers.perception.blocks import Multiplier, length

_LEAST_MASS = 1e-6  # of an even share: what no place begins below
_HALVINGS = 10  # of the way from the target, until a law is within the limit
_FIRST_PRODUCT = 0.1  # nats: of all masses and their slacks together
_MOST_SHRUNK = 0.9  # of a mass in one step: f' is far from linear on the way to zero
_MOST_GROWN = 10.0
_MOST_MULTIPLIER = 0.9  # of nu


class DivergenceBlock:
    """A limit on an f-divergence; prices above the level, the level, and the multiplier are shown to the system.

    Parameters
    ----------
    target : numpy.ndarray
        Shape (m,), masses on the places shown, summing to one, or less where the target has mass elsewhere.
    divergence : Divergence
    limit : float
        P less what mass elsewhere costs; unused where nu is given.
    given : float, optional
        nu, where the limit is a multiplier.
    """

    is_smooth = True
    has_level = True

    def __init__(self, target: np.ndarray, divergence: Divergence, limit: float, given: float | None = None) -> None:
        self.target, self.divergence = target, divergence
        self.scalar = Multiplier(limit, given, 1.0, 1.0)
        self.n_scalars = 1 if given is not None else 2
        self.old = target > 0
        self.tau = self.d_tau = self.spent = self.pull = 0.0
        nothing = np.zeros(target.size)
        self.x = self.d_x = self.v = self.d_v = self.z = self.d_z = nothing
        self.slopes = self.give = self.towards = self.wanted = nothing

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
            limit, spread = self.scalar.limit, float(law @ self.x**2)
            self.scalar.nu = max(1.0, math.sqrt(spread / max(limit, 1e-12)))
            left = limit - self.divergence.between(self.target, self.v)
            self.scalar.eta = max(left, 1e-3 * limit, _FIRST_PRODUCT * 1e-12)

    def _towards(self, law: np.ndarray) -> np.ndarray:
        """Return a law on the way from the target to the one given, within half of the limit."""
        least = np.maximum(self.target, _LEAST_MASS / law.size)
        least = least / float(least.sum())
        for share in 0.9 * 0.5 ** np.arange(_HALVINGS):
            mixed = (1 - share) * least + share * law
            if not self.scalar.is_free or self.divergence.between(self.target, mixed) <= 0.5 * self.scalar.limit:
                return mixed
        return least

    def complementarity(self, primal: float = 0.0, dual: float = 0.0) -> tuple[float, int]:
        """Return the sum of products of slacks and multipliers after steps of these lengths, and how many there are."""
        more, count = self.scalar.complementarity(primal, dual)
        return more + float((self.v + dual * self.d_v) @ (self.z + primal * self.d_z)), count + self.v.size

    def hessian(self) -> np.ndarray:
        """Return the matrix over prices above the level, the level, and nu if it is free."""
        m, nu, old, target = self.x.size, self.scalar.nu, self.old, self.target[self.old]
        ratios = self.v[old] / target
        self.slopes, bends = np.full(m, self.divergence.steepest), np.zeros(m)
        self.slopes[old], bends[old] = self.divergence.slope(ratios), self.divergence.bend(ratios) / target
        self.spent = float(target @ self.divergence.f(ratios)) + float(self.slopes[~old] @ self.v[~old])
        self.give = 1 / (nu * bends + self.z / self.v)  # of the law to prices
        self.towards = self.x - nu * self.slopes
        leaning = self.give * self.slopes
        matrix = np.zeros((m + self.n_scalars, m + self.n_scalars))
        matrix[np.arange(m), np.arange(m)] = self.give
        if self.scalar.is_free:
            matrix[:m, -1] = matrix[-1, :m] = -leaning
            matrix[-1, -1] = float(leaning @ self.slopes) + self.scalar.eta / nu
        return matrix

    def gradient(self, centre: float, corrected: bool) -> np.ndarray:
        """Return the gradient over prices above the level, the level and nu, towards products `centre`."""
        self.wanted = (centre - (self.d_v * self.d_z if corrected else 0.0)) / self.v
        moved = self.give * (self.towards + self.wanted)
        of_scalars = [1.0]
        if self.scalar.is_free:
            self.pull = self.scalar.pull(centre, corrected)
            of_scalars.append(self.scalar.limit - self.spent - float(self.slopes @ moved) - self.pull)
        return np.append(self.v + moved, of_scalars)

    def move(self, step: np.ndarray) -> None:
        """Work out the directions of the law and its slacks."""
        m = self.x.size
        self.d_x, self.d_tau = step[:m], float(step[m])
        d_nu = float(step[-1]) if self.scalar.is_free else 0.0
        self.d_v = self.give * (self.d_x - self.slopes * d_nu + self.towards + self.wanted)
        self.d_z = self.wanted - self.z - self.z / self.v * self.d_v
        if self.scalar.is_free:
            self.scalar.move(d_nu, self.pull)

    def lengths(self) -> tuple[float, float]:
        """Return how far slacks and nu, and masses and eta, can go."""
        first, second = self.scalar.lengths()
        return min(first, length(self.z, self.d_z)), min(second, length(self.v, self.d_v))

    def cap(self) -> float:
        """Return the longest step for which f' is like its linear model."""
        share = self.d_v[self.old] / self.v[self.old]
        furthest = float(np.maximum(share / _MOST_GROWN, -share / _MOST_SHRUNK).max(initial=0.0))
        return 1 / max(1.0, furthest, abs(self.scalar.d_nu) / self.scalar.nu / _MOST_MULTIPLIER)

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
