"""One-shot codes against enumerations of all codes, closed forms, and the limits of long blocks."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import linprog

import rdcsolve as rdc
from rdcsolve.codes import one_shot
from rdcsolve.codes.cells import MOST_SYMBOLS
from rdcsolve.codes.partitions import cheapest_partition
from rdcsolve.information import binary_entropy, entropy
from rdcsolve.testing import problems


def partitions(n):
    """Yield every partition of n symbols, once, as the message of each symbol."""

    def grown(messages):
        if len(messages) == n:
            yield tuple(messages)
            return
        for z in range(max(messages, default=-1) + 2):
            yield from grown([*messages, z])

    yield from grown([])


def losses_of_code(problem, messages, letters):
    """Return the rate and the mean losses of one code, from their definitions, or None if it uses a forbidden pair."""
    p = problem.p_x
    masses = [math.fsum(p[i] for i in range(p.size) if messages[i] == z) for z in range(max(messages) + 1)]
    values = [entropy(np.array(masses) / math.fsum(masses))]
    if problem.free is not None:
        x = problem.source.points
        centres = [
            np.average(x[np.array(messages) == z], axis=0, weights=p[np.array(messages) == z]) for z in set(messages)
        ]
        values.append(math.fsum(p[i] * ((x[i] - centres[messages[i]]) ** 2).sum() for i in range(p.size)))
    for loss in problem.linear_losses:
        pairs = [loss.block()[i, letters[messages[i]]] for i in range(p.size)]
        if np.isinf(pairs).any():
            return None
        values.append(math.fsum(p * pairs))
    for label in problem.label_entropies:
        joint = np.zeros((max(messages) + 1, label.conditional.shape[1]))
        np.add.at(joint, list(messages), p[:, None] * label.conditional)
        values.append(entropy((joint / joint.sum()).ravel()) - values[0])
    return values


def every_code(problem, n_words=None):
    """Return rate and losses of every deterministic code, shape (1 + M, number of codes)."""
    rows = []
    for messages in partitions(problem.n_x):
        k = max(messages) + 1
        if n_words is not None and k > n_words:
            continue
        for letters in itertools.product(range(max(problem.n_letters, 1)), repeat=k if problem.linear_losses else 0):
            rows.append(losses_of_code(problem, messages, letters))
    return np.array([row for row in rows if row is not None]).reshape(-1, 1 + len(problem.losses)).T


CLOSELY = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}


def hull_at(table, problem):
    """Return the least rate of mixtures within the problem's limits, and that of a single code; inf without any."""
    limited = np.flatnonzero(np.isfinite(problem.bounds))
    rows, right = table[1 + limited], problem.bounds[limited]
    slack = 1e-12 * (1 + np.abs(right))
    # HiGHS takes 1e-7 for nothing unless it is told otherwise: much, where limits are just below what no message needs
    spread = rows.max(axis=1, initial=-math.inf) - rows.min(axis=1, initial=math.inf)
    scale = np.where(spread > 0, spread, 1.0)
    scaled = (rows - right[:, None]) / scale[:, None]
    found = linprog(table[0], scaled, slack / scale, np.ones((1, table.shape[1])), [1.0], options=CLOSELY)
    is_met = (rows <= (right + slack)[:, None]).all(axis=0)
    return found.fun if found.status == 0 else math.inf, table[0, is_met].min(initial=math.inf)


def without_idle_symbols(problem):
    """Return a drawn problem of the same losses on the symbols that have mass."""
    used = problem.p_x > 0
    p = problem.p_x[used]
    losses = {loss.name: loss.block()[used] for loss in problem.linear_losses}
    first = losses.pop("distortion")
    return rdc.Problem.from_arrays(p, first, losses=losses)


@given(problems("targets", max_symbols=4, max_letters=3))
def test_listed_letters_against_all_codes(drawn):
    problem = without_idle_symbols(drawn).with_limits(**dict(zip(drawn.loss_names, drawn.bounds, strict=True)))
    least, single = hull_at(every_code(problem), problem)
    found = one_shot(problem)
    assert found.status is rdc.Status.OPTIMAL
    scale = max(1.0, *(abs(value) for value in found.slopes.values())) if found.slopes else 1.0
    assert found.objective_upper == pytest.approx(least, abs=1e-7 * scale)
    assert found.objective_lower <= found.objective_upper <= single + 1e-9
    assert all(
        found.losses[name] <= problem.bounds[m] * (1 + 1e-11) + 1e-11 * problem.spread(m)
        for m, name in enumerate(problem.loss_names)
    )
    limit = rdc.solve(problem)
    assert limit.rate_lower <= found.objective_upper + 1e-9


