"""What the check knows of lines without a look at every pair: bounds of the exact numbers, and hardly above them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.certificates.line_moments import channel_on_line
from rdcsolve.certificates.line_prices import prices_on_line
from rdcsolve.problems import LineLoss
from rdcsolve.results import Channel

wide = np.longdouble


@st.composite
def on_a_line(draw, kinds=("squared_error", "absolute")):
    """A problem with points close and far, masses of many sizes, u and a multiplier."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    where = draw(st.sampled_from([0.0, 1e4]))
    x, y = (np.unique(where + rng.normal(size=size) * 10.0 ** rng.uniform(-6, 1, size)) for size in (n, k))
    y = x if draw(st.booleans()) else y
    masses = 10.0 ** rng.uniform(-9, 0, x.size) * (rng.random(x.size) < 0.8)
    masses[0] = 1.0
    loss = LineLoss(draw(st.sampled_from(kinds)), x, y)
    problem = rdc.Problem(rdc.Source(None, masses, normalise=True), distortion=loss)
    multiplier = np.array([10.0 ** draw(st.floats(-3, 3))])
    return problem, rng.uniform(-10, 10, x.size), multiplier, rng


def numbers_of(kind, problem, u, multipliers, channel):
    return kind(problem, u, np.zeros(problem.n_x), multipliers, channel.letters, channel, None)


def channel_of(problem, rng, multiplier):
    letters = np.flatnonzero(rng.random(problem.n_letters) < 0.7)
    letters = letters if letters.size else np.array([0])
    return Channel(problem, letters, rng.dirichlet(np.ones(letters.size)) + 1e-12, multiplier)


@pytest.mark.parametrize("arithmetic", ["float", "ball"])
@given(on_a_line())
def test_prices_are_bounds_and_close_to_what_they_bound(arithmetic, drawn):
    problem, u, multiplier, rng = drawn
    if arithmetic == "ball":
        pytest.importorskip("flint")
        from rdcsolve.certificates.ball import BallNumbers as kind
    else:
        kind = FloatNumbers
    numbers = numbers_of(kind, problem, u, multiplier, channel_of(problem, rng, multiplier))
    with numbers.context():
        found = prices_on_line(numbers, worthwhile=0)
    used = problem.p_x > 0
    loss = problem.losses[0].structure
    apart = np.subtract.outer(loss.points[used].astype(wide), loss.reproduction.astype(wide))
    costs = np.abs(apart) if loss.distortion == "absolute" else apart**2
    weights = problem.p_x[used].astype(wide) * np.exp(u[used].astype(wide) - found.scale)
    exact = weights @ np.exp(-wide(multiplier[0]) * costs)
    total = float(weights @ np.exp(wide(multiplier[0]) * 0 * costs[:, 0]))
    above = (found.bounds.astype(wide) - exact) / total
    assert above.min() >= 0
    assert above.max() <= 2e-12


@given(on_a_line(kinds=("absolute",)))
def test_moments_are_those_of_the_channel(drawn):
    problem, u, multiplier, rng = drawn
    channel = channel_of(problem, rng, multiplier)
    numbers = numbers_of(FloatNumbers, problem, u, multiplier, channel)
    found = channel_on_line(numbers, worthwhile=0)
    if found is None:  # a symbol whose letters are all out of reach
        return
    used = problem.p_x > 0
    loss = problem.losses[0].structure
    apart = np.abs(np.subtract.outer(loss.points[used].astype(wide), loss.reproduction[channel.letters].astype(wide)))
    entries = channel.q.astype(wide) * np.exp(-wide(multiplier[0]) * apart)
    rows = entries / entries.sum(axis=1, keepdims=True)
    p = problem.p_x[used].astype(wide) / problem.p_x[used].astype(wide).sum()
    law = p @ rows
    rate = (p[:, None] * rows * np.log(np.where(rows > 0, rows / law, 1.0))).sum()
    mean = (p[:, None] * rows * apart).sum()
    span = float(multiplier[0] * np.ptp(np.r_[loss.points, loss.reproduction]))  # nats
    allowed = 1e-12 * (1 + span)
    assert mean <= found[1].losses[0] <= mean * (1 + allowed) + 1e-280
    over = float(np.log(found[0].masses.sum()))
    assert rate - 1e-18 <= found[1].rate + max(over, 0.0) + 1e-15
    assert found[1].rate <= rate + allowed * (1 + float(multiplier[0] * mean) + abs(np.log(entries.sum(axis=1))).max())
    np.testing.assert_allclose(found[0].masses, law.astype(float), rtol=1e-11 * (1 + span), atol=1e-300)


def test_another_loss_or_one_more_has_its_channel_looked_at():
    source = rdc.Source(None, [0.2, 0.3, 0.5])
    loss, squares = (LineLoss(kind, np.arange(3.0)) for kind in ("absolute", "squared_error"))
    for problem in (
        rdc.Problem(source, distortion=squares),
        rdc.Problem(source, distortion=loss, limits=[rdc.LossLimit(1.0, np.eye(3), "other")]),
    ):
        channel = Channel(problem, np.arange(3), np.full(3, 1 / 3), np.ones(len(problem.losses)))
        numbers = numbers_of(FloatNumbers, problem, np.zeros(3), np.ones(len(problem.losses)), channel)
        assert channel_on_line(numbers, worthwhile=0) is None
        assert numbers.row_error() < 1e-15
