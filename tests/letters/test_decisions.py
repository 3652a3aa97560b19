"""Prices over soft decisions: local maxima against brute force, and bounds that no letter exceeds."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.letters.pricing import ascent, cells, compiled_ascent, curved, plain_cells, shifts
from rdcsolve.letters.pricing.decisions import Decisions, largest_price, local_maxima, log_prices
from rdcsolve.letters.pricing.layout import MOST_CLASSES
from rdcsolve.letters.pricing.parts import EPS, parts_of

INF = math.inf


def smooth_label(points, n_classes, sharpness, rng):
    """A mixture's posterior."""
    centres = 1.5 * rng.normal(size=(n_classes, points.shape[1]))
    scores = -sharpness * ((points[:, None] - centres) ** 2).sum(axis=2)
    label = np.exp(scores - scores.max(axis=1, keepdims=True))
    return label / label.sum(axis=1, keepdims=True)


def smooth_problem(sizes, n=40, n_y=4, seed=0, sharpness=0.7):
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n, 2))
    symbols = rng.normal(size=(n_y, 2))
    log_weights = -np.log(n) - 2.0 * ((points[:, None] - symbols) ** 2).sum(axis=2)
    return log_weights, [smooth_label(points, size, sharpness, rng) for size in sizes]


def simplex_grid(n_classes, steps):
    bars = np.array(list(itertools.combinations(range(steps + n_classes - 1), n_classes - 1)))
    edges = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), steps + n_classes - 1)])
    return (np.diff(edges, axis=1) - 1) / steps


def on_grid(log_weights, labels, multipliers, steps):
    """The largest log price of every symbol over a grid of decisions."""
    grids = [simplex_grid(label.shape[1], steps) for label in labels]
    index = np.array(list(itertools.product(*(range(len(grid)) for grid in grids))))
    decisions = [grid[column] for grid, column in zip(grids, index.T, strict=True)]
    return np.array(
        [
            log_prices(log_weights, labels, multipliers, np.full(len(index), j), decisions).max()
            for j in range(log_weights.shape[1])
        ]
    )


def random_letters(log_weights, labels, rng, count=200):
    columns = rng.integers(0, log_weights.shape[1], count)
    decisions = []
    for label in labels:
        soft = rng.dirichlet(np.full(label.shape[1], rng.choice([0.1, 1.0, 10.0])), count)
        near = label[rng.integers(0, len(label), count)] + 1e-9 * rng.random((count, label.shape[1]))
        soft = np.where(rng.random((count, 1)) < 0.5, soft, near)
        decisions.append(soft / soft.sum(axis=1, keepdims=True))
    return columns, tuple(decisions)


# ------------------------------------------------------------------------------------ against brute force

CASES = {
    "binary": ([2], [5.0], 4000),
    "binary, large multiplier": ([2], [300.0], 4000),
    "three classes": ([3], [5.0], 60),
    "four classes": ([4], [3.0], 24),
    "two binary labels": ([2, 2], [2.0, 6.0], 60),
    "three binary labels": ([2, 2, 2], [2.0, 3.0, 0.7], 14),
    "binary and three classes": ([2, 3], [1.5, 4.0], 16),
}


@pytest.mark.parametrize("case", CASES)
def test_largest_price_is_that_of_a_fine_grid(case):
    sizes, multipliers, steps = CASES[case]
    log_weights, labels = smooth_problem(sizes, sharpness=0.15)
    multipliers = np.array(multipliers)
    best = on_grid(log_weights, labels, multipliers, steps)
    found = largest_price(log_weights, labels, multipliers)
    assert found.proved
    assert found.log_best <= found.log_upper <= found.log_best + 1e-10
    assert best.max() <= found.log_upper
    assert best.max() > found.log_best - 0.05
    assert found.n_cells < 10_000
    maxima = local_maxima(log_weights, labels, multipliers)
    for j, value in enumerate(best):
        assert maxima.log_prices[maxima.columns == j].max() >= value - 1e-12


def test_every_hill_of_a_binary_label_is_found():
    log_weights, labels = smooth_problem([2], n=30, n_y=6, seed=3)
    multipliers = np.array([200.0])
    grid = np.linspace(0, 1, 4001)
    soft = np.stack([grid, 1 - grid], axis=1)
    maxima = local_maxima(log_weights, labels, multipliers)
    for j in range(6):
        prices = log_prices(log_weights, labels, multipliers, np.full(4001, j), (soft,))
        inner = np.flatnonzero((prices[1:-1] > prices[:-2]) & (prices[1:-1] > prices[2:])) + 1
        own = maxima.decisions[0][maxima.columns == j, 0]
        assert len(inner) >= 2
        assert all(np.abs(own - peak).min() < 5e-4 for peak in grid[inner])