@st.composite
def labelled(draw, n_most=6):
    """Draw points on a line or in the plane with a noisy label, and limits between the least and the trivial."""
    n, rng = draw(st.integers(2, n_most)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    points = rng.normal(size=(n, draw(st.integers(1, 2)))).round(2)
    p = rng.dirichlet(np.ones(n))
    label = rng.dirichlet(np.ones(draw(st.integers(2, 3))), size=n)
    return rdc.Problem(rdc.Source(points, p, [label]), "free", limits=[rdc.LabelEntropyLimit(np.inf)])


SHARES = st.floats(0.02, 1.1)  # of the way from the least value of a loss to that without any message


@given(labelled(), SHARES, SHARES)
def test_free_letters_and_labels_against_all_partitions(problem, share_d, share_c):
    table = every_code(problem)
    most, least = table[:, np.argmin(table[0])], table.min(axis=1)
    bounds = least[1:] + np.array([share_d, share_c]) * (most - least)[1:]
    problem = problem.with_limits(D=bounds[0], C=bounds[1])
    hull, single = hull_at(table, problem)
    found = one_shot(problem)
    assert found.status is rdc.Status.OPTIMAL
    assert found.objective_upper == pytest.approx(hull, abs=1e-8 * max(1.0, *found.slopes.values()))
    assert found.objective_lower <= found.objective_upper <= single + 1e-9
    if found.single is not None:
        assert single - 1e-9 <= found.single.rate


@given(labelled())
def test_limits_at_the_least_values(problem):
    """Where every digit of a bound counts, steep slopes magnify its rounding: then the bounds are further apart."""
    table = every_code(problem)
    least = table.min(axis=1)
    found = one_shot(problem.with_limits(D=least[1], C=least[2]))
    assert found.status in (rdc.Status.OPTIMAL, rdc.Status.STALLED)
    steepest = max(1.0, *found.slopes.values())
    assert found.gap <= 1e-9 + 1e-13 * steepest
    assert found.objective_lower <= table[0, np.lexsort((table[2], table[1]))[0]] + 1e-9 * steepest


@pytest.mark.parametrize(("bound_d", "bound_c"), [(0.3, 0.5), (1.0, 0.45), (0.1, 9.0)])
def test_long_blocks_do_better(bound_d, bound_c):
    x = np.array([-1.5, -0.4, 0.1, 0.8, 2.0])
    positive = 1 / (1 + np.exp(-4 * np.sin(3 * x)))
    source = rdc.Source(x, [0.1, 0.3, 0.2, 0.25, 0.15], [np.stack([positive, 1 - positive], axis=1)])
    problem = rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(bound_c)]).with_limits(D=bound_d)
    found, limit = one_shot(problem), rdc.solve(problem, tolerance=1e-7)
    assert 0.01 < limit.rate_lower < limit.rate_upper < found.objective_lower - 0.01
    assert found.single is not None
    assert found.objective_upper <= found.single.rate


# Ten points with a noisy label; the least rate of codes by a linear programme over all 115,975 partitions, and of the
# best of them alone, at shares of the variance and of H(S).
TEN = [-2.556, -2.02, -0.865, -0.568, -0.453, -0.232, -0.216, 0.418, 2.041, 3.323]
TEN_LIMITS = [(0.1, 1.0, 0.850869, 0.90152358, 0.981137), (0.3, 0.8, 0.653278, 0.72972267, 0.835080)]


@pytest.mark.parametrize(("share_d", "share_c", "rate", "least", "single"), TEN_LIMITS)
def test_ten_points_against_all_partitions(share_d, share_c, rate, least, single):
    generator = np.random.default_rng(3)
    x = np.sort(generator.normal(size=10)).round(3)
    assert x.tolist() == TEN
    p = generator.dirichlet(np.full(10, 3.0))
    positive = 1 / (1 + np.exp(-4 * np.sin(3 * x)))
    label = np.stack([positive, 1 - positive], axis=1)
    bound_c = share_c * rdc.information.entropy(p @ label)
    problem = rdc.Problem(rdc.Source(x, p, [label]), "free", limits=[rdc.LabelEntropyLimit(bound_c)])
    problem = problem.with_limits(D=share_d * float(p @ (x - p @ x) ** 2))
    found, limit = one_shot(problem), rdc.solve(problem, tolerance=1e-8)
    assert [limit.rate_lower, limit.rate_upper] == pytest.approx([rate, rate], abs=1e-6)
    assert [found.objective_lower, found.objective_upper] == pytest.approx([least, least], abs=1e-8)
    assert found.single is not None
    assert found.single.rate >= single - 1e-6


