"""Limits on fixed letters that no map from symbols to letters keeps, weighted: no channel does, and the check knows."""

import importlib.util
import itertools
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.certificates import maps
from rdcsolve.certificates.maps import no_map_meets
from rdcsolve.information import conditional_entropy
from rdcsolve.problems.storage import arrays_of
from rdcsolve.results import Proof, Status
from rdcsolve.solvers.stationary.map_weights import map_refutation

CHECKER = Path(__file__).parents[2] / "docs" / "reference" / "check_certificate.py"


def checker():
    specification = importlib.util.spec_from_file_location("check_certificate", CHECKER)
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module  # dataclasses look there
    specification.loader.exec_module(module)
    return module


def stated(seed, *, n=4, n_letters=3, n_classes=3):
    """Masses, a loss with some pairs forbidden, and a label."""
    rng = np.random.default_rng(seed)
    loss = rng.random((n, n_letters))
    loss[rng.random(loss.shape) < 0.15] = np.inf
    loss[np.arange(n), rng.integers(n_letters, size=n)] = 0.3
    return rng.dirichlet(np.ones(n)), loss, rng.dirichlet(np.full(n_classes, 0.4), n)


def problem_of(p, loss, label, D, C):
    return rdc.Problem.from_arrays(p, loss, label, D=D, C=C, letters="fixed")


def means_of_maps(p, loss, label):
    """E L and H(S | A) of every map, in which forbidden pairs have infinite means."""
    found = []
    for letters in itertools.product(range(loss.shape[1]), repeat=p.size):
        channel = np.eye(loss.shape[1])[list(letters)]
        found.append((p @ loss[np.arange(p.size), list(letters)], conditional_entropy(p, label, channel)))
    return np.array(found)


class Weights:
    def __init__(self, *multipliers):
        self.multipliers = np.array(multipliers, dtype=float)


@pytest.mark.parametrize("arithmetic", ["float", "ball"])
@pytest.mark.parametrize("seed", range(8))
def test_what_is_proved_is_the_least_over_all_maps(seed, arithmetic):
    if arithmetic == "ball":
        pytest.importorskip("flint")
    p, loss, label = stated(seed)
    weights = np.random.default_rng(seed).dirichlet(np.ones(2))
    least = float((means_of_maps(p, loss, label) @ weights).min())
    for share, is_refuted in ((1 - 1e-9, True), (1 + 1e-9, False)):
        asked = least * share
        D = 0.9 * asked / weights[0]
        C = (asked - weights[0] * D) / weights[1]
        problem = problem_of(p, loss, label, D, C)
        assert no_map_meets(Weights(*weights), problem, arithmetic) is is_refuted


@given(st.integers(0, 10**6), st.floats(0, 1), st.integers(1, 4), st.sampled_from([0.05, 1.0]))
def test_limits_that_a_channel_meets_are_never_refuted(seed, weight, n_letters, spread):
    p, loss, label = stated(seed, n_letters=n_letters)
    rng = np.random.default_rng(seed + 1)
    channel = rng.dirichlet(np.full(n_letters, spread), p.size) * np.isfinite(loss) + 1e-300 * np.isfinite(loss)
    channel /= channel.sum(axis=1, keepdims=True)
    D = float(p @ (channel * np.where(np.isfinite(loss), loss, 0.0)).sum(axis=1))
    problem = problem_of(p, loss, label, D, conditional_entropy(p, label, channel))
    assert not no_map_meets(Weights(weight, 1 - weight), problem)
    assert map_refutation(problem) is None


@pytest.mark.parametrize("seed", range(6))
def test_infeasible_limits_are_refuted_by_library_and_checker(seed, tmp_path):
    """A convex mixture of what maps attain, scaled down a little: beyond all maps, though each limit alone is not."""
    p, loss, label = stated(seed)
    means = means_of_maps(p, loss, label)
    means = means[np.isfinite(means).all(axis=1)]
    weights = np.array([0.6, 0.4])
    best = means[(means @ weights).argmin()] - 5e-3
    problem = problem_of(p, loss, label, *best)
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.proof is Proof.CERTIFIED
    assert all(result.verify(problem, arithmetic).valid for arithmetic in ("float", "ball"))
    result.save(tmp_path / "result.npz")
    np.savez(tmp_path / "problem.npz", **arrays_of(problem))
    assert checker().check(tmp_path / "result.npz", tmp_path / "problem.npz").valid
    if result.certificate.u.any():
        return
    wrong = replace(result.certificate, multipliers=result.certificate.multipliers * [1.0, 0.0])
    refused = replace(result, certificate=wrong)
    assert not refused.verify(problem).valid
    refused.save(tmp_path / "result.npz")
    assert not checker().check(tmp_path / "result.npz", tmp_path / "problem.npz").valid


