"""Certificates are checked from the problem alone: true ones pass, wrong ones are refuted, balls hold the truth."""

import math
import sys
import tracemalloc
from dataclasses import replace
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rdcsolve import InvalidInput, MissingExtra, Problem
from rdcsolve.certificates import Certificate
from rdcsolve.information import binary_entropy, mutual_information

flint = pytest.importorskip("flint")
from rdcsolve.certificates.exponential import EXCESS, HIGHEST, LOWEST, exp_upper, float_above  # noqa: E402

ARITHMETICS = ("float", "ball")
both = pytest.mark.parametrize("arithmetic", ARITHMETICS)


def tilted(problem, multipliers, q, lower=math.nan, upper=math.nan, noise=0.0):
    """The certificate that output masses q give at the multipliers; claims nothing unless told to."""
    multipliers = np.array(multipliers, dtype=float)
    exponent = np.zeros((problem.n_x, problem.n_letters))
    for multiplier, loss in zip(multipliers, problem.losses, strict=True):
        exponent[np.isinf(loss.matrix)] = -math.inf
        if multiplier > 0:
            exponent -= multiplier * loss.matrix
    kernel = np.exp(exponent) * q
    t = kernel.sum(axis=1)
    t[problem.p_x == 0] = 1.0
    return Certificate(
        objective=problem.objective,
        u=-np.log(t) + noise,
        multipliers=multipliers,
        letters=np.arange(problem.n_letters),
        channel=kernel / t[:, None],
        lower=lower,
        upper=upper,
        fingerprint=problem.fingerprint(),
    )


def is_tight(bound, truth, arithmetic, side):
    """Balls are within a rounding of the truth; floats count their own rounding, and are on the safe side of it."""
    if arithmetic == "ball":
        return bound == pytest.approx(truth, abs=1e-15)
    beyond = truth - bound if side == "lower" else bound - truth
    return -2e-16 <= beyond <= 1e-14


RATE = binary_entropy(0.3) - binary_entropy(0.1)
SLOPE = math.log(9.0)


def coin():
    """A biased coin under Hamming distortion at D = 0.1, with its answer claimed to 1e-13."""
    problem = Problem.from_arrays([0.7, 0.3], 1 - np.eye(2), D=0.1)
    return problem, tilted(problem, [SLOPE], np.array([0.75, 0.25]), RATE - 1e-13, RATE + 1e-13)


# ------------------------------------------------------------------------------- what is true passes


@both
def test_known_optimum(arithmetic):
    problem, certificate = coin()
    check = certificate.verify(problem, arithmetic)
    assert check.valid
    assert check.messages == ()
    assert check.arithmetic == arithmetic
    assert is_tight(check.lower, RATE, arithmetic, "lower")
    assert is_tight(check.upper, RATE, arithmetic, "upper")
    assert check.gap == check.upper - check.lower
    assert check.excess["distortion"] <= 1e-15
    assert is_tight(check.log_max_price, 0.0, arithmetic, "upper")
    assert check.proved
    assert is_tight(check.rate, RATE, arithmetic, "upper")
    assert is_tight(check.losses["distortion"], 0.1, arithmetic, "upper")
    assert is_tight(check.plane, RATE + 0.1 * SLOPE, arithmetic, "lower")
    assert str(check).startswith(f"valid in {arithmetic} arithmetic: rate in [0.2857813286")


@both
def test_the_certificate_bounds_other_objectives_of_the_same_losses(arithmetic):
    problem, certificate = coin()
    least = certificate.verify(problem.minimising("distortion", rate=RATE), arithmetic)
    assert is_tight(least.lower, 0.1, arithmetic, "lower")
    assert is_tight(least.upper, 0.1, arithmetic, "upper")
    assert least.excess["rate"] <= 1e-14
    mixed = certificate.verify(problem.at_multipliers(distortion=SLOPE), arithmetic)
    assert is_tight(mixed.lower, RATE + 0.1 * SLOPE, arithmetic, "lower")
    assert is_tight(mixed.upper, RATE + 0.1 * SLOPE, arithmetic, "upper")
    assert mixed.excess == {}
    for check in (least, mixed):
        assert check.valid
        assert "claims concern the objective 'rate'" in check.messages[0]


