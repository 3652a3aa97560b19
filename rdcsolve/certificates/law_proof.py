"""The part of a certificate that concerns the law of the reproduction: prices of places, scalars, and a transport plan.

With prices w >= 0 of places, the mean price of what a channel shows is at most h(w) + nu d(target, law) for every
channel, h depending on the measure. So I >= p.u - lambda.E L - E w - log C, where C bounds the prices of letters with w
counted as one more loss, bounds the rate of every channel within the limits. The page on the certificate file has h.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Perception

_NAME = re.compile(r"(0|[1-9][0-9]{0,3})_(prices|scalars|plan_rows|plan_columns|plan_masses|witness)")
_LARGEST = 1e290  # beyond it, sums of several prices leave the range of floats
_KINDS = {"prices": "f", "scalars": "f", "plan_rows": "iu", "plan_columns": "iu", "plan_masses": "f", "witness": "f"}


def _none(kind: type = np.float64) -> np.ndarray:
    array: np.ndarray = np.zeros(0, dtype=kind)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, eq=False)
class LawProof:
    """What a certificate holds for one measure of the reproduction's law.

    Attributes
    ----------
    prices : numpy.ndarray
        Shape (m,), nats, >= 0: w.
    multiplier : float
        nu >= 0, nats per unit of the measure; inf where the law has to be the target itself.
    level : float
        tau, nats, of an f-divergence; zero otherwise.
    rows, columns, masses : numpy.ndarray
        Shape (e,) each: which atom of the target sends how much to which place. Only for transport.
    witness : numpy.ndarray
        Shape (r,): of a discrepancy, the mean features of a law near which it is bounded. Any numbers prove something.
    """

    prices: np.ndarray
    multiplier: float = 0.0
    level: float = 0.0
    rows: np.ndarray = field(default_factory=lambda: _none(np.int64))
    columns: np.ndarray = field(default_factory=lambda: _none(np.int64))
    masses: np.ndarray = field(default_factory=_none)
    witness: np.ndarray = field(default_factory=_none)

    @classmethod
    def idle(cls, perception: Perception) -> LawProof:
        """Return the proof that uses nothing of the law."""
        return cls(np.zeros(perception.n_places))

    def fault(self, perception: Perception) -> str:
        """Return why these numbers are none for the measure, or an empty string."""
        if self.prices.shape != (perception.n_places,):
            return f"has prices of shape {self.prices.shape}; {perception.n_places} places need one each"
        if not ((self.prices >= 0) & (self.prices <= _LARGEST)).all():
            return f"has a price that is not between 0 and {_LARGEST:g}"
        if not self.multiplier >= 0 or not math.isfinite(self.level):
            return "has a multiplier below zero, or a level that is not finite"
        if self.witness.size and (perception.features is None or self.witness.shape != perception.features.shape[1:]):
            return f"has a witness of shape {self.witness.shape}, which the measure's features do not have"
        if not np.isfinite(self.witness).all():
            return "has a witness with a number that is not finite"
        if not self.rows.shape == self.columns.shape == self.masses.shape or self.rows.ndim != 1:
            return "has a transport plan whose arrays differ in length"
        if self.rows.size and perception.cost is None:
            return "has a transport plan, but its measure has no cost"
        if self.rows.size:
            ends = zip((self.rows, self.columns), perception.cost.shape, strict=True)  # type: ignore[union-attr]
            if any(index.min() < 0 or index.max() >= end for index, end in ends):
                return "has a transport plan between atoms or places that are not there"
            if not (np.isfinite(self.masses) & (self.masses >= 0)).all():
                return "has a transport plan with a mass that is negative or not finite"
        return ""

    def packed(self, number: int) -> dict[str, np.ndarray]:
        """Return all of it as arrays by name."""
        arrays = {"prices": self.prices, "scalars": np.array([self.multiplier, self.level])}
        if self.rows.size:
            arrays |= {"plan_rows": self.rows, "plan_columns": self.columns, "plan_masses": self.masses}
        arrays |= {"witness": self.witness} if self.witness.size else {}
        return {f"{number}_{name}": values for name, values in arrays.items()}


def packed(laws: Sequence[LawProof]) -> dict[str, np.ndarray]:
    """Return several proofs as arrays by name."""
    arrays: dict[str, np.ndarray] = {}
    for number, law in enumerate(laws):
        arrays |= law.packed(number)
    return arrays


def unpacked(arrays: Mapping[str, np.ndarray]) -> tuple[LawProof, ...]:
    """Return the proofs of which `packed` made these arrays.

    Raises
    ------
    InvalidInput
        If a name, shape or type is not one that such a proof can have.
    """
    held: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        matched = _NAME.fullmatch(name)
        if matched is None:
            raise InvalidInput(f"{name!r} is not the name of an array of a law's proof; solve the problem again")
        if array.ndim != 1 or array.dtype.kind not in _KINDS[matched[2]]:
            raise InvalidInput(f"{name} of a law's proof has {array.dtype} and shape {array.shape}; solve again")
        held.setdefault(int(matched[1]), {})[matched[2]] = array
    if sorted(held) != list(range(len(held))):
        raise InvalidInput("the proofs of laws are not numbered one after the other; solve the problem again")
    return tuple(_one(held[number]) for number in range(len(held)))


def _one(fields: dict[str, Any]) -> LawProof:
    if "prices" not in fields or "scalars" not in fields or fields["scalars"].size != 2:
        raise InvalidInput("the proof of a law lacks its prices or its two scalars; solve the problem again")
    multiplier, level = map(float, fields.pop("scalars"))
    renamed = {name.removeprefix("plan_"): array for name, array in fields.items()}
    return LawProof(multiplier=multiplier, level=level, **renamed)
