"""Maps from symbols to fixed letters: the search against all of them, and limits that hardly any channel meets."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.information import conditional_entropy, entropy, mutual_information
from rdcsolve.problems import Problem
from rdcsolve.results.status import Proof, Status
from rdcsolve.solvers.stationary import maps
from rdcsolve.solvers.stationary.alternation import Alternation, solve_fixed
from rdcsolve.solvers.stationary.compiled_maps import entropy_of_joint
from rdcsolve.solvers.stationary.starts import Arena
from rdcsolve.testing.strategies import distortions, labels, pmfs

INF = math.inf


@st.composite
def mapped(draw):
    """A problem with fixed letters whose limits a map meets exactly, or by a share of them to spare, and that map."""
    n, k = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    p, d, w = draw(pmfs(n)), draw(distortions(n, k)), draw(labels(n, draw(st.integers(1, 3))))
    allowed = [np.flatnonzero(np.isfinite(row)) for row in d]
    letters = np.array([draw(st.sampled_from(one.tolist())) for one in allowed])
    room = draw(st.sampled_from([0.0, 0.0, 1e-13, 1e-6, 1e-2]))
    channel = np.eye(k)[letters]
    D = math.fsum((p * d[np.arange(n), letters]).tolist())
    C = conditional_entropy(p, w, channel)
    bounds = {"D": math.nextafter(D * (1 + room), INF) if D > 0 else 0.0, "C": C * (1 + room) + 1e-15}
    return Problem.from_arrays(p, d, w, letters="fixed", **bounds), letters


def full(problem, result):
    """The channel over all letters, symbols of no mass left out."""
    channel = np.zeros((problem.n_x, problem.n_letters))
    channel[:, result.letters] = result.channel
    return channel


def attained(problem, channel):
    """Rate and losses by definition."""
    p = problem.p_x
    table = problem.linear_losses[0].block()
    terms = np.where(channel > 0, channel * np.where(np.isfinite(table), table, 0.0), 0.0)
    label = problem.label_entropies[0]
    return (
        mutual_information(p, channel),
        float(p @ terms.sum(axis=1)),
        conditional_entropy(p, label.conditional, channel),
    )


@settings(max_examples=30)
@given(mapped())
def test_limits_that_a_map_meets_are_met(drawn):
    problem, letters = drawn
    result = rdc.solve(problem, solver=Alternation(starts=2, polish=1))
    assert math.isfinite(result.rate_upper), result
    assert result.status is not Status.INFEASIBLE
    assert result.proof is not Proof.NONE
    channel = full(problem, result)
    rate, D, C = attained(problem, channel)
    spread = float(problem.spread(0))
    assert D <= problem.bounds[0] + 1e-12 * spread + 1e-15 * D
    assert C <= problem.bounds[1] + 1e-12
    assert rate == pytest.approx(result.rate_upper, abs=1e-12)
    assert not (np.isinf(problem.linear_losses[0].block()) & (channel > 0))[problem.p_x > 0].any()
    # the map itself needs H(A): nothing below the bound, and no channel is handed out that does worse than all letters
    assert result.rate_lower <= rate + 1e-12 <= entropy(problem.p_x) + 1e-9


@settings(max_examples=30)
@given(mapped())
def test_the_search_finds_the_best_of_all_maps(drawn):
    problem, _ = drawn
    arena = Arena(problem)
    found = list(maps.feasible_maps(arena))
    assert found
    values = [one.value for one in found if one.excess == 0]
    assert values == sorted(values)
    p, table = problem.p_x, problem.linear_losses[0].block()
    best = INF
    options = [np.flatnonzero(np.isfinite(row)).tolist() if p[i] > 0 else [0] for i, row in enumerate(table)]
    for letters in itertools.product(*options):
        channel = np.eye(problem.n_letters)[list(letters)]
        rate, D, C = attained(problem, np.where(p[:, None] > 0, channel, 0.0) if (p == 0).any() else channel)
        if D <= problem.bounds[0] and C <= problem.bounds[1]:
            best = min(best, rate)
    assert min(one.value for one in found) <= best + 1e-12


@given(st.integers(0, 10**6))
def test_entropy_of_masses_is_the_definition_and_keeps_small_digits(seed):
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.full(12, 0.3)).reshape(4, 3) * (rng.random((4, 3)) < 0.8)
    expected = sum(m * (math.log(math.fsum(column)) - math.log(m)) for column in joint.T for m in column if m > 0)
    assert entropy_of_joint(joint, 0, 4) == pytest.approx(expected, abs=1e-14)
    tiny = 10.0 ** -rng.uniform(10, 200)
    pair = np.array([[1.0], [tiny]])
    assert entropy_of_joint(pair, 0, 2) == pytest.approx(tiny * (1 - math.log(tiny)), rel=1e-10)


@pytest.mark.parametrize("minimise", ["rate", "distortion", "label_entropy"])
def test_no_rate_at_all(minimise):
    """One letter for all symbols is exactly at a rate of zero; a descent only comes near."""
    p = np.array([0.7, 0.2, 0.1 - 1e-12, 1e-12])
    d = np.random.default_rng(0).random((4, 3))
    w = np.eye(2)[[0, 1, 1, 0]]
    problem = Problem.from_arrays(p, d, w, letters="fixed", C=INF).with_limits(rate=0.0)
    if minimise == "rate":
        problem = problem.with_limits(D=float((p @ d).max()), C=math.log(2))
    else:
        problem = problem.minimising(minimise, rate=0.0)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL, result
    assert mutual_information(p, result.channel) <= 1e-15
    expected = {"rate": 0.0, "distortion": (p @ d).min(), "label_entropy": entropy(p @ w)}[minimise]
    assert result.objective_upper == pytest.approx(expected, abs=1e-9)


@given(p=pmfs(st.integers(2, 4)), w=labels(4, 3), seed=st.integers(0, 10**6), objective=st.sampled_from(["rate", "l0"]))
def test_letters_that_tell_nothing_are_mixed_where_limits_ask_for_it(p, w, seed, objective):
    """No single letter meets both limits, a mixture does; the label may be told H(S), and not a rounding less."""
    rng, w = np.random.default_rng(seed), w[: p.size]
    low, high = rng.random((2, p.size))
    first, second = np.stack([low, high + 1], axis=1), np.stack([high + 1, low], axis=1)
    share = rng.uniform(0.2, 0.8)
    means = (
        (1 - share) * (p @ first)[0] + share * (p @ first)[1],
        (1 - share) * (p @ second)[0] + share * (p @ second)[1],
    )
    limits = [rdc.LossLimit(INF, second, "l0"), rdc.LabelEntropyLimit(entropy(p @ w))]
    problem = Problem(rdc.Source(None, p, labels=[w]), distortion=first, limits=limits, letters="fixed")
    problem = problem.with_limits(distortion=means[0] + 1e-3)
    problem = problem.with_limits(l0=means[1] + 1e-3) if objective == "rate" else problem.minimising("l0", rate=0.0)
    result = rdc.solve(problem, solver=Alternation(starts=1, polish=1))
    assert result.rate_upper <= 1e-9
    if objective == "l0":  # the bound of split letters may be weak there: its multipliers have no end
        assert result.objective_upper <= means[1] + 1e-9
    else:
        assert result.status is Status.OPTIMAL, result


@pytest.mark.parametrize("rare", [1e-3, 1.32749783e-6, 1e-11])
@pytest.mark.parametrize("letters", ["fixed", "split"])
def test_a_rare_class_may_be_told_the_label_entropy_at_no_rate(rare, letters):
    """The limit is at H(S), a rounding below which a rate of that rounding over the share of the class is needed."""
    p, w = np.array([0.5, 0.5]), np.array([[0.0, 1.0], [rare, 1 - rare]])
    first, second = np.array([[0.6, 1.02], [0.27, 1.05]]), np.array([[1.02, 0.6], [1.05, 0.27]])
    limits = [rdc.LossLimit(INF, second, "l0"), rdc.LabelEntropyLimit(entropy(p @ w)), rdc.DistortionLimit(0.85)]
    source = rdc.Source(None, p, labels=[w])
    fixed = {"letters": "fixed"} if letters == "fixed" else {}
    problem = Problem(source, distortion=first, limits=limits, **fixed).minimising("l0", rate=0.0)
    result = rdc.solve(problem, time_limit=60)
    assert result.status is Status.OPTIMAL, result
    share = (0.85 - p @ first[:, 0]) / (p @ (first[:, 1] - first[:, 0]))
    expected = (1 - share) * (p @ second)[0] + share * (p @ second)[1]
    assert result.objective_upper == pytest.approx(expected, abs=1e-8)


def test_a_map_is_handed_out_as_it_is_where_nothing_else_meets_the_limits(monkeypatch):
    """The exact phase may fail at limits without room; a map that meets them is an answer, not called stationary."""
    from rdcsolve.solvers.stationary import alternation

    rng = np.random.default_rng(2)
    p, d, w = rng.dirichlet(np.ones(4)), rng.random((4, 3)), rng.dirichlet(np.full(2, 0.5), size=4)
    letters = np.array([0, 1, 2, 0])
    C = conditional_entropy(p, w, np.eye(3)[letters]) + 1e-15
    problem = Problem.from_arrays(p, d, w, letters="fixed", D=float(p @ d[np.arange(4), letters]) * (1 + 1e-15), C=C)
    monkeypatch.setattr(alternation, "polish", lambda *_: iter(()))
    result = solve_fixed(problem, Alternation(starts=1))
    assert result.status is Status.STALLED
    assert math.isfinite(result.rate_upper)
    channel = full(problem, result)
    assert set(channel.ravel().tolist()) == {0.0, 1.0}
    rate, found_d, found_c = attained(problem, channel)
    assert found_d <= problem.bounds[0] + 1e-15
    assert found_c <= problem.bounds[1] + 1e-15
    assert result.rate_upper == pytest.approx(rate, abs=1e-12)
    assert rate <= entropy(np.bincount(letters, p)) + 1e-12
