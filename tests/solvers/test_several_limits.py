"""Several limits on the law of the reproduction at once: f-divergences beside others, other targets, shared places."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.perception import DIVERGENCES
from rdcsolve.results import Proof, Status

SEEDS = st.integers(0, 2**32 - 1)
MEASURES = ["w2", "w1", "tv", *DIVERGENCES]


def random_limits(seed, count, targets=True):
    """Return limits on laws, some with targets of their own, and the source and limit on the loss beside them."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 7))
    source = rdc.Source(rng.normal(size=(n, 1)), rng.dirichlet(np.full(n, 2.0)))
    d = np.subtract.outer(source.points.ravel(), source.points.ravel()) ** 2
    loss = rdc.DistortionLimit(float((source.p_x @ d).min()) * rng.uniform(0.05, 0.9))
    measures = [str(rng.choice([*DIVERGENCES])), *map(str, rng.choice(MEASURES, count - 1))]
    laws = []
    for k, measure in enumerate(measures):
        own = 0.8 * source.p_x + 0.2 * rng.dirichlet(np.ones(n)) if k and targets and rng.random() < 0.4 else None
        laws.append(rdc.PerceptionLimit(10 ** rng.uniform(-2.5, -0.3), measure, target=own, name=f"law_{k}"))
    return source, loss, laws


@given(SEEDS, st.integers(2, 3))
def test_answers_are_certified_in_both_arithmetics(seed, count):
    source, loss, laws = random_limits(seed, count)
    problem = rdc.Problem(source, limits=[loss, *laws])
    result = rdc.solve(problem, tolerance=1e-8)
    assert result.status in (Status.OPTIMAL, Status.INFEASIBLE)
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid
    if pytest.importorskip("flint"):
        assert result.verify(problem, "ball").valid


@given(SEEDS)
def test_one_limit_more_lowers_nothing(seed):
    source, loss, laws = random_limits(seed, 2, targets=False)
    both = rdc.solve(rdc.Problem(source, limits=[loss, *laws]), tolerance=1e-8)
    for law in laws:
        alone = rdc.solve(rdc.Problem(source, limits=[loss, law]), tolerance=1e-8)
        assert alone.rate_lower <= both.rate_upper


@given(SEEDS)
@example(33153233)  # idle limits make the system singular before the tolerance is reached: they are lifted
@example(170)  # the same, with very small steps
def test_a_limit_that_follows_from_another_costs_nothing(seed):
    """1 - sum sqrt(pq) <= KL / 2, and TV^2 <= KL / 2: so limits there are idle beside one on KL."""
    source, loss, (law, _) = random_limits(seed, 2, targets=False)
    P = float(law.bound)
    own = [rdc.PerceptionLimit(P, "kl"), rdc.PerceptionLimit(0.5 * P, "hellinger", name="second")]
    own += [rdc.PerceptionLimit(math.sqrt(0.5 * P), "tv", name="third")]
    alone = rdc.solve(rdc.Problem(source, limits=[loss, own[0]]), tolerance=1e-9)
    whole = rdc.solve(rdc.Problem(source, limits=[loss, *own]), tolerance=1e-9)
    assert whole.status is Status.OPTIMAL
    assert alone.rate_upper == pytest.approx(whole.rate_upper, abs=2e-9)


@given(SEEDS)
def test_the_least_rate_is_convex_in_all_limits_together(seed):
    source, loss, laws = random_limits(seed, 2, targets=False)
    problem = rdc.Problem(source, limits=[loss, *laws])
    limits = {"distortion": float(loss.bound), **{law.name: float(law.bound) for law in laws}}
    tight = {name: bound * share for (name, bound), share in zip(limits.items(), (0.5, 0.2, 0.4), strict=True)}
    middle = {name: 0.5 * (bound + tight[name]) for name, bound in limits.items()}
    ends = [rdc.solve(problem.with_limits(**one), tolerance=1e-8) for one in (limits, tight)]
    between = rdc.solve(problem.with_limits(**middle), tolerance=1e-8)
    assert between.rate_lower <= 0.5 * sum(end.rate_upper for end in ends) + 1e-12


