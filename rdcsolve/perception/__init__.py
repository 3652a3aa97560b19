"""The law of the reproduction: distances from a target, support functions of the laws within a limit, best scalars."""

from rdcsolve.perception.divergence import DIVERGENCES, Divergence
from rdcsolve.perception.measures import distance, nearest_mean, support
from rdcsolve.perception.transport import monotone_order, north_west, plan_between

__all__ = [
    "DIVERGENCES",
    "Divergence",
    "distance",
    "monotone_order",
    "nearest_mean",
    "north_west",
    "plan_between",
    "support",
]
