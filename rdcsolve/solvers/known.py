"""Where an earlier answer is an answer already: limits that have moved, but do not bind, change nothing."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_rate
from rdcsolve.results.confirmation import confirmed
from rdcsolve.results.result import Result
from rdcsolve.results.status import Proof, Status


def answers(start: Result, problem: Problem, tolerance: float) -> bool:
    """Return whether a result's own numbers say that it answers a problem with the same losses, to a tolerance in nats.

    Its channel is to meet the limits, and its dual point, which bounds the rate under any limits, to be close enough.
    That is what it claims; `known` has it checked.
    """
    certificate = start.certificate
    is_plain = is_rate(problem.objective) and problem.multipliers is None and problem.rate_bound is None
    is_plain = is_plain and not problem.perceptions and problem.own_letters is None and not problem.held.any()
    is_plain = is_plain and start.unit == problem.unit == "nat"
    if certificate is None or not is_plain or start.status is not Status.OPTIMAL or start.proof is not Proof.CERTIFIED:
        return False
    means = np.array([start.losses.get(name, np.inf) for name in problem.loss_names])
    charged = certificate.multipliers > 0
    if not (means <= problem.bounds).all() or not np.isfinite(problem.bounds[charged]).all():
        return False
    charge = float(certificate.multipliers[charged] @ problem.bounds[charged])
    lower = float(problem.p_x @ (certificate.u + certificate.u_rest)) - charge
    return start.objective_upper - lower <= tolerance


def known(start: Result | None, problem: Problem, tolerance: float, began: float) -> Result | None:
    """Return the answer that a result of a problem with the same losses is to this one, checked; None if it is none.

    Parameters
    ----------
    start : Result or None
    problem : Problem
    tolerance : float
        Nats.
    began : float
        `time.perf_counter` when the work started.
    """
    if start is None or not answers(start, problem, tolerance):
        return None
    assert start.certificate is not None
    shown = np.where(np.isfinite(problem.bounds), problem.bounds, np.array(list(start.losses.values())))
    u = start.certificate.u + start.certificate.u_rest
    here = replace(
        start,
        d_tilted=u - float(start.certificate.multipliers @ shown),
        steps=0,
        history=(),
        message="",
    )
    checked = confirmed(here, problem, tolerance)
    if checked.status is not Status.OPTIMAL or checked.proof is not Proof.CERTIFIED:
        return None
    return replace(checked, seconds=time.perf_counter() - began)
