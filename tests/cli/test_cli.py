"""The command line: answers, exit codes, files, and a small demo."""

import importlib
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import rdcsolve as rdc
from rdcsolve.cli import app
from rdcsolve.cli.demo.command import run as run_demo
from rdcsolve.cli.demo.digits import Sizes
from rdcsolve.cli.files import write_problem
from rdcsolve.cli.screen import console, table
from rdcsolve.explore.record import read_dataset
from rdcsolve.files import read_arrays
from rdcsolve.problems.storage import problem_of

ROOT = Path(__file__).parents[2]
RUNNER = CliRunner()
COIN = {"p_x": [0.7, 0.3], "distortion": [[0, 1], [1, 0]], "loss_miss": [[0, 0], [1, 0]]}


def rdcsolve(*arguments):
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("coin.npz", **COIN)
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def samples(path="samples.csv"):
    x = np.linspace(-1, 1, 21)
    lines = [f"{value},{value**2},{int(value > 0)},{1 + k % 2}" for k, value in enumerate(x)]
    Path(path).write_text("\n".join(["a,b,class,w", *lines]))
    return path


def bounds(text, what="rate"):
    """The two numbers of "rate in [lower, upper]"."""
    found = re.search(rf"{what} in \[([-\d.e]+), ([-\d.e]+)\]", text)
    return float(found[1]), float(found[2])


# ---------------------------------------------------------------------------------------------- solve


def test_solve_prints_the_answer():
    done = rdcsolve("solve", "coin.npz", "--D", 0.1)
    assert done.exit_code == 0, done.output
    assert "OPTIMAL, CERTIFIED" in done.stdout
    lower, upper = bounds(done.stdout)
    assert lower <= upper
    assert abs(upper - 0.2857813) < 1e-6
    assert done.stderr == ""


def test_solve_in_bits():
    _, upper = bounds(rdcsolve("solve", "coin.npz", "--D", 0.1, "--bits").stdout)
    assert abs(upper * math.log(2) - 0.2857813) < 1e-6


def test_solve_with_other_objectives():
    done = rdcsolve("solve", "coin.npz", "--rate", 0.2, "--minimise", "miss", "--limit", "distortion=0.25")
    assert done.exit_code == 0, done.output
    assert bounds(done.stdout, "miss")[1] < 0.1
    done = rdcsolve("solve", "coin.npz", "--multiplier", "distortion=2", "--multiplier", "miss=1")
    assert done.exit_code == 0, done.output
    assert "Lagrangian in" in done.stdout


@pytest.mark.parametrize("solver", ["interior-point", "column-generation", "blahut-arimoto", "conic"])
def test_solve_with_each_solver(solver):
    if solver == "conic":
        pytest.importorskip("cvxpy")
    done = rdcsolve("solve", "coin.npz", "--D", 0.1, "--solver", solver, "--tolerance", 1e-5)
    assert done.exit_code == 0, done.output
    assert abs(bounds(done.stdout)[1] - 0.2857813) < 2e-5
    assert {"conic": "cvxpy"}.get(solver, solver.split("-")[0]) in done.stdout.lower()


def test_solve_tells_what_is_not_certified():
    np.savez("noisy.npz", p_x=[0.5, 0.5], distortion=[[0.1, 1], [1, 0.1]])
    done = rdcsolve("solve", "noisy.npz", "--D", 0.05)
    assert done.exit_code == 1
    assert "INFEASIBLE" in done.stdout
    assert "0.1" in done.stdout
    x = np.linspace(-3, 3, 41)
    np.savez("gauss.npz", p_x=np.exp(-(x**2)) / np.exp(-(x**2)).sum(), points=x)
    limited = ("--multiplier", "distortion=3", "--solver", "blahut-arimoto", "--max-steps", 2, "--tolerance", 1e-12)
    done = rdcsolve("solve", "gauss.npz", *limited)
    assert done.exit_code == 1
    assert "STEP_LIMIT" in done.stdout


def test_progress_goes_to_stderr():
    done = rdcsolve("solve", "coin.npz", "--D", 0.1, "--progress")
    assert "step" in done.stderr
    assert "lower bound" in done.stderr


def test_solve_interrupted_saves_what_is_known(monkeypatch):
    def interrupt(record):
        raise KeyboardInterrupt

    monkeypatch.setattr("rdcsolve.cli.solve._show_step", interrupt)
    done = rdcsolve("solve", "coin.npz", "--multiplier", "distortion=2", "--progress", "--save", "r.npz")
    assert done.exit_code == 130
    assert "what was known is saved in r.npz" in done.stderr
    assert rdc.load("r.npz").status is rdc.Status.INTERRUPTED


