"""Options of public calls: what they accept, and that each is refused where it is given, before any work."""

import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve import options
from rdcsolve.errors import InvalidInput
from rdcsolve.theory.transport import sliced_squared_wasserstein

COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)
OTHER = rdc.solve(rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], D=0.1))
UNIFORM = rdc.Source([0.0, 1.0], [0.5, 0.5])


class Unspeakable:
    """An object that cannot even be shown."""

    def __repr__(self):
        raise RuntimeError("no")


STRANGE = st.one_of(
    st.text(max_size=5),
    st.binary(max_size=3),
    st.booleans(),
    st.none(),
    st.complex_numbers(),
    st.lists(st.floats(), max_size=2),
    st.just(Unspeakable()),
    st.builds(np.array, st.lists(st.floats(), min_size=1, max_size=2)),
)


@given(STRANGE)
def test_what_is_no_number_is_no_real_option(value):
    with pytest.raises(InvalidInput, match="^weight is .*; give one real number$"):
        options.real(value, "weight")


@given(st.one_of(st.floats(allow_nan=False), st.integers(), st.fractions()))
def test_every_real_number_is_an_option(value):
    try:
        right = float(value)
    except OverflowError:
        right = math.copysign(math.inf, value)
    assert options.real(value, "weight") == right


@given(st.floats(width=32, allow_nan=False), st.sampled_from([np.float32, np.float64]))
def test_scalars_of_arrays_are_numbers(value, kind):
    assert options.real(kind(value), "weight") == options.real(np.array(value, kind), "weight") == value


@given(st.one_of(STRANGE, st.floats(), st.integers(max_value=2), st.fractions(), st.just(np.array([3]))))
def test_only_integers_count(value):
    with pytest.raises(InvalidInput, match="^n is .*; it must be an integer >= 3$"):
        options.whole(value, "n", 3)


@given(st.integers(min_value=3, max_value=2**31 - 1), st.sampled_from([int, np.int32, np.int64, np.uint32]))
def test_integers_of_any_kind_count(value, kind):
    assert options.whole(kind(value), "n", 3) == value
    assert type(options.whole(kind(value), "n", 3)) is int


@given(st.one_of(st.integers(), st.text(), st.none(), st.floats()))
def test_a_switch_is_true_or_false(value):
    with pytest.raises(InvalidInput, match="^progress is .*; give True or False$"):
        options.switch(value, "progress")
    assert options.switch(np.True_, "progress") is True


@given(st.one_of(st.floats(), st.integers(), st.none(), st.just(Unspeakable())))
def test_a_path_is_a_text_or_a_path(value):
    with pytest.raises(InvalidInput, match="(?s)^path is .*give the path of a file"):
        options.path(value)


def test_paths_stay_what_they_are():
    assert options.path("a/b") == options.path(b"a/b") == options.path(Path("a/b")) == Path("a/b")


@given(st.text(min_size=200))
def test_messages_are_of_bounded_length(value):
    assert len(options.shown(value)) < 110
    assert "\n" not in options.shown(value)


def test_infinite_times_and_no_infinite_gaps():
    assert options.seconds(math.inf) == math.inf
    assert options.tolerance(Fraction(1, 1000)) == 1e-3
    for refuse, value in ((options.seconds, 0), (options.seconds, math.nan), (options.tolerance, math.inf)):
        with pytest.raises(InvalidInput, match="give "):
            refuse(value)


AT_THE_DOORS = {
    "tolerance is '1e-3'; give a gap": lambda: rdc.solve(COIN, tolerance="1e-3"),
    "tolerance is None; give a gap": lambda: rdc.solve(COIN, tolerance=None),
    "tolerance is True; give a gap": lambda: rdc.solve(COIN, tolerance=True),
    "tolerance is -1; give a gap": lambda: rdc.sweep(COIN, D=[0.1], tolerance=-1),
    "tolerance is '1'; give a gap": lambda: rdc.universal_rate(COIN, [{"D": 0.1}], tolerance="1"),
    "tolerance is [1]; give a gap": lambda: rdc.tradeoff(COIN, 0.1, loss="distortion", tolerance=[1]),
    "max_steps is 2.5; it must be an integer >= 1": lambda: rdc.solve(COIN, max_steps=2.5),
    "max_steps is 0; it must be an integer >= 1": lambda: rdc.solve(COIN, max_steps=0),
    "time_limit is '1s'; give seconds": lambda: rdc.solve(COIN, time_limit="1s"),
    "threads is 1.5; it must be an integer": lambda: rdc.solve(COIN, threads=1.5),
    "callback is 5; give a function": lambda: rdc.solve(COIN, callback=5),
    "start is 'x'; pass a Result": lambda: rdc.solve(COIN, start="x"),
    "start belongs to the losses": lambda: rdc.solve(COIN, start=OTHER),
    "solver is the class InteriorPoint; pass settings made of it, InteriorPoint()": (
        lambda: rdc.solve(COIN, rdc.InteriorPoint)
    ),
    "solver is 'newton'; give one of": lambda: rdc.sweep(COIN, D=[0.1], solver="newton"),
    "executor is 'process'; give an executor": lambda: rdc.sweep(COIN, D=[0.1], executor="process"),
    "progress is 'yes'; give True or False": lambda: rdc.sweep(COIN, D=[0.1], progress="yes"),
    "save is 5; give the path": lambda: rdc.sweep(COIN, D=[0.1], save=5),
    "n_points is 2.0; it must be an integer": lambda: rdc.tradeoff(COIN, 0.1, n_points=2.0),
    "problem is None; pass the Problem": lambda: OTHER.certificate.verify(None),
    "problem is None; pass a Problem": lambda: rdc.choose(None),
    "path is 5; give the path": lambda: rdc.load(5),
    "path is None; give the path of a file": lambda: OTHER.save(None),
    "max_tuples is '9'; it must be": lambda: rdc.universal_rate(COIN, [{"D": 0.1}], max_tuples="9"),
    "n_bootstrap is 2.5; it must be": lambda: rdc.achievable_region(OTHER, COIN, n_bootstrap=2.5),
    "first_letters is 0; it must be": lambda: rdc.ColumnGeneration(first_letters=0),
    "max_inner_steps is 1.5; it must be": lambda: rdc.ColumnGeneration(max_inner_steps=1.5),
    "warm_up_steps is -1; it must be": lambda: rdc.InteriorPoint(warm_up_steps=-1),
    "check_every is 'x'; it must be": lambda: rdc.BlahutArimoto(check_every="x"),
    "anneal is 1; give True or False": lambda: rdc.Alternation(anneal=1),
    "solver is 3; give a text": lambda: rdc.Conic(solver=3),
    "rng is 'a' ": lambda: sliced_squared_wasserstein([0.0, 1.0], [0.0, 2.0], rng="a"),
    "rng is -1 ": lambda: rdc.sources.kmeans_codebook(UNIFORM, 2, rng=-1),
}


@pytest.mark.parametrize("told", AT_THE_DOORS)
def test_options_are_refused_where_they_are_given(told):
    with pytest.raises(InvalidInput, match="^" + re.escape(told)):
        AT_THE_DOORS[told]()


def test_nothing_is_saved_for_a_bad_option(tmp_path):
    with pytest.raises(InvalidInput, match="executor"):
        rdc.sweep(COIN, D=[0.1], executor="process", save=tmp_path / "x.nc")
    assert not list(tmp_path.iterdir())