def test_local_maxima_are_stationary_and_distinct():
    """At a maximum the multiplicative step stays where it is; prices agree with plain evaluation."""
    log_weights, labels = smooth_problem([3, 2], seed=1)
    multipliers = np.array([4.0, 2.0])
    maxima = local_maxima(log_weights, labels, multipliers)
    exact = log_prices(log_weights, labels, multipliers, maxima.columns, maxima.decisions)
    assert np.abs(exact - maxima.log_prices).max() < 1e-12
    exponents = log_weights[:, maxima.columns]
    for multiplier, label, soft in zip(multipliers, labels, maxima.decisions, strict=True):
        exponents = exponents + multiplier * label @ np.log(soft).T
    terms = np.exp(exponents - exponents.max(axis=0))
    for label, soft in zip(labels, maxima.decisions, strict=True):
        assert np.abs(terms.T @ label / terms.sum(axis=0)[:, None] - soft).max() < 1e-5
    table = np.hstack([maxima.columns[:, None], *maxima.decisions])
    apart = np.abs(table[:, None] - table).max(axis=2) + np.eye(len(table))
    assert apart.min() > 1e-6


def test_starts_lead_to_their_maxima():
    """A peak much narrower than the spread of starts: only a start on it finds it."""
    rng = np.random.default_rng(0)
    labels = [rng.dirichlet(np.ones(6), 400)]
    entropy = (labels[0] * np.log(labels[0])).sum(axis=1)
    log_weights = np.log(rng.random((400, 1))) - 1e4 * entropy[:, None]
    multipliers = np.array([1e4])
    whole = local_maxima(log_weights, labels, multipliers)
    rows = labels[0][100:110]
    starts = Decisions(np.zeros(10, dtype=int), (rows,), np.zeros(10))
    more = local_maxima(log_weights, labels, multipliers, starts)
    assert len(more.columns) > len(whole.columns)
    assert all(np.abs(more.decisions[0] - row).max(axis=1).min() < 0.01 for row in rows)


# ------------------------------------------------------------------------------------ closed forms


@pytest.mark.parametrize("multiplier", [1.0, 2.5, 1e4])
def test_label_that_is_a_function_of_x_has_its_maxima_at_vertices(multiplier):
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 10, 60)
    log_weights = rng.normal(size=(60, 5))
    found = largest_price(log_weights, [np.eye(12)[classes]], np.array([multiplier]))
    sums = np.array([np.exp(log_weights[classes == s]).sum(axis=0) for s in range(10)])
    assert found.log_best == pytest.approx(np.log(sums.max()), abs=1e-14)
    assert found.log_best <= found.log_upper <= found.log_best + 1e-12
    assert found.decisions[0].tolist() == np.eye(12)[sums.max(axis=1).argmax()].tolist()
    assert found.n_cells == 0
    maxima = local_maxima(log_weights, [np.eye(12)[classes]], np.array([multiplier]))
    assert np.allclose(np.sort(maxima.log_prices), np.sort(np.log(sums).ravel()))


@pytest.mark.parametrize("multiplier", [1e-6, 0.3, 0.9, 0.999])
def test_label_that_is_a_function_of_x_below_multiplier_one(multiplier):
    """max_r sum_s A_s r_s^lambda = (sum_s A_s^(1 / (1 - lambda)))^(1 - lambda), by Hoelder's inequality."""
    rng = np.random.default_rng(1)
    classes = rng.integers(0, 10, 60)
    log_weights = rng.normal(size=(60, 3))
    sums = np.array([np.exp(log_weights[classes == s]).sum(axis=0) for s in range(10)])
    power = 1 / (1 - multiplier)
    top = np.log(sums).max(axis=0)
    exact = top + (1 - multiplier) * np.log(np.exp(power * (np.log(sums) - top)).sum(axis=0))
    found = largest_price(log_weights, [np.eye(10)[classes]], np.array([multiplier]))
    assert found.proved
    assert found.n_cells == 0
    assert found.log_best == pytest.approx(exact.max(), abs=1e-12)
    assert exact.max() - 1e-14 <= found.log_upper <= found.log_best + 1e-10


def test_multipliers_of_sum_at_most_one_need_no_cells():
    """Twelve classes and a binary label: far too many dimensions for cells, but the price is concave."""
    log_weights, labels = smooth_problem([12, 2], n=80)
    multipliers = np.array([0.55, 0.45])
    found = largest_price(log_weights, labels, multipliers)
    assert (found.proved, found.n_cells) == (True, 0)
    assert found.log_best <= found.log_upper <= found.log_best + 1e-10
    columns, soft = random_letters(log_weights, labels, np.random.default_rng(0))
    assert log_prices(log_weights, labels, multipliers, columns, soft).max() <= found.log_upper


