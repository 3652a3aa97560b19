"""Numba kernels of the alternation over channel, output masses and soft decisions.

No checks: the caller passes contiguous float arrays. Throughout, n symbols, k letters, and the classes of all labels
stacked side by side, so that `conditional` has shape (n, S) and `decisions` shape (S, k); label j has the classes
`ends[j]` to `ends[j + 1] - 1`.
"""

from __future__ import annotations

import numba
import numpy as np

from rdcsolve import deadline
from rdcsolve.solvers.stationary.compiled_channel import copy, tilt_to_rate, tilt_within
from rdcsolve.solvers.stationary.cutoffs import LEAST_MASS, LOWEST, SMALLEST

_PATIENCE = 5  # small steps in a row before a descent has ended
_FURTHEST = 64.0  # how far a step is stretched at most
_PIECE = 20_000_000  # terms between two looks at the clock
_TILTS = 30  # passes over the terms that a step within limits takes, often fewer


@numba.njit(cache=True, nogil=True)
def update(
    conditional: np.ndarray, ends: np.ndarray, channel: np.ndarray, p: np.ndarray, q: np.ndarray, decisions: np.ndarray
) -> None:
    """Write q = p W and the posteriors p(s | a) of a channel; a letter without mass keeps its decisions."""
    n, k = channel.shape
    q[:] = 0.0
    joint = np.zeros_like(decisions)
    for i in range(n):
        for a in range(k):
            q[a] += p[i] * channel[i, a]
        for s in range(joint.shape[0]):
            weight = p[i] * conditional[i, s]
            if weight > 0.0:
                for a in range(k):
                    joint[s, a] += weight * channel[i, a]
    _normalise(joint, ends, decisions)


@numba.njit(cache=True, nogil=True)
def _normalise(joint: np.ndarray, ends: np.ndarray, decisions: np.ndarray) -> None:
    for j in range(ends.size - 1):
        for a in range(joint.shape[1]):
            total = 0.0
            for s in range(ends[j], ends[j + 1]):
                total += joint[s, a]
            if total > 0.0:
                for s in range(ends[j], ends[j + 1]):
                    decisions[s, a] = max(joint[s, a] / total, SMALLEST)


@numba.njit(cache=True, nogil=True)
def alternation_step(
    p: np.ndarray,
    exponent: np.ndarray,
    conditional: np.ndarray,
    ends: np.ndarray,
    multipliers: np.ndarray,
    q: np.ndarray,
    decisions: np.ndarray,
) -> float:
    """Replace q and decisions by those of the tilted channel, in one pass over the exponents; return its Lagrangian.

    Parameters
    ----------
    p : numpy.ndarray
        Shape (n,), > 0.
    exponent : numpy.ndarray
        Shape (n, k): -lambda.L of the linear losses, -inf at forbidden pairs.
    conditional, ends : numpy.ndarray
        The labels.
    multipliers : numpy.ndarray
        Shape (S,): each label's multiplier, repeated for its classes.
    q : numpy.ndarray
        Shape (k,), overwritten.
    decisions : numpy.ndarray
        Shape (S, k), > 0, overwritten.

    Returns
    -------
    float
        The least Lagrangian for the masses and decisions passed in, nats.
    """
    n, k = exponent.shape
    classes = decisions.shape[0]
    gains = np.empty((classes, k))
    for s in range(classes):
        for a in range(k):
            gains[s, a] = multipliers[s] * np.log(decisions[s, a])
    joint = np.zeros((classes, k))
    masses = np.zeros(k)
    row = np.empty(k)
    value = 0.0
    for i in range(n):
        for a in range(k):
            row[a] = exponent[i, a]
        for s in range(classes):
            share = conditional[i, s]
            if share > 0.0:
                for a in range(k):
                    row[a] += share * gains[s, a]
        top = -np.inf
        for a in range(k):
            if q[a] > 0.0 and row[a] > top:
                top = row[a]
        t = 0.0
        for a in range(k):
            # what would come out subnormal is nothing beside the largest term, and slow to compute with
            row[a] = q[a] * np.exp(row[a] - top) if q[a] > 0.0 and row[a] - top > LOWEST else 0.0
            t += row[a]
        value -= p[i] * (np.log(t) + top)
        weight = p[i] / t
        for a in range(k):
            row[a] *= weight
            masses[a] += row[a]
        for s in range(classes):
            share = conditional[i, s]
            if share > 0.0:
                for a in range(k):
                    joint[s, a] += share * row[a]
    copy(masses, q)
    _normalise(joint, ends, decisions)
    return value


