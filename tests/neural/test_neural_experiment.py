"""The experiment on images: its runs, its folder, interruptions and damage, the limit beside it, the commands."""

import dataclasses
import json
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

torch = pytest.importorskip("torch")

from neural_data import N_TEST, N_TRAIN, TINY, all_bits, drawn, lay_idx, some_images  # noqa: E402

import rdcsolve as rdc  # noqa: E402
from rdcsolve.cli import app  # noqa: E402
from rdcsolve.errors import FileInUse, InvalidInput, SolverFailed, UnreadableFile  # noqa: E402
from rdcsolve.neural import (  # noqa: E402
    PRESETS,
    Experiment,
    Weights,
    classifier_of,
    evaluate,
    experiment_problem,
    figure_6,
    figures,
    limit_curve,
    limit_letters,
    limit_problem,
    load_images,
    load_system,
    nearest_letter,
    read_codebook,
    read_experiment,
    read_results,
    read_standings,
    reconstructions,
    run_experiment,
    standing,
    standings,
    sweep,
    train,
    training,
)
from rdcsolve.neural.experiment import CONVENTIONAL, LOW_CROSS_ENTROPY, LOW_DISTORTION  # noqa: E402
from rdcsolve.writing import held as in_use  # noqa: E402

ROOT = Path(__file__).parents[2]
REAL_DATA = os.environ.get("RDCSOLVE_DATA")
C = 0.05
SMALL = Experiment(
    dataset="any",
    preset=dataclasses.replace(TINY, epochs=15, milestones=(12,)),
    dimension=2,
    levels=3,
    lambdas_c=(0, C),
    lambda_p=0.002,
    lambdas_c_with_w1=(0, C),
    n_seeds=1,
)
CONVENTIONAL_0, CONVENTIONAL_C = "conventional_c0_p0_s0", "conventional_c0.05_p0_s0"


@pytest.fixture(autouse=True)
def _close_figures(monkeypatch):
    monkeypatch.delenv("RDCSOLVE_DATA", raising=False)
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    return lay_idx(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="session")
def done(tmp_path_factory, data):
    """The folder of a finished experiment, done by two processes, with its limit; not to be changed."""
    folder = tmp_path_factory.mktemp("experiment") / "deep" / "folder"
    run_experiment(SMALL, folder, data, processes=2)
    limit_curve(folder, data, n_points=4)
    standings(folder, data, n_dithers=4)
    return folder


@pytest.fixture
def folder(tmp_path, done):
    """A copy that may be changed."""
    shutil.copytree(done, tmp_path / "copy")
    return tmp_path / "copy"


class Here:
    """Does at once, in this process, what it is to do."""

    def __init__(self, *arguments, **options):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False

    def submit(self, call, *arguments):
        future = Future()
        try:
            future.set_result(call(*arguments))
        except Exception as error:
            future.set_exception(error)
        return future

    def shutdown(self, **options):
        pass


@pytest.fixture
def here(monkeypatch):
    monkeypatch.setattr(sweep, "ProcessPoolExecutor", Here)


