"""The interior point for limits on the law of the reproduction, whatever measures them.

    min  -p.u + lambda.b + sum_k H_k(w^k)   such that   log c(a) <= sum_k w^k_{y_k(a)},   lambda >= 0,

with log c(a) = log sum_i p_i exp(u_i - lambda.L(i, a)), a log-sum-exp, so that this is a convex programme; H_k belong
to `blocks`. Prices of a law that counts symbols with weights g_k, that of a class, are part of the exponents, as
-g_k(i) w^k: for all other laws g_k = 1, and it does not matter on which side they stand. Multipliers of the constraints
are output masses q_a. Slacks s_a are variables of their own, so that the residuals go to zero like everything else.
Predictor and corrector (Mehrotra 1992), separate steps for both sides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rdcsolve.solvers.loop import NumericalBreakdown
from rdcsolve.solvers.perception.blocks import Block, length
from rdcsolve.solvers.perception.scaled_system import ScaledSystem, factored, gram

_SHORT_OF = 0.01, 0.1  # of the way to the nearest boundary, where the predictor gets far, and where it does not
_BOLDNESS = 5  # the usual 3 aims at the centre more than the many nearly equal pairs of a plan need
_MOST_U = 2.0  # nats: how far u may move in one step
_MOST_MULTIPLIER = 0.9  # of a multiplier
_MOST_BENT = 2.0  # by what factor a price may be above its linear model after a step, where there are laws of classes
_LEAST_STEP = 1e-6
_LARGE_MOVE = 700.0
_FLOOR = 0.02  # of the tolerance: the least sum of products that is aimed at
_LEAST_CENTRE = 1e-4


@dataclass(frozen=True, eq=False)
class Statement:
    """The finite programme: symbols of positive mass, listed letters, shifted losses.

    Attributes
    ----------
    p : numpy.ndarray
        Shape (n,), positive, summing to one.
    losses : numpy.ndarray
        Shape (R, n, k), finite.
    forbidden : numpy.ndarray or None
        Mask (n, k).
    bounds : numpy.ndarray
        Shape (R,): b, positive where `is_free`.
    is_free : numpy.ndarray
        Shape (R,), bool: multipliers that are to be found; the others are given and charged nothing.
    places : tuple of numpy.ndarray
        For every block the place that each letter shows, shape (k,).
    weights : tuple of numpy.ndarray or None
        For every block the weights g of symbols in its law, shape (n,), of mean one; None for all ones.
    """

    p: np.ndarray
    losses: np.ndarray
    forbidden: np.ndarray | None
    bounds: np.ndarray
    is_free: np.ndarray
    places: tuple[np.ndarray, ...]
    weights: tuple[np.ndarray | None, ...]

    def log_prices(
        self, u: np.ndarray, multipliers: np.ndarray, prices: Sequence[np.ndarray] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return log c, shape (k,), and V, shape (n, k), the shares of the symbols in each price.

        Of the prices w of every block, if they are given, those of laws of classes count.
        """
        exponents = np.repeat((np.log(self.p) + u)[:, None], self.losses.shape[2], axis=1)
        for multiplier, loss in zip(multipliers, self.losses, strict=True):
            if multiplier:
                exponents -= multiplier * loss
        for w, place, weights in zip(prices, self.places, self.weights, strict=bool(prices)):
            if weights is not None:
                exponents -= np.outer(weights, w[place])
        if self.forbidden is not None:
            exponents[self.forbidden] = -math.inf
        top = exponents.max(axis=0)
        exponents -= top
        shares = np.exp(exponents, out=exponents)
        prices = shares.sum(axis=0)
        shares /= prices
        return top + np.log(prices), shares


class Point(NamedTuple):
    """One step of the method.

    Attributes
    ----------
    u, multipliers : numpy.ndarray
        Shapes (n,) and (R,).
    log_prices : numpy.ndarray
        Shape (k,).
    scalars : tuple
        (nu, tau) of every block.
    prices : tuple of numpy.ndarray
        w of every block.
    q : numpy.ndarray
        Shape (k,): output masses.
    shares : numpy.ndarray
        V, shape (n, k): q V / p is the channel, but for what its rows lack of one.
    products : float
        The sum of all products of slacks and multipliers, nats.
    """

    u: np.ndarray
    multipliers: np.ndarray
    log_prices: np.ndarray
    scalars: tuple[tuple[float, float], ...]
    prices: tuple[np.ndarray, ...]
    q: np.ndarray
    shares: np.ndarray
    products: float


