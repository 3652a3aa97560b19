"""Losses with entries below zero: what is added to all losses of a symbol moves mean losses, and nothing else."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.explore.envelope import Envelope
from rdcsolve.explore.units import in_unit
from rdcsolve.problems import BlockLoss, SeparableLoss
from rdcsolve.problems.storage import arrays_of
from rdcsolve.problems.structures import Shifted, Table
from rdcsolve.results.channel import Channel
from rdcsolve.solvers.shift import Shift, less
from rdcsolve.testing import check_bounds, check_certificate, check_feasibility, check_kkt

INF = np.inf

QUESTIONS = {
    "rate": lambda stated, own: stated.with_limits(distortion=own["distortion"], cost=own["cost"]),
    "budget": lambda stated, own: stated.with_limits(distortion=own["distortion"], rate=5.0),
    "lagrangian": lambda stated, own: stated.at_multipliers(distortion=3.0, cost=0.5),
    "loss": lambda stated, own: stated.minimising("distortion", rate=0.1),
    "loss under a limit": lambda stated, own: stated.with_limits(cost=own["cost"]).minimising("distortion", rate=0.1),
}
"""Each is asked of a problem, given bounds on its losses that can be met."""


@st.composite
def shifted_pairs(draw, letters="split", n_s=0, most=5):
    """Two statements of one problem, the second with constants added to each symbol's losses, and bounds for both."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, most, 2)
    p = rng.dirichlet(np.ones(n))
    distortion, cost = rng.random((2, n, k))
    if draw(st.booleans()):
        cost[rng.integers(n), rng.integers(1, k)] = INF  # the first letter stays allowed to all
    if draw(st.booleans()):
        p[rng.integers(n)] = 0.0
        p = p / p.sum() if p.sum() else np.eye(n)[0]
    size = draw(st.sampled_from([0.3, 2.0, 40.0]))
    added = rng.normal(size=(2, n)) * size - np.array([[1.0], [0.0]])
    label = rng.dirichlet(np.ones(n_s), size=n) if n_s else None
    own = {}
    for name, loss in {"distortion": distortion, "cost": cost}.items():
        allowed = np.where(np.isinf(cost), INF, loss)
        least, easy = p @ allowed.min(axis=1), (p @ loss[:, 0])
        own[name] = float(least + (easy - least) * draw(st.sampled_from([0.05, 0.4, 0.8])))
    own["cost"] = 2 * own["cost"] + 1  # so that both can be met
    moved = {"distortion": float(p @ added[0]), "cost": float(p @ added[1])}
    more = {"letters": letters} | ({"C": INF} if n_s else {})
    plain = rdc.Problem.from_arrays(p, distortion, label, losses={"cost": cost}, **more)
    below = [loss + one[:, None] for loss, one in zip((distortion, cost), added, strict=True)]
    other = rdc.Problem.from_arrays(p, below[0], label, losses={"cost": below[1]}, **more)
    return (plain, own), (other, {name: own[name] + moved[name] for name in own}), moved


def added_to(problem, moved):
    """Return by how much the second problem's objective is larger."""
    if problem.multipliers is not None:
        pairs = zip(problem.loss_names, problem.multipliers, strict=True)
        return sum(price * moved.get(name, 0.0) for name, price in pairs)
    return moved.get(problem.minimise, 0.0)


def agree(first, second, moved, problem, tolerance=1e-7):
    """Check that the second answer is the first one, moved, and that it stands on its own."""
    assert second.status is first.status
    assert second.proof is first.proof
    by = added_to(problem, moved)
    scale = tolerance * (1 + abs(by))
    assert second.objective_upper == pytest.approx(first.objective_upper + by, abs=scale)
    assert second.objective_lower == pytest.approx(first.objective_lower + by, abs=scale)
    assert set(second.multipliers) == set(first.multipliers)
    for name, bound in zip(problem.loss_names, problem.bounds, strict=True):
        assert second.losses[name] <= bound
    for arithmetic in ("float", "ball"):
        found = second.verify(problem, arithmetic)
        assert found.valid, found.messages


