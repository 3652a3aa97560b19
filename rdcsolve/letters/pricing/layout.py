"""What twins agree on, in NumPy and compiled: how cells of soft decisions are laid out, and how far climbs step."""

from __future__ import annotations

from rdcsolve.twins import Work

WORK = Work()
"""Of climbs and bounds of prices."""

MOST_CLASSES = 4
EPS = 2.0**-52
GRID = 2.0**52
"""Vertices are multiples of 1 / GRID, so that halving an edge is exact and cells leave no gaps."""
RAISED = 1e-40
"""Entries of vertices are raised to this first, which raises prices."""
SMALL = 0.25 - 2.0**-32
"""Relative size of cells, and its square times the degree, below which expansions are tried.

The check tries them below one quarter, and must not find a cell too large that was small enough here but for a
rounding.
"""
FLOOR = 1e-280
"""Covers what underflows; the largest price is at least one."""

LONGEST = 0.7
"""Largest relative step of a decision, unless no step of that direction can descend."""
MOST_STRETCH = 32.0
"""Of multiplicative steps, in the logarithm: ridges are long, and plain steps along them short."""
RESTS = 4
"""Steps after one of Newton's that had to be undone, before it is tried again."""
