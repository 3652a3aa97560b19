"""The cheap phase of the alternation: where it starts, and how it descends from there."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from rdcsolve import deadline
from rdcsolve.problems import Problem
from rdcsolve.results.result import Result
from rdcsolve.solvers.finite.entropy_limits import aimed_limits
from rdcsolve.solvers.stationary.cutoffs import SMALLEST

# Compiled functions are imported where they are called: Numba takes a quarter of a second to load, and only
# problems with fixed letters need it.

_PATH = (0.9, 1.1, 1.35, 1.7, 2.2, 3.0, 4.5, 7.0, 12.0)
"""Caps on the labels' multipliers while annealing: from where the problem is convex to where few limits still bind."""

_LEAPS = (20.0, 300.0, 1e4)
"""Caps from any other start: raised only while a limit is missed."""

_CAP = 1e6  # nats per spread of a linear loss: beyond any multiplier that a limit inside its range needs
_ROUGH = 1e-7  # relative fall of the value that ends a descent on the way
_SLACK = 1e-9  # of the spread: how far from its bound a mean may stay in this phase


@dataclass(frozen=True)
class Start:
    """Output masses (k,), stacked decisions (S, k), and the caps on label multipliers to go through."""

    name: str
    q: np.ndarray
    decisions: np.ndarray
    caps: tuple[float, ...]
    annealed: bool = False


@dataclass(frozen=True)
class Candidate:
    """Where a descent ended; `value` is the objective, and `excess` above one means that a limit is missed."""

    name: str
    q: np.ndarray
    decisions: np.ndarray
    value: float
    excess: float
    steps: int
    settled: bool
    channel: np.ndarray | None = None

    @property
    def met(self) -> bool:
        """Whether the limits are met, up to what the exact solver can mend."""
        return self.excess <= 1e3


