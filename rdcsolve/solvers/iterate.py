"""What every solver yields, step after step, and the shared loop reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from rdcsolve.solvers.task import Task


class NumericalBreakdown(ArithmeticError):
    """A step produced numbers that are not finite, or a system that cannot be factorised."""


@dataclass(frozen=True, eq=False)
class Iterate:
    """Output masses and a dual point; each half stands on its own.

    Attributes
    ----------
    letters : numpy.ndarray
        Shape (k,).
    q : numpy.ndarray
        Shape (k,): output masses, summing to one.
    log_v : numpy.ndarray
        Shape (n,): u in the shifted losses' scale.
    multipliers : numpy.ndarray
        Shape (R,).
    lower : float
        The dual bound of (log_v, multipliers), over all letters, limits charged; nats.
    value : float
        The Lagrangian value of q at the multipliers, limits charged; nats.
    """

    letters: np.ndarray
    q: np.ndarray
    log_v: np.ndarray
    multipliers: np.ndarray
    lower: float
    value: float


@dataclass(frozen=True, eq=False)
class Start:
    """Where to begin: output masses on letters, and multipliers, from an earlier result.

    Attributes
    ----------
    letters : numpy.ndarray
        Shape (k,).
    q : numpy.ndarray
        Shape (k,), > 0.
    multipliers : numpy.ndarray
        Shape (R,).
    """

    letters: np.ndarray
    q: np.ndarray
    multipliers: np.ndarray


class Solver(Protocol):
    """Frozen settings, and an endless sequence of iterates that a task gives rise to."""

    def iterates(self, task: Task, start: Start | None, tolerance: float) -> Iterator[Iterate]:
        """Yield iterates until the loop stops asking.

        Parameters
        ----------
        task : Task
        start : Start or None
        tolerance : float
            The gap that the loop asks for, nats: how far inner problems need to be solved.
        """
        ...

    @property
    def name(self) -> str:
        """Name for tables and results."""
        ...
