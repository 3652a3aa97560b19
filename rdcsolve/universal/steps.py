"""Steps of a search that may be told to stop, and what there is by then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeVar

from rdcsolve import deadline
from rdcsolve.results import Status
from rdcsolve.results.result import StepRecord
from rdcsolve.results.status import ended_by, out_of_time

Item = TypeVar("Item")


class Steps:
    """Counts the steps of a search, tells of each, and says when to stop.

    Parameters
    ----------
    most : float
        How many steps there may be.
    callback : callable, optional
        Called with a `StepRecord` after each; a true return value ends the search.
    n_letters : int
        Letters of the problem, for the records.

    Attributes
    ----------
    ended : Status or None
        What ended the search before it was through.
    """

    def __init__(
        self,
        most: float = math.inf,
        callback: Callable[[StepRecord], object] | None = None,
        n_letters: int = 0,
    ) -> None:
        self.most, self.callback, self.n_letters = most, callback, n_letters
        self.count, self.began = 0, deadline.clock()
        self.ended: Status | None = None

    def end(self, stop: KeyboardInterrupt | deadline.TimeIsUp) -> None:
        """Let this be the end."""
        self.ended = self.ended or ended_by(stop)

    def are_over(self) -> bool:
        """Return whether the search is to end here."""
        if self.ended is None and deadline.is_up():
            self.ended = out_of_time()
        return self.ended is not None

    def taken(self) -> bool:
        """Count a step, tell of it, and return whether the search goes on."""
        if self.are_over():
            return False
        self.count += 1
        record = StepRecord(self.count, deadline.clock() - self.began, math.nan, math.nan, (), self.n_letters)
        if self.callback is not None and self.callback(record):
            self.ended = Status.STOPPED_BY_CALLBACK
        elif self.count >= self.most:
            self.ended = Status.STEP_LIMIT
        return not self.are_over()

    def collected(self, items: Iterable[Item]) -> list[Item]:
        """Return the items, each a step, that come before the end."""
        held: list[Item] = []
        try:
            for item in items:
                held.append(item)
                if not self.taken():
                    break
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            self.end(stop)
        return held
