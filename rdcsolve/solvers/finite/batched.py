"""Newton's method on many small problems of one shape at once: in NumPy, or on a device through the array API.

It is the method of `newton_system`, for dense kernels and at most one limit, with an axis in front of all arrays. Each
problem has lengths of steps and a centring of its own, and leaves once its bounds are close. Nothing that comes out is
proved: channel, dual point and bounds of every problem are made from it in NumPy, and checked. A process that has
solved many very small ones goes over to a compiled twin, `compiled_newton` (see `rdcsolve.twins`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from rdcsolve import deadline
from rdcsolve.kernels import Backend
from rdcsolve.solvers.finite.step_lengths import (
    CHANGE_IN_WARM_UP,
    FLOOR,
    LARGEST_CHANGE,
    MOST_STEPS,
    TO_BOUND,
    TO_BOUNDARY,
    TURNS,
    UNNOTICED,
    WORK,
)

_MOST_COMPILED = 2**10  # pairs of symbol and letter: on larger ones LAPACK is faster than compiled loops
_INSIDE = 1e-12  # how far inside its bound, relatively, a channel is placed


class Stack(NamedTuple):
    """B problems of one shape.

    Attributes
    ----------
    p : numpy.ndarray
        Shape (B, n), > 0.
    loss : numpy.ndarray
        Shape (B, n, k): from every symbol's least entry; times its multiplier where that is given.
    bounds : numpy.ndarray or None
        Shape (B,), > 0: of the mean loss; None at given multipliers.
    """

    p: np.ndarray
    loss: np.ndarray
    bounds: np.ndarray | None

    def some(self, places: np.ndarray) -> Stack:
        """Return some of the problems."""
        return Stack(self.p[places], self.loss[places], None if self.bounds is None else self.bounds[places])

    @property
    def ranges(self) -> np.ndarray:
        """Least means that a letter has which ignores the symbol, shape (B,): a multiplier's unit is a nat per that."""
        return np.asarray(np.matmul(self.p[:, None, :], self.loss)[:, 0].min(axis=1))


class Points(NamedTuple):
    """Output masses (B, k), log v (B, n), multipliers (B,), one where they are given, and gaps (B,) in nats.

    Each of the B histories has a row for every point seen: lower bound and Lagrangian, limits charged, and multiplier.
    """

    q: np.ndarray
    log_v: np.ndarray
    multipliers: np.ndarray
    gaps: np.ndarray
    histories: list[np.ndarray]


class _Place:
    """Where arrays lie, and how fine their numbers are."""

    def __init__(self, backend: Backend | None, dtype: str) -> None:
        self.xp: Any = np if backend is None else backend.xp
        self.backend, self.dtype = backend, dtype

    def put(self, array: np.ndarray) -> Any:
        array = np.asarray(array, dtype=self.dtype)
        return array if self.backend is None else self.backend.put(array)

    def get(self, array: Any) -> np.ndarray:
        array = array if self.backend is None else self.backend.get(array)
        return np.asarray(array, dtype=np.float64)

    def take(self, array: Any, places: np.ndarray) -> Any:
        if self.backend is None:
            return array[places]
        return self.xp.take(array, self.backend.put(places), axis=0)

    def transposed(self, matrices: Any) -> Any:
        return np.swapaxes(matrices, 1, 2) if self.backend is None else self.xp.matrix_transpose(matrices)

    def at_least(self, array: Any, least: float) -> Any:
        return self.xp.where(array > least, array, self.xp.zeros_like(array) + least)


def solved(stack: Stack, gap: float, backend: Backend | None = None, precision: str = "float64") -> Points:
    """Return points of every problem with a gap of at most `gap`, as far as they come to that.

    Parameters
    ----------
    stack : Stack
    gap : float
        Nats.
    backend : Backend, optional
        Where arrays lie; None for NumPy.
    precision : {"float64", "float32"}, optional
        Of all steps; with ``"float32"`` those that it leaves further apart go on in double precision.
    """
    q = np.full((stack.p.shape[0], stack.loss.shape[2]), 1 / stack.loss.shape[2])
    with np.errstate(all="ignore"):  # what leaves the range of floats ends with a gap that is not finite
        if precision == "float64":
            if backend is None and _is_compiled(stack):
                return _compiled(stack, gap)
            return _run(stack, *_warm_up(stack, q, _Place(backend, precision)), gap, _Place(backend, precision))
        single = _Place(backend, precision)
        found = _run(stack, *_warm_up(stack, q, single), max(gap, 16.0 * float(np.finfo(np.float32).eps)), single)
        far = np.flatnonzero(~(_double_gaps(stack, found) <= gap))
        if far.size:
            some, known = stack.some(far), np.isfinite(found.q[far]).all(axis=1) & (found.multipliers[far] > 0)
            start = np.where(known[:, None], found.q[far], q[far])
            start = (1 - FLOOR) * start / start.sum(axis=1, keepdims=True) + FLOOR / start.shape[1]
            multipliers = np.where(known, found.multipliers[far], 1 / some.ranges)
            more = _run(some, start, multipliers, gap, _Place(backend, "float64"))
            for old, new in zip(found[:4], more[:4], strict=True):
                old[far] = new
            for row, further in zip(far.tolist(), more.histories, strict=True):
                found.histories[row] = np.concatenate([found.histories[row], further])
        return found


