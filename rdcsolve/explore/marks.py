"""Marks in pictures of sweeps: points proved, points only attained, and limits that cannot be met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve.explore.envelope import Envelope

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

STATIONARY = "stationary, perhaps not least"
OPEN = "attained, lower bound not proved"
IMPOSSIBLE = "limits cannot be met"
SOLVED = "solved, certified"
SLACK = ("limit to the right is slack", "limit upwards is slack")
"""What the legend says."""


def mark_solved(ax: Axes, envelope: Envelope, all_of_them: bool = True) -> None:
    """Draw the points of a surface, bars through those with a slack limit, and a legend if some are not proved.

    Without `all_of_them` only those that are not proved.
    """
    place = envelope.points
    look: Any = {"markersize": 4, "markeredgewidth": 0.6, "clip_on": False, "zorder": 3, "linestyle": "none"}
    least = place[envelope.is_least]
    if all_of_them:
        white = look | {"markerfacecolor": "white", "markeredgecolor": "black"}
        ax.plot(*least.T, marker="o", label=SOLVED if least.size else None, **white)
        for k, bar in enumerate("_|"):
            slack = place[envelope.is_slack(k)]
            words = SLACK[k] if slack.size else None
            ax.plot(
                *slack.T, bar, color="black", markersize=8, markeredgewidth=0.8, clip_on=False, zorder=3, label=words
            )
    others = {STATIONARY: ("o", place[~envelope.is_least]), OPEN: ("s", envelope.open_points)}
    for words, (marker, where) in others.items():
        if where.size:
            look |= {"markerfacecolor": "0.6", "markeredgecolor": "0.2"}
            ax.plot(*where.T, marker=marker, label=words, **look)
            ax.legend(loc="upper right", fontsize="small")


def hatch_open(ax: Axes, x: np.ndarray, y: np.ndarray, is_open: np.ndarray) -> None:
    """Hatch where a surface shows values that are attained, not proved near the least."""
    ax.contourf(x, y, is_open.astype(float), levels=[0.5, 1.5], colors="none", hatches=["////"])


def mark_open(ax: Axes, envelope: Envelope, color: Any) -> None:
    """Draw the points of a curve whose value is attained but not proved near the least."""
    stationary = ~envelope.is_least
    others = {
        STATIONARY: ("o", envelope.points[stationary], envelope.upper[stationary]),
        OPEN: ("s", envelope.open_points, envelope.open_upper),
    }
    for words, (marker, where, value) in others.items():
        if value.size:
            look: Any = {"markerfacecolor": "white", "markeredgecolor": color, "markersize": 4.5, "linestyle": "none"}
            ax.plot(where[:, 0], value, marker=marker, label=_once(ax, words), **look)


def mark_impossible(ax: Axes, data: xarray.Dataset) -> None:
    """Draw crosses where the limits cannot be met: at the foot of a curve, in the plane of a surface."""
    if data.attrs["axes"] != "limits":
        return
    at = np.nonzero(data["status"].values == "INFEASIBLE")
    crosses = [data[name].values[i] for name, i in zip(data["status"].dims, at, strict=True)]
    if not crosses[0].size:
        return
    if len(crosses) == 1:
        foot = np.full(crosses[0].size, 0.02)
        words = _once(ax, IMPOSSIBLE)
        ax.plot(crosses[0], foot, "x", color="0.5", markersize=5, transform=ax.get_xaxis_transform(), label=words)
    else:
        ax.plot(*crosses, "x", color="0.5", markersize=5, clip_on=False, label=_once(ax, IMPOSSIBLE))


def _once(ax: Axes, words: str) -> str | None:
    """Return words for the legend unless they are there already."""
    return None if words in ax.get_legend_handles_labels()[1] else words
