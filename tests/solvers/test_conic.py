"""The conic cross-check, against closed forms and known optima; every certificate is checked without it."""

import builtins
import math
import warnings

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import Conic, InvalidInput, MissingExtra, Problem, Proof, Status, theory

pytest.importorskip("cvxpy")

COIN = Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]])
FORBIDDEN = Problem.from_arrays(
    [0.5, 0.2, 0.3, 0.0],
    [[0, 1, np.inf], [1, 0, 2], [np.inf, 1, 0], [1, 1, 1]],
    losses={"other": [[0, 0.5, 1], [1, 0, 0.2], [0.3, 0.1, 0], [1, 1, 1]]},
)


def checked(problem, result, tolerance=1e-9):
    """Return the result once its certificate holds for the problem and its gap is small."""
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL)
    assert result.proof is Proof.CERTIFIED
    assert result.method.startswith("CVXPY with")
    verification = result.certificate.verify(problem)
    assert verification.valid, verification.messages
    assert result.gap == pytest.approx(result.certificate.upper - result.certificate.lower)
    assert -1e-12 <= result.gap <= tolerance
    return result


# ---------------------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("D", [0.0, 0.01, 0.1, 0.29])
def test_coin_meets_shannons_formula(D):
    problem = COIN.with_limits(D=D)
    result = checked(problem, Conic().solve(problem))
    truth = theory.binary.rate_distortion(D, 0.3)
    assert result.rate_lower - 1e-12 <= truth <= result.rate_upper + 1e-12
    assert result.distortion <= D
    if D > 0:
        assert result.multipliers["distortion"] == pytest.approx(theory.binary.multiplier(D, 0.3), rel=1e-3)


@pytest.mark.parametrize("D", [0.3, 0.5, 10.0])
def test_loose_limit_needs_no_rate(D):
    problem = COIN.with_limits(D=D)
    result = checked(problem, Conic().solve(problem))
    assert result.rate_upper == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("rate", [0.05, 0.2857813286734, 0.6])
def test_least_distortion_of_a_coin(rate):
    problem = COIN.minimising("distortion", rate=rate)
    result = checked(problem, Conic().solve(problem), tolerance=1e-8)
    truth = theory.binary.distortion_rate(rate, 0.3)
    assert result.objective_lower - 1e-12 <= truth <= result.objective_upper + 1e-12
    assert result.rate_upper <= rate


def test_rate_beyond_the_entropy_leaves_no_distortion():
    problem = COIN.minimising("distortion", rate=1.0)
    result = checked(problem, Conic().solve(problem))
    assert result.objective_lower == result.objective_upper == 0.0


@pytest.mark.parametrize("n_x", [3, 8])
def test_uniform_source_under_hamming_distortion(n_x):
    problem = Problem.from_arrays(np.full(n_x, 1 / n_x), 1 - np.eye(n_x), D=0.2)
    result = checked(problem, Conic().solve(problem))
    assert theory.uniform_hamming.rate_distortion(0.2, n_x) == pytest.approx(result.rate_upper, abs=1e-9)


# ---------------------------------------------------------------------------------------------- known optima


@pytest.mark.parametrize(("multiplier", "optimum"), [(5, 1.651286521392), (1, 0.846567727747)])
def test_gaussian_at_a_fixed_multiplier(multiplier, optimum):
    points = np.linspace(-5, 5, 100)
    source = rdc.Source(points, np.exp(-(points**2) / 2), normalise=True)
    problem = Problem(source).at_multipliers(distortion=multiplier)
    result = checked(problem, Conic().solve(problem), tolerance=1e-8)
    assert result.objective == "lagrangian"
    assert result.objective_lower - 1e-12 <= optimum <= result.objective_upper + 1e-12


def test_limit_with_rare_symbols():
    """Masses down to 1e-6: the dual values of the channel's rows are noise there, and must not decide."""
    problem = Problem(rdc.sources.gaussian(n_x=30)).with_limits(D=0.1)
    result = checked(problem, Conic().solve(problem), tolerance=1e-7)
    assert problem.p_x.min() < 1e-5
    assert result.rate_upper == pytest.approx(theory.gaussian.rate_distortion(0.1), abs=1e-3)


def test_other_solver():
    problem = COIN.with_limits(D=0.1)
    result = checked(problem, Conic(solver="SCS").solve(problem, tolerance=1e-6), tolerance=1e-6)
    assert theory.binary.rate_distortion(0.1, 0.3) == pytest.approx(result.rate_upper, abs=1e-6)


# ---------------------------------------------------------------------------------------------- several limits


