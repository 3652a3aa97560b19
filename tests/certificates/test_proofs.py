"""The proof of the largest price: true ones replay, spoiled ones prove nothing false; bounds count their rounding."""

import ast
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve import Problem
from rdcsolve.certificates import Certificate, PriceProof
from rdcsolve.certificates.check import examine
from rdcsolve.certificates.elementary import FLOAT, LOG_ERROR, expm1_upper
from rdcsolve.certificates.proof import PartProof
from rdcsolve.certificates.weightings import DEGREE, Base, line_columns
from rdcsolve.letters.choice import space_of
from rdcsolve.letters.pricing.record import Tree, _together
from rdcsolve.problems import DistortionLimit, LabelEntropyLimit

flint = pytest.importorskip("flint")
from rdcsolve.certificates.ball import _precision as precision  # noqa: E402
from rdcsolve.certificates.exponential import PROVED  # noqa: E402

PACKAGE = Path(rdc.__file__).parent
KINDS = ("noisy", "sparse", "function", "erased", "noisy and erased", "constant")


def label_of(kind, n, n_s, rng):
    """Conditionals of a label of this kind, every class of a function used where there are rows enough."""
    hard = np.eye(n_s)[np.r_[np.arange(n_s), rng.integers(0, n_s, n)][:n]]
    soft = rng.dirichlet(np.full(n_s, 0.7), size=n)
    if kind == "sparse":
        soft = np.where(soft < 0.1, 0.0, soft)
        soft /= soft.sum(axis=1, keepdims=True)
    if kind == "constant":
        soft = np.tile(soft[0], (n, 1))
    base = hard if kind in ("function", "erased") else soft
    return np.hstack([base * 0.7, np.full((n, 1), 0.3)]) if "erased" in kind else base


def random_problem(rng, *, kinds=KINDS, n_labels=None, n_s=None):
    """A labelled problem at fixed multipliers: zero masses, forbidden pairs, multipliers on both sides of one."""
    n, k = int(rng.integers(2, 9)), int(rng.integers(1, 6))
    p = rng.dirichlet(np.ones(n))
    if n > 2 and rng.random() < 0.3:
        p[rng.integers(n)] = 0.0
    d = rng.random((n, k)) * 3
    if k > 1 and rng.random() < 0.3:
        d[rng.integers(n), rng.integers(k)] = math.inf
    n_labels = int(rng.integers(1, 3)) if n_labels is None else n_labels
    n_s = int(rng.integers(2, 4 if n_labels == 1 else 3)) if n_s is None else n_s
    labels = [label_of(rng.choice(kinds), n, n_s, rng) for _ in range(n_labels)]
    problem = Problem.from_arrays(p / p.sum(), d, labels, C=[math.inf] * n_labels)
    multipliers = {name: float(rng.choice([0.0, 0.4, 1.0, 1.7, 5.0, 20.0])) for name in problem.loss_names}
    return problem.at_multipliers(**multipliers)


def certificate_at(problem, u, proof):
    """A certificate without a channel that claims nothing."""
    empty = np.arange(0), np.empty((problem.n_x, 0))
    return Certificate("rate", u, problem.multipliers, *empty, math.nan, math.nan, problem.fingerprint(), proof=proof)


def random_certificate(problem, rng, rtol=1e-9):
    """A dual point at random with the proof that the search finds for it, and what the search proves."""
    u = rng.standard_normal(problem.n_x) * rng.choice([0.1, 1.0, 5.0])
    n_linear = len(problem.linear_losses)
    if not problem.multipliers[n_linear:].any():
        return certificate_at(problem, u, None), None
    found = space_of(problem).price(u, problem.multipliers).largest(rtol)
    return certificate_at(problem, u, found.proof), found


def log_price(problem, u, letter, decisions):
    """The price of one letter, by its definition."""
    exponent = np.log(np.where(problem.p_x > 0, problem.p_x, 1.0)) + u
    exponent[problem.p_x == 0] = -math.inf
    for multiplier, loss in zip(problem.multipliers, problem.linear_losses, strict=False):
        cost = loss.matrix[:, letter]
        exponent = exponent - np.where(np.isinf(cost), math.inf, multiplier * np.where(np.isinf(cost), 0.0, cost))
    for multiplier, label, soft in zip(
        problem.multipliers[len(problem.linear_losses) :], problem.label_entropies, decisions, strict=True
    ):
        if multiplier > 0:
            exponent = exponent - multiplier * label.log_loss(soft[None])[:, 0]
    return np.logaddexp.reduce(exponent)