@both
def test_the_certificate_bounds_other_limits_of_the_same_losses(arithmetic):
    problem, certificate = coin()
    strict = certificate.verify(problem.with_limits(D=0.05), arithmetic)
    assert is_tight(strict.lower, RATE + 0.05 * SLOPE, arithmetic, "lower")
    assert strict.lower <= binary_entropy(0.3) - binary_entropy(0.05)
    assert strict.upper == math.inf
    lax = certificate.verify(problem.with_limits(D=0.15), arithmetic)
    assert is_tight(lax.lower, RATE - 0.05 * SLOPE, arithmetic, "lower")
    assert is_tight(lax.upper, RATE, arithmetic, "upper")
    assert not lax.valid, "the lower bound claimed is not one at the laxer limit"
    assert certificate.verify(problem.with_limits(D=0.25), arithmetic).lower == 0.0


@both
@pytest.mark.parametrize(
    ("vary", "lower", "message"),
    [
        (lambda p: p.at_multipliers(distortion=2.0), 0.0, "multiplier of distortion is above the problem's"),
        (lambda p: p.with_limits(D=None), 0.0, "distortion has a multiplier but no limit"),
        (lambda p: p.minimising("other", rate=1.0), 0.1, "multiplier of other is zero"),
    ],
)
def test_multipliers_of_no_use_leave_the_trivial_bound(vary, lower, message, arithmetic):
    other = np.array([[0.1, 0.5], [0.9, 0.1]])
    problem = Problem.from_arrays([0.7, 0.3], 1 - np.eye(2), losses={"other": other}, D=0.1)
    certificate = tilted(problem, [SLOPE, 0.0], np.array([0.75, 0.25]))
    check = certificate.verify(vary(problem), arithmetic)
    assert check.lower == pytest.approx(lower, abs=1e-15)
    assert any(message in line for line in check.messages)
    assert check.valid


@both
def test_symbols_of_mass_zero_are_not_looked_at(arithmetic):
    problem = Problem.from_arrays([0.7, 0.0, 0.3], [[0, 1], [math.inf, math.inf], [1, 0]], D=0.1)
    certificate = tilted(problem, [SLOPE], np.array([0.75, 0.25]), RATE - 1e-13, RATE + 1e-13)
    certificate.u[1] = math.nan
    certificate.channel[1] = math.nan
    assert certificate.verify(problem, arithmetic).valid


@both
def test_a_certificate_without_a_channel_has_no_upper_bound(arithmetic):
    problem, certificate = coin()
    empty = replace(certificate, letters=np.arange(0), channel=np.empty((2, 0)))
    assert not empty.verify(problem, arithmetic).valid
    check = replace(empty, upper=math.nan).verify(problem, arithmetic)
    assert check.valid
    assert check.upper == math.inf
    assert math.isnan(check.excess["distortion"])
    assert "holds no channel" in check.messages[0]


@both
def test_rows_off_by_less_than_the_tolerance_are_rescaled(arithmetic):
    problem, certificate = coin()
    scaled = replace(certificate, channel=certificate.channel * (1 + 3e-10))
    check = scaled.verify(problem, arithmetic)
    assert check.valid
    assert is_tight(check.upper, RATE, arithmetic, "upper")
    least = scaled.verify(problem.minimising("distortion", rate=RATE + 1e-15), arithmetic)
    assert is_tight(least.upper, 0.1, arithmetic, "upper")


@both
def test_a_forbidden_pair_has_no_price_even_without_a_multiplier(arithmetic):
    problem = Problem.from_arrays([0.5, 0.5], [[0, math.inf], [math.inf, 0]])
    check = tilted(problem, [0.0], np.array([0.5, 0.5])).verify(problem, arithmetic)
    assert is_tight(check.lower, math.log(2), arithmetic, "lower")
    assert is_tight(check.upper, math.log(2), arithmetic, "upper")


@both
@pytest.mark.parametrize("multiplier", [0.0, 1e-3])
def test_the_trivial_bound_on_a_loss_minds_forbidden_pairs(multiplier, arithmetic):
    loss, other = [[0.1, 0.5], [0.9, 0.1]], [[math.inf, 0], [0, 0]]
    problem = Problem.from_arrays([0.7, 0.3], loss, losses={"other": other}, rate=1.0, minimise="D")
    check = tilted(problem, [multiplier, 0.0], np.array([0.5, 0.5])).verify(problem, arithmetic)
    assert check.lower == pytest.approx(0.7 * 0.5 + 0.3 * 0.1, abs=1e-15)


