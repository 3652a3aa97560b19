"""Labels of many noisy classes: what is proved in the time that a proof is given, and that it is confirmed."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve import Proof, Status, deadline
from rdcsolve.problems.storage import arrays_of
from rdcsolve.solvers.exchange import floor


def noisy(seed, classes, n=16, letters=1, n_labels=1):
    rng = np.random.default_rng(seed)
    labels = [rng.dirichlet(np.full(classes, 0.3), n) for _ in range(n_labels)]
    table = np.zeros((n, 1)) if letters == 1 else rng.random((n, letters))
    source = rdc.Source(None, rng.dirichlet(np.ones(n)), labels=labels)
    limits = [rdc.LabelEntropyLimit(math.inf, k) for k in range(n_labels)]
    return rdc.Problem(source, distortion=table, limits=limits)


def confirmed(result, problem, folder):
    """The check confirms a result in both arithmetics, and the checker in one file does."""
    import sys
    from pathlib import Path

    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "docs" / "reference"))
    import check_certificate as checker

    for arithmetic in ("float", "ball"):
        check = result.verify(problem, arithmetic)
        assert check.valid, check
        assert check.proved
        assert check.lower >= result.proved_lower
    result.save(folder / "result.npz")
    np.savez(folder / "problem.npz", **arrays_of(problem))
    report = checker.check(folder / "result.npz", folder / "problem.npz")
    assert report.valid, report
    assert report.lower >= result.proved_lower


@pytest.mark.parametrize(("classes", "n_labels"), [(5, 1), (6, 1), (7, 1), (8, 1), (3, 2)])
def test_many_noisy_classes_are_certified(classes, n_labels, tmp_path):
    pytest.importorskip("flint")
    problem = noisy(classes, classes, n=10, n_labels=n_labels)
    names = [f"label_entropy{'' if k == 0 else f'_{k}'}" for k in range(n_labels)]
    problem = problem.at_multipliers(**dict.fromkeys(names, 2.0))
    result = rdc.solve(problem, tolerance=1e-6)
    assert result.status is Status.OPTIMAL
    assert result.proof is Proof.CERTIFIED
    assert result.proved_lower == result.objective_lower >= result.objective_upper - 1e-6
    assert result.certificate.proof.parts[0].shares is not None
    confirmed(result, problem, tmp_path)


CASES = {
    "lagrangian": lambda problem, low, high: problem.at_multipliers(label_entropy=2.5, distortion=1.0),
    "rate": lambda problem, low, high: problem.with_limits(label_entropy=low + 0.4 * (high - low), distortion=0.5),
    "label": lambda problem, low, high: problem.minimising("label_entropy", rate=0.3),
    "fixed": lambda problem, low, high: problem.with_limits(label_entropy=low + 0.7 * (high - low)),
}


@pytest.mark.parametrize("case", CASES)
def test_every_objective_is_proved(case, tmp_path):
    pytest.importorskip("flint")
    problem = noisy(1, 6, n=12, letters=3)
    if case == "fixed":
        label = problem.label_entropies[0].conditional
        matrix = problem.linear_losses[0].matrix
        problem = rdc.Problem.from_arrays(problem.p_x, matrix, label, C=math.inf, letters="fixed")
    low, high = (
        rdc.information.conditional_entropy(problem.p_x, problem.label_entropies[0].conditional, channel)
        for channel in (np.eye(problem.n_x), np.ones((problem.n_x, 1)))
    )
    problem = CASES[case](problem, low, high)
    result = rdc.solve(problem, tolerance=1e-6)
    assert result.proof is Proof.CERTIFIED
    assert result.certificate.proof.parts[0].shares is not None
    confirmed(result, problem, tmp_path)


def test_no_budget_leaves_what_takes_no_search():
    problem = noisy(2, 6).at_multipliers(label_entropy=2.5)
    without = rdc.solve(problem, tolerance=1e-6, proof_budget=0)
    assert without.proof is Proof.UNVERIFIED
    assert without.certificate.proof.parts[0].shares is None
    proved = rdc.solve(problem, tolerance=1e-6)
    assert without.proved_lower < proved.proved_lower <= without.objective_upper
    assert proved.proved_lower >= without.objective_lower - 1e-6


def test_a_proof_that_ends_too_early_is_a_proof_all_the_same(tmp_path):
    """Ten classes at a multiplier of three take minutes: a third of a second leaves a gap, but a smaller one."""
    pytest.importorskip("flint")
    problem = noisy(3, 10, n=40).at_multipliers(label_entropy=3.0)
    short = rdc.solve(problem, tolerance=1e-6, proof_budget=0.3)
    assert short.proof is Proof.UNVERIFIED
    assert short.certificate.proof.parts[0].shares is not None
    without = rdc.solve(problem, tolerance=1e-6, proof_budget=0)
    assert without.proved_lower + 0.05 < short.proved_lower < short.objective_lower
    assert "proved: at least" in str(short)
    confirmed(short, problem, tmp_path)


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_ridges_are_bounded_closer_and_closer(rate):
    """A pair of Gaussians on a grid: as multipliers of many joins moved together, bounds stood still at 0.24 nats."""
    source = rdc.sources.gaussian_pair(0.7, n_x=31, n_s=11)
    limit = float(rdc.theory.gaussian.critical_label_entropy(rate, 0.7)) - math.log(float(np.ptp(source.points)) / 10)
    problem = rdc.Problem.from_arrays(source.p_x, np.zeros((31, 1)), source.labels[0], C=limit)
    result = rdc.solve(problem, tolerance=1e-6, proof_budget=6.0)
    assert result.objective_upper - 0.01 < result.proved_lower <= result.objective_upper


def test_a_time_limit_holds_for_proofs_too():
    problem = noisy(3, 10, n=60).at_multipliers(label_entropy=4.0)
    began = rdc.deadline.clock()
    result = rdc.solve(problem, tolerance=1e-6, time_limit=3.0, proof_budget=1000)
    assert rdc.deadline.clock() - began < 5.5
    assert result.certificate.verify(problem).proved


def test_numbers_that_are_no_budget():
    problem = noisy(2, 6).at_multipliers(label_entropy=2.5)
    for budget in (-1, math.nan, "10 s"):
        with pytest.raises(rdc.InvalidInput, match="proof_budget is .*; give seconds >= 0, or inf"):
            rdc.solve(problem, proof_budget=budget)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    classes=st.integers(5, 9),
    multiplier=st.floats(1.1, 6.0),
    letters=st.integers(1, 3),
)
def test_what_is_proved_is_below_what_is_attained(seed, classes, multiplier, letters):
    problem = noisy(seed, classes, n=9, letters=letters).at_multipliers(label_entropy=multiplier, distortion=0.7)
    result = rdc.solve(problem, tolerance=1e-5, proof_budget=1.0)
    assert result.proved_lower <= result.objective_upper
    check = result.verify(problem)
    assert check.valid, check
    assert check.lower >= result.proved_lower
    rng = np.random.default_rng(seed)  # and below what any other channel attains
    label, p = problem.label_entropies[0].conditional, problem.p_x
    for _ in range(20):
        channel = rng.dirichlet(np.full(problem.n_letters, 0.3), problem.n_x)
        value = rdc.information.mutual_information(p, channel)
        value += multiplier * rdc.information.conditional_entropy(p, label, channel)
        value += 0.7 * float(p @ (channel * problem.linear_losses[0].matrix).sum(axis=1))
        assert value >= result.proved_lower - 1e-12


@pytest.mark.parametrize("seed", [3, 5, 6])
def test_thin_cells_prove_the_same_in_both_arithmetics(seed):
    """Two rows of many classes have cells thinner than roundings allow quotients of: lines there have other slopes."""
    pytest.importorskip("flint")
    rng = np.random.default_rng(seed)
    label = rng.dirichlet(np.full(int(rng.integers(12, 19)), 0.5), 2)
    problem = rdc.Problem.from_arrays(rng.dirichlet(np.ones(2)), np.zeros((2, 1)), label, C=1.0)
    problem = problem.at_multipliers(label_entropy=float(rng.uniform(3, 20)))
    certificate = rdc.solve(problem, proof_budget=3).certificate
    floats, balls = certificate.verify(problem), certificate.verify(problem, arithmetic="ball")
    assert balls.valid
    assert balls.lower >= floats.lower


@pytest.mark.parametrize("seed", range(3))
def test_multipliers_beyond_the_range_of_exponents(seed):
    """First bounds of cells are above what a float holds; then what is proved is proved otherwise."""
    rng = np.random.default_rng(seed)
    label = rng.dirichlet(np.full(6, 0.5), 8)
    problem = rdc.Problem.from_arrays(rng.dirichlet(np.ones(8)), rng.random((8, 5)) * 3, label, C=1.0)
    problem = problem.at_multipliers(distortion=7e5, label_entropy=3e4)
    result = rdc.solve(problem, proof_budget=1)
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL)
    assert 0 < result.proved_lower <= result.objective_upper
    assert result.verify(problem).valid


def test_a_proof_goes_on_from_a_saved_result(tmp_path):
    pytest.importorskip("flint")
    problem = noisy(0, 8, n=24).at_multipliers(label_entropy=3.0)
    short = rdc.solve(problem, tolerance=1e-6, proof_budget=0.02)
    assert short.proof is Proof.UNVERIFIED
    short.save(tmp_path / "short.npz")
    loaded = rdc.load(tmp_path / "short.npz")

    kept = rdc.solve(problem, tolerance=1e-6, start=loaded, proof_budget=0)  # nothing is lost
    assert kept.proved_lower >= short.proved_lower - 1e-12

    longer = rdc.solve(problem, tolerance=1e-6, start=loaded, proof_budget=0.1)
    before, after = (one.certificate.proof.parts[0].shares for one in (short, longer))
    assert longer.proved_lower > short.proved_lower
    assert after.cuts.size > before.cuts.size
    confirmed(longer, problem, tmp_path)


@pytest.mark.parametrize("changed", ["limit", "multiplier", "objective"])
def test_a_proof_of_another_problem_proves_no_more_than_there_is(changed, tmp_path):
    pytest.importorskip("flint")
    problem = noisy(3, 6, n=20)
    label = problem.label_entropies[0].conditional
    least = rdc.information.conditional_entropy(problem.p_x, label, np.eye(problem.n_x))
    most = rdc.information.entropy(problem.p_x @ label)
    start = rdc.solve(problem.with_limits(label_entropy=0.5 * (least + most)), tolerance=1e-6, proof_budget=0.3)
    other = {
        "limit": problem.with_limits(label_entropy=0.4 * least + 0.6 * most),
        "multiplier": problem.at_multipliers(label_entropy=2.0),
        "objective": problem.minimising("label_entropy", rate=0.3),
    }[changed]
    result = rdc.solve(other, tolerance=1e-6, start=start, proof_budget=0.3)
    assert result.proved_lower <= result.objective_upper
    confirmed(result, other, tmp_path)


def beside_many_symbols(seed, share):
    """A label of six classes limited, and a share of the distortion that this alone brings about, over 40 symbols."""
    rng = np.random.default_rng(seed)
    p, label = rng.dirichlet(np.ones(20)), rng.dirichlet(np.full(6, 0.5), 20)
    loss = (np.sort(rng.normal(size=20))[:, None] - np.linspace(-2, 2, 40)) ** 2
    least, most = -float(p @ (label * np.log(label)).sum(axis=1)), -float(p @ label @ np.log(p @ label))
    problem = rdc.Problem.from_arrays(p, loss, label, C=least + 0.4 * (most - least), D=1e9)
    alone = rdc.solve(problem, tolerance=1e-6, proof_budget=0)
    return problem.with_limits(D=share * alone.losses["distortion"])


@pytest.mark.parametrize(("seed", "share"), [(0, 0.9), (1, 1.0)])
def test_limits_on_the_distortion_are_proved_beside_many_reproduction_symbols(seed, share):
    """Until every symbol's cells have come down the largest bound stands still; and without a multiplier they are one.

    At the whole of the distortion that the label alone brings about the limit binds by a hair.
    """
    within = beside_many_symbols(seed, share)
    result = rdc.solve(within, tolerance=1e-6, proof_budget=4)
    assert result.status is Status.OPTIMAL
    assert result.objective_upper - result.proved_lower <= 5e-3
    check = result.verify(within)
    assert check.valid
    assert check.lower >= result.proved_lower


def test_proofs_with_and_without_idle_multipliers_together_take_a_third_of_the_time_limit(monkeypatch):
    """Each takes all it may, by a clock that stands still but for that."""
    now, calls = [0.0], []

    def bounded(space, settings, u, multipliers, time_for_it, earlier):
        calls.append((now[0], *time_for_it))
        now[0] = time_for_it[1]

    problem = beside_many_symbols(0, 1.0)
    monkeypatch.setattr(deadline, "clock", lambda: now[0])
    monkeypatch.setattr(floor, "_bounded_by_shares", bounded)
    rdc.solve(problem, tolerance=1e-6, time_limit=30, proof_budget=8)
    assert [budget for _, budget, _ in calls] == [4, 4]
    (began, _, halfway), (again, _, end) = calls
    assert began < halfway == again < end
    assert end - began <= 10 + 1e-9


def test_compiling_is_not_taken_off_the_budget(monkeypatch):
    """A proof of four seconds, in the middle of which loops are compiled for a hundred."""
    worked, compiled, heard = [0.0], [0.0], []

    def largest(rtol, may_go_on):
        for work, compiling in ((0, 0), (3, 0), (0.5, 100), (0.4, 0), (0.2, 0)):
            worked[0] += work
            compiled[0] += compiling
            heard.append(may_go_on(1.0))
        raise deadline.TimeIsUp

    goal = SimpleNamespace(slope=lambda multipliers: 1.0)
    prices = SimpleNamespace(earlier=None, largest=largest)
    space = SimpleNamespace(problem=SimpleNamespace(goal=goal), price=lambda *_: prices)
    monkeypatch.setattr(floor.time, "thread_time", lambda: worked[0] + compiled[0])
    monkeypatch.setattr(floor.narration, "seconds_compiling", lambda: compiled[0])
    settings = SimpleNamespace(tolerance=1e-6)
    assert floor._bounded_by_shares(space, settings, np.zeros(1), np.zeros(1), (4.0, math.inf), None) is None
    assert heard == [True, True, True, True, False]
