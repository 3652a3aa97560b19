"""Free letters: points of R^dim under squared error; closed forms, the bound on the line, certificates."""

import math
from functools import partial

import numpy as np
import pytest
from certified import check
from certified import solved as solved_to
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.information import (
    binary_entropy,
    conditional_entropy,
    entropy,
    inverse_binary_entropy,
    mutual_information,
)
from rdcsolve.letters.pricing import line
from rdcsolve.letters.pricing.decisions import Decisions, log_price_bounded
from rdcsolve.letters.pricing.line import largest_free_price
from rdcsolve.letters.pricing.parts import EPS
from rdcsolve.letters.pricing.points import FreeLetters, FreePrice
from rdcsolve.results import Proof, Status
from rdcsolve.testing import labels, pmfs

INF = math.inf
solved = partial(solved_to, gap=1e-8)


def signs(p1=None, *, b=0.5, **limits):
    """X = -1 or +1; S = X flipped with probability p1."""
    stated = [rdc.DistortionLimit(limits.get("D", INF))]
    stated += [] if p1 is None else [rdc.LabelEntropyLimit(limits.get("C", INF))]
    source = rdc.Source([-1.0, 1.0], [1 - b, b], labels=() if p1 is None else [[[1 - p1, p1], [p1, 1 - p1]]])
    return rdc.Problem(source, reproduction="free", limits=stated)


def mixture(n=41, **limits):
    source = rdc.sources.mixture([-1, 1], 0.7, n_x=n)
    stated = [rdc.DistortionLimit(limits.get("D", INF)), rdc.LabelEntropyLimit(limits.get("C", INF))]
    return rdc.Problem(source, reproduction="free", limits=stated)


# ------------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("D", [0.05, 0.3, 0.7, 0.99])
def test_signs_have_letters_at_their_conditional_means(D):
    """A letter with posterior pi is at 1 - 2 pi, of squared error 4 pi (1 - pi): R = log 2 - Hb(pi), at the pi of D."""
    problem = signs(D=D)
    result = solved(problem)
    pi = (1 - math.sqrt(1 - D)) / 2
    assert result.rate_lower - 1e-12 <= math.log(2) - binary_entropy(pi) <= result.rate_upper + 1e-12
    used = result.q > 1e-3
    assert np.abs(result.reproduction[used, 0]) == pytest.approx(np.full(used.sum(), math.sqrt(1 - D)), abs=1e-2)
    assert result.q @ np.abs(result.reproduction[:, 0]) == pytest.approx(math.sqrt(1 - D), abs=1e-5)
    assert result.certificate.verify(problem, arithmetic="ball").valid


@pytest.mark.parametrize(("D", "C"), [(0.3, 0.6), (0.3, 0.45), (0.9, 0.4), (0.9, 0.68)])
def test_signs_with_a_noisy_label(D, C):
    p1 = 0.1
    result = solved(signs(p1, D=D, C=C))
    pi = min((1 - math.sqrt(1 - D)) / 2, (inverse_binary_entropy(C) - p1) / (1 - 2 * p1))
    assert result.rate_lower - 1e-12 <= math.log(2) - binary_entropy(pi) <= result.rate_upper + 1e-12


def test_a_skew_sign_is_on_the_envelope_of_posteriors():
    """R = Hb(b) - the upper envelope of Hb(pi) over posteriors, at the mean 4 pi (1 - pi) of D: by linear programme."""
    from scipy.optimize import linprog

    b, D = 0.2, 0.3
    pi = np.linspace(0, 1, 20001)
    hidden = np.array([binary_entropy(value) for value in pi])
    best = linprog(-hidden, [4 * pi * (1 - pi)], [D], [np.ones(pi.size), pi], [1.0, b])
    result = solved(signs(b=b, D=D))
    assert result.rate_upper == pytest.approx(binary_entropy(b) + best.fun, abs=1e-7)


def test_free_letters_need_no_more_rate_than_listed_ones_and_hardly_less_than_a_fine_grid():
    for limits in ({"D": 0.5, "C": 0.4}, {"D": 1.0, "C": 0.45}, {"D": 0.2}):
        free = solved(mixture(**limits), tolerance=1e-8)
        stated = [rdc.DistortionLimit(limits["D"]), rdc.LabelEntropyLimit(limits.get("C", INF))]
        source = mixture().source
        coarse = rdc.solve(rdc.Problem(source, np.linspace(-3, 3, 7), limits=stated), tolerance=1e-8)
        fine = rdc.solve(rdc.Problem(source, np.linspace(-4, 4, 401), limits=stated), tolerance=1e-8)
        assert free.rate_lower <= fine.rate_upper
        assert fine.rate_lower <= coarse.rate_upper
        assert free.rate_upper >= fine.rate_lower - 1e-4


