"""Least loss under a limit on the rate, at both ends of the curve and on straight segments of it."""

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import rdcsolve as rdc
from rdcsolve.problems.storage import arrays_of
from rdcsolve.results import Proof, Status

INF = np.inf
FLIP = [[0.0, 1.0], [1.0, 0.0]]
SOLVERS = [rdc.InteriorPoint(), rdc.ColumnGeneration()]


def solved(problem, solver=None):
    result = rdc.solve(problem, solver)
    assert result.status is Status.OPTIMAL, str(result)
    assert result.proof is Proof.CERTIFIED
    assert result.gap <= 1e-9 * max(1.0, result.objective_upper)
    verification = result.certificate.verify(problem)
    assert verification.valid, verification
    return result


def check_value(result, expected):
    assert result.objective_lower <= expected * (1 + 1e-12) + 1e-13
    assert result.objective_upper >= expected * (1 - 1e-12) - 1e-13


# ------------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("rate", [1e-3, 0.2, 0.5, 0.6])
def test_coin(rate, solver):
    result = solved(rdc.Problem.from_arrays([0.7, 0.3], FLIP, rate=rate, minimise="distortion"), solver)
    check_value(result, rdc.theory.binary.distortion_rate(rate, 0.3))
    assert result.rate_upper <= rate
    expected = rdc.theory.binary.multiplier(result.objective_upper, 0.3)
    assert result.multipliers["distortion"] == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("rate", [0.1, 0.7, 1.3])
def test_hamming_of_a_uniform_source(rate):
    n = 5
    problem = rdc.Problem.from_arrays(np.full(n, 1 / n), 1 - np.eye(n), rate=rate, minimise="distortion")
    check_value(solved(problem), rdc.theory.uniform_hamming.distortion_rate(rate, n))


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_normal_density(rate):
    source = rdc.sources.gaussian(n_x=121, half_width=6)
    result = solved(rdc.Problem(source, limits=[rdc.RateLimit(rate)], minimise="distortion"))
    assert result.objective_upper == pytest.approx(rdc.theory.gaussian.distortion_rate(rate), rel=1e-4)


# ------------------------------------------------------------------------------------- the ends of the curve


def test_rate_zero_is_the_best_letter():
    rng = np.random.default_rng(0)
    p, d = rng.dirichlet(np.ones(4)), rng.random((4, 6))
    result = solved(rdc.Problem.from_arrays(p, d, rate=0.0, minimise="distortion"))
    check_value(result, float((p @ d).min()))
    assert result.rate_upper == 0.0
    assert result.letters.tolist() == [int((p @ d).argmin())]


def test_rate_zero_with_another_limit_is_the_best_mixture():
    rng = np.random.default_rng(1)
    p, d, other = rng.dirichlet(np.ones(4)), rng.random((4, 6)), rng.random((4, 6))
    bound = 0.5 * float((p @ other).min() + (p @ other)[int((p @ d).argmin())])
    problem = rdc.Problem.from_arrays(p, d, losses={"other": other}, limits={"other": bound})
    result = rdc.solve(problem.minimising("distortion", rate=0.0))
    # the rate leaves zero with slope zero here, so no multiplier proves the end exactly: see `least_constant_mean`
    assert result.gap <= 1e-7
    assert result.certificate.verify(problem.minimising("distortion", rate=0.0)).valid
    best = linprog(p @ d, A_ub=[p @ other], b_ub=[bound], A_eq=[np.ones(6)], b_eq=[1.0])
    check_value(result, best.fun)
    assert result.losses["other"] <= bound * (1 + 1e-9)


