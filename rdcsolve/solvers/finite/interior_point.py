"""The interior point on every letter at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.kernels import make_kernel
from rdcsolve.problems.structures import TABLE_BYTES
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.finite.restarts import interior_points
from rdcsolve.solvers.loop import Iterate, Start


@public_call
@dataclass(frozen=True)
class InteriorPoint:
    """Primal-dual interior point over all letters and the multipliers of the limits together.

    Ten to twenty steps at every size; a step costs O(n k min(n, k)) for n symbols and k letters. The method
    of choice for small alphabets, and where most letters end up with mass.

    Parameters
    ----------
    warm_up_steps : int, optional
        Blahut-Arimoto steps before the first Newton step.
    kept : float, optional
        Share of the tolerance that complementarity does not aim below. Where listed letters stand for more that are
        not listed, the dual is then in the middle of its optimal face, and fits the others better, not in a corner.
    """

    warm_up_steps: int = 10
    kept: float = field(default=0.0, repr=False)

    def __post_init__(self) -> None:
        options.whole(self.warm_up_steps, "warm_up_steps", 0)

    @property
    def name(self) -> str:
        """Name for tables and results."""
        return "interior point"

    def iterates(self, task: ReducedProblem, start: Start | None, tolerance: float) -> Iterator[Iterate]:
        """Yield one iterate per Newton step; see `rdcsolve.solvers.loop.Solver`."""
        letters = np.arange(task.letters.n_letters)
        if not task.letters.is_stored and 8 * letters.size**2 > TABLE_BYTES and not _has_few_diagonals(task):
            raise InvalidInput(
                f"InteriorPoint takes all {letters.size} letters at once, with a matrix of "
                f"{8e-6 * letters.size**2:.0f} MB, more than {1e-6 * TABLE_BYTES:.0f} MB; use ColumnGeneration(), "
                "which needs a few of them"
            )
        q = np.full(letters.size, 1 / letters.size)
        multipliers = None
        if start is not None:
            multipliers = start.multipliers
            q *= 1e-4  # letters the earlier solution did not use may be needed now
            q[start.letters] += (1 - 1e-4) * start.q
        kept = self.kept * tolerance
        for point in interior_points(task, letters, q, multipliers, self.warm_up_steps, kept=kept):
            log_v = np.log(point.v) - point.kernel.log_scale
            yield Iterate(letters, point.q / point.q.sum(), log_v, point.multipliers, point.lower, point.value)


def _has_few_diagonals(task: ReducedProblem) -> bool:
    """Return whether Newton's matrix over all letters is never made."""
    if task.letters.forbidden is not None:
        return False
    return getattr(make_kernel(task.letters.structures, task.first_multipliers()), "factorised", None) is not None
