"""Checking a certificate against the problem, by one pass over its losses and without the solver.

The bounds are those of Csiszar (1974) and Blahut (1972): with c(a) = sum_i p_i exp(u_i - lambda.L(i, a)),
every channel without forbidden pairs has I >= p.u - lambda.E L - log max_a c(a), for any u and any
lambda >= 0. Read along the rate, along a loss or at fixed multipliers, this bounds each objective from below;
the channel bounds it from above.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem

if TYPE_CHECKING:
    from rdcsolve.certificates.certificate import Certificate

ROW_TOLERANCE = 1e-9
"""How far from one a row of the channel may sum; below it, the row is rescaled before anything else."""

LIMIT_TOLERANCE = 1e-9
"""By how much of its bound a limit may be exceeded."""

_ENTROPY_ALLOWANCE = 1e-14
"""How far, in nats, a label's entropy may exceed its limit besides: what differences of logarithms round by."""

_RATE_ALLOWANCE = 1e-12
_CLAIM_ALLOWANCE = 1e-12


@dataclass(frozen=True)
class Verification:
    """What a certificate proves about a problem.

    Every channel that meets the limits has an objective of at least `lower`; the certificate's channel
    exceeds the limits by at most `excess`, and its objective is at most `upper`. In ball arithmetic this is a
    theorem about the stored numbers; in floating point it carries the rounding of the check.

    Parameters
    ----------
    objective : str
        The problem's: ``"rate"``, ``"lagrangian"`` or the name of a loss.
    arithmetic : str
        ``"float"`` or ``"ball"``.
    lower, upper : float
        Bounds on the objective; the upper one is inf if the channel is none or misses a limit.
    excess : dict of str to float
        By how much the channel exceeds each limit, >= 0; ``"rate"`` for the rate limit. NaN without a
        channel.
    log_max_price : float
        log max_a c(a), nats: zero or less for a certificate in its stored form, NaN if it is not defined.
    valid : bool
        Whether the channel is one and meets the limits (to 1e-9 of the bound), and the certificate's claims
        follow. Claims about another objective than the problem's are left aside, which a message says.
    messages : tuple of str
        What is wrong, then what else there is to know.
    """

    objective: str
    arithmetic: str
    lower: float
    upper: float
    excess: dict[str, float]
    log_max_price: float
    valid: bool
    messages: tuple[str, ...] = ()

    @property
    def gap(self) -> float:
        """Upper minus lower bound."""
        return self.upper - self.lower

    def __str__(self) -> str:
        verdict = "valid" if self.valid else "NOT valid"
        rows = [
            f"{verdict} in {self.arithmetic} arithmetic: {self.objective} in "
            f"[{self.lower:.12f}, {self.upper:.12f}], gap {self.gap:.1e}"
        ]
        rows += [f"  limit on {name} exceeded by {value:.1e}" for name, value in self.excess.items() if value]
        return "\n".join(rows + [f"  {message}" for message in self.messages])


class _Findings(NamedTuple):
    """What makes a certificate invalid, and what is only worth knowing."""

    faults: list[str]
    notes: list[str]


def verify(certificate: Certificate, problem: Problem, arithmetic: str = "float") -> Verification:
    """Recompute both bounds of a certificate from the problem; see `Certificate.verify`.

    Parameters
    ----------
    certificate : Certificate
    problem : Problem
        The problem solved, or another with the same losses, whatever its limits and objective.
    arithmetic : {"float", "ball"}, optional

    Returns
    -------
    Verification

    Raises
    ------
    InvalidInput
        If the problem's losses are not those of the certificate, an array has the wrong shape, or
        `arithmetic` is unknown.
    MissingExtra
        If ball arithmetic is asked for and python-flint is not installed.
    """
    _check_fit(certificate, problem)
    findings = _Findings([], [])
    numbers: Any = _numbers(arithmetic)(
        problem, certificate.u, certificate.multipliers, certificate.letters, certificate.channel
    )
    with numbers.context():
        lower, log_max_price = _lower_bound(certificate, problem, numbers, findings)
        upper, excess = _upper_bound(certificate, problem, numbers, findings)
    _compare_claims(certificate, problem, arithmetic, lower, upper, findings)
    return Verification(
        objective=problem.objective,
        arithmetic=arithmetic,
        lower=lower,
        upper=upper,
        excess=excess,
        log_max_price=log_max_price,
        valid=not findings.faults,
        messages=(*findings.faults, *findings.notes),
    )