@pytest.mark.parametrize("rate", [0.62, 5.0, 1e6])
def test_more_rate_than_is_of_use(rate):
    """Hb(0.3) = 0.6109 nats tell everything."""
    offset = np.array([[0.5], [2.0]])
    problem = rdc.Problem.from_arrays([0.7, 0.3], np.array(FLIP) + offset, rate=rate, minimise="distortion")
    result = solved(problem)
    check_value(result, 0.7 * 0.5 + 0.3 * 2.0)
    assert result.rate_upper <= rate


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_with_more_rate_than_is_of_use_the_other_limits_are_a_linear_programme(share):
    rng = np.random.default_rng(2)
    p, d, other = rng.dirichlet(np.ones(4)), rng.random((4, 5)), rng.random((4, 5))
    least, most = float(p @ other.min(axis=1)), float(p @ other[np.arange(4), d.argmin(axis=1)])
    bound = least + share * (most - least)
    problem = rdc.Problem.from_arrays(p, d, losses={"other": other}, limits={"other": bound})
    result = solved(problem.minimising("distortion", rate=10.0))
    best = linprog(
        (p[:, None] * d).ravel(),
        A_ub=[(p[:, None] * other).ravel()],
        b_ub=[bound],
        A_eq=np.kron(np.eye(4), np.ones(5)),
        b_eq=np.ones(4),
    )
    check_value(result, best.fun)
    assert result.losses["other"] <= bound * (1 + 1e-9)


@pytest.mark.parametrize("rate", [0.05, 0.3])
def test_another_limit_and_the_rate_both_bind(rate):
    """D(R, b) inverts R(D, b)."""
    rng = np.random.default_rng(5)
    p, d, other = rng.dirichlet(np.ones(5)), rng.random((5, 6)), rng.random((5, 6))
    bound = 0.5 * float(p @ other.min(axis=1) + (p @ other).min())
    problem = rdc.Problem.from_arrays(p, d, losses={"other": other}, limits={"other": bound})
    least = rdc.solve(problem).rate_upper
    result = solved(problem.minimising("distortion", rate=least + rate))
    assert result.losses["other"] <= bound * (1 + 1e-9)
    assert result.multipliers["other"] > 0
    back = rdc.solve(problem.with_limits(D=result.objective_upper))
    slope = back.multipliers["distortion"]
    assert back.rate_upper == pytest.approx(least + rate, abs=5e-9 * max(1.0, slope))


def test_other_limits_that_need_more_than_the_rate():
    problem = rdc.Problem.from_arrays([0.5, 0.5], FLIP, losses={"other": [[0.0, 1.0], [1.0, 0.0]]})
    result = rdc.solve(problem.with_limits(other=0.1).minimising("distortion", rate=0.2))
    needed = rdc.theory.binary.rate_distortion(0.1, 0.5)
    assert result.status is Status.INFEASIBLE
    assert result.minimum["rate"] == pytest.approx(needed, abs=2e-2)
    assert result.minimum["rate"] <= needed + 1e-12
    assert "need a rate of at least" in result.message


def test_another_limit_below_its_least_value():
    problem = rdc.Problem.from_arrays([0.5, 0.5], FLIP, losses={"other": [[1.0, 2.0], [2.0, 1.0]]})
    result = rdc.solve(problem.with_limits(other=0.9).minimising("distortion", rate=0.2))
    assert result.status is Status.INFEASIBLE
    assert result.objective == "distortion"
    assert result.minimum["other"] == 1.0


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_the_unit_of_the_loss_does_not_matter(scale):
    problem = rdc.Problem.from_arrays([0.7, 0.3], scale * np.array(FLIP), rate=0.3, minimise="distortion")
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    expected = scale * rdc.theory.binary.distortion_rate(0.3, 0.3)
    assert result.objective_lower <= expected * (1 + 1e-12)
    assert result.objective_upper >= expected * (1 - 1e-12)
    assert result.gap <= 1e-8 * scale


# ------------------------------------------------------------------------------------- straight segments


