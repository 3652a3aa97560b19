"""Limits on time and steps, callbacks and interrupts of regions: the inner boundary is attained, the outer holds."""

import math
import os
import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.results import Status

ENDS = (Status.STEP_LIMIT, Status.STOPPED_BY_CALLBACK, Status.INTERRUPTED)


@pytest.fixture(autouse=True)
def _interrupts_are_heard():
    """Interrupts are raised even where these tests run in the background, whose jobs a shell lets ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stated(kind, seed):
    """A random encoder, and a problem that says what is decoded from it: few maps, many maps, or two linear losses."""
    rng = np.random.default_rng(seed)
    n, k, letters = (8, 7, 6) if kind == "many maps" else (5, 4, 3)
    p, encoder = rng.dirichlet(np.ones(n)), rng.dirichlet(np.full(k, 0.5), n)
    if kind == "polygon":
        losses = {"other": rng.random((n, letters))}
        return encoder, rdc.Problem.from_arrays(p, rng.random((n, letters)), losses=losses)
    source = rdc.Source(rng.normal(size=n), p, labels=[rng.dirichlet(np.ones(3), n)])
    limits = [rdc.LabelEntropyLimit(math.inf)]
    return encoder, rdc.Problem(source, rng.normal(size=letters), limits=limits, letters="fixed")


def lies_inside(cut, whole):
    """Whether what is found is attained, and the outer bound is below all that is: the whole region is between them."""
    (x, _), (_, y) = whole.vertices[0], whole.vertices[-1]
    places = np.r_[cut.vertices[:, 0], whole.vertices[:, 0], x + 1.0]
    room = 1e-12
    inner = [cut.lowest(place) >= whole.lowest(place, bound="outer") - room for place in places]
    outer = [cut.lowest(place, bound="outer") <= whole.lowest(place) + room for place in places]
    return all(inner) and all(outer) and cut.outer[-1, 1] <= y + room


@pytest.mark.parametrize("kind", ["polygon", "few maps", "many maps"])
@pytest.mark.parametrize("status", ENDS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_the_end_may_come_after_any_step(kind, status, seed, share):
    encoder, problem = stated(kind, seed)
    told = []
    whole = rdc.achievable_region(encoder, problem, callback=told.append)
    assert [record.step for record in told] == list(range(1, len(told) + 1))
    assert whole.status is (Status.OPTIMAL if whole.is_exact else Status.STATIONARY)
    last = 1 + int(share * (len(told) - 1))

    def ends(record):
        if record.step == last and status is Status.INTERRUPTED:
            os.kill(os.getpid(), signal.SIGINT)
        return record.step == last and status is Status.STOPPED_BY_CALLBACK

    options = {"max_steps": last} if status is Status.STEP_LIMIT else {"callback": ends}
    cut = rdc.achievable_region(encoder, problem, **options)
    assert cut.status is status
    assert lies_inside(cut, whole)


@pytest.mark.parametrize("kind", ["polygon", "few maps", "many maps"])
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_without_time_there_is_a_decoder_and_a_corner(kind, seed):
    encoder, problem = stated(kind, seed)
    cut = rdc.achievable_region(encoder, problem, time_limit=1e-9)
    assert cut.status is Status.TIME_LIMIT
    assert lies_inside(cut, rdc.achievable_region(encoder, problem))


def test_intervals_are_of_the_resamples_drawn():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 3, 200)
    source = rdc.Source.from_samples(x.astype(float))
    problem = rdc.Problem(source, [0.0, 1.0, 2.0], limits=[rdc.LossLimit(math.inf, rng.random((3, 3)), "other")])
    encoder = rdc.encoder_from_samples(np.where(x == 2, 1, x), x, source)
    cut = rdc.achievable_region(encoder, problem, n_bootstrap=500, max_steps=101)
    few = rdc.achievable_region(encoder, problem, n_bootstrap=100)
    assert cut.status is Status.STEP_LIMIT
    assert cut.message == "intervals rest on 100 of 500 resamples"
    assert cut.intervals == few.intervals
    assert few.status is Status.OPTIMAL
    none = rdc.achievable_region(encoder, problem, n_bootstrap=500, max_steps=1)
    assert none.intervals == ()
    assert none.message == "intervals rest on 0 of 500 resamples"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"max_steps": 0}, "max_steps is 0"),
        ({"callback": 1}, "callback is 1"),
        ({"time_limit": -1}, "time_limit is -1"),
    ],
)
def test_bad_options_of_regions_are_told(option, message):
    encoder, problem = stated("polygon", 0)
    with pytest.raises(rdc.InvalidInput, match=message):
        rdc.achievable_region(encoder, problem, **option)