@both
def test_a_constant_channel_has_rate_zero(arithmetic):
    # of masses and a limit that floats hold exactly: in ball arithmetic a limit may not be missed by a rounding
    problem = Problem.from_arrays([0.75, 0.25], 1 - np.eye(2), D=0.25)
    constant = Certificate(
        "rate", np.zeros(2), np.zeros(1), np.array([0]), np.ones((2, 1)), 0.0, 0.0, problem.fingerprint()
    )
    check = constant.verify(problem, arithmetic)
    assert check.valid
    assert check.upper == pytest.approx(0.0, abs=1e-15)


@both
def test_prices_that_are_all_equal(arithmetic):
    n = 30
    problem = Problem.from_arrays(np.full(n, 1 / n), 1 - np.eye(n), D=0.2 * (1 + 1e-15))
    slope = math.log(0.8 / 0.2 * (n - 1))
    rate = math.log(n) - binary_entropy(0.2) - 0.2 * math.log(n - 1)
    check = tilted(problem, [slope], np.full(n, 1 / n)).verify(problem, arithmetic)
    assert check.lower == pytest.approx(rate, abs=1e-13)
    assert check.upper == pytest.approx(rate, abs=1e-13)


# -------------------------------------------------------------------------------- what is wrong fails


def _with(certificate, **changes):
    """A copy with entries changed: name -> (index, value) or a new value."""
    fields = {}
    for name, change in changes.items():
        if isinstance(change, tuple):
            fields[name] = getattr(certificate, name).copy()
            fields[name][change[0]] = change[1]
        else:
            fields[name] = change
    return replace(certificate, **fields)


WRONG = {
    "u raised": (lambda c: _with(c, u=(0, c.u[0] + 1e-6)), "a lower bound of .* is claimed but only"),
    "u lowered": (lambda c: _with(c, u=(1, c.u[1] - 1e-5)), "a lower bound of .* is claimed but only"),
    "u not finite": (lambda c: _with(c, u=(0, math.inf)), "u is not finite at a symbol of positive mass"),
    "multiplier raised": (lambda c: _with(c, multipliers=(0, SLOPE + 1e-3)), "a lower bound of .* is claimed"),
    "multiplier negative": (lambda c: _with(c, multipliers=(0, -1.0)), "a multiplier is negative or not finite"),
    "multiplier NaN": (lambda c: _with(c, multipliers=(0, math.nan)), "a multiplier is negative or not finite"),
    "lower too high": (lambda c: _with(c, lower=RATE + 1e-10), "a lower bound of .* is claimed but only"),
    "lower inf": (lambda c: _with(c, lower=math.inf), "a lower bound of inf is claimed but only"),
    "upper too low": (lambda c: _with(c, upper=RATE - 1e-10), "an upper bound of .* is claimed but only"),
    "row sum": (lambda c: _with(c, channel=(0, c.channel[0] * (1 + 1e-8))), "a row of the channel sums to one only"),
    "entry negative": (lambda c: _with(c, channel=(0, [1.1, -0.1])), "negative or not finite"),
    "entry NaN": (lambda c: _with(c, channel=((1, 1), math.nan)), "negative or not finite"),
    "limit": (lambda c: _with(c, channel=(0, c.channel[0] + [-1e-9, 1e-9])), "exceeds the limit 0.1 on distortion"),
    "letters swapped": (lambda c: _with(c, letters=np.array([1, 0])), "exceeds the limit 0.1 on distortion by 0.8"),
}


@both
@pytest.mark.parametrize("case", WRONG)
def test_wrong_certificates_are_refuted(case, arithmetic):
    problem, certificate = coin()
    spoil, message = WRONG[case]
    check = spoil(certificate).verify(problem, arithmetic)
    assert not check.valid
    assert str(check).startswith("NOT valid")
    with pytest.raises(AssertionError, match=message):
        raise AssertionError("; ".join(check.messages))
    assert check.lower <= RATE
    assert check.upper >= RATE - 1e-8