def _is_compiled(stack: Stack) -> bool:
    return stack.loss[0].size <= _MOST_COMPILED and not WORK.may_stay_plain()


def _compiled(stack: Stack, gap: float) -> Points:
    """Return what `_run` does, one problem after another."""
    from rdcsolve.solvers.finite.compiled_newton import newton

    rows, points = np.empty((MOST_STEPS, 3)), []
    for row in range(len(stack.p)):
        deadline.look()
        bound = np.nan if stack.bounds is None else stack.bounds[row]
        *point, seen = newton(stack.p[row], stack.loss[row], bound, gap, TURNS, rows)
        points.append((*point, rows[:seen].copy()))
    q, log_v, multipliers, gaps, histories = zip(*points, strict=True)
    return Points(np.array(q), np.array(log_v), np.array(multipliers), np.array(gaps), list(histories))


def _double_gaps(stack: Stack, found: Points) -> np.ndarray:
    """Return the gaps (B,) of points in double precision, beside a channel that may miss its limit by a rounding."""
    kernel = np.exp(-found.multipliers[:, None, None] * stack.loss)
    t = np.matmul(kernel, found.q[:, :, None])[:, :, 0]
    prices = np.matmul((stack.p * np.exp(found.log_v))[:, None, :], kernel)[:, 0]
    dual = (stack.p * found.log_v).sum(axis=1) - np.log(prices.max(axis=1))
    value = np.log(found.q.sum(axis=1)) - (stack.p * np.log(t)).sum(axis=1)
    if stack.bounds is None:
        return np.asarray(value - dual)
    means = (stack.p / t * np.matmul(kernel * stack.loss, found.q[:, :, None])[:, :, 0]).sum(axis=1)
    return np.asarray(value - dual + found.multipliers * np.abs(means - stack.bounds))


def channels(stack: Stack, found: Points) -> np.ndarray:
    """Return the best channels with the points' masses that meet the limits, shape (B, n, k); NumPy, doubles."""
    with np.errstate(all="ignore"):
        multipliers = found.multipliers
        if stack.bounds is not None:
            bounds = stack.bounds * (1 - _INSIDE)
            if _is_compiled(stack):
                from rdcsolve.solvers.finite.compiled_newton import meeting

                data = zip(stack.p, stack.loss, found.q, multipliers, bounds, strict=True)
                multipliers = np.array([meeting(*one, MOST_STEPS) for one in data])
            else:
                multipliers = _meeting(stack, found.q, multipliers, bounds, MOST_STEPS, _Place(None, "float64"))
        joint = found.q[:, None, :] * np.exp(-multipliers[:, None, None] * stack.loss)
        return np.asarray(joint / joint.sum(axis=2, keepdims=True))


# ------------------------------------------------------------------------------------------------- the start


def _warm_up(stack: Stack, q: np.ndarray, place: _Place) -> tuple[np.ndarray, np.ndarray]:
    """Return masses and multipliers after a few Blahut-Arimoto steps, see `warm_up`."""
    multipliers = np.ones(q.shape[0])
    if stack.bounds is not None:
        multipliers = 1 / stack.ranges
    turns, steps, without = TURNS
    p, loss, masses = place.put(stack.p), place.put(stack.loss), place.put(q)
    for _ in range(turns if stack.bounds is not None else without):
        deadline.look()
        if stack.bounds is not None:
            multipliers = _meeting(stack, q, multipliers, stack.bounds, steps, place)
        kernel = place.xp.exp(-place.put(multipliers)[:, None, None] * loss)
        masses = masses * _down(place.xp, kernel, p / _up(place.xp, kernel, masses))
        masses = (1 - FLOOR) * masses + FLOOR / q.shape[1]
        q = place.get(masses)
    if stack.bounds is not None:
        multipliers = np.maximum(multipliers, 1e-6 / stack.ranges)
    return q / q.sum(axis=1, keepdims=True), multipliers


