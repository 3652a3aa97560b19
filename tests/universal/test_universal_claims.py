"""Universal rates claim no more than holds: limits from the definitions, tampering, dropped targets, scales."""

import dataclasses
import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.information import conditional_entropy, mutual_information
from rdcsolve.results import Proof, Status
from rdcsolve.solvers.exchange import floor
from rdcsolve.testing.strategies import channels, distortions, labels, pmfs
from rdcsolve.universal.attained import losses_of
from rdcsolve.universal.check import confirmed
from rdcsolve.universal.decoding import decoder_of
from rdcsolve.universal.slack import limit_slack
from rdcsolve.universal.solving import Work

INF = math.inf
SHARE = 1e-12  # of what a loss can range over: what a limit may be exceeded by


def test_losses_at_a_level_are_not_told_too_small():
    """A whole mean of 1e10 and a bit is rounded up, not to the nearest double, which is below every other one."""
    p = np.array([0.3, 0.7])
    for bit in np.arange(1, 40) * 1e-7:
        table = 2.0**33 + np.array([[0.0, 1.0], [1.0, 0.0]]) * bit
        problem = rdc.Problem(rdc.Source(None, p), distortion=table, letters="split")
        decoder = decoder_of(problem, np.diag(p), np.zeros(2, dtype=int))
        attained = losses_of(problem, decoder, np.diag(p))["distortion"]
        exact = sum(Fraction(m) * Fraction(x) for m, x in zip(p.tolist(), table[:, 0].tolist(), strict=True))
        exact /= sum(map(Fraction, p.tolist()))
        assert Fraction(attained.value) >= exact - Fraction(1e-12) * Fraction(float(table.max() - table.min()))
        assert Fraction(attained.value) <= exact + Fraction(2.0**-19)


# ------------------------------------------------------------------------------------- from the definitions


def spreads(problem):
    """What every loss can range over, pair by pair."""
    used = np.flatnonzero(problem.p_x > 0)
    found = {}
    for loss in problem.linear_losses:
        allowed = [
            loss.matrix[i, a]
            for i in used
            for a in range(problem.n_letters)
            if all(np.isfinite(other.matrix[i, a]) for other in problem.linear_losses)
        ]
        found[loss.name] = max(allowed) - min(allowed)
    if problem.free is not None:
        x = problem.source.points[used]
        found[problem.free.name] = max(float(((one - other) ** 2).sum()) for one in x for other in x)
    for label in problem.label_entropies:
        found[label.name] = math.log(label.conditional.shape[1])
    return found


def excesses(problem, universal, j):
    """By how much decoder j exceeds each limit of its target, in exact sums over pairs of symbol and message."""
    joint = universal.encoder * problem.p_x[:, None]
    decoder, target = universal.decoders[j], universal.targets[j]
    shown = channel = universal.encoder
    if problem.letters == "fixed":
        shown = channel @ np.eye(problem.n_letters)[decoder.letters]
    found = {}
    for loss in problem.linear_losses:
        if loss.name in target:
            terms = [
                mass * (loss.matrix[i, decoder.letters[z]] - target[loss.name])
                for (i, z), mass in np.ndenumerate(joint)
                if mass > 0
            ]
            found[loss.name] = math.fsum(terms)
    if problem.free is not None and problem.free.name in target:
        places = decoder.reproduction[decoder.letters]
        squares = ((problem.source.points[:, None] - places[None]) ** 2).sum(axis=2)
        found[problem.free.name] = math.fsum((joint * squares).ravel()) - target[problem.free.name]
    for label in problem.label_entropies:
        if label.name in target:
            found[label.name] = conditional_entropy(problem.p_x, label.conditional, shown) - target[label.name]
    assert set(found) == set(target)
    return found


def check_claims(problem, universal, tolerance):
    """Limits, rate, penalty and verification of an answer that has an encoder."""
    sizes = spreads(problem)
    for j in range(len(universal.targets)):
        for name, excess in excesses(problem, universal, j).items():
            assert excess <= SHARE * sizes[name] + 1e-15 * universal.targets[j][name], (j, name, excess)
    assert mutual_information(problem.p_x, universal.encoder) == pytest.approx(universal.rate_upper, abs=1e-12)
    assert 0 <= universal.rate_lower <= universal.rate_upper
    assert 0 <= universal.penalty_lower <= universal.penalty_upper
    if universal.status is Status.OPTIMAL:
        assert universal.gap <= tolerance
    if universal.proof is Proof.CERTIFIED:
        for alone in universal.results:  # one encoder for all serves each
            assert alone.proof is not Proof.CERTIFIED or universal.rate_lower >= alone.rate_lower - 1e-12
    found = universal.verify(problem)
    assert found.valid, str(found)
    if universal.proof is Proof.CERTIFIED:
        assert found.lower >= universal.rate_lower - 1e-11


