"""Limits on the time, steps, callbacks and interrupts of universal rates: what is known is returned, and it holds."""

import math
import os
import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stopping import Looks, interrupt, time_passes

import rdcsolve as rdc
from rdcsolve import deadline
from rdcsolve.results import Proof, Status

KINDS = ("corner", "tuples", "labels", "fixed", "free", "laws")
COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
TARGETS = [{"distortion": 0.2, "miss": 0.25}, {"distortion": 0.25, "miss": 0.05}]


@pytest.fixture(autouse=True)
def _interrupts_are_heard():
    """Interrupts are raised even where these tests run in the background, whose jobs a shell lets ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def stated(kind, seed):
    """A random problem and two targets for it, by what their encoder rests on."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 5))
    p, loss, other = rng.dirichlet(np.ones(n)), rng.random((n, n)), rng.random((n, n))
    np.fill_diagonal(loss, 0.0)
    most, second = (float((p @ table).min()) for table in (loss, other))
    shares = rng.uniform(0.3, 0.95, (2, 2))
    if kind == "corner":
        return rdc.Problem.from_arrays(p, loss), [{"D": most * share} for share in shares[0]]
    if kind == "tuples":
        least = float(p @ other.min(axis=1))
        bounds = least + (second - least) * (0.5 + 0.5 * shares[1])
        problem = rdc.Problem.from_arrays(p, loss, losses={"other": other})
        return problem, [{"D": most * float(shares[0, 0])}, {"other": float(bounds[0])}]
    if kind == "laws":
        problem = rdc.Problem(rdc.Source(None, p), distortion=loss, limits=[rdc.PerceptionLimit(math.inf, "tv")])
        return problem, [{"D": most * 0.9, "P": 0.3}, {"D": most * 0.8, "P": 0.4}]
    labels = rng.dirichlet(np.ones(2), n)
    known = -float(p @ (labels * np.log(labels)).sum(axis=1))
    prior = -float((p @ labels) @ np.log(p @ labels))
    entropies = known + shares[1] * (prior - known)
    x = np.arange(float(n))
    limits = [rdc.DistortionLimit(math.inf), rdc.LabelEntropyLimit(math.inf, 0)]
    letters, reproduction = ("fixed" if kind == "fixed" else "split"), ("free" if kind == "free" else x)
    problem = rdc.Problem(rdc.Source(x, p, labels=[labels]), reproduction, limits=limits, letters=letters)
    variance = float(p @ (x - p @ x) ** 2)
    return problem, [(float(share * variance), float(C)) for share, C in zip(shares[0], entropies, strict=True)]


