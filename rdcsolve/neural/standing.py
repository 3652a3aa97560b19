"""How far each trained system is from the limit, and whether its encoder or its decoder is to blame."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.explore.envelope import Envelope
from rdcsolve.explore.record import read_dataset
from rdcsolve.information import entropy
from rdcsolve.neural.images import Images, load_images
from rdcsolve.neural.limit import CROSS_ENTROPY, CURVE, LETTERS, limit_letters, limit_problem, nearest_letter
from rdcsolve.neural.messages import decoded_messages, message_channel
from rdcsolve.neural.progress import bar
from rdcsolve.neural.sweep import CLASSIFIER, classifier_of, read_experiment, read_json, read_results, write_json
from rdcsolve.neural.system import System, load_system
from rdcsolve.problems import Problem
from rdcsolve.results.status import uninterrupted
from rdcsolve.universal import Region, achievable_region
from rdcsolve.writing import held

_FILE = "standing.json"


@dataclass(frozen=True)
class Standing:
    """One trained system beside what bounds it; squared errors per pixel, the rest in nats.

    All of it is on the test images, with a shared dither of finitely many values.

    Attributes
    ----------
    name : str
        Of the run.
    mse, cross_entropy : float
        What the system attains.
    rate : float
        I(X;Z) given the dither.
    encoder_mse : float
        The least squared error that any decoder of its messages attains at that cross-entropy, if it shows letters of
        the limit, conditional means of the messages, or what trained decoders of this encoder show.
    encoder_cross_entropy : float
        The least cross-entropy that such decoders attain.
    mmse : float
        Mean squared error of the conditional mean given the message, which no decoder can beat.
    label_entropy : float
        H(S|Z): no classifier of anything decoded from these messages has less cross-entropy.
    limit_lower, limit_upper : float
        Bounds on the least squared error at that cross-entropy and the experiment's rate, over all channels to the
        limit's letters. The upper one is NaN below the least cross-entropy that was solved for.
    """

    name: str
    mse: float
    cross_entropy: float
    rate: float
    encoder_mse: float
    encoder_cross_entropy: float
    mmse: float
    label_entropy: float
    limit_lower: float
    limit_upper: float

    @property
    def decoder_gap(self) -> float:
        """Squared error that a better decoder would save."""
        return self.mse - self.encoder_mse

    @property
    def encoder_gap(self) -> float:
        """Squared error that a better encoder would save beyond that, by the upper bound of the limit."""
        return self.encoder_mse - self.limit_upper


def standings(
    folder: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    *,
    n_dithers: int = 8,
    progress: bool = False,
) -> list[Standing]:
    """Return every finished run of an experiment beside its limit; kept in the folder.

    The file is written as encoders are done. Another call goes on from it, and does anew what was made of other files.

    Parameters
    ----------
    folder : path-like
        Of an experiment whose `limit_curve` is there.
    data : path-like, optional
        Folder of the images.
    n_dithers : int, optional
        Values of the dither that encoder and decoder share.
    progress : bool, optional

    Returns
    -------
    list of Standing

    Raises
    ------
    InvalidInput
        If the limit is not there.
    FileInUse
        If another run computes them into this folder.
    UnreadableFile, SaveFailed
        As of `limit_letters`.
    """
    folder = Path(folder)
    if not (folder / CURVE).exists():
        raise InvalidInput(f"{folder} holds no limit; compute the curve with limit_curve first")
    with held(folder / _FILE, "computes standings into it"):
        return _standings(folder, data, n_dithers, progress)


def _standings(folder: Path, data: Any, n_dithers: int, progress: bool) -> list[Standing]:
    """Return the standings; those of systems that share an encoder are kept together, and taken from the file."""
    limit = Envelope(read_dataset(folder / CURVE))
    experiment, results = read_experiment(folder), read_results(folder)
    images = load_images("test", data, dataset=experiment.dataset, n=experiment.preset.n_test)
    classifier = classifier_of(experiment, folder, data)
    letters = limit_letters(folder, data)
    by_encoder: dict[str, list[str]] = {}
    for name, found in results.items():
        by_encoder.setdefault(found["run"].encoder or name, []).append(name)
    found_all, origins = _earlier(folder / _FILE)
    with bar(progress, len(results), "system") as shown:
        for names in by_encoder.values():
            origin = _digest([*(folder / f"{name}.pt" for name in names), *_common(folder)], n_dithers)
            if not all(origins.get(name) == origin and name in found_all for name in names):
                systems = {name: load_system(folder / f"{name}.pt") for name in names}
                judge = _Judge(images, classifier, letters.pixels, next(iter(systems.values())), n_dithers)
                for standing in judge.standings(systems, limit):
                    found_all[standing.name], origins[standing.name] = standing, origin
                _keep(folder, [found_all[name] for name in results if name in found_all], origins, {})
            shown.update(len(names))
    ordered = [found_all[name] for name in results]
    _keep(folder, ordered, origins, nearest_letter(limit_problem(images, classifier, letters.codebook)))
    return ordered


def _earlier(path: Path) -> tuple[dict[str, Standing], dict[str, str]]:
    """Return what an earlier run left, by name, and of which files each was made; nothing where that is not known."""
    if not path.exists():
        return {}, {}
    origins = read_json(path).get("origins")
    return {one.name: one for one in _parsed(path)[0]}, dict(origins) if isinstance(origins, dict) else {}


def _common(folder: Path) -> list[Path]:
    return [folder / name for name in (CURVE, LETTERS, CLASSIFIER)]


def _digest(paths: list[Path], n_dithers: int) -> str:
    digest = hashlib.sha256(str(n_dithers).encode())
    for path in paths:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _keep(folder: Path, standings: list[Standing], origins: dict[str, str], codebook: dict[str, float]) -> None:
    kept = {one.name: origins[one.name] for one in standings if one.name in origins}
    content = {"standings": [asdict(one) for one in standings], "codebook": codebook, "origins": kept}
    write_json(folder / _FILE, content)


def read_standings(folder: str | os.PathLike[str]) -> list[Standing]:
    """Return what `standings` left in a folder; an empty list where it was not called."""
    path = Path(folder) / _FILE
    if not path.exists():
        return []
    return _parsed(path)[0]


def read_codebook(folder: str | os.PathLike[str]) -> dict[str, float]:
    """Return what a vector quantiser with as many centroids as messages attains; nothing before `standings`.

    Returns
    -------
    dict of str to float
        As of `nearest_letter`.
    """
    path = Path(folder) / _FILE
    return _parsed(path)[1] if path.exists() else {}


def _parsed(path: Path) -> tuple[list[Standing], dict[str, float]]:
    content = read_json(path)
    try:
        found = [Standing(**one) for one in content["standings"]]
        return found, {name: float(value) for name, value in content["codebook"].items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableFile(f"{path} is damaged ({type(error).__name__} {error}); remove it") from error


class _Judge:
    """All that can be said of the decoders of one encoder."""

    def __init__(
        self, images: Images, classifier: torch.nn.Module, letters: np.ndarray, system: System, n_dithers: int
    ) -> None:
        self.images, self.classifier, self.n_dithers = images, classifier, n_dithers
        self.channel = message_channel(system, images.pixels(), n_dithers=n_dithers)
        joint = self.channel / len(images)
        self.q = joint.sum(axis=0)
        sent = self.q > 0
        pixels = images.pixels().double().numpy()
        means = (joint.T @ pixels)[sent] / self.q[sent, None]
        self.letters = np.concatenate([letters, means])
        # The mean squared error of the conditional mean, by the law of total variance.
        left = np.square(pixels).sum(axis=1).mean() - self.q[sent] @ np.square(means).sum(axis=1)
        self.mmse = float(left / pixels.shape[1])
        classes = np.eye(10)[images.classes.numpy()]
        self.label_entropy = float(entropy((joint.T @ classes).ravel()) - entropy(self.q))

    def standings(self, systems: dict[str, System], limit: Envelope) -> list[Standing]:
        """Return the standing of each system that has this encoder."""
        outputs = {name: decoded_messages(system, n_dithers=self.n_dithers) for name, system in systems.items()}
        problem = limit_problem(self.images, self.classifier, np.concatenate([self.letters, *outputs.values()]))
        region = uninterrupted(achievable_region(self.channel, problem, ("distortion", CROSS_ENTROPY)))
        found, start = [], len(self.letters)
        for name, shown in outputs.items():
            mse, cross_entropy = self._losses(problem, slice(start, start + len(shown)))
            start += len(shown)
            found.append(self._standing(name, mse, cross_entropy, region, limit))
        return found

    def _losses(self, problem: Problem, own: slice) -> tuple[float, float]:
        """Return the losses of the decoder that shows its own letter for each message."""
        weights = self.channel / len(self.images)
        mse, cross_entropy = (float((weights * loss.block(None, own)).sum()) for loss in problem.linear_losses)
        return mse, cross_entropy

    def _standing(self, name: str, mse: float, cross_entropy: float, region: Region, limit: Envelope) -> Standing:
        corners = region.vertices[::-1]
        return Standing(
            name=name,
            mse=mse,
            cross_entropy=cross_entropy,
            rate=region.rate,  # given the dither, which is independent of the image
            encoder_mse=float(np.interp(cross_entropy, corners[:, 1], corners[:, 0])),
            encoder_cross_entropy=float(corners[0, 1]),
            mmse=self.mmse,
            label_entropy=self.label_entropy,
            limit_lower=_at(limit.lower_at, cross_entropy),
            limit_upper=_at(limit.upper_at, cross_entropy),
        )


def _at(bound: Callable[[Any], np.ndarray], cross_entropy: float) -> float:
    return float(np.asarray(bound([[cross_entropy]])).ravel()[0])
