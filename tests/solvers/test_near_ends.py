"""Limits near, but not at, the ends of the curve: just above the least loss, and just below zero rate."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.results import Status
from rdcsolve.solvers.finite.best_channel import best_channel
from rdcsolve.solvers.finite.faces import limited_task

INF = np.inf
seeds = st.integers(0, 10**6)
near = st.floats(-12, -7)  # decades of the way from the least loss to zero rate


def closed(problem):
    """The result of a problem that is to be solved whole."""
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL, str(result)
    assert result.gap <= 1e-9
    assert result.certificate.verify(problem).valid
    return result


def entropy(p):
    return -p * math.log(p) - (1 - p) * math.log1p(-p)


def table(rng, n, k):
    """Losses of one kind or another, some with a constant part for each symbol."""
    kind = rng.integers(5)
    if kind == 0:
        losses = rng.random((n, k))
    elif kind == 1:
        losses = rng.integers(0, 4, (n, k)).astype(float)
    elif kind == 2:
        losses = (rng.normal(size=n)[:, None] - rng.normal(size=k)) ** 2
    elif kind == 3:
        losses = 1.0 - np.eye(n, k)
    else:
        losses = rng.exponential(size=(n, k)) * 10.0 ** rng.uniform(-3, 3)
    return losses + rng.random((n, 1)) * 3 * (rng.random() < 0.3)


def ends(p, losses):
    """The least loss, and the least of a letter that ignores the symbol."""
    usable = np.where(np.isinf(losses).any(axis=0), INF, p @ np.where(np.isinf(losses), 0.0, losses))
    return float(p @ losses.min(axis=1)), float(usable.min())


def ordinary(rng, banned=0.0):
    n, k = (int(size) for size in rng.integers(2, 9, 2))
    p, losses = rng.dirichlet(np.ones(n)), table(rng, n, k)
    if banned:
        mask = rng.random((n, k)) < banned
        mask[np.arange(n), rng.integers(k, size=n)] = False
        mask[:, 0] = False
        losses = np.where(mask, INF, losses)
    least, last = ends(p, losses)
    assume(last - least > 1e-9 * losses[np.isfinite(losses)].max())
    return p, losses, least, last


# ------------------------------------------------------------------------------------- just above the least loss


@given(st.floats(0.05, 0.5), near)
@example(0.3, -8.0)
@example(0.3, -12.0)
def test_a_binary_source(p, decades):
    distortion = 10.0**decades
    result = closed(rdc.Problem.from_arrays([1 - p, p], [[0, 1], [1, 0]], D=distortion))
    assert result.rate_lower - 1e-12 <= entropy(p) - entropy(distortion) <= result.rate_upper + 1e-12
    assert result.multipliers["distortion"] == pytest.approx(math.log((1 - distortion) / distortion), rel=1e-2)


@given(seeds, near, st.sampled_from([0.0, 0.1, 0.3]))
def test_any_loss(seed, decades, banned):
    p, losses, least, last = ordinary(np.random.default_rng(seed), banned)
    closed(rdc.Problem.from_arrays(p, losses, D=least + (last - least) * 10.0**decades))


@given(seeds, near, st.floats(0.3, 1.2))
def test_beside_another_limit(seed, decades, share):
    """The other limit may be active or idle: it is above what the cheapest letters of the first loss cost."""
    rng = np.random.default_rng(seed)
    p, losses, least, last = ordinary(rng)
    other = table(rng, *losses.shape)
    lowest, highest = ends(p, other)
    assume(highest - lowest > 1e-9 * other.max())
    met = float(p @ other[np.arange(p.size), losses.argmin(axis=1)])
    problem = rdc.Problem.from_arrays(p, losses, losses={"other": other})
    limits = {
        "distortion": least + (last - least) * 10.0**decades,
        "other": max(lowest + (highest - lowest) * share, met * 1.001),
    }
    closed(problem.with_limits(**limits))


# ------------------------------------------------------------------------------------- just below zero rate


@given(st.integers(2, 8), st.floats(-9, -4), st.sampled_from([INF, 1e6, 1e2]))
@example(2, -8.0, INF)
@example(5, -8.0, 24030.0)
def test_a_straight_segment(n, decades, price):
    """Erasures: the rate is (1 - D) log n, exactly, where wrong letters are forbidden, and next to it else."""
    share = 10.0**decades
    losses = np.full((n, n + 1), price)
    losses[:, n] = 1
    losses[np.arange(n), np.arange(n)] = 0
    result = closed(rdc.Problem.from_arrays(np.full(n, 1 / n), losses, D=1 - share))
    if math.isinf(price):
        right = (1 - (1 - share)) * math.log(n)
        assert result.rate_lower * (1 - 1e-6) <= right <= result.rate_upper * (1 + 1e-6) + 1e-15


@given(seeds, st.floats(-9, -3))
@example(1, -6.47)
@example(0, -4.0)
def test_a_straight_segment_of_a_label(seed, decades):
    """A label that is a function of the symbol: the rate is H(S) - C, exactly, where symbols share a class too."""
    rng = np.random.default_rng(seed)
    n, n_classes = int(rng.integers(2, 8)), int(rng.integers(2, 6))
    p, classes = rng.dirichlet(np.ones(n)), rng.integers(n_classes, size=n)
    label = np.eye(n_classes)[classes]
    masses = p @ label
    largest = -float(masses @ np.log(np.where(masses > 0, masses, 1.0)))
    assume(largest > 1e-3)
    bound = (1 - 10.0**decades) * largest
    problem = rdc.Problem.from_arrays(p, table(rng, n, 3), label, D=INF, C=bound)
    result = closed(problem)
    if largest - bound > 1e-6:  # else the gap asked for allows others
        assert result.multipliers["label_entropy"] == pytest.approx(1.0, abs=0.01)
    right = largest - bound
    assert result.rate_lower <= right + 1e-15
    assert result.rate_upper >= right - 1e-15
    assert result.gap <= 1e-9


@pytest.mark.parametrize("seed", range(60))
def test_a_label_that_is_no_function_just_below_zero_rate(seed):
    """All letters are nearly equal there, and where one splits in two is all that counts."""
    rng = np.random.default_rng(seed)
    n, n_classes = int(rng.integers(3, 7)), int(rng.integers(2, 4))
    p, label = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n_classes), size=n)
    marginal = p @ label
    largest, least = -float(marginal @ np.log(marginal)), -float(p @ (label * np.log(label)).sum(axis=1))
    share = 10.0 ** rng.uniform(-9, -4)
    closed(rdc.Problem.from_arrays(p, np.zeros((n, 1)), label, D=INF, C=largest - share * (largest - least)))


# ------------------------------------------------------------------------------------- multipliers for given masses


@given(seeds, st.floats(-3, 12))
def test_multipliers_are_found_from_wherever_they_start(seed, decades):
    """Far too large they leave no gradient, far too small a huge one; Newton's step then says nothing of its length."""
    p, losses, least, last = ordinary(np.random.default_rng(seed))
    problem = rdc.Problem.from_arrays(p, losses, D=least + 0.3 * (last - least))
    task = limited_task(problem, problem.bounds)
    letters = np.arange(losses.shape[1])
    q = np.full(letters.size, 1 / letters.size)
    expected = best_channel(task, letters, q, 1 / task.ranges)
    assume(expected.met)
    found = best_channel(task, letters, q, 10.0**decades / task.ranges)
    assert found.met
    assert found.means == pytest.approx(expected.means, rel=1e-9)


