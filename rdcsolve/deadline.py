"""How long work may take: loops that may be long look at the clock here, whoever called them.

`within` sets an end for all that is called inside it, and `look` raises `TimeIsUp` beyond that end. Whoever catches it
puts together what there is, which may look at the clock too: so the end moves on a little each time it is raised, and
an interrupt from the keyboard, which `hurry` makes known, leaves as little time. In all an answer is late by no more
than what `LATE` says, if no piece of work between two looks takes longer than a fraction of a second.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

LATE = (2.0, 0.1)
"""How late an answer may be: seconds, or a share of the limit if that is more."""

_STAGES = 5  # times that the end moves on before an answer is late

clock: Callable[[], float] = time.perf_counter
"""What tells the time, seconds; tests put their own clock here."""


class TimeIsUp(Exception):
    """The time is up."""


@dataclass
class _End:
    stated: float
    moved: float
    more: float
    interrupted: bool = False

    def hurry(self) -> None:
        """Let this end be now, with a little time left."""
        if not self.interrupted:
            now = clock()
            self.stated, self.moved, self.interrupted = min(self.stated, now), now + self.more, True


_end: ContextVar[_End | None] = ContextVar("end", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let all that is called inside end after so many seconds, inf for no end; an earlier end around it holds too."""
    outer, at = _end.get(), clock() + seconds
    if outer is not None and outer.stated <= at:
        yield
        return
    more = max(LATE[0], LATE[1] * seconds) / _STAGES
    inner = _End(at, at, more if math.isfinite(more) else LATE[0] / _STAGES)
    token = _end.set(inner)
    try:
        yield
    finally:
        _end.reset(token)
        if outer is not None and inner.interrupted:
            outer.hurry()


@contextmanager
def finishing() -> Iterator[None]:
    """Give what is called inside the little time that is left: there the time is not up before that is over."""
    end = _end.get()
    if end is None:
        yield
        return
    at = max(end.moved, clock() + end.more)
    inner = _End(at, at, end.more, end.interrupted)
    token = _end.set(inner)
    try:
        yield
    finally:
        _end.reset(token)
        if inner.interrupted:
            end.hurry()
        else:
            end.moved = max(end.moved, at)


@contextmanager
def ignored() -> Iterator[None]:
    """Do what is called inside whatever the clock says: the last bit of an answer."""
    token = _end.set(None)
    try:
        yield
    finally:
        _end.reset(token)


def look() -> None:
    """Raise if the time is up.

    Raises
    ------
    TimeIsUp
        And the end moves on: whoever catches it has a little more time.
    """
    end = _end.get()
    if end is None:
        return
    now = clock()
    if now > end.moved:
        end.moved = now + end.more
        raise TimeIsUp


def is_up() -> bool:
    """Return whether the time is up, whatever has been caught since."""
    end = _end.get()
    return end is not None and clock() > end.stated


def was_interrupted() -> bool:
    """Return whether `hurry` was called inside the present end."""
    end = _end.get()
    return end is not None and end.interrupted


def left() -> float:
    """Return how many seconds are left before `look` raises, at least a hundredth of one; inf for no end."""
    end = _end.get()
    return math.inf if end is None else max(end.moved - clock(), 0.01)


def hurry() -> None:
    """Let the time be up: an interrupt from the keyboard was caught, and what there is will be put together."""
    end = _end.get()
    if end is not None:
        end.hurry()
