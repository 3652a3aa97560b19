"""Many small problems at once have the answers that they have one by one, each proved, whatever holds the arrays."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.kernels import Backend, backends
from rdcsolve.solvers import many
from rdcsolve.solvers.finite import batched

seeds = st.integers(0, 2**32 - 1)


def strict():
    namespace = pytest.importorskip("array_api_strict")
    if np.lib.NumpyVersion(np.__version__) < "2.0.0":
        pytest.skip("array-api-strict calls np.asarray(copy=...), which came with NumPy 2, to leave its devices")
    return Backend("strict", namespace, namespace.Device("device1"), namespace.Device("CPU_DEVICE"))


def torch():
    pytest.importorskip("torch")
    return backends.find("torch")


def numpy():
    return "numpy"


MAKERS = [numpy, torch, strict]


def drawn(seed, count, n=None, k=None):
    """Problems of one shape: within limits anywhere between the ends of their curves, or at multipliers."""
    rng = np.random.default_rng(seed)
    n, k = n or int(rng.integers(2, 9)), k or int(rng.integers(2, 9))
    is_limited, problems = bool(rng.integers(2)), []
    for _ in range(count):
        p, loss = rng.dirichlet(np.ones(n)), rng.random((n, k)) * 10.0 ** rng.integers(-3, 4)
        problem = rdc.Problem.from_arrays(p, loss, D=np.inf)
        least, last = problem.least_mean(0), float((p @ loss).min())
        if is_limited:
            problems.append(problem.with_limits(D=least + rng.uniform(0.02, 0.98) * (last - least)))
        else:
            problems.append(problem.at_multipliers(distortion=10 ** rng.uniform(-1, 1.5) / loss.max()))
    return problems


def overlap(left, right):
    """Whether two results may be of one optimum."""
    return left.objective_lower <= right.objective_upper and right.objective_lower <= left.objective_upper


@pytest.mark.parametrize("precision", many.PRECISIONS)
@pytest.mark.parametrize("make", MAKERS)
@given(seed=seeds)
def test_answers_are_those_of_single_problems_and_proved(make, precision, seed):
    problems = drawn(seed, 5)
    for problem, result in zip(problems, rdc.solve_many(problems, backend=make(), precision=precision), strict=True):
        assert (result.status, result.proof) == (rdc.Status.OPTIMAL, rdc.Proof.CERTIFIED)
        assert result.gap <= 1e-9
        assert result.verify(problem).valid
        assert overlap(result, rdc.solve(problem))


@pytest.mark.parametrize("precision", many.PRECISIONS)
def test_small_problems_are_solved_side_by_side(monkeypatch, precision):
    def alone(*_, **__):
        raise AssertionError("solved by itself")

    monkeypatch.setattr(many, "solve", alone)
    coins = [
        rdc.Problem.from_arrays([1 - p, p], [[0, 1], [1, 0]], D=share * p)
        for p in (0.1, 0.3, 0.5)
        for share in (0.02, 0.4, 0.9)
    ]
    for coin, result in zip(coins, rdc.solve_many(coins, precision=precision), strict=True):
        p, D = coin.p_x.min(), float(coin.bounds[0])
        rate = float(rdc.information.entropy([p, 1 - p]) - rdc.information.entropy([D, 1 - D]))
        assert result.rate_lower <= rate + 1e-13
        assert result.rate_upper >= rate - 1e-13
        assert result.verify(coin, arithmetic="float").valid


def test_others_are_solved_by_themselves_in_their_place():
    label = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    p, loss = [0.2, 0.5, 0.3], 1 - np.eye(3)
    forbidding = np.where(np.eye(3), 0.0, [[0, 1, np.inf]] * 3)
    problems = [
        rdc.Problem.from_arrays(p, loss, D=0.2),
        rdc.Problem.from_arrays(p, loss, D=0.9),  # rate zero
        rdc.Problem.from_arrays(p, loss, D=0.0),  # no room
        rdc.Problem.from_arrays(p, loss, label, D=0.4, C=0.5),
        rdc.Problem.from_arrays(p, forbidding, D=0.2),
        rdc.Problem.from_arrays([0.5, 0.5, 0.0], loss, D=0.2),
        rdc.Problem.from_arrays(p, loss - 0.5, D=-0.2),
        rdc.Problem.from_arrays(p, loss, D=0.2, unit="bit"),
        rdc.Problem.from_arrays(p, loss, rate=0.3, minimise="distortion"),
        rdc.Problem.from_arrays(p, loss + 1.0, D=0.5),  # infeasible
    ]
    for problem, result in zip(problems, rdc.solve_many(problems), strict=True):
        alone = rdc.solve(problem)
        assert (result.status, result.proof, result.unit) == (alone.status, alone.proof, alone.unit)
        if alone.status is rdc.Status.OPTIMAL:
            assert overlap(result, alone)
    assert rdc.solve_many([]) == []


def arrays(make, dtype, seed):
    """Masses and a table of six problems as arrays of a library, and the library's backend."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3), size=6).astype(dtype)
    loss = rng.random((3, 4)).astype(dtype)
    backend = make()
    return (p, loss, None) if backend == "numpy" else (backend.put(p), backend.put(loss), backend)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("make", MAKERS)
