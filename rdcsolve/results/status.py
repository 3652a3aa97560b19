"""Why a solver stopped, and what its numbers prove: two questions, two answers."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, TypeVar

from rdcsolve.deadline import TimeIsUp, hurry, was_interrupted
from rdcsolve.problems import Objective
from rdcsolve.rounding import EPS

Answer = TypeVar("Answer", bound=Any)


class Status(Enum):
    """Why the solver stopped; the value is a sentence that says what it means and what to do."""

    OPTIMAL = "the gap between the bounds is within the tolerance"
    ALMOST_OPTIMAL = (
        "progress ended at a gap above the tolerance but below its square root; the bounds hold, "
        "so use them, or try another solver for a smaller gap"
    )
    STATIONARY = "a stationary point of a problem that is not convex; no global claim is made for the upper bound"
    INFEASIBLE = "no channel meets the limits; see `minimum` for what can be attained, and relax a limit"
    STEP_LIMIT = "the limit on the steps was reached; the bounds hold, raise max_steps for a smaller gap"
    TIME_LIMIT = "the limit on the time was reached; the bounds hold, raise time_limit for a smaller gap"
    STALLED = "the gap stopped shrinking; the bounds hold, try another solver or a larger tolerance"
    STOPPED_BY_CALLBACK = "the callback asked to stop; the bounds hold"
    INTERRUPTED = "interrupted from the keyboard; the bounds hold"
    NUMERICAL_ERROR = "the arithmetic broke down; finite bounds hold, rescale the losses or try another solver"


class Proof(Enum):
    """What the numbers prove."""

    CERTIFIED = "the lower bound holds for every channel and the upper bound is attained by the channel given"
    UNVERIFIED = "the upper bound is attained by the channel given; the lower bound rests on an unproved search"
    NONE = "nothing is proved"


_BY_ITSELF = (Status.OPTIMAL, Status.ALMOST_OPTIMAL, Status.STALLED, Status.NUMERICAL_ERROR)

_ROUNDING = 64 * EPS  # of the objective: what both bounds may round by


def ended_by(stop: KeyboardInterrupt | TimeIsUp) -> Status:
    """Return what an exception that ends a run from outside makes of it; there is a little time left for the answer."""
    if isinstance(stop, KeyboardInterrupt):
        hurry()
    return out_of_time()


def out_of_time() -> Status:
    """Return what a run is called that ends because its time is up: an interrupt before leaves only a little."""
    return Status.INTERRUPTED if was_interrupted() else Status.TIME_LIMIT


def uninterrupted(answer: Answer) -> Answer:
    """Return an answer to go on with; who pressed the key meant all of the work, not this part.

    Raises
    ------
    KeyboardInterrupt
        If an interrupt is what ended it.
    """
    if answer.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return answer


def judged(
    status: Status, goal: Objective, lower: float, upper: float, tolerance: float, slope: float = math.inf
) -> Status:
    """Return what to call a run that ended with `status` and these bounds.

    OPTIMAL if the gap is within the tolerance, however the run ended. Otherwise a run that ended by itself is
    ALMOST_OPTIMAL up to the square root of the tolerance, or where the gap is the rounding of numbers of this size,
    and has STALLED beyond.

    Parameters
    ----------
    status : Status
    goal : Objective
    lower, upper : float
        Bounds on the objective.
    tolerance : float
        Nats.
    slope : float, optional
        Of the objective, where it is a loss: nats per unit.
    """
    if goal.within(lower, upper, tolerance, slope):
        return Status.OPTIMAL
    if status not in _BY_ITSELF:
        return status
    if goal.within(lower, upper, math.sqrt(tolerance), slope) or upper - lower <= _ROUNDING * abs(upper):
        return Status.ALMOST_OPTIMAL
    return Status.NUMERICAL_ERROR if status is Status.NUMERICAL_ERROR else Status.STALLED
