"""The kernel stored as a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_EPS = float(np.finfo(float).eps)


class DenseKernel:
    """K[i, a] = exp(-sum_m multipliers[m] losses[m, i, a] - log_scale[i]), zero at forbidden pairs; see `Kernel`.

    Each row is scaled so that its largest entry is one: nothing underflows that matters, however large the
    multipliers. Where K q is wanted in true scale, add `log_scale` to its logarithm.

    Parameters
    ----------
    losses : sequence of numpy.ndarray or LossStructure
        M >= 1, of shape (n, k), finite (anything at forbidden pairs).
    multipliers : numpy.ndarray
        Shape (M,), >= 0.
    forbidden : numpy.ndarray, optional
        Mask, shape (n, k).

    Attributes
    ----------
    matrix : numpy.ndarray
        Shape (n, k), entries in [0, 1].
    log_scale : numpy.ndarray
        Shape (n,).
    """

    def __init__(self, losses: Sequence[Any], multipliers: np.ndarray, forbidden: np.ndarray | None = None) -> None:
        self.losses = tuple(loss.block() if hasattr(loss, "block") else loss for loss in losses)
        self.multipliers, self.forbidden = multipliers, forbidden
        self.dtype = np.dtype(float)
        exponent = self.losses[0] * -multipliers[0]
        for loss, multiplier in zip(self.losses[1:], multipliers[1:], strict=True):
            exponent -= multiplier * loss
        if forbidden is not None:
            exponent[forbidden] = -np.inf
        top = np.maximum.reduce(exponent, axis=1)
        if top.any():  # one pass saved where every row already has a letter without loss
            top = np.where(np.isfinite(top), top, 0.0)
            exponent -= top[:, None]
        self.log_scale = top
        self.matrix = np.exp(exponent, out=exponent)
        self.relative_error = _EPS * (64 + sum(self.matrix.shape))
        self._weighted: dict[int, np.ndarray] = {}

    @property
    def shape(self) -> tuple[int, int]:
        """(n, k): symbols and letters."""
        n, k = self.matrix.shape
        return int(n), int(k)

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return np.asarray(self.matrix @ q)

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        return np.asarray(weights @ self.matrix)

    def columns(self, letters: np.ndarray | None = None) -> np.ndarray:
        """Return the columns of the letters, a contiguous copy of shape (n, len(letters)); by default the matrix."""
        return self.matrix if letters is None else np.take(self.matrix, letters, axis=1)

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m)."""
        scale = np.sqrt(weights)[:, None]
        root = self.columns(letters)
        root = root * scale if letters is None else np.multiply(root, scale, out=root)
        return np.asarray(root.T @ root)

    def loss_matvec(self, m: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m) q, shape (n,)."""
        return np.asarray(self._with_loss(m) @ q)

    def loss_rmatvec(self, m: int, weights: np.ndarray) -> np.ndarray:
        """Return (K o L_m)' weights, shape (k,)."""
        return np.asarray(weights @ self._with_loss(m))

    def second(self, m: int, other: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m o L_other) q, shape (n,)."""
        return np.asarray(np.einsum("ia,ia,a->i", self._with_loss(m), self.losses[other], q))

    def _with_loss(self, m: int) -> np.ndarray:
        """Return K o L_m: a Newton step asks for products with it four times."""
        if m not in self._weighted:
            self._weighted[m] = self.matrix * self.losses[m]
        return self._weighted[m]

    def moments(self, q: np.ndarray, limited: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return t = K q (n,), the losses' means (M, n) in the channel q K / t, and covariances (F, F, n) of some."""
        # products with vectors: whole tables that come and go cost more than all arithmetic, where the system gives
        # each of them fresh pages
        t = self.matvec(q)
        means = np.array([self.loss_matvec(m, q) for m in range(len(self.losses))]) / t
        covariances = np.empty((limited.size, limited.size, t.size))
        for row, m in enumerate(limited.tolist()):
            for column, other in enumerate(limited[: row + 1].tolist()):
                raw = self.second(m, other, q) / t - means[m] * means[other]
                covariances[row, column] = raw
                if column < row:
                    covariances[column, row] = raw
        return t, means, covariances

    def step(self, p: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
        """Write t = K q, shape (n,), and c = K'(p / t), shape (k,), in one pass over the matrix."""
        from rdcsolve.kernels.fused import blahut_arimoto_step

        blahut_arimoto_step(p, self.matrix, q, t, c)
