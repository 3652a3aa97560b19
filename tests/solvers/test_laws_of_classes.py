"""Limits on the law of the reproduction given a label's class: closed forms, a conic solver, what follows from what."""

import math

import numpy as np
import pytest
from certified import solved
from hypothesis import example, given, reject
from hypothesis import strategies as st
from scipy.optimize import brentq

import rdcsolve as rdc
from rdcsolve.information import binary_entropy
from rdcsolve.perception import DIVERGENCES, distance
from rdcsolve.results import Proof, Status

SEEDS = st.integers(0, 2**32 - 1)
MEASURES = ["w2", "w1", "tv", *DIVERGENCES, "mmd"]
X = np.arange(-4.0, 5.0)


def two_bells():
    """Return a source of two classes: bells around -1.2 and 1.5, the second one narrower."""
    bells = np.exp(-np.array([(X + 1.2) ** 2 / 2, (X - 1.5) ** 2 / (2 * 0.64)]))
    joint = (np.array([[0.6], [0.4]]) * bells / bells.sum(axis=1, keepdims=True)).T
    return rdc.Source(X, joint.sum(axis=1), labels=[joint / joint.sum(axis=1, keepdims=True)], normalise=True)


def limit_on(P, measure, **more):
    return rdc.PerceptionLimit(P, measure, kernel=1.0 if measure == "mmd" else None, **more)


def random_case(seed, classes=None, hard=None):
    """Return a source with a label, a limit on the loss beside it, and a bound on distances."""
    rng = np.random.default_rng(seed)
    n, count = int(rng.integers(2, 7)), int(rng.integers(2, 4)) if classes is None else classes
    is_hard = rng.random() < 0.3 if hard is None else hard
    label = np.eye(count)[rng.integers(0, count, n)] if is_hard else rng.dirichlet(np.full(count, 0.7), n)
    x = rng.normal(size=(n, 1))
    source = rdc.Source(x, rng.dirichlet(np.full(n, 2.0)), labels=[label])
    d = np.subtract.outer(x.ravel(), x.ravel()) ** 2
    return (
        source,
        rdc.DistortionLimit(float((source.p_x @ d).min()) * rng.uniform(0.05, 0.9)),
        10 ** rng.uniform(-2.5, -0.4),
    )


# By a conic solver, once, and by a bound that was evaluated beside it.
@pytest.mark.parametrize(("D", "P", "rate"), [(1, 0.05, 0.52387820), (2, 0.05, 0.48577095), (2, 0.2, 0.18032727)])
def test_two_bells_within_total_variation(D, P, rate):
    problem = rdc.Problem(two_bells(), limits=[rdc.DistortionLimit(D), rdc.PerceptionLimit(P, "tv", given=0)])
    result = solved(problem, gap=1e-8)
    assert result.rate_lower - 6e-9 <= rate <= result.rate_upper + 6e-9
    assert problem.perception_names == ("perception_0", "perception_1")
    if pytest.importorskip("flint"):
        assert result.verify(problem, "ball").valid


RIGHT = {
    "tv": lambda P: 1 - P,
    "reverse_kl": lambda P: math.exp(-P),
    "reverse_chi2": lambda P: 1 / (1 + P),
    "hellinger": lambda P: (1 - P) ** 2,
    "js": lambda P: brentq(
        lambda w: w * math.log(w) + (1 + w) * math.log(2 / (1 + w)) + (1 - w) * math.log(2) - 2 * P, 1e-9, 1
    ),
    "kl": lambda P: 1.0,
    "chi2": lambda P: 1.0,
}
"""The least mass of the right symbol where every symbol is a class of its own: q = (w, ...) beside (1, 0, ...)."""


@given(st.integers(2, 5), st.floats(0.003, 0.15), st.sampled_from(sorted(RIGHT)))
def test_every_symbol_is_a_class(n, P, measure):
    """Then a limit on the law of a class is one on the chance of an error given the symbol, and Fano's bound is met."""
    source = rdc.Source(np.arange(n), np.full(n, 1 / n), labels=[np.eye(n)])
    limits = [rdc.PerceptionLimit(P, measure, given=0)]
    problem = rdc.Problem(source, distortion="hamming", limits=limits)
    error = 1 - RIGHT[measure](P)
    rate = math.log(n) - binary_entropy(error) - error * math.log(n - 1)
    result = solved(problem, gap=1e-8)
    assert result.rate_lower - 1e-9 <= rate <= result.rate_upper + 1e-9


