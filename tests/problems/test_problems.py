"""Sources, distortions, limits and problems: what is kept, what is shared, what is derived."""

import copy
import dataclasses
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rdcsolve import errors
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import (
    ClassifierLossLimit,
    DistortionLimit,
    Loss,
    LossLimit,
    Problem,
    RateLimit,
    Source,
    distortion_matrix,
)

POINTS = [0.0, 1.0, 2.0]
P_X = [0.5, 0.3, 0.2]
LABEL = [[0.9, 0.1], [0.5, 0.5], [0.0, 1.0]]
CLASSIFIER = [[0.8, 0.2], [0.4, 0.6], [0.1, 0.9]]


@pytest.fixture
def source():
    return Source(POINTS, P_X, labels=[LABEL], name="three")


@pytest.fixture
def problem(source):
    limits = [DistortionLimit(0.4), ClassifierLossLimit(0.6, CLASSIFIER)]
    return Problem(source, distortion="squared_error", limits=limits)


def point_sets(n, dim):
    return arrays(float, (n, dim), elements=st.integers(-3, 3).map(float))


class TestSource:
    def test_keeps_read_only_copies(self):
        p_x, label, points = np.array(P_X), np.array(LABEL), np.array(POINTS)
        source = Source(points, p_x, labels=[label])
        p_x[0], label[0, 0], points[0] = 9.0, 9.0, 9.0
        assert source.p_x[0] == 0.5
        assert source.labels[0][0, 0] == 0.9
        assert source.points[0, 0] == 0.0
        for array in (source.p_x, source.points, *source.labels):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0.0

    def test_does_not_keep_a_read_only_view_of_an_array_that_can_change(self):
        p_x = np.array(P_X)
        view = p_x.view()
        view.setflags(write=False)
        source = Source(None, view)
        p_x[0] = 9.0
        assert source.p_x[0] == 0.5

    def test_is_frozen(self, source):
        with pytest.raises(dataclasses.FrozenInstanceError):
            source.p_x = None

    def test_shapes(self, source):
        assert source.points.shape == (3, 1)
        assert (source.n_x, source.dim, len(source.labels)) == (3, 1, 1)
        assert Source(None, [1.0]).dim is None

    @pytest.mark.parametrize("labels", [np.array(LABEL), LABEL, [LABEL], (np.array(LABEL),), np.array([LABEL])])
    def test_one_label_may_come_bare_or_in_a_list(self, labels):
        (label,) = Source(None, P_X, labels=labels).labels
        np.testing.assert_array_equal(label, LABEL)

    def test_several_labels_may_have_different_alphabets(self):
        source = Source(None, P_X, labels=[LABEL, np.full((3, 4), 0.25), np.ones((3, 1))])
        assert [label.shape for label in source.labels] == [(3, 2), (3, 4), (3, 1)]

    def test_small_errors_in_the_sum_are_rescaled_and_larger_ones_need_normalise(self):
        nearly = np.array(P_X) * (1 + 5e-10)
        assert math.fsum(Source(None, nearly).p_x) == pytest.approx(1.0, abs=4e-16)
        np.testing.assert_allclose(Source(None, [5, 3, 2], normalise=True).p_x, P_X, rtol=1e-15)
        scaled = Source(None, [5, 3, 2], labels=[np.array(LABEL) * 7], normalise=True)
        np.testing.assert_allclose(scaled.labels[0], LABEL, rtol=1e-15)
        nearly = np.array(LABEL) * (1 + 5e-10)
        np.testing.assert_allclose(Source(None, P_X, labels=[nearly]).labels[0], LABEL, rtol=1e-15)

    @given(arrays(float, st.integers(1, 40), elements=st.floats(0, 1e3)).filter(lambda p: p.sum() > 0))
    def test_rebuilding_a_source_from_its_own_masses_changes_nothing(self, weights):
        once = Source(None, weights, labels=[weights[:, None] + np.ones((1, 3))], normalise=True)
        again = Source(None, once.p_x.copy(), labels=[label.copy() for label in once.labels])
        np.testing.assert_array_equal(again.p_x, once.p_x)
        np.testing.assert_array_equal(again.labels[0], once.labels[0])

    def test_zero_masses_and_duplicates_are_normal(self):
        source = Source([1.0, 1.0, 2.0], [0.5, 0.5, 0.0])
        assert source.p_x.tolist() == [0.5, 0.5, 0.0]

    def test_repr_is_short(self, source):
        assert repr(source) == "Source('three', n_x=3, dim=1, labels=(2,))"
        assert repr(Source(None, [1.0])) == "Source(n_x=1, no points)"