def test_the_bottleneck_is_the_same_with_free_letters():
    rng = np.random.default_rng(0)
    p, label = rng.dirichlet(np.ones(10)), rng.dirichlet([0.5, 0.5], 10)
    source = rdc.Source(rng.normal(size=10), p, labels=[label])
    free = rdc.Problem(source, reproduction="free", limits=[rdc.LabelEntropyLimit(INF)])
    listed = rdc.Problem.from_arrays(p, np.zeros((10, 1)), label, C=INF)
    testing.check_agreement([solved(one.at_multipliers(label_entropy=3.0)) for one in (free, listed)])


def test_scale_shift_and_the_mean_over_coordinates_change_nothing():
    base = mixture(D=0.5, C=0.4)
    x, p, label = base.source.points, base.source.p_x, base.source.labels
    moved = rdc.Problem(
        rdc.Source(1e3 + 10 * x, p, labels=label),
        reproduction="free",
        limits=[rdc.DistortionLimit(50.0), rdc.LabelEntropyLimit(0.4)],
    )
    twice = rdc.Problem(
        rdc.Source(np.hstack([x, np.zeros_like(x)]), p, labels=label),
        reproduction="free",
        distortion="mean_squared_error",
        limits=[rdc.DistortionLimit(0.25), rdc.LabelEntropyLimit(0.4)],
    )
    first = solved(base)
    testing.check_agreement([first, solved(moved)])
    plane = rdc.solve(twice, tolerance=1e-8)
    check(plane, twice, 1e-8)
    assert plane.rate_upper == pytest.approx(first.rate_upper, abs=1e-7)


# ------------------------------------------------------------------------------------- limits at their ends


def test_distortion_zero_keeps_every_point():
    p = np.array([0.5, 0.3, 0.0, 0.2])
    source = rdc.Source([0.0, 1.0, 2.0, 3.5], p)
    result = solved(rdc.Problem(source, reproduction="free", limits=[rdc.DistortionLimit(0.0)]))
    assert result.rate_upper == pytest.approx(entropy(p), abs=1e-9)
    assert result.distortion == 0.0


def test_the_variance_needs_no_rate():
    x, p = np.array([0.0, 1.0, 4.0]), np.array([0.5, 0.3, 0.2])
    variance = p @ (x - p @ x) ** 2
    free = rdc.Problem(rdc.Source(x, p), reproduction="free")
    at_most = solved(free.with_limits(D=variance * (1 + 1e-12)))
    assert at_most.rate_upper == 0.0
    assert at_most.reproduction[:, 0] == pytest.approx([p @ x])
    assert solved(free.with_limits(D=0.99 * variance)).rate_lower > 0


def test_duplicated_points_and_zero_masses_change_nothing():
    x, p = np.array([0.0, 1.0, 2.5]), np.array([0.2, 0.5, 0.3])
    once = rdc.Problem(rdc.Source(x, p), reproduction="free", limits=[rdc.DistortionLimit(0.4)])
    more = rdc.Source(np.r_[x, 1.0, 99.0], np.r_[0.2, 0.25, 0.3, 0.25, 0.0])
    twice = rdc.Problem(more, reproduction="free", limits=[rdc.DistortionLimit(0.4)])
    testing.check_agreement([solved(once), solved(twice)])


def test_the_least_label_entropy_and_what_is_below():
    problem = mixture(15)
    label = problem.source.labels[0]
    least = conditional_entropy(problem.p_x, label, np.eye(15))
    below = rdc.solve(problem.with_limits(C=0.99 * least))
    assert below.status is Status.INFEASIBLE
    assert below.minimum["label_entropy"] == pytest.approx(least)


def test_the_three_objectives_agree():
    problem = mixture(31).with_limits(D=0.5, C=0.35)
    least = solved(problem, tolerance=1e-8)
    R = least.rate_upper
    distortion = solved(problem.with_limits(D=None).minimising("distortion", rate=R), tolerance=1e-8, gap=1e-7)
    assert distortion.objective_upper == pytest.approx(0.5, abs=1e-6)
    fixed = solved(problem.at_multipliers(**least.multipliers), tolerance=1e-8)
    lagrangian = R + sum(least.multipliers[name] * least.losses[name] for name in least.losses)
    assert fixed.objective_upper == pytest.approx(lagrangian, abs=1e-7)


