"""Universal representations: the corner law, tuples, penalties, regions of fixed encoders, bad input."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.information import conditional_entropy, mutual_information
from rdcsolve.letters import tuples as tuples_module
from rdcsolve.letters.tuples import TupleSpace
from rdcsolve.results import Proof, Status
from rdcsolve.universal import generation, hulls, reduction, serving
from rdcsolve.universal.deterministic import Assignments, meeting
from rdcsolve.universal.penalty import Bounds, penalty_between

INF = math.inf


def random_problem(rng, n_x=5, n_y=4, classes=2):
    p, d = rng.dirichlet(np.ones(n_x)), rng.random((n_x, n_y))
    return rdc.Problem.from_arrays(p, d, rng.dirichlet(np.full(classes, 0.5), n_x), C=INF)


def attained(problem, rng, width=0.3):
    """The losses of a random channel into split letters, which some channel therefore meets."""
    p, d, label = problem.p_x, problem.linear_losses[0].matrix, problem.source.labels[0]
    channel = rng.dirichlet(np.full(d.shape[1], width), p.size)
    return float(p @ (channel * d).sum(axis=1)), conditional_entropy(p, label, channel)


def crossed(problem, rng):
    """Two targets, one of which is less in distortion and the other in label entropy."""
    (d0, c0), (d1, c1) = attained(problem, rng), attained(problem, rng)
    return [(min(d0, d1), max(c0, c1)), (max(d0, d1), min(c0, c1))]


def check(universal, problem, targets):
    """Bounds in order, an encoder of the rate claimed, decoders that meet their targets, penalties not negative."""
    assert universal.rate_lower <= universal.rate_upper
    assert 0 <= universal.penalty_lower <= universal.penalty_upper
    assert mutual_information(problem.p_x, universal.encoder) == pytest.approx(universal.rate_upper, abs=1e-8)
    assert universal.rate_upper >= max(one.rate_lower for one in universal.results) - 1e-12
    if universal.proof is Proof.CERTIFIED:  # one encoder for all serves each: what one needs, all need
        proved = [one.rate_lower for one in universal.results if one.proof is Proof.CERTIFIED]
        assert universal.rate_lower >= min(max(proved), universal.rate_upper)
    assert len(universal.decoders) == len(universal.results) == len(universal.targets) == len(targets)
    for target, decoder in zip(universal.targets, universal.decoders, strict=True):
        assert decoder.letters.shape == universal.q.shape
        for name, bound in target.items():
            assert decoder.losses[name] <= bound * (1 + 1e-9) + 1e-12


# ------------------------------------------------------------------------------------- the corner law


@pytest.mark.parametrize("seed", range(10))
def test_the_corner_law_agrees_with_tuples(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, n_x=int(rng.integers(3, 6)), n_y=int(rng.integers(2, 5)))
    targets = crossed(problem, rng)
    corner = rdc.universal_rate(problem, targets, tolerance=1e-8)
    tuples = rdc.universal_rate(problem, targets, tolerance=1e-8, method="tuples")
    assert (corner.law, tuples.law) == ("corner", "tuples")
    for one in (corner, tuples):
        assert one.status is Status.OPTIMAL
        assert one.proof is one.penalty_proof is Proof.CERTIFIED
        check(one, problem, targets)
        assert one.result.certificate.verify(one.problem).valid
    assert corner.rate_upper == pytest.approx(tuples.rate_upper, abs=1e-7)
    assert max(corner.rate_lower, tuples.rate_lower) <= min(corner.rate_upper, tuples.rate_upper)


def test_with_free_letters_all_targets_share_one_decoder():
    source = rdc.sources.mixture([-1, 1], 0.7, n_x=21)
    problem = rdc.Problem(source, reproduction="free", limits=[rdc.LabelEntropyLimit(INF)])
    targets = [(0.3, 0.6), (1.0, 0.25), {"D": 0.5, "C": 0.5}]
    universal = rdc.universal_rate(problem, targets)
    check(universal, problem, targets)
    assert universal.law == "corner"
    assert universal.decoders[0] is universal.decoders[2]
    alone = rdc.solve(problem.with_limits(D=0.3, C=0.25), tolerance=1e-6)
    assert universal.rate_upper == pytest.approx(alone.rate_upper, abs=2e-6)
    assert universal.penalty_lower > 1e-3
    assert "rate penalty" in str(universal)
    assert "3 targets" in repr(universal)


def test_a_target_that_implies_all_others_costs_no_penalty():
    problem = random_problem(np.random.default_rng(1))
    hard = attained(problem, np.random.default_rng(2))
    universal = rdc.universal_rate(problem, [(hard[0] + 0.1, hard[1] + 0.01), hard])
    assert universal.penalty_lower == universal.penalty_upper == 0.0
    assert universal.result is universal.results[1]


def test_targets_may_limit_several_labels_or_none():
    rng = np.random.default_rng(3)
    p, d = rng.dirichlet(np.ones(5)), rng.random((5, 3))
    problem = rdc.Problem.from_arrays(p, d, [rng.dirichlet([1, 1], 5), rng.dirichlet([0.5, 0.5], 5)], C=[INF, INF])
    h = [conditional_entropy(p, label, np.eye(5)) for label in problem.source.labels]
    targets = [(0.5, [h[0] + 0.02, 9.0]), {"label_entropy_1": h[1] + 0.03}, {"D": 0.35}]
    universal = rdc.universal_rate(problem, targets)
    check(universal, problem, targets)
    assert universal.penalty_lower > 0


def test_the_points_of_a_tradeoff_are_targets():
    problem = random_problem(np.random.default_rng(4))
    boundary = rdc.tradeoff(problem, rate=0.2, n_points=4, tolerance=1e-7)
    universal = rdc.universal_rate(problem, boundary)
    check(universal, problem, boundary.label_entropy)
    assert len(universal.results) == 4
    assert all(one.rate_lower <= 0.2 + 1e-6 for one in universal.results)


# ------------------------------------------------------------------------------------- tuples


def two_losses(rng, n_x=6, n_y=5):
    p, d = rng.dirichlet(np.ones(n_x)), rng.random((n_x, n_y))
    return rdc.Problem.from_arrays(p, d, losses={"other": rng.random((n_x, n_y))})


def least_and(problem, share=1.2):
    d, other = (loss.matrix.min(axis=1) @ problem.p_x for loss in problem.linear_losses)
    return [(share * d, 1.0), (1.0, share * other), (0.45, 0.45)]


@pytest.mark.parametrize("seed", range(4))
def test_generated_tuples_agree_with_all_of_them(seed, monkeypatch):
    problem = two_losses(np.random.default_rng(seed))
    targets = least_and(problem)
    listed = rdc.universal_rate(problem, targets, tolerance=1e-7)
    assert listed.result.certificate.verify(listed.problem).valid
    monkeypatch.setattr(serving, "_LISTED", 0)
    generated = rdc.universal_rate(problem, targets, tolerance=1e-7)
    monkeypatch.setattr(generation, "_MOST_PRODUCTS", 0)
    coupled = rdc.universal_rate(problem, targets, tolerance=1e-7)
    for one in (listed, generated, coupled):
        check(one, problem, targets)
        assert one.status is Status.OPTIMAL
        assert one.proof is Proof.CERTIFIED
        assert one.rate_lower <= min(listed.rate_upper, generated.rate_upper, coupled.rate_upper)
        assert one.result.certificate.verify(one.problem).valid


@pytest.mark.parametrize("chunk", [12, 2_000_000])  # in blocks of two heads, and all at once
def test_the_largest_price_of_tuples_is_that_of_all(chunk, monkeypatch):
    monkeypatch.setattr(tuples_module, "_CHUNK", chunk)
    rng = np.random.default_rng(0)
    problem = two_losses(rng)
    bounds = np.array([problem.with_limits(D=0.4, other=0.5).bounds, problem.with_limits(other=0.3).bounds] * 2)[:3]
    tuples = TupleSpace(problem, bounds)
    stated = tuples.stated(tuples.everything())
    multipliers, u = np.r_[0.0, rng.exponential(3, len(stated.losses) - 1)], rng.normal(size=6)
    exponent = u[:, None] - sum(m * one.matrix for m, one in zip(multipliers, stated.linear_losses, strict=True))
    prices = np.log(problem.p_x @ np.exp(exponent))
    found = tuples.price(u, multipliers)
    bound = found.largest(0.0)
    assert bound.proved
    assert 0 < bound.log_upper - prices.max() < 1e-12
    place = {tuple(row): i for i, row in enumerate(tuples.everything())}
    dearest = found.dearest
    assert [prices[place[tuple(row)]] for row in dearest.letters.places] == pytest.approx(dearest.log_prices, abs=1e-12)


def test_the_largest_price_leaves_out_what_is_forbidden():
    rng = np.random.default_rng(1)
    p, d, other = rng.dirichlet(np.ones(4)), rng.random((4, 3)), rng.random((4, 3))
    d[0, 1] = d[2, 0] = INF
    other[:, 1] = other[:, 0]  # no difference to the second target but in what is forbidden
    problem = rdc.Problem.from_arrays(p, d, losses={"other": other})
    bounds = np.array([problem.with_limits(D=0.4).bounds, problem.with_limits(other=0.3).bounds])
    tuples = TupleSpace(problem, bounds)
    assert tuples.sizes == (3, 3)
    u, multipliers = np.array([3.0, 0.0, 3.0, 0.0]), np.array([0.0, 2.0, 3.0])
    exponents = u[:, None, None] - 2.0 * d[:, :, None] - 3.0 * other[:, None, :]
    terms = p[:, None, None] * np.exp(exponents) * np.isfinite(d)[:, None, :]
    largest = tuples.price(u, multipliers).largest(0.0).log_upper
    assert largest == pytest.approx(math.log(terms.sum(axis=0).max()), abs=1e-12)


def test_a_target_gets_a_symbol_of_its_own_unless_another_implies_it():
    rows = np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0], [2.0, 2.0], [INF, 1.0]])
    assert reduction.undominated(rows) == [0, 2]


def test_a_map_that_exceeds_a_bound_is_none():
    one = Assignments((np.array([[1.0]]),), (), 1)
    assert meeting(one, [1.0], [1e-12]).tolist() == [0]
    assert meeting(one, [1 - 1e-9], [1e-12]) is None


def test_bounds_on_the_penalty_need_the_proofs_that_decide():
    yes, no = Proof.CERTIFIED, Proof.UNVERIFIED

    def penalty(together, *alone, is_one=False):
        """Each is (proof of the lower bound, lower bound, upper bound)."""
        made = [Bounds(lower if proof is yes else 0.0, lower, upper) for proof, lower, upper in (together, *alone)]
        low, high, proof = penalty_between(made[0], made[1:], 1e-3, is_one=is_one)
        return round(low, 12), round(high, 12), proof

    assert penalty((yes, 0.9, 1.0), (yes, 0.5, 0.6), (yes, 0.7, 0.75)) == (0.15, 0.3, yes)
    assert penalty((yes, 0.9, 1.0), (no, 0.5, 0.6), (yes, 0.7, 0.75)) == (0.15, 0.3, yes)  # the dearest is proved
    assert penalty((yes, 0.9, 1.0), (yes, 0.5, 0.6), (no, 0.7, 0.75)) == (0.15, 0.3, no)
    assert penalty((yes, 0.9, 1.0), (yes, 0.65, 0.66), (no, 0.7, 0.75)) == (0.15, 0.3, no)
    assert penalty((no, 0.9, 1.0), (yes, 0.5, 0.6), (yes, 0.7, 0.75)) == (0.15, 0.3, no)
    assert penalty((no, 0.7, 1.0), (yes, 0.7, 0.75)) == (0.0, 0.3, yes)  # that it is not negative needs no bound
    assert penalty((yes, 0.9, 1.0), (yes, 0.6995, 0.75), (no, 0.7, 0.75)) == (0.15, 0.3005, yes)
    assert penalty((yes, 0.9, 1.0), (yes, 0.5, 0.6), (no, 0.0, INF)) == (0.0, 0.5, yes)  # an unknown rate may be any
    assert penalty((yes, 0.9, INF), (yes, 0.5, 0.6)) == (0.3, INF, yes)
    assert penalty((no, 0.9, 1.0), (no, 0.9, 1.0), is_one=True) == (0.0, 0.0, yes)


def test_tuples_with_a_label_entropy_and_forbidden_pairs():
    rng = np.random.default_rng(5)
    p, d, label = rng.dirichlet(np.ones(4)), rng.random((4, 3)), rng.dirichlet([0.5, 0.5], 4)
    d[0, 1] = INF
    problem = rdc.Problem.from_arrays(p, d, label, C=INF, losses={"other": rng.random((4, 3))})
    h = conditional_entropy(p, label, np.eye(4))
    targets = [{"D": 0.35, "C": h + 0.1}, {"other": 0.4, "C": h + 0.05}]
    universal = rdc.universal_rate(problem, targets)
    check(universal, problem, targets)
    assert universal.law == "tuples"
    assert universal.proof is Proof.CERTIFIED
    used = universal.encoder[0] > 0
    assert not any((decoder.letters[used] == 1).any() for decoder in universal.decoders)


def test_targets_that_cannot_be_met():
    problem = two_losses(np.random.default_rng(6))
    for targets in ([(0.0, 1.0), (1.0, 0.5)], [{"D": 0.0}]):
        universal = rdc.universal_rate(problem, targets)
        assert universal.status is Status.INFEASIBLE
        assert universal.rate_lower == INF
        assert math.isnan(universal.penalty_lower)
        assert universal.decoders == ()
        assert "INFEASIBLE" in str(universal)


# ------------------------------------------------------------------------------------- fixed letters


def test_fixed_letters_keep_the_split_encoder_where_symbols_suffice():
    rng = np.random.default_rng(7)
    p, label = rng.dirichlet(np.ones(3)), rng.dirichlet([0.5, 0.5], 3)
    d = rng.random((3, 12))
    problem = rdc.Problem.from_arrays(p, d, label, C=INF, letters="fixed")
    h = conditional_entropy(p, label, np.eye(3))
    targets = [{"D": 0.3}, {"C": h + 0.05}]
    universal = rdc.universal_rate(problem, targets)
    check(universal, problem, targets)
    assert universal.law == "fixed letters"
    assert universal.status is Status.OPTIMAL
    assert universal.proof is Proof.CERTIFIED
    assert universal.gap <= 1e-6


def test_fixed_letters_say_where_the_upper_bound_is_only_the_best_found():
    d, label = [[0, 0], [1, 0]], [[0.7, 0.3], [1.0, 0.0]]
    problem = rdc.Problem.from_arrays([0.7, 0.3], d, label, C=INF, letters="fixed")
    universal = rdc.universal_rate(problem, [(0.0, 0.5), (0.1, 0.47)])
    check(universal, problem, universal.targets)
    assert universal.status is Status.STATIONARY
    split = rdc.universal_rate(rdc.Problem.from_arrays([0.7, 0.3], d, label, C=INF), [(0.0, 0.5), (0.1, 0.47)])
    assert universal.rate_lower <= split.rate_upper <= universal.rate_upper
    literal = rdc.solve(problem.with_limits(D=0.0, C=0.47))
    assert universal.rate_upper == pytest.approx(literal.rate_upper, abs=1e-6)


def test_fixed_letters_without_a_limit_on_the_label_are_plain():
    rng = np.random.default_rng(8)
    p, d, label = rng.dirichlet(np.ones(4)), rng.random((4, 3)), rng.dirichlet([1, 1], 4)
    problem = rdc.Problem.from_arrays(p, d, label, C=INF, letters="fixed")
    universal = rdc.universal_rate(problem, [{"D": 0.4}, {"D": 0.3}])
    assert universal.law == "corner"
    assert universal.status is Status.OPTIMAL


def test_the_search_for_maps_ends_where_no_single_move_helps():
    rng = np.random.default_rng(9)
    for _ in range(5):
        k, n = 6, 4
        masses = rng.dirichlet(np.ones(k))[:, None] * rng.dirichlet([0.5, 0.5], k)
        few = Assignments((rng.random((k, n)) / k,), (masses,), n)
        maps = few.search([])
        assert len(maps) == n**k
        values = np.array([few.losses(g) for g in maps])
        for weights in (np.array([1.0, 0.5]), np.array([0.3, 2.0])):
            ends = [few.improved(rng.integers(0, n, k), weights) for _ in range(30)]
            found = min(float(weights @ few.losses(g)) for g in ends)
            least = float((values @ weights).min())
            assert least - 1e-12 <= found <= 1.1 * least
            for g in ends:  # no single move helps
                moves = [np.where(np.arange(k) == z, a, g) for z in range(k) for a in range(n)]
                here = float(weights @ few.losses(g))
                assert min(float(weights @ few.losses(move)) for move in moves) >= here - 1e-12
        limits = values[rng.integers(len(values))]
        assert (few.losses(meeting(few, limits, [1e-12, 1e-12])) <= limits + 1e-12).all()


# ------------------------------------------------------------------------------------- penalties


@settings(max_examples=5, deadline=None)
@given(st.lists(st.tuples(st.floats(0.15, 1.1), st.floats(0.0, 1.0)), min_size=2, max_size=4))
def test_scalar_gaussians_pay_no_penalty(stated):
    source = rdc.sources.gaussian_pair(n_x=25, n_s=9, half_width=3.0)
    problem = rdc.Problem(source, reproduction="free", limits=[rdc.LabelEntropyLimit(INF)])
    label = source.labels[0]
    low, high = (conditional_entropy(source.p_x, label, one) for one in (np.eye(25), np.ones((25, 1))))
    # label entropies at which the label is the cheaper half: its limits cost no more than 0.3 nat
    targets = [(D, high - 0.35 * (high - low) * share) for D, share in stated]
    universal = rdc.universal_rate(problem, targets, tolerance=1e-4)
    assert universal.penalty_lower == 0.0
    assert universal.penalty_upper <= 5e-3


def test_a_penalty_needs_no_more_proof_than_what_decides_it():
    """Nine noisy classes and a label multiplier above one: rates rest on a search, and yet one target implies both."""
    source = rdc.sources.gaussian_pair(n_x=25, n_s=9, half_width=3.0)
    problem = rdc.Problem(source, reproduction="free", limits=[rdc.LabelEntropyLimit(INF)])
    low, high = (conditional_entropy(source.p_x, source.labels[0], one) for one in (np.eye(25), np.ones((25, 1))))
    tight, loose = low + 0.7 * (high - low), low + 0.9 * (high - low)
    implied = rdc.universal_rate(problem, [(0.95, tight), (1.0, loose)], tolerance=1e-4)
    assert implied.proof is Proof.UNVERIFIED
    assert (implied.penalty_lower, implied.penalty_upper) == (0.0, 0.0)
    assert implied.penalty_proof is Proof.CERTIFIED  # a theorem, whatever the rate is
    assert implied.verify(problem).valid
    crossed = rdc.universal_rate(problem, [(0.9, loose), (1.0, tight)], tolerance=1e-4)
    assert crossed.penalty_proof is Proof.UNVERIFIED
    check = crossed.verify(problem)
    assert check.valid, str(check)  # nothing is claimed that does not follow
    assert check.penalty_upper > crossed.penalty_upper
    assert "not proved" in check.messages[-1]


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 0.5), st.floats(0.0, 1.0)), min_size=1, max_size=4), st.floats(0.01, 0.3))
def test_the_symmetric_binary_pair_pays_no_penalty(stated, p1):
    problem = rdc.Problem(rdc.sources.binary_pair(0.5, p1), distortion="hamming", limits=[rdc.LabelEntropyLimit(INF)])
    low = rdc.information.binary_entropy(p1)
    targets = [(D, low + (math.log(2) - low) * (0.02 + 0.98 * share)) for D, share in stated]
    universal = rdc.universal_rate(problem, targets)
    check(universal, problem, targets)
    assert universal.penalty_lower == 0.0
    assert universal.penalty_upper <= 2e-6
    least = max(rdc.theory.binary.rate(D=min(D for D, _ in targets), C=min(C for _, C in targets), b=0.5, p1=p1), 0.0)
    assert universal.rate_lower - 1e-9 <= least <= universal.rate_upper + 1e-9


@pytest.mark.parametrize("angle", [0.0, math.pi / 2])
def test_a_label_across_the_metric_costs_a_certified_penalty(angle):
    """On a flat ellipse squared error asks for the long axis; the label is the sign along one of the axes."""
    x, y = np.meshgrid(np.linspace(-1.5, 1.5, 6), np.linspace(-0.5, 0.5, 4), indexing="ij")
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    scores = points @ [math.cos(angle), math.sin(angle)]
    label = np.stack([scores < 0, scores >= 0], axis=1).astype(float)
    source = rdc.Source(points, np.full(24, 1 / 24), labels=[label])
    problem = rdc.Problem(source, points[::2], limits=[rdc.LabelEntropyLimit(INF)])
    universal = rdc.universal_rate(problem, [{"D": 0.45}, {"C": 0.2}])
    assert universal.penalty_proof is Proof.CERTIFIED
    assert universal.penalty_upper - universal.penalty_lower < 1e-5
    assert (universal.penalty_lower > 0.2) == (angle > 0)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.booleans())
def test_more_targets_never_need_less_rate(seed, is_linear):
    rng = np.random.default_rng(seed)
    if is_linear:
        problem = two_losses(rng, 4, 4)
        targets = least_and(problem, 1.3)
    else:
        problem = random_problem(rng, 4, 3)
        targets = [attained(problem, rng) for _ in range(3)]
    found = [rdc.universal_rate(problem, targets[: k + 1]) for k in range(3)]
    for universal, count in zip(found, (1, 2, 3), strict=True):
        check(universal, problem, targets[:count])
    for fewer, more in itertools.pairwise(found):
        assert fewer.rate_lower <= more.rate_upper + 1e-12
        assert fewer.rate_upper <= more.rate_upper + 2e-6


# ------------------------------------------------------------------------------------- regions


def merged(channel, rng):
    """Two messages become one."""
    one, other = rng.choice(channel.shape[1], 2, replace=False)
    kept = np.delete(channel, other, axis=1)
    kept[:, one - (other < one)] += channel[:, other]
    return kept


def region_cases(rng):
    p, points = rng.dirichlet(np.ones(5)), rng.normal(size=(5, 1))
    label = rng.dirichlet([0.5, 0.5], 5)
    source = rdc.Source(points, p, labels=[label])
    entropy = [rdc.LabelEntropyLimit(INF)]
    return {
        "free": rdc.Problem(source, "free", limits=entropy),
        "split": rdc.Problem(source, points[:3], limits=entropy),
        "classifier": rdc.Problem(source, points[:4], limits=[rdc.ClassifierLossLimit(INF, rng.dirichlet([1, 1], 4))]),
    }


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["free", "split", "classifier"]))
def test_regions_are_inside_omega_of_their_rate_and_shrink_under_processing(seed, kind):
    rng = np.random.default_rng(seed)
    problem = region_cases(rng)[kind]
    channel = rng.dirichlet(np.full(4, 0.4), 5)
    region = rdc.achievable_region(channel, problem)
    assert region.is_exact
    assert region.rate == pytest.approx(mutual_information(problem.p_x, channel))
    coarser = rdc.achievable_region(merged(channel, rng), problem)
    assert coarser.rate <= region.rate + 1e-12
    for vertex in coarser.vertices:
        assert region.contains(vertex)
    for vertex in region.vertices[:3]:
        bounds = dict(zip(region.losses, vertex * (1 + 1e-9) + 1e-12, strict=True))
        least = rdc.solve(problem.with_limits(**bounds), tolerance=1e-6)
        assert least.rate_lower <= region.rate + 1e-9


def test_a_quadrant_has_the_mean_and_the_posterior_at_its_corner():
    rng = np.random.default_rng(0)
    problem = region_cases(rng)["free"]
    channel = rng.dirichlet(np.ones(3), 5)
    p, x, label = problem.p_x, problem.source.points[:, 0], problem.source.labels[0]
    q = p @ channel
    mean = (p * x) @ channel / q
    region = rdc.achievable_region(channel, problem)
    assert region.kind == "quadrant"
    mmse = p @ (channel * (x[:, None] - mean) ** 2).sum(axis=1)
    assert region.vertices[0].tolist() == pytest.approx([mmse, conditional_entropy(p, label, channel)])
    assert region.least([2.0, 1.0]) == pytest.approx(2 * mmse + region.vertices[0, 1])
    assert region.contains([9, 9])
    assert not region.contains([mmse - 1e-9, 9])
    turned = rdc.achievable_region(channel, problem, ("C", "D"))
    assert turned.vertices[0].tolist() == region.vertices[0, ::-1].tolist()


def test_a_quadrant_names_the_symbols_at_its_corner():
    rng = np.random.default_rng(4)
    problem = region_cases(rng)["split"]
    channel = rng.dirichlet(np.full(4, 0.4), 5)
    region = rdc.achievable_region(channel, problem)
    shown = channel @ np.eye(3)[region.letters[0]]
    distortion = problem.p_x @ (shown * problem.linear_losses[0].matrix).sum(axis=1)
    assert distortion == pytest.approx(region.vertices[0, 0], abs=1e-12)


def test_counts_of_messages_are_an_encoder_when_asked():
    losses = {"miss": [[0, 0], [1, 0], [1, 1]]}
    problem = rdc.Problem.from_arrays([0.5, 0.5, 0.0], [[0, 1], [1, 0], [1, 1]], losses=losses)
    counts = [[9, 1], [2, 8], [0, 0]]  # the last symbol has no mass, and needs no message
    with pytest.raises(rdc.InvalidInput, match="row 0 of encoder sums to 10; .* or pass normalise=True"):
        rdc.achievable_region(counts, problem)
    region = rdc.achievable_region(counts, problem, normalise=True)
    assert region.vertices.round(12).tolist() == [[0.15, 0.1], [0.5, 0.0]]
    single = rdc.achievable_region(np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]], np.float32), problem)
    assert np.allclose(single.vertices, region.vertices, rtol=1e-6)


def test_a_polygon_is_what_all_deterministic_decoders_span():
    rng = np.random.default_rng(1)
    problem = region_cases(rng)["classifier"]
    channel = rng.dirichlet(np.full(3, 0.5), 5)
    region = rdc.achievable_region(channel, problem)
    joint = channel * problem.p_x[:, None]
    tables = [joint.T @ loss.matrix for loss in problem.linear_losses]
    rows = np.arange(3)
    points = np.array([[t[rows, list(g)].sum() for t in tables] for g in itertools.product(range(4), repeat=3)])
    assert all(region.contains(point) for point in points)
    for angle in np.linspace(0, math.pi / 2, 25):
        weights = [math.cos(angle), math.sin(angle)]
        assert region.least(weights) == pytest.approx((points @ weights).min(), abs=1e-12)
    for vertex, g in zip(region.vertices, region.letters, strict=True):
        assert [t[rows, g].sum() for t in tables] == pytest.approx(vertex.tolist(), abs=1e-12)
    slopes = np.diff(region.vertices[:, 1]) / np.diff(region.vertices[:, 0])
    assert (np.diff(slopes) > -1e-9).all()
    middle = region.vertices[:2].mean(axis=0)
    assert region.contains(middle)
    assert not region.contains(middle - 1e-6)


def test_results_and_universals_are_encoders():
    rng = np.random.default_rng(3)
    problem = random_problem(rng)
    targets = crossed(problem, rng)
    universal = rdc.universal_rate(problem, targets)
    region = rdc.achievable_region(universal, problem)
    assert all(region.contains(target) for target in targets)
    result = universal.results[0]
    own = rdc.achievable_region(result, problem)
    assert own.contains([result.distortion, result.label_entropy])
    assert own.rate == pytest.approx(result.rate_upper, abs=1e-8)


def test_the_lower_left_boundary_of_points():
    points = np.array([[0.0, 3.0], [0.0, 2.0], [1.0, 1.0], [2.0, 0.5], [3.0, 0.5], [1.5, 2.0], [0.5, 1.5]])
    assert hulls.lower_left(points).tolist() == [1, 2, 3]
    assert hulls.staircase(points).tolist() == [1, 6, 2, 3]
    assert hulls.lower_left(points[:1]).tolist() == [0]


# ------------------------------------------------------------------------------------- samples


def test_an_encoder_is_counted_from_its_messages():
    x = np.array([0.0, 1.0, 2.0, 3.0, 1.0, 1.0])
    source = rdc.Source.from_samples(x, labels=[0, 0, 1, 1, 0, 1])
    latents = np.array([[0, 0], [0, 1], [1, 1], [1, 1], [0, 0], [0, 0]])
    encoder = rdc.encoder_from_samples(latents, x, source)
    assert encoder.messages == ((0, 0), (0, 1), (1, 1))
    assert encoder.channel[1].tolist() == pytest.approx([2 / 3, 1 / 3, 0])
    again = rdc.encoder_from_samples([tuple(row) for row in latents.tolist()], x.astype(int), source)
    assert np.array_equal(again.channel, encoder.channel)
    problem = rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(INF)])
    region = rdc.achievable_region(encoder, problem, n_bootstrap=50)
    for value, (low, high) in zip(region.vertices[0], region.intervals, strict=True):
        assert low <= value <= high * 2
    assert "3 messages, 6 samples" in repr(encoder)


def test_bootstrap_intervals_narrow_with_more_samples():
    rng = np.random.default_rng(0)
    widths = []
    for n in (200, 20_000):
        x = rng.integers(0, 10, n)
        halves = np.eye(2)[np.arange(10) // 5]
        source = rdc.Source(np.arange(10.0), np.bincount(x, minlength=10) / n, labels=[halves])
        problem = rdc.Problem(source, limits=[rdc.ClassifierLossLimit(INF, halves, "error_rate")])
        encoder = rdc.encoder_from_samples((x + rng.integers(0, 2, n)) // 3, x, source)
        region = rdc.achievable_region(encoder, problem, n_bootstrap=60)
        (low, high), _ = region.intervals
        assert low <= region.vertices[0, 0] <= high
        widths.append(high - low)
    assert widths[1] < 0.2 * widths[0]


# ------------------------------------------------------------------------------------- bad input

LABELLED = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]], [[0.9, 0.1], [0.2, 0.8]], C=INF)
BARE = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]])
PLANE = rdc.Problem(rdc.Source([0.0, 1.0], [0.5, 0.5]), "free")
THREE = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]], losses={"a": [[0, 1], [1, 0]], "b": [[1, 0], [0, 1]]})

BAD_RATES = {
    "not a problem": (lambda: rdc.universal_rate(3, [(0.1, 0.2)]), "pass a Problem"),
    "no targets": (lambda: rdc.universal_rate(LABELLED, []), "targets is empty"),
    "not a list": (lambda: rdc.universal_rate(LABELLED, {"D": 0.1}), "give a list of pairs"),
    "a number": (lambda: rdc.universal_rate(LABELLED, [0.3]), "target 0 is 0.3"),
    "three numbers": (lambda: rdc.universal_rate(LABELLED, [(0.1, 0.2, 0.3)]), "give a pair"),
    "negative": (lambda: rdc.universal_rate(LABELLED, [(-0.1, 0.2)]), "must be >= 0"),
    "no label": (lambda: rdc.universal_rate(BARE, [(0.1, 0.2)]), "LabelEntropyLimit"),
    "which loss": (lambda: rdc.universal_rate(THREE, [(0.1, 0.2)]), "name them in a mapping"),
    "unknown loss": (lambda: rdc.universal_rate(LABELLED, [{"E": 0.2}]), "unknown loss 'E'"),
    "empty mapping": (lambda: rdc.universal_rate(LABELLED, [{}]), "give bounds by name"),
    "rate": (lambda: rdc.universal_rate(LABELLED, [{"rate": 0.2}]), "limits the rate"),
    "rate limit": (lambda: rdc.universal_rate(LABELLED.with_limits(rate=1.0), [(0.1, 0.5)]), "rate=None"),
    "objective": (
        lambda: rdc.universal_rate(LABELLED.minimising("distortion", rate=1.0), [(0.1, 0.5)]),
        "minimising",
    ),
    "multipliers": (lambda: rdc.universal_rate(LABELLED.at_multipliers(distortion=1.0), [(0.1, 0.5)]), "minimises"),
    "method": (lambda: rdc.universal_rate(LABELLED, [(0.1, 0.5)], method="best"), "unknown method 'best'"),
    "no corner": (lambda: rdc.universal_rate(THREE, [{"a": 0.1}, {"b": 0.5}], method="corner"), "does not hold"),
    "no tuples": (lambda: rdc.universal_rate(PLANE, [{"D": 0.1}], method="tuples"), "letters are free"),
    "too many": (
        lambda: rdc.universal_rate(LABELLED, [(0.1, 0.5)] * 20, method="tuples"),
        "beyond max_tuples=20000",
    ),
    "max_tuples": (lambda: rdc.universal_rate(LABELLED, [(0.1, 0.5)], max_tuples=0), "max_tuples is 0"),
    "tolerance": (lambda: rdc.universal_rate(LABELLED, [(0.1, 0.6)], tolerance=0.0), "tolerance"),
}

LINE = rdc.Source([0.0, 1.0, 2.0], [0.5, 0.25, 0.25])
BAD_REGIONS = {
    "not a problem": (lambda: rdc.achievable_region(np.eye(2), 3), "pass a Problem"),
    "rows": (lambda: rdc.achievable_region(np.eye(3), LABELLED), "2 rows"),
    "sums": (lambda: rdc.achievable_region([[0.5, 0.4], [0, 1]], LABELLED), "sums to 0.9"),
    "which losses": (lambda: rdc.achievable_region(np.eye(2), THREE), "pass losses="),
    "no label": (lambda: rdc.achievable_region(np.eye(2), BARE), "LabelEntropyLimit"),
    "one loss": (lambda: rdc.achievable_region(np.eye(2), THREE, ("a", "a")), "name two losses"),
    "unknown": (lambda: rdc.achievable_region(np.eye(2), THREE, ("a", "c")), "unknown loss 'c'"),
    "exact": (lambda: rdc.achievable_region(np.eye(2), LABELLED, n_bootstrap=10), "known exactly"),
    "unsolved": (
        lambda: rdc.achievable_region(rdc.solve(BARE.with_limits(D=0.1, rate=0.01)), LABELLED),
        "has no channel",
    ),
    "forbidden": (
        lambda: rdc.achievable_region(
            [[1.0], [1.0]], rdc.Problem.from_arrays([0.5, 0.5], [[0, INF], [INF, 0]], losses={"a": np.eye(2)})
        ),
        "message 0 stands for symbols",
    ),
    "nan": (lambda: rdc.achievable_region(np.eye(2), LABELLED).contains([math.nan, 1]), "not NaN"),
    "pair": (lambda: rdc.achievable_region(np.eye(2), LABELLED).contains([1]), "give two numbers"),
    "weights": (lambda: rdc.achievable_region(np.eye(2), LABELLED).least([-1, 1]), "numbers >= 0"),
    "bound": (lambda: rdc.achievable_region(np.eye(2), LABELLED).least([1, 1], bound="both"), "unknown bound"),
    "source": (lambda: rdc.encoder_from_samples([0], [0], 3), "pass a Source"),
    "lengths": (lambda: rdc.encoder_from_samples([0, 1], [0, 1, 2], LINE), "one message per sample"),
    "strange": (lambda: rdc.encoder_from_samples([0, 1, 1], [0.0, 1.0, 9.0], LINE), "no symbol of the source"),
    "index": (lambda: rdc.encoder_from_samples([0, 1, 1], [0, 1, 3], LINE), "symbols 0 to 2"),
    "unseen": (lambda: rdc.encoder_from_samples([0, 1], [0, 1], LINE), "never encoded"),
    "empty": (lambda: rdc.encoder_from_samples([], np.empty(0, int), LINE), "z is empty"),
    "unhashable": (lambda: rdc.encoder_from_samples([[0], [1], [2]], [0, 1, 2], LINE), "hashable"),
    "no points": (lambda: rdc.encoder_from_samples([0], [0.5], rdc.Source(None, [1.0])), "the source has none"),
    "few resamples": (
        lambda: rdc.achievable_region(
            rdc.encoder_from_samples([0, 1], [0, 1], LABELLED.source), LABELLED, n_bootstrap=1
        ),
        "integer >= 2",
    ),
    "level": (
        lambda: rdc.achievable_region(
            rdc.encoder_from_samples([0, 1], [0, 1], LABELLED.source), LABELLED, n_bootstrap=9, level=95
        ),
        "level is 95",
    ),
}


@pytest.mark.parametrize("case", [*BAD_RATES.items(), *BAD_REGIONS.items()], ids=lambda case: case[0])
def test_bad_input_names_the_value_and_the_cure(case):
    call, words = case[1]
    with pytest.raises(rdc.InvalidInput, match=words):
        call()


def test_a_dataset_of_something_else_is_refused():
    curve = rdc.sweep(BARE, D=[0.1, 0.2])
    with pytest.raises(rdc.InvalidInput, match="one of tradeoff"):
        rdc.universal_rate(BARE, curve)
    boundary = rdc.tradeoff(THREE, rate=0.1, loss="a", n_points=2)
    with pytest.raises(rdc.InvalidInput, match="the problem that was traced"):
        rdc.universal_rate(rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [2, 0]]), boundary)


# ------------------------------------------------------------------------------------- pictures, command line


@pytest.fixture
def _figures():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.mark.usefixtures("_figures")
def test_regions_are_drawn_beside_their_boundary():
    rng = np.random.default_rng(1)
    problem = region_cases(rng)["classifier"]
    channels = {"a": rng.dirichlet(np.ones(3), 5), "b": np.eye(5)}
    regions = {name: rdc.achievable_region(channel, problem) for name, channel in channels.items()}
    boundary = rdc.tradeoff(problem, rate=0.2, n_points=3, tolerance=1e-6)
    ax = rdc.plot.region(regions, boundary, units={"classifier_loss": "nat"})
    assert ax.get_legend_handles_labels()[1] == [r"any encoder: boundary of $\Omega(R)$", "a", "b"]
    assert ax.get_xlabel() == "classifier loss [nat]"
    left, right = ax.get_xlim()
    assert all(left < vertex[1] < right for one in regions.values() for vertex in one.vertices)
    alone = rdc.plot.region(regions["b"])
    assert alone.get_xlabel() == "distortion"
    turned = rdc.plot.region(rdc.achievable_region(np.eye(5), problem, ("classifier_loss", "distortion")), boundary)
    assert turned.get_ylabel() == "distortion"


@pytest.mark.usefixtures("_figures")
def test_regions_that_are_not_exact_have_an_outer_line():
    rng = np.random.default_rng(2)
    p, label = rng.dirichlet(np.ones(6)), rng.dirichlet([0.5, 0.5], 6)
    problem = rdc.Problem.from_arrays(p, rng.random((6, 3)), label, C=INF, letters="fixed")
    ax = rdc.plot.region(rdc.achievable_region(rng.dirichlet(np.ones(20), 6), problem))
    assert [line.get_linestyle() for line in ax.lines].count(":") == 1


@pytest.mark.usefixtures("_figures")
def test_regions_of_other_losses_are_refused():
    region = rdc.achievable_region(np.eye(2), LABELLED)
    other = rdc.achievable_region(np.eye(2), THREE, ("a", "b"))
    boundary = rdc.tradeoff(THREE, rate=0.1, loss="a", n_points=2)
    for arguments, words in [
        (({"x": region, "y": other},), "draw them apart"),
        ((region, boundary), "pass the tradeoff of these losses"),
        (({},), "pass a Region"),
    ]:
        with pytest.raises(rdc.InvalidInput, match=words):
            rdc.plot.region(*arguments)


def run(*arguments):
    from typer.testing import CliRunner

    from rdcsolve.cli import app

    return CliRunner().invoke(app, [str(one) for one in arguments])


def test_the_command_prints_rates_and_the_penalty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arrays = {"p_x": [0.6, 0.4], "distortion": [[0, 1], [1, 0]], "labels_0": [[0.9, 0.1], [0.2, 0.8]]}
    np.savez("coin.npz", **arrays)
    stated = ("universal", "coin.npz", "--target", "D=0.1,C=0.6", "--target", "D=0.3,C=0.5")
    in_nats = run(*stated)
    assert in_nats.exit_code == 0, in_nats.output
    bits = [f"D={distortion},C={entropy / math.log(2)!r}" for distortion, entropy in ((0.1, 0.6), (0.3, 0.5))]
    done = run("universal", "coin.npz", "--target", bits[0], "--target", bits[1], "--save", "encoder.npz", "--bits")
    assert done.exit_code == 0, done.output
    upper = [
        float(next(row for row in one.stdout.splitlines() if "by one encoder" in row).split("|")[3])
        for one in (in_nats, done)
    ]
    assert abs(upper[1] - upper[0] / math.log(2)) < 3e-6
    assert "rate penalty" in done.stdout
    assert "rate [bit]" in done.stdout
    held = np.load("encoder.npz")
    assert held["encoder"].shape[0] == 2
    assert {"letters_0", "letters_1", "decisions_1_0"} <= set(held.files)
    impossible = run("universal", "coin.npz", "--target", "C=0.01")
    assert impossible.exit_code == 1
    assert "INFEASIBLE" in impossible.output
    for arguments, words in [
        (("--target", "D"), "NAME=VALUE"),
        (("--target", "D=0.1,D=0.2"), "twice"),
        (("--target", "D=0.1", "--rate", "1"), "leave out --rate"),
    ]:
        wrong = run("universal", "coin.npz", *arguments)
        assert wrong.exit_code == 2
        assert words in wrong.output


def test_figure_3_is_drawn_from_certified_numbers(tmp_path, monkeypatch):
    from rdcsolve.cli import figure_3
    from rdcsolve.cli.demo.digits import Sizes

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(figure_3, "_DIGITS", Sizes(n_letters=10, n_images=40))
    monkeypatch.setattr(figure_3, "_POINTS", 3)
    monkeypatch.setattr(figure_3, "_TOLERANCE", 1e-4)
    done = run("figure", "3", "--save-plot", "three.png")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "three.png").stat().st_size > 10_000
    assert done.stdout.count("CERTIFIED") == 2
    assert run("figure", "99").exit_code == 2


def test_regions_do_not_pass_over_perceptions():
    limits = [rdc.DistortionLimit(INF), rdc.PerceptionLimit(0.1, measure="tv")]
    problem = rdc.Problem(rdc.Source([0.0, 1.0], [0.5, 0.5]), limits=limits)
    with pytest.raises(
        rdc.InvalidInput, match="the problem has the perception 'perception' but a region of two losses"
    ):
        rdc.achievable_region(np.eye(2), problem)
