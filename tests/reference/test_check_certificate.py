"""The checker that comes with the page on certificate files: what is right is confirmed, and what is not is refuted."""

import copy
import itertools
import json
import math
import sys
import time
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rdcsolve as rdc
from rdcsolve.certificates.elementary import FLOAT
from rdcsolve.certificates.reductions import reduced
from rdcsolve.problems.storage import arrays_of

pytest.importorskip("flint")
import proof_maker  # noqa: E402
from flint import arb, ctx  # noqa: E402
from proof_maker import checker  # noqa: E402

BALLS = 200  # bits, where a test checks a checker's balls


# ------------------------------------------------------------------------------------------------ solved problems


def a_problem(kind, n=12, seed=0):
    """A small problem with linear losses."""
    rng = np.random.default_rng(seed)
    p, d = rng.dirichlet(np.ones(n)), rng.random((n, n))
    d[np.diag_indices(n)] = 0.0
    if kind == "rate":
        return rdc.Problem.from_arrays(p, d, D=0.1)
    if kind == "two losses":
        return rdc.Problem.from_arrays(p, d, D=0.15, losses={"tail": d**3}, limits={"tail": 0.03})
    if kind == "loss":
        return rdc.Problem.from_arrays(p, d, losses={"tail": d**3}).minimising("distortion", rate=0.5)
    if kind == "lagrangian":
        return rdc.Problem.from_arrays(p, d).at_multipliers(distortion=5.0)
    if kind == "forbidden":
        allowed = np.where(np.abs(np.subtract.outer(np.arange(n), np.arange(n))) < 4, 0.0, np.inf)
        return rdc.Problem.from_arrays(p, d, D=0.2, losses={"window": allowed})
    if kind == "zero masses":
        p[3:6] = 0.0
        return rdc.Problem.from_arrays(p, d, D=0.1, normalise=True)
    if kind == "level":
        return rdc.Problem.from_arrays(p, d + 2.0**36, D=0.125 + 2.0**36)
    if kind == "held":
        side = np.tile(np.arange(n) < 4, (n, 1)).astype(
            float
        )  # more than half of the letters' mass: a price below zero
        return rdc.Problem.from_arrays(p, d, D=0.3, losses={"side": side}, limits={"side": 0.8}, equal=["side"])
    if kind == "no rate":
        return rdc.Problem.from_arrays(p, d, D=1.0)
    if kind.startswith("law "):
        return a_problem_with_a_law(kind.removeprefix("law "), rng)
    raise ValueError(kind)


def least_distance_of(perception):
    """The least distance of any law, in floats."""
    share = math.fsum(perception.target)
    if perception.cost is not None:
        return float(perception.target @ perception.cost.min(axis=1))
    return {"tv": perception.outside, "kl": -math.log(share), "hellinger": 1 - math.sqrt(share)}[perception.measure]


def a_problem_with_a_law(kind, rng):
    """A small problem with limits on the law of the reproduction."""
    n = 7
    source = rdc.Source(rng.normal(size=(n, 2)), rng.dirichlet(np.ones(n)))
    measure, _, face = kind.partition(" at ")
    bound = 0.0 if face == "zero" or measure == "exact" else 0.01
    kernel = 1.0 if measure == "mmd" else None
    limits = [rdc.DistortionLimit(0.5), rdc.PerceptionLimit(bound, measure, kernel=kernel)]
    if face == "twice":
        limits.append(rdc.PerceptionLimit(0.05, "w1", name="other"))
    if face == "thrice":
        limits.append(rdc.PerceptionLimit(0.03, "hellinger", name="other", target=rng.dirichlet(np.full(n, 9.0))))
        limits.append(rdc.PerceptionLimit(0.01, "mmd", kernel=0.5, name="third"))
    if face == "given":
        limits.append(rdc.PerceptionLimit(0.0, "exact", name="other"))
    if face.startswith("classes"):
        source = rdc.Source(source.points, source.p_x, labels=[rng.dirichlet(np.ones(3), n)])
        P = 0.3 if measure == "w2" else 0.05
        limits[1:] = [rdc.PerceptionLimit([P, 2 * P, math.inf], measure, kernel=kernel, given=0)]
    if face == "classes at zero":
        limits[1:] = [rdc.PerceptionLimit([0.0, 0.3, math.inf], measure, given=0)]
    if face == "classes kept":
        source = rdc.Source(source.points, source.p_x, labels=[rng.permutation(np.repeat(np.eye(2), [3, 4], axis=0))])
        limits[1:] = [rdc.PerceptionLimit(0.0, measure, given=0)]
    if face == "classes at given":
        limits.append(rdc.PerceptionLimit(0.0, "exact", name="other"))
    reproduction = [[9.0, 9.0]] if face == "none" else None
    if face == "least":  # of any law on three of the symbols
        reproduction, limits = source.points[:3], [rdc.DistortionLimit(4.0), limits[1]]
    problem = rdc.Problem(source, reproduction=reproduction, limits=limits)
    if face == "least":
        return problem.with_limits(P=least_distance_of(problem.perceptions[0]))
    variants = {
        "a rate": lambda: problem.minimising("perception", rate=rdc.solve(problem.with_limits(P=0.005)).rate_upper),
        "classes at a rate": lambda: problem.minimising("perception_1", rate=0.9),
        "a small rate": lambda: problem.minimising("perception", rate=0.1),
        "a loss": lambda: problem.minimising("distortion", rate=0.7),
        "prices": lambda: problem.at_multipliers(distortion=1.0, perception=0.3),
        "nothing": lambda: problem.with_limits(P=1e3),
        "none": lambda: problem.with_limits(D=1e3),
    }
    return variants.get(face, lambda: problem)()


LAWS = [
    *(
        "law w2",
        "law w1 at prices",
        "law w2 at a small rate",
        "law w2 at a rate",
        "law tv",
        "law tv at a loss",
        "law tv at twice",
        "law exact",
    ),
    *("law w2 at zero", "law kl", "law kl at a rate", "law reverse_kl", "law chi2", "law reverse_chi2 at prices"),
    *("law kl at thrice", "law w2 at thrice", "law chi2 at given", "law mmd at given", "law mmd", "law mmd at a rate"),
    *("law mmd at a loss", "law mmd at prices", "law mmd at nothing"),
    *(f"law {measure} at classes" for measure in ("w2", "tv", "kl", "reverse_kl", "mmd")),
    *(
        "law js at classes at zero",
        "law w2 at classes at zero",
        "law tv at classes kept",
        "law tv at classes at given",
        "law kl at classes at a rate",
    ),
    *(f"law {measure} at least" for measure in ("w2", "tv", "kl", "hellinger")),
    *("law hellinger", "law js", "law js at a loss", "law js at zero", "law tv at nothing", "law w2 at nothing"),
]
KINDS = ["rate", "two losses", "loss", "lagrangian", "forbidden", "zero masses", "held", "no rate", *LAWS]
SOLVED = {}


def saved(kind, folder, bits=False):
    """Arrays of a solved problem, as they come from the two files."""
    if (kind, bits) not in SOLVED:
        problem = a_problem(kind)
        result = rdc.solve(problem)
        (result.in_bits() if bits else result).save(folder / "result.npz")
        np.savez(folder / "problem.npz", **arrays_of(problem))
        SOLVED[kind, bits] = checker.read(folder / "result.npz"), checker.read(folder / "problem.npz"), result
    result, problem, answer = SOLVED[kind, bits]
    return dict(result), dict(problem), answer


