"""What every price is a sum over: the symbols of positive mass, weighted by a dual point."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rdcsolve.problems.losses import LabelEntropy, log_loss

_PAIRS_AT_A_TIME = 1 << 18
_NEGLIGIBLE_LOG = -1000.0  # a term below exp of this is none beside the largest


@dataclass(frozen=True, eq=False)
class SymbolWeights:
    """The n symbols of positive mass at a dual point (u, lambda).

    Attributes
    ----------
    symbols : numpy.ndarray
        Shape (n,): their indices.
    log_p, u : numpy.ndarray
        Shape (n,), nats; masses are divided by their sum, which is one to rounding.
    multipliers : numpy.ndarray
        Those of the linear losses.
    labels : list of numpy.ndarray
        Per label entropy the conditional p(s | x), shape (n, n_s).
    label_multipliers : numpy.ndarray
        Theirs.
    """

    symbols: np.ndarray
    log_p: np.ndarray
    u: np.ndarray
    multipliers: np.ndarray
    labels: list[np.ndarray]
    label_multipliers: np.ndarray

    @property
    def log(self) -> np.ndarray:
        """The logarithms log p_i + u_i, shape (n,), nats."""
        return np.asarray(self.log_p + self.u)

    @property
    def log_error(self) -> np.ndarray:
        """Bound of the absolute error of every entry of `log`, shape (n,)."""
        return np.asarray(2.0**-50 * (np.abs(self.log_p) + np.abs(self.u)))

    def rows(self, matrix: np.ndarray) -> np.ndarray:
        """Return the rows of an array over all symbols that are those of positive mass."""
        return matrix if self.symbols.size == matrix.shape[0] else matrix[self.symbols]

    def decided(self, exponent: np.ndarray, decisions: tuple[np.ndarray, ...]) -> np.ndarray:
        """Return logarithms of terms, shape (n, k), with what letters' soft decisions cost taken off."""
        for multiplier, label, soft in zip(self.label_multipliers, self.labels, decisions, strict=True):
            if multiplier > 0:
                exponent = exponent - multiplier * log_loss(label, soft)
        return exponent


def symbol_weights(
    p_x: np.ndarray, u: np.ndarray, multipliers: np.ndarray, labels: Sequence[LabelEntropy] = ()
) -> SymbolWeights:
    """Return the weights of symbols at a dual point.

    Parameters
    ----------
    p_x, u : numpy.ndarray
        Shape (n_x,).
    multipliers : numpy.ndarray
        Shape (M,), those of the label entropies last.
    labels : sequence of LabelEntropy, optional
    """
    symbols = np.flatnonzero(p_x > 0)
    n_linear = len(multipliers) - len(labels)
    return SymbolWeights(
        symbols,
        np.log(p_x[symbols] / math.fsum(p_x)),
        u[symbols],
        multipliers[:n_linear],
        [label.conditional[symbols] for label in labels],
        multipliers[n_linear:],
    )


def log_weights(weights: SymbolWeights, losses: Sequence[np.ndarray]) -> np.ndarray:
    """Return log p_i + u_i - lambda.L(i, a) for listed letters, shape (n, n_letters), rounded upwards.

    Sums of M + 2 terms err by less than 2^-50 (M + 3) of the sum of the terms' sizes, which is at most twice that of
    the positive ones and the result's. Positive are log masses, u, and losses of negative multiplier.

    Parameters
    ----------
    weights : SymbolWeights
    losses : sequence of numpy.ndarray
        Linear losses, shape (n_x, n_letters); +inf forbids a pair whatever its multiplier.
    """
    exponent = _exponents(weights, losses, slice(None))
    size = 2 * (np.abs(weights.log_p) + np.abs(weights.u))[:, None] + np.abs(np.maximum(exponent, _NEGLIGIBLE_LOG))
    for multiplier, matrix in zip(weights.multipliers, losses, strict=True):
        if multiplier < 0:
            block = weights.rows(matrix)
            size -= 2 * multiplier * np.where(np.isinf(block), 0.0, block)
    return np.asarray(exponent + 2.0**-50 * (len(losses) + 3) * size)


def log_largest_listed(weights: SymbolWeights, losses: Sequence[np.ndarray]) -> float:
    """Return log max_a sum_i p_i exp(u_i - lambda.L(i, a)) over listed letters, nats; -inf if all are zero.

    Exact to rounding. Letters are taken in blocks: a few MB of memory whatever the size.
    """
    largest = -math.inf
    width = max(1, _PAIRS_AT_A_TIME // weights.u.size)
    for start in range(0, losses[0].shape[1], width):
        exponent = _exponents(weights, losses, slice(start, start + width))
        top = exponent.max(axis=0)
        exponent = exponent[:, top > -math.inf]
        top = top[top > -math.inf]
        if top.size:
            exponent -= top
            largest = max(largest, float((top + np.log(np.exp(exponent).sum(axis=0))).max()))
    return largest


def distinct_symbols(weights: SymbolWeights, losses: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the first symbol of every group with the same losses and forbidden pairs, and every symbol's group.

    They have equal prices: often all of them, where no linear loss counts.
    """
    tables = [
        weights.rows(matrix) if multiplier else np.isinf(weights.rows(matrix))
        for multiplier, matrix in zip(weights.multipliers, losses, strict=True)
    ]
    groups: dict[bytes, int] = {}
    columns = zip(*(np.ascontiguousarray(table.T) for table in tables), strict=True)
    group = [groups.setdefault(b"".join(part.tobytes() for part in parts), len(groups)) for parts in columns]
    _, first = np.unique(group, return_index=True)
    return first, np.array(group)


def _exponents(weights: SymbolWeights, losses: Sequence[np.ndarray], columns: slice) -> np.ndarray:
    n_columns = losses[0][:, columns].shape[1]
    exponent = np.repeat(weights.log[:, None], n_columns, axis=1)
    for multiplier, matrix in zip(weights.multipliers, losses, strict=True):
        block = weights.rows(matrix[:, columns])
        if multiplier:
            forbidden = np.isinf(block) if multiplier < 0 else None
            with np.errstate(over="ignore", invalid="ignore"):  # beyond the range of floats the term is zero
                exponent -= multiplier * block
            if forbidden is not None:
                exponent[forbidden] = -math.inf
        else:
            exponent[np.isinf(block)] = -math.inf
    return exponent
