"""The bounds on the rate that a result with a minimised loss shows beside it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc


@given(seed=st.integers(0, 2**32 - 1))
def test_they_are_in_order_where_a_rounding_of_a_limit_is_worth_much(seed):
    # symbols of next to no mass: a limit has multipliers of 1e12 there, and is met within a rounding
    rng = np.random.default_rng(seed)
    p = np.array([1.0, 10 ** -rng.uniform(14, 18), 10 ** -rng.uniform(17, 22)])
    p[0] -= p[1] + p[2]
    loss, other = 2e4 * rng.random((3, 6)), 5e-4 * rng.random((3, 6))
    forbidden = rng.random((3, 6)) < 0.3
    forbidden[np.arange(3), rng.integers(6, size=3)] = False
    other[forbidden] = np.inf
    likely = np.sort(other[0][~forbidden[0]])
    limits = [
        rdc.LossLimit(rng.uniform(likely[0], likely[-1]), other, "other"),
        rdc.RateLimit(10 ** -rng.uniform(13, 16)),
    ]
    source = rdc.Source(np.arange(3.0), p)
    result = rdc.solve(rdc.Problem(source, distortion=loss, limits=limits, minimise="distortion"), time_limit=1)
    assert not result.rate_lower > result.rate_upper
