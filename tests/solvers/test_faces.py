"""Limits that leave no room: joint minima, laws, losses held from both sides; and losses held at a value."""

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import rdcsolve as rdc
from rdcsolve import testing
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy
from rdcsolve.results import Proof, Status
from rdcsolve.solvers.finite.faces import limited_task

SEEDS = st.integers(0, 10**6)


def drawn(seed, n_losses, most=6):
    """A source and tables of losses, in units of their own."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, most, 2).tolist()
    tables = rng.random((n_losses, n, k)) * 10.0 ** rng.uniform(-2, 2, (n_losses, 1, 1))
    return rng, rng.dirichlet(np.ones(n)), tables


def stated(p, tables, bounds, equal=()):
    """The least rate under limits on the losses distortion, l1, l2, ...; NaN for none."""
    names = ["distortion", *(f"l{m}" for m in range(1, len(tables)))]
    problem = rdc.Problem.from_arrays(p, tables[0], losses=dict(zip(names[1:], tables[1:], strict=True)), equal=equal)
    return problem.with_limits(**{name: b for name, b in zip(names, bounds, strict=True) if math.isfinite(b)})


def solved(problem, gap=1e-8):
    """Solve, and ask for a proof that holds."""
    result = rdc.solve(problem)
    assert result.status is Status.OPTIMAL, f"{problem}: {result}"
    assert result.proof is Proof.CERTIFIED
    assert result.gap <= gap
    verification = result.verify(problem)
    assert verification.valid, str(verification)
    testing.check_certificate(result, problem)
    testing.check_kkt(result, problem)
    return result


def means(p, channel, tables):
    return np.array([float(p @ (channel * table).sum(axis=1)) for table in tables])


def conic_rate(p, tables, bounds, held):
    """The least rate by a conic solver, without anything of this library."""
    cp = pytest.importorskip("cvxpy")
    n, k = tables[0].shape
    joint, q = cp.Variable((n, k), nonneg=True), cp.Variable((1, k))
    product = p[:, None] @ q
    limits = [cp.sum(joint, axis=1) == p, q == cp.sum(joint, axis=0, keepdims=True)]
    for table, bound, is_held in zip(tables, bounds, held, strict=True):
        if math.isfinite(bound):
            scale = table.max()
            mean = cp.sum(cp.multiply(table / scale, joint))
            limits.append(mean == bound / scale if is_held else mean <= bound / scale)
    programme = cp.Problem(cp.Minimize(cp.sum(cp.rel_entr(joint, product))), limits)
    programme.solve(solver="CLARABEL", tol_gap_abs=1e-10, tol_gap_rel=1e-10, tol_feas=1e-10)
    return programme.value if programme.status == "optimal" else math.nan


# ------------------------------------------------------------------------------------------------ without a word


@given(SEEDS, st.integers(2, 3))
def test_at_a_joint_minimum_the_only_channel_is_found(seed, n_losses):
    rng, p, tables = drawn(seed, n_losses)
    weights = (rng.random(n_losses) + 0.1) / tables.mean(axis=(1, 2))
    best = np.tensordot(weights, tables, axes=1).argmin(axis=1)
    channel = np.eye(tables.shape[2])[best]
    result = solved(stated(p, tables, means(p, channel, tables)))
    assert result.rate_upper == pytest.approx(entropy(p @ channel), abs=1e-9)


@given(SEEDS, st.sampled_from([1e-9, 1e-15, 1e-22, 1e-200]))
def test_the_means_of_a_constant_output_that_leave_no_room_take_no_rate(seed, tiny):
    """A loss and a constant less it, at the means of a mixture: tiny masses exclude nothing at no cost."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 5, 2).tolist()
    p = rng.dirichlet(np.ones(n)) * 10.0 ** rng.uniform(-3, 0, n)
    p = np.r_[p / p.sum(), tiny * rng.random(2)]
    table = rng.integers(0, 4, (n + 2, k)).astype(float)
    shares = rng.dirichlet(np.ones(k))
    bound = float(p / p.sum() @ table @ shares)
    problem = stated(p / p.sum(), [table, 3 - table], [bound, 3 - bound])
    result = rdc.solve(problem)
    assert result.status in (Status.OPTIMAL, Status.INFEASIBLE)  # a bound is rounded either way
    assert not result.rate_upper > 1e-8 or result.status is Status.INFEASIBLE


