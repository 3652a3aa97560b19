"""Files are written to ordinary files only, whole or not at all, and by one run at a time."""

import os
import signal
import socket
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import rdcsolve as rdc
from rdcsolve.errors import FileInUse, RdcError, SaveFailed, UnreadableFile
from rdcsolve.explore.record import read_dataset
from rdcsolve.writing import held, whole_file, writable

COIN = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]])

HOLDS = """
import sys, time
from pathlib import Path
from rdcsolve.writing import held
with held(Path(sys.argv[1]), "sweeps into it"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def another_run(tmp_path):
    path = tmp_path / "sweep.nc"
    run = subprocess.Popen([sys.executable, "-c", HOLDS, str(path)], stdout=subprocess.PIPE, text=True)
    assert run.stdout.readline() == "held\n"
    yield path, run
    run.kill()
    run.wait()
    run.stdout.close()


def gone():
    """Return the number of a process that has ended."""
    run = subprocess.Popen([sys.executable, "-c", ""])
    run.wait()
    return run.pid


def test_what_another_run_holds_is_refused_until_that_run_is_gone(another_run, monkeypatch):
    path, run = another_run
    message = f"sweep.nc is in use: process {run.pid} on {socket.gethostname()} sweeps into it; wait for it"
    monkeypatch.setattr(import_module("rdcsolve.explore.tradeoff"), "solve", None)  # refused before any work
    with pytest.raises(FileInUse, match=message):
        rdc.sweep(COIN, D=[0.1], save=path)
    two = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
    with pytest.raises(FileInUse, match=message):
        rdc.tradeoff(two, 0.2, save=path)
    assert not path.exists()
    run.send_signal(signal.SIGKILL)
    run.wait()
    rdc.sweep(COIN, D=[0.1], save=path)
    assert os.listdir(path.parent) == ["sweep.nc"]


def test_one_run_of_two_threads_is_refused_too(tmp_path):
    path = tmp_path / "a"
    with held(path, "writes"), pytest.raises(FileInUse, match=f"process {os.getpid()} on"), held(path, "writes"):
        pass
    with held(path, "writes"):
        assert os.listdir(tmp_path) == [".a.lock"]
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("host", [socket.gethostname(), "elsewhere"])
def test_only_locks_of_this_machine_are_broken(tmp_path, host):
    (tmp_path / ".a.lock").write_text(f"{gone()}\n{host}\n")
    began = time.monotonic()
    if host == "elsewhere":
        with pytest.raises(FileInUse, match="on elsewhere writes"), held(tmp_path / "a", "writes"):
            pass
    else:
        with held(tmp_path / "a", "writes"):
            pass
    assert time.monotonic() - began < 5


# ------------------------------------------------------------------------------------------- targets


@pytest.mark.parametrize("kind", ["folder", "device", "pipe", "circle", "in a file"])
def test_only_ordinary_files_are_written_to(tmp_path, kind):
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/null")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "circle":
        path.symlink_to(path)
    else:
        path.write_text("")
        path = path / "b"
    before = os.listdir(tmp_path)
    result = rdc.solve(COIN.with_limits(D=0.1))
    for save in (result.save, lambda path: rdc.sweep(COIN, D=[0.1], save=path)):
        with pytest.raises(SaveFailed, match="was not written"):
            save(path)
    assert os.listdir(tmp_path) == before
    if kind == "device":
        assert Path("/dev/null").is_char_device()


def test_links_are_followed_and_stay(tmp_path):
    (tmp_path / "folder").mkdir()
    link, target = tmp_path / "link", tmp_path / "folder" / "a"
    link.symlink_to(target)
    for text in (b"new", b"newer"):
        with whole_file(link) as stream:
            stream.write(text)
        assert target.read_bytes() == text
    assert link.is_symlink()
    assert writable(link) == target.resolve()


# --------------------------------------------------------------------------------------- killed workers


def kill_at(record):
    """Kill the process that solves; used as a callback."""
    if record.multipliers and max(record.multipliers) > 0.9:  # small distortions, not the others
        os.kill(os.getpid(), signal.SIGKILL)
    return False


def test_a_killed_worker_is_named_with_the_points_lost_and_the_others_are_saved(tmp_path):
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]])
    bounds = np.array([0.45, 0.46, 0.47, 0.48, 0.01, 0.02, 0.03, 0.04])
    path = tmp_path / "sweep.nc"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        with pytest.raises(rdc.SolverFailed, match="a process of the executor ended") as lost:
            rdc.sweep(problem, D=bounds, save=path, executor=pool, callback=kill_at)
        assert "4 points with it (D=0.01; D=0.02; D=0.03; D=0.04); 4 of 8 points are saved in" in str(lost.value)
        with pytest.raises(RdcError, match="8 points with it"):  # the pool is of no use any more
            rdc.sweep(problem, D=bounds, executor=pool)
    whole = rdc.sweep(problem, D=bounds, save=path)
    assert (whole.status == "OPTIMAL").all()
    assert os.listdir(tmp_path) == ["sweep.nc"]


@pytest.mark.parametrize("place", ["folder", "pipe", "/dev/zero"])
def test_what_is_no_ordinary_file_is_not_read(tmp_path, place):
    """A pipe would be waited for, and a device may never end."""
    path = Path(place) if place.startswith("/") else tmp_path / "found.npz"
    if place == "folder":
        path.mkdir()
    elif place == "pipe":
        os.mkfifo(path)
    for read in (rdc.load, read_dataset):
        with pytest.raises(UnreadableFile, match="ordinary file"):
            read(path)
