"""The checks fail on planted faults and pass on right answers; the strategies draw what they advertise."""

import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.kernels import DenseKernel, ReferenceKernel
from rdcsolve.letters.split import SplitSpace
from rdcsolve.results import Proof, Status
from rdcsolve.testing.feasibility import _least_excess

FIND = settings(max_examples=2000, database=None, derandomize=True, phases=[Phase.generate])
COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]])
THREE = rdc.Problem.from_arrays(
    [0.5, 0.3, 0.2, 0.0],
    [[0, 1, 4, 1], [1, 0, 1, np.inf], [4, 1, 0, 1], [9, 9, 9, 9]],
    losses={"other": [[0, 2, 1, 1], [1, 0, 1, 1], [1, 2, 0, 1], [0, 0, 0, 0]]},
    limits={"distortion": 0.4, "other": 0.3},
)


@pytest.fixture(scope="module")
def solved():
    """Problems of each kind with their results, which every check has to pass."""
    problems = {
        "targets": THREE,
        "multipliers": THREE.at_multipliers(distortion=2.0, other=0.5),
        "loss": THREE.with_limits(D=None).minimising("distortion", rate=0.4),
        "inactive": THREE.with_limits(other=50.0),
    }
    return {kind: (problem, rdc.solve(problem)) for kind, problem in problems.items()}


# ------------------------------------------------------------------------------------- right answers pass


@pytest.mark.parametrize("kind", ["targets", "multipliers", "loss", "inactive"])
def test_checks_pass_on_a_right_result(solved, kind):
    problem, result = solved[kind]
    testing.check_feasibility(result, problem)
    testing.check_bounds(result)
    testing.check_certificate(result, problem)
    testing.check_certificate(result, problem, arithmetic="ball")
    testing.check_kkt(result, problem)


def test_checks_pass_on_right_curves_and_claims():
    bounds = np.linspace(0, 0.4, 9)
    rates = rdc.theory.binary.rate_distortion(bounds, 0.3)
    testing.check_monotone(bounds, rates)
    testing.check_convex(bounds, rates)
    testing.check_convex(bounds, rates - 0.01, rates + 0.01)
    testing.check_monotone([[0.1, 0.5], [0.2, 0.1]], [0.3, 0.9])  # neither is stricter: nothing to compare
    testing.check_monotone([0, 1, 2, 3], [math.inf, math.inf, 0.4, 0.3])
    testing.check_convex([0, 1, 2, 3], [math.inf, math.inf, 0.4, 0.3])
    testing.check_agreement([(0.1, 0.3), (0.2, 0.4), (0.3, 0.5)])
    testing.check_rate_function(lambda D: rdc.theory.binary.rate_distortion(D, 0.3), COIN, bounds)
    testing.check_against(COIN.with_limits(D=0.1), (0.0, 1.0))
    testing.check_solver(rdc.solve, max_examples=5)
    slack = testing.check_upper_claim(COIN.with_limits(D=0.3), [[1.0, 0.0], [1.0, 0.0]], 0.0)
    assert 0 <= slack < 1e-8
    suboptimal = testing.check_upper_claim(COIN.with_limits(D=0.3), [[0.9, 0.1], [0.5, 0.5]])
    assert suboptimal > 0.05


def test_check_infeasible_passes_on_infeasible_problems():
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[1.0, 2.0], [3.0, 2.0]], D=1.4)
    result = rdc.solve(problem)
    testing.check_infeasible(result, problem)
    testing.check_bounds(result)
    testing.check_against(problem, math.inf)
    too_little_rate = THREE.minimising("distortion", rate=0.01)
    testing.check_infeasible(rdc.solve(too_little_rate), too_little_rate)


def test_checks_take_any_object_with_the_attributes():
    channel = np.array([[0.93, 0.07], [0.3, 0.7]])
    p = COIN.p_x
    claim = SimpleNamespace(
        channel=channel,
        letters=np.array([0, 1]),
        q=p @ channel,
        losses={"distortion": 0.7 * 0.07 + 0.3 * 0.3},
        rate_upper=rdc.information.mutual_information(p, channel),
        objective_upper=1.0,
    )
    testing.check_feasibility(claim, COIN.with_limits(D=0.2))


