"""What the paper states in passing: convexity of D(C, R), rates called largest, bounds on losses and distances."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

import rdcsolve as rdc
from rdcsolve.information import conditional_entropy, entropy, mutual_information
from rdcsolve.theory import gaussian, theorem_4, theorem_5

INF = math.inf
seeds = st.integers(0, 2**32 - 1)


@given(rates=st.tuples(st.floats(0.0, 3.0), st.floats(0.0, 3.0)), rho=st.floats(0.05, 0.99))
def test_the_gaussian_distortion_is_convex_in_label_entropy_and_rate(rates, rho):
    """Corners of two rates: the point between has at most the mean distortion, so C* and D are convex (C9)."""
    (D0, C0), (D1, C1) = (gaussian.region(R, rho) for R in rates)
    middle = sum(rates) / 2
    assert gaussian.critical_label_entropy(middle, rho) <= (C0 + C1) / 2 + 1e-12
    assert gaussian.distortion(middle, (C0 + C1) / 2 + 1e-9, rho) <= (D0 + D1) / 2 + 1e-12


@given(seeds)
@settings(max_examples=5)
def test_the_least_distortion_is_convex_and_falls(seed):
    rng = np.random.default_rng(seed)
    labels = rng.dirichlet([0.5, 0.5], 4)
    source = rdc.Source(rng.normal(size=4), rng.dirichlet(np.ones(4)), [labels])
    problem = rdc.Problem(source, limits=[rdc.LabelEntropyLimit(INF)])
    least, most = conditional_entropy(source.p_x, labels, np.eye(4)), entropy(source.p_x @ labels)
    ends = np.column_stack(
        [least + rng.uniform(0.3, 1.0, 2) * (most - least), rng.uniform(0.5, 1.0, 2) * entropy(source.p_x)]
    )

    def distortion(C, R):
        return rdc.solve(problem.with_limits(C=C).minimising("distortion", rate=R), tolerance=1e-7)

    values = [distortion(C, R) for C, R in [*ends, ends.mean(axis=0)]]
    if all(value.status is rdc.Status.OPTIMAL for value in values):
        first, second, middle = values
        assert middle.objective_lower <= (first.objective_upper + second.objective_upper) / 2 + 1e-9
        looser = distortion(*(ends.mean(axis=0) * 1.05))
        assert looser.objective_lower <= middle.objective_upper + 1e-9


@given(rho=st.floats(0.1, 0.95), far=st.floats(1.0, 12.0))
def test_no_rate_is_the_largest(rho, far):
    """The information about the label is bounded by I(X; S); the rate that comes near C_min is not."""
    about_the_label = -0.5 * math.log1p(-(rho**2))
    C = gaussian.critical_label_entropy(about_the_label * far, rho)
    assert C > gaussian.minimum_label_entropy(rho)
    assert gaussian.rate(INF, C, rho) == pytest.approx(about_the_label * far, rel=1e-6)
    there = gaussian.critical_label_entropy(about_the_label, rho) - gaussian.minimum_label_entropy(rho)
    assert there == pytest.approx(0.5 * math.log1p(rho**2), abs=1e-12)


@given(seeds)
def test_cross_entropy_is_an_upper_bound_in_the_mean(seed):
    rng = np.random.default_rng(seed)
    n_x, n_a, n_s = rng.integers(2, 6, 3)
    joint = rng.dirichlet(np.ones(n_a * n_s)).reshape(n_a, n_s)
    masses = joint.sum(axis=1)
    posterior = joint / masses[:, None]
    classifier = rng.dirichlet(np.ones(n_s), n_a)
    unknown = conditional_entropy(masses, posterior, np.eye(n_a))
    assert -(joint * np.log(classifier)).sum() >= unknown - 1e-12
    assert -(joint * np.log(posterior)).sum() == pytest.approx(unknown, abs=1e-12)


def test_the_average_over_a_sample_may_be_below_the_entropy():
    """A bit of probability 0.3: among samples of ten most have an average log loss below H(S)."""
    p, n = 0.3, 10
    below = 0.0
    for ones in range(n + 1):
        average = -(ones * math.log(p) + (n - ones) * math.log(1 - p)) / n
        if average < entropy([p, 1 - p]) - 1e-12:
            below += math.comb(n, ones) * p**ones * (1 - p) ** (n - ones)
    assert 0.3 < below < 0.5


@given(seeds)
def test_the_rate_is_at_most_h_log_l(seed):
    rng = np.random.default_rng(seed)
    h, levels, n_x = int(rng.integers(1, 4)), int(rng.integers(2, 4)), int(rng.integers(2, 40))
    words = rng.integers(0, levels, (n_x, h))  # what a quantiser makes of each symbol
    index = words @ levels ** np.arange(h)
    p_x = rng.dirichlet(np.ones(n_x))
    messages = np.bincount(index, weights=p_x, minlength=levels**h)
    channel = np.zeros((n_x, levels**h))
    channel[np.arange(n_x), index] = 1.0
    decoder = rng.dirichlet(np.ones(5), levels**h)
    rates = (
        mutual_information(p_x, channel @ decoder),
        mutual_information(p_x, channel),
        entropy(messages),
        h * math.log(levels),
    )
    assert all(less <= more + 1e-12 for less, more in itertools.pairwise(rates))


def test_the_rate_of_the_experiment_is_in_bits():
    assert 3 * math.log2(3) == pytest.approx(4.755, abs=5e-4)
    assert -0.5 * math.log(1 - 0.7**2) == pytest.approx(0.3367, abs=5e-5)  # nats, of section V-A


@given(seeds)
def test_distances_between_laws_on_a_bounded_set(seed):
    """W1 <= W2 and W2^2 <= diam W1, by a coupling of equal weights in increasing order."""
    rng = np.random.default_rng(seed)
    x, y = np.sort(rng.uniform(-3, 5, (2, 12)), axis=1)
    first, second = np.abs(x - y).mean(), math.sqrt(((x - y) ** 2).mean())
    assert first == pytest.approx(wasserstein_distance(x, y))
    diameter = max(x.max(), y.max()) - min(x.min(), y.min())
    assert first <= second + 1e-12
    assert second**2 <= diameter * first + 1e-12


@pytest.mark.parametrize("share", [1e-2, 1e-4, 1e-6])
def test_no_factor_bounds_w2_by_w1(share):
    pytest.importorskip("ot")
    from rdcsolve.theory import transport

    near = math.sqrt(transport.squared_wasserstein([0.0], [1.0], [0.0, 1.0], [1 - share, share]))
    assert near / wasserstein_distance([0.0], [0.0, 1.0], None, [1 - share, share]) == pytest.approx(share**-0.5)
    far = transport.squared_wasserstein([0.0], [1.0], [0.0, 1 / share], [1 - share, share])
    assert far == pytest.approx(1 / share)
    assert wasserstein_distance([0.0], [0.0, 1 / share], None, [1 - share, share]) == pytest.approx(1.0)


@given(seeds)
@settings(max_examples=6)
def test_an_optimal_point_is_the_corner_of_its_own_region(seed):
    """C10 (ii), free reproductions on the line."""
    rng = np.random.default_rng(seed)
    source = rdc.Source(rng.normal(size=4), rng.dirichlet(np.ones(4)), [rng.dirichlet([0.5, 0.5], 4)])
    problem = rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(INF)])
    point = rdc.solve(problem.at_multipliers(distortion=3.0, label_entropy=0.7), tolerance=1e-8)
    D, C = theorem_4(point.channel, source).corner
    assert (D, C) == pytest.approx((point.losses["distortion"], point.label_entropy), abs=1e-5)


def test_an_encoder_for_distortion_does_not_reach_the_least_label_entropy():
    """C10 (iii): Figure 3 rightly draws C^(b) above C_3, which is proved here by bounds on both."""
    source = rdc.sources.mixture([-1, 1], [0.3, 1.2], n_x=21)
    problem = rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(INF)])
    first = rdc.solve(problem.minimising("distortion", rate=0.5), tolerance=1e-6)
    least = rdc.solve(problem.minimising("label_entropy", rate=0.5), tolerance=1e-6)
    assert theorem_4(first.channel, source).corner[1] > least.objective_upper + 0.01


@pytest.mark.parametrize("small", [0.5, 0.1, 0.01])
def test_the_least_label_entropy_may_cost_any_factor(small):
    """C10 (iv): D3 = 1 and D1 <= small^2 at one bit; twice D1 would be what perception costs."""
    points = np.array([(b, small * t) for b in (-1, 1) for t in (-1, 1)])
    big, label = np.repeat(np.eye(2), 2, axis=0), np.tile(np.eye(2), (2, 1))
    found = theorem_5(rdc.Source(points, np.full(4, 0.25), labels=[label]), first=big, third=label)
    assert found.D1 == pytest.approx(small**2)
    assert found.D3 == pytest.approx(1.0)
    assert theorem_4(label, rdc.Source(points, np.full(4, 0.25), labels=[label])).corner == pytest.approx((1.0, 0.0))