def test_vertices_are_combined_with_cells():
    """A function of x and a soft label: one search over the soft one for each class."""
    log_weights, labels = smooth_problem([2])
    classes = np.arange(40) % 3
    multipliers = np.array([1.5, 4.0])
    found = largest_price(log_weights, [np.eye(3)[classes], *labels], multipliers)
    each = [
        largest_price(log_weights[classes == s], [labels[0][classes == s]], multipliers[1:]).log_best for s in range(3)
    ]
    assert found.log_best == pytest.approx(max(each), abs=1e-13)
    assert found.log_upper <= found.log_best + 1e-10
    assert found.decisions[0].tolist() == np.eye(3)[int(np.argmax(each))].tolist()


def test_label_without_multiplier_gets_the_posterior():
    log_weights, labels = smooth_problem([2, 3])
    found = largest_price(log_weights, labels, np.array([5.0, 0.0]))
    alone = largest_price(log_weights, labels[:1], np.array([5.0]))
    assert found.log_best == pytest.approx(alone.log_best, abs=1e-13)
    terms = np.exp(log_weights[:, found.column] + 5.0 * labels[0] @ np.log(found.decisions[0]))
    assert np.allclose(found.decisions[1], terms @ labels[1] / terms.sum())
    free = largest_price(log_weights, labels, np.zeros(2))
    assert free.log_best == pytest.approx(np.log(np.exp(log_weights).sum(axis=0)).max(), abs=1e-13)


# ------------------------------------------------------------------------------------ awkward input


def test_nothing_allowed():
    labels = [np.array([[0.3, 0.7], [1.0, 0.0]])]
    log_weights = np.full((2, 3), -INF)
    found = largest_price(log_weights, labels, np.array([2.0]))
    assert (found.log_upper, found.log_best, found.proved) == (-INF, -INF, True)
    assert local_maxima(log_weights, labels, np.array([2.0])).columns.size == 0


def test_forbidden_columns_empty_classes_and_single_rows():
    label = np.array([[0.3, 0.0, 0.7], [0.3, 0.0, 0.7], [0.9, 0.0, 0.1]])
    log_weights = np.array([[-INF, 0.5, -INF], [-INF, 0.2, -INF], [-INF, -INF, 1.0]])
    one = np.ones((3, 1))
    found = largest_price(log_weights, [label, one], np.array([5.0, 3.0]))
    entropy = 5.0 * (0.3 * np.log(0.3) + 0.7 * np.log(0.7))
    exact = np.logaddexp(0.5, 0.2) + entropy
    other = 1.0 + 5.0 * (0.9 * np.log(0.9) + 0.1 * np.log(0.1))
    assert found.log_best == pytest.approx(max(exact, other), abs=1e-13)
    assert found.log_upper <= found.log_best + 1e-12
    maxima = local_maxima(log_weights, [label, one], np.array([5.0, 3.0]))
    assert sorted(maxima.columns.tolist()) == [1, 2]
    assert (maxima.decisions[0][:, 1] == 0).all()
    assert (maxima.decisions[1] == 1).all()


def test_multiplier_so_large_that_no_grid_sees_a_hill():
    rng = np.random.default_rng(0)
    labels = [rng.dirichlet(np.ones(2), 5)]
    entropy = (labels[0] * np.log(labels[0])).sum(axis=1)
    log_weights = rng.normal(size=(5, 2)) - 1e14 * entropy[:, None]
    maxima = local_maxima(log_weights, labels, np.array([1e14]))
    assert np.isfinite(maxima.log_prices).all()
    assert set(maxima.columns) == {0, 1}


def test_merged_rows_change_nothing():
    log_weights, labels = smooth_problem([3], n=25)
    multipliers = np.array([4.0])
    once = largest_price(log_weights, labels, multipliers)
    order = np.random.default_rng(0).permutation(50)
    doubled = np.vstack([log_weights, log_weights - 0.3])[order]
    twice = largest_price(doubled, [np.vstack(labels * 2)[order]], multipliers)
    assert parts_of(doubled, [np.vstack(labels * 2)[order]], multipliers)[0][0].weights.shape == (4, 25)
    assert twice.log_best - once.log_best == pytest.approx(np.log1p(np.exp(-0.3)), abs=1e-13)


