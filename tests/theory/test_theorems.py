"""Theorems 3 to 5 of the paper and vector Gaussians, against definitions, the solver, and counterexamples."""

import math
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput, MissingExtra
from rdcsolve.explore.figures import figure_4, figure_4_corners
from rdcsolve.information import binary_entropy, conditional_entropy, entropy
from rdcsolve.theory import gaussian, general, theorem_4, theorem_5, transport, vector_gaussian
from rdcsolve.theory import vector_gaussian_program as program
from rdcsolve.theory.distortion_gap import Theorem5

INF = math.inf
seeds = st.integers(0, 2**32 - 1)


def random_source(rng, most=5):
    n_x, dim = int(rng.integers(2, most + 1)), int(rng.integers(1, 3))
    return rdc.Source(rng.normal(size=(n_x, dim)), rng.dirichlet(np.ones(n_x)), [rng.dirichlet([0.5, 0.5], n_x)])


def differential(variance):
    return 0.5 * math.log(2 * math.pi * math.e * variance)


# --------------------------------------------------------------------------- Theorem 3


targets = st.lists(st.tuples(st.floats(0.01, 3.0) | st.just(INF), st.floats(0.0, 1.0)), min_size=1, max_size=6)


@given(targets=targets, rho=st.floats(0.05, 0.99), var_x=st.floats(0.1, 9.0), var_s=st.floats(0.1, 9.0))
def test_one_gaussian_encoder_serves_all_targets(targets, rho, var_x, var_s):
    least, most = gaussian.minimum_label_entropy(rho, var_s), gaussian.differential_entropy(var_s)
    pairs = np.array([(D, least + (0.01 + t) * (most - least)) for D, t in targets])
    R = gaussian.universal_rate(pairs, rho, var_x, var_s)
    alone = gaussian.rate(pairs[:, 0], pairs[:, 1], rho, var_x, var_s)
    assert pytest.approx(alone.max(), abs=1e-12) == R
    assert gaussian.rate_penalty(pairs, rho, var_x, var_s) == pytest.approx(0.0, abs=1e-12)
    D, C = gaussian.region(R, rho, var_x, var_s)
    assert (pairs >= [D - 1e-9, C - 1e-9]).all()  # Theta lies in Omega(R)


@given(R=st.floats(0.01, 3.0), rho=st.floats(0.05, 0.99))
def test_the_corner_of_the_region_needs_the_rate(R, rho):
    D, C = gaussian.region(R, rho)
    assert gaussian.rate(D, C, rho) == pytest.approx(R, abs=1e-9)
    assert gaussian.rate(0.99 * D, INF, rho) > R
    assert gaussian.rate(INF, C - 1e-3, rho) > R


def test_universal_rate_broadcasts():
    pairs = np.array([[[0.5, 1.4], [0.6, 1.3]], [[0.9, INF], [INF, INF]]])
    rho = np.array([0.7, 0.2])
    expected = [max(gaussian.rate(D, C, r) for D, C in pair) for pair, r in zip(pairs, rho, strict=True)]
    np.testing.assert_allclose(gaussian.universal_rate(pairs, rho), expected, rtol=1e-14)
    np.testing.assert_array_equal(gaussian.rate_penalty(pairs, rho), [0.0, 0.0])
    assert gaussian.universal_rate([(0.0, INF), (1.0, 1.0)], 0.7) == INF
    assert math.isnan(gaussian.rate_penalty([(0.0, INF), (1.0, 1.0)], 0.7))


def test_figure_4():
    """Theorem 3 on the discretised pair at R = 0.2: the least distortion and the least label entropy go together."""
    from matplotlib import pyplot

    (corner,) = figure_4_corners(rates=[0.2])
    assert corner.D_proof is rdc.Proof.CERTIFIED
    for D in (corner.D_lower, corner.D_upper, corner.D_there):
        assert pytest.approx(gaussian.distortion_rate(0.2), abs=1e-4) == D
    for C in (corner.C_lower, corner.C_upper, corner.C_there):
        assert pytest.approx(gaussian.critical_label_entropy(0.2, 0.7), abs=1e-4) == C
    as_printed = gaussian.distortion_theorem_2_as_printed(corner.C - 0.03, 0.2, 0.7)
    assert as_printed < corner.D_lower - 0.05  # what the figure draws is proved impossible
    printed, true = figure_4([corner])
    drawn = printed.lines[0].get_ydata()
    assert drawn.min() < 0.01  # and it goes down to nothing
    assert max(drawn) == pytest.approx(corner.D)
    told = [text.get_text() for text in true.get_legend().get_texts()]
    assert "least squared error, solved (certified)" in told
    assert "least label entropy, solved (unverified)" in told  # 21 classes: it rests on a search, and says so
    pyplot.close("all")