class _Shown(NamedTuple):
    """How much a letter's price falls with the price of the place that it shows.

    Attributes
    ----------
    mean : numpy.ndarray
        Shape (k,): the mean of the weights g of symbols in the letter's price; ones without weights.
    parts : numpy.ndarray or None
        Shape (n, k): the shares times g; None without weights.
    weights : numpy.ndarray or None
        Shape (n,).
    """

    mean: np.ndarray
    parts: np.ndarray | None
    weights: np.ndarray | None

    @classmethod
    def of(cls, shares: np.ndarray, weights: np.ndarray | None) -> _Shown:
        """Return it for shares (n, k) and weights (n,)."""
        if weights is None:
            return cls(np.ones(shares.shape[1]), None, None)
        parts = shares * weights[:, None]
        return cls(parts.sum(axis=0), parts, weights)

    def with_values(self, values: np.ndarray, q: np.ndarray, means: np.ndarray) -> np.ndarray:
        """Return q times the covariance, over a letter's shares, of g and of values (n, k) with these means (k,)."""
        if self.parts is None:
            return np.zeros(q.size)
        return np.asarray(q * ((self.parts * values).sum(axis=0) - self.mean * means))


class _Letters:
    """The letters' side: u, multipliers, slacks of prices and output masses."""

    def __init__(self, statement: Statement, u: np.ndarray, multipliers: np.ndarray, q: np.ndarray) -> None:
        self.statement, self.u, self.multipliers, self.q = statement, u, multipliers, q
        self.free = np.flatnonzero(statement.is_free)
        self.zeta = 0.1 * statement.bounds[self.free]
        self.slack = np.empty(0)
        self.residual = self.log_prices = self.wanted = self.pull = np.empty(0)
        self.shares = self.means = np.empty((0, 0))
        self.weighted: list[np.ndarray] = []
        self.shown: list[_Shown] = []
        self.d_w: Sequence[np.ndarray] = ()
        self.d_u = self.d_multipliers = self.d_slack = self.d_q = self.d_zeta = np.empty(0)

    @property
    def size(self) -> int:
        """How many unknowns: u and the free multipliers."""
        return self.u.size + self.free.size

    def prepare(self, w: Sequence[np.ndarray]) -> None:
        """Evaluate everything that the system needs at this point, for the prices w of every block."""
        self.log_prices, self.shares = self.statement.log_prices(self.u, self.multipliers, w)
        prices = above(self.statement, w)
        if not np.isfinite(self.log_prices).all():
            raise NumericalBreakdown("prices of letters left the range of floats")
        if not self.slack.size:
            self.slack = prices - self.log_prices
        self.residual = prices - self.log_prices - self.slack
        losses = self.statement.losses[self.free]
        self.weighted = [self.shares * loss for loss in losses]
        self.means = np.array([part.sum(axis=0) for part in self.weighted]).reshape(self.free.size, self.q.size)
        self.shown = [_Shown.of(self.shares, weights) for weights in self.statement.weights]

    def complementarity(self, primal: float = 0.0, dual: float = 0.0) -> tuple[float, int]:
        """Return the sum of products after steps of these lengths, and how many there are."""
        if primal == 0.0 and dual == 0.0:
            total = float(self.q @ self.slack) + float(self.multipliers[self.free] @ self.zeta)
        else:
            total = float((self.q + dual * self.d_q) @ (self.slack + primal * self.d_slack))
            total += float(
                (self.multipliers[self.free] + primal * self.d_multipliers) @ (self.zeta + dual * self.d_zeta)
            )
        return total, self.q.size + self.free.size

    def hessian(self) -> np.ndarray:
        """Return the matrix over (u, free multipliers), shape (size, size)."""
        n, shares, q = self.u.size, self.shares, self.q
        ratio = q / self.slack
        matrix = np.empty((self.size, self.size))
        matrix[:n, :n] = gram(shares, ratio - q)
        matrix[np.arange(n), np.arange(n)] += shares @ q
        matrix[:n, :n] += 1 / n  # a constant added to u, and to the prices, changes nothing
        losses = self.statement.losses[self.free]
        for r, part in enumerate(self.weighted):
            column = shares @ ((q - ratio) * self.means[r]) - part @ q
            matrix[:n, n + r] = matrix[n + r, :n] = column
            for r2 in range(self.free.size):
                second = (part * losses[r2]).sum(axis=0) - self.means[r] * self.means[r2]
                matrix[n + r, n + r2] = q @ second + ratio @ (self.means[r] * self.means[r2])
            matrix[n + r, n + r] += self.zeta[r] / self.multipliers[self.free[r]]
        return matrix

    def gradient(self, centre: float, corrected: bool) -> np.ndarray:
        """Return the gradient over (u, free multipliers) towards products `centre`."""
        wanted, pull = centre - self.q * self.residual, np.full(self.free.size, centre)
        if corrected:
            wanted = wanted - self.d_q * self.d_slack
            pull = pull - self.d_multipliers * self.d_zeta
        self.wanted = wanted / self.slack
        self.pull = pull / self.multipliers[self.free]
        of_u = self.shares @ self.wanted - self.statement.p
        of_multipliers = self.statement.bounds[self.free] - self.means @ self.wanted - self.pull
        return np.concatenate([of_u, of_multipliers])

    def move(self, step: np.ndarray, d_prices: np.ndarray, d_w: Sequence[np.ndarray]) -> None:
        """Work out the direction of slacks, masses and the limits' slacks, given that of prices of places."""
        n, self.d_w = self.u.size, d_w
        self.d_u, self.d_multipliers = step[:n], step[n:]
        falls = self.shares.T @ self.d_u - self.d_multipliers @ self.means
        self.d_slack = d_prices - falls + self.residual
        ratio = self.q / self.slack
        self.d_q = self.wanted + ratio * (self.residual - self.d_slack) - self.q
        self.d_zeta = self.pull - self.zeta - self.zeta * self.d_multipliers / self.multipliers[self.free]

    def lengths(self) -> tuple[float, float]:
        """Return how far slacks and multipliers, and masses and the limits' slacks, can go."""
        multipliers = self.multipliers[self.free]
        primal = min(length(self.slack, self.d_slack), length(multipliers, self.d_multipliers))
        return primal, min(length(self.q, self.d_q), length(self.zeta, self.d_zeta))

    def cap(self) -> float:
        """Return the longest step for which prices are still like their linear model."""
        moved = float(np.abs(self.d_u - self.d_u.mean()).max()) / _MOST_U
        share = np.abs(self.d_multipliers) / self.multipliers[self.free] / _MOST_MULTIPLIER
        if all(weights is None for weights in self.statement.weights):
            return 1 / max(1.0, moved, float(share.max(initial=0.0)))
        return self._bent(1 / max(1.0, float(share.max(initial=0.0))))

    def _bent(self, most: float) -> float:
        """Return the longest step, up to `most`, after which no price is far above its linear model.

        Symbols of a class may move far for one letter, and not at all for another; only exponents that count matter.
        """
        moves = np.repeat(self.d_u[:, None], self.q.size, axis=1)
        moves -= np.tensordot(self.d_multipliers, self.statement.losses[self.free], axes=1)
        for d_w, place, weights in zip(self.d_w, self.statement.places, self.statement.weights, strict=True):
            if weights is not None:
                moves -= np.outer(weights, d_w[place])
        moves -= (self.shares * moves).sum(axis=0)
        while most > _LEAST_STEP and self._raised(most * moves) > _MOST_BENT:
            most *= 0.5
        return most

    def _raised(self, moves: np.ndarray) -> float:
        """Return the largest mean of exponentials of moves (n, k) over a letter's shares; large ones are cut off."""
        return float((self.shares * np.exp(np.minimum(moves, _LARGE_MOVE))).sum(axis=0).max())

    def advance(self, primal: float, dual: float) -> None:
        """Go."""
        self.u = self.u + primal * self.d_u
        self.multipliers = self.multipliers.copy()
        self.multipliers[self.free] += primal * self.d_multipliers
        self.slack = self.slack + primal * self.d_slack
        self.q = self.q + dual * self.d_q
        self.zeta = self.zeta + dual * self.d_zeta


