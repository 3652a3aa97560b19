"""What a call tells: nothing unless asked, lines to a logger, and the same aloud."""

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import rdcsolve as rdc
from rdcsolve import narration

ROOT = Path(__file__).parents[1]


@pytest.fixture
def problem():
    return rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1)


def test_a_call_says_nothing_unless_asked(problem, capfd):
    rdc.solve(problem)
    assert capfd.readouterr() == ("", "")


def test_verbose_prints_steps_and_the_answer(problem, capsys):
    heard = []
    result = rdc.solve(problem, verbose=True, callback=heard.append)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Problem(n_x=2")
    assert lines[0].endswith(": interior point")
    assert sum(line.startswith("step ") for line in lines) == len(heard) > 2
    assert "\n".join(lines).endswith(str(result))
    rdc.solve(problem)
    assert capsys.readouterr().out == ""


def test_the_logger_has_answers_at_info_and_steps_at_debug(problem, caplog, capfd):
    with caplog.at_level(logging.INFO, logger="rdcsolve"):
        rdc.solve(problem)
    assert {record.levelname for record in caplog.records} == {"INFO"}
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="rdcsolve"):
        heard = []
        rdc.solve(problem, callback=heard.append)
    assert sum(record.levelname == "DEBUG" for record in caplog.records) == len(heard) > 2
    assert capfd.readouterr() == ("", "")


def test_steps_are_told_in_the_unit_of_the_problem(capsys):
    problem = rdc.Problem.from_arrays([0.7, 0.3], [[0, 1], [1, 0]], D=0.1, unit="bit")
    heard = []
    rdc.solve(problem, verbose=True, callback=lambda record: heard.append(record.lower))
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("step ")]
    assert [f"{lower:.10g}" in line for lower, line in zip(heard, told, strict=True)] == [True] * len(told)


def test_a_callback_still_stops(problem):
    assert rdc.solve(problem, verbose=True, callback=lambda record: True).status is rdc.Status.STOPPED_BY_CALLBACK


def test_compiling_is_told_once_while_it_happens(tmp_path):
    code = """
import numpy as np, rdcsolve as rdc
from rdcsolve.kernels.fused import blahut_arimoto_step
from rdcsolve.narration import told
def step():
    blahut_arimoto_step(np.ones(2) / 2, np.eye(2), np.ones(2) / 2, np.empty(2), np.empty(2))
with told(True):
    step()
    step()
"""
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    first, later = (
        subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        for _ in range(2)
    )
    assert first.stdout.splitlines() == [
        "compiling functions for this machine, which takes some seconds once; they are kept for later"
    ]
    assert later.stdout == ""


def test_a_sweep_tells_a_line_a_point(problem, capsys, caplog):
    pytest.importorskip("xarray")
    with caplog.at_level(logging.INFO, logger="rdcsolve"):
        data = rdc.sweep(problem, D=[0.05, 0.1, 0.2], verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"point {k + 1} of 3, D={D}" for k, D in enumerate((0.05, 0.1, 0.2))
    ]
    for line, lower, upper in zip(lines, data.rate_lower.values, data.rate_upper.values, strict=True):
        assert f"[{lower:.10g}, {upper:.10g}]" in line
        assert "OPTIMAL, CERTIFIED" in line
    assert lines == [record.getMessage() for record in caplog.records if record.getMessage().startswith("point ")]
    rdc.sweep(problem, D=[0.05])
    assert capsys.readouterr().out == ""


def test_a_tradeoff_tells_a_line_a_point(capsys):
    pytest.importorskip("xarray")
    problem = rdc.Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]], losses={"miss": [[0, 0], [1, 0]]})
    rdc.tradeoff(problem, 0.2, n_points=2, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert [line.startswith(f"point {k} of 2, miss=") for k, line in enumerate(lines, 1)] == [True, True]
    with pytest.raises(rdc.errors.InvalidInput, match="verbose"):
        rdc.sweep(problem, D=[0.1], verbose=2)


def test_seconds_of_compiling_are_counted_once_for_functions_inside_of_others():
    numba = pytest.importorskip("numba")
    narration.announce_compilation()
    inner = numba.njit(lambda x: x + 1.0)
    outer = numba.njit(lambda x: inner(x) * 2.0)
    before, began = narration.seconds_compiling(), time.thread_time()
    assert outer(1.0) == 4.0
    took, most = narration.seconds_compiling() - before, time.thread_time() - began
    assert 0.5 * most < took <= most
    before = narration.seconds_compiling()
    assert outer(2.0) == 6.0
    assert narration.seconds_compiling() == before
