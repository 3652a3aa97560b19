"""Losses that are held at their bounds: how they are stated, varied, shown and kept."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import DistortionLimit, LossLimit
from rdcsolve.problems.storage import arrays_of, problem_of

TABLE = [[0.0, 1.0], [1.0, 0.5]]


def problem(**keywords):
    return rdc.Problem.from_arrays([0.7, 0.3], 1 - np.eye(2), losses={"one": TABLE, "two": TABLE}, **keywords)


def test_both_ways_to_state_it_are_the_same():
    source = rdc.Source(None, [0.7, 0.3])
    limits = [DistortionLimit(0.5), LossLimit(0.4, TABLE, "one", equal=True), LossLimit(0.6, TABLE, "two")]
    stated = rdc.Problem(source, distortion=1 - np.eye(2), limits=limits)
    other = problem(D=0.5, limits={"one": 0.4, "two": 0.6}, equal=["one"])
    assert repr(stated) == repr(other)
    assert stated.equal.tolist() == other.equal.tolist() == [False, True, False]
    assert "one = 0.4" in repr(stated)
    assert "two <= 0.6" in repr(stated)
    assert repr(limits[1]) == "LossLimit(0.4, 2 x 2, 'one', equal=True)"


def test_other_bounds_stay_equalities_and_lifted_ones_are_none():
    held = problem(limits={"one": 0.4}, equal="one")
    assert held.held.tolist() == [False, True, False]
    assert held.with_limits(one=0.3, two=0.2).held.tolist() == [False, True, False]
    assert not held.with_limits(one=None).held.any()
    assert not held.at_multipliers(one=1.0).held.any()
    assert held.with_limits(one=None).with_limits(one=0.1).held[1]
    assert held.fingerprint() == problem().fingerprint()  # masses and losses, whatever the limits


@given(st.lists(st.booleans(), min_size=2, max_size=2), st.booleans())
def test_a_file_keeps_it(equal, is_limited):
    names = [name for name, held in zip(("one", "two"), equal, strict=True) if held]
    stated = problem(equal=names, limits={"one": 0.4} if is_limited else {})
    again = problem_of(arrays_of(stated), "file")
    assert repr(again) == repr(stated)
    assert again.equal.tolist() == stated.equal.tolist()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("equal_one", 0.5, "equal_one is 0.5; it must be 0 or 1"),
        ("equal_distortion", 1.0, "distortion a further loss of the file"),
        ("equal_missing", 1.0, "missing a further loss of the file"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(key, value, message):
    with pytest.raises(InvalidInput, match=message):
        problem_of(arrays_of(problem()) | {key: np.array(value)}, "file")


def test_what_is_no_further_loss_cannot_be_held():
    with pytest.raises(InvalidInput, match=r"loss held at its bound \(equal=\)"):
        problem(equal=["distortion"])
    with pytest.raises(InvalidInput, match="equal of LossLimit 'one' is 'yes'; give True or False"):
        LossLimit(0.4, TABLE, "one", equal="yes")


def test_curves_and_universal_rates_say_that_they_are_about_limits_from_above():
    held = problem(limits={"one": 0.4}, equal=["one"])
    with pytest.raises(InvalidInput, match=r"axis one is a loss held at its bound"):
        rdc.sweep(held, one=[0.3, 0.4])
    with pytest.raises(
        InvalidInput, match=r"one is held at its bound \(equal=True\) but targets are limits from above"
    ):
        rdc.universal_rate(held, [{"distortion": 0.3}])
    curve = rdc.sweep(held, D=[0.3, 0.5])  # along another loss
    assert (curve.status == "OPTIMAL").all()
    assert math.isfinite(float(curve.rate_upper[0]))
