"""Branch and bound over cells of shares: no bound is below what is attained, and best prices too low prove nothing."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.letters.pricing.ascent import climb
from rdcsolve.letters.pricing.decisions import largest_price
from rdcsolve.letters.pricing.parts import parts_of
from rdcsolve.letters.pricing.share_cells import around, exponentials
from rdcsolve.letters.pricing.shares import Joined, Progress, ShareSearch, bounded_by_shares, joins_of

SIZES = [(5,), (6,), (8,), (3, 4), (2, 5), (2, 2, 3)]


def random_part(rng, columns=1, largest=5.0):
    sizes = SIZES[int(rng.integers(len(SIZES)))]
    rows = int(rng.integers(6, 25))
    labels = [rng.dirichlet(np.full(size, rng.choice([0.1, 0.3, 1.0])), rows) + 1e-12 for size in sizes]
    labels = [label / label.sum(axis=1, keepdims=True) for label in labels]
    log_weights = rng.normal(size=(rows, columns)) * rng.choice([0.1, 1.0, 3.0])
    (part,), _ = parts_of(log_weights, labels, rng.uniform(1.1, largest, len(sizes)))
    return part


def dearest(part, rng, starts=300):
    """Local maxima of the first column's prices, climbed to from laws of the rows of many shapes."""
    laws = np.concatenate([rng.dirichlet(np.full(part.powers.shape[1], a), starts // 3) for a in (0.05, 0.3, 3.0)])
    places = laws @ part.powers.T
    for a, b in zip(part.offsets[:-1], part.offsets[1:], strict=True):
        places[:, a:b] /= places[:, a:b].sum(axis=1, keepdims=True)
    _, decisions, prices = climb(part, np.zeros(len(places), dtype=int), np.maximum(places, 1e-30))
    return decisions[np.argsort(-prices)], float(prices.max())


def attained(joined, law, log_weights):
    """The shares of a law of the rows, and the logarithm of the price that it attains."""
    masses, n = np.zeros(joined.part.n_classes + len(joined.joins)), joined.part.n_classes
    masses[:n] = joined.part.powers @ law
    for v, (a, b) in enumerate(joined.joins.tolist()):
        masses[n + v] = masses[a] + masses[b]
    shares = masses[joined.joins[:, 0]] / masses[n:]
    entropy = -(shares * np.log(shares) + (1 - shares) * np.log1p(-shares))
    some = law > 0
    return shares, float(law[some] @ (log_weights[some] - np.log(law[some])) - masses[n:] @ entropy)


def excesses(rng, laws):
    """How far the bound of its leaf is above what a random law attains, for a search that went some way."""
    part = random_part(rng)
    joined = Joined(part)
    decisions, best = dearest(part, rng, 30)
    search = ShareSearch(joined, 0, decisions[: int(rng.integers(0, 8))], math.log(best))
    below = 10.0 ** -rng.uniform(0, 8)
    search.go_on(math.log(best) + below, int(rng.integers(2, 3000)))
    arrays, leaf = search.arrays, search.arrays["children"][: search.n_cells] < 0
    lows, highs = arrays["lows"][: search.n_cells][leaf], arrays["highs"][: search.n_cells][leaf]
    bounds = arrays["bounds"][: search.n_cells][leaf]
    for _ in range(laws):
        law = rng.dirichlet(np.full(part.powers.shape[1], rng.choice([0.05, 0.3, 1.0, 10.0])))
        if rng.random() < 0.7:  # near a local maximum, where bounds are tight
            logs = part.powers.T @ np.log(np.maximum(decisions[rng.integers(min(3, len(decisions)))], 1e-300))
            law = np.exp(search.log_weights + logs - (search.log_weights + logs).max())
            law *= np.exp(rng.normal(size=law.size) * 10.0 ** -rng.uniform(0, 7))
            law /= law.sum()
        shares, value = attained(joined, law, search.log_weights)
        inside = ((lows <= shares) & (shares <= highs)).all(axis=1)
        assert inside.any(), "the leaves do not cover everything"
        yield float(bounds[inside].min()) - value


@pytest.mark.parametrize("seed", range(3))
def test_no_leaf_is_bounded_below_what_a_law_in_it_attains(seed):
    rng = np.random.default_rng(seed)
    found = np.array([value for _ in range(8) for value in excesses(rng, 25)])
    assert found.min() > -1e-12
    assert (found < 1e-3).any(), "no bound was put to the test"


def test_no_leaf_is_bounded_below_what_a_law_in_it_attains_ten_thousand_times():
    rng = np.random.default_rng(99)
    found = np.array([value for _ in range(200) for value in excesses(rng, 50)])
    assert found.size == 10_000
    assert found.min() > -1e-12
    assert (found < 1e-6).sum() > 100


@pytest.mark.parametrize(("multiplier", "moved"), [(4.0, 0.0), (4.0, 0.02), (1.3, 0.1)])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_cells_around_saddles_and_slopes_have_what_rises_from_there(n, multiplier, moved):
    """Equal decisions are stationary for equal classes, and no maximum at large multipliers; at small ones they are."""
    rng = np.random.default_rng(n)
    (part,), _ = parts_of(np.zeros((n, 1)), [0.8 * np.eye(n) + 0.2 / n], np.array([multiplier]))
    joined = Joined(part)
    decision = np.full(n, 1 / n) * np.exp(moved * rng.normal(size=n))
    search = ShareSearch(joined, 0, decision[None] / decision.sum(), -1e9)
    for _ in range(50):
        law = np.full(n, 1 / n) + (0.01 if multiplier < 2 else 0.1) * (rng.dirichlet(np.ones(n)) - 1 / n)
        shares, value = attained(joined, law, search.log_weights)
        reach = np.abs(shares - search.letters[0])
        ends = np.maximum(search.letters[0] - reach, 0), search.letters[0] + reach
        arrays = [getattr(search, name)[0] for name in ("letters", "masses", "drifts", "slants", "products")]
        bound = around(*ends, *arrays, joined.whole, search.prices[0], np.empty(n))
        assert bound >= value - 1e-13
        assert value > search.prices[0] or moved == 0.02


def bells(seed):
    """Twenty-four rows of bells on a line of eight classes, all of nearly the same weight."""
    rng, places = np.random.default_rng(seed), np.linspace(0, 1, 8)
    centres, widths = rng.uniform(0, 1, 24), rng.uniform(0.08, 0.2, 24)
    label = np.exp(-0.5 * ((places - centres[:, None]) / widths[:, None]) ** 2)
    label /= label.sum(axis=1, keepdims=True)
    (part,), _ = parts_of(0.1 * rng.normal(size=(24, 1)), [label], np.array([2.5]))
    return part


def test_cuts_leave_no_thin_slices():
    """Cut at the share itself, where the bound is loosest, these six took 13,144 cells in all."""
    n_cells = 0
    for seed in range(6):
        part = bells(seed)
        decisions, best = dearest(part, np.random.default_rng(seed), 60)
        top = math.log(best) + 1e-7
        search = ShareSearch(Joined(part), 0, decisions, top)
        search.go_on(top, 20_000)
        assert search.is_done
        assert search.upper <= math.exp(top)
        n_cells += search.n_cells
    assert n_cells < 10_000


def test_a_tree_joins_the_classes_of_every_label():
    part = random_part(np.random.default_rng(4))
    joins, n = joins_of(part), part.n_classes
    assert joins.shape == (n - part.multipliers.size, 2)
    assert np.unique(joins).size == joins.size, "something is joined twice"
    assert (joins.max(axis=1) < n + np.arange(len(joins))).all()


@pytest.mark.parametrize("below", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("seed", range(4))
def test_a_search_that_is_told_a_best_price_too_low_never_closes(seed, below):
    """Its bound stays above what is attained, whatever it is told; without letters it has only its tangents."""
    rng = np.random.default_rng(seed)
    part = random_part(rng)
    decisions, best = dearest(part, rng)
    for known in (decisions[:0], decisions[:4]):
        work = iter(range(3))
        told = best * math.exp(-below)
        searches, upper = bounded_by_shares(
            part,
            np.array([0]),
            lambda column, starts, known=known: known if starts is None else known[:0],
            told,
            lambda size: next(work, None) is not None,  # noqa: B023 - called before the next turn only
            lambda column, place, known=known: (told, known[:0]),  # noqa: B023
        )
        assert upper >= best * (1 - 1e-12)
        assert searches[0].seen[0] > math.log(told) or not searches[0].is_done


@pytest.mark.parametrize("stands", [False, True])
def test_a_search_that_stands_still_ends(stands, monkeypatch):
    """With what it has proved, long before the work that it may do is done."""
    rng = np.random.default_rng(0)
    part, told = random_part(rng), []
    decisions, best = dearest(part, rng)
    monkeypatch.setattr(Progress, "stands_still", lambda self, *state: bool(told.append(state)) or stands)
    work = iter(range(4))
    searches, upper = bounded_by_shares(
        part,
        np.array([0]),
        lambda column, starts: decisions[:1] if starts is None else decisions[:0],
        best,
        lambda size: next(work, None) is not None,
        lambda column, place: (best, decisions[:0]),
    )
    assert len(told) == (1 if stands else 4)
    gap, n_cells, waiting = told[-1]
    assert gap > 0
    assert 0 < waiting <= n_cells <= searches[0].n_cells
    assert best * (1 - 1e-12) <= upper


def test_a_search_that_closes_cells_or_gains_does_not_stand_still():
    """Neither a bound that waits for others to be closed is a reason to end, nor cells that wait while it falls."""
    still, closing, falling, several = Progress(1), Progress(1), Progress(1), Progress(3)
    assert not still.stands_still(1.0, 1000, 500)
    counts = np.round(2100 * 1.3 ** np.arange(8)).astype(int).tolist()
    ended = [
        (
            still.stands_still(1.0, n_cells, n_cells // 2),
            closing.stands_still(1.0, n_cells, n_cells // 4),
            falling.stands_still(0.97**k, n_cells, n_cells // 2),
        )
        for k, n_cells in enumerate(counts)
    ]
    assert ended == [(k > 0, False, False) for k in range(8)]
    ended = [several.stands_still(1.0, n_cells, n_cells // 2) for n_cells in counts]
    assert ended == [n_cells > 3 * 2100 * 1.25 for n_cells in counts]  # not before every column may have come down


@pytest.mark.parametrize("seed", range(6))
def test_proved_largest_prices_are_those_that_many_climbs_find(seed):
    """And the bound is where it was asked to be."""
    rng = np.random.default_rng(100 + seed)
    rows, size = 14, 5 + seed % 2
    label = rng.dirichlet(np.full(size, 0.3), rows)
    log_weights = rng.normal(size=(rows, 2)) - math.log(rows)
    multipliers = np.array([rng.uniform(1.5, 4)])
    found = largest_price(log_weights, [label], multipliers, rtol=1e-7, may_go_on=lambda size: True)
    assert found.proved
    assert found.proof.parts[0].shares is not None
    assert found.log_best <= found.log_upper <= found.log_best + 1e-7
    places = rng.dirichlet(np.full(rows, 0.2), 400) @ label
    exponents = (multipliers[0] * np.log(places)) @ label.T
    prices = np.exp(exponents[:, :, None] + log_weights).sum(axis=1)
    assert math.log(prices.max()) <= found.log_upper
    unproved = largest_price(log_weights, [label], multipliers, rtol=1e-7)
    assert not unproved.proved
    assert unproved.log_best == pytest.approx(found.log_best, abs=1e-9)


def test_work_that_may_not_go_on_leaves_a_proved_bound_beside_the_search():
    rng = np.random.default_rng(7)
    label = rng.dirichlet(np.full(8, 0.3), 40)
    log_weights = rng.normal(size=(40, 1))
    short = largest_price(log_weights, [label], np.array([3.0]), rtol=1e-9, may_go_on=lambda size: False)
    assert not short.proved
    assert short.log_upper == short.log_best < short.log_proved < math.inf
    assert short.proof is not None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1e3, 1e4, 1e5, 1e6])
def test_first_cells_may_be_bounded_by_more_than_floats_hold(size, seed):
    """Multipliers so large that the cell of all shares has no bound that is a float: every column is looked at."""
    rng = np.random.default_rng(seed)
    p, table, label = rng.dirichlet(np.ones(6)), rng.random((6, 3)), rng.dirichlet(np.full(8, 3.0), 6)
    problem = rdc.Problem.from_arrays(p, table, label, C=math.inf)
    problem = problem.at_multipliers(distortion=20 * size, label_entropy=size)
    result = rdc.solve(problem, proof_budget=0.02)
    assert result.proof in (rdc.Proof.UNVERIFIED, rdc.Proof.CERTIFIED)
    assert result.objective_lower <= result.objective_upper
    assert result.verify(problem).valid


@pytest.mark.parametrize("seed", range(4))
def test_a_search_that_goes_on_from_an_earlier_tree_proves_what_one_search_does(seed):
    """Also where the tree was cut for other weights; a leaf's bound holds whatever its cell was cut for."""
    rng = np.random.default_rng(seed)
    part = random_part(rng)
    decisions, best = dearest(part, rng, 30)
    joined, top = Joined(part), math.log(best) + 1e-9
    whole = ShareSearch(joined, 0, decisions, top)
    whole.go_on(top, 400)
    again = ShareSearch(joined, 0, decisions, top, whole.notes())
    n_cells = whole.n_cells
    assert not again.is_done
    while again.state[2] < n_cells:
        again.go_on(top, 7)
    assert again.n_cells <= n_cells + 7
    assert again.upper >= best * (1 - 1e-12)
    assert math.log(again.upper) <= math.log(whole.upper) + 0.05
    again.go_on(top, 2000)
    assert best * (1 - 1e-12) <= again.upper <= whole.upper * (1 + 1e-6)


@given(st.integers(0, 10**6), st.floats(-300, 300), st.integers(1, 200))
def test_exponentials_of_many_are_those_of_one(seed, top, n):
    values = top - np.random.default_rng(seed).exponential(size=n) * 10.0 ** (seed % 4)
    found = values.copy()
    exponentials(found, top)
    np.testing.assert_allclose(found, np.exp(np.maximum(values - top, -700.0)), rtol=2e-15)
