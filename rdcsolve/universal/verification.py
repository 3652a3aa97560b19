"""What a check of a universal encoder found."""

from __future__ import annotations

from dataclasses import dataclass

from rdcsolve.certificates import Verification
from rdcsolve.markup import verdict_in_html


@dataclass(frozen=True)
class UniversalVerification:
    """What a universal encoder, its decoders and its certificates prove about a problem.

    Parameters
    ----------
    arithmetic : str
        Of the certificates: ``"float"`` or ``"ball"``. The encoder and its decoders are evaluated in floating point.
    lower, upper : float
        Bounds on R(Theta), nats; the upper one is the rate of the encoder, inf if a decoder misses its target.
    penalty_lower, penalty_upper : float
        Bounds on A(Theta) that follow.
    alone : tuple of Verification or None
        Of every target on its own; None where its result has no certificate, of which nothing is taken for granted.
    excess : tuple of dict of str to float
        By how much every decoder exceeds the limits of its target, >= 0; NaN where it is none.
    valid : bool
        Whether all decoders meet their targets (to 1e-12 of what the loss can range over) and what the encoder claims
        follows.
    messages : tuple of str
        What is wrong, then what else there is to know.
    """

    arithmetic: str
    lower: float
    upper: float
    penalty_lower: float
    penalty_upper: float
    alone: tuple[Verification | None, ...]
    excess: tuple[dict[str, float], ...]
    valid: bool
    messages: tuple[str, ...] = ()

    _repr_html_ = verdict_in_html

    def __str__(self) -> str:
        verdict = "valid" if self.valid else "NOT valid"
        rows = [
            f"{verdict} in {self.arithmetic} arithmetic: R(Theta) in [{self.lower:.12f}, {self.upper:.12f}] nat, "
            f"gap {self.upper - self.lower:.1e}",
            f"  rate penalty in [{self.penalty_lower:.3e}, {self.penalty_upper:.3e}] nat",
        ]
        for j, one in enumerate(self.alone):
            if one is None:
                continue  # the messages say so
            rows.append(f"  target {j} alone: rate in [{one.lower:.12f}, {one.upper:.12f}] nat")
        return "\n".join(rows + [f"  {message}" for message in self.messages])
