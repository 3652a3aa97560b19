"""Universal encoders survive the disk bit by bit, and are verified from the problem alone."""

import dataclasses
import json
import math

import numpy as np
import pytest
from same import assert_same

import rdcsolve as rdc
from rdcsolve.results import storage
from rdcsolve.universal import UniversalVerification, serving

INF = math.inf


def labelled(letters="split"):
    rng = np.random.default_rng(0)
    p, label = rng.dirichlet(np.ones(4)), rng.dirichlet([0.5, 0.5], 4)
    return rdc.Problem.from_arrays(p, rng.random((4, 3)), label, C=INF, letters=letters)


def plain():
    rng = np.random.default_rng(1)
    p, d, other = rng.dirichlet(np.ones(5)), rng.random((5, 4)), rng.random((5, 4))
    return rdc.Problem.from_arrays(p, d, losses={"other": other})


def mixture():
    source = rdc.sources.mixture([-1, 1], 0.7, n_x=21)
    return rdc.Problem(source, "free", limits=[rdc.LabelEntropyLimit(INF)])


def both():
    rng = np.random.default_rng(2)
    p, d, label = rng.dirichlet(np.ones(4)), rng.random((4, 3)), rng.dirichlet([0.5, 0.5], 4)
    d[0, 1] = INF
    return rdc.Problem.from_arrays(p, d, label, C=INF, losses={"other": rng.random((4, 3))})


def least(problem, share=1.2):
    return [share * float(loss.matrix.min(axis=1) @ problem.p_x) for loss in problem.linear_losses]


CASES = {
    "corner": lambda: (labelled(), [(0.3, 0.67), (0.6, 0.57)]),
    "one target implies the other": lambda: (labelled(), [(0.4, 0.66), (0.3, 0.6), (0.3, 0.6)]),
    "free": lambda: (mixture(), [(0.3, 0.6), {"C": 0.25}]),
    "tuples": lambda: (plain(), [{"D": least(plain())[0]}, {"other": least(plain())[1]}, (0.6, 0.6)]),
    "tuples and a label": lambda: (both(), [{"D": least(both())[0], "C": 0.6}, {"other": least(both())[1]}]),
    "fixed letters": lambda: (
        rdc.Problem.from_arrays([0.7, 0.3], [[0, 0], [1, 0]], [[0.7, 0.3], [1.0, 0.0]], C=INF, letters="fixed"),
        [(0.0, 0.5), (0.1, 0.47)],
    ),
}


@pytest.fixture(scope="module")
def solved():
    made = {}
    for name, case in CASES.items():
        problem, targets = case()
        made[name] = problem, rdc.universal_rate(problem, targets)
    return made


@pytest.mark.parametrize("name", CASES)
def test_a_universal_encoder_makes_the_round_trip(solved, tmp_path, name):
    problem, universal = solved[name]
    universal.save(tmp_path / "encoder.npz")
    again = rdc.load(tmp_path / "encoder.npz")
    for field in dataclasses.fields(universal):
        if field.name != "problem":
            assert_same(getattr(universal, field.name), getattr(again, field.name))
    assert again.problem.fingerprint() == universal.problem.fingerprint()
    assert again.problem.loss_names == universal.problem.loss_names
    assert again.problem.bounds.tolist() == universal.problem.bounds.tolist()
    assert again.problem.letters == universal.problem.letters
    assert again.result.certificate.verify(again.problem).valid
    check = again.verify(problem)
    assert check.valid, str(check)
    assert rdc.achievable_region(again, problem, problem.loss_names[:2]).rate == pytest.approx(again.rate_upper)


@pytest.mark.parametrize("name", CASES)
def test_verification_finds_the_bounds_again(solved, name):
    problem, universal = solved[name]
    check = universal.verify(problem)
    assert isinstance(check, UniversalVerification)
    assert check.valid, str(check)
    assert check.lower == pytest.approx(universal.rate_lower, abs=1e-9)
    assert check.upper == pytest.approx(universal.rate_upper, abs=1e-11)
    assert check.penalty_lower == pytest.approx(universal.penalty_lower, abs=1e-9)
    assert check.penalty_upper == pytest.approx(universal.penalty_upper, abs=1e-9)
    assert [list(one) for one in check.excess] == [list(target) for target in universal.targets]
    assert "R(Theta)" in str(check)


def test_verification_in_ball_arithmetic(solved):
    pytest.importorskip("flint")
    problem, universal = solved["tuples"]
    check = universal.verify(problem, arithmetic="ball")
    assert check.valid, str(check)
    assert check.lower <= universal.rate_upper


def test_generated_tuples_are_all_priced_again(monkeypatch):
    problem, targets = CASES["tuples"]()
    monkeypatch.setattr(serving, "_LISTED", 0)
    universal = rdc.universal_rate(problem, targets)
    assert "generated" in universal.result.method
    check = universal.verify(problem)
    assert check.valid, str(check)
    assert check.lower == pytest.approx(universal.rate_lower, abs=1e-9)
    certificate = dataclasses.replace(universal.result.certificate, u=universal.result.certificate.u + 0.01)
    raised = dataclasses.replace(
        universal,
        rate_lower=universal.rate_lower + 0.01,
        result=dataclasses.replace(universal.result, certificate=certificate),
    )
    refuted = raised.verify(problem)  # the dearest tuple outbids what was added to u
    assert not refuted.valid
    assert refuted.lower == pytest.approx(universal.rate_lower, abs=1e-9)