def test_two_limits_forbidden_pairs_and_a_symbol_of_no_mass():
    problem = FORBIDDEN.with_limits(D=0.05, other=0.02)
    result = checked(problem, Conic().solve(problem))
    assert result.losses["distortion"] <= 0.05
    assert result.losses["other"] <= 0.02
    assert min(result.multipliers.values()) > 0.1
    whole = np.zeros((4, 3))
    whole[:, result.letters] = result.channel
    assert np.allclose(whole.sum(axis=1), 1)
    assert whole[0, 2] == whole[2, 0] == 0.0


def test_limit_that_is_not_active_costs_nothing():
    alone = Conic().solve(FORBIDDEN.with_limits(D=0.3))
    problem = FORBIDDEN.with_limits(D=0.3, other=0.2)
    result = checked(problem, Conic().solve(problem))
    assert result.multipliers["other"] == pytest.approx(0.0, abs=1e-6)
    assert result.rate_upper == pytest.approx(alone.rate_upper, abs=1e-9)


def test_limit_at_the_least_value_of_its_loss():
    """No channel is strictly inside: pairs above the minimum are ruled out instead."""
    least = 0.4 * 0 + 0.2 * 0.5 + 0.4 * 0.25
    losses = {"other": [[0, 1], [1, 0.5], [0.25, 1]]}
    base = Problem.from_arrays([0.4, 0.2, 0.4], [[0, 1], [1, 0], [1, 0]], losses=losses)
    problem = base.with_limits(other=least, D=0.9)
    result = checked(problem, Conic().solve(problem))
    assert result.losses["other"] <= least
    assert result.rate_upper == pytest.approx(rdc.information.binary_entropy(0.2), abs=1e-9)


def test_least_loss_when_another_limit_needs_rate():
    problem = FORBIDDEN.with_limits(other=0.1).minimising("distortion", rate=0.7)
    result = checked(problem, Conic().solve(problem), tolerance=1e-7)
    assert result.rate_upper <= 0.7
    assert result.losses["other"] <= 0.1
    back = FORBIDDEN.with_limits(other=0.1, D=result.losses["distortion"])
    assert Conic().solve(back).rate_upper == pytest.approx(0.7, abs=1e-6)


# ---------------------------------------------------------------------------------------------- infeasible


def test_bound_below_the_minimum():
    problem = Problem.from_arrays([0.5, 0.5], [[1, 2], [2, 1.5]], D=1.0)
    result = Conic().solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.minimum == {"distortion": 1.25}
    assert result.rate_lower == math.inf


def test_limits_that_contradict_each_other():
    losses = {"opposite": [[1, 0], [0, 1]]}
    problem = Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], losses=losses)
    problem = problem.with_limits(D=0.4, opposite=0.4)
    result = Conic().solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.minimum == {"distortion": 0.0, "opposite": 0.0}
    possible = problem.with_limits(D=0.7)  # the two losses add up to one
    assert checked(possible, Conic().solve(possible))


def test_rate_limit_out_of_reach():
    budget = Conic().solve(COIN.with_limits(D=0.1, rate=0.2))
    assert budget.status is Status.INFEASIBLE
    assert budget.minimum["rate"] == pytest.approx(theory.binary.rate_distortion(0.1, 0.3), abs=1e-8)
    trade = Conic().solve(FORBIDDEN.with_limits(other=0.05).minimising("distortion", rate=0.5))
    assert trade.status is Status.INFEASIBLE
    assert trade.objective == "distortion"
    assert trade.minimum["rate"] > 0.5


# ---------------------------------------------------------------------------------------------- the front door


def test_solve_takes_it():
    problem = COIN.with_limits(D=0.1)
    result = rdc.solve(problem, Conic(), tolerance=1e-8)
    assert checked(problem, result, tolerance=1e-8).status is Status.OPTIMAL


def test_unknown_solver_lists_those_installed():
    with pytest.raises(InvalidInput, match=r"'CLARABLE'; CVXPY finds .*CLARABEL"):
        Conic(solver="CLARABLE").solve(COIN.with_limits(D=0.1))


def test_solver_without_exponential_cones():
    with pytest.raises(InvalidInput, match="'OSQP' does not take exponential cones"):
        Conic(solver="OSQP").solve(COIN.with_limits(D=0.1))


def test_missing_extra(monkeypatch):
    real = builtins.__import__

    def without_cvxpy(name, *rest, **more):
        if name == "cvxpy":
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_cvxpy)
    with pytest.raises(MissingExtra, match="pip install 'rdcsolve\\[conic\\]'"):
        Conic().solve(COIN.with_limits(D=0.1))