# ------------------------------------------------------------------------------------- any targets


@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_targets_of_which_nothing_is_proved_leave_the_rest_to_be_verified(which):
    """Only the encoder with its decoders, and the certificate of all targets together, are needed."""
    problem = rdc.Problem.from_arrays([0.5, 0.3, 0.2], 1 - np.eye(3), [np.eye(3)[[0, 1, 1]]], C=INF)
    universal = rdc.universal_rate(problem, [{"D": 0.1, "C": 0.5}, {"D": 0.2, "C": 0.3}])
    results = list(universal.results)
    for j in which:
        results[j] = dataclasses.replace(results[j], certificate=None, proof=Proof.NONE)
    partly = dataclasses.replace(universal, results=tuple(results))
    answer = confirmed(partly, problem, 1e-6)
    assert (answer.status, answer.proof) == (universal.status, universal.proof)
    for arithmetic in ("float", "ball"):
        found = answer.verify(problem, arithmetic)
        assert found.valid, found
        assert len(found.alone) == 2
        assert [j for j in (0, 1) if found.alone[j] is None] == list(which)
        assert found.lower == pytest.approx(answer.rate_lower, abs=1e-11)
        for j in (0, 1):
            assert (f"target {j} alone has no certificate" in str(found)) is (j in which)
    boast = dataclasses.replace(answer, rate_lower=answer.rate_lower + 1e-3)
    assert not boast.verify(problem).valid


@settings(max_examples=10)
@given(p=pmfs(st.integers(2, 4)), w=labels(4, 2), room=st.sampled_from([0.0, 1e-12, 1e-3]))
def test_what_is_certified_can_be_verified_where_a_target_alone_is_not_solved(p, w, room):
    """Targets at the least label entropy, for fixed letters: nobody may find a channel for one of them."""
    w = w[: p.size]
    least = conditional_entropy(p, w, np.eye(p.size))
    problem = rdc.Problem.from_arrays(p, 1 - np.eye(p.size), [w], letters="fixed", C=INF)
    universal = rdc.universal_rate(problem, [{"C": least * (1 + room)}, {"D": 0.5, "C": 2 * least + 1e-9}])
    if universal.decoders:
        assert universal.verify(problem).valid


@st.composite
def labelled_problems(draw, letters="split", n_labels=2):
    """A problem of two linear losses and labels, and targets that some channels meet."""
    n_x, n_y = draw(st.integers(2, 4)), draw(st.integers(2, 3))
    p = draw(pmfs(n_x))
    d, other = draw(distortions(n_x, n_y)), draw(distortions(n_x, n_y, forbidden=False))
    scale, offset = draw(st.sampled_from([1.0, 1e-6, 1e6])), draw(st.sampled_from([0.0, 0.0, 1e4]))
    tables = [draw(labels(n_x, 2)) for _ in range(draw(st.integers(1, n_labels)))]
    limits = [rdc.LossLimit(INF, scale * (other + offset), "other")]
    limits += [rdc.LabelEntropyLimit(INF, k) for k in range(len(tables))]
    problem = rdc.Problem(rdc.Source(None, p, labels=tables), distortion=d, limits=limits, letters=letters)
    targets = []
    for _ in range(draw(st.integers(1, 3))):
        allowed = np.isfinite(d) * (draw(channels(n_x, n_y)) + 0.01)
        allowed[~allowed.any(axis=1), 0] = 1.0
        channel = allowed / allowed.sum(axis=1, keepdims=True)
        means = {loss.name: just_above_mean(p, channel, loss.matrix) for loss in problem.linear_losses}
        entropies = {
            one.name: conditional_entropy(p, one.conditional, channel) + 1e-3 for one in problem.label_entropies
        }
        named = draw(st.sets(st.sampled_from(list(problem.loss_names)), min_size=1))
        targets.append({name: value for name, value in (means | entropies).items() if name in named})
    return problem, targets