class TestFromSamples:
    def test_merges_equal_samples_in_order(self):
        source = Source.from_samples([[2, 0], [1, 5], [2, 0], [1, 4]])
        assert source.points.tolist() == [[1, 4], [1, 5], [2, 0]]
        assert source.p_x.tolist() == [0.25, 0.25, 0.5]

    def test_negative_zero_is_zero(self):
        assert Source.from_samples([0.0, -0.0]).n_x == 1

    def test_weights_and_any_hashable_label(self):
        source = Source.from_samples([1, 1, 2], labels=[("b", 1), ("a", 2), ("b", 1)], weights=[3, 1, 4])
        np.testing.assert_allclose(source.p_x, [0.5, 0.5])
        np.testing.assert_allclose(source.labels[0], [[0.25, 0.75], [0.0, 1.0]])

    def test_classes_that_cannot_be_compared_come_in_order_of_appearance(self):
        source = Source.from_samples([1, 2, 3], labels=["x", 7, "x"])
        assert source.labels[0].tolist() == [[1, 0], [0, 1], [1, 0]]

    @pytest.mark.parametrize(
        "labels",
        [
            np.array([[5, 0], [6, 1], [5, 1]]),
            [[5, 6, 5], [0, 1, 1]],
            [np.array([5, 6, 5]), np.array([0, 1, 1])],
        ],
        ids=["array", "lists", "arrays"],
    )
    def test_several_label_columns(self, labels):
        source = Source.from_samples([1, 1, 2], labels=labels)
        np.testing.assert_allclose(source.labels[0], [[0.5, 0.5], [1, 0]])
        np.testing.assert_allclose(source.labels[1], [[0.5, 0.5], [0, 1]])

    def test_a_symbol_of_zero_weight_keeps_its_frequencies(self):
        source = Source.from_samples([1, 2, 2], labels=["a", "a", "b"], weights=[1, 0, 0])
        assert source.p_x.tolist() == [1.0, 0.0]
        assert source.labels[0].tolist() == [[1.0, 0.0], [0.5, 0.5]]

    @given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=30))
    def test_joint_frequencies_are_those_of_the_sample(self, pairs):
        samples, classes = zip(*pairs, strict=True)
        source = Source.from_samples(samples, labels=classes)
        for point, mass, row in zip(source.points[:, 0], source.p_x, source.labels[0], strict=True):
            for share, value in zip(row, sorted(set(classes)), strict=True):
                assert mass * share == pytest.approx(pairs.count((point, value)) / len(pairs), abs=1e-15)


class TestDistortions:
    @given(point_sets(4, 3), point_sets(5, 3))
    def test_named_distortions_follow_their_definitions(self, x, y):
        difference = x[:, None, :] - y[None, :, :]
        squared = distortion_matrix("squared_error", x, y)
        np.testing.assert_array_equal(squared, (difference**2).sum(axis=2))
        np.testing.assert_allclose(distortion_matrix("mean_squared_error", x, y), squared / 3, rtol=1e-15)
        np.testing.assert_array_equal(distortion_matrix("absolute", x, y), np.abs(difference).sum(axis=2))
        np.testing.assert_array_equal(distortion_matrix("hamming", x, y), (difference != 0).sum(axis=2))

    def test_many_rows_are_handled_in_blocks(self):
        x, y = np.linspace(-1, 1, 301), np.linspace(-2, 2, 997)
        np.testing.assert_array_equal(distortion_matrix("absolute", x, y), np.abs(x[:, None] - y[None, :]))

    def test_functions_see_points_and_reproduction(self):
        matrix = distortion_matrix(lambda x, y: np.maximum(x - y.T, 0), [0.0, 2.0], [1.0, 0.0, 2.0])
        assert matrix.tolist() == [[0, 0, 0], [1, 2, 0]]

    def test_infinite_entries_are_kept(self):
        assert distortion_matrix([[0.0, math.inf]], None, None).tolist() == [[0.0, math.inf]]
        with pytest.raises(ValueError, match="read-only"):
            distortion_matrix([[0.0, 1.0]], None, None)[0, 0] = 1.0


