"""What a fixed encoder can be decoded to in error and realism: linear programmes, the Gaussian, known values."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog

import rdcsolve as rdc

FIVE = rdc.Source(np.arange(-2.0, 3.0), [0.15, 0.25, 0.3, 0.2, 0.1])


@st.composite
def encoders(draw, dimensions=(1, 2, 3)):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, k, dim = draw(st.integers(2, 6)), draw(st.integers(1, 4)), draw(st.sampled_from(dimensions))
    far = draw(st.sampled_from([0.0, 1e3]))
    masses = rng.dirichlet(np.ones(n))
    if draw(st.booleans()):
        masses[0] = 0.0
    source = rdc.Source(far + rng.normal(size=(n, dim)), masses, normalise=True)
    return source, rng.dirichlet(np.full(k, 0.5), n)


def decoded(source, channel, points, decoder):
    """Return the squared error and the law of a decoder's points."""
    joint = (source.p_x[:, None] * channel) @ decoder
    squares = ((source.points[:, None] - points[None]) ** 2).sum(axis=2)
    return float((joint * squares).sum()), joint.sum(axis=0)


def squared_distance(p, x, q, y):
    """W2^2 by a linear programme."""
    cost = ((x[:, None] - y[None]) ** 2).sum(axis=2)
    rows = np.kron(np.eye(p.size), np.ones(q.size))
    columns = np.kron(np.ones(p.size), np.eye(q.size))
    right = np.concatenate([p, q])[:-1]
    answer = linprog(cost.ravel(), A_eq=np.vstack([rows, columns])[:-1], b_eq=right, method="highs")
    return float(answer.fun)


@given(encoders(), st.floats(0, 1.5))
def test_decoders_attain_the_boundary(question, share):
    source, channel = question
    region = rdc.perception_region(channel, source)
    P = share**2 * region.squared_distance
    points, decoder = region.decoder(P)
    used = channel[:, (source.p_x @ channel) > 0]
    error, law = decoded(source, used, points, decoder)
    scale = np.ptp(source.points, axis=0) @ np.ptp(source.points, axis=0)
    assert error == pytest.approx(region.distortion(P), abs=1e-9 * scale)
    away = squared_distance(source.p_x / source.p_x.sum(), source.points, law / law.sum(), points)
    assert away <= P + 1e-7 * scale
    assert region.squared_distance - region.squared_distance_lower <= 1e-7 * scale
    assert region.contains((error + 1e-9 * scale, P))
    assert not region.contains((error - 1e-6 * scale, P))
    assert region.squared_distance <= region.mmse + 1e-9 * scale  # the factor of two
    (least, farthest), (most, zero) = region.corners
    assert (region.distortion(math.inf), region.distortion(farthest)) == (least, least)
    assert zero == 0
    assert region.distortion(0) == pytest.approx(most, abs=1e-12 * scale)
    assert region.perception(error) == pytest.approx(min(P, farthest), abs=1e-5 * scale)


@given(encoders(dimensions=(1,)), st.floats(0, 1.2))
def test_no_decoder_does_better(question, share):
    """A linear programme over decoders into the points of the best one, its symbols and its means."""
    source, channel = question
    region = rdc.perception_region(channel, source)
    P = share**2 * region.squared_distance
    shown = np.unique(np.concatenate([region.decoder(P)[0], source.points, region.points]), axis=0)
    p, x = source.p_x / source.p_x.sum(), source.points
    k, n, m = channel.shape[1], x.shape[0], shown.shape[0]
    squares = ((x[:, None] - shown[None]) ** 2).sum(axis=2)
    joint = p[:, None] * channel
    q = joint.sum(axis=0)
    cost = np.concatenate([(joint.T @ squares).ravel(), np.zeros(n * m)])
    rows = np.block([[np.kron(np.eye(k), np.ones(m)), np.zeros((k, n * m))]])
    plans = np.block([[np.zeros((n, k * m)), np.kron(np.eye(n), np.ones(m))]])
    laws = np.block([[np.kron(q, np.eye(m)), -np.kron(np.ones(n), np.eye(m))]])
    right = np.concatenate([np.ones(k), p, np.zeros(m)])
    spent = np.concatenate([np.zeros(k * m), squares.ravel()])[None]
    answer = linprog(
        cost, A_ub=spent, b_ub=[P + 1e-12], A_eq=np.vstack([rows, plans, laws]), b_eq=right, method="highs"
    )
    assert answer.status == 0
    assert answer.fun == pytest.approx(region.distortion(P), abs=2e-6 * squares.max())


