"""Curves, surfaces and trade-offs of many solutions, as labelled arrays; `plot` draws them."""

from rdcsolve.explore.frames import to_dataframe
from rdcsolve.explore.plane import information_plane
from rdcsolve.explore.sweep import sweep
from rdcsolve.explore.tradeoff import tradeoff
from rdcsolve.explore.units import in_unit

__all__ = ["in_unit", "information_plane", "sweep", "to_dataframe", "tradeoff"]
