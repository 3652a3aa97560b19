"""Runs of an experiment, spread over processes, each finished one kept."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import torch

from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput, SolverFailed, UnreadableFile
from rdcsolve.neural.classifier import train_classifier
from rdcsolve.neural.devices import device_of
from rdcsolve.neural.evaluation import Estimate, evaluate
from rdcsolve.neural.experiment import Experiment, Run
from rdcsolve.neural.images import load_images
from rdcsolve.neural.progress import bar
from rdcsolve.neural.system import load_system
from rdcsolve.neural.training import train
from rdcsolve.writing import held, whole_file

_SETTINGS = "experiment.json"
CLASSIFIER = "classifier.pt"


def run_experiment(
    experiment: Experiment,
    folder: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    *,
    processes: int = 2,
    device: str = "cpu",
    progress: bool = False,
) -> dict[str, dict[str, Any]]:
    """Train and measure all systems of an experiment; what the folder holds already is not done again.

    Parameters
    ----------
    experiment : Experiment
    folder : path-like
        Where everything is kept: the classifier, and per run ``NAME.pt`` with the system and ``NAME.json`` with its
        measures; ``NAME.partial.pt`` while it trains, from which an interrupted run goes on.
    data : path-like, optional
        Folder of the images; see `rdcsolve.sources.mnist`.
    processes : int, optional
        Each with one thread.
    device : {"cpu", "cuda", "auto"}, optional
        Where networks are trained and measured; on a GPU the processes share it.
    progress : bool, optional
        Whether a bar is shown.

    Returns
    -------
    dict of str to dict
        By name of the run what `read_results` returns.

    Raises
    ------
    InvalidInput
        If the folder holds another experiment, the images are missing, or the device is not there.
    UnreadableFile
        If a file in the folder or of the images is damaged.
    SolverFailed
        If a training diverged, after all others were done; or if a process was killed.
    FileInUse
        If another run trains into the folder.
    KeyboardInterrupt
        When interrupted; run again to go on.
    """
    folder = Path(folder)
    count(processes, "processes")
    device_of(device)
    for part in ("train", "test"):  # what cannot be run shall not claim the folder
        load_images(part, data, dataset=experiment.dataset, n=1)
    _claim(folder, experiment)
    with held(folder / _SETTINGS, "trains there"):
        return _trained(experiment, folder, data, processes, device, progress)


def _trained(
    experiment: Experiment, folder: Path, data: Any, processes: int, device: str, progress: bool
) -> dict[str, dict[str, Any]]:
    """Do what the folder lacks, and return what it holds then."""
    classifier_of(experiment, folder, data, device=device)
    runs = {run.name: run for run in experiment.runs()}
    done = set(read_results(folder))
    failed: dict[str, str] = {}
    with bar(progress, len(runs), "run", len(done)) as shown:
        try:
            for name, error in _finished(experiment, folder, data, runs, done, processes, device):
                if error is not None:
                    failed[name] = error
                shown.set_postfix_str(name)
                shown.update()
        except KeyboardInterrupt as interrupt:
            kept = len(read_results(folder))
            interrupt.add_note(f"{kept} of {len(runs)} runs are kept in {folder}; run again to go on")
            raise
    if failed:
        told = "; ".join(f"{name}: {error}" for name, error in failed.items())
        raise SolverFailed(f"{len(failed)} of {len(runs)} runs failed ({told}); the others are kept in {folder}")
    return read_results(folder)


def classifier_of(
    experiment: Experiment, folder: str | os.PathLike[str], data: Any = None, *, device: str = "cpu"
) -> torch.nn.Module:
    """Return the experiment's classifier, from its folder or trained and kept there."""
    path = Path(folder) / CLASSIFIER
    images = load_images("train", data, dataset=experiment.dataset, n=experiment.preset.n_train)
    return train_classifier(images, experiment.preset, path=path, device=device)


def read_experiment(folder: str | os.PathLike[str]) -> Experiment:
    """Return the experiment that a folder holds.

    Raises
    ------
    UnreadableFile
        If it holds none.
    """
    path = Path(folder) / _SETTINGS
    try:
        return Experiment.of(read_json(path))
    except UnreadableFile:
        raise
    except InvalidInput as error:
        raise UnreadableFile(f"{path} is damaged ({error}); choose another folder") from error


