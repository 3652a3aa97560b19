"""What the checks compute by themselves, slowly and obviously, sharing no code with what they check."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.problems import PerceptionAtRate, Problem

EPS = float(np.finfo(float).eps)


def require(holds: Any, message: str) -> None:
    """Raise AssertionError with the message unless it holds; unlike `assert`, also under ``python -O``."""
    if not holds:
        raise AssertionError(message)


class Achieved(NamedTuple):
    """What a channel does to a problem's source."""

    rate: float
    losses: np.ndarray

    def objective(self, problem: Problem) -> float:
        """Return the value of the problem's objective."""
        if problem.multipliers is not None:
            return self.rate + float(problem.multipliers @ self.losses)
        if problem.goal.target is None:  # of a distance of the reproduction's law, its channels know no more
            return self.rate
        return float(self.losses[problem.loss_names.index(problem.minimise)])


def full_channel(problem: Problem, channel: Any, letters: Any = None) -> np.ndarray:
    """Return the channel as an array (n_x, n_letters); `letters` says which letters its columns are."""
    columns = np.asarray(channel, dtype=float)
    letters = np.arange(problem.n_letters) if letters is None else np.asarray(letters)
    expected = (problem.n_x, letters.size)
    require(columns.shape == expected, f"the channel has shape {columns.shape} instead of {expected}")
    require(letters.size, "the channel has no letters")
    require(np.issubdtype(letters.dtype, np.integer), f"letters are {letters.dtype}, not indices")
    low, high = int(letters.min()), int(letters.max())
    within = 0 <= low <= high < problem.n_letters
    require(within, f"letters range from {low} to {high}, outside 0..{problem.n_letters - 1}")
    require(np.unique(letters).size == letters.size, "a letter is listed twice")
    whole = np.zeros((problem.n_x, problem.n_letters))
    whole[:, letters] = columns
    return whole


def achieved(problem: Problem, channel: np.ndarray) -> Achieved:
    """Return rate and mean losses of a channel (n_x, n_letters) by their definitions."""
    used = problem.p_x > 0
    joint = problem.p_x[used, None] * channel[used]
    i, a = np.nonzero(joint)
    mass = joint[i, a]
    rate = math.fsum(mass * (np.log(channel[used][i, a]) - np.log(joint.sum(axis=0)[a])))
    losses = [math.fsum(mass * loss.block(used)[i, a]) for loss in problem.linear_losses]
    return Achieved(max(0.0, rate), np.array(losses))


def least_losses(problem: Problem) -> dict[str, float]:
    """Return the least mean of each loss over all channels, whatever the limits: sum_i p_i min_a L(i, a)."""
    used = problem.p_x > 0
    least = {}
    for loss in problem.linear_losses:
        matrix = loss.block()
        if problem.forbidden is not None:
            matrix = np.where(problem.forbidden, np.inf, matrix)
        least[loss.name] = math.fsum(problem.p_x[used] * matrix[used].min(axis=1))
    return least


class Dual(NamedTuple):
    """What u and multipliers prove about a problem."""

    bound: float
    log_max_price: float
    log_terms: np.ndarray
    rounding: float


def dual_terms(
    problem: Problem, u: Any, multipliers: Any, prices: np.ndarray | None = None, spent: float = 0.0
) -> Dual:
    """Return the lower bound on the objective that u and multipliers prove, for any numbers whatever.

    With c(a) = sum_i p_i exp(u_i - lambda.L(i, a)), every channel has I + lambda.E L >= p.u - log max_a c(a)
    (Csiszar 1974). The bound is on the rate, the Lagrangian or the loss, as the problem asks; for a distance of the
    reproduction's law that is minimised, on nu times that distance.

    Parameters
    ----------
    problem : Problem
    u, multipliers : array_like
    prices : numpy.ndarray, optional
        Shape (n_letters,): what letters cost besides, whatever the symbol.
    spent : float, optional
        What they come to at most, nats.

    Returns
    -------
    Dual
        The bound, log max_a c(a), the logarithms u_i - lambda.L(i, a) with -inf where the pair is forbidden,
        shape (n_x, n_letters), and an estimate of the rounding error of p.u - log max_a c(a).
    """
    u, lam = _usable(problem, u, multipliers)
    used = problem.p_x > 0
    terms = np.tile(np.where(used, u, -np.inf)[:, None], problem.n_letters)
    for multiplier, loss in zip(lam, problem.linear_losses, strict=True):
        terms -= multiplier * np.where(np.isfinite(loss.block()), loss.block(), 0.0)
    terms -= 0.0 if prices is None else prices
    if problem.forbidden is not None:
        terms[problem.forbidden] = -np.inf
    log_p = np.log(problem.p_x, out=np.full(problem.n_x, -np.inf), where=used)
    shares = terms + log_p[:, None]
    top = float(shares.max())
    log_max_price = top + math.log(float(np.exp(shares - top).sum(axis=0).max()))
    value = math.fsum(problem.p_x[used] * u[used]) - log_max_price - spent
    rounding = 16 * EPS * (40 + float(np.abs(u[used]).max()) + problem.n_x**0.5)
    return Dual(_on_objective(problem, value, lam), log_max_price, terms, rounding)


def _usable(problem: Problem, u: Any, multipliers: Any) -> tuple[np.ndarray, np.ndarray]:
    u, lam = np.asarray(u, dtype=float), np.asarray(multipliers, dtype=float)
    require(u.shape == (problem.n_x,), f"u has shape {u.shape} instead of ({problem.n_x},)")
    expected = (len(problem.losses),)
    require(lam.shape == expected, f"multipliers have shape {lam.shape} instead of {expected}")
    require(np.isfinite(u[problem.p_x > 0]).all(), "u is not finite at a symbol of positive mass")
    signs = (lam >= 0) | problem.held
    require((np.isfinite(lam) & signs).all(), f"multipliers are {lam}; they must be finite and >= 0")
    if problem.multipliers is not None:
        allowed = problem.multipliers
        require((lam <= allowed).all(), f"the multipliers {lam} exceed the problem's {allowed}")
    return u, lam


def _on_objective(problem: Problem, value: float, multipliers: np.ndarray) -> float:
    """Turn a lower bound on I + lambda.E L into one on the objective."""
    if problem.multipliers is not None:
        return value
    limited = np.isfinite(problem.bounds)
    unpaid = (multipliers != 0) & ~limited
    minimised = None
    if problem.goal.target is not None:
        minimised = problem.loss_names.index(problem.minimise)
        unpaid[minimised] = False
    name, price = problem.loss_names[int(unpaid.argmax())], multipliers[int(unpaid.argmax())]
    require(not unpaid.any(), f"the multiplier of '{name}', which is not limited, is {price:.6g}, not zero")
    value -= math.fsum(multipliers[limited] * problem.bounds[limited])
    if minimised is None:
        return value - (problem.goal.rate if isinstance(problem.goal, PerceptionAtRate) else 0.0)
    if multipliers[minimised] == 0:
        return -math.inf
    return (value - float(problem.rate_bound or 0.0)) / float(multipliers[minimised])