def test_the_command_knows_figure_4(monkeypatch, tmp_path):
    from typer.testing import CliRunner

    from rdcsolve.cli import app
    from rdcsolve.explore import figures

    found = figure_4_corners(rates=[0.3367])
    monkeypatch.setattr(figures, "figure_4_corners", lambda: found)
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, ["figure", "4"])
    assert told.exit_code == 1  # the least label entropy among 21 classes rests on a search
    assert "corner (0.509972, 1.281645)" in told.output
    assert "rests on a search" in told.output
    assert (tmp_path / "figure_4.png").stat().st_size > 10_000


# --------------------------------------------------------------------------- Wasserstein distances


@given(seeds)
def test_transport_on_the_line_and_in_the_plane_agree(seed):
    rng = np.random.default_rng(seed)
    (n, m), shift = rng.integers(1, 6, 2), rng.normal()
    x, y, p, q = rng.normal(size=n), rng.normal(size=m), rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(m))
    line = transport.squared_wasserstein(x, p, y, q)
    plane = transport.squared_wasserstein(np.c_[x, 0 * x], p, np.c_[y, 0 * y], q)
    assert line == pytest.approx(plane, abs=1e-12)
    assert line >= (p @ x - q @ y) ** 2 - 1e-12
    assert transport.squared_wasserstein(x, p, x + shift, p) == pytest.approx(shift**2, abs=1e-12)
    assert transport.squared_wasserstein(x, p, [0.5], [1.0]) == pytest.approx(p @ (x - 0.5) ** 2, abs=1e-12)


def test_transport_in_the_plane_and_far_from_the_origin():
    corners = np.array([[0.0, 0.0], [3.0, 4.0]])
    assert transport.squared_wasserstein(corners[:1], [1.0], corners[1:], [1.0]) == pytest.approx(25.0)
    far = np.array([1e8, 1e8])
    for offset in (far, far[:1]):
        x, y = (part[:, : offset.size] + offset for part in (corners, 2 * corners))
        expected = 0.5 * float(((x[1] - y[1]) ** 2).sum())
        assert transport.squared_wasserstein(x, [0.5, 0.5], y, [0.5, 0.5]) == pytest.approx(expected, rel=1e-9)


def test_transport_ignores_mass_zero_and_order():
    assert transport.squared_wasserstein([5.0, 0.0, 1.0], [0, 0.5, 0.5], [1.0, 0.0], [0.5, 0.5]) == 0.0


# --------------------------------------------------------------------------- Theorem 4


@given(seeds)
def test_distortion_is_mmse_plus_displacement_at_least_the_transport(seed):
    rng = np.random.default_rng(seed)
    source = random_source(rng)
    encoder, decoder = rng.dirichlet(np.full(4, 0.3), source.n_x), rng.dirichlet(np.full(3, 0.3), 4)
    places = rng.normal(size=(3, source.dim))
    terms = general.distortion_terms(encoder, decoder, places, source)
    direct = sum(
        source.p_x[i] * (encoder[i] @ decoder)[a] * ((source.points[i] - places[a]) ** 2).sum()
        for i in range(source.n_x)
        for a in range(3)
    )
    assert terms.distortion == pytest.approx(direct, abs=1e-12)
    assert terms.distortion == pytest.approx(terms.mmse + terms.displacement, abs=1e-10)
    assert terms.displacement >= terms.transport - 1e-10


def test_the_transport_alone_is_too_little():
    """Xhat with the law of Xtilde and the wrong coupling: W_2 = 0, and yet it is 4 away in the mean square."""
    source = rdc.Source([-1.0, 1.0], [0.5, 0.5])
    terms = general.distortion_terms(np.eye(2), np.eye(2)[::-1], [-1.0, 1.0], source)
    assert terms.transport == 0.0
    assert terms.displacement == pytest.approx(4.0)


@given(seeds)
def test_theorem_4_of_random_encoders(seed):
    rng = np.random.default_rng(seed)
    source = random_source(rng)
    encoder = rng.dirichlet(np.full(3, 0.3), source.n_x)
    found = theorem_4(encoder, source)
    p, label = source.p_x, source.labels[0]
    assert found.label_entropy == pytest.approx(conditional_entropy(p, label, encoder), abs=1e-12)
    assert found.label_entropy_of_source - 1e-12 <= found.label_entropy <= found.label_entropy_of_estimate + 1e-12
    assert found.any_coupling.contains_region
    assert found.optimal_coupling.within_region
    assert found.estimate_masses @ found.estimates == pytest.approx(p @ source.points, abs=1e-12)
    variance = p @ ((source.points - p @ source.points) ** 2).sum(axis=1)
    spread = found.estimate_masses @ ((found.estimates - p @ source.points) ** 2).sum(axis=1)
    assert found.mmse + spread == pytest.approx(variance, abs=1e-10)  # the law of total variance
    assert found.transport <= found.mmse + 1e-10  # X and Xtilde themselves are a coupling
    assert found.b_is_in_region == (found.label_entropy - found.label_entropy_of_source < 1e-9)


