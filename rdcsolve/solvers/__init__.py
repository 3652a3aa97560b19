"""Solvers, the choice between them, and their results."""

from rdcsolve.results import Proof, Result, Status, StepRecord, load
from rdcsolve.solvers.choose import choose
from rdcsolve.solvers.conic.solver import Conic
from rdcsolve.solvers.finite.best_channel import best_channel
from rdcsolve.solvers.finite.blahut_arimoto import BlahutArimoto
from rdcsolve.solvers.finite.column_generation import ColumnGeneration
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.loop import Iterate, Solver, Start
from rdcsolve.solvers.many import Solved, solve_arrays, solve_many
from rdcsolve.solvers.solve import solve
from rdcsolve.solvers.stationary.alternation import Alternation

__all__ = [
    "Alternation",
    "BlahutArimoto",
    "ColumnGeneration",
    "Conic",
    "InteriorPoint",
    "Iterate",
    "Proof",
    "ReducedProblem",
    "Result",
    "Solved",
    "Solver",
    "Start",
    "Status",
    "StepRecord",
    "best_channel",
    "choose",
    "load",
    "solve",
    "solve_arrays",
    "solve_many",
]
