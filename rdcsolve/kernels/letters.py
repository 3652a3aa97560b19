"""Some letters of a kernel over all of them, without their columns."""

from __future__ import annotations

import numpy as np

from rdcsolve.kernels.kernel import Kernel


class SomeLetters:
    """The columns of a kernel that belong to some letters; see `Kernel`.

    Products go through the whole kernel, so that where that is fast nothing of size n x m is made.

    Parameters
    ----------
    whole : Kernel
        Over all letters.
    letters : numpy.ndarray
        Shape (m,).

    Attributes
    ----------
    prices : numpy.ndarray
        Shape (k,): what the last `rmatvec` gave for all letters.
    """

    def __init__(self, whole: Kernel, letters: np.ndarray) -> None:
        self.whole, self.letters = whole, letters
        self.log_scale, self.dtype, self.relative_error = whole.log_scale, whole.dtype, whole.relative_error
        self.prices = np.empty(0)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m): symbols and letters."""
        return self.whole.shape[0], self.letters.size

    def at(self, places: np.ndarray) -> SomeLetters:
        """Return the kernel of some of these letters."""
        return SomeLetters(self.whole, self.letters[places])

    def _everywhere(self, q: np.ndarray) -> np.ndarray:
        full = np.zeros(self.whole.shape[1])
        full[self.letters] = q
        return full

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        return self.whole.matvec(self._everywhere(q))

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (m,)."""
        self.prices = self.whole.rmatvec(weights)
        return np.asarray(self.prices[self.letters])

    def columns(self, letters: np.ndarray | None = None) -> np.ndarray:
        """Return columns of K, shape (n, len(letters)); all of these letters by default."""
        return self.whole.columns(self.letters if letters is None else self.letters[letters])

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some of the letters."""
        return self.whole.gram(weights, self.letters if letters is None else self.letters[letters])

    def loss_matvec(self, m: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m) q, shape (n,)."""
        return self.whole.loss_matvec(m, self._everywhere(q))

    def loss_rmatvec(self, m: int, weights: np.ndarray) -> np.ndarray:
        """Return (K o L_m)' weights, shape (m,)."""
        return np.asarray(self.whole.loss_rmatvec(m, weights)[self.letters])

    def second(self, m: int, other: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m o L_other) q, shape (n,)."""
        return self.whole.second(m, other, self._everywhere(q))

    def moments(self, q: np.ndarray, limited: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return what the whole kernel does."""
        return self.whole.moments(self._everywhere(q), limited)

    def step(self, p: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
        """Write t = K q, shape (n,), and c = K'(p / t), shape (m,)."""
        t[:] = self.matvec(q)
        c[:] = self.rmatvec(p / t)
