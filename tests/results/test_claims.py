"""Whatever a result claims beyond what is proved is refuted: infinite bounds, and masses that are not its channel's."""

from dataclasses import replace

import numpy as np
import pytest

import rdcsolve as rdc

X = np.linspace(-2, 2, 9)
LABEL = np.stack([1 / (1 + np.exp(3 * X)), 1 / (1 + np.exp(-3 * X))], axis=1)
SOURCE = rdc.Source(X, np.exp(-(X**2) / 2), labels=[LABEL], normalise=True)
D = rdc.DistortionLimit(0.5)
PROBLEMS = {
    "one limit": rdc.Problem(SOURCE, limits=[D]),
    "bits": rdc.Problem(SOURCE, limits=[D], unit="bit"),
    "a loss minimised": rdc.Problem(SOURCE).minimising("distortion", rate=0.3),
    "a label": rdc.Problem(SOURCE, limits=[D, rdc.LabelEntropyLimit(0.5)]),
    "fixed letters": rdc.Problem(SOURCE, X[::2], limits=[D, rdc.LabelEntropyLimit(0.5)], letters="fixed"),
    "free letters": rdc.Problem(SOURCE, "free", limits=[D]),
    "a law": rdc.Problem(SOURCE, limits=[D, rdc.PerceptionLimit(0.05, "js")]),
    "an idle law": rdc.Problem(SOURCE, limits=[D, rdc.PerceptionLimit(0.9, "tv")]),
    "laws of classes": rdc.Problem(SOURCE, limits=[D, rdc.PerceptionLimit(0.02, "tv", given=0)]),
    "no limit": rdc.Problem(SOURCE),
}


@pytest.fixture(scope="module")
def solved():
    return {name: rdc.solve(problem, tolerance=1e-6) for name, problem in PROBLEMS.items()}


@pytest.mark.parametrize("name", PROBLEMS)
def test_masses_that_are_not_the_channels_are_refuted(solved, name):
    problem, result = PROBLEMS[name], solved[name]
    assert result.verify(problem).valid
    for field in ("q", "output_law"):
        masses = getattr(result, field)
        for value in (1e-6, np.nan, np.inf) if masses.size else ():
            spoiled = masses.copy()
            spoiled[0] += value
            found = replace(result, **{field: spoiled}).verify(problem)
            assert not found.valid
            assert f"the result's {field} is not" in found.messages[0]


@pytest.mark.parametrize("field", ["objective_lower", "rate_lower", "objective_upper", "rate_upper"])
@pytest.mark.parametrize("name", ["one limit", "bits", "a label", "a law"])
def test_infinite_bounds_claim_everything_or_nothing(solved, name, field):
    everything = np.inf if field.endswith("lower") else -np.inf
    found = replace(solved[name], **{field: everything}).verify(PROBLEMS[name])
    assert not found.valid
    assert f"{field} is {everything} but only" in found.messages[0]
    for nothing in (-everything, np.nan):
        assert replace(solved[name], **{field: nothing}).verify(PROBLEMS[name]).valid


@pytest.mark.parametrize("field", ["rate_lower", "rate_upper", "penalty_lower", "penalty_upper"])
def test_infinite_bounds_of_universal_rates(field):
    problem = PROBLEMS["a label"]
    found = rdc.universal_rate(problem, [(0.5, 0.55), (0.8, 0.5)], tolerance=1e-3)
    everything = np.inf if field.endswith("lower") else -np.inf
    assert not replace(found, **{field: everything}).verify(problem).valid
    assert replace(found, **{field: -everything}).verify(problem).valid
    alone = found.results[0]
    if field.startswith("rate"):
        boast = replace(found, results=(replace(alone, **{field: everything}), *found.results[1:]))
        assert not boast.verify(problem).valid
