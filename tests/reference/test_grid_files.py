"""Files of grids (version 4): what the checker and the library confirm of them; what was changed is refused."""

from __future__ import annotations

import contextlib
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.errors import RdcError
from rdcsolve.problems import SeparableLoss
from rdcsolve.problems.storage import arrays_of, problem_of

pytest.importorskip("flint")
from flint import arb, ctx  # noqa: E402
from proof_maker import checker  # noqa: E402

BALLS = 200  # bits


@pytest.fixture(autouse=True, scope="module")
def channels_by_masses(small_grids):
    """Small grids go the way of large ones, and their channels are held by masses."""
    small_grids.setattr("rdcsolve.solvers.finite.recovery.DENSE_CHANNEL_BYTES", 0)


QUESTIONS = {
    "multipliers": lambda grid: grid.at_multipliers(distortion=2.0, other=0.3),
    "limit": lambda grid: grid.with_limits(distortion=0.4),
    "limits": lambda grid: grid.with_limits(distortion=0.5, other=0.7),
    "loss": lambda grid: grid.minimising("distortion", rate=0.8),
    "bits": lambda grid: grid.with_limits(distortion=0.4).in_unit("bit"),
}


def a_grid(question, sides=(7, 6), level=0.0):
    """A problem on a grid of two axes with two losses."""
    axes = [np.linspace(-2, 2, side) for side in sides]
    masses = np.exp(-np.add.outer(axes[0] ** 2, 0.7 * axes[1] ** 2))
    masses[0, 0] = 0.0
    source = rdc.sources.grid(masses / masses.sum(), axes)
    squares = SeparableLoss([table + level for table in SeparableLoss.between("squared_error", axes).tables])
    sizes = SeparableLoss.between("absolute", axes)
    grid = rdc.Problem(source, distortion=squares, limits=[rdc.LossLimit(math.inf, sizes, "other")])
    return QUESTIONS[question](grid)


def saved(problem, folder):
    """Arrays of a solved problem, as they come from the two files."""
    answer = rdc.solve(problem, rdc.ColumnGeneration(), tolerance=1e-8)
    answer.save(folder / "result.npz")
    np.savez(folder / "problem.npz", **arrays_of(problem))
    return checker.read(folder / "result.npz"), checker.read(folder / "problem.npz"), answer


@pytest.mark.parametrize("few", [1, 2**20])
@pytest.mark.parametrize("question", QUESTIONS)
def test_grids_are_confirmed(question, few, tmp_path, monkeypatch):
    """Whether prices are products with the tables of axes, or looked at one by one."""
    monkeypatch.setattr(checker, "FEW_PAIRS", few)
    problem = a_grid(question)
    result, stated, answer = saved(problem, tmp_path)
    assert json.loads(str(result["header"]))["version"] == 4
    report = checker.check_arrays(result, stated)
    assert report.valid, report
    unit = math.log(2) if question == "bits" else 1.0
    assert unit * answer.objective_lower <= report.lower + 1e-15
    assert report.lower <= report.upper <= unit * answer.objective_upper + 1e-15
    assert report.lower <= unit * answer.objective_lower + 1e-12
    again = problem_of(stated, "again")
    assert again.fingerprint() == problem.fingerprint()
    assert rdc.load(tmp_path / "result.npz").verify(again).valid


def told(changes):
    """Return what changes the header of a result."""

    def change(result, stated):
        header = json.loads(str(result["header"]))
        for key, value in changes.items():
            header[key] = value(header[key])
        return result | {"header": np.array(json.dumps(header))}, stated

    return change


def held(name, value):
    """Return what changes an array of a result; None takes it away."""

    def change(result, stated):
        changed = {key: array for key, array in result.items() if key != name}
        new = value(result.get(name))
        return changed if new is None else changed | {name: new}, stated

    return change


def of_the_problem(name, value):
    """Return what changes an array of a problem; None takes it away."""

    def change(result, stated):
        changed = {key: array for key, array in stated.items() if key != name}
        new = value(stated.get(name))
        return result, changed if new is None else changed | {name: new}

    return change