@given(SEEDS, st.sampled_from([1e-9, 1e-11, 1e-7]))
@example(157, 1e-9)  # the programme's weights are 1e16: what ties is broken by roundings
@example(1387, 1e-9)  # a weight that may not be negative is -1e-8
def test_a_joint_minimum_with_little_room_in_a_loss_that_is_met_there(seed, room):
    """Masks leave two losses no room and the third no spread: what is left of the limits asks for no multiplier."""
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 7), rng.integers(2, 7)
    p, tables = rng.dirichlet(np.ones(n)), rng.random((3, n, k))
    weights = rng.random(2) + 0.1
    best = np.tensordot(weights, tables[:2], axes=1).argmin(axis=1)
    channel = np.eye(k)[best]
    tables[2][np.arange(n), best] = 0.0
    problem = stated(p, tables, [*means(p, channel, tables[:2]), room])
    task = limited_task(problem, problem.bounds)
    assert not (task.free & ~task.equal).any()
    assert (task.bounds > 0)[task.equal & task.free].all()
    result = solved(problem)
    assert result.rate_upper == pytest.approx(entropy(p @ channel), abs=1e-7)


@given(SEEDS)
@example(195)
def test_a_loss_at_the_least_that_another_one_at_its_least_leaves(seed):
    """Whoever states such a bound has computed it: relatively to the value, however small the least value was before.

    Small integers have many letters at the least value of a symbol.
    """
    rng = np.random.default_rng(seed)
    n, k = rng.integers(2, 7, 2)
    p, tables = rng.dirichlet(np.ones(n)), rng.integers(0, 3, (2, n, k)).astype(float)
    tables[0] -= tables[0].min(axis=1, keepdims=True)
    best = np.where(tables[0] == 0, tables[1], np.inf).argmin(axis=1)
    bounds = means(p, np.eye(k)[best], tables)
    for bound in (bounds[1] * (1 - 2**-52), bounds[1], bounds[1] * (1 + 2**-52)):
        result = rdc.solve(stated(p, tables, [0.0, bound]))
        assert result.status is Status.OPTIMAL, str(result)
        assert result.verify(stated(p, tables, [0.0, bound])).valid


@given(SEEDS, st.booleans())
@example(3, True)
def test_limits_at_least_values_that_ask_for_different_letters_of_hardly_any_mass(seed, swapped):
    """Symbols of mass 1e-18 and less are a rounding to the one loss, and all that there is to the other."""
    rng = np.random.default_rng(seed)
    n, light, k = int(rng.integers(3, 7)), int(rng.integers(1, 3)), int(rng.integers(2, 4))
    p = rng.dirichlet(np.ones(n))
    p[:light] = 10.0 ** rng.uniform(-30, -18, light)
    p[-1] = 1 - p[:-1].sum()
    large, small = rng.uniform(1, 2, (n, k)), 10.0 ** rng.uniform(-8, 2) * rng.random((n, k))
    for row in range(light, n):
        large[row, small[row].argmin()] = 0.5
    small[light:] -= small[light:].min(axis=1, keepdims=True)
    tables = [small, large] if swapped else [large, small]
    problem = stated(p, tables, [float(p @ table.min(axis=1)) for table in tables])
    result = solved(problem)
    assert result.verify(problem).valid
    assert result.rate_upper <= entropy(p) + 1e-12


@given(SEEDS)
def test_a_loss_held_from_both_sides_is_a_loss_held(seed):
    rng, p, (table,) = drawn(seed, 1)
    low, high = p @ table.min(axis=1), p @ table.max(axis=1)
    bound, top = low + (high - low) * rng.uniform(0.02, 0.98), table.max()
    both = solved(stated(p, [table, top - table], [bound, top - bound]))
    nothing = np.zeros(table.shape)
    held = solved(stated(p, [nothing, table], [math.nan, bound], ["l1"]))
    assert both.rate_upper == pytest.approx(held.rate_upper, abs=1e-8)
    if bound < (p @ table).min():  # below the cheapest letter the limit binds anyway
        assert held.rate_upper == pytest.approx(solved(stated(p, [table], [bound])).rate_upper, abs=1e-8)
    elif bound <= (p @ table).max():  # a mixture of letters has this mean
        assert held.rate_upper <= 1e-12


@given(SEEDS)
def test_an_output_law_stated_by_limits_or_by_equalities_has_the_rate_of_the_conic_solver(seed):
    rng, p, (table,) = drawn(seed, 1, 5)
    n, k = table.shape
    law = rng.dirichlet(np.ones(k))
    chances = [np.tile(row, (n, 1)) for row in np.eye(k)]
    bound = float((rng.dirichlet(np.ones(2)) * [p @ table @ law, least_transport(p, law, table)]).sum())
    tables, bounds = np.array([table, *chances]), [bound, *law]
    limits = solved(stated(p, tables, bounds))
    names = [f"l{m}" for m in range(1, k)]  # the last mass follows
    held = solved(stated(p, tables[:k], bounds[:k], names))
    known = conic_rate(p, tables[:k], bounds[:k], [False] + [True] * (k - 1))
    assert limits.rate_upper == pytest.approx(held.rate_upper, abs=1e-8)
    if math.isfinite(known):
        assert held.rate_upper == pytest.approx(known, abs=2e-6)


