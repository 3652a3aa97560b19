"""Tuples of symbols, one for each of several decoders: their losses, and the exact price of all of them."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from rdcsolve import deadline
from rdcsolve.errors import InvalidInput
from rdcsolve.letters.letters import Letters, PricedLetters
from rdcsolve.letters.space import LetterSpace, MayGoOn, PriceBound, Prices, ShownLetters
from rdcsolve.letters.weights import symbol_weights
from rdcsolve.problems import LabelEntropyLimit, LossLimit, PerceptionLimit, Problem, Source
from rdcsolve.problems.perception import KnownPerceptionLimit

_CHUNK = 2_000_000  # entries of a block of partial products
_MOST = 60  # dearest tuples handed out at a time
_NEGLIGIBLE = 50.0  # nats: what terms that much smaller than the largest add is beyond rounding


class TupleSpace(LetterSpace):
    """The tuples (a_1, ..., a_J) of a problem's symbols, where a_j has to meet the limits of target j.

    Symbols that do not differ in what a target limits are one: in its losses, and in what they show where it limits the
    law of the reproduction. The space can be listed as it is; the exchange needs a list to begin with, see
    `beginning_with`, and problems of linear losses alone.

    Parameters
    ----------
    base : Problem
        With listed letters.
    bounds : numpy.ndarray
        Of the targets on losses and perceptions, in the order of `limit_names`, shape (J, L).

    Attributes
    ----------
    first : numpy.ndarray
        Tuples to begin with, shape (T, J).
    columns : tuple of numpy.ndarray
        Per target the symbols that differ in the losses it limits. A tuple holds places in these, not symbols.
    limited : tuple of numpy.ndarray
        Per target the indices of the linear losses it limits.
    laws : tuple of numpy.ndarray
        Per target the indices of the perceptions it limits.
    """

    anchors_decide = False

    def __init__(self, base: Problem, bounds: np.ndarray) -> None:
        self.base, self.bounds = base, bounds
        n_linear = len(base.linear_losses)
        self.limited = tuple(np.flatnonzero(np.isfinite(row[:n_linear])) for row in bounds)
        self.laws = tuple(np.flatnonzero(np.isfinite(row[len(base.losses) :])) for row in bounds)
        self.columns = tuple(self._distinct(j) for j in range(len(bounds)))
        self.first = np.empty((0, len(self.columns)), dtype=np.intp)

    def beginning_with(self, tuples: np.ndarray) -> TupleSpace:
        """Return the space as the exchange needs it, for the least rate under all limits.

        Parameters
        ----------
        tuples : numpy.ndarray
            Shape (T, J): over these, all limits can be met.
        """
        if np.isfinite(self.bounds[:, len(self.base.linear_losses) :]).any():
            raise InvalidInput(
                "tuples are priced where linear losses alone are limited; list them beside label entropies and laws"
            )
        ready = copy.copy(self)
        ready.first = tuples
        ready.problem = self.stated(tuples)
        return ready

    # ------------------------------------------------------------------------- tuples and symbols

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
        return self._unravelled(np.arange(self.count))

    def _unravelled(self, indices: np.ndarray) -> np.ndarray:
        return np.stack(np.unravel_index(indices, self.sizes), axis=1)

    def symbols(self, tuples: np.ndarray, j: int) -> np.ndarray:
        """Return the symbols that decoder j shows for tuples of shape (T, J), shape (T,)."""
        return np.asarray(self.columns[j][tuples[:, j]])

    def places(self, letters: np.ndarray, j: int) -> np.ndarray:
        """Return where in `columns` the symbols with the losses of these ones are, for target j."""
        held = self._stacked(j)
        kept = {held[:, a].tobytes(): place for place, a in enumerate(self.columns[j])}
        return np.array([kept[held[:, a].tobytes()] for a in letters], dtype=np.intp)

    def _distinct(self, j: int) -> np.ndarray:
        held = self._stacked(j)
        first: dict[bytes, int] = {}
        for a in range(held.shape[1]):
            first.setdefault(held[:, a].tobytes(), a)
        return np.array(list(first.values()), dtype=np.intp)

    def _stacked(self, j: int) -> np.ndarray:
        """Return what tells the symbols apart for target j, one column each."""
        used = np.flatnonzero(self.base.p_x > 0)
        parts = [self.base.linear_losses[m].block(used) for m in self.limited[j]]
        parts += [self.base.perceptions[k].place[None].astype(float) for k in self.laws[j]]
        if self.base.forbidden is not None:
            parts.append(self.base.forbidden[used].astype(float))
        return np.vstack(parts) if parts else np.zeros((1, self.base.n_letters))

    # ------------------------------------------------------------------------- losses

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Yield target and loss of every limit on a linear loss, in the order of the losses of `stated`."""
        for j, which in enumerate(self.limited):
            for m in which:
                yield j, int(m)

    @property
    def loss_names(self) -> list[str]:
        """Names of the losses of `stated`, in order."""
        least = self.bounds.min(axis=0)[len(self.base.linear_losses) : len(self.base.losses)]
        pairs = zip(self.base.label_entropies, least, strict=True)
        return ["distortion", *self._pair_names(), *(label.name for label, bound in pairs if bound < math.inf)]

    @property
    def limit_names(self) -> list[str]:
        """Names of the losses, then of the perceptions of `stated`."""
        return [*self.loss_names, *(self._law_name(j, k) for j, k in self._law_pairs())]

    def _law_pairs(self) -> Iterator[tuple[int, int]]:
        """Yield target and perception of every limit on the law of a decoder's reproduction."""
        for j, which in enumerate(self.laws):
            for k in which:
                yield j, int(k)

    def _law_name(self, j: int, k: int) -> str:
        return f"target{j}_{self.base.perceptions[k].name}"

    def _law_limits(self, tuples: np.ndarray) -> Iterator[PerceptionLimit]:
        """Yield the limits on the laws of what the decoders show for these tuples."""
        for j, k in self._law_pairs():
            shown = self.base.perceptions[k].of_letters(self.symbols(tuples, j))
            bound = float(self.bounds[j, len(self.base.losses) + k])
            yield KnownPerceptionLimit(bound, replace(shown, name=self._law_name(j, k)))

    def _pair_names(self) -> list[str]:
        return [f"target{j}_{self.base.linear_losses[m].name}" for j, m in self.pairs()]

    def place_losses(self, places: np.ndarray) -> list[np.ndarray]:
        """Return the linear losses of tuples (T, J): 0, or inf where a symbol is forbidden, then those of `pairs`."""
        chosen = [self.symbols(places, j) for j in range(len(self.columns))]
        nothing = np.zeros((self.base.n_x, places.shape[0]))
        if self.base.forbidden is not None:
            for letters in chosen:
                nothing[self.base.forbidden[:, letters]] = math.inf
        return [nothing, *(self.base.linear_losses[m].block(None, chosen[j]) for j, m in self.pairs())]

    def stated(self, tuples: np.ndarray) -> Problem:
        """Return the problem whose letters are these tuples, shape (T, J).

        Its loss ``distortion`` is 0, or inf where a target's symbol is forbidden; the others are named
        ``target0_distortion`` and so on, as are limits on the law of what a decoder shows, and label entropies keep
        their names, limited to the least bound.
        """
        base, source = self.base, self.base.source
        nothing, *losses = self.place_losses(tuples)
        bounds = [float(self.bounds[j, m]) for j, m in self.pairs()]
        limits: list[LossLimit | LabelEntropyLimit | PerceptionLimit] = [
            LossLimit(bound, loss, name, self.base.linear_losses[m].is_information)
            for bound, loss, name, (_, m) in zip(bounds, losses, self._pair_names(), self.pairs(), strict=True)
        ]
        least = self.bounds.min(axis=0)
        for m, label in enumerate(base.label_entropies, start=len(base.linear_losses)):
            if least[m] < math.inf:
                limits.append(LabelEntropyLimit(float(least[m]), label.label, label.name))
        limits += self._law_limits(tuples)
        return Problem(Source(None, source.p_x, source.labels, source.name), distortion=nothing, limits=limits)

    def listed(self, letters: Letters) -> Problem:
        """Return the finite problem whose letters are these and no others."""
        return self.stated(letters.places)

    # ------------------------------------------------------------------------- what the exchange asks

    def price(self, u: np.ndarray, multipliers: np.ndarray) -> TuplePrices:
        """Return the prices at a dual point, multipliers in the order of `loss_names`; see `LetterSpace.price`."""
        return TuplePrices(self, u, multipliers)

    def anchors(self) -> Letters:
        """Return the tuples to begin with."""
        return Letters(self.first)

    def openings(self) -> Iterator[Letters]:
        """Yield the tuples to begin with."""
        yield Letters(self.first).distinct()

    def letters_of(self, result: Any) -> Letters:
        """Return the letters of a result of this space, whose indices count all tuples."""
        return Letters(self._unravelled(result.letters))

    def shown(self, letters: Letters, channel: np.ndarray) -> ShownLetters:
        """Return the tuples' indices among all of them."""
        return ShownLetters(np.ravel_multi_index(tuple(letters.places.T), self.sizes))