def _numbers(arithmetic: str) -> Any:
    if arithmetic == "float":
        return FloatNumbers
    if arithmetic == "ball":
        from rdcsolve.certificates.ball import BallNumbers

        return BallNumbers
    raise InvalidInput(f"unknown arithmetic {arithmetic!r}; choose one of 'float', 'ball'")


def _check_fit(certificate: Certificate, problem: Problem) -> None:
    if problem.own_letters is not None:
        raise InvalidInput(
            f"the check does not know the letters of {type(problem.own_letters).__name__}, so nothing is proved of "
            "all of them; solve problem.listed(result.reproduction, result.decisions) for a proof over those listed"
        )
    if certificate.fingerprint != problem.fingerprint():
        raise InvalidInput(
            f"the certificate belongs to losses with fingerprint {certificate.fingerprint}, but the "
            f"problem's is {problem.fingerprint()}; pass the problem that was solved, or a variant of it"
        )
    k = certificate.letters.size
    shapes = {
        "u": (problem.n_x,),
        "multipliers": (len(problem.losses),),
        "letters": (k,),
        "channel": (problem.n_x, k),
    }
    for name, shape in shapes.items():
        found = getattr(certificate, name).shape
        if found != shape:
            raise InvalidInput(f"the certificate's {name} has shape {found}; this problem needs {shape}")
    letters = certificate.letters
    n_letters = problem.n_letters if problem.free is None else k
    if letters.dtype.kind not in "iu" or (k and not 0 <= letters.min() <= letters.max() < n_letters):
        raise InvalidInput(f"the certificate's letters are not indices below {n_letters}")


def _lower_bound(certificate: Certificate, problem: Problem, numbers: Any, findings: _Findings) -> tuple[float, float]:
    """Return the better of the dual and the trivial bound, and log max c."""
    multipliers = certificate.multipliers
    target = problem.loss_names.index(problem.minimise) if problem.minimise != "rate" else None
    trivial = 0.0 if target is None else numbers.lower_end(numbers.least_loss(target))
    if not (np.isfinite(multipliers) & (multipliers >= 0)).all():
        findings.faults.append("a multiplier is negative or not finite: they prove nothing")
        return trivial, math.nan
    if not np.isfinite(certificate.u[problem.p_x > 0]).all():
        findings.faults.append("u is not finite at a symbol of positive mass: it proves nothing")
        return trivial, math.nan
    log_max_price = numbers.log_max_price()
    reported = numbers.upper_end(log_max_price)
    if not math.isfinite(reported):
        findings.faults.append("lambda.L leaves the range of floats for every letter: nothing is proved")
        return trivial, reported
    unusable = _unusable(multipliers, problem, target)
    if not numbers.proved:
        unusable = (
            "the largest price was searched for, not proved (too many classes for the multiplier, or letters free off "
            "the line): only the trivial lower bound follows"
        )
    if unusable:
        findings.notes.append(unusable)
        return trivial, reported
    value = numbers.mean_u() - log_max_price
    for m in np.flatnonzero(multipliers).tolist():
        if m != target and problem.multipliers is None:
            value = value - numbers.number(float(multipliers[m])) * numbers.number(float(problem.bounds[m]))
    if target is not None:
        value = value - numbers.number(float(problem.rate_bound))  # type: ignore[arg-type]
        value = value / numbers.number(float(multipliers[target]))
    lower = numbers.lower_end(value)
    return (max(trivial, lower) if math.isfinite(lower) else trivial), reported