# ------------------------------------------------------------------------------------- planted faults


def scaled_row(result):
    channel = result.channel.copy()
    channel[1] *= 1 + 1e-9
    return replace(result, channel=channel)


def negative_entry(result):
    channel = result.channel.copy()
    channel[0, 0] += 0.1 + channel[0, 1]
    channel[0, 1] = -0.1
    return replace(result, channel=channel)


def everything_to(letter):
    def plant(result):
        channel = np.zeros((result.channel.shape[0], 1))
        channel[:] = 1.0
        return replace(result, channel=channel, letters=np.array([letter]), q=np.ones(1))

    return plant


def with_certificate(**changes):
    def plant(result):
        fields = {name: change(getattr(result.certificate, name)) for name, change in changes.items()}
        return replace(result, certificate=replace(result.certificate, **fields))

    return plant


def with_fields(**changes):
    return lambda result: replace(result, **changes)


def wrong_losses(result):
    return replace(result, losses={**result.losses, "distortion": result.losses["distortion"] - 1e-6})


FEASIBILITY_FAULTS = {
    "row does not sum to one": (scaled_row, "row 1 of the channel sums to"),
    "negative entry": (negative_entry, "no probability"),
    "forbidden pair": (everything_to(3), "letter 3 is forbidden to symbol 1"),
    "limit exceeded": (everything_to(0), "above its bound"),
    "letter twice": (lambda r: replace(r, letters=np.zeros_like(r.letters)), "listed twice"),
    "letter unknown": (lambda r: replace(r, letters=r.letters + 10), "outside 0..3"),
    "letters not indices": (lambda r: replace(r, letters=r.letters + 0.5), "not indices"),
    "shape": (lambda r: replace(r, channel=r.channel[:-1]), "has shape"),
    "no letters": (with_fields(channel=np.zeros((4, 0)), letters=np.zeros(0, int)), "no letters"),
    "output masses": (lambda r: replace(r, q=r.q[::-1] + 1e-6), "output masses"),
    "losses": (wrong_losses, "distortion is reported as"),
    "rate": (lambda r: replace(r, rate_upper=r.rate_upper - 1e-6), "upper bound on the rate"),
    "objective": (lambda r: replace(r, objective_upper=0.0), "upper bound on the rate"),
}

BOUND_FAULTS = {
    "crossed": (lambda r: replace(r, objective_lower=r.objective_upper + 1e-9), "objective: lower bound"),
    "rates crossed": (lambda r: replace(r, rate_lower=r.rate_upper + 1e-9), "rate: lower bound"),
    "gap": (lambda r: replace(r, objective_lower=r.objective_lower - 1e-6), "OPTIMAL is claimed"),
    "almost": (
        lambda r: replace(r, status=Status.ALMOST_OPTIMAL, objective_lower=r.objective_lower - 1e-2),
        "ALMOST_OPTIMAL is claimed",
    ),
    "no certificate": (with_fields(certificate=None, proof=Proof.CERTIFIED), "no certificate"),
    "unknown bound": (
        with_fields(status=Status.STALLED, objective_lower=math.nan, proof=Proof.CERTIFIED),
        "the gap is nan",
    ),
    "unknown bound, optimal": (with_fields(objective_lower=math.nan), "OPTIMAL is claimed, but the gap is nan"),
    "no minimum": (with_fields(status=Status.INFEASIBLE), "INFEASIBLE, but"),
}


def boasting(result):
    """A certificate whose verification says yes to everything."""
    verification = SimpleNamespace(valid=True, lower=result.objective_lower, messages=())
    certificate = SimpleNamespace(
        u=0.9 * result.certificate.u,
        multipliers=result.certificate.multipliers,
        lower=result.certificate.lower,
        verify=lambda problem, arithmetic: verification,
    )
    return replace(result, certificate=certificate)


