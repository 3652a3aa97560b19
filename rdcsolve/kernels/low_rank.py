"""A smooth kernel as a product of two thin factors."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.kernels.kernel import Kernel


class LowRankKernel:
    """K = left @ right up to an error far below rounding of what it is used for; see `Kernel`.

    A smooth kernel on a fine grid has a numerical rank far below its size, so that a product with it costs
    O((n + k) r) in place of O(n k). It speeds up iterations and never signs a certificate: those are
    computed with the exact kernel.

    The factors come from a randomised range finder (Halko, Martinsson and Tropp, *SIAM Review* 53, 2011): the
    rank is doubled until a product with a fresh random block is reproduced to `tolerance`.

    Parameters
    ----------
    exact : Kernel
        Of any kind; it is kept for products with the losses.
    tolerance : float, optional
        Largest error of an entry of the test product, relative to its largest entry.
    rng : numpy.random.Generator or int, optional

    Raises
    ------
    InvalidInput
        If the numerical rank exceeds a quarter of the kernel's smaller side: nothing would be gained.
    """

    def __init__(self, exact: Kernel, tolerance: float = 1e-13, rng: np.random.Generator | int | None = 0) -> None:
        generator = np.random.default_rng(rng)
        n, k = exact.shape
        probe = _product(exact.matvec, generator.standard_normal((k, 8)))
        largest = min(n, k) // 4
        rank = min(32, largest)
        while rank:
            sample = _product(exact.matvec, generator.standard_normal((k, rank)))
            left = np.linalg.qr(sample)[0]
            back = _product(exact.rmatvec, left)
            left = np.linalg.qr(_product(exact.matvec, back))[0]  # one power step sharpens the range
            error = np.abs(probe - left @ (left.T @ probe)).max()
            if error <= tolerance * np.abs(probe).max():
                self.left, self.right = left, _product(exact.rmatvec, left).T
                self.exact, self.log_scale, self.dtype = exact, exact.log_scale, exact.dtype
                self.relative_error = math.inf
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
        return int(self.left.shape[1])

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return np.asarray(self.left @ (self.right @ q))

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        return np.asarray((weights @ self.left) @ self.right)

    def columns(self, letters: np.ndarray | None = None) -> np.ndarray:
        """Return the columns of the letters, shape (n, len(letters)); all by default."""
        return np.asarray(self.left @ (self.right if letters is None else self.right[:, letters]))

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m)."""
        right = self.right if letters is None else self.right[:, letters]
        root = (self.left * np.sqrt(weights)[:, None]) @ right
        return np.asarray(root.T @ root)

    def loss_matvec(self, m: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m) q of the exact kernel, shape (n,)."""
        return self.exact.loss_matvec(m, q)

    def loss_rmatvec(self, m: int, weights: np.ndarray) -> np.ndarray:
        """Return (K o L_m)' weights of the exact kernel, shape (k,)."""
        return self.exact.loss_rmatvec(m, weights)

    def second(self, m: int, other: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m o L_other) q of the exact kernel, shape (n,)."""
        return self.exact.second(m, other, q)

    def moments(self, q: np.ndarray, limited: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what the exact kernel does."""
        return self.exact.moments(q, limited)

    def step(self, p: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
        """Write t = K q, shape (n,), and c = K'(p / t), shape (k,)."""
        t[:] = self.matvec(q)
        c[:] = self.rmatvec(p / t)


def _product(operation: Callable[[np.ndarray], np.ndarray], columns: np.ndarray) -> np.ndarray:
    """Return the operation on every column."""
    return np.stack([operation(np.ascontiguousarray(column)) for column in columns.T], axis=1)
