"""Benchmarks run, at their smallest, and print what the documentation quotes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def run(script, *arguments):
    """Run a script of the benchmarks on this very copy of the library; return what it printed."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable, str(ROOT / "benchmarks" / script), *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_universal(tmp_path):
    told = run("universal.py", "--quick", "--count", "2", "--thetas", "1", "--save", str(tmp_path / "figures.json"))
    assert "contradictions 0, certified 2" in told
    assert "digits, 16 letters, 60 images, 256 tuples" in told
    assert told.count("1 random Theta") == 2
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert [row["part"] for row in rows] == ["corner", "corner", "Gaussian", "binary", "digits"]
    assert all(row["difference"] <= 1e-7 for row in rows[:2])


def test_codes(tmp_path):
    pytest.importorskip("constriction")
    told = run("codes.py", "--quick", "--save", str(tmp_path / "figures.json"))
    assert "16 words, 0.01, 0: squared error 0.04" in told
    assert "'OPTIMAL CERTIFIED'" in told
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert [row["part"] for row in rows] == ["quantiser", "audit", "universal"]
    assert all(part >= 0 for name in ("rate parts", "loss parts") for part in rows[1][name])
    assert rows[2]["limit"][0] <= rows[2]["rate"]


def test_theorems(tmp_path):
    path = tmp_path / "figures.json"
    told = run("theorems.py", "--sources", "1", "--save", str(path))
    for heading in ("### encoders", "### free, points, elsewhere", "### vector"):
        assert heading in told
    free = next(row for row in json.loads(path.read_text())["rows"] if row["part"] == "free")
    assert free["fails"]["(12) decoded"] == free["fails"]["(12) law_of_source"] == free["fails"]["sharper"] == 0
    assert told.endswith(run("theorems.py", "--show", str(path)))


def test_wide_grids(tmp_path):
    told = run("wide_grids.py", "--quick", "--solver", "ColumnGeneration", "--save", str(tmp_path / "figures.json"))
    assert "11 of 11 within 1e-08" in told


