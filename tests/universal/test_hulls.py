"""Lower left boundaries in the plane, whatever units its axes are in."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rdcsolve.universal.hulls import lower_left, minkowski_sum


@given(st.integers(0, 2**32 - 1), st.tuples(st.integers(-12, 12), st.integers(-12, 12)))
def test_a_sum_of_clouds_is_spanned_in_any_units(seed, exponents):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 6, size=rng.integers(1, 5))
    units = 10.0 ** np.array(exponents)
    clouds = [rng.random((size, 2)) * units for size in sizes]
    choices = minkowski_sum(clouds)
    found = np.array([sum(cloud[a] for cloud, a in zip(clouds, choice, strict=True)) for choice in choices])
    everything = np.array([sum(points) for points in itertools.product(*clouds)])
    right = everything[lower_left(everything)]
    for weights in np.stack([(angles := np.linspace(0, np.pi / 2, 21)), np.pi / 2 - angles], axis=1):
        weights = np.sin(weights) / units
        np.testing.assert_allclose((found @ weights).min(), (right @ weights).min(), rtol=1e-12)