def test_four_dimensions_are_searched_but_not_proved():
    log_weights, labels = smooth_problem([5])
    found = largest_price(log_weights, labels, np.array([3.0]))
    assert not found.proved
    assert found.log_upper == found.log_best
    assert found.log_best == pytest.approx(local_maxima(log_weights, labels, np.array([3.0])).log_prices.max())


def test_budget_of_cells_leaves_a_proved_bound():
    log_weights, labels = smooth_problem([3], seed=2)
    multipliers = np.array([30.0])
    full = largest_price(log_weights, labels, multipliers)
    short = largest_price(log_weights, labels, multipliers, max_cells=200)
    none = largest_price(log_weights, labels, multipliers, max_cells=0)
    assert full.n_cells > 200 >= short.n_cells
    assert none.n_cells == 0
    assert short.proved
    assert none.proved
    assert full.log_best <= full.log_upper <= full.log_best + 1e-10
    assert full.log_upper < short.log_upper < none.log_upper < INF


# ------------------------------------------------------------------------------------ classes that separate


def test_an_erased_label_is_proved_with_any_number_of_classes():
    """Prices of an erased label are flat on a whole face where lambda (1 - e) = 1; no grid of cells could prove it."""
    rng = np.random.default_rng(0)
    n, e = 7, 0.25
    label = np.column_stack([(1 - e) * np.eye(n), np.full(n, e)])
    weights = rng.dirichlet(np.ones(n))
    for multiplier in [0.5, 1.2, 1 / (1 - e), 1.5, 20.0]:
        power = multiplier * (1 - e)
        factor = multiplier * (e * math.log(e) + (1 - e) * math.log(1 - e))
        # the largest of sum a_i rho_i^power: a vertex if power >= 1, else a Hoelder mean
        best = weights.max() if power >= 1 else (weights ** (1 / (1 - power))).sum() ** (1 - power)
        found = largest_price(np.log(weights)[:, None], [label], np.array([multiplier]))
        assert found.proved
        assert found.n_cells == 0
        assert found.log_best == pytest.approx(factor + math.log(best), abs=1e-13)
        assert found.log_best <= found.log_upper <= found.log_best + 1e-12


@pytest.mark.parametrize("multiplier", [0.8, 4.0, 60.0])
def test_a_constant_class_changes_no_maximum(multiplier):
    log_weights, (binary, ternary) = smooth_problem([2, 3], n_y=2)
    share = np.array([0.3, 0.0, 0.2])
    label = np.column_stack([0.5 * binary, np.tile(share, (40, 1))])
    label /= label.sum(axis=1, keepdims=True)
    label[:, 2:] = share  # exactly
    multipliers = np.array([multiplier, 0.7])
    found = largest_price(log_weights, [label, ternary], multipliers)
    assert found.proved
    assert found.log_upper <= found.log_best + 1e-10
    assert found.decisions[0][2:] == pytest.approx(share, abs=1e-12)
    maxima = local_maxima(log_weights, [label, ternary], multipliers)
    prices = log_prices(log_weights, [label, ternary], multipliers, maxima.columns, maxima.decisions)
    assert maxima.log_prices == pytest.approx(prices, abs=1e-11)
    letters = random_letters(log_weights, [label, ternary], np.random.default_rng(0))
    assert log_prices(log_weights, [label, ternary], multipliers, *letters).max() <= found.log_upper
    again = largest_price(log_weights, [label, ternary], multipliers, found=maxima)
    assert again.log_upper == pytest.approx(found.log_upper, abs=1e-11)


# ------------------------------------------------------------------------------------ tricks


def test_entries_near_zero_do_not_cost_cells():
    """A class that every symbol has with tiny probability: terms vanish on a whole face, with hardly any power."""
    log_weights, labels = smooth_problem([2], n_y=1)
    tiny = 1e-9 * np.linspace(1, 1.1, 40)  # not the same for all, or the class would separate
    label = np.column_stack([labels[0] * (1 - tiny[:, None]), tiny])
    found = largest_price(log_weights, [label], np.array([20.0]))
    assert found.log_upper <= found.log_best + 1e-10
    assert found.n_cells < 3000


def test_expansions_save_cells_along_a_ridge():
    """Two labels of one point on the line: the optimal price is one along a curve, where single terms are steep."""
    x = np.linspace(-3, 3, 181)
    scores = [3 * x, (np.abs(x) - 1) / 0.2]
    labels = [np.stack([1 / (1 + np.exp(score)), 1 / (1 + np.exp(-score))], axis=1) for score in scores]
    source = rdc.Source(x, np.exp(-(x**2) / 3), labels=labels, normalise=True)
    limits = [rdc.LabelEntropyLimit(INF, k) for k in (0, 1)]
    problem = rdc.Problem(source, [0.0], limits=limits).at_multipliers(label_entropy=1.1, label_entropy_1=30.0)
    dual = rdc.solve(problem, tolerance=1e-6).certificate
    log_weights = np.log(problem.p_x)[:, None] + dual.u[:, None]
    found = largest_price(log_weights, source.labels, dual.multipliers[1:], rtol=1e-7)
    assert found.proved
    assert found.log_upper <= found.log_best + 1e-7
    assert found.n_cells < 20_000  # 40 000 without them