def _meeting(
    stack: Stack, q: np.ndarray, multipliers: np.ndarray, bounds: np.ndarray, most: int, place: _Place
) -> np.ndarray:
    """Return multipliers (B,) at which the best channels with masses q have means at the bounds, by Newton's method."""
    xp, unit = place.xp, place.put(1 / stack.ranges)
    p, loss, masses, aims = place.put(stack.p), place.put(stack.loss), place.put(q), place.put(bounds)
    now = place.put(multipliers)
    for _ in range(most):
        deadline.look()
        joint = xp.exp(-now[:, None, None] * loss) * masses[:, None, :]
        joint = joint / xp.sum(joint, axis=2)[:, :, None]
        means = xp.sum(joint * loss, axis=2)
        variances = xp.sum(joint * loss * loss, axis=2) - means * means
        excess = xp.sum(p * means, axis=1) - aims
        if bool(xp.all(xp.abs(excess) <= TO_BOUND * aims)):
            break
        slope = xp.sum(p * variances, axis=1)
        step = excess / xp.where(slope > 0, slope, xp.ones_like(slope))
        step = xp.where(slope > 0, step, xp.zeros_like(step))
        highest, lowest = (
            (CHANGE_IN_WARM_UP + 1) * now + unit,
            xp.where(now > unit, now / CHANGE_IN_WARM_UP, xp.zeros_like(now)),
        )
        now = xp.where(now + step > highest, highest, xp.where(now + step < lowest, lowest, now + step))
    return place.get(now)


# ------------------------------------------------------------------------------------------------- the steps


def _up(xp: Any, kernel: Any, q: Any) -> Any:
    return xp.matmul(kernel, q[:, :, None])[:, :, 0]


def _down(xp: Any, kernel: Any, weights: Any) -> Any:
    return xp.matmul(weights[:, None, :], kernel)[:, 0, :]


class _State(NamedTuple):
    """Data and iterates of the problems at work: see `newton_system`; slacks and multipliers have shape (B,)."""

    p: Any
    loss: Any
    bounds: Any
    ranges: Any
    q: Any
    v: Any
    z: Any
    multipliers: Any
    slacks: Any


def _begun(stack: Stack, q: np.ndarray, multipliers: np.ndarray, place: _Place) -> _State:
    """Return the first iterates, as of `primal_dual`."""
    kernel = np.exp(-multipliers[:, None, None] * stack.loss)
    t = _up(np, kernel, q)
    c = _down(np, kernel, stack.p / t)
    mu = np.clip(np.log(c.max(axis=1)) / q.shape[1], 1e-13, 1e-2)[:, None]
    q = np.maximum(q, mu)
    bounds, ranges = np.ones(len(q)), stack.ranges
    slacks = np.zeros(len(q))
    if stack.bounds is not None:
        bounds = stack.bounds
        room = bounds - (stack.p / t * _up(np, kernel * stack.loss, q)).sum(axis=1)
        central = mu[:, 0] * np.minimum(np.maximum(multipliers, 1 / ranges) * bounds, 1.0) / multipliers
        slacks = np.maximum(np.maximum(room, np.minimum(central, bounds)), 1e-12 * bounds)
    arrays = (stack.p, stack.loss, bounds, ranges, q, 1 / t, np.maximum(1 - c, mu / q), multipliers, slacks)
    return _State(*(place.put(array) for array in arrays))


