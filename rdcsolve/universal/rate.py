"""`universal_rate`: the least rate of one encoder that serves many targets, and what it costs."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rdcsolve import deadline, options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.information import bits_to_nats
from rdcsolve.problems import Problem
from rdcsolve.problems.validation import one_of
from rdcsolve.results import Proof, Result, Status
from rdcsolve.results.result import StepRecord
from rdcsolve.solvers.effort import Effort
from rdcsolve.universal.check import confirmed
from rdcsolve.universal.reduction import Reduction, Served, TupleReduction, reduction_of
from rdcsolve.universal.result import Universal
from rdcsolve.universal.saving import Kept
from rdcsolve.universal.serving import serving, unserved
from rdcsolve.universal.solving import Work
from rdcsolve.universal.targets import bounds_of, limits_labels, limits_laws, with_bounds

_PRICED = 3e10  # symbols times tuples: beyond this pricing all of them takes minutes


@public_call
def universal_rate(  # noqa: PLR0913 - options, by keyword
    problem: Problem,
    targets: Any,
    *,
    tolerance: float = 1e-6,
    method: str = "automatic",
    max_tuples: int = 20_000,
    time_limit: float = math.inf,
    max_steps: int | None = None,
    callback: Callable[[StepRecord], object] | None = None,
    save: str | os.PathLike[str] | None = None,
    proof_budget: float = 10.0,
) -> Universal:
    """Return R(Theta), the least rate of one encoder from which every target can be met by a decoder of its own.

    R(Theta) = inf I(X; Z) over the channels p(z | x) such that for every target some decoder of Z keeps all its
    limits; the rate penalty is A(Theta) = R(Theta) - max_j R(target j).

    Parameters
    ----------
    problem : Problem
        Of the least rate. Its own limits hold for every target that does not restate them.
    targets : sequence or xarray.Dataset
        Pairs (D, C) of a bound on the distortion and one on the label's loss (its entropy; a list of them for several
        labels; the other loss of a problem with two), pairs (D, P) or triples (D, C, P) where the problem has a
        perception, mappings of losses and perceptions to bounds, or a dataset of `tradeoff`, whose points become
        targets: Theta = Omega(R), sampled. inf limits nothing.
    tolerance : float, optional
        The gap asked for, in the problem's unit (nats), of R(Theta) and of every target.
    method : {"automatic", "corner", "tuples"}, optional
        ``"corner"`` insists on the corner law, ``"tuples"`` on one symbol per target, none of them left out.
    max_tuples : int, optional
        Where label entropies or limits on laws count beside tuples, how many tuples there may be.
    time_limit : float, optional
        Wall seconds for all targets and the encoder together. What is known then is returned with the status
        ``TIME_LIMIT``; an interrupt from the keyboard does the same, with the status ``INTERRUPTED``.
    max_steps : int, optional
        Steps for each target alone, and for the encoder, as in `solve`.
    callback : callable, optional
        Called with every `StepRecord`, of the targets in turn and then of the encoder, as in `solve`. A true return
        value ends the work as the time limit does, with the status ``STOPPED_BY_CALLBACK``.
    save : path-like, optional
        An npz file, as `Universal.save` writes it: rewritten as targets are solved, and at the end, also when cut
        short. The same call again goes on with the targets that are missing, and solves those again that were solved
        to a larger gap; what is in the file is checked as if it were new.
    proof_budget : float, optional
        As in `solve`, for all targets and the encoder together: each of them has an equal share.

    Returns
    -------
    Universal
        With bounds on the rate and the penalty, an encoder, and one decoder per target. Cut short, its lower bound is
        that of the targets solved by then and, once every target has a channel, its encoder may be the one that sends
        what all these channels do: that serves all targets, at more than the least rate.

    Raises
    ------
    InvalidInput
        If a target cannot be read, a method does not apply, or there are too many tuples; if `save` holds the universal
        rate of another problem, or something else.
    SaveFailed
        If `save` cannot be written.
    FileInUse
        If another run writes `save`; see `sweep`.

    Notes
    -----
    Where one decoder is best at everything (free letters; split letters with limits on one linear loss and any label
    entropies) R(Theta) = R(min_j D_j, min_j C_j): the *corner law*. Otherwise Z is taken to be a tuple with one
    symbol per target; so it is where targets limit the law of what their decoders show. A(Theta) is never negative: an
    encoder that serves all targets serves the dearest. So the lower bounds of the targets are lower bounds of R(Theta),
    and `penalty_lower` is at least zero. With fixed letters and label entropies the lower bound is that of split
    letters, and the upper bound is the best encoder found.

    Messages that carry next to nothing are left out of the encoders where no limit breaks and the rate grows by no more
    than a hundredth of `tolerance`; not where laws are limited.

    The answer is checked before it is returned, as `Universal.verify` does it: bounds, status and proofs are those that
    the check confirms, and `message` says what it did not.

    Source: Nguyen et al. (2025), Definitions 3 and 4; proofs are in the docs, Universal representations.

    Examples
    --------
    >>> problem = Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], [[0.9, 0.1], [0.1, 0.9]], C=math.inf)
    >>> universal = universal_rate(problem, [(0.1, 0.6), (0.3, 0.5)])
    >>> universal.status.name, universal.law, bool(universal.penalty_lower <= 1e-6)
    ('OPTIMAL', 'corner', True)
    """
    bounds = bounds_of(problem, targets)
    stated, problem = problem, problem.in_unit("nat")
    tolerance = tolerance if stated.unit == "nat" else bits_to_nats(tolerance)
    one_of(method, ("automatic", "corner", "tuples"), "method")
    max_tuples = options.whole(max_tuples, "max_tuples")
    effort = Effort.of(problem, None, tolerance, max_steps, callback, time_limit, proof_budget=proof_budget)
    _check_letters(problem, bounds)
    reduction = reduction_of(problem, bounds, method)
    if isinstance(reduction, TupleReduction):
        _check_size(reduction, max_tuples)  # before any work
    path = None if save is None else options.path(save, "save")
    asked = {"tolerance": effort.tolerance, "max_steps": effort.max_steps, "method": method}
    kept = Kept(path, problem, bounds, asked)
    with kept.alone(), deadline.within(effort.left()):
        alone, answer = kept.earlier()
        if answer is None:
            share = effort.proof_budget / (1 + len({row.tobytes() for row in bounds}))
            work = Work(replace(effort, proof_budget=share), stated.unit)
            try:
                answer = _answer(problem, reduction, alone, work, kept)
            except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
                work.end(stop)
                answer = _answer(problem, reduction, alone, work, kept)
    return answer if stated.unit == "nat" else answer.in_bits()


def _check_letters(problem: Problem, bounds: np.ndarray) -> None:
    """Raise if what letters are leaves nobody to solve what targets limit together."""
    if problem.letters == "fixed" and limits_labels(problem, bounds) and limits_laws(problem, bounds):
        raise InvalidInput(
            "fixed letters with label entropies beside limits on the law of the reproduction are not offered; use "
            "letters='split', or lift one of these"
        )


def _check_size(reduction: TupleReduction, max_tuples: int) -> None:
    """Raise if there are too many tuples."""
    tuples = reduction.tuples
    size = " x ".join(map(str, tuples.sizes))
    cure = "merge symbols (coarser letters) or state fewer targets"
    if not reduction.is_linear and tuples.count > max_tuples:
        raise InvalidInput(
            f"{len(reduction.own)} targets with {size} symbols make {tuples.count} tuples, beyond "
            f"max_tuples={max_tuples} where label entropies or laws count; {cure}"
        )
    if tuples.count * reduction.problem.n_x > _PRICED:
        raise InvalidInput(
            f"{len(reduction.own)} targets with {size} symbols make {tuples.count:.3g} tuples, too many to price for "
            f"{reduction.problem.n_x} source symbols; {cure}"
        )


def _answer(problem: Problem, reduction: Reduction, alone: dict[bytes, Result], work: Work, kept: Kept) -> Universal:
    """Return what is found before the work ends, confirmed; `alone` is filled with the targets on their own."""
    bounds = reduction.bounds

    def so_far() -> Universal:
        nothing = unserved(problem, reduction, work)
        results = tuple(alone.get(row.tobytes()) or work.nothing(with_bounds(problem, row)) for row in bounds)
        known = [one.rate_lower for one in results if one.proof is Proof.CERTIFIED]
        lower = max([0.0, *(rate for rate in known if math.isfinite(rate))])
        claimed = _claimed(problem, bounds, results, nothing)
        return replace(claimed, status=Status.INTERRUPTED, rate_lower=lower, rate_upper=math.nan)

    for row in bounds:
        if row.tobytes() not in alone:
            alone[row.tobytes()] = work.solved(with_bounds(problem, row))
            kept.write(so_far, work)
    served = serving(problem, reduction, alone, work)
    results = tuple(alone[row.tobytes()] for row in bounds)
    answer = confirmed(_claimed(problem, bounds, results, served), problem, work.effort.tolerance)
    kept.write(lambda: answer, work, is_last=True)
    return answer


def _claimed(problem: Problem, bounds: np.ndarray, results: tuple[Result, ...], served: Served) -> Universal:
    """Return what was found, with the bounds that its own solver claims, to be confirmed."""
    names = problem.limit_names
    targets = tuple(
        {name: float(value) for name, value in zip(names, row, strict=True) if math.isfinite(value)} for row in bounds
    )
    result = served.result
    has_encoder = served.encoder.shape[1] > 0
    return Universal(
        status=served.status,
        proof=result.proof,
        law=served.law,
        rate_lower=result.rate_lower,
        rate_upper=result.rate_upper if has_encoder or math.isinf(result.rate_upper) else math.nan,
        penalty_lower=math.nan,
        penalty_upper=math.nan,
        penalty_proof=Proof.NONE,
        encoder=served.encoder,
        q=(served.encoder * problem.p_x[:, None]).sum(axis=0),
        targets=targets,
        decoders=served.decoders,
        results=results,
        result=result,
        problem=served.problem,
        message=served.message,
    )
