"""Limits on label entropies with split letters: closed forms, corner cases, certificates."""

import math

import numpy as np
import pytest
from certified import check, solved
from hypothesis import given, settings

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.information import binary_entropy, conditional_entropy, entropy, inverse_binary_entropy
from rdcsolve.results import Proof, Status
from rdcsolve.testing import label_problems

FLIP = [[0.0, 1.0], [1.0, 0.0]]


def noisy(p1):
    return [[1 - p1, p1], [p1, 1 - p1]]


def mixture(n=41, n_y=9):
    x = np.linspace(-3, 3, n)
    near, far = np.exp(-((x - 1) ** 2) / 0.98), np.exp(-((x + 1) ** 2) / 0.98)
    label = np.stack([near, far], axis=1) / (near + far)[:, None]
    source = rdc.Source(x, near + far, labels=[label], normalise=True)
    return rdc.Problem(source, np.linspace(-2, 2, n_y), limits=[rdc.LabelEntropyLimit(math.inf)])


# ------------------------------------------------------------------------------------- closed forms


@pytest.mark.parametrize("seed", range(12))
def test_binary_closed_form(seed):
    rng = np.random.default_rng(seed)
    b, p1, D = rng.uniform([0.05, 0.01, 0.01], [0.5, 0.45, 0.5])
    C = rng.uniform(binary_entropy(p1), binary_entropy(b * (1 - p1) + (1 - b) * p1))
    result = solved(rdc.Problem.from_arrays([1 - b, b], FLIP, noisy(p1), D=D, C=C))
    expected = rdc.theory.binary.rate(D, C, b, p1)
    assert result.rate_lower - 1e-12 <= expected <= result.rate_upper + 1e-12
    assert result.losses["label_entropy"] <= C * (1 + 1e-12)


@pytest.mark.parametrize(
    ("b", "p1", "D", "C"),
    [(0.2213, 0.1991, 0.2495, 0.6326), (0.1125, 0.3197, 0.4123, 0.65307), (0.1451, 0.19, 0.2251, 0.5925)],
)
def test_near_rate_zero_a_value_below_the_bound_is_not_the_end(b, p1, D, C):
    """Far from the right multipliers the value of an iterate is below the best bound: that is no gap at all."""
    result = solved(rdc.Problem.from_arrays([1 - b, b], FLIP, noisy(p1), D=D, C=C))
    assert result.rate_upper == pytest.approx(rdc.theory.binary.rate(D, C, b, p1), abs=1e-8)


def test_an_erased_label_is_a_limit_on_the_rate():
    """S is X, or erased with probability e: H(S | A) = Hb(e) + (1 - e) H(X | A) for every channel."""
    p, e = np.array([0.5, 0.3, 0.2]), 0.25
    label = np.column_stack([(1 - e) * np.eye(3), np.full(3, e)])
    problem = rdc.Problem.from_arrays(p, 1 - np.eye(3), label, C=binary_entropy(e) + (1 - e) * 0.6)
    result = solved(problem)
    assert result.rate_upper == pytest.approx(entropy(p) - 0.6, abs=1e-9)


def test_the_label_is_the_symbol():
    p = np.array([0.5, 0.3, 0.2])
    for C in [0.0, 0.4, 0.9]:
        result = solved(rdc.Problem.from_arrays(p, 1 - np.eye(3), np.eye(3), C=C))
        assert result.rate_upper == pytest.approx(entropy(p) - C, abs=1e-9)


def test_a_label_that_is_a_function_of_the_symbol_falls_with_slope_one():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(8))
    label = np.eye(3)[[0, 0, 1, 1, 1, 2, 2, 2]]
    free = rdc.Problem.from_arrays(p, np.zeros((8, 1)), label, C=0.5)
    most = entropy(p @ label)
    for C in [0.0, 0.3, 0.7]:
        result = solved(free.with_limits(C=C))
        assert result.rate_upper == pytest.approx(most - C, abs=1e-9)


