"""One encoder whose decoders have limits on the law of what they show: penalties known otherwise, and the check."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.information import mutual_information
from rdcsolve.perception import distance
from rdcsolve.problems.perception import MEASURES
from rdcsolve.results import Proof, Status
from rdcsolve.universal.encoder import channel_of
from rdcsolve.universal.laws import laws_shown

INF = math.inf
POINTS = np.arange(-2.0, 3.0)
SYMMETRIC, SLOPED = (0.15, 0.25, 0.3, 0.2, 0.1), (0.4, 0.3, 0.15, 0.1, 0.05)
LABEL = np.array([[1 - s, s] for s in (0.1, 0.3, 0.6, 0.2, 0.9)])


def coin(p=0.3):
    return rdc.Problem.from_arrays([1 - p, p], [[0, 1], [1, 0]], D=INF, P=INF, perception="tv")


def five(masses=SYMMETRIC, measure="w2", labels=()):
    limits = [rdc.DistortionLimit(INF), rdc.PerceptionLimit(INF, measure, kernel=1.0 if measure == "mmd" else None)]
    limits += [rdc.LabelEntropyLimit(INF)] * len(labels)
    return rdc.Problem(rdc.Source(POINTS, masses, labels=list(labels)), limits=limits)


def served(problem, targets, tolerance=1e-9, **options):
    """Solve, and ask for all that is promised of an optimal answer."""
    found = rdc.universal_rate(problem, targets, tolerance=tolerance, **options)
    assert found.status is Status.OPTIMAL, found
    assert found.proof is found.penalty_proof is Proof.CERTIFIED
    assert found.gap <= tolerance
    seen = found.verify(problem)
    assert seen.valid, seen
    for target, decoder in zip(found.targets, found.decoders, strict=True):
        for perception in problem.perceptions:
            if perception.name in target:
                law = perception.law(decoder.letters, found.q)
                assert distance(perception, law) <= target[perception.name] + 1e-12
                assert decoder.perceptions[perception.name] <= target[perception.name]
    return found


# Computed once by a conic solver, with a certificate that was evaluated apart from it.
KNOWN = [
    (coin, [(0.1, INF), (0.10475203, 0)], 0.28578133, 0.29343114, 0.007650),
    (coin, [(0.2, INF), (0.21894662, 0)], 0.11046188, 0.12361600, 0.013154),
    (coin, [(0.2, INF), (0.20814132, 0.05)], 0.11046188, 0.11736327, 0.006901),
    (five, [(0.9, INF), (1.1270687, 0)], 0.22299589, 0.23247422, 0.009478),
    (lambda: five(SLOPED), [(0.4, INF), (0.42773921, 0)], 0.52609795, 0.54182300, 0.015725),
    (lambda: five(SLOPED), [(0.4, INF), (0.41248867, 0.05)], 0.52609795, 0.53556163, 0.009464),
]


@pytest.mark.parametrize(("problem", "targets", "alone", "rate", "penalty"), KNOWN)
def test_small_sources_pay_for_realism_and_fidelity_together(problem, targets, alone, rate, penalty):
    found = served(problem(), targets)
    for one in found.results:
        assert one.rate_upper == pytest.approx(alone, abs=2e-8)
    assert found.rate_upper == pytest.approx(rate, abs=1e-8)
    assert 0 < found.penalty_lower <= found.penalty_upper
    assert found.penalty_lower == pytest.approx(penalty, abs=1e-6)


def test_a_target_that_is_much_dearer_pays_for_the_other():
    found = served(coin(), [(0.1, INF), (0.16, 0)])
    assert found.penalty_upper <= 1e-9


def test_bounds_in_ball_arithmetic():
    pytest.importorskip("flint")
    problem = five(SLOPED)
    found = served(problem, [(0.4, INF), (0.41248867, 0.05)])
    seen = found.verify(problem, "ball")
    assert seen.valid, seen
    assert seen.lower >= found.rate_lower - 1e-11


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_is_served(measure):
    if measure == "transport":
        cost = np.abs(POINTS[:, None] - POINTS) ** 1.5
        limits = [rdc.DistortionLimit(INF), rdc.PerceptionLimit(INF, measure, cost)]
        problem = rdc.Problem(rdc.Source(POINTS, SYMMETRIC), limits=limits)
    else:
        problem = five(measure=measure)
    bound = 0.0 if measure == "exact" else 0.004
    found = served(problem, [(0.5, INF), (0.52, bound)], 1e-7)
    assert found.law == "tuples"
    assert found.penalty_lower > 1e-3


def test_labels_beside_laws():
    """The label is told by the message, whatever the decoders show."""
    problem = five(labels=[LABEL])
    targets = [(0.8, INF, INF), (INF, 0.65, INF), (1.1, INF, 0.05)]
    found = served(problem, targets, 1e-5)
    assert found.targets == ({"distortion": 0.8}, {"label_entropy": 0.65}, {"distortion": 1.1, "perception": 0.05})
    alone = served(problem, [{"D": 0.8, "C": 0.65, "P": 0.05}], 1e-5)
    assert found.rate_lower <= alone.rate_upper


@pytest.mark.parametrize("seed", range(3))
def test_rates_count_what_makes_laws_of_classes_exact(seed):
    """A channel in floats misses such laws by roundings; a decoder that has to show them takes a little rate."""
    rng = np.random.default_rng(seed)
    source = rdc.Source(np.arange(6.0), rng.dirichlet(np.full(6, 3.0)), labels=[np.eye(2)[[0, 0, 0, 1, 1, 1]]])
    limits = [rdc.DistortionLimit(INF), rdc.PerceptionLimit(0.0, "w2", given=0)]
    problem = rdc.Problem(source, limits=limits)
    found = rdc.universal_rate(problem, [{"D": 1.0}, {"D": 1.5}], tolerance=1e-6)
    assert found.proof is Proof.CERTIFIED
    channel = channel_of(found, 6)
    rises = [laws_shown(problem, decoder, channel).rise for decoder in found.decoders]
    assert max(rises) > 1e-14
    sent = mutual_information(source.p_x, channel)
    seen = found.verify(problem)
    assert seen.valid, seen
    assert seen.upper >= sent + math.fsum(rises)
    assert found.rate_upper >= sent + math.fsum(rises)


def gaussian_penalty(n, half_width, rate=0.6):
    """The penalty of the best reproduction and of the best one with perfect realism, at equal rates."""
    x = np.linspace(-half_width, half_width, n)
    limits = [rdc.DistortionLimit(INF), rdc.PerceptionLimit(INF, "w2")]
    problem = rdc.Problem(rdc.Source(x, np.exp(-(x**2) / 2), normalise=True), limits=limits)
    best = rdc.solve(problem.minimising("distortion", rate=rate)).objective_upper
    real = rdc.solve(problem.with_limits(P=0).minimising("distortion", rate=rate)).objective_upper
    return served(problem, [(best, INF), (real, 0)], 1e-5)


def test_the_penalty_of_a_gaussian_goes_to_zero_with_the_grid():
    penalties = [gaussian_penalty(n, h) for n, h in ((15, 3.0), (25, 3.5), (41, 4.0))]
    for coarse, fine in zip(penalties, penalties[1:], strict=False):
        assert fine.penalty_upper < 0.5 * coarse.penalty_lower


# ------------------------------------------------------------------------------------- what any such rate obeys


@st.composite
def questions(draw):
    """A small problem, and two targets that channels at hand meet."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n = draw(st.integers(2, 4))
    p = rng.dirichlet(np.ones(n))
    measure = draw(st.sampled_from(["w2", "tv", "kl", "hellinger", "exact"]))
    points = np.sort(rng.normal(size=n))
    limits = [rdc.DistortionLimit(INF), rdc.PerceptionLimit(INF, measure)]
    problem = rdc.Problem(rdc.Source(points, p), limits=limits)
    least = rdc.solve(problem.with_limits(D=0.4 * float(p @ (points - p @ points) ** 2)))
    away = 0.0 if measure == "exact" else draw(st.sampled_from([0.0, 0.3, 0.7])) * least.perceptions["perception"]
    D = least.losses["distortion"]
    return problem, [(D, INF), (1.1 * D, away)]