def erasure(n, price=1.0):
    """Letter a < n says which symbol it was, the last one says nothing, for `price`: R(D) = (1 - D / price) log n."""
    d = np.full((n, n + 1), INF)
    d[np.arange(n), np.arange(n)] = 0.0
    d[:, n] = price
    return rdc.Problem.from_arrays(np.full(n, 1 / n), d)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("share", [1e-3, 0.25, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("n", [2, 5])
def test_rate_in_the_middle_of_a_segment(n, share, solver):
    problem = erasure(n, price=3.0).with_limits(D=3.0 * share)
    result = solved(problem, solver)
    check_value(result, (1 - share) * math.log(n))
    assert result.multipliers["distortion"] == pytest.approx(math.log(n) / 3, rel=1e-4)
    assert result.losses["distortion"] <= 3.0 * share
    assert result.q[-1] == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_distortion_in_the_middle_of_a_segment(share, solver):
    problem = erasure(4, price=2.0).minimising("distortion", rate=share * math.log(4))
    check_value(solved(problem, solver), 2.0 * (1 - share))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_segment_between_two_curves(share):
    """Two pairs of symbols: which pair is free to know, which of the pair costs log 2 or an erasure at 0.2.

    With Hamming distortion beside an erasure letter the curve log 2 - Hb(D) is cut by its tangent through (0.2, 0).
    """
    from scipy.optimize import brentq

    price = 0.2
    d = np.array([[0.0, 1.0, price], [1.0, 0.0, price]])
    curve = rdc.theory.binary.rate_distortion
    slope = rdc.theory.binary.multiplier
    touch = brentq(lambda x: curve(x, 0.5) - slope(x, 0.5) * (price - x), 1e-6, price - 1e-6)
    bound = touch + share * (price - touch)
    problem = rdc.Problem.from_arrays([0.5, 0.5], d, D=bound)
    result = solved(problem)
    check_value(result, slope(touch, 0.5) * (price - bound))
    assert result.multipliers["distortion"] == pytest.approx(slope(touch, 0.5), rel=1e-4)
    back = solved(problem.with_limits(D=None).minimising("distortion", rate=result.rate_upper))
    assert back.objective_upper == pytest.approx(bound, abs=2e-9)


@pytest.mark.parametrize("e", [0.0, 0.25])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_labels_seen_through_an_erasure(e, share):
    """The true posteriors as classifier, and a letter that knows nothing: R(C) is the straight line of the theory."""
    known = np.array([[1 - e, 0.0, e], [0.0, 1 - e, e]])
    source = rdc.Source([0.0, 1.0], [0.5, 0.5], labels=(known,))
    classifier = np.vstack([known, [(1 - e) / 2, (1 - e) / 2, e]])
    floor = rdc.theory.erasure.minimum_label_entropy(e)
    bound = floor + share * (1 - e) * math.log(2)
    problem = rdc.Problem(
        source,
        distortion=np.zeros((2, 3)),
        limits=[rdc.ClassifierLossLimit(bound, classifier)],
    )
    result = solved(problem)
    check_value(result, rdc.theory.erasure.rate(0.0, bound, math.log(2), e))
    expected = rdc.theory.erasure.multiplier(0.0, bound, math.log(2), e)
    assert result.multipliers["classifier_loss"] == pytest.approx(expected, rel=1e-4)


# ------------------------------------------------------------------------- rates that leave next to nothing


@st.composite
def problems_at_the_least_rate(draw):
    """Problems of a least loss at the least rate that a limit on another loss needs, as the library has told it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k = rng.integers(2, 6, 2)
    p, limited, minimised = rng.dirichlet(np.ones(n)), rng.random((n, k)), rng.random((n, k))
    least, easy = p @ limited.min(axis=1), (p @ limited).min()
    bound = least + (easy - least) * draw(st.sampled_from([0.1, 0.5, 0.9]))
    rate = rdc.solve(rdc.Problem.from_arrays(p, limited, D=bound)).rate_upper
    rate *= 1 + draw(st.sampled_from([0.0, 1e-15, 1e-12, 1e-9]))
    stated = rdc.Problem.from_arrays(p, minimised, losses={"o": limited})
    return stated.with_limits(o=bound).minimising("distortion", rate=rate)


@given(problem=problems_at_the_least_rate())
def test_the_least_rate_that_another_limit_needs_is_a_rate_limit(problem):
    result = rdc.solve(problem)
    assert result.status.name in ("OPTIMAL", "ALMOST_OPTIMAL")
    assert result.proof.name == "CERTIFIED"
    assert result.gap < 1e-6
    for arithmetic in ("float", "ball"):
        found = result.verify(problem, arithmetic)
        assert found.valid, found.messages


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.9))
def test_at_rate_zero_the_best_mixture_of_letters_is_found(seed, share):
    """Against the linear programme over letters, in closed form: two letters are mixed at most."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 6, 2)
    p, limited, minimised = rng.dirichlet(np.ones(n)), rng.random((n, k)), rng.random((n, k))
    x, y = p @ limited, p @ minimised
    bound = x.min() + share * (x.max() - x.min())
    pairs = [(y[a], x[a]) for a in range(k)]
    ends = [(a, b) for a in range(k) for b in range(k) if x[a] < bound < x[b]]
    mixed = [y[a] + (y[b] - y[a]) * (bound - x[a]) / (x[b] - x[a]) for a, b in ends]
    best = min([value for value, at in pairs if at <= bound] + mixed)
    problem = rdc.Problem.from_arrays(p, minimised, losses={"o": limited}).with_limits(o=bound)
    result = rdc.solve(problem.minimising("distortion", rate=0.0))
    assert result.proof.name == "CERTIFIED"
    assert result.objective_upper == pytest.approx(best, abs=1e-9)
    assert result.gap < 1e-5
    assert result.rate_upper == 0
    assert result.verify(problem.minimising("distortion", rate=0.0), "ball").valid


@pytest.mark.parametrize("share", [1e-16, 3e-16, 1e-15])
@given(st.integers(0, 2**32 - 1))
def test_at_rate_zero_letters_out_of_a_limits_reach_are_priced_too(share, seed):
    # a limit a rounding above the least mean leaves them no mass, and the programme took any price for it
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 6, 2)
    p, limited, minimised = rng.dirichlet(np.ones(n)), rng.random((n, k)), rng.random((n, k))
    means = p @ limited
    bound = means.min() + share * (means.max() - means.min())
    problem = rdc.Problem.from_arrays(p, minimised, losses={"o": limited}).with_limits(o=bound)
    result = rdc.solve(problem.minimising("distortion", rate=0.0))
    assert result.objective_upper == pytest.approx((p @ minimised)[means.argmin()], abs=1e-9)
    assert result.gap < 1e-6


@given(st.integers(0, 2**32 - 1), st.integers(-10, 10))
def test_at_rate_zero_the_only_letter_that_is_forbidden_to_nobody_is_found(seed, exponent):
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 9), rng.integers(1, 4)
    forbidding, loss = rng.random((n, k + 1)), 10.0**exponent * rng.random((n, k + 1))
    forbidding[rng.integers(n, size=k), np.arange(k)] = np.inf
    problem = rdc.Problem.from_arrays(rng.dirichlet(np.ones(n)), forbidding, losses={"o": loss})
    result = rdc.solve(problem.minimising("o", rate=0.0))
    best = float(problem.p_x @ loss[:, k])
    assert result.status.name == "OPTIMAL"
    assert result.objective_upper == pytest.approx(best, rel=1e-12)
    assert best - 1e-6 * loss.max() <= result.objective_lower <= best * (1 + 1e-12)