def just_above_mean(p, channel, matrix):
    """The mean loss of a channel, a little above it."""
    mean = float(p @ np.where(channel > 0, channel * np.where(np.isfinite(matrix), matrix, 0.0), 0.0).sum(axis=1))
    return mean + 1e-3 * float(np.ptp(matrix[np.isfinite(matrix)]))


@settings(max_examples=25)
@given(labelled_problems())
def test_every_decoder_meets_every_limit(drawn):
    problem, targets = drawn
    universal = rdc.universal_rate(problem, targets, tolerance=1e-5)
    if universal.decoders:
        check_claims(problem, universal, 1e-5)


@settings(max_examples=8)
@given(labelled_problems(letters="fixed", n_labels=1))
def test_every_decoder_meets_every_limit_with_fixed_letters(drawn):
    problem, targets = drawn
    universal = rdc.universal_rate(problem, targets, tolerance=1e-4)
    if universal.decoders:
        check_claims(problem, universal, 1e-4)


@pytest.mark.parametrize("seed", range(4))
def test_no_decoder_says_that_it_is_above_a_bound_that_it_meets(seed):
    """Bounds at the least values, and one float below: what is added up in floats ends above them as often as not."""
    rng = np.random.default_rng(seed)
    n_x = int(rng.integers(2, 6))
    p, d, label = rng.dirichlet(np.ones(n_x)), rng.random((n_x, 3)), rng.dirichlet(np.full(2, 0.3), size=n_x)
    problem = rdc.Problem.from_arrays(p, d, label, C=INF)
    entropy, low = float(p @ -(label * np.log(label)).sum(axis=1)), float(p @ d.min(axis=1))
    targets = [
        {"distortion": low, "label_entropy": math.nextafter(entropy, 0)},
        {"distortion": 1.5 * low, "label_entropy": entropy},
        {"distortion": math.nextafter(low, 0)},
    ]
    universal = rdc.universal_rate(problem, targets)
    assert universal.status is Status.OPTIMAL
    for target, decoder in zip(targets, universal.decoders, strict=True):
        assert all(decoder.losses[name] <= bound for name, bound in target.items())
        assert decoder.losses["distortion"] >= math.nextafter(low, 0)  # and says no less than can be


# ------------------------------------------------------------------------------------- targets that others imply


def dominated_case(seed):
    """Targets the second of which implies the first and the third at linear losses, but not at the label."""
    rng = np.random.default_rng(seed)
    p, label = rng.dirichlet(np.ones(4)), rng.dirichlet([0.4, 0.4], 4)
    d, other = rng.random((4, 3)), rng.random((4, 3))
    problem = rdc.Problem.from_arrays(p, d, label, C=INF, losses={"other": other})
    channel = 0.8 * np.eye(3)[(d + other).argmin(axis=1)] + 0.2 / 3
    means = [float(p @ (channel * loss).sum(axis=1)) for loss in (d, other)]
    low, high = (conditional_entropy(p, label, one) for one in (np.eye(4), np.ones((4, 1))))
    strict = {"D": means[0], "other": means[1], "C": high - 0.1 * (high - low)}
    return problem, [
        {"D": means[0] + 0.05, "C": low + 0.3 * (high - low)},
        strict,
        {"D": means[0] + 0.1, "other": means[1] + 0.1, "C": low + 0.5 * (high - low)},
    ]


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_targets_does_not_matter_and_labels_of_dropped_ones_count(seed):
    problem, targets = dominated_case(seed)
    whole = rdc.universal_rate(problem, targets, method="tuples", max_tuples=10**6)
    for order in itertools.permutations(range(3)):
        universal = rdc.universal_rate(problem, [targets[j] for j in order])
        assert universal.law == "tuples"
        assert universal.status is Status.OPTIMAL
        check_claims(problem, universal, 1e-6)
        assert universal.rate_lower <= whole.rate_upper + 1e-12
        assert whole.rate_lower <= universal.rate_upper + 1e-12
        assert len(universal.problem.linear_losses) == 3  # nothing, and the two losses of the one target kept