# ------------------------------------------------------------------------------------------- true proofs


@pytest.mark.parametrize("seed", range(60))
def test_the_proof_of_a_search_replays_to_its_bound(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng)
    certificate, found = random_certificate(problem, rng)
    check = examine(certificate, problem)
    assert check.proved
    assert check.messages == ("the certificate holds no channel: there is no upper bound",)
    if found is not None:
        assert found.dearest.log_prices.max() - 1e-12 <= check.log_max_price <= found.log_upper + 2e-12


def test_cells_that_are_small_enough_but_for_a_rounding():
    # one of the search's cells has vertices a quarter away from its middle, which nobody computes as exactly that
    label = [[0.33430932899599936, 0.12416515558488221, 0.5415255154191184]]
    label += [[0.10639550231220792, 0.8797252630290167, 0.01387923465877535]]
    p = [0.7564187388709043, 0.2435812611290957]
    problem = Problem.from_arrays(p, np.zeros((2, 1)), np.array(label), C=math.inf)
    problem = problem.at_multipliers(label_entropy=1.768990131180644)
    u = np.array([1.8610189958991814, 2.0937683953144983])
    found = space_of(problem).price(u, problem.multipliers).largest(1e-10)
    for arithmetic in ("float", "ball"):
        checked = examine(certificate_at(problem, u, found.proof), problem, arithmetic)
        assert checked.log_max_price <= found.log_upper + 2e-12


@pytest.mark.parametrize("size", [100.0, 500.0, 2000.0])
def test_proofs_at_large_multipliers(size):
    """Exponents are hundreds or thousands of nats below those without a label; roundings grow with the multiplier."""
    for seed in range(8):
        rng = np.random.default_rng(seed)
        problem = random_problem(rng, kinds=("noisy", "sparse", "noisy and erased"), n_labels=1)
        problem = problem.at_multipliers(distortion=1.0, label_entropy=size)
        certificate, found = random_certificate(problem, rng)
        for arithmetic in ("float", "ball"):
            check = examine(certificate, problem, arithmetic)
            largest = found.dearest.log_prices.max()
            assert largest - 1e-12 <= check.log_max_price <= found.log_upper + 5e-13 * size


@pytest.mark.parametrize("size", [1.0, 600.0, 1e4, 1e7])
@pytest.mark.parametrize("of_label", [1.0, 1 - 1e-9, 1 + 1e-7, 0.3])
@pytest.mark.parametrize("n_losses", [2, 3])
def test_a_price_far_below_the_losses_least_values_is_proved(size, of_label, n_losses):
    # the losses of every pair sum to n_losses - 1, so that no letter has more than one of them at its least value, zero
    rng = np.random.default_rng(n_losses)
    n, k = 5, n_losses
    tables = [np.ones((n, k)) for _ in range(n_losses)]
    for i in range(n):
        for a, m in enumerate(rng.permutation(n_losses)):
            tables[m][i, a] = 0.0
    label = label_of("noisy", n, 2, rng)
    others = {f"loss_{m}": table for m, table in enumerate(tables[1:], start=2)}
    problem = Problem.from_arrays(np.full(n, 0.2), tables[0], label, C=math.inf, losses=others)
    named = dict.fromkeys(problem.loss_names[:-1], size) | {"label_entropy": of_label}
    problem = problem.at_multipliers(**named)
    u = np.full(n, (n_losses - 1) * size)
    found = space_of(problem).price(u, problem.multipliers).largest(1e-10)
    assert found.proved
    certificate = certificate_at(problem, u - found.log_upper, found.proof)
    for arithmetic in ("float", "ball"):
        checked = examine(certificate, problem, arithmetic)
        assert checked.proved
        assert checked.log_max_price <= 1e-9 + 1e-14 * size


@pytest.mark.parametrize("seed", range(30))
def test_no_letter_is_dearer_than_what_is_proved(seed):
    rng = np.random.default_rng(1000 + seed)
    problem = random_problem(rng)
    certificate, _ = random_certificate(problem, rng, rtol=float(rng.choice([1e-9, 1e-2, 1.0])))
    bounds = [examine(one, problem).log_max_price for one in (certificate, replace(certificate, proof=None))]
    used = problem.p_x > 0
    for _ in range(300):
        decisions = []
        for label in problem.label_entropies:
            n_s = label.conditional.shape[1]
            vertex, own = np.eye(n_s)[rng.integers(n_s)], label.conditional[rng.choice(np.flatnonzero(used))]
            soft = [vertex, own, rng.dirichlet(np.full(n_s, 0.3)), np.full(n_s, 1 / n_s)][rng.integers(4)]
            decisions.append(soft / soft.sum())
        letter = int(rng.integers(problem.n_letters))
        assert log_price(problem, certificate.u, letter, decisions) <= min(bounds) + 1e-13


