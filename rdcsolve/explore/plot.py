"""Pictures of curves, surfaces, trade-offs and convergence. Each function takes and returns matplotlib axes.

A certified band is drawn wherever the data prove one: not only at the solved points, but between them too,
where each certificate bounds the optimal value from below and mixing channels bounds it from above. Points whose
value is attained but not proved near the least are drawn hollow, and no band ends at them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.explore.differential import check_axes, shifts_of, show_shifted, ticks_of, words_of
from rdcsolve.explore.envelope import Envelope
from rdcsolve.explore.laws import output_law, slices
from rdcsolve.explore.marks import hatch_open, mark_impossible, mark_open, mark_solved
from rdcsolve.explore.plane import draw_plane as information_plane
from rdcsolve.explore.regions import region
from rdcsolve.explore.style import contour_options, line_options, paper
from rdcsolve.explore.units import in_unit, information_losses, unit_of, units_of
from rdcsolve.problems.objective import is_in_nats
from rdcsolve.problems.statement import spelled_out
from rdcsolve.results import Result

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

__all__ = [
    "convergence",
    "curve",
    "curves",
    "information_plane",
    "output_law",
    "paper",
    "region",
    "surface",
    "tradeoff",
]

_FINE = 400
_SURFACE_FINE = 121


@public_call
def curve(
    data: xarray.Dataset,
    ax: Axes | None = None,
    *,
    bits: bool = False,
    label: str | None = None,
    color: Any = None,
    units: Mapping[str, str] | None = None,
    marks: bool = True,
    label_steps: Mapping[str, float] | None = None,
    **line: Any,
) -> Axes:
    """Draw the optimal value over one limit, with its certified band, and crosses where the limits cannot be met.

    Parameters
    ----------
    data : xarray.Dataset
        Of a `sweep` over one axis.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    bits : bool, optional
        Draw all information in bits, whatever the unit of the data, in which it is drawn otherwise.
    label : str, optional
        For the legend.
    color : optional
        Any matplotlib colour.
    units : mapping of str to str, optional
        Units by name of the loss, for the labels of the axes; label entropies are in nats.
    marks : bool, optional
        Mark the points that were solved, and limits that cannot be met. Marks of what is not proved are always drawn.
    label_steps : mapping of str to float, optional
        For labels on a grid: its step, or the volume of its cells, by name of the label's entropy. That axis then says
        differential entropies, h(S|A) = H(S|A) + log(step), of the density that the grid stands for, rounding of the
        grid aside.
    **line
        Anything else that `matplotlib.axes.Axes.plot` takes, for the line: ``linewidth``, ``linestyle``, ``zorder``.

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    With fixed letters (see `Problem`) only the lower bound is drawn as a line. A hollow circle is a stationary point:
    attained, perhaps not the least. A hollow square is attained where the lower bound is not proved. Both have
    entries in the legend.
    """
    options.dataset(data)
    data = in_unit(data, "bit") if bits else data
    ax, envelope, look = _axes(ax), _envelope(data, 1), line_options(line, "curve")
    shifts = _shifts(data, label_steps)
    shown = [shifts.get(name) for name in _shown(data, envelope)]
    check_axes(ax, shown)
    known = np.sort(np.r_[envelope.points, envelope.open_points][:, 0])
    where = np.union1d(np.linspace(known[0], known[-1], _FINE), known)
    lower, upper = envelope.lower_at(where[:, None]), envelope.upper_at(where[:, None])
    if not envelope.points.size:
        lower = np.full(where.size, np.nan)
    (drawn,) = ax.plot(where, lower, color=color, **{"linewidth": 0.8, **look})
    paint = drawn.get_color()
    if envelope.is_convex:
        ax.fill_between(where, lower, upper, alpha=0.3, color=paint, linewidth=0)
    mark_open(ax, envelope, paint)
    if marks:
        mark_impossible(ax, data)
        least = envelope.is_least
        solved = (envelope.points[least, 0], envelope.upper[least])
        face = paint if least.any() else "white"  # what the legend shows
        ax.plot(*solved, "o", color=paint, markerfacecolor=face, markersize=3.5, label=label)
    else:
        drawn.set_label(label)
    ax.set_xlabel(_label(envelope.axes[0], data, units, shifts))
    ax.set_ylabel(_value_label(data, envelope, units, shifts))
    show_shifted(ax, shown)
    return ax


@public_call
def curves(
    data: xarray.Dataset,
    along: str,
    ax: Axes | None = None,
    *,
    bits: bool = False,
    units: Mapping[str, str] | None = None,
    marks: bool = True,
    label_steps: Mapping[str, float] | None = None,
    **line: Any,
) -> Axes:
    """Draw a sweep over two axes as one curve for each value of the other axis, such as R(D) at several P.

    Parameters
    ----------
    data : xarray.Dataset
        Of a `sweep` over two axes.
    along : str
        The axis that is drawn to the right.
    ax, bits, units, marks, label_steps, **line
        As in `curve`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    options.dataset(data)
    ax = _axes(ax)
    for label, one in slices(data, along):
        curve(one, ax, bits=bits, label=label, units=units, marks=marks, label_steps=label_steps, **line)
    ax.legend(frameon=False)
    return ax


