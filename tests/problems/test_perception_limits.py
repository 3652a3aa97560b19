"""Limits on the law of the reproduction as they are stated: places, targets, variants, files, and what is refused."""

import math

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.problems import Perception
from rdcsolve.problems.storage import arrays_of, problem_of

COIN = rdc.Source([0.0, 1.0], [0.7, 0.3])


def stated(*limits, **more):
    return rdc.Problem(COIN, limits=[rdc.DistortionLimit(0.1), *limits], **more)


def test_limits_beside_losses():
    problem = stated(rdc.PerceptionLimit(0.2, "tv"), rdc.PerceptionLimit(math.inf, "w2", name="far"))
    assert problem.loss_names == ("distortion",)
    assert problem.perception_names == ("perception", "far")
    assert problem.limit_names == ("distortion", "perception", "far")
    assert problem.perception_bounds.tolist() == [0.2, math.inf]
    assert str(problem).endswith("distortion <= 0.1, perception <= 0.2, far not limited)")
    assert problem.with_limits(P=0.1, far=3).perception_bounds.tolist() == [0.1, 3]
    assert problem.with_limits(P=None).perception_bounds.tolist() == [math.inf, math.inf]
    assert problem.fingerprint() == problem.with_limits(P=0).fingerprint()
    assert problem.fingerprint() != stated(rdc.PerceptionLimit(0.2, "kl")).fingerprint()


def test_variants():
    problem = stated(rdc.PerceptionLimit(0.2, "tv"))
    priced = problem.at_multipliers(perception=2.0)
    assert priced.objective == "lagrangian"
    assert priced.perception_multipliers.tolist() == [2.0]
    assert str(priced) == "Problem(n_x=2, n_letters=2, minimise='lagrangian', 0 * distortion + 2 * perception)"
    least = problem.minimising("perception", rate=0.2)
    assert least.objective == "perception"
    assert least.perception_bounds.tolist() == [math.inf]
    assert problem.minimising("P", rate=0.2).minimise == "perception"
    assert problem.without_perceptions().fingerprint() == stated().fingerprint()


def test_arrays():
    d = [[0, 1], [1, 0]]
    assert rdc.Problem.from_arrays([0.7, 0.3], d, P=0.1, perception="tv").perceptions[0].measure == "tv"
    transport = rdc.Problem.from_arrays([0.7, 0.3], d, P=0.1, perception=[[0, 2], [2, 0]]).perceptions[0]
    assert transport.cost.tolist() == [[0, 2], [2, 0]]
    declared = rdc.Problem.from_arrays([0.7, 0.3], d, perception="js")
    assert math.isinf(declared.perception_bounds[0])


@pytest.mark.parametrize("measure", ["w2", "w1", "tv", "kl", "exact"])
def test_files(measure):
    problem = stated(rdc.PerceptionLimit(0.0 if measure == "exact" else 0.2, measure))
    again = problem_of({key: np.asarray(value) for key, value in arrays_of(problem).items()}, "file")
    assert again.fingerprint() == problem.fingerprint()
    assert again.perception_bounds.tolist() == problem.perception_bounds.tolist()
    priced = problem if measure == "exact" else problem.at_multipliers(perception=2.0, distortion=1.0)
    again = problem_of({key: np.asarray(value) for key, value in arrays_of(priced).items()}, "file")
    assert again.objective == priced.objective


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"perception_perception": np.array("far")}, "unknown measure"),
        ({"target_perception": np.array([0.5, 0.6])}, "do not fit"),
        ({"place_perception": np.array([0, 2])}, "do not fit"),
        ({"place_perception": np.array([0.0, 1.0])}, "do not fit"),
        ({"place_perception": None}, "place_perception"),
        ({"cost_perception": np.eye(2)}, "cost_perception"),
        ({"outside_perception": np.array(0.5)}, "do not fit"),
    ],
)
def test_files_that_hold_something_else(changes, message):
    arrays = {key: np.asarray(value) for key, value in arrays_of(stated(rdc.PerceptionLimit(0.2, "tv"))).items()}
    arrays = {key: value for key, value in (arrays | changes).items() if value is not None}
    with pytest.raises(rdc.InvalidInput, match=message):
        problem_of(arrays, "file")