@pytest.mark.parametrize("bits", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_solved_problems_are_confirmed(kind, bits, tmp_path):
    result, problem, answer = saved(kind, tmp_path, bits)
    report = checker.check_arrays(result, problem)
    assert report.valid, report
    assert answer.objective_lower <= report.lower <= report.upper <= answer.objective_upper
    assert report.lower <= answer.objective_lower + 1e-11
    assert all(excess <= 0 for excess in report.excess.values())


def test_laws_of_several_decoders(tmp_path):
    """What proves a universal rate is the certificate of a problem over tuples, one symbol and one law per decoder."""
    limits = [rdc.DistortionLimit(math.inf), rdc.PerceptionLimit(math.inf, "w2")]
    problem = rdc.Problem(rdc.Source([-2.0, -1.0, 0.0, 1.0, 2.0], [0.4, 0.3, 0.15, 0.1, 0.05]), limits=limits)
    found = rdc.universal_rate(problem, [{"D": 0.4}, {"D": 0.42, "P": 0.05}, {"D": 0.5, "P": 0.0}])
    found.result.save(tmp_path / "result.npz")
    np.savez(tmp_path / "problem.npz", **arrays_of(found.problem))
    report = checker.check_arrays(checker.read(tmp_path / "result.npz"), checker.read(tmp_path / "problem.npz"))
    assert report.valid, report
    assert found.rate_lower - 1e-11 <= report.lower <= report.upper <= found.rate_upper + 1e-12


def test_held_losses(tmp_path):
    """Their multipliers may be negative, for them alone; their means are what they are held at, on either side."""
    result, problem, answer = saved("held", tmp_path)
    assert answer.multipliers["side"] < 0
    limited = {key: value for key, value in problem.items() if key != "equal_side"}
    assert "a multiplier is negative" in str(checker.check_arrays(result, limited))
    for shift in (-1e-12, 1e-12):
        moved = checker.check_arrays(result, problem | {"bound_side": problem["bound_side"] + shift})
        assert "The mean of side is not" in str(moved)
    for name, value in {"equal_side": 2.0, "equal_distortion": 1.0, "equal_other": 1.0, "equal_": 1.0}.items():
        with pytest.raises(checker.Unreadable):
            checker.check_arrays(result, problem | {name: np.array(value)})


@pytest.mark.parametrize(
    ("kind", "name", "factor"),
    [
        ("law w2", "certificate_law_0_plan_masses", 0.9),
        ("law w2", "certificate_law_0_prices", 0.9),
        ("law w2", "certificate_law_0_scalars", 0.9),
        ("law tv", "certificate_law_0_prices", 0.5),
        ("law kl", "certificate_law_0_scalars", 1.1),
        ("law exact", "certificate_law_0_prices", 0.9),
        ("law mmd", "certificate_law_0_witness", 1.1),
        ("law mmd", "certificate_law_0_prices", 0.9),
    ],
)
def test_laws_that_were_changed_are_refuted(kind, name, factor, tmp_path):
    result, problem, _ = saved(kind, tmp_path)
    report = checker.check_arrays(result | {name: result[name] * factor}, problem)
    assert not report.valid
    assert report.faults


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"certificate_law_0_prices": np.ones(2)}, "shape"),
        ({"certificate_law_0_prices": -np.ones(7)}, "between 0 and"),
        ({"certificate_law_0_prices": np.full(7, 1e291)}, "between 0 and"),
        ({"certificate_law_0_scalars": np.array([-1.0, 0.0])}, "none"),
        ({"certificate_law_0_plan_rows": np.array([99])}, "whole numbers"),
        ({"certificate_law_1_prices": np.ones(7)}, "no use"),
        ({"certificate_law_0_witness": np.ones(7)}, "no use"),
    ],
)
def test_laws_that_are_none_are_refuted(changes, message, tmp_path):
    result, problem, _ = saved("law w2", tmp_path)
    report = checker.check_arrays(result | changes, problem)
    assert message in report.faults[0]


def test_a_distance_that_is_told_too_small(tmp_path):
    result, problem, _ = saved("law w2", tmp_path)
    header = json.loads(str(result["header"]))
    header["perceptions"]["perception"] *= 0.99
    report = checker.check_arrays(result | {"header": np.array(json.dumps(header))}, problem)
    assert not report.valid
    other = problem | {"bound_perception": np.array(0.009)}
    assert "exceeds the limit on perception" in "".join(checker.check_arrays(result, other).faults)


def test_no_law_is_near_enough(tmp_path):
    problem = a_problem("law w2 at none")
    answer = rdc.solve(problem)
    answer.save(tmp_path / "result.npz")
    np.savez(tmp_path / "problem.npz", **arrays_of(problem))
    report = checker.check(tmp_path / "result.npz", tmp_path / "problem.npz")
    assert answer.status.name == "INFEASIBLE"
    assert report.valid, report
    assert report.lower == math.inf


def test_a_large_level_costs_no_accuracy(tmp_path):
    """A constant of 2^36 cancels in u: the bound is as sharp as it is without."""
    problem = a_problem("rate").with_limits(D=0.125)
    answer = rdc.solve(problem)
    answer.save(tmp_path / "result.npz")
    result, level = checker.read(tmp_path / "result.npz"), 2.0**36
    plain = {name: np.asarray(value) for name, value in arrays_of(problem).items()}
    raised = plain | {"distortion": np.round(plain["distortion"] * 2**14) / 2**14}
    lower = checker.check_arrays(result, raised).lower
    raised["distortion"] = raised["distortion"] + level
    raised["bound_distortion"] = np.array(0.125 + level)
    with ctx.workprec(BALLS):
        slope = arb(result["certificate_multipliers"][0])
        moved = [arb(value) + slope * level for value in result["certificate_u"]]
        u = np.array([float(value) for value in moved])
        rest = np.array([float(value - arb(x)) for value, x in zip(moved, u, strict=True)])
    report = checker.check_arrays(result | {"certificate_u": u, "certificate_u_rest": rest}, raised)
    assert abs(report.lower - lower) < 1e-13
    assert abs(checker.check_arrays(result | {"certificate_u": u}, raised).lower - lower) > 1e-9


def test_limits_that_are_met_without_room():
    """A mean that is equal to its limit, as a real number, is within it; the double below that is no limit it meets."""
    p, d = np.array([0.75, 0.25]), np.array([[0.3, 1.0], [1.0, 0.3]])
    channel = np.array([[0.5, 0.5], [0.5, 0.5]])
    exact = float(np.float64(0.5) * 0.3 + 0.5)  # of 0.15 rounded and 0.5: exact, as 0.3 has room for it
    problem = {"p_x": p, "distortion": d, "bound_distortion": np.array(exact)}
    result = a_result(channel, losses={"distortion": exact}, upper=0.0)
    report = checker.check_arrays(result, problem)
    assert report.valid, report
    problem["bound_distortion"] = np.array(np.nextafter(exact, 0))
    assert "exceeds the limit" in checker.check_arrays(result, problem).faults[0]


def test_points_met_without_room():
    problem = {
        "p_x": np.array([0.5, 0.5]),
        "points": np.array([[-1.0], [1.0]]),
        "distortion": np.array("squared_error"),
        "reproduction": np.array("free"),
        "bound_distortion": np.array(1.0),
    }
    result = a_result(np.ones((2, 1)), losses={"distortion": 1.0}, upper=0.0)
    assert checker.check_arrays(result, problem).valid
    problem["bound_distortion"] = np.array(np.nextafter(1.0, 0))
    assert not checker.check_arrays(result, problem).valid


def a_result(channel, losses, upper, lower=0.0, **changes):
    """Arrays of a result that claims nothing but its upper bound."""
    claimed = {"objective": "rate", "lower": lower, "upper": upper, "fingerprint": ""}
    header = {
        "format": "rdcsolve result",
        "version": 2,
        "status": "OPTIMAL",
        "proof": "CERTIFIED",
        "objective": "rate",
        "objective_lower": lower,
        "objective_upper": upper,
        "rate_lower": lower,
        "rate_upper": upper,
        "losses": losses,
        "multipliers": dict.fromkeys(losses, 0.0),
        "unit": "nat",
        "certificate": claimed,
    }
    return {
        "header": np.array(json.dumps(header | changes)),
        "certificate_u": np.zeros(len(channel)),
        "certificate_multipliers": np.zeros(len(losses)),
        "certificate_letters": np.arange(channel.shape[1]),
        "certificate_channel": channel,
    }


@pytest.mark.parametrize("tiny", [1e-30, 1e-41, 1e-300, 5e-324])
def test_tiny_entries_of_a_channel(tiny):
    """Their information is counted, or bounded, and never lost."""
    channel = np.array([[1.0 - 2 * tiny, tiny, tiny], [0.5, 0.25, 0.25]])
    problem = {"p_x": np.array([0.5, 0.5]), "distortion": np.zeros((2, 3))}
    report = checker.check_arrays(a_result(channel, losses={"distortion": 0.0}, upper=1.0), problem)
    q = np.array([0.75, 0.125, 0.125])
    expected = 0.5 * (math.log(1 / 0.75) + 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.25 / 0.125))
    assert report.valid
    assert abs(report.upper - expected) < 1e-15 + 100 * tiny
    assert q.sum() == 1


def test_sums_within_a_billionth_of_one_are_divided_by():
    p = np.array([0.5, 0.5]) * (1 + 8e-10)
    channel = np.array([[1.0, 0.0], [0.0, 1.0]]) * (1 - 7e-10)
    problem = {"p_x": p, "distortion": 1 - np.eye(2), "bound_distortion": np.array(0.0)}
    report = checker.check_arrays(a_result(channel, losses={"distortion": 0.0}, upper=0.7), problem)
    assert report.valid
    assert abs(report.upper - math.log(2)) < 1e-15
    channel = channel * (1 - 1e-9)
    assert not checker.check_arrays(a_result(channel, losses={"distortion": 0.0}, upper=0.7), problem).valid


# ------------------------------------------------------------------------------------------------ tampering


def changed(result, key, value):
    """The result with another value in its header; keys of the certificate are written with a dot."""
    header = json.loads(str(result["header"]))
    *outer, last = key.split(".")
    place = header[outer[0]] if outer else header
    place[last] = value(place[last]) if callable(value) else value
    return result | {"header": np.array(json.dumps(header))}


def moved(values, index, by):
    values = values.copy()
    values[index] += by
    return values


HEADERS = [
    ("objective_lower", lambda x: x + 1e-9),
    ("certificate.lower", lambda x: x + 1e-9),
    ("objective_upper", lambda x: x - 1e-9),
    ("certificate.upper", lambda x: x - 1e-9),
    ("rate_lower", lambda x: x + 1e-9),
    ("rate_upper", lambda x: x - 1e-9),
    ("objective_lower", math.nan),
    ("objective_upper", math.nan),
    ("objective_upper", -math.inf),
    ("objective_lower", "0"),
    ("certificate.lower", None),
    ("certificate.lower", math.nan),
    ("objective", "lagrangian"),
    ("objective", "accuracy"),
    ("certificate.objective", "distortion"),
    ("certificate", None),
    ("certificate", [1.0]),
    ("losses", {"distortion": 0.0}),
    ("losses", {"distortion": math.nan}),
    ("losses", {"tail": 0.1}),
    ("losses", {}),
    ("multipliers", {"distortion": 1.0}),
    ("multipliers", {"distortion": None}),
    ("status", "PERFECT"),
    ("proof", "SURE"),
    ("unit", "dit"),
    ("unit", "bit"),
]