def stamps(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def values_of(results, measure):
    return {name: found["measures"][measure].value for name, found in results.items()}


# ------------------------------------------------------------------------------------------- the list of runs

LAMBDAS = st.lists(st.floats(0, 1), min_size=2, max_size=5, unique=True).map(tuple)


@st.composite
def experiments(draw):
    lambdas_c = draw(LAMBDAS)
    repeated = {min(lambdas_c), max(lambdas_c)} | set(draw(st.lists(st.sampled_from(lambdas_c))))
    return Experiment(
        dataset=draw(st.sampled_from(["mnist", "fashion-mnist", "any"])),
        preset=draw(st.sampled_from([*PRESETS, TINY])),
        dimension=draw(st.integers(1, 5)),
        levels=draw(st.integers(2, 5)),
        lambdas_c=draw(st.permutations(lambdas_c)),
        lambda_p=draw(st.sampled_from([0, 0.0, 0.005, 1, (), (0.01, 0.005), (0, 0.3, 0.2, 0.3)])),
        lambdas_c_with_w1=draw(st.one_of(st.just(()), LAMBDAS)),
        lambdas_c_repeated=tuple(repeated),
        n_seeds=draw(st.integers(1, 4)),
    )


@given(experiments())
def test_runs_come_after_their_encoders_and_have_names_of_their_own(experiment):
    runs = experiment.runs()
    assert len({run.name for run in runs}) == len(runs)
    families = len(experiment.lambdas_c) + (experiment.n_seeds - 1) * len(experiment.lambdas_c_repeated)
    both = set(experiment.lambdas_c_with_w1) & set(experiment.lambdas_c_repeated)
    again = (experiment.n_seeds - 1) * len(both) if len(both) > 1 else 0
    families += len(experiment.lambda_p) * (len(experiment.lambdas_c_with_w1) + again)
    assert len(runs) == 3 * families
    before = {}
    for run in runs:
        assert (run.encoder is None) == (run.kind == CONVENTIONAL)
        if run.encoder is not None:
            encoder = before[run.encoder]
            alike = [one.weights.lambda_c for one in runs if one.kind == CONVENTIONAL and one.seed == encoder.seed]
            assert encoder.kind == CONVENTIONAL
            assert encoder.weights.lambda_p == run.weights.lambda_p
            assert encoder.seed % 1000 == run.seed % 1000
            assert encoder.seed != run.seed
            if not experiment.lambda_p or not experiment.lambdas_c_with_w1:
                assert encoder.weights.lambda_c == {LOW_CROSS_ENTROPY: max, LOW_DISTORTION: min}[run.kind](alike)
        before[run.name] = run


@given(experiments())
def test_every_weight_of_the_wasserstein_term_has_runs(experiment):
    for lambda_p in (0.0, *experiment.lambda_p):
        for seed in range(experiment.n_seeds):
            found = {
                (run.kind, run.weights.lambda_c)
                for run in experiment.runs()
                if (run.weights.lambda_p, run.repetition) == (lambda_p, seed)
            }
            expected = experiment.lambdas_c_with_w1 if lambda_p else experiment.lambdas_c
            if seed:
                expected = set(expected) & set(experiment.lambdas_c_repeated)
            assert len(expected) < 2 or {lambda_c for _, lambda_c in found} == set(expected)
            assert len(found) == (3 * len(expected) if len(expected) > 1 else 0)


def test_folders_with_one_weight_of_the_wasserstein_term_are_read():
    described = json.loads(json.dumps(Experiment(n_seeds=1).described()))
    for one, held in ((0.005, (0.005,)), (0, ()), (0.0, ())):
        assert Experiment.of(described | {"lambda_p": one}).lambda_p == held


@given(experiments())
def test_descriptions_survive_json(experiment):
    assert Experiment.of(json.loads(json.dumps(experiment.described()))) == experiment


def test_lambdas_that_look_alike_have_runs_of_their_own():
    runs = Experiment(lambdas_c=(0, 0.01, 0.01 + 1e-9), lambda_p=0, n_seeds=1).runs()
    assert len({run.name for run in runs}) == len(runs)


def test_numbers_of_numpy_make_the_same_experiment():
    plain = Experiment(lambdas_c=(0, 0.5), n_seeds=1, dimension=2)
    strange = Experiment(lambdas_c=np.array([0.5, 0, 0.5]), n_seeds=np.int64(1), dimension=np.int64(2))
    assert strange == plain
    assert json.loads(json.dumps(strange.described())) == json.loads(json.dumps(plain.described()))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"preset": "huge"}, "preset"),
        ({"dimension": 0}, "dimension"),
        ({"levels": 1}, "levels"),
        ({"lambdas_c": ()}, "lambdas_c is empty"),
        ({"lambdas_c": (0.1,)}, "at least two"),
        ({"lambdas_c": (0.1, 0.1)}, "at least two"),
        ({"lambdas_c": (-0.1, 0.1)}, "lambda_c is -0.1"),
        ({"lambdas_c": (0, math.nan)}, "lambda_c is nan"),
        ({"lambdas_c": ("a", "b")}, "lambdas_c"),
        ({"lambdas_c": 0.1}, "lambdas_c"),
        ({"lambda_p": -1}, "lambda_p is -1"),
        ({"lambda_p": (0.1, -1)}, "lambda_p is -1"),
        ({"lambda_p": "a"}, "lambda_p is"),
        ({"lambda_p": None}, "lambda_p is"),
        ({"lambda_p": ((0.1,), 0.2)}, "lambda_p is"),
        ({"n_seeds": 0}, "n_seeds"),
        ({"lambdas_c": (0, 1)}, "lambdas_c_repeated"),
        ({"lambdas_c_repeated": ()}, "lambdas_c_repeated"),
        ({"lambdas_c_repeated": (0, 0.0033)}, "lambdas_c_repeated"),
        ({"lambdas_c_with_w1": (0.1,)}, "lambdas_c_with_w1"),
        ({"dataset": "cifar"}, "dataset"),
    ],
    ids=str,
)
def test_bad_experiments_are_refused(settings, words):
    with pytest.raises(InvalidInput, match=words):
        Experiment(**settings)


@pytest.mark.parametrize("description", [{}, {"preset": {}}, {"preset": 3}, [], None, {"preset": {}, "x": 1}], ids=str)
def test_what_describes_no_experiment(description):
    with pytest.raises(InvalidInput, match="describes no experiment"):
        Experiment.of(description)


# ------------------------------------------------------------------------------------------- running it


def test_the_folder_holds_all_runs(done):
    names = {run.name for run in SMALL.runs()}
    assert set(read_results(done)) == names
    files = {path.name for path in done.iterdir()}
    assert files == {f"{name}.{kind}" for name in names for kind in ("pt", "json")} | {
        "experiment.json",
        "classifier.pt",
        "letters.npz",
        "limit.nc",
        "standing.json",
    }
    assert read_experiment(done) == SMALL


def test_systems_are_what_their_runs_say(done):
    encoders = {}
    for run in SMALL.runs():
        system = load_system(done / f"{run.name}.pt")
        assert system.weights == run.weights
        assert system.seed == run.seed
        assert (system.critic is None) == (run.weights.lambda_p == 0)
        assert system.quantiser == SMALL.quantiser
        encoders[run.name] = all_bits(system)["encoder"]
        if run.encoder is not None:
            assert encoders[run.name] == encoders[run.encoder]
            assert system.encoder_weights == load_system(done / f"{run.encoder}.pt").weights


def test_results_are_measured_on_the_test_images(done, data):
    images = load_images("test", data, dataset="any")
    assert len(images) == N_TEST
    judge = classifier_of(SMALL, done, data)
    measured = evaluate(load_system(done / f"{CONVENTIONAL_C}.pt"), images, judge)
    kept = read_results(done)[CONVENTIONAL_C]
    assert set(kept["measures"]) == set(measured)
    for name, estimate in measured.items():
        np.testing.assert_array_equal(kept["measures"][name], estimate)
    assert kept["seconds"] > 0


