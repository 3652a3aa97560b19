"""What an extra is missing for is told in a sentence, before any work."""

import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from rdcsolve import MissingExtra, extras

ROOT = Path(__file__).parents[1]
CORE = """
import numpy as np
import rdcsolve as rdc
points = np.linspace(0, 1, 9)
problem = rdc.Problem(rdc.Source(points, np.full(9, 1 / 9)), limits=[rdc.DistortionLimit(0.02)])
def refuse(record):
    raise AssertionError("work was done")
"""
JOBS = {
    "tables": [
        ("sweep", "rdc.sweep(problem, D=[0.1], callback=refuse)"),
        ("tradeoff", "rdc.tradeoff(problem, rate=0.1, callback=refuse)"),
    ],
    "plot": [
        ("convergence", "rdc.plot.convergence(rdc.solve(problem))"),
        (
            "plot.output_law",
            "law = rdc.Problem(problem.source, limits=[rdc.PerceptionLimit(0.1)]); "
            "rdc.plot.output_law(law, rdc.solve(law))",
        ),
        ("figure_4", "from rdcsolve.explore.figures import figure_4; figure_4([])"),
    ],
    "learn": [
        ("sources.digits", "rdc.sources.digits()"),
        ("sources.kmeans_codebook", "rdc.sources.kmeans_codebook(points, 2)"),
        ("fit_quantiser", "rdc.codes.fit_quantiser(points, 2)"),
        ("fit_universal_quantiser", "rdc.codes.fit_universal_quantiser(points, 2, targets={'one': 0.0})"),
    ],
    "cli": [],
}


def without(extra, code):
    """Run code in a fresh process that has none of the modules of an extra."""
    hidden = f"import sys; sys.modules.update(dict.fromkeys({extras.EXTRAS[extra]}))\n"
    command = [sys.executable, "-c", hidden + code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(("extra", "feature", "call"), [(e, *job) for e, jobs in JOBS.items() for job in jobs])
def test_what_is_missing_is_named(extra, feature, call):
    code = f"{CORE}\ntry:\n    {call}\nexcept rdc.MissingExtra as error:\n    print(error)"
    ran = without(extra, code)
    assert ran.stdout.strip() == f"{feature} needs the extra {extra}: pip install 'rdcsolve[{extra}]'", ran.stderr


@pytest.mark.parametrize("extra", JOBS)
def test_the_core_solves_checks_and_saves_without(extra):
    code = CORE + "held = rdc.solve(problem); print(held.certificate.verify(problem).valid, held.proof.name)"
    assert without(extra, code).stdout.strip() == "True CERTIFIED"


def test_the_command_says_what_to_install():
    ran = without("cli", "from rdcsolve.cli import app; app()")
    told = "error: the command rdcsolve needs the extra cli: pip install 'rdcsolve[cli]'"
    assert (ran.returncode, ran.stdout, ran.stderr.strip()) == (2, "", told)


def test_modules_of_extras_are_those_of_pyproject():
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {"sklearn": "scikit-learn", "flint": "python-flint", "ot": "POT"}
    for extra, modules in extras.EXTRAS.items():
        wanted = {requirement.partition(">=")[0] for requirement in declared[extra]}
        assert {names.get(module, module) for module in modules} <= wanted, extra


def test_a_module_of_no_extra_is_no_missing_extra():
    assert extras.missing_for("rdcsolve.nothing", "anything") is None
    assert extras.missing_for(None, "anything") is None
    assert isinstance(extras.missing_for("matplotlib.pyplot", "anything"), MissingExtra)


def test_the_module_that_is_missing_is_the_cause(monkeypatch):
    """A part of an extra may be there: tests skip, and others look for what is not."""
    monkeypatch.setattr(extras, "find_spec", lambda module: None if module == "netCDF4" else find_spec(module))
    with pytest.raises(MissingExtra, match="sweep needs the extra tables") as told:
        extras.need("tables", "sweep")
    assert told.value.__cause__.name == "netCDF4"
