"""A small run of the random campaign: the judge finds nothing wrong with what the library answers.

The whole of it is `benchmarks/campaign.py`. The judge is tried on answers that are made wrong on purpose, too.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))
pytest.importorskip("flint")

import campaign  # noqa: E402
from campaign import FAMILIES, problem_of  # noqa: E402
from campaign_judge import Findings, judge_result  # noqa: E402
from campaign_laws import judge_law  # noqa: E402
from campaign_problems import Stated  # noqa: E402

import rdcsolve as rdc  # noqa: E402

# By family the seeds of quick problems of many kinds.
SEEDS = {family: range(5) for family in FAMILIES}


@pytest.mark.parametrize("family", FAMILIES)
def test_no_errors(family):
    for seed in SEEDS[family]:
        record = campaign.outcome(family, seed, limit=30, budget=0.5)
        assert not record["errors"], record


@pytest.mark.parametrize("family", FAMILIES)
def test_problems_are_the_same_whenever_they_are_made(family):
    for seed in range(20):
        assert repr(problem_of(family, seed)) == repr(problem_of(family, seed))


COIN = Stated("linear", 0, np.array([0.75, 0.25]), {"distortion": 1 - np.eye(2)}, bounds={"distortion": 0.125})


def kinds(stated, result):
    findings = Findings()
    judge_result(stated, result, findings, own=False)
    return {error["kind"] for error in findings.errors}


def test_judge_of_right_and_wrong_answers():
    result = rdc.solve(COIN.problem())
    assert not kinds(COIN, result)
    boast = replace(result.certificate, lower=result.certificate.lower + 1e-9)
    assert kinds(COIN, replace(result, certificate=boast)) == {"lower_beyond", "checker"}
    assert kinds(COIN, replace(result, rate_lower=result.rate_lower + 1e-6)) == {"order", "lower_beyond", "checker"}
    assert "under_reported" in kinds(COIN, replace(result, objective_upper=result.objective_upper - 1e-10))
    assert kinds(COIN, replace(result, channel=result.channel * 1.1)) == {"row"}
    above = {"distortion": np.nextafter(0.125, 1)}
    assert kinds(COIN, replace(result, losses=above)) == {"above_bound"}
    strict = replace(COIN, bounds={"distortion": 0.125 - 1e-11})
    assert kinds(strict, result) >= {"limit", "above_bound"}


def test_judge_of_limits_that_are_read_as_least_values():
    """Least value 0.75 + 0.25 = 1, bound below it: by a rounding it may be read as that, by more it may not."""
    table = np.array([[1.0, 2.0], [2.0, 1.0]])
    at_least = Stated("linear", 0, COIN.p, {"distortion": table}, bounds={"distortion": 1.0})
    result = rdc.solve(at_least.problem())
    words = "; the limit on distortion is below its least value by a rounding, and is read as that"
    said = replace(result, message=result.message + words)
    for below, expected in ((2**-53, set()), (1e-11, {"limit"}), (0.01, {"limit"})):
        bound = 1.0 - below
        stated = replace(at_least, bounds={"distortion": bound})
        told = replace(said, losses={"distortion": min(bound, 1.0)})
        assert kinds(stated, told) & {"limit", "above_bound", "under_reported"} >= expected, below
        assert bool(kinds(stated, told) & {"limit", "above_bound"}) == bool(expected), below


def test_judge_of_claims_that_limits_cannot_be_met():
    claim = rdc.solve(COIN.problem().with_limits(D=0.2, rate=0.001))
    assert claim.status is rdc.Status.INFEASIBLE
    assert kinds(COIN, claim) == {"false_infeasible", "checker"}
    assert kinds(replace(COIN, rate=0.5), claim) == {"false_infeasible", "checker"}
    assert not kinds(replace(COIN, rate=0.001), claim)
    assert kinds(replace(COIN, bounds={"distortion": 0.0}), claim) == {"false_infeasible", "checker"}


def test_judge_of_prices_of_soft_decisions():
    """With a label the largest price is searched for by the judge: a claim above what it finds is refuted."""
    stated = replace(COIN, labels=(np.array([[0.9, 0.1], [0.2, 0.8]]),), bounds={"label_entropy": 0.45})
    result = rdc.solve(stated.problem())
    assert not kinds(stated, result)
    boast = replace(result.certificate, lower=result.certificate.lower + 1e-6)
    assert kinds(stated, replace(result, certificate=boast)) == {"lower_beyond", "checker"}


def test_judge_of_encoders_whose_limits_are_met_within_rounding():
    """In the plane R(D) is unverified; at D_max rate zero exceeds the limit by a rounding, and the answer says so."""
    stated, findings = problem_of("universal", 9920044), Findings()
    problem = stated.problem()
    found = rdc.universal_rate(problem, list(stated.targets))
    assert not found.verify(problem, arithmetic="ball").valid
    campaign.judge_universal(stated, problem, found, findings)
    assert not findings.errors
    assert "within_rounding_said" in findings.notes
    silent = replace(found, results=tuple(replace(one, message="") for one in found.results))
    campaign.judge_universal(stated, problem, silent, findings)
    assert {error["kind"] for error in findings.errors} >= {"own_check_ball"}


def test_judge_of_limits_on_laws():
    """Seeds whose channels at random meet their limits: wrong answers are told, right ones are not."""
    for seed in range(100):
        stated = campaign.law_problem_of(seed)
        problem = stated.problem()
        if stated.measure == "tv" and not stated.labels and (result := rdc.solve(problem)).rate_lower > 0.05:
            break

    def kinds(wrong):
        findings = Findings()
        judge_law(stated, problem, wrong, findings)
        return {error["kind"] for error in findings.errors}

    assert not kinds(result)
    assert "order" in kinds(replace(result, objective_lower=result.objective_upper + 1))
    assert "under_reported" in kinds(replace(result, rate_upper=result.rate_upper - 1e-6))
    assert "under_reported" in kinds(replace(result, perceptions={"perception": 0.0}))
    worse = replace(result, channel=np.ones_like(result.channel) / result.letters.size)
    assert kinds(worse) & {"limit", "under_reported"}


def test_command(tmp_path):
    path = tmp_path / "records.jsonl"
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    words = ["--family", "region", "--count", "2", "--out", str(path)]
    command = [sys.executable, str(ROOT / "benchmarks" / "campaign.py"), *words]
    for _ in range(2):  # the second time everything is in the file already
        done = subprocess.run(
            command, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "| region | 2 | 0 |" in done.stdout
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(record["seed"] for record in records) == [0, 1]
