"""Blau and Michaeli's figures: what perception costs a coin in rate, and a bell curve in distortion."""

from __future__ import annotations

import numpy as np

from rdcsolve.cli.drawing import Drawing, not_certified

_BIAS = 0.1  # of the coin, as in their figure
_LIMITS = (0.02, 0.05, 0.1)  # on the total variation, up to where it does not bind
_RATES = (0.25, 0.5, 1.0)
_POINTS = 9


def draw() -> Drawing:
    """Return R(D) of a coin at several limits on perception, and D(P) of a bell curve at several rates."""
    from matplotlib import pyplot

    from rdcsolve.explore import plot, sweep, tradeoff
    from rdcsolve.problems import DistortionLimit, PerceptionLimit, Problem, Source
    from rdcsolve.theory import perception

    coin = Problem.from_arrays([1 - _BIAS, _BIAS], [[0, 1], [1, 0]], D=1.0, P=1.0, perception="tv")
    distortions = np.linspace(0.01, 2 * _BIAS * (1 - _BIAS), _POINTS)
    data = sweep(coin, D=distortions, P=(0.0, *_LIMITS), tolerance=1e-8)
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    fine = np.linspace(distortions[0], distortions[-1], 200)
    lines, unproved = [], list(not_certified(data, "of the coin"))
    for k, limit in enumerate(data.P.values):
        formula = perception.binary_rate(fine, limit, _BIAS)
        left.plot(fine, formula, color=f"C{k}", linewidth=1)
        solved = data.sel(P=limit)
        left.plot(distortions, solved.rate_upper, "o", color=f"C{k}", markersize=3.5, label=f"TV $\\leq$ {limit:g}")
        error = np.abs(solved.rate_upper.values - perception.binary_rate(distortions, limit, _BIAS)).max()
        lines.append(f"coin, TV at most {limit:g}: largest distance from the closed form {error:.1e} nat")
    left.set(xlabel="distortion (Hamming)", ylabel="rate [nat]", title=f"coin of bias {_BIAS:g}")
    left.legend(frameon=False)

    x = np.linspace(-4, 4, 41)
    bell = Source(x, np.exp(-(x**2) / 2), normalise=True)
    problem = Problem(bell, limits=[DistortionLimit(1.0), PerceptionLimit(1.0, "w2")])
    for rate in _RATES:
        boundary = tradeoff(problem, rate, "P", n_points=_POINTS - 2, tolerance=1e-6)
        plot.tradeoff(boundary, right)
        right.lines[-1].set_label(f"{rate:g} nat")
        unproved += not_certified(boundary, f"of the bell curve at {rate:g} nat")
        real, free = boundary.objective_upper.values[[0, -1]]
        lines.append(
            f"bell curve, {rate:g} nat: distortion {free:.4f} without a limit, {real:.4f} with perfect realism, "
            f"{real / free:.3f} times"
        )
    right.set(xlabel="squared Wasserstein distance", ylabel="distortion", title="bell curve, fixed rates")
    right.legend(frameon=False)
    return Drawing(figure, tuple(lines), tuple(unproved))
