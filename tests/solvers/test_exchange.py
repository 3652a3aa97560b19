"""The exchange between rounds: starts, interrupts, limits on the time."""

import math

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.information import conditional_entropy
from rdcsolve.letters.choice import space_of
from rdcsolve.letters.points import PointPrices
from rdcsolve.letters.pricing import decisions
from rdcsolve.letters.split import SplitPrices
from rdcsolve.results import Proof, Status
from rdcsolve.solvers import InteriorPoint
from rdcsolve.solvers.exchange.at_one import at_one
from rdcsolve.solvers.exchange.at_rate import AtRate
from rdcsolve.solvers.exchange.outcome import PricedDual, finished
from rdcsolve.solvers.exchange.starting_letters import Opening
from rdcsolve.solvers.finite.least_rate import infeasible
from rdcsolve.solvers.loop import Limits, Settings, Standstill


def split():
    rng = np.random.default_rng(1)
    p, label = rng.dirichlet(np.ones(20)), rng.dirichlet(np.ones(3), 20)
    return rdc.Problem.from_arrays(p, rng.random((20, 6)), label, D=0.25, C=0.9)


def points():
    rng = np.random.default_rng(2)
    source = rdc.Source(rng.normal(size=20), np.full(20, 0.05), labels=[rng.dirichlet(np.ones(2), 20)])
    return rdc.Problem(source, "free", limits=[rdc.DistortionLimit(0.3), rdc.LabelEntropyLimit(0.62)])


KINDS = {"split": (split, SplitPrices), "points": (points, PointPrices)}