def test_a_label_that_does_not_depend_on_the_symbol():
    d = 1 - np.eye(3)
    problem = rdc.Problem.from_arrays(np.full(3, 1 / 3), d, np.tile([0.2, 0.8], (3, 1)), D=0.2, C=entropy([0.2, 0.8]))
    result = solved(problem)
    plain = rdc.solve(rdc.Problem.from_arrays(np.full(3, 1 / 3), d, D=0.2))
    testing.check_agreement([plain, result])
    tight = rdc.solve(problem.with_limits(C=0.49))
    assert tight.status is Status.INFEASIBLE
    assert tight.minimum["label_entropy"] == pytest.approx(entropy([0.2, 0.8]), rel=1e-12)


# ------------------------------------------------------------------------------------- limits at their ends


def test_the_least_label_entropy_can_be_asked_for():
    p1 = 0.1
    problem = rdc.Problem.from_arrays([0.6, 0.4], FLIP, noisy(p1), D=0.3, C=binary_entropy(p1))
    result = solved(problem)
    assert result.rate_upper == pytest.approx(entropy([0.6, 0.4]), abs=1e-9)
    below = rdc.solve(problem.with_limits(C=binary_entropy(p1) * (1 - 1e-9)))
    assert below.status is Status.INFEASIBLE
    assert below.minimum == {"label_entropy": pytest.approx(binary_entropy(p1), rel=1e-12)}


def test_no_rate_is_needed_where_the_marginal_is_enough():
    problem = rdc.Problem.from_arrays([0.6, 0.4], FLIP, noisy(0.1), D=0.4, C=0.7)
    result = solved(problem)
    assert result.rate_upper == 0.0
    assert result.steps == 0


def test_distortion_below_its_minimum():
    d = np.array(FLIP) + 0.5
    result = rdc.solve(rdc.Problem.from_arrays([0.6, 0.4], d, noisy(0.1), D=0.4, C=0.6))
    assert result.status is Status.INFEASIBLE
    assert result.minimum["distortion"] == pytest.approx(0.5)


def test_a_class_of_probability_zero_changes_nothing():
    label = np.array(noisy(0.1))
    base = rdc.Problem.from_arrays([0.6, 0.4], FLIP, label, D=0.2, C=0.45)
    padded = rdc.Problem.from_arrays([0.6, 0.4], FLIP, np.insert(label, 1, 0.0, axis=1), D=0.2, C=0.45)
    testing.check_agreement([solved(base), solved(padded)])


def test_the_same_label_twice_counts_once():
    label = noisy(0.1)
    once = solved(rdc.Problem.from_arrays([0.6, 0.4], FLIP, label, D=0.2, C=0.45))
    twice = solved(rdc.Problem.from_arrays([0.6, 0.4], FLIP, [label, label], D=0.2, C=[0.45, 0.6]))
    testing.check_agreement([once, twice])
    assert set(twice.losses) == {"distortion", "label_entropy", "label_entropy_1"}


# ------------------------------------------------------------------------------------- the three objectives


def test_rate_distortion_and_label_entropy_are_three_faces_of_one_function():
    problem = mixture().with_limits(D=0.5, C=0.35)
    least = solved(problem)
    R = least.rate_upper
    unlabelled = solved(problem.with_limits(C=None))
    assert min(least.multipliers.values()) > 1e-3, "a limit is not active: this test tests nothing"
    assert least.rate_lower > unlabelled.rate_upper
    entropy_at = solved(problem.with_limits(C=None).minimising("label_entropy", rate=R))
    assert entropy_at.objective_upper == pytest.approx(0.35, abs=1e-8)
    distortion_at = solved(problem.with_limits(D=None).minimising("distortion", rate=R))
    assert distortion_at.objective_upper == pytest.approx(0.5, abs=1e-8)
    fixed = solved(problem.at_multipliers(**least.multipliers))
    lagrangian = R + 0.5 * least.multipliers["distortion"] + 0.35 * least.multipliers["label_entropy"]
    assert fixed.objective_upper == pytest.approx(lagrangian, abs=1e-8)