def test_the_printed_point_b_is_out_of_reach():
    """A noisy bit: (11) promises C = H(S|X) = 0, and data processing keeps every decoder at H(S|Z)."""
    source = rdc.Source([-1.0, 1.0], [0.5, 0.5], labels=[np.eye(2)])
    found = theorem_4([[0.9, 0.1], [0.1, 0.9]], source)
    assert found.printed_b == pytest.approx((0.4, 0.0), abs=1e-12)
    assert found.corner == pytest.approx((0.36, binary_entropy(0.1)), abs=1e-12)
    assert not found.b_is_in_region
    assert found.any_coupling.contains_region
    assert not found.any_coupling.within_region  # the second containment fails
    assert found.optimal_coupling.contains_region
    assert found.optimal_coupling.within_region


def test_means_that_agree_to_rounding_are_one_value():
    rng = np.random.default_rng(0)
    source = rdc.Source(rng.normal(size=5), rng.dirichlet(np.ones(5)), labels=[rng.dirichlet([0.5, 0.5], 5)])
    two = rng.dirichlet(np.ones(2), 5)
    split = np.hstack([two * share for share in (0.1, 0.2, 0.7)])  # each letter three times, with the same posterior
    found = theorem_4(split, source)
    assert found.estimates.shape == (2, 1)
    assert found.corner == pytest.approx(theorem_4(two, source).corner, abs=1e-12)
    assert found.a_is_extreme
    assert not found.b_is_in_region


def test_equal_means_with_different_posteriors():
    """Z = |X| has E[X|Z] = 0 throughout and tells S = |X|: the first containment fails under the optimal coupling."""
    points, label = [-2.0, -1.0, 1.0, 2.0], np.array([[0, 1], [1, 0], [1, 0], [0, 1]])
    found = theorem_4(label, rdc.Source(points, np.full(4, 0.25), labels=[label]))
    assert found.estimates.tolist() == [[0.0]]
    assert found.corner == pytest.approx((2.5, 0.0))
    assert found.printed_a == pytest.approx((2.5, math.log(2)))
    assert not found.a_is_extreme
    assert found.b_is_in_region
    assert not found.optimal_coupling.contains_region
    assert found.any_coupling.contains_region
    assert found.any_coupling.within_region


def test_theorem_4_takes_a_problem_a_label_and_a_law():
    source = rdc.Source([0.0, 1.0], [0.5, 0.5], labels=[np.eye(2), np.ones((2, 1))])
    found = theorem_4(np.eye(2), rdc.Problem(source, "free"), label=1, reproduction=[0.0, 3.0], masses=[0.5, 0.5])
    assert found.label_entropy == 0.0
    assert found.transport == pytest.approx(2.0)


@given(seeds)
def test_point_b_of_a_decoder_is_in_the_closure(seed):
    """(11) over decoders of Z: its minimum is H(S|Z), and the point is no better than the corner, whatever the law."""
    rng = np.random.default_rng(seed)
    source = random_source(rng)
    encoder = rng.dirichlet(np.full(3, 0.3), source.n_x)
    places = rng.normal(size=(3, source.points.shape[1]))  # a decoder that tells the messages apart
    found = theorem_4(encoder, source, reproduction=places, masses=source.p_x @ encoder)
    assert found.printed_b[1] == pytest.approx(conditional_entropy(source.p_x, source.labels[0], encoder), abs=1e-12)
    assert found.printed_b[0] >= found.mmse
    assert found.b_is_in_region
    terms = general.distortion_terms(encoder, np.eye(3), places, source)  # attains the label entropy, no less than W_2
    assert found.printed_b[0] == pytest.approx(terms.mmse + terms.transport)
    again = theorem_4(encoder, source, reproduction=found.estimates, masses=found.estimate_masses)
    assert again.printed_b == pytest.approx(again.corner, abs=1e-9)


def test_the_printed_point_a_is_not_what_listed_letters_attain():
    """Letters +-1.9 for a fair bit: D1 = 0.81, and E|X - E[X|Xhat_1]|^2 = 0."""
    source = rdc.Source([-1.0, 1.0], [0.5, 0.5], labels=[np.eye(2)])
    points = [[-1.9], [1.9]]
    found = theorem_5(source, np.eye(2), np.eye(2), first_points=points, third_points=points)
    assert found.D1 == found.D_b["decoded"] == pytest.approx(0.81)
    assert theorem_4(np.eye(2), source).printed_a == (0.0, 0.0)


