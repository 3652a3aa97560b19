"""How far the law of what a decoder shows is from its target: the check's own distances, rounded up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.certificates.law_check import law_excess, law_slack, laws_of
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.perception.transport import plan_between
from rdcsolve.problems import Perception, Problem
from rdcsolve.universal.decoding import Decoder


@dataclass(frozen=True)
class _Shown:
    """What the check of a law looks at in a certificate."""

    laws: tuple[LawProof, ...]


@dataclass(frozen=True)
class LawsShown:
    """How the laws of a decoder's reproduction stand to the limits of its target.

    Attributes
    ----------
    distances : dict of str to float
        By name of every perception, rounded up; of a limit at zero the mass that is not where it should be.
    excess, slack : dict of str to float
        By how much limits are exceeded, of those that there are, and by how much they may be: in mass where they are
        zero, else not at all.
    moved : float
        Mass that has to be moved so that limits at zero are met, which raises no loss by more than that share of its
        range.
    """

    distances: dict[str, float]
    excess: dict[str, float]
    slack: dict[str, float]
    moved: float

    def within(self, problem: Problem) -> dict[str, float]:
        """Return the distances, at most the limits."""
        pairs = zip(problem.perception_names, problem.perception_bounds.tolist(), strict=True)
        return {name: min(self.distances[name], bound) for name, bound in pairs}


def laws_shown(problem: Problem, decoder: Decoder, channel: np.ndarray) -> LawsShown:
    """Return how far the laws of what a decoder without fault shows are from their targets.

    Parameters
    ----------
    problem : Problem
        With the limits of the decoder's target.
    decoder : Decoder
    channel : numpy.ndarray
        The encoder, shape (n_x, k).
    """
    nothing, multipliers = np.zeros(problem.n_x), np.zeros(len(problem.losses))
    letters = np.asarray(decoder.letters, dtype=np.intp)
    numbers = FloatNumbers(problem, nothing, nothing, multipliers, letters, channel, None)
    masses = problem.p_x @ channel
    proofs = tuple(_with_plan(one, one.law(letters, masses)) for one in problem.perceptions)
    laws: list[Any] = laws_of(_Shown(proofs), problem, numbers, "float")
    distances = {law.perception.name: float(law.distance()) for law in laws}
    moved = sum(distances[law.perception.name] for law in laws if law.has_to_be_exact)
    return LawsShown(distances, law_excess(laws, distances, moved), law_slack(laws, "float", 0.0), moved)


def _with_plan(perception: Perception, law: np.ndarray) -> LawProof:
    """Return a proof that holds a plan between the target and a law, where the distance is one of transport."""
    idle = LawProof.idle(perception)
    if perception.cost is None:
        return idle
    plan = plan_between(perception.target, law, perception.cost)
    return replace(idle, rows=plan.rows.astype(np.int64), columns=plan.columns.astype(np.int64), masses=plan.masses)