# ------------------------------------------------------------------------------------- the bound on the line


def price_of(seed, n=30, spread=1.0, classes=2, multiplier=4.0, power=2.0):
    rng = np.random.default_rng(seed)
    x = np.sort(rng.normal(scale=spread, size=n))
    scores = rng.normal(size=classes) * x[:, None] * 1.5
    label = np.exp(scores - scores.max(axis=1, keepdims=True))
    label /= label.sum(axis=1, keepdims=True)
    tables, powers = ([label], np.array([power])) if classes > 1 else ([], np.empty(0))
    return FreePrice(rng.normal(size=n), x[:, None], multiplier, tables, powers)


def log_prices(price, places, decisions):
    exponent = price.weights_at(np.asarray(places, dtype=float)[:, None])
    for power, label, soft in zip(price.multipliers, price.labels, decisions, strict=True):
        exponent = exponent + power * label @ np.log(soft).T
    top = exponent.max(axis=0)
    return top + np.log(np.exp(exponent - top).sum(axis=0))


@pytest.mark.parametrize("multiplier", [1e-3, 0.3, 4.0, 100.0, 1e6])
def test_without_labels_the_bound_is_the_largest_of_a_fine_grid(multiplier):
    price = price_of(0, classes=1, multiplier=multiplier)
    found = largest_free_price(price)
    grid = np.union1d(np.linspace(-3, 3, 30001), price.points[:, 0])
    best = log_prices(price, grid, []).max()
    assert found.proved
    assert best <= found.log_upper
    assert found.log_best <= found.log_upper <= found.log_best + 2e-10
    assert found.log_best >= best - 1e-12


@pytest.mark.parametrize(("classes", "power"), [(2, 0.7), (2, 1.0), (2, 5.0), (2, 60.0), (3, 3.0), (6, 0.8)])
def test_with_labels_no_letter_exceeds_the_bound(classes, power):
    price = price_of(1, classes=classes, power=power)
    found = largest_free_price(price)
    assert found.proved
    assert found.log_best <= found.log_upper <= found.log_best + 2e-10
    rng = np.random.default_rng(0)
    places = np.r_[rng.uniform(-3, 3, 2000), found.best.places[0, 0] + 1e-3 * rng.normal(size=200)]
    near = 0.999 * found.best.decisions[0][0] + 0.001 * rng.dirichlet(np.ones(classes), 200)
    soft = np.vstack([rng.dirichlet(np.full(classes, 0.7), 2000), near])
    assert log_prices(price, places, [np.maximum(soft, 1e-300)]).max() <= found.log_upper


def test_a_flat_price_needs_no_small_cells():
    """Equal weights on a fine grid: the price is flat but for the ends, and every cell of the first size will do."""
    x = np.linspace(-5, 5, 401)
    price = FreePrice(np.full(401, math.log(0.025 * math.sqrt(5 / math.pi))), x[:, None], 5.0, [], np.empty(0))
    found = largest_free_price(price)
    assert found.log_upper <= found.log_best + 1e-11
    assert found.n_cells <= math.ceil(10 * math.sqrt(5) / 0.25)


def test_halving_ends_with_a_bound_all_the_same(monkeypatch):
    price = price_of(2, multiplier=30.0)
    full = largest_free_price(price)
    monkeypatch.setattr(line, "_MOST_HALVINGS", 1)
    short = largest_free_price(price)
    assert short.proved
    assert full.log_upper < short.log_upper < full.log_upper + 0.1


