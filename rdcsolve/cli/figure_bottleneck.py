"""The information plane of a bottleneck: a bit through a noisy channel, and eight symbols of three classes."""

from __future__ import annotations

import numpy as np

from rdcsolve.cli.drawing import Drawing, not_certified

_NOISE = 0.1
_BETAS = np.geomspace(1.05, 60, 16)


def draw() -> Drawing:
    """Return what a description tells of a label over what it costs, with the closed form for the bit."""
    from matplotlib import pyplot

    from rdcsolve.explore import information_plane, plot, sweep
    from rdcsolve.information import binary_entropy
    from rdcsolve.problems import Source, information_bottleneck
    from rdcsolve.theory import binary

    bit = Source(None, [0.5, 0.5], labels=[[[1 - _NOISE, _NOISE], [_NOISE, 1 - _NOISE]]])
    soft = np.random.default_rng(1).dirichlet([0.4, 0.4, 0.4], 8)
    table = Source(None, np.full(8, 1 / 8), labels=[soft])
    figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    lines: list[str] = []
    unproved: list[str] = []
    for source, words, ax in ((bit, f"bit through noise {_NOISE:g}", axes[0]), (table, "eight symbols", axes[1])):
        problem = information_bottleneck(source, beta=1.0)
        data = sweep(problem, C=_BETAS, tolerance=1e-8)
        plot.information_plane(problem, data, ax, label="solved")
        ax.set_title(words)
        plane = information_plane(problem, data)
        lines.append(
            f"{words}: tells at most {plane.attrs['most_relevance']:.6f} nat; "
            f"{float(plane.relevance_lower.max()):.6f} at beta = {_BETAS[-1]:g}, for "
            f"{float(plane.complexity_upper.max()):.6f} nat"
        )
        unproved += not_certified(data, f"of {words}")
    C = np.linspace(binary_entropy(_NOISE), np.log(2), 200)
    axes[0].plot(binary.rate(np.inf, C, 0.5, _NOISE), np.log(2) - C, "k", linewidth=0.8, label="closed form")
    axes[0].legend(frameon=False, loc="lower right")
    return Drawing(figure, tuple(lines), tuple(unproved))
