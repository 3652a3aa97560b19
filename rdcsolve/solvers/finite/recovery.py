"""From the best iterates to a result: a channel that meets the limits, a certificate, and their bounds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.certificates import Certificate
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.information import mutual_information
from rdcsolve.kernels.kernel import unwrapped
from rdcsolve.problems import Problem
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.problems.line import LineLoss
from rdcsolve.results.channel import DENSE_CHANNEL_BYTES, Channel
from rdcsolve.rounding import row_sums
from rdcsolve.solvers.finite.best_channel import best_channel
from rdcsolve.solvers.finite.exact_masses import exact_masses
from rdcsolve.solvers.finite.normal_equations import in_own_units
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.finite.unmasking import without_faces
from rdcsolve.solvers.loop import Iterate, Progress

_EPS = float(np.finfo(float).eps)
_SMALLEST_SHARE = 1e-13  # of the largest output mass: letters below it change the rate by less than rounding
_IDLE = 1e-7  # nats: a multiplier times its bound below this may belong to a limit that is not active
_IDLE_COST = 5e-11  # nats: what leaving such a multiplier out may cost the bound
_HALF = 0.5  # least factor of a small correction
_HAIR = 16 * _EPS  # of the bound: how far inside it the last step ends, which is more than storing a channel rounds
_PAIRS_ON_A_LINE = 2**18
_INSIDE = 1e-12  # how far inside its bound, relatively, the channel is placed, so that rounding cannot break it


class Primal(NamedTuple):
    """A channel that meets the limits: letters (k,), channel (n_x, k), output masses (k,), rate, mean losses (M,)."""

    letters: np.ndarray
    channel: Any  # an array, or a Channel where that would be large
    q: np.ndarray
    rate: float
    means: np.ndarray


class Dual(NamedTuple):
    """A dual point with prices at most one, the bound that it proves, and what the rounding of that bound may be."""

    point: DualPoint
    lower: float
    rounding: float


def primal(task: ReducedProblem, iterate: Iterate) -> Primal | None:
    """Return the best channel with the iterate's output masses that meets the limits, or None."""
    share = iterate.q / iterate.q.max()
    for smallest in (_SMALLEST_SHARE, 0.0):
        used = share > smallest
        forbidden = task.letters.forbidden_of(iterate.letters[used])
        if forbidden is not None and forbidden.all(axis=1).any():
            continue
        letters, q = iterate.letters[used], iterate.q[used] / iterate.q[used].sum()
        if not task.letters.is_stored and task.p.size * letters.size > _most_pairs(task):
            return _on_demand(task, letters, q, iterate.multipliers)
        tilted = best_channel(task, letters, q, iterate.multipliers, inside(task))
        if tilted.met:
            order = np.argsort(letters)
            channel = on_bounds(task, letters, tilted.channel)
            return complete(task.problem, letters[order], channel[:, order], task.letters.symbols)
    return None


def _most_pairs(task: ReducedProblem) -> float:
    """Return of how many pairs a channel is stored where losses are not; fewer where it has moments without them."""
    whole = unwrapped(task.letters.structures[0])[0]
    is_line = isinstance(whole, LineLoss) and whole.distortion == "absolute" and len(task.problem.losses) == 1
    return _PAIRS_ON_A_LINE if is_line else DENSE_CHANNEL_BYTES / 8


def on_bounds(task: ReducedProblem, letters: np.ndarray, channel: np.ndarray) -> np.ndarray:
    """Return a channel (n, k) with its means at the bounds that they are near, to the last digits.

    Means of losses that are held are to equal their bounds; those of limited losses end inside by what rounding the
    channel may take back. They have some digits already; tilting once more, by multipliers of the first order, brings
    them there. What is left of a limit unused costs its multiplier, and where the rate is limited to nearly its least
    value, that is divided by a tiny one.
    """
    rows = np.flatnonzero(task.equal).tolist()
    table = task.letters.losses_of(letters)
    means = np.array([float(task.p @ row_sums(channel * loss)) for loss in table])
    near = task.free & ~task.equal & (means >= task.bounds * (1 - 3 * _INSIDE))
    rows += np.flatnonzero(near).tolist()
    if not rows:
        return channel
    limited = ~task.equal[rows]
    hairs = _HAIR * task.bounds[rows][limited]
    moved = channel
    centred, above = _beyond(task, rows, moved, table)
    for _ in range(2):
        weighted = task.p[:, None] * moved
        products = [weighted * one for one in centred]
        matrix = np.array([[float(np.vdot(one, other)) for other in centred] for one in products])
        if not np.isfinite(matrix).all():  # squares of losses near the largest float
            return channel
        tilt = np.ones(moved.shape)
        for step, one in zip(in_own_units(matrix, above), centred, strict=True):
            tilt -= step * one
        if not tilt.min() > _HALF:  # no small step: the covariances say nothing at this accuracy
            return channel
        moved = moved * tilt
        moved /= moved.sum(axis=1, keepdims=True)
        centred, above = _beyond(task, rows, moved, table)
        if limited.all() and (np.abs(above) <= 0.5 * hairs).all():
            return moved
    return moved if (above[limited] <= 0.5 * hairs).all() else channel