def test_letters_of_a_list_show_the_same_places():
    problem = stated(rdc.PerceptionLimit(0.2, "tv"))
    listed = problem.listed([1, 0, 1], [])
    assert listed.perceptions[0].place.tolist() == [1, 0, 1]
    assert listed.perceptions[0].law(np.arange(3), np.array([0.2, 0.5, 0.3])).tolist() == [0.5, 0.5]


LABELLED = rdc.Source([0.0, 1.0], [0.7, 0.3], labels=[[[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]]], label_names=["kind"])


def of_classes(*limits, **more):
    return rdc.Problem(LABELLED, limits=[rdc.DistortionLimit(0.1), *limits], **more)


def test_limits_on_the_laws_of_classes():
    """One for every class that has mass; all together they are known by the name that stated them."""
    problem = of_classes(rdc.PerceptionLimit([0.2, 0.3, 0.4], "tv", given="kind"))
    assert problem.perception_names == ("perception_0", "perception_1")
    assert problem.perception_bounds.tolist() == [0.2, 0.3]
    assert problem.perceptions[0].members.tolist() == [0.9, 0.2]
    assert problem.perceptions[0].target == pytest.approx(np.array([0.63, 0.06]) / 0.69)
    assert problem.perceptions[1].weights(LABELLED.p_x) @ LABELLED.p_x == pytest.approx(1)
    assert problem.with_limits(P=0.1).perception_bounds.tolist() == [0.1, 0.1]
    assert problem.with_limits(P=[0.1, None]).perception_bounds.tolist() == [0.1, math.inf]
    assert problem.with_limits(perception_1=0.5).perception_bounds.tolist() == [0.2, 0.5]
    own = of_classes(rdc.PerceptionLimit(0.2, "tv", given=0, target=[[0.5, 0.5], [0.1, 0.9], [0.0, 1.0]], name="own"))
    assert own.perception_names == ("own_0", "own_1")
    assert own.perceptions[1].target.tolist() == [0.1, 0.9]
    whole = of_classes(rdc.PerceptionLimit(0.2, "tv", target=problem.perceptions[0].target, name="perception_0"))
    assert whole.fingerprint() != problem.fingerprint()
    assert problem.with_perception(rdc.PerceptionLimit(0.1, "w2", given=0, name="far")).perception_names[2:] == (
        "far_0",
        "far_1",
    )
    assert repr(rdc.PerceptionLimit([0.2, 0.3], "tv", given=0)) == "PerceptionLimit([0.2, 0.3], 'tv', given=0)"


@pytest.mark.parametrize("measure", ["w2", "tv", "mmd"])
def test_files_of_the_laws_of_classes(measure):
    problem = of_classes(rdc.PerceptionLimit(0.2, measure, given=0, kernel=1.0 if measure == "mmd" else None))
    arrays = {key: np.asarray(value) for key, value in arrays_of(problem).items()}
    again = problem_of(arrays, "file")
    assert again.fingerprint() == problem.fingerprint()
    assert again.perception_bounds.tolist() == problem.perception_bounds.tolist()
    for wrong in ([0.9, 0.2, 0.1], [1.1, 0.2], [0.0, 0.0]):
        with pytest.raises(rdc.InvalidInput, match="members_perception_0"):
            problem_of(arrays | {"members_perception_0": np.array(wrong)}, "file")


