"""Newton's method where the support function is smooth: f-divergences and exact laws, one letter for every place.

Then w = log c(u, lambda) needs no variable of its own, and what is left to minimise,

    -p.u + lambda.b + tau + nu P + nu sum_j t_j f*((log c_j - tau) / nu),       exact laws: t.log c,

is convex and smooth in (u, lambda, tau, nu). A logarithmic barrier keeps multipliers positive, and prices of places
below the end of the domain of f*: where the target has nothing that is all there is, and elsewhere the ends are where
f* is so steep that Newton's method would creep (Nesterov and Nemirovskii 1994: such functions are compatible with the
logarithm, and their sum is self-concordant). Steps are shortened until the barrier function falls (Armijo), so that
every start will do; every iterate is a dual point.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rdcsolve.perception.divergence import Divergence
from rdcsolve.solvers.loop import NumericalBreakdown
from rdcsolve.solvers.perception.interior_point import Point, Statement
from rdcsolve.solvers.perception.scaled_system import ScaledSystem, factored, gram

_FIRST_BARRIER = 0.2  # nats, for all products together
_FALL = 0.1  # of the barrier at least, once the method is close to its path
_MOST_AHEAD = 10.0  # barriers: the decrement that a further fall may lead to, if Newton's model holds
_CLOSE = 0.3  # of the barrier: the decrement that is close
_LAST_BARRIER = 0.05  # of the tolerance, for all products together
_NEAREST = 0.95  # of the way to where a multiplier, or the room of a price, is zero
_ARMIJO = 1e-4
_SCALINGS = 20  # of both laws, for a start near an exact law
_LEAST = 1e-300


@dataclass(frozen=True, eq=False)
class SmoothLaw:
    """What the method needs to know of a law; masses on places in the order of the statement's letters.

    Attributes
    ----------
    target : numpy.ndarray
        Shape (k,), summing to one, or less where the target has mass elsewhere.
    divergence : Divergence or None
        None for an exact law.
    limit : float
        P less what mass elsewhere costs.
    given : float or None
        nu, where the limit is a multiplier.
    """

    target: np.ndarray
    divergence: Divergence | None
    limit: float = 0.0
    given: float | None = None


@dataclass(frozen=True, eq=False)
class _At:
    """Everything at one place; values without the barrier, but for `barrier`."""

    u: np.ndarray
    multipliers: np.ndarray
    nu: float
    tau: float
    log_prices: np.ndarray
    shares: np.ndarray
    value: float
    barrier: float


class _Path:
    """The barrier function and its derivatives."""

    def __init__(self, statement: Statement, law: SmoothLaw) -> None:
        self.statement, self.law = statement, law
        self.free = np.flatnonzero(statement.is_free)
        self.old, self.new = law.target > 0, law.target <= 0
        self.has_level = law.divergence is not None
        self.has_nu = self.has_level and law.given is None
        self.has_end = law.divergence is not None and math.isfinite(law.divergence.steepest)

    def at(self, u: np.ndarray, multipliers: np.ndarray, nu: float, tau: float) -> _At | None:
        """Return what there is to know at a place, or None where the function is infinite."""
        if (multipliers[self.free] <= 0).any() or (self.has_level and nu <= 0):
            return None
        log_prices, shares = self.statement.log_prices(u, multipliers)
        if not np.isfinite(log_prices).all():
            return None
        value = -float(self.statement.p @ u) + float(multipliers[self.free] @ self.statement.bounds[self.free])
        barrier = -float(np.log(multipliers[self.free]).sum())
        law = self.law
        if law.divergence is None:
            value += float(law.target @ log_prices)
        else:
            s = (log_prices[self.old] - tau) / nu
            room = self.room(log_prices, nu, tau)
            if float(s.max()) >= law.divergence.steepest or (room <= 0).any():
                return None
            value += (
                tau
                + nu * law.limit * self.has_nu
                + nu * float(law.target[self.old] @ law.divergence.conjugate(s).value)
            )
            value += 0.0 if self.has_nu else nu * law.limit
            barrier -= math.log(nu) * self.has_nu + float(np.log(room).sum())
        if not math.isfinite(value):
            return None
        return _At(u, multipliers, nu, tau, log_prices, shares, value, barrier)

    def room(self, log_prices: np.ndarray, nu: float, tau: float) -> np.ndarray:
        """Return how far prices are below the end of the domain of f*, shape (k,), or (0,) if it has none."""
        if self.law.divergence is None or not self.has_end:
            return np.empty(0)
        return np.asarray(nu * self.law.divergence.steepest + tau - log_prices)

    def derivatives(self, now: _At, barrier: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return gradient, the barrier's own gradient and the matrix over (u, free multipliers, tau, nu), and the law.

        The law is the one that prices call for, shape (k,).
        """
        n, r, k = now.u.size, self.free.size, now.log_prices.size
        law, nu = self.law, now.nu
        q, curvature = np.array(law.target), np.zeros(k)
        leaning, turning = np.zeros(k), np.zeros(k)  # curvature in price and nu, and in nu alone
        of_nu, slope_of_end, pushed = 0.0, 0.0, np.zeros(k)
        if law.divergence is not None:
            s = (now.log_prices[self.old] - now.tau) / nu
            found = law.divergence.conjugate(s)
            target = law.target[self.old]
            q[self.old], curvature[self.old] = target * found.slope, target * found.curvature / nu
            leaning[self.old], turning[self.old] = curvature[self.old] * s, curvature[self.old] * s * s
            of_nu = law.limit + float(target @ (found.value - s * found.slope)) - barrier / nu
            if self.has_end:
                end, room = law.divergence.steepest, self.room(now.log_prices, nu, now.tau)
                pushed = 1 / room
                q += barrier * pushed
                curvature += barrier / room**2
                leaning += end * barrier / room**2
                turning += end**2 * barrier / room**2
                slope_of_end = end * float(pushed.sum())
                of_nu -= barrier * slope_of_end
        losses = self.statement.losses[self.free]
        weighted = [now.shares * loss for loss in losses]
        means = np.array([part.sum(axis=0) for part in weighted]).reshape(r, k)
        size = n + r + self.has_level + self.has_nu
        gradient, matrix, outward = np.empty(size), np.zeros((size, size)), np.zeros(size)
        outward[:n], outward[n : n + r] = now.shares @ pushed, -means @ pushed - 1 / now.multipliers[self.free]
        gradient[:n] = now.shares @ q - self.statement.p
        gradient[n : n + r] = self.statement.bounds[self.free] - means @ q - barrier / now.multipliers[self.free]
        matrix[:n, :n] = gram(now.shares, curvature - q)
        matrix[np.arange(n), np.arange(n)] += now.shares @ q
        for m, part in enumerate(weighted):
            column = now.shares @ ((q - curvature) * means[m]) - part @ q
            matrix[:n, n + m] = matrix[n + m, :n] = column
            for m2 in range(r):
                second = (part * losses[m2]).sum(axis=0) - means[m] * means[m2]
                matrix[n + m, n + m2] = q @ second + curvature @ (means[m] * means[m2])
            matrix[n + m, n + m] += barrier / now.multipliers[self.free[m]] ** 2
        if self.has_level:
            gradient[n + r], matrix[n + r, n + r] = 1 - q.sum(), curvature.sum()
            outward[n + r] = -pushed.sum()
            matrix[: n + r, n + r] = matrix[n + r, : n + r] = _below(now.shares, means, curvature)
        if self.has_nu:
            gradient[-1], matrix[-1, -1] = of_nu, turning.sum() + barrier / nu**2
            outward[-1] = -1 / nu - slope_of_end
            matrix[: n + r, -1] = matrix[-1, : n + r] = _below(now.shares, means, leaning)
            matrix[n + r, -1] = matrix[-1, n + r] = leaning.sum()
        # a constant added to u, and to tau, changes nothing
        end = n + r + self.has_level
        for rows in (slice(0, n), slice(n + r, end)):
            matrix[rows, :n] += 1 / (n + 1)
            matrix[rows, n + r : end] += 1 / (n + 1)
        return gradient, outward, matrix, q

    def longest(self, now: _At, step: np.ndarray) -> float:
        """Return the longest step for which multipliers stay positive."""
        n, r = now.u.size, self.free.size
        values, moves = now.multipliers[self.free], step[n : n + r]
        if self.has_nu:
            values, moves = np.append(values, now.nu), np.append(moves, step[-1])
        falling = moves < 0
        return min(1.0, float(np.min(-_NEAREST * values[falling] / moves[falling], initial=math.inf)))

    def moved(self, now: _At, step: np.ndarray, length: float) -> _At | None:
        """Return what there is to know after a step of some length."""
        n, r = now.u.size, self.free.size
        multipliers = now.multipliers.copy()
        multipliers[self.free] += length * step[n : n + r]
        tau = now.tau + (length * float(step[n + r]) if self.has_level else 0.0)
        nu = now.nu + (length * float(step[-1]) if self.has_nu else 0.0)
        return self.at(now.u + length * step[:n], multipliers, nu, tau)