class TestClassifierLoss:
    def test_cross_entropy_and_error_rate(self, source):
        soft, hard = (ClassifierLossLimit(1.0, CLASSIFIER, loss=loss) for loss in ("cross_entropy", "error_rate"))
        expected = [
            [-sum(w * math.log(c) for w, c in zip(row, decision, strict=True)) for decision in CLASSIFIER]
            for row in LABEL
        ]
        np.testing.assert_allclose(soft.matrix(source, None), expected, rtol=1e-14)
        np.testing.assert_allclose(hard.matrix(source, None), [[0.1, 0.9, 0.9], [0.5, 0.5, 0.5], [1, 0, 0]], rtol=1e-14)

    def test_excluded_classes_forbid_only_where_they_have_mass(self, source):
        certain = [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]]
        losses = ClassifierLossLimit(1.0, certain).matrix(source, None)
        half = math.log(2)
        np.testing.assert_allclose(
            losses, [[math.inf, math.inf, half], [math.inf, math.inf, half], [math.inf, 0, half]]
        )
        assert not np.signbit(losses).any()

    def test_ties_go_to_the_first_class(self, source):
        losses = ClassifierLossLimit(1.0, np.full((3, 2), 0.5), loss="error_rate").matrix(source, None)
        np.testing.assert_allclose(losses[:, 0], 1 - np.array(LABEL)[:, 0])

    def test_a_function_sees_the_reproduction(self, source):
        def classifier(y):
            return np.hstack([y / 4, 1 - y / 4])

        problem = Problem(source, reproduction=[1.0, 2.0], limits=[ClassifierLossLimit(1.0, classifier)])
        np.testing.assert_allclose(problem.losses[1].matrix[2], [-math.log(0.75), -math.log(0.5)])

    def test_chosen_label(self, source):
        two = Source(POINTS, P_X, labels=[LABEL, np.array(LABEL)[:, ::-1]])
        first, second = (ClassifierLossLimit(1.0, CLASSIFIER, label=k).matrix(two, None) for k in (0, 1))
        np.testing.assert_array_equal(first, ClassifierLossLimit(1.0, CLASSIFIER).matrix(source, None))
        assert not np.allclose(first, second)