@given(labelled(), st.integers(1, 4), st.floats(0.2, 1.1))
def test_codes_of_few_messages(problem, n_words, share):
    """Least squared error of M messages under a limit on the label's entropy, over all partitions into M cells."""
    table = every_code(problem, n_words)
    bound = table[2].min() + share * (table[2].max() - table[2].min())
    answer = linprog(table[1], table[2:], [bound + 1e-12], np.ones((1, table.shape[1])), [1.0], options=CLOSELY)
    found = one_shot(problem.with_limits(C=bound).minimising("distortion", rate=math.log(n_words)), n_words)
    assert found.objective_upper == pytest.approx(answer.fun, abs=1e-7)
    assert found.objective_lower <= answer.fun + 1e-9
    assert all(code.messages.max() < n_words for code in found.codes)


@given(labelled(), st.floats(-0.5, -0.01))
def test_limits_that_no_code_meets(problem, share):
    table = every_code(problem, 2)
    bound = table[1].min() + share * (table[1].max() - table[1].min())
    assume(table[1].max() > 1e-6 and bound >= 0)
    assume(table[1].min() > 1e-6)
    found = one_shot(problem.with_limits(D=bound), 2)
    assert found.status is rdc.Status.INFEASIBLE
    assert found.objective_lower == math.inf
    weights = np.array([found.slopes["distortion"]])
    assert (weights @ (table[1:2] - bound) > 0).all()


@given(labelled(), st.floats(0, 5), st.floats(0, 5))
def test_lagrangians(problem, first, second):
    table = every_code(problem)
    found = one_shot(problem.at_multipliers(distortion=first, label_entropy=second))
    assert found.objective_upper == pytest.approx((np.array([1, first, second]) @ table).min(), abs=1e-12)
    assert found.objective_lower <= found.objective_upper
    assert len(found.codes) == 1


@given(st.integers(1, 6), st.integers(0, 2**32 - 1), st.sampled_from([None, 1, 2, 3]))
def test_cheapest_partition(n, seed, n_cells):
    cost = np.random.default_rng(seed).exponential(size=2**n)
    sums = {}
    for messages in partitions(n):
        cells = [sum(1 << i for i in range(n) if messages[i] == z) for z in range(max(messages) + 1)]
        if n_cells is None or len(cells) <= n_cells:
            sums[frozenset(cells)] = math.fsum(cost[cells])
    value, cells = cheapest_partition(cost, n_cells)
    assert value == pytest.approx(min(sums.values()), rel=1e-13)
    assert sums[frozenset(cells)] == min(sums.values())


@given(st.floats(0.05, 0.5), st.floats(0.0, 0.4), st.floats(0, 1), st.floats(0, 1))
def test_a_coin_with_a_noisy_label(p, noise, share_d, share_c):
    """Codes that tell the coin always, or never, are mixed: straight lines in D and in C, the larger of the two."""
    label = [[1 - noise, noise], [noise, 1 - noise]]
    source = rdc.Source([0.0, 1.0], [1 - p, p], [label])
    problem = rdc.Problem(source, distortion="hamming", limits=[rdc.LabelEntropyLimit(np.inf)])
    h_s, h_sx = binary_entropy(p * (1 - noise) + (1 - p) * noise), binary_entropy(noise)
    c = h_sx + share_c * (h_s - h_sx)
    found = one_shot(problem.with_limits(D=share_d * p, C=c))
    expected = binary_entropy(p) * max(1 - share_d, 1 - share_c)
    assert found.objective_upper == pytest.approx(expected, abs=1e-9)
    assert found.objective_lower == pytest.approx(expected, abs=1e-8)