@pytest.mark.parametrize("below", [0.0, 1e-16, 1e-15, 2e-15])
def test_at_rate_zero_a_limit_at_the_least_mean_of_a_letter_is_read_as_that(below, tmp_path):
    """No channel of rate zero meets a limit that a rounding has put below that mean."""
    rng = np.random.default_rng(3)
    p, limited, minimised = rng.dirichlet(np.ones(6)), rng.random((6, 3)), rng.random((6, 3))
    best = int((p @ limited).argmin())
    problem = rdc.Problem.from_arrays(p, minimised, losses={"o": limited})
    problem = problem.with_limits(o=float(p @ limited[:, best]) * (1 - below)).minimising("distortion", rate=0.0)
    result = rdc.solve(problem)
    assert result.status.name in ("OPTIMAL", "ALMOST_OPTIMAL")
    assert result.objective_upper == pytest.approx(p @ minimised[:, best], abs=1e-12)
    for arithmetic in ("float", "ball"):
        assert result.verify(problem, arithmetic).valid
    result.save(tmp_path / "result.npz")
    np.savez(tmp_path / "problem.npz", **arrays_of(problem))
    checker = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "reference" / "check_certificate.py"))
    assert checker["check"](str(tmp_path / "result.npz"), str(tmp_path / "problem.npz")).valid