def test_the_region_of_fixed_letters_need_not_be_convex():
    """Z = X = +-1, letters 0 and 2.5: half-way between its extreme points the least label entropy is too large."""
    shares = np.linspace(0.0, 1.0, 201)
    below, above = (grid.ravel() for grid in np.meshgrid(shares, shares))  # W(2.5 | -1), W(2.5 | 1)
    distortion = 1 + 0.5 * (2.5**2 - 2 * 2.5 * -1) * below + 0.5 * (2.5**2 - 2 * 2.5) * above
    mass = (below + above) / 2
    joint = np.array([1 - below, 1 - above, below, above]) / 2
    marginal = np.array([1 - mass, 1 - mass, mass, mass])
    unknown = -(joint * np.log(np.where(joint > 0, joint / np.where(joint > 0, marginal, 1), 1))).sum(axis=0)
    ends = (1.0, math.log(2)), (1 + 0.5 * 1.25, 0.0)
    assert unknown[distortion <= ends[1][0] + 1e-12].min() == pytest.approx(0.0, abs=1e-12)
    half = (ends[0][0] + ends[1][0]) / 2
    assert unknown[distortion <= half + 1e-12].min() > math.log(2) / 2 + 0.1


# --------------------------------------------------------------------------- Theorem 5


def optimal_channels(problem, rate, tolerance=1e-6):
    """The channels of least distortion, and of least label entropy and then distortion, at one rate."""
    first = rdc.solve(problem.minimising("distortion", rate=rate), tolerance=tolerance)
    least = rdc.solve(problem.minimising("label_entropy", rate=rate), tolerance=tolerance)
    limited = problem.with_limits(C=least.label_entropy + 2 * tolerance)
    return first, rdc.solve(limited.minimising("distortion", rate=rate), tolerance=tolerance)


@given(seeds)
@settings(max_examples=5)
def test_theorem_5_with_free_reproductions(seed):
    rng = np.random.default_rng(seed)
    source = random_source(rng, most=4)
    problem = rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(INF)])
    first, third = optimal_channels(problem, rng.uniform(0.2, 0.8) * entropy(source.p_x))
    found = theorem_5(source, first.channel, third.channel)
    slack = 1e-5 * found.variance
    assert found.premise_holds
    assert found.D_b["decoded"] == pytest.approx(theorem_4(first.channel, source).mmse, abs=1e-12)
    assert found.D_b["law_of_source"] <= 2 * found.D1 + slack
    assert found.D3 - found.D1 >= found.sharper_bound_12 - slack
    assert found.sharper_bound_12 == pytest.approx(found.bound_12 + found.D1)
    assert found.D3 / found.D1 >= found.sharper_bound_13 * (1 - 1e-4)
    for reading in ("decoded", "law_of_source"):
        assert found.holds_12(1e-5)[reading]
        assert found.holds_13(1e-5)[reading]


@pytest.mark.parametrize(("density", "constant"), [(24, 12), (30, 16)])
def test_14_fails_for_a_density_on_the_line(density, constant):
    """The label varies with X on [0, 1] and is a fair coin on [1, 2], where no rate goes: C6 (ii), on a grid."""
    points = np.concatenate([(np.arange(density) + 0.5) / density, 1 + (np.arange(constant) + 0.5) / constant])
    masses = np.concatenate([np.full(density, 0.5 / density), np.full(constant, 0.5 / constant)])
    first_class = np.where(points < 1, 0.1 + 0.8 * points, 0.5)
    source = rdc.Source(points, masses, labels=[np.column_stack([first_class, 1 - first_class])])
    problem = rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(INF)])
    rate = 2.0
    first = rdc.solve(problem.minimising("distortion", rate=rate), tolerance=1e-6)
    least = rdc.solve(problem.minimising("label_entropy", rate=rate), tolerance=1e-7).objective_upper
    limited = problem.with_limits(label_entropy=least * (1 + 1e-9))
    third = rdc.solve(limited.minimising("distortion", rate=rate * (1 + 1e-9)), tolerance=1e-6)
    assert first.proof == third.proof == rdc.Proof.CERTIFIED
    variance = masses @ points**2 - (masses @ points) ** 2
    assert first.objective_upper < 0.03 * variance
    assert third.objective_lower > 0.5 * (1 - 1 / constant**2) / 12  # P(B) var(X | B)
    assert third.objective_lower - first.objective_upper > 5 * first.objective_upper


def test_12_fails_if_the_law_of_the_third_reproduction_is_meant():
    """X = (B, T/10) with two fair bits; S = T. At ln 2 nats the best for D tells B and the best for S tells T."""
    points = np.array([(b, t / 10) for b in (-1, 1) for t in (-1, 1)])
    big, small = (points > 0).T.astype(int)
    source = rdc.Source(points, np.full(4, 0.25), labels=[np.eye(2)[small]])
    found = theorem_5(source, np.eye(2)[big], np.eye(2)[small])
    assert found.rates == pytest.approx((math.log(2), math.log(2)))
    assert (found.D1, found.D3) == pytest.approx((0.01, 1.0))
    assert found.transport > 0.5  # the assumption does not hold
    assert not found.assumption_holds
    assert found.holds_12() == {"decoded": True, "law_of_source": True, "law_of_third": False}
    assert found.holds_13() == {"decoded": True, "law_of_source": True, "law_of_third": False}
    problem = rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(INF)])  # the two channels are the best ones
    first, third = optimal_channels(problem, math.log(2))
    assert (first.distortion, third.distortion) == pytest.approx((0.01, 1.0), abs=1e-4)


