"""How far a channel may be beyond a limit that it is said to meet."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.rounding import units

LIMIT_TOLERANCE = 1e-12
"""By how much of its loss's spread a limit may be exceeded in floating point; in ball arithmetic, not at all."""

LEAST_TOLERANCE = 1e-6
"""By how much of its loss's spread a limit may be below the least mean at most, to be read as that.

No channel meets such a limit, so that no bound is the weaker for it; what is below by a rounding, of a level of 1e9
spreads say, was meant to be at the least value.
"""

ROOM_TOLERANCE = 1e-6
"""By how much of the room that it leaves above the least mean a limit may be exceeded at most, in floating point.

A multiplier is some nats per room, so this changes rates by a few millionths of a nat at most; where the spread is less
than 1e6 rooms, it is the tolerance of that which counts.
"""

EQUALITY_TOLERANCE = 2.0**-49
"""How far from its bound, as a share of the spread, a mean may be in ball arithmetic that is to equal it.

Rounding the entries of a channel to floats moves a mean by up to 2^-53 of the spread, the division of its rows by their
sums by as much again, and the channel that is rounded is itself computed.
"""

AS_LEAST = "is read as that"
"""How a sentence ends on a limit that is below the least value of its loss by no more than rounding."""


def read_as_least(numbers: Any, problem: Problem) -> list[str]:
    """Return a sentence for every limit that is below the least value of its loss by no more than rounding."""
    limited = [m for m, bound in enumerate(problem.bounds.tolist()) if bound < math.inf]
    named = [problem.loss_names[m] for m in limited if numbers.counts_as_least(m, float(problem.bounds[m]))]
    return [f"the limit on {name} is below its least value by a rounding, and {AS_LEAST}" for name in named]


def slack_of(problem: Problem, numbers: Any, arithmetic: str, excess: dict[str, float]) -> dict[str, float]:
    """Return by how much limits may be exceeded: a share of the loss's spread, never of its level.

    Beside a penalty that stands for "forbidden", that could be more than all that a limit on ordinary losses asks for,
    so a share of the room that it leaves above the least mean is the most. The spread takes a pass over the losses, and
    is looked at only where a limit is exceeded at all.

    Parameters
    ----------
    problem : Problem
    numbers : FloatNumbers or BallNumbers
    arithmetic : {"float", "ball"}
    excess : dict of str to float
        By how much the channel exceeds each limit.
    """
    slack = dict.fromkeys(excess, 0.0)
    held = {name for name, is_held in zip(problem.loss_names, problem.held, strict=True) if is_held}
    for name in [name for name in excess if name not in problem.perception_names]:
        share = LIMIT_TOLERANCE if arithmetic == "float" else EQUALITY_TOLERANCE * (name in held)
        if name == "rate":
            slack[name] = share
        elif share and excess[name] > 0:
            m = problem.loss_names.index(name)
            slack[name] = share * numbers.spread(m)
            if arithmetic == "float" and m < len(problem.linear_losses):
                slack[name] = min(slack[name], _most(numbers, m, float(problem.bounds[m])))
    return slack


def _most(numbers: Any, m: int, bound: float) -> float:
    """Return the largest slack of a limit on a linear loss, whatever its spread: a share of its room, and roundings.

    Losses that differ by less than their last digits count as equal, and a bound is rounded beside the least mean.
    """
    rounding = units(numbers.n_rows + 16) * float(numbers.masses @ np.abs(numbers.shifts[m]))
    return float(ROOM_TOLERANCE * max(numbers.room(m, bound), 0.0) + rounding)
