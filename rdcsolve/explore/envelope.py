"""What the points of a sweep prove about all points between them.

Each certificate is a plane below the surface of the optimal value as a function of the bounds. A channel that meets
limits meets laxer ones; and unless letters are fixed while label entropies count, mixing two channels mixes their
losses and rates at worst linearly. So the best plane bounds the optimal value from below everywhere, and linear
interpolation between solved points bounds it from above (docs: Certificates).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.objective import is_in_nats, is_lagrangian
from rdcsolve.problems.statement import spelled_out

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
    is_convex : bool
        Whether interpolation between points bounds the optimal value; not so for label entropies with fixed letters.
    points : numpy.ndarray
        Shape (K, number of axes): the limits (for a sweep over multipliers, the losses) of the K proved points.
    lower, upper : numpy.ndarray
        Shape (K,): the certified bounds there.
    is_least : numpy.ndarray
        Shape (K,): false at stationary points, whose upper bound is attained but not proved near the least value.
    priced : tuple of str
        Losses off the axes that have a fixed multiplier: what is bounded is the rate plus their means at these prices.
    slopes : numpy.ndarray
        Shape (K, number of axes), >= 0: how fast the lower bound falls as each limit is relaxed.
    open_points : numpy.ndarray
        Shape (k, number of axes): points at which a channel is known but no lower bound is proved.
    open_upper : numpy.ndarray
        Shape (k,): the values attained there.
    """

    def __init__(self, data: xarray.Dataset) -> None:
        if not hasattr(data, "attrs") or "status" not in data or "axes" not in data.attrs:
            raise InvalidInput("this is not the dataset of a sweep or a trade-off; pass one of those")
        self.axes = tuple(str(name) for name in data["status"].dims)
        self.is_convex = data.attrs.get("letters") != "fixed"
        objective = data.attrs["objective"]
        prefix = "rate" if is_in_nats(objective) else "objective"
        losses, labels = data["loss"].values.tolist(), data.attrs.get("label_entropies", "").split()
        families = json.loads(data.attrs.get("families", "{}"))
        column = [_columns(spelled_out(name, labels), losses, families) for name in self.axes]
        target = None if prefix == "rate" else losses.index(objective)
        proving = data["multipliers" if self.is_convex else "certificate_multipliers"].values
        lower, upper = data[f"{prefix}_lower"].values, data[f"{prefix}_upper"].values
        self.priced: tuple[str, ...] = ()
        origins = np.array(data.attrs.get("origins", np.zeros(len(losses))), dtype=float)
        self._floor = 0.0 if target is None else float(origins[target])
        if is_lagrangian(objective):
            priced = data["multipliers"].values * data["losses"].values
            others = [m for m in range(len(losses)) if all(m not in (one or []) for one in column)]
            self.priced = tuple(losses[m] for m in others if (data["multipliers"].values[..., m] > 0).any())
            lower = np.maximum(data["objective_lower"].values - priced.sum(axis=-1), 0.0) + priced[..., others].sum(
                axis=-1
            )
            upper = upper + priced[..., others].sum(axis=-1)
            fixed = data["multipliers"].values.reshape(-1, len(losses))[:, others]
            self._floor = float(np.nanmin(fixed @ origins[others], initial=0.0))
        places = _places(data, self.axes, column)
        slopes = _slopes(proving, column, target)
        status, proof = (data[name].values.astype(str) for name in ("status", "proof"))
        proved = (proof == "CERTIFIED") & np.isfinite(lower) & np.isfinite(upper)
        known = np.isfinite(upper) & ((proof == "UNVERIFIED") | (not self.is_convex)) & ~proved
        self.points, self.slopes = places[proved], slopes[proved]
        self.lower, self.upper = lower[proved], upper[proved]
        self.is_least = (status[proved] == "OPTIMAL") | self.is_convex
        self.open_points, self.open_upper = places[known], upper[known]
        self._unknown = places[~proved & ~known & (status != "INFEASIBLE") & np.isfinite(places).all(axis=-1)]
        self._prices = _slopes(data["multipliers"].values, column, target)[proved]
        self._origins = np.array([origins[m[0]] if m else 0.0 for m in column])

    def is_slack(self, axis: int) -> np.ndarray:
        """Return which proved points do without the limit along an axis: lifting it would save next to nothing."""
        above = self.points[:, axis] - self._origins[axis]
        spared = np.zeros(above.shape)  # at a limit of zero its price may be infinite
        np.multiply(self._prices[:, axis], above, out=spared, where=above != 0)
        has_price = np.isfinite(self._prices[:, axis])
        return has_price & (spared <= _NOTHING * np.maximum(self.upper - self._floor, 1.0))

    def lower_at(self, where: Any) -> np.ndarray:
        """Return the certified lower bound at limits of shape (..., number of axes)."""
        where = np.asarray(where, dtype=float)
        best = np.full(where.shape[:-1], self._floor)  # rates are never negative, losses never below their least means
        for point, slope, lower in zip(self.points, self.slopes, self.lower, strict=True):
            if np.isfinite(slope).all():
                np.maximum(best, lower - (where - point) @ slope, out=best)
        return best

    def upper_at(self, where: Any) -> np.ndarray:
        """Return the certified upper bound at limits of shape (..., number of axes), NaN where nothing is known."""
        where = np.asarray(where, dtype=float)
        best = np.full(where.shape[:-1], np.inf)
        for point, upper in zip(self.points, self.upper, strict=True):  # the channel there meets laxer limits too
            np.minimum(best, np.where((where >= point).all(axis=-1), upper, np.inf), out=best)
        best = np.where(np.isinf(best), np.nan, best)
        return np.fmin(best, self._between(where)) if self.is_convex else best

    def painted(self, where: Any) -> tuple[np.ndarray, np.ndarray]:
        """Return what a picture shows at limits of shape (..., number of axes), and where that is not proved.

        The best plane below the surface, except nearest to a point that is not proved: there the value attained at that
        point, and NaN if nothing is known of it. What is proved elsewhere says next to nothing about such a point.
        """
        from scipy.spatial import cKDTree

        where = np.asarray(where, dtype=float)
        values = np.where(np.isfinite(self.upper_at(where)), self.lower_at(where), np.nan)
        others = np.r_[self.open_points, self._unknown]
        if not others.size:
            return values, np.zeros(values.shape, dtype=bool)
        places = np.r_[self.points, others]
        scale = np.where(np.ptp(places, axis=0) > 0, np.ptp(places, axis=0), 1.0)
        nearest = cKDTree(places / scale).query(where / scale)[1] - len(self.points)
        own = np.r_[self.open_upper, np.full(len(self._unknown), np.nan)]
        is_open = nearest >= 0
        return np.where(is_open, own[np.maximum(nearest, 0)], values), is_open

    def _between(self, where: np.ndarray) -> np.ndarray:
        """Return what mixtures of the channels of neighbouring points attain, NaN outside the points."""
        if not self.upper.size:
            return np.full(where.shape[:-1], np.nan)
        if len(self.axes) == 1:
            order = np.argsort(self.points[:, 0])
            known, values = self.points[order, 0], np.minimum.accumulate(self.upper[order])
            return np.interp(where[..., 0], known, values, left=np.nan, right=values[-1])
        from scipy.interpolate import LinearNDInterpolator
        from scipy.spatial import QhullError

        if np.ptp(self.points, axis=0).all():
            try:
                return LinearNDInterpolator(self.points, self.upper, rescale=True)(where)
            except QhullError:  # too few points, or all on one line
                pass
        return np.full(where.shape[:-1], np.nan)