CERTIFICATE_FAULTS = {
    "u too high": (with_certificate(u=lambda u: u + 1e-6, lower=lambda x: x + 1e-6), "refuted"),
    "u elsewhere": (with_certificate(u=lambda u: u + [1e-3, 0, 0, 0]), "refuted"),
    "claim too high": (with_certificate(lower=lambda x: x + 1e-7), "refuted"),
    "upper claim too low": (with_certificate(upper=lambda x: x - 1e-7), "refuted"),
    "negative multiplier": (with_certificate(multipliers=lambda m: -m), "refuted"),
    "u not finite": (with_certificate(u=lambda u: u * np.nan), "refuted"),
    "channel of the certificate": (with_certificate(channel=lambda w: w * 1.001), "refuted"),
    "none": (with_fields(certificate=None), "no certificate"),
    "result above certificate": (
        lambda r: replace(r, objective_lower=r.objective_lower + 1e-7),
        "the result claims the lower bound",
    ),
    "verification that agrees to all": (boasting, "claims the lower bound"),
}


# The third letter is too dear to be used.
IDLE = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1, 0.8], [1, 0, 0.8]]).at_multipliers(distortion=2.0)


def idle_letter(result):
    channel = np.zeros((2, 3))
    channel[:, result.letters] = 0.99 * result.channel
    channel[:, 2] += 0.01
    return replace(result, channel=channel, letters=np.arange(3))


def blurred(result):
    """A channel with the same output masses that tells less of the symbol."""
    return replace(result, channel=0.9 * result.channel + 0.1 * (IDLE.p_x @ result.channel))


KKT_FAULTS = {
    "price above one": (with_certificate(u=lambda u: u + 1e-3), "largest price"),
    "unused letter in use": (idle_letter, "letter 2 has mass 0.01 and price 0."),
    "priced too low": (with_certificate(u=lambda u: u - 1e-3), "priced below one"),
    "not the tilted channel": (blurred, "nats from the tilted"),
    "multipliers too small": (with_certificate(multipliers=lambda m: m * 0.99), "largest price"),
    "multipliers too large": (with_certificate(multipliers=lambda m: m * 1.01), "exceed the problem's"),
    "no channel": (scaled_row, "row 1 of the channel sums to"),
    "no certificate": (with_fields(certificate=None), "no certificate"),
}


def failing(check, plant, message, result, *arguments):
    planted = plant(result)
    with pytest.raises(AssertionError, match=message):
        check(planted, *arguments)


@pytest.mark.parametrize("fault", FEASIBILITY_FAULTS)
def test_check_feasibility_fails(solved, fault):
    problem, result = solved["targets"]
    failing(testing.check_feasibility, *FEASIBILITY_FAULTS[fault], result, problem)


def test_check_feasibility_fails_above_the_rate_limit(solved):
    problem, result = solved["loss"]
    with pytest.raises(AssertionError, match="rate is .* above its bound"):
        testing.check_feasibility(result, problem.with_limits(rate=0.399))


@pytest.mark.parametrize("fault", BOUND_FAULTS)
def test_check_bounds_fails(solved, fault):
    failing(testing.check_bounds, *BOUND_FAULTS[fault], solved["targets"][1])


@pytest.mark.parametrize("fault", CERTIFICATE_FAULTS)
@pytest.mark.parametrize("kind", ["targets", "multipliers", "loss"])
def test_check_certificate_fails(solved, fault, kind):
    problem, result = solved[kind]
    failing(testing.check_certificate, *CERTIFICATE_FAULTS[fault], result, problem)


@pytest.mark.parametrize("fault", KKT_FAULTS)
def test_check_kkt_fails(fault):
    result = rdc.solve(IDLE)
    testing.check_kkt(result, IDLE)
    failing(testing.check_kkt, *KKT_FAULTS[fault], result, IDLE)


def test_check_kkt_fails_on_slack_that_is_paid_for(solved):
    problem, result = solved["targets"]
    with pytest.raises(AssertionError, match="distortion has multiplier .* and slack"):
        testing.check_kkt(result, problem.with_limits(D=0.5))
    problem, result = solved["loss"]
    with pytest.raises(AssertionError, match="rate limit is not used up"):
        testing.check_kkt(result, problem.with_limits(rate=0.5))


def test_check_kkt_fails_on_multipliers_that_have_no_limit(solved):
    problem, result = solved["targets"]
    with pytest.raises(AssertionError, match="'distortion', which is not limited"):
        testing.check_kkt(result, problem.with_limits(D=None))