@both
def test_mass_on_a_forbidden_pair_is_refuted(arithmetic):
    problem = Problem.from_arrays([0.5, 0.5], [[0, math.inf], [0, 0]], D=1.0)
    forbidden = Certificate(
        "rate", np.zeros(2), np.zeros(1), np.arange(2), np.array([[1.0, 1e-300], [0.5, 0.5]]), 0.0, 1.0,
        problem.fingerprint(),
    )  # fmt: skip
    check = forbidden.verify(problem, arithmetic)
    assert not check.valid
    assert check.upper == math.inf
    assert "gives mass 1e-300 to a forbidden pair" in check.messages[0]


@both
def test_a_rate_limit_binds_the_channel(arithmetic):
    problem, certificate = coin()
    check = certificate.verify(problem.minimising("distortion", rate=RATE - 1e-6), arithmetic)
    assert not check.valid
    assert check.upper == math.inf
    assert check.excess["rate"] == pytest.approx(1e-6)
    assert is_tight(check.lower, 0.1 + 1e-6 / SLOPE, arithmetic, "lower")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: replace(c, fingerprint="0" * 16), "belongs to losses with fingerprint 0000"),
        (lambda c: replace(c, u=np.zeros(3)), r"u has shape \(3,\); this problem needs \(2,\)"),
        (lambda c: replace(c, multipliers=np.zeros(2)), r"multipliers has shape \(2,\); this problem needs \(1,\)"),
        (lambda c: replace(c, channel=np.zeros((2, 3))), r"channel has shape \(2, 3\); this problem needs \(2, 2\)"),
        (lambda c: replace(c, letters=np.array([0, 2])), "not indices below 2"),
        (lambda c: replace(c, letters=np.array([-1, 0])), "not indices below 2"),
        (lambda c: replace(c, letters=np.array([0.0, 1.0])), "not indices below 2"),
    ],
)
def test_a_certificate_of_something_else_is_an_error(spoil, message):
    problem, certificate = coin()
    with pytest.raises(InvalidInput, match=message):
        spoil(certificate).verify(problem)


def test_an_unknown_arithmetic_is_an_error():
    problem, certificate = coin()
    with pytest.raises(InvalidInput, match="unknown arithmetic 'exact'; choose one of 'float', 'ball'"):
        certificate.verify(problem, "exact")


# --------------------------------------------------------------------------------- against 60 digits


def decimal_truth(problem, certificate):
    """Lower and upper bound on the rate or the Lagrangian, and log max c, by the definitions in 60 digits."""
    with localcontext() as context:
        context.prec = 60
        used = np.flatnonzero(problem.p_x > 0)
        p = [Decimal(problem.p_x[i]) for i in used]
        p = [mass / sum(p) for mass in p]
        losses = [[[Decimal(x) for x in row] for row in loss.matrix[used].tolist()] for loss in problem.losses]
        multipliers = [Decimal(x) for x in certificate.multipliers.tolist()]
        u = [Decimal(x) for x in certificate.u[used].tolist()]
        prices = []
        for a in range(problem.n_letters):
            price = Decimal(0)
            for i in range(len(p)):
                costs = [loss[i][a] for loss in losses]
                if all(cost.is_finite() for cost in costs):
                    exponent = u[i] - sum(m * cost for m, cost in zip(multipliers, costs, strict=True))
                    price += p[i] * exponent.exp()
            prices.append(price)
        log_price = max(prices).ln()
        lower = sum(x * y for x, y in zip(p, u, strict=True)) - log_price
        trivial, every = Decimal(0), range(problem.n_letters)
        allowed = [[a for a in every if all(loss[i][a].is_finite() for loss in losses)] for i in range(len(p))]
        rows = [[Decimal(x) for x in row] for row in certificate.channel[used].tolist()]
        rows = [[x / sum(row) for x in row] for row in rows]
        letters = range(len(certificate.letters))
        q = [sum(p[i] * rows[i][a] for i in range(len(p))) for a in letters]
        pairs = [(i, a) for i in range(len(p)) for a in letters if rows[i][a] > 0]
        upper = sum(p[i] * rows[i][a] * (rows[i][a] / q[a]).ln() for i, a in pairs)
        for m, loss in enumerate(losses):
            mean = sum(p[i] * rows[i][a] * loss[i][certificate.letters[a]] for i, a in pairs)
            if problem.multipliers is not None:
                upper += Decimal(problem.multipliers[m]) * mean
                own = Decimal(problem.multipliers[m])
                least = sum(p[i] * min(loss[i][a] for a in allowed[i]) for i in range(len(p)))
                lower += (own - multipliers[m]) * least  # the spare part of the multiplier, at the loss's least mean
                trivial += own * least
            elif multipliers[m] > 0:
                lower -= multipliers[m] * Decimal(problem.bounds[m])
        return max(lower, trivial), upper, log_price