def begun(q: np.ndarray, decisions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the state of a descent that begins: value, excess, small steps, ambition, stretch; and a place before."""
    return np.array([np.inf, np.inf, 0.0, 1.0, 0.0]), q.copy(), decisions.copy()


def descend_fixed(
    p: np.ndarray,
    exponent: np.ndarray,
    conditional: np.ndarray,
    ends: np.ndarray,
    multipliers: np.ndarray,
    q: np.ndarray,
    decisions: np.ndarray,
    steps: int,
    tolerance: float,
) -> tuple[float, int]:
    """Repeat `alternation_step`, stretched, until the value hardly falls; return the last value and the steps.

    Work is done in pieces, and ends with one where the time is up.
    """
    state, plain_q, plain_decisions = begun(q, decisions)
    at_a_time, done = max(1, _PIECE // (exponent.size * (1 + len(decisions)))), 0
    while done < steps and state[2] < _PATIENCE and not (done and deadline.is_up()):
        done = _fixed_piece(
            p, exponent, conditional, ends, multipliers, q, decisions, done, min(done + at_a_time, steps), steps,
            tolerance, state, plain_q, plain_decisions,
        )  # fmt: skip
    if state[4] > 0.0:
        q[:], decisions[:] = plain_q, plain_decisions
    return float(state[0]), done


@numba.njit(cache=True, nogil=True)
def _fixed_piece(
    p: np.ndarray,
    exponent: np.ndarray,
    conditional: np.ndarray,
    ends: np.ndarray,
    multipliers: np.ndarray,
    q: np.ndarray,
    decisions: np.ndarray,
    done: int,
    until: int,
    steps: int,
    tolerance: float,
    state: np.ndarray,
    plain_q: np.ndarray,
    plain_decisions: np.ndarray,
) -> int:
    """Take some steps of `descend_fixed`; return how many are done in all."""
    value, small, ambition, stretch = state[0], state[2], state[3], state[4]
    old_q, old_decisions = q.copy(), decisions.copy()
    while done < until and small < _PATIENCE:
        before = value
        copy(q, old_q)
        copy(decisions, old_decisions)
        value = alternation_step(p, exponent, conditional, ends, multipliers, q, decisions)
        done += 1
        if stretch > 0.0 and not value <= before:
            value, stretch, ambition = before, 0.0, max(0.25 * ambition, 0.5)
            copy(plain_q, q)
            copy(plain_decisions, decisions)
            continue
        small = small + 1 if before - value <= tolerance * (1.0 + abs(value)) else 0.0
        copy(q, plain_q)
        copy(decisions, plain_decisions)
        if done < steps and small < _PATIENCE:
            if stretch > 0.0:
                ambition = min(2.0 * ambition, _FURTHEST)
            stretch = ambition
            _stretch(old_q, old_decisions, ends, stretch, q, decisions)
    state[0], state[2], state[3], state[4] = value, small, ambition, stretch
    return done


@numba.njit(cache=True, nogil=True)
def _stretch(
    old_q: np.ndarray, old_decisions: np.ndarray, ends: np.ndarray, stretch: float, q: np.ndarray, decisions: np.ndarray
) -> None:
    """Move q and decisions on, by the last step times `stretch` in the logarithm.

    Near rate zero, and where stationary points meet, plain steps are short and all in one direction.
    """
    total = 0.0
    for a in range(q.size):
        if q[a] > 0.0 and old_q[a] > 0.0:
            q[a] *= min(max((q[a] / old_q[a]) ** stretch, 1e-3), 1e3)
        if 0.0 < q[a] < LEAST_MASS:
            q[a] = LEAST_MASS  # not zero: a symbol of next to no mass may have no other letter
        total += q[a]
    q /= total
    for j in range(ends.size - 1):
        for a in range(q.size):
            total = 0.0
            for s in range(ends[j], ends[j + 1]):
                ratio = decisions[s, a] / old_decisions[s, a]
                decisions[s, a] *= min(max(ratio**stretch, 1e-3), 1e3)
                total += decisions[s, a]
            for s in range(ends[j], ends[j + 1]):
                decisions[s, a] = max(decisions[s, a] / total, SMALLEST)


@numba.njit(cache=True, nogil=True)
def label_losses(conditional: np.ndarray, ends: np.ndarray, decisions: np.ndarray, losses: np.ndarray) -> None:
    """Write the log-losses of the decisions into the last rows of losses, shape (M, n, k): one per label."""
    first = losses.shape[0] - (ends.size - 1)
    logs = -np.log(decisions)
    for j in range(ends.size - 1):
        for i in range(losses.shape[1]):
            for a in range(losses.shape[2]):
                losses[first + j, i, a] = 0.0
            for s in range(ends[j], ends[j + 1]):
                share = conditional[i, s]
                if share > 0.0:
                    for a in range(losses.shape[2]):
                        losses[first + j, i, a] += share * logs[s, a]


def descend_limited(  # noqa: PLR0913 - the arrays of the compiled steps
    p: np.ndarray,
    mask: np.ndarray,
    losses: np.ndarray,
    conditional: np.ndarray,
    ends: np.ndarray,
    multipliers: np.ndarray,
    q: np.ndarray,
    decisions: np.ndarray,
    bounds: np.ndarray,
    caps: np.ndarray,
    slack: np.ndarray,
    index: int,
    rate: float,
    steps: int,
    tolerance: float,
    channel: np.ndarray,
) -> tuple[float, float, int]:
    """Alternate between the best channel within the limits, and its own masses and posteriors.

    Parameters
    ----------
    p, mask, q
        As in `moments`.
    losses : numpy.ndarray
        Shape (M, n, k); the last ones, of the labels, are overwritten.
    conditional, ends, decisions
        As in `alternation_step`.
    multipliers : numpy.ndarray
        Shape (M,): a start where bounds are finite, given elsewhere; overwritten.
    bounds, caps, slack : numpy.ndarray
        Shape (M,): bounds, inf for none; largest multipliers; distances of a mean from its bound to accept.
    index : int
        The loss to minimise under the rate limit; -1 to minimise the rate.
    rate : float
        Nats, looked at if a loss is minimised.
    steps : int
        At most.
    tolerance : float
        Relative fall of the value that counts as none.
    channel : numpy.ndarray
        Shape (n, k), overwritten.

    Returns
    -------
    value : float
        What is minimised, and cap times miss of the limits that are missed, nats (where the rate is minimised).
    excess : float
        The largest (E L - bound) / slack, and that of the KL above the rate in units of 1e-9, zero if there is none.
    done : int
    """
    state, plain_q, plain_decisions = begun(q, decisions)
    at_a_time, done = max(1, _PIECE // (mask.size * (len(decisions) + _TILTS * (1 + bounds.size) ** 2))), 0
    while done < steps and state[2] < _PATIENCE and not (done and deadline.is_up()):
        done = _limited_piece(
            p, mask, losses, conditional, ends, multipliers, q, decisions, bounds, caps, slack, index, rate, done,
            min(done + at_a_time, steps), steps, tolerance, channel, state, plain_q, plain_decisions,
        )  # fmt: skip
    if state[4] > 0.0:
        q[:], decisions[:] = plain_q, plain_decisions
    return float(state[0]), float(state[1]), done


@numba.njit(cache=True, nogil=True)
def _limited_piece(
    p: np.ndarray,
    mask: np.ndarray,
    losses: np.ndarray,
    conditional: np.ndarray,
    ends: np.ndarray,
    multipliers: np.ndarray,
    q: np.ndarray,
    decisions: np.ndarray,
    bounds: np.ndarray,
    caps: np.ndarray,
    slack: np.ndarray,
    index: int,
    rate: float,
    done: int,
    until: int,
    steps: int,
    tolerance: float,
    channel: np.ndarray,
    state: np.ndarray,
    plain_q: np.ndarray,
    plain_decisions: np.ndarray,
) -> int:
    """Take some steps of `descend_limited`; return how many are done in all."""
    count = bounds.size
    means, covariance = np.empty(count), np.empty((count, count))
    value, excess, small, ambition, stretch = state[0], state[1], state[2], state[3], state[4]
    old_q, old_decisions = q.copy(), decisions.copy()
    while done < until and small < _PATIENCE:
        before, missed = value, excess
        copy(q, old_q)
        copy(decisions, old_decisions)
        label_losses(conditional, ends, decisions, losses)
        excess = 0.0
        if index < 0:
            value = tilt_within(p, mask, losses, multipliers, q, bounds, caps, slack, channel, means, covariance)
        else:
            reached = tilt_to_rate(
                p, mask, losses, multipliers, q, bounds, caps, slack, index, rate, channel, means, covariance
            )
            value = means[index]
            excess = max(0.0, (reached - rate) / 1e-9)
        for m in range(count):
            if bounds[m] < np.inf:
                excess = max(excess, (means[m] - bounds[m]) / slack[m])
        done += 1
        if stretch > 0.0 and not (value <= before and (excess <= 1.0 or excess <= missed)):
            value, excess, stretch, ambition = before, missed, 0.0, max(0.25 * ambition, 0.5)
            copy(plain_q, q)
            copy(plain_decisions, decisions)
            continue
        # a limit that is missed less than before is progress too, whatever it does to the value
        settled = before - value <= tolerance * (1.0 + abs(value)) and (excess <= 1.0 or excess >= 0.999 * missed)
        small = small + 1 if settled else 0.0
        update(conditional, ends, channel, p, q, decisions)
        copy(q, plain_q)
        copy(decisions, plain_decisions)
        if done < steps and small < _PATIENCE:
            if stretch > 0.0:
                ambition = min(2.0 * ambition, _FURTHEST)
            stretch = ambition
            _stretch(old_q, old_decisions, ends, stretch, q, decisions)
    state[0], state[1], state[2], state[3], state[4] = value, excess, small, ambition, stretch
    return done