@pytest.mark.parametrize("sizes", [[2], [3], [4], [2, 2], [2, 3], [2, 2, 2]])
@pytest.mark.parametrize("size", [0.3, 1.5, 40.0])
def test_no_price_in_a_small_cell_exceeds_its_expansion(sizes, size):
    log_weights, labels = smooth_problem(sizes, n_y=1, n=20, seed=5)
    part = parts_of(log_weights, labels, size * np.linspace(1.0, 2.0, len(sizes)), 0.0)[0][0]
    rng = np.random.default_rng(0)
    n, count = part.weights.shape[1], part.n_classes
    for depth in [9 * part.dimension, 12 * part.dimension, 18 * part.dimension] * 4:
        cell = random_cell(part, depth, rng)
        middle, ratios = np.empty(count), np.zeros((count, MOST_CLASSES))
        for a, b in itertools.pairwise(part.offsets.tolist()):
            middle[a:b] = cell[a:b, : b - a].mean(axis=0)
            ratios[a:b, : b - a] = cell[a:b, : b - a] / middle[a:b] - 1
        spread = np.abs(ratios).max()
        if spread > 0.25:
            continue
        mid = np.log(middle) @ part.powers - part.total_shift
        value, slack, weighted = np.empty(n), np.empty(n), np.empty(n)
        corners, moments = np.empty((curved.MOST_CORNERS, count)), np.empty((count + 1, count))
        total = curved.corners_of(ratios, part.offsets, corners)
        assert total == np.prod(sizes)
        curved.expand(part.powers, part.offsets, ratios, mid, spread, EPS * (count + 6), value, slack)
        bound = curved.curved_bound(
            *(part.weights[0], part.powers, corners, total, value, slack, part.degree * spread, part.rounding),
            *(weighted, moments),
        )
        points = np.empty((300, count))
        for a, b in itertools.pairwise(part.offsets.tolist()):
            mixture = rng.dirichlet(np.full(b - a, 0.5), 300)
            mixture[: b - a] = np.eye(b - a)
            points[:, a:b] = mixture @ cell[a:b, : b - a]
        prices = part.terms(np.zeros(300, dtype=int), points).sum(axis=1)
        assert prices.max() <= bound * (1 + 1e-15)
        flatness = prices.max() / prices.min() - 1
        assert bound <= prices.max() * (1 + flatness + 20 * (part.degree**0.5 * spread) ** 3 + 1e-11)


def random_cell(part, depth, rng):
    """Halve the whole cell `depth` times, at random edges, as the search does, and keep a random half."""
    cell = np.zeros((part.n_classes, MOST_CLASSES))
    for a, b in itertools.pairwise(part.offsets):
        cell[a:b, : b - a] = np.eye(b - a)
    for _ in range(depth):
        k = rng.integers(part.multipliers.size)
        u, v = part.offsets[k] + rng.permutation(part.offsets[k + 1] - part.offsets[k])[:2]
        cell[u] = 0.5 * (cell[u] + cell[v])
    return cell


@pytest.mark.parametrize("sizes", [[2], [3], [4], [2, 2], [2, 3], [2, 2, 2]])
@pytest.mark.parametrize("size", [0.3, 1.5, 40.0])
@pytest.mark.parametrize("refine", [cells.refine, plain_cells.refine], ids=["compiled", "plain"])
def test_no_price_in_a_cell_exceeds_its_bound(refine, sizes, size):
    log_weights, labels = smooth_problem(sizes, n_y=1, n=20, seed=5)
    labels[0][:10] = np.eye(sizes[0])[labels[0][:10].argmax(axis=1)]
    multipliers = size * np.linspace(1.0, 2.0, len(sizes))
    part = parts_of(log_weights, labels, multipliers, 0.0)[0][0]
    rng = np.random.default_rng(0)
    sizes = np.abs(part.shifts).sum(axis=0) + part.degree
    for depth in [0, 1, 2, 4, 8, 12, 16, 24, 36] * 3:
        cell = random_cell(part, depth, rng)
        _, bound, _ = refine(
            *(part.weights, part.powers, part.shifts, sizes, part.offsets, part.multipliers),
            *(max(1.0, part.degree), part.rounding, cell[None], np.array([0, 1]), np.array([0]), INF),
            *(1, np.empty((2, *cell.shape)), np.empty(4, dtype=np.int64)),
            *(np.empty(2, dtype=np.int64), np.zeros(1), np.zeros((1, part.n_classes))),
            *(np.empty(1, dtype=np.int8), np.empty(1, dtype=np.bool_)),
        )
        points = np.empty((300, part.n_classes))
        for a, b in itertools.pairwise(part.offsets):
            mixture = rng.dirichlet(np.full(b - a, 0.5), 300)
            mixture[: b - a] = np.eye(b - a)
            points[:, a:b] = mixture @ cell[a:b, : b - a]
        prices = part.terms(np.zeros(300, dtype=int), points).sum(axis=1)
        assert prices.max() <= bound * (1 + 1e-15)
        if depth >= 24 * part.dimension or (depth == 36 and part.dimension == 1):
            assert bound <= prices.max() * (1 + 1e-6) + 1e-200