def test_false_claims_are_refuted(solved):
    problem, universal = solved["corner"]
    spoilt = dataclasses.replace(universal.decoders[0], letters=np.zeros_like(universal.decoders[0].letters))
    mixed = 0.5 * universal.encoder + 0.5 * universal.q
    claims = {
        "a lower bound of": {"rate_lower": universal.rate_lower + 1e-6},
        "an upper bound of": {"rate_upper": universal.rate_upper - 1e-6},
        "a penalty of at least": {"penalty_lower": universal.penalty_lower + 1e-5},
        "a penalty of at most": {"penalty_upper": universal.penalty_upper - 1e-5},
        "decoder 0 exceeds the limit 0.3 on distortion": {"decoders": (spoilt, universal.decoders[1])},
        "on label_entropy": {"encoder": mixed},
    }
    for words, changes in claims.items():
        check = dataclasses.replace(universal, **changes).verify(problem)
        assert not check.valid
        assert any(words in message for message in check.messages), check
    raised = dataclasses.replace(universal.results[0].certificate, lower=universal.results[0].rate_lower + 1e-3)
    results = (dataclasses.replace(universal.results[0], certificate=raised), universal.results[1])
    check = dataclasses.replace(universal, results=results).verify(problem)
    assert any(message.startswith("target 0 alone: a lower bound") for message in check.messages)


def test_what_cannot_be_verified_says_so(solved):
    _, universal = solved["corner"]
    with pytest.raises(rdc.InvalidInput, match="fingerprint"):
        universal.verify(solved["fixed letters"][0])
    problem = plain()
    nothing = rdc.universal_rate(problem, [{"D": 0.0}])
    with pytest.raises(rdc.InvalidInput, match="nothing to verify"):
        nothing.verify(problem)


def test_targets_that_cannot_be_met_are_saved_too(tmp_path):
    nothing = rdc.universal_rate(plain(), [{"D": 0.0}])
    nothing.save(tmp_path / "x")
    again = rdc.load(tmp_path / "x")
    assert again.status is rdc.Status.INFEASIBLE
    assert again.decoders == ()


def test_load_tells_results_and_universal_encoders_apart(solved, tmp_path):
    _, universal = solved["corner"]
    universal.save(tmp_path / "encoder")
    universal.result.save(tmp_path / "result")
    assert isinstance(rdc.load(tmp_path / "encoder"), rdc.Universal)
    assert isinstance(rdc.load(tmp_path / "result"), rdc.Result)
    with pytest.raises(rdc.UnreadableFile, match="rdcsolve universal"):
        storage.load(tmp_path / "encoder")


DAMAGE = [
    ({"version": 2}, {}, "version 2 is not known"),
    ({"status": "SOLVED"}, {}, "status 'SOLVED' is unknown"),
    ({"rate_lower": "0"}, {}, "stands where a real number should"),
    ({"targets": []}, {}, "2 results for 0 targets"),
    ({"alone": [0, 9]}, {}, "a result that it names is missing"),
    ({"losses": [{}]}, {}, "1 decoders for 2 targets"),
    ({"results": [7]}, {}, "result 0 is malformed"),
    ({}, {"q": np.ones(1)}, "columns for 1 messages"),
    ({}, {"letters_0": None}, "it lacks the array letters_0"),
    ({}, {"letters_1": np.zeros(2, dtype=np.int64)}, "letters_1 has 2 entries"),
    ({}, {"problem_p_x": None}, "no p_x"),
    ({}, {"problem_p_x": np.array([0.5, 0.5])}, "rows"),
    ({}, {"result0_channel": None}, "it lacks the array channel"),
    ({}, {"encoder": np.ones((4, 1), dtype=np.float32)}, "encoder holds float32"),
]


@pytest.mark.parametrize(("header", "arrays", "words"), DAMAGE)
def test_damaged_files_are_unreadable(solved, tmp_path, header, arrays, words):
    path = tmp_path / "encoder.npz"
    solved["corner"][1].save(path)
    with np.load(path, allow_pickle=False) as archive:
        held = dict(archive)
    described = json.loads(str(held.pop("header"))) | header
    held = {name: values for name, values in (held | arrays).items() if values is not None}
    np.savez(path, header=np.array(json.dumps(described)), **held)
    with pytest.raises(rdc.UnreadableFile, match=words):
        rdc.load(path)


def test_the_command_saves_and_verifies_an_encoder(tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from rdcsolve.cli import app

    def run(*arguments):
        return CliRunner().invoke(app, arguments)

    monkeypatch.chdir(tmp_path)
    arrays = {"p_x": [0.6, 0.4], "distortion": [[0, 1], [1, 0]], "labels_0": [[0.9, 0.1], [0.2, 0.8]]}
    np.savez("coin.npz", **arrays)
    stated = ("universal", "coin.npz", "--target", "D=0.1,C=0.6", "--target", "D=0.3,C=0.5")
    done = run(*stated, "--save", "encoder.npz")
    assert done.exit_code == 0, done.output
    assert run("verify", "encoder.npz").exit_code == 2  # no problem.npz beside it
    told = run("verify", "encoder.npz", "coin.npz")
    assert told.exit_code == 0, told.output
    assert "valid in float arithmetic: R(Theta) in [" in told.stdout
    assert run(*stated, "--save", "encoder.npz", "--save-problem", "problem.npz").exit_code == 0
    assert run("verify", "encoder.npz").exit_code == 0
    universal = rdc.load("encoder.npz")
    dataclasses.replace(universal, rate_upper=universal.rate_upper - 0.01).save("boast.npz")
    refuted = run("verify", "boast.npz")
    assert refuted.exit_code == 1
    assert "refuted" in refuted.output
