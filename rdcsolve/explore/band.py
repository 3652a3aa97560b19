"""How wide the certified band is between the points of a curve, and where more points make it narrower.

Between neighbouring points a < b of a convex curve that falls, the chord of the upper bounds is above it, and the
tangents that the two certificates prove are below it. The band is the widest where the tangents cross, and where both
points are near the optimum it is a quarter of the curvature times the distance squared at most.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rdcsolve import options
from rdcsolve.errors import InvalidInput
from rdcsolve.explore.envelope import Envelope
from rdcsolve.explore.grid import Grid

if TYPE_CHECKING:
    import xarray

MOST_POINTS = 20_000
_AIM = 0.8  # of the band: points are placed for it by a rule that holds for small distances
_MOST_AT_ONCE = 15  # points in one interval, of which not much is known yet
_SHORTEST = 1e-12  # of the bounds' own size: no point is placed in a shorter interval


def check_band(band: Any, grid: Grid, tolerance: float) -> float:
    """Return the width asked for, or raise `InvalidInput` if curves of this kind have no such band."""
    band = options.positive(band, "band", "give the width that the certified band may have, such as 1e-4")
    if len(grid.names) != 1 or grid.values[0].size < 2:
        raise InvalidInput("band= places points along one axis; name one, with the two ends at least: D=[0.1, 0.8]")
    if grid.problem.multipliers is not None:
        raise InvalidInput("band= is about limits, the axes of a problem at multipliers are none; state it with limits")
    if not np.isfinite(grid.values[0]).all():
        raise InvalidInput(
            f"the axis {grid.names[0]} ends at inf, and no points lie between; give an end at which the limit is slack"
        )
    if grid.has_fixed_letters:
        raise InvalidInput(
            "with fixed letters the curve need not be convex, and nothing bounds it between points; leave band out, or "
            "use letters='split'"
        )
    if tolerance > 0.5 * band:
        raise InvalidInput(f"the tolerance {tolerance:g} leaves no room in a band of {band:g}; take at most half of it")
    return band


class Intervals(NamedTuple):
    """Intervals between neighbouring proved points of a curve.

    Attributes
    ----------
    ends : numpy.ndarray
        Shape (m, 2).
    widths : numpy.ndarray
        Shape (m,): how wide the certified band is there, at most.
    gaps : numpy.ndarray
        Shape (m,): the larger gap of the two ends, which no points between them make smaller.
    """

    ends: np.ndarray
    widths: np.ndarray
    gaps: np.ndarray

    @property
    def widest(self) -> float:
        """The largest width; NaN where there is no interval."""
        return float(self.widths.max()) if self.widths.size else math.nan


def intervals(data: xarray.Dataset) -> Intervals:
    """Return the intervals between the proved points of a sweep along one axis."""
    found = Envelope(data)
    order = np.argsort(found.points[:, 0])
    places, slopes = found.points[order, 0], found.slopes[order, 0]
    # the channel of a point meets all laxer limits: the curve falls
    lower, upper = found.lower[order], np.minimum.accumulate(found.upper[order])
    ends = np.stack([places[:-1], places[1:]], axis=1)
    pairs = [slice(i, i + 2) for i in range(len(ends))]
    wide = [_widest(end, lower[at], upper[at], slopes[at]) for end, at in zip(ends, pairs, strict=True)]
    gaps = found.upper[order] - lower
    return Intervals(ends, np.array(wide, dtype=float), np.array([gaps[at].max() for at in pairs], dtype=float))


def _widest(ends: np.ndarray, lower: np.ndarray, upper: np.ndarray, slopes: np.ndarray) -> float:
    """Return the largest distance of the chord from the two tangents between the ends."""
    length = float(ends[1] - ends[0])
    # tangents by the share x of the way: lower[0] - falls[0] x, and lower[1] + falls[1] (1 - x)
    falls = np.where(np.isfinite(slopes), slopes, math.inf) * length
    chord = float(upper[0] - upper[1])
    if not math.isfinite(falls[1]):  # nothing is proved but at the point itself
        return float(upper[0] - lower[1])
    first, second = float(lower[0]), float(lower[1] + falls[1])
    steeper = float(falls[0] - falls[1])
    share = 0.0 if not math.isfinite(steeper) else (first - second) / steeper if steeper > 0 else 1.0
    share = min(max(share, 0.0), 1.0)
    crossing = float(upper[0]) - chord * share - (second - float(falls[1]) * share)
    return max(crossing, float(upper[0] - lower[0]), float(upper[1] - lower[1]))


def more_points(data: xarray.Dataset, band: float) -> np.ndarray:
    """Return where to solve next so that the band is at most so wide between the points; nothing if it is.

    Raises
    ------
    InvalidInput
        If that takes too many points.
    """
    found, new = intervals(data), [np.empty(0)]
    for (first, last), width, gap in zip(*found, strict=True):
        if width > band > gap and last - first > _SHORTEST * max(abs(first), abs(last)):
            pieces = math.ceil(min(math.sqrt(width / (_AIM * band)), _MOST_AT_ONCE + 1))  # widths go like its square
            new.append(np.linspace(first, last, max(pieces, 2) + 1)[1:-1])
    placed = np.unique(np.concatenate(new))
    held = data[data["status"].dims[0]].values
    if placed.size + held.size > MOST_POINTS:
        raise InvalidInput(
            f"a band of {band:g} takes more than {MOST_POINTS} points; ask for a wider one, or a piece of the curve"
        )
    return np.setdiff1d(placed, held)
