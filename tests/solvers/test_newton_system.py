"""The tricks of the interior point and of column generation, each on an instance that needs it."""

import contextlib
import math

import numpy as np
import pytest
import scipy.linalg

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.kernels.maker import make_kernel
from rdcsolve.results import Proof, Status
from rdcsolve.solvers.finite import newton_system, restarts
from rdcsolve.solvers.finite.faces import limited_task
from rdcsolve.solvers.finite.newton_system import Restricted, System, _Columns, _factorise, primal_dual
from rdcsolve.solvers.loop import NumericalBreakdown

INF = np.inf


def solved(problem, solver, gap=1e-9):
    result = rdc.solve(problem, solver)
    assert result.status is Status.OPTIMAL, str(result)
    assert result.gap <= gap
    assert result.certificate.verify(problem).valid
    return result


def normal(n, width=5.0):
    x = np.linspace(-width, width, n)
    return rdc.Problem.from_arrays(np.exp(-(x**2) / 2), (x[:, None] - x) ** 2, normalise=True)


# ------------------------------------------------------------------------------------- linear algebra


@pytest.mark.parametrize("count", [1, 2])
def test_a_step_solves_the_linearised_conditions_whatever_is_asked(count):
    """v t = 1, c + z = 1, q z = mu, E L + s = b: whatever right-hand sides the corrector has."""
    rng = np.random.default_rng(count)
    losses = tuple(rng.random((count, 5, 4)))
    p, q, v, z = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(4)), rng.uniform(1, 2, 5), rng.random(4)
    multipliers, slacks, bounds = rng.uniform(0.5, 2, count), rng.random(count), rng.uniform(0.3, 0.6, count)
    data = Restricted(p, losses, None, np.ones(count, dtype=bool), bounds)
    kernel = make_kernel(losses, multipliers, None)
    system = System(data, kernel, q, v, z, multipliers, slacks, np.arange(count))
    system._factorise()
    asked = rng.normal(size=5), rng.normal(size=4), rng.normal(size=count)
    dq, dv, dz, dl, ds = system._solve(*asked)
    dt = kernel.matvec(dq) - system.loss_t @ dl
    np.testing.assert_allclose(v * dt + system.t * dv, asked[0])
    np.testing.assert_allclose(kernel.rmatvec(p * dv) - system.loss_c @ dl + dz, system.residual_c)
    np.testing.assert_allclose(z * dq + q * dz, asked[1])
    np.testing.assert_allclose(multipliers * ds + slacks * dl, asked[2])
    second = np.array([[p * v @ kernel.second(m, other, q) for other in range(count)] for m in range(count)])
    moved = system.loss_t.T @ (p * dv) + system.loss_c.T @ dq - second @ dl
    off = system.loss_t.T @ (p * system.residual_t / system.t)  # what means with v are below those with 1 / t
    np.testing.assert_allclose(moved + ds, system.residual_loss + off)


def factor_of(root):
    """The factor of root'root + I."""
    return _factorise(_Columns(root), np.ones(root.shape[0]), np.ones(root.shape[1]))


def test_the_factor_is_that_of_the_scaled_matrix():
    rng = np.random.default_rng(0)
    root = rng.standard_normal((6, 9)) * np.logspace(-20, 3, 9)  # sqrt(q/z) spans decades
    factor = factor_of(root)
    solution = scipy.linalg.cho_solve(factor, np.eye(9))
    assert np.allclose(solution @ (root.T @ root + np.eye(9)), np.eye(9), atol=1e-8)


@pytest.mark.parametrize("size", [1e8, 1e10])
def test_where_cholesky_fails_the_factor_comes_from_qr(size):
    root = np.random.default_rng(0).standard_normal((5, 20)) * size
    with pytest.raises(scipy.linalg.LinAlgError):
        scipy.linalg.cho_factor(root.T @ root + np.eye(20), lower=True)
    factor, lower = factor_of(root.copy())
    assert not lower
    assert np.array_equal(factor, np.triu(factor))
    found = scipy.linalg.svdvals(factor)
    expected = np.hypot(np.r_[scipy.linalg.svdvals(root), np.zeros(15)], 1.0)
    assert np.allclose(found, expected, rtol=0, atol=1e-14 * size)
    gram = factor.T @ factor
    assert np.allclose(gram, root.T @ root, rtol=0, atol=1e-14 * size**2)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_matrix_that_is_not_finite_is_a_breakdown(bad):
    root = np.ones((3, 3))
    root[1, 1] = bad
    with pytest.raises(NumericalBreakdown, match="not finite"):
        factor_of(root)


