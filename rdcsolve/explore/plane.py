"""The information plane of a bottleneck: what a description costs, and what it tells of the label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.explore.units import in_unit, unit_of
from rdcsolve.information import entropy, mutual_information, nats_to_bits
from rdcsolve.problems import Problem

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes

_LABEL = "label_entropy"
_FINE = 400


@public_call
def information_plane(problem: Problem, data: xarray.Dataset) -> xarray.Dataset:
    """Return a sweep over an information bottleneck in its own words.

    Parameters
    ----------
    problem : Problem
        Of `information_bottleneck`, or another with one label entropy and no distortion that counts.
    data : xarray.Dataset
        Of `sweep` over one axis of that problem: limits on the label's entropy, rates, or values of beta.

    Returns
    -------
    xarray.Dataset
        One dimension ``point``, by increasing complexity. `complexity_lower`, `complexity_upper`: bounds on I(X; T),
        and `relevance_lower`, `relevance_upper` on I(S; T); of each pair one is what was asked for, or attained, and
        the other what is proved about the best with it. `beta`: the slope, the multiplier of the label's entropy.
        `status` and `proof` as in the sweep. Information in the unit of the sweep.

    Raises
    ------
    InvalidInput
        If the problem is no bottleneck, or the data are not of a sweep over one axis of it.
    """
    import xarray

    _check(problem, data)
    unit = unit_of(data)
    own = _in(unit, entropy(problem.p_x @ problem.label_entropies[0].conditional))
    told = own - data["losses"].sel(loss=_LABEL).values
    proving = "certificate_multipliers" if "certificate_multipliers" in data else "multipliers"
    beta = data[proving].sel(loss=_LABEL).values
    asked = data[str(data["status"].dims[0])].values
    objective = str(data.attrs["objective"])
    if objective == "rate":
        bounds = (data["rate_lower"].values, data["rate_upper"].values, own - asked, own - asked)
    elif objective == _LABEL:
        bounds = (asked, asked, own - data["objective_upper"].values, own - data["objective_lower"].values)
    else:  # the Lagrangian's bound at what its channel tells: the tangent of slope beta
        tangent = data["objective_lower"].values - beta * (own - told)
        bounds = (tangent, data["rate_upper"].values, told, told)
    order = np.argsort(bounds[1], kind="stable")
    names = ("complexity_lower", "complexity_upper", "relevance_lower", "relevance_upper")
    values: dict[str, Any] = dict(zip(names, bounds, strict=True)) | {
        "beta": beta,
        "status": data["status"].values,
        "proof": data["proof"].values,
    }
    plane = xarray.Dataset({name: ("point", value[order]) for name, value in values.items()})
    for name in names:
        plane[name].attrs["units"] = unit
    most = _in(unit, mutual_information(problem.p_x, problem.label_entropies[0].conditional))
    plane.attrs |= {"title": "information plane", "unit": unit, "entropy": own, "most_relevance": most}
    return plane


@public_call
def draw_plane(
    problem: Problem,
    data: xarray.Dataset,
    ax: Axes | None = None,
    *,
    bits: bool = False,
    label: str | None = None,
    color: Any = None,
) -> Axes:
    """Draw a sweep over an information bottleneck: what the description tells of the label, over what it costs.

    Parameters
    ----------
    problem : Problem
    data : xarray.Dataset
        See `information_plane`.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    bits : bool, optional
        Draw in bits, whatever the unit of the data.
    label : str, optional
        For the legend.
    color : optional
        Any matplotlib colour.

    Returns
    -------
    matplotlib.axes.Axes

    Notes
    -----
    The band is certified, between the points too: mixing the descriptions of two points attains the line that joins
    them, and the tangents that certificates prove bound what any description tells. Filled marks are certified, hollow
    ones attained. Dotted: I(S; T) is at most I(X; T), and at most I(X; S).
    """
    plane = information_plane(problem, in_unit(options.dataset(data), "bit") if bits else data)
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1]
    cost, told = plane["complexity_upper"].values, plane["relevance_lower"].values
    known = np.isfinite(cost) & np.isfinite(told)
    proved = known & (plane["proof"].values == "CERTIFIED")
    (line,) = ax.plot(cost[known], told[known], color=color, linewidth=0.8)
    paint = line.get_color()
    if proved.any():
        along = np.union1d(np.linspace(cost[proved].min(), cost[proved].max(), _FINE), cost[proved])
        attained = np.interp(along, cost[proved], told[proved])
        ax.fill_between(along, attained, most_told(plane, along), color=paint, alpha=0.3, linewidth=0)
    ax.plot(cost[proved], told[proved], "o", color=paint, markersize=3.5, label=label)
    open_ones = known & ~proved
    if open_ones.any():
        style: dict[str, Any] = {"color": paint, "markerfacecolor": "white", "markersize": 3.5}
        ax.plot(cost[open_ones], told[open_ones], "s", label="attained, bound not proved", **style)
    unit, most = plane.attrs["unit"], plane.attrs["most_relevance"]
    right = float(np.max(cost[known], initial=most))
    ax.plot([0, most, right], [0, most, most], "k:", linewidth=0.8)
    ax.set_xlabel(f"complexity $I(X;T)$ [{unit}]")
    ax.set_ylabel(f"relevance $I(S;T)$ [{unit}]")
    return ax


def most_told(plane: xarray.Dataset, complexity: np.ndarray) -> np.ndarray:
    """Return bounds on the relevance of any description of these complexities, by the tangents of certified points.

    Parameters
    ----------
    plane : xarray.Dataset
        Of `information_plane`.
    complexity : numpy.ndarray
        In its unit.
    """
    bounds = np.minimum(complexity, plane.attrs["most_relevance"])
    for k in np.flatnonzero((plane["proof"].values == "CERTIFIED") & (plane["beta"].values > 0)).tolist():
        point = plane.isel(point=k)
        further = (complexity - float(point["complexity_lower"])) / float(point["beta"])
        bounds = np.fmin(bounds, float(point["relevance_upper"]) + further)
    return bounds


def _in(unit: str, nats: float) -> float:
    return nats_to_bits(nats) if unit == "bit" else nats


def _check(problem: Any, data: Any) -> None:
    options.dataset(data)
    is_bottleneck = isinstance(problem, Problem) and problem.loss_names == ("distortion", _LABEL)
    if not is_bottleneck or problem.free is not None or problem.spread(0) > 0:
        raise InvalidInput(
            "the problem is no information bottleneck, a label's entropy beside a distortion that is zero; state it "
            "with information_bottleneck"
        )
    axes = tuple(map(str, data["status"].dims)) if "status" in data else ()
    if len(axes) != 1 or data.attrs.get("fingerprint") != problem.fingerprint():
        raise InvalidInput("the data are not of a sweep over one axis of this problem; pass those of sweep")
    wanted: dict[str, dict[str, tuple[str, ...]]] = {
        "limits": {"rate": ("C", _LABEL), _LABEL: ("rate",)},
        "multipliers": {"lagrangian": ("C", _LABEL)},
    }
    if axes[0] not in wanted[data.attrs["axes"]].get(data.attrs["objective"], ()):
        raise InvalidInput(
            f"the sweep is over {axes[0]}; an information plane needs one over C (bounds on the label's entropy, or "
            "beta where the problem is at multipliers), or over rate where the label's entropy is minimised"
        )