def moved(values, by=1e-3):
    """Return an array with one entry in the middle changed."""
    changed = values.copy()
    changed[changed.size // 2] += by
    return changed


CHANGES = {
    "lower": told({"objective_lower": lambda x: x + 1e-6}),
    "upper": told({"objective_upper": lambda x: x - 1e-6}),
    "certificate's lower": told({"certificate": lambda c: c | {"lower": c["lower"] + 1e-6}}),
    "certificate's upper": told({"certificate": lambda c: c | {"upper": c["upper"] - 1e-6}}),
    "rate": told({"rate_upper": lambda x: x - 1e-6}),
    "loss": told({"losses": lambda named: named | {"other": named["other"] - 1e-6}}),
    "multiplier": told({"multipliers": lambda named: named | {"distortion": named["distortion"] + 1e-6}}),
    "version": told({"version": lambda _: 3}),
    "a version to come": told({"version": lambda _: 5}),
    "objective": told({"objective": lambda _: "distortion"}),
    "u": held("certificate_u", moved),
    "u's shape": held("certificate_u", lambda u: u[:-1]),
    "u's rest": held("certificate_u_rest", moved),
    "no number in u": held("certificate_u", lambda u: moved(u, math.nan)),
    "multipliers": held("certificate_multipliers", lambda x: 1.01 * x),
    "sign": held("certificate_multipliers", lambda x: -x),
    "more multipliers": held("certificate_multipliers", lambda x: np.append(x, 0.0)),
    "masses": held("channel_masses", lambda q: moved(q, 0.3 * q.max())),
    "masses in disorder": held("channel_masses", lambda q: np.roll(q, 1)),
    "a mass of zero": held("channel_masses", lambda q: np.where(np.arange(q.size) == 1, 0.0, q)),
    "a mass below zero": held("channel_masses", lambda q: np.where(np.arange(q.size) == 1, -q, q)),
    "no mass": held("channel_masses", lambda _: None),
    "an endless mass": held("channel_masses", lambda q: moved(q, math.inf)),
    "fewer masses": held("channel_masses", lambda q: q[:-1]),
    "a table of masses": held("channel_masses", lambda q: q[None]),
    "the channel's multipliers": held("channel_multipliers", lambda x: 1.1 * x),
    "no multipliers": held("channel_multipliers", lambda _: None),
    "no number among multipliers": held("channel_multipliers", lambda x: x * math.nan),
    "fewer multipliers": held("channel_multipliers", lambda x: x[:-1]),
    "a letter beyond the grid": held("letters", lambda a: np.where(np.arange(a.size) == 0, 42, a)),
    "a letter below zero": held("letters", lambda a: np.where(np.arange(a.size) == 0, -1, a)),
    "other letters": held("letters", lambda a: np.sort((a + 1) % 42)),
    "rows besides": held("certificate_channel", lambda _: np.full((42, 42), 1 / 42)),
    "a table": of_the_problem("axis_0_distortion", lambda table: 1.001 * table),
    "no table": of_the_problem("axis_1_distortion", lambda _: None),
    "first table": of_the_problem("axis_0_other", lambda _: None),
    "a third table": of_the_problem("axis_2_other", lambda _: np.zeros((2, 1))),
    "another shape": of_the_problem("axis_1_other", lambda table: table[:, :-1]),
    "endless": of_the_problem("axis_1_other", lambda table: np.where(table == table.max(), np.inf, table)),
    "a matrix besides": of_the_problem("distortion", lambda _: np.zeros((42, 42))),
    "p_x": of_the_problem("p_x", lambda p: np.roll(p, 6)),
    "a limit": of_the_problem("bound_distortion", lambda bound: bound * (1 - 1e-6)),
}


@pytest.mark.parametrize("few", [1, 2**20])
@pytest.mark.parametrize("name", CHANGES)
def test_what_was_changed_is_refused(name, few, tmp_path, monkeypatch):
    """By the checker and by the library, on reading or by what is proved."""
    monkeypatch.setattr(checker, "FEW_PAIRS", few)
    if (few, "saved") not in SOLVED:
        SOLVED[few, "saved"] = saved(a_grid("limits"), tmp_path)
    result, stated, _ = SOLVED[few, "saved"]
    result, stated = CHANGES[name](dict(result), dict(stated))
    with contextlib.suppress(checker.Unreadable):
        assert not checker.check_arrays(result, stated).valid
    np.savez(tmp_path / "changed.npz", **result)
    with contextlib.suppress(RdcError):
        assert not rdc.load(tmp_path / "changed.npz").verify(problem_of(stated, "changed")).valid


SOLVED = {}


# ------------------------------------------------------------------------------------------------ against balls


@st.composite
def tables(draw):
    """Tables of some losses on one grid, multipliers, and masses of symbols: of any size, zero, or hardly any."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sides = [
        (draw(st.integers(1, 40 if d == 0 else 4)), draw(st.integers(1, 5))) for d in range(draw(st.integers(1, 3)))
    ]
    level = draw(st.sampled_from([0.0, -1.0, 1e6]))
    losses = [[level + rng.random(side) for side in sides] for _ in range(draw(st.integers(1, 2)))]
    multipliers = [10.0 ** draw(st.floats(-6, 6)) for _ in losses]
    p = rng.random(math.prod(side[0] for side in sides)) ** draw(st.sampled_from([1, 30]))
    p[rng.random(p.size) < draw(st.sampled_from([0.0, 0.3]))] = 0.0
    p[rng.random(p.size) < draw(st.sampled_from([0.0, 0.3]))] *= 1e-200
    p[0] += 1e-9
    arrays = {"p_x": p / p.sum()} | {
        f"axis_{d}_{name}": table
        for name, loss in zip(("distortion", "other"), losses, strict=False)
        for d, table in enumerate(loss)
    }
    return arrays, multipliers, rng


def read_by_axes(arrays):
    """Return the problem with its losses by axes, however few they are."""
    few, checker.FEW_PAIRS = checker.FEW_PAIRS, 1
    try:
        return checker.problem_of(arrays)
    finally:
        checker.FEW_PAIRS = few


@given(case=tables())
def test_prices_on_axes_bound_every_price_closely(case):
    arrays, multipliers, rng = case
    with ctx.workprec(BALLS):
        problem = read_by_axes(arrays)
        losses = [loss.columns(np.arange(loss.data.shape[1])) for loss in problem.losses]
        least = [multiplier * loss.min(axis=1) for multiplier, loss in zip(multipliers, losses, strict=True)]
        u = [arb(x) for x in (rng.normal(size=len(problem.masses)) + np.sum(least, axis=0)).tolist()]
        names = [loss.name for loss in problem.losses]
        found = checker.price_on_axes(problem, checker.Dual(dict(zip(names, multipliers, strict=True)), u))
        largest = arb(0)
        for columns in zip(*(loss.T.tolist() for loss in losses), strict=True):
            price = arb(0)
            for i, mass in enumerate(problem.masses):
                cost = sum((arb(m) * column[i] for m, column in zip(multipliers, columns, strict=True)), arb(0))
                price += mass * (u[i] - cost).exp()
            largest = largest.max(price)
        assert largest <= found
        size = sum(float(m) * float(np.abs(loss).max()) for m, loss in zip(multipliers, losses, strict=True))
        assert found <= largest * (1 + 1e-13 + 1e-14 * size) + 1e-280  # losses are rounded beside their level


@given(case=tables())
def test_channels_by_masses_are_what_their_rows_are(case):
    """The rate is no less than that of the rows in balls, and hardly more; means are balls around theirs."""
    arrays, multipliers, rng = case
    with ctx.workprec(BALLS):
        problem = read_by_axes(arrays)
        n, k = problem.losses[0].data.shape
        letters = np.sort(rng.permutation(k)[: rng.integers(1, k + 1)])
        maker = checker.RowMaker(problem, letters, rng.random(letters.size) ** 20 + 1e-100, multipliers)
        few, checker.FEW_PAIRS = checker.FEW_PAIRS, 16  # several blocks
        try:
            made = maker.channel()
        finally:
            checker.FEW_PAIRS = few
        rows = maker.made(np.arange(n))[1]
        pairs, law, rate = [], [arb(0)] * letters.size, arb(0)
        for mass, row in zip(problem.masses, rows.tolist(), strict=True):
            whole = sum(map(arb, row), arb(0))
            pairs.append([mass * entry / whole for entry in row])
            law = [a + b for a, b in zip(law, pairs[-1], strict=True)]
        for mass, row in zip(problem.masses, pairs, strict=True):
            rate += sum((m * (m / mass / q).log() for m, q in zip(row, law, strict=True) if m > 0), arb(0))
        assert made.rate >= rate - 1e-25
        largest = float(np.abs(np.log(maker.masses)).max())  # of any size: twenty roundings of logarithms a row
        assert made.rate <= rate + (20 * largest + 200) * 2.0**-53 * (1 + rate)
        for loss in problem.losses:
            columns = loss.columns(letters).tolist()
            mean = sum(
                (m * x for row, xs in zip(pairs, columns, strict=True) for m, x in zip(row, xs, strict=True)), arb(0)
            )
            assert made.means[loss.name].overlaps(mean)
            assert made.means[loss.name].rad() <= 1e-14 * (1 + abs(mean))
