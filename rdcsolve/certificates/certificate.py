"""The numbers that prove a result: multipliers and u for the lower bound, a channel for the upper."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rdcsolve.certificates.check import Verification, verify
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.certificates.proof import PriceProof
from rdcsolve.problems import Problem


@dataclass(frozen=True, eq=False)
class Certificate:
    """Proof of a lower and an upper bound on the objective of a problem.

    The lower bound rests on `u` and `multipliers` alone (Csiszar 1974, Blahut 1972): with
    c(a) = sum_i p_i exp(u_i - lambda.L(i, a)), every channel has
    I >= p.u - lambda.E L - log max_a c(a). Where letters cannot all be tried, `proof` says how the largest price is
    bounded. The upper bound is what `channel` attains.

    Parameters
    ----------
    objective : str
        ``"rate"``, ``"lagrangian"`` or the name of the loss that is minimised.
    u : numpy.ndarray
        Shape (n_x,), nats.
    multipliers : numpy.ndarray
        Shape (M,), aligned with the problem's losses, >= 0 but for losses that are held at their bounds.
    letters : numpy.ndarray
        Shape (k,): which letters the channel uses.
    channel : numpy.ndarray
        Shape (n_x, k), rows are distributions.
    lower, upper : float
        The bounds claimed, in the unit of the objective; NaN where nothing is claimed.
    fingerprint : str
        `Problem.fingerprint` of the problem solved.
    u_rest : numpy.ndarray, optional
        Shape (n_x,): u is the exact sum of the two. Where a loss has a large constant part u is as large, and what its
        last digit leaves out would cost the bound more than everything else. Zero by default.
    proof : PriceProof, optional
        Of the largest price, where letters come with soft decisions or are points of the line.
    laws : tuple of LawProof, optional
        One per perception of the problem: prices of places, scalars, and a transport plan. None uses nothing of the
        reproduction's law.
    """

    objective: str
    u: np.ndarray
    multipliers: np.ndarray
    letters: np.ndarray
    channel: np.ndarray
    lower: float
    upper: float
    fingerprint: str
    u_rest: np.ndarray = None  # type: ignore[assignment]
    proof: PriceProof | None = None
    laws: tuple[LawProof, ...] = ()

    def __post_init__(self) -> None:
        if self.u_rest is None:
            object.__setattr__(self, "u_rest", np.zeros(np.shape(self.u)))

    @property
    def point(self) -> DualPoint:
        """The dual point: u and the multipliers."""
        return DualPoint(self.u, self.multipliers, self.u_rest)

    def verify(self, problem: Problem, arithmetic: str = "float") -> Verification:
        """Recompute both bounds from the problem and these numbers alone, without the solver.

        Parameters
        ----------
        problem : Problem
            The problem solved, or any other with the same losses: the certificate then bounds that one too.
        arithmetic : {"float", "ball"}, optional
            ``"ball"`` encloses every rounding error (python-flint), so that the bounds returned are theorems about
            the numbers stored.

        Returns
        -------
        Verification

        Raises
        ------
        InvalidInput
            If the problem's losses are not those of the certificate, or `arithmetic` is unknown.
        MissingExtra
            If ball arithmetic is asked for and python-flint is not installed.
        """
        return verify(self, problem, arithmetic)
