"""Deterministic decoders where the label is read from the symbol alone, found by local search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from rdcsolve import deadline
from rdcsolve.universal.decoding import unnormalised_entropy

_MOST_ENUMERATED = 4096
_SWEEPS = 50


@dataclass(frozen=True, eq=False)
class Assignments:
    """Maps from k messages to n symbols, and their losses.

    Parameters
    ----------
    linear : tuple of numpy.ndarray
        Per linear loss what each message costs as each symbol, shape (k, n); inf where that is forbidden.
    labels : tuple of numpy.ndarray
        Per label the masses of message and class, shape (k, n_s).
    """

    linear: tuple[np.ndarray, ...]
    labels: tuple[np.ndarray, ...]
    n_symbols: int

    @property
    def n_messages(self) -> int:
        """Number of messages."""
        return (self.linear[0] if self.linear else self.labels[0]).shape[0]

    def losses(self, g: np.ndarray) -> np.ndarray:
        """Return the linear losses and then the label entropies of one map, shape (k,)."""
        rows = np.arange(g.size)
        values = [float(cost[rows, g].sum()) for cost in self.linear]
        values += [float(unnormalised_entropy(self._merged(masses, g)).sum()) for masses in self.labels]
        return np.array(values)

    def improved(self, g: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return a map that no move of a single message improves, at weights of the losses, from `g` downhill."""
        g = g.copy()
        cost = self._priced(weights)
        prices = weights[len(self.linear) :]
        merged = [self._merged(masses, g) for masses in self.labels]
        shares = [unnormalised_entropy(masses) for masses in merged]
        for _ in range(_SWEEPS):
            deadline.look()
            moved = False
            for z in range(g.size):
                change = cost[z].copy()
                for price, masses, table, share in zip(prices, self.labels, merged, shares, strict=True):
                    table[g[z]] -= masses[z]
                    np.maximum(table[g[z]], 0.0, out=table[g[z]])
                    share[g[z]] = unnormalised_entropy(table[g[z]])
                    change += price * (unnormalised_entropy(table + masses[z]) - share)
                best = int(change.argmin())
                if change[best] < change[g[z]] - 1e-14 * (1 + abs(change[best])):
                    g[z], moved = best, True
                for masses, table, share in zip(self.labels, merged, shares, strict=True):
                    table[g[z]] += masses[z]
                    share[g[z]] = unnormalised_entropy(table[g[z]])
            if not moved:
                break
        return g

    def apart(self, weights: np.ndarray) -> np.ndarray | None:
        """Return the cheapest map that gives every message a symbol of its own, or None if there is none."""
        from scipy.optimize import linear_sum_assignment

        if self.n_symbols < self.n_messages:
            return None
        try:
            return linear_sum_assignment(self._priced(weights))[1].astype(np.intp)
        except ValueError:  # forbidden pairs leave no such map
            return None

    def search(self, weightings: Iterable[np.ndarray], starts: int = 2, seed: int = 0) -> np.ndarray:
        """Return maps worth a look, shape (T, k): all of them if they are few, else what local search ends in."""
        return np.unique(np.concatenate(list(self.searched(weightings, starts, seed))), axis=0)

    def searched(self, weightings: Iterable[np.ndarray], starts: int = 2, seed: int = 0) -> Iterator[np.ndarray]:
        """Yield maps worth a look, shape (T, k), of one weighting after another; or all of them if they are few."""
        k, n = self.n_messages, self.n_symbols
        if n**k <= _MOST_ENUMERATED:
            yield np.array(list(itertools.product(range(n), repeat=k)), dtype=np.intp)
            return
        rng = np.random.default_rng(seed)
        last = None
        for weights in weightings:
            cost = self._priced(weights)
            begun = [cost.argmin(axis=1), self.apart(weights), last]
            begun += [np.where(np.isinf(cost), np.inf, rng.random((k, n))).argmin(axis=1) for _ in range(starts)]
            ends = [self.improved(np.asarray(g, dtype=np.intp), weights) for g in begun if g is not None]
            values = [float(weights @ self.losses(g)) for g in ends]
            last = ends[int(np.argmin(values))]
            yield np.array(ends + [g for g in begun[:2] if g is not None])

    def _priced(self, weights: np.ndarray) -> np.ndarray:
        cost = np.zeros((self.n_messages, self.n_symbols))
        for weight, table in zip(weights, self.linear, strict=False):
            cost += np.where(np.isinf(table), np.inf, weight * np.where(np.isinf(table), 0.0, table))
        return cost

    def _merged(self, masses: np.ndarray, g: np.ndarray) -> np.ndarray:
        merged = np.zeros((self.n_symbols, masses.shape[1]))
        np.add.at(merged, g, masses)
        return merged


def meeting(
    assignments: Assignments, bounds: Sequence[float], slack: Sequence[float] | np.ndarray
) -> np.ndarray | None:
    """Return a map whose losses are within the bounds, shape (k,), or None if the search finds none.

    Parameters
    ----------
    assignments : Assignments
    bounds : sequence of float
        Of the linear losses, then of the label entropies; inf where there is none.
    slack : sequence of float
        By how much each may be exceeded.
    """
    limits = np.asarray(bounds, dtype=float)
    n_linear = len(assignments.linear)
    is_limited = np.isfinite(limits)
    weightings = []
    for share in (0.5, 0.05, 0.95, 0.0, 1.0):
        weights = np.where(np.arange(limits.size) < n_linear, share, 1 - share)
        weightings.append(np.where(is_limited, weights / np.maximum(limits, 1e-12), 0.0))
    maps = assignments.search(weightings)
    for g in maps:
        losses = assignments.losses(g)
        if (losses <= limits + np.asarray(slack)).all() and math.isfinite(losses[:n_linear].sum()):
            return g
    return None