def test_counts_are_normalised_when_asked_or_integers():
    np.savez("counts.npz", **COIN | {"p_x": [7.0, 3.0]})
    np.savez("integers.npz", **COIN | {"p_x": [7, 3]})
    np.savez("places.npz", p_x=[7.0, 3.0], points=[0.0, 1.0], labels_0=[[9, 1], [2, 8]])
    np.save("table.npy", [[9, 1], [1, 9]])
    done = rdcsolve("solve", "counts.npz", "--D", 0.1)
    assert (done.exit_code, "p_x sums to 10" in done.stderr, "--normalise" in done.stderr) == (2, True, True)
    same = rdcsolve("solve", "counts.npz", "--normalise", "--D", 0.1)
    assert bounds(same.stdout) == pytest.approx(bounds(rdcsolve("solve", "coin.npz", "--D", 0.1).stdout), abs=1e-9)
    assert bounds(rdcsolve("solve", "integers.npz", "--D", 0.1).stdout) == bounds(same.stdout)
    done = rdcsolve("solve", "places.npz", "--classifier", "table.npy", "--normalise", "--limit", "classifier_loss=0.6")
    assert done.exit_code == 0, done.output


def test_csv_with_codebook_and_classifier():
    samples()
    letters = np.linspace(-1, 1, 5)
    np.savetxt("letters.csv", letters[:, None], delimiter=",")
    decisions = 1 / (1 + np.exp(4 * letters))
    np.save("decisions.npy", np.stack([decisions, 1 - decisions], axis=1))
    stated = ("samples.csv", "--column", "a", "--label", "class", "--weight", "w", "--reproduction", "letters.csv")
    done = rdcsolve("solve", *stated, "--classifier", "decisions.npy", "--D", 0.1, "--limit", "classifier_loss=0.4")
    assert done.exit_code == 0, done.output
    told = "n_x=21, dim=1, columns=(a), label columns=(class), weight column=w, n_letters=5"
    assert told in done.stdout
    assert "classifier_loss" in done.stdout


def test_csv_tells_what_its_columns_were_taken_for():
    Path("waits.csv").write_text(";wait;n\n0;1,5;a\n1;2,5;b\n")
    stated = ("waits.csv", "--decimal", ",", "--label", "n", "--D", 0.1)
    done = rdcsolve("solve", *stated)
    assert done.exit_code == 0, done.output
    assert "waits.csv: line 1 names the columns; coordinates wait; label n; not used (no name)\n" in done.stderr
    assert "Problem(n_x=2, dim=1, columns=(wait), label columns=(n), n_letters=2" in done.stdout
    Path("coin.csv").write_text("1\n2\n")
    assert "may name the columns" in rdcsolve("solve", "coin.csv").stderr
    tabs = RUNNER.invoke(app, ["solve", "-", "--no-header", "--delimiter", "tab", "--D", "0.1"], input="1\t2\n3\t4\n")
    assert tabs.exit_code == 0, tabs.output
    assert "standard input: no header, columns are called by their places from 0; coordinates 0, 1\n" in tabs.stderr


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (("solve", "coin.npz", "--D", 0.1, "--save", "/dev/null"), "it is a device"),
        (("solve", "coin.npz", "--D", 0.1, "--save-problem", "none/p.npz"), "the folder none does not exist); make it"),
        (("solve", "coin.npz", "--D", 0.1, "--save", "a.npz", "--save-problem", "./a.npz"), "two different things"),
        (("universal", "coin.npz", "--target", "D=0.1", "--save", "."), "it is a folder"),
        (("sweep", "coin.npz", "--axis", "D=0.1", "--plot", "curve"), "no ending of a picture"),
        (("sweep", "coin.npz", "--axis", "D=0.1", "--plot", "/dev/full.d/a.png"), "does not exist"),
        (
            ("sweep", "coin.npz", "--axis", "D=0.1", "--axis", "miss=0.1", "--axis", "rate=1", "--plot", "a.png"),
            "3 axes; a picture shows one or two",
        ),
        (("tradeoff", "coin.npz", "--rate", 0.2, "--plot", "a.txt"), "no ending of a picture"),
        (("figure", "3", "--save-plot", "none/a.png"), "the folder none does not exist"),
    ],
)
def test_targets_are_looked_at_before_the_work(monkeypatch, stated, message):
    import rdcsolve.cli.figure as figures

    def work(*arguments, **options):
        pytest.fail("work was done")

    monkeypatch.setattr(figures, "drawn", work)
    for module in ("rdcsolve.solvers", "rdcsolve.universal", "rdcsolve.explore"):
        for name in ("solve", "universal_rate", "sweep", "tradeoff"):
            if name in getattr(importlib.import_module(module), "__all__", ()):
                monkeypatch.setattr(f"{module}.{name}", work)
    before = set(Path().iterdir())
    done = rdcsolve(*stated)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert set(Path().iterdir()) == before