def _run(stack: Stack, q: np.ndarray, multipliers: np.ndarray, gap: float, place: _Place) -> Points:
    """Return the points that Newton's method comes to from masses and multipliers."""
    state, at_work = _begun(stack, q, multipliers, place), np.arange(len(q))
    is_limited = stack.bounds is not None
    best = Points(q.copy(), np.full(stack.p.shape, np.nan), multipliers.copy(), np.full(len(q), np.inf), [])
    seen: list[list[np.ndarray]] = [[] for _ in q]
    for _ in range(MOST_STEPS):
        deadline.look()
        system = _Systems(place, state, is_limited)
        if stack.loss[0].size <= _MOST_COMPILED:
            WORK.step(state.loss.size if place.backend is None else 0)
        lower, value, now = (place.get(one) for one in (*system.bounds(), state.multipliers))
        gaps = np.abs(value - lower)
        charge = now * stack.bounds[at_work] if stack.bounds is not None else 0.0
        for row, line in zip(at_work.tolist(), np.stack([lower - charge, value - charge, now], axis=1), strict=True):
            seen[row].append(line)
        closer = np.flatnonzero(gaps < best.gaps[at_work])
        if closer.size:
            rows, places = at_work[closer], closer
            best.q[rows] = place.get(place.take(state.q, places))
            best.log_v[rows] = np.log(place.get(place.take(state.v, places)))
            best.multipliers[rows], best.gaps[rows] = place.get(place.take(state.multipliers, places)), gaps[closer]
        left = np.flatnonzero(np.isfinite(gaps) & ~(gaps <= gap))
        if not left.size:
            break
        if left.size <= 0.7 * at_work.size:  # copies are worth it
            at_work = at_work[left]
            state = _State(*(place.take(array, left) for array in state))
            system = _Systems(place, state, is_limited)
        state = system.advanced()
    histories = [np.array(lines) for lines in seen]
    return best._replace(q=best.q / best.q.sum(axis=1, keepdims=True), histories=histories)


