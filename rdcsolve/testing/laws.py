"""What limits on the law of the reproduction add to the checks: prices of letters, what they are worth, distances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdcsolve.perception import distance, support
from rdcsolve.problems import PerceptionAtRate, Problem
from rdcsolve.testing.evaluation import require

_MASS = 1e-11  # of a law that has to be exact


def letter_prices(problem: Problem, laws: Sequence[Any]) -> np.ndarray:
    """Return the sum of the prices of the places that letters show, shape (n_x, n_letters).

    A class's places cost a symbol so much more as it belongs to the class more than the average.
    """
    total = np.zeros((problem.n_x, problem.n_letters))
    for perception, law in zip(problem.perceptions, laws, strict=bool(laws)):
        members = np.ones(problem.n_x) if perception.members is None else perception.members
        mean = float(problem.p_x @ members) / float(problem.p_x.sum())
        total = total + members[:, None] / mean * law.prices[perception.place]
    return total


def spent(problem: Problem, laws: Sequence[Any]) -> float:
    """Return what those prices can come to within the limits on laws, nats: sum of h(w) + nu P.

    Nothing is charged for the law that is minimised, nor where multipliers are given.
    """
    goal, total = problem.goal, 0.0
    for k, (perception, law) in enumerate(zip(problem.perceptions, laws, strict=bool(laws))):
        bound, nu = float(problem.perception_bounds[k]), law.multiplier
        total += support(perception, law.prices, nu, law.level, law.witness)
        if problem.perception_multipliers is not None:
            allowed = float(problem.perception_multipliers[k])
            require(nu <= allowed, f"the multiplier {nu:.6g} of {perception.name} exceeds the problem's {allowed:.6g}")
        elif not (isinstance(goal, PerceptionAtRate) and goal.perception == k) and nu > 0:
            require(math.isfinite(bound), f"{perception.name} has the multiplier {nu:.6g} but no limit")
            total += nu * bound if bound > 0 else 0.0
    return total


def check_laws(problem: Problem, letters: np.ndarray, channel: np.ndarray, tolerance: float) -> dict[str, float]:
    """Check that the law of the reproduction is within its limits; return its distances by name.

    Raises
    ------
    AssertionError
        Naming the limit, the distance and the excess.
    """
    found = {}
    for perception, bound in zip(problem.perceptions, problem.perception_bounds.tolist(), strict=True):
        masses = perception.masses_of(problem.p_x, channel, problem.p_x @ channel)
        law = perception.law(letters, masses)
        found[perception.name] = distance(perception, law)
        slack = tolerance * bound if bound > 0 else _MASS * perception.scale
        within = found[perception.name] <= bound + slack
        require(within, f"{perception.name} is {found[perception.name]:.15g}, above its bound {bound:.15g}")
    return found