class TestProblem:
    def test_losses_in_order_with_their_bounds(self, source):
        extra = LossLimit(0.7, np.ones((3, 3)), "tail")
        limits = [ClassifierLossLimit(0.6, CLASSIFIER), DistortionLimit(0.4), extra]
        problem = Problem(source, limits=limits)
        assert problem.loss_names == ("distortion", "classifier_loss", "tail")
        assert problem.bounds.tolist() == [0.4, 0.6, 0.7]
        np.testing.assert_array_equal(problem.losses[0].matrix, [[0, 1, 4], [1, 0, 1], [4, 1, 0]])
        assert (problem.n_x, problem.n_letters, problem.minimise, problem.objective) == (3, 3, "rate", "rate")
        assert problem.rate_bound is None
        assert problem.multipliers is None
        assert problem.forbidden is None

    def test_unlimited_losses_have_infinite_bounds(self, source):
        problem = Problem(source, limits=[LossLimit(math.inf, np.ones((3, 3)), "tail")])
        assert problem.bounds.tolist() == [math.inf, math.inf]

    def test_a_second_distortion_by_name(self, source):
        problem = Problem(source, limits=[DistortionLimit(0.5, "absolute", name="absolute_error")])
        assert problem.loss_names == ("distortion", "absolute_error")
        np.testing.assert_array_equal(problem.losses[1].matrix[0], [0, 1, 2])

    def test_reproduction_defaults_to_the_points(self, source):
        assert Problem(source).reproduction is source.points
        assert Problem(source, reproduction=[0.5, 1.5]).n_letters == 2
        assert Problem(source, distortion=np.ones((3, 5))).reproduction is None
        assert Problem(source, reproduction=np.zeros(5), distortion=np.ones((3, 5))).reproduction.shape == (
            5,
            1,
        )

    def test_with_limits_changes_only_what_it_names(self, problem):
        other = problem.with_limits(D=0.1, rate=0.5)
        assert other.bounds.tolist() == [0.1, 0.6]
        assert other.rate_bound == 0.5
        assert problem.bounds.tolist() == [0.4, 0.6]
        assert problem.rate_bound is None
        assert problem.with_limits(distortion=0.1).bounds.tolist() == [0.1, 0.6]
        assert other.with_limits(rate=None, classifier_loss=None).bounds.tolist() == [0.1, math.inf]
        assert other.with_limits(rate=None).rate_bound is None

    def test_variants_share_matrices_and_fingerprint(self, problem):
        variants = [
            problem.with_limits(D=0.1),
            problem.at_multipliers(distortion=2.0),
            problem.minimising("distortion", rate=0.5),
        ]
        for variant in variants:
            assert all(a is b for a, b in zip(variant.losses, problem.losses, strict=True))
            assert variant.fingerprint() is problem.fingerprint()
            assert variant.source is problem.source

    def test_fixed_multipliers(self, problem):
        fixed = problem.with_limits(rate=0.5).at_multipliers(classifier_loss=3.0)
        assert fixed.multipliers.tolist() == [0.0, 3.0]
        assert fixed.objective == "lagrangian"
        assert fixed.rate_bound is None
        assert fixed.bounds.tolist() == [math.inf, math.inf]
        assert fixed.with_limits(D=0.1).multipliers is None

    def test_minimising_a_loss(self, problem):
        for other in (
            problem.minimising("D", rate=0.5),
            problem.with_limits(rate=0.5).minimising("distortion"),
        ):
            assert other.minimise == other.objective == "distortion"
            assert other.bounds.tolist() == [math.inf, 0.6]
            assert other.rate_bound == 0.5
        assert other.minimising("rate").minimise == "rate"
        limits = [RateLimit(0.5), ClassifierLossLimit(0.6, CLASSIFIER)]
        assert Problem(problem.source, limits=limits, minimise="distortion").rate_bound == 0.5

    def test_from_arrays_states_the_same_problem(self, problem):
        matrices = {loss.name: loss.matrix for loss in problem.losses[1:]}
        same = Problem.from_arrays(
            P_X, problem.losses[0].matrix, LABEL, D=0.4, losses=matrices, limits={"classifier_loss": 0.6}
        )
        assert same.fingerprint() == problem.fingerprint()
        np.testing.assert_array_equal(same.bounds, problem.bounds)
        assert len(same.source.labels) == 1
        loss = Problem.from_arrays([3, 1], [[0, 1], [1, 0]], rate=0.2, minimise="distortion", normalise=True)
        assert (loss.minimise, loss.rate_bound, loss.p_x.tolist()) == ("distortion", 0.2, [0.75, 0.25])

    def test_forbidden_pairs_of_all_losses_together(self):
        inf = math.inf
        problem = Problem.from_arrays(
            [0.5, 0.5, 0.0],
            [[inf, 0, 1], [1, 0, 1], [inf, inf, inf]],
            losses={"b": [[0, inf, 0], [0, 0, 0], [0, 0, 0]]},
        )
        assert problem.forbidden.tolist() == [[True, True, False], [False, False, False], [True, True, True]]

    def test_the_fingerprint_tells_problems_apart(self, problem):
        prints = {
            problem.fingerprint(),
            Problem(problem.source).fingerprint(),
            Problem(problem.source, distortion="absolute").fingerprint(),
            Problem(Source(POINTS, P_X[::-1])).fingerprint(),
            Problem.from_arrays([1.0], [[0.0, 1.0]]).fingerprint(),
            Problem.from_arrays([1.0], [[0.0, 2.0]]).fingerprint(),
            Problem.from_arrays([1.0], [[0.0]], losses={"a": [[2.0]]}).fingerprint(),
            Problem.from_arrays([1.0], [[0.0]], losses={"b": [[2.0]]}).fingerprint(),
        }
        assert len(prints) == 8
        assert all(len(text) == 16 for text in prints)

    @pytest.mark.parametrize(
        "clone", [copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))], ids=["deepcopy", "pickle"]
    )
    def test_copies_state_the_same_problem(self, problem, clone):
        twin = clone(problem.with_limits(rate=0.5))
        assert repr(twin) == repr(problem.with_limits(rate=0.5))
        assert twin.fingerprint() == problem.fingerprint()

    def test_is_frozen(self, problem):
        with pytest.raises(dataclasses.FrozenInstanceError):
            problem.minimise = "distortion"
        for array in (
            problem.bounds,
            problem.at_multipliers(distortion=1.0).multipliers,
            problem.losses[1].matrix,
        ):
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0.0

    def test_reprs(self, problem):
        assert (
            repr(problem) == "Problem(n_x=3, n_letters=3, minimise='rate', distortion <= 0.4, classifier_loss <= 0.6)"
        )
        assert repr(problem.losses[0]) == "Loss('distortion', 3 x 3)"
        assert repr(DistortionLimit(0.25)) == "DistortionLimit(0.25)"
        assert repr(DistortionLimit(1, "hamming", "h")) == "DistortionLimit(1, 'hamming', name='h')"
        assert repr(LossLimit(1, np.ones((2, 3)), "tail")) == "LossLimit(1, 2 x 3, 'tail')"
        assert repr(ClassifierLossLimit(1, CLASSIFIER)) == "ClassifierLossLimit(1, 3 x 2, 'cross_entropy')"
        assert repr(RateLimit(2)) == "RateLimit(2)"

    def test_loss_is_a_read_only_copy(self):
        matrix = np.ones((2, 2))
        loss = Loss("tail", matrix)
        matrix[0, 0] = 5.0
        assert loss.matrix[0, 0] == 1.0


def test_exceptions_are_what_a_caller_would_catch():
    assert issubclass(InvalidInput, ValueError)
    assert issubclass(errors.UnreadableFile, InvalidInput)
    assert issubclass(errors.SaveFailed, OSError)
    assert issubclass(errors.MissingExtra, ImportError)
    assert all(
        issubclass(kind, errors.RdcError)
        for kind in (InvalidInput, errors.SaveFailed, errors.MissingExtra, errors.SolverFailed)
    )
    assert "pip install 'rdcsolve[conic]'" in str(errors.MissingExtra.of("conic", "Conic"))
    failed = pickle.loads(pickle.dumps(errors.SolverFailed("stalled", result=7)))
    assert (str(failed), failed.result) == ("stalled", 7)
