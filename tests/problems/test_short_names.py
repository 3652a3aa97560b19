"""Short names of losses and perceptions mean the same wherever a loss is named."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.explore.grid import make_grid

LABEL = [[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]


@st.composite
def short_and_full(draw):
    """Return a problem, and its short names with the names of losses or perceptions that each stands for."""
    names = draw(st.lists(st.sampled_from(["label_entropy", "H", "kind"]), max_size=2, unique=True))
    law = draw(st.sampled_from(["none", "whole", "classes", "both"]))
    source = rdc.Source([0.0, 1.0, 2.0], [0.3, 0.3, 0.4], labels=[LABEL, LABEL])
    limits = [rdc.LabelEntropyLimit(0.6, k, name) for k, name in enumerate(names)]
    meant = {"D": ["distortion"]} | ({"C": names} if names else {})
    if law in ("classes", "both"):
        limits.append(rdc.PerceptionLimit(0.1, "tv", given=0, name="perception" if law == "classes" else "alike"))
        meant |= {"P": ["perception_0", "perception_1"]} if law == "classes" else {"alike": ["alike_0", "alike_1"]}
    if law in ("whole", "both"):
        limits.append(rdc.PerceptionLimit(0.1, "tv"))
        meant["P"] = ["perception"]
    return rdc.Problem(source, limits=limits, unit=draw(st.sampled_from(["nat", "bit"]))), meant


@given(short_and_full(), st.data())
def test_limits_and_multipliers_know_the_same_names(drawn, data):
    problem, meant = drawn
    numbers = {name: data.draw(st.floats(0.05, 0.5)) for names in meant.values() for name in names}
    short = {
        name: [numbers[one] for one in names] if len(names) > 1 else numbers[names[0]] for name, names in meant.items()
    }
    by_short, by_full = problem.with_limits(**short), problem.with_limits(**numbers)
    assert by_short.bounds.tolist() == by_full.bounds.tolist()
    assert by_short.perception_bounds.tolist() == by_full.perception_bounds.tolist()
    by_short, by_full = problem.at_multipliers(**short), problem.at_multipliers(**numbers)
    assert by_short.multipliers.tolist() == by_full.multipliers.tolist()
    assert by_short.perception_multipliers.tolist() == by_full.perception_multipliers.tolist()
    assert (by_short.multipliers > 0).all()
    assert (by_short.perception_multipliers > 0).all()


@given(short_and_full(), st.data())
def test_axes_and_objectives_know_them_too(drawn, data):
    problem, meant = drawn
    name = data.draw(st.sampled_from(sorted(meant)))
    names = meant[name]
    if len(names) == 1:
        assert problem.minimising(name, rate=0.1).minimise == names[0]
    if name == "C" and len(names) > 1:
        with pytest.raises(rdc.InvalidInput, match="C is one axis but"):
            make_grid(problem, {name: [0.5]})
        return
    priced = problem.at_multipliers(**dict.fromkeys(problem.limit_names, 1.0))
    for swept in (problem, priced):
        by_short = make_grid(swept, {name: [0.25]}).problem_at({name: 0.25})
        by_full = make_grid(swept, {one: [0.25] for one in names}).problem_at(dict.fromkeys(names, 0.25))
        assert str(by_short) == str(by_full) != str(swept)


@pytest.mark.parametrize(
    ("multipliers", "message"),
    [
        ({"D": 1, "distortion": 2}, "the multiplier of distortion is stated twice"),
        ({"C": [1, 2, 3]}, "C holds 3 multipliers but the problem has 2 label entropies"),
        ({"P": [1]}, "P holds 1 multipliers but stands for the laws of 2 classes"),
        ({"P": 1, "perception_1": 2}, "the multiplier of perception_1 is stated twice"),
        ({"P": -1}, "the multiplier of perception_0 is -1"),
    ],
)
def test_what_is_refused_by_name(multipliers, message):
    source = rdc.Source([0.0, 1.0, 2.0], [0.3, 0.3, 0.4], labels=[LABEL, LABEL])
    limits = [rdc.LabelEntropyLimit(1), rdc.LabelEntropyLimit(1, 1), rdc.PerceptionLimit(0.1, "tv", given=0)]
    with pytest.raises(rdc.InvalidInput, match=message):
        rdc.Problem(source, limits=limits).at_multipliers(**multipliers)


def test_the_other_doors_name_a_label_by_its_letter():
    source = rdc.Source([0.0, 1.0, 2.0], [0.3, 0.3, 0.4], labels=[LABEL])
    problem = rdc.Problem(source, limits=[rdc.LabelEntropyLimit(0.6, name="H")])
    assert rdc.restoration(problem.with_limits(C=None), np.eye(3), minimise="C").minimise == "H"
    least = rdc.Problem(source, limits=[rdc.LabelEntropyLimit(np.inf, name="H"), rdc.RateLimit(0.1)], minimise="C")
    assert least.minimise == "H"