@public_call
def tradeoff(
    data: xarray.Dataset,
    ax: Axes | None = None,
    *,
    bits: bool = False,
    color: Any = None,
    units: Mapping[str, str] | None = None,
    marks: bool = True,
    label_steps: Mapping[str, float] | None = None,
    **line: Any,
) -> Axes:
    """Draw the boundary of Omega(R): the least value of one loss over the limit on another, at a fixed rate.

    Parameters
    ----------
    data : xarray.Dataset
        Of `tradeoff`. Call again with the same `ax` for other rates.
    ax, bits, color, units, marks, label_steps, **line
        As in `curve`.

    Returns
    -------
    matplotlib.axes.Axes
    """
    options.dataset(data)
    data = in_unit(data, "bit") if bits else data
    rate = float(data.attrs.get("rate", math.nan))
    label = None if math.isnan(rate) else f"$R = {rate:.3g}$ {unit_of(data)}"
    return curve(data, ax, label=label, color=color, units=units, marks=marks, label_steps=label_steps, **line)


@public_call
def surface(  # noqa: PLR0913 - options, by keyword
    data: xarray.Dataset,
    ax: Axes | None = None,
    *,
    bits: bool = False,
    levels: Any = 12,
    cmap: Any = "viridis",
    colorbar: bool = True,
    units: Mapping[str, str] | None = None,
    marks: bool = True,
    label_steps: Mapping[str, float] | None = None,
    **contours: Any,
) -> Axes:
    """Draw the optimal value over two limits: filled contours, the solved points, and what cannot be met.

    Parameters
    ----------
    data : xarray.Dataset
        Of a `sweep` over two axes, the first of which is drawn to the right.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    bits : bool, optional
        Draw all information in bits, whatever the unit of the data, in which it is drawn otherwise.
    levels : int or sequence of float, optional
        Of the contours.
    cmap : optional
        Any matplotlib colour map.
    colorbar : bool, optional
        Add a bar that explains the colours.
    units : mapping of str to str, optional
        Units by name of the loss, for the labels of the axes.
    marks : bool, optional
        Mark the points that were solved, and limits that cannot be met. Marks of what is not proved are always drawn.
    label_steps : mapping of str to float, optional
        As in `curve`; the bar of colours follows where a label's entropy is minimised.
    **contours
        Anything else that `matplotlib.axes.Axes.contourf` takes: ``norm``, ``alpha``, ``extend``.

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    Marks have words for a legend: ``ax.legend()`` explains them.

    The colours show the certified lower bound, which touches the surface (to within the gap) at every solved point.
    Around a point that is attained, but not proved to be near the least, they show its own value, hatched.
    Circles are points that meet both limits with equality; a bar through a circle means that the limit along
    that direction is slack, so its multiplier is zero. Crosses cannot be attained. Grey circles are stationary points
    of a problem with fixed letters, above the surface that is drawn; grey squares are attained, their bound not proved.
    """
    options.dataset(data)
    data = in_unit(data, "bit") if bits else data
    ax, envelope, look = _axes(ax), _envelope(data, 2), contour_options(contours, "surface")
    shifts = _shifts(data, label_steps)
    *shown, of_value = (shifts.get(name) for name in _shown(data, envelope))
    check_axes(ax, shown)
    x, y = np.meshgrid(*(_finer(data, envelope, k) for k in (0, 1)), indexing="ij")
    values, is_open = envelope.painted(np.stack([x, y], axis=-1))
    if np.isfinite(values).any():
        filled = ax.contourf(x, y, values, levels=levels, cmap=cmap, **look)
        ax.contour(x, y, values, levels=filled.levels, colors="white", linewidths=0.4, alpha=0.6)
        if is_open.any():
            hatch_open(ax, x, y, is_open)
        if colorbar:
            bar = ax.figure.colorbar(filled, ax=ax, pad=0.02, label=_value_label(data, envelope, units, shifts))
            if of_value is not None:
                bar.locator, bar.formatter = ticks_of(of_value)
                bar.update_ticks()
    mark_solved(ax, envelope, marks)
    if marks:
        mark_impossible(ax, data)
    ax.set_xlabel(_label(envelope.axes[0], data, units, shifts))
    ax.set_ylabel(_label(envelope.axes[1], data, units, shifts))
    show_shifted(ax, shown)
    return ax


