"""The terms of the price of free letters: what it is made of, before anybody climbs it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FreeTerms:
    """What the price of points with soft decisions is a sum of.

    Attributes
    ----------
    log_weights : numpy.ndarray
        Shape (n,), nats: log p_i + u_i.
    points : numpy.ndarray
        Shape (n, dim).
    multiplier : float
        lambda >= 0, per unit of the squared error summed over the coordinates.
    labels : list of numpy.ndarray
        Conditionals w_k, shape (n, n_k).
    multipliers : numpy.ndarray
        lambda_k >= 0.
    """

    log_weights: np.ndarray
    points: np.ndarray
    multiplier: float
    labels: list[np.ndarray]
    multipliers: np.ndarray

    def weights_at(self, places: np.ndarray) -> np.ndarray:
        """Return the logarithms of the terms without decisions for letters at points (m, dim), shape (n, m)."""
        if not self.multiplier > 0:
            return np.repeat(self.log_weights[:, None], places.shape[0], axis=1)
        from scipy.spatial.distance import cdist

        return np.asarray(self.log_weights[:, None] - self.multiplier * cdist(self.points, places, "sqeuclidean"))
