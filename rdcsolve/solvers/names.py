"""Solvers by the names that the command line uses, with their default settings."""

from __future__ import annotations

from typing import Any

from rdcsolve.errors import InvalidInput
from rdcsolve.options import shown
from rdcsolve.solvers.conic.solver import Conic
from rdcsolve.solvers.finite.blahut_arimoto import BlahutArimoto
from rdcsolve.solvers.finite.column_generation import ColumnGeneration
from rdcsolve.solvers.finite.interior_point import InteriorPoint
from rdcsolve.solvers.stationary.alternation import Alternation

SOLVERS: dict[str, Any] = {
    "interior-point": InteriorPoint,
    "column-generation": ColumnGeneration,
    "blahut-arimoto": BlahutArimoto,
    "conic": Conic,
    "alternation": Alternation,
}


def named(name: str) -> Any:
    """Return the solver of that name; underscores and spaces may stand for hyphens, capitals for small letters.

    Raises
    ------
    InvalidInput
        If there is none.
    """
    key = name.strip().lower().replace("_", "-").replace(" ", "-")
    if key not in SOLVERS:
        raise InvalidInput(f"solver is {shown(name)}; give one of {', '.join(map(repr, SOLVERS))}, or settings of one")
    return SOLVERS[key]()