@public_call
def convergence(results: Result | Mapping[str, Result], ax: Axes | None = None, *, seconds: bool = False) -> Axes:
    """Draw, step by step, how far the best lower bound proved so far is below the final upper bound.

    Parameters
    ----------
    results : Result or mapping of str to Result
        One, or several by the label to use.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    seconds : bool, optional
        Over wall time instead of steps.

    Returns
    -------
    matplotlib.axes.Axes
    """
    named = results if isinstance(results, Mapping) else {"": results}
    for result in named.values():
        options.instance(result, Result, "results", "pass a Result of solve, or several by name")
    ax = _axes(ax)
    listed = {name or result.method: result for name, result in named.items()}
    for name, result in listed.items():
        if not result.history:
            raise InvalidInput(f"the result {name!r} has no history; solve it instead of loading it")
        place = [record.seconds if seconds else record.step for record in result.history]
        distance = result.objective_upper - np.array([record.lower for record in result.history])
        ax.plot(place, np.where(distance > 0, distance, np.nan), "-o", markersize=3, label=name)
    ax.set_yscale("log")
    rate_like = all(is_in_nats(result.objective) for result in listed.values())
    ax.set_ylabel("final upper bound minus best lower bound" + (" [nat]" if rate_like else ""))
    ax.set_xlabel("wall time [s]" if seconds else "step")
    ax.grid(True, which="major", alpha=0.3)
    ax.legend(frameon=False)
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(layout="constrained")[1]


def _envelope(data: xarray.Dataset, n_axes: int) -> Envelope:
    envelope = Envelope(data)
    if len(envelope.axes) != n_axes:
        have = ", ".join(envelope.axes)
        raise InvalidInput(f"the data have the axes {have}; this picture shows {n_axes}: use the other, or data.isel")
    if not envelope.upper.size and not envelope.open_upper.size:
        raise InvalidInput("no point of the data is certified, so there is nothing to draw; see data.status")
    return envelope


def _objective(data: xarray.Dataset) -> str:
    objective = str(data.attrs["objective"])
    return "rate" if is_in_nats(objective) else objective


def _shown(data: xarray.Dataset, envelope: Envelope) -> list[str]:
    """Return the names of the losses along the axes, and of the value over them."""
    labels = data.attrs.get("label_entropies", "").split()
    return [*(spelled_out(name, labels) for name in envelope.axes), _objective(data)]


def _shifts(data: xarray.Dataset, label_steps: Mapping[str, float] | None) -> dict[str, float]:
    """Return what is added to losses by name where they are shown."""
    labels = data.attrs.get("label_entropies", "").split()
    return shifts_of(label_steps, unit_of(data), information_losses(data), labels)


def _value_label(
    data: xarray.Dataset, envelope: Envelope, units: Mapping[str, str] | None, shifts: Mapping[str, float]
) -> str:
    """Return a label such as "rate + priced distortion [nat]"."""
    label = _label(_objective(data), data, units, shifts)
    priced = "".join(f" + priced {name.replace('_', ' ')}" for name in envelope.priced)
    return label.replace("rate", "rate" + priced, 1)


def _label(name: str, data: xarray.Dataset, units: Mapping[str, str] | None, shifts: Mapping[str, float]) -> str:
    """Return a label such as "classifier loss limit [nat]"."""
    labels = data.attrs.get("label_entropies", "").split()
    loss = spelled_out(name, labels)
    known = units_of(unit_of(data), information_losses(data), units)
    words, unit = words_of(loss, shifts), known.get(loss)
    is_limited = data.attrs["axes"] == "limits" and name in data["status"].dims
    return words + (" limit" if is_limited else "") + (f" [{unit}]" if unit else "")


def _finer(data: xarray.Dataset, envelope: Envelope, axis: int) -> np.ndarray:
    """Return places between the solved points, spaced as they are."""
    over_limits = data.attrs["axes"] == "limits"
    places = np.r_[envelope.points, envelope.open_points]
    values = data[envelope.axes[axis]].values if over_limits else places[:, axis]
    known = np.unique(values)
    places = np.union1d(np.linspace(0, known.size - 1, _SURFACE_FINE), np.arange(known.size))
    return np.interp(places, np.arange(known.size), known)
