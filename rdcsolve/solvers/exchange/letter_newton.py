"""Letters that slide: Newton's method on masses, places, decisions and multipliers together.

Where a few letters carry the optimum, the exchange finds their neighbourhoods soon and then closes in on them round by
round. For m letters with masses q = exp(kappa), decisions that are proportional to exp(theta), free places y and
active multipliers lambda, the Lagrangian

    G = -sum_i p_i log sum_a exp(kappa_a - lambda.L(i, a)) + sum_a exp(kappa_a) - lambda.b

is stationary in all of them at the optimum: least in kappa, theta and y, largest in lambda.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import logsumexp, softmax

from rdcsolve import deadline
from rdcsolve.letters.letters import Letters, PricedLetters
from rdcsolve.letters.space import LetterSpace, Prices

_MOST_UNKNOWNS = 400
_MOST_SUMMITS = 60
_SUMMIT = -0.05  # log price from which a local maximum may carry a letter of the optimum
_NOTHING = 1e-6  # mass that is none
_MOST_STEPS = 20
_SETTLED = 1e-11  # largest entry of the gradient
_LONGEST = 1.0  # of a step in kappa and theta
_IDLE = 1e-12  # multipliers below this are none
_SLACK = 1e-3  # nats: limits whose multiplier is worth less are taken not to bind
_RARE = 1e-4  # share of the heaviest letter's mass: letters that fall below it are left behind
_EMPTY = 1e-300  # decisions below this stay zero


def gathered(
    space: LetterSpace, prices: Prices, maxima: PricedLetters, joint: np.ndarray
) -> tuple[Letters, np.ndarray] | None:
    """Return one letter for every summit of the price, made of the letters in use that are likest it, and their masses.

    Parameters
    ----------
    space : LetterSpace
    prices, maxima : Prices, PricedLetters
        Of the same dual point.
    joint : numpy.ndarray
        Joint masses of symbols and letters in use, shape (n_x, k).

    Returns
    -------
    tuple or None
        None where there are too many summits: the price is flat, and letters have no places of their own.
    """
    summits = maxima.letters.take(np.flatnonzero(maxima.log_prices > _SUMMIT))
    if not 0 < len(summits) <= _MOST_SUMMITS:
        return None
    near = prices.likeness(summits, joint)
    chosen = np.zeros(near.shape)
    chosen[near.argmax(axis=0), np.arange(near.shape[1])] = 1.0
    merged = joint @ chosen.T
    q = merged.sum(axis=0)
    held = np.flatnonzero(q > _NOTHING)
    return space.posterior(summits.take(held), merged[:, held]), q[held] / q[held].sum()


class Slid(NamedTuple):
    """A stationary point: its letters, their masses (m,), and the dual point (n_x,), (M,) that it stands for."""

    letters: Letters
    q: np.ndarray
    u: np.ndarray
    multipliers: np.ndarray


def slide(
    space: LetterSpace, letters: Letters, q: np.ndarray, multipliers: np.ndarray, bounds: np.ndarray
) -> Slid | None:
    """Return the stationary point near the given letters, or None if Newton's method does not get there.

    Parameters
    ----------
    space : LetterSpace
    letters : Letters
        m of them, one for each that the optimum is thought to have.
    q : numpy.ndarray
        Shape (m,), > 0.
    multipliers, bounds : numpy.ndarray
        Shape (M,): a start for those with a finite bound and a positive multiplier, given elsewhere.
    """
    binding = np.isfinite(bounds) & (multipliers * np.where(np.isfinite(bounds), bounds, 0.0) > _SLACK)
    given = np.where(binding | ~np.isfinite(bounds), multipliers, 0.0)
    state = _State(space, letters, np.log(q), given, np.flatnonzero(binding))
    if state.size > _MOST_UNKNOWNS:
        return None
    largest = math.inf
    for _ in range(_MOST_STEPS):
        deadline.look()
        gradient, hessian = state.derivatives(bounds)
        now = float(np.abs(gradient).max())
        if now <= _SETTLED:
            return state.slid()
        if not now < 10 * largest:  # astray
            return None
        largest = min(now, largest)
        try:
            step = -np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return None
        if not np.isfinite(step).all():
            return None
        state.move(step)
        leaner = state.without_idle()
        if leaner is not None:
            state, largest = leaner, math.inf
    return None


@dataclass
class _State:
    space: LetterSpace
    start: Letters
    kappa: np.ndarray
    multipliers: np.ndarray
    active: np.ndarray

    def __post_init__(self) -> None:
        problem = self.space.problem
        self.used = np.flatnonzero(problem.p_x > 0)
        self.p = problem.p_x[self.used] / problem.p_x[self.used].sum()
        self.first_label = len(problem.losses) - len(problem.label_entropies)
        self.conditionals = [label.conditional[self.used] for label in problem.label_entropies]
        self.decisions = [np.where(soft > _EMPTY, soft, 0.0) for soft in self.start.decisions]
        self.slides = [k for k in range(len(self.decisions)) if multipliers_of(self, k) > 0]
        self.dim = self.space.coordinates(self.multipliers)
        self.places = self.start.places.astype(float) if self.dim else self.start.places
        widths = [self.decisions[k].shape[1] for k in self.slides]
        self.width = self.dim + sum(widths)  # unknowns of a letter besides its mass
        self.size = self.kappa.size * (1 + self.width) + self.active.size

    def letters(self) -> Letters:
        """Return the letters as they are now."""
        return Letters(self.places, tuple(self.decisions))

    def slid(self) -> Slid:
        """Return the letters and u = -log t."""
        exponent = self._exponent(self._losses())
        u = np.zeros(self.space.problem.n_x)
        u[self.used] = -logsumexp(exponent, axis=1)
        q = np.exp(self.kappa)
        return Slid(self.letters(), q / q.sum(), u, self.multipliers)

    def _exponent(self, losses: list[np.ndarray]) -> np.ndarray:
        """Return kappa - lambda.L, shape (n, m)."""
        charged = [weight * loss for weight, loss in zip(self.multipliers, losses, strict=True) if weight > 0]
        return np.broadcast_to(self.kappa, (self.p.size, self.kappa.size)) - sum(charged)

    def _losses(self) -> list[np.ndarray]:
        """Return the losses at the letters, (n, m) each, infinite ones as a number that leaves nothing."""
        return [np.minimum(loss[self.used], 1e8) for loss in self.space.losses(self.letters())]

    def derivatives(self, bounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return gradient and Hessian in the order: kappa; per letter y and theta; the active multipliers."""
        losses = self._losses()
        m = self.kappa.size
        shares = softmax(self._exponent(losses), axis=1)  # (n, m): which letter explains the symbol
        joint = self.p[:, None] * shares
        mass = joint.sum(axis=0)
        slopes, curvatures, crossed = self._slopes(joint)
        count = self.active.size
        first, last = m, m + m * self.width
        # every unknown's mean slope over the letters, symbol by symbol: what the logarithm's second derivative squares
        means = np.zeros((self.p.size, self.size))
        means[:, :m] = shares
        means[:, first:last] = (shares[:, :, None] * slopes).reshape(self.p.size, -1)
        listed = [losses[index] for index in self.active]
        for column, loss in enumerate(listed):
            means[:, last + column] = -(shares * loss).sum(axis=1)
        gradient = -self.p @ means
        gradient[:m] += np.exp(self.kappa)
        gradient[last:] -= bounds[self.active]
        hessian = (means * self.p[:, None]).T @ means
        hessian[np.arange(m), np.arange(m)] += np.exp(self.kappa) - mass
        for a in range(m):
            block = slice(first + a * self.width, first + (a + 1) * self.width)
            weighted = joint[:, a, None] * slopes[:, a]
            hessian[block, block] -= weighted.T @ slopes[:, a] + curvatures[a]
            hessian[a, block] -= weighted.sum(axis=0)
            hessian[block, a] -= weighted.sum(axis=0)
            for column, loss in enumerate(listed):
                mixed = crossed[a].get(int(self.active[column]), 0.0) - loss[:, a] @ weighted
                hessian[block, last + column] -= mixed
                hessian[last + column, block] -= mixed
        for column, loss in enumerate(listed):
            across = (joint * loss).sum(axis=0)
            hessian[:m, last + column] += across
            hessian[last + column, :m] += across
            for other in range(count):
                hessian[last + column, last + other] -= float((joint * loss * listed[other]).sum())
        return gradient, hessian

    def _slopes(self, joint: np.ndarray):  # type: ignore[no-untyped-def]
        """Return d log K / d (y, theta), (n, m, width), the curvature's mean and, by loss, the slope's derivative."""
        n, m = joint.shape
        slopes = np.zeros((n, m, self.width))
        curvatures, crossed = np.zeros((m, self.width, self.width)), [dict[int, np.ndarray]() for _ in range(m)]
        if self.dim:
            for index, (gradient, hessian) in enumerate(self.space.derivatives(self.places)):
                weight, unit = float(self.multipliers[index]), -gradient[self.used]
                slopes[:, :, : self.dim] += weight * unit
                stiffness = np.einsum("ia,iade->ade", joint, hessian[self.used])
                curvatures[:, : self.dim, : self.dim] -= weight * stiffness
                for a in range(m):
                    crossed[a][index] = self._placed(joint[:, a] @ unit[:, a], 0)
        offset = self.dim
        for k in self.slides:
            weight, soft, w = multipliers_of(self, k), self.decisions[k], self.conditionals[k]
            width = soft.shape[1]
            unit = np.where(soft > 0, w[:, None, :] - soft, 0.0)
            slopes[:, :, offset : offset + width] = weight * unit
            for a in range(m):
                own = np.diag(soft[a]) - np.outer(soft[a], soft[a])
                # theta may be shifted by a constant, and is idle where a class is excluded: hold both
                held = np.outer(soft[a] > 0, soft[a] > 0) / width + np.diag(soft[a] == 0)
                mass = joint[:, a].sum()
                curvatures[a, offset : offset + width, offset : offset + width] = -weight * mass * (own + held)
                crossed[a][self.first_label + k] = self._placed(joint[:, a] @ unit[:, a], offset)
            offset += width
        return slopes, curvatures, crossed

    def _placed(self, values: np.ndarray, offset: int) -> np.ndarray:
        whole = np.zeros(self.width)
        whole[offset : offset + values.size] = values
        return whole

    def without_idle(self) -> _State | None:
        """Return the state without letters and limits that the stationary point does without; None if it needs all."""
        kept = np.flatnonzero(self.kappa > self.kappa.max() + math.log(_RARE))
        left = np.where(self.multipliers > _IDLE, self.multipliers, 0.0)
        still = self.active[left[self.active] > 0]
        if kept.size == self.kappa.size and still.size == self.active.size:
            return None
        return _State(self.space, self.letters().take(kept), self.kappa[kept], left, still)

    def move(self, step: np.ndarray) -> None:
        """Take a step, shortened to a sensible length."""
        m = self.kappa.size
        own = step[m : m + m * self.width].reshape(m, self.width)
        longest = max(float(np.abs(step[:m]).max()), float(np.abs(own[:, self.dim :]).max(initial=0.0)))
        shrink = min(1.0, _LONGEST / max(longest, 1e-300))
        self.kappa = self.kappa + shrink * step[:m]
        if self.dim:
            self.places = self.places + shrink * own[:, : self.dim]
        offset = self.dim
        for k in self.slides:
            width = self.decisions[k].shape[1]
            soft = self.decisions[k] * np.exp(shrink * own[:, offset : offset + width])
            self.decisions[k] = soft / soft.sum(axis=1, keepdims=True)
            offset += width
        self.multipliers = self.multipliers.copy()
        self.multipliers[self.active] += shrink * step[m + m * self.width :]
        np.maximum(self.multipliers, 0.0, out=self.multipliers)


def multipliers_of(state: _State, k: int) -> float:
    """Return the multiplier of label k's entropy."""
    return float(state.multipliers[state.first_label + k])