def test_check_kkt_fails_on_a_loss_without_multiplier_above_its_minimum(solved):
    problem, result = solved["loss"]
    nothing = with_certificate(multipliers=lambda m: 0 * m, u=lambda u: 0 * u)
    with pytest.raises(AssertionError, match="only the trivial lower bound"):
        testing.check_kkt(nothing(result), problem)


INFEASIBLE = Status.INFEASIBLE
INFEASIBILITY_FAULTS = {
    "not claimed": (THREE, with_fields(), "not INFEASIBLE"),
    "can be met": (THREE, with_fields(status=INFEASIBLE), "can be met"),
    "no limits": (THREE.with_limits(D=None, other=None), with_fields(status=INFEASIBLE), "can be met"),
    "enough rate": (
        THREE.with_limits(D=None).minimising("distortion", rate=0.9),
        with_fields(status=INFEASIBLE),
        "nats to spare",
    ),
    "another minimum": (
        rdc.Problem.from_arrays([0.5, 0.5], [[1.0, 2.0], [3.0, 2.0]], D=1.4),
        with_fields(status=INFEASIBLE, minimum={"distortion": 1.45}),
        "the minimum of distortion",
    ),
}


@pytest.mark.parametrize("fault", INFEASIBILITY_FAULTS)
def test_check_infeasible_fails(solved, fault):
    problem, plant, message = INFEASIBILITY_FAULTS[fault]
    failing(testing.check_infeasible, plant, message, solved["targets"][1], problem)


COINS = st.floats(0.05, 0.15).map(lambda D: COIN.with_limits(D=D))


def wrong_rate(D):
    return rdc.theory.binary.rate_distortion(D, 0.3) * (1 + 1e-4)


def wrong_kernel():
    """A kernel that forgets the weights of its Gram matrix."""
    kernel = DenseKernel([1 - np.eye(2)], np.array([2.0]))
    kernel.gram = lambda weights, letters=None: kernel.columns(letters).T @ kernel.columns(letters)
    return kernel


class Cheaper(SplitSpace):
    """Letters that claim to cost half of what they do."""

    def place_losses(self, places):
        return [loss / 2 for loss in super().place_losses(places)]


def test_a_space_of_the_library_passes():
    testing.check_space(COIN, trials=1)


FAILING_CALLS = {
    "rising": (lambda: testing.check_monotone([0.1, 0.2], [0.5, 0.6]), "rises"),
    "rising in an interval": (lambda: testing.check_monotone([0.1, 0.2], [0.5, 0.56], [0.55, 0.7]), "rises"),
    "rising at equal limits": (lambda: testing.check_monotone([0.1, 0.1], [0.5, 0.6]), "rises"),
    "rising in one of two limits": (
        lambda: testing.check_monotone([[0.1, 0.3], [0.2, 0.3]], [0.5, 0.6]),
        "rises",
    ),
    "concave": (lambda: testing.check_convex([0.2, 0.0, 0.1], [0.0, 1.0, 0.6]), "above the chord"),
    "concave in intervals": (
        lambda: testing.check_convex([0, 1, 2], [1.0, 0.6, 0.0], [1.05, 0.9, 0.1]),
        "above the chord",
    ),
    "infeasible when relaxed": (lambda: testing.check_monotone([0.1, 0.2], [0.5, math.inf]), "rises"),
    "infeasible between": (lambda: testing.check_convex([0, 1, 2], [0.5, math.inf, 0.4]), "above the chord"),
    "shapes": (lambda: testing.check_monotone([1, 2, 3], [1.0, 0.5]), "do not fit"),
    "nan": (lambda: testing.check_monotone([1, 2], [1.0, np.nan]), "NaN"),
    "a surface": (lambda: testing.check_convex([[1, 2], [2, 3]], [1.0, 0.5]), "positions along a line"),
    "disjoint": (lambda: testing.check_agreement([(0.1, 0.2), (0.15, 0.3), (0.2001, 0.4)]), "apart"),
    "nothing to compare": (lambda: testing.check_agreement([(0.1, 0.2)]), "agreement takes two"),
    "agreement with nan": (lambda: testing.check_agreement([(0.1, 0.2), (np.nan, 1)]), "says nothing"),
    "claim too low": (lambda: testing.check_against(COIN.with_limits(D=0.1), 0.2857), "least possible"),
    "claim too high": (lambda: testing.check_against(COIN.with_limits(D=0.1), 0.2858), "channel attains"),
    "interval elsewhere": (lambda: testing.check_against(COIN.with_limits(D=0.1), (0.3, 0.4)), "attains"),
    "no number": (lambda: testing.check_against(COIN.with_limits(D=0.1), np.nan), "says nothing"),
    "not feasible": (
        lambda: testing.check_against(rdc.Problem.from_arrays([1.0], [[1.0]], D=0.5), 0.0),
        "no channel meets",
    ),
    "channel misses the limit": (
        lambda: testing.check_upper_claim(COIN.with_limits(D=0.1), [[1, 0], [1, 0]]),
        "above its bound",
    ),
    "no channel": (
        lambda: testing.check_upper_claim(COIN.with_limits(D=0.1), [[1, 0], [0.5, 0.6]]),
        "sums to",
    ),
    "channel has another rate": (
        lambda: testing.check_upper_claim(COIN.with_limits(D=0.1), np.eye(2), 0.5),
        "claimed is 0.5",
    ),
    "formula": (lambda: testing.check_rate_function(wrong_rate, COIN, [0.1, 0.2]), "at distortion <= 0.1"),
    "kernel": (lambda: testing.check_kernel(wrong_kernel()), "gram\\(weights\\): entry 0, 0 is"),
    "kernel of other losses": (
        lambda: testing.check_kernel(wrong_kernel(), ReferenceKernel(np.zeros((1, 2, 2)), np.ones(1))),
        "columns\\(\\): entry 0, 1 is",
    ),
    "space": (lambda: testing.check_space(Cheaper(COIN)), "other losses than the letters"),
    "solver": (lambda: testing.check_solver(lambda problem: 0.3, COINS, max_examples=5), "attains|possible"),
}