def test_a_maximum_that_the_search_missed_is_found_by_the_cells():
    log_weights, labels = smooth_problem([2], seed=3, n=30, n_y=6)
    multipliers = np.array([200.0])
    whole = largest_price(log_weights, labels, multipliers)
    maxima = local_maxima(log_weights, labels, multipliers)
    worst = int(maxima.log_prices.argmin())
    poor = Decisions(maxima.columns[[worst]], (maxima.decisions[0][[worst]],), maxima.log_prices[[worst]])
    found = largest_price(log_weights, labels, multipliers, found=poor)
    assert found.log_best == pytest.approx(whole.log_best, abs=1e-12)
    assert found.log_upper <= found.log_best + 1e-10


def test_climbing_never_descends_and_newton_ends_it():
    log_weights, labels = smooth_problem([4], n_y=1)
    part = parts_of(log_weights, labels, np.array([5.0]))[0][0]
    args = part.weights, part.powers, part.total_shift, part.offsets, np.zeros(30, dtype=np.int64)
    start = np.random.default_rng(0).dirichlet(np.ones(4), 30)
    history = []
    for steps in [0, 1, 2, 3, 5, 8, 12, 60]:
        decisions, prices = start.copy(), np.empty(30)
        compiled_ascent.climb_all(*args, decisions, prices, steps, False)
        history.append(prices)
    # a Newton step is judged, and undone if need be, only by the evaluation after it
    undone = np.diff(history[:2], axis=0).min() < 0
    assert undone or np.diff(history[:2], axis=0).min() >= -1e-15
    assert (history[-1] >= np.max(history[:-1], axis=0) * (1 - 1e-9)).all()
    assert (history[-1] >= history[0]).all()
    decisions, prices = start.copy(), np.empty(30)
    compiled_ascent.climb_all(*args, decisions, prices, 400, False)
    assert np.abs(prices / history[-1] - 1).max() < 1e-13


def test_log_error_and_rounding_are_in_the_bound():
    """The exact sum of exp is 1 + 2^-54 here; an error of every logarithm moves the bound by as much."""
    log_weights, labels = smooth_problem([2])
    multipliers = np.array([5.0])
    plain = largest_price(log_weights, labels, multipliers)
    wider = largest_price(log_weights, labels, multipliers, log_error=1e-6)
    assert wider.log_upper >= plain.log_best + 1e-6
    assert wider.log_upper <= plain.log_upper + 1e-6 + 1e-10
    assert wider.log_best == pytest.approx(plain.log_best, abs=1e-13)  # the climb may end an ulp elsewhere
    sharp = largest_price(log_weights, labels, multipliers, rtol=0.0)
    assert sharp.log_best < sharp.log_upper < sharp.log_best + 1e-12


def test_rounding_of_large_logarithms_is_in_the_bound():
    """Logarithms of some 1e8 carry errors of 1e-8: the bound must cover the exact price, known in closed form."""
    label = np.array([[0.1, 0.9]])
    multiplier = 1e9
    exact = 1e9 * (math.fsum([0.1 * math.log(0.1), 0.9 * math.log(0.9)]))
    log_weights = np.array([[-exact]])
    found = largest_price(log_weights, [label], np.array([multiplier]))
    assert 0 <= found.log_upper <= 1e9 * 100 * EPS
    assert found.log_upper > 1e9 * EPS


# ------------------------------------------------------------------------------------ properties