def test_a_rate_whose_label_price_was_only_searched_is_unverified_as_a_whole(monkeypatch):
    """Eight noisy classes: the least bound on the label is dear, and that of a target left out."""
    monkeypatch.setattr(floor, "_by_shares", lambda *_: None)  # as if there was no time for it
    rng = np.random.default_rng(3)
    p, label = rng.dirichlet(np.ones(4)), rng.dirichlet(np.full(8, 0.5), 4)
    problem = rdc.Problem.from_arrays(p, rng.random((4, 2)), label, C=INF, losses={"other": rng.random((4, 2))})
    low, high = (conditional_entropy(p, label, one) for one in (np.eye(4), np.ones((4, 1))))
    channel = np.full((4, 2), 0.5)
    d, other = (float(p @ (channel * loss.matrix).sum(axis=1)) for loss in problem.linear_losses)
    targets = [{"D": d + 0.1, "C": low + 0.1 * (high - low)}, {"D": d - 0.02, "other": other, "C": high}]
    universal = rdc.universal_rate(problem, targets)
    check_claims(problem, universal, 1e-6)
    assert universal.proof is Proof.UNVERIFIED
    assert "rests on a search" in universal.message
    assert universal.verify(problem).lower < universal.rate_lower


# ------------------------------------------------------------------------------------- fixed letters


@pytest.mark.parametrize("second", [{"D": 0.35}, {"other": 0.5}])
def test_fixed_letters_that_limit_no_label_are_one_per_symbol(second):
    rng = np.random.default_rng(5)
    p, d, other = rng.dirichlet(np.ones(5)), rng.random((5, 3)), rng.random((5, 3))
    d[:, 1] = d[:, 0]  # alike at the distortion
    label = rng.dirichlet([0.3, 0.3], 5)
    made = {
        letters: rdc.Problem.from_arrays(p, d, label, C=INF, losses={"other": other}, letters=letters)
        for letters in ("fixed", "split")
    }
    targets = [{"D": 0.3}, second]
    found = {letters: rdc.universal_rate(problem, targets) for letters, problem in made.items()}
    check_claims(made["fixed"], found["fixed"], 1e-6)
    assert found["fixed"].status is Status.OPTIMAL
    assert found["fixed"].proof is Proof.CERTIFIED
    assert max(one.rate_lower for one in found.values()) <= min(one.rate_upper for one in found.values()) + 1e-12
    for alone in found["fixed"].results:
        assert np.unique(alone.letters).size == alone.letters.size
        assert alone.losses["label_entropy"] == pytest.approx(conditional_entropy(p, label, alone.channel), abs=1e-12)
    for decoder in found["fixed"].decoders:
        shown = found["fixed"].encoder @ np.eye(3)[decoder.letters]
        assert decoder.losses["label_entropy"] == pytest.approx(conditional_entropy(p, label, shown), abs=1e-12)