def least_transport(p, law, table):
    """The least mean of a loss over joint masses with these marginals."""
    n, k = table.shape
    sums = [np.kron(row, np.ones(k)) for row in np.eye(n)] + [np.kron(np.ones(n), column) for column in np.eye(k)]
    return linprog(table.ravel(), A_eq=np.array(sums), b_eq=np.r_[p, law], method="highs").fun


def test_perfect_realism_of_a_coin_is_the_closed_form():
    p, distortion = 0.3, 0.25
    t = distortion / 2  # the only channel of that law and distortion
    known = 2 * entropy(np.array([p, 1 - p])) - entropy(np.array([t, t, p - t, 1 - p - t]))
    ones = np.array([[0.0, 1.0], [0.0, 1.0]])
    result = solved(stated(np.array([1 - p, p]), [1 - np.eye(2), ones, 1 - ones], [distortion, p, 1 - p]))
    assert result.rate_upper == pytest.approx(known, abs=1e-9)


@given(SEEDS)
def test_the_face_is_what_linear_programmes_of_single_pairs_say(seed):
    rng, p, tables = drawn(seed, 3, 5)
    n, k = tables[0].shape
    corner = np.eye(k)[np.tensordot([1.0, 1.0], tables[:2], axes=1).argmin(axis=1)]
    other = rng.dirichlet(np.ones(k), size=n) if rng.random() < 0.5 else corner
    bounds = means(p, corner, tables[:2]).tolist() + [means(p, other, tables[2:])[0] + (rng.random() < 0.5)]
    task = limited_task(stated(p, tables, bounds), np.array(bounds))
    if task is None:  # the third limit is below its least value on the face
        assert other is not corner
        return
    allowed = np.ones((n, k), dtype=bool) if task.letters.forbidden is None else ~task.letters.forbidden
    scaled = [(p[:, None] * table).ravel() / table.max() for table in tables]
    asked = np.array(bounds) / tables.max(axis=(1, 2)) + 1e-9
    rows = np.array([np.kron(row, np.ones(k)) for row in np.eye(n)])
    for pair in range(n * k):
        answer = linprog(-np.eye(n * k)[pair], A_ub=scaled, b_ub=asked, A_eq=rows, b_eq=np.ones(n), method="highs")
        if answer.status != 0:  # the third limit cannot be met: then nothing is said of a face
            return
        if -answer.fun > 1e-4:
            assert allowed.ravel()[pair]
        elif -answer.fun < 1e-9:
            assert not allowed.ravel()[pair]


# ------------------------------------------------------------------------------------------------ by name


@given(SEEDS)
def test_losses_held_at_the_means_of_a_channel(seed):
    rng, p, tables = drawn(seed, 4)
    n, k = tables[0].shape
    channel = rng.dirichlet(np.full(k, rng.choice([0.2, 1.0, 5.0])), size=n)
    bounds = means(p, channel, tables) * np.array([1.2, 1.0, 1.0, 1.1])
    bounds[rng.random(4) < [0.5, 0.0, 0.3, 0.5]] = math.nan
    problem = stated(p, tables, bounds, ["l1", "l2"])
    result = solved(problem)
    assert result.losses["l1"] == pytest.approx(bounds[1], rel=1e-12)
    if problem.held.sum() < 2 or np.isnan(bounds[[0, 3]]).any():
        known = conic_rate(p, tables, bounds, [False, True, True, False])
        if math.isfinite(known):
            assert result.rate_upper == pytest.approx(known, abs=2e-6)


def test_a_multiplier_is_minus_the_slope_on_either_side():
    p, table = np.array([0.5, 0.3, 0.2]), np.array([[0.1, 0.9, 0.5], [0.8, 0.2, 0.5], [0.3, 0.6, 0.5]])
    d, signs = 1 - np.eye(3), set()
    for share in (0.1, 0.95):
        bound = (1 - share) * (p @ table.min(axis=1)) + share * (p @ table.max(axis=1))
        near = [solved(stated(p, [d, table], [math.nan, b], ["l1"])) for b in (bound - 1e-4, bound, bound + 1e-4)]
        slope = (near[2].rate_upper - near[0].rate_upper) / 2e-4
        assert near[1].multipliers["l1"] == pytest.approx(-slope, rel=1e-4)
        signs.add(np.sign(near[1].multipliers["l1"]))
    assert signs == {1.0, -1.0}


@pytest.mark.parametrize("end", ["least", "largest"])
def test_a_loss_held_at_an_end_of_its_range_is_a_mask(end):
    rng = np.random.default_rng(8)
    p, table = rng.dirichlet(np.ones(5)), rng.random((5, 4))
    choice = table.argmin(axis=1) if end == "least" else table.argmax(axis=1)
    bound = float(p @ table[np.arange(5), choice])
    result = solved(stated(p, [np.zeros((5, 4)), table], [math.nan, bound], ["l1"]))
    assert result.rate_upper == pytest.approx(entropy(p @ np.eye(4)[choice]), abs=1e-9)
    assert np.sign(result.multipliers["l1"]) == (1 if end == "least" else -1)