@given(SEEDS, st.sampled_from(MEASURES))
@example(53, "w2")  # prices of places that a class never shows are hardly any: they may not stand in for its others
def test_answers_are_certified_in_both_arithmetics(seed, measure):
    source, loss, P = random_case(seed)
    problem = rdc.Problem(source, limits=[loss, limit_on(P, measure, given=0)])
    result = rdc.solve(problem, tolerance=1e-8)
    assert result.status in (Status.OPTIMAL, Status.INFEASIBLE)
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid
    if pytest.importorskip("flint"):
        assert result.verify(problem, "ball").valid
    if result.status is Status.OPTIMAL:
        joint = np.asarray(result.channel) * source.p_x[:, None]
        for perception in problem.perceptions:  # of classes that have mass
            law = perception.members @ joint
            assert distance(perception, perception.law(result.letters, law / law.sum())) <= P + 1e-12


@given(SEEDS, st.sampled_from(MEASURES))
def test_one_class_is_all_symbols(seed, measure):
    source, loss, P = random_case(seed, classes=1)
    plain, given_label = (
        rdc.solve(rdc.Problem(source, limits=[loss, limit_on(P, measure, **more)]), tolerance=1e-9)
        for more in ({}, {"given": 0})
    )
    assert plain.rate_upper == pytest.approx(given_label.rate_upper, abs=2e-9)


@given(SEEDS, st.sampled_from(MEASURES))
def test_a_label_that_tells_nothing_changes_nothing(seed, measure):
    source, loss, P = random_case(seed)
    blind = rdc.Source(source.points, source.p_x, labels=[np.tile([0.3, 0.5, 0.2], (source.n_x, 1))])
    plain, given_label = (
        rdc.solve(rdc.Problem(blind, limits=[loss, limit_on(P, measure, **more)]), tolerance=1e-8)
        for more in ({}, {"given": 0})
    )
    assert plain.rate_lower <= given_label.rate_upper
    assert given_label.rate_lower <= plain.rate_upper


@given(SEEDS, st.sampled_from(MEASURES))
def test_laws_of_classes_near_theirs_make_the_law_near_its_own(seed, measure):
    """Distances are convex in both laws together, so that the mean of the classes' is no less than the whole's."""
    source, loss, P = random_case(seed)
    whole = rdc.solve(rdc.Problem(source, limits=[loss, limit_on(P, measure)]))
    parts = rdc.solve(rdc.Problem(source, limits=[loss, limit_on(P, measure, given=0)]))
    if parts.status is not Status.INFEASIBLE:
        assert whole.rate_lower <= parts.rate_upper


@given(SEEDS, st.sampled_from(MEASURES))
def test_the_least_rate_falls_and_is_convex(seed, measure):
    source, loss, P = random_case(seed)
    problem = rdc.Problem(source, limits=[loss, limit_on(P, measure, given=0)])
    tight, loose, middle = (rdc.solve(problem.with_limits(P=P * share)) for share in (1.0, 3.0, 2.0))
    if tight.status is Status.OPTIMAL:
        assert loose.rate_lower <= tight.rate_upper
        assert middle.rate_lower <= 0.5 * (tight.rate_upper + loose.rate_upper) + 1e-12


def by_cone(problem):
    """Return the least rate by a conic solver, over channels and plans; nothing of the library's own is used."""
    cvxpy = pytest.importorskip("cvxpy")
    p, d, label = problem.p_x, problem.losses[0].matrix, problem.source.labels[0]
    joint = cvxpy.Variable(d.shape, nonneg=True)
    rate = cvxpy.sum(cvxpy.rel_entr(joint, np.outer(p, np.ones(d.shape[1])) @ cvxpy.diag(cvxpy.sum(joint, axis=0))))
    limits = [cvxpy.sum(joint, axis=1) == p, cvxpy.sum(cvxpy.multiply(joint, d)) <= problem.bounds[0]]
    for s in range(label.shape[1]):
        mass = float(p @ label[:, s])
        law, t = label[:, s] @ joint / mass, p * label[:, s] / mass
        measure, bound = problem.perceptions[s].measure, float(problem.perception_bounds[s])
        if measure in ("w2", "w1"):
            plan = cvxpy.Variable(d.shape, nonneg=True)
            limits += [cvxpy.sum(plan, axis=1) == t, cvxpy.sum(plan, axis=0) == law]
            limits.append(cvxpy.sum(cvxpy.multiply(plan, d if measure == "w2" else np.sqrt(d))) <= bound)
            continue
        distances = {
            "tv": lambda t=t, q=law: 0.5 * cvxpy.norm1(q - t),
            "kl": lambda t=t, q=law: cvxpy.sum(cvxpy.rel_entr(q, t)),
            "reverse_kl": lambda t=t, q=law: cvxpy.sum(cvxpy.rel_entr(t, q)),
            "chi2": lambda t=t, q=law: cvxpy.sum(cvxpy.multiply(1 / t, cvxpy.square(q - t))),
            "hellinger": lambda t=t, q=law: 1 - cvxpy.sum(cvxpy.multiply(np.sqrt(t), cvxpy.sqrt(q))),
        }
        limits.append(distances[measure]() <= bound)
    asked = cvxpy.Problem(cvxpy.Minimize(rate), limits)
    asked.solve(solver="CLARABEL")
    return asked.value


