"""Limits at zero where pairs are forbidden: channels whose law is exact but for rounding, and what proves them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.results import Proof, Status

SEEDS = st.integers(0, 2**32 - 1)


def random_problem(seed, measure):
    """Return a problem in which every symbol may be itself, and a third of all other pairs are forbidden."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 6))
    p, d, cost = rng.dirichlet(np.full(n, 3.0)), rng.random((n, n)), rng.random((n, n)) + 0.1
    mask = rng.random((n, n)) < 0.3
    for table in (d, cost):
        table[np.diag_indices(n)] = 0.0
    mask[np.diag_indices(n)] = False
    loose = np.where(mask, 0.0, rng.random((n, n)) + 1e-3)
    D = float(p @ (loose * d / loose.sum(axis=1, keepdims=True)).sum(axis=1)) * rng.uniform(0.2, 1)
    window = rdc.LossLimit(math.inf, np.where(mask, math.inf, 0.0), "window")
    limit = rdc.PerceptionLimit(0.0, measure, cost=cost if measure == "transport" else None)
    return rdc.Problem(rdc.Source(None, p), distortion=d, limits=[rdc.DistortionLimit(D), window, limit])


@given(SEEDS, st.sampled_from(["exact", "tv", "kl", "transport"]))
@example(1000030, "exact")
def test_answers_are_certified_in_both_arithmetics(seed, measure):
    problem = random_problem(seed, measure)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid
    if pytest.importorskip("flint"):
        found = result.verify(problem, "ball")
        assert found.valid, found
        assert found.upper <= result.rate_upper


def test_the_only_channel_with_the_law_of_the_source():
    """Nothing else than the symbol itself keeps the law, if one pair of two is forbidden; scaling gets there slowly."""
    window = np.array([[0.0, 0.0], [math.inf, 0.0]])
    limits = [rdc.LossLimit(math.inf, window, "window"), rdc.PerceptionLimit(0.0, "exact")]
    problem = rdc.Problem(rdc.Source(None, [0.3, 0.7]), distortion=1 - np.eye(2), limits=limits)
    result = rdc.solve(problem.with_limits(D=0.4))
    assert result.status is Status.OPTIMAL
    assert result.rate_upper == pytest.approx(-0.3 * math.log(0.3) - 0.7 * math.log(0.7), abs=1e-9)


def with_channel(problem, channel):
    zeros = np.zeros(problem.n_x), np.zeros(len(problem.losses))
    everyone = np.arange(problem.n_letters)
    return rdc.Certificate("rate", *zeros, everyone, np.array(channel), 0.0, math.nan, problem.fingerprint())


def test_what_cannot_be_moved_is_not():
    """Mass that no pairs in use can carry stays where it is, and the law with it."""
    pytest.importorskip("flint")
    forbidden = np.where(np.eye(4)[::-1] > 0, math.inf, 0.0)
    window = rdc.LossLimit(math.inf, forbidden, "window")
    p = [0.25, 0.25, 0.25 + 1e-13, 0.25 - 1e-13]
    for target, is_met in ((p, True), ([0.25] * 4, False)):
        limits = [window, rdc.PerceptionLimit(0.0, "exact", target=target)]
        problem = rdc.Problem(rdc.Source(None, p), distortion=1 - np.eye(4), limits=limits)
        found = with_channel(problem, np.eye(4)).verify(problem, "ball")
        assert math.isfinite(found.upper) == is_met
        spread = np.array([[0.5, 0.5, 0, 0], [0, 0.5, 0, 0.5], [0.5, 0, 0.5, 0], [0, 0, 0.5, 0.5]])
        together = with_channel(problem, spread).verify(problem, "ball")  # all symbols and places hang together
        assert math.isfinite(together.upper)


def test_moved_mass_costs_some_rate():
    pytest.importorskip("flint")
    problem = random_problem(7, "exact")
    result = rdc.solve(problem)
    off = result.certificate.channel + 1e-13 * np.eye(problem.n_x)[:, result.certificate.letters]
    moved = replace(result.certificate, channel=off / off.sum(axis=1, keepdims=True), upper=math.nan)
    found = moved.verify(problem.with_limits(D=1.0), "ball")
    exact = result.verify(problem, "ball")
    assert exact.upper < found.upper < exact.upper + 1e-9
