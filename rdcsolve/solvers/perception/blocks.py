"""What limits on the reproduction's law add to the interior point's programme: one block of unknowns each.

The programme is min -p.u + lambda.b + sum_k H_k(w^k) such that log c(a) <= sum_k w^k at what letter a shows, where H_k
is the support function of the laws within limit k as a minimum over unknowns of the block's own. A block eliminates
what belongs to it alone, and shows the system only its prices w and its scalars.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

_FIRST_PRODUCTS = 10.0  # nats: of all entries of a plan and their slacks together
_ROW_STEPS = 12
_ROW_CLOSE = 1e-3  # of a slack


class Block(Protocol):
    """One limit on the law, as the interior point sees it.

    Attributes
    ----------
    w : numpy.ndarray
        Shape (m,): prices of places.
    n_scalars : int
        How many scalars the block shows to the system, after the prices.
    has_level : bool
        Whether the first scalar is a level: then what comes before it are prices above the level.
    is_smooth : bool
        Whether the law is a function of prices and scalars, so that both sides have to take steps of one length.
    """

    n_scalars: int
    has_level: bool
    is_smooth: bool

    @property
    def w(self) -> np.ndarray:
        """Prices of places, shape (m,)."""

    def start(self, w: np.ndarray, law: np.ndarray) -> None:
        """Begin at prices w, near a law, shape (m,) each."""

    def complementarity(self, primal: float = 0.0, dual: float = 0.0) -> tuple[float, int]:
        """Return the sum of products of slacks and multipliers after steps of these lengths, and how many there are."""

    def hessian(self) -> np.ndarray:
        """Return the matrix over prices and scalars, shape (m + r, m + r)."""

    def gradient(self, centre: float, corrected: bool) -> np.ndarray:
        """Return the gradient over prices and scalars, shape (m + r,), towards products `centre`."""

    def move(self, step: np.ndarray) -> None:
        """Work out the block's own direction from that of its prices and scalars."""

    def lengths(self) -> tuple[float, float]:
        """Return how far slacks, and multipliers, can go along the direction."""

    def cap(self) -> float:
        """Return the longest step for which the block is like its model."""

    def advance(self, primal: float, dual: float) -> None:
        """Go."""

    def shift(self, amount: float) -> None:
        """Subtract a constant from all prices, which changes nothing else than the scale."""

    def scalars(self) -> tuple[float, float]:
        """Return nu and tau as they stand."""


def length(values: np.ndarray, step: np.ndarray) -> float:
    """Return how far positive values can go along a step before one of them is zero."""
    falling = step < 0
    return float(np.min(-values[falling] / step[falling], initial=math.inf))