def interior_points(
    statement: Statement,
    blocks: Sequence[Block],
    u: np.ndarray,
    multipliers: np.ndarray,
    q: np.ndarray,
    tolerance: float,
) -> Iterator[Point]:
    """Yield one point after another, as long as somebody asks.

    Parameters
    ----------
    statement : Statement
    blocks : sequence of Block
        At least one.
    u, multipliers, q : numpy.ndarray
        Where to begin: shapes (n,), (R,), positive where free, and (k,), positive.
    tolerance : float
        Nats; products are not made much smaller than that.
    """
    letters = _Letters(statement, u, multipliers.copy(), q)
    _start(letters, blocks)
    while True:
        letters.prepare(tuple(block.w for block in blocks))
        products, count = _total(letters, blocks)
        yield Point(
            letters.u,
            letters.multipliers,
            letters.log_prices,
            tuple(block.scalars() for block in blocks),
            tuple(block.w for block in blocks),
            letters.q,
            letters.shares,
            products,
        )
        _step(letters, blocks, products / count, _FLOOR * tolerance / count)


def _start(letters: _Letters, blocks: Sequence[Block]) -> None:
    """Begin with prices a little above those of the letters, shared evenly between the blocks but those of classes.

    Where there are only classes u is lowered instead, so that no price is above one.
    """
    statement = letters.statement
    log_prices, shares = statement.log_prices(letters.u, letters.multipliers)
    sharing = sum(weights is None for weights in statement.weights)
    if not sharing:
        letters.u = letters.u - (float(log_prices.max()) + 0.1)
    for block, place, weights in zip(blocks, statement.places, statement.weights, strict=True):
        w = np.full(block.w.size, -math.inf)
        np.maximum.at(w, place, log_prices)
        w[np.isinf(w)] = float(log_prices.min())
        masses = letters.q if weights is None else letters.q * (weights @ shares)
        start = (w + 0.1) / sharing if weights is None else np.zeros(w.size)
        block.start(start, np.bincount(place, weights=masses, minlength=w.size))


