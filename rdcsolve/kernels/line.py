"""The kernel of a loss between points of the line: products in O(n + k), whatever the multiplier."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rdcsolve.kernels.blocks import EPS, BlockKernel
from rdcsolve.kernels.kernel import unwrapped
from rdcsolve.kernels.line_distances import AbsoluteProducts
from rdcsolve.kernels.line_squares import SquaredProducts
from rdcsolve.problems.line import LineLoss
from rdcsolve.problems.structures import LossStructure

_DEEPEST = 300.0  # nats that a symbol's nearest letter may cost: the row scale stays in range
_NODES_EACH = 4.0  # nodes per point: where the points do not resolve the kernel, blocks of rows are as good
_SQUARED_ERROR = 1e-9  # of an entry that counts: see `LineKernel.relative_error`


class LineKernel(BlockKernel):
    """``exp(-lambda (x - y)^2)`` or ``exp(-lambda |x - y|)`` as recursions or interpolations; see `Kernel`.

    Parameters
    ----------
    losses : sequence of LossStructure
        M >= 1. One has a multiplier: a `LineLoss`, or rows of one.
    multipliers : numpy.ndarray
        Shape (M,), >= 0, one of them positive.

    Attributes
    ----------
    relative_error : float
        For absolute error of every entry. For squared error of entries above a thousandth of the largest, which is
        what bounds of prices need; smaller ones err by as much as these do.
    """

    def __init__(self, losses: Sequence[LossStructure], multipliers: np.ndarray) -> None:
        self.active = int(np.flatnonzero(multipliers)[0])
        self.multiplier = float(multipliers[self.active])
        whole, self.rows, shifts = unwrapped(losses[self.active])
        assert isinstance(whole, LineLoss)
        self.line, self.taken_off = whole, np.broadcast_to(shifts, (losses[self.active].shape[0],))
        scale = -self.multiplier * whole.row_minima()
        kind = SquaredProducts if whole.distortion == "squared_error" else AbsoluteProducts
        y = whole.points if whole.is_square else whole.reproduction
        self.products: SquaredProducts | AbsoluteProducts = kind(whole.points, y, self.multiplier, scale)
        own = scale if self.rows is None else scale[self.rows]
        super().__init__(losses, multipliers, log_scale=own + self.multiplier * self.taken_off)
        exact = EPS * (64 + 4 * sum(whole.shape))
        self.relative_error = exact if whole.distortion == "absolute" else _SQUARED_ERROR

    @staticmethod
    def suits(losses: Sequence[LossStructure], multipliers: np.ndarray) -> bool:
        """Return whether one loss has a multiplier, and is between points of a line that are close enough for it."""
        active = np.flatnonzero(multipliers)
        if active.size != 1:
            return False
        whole, multiplier = unwrapped(losses[active[0]])[0], float(multipliers[active[0]])
        if not isinstance(whole, LineLoss) or not multiplier * float(whole.row_minima().max()) <= _DEEPEST:
            return False
        if whole.distortion == "absolute":
            return True
        low, high = min(whole.points[0], whole.reproduction[0]), max(whole.points[-1], whole.reproduction[-1])
        return SquaredProducts.n_nodes(low, high, multiplier) <= _NODES_EACH * sum(whole.shape)

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return self._own(self.products.forward(q))

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        return self.products.backward(self._everywhere(weights))

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m)."""
        letters = np.arange(self.shape[1]) if letters is None else letters
        return self.products.gram(self._everywhere(weights), letters)

    def loss_matvec(self, m: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m) q, shape (n,)."""
        if not self._is_own(m):
            return super().loss_matvec(m, q)
        product = self._own(self.products.forward(q, 1))
        return product - self.taken_off * self.matvec(q) if self.taken_off.any() else product

    def loss_rmatvec(self, m: int, weights: np.ndarray) -> np.ndarray:
        """Return (K o L_m)' weights, shape (k,)."""
        if not self._is_own(m):
            return super().loss_rmatvec(m, weights)
        product = self.products.backward(self._everywhere(weights), 1)
        return product - self.rmatvec(weights * self.taken_off) if self.taken_off.any() else product

    def second(self, m: int, other: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m o L_other) q, shape (n,)."""
        if not (self._is_own(m) and self._is_own(other)):
            return super().second(m, other, q)
        product = self._own(self.products.forward(q, 2))
        if not self.taken_off.any():
            return product
        first = self._own(self.products.forward(q, 1))
        return np.asarray(product - self.taken_off * (2 * first - self.taken_off * self.matvec(q)))

    @property
    def factorised(self) -> Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]] | None:
        """What solves (S K' W K S + I) x = b over all letters in O(n), from weights (n,) and S (k,), or None.

        That takes absolute error between points and themselves.
        """
        if not isinstance(self.products, AbsoluteProducts) or not self.products.is_square:
            return None
        products = self.products
        return lambda weights, scaling: products.factorised(self._everywhere(weights), scaling)

    def _is_own(self, m: int) -> bool:
        return m == self.active or self.losses[m] is self.losses[self.active]

    def _own(self, product: np.ndarray) -> np.ndarray:
        return product if self.rows is None else product[self.rows]

    def _everywhere(self, weights: np.ndarray) -> np.ndarray:
        if self.rows is None:
            return weights
        everywhere = np.zeros(self.line.shape[0])
        everywhere[self.rows] = weights
        return everywhere
