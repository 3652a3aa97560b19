"""Pictures of what fixed encoders can be decoded to, beside what any encoder of that rate can (Figure 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.explore.differential import check_axes, shifts_of, show_shifted, words_of
from rdcsolve.explore.envelope import Envelope
from rdcsolve.explore.marks import mark_open
from rdcsolve.explore.units import in_unit, units_of
from rdcsolve.problems.statement import spelled_out
from rdcsolve.universal import Region

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

_ROOM = 0.12  # around what is drawn, as a share of its extent
_FINE = 400
BOUNDARY = r"any encoder: boundary of $\Omega(R)$"


@public_call
def region(
    regions: Region | Mapping[str, Region],
    boundary: xarray.Dataset | None = None,
    ax: Axes | None = None,
    *,
    colors: Any = None,
    units: Mapping[str, str] | None = None,
    label_steps: Mapping[str, float] | None = None,
) -> Axes:
    """Draw the regions Omega(p_{Z|X}) of encoders, and the boundary of Omega(R) that all encoders of that rate share.

    Parameters
    ----------
    regions : Region or mapping of str to Region
        One, or several by the label to use; all of the same two losses.
    boundary : xarray.Dataset, optional
        Of `tradeoff` over the same losses. The loss that it limits is drawn to the right.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    colors : sequence, optional
        One matplotlib colour per region.
    units : mapping of str to str, optional
        Units by name of the loss, for the labels of the axes.
    label_steps : mapping of str to float, optional
        As in `curve`.

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    A region lies above and to the right of its line, and dots are its vertices. Where a region is not exact its line is
    what is known to be attained, and a dotted line of the same colour bounds what may be. The boundary of Omega(R) is
    drawn black, with a grey band where it is certified; hollow marks are as in `curve`.
    """
    listed = dict(regions) if isinstance(regions, Mapping) else {"": regions}
    if not listed or not all(isinstance(one, Region) for one in listed.values()):
        raise InvalidInput(f"regions is {regions!r}; pass a Region of achievable_region, or a mapping of names to them")
    first = next(iter(listed.values()))
    names = first.losses
    known = units_of(first.unit, first.information_losses, units)
    for label, one in listed.items():
        if set(one.losses) != set(names):
            raise InvalidInput(
                f"region {label!r} is about {' and '.join(one.losses)}, the first about {' and '.join(names)}; draw "
                "them apart"
            )
    apart = {one.unit for one in listed.values()} - {first.unit}
    if apart:
        raise InvalidInput(
            f"the regions are in {first.unit} and in {apart.pop()}; compute them with problems of one unit"
        )
    envelope = None
    if boundary is not None:
        boundary = in_unit(boundary, first.unit)
        names, envelope = _read(boundary, names)
    shifts = shifts_of(label_steps, first.unit, first.information_losses, list(first.information_losses))
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1]
    shown = [shifts.get(name) for name in names]
    check_axes(ax, shown)
    paths = {label: _turned(one.vertices, one, names) for label, one in listed.items()}
    outers = {label: _turned(one.outer, one, names) for label, one in listed.items() if not one.is_exact}
    places = [*paths.values(), *outers.values()]
    if envelope is not None:
        places += [np.column_stack([envelope.points[:, 0], envelope.upper])]
        places += [np.column_stack([envelope.open_points[:, 0], envelope.open_upper])]
    low, high = np.vstack(places).min(axis=0), np.vstack(places).max(axis=0)
    room = _ROOM * np.where(high > low, high - low, 0.1 * np.maximum(np.abs(high), 1e-12))
    top = high + room
    if envelope is not None:
        _draw_boundary(ax, envelope)
    for k, (label, path) in enumerate(paths.items()):
        paint = f"C{k}" if colors is None else colors[k]
        one = listed[label]
        drawn = _line(path, one.kind, top)
        ax.plot(*drawn.T, color=paint, linewidth=1.4, label=label or None)
        ax.fill_between(drawn[:, 0], drawn[:, 1], top[1], color=paint, alpha=0.08, linewidth=0)
        ax.plot(*path.T, "o", color=paint, markersize=3 if len(path) < 30 else 1.2)
        if label in outers:
            ax.plot(*_line(outers[label], "polygon", top).T, ":", color=paint, linewidth=1.2)
    ax.set_xlim(low[0] - room[0], top[0])
    ax.set_ylim(low[1] - room[1], top[1])
    for set_label, name in ((ax.set_xlabel, names[0]), (ax.set_ylabel, names[1])):
        set_label(words_of(name, shifts) + (f" [{known[name]}]" if name in known else ""))
    show_shifted(ax, shown)
    return ax


def _read(boundary: xarray.Dataset, names: tuple[str, str]) -> tuple[tuple[str, str], Envelope]:
    """Return the losses to the right and upwards, and the boundary's points."""
    envelope = Envelope(boundary)
    labels = boundary.attrs.get("label_entropies", "").split()
    drawn = (spelled_out(envelope.axes[0], labels), str(boundary.attrs["objective"]))
    if len(envelope.axes) != 1 or set(drawn) != set(names):
        raise InvalidInput(
            f"the boundary is about {' and '.join((*map(str, envelope.axes), drawn[1]))}, the regions about "
            f"{' and '.join(names)}; pass the tradeoff of these losses"
        )
    return drawn, envelope


def _draw_boundary(ax: Axes, envelope: Envelope) -> None:
    least = envelope.is_least
    if envelope.points.size:
        ends = envelope.points[:, 0]
        where = np.union1d(np.linspace(ends.min(), ends.max(), _FINE), ends)[:, None]
        ax.plot(where[:, 0], envelope.lower_at(where), color="black", linewidth=1.0, label=BOUNDARY)
        if envelope.is_convex:
            ax.fill_between(
                where[:, 0], envelope.lower_at(where), envelope.upper_at(where), color="0.6", alpha=0.6, linewidth=0
            )
        ax.plot(envelope.points[least, 0], envelope.upper[least], "o", color="black", markersize=2.5)
    mark_open(ax, envelope, "black")


def _turned(vertices: np.ndarray, one: Region, names: tuple[str, str]) -> np.ndarray:
    """Return vertices from left to right, with the losses in the order drawn."""
    return vertices if one.losses == names else vertices[::-1, ::-1]


def _line(path: np.ndarray, kind: str, top: np.ndarray) -> np.ndarray:
    """Return the boundary of a region as a line that comes from above and leaves to the right."""
    inner = path
    if kind != "polygon" and len(path) > 1:
        corners = np.column_stack([path[1:, 0], path[:-1, 1]])
        inner = np.empty((2 * len(path) - 1, 2))
        inner[::2], inner[1::2] = path, corners
    return np.vstack([[path[0, 0], top[1]], inner, [top[0], path[-1, 1]]])
