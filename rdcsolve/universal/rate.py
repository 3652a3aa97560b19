"""`universal_rate`: the least rate of one encoder that serves many targets, and what it costs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.letters.tuples import TupleSpace
from rdcsolve.problems import Problem
from rdcsolve.problems.validation import one_of
from rdcsolve.results import Proof, Result, Status
from rdcsolve.solvers import solve
from rdcsolve.solvers.finite.pruning import pruned
from rdcsolve.universal.decoding import Decoder, best_decoder, decoder_of
from rdcsolve.universal.fixed import Fixed, with_fixed_letters
from rdcsolve.universal.generation import generate
from rdcsolve.universal.result import Universal
from rdcsolve.universal.targets import bounds_of, with_bounds, with_split_letters

_LISTED = 4_000_000  # entries of a loss over all tuples: beyond this they are generated
_PRICED = 3e10  # symbols times tuples: beyond this pricing all of them takes minutes


def universal_rate(
    problem: Problem,
    targets: Any,
    *,
    tolerance: float = 1e-6,
    method: str = "automatic",
    max_tuples: int = 20_000,
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
        labels; the other loss of a problem with two), mappings of losses to bounds, or a dataset of `tradeoff`,
        whose points become targets: Theta = Omega(R), sampled.
    tolerance : float, optional
        The gap asked for, nats, of R(Theta) and of every target.
    method : {"automatic", "corner", "tuples"}, optional
        ``"corner"`` insists on the corner law, ``"tuples"`` on one symbol per target, none of them left out.
    max_tuples : int, optional
        Where label entropies count beside tuples, how many tuples there may be.

    Returns
    -------
    Universal
        With bounds on the rate and the penalty, an encoder, and one decoder per target.

    Raises
    ------
    InvalidInput
        If a target cannot be read, a method does not apply, or there are too many tuples.

    Notes
    -----
    Where one decoder is best at everything (free letters; split letters with limits on one linear loss and any label
    entropies) R(Theta) = R(min_j D_j, min_j C_j): the *corner law*. Otherwise Z is taken to be a tuple with one
    symbol per target. A(Theta) is never negative: an encoder that serves all targets serves the dearest. So the
    lower bounds of the targets are lower bounds of R(Theta), and `penalty_lower` is at least zero. With fixed letters
    and label entropies the lower bound is that of split letters, and the upper bound is the best encoder found.

    Messages that carry next to nothing are left out of the encoders where no limit breaks and the rate grows by no more
    than a hundredth of `tolerance`.

    Source: Nguyen et al. (2025), Definitions 3 and 4; proofs are in the docs, Universal representations.

    Examples
    --------
    >>> problem = Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], [[0.9, 0.1], [0.1, 0.9]], C=math.inf)
    >>> universal = universal_rate(problem, [(0.1, 0.6), (0.3, 0.5)])
    >>> universal.status.name, universal.law, bool(universal.penalty_lower <= 1e-6)
    ('OPTIMAL', 'corner', True)
    """
    bounds = bounds_of(problem, targets)
    one_of(method, ("automatic", "corner", "tuples"), "method")
    if isinstance(max_tuples, bool) or not isinstance(max_tuples, (int, np.integer)) or max_tuples < 1:
        raise InvalidInput(f"max_tuples is {max_tuples!r}; give an integer >= 1")
    is_fixed = problem.letters == "fixed" and bool(np.isfinite(bounds[:, _n_linear(problem) :]).any())
    split = with_split_letters(problem)
    stated = problem if is_fixed else split
    law = law_of(split, bounds, method)
    if law == "tuples":
        tuples, server = _tuples(split, bounds, method, max_tuples)  # before any work
    alone = _alone(stated, bounds, tolerance)
    if law == "corner":
        solved = _by_corner(split, bounds, {} if is_fixed else alone, tolerance)
    else:
        kept = [alone[row.tobytes()] for row in tuples.bounds]
        solved = _by_tuples(tuples, server, kept, tolerance)
    if is_fixed:
        solved = with_fixed_letters(stated, bounds, solved, tolerance)
    return _universal(stated, bounds, [alone[row.tobytes()] for row in bounds], solved, tolerance)