@st.composite
def problems(draw, max_dimension=3):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.sampled_from([[2], [3], [2, 2], [4], [2, 3], [1, 2], [5], [2, 2, 2]]))
    n, n_y = draw(st.integers(1, 12)), draw(st.integers(1, 4))
    spread = draw(st.sampled_from([1.0, 5.0, 300.0]))
    log_weights = rng.uniform(-spread, spread, (n, n_y))
    if draw(st.booleans()):
        log_weights[rng.random((n, n_y)) < 0.3] = -INF
    labels = []
    for size in sizes:
        label = rng.dirichlet(np.full(size, draw(st.sampled_from([0.05, 1.0, 5.0]))), n)
        kind = draw(st.sampled_from(["soft", "zeros", "hard", "empty", "erased"]))
        if kind == "zeros":
            label[label < 0.2] = 0.0
        elif kind == "hard":
            label = np.eye(size)[label.argmax(axis=1)]
        elif kind == "empty" and size > 1:
            label[:, 0] = 0.0
            label[:, 1] += 1e-9
        label = label / label.sum(axis=1, keepdims=True)
        if kind == "erased":
            label = np.column_stack([0.75 * label, np.full(n, 0.25)])
        labels.append(label)
    powers = st.sampled_from([0.0, 1e-6, 0.1, 0.5, 1.0, 1.0 + 1e-12, 3.0, 50.0, 1e4])
    return log_weights, labels, np.array([draw(powers) for _ in sizes]), rng


@given(problems())
def test_no_letter_exceeds_the_bound(problem):
    log_weights, labels, multipliers, rng = problem
    budget = 3000
    found = largest_price(log_weights, labels, multipliers, max_cells=budget)
    maxima = local_maxima(log_weights, labels, multipliers)
    columns, soft = random_letters(log_weights, labels, rng)
    drawn = log_prices(log_weights, labels, multipliers, columns, soft)
    size = np.abs(log_weights[np.isfinite(log_weights)]).max(initial=0.0) + multipliers.sum() * 10 + 10
    fuzz = 20 * EPS * size  # of the comparison, not of the bound
    assert maxima.log_prices.max(initial=-INF) <= found.log_best + fuzz
    if not found.proved:
        assert sum(label.shape[1] - 1 for label in labels) > 3
        return
    assert drawn.max() <= found.log_upper + fuzz
    assert found.log_best <= found.log_upper
    assert maxima.log_prices.max(initial=-INF) <= found.log_upper
    if found.n_cells < budget / 4 and found.log_best > -INF:
        assert found.log_upper <= found.log_best + 1e-10 + 40 * fuzz


@given(problems())
def test_order_of_symbols_classes_and_labels_does_not_matter(problem):
    log_weights, labels, multipliers, rng = problem
    found = largest_price(log_weights, labels, multipliers, max_cells=1500)
    rows, columns = rng.permutation(log_weights.shape[0]), rng.permutation(log_weights.shape[1])
    classes = [rng.permutation(label.shape[1]) for label in labels]
    turned = [label[rows][:, order] for label, order in zip(labels, classes, strict=True)][::-1]
    other = largest_price(log_weights[rows][:, columns], turned, multipliers[::-1], max_cells=1500)
    assert other.proved == found.proved
    if found.log_best == -INF:
        assert other.log_best == -INF
        return
    size = np.abs(log_weights[np.isfinite(log_weights)]).max(initial=0.0) + multipliers.sum() * 10 + 10
    if found.proved:
        assert other.log_best <= found.log_upper + 20 * EPS * size
        assert found.log_best <= other.log_upper + 20 * EPS * size


# ------------------------------------------------------------------------------------ very many classes


def gaussian_label(n=61, n_s=41, rho=0.95):
    x, s = np.linspace(-5, 5, n), np.linspace(-5, 5, n_s)
    label = np.exp(-((s - rho * x[:, None]) ** 2) / (2 * (1 - rho**2)))
    label /= label.sum(axis=1, keepdims=True)
    return -0.5 * (x**2)[:, None], label


def test_tangents_are_sharp_where_many_classes_hardly_count():
    """Classes in the tails have probabilities of 1e-30 at the maximum: off by a factor they would spoil the tangent."""
    log_weights, label = gaussian_label()
    found = largest_price(log_weights, [label], np.array([0.67]))
    assert found.proved
    assert found.log_best <= found.log_upper <= found.log_best + 1e-9