def test_a_pipe_is_read_once_and_its_names_are_saved():
    text = "x,c\n0,a\n1,b\n1,a\n"
    stated = ["--label", "c", "--rate", "0.1", "--points", "2"]
    done = RUNNER.invoke(
        app, ["tradeoff", "-", *stated], input=text
    )  # a trade-off looks at the label, for want of more
    assert done.exit_code == 0, done.output
    assert done.stderr == "standard input: line 1 names the columns; coordinates x; label c\n"
    wrong = RUNNER.invoke(app, ["tradeoff", "-", *stated[:-1], "1"], input=text)
    assert wrong.stderr.startswith("error: n_points is 1")
    done = RUNNER.invoke(app, ["solve", "-", "--label", "c", "--D", "0.1", "--save-problem", "problem.npz"], input=text)
    assert done.exit_code == 0, done.output
    again = rdcsolve("solve", "problem.npz")
    assert again.stdout.splitlines()[0] == done.stdout.splitlines()[0]
    assert again.stderr == "problem.npz: line 1 names the columns; coordinates x; label c\n"


def test_csv_of_words_from_a_pipe():
    stated = ["solve", "-", "--header", "--words", "--distortion", "hamming", "--D", "0.1"]
    done = RUNNER.invoke(app, stated, input="colour\nred\nred\ngreen\n")
    assert done.exit_code == 0, done.output
    lower, upper = bounds(done.stdout)
    entropy = [-p * math.log(p) - (1 - p) * math.log(1 - p) for p in (1 / 3, 0.1)]
    assert lower <= entropy[0] - entropy[1] + 1e-9
    assert upper >= entropy[0] - entropy[1] - 1e-9


def test_csv_with_kmeans_letters():
    samples()
    stated = ("samples.csv", "--column", "a", "--column", "b", "--distortion", "mean_squared_error")
    done = rdcsolve("solve", *stated, "--reproduction", 5, "--D", 0.05, "--seed", 1)
    assert done.exit_code == 0, done.output
    assert "n_letters=5" in done.stdout


