"""What `universal_rate` returns."""

from __future__ import annotations

from dataclasses import dataclass
from os import PathLike

from rdcsolve.calls import public_call
from rdcsolve.markup import html_table
from rdcsolve.problems import Problem
from rdcsolve.results import Status
from rdcsolve.universal.answer import Answer
from rdcsolve.universal.check import verify
from rdcsolve.universal.packing import save
from rdcsolve.universal.units import in_bits
from rdcsolve.universal.verification import UniversalVerification


@dataclass(frozen=True, eq=False)
class Universal(Answer):
    """One encoder for many targets: its least rate between bounds, and what it costs above the dearest target.

    Information is in the unit of the problem; unknown numbers are NaN.

    Attributes
    ----------
    status : Status
        Why the solver stopped.
    proof : Proof
        What `rate_lower` and `rate_upper` prove; UNVERIFIED if the lower one rests on a price that was only searched.
    law : str
        How it was solved: ``"corner"``, ``"tuples"``, or ``"fixed letters"``.
    rate_lower, rate_upper : float
        Bounds on R(Theta); inf where some target cannot be met. `rate_upper` is the rate of `encoder`, NaN if there is
        none that serves all targets.
    penalty_lower, penalty_upper : float
        Bounds on A(Theta) = R(Theta) - max_j R(target j), from the bounds on both.
    penalty_proof : Proof
        What they prove: ``CERTIFIED`` if the bounds that decide are, which need not be all. That no penalty is below
        zero needs no bound, nor that it is zero where one target implies all others.
    encoder : numpy.ndarray
        p(z | x), shape (n_x, k), without messages of negligible mass.
    q : numpy.ndarray
        Masses of the messages z, shape (k,).
    targets : tuple of dict of str to float
        Bounds by name of the loss or perception, those that are limited.
    decoders : tuple of Decoder
        One per target, in order.
    results : tuple of Result
        The targets on their own, each with its own best encoder.
    result : Result
        Of the equivalent problem: the corner, or the problem over tuples; with split letters where the problem's are
        fixed and label entropies are limited.
    problem : Problem
        The equivalent problem, which the certificate of `result` is about.
    message : str
        More about the status, where there is more to say.
    unit : {"nat", "bit"}
        Of all information but what certificates hold, which is in nats.
    in_nats : Universal or None
        Where the unit is another, the same answer in nats: what is checked, and saved.
    """

    @property
    def gap(self) -> float:
        """Upper minus lower bound on R(Theta)."""
        return self.rate_upper - self.rate_lower

    def in_bits(self) -> Universal:
        """Return the answer with all information in bits."""
        return in_bits(self)

    def verify(self, problem: Problem, arithmetic: str = "float") -> UniversalVerification:
        """Recompute bounds and losses from the problem, the encoder, the decoders and the certificates.

        A decoder may exceed a limit by 1e-12 of what its loss can range over: that is rounding. Everything that the
        answer claims beyond what follows is a fault.

        Parameters
        ----------
        problem : Problem
            The one that `universal_rate` was given; its own limits do not matter.
        arithmetic : {"float", "ball"}, optional
            Of the certificates; see `Certificate.verify`.

        Returns
        -------
        UniversalVerification

        Raises
        ------
        InvalidInput
            If the problem's losses are not those of the certificates, or there is nothing to verify.
        MissingExtra
            If ball arithmetic is asked for and python-flint is not installed.
        """
        return verify(self, problem, arithmetic)

    @public_call
    def save(self, path: str | PathLike[str]) -> None:
        """Write everything as one npz file, without pickle, whole or not at all; `rdcsolve.load` reads it.

        Parameters
        ----------
        path : path-like
            The file to write; an existing one is replaced only once the new one is complete.

        Raises
        ------
        SaveFailed
            If the file cannot be written; an existing file is left as it was.
        """
        save(self, path)

    def __str__(self) -> str:
        rows = [f"{self.status.name}, {self.proof.name}: {self.message or self.status.value}"]
        if self.status is Status.INFEASIBLE:
            return "\n".join(rows)
        rows.append(f"  R(Theta) in [{self.rate_lower:.10f}, {self.rate_upper:.10f}] {self.unit}, gap {self.gap:.1e}")
        penalty = f"[{self.penalty_lower:.3e}, {self.penalty_upper:.3e}] {self.unit}"
        rows.append(f"  rate penalty in {penalty}, {self.penalty_proof.name}")
        for target, alone in zip(self.targets, self.results, strict=True):
            limits = ", ".join(f"{name} <= {bound:.6g}" for name, bound in target.items())
            rows.append(f"  {limits}: alone in [{alone.rate_lower:.10f}, {alone.rate_upper:.10f}] {self.unit}")
        rows.append(f"  {self.q.size} messages, {self.law}")
        return "\n".join(rows)

    def _repr_html_(self) -> str:
        first, *rest = str(self).splitlines()
        if self.status is Status.INFEASIBLE:
            return html_table(first, (), ())
        pairs = zip(self.targets, self.results, strict=True)
        rows = [
            (", ".join(f"{name} <= {bound:.6g}" for name, bound in target.items()), alone.rate_lower, alone.rate_upper)
            for target, alone in pairs
        ]
        notes = [line.strip() for line in rest if ": alone in [" not in line]
        return html_table(first, ("target", f"rate alone, at least [{self.unit}]", "at most"), rows, notes)

    def __repr__(self) -> str:
        return (
            f"<Universal {self.status.name}, {self.proof.name}: {len(self.targets)} targets, rate in "
            f"[{self.rate_lower:.10g}, {self.rate_upper:.10g}]>"
        )
