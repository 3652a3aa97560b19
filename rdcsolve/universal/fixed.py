"""Fixed letters: an encoder found with split letters, decoded into symbols alone, or the corner's own channel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.results import Result, Status
from rdcsolve.universal.decoding import decoder_of, label_masses, symbol_losses
from rdcsolve.universal.deterministic import Assignments, meeting
from rdcsolve.universal.reduction import Served, messages_of
from rdcsolve.universal.slack import limit_slack

LAW = "fixed letters"


def with_symbols_alone(problem: Problem, bounds: np.ndarray, split: Served) -> Served | None:
    """Return the encoder of split letters with decoders that show symbols alone, or None if none are found.

    Under the lower bound of split letters, which holds for fixed ones, that encoder is then as good as any.

    Parameters
    ----------
    problem : Problem
        With fixed letters.
    bounds : numpy.ndarray
        Of the targets, shape (J, L); none limits a law.
    split : Served
        The solution with split letters.
    """
    if not split.encoder.shape[1]:
        return replace(split, law=LAW, decoders=())
    joint = split.encoder * problem.p_x[:, None]
    assignments = assignments_of(problem, joint)
    slack = np.array([limit_slack(problem)[name] for name in problem.loss_names]) / 2  # the check adds in another order
    found = [meeting(assignments, row, slack) for row in bounds[:, : slack.size]]
    if any(letters is None for letters in found):
        return None
    decoders = tuple(decoder_of(problem, joint, letters) for letters in found if letters is not None)
    return replace(split, law=LAW, decoders=decoders)


def with_channel_of_corner(problem: Problem, bounds: np.ndarray, split: Served, literal: Result) -> Served:
    """Return the encoder that sends the symbols of a channel that meets the least of all bounds.

    Every target shows the symbols as they are. Nothing says that no other encoder needs less, so the bound below is
    that of split letters, and stays with its own problem and certificate.

    Parameters
    ----------
    problem, bounds, split
        As of `with_symbols_alone`.
    literal : Result
        The best channel found, with fixed letters, under the least of all bounds.
    """
    if literal.status is Status.INFEASIBLE or not literal.channel.shape[1]:
        message = (
            "with fixed letters no encoder was found that serves all targets; the lower bound, of split letters, holds"
        )
        nothing = np.empty((problem.n_x, 0))
        return Served(LAW, split.result, split.problem, nothing, (), Status.STALLED, message)
    encoder, joint = messages_of(problem, literal)
    decoder = decoder_of(problem, joint, literal.letters[literal.q > 0])
    decoders = (decoder,) * len(bounds)
    return Served(LAW, split.result, split.problem, encoder, decoders, literal.status, literal.message)


def assignments_of(problem: Problem, joint: np.ndarray) -> Assignments:
    """Return the maps from messages to symbols under all losses of a problem; `joint` has shape (n_x, k)."""
    linear = tuple(symbol_losses(problem, joint, loss.block()) for loss in problem.linear_losses)
    labels = tuple(label_masses(label.conditional, joint) for label in problem.label_entropies)
    return Assignments(linear, labels, problem.n_letters)