def _n_linear(problem: Problem) -> int:
    return len(problem.losses) - len(problem.label_entropies)


def law_of(problem: Problem, bounds: np.ndarray, method: str) -> str:
    """Return by which law the rate is found: the corner where one decoder is best at all that is limited."""
    limited = np.flatnonzero(np.isfinite(bounds[:, : _n_linear(problem)]).any(axis=0))
    holds = limited.size <= 1
    if method == "corner" and not holds:
        names = ", ".join(problem.loss_names[m] for m in limited)
        raise InvalidInput(
            f"the targets limit {names}, at which different symbols may be best, so the corner law does not hold; "
            "leave method out"
        )
    if method == "tuples" and not problem.linear_losses:
        raise InvalidInput("method is 'tuples' but letters are free, so there is no list of tuples; leave method out")
    if method == "automatic":
        return "corner" if holds else "tuples"
    return method


def _tuples(problem: Problem, bounds: np.ndarray, method: str, max_tuples: int) -> tuple[TupleSpace, np.ndarray]:
    """Return the tuples, and which of their symbols serves each target, after a check of their number."""
    linear = bounds.copy()
    linear[:, _n_linear(problem) :] = math.inf
    own = list(range(len(bounds))) if method == "tuples" else undominated(linear)
    server = np.array([next(j for j, k in enumerate(own) if (linear[k] <= row).all()) for row in linear])
    if method == "tuples":
        server = np.arange(len(bounds))
    tuples = TupleSpace(problem, bounds[own])
    has_entropies = np.isfinite(bounds[:, _n_linear(problem) :]).any()
    size = " x ".join(map(str, tuples.sizes))
    cure = "merge symbols (coarser letters) or state fewer targets"
    if has_entropies and tuples.count > max_tuples:
        raise InvalidInput(
            f"{len(own)} targets with {size} symbols make {tuples.count} tuples, beyond max_tuples={max_tuples} where "
            f"label entropies count; {cure}"
        )
    if tuples.count * problem.n_x > _PRICED:
        raise InvalidInput(
            f"{len(own)} targets with {size} symbols make {tuples.count:.3g} tuples, too many to price for "
            f"{problem.n_x} source symbols; {cure}"
        )
    return tuples, server


def undominated(linear: np.ndarray) -> list[int]:
    """Return the rows that no other row is below in every entry, the first of equals."""
    kept = []
    for j, row in enumerate(linear):
        below = (linear <= row).all(axis=1)
        equal = (linear == row).all(axis=1)
        if not (below & ~equal).any() and not equal[:j].any():
            kept.append(j)
    return kept


def _alone(problem: Problem, bounds: np.ndarray, tolerance: float) -> dict[bytes, Result]:
    """Return the solution of every target on its own, by its row of bounds."""
    found: dict[bytes, Result] = {}
    for row in bounds:
        if row.tobytes() not in found:
            found[row.tobytes()] = _solved(with_bounds(problem, row), tolerance)
    return found


def _solved(problem: Problem, tolerance: float) -> Result:
    return pruned(solve(problem, tolerance=tolerance), problem, tolerance)


def _by_corner(problem: Problem, bounds: np.ndarray, alone: dict[bytes, Result], tolerance: float) -> Fixed:
    corner = bounds.min(axis=0)
    stated = with_bounds(problem, corner)
    held = alone.get(corner.tobytes())
    result = _solved(stated, tolerance) if held is None else held
    channel, joint = _messages(problem, result)
    decoders: tuple[Decoder, ...] = ()
    if joint.shape[1]:
        limited = np.flatnonzero(np.isfinite(corner[: _n_linear(problem)]))
        linear = int(limited[0]) if limited.size else 0
        decoders = (best_decoder(problem, joint, linear),) * len(bounds)
    return Fixed("corner", result, stated, channel, joint, decoders, held is not None)


