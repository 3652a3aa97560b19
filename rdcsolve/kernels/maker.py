"""The one place where kernels are made, by what is known of the losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdcsolve.kernels import backends
from rdcsolve.kernels.blocks import BlockKernel, RowsOfKernel
from rdcsolve.kernels.dense import DenseKernel
from rdcsolve.kernels.device import DeviceKernel
from rdcsolve.kernels.grid import GridKernel
from rdcsolve.kernels.kernel import Kernel, unwrapped
from rdcsolve.kernels.line import LineKernel
from rdcsolve.kernels.sharded import ShardedKernel, Workers
from rdcsolve.problems.line import LineLoss
from rdcsolve.problems.structures import Adapted, LossStructure, Table

_FEW = 2**20  # pairs

Losses = Sequence[Any]
"""Loss structures, or plain matrices (n, k)."""


def make_kernel(
    losses: Losses,
    multipliers: np.ndarray,
    forbidden: np.ndarray | None = None,
    letters: np.ndarray | None = None,
) -> Kernel:
    """Return the kernel of some losses at given multipliers, by what is known of the losses.

    Stored losses, and any losses at few `letters`, make a dense kernel, on the device in use if there is one; losses
    separable over the axes of one grid, also those stored between listed points that form a grid, a Kronecker product;
    a `LineLoss` recursions or interpolations; a structure that has a ``kernel(multiplier)`` of its own makes that,
    where it is the only loss that counts; everything else is evaluated block by block, by the workers in use if
    there are any, or stored on the device in use where it fits.

    Parameters
    ----------
    losses : sequence of LossStructure or numpy.ndarray
        M >= 1, of shape (n, k), finite (anything at forbidden pairs).
    multipliers : numpy.ndarray
        Shape (M,), >= 0.
    forbidden : numpy.ndarray, optional
        Mask, shape (n, k).
    letters : numpy.ndarray, optional
        The letters wanted; by default all.
    """
    if letters is None and all(isinstance(loss, np.ndarray) for loss in losses):
        return _stored(losses, multipliers, forbidden)
    structures = [_simplest(loss if isinstance(loss, LossStructure) else Table(loss)) for loss in losses]
    if letters is not None:
        structures = [Table(structure.block(None, letters)) for structure in structures]
        forbidden = None if forbidden is None else np.take(forbidden, letters, axis=1)
    active = [structure for structure, multiplier in zip(structures, multipliers, strict=True) if multiplier]
    if all(isinstance(structure, Table) for structure in structures):
        is_grid = forbidden is None and active and backends.current() is None and GridKernel.suits(active)
        return GridKernel(structures, multipliers) if is_grid else _stored(structures, multipliers, forbidden)
    if forbidden is None and active:
        if GridKernel.suits(active):
            return GridKernel(structures, multipliers)
        if LineKernel.suits(structures, multipliers):
            return LineKernel(structures, multipliers)
        if len(active) == 1 and _makes_kernels(active[0]):
            return _own_kernel(structures, multipliers, active[0])
    backend = backends.current()
    if isinstance(backend, Workers):
        return ShardedKernel(structures, multipliers, forbidden, backend)
    if backend is not None and backend.holds(structures[0].shape, len(structures)):
        return DeviceKernel(structures, multipliers, forbidden, backend)
    return BlockKernel(structures, multipliers, forbidden)


def _simplest(structure: LossStructure) -> LossStructure:
    """Return a loss between a few points of a line as the table that it is: a matrix is faster than interpolation."""
    whole = unwrapped(structure)[0]
    is_small = isinstance(whole, LineLoss) and whole.distortion == "squared_error" and math.prod(whole.shape) <= _FEW
    return Table(structure.block()) if is_small else structure


def _stored(losses: Losses, multipliers: np.ndarray, forbidden: np.ndarray | None) -> Kernel:
    """Return the kernel as a matrix, where matrices lie at present."""
    backend = backends.current()
    if backend is None or isinstance(backend, Workers):
        return DenseKernel(losses, multipliers, forbidden)
    return DeviceKernel(losses, multipliers, forbidden, backend)


def _makes_kernels(structure: LossStructure) -> bool:
    whole = unwrapped(structure)[0]
    return hasattr(whole.own if isinstance(whole, Adapted) else whole, "kernel")


def _own_kernel(structures: list[LossStructure], multipliers: np.ndarray, active: LossStructure) -> Kernel:
    whole, rows, shifts = unwrapped(active)
    maker: Any = whole.own if isinstance(whole, Adapted) else whole
    multiplier = float(multipliers[multipliers > 0][0])
    own = maker.kernel(multiplier)
    return RowsOfKernel(own, structures, multipliers, rows, multiplier * shifts)
