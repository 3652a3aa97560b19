"""Label entropies limited to H(S | X) exactly, however small it is, and limits on other losses that leave no room."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.letters.choice import space_of
from rdcsolve.results import Proof, Status
from rdcsolve.solvers.exchange.least_entropy import LeastEntropies

SEEDS = st.integers(0, 10**6)


def entropies(rows):
    return -(rows * np.log(np.where(rows > 0, rows, 1.0))).sum(axis=1)


def drawn(seed, noise):
    """Masses, a loss, and a label that is a function of the symbol but for some noise, as many rows as classes."""
    rng = np.random.default_rng(seed)
    n, k, n_classes = rng.integers(2, 7), rng.integers(2, 7), rng.integers(2, 4)
    label = (1 - noise) * np.eye(n_classes)[rng.integers(n_classes, size=n)] + noise / n_classes
    return rng, rng.dirichlet(np.ones(n)), rng.random((n, k)), label / label.sum(axis=1, keepdims=True)


def group_by_group(p, loss, label, bound):
    """The least rate if no letter is shared by symbols of different rows: a finite problem, one copy for every row."""
    rows, group = np.unique(label.round(14), axis=0, return_inverse=True)
    copies = [np.where((group.ravel() == g)[:, None], loss, math.inf) for g in range(len(rows))]
    return rdc.solve(rdc.Problem.from_arrays(p, np.hstack(copies), D=bound))


@given(SEEDS, st.sampled_from([0.0, 1e-13, 1e-10, 1e-6, 1e-3, 0.1]), st.sampled_from([0.0, 0.3, 0.8]))
def test_the_rate_is_that_of_letters_that_no_two_rows_share(seed, noise, share):
    rng, p, loss, label = drawn(seed, noise)
    least = p @ loss.min(axis=1)
    bound = float(least + share * ((p @ loss).min() - least))
    problem = rdc.Problem.from_arrays(p, loss, label, D=bound, C=float(p @ entropies(label)))
    result = rdc.solve(problem)
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL), str(result)
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid
    known = group_by_group(p, loss, label, bound)
    assert result.rate_upper == pytest.approx(known.rate_upper, abs=1e-8)
    assert result.gap <= (1e-6 if noise else 1e-8)  # multipliers that stand for the mask cost digits


@pytest.mark.xfail(
    reason="multipliers in the thousands: of some such problems (6 of 78) the check confirms no useful bound"
)
@given(SEEDS, st.sampled_from([0.0, 1e-8, 0.05]))
def test_two_losses_at_a_joint_minimum_beside_a_label(seed, noise):
    rng, p, first, label = drawn(seed, noise)
    second, n = rng.random(first.shape), p.size
    best = (first + (0.1 + rng.random()) * second).argmin(axis=1)
    joint = np.eye(first.shape[1])[best].T * p @ label
    joint = joint[joint.sum(axis=1) > 0]
    left = float(joint.sum(axis=1) @ entropies(joint / joint.sum(axis=1, keepdims=True)))
    least = float(p @ entropies(label))
    problem = rdc.Problem.from_arrays(p, first, label, C=math.inf, losses={"second": second})
    at = np.arange(n)
    problem = problem.with_limits(distortion=p @ first[at, best], second=p @ second[at, best])
    for bound in (left * 1.01 + 1e-9, 0.5 * (least + left) + 1e-9):  # met by the places alone, and only by more letters
        result = rdc.solve(problem.with_limits(C=bound))
        assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL), str(result)
        assert result.verify(problem.with_limits(C=bound)).valid
        assert result.label_entropy <= bound


def test_decisions_in_use_are_put_to_the_rows_they_come_from():
    label = np.array([[1 - 1e-11, 1e-11], [1e-11, 1 - 1e-11], [1 - 1e-11, 1e-11]])
    problem = rdc.Problem.from_arrays([0.5, 0.3, 0.2], 1 - np.eye(3), label, D=0.1, C=float(entropies(label)[0]))
    space = space_of(problem)
    exact = LeastEntropies(space)
    assert exact.indices == [1]
    assert len(exact.exact) == 6  # two rows at three places
    letters = space.marginal(np.array([0, 1]))
    blurred = type(letters)(letters.places, (np.array([[1 - 1.1e-11, 1.1e-11], [0.4, 0.6]]),))
    settled = exact.settled(blurred).decisions[0]
    assert settled.tolist() == [label[0].tolist(), label[1].tolist()]
    assert LeastEntropies(space_of(problem.with_limits(C=0.1))).indices == []
