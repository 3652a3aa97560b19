"""Blahut-Arimoto: the reference, and the warm-up of everything else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rdcsolve import deadline, options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.kernels import LowRankKernel
from rdcsolve.solvers.finite.best_channel import best_channel
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.finite.repair import repair
from rdcsolve.solvers.loop import Iterate, Start


@public_call
@dataclass(frozen=True)
class BlahutArimoto:
    """Alternating minimisation over output masses and channel (Blahut 1972, Arimoto 1972).

    The gap falls like 1 / steps, so a certified gap below 1e-4 may take tens of thousands of steps; use it as a
    reference. Where losses are limited, each step uses the multipliers that meet the limits for the
    output masses in hand (`best_channel`), which keeps it an alternating minimisation.

    Parameters
    ----------
    check_every : int, optional
        Steps between two certified bounds, each of which costs a few pricings.
    kernel : {"dense", "low_rank"}, optional
        ``"low_rank"`` replaces the kernel in the steps, at fixed multipliers, by a product of thin factors; bounds
        always come from the exact one.
    """

    check_every: int = 50
    kernel: str = "dense"

    def __post_init__(self) -> None:
        if self.kernel not in ("dense", "low_rank"):
            raise InvalidInput(f"kernel is {self.kernel!r}; use 'dense' or 'low_rank'")
        options.whole(self.check_every, "check_every")

    @property
    def name(self) -> str:
        """Name for tables and results."""
        return "Blahut-Arimoto"

    @property
    def sublinear(self) -> bool:
        """Whether many steps without visible progress are normal."""
        return True

    def iterates(self, task: ReducedProblem, start: Start | None, tolerance: float) -> Iterator[Iterate]:
        """Yield an iterate every `check_every` steps; see `rdcsolve.solvers.loop.Solver`."""
        letters = np.arange(task.letters.n_letters)
        q = np.full(letters.size, 1 / letters.size)
        multipliers = task.first_multipliers()
        if start is not None:
            multipliers = start.multipliers
            q *= 1e-4
            q[start.letters] += (1 - 1e-4) * start.q
        advance = self._limited if task.free.any() else self._fixed
        yield from advance(task, letters, q, multipliers)

    def _fixed(
        self, task: ReducedProblem, letters: np.ndarray, q: np.ndarray, multipliers: np.ndarray
    ) -> Iterator[Iterate]:
        kernel = task.letters.kernel(multipliers)
        if self.kernel == "low_rank":
            kernel = LowRankKernel(kernel)
        t, c = np.empty(task.p.size), np.empty(q.size)
        while True:
            for _ in range(self.check_every):
                deadline.look()
                kernel.step(task.p, q, t, c)
                q = q * c
            yield self._iterate(task, letters, q / q.sum(), multipliers)

    def _limited(
        self, task: ReducedProblem, letters: np.ndarray, q: np.ndarray, multipliers: np.ndarray
    ) -> Iterator[Iterate]:
        while True:
            for _ in range(self.check_every):
                tilted = best_channel(task, letters, q, multipliers, accuracy=1e-10)
                multipliers, q = tilted.multipliers, tilted.output_masses(task.p)
            yield self._iterate(task, letters, q / q.sum(), multipliers)

    @staticmethod
    def _iterate(task: ReducedProblem, letters: np.ndarray, q: np.ndarray, multipliers: np.ndarray) -> Iterate:
        kernel = task.letters.kernel(multipliers)
        log_v = -(np.log(kernel.matvec(q)) + kernel.log_scale)
        charge = task.charge(multipliers)
        mended = repair(task.letters, log_v, multipliers)
        value = float(task.p @ log_v) - charge
        return Iterate(letters, q, mended.log_v, multipliers, mended.bound - charge, value)
