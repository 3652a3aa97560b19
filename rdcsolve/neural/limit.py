"""The solver's own limit for an experiment, and how far each trained system is from it."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from rdcsolve.data import kmeans_codebook
from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.explore.tradeoff import tradeoff
from rdcsolve.information import entropy
from rdcsolve.neural.images import Images, load_images
from rdcsolve.neural.messages import decoded_messages
from rdcsolve.neural.sweep import classifier_of, read_experiment, read_results
from rdcsolve.neural.system import in_chunks, load_system
from rdcsolve.problems import ClassifierLossLimit, Problem, Source
from rdcsolve.writing import whole_file

if TYPE_CHECKING:
    import xarray

CROSS_ENTROPY = "cross_entropy"
CURVE = "limit.nc"
"""Name of the file with an experiment's limit."""

LETTERS = "letters.npz"
_MOST_SHOWN = 10_000
"""Outputs of decoders among the letters: the solver needs a dense matrix of test images and letters."""

_FOR_CLUSTERS = 10_000
"""Training images that k-means looks at: more would take long and move the centres little."""


@dataclass(frozen=True, eq=False)
class Letters:
    """The images that a decoder may show, and where they come from.

    Attributes
    ----------
    pixels : numpy.ndarray
        Shape (m, 784), in [0, 1].
    origins : dict of str to int
        How many there are of each kind, in their order.
    codebook : numpy.ndarray
        Shape (L^h, 784): as many centroids as there are messages, a vector quantiser for orientation.
    """

    pixels: np.ndarray
    origins: dict[str, int]
    codebook: np.ndarray


def limit_letters(
    folder: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    *,
    n_centroids: int = 256,
    n_images: int = 256,
    n_dithers: int = 1,
) -> Letters:
    """Return the letters of an experiment's limit, kept in its folder.

    Parameters
    ----------
    folder : path-like
        Of a finished experiment.
    data : path-like, optional
        Folder of the images.
    n_centroids : int, optional
        k-means centres of training images.
    n_images : int, optional
        Training images themselves, the first ones.
    n_dithers : int, optional
        Dithers with which every message of every system of the first seed is decoded.

    Returns
    -------
    Letters

    Raises
    ------
    InvalidInput
        If no run is finished, there would be too many letters, or those in the folder are of other runs or numbers.
    UnreadableFile
        If a file in the folder or of the images is damaged.
    SaveFailed
        If the letters cannot be kept.
    """
    path = Path(folder) / LETTERS
    experiment = read_experiment(folder)
    names = [name for name, found in read_results(folder).items() if found["run"].repetition == 0]
    if not names:
        raise InvalidInput(f"{folder} holds no finished run; run the experiment first")
    n_shown = len(names) * count(n_dithers, "n_dithers") * experiment.quantiser.n_messages
    if n_shown > _MOST_SHOWN:
        raise InvalidInput(
            f"{len(names)} decoders show {n_shown} images, and at most {_MOST_SHOWN} can be letters; choose letters of "
            "your own, and give them to limit_problem"
        )
    wanted = {"k-means centroids": n_centroids, "training images": n_images, "dithers": n_dithers}
    if path.exists():
        return _read_letters(path, wanted, names)
    images = load_images("train", data, dataset=experiment.dataset, n=experiment.preset.n_train)
    if len(images) < count(n_images, "n_images"):
        raise InvalidInput(f"n_images is {n_images} but there are {len(images)} training images; take fewer")
    sample = images.first(_FOR_CLUSTERS).pixels().double().numpy()
    parts = {
        "k-means centroids": np.clip(kmeans_codebook(sample, count(n_centroids, "n_centroids")), 0.0, 1.0),
        "training images": images.first(n_images).pixels().double().numpy(),
    }
    shown = [decoded_messages(load_system(Path(folder) / f"{name}.pt"), n_dithers=n_dithers) for name in names]
    parts["outputs of trained decoders"] = np.concatenate(shown)
    codebook = np.clip(kmeans_codebook(sample, experiment.quantiser.n_messages), 0.0, 1.0)
    with whole_file(path) as stream:
        np.savez_compressed(stream, codebook=codebook, dithers=n_dithers, runs=np.array(names), **parts)  # type: ignore[arg-type]
    return _letters(parts, codebook)


def _letters(parts: dict[str, np.ndarray], codebook: np.ndarray) -> Letters:
    origins = {name: len(pixels) for name, pixels in parts.items()}
    return Letters(np.concatenate(list(parts.values())), origins, codebook)


