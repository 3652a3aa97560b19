"""Prices on grids by products along the axes: bounds of the exact ones, and hardly above them."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.certificates.floating import FloatNumbers
from rdcsolve.certificates.product_prices import over_one_grid, prices_on_grid
from rdcsolve.problems import SeparableLoss

flint = pytest.importorskip("flint")
from flint import arb, ctx  # noqa: E402

from rdcsolve.certificates.ball import BallNumbers  # noqa: E402

entries = st.one_of(st.just(0.0), st.floats(1e-9, 1e3), st.integers(0, 9).map(float))


@st.composite
def certified(draw):
    """A problem with one or two losses on a grid of one to three axes, and u and multipliers for it."""
    n_axes = draw(st.integers(1, 3))
    sides = [(draw(st.integers(1, 4)), draw(st.integers(1, 4))) for _ in range(n_axes)]
    table = lambda n, k: np.array([[draw(entries) for _ in range(k)] for _ in range(n)])  # noqa: E731
    losses = [SeparableLoss([table(n, k) for n, k in sides]) for _ in range(draw(st.integers(1, 2)))]
    n_x = losses[0].shape[0]
    masses = np.array([draw(st.sampled_from([0.0, 1e-200, 1e-3, 1.0, 2.0])) for _ in range(n_x)])
    masses[draw(st.integers(0, n_x - 1))] = 1.0
    limits = [rdc.LossLimit(math.inf, loss, f"loss_{m}") for m, loss in enumerate(losses[1:])]
    problem = rdc.Problem(rdc.Source(None, masses, normalise=True), distortion=losses[0], limits=limits)
    multipliers = np.array([draw(st.floats(1e-3, 1e3)) for _ in losses])
    u = np.array([draw(st.floats(-50, 300)) for _ in range(n_x)])
    return problem, u, multipliers


def numbers_of(kind, problem, u, multipliers):
    k = problem.n_letters
    channel = np.full((problem.n_x, k), 1 / k)
    return kind(problem, u, np.zeros(problem.n_x), multipliers, np.arange(k), channel, None)


def exact_prices(problem, u, multipliers):
    """Prices of the exact sums of the tables' entries, as balls of 200 bits."""
    tables = [loss.structure.tables for loss in problem.losses]
    grid, letters = problem.losses[0].structure.grid, problem.losses[0].structure.letter_grid
    prices = []
    for a in range(problem.n_letters):
        at, total = np.unravel_index(a, letters), arb(0)
        for i in np.flatnonzero(problem.p_x).tolist():
            place = np.unravel_index(i, grid)
            cost = sum(
                Fraction(multiplier) * Fraction(float(table[place[d], at[d]]))
                for multiplier, axes in zip(multipliers.tolist(), tables, strict=True)
                for d, table in enumerate(axes)
            )
            exponent = Fraction(float(u[i])) - cost
            total += arb(float(problem.p_x[i])) * (arb(exponent.numerator) / arb(exponent.denominator)).exp()
        prices.append(total)
    return prices


@pytest.mark.parametrize("kind", [FloatNumbers, BallNumbers])
@given(case=certified())
def test_bounds_are_above_the_exact_prices_and_close(kind, case):
    problem, u, multipliers = case
    ctx.prec = 200
    exact = exact_prices(problem, u, multipliers)
    with np.errstate(over="raise"):
        found = prices_on_grid(numbers_of(kind, problem, u, multipliers), worthwhile=0)
    largest = max(float(one.log().mid()) for one in exact)
    for bound, price in zip(found.bounds.tolist(), exact, strict=True):
        above = arb(found.scale).exp() * arb(bound)
        assert above > price
        # the exponents' own roundings: what a cost cancels of u is lost to relative accuracy
        size = float(np.abs(u).max()) + float(multipliers @ [loss.structure.spread() for loss in problem.losses])
        assert float((above / price).log().mid()) < 1e-13 * (10 + size) or float(price.log().mid()) < largest - 600
    log = found.log_largest()
    assert largest <= log + 1e-300
    assert log <= largest + 1e-14 * (20 + float(np.abs(u).max()) + abs(largest)) + 1e-12 * max(1.0, abs(largest))
    ctx.prec = 53


def problem_on_grid(n, **options):
    line = np.linspace(-3, 3, n)
    return rdc.Problem(rdc.sources.grid(lambda x: np.exp(-(x**2).sum(axis=1) / 2), [line, line]), **options)


def test_products_price_what_they_can_only():
    problem = problem_on_grid(4)
    both = rdc.Problem(problem.source, limits=[rdc.LossLimit(math.inf, np.eye(16), "other")])
    assert over_one_grid(problem, np.array([1.0])) is not None
    assert over_one_grid(problem, np.array([0.0])) is None
    assert over_one_grid(both, np.array([1.0, 0.0])) is not None
    assert over_one_grid(both, np.array([1.0, 1.0])) is None
    held = rdc.Problem(problem.source, limits=[rdc.LossLimit(1.0, "absolute", "other", equal=True)])
    assert over_one_grid(held, np.array([1.0, -1.0])) is None


@pytest.mark.parametrize("arithmetic", ["float", "ball"])
def test_the_bound_is_that_of_all_pairs(monkeypatch, arithmetic):
    problem = problem_on_grid(9).at_multipliers(distortion=1.5)
    result = rdc.solve(problem)
    pairs = result.certificate.verify(problem, arithmetic)
    monkeypatch.setattr("rdcsolve.certificates.product_prices.prices_on_grid.__defaults__", (0,))
    products = result.certificate.verify(problem, arithmetic)
    assert products.log_max_price == pytest.approx(pairs.log_max_price, abs=2e-13)
    if arithmetic == "ball":
        assert products.log_max_price == pairs.log_max_price
    assert products.lower == pytest.approx(pairs.lower, abs=2e-13)


def test_a_certificate_that_is_too_good_is_refuted_on_a_grid(monkeypatch):
    monkeypatch.setattr("rdcsolve.certificates.product_prices.prices_on_grid.__defaults__", (0,))
    problem = problem_on_grid(9).at_multipliers(distortion=1.5)
    certificate = rdc.solve(problem).certificate
    raised = replace(certificate, u=certificate.u + 1e-9, lower=certificate.lower + 1e-9)
    found = raised.verify(problem)
    assert not found.valid
    assert found.lower <= certificate.upper