@pytest.mark.parametrize("question", QUESTIONS)
@given(pair=shifted_pairs())
def test_an_added_constant_moves_losses_and_nothing_else(question, pair):
    (plain, own), (other, there), moved = pair
    asked, below = QUESTIONS[question](plain, own), QUESTIONS[question](other, there)
    first, second = rdc.solve(asked), rdc.solve(below)
    if first.status.name == "INFEASIBLE":
        assert second.status is first.status
        assert second.minimum.keys() == first.minimum.keys()
        for name, value in first.minimum.items():
            assert second.minimum[name] == pytest.approx(value + moved.get(name, 0.0), abs=1e-9)
        return
    agree(first, second, moved, below)
    check_bounds(second)
    check_feasibility(second, below)
    check_certificate(second, below)
    check_kkt(second, below)
    assert float(below.p_x @ second.d_tilted) == pytest.approx(float(asked.p_x @ first.d_tilted), abs=1e-6)


@pytest.mark.parametrize("letters", ["split", "fixed"])
@given(pair=shifted_pairs(n_s=2, most=4))
@settings(max_examples=8)
def test_labels_do_not_mind(letters, pair):
    (plain, own), (other, there), moved = pair
    for one in (plain, other):
        one.__dict__["letters"] = letters
    answers = []
    for problem, bounds in ((plain, own), (other, there)):
        stated = problem.with_limits(distortion=bounds["distortion"], C=0.6)
        answers.append((rdc.solve(stated), stated))
    (first, _), (second, below) = answers
    if first.certificate is None or second.status.name == "INFEASIBLE":
        assert second.status is first.status
        return
    agree(first, second, moved, below, 1e-6)


@given(pair=shifted_pairs())
@settings(max_examples=10)
def test_an_earlier_answer_is_a_start_and_steps_are_told_in_the_users_scale(pair):
    (_, _), (other, _), moved = pair
    below = other.minimising("distortion", rate=0.1)
    told = []
    first = rdc.solve(below, callback=told.append)
    again = rdc.solve(below, start=first)
    assert again.objective_upper == pytest.approx(first.objective_upper, abs=1e-7 * (1 + abs(moved["distortion"])))
    scale = 1e-8 * (1 + abs(first.objective_lower))
    for record in (*told, *first.history):
        assert record.lower <= first.objective_upper + scale
        assert not record.value < first.objective_lower - scale


M = [[1, -1], [0.5, 0], [0, 3]]
SHORT = rdc.Problem.from_arrays(
    [0.5, 0.3, 0.2], [[-3.0, 1], [0, -1], [2, 5]], losses={"m": [[1, -1], [0.5, 0], [0, 3]]}
)


def test_a_limit_below_the_least_value_is_told_in_the_users_scale():
    result = rdc.solve(SHORT.with_limits(D=-1.5))
    assert result.status.name == "INFEASIBLE"
    assert result.minimum["distortion"] == pytest.approx(0.5 * -3 + 0.3 * -1 + 0.2 * 2)
    assert "distortion <= -1.5 is below its least value -1.4" in result.message
    assert result.verify(SHORT.with_limits(D=-1.5)).valid


def test_limits_that_exclude_each_other_are_refuted():
    problem = SHORT.with_limits(D=-1.39, m=-0.4)
    result = rdc.solve(problem)
    assert result.status.name == "INFEASIBLE"
    for arithmetic in ("float", "ball"):
        assert result.verify(problem, arithmetic).valid


@pytest.mark.parametrize("bound", [-1.4, 0.5 * -3 + 0.3 * -1 + 0.2 * 2])
def test_a_limit_at_the_least_value_is_met_there(bound):
    problem = SHORT.with_limits(D=bound)
    result = rdc.solve(problem)
    assert result.status.name == "OPTIMAL"
    assert result.losses["distortion"] == pytest.approx(-1.4)
    assert result.verify(problem, "ball").valid


