"""Bounds that are proved where the largest price was only searched for, and no time is given to cells of shares."""

import itertools
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve import Proof, deadline
from rdcsolve.information import entropy
from rdcsolve.problems.storage import arrays_of
from rdcsolve.solvers.exchange import floor

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "reference"))


def noisy(rng, n, n_s):
    return rng.dirichlet(np.full(n_s, 0.3), n)


def problem_of(seed, n_labels=1, letters=1, classes=6, n=12):
    """A source with noisy labels, whose reproduction symbols cost nothing, or something random."""
    rng = np.random.default_rng(seed)
    table = np.zeros((n, 1)) if letters == 1 else rng.random((n, letters))
    source = rdc.Source(None, rng.dirichlet(np.ones(n)), labels=[noisy(rng, n, classes) for _ in range(n_labels)])
    limits = [rdc.LabelEntropyLimit(math.inf, k) for k in range(n_labels)]
    return rdc.Problem(source, distortion=table, limits=limits)


def between(problem, share, k=0):
    """A limit on a label's entropy, between H(S | X) and H(S)."""
    label = problem.label_entropies[k].conditional
    least = float(problem.p_x @ [entropy(row) for row in label])
    return least + share * (entropy(problem.p_x @ label) - least)


def two_lines(problem):
    """I + lambda H(S | A) >= H(S) + (lambda - 1) H(S | X), and I >= H(S) - C, for the first label."""
    label, p = problem.label_entropies[0].conditional, problem.p_x
    known = float(p @ [entropy(row) for row in label])
    if problem.multipliers is not None:
        multiplier = problem.multipliers[len(problem.linear_losses)]
        return entropy(p @ label) + (multiplier - 1) * known
    if problem.minimise == "rate":
        return entropy(p @ label) - problem.bounds[len(problem.linear_losses)]
    return max(entropy(p @ label) - problem.rate_bound, known)


def confirmed(result, problem):
    """The proved bound, as the check confirms it in both arithmetics, and the standalone checker."""
    for arithmetic in ("float", "ball"):
        check = result.verify(problem, arithmetic)
        assert check.valid, check
        assert check.proved
        assert check.lower >= result.proved_lower
    return result.proved_lower


CASES = {
    "lagrangian": lambda problem: problem.at_multipliers(label_entropy=2.5),
    "rate": lambda problem: problem.with_limits(label_entropy=between(problem, 0.4)),
    "label": lambda problem: problem.minimising("label_entropy", rate=0.3),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bound_is_proved_whatever_the_number_of_classes(case, tmp_path):
    pytest.importorskip("flint")
    import check_certificate as checker

    problem = CASES[case](problem_of(0))
    result = rdc.solve(problem, tolerance=1e-6, proof_budget=0)
    assert result.proof is Proof.UNVERIFIED
    assert two_lines(problem) - 1e-9 <= confirmed(result, problem) < result.objective_lower
    result.in_bits().save(tmp_path / "result.npz")
    np.savez(tmp_path / "problem.npz", **arrays_of(problem))
    report = checker.check(tmp_path / "result.npz", tmp_path / "problem.npz")
    assert report.valid, report
    assert report.lower >= result.proved_lower
    again = rdc.load(tmp_path / "result.npz")
    assert again.proved_lower * math.log(2) == pytest.approx(result.proved_lower, rel=1e-14)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10**6), n_labels=st.integers(1, 2), letters=st.integers(1, 3), case=st.sampled_from(list(CASES))
)
def test_what_is_proved_is_below_what_is_attained(seed, n_labels, letters, case):
    pytest.importorskip("flint")
    problem = CASES[case](problem_of(seed, n_labels, letters, n=8))
    result = rdc.solve(problem, tolerance=1e-5, proof_budget=0)
    if result.proof is Proof.UNVERIFIED:
        assert two_lines(problem) - 1e-9 <= confirmed(result, problem) <= result.objective_upper


def test_with_another_loss_the_bound_is_better_than_either_alone():
    problem = problem_of(3, letters=4)
    problem = problem.with_limits(distortion=0.35, label_entropy=between(problem, 0.7))
    result = rdc.solve(problem, tolerance=1e-6, proof_budget=0)
    assert result.proof is Proof.UNVERIFIED
    alone = rdc.solve(problem.with_limits(label_entropy=None)).rate_lower
    assert confirmed(result, problem) > max(alone, two_lines(problem)) + 1e-3
    assert result.multipliers["label_entropy"] > 1


def test_labels_get_multipliers_where_they_are_worth_most():
    """Two labels that the symbol tells alike: the one with the larger H(S) - C decides the bound."""
    problem = problem_of(5, n_labels=2)
    priors = [entropy(problem.p_x @ label.conditional) for label in problem.label_entropies]
    problem = problem.with_limits(label_entropy=priors[0] - 0.1, label_entropy_1=priors[1] - 0.35)
    result = rdc.solve(problem, tolerance=1e-5, proof_budget=0)
    assert result.proof is Proof.UNVERIFIED
    assert confirmed(result, problem) == pytest.approx(0.35, abs=1e-9)


def test_without_time_there_still_is_a_bound(monkeypatch):
    ticks = itertools.count()  # a clock of its own: what is left beyond the limit is little, however busy the machine
    monkeypatch.setattr(deadline, "clock", lambda: 1e-6 * next(ticks))
    problem = problem_of(3, letters=4)
    problem = problem.with_limits(distortion=0.35, label_entropy=between(problem, 0.7))
    result = rdc.solve(problem, tolerance=1e-9, time_limit=1e-9)
    assert result.proof is Proof.UNVERIFIED
    assert confirmed(result, problem) >= two_lines(problem) - 1e-9


@pytest.mark.parametrize("stop", [deadline.TimeIsUp, KeyboardInterrupt])
def test_what_is_proved_when_the_end_comes_stays_proved(stop, monkeypatch):
    problem = problem_of(0, letters=5)
    table = problem.linear_losses[0].block()
    least, most = problem.p_x @ table.min(axis=1), (problem.p_x @ table).min()
    problem = problem.with_limits(distortion=least + 0.4 * (most - least), label_entropy=between(problem, 0.7))

    def ended(*arguments):
        raise stop

    monkeypatch.setattr(floor, "_solved", ended)  # the last thing tried
    result = rdc.solve(problem, proof_budget=0)
    label = problem.label_entropies[0].conditional
    checked = result.certificate.verify(problem)
    assert checked.valid
    assert checked.lower >= entropy(problem.p_x @ label) - problem.bounds[-1] - 1e-9


def test_flat_prices_are_bounded_to_rounding():
    """Classes that hardly overlap: the price is flat, and a tangent near its edge would cost 1e-5."""
    rng = np.random.default_rng(0)
    points = np.c_[rng.uniform(20, 90, 60), rng.normal(0, 40, (60, 2))]
    label = np.exp(-((points[:, None] - points) ** 2).sum(axis=2) / 128)
    label /= label.sum(axis=1, keepdims=True)
    problem = rdc.Problem.from_arrays(np.full(60, 1 / 60), np.zeros((60, 1)), label, C=math.inf)
    problem = problem.at_multipliers(label_entropy=1.1)
    result = rdc.solve(problem, tolerance=1e-4, proof_budget=0)
    assert result.proved_lower >= two_lines(problem) - 1e-11
