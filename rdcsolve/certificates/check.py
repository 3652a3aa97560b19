"""Checking a certificate against the problem, by one pass over its losses and without the solver.

The bounds are those of Csiszar (1974) and Blahut (1972): with c(a) = sum_i p_i exp(u_i - lambda.L(i, a)),
every channel without forbidden pairs has I >= p.u - lambda.E L - log max_a c(a), for any u and any
lambda >= 0. Read along the rate, along a loss or at fixed multipliers, this bounds each objective from below;
the channel bounds it from above. The page about the certificate file says all that is checked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from rdcsolve.certificates import law_check, law_move
from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.certificates.moments import RowsOnDemand
from rdcsolve.certificates.prices import log_largest_price
from rdcsolve.certificates.proof import PriceProof
from rdcsolve.certificates.tolerances import read_as_least, slack_of
from rdcsolve.errors import InvalidInput
from rdcsolve.markup import verdict_in_html
from rdcsolve.problems import Problem
from rdcsolve.problems.objective import is_in_nats
from rdcsolve.rounding import up

ROW_TOLERANCE = 1e-9
"""How far from one a row of the channel may sum; below it, the row is rescaled before anything else."""


class Checkable(Protocol):
    """What is checked: the fields of a `Certificate`, but for what it claims."""

    @property
    def u(self) -> np.ndarray:
        """Shape (n_x,), nats."""
        ...

    @property
    def u_rest(self) -> np.ndarray:
        """Shape (n_x,): what is to be added to u."""
        ...

    @property
    def multipliers(self) -> np.ndarray:
        """Shape (M,)."""
        ...

    @property
    def letters(self) -> np.ndarray:
        """Shape (k,)."""
        ...

    @property
    def channel(self) -> np.ndarray | RowsOnDemand:
        """Shape (n_x, k)."""
        ...

    @property
    def proof(self) -> PriceProof | None:
        """What proves the largest price."""
        ...

    @property
    def laws(self) -> tuple[LawProof, ...]:
        """What bounds prices by limits on the reproduction's law."""
        ...


class Claiming(Checkable, Protocol):
    """A `Certificate`."""

    @property
    def objective(self) -> str:
        """What the claims are about."""
        ...

    @property
    def lower(self) -> float:
        """A lower bound claimed, or NaN."""
        ...

    @property
    def upper(self) -> float:
        """An upper bound claimed, or NaN."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of the problem solved."""
        ...


@dataclass(frozen=True)
class Verification:
    """What a certificate proves about a problem.

    Every channel that meets the limits has an objective of at least `lower`; the certificate's channel
    exceeds the limits by at most `excess` (the distance from the bound, where the mean is to equal it), and its
    objective is at most `upper`. In ball arithmetic this is a theorem about the stored numbers. In floating point every
    rounding is allowed for, and it rests on NumPy's exp and log being good to four units in the last place.

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
        An upper bound of log max_a c(a), nats: zero or less for a certificate in its stored form, NaN if it is not
        defined, inf if it is not proved.
    valid : bool
        Whether the channel is one and meets the limits (in floating point to 1e-12 of the loss's spread, or nats of
        rate; in ball arithmetic exactly, but a mean that is to equal its bound to 2^-49 of the spread), and the
        certificate's claims follow. Claims about another objective than the problem's are left aside, which a message
        says.
    messages : tuple of str
        What is wrong, then what else there is to know.
    proved : bool
        Whether the certificate proves the largest price, so that `lower` is what u and the multipliers are worth. Else
        `lower` rests on what needs no proof.
    losses : dict of str to float
        Upper bounds on what the channel attains; empty without a channel.
    rate : float
        The same for its rate, nats; NaN without a channel.
    plane : float
        A lower bound on I(X; A) + lambda.E L for every channel, nats; -inf if there is none.
    slack : dict of str to float
        By how much each limit may be exceeded.
    perceptions : dict of str to float
        Upper bounds on how far the law of the reproduction is from its targets; empty without a channel.
    """

    objective: str
    arithmetic: str
    lower: float
    upper: float
    excess: dict[str, float]
    log_max_price: float
    valid: bool
    messages: tuple[str, ...] = ()
    proved: bool = True
    losses: dict[str, float] = field(default_factory=dict)
    rate: float = math.nan
    plane: float = -math.inf
    slack: dict[str, float] = field(default_factory=dict)
    perceptions: dict[str, float] = field(default_factory=dict)

    @property
    def gap(self) -> float:
        """Upper minus lower bound."""
        return self.upper - self.lower

    _repr_html_ = verdict_in_html

    def __str__(self) -> str:
        verdict = "valid" if self.valid else "NOT valid"
        unit = " nat" if is_in_nats(self.objective) else ""
        rows = [
            f"{verdict} in {self.arithmetic} arithmetic: {self.objective} in "
            f"[{self.lower:.12f}, {self.upper:.12f}]{unit}, gap {self.gap:.1e}"
        ]
        rows += [f"  limit on {name} exceeded by {value:.1e}" for name, value in self.excess.items() if value]
        return "\n".join(rows + [f"  {message}" for message in self.messages])