def test_the_best_encoder_for_realism_is_universal_on_a_grid():
    """A Gaussian's penalty is zero, and the boundary of this encoder is the Gaussian's."""
    n, half = 200, 5.0
    x = (np.arange(n) + 0.5) / n * 2 * half - half
    bell = rdc.Source(x, np.exp(-(x**2) / 2), normalise=True)
    problem = rdc.Problem(bell, limits=[rdc.DistortionLimit(0.3266805062), rdc.PerceptionLimit(0.0, "w2")])
    result = rdc.solve(problem)
    region = rdc.perception_region(result, bell)
    assert result.rate_upper == pytest.approx(0.6019788, abs=5e-8)
    assert region.mmse == pytest.approx(0.3000000643, abs=1e-9)
    assert region.squared_distance == pytest.approx(0.0266804418, abs=1e-9)
    assert region.distortion(0.005) == pytest.approx(0.3085805313, abs=1e-9)
    variance = float(bell.p_x @ x**2)
    s, kept = math.sqrt(variance), math.sqrt(1 - math.exp(-2 * region.rate))
    for P in (0.0, 0.005, 0.01):
        t = s - math.sqrt(P)
        formula = variance + t * t - 2 * s * t * kept
        assert region.distortion(P) == pytest.approx(formula, abs=1e-7)


@pytest.mark.parametrize(
    ("D", "rate", "mmse", "away"),
    [
        (0.2, 0.91870220, 0.19999861, 0.05523220),
        (0.5, 0.49585414, 0.49999921, 0.22886817),
        (0.9, 0.21840811, 0.89999899, 0.57984438),
    ],
)
def test_five_points_between_many_reproductions(D, rate, mmse, away):
    """Known otherwise to eight digits of the rate; the encoder is not unique, and known to seven."""
    problem = rdc.Problem(FIVE, reproduction=np.linspace(-2, 2, 161), limits=[rdc.DistortionLimit(D)])
    result = rdc.solve(problem)
    region = rdc.perception_region(result, FIVE)
    assert result.rate_upper == pytest.approx(rate, abs=6e-8)
    assert region.mmse == pytest.approx(mmse, abs=1e-7)
    assert region.squared_distance == pytest.approx(away, abs=3e-7)


@pytest.mark.parametrize(
    ("D", "realistic", "decoded", "least"),
    [
        (0.2, 0.20964318, 0.25523081, 0.20754217),
        (0.5, 0.56771314, 0.72886738, 0.55368961),
        (0.9, 1.14142636, 1.47984337, 1.11947968),
    ],
)
def test_theorem_5_with_perfect_realism(D, realistic, decoded, least):
    """The universal decoder pays for realism, and by how much at most has a bound."""
    problem = rdc.Problem(FIVE, reproduction=np.linspace(-2, 2, 161), limits=[rdc.DistortionLimit(D)])
    result = rdc.solve(problem)
    region = rdc.perception_region(result, FIVE)
    best = rdc.Problem(FIVE, limits=[rdc.PerceptionLimit(0.0, "exact")])
    third = rdc.solve(best.minimising("distortion", rate=result.rate_upper))
    mean = float(FIVE.p_x @ FIVE.points[:, 0])
    v = float(FIVE.p_x @ (FIVE.points[:, 0] - mean) ** 2)
    bound = 2 * v - 2 * math.sqrt(v * (v - region.mmse))
    assert third.objective_upper == pytest.approx(realistic, abs=5e-8)
    assert bound == pytest.approx(least, abs=5e-8)
    assert region.corners[1][0] == pytest.approx(decoded, abs=1e-7)
    assert bound <= third.objective_lower
    assert third.objective_upper < region.corners[1][0] <= 2 * region.mmse


def test_ends():
    full = rdc.perception_region(np.eye(5), FIVE)
    assert full.corners == ((0.0, 0.0), (0.0, 0.0))
    assert full.decoder(0.0)[1].sum(axis=1) == pytest.approx(1)
    nothing = rdc.perception_region(np.ones((5, 1)), FIVE)
    variance = float(FIVE.p_x @ FIVE.points[:, 0] ** 2 - (FIVE.p_x @ FIVE.points[:, 0]) ** 2)
    assert nothing.corners[1] == pytest.approx((2 * variance, 0.0))
    assert nothing.perception(0.5 * variance) == math.inf
    assert repr(nothing).startswith("<PerceptionRegion: D >= ")


def test_bad_input():
    with pytest.raises(rdc.InvalidInput, match="the source has no points"):
        rdc.perception_region(np.eye(2), rdc.Source(None, [0.5, 0.5]))
    with pytest.raises(rdc.InvalidInput, match="source is 3; pass a Source"):
        rdc.perception_region(np.eye(2), 3)
    region = rdc.perception_region(np.eye(5), FIVE)
    with pytest.raises(rdc.InvalidInput, match="P is -1; give a number >= 0, or inf"):
        region.distortion(-1)