@given(SEEDS, st.sampled_from([*DIVERGENCES]))
def test_given_multipliers(seed, measure):
    source, loss, laws = random_limits(seed, 2, targets=False)
    laws = [rdc.PerceptionLimit(laws[0].bound, measure, name="law_0"), laws[1]]
    problem = rdc.Problem(source, limits=[loss, *laws])
    limited = rdc.solve(problem, tolerance=1e-9)
    stated = problem.at_multipliers(**limited.multipliers)
    result = rdc.solve(stated, tolerance=1e-8)
    assert result.verify(stated).valid
    bounds = {"distortion": loss.bound} | {law.name: law.bound for law in laws}
    spent = sum(limited.multipliers[name] * bound for name, bound in bounds.items())
    assert result.objective_lower <= limited.rate_upper + spent + 1e-9
    assert result.objective_upper >= limited.rate_lower + spent - 1e-9 * (1 + spent)


@given(SEEDS, st.sampled_from([*DIVERGENCES]))
def test_a_divergence_beside_a_law_that_is_given(seed, measure):
    """The law is the other limit's target, which is within the divergence's limit or is not."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    source = rdc.Source(rng.normal(size=(n, 1)), rng.dirichlet(np.full(n, 3.0)))
    other = 0.7 * source.p_x + 0.3 * rng.dirichlet(np.ones(n))
    apart = DIVERGENCES[measure].between(source.p_x, other)
    loss = rdc.DistortionLimit(float(np.ptp(source.points)) ** 2)
    given_law = rdc.PerceptionLimit(0.0, "exact", target=other, name="given")
    for bound, is_met in ((1.1 * apart + 1e-6, True), (0.9 * apart, False)):
        problem = rdc.Problem(source, limits=[loss, given_law, rdc.PerceptionLimit(bound, measure)])
        result = rdc.solve(problem)
        assert result.status is (Status.OPTIMAL if is_met else Status.INFEASIBLE)
        if is_met:
            assert result.output_law == pytest.approx(other, abs=1e-12)
            if pytest.importorskip("flint"):
                assert result.verify(problem, "ball").valid


def test_a_law_moved_to_its_target_has_the_targets_divergence():
    """The check reads limits at zero by moving mass; a divergence that is infinite there is not met."""
    pytest.importorskip("flint")
    source = rdc.Source([0.0, 1.0, 2.0], [0.5, 0.5 - 1e-13, 1e-13])
    wanted = rdc.PerceptionLimit(0.0, "tv", name="given", target=[0.5, 0.5, 0.0])
    nobody = np.zeros(3), np.zeros(1), np.arange(3)
    for measure, is_met in (("hellinger", True), ("reverse_kl", False)):
        limits = [rdc.DistortionLimit(9.0), wanted, rdc.PerceptionLimit(0.1, measure)]
        problem = rdc.Problem(source, limits=limits)
        certificate = rdc.Certificate("rate", *nobody, np.eye(3), 0.0, math.nan, problem.fingerprint())
        found = certificate.verify(problem, "ball")
        assert math.isfinite(found.upper) == is_met


@given(SEEDS, st.sampled_from([*DIVERGENCES]))
def test_letters_that_share_a_place(seed, measure):
    """Two letters at each point, the second with the loss of the first and more: it is of no use."""
    source, loss, (law, _) = random_limits(seed, 2, targets=False)
    x = source.points
    d = np.subtract.outer(x.ravel(), x.ravel()) ** 2
    rng = np.random.default_rng(seed)
    worse = np.hstack([d, d + rng.random(d.shape)])
    limits = [loss, rdc.PerceptionLimit(law.bound, measure)]
    plain = rdc.solve(rdc.Problem(source, distortion=d, reproduction=x, limits=limits), tolerance=1e-8)
    problem = rdc.Problem(source, distortion=worse, reproduction=np.vstack([x, x]), limits=limits)
    result = rdc.solve(problem, tolerance=1e-8)
    assert result.status is Status.OPTIMAL
    assert result.rate_upper == pytest.approx(plain.rate_upper, abs=2e-8)
    assert result.verify(problem).valid


def by_cone(problem):
    """Return the least rate by a conic solver, over channels and plans; nothing of the library's own is used."""
    cvxpy = pytest.importorskip("cvxpy")
    p, d = problem.p_x, problem.losses[0].matrix
    joint = cvxpy.Variable(d.shape, nonneg=True)
    q = cvxpy.sum(joint, axis=0)
    rate = cvxpy.sum(cvxpy.rel_entr(joint, np.outer(p, np.ones(d.shape[1])) @ cvxpy.diag(q)))
    limits = [cvxpy.sum(joint, axis=1) == p, cvxpy.sum(cvxpy.multiply(joint, d)) <= problem.bounds[0]]
    for perception, bound in zip(problem.perceptions, problem.perception_bounds.tolist(), strict=True):
        t = perception.target
        law = np.eye(perception.n_places)[perception.place].T @ q
        if perception.cost is not None:
            plan = cvxpy.Variable(perception.cost.shape, nonneg=True)
            limits += [cvxpy.sum(plan, axis=1) == t, cvxpy.sum(plan, axis=0) == law]
            limits.append(cvxpy.sum(cvxpy.multiply(plan, perception.cost)) <= bound)
            continue
        distances = {
            "tv": lambda t=t, q=law: 0.5 * cvxpy.norm1(q - t),
            "kl": lambda t=t, q=law: cvxpy.sum(cvxpy.rel_entr(q, t)),
            "reverse_kl": lambda t=t, q=law: cvxpy.sum(cvxpy.rel_entr(t, q)),
            "chi2": lambda t=t, q=law: cvxpy.sum(cvxpy.multiply(1 / t, cvxpy.square(q - t))),
            "hellinger": lambda t=t, q=law: 1 - cvxpy.sum(cvxpy.multiply(np.sqrt(t), cvxpy.sqrt(q))),
        }
        limits.append(distances[perception.measure]() <= bound)
    asked = cvxpy.Problem(cvxpy.Minimize(rate), limits)
    asked.solve(solver="CLARABEL")
    return asked.value


