"""The kernel stored as a matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


class DenseKernel:
    """K[i, a] = exp(-sum_m multipliers[m] losses[m, i, a] - log_scale[i]), zero at forbidden pairs.

    Each row is scaled so that its largest entry is one: nothing underflows that matters, however large the
    multipliers. Where K q is wanted in true scale, add `log_scale` to its logarithm.

    Parameters
    ----------
    losses : sequence of numpy.ndarray
        M >= 1 arrays of shape (n, k), finite (anything at forbidden pairs).
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

    def __init__(
        self, losses: Sequence[np.ndarray], multipliers: np.ndarray, forbidden: np.ndarray | None = None
    ) -> None:
        exponent = losses[0] * -multipliers[0]
        for loss, multiplier in zip(losses[1:], multipliers[1:], strict=True):
            exponent -= multiplier * loss
        if forbidden is not None:
            exponent[forbidden] = -np.inf
        top = exponent.max(axis=1)
        self.log_scale = np.where(np.isfinite(top), top, 0.0)
        if self.log_scale.any():  # one pass saved where every row already has a letter without loss
            exponent -= self.log_scale[:, None]
        self.matrix = np.exp(exponent, out=exponent)

    @property
    def shape(self) -> tuple[int, ...]:
        """(n, k): symbols and letters."""
        return self.matrix.shape

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return self.matrix @ q

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        return weights @ self.matrix

    def columns(self, letters: np.ndarray) -> np.ndarray:
        """Return the columns of the letters, a contiguous copy of shape (n, len(letters))."""
        return np.take(self.matrix, letters, axis=1)

    def step(self, p: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
        """Write t = K q, shape (n,), and c = K'(p / t), shape (k,), in one pass over the matrix."""
        from rdcsolve.kernels.fused import blahut_arimoto_step

        blahut_arimoto_step(p, self.matrix, q, t, c)
