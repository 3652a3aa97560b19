"""The comparison with version 0.1 runs in its quick mode, finds nothing worse, and tells what is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
STORED = ROOT / "benchmarks" / "data" / "version_0_1.json"


def run(*arguments):
    """Run the script's quick mode on this very copy of the library; return its exit code and what it printed."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, str(ROOT / "benchmarks" / "compare.py"), "--quick", "--only", *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert finished.returncode in (0, 1), finished.stderr
    assert "Traceback" not in finished.stderr, finished.stderr
    return finished.returncode, finished.stdout


def cells(told, family):
    """Return the counts in the table's line of a family: problems, and one for every verdict."""
    line = next(line for line in told.splitlines() if line.startswith(f"| {family} |"))
    return [int(cell) for cell in line.split("|")[2:8]]


@pytest.mark.slow
def test_nothing_is_worse_than_in_version_0_1():
    code, told = run("free", "known", "--measure-old", str(ROOT))
    assert code == 0, told
    for family, count in (("known", 1), ("free", 5)):
        problems, *_, worse, contradictions = cells(told, family)
        assert (problems, worse, contradictions) == (count, 0, 0), told
    assert "CPU time" in told


def test_what_is_worse_is_told(tmp_path):
    """Stored values are changed on purpose."""
    stored = json.loads(STORED.read_text())
    rows = {row["name"]: row for row in stored["rows"]}
    rows["free 0"]["objective_lower"] += 0.01
    rows["free 0"]["objective_upper"] += 0.01
    rows["free 10"] |= {"proof": "NONE", "objective_upper": rows["free 10"]["objective_upper"] - 0.01}
    rows["free 20"] |= {"proof": "NONE", "objective_upper": rows["free 20"]["objective_upper"] + 0.01}
    rows["free 30"] |= {"check": "refused", "objective_upper": rows["free 30"]["objective_upper"] - 0.01}
    rows["free 40"]["digest"] += 1
    path = tmp_path / "values.json"
    path.write_text(json.dumps(stored))
    code, told = run("free", "--against", str(path))
    assert code == 1, told
    problems, equal, better, looser, worse, contradictions = cells(told, "free")
    assert (problems, equal, better, looser, worse, contradictions) == (4, 0, 2, 0, 1, 1), told
    assert "not drawn as it was: free 40" in told


@pytest.mark.slow
def test_values_that_are_stored_again_are_equal(tmp_path):
    path = tmp_path / "values.json"
    assert run("universal", "known", "--store", str(path))[0] == 0
    names = [row["name"] for row in json.loads(path.read_text())["rows"]]
    assert names == ["known P1a_100", *(f"universal {k}" for k in range(0, 50, 10))]
    code, told = run("known", "--against", str(path))
    assert code == 0, told
    assert cells(told, "known") == [1, 1, 0, 0, 0, 0], told
    assert "added: none" in run("known", "--against", str(path), "--extend")[1]