@given(labelled())
def test_units(problem):
    table = every_code(problem)
    bound = 0.3 * table[1].max()
    in_nats = one_shot(problem.with_limits(D=bound))
    in_bits = one_shot(problem.in_unit("bit").with_limits(D=bound))
    assert in_bits.unit == "bit"
    assert in_bits.rate == pytest.approx(in_nats.rate / math.log(2))
    assert in_bits.objective_lower == pytest.approx(in_nats.objective_lower / math.log(2))
    assert in_bits.losses["label_entropy"] == pytest.approx(in_nats.losses["label_entropy"] / math.log(2))
    assert in_bits.slopes["distortion"] == pytest.approx(in_nats.slopes["distortion"] / math.log(2))


@given(labelled())
def test_codes_are_what_they_say(problem):
    table = every_code(problem)
    problem = problem.with_limits(D=0.4 * table[1].max())
    found = one_shot(problem)
    total = np.zeros(3)
    for code in found.codes:
        values = losses_of_code(problem, code.messages.tolist(), code.letters)
        assert [code.rate, *code.losses.values()] == pytest.approx(values, abs=1e-12)
        for z, (centre, decision) in enumerate(zip(code.reproduction, code.decisions[0], strict=True)):
            inside = code.messages == z
            assert centre == pytest.approx(
                np.average(problem.source.points[inside], axis=0, weights=problem.p_x[inside])
            )
            assert decision == pytest.approx(
                np.average(problem.source.labels[0][inside], axis=0, weights=problem.p_x[inside])
            )
        total += code.weight * np.array(values)
    assert [found.rate, *found.losses.values()] == pytest.approx(total, abs=1e-12)


def test_symbols_without_mass_are_left_out():
    problem = rdc.Problem(rdc.Source([0.0, 1.0, 9.0], [0.7, 0.3, 0.0]), distortion="hamming").with_limits(D=0.1)
    found = one_shot(problem)
    assert found.objective_upper == pytest.approx(binary_entropy(0.3) * 2 / 3)
    assert all(code.messages[2] == -1 for code in found.codes)


def test_adding_a_constant_to_a_loss_changes_nothing():
    matrix = 1.0 - np.eye(4)
    p = [0.1, 0.2, 0.3, 0.4]
    plain = one_shot(rdc.Problem.from_arrays(p, matrix).with_limits(D=0.2))
    for constant in (1e4, -3.0):
        raised = one_shot(rdc.Problem.from_arrays(p, matrix + constant).with_limits(D=0.2 + constant))
        assert raised.objective_upper == pytest.approx(plain.objective_upper, abs=1e-11)
        assert raised.losses["distortion"] == pytest.approx(0.2 + constant)
        least = one_shot(rdc.Problem.from_arrays(p, matrix + constant, minimise="distortion", rate=plain.rate))
        assert least.objective_upper == pytest.approx(0.2 + constant)
        lagrangian = one_shot(rdc.Problem.from_arrays(p, matrix + constant).at_multipliers(distortion=2.0))
        assert lagrangian.objective_lower == pytest.approx(lagrangian.rate + 2 * lagrangian.losses["distortion"])


def test_what_is_refused():
    many = rdc.Problem(rdc.Source(np.arange(MOST_SYMBOLS + 1.0), np.full(MOST_SYMBOLS + 1, 1 / (MOST_SYMBOLS + 1))))
    with pytest.raises(rdc.InvalidInput, match="17 symbols of positive mass"):
        one_shot(many.with_limits(D=1.0))
    coin = rdc.Source([0.0, 1.0], [0.5, 0.5], [np.eye(2)])
    with pytest.raises(rdc.InvalidInput, match="perception"):
        one_shot(rdc.Problem(coin, limits=[rdc.PerceptionLimit(0.1, "tv")]))
    with pytest.raises(rdc.InvalidInput, match="letters='split'"):
        one_shot(rdc.Problem(coin, limits=[rdc.LabelEntropyLimit(0.1)], letters="fixed"))
    with pytest.raises(rdc.InvalidInput, match="held at its bound"):
        one_shot(rdc.Problem(coin, limits=[rdc.LossLimit(0.5, np.eye(2), "other", equal=True)]))
    with pytest.raises(rdc.InvalidInput, match="n_words is 0"):
        one_shot(rdc.Problem(coin).with_limits(D=0.1), 0)
    with pytest.raises(rdc.InvalidInput, match="pass a Problem"):
        one_shot(coin)


def test_no_rate_is_below_zero():
    found = one_shot(rdc.Problem(rdc.Source([0.0, 1.0], [0.7, 0.3])))
    assert found.objective_lower == 0.0 == found.objective_upper
