"""Limits that a channel meets within what the check grants to rounding, and not exactly: the answer says so."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.information import entropy
from rdcsolve.results import confirmation

WORDS = "met only within rounding"


def at_the_entropy_of_the_label(seed, letters, steps, tiny):
    """The one letter there is tells nothing of the label, whose entropy is limited to what it is, to some roundings."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3)) * np.array([1, tiny, tiny])
    label = rng.dirichlet(np.ones(2), 3)
    source = rdc.Source(None, p / p.sum(), labels=[label])
    problem = rdc.Problem(source, distortion=np.zeros((3, 1)), limits=[rdc.LabelEntropyLimit(np.inf)], letters=letters)
    bound = entropy(source.p_x @ label)
    for _ in range(steps):
        bound = np.nextafter(bound, 0)
    return problem.with_limits(label_entropy=float(bound))


@given(
    st.integers(0, 10**6), st.sampled_from(["split", "fixed"]), st.integers(0, 4), st.sampled_from([1.0, 1e-9, 1e-18])
)
def test_what_ball_arithmetic_refuses_is_said(seed, letters, steps, tiny):
    pytest.importorskip("flint")
    problem = at_the_entropy_of_the_label(seed, letters, steps, tiny)
    result = rdc.solve(problem)
    if result.status is rdc.Status.INFEASIBLE or not result.letters.size:
        return
    exact = result.certificate.verify(problem, arithmetic="ball")
    refused = [message for message in exact.messages if "exceeds the limit" in message]
    exceeded = {name for name in exact.excess if any(f"on {name} by" in message for message in refused)}
    assert bool(refused) == (not exact.valid)
    assert (WORDS in result.message) == bool(exceeded)
    assert all(name in result.message for name in exceeded)
    assert result.losses["label_entropy"] <= problem.bounds[-1]


@given(st.integers(0, 10**6), st.integers(2, 6), st.integers(-3, 3), st.booleans())
def test_limits_below_a_least_value_by_a_rounding_say_how_they_are_read(seed, n, steps, is_label):
    pytest.importorskip("flint")
    rng = np.random.default_rng(seed)
    p, tables, label = rng.dirichlet(np.ones(n)), rng.random((n, 3)) + 0.5, rng.dirichlet(np.ones(3), n)
    source = rdc.Source(None, p, labels=[label])
    name, least = ("distortion", float(p @ tables.min(axis=1)))
    if is_label:
        name, least = "label_entropy", float(p @ [entropy(row) for row in label])
    bound = least
    for _ in range(abs(steps)):
        bound = float(np.nextafter(bound, np.sign(steps) * np.inf))
    problem = rdc.Problem(source, distortion=tables, limits=[rdc.LabelEntropyLimit(np.inf)])
    problem = problem.with_limits(**{name: bound})
    result = rdc.solve(problem, tolerance=1e-6)
    if result.certificate is None:
        return
    read = f"the limit on {name} is below its least value by a rounding, and is read as that"
    exact = result.certificate.verify(problem, arithmetic="ball")
    if result.letters.size and (exact.valid or not is_label):
        assert (read in exact.messages) <= (read in result.message)


def test_without_balls_floats_say_what_they_cannot_tell(monkeypatch):
    problem = at_the_entropy_of_the_label(3, "split", 2, 1.0)
    monkeypatch.setattr(confirmation.extras, "is_installed", lambda extra: False)
    assert WORDS in rdc.solve(problem).message


def test_ordinary_answers_say_nothing_of_it():
    problem = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
    assert not rdc.solve(problem).message
