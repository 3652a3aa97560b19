"""What solvers ask of exp(-lambda.L), and what the structures of losses are made of."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np

from rdcsolve.problems.grid_points import GridTable
from rdcsolve.problems.line import LineLoss
from rdcsolve.problems.separable import SeparableLoss
from rdcsolve.problems.structures import LossStructure, Rows, Shifted


class Kernel(Protocol):
    """K[i, a] = exp(-sum_m multipliers[m] L_m(i, a) - log_scale[i]), zero at forbidden pairs, as a linear operator.

    Rows are scaled so that no entry is above one, and the largest is about one: nothing underflows that matters,
    however large the multipliers. Where K q is wanted in true scale, add `log_scale` to its logarithm.
    `rdcsolve.testing.check_kernel` checks an implementation. `rdcsolve.kernels.BlockKernel` has all of this from the
    losses alone; a kernel with something faster inherits it and replaces `matvec` and `rmatvec`.

    Attributes
    ----------
    shape : tuple of int
        (n, k): symbols and letters.
    log_scale : numpy.ndarray
        Shape (n,).
    dtype : numpy.dtype
        Of vectors that come back.
    relative_error : float
        What an entry of `matvec` or `rmatvec` of a non-negative vector is off by, relatively, at most; inf where that
        is not known: such a kernel speeds up iterations but proves no bound.
    """

    log_scale: np.ndarray
    dtype: np.dtype[Any]
    relative_error: float

    @property
    def shape(self) -> tuple[int, int]:
        """(n, k): symbols and letters."""
        ...

    def matvec(self, q: np.ndarray) -> np.ndarray:
        """Return K q, shape (n,)."""
        ...

    def rmatvec(self, weights: np.ndarray) -> np.ndarray:
        """Return K' weights, shape (k,)."""
        ...

    def columns(self, letters: np.ndarray | None = None) -> np.ndarray:
        """Return columns of K, shape (n, len(letters)); all by default."""
        ...

    def gram(self, weights: np.ndarray, letters: np.ndarray | None = None) -> np.ndarray:
        """Return K' diag(weights) K on some letters, shape (m, m); weights are not negative."""
        ...

    def loss_matvec(self, m: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m) q, shape (n,)."""
        ...

    def loss_rmatvec(self, m: int, weights: np.ndarray) -> np.ndarray:
        """Return (K o L_m)' weights, shape (k,)."""
        ...

    def second(self, m: int, other: int, q: np.ndarray) -> np.ndarray:
        """Return (K o L_m o L_other) q, shape (n,)."""
        ...

    def moments(self, q: np.ndarray, limited: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return t = K q (n,), the losses' means (M, n) in the channel q K / t, and covariances (F, F, n) of some.

        Parameters
        ----------
        q : numpy.ndarray
            Shape (k,).
        limited : numpy.ndarray
            F indices of losses.
        """
        ...

    def step(self, p: np.ndarray, q: np.ndarray, t: np.ndarray, c: np.ndarray) -> None:
        """Write t = K q, shape (n,), and c = K'(p / t), shape (k,)."""
        ...


def unwrapped(structure: LossStructure) -> tuple[LossStructure, np.ndarray | None, np.ndarray | float]:
    """Return what a structure is made of: the whole it is rows of (None for all), and what was taken off each row."""
    shifts: np.ndarray | float = 0.0
    if isinstance(structure, Shifted):
        shifts, structure = structure.shifts, structure.whole
    if isinstance(structure, Rows):
        return structure.whole, structure.rows, shifts
    return structure, None, shifts


def separable(structure: LossStructure) -> tuple[SeparableLoss, np.ndarray | None] | None:
    """Return the separable loss that a structure is rows of, and the rows (None for all), or None if it is no such."""
    whole, rows, shifts = unwrapped(structure)
    if isinstance(whole, SeparableLoss) and not np.any(shifts):
        return whole, rows
    return None


class OnGrid(NamedTuple):
    """A separable loss, and the places on its grids where symbols and letters are listed (None for all, in order)."""

    whole: SeparableLoss
    rows: np.ndarray | None
    letters: np.ndarray | None


def of_grid(structure: LossStructure) -> OnGrid | None:
    """Return what `separable` does, also of a table between points that form a grid; None of anything else."""
    if isinstance(structure, GridTable):
        return OnGrid(structure.separable, structure.rows, structure.letters)
    found = separable(structure)
    return None if found is None else OnGrid(*found, None)


def on_grid(structure: LossStructure) -> tuple[SeparableLoss | LineLoss, np.ndarray | None] | None:
    """Return the loss between points of a grid, or of a line, that a structure is rows of, and the rows, or None."""
    whole, rows, shifts = unwrapped(structure)
    if isinstance(whole, (SeparableLoss, LineLoss)) and not np.any(shifts):
        return whole, rows
    return None