def test_a_rate_limit_below_what_the_others_need():
    problem = mixture().with_limits(D=0.5, C=0.35)
    R = solved(problem).rate_upper
    result = rdc.solve(problem.with_limits(D=None).with_limits(C=0.2, rate=0.5 * R).minimising("distortion"))
    assert result.status is Status.INFEASIBLE
    assert result.minimum["rate"] > 0.5 * R
    budget = rdc.solve(problem.with_limits(rate=0.5 * R))
    assert budget.status is Status.INFEASIBLE


def test_letters_carry_their_posteriors():
    problem = mixture().with_limits(D=0.5, C=0.35)
    result = solved(problem)
    joint = (result.channel * problem.p_x[:, None]).T @ problem.source.labels[0]
    assert np.allclose(result.decisions[0], joint / joint.sum(axis=1, keepdims=True), atol=1e-12)
    found = conditional_entropy(problem.p_x, problem.source.labels[0], result.channel)
    assert result.label_entropy == pytest.approx(found, rel=1e-12)
    assert np.unique(result.letters).size < result.letters.size, "no symbol occurs twice: letters are not split"


def test_information_bottleneck():
    """No limit on the distortion: compare with a dense list of decisions."""
    rng = np.random.default_rng(3)
    p, label = rng.dirichlet(np.ones(12)), rng.dirichlet([0.4, 0.4], 12)
    problem = rdc.Problem.from_arrays(p, np.zeros((12, 1)), label, C=math.inf).at_multipliers(label_entropy=4.0)
    result = solved(problem)
    r = np.linspace(1e-6, 1 - 1e-6, 2001)
    dense = rdc.solve(problem.listed(np.zeros(r.size, dtype=int), [np.stack([r, 1 - r], axis=1)]))
    assert result.objective_lower <= dense.objective_upper
    assert result.objective_upper == pytest.approx(dense.objective_lower, abs=1e-5)


# ------------------------------------------------------------------------------------- what is proved


def test_many_noisy_classes_are_unverified_at_large_multipliers_without_time_for_a_proof():
    rng = np.random.default_rng(0)
    p, label = rng.dirichlet(np.ones(20)), rng.dirichlet(np.full(6, 0.3), 20)
    base = rdc.Problem.from_arrays(p, np.zeros((20, 1)), label, C=math.inf)
    result = rdc.solve(base.at_multipliers(label_entropy=3.0), tolerance=1e-7, proof_budget=0)
    assert result.proof is Proof.UNVERIFIED
    assert result.gap <= 1e-7
    verification = result.certificate.verify(base.at_multipliers(label_entropy=3.0))
    assert verification.valid
    assert verification.proved
    assert verification.lower == result.proved_lower < result.objective_lower, "what was only searched for is claimed"
    assert "proved: at least" in str(result)
    solved(base.at_multipliers(label_entropy=0.9))


