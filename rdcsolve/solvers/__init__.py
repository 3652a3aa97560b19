"""Solvers, the choice between them, and their results."""

from rdcsolve.solvers.alternation import Alternation
from rdcsolve.solvers.blahut_arimoto import BlahutArimoto
from rdcsolve.solvers.choice import choose
from rdcsolve.solvers.column_generation import ColumnGeneration
from rdcsolve.solvers.conic import Conic
from rdcsolve.solvers.front import solve
from rdcsolve.solvers.interior_point import InteriorPoint
from rdcsolve.solvers.result import Result, StepRecord
from rdcsolve.solvers.status import Proof, Status
from rdcsolve.solvers.storage import load

__all__ = [
    "Alternation",
    "BlahutArimoto",
    "ColumnGeneration",
    "Conic",
    "InteriorPoint",
    "Proof",
    "Result",
    "Status",
    "StepRecord",
    "choose",
    "load",
    "solve",
]
