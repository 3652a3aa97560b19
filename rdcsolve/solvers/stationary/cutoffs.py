"""Where the alternation leaves what is too small to compute with to the exact solver."""

LOWEST = -400.0
"""Exponents this far below the largest of their row count as minus infinity."""

LEAST_MASS = 1e-100
"""Output masses above zero are raised to this where steps are stretched: smaller ones are slow to compute with."""

SMALLEST = 1e-30
"""Decisions are kept above this, so that every log-loss is finite; exact zeros are left to the exact solver."""
