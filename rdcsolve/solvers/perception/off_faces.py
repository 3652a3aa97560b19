"""Dual points where limits on losses leave no room, with the prices of what letters show among the losses."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from rdcsolve.letters import FiniteLetters
from rdcsolve.problems.priced import with_prices
from rdcsolve.solvers.finite.reduction import ReducedProblem
from rdcsolve.solvers.finite.unmasking import without_faces


def off_faces(
    task: ReducedProblem, prices: np.ndarray, log_v: np.ndarray, multipliers: np.ndarray
) -> tuple[FiniteLetters, np.ndarray, np.ndarray]:
    """Return letters, u and multipliers that do without the faces of limits that leave no room.

    The prices of what letters show, shape (n_letters,), are one more loss with multiplier one: faces have none of it.
    """
    priced = with_prices(task.problem, prices)
    relevant = [*task.relevant, len(priced.linear_losses) - 1]
    faces = tuple(replace(face, weights=np.append(face.weights, 0.0)) for face in task.faces)
    masked = np.zeros((priced.n_x, priced.n_letters), dtype=bool)
    masked[task.letters.symbols] = task.letters.forbidden
    letters = FiniteLetters(priced, relevant, masked)
    changes: dict[str, Any] = {"problem": priced, "letters": letters, "relevant": tuple(relevant), "faces": faces}
    changes |= {name: np.append(getattr(task, name), False) for name in ("free", "equal")}
    changes |= {"bounds": np.append(task.bounds, math.inf), "fixed": np.append(task.fixed, 1.0)}
    # prices of the least letter are part of u there
    shifted = log_v - letters.shifts[-1]
    space, found, raised, log_largest = without_faces(replace(task, **changes), shifted, np.append(multipliers, 1.0))
    return space, found + space.shifts[-1] - log_largest, raised[:-1]