@pytest.mark.parametrize("multiplier", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("n_s", [2, 3, 4])
def test_up_to_four_classes_are_certified_in_ball_arithmetic(n_s, multiplier):
    rng = np.random.default_rng(n_s)
    p, label = rng.dirichlet(np.ones(6)), rng.dirichlet(np.ones(n_s), 6)
    problem = rdc.Problem.from_arrays(p, rng.random((6, 3)), label, C=math.inf)
    problem = problem.at_multipliers(distortion=2.0, label_entropy=multiplier)
    result = solved(problem, gap=1e-8, tolerance=1e-8)
    ball = result.certificate.verify(problem, arithmetic="ball")
    assert ball.valid, ball
    assert ball.gap <= 2e-8


def test_three_noisy_binary_labels_are_certified():
    rng = np.random.default_rng(5)
    p, labels = rng.dirichlet(np.ones(5)), [rng.dirichlet(np.ones(2), 5) for _ in range(3)]
    problem = rdc.Problem.from_arrays(p, rng.random((5, 2)), labels, C=math.inf)
    names = {label.name: 1.5 for label in problem.label_entropies}
    solved(problem.at_multipliers(distortion=1.0, **names), gap=1e-7, tolerance=1e-7)


def test_another_source_refuses_the_certificate():
    problem = mixture().with_limits(D=0.5, C=0.35)
    result = solved(problem, tolerance=1e-7, gap=1e-7)
    other = mixture(n=41, n_y=8).with_limits(D=0.5, C=0.35)
    with pytest.raises(rdc.InvalidInput, match="fingerprint"):
        result.certificate.verify(other)


def test_a_saved_result_is_the_same(tmp_path):
    problem = mixture().with_limits(D=0.5, C=0.35)
    result = solved(problem, tolerance=1e-7, gap=1e-7)
    result.save(tmp_path / "point.npz")
    loaded = rdc.load(tmp_path / "point.npz")
    assert all(np.array_equal(left, right) for left, right in zip(loaded.decisions, result.decisions, strict=True))
    assert loaded.certificate.verify(problem).valid
    again = rdc.solve(problem.with_limits(C=0.39), tolerance=1e-7, start=loaded)
    assert again.status is Status.OPTIMAL


def test_limits_on_steps_and_callbacks_are_respected():
    problem = mixture().with_limits(D=0.5, C=0.35)
    one = rdc.solve(problem, max_steps=1)
    assert one.status is Status.STEP_LIMIT
    check(one, problem)
    seen = []
    stopped = rdc.solve(problem, callback=lambda record: seen.append(record) or len(seen) == 2)
    assert stopped.status is Status.STOPPED_BY_CALLBACK
    assert len(seen) == 2
    check(stopped, problem)


def test_conic_is_refused():
    with pytest.raises(rdc.InvalidInput, match="finite linear"):
        rdc.solve(mixture().with_limits(D=0.5, C=0.35), rdc.Conic())


# ------------------------------------------------------------------------------------- properties


@settings(max_examples=40, deadline=None)
@given(problem=label_problems())
def test_every_answer_holds(problem):
    result = rdc.solve(problem, tolerance=1e-7)
    testing.check_bounds(result, 1e-7)
    assert result.status is not Status.INFEASIBLE, str(result)
    if result.proof is Proof.NONE:
        return
    testing.check_feasibility(result, problem)
    testing.check_certificate(result, problem)
    assert result.proof is Proof.CERTIFIED
    ball = result.certificate.verify(problem, arithmetic="ball")
    assert ball.valid, ball


def test_monotone_and_convex_in_the_limits():
    problem = mixture(31, 7)
    grid = rdc.sweep(problem, D=[0.5, 0.8, 1.1], C=[0.3, 0.4, 0.5], tolerance=1e-8)
    assert (grid.status == "OPTIMAL").all()
    lower, upper = grid.rate_lower.values, grid.rate_upper.values
    assert (lower[1:] <= upper[:-1]).all()
    assert (lower[:, 1:] <= upper[:, :-1]).all()
    assert (lower[1] <= (upper[0] + upper[2]) / 2).all()
    assert (lower[:, 1] <= (upper[:, 0] + upper[:, 2]) / 2).all()
    assert lower[1, 1] <= (upper[0, 0] + upper[2, 2]) / 2


def test_no_less_than_either_limit_alone_needs():
    problem = mixture(31, 7).with_limits(D=0.6, C=0.4)
    both = solved(problem, tolerance=1e-8, gap=1e-8)
    for lifted in ({"D": None}, {"C": None}):
        assert solved(problem.with_limits(**lifted), tolerance=1e-8, gap=1e-8).rate_lower <= both.rate_upper


def test_data_processing():
    """A label made of the label is no harder to keep: S' = noise(S) has I(S'; A) <= I(S; A)."""
    problem = mixture(31, 7).with_limits(C=0.4)
    result = solved(problem, tolerance=1e-8, gap=1e-8)
    label = problem.source.labels[0]
    noise = np.array([[0.8, 0.2], [0.3, 0.7]])
    prior = problem.p_x @ label
    kept = entropy(prior) - conditional_entropy(problem.p_x, label, result.channel)
    passed = entropy(prior @ noise) - conditional_entropy(problem.p_x, label @ noise, result.channel)
    assert passed <= kept


def test_inverse_of_the_closed_form_is_used_with_care():
    """The closed form at C = H(S): the rate is zero to rounding."""
    b, p1 = 0.5, 0.2
    assert inverse_binary_entropy(math.log(2)) == pytest.approx(0.5)
    assert rdc.theory.binary.rate(0.5, math.log(2), b, p1) == pytest.approx(0.0, abs=1e-12)


# ------------------------------------------------------------------------------------- what is only searched for


def six_classes():
    """Six noisy classes: at multipliers above one the largest price is searched for, not proved."""
    rng = np.random.default_rng(0)
    p, label = rng.dirichlet(np.ones(12)), rng.dirichlet(np.full(6, 0.3), 12)
    return rdc.Problem.from_arrays(p, rng.random((12, 4)), label, C=math.inf)


def test_what_is_not_proved_makes_no_limit_infeasible():
    problem = six_classes().with_limits(C=1.15)
    least = rdc.solve(problem, tolerance=1e-6, proof_budget=0)
    assert least.proof is Proof.UNVERIFIED
    assert least.rate_upper > 1
    short = rdc.solve(problem.minimising("distortion", rate=0.9 * least.rate_upper), tolerance=1e-6, proof_budget=0)
    assert short.status is Status.STALLED
    assert short.proof is Proof.NONE
    # H(S) - C is 0.381 here, which is proved in any case, and some maps into four letters leave as little
    fixed = rdc.Problem.from_arrays(
        problem.p_x, problem.linear_losses[0].matrix, problem.source.labels, C=1.3, letters="fixed", rate=0.6
    )
    assert rdc.solve(fixed, rdc.Alternation(starts=2), tolerance=1e-6, proof_budget=0).status is not Status.INFEASIBLE


def test_a_rate_limit_that_is_not_met_is_not_called_optimal():
    problem = six_classes().with_limits(C=1.15)
    least = rdc.solve(problem, tolerance=1e-6, proof_budget=0)
    beyond = rdc.solve(problem.with_limits(rate=0.9 * least.rate_upper), tolerance=1e-6, proof_budget=0)
    assert beyond.status is Status.STALLED
    assert beyond.proof is Proof.NONE
    assert "none is excluded" in beyond.message
    assert math.isnan(beyond.rate_upper)


def test_letters_whose_channel_underflows_have_no_part_in_the_answer():
    # On the way one letter has mass 1e-266 and a channel of smaller entries still: its posterior would be 0/0.
    source = rdc.Source(
        [
            [0.5996376168940775, -0.3010303319869512],
            [0.3152191701177999, 2.724911419888135],
            [-1.8804369848620626, 0.6440819422580197],
            [0.1534277701694277, 0.13004962622485178],
        ],
        [0.045610235689645263, 0.32364943308990746, 0.06350654127782655, 0.5672337899426209],
        [
            [
                [0.06874953850211925, 0.9312504614978807],
                [0.9590582471018964, 0.040941752898103555],
                [0.4014328547690578, 0.5985671452309422],
                [0.42081579850949163, 0.5791842014905084],
            ]
        ],
    )
    limits = [rdc.LabelEntropyLimit(math.inf)]
    problem = rdc.Problem(source, limits=limits).minimising("label_entropy", rate=0.8580818076033347)
    result = rdc.solve(problem, tolerance=1e-5)
    assert result.channel.sum(axis=0).all()
    assert all(np.allclose(soft.sum(axis=1), 1) for soft in result.decisions)
