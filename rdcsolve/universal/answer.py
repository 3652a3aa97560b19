"""What is claimed of a universal encoder, as plain data: what a check reads, and what a file holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.results import Proof, Result, Status
from rdcsolve.universal.decoding import Decoder


@dataclass(frozen=True, eq=False)
class Answer:
    """The numbers of a `Universal`, which says what each of them is."""

    status: Status
    proof: Proof
    law: str
    rate_lower: float
    rate_upper: float
    penalty_lower: float
    penalty_upper: float
    penalty_proof: Proof
    encoder: np.ndarray
    q: np.ndarray
    targets: tuple[dict[str, float], ...]
    decoders: tuple[Decoder, ...]
    results: tuple[Result, ...]
    result: Result
    problem: Problem
    message: str = ""
    unit: str = "nat"
    in_nats: Answer | None = None

    @property
    def information_losses(self) -> tuple[str, ...]:
        """Names of the losses of the targets that are amounts of information."""
        return self.results[0].information_losses
