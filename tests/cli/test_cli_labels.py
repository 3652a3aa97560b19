"""Label entropies on the command line: stating them, trade-offs, archives, and what is not certified."""

import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import rdcsolve as rdc
from rdcsolve.cli import app
from rdcsolve.cli.files import write_problem
from rdcsolve.explore.record import read_dataset
from rdcsolve.files import read_arrays
from rdcsolve.problems.storage import problem_of

RUNNER = CliRunner()
LABELLED = {"p_x": [0.6, 0.4], "distortion": [[0, 1], [1, 0]], "labels_0": [[0.9, 0.1], [0.2, 0.8]]}
TOLERANCE = ("--tolerance", 1e-7)
LOOSE = ("--tolerance", 1e-5)
CSV = ("samples.csv", "--column", "a", "--label", "class", "--reproduction", 5)


def rdcsolve(*arguments):
    return RUNNER.invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("coin.npz", **LABELLED)
    bent = {"p_x": [0.7, 0.3], "distortion": [[0, 0], [1, 0]], "labels_0": [[0.7, 0.3], [1.0, 0.0]]}
    np.savez("bent.npz", **bent)
    x = np.linspace(-1, 1, 21)
    lines = [f"{value},{int(value + 0.4 * (-1) ** k > 0)},{k % 3}" for k, value in enumerate(np.round(x, 1))]
    Path("samples.csv").write_text("\n".join(["a,class,other", *lines]))
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def six_classes(path="six.npz"):
    rng = np.random.default_rng(0)
    np.savez(path, p_x=rng.dirichlet(np.ones(12)), distortion=np.zeros((12, 1)), labels_0=rng.dirichlet([0.3] * 6, 12))
    return path


# ---------------------------------------------------------------------------------------------- solve, verify


def test_a_csv_with_a_label_is_solved_and_verified():
    stated = (*CSV, "--D", 0.2, "--C", 0.6)
    done = rdcsolve("solve", *stated, *TOLERANCE, "--save", "r.npz", "--save-problem", "problem.npz")
    assert done.exit_code == 0, done.output
    assert "OPTIMAL, CERTIFIED" in done.stdout
    assert rdc.load("r.npz").label_entropy <= 0.6
    for arguments in (("r.npz",), ("r.npz", *stated)):
        done = rdcsolve("verify", *arguments)
        assert done.exit_code == 0, done.output
        assert "valid" in done.stdout
    done = rdcsolve("verify", "r.npz", *CSV, "--D", 0.2, "--C", 0.1)
    assert done.exit_code == 1
    assert "exceeds the limit 0.1 on label_entropy" in done.stdout


def test_two_labels_are_limited_in_order():
    done = rdcsolve("solve", *CSV, "--label", "other", "--D", 0.4, "--C", 0.65, "--C", 1.05, *LOOSE)
    assert done.exit_code == 0, done.output
    assert "label_entropy <= 0.65, label_entropy_1 <= 1.05" in done.stdout
    done = rdcsolve("solve", *CSV, "--label", "other", "--limit", "label_entropy_1=1.05", *LOOSE)
    assert "label_entropy not limited, label_entropy_1 <= 1.05" in done.stdout
    done = rdcsolve("solve", *CSV, "--label", "other", "--C", 0.65)
    assert done.exit_code == 2
    assert "2 label entropies (label_entropy, label_entropy_1); give one each" in done.stderr


def test_matrices_with_labels():
    done = rdcsolve("solve", "coin.npz", "--C", 0.45, "--D", 0.3, *TOLERANCE, "--save", "r.npz")
    assert done.exit_code == 0, done.output
    assert rdcsolve("verify", "r.npz", "coin.npz", "--C", 0.45, "--D", 0.3).exit_code == 0
    expected = rdc.Problem.from_arrays(LABELLED["p_x"], LABELLED["distortion"], LABELLED["labels_0"], D=0.3, C=0.45)
    assert rdc.load("r.npz").rate_upper == pytest.approx(rdc.solve(expected, tolerance=1e-7).rate_upper, abs=2e-7)
    assert "label_entropy" not in rdcsolve("solve", "coin.npz", "--D", 0.3).stdout


def test_multipliers_by_short_names():
    done = rdcsolve("solve", "coin.npz", "--multiplier", "C=2", "--multiplier", "D=1", *TOLERANCE)
    assert done.exit_code == 0, done.output
    assert "1 * distortion + 2 * label_entropy" in done.stdout


