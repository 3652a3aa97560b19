"""What the command line reads and writes as tables and as JSON."""

import json

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import rdcsolve as rdc
from rdcsolve.cli import app

RUN = CliRunner()


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "samples.csv"
    path.write_text("x,y\n0,a\n1,b\n2,b\n2,a\n")
    return path


def test_an_answer_as_json(csv):
    told = RUN.invoke(app, ["solve", str(csv), "--label", "y", "--D", "0.2", "--json"])
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    source = rdc.sources.from_csv(csv, labels=["y"])
    result = rdc.solve(rdc.Problem(source, limits=[rdc.DistortionLimit(0.2)]))
    assert answer["lower"] == pytest.approx(result.objective_lower, abs=1e-9)
    assert answer["losses"].keys() == result.losses.keys()
    assert "Problem(" in told.stderr


def test_an_infeasible_answer_as_json(csv):
    told = RUN.invoke(app, ["solve", str(csv), "--label", "y", "--D", "0.1", "--rate", "0.01", "--json"])
    assert told.exit_code == 1
    answer = json.loads(told.stdout)
    assert answer["status"] == "INFEASIBLE"
    assert answer["lower"] == "inf"  # JSON has no infinity
    assert answer["minimum"]["rate"] > 0.01


@pytest.mark.parametrize("command", ["sweep", "tradeoff"])
def test_points_as_a_table(csv, tmp_path, command):
    own = ["--axis", "D=0.1,0.2"] if command == "sweep" else ["--rate", "0.5", "--loss", "C", "--points", "2"]
    saved = tmp_path / "points.csv"
    told = RUN.invoke(app, [command, str(csv), "--label", "y", *own, "--save", str(saved)])
    assert told.exit_code == 0, told.output
    frame = pd.read_csv(saved)
    assert len(frame) == 2
    assert (frame["status"] == "OPTIMAL").all()
    assert {"losses_distortion", "multipliers_distortion", "seconds"} <= set(frame.columns)
    before = csv.read_text()
    told = RUN.invoke(app, [command, str(csv), "--label", "y", *own, "--save", str(csv)])
    assert told.exit_code == 2
    assert "is read by this command" in told.stderr
    assert csv.read_text() == before


def test_a_file_of_distances(csv, tmp_path):
    matrix = np.array([[0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    np.savetxt(tmp_path / "d.csv", matrix, delimiter=",")
    stated = ["solve", str(csv), "--label", "y", "--distortion-matrix", str(tmp_path / "d.csv"), "--D", "0.2", "--json"]
    told = RUN.invoke(app, stated)
    assert told.exit_code == 0, told.output
    expected = rdc.solve(rdc.Problem.from_arrays([0.25, 0.25, 0.5], matrix, D=0.2))
    assert json.loads(told.stdout)["lower"] == pytest.approx(expected.rate_lower, abs=1e-9)


@pytest.mark.parametrize("other", [["--distortion", "absolute"], ["--reproduction", "2"]])
def test_a_file_of_distances_says_it_all(csv, tmp_path, other):
    np.save(tmp_path / "d.npy", np.eye(3))
    told = RUN.invoke(app, ["solve", str(csv), "--label", "y", "--distortion-matrix", str(tmp_path / "d.npy"), *other])
    assert told.exit_code == 2
    assert f"so {other[0]} has no use" in told.stderr
    missing = RUN.invoke(app, ["solve", str(csv), "--distortion-matrix", str(tmp_path / "none.npy")])
    assert missing.exit_code == 2
    wide = tmp_path / "wide.npy"
    np.save(wide, np.eye(4))
    told = RUN.invoke(app, ["solve", str(csv), "--label", "y", "--distortion-matrix", str(wide), "--D", "0.1"])
    assert told.exit_code == 2