def test_12_fails_for_letters_that_sit_badly():
    """X = S = +-1, letters +-1.9 and the rate ln 2: one channel is best for both, D3 = D(b), and (12) asks for more."""
    source = rdc.Source([-1.0, 1.0], [0.5, 0.5], labels=[np.eye(2)])
    letters = np.array([[-1.9], [1.9]])
    found = theorem_5(source, np.eye(2), np.eye(2), first_points=letters, third_points=letters)
    assert found.D1 == found.D3 == found.D_b["decoded"] == pytest.approx(0.81)
    assert not found.premise_holds
    assert found.bound_12 == pytest.approx(1 + 1.9**2 - 3.8 * math.sqrt(0.19) - 1.62)
    assert not found.holds_12()["decoded"]
    problem = rdc.Problem(source, letters, limits=[rdc.LabelEntropyLimit(INF)], letters="fixed")
    best = rdc.solve(problem.minimising("distortion", rate=math.log(2)), tolerance=1e-6)
    assert best.objective_lower == pytest.approx(0.81, abs=1e-5)  # no channel has less


def test_12_for_letters_at_the_points_of_the_source():
    """Proved where sigma_3 <= sqrt(v - D1/2) + sqrt(v - D1): posterior sampling shows D1 <= 2 mmse."""
    rng = np.random.default_rng(5)
    for _ in range(2):
        source = random_source(rng, most=3)
        problem = rdc.Problem(source, source.points, limits=[rdc.LabelEntropyLimit(INF)], letters="fixed")
        first, third = optimal_channels(problem, 0.5 * entropy(source.p_x))
        places = {"first_points": source.points[first.letters], "third_points": source.points[third.letters]}
        found = theorem_5(source, first.channel, third.channel, **places)
        assert found.D1 <= 2 * found.mmse_third + 1e-5
        if found.D1 < found.variance:
            roots = math.sqrt(found.variance - found.D1 / 2) + math.sqrt(found.variance - found.D1)
            assert found.holds_12(1e-5)["decoded"] or math.sqrt(found.variance_third) > roots


@given(st.tuples(*[st.floats(0.01, 4.0)] * 6))
@example((1.0, 0.25, 0.13, 0.25, 1.0, 0.5))  # (13) fails by little
def test_both_sides_of_theorem_5_are_the_printed_formulas(numbers):
    v, D1, D3, D_b, variance_third, mmse_third = numbers
    found = Theorem5((0.0, 0.0), v, D1, 0.0, D3, 0.0, variance_third, mmse_third, 0.0, {"decoded": D_b})
    assert found.premise_holds == (D1 <= mmse_third + 1e-9 * v)
    assert found.gap["decoded"] == D3 - D_b
    assert found.ratio["decoded"] == D3 / D_b
    root = v - D1 - 2 * D1
    as_printed = v + variance_third - 2 * math.sqrt(variance_third * root) if root > 0 else math.nan
    if abs(root) > 1e-9:
        assert found.bound_12_as_printed == pytest.approx(as_printed, nan_ok=True)
    if D1 > v - 1e-9:
        return
    numerator = v + variance_third - 2 * math.sqrt(variance_third * (v - D1))
    assert found.bound_12 == pytest.approx(numerator - 2 * D1)
    assert found.sharper_bound_12 == pytest.approx(numerator - D1)
    assert found.bound_13 == pytest.approx(numerator / (2 * D1))
    assert found.sharper_bound_13 == pytest.approx(numerator / D1)
    for holds, excess in (
        (found.holds_12(), D3 - D_b - (numerator - 2 * D1)),
        (found.holds_13(), D3 / D_b - numerator / (2 * D1)),
    ):
        if abs(excess) > 1e-3:
            assert holds["decoded"] == (excess > 0)


def test_the_last_term_of_12_belongs_outside_the_root():
    """As printed the bound is larger, hence false: a channel that is best for both has the gap 0."""
    source = rdc.Source([-1.0, 1.0], [0.5, 0.5], labels=[np.eye(2)])
    channel = [[0.95, 0.05], [0.05, 0.95]]
    found = theorem_5(source, channel, channel)
    assert found.gap["decoded"] == pytest.approx(0.0)
    assert found.bound_12 <= 0.0 < found.bound_12_as_printed
    assert found.bound_12_as_printed == pytest.approx(1 + 0.81 - 2 * 0.9 * math.sqrt(1 - 3 * 0.19))
    noisy = theorem_5(source, [[0.7, 0.3], [0.3, 0.7]], [[0.7, 0.3], [0.3, 0.7]])
    assert math.isnan(noisy.bound_12_as_printed)  # sigma^2 < 3 D1


