"""Where networks are trained: names of devices, recorded steps, systems side by side."""

import contextlib
import dataclasses

import pytest

torch = pytest.importorskip("torch")

from neural_data import TINY, all_bits, some_images  # noqa: E402

from rdcsolve.errors import InvalidInput  # noqa: E402
from rdcsolve.neural import Task, Weights, device_of, evaluate, train, train_classifier, train_together  # noqa: E402
from rdcsolve.neural.devices import Repeated  # noqa: E402

HAS_GPU = torch.cuda.is_available()
IMAGES = some_images()
WITH_CRITIC = Weights(1.0, 0.05, 0.01)
ALTERNATING = dataclasses.replace(TINY, softness=1.0, is_alternating=True, averaged=2)
EXPECTED = dataclasses.replace(TINY, softness=2.0, last_softness=8.0, is_expected=True, is_dithered=False)


@pytest.fixture(scope="module")
def judge():
    return train_classifier(IMAGES, TINY)


def test_devices_by_name(monkeypatch):
    assert device_of("cpu").type == "cpu"
    for has_gpu, kind in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda has_gpu=has_gpu: has_gpu)
        assert device_of("auto").type == kind
    with pytest.raises(InvalidInput, match="device is 'cuda' but torch .* sees no GPU"):
        device_of("cuda")
    for name in ("tpu", None, 0):
        with pytest.raises(InvalidInput, match="unknown device"):
            device_of(name)


def test_a_gpu_that_is_not_there_is_told_before_any_work(monkeypatch, judge):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    system = train(IMAGES, judge, Weights(), dataclasses.replace(TINY, epochs=1))
    for call in (
        lambda: train(IMAGES, judge, Weights(), TINY, device="cuda"),
        lambda: train_together(IMAGES, judge, [Task(Weights(), TINY)], device="cuda"),
        lambda: train_classifier(IMAGES, TINY, device="cuda"),
        lambda: evaluate(system, IMAGES, judge, device="cuda"),
    ):
        with pytest.raises(InvalidInput, match="sees no GPU"):
            call()


def test_a_step_is_recorded_once_and_repeated(monkeypatch):
    """With a graph of our own in the place of CUDA's: what is recorded does nothing until it is replayed."""
    told = []

    class Graph:
        def replay(self):
            told.append("replay")

    @contextlib.contextmanager
    def recording(graph, stream):
        told.append(f"begin {stream}")
        yield
        told.append("end")

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    turn = Repeated(lambda: told.append("step"), "queue")
    for _ in range(6):
        turn()
    assert told == ["step"] * 3 + ["begin queue", "step", "end"] + ["replay"] * 3
    told.clear()
    turn = Repeated(lambda: told.append("step"), None)
    for _ in range(6):
        turn()
    assert told == ["step"] * 6


def test_systems_side_by_side_are_what_they_are_alone(judge):
    base = train(IMAGES, judge, WITH_CRITIC, TINY, dimension=2, seed=4)
    tasks = [
        Task(Weights(1.0), TINY, seed=1),
        Task(WITH_CRITIC, ALTERNATING, dimension=2, levels=4, seed=2),
        Task(Weights(1.0, 0.05), ALTERNATING, encoder=base, seed=3),
    ]
    together = train_together(IMAGES, judge, tasks, device="cpu")
    for task, system in zip(tasks, together, strict=True):
        alone = train(
            IMAGES,
            judge,
            task.weights,
            task.preset,
            dimension=task.dimension,
            levels=task.levels,
            encoder=task.encoder,
            seed=task.seed,
        )
        assert all_bits(system) == all_bits(alone)
        assert system.history == alone.history
        assert [all_bits(one) for one in system.last_epochs()] == [all_bits(one) for one in alone.last_epochs()]


def test_tasks_of_different_length_are_not_done_together(judge):
    tasks = [Task(Weights(), TINY), Task(Weights(), dataclasses.replace(TINY, epochs=2))]
    with pytest.raises(InvalidInput, match=r"the tasks have \[2, 3\] epochs"):
        train_together(IMAGES, judge, tasks)
    assert train_together(IMAGES, judge, []) == []


@pytest.mark.gpu
@pytest.mark.skipif(not HAS_GPU, reason="torch sees no GPU")
@pytest.mark.parametrize("preset", [TINY, ALTERNATING, EXPECTED], ids=["cpu", "alternating", "expected"])
def test_a_gpu_trains_what_the_processor_trains(judge, preset):
    """Recorded steps, the first ones as they are; sums are in another order, so the ends differ by roundings."""
    slow = dataclasses.replace(preset, learning_rate=1e-4, critic_learning_rate=1e-4)
    for weights in (Weights(1.0, 0.05), WITH_CRITIC):
        ours = train(IMAGES, judge, weights, slow, seed=1, device="cuda")
        theirs = train(IMAGES, judge, weights, slow, seed=1)
        for one, other in zip(ours.history, theirs.history, strict=True):
            assert one == pytest.approx(other, rel=1e-2, abs=1e-3)
        again = train(IMAGES, judge, weights, slow, seed=1, device="cuda")
        assert all_bits(again) == all_bits(ours)
        on_gpu, here = (evaluate(ours, IMAGES, judge, n_projections=None, device=name) for name in ("cuda", "cpu"))
        assert on_gpu["mse"].value == pytest.approx(here["mse"].value, rel=1e-3)
