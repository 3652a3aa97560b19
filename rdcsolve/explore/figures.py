"""Figures of the paper that the library can answer, computed apart from being drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rdcsolve import extras
from rdcsolve.data import gaussian_pair
from rdcsolve.explore.differential import shift_of
from rdcsolve.problems import LabelEntropyLimit, Problem
from rdcsolve.results import Proof
from rdcsolve.solvers import solve
from rdcsolve.theory import gaussian

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

RATES = (0.05, 0.1, 0.15, 0.2, 0.3367)
"""Of Figure 4, in nats; the last one is I(X;S) at rho = 0.7."""

_FINE = 300


@dataclass(frozen=True)
class Corner:
    """What a rate attains of a Gaussian pair: the closed form, and the solver's answer on the discretised pair.

    Attributes
    ----------
    rate : float
        Nats.
    D, C : float
        Corner of Omega(R): the least squared error, and the least h(S|A) in nats.
    D_lower, D_upper : float
        The solver's bounds on the least squared error.
    D_proof : Proof
    C_there : float
        Label entropy of the channel of that squared error, as a differential entropy.
    C_lower, C_upper : float
        The solver's bounds on the least label entropy, as differential entropies.
    C_proof : Proof
    D_there : float
        Squared error of the channel of that label entropy.
    """

    rate: float
    D: float
    C: float
    D_lower: float
    D_upper: float
    D_proof: Proof
    C_there: float
    C_lower: float
    C_upper: float
    C_proof: Proof
    D_there: float


def figure_4_corners(
    rho: float = 0.7, rates: Sequence[float] = RATES, *, n_x: int = 41, n_s: int = 21, tolerance: float = 1e-5
) -> list[Corner]:
    """Return what each rate attains of a Gaussian pair with unit variances, by formula and by the solver.

    Parameters
    ----------
    rho : float, optional
        Correlation coefficient.
    rates : sequence of float, optional
        In nats.
    n_x, n_s : int, optional
        Sizes of the grids, which cover five standard deviations to either side.
    tolerance : float, optional
        Of the solver.

    Returns
    -------
    list of Corner

    Notes
    -----
    The least label entropy rests on a search for letters, as there are many classes, so its lower bound comes back
    ``UNVERIFIED``.
    """
    half_width = 5.0
    source = gaussian_pair(rho, n_x=n_x, n_s=n_s, half_width=half_width)
    shift = shift_of(2 * half_width / (n_s - 1))
    problem = Problem(source, "free", limits=[LabelEntropyLimit(math.inf)])
    corners = []
    for rate in rates:
        nearest = solve(problem.minimising("distortion", rate=rate), tolerance=tolerance)
        clearest = solve(problem.minimising("label_entropy", rate=rate), tolerance=tolerance)
        D, C = gaussian.region(rate, rho)
        corners.append(
            Corner(
                rate=rate,
                D=float(D),
                C=float(C),
                D_lower=nearest.objective_lower,
                D_upper=nearest.objective_upper,
                D_proof=nearest.proof,
                C_there=nearest.label_entropy + shift,
                C_lower=clearest.objective_lower + shift,
                C_upper=clearest.objective_upper + shift,
                C_proof=clearest.proof,
                D_there=clearest.distortion,
            )
        )
    return corners


def figure_4(corners: Sequence[Corner], axes: Sequence[Axes] | None = None, *, rho: float = 0.7) -> Sequence[Axes]:
    """Draw Figure 4 as printed, and beside it what each rate attains.

    Parameters
    ----------
    corners : sequence of Corner
        Of `figure_4_corners`.
    axes : two matplotlib.axes.Axes, optional
        Where to draw; a new figure by default.
    rho : float, optional
        That of the corners.

    Returns
    -------
    sequence of matplotlib.axes.Axes
        Left, equation (4) of the paper to the letter, with the Shannon bound of each rate dotted; right, the quadrants
        of the closed form, with the solver's answers on the discretised pair: x for the least squared error, + for
        the least label entropy.
    """
    if axes is None:
        extras.need("plot", "figure_4")
        from matplotlib import pyplot

        _, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained", sharex=True, sharey=True)
    printed, true = axes
    least = float(gaussian.minimum_label_entropy(rho))
    right = float(gaussian.differential_entropy(1.0))
    for corner in corners:
        C = np.sort(np.r_[np.linspace(least, right, _FINE), corner.C])
        as_printed = gaussian.distortion_theorem_2_as_printed(C, corner.rate, rho)
        (line,) = printed.plot(C, as_printed, label=f"R = {corner.rate:g} nat")
        printed.axhline(corner.D, color=line.get_color(), linestyle=":", linewidth=0.8)
        C_edge, D_edge = [corner.C, corner.C, right], [1.02, corner.D, corner.D]
        true.plot(C_edge, D_edge, color=line.get_color(), label=f"R = {corner.rate:g} nat")
        true.fill_between([corner.C, right], corner.D, 1.02, color=line.get_color(), alpha=0.06, linewidth=0)
        true.plot(corner.C_there, corner.D_upper, "x", color=line.get_color())
        true.plot(corner.C_upper, corner.D_there, "+", color=line.get_color())
    # two marks without a line, so that the legend says what they are and what is proved of them
    proofs = {"x": ("least squared error", "D_proof"), "+": ("least label entropy", "C_proof")}
    for mark, (name, proof) in proofs.items():
        held = {getattr(corner, proof).name.lower() for corner in corners}
        true.plot([], [], mark, color="0.3", label=f"{name}, solved ({', '.join(sorted(held))})")
    rates = np.linspace(0.0, 3.0, _FINE)
    locus = gaussian.region(rates, rho)
    true.plot(locus[1], locus[0], color="0.6", linestyle="--", linewidth=0.8, label="corners of all rates")
    printed.set_title("As printed: below the dotted line of its rate\nno code exists")
    true.set_title("What each rate attains: a quadrant, nothing to trade")
    for ax in axes:
        ax.set_xlabel("label entropy h(S|A), nat")
        ax.set_ylabel("squared error")
        ax.set_ylim(0.0, 1.02)
    true.legend(frameon=False, fontsize="small", loc="lower right")
    return axes