BAD = {
    "no file": (("solve", "none.npz"), "none.npz does not exist"),
    "no csv": (("solve", "none.csv"), "none.csv does not exist"),
    "neither": (("solve", "x.txt.gz"), "is neither CSV nor npz"),
    "corrupt": (("solve", "corrupt.npz"), "corrupt.npz is damaged, pickled, or not a saved archive"),
    "single array": (("solve", "one.npz"), "is a single array; save the arrays by name"),
    "negative": (("solve", "coin.npz", "--D", -1), "the bound on distortion is -1"),
    "unknown loss": (("solve", "coin.npz", "--limit", "hit=1"), "unknown loss 'hit'"),
    "not a pair": (("solve", "coin.npz", "--limit", "miss"), "--limit 'miss' is not NAME=VALUE"),
    "limited twice": (("solve", "coin.npz", "--limit", "miss=1", "--limit", "miss=2"), "names 'miss' twice"),
    "D twice": (("solve", "coin.npz", "--D", 1, "--limit", "distortion=2"), "limited by --D and by --limit"),
    "both": (("solve", "coin.npz", "--D", 1, "--multiplier", "miss=2"), "--multiplier replaces limits"),
    "no rate": (("solve", "coin.npz", "--minimise", "miss"), "needs a limit on the rate"),
    "matrix and name": (("solve", "coin.npz", "--distortion", "hamming"), "--distortion has no use; leave it out"),
    "tolerance": (("solve", "coin.npz", "--tolerance", 0), "tolerance is 0"),
    "letters": (("solve", "samples.csv", "--reproduction", "none.npy"), "none.npy cannot be read"),
    "too many letters": (
        ("solve", "samples.csv", "--column", "a", "--reproduction", 99),
        "size is 99 but there are 21",
    ),
    "column": (("solve", "samples.csv", "--column", "z"), "has no column 'z'"),
    "distortion": (("solve", "samples.csv", "--distortion", "cubic"), "unknown distortion 'cubic'"),
    "axis": (("sweep", "coin.npz", "--axis", "D=a,b"), "--axis 'D=a,b' is not understood"),
    "axis twice": (("sweep", "coin.npz", "--axis", "D=1", "--axis", "D=2"), "--axis 'D' is given twice"),
    "axis spacing": (("sweep", "coin.npz", "--axis", "D=0.1:1:3:cubic"), "is not understood"),
    "axis of too many": (
        ("sweep", "coin.npz", "--axis", "D=0.1:0.2:100000000000"),
        "asks for 100000000000 points",
    ),
    "axis of none": (("sweep", "coin.npz", "--axis", "D=0.1:0.2:0"), "asks for 0 points; ask for 1 to"),
    "axis without end": (("sweep", "coin.npz", "--axis", "D=0.1:inf:3"), "ends that no grid lies between"),
    "axis from zero": (("sweep", "coin.npz", "--axis", "D=0:1:3:log"), "ends that no grid lies between"),
    "misspelt limit": (("solve", "slip.npz", "--D", "0.2"), "did you mean bound_distortion?"),
    "limit of a source": (("solve", "source.npz", "--D", "0.2"), "bound_distortion but no distortion; add the matrix"),
    "axis loss": (("sweep", "coin.npz", "--axis", "hit=1"), "unknown loss 'hit'"),
    "folder": (("sweep", "coin.npz", "--axis", "D=0.1", "--save", "none/a.nc"), "was not written"),
    "save": (("solve", "coin.npz", "--D", 0.1, "--save", "none/r.npz"), "none/r.npz"),
    "no result": (("verify", "none.npz", "coin.npz"), "none.npz does not exist"),
    "not a result": (("verify", "coin.npz", "coin.npz"), "coin.npz"),
    "out": (("demo", "--out", "one.npz"), "one.npz cannot be made"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case):
    Path("corrupt.npz").write_bytes(b"PK\x03\x04 not really")
    with open("one.npz", "wb") as stream:
        np.save(stream, np.zeros(3))
    np.savez("slip.npz", **COIN, bond_distortion=0.01)
    np.savez("source.npz", p_x=[0.5, 0.5], points=[0.0, 1.0], bound_distortion=0.1)
    samples()
    arguments, message = BAD[case]
    before = set(Path().iterdir())
    done = rdcsolve(*arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.output
    assert set(Path().iterdir()) == before


# ---------------------------------------------------------------------------------------------- archives


@pytest.mark.parametrize(
    "vary",
    [
        lambda problem: problem,
        lambda problem: problem.with_limits(D=0.1, miss=0.05, rate=2.0),
        lambda problem: problem.minimising("miss", rate=0.1),
        lambda problem: problem.at_multipliers(distortion=2.0, miss=0.5),
    ],
)
def test_a_problem_survives_its_archive(vary):
    source = rdc.Source([0.0, 1.0], [0.7, 0.3], labels=[np.eye(2), [[0.5, 0.5], [0.1, 0.9]]])
    problem = vary(rdc.Problem(source, [0.0, 0.5, 1.0], limits=[rdc.LossLimit(math.inf, np.ones((2, 3)), "miss")]))
    write_problem(problem, Path("problem.npz"))
    again = problem_of(read_arrays(Path("problem.npz")), "again")
    assert again.fingerprint() == problem.fingerprint()
    assert again.bounds.tolist() == problem.bounds.tolist()
    assert again.rate_bound == problem.rate_bound
    assert again.objective == problem.objective
    np.testing.assert_array_equal(again.reproduction, problem.reproduction)
    np.testing.assert_array_equal(again.source.labels[1], source.labels[1])
    if problem.multipliers is not None:
        assert again.multipliers.tolist() == problem.multipliers.tolist()


def test_a_problem_on_a_grid_is_stated_solved_and_verified_by_its_axes():
    axes = [np.linspace(-1, 1, 5), np.linspace(-1, 1, 4)]
    problem = rdc.Problem(rdc.sources.grid(np.full((5, 4), 0.05), axes)).with_limits(D=0.2)
    write_problem(problem, Path("grid.npz"))
    done = rdcsolve("solve", "grid.npz", "--save", "result.npz")
    assert done.exit_code == 0, done.output
    assert rdcsolve("verify", "result.npz", "grid.npz").exit_code == 0
    assert rdc.load("result.npz").fingerprint == problem.fingerprint()


def test_unit_and_cross_entropies_survive_their_archive():
    labels = [np.array([[0.9, 0.1], [0.2, 0.8]])]
    source = rdc.Source([0.0, 1.0], [0.5, 0.5], labels=labels)
    limit = rdc.ClassifierLossLimit(0.8, [[0.7, 0.3], [0.3, 0.7]])
    problem = rdc.Problem(source, distortion="hamming", limits=[limit], unit="bit")
    write_problem(problem, Path("problem.npz"))
    again = problem_of(read_arrays(Path("problem.npz")), "again")
    assert again.unit == "bit"
    assert again.information_losses == problem.information_losses == ("classifier_loss",)
    assert again.bounds.tolist() == problem.bounds.tolist()


def test_faulty_archives():
    faults = {
        "no p_x": ({"distortion": np.eye(2)}, "holds distortion but no p_x"),
        "bound": (COIN | {"bound_hit": 1.0}, "holds bound_hit but no loss of that name"),
        "shape": (COIN | {"bound_miss": [1.0, 2.0]}, r"bound_miss has shape \(2,\)"),
    }
    for arrays, message in faults.values():
        np.savez("faulty.npz", **arrays)
        done = rdcsolve("solve", "faulty.npz")
        assert done.exit_code == 2
        assert re.search(message, done.stderr)


def test_a_full_disk_leaves_no_half_problem(monkeypatch):
    def full(stream, **arrays):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    done = rdcsolve("solve", "coin.npz", "--D", 0.1, "--save-problem", "problem.npz")
    assert done.exit_code == 2
    assert "No space left" in done.stderr
    assert {one.name for one in Path().iterdir()} == {"coin.npz"}


# ---------------------------------------------------------------------------------------------- verify


def test_verify_what_solve_saved():
    stated = ("coin.npz", "--D", 0.1, "--limit", "miss=0.05")
    assert rdcsolve("solve", *stated, "--save", "result.npz", "--save-problem", "problem.npz").exit_code == 0
    for arguments in (("result.npz",), ("result.npz", "problem.npz"), ("result.npz", *stated)):
        done = rdcsolve("verify", *arguments)
        assert done.exit_code == 0, done.output
        assert "valid" in done.stdout


def test_verify_rigorously():
    pytest.importorskip("flint")
    rdcsolve("solve", "coin.npz", "--D", 0.1, "--save", "result.npz")
    done = rdcsolve("verify", "result.npz", "coin.npz", "--D", 0.1, "--ball")
    assert done.exit_code == 0, done.output
    assert "ball" in done.stdout


def test_verify_refutes():
    rdcsolve("solve", "coin.npz", "--D", 0.1, "--save", "result.npz")
    done = rdcsolve("verify", "result.npz", "coin.npz", "--D", 0.05)
    assert done.exit_code == 1
    assert "refuted" in done.stderr


def test_verify_needs_the_same_losses():
    rdcsolve("solve", "coin.npz", "--D", 0.1, "--save", "result.npz")
    assert rdcsolve("verify", "result.npz").exit_code == 2
    np.savez("other.npz", p_x=[0.6, 0.4], distortion=[[0, 1], [1, 0]])
    done = rdcsolve("verify", "result.npz", "other.npz", "--D", 0.1)
    assert done.exit_code == 2
    assert "Traceback" not in done.output


# ---------------------------------------------------------------------------------------------- sweep


def test_sweep_writes_numbers_and_a_picture():
    done = rdcsolve("sweep", "coin.npz", "--axis", "D=0.05:0.2:4", "--save", "a.nc", "--plot", "a.png", "--bits")
    assert done.exit_code == 0, done.output
    data = read_dataset("a.nc")
    np.testing.assert_allclose(data["D"], [0.05, 0.1, 0.15, 0.2])
    assert data["rate_upper"].attrs["units"] == "bit"
    one = rdc.solve(rdc.Problem.from_arrays(COIN["p_x"], COIN["distortion"], D=0.1))
    assert abs(float(data["rate_upper"][1]) - one.rate_upper / math.log(2)) < 1e-8
    assert f"{float(data['rate_upper'][1]):.9f}" in done.stdout
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_sweep_of_a_surface_over_log_spaced_limits():
    axes = ("--axis", "D=0.05:0.2:3:log", "--axis", "miss=0.05,0.1")
    done = rdcsolve("sweep", "coin.npz", *axes, "--plot", "b.pdf")
    assert done.exit_code == 0, done.output
    np.testing.assert_allclose(read_dataset("sweep.nc")["D"], [0.05, 0.1, 0.2])
    assert Path("b.pdf").exists()
    assert json.loads(read_dataset("sweep.nc").attrs["statement"])["objective"] == "rate"


def test_a_band_places_the_points_of_a_curve():
    done = rdcsolve("sweep", "coin.npz", "--axis", "D=0.05,0.25", "--band", 0.01, "--save", "band.nc")
    assert done.exit_code == 0, done.output
    assert read_dataset("band.nc").attrs["band"] <= 0.01
    refused = rdcsolve("sweep", "coin.npz", "--axis", "D=0.1", "--band", 0.01)
    assert refused.exit_code == 2
    assert "two ends" in refused.output


def test_a_long_sweep_is_summed_up():
    done = rdcsolve("sweep", "coin.npz", "--axis", "D=0.31:0.9:101")
    assert "101 OPTIMAL" in done.stdout


def test_an_interrupted_sweep_tells_what_is_saved(monkeypatch):
    rdc.sweep  # noqa: B018  (loads the module)
    module = sys.modules["rdcsolve.explore.sweep"]
    real, calls = module.solve, []

    def interrupted(*arguments, **options):
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(arguments)
        return real(*arguments, **options)

    monkeypatch.setattr(module, "solve", interrupted)
    done = rdcsolve("sweep", "coin.npz", "--axis", "D=0.05:0.2:4")
    assert done.exit_code == 130
    assert "2 of 4 points are saved in sweep.nc; run again to go on" in done.stderr
    monkeypatch.setattr(module, "solve", real)
    done = rdcsolve("sweep", "coin.npz", "--axis", "D=0.05:0.2:4")
    assert done.exit_code == 0
    assert done.stdout.count("OPTIMAL") == 4


@pytest.mark.parametrize("command", [("sweep", "--axis", "D=0.05:0.2:4"), ("tradeoff", "--rate", "0.2")])
def test_limits_on_the_time_and_the_steps_of_all_points(command):
    name, *options = command
    done = rdcsolve(name, "coin.npz", *options, "--time-limit", "1e-9", "--save", "cut.nc")
    assert done.exit_code == 1
    assert "points were not begun: the time was up" in done.stderr
    assert rdcsolve(name, "coin.npz", *options, "--save", "cut.nc").exit_code == 0
    done = rdcsolve(name, "coin.npz", *options, "--max-steps", "1", "--tolerance", "1e-12", "--save", "short.nc")
    assert done.exit_code == 1
    assert "did not reach the gap" in done.stderr
    done = rdcsolve(name, "coin.npz", *options, "--time-limit", "0", "--save", "none.nc")
    assert done.exit_code == 2
    assert "time_limit is 0" in done.stderr


def test_a_sweep_that_is_not_certified():
    x = np.linspace(-3, 3, 9)
    np.savez("gauss.npz", p_x=np.exp(-(x**2)) / np.exp(-(x**2)).sum(), points=x)
    options = ("--solver", "blahut-arimoto", "--tolerance", 1e-15, "--multiplier", "distortion=1")
    done = rdcsolve("sweep", "gauss.npz", "--axis", "distortion=3", *options)
    assert done.exit_code == 1
    assert "1 of 1 points did not reach the gap" in done.stderr


# ---------------------------------------------------------------------------------------------- the rest


def test_info_and_version():
    done = rdcsolve("info")
    assert done.exit_code == 0, done.output
    extras = ["extra conic", "extra ball", "extra transport", "extra neural"]
    for word in ("rdcsolve", "numpy", "numba threads", "blas", *extras):
        assert word in done.stdout
    assert rdcsolve("--version").stdout.startswith("rdcsolve ")


def test_help_needs_no_solver():
    code = "import sys; from rdcsolve.cli import app; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"scipy", "numba", "matplotlib", "xarray", "sklearn"} & set(done.stdout.split())
    for command in ("demo", "solve", "sweep", "tradeoff", "verify", "info"):
        assert rdcsolve(command, "--help").exit_code == 0


def test_piped_tables_have_no_frames_or_colours(capsys):
    screen = console()
    shown = table(screen, "title [nat]", "name", "value", text=1)
    shown.add_row("a", "[1]")
    screen.print(shown)
    text = capsys.readouterr().out
    assert "title [nat]" in text
    assert "[1]" in text
    assert text.isascii()
    assert "\x1b" not in text


SMALL = Sizes(
    n_letters=12,
    n_images=40,
    distortion_limits=(0.05, 0.07, 0.09),
    cross_entropy_limits=(0.3, 1.0, 5.0),
    rates=(0.5, 1.0),
    n_tradeoff=4,
    n_stretches=2,
    saved=(0.07, 1.0),
)


@pytest.mark.parametrize("processes", [1, 2])
def test_small_demo(tmp_path, capsys, processes):
    out = tmp_path / "demo"
    assert run_demo(out, SMALL, processes, console())
    told = capsys.readouterr().out
    assert "17 points certified" in told
    assert {one.name for one in out.iterdir()} == {
        "demo.png",
        "problem.npz",
        "result.npz",
        "surface.nc",
        "tradeoff.nc",
    }
    assert rdcsolve("verify", out / "result.npz").exit_code == 0
    boundaries = read_dataset(out / "tradeoff.nc")
    assert dict(boundaries["objective_upper"].sizes) == {"rate": 2, "point": 4}
    assert (boundaries["proof"] == "CERTIFIED").all()


def test_an_interrupted_demo_goes_on(tmp_path, monkeypatch):
    rdc.sweep  # noqa: B018  (loads the module)
    module = sys.modules["rdcsolve.explore.sweep"]
    out, real, calls = tmp_path / "demo", module.solve, []

    def counting(*arguments, **options):
        calls.append(arguments)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return real(*arguments, **options)

    monkeypatch.setattr(module, "solve", counting)
    with pytest.raises(KeyboardInterrupt) as interrupt:
        run_demo(out, SMALL, 1, console())
    assert "3 of 9 points are saved" in interrupt.value.__notes__[0]

    def stop(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("rdcsolve.cli.demo.run.tradeoffs", stop)
    with pytest.raises(KeyboardInterrupt):
        run_demo(out, SMALL, 1, console())
    assert len(calls) == 4 + 6
    assert [one.name for one in out.iterdir()] == ["surface.nc"]


def test_limits_on_the_law_of_the_reproduction():
    answer = rdcsolve("solve", "coin.npz", "--D", "0.2", "--P", "0.05", "--save", "r.npz", "--save-problem", "p.npz")
    assert answer.exit_code == 0, answer.output
    lower, upper = bounds(answer.output)
    assert lower <= 0.120227319891 + 1e-9
    assert upper >= 0.120227319891 - 1e-9
    assert "perception 0.0" in answer.output
    assert rdcsolve("verify", "r.npz", "p.npz").exit_code == 0
    exact = rdcsolve("solve", "coin.npz", "--D", "0.2", "--perception", "exact")
    assert exact.exit_code == 0, exact.output
    assert bounds(exact.output)[0] > upper
    for options, message in ((("mmd",), "--kernel-width"), (("tv", "--kernel-width", "1"), "--perception mmd")):
        refused = rdcsolve("solve", "coin.npz", "--P", "0.05", "--perception", *options)
        assert refused.exit_code == 2
        assert message in refused.output
    twice = rdcsolve("solve", "coin.npz", "--P", "0.05", "--limit", "P=0.1")
    assert twice.exit_code == 2
    assert "--P" in twice.output
    both = rdcsolve("solve", "coin.npz", "--D", "0.2", "--perception", "tv=0.05", "--perception", "kl=0.001")
    assert both.exit_code == 0, both.output
    assert "  kl 0.000" in both.output
    assert bounds(both.output)[1] > upper
    for options, message in ((("kl=x",), "kl=x"), (("tv=0.1", "--P", "0.1"), "--P"), (("tv:kind=0.1",), "'kind'")):
        refused = rdcsolve("solve", "coin.npz", "--perception", *options)
        assert refused.exit_code == 2
        assert message in refused.output
    curve = rdcsolve("sweep", "coin.npz", "--D", "0.2", "--axis", "P=0.01:0.1:3", "--save", "curve.nc")
    assert curve.exit_code == 0, curve.output
    data = read_dataset("curve.nc")
    assert data.losses.sel(loss="perception").values == pytest.approx([0.01, 0.055, 0.1])
    assert (np.diff(data.rate_upper.values) < 0).all()


def test_a_decoder_that_sees_something_else():
    np.save("seen.npy", np.array([[0.8, 0.2], [0.2, 0.8]]))
    free = rdcsolve("solve", "coin.npz", "--observation", "seen.npy", "--save", "seen.npz")
    assert free.exit_code == 0, free.output
    assert rdc.load("seen.npz").objective_upper == pytest.approx(0.2, abs=1e-9)
    real = rdcsolve("solve", "coin.npz", "--observation", "seen.npy", "--P", "0", "--save", "real.npz")
    assert real.exit_code == 0, real.output
    assert rdc.load("real.npz").objective_upper == pytest.approx(0.221053, abs=1e-6)
    coded = rdcsolve("solve", "coin.npz", "--observation", "seen.npy", "--D", "0.25", "--minimise", "rate")
    assert coded.exit_code == 0, coded.output
    assert "rate in [" in coded.output


def test_classes_that_look_like_themselves(tmp_path):
    source = rdc.Source(np.arange(3.0), [0.3, 0.4, 0.3], labels=[[[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]])
    np.savez("three.npz", p_x=source.p_x, points=source.points, labels_0=source.labels[0])
    words = ("solve", "three.npz", "--D", "1", "--perception", "tv:0", "--P", "0.1")
    answer = rdcsolve(*words, "--save", "classes.npz")
    assert answer.exit_code == 0, answer.output
    assert rdc.load("classes.npz").perceptions["perception_1"] <= 0.1


def test_a_distortion_perception_curve():
    for options in (("--loss", "P"), ("--loss", "D", "--minimise", "P", "--perception", "tv")):
        answer = rdcsolve(
            "tradeoff", "coin.npz", *options, "--rate", "0.15", "--points", "3", "--save", f"{options[1]}.nc"
        )
        assert answer.exit_code == 0, answer.output
    over_p, over_d = read_dataset("P.nc"), read_dataset("D.nc")
    assert over_p.perception.values[0] == 0
    assert over_d.distortion.values[-1] == pytest.approx(over_p.objective_upper.values[0], abs=1e-7)


# ---------------------------------------------------------------------------------------------- one-shot


def test_one_shot_codes_beside_long_blocks():
    done = rdcsolve("one-shot", "coin.npz", "--D", 0.1)
    assert done.exit_code == 0, done.output
    entropy = -0.3 * math.log(0.3) - 0.7 * math.log(0.7)
    assert abs(bounds(done.stdout)[1] - entropy * 2 / 3) < 1e-9
    assert abs(bounds(done.stdout, "long blocks: rate")[1] - 0.2857813) < 1e-6
    assert "0.333333" in done.stdout
    assert rdcsolve("one-shot", "coin.npz", "--D", 0.1, "--messages", 1).exit_code == 1
    assert "n_words is 0" in rdcsolve("one-shot", "coin.npz", "--messages", 0).stderr


# ---------------------------------------------------------------------------------------------- audit


def test_audit_of_a_codec_in_a_file():
    x = np.repeat(np.linspace(0, 1, 12), 20)[:, None]
    np.savez("codec.npz", x=x, x_hat=np.round(x * 3) / 3, messages=np.round(x[:, 0] * 3).astype(int), lengths=2.0)
    done = rdcsolve("audit", "codec.npz", "--bits", "--target", "D=0.02", "--perception", "w2", "--plot", "parts.png")
    assert done.exit_code == 0, done.output
    assert "least distortion at the length" in done.stdout
    assert "least rate as realistic" in done.stdout
    assert "encoder serves distortion <= 0.02" in done.stdout or "encoder serves D <= 0.02" in done.stdout
    assert Path("parts.png").stat().st_size > 1000
    np.savez("other.npz", x=x, y=x)
    refused = rdcsolve("audit", "other.npz")
    assert refused.exit_code == 2
    assert "other.npz holds y" in refused.stderr
    refused = rdcsolve("audit", "codec.npz", "--plot", "parts.xyz")
    assert refused.exit_code == 2
    assert refused.stdout == ""
    assert "no ending of a picture" in refused.stderr
    unattainable = rdcsolve("audit", "codec.npz", "--bits", "--target", "D=0.0001")
    assert unattainable.exit_code == 0
    assert "no codec meets these limits" in unattainable.stdout


def test_audit_of_a_codec_in_a_table():
    """The same codec in CSV has the same numbers; letters come from a file of their own, pictures and pages go out."""
    x = np.repeat(np.linspace(0, 1, 12), 20)
    z = np.round(x * 3).astype(int)
    weights = np.arange(240) % 5
    np.savez("codec.npz", x=x, x_hat=z / 3, messages=z, lengths=2.0, weights=weights)
    rows = [f"{a!r},{b / 3!r},word {b},2,{w}" for a, b, w in zip(x.tolist(), z.tolist(), weights, strict=True)]
    Path("codec.csv").write_text("\n".join(["x,x_hat,message,length,weight", *rows]))
    np.savetxt("letters.csv", np.linspace(0, 1, 9))
    for options in ([], ["--letters", "letters.csv"]):
        one, other = (rdcsolve("audit", f"codec.{kind}", "--bits", *options) for kind in ("npz", "csv"))
        assert one.exit_code == other.exit_code == 0, other.output
        assert one.stdout == other.stdout
    drawn = rdcsolve("audit", "codec.csv", "--bits", "--curve", "curve.png", "--html", "page.html")
    assert drawn.exit_code == 0, drawn.output
    assert Path("curve.png").stat().st_size > 1000
    assert "encoder&#x27;s randomness" in Path("page.html").read_text()
    Path("other.csv").write_text("x,y\n1,2")
    assert "other.csv has a column 'y'" in rdcsolve("audit", "other.csv").stderr
    assert "two different things" in rdcsolve("audit", "codec.csv", "--curve", "a.png", "--plot", "a.png").stderr


@pytest.mark.parametrize(
    ("message", "typed"),
    [
        ("say header=True or header=False", "say --header or --no-header"),
        ("x; pass normalise=True, or distortion='hamming'.", "x; pass --normalise, or --distortion hamming."),
        ("pass labels=, or say delimiter=';'", "pass --label, or say --delimiter ';'"),
        ("add RateLimit(...)", "add --rate"),
        ("write for instance distortion=0.1", "write for instance distortion=0.1"),
        ("pass reference=ReferenceKernel", "pass reference=ReferenceKernel"),
    ],
)
def test_arguments_are_told_as_options(message, typed):
    from rdcsolve.cli.outcomes import _as_typed

    options = {"header", "normalise", "distortion", "label", "delimiter", "reference_kernel"}
    assert _as_typed(message, options) == typed
