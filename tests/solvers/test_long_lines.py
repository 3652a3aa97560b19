"""Points of a line, however many: the answers of the table where there is one, and proofs where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.problems import LineLoss

KINDS = ["squared_error", "absolute"]


def agree(one, other):
    return max(one.objective_lower, other.objective_lower) <= min(one.objective_upper, other.objective_upper) + 1e-12


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.booleans(), st.booleans())
def test_bounds_are_those_of_the_table(seed, kind, at_multiplier, has_letters):
    rng = np.random.default_rng(seed)
    x = np.unique(rng.normal(size=40) * 10 ** rng.uniform(-2, 1))
    y = np.unique(rng.choice(x, 12)) if has_letters else x
    masses = rng.dirichlet(np.ones(x.size)) * (rng.random(x.size) < 0.8) + 1e-300
    line, table = LineLoss(kind, x, y if has_letters else None), LineLoss(kind, x, y).block()
    results = []
    for loss in (line, table):
        problem = rdc.Problem.from_arrays(masses / masses.sum(), loss)
        scale = float(problem.p_x @ table.mean(axis=1))
        stated = {"distortion": 3 / scale} if at_multiplier else {"D": 0.3 * scale}
        problem = problem.at_multipliers(**stated) if at_multiplier else problem.with_limits(**stated)
        results.append(rdc.solve(problem))
        assert results[-1].status.name == "OPTIMAL"
        assert results[-1].proof.name == "CERTIFIED"
    assert agree(*results)


@pytest.mark.parametrize("kind", KINDS)
def test_twenty_thousand_points_are_proved_at_a_multiplier_and_within_a_limit(kind):
    x = np.linspace(-5, 5, 20_000)
    problem = rdc.Problem(rdc.sources.grid(np.exp(-(x**2) / 2), [x]), distortion=kind)
    at = rdc.solve(problem.at_multipliers(distortion=4.0), tolerance=1e-7)
    within = rdc.solve(problem.with_limits(D=at.losses["distortion"]), tolerance=1e-7)
    for result in (at, within):
        assert result.status.name == "OPTIMAL"
        assert result.proof.name == "CERTIFIED"
    assert abs(at.rate_upper - within.rate_upper) <= 1e-5
    assert at.channel.shape[0] == 20_000


def test_points_without_a_pattern_and_as_close_as_they_fall():
    x = np.sort(np.random.default_rng(0).normal(size=5000))
    problem = rdc.Problem(rdc.Source(x, np.full(5000, 2e-4)), distortion=LineLoss("absolute", x)).with_limits(D=0.1)
    result = rdc.solve(problem, tolerance=1e-7)
    assert result.status.name == "OPTIMAL"
    assert result.method == "interior point"


def test_balls_prove_twenty_thousand_points_from_the_bounds_of_most_letters(monkeypatch):
    """Hundreds of neighbours have nearly the largest price: computing all of them as balls took minutes."""
    from rdcsolve.certificates import ball

    priced = []
    price = ball.BallNumbers._price
    monkeypatch.setattr(ball.BallNumbers, "_price", lambda *one: priced.append(one[1]) or price(*one))
    x = np.linspace(-5, 5, 20_000)
    problem = rdc.Problem(rdc.sources.grid(np.exp(-(x**2) / 2), [x])).at_multipliers(distortion=4.0)
    result = rdc.solve(problem, tolerance=1e-7)
    answers = [result.verify(problem, arithmetic="ball")]
    assert 1 <= len(priced) <= ball._PRICED // 20_000
    monkeypatch.setattr(ball, "_PRICED", 0)  # as on lines of a million points
    answers.append(result.verify(problem, arithmetic="ball"))
    floats = result.verify(problem)
    for answer in answers:
        assert answer.valid
        assert abs(answer.lower - floats.lower) <= 1e-11
    assert answers[1].lower <= answers[0].lower + 1e-15  # bounds are not below the prices