def test_stationary_points_are_not_certified():
    done = rdcsolve("solve", "bent.npz", "--D", 0, "--C", 0.47, "--letters", "fixed", *TOLERANCE, "--save", "r.npz")
    assert done.exit_code == 1
    assert "not certified: STATIONARY, a stationary point" in done.stderr
    verified = rdcsolve("verify", "r.npz", "bent.npz", "--D", 0, "--C", 0.47, "--letters", "fixed")
    assert verified.exit_code == 0, verified.output
    assert rdcsolve("solve", "bent.npz", "--D", 0, "--C", 0.47, *TOLERANCE).exit_code == 0


def test_unproved_bounds_are_not_certified():
    done = rdcsolve("solve", six_classes(), "--multiplier", "C=3", "--tolerance", 1e-6)
    assert done.exit_code == 0, done.output
    unproved = ("--tolerance", 1e-6, "--proof-budget", 0)
    done = rdcsolve("solve", six_classes(), "--multiplier", "C=3", *unproved)
    assert done.exit_code == 1
    assert "OPTIMAL, UNVERIFIED" in done.stdout
    assert "not certified: UNVERIFIED, the upper bound is attained" in done.stderr
    done = rdcsolve("sweep", "six.npz", "--multiplier", "C=1", "--axis", "C=0.5,3", *unproved)
    assert done.exit_code == 1
    assert "1 of 2 points are not CERTIFIED: their lower bounds rest on an unproved search" in done.stderr
    assert done.stdout.count("UNVERIFIED") == 1
    assert done.stdout.count("CERTIFIED") == 1


