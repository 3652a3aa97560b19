"""The primal-dual interior-point method for output masses and multipliers together.

Minimise over q >= 0 and maximise over multipliers >= 0

    -sum_i p_i log(K q)_i + sum_a q_a - lambda.b,        K = exp(-lambda.L).

With v = exp(u) the conditions are v t = 1 for t = K q, c + z = 1 for c = K'(p v), E L + s = b, and the
complementarity q z = 0, lambda s = 0 with everything >= 0. A loss that is held at its bound has s = 0 and a lambda of
either sign. Newton's method on these, with q z = lambda s = mu
and mu driven to zero as in Mehrotra (SIAM J. Optim. 2, 1992), takes 10 to 20 steps at every size. Keeping v
beside q makes c + z = 1 linear at fixed multipliers, so the dual point soon is feasible and stays so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from rdcsolve.kernels import DeviceColumns, Kernel, SomeLetters, make_kernel
from rdcsolve.solvers.loop import NumericalBreakdown

_TO_BOUNDARY = 0.995  # fraction of the way to the boundary that a step may go
_LARGEST_MULTIPLIER_CHANGE = 0.7  # beside the multiplier plus what goes unnoticed: further, the linearised kernel says
# little
_UNNOTICED = 0.1  # nat per range: multipliers nearer zero may change by decades, since the kernel's entries then change
# by a few per cent, and its linearisation errs by the square of that
_LARGEST_LOG_V = 600.0  # keeps v and p v t in range while a wild step is being undone
_MANY_LETTERS = 256  # from here on, letters that hardly move the dual are left out of the Newton matrix
_WORTHWHILE = 0.8  # share of the letters above which leaving out the rest saves too little
_ACTIVE = 0.3  # what counts as moving it: the share of the letter's own curvature in its diagonal entry


@dataclass(frozen=True, eq=False)
class Restricted:
    """The data of a restricted problem: k letters, R losses of which the free ones are limited.

    The complementarity q.z + lambda.s does not aim below `kept`. Losses that are `equal`, shape (R,), are held at their
    bounds; None for none. A multiplier of one nat per `ranges`, shape (R,), by default the bounds, makes a difference.
    Of the complementarity of a letter the free losses get `shares`, shape (F,), by default ones.
    """

    p: np.ndarray
    losses: Sequence[Any]
    forbidden: np.ndarray | None
    free: np.ndarray
    bounds: np.ndarray
    kept: float = 0.0
    equal: np.ndarray | None = None
    ranges: np.ndarray | None = None
    shares: np.ndarray | None = None

    @cached_property
    def held(self) -> np.ndarray:
        """Which of the F free losses are held at their bounds."""
        return np.zeros(int(self.free.sum()), dtype=bool) if self.equal is None else self.equal[self.free]

    @cached_property
    def limited(self) -> slice | np.ndarray:
        """The other ones: a slice where these are all."""
        return ~self.held if self.held.any() else slice(None)

    @cached_property
    def units(self) -> np.ndarray:
        """The ranges of the F free losses."""
        return np.asarray((self.bounds if self.ranges is None else self.ranges)[self.free])


@dataclass(frozen=True, eq=False)
class Point:
    """A primal-dual point: q (k,), v (n,) in the kernel's row scale, z (k,), multipliers (R,), slacks (F,)."""

    q: np.ndarray
    v: np.ndarray
    z: np.ndarray
    multipliers: np.ndarray
    slacks: np.ndarray
    kernel: Kernel
    lower: float
    value: float