def test_letters_that_repeat_a_symbol_are_merged():
    from rdcsolve.solvers.stationary.merging import merged

    p = np.array([0.2, 0.3, 0.5])
    d, label = np.array([[0.0, 1.0], [0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    split = rdc.Problem.from_arrays(p, d, label, C=INF).with_limits(D=0.1)
    fixed = rdc.Problem.from_arrays(p, d, label, C=INF, letters="fixed").with_limits(D=0.1)
    solved = rdc.solve(split, tolerance=1e-7)
    letters, channel = np.array([0, 0, 1]), np.array([[0.9, 0.0, 0.1], [0.0, 0.9, 0.1], [0.0, 0.05, 0.95]])
    certificate = dataclasses.replace(solved.certificate, letters=letters, channel=channel, upper=9.0)
    repeated = dataclasses.replace(solved, letters=letters, channel=channel, q=p @ channel, certificate=certificate)
    one = merged(repeated, fixed)
    assert one.letters.tolist() == [0, 1]
    assert one.channel[:, 0].tolist() == pytest.approx([0.9, 0.9, 0.05])
    assert one.rate_upper == pytest.approx(mutual_information(p, one.channel), abs=1e-13)
    assert one.rate_upper < mutual_information(p, channel)
    assert one.decisions[0].sum(axis=1).tolist() == pytest.approx([1, 1])
    assert one.certificate.verify(fixed).valid
    assert merged(one, fixed) is one


def test_fixed_letters_keep_the_bound_that_tuples_prove():
    """The corner's own channel is the encoder, but where two losses count the bound is not that of the corner."""
    rng = np.random.default_rng(28)
    p, label = rng.dirichlet(np.ones(3)), np.eye(2)[[0, 1, 0]]
    d, other = rng.random((3, 2)), rng.random((3, 2))
    problem = rdc.Problem.from_arrays(p, d, label, C=INF, losses={"other": other}, letters="fixed")
    channel = rng.dirichlet([0.3, 0.3], 3)
    D, o = (float(p @ (channel * loss).sum(axis=1)) for loss in (d, other))
    entropy = conditional_entropy(p, label, channel)
    targets = [{"D": D, "C": entropy + 0.01}, {"other": o, "C": entropy + 0.03}]
    universal = rdc.universal_rate(problem, targets, tolerance=1e-4)
    assert universal.law == "fixed letters"
    assert universal.status is Status.STATIONARY
    assert universal.rate_lower > max(one.rate_lower for one in universal.results) + 0.01
    check_claims(problem, universal, 1e-4)


# ------------------------------------------------------------------------------------- scales


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(-6, 6), st.integers(1, 2), st.booleans())
def test_zero_distortion_is_met_at_every_scale(seed, exponent, dim, has_twins):
    rng = np.random.default_rng(seed)
    n_x = int(rng.integers(2, 7))
    points = 10.0**exponent * (rng.normal(size=(n_x, dim)) + rng.choice([0.0, 10.0]))
    if has_twins:
        points[-1] = points[0]
    p = rng.dirichlet(np.ones(n_x))
    problem = rdc.Problem(rdc.Source(points, p), "free")
    variance = float((p[:, None] * (points - p @ points) ** 2).sum())
    targets = [{"distortion": 0.3 * variance}, {"distortion": 0.0}]
    for stated in (targets, targets[::-1]):
        universal = rdc.universal_rate(problem, stated, tolerance=1e-5)
        assert universal.status is Status.OPTIMAL
        assert universal.decoders[0].losses["distortion"] <= limit_slack(problem)["distortion"]
        check_claims(problem, universal, 1e-5)


def test_a_constant_in_a_loss_changes_nothing():
    rng = np.random.default_rng(2)
    p, d, other = rng.dirichlet(np.ones(5)), rng.random((5, 4)), rng.random((5, 4))
    found, least = [], float(p @ d.min(axis=1))
    for constant in (0.0, 2.0**20):
        problem = rdc.Problem.from_arrays(p, d + constant, losses={"other": other})
        universal = rdc.universal_rate(problem, [{"D": least + 0.05 + constant}, {"other": 0.5}])
        check_claims(problem, universal, 1e-6)
        excess = universal.verify(problem).excess
        assert max(value for one in excess for value in one.values()) <= 1e-12
        found.append(universal)
    assert max(one.rate_lower for one in found) <= min(one.rate_upper for one in found) + 1e-9


def test_what_a_limit_may_be_exceeded_by_is_a_share_of_the_range():
    label = np.full((3, 4), 0.25)
    source = rdc.Source([0.0, 1.0, 3.0], [0.5, 0.5, 0.0], labels=[label])
    matrix = [[7.0, INF, 8.0], [9.0, 7.5, 7.0], [0.0, 0.0, 99.0]]  # the last symbol has no mass
    second = [[1.0, 99.0, 1.0], [1.0, 3.0, 1.0], [9.0, 9.0, 9.0]]  # and 99 is forbidden by the first
    limits = [rdc.LossLimit(INF, second, "other"), rdc.LabelEntropyLimit(INF)]
    problem = rdc.Problem(source, distortion=matrix, limits=limits)
    slack = limit_slack(problem)
    assert slack == {"distortion": 2e-12, "other": 2e-12, "label_entropy": pytest.approx(1e-12 * math.log(4))}
    free = rdc.Problem(rdc.Source([[0.0, 0.0], [3.0, 4.0], [9.0, 9.0]], [0.5, 0.5, 0.0]), "free")
    assert limit_slack(free) == {"distortion": pytest.approx(25e-12)}


# ------------------------------------------------------------------------------------- what is not confirmed


def answered():
    rng = np.random.default_rng(18)
    p, d, label = rng.dirichlet(np.ones(4)), rng.random((4, 3)), rng.dirichlet([0.5, 0.5], 4)
    d[0, 1] = INF
    problem = rdc.Problem.from_arrays(p, d, label, C=INF, losses={"other": rng.random((4, 3))})
    h = conditional_entropy(p, label, np.eye(4))
    return problem, rdc.universal_rate(problem, [{"D": 0.35, "C": h + 0.1}, {"other": 0.4, "C": h + 0.05}])


def plane():
    rng = np.random.default_rng(0)
    source = rdc.Source(rng.normal(size=(4, 2)), rng.dirichlet(np.ones(4)), labels=[rng.dirichlet([1, 1], 4)])
    problem = rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(INF)])
    h = conditional_entropy(problem.p_x, source.labels[0], np.eye(4))
    return problem, rdc.universal_rate(problem, [{"C": h + 0.05}, {"D": 0.2}], tolerance=1e-4)


