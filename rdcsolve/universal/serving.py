"""The encoder that serves all targets: by the equivalent problem, or of the targets' own channels if time is short."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rdcsolve import deadline
from rdcsolve.information import mutual_information
from rdcsolve.problems import Problem
from rdcsolve.results import Result, Status
from rdcsolve.universal.common_draw import drawn_together
from rdcsolve.universal.fixed import LAW, with_channel_of_corner, with_symbols_alone
from rdcsolve.universal.generation import generate
from rdcsolve.universal.reduction import CornerReduction, Reduction, Served
from rdcsolve.universal.solving import Work
from rdcsolve.universal.targets import limits_labels, with_bounds

_LISTED = 4_000_000  # entries of a loss over all tuples: beyond this they are generated


def serving(problem: Problem, reduction: Reduction, alone: dict[bytes, Result], work: Work) -> Served:
    """Return the best encoder that is found before the work ends.

    Parameters
    ----------
    problem : Problem
    reduction : Reduction
    alone : dict of bytes to Result
        The targets on their own, by their rows of bounds.
    work : Work
    """
    try:
        served = _served(problem, reduction, alone, work)
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        work.end(stop)
        served = unserved(problem, reduction, work)
    if not work.is_over() or served.status in (Status.OPTIMAL, Status.INFEASIBLE):
        return served
    with deadline.ignored():
        together = drawn_together(problem, [alone[row.tobytes()] for row in reduction.bounds])
    if together is None:
        return served
    rate, has_one = mutual_information(problem.p_x, together[0]), served.encoder.shape[1] > 0
    if has_one and mutual_information(problem.p_x, served.encoder) <= rate:
        return served
    return replace(served, encoder=together[0], decoders=together[1])


def unserved(problem: Problem, reduction: Reduction, work: Work) -> Served:
    """Return what is known of an equivalent problem that was not solved, over one tuple if it is over many."""
    if isinstance(reduction, CornerReduction):
        stated = reduction.apply()
    else:
        stated = reduction.apply(np.zeros((1, len(reduction.own)), dtype=np.intp))
    law = LAW if _is_of_symbols_alone(problem, reduction.bounds) else reduction.law
    nothing, status = np.empty((problem.n_x, 0)), work.ended or Status.STALLED
    return Served(law, work.nothing(stated), stated, nothing, (), status, "")


def _is_of_symbols_alone(problem: Problem, bounds: np.ndarray) -> bool:
    """Return whether labels are read from the symbols shown, and any is limited."""
    return problem.letters == "fixed" and limits_labels(problem, bounds)


def _served(problem: Problem, reduction: Reduction, alone: dict[bytes, Result], work: Work) -> Served:
    """Return the best encoder found, with decoders for the letters of the problem."""
    bounds = reduction.bounds
    for row in bounds:  # who cannot serve one target cannot serve all
        result = alone[row.tobytes()]
        if result.status is Status.INFEASIBLE:
            nothing = np.empty((problem.n_x, 0))
            stated = with_bounds(problem, row)
            return Served(reduction.law, result, stated, nothing, (), result.status, result.message)
    if work.is_over():
        return unserved(problem, reduction, work)
    if not _is_of_symbols_alone(problem, bounds):
        return _by_reduction(problem, reduction, alone, work)
    split = _by_reduction(problem, reduction, {}, work)
    try:
        shown = with_symbols_alone(problem, bounds, split)
    except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
        work.end(stop)
        shown = None
    if shown is not None:
        return shown
    corner = bounds.min(axis=0)
    literal = alone.get(corner.tobytes())
    if literal is None:
        literal = work.solved(with_bounds(problem, corner))
    found = with_channel_of_corner(problem, bounds, split, literal)
    if work.is_over() and not found.decoders:
        return replace(found, status=work.ended or found.status, message="")
    return found


def _by_reduction(stated: Problem, reduction: Reduction, alone: dict[bytes, Result], work: Work) -> Served:
    """Return the solution of the equivalent problem; the targets alone, if given, are of the same letters."""
    if isinstance(reduction, CornerReduction):
        held = alone.get(reduction.bounds.min(axis=0).tobytes())
        return reduction.invert(work.solved(reduction.apply()) if held is None else held)
    problem, tuples = reduction.problem, reduction.tuples
    if problem.n_x * tuples.count <= _LISTED or not reduction.is_linear:
        return reduction.invert(work.solved(reduction.apply()))
    # no labels count: these are the tuples' limits
    kept = [alone[reduction.bounds[j].tobytes()] for j in reduction.own]
    if not all(result.letters.size for result in kept):  # tuples begin with what the targets use alone
        return unserved(stated, reduction, work)
    result, _, held_tuples = generate(tuples, kept, work)
    return reduction.invert(result, held_tuples)