def primal_dual(data: Restricted, q: np.ndarray, multipliers: np.ndarray, mu: float | None = None) -> Iterator[Point]:
    """Yield points with their bounds, the first being the start made of `q` and `multipliers`.

    Parameters
    ----------
    data : Restricted
    q : numpy.ndarray
        Shape (k,), > 0, near a solution or uniform.
    multipliers : numpy.ndarray
        Shape (R,), > 0 where free and not held.
    mu : float, optional
        Complementarity to start from, by default the gap of `q` shared out among the letters.
    """
    kernel = make_kernel(data.losses, multipliers, data.forbidden)
    free = np.flatnonzero(data.free)
    v = 1 / kernel.matvec(q)
    c = kernel.rmatvec(data.p * v)
    if mu is None:
        mu = float(np.log(c.max())) / q.size
    mu = min(max(mu, 1e-13), 1e-2)
    q = np.maximum(q, mu)
    z = np.maximum(1 - c, mu / q)
    slacks = _first_slacks(data, kernel, q, multipliers, free, mu * _shares(data, multipliers))
    yield from newton_points(data, Point(q, v, z, multipliers, slacks, kernel, math.nan, math.nan))


def newton_points(data: Restricted, start: Point, hold: float | None = None) -> Iterator[Point]:
    """Yield Newton's points with their bounds, the first being `start`.

    Parameters
    ----------
    data : Restricted
    start : Point
        Whose bounds are not used.
    hold : float, optional
        The complementarity of every pair that steps aim at, where the central path has a point. By default it falls.
    """
    q, v, z, multipliers, slacks, kernel = start.q, start.v, start.z, start.multipliers, start.slacks, start.kernel
    data = replace(data, shares=_shares(data, multipliers))
    free = np.flatnonzero(data.free)
    while True:
        system = System(data, kernel, q, v, z, multipliers, slacks, free)
        yield system.point()
        q, v, z, multipliers, slacks, changed = system.advance(hold)
        if changed:
            log_v = np.log(v) - kernel.log_scale
            kernel = make_kernel(data.losses, multipliers, data.forbidden)
            v = np.exp(np.minimum(np.maximum(log_v + kernel.log_scale, -_LARGEST_LOG_V), _LARGEST_LOG_V))


def _shares(data: Restricted, multipliers: np.ndarray) -> np.ndarray:
    """Return which share of a letter's complementarity each limit gets, shape (F,).

    A slack is at most the bound, so lambda s = mu keeps lambda above mu / b: far above where it belongs as long as mu
    is above lambda b. That is what the limit is worth in nats, and just above the least loss it is tiny.
    """
    bounds = data.bounds[data.free]
    worth = np.maximum(np.abs(multipliers[data.free]), 1 / data.units) * bounds
    return np.where(data.held, 1.0, np.minimum(worth, 1.0))


def _first_slacks(data, kernel, q, multipliers, free, mu):  # type: ignore[no-untyped-def]
    """Return the limits' own slacks, raised to what centrality asks for where the limit is active."""
    weights = data.p / kernel.matvec(q)
    means = np.array([weights @ kernel.loss_matvec(m, q) for m in free])
    room, held = data.bounds[free] - means, data.held
    central = mu / np.where(held, 1.0, multipliers[free])
    slacks = np.maximum(np.maximum(room, np.minimum(central, data.bounds[free])), 1e-12 * data.bounds[free])
    return np.where(held, 0.0, slacks)


