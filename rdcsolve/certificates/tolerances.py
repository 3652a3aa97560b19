"""How far a channel may be beyond a limit that it is said to meet."""

from __future__ import annotations

LIMIT_TOLERANCE = 1e-12
"""By how much of its loss's spread a limit may be exceeded in floating point; in ball arithmetic, not at all."""

EQUALITY_TOLERANCE = 2.0**-49
"""How far from its bound, as a share of the spread, a mean may be in ball arithmetic that is to equal it.

Rounding the entries of a channel to floats moves a mean by up to 2^-53 of the spread, the division of its rows by their
sums by as much again, and the channel that is rounded is itself computed.
"""
