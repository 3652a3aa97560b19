"""One symbol per decoder: the problem whose letters are tuples of symbols, and the exact price of all of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from rdcsolve.problems import LabelEntropyLimit, LossLimit, Problem, Source

_CHUNK = 2_000_000  # entries of a block of partial products
_ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Tuples:
    """The tuples of symbols for targets, and their losses.

    Parameters
    ----------
    problem : Problem
        With listed letters.
    bounds : numpy.ndarray
        Of the targets that get a decoder of their own, shape (J, M).

    Attributes
    ----------
    columns : tuple of numpy.ndarray
        Per target the symbols that differ in the losses it limits.
    limited : tuple of numpy.ndarray
        Per target the indices of the linear losses it limits.
    """

    problem: Problem
    bounds: np.ndarray
    limited: tuple[np.ndarray, ...] = field(init=False)
    columns: tuple[np.ndarray, ...] = field(init=False)

    def __post_init__(self) -> None:
        n_linear = len(self.problem.linear_losses)
        limited = tuple(np.flatnonzero(np.isfinite(row[:n_linear])) for row in self.bounds)
        object.__setattr__(self, "limited", limited)
        object.__setattr__(self, "columns", tuple(self._distinct(which) for which in limited))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of symbols that each target distinguishes."""
        return tuple(column.size for column in self.columns)

    @property
    def count(self) -> int:
        """Number of tuples."""
        return math.prod(self.sizes)

    def everything(self) -> np.ndarray:
        """Return all tuples, shape (count, J), as places in `columns`."""
        return np.stack(np.unravel_index(np.arange(self.count), self.sizes), axis=1)

    def symbols(self, tuples: np.ndarray, j: int) -> np.ndarray:
        """Return the symbols that decoder j shows for tuples of shape (T, J), shape (T,)."""
        return self.columns[j][tuples[:, j]]

    def places(self, letters: np.ndarray, j: int) -> np.ndarray:
        """Return where in `columns` the symbols with the losses of these ones are, for target j."""
        held = self._stacked(self.limited[j])
        kept = {held[:, a].tobytes(): place for place, a in enumerate(self.columns[j])}
        return np.array([kept[held[:, a].tobytes()] for a in letters], dtype=np.intp)

    def stated(self, tuples: np.ndarray) -> Problem:
        """Return the problem whose letters are these tuples, shape (T, J).

        Its loss ``distortion`` is 0, or inf where a target's symbol is forbidden; the others are named
        ``target0_distortion`` and so on, and label entropies keep their names, limited to the least bound.
        """
        problem, source = self.problem, self.problem.source
        chosen = [self.symbols(tuples, j) for j in range(len(self.columns))]
        nothing = np.zeros((source.n_x, tuples.shape[0]))
        if problem.forbidden is not None:
            for letters in chosen:
                nothing[problem.forbidden[:, letters]] = math.inf
        limits: list[LossLimit | LabelEntropyLimit] = []
        for j, m in self.pairs():
            loss = problem.linear_losses[m]
            name = f"target{j}_{loss.name}"
            limits.append(LossLimit(float(self.bounds[j, m]), loss.matrix[:, chosen[j]], name))
        least = self.bounds.min(axis=0)
        for m, label in enumerate(problem.label_entropies, start=len(problem.linear_losses)):
            if least[m] < math.inf:
                limits.append(LabelEntropyLimit(float(least[m]), label.label, label.name))
        return Problem(Source(None, source.p_x, source.labels, source.name), distortion=nothing, limits=limits)

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield target and loss of every limit on a linear loss, in the order of the losses of `stated`."""
        for j, which in enumerate(self.limited):
            for m in which:
                yield j, int(m)

    @property
    def loss_names(self) -> list[str]:
        """Names of the losses of `stated`, in order."""
        names = [f"target{j}_{self.problem.linear_losses[m].name}" for j, m in self.pairs()]
        least = self.bounds.min(axis=0)[len(self.problem.linear_losses) :]
        pairs = zip(self.problem.label_entropies, least, strict=True)
        return ["distortion", *names, *(label.name for label, bound in pairs if bound < math.inf)]

    def bound(self, u: np.ndarray, multipliers: dict[str, float], log_largest: float) -> float:
        """Return what a dual point proves about the rate over all tuples, lowered for rounding.

        Parameters
        ----------
        u, multipliers
            As of `dearest`; the problem limits linear losses only.
        log_largest : float
            The logarithm of the largest price.
        """
        used = self.problem.p_x > 0
        names = [f"target{j}_{self.problem.linear_losses[m].name}" for j, m in self.pairs()]
        limits = [float(self.bounds[j, m]) for j, m in self.pairs()]
        charged = sum(multipliers[name] * limit for name, limit in zip(names, limits, strict=True))
        value = float(self.problem.p_x[used] @ u[used]) - charged - log_largest
        return value - _ROUNDING * (1 + abs(value) + abs(charged))

    def dearest(self, u: np.ndarray, multipliers: dict[str, float]) -> tuple[float, np.ndarray, np.ndarray]:
        """Return the largest of the logarithms of all prices, and the dearest tuple for every symbol of each target.

        Parameters
        ----------
        u : numpy.ndarray
            Shape (n_x,).
        multipliers : dict of str to float
            By the names of `stated`.

        Returns
        -------
        float
            The maximum over all tuples, exact to rounding.
        numpy.ndarray
            Tuples, shape (T, J): the best completion of every head (all symbols but the last one).
        numpy.ndarray
            Logarithms of their prices, shape (T,).
        """
        used = np.flatnonzero(self.problem.p_x > 0)
        weights = np.log(self.problem.p_x[used]) + u[used]
        factors = []
        for j in range(len(self.columns)):
            exponent = self._exponents(j, multipliers, used)
            top = exponent.max(axis=1)
            weights = weights + top
            factors.append(np.exp(exponent - top[:, None]))
        shift = float(weights.max())
        last = factors[-1]
        block = max(_CHUNK // max(used.size, 1), 1)
        found, prices = [], []
        for heads in _blocks(self.sizes[:-1], block):
            product = np.broadcast_to(np.exp(weights - shift)[:, None], (used.size, heads.shape[0]))
            for j, factor in enumerate(factors[:-1]):
                product = product * factor[:, heads[:, j]]
            values = product.T @ last
            best = values.argmax(axis=1)
            found.append(np.column_stack([heads, best]))
            prices.append(values[np.arange(best.size), best])
        values = np.concatenate(prices)
        with np.errstate(divide="ignore"):  # a tuple may be forbidden to every symbol
            logs = np.log(values) + shift
        return float(logs.max()), np.concatenate(found), logs

    def _exponents(self, j: int, multipliers: dict[str, float], used: np.ndarray) -> np.ndarray:
        """Return minus the priced losses of target j's symbols, -inf where forbidden, shape (n_x used, size)."""
        letters = self.columns[j]
        exponent = np.zeros((used.size, letters.size))
        for m in self.limited[j]:
            loss = self.problem.linear_losses[m]
            values = loss.matrix[np.ix_(used, letters)]
            infinite = np.isinf(values)
            exponent -= multipliers[f"target{j}_{loss.name}"] * np.where(infinite, 0.0, values)
        if self.problem.forbidden is not None:
            exponent[self.problem.forbidden[np.ix_(used, letters)]] = -math.inf
        return exponent

    def _stacked(self, which: np.ndarray) -> np.ndarray:
        """Return what tells the symbols apart for a target, one column each."""
        used = self.problem.p_x > 0
        parts = [self.problem.linear_losses[m].matrix[used] for m in which]
        if self.problem.forbidden is not None:
            parts.append(self.problem.forbidden[used].astype(float))
        return np.vstack(parts) if parts else np.zeros((1, self.problem.n_letters))

    def _distinct(self, which: np.ndarray) -> np.ndarray:
        held = self._stacked(which)
        first: dict[bytes, int] = {}
        for a in range(held.shape[1]):
            first.setdefault(held[:, a].tobytes(), a)
        return np.array(list(first.values()), dtype=np.intp)


def _blocks(sizes: tuple[int, ...], block: int) -> Iterator[np.ndarray]:
    """Yield all index tuples over these sizes, in blocks of shape (at most `block`, number of sizes)."""
    total = math.prod(sizes)
    for start in range(0, total, block):
        flat = np.arange(start, min(start + block, total))
        if not sizes:
            yield np.empty((flat.size, 0), dtype=np.intp)
        else:
            yield np.stack(np.unravel_index(flat, sizes), axis=1)