def test_a_loss_held_at_a_value_below_zero():
    stated = rdc.Problem.from_arrays(
        [0.5, 0.5], [[0, 1], [1, 0]], losses={"gain": [[-1, 0], [-1, 0]]}, limits={"gain": -0.75}, equal=["gain"], D=0.3
    )
    result = rdc.solve(stated)
    assert result.status.name == "OPTIMAL"
    assert result.losses["gain"] == pytest.approx(-0.75, abs=1e-12)
    assert result.verify(stated, "ball").valid


def test_bounds_below_zero_are_refused_where_no_loss_is():
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], [[1, 0], [0, 1]], C=INF)
    with pytest.raises(rdc.InvalidInput, match=r"the bound on distortion is -1; .* never below zero"):
        problem.with_limits(D=-1)
    with pytest.raises(rdc.InvalidInput, match=r"the bound on label_entropy is -1; .* never below zero"):
        problem.with_limits(C=-1)


@pytest.mark.parametrize("solver", [rdc.InteriorPoint(), rdc.ColumnGeneration(), rdc.BlahutArimoto(), rdc.Conic()])
def test_every_solver(solver):
    tolerance = 1e-6
    result = rdc.solve(SHORT.with_limits(D=-1.3), solver, tolerance=tolerance)
    best = rdc.solve(SHORT.with_limits(D=-1.3))
    assert result.status.name == "OPTIMAL"
    assert result.rate_upper == pytest.approx(best.rate_upper, abs=2 * tolerance)


def test_units_of_information_below_zero():
    log_odds = rdc.LossLimit(INF, [[-2.0, 1.0], [0.5, -3.0]], "log_odds", is_information=True)
    source = rdc.Source(None, [0.6, 0.4])
    nats = rdc.Problem(source, distortion=[[0, 1], [1, 0]], limits=[log_odds]).with_limits(log_odds=-1.2)
    bits = nats.in_unit("bit")
    first, second = rdc.solve(nats), rdc.solve(bits)
    assert second.losses["log_odds"] * np.log(2) == pytest.approx(first.losses["log_odds"], abs=1e-9)
    assert rdc.solve(bits.with_limits(log_odds=-1.2 / np.log(2))).losses["log_odds"] <= -1.2 / np.log(2)


# --------------------------------------------------------------------------------------------- other doors


def test_perceptions():
    cost = [[0.0, 1.0], [1.0, 0.0], [2.0, 1.0]]
    rates = []
    for by, bound in ((0.0, 1.2), (-4.0, -2.8)):
        matrix = np.array([[0.0, 2.0], [1.0, 0.5], [3.0, 1.0]]) + by
        problem = rdc.Problem.from_arrays([0.5, 0.3, 0.2], matrix, D=bound, P=0.5, perception=cost)
        result = rdc.solve(problem)
        assert result.verify(problem).valid
        assert result.verify(problem, "ball").valid
        rates.append(result.rate_upper)
    assert rates[1] == pytest.approx(rates[0], abs=1e-8)
    with pytest.raises(rdc.InvalidInput, match=r"cost has the entry -1; .* added to every distance"):
        rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], P=0.5, perception=[[0.0, -1.0], [1.0, 0.0]])


def test_a_result_file_and_the_checker_of_the_docs(tmp_path):
    pytest.importorskip("flint")  # what the checker computes with
    checker = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "reference" / "check_certificate.py"))
    for problem in (SHORT.with_limits(D=-1.3, m=0.5), SHORT.at_multipliers(distortion=2.0, m=1.0)):
        result, path = rdc.solve(problem), tmp_path / "result.npz"
        result.save(path)
        again = rdc.load(path)
        assert again.losses == result.losses
        assert again.verify(problem).valid
        arrays = tmp_path / "problem.npz"
        np.savez(arrays, **arrays_of(problem))
        report = checker["check"](str(path), str(arrays))
        assert report.valid, str(report)
        assert (
            rdc.problems.storage.problem_of(dict(np.load(arrays)), "again").bounds.tolist() == problem.bounds.tolist()
        )