class System:
    """One step's linear algebra: residuals, the factorised Newton matrix, predictor and corrector."""

    def __init__(self, data, kernel, q, v, z, multipliers, slacks, free):  # type: ignore[no-untyped-def]
        self.data, self.kernel, self.free = data, kernel, free
        self.shares = np.ones(free.size) if data.shares is None else data.shares
        self.q, self.v, self.z, self.multipliers, self.slacks = q, v, z, multipliers, slacks
        self.lam, self.held, self.limited = multipliers[free], data.held, data.limited
        self.priced = np.where(self.held, 1.0, self.lam)  # what slacks are divided by
        self.t = kernel.matvec(q)
        self.masses = data.p * v
        self.c = kernel.rmatvec(self.masses)
        self.over_t = data.p / self.t
        self.residual_t = 1 - v * self.t
        self.residual_c = 1 - self.c - z
        self.loss_t = np.array([kernel.loss_matvec(m, q) for m in free]).reshape(free.size, self.t.size).T
        self.complementarity = float(q @ z + self.lam @ slacks)
        if not np.isfinite(self.complementarity + self.t.sum() + self.c.sum()):
            raise NumericalBreakdown("the interior-point iterates are no longer finite")

    def point(self) -> Point:
        """Return the point with the bounds it proves over its own letters."""
        p, charge = self.data.p, float(self.lam @ self.data.bounds[self.free])
        scale = float(p @ self.kernel.log_scale)
        lower = float(p @ np.log(self.v)) - scale - charge - float(np.log(self.c.max()))
        value = float(np.log(self.q.sum())) - float(p @ np.log(self.t)) - scale - charge
        # Away from the limits, or from complementarity, the value alone says little about what meeting them costs.
        means = self.over_t @ self.loss_t
        value += float(np.abs(self.lam) @ np.abs(means - self.data.bounds[self.free]))
        return Point(self.q, self.v, self.z, self.multipliers, self.slacks, self.kernel, lower, value)

    @np.errstate(over="ignore", invalid="ignore")  # a step beyond the range of floats is told from what it returns
    def advance(self, hold: float | None = None):  # type: ignore[no-untyped-def]
        """Return the next q, v, z, multipliers, slacks, and whether the multipliers changed.

        Parameters
        ----------
        hold : float, optional
            The complementarity of every pair to aim at; by default as little as the predictor shows to be in reach.
        """
        self._factorise()
        q, z, lam, s = self.q, self.z, self.lam, self.slacks
        aim = hold or 0.0
        predictor = self._solve(self.residual_t, aim - q * z, np.where(self.held, 0.0, aim * self.shares - lam * s))
        dq, dv, dz, dl, ds = predictor
        primal, dual = self._lengths(predictor, 1.0)
        if hold is None:
            after = (q + primal * dq) @ (z + dual * dz) + (lam + dual * dl) @ (s + primal * ds)
            centring = max(float(after / self.complementarity) ** 3, 1e-6)
            mu = max(centring * self.complementarity, self.data.kept) / (q.size + float(self.shares.sum()))
        elif min(primal, dual) < 1:  # off the central path corrections jam the pairs that are nearest to zero
            return self._moved(predictor)
        else:
            mu = hold
        # Where the predictor hardly gets anywhere, its products say nothing about the step that will be taken.
        taken = primal * dual
        corrector = self._solve(
            self.residual_t - taken * dv * self.kernel.matvec(dq),
            mu - q * z - taken * dq * dz,
            np.where(self.held, 0.0, mu * self.shares - lam * s - taken * dl * ds),
        )
        return self._moved(corrector)

    def _moved(self, step):  # type: ignore[no-untyped-def]
        """Return what `advance` does: the point after as much of a step as it allows."""
        dq, dv, dz, dl, ds = step
        primal, dual = self._lengths(step, _TO_BOUNDARY)
        multipliers = self.multipliers
        if self.lam.size:
            multipliers = multipliers.copy()
            multipliers[self.free] = self.lam + dual * dl
        q, v, z, slacks = self.q + primal * dq, self.v + dual * dv, self.z + dual * dz, self.slacks + primal * ds
        return q, v, z, multipliers, slacks, bool(self.lam.size)

    def _factorise(self) -> None:
        q, z = self.q, self.z
        weights = self.over_t * self.v
        self.active: slice | np.ndarray = slice(None)
        self.sub: Kernel | _Columns | DeviceColumns = self.kernel  # of the active letters
        if q.size > _MANY_LETTERS and getattr(self.kernel, "factorised", None) is None:
            # H_aa q/z << 1 says that z/q rules the letter's own equation: its dq follows from the others' dv. On
            # large alphabets most letters are such, and the matrix shrinks to those that matter.
            moving = np.flatnonzero(q / z * self.kernel.rmatvec(weights) > _ACTIVE)
            if moving.size < _WORTHWHILE * q.size:
                self.active, self.sub = moving, _some_of(self.kernel, moving)
        # (H + Z/Q) is scaled to S H S + I with S = sqrt(q/z): its eigenvalues start at one, so it can be
        # factorised although z/q spans many decades.
        self.scaling = np.sqrt(q[self.active] / z[self.active])
        self.solved = factorised(self.sub, weights, self.scaling)
        if self.free.size:
            self._couple()

    def _couple(self) -> None:
        """Set the derivatives with the multipliers: residual, coupling B (k, F) and curvature C (F, F)."""
        q, pv = self.q, self.masses
        kernel, free = self.kernel, self.free.tolist()
        self.loss_c = np.array([kernel.loss_rmatvec(m, pv) for m in free]).T
        raw = [[pv @ kernel.second(m, other, q) for other in free] for m in free]
        relative = self.loss_t * (pv / self.t)[:, None]
        means, aims = self.over_t @ self.loss_t, self.data.bounds[self.free] - self.slacks
        # A mean falls like exp(-lambda) near the least loss: its logarithm is what is linear in lambda
        ratio = np.log(np.maximum(aims, 1e-300) / np.maximum(means, 1e-300))
        self.residual_loss = np.where(self.held, aims - means, means * ratio)
        self.coupling = self.loss_c[self.active] - np.array([self.sub.rmatvec(w) for w in relative.T]).T
        curvature = np.array(raw) - relative.T @ self.loss_t
        self.reduced = self._inverse(self.coupling)
        self.schur = curvature + np.diag(self.slacks / self.priced) + self.coupling.T @ self.reduced

    def _inverse(self, right: np.ndarray) -> np.ndarray:
        if not right.size:  # which SciPy solves from 1.14 on
            return np.zeros(right.shape)
        scaling = self.scaling if right.ndim == 1 else self.scaling[:, None]
        return np.asarray(scaling * self.solved(scaling * right))

    def _solve(self, residual_t, residual_z, residual_s):  # type: ignore[no-untyped-def]
        """Return dq, dv, dz, dmultipliers, dslacks for the given right-hand sides."""
        q, v, z, lam, s, on = self.q, self.v, self.z, self.lam, self.slacks, self.active
        is_whole = isinstance(on, slice)
        right = self.sub.rmatvec(self.over_t * residual_t) + (residual_z / q - self.residual_c)[on]
        dq = self._inverse(right)
        dl = np.zeros(lam.size)
        moved = 0.0
        if lam.size:
            below = self.residual_loss - residual_s / self.priced
            # the means hold v, which the corrector asks to go elsewhere than the predictor does
            below -= self.loss_t.T @ (self.over_t * (residual_t - self.residual_t))
            dl = _small_solution(self.schur, self.coupling.T @ dq - below)
            dq = dq - self.reduced @ dl
            moved = self.loss_t @ dl
        dv = (residual_t - v * (self.sub.matvec(dq) - moved)) / self.t
        if is_whole:
            dz = (residual_z - z * dq) / q
        else:
            dz = self.residual_c - self.kernel.rmatvec(self.data.p * dv)
            if lam.size:
                dz += self.loss_c @ dl
            moving, dq = dq, (residual_z - q * dz) / z
            dq[on] = moving
            dz[on] = (residual_z[on] - z[on] * moving) / q[on]
        ds = (residual_s - s * dl) / self.priced
        if not math.isfinite(dq.sum() + dv.sum() + dz.sum() + dl.sum()):
            raise NumericalBreakdown("the Newton step is not finite")
        return dq, dv, dz, dl, ds

    def _lengths(self, step, fraction):  # type: ignore[no-untyped-def]
        """Return the step lengths of (q, slacks) and of (v, z, multipliers)."""
        dq, dv, dz, dl, ds = step
        limited = self.limited
        primal = min(_reach(self.q, dq), _reach(self.slacks[limited], ds[limited]))
        dual = min(_reach(self.z, dz), _reach(self.v, dv), _reach(self.lam[limited], dl[limited]))
        primal, dual = min(1.0, fraction * primal), min(1.0, fraction * dual)
        if self.lam.size:
            # a multiplier of either sign acts at once, and has no decades near zero to go through
            size = np.abs(self.lam) + np.where(self.held, 1.0, _UNNOTICED) / self.data.units
            change = float(np.abs(dl / size).max())
            dual = min(dual, _LARGEST_MULTIPLIER_CHANGE / max(change, 1e-300))
        return primal, dual


