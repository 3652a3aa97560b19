"""The clock that long loops look at: ends inside one another, a little time after each, interrupts."""

import math

import pytest

from rdcsolve import deadline
from rdcsolve.results.status import Status, ended_by, out_of_time


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is moved."""
    now = [100.0]
    monkeypatch.setattr(deadline, "clock", lambda: now[0])
    return now


def test_without_an_end_there_is_all_the_time(clock):
    deadline.look()
    assert not deadline.is_up()
    assert math.isinf(deadline.left())
    deadline.hurry()
    deadline.look()


def test_the_end_is_raised_once_and_then_moves_on(clock):
    with deadline.within(10.0):
        clock[0] = 109.9
        deadline.look()
        assert deadline.left() == pytest.approx(0.1)
        clock[0] = 110.1
        assert deadline.is_up()
        with pytest.raises(deadline.TimeIsUp):
            deadline.look()
        deadline.look()
        assert deadline.is_up()
        clock[0] += deadline.left() + 1e-3
        with pytest.raises(deadline.TimeIsUp):
            deadline.look()
    deadline.look()


@pytest.mark.parametrize("seconds", [1e-3, 5.0, 1000.0])
def test_four_ends_are_within_what_an_answer_may_be_late(clock, seconds):
    with deadline.within(seconds):
        for _ in range(4):
            clock[0] += deadline.left() + 1e-6
            with pytest.raises(deadline.TimeIsUp):
                deadline.look()
        assert deadline.left() + clock[0] <= 100.0 + seconds + max(deadline.LATE[0], deadline.LATE[1] * seconds)


def test_the_earlier_of_two_ends_holds(clock):
    with deadline.within(10.0):
        with deadline.within(math.inf):
            assert deadline.left() == 10.0
        with deadline.within(20.0):
            assert deadline.left() == 10.0
        with deadline.within(2.0):
            assert deadline.left() == 2.0
        assert deadline.left() == 10.0
        with deadline.ignored():
            clock[0] = 200.0
            deadline.look()
        assert deadline.is_up()


@pytest.mark.parametrize("caught", [False, True])
def test_what_finishes_an_answer_has_a_little_time_of_its_own(clock, caught):
    with deadline.within(10.0):
        clock[0] = 111.0
        if caught:
            with pytest.raises(deadline.TimeIsUp):
                deadline.look()
        with deadline.finishing():
            assert not deadline.is_up()
            assert 0.1 < deadline.left() < deadline.LATE[0]
            clock[0] += deadline.left() + 1e-3
            assert deadline.is_up()
            with pytest.raises(deadline.TimeIsUp):
                deadline.look()
        assert deadline.is_up()
    with deadline.finishing():
        assert not deadline.is_up()


def test_an_interrupt_leaves_a_little_time_whatever_the_limit(clock):
    with deadline.within(math.inf):
        assert out_of_time() is Status.TIME_LIMIT
        assert ended_by(KeyboardInterrupt()) is Status.INTERRUPTED
        assert deadline.is_up() or deadline.left() < deadline.LATE[0]
        clock[0] += deadline.LATE[0]
        with pytest.raises(deadline.TimeIsUp) as stop:
            deadline.look()
        assert ended_by(stop.value) is Status.INTERRUPTED  # not the limit on the time
    with deadline.within(1.0):
        assert ended_by(deadline.TimeIsUp()) is Status.TIME_LIMIT


@pytest.mark.parametrize("inside", [lambda: deadline.within(1.0), deadline.finishing])
def test_an_interrupt_inside_is_known_outside(clock, inside):
    with deadline.within(100.0):
        with inside():
            deadline.hurry()
        assert deadline.was_interrupted()
        assert out_of_time() is Status.INTERRUPTED
        clock[0] += 1e-3
        assert deadline.is_up()
        assert deadline.left() < deadline.LATE[0]
