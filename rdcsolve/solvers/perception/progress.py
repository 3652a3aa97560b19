"""Whether a run within limits on laws still comes closer."""

from __future__ import annotations

import math
from dataclasses import dataclass

_PATIENCE = 25  # steps without a better bound, nor products that are the least so far by a clear step
_CLEAR_STEP = 0.5
_GAIN = 1e-2  # of the gap: what a better bound is better by
_SMALL_GAIN = 1e-3  # of the tolerance: the same without a gap


@dataclass(eq=False)
class Progress:
    """Whether a run still comes closer, or its multipliers are on their way."""

    tolerance: float
    lower: float = -math.inf
    upper: float = math.inf
    products: float = math.inf
    waited: int = 0

    def has_ended(self, lower: float, upper: float, products: float) -> bool:
        """Return whether nothing has come of many steps; gains that are nearly nothing beside the gap do not count."""
        worth = max(_SMALL_GAIN * self.tolerance, _GAIN * (upper - lower) if upper < math.inf else 0.0)
        is_better = lower > self.lower + worth or upper < self.upper - (worth if self.upper < math.inf else 0.0)
        if is_better:
            self.lower, self.upper = lower, upper
        if products < _CLEAR_STEP * self.products:  # multipliers may first have to go far
            is_better, self.products = True, products
        self.waited = 0 if is_better else self.waited + 1
        return self.waited > _PATIENCE