def decoder_with(universal, place, **changes):
    """The answer with one decoder changed."""
    decoders = list(universal.decoders)
    decoders[place] = dataclasses.replace(decoders[place], **changes)
    return dataclasses.replace(universal, decoders=tuple(decoders))


def swapped(universal):
    encoder = universal.encoder.copy()
    encoder[[0, 1]] = encoder[[1, 0]]
    return dataclasses.replace(universal, encoder=encoder)


TAMPERING = {
    "rows that are none": lambda u: dataclasses.replace(u, encoder=0.9 * u.encoder),
    "negative": lambda u: dataclasses.replace(u, encoder=u.encoder - 1e-3),
    "rows exchanged": swapped,
    "noise": lambda u: dataclasses.replace(u, encoder=0.9 * u.encoder + 0.1 * u.q),
    "masses": lambda u: dataclasses.replace(u, q=u.q[::-1]),
    "letters out of range": lambda u: decoder_with(u, 0, letters=u.decoders[0].letters + 99),
    "negative letters": lambda u: decoder_with(u, 0, letters=u.decoders[0].letters - 99),
    "too few letters": lambda u: decoder_with(u, 0, letters=u.decoders[0].letters[1:]),
    "losses understated": lambda u: decoder_with(u, 1, losses=dict.fromkeys(u.decoders[1].losses, 0.0)),
    "decisions reversed": lambda u: decoder_with(u, 1, decisions=tuple(s[:, ::-1] for s in u.decoders[1].decisions)),
    "decisions too large": lambda u: decoder_with(u, 1, decisions=tuple(2 * s for s in u.decoders[1].decisions)),
    "no decisions": lambda u: decoder_with(u, 1, decisions=()),
    "one decoder": lambda u: dataclasses.replace(u, decoders=u.decoders[:1]),
    "tighter target": lambda u: dataclasses.replace(
        u, targets=({name: bound * 0.99 for name, bound in u.targets[0].items()}, u.targets[1])
    ),
    "lower bound": lambda u: dataclasses.replace(u, rate_lower=u.rate_lower + 1e-9),
    "upper bound": lambda u: dataclasses.replace(u, rate_upper=u.rate_upper - 1e-9),
    "lower bound of a target": lambda u: dataclasses.replace(
        u, results=(dataclasses.replace(u.results[0], rate_lower=u.results[0].rate_lower + 1e-3), u.results[1])
    ),
    "upper bound of a target": lambda u: dataclasses.replace(
        u, results=(dataclasses.replace(u.results[0], rate_upper=u.results[0].rate_upper - 1e-6), u.results[1])
    ),
}


@pytest.fixture(scope="module", params=["tuples", "free letters"])
def answer(request):
    return answered() if request.param == "tuples" else plane()


def test_the_answers_that_are_tampered_with_are_valid(answer):
    problem, universal = answer
    assert universal.proof is Proof.CERTIFIED
    check_claims(problem, universal, 1e-4)


@pytest.mark.parametrize("name", TAMPERING)
def test_tampering_is_refused(answer, name):
    problem, universal = answer
    found = TAMPERING[name](universal).verify(problem)
    assert not found.valid
    assert found.messages


def test_a_forbidden_symbol_is_refused():
    """Though the loss that forbids it is not limited for that target."""
    problem, universal = answered()
    z = int(np.flatnonzero(universal.encoder[0] > 0)[0])
    letters = universal.decoders[1].letters.copy()
    letters[z] = 1
    found = decoder_with(universal, 1, letters=letters).verify(problem)
    assert any("decoder 1 shows a symbol that is forbidden" in message for message in found.messages)
    assert found.upper == INF


def test_a_law_that_is_misnamed_does_not_split_letters():
    """With fixed letters a label is read from the symbol, whatever the answer says of how it was found."""
    d, label = [[0, 0], [1, 0]], [[0.7, 0.3], [1.0, 0.0]]
    fixed = rdc.Problem.from_arrays([0.7, 0.3], d, label, C=INF, letters="fixed")
    split = rdc.universal_rate(rdc.Problem.from_arrays([0.7, 0.3], d, label, C=INF), [(0.0, 0.5), (0.1, 0.47)])
    assert split.law == "corner"
    found = split.verify(fixed)
    assert not found.valid
    assert any("exceeds the limit" in message for message in found.messages)