@pytest.mark.parametrize(("key", "value"), HEADERS)
def test_lies_in_the_header_are_refuted(key, value, tmp_path):
    result, problem, _ = saved("rate", tmp_path)
    report = checker.check_arrays(changed(result, key, value), problem)
    assert not report.valid
    assert report.faults
    assert all(fault.endswith(".") for fault in report.faults)


ARRAYS = [
    ("channel", lambda x: moved(x, (0, 0), 1e-8)),
    ("channel", lambda x: moved(x, (0, 0), -2.0)),
    ("channel", lambda x: moved(x, (0, 0), math.nan)),
    ("channel", lambda x: x[:, :-1]),
    ("channel", lambda x: x[:-1]),
    ("channel", lambda x: np.roll(x, 1, axis=0)),
    ("channel", lambda x: x.ravel()),
    ("channel", lambda x: x.astype(complex)),
    ("letters", lambda x: x + 1),
    ("letters", lambda x: x - 1),
    ("letters", lambda x: x.astype(float)),
    ("letters", lambda x: x[::-1]),
    ("certificate_u", lambda x: x[:-1]),
    ("certificate_u", lambda x: moved(x, 0, math.nan)),
    ("certificate_u", lambda x: moved(x, 0, math.inf)),
    ("certificate_u", lambda x: moved(x, 0, 1e-6)),
    ("certificate_u", lambda x: moved(x, 0, -1e-6)),
    ("certificate_u", lambda x: x[:, None]),
    ("certificate_multipliers", lambda x: -x),
    ("certificate_multipliers", lambda x: x * np.nan),
    ("certificate_multipliers", lambda x: x * (1 + 1e-12)),
    ("certificate_multipliers", lambda x: x[:0]),
]


@pytest.mark.parametrize(("name", "change"), ARRAYS)
def test_arrays_that_were_changed_are_refuted(name, change, tmp_path):
    result, problem, _ = saved("rate", tmp_path)
    assert not checker.check_arrays(result | {name: change(result[name])}, problem).valid


@pytest.mark.parametrize("name", ["channel", "letters", "certificate_u", "certificate_multipliers"])
def test_missing_arrays_are_refuted(name, tmp_path):
    result, problem, _ = saved("rate", tmp_path)
    del result[name]
    assert not checker.check_arrays(result, problem).valid


def test_another_problem_is_refuted(tmp_path):
    result, problem, _ = saved("rate", tmp_path)
    assert not checker.check_arrays(result, problem | {"bound_distortion": problem["bound_distortion"] - 1e-12}).valid
    assert not checker.check_arrays(result, problem | {"bound_distortion": problem["bound_distortion"] + 1e-7}).valid
    assert not checker.check_arrays(result, problem | {"distortion": problem["distortion"][:, ::-1]}).valid
    assert not checker.check_arrays(result, problem | {"rate_bound": np.array(0.1)}).valid
    assert not checker.check_arrays(result, problem | {"minimise": "distortion", "rate_bound": np.array(9.0)}).valid


def test_forbidden_pairs_are_refuted_at_multiplier_zero_too(tmp_path):
    result, problem, _ = saved("forbidden", tmp_path)
    used = result["letters"][np.argmax(result["channel"][0])]
    window = problem["loss_window"].copy()
    window[0, used] = np.inf
    report = checker.check_arrays(result, problem | {"loss_window": window})
    assert report.faults == ["The channel uses a forbidden pair."]
    window[0, used] = 0.0
    window[0] = 0.0  # letters that were forbidden to the first symbol are now dearer than the certificate allows
    assert not checker.check_arrays(result, problem | {"loss_window": window}).valid


def test_multipliers_that_prove_nothing(tmp_path):
    result, problem, _ = saved("lagrangian", tmp_path)
    less = problem | {"multiplier_distortion": problem["multiplier_distortion"] * 0.999}
    assert not checker.check_arrays(result, less).valid
    result, problem, _ = saved("two losses", tmp_path)
    del problem["bound_tail"]
    assert checker.check_arrays(result, problem).lower == 0


@pytest.mark.parametrize(
    "change",
    [
        {"p_x": np.array([0.5, 0.6])},
        {"p_x": np.array([1.5, -0.5])},
        {"p_x": np.array([math.nan, 1.0])},
        {"p_x": np.array("half")},
        {"distortion": np.array([[0.0, -math.inf], [1.0, 0.0]])},
        {"distortion": np.full((2, 2), math.nan)},
        {"distortion": np.full((2, 2), math.inf)},
        {"distortion": np.zeros((3, 2))},
        {"distortion": np.array("hamming")},
        {"distortion": np.array("squared_error")},
        {"loss_tail": np.zeros((2, 3))},
        {"bound_tail": np.array(1.0)},
        {"bound_distortion": np.array(-1.0)},
        {"bound_distortion": np.array(math.nan)},
        {"bound_distortion": np.array([1.0, 2.0])},
        {"minimise": np.array("accuracy")},
        {"minimise": np.array("distortion")},
        {"letters": np.array("joined")},
        {"entropy_label": np.array(0)},
        {"entropy_label": np.array(0.5), "labels_0": np.eye(2)},
        {"entropy_label": np.array(0), "labels_0": np.ones((2, 2))},
    ],
)
def test_problems_that_are_none_are_unreadable(change):
    result = a_result(np.ones((2, 1)), losses={"distortion": 0.5}, upper=0.0)
    with pytest.raises(checker.Unreadable):
        checker.check_arrays(result, {"p_x": np.array([0.5, 0.5]), "distortion": 1 - np.eye(2)} | change)


def test_what_needs_no_certificate(tmp_path):
    infeasible = a_problem("rate").with_limits(D=0.0)
    shifted = np.asarray(arrays_of(infeasible)["distortion"]) + 0.25
    problem = rdc.Problem.from_arrays(infeasible.p_x, shifted, D=0.2)
    rdc.solve(problem).save(tmp_path / "result.npz")
    result, problem = changed(checker.read(tmp_path / "result.npz"), "certificate", None), arrays_of(problem)
    report = checker.check_arrays(result, problem)
    assert report.valid
    assert report.notes == ["No channel meets the limit on distortion."]
    assert not checker.check_arrays(result, problem | {"bound_distortion": 0.26}).valid
    claims_less = changed(changed(result, "status", "STALLED"), "proof", "NONE")
    assert not checker.check_arrays(claims_less, problem).valid  # for its bounds are infinite
    nothing = changed(changed(claims_less, "objective_lower", 0.0), "objective_upper", math.inf)
    assert checker.check_arrays(nothing, problem).valid


def a_refuted_problem(kind):
    p, d = np.array([0.4, 0.3, 0.2, 0.1]), 1 - np.eye(4)
    if kind == "a loss":
        return rdc.Problem.from_arrays(p, d + [[0.1], [0.2], [0.3], [0.4]], D=0.19)
    if kind == "two losses":
        return rdc.Problem.from_arrays(p, d, D=0.3, losses={"other": 1 - d}, limits={"other": 0.3})
    if kind == "rate":
        return rdc.Problem.from_arrays(p, d, D=0.1).with_limits(rate=0.1)
    if kind == "minimised":
        losses = {"other": 1 - d, "third": d}
        limited = rdc.Problem.from_arrays(p, d, losses=losses, limits={"other": 0.3, "third": 0.3})
        return limited.minimising("distortion", rate=1.0)
    if kind == "few letters":
        return rdc.Problem.from_arrays(p, d[:, :2], [np.eye(4)], letters="fixed", C=[0.5])
    label = np.array([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8], [1.0, 0.0]])
    return rdc.Problem.from_arrays(p, d, [label], D=0.5, C=[0.3])


REFUTED = ["a loss", "two losses", "rate", "minimised", "label", "few letters"]


def a_refutation(kind, folder, bits=False):
    problem = a_refuted_problem(kind)
    answer = rdc.solve(problem)
    assert answer.status is rdc.Status.INFEASIBLE
    (answer.in_bits() if bits else answer).save(folder / "result.npz")
    return checker.read(folder / "result.npz"), arrays_of(problem)


@pytest.mark.parametrize("bits", [False, True])
@pytest.mark.parametrize("kind", REFUTED)
def test_limits_that_no_channel_meets(kind, bits, tmp_path):
    result, problem = a_refutation(kind, tmp_path, bits)
    report = checker.check_arrays(result, problem)
    assert report.valid, report
    assert report.lower == report.upper == math.inf
    assert "No channel meets the limits" in report.notes[-1]