def _read_letters(path: Path, wanted: dict[str, int], names: list[str]) -> Letters:
    try:
        # The file is ours to close: numpy leaves it open when the archive is damaged.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files}
        codebook, n_dithers, runs = held.pop("codebook"), int(held.pop("dithers")), held.pop("runs").tolist()
        sizes = {name: len(pixels) for name, pixels in held.items()} | {"dithers": n_dithers}
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableFile(f"{path} is damaged ({error}); remove it") from error
    if runs != names:
        raise InvalidInput(
            f"{path} was made of {len(runs)} runs and now {len(names)} are finished; remove it and {CURVE} to "
            "start anew"
        )
    for name, number in wanted.items():
        if sizes.get(name) != number:
            raise InvalidInput(f"{path} has {sizes.get(name)} {name}, asked for are {number}; remove it to start anew")
    return _letters(held, codebook)


def limit_problem(images: Images, classifier: nn.Module, letters: Any) -> Problem:
    """Return the problem whose solution limits what can be shown of these images.

    Parameters
    ----------
    images : Images
        The source: each image has the same mass.
    classifier : torch.nn.Module
    letters : array_like
        Shape (m, 784), in [0, 1].

    Returns
    -------
    Problem
        With the losses ``distortion``, the mean squared error per pixel, and ``cross_entropy`` of the classifier on the
        letter in nats, neither limited.
    """
    shown = np.asarray(letters, dtype=float)
    logits = in_chunks(classifier, torch.from_numpy(shown).float())
    decisions = torch.softmax(logits.double(), dim=1).numpy()
    pixels = images.pixels().double().numpy()
    source = Source(pixels, np.full(len(images), 1 / len(images)), [np.eye(10)[images.classes.numpy()]])
    # By a matrix product, some twenty times as fast as by differences; pixels in [0, 1] lose no more than 1e-13 by it.
    from sklearn.metrics.pairwise import euclidean_distances

    distortion = euclidean_distances(pixels, shown, squared=True) / pixels.shape[1]
    return Problem(source, shown, distortion, [ClassifierLossLimit(math.inf, decisions, name=CROSS_ENTROPY)])


def nearest_letter(problem: Problem) -> dict[str, float]:
    """Return what the quantiser attains that shows each image the letter with the least squared error.

    Parameters
    ----------
    problem : Problem
        Of `limit_problem`.

    Returns
    -------
    dict of str to float
        ``distortion``, ``cross_entropy``, and ``rate``, the entropy of the letter in nats.
    """
    distortion = problem.linear_losses[0].block()
    chosen = distortion.argmin(axis=1)
    everyone = np.arange(problem.n_x)
    losses = {loss.name: float(problem.p_x @ loss.block()[everyone, chosen]) for loss in problem.linear_losses}
    return losses | {"rate": float(entropy(np.bincount(chosen, problem.p_x, minlength=distortion.shape[1])))}


def experiment_problem(
    folder: str | os.PathLike[str], data: str | os.PathLike[str] | None = None, letters: Any = None
) -> Problem:
    """Return `limit_problem` of an experiment's test images and classifier, by default with `limit_letters`."""
    experiment = read_experiment(folder)
    images = load_images("test", data, dataset=experiment.dataset, n=experiment.preset.n_test)
    shown = limit_letters(folder, data).pixels if letters is None else letters
    return limit_problem(images, classifier_of(experiment, folder, data), shown)


def limit_curve(
    folder: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    *,
    n_points: int = 9,
    tolerance: float = 1e-6,
    progress: bool = False,
) -> xarray.Dataset:
    """Return the least squared error per pixel at each cross-entropy, at the rate of an experiment.

    Parameters
    ----------
    folder : path-like
        Of a finished experiment; the curve is kept there.
    data : path-like, optional
        Folder of the images.
    n_points : int, optional
    tolerance : float, optional
        As of `rdcsolve.solve`.
    progress : bool, optional

    Returns
    -------
    xarray.Dataset
        As of `rdcsolve.tradeoff`.

    Raises
    ------
    InvalidInput
        As of `limit_letters`, or if the curve in the folder is of another problem.
    UnreadableFile, SaveFailed
        As of `limit_letters`.

    Notes
    -----
    What is certified concerns these images, this classifier and these letters: no channel of rate h log L from the test
    images to the letters does better, in blocks of any length. A decoder that shows other images may.
    """
    experiment = read_experiment(folder)
    problem = experiment_problem(folder, data)
    return tradeoff(
        problem,
        experiment.quantiser.rate,
        CROSS_ENTROPY,
        n_points=n_points,
        tolerance=tolerance,
        progress=progress,
        save=Path(folder) / CURVE,
    )