def _unusable(multipliers: np.ndarray, problem: Problem, target: int | None) -> str:
    """Return why these multipliers give this problem only its trivial bound, or an empty string."""
    if problem.multipliers is not None:
        above = np.flatnonzero(multipliers > problem.multipliers)
        if above.size:
            name = problem.loss_names[above[0]]
            return f"the multiplier of {name} is above the problem's: only the trivial lower bound follows"
        return ""
    if target is not None and multipliers[target] == 0:
        return f"the multiplier of {problem.minimise} is zero: only the trivial lower bound follows"
    for m, name in enumerate(problem.loss_names):
        if m != target and multipliers[m] > 0 and math.isinf(problem.bounds[m]):
            return f"{name} has a multiplier but no limit: only the trivial lower bound follows"
    return ""


def _upper_bound(
    certificate: Certificate, problem: Problem, numbers: Any, findings: _Findings
) -> tuple[float, dict[str, float]]:
    """Return the objective of the channel, inf if it is none or misses a limit, and the excess."""
    limits = dict(zip(problem.loss_names, problem.bounds.tolist(), strict=True))
    limits = {name: bound for name, bound in limits.items() if bound < math.inf}
    if problem.rate_bound is not None:
        limits["rate"] = problem.rate_bound
    fault = _channel_fault(certificate, problem, numbers)
    if fault:
        (findings.faults if certificate.letters.size else findings.notes).append(fault)
        return math.inf, dict.fromkeys(limits, math.nan)
    rate = numbers.rate()
    means = [numbers.mean_loss(m) for m in range(len(problem.losses))]
    attained = dict(zip(problem.loss_names, means, strict=True)) | {"rate": rate}
    excess = {
        name: max(0.0, numbers.upper_end(attained[name] - numbers.number(bound))) for name, bound in limits.items()
    }
    is_met = True
    allowed = {"rate": _RATE_ALLOWANCE} | {label.name: _ENTROPY_ALLOWANCE for label in problem.label_entropies}
    for name, bound in limits.items():
        if excess[name] > LIMIT_TOLERANCE * bound + allowed.get(name, 0.0):
            findings.faults.append(f"the channel exceeds the limit {bound:.6g} on {name} by {excess[name]:.3g}")
            is_met = False
    if not is_met:
        return math.inf, excess
    if problem.multipliers is None:
        return numbers.upper_end(attained[problem.minimise]), excess
    for multiplier, mean in zip(problem.multipliers.tolist(), means, strict=True):
        rate = rate + numbers.number(multiplier) * mean
    return numbers.upper_end(rate), excess


def _channel_fault(certificate: Certificate, problem: Problem, numbers: Any) -> str:
    """Return what keeps the certificate's channel from being one, or an empty string."""
    if not certificate.letters.size:
        return "the certificate holds no channel: there is no upper bound"
    if problem.letters == "fixed" and np.unique(certificate.letters).size < certificate.letters.size:
        return "the channel uses a symbol with several decisions, but the problem's letters are fixed"
    if not 0.0 <= numbers.channel.min() <= numbers.channel.max() < math.inf:  # false if any entry is NaN
        return "the channel has an entry that is negative or not finite"
    forbidden = numbers.forbidden_mass()
    if forbidden > 0:
        return f"the channel gives mass {forbidden:.3g} to a forbidden pair"
    error = numbers.row_error()
    if error > ROW_TOLERANCE:
        return f"a row of the channel sums to one only within {error:.3g}"
    return ""


def _compare_claims(
    certificate: Certificate,
    problem: Problem,
    arithmetic: str,
    lower: float,
    upper: float,
    findings: _Findings,
) -> None:
    """Note claims that do not follow; NaN claims nothing."""
    if certificate.objective != problem.objective:
        findings.notes.append(
            f"the certificate's claims concern the objective {certificate.objective!r}, "
            f"not {problem.objective!r}: they are not compared"
        )
        return
    allowance = _CLAIM_ALLOWANCE if arithmetic == "float" else 0.0
    claimed = certificate.lower
    if lower < claimed - _allowed(claimed, allowance):
        findings.faults.append(f"a lower bound of {claimed:.17g} is claimed but only {lower:.17g} follows")
    claimed = certificate.upper
    if upper > claimed + _allowed(claimed, allowance):
        findings.faults.append(f"an upper bound of {claimed:.17g} is claimed but only {upper:.17g} follows")


def _allowed(claimed: float, allowance: float) -> float:
    return allowance * (1.0 + abs(claimed)) if math.isfinite(claimed) else 0.0
