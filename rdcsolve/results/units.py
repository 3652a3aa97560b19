"""Numbers of results in bits: what is an amount of information, and what a multiplier of which loss is made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from rdcsolve.information import nats_to_bits
from rdcsolve.problems.objective import is_in_nats

if TYPE_CHECKING:
    from rdcsolve.problems import Problem


_IN_NATS = re.compile(r"(-?\d[\d.]*(?:e[-+]?\d+)?) nat\b")


def _in_bits(found: re.Match[str]) -> str:
    return f"{nats_to_bits(float(found[1])):.9g} bit"  # a digit less, so that what was stated in bits reads as stated


def is_information(name: str, information_losses: Iterable[str]) -> bool:
    """Return whether the quantity of this name, a loss, the rate or a Lagrangian, is an amount of information."""
    return is_in_nats(name) or name in information_losses


def in_unit_of(problem: Problem, name: str, nats: float) -> float:
    """Return the value of the quantity of this name, nats if it is information, in the unit of a problem."""
    if problem.unit == "nat":
        return nats
    return InBits(problem.objective, problem.loss_names, problem.information_losses).value(name, nats)


def told(problem: Problem, name: str, value: float) -> str:
    """Return the value of the quantity of this name as a message of a result tells it: amounts of information in nats.

    These are what `InBits` finds in the message, and tells in bits where the result is in bits.
    """
    return f"{value:.10g}" + " nat" * is_information(name, problem.information_losses)


@dataclass(frozen=True)
class InBits:
    """What the numbers of one objective over these losses are in bits instead of nats.

    Parameters
    ----------
    objective : str
    loss_names : tuple of str
        All of the problem's losses, in order.
    information_losses : tuple of str
        Those that are amounts of information.
    """

    objective: str
    loss_names: tuple[str, ...]
    information_losses: tuple[str, ...]

    def value(self, name: str, nats: float) -> float:
        """Return the value of the quantity of this name."""
        return nats_to_bits(nats) if is_information(name, self.information_losses) else nats

    def multipliers(self, nats: Iterable[float]) -> tuple[float, ...]:
        """Return multipliers, one per loss in order, in bits per unit of loss: of an entropy, the same plain number."""
        return tuple(
            value if name in self.information_losses else nats_to_bits(value)
            for name, value in zip(self.loss_names, nats, strict=False)  # some steps know no multipliers
        )

    def record(self, record: Any) -> Any:
        """Return a line of a history."""
        return replace(
            record,
            lower=self.value(self.objective, record.lower),
            value=self.value(self.objective, record.value),
            multipliers=self.multipliers(record.multipliers),
        )

    def start(self, result: Any) -> Any:
        """Return a result in bits as solvers begin near it: its numbers in nats again, without its history."""
        ones = self.multipliers([1.0] * len(self.loss_names))
        prices = [value / one for value, one in zip(result.multipliers.values(), ones, strict=True)]
        changes: dict[str, Any] = {
            name: getattr(result, name) / self.value(self.objective, 1.0)
            for name in ("objective_lower", "objective_upper")
        }
        changes |= {
            name: getattr(result, name) / nats_to_bits(1.0) for name in ("rate_lower", "rate_upper", "d_tilted")
        }
        for name in ("losses", "minimum"):
            changes[name] = {key: value / self.value(key, 1.0) for key, value in getattr(result, name).items()}
        changes["multipliers"] = dict(zip(result.multipliers, prices, strict=True))
        return replace(result, unit="nat", history=(), **changes)

    def result(self, result: Any) -> Any:
        """Return a result, whose certificate stays in nats."""
        changes: dict[str, Any] = {
            name: self.value(self.objective, getattr(result, name)) for name in ("objective_lower", "objective_upper")
        }
        changes |= {name: nats_to_bits(getattr(result, name)) for name in ("rate_lower", "rate_upper", "d_tilted")}
        for name in ("losses", "minimum"):
            changes[name] = {key: self.value(key, value) for key, value in getattr(result, name).items()}
        changes["multipliers"] = dict(zip(self.loss_names, self.multipliers(result.multipliers.values()), strict=True))
        changes["history"] = tuple(self.record(record) for record in result.history)
        changes["message"] = _IN_NATS.sub(_in_bits, result.message)
        return replace(result, unit="bit", **changes)