def above(statement: Statement, prices: Sequence[np.ndarray]) -> np.ndarray:
    """Return what the logarithms of letters' prices have to be below, shape (k,): prices w of places, summed."""
    total = np.zeros(statement.losses.shape[2])
    for w, place, weights in zip(prices, statement.places, statement.weights, strict=True):
        if weights is None:
            total += w[place]
    return total


def _total(letters: _Letters, blocks: Sequence[Block], primal: float = 0.0, dual: float = 0.0) -> tuple[float, int]:
    parts = [letters.complementarity(primal, dual), *(block.complementarity(primal, dual) for block in blocks)]
    return sum(value for value, _ in parts), sum(count for _, count in parts)


def _step(letters: _Letters, blocks: Sequence[Block], mean: float, floor: float) -> None:
    """Take one step: where the predictor leads says how far to aim at the centre, and corrects the second order."""
    starts = np.cumsum([letters.size, *(block.w.size + block.n_scalars for block in blocks)])
    system = factored(_matrix(letters, blocks, starts))
    _direction(system, letters, blocks, starts, 0.0, False)
    primal, dual = _lengths(letters, blocks)
    after, count = _total(letters, blocks, min(primal, 1.0), min(dual, 1.0))
    left = after / count / mean
    share, far = min(max(left**_BOLDNESS, _LEAST_CENTRE), 1.0), 1 - min(max(left, _SHORT_OF[0]), _SHORT_OF[1])
    _direction(system, letters, blocks, starts, max(share * mean, floor), True)
    primal, dual = _lengths(letters, blocks)
    primal, dual = (
        min(far * primal, 1.0, letters.cap(), *(block.cap() for block in blocks)),
        min(far * dual, 1.0),
    )
    if any(block.is_smooth for block in blocks):  # the law is a function of prices there, which masses have to follow
        primal = dual = min(primal, dual)
    letters.advance(primal, dual)
    for block in blocks:
        block.advance(primal, dual)
    first = letters.statement.weights[0]  # what is added to its prices is taken off u, with its weights
    middle = float(letters.u.mean()) / (1.0 if first is None else float(first.mean()))
    letters.u = letters.u - (middle if first is None else middle * first)
    blocks[0].shift(middle)


def _lengths(letters: _Letters, blocks: Sequence[Block]) -> tuple[float, float]:
    pairs = [letters.lengths(), *(block.lengths() for block in blocks)]
    return min(first for first, _ in pairs), min(second for _, second in pairs)


def _matrix(letters: _Letters, blocks: Sequence[Block], starts: np.ndarray) -> np.ndarray:
    """Return the system over (u, multipliers, and w and scalars of every block)."""
    size = int(starts[-1])
    matrix = np.zeros((size, size))
    matrix[: letters.size, : letters.size] = letters.hessian()
    q, ratio = letters.q, letters.q / letters.slack
    for k, (block, place, shown) in enumerate(zip(blocks, letters.statement.places, letters.shown, strict=True)):
        inner = slice(int(starts[k]), int(starts[k + 1]))
        matrix[inner, inner] = block.hessian()
        summed = _by_place(_pulls(letters, shown, ratio), place, block)
        matrix[: letters.size, inner], matrix[inner, : letters.size] = summed, summed.T
        masses = _by_place(_twice(shown, shown, q, ratio), place, block)
        m = block.w.size
        matrix[inner, inner][np.arange(m), np.arange(m)] += masses[:m]
        if block.has_level:
            matrix[inner, inner][m, :m] += masses[:m]
            matrix[inner, inner][:m, m] += masses[:m]
            matrix[inner, inner][m, m] += masses[m]
        for k2 in range(k):
            columns = slice(int(starts[k2]), int(starts[k2 + 1]))
            weights = _twice(shown, letters.shown[k2], q, ratio)
            across = _across(weights, place, block, letters.statement.places[k2], blocks[k2])
            matrix[inner, columns], matrix[columns, inner] = across, across.T
        if k:  # a constant moved from one block's prices to the next, or to u, changes nothing
            still = np.zeros(m + block.n_scalars)
            if block.has_level:
                still[m] = 1.0
            else:  # what no mass is shown at has hardly a price, and may not make up for the rest
                still[:m] = np.bincount(place, weights=q * shown.mean, minlength=m)
            matrix[inner, inner] += np.outer(still, still)
    return matrix