@pytest.mark.parametrize("axes", [{"D": [-1.35, -1.2, 0.0]}, {"D": [-1.35, -1.2], "m": [0.0, 0.8]}])
def test_sweeps_and_their_envelopes(axes, tmp_path):
    data = rdc.sweep(SHORT, **axes, save=tmp_path / "sweep.nc")
    moved = rdc.Problem.from_arrays(SHORT.p_x, SHORT.losses[0].block() + 3, losses={"m": SHORT.losses[1].block() + 1})
    above = {"D": 3.0, "m": 1.0}
    other = rdc.sweep(moved, **{name: np.array(values) + above[name] for name, values in axes.items()})
    assert np.allclose(data.rate_upper, other.rate_upper, atol=1e-8)
    envelope, expected = Envelope(data), Envelope(other)
    where = np.array([[np.mean(values) for values in axes.values()]])
    shift = np.array([above[name] for name in axes])
    assert np.allclose(envelope.lower_at(where), expected.lower_at(where + shift), atol=1e-7)
    for axis in range(len(axes)):
        assert (envelope.is_slack(axis) == expected.is_slack(axis)).all()


def test_trade_offs():
    data = rdc.tradeoff(SHORT, rate=0.2, loss="m", n_points=3)
    envelope = Envelope(data)
    assert (data.gap < 1e-8).all()
    assert (envelope.lower_at(data["m"].values[:, None]) <= data.objective_upper.values + 1e-12).all()
    assert (envelope.lower_at([[100.0]]) < 0).all()  # not cut off at zero
    assert in_unit(data, "bit").attrs["origins"] == pytest.approx(data.attrs["origins"])


def test_sweeps_over_multipliers_bound_what_has_a_fixed_price():
    problem = SHORT.at_multipliers(distortion=1.0, m=2.0)
    data = rdc.sweep(problem, distortion=[0.5, 1.0, 3.0])
    envelope = Envelope(data)
    assert envelope.priced == ("m",)
    far = envelope.lower_at([[100.0]])
    assert far <= envelope.upper.min()
    assert far < 0  # the rate may be zero there, and the priced loss at its least mean is below zero


TARGETS = [{"D": -1.3}, {"m": -0.2}]


def test_universal_rates_and_regions():
    moved = rdc.Problem.from_arrays(SHORT.p_x, SHORT.losses[0].block() + 3, losses={"m": SHORT.losses[1].block() + 1})
    one = rdc.universal_rate(SHORT, TARGETS)
    other = rdc.universal_rate(moved, [{"D": 1.7}, {"m": 0.8}])
    assert one.rate_upper == pytest.approx(other.rate_upper, abs=1e-8)
    assert one.penalty_upper == pytest.approx(other.penalty_upper, abs=1e-8)
    assert one.verify(SHORT).valid
    assert one.verify(SHORT, "ball").valid
    assert one.decoders[0].losses["distortion"] <= -1.3
    region = rdc.achievable_region(one, SHORT)
    expected = rdc.achievable_region(one, moved)
    assert np.allclose(region.vertices + [3, 1], expected.vertices, atol=1e-9)
    assert region.contains((-1.3, 5.0))


def test_generated_tuples(monkeypatch):
    monkeypatch.setattr("rdcsolve.universal.serving._LISTED", 0)
    one = rdc.universal_rate(SHORT, TARGETS)
    assert one.result.method.startswith("tuples generated")
    assert one.status.name == "OPTIMAL"
    monkeypatch.undo()
    assert one.rate_upper == pytest.approx(rdc.universal_rate(SHORT, TARGETS).rate_upper, abs=1e-8)
    assert one.verify(SHORT).valid


