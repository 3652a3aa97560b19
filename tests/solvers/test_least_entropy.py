"""Label entropies limited to H(S | X) exactly, however small it is, and limits on other losses that leave no room."""

import math

import numpy as np
import pytest
from hypothesis import example, given
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


def at_a_joint_minimum(rng, p, losses, labels, share):
    """Limits on losses, (M, n, k), at a minimum of all of them together, and on labels' entropies.

    The entropies are a share of the way between the least ones and those at the places of the minimum, which are met by
    these places alone.
    """
    weights = np.r_[1.0, 0.1 + rng.random(len(losses) - 1)]
    best = np.tensordot(weights, losses, axes=1).argmin(axis=1)
    names = [f"loss_{m}" for m in range(2, len(losses) + 1)]
    problem = rdc.Problem.from_arrays(
        p, losses[0], labels, C=[math.inf] * len(labels), losses=dict(zip(names, losses[1:], strict=True))
    )
    at, limits = np.arange(p.size), {}
    for name, loss in zip(["distortion", *names], losses, strict=True):
        limits[name] = float(p @ loss[at, best])
    for name, label in zip(problem.loss_names[len(losses) :], labels, strict=True):
        joint = np.eye(losses.shape[2])[best].T * p @ label
        joint = joint[joint.sum(axis=1) > 0]
        left = float(joint.sum(axis=1) @ entropies(joint / joint.sum(axis=1, keepdims=True)))
        least = float(p @ entropies(label))
        limits[name] = left * 1.01 + 1e-9 if share == 1 else least + share * (left - least)
    return problem.with_limits(**limits)


@given(
    SEEDS, st.sampled_from([1, 2, 3]), st.sampled_from([0.0, 1e-12, 1e-8, 0.05]), st.sampled_from([0.0, 0.4, 0.5, 1.0])
)
@example(
    123612, 2, 1e-8, 0.5
)  # label multipliers just above one, and just below it; other multipliers in the thousands
@example(7, 2, 0.0, 0.5)  # just below one
@example(16, 2, 0.0, 1.0)  # lists of letters in use alone say nothing of the places that multipliers have to hold
def test_losses_at_a_joint_minimum_beside_a_label(seed, n_losses, noise, share):
    rng, p, first, label = drawn(seed, noise)
    losses = np.array([first, *rng.random((n_losses - 1, *first.shape))])
    problem = at_a_joint_minimum(rng, p, losses, [label], share)
    result = rdc.solve(problem)
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL), str(result)
    assert result.gap <= 1e-6
    assert result.verify(problem).valid
    assert result.label_entropy <= problem.bounds[-1]


@pytest.mark.parametrize("seed", [71, 85, 132, 400, 401])
@pytest.mark.parametrize("noise", [0.0, 1e-12, 1e-3])
def test_two_labels_at_their_least_entropies_beside_a_joint_minimum(seed, noise):
    """Letters need the rows of both labels at once, to the last digit."""
    rng, p, first, label = drawn(seed, noise)
    losses = np.array([first, rng.random(first.shape)])
    other = (1 - 0.2) * np.eye(3)[rng.integers(3, size=p.size)] + 0.2 / 3
    for share in (0.0, 0.5):
        problem = at_a_joint_minimum(rng, p, losses, [label, other], share)
        problem = problem.with_limits(label_entropy_1=float(p @ entropies(other)))
        result = rdc.solve(problem)
        assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL), str(result)
        assert result.verify(problem).valid


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


def test_letters_have_the_rows_that_a_symbol_has_of_all_labels():
    labels = [np.eye(2)[[0, 0, 1, 1]], np.eye(3)[[0, 1, 2, 2]]]
    problem = rdc.Problem.from_arrays([0.1, 0.2, 0.3, 0.4], 1 - np.eye(4), labels, D=0.5, C=[0.0, 0.0])
    exact = LeastEntropies(space_of(problem))
    pairs = {(one.argmax(), two.argmax()) for one, two in zip(*exact.exact.decisions, strict=True)}
    assert pairs == {(0, 0), (0, 1), (1, 2)}
    assert len(exact.exact) == 12  # at four places each
    blurred = type(exact.exact)(np.array([0]), (np.array([[1 - 1e-13, 1e-13]]), np.array([[0.0, 1.0, 0.0]])))
    assert len(exact.listed(blurred)) == 12