class TuplePrices(Prices):
    """The prices of tuples: with K_j(i, a) = exp(-lambda_j.L(i, a)), products of the K_j summed over symbols i.

    Those of all pairs are one matrix product, K_1' diag(p exp(u)) K_2, so every tuple is tried.
    """

    def __init__(self, space: TupleSpace, u: np.ndarray, multipliers: np.ndarray) -> None:
        super().__init__(symbol_weights(space.base.p_x, u, multipliers))
        self.space = space

    @cached_property
    def exponents(self) -> list[np.ndarray]:
        """Per target minus the priced losses of its symbols, -inf where forbidden, shape (n, size), nats."""
        multipliers = dict(zip(self.space.pairs(), self.weights.multipliers[1:].tolist(), strict=True))
        return [self._exponents(j, multipliers) for j in range(len(self.space.columns))]

    def _exponents(self, j: int, multipliers: dict[tuple[int, int], float]) -> np.ndarray:
        base, letters = self.space.base, self.space.columns[j]
        pairs = np.ix_(self.weights.symbols, letters)
        exponent = np.zeros((self.weights.symbols.size, letters.size))
        for m in self.space.limited[j].tolist():
            values = base.linear_losses[m].block(self.weights.symbols, letters)
            exponent -= multipliers[j, m] * np.where(np.isinf(values), 0.0, values)
        if base.forbidden is not None:
            exponent[base.forbidden[pairs]] = -math.inf
        return exponent

    def terms(self, letters: Letters) -> np.ndarray:
        """Return the logarithms of the terms of the letters' prices; see `Prices.terms`."""
        tables = [table[:, letters.places[:, j]] for j, table in enumerate(self.exponents)]
        return self.weights.log[:, None] + sum(tables)

    @cached_property
    def dearest(self) -> PricedLetters:
        """The best completion of every head (all symbols of a tuple but the last); prices are exact to rounding."""
        weights, factors = self.weights.log, []
        for exponent in self.exponents:
            top = exponent.max(axis=1)
            weights = weights + top
            factors.append(np.exp(exponent - top[:, None]))
        shift = float(weights.max())
        found, prices = [], []
        for heads in _blocks(self.space.sizes[:-1], max(_CHUNK // weights.size, 1)):
            deadline.look()
            product = np.broadcast_to(np.exp(weights - shift)[:, None], (weights.size, heads.shape[0]))
            for j, factor in enumerate(factors[:-1]):
                product = product * factor[:, heads[:, j]]
            values = product.T @ factors[-1]
            best = values.argmax(axis=1)
            found.append(np.column_stack([heads, best]))
            prices.append(values[np.arange(best.size), best])
        with np.errstate(divide="ignore"):  # a tuple may be forbidden to every symbol
            logs = np.log(np.concatenate(prices)) + shift
        return PricedLetters(Letters(np.concatenate(found)), logs)

    def maxima(self, starts: Letters, thorough: bool = True) -> PricedLetters:
        """Return the dearest tuples that differ in more than their last symbol, dearest first."""
        order = np.argsort(-self.dearest.log_prices, kind="stable")[:_MOST]
        return PricedLetters(self.dearest.letters.take(order), self.dearest.log_prices[order])

    def largest(self, tolerance: float, may_go_on: MayGoOn | None = None) -> PriceBound:
        """Return the largest price of all tuples, rounded upwards; see `Prices.largest`.

        A term's exponent errs by no more than a sum of J losses per target does, as in `log_weights`; products and the
        sum over symbols add a rounding each.
        """
        largest = float(self.dearest.log_prices.max())
        size = 2 * float((np.abs(self.weights.log_p) + np.abs(self.weights.u)).max()) + abs(largest) + _NEGLIGIBLE
        n_terms = self.weights.multipliers.size + 3
        n_roundings = self.weights.u.size + 4 * len(self.exponents)
        return PriceBound(largest + 2.0**-50 * (n_terms * size + n_roundings), True)


def _blocks(sizes: tuple[int, ...], block: int) -> Iterator[np.ndarray]:
    """Yield all index tuples over these sizes, in blocks of shape (at most `block`, number of sizes)."""
    total = math.prod(sizes)
    for start in range(0, total, block):
        flat = np.arange(start, min(start + block, total))
        if not sizes:
            yield np.empty((flat.size, 0), dtype=np.intp)
        else:
            yield np.stack(np.unravel_index(flat, sizes), axis=1)