# --------------------------------------------------------------------------------------------- structures


def test_structures_keep_their_kind():
    grid = SeparableLoss([np.array([[0.0, 1.0], [2.0, -1.0]]), np.array([[-3.0, 1.0], [0.5, 0.0]])])
    block = BlockLoss(lambda x, y: np.cos(x - y.T), [0.0, 1.0, 2.0, 3.0], [0.0, 1.5, 3.0])
    table = Table(block.block())
    for loss, kind in ((grid, SeparableLoss), (block, Shifted), (table, Table)):
        lowered = less(loss, loss.row_minima())
        assert isinstance(lowered, kind)
        assert np.allclose(lowered.row_minima(), 0, atol=1e-15)
        assert np.allclose(lowered.block() + loss.row_minima()[:, None], loss.block())
        assert less(loss, np.zeros(loss.shape[0])) is loss


def test_losses_that_are_not_stored():
    block = BlockLoss(lambda x, y: -np.exp(-((x - y.T) ** 2)), np.linspace(0, 3, 7), np.linspace(0, 3, 5))
    source = rdc.Source(np.linspace(0, 3, 7), np.full(7, 1 / 7))
    stated = rdc.Problem(source, np.linspace(0, 3, 5), block).with_limits(D=-0.8)
    tabled = rdc.Problem(source, np.linspace(0, 3, 5), block.block()).with_limits(D=-0.8)
    first, second = rdc.solve(stated), rdc.solve(tabled)
    assert first.status.name == "OPTIMAL"
    assert first.rate_upper == pytest.approx(second.rate_upper, abs=1e-9)
    assert first.verify(stated).valid


def test_channels_made_on_demand_tell_losses_in_the_users_scale(monkeypatch):
    monkeypatch.setattr("rdcsolve.solvers.finite.recovery.DENSE_CHANNEL_BYTES", 0)
    points = np.linspace(0, 3, 9)
    block = BlockLoss(lambda x, y: (x - y.T) ** 2 - 5.0, points, points)
    problem = rdc.Problem(rdc.Source(points, np.full(9, 1 / 9)), points, block).with_limits(D=-4.8)
    result = rdc.solve(problem)
    assert isinstance(result.channel, Channel)
    assert result.channel.mean_loss(0) == pytest.approx(result.losses["distortion"], abs=1e-9)
    assert result.losses["distortion"] <= -4.8


def test_nothing_is_shifted_without_need():
    assert Shift.of(rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]])) is None
    free = rdc.Problem(rdc.Source([-1.0, 1.0], [0.5, 0.5]), "free").with_limits(D=0.5)
    assert Shift.of(free) is None


@pytest.mark.parametrize("entry", [-INF, np.nan, -1e305])
def test_entries_that_are_no_losses(entry):
    with pytest.raises(rdc.InvalidInput, match=r"distortion\[0, 1\] is .*; losses are real numbers"):
        rdc.Problem.from_arrays([0.5, 0.5], [[0, entry], [1, 0]])


@pytest.mark.parametrize("seed", [32, 49, 100])
def test_a_constant_part_beside_a_label_does_not_hide_the_gap(seed):
    """A loss is mostly a constant: beside its level every channel is nearly optimal, and searches ended there."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 7, 2)
    loss, p = rng.random((n, k)), rng.dirichlet(np.ones(n))
    source = rdc.Source(None, p, labels=[rng.dirichlet(np.ones(2), size=n)])
    limits = [rdc.LabelEntropyLimit(INF)]
    stated = [rdc.Problem(source, distortion=table, limits=limits) for table in (loss, 1e4 + loss)]
    low, high = (rdc.solve(one.with_limits(label_entropy=0.69).minimising("distortion", rate=0.2)) for one in stated)
    assert low.status is high.status is rdc.Status.OPTIMAL
    assert high.gap <= 1e-8
    assert high.objective_upper == pytest.approx(low.objective_upper + 1e4, abs=1e-8)