def test_at_rate_zero_a_limit_clearly_below_every_letter_is_not_met():
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], losses={"o": [[0.0, 1.0], [1.0, 0.2]]})
    problem = problem.with_limits(o=0.5 * (1 - 1e-9)).minimising("distortion", rate=0.0)
    result = rdc.solve(problem)
    assert not result.letters.size
    assert result.verify(problem, "ball").upper == np.inf


@pytest.mark.parametrize("rate", [0.0, 1e-12, 1e-3])
def test_no_output_is_constant_where_every_letter_is_forbidden_to_some_symbol(rate):
    """The least rate is log 2, so every such limit is out of reach."""
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0.0, INF], [INF, 1.0]], losses={"o": [[0.0, 1.0], [1.0, 0.0]]})
    problem = problem.with_limits(o=0.5).minimising("distortion", rate=rate)
    result = rdc.solve(problem)
    assert not result.letters.size
    assert result.certificate is None or result.verify(problem, "ball").upper == INF
    loose = problem.with_limits(rate=math.log(2) * (1 + 1e-15))
    assert rdc.solve(loose).objective_upper == pytest.approx(0.5)


@pytest.mark.parametrize("rare", [2e-16, 1e-12, 1e-9])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.999])
def test_no_output_is_constant_at_rates_that_round_to_nothing(rare, share):
    """Every channel tells the symbols apart, so that the rate is H(X), which is more than the limit."""
    p = np.array([rare, 1 - rare])
    problem = rdc.Problem.from_arrays(
        p, [[0, np.inf, 1], [np.inf, 0, np.inf]], losses={"l": [[2, 1, 0.3], [0, 4, 1]]}
    ).minimising("l", rate=share * float(-p @ np.log(p)))
    result = rdc.solve(problem)
    assert result.status is not rdc.Status.NUMERICAL_ERROR
    if np.isfinite(result.objective_upper):  # within the slack of the limit
        assert result.objective_lower <= 4 * (1 - rare) + 0.3 * rare <= result.objective_upper + 1e-12


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.sampled_from([1e-12, 1e-20, 1e-60, 1e-200]), st.sampled_from([1e-6, 1.0, 1e6]))
def test_a_symbol_of_next_to_no_mass_changes_no_least_loss_at_a_rate_that_is_no_limit(seed, mass, unit):
    """The programme for the least mean looks at what counts, not at the products of a tiny mass with losses."""
    rng = np.random.default_rng(seed)
    n, m = rng.integers(1, 4), rng.integers(2, 5)
    p, distortion, loss = rng.dirichlet(np.ones(n)), rng.integers(0, 5, (n + 1, m)), rng.integers(0, 9, (n + 1, m)) / 8
    distortion[0, :2] = 0, 4
    least, most = p @ distortion[:n].min(axis=1), p @ distortion[:n].max(axis=1)
    bound, used = float(least + rng.uniform(0.2, 0.9) * (most - least)), slice(None, n)
    answers = [
        rdc.solve(
            rdc.Problem.from_arrays(
                masses,
                distortion[rows],
                losses={"loss": unit * loss[rows]},
                limits={"distortion": bound},
                rate=math.log(m),
                minimise="loss",
            )
        )
        for masses, rows in ((p, used), (np.r_[p * (1 - mass), mass], slice(None)))
    ]
    for answer in answers:
        assert answer.status is rdc.Status.OPTIMAL
    slack = unit * (2 * mass + 2e-9)
    assert answers[0].objective_lower <= answers[1].objective_upper + slack
    assert answers[1].objective_lower <= answers[0].objective_upper + slack