def test_shifts_find_what_newton_finds_and_never_descend():
    log_weights, label = gaussian_label()
    (part,), log_scale = parts_of(log_weights, [label], np.array([4.0]))
    rng = np.random.default_rng(0)
    starts = rng.dirichlet(np.ones(part.n_classes), 20)
    columns = np.zeros(20, dtype=np.int64)
    before = part.terms(columns, starts).sum(axis=1)
    decisions, prices = shifts.shift_each(part, columns, starts)
    assert (prices >= before * (1 - 1e-14)).all()
    assert prices == pytest.approx(part.terms(columns, decisions).sum(axis=1), rel=1e-12)
    _, newton = ascent.climb_each(part, columns, starts)[1:]
    assert prices.max() == pytest.approx(newton.max(), rel=1e-6)
    found = local_maxima(log_weights, [label], np.array([4.0]))
    assert found.log_prices.max() >= np.log(newton.max()) + log_scale - 1e-9


@given(st.integers(0, 10**6), st.integers(17, 40), st.floats(1.2, 6.0), st.sampled_from(["line", "random"]))
def test_accelerated_shifts_settle_where_shifts_alone_would_take_thousands(seed, n_classes, multiplier, kind):
    rng = np.random.default_rng(seed)
    n = 2 * n_classes
    if kind == "line":  # a ridge: shifts along it gain next to nothing, each of them
        log_weights, label = gaussian_label(n, n_classes, rho=rng.uniform(0.5, 0.95))
    else:
        log_weights, label = rng.normal(size=(n, 1)), rng.dirichlet(np.full(n_classes, 0.3), n)
    (part,), _ = parts_of(log_weights, [label], np.array([multiplier]))
    start = rng.dirichlet(np.ones(part.n_classes), 8)
    columns = np.zeros(8, dtype=np.int64)
    ends, prices = shifts.shift_each(part, columns, start)
    assert (prices >= part.terms(columns, start).sum(axis=1) * (1 - 1e-12)).all()
    plain = start
    for _ in range(300):
        plain = shifts.shifted(part, part.weights[columns], plain)[1]
    assert prices.max() >= part.terms(columns, plain).sum(axis=1).max() * (1 - 1e-9)
    again, target = shifts.shifted(part, part.weights[columns], ends)
    gains = np.log(shifts.shifted(part, part.weights[columns], target)[0] / again)
    assert (gains <= 1e-11).all()


@pytest.mark.parametrize("seed", [0, 2, 5, 6])
def test_climbs_along_a_ridge_are_cut_short_but_for_the_dearest(seed, monkeypatch):
    """The dearest letter is found as well as by climbs that all end where a shift gains nothing, in less time."""
    rng = np.random.default_rng(seed)
    log_weights, label = gaussian_label(61, 41, rho=rng.uniform(0.5, 0.95))
    # with equal weights all places along the line are worth the same, but for the ends
    (part,), _ = parts_of(0.0 * log_weights, [label], np.array([rng.uniform(1.5, 5.0)]))
    start = 0.9 * label[rng.integers(61, size=40)] + 0.1 * rng.dirichlet(np.ones(41), 40)
    columns = np.zeros(40, dtype=np.int64)
    counts = [0, 0]

    def counted(stage, evaluate=shifts.shifted):
        def one(part, weights, r):
            counts[stage] += len(r)
            return evaluate(part, weights, r)

        monkeypatch.setattr(shifts, "shifted", one)

    counted(0)
    whole = shifts.shift_each(part, columns, start)[1]
    monkeypatch.undo()
    counted(1)
    found, decisions, prices = ascent.climb(part, columns, start)
    assert prices.max() >= whole.max() * (1 - 1e-9)
    assert prices == pytest.approx(part.terms(found, decisions).sum(axis=1), rel=1e-12)
    assert counts[1] < 0.6 * counts[0]


@given(st.integers(0, 10**6), st.integers(3, 6), st.floats(1e-3, 1e-2), st.floats(5, 50))
def test_labels_that_hardly_depend_on_the_symbol_have_hills_close_together(seed, n_classes, spread, steepness):
    """With multipliers of 1e5 and more there are hills for rows that differ by a thousandth."""
    rng = np.random.default_rng(seed)
    label = rng.dirichlet(np.full(n_classes, 3.0)) * (1 + spread * rng.uniform(-1, 1, (8, n_classes)))
    label /= label.sum(axis=1, keepdims=True)
    multiplier = steepness / spread**2
    weights = rng.normal(size=8) * 0.3
    log_weights = (weights - multiplier * (label * np.log(label)).sum(axis=1))[:, None]
    found = local_maxima(log_weights, [label], np.array([multiplier]))
    (part,), log_scale = parts_of(log_weights, [label], np.array([multiplier]))
    _, decisions, prices = ascent.climb(part, np.zeros(8, dtype=int), label)
    assert found.log_prices.max() >= log_scale + np.log(prices.max()) - 1e-8 - 40 * EPS * multiplier
    assert len(found.log_prices) >= len(prices)