def _by_tuples(tuples: TupleSpace, server: np.ndarray, alone: list[Result], tolerance: float) -> Fixed:
    has_entropies = np.isfinite(tuples.bounds[:, _n_linear(tuples.base) :]).any()
    infeasible = [result for result in alone if result.status is Status.INFEASIBLE]
    everything = tuples.base.n_x * tuples.count <= _LISTED or has_entropies
    if everything or infeasible:
        held = tuples.everything() if everything else np.zeros((1, len(tuples.sizes)), dtype=np.intp)
        stated = tuples.stated(held)
        result = infeasible[0] if infeasible else _solved(stated, tolerance)
    else:
        result, stated, held = generate(tuples, alone, tolerance)
    channel, joint = _messages(tuples.base, result if not infeasible else None)
    decoders: tuple[Decoder, ...] = ()
    if joint.shape[1]:
        shown = held[result.letters[result.q > 0]]
        own = [decoder_of(tuples.base, joint, tuples.symbols(shown, j)) for j in range(len(tuples.sizes))]
        decoders = tuple(own[j] for j in server)
    return Fixed("tuples", result, stated, channel, joint, decoders, False)


def _messages(problem: Problem, result: Result | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the channel into the letters that have mass, and the masses of symbol and letter."""
    if result is None:
        empty = np.empty((problem.n_x, 0))
        return empty, empty
    channel = result.channel[:, result.q > 0]
    return channel, channel * problem.p_x[:, None]


def _universal(problem: Problem, bounds: np.ndarray, alone: list[Result], solved: Fixed, tolerance: float) -> Universal:
    result = solved.result
    names = problem.loss_names
    targets = tuple(
        {name: float(value) for name, value in zip(names, row, strict=True) if math.isfinite(value)} for row in bounds
    )
    lowers = [one.rate_lower for one in alone if one.proof is Proof.CERTIFIED]
    lower = max([result.rate_lower, *lowers]) if result.proof is Proof.CERTIFIED else result.rate_lower
    lower = min(lower, result.rate_upper)
    low, high, proof = _penalty(solved, alone, lower, tolerance)
    return Universal(
        status=result.status,
        proof=result.proof,
        law=solved.law,
        rate_lower=lower,
        rate_upper=result.rate_upper,
        penalty_lower=low,
        penalty_upper=high,
        penalty_proof=proof,
        encoder=solved.channel,
        q=solved.joint.sum(axis=0),
        targets=targets,
        decoders=solved.decoders,
        results=tuple(alone),
        result=result,
        problem=solved.problem,
        message=result.message,
    )


def _penalty(solved: Fixed, alone: list[Result], lower: float, tolerance: float) -> tuple[float, float, Proof]:
    """Return bounds on the penalty, and what they prove: only the bounds that decide need a proof of their own."""
    result = solved.result
    if math.isinf(result.rate_upper) or math.isnan(result.rate_upper):
        return math.nan, math.nan, result.proof
    if solved.is_target:  # R(Theta) is the rate of this target, whatever is known about it
        return 0.0, 0.0, Proof.CERTIFIED
    uppers, lowers = ([getattr(one, name) for one in alone] for name in ("rate_upper", "rate_lower"))
    low = 0.0 if np.isnan(uppers).any() else max(lower - max(uppers), 0.0)  # an unknown rate may be any
    high = max(result.rate_upper - max(bound for bound in [*lowers, 0.0] if not math.isnan(bound)), 0.0)
    dearest = max((one.rate_lower for one in alone if one.proof is Proof.CERTIFIED), default=0.0)
    proved = max(result.rate_upper - dearest, 0.0)
    if (low == 0 or result.proof is Proof.CERTIFIED) and proved <= high + tolerance:
        return low, proved, Proof.CERTIFIED
    return low, high, Proof.UNVERIFIED