BAD = {
    "no label": (("solve", "samples.csv", "--column", "a", "--C", 0.5), "no label; name its column with --label"),
    "no label, axis": (("sweep", "samples.csv", "--column", "a", "--axis", "C=0.5"), "name its column with --label"),
    "twice": (("solve", "coin.npz", "--C", 0.5, "--limit", "label_entropy=0.5"), "label_entropy is stated twice"),
    "letters": (("solve", "coin.npz", "--C", 0.5, "--letters", "loose"), "unknown kind of letters 'loose'"),
    "both names": (
        ("solve", "coin.npz", "--multiplier", "C=1", "--multiplier", "label_entropy=2"),
        "the multiplier of label_entropy is stated twice; give it once",
    ),
    "solver": (("solve", "coin.npz", "--C", 0.5, "--solver", "conic"), "leave solver out"),
    "no rate": (("tradeoff", "coin.npz"), "state it with --rate, in nats"),
    "multiplier": (("tradeoff", "coin.npz", "--rate", 0.2, "--multiplier", "D=1"), "--multiplier has no use"),
    "one loss": (("tradeoff", "samples.csv", "--column", "a", "--rate", 0.2), "no loss besides 'distortion'"),
    "points": (("tradeoff", "coin.npz", "--rate", 0.2, "--points", 1), "n_points is 1"),
    "itself": (("tradeoff", "coin.npz", "--rate", 0.2, "--loss", "D"), "unknown loss to limit 'distortion'"),
    "folder": (("tradeoff", "coin.npz", "--rate", 0.2, "--save", "none/a.nc", *TOLERANCE), "was not written"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case):
    arguments, message = BAD[case]
    before = set(Path().iterdir())
    done = rdcsolve(*arguments)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert set(Path().iterdir()) == before


# ---------------------------------------------------------------------------------------------- archives


@pytest.mark.parametrize(
    "vary",
    [
        lambda problem: problem.with_limits(D=0.3, C=[0.5, math.inf]),
        lambda problem: problem.with_limits(D=0.3).minimising("lost", rate=0.1),
        lambda problem: problem.at_multipliers(distortion=2.0, label_entropy=0.5),
    ],
)
@pytest.mark.parametrize("letters", ["split", "fixed"])
def test_a_problem_with_label_entropies_survives_its_archive(vary, letters):
    labels = [LABELLED["labels_0"], [[0.5, 0.5], [0.1, 0.9]]]
    limits = [rdc.LabelEntropyLimit(math.inf), rdc.LabelEntropyLimit(math.inf, 1, "lost")]
    source = rdc.Source(None, LABELLED["p_x"], labels=labels)
    problem = vary(rdc.Problem(source, None, LABELLED["distortion"], limits, letters=letters))
    write_problem(problem, Path("problem.npz"))
    again = problem_of(read_arrays(Path("problem.npz")), "again")
    assert again.fingerprint() == problem.fingerprint()
    assert again.loss_names == ("distortion", "label_entropy", "lost")
    assert again.bounds.tolist() == problem.bounds.tolist()
    assert again.letters == letters
    assert again.objective == problem.objective
    assert [label.label for label in again.label_entropies] == [0, 1]


def test_free_letters_are_solved_saved_and_verified():
    stated = ("samples.csv", "--column", "a", "--label", "class", "--reproduction", "free", "--D", 0.2, "--C", 0.6)
    done = rdcsolve("solve", *stated, *LOOSE, "--save", "r.npz", "--save-problem", "problem.npz")
    assert done.exit_code == 0, done.output
    held = rdc.load("r.npz")
    assert held.reproduction.shape == (held.letters.size, 1)
    for arguments in (("r.npz",), ("r.npz", *stated)):
        done = rdcsolve("verify", *arguments)
        assert done.exit_code == 0, done.output
        assert "valid" in done.stdout
    again = problem_of(read_arrays(Path("problem.npz")), "again")
    assert again.free is not None
    assert again.fingerprint() == held.fingerprint


def test_an_archive_states_limits_that_options_override():
    np.savez("stated.npz", **LABELLED, entropy_unread=0, bound_unread=0.45, letters="fixed")
    assert "unread <= 0.45" in rdcsolve("solve", "stated.npz", *TOLERANCE).stdout
    done = rdcsolve("solve", "stated.npz", "--C", 0.5, "--letters", "split", *TOLERANCE)
    assert "unread <= 0.5" in done.stdout
    assert "exchange" in done.stdout
    faults = {
        "entropy_unread=1": "about label 1 but the source has",
        "entropy_unread=0.5": "must be the number of a label",
    }
    for stated, message in faults.items():
        name, _, number = stated.partition("=")
        np.savez("faulty.npz", **LABELLED, **{name: float(number)})
        done = rdcsolve("solve", "faulty.npz")
        assert done.exit_code == 2
        assert message in done.stderr


# ---------------------------------------------------------------------------------------------- sweep, trade-off


def test_sweep_over_both_limits():
    axes = ("--axis", "D=0.05,0.3", "--axis", "C=0.3,0.45")
    done = rdcsolve("sweep", "coin.npz", *axes, *TOLERANCE, "--save", "s.nc", "--plot", "s.png")
    assert done.exit_code == 0, done.output
    assert done.stdout.count("INFEASIBLE") == 2
    assert "proof" not in done.stdout
    assert read_dataset("s.nc")["status"].dims == ("D", "C")
    assert Path("s.png").read_bytes().startswith(b"\x89PNG")


def test_sweep_with_fixed_letters_says_what_is_open():
    done = rdcsolve(
        "sweep", "bent.npz", "--D", 0, "--letters", "fixed", "--axis", "C=0.47,0.6", *TOLERANCE, "--plot", "f.png"
    )
    assert done.exit_code == 1
    assert "1 of 2 points are STATIONARY: attained, not proved to be the least" in done.stderr
    assert Path("f.png").exists()


def test_tradeoff_agrees_with_the_library():
    done = rdcsolve("tradeoff", "coin.npz", "--rate", 0.2, "--points", 3, *TOLERANCE, "--plot", "t.png")
    assert done.exit_code == 0, done.output
    data = read_dataset("tradeoff.nc")
    assert dict(data["status"].sizes) == {"label_entropy": 3}
    assert data.attrs["objective"] == "distortion"
    for upper in data["objective_upper"].values:
        assert f"{upper:.9f}" in done.stdout
    arrays = (LABELLED["p_x"], LABELLED["distortion"], LABELLED["labels_0"])
    same = rdc.tradeoff(rdc.Problem.from_arrays(*arrays, C=math.inf), 0.2, n_points=3, tolerance=1e-7)
    assert (same["objective_lower"] <= data["objective_upper"]).all()
    assert Path("t.png").read_bytes().startswith(b"\x89PNG")
    again = rdcsolve("tradeoff", "coin.npz", "--rate", 0.2, "--points", 3, *TOLERANCE)
    assert again.stdout.split("saved")[0] == done.stdout.split("saved")[0]


def test_tradeoff_of_a_csv_from_the_other_side():
    options = ("--rate", 0.4, "--minimise", "C", "--points", 3, *TOLERANCE)
    done = rdcsolve("tradeoff", *CSV, *options, "--loss", "D", "--save", "t.nc")
    assert done.exit_code == 0, done.output
    assert "label_entropy [nat]" in done.stdout
    assert dict(read_dataset("t.nc")["status"].sizes) == {"distortion": 3}


def test_tradeoff_of_a_classifier_needs_no_label_entropy():
    np.save("decisions.npy", np.stack([np.linspace(0.9, 0.1, 5), np.linspace(0.1, 0.9, 5)], axis=1))
    done = rdcsolve("tradeoff", *CSV, "--classifier", "decisions.npy", "--rate", 0.3, "--points", 3, *TOLERANCE)
    assert done.exit_code == 0, done.output
    assert "label_entropy" not in done.stdout
    assert dict(read_dataset("tradeoff.nc")["status"].sizes) == {"classifier_loss": 3}
