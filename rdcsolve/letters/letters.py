"""Letters: where they are, what they decide about labels, and lists of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_DIGITS = 12  # decimals to which decisions of equal letters agree
_ALIKE = 0.999  # affinity from which two letters found in one round are one


@dataclass(frozen=True, eq=False)
class Letters:
    """A list of k letters.

    Attributes
    ----------
    places : numpy.ndarray
        What a letter reproduces: symbols, shape (k,); points, shape (k, dim); or tuples of symbols, shape (k, J).
    decisions : tuple of numpy.ndarray
        Per label entropy of the problem, shape (k, n_s): a soft decision, rows sum to one.
    """

    places: np.ndarray
    decisions: tuple[np.ndarray, ...] = ()

    def __len__(self) -> int:
        return len(self.places)

    def take(self, which: np.ndarray) -> Letters:
        """Return some of the letters."""
        return Letters(self.places[which], tuple(soft[which] for soft in self.decisions))

    def joined(self, others: Letters) -> Letters:
        """Return these letters and others, equal ones twice."""
        decisions = tuple(np.vstack(pair) for pair in zip(self.decisions, others.decisions, strict=True))
        return Letters(np.concatenate([self.places, others.places]), decisions)

    def with_more(self, others: Letters) -> Letters:
        """Return these letters, all of them in their order, then those of the others that equal none before them.

        What belongs to these letters one by one, such as masses, belongs to the first of those returned.
        """
        both, size = self.joined(others), len(self)
        first = both._first_of_equals()
        return both.take(np.r_[np.arange(size), np.sort(first[first >= size])])

    def distinct(self) -> Letters:
        """Return the first of every group of equal letters, in their order."""
        return self.take(np.sort(self._first_of_equals()))

    def united(self, masses: np.ndarray) -> tuple[Letters, np.ndarray]:
        """Return the first of every group of equal letters, in their order, and the groups' masses, both shape (k',).

        Parameters
        ----------
        masses : numpy.ndarray
            Of the letters, shape (k,).
        """
        first, group = np.unique(self._table(), axis=0, return_index=True, return_inverse=True)[1:]
        order = np.argsort(first)
        return self.take(first[order]), np.bincount(group.ravel(), masses, first.size)[order]

    def _first_of_equals(self) -> np.ndarray:
        return np.unique(self._table(), axis=0, return_index=True)[1]

    def _table(self) -> np.ndarray:
        """Return what equal letters have in common, one row each."""
        places = self.places + 0.0 if self.places.dtype.kind == "f" else self.places  # -0.0 is no other place
        return np.column_stack([places, *(np.round(soft, _DIGITS) for soft in self.decisions)])


@dataclass(frozen=True, eq=False)
class PricedLetters:
    """Letters and the logarithms of their prices, shape (k,), nats."""

    letters: Letters
    log_prices: np.ndarray

    def joined(self, others: PricedLetters) -> PricedLetters:
        """Return these letters and others, equal ones twice."""
        return PricedLetters(self.letters.joined(others.letters), np.r_[self.log_prices, others.log_prices])


def apart(affinity: np.ndarray, settled: int = 0) -> np.ndarray:
    """Return the first `settled` letters, and those of the others that are not close to an earlier one kept.

    Parameters
    ----------
    affinity : numpy.ndarray
        Shape (k, k): how like letters are, one for equal ones.
    settled : int, optional
    """
    loose = np.array(~(affinity[:settled] >= _ALIKE).any(axis=0))
    loose[:settled] = False
    picked = list(range(settled))
    while loose.any():
        first = int(loose.argmax())
        picked.append(first)
        loose &= affinity[first] < _ALIKE
        loose[first] = False
    return np.array(picked, dtype=np.intp)