def mean_losses(problem, channel):
    """E L of every loss by name."""
    terms = {
        loss.name: np.multiply(channel, loss.matrix, out=np.zeros(channel.shape), where=channel > 0)
        for loss in problem.losses
    }
    return {name: float(problem.p_x @ term.sum(axis=1)) for name, term in terms.items()}


@st.composite
def problems_with_certificates(draw):
    """Small problems with zero masses, zero, infinite and large losses, and certificates not quite optimal."""
    n, k, n_losses = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 2))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    p = rng.dirichlet(np.full(n, 0.7))
    if n > 1 and draw(st.booleans()):
        p[rng.integers(n)] = 0.0
    scale = 10.0 ** draw(st.integers(-3, 3))
    losses = [scale * rng.choice([0.0, 1.0, rng.random()], size=(n, k)) for _ in range(n_losses)]
    if k > 1 and draw(st.booleans()):
        losses[-1][rng.integers(n), rng.integers(k)] = math.inf
    others = {f"loss_{m}": loss for m, loss in enumerate(losses[1:])}
    problem = Problem.from_arrays(p / p.sum(), losses[0], losses=others)
    multipliers = rng.choice([0.0, 1.0, 30.0], size=n_losses) * rng.random(n_losses) / scale
    noise = 10.0 ** draw(st.integers(-12, 0)) * rng.standard_normal(n)
    q = rng.dirichlet(np.full(k, 0.7)) + 1e-30
    certificate = tilted(problem, multipliers, q / q.sum(), noise=noise)
    certificate.channel[certificate.channel < 1e-3] = 0.0
    certificate.channel[problem.p_x > 0] /= certificate.channel[problem.p_x > 0].sum(axis=1, keepdims=True)
    if draw(st.booleans()):
        own = multipliers * draw(st.sampled_from([1.0, 1.7])) + draw(st.sampled_from([0.0, 0.3])) / scale
        return problem.at_multipliers(**dict(zip(problem.loss_names, own.tolist(), strict=True))), certificate
    return problem.with_limits(**mean_losses(problem, certificate.channel)), certificate


@given(problems_with_certificates())
def test_both_arithmetics_against_60_digits(case):
    problem, certificate = case
    lower, upper, log_price = decimal_truth(problem, certificate)
    in_float, in_balls = (certificate.verify(problem, arithmetic) for arithmetic in ARITHMETICS)
    size = 1.0 + float(np.abs(certificate.u).max())
    assert in_float.lower == pytest.approx(float(lower), abs=1e-14 * size)
    assert in_float.upper == pytest.approx(float(upper), abs=1e-14 * size)
    assert in_float.log_max_price == pytest.approx(float(log_price), abs=1e-14 * size)
    grain, tiny = Decimal("-1e-50"), Decimal("1e-30")  # of the 60 digits, of the balls
    # the ball's ends are on the right side of the truth, and within a rounding to floats of it
    assert grain <= lower - Decimal(in_balls.lower) <= Decimal(math.ulp(in_balls.lower)) + tiny
    assert grain <= Decimal(in_balls.upper) - upper <= Decimal(math.ulp(in_balls.upper)) + tiny
    assert grain <= Decimal(in_balls.log_max_price) - log_price <= Decimal(math.ulp(in_balls.log_max_price)) + tiny
    assert in_balls.lower <= in_float.lower + 1e-14 * size
    assert in_balls.upper >= in_float.upper - 1e-14 * size


