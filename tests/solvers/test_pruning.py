"""Letters of negligible mass: left out where nothing is lost by it, kept where something would be."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.information import conditional_entropy, mutual_information
from rdcsolve.solvers.finite.pruning import pruned
from rdcsolve.universal import serving

INF = math.inf


def losses_of(problem, result):
    """Every loss of a result's channel, from the definitions."""
    p, channel = problem.p_x, result.channel
    found = {}
    for loss in problem.linear_losses:
        matrix = np.where(channel > 0, loss.matrix[:, result.letters], 0.0)
        found[loss.name] = float(p @ (channel * matrix).sum(axis=1))
    if problem.free is not None:
        squares = ((problem.source.points[:, None, :] - result.reproduction[None]) ** 2).sum(axis=2)
        found[problem.free.name] = float(p @ (channel * squares).sum(axis=1))
    for label in problem.label_entropies:
        found[label.name] = conditional_entropy(p, label.conditional, channel)
    return found


def check_pruned(problem, before, after, tolerance):
    """Fewer letters, the same lower bound, the rate of its own channel, and no limit exceeded."""
    assert after.letters.size <= before.letters.size
    assert after.rate_lower == before.rate_lower
    assert after.rate_upper <= before.rate_upper + 0.01 * tolerance + 1e-13
    assert after.rate_upper >= after.rate_lower - 1e-12
    assert after.gap <= tolerance or after.gap <= before.gap + 0.01 * tolerance + 1e-13
    assert mutual_information(problem.p_x, after.channel) == pytest.approx(after.rate_upper, abs=1e-13)
    for name, loss in losses_of(problem, after).items():
        bound = problem.bounds[problem.loss_names.index(name)]
        assert loss <= max(bound, before.losses[name]) * (1 + 1e-14) + 1e-15
        assert loss == pytest.approx(after.losses[name], abs=1e-12)
    assert np.allclose(after.q, problem.p_x @ after.channel, atol=1e-14)
    assert after.certificate.verify(problem).valid


def a_problem(rng, kind):
    n_x = int(rng.integers(4, 9))
    p, label = rng.dirichlet(np.ones(n_x)), rng.dirichlet([0.5, 0.5], n_x)
    share = rng.uniform(0.2, 0.8)
    ends = [conditional_entropy(p, label, one) for one in (np.eye(n_x), np.ones((n_x, 1)))]
    C = ends[0] + share * (ends[1] - ends[0])
    if kind == "free":
        source = rdc.Source(np.sort(rng.normal(size=n_x)), p, labels=[label])
        v = float(p @ (source.points[:, 0] - p @ source.points[:, 0]) ** 2)
        return rdc.Problem(source, "free", limits=[rdc.DistortionLimit(share * v), rdc.LabelEntropyLimit(C)])
    d = rng.random((n_x, 12))
    D = share * float((p @ d).min()) + (1 - share) * float(p @ d.min(axis=1))
    if kind == "split":
        return rdc.Problem.from_arrays(p, d, label, D=D, C=C)
    if kind == "at its least":
        D = float(p @ d.min(axis=1))
    return rdc.Problem.from_arrays(p, d, losses={"other": rng.random((n_x, 12))}, D=D, limits={"other": 0.6})


@settings(max_examples=40)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["linear", "at its least", "split", "free"]),
    st.sampled_from([1e-3, 1e-5, 1e-7]),
)
def test_pruning_keeps_every_limit_and_the_rate(seed, kind, tolerance):
    problem = a_problem(np.random.default_rng(seed), kind)
    before = rdc.solve(problem, tolerance=tolerance)
    if before.letters.size:
        check_pruned(problem, before, pruned(before, problem, tolerance), tolerance)


def test_most_letters_of_an_interior_point_go():
    rng = np.random.default_rng(0)
    p, d, other = rng.dirichlet(np.ones(8)), rng.random((8, 200)), rng.random((8, 200))
    problem = rdc.Problem.from_arrays(p, d, losses={"other": other}, D=0.2, limits={"other": 0.3})
    before = rdc.solve(problem, rdc.InteriorPoint(), tolerance=1e-5)
    after = pruned(before, problem, 1e-5)
    assert before.letters.size > 100
    assert after.letters.size <= 10  # as many as symbols and limits
    check_pruned(problem, before, after, 1e-5)


def test_a_letter_that_a_limit_rests_on_stays():
    """A symbol of mass 1e-9 that costs 1e8 anywhere but at its own letter: of next to no mass, and not to be spared."""
    p = np.array([0.5, 0.5 - 1e-9, 1e-9])
    d = np.array([[0, 1, 1], [1, 0, 1], [1e8, 1e8, 0]], dtype=float)
    problem = rdc.Problem.from_arrays(p, d, D=0.04)
    before = rdc.solve(problem, tolerance=1e-3)
    after = pruned(before, problem, 1e-3)
    assert 2 in after.letters
    check_pruned(problem, before, after, 1e-3)


def test_a_letter_without_which_a_symbol_has_none_stays():
    p = np.array([0.5, 0.5 - 1e-13, 1e-13])
    d = np.array([[0, 1, INF], [1, 0, INF], [INF, INF, 0]])
    problem = rdc.Problem.from_arrays(p, d, D=0.1)
    before = rdc.solve(problem, tolerance=1e-3)
    after = pruned(before, problem, 1e-3)
    assert after.letters.tolist() == [0, 1, 2]
    check_pruned(problem, before, after, 1e-3)


def test_a_result_without_a_channel_is_left_alone():
    nothing = rdc.solve(rdc.Problem.from_arrays([0.5, 0.5], [[0.1, 1], [1, 0.1]], D=0.01))
    assert pruned(nothing, rdc.Problem.from_arrays([0.5, 0.5], [[0.1, 1], [1, 0.1]], D=0.01), 1e-6) is nothing


@pytest.mark.parametrize("generated", [False, True])
def test_a_universal_encoder_sends_no_idle_messages(generated, monkeypatch):
    rng = np.random.default_rng(0)
    p, d, other = rng.dirichlet(np.ones(30)), rng.random((30, 25)), rng.random((30, 25))
    problem = rdc.Problem.from_arrays(p, d, losses={"other": other})
    if generated:
        monkeypatch.setattr(serving, "_LISTED", 0)
    targets = [{"D": 0.2}, {"other": 0.2}]
    universal = rdc.universal_rate(problem, targets, tolerance=1e-4)
    assert universal.status is rdc.Status.OPTIMAL
    assert universal.gap <= 1e-4
    assert universal.q.size < 100  # of 625 tuples
    assert universal.q.min() > 1e-8
    for target, decoder in zip(universal.targets, universal.decoders, strict=True):
        assert all(decoder.losses[name] <= bound for name, bound in target.items())
    assert mutual_information(p, universal.encoder) == pytest.approx(universal.rate_upper, abs=1e-13)
    assert universal.verify(problem).valid
