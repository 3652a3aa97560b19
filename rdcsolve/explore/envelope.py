"""What the points of a sweep prove about all points between them.

Each certificate is a plane below the surface of the optimal value as a function of the bounds, and mixing two
channels mixes their losses and rates at worst linearly. So the best plane bounds the optimal value from below
everywhere, and linear interpolation between solved points bounds it from above (docs: Certificates).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.explore.grid import loss_of

if TYPE_CHECKING:
    import xarray

_NOTHING = 1e-6
"""What counts as nothing beside one nat, or beside the optimal value: interior points leave tiny multipliers."""


class Envelope:
    """Bounds on the optimal value at any limits, from the solved points of a sweep.

    Parameters
    ----------
    data : xarray.Dataset
        Of `sweep` or `tradeoff`, with axes that are all limits or all multipliers.

    Attributes
    ----------
    points : numpy.ndarray
        Shape (K, number of axes): the limits (for a sweep over multipliers, the losses) of the K solved points.
    lower, upper : numpy.ndarray
        Shape (K,): the certified bounds there.
    slopes : numpy.ndarray
        Shape (K, number of axes), >= 0: how fast the lower bound falls as each limit is relaxed.
    """

    def __init__(self, data: xarray.Dataset) -> None:
        if "status" not in data or "axes" not in data.attrs:
            raise InvalidInput("this is not the dataset of a sweep or a trade-off; pass one of those")
        self.axes = tuple(str(name) for name in data["status"].dims)
        objective = data.attrs["objective"]
        prefix = "rate" if objective in ("rate", "lagrangian") else "objective"
        losses = data["loss"].values.tolist()
        multipliers = data["multipliers"].values
        over_limits = data.attrs["axes"] == "limits"
        price = 1.0 if prefix == "rate" else multipliers[..., losses.index(objective)]
        grids = np.meshgrid(*(data[name].values for name in self.axes), indexing="ij")
        places, slopes = [], []
        with np.errstate(divide="ignore", invalid="ignore"):  # a point without a price proves nothing elsewhere
            for name, grid in zip(self.axes, grids, strict=True):
                if name == "rate":
                    places.append(grid)
                    slopes.append(np.ones_like(grid) / price if prefix == "objective" else np.zeros_like(grid))
                    continue
                m = losses.index(loss_of(name))
                places.append(grid if over_limits else data["losses"].values[..., m])
                slopes.append(multipliers[..., m] / price)
        lower, upper = data[f"{prefix}_lower"].values, data[f"{prefix}_upper"].values
        proved = (data["proof"].values == "CERTIFIED") & np.isfinite(lower) & np.isfinite(upper)
        self.points = np.stack([place[proved] for place in places], axis=-1)
        self.slopes = np.stack([slope[proved] for slope in slopes], axis=-1)
        self.lower, self.upper = lower[proved], upper[proved]

    def is_slack(self, axis: int) -> np.ndarray:
        """Return which points do without the limit along an axis: lifting it would save next to nothing."""
        return self.slopes[:, axis] * self.points[:, axis] <= _NOTHING * np.maximum(self.upper, 1.0)

    def lower_at(self, where: Any) -> np.ndarray:
        """Return the certified lower bound at limits of shape (..., number of axes)."""
        where = np.asarray(where, dtype=float)
        best = np.zeros(where.shape[:-1])  # rates and losses are never negative
        for point, slope, lower in zip(self.points, self.slopes, self.lower, strict=True):
            if np.isfinite(slope).all():
                np.maximum(best, lower - (where - point) @ slope, out=best)
        return best

    def upper_at(self, where: Any) -> np.ndarray:
        """Return the certified upper bound at limits of shape (..., number of axes), NaN where nothing is known."""
        where = np.asarray(where, dtype=float)
        if not self.upper.size:
            return np.full(where.shape[:-1], np.nan)
        if len(self.axes) == 1:
            order = np.argsort(self.points[:, 0])
            known, values = self.points[order, 0], np.minimum.accumulate(self.upper[order])
            return np.interp(where[..., 0], known, values, left=np.nan, right=values[-1])
        from scipy.interpolate import LinearNDInterpolator

        return LinearNDInterpolator(self.points, self.upper, rescale=True)(where)
