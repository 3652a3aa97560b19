"""Large finite losses that stand for "forbidden" are solved as what they are: like infinite ones."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve import calls
from rdcsolve.certificates.check import verify
from rdcsolve.information import entropy
from rdcsolve.results import Proof, Status

PENALTIES = st.one_of(
    st.floats(15, 308).map(lambda size: 10.0**size), st.sampled_from([1e15, 2.0**63 - 1, 1.7976931348623157e308])
)
SEEDS = st.integers(0, 10**6)


@pytest.fixture(autouse=True, scope="module")
def quiet():
    """As users have it: a multiplier times the largest float overflows, and exp of minus that is zero as it should."""
    calls.QUIET = True
    yield
    calls.QUIET = False


def drawn(seed):
    """Masses, ordinary losses, which pairs are forbidden (not all of a symbol's), and the ends of the bounds."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 8, 2).tolist()
    p, losses, forbidden = rng.dirichlet(np.ones(n)), rng.random((n, k)), rng.random((n, k)) < 0.3
    forbidden[np.arange(n), rng.integers(0, k, n)] = False
    infinite = np.where(forbidden, np.inf, losses)
    least, most = float(p @ infinite.min(axis=1)), float(p @ np.where(forbidden, 0.0, losses).max(axis=1))
    return rng, p, losses, infinite, least, most


def same(found, asked):
    """Compare an answer beside a penalty with that beside an infinite loss, and ask for its proof."""
    assert found.status is asked.status, f"{found}\n{asked}"
    if asked.status is Status.INFEASIBLE:
        return
    assert found.proof is Proof.CERTIFIED
    assert found.gap <= 1e-8
    assert abs(found.objective_upper - asked.objective_upper) <= 2e-8


@pytest.mark.parametrize("penalty", [1e6, 1e12, 1e15, 1e16, 2.0**63 - 1, 1e20, 1e32, 1.7976931348623157e308])
def test_erasures(penalty):
    """R(D) = (1 - D) log 2 where a symbol is told or erased, never mistaken."""
    result = rdc.solve(rdc.Problem.from_arrays([0.5, 0.5], [[0, 1, penalty], [penalty, 1, 0]], D=0.25))
    assert result.status is Status.OPTIMAL
    assert abs(result.rate_upper - 0.75 * math.log(2)) < 1e-8
    assert result.gap < 1e-8


@given(SEEDS, PENALTIES, st.sampled_from([1e-9, 1e-5, 0.02, 0.1, 0.3, 0.5]))
@example(3, 1e18, 0.1)
def test_least_rate(seed, penalty, share):
    _, p, losses, infinite, least, most = drawn(seed)
    bound = least + share * (most - least)
    large = np.where(np.isinf(infinite), penalty, losses)
    same(*(rdc.solve(rdc.Problem.from_arrays(p, table, D=bound)) for table in (large, infinite)))


@given(SEEDS, PENALTIES)
def test_penalties_of_several_sizes(seed, penalty):
    rng, p, losses, infinite, least, most = drawn(seed)
    sizes = penalty / 10.0 ** rng.uniform(0, max(0.0, math.log10(penalty) - 15), losses.shape)
    large = np.where(np.isinf(infinite), sizes, losses)
    bound = least + 0.1 * (most - least)
    same(*(rdc.solve(rdc.Problem.from_arrays(p, table, D=bound)) for table in (large, infinite)))


@given(SEEDS, PENALTIES)
def test_least_loss_at_a_rate(seed, penalty):
    """The rate limit is above the least rate without forbidden pairs, so that penalties can be avoided."""
    rng, p, losses, infinite, _, _ = drawn(seed)
    needed = rdc.solve(rdc.Problem.from_arrays(p, infinite)).rate_upper
    rate = needed + rng.uniform(0.1, 0.9) * (entropy(p) - needed)
    large = np.where(np.isinf(infinite), penalty, losses)
    problems = (rdc.Problem.from_arrays(p, table, minimise="distortion", rate=rate) for table in (large, infinite))
    same(*(rdc.solve(problem) for problem in problems))


@given(SEEDS, PENALTIES, st.floats(-2, 2))
def test_multipliers(seed, penalty, size):
    _, p, losses, infinite, _, _ = drawn(seed)
    large = np.where(np.isinf(infinite), penalty, losses)
    problems = (rdc.Problem.from_arrays(p, t).at_multipliers(distortion=10.0**size) for t in (large, infinite))
    same(*(rdc.solve(problem) for problem in problems))


@given(SEEDS, PENALTIES, st.booleans())
@example(18, 4.29e184, False)  # the limits exclude each other
def test_two_limits(seed, penalty, has_room):
    rng, p, losses, infinite, least, most = drawn(seed)
    other = rng.random(losses.shape)
    second = float(p @ other.min(axis=1)) + (0.4 if has_room else 0.15) * float(p @ np.ptp(other, axis=1))
    large = np.where(np.isinf(infinite), penalty, losses)
    results = [
        rdc.solve(
            rdc.Problem.from_arrays(p, table, losses={"other": other}, D=least + 0.2 * (most - least)).with_limits(
                other=second
            )
        )
        for table in (large, infinite)
    ]
    same(*results)


@given(SEEDS, PENALTIES)
def test_losses_below_zero(seed, penalty):
    """Every row has losses below zero of its own: no penalty makes them look like roundings of zero."""
    rng, p, losses, infinite, least, most = drawn(seed)
    offsets = rng.normal(size=p.size) - 1
    bound = least + 0.2 * (most - least) + float(p @ offsets)
    large = np.where(np.isinf(infinite), penalty, losses + offsets[:, None])
    same(*(rdc.solve(rdc.Problem.from_arrays(p, t, D=bound)) for t in (large, infinite + offsets[:, None])))


def test_two_penalties_in_a_row_make_no_loss_look_like_a_rounding():
    """One loss of -0.3 and two of 1e30 could be the squared distances of points far apart; other rows tell."""
    losses = [[-0.3, 1e30, 1e30], [0.2, 0.5, 0.0]]
    problem = rdc.Problem.from_arrays([0.5, 0.5], losses, D=0.0)
    assert problem.linear_losses[0].block()[0, 0] == -0.3


@pytest.mark.parametrize("penalty", [1e16, 1e30, 1e300])
def test_a_limit_has_no_slack_beside_a_penalty(penalty):
    """A channel with five times the mean that is allowed is refused in floats too."""
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1, penalty], [penalty, 1, 0]], D=0.25)
    result = rdc.solve(problem)
    assert result.verify(problem).valid
    letters, loose = np.array([1]), np.ones((2, 1))  # always the erasure: a mean of one
    certificate = replace(result.certificate, letters=letters, channel=loose, upper=0.0, lower=0.0)
    check = verify(certificate, problem)
    assert not check.valid
    assert check.upper == math.inf