@pytest.mark.parametrize("call", FAILING_CALLS)
def test_check_fails(call):
    function, message = FAILING_CALLS[call]
    with pytest.raises(AssertionError, match=message):
        function()


def test_every_check_has_a_planted_fault():
    text = Path(__file__).read_text()
    for name in testing.__all__:
        if name.startswith("check_"):
            assert len(re.findall(rf"testing\.{name}\b", text)) >= 2, name


def test_checks_hold_under_optimisation():
    """They raise, instead of using assert statements that `python -O` drops."""
    import ast
    import inspect
    from importlib import import_module

    for module in ("claims", "curves", "evaluation", "feasibility", "kernels", "optimality"):
        tree = ast.parse(inspect.getsource(import_module(f"rdcsolve.testing.{module}")))
        assert not [node for node in ast.walk(tree) if isinstance(node, ast.Assert)]


# ------------------------------------------------------------------------------------- strategies


def has_twin_columns(d):
    return any((d[:, a] == d[:, b]).all() for a in range(3) for b in range(a) if len(set(d[:, a])) > 2)


def has_twin_rows(d):
    return any((d[i] == d[j]).all() for i in range(4) for j in range(i) if len(set(d[i])) > 2)


def ratio(p):
    return p[p > 0].min() / p.max()


DETERMINISTIC = np.eye(2)
CORNERS = {
    "mass zero": (lambda: testing.pmfs(4), lambda p: (p == 0).sum() == 2),
    "single point": (lambda: testing.pmfs(4), lambda p: p[1] == 1),
    "equal masses": (lambda: testing.pmfs(4), lambda p: np.ptp(p) == 0),
    "tiny mass": (lambda: testing.pmfs(4), lambda p: ratio(p) < 1e-29),
    "uneven masses": (lambda: testing.pmfs(4), lambda p: len({f"{x:.6f}" for x in p}) == 4),
    "deterministic channel": (lambda: testing.channels(3, 2), lambda w: (w.max(axis=1) == 1).all()),
    "channel with equal rows": (lambda: testing.channels(3, 2), lambda w: (w[0] == w[2]).all() and w[0, 0] < 1),
    "all pairs allowed": (lambda: testing.forbidden_masks(4, 3), lambda m: not m.any()),
    "all but one forbidden": (lambda: testing.forbidden_masks(4, 3), lambda m: (m.sum(axis=1) == 2).any()),
    "letter forbidden to all": (lambda: testing.forbidden_masks(4, 3), lambda m: m.all(axis=0).any()),
    "forbidden pairs": (lambda: testing.distortions(4, 3), lambda d: np.isinf(d).sum() > 3),
    "zero loss": (lambda: testing.distortions(4, 3), lambda d: not d.any()),
    "ties": (lambda: testing.distortions(4, 3), lambda d: len(set(d.flat)) == 2),
    "no ties": (lambda: testing.distortions(4, 3), lambda d: len(set(d.flat)) > 8),
    "twin columns": (lambda: testing.distortions(4, 3), has_twin_columns),
    "twin rows": (lambda: testing.distortions(4, 3), has_twin_rows),
    "deterministic label": (lambda: testing.labels(4, 2), lambda w: set(w.flat) == {0.0, 1.0}),
    "empty class": (lambda: testing.labels(4, 3), lambda w: not w[:, 1].any() and w.max() < 1),
    "independent label": (lambda: testing.labels(4, 2), lambda w: np.ptp(w, axis=0).max() == 0 and w.max() < 1),
    "no multiplier": (testing.multipliers, lambda m: m == 0),
    "tiny multiplier": (testing.multipliers, lambda m: 0 < m <= 1e-9),
    "huge multiplier": (testing.multipliers, lambda m: m >= 1e9),
    "multiplier in between": (testing.multipliers, lambda m: 1e4 < m < 1e6),
    "multiplier per scale": (lambda: testing.multipliers(scale=1e3), lambda m: m == 1e6),
}