def test_one_letter_tells_nothing_of_a_label():
    label = [[1.0, 0.0], [0.0, 1.0]]
    problem = rdc.Problem.from_arrays([0.3, 0.7], [[0.0], [0.0]], label, D=1.0, C=0.5, letters="fixed")
    result = rdc.solve(problem.minimising("distortion", rate=2.0))
    assert (result.status, result.proof) == (Status.INFEASIBLE, Proof.CERTIFIED)


@pytest.mark.parametrize("weights", [(-0.1, 1.0), (0.0, 0.0), (np.nan, 1.0), (np.inf, 1.0)])
def test_what_are_no_weights_proves_nothing(weights):
    problem = problem_of(*stated(0), D=0.0, C=0.0)
    assert not no_map_meets(Weights(*weights), problem)


def test_weights_of_what_is_minimised_or_not_limited_prove_nothing():
    problem, (p, loss, label) = problem_of(*stated(0), D=0.0, C=0.0), stated(0)
    split = rdc.Problem.from_arrays(p, loss, label, D=0.0, C=0.0)
    assert no_map_meets(Weights(1.0, 1.0), problem)
    assert not no_map_meets(Weights(1.0, 1.0), problem.with_limits(D=None))
    assert not no_map_meets(Weights(1.0, 1.0), problem.minimising("distortion", rate=1.0))
    assert not no_map_meets(Weights(1.0, 1.0), split)


def test_letters_that_cost_the_same_are_tried_once(monkeypatch):
    """Up to six maps into three equal letters are one: three partial maps are left at a time, not more than ten."""
    rng = np.random.default_rng(0)
    p, loss, label = np.full(8, 1 / 8), np.ones((8, 3)), rng.dirichlet(np.ones(3), 8)
    problem = problem_of(p, loss, label, D=2.0, C=0.99 * means_of_maps(p, loss, label)[:, 1].min())
    monkeypatch.setattr(maps, "_MOST", 5)
    assert no_map_meets(Weights(0.0, 1.0), problem)
    monkeypatch.setattr(maps, "_MOST", 1)
    assert not no_map_meets(Weights(0.0, 1.0), problem)


def test_few_letters_have_little_rate_whatever_the_limit_on_it():
    """H(S) - C beyond log 2 refutes two letters, at a limit on the rate of two nats too: here maps are many."""
    rng = np.random.default_rng(0)
    label = np.eye(5)[rng.integers(5, size=40)]
    loss = rng.random((40, 2))
    problem = problem_of(np.full(40, 1 / 40), loss, label, D=1.0, C=0.5).minimising("distortion", rate=2.0)
    result = rdc.solve(problem)
    assert (result.status, result.proof) == (Status.INFEASIBLE, Proof.CERTIFIED)
    assert "no channel has more than 0.6931" in result.message
    assert result.verify(problem, "ball").valid


def test_limits_at_which_symbols_of_next_to_no_mass_decide_are_refuted():
    """The loss leaves the rare symbol no letter of its own, without which the label is 1e-7 nat too unknown."""
    p = np.array([1.8e-17, 1.5e-29, 2.4e-8, 1.0, 4.8e-24])
    far = np.array([[2.6, 2.8], [5.9, 1.6], [2.6, 2.8], [0.08, 0.32], [2.6, 2.8]])
    miss = np.array([[2.0, 3.0], [1.0, 2.0], [0.0, 3.0], [0.0, 2.0], [1.0, 3.0]])
    label = np.random.default_rng(0).dirichlet(np.ones(7), 5)
    p = p / p.sum()
    bound = conditional_entropy(p, label, np.eye(5)) + 1e-11
    problem = rdc.Problem.from_arrays(p, far, label, losses={"miss": miss}, C=bound, letters="fixed")
    limits = {name: float(p @ loss.min(axis=1)) * (1 + 1e-15) for name, loss in (("distortion", far), ("miss", miss))}
    result = rdc.solve(problem.with_limits(**limits))
    assert (result.status, result.proof) == (Status.INFEASIBLE, Proof.CERTIFIED)
