"""Very small problems are answered at once, in NumPy or by compiled loops: one algorithm twice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.solvers import InteriorPoint, small
from rdcsolve.solvers.finite import batched
from rdcsolve.twins import Work

seeds = st.integers(0, 2**32 - 1)


@pytest.fixture(scope="module", params=[False, True], ids=["plain", "compiled"])
def has_solved_many(request):
    """Whether the process has solved many."""
    work = Work()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batched, "WORK", work)
        while request.param and work.may_stay_plain():
            work.step(10**7)
        yield request.param


def drawn(seed):
    """A problem within a limit, or at a multiplier, of any scale."""
    rng = np.random.default_rng(seed)
    n, k = int(rng.integers(2, 20)), int(rng.integers(2, 20))
    p, loss = rng.dirichlet(np.full(n, rng.choice([0.3, 3.0]))) + 1e-9, rng.random((n, k)) * 10.0 ** rng.integers(-6, 7)
    if rng.random() < 0.3:
        loss = np.abs(np.subtract.outer(np.arange(n), np.arange(k))).astype(float)
    problem = rdc.Problem.from_arrays(p / p.sum(), loss, D=np.inf)
    least, last = problem.least_mean(0), float((problem.p_x @ loss).min())
    if rng.random() < 0.7 and last > least:
        return problem.with_limits(D=least + rng.uniform(0.01, 0.99) * (last - least))
    return problem.at_multipliers(distortion=10 ** rng.uniform(-1, 1.5) / loss.max())


def solved_exactly(systems, right):
    """In place of the inverse, which errs where matrices are next to singular."""
    scaled = (systems.scaling * right)[:, :, None]
    return systems.scaling * np.linalg.solve(systems.matrix, scaled)[:, :, 0]


@given(seed=seeds)
def test_both_twins_go_the_same_way(seed):
    problem = drawn(seed)
    if not small.is_small(problem):
        return
    work, loss = Work(), problem.losses[0].matrix - problem.row_minima(0)[:, None]
    is_limited = problem.multipliers is None
    bounds = np.array([problem.bounds[0] - problem.least_mean(0)]) if is_limited else None
    stack = batched.Stack(
        problem.p_x[None].copy(), (loss if is_limited else loss * problem.multipliers[0])[None], bounds
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batched, "WORK", work)
        patch.setattr(batched._Systems, "_inverted", solved_exactly)
        plain = batched.solved(stack, 1e-10)
        while work.may_stay_plain():
            work.step(10**7)
        patch.setattr(batched, "_run", None)
        theirs = batched.solved(stack, 1e-10)
    ours, others = plain.histories[0], theirs.histories[0]
    steps = min(len(ours), len(others))
    assert abs(len(ours) - len(others)) <= 1
    np.testing.assert_allclose(ours[:steps], others[:steps], rtol=1e-8, atol=1e-10)
    assert max(plain.gaps[0], theirs.gaps[0]) <= 1e-10
    if len(ours) == len(others):
        np.testing.assert_allclose(plain.q, theirs.q, rtol=1e-5, atol=1e-7)


@given(seed=seeds)
def test_answers_are_proved_and_those_of_the_interior_point(has_solved_many, seed):
    problem = drawn(seed)
    result, other = rdc.solve(problem), rdc.solve(problem, solver=InteriorPoint())
    assert (result.status, result.proof) == (rdc.Status.OPTIMAL, rdc.Proof.CERTIFIED)
    assert result.objective_lower <= other.objective_upper
    assert other.objective_lower <= result.objective_upper
    assert (result.method, bool(result.history)) == (other.method, bool(other.history))
    assert result.verify(problem).valid
    if problem.multipliers is None:
        assert result.losses["distortion"] <= problem.bounds[0]


def test_a_process_that_solves_many_goes_over_to_compiled_loops(monkeypatch):
    monkeypatch.setattr(batched, "WORK", Work())
    compiled, used = batched._compiled, []
    monkeypatch.setattr(batched, "_compiled", lambda *arguments: used.append(1) or compiled(*arguments))
    coin = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]], D=0.1)
    for _ in range(50):
        rdc.solve(coin)
    assert not used
    for _ in range(1000):
        assert rdc.solve(coin).status is rdc.Status.OPTIMAL
    assert used


def test_an_interrupt_ends_it(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(small, "solved", interrupted)
    result = rdc.solve(rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], D=0.1))
    assert (result.status, result.rate_lower) == (rdc.Status.INTERRUPTED, 0.0)


def test_what_fails_at_once_is_solved_otherwise(monkeypatch):
    def singular(*_, **__):
        raise np.linalg.LinAlgError

    monkeypatch.setattr(small, "solved", singular)
    assert rdc.solve(rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], D=0.1)).status is rdc.Status.OPTIMAL