def test_a_larger_weight_lowers_the_cross_entropy(done):
    ce, mse = (values_of(read_results(done), name) for name in ("cross_entropy", "mse"))
    for tail in ("p0_s0", "p0.002_s0"):
        assert ce[f"conventional_c0.05_{tail}"] < ce[f"conventional_c0_{tail}"] - 0.4
        assert mse[f"conventional_c0.05_{tail}"] > 1.3 * mse[f"conventional_c0_{tail}"]
        on_low = ce[f"universal_c0.05_{tail}_on_c0.05"]
        assert ce[f"universal_c0.05_{tail}_on_c0"] > on_low + 0.3


def test_running_it_again_does_nothing(done, data, monkeypatch):
    before = stamps(done)
    monkeypatch.setattr(sweep, "_run", lambda *_: pytest.fail("all is done"))
    monkeypatch.setattr(sweep, "ProcessPoolExecutor", Here)
    results = run_experiment(SMALL, done, data)
    assert list(results) == [run.name for run in SMALL.runs()]
    assert stamps(done) == before


def half_trained(folder, data):
    """Train a system of the experiment until the fourth epoch is kept, then be interrupted; return what was kept.

    In a process of its own, like the runs it is compared with: how sums are rounded depends on what else a process has
    done with its threads and its memory, and training makes a last place large.
    """
    images = load_images("train", data, dataset="any")
    judge = classifier_of(SMALL, folder, data)
    real, kept = training.save_checkpoint, []

    def stop(*arguments):
        real(*arguments)
        kept.append(arguments)
        if len(kept) == 4:
            raise KeyboardInterrupt

    training.save_checkpoint = stop
    path = folder / f"{CONVENTIONAL_C}.partial.pt"
    try:
        train(images, judge, Weights(1, C), SMALL.preset, dimension=2, checkpoint=path)
    except KeyboardInterrupt:
        return len(kept)
    finally:
        training.save_checkpoint = real
    return len(kept)


def test_an_interrupted_experiment_goes_on(folder, done, data, monkeypatch):
    """Two encoders' runs and their last decoders are lost, one of them half done; then comes an interrupt."""
    lost = [CONVENTIONAL_0, CONVENTIONAL_C, "universal_c0.05_p0_s0_on_c0", "universal_c0.05_p0.002_s0_on_c0.05"]
    for name in lost:
        (folder / f"{name}.pt").unlink()
        (folder / f"{name}.json").unlink()
    as_workers_are = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, as_workers_are, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        assert pool.submit(half_trained, folder, data).result() == 4

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt  # two runs are at work, two have not begun

    untouched = {name: stamp for name, stamp in stamps(folder).items() if ".partial" not in name}
    with monkeypatch.context() as patch:
        patch.setattr(sweep, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt) as interrupt:
            run_experiment(SMALL, folder, data, processes=1)
    told = interrupt.value.__notes__[0]
    assert " of 12 runs are kept" in told
    assert 8 <= int(told.split()[0]) <= 10
    assert not multiprocessing.active_children()  # nobody writes there any more
    results = run_experiment(SMALL, folder, data)
    assert {name: stamp for name, stamp in stamps(folder).items() if name in untouched} == untouched
    assert not list(folder.glob("*partial*"))
    for name, found in read_results(done).items():
        np.testing.assert_equal(results[name]["measures"], found["measures"])
        assert all_bits(load_system(folder / f"{name}.pt")) == all_bits(load_system(done / f"{name}.pt"))


@pytest.mark.usefixtures("here")
def test_runs_that_diverge_are_told_and_spare_the_others(tmp_path, data, monkeypatch):
    real = sweep.train

    def diverging(images, classifier, weights, *arguments, **options):
        if weights.lambda_c > 0 and options["encoder"] is None:
            raise SolverFailed("training diverged")
        return real(images, classifier, weights, *arguments, **options)

    monkeypatch.setattr(sweep, "train", diverging)
    quick = dataclasses.replace(SMALL, preset=dataclasses.replace(SMALL.preset, epochs=1), lambda_p=0)
    with pytest.raises(SolverFailed, match="3 of 6 runs failed") as failure:
        run_experiment(quick, tmp_path / "a", data)
    assert "conventional_c0.05_p0_s0: training diverged" in str(failure.value)
    assert f"its encoder's run {CONVENTIONAL_C} failed" in str(failure.value)
    assert set(read_results(tmp_path / "a")) == {
        CONVENTIONAL_0,
        "universal_c0_p0_s0_on_c0",
        "universal_c0.05_p0_s0_on_c0",
    }
    monkeypatch.setattr(sweep, "train", real)
    assert len(run_experiment(quick, tmp_path / "a", data)) == 6


@pytest.mark.usefixtures("here")
def test_another_error_ends_the_experiment(folder, data):
    (folder / "universal_c0_p0_s0_on_c0.json").unlink()
    (folder / f"{CONVENTIONAL_0}.pt").write_bytes(b"nothing")
    with pytest.raises(UnreadableFile, match=f"{CONVENTIONAL_0}.pt"):
        run_experiment(SMALL, folder, data)


