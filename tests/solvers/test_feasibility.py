"""Can the limits be met, and with how much room: margins, infeasible limits, rate zero."""

import math

import numpy as np
import pytest
from scipy.optimize import linprog

import rdcsolve as rdc
from rdcsolve.results import Proof, Status
from rdcsolve.solvers.finite.faces import limited_task
from rdcsolve.solvers.finite.feasibility import best_mixture, constant_output, margin

INF = np.inf
FLIP = [[0.0, 1.0], [1.0, 0.0]]
FLOP = [[1.0, 0.0], [0.0, 1.0]]


def task_of(problem):
    return limited_task(problem, problem.bounds)


def random_limits(seed, n_losses, letters=7):
    rng = np.random.default_rng(seed)
    p, losses = rng.dirichlet(np.ones(6)), rng.random((n_losses, 6, letters))
    losses[0][rng.random((6, letters)) < 0.2] = INF
    losses[0][:, 0] = 1.0
    named = {f"loss_{m}": loss for m, loss in enumerate(losses[1:], start=1)}
    problem = rdc.Problem.from_arrays(p, losses[0], losses=named)
    least = np.array([p @ loss.min(axis=1) for loss in np.where(np.isinf(losses[0]), INF, losses)])
    bounds = dict(zip(problem.loss_names, least + 0.15 * rng.random(n_losses) + 0.01, strict=True))
    return problem.with_limits(**bounds)


def least_margin(task, letters):
    """The same as one linear programme over all channels."""
    free = np.flatnonzero(task.free)
    p, n, k = task.p, task.p.size, letters.size
    rows = [np.r_[(p[:, None] * task.letters.losses[m][:, letters] / task.bounds[m]).ravel(), -1.0] for m in free]
    forbidden = task.letters.forbidden
    top = np.ones((n, k)) if forbidden is None else np.where(forbidden[:, letters], 0.0, 1.0)
    answer = linprog(
        np.r_[np.zeros(n * k), 1.0],
        A_ub=np.array(rows),
        b_ub=np.zeros(free.size),
        A_eq=np.hstack([np.kron(np.eye(n), np.ones(k)), np.zeros((n, 1))]),
        b_eq=np.ones(n),
        bounds=[(0, u) for u in top.ravel()] + [(None, None)],
    )
    assert answer.status == 0
    return answer.fun


@pytest.mark.parametrize("n_losses", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_margin_is_that_of_the_linear_programme(seed, n_losses):
    task = task_of(random_limits(seed, n_losses))
    expected = least_margin(task, np.arange(7))
    found = margin(task, enough=0.0)
    assert found.least <= expected + 1e-9
    assert found.attained >= expected - 1e-9
    if expected <= 1:
        assert found.attained == pytest.approx(expected, abs=1e-9)
    else:  # stops as soon as it is proved that the limits cannot be met
        assert found.least > 1
    assert found.weights.sum() == pytest.approx(1.0)
    mixed = sum(w * loss / b for w, loss, b in zip(found.weights, task.letters.losses, task.bounds, strict=True))
    if task.letters.forbidden is not None:
        mixed = np.where(task.letters.forbidden, INF, mixed)
    assert task.p @ mixed.min(axis=1) == pytest.approx(found.least, rel=1e-12)  # Theorem 5


def test_margin_of_some_letters_is_no_better():
    task = task_of(random_limits(3, 2))
    some = np.array([0, 2, 5])
    expected = least_margin(task, some)
    found = margin(task, some, enough=0.0)
    assert found.least <= expected + 1e-9 <= found.attained + 2e-9
    assert expected > margin(task, enough=0.0).least


def test_margin_of_letters_that_strand_a_symbol():
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0.0, INF, 1.0], [INF, 0.0, 1.0]], D=0.5)
    assert margin(task_of(problem), np.array([0])).attained == INF


@pytest.mark.parametrize("solver", [None, rdc.InteriorPoint(), rdc.ColumnGeneration(), rdc.BlahutArimoto()])
def test_limits_that_exclude_each_other(solver):
    """The losses sum to one whatever the channel; each alone can be zero."""
    problem = rdc.Problem.from_arrays([0.4, 0.6], FLIP, losses={"other": FLOP}).with_limits(D=0.2, other=0.2)
    found = margin(task_of(problem))
    assert found.least == pytest.approx(2.5, rel=1e-12)
    assert found.weights == pytest.approx([0.5, 0.5])
    result = rdc.solve(problem, solver)
    assert result.status is Status.INFEASIBLE
    assert result.proof is Proof.CERTIFIED
    assert "each limit can be met, but not all together" in result.message
    assert "factor of 2.5 " in result.message
    assert result.minimum == {"distortion": 0.0, "other": 0.0}
    assert result.rate_lower == INF
    assert not result.letters.size
    assert "least distortion: 0" in str(result)


@pytest.mark.parametrize("room", [1e-3, 1e-6])
def test_limits_that_just_do_not_exclude_each_other(room):
    """With D + other = 1 + room only flips of about 0.2 are left: the rate is close to log 2 - Hb(0.2)."""
    problem = rdc.Problem.from_arrays([0.5, 0.5], FLIP, losses={"other": FLOP}).with_limits(D=0.2, other=0.8 + room)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.rate_upper == pytest.approx(rdc.theory.binary.rate_distortion(0.2, 0.5), abs=1.1e-9)


# ------------------------------------------------------------------------------------- rate zero


