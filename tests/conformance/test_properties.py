"""Properties that hold for every problem: bounds, proofs, agreement of methods, invariances, shape of R(D)."""

import math

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.results import Proof, Status
from rdcsolve.testing.strategies import multipliers

HONEST = {Status.OPTIMAL, Status.ALMOST_OPTIMAL, Status.STALLED, Status.STEP_LIMIT}
KINDS = ["multipliers", "targets", "loss"]
QUICKLY = [Phase.explicit, Phase.generate]  # shrinking a failure of several methods would take minutes
SLOW = settings(max_examples=settings().max_examples // 3 or 1)


def check_everything(problem, result, arithmetic="ball"):
    """All that one result has to satisfy on its own, whatever its status."""
    testing.check_bounds(result)
    if result.status is Status.INFEASIBLE:
        testing.check_infeasible(result, problem)
        return
    assert result.status in HONEST, str(result)
    if result.letters.size == 0:
        assert not _has_room(problem, 1e-6), f"no channel was found, yet there is room: {result}"
        return
    testing.check_feasibility(result, problem)
    testing.check_certificate(result, problem)
    testing.check_certificate(result, problem, arithmetic=arithmetic)
    if result.status is Status.OPTIMAL:
        testing.check_kkt(result, problem)


# ------------------------------------------------------------------------------------- one result


@pytest.mark.parametrize("kind", KINDS)
def test_every_answer_is_proved(kind):
    @settings(max_examples=4 * settings().max_examples)
    @given(testing.problems(kind))
    def holds(problem):
        check_everything(problem, rdc.solve(problem))

    holds()


@given(testing.problems("targets", at_minimum=True))
def test_every_answer_is_proved_at_the_minimum_of_a_limit(problem):
    check_everything(problem, rdc.solve(problem))


@given(testing.problems("infeasible"))
def test_infeasible_limits_are_named_with_their_minimum(problem):
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    testing.check_bounds(result)
    testing.check_infeasible(result, problem)


@given(testing.problems(("targets", "multipliers"), max_symbols=4, max_letters=4))
def test_ordinary_problems_are_solved_to_the_tolerance(problem):
    """Where no number is extreme, OPTIMAL is the only honest answer."""
    p = problem.p_x[problem.p_x > 0]
    tame = p.min() > 1e-3 and (problem.multipliers is None or problem.multipliers.max() < 1e3)
    if tame and _has_room(problem):
        result = rdc.solve(problem)
        assert result.status is Status.OPTIMAL, str(result)
        assert result.gap <= 1e-9


def _has_room(problem, margin=0.01):
    """Whether some channel meets all limits on losses with that much to spare, but for those that all channels meet."""
    from rdcsolve.testing.feasibility import _least_excess

    largest = [loss.matrix.max(initial=0.0, where=np.isfinite(loss.matrix)) for loss in problem.losses]
    always_met = problem.bounds >= largest
    real = problem.with_limits(**{name: None for name, met in zip(problem.loss_names, always_met, strict=True) if met})
    return _least_excess(real) < -margin


# ------------------------------------------------------------------------------------- several methods


EXACT = [rdc.InteriorPoint(), rdc.ColumnGeneration()]


@pytest.mark.parametrize("kind", KINDS)
def test_methods_agree_within_their_bounds(kind):
    @settings(phases=QUICKLY)
    @given(testing.problems(kind, max_symbols=4, max_letters=4))
    def holds(problem):
        results = [rdc.solve(problem, solver) for solver in EXACT]
        results.append(rdc.solve(problem, rdc.BlahutArimoto(), tolerance=1e-4, max_steps=3000))
        statuses = {result.status is Status.INFEASIBLE for result in results}
        assert len(statuses) == 1, [str(result) for result in results]
        if results[0].status is Status.INFEASIBLE:
            return
        found = []
        for result, tolerance in zip(results, [1e-9, 1e-9, 1e-4], strict=True):
            testing.check_bounds(result, tolerance)
            if result.letters.size:
                testing.check_feasibility(result, problem)
                testing.check_certificate(result, problem)
                found.append(result)
            else:  # limits that leave next to no room may be too much for a method, which then has to say so
                assert result.proof is Proof.NONE, str(result)
        if len(found) > 1:
            testing.check_agreement(found)

    holds()


@pytest.mark.parametrize("kind", KINDS)
def test_conic_programme_agrees(kind):
    pytest.importorskip("cvxpy")

    @settings(max_examples=8, phases=QUICKLY)
    @given(testing.problems(kind, max_symbols=4, max_letters=4, max_losses=2))
    def holds(problem):
        if problem.multipliers is not None and problem.multipliers.max() > 1e3:
            return  # out of the range of a general conic solver
        results = [rdc.solve(problem), rdc.solve(problem, rdc.Conic(), tolerance=1e-6)]
        if Status.INFEASIBLE in {result.status for result in results}:
            return
        known = [r for r in results if math.isfinite(r.objective_lower) and math.isfinite(r.objective_upper)]
        testing.check_agreement([*known, results[0]])

    holds()


# ------------------------------------------------------------------------------------- several problems


@pytest.mark.parametrize("kind", KINDS)
def test_restating_a_problem_does_not_change_its_optimum(kind):
    @SLOW
    @given(testing.problems(kind, max_symbols=4, max_letters=4), st.integers(0, 9))
    def holds(problem, seed):
        result = rdc.solve(problem)
        if result.status is Status.INFEASIBLE:
            return
        for restated in testing.equivalents(problem, seed=seed).values():
            again = rdc.solve(restated)
            assert again.status is not Status.INFEASIBLE, f"{restated} is called infeasible, {problem} is not"
            testing.check_agreement([result, again])

    holds()


@SLOW
@given(testing.problems("multipliers", max_losses=1, forbidden=False), multipliers(scale=1e3, zero=False))
def test_scaling_the_distortion_against_its_multiplier(problem, factor):
    p, d = problem.p_x, problem.losses[0].matrix
    scaled = rdc.Problem.from_arrays(p, factor * d).at_multipliers(distortion=problem.multipliers[0] / factor)
    testing.check_agreement([rdc.solve(problem), rdc.solve(scaled)])


@SLOW
@given(testing.unlimited_problems(max_symbols=4, max_letters=4, max_losses=2))
def test_rate_falls_and_is_convex_in_every_limit(problem):
    largest = {loss.name: loss.matrix[np.isfinite(loss.matrix)].max(initial=0.0) for loss in problem.losses}
    for name, top in largest.items():
        fixed = {other: 0.6 * largest[other] for other in largest if other != name}
        bounds = np.linspace(0.0, top, 6)
        results = [rdc.solve(problem.with_limits(**fixed, **{name: bound})) for bound in bounds]
        lower = [_value(result, result.rate_lower) for result in results]
        upper = [_value(result, result.rate_upper) for result in results]
        testing.check_monotone(bounds, lower, upper)
        testing.check_convex(bounds, lower, upper)


def _value(result, bound):
    return math.inf if result.status is Status.INFEASIBLE else bound


@SLOW
@given(testing.unlimited_problems(max_symbols=4, max_letters=4, max_losses=1))
def test_distortion_falls_and_is_convex_in_the_rate(problem):
    rates = np.linspace(0.0, 1.5 * rdc.information.entropy(problem.p_x) + 0.1, 6)
    results = [rdc.solve(problem.minimising("distortion", rate=rate)) for rate in rates]
    lower = [result.objective_lower for result in results]
    upper = [result.objective_upper for result in results]
    testing.check_monotone(rates, lower, upper)
    testing.check_convex(rates, lower, upper)


@SLOW
@given(testing.unlimited_problems(max_symbols=4, max_letters=4, max_losses=1), st.floats(0.05, 0.95))
def test_least_distortion_inverts_the_least_rate(problem, share):
    """D(R(D)) = D where the limit is active."""
    least = testing.evaluation.least_losses(problem)["distortion"]
    matrix = problem.losses[0].matrix
    constant = (problem.p_x[:, None] * np.where(problem.p_x[:, None] > 0, matrix, 0.0)).sum(axis=0)
    most = constant.min()
    if not math.isfinite(most) or most - least < 1e-3:
        return
    bound = least + share * (most - least)
    there = rdc.solve(problem.with_limits(D=bound))
    # At a rate above R(D) the distortion is at most D; at one below, at least D.
    above = rdc.solve(problem.minimising("distortion", rate=there.rate_upper))
    below = rdc.solve(problem.minimising("distortion", rate=there.rate_lower))
    assert above.objective_lower <= bound + 1e-12
    assert below.objective_upper >= bound - 1e-12


@given(testing.problems("targets", max_losses=3))
def test_more_limits_cost_more_rate(problem):
    """R(b1, b2, ...) >= max(R(b1), R(b2), ...)."""
    result = rdc.solve(problem)
    if result.status is Status.INFEASIBLE:
        return
    for name in problem.loss_names:
        others = {other: None for other in problem.loss_names if other != name}
        alone = rdc.solve(problem.with_limits(**others))
        assert alone.rate_lower <= result.rate_upper + 1e-12
