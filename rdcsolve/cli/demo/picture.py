"""The picture of the demo: the surface, the trade-offs, and what becomes of the digits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve.cli.demo.digits import CROSS_ENTROPY, Digits
from rdcsolve.cli.demo.run import Reconstructions, one_tradeoff
from rdcsolve.cli.files import draw_into
from rdcsolve.explore import plot

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

_UNITS = {CROSS_ENTROPY: "nat", "distortion": "mean squared error per pixel"}
_COLORS = ("#d1495b", "#edae49", "#1b1b1b", "#6a4c93")
_N_IMAGES = 8


def draw(
    digits: Digits, surface: xarray.Dataset, boundaries: xarray.Dataset, rebuilt: Reconstructions, path: Path
) -> None:
    """Draw everything into one file.

    Raises
    ------
    SaveFailed
        If the file cannot be written.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(13.5, 9.0), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=[1.35, 1.0])
    left, right = halves
    top, bottom = left.subplots(2, 1, height_ratios=[1.15, 1.0])
    _surface(top, surface, boundaries)
    _boundaries(bottom, boundaries)
    _images(right, digits, rebuilt)
    figure.suptitle(
        f"The price of digits that look right and are read right: {digits.problem.n_x} held-out handwritten digits, "
        f"{digits.problem.n_letters} letters, every point certified",
        fontsize=13,
    )
    try:
        draw_into(path, figure, dpi=140)
    finally:
        pyplot.close(figure)


def _surface(ax: Axes, surface: xarray.Dataset, boundaries: xarray.Dataset) -> None:
    plot.surface(surface, ax, levels=np.arange(0, 4.26, 0.25), cmap="YlGnBu", units=_UNITS)
    ax.set_xscale("log")
    ax.set_yscale("log")
    for rate, color in zip(boundaries["rate"].values, _COLORS, strict=False):
        one = one_tradeoff(boundaries, rate)
        ax.plot(one["objective_upper"], one[CROSS_ENTROPY], color=color, linewidth=2.4)
        _name_curve(ax, f"{rate:g} nat", float(one["objective_upper"][-1]), float(one[CROSS_ENTROPY][-1]), color)
    for name, set_limits in (("distortion", ax.set_xlim), (CROSS_ENTROPY, ax.set_ylim)):
        set_limits(float(surface[name].min()), float(surface[name].max()))
    _plain_numbers(ax.xaxis, surface["distortion"].values)
    _plain_numbers(ax.yaxis, surface[CROSS_ENTROPY].values)
    ax.set_title(
        "Least rate $R(D, \\mathrm{CE})$ with the trade-offs at fixed rate; a bar marks a slack limit", fontsize=11
    )


def _name_curve(ax: Axes, name: str, x: float, y: float, color: str) -> None:
    from matplotlib.patheffects import withStroke

    edge = [withStroke(linewidth=3, foreground="white")]
    look: Any = {"color": color, "weight": "bold", "fontsize": 10, "path_effects": edge, "ha": "center", "va": "bottom"}
    ax.annotate(name, (x, y), xytext=(0, 4), textcoords="offset points", **look)


def _plain_numbers(axis: Any, values: np.ndarray) -> None:
    from matplotlib.ticker import NullLocator

    axis.set_minor_locator(NullLocator())
    axis.set_ticks(values, [f"{value:g}" for value in values])


def _boundaries(ax: Axes, boundaries: xarray.Dataset) -> None:
    for rate, color in zip(boundaries["rate"].values, _COLORS, strict=False):
        plot.tradeoff(one_tradeoff(boundaries, rate), ax, color=color, units=_UNITS)
    ax.set_xscale("log")
    _plain_numbers(ax.xaxis, np.array([0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0]))
    ax.legend(frameon=False, title="rate")
    ax.grid(True, alpha=0.25)
    ax.set_ylabel("least distortion\n[mean squared error per pixel]")
    ax.set_title("Distortion against cross-entropy at fixed rate, with certified band", fontsize=11)


def _images(figure: SubFigure, digits: Digits, rebuilt: Reconstructions) -> None:
    """One row per image: the original, then what is left of it as the limit tightens."""
    chosen = _telling_images(digits, rebuilt)
    columns = 1 + len(rebuilt.limits)
    axes = figure.subplots(len(chosen), columns)
    for ax, i in zip(axes[:, 0], chosen, strict=True):
        _show(ax, digits.images[i], f"a {digits.classes[i]}", "black")
    for k, means in enumerate(rebuilt.means):
        for ax, i in zip(axes[:, 1 + k], chosen, strict=True):
            right = rebuilt.right[k][i]
            _show(ax, means[i], f"{right:.2f}", "#00798c" if right > 0.5 else "#d1495b")
    axes[0, 0].set_title("original", fontsize=9)
    for k, (limit, distortion) in enumerate(zip(rebuilt.limits, rebuilt.distortions, strict=True)):
        axes[0, 1 + k].set_title(f"CE $\\leq$ {limit:.2f}\n$D$ = {distortion:.4f}", fontsize=9)
    figure.suptitle(
        f"What {rebuilt.rate:g} nat leave of an image as the limit on cross-entropy tightens:\n"
        "the mean letter, and how probably the classifier names it rightly\n"
        "(of eight digits, the image that gains most)",
        fontsize=11,
    )


def _telling_images(digits: Digits, rebuilt: Reconstructions) -> list[int]:
    """Return one image each of eight classes, those whose reading improves most."""
    gain = rebuilt.right[-1] - rebuilt.right[0]
    classes = digits.classes
    best = [int(np.flatnonzero(classes == c)[gain[classes == c].argmax()]) for c in np.unique(classes)]
    most = sorted(best, key=lambda i: -gain[i])[:_N_IMAGES]
    return sorted(most, key=lambda i: int(classes[i]))


def _show(ax: Axes, image: np.ndarray, text: str, color: str) -> None:
    ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks([])
    ax.set_yticks([])
    for side in ax.spines.values():
        side.set_color("0.8")
    ax.set_xlabel(text, fontsize=9, color=color, labelpad=2)
