"""Figure 3 of the paper: what three encoders of one rate can be decoded to, for two real sources."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rdcsolve.cli.demo.digits import CROSS_ENTROPY, Sizes, state
from rdcsolve.cli.drawing import Drawing
from rdcsolve.errors import SolverFailed
from rdcsolve.problems import LabelEntropyLimit, Problem

if TYPE_CHECKING:
    import xarray

    from rdcsolve.universal import Region

_NAMES = ("minimal label loss", "midpoint", "minimal distortion")
_POINTS = 7
_TOLERANCE = 1e-5
_DIGITS = Sizes(n_letters=48, n_images=200)


@dataclass(frozen=True, eq=False)
class _Panel:
    """A source with the numbers drawn for it.

    Parameters
    ----------
    title : str
    boundary : xarray.Dataset
        Of `tradeoff`.
    regions : dict of str to Region
    lines : list of str
        The numbers in words.
    is_certified : bool
    """

    title: str
    boundary: xarray.Dataset
    regions: dict[str, Region]
    lines: list[str]
    is_certified: bool


def draw() -> Drawing:
    """Return the figure of a mixture with free letters, and of digits with a fixed classifier."""
    from matplotlib import pyplot

    from rdcsolve.data import mixture
    from rdcsolve.explore import plot

    source = mixture([-1, 1], [0.3, 1.2], n_x=41)
    free = Problem(source, "free", limits=[LabelEntropyLimit(math.inf)])
    panels = [
        _panel("two classes on the line, free letters", free, "label_entropy", 0.6),
        _panel("digits, a fixed classifier", state(_DIGITS).problem, CROSS_ENTROPY, 1.0),
    ]
    units = {CROSS_ENTROPY: "nat"}
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    for panel, ax in zip(panels, axes, strict=True):
        plot.region(panel.regions, panel.boundary, ax, units=units)
        ax.set_title(panel.title)
        ax.legend(loc="upper right", framealpha=0.9, fontsize="small")
    lines = [line for panel in panels for line in panel.lines]
    unproved = tuple(f"a point of {panel.title}" for panel in panels if not panel.is_certified)
    return Drawing(figure, tuple(lines), unproved)


def _panel(title: str, problem: Problem, loss: str, rate: float) -> _Panel:
    """Return the boundary of Omega(R) over a label's loss, and the regions of three encoders on it."""
    from rdcsolve.explore import tradeoff
    from rdcsolve.results.status import uninterrupted
    from rdcsolve.solvers import solve
    from rdcsolve.universal import achievable_region, universal_rate

    boundary = tradeoff(problem, rate, loss, n_points=_POINTS, tolerance=_TOLERANCE)
    regions, targets = {}, []
    lines = [f"{title}: R = {rate:g} nat"]
    for name, bound in zip(_NAMES, boundary[loss].values[[0, _POINTS // 2, -1]], strict=True):
        at_rate = problem.with_limits(**{loss: float(bound)}).minimising("distortion", rate=rate)
        result = solve(at_rate, tolerance=_TOLERANCE)
        if not result.channel.shape[1]:
            raise SolverFailed(f"the encoder of {name} was not found: {result.status.value}", result)
        regions[name] = uninterrupted(achievable_region(result, problem, ("distortion", loss)))
        targets.append({"distortion": result.losses["distortion"], loss: result.losses[loss]})
        lines.append(
            f"  encoder of {name}: distortion {result.losses['distortion']:.6g}, {loss.replace('_', ' ')} "
            f"{result.losses[loss]:.6g}; decodes to distortions from {regions[name].vertices[0, 0]:.6g} and "
            f"{loss.replace('_', ' ')} from {regions[name].vertices[-1, 1]:.6g}"
        )
    universal = uninterrupted(universal_rate(problem, targets, tolerance=1e-4))
    lines.append(
        f"  one encoder for all three: {universal.rate_lower:.6f} to {universal.rate_upper:.6f} nat, rate penalty "
        f"{universal.penalty_lower:.6f} to {universal.penalty_upper:.6f} nat, {universal.penalty_proof.name}"
    )
    proved = bool((boundary.proof == "CERTIFIED").all()) and universal.penalty_proof.name == "CERTIFIED"
    return _Panel(f"{title}, R = {rate:g} nat", boundary, regions, lines, proved)
