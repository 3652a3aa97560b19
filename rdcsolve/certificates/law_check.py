"""The check of what a certificate says of the law of the reproduction: how it enters both bounds."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from rdcsolve.certificates.law_move import Move
from rdcsolve.certificates.law_proof import LawProof
from rdcsolve.certificates.laws import FloatLaw
from rdcsolve.certificates.tolerances import AS_LEAST, LIMIT_TOLERANCE
from rdcsolve.problems import PerceptionAtRate, Problem
from rdcsolve.problems.priced import letter_prices, with_prices
from rdcsolve.rounding import down, units, up


class Dual(NamedTuple):
    """What the lower bound is computed of: numbers of the stated problem and of the priced one, multipliers, laws."""

    plain: Any
    numbers: Any
    multipliers: np.ndarray
    price: int | None
    laws: list[Any]

    @property
    def supports(self) -> list[float]:
        """What the prices of the places of every law cost, nats, besides nu d."""
        return [law.support() for law in self.laws]


def laws_of(certificate: Any, problem: Problem, numbers: Any, arithmetic: str) -> list[Any]:
    """Return what is to be known of every measure of the reproduction's law."""
    perceptions = problem.perceptions
    proofs = certificate.laws or tuple(map(LawProof.idle, perceptions))
    if not perceptions:
        return []
    kind = _law_of(arithmetic)
    trios = zip(perceptions, proofs, problem.perception_bounds.tolist(), strict=True)
    return [kind(perception, proof, bound, numbers) for perception, proof, bound in trios]


def _law_of(arithmetic: str) -> Any:
    """Return the class of laws for an arithmetic."""
    if arithmetic == "float":
        return FloatLaw
    from rdcsolve.certificates.ball_laws import BallLaw

    return BallLaw


def dual_of(certificate: Any, problem: Problem, numbers_of: Any, numbers: Any, laws: list[Any]) -> Dual:
    """Return the numbers of the lower bound: prices of what a letter shows are one more loss, with multiplier one."""
    total = letter_prices(problem, [law.w for law in laws]) if laws else np.zeros(0)
    if not total.any():
        return Dual(numbers, numbers, certificate.multipliers, None, laws)
    at = len(problem.linear_losses)
    multipliers = np.insert(certificate.multipliers, at, 1.0)
    priced = with_prices(problem, total)
    channel, letters = np.zeros((problem.n_x, 0)), np.zeros(0, dtype=np.intp)
    dual = numbers_of(priced, certificate.u, certificate.u_rest, multipliers, letters, channel, certificate.proof)
    return Dual(numbers, dual, multipliers, at, laws)


def rounded_up(*terms: float) -> float:
    """Return a sum, rounded up; inf if a term is no finite number, or the sum none."""
    try:
        total = math.fsum(terms)
    except (OverflowError, ValueError):  # beyond the range, or infinities of both signs
        return math.inf
    return up(total) if math.isfinite(total) else math.inf


def charged_bound(problem: Problem, dual: Dual, log_largest: float, supports: list[float], plane: float) -> float:
    """Return the lower bound with all limits charged."""
    goal = problem.goal
    own = dual.multipliers if dual.price is None else np.delete(dual.multipliers, dual.price)
    charged = [shifted_index(m, dual.price) for m in np.flatnonzero(goal.charged(own)).tolist()]
    minimised = goal.perception if isinstance(goal, PerceptionAtRate) else None
    paid = [law for k, law in enumerate(dual.laws) if k != minimised and problem.multipliers is None]
    of_laws = rounded_up(*supports, *(law.charge() for law in paid)) if dual.laws else 0.0
    target = None if goal.target is None else shifted_index(goal.target, dual.price)
    given = dual.numbers.problem.multipliers
    spared = [] if given is None else np.flatnonzero(given > dual.multipliers).tolist()
    if not charged and not spared and target is None and not dual.laws:
        return plane
    bound: float = dual.numbers.lower_bound(log_largest, charged, target, spared, of_laws)
    if minimised is None:
        return bound
    return down(down(bound - goal.rate) / dual.laws[minimised].nu)


def shifted_index(m: int, price: int | None) -> int:
    """Return a loss's index once the prices of places stand at index `price`."""
    return m if price is None or m < price else m + 1


def unusable_law(laws: list[Any], problem: Problem) -> str:
    """Return why the multipliers of laws give this problem only its trivial bound, or an empty string."""
    goal = problem.goal
    for k, law in enumerate(laws):
        name, nu = law.perception.name, law.nu
        if isinstance(goal, PerceptionAtRate) and k == goal.perception:
            if not 0 < nu < math.inf:
                return f"the multiplier of {name} is {nu:.6g}: only the trivial lower bound follows"
        elif problem.perception_multipliers is not None:
            if nu > problem.perception_multipliers[k]:
                return f"the multiplier of {name} is above the problem's: only the trivial lower bound follows"
        elif nu > 0 and math.isinf(law.bound):
            return f"{name} has a multiplier but no limit: only the trivial lower bound follows"
        elif math.isinf(nu) and law.bound > 0:
            return f"the multiplier of {name} is infinite, its limit is not zero: only the trivial lower bound follows"
    return ""


def objective_of(problem: Problem, numbers: Any, move: Move, distances: dict[str, float]) -> float:
    """Return an upper bound of the objective for the channel, whose rate is to be raised by a move of mass."""
    goal = problem.goal
    if isinstance(goal, PerceptionAtRate):
        return distances[goal.name]
    target = goal.target
    upper: float = numbers.objective(target)
    if target is not None:
        is_raised = move.mass and target < len(problem.linear_losses)
        return up(upper + up(move.mass * numbers.spread(target))) if is_raised else upper
    if move.rate:
        upper = up(upper + move.rate)
    if problem.perception_multipliers is None or not problem.perceptions:
        return upper
    pairs = zip(problem.perception_multipliers.tolist(), problem.perception_names, strict=True)
    terms = [multiplier * distances[name] for multiplier, name in pairs if multiplier]
    return up(math.fsum([upper, *terms]) + units(4) * math.fsum([abs(upper), *terms]))


def law_excess(laws: list[Any], distances: dict[str, float], moved: float) -> dict[str, float]:
    """Return by how much limits on laws are exceeded, after some mass was moved."""
    limited = [law for law in laws if law.bound < math.inf]
    exact = [law for law in limited if law.has_to_be_exact]
    first = min(exact, key=lambda law: law.is_of_class, default=None)
    after = {
        law.perception.name: law.raised(distances[law.perception.name], 0.0 if law.is_beside(exact) else moved, first)
        for law in limited
    }
    return {law.perception.name: after[law.perception.name] - law.bound for law in limited}


def read_as_least(laws: list[Any], problem: Problem) -> list[str]:
    """Return a sentence for every limit that is within a rounding of the least distance of any law."""
    pairs = zip(laws, problem.perception_bounds.tolist(), strict=True)
    named = [law.perception.name for law, stated in pairs if law.bound != stated]
    return [
        f"the limit on {name} is within a rounding of the least distance of any law, and {AS_LEAST}" for name in named
    ]


def law_slack(laws: list[Any], arithmetic: str, moved: float) -> dict[str, float]:
    """Return by how much limits on laws may be exceeded: in mass where they are zero, else not at all.

    Near zero the least rate is steep in some distances, as those that are squares. In ball arithmetic the slack is the
    mass that is moved to make the law exact, which is counted elsewhere.
    """
    allowed = LIMIT_TOLERANCE if arithmetic == "float" else moved
    return {law.perception.name: allowed if law.has_to_be_exact else 0.0 for law in laws}
