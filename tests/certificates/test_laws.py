"""What certificates say of the law of the reproduction: nothing that is not so, whatever numbers they hold."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.certificates import Certificate
from rdcsolve.certificates.law_proof import LawProof, packed, unpacked
from rdcsolve.certificates.laws import DIVERGENCES, FloatLaw
from rdcsolve.information import mutual_information
from rdcsolve.perception import distance, support
from rdcsolve.problems import Perception
from rdcsolve.problems.perception import MEASURES

POINTS = np.arange(-2.0, 3.0)
FIVE = rdc.Source(POINTS, [0.15, 0.25, 0.3, 0.2, 0.1])
NAMED = [one for one in MEASURES if one != "transport"]


def five(bound, measure, **more):
    more |= {"kernel": 1.0} if measure == "mmd" else {}
    return rdc.Problem(FIVE, limits=[rdc.DistortionLimit(0.5), rdc.PerceptionLimit(bound, measure, **more)])


@pytest.fixture(scope="module")
def answers():
    problems = {measure: five(0.0 if measure == "exact" else 0.01, measure) for measure in NAMED}
    return {measure: (problem, rdc.solve(problem)) for measure, problem in problems.items()}


@given(st.integers(0, 2**32 - 1), st.sampled_from(NAMED), st.sampled_from([0.0, 1e-3, 0.1, 1.0]))
def test_no_numbers_prove_more_than_there_is(seed, measure, noise):
    """Any u, multipliers, prices and scalars: near the best ones, and far from them."""
    problem = five(0.0 if measure == "exact" else 0.01, measure)
    result = rdc.solve(problem)
    rng = np.random.default_rng(seed)
    certificate, law = result.certificate, result.certificate.laws[0]
    prices = np.maximum(law.prices + noise * rng.normal(size=5), 0.0)
    nu = law.multiplier if math.isinf(law.multiplier) else law.multiplier * math.exp(noise * rng.normal())
    changed = LawProof(prices, nu, law.level + noise * rng.normal(), law.rows, law.columns, law.masses, law.witness)
    other = replace(
        certificate,
        u=certificate.u + noise * rng.normal(size=5),
        multipliers=certificate.multipliers * math.exp(noise * rng.normal()),
        laws=(changed,),
        lower=math.nan,
    )
    for arithmetic in ("float", "ball"):
        if arithmetic == "ball":
            pytest.importorskip("flint")
        found = other.verify(problem, arithmetic)
        assert found.lower <= result.rate_upper
        assert found.upper >= result.rate_lower


SHARED = rdc.Source(FIVE.points, FIVE.p_x, labels=[[[0.9, 0.1], [0.7, 0.3], [0.5, 0.5], [0.2, 0.8], [0.05, 0.95]]])


@given(st.integers(0, 2**32 - 1), st.sampled_from([one for one in NAMED if one != "exact"]))
def test_no_numbers_prove_more_of_classes_than_there_is(seed, measure):
    """Any channel whatever, with its own distances as limits, beside any numbers as a certificate."""
    rng = np.random.default_rng(seed)
    channel = rng.dirichlet(np.full(5, 0.6), 5)
    limit = rdc.PerceptionLimit(1.0, measure, given=0, kernel=1.0 if measure == "mmd" else None)
    problem = rdc.Problem(SHARED, limits=[rdc.DistortionLimit(1.0), limit])
    joint = SHARED.p_x[:, None] * channel
    bounds = {"distortion": float((joint * problem.losses[0].matrix).sum()) * (1 + 1e-12)}
    for one in problem.perceptions:
        masses = one.members @ joint
        bounds[one.name] = distance(one, masses / masses.sum()) * (1 + 1e-9) + 1e-12
    rate = mutual_information(SHARED.p_x, channel)
    laws = []
    for one in problem.perceptions:
        prices, nu = rng.exponential(2.0, 5) * (rng.random(5) < 0.8), float(rng.exponential(3.0))
        witness = rng.normal(size=one.features.shape[1]) if one.features is not None else np.empty(0)
        laws.append(LawProof(prices, nu, float(prices.max()), witness=witness))
    nothing = np.zeros(0, dtype=np.intp)
    certificate = Certificate(
        objective="rate",
        u=rng.normal(size=5) + 1.0,
        u_rest=np.zeros(5),
        multipliers=np.array([float(rng.exponential(1.0))]),
        letters=nothing,
        channel=np.empty((5, 0)),
        lower=math.nan,
        upper=math.nan,
        fingerprint=problem.fingerprint(),
        laws=tuple(laws),
    )
    stated = problem.with_limits(**bounds)
    lowers = [certificate.verify(stated).lower]
    if pytest.importorskip("flint"):
        lowers.append(certificate.verify(stated, "ball").lower)
    assert max(lowers) <= rate
    assert lowers[0] == pytest.approx(lowers[-1], abs=1e-9)


@pytest.mark.parametrize("measure", ["w2", "tv", "kl"])
def test_the_law_of_a_class_beyond_its_limit_is_refuted(measure):
    problem = rdc.Problem(SHARED, limits=[rdc.DistortionLimit(0.8), rdc.PerceptionLimit(0.05, measure, given=0)])
    result = rdc.solve(problem)
    assert result.verify(problem).valid
    other = problem.with_limits(perception_1=0.9 * result.perceptions["perception_1"])
    found = result.verify(other)
    assert not found.valid
    assert found.excess["perception_1"] > 0


@pytest.mark.parametrize("measure", NAMED)
def test_floats_are_on_the_safe_side_of_balls(answers, measure):
    pytest.importorskip("flint")
    problem, result = answers[measure]
    in_floats, in_balls = (result.certificate.verify(problem, one) for one in ("float", "ball"))
    assert in_balls.lower - 1e-12 < in_floats.lower <= in_balls.lower
    assert in_balls.upper <= in_floats.upper < in_balls.upper + 1e-12
    for name, value in in_balls.perceptions.items():
        assert value <= in_floats.perceptions[name] < value + 1e-11


@given(st.integers(0, 2**32 - 1), st.sampled_from(NAMED), st.floats(-3, 2))
def test_supports_are_rounded_up(seed, measure, size):
    """Against a plain evaluation, and against laws at random."""
    rng = np.random.default_rng(seed)
    target, w = rng.dirichlet(np.ones(4)), rng.uniform(0, 1, 4) * 10**size
    cost = rng.uniform(0, 2, (4, 4)) if measure in ("w2", "w1") else None
    perception = Perception("perception", measure, target, np.arange(4), cost)
    nu = math.inf if measure == "exact" else float(10 ** rng.uniform(-2, 2))
    level = float(w.max() - rng.uniform(-3, 3) * (nu if nu < math.inf else 1))
    if measure == "mmd":
        features = rng.normal(size=(4, 2))
        perception = Perception("perception", measure, target, np.arange(4), features=features - target @ features)
    witness = rng.normal(size=2) if measure == "mmd" else np.empty(0)
    law = FloatLaw(perception, LawProof(w, nu, level, witness=witness), math.inf, None)
    found, plain = law.support(), support(perception, w, nu, level, witness)
    if math.isfinite(found):
        assert plain <= found <= plain + 1e-13 * (1 + abs(plain) + w.max() + abs(level))
        for q in rng.dirichlet(np.ones(4), 20) if nu < math.inf else [target / target.sum()]:
            spent = 0.0 if math.isinf(nu) else nu * distance(perception, q)
            assert q @ w - spent <= found + 1e-12 * (1 + w.max())


@pytest.mark.parametrize("name", DIVERGENCES)
def test_divergences_are_rounded_up(name):
    mpmath = pytest.importorskip("mpmath")
    mpmath.mp.dps = 40
    divergence = DIVERGENCES[name]
    values = np.concatenate([1 + np.array([0.0, 1e-12, -1e-12, 1e-5, -1e-5]), np.logspace(-8, 6, 60)])
    exact = {
        "kl": lambda t: t * mpmath.log(t) - t + 1,
        "reverse_kl": lambda t: t - 1 - mpmath.log(t),
        "chi2": lambda t: (t - 1) ** 2,
        "reverse_chi2": lambda t: (t - 1) ** 2 / t,
        "hellinger": lambda t: (mpmath.sqrt(t) - 1) ** 2 / 2,
        "js": lambda t: (t * mpmath.log(t) - (1 + t) * mpmath.log((1 + t) / 2)) / 2,
    }[name]
    found, allowed = divergence.f(values)
    for t, value, error in zip(values.tolist(), found.tolist(), allowed.tolist(), strict=True):
        assert abs(exact(mpmath.mpf(t)) - value) <= error
    conjugates = {
        "kl": mpmath.expm1,
        "reverse_kl": lambda s: -mpmath.log(1 - s),
        "chi2": lambda s: max(1 + s / 2, mpmath.mpf(0)) ** 2 - 1,
        "reverse_chi2": lambda s: 2 - 2 * mpmath.sqrt(1 - s),
        "hellinger": lambda s: s / (1 - 2 * s),
        "js": lambda s: -mpmath.log(2 - mpmath.exp(2 * s)) / 2,
    }[name]
    end = min(divergence.steepest, 20.0)
    s = np.concatenate([-np.logspace(-12, 2, 60), [0.0], end - np.logspace(-12, 0, 60) * end])
    bounds = divergence.conjugate(s)
    for place, bound in zip(s.tolist(), bounds.tolist(), strict=True):
        value = conjugates(mpmath.mpf(place))
        assert value <= bound <= value + 1e-10 * (1 + abs(value)) / min(1.0, max(divergence.steepest - place, 1e-12))


def with_channel(problem, channel):
    """Return a certificate of a channel and nothing else."""
    zeros = np.zeros(problem.n_x), np.zeros(len(problem.losses))
    everyone = np.arange(problem.n_letters)
    return rdc.Certificate("rate", *zeros, everyone, channel, 0.0, math.nan, problem.fingerprint())


@pytest.mark.parametrize("arithmetic", ["float", "ball"])
def test_mass_that_is_too_small_for_a_float_is_mass(arithmetic):
    """KL is infinite where the target has nothing and the law has anything."""
    if arithmetic == "ball":
        pytest.importorskip("flint")
    source = rdc.Source([0.0, 1.0], [1.0, 1e-20])
    problem = rdc.Problem(
        source, reproduction=[0.0, 1.0, 2.0], limits=[rdc.DistortionLimit(9.0), rdc.PerceptionLimit(10.0, "kl")]
    )
    for entry, is_met in ((0.0, True), (1e-310, False)):
        channel = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, entry]])
        assert math.isfinite(with_channel(problem, channel).verify(problem, arithmetic).upper) == is_met


@pytest.mark.parametrize("measure", ["tv", "w1"])
def test_a_law_that_cannot_be_exact_is_not_made_so(measure):
    """No mass moved makes the law exact where a symbol has no reproduction, however little its mass."""
    pytest.importorskip("flint")
    source = rdc.Source([0.0, 1.0, 2.0], [0.5, 0.5 - 1e-13, 1e-13])
    limits = [rdc.DistortionLimit(9.0), rdc.PerceptionLimit(0.0, measure)]
    for places, is_met in (([0.0, 1.0, 2.0], True), ([0.0, 1.0, 3.0], False)):
        problem = rdc.Problem(source, reproduction=places, limits=limits)
        found = with_channel(problem, np.array([[1.0, 0, 0], [0, 1.0, 0], [0, 1.0, 0]])).verify(problem, "ball")
        assert math.isfinite(found.upper) == is_met


def test_a_wrong_plan_is_refuted(answers):
    problem, result = answers["w2"]
    law = result.certificate.laws[0]
    halved = replace(law, masses=law.masses * 0.5)
    found = replace(result.certificate, laws=(halved,)).verify(problem)
    assert not found.valid
    assert math.isinf(found.upper)
    assert found.perceptions["perception"] > 1
    without = replace(law, rows=law.rows[:0], columns=law.columns[:0], masses=law.masses[:0])
    found = replace(result.certificate, laws=(without,)).verify(problem)
    coupling = result.losses["distortion"]  # the squared error of symbol and reproduction is a plan's cost
    assert found.perceptions["perception"] == pytest.approx(coupling)


def test_a_law_beyond_its_limit_is_refuted(answers):
    problem, result = answers["tv"]
    found = result.certificate.verify(problem.with_limits(P=0.009))
    assert not found.valid
    assert "perception" in found.messages[0]
    assert found.excess["perception"] == pytest.approx(0.001, rel=1e-6)


def test_one_certificate_bounds_the_whole_surface(answers):
    for measure in ("w2", "kl", "tv", "mmd"):
        problem, result = answers[measure]
        for D, P in ((0.3, 0.01), (0.5, 0.001), (0.8, 0.05)):
            other = problem.with_limits(D=D, P=P)
            lower = result.certificate.verify(other).lower
            assert 0 < lower <= rdc.solve(other, tolerance=1e-7).rate_upper


def test_an_infinite_multiplier_is_about_exact_laws_only(answers):
    _, result = answers["exact"]
    near = five(0.0, "tv")
    at_zero = rdc.solve(near)
    found = at_zero.certificate.verify(near.with_limits(P=0.1))
    assert found.lower == 0
    assert "infinite" in "".join(found.messages)
    assert result.certificate.laws[0].multiplier == math.inf


def test_multipliers_without_limits_prove_nothing(answers):
    problem, result = answers["kl"]
    found = result.certificate.verify(problem.with_limits(P=None))
    assert found.lower == 0
    assert "no limit" in "".join(found.messages)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prices": np.zeros(3)}, "3"),
        ({"prices": np.array([0.0, 0, 0, 0, -1])}, "between 0 and"),
        ({"prices": np.array([0.0, 0, 0, 0, math.nan])}, "between 0 and"),
        ({"multiplier": -1.0}, "below zero"),
        ({"multiplier": math.nan}, "below zero"),
        ({"level": math.inf}, "level"),
        ({"masses": np.ones(2)}, "differ in length"),
        ({"rows": np.array([9]), "columns": np.array([0]), "masses": np.ones(1)}, "not there"),
        ({"rows": np.array([0]), "columns": np.array([0]), "masses": -np.ones(1)}, "negative"),
        ({"witness": np.ones(1)}, "witness"),
    ],
)
def test_numbers_that_are_none(answers, changes, message):
    problem, result = answers["w2"]
    law = replace(result.certificate.laws[0], **changes)
    with pytest.raises(rdc.InvalidInput, match=message):
        replace(result.certificate, laws=(law,)).verify(problem)


def test_packing(answers):
    laws = answers["w2"][1].certificate.laws
    again = unpacked(packed(laws))
    assert np.array_equal(again[0].masses, laws[0].masses)
    assert again[0].multiplier == laws[0].multiplier
    for broken in ({"0_prices": np.ones(2)}, {"1_prices": np.ones(2), "1_scalars": np.ones(2)}, {"x": np.ones(2)}):
        with pytest.raises(rdc.InvalidInput):
            unpacked(broken)
    with pytest.raises(rdc.InvalidInput):
        unpacked({"0_prices": np.ones((2, 2)), "0_scalars": np.ones(2)})