def test_a_place_that_is_not_the_mean_is_refused():
    problem, universal = plane()
    moved = decoder_with(universal, 1, reproduction=universal.decoders[1].reproduction + 0.1)
    assert any("decoder 1 exceeds the limit" in message for message in moved.verify(problem).messages)
    lost = decoder_with(universal, 1, reproduction=universal.decoders[1].reproduction * math.nan)
    assert any("finite points" in message for message in lost.verify(problem).messages)


def claiming(universal, **changes):
    return dataclasses.replace(universal, **changes)


def test_an_answer_reports_what_its_check_confirms():
    problem, universal = answered()
    again = confirmed(universal, problem, 1e-6)
    assert (again.rate_lower, again.rate_upper) == (universal.rate_lower, universal.rate_upper)
    assert (again.penalty_lower, again.penalty_upper) == (universal.penalty_lower, universal.penalty_upper)
    boasting = confirmed(claiming(universal, rate_lower=universal.rate_lower + 0.1), problem, 1e-6)
    assert boasting.rate_lower == universal.rate_lower
    raised = dataclasses.replace(universal.result.certificate, multipliers=2 * universal.result.certificate.multipliers)
    looser = confirmed(
        claiming(universal, result=dataclasses.replace(universal.result, certificate=raised)), problem, 1e-6
    )
    assert looser.status is Status.STALLED
    assert "confirms a gap of" in looser.message
    assert looser.rate_lower < universal.rate_lower
    assert looser.verify(problem).valid


def test_an_encoder_that_misses_a_target_bounds_nothing():
    problem, universal = answered()
    missing = confirmed(swapped(universal), problem, 1e-6)
    assert missing.status is Status.STALLED
    assert missing.proof is missing.penalty_proof is Proof.NONE
    assert math.isnan(missing.rate_upper)
    assert math.isnan(missing.penalty_upper)
    assert missing.rate_lower == universal.rate_lower
    assert "there is no upper bound: decoder" in missing.message
    assert not missing.decoders
    assert missing.encoder.shape == (problem.n_x, 0)
    assert not missing.q.size
    nothing = confirmed(claiming(universal, decoders=(), status=Status.INFEASIBLE), problem, 1e-6)
    assert nothing.status is Status.STALLED
    assert "not proved" in nothing.message


def test_a_bound_that_rests_on_a_search_is_told_without_an_encoder_too():
    problem, universal = answered()
    searched = dataclasses.replace(universal.result, proof=Proof.UNVERIFIED, rate_lower=universal.rate_lower + 0.1)
    nothing = confirmed(claiming(universal, decoders=(), result=searched), problem, 1e-6)
    assert nothing.proof is Proof.NONE
    assert nothing.rate_lower == searched.rate_lower
    assert f"rests on a search; {universal.rate_lower:.10g} nat is proved" in nothing.message
    proved = confirmed(claiming(universal, decoders=()), problem, 1e-6)
    assert proved.rate_lower == universal.rate_lower
    assert f"needs at least {universal.rate_lower:.10g} nat" in proved.message


def test_universal_rate_checks_its_own_answer(monkeypatch):
    """A solver whose channel is spoilt, and whose bound is too high, is found out."""
    problem, universal = answered()
    targets = list(universal.targets)

    def spoilt(work, stated):
        result = made(work, stated)
        if "target0_distortion" not in stated.loss_names:
            return result
        channel = 0.5 * result.channel + 0.5 * result.q
        return dataclasses.replace(result, channel=channel, rate_lower=result.rate_lower + 0.5)

    made = Work.solved
    monkeypatch.setattr(Work, "solved", spoilt)
    found = rdc.universal_rate(problem, targets)
    assert found.proof is Proof.NONE
    assert found.status is Status.STALLED
    assert math.isnan(found.rate_upper)
    assert found.rate_lower <= universal.rate_lower + 1e-12


def test_a_target_that_limits_nothing_is_served():
    rng = np.random.default_rng(1)
    p, d, label = rng.dirichlet(np.ones(4)), rng.random((4, 3)), rng.dirichlet([0.5, 0.5], 4)
    problem = rdc.Problem.from_arrays(p, d, label, C=INF)
    universal = rdc.universal_rate(problem, [{"D": INF}, {"D": 0.4}])
    check_claims(problem, universal, 1e-6)
    assert universal.targets[0] == {}


