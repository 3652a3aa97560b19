"""What a solver returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.certificates import Certificate, Verification
from rdcsolve.errors import InvalidInput
from rdcsolve.information import nats_to_bits
from rdcsolve.markup import html_table
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.packing import save
from rdcsolve.results.status import Proof, Status
from rdcsolve.results.units import InBits, is_information


@dataclass(frozen=True)
class StepRecord:
    """One line of a solver's history; unknown numbers are NaN.

    Parameters
    ----------
    step : int
    seconds : float
        Wall time since the start.
    lower : float
        The best lower bound on the objective proved so far.
    value : float
        The objective at the step's channel or, where the rate is minimised under limits, the Lagrangian at the step's
        output masses and multipliers.
    multipliers : tuple of float
    n_letters : int
        Letters under consideration.
    """

    step: int
    seconds: float
    lower: float
    value: float
    multipliers: tuple[float, ...]
    n_letters: int


@dataclass(frozen=True, eq=False)
class Result:
    """A solution with its bounds and their proof, information in the unit of its problem; unknown numbers are NaN.

    Attributes
    ----------
    status : Status
        Why the solver stopped.
    proof : Proof
        What the numbers prove.
    objective : str
        ``"rate"``, ``"lagrangian"`` (I + lambda.E L at fixed multipliers) or the name of a loss.
    objective_lower, objective_upper : float
        Bounds on the optimal value of the objective.
    rate_lower, rate_upper : float
        When the rate is minimised, its bounds. Otherwise `rate_upper` is the rate of the channel, and
        `rate_lower` a lower bound on the rate of every channel with this one's losses.
    losses : dict of str to float
        Mean of every loss of the problem under the channel.
    multipliers : dict of str to float
        One per loss and perception, >= 0: minus the slope of the least rate in that bound, nats (or bits) per unit.
        Infinite for a limit at zero on the law of the reproduction.
    channel : numpy.ndarray or Channel
        Shape (n_x, k). Where losses are not stored and the array would be larger than 8 MB (2^23 bytes), a `Channel`,
        which makes rows on demand.
    letters : numpy.ndarray
        Shape (k,), indices into the reproduction alphabet; repeated where letters are split. Where they are free,
        indices into `reproduction`.
    reproduction : numpy.ndarray
        Where letters are free: E[X | a], shape (k, dim). Otherwise empty.
    decisions : tuple of numpy.ndarray
        Per label entropy of the problem p(s | a), shape (k, n_s): the soft decision that a letter stands for.
    q : numpy.ndarray
        Shape (k,): output masses of the channel.
    d_tilted : numpy.ndarray
        Shape (n_x,), nats (or bits): u - lambda.b with b the losses of the channel; its mean is the rate
        (Kostina and Verdu 2012).
    perceptions : dict of str to float
        By name of every perception, how far the law of the reproduction is from its target.
    output_law : numpy.ndarray
        Shape (m,): the law of the reproduction, on the places of the problem's first perception; else empty.
    certificate : Certificate or None
    minimum : dict of str to float
        For an infeasible problem, the least values that can be attained.
    steps : int
    seconds : float
    method : str
    history : tuple of StepRecord
    fingerprint : str
    message : str
        More about the status, where there is more to say.
    unit : {"nat", "bit"}
        Of all information in this result but the certificate, which stays in nats.
    information_losses : tuple of str
        Names of the losses that are in that unit; the others have their own.
    """

    status: Status
    proof: Proof
    objective: str
    objective_lower: float
    objective_upper: float
    rate_lower: float
    rate_upper: float
    losses: dict[str, float]
    multipliers: dict[str, float]
    channel: Any
    letters: np.ndarray
    q: np.ndarray
    d_tilted: np.ndarray
    certificate: Certificate | None
    fingerprint: str
    method: str
    steps: int = 0
    seconds: float = 0.0
    minimum: dict[str, float] = field(default_factory=dict)
    history: tuple[StepRecord, ...] = ()
    message: str = ""
    unit: str = "nat"
    information_losses: tuple[str, ...] = ()
    decisions: tuple[np.ndarray, ...] = ()
    reproduction: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    perceptions: dict[str, float] = field(default_factory=dict)
    output_law: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def gap(self) -> float:
        """Upper minus lower bound on the objective."""
        return self.objective_upper - self.objective_lower

    @property
    def proved_lower(self) -> float:
        """The lower bound on the objective that is proved, in the result's unit.

        That is `objective_lower` where `proof` is CERTIFIED. Where it is UNVERIFIED, `objective_lower` is what the
        search believes, and this is what the certificate proves. NaN if nothing is proved.
        """
        if self.proof is Proof.CERTIFIED:
            return self.objective_lower
        if self.certificate is None or self.proof is Proof.NONE:
            return math.nan
        in_bits = self.unit == "bit" and is_information(self.objective, self.information_losses)
        return float(nats_to_bits(self.certificate.lower)) if in_bits else self.certificate.lower

    @property
    def distortion(self) -> float:
        """Mean of the problem's distortion under the channel."""
        return self.losses.get("distortion", math.nan)

    @property
    def label_entropy(self) -> float:
        """H(S | A) of the source's first label under the channel; NaN if the problem does not mention it."""
        return self.losses.get("label_entropy", math.nan)

    def in_bits(self) -> Result:
        """Return the result with all information in bits; the certificate stays in nats.

        Rates, Lagrangians, label entropies and cross-entropies, bounds on them, least values, d-tilted information, the
        history, and multipliers per unit of another loss. A multiplier of a label's entropy is a plain number.
        """
        if self.unit == "bit":
            return self
        shown: Result = InBits(self.objective, tuple(self.multipliers), self.information_losses).result(self)
        return shown

    def verify(self, problem: Problem, arithmetic: str = "float") -> Verification:
        """Check everything that this result prints: its certificate, and its own numbers against the certificate.

        Parameters
        ----------
        problem : Problem
            The problem solved.
        arithmetic : {"float", "ball"}, optional
            See `Certificate.verify`.

        Returns
        -------
        Verification
            Not valid, with a sentence for every fault, if a number printed is stronger than what is proved.

        Raises
        ------
        InvalidInput
            If there is no certificate, it belongs to other losses, or `arithmetic` is unknown.
        MissingExtra
            If ball arithmetic is asked for and python-flint is not installed.
        """
        from rdcsolve.results.claims import verified

        if self.certificate is None:
            raise InvalidInput(f"the result has no certificate ({self.status.name}); there is nothing to verify")
        return verified(self, problem, arithmetic)

    @public_call
    def save(self, path: str | PathLike[str]) -> None:
        """Write the result as one npz file, without pickle, whole or not at all.

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
        name = {"rate": "rate", "lagrangian": "Lagrangian"}.get(self.objective, self.objective)
        rows = [f"{self.status.name}, {self.proof.name}: {self.message or self.status.value}"]
        if self.status is Status.INFEASIBLE:
            rows += [f"  least {key}: {value:.10g}{self._unit_of(key)}" for key, value in self.minimum.items()]
            return "\n".join(rows)
        unit = self._unit_of(self.objective)
        rows.append(f"  {name} in [{self.objective_lower:.10f}, {self.objective_upper:.10f}]{unit}, gap {self.gap:.1e}")
        if self.proof is Proof.UNVERIFIED and not math.isnan(self.proved_lower):
            rows.append(f"  proved: at least {self.proved_lower:.10f}{unit}; the lower bound above rests on the search")
        if not is_rate(self.objective):
            rows.append(f"  rate of the channel {self.rate_upper:.10f} {self.unit}")
        for key, value in self.losses.items():
            price = f"{self.multipliers[key]:.6g}" + ("" if self._unit_of(key) else f" {self.unit}/unit")
            rows.append(f"  {key} {value:.10g}{self._unit_of(key)}, multiplier {price}")
        for key, value in self.perceptions.items():
            rows.append(f"  {key} {value:.10g}, multiplier {self.multipliers[key]:.6g} {self.unit}/unit")
        rows.append(f"  {self.letters.size} letters, {self.method}, {self.steps} steps, {self.seconds:.3g} s")
        return "\n".join(rows)

    def to_dict(self) -> dict[str, Any]:
        """Return the numbers of the result, without its arrays, as what JSON can hold: None where there is no number.

        Information is in `unit`. The certificate and the channel are in the file that `save` writes.

        Returns
        -------
        dict
            ``status``, ``proof``, ``message``, ``objective``, ``lower`` and ``upper`` (bounds on it), ``gap``,
            ``rate_lower``, ``rate_upper``, ``unit``; ``losses``, ``multipliers``, ``perceptions``, ``minimum`` by name;
            ``letters`` (how many), ``method``, ``steps``, ``seconds``, ``fingerprint``.
        """

        def number(value: float) -> float | str | None:
            return None if math.isnan(value) else float(value) if math.isfinite(value) else str(value)

        named = ("losses", "multipliers", "perceptions", "minimum")
        return {
            "status": self.status.name,
            "proof": self.proof.name,
            "message": self.message or self.status.value,
            "objective": self.objective,
            "lower": number(self.objective_lower),
            "upper": number(self.objective_upper),
            "gap": number(self.gap),
            "rate_lower": number(self.rate_lower),
            "rate_upper": number(self.rate_upper),
            "unit": self.unit,
            **{name: {key: number(value) for key, value in getattr(self, name).items()} for name in named},
            "letters": int(self.letters.size),
            "method": self.method,
            "steps": self.steps,
            "seconds": self.seconds,
            "fingerprint": self.fingerprint,
        }

    def _repr_html_(self) -> str:
        first, *rest = str(self).splitlines()
        rows = [(key, value, self.multipliers[key]) for key, value in (self.losses | self.perceptions).items()]
        if self.status is Status.INFEASIBLE:
            return html_table(first, ("least attainable", "value"), list(self.minimum.items()))
        notes = [line.strip() for line in rest if not line.strip().startswith(tuple(f"{row[0]} " for row in rows))]
        return html_table(first, ("loss", "value", f"multiplier [{self.unit} per unit]"), rows, notes)

    def _unit_of(self, name: str) -> str:
        """Return the unit of a quantity as it is printed after a number; nothing where the loss has its own."""
        return f" {self.unit}" if is_information(name, self.information_losses) else ""

    def __repr__(self) -> str:
        return f"<Result {self.status.name}, {self.proof.name}: {self.objective} in [{self.objective_lower:.10g}, " + (
            f"{self.objective_upper:.10g}]>"
        )
