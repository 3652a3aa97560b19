"""The kernel stored as a matrix on a device: products, Gram matrices and Newton's systems are computed there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rdcsolve.kernels.backends import Backend
from rdcsolve.kernels.blocks import moments_of
from rdcsolve.problems.structures import Table

_EPS = float(np.finfo(float).eps)


class DeviceColumns:
    """Some columns of a kernel, a matrix on a device; vectors come and go as NumPy's.

    Parameters
    ----------
    backend : Backend
    matrix : array
        Shape (n, k), on the backend's device.
    """

    def __init__(self, backend: Backend, matrix: Any) -> None:
        self.backend, self._matrix = backend, matrix

    @property
    def shape(self) -> tuple[int, int]:
        """(n, k): symbols and letters."""
        n, k = self._matrix.shape
        return int(n), int(k)

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return self.backend.get(self._matrix @ self.backend.put(q))

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        return self.backend.get(self.backend.put(weights) @ self._matrix)

    def columns(self, letters: np.ndarray | None = None) -> np.ndarray:
        """Return columns of K for NumPy, shape (n, len(letters)); all by default."""
        return self.backend.get(self._some(letters))

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m)."""
        root = self._some(letters) * self.backend.put(np.sqrt(weights))[:, None]
        return self.backend.get(self.backend.xp.matrix_transpose(root) @ root)

    def at(self, places: np.ndarray) -> DeviceColumns:
        """Return some of the columns; they stay on the device."""
        return DeviceColumns(self.backend, self._some(places))

    def factorised(self, weights: np.ndarray, scaling: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """Return what solves (S K' diag(weights) K S + I) x = b for x, S = diag(scaling).

        The standard has no triangular solve. The eigenvalues of this matrix begin at one, so the inverse of its
        triangular factor has a norm of at most one, and multiplying by it loses nothing that one step of refinement
        would not bring back. Where forming the product loses positive definiteness, the factor comes from QR.

        Raises
        ------
        FloatingPointError
            If the matrix is not finite.
        """
        backend, xp = self.backend, self.backend.xp
        root = self._matrix * backend.put(np.sqrt(weights))[:, None] * backend.put(scaling)
        identity = xp.eye(root.shape[1], dtype=root.dtype, device=backend.device)
        matrix = xp.matrix_transpose(root) @ root + identity
        if not bool(xp.isfinite(xp.sum(xp.linalg.diagonal(matrix)))):  # squares of every entry
            raise FloatingPointError("the Newton matrix is not finite")
        inverse = _inverse_factor(xp, matrix, root, identity)

        def solve(right: np.ndarray) -> np.ndarray:
            b = backend.put(right)
            x = xp.matrix_transpose(inverse) @ (inverse @ b)
            x = x + xp.matrix_transpose(inverse) @ (inverse @ (b - matrix @ x))
            return backend.get(x)

        return solve

    def _some(self, letters: np.ndarray | None) -> Any:
        if letters is None:
            return self._matrix
        return self.backend.xp.take(self._matrix, self.backend.put(letters), axis=1)


class DeviceKernel(DeviceColumns):
    """K[i, a] = exp(-sum_m multipliers[m] losses[m, i, a] - log_scale[i]), zero at forbidden pairs; see `Kernel`.

    Parameters
    ----------
    losses : sequence of numpy.ndarray or LossStructure
        M >= 1, of shape (n, k), finite (anything at forbidden pairs); evaluated once.
    multipliers : numpy.ndarray
        Shape (M,).
    forbidden : numpy.ndarray, optional
        Mask, shape (n, k).
    backend : Backend
    """

    def __init__(
        self, losses: Sequence[Any], multipliers: np.ndarray, forbidden: np.ndarray | None, backend: Backend
    ) -> None:
        self.losses = tuple(loss.block() if isinstance(loss, Table) else loss for loss in losses)
        self.multipliers, self.forbidden = multipliers, forbidden
        self.dtype = np.dtype(float)
        xp = backend.xp
        self._losses = tuple(backend.loss(loss) for loss in self.losses)
        exponent = self._losses[0] * -float(multipliers[0])
        for loss, multiplier in zip(self._losses[1:], multipliers[1:], strict=True):
            exponent -= float(multiplier) * loss
        if forbidden is not None:
            nothing = xp.asarray(-xp.inf, dtype=exponent.dtype, device=backend.device)
            exponent = xp.where(backend.loss(forbidden), nothing, exponent)
        top = xp.max(exponent, axis=1)
        top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
        exponent -= top[:, None]
        super().__init__(backend, xp.exp(exponent))
        self.log_scale = backend.get(top)
        self.relative_error = _EPS * (64 + sum(self.shape))
        self._weighted: dict[int, Any] = {}

    def loss_matvec(self, m: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m) q, shape (n,)."""
        return self.backend.get(self._with_loss(m) @ self.backend.put(q))

    def loss_rmatvec(self, m: int, weights: np.ndarray) -> np.ndarray:
        """Return (K o L_m)' weights, shape (k,)."""
        return self.backend.get(self.backend.put(weights) @ self._with_loss(m))

    def second(self, m: int, other: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m o L_other) q, shape (n,)."""
        return self.backend.get((self._with_loss(m) * self._losses[other]) @ self.backend.put(q))

    def _with_loss(self, m: int) -> Any:
        """Return K o L_m: a Newton step asks for products with it four times."""
        if m not in self._weighted:
            self._weighted[m] = self._matrix * self._losses[m]
        return self._weighted[m]

    def moments(self, q: np.ndarray, limited: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return t = K q (n,), the losses' means (M, n) in the channel q K / t, and covariances (F, F, n) of some."""
        return moments_of(self, q, limited)

    def step(self, p: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
        """Write t = K q, shape (n,), and c = K'(p / t), shape (k,)."""
        on_device = self._matrix @ self.backend.put(q)
        c[:] = self.backend.get((self.backend.put(p) / on_device) @ self._matrix)
        t[:] = self.backend.get(on_device)


def _inverse_factor(xp: Any, matrix: Any, root: Any, identity: Any) -> Any:
    """Return the inverse of the lower factor F of matrix = F F', through QR where the product is not definite.

    PyTorch raises where Cholesky's method breaks down, CuPy returns what is not finite.
    """
    try:
        factor = xp.linalg.cholesky(matrix)
        if bool(xp.all(xp.isfinite(factor))):
            return xp.linalg.inv(factor)
    except Exception as error:
        if "LinAlg" not in type(error).__name__:
            raise
    upper = xp.linalg.qr(xp.concat([root, identity], axis=0))[1]
    return xp.linalg.inv(xp.matrix_transpose(upper))