def interrupting(method, count):
    """Return the method, interrupted from the keyboard at its count-th call and at all that follow."""
    calls = iter(range(1, 10**6))

    def interrupted(*args, **keywords):
        if next(calls) >= count:
            raise KeyboardInterrupt
        return method(*args, **keywords)

    return interrupted


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("where", ["maxima", "largest"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_interrupt_while_letters_are_priced_leaves_valid_bounds(kind, where, count, monkeypatch):
    make, prices = KINDS[kind]
    problem = make()
    whole = rdc.solve(problem)
    monkeypatch.setattr(prices, where, interrupting(getattr(prices, where), count))
    result = rdc.solve(problem)
    if where == "maxima" or count == 1:
        assert result.status is Status.INTERRUPTED
    monkeypatch.undo()
    assert result.rate_lower <= whole.rate_upper
    if math.isfinite(result.rate_upper):
        assert result.rate_upper >= whole.rate_lower
        assert result.proof is Proof.CERTIFIED
        assert result.certificate.verify(problem).valid
        assert result.distortion <= problem.bounds[0] * (1 + 1e-9)


def test_an_interrupt_before_anything_is_known_says_so(monkeypatch):
    problem = split()
    monkeypatch.setattr(Opening, "first", interrupting(Opening.first, 1))
    result = rdc.solve(problem)
    assert (result.status, result.proof) == (Status.INTERRUPTED, Proof.NONE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_limit_on_the_time_ends_the_round(kind):
    make, _ = KINDS[kind]
    problem = make()
    result = rdc.solve(problem, time_limit=1e-6)
    assert result.status is Status.TIME_LIMIT
    assert result.steps <= 1
    whole = rdc.solve(problem)
    if math.isfinite(result.rate_upper):
        assert whole.rate_lower <= result.rate_upper
        assert result.rate_lower <= whole.rate_upper


def test_a_start_with_equal_letters_gives_them_one_mass():
    problem = split()
    result = rdc.solve(problem)
    twice = np.r_[np.arange(result.letters.size), np.arange(result.letters.size)]
    doubled = rdc.results.Result(
        **{
            **result.__dict__,
            "letters": result.letters[twice],
            "q": result.q[twice] / 2,
            "channel": result.channel[:, twice] / 2,
            "decisions": tuple(soft[twice] for soft in result.decisions),
        }
    )
    settings = Settings(InteriorPoint(), 1e-9, Limits(10), 0.0)
    letters, warm = Opening(space_of(problem), settings).first(doubled)
    assert warm is not None
    assert warm.q.size == len(letters) == len(letters.distinct())
    again = rdc.solve(problem, start=doubled)
    assert again.status is Status.OPTIMAL
    assert again.rate_lower <= result.rate_upper


@pytest.mark.parametrize("places", ["split", "free"])
@pytest.mark.parametrize("blur", [1e-4, 1e-8, 1e-12, 7.53e-13, 1e-15])
def test_the_least_entropy_of_a_nearly_certain_label_can_be_asked_for(places, blur):
    """Known to some 1e-16 nat only, it is attained by the letters that tell the symbol."""
    rng = np.random.default_rng(4)
    for n in (4, 9):
        label = np.full((n, 2), blur)
        label[np.arange(n), rng.integers(0, 2, n)] = 1 - blur
        p = rng.dirichlet(np.ones(n))
        p[n // 2], p[0] = 0.0, p[0] + p[n // 2]
        least = float(p @ -(label * np.log(label)).sum(axis=1))
        source = rdc.Source(rng.normal(size=n), p, labels=[label])
        problem = rdc.Problem(source, "free" if places == "free" else None, limits=[rdc.LabelEntropyLimit(least)])
        result = rdc.solve(problem, tolerance=1e-7)
        if result.status is not Status.INFEASIBLE:  # by some units in the last place
            assert result.status is Status.OPTIMAL
            assert result.label_entropy <= least + 1e-14


@pytest.mark.parametrize("seed", range(3))
def test_proofs_that_run_out_of_cells_are_not_tried_again_and_again(seed, monkeypatch):
    """Each takes seconds; the gap of the search fell a little every time, so a solve went on for half an hour."""
    proofs = []

    def few(_):
        proofs.append(1)
        return 3

    rng = np.random.default_rng(seed)
    p, w, d = rng.dirichlet(np.ones(5)), rng.dirichlet(np.full(3, 0.5), size=5), rng.random((5, 4))
    C = conditional_entropy(p, w, np.eye(5)) + 0.03
    problem = rdc.Problem.from_arrays(p, d, [w], D=float(p @ d.min(axis=1)) * 1.3 + 0.02, C=[C])
    best = rdc.solve(problem)
    monkeypatch.setattr(decisions, "_most_cells", few)
    result = rdc.solve(problem)
    assert len(proofs) == 3
    assert result.status is Status.STALLED
    assert result.rate_upper == pytest.approx(best.rate_upper, abs=1e-6)
    assert 0 < result.rate_lower <= best.rate_upper


# ------------------------------------------------------------------------------------- multipliers of exactly one


@pytest.mark.parametrize("seed", range(20))
def test_at_a_multiplier_of_one_no_price_exceeds_one_and_every_class_has_one(seed):
    rng = np.random.default_rng(seed)
    n, k, n_classes = (int(size) for size in rng.integers(2, 6, 3))
    p = rng.dirichlet(np.ones(n))
    p[0] = 0.0 if seed % 3 == 0 else p[0]
    label = np.eye(n_classes)[rng.integers(n_classes, size=n)]
    problem = rdc.Problem.from_arrays(p / p.sum(), rng.random((n, k)), label, D=0.4, C=0.3)
    u, multipliers = rng.normal(size=n), np.array([rng.exponential(), 1 + 0.04 * rng.normal() / 4])
    balanced, changed = at_one(space_of(problem), u, multipliers)
    assert changed.tolist() == [multipliers[0], 1.0]
    with np.errstate(divide="ignore"):
        terms = problem.p_x[:, None] * np.exp(balanced[:, None] - multipliers[0] * problem.losses[0].matrix)
    dearest = (label.T @ terms).max(axis=1)
    used = (label.T @ problem.p_x) > 0
    assert dearest[used] == pytest.approx(1.0, abs=1e-13)
    assert space_of(problem).price(balanced, changed).largest(1e-12).log_upper <= 1e-11


def test_no_other_multiplier_is_made_one():
    hard, soft = np.eye(2)[[0, 1, 1]], np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])

    def space(label, **limits):
        stated = {"D": 0.4, "C": 0.3} | limits
        return space_of(rdc.Problem.from_arrays([0.2, 0.3, 0.5], 1 - np.eye(3), label, **stated))

    near, u = np.array([1.0, 1.01]), np.zeros(3)
    assert at_one(space(hard), u, near) is not None
    assert at_one(space(soft), u, near) is None
    assert at_one(space(hard), u, np.array([1.0, 1.2])) is None
    assert at_one(space(hard), u, np.array([1.0, 0.0])) is None
    assert at_one(space([hard, hard], C=[0.3, 0.3]), u, np.array([1.0, 1.0, 0.5])) is None
    fixed = space(hard).problem.at_multipliers(distortion=1.0, label_entropy=1.01)
    assert at_one(space_of(fixed), u, near) is None


# ------------------------------------------------------------------------------------- when to give up


def test_multipliers_on_their_way_are_no_standstill():
    standstill = Standstill(np.array([2.0]))
    assert [standstill.after(1.0, np.array([0.1 * 1.5**step])) for step in range(10)] == [0, 1] + [0] * 8
    assert standstill.after(1.0, np.array([1.0])) == 1  # the other way
    assert standstill.after(1.0, np.array([0.5])) == 0
    assert standstill.after(0.95, np.array([0.5])) == 1
    assert standstill.after(0.8, np.array([0.5])) == 0  # a smaller gap
    for count, value in enumerate([0.9, 0.4, 0.9, 0.4], start=1):
        assert standstill.after(1.0, np.array([value])) == count  # to and fro
    far = Standstill(np.array([2.0]))
    assert [far.after(1.0, np.array([2.0**step])) for step in range(16)] == [0, 1] + [0] * 12 + [1, 2]  # runs away
    far.begin_again()
    assert far.after(1.0, np.array([2.0**16])) == 0
    tiny = Standstill(np.array([1e-3]))
    assert [tiny.after(1.0, np.array([2.0**step])) for step in range(4)] == [0, 1, 2, 3]  # what nobody notices


@pytest.mark.parametrize("log_largest", [-math.inf, math.inf, math.nan])
def test_a_dual_point_whose_prices_leave_the_range_of_floats_is_not_handed_out(log_largest):
    p, label = np.array([0.5, 0.5]), np.array([[0.9, 0.1], [0.2, 0.8]])
    problem = rdc.Problem.from_arrays(p, 1 - np.eye(2), label, C=0.5).with_limits(distortion=0.3)
    problem = problem.minimising("label_entropy", rate=0.1)
    space = space_of(problem)
    dual = PricedDual(space, np.full(2, 1e10), np.array([0.0, 1e20]))
    dual.estimate(log_largest)
    dual.checked = dual.proved = True
    letters = space.anchors()
    settings = Settings(InteriorPoint(), 1e-9, Limits(10), 0.0)
    listed = space.listed(letters)
    found = rdc.solve(listed, tolerance=1e-9)
    result = finished(space, settings, (found, letters), dual, Status.STALLED, "", ())
    assert np.isfinite(result.certificate.u).all()
    checked = result.certificate.verify(problem)
    assert checked.valid, str(checked)
    assert result.objective_lower <= checked.lower + 1e-12


def test_letters_that_meet_the_limits_with_one_method_and_not_with_another_are_not_tried_for_ever(monkeypatch):
    """The least rate is within the limit, and whatever solves for the loss says that no channel is."""
    lists = []

    def restricted(self, listed, settings, warm, is_near):
        lists.append(listed.n_letters)
        assert len(lists) < 20
        return infeasible(listed, settings, {"rate": 1.0}, "", None)

    monkeypatch.setattr(AtRate, "restricted", restricted)
    result = rdc.solve(split().minimising("label_entropy", rate=0.7))
    assert (result.status, result.proof) == (Status.STALLED, Proof.NONE)
    assert "by a rounding" in str(result)
    assert lists[-1] > lists[0]  # letters of the least rate were tried


@pytest.mark.parametrize(("rho", "rate"), [(0.7, 0.3), (0.9, 0.8), (0.5, 0.1)])
def test_rounds_search_thoroughly_only_next_to_the_end(rho, rate, monkeypatch):
    """Price by price a thorough search is dear, and the bound makes one anyway before it is believed."""
    source = rdc.sources.gaussian_pair(rho, n_x=31, n_s=20)
    step = float(np.ptp(source.points)) / 19
    limit = float(rdc.theory.gaussian.critical_label_entropy(rate, rho)) - math.log(step)
    problem = rdc.Problem.from_arrays(source.p_x, np.zeros((31, 1)), source.labels[0], C=limit)
    thorough, search = [], SplitPrices.maxima

    def noted(self, starts, may_be_long=True):
        thorough.append(may_be_long)
        return search(self, starts, may_be_long)

    monkeypatch.setattr(SplitPrices, "maxima", noted)
    result = rdc.solve(problem, tolerance=1e-6, proof_budget=0)
    assert result.status is Status.OPTIMAL
    gaps = [record.value - record.lower for record in result.history]
    rounds = len(gaps) - sum(gap <= 1e-4 for gap in gaps)
    assert rounds >= 2  # or nothing is said
    assert sum(thorough) <= len(thorough) - rounds


def test_limits_stay_lowered_where_more_letters_may_meet_them(monkeypatch):
    """What lists of letters lower limits on labels by keeps channels within them, to the last digit."""
    bounds, real = [], AtRate.restricted

    def restricted(self, listed, settings, warm, is_near):
        bounds.append(listed.bounds[listed.loss_names.index("label_entropy")])
        if len(bounds) == 1:
            return infeasible(listed, settings, {"rate": 1.0}, "", None)
        return real(self, listed, settings, warm, is_near)

    problem = split().minimising("distortion", rate=0.7)
    monkeypatch.setattr(AtRate, "restricted", restricted)
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL
    assert len(bounds) > 1
    assert max(bounds) < problem.bounds[problem.loss_names.index("label_entropy")]


def test_a_proof_that_finds_no_dearer_letter_is_no_error():
    """Masses down to 1e-29 beside a symbol of mass one, exactly, at a rate of 1e-13 nat: no letter has a price."""
    rng = np.random.default_rng(7)
    n = int(rng.integers(4, 7))
    p = 10.0 ** -rng.uniform(10, 30, n)
    p[-1] = 1
    p /= p.sum()
    label = rng.dirichlet(np.full(9, 0.6), size=n)
    source = rdc.Source(rng.normal(size=(n, 1)), p / p.sum(), labels=[label])
    problem = rdc.Problem(source, "free", "squared_error", [rdc.LabelEntropyLimit(np.inf)])
    problem = problem.with_limits(distortion=0.0).minimising("label_entropy", rate=10.0 ** -rng.uniform(12, 14))
    result = rdc.solve(problem, proof_budget=0.1)
    assert result.objective_lower <= result.objective_upper or np.isnan(result.objective_upper)
    assert result.verify(problem).valid


def test_letters_of_a_neighbour_slide_to_the_answer(monkeypatch):
    def coarse(**limits):
        points, y = np.linspace(-3, 3, 61), np.linspace(-3, 3, 31)
        p = np.exp(-((points - 1) ** 2)) + np.exp(-((points + 1) ** 2))
        noisy = 1 / (1 + np.exp(-4 * points))
        label = np.c_[noisy, 1 - noisy]
        return rdc.Problem.from_arrays(p / p.sum(), (points[:, None] - y) ** 2, label, **limits)

    problem = coarse(D=0.85, C=0.35)
    start = rdc.solve(coarse(D=0.85, C=0.4), tolerance=1e-7)
    moved = rdc.solve(problem, tolerance=1e-7, start=start)
    alone = rdc.solve(problem, tolerance=1e-7)
    assert moved.status is alone.status is Status.OPTIMAL
    assert moved.verify(problem).valid
    assert moved.objective_lower <= alone.objective_upper
    assert alone.objective_lower <= moved.objective_upper
    monkeypatch.setattr("rdcsolve.solvers.exchange.exchange._Exchange._moved", lambda *_: None)
    assert moved.steps == 1 < rdc.solve(problem, tolerance=1e-7, start=start).steps