@given(st.floats(-4, -0.01), st.floats(0.01, 2), PENALTIES, st.integers(2, 5))
@example(-0.3, 0.2, 1e16, 2)
@example(-0.5, 0.2, 1e16, 2)
def test_a_gain_beside_nothing_but_penalties_is_kept_or_asked_about(gain, loss, penalty, n):
    """A row of one entry below zero and penalties looks like the squared distances of points far apart."""
    table = np.full((n, n), penalty)
    np.fill_diagonal(table, loss)
    table[0, 0] = gain
    p = np.full(n, 1 / n)
    digits = int(abs(gain) * 2.0**60)
    if digits // (digits & -digits) < 256 and -gain >= 2.0**-10:
        with pytest.raises(rdc.InvalidInput, match="may be the rounding of a squared distance, or be meant"):
            rdc.Problem.from_arrays(p, table)
        return
    result = rdc.solve(rdc.Problem.from_arrays(p, table).at_multipliers(distortion=2.0))
    assert result.losses["distortion"] == pytest.approx((gain + (n - 1) * loss) / n, abs=1e-12)


@given(SEEDS, st.floats(-3, 9))
def test_roundings_of_expanded_squares_are_zeros_at_any_size(seed, size):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(int(rng.integers(3, 8)), int(rng.integers(1, 4)))) * 10.0**size
    squares = (x * x).sum(axis=1)
    table = squares[:, None] + squares[None] - 2 * x @ x.T
    problem = rdc.Problem.from_arrays(np.full(len(x), 1 / len(x)), table, D=0.0)
    assert problem.linear_losses[0].block().min() >= 0
