"""What the twins of Newton's method on small problems agree on: how far steps go, and when they end."""

from __future__ import annotations

from rdcsolve.twins import Work

WORK = Work()
"""Of the steps of very small problems."""

TO_BOUNDARY = 0.995
"""Fraction of the way to the boundary that a step may go."""
LARGEST_CHANGE = 0.7
"""Of a multiplier in a step, beside itself plus what goes unnoticed."""
UNNOTICED = 0.1
"""Nat per range."""
MOST_STEPS = 60

CHANGE_IN_WARM_UP = 8.0
"""By which a multiplier may change in a step of the warm-up."""
TURNS = (3, 6, 10)
"""Of the warm-up: within a limit, steps of its multiplier in each, at a given multiplier."""
FLOOR = 1e-8
"""Least share of the uniform distribution in it."""
TO_BOUND = 1e-13
"""How far from its bound a mean may be, relatively."""