@given(st.floats(0.01, 0.49))
def test_near_the_variance_the_assumption_makes_the_gap_large(e):
    """A bit that is its own label, shown as +-1: W_2 = 0, D3 = B exactly, and (14) and (15) fail as e tends to 1/2."""
    source, channel = rdc.Source([-1.0, 1.0], [0.5, 0.5], labels=[np.eye(2)]), [[1 - e, e], [e, 1 - e]]
    found = theorem_5(source, channel, channel, third_points=[-1.0, 1.0])
    assert found.assumption_holds
    assert found.least_D3 == pytest.approx(found.D3, abs=1e-9)
    assert found.gap["decoded"] == pytest.approx(4 * e**2, abs=1e-9)
    assert found.ratio["decoded"] == pytest.approx(1 / (1 - e))
    assert found.gap["law_of_source"] == pytest.approx(0.0, abs=1e-9)
    assert found.bounds_under_assumption == pytest.approx((found.bound_12, found.bound_13))


@given(seeds)
@settings(max_examples=5)
def test_the_best_of_fixed_letters_are_best_left_alone(seed):
    """Theorem C3: no decoder of Xhat_1 into the same letters has less distortion, or less label entropy."""
    rng = np.random.default_rng(seed)
    source, letters = random_source(rng, most=4), rng.normal(size=3)
    places = np.c_[letters, letters][:, : source.dim]
    problem = rdc.Problem(source, places, limits=[rdc.LabelEntropyLimit(INF)])
    first = rdc.solve(problem.minimising("distortion", rate=0.5 * entropy(source.p_x)), tolerance=1e-7)
    merged = first.channel @ np.eye(3)[first.letters]
    squares = ((source.points[:, None, :] - places[None, :, :]) ** 2).sum(axis=2)
    for _ in range(50):
        decoder = rng.dirichlet(np.full(3, 0.3), 3) if rng.random() < 0.5 else np.eye(3)[rng.integers(0, 3, 3)]
        through = merged @ decoder
        assert source.p_x @ (through * squares).sum(axis=1) >= first.objective_lower - 1e-12
        least = conditional_entropy(source.p_x, source.labels[0], merged)
        assert conditional_entropy(source.p_x, source.labels[0], through) >= least - 1e-12


def test_14_fails_for_a_vector_gaussian():
    """S is a noisy X1 and X2 is independent of it: as R grows D1 vanishes, and D3 keeps all the variance of X2.

    With W_2(p_X, p_Xhat3) = 0, X2 is replaced by an independent copy, which doubles that part.
    """
    for R in (2.0, 4.0, 8.0):
        D1 = vector_gaussian.reverse_water_filling(2 * math.exp(-R), [1.0, 1.0]).sum()
        assert 0.5 * math.log(1 / (D1 / 2)) * 2 == pytest.approx(R)
        rest = math.exp(-2 * R)  # error of X1 when all of the rate goes there
        assert vector_gaussian.rate_along_axis(INF, differential(rest + 0.1), [1, 1], 0.1) == pytest.approx(R)
        with_laws_alike = 2 - 2 * math.sqrt(1 - rest) + 2  # X1 scaled to variance 1, and an independent copy of X2
        assert with_laws_alike - D1 > 1.7
        assert 2 * (2 - math.sqrt(2) * math.sqrt(2 - D1)) - 2 * D1 < with_laws_alike - D1  # (12) itself is true
    assert D1 < 1e-3


# --------------------------------------------------------------------------- vector Gaussians


@given(D=st.floats(0.05, 2.5), share=st.floats(0.05, 0.95), rho=st.floats(0.1, 0.95))
@settings(max_examples=15)
def test_one_dimension_is_the_scalar_formula(D, share, rho):
    least, most = gaussian.minimum_label_entropy(rho), gaussian.differential_entropy()
    C = least + share * (most - least)
    found = vector_gaussian.rate([[1.0]], D, [C], [[rho]], 1 - rho**2)
    expected = gaussian.rate(D, C, rho)
    assert found.rate_lower - 1e-12 <= expected <= found.rate_upper + 1e-12
    assert found.gap <= 1e-7
    if abs(gaussian.rate(D, INF, rho) - gaussian.rate(INF, C, rho)) > 1e-3:
        np.testing.assert_allclose(found.multipliers, gaussian.multipliers(D, C, rho), rtol=1e-3, atol=1e-3)


