"""Rate zero under limits that are met with equality: the channel is within them without any rounding."""

import math
from fractions import Fraction

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.solvers.finite.exact_masses import exact_masses


def exact_mean(p, masses, table):
    """The mean of a loss under a channel that ignores its input, its row and the masses rescaled."""
    total = sum(map(Fraction, masses)) * sum(map(Fraction, p))
    cells = ((w, q, value) for w, row in zip(p, table, strict=True) for q, value in zip(masses, row, strict=True))
    return sum((Fraction(w) * Fraction(q) * Fraction(value) for w, q, value in cells), Fraction(0)) / total


def rounded_up(value):
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)


def opposed(seed, n, k, count, exponent):
    """A source, `count` losses and one that is a constant less their sum, at limits that some masses meet."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(n))
    tables = list(rng.random((count, n, k)) * 10.0**exponent)
    tables.append(1.01 * float(np.sum(tables, axis=0).max()) - np.sum(tables, axis=0))
    masses = rng.dirichlet(np.ones(k)).tolist()
    bounds = [rounded_up(exact_mean(p.tolist(), masses, table.tolist())) for table in tables]
    names = ["distortion", *(f"l{m}" for m in range(1, len(tables)))]
    problem = rdc.Problem.from_arrays(p, tables[0], losses=dict(zip(names[1:], tables[1:], strict=True)))
    return problem.with_limits(**dict(zip(names, bounds, strict=True))), tables, bounds


@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(2, 4), st.integers(1, 2), st.integers(-6, 6))
def test_channels_that_tell_nothing_are_within_equalities_to_the_last_digit(seed, n, k, count, exponent):
    problem, tables, bounds = opposed(seed, n, k, count, exponent)
    result = rdc.solve(problem)
    assume(result.rate_upper == 0)
    row = result.channel[0].tolist()
    assert (result.channel == result.channel[0]).all()
    assert abs(math.fsum(row) - 1) < 1e-13
    for table, bound in zip(tables, bounds, strict=True):
        assert exact_mean(problem.p_x.tolist(), row, table[:, result.letters].tolist()) <= Fraction(bound)


def test_masses_that_no_floats_mend_are_given_back():
    masses = np.array([0.5, 0.5])
    problem = rdc.Problem.from_arrays([1.0], [[0.0, 1.0]], losses={"l1": [[1.0, 0.0]]})
    impossible = problem.with_limits(distortion=0.5, l1=0.4)
    assert exact_masses(impossible, np.arange(2), masses) is masses


def test_means_held_at_a_value_stay_as_near_it_as_a_check_asks():
    problem = rdc.Problem.from_arrays([1.0], [[0.0, 1.0, 0.5]], losses={"l1": [[0.3, 0.1, 0.9]]}, equal=["l1"])
    problem = problem.with_limits(distortion=0.4, l1=0.36)
    masses = exact_masses(problem, np.arange(3), np.array([0.5, 0.3 + 1e-15, 0.2 - 1e-15]))
    assert exact_mean([1.0], masses.tolist(), [[0.0, 1.0, 0.5]]) <= Fraction(0.4)
    assert abs(exact_mean([1.0], masses.tolist(), [[0.3, 0.1, 0.9]]) - Fraction(0.36)) <= Fraction(0.8 * 2.0**-49)