def solved_with_cells(n_s=3, seed=0):
    """A solved problem whose proof has a tree of cells."""
    rng = np.random.default_rng(seed)
    n = 6
    p, d = rng.dirichlet(np.ones(n)), rng.random((n, 3))
    label = rng.dirichlet(np.full(n_s, 0.7), size=n)
    problem = Problem.from_arrays(p, d, label, C=math.inf).at_multipliers(distortion=1.0, label_entropy=3.0)
    result = rdc.solve(problem)
    assert len(result.certificate.proof.parts[0].ends) > 50
    return problem, result.certificate


def test_a_solved_problem_is_proved_without_the_search():
    problem, certificate = solved_with_cells()
    for arithmetic in ("float", "ball"):
        check = certificate.verify(problem, arithmetic)
        assert check.valid
        assert check.proved
        assert check.log_max_price <= 0.0
        assert check.gap <= 1e-9


# ------------------------------------------------------------------------------------------- spoiled ones


def spoiled(certificate, **changes):
    """The certificate with arrays of its first part changed."""
    part = certificate.proof.parts[0]
    proof = replace(certificate.proof, parts=(replace(part, **changes), *certificate.proof.parts[1:]))
    return replace(certificate, proof=proof)


def refused(certificate, problem, message):
    check = certificate.verify(problem)
    assert not check.valid
    with pytest.raises(AssertionError, match=message):
        raise AssertionError("; ".join(check.messages))


def parents(splits):
    """The parent of every node."""
    halved = np.flatnonzero(splits >= 0)
    return np.r_[-1, np.repeat(halved, 2)]


def test_an_end_left_out_is_refused():
    problem, certificate = solved_with_cells()
    part = certificate.proof.parts[0]
    refused(spoiled(certificate, ends=part.ends[1:]), problem, "does not end at a cell that is not halved")


def test_an_end_moved_up_proves_less():
    problem, certificate = solved_with_cells()
    part = certificate.proof.parts[0]
    node, column = part.ends[-1]
    up = parents(part.splits)
    for _ in range(3):
        node = up[node]
    below = {int(node)}
    for child in range(node + 1, part.splits.size):
        if int(up[child]) in below:
            below.add(child)
    gone = np.array([int(one) in below for one in part.ends[:, 0]]) & (part.ends[:, 1] == column)
    ends = np.vstack([part.ends[~gone], [[node, column]]]).astype(np.int32)
    moved = spoiled(certificate, ends=ends)
    refused(moved, problem, "a lower bound of .* is claimed but only")
    assert moved.verify(problem).lower < certificate.verify(problem).lower


def test_an_end_without_a_way_to_it_is_refused():
    problem, certificate = solved_with_cells()
    part = certificate.proof.parts[0]
    ends = np.vstack([part.ends, part.ends[-1:]])
    refused(spoiled(certificate, ends=ends), problem, "ends at a cell that it does not come to")
    node = parents(part.splits)[part.ends[-1, 0]]
    ends = np.vstack([part.ends, [[node, part.ends[-1, 1]]]]).astype(np.int32)
    refused(spoiled(certificate, ends=ends), problem, "ends at a cell that it does not come to")


def test_a_tree_cut_off_is_refused():
    problem, certificate = solved_with_cells()
    part = certificate.proof.parts[0]
    splits = part.splits.copy()
    splits[np.flatnonzero(splits >= 0)[-1]] = -1
    splits = splits[:-2]
    ends = part.ends[part.ends[:, 0] < splits.size]
    refused(spoiled(certificate, splits=splits, ends=ends), problem, "does not end at a cell")


def test_another_edge_proves_less_or_is_refused():
    problem, certificate = solved_with_cells()
    part = certificate.proof.parts[0]
    splits = part.splits.copy()
    deep = np.flatnonzero(splits >= 0)[-40:]
    splits[deep] = (splits[deep] + 1) % 3
    assert spoiled(certificate, splits=splits).verify(problem).lower <= certificate.verify(problem).lower
    splits[deep] = 3
    refused(spoiled(certificate, splits=splits), problem, "an edge that cells do not have")