@given(seed=seeds)
def test_arrays_come_back_as_they_came(make, dtype, seed):
    p, loss, backend = arrays(make, dtype, seed)
    solution = rdc.solve_arrays(p, loss, multiplier=5.0)
    for name, shape in (("channel", (6, 3, 4)), ("q", (6, 4)), ("d_tilted", (6, 3)), ("rate_upper", (6,))):
        array = getattr(solution, name)
        assert type(array) is type(p)
        assert tuple(array.shape) == shape
        assert array.dtype == p.dtype
        if backend is not None:
            assert array.device == p.device

    def host(array):
        return np.asarray(array if backend is None else backend.get(array), dtype=float)

    for row, result in enumerate(solution.results):
        assert result.status is rdc.Status.OPTIMAL
        assert host(solution.rate_lower)[row] <= result.rate_lower
        assert host(solution.rate_upper)[row] >= result.rate_upper
        means = (host(solution.channel)[row] * host(loss)).sum(axis=1) @ np.asarray(host(p)[row] / host(p)[row].sum())
        assert host(solution.distortion)[row] == pytest.approx(means, abs=1e-6)
        assert host(solution.q)[row].sum() == pytest.approx(1.0, abs=1e-6)


def test_tables_and_limits_may_differ_from_row_to_row():
    rng = np.random.default_rng(0)
    p, loss = rng.dirichlet(np.ones(3), size=4), rng.random((4, 3, 3))
    D = np.array([0.9 * min(p[row] @ loss[row]) + 0.1 * p[row] @ loss[row].min(axis=1) for row in range(4)])
    solution = rdc.solve_arrays(p, loss, D=D)
    for row in range(4):
        alone = rdc.solve(rdc.Problem.from_arrays(p[row], loss[row], D=D[row]))
        assert overlap(solution.results[row], alone)
        assert solution.multiplier[row] == pytest.approx(alone.multipliers["distortion"], rel=1e-3)


def test_limits_out_of_reach_have_no_channel():
    solution = rdc.solve_arrays(np.array([[0.5, 0.5]]), np.array([[1.0, 2.0], [2.0, 1.0]]), D=0.5)
    assert solution.results[0].status is rdc.Status.INFEASIBLE
    assert np.isnan(solution.channel).all()
    assert np.isinf(solution.rate_lower).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: rdc.solve_many(3), "list of Problem"),
        (lambda: rdc.solve_many([3]), r"problems\[0\]"),
        (lambda: rdc.solve_many([], precision="half"), "float32"),
        (lambda: rdc.solve_many([], tolerance=-1.0), "tolerance"),
        (lambda: rdc.solve_arrays(np.ones((1, 2)) / 2, np.eye(2)), "multiplier"),
        (lambda: rdc.solve_arrays(np.ones(2) / 2, np.eye(2), D=0.1), r"\(B, n\)"),
        (lambda: rdc.solve_arrays(np.ones((2, 2)) / 2, np.ones((3, 2, 2)), D=0.1), r"\(2, 2, k\)"),
        (lambda: rdc.solve_arrays(np.ones((2, 2)) / 2, np.eye(2), D=[0.1, 0.2, 0.3]), r"\(2,\)"),
        (lambda: rdc.solve_arrays([[0.5, 0.5]], np.eye(2), D=0.1), "p_x is a list.*asarray"),
        (lambda: rdc.solve_arrays(np.array([[0.7, 0.3], [0.6, 0.5]]), np.eye(2), D=0.1), r"row 1 of p_x sums to 1\.1"),
        (lambda: rdc.solve_arrays(np.array([[0.7, 0.3], [0.6, np.nan]]), np.eye(2), D=0.1), r"p_x\[1, 1\] is nan"),
        (lambda: rdc.solve_arrays(np.ma.array(np.ones((1, 2)) / 2, mask=[[0, 1]]), np.eye(2), D=0.1), "masked"),
        (lambda: rdc.solve_arrays(np.ones((2, 2)) / 2, np.eye(2), D=[0.1, np.nan]), "row 1 of the batch"),
        (lambda: rdc.solve_arrays(np.ones((1, 2)) / 2, np.eye(2), D=True), "D holds booleans"),
        (lambda: rdc.solve_arrays(np.ones((2, 2)) / 2, np.eye(2), D=[0.1, True]), r"D\[1\] is True"),
        (lambda: rdc.solve_arrays(np.ones((1, 2)) / 2, np.eye(2), D="0.1"), "D holds <U3"),
        (lambda: rdc.solve_arrays(np.ones((1, 2)) / 2, np.eye(2), D=0.1j), "D holds complex"),
        (lambda: rdc.solve_arrays(np.ones((1, 2)) / 2, "hamming", D=0.1), "distortion holds <U7"),
        (lambda: rdc.solve_arrays(np.ones((1, 2)) / 2, np.ones((1, 2)), D=0.1), "1 rows"),
    ],
)
def test_what_is_no_such_problem_is_told(call, said):
    with pytest.raises(rdc.InvalidInput, match=said):
        call()