class _Systems:
    """One step's linear algebra of all problems, as of `newton_system.System`."""

    def __init__(self, place: _Place, state: _State, is_limited: bool) -> None:
        xp = place.xp
        self.xp, self.place, self.state, self.is_limited = xp, place, state, is_limited
        self.kernel = xp.exp(-state.multipliers[:, None, None] * state.loss)
        self.t = _up(xp, self.kernel, state.q)
        self.masses = state.p * state.v
        self.c = _down(xp, self.kernel, self.masses)
        self.over_t = state.p / self.t
        self.residual_t, self.residual_c = 1 - state.v * self.t, 1 - self.c - state.z
        if is_limited:
            self.weighted = self.kernel * state.loss
            self.loss_t = _up(xp, self.weighted, state.q)
            self.means = xp.sum(self.over_t * self.loss_t, axis=1)
            worth = state.multipliers * state.bounds
            least = state.bounds / state.ranges
            worth = xp.where(worth > least, worth, least)
            self.share = xp.where(worth < 1, worth, xp.ones_like(worth))

    def bounds(self) -> tuple[Any, Any]:
        """Return the dual bounds over all letters and the Lagrangians, charged for missing limits; shape (B,), nats."""
        xp, state = self.xp, self.state
        lower = xp.sum(state.p * xp.log(state.v), axis=1) - xp.log(xp.max(self.c, axis=1))
        value = xp.log(xp.sum(state.q, axis=1)) - xp.sum(state.p * xp.log(self.t), axis=1)
        if self.is_limited:
            value = value + state.multipliers * xp.abs(self.means - state.bounds)
        return lower, value

    def advanced(self) -> _State:
        """Return the state after a predictor and a corrector."""
        xp, state = self.xp, self.state
        q, v, z, multipliers, slacks = state[4:]
        self._factorise()
        pairs = multipliers * slacks if self.is_limited else xp.zeros_like(multipliers)
        dq, dv, dz, dl, ds = predictor = self._solved(self.residual_t, -q * z, -pairs)
        primal, dual = self._lengths(predictor, 1.0)
        before = xp.sum(q * z, axis=1) + pairs
        after = xp.sum((q + primal[:, None] * dq) * (z + dual[:, None] * dz), axis=1)
        count = xp.ones_like(before) * q.shape[1]
        if self.is_limited:
            after = after + (multipliers + dual * dl) * (slacks + primal * ds)
            count = count + self.share
        mu = self.place.at_least((after / before) ** 3, 1e-6) * before / count
        taken = primal * dual
        step = self._solved(
            self.residual_t - taken[:, None] * dv * _up(xp, self.kernel, dq),
            mu[:, None] - q * z - taken[:, None] * dq * dz,
            (mu * self.share - pairs - taken * dl * ds) if self.is_limited else pairs,
        )
        primal, dual = self._lengths(step, TO_BOUNDARY)
        dq, dv, dz, dl, ds = step
        return state._replace(
            q=q + primal[:, None] * dq,
            v=v + dual[:, None] * dv,
            z=z + dual[:, None] * dz,
            multipliers=multipliers + dual * dl,
            slacks=slacks + primal * ds,
        )

    def _factorise(self) -> None:
        """Set the inverse of S K' W K S + I, whose eigenvalues start at one, and what couples it to the multiplier."""
        xp, state = self.xp, self.state
        self.scaling = xp.sqrt(state.q / state.z)
        root = self.kernel * xp.sqrt(self.over_t * state.v)[:, :, None] * self.scaling[:, None, :]
        identity = self.place.put(np.eye(root.shape[2]))
        self.matrix = xp.matmul(self.place.transposed(root), root) + identity[None, :, :]
        finite = xp.isfinite(xp.sum(xp.sum(self.matrix, axis=2), axis=1))
        self.matrix = xp.where(finite[:, None, None], self.matrix, identity[None, :, :])  # those have left already
        self.inverse = xp.linalg.inv(self.matrix)
        if self.is_limited:
            relative = self.loss_t * self.masses / self.t
            raw = xp.sum(self.masses * _up(xp, self.weighted * state.loss, state.q), axis=1)
            self.loss_c = _down(xp, self.weighted, self.masses)
            self.coupling = self.loss_c - _down(xp, self.kernel, relative)
            self.reduced = self._inverted(self.coupling)
            aims = self.place.at_least(state.bounds - state.slacks, 1e-30)
            self.residual_loss = self.means * xp.log(aims / self.means)
            self.schur = raw - xp.sum(relative * self.loss_t, axis=1) + state.slacks / state.multipliers
            self.schur = self.schur + xp.sum(self.coupling * self.reduced, axis=1)

    def _inverted(self, right: Any) -> Any:
        """Return (H + Z / Q)^-1 right, with one step of refinement."""
        scaled = self.scaling * right
        first = _up(self.xp, self.inverse, scaled)
        return self.scaling * (first + _up(self.xp, self.inverse, scaled - _up(self.xp, self.matrix, first)))

    def _solved(self, residual_t: Any, residual_z: Any, residual_s: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Return dq, dv, dz, dmultipliers, dslacks for given right-hand sides."""
        xp, state = self.xp, self.state
        dq = self._inverted(_down(xp, self.kernel, self.over_t * residual_t) + residual_z / state.q - self.residual_c)
        moved, dl, ds = xp.zeros_like(residual_t), xp.zeros_like(residual_s), xp.zeros_like(residual_s)
        if self.is_limited:
            below = self.residual_loss - residual_s / state.multipliers
            below = below - xp.sum(self.loss_t * self.over_t * (residual_t - self.residual_t), axis=1)
            dl = (xp.sum(self.coupling * dq, axis=1) - below) / self.schur
            dq = dq - self.reduced * dl[:, None]
            moved = self.loss_t * dl[:, None]
            ds = (residual_s - state.slacks * dl) / state.multipliers
        dv = (residual_t - state.v * (_up(xp, self.kernel, dq) - moved)) / self.t
        return dq, dv, (residual_z - state.z * dq) / state.q, dl, ds

    def _lengths(self, step: tuple[Any, Any, Any, Any, Any], fraction: float) -> tuple[Any, Any]:
        """Return the lengths (B,) of steps of masses and slacks, and of the dual."""
        xp, state = self.xp, self.state
        dq, dv, dz, dl, ds = step
        steepest, steepest_dual = xp.min(dq / state.q, axis=1), xp.min(dz / state.z, axis=1)
        steepest_dual = _least(xp, steepest_dual, xp.min(dv / state.v, axis=1))
        if self.is_limited:
            steepest = _least(xp, steepest, ds / state.slacks)
            steepest_dual = _least(xp, steepest_dual, dl / state.multipliers)
        primal, dual = (_length(xp, one, fraction) for one in (steepest, steepest_dual))
        if self.is_limited:
            change = xp.abs(dl) / (state.multipliers + UNNOTICED / state.ranges)
            dual = xp.where(change * dual > LARGEST_CHANGE, LARGEST_CHANGE / self.place.at_least(change, 1e-30), dual)
        return primal, dual


def _least(xp: Any, left: Any, right: Any) -> Any:
    return xp.where(left < right, left, right)


def _length(xp: Any, steepest: Any, fraction: float) -> Any:
    """Return the length, at most one, of a step that goes a fraction of the way to where the first number is zero."""
    ones = xp.ones_like(steepest)
    is_free = steepest * 1.0 > -fraction
    return xp.where(is_free, ones, -fraction / xp.where(is_free, -ones, steepest))
