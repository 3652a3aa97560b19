"""The information bottleneck in its own words, and limits on information from below."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy, mutual_information

seeds = st.integers(0, 2**32 - 1)
CHANNEL = np.array([[0.45, 0.05], [0.05, 0.45]])


def joint_table(seed, most=5):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(int(rng.integers(2, most)) * 2, 0.7)).reshape(-1, 2)


def relevance_of(table):
    source = rdc.Source.from_joint(table)
    return mutual_information(source.p_x, source.labels[0])


@given(seeds, st.floats(0.05, 0.95))
@settings(max_examples=15)
def test_the_three_questions_have_one_boundary(seed, share):
    table = joint_table(seed)
    relevance = share * relevance_of(table)
    assume(relevance > 1e-3)
    own = entropy(table.sum(axis=0))
    first = rdc.solve(rdc.information_bottleneck(table, relevance=relevance))
    second = rdc.solve(rdc.information_bottleneck(table, complexity=first.rate_upper))
    assert first.losses["label_entropy"] <= own - relevance
    assert own - second.objective_upper >= relevance - 1e-7
    third = rdc.solve(rdc.information_bottleneck(table, beta=first.multipliers["label_entropy"]))
    assert third.objective_lower <= first.rate_upper + first.multipliers["label_entropy"] * (own - relevance) + 1e-8


@given(seeds)
@settings(max_examples=15)
def test_it_is_the_limit_on_the_label_entropy(seed):
    table = joint_table(seed)
    source = rdc.Source.from_joint(table)
    bound, own = 0.5 * relevance_of(table), entropy(source.p_x @ source.labels[0])
    zero = np.zeros((source.n_x, 1))
    one = rdc.Problem(source, distortion=zero, limits=[rdc.InformationLimit(bound)])
    other = rdc.Problem(source, distortion=zero, limits=[rdc.LabelEntropyLimit(own - bound)])
    assert one == other == rdc.information_bottleneck(source, relevance=bound)
    in_bits = rdc.information_bottleneck(table, relevance=bound / math.log(2), unit="bit")
    np.testing.assert_allclose(in_bits.bounds, one.bounds, rtol=1e-12, atol=1e-15)


@given(seeds)
@settings(max_examples=15)
def test_all_there_is_to_tell_can_be_asked_for(seed):
    """The relevance I(X; S) itself, a difference of entropies with roundings, is not called out of reach."""
    table = joint_table(seed)
    result = rdc.solve(rdc.information_bottleneck(table, relevance=relevance_of(table)), tolerance=1e-6)
    assert result.status is not rdc.Status.INFEASIBLE
    assert result.rate_lower <= result.rate_upper <= entropy(table.sum(axis=1)) + 1e-9


def test_more_than_there_is_to_tell():
    most = relevance_of(CHANNEL)
    assert rdc.solve(rdc.information_bottleneck(CHANNEL, relevance=most + 0.01)).status is rdc.Status.INFEASIBLE
    with pytest.raises(InvalidInput, match=r"entropy of only 0\.693147 nat; lower the bound"):
        rdc.information_bottleneck(CHANNEL, relevance=0.7)
    with pytest.raises(InvalidInput, match="entropy of only 1 bit"):
        rdc.information_bottleneck(CHANNEL, relevance=1.1, unit="bit")


def test_zero_declares_the_label():
    problem = rdc.Problem(rdc.Source.from_joint(CHANNEL), distortion=np.zeros((2, 1)), limits=[rdc.InformationLimit(0)])
    assert problem.bounds.tolist() == [math.inf, math.inf]
    assert rdc.solve(problem).rate_upper == 0


@pytest.mark.parametrize(
    ("given_", "told"),
    [({}, "given: none"), ({"beta": 2.0, "relevance": 0.1}, "given: relevance and beta"), ({"beta": -1.0}, "-1")],
)
def test_one_question_at_a_time(given_, told):
    with pytest.raises(InvalidInput, match=told):
        rdc.information_bottleneck(CHANNEL, **given_)


def test_one_label_at_a_time():
    source = rdc.Source(None, [0.5, 0.5], labels=[np.eye(2), np.eye(2)])
    with pytest.raises(InvalidInput, match="one label but the source has 2"):
        rdc.information_bottleneck(source, beta=2.0)
    named = rdc.Problem(source, distortion=np.zeros((2, 1)), limits=[rdc.InformationLimit(0.1, label=1, name="kind")])
    assert named.loss_names == ("distortion", "kind")
    with pytest.raises(InvalidInput, match="label 2"):
        rdc.Problem(source, distortion=np.zeros((2, 1)), limits=[rdc.InformationLimit(0.1, label=2)])
