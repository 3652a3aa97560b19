"""Distortion-perception curves at a rate, and pictures with limits on the law of the reproduction."""

import math

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.explore.envelope import Envelope
from rdcsolve.theory.perception import binary_rate

COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=1.0, P=1.0, perception="tv")
POINTS = np.arange(-2.0, 3.0)
FIVE = rdc.Problem(
    rdc.Source(POINTS, [0.15, 0.25, 0.3, 0.2, 0.1]),
    limits=[rdc.DistortionLimit(1.0), rdc.PerceptionLimit(1.0, "w2")],
)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def test_the_curve_of_a_coin_at_a_rate_has_both_corners():
    boundary = rdc.tradeoff(COIN, 0.15, "P", n_points=5)
    assert (boundary.status == "OPTIMAL").all()
    P, D = boundary.perception.values, boundary.objective_upper.values
    assert P[0] == 0
    assert boundary.multipliers.sel(loss="perception").values[0] > 0
    for limit, distortion in zip(P, D, strict=True):
        assert binary_rate(distortion, limit, 0.3) == pytest.approx(0.15, abs=1e-7)
    free = rdc.solve(COIN.without_perceptions().with_limits(D=None).minimising("distortion", rate=0.15))
    assert D[-1] == pytest.approx(free.objective_upper, abs=1e-8)


def test_both_ways_of_looking_at_the_curve_agree():
    over_p = rdc.tradeoff(FIVE, 0.4, "P", n_points=4, tolerance=1e-8)
    over_d = rdc.tradeoff(FIVE, 0.4, "D", minimise="P", n_points=4, tolerance=1e-8)
    assert over_d.objective_upper.values[-1] == pytest.approx(0, abs=1e-8)
    assert over_d.distortion.values[-1] == pytest.approx(over_p.objective_upper.values[0], abs=1e-7)
    envelope = Envelope(over_p)
    for distortion, nearest in zip(over_d.distortion.values, over_d.objective_upper.values, strict=True):
        assert envelope.lower_at([nearest]) <= distortion + 1e-7
    D = over_p.objective_upper.values
    assert (np.diff(D) <= 1e-9).all()
    slopes = np.diff(D) / np.diff(over_p.perception.values)
    assert (np.diff(slopes) >= -1e-6).all()


def test_perfect_realism_costs_at_most_twice_the_distortion():
    """Theorem: D(R, 0) <= 2 D(R) for squared error; letters at the source's points can only have a larger D(R)."""
    for rate in (0.1, 0.5, 1.0):
        boundary = rdc.tradeoff(FIVE, rate, "P", n_points=2, tolerance=1e-8)
        exact, free = boundary.objective_upper.values
        assert free <= exact <= 2 * free + 1e-8


@pytest.mark.parametrize("names", [("P", "E"), ("E", "P")])
def test_unknown_names_are_told(names):
    with pytest.raises(rdc.InvalidInput, match="unknown loss to"):
        rdc.tradeoff(COIN, 0.1, names[0], minimise=names[1])


def test_curves_are_slices_of_a_surface():
    surface = rdc.sweep(COIN, P=[0.0, 0.05, 1.0], D=[0.1, 0.15, 0.2])
    ax = rdc.plot.curves(surface, "D")
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["perception $\\leq 0$", "perception $\\leq 0.05$", "perception $\\leq 1$"]
    marks = [line for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata()) == 3]
    for limit, line in zip([0.0, 0.05, 1.0], marks, strict=True):
        assert line.get_ydata() == pytest.approx(binary_rate(np.array([0.1, 0.15, 0.2]), limit, 0.3), abs=1e-8)
    assert rdc.plot.curves(surface, "P", bits=True).get_ylabel() == "rate [bit]"
    with np.errstate(all="raise"):
        rdc.plot.surface(surface)
    with pytest.raises(rdc.InvalidInput, match="two axes"):
        rdc.plot.curves(surface.isel(P=0), "D")
    with pytest.raises(rdc.InvalidInput, match="axis to draw along"):
        rdc.plot.curves(surface, "C")


def test_laws_are_drawn_beside_their_target():
    results = {name: rdc.solve(FIVE.with_limits(D=0.5, P=P)) for name, P in (("free", math.inf), ("real", 0.0))}
    ax = rdc.plot.output_law(FIVE, results)
    drawn = {line.get_label(): np.array(line.get_data()) for line in ax.lines}
    assert drawn["target"].tolist() == [POINTS.tolist(), FIVE.p_x.tolist()]
    assert drawn["real"][1] == pytest.approx(FIVE.p_x, abs=1e-9)
    assert drawn["free"][1] == pytest.approx(results["free"].output_law)
    numbered = rdc.plot.output_law(COIN, rdc.solve(COIN.with_limits(D=0.1, P=0.0)))
    assert numbered.lines[0].get_xdata().tolist() == [0, 1]
    twice = rdc.Problem(FIVE.source, [2.0, -1.0, 2.0, 0.0, 1.0, -2.0], limits=[rdc.PerceptionLimit(0.01, "tv")])
    law = rdc.plot.output_law(twice, rdc.solve(twice)).lines[0]
    assert law.get_xdata().tolist() == [-2, -1, 0, 1, 2]
    with pytest.raises(rdc.InvalidInput, match="no limit on the law"):
        rdc.plot.output_law(FIVE.without_perceptions(), results)
    with pytest.raises(rdc.InvalidInput, match="no channel"):
        rdc.plot.output_law(FIVE, {"none": rdc.solve(FIVE.with_limits(D=0.5, rate=0.1))})
    plane = rdc.Problem(rdc.Source(np.eye(2), [0.5, 0.5]), limits=[rdc.PerceptionLimit(0.1, "w2")])
    with pytest.raises(rdc.InvalidInput, match="dimension 2"):
        rdc.plot.output_law(plane, rdc.solve(plane))


def test_an_axis_of_all_classes_bounds_what_lies_between_its_points():
    """The limits of all classes move along it together, so its slope is the sum of theirs."""
    label = [[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.1, 0.9]]
    source = rdc.Source([0.0, 1.0, 2.0, 3.0], [0.3, 0.3, 0.2, 0.2], labels=[label])
    problem = rdc.Problem(source, limits=[rdc.DistortionLimit(0.8), rdc.PerceptionLimit(0.1, "tv", given=0)])
    envelope = Envelope(rdc.sweep(problem, P=[0.02, 0.2]))
    assert envelope.slopes[0] > 0
    exact = rdc.solve(problem.with_limits(P=0.06))
    assert envelope.lower_at([0.06]) <= exact.rate_upper
    assert envelope.upper_at([0.06]) >= exact.rate_lower
    over = rdc.sweep(problem.at_multipliers(D=1.0, P=0.1), P=[0.1, 0.5])
    assert (over.multipliers.sel(loss=["perception_0", "perception_1"]).values == [[0.1, 0.1], [0.5, 0.5]]).all()
    with pytest.raises(rdc.InvalidInput, match="the axis P is the multiplier of 2 laws"):
        Envelope(over)