def _pulls(letters: _Letters, shown: _Shown, ratio: np.ndarray) -> np.ndarray:
    """Return the second derivatives in u and multipliers, and in the price of what a letter shows, (size, k)."""
    q, losses = letters.q, letters.statement.losses[letters.free]
    if shown.parts is None:
        pull = letters.shares * -ratio
        return np.vstack([pull, letters.means * ratio]) if letters.free.size else pull
    rows = [letters.shares * ((q - ratio) * shown.mean) - shown.parts * q]
    for loss, means in zip(losses, letters.means, strict=True):
        rows.append((shown.with_values(loss, q, means) + ratio * shown.mean * means)[None])
    return np.vstack(rows)


def _twice(shown: _Shown, other: _Shown, q: np.ndarray, ratio: np.ndarray) -> np.ndarray:
    """Return the second derivatives in the prices of what a letter shows in two laws, shape (k,)."""
    found = ratio * shown.mean * other.mean
    if other.weights is not None:
        found = found + shown.with_values(other.weights[:, None], q, other.mean)
    return np.asarray(found)


def _by_place(columns: np.ndarray, place: np.ndarray, block: Block) -> np.ndarray:
    """Return columns summed over the letters on whose prices each unknown of a block acts, shape (..., m + r).

    Prices act on the letters that show their place, a level on all, other scalars on none.
    """
    m = block.w.size
    found = np.zeros((*columns.shape[:-1], m + block.n_scalars))
    if place.size == m and np.array_equal(place, np.arange(m)):
        found[..., :m] = columns
    else:
        np.add.at(found.T, place, columns.T)
    if block.has_level:
        found[..., m] = columns.sum(axis=-1)
    return found


def _across(ratio: np.ndarray, place: np.ndarray, block: Block, other_place: np.ndarray, other: Block) -> np.ndarray:
    """Return what letters' weights say of the unknowns of two blocks together, shape (m + r, m' + r')."""
    m = block.w.size
    weights = np.zeros((m, ratio.size))
    weights[place, np.arange(ratio.size)] = ratio
    found = np.zeros((m + block.n_scalars, other.w.size + other.n_scalars))
    found[:m] = _by_place(weights, other_place, other)
    if block.has_level:
        found[m] = _by_place(ratio, other_place, other)
    return found


def _direction(
    system: ScaledSystem, letters: _Letters, blocks: Sequence[Block], starts: np.ndarray, centre: float, corrected: bool
) -> None:
    """Work out the direction of everything towards products `centre`."""
    right = np.zeros(int(starts[-1]))
    right[: letters.size] = letters.gradient(centre, corrected)
    for k, (block, place, shown) in enumerate(zip(blocks, letters.statement.places, letters.shown, strict=True)):
        right[int(starts[k]) : int(starts[k + 1])] = block.gradient(centre, corrected)
        right[int(starts[k]) : int(starts[k + 1])] -= _by_place(letters.wanted * shown.mean, place, block)
    step = system.solve(-right)
    if not np.isfinite(step).all():
        raise NumericalBreakdown("a Newton step of a limit on the reproduction's law is not finite")
    d_prices, moved = np.zeros(letters.q.size), []
    for k, (block, place, shown) in enumerate(zip(blocks, letters.statement.places, letters.shown, strict=True)):
        block.move(step[int(starts[k]) : int(starts[k + 1])])
        d_w = step[int(starts[k]) : int(starts[k]) + block.w.size]
        if block.has_level:
            d_w = d_w + step[int(starts[k]) + block.w.size]
        d_prices += d_w[place] * shown.mean
        moved.append(d_w)
    letters.move(step[: letters.size], d_prices, moved)
