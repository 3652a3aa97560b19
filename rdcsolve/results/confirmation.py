"""Bounds that leave the library are those that the check of their certificate confirms."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from rdcsolve.certificates.check import examine
from rdcsolve.problems import Problem
from rdcsolve.results.result import Result
from rdcsolve.results.status import Proof


def confirmed(result: Result, problem: Problem) -> Result:
    """Return a result whose certificate claims what the check confirms, and whose bounds are no stronger."""
    if result.certificate is None:
        return result
    found = examine(result.certificate, problem)
    upper = found.upper if math.isfinite(found.upper) else result.certificate.upper
    certificate = replace(result.certificate, lower=found.lower, upper=upper)
    changes: dict[str, Any] = {"objective_upper": max(result.objective_upper, upper)}
    if result.proof is Proof.CERTIFIED:
        changes["objective_lower"] = min(result.objective_lower, found.lower)
    if problem.objective == "rate":
        changes |= {name.replace("objective", "rate"): value for name, value in changes.items()}
    return replace(result, certificate=certificate, **changes)