@given(problems_with_certificates(), st.integers(0, 2**32 - 1))
def test_no_channel_beats_a_lower_bound(case, seed):
    problem, certificate = case
    rng = np.random.default_rng(seed)
    channel = rng.dirichlet(np.full(problem.n_letters, 0.5), size=problem.n_x)
    channel[:, rng.integers(problem.n_letters)] += 1e-12
    channel[np.logical_or.reduce([np.isinf(loss.matrix) for loss in problem.losses])] = 0.0
    used = (problem.p_x > 0) & (channel.sum(axis=1) > 0)
    if used[problem.p_x > 0].all():
        channel[used] /= channel[used].sum(axis=1, keepdims=True)
        rate = mutual_information(problem.p_x, channel)
        means = mean_losses(problem, channel)
        slope = problem.at_multipliers(**dict(zip(problem.loss_names, certificate.multipliers.tolist(), strict=True)))
        value = rate + float(certificate.multipliers @ list(means.values()))
        assert certificate.verify(slope).lower <= value + 1e-12 * (1 + value)
        own = 1.5 * certificate.multipliers + 0.1  # more than the certificate's: the rest counts at the least means
        steeper = problem.at_multipliers(**dict(zip(problem.loss_names, own.tolist(), strict=True)))
        value = rate + float(own @ list(means.values()))
        assert certificate.verify(steeper).lower <= value + 1e-12 * (1 + value)
        for name in problem.loss_names:
            bounds = {other: mean for other, mean in means.items() if other != name}
            least = problem.with_limits(**{name: None}).minimising(name, rate=rate).with_limits(**bounds)
            assert certificate.verify(least).lower <= means[name] * (1 + 1e-9) + 1e-9


# ------------------------------------------------------------------------------------ extreme numbers