def test_a_letter_that_the_search_missed_is_found_by_the_cells():
    price = price_of(3, multiplier=50.0)
    full = largest_free_price(price)
    worst = FreeLetters(full.best.places[-1:], (full.best.decisions[0][-1:],), full.best.log_prices[-1:])
    assert worst.log_prices[0] < full.log_best - 1e-3
    found = largest_free_price(price, found=worst)
    assert found.log_best == pytest.approx(full.log_best, abs=1e-10)
    assert found.log_best <= found.log_upper <= found.log_best + 2e-10


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("multiplier", [4.0, 1e4])
@pytest.mark.parametrize("power", [1e5, 1e6, 1e8])
def test_cells_are_not_halved_below_what_roundings_allow(power, multiplier, classes):
    """Exponents of 1e8 err by 1e-8: what no bound can come below is no reason to halve cells."""
    price = price_of(5, n=4, classes=classes, multiplier=multiplier, power=power)
    found = largest_free_price(price)
    assert found.proved
    assert found.log_best <= found.log_upper <= found.log_best + 32 * EPS * power
    assert found.n_cells <= 1 + math.ceil(np.ptp(price.points) * math.sqrt(multiplier) / 0.25)


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("place", [0.0, 3314.2555994792956, -1e10])
def test_a_cell_that_floats_cannot_halve_is_final(monkeypatch, place, classes):
    """Between a place and the next float there is none: halving in vain would double the cells for ever."""
    one = price_of(6, n=2, classes=classes, multiplier=5e7, power=1e8)
    other = FreePrice(
        one.log_weights, np.array([[place], [np.nextafter(place, 1e20)]]), 5e7, one.labels, one.multipliers
    )
    monkeypatch.setattr(line._Line, "_floor", lambda self: -math.inf)
    monkeypatch.setattr(line, "_MOST_HALVINGS", 12)
    found = largest_free_price(other, rtol=0.0)
    assert found.proved
    assert found.n_cells <= 24
    assert found.log_best <= found.log_upper <= found.log_best + 1e-5


def test_a_letter_without_mass_on_a_part_has_no_price_there():
    """The label decided first leaves class 0, or classes 1 and 2, of the second one: no letter is on both."""
    first, second = np.eye(2)[[0, 1, 1]], np.array([[1.0, 0, 0], [0, 0.7, 0.3], [0, 0.4, 0.6]])
    price = [np.zeros((3, 1)), [first, second], np.array([2.0, 3.0])]
    bounded = [
        log_price_bounded(
            *price, Decisions(np.zeros(1, dtype=int), (np.array([[1 - d, d]]), np.array([r])), np.zeros(1))
        )
        for d, r in [(0.0, [1.0, 0, 0]), (1.0, [1.0, 0, 0]), (1.0, [0, 0.5, 0.5])]
    ]
    assert bounded[0] == pytest.approx(0.0, abs=1e-13)  # one row, of weight one
    assert bounded[1] == -math.inf
    assert bounded[2] == pytest.approx(math.log(2 * 0.5**3), abs=1e-12)


def test_points_far_apart_beside_the_kernel_are_searched_but_not_proved():
    """160 million cells would have to be bounded, and their weights looked at one by one: hours, not a proof."""
    x = np.array([[-115812.77612938995], [0.0], [57906.388064694976], [115812.77612938995]])
    found = largest_free_price(FreePrice(np.zeros(4), x, 30724.5518317, [], np.empty(0)))
    assert not found.proved
    assert found.n_cells == 0
    assert found.log_upper == found.log_best == pytest.approx(0.0, abs=1e-12)
    source = rdc.Source(x[:, 0], [0.25, 0.25, 0.25, 0.25])
    problem = rdc.Problem(source, "free", limits=[rdc.DistortionLimit(INF)]).at_multipliers(distortion=30724.5518317)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.proof is Proof.UNVERIFIED
    assert result.objective_upper == pytest.approx(math.log(4), abs=1e-9)


def test_bernstein_coefficients_are_those_of_the_powers():
    matrix, u = line._bernstein(), np.linspace(-1, 1, 9)
    m = line._DEGREE
    basis = np.array([math.comb(m, k) * ((1 + u) / 2) ** k * ((1 - u) / 2) ** (m - k) for k in range(m + 1)])
    for n in range(m + 1):
        assert matrix[n] @ basis == pytest.approx(u**n, abs=1e-14)
    assert np.abs(matrix).max() <= 1.0


def test_more_than_three_dimensions_and_the_plane_are_searched_but_not_proved():
    assert not largest_free_price(price_of(0, classes=6, power=3.0)).proved
    rng = np.random.default_rng(0)
    plane = FreePrice(rng.normal(size=20), rng.normal(size=(20, 2)), 2.0, [], np.empty(0))
    found = largest_free_price(plane)
    assert not found.proved
    assert found.log_upper == found.log_best


# ------------------------------------------------------------------------------------- climbing