# ------------------------------------------------------------------------------------- regions


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["fixed", "split", "classifier", "free", "two labels"]))
def test_no_decoder_leaves_the_outer_boundary_and_every_vertex_is_attained(seed, kind):
    rng = np.random.default_rng(seed)
    n_x, n_y, k = (int(rng.integers(2, top)) for top in (6, 5, 6))
    p, channel = rng.dirichlet(np.ones(n_x)), rng.dirichlet(np.full(k, 0.4), n_x)
    tables = [np.eye(2)[rng.integers(0, 2, n_x)], rng.dirichlet([0.5, 0.5], n_x)]
    scale, offset = 10.0 ** rng.integers(-6, 7), rng.choice([0.0, 100.0])
    d, other = scale * (rng.random((n_x, n_y)) + offset), rng.random((n_x, n_y))
    source = rdc.Source(scale * rng.normal(size=(n_x, 1)), p, labels=tables)
    entropies = [rdc.LabelEntropyLimit(INF, label) for label in (0, 1)]
    letters = "fixed" if kind in ("fixed", "two labels") else "split"
    names = ("distortion", "label_entropy")
    if kind == "free":
        problem = rdc.Problem(source, "free", limits=entropies)
    else:
        problem = rdc.Problem(
            source, distortion=d, limits=[rdc.LossLimit(INF, other, "other"), *entropies], letters=letters
        )
        if kind == "classifier":
            names = ("distortion", "other")
        if kind == "two labels":
            names = ("label_entropy", "label_entropy_1")
    region = rdc.achievable_region(channel, problem, names)
    least = region.outer.min(axis=0)
    for vertex, shown, instead, chance in zip(
        region.vertices, region.letters, region.others, region.chances, strict=True
    ):
        if kind == "free":
            continue
        decoder = (1 - chance) * np.eye(n_y)[shown] + chance * np.eye(n_y)[instead]
        point = losses_shown(problem, channel, decoder, names)
        assert (np.abs(point - vertex) <= 1e-12 * (np.abs(vertex) + 1e-3)).all()
        assert region.contains(point)
    width = 2 if kind == "free" else n_y
    for _ in range(40):  # decoders that choose at random, sharp ones and blurred ones
        decoder = rng.dirichlet(np.full(width, rng.choice([0.03, 0.3, 1.0])), k)
        point = losses_shown(problem, channel, decoder, names)
        assert region.contains(point * (1 + 1e-12), bound="outer")
        assert (point >= least * (1 - 1e-12)).all()
        if region.is_exact:
            assert region.contains(point * (1 + 1e-12))
    if region.is_exact:
        step = 1e-9 * np.array([limit_slack(problem)[name] for name in names]) / SHARE
        assert not region.contains(region.vertices[0] - [step[0], 0.0])
        assert not region.contains(region.vertices[-1] - [0.0, step[1]])
        for weights in ((1, scale), (1e-3, scale), (1, 1e-3 * scale)):
            assert point @ weights >= region.least(weights, bound="outer") * (1 - 1e-12)


def losses_shown(problem, channel, decoder, names):
    """Two losses of a stochastic decoder, shape (k, n_y); of the letter (symbol, message) where letters are split."""
    p, found = problem.p_x, {}
    shown = channel @ decoder
    both = shown if problem.letters == "fixed" else (channel[:, :, None] * decoder).reshape(p.size, -1)
    for loss in problem.linear_losses:
        found[loss.name] = float(p @ (shown * loss.matrix).sum(axis=1))
    for label in problem.label_entropies:
        found[label.name] = conditional_entropy(p, label.conditional, both)
    if problem.free is not None:
        joint = both * p[:, None]
        q = np.maximum(joint.sum(axis=0), 1e-300)
        x = problem.source.points[:, 0]
        found["distortion"] = float((joint * (x[:, None] - (x @ joint) / q) ** 2).sum())
    return np.array([found[name] for name in names])


def test_lines_that_a_decoder_gets_below_are_not_shown_as_a_bound():
    from rdcsolve.universal.boundary import proved_outer

    tables = [np.array([[0.0, 1.0, 0.2]]), np.array([[1.0, 0.0, 0.2]])]
    whole = np.array([[0.0, 1.0], [0.2, 0.2], [1.0, 0.0]])
    assert proved_outer(tables, whole) is whole
    assert proved_outer(tables, whole[[0, 2]]).tolist() == [[0.0, 0.0]]
