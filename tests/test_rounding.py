"""Exact sums of products, of short and of long vectors."""

import math
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcsolve import rounding
from rdcsolve.rounding import exact_dot


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 40]), st.sampled_from([(), (1.0, -1e-30)]))
def test_a_sum_is_rounded_once_also_in_parts(seed, n, plus):
    rng = np.random.default_rng(seed)
    pairs = [tuple(rng.standard_normal(n) * 10.0 ** rng.integers(-20, 20, n) for _ in range(2)) for _ in range(2)]
    exact = sum((Fraction(x) * Fraction(y) for a, b in pairs for x, y in zip(a.tolist(), b.tolist(), strict=True)), 0)
    exact += sum(map(Fraction, plus), Fraction(0))
    with pytest.MonkeyPatch.context() as patch:
        for at_a_time in (1 << 14, 7, 1):
            patch.setattr(rounding, "_AT_A_TIME", at_a_time)
            assert exact_dot(*pairs, plus=plus) == float(exact)


def test_what_leaves_the_range_is_no_number_in_long_vectors_either():
    a = np.ones(40_000)
    a[20_000] = 1e300
    assert math.isnan(exact_dot((a, a)))


def test_long_vectors_are_not_turned_into_numbers_of_python_at_once():
    a = np.random.default_rng(0).random(300_000)
    tracemalloc.start()
    exact_dot((a, a))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * a.size