@pytest.mark.parametrize("measure", ["w2", "w1", "tv", "kl", "reverse_kl", "chi2", "hellinger"])
def test_a_conic_solver_agrees(measure):
    rng = np.random.default_rng(len(measure))
    x = np.sort(rng.normal(size=5))
    source = rdc.Source(x, rng.dirichlet(np.full(5, 3.0)), labels=[rng.dirichlet(np.full(2, 2.0), 5)])
    limits = [rdc.DistortionLimit(0.4 * float(np.var(x))), rdc.PerceptionLimit([0.01, 0.03], measure, given=0)]
    problem = rdc.Problem(source, limits=limits)
    result = solved(problem, gap=1e-7)
    assert max(result.multipliers["perception_0"], result.multipliers["perception_1"]) > 1e-3
    assert by_cone(problem) == pytest.approx(result.rate_upper, abs=3e-6)


def test_beside_a_law_that_is_given_exactly():
    """Mass that is moved to make the whole law exact may all be of one class."""
    source = two_bells()
    limits = [rdc.DistortionLimit(1.5), rdc.PerceptionLimit(0.0, "exact", name="whole")]
    problem = rdc.Problem(source, limits=[*limits, rdc.PerceptionLimit(0.05, "tv", given=0)])
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.verify(problem).valid
    if pytest.importorskip("flint"):
        assert result.verify(problem, "ball").valid


EXACT = ["w2", "tv", "hellinger", "exact"]


@given(SEEDS, st.sampled_from(EXACT), st.booleans())
def test_exact_laws_of_classes_are_certified_in_both_arithmetics(seed, measure, hard):
    """All classes that share no symbol, or one of any kind."""
    source, loss, _ = random_case(seed, hard=hard)
    count = source.labels[0].shape[1]
    bounds = [0.0] * count if hard else [0.0] + [math.inf] * (count - 1)
    problem = rdc.Problem(source, limits=[loss, rdc.PerceptionLimit(bounds, measure, given=0)])
    result = rdc.solve(problem, tolerance=1e-8)
    assert result.gap <= 1e-6
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid
    if pytest.importorskip("flint"):
        assert result.verify(problem, "ball").valid
    joint = np.asarray(result.channel) * source.p_x[:, None]
    for perception, bound in zip(problem.perceptions, problem.perception_bounds, strict=True):
        law = perception.law(result.letters, perception.members @ joint)
        wanted = source.p_x * perception.members
        if bound == 0:
            assert np.abs(law - wanted).sum() <= 1e-13


@given(SEEDS)
def test_classes_that_are_kept_are_problems_of_their_own(seed):
    """Beside the name of the class, what is sent is the mean of what each class needs, at one slope."""
    source, _, _ = random_case(seed, hard=True)
    limits = [rdc.DistortionLimit(math.inf), rdc.PerceptionLimit(0.0, "exact", given=0)]
    problem = rdc.Problem(source, limits=limits)
    label, d, slope = source.labels[0], problem.losses[0].matrix, 1.5 / max(float(np.var(source.points)), 1e-9)
    level, rate = 0.0, 0.0
    for members in label.T:
        own = members > 0
        if not own.any():
            continue
        p, mass = source.p_x[own] / source.p_x[own].sum(), source.p_x[own].sum()
        v = np.ones(p.size)  # Sinkhorn's scaling of the kernel to both margins is the least Lagrangian's channel
        kernel = np.exp(-slope * d[np.ix_(own, own)])
        for _ in range(20000):
            before, v = v, p / (kernel.T @ (p / (kernel @ v)))
            if np.abs(np.log(v / before)).max() < 1e-13:
                break
        else:
            reject()
        joint = (p / (kernel @ v))[:, None] * kernel * v
        level += mass * float((joint * d[np.ix_(own, own)]).sum())
        rate += mass * float((joint * np.log(joint / np.outer(p, p))).sum()) - mass * math.log(mass)
    result = rdc.solve(problem.with_limits(distortion=level), tolerance=1e-9)
    assert result.rate_lower - 1e-7 <= rate <= result.rate_upper + 1e-7