@pytest.mark.parametrize("kind", REFUTED)
def test_limits_that_are_said_to_be_met_by_no_channel(kind, tmp_path):
    """Looser limits, weaker numbers, claims beside the refutation: nothing of it is confirmed."""
    result, problem = a_refutation(kind, tmp_path)
    names = [name for name in problem if name.startswith(("bound", "rate"))]
    limits = {name: np.asarray(problem[name]) * 2 + 0.5 for name in names}
    for faulty, stated in [
        (result, problem | limits),
        (result | {"certificate_u": moved(result["certificate_u"], 0, 90.0)}, problem),
        (result | {"certificate_multipliers": result["certificate_multipliers"] * 0}, problem),
        (changed(result, "certificate.objective", "lagrangian"), problem),
        (changed(result, "objective_upper", 1.0), problem),
        (changed(result, "rate_upper", 1.0), problem),
        (changed(result, "certificate.upper", 1.0), problem),
        (changed(result, "status", "OPTIMAL"), problem),
        (result | {"letters": np.array([0]), "channel": np.ones((4, 1))}, problem),
    ]:
        assert not checker.check_arrays(faulty, stated).valid
    boast = checker.check_arrays(changed(result, "certificate.lower", lambda value: value + 1e-9), problem)
    assert boast.valid is (kind != "rate")  # where no channel meets the limits on losses, there is no rate to bound


# ------------------------------------------------------------------------------------------------ limits at the least


LEAST_MASSES = np.array([0.1, 0.2, 0.7])
LEAST_LOSS = np.array([[0.1, 1.0, 2.0], [1.0, 0.3, 2.0], [2.0, 1.0, 0.7]])


def at_the_least(bound):
    """A problem whose limit is near the exact least mean, and a result with the channel that attains it."""
    problem = {"p_x": LEAST_MASSES, "distortion": LEAST_LOSS, "bound_distortion": np.array(bound)}
    with ctx.workprec(checker.PRECISION):
        stated = checker.problem_of(problem)
        least, needed = checker.least_mean(stated.losses[0], stated), math.log(3)
        return a_result(np.eye(3), losses={"distortion": float(least)}, upper=needed), problem, least


def test_a_limit_that_is_the_least_value_but_for_a_rounding():
    _, _, least = at_the_least(1.0)
    with ctx.workprec(checker.PRECISION):
        nearest = checker.lower(least)
    for below, is_read in [(0.0, True), (2.0**-52, True), (5 * 2.0**-53, True), (2.0**-49, False)]:
        bound = nearest - below * nearest
        result, problem, _ = at_the_least(bound)
        report = checker.check_arrays(result, problem)
        assert report.valid is is_read, report
        assert any("read as that" in note for note in report.notes) is is_read
        assert (report.excess["distortion"] <= 0) is is_read
        spoiled = np.eye(3)
        spoiled[0, :2] = 1 - 1e-15, 1e-15  # not at the least value any more
        assert not checker.check_arrays(result | {"certificate_channel": spoiled}, problem).valid


@pytest.mark.parametrize("tiny", [1e-200, 1e-300])
def test_a_limit_that_is_the_least_value_but_for_what_a_tiny_mass_contributes(tiny):
    """No ball of a few hundred bits tells that bound from the least mean; fractions do."""
    limits = {"p_x": np.array([1.0, tiny]), "distortion": np.array([[0.3, 0.9], [0.8, 0.7]])}
    problem = limits | {"bound_distortion": np.array(0.3)}
    result = a_result(np.eye(2), losses={"distortion": 0.3}, upper=1e-20)
    report = checker.check_arrays(result, problem)
    assert report.valid, report
    assert any("read as that" in note for note in report.notes)
    assert not checker.check_arrays(result | {"certificate_channel": np.array([[1.0, 0.0], [1.0, 0.0]])}, problem).valid


def test_a_limit_that_is_the_least_entropy_but_for_a_rounding():
    label = np.array([[0.5, 0.5], [0.9, 0.1], [0.25, 0.75]])
    problem = {"p_x": LEAST_MASSES, "distortion": LEAST_LOSS, "labels_0": label, "entropy_told": np.array(0)}
    with ctx.workprec(checker.PRECISION):
        stated = checker.problem_of(problem)
        least = checker.lower(checker.least_mean(stated.losses[1], stated))
        mean = float(checker.least_mean(stated.losses[0], stated))
    losses = {"distortion": mean, "told": least}
    for below, is_read in [(0.0, True), (1e-15, True), (1e-14, False)]:
        result = a_result(np.eye(3), losses=losses, upper=math.log(3))
        report = checker.check_arrays(result, problem | {"bound_told": np.array(least - below)})
        assert report.valid is is_read, report


# ------------------------------------------------------------------------------------------------ files


def test_exit_codes(tmp_path, capsys, monkeypatch):
    result, problem, _ = saved("rate", tmp_path)
    np.savez(tmp_path / "problem.npz", **problem)
    np.savez(tmp_path / "good.npz", **result)
    np.savez(tmp_path / "bad.npz", **changed(result, "objective_lower", 9.0))
    paths = {name: str(tmp_path / f"{name}.npz") for name in ("good", "bad", "none", "problem")}
    assert checker.main([paths["good"], paths["problem"]]) == 0
    assert capsys.readouterr().out.endswith("Confirmed.\n")
    assert checker.main([paths["bad"], paths["problem"]]) == 1
    assert "Fault: The header claims 9.0" in capsys.readouterr().out
    assert checker.main([paths["none"], paths["problem"]]) == 2
    assert checker.main([paths["problem"], paths["good"]]) == 2
    assert checker.main([]) == 2
    assert capsys.readouterr().err.count("\n") == 3


def write_member(path, shape, data, *, compression=zipfile.ZIP_DEFLATED):
    """Write an npz file of one array u whose declared shape need not fit its data."""
    with zipfile.ZipFile(path, "w", compression) as archive, archive.open("u.npy", "w") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": shape})
        stream.write(data)


@pytest.mark.parametrize("kind", ["text", "cut", "pickle", "long", "twice", "deep", "lie"])
def test_damaged_files_are_unreadable(kind, tmp_path):
    path = tmp_path / "result.npz"
    if kind == "text":
        path.write_text("no archive")
    elif kind == "cut":
        np.savez(path, u=np.zeros(1000))
        path.write_bytes(path.read_bytes()[:4000])
    elif kind == "pickle":
        np.savez(path, u=np.array([{}], dtype=object))
    elif kind == "long":
        write_member(path, (10**12,), b"\0" * 800)
    elif kind == "twice":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("u.npy", b"")
            with pytest.warns(UserWarning, match="Duplicate"):
                archive.writestr("u.npy", b"")
    elif kind == "deep":
        np.savez(path, header=np.array("[" * 100_000))
        with pytest.raises(checker.Unreadable):
            checker.check_arrays(checker.read(path), {})
        return
    else:  # the sizes of the archive say less than there is
        write_member(path, (1000,), b"\0" * 8000)
        raw = path.read_bytes()
        size = (8128).to_bytes(4, "little")
        assert raw.count(size) >= 1
        path.write_bytes(raw.replace(size, (512).to_bytes(4, "little")))
    with pytest.raises(checker.Unreadable):
        checker.read(path)


def test_bombs_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("u.npy", "w", force_zip64=True) as out,
    ):
        np.lib.format.write_array_header_1_0(out, {"descr": "<f8", "fortran_order": False, "shape": (2**22,)})
        for _ in range(32):
            out.write(bytes(2**20))
    assert path.stat().st_size < 10**5
    assert checker.read(path)["u"].size == 2**22
    monkeypatch.setattr(checker, "MOST_BYTES", 2**24)
    monkeypatch.setattr(zlib, "decompressobj", None)
    with pytest.raises(checker.Unreadable, match="would unpack"):
        checker.read(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=5,
)


@given(data=st.data())
@settings(max_examples=60)
def test_no_header_makes_the_checker_fail(data, tmp_path_factory):
    """Whatever stands where a word, a number or a table should, there is a report or a sentence."""
    result, problem, _ = saved("loss", tmp_path_factory.mktemp("result"))
    header = json.loads(str(result["header"]))
    key = data.draw(st.sampled_from([*header, *(f"certificate.{name}" for name in header["certificate"])]))
    report = looked_at(changed(result, key, data.draw(JSON)), problem)
    assert report is None or report.valid == (not report.faults)


@pytest.mark.parametrize("key", ["status", "proof", "unit", "losses", "objective", "certificate", "rate_lower"])
def test_headers_that_lack_something(key, tmp_path):
    result, problem, _ = saved("loss", tmp_path)
    header = json.loads(str(result["header"]))
    del header[key]
    assert not checker.check_arrays(result | {"header": np.array(json.dumps(header))}, problem).valid


def looked_at(result, problem):
    """The report, or None if the arrays are no result and no problem."""
    try:
        return checker.check_arrays(result, problem)
    except checker.Unreadable:
        return None


@given(data=st.data())
@settings(max_examples=60)
def test_no_array_makes_the_checker_fail(data, tmp_path_factory):
    result, problem, _ = saved("loss", tmp_path_factory.mktemp("result"))
    held = data.draw(st.sampled_from([result, problem]))
    name = data.draw(st.sampled_from(sorted(held)))
    shape = data.draw(st.lists(st.integers(0, 4), max_size=3))
    kind = data.draw(st.sampled_from(["f8", "i8", "u1", "U3", "c16", "?", "f4"]))
    with np.errstate(all="ignore"):
        fill = np.full(shape, data.draw(st.sampled_from([0, 1, 3]))).astype(kind)
    report = looked_at(*(arrays | {name: fill} if arrays is held else arrays for arrays in (result, problem)))
    assert report is None or report.valid == (not report.faults)