@pytest.mark.parametrize("corner", CORNERS)
def test_strategy_draws_the_corner(corner):
    strategy, holds = CORNERS[corner]
    assert holds(find(strategy(), holds, settings=FIND))


def limited(problem):
    return np.isfinite(problem.bounds).sum()


def classifies(problem):
    return "classifier_loss" in problem.loss_names


PROBLEM_CORNERS = {
    "one symbol": ("targets", lambda q: q.n_x == 1 and q.n_letters > 1),
    "one letter": ("targets", lambda q: q.n_letters == 1 and q.n_x > 1),
    "no limit": ("targets", lambda q: limited(q) == 0),
    "three limits": ("targets", lambda q: limited(q) == 3),
    "inactive limit": ("targets", lambda q: limited(q) == 2 and np.sort(q.bounds)[-1] > 10),
    "forbidden pairs": ("targets", lambda q: q.forbidden is not None and q.forbidden.sum() > 2),
    "symbols of mass zero": ("multipliers", lambda q: (q.p_x == 0).sum() > 1),
    "classifier": ("multipliers", lambda q: classifies(q) and q.source.labels[0].shape[1] == 3),
    "classifier that forbids": ("loss", lambda q: classifies(q) and np.isinf(q.losses[1].matrix).any()),
    "error rate": ("loss", lambda q: classifies(q) and set(q.losses[1].matrix.flat) == {0.0, 1.0}),
    "huge multiplier": ("multipliers", lambda q: q.multipliers.max() > 1e8),
    "tiny and huge": ("multipliers", lambda q: q.multipliers[0] < 1e-6 < 1e6 < q.multipliers[-1]),
    "loss minimised": ("loss", lambda q: q.minimise == "distortion" and limited(q) == 1),
    "another loss minimised": ("loss", lambda q: q.minimise == "loss_1" and limited(q) == 2),
    "rate zero": ("loss", lambda q: q.rate_bound == 0),
    "rate and limits": ("loss", lambda q: q.rate_bound > 0.1 and limited(q) == 2),
}


@pytest.mark.parametrize("corner", PROBLEM_CORNERS)
def test_problems_has_the_corner(corner):
    kind, holds = PROBLEM_CORNERS[corner]
    assert holds(find(testing.problems(kind), holds, settings=FIND))


@pytest.mark.parametrize("objective", ["rate", "lagrangian", "distortion"])
def test_problems_asks_every_question(objective):
    find(testing.problems(), lambda problem: problem.objective == objective, settings=FIND)


def test_problems_at_their_minimum_are_drawn_when_asked_for():
    def is_at_minimum(problem):
        least = problem.p_x @ problem.losses[0].matrix.min(axis=1)
        return 0.1 < least == problem.bounds[0]

    find(testing.problems("targets", forbidden=False, at_minimum=True), is_at_minimum, settings=FIND)


