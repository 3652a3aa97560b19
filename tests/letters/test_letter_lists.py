"""Lists of letters: what belongs to them one by one stays in step, whatever joins or merges."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rdcsolve.letters import Letters, space_of
from rdcsolve.letters.letters import apart
from rdcsolve.testing import label_problems


@st.composite
def lists(draw, kind=None):
    """Few places and decisions, so that equal letters are common; symbols, points or tuples."""
    kind = draw(st.sampled_from(["symbols", "points", "tuples"])) if kind is None else kind
    size, n_labels = draw(st.integers(0, 8)), draw(st.integers(0, 2)) if kind == "symbols" else 1
    width = {"symbols": (), "points": (2,), "tuples": (3,)}[kind]
    numbers = draw(st.lists(st.integers(0, 2), min_size=size * 3, max_size=size * 3))
    table = np.array(numbers, dtype=float if kind == "points" else int).reshape(size, 3)
    places = table[:, 0] if width == () else table[:, : width[0]]
    shares = [np.array(draw(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=size, max_size=size)))]
    return Letters(places, tuple(np.column_stack([share, 1 - share]) for share in shares * n_labels))


def rows(letters):
    return [
        (*np.atleast_1d(place).tolist(), *(tuple(soft[k]) for soft in letters.decisions))
        for k, place in enumerate(letters.places)
    ]


@given(st.data())
def test_a_list_with_more_begins_with_all_of_its_own_letters(data):
    kind = data.draw(st.sampled_from(["points", "tuples"]))
    own, others = data.draw(lists(kind)), data.draw(lists(kind))
    both = rows(own.with_more(others))
    assert both[: len(own)] == rows(own)
    added = both[len(own) :]
    assert len(set(added)) == len(added)
    assert set(added) == set(rows(others)) - set(rows(own))


@given(lists())
def test_distinct_letters_are_the_first_of_equals_in_order(letters):
    assert rows(letters.distinct()) == list(dict.fromkeys(rows(letters)))


@given(lists(), st.integers(0, 1000))
def test_united_letters_have_the_masses_of_all_that_equal_them(letters, seed):
    masses = np.random.default_rng(seed).random(len(letters))
    united, sums = letters.united(masses)
    expected = dict.fromkeys(rows(letters), 0.0)
    for row, mass in zip(rows(letters), masses, strict=True):
        expected[row] += mass
    assert rows(united) == list(expected)
    assert np.allclose(sums, list(expected.values()))


def test_minus_zero_is_no_other_place_and_digits_beyond_the_twelfth_do_not_count():
    letters = Letters(
        np.array([[0.0], [-0.0], [1.0]]), (np.array([[0.5, 0.5], [0.5 + 1e-14, 0.5 - 1e-14], [1.0, 0.0]]),)
    )
    assert len(letters.distinct()) == 2


def test_letters_apart_keep_those_settled():
    affinity = np.array([[1.0, 1.0, 0.2], [1.0, 1.0, 0.2], [0.2, 0.2, 1.0]])
    assert apart(affinity).tolist() == [0, 2]
    assert apart(affinity, settled=2).tolist() == [0, 1, 2]


@given(label_problems(max_labels=2), st.integers(0, 10**6))
def test_letters_that_merge_stay_in_step_with_their_masses(problem, seed):
    """Two posteriors among seven letters, so that some become equal: none is listed twice, and masses add up."""
    rng = np.random.default_rng(seed)
    space, size = space_of(problem), 7
    places = rng.integers(problem.n_letters, size=size)
    letters = space.marginal(places)
    few = rng.dirichlet(np.ones(2), problem.n_x)
    joint = problem.p_x[:, None] * few[:, rng.integers(2, size=size)]
    for loss in space.place_losses(places):
        joint[np.isinf(loss)] = 0.0
    held = np.flatnonzero(joint.sum(axis=0) > 1e-6)
    if not held.size:
        return
    joint = joint[:, held] / joint.sum()
    multipliers = rng.exponential(1.0, len(problem.losses)) * rng.integers(0, 2, len(problem.losses))
    merged, q = space.merge(letters.take(held), joint, multipliers)
    assert len(merged) == q.size == len(merged.distinct())
    assert abs(q.sum() - 1) < 1e-12
    assert len(merged.with_more(space.priors())) >= q.size