class _Findings(NamedTuple):
    """What makes a certificate invalid, and what is only worth knowing."""

    faults: list[str]
    notes: list[str]


class _Lower(NamedTuple):
    """A lower bound on the objective, what it rests on, and whether that is proved."""

    bound: float
    log_largest: float
    plane: float
    proved: bool


class _Upper(NamedTuple):
    """An upper bound on the objective, what the channel attains, and by how much it may exceed the limits."""

    bound: float
    excess: dict[str, float]
    losses: dict[str, float]
    rate: float
    slack: dict[str, float]
    perceptions: dict[str, float]
    missed: tuple[str, ...] = ()  # limits that the channel exceeds


def verify(certificate: Claiming, problem: Problem, arithmetic: str = "float") -> Verification:
    """Recompute both bounds of a certificate from the problem, and hold its claims against them.

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
    if not isinstance(problem, Problem):
        raise InvalidInput(f"problem is {problem!r}; pass the Problem that was solved, or a variant of it")
    if certificate.fingerprint != problem.fingerprint():
        raise InvalidInput(
            f"the certificate belongs to losses with fingerprint {certificate.fingerprint}, but the "
            f"problem's is {problem.fingerprint()}; pass the problem that was solved, or a variant of it"
        )
    found, findings = _examined(certificate, problem, arithmetic)
    _compare(certificate, problem, found, findings)
    return _judged(found, findings)


def examine(certificate: Checkable, problem: Problem, arithmetic: str = "float") -> Verification:
    """Recompute both bounds from the problem, whatever the certificate claims; see `verify`.

    Parameters
    ----------
    certificate : Certificate
        Or anything with its u, u_rest, multipliers, letters, channel and proof.
    problem : Problem
    arithmetic : {"float", "ball"}, optional
    """
    return _judged(*_examined(certificate, problem, arithmetic))


def excess_over_limits(certificate: Checkable, problem: Problem, arithmetic: str) -> tuple[dict[str, float], list[str]]:
    """Return by how much the channel exceeds limits, at most, where it may not, and which are read as a least value.

    This takes no proof of prices.
    """
    numbers = _numbers_for(certificate, problem, arithmetic)
    with numbers.context():
        laws = law_check.laws_of(certificate, problem, numbers, arithmetic)
        upper = _upper_bound(certificate.letters, problem, numbers, laws, arithmetic, _Findings([], []))
        notes = read_as_least(numbers, problem) + law_check.read_as_least(laws, problem)
    return {name: upper.excess[name] for name in upper.missed}, notes


def _judged(found: Verification, findings: _Findings) -> Verification:
    return replace(found, valid=not findings.faults, messages=(*findings.faults, *findings.notes))


def _examined(certificate: Checkable, problem: Problem, arithmetic: str) -> tuple[Verification, _Findings]:
    _check_fit(certificate, problem)
    findings, numbers_of = _Findings([], []), _numbers(arithmetic)
    numbers = _numbers_for(certificate, problem, arithmetic)
    with numbers.context():
        laws = law_check.laws_of(certificate, problem, numbers, arithmetic)
        lower = _lower_bound(
            certificate, problem, law_check.dual_of(certificate, problem, numbers_of, numbers, laws), findings
        )
        upper = _upper_bound(certificate.letters, problem, numbers, laws, arithmetic, findings)
        findings.notes.extend(read_as_least(numbers, problem) + law_check.read_as_least(laws, problem))
    if lower.bound > upper.bound:  # a limit is met within its slack, but no channel meets it exactly
        missed = max(upper.excess, key=lambda name: upper.excess[name], default="rate")
        findings.notes.append(f"the limit on {missed} is met to rounding, by no channel exactly: bounds are cut there")
        lower = lower._replace(bound=upper.bound)
    found = Verification(
        objective=problem.objective,
        arithmetic=arithmetic,
        lower=lower.bound,
        upper=upper.bound,
        excess=upper.excess,
        log_max_price=lower.log_largest,
        valid=True,
        proved=lower.proved,
        losses=upper.losses,
        rate=upper.rate,
        plane=lower.plane,
        slack=upper.slack,
        perceptions=upper.perceptions,
    )
    return found, findings


def _numbers_for(certificate: Checkable, problem: Problem, arithmetic: str) -> Any:
    """Return the bounds on means, prices and rates of a certificate's numbers."""
    return _numbers(arithmetic)(
        problem,
        certificate.u,
        certificate.u_rest,
        certificate.multipliers,
        certificate.letters,
        certificate.channel,
        certificate.proof,
    )


