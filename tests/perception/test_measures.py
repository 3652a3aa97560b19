"""Distances and support functions against brute force, and against one another."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcsolve.perception import DIVERGENCES, distance, monotone_order, north_west, plan_between, support
from rdcsolve.problems import Perception, PerceptionLimit, Source

P = np.array([0.2, 0.5, 0.3])
SIMPLEX = np.array([q for q in itertools.product(np.linspace(0, 1, 41), repeat=3) if abs(sum(q) - 1) < 1e-9])


def measured(measure, target=P, cost=None, outside=0.0):
    return Perception("perception", measure, target, np.arange(3), cost, outside)


MEASURES = [
    measured("tv"),
    measured("tv", P * 0.8, outside=0.2),
    measured("w2", cost=np.array([[0.0, 1.0, 4.0], [1.0, 0.0, 1.0], [4.0, 1.0, 0.0]])),
    measured("transport", cost=np.array([[0.3, 2.0, 0.1], [1.0, 0.0, 5.0], [0.4, 0.2, 0.7]])),
    *(measured(name) for name in DIVERGENCES),
    measured("kl", P * 0.9, outside=0.1),
    measured("hellinger", np.array([0.0, 0.6, 0.4])),
]


def levels_of(perception, w, nu):
    """Return levels within the domain, some of them near the best."""
    if perception.measure not in DIVERGENCES:
        return [0.0]
    end = DIVERGENCES[perception.measure].steepest
    low = w.max() - nu * end + 1e-3 if np.isfinite(end) else w.min() - 3 * nu
    return np.linspace(low, w.max() + 3 * nu, 200)


@pytest.mark.parametrize("perception", MEASURES, ids=str)
def test_no_law_beats_the_support_function(perception):
    rng = np.random.default_rng(0)
    distances = np.array([distance(perception, q) for q in SIMPLEX])
    for _ in range(5):
        w = rng.uniform(0, 2, 3)
        for nu in (0.05, 0.5, 3.0):
            bounds = [support(perception, w, nu, level) for level in levels_of(perception, w, nu)]
            values = SIMPLEX @ w - nu * distances
            assert values.max() <= min(bounds) + 1e-12
            assert min(bounds) - values.max() < 0.1  # the grid of laws and levels is coarse


@pytest.mark.parametrize("perception", MEASURES, ids=str)
def test_nothing_is_at_a_smaller_distance_than_the_target(perception):
    if perception.cost is None and not perception.outside:
        assert distance(perception, perception.target) == pytest.approx(0, abs=1e-15)
    assert all(distance(perception, q) >= 0 for q in SIMPLEX[::7])
    assert support(perception, P, 0.0) == P.max()


@pytest.mark.parametrize("name", DIVERGENCES)
def test_conjugates_and_their_derivatives(name):
    divergence = DIVERGENCES[name]
    t = np.linspace(0.0, 60, 200001)[1:]
    f = divergence.f(t)
    for s in (-1.5, -0.3, 0.0, 0.2):
        found = divergence.conjugate(np.array([s]))
        assert found.value[0] == pytest.approx(np.max(s * t - f), abs=2e-4)
        h = 1e-5
        around = divergence.conjugate(np.array([s - h, s + h]))
        assert found.slope[0] == pytest.approx(np.diff(around.value)[0] / (2 * h), rel=1e-6)
        assert found.curvature[0] == pytest.approx(np.diff(around.slope)[0] / (2 * h), rel=1e-6)
    assert divergence.conjugate(np.zeros(1)).slope[0] == 1
    assert divergence.at_zero == pytest.approx(float(divergence.f(np.array([0.0]))[0]))
    if np.isfinite(divergence.steepest):
        assert divergence.f(np.array([1e9]))[0] / 1e9 == pytest.approx(divergence.steepest, rel=1e-3)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 6))
def test_the_rule_for_lines_is_optimal(seed, n, m):
    from scipy.optimize import linprog

    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=n), rng.normal(size=m)
    cost = np.abs(x[:, None] - y) ** rng.choice([1, 2])
    p, q = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    assert monotone_order(cost) is not None
    plan = plan_between(p, q, cost)
    sums = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    answer = linprog(cost.ravel(), A_eq=sums, b_eq=np.concatenate([p, q]), method="highs")
    assert plan.cost == pytest.approx(answer.fun, abs=1e-9)
    assert np.bincount(plan.rows, plan.masses, n) == pytest.approx(p)
    assert np.bincount(plan.columns, plan.masses, m) == pytest.approx(q)
    assert plan.masses.size <= n + m - 1


def test_costs_of_a_plane_are_left_to_a_programme():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(7, 2))
    cost = ((points[:, None] - points) ** 2).sum(axis=2)
    p, q = rng.dirichlet(np.ones(7)), rng.dirichlet(np.ones(7))
    assert monotone_order(cost) is None
    plan = plan_between(p, q, cost)
    naive = north_west(p, q)
    assert plan.cost < naive[2] @ cost[naive[0], naive[1]]
    assert np.bincount(plan.columns, plan.masses, 7) == pytest.approx(q)


def test_points_of_the_same_place_are_one():
    source = Source([0.0, 1.0, 1.0, 2.0], [0.1, 0.2, 0.3, 0.4])
    known = PerceptionLimit(0.1, "tv").resolve(source, np.array([[1.0], [0.0], [1.0], [5.0]]), 4)
    assert known.place.tolist() == [0, 1, 0, 2]
    assert known.target.tolist() == [0.5, 0.1, 0.0]
    assert known.outside == 0.4
    law = known.law(np.array([0, 2, 3]), np.array([0.25, 0.25, 0.5]))
    assert law.tolist() == [0.5, 0, 0.5]
    assert distance(known, law) == pytest.approx(0.5)


def test_a_target_of_its_own():
    source = Source([0.0, 1.0], [0.5, 0.5])
    other = PerceptionLimit(0.1, "w2", target=Source([3.0], [1.0])).resolve(source, np.array([[0.0], [1.0]]), 2)
    assert other.cost.tolist() == [[9.0, 4.0]]
    assert distance(other, np.array([0.5, 0.5])) == pytest.approx(6.5)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_slopes_are_derivatives(name):
    ratios, step = np.logspace(-2, 2, 40), 1e-6
    divergence = DIVERGENCES[name]
    found = (divergence.f(ratios * (1 + step)) - divergence.f(ratios * (1 - step))) / (2 * step * ratios)
    assert divergence.slope(ratios) == pytest.approx(found, rel=1e-5, abs=1e-7)
    turned = (divergence.slope(ratios * (1 + step)) - divergence.slope(ratios * (1 - step))) / (2 * step * ratios)
    assert divergence.bend(ratios) == pytest.approx(turned, rel=1e-5, abs=1e-7)