def test_a_tree_of_something_else_is_refused():
    problem, certificate = solved_with_cells()
    part = certificate.proof.parts[0]
    ends = part.ends.copy()
    ends[:, 1] = 7
    refused(spoiled(certificate, ends=ends), problem, "names a column that is not there")
    proof = PriceProof((*certificate.proof.parts, part))
    refused(replace(certificate, proof=proof), problem, "it has 2 parts, the prices 1")
    line = PriceProof(certificate.proof.parts, np.array([[0.0, 1.0]]))
    refused(replace(certificate, proof=line), problem, "but letters are listed")
    places = PriceProof((PartProof(np.array([0]), np.array([[0.5, 0.5]])),))
    refused(replace(certificate, proof=places), problem, r"places have shape \(1, 2\), not \(1, 3\)")


def test_cells_beyond_the_grid_are_refused():
    problem, certificate = solved_with_cells(n_s=2)
    n = 60
    splits = np.full(2 * n + 1, -1, dtype=np.int8)
    splits[0] = 0
    splits[1 : 2 * n - 1 : 2] = 0  # the first child again and again
    nodes = [2 * i for i in range(1, n + 1)] + [2 * n - 1]
    ends = np.array([[node, 0] for node in nodes], dtype=np.int32)
    refused(spoiled(certificate, splits=splits, ends=ends), problem, "halves a cell beyond the grid")


def test_a_place_moved_proves_less():
    rng = np.random.default_rng(3)
    n = 6
    problem = Problem.from_arrays(
        rng.dirichlet(np.ones(n)), rng.random((n, 3)), rng.dirichlet(np.ones(3), size=n), C=math.inf
    ).at_multipliers(distortion=1.0, label_entropy=0.6)
    certificate = rdc.solve(problem).certificate
    part = certificate.proof.parts[0]
    assert part.places_columns.size
    moved = part.places.copy()
    moved[:, 0] *= 0.5
    refused(spoiled(certificate, places=moved), problem, "a lower bound of .* is claimed but only")
    fewer = {"places_columns": part.places_columns[1:], "places": part.places[1:]}
    assert spoiled(certificate, **fewer).verify(problem).lower <= certificate.verify(problem).lower


def test_without_a_proof_there_are_totals():
    problem, certificate = solved_with_cells()
    check = replace(certificate, proof=None, lower=math.nan).verify(problem)
    assert check.valid
    assert not check.proved
    assert any("searched for, not proved" in message for message in check.messages)
    assert 0.0 <= check.lower < certificate.lower


@pytest.mark.parametrize("seed", range(20))
def test_proofs_of_something_else_prove_nothing_false(seed):
    """Whatever the arrays say, the bound is above the dearest letter that is known."""
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, kinds=("noisy", "sparse"), n_labels=1, n_s=3)
    certificate, found = random_certificate(problem, rng)
    if found is None:
        return
    for _ in range(20):
        parts = []
        for part in found.proof.parts:
            splits, ends, places = part.splits.copy(), part.ends.copy(), part.places.copy()
            if splits.size:
                chosen = rng.integers(splits.size, size=2)
                splits[chosen] = np.where(splits[chosen] >= 0, rng.integers(0, 3, 2), -1)
            if len(ends) and rng.random() < 0.5:
                ends[rng.integers(len(ends)), 1] = rng.choice(ends[:, 1])
            if len(places):
                places[rng.integers(len(places))] = rng.dirichlet(np.ones(places.shape[1])) + 1e-9
            parts.append(PartProof(part.places_columns, np.minimum(places, 1.0), splits, ends))
        check = examine(replace(certificate, proof=PriceProof(tuple(parts))), problem)
        assert not check.log_max_price < found.dearest.log_prices.max() - 1e-12


# ------------------------------------------------------------------------------------------- the line


def on_the_line(labelled, multipliers):
    rng = np.random.default_rng(5)
    x, p = np.sort(rng.standard_normal(7)), rng.dirichlet(np.ones(7))
    label = rng.dirichlet(np.ones(2), size=7)
    source = rdc.Source(x, p, labels=[label] if labelled else ())
    limits = [DistortionLimit(math.inf), *([LabelEntropyLimit(math.inf)] if labelled else [])]
    problem = Problem(source, "free", limits=limits)
    return problem.at_multipliers(**dict(zip(problem.loss_names, multipliers, strict=True)))