@given(questions())
def test_penalties_are_between_zero_and_the_cheaper_rate(question):
    problem, targets = question
    found = served(problem, targets, 1e-6)
    assert found.rate_upper >= max(one.rate_lower for one in found.results)
    assert found.rate_lower <= sum(one.rate_upper for one in found.results)
    both = served(problem, [(targets[0][0], targets[1][1])], 1e-6)  # one decoder that is as good at both
    assert found.rate_lower <= both.rate_upper
    assert served(problem, targets[::-1], 1e-6).rate_upper == pytest.approx(found.rate_upper, abs=2e-6)


def test_the_conic_solver_agrees():
    cp = pytest.importorskip("cvxpy")
    rng = np.random.default_rng(3)
    for _ in range(3):
        p, d, D, P = rng.dirichlet(np.ones(3) * 2), rng.random((3, 3)), (0.2, 0.25), 0.03
        d[np.diag_indices(3)] = 0
        limits = [rdc.PerceptionLimit(INF, "transport", d)]
        problem = rdc.Problem(rdc.Source(None, p), distortion=d, limits=limits)
        found = served(problem, [(D[0], INF), (D[1], P)], 1e-7)
        first, second = np.divmod(np.arange(9), 3)
        W, plan = cp.Variable((3, 9), nonneg=True), cp.Variable((3, 3), nonneg=True)
        joint, q = cp.multiply(p[:, None], W), cp.Variable(9)
        rules = [cp.sum(W, axis=1) == 1, q == p @ W, cp.sum(plan, axis=1) == p]
        rules += [cp.sum(plan, axis=0) == q @ np.eye(3)[second], cp.sum(cp.multiply(plan, d)) <= P]
        rules += [cp.sum(cp.multiply(joint, d[:, a])) <= D_a for a, D_a in ((first, D[0]), (second, D[1]))]
        rate = cp.sum(cp.rel_entr(joint, p[:, None] @ cp.reshape(q, (1, 9), order="C")))
        value = cp.Problem(cp.Minimize(rate), rules).solve(solver=cp.CLARABEL)
        assert found.rate_upper == pytest.approx(value, abs=2e-6)