@given(seeds, st.floats(0.02, 0.98))
@settings(max_examples=10)
def test_without_labels_it_is_reverse_water_filling(seed, share):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, 4))
    Sigma = root @ root.T + 0.1 * np.eye(4)
    D = share * np.trace(Sigma)
    eigenvalues = np.linalg.eigvalsh(Sigma)
    filled = vector_gaussian.reverse_water_filling(D, eigenvalues)
    assert filled.sum() == pytest.approx(D)
    assert np.ptp(filled[filled < eigenvalues]) <= 1e-9  # one level
    expected = 0.5 * np.log(eigenvalues / filled).sum()
    found = vector_gaussian.rate(Sigma, D)
    assert found.rate_lower - 1e-10 <= expected <= found.rate_upper + 1e-10
    assert np.trace(found.covariance) <= D * (1 + 1e-12)
    assert np.linalg.eigvalsh(Sigma - found.covariance)[0] >= -1e-10
    attained = 0.5 * (np.linalg.slogdet(Sigma)[1] - np.linalg.slogdet(found.covariance)[1])
    assert attained == pytest.approx(expected, abs=1e-7)


@given(D=st.floats(0.05, 3.0), C=st.floats(0.3, 1.8), noise=st.floats(0.01, 0.5), axis=st.integers(0, 2))
@settings(max_examples=15)
def test_a_label_along_an_axis_has_a_closed_form(D, C, noise, axis):
    variances, directions = [1.5, 0.8, 0.3], np.eye(3)[[axis]]
    expected = vector_gaussian.rate_along_axis(D, C, variances, noise, axis)
    found = vector_gaussian.rate(np.diag(variances), D, [C], directions, noise)
    if math.isinf(expected):
        assert found.rate_lower == found.rate_upper == INF
        return
    assert found.rate_lower - 1e-10 <= expected <= found.rate_upper + 1e-10
    assert differential(found.covariance[axis, axis] + noise) <= C + 1e-9


@given(seeds)
@settings(max_examples=8)
def test_limits_hold_and_multipliers_are_slopes(seed):
    rng = np.random.default_rng(seed)
    root, directions = rng.normal(size=(3, 3)), rng.normal(size=(2, 3))
    Sigma, noise = root @ root.T + 0.2 * np.eye(3), np.array([0.1, 0.3])
    D = 0.5 * np.trace(Sigma)
    spread = np.einsum("ki,ij,kj->k", directions, Sigma, directions)
    C = np.array([differential(v) for v in 0.3 * spread + noise])
    at = lambda D, C: vector_gaussian.rate(Sigma, D, C, directions, noise)  # noqa: E731
    found = at(D, C)
    left = np.einsum("ki,ij,kj->k", directions, found.covariance, directions)
    assert (left <= (0.3 * spread) * (1 + 1e-9)).all()
    assert np.trace(found.covariance) <= D * (1 + 1e-12)
    step = 1e-3
    for k in range(2):
        move = step * np.eye(2)[k]
        slope = (at(D, C - move).rate_upper - at(D, C + move).rate_upper) / (2 * step)
        assert found.multipliers[1 + k] == pytest.approx(slope, abs=2e-2)
    # the rate is convex in (D, C): the supporting plane lies below it
    other = at(0.8 * D, C + [0.1, -0.05])
    plane = found.rate_lower + found.multipliers @ [0.2 * D, -0.1, 0.05]
    assert other.rate_upper >= plane - 1e-4


def test_the_dual_value_is_a_bound_for_any_multipliers():
    rng = np.random.default_rng(3)
    for _ in range(50):
        roots = rng.normal(size=(2, 3, 3))
        F = np.array([root @ root.T for root in roots])
        y, inside = rng.exponential(size=2), rng.normal(size=(3, 3))
        U = inside @ inside.T
        U /= max(np.linalg.eigvalsh(U)[-1], *np.einsum("mij,ij->m", F, U))  # meets every limit
        assert program.dual_value(F, y) <= -0.5 * np.linalg.slogdet(U)[1] + 1e-12


def test_when_a_vector_source_pays_for_universality():
    """Two unit coordinates, a label of the first: no penalty where one task does the other on the way."""
    noise = 0.1

    def penalty(D, c):
        C = differential(c + noise)
        both = vector_gaussian.universal_rate(np.eye(2), [(D, INF), (INF, C)], [[1.0, 0.0]], noise)
        assert both.penalty_lower <= both.penalty_upper <= both.penalty_lower + 2e-7
        alone = max(vector_gaussian.rate_along_axis(*one, [1, 1], noise) for one in [(D, INF), (INF, C)])
        expected = vector_gaussian.rate_along_axis(D, C, [1, 1], noise) - alone
        assert both.penalty_lower - 1e-9 <= expected <= both.penalty_upper + 1e-9
        return both.penalty_lower

    assert penalty(1.0, 0.6) == pytest.approx(0.0, abs=1e-8)  # water-filling leaves 0.5 < 0.6
    assert penalty(1.5, 0.4) == pytest.approx(0.0, abs=1e-8)  # the label's encoder leaves 0.4 + 1 < 1.5
    assert penalty(1.0, 0.2) == pytest.approx(0.5 * math.log(1 / (0.2 * 0.8)) - 0.5 * math.log(1 / 0.2), abs=1e-6)


