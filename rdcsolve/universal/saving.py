"""The file of a universal rate: written as targets are solved, and where the next run goes on."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np

from rdcsolve import files
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.results import Result, Status
from rdcsolve.results.confirmation import confirmed
from rdcsolve.universal.check import confirmed as confirmed_together
from rdcsolve.universal.packing import save
from rdcsolve.universal.result import Universal
from rdcsolve.universal.solving import Work
from rdcsolve.universal.storage import load
from rdcsolve.universal.targets import rows_of, with_bounds, with_split_letters
from rdcsolve.writing import held

_SECONDS_BETWEEN_SAVES = 2.0
_UNFINISHED = (Status.INTERRUPTED, Status.STOPPED_BY_CALLBACK, Status.TIME_LIMIT)
_ASKED = "asked"


class Kept:
    """What is kept of a universal rate in a file, if there is to be one.

    Parameters
    ----------
    path : Path or None
    problem : Problem
    bounds : numpy.ndarray
        Of the targets, shape (J, L).
    asked : dict
        What the call asks for: ``tolerance`` in nats, ``max_steps``, ``method``.
    """

    def __init__(self, path: Path | None, problem: Problem, bounds: np.ndarray, asked: dict[str, Any]) -> None:
        self.path, self.problem, self.bounds, self.asked = path, problem, bounds, asked
        self.saved_at = time.monotonic()

    def alone(self) -> AbstractContextManager[None]:
        """Keep the file for this run alone; see `rdcsolve.writing.held`."""
        return nullcontext() if self.path is None else held(self.path, "computes a universal rate into it")

    def earlier(self) -> tuple[dict[bytes, Result], Universal | None]:
        """Return the targets that an earlier run solved, by their rows of bounds, and its answer if nothing is left.

        The check looks at them as if they were new.

        Raises
        ------
        InvalidInput
            If the file is about something else.
        UnreadableFile
            If it is damaged.
        """
        if self.path is None or not self.path.exists():
            return {}, None
        answer, asked = self._read(self.path)
        found: dict[bytes, Result] = {}
        for row, result in zip(self.bounds, answer.results, strict=True):
            if self._is_enough(result.status, asked):
                checked = confirmed(result, with_bounds(self.problem, row), self.asked["tolerance"])
                if checked.status is result.status:
                    found[row.tobytes()] = checked
        is_whole = all(row.tobytes() in found for row in self.bounds) and self._is_enough(answer.status, asked)
        if not is_whole or asked.get("method") != self.asked["method"]:
            return found, None
        again = confirmed_together(answer, self.problem, self.asked["tolerance"])
        return found, again if again.status is answer.status else None

    def _is_enough(self, status: Status, asked: dict[str, Any]) -> bool:
        """Return whether what ended so needs no more work."""
        if status in _UNFINISHED or (status is Status.STEP_LIMIT and asked.get("max_steps") != self.asked["max_steps"]):
            return False
        return status is Status.INFEASIBLE or asked.get("tolerance", np.inf) <= self.asked["tolerance"]

    def _read(self, path: Path) -> tuple[Universal, dict[str, Any]]:
        answer, (header, _) = load(path), files.read(path)
        if not isinstance(answer, Universal):
            raise InvalidInput(f"{path} exists, not with a universal rate; save to another path, or move the file away")
        answer = answer if answer.in_nats is None else answer.in_nats  # type: ignore[assignment]
        try:
            bounds = rows_of(self.problem, answer.targets)
        except InvalidInput:
            bounds = np.empty((0, 0))
        known = {self.problem.fingerprint(), with_split_letters(self.problem).fingerprint()}
        if not {one.fingerprint for one in answer.results} <= known or not np.array_equal(bounds, self.bounds):
            raise InvalidInput(
                f"{path} holds a universal rate of another problem, or of other targets; save to another path, or move "
                "the file away"
            )
        asked = header.get(_ASKED)
        return answer, asked if isinstance(asked, dict) else {}

    def write(self, answer: Callable[[], Universal], work: Work, *, is_last: bool = False) -> None:
        """Write an answer, unless that was done a moment ago and more is to come."""
        if self.path is None or not (is_last or time.monotonic() - self.saved_at > _SECONDS_BETWEEN_SAVES):
            return
        made = answer()
        save(made.in_bits() if work.unit == "bit" else made, self.path, {_ASKED: self.asked})
        self.saved_at = time.monotonic()