def _reach(values: np.ndarray, step: np.ndarray) -> float:
    """Return the length at which `values` + length * `step` first has a zero, or infinity."""
    if not values.size:
        return np.inf
    steepest = float(np.minimum.reduce(step / values))  # a ratio that overflows goes nowhere, which -1 / -inf says
    return -1 / steepest if steepest < 0 else np.inf


def _some_of(kernel: Kernel, places: np.ndarray) -> Kernel | _Columns | DeviceColumns:
    """Return the kernel of some letters: its columns, unless it does without, or keeps them on a device."""
    if isinstance(kernel, (SomeLetters, DeviceColumns)):
        return kernel.at(places)
    if getattr(kernel, "has_gram", False):
        return SomeLetters(kernel, places)
    return _Columns(kernel.columns(places))


class _Columns:
    """Some columns of a kernel: what the Newton matrix of the active letters asks for."""

    def __init__(self, columns: np.ndarray) -> None:
        self._columns = columns

    def columns(self) -> np.ndarray:
        """Return the columns, shape (n, k)."""
        return self._columns

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return their product with q, shape (n,)."""
        return self._columns @ q

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return their products with weights, shape (k,)."""
        return weights @ self._columns

    def gram(self, weights: np.ndarray) -> np.ndarray:
        """Return columns' diag(weights) columns, shape (k, k)."""
        root = self._columns * np.sqrt(weights)[:, None]
        return root.T @ root


