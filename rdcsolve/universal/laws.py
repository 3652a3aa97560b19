"""The laws of what decoders show, with plans between them and their targets: the check measures how far they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.certificates.shown_laws import ShownLaws
from rdcsolve.perception.transport import plan_between
from rdcsolve.problems import Perception, Problem
from rdcsolve.universal.decoding import Decoder


def laws_shown(problem: Problem, decoder: Decoder, channel: np.ndarray) -> ShownLaws:
    """Return how far the laws of what a decoder without fault shows are from their targets.

    Parameters
    ----------
    problem : Problem
        With the limits of the decoder's target.
    decoder : Decoder
    channel : numpy.ndarray
        The encoder, shape (n_x, k).
    """
    letters, q = np.asarray(decoder.letters, dtype=np.intp), problem.p_x @ channel
    proofs = tuple(
        _with_plan(one, one.law(letters, one.masses_of(problem.p_x, channel, q))) for one in problem.perceptions
    )
    return ShownLaws.of(problem, letters, channel, proofs)


def _with_plan(perception: Perception, law: np.ndarray) -> LawProof:
    """Return a proof that holds a plan between the target and a law, where the distance is one of transport."""
    idle = LawProof.idle(perception)
    if perception.cost is None:
        return idle
    plan = plan_between(perception.target, law, perception.cost)
    return replace(idle, rows=plan.rows.astype(np.int64), columns=plan.columns.astype(np.int64), masses=plan.masses)
