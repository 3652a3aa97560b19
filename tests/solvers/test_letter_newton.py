"""Letters that slide: derivatives, convergence, and what they save the exchange."""

import math

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.letters.choice import space_of
from rdcsolve.letters.letters import Letters
from rdcsolve.solvers.exchange import exchange, letter_newton
from rdcsolve.solvers.exchange.letter_newton import gathered, slide
from rdcsolve.solvers.exchange.outcome import PricedDual

INF = math.inf


def listed_problem(seed=1, n=60, classes=3):
    rng = np.random.default_rng(seed)
    p, label = rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(classes), n)
    return rdc.Problem.from_arrays(p, rng.random((n, 6)), label, C=INF)


def free_problem():
    rng = np.random.default_rng(2)
    x = np.r_[rng.normal(-1, 0.2, 15), rng.normal(1, 0.2, 15)][:, None]
    label = rng.dirichlet(np.ones(3), 30)
    source = rdc.Source(x, np.full(30, 1 / 30), labels=[label])
    return rdc.Problem(source, reproduction="free", limits=[rdc.LabelEntropyLimit(INF)])


def letters_of(problem, m=3, seed=0):
    rng = np.random.default_rng(seed)
    decisions = rng.dirichlet(np.ones(3), m)
    decisions[0, 1] = 0.0  # excluded: it stays so
    decisions /= decisions.sum(axis=1, keepdims=True)
    places = rng.integers(0, 6, m) if problem.free is None else rng.normal(size=(m, 1))
    return Letters(places, (decisions,))


def lagrangian(state, bounds):
    losses = state._losses()
    t = np.exp(state._exponent(losses)).sum(axis=1)
    charge = sum(state.multipliers[m] * bounds[m] for m in state.active)
    return -state.p @ np.log(t) + np.exp(state.kappa).sum() - charge


@pytest.mark.parametrize("make", [listed_problem, free_problem])
def test_derivatives_are_those_of_the_lagrangian(make):
    problem = make()
    letters = letters_of(problem)
    # of the excluded class nothing is needed: symbols that need it have no share in that letter
    multipliers, bounds = np.array([1.3, 2.1]), np.array([0.3, 0.8])

    def state():
        return letter_newton._State(space_of(problem), letters, np.log([0.5, 0.3, 0.2]), multipliers, np.array([0, 1]))

    gradient, hessian = state().derivatives(bounds)
    h = 1e-5
    for index in range(gradient.size):
        step = np.zeros(gradient.size)
        step[index] = h
        up, down = state(), state()
        up.move(step)
        down.move(-step)
        assert (lagrangian(up, bounds) - lagrangian(down, bounds)) / (2 * h) == pytest.approx(gradient[index], abs=1e-7)
        difference = (up.derivatives(bounds)[0] - down.derivatives(bounds)[0]) / (2 * h)
        inside = np.abs(hessian[index] - difference)
        # a shift of all thetas of a letter changes nothing: along it the Hessian is made positive
        held = 1 + (1 if problem.free is not None else 0)
        width = 3 + held - 1
        own = range(3, 3 + 3 * width)
        loose = [
            (a, b) for a in own for b in own if (a - 3) // width == (b - 3) // width and (a - 3) % width >= held - 1
        ]
        for other in range(gradient.size):
            if (index, other) not in loose:
                assert inside[other] < 1e-6


def test_an_optimum_is_reached_from_nearby():
    """From letters that are off by a few hundredths; the dual point then prices every letter at one or less."""
    problem = listed_problem().at_multipliers(distortion=8.0, label_entropy=6.0)
    result = rdc.solve(problem)
    dual = PricedDual(space_of(problem), result.certificate.u, result.certificate.multipliers)
    maxima = dual.prices.maxima(Letters(result.letters, result.decisions))
    letters, q = gathered(space_of(problem), dual.prices, maxima, result.channel * problem.p_x[:, None])
    rng = np.random.default_rng(0)
    near = 0.97 * letters.decisions[0] + 0.03 * rng.dirichlet(np.ones(3), q.size)
    found = slide(space_of(problem), Letters(letters.places, (near,)), q, problem.multipliers, problem.bounds)
    assert found is not None
    value = problem.p_x @ found.u
    assert value == pytest.approx(result.objective_upper, abs=1e-8)


def test_sliding_saves_rounds(monkeypatch):
    problem = listed_problem().at_multipliers(distortion=8.0, label_entropy=6.0)
    at = rdc.solve(problem)
    limited = problem.with_limits(D=at.distortion, C=at.label_entropy)
    sliding_rounds = rdc.solve(limited).steps
    monkeypatch.setattr(exchange, "slide", lambda *_: None)
    assert rdc.solve(limited).steps > 1.5 * sliding_rounds


def test_letters_and_limits_that_are_not_needed_are_left_behind():
    """Two signs: one letter for each, whatever is added; the label of no consequence has no multiplier."""
    source = rdc.Source([-1.0, 1.0], [0.5, 0.5], labels=[[[0.9, 0.1], [0.1, 0.9]]])
    problem = rdc.Problem(source, reproduction="free", limits=[rdc.DistortionLimit(0.3), rdc.LabelEntropyLimit(0.69)])
    letters = Letters(np.array([[-0.8], [0.8], [0.1]]), (np.array([[0.8, 0.2], [0.2, 0.8], [0.5, 0.5]]),))
    found = slide(space_of(problem), letters, np.array([0.48, 0.48, 0.04]), np.array([1.5, 0.01]), problem.bounds)
    assert found is not None
    assert np.abs(found.letters.places[:, 0]) == pytest.approx(np.full(2, math.sqrt(0.7)), abs=1e-9)
    assert found.multipliers[1] == 0.0


def test_too_many_unknowns_and_hopeless_starts_give_nothing():
    problem = listed_problem().at_multipliers(distortion=8.0, label_entropy=6.0)
    rng = np.random.default_rng(0)
    many = Letters(rng.integers(0, 6, 200), (rng.dirichlet(np.ones(3), 200),))
    assert slide(space_of(problem), many, np.full(200, 1 / 200), problem.multipliers, problem.bounds) is None
