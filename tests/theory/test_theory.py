"""The closed forms against the definitions: quadrature, covariance algebra, grid search, other channels."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import integrate, stats

from rdcsolve.errors import InvalidInput
from rdcsolve.information import binary_entropy, conditional_entropy, entropy, mutual_information
from rdcsolve.theory import binary, discretisation, erasure, gaussian, laplace, perception, uniform_hamming

INF = math.inf
H_S = 0.5 * math.log(2 * math.pi * math.e)  # h(S) of a unit normal label

correlations = st.floats(0.05, 0.99) | st.floats(-0.99, -0.05)
variances = st.floats(0.05, 20.0)
rates = st.floats(0.0, 6.0)
fractions = st.floats(0.0, 1.0)


# --------------------------------------------------------------------------- R(D): two-sided proofs
#
# Lower side: R(D) >= E j(X, D) whenever E exp(j(X, D) + lambda D - lambda d(X, a)) <= 1 for every letter a.


def on_the_line(density, kinks):
    """The expectation of a function of X by quadrature, split where it has a kink."""

    def mean(f, at=0.0):
        edges = sorted({-60.0, *kinks, at, 60.0})
        pieces = zip(edges, edges[1:], strict=False)
        return sum(integrate.quad(lambda x: density(x) * f(x), a, b, limit=200)[0] for a, b in pieces)

    return mean


def over_symbols(masses):
    return lambda f, at=0.0: sum(mass * f(x) for x, mass in enumerate(masses))


def hamming(x, a):
    return float(x != a)


# source, its mean, distortion, letters to try, and D
CURVES = {
    "gaussian": (
        (gaussian, {"var_x": 1.7}),
        on_the_line(stats.norm(scale=math.sqrt(1.7)).pdf, []),
        lambda x, a: (x - a) ** 2,
        [-3.0, 0.0, 0.4, 5.0],
        [0.05, 0.6, 1.5],
    ),
    "laplace": (
        (laplace, {"scale": 1.3}),
        on_the_line(stats.laplace(scale=1.3).pdf, [0.0]),
        lambda x, a: abs(x - a),
        [-4.0, 0.0, 0.5, 6.0],
        [0.1, 0.6, 1.2],
    ),
    "bernoulli": ((binary, {"b": 0.3}), over_symbols([0.7, 0.3]), hamming, [0, 1], [0.01, 0.15, 0.29]),
    "bernoulli, 1 more likely": ((binary, {"b": 0.7}), over_symbols([0.3, 0.7]), hamming, [0, 1], [0.15]),
    "uniform": ((uniform_hamming, {"n_x": 5}), over_symbols([0.2] * 5), hamming, range(5), [0.1, 0.5, 0.79]),
}
POINTS = [(name, D) for name, case in CURVES.items() for D in case[4]]


def check_lower_bound(name, D, raised_by=0.0):
    (module, source), mean, loss, letters, _ = CURVES[name]
    slope = module.multiplier(D, **source)
    tilted = lambda x: module.d_tilted_information(x, D, **source) + raised_by  # noqa: E731
    for a in letters:
        price = mean(lambda x, a=a: math.exp(tilted(x) + slope * (D - loss(x, a))), at=float(a))
        assert price == pytest.approx(1.0, abs=1e-7), f"letter {a}"
    assert mean(tilted) == pytest.approx(module.rate_distortion(D, **source), abs=1e-7)


@pytest.mark.parametrize(("name", "D"), POINTS)
def test_rate_distortion_meets_its_dual_bound(name, D):
    check_lower_bound(name, D)


@pytest.mark.parametrize("name", CURVES)
def test_dual_bound_rejects_more_rate(name):
    with pytest.raises(AssertionError, match="letter"):
        check_lower_bound(name, CURVES[name][4][0], raised_by=1e-5)


@pytest.mark.parametrize("D", [0.1, 0.6, 1.2])
def test_laplace_channel_attains_the_rate(D):
    """X = letter (0 with mass (D/s)^2, else Laplace) + error of scale D, so that R = h(X) - h(error)."""
    scale, t = 1.3, np.linspace(0, 30, 61)
    at_zero = (D / scale) ** 2
    letter = at_zero + (1 - at_zero) / (1 + (scale * t) ** 2)  # characteristic functions
    np.testing.assert_allclose(letter / (1 + (D * t) ** 2), 1 / (1 + (scale * t) ** 2), rtol=1e-12)
    assert on_the_line(stats.laplace(scale=D).pdf, [0.0])(abs) == pytest.approx(D)
    assert laplace.differential_entropy(D) == pytest.approx(stats.laplace(scale=D).entropy())
    attained = stats.laplace(scale=scale).entropy() - stats.laplace(scale=D).entropy()
    assert laplace.rate_distortion(D, scale) == pytest.approx(attained)


def test_uniform_hamming_channel_attains_the_rate():
    D, n_x = 0.3, 5
    channel = np.full((n_x, n_x), D / (n_x - 1)) + np.eye(n_x) * (1 - D - D / (n_x - 1))
    assert mutual_information(np.full(n_x, 0.2), channel) == pytest.approx(
        uniform_hamming.rate_distortion(D, n_x), abs=1e-12
    )


def test_binary_and_uniform_agree_on_a_fair_coin():
    D = np.linspace(0, 1, 41)
    np.testing.assert_allclose(uniform_hamming.rate_distortion(D, 2), binary.rate_distortion(D, 0.5), atol=1e-15)


# --------------------------------------------------------------------------- R(D): shape

RATE_DISTORTION = {
    "gaussian": (gaussian, 1.7, 1.7),
    "laplace": (laplace, 1.3, 1.3),
    "binary": (binary, 0.3, 0.3),
    "uniform": (uniform_hamming, 5, 0.8),
}
each_curve = pytest.mark.parametrize(("module", "parameter", "D_max"), RATE_DISTORTION.values(), ids=RATE_DISTORTION)


@each_curve
def test_limits_of_rate_distortion(module, parameter, D_max):
    entropy_of_source = {binary: binary_entropy(0.3), uniform_hamming: math.log(5)}.get(module, INF)
    assert module.rate_distortion(0.0, parameter) == pytest.approx(entropy_of_source)
    assert module.distortion_rate(0.0, parameter) == pytest.approx(D_max, rel=1e-12)
    assert module.distortion_rate(INF, parameter) == 0.0
    for D in (D_max * (1 + 1e-12), 2 * D_max, INF):
        assert module.rate_distortion(D, parameter) == 0.0
        assert module.multiplier(D, parameter) == 0.0
        assert module.d_tilted_information(1.0, D, parameter) == 0.0


@each_curve
@given(fraction=st.floats(1e-3, 0.97))
def test_distortion_rate_inverts_rate_distortion(module, parameter, D_max, fraction):
    D = fraction * D_max
    R = module.rate_distortion(D, parameter)
    assert module.distortion_rate(R, parameter) == pytest.approx(D, rel=1e-9)
    assert module.rate_distortion(module.distortion_rate(R, parameter), parameter) == pytest.approx(R, rel=1e-9)


@each_curve
@given(fraction=st.floats(0.01, 0.95))
def test_multiplier_is_the_slope(module, parameter, D_max, fraction):
    D, step = fraction * D_max, 1e-6 * D_max
    rise = module.rate_distortion(D - step, parameter) - module.rate_distortion(D + step, parameter)
    assert module.multiplier(D, parameter) == pytest.approx(rise / (2 * step), rel=1e-4, abs=1e-4)


@each_curve
@given(low=st.floats(0.001, 1.5), high=st.floats(0.001, 1.5), weight=fractions)
def test_rate_distortion_is_convex_and_falls(module, parameter, D_max, low, high, weight):
    D = np.array(sorted([low, high])) * D_max
    R = module.rate_distortion(D, parameter)
    middle = module.rate_distortion(weight * D[0] + (1 - weight) * D[1], parameter)
    assert R[0] >= middle - 1e-12
    assert middle >= R[1] - 1e-12
    assert middle <= weight * R[0] + (1 - weight) * R[1] + 1e-12


# --------------------------------------------------------------------------- Gaussian pair: Theorem 1


@given(D=st.floats(1e-6, 30.0), rho=correlations, var_x=variances, var_s=variances)
def test_theorem_1_without_a_label_limit_is_rate_distortion(D, rho, var_x, var_s):
    expected = max(0.0, 0.5 * math.log(var_x / D))
    assert gaussian.rate(D, INF, rho, var_x, var_s) == pytest.approx(expected, abs=1e-12)


def test_theorem_1_special_cases():
    C_min = gaussian.minimum_label_entropy(0.7)
    assert pytest.approx(H_S + 0.5 * math.log(1 - 0.49)) == C_min
    assert gaussian.rate(INF, INF, 0.7) == 0.0
    assert gaussian.rate(INF, H_S, 0.7) == 0.0
    assert gaussian.rate(2.0, H_S + 0.5, 0.7) == 0.0  # the printed cases 1 and 2 are negative here
    assert gaussian.rate(0.0, INF, 0.7) == INF
    assert gaussian.rate(1.0, C_min, 0.7) == INF
    assert gaussian.rate(1.0, -INF, 0.7) == INF
    # -1/2 ln T(C) diverges like -1/2 ln(C - C_min); no digits may be lost on the way
    assert gaussian.rate(INF, C_min + 2.0**-40, 0.7) == pytest.approx(-0.5 * math.log(0.51 / 0.49 * 2.0**-39), rel=1e-6)


@pytest.mark.parametrize("rho", [1.0, -1.0])
def test_label_that_is_the_source(rho):
    """S = X up to scale: H(S|A) falls one for one with the rate."""
    for C in (-200.0, -3.0, 0.5, H_S):
        assert gaussian.rate(INF, C, rho) == pytest.approx(H_S - C)
    assert gaussian.minimum_label_entropy(rho) == -INF
    assert gaussian.rate(0.1, -INF, rho) == INF
    assert gaussian.critical_label_entropy(2.0, rho) == pytest.approx(H_S - 2.0)


def test_label_independent_of_the_source():
    assert gaussian.rate(0.25, H_S, 0.0) == pytest.approx(math.log(2))
    assert gaussian.rate(0.25, H_S - 1e-9, 0.0) == INF
    assert gaussian.critical_label_entropy(3.0, 0.0) == H_S


@given(rho=correlations, var_x=variances, var_s=variances, noise=st.floats(1e-3, 100.0))
def test_theorem_1_is_attained_by_a_noisy_channel(rho, var_x, var_s, noise):
    """A = X + noise: the losses by covariance algebra, the rate by the formula of the Gaussian channel."""
    covariance = np.array([[var_x, rho * math.sqrt(var_x * var_s)], [rho * math.sqrt(var_x * var_s), var_s]])
    given_a = covariance - np.outer(covariance[0], covariance[0]) / (var_x + noise)
    D, C = given_a[0, 0], 0.5 * math.log(2 * math.pi * math.e * given_a[1, 1])
    R = 0.5 * math.log1p(var_x / noise)
    assert gaussian.rate(D, INF, rho, var_x, var_s) == pytest.approx(R, abs=1e-9)
    assert gaussian.rate(INF, C, rho, var_x, var_s) == pytest.approx(R, rel=1e-6, abs=1e-9)
    assert gaussian.critical_label_entropy(R, rho, var_s) == pytest.approx(C, abs=1e-12)


def quantiser(thresholds, rho):
    """Rate, squared error and h(S|A) when A is the cell of X, by truncated normals and quadrature."""
    edges = np.concatenate([[-INF], np.sort(thresholds), [INF]])
    mass = np.diff(stats.norm.cdf(edges))
    centre = -np.diff(stats.norm.pdf(edges)) / mass
    D = 1.0 - (mass * centre**2).sum()
    s = np.linspace(-9.0, 9.0, 3601)
    cells = np.diff(stats.norm.cdf((edges[:, None] - rho * s) / math.sqrt(1 - rho**2)), axis=0)
    joint = stats.norm.pdf(s) * np.maximum(cells, 0.0)  # density of S and mass of the cell
    logs = np.log(np.where(joint > 0, joint / mass[:, None], 1.0))
    return entropy(mass), D, -integrate.trapezoid((joint * logs).sum(axis=0), s)


def check_quantiser(formula, thresholds, rho):
    R, D, C = quantiser(np.array(thresholds), rho)
    assert formula(D, C, rho) <= R + 1e-9
    assert formula(D, INF, rho) <= R + 1e-9
    assert formula(INF, C, rho) <= R + 1e-9
    return R, D, C


cell_edges = st.lists(st.integers(-25, 25), min_size=1, max_size=5, unique=True).map(lambda k: [i / 10 for i in k])


@given(thresholds=cell_edges, rho=st.floats(0.2, 0.98))
def test_no_quantiser_beats_theorem_1(thresholds, rho):
    R, D, C = check_quantiser(gaussian.rate, thresholds, rho)
    # The limits are not idle, and D(C, R) holds too.
    assert gaussian.rate(D, C, rho) > 0.0
    assert gaussian.distortion(R, C, rho) <= D + 1e-9


def test_quantiser_check_can_fail():
    R, D, C = quantiser(np.array([0.0]), 0.7)
    assert (pytest.approx(math.log(2)), pytest.approx(1 - 2 / math.pi)) == (R, D)
    assert gaussian.rate(D, C, 0.7) > 0.6 * R
    with pytest.raises(AssertionError):
        check_quantiser(lambda D, C, rho: 1.5 * gaussian.rate(D, C, rho), [0.0], 0.7)


@given(
    rho=correlations,
    D=st.tuples(st.floats(0.01, 1.5), st.floats(0.01, 1.5)),
    above=st.tuples(st.floats(1e-3, 2.0), st.floats(1e-3, 2.0)),
    weight=fractions,
)
def test_theorem_1_is_jointly_convex_and_falls(rho, D, above, weight):
    D, C = np.array(D), gaussian.minimum_label_entropy(rho) + np.array(above)
    weights = np.array([weight, 1 - weight])
    R = gaussian.rate(D, C, rho)
    assert gaussian.rate(weights @ D, weights @ C, rho) <= weights @ R + 1e-9
    assert gaussian.rate(D.max(), C.max(), rho) <= R.min()
    assert gaussian.rate(D.min(), C.min(), rho) >= R.max()


@given(rho=correlations, D=st.floats(0.01, 1.5), above=st.floats(0.01, 1.5), var_x=variances, var_s=variances)
def test_theorem_1_multipliers_are_slopes(rho, D, above, var_x, var_s):
    D, C = D * var_x, gaussian.minimum_label_entropy(rho, var_s) + above
    parts = gaussian.rate(D, INF, rho, var_x, var_s), gaussian.rate(INF, C, rho, var_x, var_s)
    assume(abs(parts[0] - parts[1]) > 1e-3)  # away from the kinks
    lambda_d, lambda_c = gaussian.multipliers(D, C, rho, var_x, var_s)
    dD, dC = 1e-6 * D, 1e-6 * above
    args = rho, var_x, var_s
    slope_d = (gaussian.rate(D - dD, C, *args) - gaussian.rate(D + dD, C, *args)) / (2 * dD)
    slope_c = (gaussian.rate(D, C - dC, *args) - gaussian.rate(D, C + dC, *args)) / (2 * dC)
    assert lambda_d == pytest.approx(slope_d, rel=1e-5, abs=1e-5)
    assert lambda_c == pytest.approx(slope_c, rel=1e-5, abs=1e-5)
    assert lambda_c == 0.0 or lambda_c >= 1.0


def test_multipliers_are_unknown_where_the_rate_is_infinite():
    assert np.isnan(gaussian.multipliers(0.5, gaussian.minimum_label_entropy(0.7), 0.7)).all()
    assert np.isnan(binary.multipliers(0.1, 0.1, 0.4, 0.2)).all()
    assert math.isnan(erasure.multiplier(0.1, 0.1, 0.6, 0.2))


# --------------------------------------------------------------------------- Gaussian pair: Theorem 2


@given(rho=correlations, R=rates, var_x=variances, var_s=variances, slack=st.floats(0.0, 3.0))
def test_distortion_inverts_rate(rho, R, var_x, var_s, slack):
    C = gaussian.critical_label_entropy(R, rho, var_s) + slack
    D = gaussian.distortion(R, C, rho, var_x, var_s)
    assert pytest.approx(var_x * math.exp(-2 * R)) == D
    assert gaussian.rate(D, INF, rho, var_x, var_s) == pytest.approx(R, abs=1e-9)
    if slack > 1e-6:
        assert gaussian.rate(D, C, rho, var_x, var_s) == pytest.approx(R, abs=1e-9)


@given(rho=correlations, D=st.floats(0.001, 2.0), above=st.floats(1e-6, 2.0))
def test_limits_are_met_at_the_rate_they_cost(rho, D, above):
    C = gaussian.minimum_label_entropy(rho) + above
    R = gaussian.rate(D, C, rho)
    assert gaussian.distortion(R, C, rho) <= D * (1 + 1e-9)
    if R > 1e-3 and gaussian.rate(INF, C, rho) == R:
        assert gaussian.distortion(R - 1e-3, C, rho) == INF


@given(rho=correlations, R=rates, above=st.floats(0.0, 3.0), var_x=variances)
def test_safe_form_never_beats_shannon(rho, R, above, var_x):
    C = gaussian.minimum_label_entropy(rho) + above
    assert gaussian.distortion(R, C, rho, var_x) >= gaussian.distortion_rate(R, var_x)


def test_printed_theorem_2_beats_shannon_at_a_named_point():
    """rho = 0.7, R = 0.2 nat, C = 1.3 nat, inside the second printed case."""
    rho, R, C = 0.7, 0.2, 1.3
    assert gaussian.minimum_label_entropy(rho) < C < gaussian.critical_label_entropy(R, rho)
    printed = gaussian.distortion_theorem_2_as_printed(C, R, rho)
    assert printed == pytest.approx(1 - (1 - math.exp(2 * C - 2 * H_S)) / rho**2)
    assert printed == pytest.approx(0.5680, abs=5e-5)
    assert printed < math.exp(-2 * R) - 0.1
    # In truth such a C costs more rate than R, and with that rate the printed D is right.
    needed = gaussian.rate(INF, C, rho)
    assert needed == pytest.approx(0.28285, abs=5e-6)
    assert math.exp(-2 * needed) == pytest.approx(printed)
    assert gaussian.distortion(R, C, rho) == INF


def test_printed_theorem_2_beats_shannon_in_its_whole_second_case():
    rho, R = 0.7, 0.2
    C_min, C_star = gaussian.minimum_label_entropy(rho), gaussian.critical_label_entropy(R, rho)
    C = np.linspace(C_min - 0.2, H_S, 2001)
    printed = gaussian.distortion_theorem_2_as_printed(C, R, rho)
    second = (C >= C_min) & (C < C_star)
    np.testing.assert_array_equal(printed < gaussian.distortion_rate(R) * (1 - 1e-12), second)
    assert (np.diff(printed[second]) > 0).all()  # printed to fall with C; it grows
    assert np.isnan(printed[C < C_min]).all()
    np.testing.assert_allclose(printed[C > C_star], math.exp(-2 * R))
    assert gaussian.distortion_theorem_2_as_printed(C_min, R, rho) == pytest.approx(0.0, abs=1e-15)


def test_printed_theorem_2_has_no_error_at_rate_zero():
    """Third case: a source with standard deviation 0.1 has h(X) < 0, so D = 0 is claimed at rate zero."""
    assert gaussian.distortion_theorem_2_as_printed(H_S + 1, 0.0, 0.7, var_x=0.01) == 0.0
    assert gaussian.distortion(0.0, H_S + 1, 0.7, var_x=0.01) == pytest.approx(0.01)


def test_printed_and_safe_forms_agree_at_full_rate():
    """On the curve C = C*(R) both are right; the rate of Figure 4 is I(X;S) at rho = 0.7."""
    R_max = -0.5 * math.log(1 - 0.7**2)
    assert pytest.approx(0.3367, abs=5e-5) == R_max
    C_star = gaussian.critical_label_entropy(R_max, 0.7)
    assert gaussian.distortion_theorem_2_as_printed(C_star, R_max, 0.7) == pytest.approx(
        gaussian.distortion(R_max, C_star, 0.7)
    )


# --------------------------------------------------------------------------- binary pair


def binary_channels(b, p1, steps):
    """Rate, error probability and H(S|A), by definition, of every channel with P(A=1|x) on a grid."""
    grid = np.linspace(0.0, 1.0, steps)
    up0, up1 = np.meshgrid(grid, grid, indexing="ij")
    joint = np.array([[(1 - b) * (1 - up0), (1 - b) * up0], [b * (1 - up1), b * up1]])  # (x, a, ...)
    with_label = np.array([(1 - p1) * joint[0] + p1 * joint[1], p1 * joint[0] + (1 - p1) * joint[1]])

    def total_entropy(masses):
        return -(masses * np.log(np.where(masses > 0, masses, 1.0))).sum(axis=0)

    letters = total_entropy(joint.sum(axis=0))
    R = total_entropy(np.array([1 - b, b])) + letters - total_entropy(joint.reshape(4, steps, steps))
    C = total_entropy(with_label.reshape(4, steps, steps)) - letters
    return R, joint[0, 1] + joint[1, 0], C


def check_binary(formula, b, p1):
    R, D, C = binary_channels(b, p1, steps=401)
    # No channel of the grid is better than the formula at its own losses ...
    assert (formula(D, C, b, p1) <= R + 1e-7).all()
    # ... and at each pair of limits one of them is nearly as good.
    C_min, C_max = binary_entropy(p1), binary_entropy(b + p1 - 2 * b * p1)
    for bound_d in (0.05, 0.12, 0.2, INF):
        for part in (0.2, 0.5, 0.8, 1.1):
            bound_c = C_min + part * (C_max - C_min)
            best = R[(bound_d >= D) & (bound_c >= C)].min()
            assert formula(bound_d, bound_c, b, p1) <= best + 1e-12
            assert best - formula(bound_d, bound_c, b, p1) < 0.01


@pytest.mark.parametrize(("b", "p1"), [(0.4, 0.1), (0.25, 0.3), (0.7, 0.05), (0.4, 0.9)])
def test_binary_formula_against_every_channel(b, p1):
    check_binary(binary.rate, b, p1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda D, C, b, p1: binary.rate(D, INF, b, p1),
        lambda D, C, b, p1: binary.rate(INF, C, b, p1),
        lambda D, C, b, p1: binary.rate(D, C, b, 0.9 * p1),
        lambda D, C, b, p1: 1.05 * binary.rate(D, C, b, p1),
    ],
    ids=["label limit ignored", "distortion limit ignored", "another label", "more rate"],
)
def test_binary_check_can_fail(wrong):
    with pytest.raises(AssertionError):
        check_binary(wrong, 0.4, 0.1)


@given(st.integers(0, 2**32 - 1))
def test_more_letters_do_not_beat_the_binary_formula(seed):
    rng = np.random.default_rng(seed)
    b, p1 = rng.uniform(0.1, 0.5), rng.uniform(0.02, 0.45)
    channel = rng.dirichlet(np.full(4, 0.3), size=2)  # letters 0 and 1 twice each
    p_x, label = np.array([1 - b, b]), np.array([[1 - p1, p1], [p1, 1 - p1]])
    D = p_x @ (channel * np.array([[0, 0, 1, 1], [1, 1, 0, 0]])).sum(axis=1)
    C = conditional_entropy(p_x, label, channel)
    assert binary.rate(D, C, b, p1) <= mutual_information(p_x, channel) + 1e-9


@given(b=st.floats(0.02, 0.98), p1=st.floats(0.0, 0.48), R=st.floats(0.0, 1.0), slack=st.floats(0.0, 0.5))
def test_binary_distortion_inverts_rate(b, p1, R, slack):
    C = binary.critical_label_entropy(R, b, p1)
    D = binary.distortion(R, C + slack, b, p1)
    assert binary.rate(D, C + slack, b, p1) == pytest.approx(min(R, binary_entropy(b)), abs=1e-8)
    assert binary.rate(INF, C, b, p1) == pytest.approx(min(R, binary_entropy(b)), abs=1e-6)
    if R < binary_entropy(b):
        assert binary.distortion(R, C - 1e-9, b, p1) == INF


def test_binary_special_cases():
    h = binary_entropy(0.4)
    assert binary.rate(INF, 0.0, 0.4, 0.0) == pytest.approx(h)  # S = X
    assert binary.rate(INF, 0.3, 0.4, 0.0) == pytest.approx(h - 0.3)
    assert binary.rate(0.1, math.log(2), 0.4, 0.5) == pytest.approx(h - binary_entropy(0.1))  # S independent of X
    assert binary.rate(0.1, 0.69, 0.4, 0.5) == INF
    a_rounding_below = math.nextafter(math.log(2), 0.0)
    assert binary.rate(0.1, a_rounding_below, 0.4, 0.5) == binary.rate_distortion(0.1, 0.4)
    C_min = binary.minimum_label_entropy(0.1)
    assert binary.rate(INF, C_min, 0.4, 0.1) == pytest.approx(h, abs=1e-9)  # attained, unlike the Gaussian's
    assert binary.rate(INF, C_min - 1e-9, 0.4, 0.1) == INF
    assert binary.rate(0.1, 0.0, 0.0, 0.0) == 0.0  # a source that is constant
    for b, p1 in [(0.6, 0.1), (0.4, 0.9), (0.6, 0.9)]:
        assert binary.rate(0.2, 0.5, b, p1) == pytest.approx(binary.rate(0.2, 0.5, 0.4, 0.1))


@given(
    b=st.floats(0.1, 0.5),
    p1=st.floats(0.0, 0.4),
    D=st.tuples(st.floats(0.0, 0.6), st.floats(0.0, 0.6)),
    above=st.tuples(st.floats(0.0, 0.7), st.floats(0.0, 0.7)),
    weight=fractions,
)
def test_binary_formula_is_jointly_convex_and_falls(b, p1, D, above, weight):
    D, C = np.array(D), binary.minimum_label_entropy(p1) + np.array(above)
    weights = np.array([weight, 1 - weight])
    R = binary.rate(D, C, b, p1)
    assert binary.rate(weights @ D, weights @ C, b, p1) <= weights @ R + 1e-8
    assert binary.rate(D.max(), C.max(), b, p1) <= R.min() + 1e-12
    assert binary.rate(D.min(), C.min(), b, p1) >= R.max() - 1e-12


@given(b=st.floats(0.2, 0.5), p1=st.floats(0.0, 0.4), D=st.floats(0.01, 0.45), part=st.floats(0.05, 0.95))
def test_binary_multipliers_are_slopes(b, p1, D, part):
    C_min = binary.minimum_label_entropy(p1)
    C = C_min + part * (binary.critical_label_entropy(0.0, b, p1) - C_min)
    parts = binary.rate(D, INF, b, p1), binary.rate(INF, C, b, p1)
    assume(abs(parts[0] - parts[1]) > 1e-3)
    lambda_d, lambda_c = binary.multipliers(D, C, b, p1)
    step = 1e-6
    slope_d = (binary.rate(D - step, C, b, p1) - binary.rate(D + step, C, b, p1)) / (2 * step)
    slope_c = (binary.rate(D, C - step, b, p1) - binary.rate(D, C + step, b, p1)) / (2 * step)
    assert lambda_d == pytest.approx(slope_d, rel=1e-3, abs=1e-3)
    assert lambda_c == pytest.approx(slope_c, rel=1e-3, abs=1e-3)


# --------------------------------------------------------------------------- erased and discretised labels


@given(st.integers(0, 2**32 - 1))
def test_erasure_label_entropy_is_a_function_of_the_rate(seed):
    rng = np.random.default_rng(seed)
    p_x, channel, e = rng.dirichlet(np.ones(4)), rng.dirichlet(np.ones(3), size=4), rng.uniform()
    label = np.hstack([(1 - e) * np.eye(4), np.full((4, 1), e)])
    R, C = mutual_information(p_x, channel), conditional_entropy(p_x, label, channel)
    assert erasure.label_entropy(R, entropy(p_x), e) == pytest.approx(C, abs=1e-12)
    if e < 0.99:
        assert erasure.rate(0.0, C, entropy(p_x), e) == pytest.approx(R, abs=1e-9)


def test_erasure_limit_is_attained_by_revealing_the_source():
    """Bernoulli(0.4) at D = 0.2; half of the time X itself is told. The distortion only falls."""
    p_x, e = np.array([0.6, 0.4]), 0.3
    base = np.array([[0.95, 0.05], [0.5, 0.5]])
    for reveal in (0.0, 0.25, 0.5, 1.0):
        channel = np.hstack([(1 - reveal) * base, reveal * np.eye(2)])
        R = mutual_information(p_x, channel)
        expected = (1 - reveal) * mutual_information(p_x, base) + reveal * entropy(p_x)
        assert pytest.approx(expected) == R
        C = erasure.label_entropy(R, entropy(p_x), e)
        assert erasure.rate(mutual_information(p_x, base), C, entropy(p_x), e) == pytest.approx(R)


def test_erasure_special_cases():
    assert erasure.rate(0.1, 0.2, 0.6, 0.0) == pytest.approx(0.4)  # S = X
    assert erasure.rate(0.1, 0.55, 0.6, 0.0) == 0.1
    assert erasure.rate(0.1, 0.0, 0.6, 1.0) == 0.1  # always erased: nothing to learn
    assert erasure.rate(0.1, erasure.minimum_label_entropy(0.3), 0.6, 0.3) == pytest.approx(0.6)
    assert erasure.rate(0.1, erasure.minimum_label_entropy(0.3) - 1e-9, 0.6, 0.3) == INF
    assert erasure.rate(0.1, INF, 0.6, 0.3) == 0.1
    assert erasure.multiplier(0.1, 0.7, 0.6, 0.2) == pytest.approx(1.25)
    assert erasure.multiplier(0.1, 5.0, 0.6, 0.2) == 0.0


def test_discretised_entropy_of_a_normal_label():
    step, var = 0.25, 2.0
    grid = step * np.arange(-60, 61)
    sampled = stats.norm.pdf(grid, scale=math.sqrt(var))
    cells = np.diff(stats.norm.cdf(np.append(grid, grid[-1] + step) - step / 2, scale=math.sqrt(var)))
    H = discretisation.discretised_entropy(gaussian.differential_entropy(var), step)
    assert entropy(sampled / sampled.sum()) == pytest.approx(H, abs=1e-9)
    error = entropy(cells / cells.sum()) - H
    assert error == pytest.approx(step**2 / (24 * var), rel=0.02)
    assert discretisation.continuous_entropy(H, step) == pytest.approx(gaussian.differential_entropy(var))
    assert discretisation.discretised_entropy(INF, step) == INF


def test_discretised_conditional_entropy_shifts_alike():
    """h(S|A) of a noisy Gaussian channel against H of the discretised pair: the same shift as for h(S)."""
    rho, noise, step = 0.7, 0.5, 0.1
    s = step * np.arange(-80, 81)
    x = np.linspace(-7, 7, 281)
    p_x = stats.norm.pdf(x) / stats.norm.pdf(x).sum()
    label = stats.norm.pdf(s, loc=rho * x[:, None], scale=math.sqrt(1 - rho**2))
    channel = stats.norm.pdf(np.linspace(-10, 10, 401), loc=x[:, None], scale=math.sqrt(noise))
    H = conditional_entropy(p_x, label / label.sum(axis=1, keepdims=True), channel / channel.sum(axis=1, keepdims=True))
    C = gaussian.critical_label_entropy(0.5 * math.log1p(1 / noise), rho)
    assert discretisation.discretised_entropy(C, step) == pytest.approx(H, abs=1e-6)


# --------------------------------------------------------------------------- arguments


def test_arrays_broadcast_and_scalars_stay_scalars():
    D, C = np.array([[0.1], [0.5], [INF]]), np.array([1.1, 1.3, H_S, INF])
    table = gaussian.rate(D, C, 0.7)
    assert table.shape == (3, 4)
    for i, j in np.ndindex(3, 4):
        assert table[i, j] == gaussian.rate(float(D[i, 0]), float(C[j]), 0.7)
    assert type(gaussian.rate(0.1, 1.3, 0.7)) is float
    assert type(binary.distortion(0.1, 0.6, 0.4, 0.1)) is float
    assert binary.rate(D, C, 0.4, [[[0.1]], [[0.2]]]).shape == (2, 3, 4)
    assert uniform_hamming.distortion_rate([0.1, 0.2, 0.3], [[2], [3]]).shape == (2, 3)
    assert uniform_hamming.d_tilted_information(range(5), 0.1, 5).shape == (5,)
    assert all(part.shape == (3, 4) for part in gaussian.multipliers(D, C, 0.7))


def test_zero_is_not_negative():
    for value in (
        gaussian.rate(INF, INF, 0.0),
        binary.rate(INF, INF, 0.4, 0.1),
        laplace.rate_distortion(1.0),
    ):
        assert math.copysign(1.0, value) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gaussian.rate(-0.1, 1.0, 0.7), r"D must be >= 0; got -0\.1"),
        (lambda: gaussian.rate(0.1, math.nan, 0.7), "C contains NaN"),
        (lambda: gaussian.rate(0.1, 1.0, 1.2), r"rho must be >= -1 and <= 1; got 1\.2"),
        (lambda: gaussian.rate(0.1, 1.0, 0.7, var_x=0.0), "var_x must be > 0 and finite; got 0"),
        (lambda: gaussian.rate(0.1, 1.0, 0.7, var_s=INF), "var_s must be > 0 and finite; got inf"),
        (lambda: gaussian.distortion([0.1, -2.0], 1.0, 0.7), "R must be >= 0; got -2"),
        (lambda: gaussian.distortion_theorem_2_as_printed(1.0, 0.1, 0.0), r"rho\^2 must be > 0"),
        (lambda: gaussian.multiplier(0.0), "D must be > 0; got 0"),
        (lambda: gaussian.rate("wide", 1.0, 0.7), "D must be a number"),
        (lambda: binary.rate(0.1, -0.2, 0.4, 0.1), r"C must be >= 0; got -0\.2"),
        (lambda: binary.rate(0.1, 0.2, 1.4, 0.1), r"b must be >= 0 and <= 1; got 1\.4"),
        (lambda: binary.d_tilted_information(2, 0.1, 0.4), "x must be 0 or 1; got 2"),
        (lambda: binary.d_tilted_information(0.5, 0.1, 0.4), r"x must be 0 or 1; got 0\.5"),
        (lambda: laplace.rate_distortion(0.1, scale=-1.0), "scale must be > 0 and finite; got -1"),
        (lambda: uniform_hamming.rate_distortion(0.1, 1), "n_x must be >= 2 and finite; got 1"),
        (lambda: uniform_hamming.rate_distortion(0.1, 2.5), r"n_x counts symbols.*got 2\.5"),
        (lambda: erasure.label_entropy(0.7, 0.6, 0.1), "entropy_x - R must be >= 0"),
        (lambda: erasure.rate(0.1, 0.2, 0.6, 1.1), "e must be >= 0 and <= 1"),
        (lambda: discretisation.discretised_entropy(1.0, 0.0), "step must be > 0 and finite; got 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises(InvalidInput, match=message):
        call()


# ------------------------------------------------------------------------------------------------ perception


def test_perception_of_the_gaussian_without_a_limit_is_the_plain_one():
    D = np.array([0.1, 0.5, 0.9, 1.0, 1.7])
    plain = np.maximum(0.0, 0.5 * np.log(1 / D))
    assert perception.gaussian_rate(D, np.inf) == pytest.approx(plain, abs=1e-14)
    assert perception.gaussian_rate(D, 1.0) == pytest.approx(plain, abs=1e-14)
    assert perception.gaussian_rate_kl(D, np.inf) == pytest.approx(plain, abs=1e-14)


@pytest.mark.parametrize(
    ("D", "P", "rate"),
    [(0.3, 0.01, 0.6082497482), (0.5, 0.05, 0.3509746561), (0.1, 0.0, 1.163951450489), (1.5, 0.0, 0.032269260569)],
)
def test_perception_of_the_gaussian(D, P, rate):
    assert perception.gaussian_rate(D, P) == pytest.approx(rate, abs=1e-10)
    assert perception.gaussian_rate(4 * D, 4 * P, 4.0) == pytest.approx(rate, abs=1e-10)
    assert perception.gaussian_distortion(rate, P) == pytest.approx(D, abs=1e-9)


@pytest.mark.parametrize(("D", "P", "rate"), [(0.3, 0.01, 0.6085852674), (0.5, 0.05, 0.3521352936)])
def test_perception_of_the_gaussian_by_divergence(D, P, rate):
    assert perception.gaussian_rate_kl(D, P) == pytest.approx(rate, abs=1e-10)


@pytest.mark.parametrize(
    ("p", "D", "P", "rate"),
    [(0.1, 0.05, 0.02, 0.137735239722), (0.3, 0.2, 0.05, 0.120227319891), (0.4, 0.3, 0.1, 0.063268704511)],
)
def test_perception_of_coins(p, D, P, rate):
    assert perception.binary_rate(D, P, p) == pytest.approx(rate, abs=1e-12)
    free = binary_entropy(p) - binary_entropy(D)
    assert perception.binary_rate(D, np.inf, p) == pytest.approx(free, abs=1e-14)
    assert perception.binary_rate(2 * p * (1 - p), 0.0, p) == pytest.approx(0.0, abs=1e-15)
    assert perception.binary_rate(0.0, P, p) == pytest.approx(binary_entropy(p), abs=1e-14)