def test_a_loose_tolerance_takes_single_precision_alone(monkeypatch):
    used, run = [], batched._run

    def noted(stack, q, multipliers, gap, place):
        used.append((place.dtype, len(q)))
        return run(stack, q, multipliers, gap, place)

    monkeypatch.setattr(batched, "_run", noted)
    problems = [one for seed in range(10) for one in drawn(seed, 20, 6, 6)]
    results = rdc.solve_many(problems, tolerance=1e-4, precision="float32")
    assert max(result.gap for result in results) <= 1e-4
    assert sum(count for dtype, count in used if dtype == "float32") == len(problems)
    assert sum(count for dtype, count in used if dtype == "float64") <= 0.05 * len(problems)


@pytest.mark.parametrize("dtype", ["float32", ">f4", "float64", "int64"])
def test_a_batch_of_nothing_has_answers_of_the_same_shapes(dtype):
    solution = rdc.solve_arrays(np.zeros((0, 3), dtype=dtype), np.ones((3, 4)), D=[])
    assert solution.results == ()
    assert (solution.channel.shape, solution.q.shape, solution.d_tilted.shape) == ((0, 3, 4), (0, 4), (0, 3))
    assert solution.rate_upper.dtype == ("float32" if dtype in ("float32", ">f4") else "float64")
    assert "0 problems" in repr(solution)


def test_many_answers_are_counted_in_a_line():
    solution = rdc.solve_arrays(np.full((2, 2), 0.5), np.array([[0.5, 1.0], [1.0, 0.5]]), D=[0.1, 0.6])
    assert repr(solution) == "<Solved, 2 problems (1 INFEASIBLE, 1 OPTIMAL), numpy arrays, float64>"


LABELLED = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], [[0.9, 0.1], [0.2, 0.8]], D=0.2, C=0.5)


def test_the_time_is_for_all_problems_together(monkeypatch):
    clock, given = [0.0], []

    def alone(problem, *, time_limit, **_):
        given.append(time_limit)
        clock[0] += 2.0
        return rdc.solve(problem)

    monkeypatch.setattr(many.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(many, "solve", alone)
    results = rdc.solve_many([LABELLED] * 3 + [LABELLED.in_unit("bit")] * 2, time_limit=5.0)
    assert given == [5.0, 3.0, 1.0]
    assert [result.unit for result in results] == ["nat"] * 3 + ["bit"] * 2
    for result in results[3:]:
        assert (result.status, result.proof) == (rdc.Status.TIME_LIMIT, rdc.Proof.NONE)
        assert result.rate_lower == 0
        assert np.isnan(result.rate_upper)
        assert "before this problem was begun" in result.message
        assert "TIME_LIMIT" in str(result)


def test_small_problems_whose_time_is_up_are_answered_all_the_same(monkeypatch):
    def late(*_):
        raise many.deadline.TimeIsUp

    monkeypatch.setattr(many, "side_by_side", late)
    coin = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
    results = rdc.solve_many([coin, coin], time_limit=60.0)
    assert [result.status for result in results] == [rdc.Status.OPTIMAL] * 2


@pytest.mark.parametrize("is_solved", [True, False])
def test_an_interrupt_ends_the_work_on_all_problems(monkeypatch, is_solved):
    begun = []

    def interrupted(problem, **_):
        begun.append(problem)
        result = rdc.solve(problem)
        if is_solved:  # all the same
            many.deadline.hurry()
            return result
        return replace(result, status=rdc.Status.INTERRUPTED)

    monkeypatch.setattr(many, "solve", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rdc.solve_many([LABELLED] * 3)
    assert len(begun) == 1