def test_the_optimum_is_reached_through_qr_alone(monkeypatch):
    def fail(*_, **__):
        raise scipy.linalg.LinAlgError("not positive definite")

    problem = normal(60).with_limits(D=0.2)
    expected = solved(problem, rdc.InteriorPoint())
    monkeypatch.setattr(scipy.linalg, "cho_factor", fail)
    found = solved(problem, rdc.InteriorPoint())
    testing.check_agreement([expected, found])


@pytest.mark.parametrize("multiplier", [1e3, 1e6])
def test_rows_without_a_free_letter_at_huge_multipliers(multiplier):
    """Losses at odds: unscaled, the whole kernel is zero. The least Lagrangian is 0.9 multiplier + log 2."""
    other = [[0.9, 0.0], [0.0, 0.9]]
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], losses={"other": other})
    problem = problem.at_multipliers(distortion=multiplier, other=multiplier)
    for solver in [rdc.InteriorPoint(), rdc.ColumnGeneration()]:
        result = rdc.solve(problem, solver)
        assert result.proof is Proof.CERTIFIED
        # the other letter is dearer by a tenth of the multiplier
        expected = 0.9 * multiplier + math.log(2) - math.log1p(math.exp(-0.1 * multiplier))
        assert result.objective_lower <= expected + 1e-15 * multiplier
        assert result.objective_upper >= expected - 1e-15 * multiplier
        assert result.gap <= 1e-9 + 1e-13 * multiplier


# ------------------------------------------------------------------------------------- letters left out


@pytest.mark.parametrize("limits", [{}, {"D": 0.1}])
def test_leaving_letters_out_of_the_matrix_reaches_the_same_optimum(monkeypatch, limits):
    sizes = []

    def spy(kernel, weights, scaling):
        sizes.append(scaling.size)
        return _factorise(kernel, weights, scaling)

    monkeypatch.setattr(newton_system, "_factorise", spy)
    problem = normal(300)
    problem = problem.with_limits(**limits) if limits else problem.at_multipliers(distortion=5.0)
    found = solved(problem, rdc.InteriorPoint())
    assert min(sizes) < 240, "no letter was left out: this test tests nothing"
    assert all(size < 240 or size == 300 for size in sizes)  # to leave out a few would save too little
    monkeypatch.setattr(newton_system, "_MANY_LETTERS", 10**9)
    sizes.clear()
    whole = solved(problem, rdc.InteriorPoint())
    assert set(sizes) == {300}
    testing.check_agreement([found, whole])


def test_few_of_many_letters_matter():
    rng = np.random.default_rng(0)
    problem = rdc.Problem.from_arrays(rng.dirichlet(np.ones(12)), rng.random((12, 600)), D=0.2)
    results = [solved(problem, solver) for solver in [rdc.InteriorPoint(), rdc.ColumnGeneration()]]
    testing.check_agreement(results)
    assert (results[0].q > 1e-6).sum() <= 13  # Caratheodory: as many as symbols, and one for the limit


# ------------------------------------------------------------------------------------- start