def _beyond(
    task: ReducedProblem, rows: list[int], channel: np.ndarray, table: tuple[np.ndarray, ...]
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return some losses less their means given the symbol, and how far their means are beyond where they should be."""
    means = [row_sums(channel * table[row]) for row in rows]
    bounds = [float(task.problem.bounds[task.relevant[row]]) for row in rows]
    hairs = np.where(task.equal[rows], 0.0, _HAIR * task.bounds[rows])
    above = [mean_excess(task.p, *one) for one in zip(task.letters.shifts[rows], bounds, means, strict=True)]
    return [table[row] - mean[:, None] for row, mean in zip(rows, means, strict=True)], np.array(above) + hairs


def _on_demand(task: ReducedProblem, letters: np.ndarray, q: np.ndarray, multipliers: np.ndarray) -> Primal | None:
    """Return the best channel with these output masses without ever storing it, or None if it misses a limit."""
    masses = np.zeros(task.letters.n_letters)
    masses[letters] = q
    tilted = best_channel(task, np.arange(masses.size), masses, multipliers, inside(task))
    if not tilted.met:
        return None
    problem, order = task.problem, np.argsort(letters)
    full = np.zeros(len(problem.losses))
    full[list(task.relevant)] = tilted.multipliers
    channel = Channel(problem, letters[order], q[order], full)
    law = tilted.output_masses(task.p)[letters[order]]
    channel.remember(law)
    # log W = log q + log K - log t, so that the rate needs no pass over the channel, nor do losses that the kernel has
    used = law > 0
    rate = float(task.p @ tilted.log_v) - float(tilted.multipliers @ np.where(tilted.multipliers, tilted.means, 0.0))
    rate -= float(law[used] @ np.log(law[used] / channel.q[used]))
    known = dict(zip(task.relevant, (task.least_means + tilted.means).tolist(), strict=True))
    means = np.array([known[m] if m in known else channel.mean_loss(m) for m in range(len(problem.linear_losses))])
    return Primal(channel.letters, channel, law, max(rate, 0.0), means)


def inside(task: ReducedProblem) -> np.ndarray:
    """Return the shifted bounds, a little less than they are, so that rounding cannot break a channel at them."""
    return np.where(task.free, task.bounds * np.where(task.equal, 1.0, 1 - _INSIDE), np.inf)


def complete(problem: Problem, letters: np.ndarray, channel: np.ndarray, symbols: np.ndarray) -> Primal:
    """Give symbols of zero mass a row, drop letters nobody uses, and evaluate the channel."""
    masses = problem.p_x[symbols] @ channel
    used = masses > 0
    letters, channel, masses = letters[used], channel[:, used], masses[used]
    channel = channel / channel.sum(axis=1, keepdims=True)
    masses = problem.p_x[symbols] @ channel
    if symbols.size < problem.n_x:
        full = np.empty((problem.n_x, letters.size))
        full[:] = masses / masses.sum()
        if problem.forbidden is not None:
            allowed = np.where(problem.forbidden[:, letters], 0.0, full)
            sums = allowed.sum(axis=1, keepdims=True)
            full = np.where(sums > 0, allowed / np.where(sums > 0, sums, 1.0), full)
        full[symbols] = channel
        channel = full
    means = np.array(
        [
            mean_loss(problem.p_x, channel, loss.block(None, letters), problem.row_minima(m))
            for m, loss in enumerate(problem.linear_losses)
        ]
    )
    return Primal(letters, channel, masses, mutual_information(problem.p_x, channel), means)


def meets(problem: Problem, means: np.ndarray, target: int | None = None) -> bool:
    """Return whether means of the linear losses are within the limits, but for that of a loss that is minimised.

    Those of losses that are held at their bounds are known to some digits of the spread only.
    """
    within = means <= problem.bounds[: means.size]
    for m in np.flatnonzero(problem.held).tolist():
        within[m] = abs(float(means[m] - problem.bounds[m])) <= _INSIDE * problem.spread(m)
    return bool((within if target is None else np.delete(within, target)).all())


def mean_loss(p_x: np.ndarray, channel: np.ndarray, losses: np.ndarray, lowest: np.ndarray) -> float:
    """Return the mean loss of a channel, whose rows sum to one: rounded once beside what exceeds the minima.

    So a channel inside a limit by more than the rounding of its own small losses is never told to exceed it, however
    large a constant part all losses have.

    Parameters
    ----------
    p_x : numpy.ndarray
        Shape (n,).
    channel, losses : numpy.ndarray
        Shape (n, k); no mass where a loss is infinite.
    lowest : numpy.ndarray
        Shape (n,): what no loss of a symbol of positive mass is below.
    """
    above = losses - lowest[:, None] if lowest.any() else losses
    with np.errstate(invalid="ignore"):
        excess = np.einsum("ia,ia->i", channel, above)
    if not np.isfinite(excess).all():  # no mass there: 0 * inf is 0
        excess = np.einsum("ia,ia->i", channel, np.where(np.isinf(above), 0.0, above))
    return mean_excess(p_x, lowest, 0.0, excess)


def constant(problem: Problem, letters: np.ndarray, masses: np.ndarray) -> Primal:
    """Return the channel that ignores its input."""
    symbols = np.flatnonzero(problem.p_x > 0)
    made = complete(problem, letters, np.tile(masses, (symbols.size, 1)), symbols)
    if problem.held.any() or np.isfinite(problem.bounds[: len(problem.linear_losses)]).sum() > 1:
        made.channel[symbols] = exact_masses(problem, letters, masses)
    return made


def nothing(problem: Problem) -> Dual:
    """Return what is known without any work: no rate is negative."""
    return Dual(DualPoint.zero(problem), 0.0, 0.0)


def dual(task: ReducedProblem, iterate: Iterate) -> Dual:
    """Return the iterate's dual point in the problem's own terms."""
    problem, space = task.problem, task.letters
    log_v, relative = iterate.log_v, iterate.multipliers
    # prices are at most exp(excess): taking it off u makes them at most one
    excess = float(task.p @ log_v) - task.charge(relative) - iterate.lower
    if task.faces:
        space, log_v, relative, excess = without_faces(task, log_v, relative)
    else:
        relative, excess = _without_idle(task, log_v, relative, excess)
    multipliers, shifts = np.zeros(len(problem.losses)), np.zeros((len(problem.losses), task.p.size))
    multipliers[list(task.relevant)], shifts[list(task.relevant)] = relative, space.shifts
    point = DualPoint.shifted(problem, space.symbols, log_v - excess, multipliers, shifts)
    error = rounding(log_v, task.charge(relative))
    return Dual(point, point.bound(problem) - error, error)


def _without_idle(
    task: ReducedProblem, log_v: np.ndarray, multipliers: np.ndarray, excess: float
) -> tuple[np.ndarray, float]:
    """Return multipliers with zeros at limits that cost nothing, and log C: interior points leave a trace there."""
    idle = task.free & ~task.equal & (multipliers * np.where(task.free, task.bounds, 1.0) < _IDLE)
    if not idle.any() or not (multipliers[idle] > 0).any():
        return multipliers, excess
    without = np.where(idle, 0.0, multipliers)
    with np.errstate(over="ignore", invalid="ignore"):  # prices beyond the range of floats: the limit is not idle
        largest = math.log(task.letters.price(log_v, without).maximum)
    saved = task.charge(multipliers) - task.charge(without)
    return (without, largest) if saved - (largest - excess) >= -_IDLE_COST else (multipliers, excess)


def rounding(log_v: np.ndarray, charged: float) -> float:
    """Return an allowance for the rounding of p.u - lambda.b - log C, nats: solvers aim that much further.

    Exponents of terms that matter are below twice the largest |log v| plus 50 in size, and each is computed to a few
    units in the last place; so is the price, a sum of positive terms. What is claimed in the end is the check's word.
    """
    return _EPS * (16 * float(np.abs(log_v).max(initial=0.0)) + 400 + 8 * abs(charged))


def certificate(problem: Problem, point: DualPoint, made: Primal, lower: float, upper: float) -> Certificate:
    """Return the certificate of a dual point and a channel, with these claims."""
    return Certificate(
        objective=problem.objective,
        u=point.u,
        u_rest=point.rest,
        multipliers=point.multipliers,
        letters=made.letters,
        channel=made.channel,
        lower=lower,
        upper=upper,
        fingerprint=problem.fingerprint(),
    )


def resolution(found: Dual, value: float) -> float:
    """Return what the rounding allowances of both bounds come to: no gap can be shown to be smaller."""
    return 2 * found.rounding + 64 * _EPS * abs(value)


class Assembler:
    """Channels and dual points made of a run's iterates; the last ones are kept, as a run's end asks for them twice."""

    def __init__(self, task: ReducedProblem) -> None:
        self.task = task
        self._last: tuple[Iterate, Primal | None] | None = None
        self._last_dual: tuple[Iterate, Dual] | None = None

    def primal(self, iterate: Iterate) -> Primal | None:
        """Return what `primal` does."""
        if self._last is None or self._last[0] is not iterate:
            self._last = iterate, primal(self.task, iterate)
        return self._last[1]

    def dual(self, iterate: Iterate) -> Dual:
        """Return what `dual` does."""
        if self._last_dual is None or self._last_dual[0] is not iterate:
            self._last_dual = iterate, dual(self.task, iterate)
        return self._last_dual[1]

    def gap_of(self, progress: Progress) -> float:
        """Return the gap that the result of this progress would have, nats; inf if it has no channel yet."""
        if progress.dual is None or progress.primal is None:
            return math.inf
        made = self.primal(progress.primal)
        if made is None:
            return math.inf
        found = self.dual(progress.dual)
        value = self.task.problem.goal.value(made.rate, made.means)
        return value - found.lower - resolution(found, value)
