"""Random coding for blocks: the mean over codes of how likely no word is within the limits, summed exactly."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.codes.tails import log_multinomials
from rdcsolve.problems import Problem
from rdcsolve.rounding import EPS

_MOST_TYPES = 50_000
_MOST_WORK = 4e8  # types times cells of the grid of losses
_LARGEST_DENOMINATOR = 64
_ON_LATTICE = 1e-9  # of a step
_SLACK = 1e-12  # of the spread of a loss


class CannotBeSummed(Exception):  # noqa: N818 - says why, and ends at the caller
    """Random coding is out of reach here; the text says why."""


def least_log_words(result: Any, problem: Problem, n: int, eps: float) -> float:
    """Return the least log M, nats, such that random codes of M words miss the limits with probability eps on average.

    Words are drawn letter by letter from the result's output masses. A block of the type t is served by a word with
    probability B(t), so that no one of M words serves it with probability (1 - B(t))^M.

    Raises
    ------
    CannotBeSummed
        If losses are not on a lattice, a label's entropy is limited, or there are too many symbols.
    """
    served, masses = _served(result, problem, n)
    with np.errstate(divide="ignore"):
        slope = np.log1p(-np.minimum(served, 1.0))  # -inf where every word serves
    lost = float(masses[served <= 0].sum())
    if lost > eps:
        return math.inf

    def excess(log_words: float) -> float:
        with np.errstate(over="ignore", invalid="ignore"):
            powers = np.exp(np.where(slope == 0, 0.0, math.exp(min(log_words, 700.0)) * slope))
        return float(masses @ powers) * (1 + EPS * masses.size)

    low, high = 0.0, 1.0
    if excess(low) <= eps:
        return 0.0
    while excess(high) > eps:
        low, high = high, 2 * high
        if high > 700:
            raise CannotBeSummed("codes would need more words than a double can count; take shorter blocks")
    for _ in range(100):
        middle = 0.5 * (low + high)
        low, high = (low, middle) if excess(middle) <= eps else (middle, high)
    return high


def _served(result: Any, problem: Problem, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for every type of block the probability that a word serves it, and its mass, each of shape (T,)."""
    limited = np.flatnonzero(np.isfinite(problem.bounds))
    n_linear = len(problem.linear_losses)
    if problem.own_letters is not None or problem.free is not None or (limited >= n_linear).any():
        raise CannotBeSummed("letters are free, or a label's entropy is limited, so losses are not on a lattice")
    symbols = np.flatnonzero(problem.p_x > 0)
    n_types = math.comb(n + symbols.size - 1, symbols.size - 1)
    if n_types > _MOST_TYPES:
        raise CannotBeSummed(
            f"blocks have {n_types} types, more than {_MOST_TYPES}; take fewer symbols or shorter blocks"
        )
    tables, room = [], []
    for m in limited:
        steps, top = _on_lattice(problem, int(m), result.letters, symbols, n)
        tables.append(steps)
        room.append(top)
    cells = math.prod(top + 1 for top in room)
    if n_types * cells > _MOST_WORK:
        raise CannotBeSummed(f"{n_types} types of blocks and {cells} values of their losses are too many to add up")
    if min(room, default=0) < 0:
        return np.zeros(1), np.ones(1)
    steps = np.stack(tables, axis=-1) if tables else np.zeros((symbols.size, result.letters.size, 0), dtype=np.int64)
    walk = _Walk([_jumps(row, result.q) for row in steps], tuple(top + 1 for top in room))
    walk.over_types(n)
    counts = np.array(walk.counts, dtype=float).reshape(-1, symbols.size)
    masses = np.exp(log_multinomials(counts, n) + counts @ np.log(problem.p_x[symbols]))
    return np.array(walk.served), masses


def _on_lattice(problem: Problem, m: int, letters: np.ndarray, symbols: np.ndarray, n: int) -> tuple[np.ndarray, int]:
    """Return a loss as whole numbers of steps above its least entry, -1 where it is infinite, and the steps allowed."""
    losses = problem.linear_losses[m].block(symbols, None)[:, letters]
    is_finite = np.isfinite(losses)
    base = float(losses[is_finite].min())
    above = np.where(is_finite, losses - base, 0.0)
    bound = float(problem.bounds[m])
    rounding = 4 * EPS * max(abs(bound), abs(base))  # of a bound that is a mean: it may lie just below equal entries
    room = n * (bound - base + _SLACK * problem.spread(m) + rounding)
    sizes = np.unique(above[above > 0])
    if sizes.size == 0:
        return np.where(is_finite, 0, -1), 0 if room >= 0 else -1
    for denominator in range(1, _LARGEST_DENOMINATOR + 1):
        step = float(sizes[0]) / denominator
        multiples = sizes / step
        if np.abs(multiples - np.round(multiples)).max() <= _ON_LATTICE:
            steps = np.round(above / step).astype(np.int64)
            top = math.floor(room / step + n * _ON_LATTICE) if room >= 0 else -1
            return np.where(is_finite, steps, -1), min(top, n * int(steps.max()))
    raise CannotBeSummed(
        f"the values of loss '{problem.losses[m].name}' are not multiples of one step, so it is no lattice"
    )


def _jumps(steps: np.ndarray, q: np.ndarray) -> list[tuple[tuple[int, ...], float]]:
    """Return by how many steps one letter of a word raises the losses of a symbol, shape (k, M), each with its mass."""
    masses: dict[tuple[int, ...], float] = {}
    for jump, mass in zip(steps.tolist(), q.tolist(), strict=True):
        if mass > 0 and min(jump, default=0) >= 0:
            masses[tuple(jump)] = masses.get(tuple(jump), 0.0) + mass
    return list(masses.items())


class _Walk:
    """All types of blocks, and for each the probability that the losses of a random word stay within the room.

    Sums of losses above the room never come back, as steps are >= 0, so arrays end there and nothing but sums of
    products of masses is ever formed: every probability is good to a few roundings of itself, however small.
    """

    def __init__(self, jumps: list[list[tuple[tuple[int, ...], float]]], shape: tuple[int, ...]) -> None:
        self.jumps, self.shape = jumps, shape
        self.counts: list[tuple[int, ...]] = []
        self.served: list[float] = []

    def over_types(self, n: int) -> None:
        """Fill `counts` and `served`."""
        start = np.zeros(self.shape)
        start[(0,) * len(self.shape)] = 1.0
        self.last = []
        array = start
        for _ in range(n + 1):
            within = array
            for axis in range(array.ndim):
                within = np.cumsum(within, axis=axis)
            self.last.append(np.flip(within))
            array = self._stepped(array, self.jumps[-1])
        self._descend(0, start, n, ())

    def _descend(self, symbol: int, array: np.ndarray, left: int, counts: tuple[int, ...]) -> None:
        if symbol == len(self.jumps) - 1:
            self.counts.append((*counts, left))
            self.served.append(float((array * self.last[left]).sum()))
            return
        for count in range(left + 1):
            self._descend(symbol + 1, array, left - count, (*counts, count))
            array = self._stepped(array, self.jumps[symbol])

    def _stepped(self, array: np.ndarray, jumps: list[tuple[tuple[int, ...], float]]) -> np.ndarray:
        """Return the law of the losses after one more letter."""
        after = np.zeros_like(array)
        for jump, mass in jumps:
            if all(by < size for by, size in zip(jump, self.shape, strict=True)):
                to = tuple(slice(by, None) for by in jump)
                since = tuple(slice(None, size - by) for by, size in zip(jump, self.shape, strict=True))
                after[to] += mass * array[since]
        return after
