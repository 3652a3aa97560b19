"""Checks of the parameters of sources; each names the value and the range it must lie in."""

from __future__ import annotations

import math
from typing import Any

from rdcsolve.errors import InvalidInput
from rdcsolve.options import whole as count
from rdcsolve.problems.validation import real_number

__all__ = ["count", "positive", "probability"]


def positive(value: Any, name: str) -> float:
    """Return a finite number > 0."""
    number = real_number(value, name)
    if not 0 < number < math.inf:
        raise InvalidInput(f"{name} is {number:.6g}; it must be finite and > 0")
    return number


def probability(value: Any, name: str) -> float:
    """Return a number in [0, 1]."""
    number = real_number(value, name)
    if not 0 <= number <= 1:
        raise InvalidInput(f"{name} is {number:.6g}; a probability must lie in [0, 1]")
    return number