@given(testing.pmfs(5), testing.pmfs(3, zeros=False), testing.channels(3, 4))
def test_masses_sum_to_one(p, positive, channel):
    assert abs(p.sum() - 1) < 1e-15
    assert (p >= 0).all()
    assert (positive > 0).all()
    assert np.abs(channel.sum(axis=1) - 1).max() < 1e-15


@given(testing.distortions(4, 3), testing.forbidden_masks(3, 2))
def test_every_symbol_keeps_a_letter(d, mask):
    assert np.isfinite(d).any(axis=1).all()
    assert (d >= 0).all()
    assert not mask.all(axis=1).any()


@given(testing.problems("targets"))
def test_problems_at_targets_are_feasible(problem):
    if np.isfinite(problem.bounds).any():
        assert _least_excess(problem) < 1e-9


@given(testing.problems("infeasible"))
def test_infeasible_problems_are_infeasible(problem):
    assert _least_excess(problem) > 0


@given(testing.problems())
def test_equivalents_ask_the_same_question(problem):
    for restated in testing.equivalents(problem).values():
        assert restated.objective == problem.objective
        assert restated.rate_bound == problem.rate_bound
        assert restated.loss_names == problem.loss_names
        assert (np.isfinite(restated.bounds) == np.isfinite(problem.bounds)).all()


@given(testing.problems())
def test_code_rebuilds_the_problem(problem):
    again = eval(testing.as_code(problem), {"Problem": rdc.Problem, "inf": math.inf})
    assert again.fingerprint() == problem.fingerprint()
    assert (again.objective, again.rate_bound) == (problem.objective, problem.rate_bound)
    assert np.array_equal(again.bounds, problem.bounds)
    assert problem.multipliers is None or np.array_equal(again.multipliers, problem.multipliers)


def test_a_failing_example_is_printed_as_code(capsys):
    @settings(max_examples=5, database=None, phases=[Phase.generate])
    @given(testing.problems("targets"))
    def fails(problem):
        assert problem.n_x > 90

    with pytest.raises(AssertionError) as caught:
        fails()
    assert "the problem as code: Problem.from_arrays([" in "\n".join(caught.value.__notes__)


# ------------------------------------------------------------------------------------- known problems


def test_known_problems_are_built_when_used():
    known = testing.known_problems()
    assert set(known) >= {"P1a_100", "P1b_100", "P1a_500", "P1b_500", "P1a_2000", "P1b_2000"}
    assert set(known) >= {"P2", "P3", "P3b", "P5"}
    assert not any("problem" in vars(item) for item in known.values())
    assert known["P2"].problem is known["P2"].problem


@pytest.mark.parametrize("name", [name for name in testing.known_problems() if name != "P5"])
def test_known_optimum_is_rate_plus_multiplier_times_distortion(name):
    known = testing.known_problems()[name]
    assert 0 < known.upper - known.lower < 1e-10
    total = known.rate + known.multiplier * known.distortion
    assert abs(total - known.upper) < (1 + known.multiplier) * 10.0**-known.digits


def test_missing_hypothesis_is_named():
    """Checks work without hypothesis; strategies say which extra they need."""
    import subprocess
    import sys

    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from rdcsolve import MissingExtra, testing\n"
        "testing.check_agreement([(0, 1), (0, 1)])\n"
        "try:\n    testing.pmfs\n"
        "except MissingExtra as error:\n    assert 'rdcsolve[testing]' in str(error)\n"
        "else:\n    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60, cwd=rdc.__path__[0] + "/..")


def test_a_lagrangian_is_at_least_what_its_losses_are_at_least():
    """Of a dual point that proves less than nothing the least means are left, and count."""
    loss = [[3.422720683604181, 3.2585946440833142], [0.3706721599145495, np.inf]]
    problem = rdc.Problem.from_arrays([0.9999965081110852, 3.491888914938623e-06], loss)
    problem = problem.at_multipliers(distortion=2.9216523708472283e-10)
    result = rdc.solve(problem, rdc.BlahutArimoto(), tolerance=1e-4)
    assert result.certificate.lower > 9e-10
    testing.check_certificate(result, problem)