def test_climbing_never_descends_and_ends_where_the_price_is_stationary():
    rng = np.random.default_rng(0)
    for dim, classes in [(1, 1), (1, 3), (2, 2), (5, 1)]:
        n = 40
        table = rng.dirichlet(np.ones(classes), n)
        tables = [table] if classes > 1 else []
        powers = np.full(len(tables), 2.5)
        price = FreePrice(rng.normal(size=n), rng.normal(size=(n, dim)), 1.5, tables, powers)
        places = rng.normal(size=(30, dim))
        soft = tuple(rng.dirichlet(np.ones(classes), 30) for _ in tables)
        before = price.climbed(places, soft)
        assert before.log_prices.max() >= _logs(price, places, soft).max() - 1e-12
        shares = _shares(price, before.places, before.decisions)
        assert np.abs(shares.T @ price.points - before.places).max() < 1e-6
        if tables:
            assert np.abs(shares.T @ table - before.decisions[0]).max() < 1e-6
        assert before.log_prices == pytest.approx(_logs(price, before.places, before.decisions), abs=1e-11)


def _terms(price, places, decisions):
    exponent = price.weights_at(places)
    for power, label, soft in zip(price.multipliers, price.labels, decisions, strict=True):
        exponent = exponent + power * label @ np.log(soft).T
    return exponent


def _logs(price, places, decisions):
    exponent = _terms(price, places, decisions)
    return np.log(np.exp(exponent - exponent.max()).sum(axis=0)) + exponent.max()


def _shares(price, places, decisions):
    exponent = _terms(price, places, decisions)
    return np.exp(exponent - _logs(price, places, decisions))


def test_a_label_that_is_a_function_of_x_has_pure_letters():
    x = np.linspace(-2, 2, 21)
    label = np.eye(3)[np.digitize(x, [-0.5, 0.7])]
    source = rdc.Source(x, np.full(21, 1 / 21), labels=[label])
    problem = rdc.Problem(source, reproduction="free", limits=[rdc.DistortionLimit(0.6), rdc.LabelEntropyLimit(0.3)])
    result = solved(problem, tolerance=1e-8)
    assert result.certificate.verify(problem, arithmetic="ball").valid


# ------------------------------------------------------------------------------------- in more dimensions


def test_in_the_plane_the_rate_is_an_upper_bound_that_says_so():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 2))
    label = np.eye(2)[(points[:, 0] * points[:, 1] > 0).astype(int)]
    source = rdc.Source(points, np.full(60, 1 / 60), labels=[label])
    limits = [rdc.DistortionLimit(0.6), rdc.LabelEntropyLimit(0.3)]
    free = rdc.solve(rdc.Problem(source, reproduction="free", limits=limits), tolerance=1e-6)
    listed = rdc.solve(rdc.Problem(source, limits=limits), tolerance=1e-6)
    assert free.proof is Proof.UNVERIFIED
    assert free.status is Status.OPTIMAL
    assert free.rate_upper < listed.rate_lower
    problem = rdc.Problem(source, reproduction="free", limits=limits)
    check(free, problem, 1e-6)
    verification = free.certificate.verify(problem)
    assert verification.valid
    # what is proved is that the rate is at least I(S; A) >= H(S) - C
    assert verification.lower == pytest.approx(entropy(label.mean(axis=0)) - 0.3, abs=1e-9)
    assert verification.lower < free.rate_lower


# ------------------------------------------------------------------------------------- statements and results


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reproduction": "anywhere"}, "'anywhere'"),
        ({"distortion": "hamming"}, "'hamming'"),
        ({"distortion": [[0.0, 1.0], [1.0, 0.0]]}, "squared_error"),
        ({"letters": "fixed"}, "needs listed letters"),
        ({"limits": [rdc.ClassifierLossLimit(0.1, [[0.5, 0.5]])]}, "needs listed letters"),
        ({"limits": [rdc.DistortionLimit(0.1), rdc.DistortionLimit(0.2)]}, "limited twice"),
    ],
)
def test_what_free_letters_cannot_do_is_refused(options, message):
    source = rdc.Source([0.0, 1.0], [0.5, 0.5], labels=[np.eye(2)])
    with pytest.raises(rdc.InvalidInput, match=message):
        rdc.Problem(source, **{"reproduction": "free", **options})


def test_points_are_needed():
    with pytest.raises(rdc.InvalidInput, match="no points"):
        rdc.Problem(rdc.Source(None, [0.5, 0.5]), reproduction="free")
    with pytest.raises(rdc.InvalidInput, match="Conic"):
        rdc.solve(signs(D=0.5), rdc.Conic())