@pytest.mark.usefixtures("here")
def test_a_killed_process_is_told(folder, data, monkeypatch):
    (folder / "universal_c0_p0_s0_on_c0.json").unlink()

    def killed(*arguments):
        raise BrokenProcessPool("a process was terminated abruptly")

    monkeypatch.setattr(sweep, "_run", killed)
    with pytest.raises(SolverFailed, match="universal_c0_p0_s0_on_c0.*run again"):
        run_experiment(SMALL, folder, data)


@pytest.mark.parametrize(
    ("changes", "setting"),
    [
        ({"levels": 4}, "levels"),
        ({"lambdas_c": (0, 0.06)}, "lambdas_c"),
        ({"lambda_p": 0.0}, "lambda_p"),
        ({"preset": dataclasses.replace(SMALL.preset, epochs=2)}, "preset"),
    ],
)
def test_the_folder_of_another_experiment_is_refused(done, data, changes, setting):
    before = stamps(done)
    with pytest.raises(InvalidInput, match=f"holds an experiment with {setting} "):
        run_experiment(dataclasses.replace(SMALL, **changes), done, data)
    assert stamps(done) == before


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"preset": 3}', "null", "\x00"], ids=repr)
def test_damaged_settings_are_told(folder, data, content):
    (folder / "experiment.json").write_text(content)
    for call in (read_experiment, read_results, lambda path: run_experiment(SMALL, path, data)):
        with pytest.raises(UnreadableFile, match="experiment.json"):
            call(folder)


@pytest.mark.parametrize("field", ["lambdas_c", "dimension", "n_seeds", "preset", "dataset"])
@pytest.mark.parametrize("junk", ["a", None, ["a", "b"], -1], ids=str)
def test_settings_with_a_senseless_number_are_told(folder, field, junk):
    content = json.loads((folder / "experiment.json").read_text())
    (folder / "experiment.json").write_text(json.dumps(content | {field: junk}))
    with pytest.raises(UnreadableFile, match="experiment.json"):
        read_experiment(folder)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"measures": 3, "seconds": 1}', '{"measures": {"mse": [1, 2]}, "seconds": 1}', "\xff"],
    ids=repr,
)
def test_damaged_results_are_told(folder, data, content):
    (folder / f"{CONVENTIONAL_0}.json").write_bytes(content.encode("latin-1"))
    for call in (read_results, lambda path: run_experiment(SMALL, path, data), figure_6):
        with pytest.raises(UnreadableFile, match=f"{CONVENTIONAL_0}.json"):
            call(folder)


def test_a_damaged_classifier_is_told(folder, data):
    (folder / "classifier.pt").write_bytes(b"PK")
    with pytest.raises(UnreadableFile, match="classifier.pt"):
        run_experiment(SMALL, folder, data)


def test_bad_places_are_refused(tmp_path, data):
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="cannot be a folder"):
        run_experiment(SMALL, tmp_path / "file" / "folder", data)
    with pytest.raises(InvalidInput, match="processes"):
        run_experiment(SMALL, tmp_path / "a", data, processes=0)
    with pytest.raises(UnreadableFile, match="does not exist"):
        run_experiment(SMALL, tmp_path / "b", tmp_path / "none")
    with pytest.raises(UnreadableFile, match=r"experiment.json does not exist"):
        read_results(tmp_path / "c")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


# ------------------------------------------------------------------------------------------- the limit


def test_letters_come_from_three_places(done, data):
    letters = limit_letters(done, data)
    n_systems = len(SMALL.runs())
    assert letters.origins == {
        "k-means centroids": 256,
        "training images": 256,
        "outputs of trained decoders": 9 * n_systems,
    }
    assert letters.pixels.shape == (512 + 9 * n_systems, 784)
    assert letters.codebook.shape == (9, 784)
    assert 0 <= letters.pixels.min() <= letters.pixels.max() <= 1
    pixels, _ = drawn(N_TRAIN, 0)
    np.testing.assert_allclose(letters.pixels[256:512], pixels[:256].reshape(256, -1) / 255, atol=1e-6)
    with pytest.raises(InvalidInput, match=r"has 256 k-means centroids, asked for are 5"):
        limit_letters(done, data, n_centroids=5)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04", b"nothing", "half", "array"], ids=repr)
