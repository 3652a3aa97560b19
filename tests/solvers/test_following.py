"""Path following: every point is what a solve of its own finds, and what cannot be followed is solved all the same."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.results import Status
from rdcsolve.solvers.finite import following
from rdcsolve.solvers.finite.following import PathFollowing

TOLERANCE = 1e-8


class Watched(PathFollowing):
    """A path follower that says which points it left to its other method."""

    def __init__(self, method):
        super().__init__(method)
        self.left, watched = [], self

        class Method:
            name = method.name

            def iterates(self, task, start, tolerance):
                watched.left.append(task)
                return method.iterates(task, start, tolerance)

        self.method = Method()


def along(problems, method, tolerance=TOLERANCE):
    """Return the results at neighbouring problems, and how many of them could not be followed."""
    path, results, start = Watched(method), [], None
    for problem in problems:
        results.append(rdc.solve(problem, path, tolerance=tolerance, start=start))
        start = results[-1] if results[-1].certificate is not None else start
    return results, len(path.left)


def check_equal(result, problem, tolerance=TOLERANCE):
    alone = rdc.solve(problem, tolerance=tolerance)
    assert result.status is alone.status
    if result.status is Status.OPTIMAL:
        assert result.verify(problem).valid
        assert result.gap <= tolerance
        rounding = 1e-12 * (1 + abs(alone.objective_upper))
        assert result.objective_lower <= alone.objective_upper + rounding
        assert alone.objective_lower <= result.objective_upper + rounding


def test_a_bell_is_followed_from_end_to_end():
    problem = rdc.Problem(rdc.sources.gaussian(n_x=201))
    targets = [problem.with_limits(D=D) for D in np.geomspace(0.05, 0.8, 30)]
    results, n_left = along(targets, rdc.ColumnGeneration())
    assert n_left == 1, "only the first point is solved by column generation"
    for result, target in list(zip(results, targets, strict=True))[::5]:
        check_equal(result, target)


def test_the_way_may_go_either_way_and_jump():
    problem = rdc.Problem(rdc.sources.gaussian(n_x=151))
    targets = [problem.with_limits(D=D) for D in (0.8, 0.7, 0.1, 0.11, 0.6, 0.95)]
    results, _ = along(targets, rdc.ColumnGeneration())
    for result, target in zip(results, targets, strict=True):
        check_equal(result, target)


def test_a_binary_source_is_followed_with_few_steps_a_point():
    coin = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]])
    bounds = np.geomspace(0.005, 0.28, 40)
    results, n_left = along([coin.with_limits(D=D) for D in bounds], rdc.InteriorPoint())
    assert n_left == 1
    h = rdc.information.binary_entropy
    for result, D in zip(results, bounds, strict=True):
        assert result.objective_lower <= h(0.3) - h(D) + 1e-12
        assert result.objective_upper >= h(0.3) - h(D) - 1e-12
        assert result.gap <= TOLERANCE


def test_multipliers_are_followed_like_limits():
    problem = rdc.Problem(rdc.sources.gaussian(n_x=201))
    targets = [problem.at_multipliers(distortion=x) for x in np.geomspace(0.7, 20, 12)]
    results, n_left = along(targets, rdc.ColumnGeneration())
    assert n_left == 1
    for result, target in zip(results, targets, strict=True):
        check_equal(result, target)


def test_letters_are_in_hand_where_the_peaks_of_prices_go(monkeypatch):
    problem = rdc.Problem(rdc.sources.gaussian(n_x=401))
    targets = [problem.with_limits(D=D) for D in np.geomspace(0.4, 0.55, 12)]
    monkeypatch.setattr(following, "_levelled", lambda *rest: rest[-1])  # which does with fewer of them
    ahead, _ = along(targets, rdc.ColumnGeneration())
    monkeypatch.setattr(following, "_ahead", lambda *_: np.empty(0, dtype=np.intp))
    behind, _ = along(targets, rdc.ColumnGeneration())
    steps, more = (sum(result.steps for result in results[2:]) for results in (ahead, behind))
    assert steps <= 0.8 * more, "letters that are missing take rounds of their own"
    assert all(result.gap <= TOLERANCE for result in (*ahead, *behind))


def test_tails_take_letters_where_their_peaks_go(monkeypatch):
    problem = rdc.Problem(rdc.sources.gaussian(n_x=1601))
    targets = [problem.with_limits(D=0.06 * 1.038**k) for k in range(9)]
    ahead, _ = along(targets, rdc.ColumnGeneration())
    monkeypatch.setattr(following, "_alone", lambda *_: np.empty(0, dtype=np.intp))
    behind, _ = along(targets, rdc.ColumnGeneration())
    steps, more = (sum(result.steps for result in results[3:]) for results in (ahead, behind))
    assert steps <= 0.85 * more, "a letter that is missing in a tail takes a round of its own"
    assert all(result.gap <= TOLERANCE for result in (*ahead, *behind))


def test_missing_letters_take_their_mass_from_others(monkeypatch):
    problem = rdc.Problem(rdc.sources.gaussian(n_x=501))
    targets = [problem.with_limits(D=D) for D in np.geomspace(0.5, 0.8, 13)]
    level, _ = along(targets, rdc.ColumnGeneration())
    monkeypatch.setattr(following, "_levelled", lambda *rest: rest[-1])
    raised, _ = along(targets, rdc.ColumnGeneration())
    steps, more = (sum(result.steps for result in results[2:]) for results in (level, raised))
    assert steps <= 0.85 * more, "repair alone leaves gaps that take rounds"
    assert all(result.gap <= TOLERANCE for result in (*level, *raised))


@given(top=st.floats(2, 38), bend=st.floats(1e-6, 1e-4), gaps=st.lists(st.integers(1, 6), min_size=12, max_size=12))
def test_peaks_are_tops_of_parabolas_wherever_letters_are(top, bend, gaps):
    letters = np.r_[0, np.cumsum(gaps)]
    prices = 1 - bend * (letters - top) ** 2
    is_inside = 0 < prices.argmax() < letters.size - 1  # beyond either end there is nothing to go by
    (found,) = following._Prices(letters, prices).peaks() if is_inside else (top,)
    assert found == pytest.approx(top, abs=1e-6)


def few_priced(monkeypatch):
    monkeypatch.setattr(following, "_MANY", 100)


def test_letters_far_from_all_that_matter_are_left_to_the_check(monkeypatch):
    few_priced(monkeypatch)
    problem = rdc.Problem(rdc.sources.gaussian(n_x=401))
    bounds = np.geomspace(0.1, 0.5, 12)
    priced = []
    real = following._Prices.near
    monkeypatch.setattr(following._Prices, "near", lambda *rest: priced.append(real(*rest)) or priced[-1])
    curve = rdc.sweep(problem, D=bounds, tolerance=TOLERANCE)
    assert len(priced) >= 10
    assert max(one.letters.size for one in priced) < 300
    for D, lower, upper in zip(bounds, curve.rate_lower.values, curve.rate_upper.values, strict=True):
        alone = rdc.solve(problem.with_limits(D=D), tolerance=TOLERANCE)
        assert upper - lower <= TOLERANCE
        assert lower <= alone.rate_upper
        assert alone.rate_lower <= upper


def test_what_the_check_does_not_confirm_is_solved_again_with_all_letters_priced(monkeypatch):
    few_priced(monkeypatch)
    seen = []

    def blind(task, letters, end, cover):  # to every letter but one in two of those in hand
        seen.append(task)
        own = following._Prices(letters, end.kernel.rmatvec(task.p * end.v))
        return following._Prices(own.letters[::2], own.prices[::2])

    problem = rdc.Problem(rdc.sources.gaussian(n_x=201))
    bounds = np.geomspace(0.3, 0.6, 6)
    monkeypatch.setattr(following._Prices, "near", blind)
    curve = rdc.sweep(problem, D=bounds, tolerance=TOLERANCE)
    assert seen
    assert (curve.status == "OPTIMAL").all()
    assert (curve.gap <= TOLERANCE).all()


def test_whoever_watches_is_told_bounds_over_all_letters(monkeypatch):
    few_priced(monkeypatch)

    def refused(*_):
        raise AssertionError("a bound over some letters is none to be told")

    monkeypatch.setattr(following._Prices, "near", refused)
    problem = rdc.Problem(rdc.sources.gaussian(n_x=151))
    told = []
    rdc.sweep(problem, D=[0.2, 0.21, 0.22], tolerance=TOLERANCE, callback=lambda record: told.append(record.lower))
    assert len(told) > 3


@given(
    peaks=st.lists(st.floats(0, 100), min_size=1, max_size=6, unique_by=round),
    shift=st.floats(-0.4, 0.4),
)
def test_peaks_go_on_as_they_came(peaks, shift):
    before = 10 * np.sort(peaks)
    letters = np.rint(before + shift).astype(np.intp)
    found = following._ahead(letters, before + shift, before)
    nearest = np.unique(np.abs(letters[:, None] - (before + shift)).argmin(axis=1))
    assert np.array_equal(found, np.rint((before + 2 * shift)[nearest]))


def test_lists_in_no_order_are_followed_too():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(120, 4))
    problem = rdc.Problem.from_arrays(np.full(120, 1 / 120), ((points[:, None] - points) ** 2).sum(axis=-1))
    targets = [problem.with_limits(D=D) for D in np.geomspace(0.5, 2.5, 12)]
    results, n_left = along(targets, rdc.InteriorPoint())
    assert n_left <= 2
    for result, target in zip(results, targets, strict=True):
        check_equal(result, target)


def test_limits_that_leave_no_room_and_other_losses_are_not_followed():
    problem = rdc.Problem(rdc.sources.gaussian(n_x=101))
    beside = rdc.Problem(rdc.sources.gaussian(n_x=91))
    targets = [problem.with_limits(D=0.1), problem.with_limits(D=0.0), problem.with_limits(D=0.2)]
    path = Watched(rdc.InteriorPoint())
    for target in [*targets, beside.with_limits(D=0.2)]:
        check_equal(rdc.solve(target, path, tolerance=TOLERANCE), target)
    assert len(path.left) == 4, "without a start there is nothing to begin a path with"


def test_a_path_that_breaks_off_ends_in_an_answer(monkeypatch):
    monkeypatch.setattr(following, "_CENTRED", 0.0)  # no step ever arrives
    problem = rdc.Problem(rdc.sources.gaussian(n_x=101))
    targets = [problem.with_limits(D=D) for D in (0.1, 0.11, 0.12)]
    results, n_left = along(targets, rdc.InteriorPoint())
    assert n_left == 3
    for result, target in zip(results, targets, strict=True):
        check_equal(result, target)


@st.composite
def neighbours(draw):
    """Draw problems that differ in limits on one or two losses, some of them not active or out of reach."""
    n, k = draw(st.integers(2, 7)), draw(st.sampled_from([2, 3, 6, 70]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    p = rng.random(n) ** draw(st.sampled_from([1, 4]))
    if draw(st.booleans()) and n > 2:
        p[0] = 0
    p /= p.sum()
    losses = [rng.random((n, k)) * draw(st.sampled_from([1.0, 1e3, 1e-3])) for _ in range(draw(st.integers(1, 2)))]
    if draw(st.booleans()):
        losses[0][0, 0] = math.inf
    problem = rdc.Problem.from_arrays(p, losses[0], losses={"other": losses[1]} if len(losses) > 1 else None)
    shares = st.sampled_from([-0.1, 1e-6, 1e-3, 0.03, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0, 1.2])
    found = []
    for _ in range(draw(st.integers(2, 5))):
        bounds = {}
        for name, loss in zip(problem.loss_names, losses, strict=True):
            finite = np.where(np.isinf(loss), 2 * loss[np.isfinite(loss)].max(), loss)
            least, most = float(p @ finite.min(axis=1)), float((p @ finite).min())
            bounds[name] = max(least + draw(shares) * (most - least), 0.0)
        found.append(problem.with_limits(**bounds))
    return found


@given(neighbours())
def test_every_point_of_a_path_is_what_it_is_alone(problems):
    results, _ = along(problems, rdc.InteriorPoint())
    for result, problem in zip(results, problems, strict=True):
        check_equal(result, problem)


@pytest.mark.parametrize("order", [1, -1])
def test_a_sweep_is_the_same_from_both_ends(order):
    problem = rdc.Problem(rdc.sources.gaussian(n_x=151))
    bounds = np.geomspace(0.1, 0.7, 6)
    curve = rdc.sweep(problem, D=bounds[::order], tolerance=TOLERANCE).sortby("D")
    for D, lower, upper in zip(bounds, curve.rate_lower.values, curve.rate_upper.values, strict=True):
        alone = rdc.solve(problem.with_limits(D=D), tolerance=TOLERANCE)
        assert lower <= alone.rate_upper
        assert alone.rate_lower <= upper
        assert upper - lower <= TOLERANCE
