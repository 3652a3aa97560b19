"""A smooth kernel as a product of two thin factors."""

from __future__ import annotations

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.kernels.dense import DenseKernel


class LowRankKernel:
    """K = left @ right up to an error far below rounding of what it is used for; same interface as `DenseKernel`.

    A smooth kernel on a fine grid has a numerical rank far below its size, so that a product with it costs
    O((n + k) r) in place of O(n k). It speeds up iterations and never signs a certificate: those are
    computed with the exact kernel.

    The factors come from a randomised range finder (Halko, Martinsson and Tropp, *SIAM Review* 53, 2011): the
    rank is doubled until a product with a fresh random block is reproduced to `tolerance`.

    Parameters
    ----------
    exact : DenseKernel
    tolerance : float, optional
        Largest error of an entry of the test product, relative to its largest entry.
    rng : numpy.random.Generator or int, optional

    Raises
    ------
    InvalidInput
        If the numerical rank exceeds a quarter of the kernel's smaller side: nothing would be gained.
    """

    def __init__(self, exact: DenseKernel, tolerance: float = 1e-13, rng: np.random.Generator | int | None = 0) -> None:
        generator = np.random.default_rng(rng)
        n, k = exact.shape
        probe = exact.matrix @ generator.standard_normal((k, 8))
        largest = min(n, k) // 4
        rank = min(32, largest)
        while rank:
            sample = exact.matrix @ generator.standard_normal((k, rank))
            left = np.linalg.qr(sample)[0]
            left = np.linalg.qr(exact.matrix @ (exact.matrix.T @ left))[0]  # one power step sharpens the range
            error = np.abs(probe - left @ (left.T @ probe)).max()
            if error <= tolerance * np.abs(probe).max():
                self.left, self.right = left, left.T @ exact.matrix
                self.log_scale = exact.log_scale
                return
            if rank == largest:
                break
            rank = min(2 * rank, largest)
        raise InvalidInput(
            f"the kernel of shape {(n, k)} has no rank below {largest} to within {tolerance:.1g}; use the dense kernel"
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(n, k): symbols and letters."""
        return self.left.shape[0], self.right.shape[1]

    @property
    def rank(self) -> int:
        """Number of columns of the left factor."""
        return self.left.shape[1]

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return self.left @ (self.right @ q)

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        return (weights @ self.left) @ self.right

    def columns(self, letters: np.ndarray) -> np.ndarray:
        """Return the columns of the letters, shape (n, len(letters))."""
        return self.left @ self.right[:, letters]

    def step(self, p: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
        """Write t = K q, shape (n,), and c = K'(p / t), shape (k,)."""
        t[:] = self.matvec(q)
        c[:] = self.rmatvec(p / t)