def test_damaged_letters_are_told(folder, data, damage):
    path = folder / "letters.npz"
    content = path.read_bytes()
    if damage == "array":
        with open(path, "wb") as stream:
            np.save(stream, np.zeros(3))
    else:
        path.write_bytes(content[: len(content) // 2] if damage == "half" else damage)
    with pytest.raises(UnreadableFile, match="letters.npz"):
        limit_letters(folder, data)


def test_the_problem_is_that_of_images_and_letters(done, data):
    images, judge = some_images(6, seed=5), classifier_of(SMALL, done, data)
    letters = some_images(4, seed=6).pixels()
    problem = limit_problem(images, judge, letters.numpy())
    losses = {loss.name: loss.matrix for loss in problem.linear_losses}
    assert list(losses) == ["distortion", "cross_entropy"]
    expected = (images.pixels()[:, None] - letters[None]).square().mean(dim=2)
    np.testing.assert_allclose(losses["distortion"], expected, rtol=1e-4, atol=1e-7)
    logits = judge(letters).double().numpy()
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(losses["cross_entropy"], -np.log(shares.T[images.classes.numpy()]), rtol=1e-4)
    near = nearest_letter(problem)
    chosen = expected.argmin(dim=1)
    frequencies = np.bincount(chosen, minlength=4) / 6
    assert near["distortion"] == pytest.approx(float(expected.min(dim=1).values.mean()), rel=1e-4)
    assert near["cross_entropy"] == pytest.approx(losses["cross_entropy"][range(6), chosen].mean())
    assert near["rate"] == pytest.approx(rdc.information.entropy(frequencies))


def test_the_limit_is_certified(done, data):
    curve = limit_curve(done, data, n_points=4)
    assert (curve["proof"] == "CERTIFIED").all()
    assert (curve["objective_lower"] <= curve["objective_upper"]).all()
    upper = curve["objective_upper"].values.ravel()
    assert upper.size == 4
    assert (np.diff(upper[np.argsort(curve["cross_entropy"].values.ravel())]) <= 1e-6).all()


def test_every_system_stands_beside_what_bounds_it(done):
    found = read_standings(done)
    measured = read_results(done)
    assert [one.name for one in found] == list(measured)
    for one in found:
        assert one.rate <= SMALL.quantiser.rate + 1e-9
        assert one.mmse <= one.encoder_mse + 1e-9
        assert one.encoder_mse <= one.mse + 1e-9
        assert one.label_entropy <= one.encoder_cross_entropy + 1e-9
        assert one.encoder_cross_entropy <= one.cross_entropy + 1e-9
        if math.isfinite(one.limit_upper):
            assert one.limit_lower <= one.limit_upper + 1e-9
            assert one.limit_lower <= one.encoder_mse + 1e-6 or one.encoder_mse < one.limit_upper
        assert one.decoder_gap == one.mse - one.encoder_mse
        assert one.encoder_gap == one.encoder_mse - one.limit_upper or math.isnan(one.limit_upper)
        # With finitely many dithers the system does about as well as with fresh ones.
        assert one.mse == pytest.approx(measured[one.name]["measures"]["mse"].value, rel=0.15)
    assert any(math.isfinite(one.limit_upper) for one in found)
    assert max(one.decoder_gap for one in found) > 1e-4
    by_name = {one.name: one for one in found}
    for run in SMALL.runs():
        if run.encoder is not None:
            ours, theirs = by_name[run.name], by_name[run.encoder]
            assert (ours.rate, ours.mmse, ours.label_entropy) == (theirs.rate, theirs.mmse, theirs.label_entropy)
    assert by_name[CONVENTIONAL_C].label_entropy < by_name[CONVENTIONAL_0].label_entropy - 0.3
    assert by_name[CONVENTIONAL_C].mmse > by_name[CONVENTIONAL_0].mmse
    # Decoders may show conditional means, and at so much cross-entropy they do.
    assert by_name[CONVENTIONAL_0].encoder_mse == pytest.approx(by_name[CONVENTIONAL_0].mmse, rel=0.01)


def test_the_vector_quantiser_is_measured_on_its_own_codebook(done, data):
    letters = limit_letters(done, data).codebook
    images = load_images("test", data, dataset="any")
    expected = nearest_letter(limit_problem(images, classifier_of(SMALL, done, data), letters))
    assert read_codebook(done) == pytest.approx(expected)
    assert expected["rate"] <= SMALL.quantiser.rate


def test_the_problem_of_the_experiment(done, data):
    problem = experiment_problem(done, data)
    assert (problem.n_x, problem.linear_losses[0].matrix.shape[1]) == (N_TEST, 512 + 9 * len(SMALL.runs()))
    assert experiment_problem(done, data, np.zeros((2, 784))).linear_losses[0].matrix.shape == (N_TEST, 2)


def test_too_many_letters_are_refused(done, data, monkeypatch):
    monkeypatch.setattr("rdcsolve.neural.limit._MOST_SHOWN", 10)
    with pytest.raises(InvalidInput, match="at most 10 can be letters"):
        limit_letters(done, data)


def test_letters_need_a_finished_run(folder, data):
    for path in [*folder.glob("*_p0*.json"), folder / "letters.npz"]:
        path.unlink()
    with pytest.raises(InvalidInput, match="no finished run"):
        limit_letters(folder, data, n_centroids=2, n_images=2)
    assert not (folder / "letters.npz").exists()


def test_standings_need_a_limit(folder, data):
    (folder / "limit.nc").unlink()
    with pytest.raises(InvalidInput, match="limit_curve first"):
        standings(folder, data)


def test_standings_go_on_from_what_is_done(folder, data, monkeypatch):
    whole, judged, real = read_standings(folder), [], standing._Judge.standings
    (folder / "standing.json").unlink()

    def judging(self, systems, limit, most):
        if len(judged) == most:
            raise KeyboardInterrupt
        judged.append(list(systems))
        return real(self, systems, limit)

    monkeypatch.setattr(standing._Judge, "standings", lambda *arguments: judging(*arguments, 1))
    with pytest.raises(KeyboardInterrupt):
        standings(folder, data, n_dithers=4)
    assert sorted(one.name for one in read_standings(folder)) == sorted(judged[0])
    assert read_codebook(folder) == {}
    finished = rdcsolve("show", folder, "--no-plot")
    assert finished.exit_code == 0, finished.output
    monkeypatch.setattr(standing._Judge, "standings", lambda *arguments: judging(*arguments, math.inf))
    assert standings(folder, data, n_dithers=4) == whole
    names = [name for names in judged for name in names]
    assert sorted(names) == sorted(one.name for one in whole)
    assert standings(folder, data, n_dithers=4) == whole
    assert len(names) == sum(map(len, judged))  # nothing was left to do
    with open(folder / f"{CONVENTIONAL_0}.pt", "ab") as file:  # another file than the one that was judged
        file.write(b" ")
    judged.clear()
    standings(folder, data, n_dithers=4)
    assert [CONVENTIONAL_0 in names for names in judged] == [True]


def test_standings_are_computed_by_one_run_at_a_time(folder, data):
    before = stamps(folder)
    with in_use(folder / "standing.json", "does"), pytest.raises(FileInUse, match=r"standing\.json is in use"):
        standings(folder, data)
    assert stamps(folder) == before


def test_a_system_is_trained_by_one_run_at_a_time(tmp_path, data):
    stated = ("--classifier", tmp_path / "judge.pt", "--data", data, "--dataset", "any", "--preset", "smoke")
    with in_use(tmp_path / "system.pt", "trains it"):
        refused = rdcsolve("train", tmp_path / "system.pt", *stated)
        assert refused.exit_code == 2
        assert f"is in use: process {os.getpid()}" in " ".join(refused.stderr.split())
        assert not (tmp_path / "judge.pt").exists()  # before any work
    assert not list(tmp_path.iterdir())


def test_pictures_that_cannot_be_written_are_told_before_the_work(folder, data):
    (folder / "reconstructions.png").mkdir()
    refused = rdcsolve("show", folder, "--data", data)
    assert refused.exit_code == 2
    assert "it is a folder" in " ".join(refused.stderr.split())
    assert not refused.stdout
    assert not (folder / "figure_6.png").exists()


def test_before_standings_there_are_none(folder):
    (folder / "standing.json").unlink()
    assert read_standings(folder) == []
    assert read_codebook(folder) == {}


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"standings": [{}], "codebook": {"a": "b"}}', '{"standings": 3}'])
def test_damaged_standings_are_told(folder, content):
    (folder / "standing.json").write_text(content)
    for call in (read_standings, read_codebook):
        with pytest.raises(UnreadableFile, match="standing.json"):
            call(folder)


# ------------------------------------------------------------------------------------------- figures


def test_figure_6_has_a_panel_for_each_measure_and_term(done):
    figure = figure_6(done)
    assert len(figure.axes) == 4
    results = read_results(done)
    for ax, measure, lambda_p in zip(
        figure.axes, ("cross_entropy", "accuracy") * 2, (0.0, 0.0, 0.002, 0.002), strict=True
    ):
        places = np.concatenate([np.asarray(one.get_offsets()) for one in ax.collections if len(one.get_offsets()) > 1])
        expected = [
            [found["measures"][measure].value, found["measures"]["mse"].value]
            for found in results.values()
            if found["run"].weights.lambda_p == lambda_p
        ]
        assert {tuple(np.round(one, 6)) for one in places} >= {tuple(np.round(one, 6)) for one in expected}
    words = {text.get_text() for text in figure.legends[0].get_texts()}
    assert any("conventional" in one for one in words)
    assert any("limit" in one for one in words)


def test_figure_6_of_the_published_rate_has_the_published_points(monkeypatch, done):
    published = dataclasses.replace(read_experiment(done), dataset="mnist", dimension=3, levels=3)
    marks = {}
    for name, experiment in (("ours", read_experiment(done)), ("published", published)):
        monkeypatch.setattr(figures, "read_experiment", lambda folder, experiment=experiment: experiment)
        marks[name] = [
            {line.get_label(): line.get_xydata() for line in ax.lines if str(line.get_label()).startswith("published")}
            for ax in figure_6(done).axes
        ]
    assert marks["ours"] == [{}] * 4
    without, nothing, also_nothing, with_term = marks["published"]
    assert nothing == also_nothing == {}  # accuracies are published with the term, cross-entropies without it
    conventional, universal = "published, conventional", "published, universal"
    assert without.keys() == with_term.keys() == {conventional, universal}
    np.testing.assert_array_equal(without[conventional][-1], [0.176, 0.0506])
    np.testing.assert_array_equal(with_term[universal][0], [0.852, 0.0473])
    assert len(with_term[conventional]) == len(with_term[universal]) == 6


def test_figure_6_of_an_unfinished_experiment(folder):
    for path in [*folder.glob("*_p0*.json"), folder / "limit.nc", folder / "standing.json"]:
        path.unlink()
    assert read_results(folder) == {}
    assert figure_6(folder).axes


def test_reconstructions_are_drawn(done, data):
    figure = reconstructions(done, data, n_images=5)
    strips = [ax.images[0].get_array() for ax in figure.axes]
    assert all(strip.shape == (28, 5 * 28) for strip in strips)
    assert len(strips) > 6
    images = load_images("test", data, dataset="any")
    first = [int((images.classes == k).nonzero()[0, 0]) for k in range(5)]
    shown = np.concatenate([images.pixels()[k].numpy().reshape(28, 28) for k in first], axis=1)
    np.testing.assert_allclose(strips[0], 1 - shown, atol=1e-6)
    one = reconstructions(done, data, names=[CONVENTIONAL_0], n_images=3)
    assert len(one.axes) == 2
    assert "lambda_c 0" in one.axes[1].get_ylabel()
    with pytest.raises(InvalidInput, match="nothing_p0"):
        reconstructions(done, data, names=["nothing_p0"])


def test_an_inset_hides_as_few_points_as_can_be():
    from matplotlib import pyplot

    ax = pyplot.figure().add_subplot()
    ax.set(xlim=(0, 2), ylim=(1, 3))
    assert figures._emptier(ax, [[0.2, 2.9], [1.5, 1.5]])[1] == 0.45
    assert figures._emptier(ax, [[0.2, 2.9], [1.5, 2.5]])[1] == 0.18


# ------------------------------------------------------------------------------------------- real images


@pytest.mark.slow
@pytest.mark.skipif(not REAL_DATA, reason="RDCSOLVE_DATA names no folder of MNIST")
def test_smoke_on_real_images(tmp_path):
    experiment = Experiment(preset="smoke", lambdas_c=(0, 0.015), lambda_p=0, n_seeds=1)
    results = run_experiment(experiment, tmp_path / "smoke", REAL_DATA)
    ce, mse, accuracy = (values_of(results, name) for name in ("cross_entropy", "mse", "accuracy"))
    low, high = "conventional_c0.015_p0_s0", "conventional_c0_p0_s0"
    assert ce[low] < ce[high] - 0.3
    assert mse[low] > mse[high] + 0.0005
    assert accuracy[low] > accuracy[high] + 0.1
    assert ce["universal_c0.015_p0_s0_on_c0"] > ce[low] + 0.3
    assert ce["universal_c0.015_p0_s0_on_c0"] < ce[high]
    assert abs(ce["universal_c0.015_p0_s0_on_c0.015"] - ce[low]) < 0.15
    assert abs(mse["universal_c0.015_p0_s0_on_c0.015"] - mse[low]) < 0.003
    assert all(value < 0.065 for value in mse.values())
    assert all(found["measures"]["message_entropy"].value <= 3 * math.log(3) for found in results.values())


# ------------------------------------------------------------------------------------------- the commands


def rdcsolve(*arguments):
    return CliRunner().invoke(app, ["neural", *[str(argument) for argument in arguments]])


@pytest.mark.usefixtures("here")
def test_run_limit_and_show(tmp_path, data):
    target, place = tmp_path / "new", ("--data", data)
    options = ("--dataset", "any", "--preset", "smoke", "--dimension", 2, "--lambda-c", "0,0.05", "--seeds", 1)
    finished = rdcsolve("run", target, *place, *options, "--lambda-p", 0)
    assert finished.exit_code == 0, finished.output
    assert f"6 systems are in {target}" in finished.stdout
    held = read_experiment(target)
    assert (held.dataset, held.preset, held.dimension, held.levels) == ("any", PRESETS["smoke"], 2, 3)
    assert (held.lambdas_c, held.lambda_p, held.n_seeds) == ((0.0, 0.05), (), 1)
    finished = rdcsolve("show", target, *place)
    assert finished.exit_code == 0, finished.output
    assert CONVENTIONAL_C in finished.stdout
    assert (target / "figure_6.png").stat().st_size > 10_000
    assert (target / "reconstructions.png").stat().st_size > 5_000
    finished = rdcsolve("limit", target, *place, "--points", 3)
    assert finished.exit_code == 0, finished.output
    assert "decoder's gap" in finished.stdout or "vector quantiser" in finished.stdout
    assert len(read_standings(target)) == 6
    again = rdcsolve("limit", target, *place, "--points", 3)
    assert again.exit_code == 0, again.output
    finished = rdcsolve("show", target, "--no-plot")
    assert finished.exit_code == 0, finished.output
    assert "vector quantiser by k-means" in finished.stdout
    assert "interrupted" not in finished.output


def test_train_and_evaluate_one_system(tmp_path, data):
    judge, first, second = (tmp_path / f"{name}.pt" for name in ("judge", "first", "second"))
    common = ("--classifier", judge, "--data", data, "--dataset", "any")
    smoke = (*common, "--preset", "smoke")
    finished = rdcsolve("train", first, *smoke, "--dimension", 2, "--lambda-c", 0.01, "--seed", 3)
    assert finished.exit_code == 0, finished.output
    assert "conventional, 2 x 3 levels" in finished.stdout
    finished = rdcsolve("train", second, *smoke, "--encoder", first, "--lambda-p", 0.001)
    assert finished.exit_code == 0, finished.output
    assert "universal, 2 x 3 levels" in finished.stdout
    assert {one.name for one in tmp_path.iterdir()} == {"judge.pt", "first.pt", "second.pt"}
    system = load_system(first)
    assert (system.weights, system.seed) == (Weights(1, 0.01), 3)
    assert all_bits(load_system(second))["encoder"] == all_bits(system)["encoder"]
    finished = rdcsolve("evaluate", second, *common)
    assert finished.exit_code == 0, finished.output
    for name in ("mse", "cross_entropy", "accuracy", "w1", "sliced_w2", "message_entropy"):
        assert name in finished.stdout


def test_an_interrupted_training_goes_on(tmp_path, data, monkeypatch):
    stated = ("--classifier", tmp_path / "judge.pt", "--data", data, "--dataset", "any", "--preset", "smoke")
    assert rdcsolve("train", tmp_path / "whole.pt", *stated).exit_code == 0
    real, kept = training.save_checkpoint, []

    def stop(*arguments):
        real(*arguments)
        kept.append(arguments)
        if len(kept) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", stop)
        stopped = rdcsolve("train", tmp_path / "broken.pt", *stated)
    assert stopped.exit_code == 130
    assert (tmp_path / "broken.pt.partial").exists()
    assert not (tmp_path / "broken.pt").exists()
    assert rdcsolve("train", tmp_path / "broken.pt", *stated).exit_code == 0
    assert not (tmp_path / "broken.pt.partial").exists()
    assert all_bits(load_system(tmp_path / "broken.pt")) == all_bits(load_system(tmp_path / "whole.pt"))
    assert "nothing was saved" not in stopped.stderr
    assert "broken.pt.partial" in stopped.stderr


def bad_commands(data):
    some = ("--data", data, "--dataset", "any")
    alone = ("--classifier", "judge.pt", *some)
    return {
        "preset": (("run", "a", *some, "--preset", "huge"), "huge"),
        "no data": (("run", "a", "--data", "none"), "none"),
        "no folder of data": (("run", "a"), "RDCSOLVE_DATA"),
        "dataset": (("run", "a", "--data", data, "--dataset", "cifar"), "cifar"),
        "numbers": (("run", "a", *some, "--lambda-c", "0,x"), "--lambda-c '0,x' is not a list of numbers"),
        "no numbers": (("run", "a", *some, "--lambda-c", ","), "lambdas_c is empty"),
        "one number": (("run", "a", *some, "--lambda-c", "1"), "at least two"),
        "negative": (("run", "a", *some, "--lambda-c", "0,-1"), "lambda_c is -1"),
        "levels": (("run", "a", *some, "--levels", 1), "levels is 1"),
        "seeds": (("run", "a", *some, "--seeds", 0), "n_seeds is 0"),
        "many seeds": (("run", "a", *some, "--seeds", 1001), "n_seeds is 1001"),
        "processes": (("run", "a", *some, "--processes", 0), "processes is 0"),
        "download": (("run", "a", *some, "--download"), "no place to download from"),
        "download of one": (("train", "a.pt", *alone, "--download"), "no place to download from"),
        "limit of nothing": (("limit", "none"), "none/experiment.json does not exist"),
        "nothing to show": (("show", "none"), "none/experiment.json does not exist"),
        "preset of one": (("train", "a.pt", *alone, "--preset", "huge"), "huge"),
        "weight of the distance": (("run", "a", *some, "--lambda-p", "x"), "--lambda-p 'x' is not a list of numbers"),
        "device": (("run", "a", *some, "--device", "tpu"), "unknown device 'tpu'"),
        "device of one": (("train", "a.pt", *alone, "--device", "tpu"), "unknown device 'tpu'"),
        "weights": (("train", "a.pt", *alone, "--lambda-c", -1), "lambda_c is -1"),
        "dimension": (("train", "a.pt", *alone, "--dimension", 0), "dimension is 0"),
        "encoder": (("train", "a.pt", *alone, "--encoder", "none.pt"), "none.pt does not exist"),
        "no system": (("evaluate", "none.pt", *alone), "none.pt does not exist"),
        "bad system": (("evaluate", "bad.pt", *alone), "bad.pt"),
    }


@pytest.mark.parametrize("case", bad_commands(None))
def test_bad_input_is_one_line_and_exit_code_2(tmp_path, data, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    Path("bad.pt").write_bytes(b"nothing")
    arguments, words = bad_commands(data)[case]
    finished = rdcsolve(*arguments)
    assert finished.exit_code == 2, finished.output
    assert finished.stderr.startswith("error: ")
    assert words in finished.stderr
    assert len(finished.stderr.splitlines()) == 1
    assert [one.name for one in Path().iterdir()] == ["bad.pt"]


def test_a_classifier_that_is_not_there(tmp_path, data, done):
    finished = rdcsolve("evaluate", done / f"{CONVENTIONAL_0}.pt", "--classifier", tmp_path / "none.pt", "--data", data)
    assert finished.exit_code == 2
    assert "none.pt does not exist" in finished.stderr


# ------------------------------------------------------------------------------------------- with and without torch


def fresh(code):
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True).stdout


def test_bounds_shown_enclose_those_known():
    from rdcsolve.cli.neural import _outwards

    assert _outwards(0.04166, 0.04171) == "0.0416-0.0418"
    assert _outwards(0.0, math.nan) == "0.0000-?"


def test_help_needs_no_torch():
    code = """
import sys
from typer.testing import CliRunner
from rdcsolve.cli import app
for command in ([], ["run"], ["limit"], ["show"], ["train"], ["evaluate"]):
    assert CliRunner().invoke(app, ["neural", *command, "--help"]).exit_code == 0
print(*{name.split(".")[0] for name in sys.modules})
"""
    loaded = fresh(code).split()
    assert not {"torch", "ot", "scipy", "matplotlib"} & set(loaded)


def test_without_torch_the_extra_is_named():
    code = """
import sys
sys.modules["torch"] = None
import rdcsolve
for use in (lambda: rdcsolve.neural, lambda: __import__("rdcsolve.neural.quantiser")):
    try:
        use()
    except rdcsolve.MissingExtra as error:
        print(error)
from typer.testing import CliRunner
from rdcsolve.cli import app
for command in ("run a", "limit a", "show a", "train a --classifier b", "evaluate a --classifier b"):
    done = CliRunner().invoke(app, ["neural", *command.split()])
    print(done.exit_code, done.stderr.strip())
"""
    told = fresh(code).splitlines()
    assert (
        told
        == ["rdcsolve.neural needs the extra neural: pip install 'rdcsolve[neural]'"] * 2
        + ["2 error: rdcsolve.neural needs the extra neural: pip install 'rdcsolve[neural]'"] * 5
    )