@pytest.mark.parametrize(("labelled", "multipliers"), [(False, [3.0]), (True, [2.0, 0.6]), (True, [3.0, 4.0])])
def test_cells_of_the_line_cover_it(labelled, multipliers):
    problem = on_the_line(labelled, multipliers)
    certificate = rdc.solve(problem).certificate
    line = certificate.proof.line
    for arithmetic in ("float", "ball"):
        check = certificate.verify(problem, arithmetic)
        assert check.valid
        assert check.proved
        assert check.log_max_price <= 0.0
    for wrong in (
        line[1:],
        line[:-1],
        np.delete(line, len(line) // 2, axis=0),
        line[::-1],
        np.nextafter(line, math.inf),
        np.where(line == line.max(), np.nan, line),
        line[:0],
    ):
        spoil = replace(certificate, proof=replace(certificate.proof, line=np.ascontiguousarray(wrong)))
        refused(spoil, problem, "cells do not cover the points of the line")
    wide = np.array([[line.min() - 9.0, line.max()]])
    refused(replace(certificate, proof=PriceProof((), wide)), problem, "too wide")


def test_a_distance_that_costs_nothing_has_one_column():
    problem = on_the_line(True, [0.0, 3.0])
    certificate = rdc.solve(problem).certificate
    assert certificate.proof.line is None
    check = certificate.verify(problem)
    assert check.valid
    assert check.gap <= 1e-9


def test_weightings_are_above_the_gaussians():
    rng = np.random.default_rng(0)
    points, multiplier = np.r_[rng.standard_normal(20), 30.0], 2.3
    base = Base(np.full(21, 1 / 21), np.zeros(21), 0.0)
    for half in (1e-6, 0.01, 0.1, 0.3):
        cells = np.array([[0.2 - half, 0.2 + half], [-1.0 - half, -1.0 + half]])
        (columns,) = line_columns(points, multiplier, cells, base, FLOAT)
        values = np.exp(columns.exponents) * columns.factors
        for c, (a, b) in enumerate(cells):
            y = rng.uniform(a, b, 200)
            u = (y - 0.5 * (a + b)) / (0.5 * (b - a))
            bernstein = np.array(
                [math.comb(DEGREE, k) * (1 + u) ** k * (1 - u) ** (DEGREE - k) / 2**DEGREE for k in range(DEGREE + 1)]
            )
            above = values[:, c * (DEGREE + 1) : (c + 1) * (DEGREE + 1)] @ bernstein
            exact = np.exp(-multiplier * (points[:, None] - y) ** 2)
            assert (above >= exact * (1 - 1e-14)).all()
            if half <= 0.01:
                assert (above <= exact * (1 + 1e-9) + 1e-12).all()


# ------------------------------------------------------------------------------------------- rounding


def labelled_certificate(rng):
    problem = random_problem(rng)
    certificate, _ = random_certificate(problem, rng)
    return problem, certificate


def linear_certificate(rng):
    """A linear problem of any scale, with a certificate near its optimum or far from it, and a rest of u."""
    n, k = int(rng.integers(1, 9)), int(rng.integers(1, 7))
    p = rng.dirichlet(np.full(n, 0.6)) + 1e-12
    scale = 10.0 ** rng.integers(-3, 4)
    offset = rng.choice([0.0, 1.0, 1e6]) * rng.random(n)[:, None]
    d = rng.choice([0.0, 1.0, rng.random()], size=(n, k)) * scale + offset * scale
    if k > 1 and rng.random() < 0.3:
        d[rng.integers(n), rng.integers(k)] = math.inf
    problem = Problem.from_arrays(p / p.sum(), d, losses={"other": rng.random((n, k))})
    multipliers = rng.choice([0.0, 1.0, 30.0], size=2) * rng.random(2) / [scale, 1.0]
    allowed = np.where(np.isinf(d), 1e300, d)
    exponent = -multipliers[0] * (allowed - d.min(axis=1, keepdims=True)) - multipliers[1] * problem.losses[1].matrix
    exponent[np.isinf(d)] = -math.inf
    kernel = np.exp(exponent) * rng.dirichlet(np.ones(k))
    t = kernel.sum(axis=1)
    exact = multipliers[0] * d.min(axis=1)
    u = exact - np.log(t) + rng.standard_normal(n) * rng.choice([0.0, 1e-9, 0.1])
    rest = rng.standard_normal(n) * np.spacing(u) * 0.4
    certificate = Certificate(
        "rate", u, multipliers, np.arange(k), kernel / t[:, None], math.nan, math.nan, problem.fingerprint(), rest
    )
    means = {"distortion": 2 * float(d[np.isfinite(d)].max()) + 1, "other": 1.0}
    variants = [
        problem.with_limits(**means),
        problem.at_multipliers(distortion=multipliers[0], other=multipliers[1]),
        problem.with_limits(**means).minimising("distortion", rate=0.3),
        problem.with_limits(**means).minimising("other", rate=2.0),
    ]
    return variants[rng.integers(4)], certificate


@pytest.mark.parametrize("make", [linear_certificate, labelled_certificate])
def test_floats_are_on_the_safe_side_of_balls(make):
    for seed in range(200):
        rng = np.random.default_rng(seed)
        problem, certificate = make(rng)
        in_float, in_balls = (examine(certificate, problem, arithmetic) for arithmetic in ("float", "ball"))
        size = 1.0 + abs(in_balls.lower)
        assert in_balls.lower - 1e-12 * size <= in_float.lower <= in_balls.lower, seed
        assert in_float.log_max_price >= in_balls.log_max_price, seed
        if math.isfinite(in_float.upper) and math.isfinite(in_balls.upper):
            assert in_balls.upper <= in_float.upper <= in_balls.upper * (1 + 1e-12) + 1e-12, seed
            assert in_balls.rate <= in_float.rate, seed
            for name, value in in_balls.losses.items():
                assert value <= in_float.losses[name] <= value * (1 + 1e-12) + 1e-12, (seed, name)


@pytest.mark.parametrize("offset", [1e3, 1e6, 1e9, 1e12])
def test_a_constant_in_a_loss_costs_what_stored_numbers_round_and_no_more(offset):
    """Constants that keep every difference exact, and u as the exact sum of two floats: the bounds do not change."""
    rng = np.random.default_rng(0)
    n = 6
    p = np.full(n, 1 / n)
    d = rng.integers(0, 64, size=(n, n)) / 64
    d[np.arange(n), np.arange(n)] = 0.0
    plain = Problem.from_arrays(p, d)
    slope = 3.0
    kernel = np.exp(-slope * d) / n
    t = kernel.sum(axis=1)
    channel = kernel / t[:, None]
    certificate = Certificate(
        "rate", -np.log(t), np.array([slope]), np.arange(n), channel, math.nan, math.nan, plain.fingerprint()
    )
    base = float(np.einsum("i,ia,ia->", p, channel, d))
    room = math.ceil(base * 1024 + 1) / 1024
    constants = np.floor(offset * rng.random(n)) if offset < 1e12 else np.full(n, 2.0**39)
    mean = float(np.mean(constants.astype(int) * 6)) / 6 if offset < 1e12 else 2.0**39
    shifted = Problem.from_arrays(p, d + constants[:, None])
    u = certificate.u
    total = slope * constants  # exact: both are small integers times a power of two
    high = u + total
    low = u - (high - total)  # what is left of u, exactly
    moved = replace(certificate, u=high, u_rest=low, fingerprint=shifted.fingerprint())
    limit = math.floor(mean * 8) / 8 + 1.0 + room
    for arithmetic in ("float", "ball"):
        one = certificate.verify(plain.with_limits(D=limit - mean if offset >= 1e12 else 1.0 + room), arithmetic)
        two = moved.verify(shifted.with_limits(D=limit), arithmetic)
        difference = slope * abs((limit - mean) - (1.0 + room))
        assert two.log_max_price == pytest.approx(one.log_max_price, abs=1e-14)
        assert two.rate == one.rate
        if offset >= 1e12:
            assert two.lower == pytest.approx(one.lower, abs=1e-14)
        else:
            assert abs(two.lower - one.lower) <= difference + 1e-12


def test_a_limit_may_be_missed_by_a_share_of_the_spread_and_not_of_the_level():
    p, offset = np.array([0.5, 0.5]), 2.0**36
    problem = Problem.from_arrays(p, offset + 1 - np.eye(2), D=offset + 0.25)
    zero = np.zeros(2)

    def checked(flip, arithmetic):
        channel = np.array([[1 - flip, flip], [flip, 1 - flip]])
        certificate = Certificate(
            "rate", zero, np.zeros(1), np.arange(2), channel, math.nan, math.nan, problem.fingerprint()
        )
        return certificate.verify(problem, arithmetic)

    assert checked(0.25, "ball").valid
    assert checked(0.25 + 2.0**-42, "float").valid
    assert not checked(0.25 + 2.0**-42, "ball").valid
    assert not checked(0.25 + 2.0**-38, "float").valid


@pytest.mark.parametrize("objective", ["Rate", "loss", ""])
def test_an_unknown_objective_is_a_fault(objective):
    problem = Problem.from_arrays([0.5, 0.5], 1 - np.eye(2), D=0.1)
    certificate = replace(rdc.solve(problem).certificate, objective=objective)
    check = certificate.verify(problem)
    assert not check.valid
    assert "none that this problem can have" in check.messages[0]


def test_elementary_functions_are_as_good_as_they_say():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.random(500), 10.0 ** rng.uniform(-40, 3, 500), 1 + 10.0 ** rng.uniform(-16, -1, 500)])
    small = [rng.uniform(-30, 0, 300), rng.uniform(-0.05, 0.05, 300), -(10.0 ** rng.uniform(-18, -2, 300))]
    small = np.concatenate(small)
    with precision(128):
        for pair in (FLOAT, PROVED):
            for value, log in zip(x.tolist(), pair.log(x).tolist(), strict=True):
                assert abs(flint.arb(value).log() - flint.arb(log)) < LOG_ERROR * (abs(log) + 0.125)
            for value, bound in zip(small.tolist(), expm1_upper(pair, small).tolist(), strict=True):
                exact = flint.arb(value).expm1()
                assert exact < flint.arb(bound) < exact + (2.0**-44 if abs(value) > 0.02 else 2.0**-44 * abs(value))


