"""Pictures of what realism costs: curves for the limits of a second axis, laws of reproductions beside a target."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve import extras
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.problems.statement import spelled_out
from rdcsolve.problems.validation import one_of
from rdcsolve.results import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FEW = 25  # places: so many laws are drawn with a mark for each


def slices(data: Any, along: str) -> list[tuple[str, Any]]:
    """Return the curves that a sweep over two axes holds, each with its words for a legend.

    Parameters
    ----------
    data : xarray.Dataset
    along : str
        The axis that stays.

    Raises
    ------
    InvalidInput
        If the data have other than two axes, or none of that name.
    """
    axes = tuple(str(name) for name in data["status"].dims) if "status" in data else ()
    if len(axes) != 2:
        raise InvalidInput(f"the data have the axes {', '.join(axes) or 'of no sweep'}; pass a sweep over two axes")
    one_of(along, axes, "axis to draw along")
    other = axes[1 - axes.index(along)]
    words = spelled_out(other, data.attrs.get("label_entropies", "").split()).replace("_", " ")
    sign = "\\leq" if data.attrs["axes"] == "limits" else "="
    return [(f"{words} ${sign} {value:.3g}$", data.isel({other: k})) for k, value in enumerate(data[other].values)]


def output_law(
    problem: Problem, results: Result | Mapping[str, Result], ax: Axes | None = None, *, name: str | None = None
) -> Axes:
    """Draw the law of the reproduction of one or several results, and the target that it is to resemble.

    Parameters
    ----------
    problem : Problem
        With a perception, and reproductions on a line; where they have no points they are numbered.
    results : Result or mapping of str to Result
        Solutions of it, or of variants with other limits, by the label to use.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    name : str, optional
        Of the perception; by default the first.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    InvalidInput
        If the problem has no perception, its reproductions are no numbers, or a result has no channel.
    """
    listed = {"": results} if isinstance(results, Result) else dict(results)
    if not isinstance(problem, Problem) or not problem.perceptions:
        raise InvalidInput("the problem has no limit on the law of the reproduction; state one with PerceptionLimit")
    name = one_of(problem.perception_names[0] if name is None else name, problem.perception_names, "perception")
    perception = problem.perceptions[problem.perception_names.index(name)]
    where, atoms = _places(problem, perception)
    for label, result in listed.items():
        if not isinstance(result, Result) or not result.letters.size:
            raise InvalidInput(f"the result {label!r} has no channel to draw the law of")
    if ax is None:
        extras.need("plot", "plot.output_law")
        import matplotlib.pyplot as plt

        ax = plt.subplots(layout="constrained")[1]
    order = np.argsort(where, kind="stable")
    style: dict[str, Any] = {"marker": "o", "markersize": 3} if where.size <= _FEW else {}
    for label, result in listed.items():
        law = perception.law(result.letters, perception.masses_of(problem.p_x, result.channel, result.q))
        ax.plot(where[order], law[order], label=label or "reproduction", linewidth=1, **style)
    along = np.argsort(atoms, kind="stable")
    ax.plot(atoms[along], perception.target[along], "k:", label="target")
    ax.set_xlabel("reproduction")
    ax.set_ylabel("mass")
    ax.legend(frameon=False)
    return ax


def _places(problem: Problem, perception: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return where on the line the places are, shape (m,), and the atoms of the target, shape (T,)."""
    points = problem.reproduction
    if points is None:
        numbers = np.arange(perception.n_places, dtype=float)
        return numbers, np.arange(perception.target.size, dtype=float)
    if points.shape[1] != 1:
        raise InvalidInput(f"reproductions have dimension {points.shape[1]}; laws are drawn on a line")
    where = np.zeros(perception.n_places)
    where[perception.place] = points[:, 0]
    if perception.compares_masses:
        return where, where
    own = problem.source.points
    if own is None or own.shape[0] != perception.target.size:
        raise InvalidInput("the target's points are not those of the source; draw its masses with matplotlib")
    return where, own[:, 0]