def test_slacks_start_at_the_room_there_is_or_off_the_boundary():
    """The first limit is far from active, the second violated, the third met with equality."""
    p, n = np.full(4, 0.25), 4
    losses = tuple(np.random.default_rng(0).random((3, n, 5)))
    q, multipliers = np.full(5, 0.2), np.array([0.1, 2.0, 1e-3])
    kernel = np.exp(-sum(m * loss for m, loss in zip(multipliers, losses, strict=True)))
    channel = kernel * q / (kernel @ q)[:, None]
    means = np.array([p @ (channel * loss).sum(axis=1) for loss in losses])
    bounds = np.array([means[0] + 0.5, 0.8 * means[1], means[2]])
    data = Restricted(p, losses, None, np.ones(3, dtype=bool), bounds)
    point = next(primal_dual(data, q, multipliers, mu=1e-4))
    assert point.slacks[0] == pytest.approx(0.5, rel=1e-12)
    assert point.slacks[1] == pytest.approx(1e-4 / 2.0)
    assert point.slacks[2] == pytest.approx(1e-4 / 1e-3)
    assert (point.q > 0).all()
    assert (point.z > 0).all()
    assert (point.q * point.z >= 1e-4 * (1 - 1e-12)).all()


def test_every_point_proves_its_bound_over_its_letters():
    problem = normal(40).with_limits(D=0.3)
    task = limited_task(problem, problem.bounds)
    data = Restricted(task.p, task.letters.losses, None, task.free, task.bounds)
    best = solved(problem, rdc.InteriorPoint())
    for count, point in enumerate(primal_dual(data, np.full(40, 1 / 40), np.array([1.0]))):
        assert point.lower <= best.rate_upper + 1e-12
        assert min(point.q.min(), point.z.min(), point.v.min(), point.multipliers.min(), point.slacks.min()) > 0
        if count == 25:
            break
    assert point.value - point.lower < 1e-9


# ------------------------------------------------------------------------------------- restarts

# Three symbols, four letters, limits with a margin below a thousandth: p, distortion, forbidden pairs (0: forbidden),
# the other loss, the two bounds, the least rate.
THIN = {
    "first": (
        [0.39329434, 0.45510746, 0.1515982],
        [
            [0.05965218, 1.11390366, 1.33287956, 0.66644291],
            [0.01053962, 0.83510541, 1.67982171, 0.91763922],
            [0.18872363, 0.14194438, 3.36049508, 2.23508728],
        ],
        ["0011", "0111", "1100"],
        [
            [0.19607674, 1.0698598, 0.37117561, 3.74646704],
            [2.03377164, 0.69650527, 1.58676185, 0.0044449],
            [0.00414937, 0.43027088, 0.05329261, 2.42483865],
        ],
        (0.796003, 1.03312518),
        0.53899210,
    ),
    "second": (
        [0.8, 0.022, 0.178],
        [[2.97, 2.59, 1.65, 2.9], [2.97, 1.18, 0.96, 2.04], [0.06, 1.7, 2.34, 1.81]],
        ["1101", "0010", "1111"],
        [[3.15, 0.56, 2.01, 0.17], [0.33, 0.41, 0.56, 0.07], [2.01, 0.0, 0.17, 0.08]],
        (2.219, 0.6766),
        0.34289149,
    ),
    "third": (
        [0.315, 0.433, 0.252],
        [[1.93, 0.97, 2.99, 2.79], [1.69, 0.32, 1.9, 2.03], [0.47, 1.58, 2.01, 1.31]],
        ["0111", "1001", "0101"],
        [[0.11, 1.83, 2.66, 0.02], [1.11, 2.05, 3.84, 0.76], [0.12, 1.37, 0.47, 1.59]],
        (1.6933, 1.132),
        0.27219540,
    ),
}


def thin(name):
    p, d, allowed, other, (first, second), rate = THIN[name]
    pairs = np.where([[mark == "1" for mark in row] for row in allowed], 1e-4, INF)
    problem = rdc.Problem.from_arrays(p, d, losses={"pairs": pairs, "other": other}, normalise=True)
    return problem.with_limits(D=first, other=second), rate


@pytest.mark.parametrize("solver", [rdc.InteriorPoint(), rdc.ColumnGeneration()])
@pytest.mark.parametrize("name", THIN)
def test_limits_that_leave_hardly_any_room(name, solver):
    problem, rate = thin(name)
    assert solved(problem, solver).rate_upper == pytest.approx(rate, abs=1e-8)


