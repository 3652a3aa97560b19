"""A kernel that is evaluated block by block whenever it is used, with nothing stored."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rdcsolve.problems.structures import LossStructure, Selection, Table, row_blocks, structure_of

EPS = float(np.finfo(float).eps)


def as_structure(loss: Any, m: int) -> LossStructure:
    """Return loss m as a structure: an array is a table as it stands, anything else says what it is."""
    return Table(loss) if isinstance(loss, np.ndarray) else structure_of(loss, f"loss {m} of the kernel")


def moments_of(kernel: Any, q: np.ndarray, limited: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a kernel's `moments` from its `matvec`, `loss_matvec` and `second`."""
    t = kernel.matvec(q)
    means = np.array([kernel.loss_matvec(m, q) / t for m in range(len(kernel.losses))])
    covariances = np.empty((limited.size, limited.size, t.size))
    for row, m in enumerate(limited):
        for column, other in enumerate(limited[: row + 1]):
            raw = kernel.second(int(m), int(other), q) / t - means[m] * means[other]
            covariances[row, column] = covariances[column, row] = raw
    return t, means, covariances


class BlockKernel:
    """Every operation of a `Kernel` by the definition, a block of rows at a time.

    A product costs an exponential per pair, so this is for losses whose kernel has no structure, and is too large to
    store. Kernels that know a faster product inherit the rest.

    Parameters
    ----------
    losses : sequence of LossStructure or numpy.ndarray
        M >= 1, of shape (n, k), finite (anything at forbidden pairs).
    multipliers : numpy.ndarray
        Shape (M,), >= 0.
    forbidden : numpy.ndarray, optional
        Mask, shape (n, k).
    log_scale : numpy.ndarray, optional
        Shape (n,): what is taken off every row's exponents; by default their largest.
    """

    def __init__(
        self,
        losses: Sequence[Any],
        multipliers: np.ndarray,
        forbidden: np.ndarray | None = None,
        log_scale: np.ndarray | None = None,
    ) -> None:
        self.losses = tuple(as_structure(loss, m) for m, loss in enumerate(losses))
        self.multipliers = np.asarray(multipliers, dtype=float)
        self.forbidden = forbidden
        self.dtype = np.dtype(float)
        self.relative_error = EPS * (64 + sum(self.shape))
        self.log_scale = self._largest_exponents() if log_scale is None else log_scale

    @property
    def shape(self) -> tuple[int, int]:
        """(n, k): symbols and letters."""
        return self.losses[0].shape

    def _largest_exponents(self) -> np.ndarray:
        active = np.flatnonzero(self.multipliers)
        if active.size == 1 and self.forbidden is None:
            return np.asarray(0.0 - self.multipliers[active[0]] * self.losses[active[0]].row_minima())
        top = np.zeros(self.shape[0])
        for rows in row_blocks(self.shape):
            largest = self._exponents(rows).max(axis=1)
            top[rows] = np.where(np.isfinite(largest), largest, 0.0)
        return top

    def _exponents(self, rows: Selection, letters: Selection = None) -> np.ndarray:
        """Return -lambda.L in true scale, -inf at forbidden pairs."""
        exponent: np.ndarray | None = None
        for loss, multiplier in zip(self.losses, self.multipliers, strict=True):
            if multiplier or exponent is None:
                part = loss.block(rows, letters) * -multiplier
                exponent = part if exponent is None else np.add(exponent, part, out=exponent)
        assert exponent is not None
        if self.forbidden is not None:
            exponent[Table(self.forbidden).block(rows, letters)] = -np.inf
        return exponent

    def block(self, rows: Selection = None, letters: Selection = None) -> np.ndarray:
        """Return some of the entries, in the kernel's row scale."""
        exponent = self._exponents(rows, letters)
        exponent -= self.log_scale[slice(None) if rows is None else rows][:, None]
        return np.asarray(np.exp(exponent, out=exponent))

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield all entries as (rows, block)."""
        for rows in row_blocks(self.shape):
            yield rows, self.block(rows)

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        product = np.empty(self.shape[0])
        for rows, block in self.blocks():
            product[rows] = block @ q
        return product

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        product = np.zeros(self.shape[1])
        for rows, block in self.blocks():
            product += weights[rows] @ block
        return product

    def columns(self, letters: np.ndarray | None = None) -> np.ndarray:
        """Return columns of K, shape (n, len(letters)); all by default."""
        return self.block(None, letters)

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m)."""
        size = self.shape[1] if letters is None else letters.size
        total = np.zeros((size, size))
        for rows in row_blocks((self.shape[0], size)):
            root = self.block(rows, letters) * np.sqrt(weights[rows])[:, None]
            total += root.T @ root
        return total

    def loss_matvec(self, m: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m) q, shape (n,)."""
        product = np.empty(self.shape[0])
        for rows, block in self.blocks():
            product[rows] = np.einsum("ia,ia,a->i", block, self.losses[m].block(rows), q)
        return product

    def loss_rmatvec(self, m: int, weights: np.ndarray) -> np.ndarray:
        """Return (K o L_m)' weights, shape (k,)."""
        product = np.zeros(self.shape[1])
        for rows, block in self.blocks():
            product += weights[rows] @ (block * self.losses[m].block(rows))
        return product

    def second(self, m: int, other: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m o L_other) q, shape (n,)."""
        product = np.empty(self.shape[0])
        for rows, block in self.blocks():
            weighted = block * self.losses[m].block(rows)
            product[rows] = np.einsum("ia,ia,a->i", weighted, self.losses[other].block(rows), q)
        return product

    def moments(self, q: np.ndarray, limited: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return t = K q (n,), the losses' means (M, n) in the channel q K / t, and covariances (F, F, n) of some."""
        return moments_of(self, q, limited)

    def step(self, p: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
        """Write t = K q, shape (n,), and c = K'(p / t), shape (k,)."""
        t[:] = self.matvec(q)
        c[:] = self.rmatvec(p / t)


class RowsOfKernel(BlockKernel):
    """Some rows of a kernel that a loss structure makes itself, in the scale of losses with a constant taken off.

    Parameters
    ----------
    own : Kernel
        Of all rows, in the scale of the structure's own entries.
    losses, multipliers
        As of `BlockKernel`: for what `own` is not asked.
    rows : numpy.ndarray or None
        Which of its rows, None for all.
    raised : numpy.ndarray or float
        What the exponents gain by the constants taken off, shape (n,).
    """

    def __init__(
        self,
        own: Any,
        losses: Sequence[LossStructure],
        multipliers: np.ndarray,
        rows: np.ndarray | None,
        raised: np.ndarray | float,
    ) -> None:
        scale = np.asarray(own.log_scale, dtype=float)
        super().__init__(losses, multipliers, log_scale=(scale if rows is None else scale[rows]) + raised)
        self.own, self.rows = own, rows
        self.relative_error = float(getattr(own, "relative_error", math.inf))

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        product = self.own.matvec(q)
        return np.asarray(product if self.rows is None else product[self.rows])

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        if self.rows is None:
            return np.asarray(self.own.rmatvec(weights))
        everywhere = np.zeros(self.own.shape[0])
        everywhere[self.rows] = weights
        return np.asarray(self.own.rmatvec(everywhere))
