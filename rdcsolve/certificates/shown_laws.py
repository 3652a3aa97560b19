"""How the laws that a channel's letters show stand to the limits of a problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.certificates.law_check import law_excess, law_slack, laws_of
from rdcsolve.certificates.law_move import move_of, rate_of_difference
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.problems import Problem


@dataclass(frozen=True)
class _OfLaws:
    """What the check of laws looks at in a certificate."""

    laws: tuple[LawProof, ...]


@dataclass(frozen=True)
class ShownLaws:
    """How the laws that a channel's letters show stand to the limits of a problem.

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
    rise : float
        By how much an encoder's rate may be higher then, nats, so that this decoder shows the laws exactly: where
        letters cannot be sent through one kernel for all symbols, the message has to tell which others they are.
    """

    distances: dict[str, float]
    excess: dict[str, float]
    slack: dict[str, float]
    moved: float
    rise: float

    @classmethod
    def of(cls, problem: Problem, letters: np.ndarray, channel: np.ndarray, proofs: tuple[LawProof, ...]) -> ShownLaws:
        """Return what floating-point arithmetic, its own roundings counted, finds of a channel.

        Parameters
        ----------
        problem : Problem
            With limits on laws.
        letters : numpy.ndarray
            Shape (k,).
        channel : numpy.ndarray
            Shape (n_x, k), rows that sum to one.
        proofs : tuple of LawProof
            One for every perception, with a plan where the distance is one of transport.
        """
        nothing, multipliers = np.zeros(problem.n_x), np.zeros(len(problem.losses))
        numbers = FloatNumbers(problem, nothing, nothing, multipliers, letters, channel, None)
        laws: list[Any] = laws_of(_OfLaws(proofs), problem, numbers, "float")
        distances = {law.perception.name: float(law.distance()) for law in laws}
        move = move_of(problem, laws, distances, numbers, "float")
        moved = max(move.mass, sum(distances[law.perception.name] for law in laws if law.has_to_be_exact))
        rise = rate_of_difference(move.mass, problem.n_letters) if move.rate else 0.0
        return cls(distances, law_excess(laws, distances, moved), law_slack(laws, "float", 0.0), moved, rise)

    def within(self, problem: Problem) -> dict[str, float]:
        """Return the distances, at most the limits."""
        pairs = zip(problem.perception_names, problem.perception_bounds.tolist(), strict=True)
        return {name: min(self.distances[name], bound) for name, bound in pairs}
