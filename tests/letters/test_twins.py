"""Climbs and bounds of prices in NumPy and compiled: one algorithm twice, so the same letters and the same bounds."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import xlogy

from rdcsolve.letters.pricing import ascent, cells, plain_cells
from rdcsolve.letters.pricing.parts import parts_of
from rdcsolve.twins import Work


@st.composite
def parts(draw, most=6):
    """Prices of some symbols over soft decisions for one label or two, smooth, peaked, or with classes outright."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n, n_y = draw(st.integers(1, 30)), draw(st.integers(1, 6))
    sizes = draw(
        st.sampled_from([(2,), (3,), (4,), (2, 2), (2, 3), (2, 2, 2)] + [(5,), (most,), (most, 2)] * (most > 4))
    )
    labels = [rng.dirichlet(np.full(size, draw(st.sampled_from([0.02, 0.3, 5.0]))), size=n) for size in sizes]
    if draw(st.booleans()):
        labels[0][: n // 2] = np.eye(sizes[0])[rng.integers(sizes[0], size=n // 2)]
    multipliers = 10.0 ** rng.uniform(-1, 3, len(sizes))
    log_weights = draw(st.sampled_from([0.1, 3.0, 100.0])) * rng.normal(size=(n, n_y))
    found = [part for part in parts_of(log_weights, labels, multipliers, 0.0)[0] if part.n_classes]
    return found[0] if found else None, rng


def letters(part, rng, count):
    columns = rng.integers(len(part.weights), size=count)
    decisions = [rng.dirichlet(np.full(b - a, 0.5), size=count) for a, b in itertools.pairwise(part.offsets)]
    soft = np.hstack(decisions)
    soft[rng.random(soft.shape) < 0.1] = 0.0
    for a, b in itertools.pairwise(part.offsets):
        soft[~soft[:, a:b].any(axis=1), a] = 1.0
        soft[:, a:b] /= soft[:, a:b].sum(axis=1, keepdims=True)
    return columns, soft


def prices_of(part, columns, soft):
    exponents = xlogy(part.powers, soft[:, :, None]).sum(axis=1) - part.total_shift
    return (part.weights[columns] * np.exp(np.minimum(exponents, 0.0))).sum(axis=1)


@given(parts())
def test_both_climbs_end_at_the_same_letters(case):
    part, rng = case
    if part is None:
        return
    columns, starts = letters(part, rng, 25)
    plain, compiled = (starts.copy(), np.empty(25)), (starts.copy(), np.empty(25))
    ascent.climb_together(part, columns, *plain)
    ascent.climb_compiled(part, columns, *compiled)
    # where two hills meet a rounding decides which of them is climbed
    agree = np.abs(plain[1] - compiled[1]) <= 1e-9 * compiled[1] + 1e-200
    assert agree.mean() >= 0.9
    assert np.abs(prices_of(part, columns, plain[0]) - plain[1]).max() <= 1e-9 * plain[1].max()
    for begin in (plain, compiled):
        assert (begin[1] >= prices_of(part, columns, starts) * (1 - 1e-9) - 1e-250).all()
    assert ((starts > 0) | (plain[0] == 0)).all(), "a class that is out stays out"


@pytest.mark.parametrize("gap", [1.0, 1.0001, 1.5])
@given(parts(most=4))
def test_both_bounds_and_halve_alike(gap, case):
    part, rng = case
    if part is None or part.dimension > 3:
        return
    n_y = len(part.weights)
    columns, starts = letters(part, rng, 40)
    ascent.climb_together(part, columns, starts, prices := np.empty(40))
    level = np.zeros((1, part.n_classes, 4))
    for a, b in itertools.pairwise(part.offsets):
        level[0, a:b, : b - a] = np.eye(b - a)
    begins, pairs = np.array([0, n_y]), np.arange(n_y)
    for depth in range(14):
        outcomes = []
        for refine in (cells.refine, plain_cells.refine):
            room = (np.empty((2 * len(level), *level.shape[1:])), np.empty(2 * len(level) + 1, dtype=np.int64))
            noted = np.empty(2 * pairs.size, dtype=np.int64), np.zeros(n_y), np.zeros((n_y, part.n_classes))
            told = np.empty(len(level), dtype=np.int8), np.empty(pairs.size, dtype=np.bool_)
            n_new, final, open_end = refine(
                *(part.weights, part.powers, part.shifts, np.abs(part.shifts).sum(axis=0) + part.degree, part.offsets),
                *(part.multipliers, max(1.0, part.degree), part.rounding, level, begins, pairs),
                *(gap * float(prices.max()), 0 if depth < 2 else 1 + depth % 2, *room, *noted, *told),
            )
            n_pairs = int(room[1][n_new])
            outcomes.append(
                (room[0][:n_new], room[1][: n_new + 1], noted[0][:n_pairs], *told, noted[1], final, open_end)
            )
        ours, theirs = outcomes
        for one, other in zip(ours[-3:], theirs[-3:], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-200)
        if not np.array_equal(ours[4], theirs[4]):  # a bound within roundings of the threshold
            return
        for one, other in zip(ours[:4], theirs[:4], strict=True):
            np.testing.assert_array_equal(one, other)
        level, begins, pairs = ours[0].copy(), ours[1].copy(), ours[2].copy()
        if not len(level):
            return


def test_a_few_prices_compile_nothing_and_many_do():
    work = Work()
    assert work.may_stay_plain()
    work.step(10**6)
    assert work.may_stay_plain()
    for _ in range(200):
        work.step(10**6)
    assert not work.may_stay_plain()