def test_a_target_that_implies_the_others_is_all_there_is():
    problem = five()
    found = served(problem, [(0.9, INF), (0.5, 0.02), (0.6, 0.1)])
    assert found.law == "corner"
    assert found.result is found.results[1]
    assert found.penalty_lower == found.penalty_upper == 0.0
    tuples = served(problem, [(0.9, INF), (0.5, 0.02), (0.6, 0.1)], method="tuples")
    assert tuples.rate_upper == pytest.approx(found.rate_upper, abs=2e-9)
    with pytest.raises(rdc.InvalidInput, match="the corner law does not hold"):
        rdc.universal_rate(problem, [(0.9, 0.01), (0.5, INF)], method="corner")


def test_fixed_letters_need_no_more_where_no_label_counts():
    split = five()
    limits = [rdc.DistortionLimit(INF), rdc.PerceptionLimit(INF, "w2"), rdc.LabelEntropyLimit(INF)]
    fixed = rdc.Problem(rdc.Source(POINTS, SYMMETRIC, labels=[LABEL]), limits=limits, letters="fixed")
    targets = [{"D": 0.5}, {"D": 0.52, "P": 0.01}]
    assert served(fixed, targets, 1e-7).rate_upper == pytest.approx(served(split, targets, 1e-7).rate_upper, abs=2e-7)
    with pytest.raises(rdc.InvalidInput, match="fixed letters with label entropies beside limits on the law"):
        rdc.universal_rate(fixed, [{"C": 0.6}, {"D": 0.5, "P": 0.01}])


# ------------------------------------------------------------------------------------- the check, files, input


def test_what_decoders_show_is_held_against_their_limits():
    problem = five(SLOPED)
    found = served(problem, [(0.4, INF), (0.41248867, 0.05)], 1e-7)
    first, second = found.decoders
    swapped = replace(found, decoders=(second, first)).verify(problem)
    assert not swapped.valid
    assert any("decoder 1 exceeds the limit 0.05 on perception" in message for message in swapped.messages)
    assert math.isinf(swapped.upper)
    better = replace(second, perceptions={"perception": 0.04})
    told = replace(found, decoders=(first, better)).verify(problem)
    assert not told.valid
    assert any("decoder 1 is said to be within" in message for message in told.messages)


def test_files_and_bits(tmp_path):
    problem = five(SLOPED)
    found = served(problem, [(0.4, INF), (0.41248867, 0.05)], 1e-7)
    found.save(tmp_path / "universal.npz")
    again = rdc.load(tmp_path / "universal.npz")
    assert [one.perceptions for one in again.decoders] == [one.perceptions for one in found.decoders]
    assert again.verify(problem).valid
    bits = found.in_bits()
    assert bits.rate_upper == pytest.approx(found.rate_upper / math.log(2))
    assert bits.targets == found.targets  # a squared distance is no information
    assert bits.verify(problem).valid


def test_targets_without_names():
    problem = five(labels=[LABEL])
    with pytest.raises(rdc.InvalidInput, match=r"give a triple \(D, C, P\), or a mapping"):
        rdc.universal_rate(problem, [(0.5, 0.6)])
    with pytest.raises(rdc.InvalidInput, match=r"give a pair \(D, P\), or a mapping"):
        rdc.universal_rate(five(), [(0.5, 0.6, 0.1)])
    targets = [(0.5, 0.3), (0.6, 0.2), (0.7, 0.1), (0.8, 0.0)]
    with pytest.raises(rdc.InvalidInput, match="make 625 tuples, beyond max_tuples=600 where label entropies or"):
        rdc.universal_rate(five(), targets, max_tuples=600)


def test_the_command_takes_targets_of_perception(tmp_path, monkeypatch):
    pytest.importorskip("rich")
    from typer.testing import CliRunner

    from rdcsolve.cli import app

    monkeypatch.chdir(tmp_path)
    np.savez("coin.npz", p_x=[0.7, 0.3], distortion=[[0, 1], [1, 0]])
    targets = ["--target", "D=0.1", "--target", "D=0.10475203,P=0"]
    done = CliRunner().invoke(app, ["universal", "coin.npz", "--perception", "tv", *targets])
    assert done.exit_code == 0, done.output
    penalty = next(row for row in done.stdout.splitlines() if "rate penalty" in row)
    assert float(penalty.split("|")[2]) == pytest.approx(0.00765, abs=1e-5)