def test_targets_without_finite_rate():
    found = vector_gaussian.rate(np.eye(2), 1.0, [differential(0.1)], [[1.0, 0.0]], 0.1)  # h(S|X): infinite rate
    assert found.rate_lower == found.rate_upper == INF
    assert found.gap == 0.0
    assert np.isnan(found.covariance).all()
    assert math.isnan(vector_gaussian.universal_rate(np.eye(2), [[0.0], [1.0]]).penalty_lower)
    assert vector_gaussian.rate_along_axis(0.0, INF, [1.0]) == INF
    free = vector_gaussian.rate(np.eye(2))
    assert (free.rate_lower, free.rate_upper) == (0.0, 0.0)
    np.testing.assert_array_equal(free.covariance, np.eye(2))


# --------------------------------------------------------------------------- bad input

SOURCE = rdc.Source([0.0, 1.0], [0.5, 0.5], labels=[np.eye(2)])
BAD = {
    "targets has shape": lambda: gaussian.universal_rate([0.1, 0.2], 0.7),
    "D must be >= 0": lambda: gaussian.rate_penalty([(-1.0, 0.2)], 0.7),
    "rho must be": lambda: gaussian.region(0.1, 1.2),
    "points has 2 rows but masses has 1": lambda: transport.squared_wasserstein([0.0, 1.0], [1.0], [0.0], [1.0]),
    "dimension 1 and others 2": lambda: transport.squared_wasserstein([0.0], [1.0], [[0.0, 1.0]], [1.0]),
    "sums to 0.4": lambda: transport.squared_wasserstein([0.0], [0.4], [0.0], [1.0]),
    "row 1 of encoder sums to 0.5": lambda: theorem_4([[1.0, 0.0], [0.5, 0.0]], SOURCE),
    "label is 1": lambda: theorem_4(np.eye(2), SOURCE, label=1),
    "has no points": lambda: theorem_4(np.eye(2), rdc.Source(None, [0.5, 0.5], labels=[np.eye(2)])),
    "pass a Source": lambda: theorem_4(np.eye(2), np.eye(2)),
    "give both, or neither": lambda: theorem_4(np.eye(2), SOURCE, masses=[1.0]),
    "reproduction has shape": lambda: general.distortion_terms(np.eye(2), np.eye(2), [0.0], SOURCE),
    "first has shape": lambda: theorem_5(SOURCE, np.eye(3), np.eye(2)),
    "third_points has shape": lambda: theorem_5(SOURCE, np.eye(2), np.eye(2), third_points=[0.0]),
    "covariance has shape": lambda: vector_gaussian.rate([1.0, 2.0], 1.0),
    "make it symmetric": lambda: vector_gaussian.rate([[1.0, 0.1], [0.2, 1.0]], 1.0),
    "has the eigenvalue": lambda: vector_gaussian.rate([[1.0, 1.0], [1.0, 1.0]], 1.0),
    "one limit and one row": lambda: vector_gaussian.rate(np.eye(2), 1.0, [1.0], [[1.0]]),
    "row of directions is zero": lambda: vector_gaussian.rate(np.eye(2), 1.0, [1.0], [[0.0, 0.0]]),
    "noise has shape": lambda: vector_gaussian.rate(np.eye(2), 1.0, [1.0], [[1.0, 0.0]], [0.1, 0.2]),
    "noise must be >= 0": lambda: vector_gaussian.rate(np.eye(2), 1.0, [1.0], [[1.0, 0.0]], -0.1),
    "targets has shape (2,)": lambda: vector_gaussian.universal_rate(np.eye(2), [1.0, 2.0]),
    "variances has shape": lambda: vector_gaussian.reverse_water_filling(1.0, np.ones((2, 2))),
    "D must be > 0": lambda: vector_gaussian.reverse_water_filling(0.0, [1.0]),
    "axis is 2": lambda: vector_gaussian.rate_along_axis(1.0, 1.0, [1.0, 1.0], axis=2),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_names_the_value(message):
    import re

    with pytest.raises(InvalidInput, match=re.escape(message)):
        BAD[message]()


@pytest.mark.parametrize(
    ("module", "extra", "call"),
    [
        ("ot", "transport", lambda: transport.squared_wasserstein([0.0], [1.0], [0.0], [1.0])),
        ("cvxpy", "conic", lambda: vector_gaussian.rate(np.eye(2), 1.0)),
    ],
)
def test_a_missing_extra_is_named(monkeypatch, module, extra, call):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=rf"rdcsolve\[{extra}\]"):
        call()