# ------------------------------------------------------------------------------------------------ elementary bounds


def relative(bounds, exact):
    """By how many units of HALF bounds lie above balls."""
    return np.array([float(arb(b) / x - 1) for b, x in zip(bounds.tolist(), exact, strict=True)]) / checker.HALF


def test_exponentials_are_bounds():
    rng = np.random.default_rng(0)
    near = np.arange(-2000, 2000) * math.log(2) / 128
    x = np.concatenate(
        [rng.uniform(-690, 690, 3000), rng.uniform(-1, 1, 3000), near, near + 1e-13, [0.0, -0.0, 1e-300]]
    )
    with ctx.workprec(BALLS):
        above = relative(checker.exp_up(x), [arb(value).exp() for value in x.tolist()])
        assert above.min() > 3
        assert above.max() < 16
        small = np.concatenate([x[np.abs(x) < 1], 2.0 ** -np.arange(1, 60), -(2.0 ** -np.arange(1, 60))])
        exact = [arb(value).expm1() for value in small.tolist()]
        over = np.array([float(b - e) for b, e in zip(checker.expm1_up(small).tolist(), exact, strict=True)])
        assert (over >= 0).all()
        assert (over <= 2e-15 * np.where(np.abs(small) < 2.0**-7, np.abs(small), 2.0) + 1e-300).all()
        places = np.concatenate([rng.uniform(1e-40, 1, 1000), 1 - 2.0 ** -np.arange(2, 53), [1e-40]])
        off = [float(value - arb(x).log()) for value, x in zip(checker.logs(places), places.tolist(), strict=True)]
        assert (np.abs(off) <= 2 * checker.HALF * np.abs(checker.logs(places))).all()
    assert checker.exp_up(np.array([-np.inf, -1e9])).max() < checker.SMALL


def test_logarithms_are_bounds():
    rng = np.random.default_rng(0)
    x = np.concatenate([[0.0], 2.0 ** -np.arange(60), 10.0 ** np.arange(0, 12), rng.uniform(0, 10, 3000)])
    with ctx.workprec(BALLS):
        exact = [arb(value).log1p() for value in x.tolist()]
        over = np.array([float(b - e) for b, e in zip(checker.log1p_up(x).tolist(), exact, strict=True)])
    assert (over >= 0).all()
    assert (over <= np.minimum(4e-15 * (1 + np.log1p(x)), x * (2e-15 + x**3 / 36))).all()


@given(st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=70))
def test_sums_are_within_their_allowance(values):
    x = np.array(values) / 128
    exact, sizes = math.fsum(x), math.fsum(np.abs(x))
    assert abs(checker.tree_sum(x) - exact) <= (checker.levels(x) + 1) * checker.HALF * sizes


@given(st.floats(0, 1e12), st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e3))
def test_exponents_in_two_doubles(least, difference, multiplier, held):
    table, low = np.array([[least + difference]]), np.array([[least]])
    high, rest = checker._added(np.array([[held]]), np.array([[held * 2.0**-60]]), multiplier, table, low)
    with ctx.workprec(BALLS):
        exact = arb(held) * (1 + arb(2) ** -60) + arb(multiplier) * (arb(table.item()) - least)
        assert abs(arb(high.item()) + rest.item() - exact) <= abs(exact) * 1e-29 + 1e-300


@given(st.integers(0, 10**6), st.sampled_from([0.0, 1.0, 1e3, 1e9, 1e12]))
@settings(max_examples=40, deadline=None)
def test_amounts_where_no_letter_is_the_best_for_all_losses(seed, size):
    """Then u less the least losses leaves the range of exponentials, but less what a letter costs it does not."""
    rng = np.random.default_rng(seed)
    tables = [rng.random((3, 4)) for _ in range(2)]
    multipliers = rng.random(2) * size + 1.0
    u = (multipliers[0] * tables[0] + multipliers[1] * tables[1]).min(axis=1) + rng.normal(size=3)
    problem = {"p_x": np.array([0.5, 0.25, 0.25]), "distortion": tables[0], "loss_other": tables[1]}
    with ctx.workprec(BALLS), np.errstate(all="ignore"):
        stated = checker.problem_of(problem)
        names = [loss.name for loss in stated.losses]
        dual = checker.Dual(dict(zip(names, multipliers.tolist(), strict=True)), [arb(x) for x in u.tolist()])
        [part], _ = checker.parts_of([], 3)
        amounts, columns = checker.amounts_of(stated, dual, part, arb(0), {})
        for i, j in np.ndindex(3, 4):
            costs = sum(arb(m) * arb(t[i, j]) for m, t in zip(multipliers.tolist(), tables, strict=True))
            exact = stated.masses[i] * (dual.u[i] - costs).exp()
            assert arb(amounts[columns[j], i]) >= exact
            assert arb(amounts[columns[j], i]) <= exact * (1 + 1e-13) + 1e-280


