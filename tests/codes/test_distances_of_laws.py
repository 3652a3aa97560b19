"""Distances of laws in audits: W2 against POT, discrepancies against their exact value, and what lines say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.codes.subsamples import Law, _of_draws, distances, median_distance
from rdcsolve.theory.transport import squared_wasserstein


@given(st.integers(0, 2**32 - 1), st.integers(2, 30), st.integers(1, 4), st.sampled_from([0.0, 1e3]))
def test_draws_are_as_far_apart_as_pot_says(seed, m, dim, away):
    pytest.importorskip("ot")
    rng = np.random.default_rng(seed)
    x, y = (scale * rng.normal(size=(m, dim)) + away for scale in (1.0, 2.0))
    masses = np.full(m, 1 / m)
    exact = squared_wasserstein(x, masses, y, masses) / dim
    assert _of_draws(x, y, 1.0)[0] == pytest.approx(exact, rel=1e-9)


def exact_discrepancy(one, other, width):
    def mean(a, b):
        squares = ((a.points[:, None] - b.points[None]) ** 2).sum(axis=2)
        return a.weights @ np.exp(-squares / (2 * width**2)) @ b.weights / (a.weights.sum() * b.weights.sum())

    return mean(one, one) + mean(other, other) - 2 * mean(one, other)


def test_intervals_hold_the_exact_discrepancy():
    """Of 60 pairs of weighted laws, half of them pairs of one law with itself, the intervals of 95 % miss few."""
    misses = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        one, other = (Law(rng.normal(size=(50, 2)), rng.uniform(0.1, 1, size=50)) for _ in range(2))
        other = one if seed % 2 else other
        width = median_distance(one, rng)
        _, low, high = distances(one, other, width, rng, 40).mmd
        misses += not low <= exact_discrepancy(one, other, width) <= high
    assert misses <= 8


@given(st.integers(0, 1000), st.sampled_from([1e-3, 1.0, 1e4]))
def test_lines_of_audits_scale_as_they_should(seed, scale):
    x = np.random.default_rng(seed).normal(size=(40, 2)).round(1)
    shown = np.sign(x)
    one, other = (rdc.audit(factor * x, factor * shown, n_bootstrap=0, tolerance=1e-2) for factor in (1.0, scale))
    for end in ("", " of two halves of x"):
        assert other[f"W2^2{end}"].value == pytest.approx(scale**2 * one[f"W2^2{end}"].value, rel=1e-6)
        assert other[f"MMD^2{end}"].value == pytest.approx(one[f"MMD^2{end}"].value, abs=1e-9)
        for name in ("W2^2", "MMD^2"):
            line = one[name + end]
            assert line.kind == "estimated"
            assert line.lower <= line.value <= line.upper


def test_a_codec_that_blurs_is_seen_and_one_that_keeps_all_is_not():
    x = np.random.default_rng(0).choice(8, size=600) / 8.0
    kept, blurred = (rdc.audit(x, shown, n_bootstrap=0) for shown in (x, np.full(600, 0.5)))
    assert kept["MMD^2"].lower <= 0 <= kept["MMD^2"].upper
    assert kept["W2^2"].lower <= kept["W2^2 of two halves of x"].upper
    assert blurred["MMD^2"].lower > 0.1
    assert blurred["W2^2"].value == pytest.approx(((x - 0.5) ** 2).mean(), rel=0.1)
    constant = rdc.audit(np.ones(20), np.ones(20), n_bootstrap=0)
    assert constant["W2^2"].value == constant["MMD^2"].value == 0