@both
@pytest.mark.parametrize(
    ("p", "loss", "multiplier", "u"),
    [
        ([0.5, 0.5], [[1e10, 1e10], [1e10, 1e10]], 1e308, [0.0, 0.0]),
        ([0.5, 0.5], [[0.0, 1e300], [1e300, 0.0]], 1e300, [0.0, 0.0]),
        ([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1.0, [1e301, -1e301]),
        ([0.5, 0.5], [[0.0, 1.0], [1.0, 0.0]], 1.0, [1e5, 0.0]),
        ([1.0, 1e-300], [[0.0, 1.0], [800.0, 900.0]], 1.0, [0.0, 800.0]),
        ([1.0, 5e-324], [[0.0, 1.0], [1.0, 0.0]], 1.0, [0.0, 0.0]),
    ],
)
def test_extreme_numbers_give_bounds_and_no_warning(p, loss, multiplier, u, arithmetic):
    problem = Problem.from_arrays(p, loss, D=1e20)
    channel = np.array([[1 - 1e-300, 1e-300], [0.5, 0.5]])
    certificate = Certificate(
        "rate", np.array(u), np.array([multiplier]), np.arange(2), channel, math.nan, math.nan, problem.fingerprint()
    )
    check = certificate.verify(problem, arithmetic)
    assert 0.0 <= check.lower <= math.log(2)
    assert check.upper >= 0.0


def test_a_ball_is_not_fooled_where_floats_cancel():
    problem = Problem.from_arrays([0.5, 0.5], [[1e9, 1e9 + 1], [1e9 + 1, 1e9]], D=1e9 + 0.25)
    certificate = tilted(
        Problem.from_arrays([0.5, 0.5], 1 - np.eye(2)), [math.log(3.0)], np.array([0.5, 0.5])
    )  # the same problem with 1e9 taken off
    shifted = replace(certificate, u=certificate.u + certificate.multipliers * 1e9, fingerprint=problem.fingerprint())
    lower, upper, _ = decimal_truth(problem, shifted)
    check = shifted.verify(problem, "ball")
    assert 0 <= lower - Decimal(check.lower) <= Decimal("1e-16")
    assert 0 <= Decimal(check.upper) - upper <= Decimal("1e-16")


def at_the_limit(seed, is_constant, off):
    """A channel whose mean loss is the limit exactly, times 1 + off / 2^52 where that is another float."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(5))
    if is_constant:  # whatever letter is used: the bound is the common loss of all symbols
        bound, loss = 844.756632079806, np.full((5, 3), 844.756632079806)
        loss[:, 2] -= rng.random(5)
        channel = rng.dirichlet(np.ones(2), size=5) @ np.eye(2, 3)
    else:  # each symbol has one letter that costs one, and uses it with the same probability
        bound, loss = 0.547698510541954, 1.0 - np.eye(3)[rng.integers(3, size=5)]
        channel = np.where(loss == 0, 1 - bound, 0.0)
        channel[np.arange(5), (loss.argmin(axis=1) + 1) % 3] = bound
    problem = Problem.from_arrays(p, loss, D=math.nextafter(bound, math.copysign(math.inf, off)) if off else bound)
    free = Certificate("rate", np.zeros(5), np.zeros(1), np.arange(3), channel, 0.0, math.inf, problem.fingerprint())
    return problem, free


@pytest.mark.parametrize("is_constant", [True, False], ids=["constant", "channel"])
@pytest.mark.parametrize("seed", range(8))
def test_a_channel_exactly_at_its_limit_is_told_from_one_beyond(seed, is_constant):
    for off, is_met in [(0, True), (1, True), (-1, False)]:
        problem, certificate = at_the_limit(seed, is_constant, off)
        check = certificate.verify(problem, "ball")
        assert (check.excess["distortion"] == 0) is is_met
        assert check.valid is is_met


# ------------------------------------------------------------------------------------------ machinery


@given(st.lists(st.floats(LOWEST, HIGHEST), min_size=1, max_size=20))
def test_upper_bounds_of_exponentials(values):
    bounds = exp_upper(np.array(values))
    for value, bound in zip(values, bounds.tolist(), strict=True):
        exact = flint.arb(value).exp()
        assert exact < flint.arb(bound) < exact * flint.arb(1 + EXCESS)


def test_upper_bounds_of_exponentials_at_the_steps_of_the_table():
    steps = np.arange(LOWEST * 64, HIGHEST * 64 + 1, 7) / 64
    values = np.concatenate([steps, np.nextafter(steps[1:], -math.inf), np.nextafter(steps[:-1], math.inf)])
    exact = np.array([float((flint.arb(value)).exp()) for value in values.tolist()])
    bounds = exp_upper(values)
    assert (bounds > exact).all()
    assert (bounds < exact * (1 + 2 * EXCESS)).all()
    assert np.isnan(exp_upper(np.array([math.nan, 0.0]))).tolist() == [True, False]


def test_floats_above_a_ball():
    assert float_above(flint.arb(0.1)) == 0.1
    assert float_above(flint.arb(0.1, 1e-30)) == math.nextafter(0.1, 1)
    assert float_above(flint.arb(-0.1, 1e-30)) > -0.1
    assert float_above(flint.arb(2) ** -2000) == 5e-324
    assert float_above(flint.arb("nan")) == float_above(flint.arb("inf")) == math.inf


def test_the_precision_is_put_back():
    problem, certificate = coin()
    before = flint.ctx.prec
    try:
        flint.ctx.prec = 40
        check = certificate.verify(problem, "ball")
        assert flint.ctx.prec == 40
    finally:
        flint.ctx.prec = before
    assert check == certificate.verify(problem, "ball")


def test_without_flint_the_extra_is_named(monkeypatch):
    problem, certificate = coin()
    for name in ("rdcsolve.certificates.ball", "rdcsolve.certificates.exponential"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "flint", None)
    with pytest.raises(MissingExtra, match=r"needs the extra ball: pip install 'rdcsolve\[ball\]'"):
        certificate.verify(problem, "ball")
    assert certificate.verify(problem).valid


def test_a_large_problem_is_checked_in_little_memory():
    n = 2000
    x = np.linspace(-5, 5, n)
    p = np.exp(-(x**2) / 2)
    problem = Problem.from_arrays(p / p.sum(), (x[:, None] - x) ** 2, D=0.9)
    certificate = tilted(problem, [1.0], problem.p_x)
    tracemalloc.start()
    try:
        check = certificate.verify(problem)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert check.lower <= 0.5 * math.log(1 / 0.9) + 1e-3
    assert peak < 16e6 < problem.losses[0].matrix.nbytes


@pytest.mark.parametrize("level", [0.0, -3000.0, 600.0])
@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_letters_thousands_of_nats_apart_do_not_hide_the_dearest(level, order):
    losses = np.array([[0.0, 5000.0, 700.0], [0.0, 3000.0, 1400.0]])[:, order]
    problem = Problem.from_arrays([0.25, 0.75], losses).at_multipliers(distortion=1.0)
    u = np.array([0.1, 0.2]) + level
    nothing = np.arange(0), np.empty((2, 0))
    certificate = Certificate("rate", u, problem.multipliers, *nothing, math.nan, math.nan, problem.fingerprint())
    expected = level + math.log(0.25 * math.exp(0.1) + 0.75 * math.exp(0.2))
    found = certificate.verify(problem).log_max_price
    assert expected - 1e-15 * (1 + abs(level)) <= found <= expected + 1e-14 * (1 + abs(level))