@pytest.mark.parametrize(
    ("first", "second"), [("kl", "w2"), ("reverse_kl", "chi2"), ("hellinger", "tv"), ("kl", "hellinger")]
)
def test_a_conic_solver_agrees(first, second):
    x = np.array([-1.3, -0.4, 0.1, 0.9, 1.6])
    source = rdc.Source(x, [0.15, 0.3, 0.2, 0.25, 0.1])
    other = [0.25, 0.2, 0.2, 0.2, 0.15]
    limits = [rdc.DistortionLimit(0.4), rdc.PerceptionLimit(0.01, first)]
    P = {"w2": 0.07, "chi2": 0.06, "tv": 0.12, "hellinger": 0.007}[second]
    limits.append(rdc.PerceptionLimit(P, second, target=other, name="second"))
    problem = rdc.Problem(source, limits=limits)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert min(result.multipliers["perception"], result.multipliers["second"]) > 1e-3
    assert by_cone(problem) == pytest.approx(result.rate_upper, abs=3e-6)


@pytest.mark.parametrize("measure", ["kl", "chi2", "reverse_kl"])
def test_a_conic_solver_agrees_where_letters_share_places(measure):
    rng = np.random.default_rng(3)
    x = np.array([[-1.0], [0.0], [1.5]])
    source = rdc.Source(x, [0.3, 0.5, 0.2])
    d = np.hstack([rng.random((3, 3)), rng.random((3, 3))])
    limits = [rdc.DistortionLimit(0.25), rdc.PerceptionLimit(0.01, measure)]
    problem = rdc.Problem(source, distortion=d, reproduction=np.vstack([x, x]), limits=limits)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.multipliers["perception"] > 1e-3
    assert by_cone(problem) == pytest.approx(result.rate_upper, abs=3e-6)