def test_a_saved_result_is_the_same_and_starts_the_next(tmp_path):
    problem = mixture(31).with_limits(D=0.5, C=0.4)
    result = solved(problem, tolerance=1e-8)
    result.save(tmp_path / "point.npz")
    loaded = rdc.load(tmp_path / "point.npz")
    assert np.array_equal(loaded.reproduction, result.reproduction)
    assert loaded.certificate.verify(problem).valid
    near = solved(problem.with_limits(D=0.48), tolerance=1e-8, start=loaded)
    assert near.rate_lower > result.rate_upper
    joint = result.channel * problem.p_x[:, None]
    means = joint.T @ problem.source.points / joint.sum(axis=0)[:, None]
    assert result.reproduction == pytest.approx(means, abs=1e-12)


def test_sweeps_and_tradeoffs_take_free_letters():
    problem = mixture(31).with_limits(D=0.5)
    grid = rdc.sweep(problem, D=[0.3, 0.6], C=[0.35, 0.5], tolerance=1e-7)
    assert (grid.status == "OPTIMAL").all()
    assert (grid.proof == "CERTIFIED").all()
    assert (grid.rate_lower.values[1] <= grid.rate_upper.values[0]).all()
    boundary = rdc.tradeoff(problem, rate=0.6, n_points=3, tolerance=1e-6)
    assert (boundary.proof == "CERTIFIED").all()
    assert (np.diff(boundary.objective_lower.values) <= 1e-6).all()


def test_another_source_refuses_the_certificate():
    problem = signs(D=0.3)
    result = solved(problem)
    with pytest.raises(rdc.InvalidInput, match="fingerprint"):
        result.certificate.verify(rdc.Problem(rdc.Source([-1.0, 1.1], [0.5, 0.5]), reproduction="free"))


# ------------------------------------------------------------------------------------- properties


@st.composite
def free_problems(draw):
    n = draw(st.integers(1, 5))
    p = draw(pmfs(n))
    x = np.array(draw(st.lists(st.sampled_from([0.0, 1.0, 1.5, -2.0, 3.0, 3.001]), min_size=n, max_size=n)))
    tables = [draw(labels(n, draw(st.integers(1, 3)))) for _ in range(draw(st.integers(0, 1)))]
    source = rdc.Source(x, p, labels=tables)
    limits = [rdc.LabelEntropyLimit(INF, k) for k in range(len(tables))]
    problem = rdc.Problem(source, reproduction="free", limits=limits)
    if draw(st.booleans()):
        values = st.sampled_from([0.0, 1e-3, 0.5, 1.0, 3.0, 40.0])
        return problem.at_multipliers(**{name: draw(values) for name in problem.loss_names})
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    channel = rng.dirichlet(np.full(3, draw(st.sampled_from([0.1, 1.0]))), size=n)
    joint = channel * p[:, None]
    q = joint.sum(axis=0)
    means = np.divide(x @ joint, q, out=np.zeros(3), where=q > 0)
    D = float((joint * (x[:, None] - means) ** 2).sum())
    entropies = [conditional_entropy(p, table, channel) for table in tables]
    loose = st.sampled_from([0.0, 1e-3, 0.3, INF])
    bounds = {"D": D + draw(loose)} | {f"C{k}": h + draw(loose) for k, h in enumerate(entropies)}
    problem = problem.with_limits(
        D=bounds["D"], **{name: bounds[f"C{k}"] for k, name in enumerate(problem.loss_names[1:])}
    )
    if draw(st.integers(0, 3)) == 0:
        extra = draw(st.sampled_from([0.1, 1.0]))
        problem = problem.minimising("distortion", rate=mutual_information(p, channel) + extra)
    return problem


@settings(max_examples=60, deadline=None)
@given(problem=free_problems())
def test_every_answer_holds(problem):
    result = rdc.solve(problem, tolerance=1e-7)
    testing.check_bounds(result, 1e-7)
    assert result.status is not Status.INFEASIBLE, str(result)
    if result.proof is Proof.NONE:
        return
    assert result.proof is Proof.CERTIFIED
    testing.check_feasibility(result, problem)
    testing.check_certificate(result, problem)
    ball = result.certificate.verify(problem, arithmetic="ball")
    assert ball.valid, ball
