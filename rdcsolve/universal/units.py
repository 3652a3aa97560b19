"""Universal encoders in bits: views of those in nats, which is what is checked and saved."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TypeVar

from rdcsolve.information import nats_to_bits
from rdcsolve.universal.answer import Answer

Shown = TypeVar("Shown", bound=Answer)

_NUMBERS = ("rate_lower", "rate_upper", "penalty_lower", "penalty_upper")


def in_bits(universal: Shown) -> Shown:
    """Return the answer with all information in bits, and itself as what the new one stands for."""
    if universal.unit == "bit":
        return universal
    stated = universal.problem.in_unit("bit")

    def shown(values: dict[str, float], problem_losses: tuple[str, ...]) -> dict[str, float]:
        return {name: nats_to_bits(value) if name in problem_losses else value for name, value in values.items()}

    known = universal.information_losses
    return replace(
        universal,
        targets=tuple(shown(target, known) for target in universal.targets),
        decoders=tuple(replace(one, losses=shown(one.losses, known)) for one in universal.decoders),
        results=tuple(one.in_bits() for one in universal.results),
        result=universal.result.in_bits(),
        problem=stated,
        unit="bit",
        in_nats=universal,
        **{name: nats_to_bits(getattr(universal, name)) for name in _NUMBERS},
    )


def unlike_nats(universal: Answer) -> str | None:
    """Return in what an answer in bits differs from the one in nats that it stands for, or None."""
    assert universal.in_nats is not None
    right = in_bits(universal.in_nats)
    for name in _NUMBERS:
        shown, own = getattr(universal, name), getattr(right, name)
        if not (shown == own or (math.isnan(shown) and math.isnan(own))):
            return f"{name} of {shown:.17g} {universal.unit} is claimed but {own:.17g} follows"
    if universal.targets != right.targets:
        return "the targets are not those of the answer in nats"
    if [one.losses for one in universal.decoders] != [one.losses for one in right.decoders]:
        return "the losses of the decoders are not those of the answer in nats"
    return None
