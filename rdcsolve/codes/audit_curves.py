"""The certified curve that a codec is set beside."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from rdcsolve.errors import SolverFailed
from rdcsolve.problems import Problem
from rdcsolve.solvers.solve import solve


class CurvePoint(NamedTuple):
    """Certified bounds on the least distortion at a rate, the codec's other losses kept; NaN where there are none."""

    rate: float
    lower: float
    upper: float


def limit_curve(
    problem: Problem, most: float, n_points: int, tolerance: float, time_limit: float
) -> tuple[CurvePoint, ...]:
    """Return the least distortion within a problem's limits at rates from zero to `most`, nats."""
    points = []
    for rate in np.linspace(0.0, most, n_points).tolist():
        try:
            found = solve(problem.minimising("distortion", rate), tolerance=tolerance, time_limit=time_limit)
        except SolverFailed:
            points.append(CurvePoint(rate, math.nan, math.nan))
            continue
        ends = (found.proved_lower, found.objective_upper)
        points.append(CurvePoint(rate, *(end if math.isfinite(end) else math.nan for end in ends)))
    return tuple(points)