def factorised(
    kernel: Kernel | _Columns | DeviceColumns, weights: np.ndarray, scaling: np.ndarray
) -> Callable[[np.ndarray], np.ndarray]:
    """Return what solves (S K' W K S + I) x = b for x, where the kernel is."""
    own = getattr(kernel, "factorised", None)
    if own is not None:
        try:
            return own(weights, scaling)  # type: ignore[no-any-return]
        except (FloatingPointError, np.linalg.LinAlgError) as error:
            raise NumericalBreakdown(str(error)) from None
    factor, lower = _factorise(kernel, weights, scaling)  # type: ignore[arg-type]
    return lambda right: np.asarray(_lapack().dpotrs(factor, right, lower=lower)[0])


def _factorise(kernel: Kernel | _Columns, weights: np.ndarray, scaling: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the Cholesky factor of S K' W K S + I, through QR where forming the product loses it."""
    from scipy.linalg import qr

    with np.errstate(over="ignore", invalid="ignore"):  # looked for below
        matrix = kernel.gram(weights)
        matrix *= scaling[:, None]
        matrix *= scaling
    matrix.flat[:: matrix.shape[0] + 1] += 1
    if not np.isfinite(np.trace(matrix)):  # squares of every entry: LAPACK would return a factor of NaN, silently
        raise NumericalBreakdown("the Newton matrix is not finite")
    factor, fault = _lapack().dpotrf(matrix.T, lower=True, clean=False, overwrite_a=True)
    if fault:
        root = kernel.columns() * np.sqrt(weights)[:, None] * scaling
        stacked = np.vstack([root, np.eye(root.shape[1])])
        return qr(stacked, mode="r", overwrite_a=True, check_finite=False)[0][: root.shape[1]], False
    return factor, True


def _lapack() -> Any:
    """Return SciPy's own names for what it calls: at a hundred letters what it does around them takes as long."""
    from scipy.linalg import lapack

    return lapack


def _small_solution(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the solution of as many equations as there are free losses.

    Raises
    ------
    NumericalBreakdown
        If there is none.
    """
    try:
        if right.size == 1 and matrix[0, 0]:  # the usual case, and a tenth of the time
            return np.asarray(right / matrix[0])
        return np.linalg.solve(matrix, right)
    except np.linalg.LinAlgError:
        raise NumericalBreakdown("the limits' own Newton matrix is singular") from None