def test_observations_belong_to_classes_as_symbols_do():
    seen = np.array([[0.8, 0.2], [0.3, 0.7]])
    measured = of_classes(rdc.PerceptionLimit(0.2, "tv", given=0)).perceptions[1]
    joint = LABELLED.p_x[:, None] * seen
    behind = (joint / joint.sum(axis=0)).T
    channel = np.array([[0.6, 0.4], [0.1, 0.9]])
    expected = (LABELLED.p_x * measured.members) @ seen @ channel
    found = measured.seen_by(behind).masses_of(joint.sum(axis=0), channel, joint.sum(axis=0) @ channel)
    assert found == pytest.approx(expected / expected.sum())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rdc.PerceptionLimit([0.1, 0.0], "mmd", kernel=1.0, given=0), "which many laws may have"),
        (lambda: rdc.PerceptionLimit([0.1, 0.0], "exact", given=0), "its bound is 0"),
        (lambda: rdc.PerceptionLimit([0.1, -0.2], "tv", given=0), "-0.2"),
        (lambda: rdc.PerceptionLimit([0.1, 0.2], "tv"), "PerceptionLimit"),
        (lambda: of_classes(rdc.PerceptionLimit([0.1, 0.2], "tv", given=0)), "2 bounds .* 3 classes"),
        (lambda: of_classes(rdc.PerceptionLimit(0.1, "tv", given="other")), "'other'"),
        (lambda: of_classes(rdc.PerceptionLimit(0.1, "tv", given=0, target=[0.5, 0.5])), r"\(3, 2\)"),
        (lambda: of_classes(rdc.PerceptionLimit(0.1, "tv", given=0, target=LABELLED)), "3 classes"),
        (lambda: of_classes(rdc.PerceptionLimit(0.1, "tv", given=0)).with_limits(P=[1, 2, 3]), "3 bounds .* 2 classes"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "tv", given=0)), "no labels"),
        (lambda: rdc.PerceptionLimit(-0.1, "tv"), "-0.1"),
        (lambda: rdc.PerceptionLimit(0.1, "wasserstein"), "unknown measure"),
        (lambda: rdc.PerceptionLimit(0.1, "exact"), "exact"),
        (lambda: rdc.PerceptionLimit(0.1, "transport"), "needs cost="),
        (lambda: rdc.PerceptionLimit(0.1, "tv", cost=[[0.0]]), "takes no cost="),
        (lambda: rdc.PerceptionLimit(0.1, "transport", cost=[[-1.0]]), "-1"),
        (lambda: rdc.PerceptionLimit(0.1, "transport", cost=[1.0]), "shape"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "transport", cost=[[1.0]])), r"give \(2, 2\)"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "tv", target=[0.5, 0.6])), "sums to 1.1"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "tv", target=[0.5, 0.3, 0.2])), "3 masses"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "tv"), rdc.PerceptionLimit(0.1, "kl")), "2 limits are called"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "tv", name="distortion")), "called 'distortion'"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "tv"), reproduction="free"), "free"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "reverse_kl"), reproduction=[0.0, 2.0]), "mass 0.3"),
        (lambda: stated(rdc.PerceptionLimit(0.0, "exact"), reproduction=[0.0, 2.0]), "mass 0.3"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "tv")).at_multipliers(perception=-1), "-1"),
        (lambda: stated(rdc.PerceptionLimit(0.0, "exact")).with_limits(P=0.1), "exact"),
        (lambda: stated(rdc.PerceptionLimit(0.0, "exact")).at_multipliers(perception=1), "exact"),
        (lambda: stated().with_limits(P=0.1), "perception"),
        (lambda: rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], P=0.1), "perception='tv'"),
        (lambda: rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], P=0.1, perception="w2"), "no points"),
        (lambda: rdc.Problem.from_arrays([0.7, 0.3], [[0], [1]], P=0.1, perception="tv"), "which of 1"),
        (lambda: stated(rdc.PerceptionLimit(0.1, "tv")).minimising("perception"), "rate"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(rdc.InvalidInput, match=message):
        make()


def test_records_are_shown_shortly():
    assert repr(rdc.PerceptionLimit(0.1, "transport", cost=[[0.0]], name="far")) == (
        "PerceptionLimit(0.1, 'transport', cost=1 x 1, name='far')"
    )
    assert repr(Perception("far", "tv", np.ones(1), np.zeros(1, int))) == "Perception('far', 'tv', 1 places)"
