"""What `solve` was asked for, passed down as one value."""

from __future__ import annotations

from dataclasses import dataclass

from rdcsolve.solvers.iterate import Solver
from rdcsolve.solvers.loop import Limits


@dataclass(frozen=True)
class Settings:
    """The solver, the tolerance in nats, when to stop, and when the work began."""

    solver: Solver
    tolerance: float
    limits: Limits
    began: float
