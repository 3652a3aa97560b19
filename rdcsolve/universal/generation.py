"""Column generation over tuples: few tuples at a time, and all of them priced exactly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.results import Proof, Result, Status
from rdcsolve.solvers import solve
from rdcsolve.solvers.finite.pruning import pruned
from rdcsolve.universal.tuples import Tuples

_MOST_PRODUCTS = 1500  # first tuples: every pair of letters in use, up to so many
_NEW = 60  # tuples that may join in a round
_ROUNDS = 100
_FALL = 0.05  # of the gap: what the next round's problem may leave
_ROUNDING = 1e-12


def generate(tuples: Tuples, alone: Sequence[Result], tolerance: float) -> tuple[Result, Problem, np.ndarray]:
    """Return the least rate over all tuples, the problem over those that were needed, and these tuples.

    Parameters
    ----------
    tuples : Tuples
        Whose problem limits linear losses only.
    alone : sequence of Result
        The solution of each target on its own.
    tolerance : float
        Nats.

    Returns
    -------
    Result
        Its lower bound holds for all tuples, and the `u` of its certificate is scaled so that no price exceeds one.
    Problem
        Over the tuples in use.
    numpy.ndarray
        These tuples, shape (T, J).
    """
    held = first_tuples(tuples, alone)
    lower, gap, asked = -math.inf, math.inf, math.inf
    for _ in range(_ROUNDS):
        problem = tuples.stated(held)
        asked = max(tolerance / 4, min(_FALL * gap, asked, 1e-3))
        found = solve(problem, tolerance=asked)
        if found.certificate is None:
            # all targets can be met over the first tuples, so this is rounding and proves nothing
            message = "a problem over some tuples was not solved; relax limits that are at their least values a little"
            unknown: Any = {"rate_lower": math.nan, "rate_upper": math.nan, "message": message}
            failed = replace(found, status=Status.NUMERICAL_ERROR, proof=Proof.NONE, **unknown)
            return failed, problem, held
        log_largest, dearest, logs = tuples.dearest(found.certificate.u, found.multipliers)
        proved = tuples.bound(found.certificate.u, found.multipliers, log_largest)
        if proved > lower:
            lower, multipliers = proved, found.multipliers
            proving = replace(found.certificate, u=found.certificate.u - log_largest)
        upper = found.rate_upper
        gap = upper - lower
        joined = _joined(held, dearest[logs > _ROUNDING], logs[logs > _ROUNDING])
        complete = joined.shape[0] == held.shape[0]
        if gap <= tolerance or (complete and asked <= tolerance / 4):
            break
        held, asked = joined, _FALL * asked if complete else asked
    status = Status.OPTIMAL if gap <= tolerance else Status.STALLED
    if status is Status.STALLED and gap <= math.sqrt(tolerance):
        status = Status.ALMOST_OPTIMAL
    lower = min(max(lower, 0.0), upper)
    assert found.certificate is not None
    certificate = replace(found.certificate, u=proving.u, multipliers=proving.multipliers, lower=lower)
    result = replace(
        found,
        status=status,
        proof=Proof.CERTIFIED,
        rate_lower=lower,
        objective_lower=lower,
        certificate=certificate,
        multipliers=multipliers,
        method=f"tuples generated, {found.method}",
        message="",
    )
    return pruned(result, problem, tolerance), problem, held


def first_tuples(tuples: Tuples, alone: Sequence[Result]) -> np.ndarray:
    """Return tuples over which every target can be met, shape (T, J): of the letters that the targets use alone.

    All combinations if they are few; else those that occur when every symbol draws the letters of all targets
    by one common random number, which leaves each target's own channel as it is.
    """
    letters = [tuples.places(result.letters, j) for j, result in enumerate(alone)]
    if math.prod(place.size for place in letters) <= _MOST_PRODUCTS:
        grids = np.meshgrid(*letters, indexing="ij")
        return np.unique(np.stack([grid.ravel() for grid in grids], axis=1), axis=0)
    steps = [np.cumsum(result.channel, axis=1) for result in alone]
    rows = []
    for x in np.flatnonzero(tuples.problem.p_x > 0):
        ends = np.unique(np.concatenate([step[x] for step in steps]))
        middle = np.minimum((ends + np.r_[0.0, ends[:-1]]) / 2, 1.0)
        drawn = [
            place[np.minimum(np.searchsorted(step[x], middle), place.size - 1)]
            for place, step in zip(letters, steps, strict=True)
        ]
        rows.append(np.stack(drawn, axis=1))
    return np.unique(np.concatenate(rows), axis=0)


def _joined(held: np.ndarray, more: np.ndarray, logs: np.ndarray) -> np.ndarray:
    dearest = more[np.argsort(-logs, kind="stable")[:_NEW]]
    return np.unique(np.concatenate([held, dearest]), axis=0)