@pytest.mark.parametrize("bound", [0.25, 0.5, 10.0])
def test_one_letter_that_meets_the_limit_is_sent_whatever_the_symbol(bound):
    problem = rdc.Problem.from_arrays([0.75, 0.25], FLIP, D=bound)
    result = rdc.solve(problem)
    assert (result.objective_lower, result.objective_upper) == (0.0, 0.0)
    assert result.letters.tolist() == [0]
    assert result.method == "constant output"
    assert result.multipliers == {"distortion": 0.0}
    assert result.certificate.verify(problem).valid


def test_one_letter_that_misses_the_limit_by_a_rounding_needs_a_rate():
    """The floats 0.7 and 0.3 add up to less than one: the letter's mean is 1.7e-17 above the limit."""
    problem = rdc.Problem.from_arrays([0.7, 0.3], FLIP, D=0.3)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.objective_lower == 0.0
    assert 0.0 < result.objective_upper < 1e-10
    assert result.losses["distortion"] <= 0.3
    assert result.certificate.verify(problem).excess["distortion"] == 0.0


def test_just_below_the_largest_useful_distortion_the_rate_is_positive():
    problem = rdc.Problem.from_arrays([0.7, 0.3], FLIP, D=0.3 - 1e-4)
    assert constant_output(task_of(problem)) is None
    result = rdc.solve(problem)
    assert 0 < result.rate_lower <= rdc.theory.binary.rate_distortion(0.3 - 1e-4, 0.3) + 1e-12
    assert result.gap <= 1e-9


@pytest.mark.parametrize("share", [0.5, 0.4, 0.31])
def test_a_mixture_of_letters_may_be_needed(share):
    """Letter 0 is free in one loss and dear in the other, letter 1 the reverse: no letter will do, a mixture does."""
    columns = np.array([[0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    problem = rdc.Problem.from_arrays([0.2, 0.3, 0.5], columns, losses={"other": 1 - columns})
    limited = problem.with_limits(D=share + 0.01, other=1 - share)
    result = rdc.solve(limited)
    assert result.status is Status.OPTIMAL
    assert result.objective_upper == 0.0
    assert result.letters.tolist() == [0, 1]
    assert share - 1e-12 <= result.q[1] <= share + 0.01 + 1e-12
    assert np.ptp(result.channel, axis=0).max() == 0.0
    assert result.certificate.verify(limited).valid


def test_a_letter_forbidden_to_anyone_is_no_constant_output():
    d = [[0.0, 0.5], [INF, 0.5]]
    task = task_of(rdc.Problem.from_arrays([0.9, 0.1], d, D=0.6))
    letters, masses = constant_output(task)
    assert letters.tolist() == [1]
    assert masses.tolist() == [1.0]
    # a symbol of mass zero is no one
    letters, _ = constant_output(task_of(rdc.Problem.from_arrays([1.0, 0.0], d, D=0.1)))
    assert letters.tolist() == [0]


def test_without_limits_forbidden_pairs_alone_may_take_rate():
    result = rdc.solve(rdc.Problem.from_arrays([0.5, 0.5], [[0.0, INF], [INF, 0.0]]))
    assert result.rate_upper == pytest.approx(math.log(2), abs=1e-9)
    free = rdc.solve(rdc.Problem.from_arrays([0.5, 0.5], FLIP))
    assert free.objective_upper == 0.0


def test_the_best_mixture_of_points_in_the_plane_is_that_of_the_linear_programme():
    """In closed form; points that coincide, lie on the diagonal, or all on one side of it, included."""
    rng = np.random.default_rng(0)
    for trial in range(300):
        count = int(rng.integers(1, 9))
        points = np.round(rng.normal(size=(count, 2)), int(rng.integers(0, 4)))
        if trial % 3 == 0:
            points[:, 1] = np.minimum(points[:, 1], points[:, 0])
        if trial % 7 == 0:
            points = points[rng.integers(0, count, count)][:, ::-1]
        value, weights, mixture = best_mixture(points)
        rows = np.hstack([points.T, -np.ones((2, 1))])
        told = linprog(
            np.r_[np.zeros(count), 1.0],
            A_ub=rows,
            b_ub=[0, 0],
            A_eq=np.r_[np.ones(count), 0.0][None],
            b_eq=[1.0],
            bounds=[(0, None)] * count + [(None, None)],
        )
        assert value == pytest.approx(told.fun, abs=1e-9)
        assert (mixture @ points).max() == pytest.approx(value, abs=1e-12)
        assert (points @ weights).min() == pytest.approx(value, abs=1e-12), "the weights prove it"
        for masses in (mixture, weights):
            assert masses.min() >= 0
            assert masses.sum() == pytest.approx(1, abs=1e-15)


def no_programme(*arguments, **options):
    raise AssertionError("a linear programme was set up")


def test_what_one_point_or_the_letters_averages_decide_takes_no_programme(monkeypatch):
    loose = task_of(random_limits(3, 3).with_limits(distortion=0.9, loss_1=0.9, loss_2=0.9))
    tight = rdc.Problem.from_arrays([0.5, 0.5], FLIP, losses={"other": FLOP, "third": FLIP})
    tight = task_of(tight.with_limits(distortion=0.3, other=0.9, third=0.3))
    monkeypatch.setattr("scipy.optimize.linprog", no_programme)
    assert margin(loose, enough=1.0).attained <= 1
    assert constant_output(tight) is None