@given(st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_prices_of_listed_letters_are_exact(seed):
    """The largest one is a ball that is as sharp as its precision: claims need leave no room."""
    rng = np.random.default_rng(seed)
    d = rng.random((5, 6))
    d[rng.integers(5), rng.integers(5)] = np.inf
    p = rng.dirichlet(np.ones(5))
    problem = {"p_x": p, "distortion": d, "loss_other": rng.random((5, 6))}
    multipliers, u = rng.random(2) * 10, rng.normal(size=5)
    with ctx.workprec(BALLS), np.errstate(all="ignore"):
        stated = checker.problem_of(problem)
        names = [loss.name for loss in stated.losses]
        dual = checker.Dual(dict(zip(names, multipliers.tolist(), strict=True)), [arb(x) for x in u.tolist()])
        found = checker.largest_price(stated, dual, {})
        prices = []
        for j in range(6):
            rows = np.flatnonzero(np.isfinite(d[:, j])).tolist()
            costs = [
                [arb(m) * float(t[i, j]) for m, t in zip(multipliers.tolist(), (d, problem["loss_other"]), strict=True)]
                for i in rows
            ]
            prices.append(
                sum(stated.masses[i] * (dual.u[i] - sum(cost)).exp() for i, cost in zip(rows, costs, strict=True))
            )
        assert all(price.lower() <= found for price in prices)
        assert found <= max(price.upper() for price in prices) * (1 + arb(2) ** -150)


def test_exponents_that_overflow():
    table = np.array([[1e305, 1.7e308]])
    with np.errstate(all="ignore"):
        high, low = checker._added(np.zeros((1, 2)), np.zeros((1, 2)), 1e-300, table, np.zeros((1, 1)))
        largest = checker._added(high, low, 1e10, table, np.zeros((1, 1)))[0].max()
    assert (low == 0).all()
    assert (high <= 1e-300 * table).all()
    assert (high >= 1e-300 * table * (1 - 1e-14)).all()
    assert largest == np.inf


# ------------------------------------------------------------------------------------------------ cells


def a_part(rng, sizes, powers, n=7):
    labels = [power * rng.dirichlet(np.full(size, 0.5), n) for size, power in zip(sizes, powers, strict=True)]
    with ctx.workprec(checker.PRECISION):
        taken_apart = [checker.Reduced(label, label > 0, arb(0), arb(0), False) for label in labels]
        return checker._part(taken_apart, np.arange(n))


def value_at(part, amounts, decision):
    """A ball of the sum of amounts times terms."""
    total = arb(0)
    for row, tops, amount in zip(part.powers.tolist(), part.tops.tolist(), amounts.tolist(), strict=True):
        exponent = sum((arb(b) * r.log() for b, r in zip(row, decision, strict=True)), arb(0))
        total += amount * (exponent - sum(map(arb, tops), arb(0))).exp()
    return total


@pytest.mark.parametrize(("sizes", "powers"), [((2,), (3.0,)), ((3,), (0.7,)), ((4,), (12.0,)), ((2, 3), (2.0, 0.5))])
@pytest.mark.parametrize("width", [1.0, 0.1, 1e-3, 1e-6, 1e-9])
def test_cells_are_bounded(sizes, powers, width):
    """On cells of all sizes the bound is above the price at all points, and near it where the cell is small.

    Some are of a single row and around the place where its term is largest, where nothing else hides an error.
    """
    rng = np.random.default_rng(1)
    for is_single in (False, True, False, True, True, False):
        part = a_part(rng, sizes, powers, 1 if is_single else 7)
        amounts = rng.random(part.rows.size)
        vertices = []
        for size, span in zip(sizes, part.spans, strict=True):
            mode = part.powers[0, span] / part.powers[0, span].sum()
            centre = mode * rng.uniform(1 - width / 2, 1, size) if is_single else rng.dirichlet(np.ones(size))
            centre /= centre.sum()
            corners = (1 - width) * centre + width * np.eye(size)
            vertices.append(np.rint(corners * 2**52) / 2**52)
        cells = checker.Cells(part, [np.maximum(vertex, checker.RAISED)[None] for vertex in vertices])
        bound = cells.bounds(np.zeros(1, dtype=int), amounts[None]).item()
        highest = -math.inf
        with ctx.workprec(BALLS):
            for _ in range(40):
                weights = [rng.dirichlet(np.full(size, rng.choice([0.05, 1.0]))) for size in sizes]
                decision = []
                for vertex, weight in zip(vertices, weights, strict=True):
                    alpha = [arb(value + 1e-12) for value in weight]
                    whole = sum(alpha, arb(0))
                    mixed = [
                        sum((a * v for a, v in zip(alpha, column, strict=True)), arb(0)) for column in vertex.T.tolist()
                    ]
                    decision += [value / whole for value in mixed]
                value = value_at(part, amounts, decision)
                assert value < bound
                highest = max(highest, float(value))
        spread = cells.spread.max()
        assert bound <= highest * (1 + 2e-14 + 4 * cells.degree * spread)


@given(st.lists(st.floats(0, 2.0**-10), min_size=1, max_size=8), st.floats(1e-300, 1e-3))
def test_scatter_of_symmetric_points(places, tiny):
    """Their first moment is zero but for the radius of a ball, and the mean of squares a number."""
    points = np.array([[0.0], *([sign * x] for x in places for sign in (1, -1))])
    with ctx.workprec(checker.PRECISION):
        masses = [arb(1) / 3 if i % 2 else arb(tiny) / 7 for i in range(len(places))]
        letter = list(enumerate([arb(tiny), *(mass for mass in masses for _ in range(2))]))
        value = checker._scatter_of(letter, points)
        exact = sum((2 * m * x * x for m, x in zip(masses, map(arb, places), strict=True)), arb(0))
        assert value.overlaps(exact)
        assert value.rad() < 1e-30


@pytest.mark.parametrize("tiny", [2.0**-100, 2.0**-200, 2.0**-700])
@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
def test_scatter_of_a_point_with_hardly_any_mass(tiny, order):
    """All mass but a little is in one place, and what is left is known to many digits, whatever point comes first."""
    points, masses = np.array([[2.0], [0.0], [0.0]])[list(order)], [(tiny, 0.75, 0.25)[i] for i in order]
    with ctx.workprec(checker.PRECISION):
        value = checker._scatter_of(list(enumerate(map(arb, masses))), points)
        exact = 4 * arb(tiny) / (1 + arb(tiny))
        assert value.overlaps(exact)
        assert value.rad() < 1e-30 * exact


def second_bound(powers, top, remainder, vertices):
    """A ball of a row's second bound on a cell, by the formulas of the page, given exp(mid) R."""
    middle = [sum(map(arb, column), arb(0)) / len(vertices) for column in zip(*vertices, strict=True)]
    t = [[arb(x) / m - 1 for x, m in zip(vertex, middle, strict=True)] for vertex in vertices]
    long = [sum((b * x for b, x in zip(powers, one, strict=True)), arb(0)) for one in t]
    forms = []
    for (u, one), (v, two) in itertools.product(enumerate(t), repeat=2):
        square = sum((b * x * y for b, x, y in zip(powers, one, two, strict=True)), arb(0))
        forms.append((long[u] + long[v] + long[u] * long[v] - square) / 2)
    at_middle = sum((b * m.log() for b, m in zip(powers, middle, strict=True)), -arb(top)).exp()
    return at_middle * (1 + max(forms, key=lambda x: x.mid())) + arb(remainder)


@pytest.mark.parametrize("size", [3, 4])
@pytest.mark.parametrize("width", [3e-5, 3e-6, 3e-7])
@pytest.mark.parametrize("n", [1, 2])
def test_small_cells_are_bounded_sharply_at_large_powers(size, width, n):
    """What t errs by counts beside b.t, which is small, and not beside all that b.t is the sum of.

    A second row, whose term is nothing near the mode of the first, adds nothing: l is large, but much less than -mid.
    """
    rng, first = np.random.default_rng(size), np.zeros(1, dtype=int)
    for _ in range(5):
        part = a_part(rng, [size], [1e8], n)
        mode = part.powers[0] / part.powers[0].sum()
        share = width * mode.min()
        vertices = np.rint(((1 - share) * mode + share * np.eye(size)) * 2**52) / 2**52
        cells = checker.Cells(part, [vertices[None]])
        assert cells.spread < 0.25
        bound = arb(cells._second(first, np.ones((1, n))).item())
        with ctx.workprec(BALLS):
            remainder = cells._remainder(first)[0, 0].item()
            exact = second_bound(part.powers[0].tolist(), part.tops[0].item(), remainder, vertices.tolist())
        assert exact <= bound <= exact + 1e-5


@given(st.floats(1e-9, 1), st.floats(1e-3, 30))
def test_largest_exponents_of_cells(share, total):
    """A row with a single class has its largest exponent where that class is largest: there the bound is sharp."""
    part = checker.Part(np.arange(1), [slice(0, 3)], np.array([[total, 0.0, 0.0]]), np.zeros((1, 1)))
    vertices = np.maximum((1 - share) / 3 + share * np.eye(3), checker.RAISED)
    highest = checker.Cells(part, [vertices[None]])._label(0, vertices[None])[3].item()
    exact = total * math.log(vertices.max())
    assert exact - 1e-15 <= highest <= exact + total * (share**3 + 2e-14)


def first_bound(powers, tops, amounts, vertices):
    """A ball of the first bound of one label on a cell, by the formulas of the page."""
    n, degree = len(powers[0]), max(1, *(sum(map(arb, row), arb(0)) for row in powers))
    middle = [sum(map(arb, column), arb(0)) / n for column in zip(*vertices, strict=True)]
    t = [[arb(x) / m - 1 for x, m in zip(vertex, middle, strict=True)] for vertex in vertices]
    constant, linear = arb(0), [arb(0)] * n
    for row, top, amount in zip(powers, tops, amounts, strict=True):
        whole = sum(map(arb, row), arb(0))
        ends = [
            sum((arb(b) * arb(x).log() for b, x in zip(row, vertex, strict=True)), -arb(top)) for vertex in vertices
        ]
        slopes = [sum((b * x for b, x in zip(row, one, strict=True)), arb(0)) for one in t]
        at_middle = sum((arb(b) * m.log() for b, m in zip(row, middle, strict=True)), -arb(top))
        low, steepest = min(ends, key=lambda x: x.mid()), max(slopes, key=lambda x: x.mid())
        if n == 2:
            mode, first = arb(row[0]) / whole, [arb(vertex[0]) for vertex in vertices]
            high = arb(0) if min(first) <= mode <= max(first) else max(ends, key=lambda x: x.mid())
        else:
            high = min(arb(0), at_middle + whole * (1 + steepest / whole).log(), key=lambda x: x.mid())
        drop = high - low
        chord = (1 - (-drop).exp()) / (1 - (-drop / degree).exp()) if drop > 0 else degree
        fall = ((at_middle - high) / degree).exp() - 1
        constant += amount * high.exp() * (1 + chord * fall)
        steep = amount * high.exp() * chord * (1 + fall) / degree
        linear = [x + steep * slope for x, slope in zip(linear, slopes, strict=True)]
    return constant + max(linear, key=lambda x: x.mid())


@given(
    st.integers(0, 10**6),
    st.sampled_from([2, 3, 4]),
    st.sampled_from([0.7, 1.0, 1.00002, 1.5, 30.0, 1000.0]),
    st.floats(0, 30),
)
@settings(max_examples=60, deadline=None)
def test_cells_are_bounded_as_sharply_as_the_page_says(seed, size, power, halvings):
    """On wide cells and small ones, for powers of all sizes: whoever counts on the formulas' last digits is right."""
    rng, share = np.random.default_rng(seed), 2.0**-halvings
    part = a_part(rng, [size], [power], 5)
    centre = rng.dirichlet(np.full(size, 0.7))
    if rng.random() < 0.5:
        centre = part.powers[0] / part.powers[0].sum()
    vertices = np.maximum((1 - share) * centre + share * rng.dirichlet(np.ones(size), size), checker.RAISED)
    amounts = rng.random(5)
    cells = checker.Cells(part, [vertices[None]])
    with ctx.workprec(BALLS):
        exact = first_bound(part.powers.tolist(), part.tops.ravel().tolist(), amounts.tolist(), vertices.tolist())
        bound = arb(cells._first(np.zeros(1, dtype=int), amounts[None]).item())
        sizes = float((part.powers * -np.log(vertices.min(axis=0))).sum(axis=1).max()) + power
        assert bound >= exact
        assert bound <= exact * (1 + 2e-14 * (1 + sizes)) + 1e-280


def test_parts_of_labels():
    """Which symbols are looked at together, and what is left of their classes."""
    classes = np.array([2, 0, 0, 2])
    plain = np.eye(3)[classes]
    erased = np.column_stack([0.7 * np.eye(2)[[0, 1, 0, 1]], np.full(4, 0.3)])
    constant = np.tile([0.25, 0.75], (4, 1))
    noisy = np.array([[0.5, 0.5, 0.0, 0.0], [0.25, 0.75, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.5, 0.5]])
    with ctx.workprec(checker.PRECISION):

        def shape(*pairs):
            parts, short = checker.parts_of([checker.reduced_label(*pair) for pair in pairs], 4)
            return [(part.rows.tolist(), [span.stop - span.start for span in part.spans]) for part in parts], float(
                short
            )

        assert shape((plain, 1.0)) == ([([1, 2], []), ([0, 3], [])], 0)
        assert shape((plain, 0.99)) == ([([0, 1, 2, 3], [2])], 0)
        assert shape((erased, 2.0)) == ([([0, 2], []), ([1, 3], [])], 0)
        assert shape((erased, 1.0)) == ([([0, 1, 2, 3], [2])], 0)
        assert shape((erased, 2.0), (plain, 1.0)) == ([([2], []), ([0], []), ([1], []), ([3], [])], 0)
        assert shape((constant, 5.0)) == ([([0, 1, 2, 3], [2])], 0)
        assert shape((noisy, 5.0), (plain, 3.0)) == ([([1, 2], [3]), ([0, 3], [4])], 0)
        parts, short = shape((erased, (1 - 5e-13) / 0.7))
        assert len(parts) == 2
        assert 4e-13 < short < 6e-13
        factor = checker.reduced_label(erased, 2.0).factor
        assert abs(factor - 2 * (0.3 * math.log(0.3) + 0.7 * math.log(0.7))) < 1e-14


@given(st.integers(0, 10**6), st.sampled_from(["noisy", "function", "hardly"]), st.booleans(), st.integers(-12, 12))
@settings(max_examples=150, deadline=None)
def test_the_library_takes_labels_apart_in_the_same_way(seed, kind, has_constant, moved):
    """A proof is about parts and classes, so what these are may not depend on who rounds."""
    rng = np.random.default_rng(seed)
    n, n_s = rng.integers(1, 6), rng.integers(1, 4)
    rows = rng.dirichlet(np.full(n_s, 0.3), n)
    if kind != "noisy":
        rows = np.eye(n_s)[rng.integers(n_s, size=n)] + (5e-324 if kind == "hardly" else 0.0)
    label, rest = rows, 1.0
    if has_constant:
        constant = rng.choice([0.0, 0.1, 0.3, 1.0, 1 - 1e-10], size=rng.integers(1, 3)) * rng.choice([1.0, 0.5])
        rest = max(1.0 - constant.sum(), 0.0)
        label = np.column_stack([rest * rows, np.tile(constant, (n, 1))])
    label = label * (1 + rng.choice([0.0, 5e-10]) * rng.uniform(-1, 1, (n, 1)))
    if has_constant and rng.random() < 0.8:
        label[:, n_s:] = constant
    if abs(label.sum(axis=1) - 1).max() > 1e-9:
        return
    multiplier = float(rng.choice([0.5, (1 + moved * 1e-13) / max(rest, 1e-3), 3.0, 1e-300]))
    with ctx.workprec(checker.PRECISION):
        parts, _ = checker.parts_of([checker.reduced_label(label, multiplier)], len(label))
    own = reduced([label], [multiplier], len(label), FLOAT).parts
    assert [part.rows.tolist() for part in parts] == [part.rows.tolist() for part in own]
    assert [[span.stop for span in part.spans] for part in parts] == [list(part.offsets[1:]) for part in own]


def test_powers_a_little_below_one():
    """The price between two corners is above both by d log 2, and bounded."""
    label = np.array([[0.7, 0.0, 0.3], [0.0, 0.7, 0.3]])
    multiplier = (1 - 5e-13) / 0.7
    arrays = proof_maker.statement(np.array([0.5, 0.5]), np.zeros((2, 1)), [label], [0.0, multiplier])
    result, _ = proof_maker.result_for(arrays, np.zeros(2), 1e-3)
    with ctx.workprec(BALLS):
        middle = arb(multiplier) * (arb(0.7) * (arb(0.7) / 2).log() + arb(0.3) * arb(0.3).log())
        price, _, _ = priced(result, arrays)
        assert middle.exp() < price
        assert price < middle.exp() * (1 + 2e-12)


@pytest.mark.parametrize("width", [0.125, 0.01, 1e-4])
def test_weightings_of_the_line_are_bounds(width):
    """Their mean, with the Bernstein polynomials for weights, is above the Gaussian and close to it."""
    z = np.concatenate([np.linspace(-6, 6, 25), [1e-9, 20.0, -37.5]])
    weights = checker.weightings(z[None], np.array([width]))[0]
    with ctx.workprec(BALLS):
        for t in np.linspace(-1, 1, 9).tolist():
            x = (arb(t) + 1) / 2
            basis = [math.comb(10, k) * x**k * (1 - x) ** (10 - k) for k in range(11)]
            for i, place in enumerate(z.tolist()):
                exact = (-((place - arb(t) * width) ** 2)).exp()
                mean = sum((b * float(w) for b, w in zip(basis, weights[:, i], strict=True)), arb(0))
                assert mean >= exact - 1e-290
                assert mean <= exact + 2e-12 * (arb(place) ** 2 / -2).exp() + 1e-280


# ------------------------------------------------------------------------------------------------ the largest price


def labels_of(kind, rng, sizes, n):
    tables = []
    for size in sizes:
        table = rng.dirichlet(np.full(size, 0.5), n)
        if kind != "noisy":
            table = np.eye(size)[np.arange(n) % size]
        if kind == "erased":
            table = np.hstack([0.7 * table, np.full((n, 1), 0.3)])
        if kind == "nearly":  # rows that sum to one only nearly, by much
            table = np.hstack([0.6 * rng.dirichlet(np.ones(size), n), np.full((n, 1), 0.1), np.full((n, 1), 0.3)])
            table[:, :size] *= 1 + 9e-10 * rng.uniform(-1, 1, (n, 1))
        tables.append(table)
    return tables


CASES = [
    ("noisy", [2], [0.6], 1e-3),
    ("noisy", [2], [3.0], 1e-9),
    ("noisy", [3], [0.9], 1e-3),
    ("noisy", [3], [2.0], 1e-2),
    ("noisy", [4], [1.5], 1e-1),
    ("noisy", [2, 2], [0.3, 0.6], 1e-3),
    ("noisy", [2, 2], [5.0, 0.4], 1e-2),
    ("noisy", [2, 3], [1.0, 0.7], 5e-2),
    ("deterministic", [3], [2.0], 1e-3),
    ("deterministic", [3], [0.5], 1e-3),
    ("deterministic", [3, 2], [1.0, 3.0], 1e-3),
    ("erased", [3], [2.0], 1e-3),
    ("erased", [3], [1 / 0.7], 1e-3),
    ("erased", [2, 3], [1.2, 2.0], 1e-2),
    ("erased", [2], [0.8], 1e-3),
    ("nearly", [2], [0.9], 1e-3),
    ("nearly", [2], [3.0], 1e-3),
]


@pytest.mark.parametrize(("kind", "sizes", "multipliers", "tolerance"), CASES)
def test_largest_prices(kind, sizes, multipliers, tolerance):
    """The bound is above every price that brute force finds without any reduction, and near the largest."""
    rng = np.random.default_rng(len(kind) + sum(sizes))
    n, n_y = 7, 2
    p, d, u = rng.dirichlet(np.ones(n)), rng.random((n, n_y)), rng.normal(size=n)
    labels = labels_of(kind, rng, sizes, n)
    d = np.column_stack([d, d[:, 0], rng.random(n)])
    d[0, 3] = np.inf
    arrays = proof_maker.statement(p, d, labels, [2.0, *multipliers])
    result, best = proof_maker.result_for(arrays, u, tolerance)
    report = checker.check_arrays(result, arrays)
    assert report.valid, report
    price, dual, problem = priced(result, arrays)
    whole = [label / label.sum(axis=1, keepdims=True) for label in labels]
    amounts = (p / p.sum())[:, None] * np.exp(u[:, None] - 2 * d)
    steps = {1: 200, 2: 30, 3: 12, 4: 7}.get(sum(label.shape[1] - 1 for label in labels), 5)
    found, _ = proof_maker.largest(amounts, whole, multipliers, steps, climbs=2)
    assert price >= found * (1 - 1e-13)
    assert price <= found * (1 + tolerance + 1e-8 * (kind == "nearly") + 1e-12)
    raised = changed(result, "certificate.lower", report.lower + 1e-9)
    assert not checker.check_arrays(raised, arrays).valid
    without = {name: value for name, value in result.items() if "proof_0" not in name}
    assert priced(without, arrays)[0] >= price


def priced(result, arrays):
    with ctx.workprec(checker.PRECISION):
        problem = checker.problem_of(arrays)
        dual = checker.dual_of(result, problem)
        prefix = "certificate_proof_"
        proof = {name.removeprefix(prefix): value for name, value in result.items() if name.startswith(prefix)}
        return float(checker.largest_price(problem, dual, proof)), dual, problem


def on_the_line(multiplier, labels=(), label_multipliers=(), n=5, scale=0.2):
    rng = np.random.default_rng(3)
    p, x, u = rng.dirichlet(np.ones(n)), np.sort(rng.normal(size=n)) * scale, rng.normal(size=n)
    arrays = proof_maker.statement(p, None, labels, [multiplier, *label_multipliers], points=x[:, None])
    count = max(1, math.ceil((x[-1] - x[0]) * math.sqrt(multiplier) * 4))
    edges = np.linspace(x[0], x[-1], count + 1)
    return (
        arrays,
        u,
        np.column_stack([edges[:-1], edges[1:]]),
        p[:, None]
        * np.exp(u[:, None] - multiplier * (x[:, None] - np.linspace(x[0], x[-1], 41 if len(labels) else 401)) ** 2),
    )


@pytest.mark.parametrize(("multiplier", "powers"), [(3.0, []), (400.0, []), (3.0, [0.8]), (3.0, [2.5])])
def test_largest_prices_on_the_line(multiplier, powers):
    labels = [np.random.default_rng(4).dirichlet([0.5, 0.5], 5) for _ in powers]
    arrays, u, line, amounts = on_the_line(multiplier, labels, powers)
    result, _ = proof_maker.result_for(arrays, u, 1e-3, line)
    assert checker.check_arrays(result, arrays).valid
    price, _, _ = priced(result, arrays)
    found, _ = proof_maker.largest(amounts, labels, powers, 60, climbs=1)
    assert found * (1 - 1e-13) <= price <= found * 1.01
    for cells in (line[1:], line[:-1], line[::-1], line + [[0, 1e-9]], line[:, :1], line * np.nan, line[:0]):
        assert not checker.check_arrays(result | {"certificate_proof_line": cells}, arrays).valid


def test_points_of_the_plane_prove_nothing():
    arrays, u, line, _ = on_the_line(3.0)
    result, _ = proof_maker.result_for(arrays, u, 1e-3, line)
    plane = arrays | {"points": np.repeat(arrays["points"], 2, axis=1), "distortion": np.array("mean_squared_error")}
    report = checker.check_arrays(result, plane)  # the same losses, and no proof
    assert not report.valid
    assert report.lower == 0
    modest = changed(changed(result, "certificate.lower", 0.0), "objective_lower", 0.0)
    assert checker.check_arrays(modest, plane).valid


# ------------------------------------------------------------------------------------------------ trees


@pytest.fixture(scope="module")
def with_tree():
    rng = np.random.default_rng(5)
    p, d, u = rng.dirichlet(np.ones(6)), rng.random((6, 2)), rng.normal(size=6)
    arrays = proof_maker.statement(p, d, [rng.dirichlet(np.ones(3), 6)], [1.0, 3.0])
    result, _ = proof_maker.result_for(arrays, u, 1e-2)
    lower = checker.check_arrays(result, arrays).lower
    for key in ("certificate.lower", "objective_lower"):
        result = changed(result, key, lower - 1e-12)
    assert checker.check_arrays(result, arrays).valid
    return result, arrays


def put(values, index, value):
    values = values.copy()
    values[index] = value
    return values


TREES = [
    ("splits", lambda x: x[:-1]),
    ("splits", lambda x: x[:-2]),
    ("splits", lambda x: np.append(x, [-1, -1])),
    ("splits", lambda x: put(x, 0, -1)),
    ("splits", lambda x: put(x, -1, 0)),
    ("splits", lambda x: put(x, 0, 3)),
    ("splits", lambda x: put(x, 0, -2)),
    ("splits", lambda x: x[:0]),
    ("splits", lambda x: x[::-1]),
    ("splits", lambda x: x.astype(float)),
    ("splits", lambda x: np.concatenate([np.full(55, 0), x])),
    ("ends", lambda x: x[:-1]),
    ("ends", lambda x: x[1:]),
    ("ends", lambda x: x[:, :1]),
    ("ends", lambda x: put(x, (0, 0), 10**6)),
    ("ends", lambda x: put(x, (0, 0), -1)),
    ("ends", lambda x: put(x, (0, 1), 2)),
    ("ends", lambda x: np.vstack([x, x[:1]])),
    ("ends", lambda x: np.vstack([x, [[0, 0]]])),
    ("ends", lambda x: x[x[:, 1] == 0]),
    ("places", lambda x: np.ones((1, 3))),
    ("more", lambda x: np.ones((1, 3))),
]


@pytest.mark.parametrize(("name", "change"), TREES)
def test_broken_trees_are_refuted(name, change, with_tree):
    result, arrays = with_tree
    key = f"certificate_proof_0_{name}"
    broken = checker.check_arrays(result | {key: change(result.get(key))}, arrays)
    assert not broken.valid
    assert not checker.check_arrays(
        {k: v for k, v in result.items() if k != "certificate_proof_0_splits"}, arrays
    ).valid


def test_trees_that_never_end():
    """A node that is its own parent, and cells that are finer than doubles."""
    with pytest.raises(checker.Refuted, match="descendants"):
        checker.replayed(np.array([-1, 0, -1]), [2])
    chain = np.full(2 * 53 + 1, -1)
    chain[0::2] = 0
    chain[-1] = -1
    with pytest.raises(checker.Refuted, match="finer"):
        checker.replayed(chain, [2])
    vertices = checker.replayed(chain[2:], [2])[0]
    assert vertices[-1].min() == 0
    assert vertices[-1, 0].tolist() == [2.0**-52, 1 - 2.0**-52]


@given(st.lists(st.integers(0, 3), min_size=0, max_size=40), st.data())
def test_leaves_fill_the_root(edges, data):
    """Volumes of the leaves of any tree add up, for a triangle times a segment."""
    splits, open_nodes = [], 1
    for edge in edges:  # breadth first: whether each next node is split
        if open_nodes == 0:
            break
        is_split = data.draw(st.booleans())
        splits.append(edge if is_split else -1)
        open_nodes += 1 if is_split else -1
    splits += [-1] * open_nodes
    splits = np.array(splits)
    triangle, segment = checker.replayed(splits, [3, 2])
    volumes = np.abs(np.linalg.det(triangle)) * np.abs(np.linalg.det(segment))
    assert math.isclose(volumes[splits < 0].sum(), 1.0)
    leaves = np.flatnonzero(splits < 0)
    ends = np.column_stack([leaves, np.zeros_like(leaves)])
    checker.check_coverage(splits, ends, 2)
    if leaves.size > 1:
        with pytest.raises(checker.Refuted):
            checker.check_coverage(splits, np.vstack([ends[:-1], [[leaves[-1], 1]]]), 2)


# ------------------------------------------------------------------------------------------------ independence


def test_the_checker_imports_nothing_of_the_library():
    import ast
    from pathlib import Path

    tree = ast.parse(Path(checker.__file__).read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} - set(sys.stdlib_module_names) == {"numpy", "flint"}


def test_reports_are_not_shared(tmp_path):
    first, second = checker.Report(), checker.Report()
    first.faults.append("One.")
    assert copy.deepcopy(second).faults == []


@pytest.mark.parametrize("goal", ["rate", "entropy", "loss", "cross-entropy"])
def test_entropies_in_bits_are_read_as_such(goal, tmp_path):
    soft = [[0.8, 0.2], [0.3, 0.7]]
    limits = [rdc.LabelEntropyLimit(math.inf), rdc.ClassifierLossLimit(math.inf, soft)]
    source = rdc.Source(None, [0.6, 0.4], labels=[[[0.9, 0.1], [0.2, 0.8]]])
    problem = rdc.Problem(source, distortion=np.array([[0.0, 1.0], [1.0, 0.0]]), limits=limits, unit="bit")
    problem = {
        "rate": lambda: problem.with_limits(D=0.2, C=0.85),
        "entropy": lambda: problem.minimising("C", rate=0.3),
        "loss": lambda: problem.with_limits(C=0.85).minimising("D", rate=0.4),
        "cross-entropy": lambda: problem.with_limits(D=0.3).minimising("classifier_loss", rate=0.4),
    }[goal]()
    result = rdc.solve(problem)
    assert result.proof.name == "CERTIFIED"
    result.save(tmp_path / "result.npz")
    np.savez(tmp_path / "problem.npz", **arrays_of(problem))
    held, stated = checker.read(tmp_path / "result.npz"), checker.read(tmp_path / "problem.npz")
    report = checker.check_arrays(held, stated)
    assert report.valid, report
    assert result.verify(problem, "ball").valid
    for lie in (["distortion", "classifier_loss", "label_entropy"], ["label_entropy"], [], "distortion"):
        told = checker.check_arrays(changed(held, "information_losses", lie), stated)
        assert not told.valid
        assert any("said to be in bits" in fault for fault in told.faults)
    relabelled = checker.check_arrays(changed(held, "unit", "nat"), stated)
    assert not relabelled.valid


def test_deep_trees_of_many_ends_are_looked_through_once():
    """Most columns end at the root, and some go down 300 levels: no level costs a look at all ends."""
    depth, many, few = 300, 20_000, 100
    splits = np.array([0] + [0, -1] * (depth - 1) + [-1, -1])
    leaves = np.flatnonzero(splits < 0)
    deep = np.stack(np.meshgrid(leaves, np.arange(few)), axis=2).reshape(-1, 2)
    ends = np.concatenate([deep, [(0, column) for column in range(few, many)]])
    seconds = []
    for look in (lambda: np.sort(ends[:, 0] * many + ends[:, 1]), lambda: checker.check_coverage(splits, ends, many)):
        start = time.process_time()
        look()
        seconds.append(time.process_time() - start)
    assert seconds[1] < 150 * seconds[0] + 0.05
    with pytest.raises(checker.Refuted, match="not covered"):
        checker.check_coverage(splits, np.delete(ends, 5, axis=0), many)
