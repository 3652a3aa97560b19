"""Curves, surfaces and trade-offs of many solutions, as labelled arrays; `plot` draws them."""

from rdcsolve.explore.sweep import sweep
from rdcsolve.explore.tradeoff import tradeoff

__all__ = ["sweep", "tradeoff"]