def test_what_the_solver_says_is_passed_on(monkeypatch):
    """CVXPY warns of inaccurate solutions; the bounds hold all the same, and the message says so."""
    import cvxpy

    real = cvxpy.Problem.solve

    def complaining(self, *arguments, **options):
        warnings.warn("Solution may be inaccurate.", stacklevel=2)
        return real(self, *arguments, **options)

    monkeypatch.setattr(cvxpy.Problem, "solve", complaining)
    problem = COIN.with_limits(D=0.1)
    assert checked(problem, Conic().solve(problem)).message == "Solution may be inaccurate."


def test_failure_is_a_status(monkeypatch):
    import cvxpy

    def failing(self, *arguments, **options):
        raise cvxpy.error.SolverError("out of luck")

    monkeypatch.setattr(cvxpy.Problem, "solve", failing)
    result = Conic().solve(COIN.with_limits(D=0.1))
    assert result.status is Status.NUMERICAL_ERROR
    assert result.proof is Proof.NONE
    assert "out of luck" in result.message
    assert math.isnan(result.rate_upper)


def test_rate_zero_and_nothing_inside():
    """No channel is strictly below a rate of zero; the bounds come out all the same."""
    problem = COIN.minimising("distortion", rate=0.0)
    result = Conic().solve(problem)
    assert result.certificate.verify(problem).valid
    assert result.objective_upper == pytest.approx(0.3)


def test_minimum_under_the_mask_of_another_minimum():
    """The first limit leaves symbol 0 only letter 0; the second is below, at and above its least value there."""
    losses = {"other": [[0.5, 0.0], [0.0, 1.0]]}
    base = Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 1]], losses=losses).with_limits(D=0.5)
    assert Conic().solve(base.with_limits(other=0.2)).status is Status.INFEASIBLE
    at = base.with_limits(other=0.25)
    assert checked(at, Conic().solve(at)).rate_upper == pytest.approx(0.0, abs=1e-9)
    above = base.with_limits(other=0.3)
    assert checked(above, Conic().solve(above)).rate_upper == pytest.approx(0.0, abs=1e-9)


def test_loss_that_is_zero_everywhere():
    problem = Problem.from_arrays([0.5, 0.5], np.zeros((2, 3)), rate=0.1, minimise="distortion")
    assert checked(problem, Conic().solve(problem)).objective_upper == 0.0


# ---------------------------------------------------------------------------------------------- agreement


def drawn(seed):
    """A small random problem: forbidden pairs, a symbol of no mass, one or two limits, or a rate limit."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(2, 7, 2)
    p = rng.dirichlet(np.full(n, rng.choice([0.3, 3.0])))
    p[0] *= rng.random() < 0.7
    d = rng.random((n, m)) * rng.choice([1e-3, 1.0, 100.0])
    banned = rng.random((n, m)) < 0.15
    banned[np.arange(n), rng.integers(0, m, n)] = False
    problem = Problem.from_arrays(p / p.sum(), np.where(banned, np.inf, d), losses={"other": rng.random((n, m))})
    bounds = dict(zip(("D", "other"), rng.uniform(0.05, 0.5, 2) * [d.max(), 1.0], strict=True))
    kind = seed % 4
    if kind == 0:
        return problem.with_limits(D=bounds["D"])
    if kind == 1:
        return problem.with_limits(**bounds)
    if kind == 2:
        return problem.with_limits(other=bounds["other"]).minimising("distortion", rate=0.5)
    return problem.at_multipliers(distortion=3 / d.max(), other=1.0)


@pytest.mark.parametrize("seed", range(24))
def test_agrees_with_the_other_solvers(seed):
    problem = drawn(seed)
    conic, other = Conic().solve(problem), rdc.solve(problem)
    assert (conic.status is Status.INFEASIBLE) == (other.status is Status.INFEASIBLE)
    if conic.status is Status.INFEASIBLE:
        return
    assert conic.certificate.verify(problem).valid
    slack = 1e-12 * (1 + abs(other.objective_upper))
    assert conic.objective_lower <= other.objective_upper + slack
    assert other.objective_lower <= conic.objective_upper + slack
    assert conic.gap <= 1e-6 * (1 + abs(conic.objective_upper))


# ---------------------------------------------------------------------------------------------- the public checks


@pytest.mark.parametrize("kind", ["multipliers", "targets", "loss", "infeasible"])
def test_passes_the_public_checks(kind):
    from hypothesis import given, settings

    from rdcsolve import testing

    @settings(max_examples=15)
    @given(testing.problems(kind))
    def check(problem):
        result = Conic().solve(problem)
        testing.check_bounds(result)
        if result.status is Status.INFEASIBLE:
            testing.check_infeasible(result, problem)
        elif result.certificate is not None:
            testing.check_feasibility(result, problem)
            testing.check_certificate(result, problem)

    check()