def _below(shares: np.ndarray, means: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return minus what weights (k,) make of prices' slopes in u and multipliers, shape (n + r,)."""
    return np.concatenate([-(shares @ weights), means @ weights])


def smooth_points(
    statement: Statement, law: SmoothLaw, u: np.ndarray, multipliers: np.ndarray, tolerance: float
) -> Iterator[Point]:
    """Yield one point after another, as long as somebody asks.

    Parameters
    ----------
    statement : Statement
        With one letter for every place, in the order of the places.
    law : SmoothLaw
    u, multipliers : numpy.ndarray
        Where to begin: shapes (n,) and (R,), positive where free.
    tolerance : float
        Nats; the barrier is not made much smaller.
    """
    path = _Path(statement, law)
    now = _start(path, u, multipliers)
    products = 1 + path.free.size + path.has_end * law.target.size  # each of which costs the bound one barrier
    barrier, last = _FIRST_BARRIER / products, _LAST_BARRIER * tolerance / products
    while True:
        gradient, outward, matrix, q = path.derivatives(now, barrier)
        system = factored(matrix)
        step = system.solve(-gradient)
        decrement = -float(gradient @ step)
        if not math.isfinite(decrement):
            raise NumericalBreakdown("a Newton step of a limit on the reproduction's law is not finite")
        scalars = (math.inf, 0.0) if law.divergence is None else (now.nu, now.tau)
        yield Point(
            now.u,
            now.multipliers,
            now.log_prices,
            (scalars,),
            (now.log_prices,),
            q,
            now.shares,
            barrier * products + abs(decrement),
        )
        if decrement < max(_CLOSE * barrier, 1e-13) and barrier > last:
            barrier, step, decrement = _lowered(system, gradient, outward, step, barrier, last)
        moved = _searched(path, now, step, decrement, barrier)
        if moved is None and barrier <= last:
            return
        now, barrier = (now, max(_FALL * barrier, last)) if moved is None else (moved, barrier)


def _lowered(
    system: ScaledSystem, gradient: np.ndarray, outward: np.ndarray, step: np.ndarray, barrier: float, last: float
) -> tuple[float, np.ndarray, float]:
    """Return a lower barrier, and the step and decrement there.

    It falls as far as the decrement, which is a square in the barrier, stays within what a few steps make up for. Where
    multipliers matter that is further every time, as the barrier is little beside what they are worth.
    """
    rise = system.solve(outward)
    own, across, pull = -float(gradient @ step), float(gradient @ rise), float(outward @ rise)
    lower = np.maximum(barrier * _FALL ** np.arange(1, 16), last)
    fall = barrier - lower
    decrements = own - 2 * fall * across + fall**2 * pull
    is_near = decrements <= _MOST_AHEAD * lower
    k = int(np.flatnonzero(is_near)[-1]) if is_near.any() else 0
    return float(lower[k]), step + float(fall[k]) * rise, float(decrements[k])


def _searched(path: _Path, now: _At, step: np.ndarray, decrement: float, barrier: float) -> _At | None:
    """Return the place after the longest step that lowers the barrier function, None where rounding lets none."""
    before = now.value + barrier * now.barrier
    length = path.longest(now, step)
    while length > 1e-9:
        trial = path.moved(now, step, length)
        if trial is not None:
            after = trial.value + barrier * trial.barrier
            if after <= before - _ARMIJO * length * decrement + 1e-15 * (1 + abs(before)):
                return trial
        length *= 0.5
    return None


def _start(path: _Path, u: np.ndarray, multipliers: np.ndarray) -> _At:
    """Return a place in the domain: near both laws where they are exact, nu large otherwise."""
    statement, law = path.statement, path.law
    u = _scaled(statement, law.target, u, multipliers)
    log_prices, _ = statement.log_prices(u, multipliers)
    nu, tau = 1.0, 0.0
    if law.divergence is not None:
        # every argument in the domain, and above -2, where chi2 is flat
        nu = max(1.0, 2 * float(np.ptp(log_prices)), _nearby(law, log_prices)) if law.given is None else law.given
        end, top = law.divergence.steepest, float(log_prices.max())
        tau = float(law.target @ log_prices)
        tau = tau if math.isinf(end) else max(tau, top - 0.5 * nu * end)
    now = path.at(u, multipliers, nu, tau)
    if now is None:
        raise NumericalBreakdown("prices at the start left the range of floats")
    return now


def _nearby(law: SmoothLaw, log_prices: np.ndarray) -> float:
    """Return the best nu for small limits: the support is then nearly mean + nu P + f*''(0) variance / (2 nu)."""
    assert law.divergence is not None
    mean = float(law.target @ log_prices)
    spread = float(law.target @ (log_prices - mean) ** 2)
    curvature = float(law.divergence.conjugate(np.zeros(1)).curvature[0])
    return math.sqrt(0.5 * curvature * spread / law.limit) if law.limit > 0 else 0.0


def _scaled(statement: Statement, target: np.ndarray, u: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
    """Return u after some scalings of both laws (Sinkhorn), from halfway between the given start and the target."""
    p, law = statement.p, np.maximum(target, 1e-6 / target.size)
    exponents = np.zeros(statement.losses.shape[1:])
    for multiplier, loss in zip(multipliers, statement.losses, strict=True):
        exponents -= multiplier * loss
    if statement.forbidden is not None:
        exponents[statement.forbidden] = -math.inf
    top = exponents.max(axis=1)
    kernel = np.exp(exponents - top[:, None])
    columns = np.ones(target.size)
    for _ in range(_SCALINGS):
        rows = 1 / np.maximum(kernel @ (columns * law), _LEAST)
        columns = 1 / np.maximum((rows * p) @ kernel, _LEAST)
    rows = 1 / np.maximum(kernel @ (columns * law), _LEAST)
    found = np.log(rows) - top
    return np.asarray(found if np.isfinite(found).all() else u)