@given(seeds, st.floats(0, 300))
def test_limits_out_of_reach_end_without_a_warning(seed, decades):
    """Two limits that these masses cannot meet together raise multipliers without end."""
    rng = np.random.default_rng(seed)
    p, losses, least, last = ordinary(rng)
    mirrored = losses.max() - losses
    lowest, highest = ends(p, mirrored)
    problem = rdc.Problem.from_arrays(p, losses, losses={"other": mirrored})
    task = limited_task(problem, np.array([least + 0.9 * (last - least), lowest + 0.9 * (highest - lowest)]))
    assume(task is not None and task.free.all())
    letters = np.arange(losses.shape[1])
    bounds = 1e-3 * task.bounds
    start = np.array([1.0, 10.0**decades]) / task.ranges
    found = best_channel(task, letters, np.full(letters.size, 1 / letters.size), start, bounds)
    assert np.isfinite(found.multipliers).all()
    assert found.met == (found.means <= bounds * (1 + 2e-13)).all()


@settings(max_examples=8)
@given(seeds, st.floats(-6, -2))
@example(342, -3.5)
def test_the_least_loss_at_next_to_no_rate(seed, decades):
    """Below the loss of the best constant output, be the end of the curve flat or a straight segment."""
    rng = np.random.default_rng(seed)
    p, losses, least, most = ordinary(rng)
    assume(most - least > 1e-6 * most)
    bound = most - 10**decades * (most - least)
    rate = rdc.solve(rdc.Problem.from_arrays(p, losses, D=bound))
    assume(rate.rate_lower > 1e-9)
    result = rdc.solve(rdc.Problem.from_arrays(p, losses).minimising("distortion", rate.rate_upper))
    assert result.objective_upper - bound <= 1e-2 * (most - bound) + 1e-9 * most  # not where the rate is zero
    assert result.status is Status.OPTIMAL or result.gap * result.multipliers["distortion"] <= 1e-9
    # the rate of the least loss is that from which it came: bounds apart by the gap of the rate over its slope
    assert result.objective_lower <= bound * (1 + 1e-12)