@dataclass(eq=False)
class Arena:
    """A problem with fixed letters, as arrays over its n symbols of positive mass.

    Attributes
    ----------
    p : numpy.ndarray
        Shape (n,).
    conditional : numpy.ndarray
        Shape (n, S): the classes of all labels side by side.
    ends : numpy.ndarray
        Shape (K + 1,): where each label's classes begin.
    mask : numpy.ndarray
        Shape (n, k): 0, and -inf at forbidden pairs.
    losses : numpy.ndarray
        Shape (M, n, k): the linear losses with each row's least entry taken off, zero at forbidden pairs; the
        labels' rows are scratch space.
    bounds, multipliers : numpy.ndarray
        Shape (M,): shifted bounds, inf for none; given multipliers.
    aims : dict of str to float
        Limits on labels' entropies, a little lower than they are; see `aimed_limits`.
    """

    problem: Problem
    symbols: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        problem = self.problem
        self.aims = aimed_limits(problem)
        self.symbols = np.flatnonzero(problem.p_x > 0)
        self.p = problem.p_x[self.symbols] / problem.p_x[self.symbols].sum()
        labels = problem.label_entropies
        widths = [label.conditional.shape[1] for label in labels]
        self.ends = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
        stacked = [label.conditional[self.symbols] for label in labels]
        self.conditional = np.ascontiguousarray(np.hstack(stacked)) if labels else np.empty((self.p.size, 0))
        self.n_linear = len(problem.linear_losses)
        shape = (self.p.size, problem.n_letters)
        forbidden = np.zeros(shape, dtype=bool) if problem.forbidden is None else problem.forbidden[self.symbols]
        self.mask = np.where(forbidden, -np.inf, 0.0)
        self.losses = np.zeros((len(problem.losses), *shape))
        shifts = np.zeros(len(problem.losses))
        self.spread = np.ones(len(problem.losses))
        for m, loss in enumerate(problem.linear_losses):
            matrix = np.where(forbidden, np.inf, loss.block(self.symbols))
            least = matrix.min(axis=1, keepdims=True)
            self.losses[m] = np.where(forbidden, 0.0, matrix - least)
            shifts[m] = float(self.p @ least[:, 0])
            self.spread[m] = float(self.losses[m].max()) or 1.0
        self.bounds = problem.bounds - shifts
        self.multipliers = np.zeros(len(problem.losses)) if problem.multipliers is None else problem.multipliers
        self.index = -1 if problem.goal.target is None else problem.goal.target
        self.fixed = problem.multipliers is not None
        self.prior = self.p @ self.conditional

    @property
    def n_letters(self) -> int:
        """Number of letters."""
        return self.mask.shape[1]

    def split_by_label(self, decisions: np.ndarray) -> list[np.ndarray]:
        """Return stacked decisions (S, k) as one array (k, n_s) per label, rows summing to one."""
        parts = [decisions[a:b].T for a, b in zip(self.ends[:-1], self.ends[1:], strict=True)]
        return [part / part.sum(axis=1, keepdims=True) for part in parts]

    def posterior(self, channel: np.ndarray, otherwise: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return q and the stacked posteriors of a channel (n, k), exact zeros included; unused letters keep theirs."""
        q = self.p @ channel
        joint = (self.p[:, None] * self.conditional).T @ channel
        decisions = np.where(q > 0, joint / np.where(q > 0, q, 1.0), otherwise)
        return q, decisions

    def decisions_of(self, channel: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return p(s | a) under a channel (n_x, k), per label an array of shape (k, n_s)."""
        _, stacked = self.posterior(channel[self.symbols], np.tile(self.prior[:, None], (1, channel.shape[1])))
        return tuple(self.split_by_label(stacked))

    def flat(self) -> np.ndarray:
        """Return uniform masses, shape (k,)."""
        return np.full(self.n_letters, 1 / self.n_letters)

    def prior_everywhere(self) -> np.ndarray:
        """Return the labels' priors as the decisions of every letter, shape (S, k)."""
        return np.tile(np.maximum(self.prior, SMALLEST)[:, None], (1, self.n_letters))

    def descend(self, start: Start, max_steps: int, tolerance: float) -> Candidate:
        """Alternate from a start, under its caps one after another, until the value settles."""
        q = np.array(start.q, order="C")
        decisions = np.array(np.maximum(start.decisions, SMALLEST), order="C")
        run = self._descend_fixed if self.fixed else self._descend_limited
        return run(start, q, decisions, max_steps, tolerance)

    def _descend_fixed(
        self, start: Start, q: np.ndarray, decisions: np.ndarray, max_steps: int, tolerance: float
    ) -> Candidate:
        from rdcsolve.solvers.stationary.compiled_descent import descend_fixed

        exponent = self.mask - np.tensordot(self.multipliers[: self.n_linear], self.losses[: self.n_linear], axes=1)
        given = self.multipliers[self.n_linear :]
        path = [cap for cap in start.caps if start.annealed and cap < given.max(initial=0.0)]
        done = 0
        for cap in [*path, math.inf]:
            weights = np.repeat(np.minimum(given, cap), np.diff(self.ends))
            steps, small = (max_steps, tolerance) if math.isinf(cap) else (max_steps // 10 + 1, _ROUGH)
            value, now = descend_fixed(
                self.p, exponent, self.conditional, self.ends, weights, q, decisions, steps, small
            )
            done += now
        return Candidate(start.name, q, decisions, value, 0.0, done, now < max_steps)

    def _descend_limited(
        self, start: Start, q: np.ndarray, decisions: np.ndarray, max_steps: int, tolerance: float
    ) -> Candidate:
        from rdcsolve.solvers.stationary.compiled_descent import descend_limited

        multipliers = np.where(np.isfinite(self.bounds), 1 / self.spread, 0.0)
        if self.index >= 0:
            multipliers[self.index] = 1 / self.spread[self.index]
        rate = self.problem.rate_bound if self.index >= 0 and self.problem.rate_bound is not None else 0.0
        slack, channel = _SLACK * self.spread, np.empty(self.mask.shape)
        done = 0

        def descend(caps: np.ndarray, steps: int, small: float) -> tuple[float, float, int]:
            return descend_limited(
                self.p, self.mask, self.losses, self.conditional, self.ends, multipliers, q, decisions,
                self.bounds, caps, slack, self.index, rate, steps, small, channel,
            )  # fmt: skip

        for cap in start.caps:
            caps = _CAP / self.spread
            caps[self.n_linear :] = cap
            if self.index >= self.n_linear and not start.annealed:
                caps[self.index] = start.caps[-1]
            multipliers = np.minimum(multipliers, caps)
            _, excess, now = descend(caps, max_steps // 10 + 1, _ROUGH)
            done += now
            if excess <= 1 and np.all(multipliers[self.n_linear :] < caps[self.n_linear :]):
                break
        value, excess, now = descend(caps, max_steps, tolerance)
        return Candidate(start.name, q, decisions, value, excess, done + now, now < max_steps, channel)

    def starts(self, count: int, rng: np.random.Generator, informed: bool, anneal: bool) -> Iterator[Start]:
        """Yield the informed starts, then `count` random ones."""
        flat = self.flat()
        if informed:
            nearest = self._nearest()
            q, decisions = self.posterior(nearest, self.prior_everywhere())
            yield Start("nearest", 0.9 * q + 0.1 * flat, 0.9 * decisions + 0.1 * self.prior[:, None], _LEAPS)
        if anneal:
            noise = self._soft(rng)
            yield Start("annealed", flat, 0.98 * self.prior[:, None] + 0.02 * noise, (*_PATH, *_LEAPS), True)
        for rank in range(count):
            draw = (self._soft, self._of_symbols, self._pure)[rank % 3]
            uneven = rng.dirichlet(np.full(flat.size, (1.0, 0.3)[rank % 2]))  # near rate zero one letter is rare
            yield Start("random", 0.8 * uneven + 0.2 * flat, draw(rng), _LEAPS)

    @staticmethod
    def resumed(candidate: Candidate) -> Start:
        """Return the start that goes on where a descent ended."""
        return Start(candidate.name, candidate.q, candidate.decisions, _LEAPS)

    def starts_of_split(self, split: Result) -> Iterator[Start]:
        """Yield starts from the solution with split letters: letters of one symbol merged, or the heaviest kept."""
        channel = split.channel[self.symbols]
        if not channel.size or not np.isfinite(channel).all():
            return
        merged = np.zeros((self.p.size, self.n_letters))
        np.add.at(merged.T, split.letters, channel.T)
        q, decisions = self.posterior(merged, self.prior_everywhere())
        flat = self.flat()
        yield Start("merged", 0.99 * q + 0.01 * flat, decisions, _LEAPS)
        heaviest = np.zeros_like(merged)
        masses = self.p @ channel
        for letter in np.unique(split.letters):
            own = np.flatnonzero(split.letters == letter)
            heaviest[:, letter] = channel[:, own[masses[own].argmax()]]
        _, decisions = self.posterior(heaviest, decisions)
        yield Start("heaviest", 0.99 * q + 0.01 * flat, decisions, _LEAPS)

    def most_attractive(self, letters: np.ndarray, u: np.ndarray, multipliers: np.ndarray) -> np.ndarray:
        """Return the decisions (S, j) at which j letters' prices sum_i p_i exp(u_i - lambda.L(i, a)) are largest.

        From each symbol's own classes and the prior, the decisions move to the mean of the classes under the terms
        of the price, which cannot lower it (Jensen's inequality).
        """
        exponent = np.log(self.p)[:, None] + u[:, None] + self.mask[:, letters]
        for multiplier, loss in zip(multipliers, self.problem.linear_losses, strict=False):
            matrix = loss.block(self.symbols, letters)
            exponent -= multiplier * np.where(np.isinf(matrix), 0.0, matrix)  # the mask has them already
        weights = np.repeat(multipliers[self.n_linear :], np.diff(self.ends))
        decisions = np.vstack([0.99 * self.conditional + 0.01 * self.prior, self.prior])  # (c, S)
        decisions = np.repeat(np.maximum(decisions, SMALLEST)[None], letters.size, axis=0)  # (j, c, S)
        for _ in range(50):
            deadline.look()
            terms = exponent[:, :, None] + np.einsum("is,jcs->ijc", self.conditional * weights, np.log(decisions))
            top = terms.max(axis=0)
            shares = np.exp(terms - np.where(np.isfinite(top), top, 0.0))
            total = shares.sum(axis=0)
            moved = np.einsum("ijc,is->jcs", shares, self.conditional) / np.maximum(total, 1e-300)[:, :, None]
            decisions = np.where(total[:, :, None] > 0, np.maximum(moved, SMALLEST), decisions)
        prices = top + np.log(np.maximum(total, 1e-300))
        return np.take_along_axis(decisions, prices.argmax(axis=1)[:, None, None], axis=1)[:, 0].T

    def _nearest(self) -> np.ndarray:
        """Return the channel (n, k) to the letter of the least total linear loss."""
        total = self.mask.copy()
        for m in range(self.n_linear):
            total = total - self.losses[m] / self.spread[m]
        return np.eye(self.n_letters)[total.argmax(axis=1)]

    def _soft(self, rng: np.random.Generator) -> np.ndarray:
        """Draw every letter's decisions uniformly, shape (S, k)."""
        widths = np.diff(self.ends)
        parts = [rng.dirichlet(np.ones(width), size=self.n_letters).T for width in widths]
        return np.vstack(parts) if parts else np.empty((0, self.n_letters))

    def _of_symbols(self, rng: np.random.Generator) -> np.ndarray:
        """Give every letter the classes of one symbol, softened."""
        chosen = rng.choice(self.p.size, size=self.n_letters, p=self.p)
        return 0.9 * self.conditional[chosen].T + 0.1 * self.prior[:, None]

    def _pure(self, rng: np.random.Generator) -> np.ndarray:
        """Give every letter almost one class of each label."""
        pure = np.zeros((self.prior.size, self.n_letters))
        for a, b in zip(self.ends[:-1], self.ends[1:], strict=True):
            chosen = rng.choice(b - a, size=self.n_letters, p=self.prior[a:b] / self.prior[a:b].sum())
            pure[a + chosen, np.arange(self.n_letters)] = 1.0
        return 0.95 * pure + 0.05 * self.prior[:, None]
