"""What is loaded for what: a plain rate needs neither a compiler nor a package for tables, pictures or screens."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WATCHED = {
    *("netCDF4", "llvmlite", "matplotlib", "numba", "numpy", "pandas", "pooch"),
    *("rich", "scipy", "sklearn", "threadpoolctl", "tqdm", "typer", "xarray"),
}
PROBLEM = """
    import numpy as np
    import rdcsolve as rdc
    x = np.linspace(-3, 3, 31)
    p = np.exp(-(x**2) / 2)
    sign = np.stack([x < 0, x >= 0], axis=1).astype(float)
    seen = 1 / (1 + np.exp(4 * x))
    source = rdc.Source(x, p / p.sum(), labels=[sign])
    problem = rdc.Problem(source, limits=[rdc.DistortionLimit(0.25), {limit}])
"""
LOSS = PROBLEM.format(limit="rdc.ClassifierLossLimit(0.1, np.stack([seen, 1 - seen], axis=1))")
ENTROPY = PROBLEM.format(limit="rdc.LabelEntropyLimit(0.1)")

# What is done in a fresh process, and which of the watched packages that loads at most.
LOADS = {
    "import": ("import rdcsolve", set()),
    "problem": (LOSS, {"numpy", "scipy"}),
    "plain rate": (LOSS + "    rdc.solve(problem).certificate.verify(problem)", {"numpy", "scipy", "threadpoolctl"}),
    "file": (
        LOSS + "    import tempfile, os; rdc.solve(problem).save(os.path.join(tempfile.mkdtemp(), 'point.npz'))",
        {"numpy", "scipy", "threadpoolctl"},
    ),
    "label entropy": (ENTROPY + "    rdc.solve(problem)", {"numpy", "scipy", "threadpoolctl"}),
    "curve": (LOSS + "    rdc.sweep(problem, D=[0.2, 0.3])", {"numpy", "scipy", "threadpoolctl", "xarray", "pandas"}),
    "command": ("import rdcsolve.cli", {"numpy", "typer", "rich"}),
}


def run_fresh(code, environment=None):
    """Return what a fresh interpreter prints."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    finished = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    return finished.stdout


@pytest.mark.parametrize("job", LOADS)
def test_a_job_loads_what_it_needs_and_no_more(job):
    code, needed = LOADS[job]
    shown = f"\nimport sys\nprint(*(name for name in {WATCHED} if name in sys.modules))"
    loaded = set(run_fresh(textwrap.dedent(code) + shown).splitlines()[-1].split())
    assert loaded <= needed, f"{job} loads {sorted(loaded - needed)}"


def cpu_seconds(code, folder, runs=3):
    """Return the least CPU time of some runs, with byte code in place as in an installed package."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    timed = "import time; _began = time.process_time()\n" + textwrap.dedent(code)
    shown = "\nprint(time.process_time() - _began)"
    return min(float(run_fresh(timed + shown, environment)) for _ in range(1 + runs))


def test_import_costs_less_than_a_twentieth_of_a_second(tmp_path):
    assert cpu_seconds("import rdcsolve", tmp_path) < 0.05


def test_first_certified_number_costs_little_more_than_loading_numpy_and_scipy(tmp_path):
    # by the ratio, which a slower machine does not change: 0.4 CPU seconds where loading takes 0.3
    loading = cpu_seconds("import numpy, scipy.linalg, scipy.optimize", tmp_path)
    solving = cpu_seconds(LOSS + "    assert rdc.solve(problem).proof is rdc.Proof.CERTIFIED", tmp_path)
    assert solving < 1.8 * loading


def test_the_first_label_entropy_of_a_new_machine_costs_no_compilation(tmp_path):
    # 0.9 CPU seconds where loading takes 0.3; compiled first, it cost 25 times as much as loading
    loading = cpu_seconds("import numpy, scipy.linalg, scipy.optimize", tmp_path)
    solving = cpu_seconds(ENTROPY + "    assert rdc.solve(problem).proof is rdc.Proof.CERTIFIED", tmp_path)
    assert solving < 5 * loading
