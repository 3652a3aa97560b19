"""The least rate over more tuples than can be listed: the exchange on few of them, all priced exactly."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from rdcsolve.letters.tuples import TupleSpace
from rdcsolve.problems import Problem
from rdcsolve.results import Proof, Result, Status
from rdcsolve.solvers.choose import choose
from rdcsolve.solvers.exchange.exchange import solve_over
from rdcsolve.solvers.loop import Settings
from rdcsolve.solvers.shift import Shift, shifted_bounds
from rdcsolve.solvers.threads import one_thread_each
from rdcsolve.universal.common_draw import cells
from rdcsolve.universal.solving import Work
from rdcsolve.universal.targets import with_bounds

_MOST_PRODUCTS = 1500  # first tuples: every pair of letters in use, up to so many
_ROUNDS = 100


def generate(tuples: TupleSpace, alone: Sequence[Result], work: Work) -> tuple[Result, Problem, np.ndarray]:
    """Return the least rate over all tuples, the problem over those that its channel uses, and these tuples.

    Parameters
    ----------
    tuples : TupleSpace
        Of a problem that limits linear losses only.
    alone : sequence of Result
        The solution of each target on its own.
    work : Work

    Returns
    -------
    Result
        Its lower bound holds for all tuples, and the `u` of its certificate is scaled so that no price exceeds one.
    Problem
        Over the tuples in use.
    numpy.ndarray
        These tuples, shape (T, J).
    """
    shift = Shift.of(tuples.base)
    if shift is not None:
        return _shifted(tuples, shift, alone, work)
    space = tuples.beginning_with(first_tuples(tuples, alone))
    solver: Any = choose(space.problem)  # no alternation: no label's entropy counts
    limits = work.limits(space.problem, _ROUNDS)
    settings = Settings(solver, work.effort.tolerance, limits, time.perf_counter())
    with one_thread_each(1):
        found = solve_over(space, settings)
    if found.certificate is None:
        # all targets can be met over the first tuples, so this is rounding and proves nothing
        message = "a problem over some tuples was not solved; relax limits that are at their least values a little"
        unknown = replace(found, rate_lower=math.nan, rate_upper=math.nan, proof=Proof.NONE, message=message)
        status = found.status if work.is_over() else Status.NUMERICAL_ERROR
        return replace(unknown, status=status), space.problem, space.first
    held = space.letters_of(found)
    problem = space.listed(held)
    letters, fingerprint = np.arange(len(held)), problem.fingerprint()
    certificate = replace(found.certificate, letters=letters, fingerprint=fingerprint)
    method = f"tuples generated, {found.method}"
    result = replace(found, letters=letters, certificate=certificate, fingerprint=fingerprint, method=method)
    return _bounded(work.pruned(result, problem), found), problem, held.places


def _shifted(
    tuples: TupleSpace, shift: Shift, alone: Sequence[Result], work: Work
) -> tuple[Result, Problem, np.ndarray]:
    """Return the answer for losses that have entries below zero; tuples are told apart by the losses as stated."""
    bounds = np.array([shifted_bounds(with_bounds(tuples.base, row), shift.shifts) for row in tuples.bounds])
    inside = copy.copy(tuples)
    inside.base, inside.bounds = shift.inside, bounds
    result, problem, held = generate(inside, alone, work)
    stated = tuples.stated(held)
    taken = [m for _, m in tuples.pairs()]  # the first loss of the problem over tuples is zero, or forbids
    shifts = np.vstack([np.zeros(tuples.base.n_x), shift.shifts[taken]])
    back = Shift(stated, shifts, np.r_[0.0, shift.means[taken]], problem)
    return back.result(result), stated, held


def _bounded(result: Result, over_all: Result) -> Result:
    """Return the result with the bound that holds for all tuples: over those in use alone, more may be provable."""
    lower = min(result.rate_lower, over_all.rate_lower)
    assert result.certificate is not None
    certificate = replace(result.certificate, lower=lower)
    return replace(result, rate_lower=lower, objective_lower=lower, certificate=certificate)


def first_tuples(tuples: TupleSpace, alone: Sequence[Result]) -> np.ndarray:
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
    for x in np.flatnonzero(tuples.base.p_x > 0):
        places, _ = cells(steps, int(x))
        drawn = [place[places[:, j]] for j, place in enumerate(letters)]
        rows.append(np.stack(drawn, axis=1))
    return np.unique(np.concatenate(rows), axis=0)