def _columns(name: str, losses: list[str], families: Mapping[str, list[str]]) -> list[int] | None:
    """Return the places among the losses of what an axis is about: several for laws of classes, None for the rate."""
    return None if name == "rate" else [losses.index(full) for full in families.get(name, [name])]


def _places(data: xarray.Dataset, axes: tuple[str, ...], column: list[list[int] | None]) -> np.ndarray:
    """Return where each point of the grid lies: its limits, or its losses in a sweep over multipliers."""
    grids = np.meshgrid(*(data[name].values for name in axes), indexing="ij")
    if data.attrs["axes"] == "limits":
        return np.stack(grids, axis=-1)
    for name, several in zip(axes, column, strict=True):
        if several is not None and len(several) > 1:
            raise InvalidInput(
                f"the axis {name} is the multiplier of {len(several)} laws, which need not be equally far; sweep over "
                "limits, or over the multiplier of one law"
            )
    return np.stack([data["losses"].values[..., m[0]] for m in column if m is not None], axis=-1)


def _slopes(multipliers: np.ndarray, column: list[list[int] | None], target: int | None) -> np.ndarray:
    """Return how fast the objective falls along each axis, of which None is the rate, at these multipliers."""
    price = np.ones(multipliers.shape[:-1]) if target is None else multipliers[..., target]
    along_rate = np.zeros_like(price) if target is None else np.ones_like(price)
    with np.errstate(divide="ignore", invalid="ignore"):  # a point without a price proves nothing elsewhere
        falls = [along_rate if m is None else multipliers[..., m].sum(axis=-1) for m in column]
        return np.stack([fall / price for fall in falls], axis=-1)
