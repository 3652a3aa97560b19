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