# ------------------------------------------------------------------------------------------- notes of a search


def test_trees_of_several_searches_make_one():
    """Columns that end at different depths of the same cells."""
    first, second = Tree(), Tree()
    first.halve(np.array([1], dtype=np.int8))
    first.end(np.array([1, 1]), np.array([0, 0]))
    second.halve(np.array([1], dtype=np.int8))
    second.end(np.array([1, 1]), np.array([1, 1]), np.array([True, False]))
    second.halve(np.array([-1, 2], dtype=np.int8))
    second.end(np.array([1, 1]), np.array([1, 1]))
    splits, ends = _together([(first.splits, first.ends), (second.splits, second.ends)])
    assert splits.tolist() == [1, -1, 2, -1, -1]
    assert sorted(ends.tolist()) == [[1, 0], [1, 1], [2, 0], [3, 1], [4, 1]]


def test_cells_where_nothing_ends_are_left_out():
    tree = Tree()
    tree.halve(np.array([0], dtype=np.int8))
    tree.end(np.array([2, 2]), np.array([0, 1, 0, 1]), np.array([True, False, True, False]))
    tree.halve(np.array([2, -1], dtype=np.int8))
    tree.end(np.array([1, 1]), np.array([1, 1]))
    tree.leave_out(np.array([False, True]))
    splits, ends = _together([(tree.splits, tree.ends)])
    assert splits.tolist() == [0, -1, -1]
    assert ends.tolist() == [[1, 0], [2, 0]]


# ------------------------------------------------------------------------------------------- independence


def imports_of(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((node.module, alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


@pytest.mark.parametrize("path", sorted((PACKAGE / "certificates").glob("*.py")), ids=lambda path: path.stem)
def test_the_check_shares_no_code_with_the_solvers(path):
    allowed = tuple(
        f"rdcsolve.{name}" for name in ("certificates", "problems", "errors", "rounding", "deadline", "markup")
    )
    own = {f"{module}.{name}" for module, name in imports_of(path) if module.startswith("rdcsolve")}
    assert not {module for module in own if not module.startswith(allowed)}


@pytest.mark.parametrize("part", ["solvers", "universal", "letters"])
def test_solvers_know_of_certificates_nothing_but_the_records(part):
    records = {"Certificate", "DualPoint", "LawProof", "PartProof", "PriceProof", "ShareProof"}
    records |= {"ShownLaws", "Verification"}  # of what the check found
    for path in sorted((PACKAGE / part).rglob("*.py")):
        for module, name in imports_of(path):
            if module.startswith("rdcsolve.certificates"):
                assert name in records, f"{path} imports {name} from {module}"