def _numbers(arithmetic: str) -> Any:
    if arithmetic == "float":
        return FloatNumbers
    if arithmetic == "ball":
        from rdcsolve.certificates.ball import BallNumbers

        return BallNumbers
    raise InvalidInput(f"unknown arithmetic {arithmetic!r}; choose one of 'float', 'ball'")


def _check_fit(certificate: Checkable, problem: Problem) -> None:
    if problem.own_letters is not None:
        raise InvalidInput(
            f"the check does not know the letters of {type(problem.own_letters).__name__}, so nothing is proved of "
            "all of them; solve problem.listed(result.reproduction, result.decisions) for a proof over those listed"
        )
    k = certificate.letters.size
    shapes = {
        "u": (problem.n_x,),
        "u_rest": (problem.n_x,),
        "multipliers": (len(problem.losses),),
        "letters": (k,),
        "channel": (problem.n_x, k),
    }
    if certificate.laws and len(certificate.laws) != len(problem.perceptions):
        raise InvalidInput(
            f"the certificate bounds {len(certificate.laws)} laws of the reproduction; this problem measures "
            f"{len(problem.perceptions)}"
        )
    for perception, law in zip(problem.perceptions, certificate.laws, strict=False):
        fault = law.fault(perception)
        if fault:
            raise InvalidInput(f"the certificate's proof for '{perception.name}' {fault}")
    for name, shape in shapes.items():
        found = getattr(certificate, name).shape
        if found != shape:
            raise InvalidInput(f"the certificate's {name} has shape {found}; this problem needs {shape}")
    letters = certificate.letters
    n_letters = problem.n_letters if problem.free is None else k
    if letters.dtype.kind not in "iu" or (k and not 0 <= letters.min() <= letters.max() < n_letters):
        raise InvalidInput(f"the certificate's letters are not indices below {n_letters}")


# ------------------------------------------------------------------------------------------- from below


def _lower_bound(certificate: Checkable, problem: Problem, dual: law_check.Dual, findings: _Findings) -> _Lower:
    """Return the better of the dual and the trivial bound, and what it rests on."""
    numbers, multipliers, target = dual.numbers, certificate.multipliers, problem.goal.target
    trivial = dual.plain.least_lagrangian() if target is None else dual.plain.least_loss(target)
    nothing = _Lower(trivial, math.nan, -math.inf, False)
    if not (np.isfinite(multipliers) & ((multipliers >= 0) | problem.held)).all():
        findings.faults.append("a multiplier is negative or not finite: they prove nothing")
        return nothing
    if not (np.isfinite(numbers.u) & np.isfinite(numbers.u_rest)).all():
        findings.faults.append("u is not finite at a symbol of positive mass: it proves nothing")
        return nothing
    try:
        log_largest, proved = (
            log_largest_price(numbers) if numbers.needs_proof else (numbers.log_largest_listed(), True)
        )
    except InvalidInput as error:  # of the proof
        findings.faults.append(str(error))
        return nothing
    if not proved:
        findings.notes.append(
            "the largest price was searched for, not proved (too many classes for the multiplier, or letters free off "
            "the line): only what needs no proof follows"
        )
    if not math.isfinite(log_largest):
        if not proved:
            return nothing._replace(log_largest=log_largest)
        findings.faults.append("lambda.L leaves the range of floats for every letter: nothing is proved")
        return nothing._replace(log_largest=log_largest)
    supports = dual.supports
    spent = law_check.rounded_up(*supports) if supports else 0.0
    if not math.isfinite(spent):
        findings.faults.append("the scalars of a law's proof bound nothing: they prove nothing")
        return nothing._replace(log_largest=log_largest)
    plane = numbers.plane(log_largest, spent)
    unusable = _unusable(multipliers, problem, target) or law_check.unusable_law(dual.laws, problem)
    if unusable:
        findings.notes.append(unusable)
        return _Lower(trivial, log_largest, plane, proved)
    bound = law_check.charged_bound(problem, dual, log_largest, supports, plane)
    return _Lower(max(trivial, bound) if math.isfinite(bound) else trivial, log_largest, plane, proved)


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
        if m != target and multipliers[m] != 0 and math.isinf(problem.bounds[m]):
            return f"{name} has a multiplier but no limit: only the trivial lower bound follows"
    return ""


# ------------------------------------------------------------------------------------------- from above


