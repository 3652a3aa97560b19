"""Regions of fixed letters and a label's entropy: decoders that choose at random included."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.universal import boundary

INF = math.inf


def entropy_of(masses):
    """H(S | A) from the masses of letter and class, shape (n, n_s)."""
    total = masses.sum(axis=1, keepdims=True)
    ratio = np.divide(masses, total, out=np.ones_like(masses), where=masses > 0)
    return float(-(masses * np.log(ratio)).sum())


def attained(problem, channel, decoder):
    """What p(a | z), shape (k, n), attains, losses by name."""
    joint = problem.p_x[:, None] * (channel @ decoder)
    found = {loss.name: float((joint * np.where(joint > 0, loss.matrix, 0)).sum()) for loss in problem.linear_losses}
    return found | {label.name: entropy_of(joint.T @ label.conditional) for label in problem.label_entropies}


def shown(region, v, n):
    """p(a | z) of a vertex."""
    chance = region.chances[v]
    return (1 - chance) * np.eye(n)[region.letters[v]] + chance * np.eye(n)[region.others[v]]


def drawn(rng, forbidden):
    """Random p(a | z) of many kinds: nearly deterministic, on edges and inside."""
    k, n = forbidden.shape
    decoder = rng.dirichlet(np.full(n, rng.choice([0.02, 0.3, 2.0])), k)
    for z in rng.permutation(k)[: rng.integers(0, k + 1)]:
        decoder[z] = np.eye(n)[rng.integers(n)]
    decoder = np.where(forbidden, 0.0, decoder)
    return np.where(decoder.sum(axis=1, keepdims=True) > 0, decoder, ~forbidden) / np.maximum(
        np.where(decoder.sum(axis=1, keepdims=True) > 0, decoder, ~forbidden).sum(axis=1, keepdims=True), 1e-300
    )


def stated(rng, n_x, k, n, kind):
    """A problem, p(z | x), the two losses and which (message, letter) pairs are forbidden."""
    p = rng.dirichlet(np.ones(n_x))
    labels = [rng.dirichlet(np.full(rng.integers(2, 4), rng.choice([0.05, 0.7])), n_x) for _ in range(2)]
    table = rng.random((n_x, n)) * rng.choice([1e-3, 1.0, 1e4])
    if kind == "forbidden":
        table[rng.random((n_x, n)) < 0.3] = INF
        table[:, 0] = np.where(np.isinf(table[:, 0]), 1.0, table[:, 0])
    channel = rng.dirichlet(np.full(k, 0.3), n_x)
    if kind == "deterministic":
        channel = np.eye(k)[rng.permutation(np.arange(n_x) % k)]
        labels[0] = np.eye(2)[rng.integers(0, 2, n_x)]
    limits = [rdc.LabelEntropyLimit(INF, label=0), rdc.LabelEntropyLimit(INF, label=1)]
    source = rdc.Source(np.arange(n_x)[:, None] * 1.0, p, labels=labels)
    problem = rdc.Problem(source, list(range(n)), distortion=table, limits=limits, letters="fixed")
    names = problem.loss_names[1:] if kind == "two labels" else problem.loss_names[:2]
    forbidden = ((channel * p[:, None] > 0).T.astype(float) @ np.isinf(table).astype(float)) > 0
    return problem, channel, names if rng.random() < 0.5 else names[::-1], forbidden


KINDS = ["plain", "forbidden", "deterministic", "two labels"]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.integers(1, 4), st.sampled_from(KINDS))
def test_no_decoder_that_chooses_at_random_beats_the_boundary(seed, k, n, kind):
    rng = np.random.default_rng(seed)
    problem, channel, names, forbidden = stated(rng, 5, k, n, kind)
    region = rdc.achievable_region(channel, problem, names)
    assert region.kind == "curve"
    assert region.is_exact
    for _ in range(60):
        losses = attained(problem, channel, drawn(rng, forbidden))
        pair = [losses[name] for name in names]
        assert region.contains(pair)
        assert region.contains(pair, bound="outer")
        assert region.lowest(pair[0] * (1 + 1e-12)) <= pair[1] + 1e-9


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(1, 5), st.sampled_from(KINDS), st.booleans())
def test_every_vertex_is_attained_by_the_symbols_it_names(seed, k, n, kind, is_searched):
    rng = np.random.default_rng(seed)
    problem, channel, names, forbidden = stated(rng, 5, k, n, kind)
    with pytest.MonkeyPatch.context() as patch:
        if is_searched:
            patch.setattr(boundary, "_MOST_MOVES", 1)
        region = rdc.achievable_region(channel, problem, names)
    for v, vertex in enumerate(region.vertices):
        decoder = shown(region, v, n)
        assert not (decoder[forbidden] > 0).any()
        losses = attained(problem, channel, decoder)
        assert [losses[name] for name in names] == pytest.approx(vertex.tolist(), rel=1e-11, abs=1e-12)
        assert region.contains(vertex)
        assert region.contains(vertex, bound="outer")
        assert region.lowest(vertex[0]) <= vertex[1] * (1 + 1e-9) + 1e-9
    assert (np.diff(region.vertices, axis=0) * [1, -1] > 0).all()
    assert region.lowest(np.nextafter(region.vertices[0, 0], -INF) - 1e-9 * (1 + region.vertices[0, 0])) == INF
    for weights in rng.random((5, 2)):
        assert region.least(weights) >= region.least(weights, bound="outer") - 1e-12


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(KINDS))
def test_what_is_searched_for_is_inside_of_what_all_maps_attain(seed, kind):
    rng = np.random.default_rng(seed)
    problem, channel, names, forbidden = stated(rng, 6, 5, 3, kind)
    everything = rdc.achievable_region(channel, problem, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boundary, "_MOST_MOVES", 1)
        region = rdc.achievable_region(channel, problem, names)
    assert all(everything.contains(vertex) for vertex in region.vertices)
    assert all(region.contains(vertex, bound="outer") for vertex in everything.vertices)
    for weights in np.array([[1, 1], [0.1, 1], [1, 0.1]]) / np.maximum(everything.vertices[-1:] + 1e-9, 1e-9):
        right = everything.least(weights)
        assert right - 1e-9 * abs(right) <= region.least(weights) <= 1.1 * right + 1e-9
    for _ in range(30):
        losses = attained(problem, channel, drawn(rng, forbidden))
        assert region.contains([losses[name] for name in names], bound="outer")


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 0.99), st.floats(0, 0.5), st.floats(0, 1), st.floats(-3, 3), st.floats(-3, 3), st.floats(0, 1))
def test_two_messages_and_two_symbols_are_as_a_fine_grid_of_decoders_says(mass, noise, other_noise, a, b, place):
    label = [[1 - noise, noise], [other_noise, 1 - other_noise]]
    source = rdc.Source([-1.0, 1.0], [mass, 1 - mass], labels=[label])
    problem = rdc.Problem(source, [[a], [b]], limits=[rdc.LabelEntropyLimit(INF)], letters="fixed")
    region = rdc.achievable_region(np.eye(2), problem)
    grid = np.linspace(0, 1, 201)
    pairs = []
    for s in grid:
        for t in (0.0, 1.0, *grid[::25]):
            for decoder in ([[1 - s, s], [1 - t, t]], [[1 - t, t], [1 - s, s]]):
                losses = attained(problem, np.eye(2), np.array(decoder))
                pairs.append([losses["distortion"], losses["label_entropy"]])
    pairs = np.array(pairs)
    low, high = pairs[:, 0].min(), pairs[:, 0].max()
    first = low + place * (high - low)
    inside = pairs[pairs[:, 0] <= first + 1e-12, 1].min()
    further = pairs[pairs[:, 0] <= first + 0.006 * (high - low) + 1e-12, 1].min()  # a step of the grid further
    assert further - 1e-9 <= region.lowest(first + 1e-12) <= inside + 1e-9
    turned = rdc.achievable_region(np.eye(2), problem, ("C", "D"))
    least = region.lowest(first)
    assert turned.contains([least + 1e-9, first + 1e-9])


def test_a_message_drawn_at_random_is_better_than_none():
    source = rdc.Source([-1.0, 1.0], [0.5, 0.5], labels=[np.eye(2)])
    problem = rdc.Problem(source, [[0.0], [2.5]], limits=[rdc.LabelEntropyLimit(INF)], letters="fixed")
    region = rdc.achievable_region(np.eye(2), problem)
    shares = np.linspace(0, 1, 100001)[1:]  # the message +1 shows 2.5 with this chance
    zero = 1 - shares / 2
    entropy = -0.5 * np.log(0.5 / zero) - (0.5 - shares / 2) * np.log(np.maximum(0.5 - shares / 2, 1e-300) / zero)
    for first in (1.05, 1.1, 1.3125, 1.6):
        best = float(entropy[1 + shares * 0.625 <= first + 1e-12].min())
        assert region.lowest(first) == pytest.approx(best, abs=1e-4)
    assert region.lowest(1.3125) == pytest.approx(0.4774, abs=1e-4)
    assert region.contains((1.3125, 0.4775))
    assert not region.contains((1.3125, 0.4773))
    assert not region.contains((1.3125, 0.4773), bound="outer")
    bits = rdc.achievable_region(
        np.eye(2), rdc.Problem(source, [[0.0], [2.5]], limits=[rdc.LabelEntropyLimit(INF)], letters="fixed", unit="bit")
    )
    assert bits.lowest(1.3125) == pytest.approx(region.lowest(1.3125) / math.log(2))
    assert "bit" in repr(bits)


def test_where_maps_are_too_many_the_boundaries_say_less():
    rng = np.random.default_rng(2)
    p, label = rng.dirichlet(np.ones(6)), rng.dirichlet([0.5, 0.5], 6)
    problem = rdc.Problem.from_arrays(p, rng.random((6, 6)), label, C=INF, letters="fixed")
    channel = rng.dirichlet(np.full(9, 0.3), 6)
    region = rdc.achievable_region(channel, problem)
    assert not region.is_exact
    assert region.vertices[0, 0] == pytest.approx(region.outer[0, 0])
    assert region.contains(region.outer[-1], bound="outer")
    assert region.least([1, 1]) >= region.least([1, 1], bound="outer")
    assert region.lowest(region.vertices[3, 0]) >= region.lowest(region.vertices[3, 0], bound="outer")