def smallest_gap(problem, count, points=50):
    task = limited_task(problem, problem.bounds)
    k = task.letters.n_letters
    gap = INF
    sequence = restarts.interior_points(task, np.arange(k), np.full(k, 1 / k), None, 10, restarts=count)
    with contextlib.suppress(NumericalBreakdown):  # after the last restart, with the gap long closed or not
        for _, point in zip(range(points), sequence, strict=False):
            gap = min(gap, point.value - point.lower)
    return gap


@pytest.mark.parametrize("name", ["second", "third"])
def test_a_jam_is_left_by_starting_again(name):
    problem, _ = thin(name)
    assert smallest_gap(problem, 0) > 1e-2, "Newton's method alone gets there: this test tests nothing"
    assert smallest_gap(problem, 4) < 1e-9


def test_a_breakdown_is_left_by_starting_again(monkeypatch):
    calls = []

    def break_down_twice(*args):
        calls.append(args)
        if len(calls) <= 2:
            raise NumericalBreakdown("made to fail")
        return primal_dual(*args)

    monkeypatch.setattr(restarts, "primal_dual", break_down_twice)
    solved(normal(30).with_limits(D=0.3), rdc.InteriorPoint())
    assert len(calls) == 3


def test_a_breakdown_that_will_not_go_away_is_named(monkeypatch):
    def break_down(*_):
        raise NumericalBreakdown("made to fail")

    problem = normal(30).with_limits(D=0.3)
    best = solved(problem, rdc.InteriorPoint())
    monkeypatch.setattr(restarts, "primal_dual", break_down)
    result = rdc.solve(problem, rdc.InteriorPoint())
    assert result.status is Status.NUMERICAL_ERROR
    assert "made to fail" in str(result)
    # what still holds: no rate is negative, and some channel meets the limit
    assert result.rate_lower == 0.0
    testing.check_feasibility(result, problem)
    assert best.rate_upper < result.rate_upper <= math.log(30)
    result = rdc.solve(normal(30).at_multipliers(distortion=3.0), rdc.InteriorPoint())
    assert result.status is Status.NUMERICAL_ERROR
    assert result.proof is Proof.NONE
    assert not result.letters.size


# ------------------------------------------------------------------------------------- column generation


def test_a_letter_that_a_symbol_cannot_do_without_is_there_from_the_start():
    rng = np.random.default_rng(1)
    d = rng.random((5, 300))
    d[2] = INF
    d[2, 151] = 0.5  # not among the letters spread over the list
    d[3, :299] = INF
    for limits in ({"D": 0.35}, None):
        problem = rdc.Problem.from_arrays(np.full(5, 0.2), d)
        problem = problem.with_limits(**limits) if limits else problem.at_multipliers(distortion=8.0)
        results = [solved(problem, solver) for solver in [rdc.ColumnGeneration(first_letters=4), rdc.InteriorPoint()]]
        testing.check_agreement(results)
        assert {151, 299} <= set(results[0].letters.tolist())


def test_limits_that_the_first_letters_cannot_meet():
    """Each symbol has one good letter among 240, at odd places: the spread is widened until it meets the limit."""
    d = np.ones((6, 240))
    d[np.arange(6), [3, 41, 77, 131, 163, 201]] = 0.0
    problem = rdc.Problem.from_arrays(np.full(6, 1 / 6), d, D=0.05)
    assert limited_task(problem, problem.bounds).free.all()
    result = solved(problem, rdc.ColumnGeneration(first_letters=5))
    # the bad letters are of no use: log 6 - Hb(D) - D log 5
    expected = rdc.theory.uniform_hamming.rate_distortion(0.05, 6)
    assert result.rate_upper == pytest.approx(expected, abs=1.1e-9)


@pytest.mark.parametrize("first_letters", [1, 7, 1000])
def test_the_first_letters_do_not_decide_the_answer(first_letters):
    problem = normal(200).at_multipliers(distortion=5.0)
    found = solved(problem, rdc.ColumnGeneration(first_letters=first_letters))
    testing.check_agreement([found, solved(problem, rdc.InteriorPoint())])
    assert found.history[-1].n_letters < 200
