"""Channels run as codes: the law of the output, of the places sent, and what they cost."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

import rdcsolve as rdc
from rdcsolve.codes import simulate
from rdcsolve.testing import problems


def three():
    problem = rdc.Problem.from_arrays([0.5, 0.3, 0.2], 1 - np.eye(3)).with_limits(D=0.25)
    return rdc.solve(problem), problem


def test_the_output_has_the_law_of_the_channel():
    result, problem = three()
    code = simulate(result, problem, seed=3)
    n = 6000
    for x in range(3):
        places = code.encode(np.full(n, x))
        letters = code.decode(places)
        expected = result.channel[x] * n
        counts = np.bincount(letters, minlength=expected.size)
        assert chisquare(counts[expected > 0], expected[expected > 0]).pvalue > 1e-4


def test_the_places_have_the_law_that_is_added_up():
    result, problem = three()
    code = simulate(result, problem, seed=11)
    symbols = np.random.default_rng(0).choice(3, size=20000, p=problem.p_x)
    places = code.encode(symbols)
    shares = np.bincount(places)[1:] / places.size
    seen = shares[shares > 0]
    assert -(seen * np.log(seen)).sum() == pytest.approx(code.entropy, abs=0.02)
    assert np.log(places).mean() == pytest.approx(code.mean_log, abs=0.02)
    assert code.rate == pytest.approx(result.rate_upper)


@given(problems("targets", max_symbols=5, max_letters=5))
def test_entropy_is_between_the_rate_and_the_bound(problem):
    result = rdc.solve(problem)
    q = problem.p_x @ result.channel
    if (result.channel[problem.p_x > 0] > 0.9e6 * q).any():
        return  # refused: a place would take a million draws
    code = simulate(result, problem)
    if math.isnan(code.entropy):
        return
    assert code.rate - 1e-9 <= code.entropy <= code.bound
    used = np.flatnonzero(problem.p_x > 0)
    assert (result.channel[used, code.decode(code.encode(used))] > 0).all()


@given(st.integers(0, 2**31), st.integers(0, 100))
def test_parts_of_a_sequence(seed, first):
    result, problem = three()
    code = simulate(result, problem, seed=seed)
    symbols = [0, 1, 2, 1, 0]
    whole = code.encode(symbols, first=first)
    assert np.array_equal(code.encode(symbols[2:], first=first + 2), whole[2:])
    assert np.array_equal(code.decode(whole[2:], first=first + 2), code.decode(whole, first=first)[2:])


def test_what_is_refused():
    result, problem = three()
    code = simulate(result, problem)
    with pytest.raises(rdc.InvalidInput, match=r"symbols\[0\] is 3; give whole numbers from 0 to 2"):
        code.encode([3])
    with pytest.raises(rdc.InvalidInput, match=r"places\[0\] is 0; give whole numbers from 1"):
        code.decode([0])
    with pytest.raises(rdc.InvalidInput, match="other losses or masses"):
        simulate(result, rdc.Problem.from_arrays([0.5, 0.25, 0.25], 1 - np.eye(3)))
    with pytest.raises(rdc.InvalidInput, match="seed is -1"):
        simulate(result, problem, -1)


@given(st.integers(0, 2**32 - 1))
def test_places_that_are_never_sent_are_refused_at_once(seed):
    problem = rdc.Problem(rdc.Source([0.0, 1.0], [0.7, 0.3]), distortion="hamming").with_limits(D=0.1)
    code = simulate(rdc.solve(problem), problem, seed=seed)
    places = code.encode(np.random.default_rng(seed).integers(0, 2, size=50))
    for damaged in (2**31, 2**53, 0, -1, 1.5, np.inf):
        with pytest.raises(rdc.InvalidInput, match="mind what was sent"):
            code.decode([*places, damaged])
