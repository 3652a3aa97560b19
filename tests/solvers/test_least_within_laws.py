"""The least loss, or perception, where the limit on the rate does not bind: it is a linear programme's."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import rdcsolve as rdc
from rdcsolve.results import Status
from rdcsolve.solvers.loop import Limits, Settings
from rdcsolve.solvers.perception import least_at_rate
from rdcsolve.solvers.perception.least_at_rate import _Search, least_rate_within_laws

SEEDS = st.integers(0, 2**32 - 1)


def drawn(seed):
    """Return masses, distortions and costs of a transport between symbols."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    x = rng.normal(size=n)
    return rng.dirichlet(np.full(n, 2.0)), rng.random((n, n)), np.subtract.outer(x, x) ** 2, rng


def by_programme(p, d, cost, least, limit):
    """Return the least mean of one of d and the transport cost over channels where the other is within its limit."""
    n = p.size
    joint, plan = np.eye(n * n), np.arange(n * n)
    rows = joint.reshape(n, n, -1).sum(axis=1)
    columns = joint.reshape(n, n, -1).sum(axis=0)
    nothing = np.zeros((n, n * n))
    equal = np.vstack([np.hstack([rows, nothing]), np.hstack([nothing, rows]), np.hstack([columns, -columns])])
    loss, spent = (np.zeros(2 * plan.size) for _ in range(2))
    loss[: plan.size], spent[plan.size :] = d.ravel(), cost.ravel()
    objective, limited = (loss, spent) if least == "distortion" else (spent, loss)
    right = np.concatenate([p, p, np.zeros(n)])
    answer = linprog(objective, A_ub=limited[None], b_ub=[limit], A_eq=equal, b_eq=right, method="highs")
    return float(answer.fun)


@settings(max_examples=10, deadline=None)
@given(SEEDS, st.sampled_from(["distortion", "perception"]), st.floats(0.05, 0.95))
@example(3, "distortion", 0.5)
def test_what_limits_alone_allow(seed, least, share):
    p, d, cost, _ = drawn(seed)
    limit = rdc.PerceptionLimit(math.inf, "transport", cost=cost)
    problem = rdc.Problem(rdc.Source(None, p), distortion=d, limits=[rdc.DistortionLimit(math.inf), limit])
    lowest, loosest = float(p @ d.min(axis=1)), float(p @ np.diag(d))
    D = lowest + share * (loosest - lowest)
    P = share * float(p @ cost[:, int((p @ d).argmin())])
    bounds = {"perception": P} if least == "distortion" else {"distortion": D}
    stated = problem.with_limits(**bounds).minimising(least, rate=math.log(p.size) + 1)
    result = rdc.solve(stated, tolerance=1e-7)
    known = by_programme(p, d, cost, least, *bounds.values())
    assert result.objective_lower <= known + 1e-8
    assert result.objective_upper >= known - 1e-8
    assert result.verify(stated).valid
    assert result.gap <= 1e-5
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL)


@settings(max_examples=10, deadline=None)
@given(SEEDS)
def test_the_cheapest_way_to_keep_the_law(seed):
    """With the law of the source, and all the rate there is, the least loss is that of a transport."""
    p, d, _, _ = drawn(seed)
    source = rdc.Source(None, p)
    problem = rdc.Problem(source, distortion=d, limits=[rdc.PerceptionLimit(0.0, "exact")])
    stated = problem.minimising("distortion", rate=math.log(p.size) + 1)
    result = rdc.solve(stated, tolerance=1e-7)
    n = p.size
    sums = np.vstack([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])
    known = float(linprog(d.ravel(), A_eq=sums, b_eq=np.concatenate([p, p]), method="highs").fun)
    assert result.objective_lower <= known + 1e-8
    assert result.objective_upper >= known - 1e-8
    assert result.gap <= 1e-5
    assert result.verify(stated).valid


@pytest.mark.parametrize(
    ("measure", "P", "rate", "least"),
    [("hellinger", 0.1, 1e-6, 0.38), ("js", 0.1, 1e-6, 0.38), ("js", 0.002, 1e-9, 0.0)],
)
def test_at_nearly_no_rate(measure, P, rate, least):
    p, d = np.array([0.5, 0.3, 0.2]), np.array([[0.0, 1.0, 4.0], [1.0, 0.0, 1.0], [4.0, 1.0, 0.0]])
    problem = rdc.Problem.from_arrays(p, d, P=P, perception=measure).minimising("distortion", rate=rate)
    result = rdc.solve(problem, tolerance=1e-7)
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL)
    assert result.gap <= 1e-5
    assert result.objective_upper > least
    assert result.verify(problem).valid


def five(rate):
    source = rdc.Source(np.arange(-2.0, 3.0), [0.15, 0.25, 0.3, 0.2, 0.1])
    limits = [rdc.DistortionLimit(0.5), rdc.PerceptionLimit(math.inf, "tv")]
    return rdc.Problem(source, limits=limits).minimising("perception", rate=rate)


def test_what_is_proved_is_kept_where_no_channel_was_found():
    problem = five(0.54)
    solver, limits = rdc.ColumnGeneration(), Limits(200)
    search = _Search(problem, Settings(solver, 1e-8, limits, time.perf_counter()), "perception", 0.54)
    found = search.run(None)
    search.primal = None
    bare = search._result(Status.STALLED, found)
    assert bare.objective_lower == search.floor > 0.0203
    assert bare.proof is rdc.Proof.CERTIFIED
    assert not bare.letters.size
    assert bare.multipliers["perception"] == pytest.approx(0.413, abs=1e-3)
    assert bare.verify(problem).valid


def test_a_channel_beyond_the_rate_is_not_handed_out():
    """The first channel of the other limits alone needs more than the rate allowed."""
    result = rdc.solve(five(0.51), callback=lambda record: True)
    assert result.status is Status.STOPPED_BY_CALLBACK
    assert not result.letters.size
    assert result.objective_lower == 0 or math.isnan(result.objective_lower)
    assert "no channel found" in result.message


def test_rates_that_are_not_found_near_enough_end_the_search(monkeypatch):
    solved = []

    def never_near(problem, settings, start):
        solved.append(problem)
        return replace(least_rate_within_laws(problem, settings, start), status=Status.ALMOST_OPTIMAL)

    monkeypatch.setattr(least_at_rate, "least_rate_within_laws", never_near)
    result = rdc.solve(five(0.54), tolerance=1e-12)
    assert len(solved) <= 6
    assert result.proof is rdc.Proof.CERTIFIED
