"""Label entropies beside limits on the law of the reproduction: letters that show a symbol and carry soft decisions.

Decisions never change what a letter shows, so prices of places are one more loss of every letter, and all that is known
of the largest price stays. The exchange lists letters, solves the finite problem that they make, with its laws, and
prices all others with the prices of places that it returns.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from rdcsolve import deadline
from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.certificates.dual_point import DualPoint
from rdcsolve.errors import InvalidInput
from rdcsolve.letters.choice import space_of
from rdcsolve.letters.letters import Letters, apart
from rdcsolve.letters.space import LetterSpace
from rdcsolve.problems import Problem
from rdcsolve.problems.priced import letter_prices, with_prices
from rdcsolve.results.result import Result, StepRecord
from rdcsolve.results.status import Status, ended_by, out_of_time
from rdcsolve.solvers.exchange.exchange import solve_over
from rdcsolve.solvers.exchange.outcome import finished
from rdcsolve.solvers.loop import Limits, Settings
from rdcsolve.solvers.perception.idle import is_met_by, with_idle_laws
from rdcsolve.solvers.perception.solve import minimise_rate_within_laws, of_problem

_IDLE = 1e-9  # of the output mass: letters with less leave the list
_PATIENCE = 8  # rounds without a smaller gap
_INNER = 0.1  # of the gap: what the next finite problem may leave
_SHARE = 0.5  # of the tolerance: what the last one may leave
_ROUNDING = 1e-13
_EQUAL = 1 - 1e-9  # affinity from which two letters of one place are one
_MOST = 200  # of the dearest letters found in one round
_FINAL = (Status.OPTIMAL, Status.ALMOST_OPTIMAL, Status.TIME_LIMIT, Status.INTERRUPTED, Status.STOPPED_BY_CALLBACK)


@dataclass(frozen=True, eq=False)
class _Dual:
    """A dual point and its laws, as `outcome.finished` reads it; see `PricedDual`."""

    point: DualPoint
    multipliers: np.ndarray
    laws: tuple[Any, ...]
    log_largest: float
    lower: float
    proved: bool
    proof: PriceProof | None

    def proved_lower(self) -> float:
        """Return the bound if it is proved, else that no rate is negative."""
        return self.lower if self.proved else 0.0


def minimise_rate_over_splits(problem: Problem, settings: Settings, start: Result | None) -> Result:
    """Return the least rate of a problem with label entropies and limits on laws, with its bounds.

    Raises
    ------
    InvalidInput
        If it has multipliers in place of limits, or fixed letters.
    """
    if problem.letters == "fixed" or problem.multipliers is not None:
        what = "fixed letters" if problem.letters == "fixed" else "given multipliers"
        raise InvalidInput(
            f"{what} with label entropies beside limits on the law of the reproduction are not offered; use "
            "letters='split' and limits, or lift one of these"
        )
    bare = problem.without_perceptions()
    space = space_of(bare)
    limited = np.flatnonzero(np.isfinite(problem.perception_bounds)).tolist()
    if start is not None and space.fits(start) and _binds(problem, limited, start):
        near = _Exchange(problem, space, settings).run(start)
        if near.status in _FINAL:
            return near
    plain = solve_over(space, settings, start)
    if plain.certificate is None or not plain.letters.size:
        return of_problem(problem, plain)
    if is_met_by(problem, limited, plain):
        return with_idle_laws(problem, plain)
    return _Exchange(problem, space, settings).run(plain)


def _binds(problem: Problem, limited: list[int], start: Result) -> bool:
    """Return whether a limit on a law bound an earlier result; then letters without such limits need not be asked."""
    return any(start.multipliers.get(problem.perception_names[k], 0.0) > 0 for k in limited)


@dataclass(eq=False)
class _Exchange:
    problem: Problem
    space: LetterSpace
    settings: Settings
    best: tuple[Result, Letters] | None = None
    dual: _Dual | None = None
    history: list[StepRecord] = field(default_factory=list)

    def run(self, plain: Result) -> Result:
        """Exchange letters until the gap is within the tolerance, or nothing more comes."""
        try:
            ended = self._rounds(plain)
        except (KeyboardInterrupt, deadline.TimeIsUp) as stop:
            ended = ended_by(stop)
        if isinstance(ended, Result):
            return ended
        return self._result(ended)

    def _rounds(self, plain: Result) -> Status | Result:
        letters = self.space.letters_of(plain).with_more(self.space.anchors())
        inner, waited, narrowest, is_wide = 1e-3, 0, math.inf, False
        while len(self.history) < self.settings.limits.max_steps:
            found = self._restricted(letters, inner)
            if found.status is Status.INFEASIBLE and not is_wide:
                letters, is_wide = letters.with_more(self._copies()), True
                continue
            if found.certificate is None or not found.letters.size:
                return self._without_channel(found)
            if self.best is None or found.rate_upper < self.best[0].rate_upper:
                self.best = found, letters
            more = self._priced(found, letters)
            gap = self._gap()
            seconds = time.perf_counter() - self.settings.began
            shown = tuple(map(float, found.certificate.multipliers))
            self.history.append(
                StepRecord(len(self.history) + 1, seconds, self._lower(), self._upper(), shown, len(letters))
            )
            if gap <= self.settings.tolerance and self.dual is not None and self.dual.proved:
                return Status.OPTIMAL
            waited = 0 if gap < 0.9 * narrowest else waited + 1
            narrowest = min(narrowest, gap)
            if waited >= _PATIENCE:
                return Status.STALLED
            callback = self.settings.limits.callback
            if callback is not None and callback(self.history[-1]):
                return Status.STOPPED_BY_CALLBACK
            if deadline.is_up() or seconds > self.settings.limits.time_limit:
                return out_of_time()
            inner = max(_SHARE * self.settings.tolerance, min(inner, _INNER * abs(gap)))
            letters = self._merged(found, letters).with_more(more).with_more(self.space.anchors())
        return Status.STEP_LIMIT

    def _restricted(self, letters: Letters, gap: float) -> Result:
        listed = self.problem.listed(letters.places, letters.decisions).with_limits(rate=None)
        limits = Limits(200, self.settings.limits.time_limit)
        return minimise_rate_within_laws(listed, replace(self.settings, tolerance=gap, limits=limits), None)

    def _copies(self) -> Letters:
        """Return every place with every symbol's own p(s | x), at which label entropies are least."""
        n_letters = self.problem.n_letters
        used = np.flatnonzero(self.problem.p_x > 0)
        decisions = tuple(np.tile(label.conditional[used], (n_letters, 1)) for label in self.problem.label_entropies)
        return Letters(np.repeat(np.arange(n_letters), used.size), decisions).distinct()

    def _without_channel(self, found: Result) -> Status | Result:
        """Return what is known where the listed letters meet no limits; priced, a refutation is about all letters."""
        if self.best is not None:
            return Status.STALLED
        if found.status is Status.INFEASIBLE and found.certificate is not None:
            dual = self._dual(found.certificate)
            certificate = replace(
                self._certificate(dual), objective="rate", lower=dual.lower, fingerprint=self.problem.fingerprint()
            )
            whole = replace(found, certificate=certificate, objective=self.problem.objective)
            unknown = dict.fromkeys(self.problem.loss_names, math.nan)
            return of_problem(self.problem, replace(whole, losses=unknown, multipliers=dict(unknown)))
        return of_problem(self.problem, found)

    # --------------------------------------------------------------------------------------- pricing

    def _prices(self, certificate: Certificate) -> tuple[Any, np.ndarray]:
        """Return the prices of all letters with those of places among their losses, and its multipliers."""
        total = letter_prices(self.problem, [law.prices for law in certificate.laws])
        priced = with_prices(self.problem, total)
        multipliers = np.insert(certificate.multipliers, len(self.problem.linear_losses), 1.0)
        return space_of(priced).price(certificate.u + certificate.u_rest, multipliers), multipliers

    def _dual(self, certificate: Certificate) -> _Dual:
        prices, _ = self._prices(certificate)
        found = prices.largest(max(0.1 * self.settings.tolerance, 1e-12))
        rounding = _ROUNDING * (1 + float(np.abs(certificate.u).max()))
        lower = certificate.lower - found.log_upper - rounding
        point = DualPoint(certificate.u, certificate.multipliers, certificate.u_rest)
        proof = found.proof
        return _Dual(
            point, certificate.multipliers, certificate.laws, found.log_upper + rounding, lower, found.proved, proof
        )

    def _priced(self, found: Result, letters: Letters) -> Letters:
        """Keep the bound that a finite problem's certificate proves, and return the dearest letters there are."""
        assert found.certificate is not None
        prices, _ = self._prices(found.certificate)
        used = letters.take(found.letters[found.q > _IDLE * found.q.max()])
        maxima = prices.maxima(used, True)
        order = np.argsort(-maxima.log_prices)[:_MOST]
        dual = self._dual(found.certificate)
        if self.dual is None or (dual.proved, dual.lower) > (self.dual.proved, self.dual.lower):
            self.dual = dual
        new = maxima.letters.take(order[maxima.log_prices[order] > -1e-3])
        return new.take(apart(prices.affinity(new))) if len(new) else new

    def _merged(self, found: Result, letters: Letters) -> Letters:
        """Return the letters in use, those that show the same symbol and are nearly equal made one, at posteriors."""
        used = np.flatnonzero(found.q > _IDLE * found.q.max())
        letters, joint = letters.take(found.letters[used]), (found.channel * self.problem.p_x[:, None])[:, used]
        order = np.argsort(-joint.sum(axis=0))
        letters, joint = letters.take(order), joint[:, order]
        root = np.sqrt(joint / joint.sum(axis=0))
        affinity = np.where(letters.places[:, None] == letters.places, root.T @ root, 0.0)
        leaders = np.flatnonzero(~(np.triu(affinity, 1) > _EQUAL).any(axis=0))
        merged = np.zeros((leaders.size, joint.shape[0]))
        np.add.at(merged, affinity[:, leaders].argmax(axis=1), joint.T)
        return self.space.posterior(letters.take(leaders), merged.T)

    def _lower(self) -> float:
        return 0.0 if self.dual is None else max(0.0, self.dual.lower)

    def _upper(self) -> float:
        return math.inf if self.best is None else self.best[0].rate_upper

    def _gap(self) -> float:
        return self._upper() - self._lower()

    # --------------------------------------------------------------------------------------- the result

    def _certificate(self, dual: _Dual) -> Certificate:
        """Return a certificate without a channel."""
        scaled = dual.point.scaled(dual.log_largest)
        return Certificate(
            objective=self.problem.objective,
            u=scaled.u,
            u_rest=scaled.rest,
            multipliers=scaled.multipliers,
            letters=np.empty(0, dtype=np.intp),
            channel=np.empty((self.problem.n_x, 0)),
            lower=dual.lower,
            upper=math.nan,
            fingerprint=self.problem.fingerprint(),
            proof=None if dual.proof is None or dual.proof.is_empty else dual.proof,
            laws=dual.laws,
        )

    def _result(self, status: Status) -> Result:
        bounds: Any = self.dual
        plain = finished(self.space, self.settings, self.best, bounds, status, "", tuple(self.history))
        if self.best is None or self.dual is None or plain.certificate is None:
            return of_problem(self.problem, plain)
        found = self.best[0]
        assert found.certificate is not None
        names = self.problem.perception_names
        pairs = zip(self.dual.laws, found.certificate.laws, strict=True)
        laws = tuple(replace(law, rows=own.rows, columns=own.columns, masses=own.masses) for law, own in pairs)
        return replace(
            plain,
            fingerprint=self.problem.fingerprint(),
            perceptions=found.perceptions,
            output_law=found.output_law,
            multipliers=plain.multipliers | dict(zip(names, (law.multiplier for law in laws), strict=True)),
            certificate=replace(plain.certificate, fingerprint=self.problem.fingerprint(), laws=laws),
        )