def test_paper_systems(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    from neural_data import lay_idx

    monkeypatch.setenv("RDCSOLVE_DATA", str(tmp_path))
    lay_idx(tmp_path)
    kept = [f"--{name}={tmp_path / name}" for name in ("systems", "outcomes")]
    command = (
        "--quick",
        "--blocks",
        "0",
        "1",
        "2",
        "--dataset",
        "any",
        "--device",
        "cpu",
        *kept,
        "--save",
        str(tmp_path / "a.json"),
    )
    assert "6 systems" in run("paper_systems.py", *command)
    content = json.loads((tmp_path / "a.json").read_text())
    names = [row["name"] for row in content["rows"]]
    kinds = ["conventional", "conventional", "universal", "universal", "conventional", "conventional"]
    assert [name.split("_")[0] for name in names] == kinds
    assert [name.endswith("_expected") for name in names] == [False] * 4 + [True] * 2
    assert all(
        row["measures"]["mse"][1] < row["measures"]["mse"][0] < row["measures"]["mse"][2] for row in content["rows"]
    )
    for folder, suffix in (("systems", ".pt"), ("outcomes", ".npz")):
        assert {f"{name}{suffix}" for name in names} <= {path.name for path in (tmp_path / folder).iterdir()}
    for name in names[2:4]:  # what is lost is done again, from the encoder in its folder, and nothing else is
        content["rows"] = [row for row in content["rows"] if row["name"] != name]
    (tmp_path / "a.json").write_text(json.dumps(content))
    told = run("paper_systems.py", *command)
    assert "6 systems" in told
    assert "conventional_" not in told
    assert [row["measures"] for row in json.loads((tmp_path / "a.json").read_text())["rows"]][:4] == [
        row["measures"] for row in content["rows"]
    ]


def test_paper_limits(tmp_path, monkeypatch):
    """From systems to limits to tables and a picture; parts of a distance are never negative, and add up."""
    for name in ("torch", "ot", "sklearn", "matplotlib"):
        pytest.importorskip(name)
    from neural_data import lay_idx

    monkeypatch.setenv("RDCSOLVE_DATA", str(tmp_path))
    lay_idx(tmp_path)
    systems, outcomes, measures, limits, picture = (tmp_path / x for x in ("s", "o", "a.json", "b.json", "b.png"))
    kept = (f"--systems={systems}", f"--outcomes={outcomes}", f"--save={measures}")
    run("paper_systems.py", "--quick", "--blocks", "0", "--dataset", "any", "--device", "cpu", *kept)
    given = (f"--outcomes={outcomes}", f"--classifier={systems / 'classifier.pt'}", f"--save={limits}")
    run("paper_limits.py", str(measures), "--quick", "--dataset", "any", *given)
    content = json.loads(limits.read_text())
    assert [one["words"] for one in content["quantisers"]] == [27] * len(content["quantisers"])
    assert len(content["standings"]) == 2
    for one in content["standings"].values():
        assert one["limit"][0] <= one["limit_at_rate"] + 1e-9
        assert one["best_decoder"] <= one["mse"] + 1e-9
        assert one["mmse"] <= one["best_decoder"] + 1e-9
        assert one["rate"] < 4.755 * 0.6932
    told = run("paper_figure.py", str(limits), "--figure", str(picture))
    assert told.count("| conventional, $\\lambda_c$") == 2
    assert picture.stat().st_size > 10_000
    assert run("paper_limits.py", str(measures), "--quick", "--dataset", "any", *given) == ""  # all of it is there


def test_paper_figure_of_the_kept_numbers(tmp_path):
    """What docs/explanation/mnist.md prints is in the repository, and is what the script makes of it."""
    for name in ("torch", "matplotlib"):
        pytest.importorskip(name)
    told = run("paper_figure.py", "--figure", str(tmp_path / "a.png"), "--parts", str(tmp_path / "b.png"))
    assert (tmp_path / "b.png").stat().st_size > 10_000
    page = (ROOT / "docs" / "explanation" / "mnist.md").read_text(encoding="utf-8")
    rows = [line for line in told.splitlines() if line.startswith("| conventional | ")]
    assert len(rows) == 8
    for head, n in (("| preset expected", 4), ("| bits |", 24)):
        block = told[told.index(head) :].split("\n\n")[0].splitlines()[2:]
        assert len(block) == n
        rows += block
    assert all(row in page for row in rows)


def test_grids(tmp_path):
    told = run("grids.py", "--quick", "--save", str(tmp_path / "figures.json"))
    assert "CERTIFIED" in told


def test_cost_of_check(tmp_path):
    told = run("cost_of_check.py", "--quick", "--repetitions", "2", "--save", str(tmp_path / "figures.json"))
    assert "| P1a_100, multiplier | 100 x 100 | OPTIMAL |" in told
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert all(0 < row["check"] < row["solution"] for row in rows)


def test_perception_speed(tmp_path):
    told = run("perception_speed.py", "--quick", "--repetitions", "1", "--save", str(tmp_path / "figures.json"))
    assert "| w2 | 40 | 0.3 | 0.01 | OPTIMAL |" in told
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert all(row["status"] == "OPTIMAL" and row["gap"] <= 1e-8 for row in rows)
    reach = run("perception_speed.py", "--quick", "--reach")
    assert reach.count("| OPTIMAL |") == 3


def test_published_perception(tmp_path):
    path = tmp_path / "figures.json"
    told = run("published_perception.py", "--quick", "--iterations", "50", "--save", str(path))
    assert told.count("| rdcsolve |") == 3
    rows = json.loads(path.read_text())
    rows = rows["rows"] if isinstance(rows, dict) else rows
    assert all(row["gap"] <= 1e-7 for row in rows if row["algorithm"] == "rdcsolve")
    assert all(row["gap"] >= -1e-12 for row in rows)


def test_many_classes(tmp_path):
    told = run("many_classes.py", "--quick", "--budget", "5", "--save", str(tmp_path / "figures.json"))
    assert "| 5 random classes | 3 | OPTIMAL, CERTIFIED |" in told
    (row,) = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert row["gap"] <= 1e-6 < row["without"]


def test_neural_realism(tmp_path, monkeypatch):
    """With a limit on perception the least squared error is no smaller, and no larger than the system's."""
    for name in ("torch", "ot", "sklearn"):
        pytest.importorskip(name)
    from neural_data import TINY, lay_idx

    from rdcsolve.neural import Experiment, run_experiment

    lay_idx(tmp_path)
    monkeypatch.setenv("RDCSOLVE_DATA", str(tmp_path))
    tiny = Experiment(dataset="any", preset=TINY, dimension=2, lambdas_c=(0, 0.05), lambda_p=0, n_seeds=1)
    run_experiment(tiny, tmp_path / "run", processes=1)
    for path in (tmp_path / "run").glob("universal_*"):  # what is not finished is left out
        path.unlink()
    options = (
        "--save",
        str(tmp_path / "a.json"),
        "--time-limit",
        "1",
        "--images",
        "20",
        "--dithers",
        "2",
        "--letters",
        "4",
    )
    told = run("neural_realism.py", str(tmp_path / "run"), "--perception", "w2", *options)
    assert told.count("| conventional_") == 2
    rows = json.loads((tmp_path / "a.json").read_text())["rows"]
    assert len(rows) == 2
    for row in rows:
        least, realistic = row["least distortion at the length"], row["least distortion as realistic"]
        assert realistic[2] >= least[1]
        assert realistic[1] <= row["distortion"][0]
        assert row["W2^2 of all samples"][0] > 0
    assert "CPU s" not in run(
        "neural_realism.py", str(tmp_path / "run"), "--perception", "w2", *options
    )  # all is there
