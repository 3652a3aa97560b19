"""Fixed letters: the alternation's kernels against NumPy, its descent, and its answers against brute force."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.information import binary_entropy, conditional_entropy, entropy, mutual_information
from rdcsolve.problems import DistortionLimit, LabelEntropyLimit, Problem, Source
from rdcsolve.results.status import Proof, Status
from rdcsolve.solvers.stationary.alternation import Alternation, solve_fixed
from rdcsolve.solvers.stationary.compiled_channel import moments, solve_definite, tilt_within
from rdcsolve.solvers.stationary.compiled_descent import alternation_step, descend_fixed, descend_limited
from rdcsolve.solvers.stationary.cutoffs import SMALLEST
from rdcsolve.solvers.stationary.starts import Arena
from rdcsolve.testing.strategies import distortions, labels, pmfs

INF = math.inf


def fixed(p, d, w, **stated):
    return Problem.from_arrays(p, d, w, letters="fixed", **{"C": INF, **stated})


# Limits that no channel meets, between two maps that one of the limits refuses each.
HALVES = fixed(np.array([0.5, 0.5]), np.array([[0.0, 0.5], [0.0, 0.5]]), np.eye(2), D=0.13, C=0.36)


def random_parts(seed, n_x=4, n_y=3, n_s=2):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(n_x)), rng.random((n_x, n_y)), rng.dirichlet(np.full(n_s, 0.5), size=n_x)


def met_by_some_channel(seed, **sizes):
    """Targets (D, C) that a random channel attains, so that they can be met."""
    p, d, w = random_parts(seed, **sizes)
    channel = np.random.default_rng(seed).dirichlet(np.full(d.shape[1], 0.4), size=p.size)
    return p, d, w, float(p @ (channel * d).sum(axis=1)), conditional_entropy(p, w, channel)


def check_channel(problem, result):
    """The channel is one, meets every limit, and attains what is reported, all by definition."""
    full = np.zeros((problem.n_x, problem.n_letters))
    full[:, result.letters] = result.channel
    assert np.unique(result.letters).size == result.letters.size
    np.testing.assert_allclose(full.sum(axis=1), 1, atol=1e-12)
    p = problem.p_x
    np.testing.assert_allclose(result.q, p @ result.channel, atol=1e-15)
    means = {}
    for loss in problem.linear_losses:
        assert not (np.isinf(loss.matrix) & (full > 0))[p > 0].any()
        means[loss.name] = p @ (full * np.where(np.isinf(loss.matrix), 0, loss.matrix)).sum(axis=1)
    means |= {label.name: conditional_entropy(p, label.conditional, full) for label in problem.label_entropies}
    for name, bound in zip(problem.loss_names, problem.bounds, strict=True):
        assert result.losses[name] == pytest.approx(means[name], rel=1e-12, abs=1e-14)
        assert result.losses[name] <= bound + 1e-15 * (1 + abs(bound))
    rate = mutual_information(p, full)
    assert result.rate_upper == pytest.approx(rate, abs=1e-12)
    if problem.rate_bound is not None:
        assert rate <= problem.rate_bound * (1 + 1e-15)
    value = {"rate": rate, **means}.get(problem.objective, rate)
    if problem.multipliers is not None:
        value += sum(m * mean for m, mean in zip(problem.multipliers, means.values(), strict=True))
    assert result.objective_lower - 1e-12 <= value <= result.objective_upper <= value + 1e-11 * (1 + abs(value))
    for label, decisions in zip(problem.label_entropies, result.decisions, strict=True):
        joint = (p[:, None] * result.channel).T @ label.conditional
        np.testing.assert_allclose(decisions, joint / joint.sum(axis=1, keepdims=True), atol=1e-9)


# ---------------------------------------------------------------------------------------- kernels


def step_by_definition(p, exponent, conditional, ends, multipliers, q, decisions):
    """The tilted channel for (q, decisions), its Lagrangian, its masses and its posteriors."""
    kernel = np.exp(exponent + conditional @ (multipliers[:, None] * np.log(decisions)))
    t = kernel @ q
    channel = kernel * q / t[:, None]
    masses = p @ channel
    joint = (p[:, None] * conditional).T @ channel
    posterior = decisions.copy()
    for a, b in itertools.pairwise(ends):
        posterior[a:b] = np.where(
            masses > 0, joint[a:b] / np.where(masses > 0, joint[a:b].sum(axis=0), 1), posterior[a:b]
        )
    return -p @ np.log(t), channel, masses, np.maximum(posterior, SMALLEST)


@pytest.mark.parametrize("widths", [(2,), (3,), (2, 3), ()])
@pytest.mark.parametrize("seed", range(3))
def test_step_is_the_definition(seed, widths):
    rng = np.random.default_rng(seed)
    n, k = 6, 4
    p = rng.dirichlet(np.ones(n))
    exponent = -5 * rng.random((n, k))
    exponent[0, 1] = exponent[2, 3] = -INF
    ends = np.concatenate([[0], np.cumsum(widths)]).astype(np.int64)
    hard = [np.eye(width)[rng.integers(width, size=n)] for width in widths[1:]]
    conditional = np.hstack([rng.dirichlet(np.ones(widths[0]), size=n), *hard]) if widths else np.empty((n, 0))
    decisions = np.vstack([rng.dirichlet(np.ones(w), size=k).T for w in widths]) if widths else np.empty((0, k))
    multipliers = np.repeat(3 * rng.random(len(widths)), widths)
    q = rng.dirichlet(np.ones(k))
    expected, _, masses, posterior = step_by_definition(p, exponent, conditional, ends, multipliers, q, decisions)
    q, decisions = q.copy(), np.ascontiguousarray(decisions)
    value = alternation_step(p, exponent, conditional, ends, multipliers, q, decisions)
    assert value == pytest.approx(expected, rel=1e-13)
    np.testing.assert_allclose(q, masses, rtol=1e-13)
    np.testing.assert_allclose(decisions, posterior, rtol=1e-12)


def test_step_without_mass_on_a_letter_keeps_its_decisions():
    p, _, w = random_parts(0)
    q, decisions = np.array([0.5, 0.5, 0.0]), np.array([[0.3, 0.6, 0.9], [0.7, 0.4, 0.1]])
    alternation_step(p, np.zeros((4, 3)), w, np.array([0, 2]), np.ones(2), q, decisions)
    assert q[2] == 0
    assert decisions[:, 2].tolist() == [0.9, 0.1]


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_moments_are_the_definition(scale):
    rng = np.random.default_rng(1)
    p, q = rng.dirichlet(np.ones(5)), rng.dirichlet(np.ones(4))
    losses, multipliers = rng.random((3, 5, 4)), scale * rng.random(3)
    mask = np.where(rng.random((5, 4)) < 0.2, -INF, 0.0)
    mask[:, 0] = 0.0
    channel, means, covariance = np.empty((5, 4)), np.empty(3), np.empty((3, 3))
    value = moments(p, mask, losses, multipliers, q, channel, means, covariance)
    exponent = mask - np.tensordot(multipliers, losses, axes=1)
    top = exponent.max(axis=1, keepdims=True)
    weights = q * np.exp(exponent - top)
    expected = weights / weights.sum(axis=1, keepdims=True)
    assert value == pytest.approx(-p @ (np.log(weights.sum(axis=1)) + top[:, 0]))
    np.testing.assert_allclose(channel, expected, atol=1e-15)
    np.testing.assert_allclose(means, [p @ (expected * loss).sum(axis=1) for loss in losses], rtol=1e-12)
    centred = losses - np.einsum("ia,mia->mi", expected, losses)[:, :, None]
    products = np.einsum("i,ia,mia,lia->ml", p, expected, centred, centred)
    np.testing.assert_allclose(covariance, products, rtol=1e-9, atol=1e-18)


@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.sampled_from([1e-100, 1.0, 1e100]))
def test_definite_systems_are_solved(seed, size, scale):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(size, size))
    matrix = scale * (root @ root.T + 0.1 * np.eye(size))
    right = rng.normal(size=size)
    found = np.append(right, 7.0)
    solve_definite(np.pad(matrix, (0, 1)), found, size)  # of larger arrays, the first entries
    np.testing.assert_allclose(found[:size], np.linalg.solve(matrix, right), rtol=1e-9, atol=1e-12 / scale)
    assert found[size] == 7.0


def test_variables_that_roundings_leave_without_variance_stay():
    """Two losses of which one is a multiple of the other, and a loss that is constant."""
    right = np.array([1.0, 3.0, 1.0])
    solve_definite(np.array([[1.0, 3.0, 0.0], [3.0, 9.0, 0.0], [0.0, 0.0, 0.0]]), right, 3)
    np.testing.assert_array_equal(right, [1.0, 0.0, 0.0])
    loss = np.array([0.1, 0.7])
    products = np.outer(loss, loss)
    products[1, 1] += 2**-53  # a variance that is nothing but a rounding
    right = loss.copy()
    solve_definite(products, right, 2)
    np.testing.assert_allclose(right, [10.0, 0.0])


def test_tilting_meets_limits_that_can_be_met_and_stops_at_its_caps_otherwise():
    rng = np.random.default_rng(2)
    p, q, losses = rng.dirichlet(np.ones(5)), np.full(4, 0.25), rng.random((2, 5, 4))
    channel, means, covariance = np.empty((5, 4)), np.empty(2), np.empty((2, 2))
    arguments = (np.full(2, 1e4), np.full(2, 1e-10), channel, means, covariance)
    multipliers, bounds = np.ones(2), np.array([0.4, 0.55])
    tilt_within(p, np.zeros((5, 4)), losses, multipliers, q, bounds, *arguments)
    assert (means <= bounds + 1e-10).all()
    assert np.all((multipliers == 0) | (np.abs(means - bounds) <= 1e-10))
    multipliers, bounds = np.ones(2), np.array([0.0, INF])
    tilt_within(p, np.zeros((5, 4)), losses, multipliers, q, bounds, *arguments)
    assert multipliers.tolist() == [1e4, 1.0]
    assert means[0] == pytest.approx(p @ losses[0].min(axis=1), abs=1e-3)


# ---------------------------------------------------------------------------------------- descent


@st.composite
def small_problems(draw):
    n_x, n_y, n_s = draw(st.integers(1, 5)), draw(st.integers(1, 4)), draw(st.integers(1, 3))
    d = draw(distortions(n_x, n_y, forbidden=False))
    return fixed(draw(pmfs(n_x)), d / max(d.max(), 1e-9), draw(labels(n_x, n_s)))


def positive(rng, arena):
    """Random masses and decisions."""
    drawn = [rng.dirichlet(np.ones(w), size=arena.n_letters).T for w in np.diff(arena.ends)]
    return rng.dirichlet(np.ones(arena.n_letters)), np.maximum(np.vstack(drawn), SMALLEST)


@given(problem=small_problems(), price=st.floats(0, 20), label_price=st.floats(0, 20), seed=st.integers(0, 99))
def test_no_step_at_multipliers_raises_the_lagrangian(problem, price, label_price, seed):
    arena = Arena(problem)
    q, decisions = positive(np.random.default_rng(seed), arena)
    weights = np.full(arena.conditional.shape[1], label_price)
    before = INF
    for _ in range(30):
        value = alternation_step(
            arena.p, -price * arena.losses[0], arena.conditional, arena.ends, weights, q, decisions
        )
        assert value <= before + 1e-12 * (1 + abs(value))
        before = value
    stretched, _ = descend_fixed(
        arena.p, -price * arena.losses[0], arena.conditional, arena.ends, weights, q, decisions, 50, 1e-12
    )
    assert stretched <= before + 1e-12 * (1 + abs(before))


@given(problem=small_problems(), seed=st.integers(0, 99))
def test_no_step_at_targets_raises_the_rate(problem, seed):
    rng = np.random.default_rng(seed)
    arena = Arena(problem)
    channel = rng.dirichlet(np.full(arena.n_letters, 0.5), size=problem.n_x)
    C = conditional_entropy(problem.p_x, problem.label_entropies[0].conditional, channel)
    D = float(problem.p_x @ (channel * problem.losses[0].matrix).sum(axis=1))
    arena = Arena(problem.with_limits(D=D + 1e-3, C=C + 1e-3))
    # from that channel's own masses and posteriors every step can meet the limits
    q, decisions = arena.posterior(channel[arena.symbols], arena.prior_everywhere())
    decisions = np.ascontiguousarray(np.maximum(decisions, SMALLEST))
    multipliers, work = np.ones(2), np.empty(arena.mask.shape)
    before = mutual_information(problem.p_x, channel)
    for _ in range(15):
        value, excess, _ = descend_limited(
            arena.p, arena.mask, arena.losses, arena.conditional, arena.ends, multipliers, q, decisions,
            arena.bounds, np.full(2, 1e7), np.full(2, 1e-9), -1, 0.0, 1, 0.0, work,
        )  # fmt: skip
        assert excess <= 1
        assert value <= before + 1e-7
        before = value


@given(problem=small_problems(), seed=st.integers(0, 99), kind=st.sampled_from(["rate", "label", "loss", "lagrangian"]))
@settings(max_examples=12)
def test_channels_are_feasible_and_what_is_reported(problem, seed, kind):
    rng = np.random.default_rng(seed)
    channel = rng.dirichlet(np.full(problem.n_letters, 0.5), size=problem.n_x)
    C = conditional_entropy(problem.p_x, problem.label_entropies[0].conditional, channel)
    D = float(problem.p_x @ (channel * problem.losses[0].matrix).sum(axis=1))
    rate = mutual_information(problem.p_x, channel)
    stated = {
        "rate": problem.with_limits(D=D + 1e-4, C=C + 1e-4),
        "label": problem.with_limits(D=D + 1e-4, rate=rate + 1e-4).minimising("label_entropy"),
        "loss": problem.with_limits(C=C + 1e-4, rate=rate + 1e-4).minimising("distortion"),
        "lagrangian": problem.at_multipliers(distortion=4.0, label_entropy=2.0),
    }[kind]
    result = solve_fixed(stated, Alternation(starts=2, polish=1))
    assert result.status in (Status.STATIONARY, Status.STEP_LIMIT)
    assert result.proof is Proof.NONE
    assert result.certificate is None
    check_channel(stated, result)


# -------------------------------------------------------------------------------- against brute force


def every_channel(p, d, w, steps):
    """I, E d and H(S | A) of all channels of a grid, for two symbols and two letters."""
    grid = np.linspace(0, 1, steps + 1)
    first, second = np.meshgrid(grid, grid, indexing="ij")
    rows = np.stack([np.stack([first, 1 - first]), np.stack([second, 1 - second])])  # (x, y, grid, grid)
    joint = p[:, None, None, None] * rows
    q = joint.sum(axis=0)

    def spread(masses):
        return -(masses * np.log(np.where(masses > 0, masses, 1.0))).sum(axis=tuple(range(masses.ndim - 2)))

    rate = spread(q) - np.tensordot(p, [spread(row) for row in rows], axes=1)
    label = spread(np.einsum("xyij,xs->ysij", joint, w)) - spread(q)
    return np.maximum(rate, 0), np.einsum("xyij,xy->ij", joint, d), label


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("label_price", [0.7, 2.0, 6.0])
def test_two_by_two_at_multipliers_against_every_channel(seed, label_price):
    p, d, w = random_parts(seed, 2, 2)
    result = solve_fixed(fixed(p, d, w).at_multipliers(distortion=2.0, label_entropy=label_price), Alternation())
    rate, distortion, label = every_channel(p, d, w, 500)
    brute = (rate + 2 * distortion + label_price * label).min()
    assert brute - 2e-3 <= result.objective_upper <= brute + 1e-9


@pytest.mark.parametrize("seed", range(4))
def test_two_by_two_at_targets_against_every_channel(seed):
    p, d, w, D, C = met_by_some_channel(seed, n_x=2, n_y=2)
    D, C = D + 1e-3, C + 1e-3
    rate, distortion, label = every_channel(p, d, w, 500)
    met = rate[(distortion <= D) & (label <= C)].min()
    nearly = rate[(distortion <= D + 2e-3) & (label <= C + 1e-2)].min()
    result = solve_fixed(fixed(p, d, w, D=D, C=C), Alternation())
    assert nearly - 1e-2 <= result.objective_upper <= met + 1e-9
    least = solve_fixed(fixed(p, d, w, D=D, rate=met).minimising("label_entropy"), Alternation(starts=4, polish=1))
    assert least.objective_upper <= label[(distortion <= D) & (rate <= met)].min() + 1e-8


@pytest.mark.parametrize("seed", range(4))
def test_convex_lagrangian_is_solved(seed):
    """With a label multiplier of at most one, splitting letters brings nothing, and no other letter would either."""
    p, d, w = random_parts(seed)
    problem = fixed(p, d, w).at_multipliers(distortion=5.0, label_entropy=(0.3, 0.6, 0.9, 1.0)[seed])
    result = solve_fixed(problem, Alternation(starts=2))
    assert "convex" in result.message
    grid = np.linspace(0.001, 0.999, 120)
    decisions = np.stack([grid, 1 - grid], axis=1)
    letters = np.concatenate([np.repeat(np.arange(3), grid.size), result.letters])
    more = problem.listed(letters, [np.vstack([np.tile(decisions, (3, 1)), result.decisions[0]])])
    assert rdc.solve(more).objective_lower == pytest.approx(result.objective_upper, abs=1e-7)


@pytest.mark.parametrize("seed", range(2))
def test_all_objectives_agree_where_the_lagrangian_is_least(seed):
    """The least Lagrangian is on the convex hull of what is attainable, so none of the three can be improved."""
    p, d, w = random_parts(seed)
    problem = fixed(p, d, w)
    hull = solve_fixed(problem.at_multipliers(distortion=6.0, label_entropy=2.0), Alternation())
    D, C = hull.losses["distortion"], hull.losses["label_entropy"]
    rate = solve_fixed(problem.with_limits(D=D, C=C), Alternation())
    assert rate.objective_upper == pytest.approx(hull.rate_upper, abs=1e-7)
    for name, stated, expected in (("distortion", {"C": C}, D), ("label_entropy", {"D": D}, C)):
        limited = problem.with_limits(**stated, rate=hull.rate_upper + 1e-9).minimising(name)
        assert solve_fixed(limited, Alternation(starts=2, polish=1)).objective_upper == pytest.approx(
            expected, abs=1e-6
        )


# ------------------------------------------------------------------------------------ not convex


P_TWO = np.array([0.7, 0.3])
ONE_WAY = np.array([[0.0, 0.0], [1.0, 0.0]])  # the second symbol must not be shown as the first letter
LABEL = np.array([[0.7, 0.3], [1.0, 0.0]])


def test_fixed_letters_are_not_convex_and_split_letters_are():
    """With D = 0 the second symbol goes to the second letter, so one number says all: where the first one goes.

    Showing all (C = H(S | X)) costs H(X); showing nothing (C = H(S)) costs nothing. Half-way between, fixed letters
    need more than half of H(X); split letters can share time between the two.
    """
    ends = binary_entropy(0.3) * 0.7, binary_entropy(0.21)
    middle = 0.5 * (ends[0] + ends[1])
    average = 0.5 * binary_entropy(0.3)
    away = np.linspace(0, 1, 100_001)  # share of the first symbol that the second letter stands for
    q = 0.3 + 0.7 * away
    rate = binary_entropy(q) - 0.7 * binary_entropy(away)
    label = q * binary_entropy(0.21 * away / q) + (1 - q) * binary_entropy(0.3)
    assert rate[0] == pytest.approx(binary_entropy(0.3))
    assert (label[0], label[-1]) == pytest.approx(ends)
    between = 2 * max(np.abs(np.diff(rate)).max(), np.abs(np.diff(label)).max())  # what the grid can miss
    assert between < 1e-3
    brute = rate[label <= middle + between].min() - between
    assert brute > average + 0.09

    problem = fixed(P_TWO, ONE_WAY, LABEL, D=0.0, C=middle)
    result = solve_fixed(problem, Alternation())
    assert result.rate_upper == pytest.approx(rate[label <= middle].min(), abs=1e-4)
    assert result.rate_upper == pytest.approx(0.400110, abs=1e-6)

    grid = np.unique([*np.linspace(0, 0.5, 101), 0.21, 0.3])
    decisions = np.stack([1 - grid, grid], axis=1)
    split = problem.listed(np.repeat([0, 1], grid.size), [np.tile(decisions, (2, 1))])
    assert rdc.solve(split).rate_upper <= average + 1e-8


# ------------------------------------------------------------------------------- starts and statuses


def test_more_starts_are_never_worse_and_the_same_seed_gives_the_same():
    p, d, w, D, C = met_by_some_channel(11, n_x=5, n_y=3, n_s=3)
    problem = fixed(p, d, w, D=D, C=C)
    values = [solve_fixed(problem, Alternation(starts=starts)).objective_upper for starts in (1, 5, 20)]
    assert values[1] <= values[0] + 1e-8
    assert values[2] <= values[1] + 1e-8
    again = [solve_fixed(problem, Alternation(rng=seed)) for seed in (3, 3)]
    assert again[0].objective_upper == again[1].objective_upper
    np.testing.assert_array_equal(again[0].channel, again[1].channel)
    by_generator = solve_fixed(problem, Alternation(rng=np.random.default_rng(3)))
    assert by_generator.objective_upper == again[0].objective_upper


def test_split_result_gives_bound_and_starts():
    p, d, w, D, C = met_by_some_channel(4)
    problem = fixed(p, d, w, D=D, C=C)
    split = rdc.solve(Problem.from_arrays(p, d, w, D=D, C=C))
    result = solve_fixed(problem, Alternation(starts=0, anneal=False), split=split)
    assert result.objective_lower == split.objective_lower
    assert result.proof is split.proof
    assert result.certificate.upper == result.objective_upper
    assert "split letters" in result.message
    assert result.objective_upper <= solve_fixed(problem, Alternation()).objective_upper + 1e-6
    check_channel(problem, result)


def test_early_stops_keep_what_is_known():
    p, d, w, D, C = met_by_some_channel(5)
    problem = fixed(p, d, w, D=D, C=C)

    def interrupt(record):
        if record.step == 2:
            raise KeyboardInterrupt

    cases = [
        (solve_fixed(problem, Alternation(), callback=lambda record: True), Status.STOPPED_BY_CALLBACK),
        (solve_fixed(problem, Alternation(), callback=interrupt), Status.INTERRUPTED),
        (solve_fixed(problem, Alternation(), time_limit=1e-9), Status.TIME_LIMIT),
        (solve_fixed(problem, Alternation(polish_steps=1)), Status.STEP_LIMIT),
    ]
    for result, status in cases:
        assert result.status is status
        check_channel(problem, result)


def test_infeasible_only_with_a_proof():
    p, d, w = random_parts(0)
    known = conditional_entropy(p, w, np.eye(4))
    for stated in ({"C": 0.9 * known}, {"D": 0.5 * float(p @ d.min(axis=1))}):
        result = solve_fixed(fixed(p, d, w, **stated), Alternation(starts=1))
        assert result.status is Status.INFEASIBLE
        assert result.proof is Proof.CERTIFIED
    # H(S | X) needs one letter per symbol, and there are three for four: no map leaves as little
    result = solve_fixed(fixed(p, d, w, C=known * (1 + 1e-9)), Alternation(starts=3))
    assert (result.status, result.proof) == (Status.INFEASIBLE, Proof.CERTIFIED)
    # telling half a symbol apart leaves more unknown than half of the time all: true, and below a mixture of two maps
    result = solve_fixed(HALVES, Alternation(starts=3))
    assert result.status is Status.STALLED
    assert result.proof is Proof.NONE
    assert "does not prove" in result.message
    assert math.isnan(result.objective_upper)
    budget = solve_fixed(fixed(p, d, w, D=float(p @ d.min(axis=1)) * 1.01, rate=1e-3), Alternation(starts=1))
    assert budget.status is Status.INFEASIBLE


@settings(max_examples=12)
@given(
    p=pmfs(st.integers(2, 5)), k=st.integers(1, 2), share=st.floats(0, 0.9), noise=st.sampled_from([0.0, 1e-3])
)  # fmt: skip
def test_letters_too_few_to_tell_the_label_are_proved_to_be(p, k, share, noise):
    """H(S | A) >= H(S) - log k; a rate of split letters beyond log k proves it."""
    w = (1 - noise) * np.eye(p.size) + noise / p.size
    C = share * (entropy(p @ w) - math.log(k))
    assume(C > 1.01 * conditional_entropy(p, w, np.eye(p.size)) and entropy(p @ w) - C > math.log(k) + 1e-6)
    problem = fixed(p, np.zeros((p.size, k)), w, C=C)
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE, result
    assert result.proof is Proof.CERTIFIED
    for arithmetic in ("float", "ball"):
        assert result.verify(problem, arithmetic).valid
    split = Problem.from_arrays(p, np.zeros((p.size, k)), w, C=C)  # whose letters come in as many kinds as they like
    assert math.isfinite(rdc.solve(split).rate_upper)
    assert not result.verify(split).valid


def test_what_no_start_met_keeps_the_bound_of_split_letters():
    problem, result = HALVES, rdc.solve(HALVES)
    assert result.status is Status.STALLED
    assert result.proof is Proof.NONE
    found = result.certificate.verify(problem)
    assert 0 < result.rate_lower <= found.lower
    assert math.isinf(found.upper)
    assert "refuses" not in result.message


@pytest.mark.parametrize("limited", [False, True])
def test_letters_that_only_a_symbol_of_no_weight_may_use_stay(limited):
    """Stretched steps took them away from the symbol of mass 1e-201, which then had no letter."""
    p = np.array([4.5588628e-201, 0.5, 0.5])
    d = np.array([[INF, 0.0, 0.1], [0.1, 0.0, INF], [0.0, 0.1, INF]])
    w = np.random.default_rng(3).dirichlet(np.full(14, 1.0), size=3)
    problem = fixed(p, d, w)
    if limited:
        problem = problem.with_limits(D=0.04, C=conditional_entropy(p, w, np.eye(3)) + 0.02)
    else:
        problem = problem.at_multipliers(distortion=3e6, label_entropy=3e6)
    result = rdc.solve(problem)
    assert result.status in (Status.STATIONARY, Status.OPTIMAL), result
    check_channel(problem, result)


@pytest.mark.parametrize("value", [{"starts": -1}, {"max_steps": 0}, {"polish": 0}])
def test_bad_settings_are_refused(value):
    with pytest.raises(rdc.InvalidInput, match=next(iter(value))):
        Alternation(**value)


# ---------------------------------------------------------------------------------------- corners


def corner_cases():
    rng = np.random.default_rng(0)
    p = np.array([0.3, 0.2, 0.0, 0.35, 0.15])
    d = rng.random((5, 4))[:, [0, 1, 2, 2]]  # the last two letters are one
    w = np.eye(3)[[0, 1, 0, 1, 0]]  # the third class never occurs
    forbidding = d.copy()
    forbidding[0, 0] = forbidding[1, 1] = INF
    forbidding[2] = INF
    same = np.full((5, 2), 0.5)
    two = Source(None, p, labels=[w, rng.dirichlet(np.ones(2), size=5)])
    limits = [DistortionLimit(0.5), LabelEntropyLimit(0.3), LabelEntropyLimit(0.69, 1)]
    return {
        "zeros and copies": fixed(p, d, w, D=0.4, C=0.2),
        "no doubt about the label": fixed(p, d, w, D=0.6, C=0.0),
        "one letter": fixed(p, d[:, :1], w, D=0.95, C=1.2),
        "no limit on the label": fixed(p, d, w, D=0.35),
        "inactive limits": fixed(p, d, w, D=0.9, C=1.2),
        "label independent of X": fixed(p, d, same, D=0.35, C=math.log(2)),
        "forbidden pairs": fixed(p, forbidding, w, D=0.5, C=0.3),
        "two labels": Problem(two, distortion=d, limits=limits, letters="fixed"),
        "nothing to pay": fixed(p, d, w).at_multipliers(distortion=0.0),
        "much to pay": fixed(p, forbidding, w).at_multipliers(distortion=1e4, label_entropy=1e3),
        "no rate, least label entropy": fixed(p, d, w, D=0.9, rate=0.0, minimise="label_entropy"),
        "no rate, least distortion": fixed(p, d, w, rate=0.0, minimise="distortion"),
        "rate to spare": fixed(p, d, w, C=0.4, rate=5.0, minimise="distortion"),
    }


@pytest.mark.parametrize("name", corner_cases())
def test_corner(name):
    problem = corner_cases()[name]
    result = solve_fixed(problem, Alternation(starts=3, polish=1))
    assert result.status is Status.STATIONARY, result
    check_channel(problem, result)
    p, w = problem.p_x, problem.label_entropies[0].conditional
    if name in ("one letter", "inactive limits"):
        assert result.objective_upper == result.objective_lower == 0
    if name in ("zeros and copies", "no doubt about the label"):  # hard labels: I(X; A) >= I(S; A) >= H(S) - C
        assert result.rate_upper == pytest.approx(entropy(p @ w) - problem.bounds[-1], abs=1e-6)
    if name in ("no limit on the label", "label independent of X"):
        linear = Problem.from_arrays(p, problem.losses[0].matrix, D=0.35)
        assert result.rate_upper == pytest.approx(rdc.solve(linear).rate_upper, abs=1e-8)
    if name == "rate to spare":
        least = p @ problem.losses[0].matrix.min(axis=1)
        assert result.objective_upper == pytest.approx(least, abs=1e-6)