def _raised(below: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return t > 0, shape (n,), for which sum_j 1 / (t_i + below_ij) is nearly wanted_i; below >= 0, some zero.

    One over the sum is concave in t and nearly linear: Newton's steps from the left never go too far.
    """
    t = 1 / wanted
    for _ in range(_ROW_STEPS):
        terms = 1 / (t[:, None] + below)
        total = terms.sum(axis=1)
        step = total * (total / wanted - 1) / np.einsum("ij,ij->i", terms, terms)
        t = t + np.maximum(step, 0.0)
        if not (step > _ROW_CLOSE * t).any():
            break
    return np.asarray(t)


class Multiplier:
    """The multiplier nu >= 0 of a limit, with its slack eta; a given one does not move.

    Parameters
    ----------
    limit : float
    given : float or None
        nu, where it is given.
    first, slack : float
        Where nu and eta begin.
    """

    def __init__(self, limit: float, given: float | None, first: float, slack: float) -> None:
        self.limit, self.is_free = limit, given is None
        self.nu = first if given is None else given
        self.eta = slack
        self.d_nu = self.d_eta = 0.0

    def complementarity(self, primal: float, dual: float) -> tuple[float, int]:
        """Return the product after steps of these lengths, and that it is one."""
        if not self.is_free:
            return 0.0, 0
        return (self.nu + primal * self.d_nu) * (self.eta + dual * self.d_eta), 1

    def pull(self, centre: float, corrected: bool) -> float:
        """Return eta as it would be with the product at the centre."""
        return (centre - (self.d_nu * self.d_eta if corrected else 0.0)) / self.nu

    def move(self, d_nu: float, pull: float) -> None:
        """Keep the direction of nu, and work out that of eta."""
        self.d_nu = d_nu
        self.d_eta = pull - self.eta - self.eta * d_nu / self.nu

    def lengths(self) -> tuple[float, float]:
        """Return how far nu, and eta, can go."""
        if not self.is_free:
            return math.inf, math.inf
        pairs = ((self.nu, self.d_nu), (self.eta, self.d_eta))
        first, second = (-value / step if step < 0 else math.inf for value, step in pairs)
        return first, second

    def advance(self, primal: float, dual: float) -> None:
        """Go."""
        if self.is_free:
            self.nu += primal * self.d_nu
            self.eta += dual * self.d_eta


class ExactBlock:
    """The law has to be the target: H = target.w."""

    n_scalars = 0
    has_level = is_smooth = False

    def __init__(self, target: np.ndarray) -> None:
        self.target, self.w = target, np.zeros(target.size)
        self._step = np.zeros(target.size)

    def start(self, w: np.ndarray, law: np.ndarray) -> None:
        """Begin at prices w."""
        self.w = w.copy()

    def complementarity(self, primal: float = 0.0, dual: float = 0.0) -> tuple[float, int]:
        """Return nothing: there are no slacks."""
        return 0.0, 0

    def hessian(self) -> np.ndarray:
        """Return zeros, shape (m, m)."""
        return np.zeros((self.w.size, self.w.size))

    def gradient(self, centre: float, corrected: bool) -> np.ndarray:
        """Return the target."""
        return self.target

    def move(self, step: np.ndarray) -> None:
        """Keep the direction of the prices."""
        self._step = step

    def lengths(self) -> tuple[float, float]:
        """Return no limit."""
        return math.inf, math.inf

    def cap(self) -> float:
        """Return the whole step: the block is linear."""
        return 1.0

    def advance(self, primal: float, dual: float) -> None:
        """Go."""
        self.w = self.w + primal * self._step

    def shift(self, amount: float) -> None:
        """Subtract a constant from all prices."""
        self.w = self.w - amount

    def scalars(self) -> tuple[float, float]:
        """Return an infinite multiplier: the certificate is about this limit only."""
        return math.inf, 0.0


class TransportBlock:
    """A transport distance: H = min nu P + target.f, with slacks S_ij = f_i + nu c_ij - w_j >= 0.

    The multipliers of the slacks are the plan. f is eliminated, since every f_i stands in its own row only.

    Parameters
    ----------
    target : numpy.ndarray
        Shape (T,), positive, summing to one.
    cost : numpy.ndarray
        Shape (T, m).
    limit : float
        P; unused where nu is given.
    given : float, optional
        nu, where the limit is a multiplier.
    """

    has_level = is_smooth = False

    def __init__(self, target: np.ndarray, cost: np.ndarray, limit: float, given: float | None = None) -> None:
        self.target, self.cost = target, cost
        typical = float(target @ cost @ np.full(cost.shape[1], 1 / cost.shape[1])) or 1.0
        first = 4 / math.sqrt(max(limit, 1e-12 * typical) * max(float(cost.max()), 1e-300)) if given is None else 0.0
        self.scalar = Multiplier(limit, given, min(first, 1e3 / typical + 1e3), max(0.1 * limit, 1e-6 * typical))
        self.n_scalars = 1 if given is None else 0
        self.w = self.d_w = np.zeros(cost.shape[1])
        self.f = self.d_f = self.g_f = self.rows = self.costs = np.zeros(target.size)
        self.plan = self.slack = self.residual = self.inverse = self.ratio = self.wanted = np.zeros(cost.shape)
        self.d_plan = self.d_slack = np.zeros(cost.shape)
        self.pull = 0.0

    def start(self, w: np.ndarray, law: np.ndarray) -> None:
        """Begin at prices w, with all products equal and the plan's rows nearly the target's masses.

        Where products differ by orders of magnitude, as those of a product plan do, steps are short until they do not.
        """
        self.w, centre = w.copy(), _FIRST_PRODUCTS / self.cost.size
        gains = w - self.scalar.nu * self.cost
        top = gains.max(axis=1)
        above = top + _raised(top[:, None] - gains, self.target / centre)
        self.f, self.slack = above, above[:, None] - gains
        self.plan = centre / self.slack

    def complementarity(self, primal: float = 0.0, dual: float = 0.0) -> tuple[float, int]:
        """Return the sum of products after steps of these lengths, and how many there are."""
        more, count = self.scalar.complementarity(primal, dual)
        if primal == 0.0 and dual == 0.0:
            return float(np.vdot(self.plan, self.slack)) + more, self.plan.size + count
        ends = self.plan + dual * self.d_plan, self.slack + primal * self.d_slack
        return float(np.vdot(*ends)) + more, self.plan.size + count

    def hessian(self) -> np.ndarray:
        """Return the matrix over (w, nu), f eliminated."""
        self.residual = self.f[:, None] - self.w + self.scalar.nu * self.cost - self.slack
        self.inverse = 1 / self.slack
        self.ratio = self.plan * self.inverse
        self.rows = self.ratio.sum(axis=1)
        half = self.ratio / np.sqrt(self.rows)[:, None]
        m, r = self.w.size, self.n_scalars
        matrix = np.zeros((m + r, m + r))
        matrix[:m, :m] = -(half.T @ half)
        matrix[np.arange(m), np.arange(m)] += self.ratio.sum(axis=0)
        if r:
            weighted = self.ratio * self.cost
            self.costs = weighted.sum(axis=1)
            matrix[:m, m] = matrix[m, :m] = self.ratio.T @ (self.costs / self.rows) - weighted.sum(axis=0)
            spent = float(np.vdot(weighted, self.cost)) - float((self.costs / self.rows) @ self.costs)
            matrix[m, m] = spent + self.scalar.eta / self.scalar.nu
        return matrix

    def gradient(self, centre: float, corrected: bool) -> np.ndarray:
        """Return the gradient over (w, nu), f eliminated."""
        wanted = centre - self.plan * self.residual
        if corrected:
            wanted -= self.d_plan * self.d_slack
        self.wanted = wanted * self.inverse
        self.g_f = self.target - self.wanted.sum(axis=1)
        of_prices = self.wanted.sum(axis=0) + self.ratio.T @ (self.g_f / self.rows)
        if not self.n_scalars:
            return of_prices
        self.pull = self.scalar.pull(centre, corrected)
        of_nu = self.scalar.limit - float(np.vdot(self.wanted, self.cost)) - self.pull
        return np.append(of_prices, of_nu - float((self.costs / self.rows) @ self.g_f))

    def move(self, step: np.ndarray) -> None:
        """Work out the directions of f, the slacks and the plan."""
        m = self.w.size
        self.d_w, d_nu = step[:m], float(step[m]) if self.n_scalars else 0.0
        of_costs = self.costs * d_nu if self.n_scalars else 0.0
        self.d_f = (self.ratio @ self.d_w - self.g_f - of_costs) / self.rows
        self.d_slack = self.d_f[:, None] - self.d_w + self.residual
        if d_nu:
            self.d_slack += d_nu * self.cost
        # wanted holds (centre - plan residual) / slack, the residual being part of d_slack too
        self.d_plan = self.wanted + self.ratio * (self.residual - self.d_slack) - self.plan
        if self.n_scalars:
            self.scalar.move(d_nu, self.pull)

    def lengths(self) -> tuple[float, float]:
        """Return how far slacks and nu, and the plan and eta, can go."""
        first, second = self.scalar.lengths()
        return min(first, length(self.slack, self.d_slack)), min(second, length(self.plan, self.d_plan))

    def cap(self) -> float:
        """Return the whole step: the block is linear."""
        return 1.0

    def advance(self, primal: float, dual: float) -> None:
        """Go."""
        self.w = self.w + primal * self.d_w
        self.f = self.f + primal * self.d_f
        self.slack += primal * self.d_slack
        self.plan += dual * self.d_plan
        self.scalar.advance(primal, dual)

    def shift(self, amount: float) -> None:
        """Subtract a constant from all prices, and from f."""
        self.w, self.f = self.w - amount, self.f - amount

    def scalars(self) -> tuple[float, float]:
        """Return nu, and no level."""
        return self.scalar.nu, 0.0
