"""Wang et al.'s contours of the rate over distortion and classification, for a Gaussian pair and a coin."""

from __future__ import annotations

import math

import numpy as np

from rdcsolve.cli.drawing import Drawing, not_certified

_RHO = 0.7
_BIAS, _NOISE = 0.4, 0.1
_POINTS = 9
_LEVELS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


def draw() -> Drawing:
    """Return the contours of R(D, C) by the closed forms, with the solver's surface under those of the coin."""
    from matplotlib import pyplot

    from rdcsolve.explore import plot, sweep
    from rdcsolve.information import binary_entropy
    from rdcsolve.problems import Problem
    from rdcsolve.theory import binary, gaussian

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    least, most = gaussian.minimum_label_entropy(_RHO), gaussian.differential_entropy()
    D, C = np.meshgrid(np.linspace(0.3, 1.1, 300), np.linspace(least + 0.1, most + 0.03, 300))
    lines_drawn = left.contour(D, C, gaussian.rate(D, C, _RHO), levels=_LEVELS, cmap="viridis", linewidths=1)
    left.clabel(lines_drawn, fmt="%g", fontsize="small")
    left.set(xlabel="distortion", ylabel="label entropy $h(S|A)$ [nat]", title=f"Gaussian pair, correlation {_RHO:g}")

    label = np.array([[1 - _NOISE, _NOISE], [_NOISE, 1 - _NOISE]])
    masses = np.array([1 - _BIAS, _BIAS])
    problem = Problem.from_arrays(masses, [[0, 1], [1, 0]], label, D=1.0, C=math.inf)
    floor, top = binary_entropy(_NOISE), binary_entropy(float(masses @ label[:, 1]))
    data = sweep(
        problem, D=np.linspace(0.02, _BIAS, _POINTS), C=np.linspace(floor + 0.01, top, _POINTS), tolerance=1e-8
    )
    plot.surface(data, right)
    D, C = np.meshgrid(np.linspace(0.02, _BIAS, 300), np.linspace(floor + 0.01, top, 300))
    right.contour(D, C, binary.rate(D, C, _BIAS, _NOISE), levels=_LEVELS, colors="white", linewidths=1)
    right.set_title(f"coin of bias {_BIAS:g}, label through noise {_NOISE:g}")
    formula = binary.rate(data.D.values[:, None], data.C.values[None, :], _BIAS, _NOISE)
    error = np.abs(data.rate_upper.transpose("D", "C").values - formula).max()
    lines = (
        f"Gaussian pair: the rate is the larger of two, so every contour has a corner; below C = {least:.4f} none",
        f"coin: {data.status.size} points solved, largest distance from the closed form {error:.1e} nat",
    )
    return Drawing(figure, lines, not_certified(data, "of the coin"))