def test_an_exact_law_is_where_limits_on_it_lead():
    source = two_bells()
    problem = rdc.Problem(source, limits=[rdc.DistortionLimit(2.0), rdc.PerceptionLimit([0.0, 0.1], "tv", given=0)])
    exact = solved(problem, gap=1e-8)
    rates = [rdc.solve(problem.with_limits(perception_0=P)).rate_upper for P in (1e-3, 1e-5, 1e-7)]
    assert rates == sorted(rates)
    assert rates[-1] == pytest.approx(exact.rate_upper, abs=1e-5)
    assert rates[-1] <= exact.rate_upper + 1e-8


@pytest.mark.parametrize("more", [[], [rdc.PerceptionLimit(0.0, "exact", name="whole")]])
def test_exact_laws_that_share_symbols_are_refused(more):
    """Beside the whole law it is one class that is exact, which is as much."""
    bounds = [0.0, math.inf] if more else 0.0
    limits = [rdc.DistortionLimit(2.0), rdc.PerceptionLimit(bounds, "tv", given=0), *more]
    with pytest.raises(rdc.errors.InvalidInput, match="symbol 0 counts in both; give one of them a small positive"):
        rdc.solve(rdc.Problem(two_bells(), limits=limits))


def test_classes_that_nobody_can_show_are_refuted():
    source = rdc.Source([0.0, 1.0], [0.5, 0.5], labels=[np.eye(2)])
    limits = [rdc.DistortionLimit(10.0), rdc.PerceptionLimit(0.2, "w2", given=0)]
    problem = rdc.Problem(source, reproduction=[0.5], limits=limits)
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.proof is Proof.CERTIFIED
    assert rdc.solve(problem.with_limits(P=0.26)).status is Status.OPTIMAL


@pytest.mark.parametrize("measure", ["tv", "kl", "w2"])
def test_refuted_together(measure):
    """Far from its own symbols no class looks like itself: the distortion allowed is that of the wrong one."""
    swapped = np.array([[1.0, 0.0], [0.0, 1.0]])
    source = rdc.Source([0.0, 1.0], [0.5, 0.5], labels=[[[0.9, 0.1], [0.1, 0.9]]])
    limits = [rdc.DistortionLimit(0.05), rdc.PerceptionLimit(0.01, measure, given=0)]
    result = rdc.solve(rdc.Problem(source, distortion=swapped, reproduction=[0.0, 1.0], limits=limits))
    assert result.status is Status.INFEASIBLE
    assert result.proof is Proof.CERTIFIED


def test_with_the_labels_entropy_limited_too():
    source = two_bells()
    limits = [rdc.DistortionLimit(1.0), rdc.LabelEntropyLimit(0.35), rdc.PerceptionLimit(0.05, "tv", given=0)]
    problem = rdc.Problem(source, limits=limits)
    result = solved(problem, gap=1e-6)
    assert result.rate_lower >= 0.52387819
    assert result.label_entropy <= 0.35
    one = rdc.solve(problem.with_limits(C=None))
    assert one.rate_lower <= result.rate_upper


def test_what_is_minimised_may_be_the_law_of_a_class():
    source = two_bells()
    stated = rdc.Problem(source, limits=[rdc.DistortionLimit(2.0), rdc.PerceptionLimit(0.2, "tv", given=0)])
    rate = rdc.solve(stated).rate_upper
    result = rdc.solve(stated.minimising("perception_0", rate=rate))
    assert result.objective_lower <= 0.2 <= result.objective_upper + 1e-6
    assert result.verify(stated.minimising("perception_0", rate=rate)).valid


def test_restored_from_what_is_seen():
    """Observations belong to classes as the symbols behind them do."""
    source = two_bells()
    seen = np.exp(-(np.subtract.outer(X, X) ** 2) / 2)
    seen /= seen.sum(axis=1, keepdims=True)
    problem = rdc.Problem(source, limits=[rdc.PerceptionLimit(0.3, "tv", given=0)])
    restored = rdc.restoration(problem, seen)
    result = rdc.solve(restored)
    assert result.status is Status.OPTIMAL
    whole = np.zeros((X.size, X.size))
    whole[:, result.letters] = seen @ np.asarray(result.channel)
    for s, perception in enumerate(problem.perceptions):
        law = (source.p_x * source.labels[0][:, s]) @ whole
        assert distance(perception, law / law.sum()) <= 0.3 + 1e-9
    assert result.objective_lower >= rdc.solve(rdc.restoration(problem.with_limits(P=None), seen)).objective_lower
