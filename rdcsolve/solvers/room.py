"""What solving takes in memory, at least, so that a problem that cannot fit is refused before any work.

Tables of 8 n_x n_letters bytes, measured beside the losses themselves as the peak of the process: 11.4 of them for the
interior point; 2.5 for column generation, and 11.4 to 13 of its first letters' own; 12 for Blahut-Arimoto; 16 to 19
where a label's entropy counts; and 8 of 8 n_x^2 bytes for free letters. Here each counts somewhat less, since a problem
that just fits is not to be refused.
"""

from __future__ import annotations

from typing import Any

from rdcsolve import memory
from rdcsolve.problems import Problem
from rdcsolve.solvers.choose import takes_all_letters
from rdcsolve.solvers.finite.blahut_arimoto import BlahutArimoto
from rdcsolve.solvers.finite.column_generation import ColumnGeneration
from rdcsolve.solvers.finite.interior_point import InteriorPoint

_TABLES = {"column generation": 2.0, "Blahut-Arimoto": 10.0, "label entropies": 14.0, "free letters": 6.0}
_OTHER = 10.0  # the interior point, on its own or for perceptions; the conic solver takes more
_FEWER = "take fewer letters (reproduction=) or symbols"


def bytes_needed(problem: Problem, method: Any, sharded: bool = False) -> tuple[float, str]:
    """Return how many bytes solving takes at least, beside the problem, and what takes them.

    Parameters
    ----------
    problem : Problem
    method : Solver, Alternation or Conic
    sharded : bool, optional
        Whether tables of losses that are not stored are made by workers.
    """
    if problem.free is not None:
        return _TABLES["free letters"] * 8.0 * problem.n_x**2, "solving for free letters"
    if problem.own_letters is not None:
        return 0.0, "solving"
    table = 8.0 * problem.n_x * problem.n_letters
    if problem.label_entropies:
        return _TABLES["label entropies"] * table, "solving where a label's entropy counts"
    is_stored = all(loss.is_stored for loss in problem.linear_losses)
    if isinstance(method, ColumnGeneration):
        first = min(method.first_letters, problem.n_letters)
        begun = _OTHER * first / problem.n_letters  # in the first restricted problem
        return (_TABLES["column generation"] + begun) * table * is_stored, "column generation"
    if isinstance(method, BlahutArimoto):
        return _TABLES["Blahut-Arimoto"] * table * is_stored, "Blahut-Arimoto"
    if isinstance(method, InteriorPoint) and takes_all_letters(problem):
        return 0.0, "the interior point"
    if isinstance(method, InteriorPoint) and sharded and not is_stored:
        return 8.0 * problem.n_letters**2, "Newton's matrix"
    return _OTHER * table, f"solving with {getattr(method, 'name', type(method).__name__)}"


def pairs(problem: Problem) -> int:
    """Return of how many pairs of symbol and letter a solver stores kernels: none where letters are points."""
    return problem.n_x * problem.n_letters if problem.is_finite else 0


def has_room(problem: Problem, method: Any, sharded: bool = False) -> bool:
    """Return whether a method's least need of memory is free."""
    return memory.fits(bytes_needed(problem, method, sharded)[0])


def require_room(problem: Problem, method: Any, sharded: bool = False) -> None:
    """Raise `OutOfMemory` if a method needs more memory than is free, with the bytes and the cure."""
    n_bytes, what = bytes_needed(problem, method, sharded)
    less = ColumnGeneration()
    is_finite = problem.is_finite and not problem.perceptions and not isinstance(method, ColumnGeneration)
    cure = f"pass solver=ColumnGeneration(), or {_FEWER}" if is_finite and has_room(problem, less) else _FEWER
    memory.require(n_bytes, f"{what} on {problem.n_x} symbols{_letters(problem)}", cure)


def _letters(problem: Problem) -> str:
    return "" if problem.free is not None else f" and {problem.n_letters} letters"
