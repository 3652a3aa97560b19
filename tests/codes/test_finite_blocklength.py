"""Short blocks against published kinds of sums computed to 40 digits, and against codes that were actually made."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.stats import binom

import rdcsolve as rdc
from rdcsolve.codes import finite_blocklength
from rdcsolve.codes.hypothesis_test import log_size_by_testing
from rdcsolve.codes.tails import _by_grid, upper_tail
from rdcsolve.testing import pmfs


def coin(p, d):
    return rdc.Problem(rdc.Source([0.0, 1.0], [1 - p, p]), distortion="hamming", unit="bit").with_limits(D=d)


# Binary entropies, exact binomial sums and bisection in arithmetic of 40 digits.
COINS = [
    (0.4, 0.11, 100, 0.01, 0.47103463629, 0.08212347054, 0.476071101952, 0.521110105953, 0.56815467236, 0.537701236089),
    (
        0.11,
        0.05,
        100,
        0.1,
        0.213519001049,
        0.890701701398,
        0.284977807274,
        0.31308053694,
        0.359031788639,
        0.334467985579,
    ),
    (0.4, 0.25, 8, 0.1, 0.159672469996, 0.08212347054, 0.0482403023781, 0.300939573203, 0.506746123153, 0.289517323041),
]


@pytest.mark.parametrize("numbers", COINS)
def test_coins(numbers):
    p, d, n, eps, rate, dispersion, converse, testing, achievable, normal = numbers
    problem = coin(p, d)
    found = finite_blocklength(rdc.solve(problem, tolerance=1e-12), problem, n, eps)
    assert found.rate == pytest.approx(rate, abs=1e-10)
    assert found.dispersion == pytest.approx(dispersion, abs=1e-6)  # of the square root of the tolerance
    assert found.converse == pytest.approx(converse, abs=1e-8)
    assert found.converse <= converse + 1e-12
    assert found.testing_converse == pytest.approx(testing, abs=1e-10)
    assert found.testing_converse <= testing + 1e-12
    assert found.achievable == pytest.approx(achievable, abs=1e-6)
    assert found.normal_approximation == pytest.approx(normal, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "testing", "achievable"),
    [(100, 0.527910368467, 0.550087908891), (1000, 0.504513204628, 0.50673095867)],
)
def test_a_fair_coin(n, testing, achievable):
    problem = coin(0.5, 0.11)
    found = finite_blocklength(rdc.solve(problem, tolerance=1e-12), problem, n, 0.01)
    assert found.dispersion == pytest.approx(0, abs=1e-12)
    assert found.achievable == pytest.approx(achievable, abs=1e-9)
    assert found.testing_converse == pytest.approx(testing, abs=1e-10)
    assert found.testing_converse <= testing + 1e-12
    assert found.normal_approximation == pytest.approx(0.500084041835, abs=1e-6)
    # all sums of the tilted information are n R, up to rounding
    assert found.converse == pytest.approx(found.rate + math.log2(0.99) / n, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "converse", "achievable", "normal"),
    [(20, 0.354900, 0.607350, 0.507328), (40, 0.381634, 0.531681, 0.469205), (80, 0.393382, None, 0.442248)],
)
def test_two_losses(n, converse, achievable, normal):
    near = np.array([[0, 0, 1], [0, 0, 1], [1, 1, 0]], dtype=float)
    problem = rdc.Problem.from_arrays([0.5, 0.3, 0.2], 1 - np.eye(3), losses={"second": near})
    problem = problem.with_limits(D=0.25, second=0.05)
    found = finite_blocklength(rdc.solve(problem, tolerance=1e-12), problem, n, 0.1)
    assert [found.rate, found.dispersion] == pytest.approx([0.377166808, 0.206311367], abs=1e-6)
    assert [found.converse, found.normal_approximation] == pytest.approx([converse, normal], abs=2e-6)
    if achievable is not None:
        assert found.achievable == pytest.approx(achievable, abs=2e-6)
    assert max(found.converse, found.testing_converse) < found.achievable


def test_an_erased_coin():
    """A fair coin seen through erasures, by its surrogate: R is exact, and so is the converse; the dispersion is not.

    The published dispersion .531831890298 counts what the hidden coin adds to the surrogate's, and the sharper converse
    by hypothesis testing is .738264322599 bit.
    """
    problem = rdc.Problem.from_arrays([0.45, 0.45, 0.1], [[0, 1], [1, 0], [0.5, 0.5]], unit="bit").with_limits(D=0.1)
    found = finite_blocklength(rdc.solve(problem, tolerance=1e-12), problem, 100, 0.1)
    assert found.rate == pytest.approx(0.621410913765, abs=1e-10)
    assert found.converse < 0.738264322599
    assert found.dispersion < 0.531831890298


@st.composite
def small_problems(draw):
    """Draw two or three symbols with one or two losses of small whole numbers, limited somewhere between."""
    n_x, n_y = draw(st.integers(2, 3)), draw(st.integers(2, 3))
    p = np.array(draw(pmfs(n_x)))
    tables = [np.array(draw(st.lists(st.integers(0, 2), min_size=n_x * n_y, max_size=n_x * n_y))) for _ in range(2)]
    tables = [table.reshape(n_x, n_y).astype(float) for table in tables[: draw(st.integers(1, 2))]]
    problem = rdc.Problem.from_arrays(p, tables[0], losses={f"loss_{m}": one for m, one in enumerate(tables[1:])})
    reference = np.full(n_y, 1 / n_y)
    share = draw(st.floats(0.1, 1.0))
    bounds = {
        name: problem.least_mean(m) + share * (p @ table @ reference - problem.least_mean(m))
        for m, (name, table) in enumerate(zip(problem.loss_names, tables, strict=True))
    }
    best = np.zeros((n_x, n_y))
    best[np.arange(n_x), sum(tables).argmin(axis=1)] = 1.0  # one channel that is sure to be within
    for name, table in zip(problem.loss_names, tables, strict=True):
        bounds[name] = max(bounds[name], float((p[:, None] * best * table).sum()))
    return problem.with_limits(**bounds), tables


@given(small_problems(), st.integers(1, 4), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_no_code_found_is_below_the_converse(drawn, n, n_words, seed):
    """Words drawn at random, the best of them sent: its excess probability, by enumeration, and the converse there."""
    problem, tables = drawn
    words = np.random.default_rng(seed).integers(problem.n_letters, size=(n_words, n))
    excess = 0.0
    for block in itertools.product(range(problem.n_x), repeat=n):
        mass = math.prod(problem.p_x[i] for i in block)
        means = np.array([[table[list(block), word].mean() for table in tables] for word in words])
        if not (means <= problem.bounds + 1e-12).all(axis=1).any():
            excess += mass
    if 0 < excess < 1:
        found = finite_blocklength(rdc.solve(problem), problem, n, excess)
        for converse in (found.converse, found.testing_converse):
            if not math.isnan(converse):
                assert converse <= math.log(n_words) / n + 1e-9
                assert found.reason or converse <= found.achievable + 1e-9


@given(small_problems(), st.integers(1, 4), st.floats(0.02, 0.6), st.integers(0, 2**32 - 1))
def test_converses_by_testing_against_a_linear_programme(drawn, n, eps, seed):
    """Whatever u and multipliers, the bound is at most what the best test and the best word prove, found by listing."""
    problem, tables = drawn
    rng = np.random.default_rng(seed)
    u = rng.normal(size=problem.n_x).round(1)
    multipliers = rng.choice([0.0, 0.5, 2.0], size=len(tables))
    found = log_size_by_testing(problem, u, multipliers, n, eps)
    if not multipliers.any():
        assert math.isnan(found)
        return
    blocks = list(itertools.product(range(problem.n_x), repeat=n))
    p = np.array([math.prod(problem.p_x[i] for i in block) for block in blocks])
    q = p * np.exp([u[list(block)].sum() for block in blocks])
    power = linprog(q, A_ub=[-p], b_ub=[eps - 1], bounds=(0, 1)).fun
    weighed = sum(w * table for w, table in zip(multipliers, tables, strict=True))
    bound = float(multipliers @ problem.bounds) + 1e-12
    covered = max(
        q[[weighed[list(block), word].mean() <= bound for block in blocks]].sum()
        for word in itertools.product(range(problem.n_letters), repeat=n)
    )
    if covered > 0:
        exact = max(0.0, math.log(power) - math.log(covered))
        assert math.isnan(found) or found <= exact + 1e-9
        if problem.n_x == 2 and np.ptp(np.sort(weighed, axis=0), axis=1).max() == 0 and np.ptp(u) == 0:
            assert found == pytest.approx(exact, abs=1e-9)


@given(small_problems(), st.integers(1, 3), st.floats(0.05, 0.9))
def test_random_codes_by_enumeration(drawn, n, eps):
    """The mean over codes of the excess probability is eps at the number of words that is said to do."""
    problem, tables = drawn
    result = rdc.solve(problem)
    found = finite_blocklength(result, problem, n, eps)
    words = list(itertools.product(range(result.letters.size), repeat=n))
    law = np.array([math.prod(result.q[a] for a in word) for word in words])
    total = 0.0
    for block in itertools.product(range(problem.n_x), repeat=n):
        inside = 0.0
        for word, mass in zip(words, law, strict=True):
            means = [table[list(block), result.letters[list(word)]].mean() for table in tables]
            inside += mass if (np.array(means) <= problem.bounds + 1e-9).all() else 0.0
        total += math.prod(problem.p_x[i] for i in block) * (1 - min(inside, 1.0)) ** math.exp(n * found.achievable)
    if math.isinf(found.achievable):
        return
    assert total <= eps + 1e-7
    assert found.achievable == 0 or total == pytest.approx(eps, abs=1e-6)


@given(st.integers(1, 60), st.floats(0.01, 0.99))
def test_tails_of_two_values_are_binomial(n, p):
    values, tails = upper_tail(np.array([1 - p, p]), np.array([0.0, 1.0]), n)
    right = binom.sf(np.round(values) - 1, n, p)
    assert (tails <= right * (1 + 1e-9) + 1e-300).all()
    assert tails == pytest.approx(right, rel=1e-9, abs=1e-290)


@settings(max_examples=5)
@given(st.sampled_from([1, 3, 10, 100, 300]), st.integers(0, 2**32 - 1))
def test_tails_on_a_grid_are_below_and_close(n, seed):
    rng = np.random.default_rng(seed)
    p, values = rng.dirichlet(np.ones(3)), rng.normal(size=3)
    exact_at, exact = upper_tail(p, values, n)
    at, tails, error = _by_grid(p, values, n)
    order = np.argsort(exact_at)
    exact_at, exact = exact_at[order], exact[order]
    inside = np.flatnonzero((exact_at >= at[0]) & (exact_at < at[-1]))
    k = np.searchsorted(at, exact_at[inside])
    assert (tails[k] - error[k] <= exact[inside] + 1e-11).all()
    moved = n * (at[1] - at[0])
    k = np.searchsorted(at, exact_at[inside] - moved - 1e-12)
    assert (tails[k] >= exact[inside] - 1e-9).all()


def test_many_symbols_and_a_label():
    x = np.linspace(-2, 2, 41)
    p = np.exp(-(x**2) / 2)
    positive = 1 / (1 + np.exp(-3 * x))
    source = rdc.Source(x, p / p.sum(), [np.stack([1 - positive, positive], axis=1)])
    problem = rdc.Problem(source, limits=[rdc.LabelEntropyLimit(0.5)]).with_limits(D=0.2)
    found = finite_blocklength(rdc.solve(problem, tolerance=1e-7), problem, 50, 0.05)
    assert math.isnan(found.achievable)
    assert "label's entropy" in found.reason
    assert 0.3 < found.converse < found.normal_approximation
    longer = finite_blocklength(rdc.solve(problem, tolerance=1e-7), problem, 5000, 0.05)
    assert abs(longer.converse - longer.normal_approximation) < 0.1 * abs(found.converse - found.normal_approximation)


def test_what_is_refused():
    problem = coin(0.4, 0.1)
    result = rdc.solve(problem)
    with pytest.raises(rdc.InvalidInput, match=r"eps is 1\.5"):
        finite_blocklength(result, problem, 10, 1.5)
    with pytest.raises(rdc.InvalidInput, match="n is 0"):
        finite_blocklength(result, problem, 0, 0.1)
    with pytest.raises(rdc.InvalidInput, match="pass what solve"):
        finite_blocklength(problem, problem, 10, 0.1)
    lagrangian = problem.at_multipliers(distortion=2.0)
    with pytest.raises(rdc.InvalidInput, match="least rate"):
        finite_blocklength(rdc.solve(lagrangian), lagrangian, 10, 0.1)
    beyond = rdc.Problem.from_arrays([0.6, 0.4], [[0.5, 1], [1, 0.5]], D=0.1)
    with pytest.raises(rdc.InvalidInput, match="INFEASIBLE"):
        finite_blocklength(rdc.solve(beyond), beyond, 10, 0.1)
    other = coin(0.3, 0.1)
    with pytest.raises(rdc.InvalidInput, match="other losses|fingerprint|belongs"):
        finite_blocklength(result, other, 10, 0.1)
    with pytest.raises(rdc.InvalidInput, match="pass the problem solved"):
        finite_blocklength(result, problem.with_limits(D=0.2), 10, 0.1)


@given(st.integers(2, 4), st.floats(0.1, 100), st.integers(1, 5), st.sampled_from([-1, 0, 1]))
def test_losses_that_are_constant_cost_nothing_whatever_their_bound_rounds_to(k, entry, n, side):
    bound = entry * (1 + side * np.finfo(float).eps)
    problem = rdc.Problem.from_arrays(np.full(k, 1 / k), np.full((k, 2), entry)).with_limits(D=bound)
    result = rdc.solve(problem)
    if result.status is rdc.Status.OPTIMAL:
        assert finite_blocklength(result, problem, n, 0.2).achievable == 0