def holds_beside(answer, full, problem):
    """Whether the bounds contradict neither those of the whole run nor what the answer can be checked by."""
    room = 1e-9 * (1 + abs(full.rate_lower))
    below = not answer.rate_lower > full.rate_upper + room
    above = not answer.rate_upper < full.rate_lower - room or full.proof is not Proof.CERTIFIED
    is_ordered = not answer.rate_lower > answer.rate_upper and not answer.penalty_lower > answer.penalty_upper
    return below and above and is_ordered and (not answer.decoders or answer.verify(problem).valid)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("happens", "status"), [(interrupt, Status.INTERRUPTED), (time_passes, Status.TIME_LIMIT)])
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), share=st.floats(0, 1))
def test_the_end_may_come_at_any_look_at_the_clock(kind, happens, status, seed, share):
    problem, targets = stated(kind, seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(deadline, "look", looks := Looks())
        full = rdc.universal_rate(problem, targets)
        patch.setattr(deadline, "look", cut := Looks(1 + int(share * (looks.count - 1)), happens))
        answer = rdc.universal_rate(problem, targets)
    ended = (status, Status.OPTIMAL, Status.INFEASIBLE, full.status)
    assert answer.status in ended or cut.count < cut.at
    assert holds_beside(answer, full, problem)


class Stop:
    """A callback that says stop at its n-th call, and counts them."""

    def __init__(self, n):
        self.n, self.calls = n, 0

    def __call__(self, record):
        self.calls += 1
        return self.calls >= self.n


@settings(max_examples=10, deadline=None)
@given(n=st.integers(1, 60))
def test_a_signal_at_any_step_leaves_bounds_that_hold(n):
    full, stop = rdc.universal_rate(COIN, TARGETS), Stop(n)

    def press(record):
        if stop(record) and stop.calls == n:
            os.kill(os.getpid(), signal.SIGINT)

    answer = rdc.universal_rate(COIN, TARGETS, callback=press)
    assert answer.status is (Status.INTERRUPTED if stop.calls >= n and not answer.gap <= 1e-6 else Status.OPTIMAL)
    assert stop.calls <= n or answer.status is Status.OPTIMAL
    assert holds_beside(answer, full, COIN)


@pytest.mark.parametrize("unit", ["nat", "bit"])
def test_a_callback_ends_it_and_is_told_of_every_problem_in_the_unit_asked_for(unit):
    problem, told = COIN.in_unit(unit), []
    full = rdc.universal_rate(problem, TARGETS, callback=told.append)
    begun = [n for n, record in enumerate(told, 1) if record.step == 1]
    assert len(begun) >= 2
    last = max(record.lower for record in told)
    assert last == pytest.approx(full.rate_lower, abs=1e-4)
    stop = Stop(2)
    cut = rdc.universal_rate(problem, TARGETS, callback=stop)
    assert cut.status is Status.STOPPED_BY_CALLBACK
    assert stop.calls == stop.n
    assert [one.message for one in cut.results] == ["", "it was not begun"]
    assert cut.rate_lower >= cut.results[0].rate_lower - 1e-12
    assert cut.result.letters.size == 0


def test_the_channels_of_all_targets_together_are_an_encoder_for_all(tmp_path):
    """Stopped between the targets and the encoder for all: the targets' own channels, drawn together, serve all."""
    told = []
    full = rdc.universal_rate(COIN, TARGETS, callback=told.append)
    stop = Stop([n for n, record in enumerate(told, 1) if record.step == 1][-1])
    cut = rdc.universal_rate(COIN, TARGETS, callback=stop)
    assert cut.status is Status.STOPPED_BY_CALLBACK
    assert full.rate_lower <= cut.rate_upper <= sum(one.rate_upper for one in cut.results) + 1e-9
    assert cut.rate_lower >= max(one.rate_lower for one in cut.results) - 1e-12
    assert cut.verify(COIN).valid
    cut.save(tmp_path / "cut.npz")
    again = rdc.load(tmp_path / "cut.npz")
    assert (again.status, again.rate_lower, again.rate_upper) == (cut.status, cut.rate_lower, cut.rate_upper)


def test_without_time_nothing_is_solved():
    answer = rdc.universal_rate(COIN, TARGETS, time_limit=1e-9)
    assert answer.status is Status.TIME_LIMIT
    assert answer.rate_lower == 0.0
    assert math.isnan(answer.rate_upper)
    assert not answer.decoders


def test_steps_are_limited_for_each_problem():
    short = rdc.universal_rate(COIN, TARGETS, max_steps=2)
    assert all(one.steps <= 2 for one in short.results)
    assert short.status is Status.STEP_LIMIT
    assert holds_beside(short, rdc.universal_rate(COIN, TARGETS), COIN)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"max_steps": 2.5}, "max_steps is 2.5"),
        ({"callback": "stop"}, "callback is 'stop'"),
        ({"time_limit": 0}, "time_limit is 0"),
        ({"time_limit": "1 h"}, "time_limit is '1 h'"),
    ],
)
def test_bad_options_are_told(option, message):
    with pytest.raises(rdc.InvalidInput, match=message):
        rdc.universal_rate(COIN, TARGETS, **option)


@pytest.mark.parametrize("budget", [0.0, 6.0, math.inf])
def test_the_budget_for_proofs_is_shared_by_targets_and_encoder(monkeypatch, budget):
    """With ten seconds for each of them, two targets without a limit on the time took 25."""
    solve, given_budgets = rdc.universal.solving.solve, []

    def watched(*problem, **options):
        given_budgets.append(options["proof_budget"])
        return solve(*problem, **options)

    monkeypatch.setattr(rdc.universal.solving, "solve", watched)
    problem, targets = stated("labels", 1)
    rdc.universal_rate(problem, [{"D": targets[0][0]}, {"C": targets[1][1]}], proof_budget=budget)
    assert given_budgets == [budget / 3] * 3