def _upper_bound(
    letters: np.ndarray, problem: Problem, numbers: Any, laws: list[Any], arithmetic: str, findings: _Findings
) -> _Upper:
    """Return the objective of the channel, inf if it is none or misses a limit, and what it attains."""
    limits = {m: bound for m, bound in enumerate(problem.bounds.tolist()) if bound < math.inf}
    named = {problem.loss_names[m]: bound for m, bound in limits.items()}
    named |= {law.perception.name: law.bound for law in laws if law.bound < math.inf}
    if problem.rate_bound is not None:
        named["rate"] = problem.rate_bound
    fault = _channel_fault(letters, problem, numbers)
    if fault:
        (findings.faults if letters.size else findings.notes).append(fault)
        return _Upper(math.inf, dict.fromkeys(named, math.nan), {}, math.nan, {}, {})
    stated, laws = laws, [law.from_above() for law in laws]
    distances = {law.perception.name: law.distance() for law in laws}
    move = law_move.move_of(problem, laws, distances, numbers, arithmetic)
    moved = move.against
    raised = {m: up(moved * numbers.spread(m)) if moved else 0.0 for m in range(len(problem.linear_losses))}
    excess = {problem.loss_names[m]: numbers.excess(m, bound) + raised.get(m, 0.0) for m, bound in limits.items()}
    held = {problem.loss_names[m]: m for m in np.flatnonzero(problem.held).tolist()}
    for name, m in held.items():
        excess[name] = max(excess[name], numbers.shortfall(m, limits[m]) + raised.get(m, 0.0))
    excess |= law_check.law_excess(laws, distances, moved)
    if moved and arithmetic == "ball":
        findings.notes.append(f"mass {moved:.3g} moved makes the law exact; what that adds to losses is counted")
    if problem.rate_bound is not None:
        excess["rate"] = numbers.rate_excess(problem.rate_bound) + move.rate
    slack = slack_of(problem, numbers, arithmetic, excess)
    slack |= law_check.law_slack(laws, arithmetic, moved)
    missed = [name for name, value in excess.items() if not value <= slack[name]]
    for name in missed:
        findings.faults.append(f"the channel exceeds the limit {named[name]:.6g} on {name} by {excess[name]:.3g}")
    losses = {name: numbers.mean(m) for m, name in enumerate(problem.loss_names)}
    for m, bound in limits.items():
        name, attained = problem.loss_names[m], losses[problem.loss_names[m]]
        if numbers.counts_as_least(m, bound):  # a mean at the least value is above such a bound, and meets it
            slack[name] = max(slack[name], attained - bound)
        elif name not in held:  # the excess is known better than the mean, which is rounded beside its level
            losses[name] = min(attained, bound if excess[name] <= 0 else up(bound + excess[name]))
    upper = math.inf if missed else law_check.objective_of(problem, numbers, move, distances)
    capped = {name: max(0.0, value) for name, value in excess.items()}
    distances |= {law.perception.name: law.bound for law in set(stated) - set(laws)}  # once mass is moved
    return _Upper(upper, capped, losses, numbers.rate, slack, distances, tuple(missed))


def _channel_fault(letters: np.ndarray, problem: Problem, numbers: Any) -> str:
    """Return what keeps the certificate's channel from being one, or an empty string."""
    if not letters.size:
        return "the certificate holds no channel: there is no upper bound"
    if problem.letters == "fixed" and np.unique(letters).size < letters.size:
        return "the channel uses a symbol with several decisions, but the problem's letters are fixed"
    survey = numbers.survey
    if not 0.0 <= survey.least <= survey.largest < math.inf:  # false if any entry is NaN
        return "the channel has an entry that is negative or not finite"
    if survey.forbidden > 0:
        return f"the channel gives mass {survey.forbidden:.3g} to a forbidden pair"
    error = numbers.row_error()
    if error > ROW_TOLERANCE:
        return f"a row of the channel sums to one only within {error:.3g}"
    return ""


# ------------------------------------------------------------------------------------------- claims


def _compare(certificate: Claiming, problem: Problem, found: Verification, findings: _Findings) -> None:
    """Note claims that do not follow; NaN claims nothing."""
    faults = findings.faults
    if certificate.objective != problem.objective:
        if certificate.objective not in ("rate", "lagrangian", *problem.loss_names, *problem.perception_names):
            faults.append(f"the certificate's objective {certificate.objective!r} is none that this problem can have")
            return
        findings.notes.append(
            f"the certificate's claims concern the objective {certificate.objective!r}, "
            f"not {problem.objective!r}: they are not compared"
        )
        return
    if found.lower < certificate.lower:
        faults.append(f"a lower bound of {certificate.lower:.17g} is claimed but only {found.lower:.17g} follows")
    if found.upper > certificate.upper:
        faults.append(f"an upper bound of {certificate.upper:.17g} is claimed but only {found.upper:.17g} follows")