def read_results(folder: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Return what is known of the finished runs in a folder.

    Returns
    -------
    dict of str to dict
        By name of the run: ``run``, a `Run`; ``measures``, a dict of `Estimate`; ``seconds``.

    Raises
    ------
    UnreadableFile
        If a file is damaged.
    """
    found = {}
    for run in read_experiment(folder).runs():
        path = Path(folder) / f"{run.name}.json"
        if not path.exists():
            continue
        content = read_json(path)
        try:
            measures = {name: Estimate(*map(float, values)) for name, values in content["measures"].items()}
            found[run.name] = {"run": run, "measures": measures, "seconds": float(content["seconds"])}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnreadableFile(f"{path} is damaged ({type(error).__name__} {error}); remove it") from error
    return found


def _finished(
    experiment: Experiment, folder: Path, data: Any, runs: dict[str, Run], done: set[str], processes: int, device: str
) -> Iterator[tuple[str, str | None]]:
    """Do what is left; yield names as they are finished, with what went wrong."""
    waiting = [name for name in runs if name not in done]
    at_work: dict[Future[None], str] = {}
    lost: set[str] = set()
    context = multiprocessing.get_context("spawn")  # a forked child would share torch's thread pools
    with ProcessPoolExecutor(processes, mp_context=context, initializer=begin_worker) as pool:
        try:
            while waiting or at_work:
                for name in [name for name in waiting if runs[name].encoder in lost]:
                    waiting.remove(name)
                    lost.add(name)
                    yield name, f"its encoder's run {runs[name].encoder} failed"
                ready = [name for name in waiting if runs[name].encoder is None or runs[name].encoder in done]
                for name in ready[: 2 * processes - len(at_work)]:
                    waiting.remove(name)
                    at_work[pool.submit(_run, experiment, folder, data, runs[name], device)] = name
                finished, _ = wait(at_work, return_when=FIRST_COMPLETED) if at_work else (set(), None)
                for future in finished:
                    name = at_work.pop(future)
                    error = future.exception()
                    if isinstance(error, BrokenProcessPool):
                        raise SolverFailed(
                            f"a process ended while {', '.join([name, *at_work.values()])} were trained, perhaps for "
                            "want of memory; run again to go on, with fewer processes"
                        ) from error
                    if error is not None and not isinstance(error, SolverFailed):
                        raise error
                    (done if error is None else lost).add(name)
                    yield name, None if error is None else str(error)
        except BaseException:
            pool.shutdown(cancel_futures=True)  # and wait: what is at work must not write into a later continuation
            raise


def begin_worker() -> None:
    """Prepare a process of the pool: one thread, and an end as soon as whoever started it is gone, even killed."""
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)  # training shall not go on beside that of the next run


def _run(experiment: Experiment, folder: Path, data: Any, run: Run, device: str = "cpu") -> None:
    """Train and measure one system; called in a process of its own."""
    began = time.monotonic()
    preset = experiment.preset
    train_images = load_images("train", data, dataset=experiment.dataset, n=preset.n_train)
    test_images = load_images("test", data, dataset=experiment.dataset, n=preset.n_test)
    classifier = train_classifier(train_images, preset, path=folder / CLASSIFIER)
    partial = folder / f"{run.name}.partial.pt"
    system = train(
        train_images,
        classifier,
        run.weights,
        preset,
        dimension=experiment.dimension,
        levels=experiment.levels,
        encoder=None if run.encoder is None else load_system(folder / f"{run.encoder}.pt"),
        seed=run.seed,
        checkpoint=partial,
        device=device,
    )
    system.save(folder / f"{run.name}.pt")
    measures = evaluate(system, test_images, classifier, device=device)
    content = {"measures": {name: list(estimate) for name, estimate in measures.items()}}
    write_json(folder / f"{run.name}.json", content | {"seconds": time.monotonic() - began})
    partial.unlink(missing_ok=True)


def _claim(folder: Path, experiment: Experiment) -> None:
    """Make the folder that of the experiment, or see that it is."""
    path = folder / _SETTINGS
    if path.exists():
        held = read_experiment(folder)
        if held != experiment:
            theirs, ours = held.described(), experiment.described()
            differing = next(key for key in ours if theirs[key] != ours[key])
            raise InvalidInput(
                f"{folder} holds an experiment with {differing} {theirs[differing]}, asked for is {ours[differing]}; "
                "choose another folder"
            )
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"{folder} cannot be a folder ({error.strerror}); choose another one") from error
    write_json(path, experiment.described())


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file, whole or not at all."""
    with whole_file(path) as stream:
        stream.write(json.dumps(content, indent=1).encode())


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file of an experiment's folder.

    Raises
    ------
    UnreadableFile
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UnreadableFile(f"{path} does not exist; run the experiment into that folder first") from None
    except (OSError, ValueError) as error:
        raise UnreadableFile(f"{path} cannot be read ({error}); remove it and run again") from error
    if not isinstance(content, dict):
        raise UnreadableFile(f"{path} does not hold an object; remove it and run again")
    return content
