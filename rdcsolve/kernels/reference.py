"""The slow, obvious twin of the kernels: loops over the definition, which the tests trust."""

from __future__ import annotations

import math

import numpy as np


def kernel_matrix(losses: np.ndarray, multipliers: np.ndarray, forbidden: np.ndarray | None) -> np.ndarray:
    """Return K[i, a] = exp(-sum_m multipliers[m] losses[m, i, a]), zero at forbidden pairs, shape (n, k)."""
    n_losses, n, k = losses.shape
    matrix = np.zeros((n, k))
    for i in range(n):
        for a in range(k):
            if forbidden is None or not forbidden[i, a]:
                exponent = sum(multipliers[m] * losses[m, i, a] for m in range(n_losses))
                matrix[i, a] = math.exp(-exponent)
    return matrix


def blahut_arimoto_step(p: np.ndarray, matrix: np.ndarray, q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return t = K q, shape (n,), and c = K'(p / t), shape (k,): the two products of one step."""
    n, k = matrix.shape
    t = np.array([sum(matrix[i, a] * q[a] for a in range(k)) for i in range(n)])
    c = np.array([sum(p[i] * matrix[i, a] / t[i] for i in range(n)) for a in range(k)])
    return t, c


class ReferenceKernel:
    """Every operation of a kernel by its definition, one pair after another; for a few thousand pairs at most.

    Parameters
    ----------
    losses : numpy.ndarray
        Shape (M, n, k), finite where a pair is allowed.
    multipliers : numpy.ndarray
        Shape (M,).
    forbidden : numpy.ndarray, optional
        Mask, shape (n, k).
    """

    def __init__(self, losses: np.ndarray, multipliers: np.ndarray, forbidden: np.ndarray | None = None) -> None:
        self.losses, self.multipliers, self.forbidden = losses, multipliers, forbidden
        self.shape = losses.shape[1:]

    def entries(self, log_scale: np.ndarray) -> np.ndarray:
        """Return exp(-lambda.L - log_scale), zero at forbidden pairs, shape (n, k)."""
        n_losses, n, k = self.losses.shape
        matrix = np.zeros((n, k))
        for i in range(n):
            for a in range(k):
                if self.forbidden is None or not self.forbidden[i, a]:
                    cost = math.fsum(self.multipliers[m] * self.losses[m, i, a] for m in range(n_losses))
                    matrix[i, a] = math.exp(-cost - log_scale[i])
        return matrix

    def with_losses(self, log_scale: np.ndarray, *which: int) -> np.ndarray:
        """Return the entries times those of some losses, zero at forbidden pairs, shape (n, k)."""
        matrix = self.entries(log_scale)
        n, k = self.shape
        for m in which:
            for i in range(n):
                for a in range(k):
                    matrix[i, a] = matrix[i, a] * self.losses[m, i, a] if matrix[i, a] else 0.0
        return matrix


def matvec(matrix: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Return matrix q, every sum rounded once."""
    return np.array([math.fsum(value * mass for value, mass in zip(row, q, strict=True)) for row in matrix])


def gram(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return matrix' diag(weights) matrix, every sum rounded once."""
    n, k = matrix.shape
    return np.array(
        [[math.fsum(weights[i] * matrix[i, a] * matrix[i, b] for i in range(n)) for b in range(k)] for a in range(k)]
    )
