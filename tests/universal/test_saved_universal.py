"""Universal rates that are saved as they go: what a run leaves, and that the next one goes on from there."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.errors import FileInUse, InvalidInput, SaveFailed
from rdcsolve.results import Status
from rdcsolve.universal import saving
from rdcsolve.universal.solving import Work
from rdcsolve.writing import held

COIN = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
TARGETS = [{"distortion": 0.25, "miss": 0.05}, {"distortion": 0.2}, {"miss": 0.04}]


@pytest.fixture
def solved(monkeypatch):
    """The problems that are solved from now on."""
    begun, real = [], Work.solved

    def counted(work, problem):
        begun.append(problem)
        return real(work, problem)

    monkeypatch.setattr(Work, "solved", counted)
    monkeypatch.setattr(saving, "_SECONDS_BETWEEN_SAVES", 0.0)
    return begun


def stopping_at(problem_number):
    """Return a callback that stops at the first step of the problem with that number."""
    begun = []

    def callback(record):
        if record.step == 1:
            begun.append(record)
        return len(begun) == problem_number

    return callback


@pytest.mark.parametrize("unit", ["nat", "bit"])
def test_the_next_run_goes_on_with_what_is_missing(tmp_path, solved, unit):
    problem, path = COIN.in_unit(unit), tmp_path / "encoder.npz"
    direct = rdc.universal_rate(problem, TARGETS)
    del solved[:]
    cut = rdc.universal_rate(problem, TARGETS, save=path, callback=stopping_at(1))
    assert cut.status is Status.STOPPED_BY_CALLBACK
    left = rdc.load(path)
    assert (left.status, left.rate_lower, left.unit) == (cut.status, cut.rate_lower, unit)
    known = sum(one.status is Status.OPTIMAL for one in cut.results)
    assert 0 < known < len(TARGETS)
    del solved[:]
    whole = rdc.universal_rate(problem, TARGETS, save=path)
    assert len(solved) == len(TARGETS) - known + 1
    assert whole.status is Status.OPTIMAL
    assert whole.rate_upper == pytest.approx(direct.rate_upper, abs=2e-6)
    assert whole.verify(problem).valid
    del solved[:]
    again = rdc.universal_rate(problem, TARGETS, save=path)
    assert solved == []
    assert (again.rate_lower, again.rate_upper) == (whole.rate_lower, whole.rate_upper)
    assert rdc.universal_rate(problem, TARGETS, save=path, tolerance=1e-8).gap <= 1e-8
    assert len(solved) == len(TARGETS) + 1


def test_an_interrupt_is_saved_too(tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        path = tmp_path / "encoder.npz"
        cut = rdc.universal_rate(COIN, TARGETS, save=path, callback=lambda record: os.kill(os.getpid(), signal.SIGINT))
    finally:
        signal.signal(signal.SIGINT, before)
    assert cut.status is rdc.load(path).status is Status.INTERRUPTED
    assert rdc.universal_rate(COIN, TARGETS, save=path).status is Status.OPTIMAL


KILLED = """
import os, signal, sys
import rdcsolve as rdc
from rdcsolve.universal import saving
from rdcsolve.universal.solving import Work
saving._SECONDS_BETWEEN_SAVES, real, begun = 0.0, Work.solved, []

def killed(work, problem):
    begun.append(problem)
    if len(begun) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(work, problem)

Work.solved = killed
coin = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
rdc.universal_rate(coin, [{"distortion": 0.25, "miss": 0.05}, {"distortion": 0.2}, {"miss": 0.04}], save=sys.argv[1])
"""


def test_a_killed_run_leaves_what_it_had_solved(tmp_path, solved):
    path, script = tmp_path / "encoder.npz", tmp_path / "killed.py"
    script.write_text(KILLED)
    assert subprocess.run([sys.executable, str(script), str(path)], check=False).returncode == -signal.SIGKILL
    left = rdc.load(path)
    assert [one.status for one in left.results] == [Status.OPTIMAL, Status.OPTIMAL, Status.INTERRUPTED]
    assert left.rate_lower == max(one.rate_lower for one in left.results)
    assert rdc.universal_rate(COIN, TARGETS, save=path).status is Status.OPTIMAL
    assert len(solved) == 2  # the last target, and the encoder for all


def test_what_is_in_the_file_is_checked(tmp_path, solved):
    """A file whose bound says more than its certificate does is not believed."""
    path = tmp_path / "encoder.npz"
    rdc.universal_rate(COIN, TARGETS, save=path)
    with np.load(path) as archive:
        arrays = dict(archive)
    for name in [name for name in arrays if name.endswith("u") and name.startswith("result0")]:
        arrays[name] = 2.0 * arrays[name]
    np.savez(path, **arrays)
    del solved[:]
    again = rdc.universal_rate(COIN, TARGETS, save=path)
    assert solved
    assert again.verify(COIN).valid


def test_files_of_something_else_are_refused_before_any_work(tmp_path, solved):
    path = tmp_path / "encoder.npz"
    rdc.universal_rate(COIN, TARGETS, save=path)
    content = path.read_bytes()
    other = rdc.Problem.from_arrays([0.6, 0.4], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
    result = tmp_path / "result.npz"
    rdc.solve(COIN.with_limits(distortion=0.2)).save(result)
    del solved[:]
    for problem, targets, file in [(other, TARGETS, path), (COIN, TARGETS[:2], path), (COIN, TARGETS, result)]:
        with pytest.raises(InvalidInput, match="another path, or move the file away"):
            rdc.universal_rate(problem, targets, save=file)
    with pytest.raises(SaveFailed):
        rdc.universal_rate(COIN, TARGETS, save=tmp_path)
    if os.path.exists("/dev/null"):
        with pytest.raises(SaveFailed, match="device"):
            rdc.universal_rate(COIN, TARGETS, save="/dev/null")
    with held(path, "sweeps into it"), pytest.raises(FileInUse, match="is in use"):
        rdc.universal_rate(COIN, TARGETS, save=path)
    assert solved == []
    assert path.read_bytes() == content
