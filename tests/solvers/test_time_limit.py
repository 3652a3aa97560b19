"""Limits on the time, and interrupts, wherever they come: every answer says so, and its bounds hold."""

import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stopping import Looks, interrupt, time_passes

import rdcsolve as rdc
from rdcsolve import deadline
from rdcsolve.results import Proof, Status

KINDS = ("finite", "two losses", "split", "fixed", "free", "plane", "least loss", "least entropy", "least free loss")
LATE = 2.0


def stated(kind, seed):
    """A random problem with a few symbols and one or two labels, by the kind of its letters or of its objective."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    x, p = rng.normal(size=(n, 2 if kind == "plane" else 1)), rng.dirichlet(np.ones(n))
    labels = [rng.dirichlet(np.ones(int(rng.integers(2, 4))), n) for _ in range(int(rng.integers(1, 3)))]
    variance = float(p @ ((x - p @ x) ** 2).sum(axis=1))
    if kind in ("finite", "two losses"):
        more = [rdc.LossLimit(0.6, rng.random((n, n)), "other")] if kind == "two losses" else []
        return rdc.Problem(rdc.Source(x, p), x, limits=[rdc.DistortionLimit(0.5 * variance), *more])
    least = kind.startswith("least")
    limits = [rdc.DistortionLimit(math.inf if least else variance)]
    for k, label in enumerate(labels):
        known = -float(p @ (label * np.log(label)).sum(axis=1))
        prior = -float((p @ label) @ np.log(p @ label))
        limits.append(rdc.LabelEntropyLimit(math.inf if least else known + rng.uniform(0.2, 0.9) * (prior - known), k))
    letters = "fixed" if kind == "fixed" else "split"
    reproduction = "free" if "free" in kind or kind == "plane" else x
    problem = rdc.Problem(rdc.Source(x, p, labels=labels), reproduction, limits=limits, letters=letters)
    if not least:
        return problem
    name = "label_entropy" if kind == "least entropy" else "distortion"
    return problem.minimising(name, rate=float(rng.uniform(0.1, 0.6)) * -float(p @ np.log(p)))


def holds_beside(answer, full, problem):
    """Whether the bounds contradict neither those of the whole run nor their own certificate."""
    room = 1e-9 * (1 + abs(full.objective_upper))
    below = not answer.objective_lower > full.objective_upper + room
    above = not answer.objective_upper < full.objective_lower - room or full.proof is not Proof.CERTIFIED
    certificate = answer.certificate
    proved = answer.proof is not Proof.CERTIFIED or certificate is None or certificate.verify(problem).valid
    return below and above and proved


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("happens", "status"), [(interrupt, Status.INTERRUPTED), (time_passes, Status.TIME_LIMIT)])
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_the_end_may_come_at_any_look_at_the_clock(kind, happens, status, seed, share):
    problem = stated(kind, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deadline, "look", looks := Looks())
        full = rdc.solve(problem)
        patch.setattr(deadline, "look", cut := Looks(1 + int(share * (looks.count - 1)), happens))
        answer = rdc.solve(problem)
    if not math.isfinite(full.objective_upper):
        return
    assert answer.status in (status, Status.OPTIMAL) or cut.count < cut.at
    assert holds_beside(answer, full, problem)


@pytest.mark.parametrize("kind", ["split", "fixed", "free"])
@pytest.mark.parametrize("limit", [1e-3, 0.3])
def test_a_limit_on_the_time_is_kept(kind, limit):
    """Four classes: climbs and proofs of one round take several seconds if they are let."""
    rng = np.random.default_rng(1)
    x, p, labels = rng.normal(size=(250, 1)), rng.dirichlet(np.ones(250)), [rng.dirichlet(np.ones(4), 250)]
    known = [-float(p @ (label * np.log(label)).sum(axis=1)) for label in labels]
    limits = [rdc.DistortionLimit(0.3), *(rdc.LabelEntropyLimit(one + 0.1, k) for k, one in enumerate(known))]
    letters, reproduction = ("fixed" if kind == "fixed" else "split"), ("free" if kind == "free" else x)
    problem = rdc.Problem(rdc.Source(x, p, labels=labels), reproduction, limits=limits, letters=letters)
    began = time.process_time()
    answer = rdc.solve(problem, time_limit=limit)
    assert time.process_time() - began <= limit + LATE
    assert answer.status in (Status.TIME_LIMIT, Status.OPTIMAL, Status.STATIONARY)
    assert not answer.objective_lower > answer.objective_upper


def test_a_check_that_is_cut_short_leaves_the_bound_that_needs_no_proof(monkeypatch):
    problem = stated("split", 3)
    full = rdc.solve(problem)
    assert full.rate_lower > 0.01
    from rdcsolve.results import confirmation

    real, calls = confirmation.examine, []

    def once(certificate, stated):
        calls.append(certificate)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return real(certificate, stated)

    monkeypatch.setattr(confirmation, "examine", once)
    answer = rdc.solve(problem)
    assert answer.status is Status.INTERRUPTED
    assert answer.proof is Proof.CERTIFIED
    assert answer.rate_lower == 0.0
    assert answer.rate_upper == pytest.approx(full.rate_upper, abs=1e-8)
    assert "cut short" in answer.message
    assert answer.certificate.verify(problem).valid
