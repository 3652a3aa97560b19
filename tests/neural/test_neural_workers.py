"""Processes that train end with the one that started them, and a folder is trained into by one run at a time."""

import os
import signal
import subprocess
import sys
import time

import pytest

torch = pytest.importorskip("torch")

from rdcsolve.errors import FileInUse  # noqa: E402
from rdcsolve.neural import Experiment, run_experiment, sweep  # noqa: E402
from rdcsolve.writing import held  # noqa: E402

TRAINS = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from rdcsolve.neural.sweep import begin_worker

if __name__ == "__main__":
    pool = ProcessPoolExecutor(2, mp_context=get_context("spawn"), initializer=begin_worker)
    workers = [pool.submit(os.getpid).result()]
    pool.submit(time.sleep, 120)
    print(*pool._processes, flush=True)
    time.sleep(120)
"""


def is_alive(process):
    try:
        with open(f"/proc/{process}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="looks at /proc")
def test_a_killed_run_leaves_no_workers(tmp_path):
    script = tmp_path / "run.py"
    script.write_text(TRAINS)
    run = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    try:
        workers = [int(process) for process in run.stdout.readline().split()]
        assert workers
        assert all(map(is_alive, workers))
        run.send_signal(signal.SIGKILL)
        until = time.monotonic() + 20
        while any(map(is_alive, workers)) and time.monotonic() < until:
            time.sleep(0.05)
        assert not any(map(is_alive, workers))
    finally:
        run.kill()
        run.wait()
        run.stdout.close()


def test_a_second_run_into_a_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(sweep, "load_images", lambda *arguments, **options: None)
    monkeypatch.setattr(sweep, "classifier_of", None)  # refused before any training
    experiment = Experiment()
    sweep._claim(tmp_path, experiment)
    refused = pytest.raises(FileInUse, match=f"is in use: process {os.getpid()} on .* trains there; wait for it")
    with held(tmp_path / "experiment.json", "trains there"), refused:
        run_experiment(experiment, tmp_path)