@pytest.mark.parametrize(("bound", "distortion"), [(0.9, 1.0), (0.05, 1.0), (0.7, 0.1)])
def test_values_that_no_channel_has_are_refuted(bound, distortion):
    p, table = np.array([0.5, 0.3, 0.2]), np.array([[0.1, 0.9, 0.5], [0.8, 0.2, 0.5], [0.3, 0.6, 0.5]])
    problem = stated(p, [1 - np.eye(3), table], [distortion, bound], ["l1"])
    result = rdc.solve(problem)
    assert result.status is Status.INFEASIBLE
    assert result.proof is Proof.CERTIFIED
    assert result.verify(problem).valid


@pytest.mark.parametrize("solver", [rdc.InteriorPoint(), rdc.ColumnGeneration(first_letters=3)])
def test_every_exact_method_holds_losses(solver):
    rng = np.random.default_rng(4)
    x = np.linspace(-2, 2, 40)
    p = rng.dirichlet(np.ones(40))
    side = np.tile(x > 0.5, (40, 1)).astype(float)
    problem = stated(p, [np.subtract.outer(x, x) ** 2, side], [0.3, 0.4], ["l1"])
    result = rdc.solve(problem, solver)
    assert result.status is Status.OPTIMAL, str(result)
    assert result.verify(problem).valid
    assert result.rate_upper == pytest.approx(solved(problem).rate_upper, abs=1e-8)


def test_blahut_arimoto_holds_losses_roughly():
    p, table = np.array([0.5, 0.3, 0.2]), np.array([[0.1, 0.9, 0.5], [0.8, 0.2, 0.5], [0.3, 0.6, 0.5]])
    problem = stated(p, [1 - np.eye(3), table], [0.4, 0.5], ["l1"])
    result = rdc.solve(problem, rdc.BlahutArimoto(), max_steps=60, tolerance=1e-5)
    assert result.rate_lower <= solved(problem).rate_lower + 1e-9
    assert result.rate_upper == pytest.approx(solved(problem).rate_upper, abs=1e-4)


@given(SEEDS)
def test_the_least_loss_at_a_rate_with_another_loss_held(seed):
    rng, p, tables = drawn(seed, 2)
    channel = rng.dirichlet(np.ones(tables.shape[2]), size=p.size)
    held = float(means(p, channel, tables)[1])
    problem = stated(p, tables, [math.nan, held], ["l1"])
    rate = solved(problem).rate_upper + rng.uniform(0.02, 0.3)
    found = rdc.solve(problem.minimising("distortion", rate=rate))
    assert found.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL), str(found)
    assert found.verify(problem.minimising("distortion", rate=rate)).valid
    again = rdc.solve(problem.with_limits(distortion=found.objective_upper))  # the same point of the same surface
    assert again.rate_lower <= rate + 1e-9
    assert found.objective_lower <= found.objective_upper


def test_conic_says_that_it_does_not_hold_losses():
    pytest.importorskip("cvxpy")
    problem = stated(np.array([0.5, 0.5]), [1 - np.eye(2), np.eye(2)], [0.5, 0.5], ["l1"])
    with pytest.raises(InvalidInput, match=r"l1 is held at its bound \(equal=True\), which Conic does not do"):
        rdc.solve(problem, rdc.Conic())


# ------------------------------------------------------------------------------------------------ with labels


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_split_letters_on_a_face(seed):
    """A label's entropy besides a loss held from both sides: no more than the rate without the label, and proved."""
    rng, p, (table,) = drawn(seed, 1, 5)
    label = rng.dirichlet(np.ones(2), size=p.size)
    bound = float(p @ (rng.dirichlet(np.ones(table.shape[1]), size=p.size) * table).sum(axis=1))
    top = float(table.max())
    known = -float(p @ (label * np.log(label)).sum(axis=1))
    least = known + (entropy(p @ label) - known) * rng.uniform(0.2, 1)
    problem = rdc.Problem.from_arrays(p, table, label, C=math.inf, losses={"other": top - table})
    problem = problem.with_limits(distortion=bound, other=top - bound, C=least)
    result = rdc.solve(problem)
    assert result.status in (Status.OPTIMAL, Status.ALMOST_OPTIMAL), str(result)
    assert result.gap <= 1e-6
    assert result.verify(problem).valid
    alone = rdc.solve(stated(p, [table, top - table], [bound, top - bound]))
    assert result.rate_upper >= alone.rate_lower - 1e-9
