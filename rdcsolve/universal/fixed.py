"""Fixed letters: an encoder found with split letters, decoded into symbols alone, or the corner's own channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.results import Result, Status
from rdcsolve.solvers import solve
from rdcsolve.solvers.finite.pruning import pruned
from rdcsolve.universal.decoding import Decoder, decoder_of, label_masses, symbol_losses
from rdcsolve.universal.deterministic import Assignments, meeting
from rdcsolve.universal.targets import with_bounds


@dataclass(frozen=True, eq=False)
class Fixed:
    """An encoder that serves all targets, and how it was found.

    Parameters
    ----------
    law : str
    result : Result
        Of the equivalent problem.
    problem : Problem
        The equivalent problem.
    channel, joint : numpy.ndarray
        p(z | x) and the masses of symbol and message, shape (n_x, k).
    decoders : tuple of Decoder
        One per target.
    is_target : bool
        Whether the equivalent problem is one of the targets, which then implies all others.
    """

    law: str
    result: Result
    problem: Problem
    channel: np.ndarray
    joint: np.ndarray
    decoders: tuple[Decoder, ...]
    is_target: bool


def with_fixed_letters(problem: Problem, bounds: np.ndarray, split: Fixed, tolerance: float) -> Fixed:
    """Return the best encoder found for fixed letters, under the lower bound of split letters.

    Two encoders are tried. The one of split letters stays optimal if for every target a search finds a map from its
    messages to symbols that meets the limits. Otherwise it is the best channel found for the least of all bounds,
    whose symbols meet every target as they are.

    Parameters
    ----------
    problem : Problem
        With fixed letters.
    bounds : numpy.ndarray
        Of the targets, shape (J, M).
    split : Fixed
        The solution with split letters.
    tolerance : float
    """
    if not split.joint.shape[1]:
        return replace(split, law="fixed letters")
    assignments = assignments_of(problem, split.joint)
    found = [meeting(assignments, row) for row in bounds]
    if all(letters is not None for letters in found):
        shown = [letters for letters in found if letters is not None]
        decoders = tuple(decoder_of(problem, split.joint, letters, merged=True) for letters in shown)
        return replace(split, law="fixed letters", decoders=decoders, is_target=False)
    corner = with_bounds(problem, bounds.min(axis=0))
    literal = pruned(solve(corner, tolerance=tolerance), corner, tolerance)
    if literal.status is Status.INFEASIBLE or not literal.channel.shape[1]:
        message = (
            "with fixed letters no encoder was found that serves all targets; the lower bound, of split letters, holds"
        )
        nothing = np.empty((problem.n_x, 0))
        unknown: Any = {"rate_upper": np.nan, "objective_upper": np.nan}
        result = replace(split.result, status=Status.STALLED, message=message, **unknown)
        return Fixed("fixed letters", result, split.problem, nothing, nothing, (), False)
    used = literal.q > 0
    channel = literal.channel[:, used]
    joint = channel * problem.p_x[:, None]
    decoder = decoder_of(problem, joint, literal.letters[used], merged=True)
    lower = max(literal.rate_lower, split.result.rate_lower) if split.law == "corner" else split.result.rate_lower
    result = replace(literal, rate_lower=lower, objective_lower=lower, proof=split.result.proof)
    return Fixed("fixed letters", result, corner, channel, joint, (decoder,) * len(bounds), False)


def assignments_of(problem: Problem, joint: np.ndarray) -> Assignments:
    """Return the maps from messages to symbols under all losses of a problem; `joint` has shape (n_x, k)."""
    linear = tuple(symbol_losses(problem, joint, loss.matrix) for loss in problem.linear_losses)
    labels = tuple(label_masses(label.conditional, joint) for label in problem.label_entropies)
    return Assignments(linear, labels, problem.n_letters)
