"""How well a system does on images it was not trained on, each number with a bootstrap interval."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy
from rdcsolve.neural.devices import device_of
from rdcsolve.neural.images import Images
from rdcsolve.neural.losses import cross_entropy, squared_error
from rdcsolve.neural.messages import shared_dithers
from rdcsolve.neural.system import System, copied, in_chunks
from rdcsolve.theory.transport import sliced_squared_wasserstein

_SLICED_RESAMPLES = 30
"""Resamples of the Wasserstein distance: each costs as much as the distance itself."""

_DITHERS = 8
"""Values of the dither for the entropy given it."""


class Estimate(NamedTuple):
    """A number and the ends of its bootstrap interval; NaN where it does not exist."""

    value: float
    low: float
    high: float


def evaluate(
    system: System,
    images: Images,
    classifier: nn.Module,
    *,
    n_bootstrap: int = 200,
    level: float = 0.95,
    n_projections: int | None = 50,
    seed: int = 0,
    device: str = "cpu",
) -> dict[str, Estimate]:
    """Measure a system on images, with one fresh dither for each: the mean over its last epochs, if several are kept.

    Parameters
    ----------
    system : System
    images : Images
        For testing.
    classifier : torch.nn.Module
        The one that judges.
    n_bootstrap : int, optional
        Resamples of the images.
    level : float, optional
        Of the intervals.
    n_projections : int, optional
        Directions of the sliced distance; None for leaving it out.
    seed : int, optional
        Of the dither, the directions and the resampling.
    device : {"cpu", "cuda", "auto"}, optional
        Where the networks are run.

    Returns
    -------
    dict of str to Estimate
        ``mse`` per pixel; ``cross_entropy`` in nats; ``accuracy``; ``w1``, what the critic makes of the distance
        between images and reconstructions, NaN without a critic; ``sliced_w2``, the mean over directions of the squared
        Wasserstein distance of the projected pixels, NaN if left out; ``message_entropy``, the empirical one in nats,
        at most ``system.quantiser.rate``; ``coded_rate``, their entropy given the dither, H(Q|U) in nats, mean over
        eight dithers, which is what an entropy coder that knows the dither needs, and I(X;Q|U). Intervals are basic
        bootstrap ones over the images; the training is not resampled.

    Raises
    ------
    InvalidInput
    MissingExtra
        If POT is not installed.
    """
    count(n_bootstrap, "n_bootstrap", least=2)
    if n_projections is not None:
        count(n_projections, "n_projections")
    count(seed, "seed", least=0)
    if not 0 < level < 1:
        raise InvalidInput(f"level is {level!r}; give a number between 0 and 1, such as 0.95")
    place, n = device_of(device), len(images)
    held, judge = images.to(place), copy.deepcopy(classifier).to(place)
    random = torch.Generator().manual_seed(seed)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_bootstrap) / n
    by_epoch: list[dict[str, _Resampled]] = []
    for epoch in system.last_epochs():
        shown, messages, per_image = _outcome(copied(epoch, place), held, judge, random)
        found = {name: _Resampled(values.mean(), weights @ values) for name, values in per_image.items()}
        found["message_entropy"] = _entropies(messages, weights)
        found["coded_rate"] = _given_dither(copied(epoch, place), held, weights, seed)
        if n_projections is not None:
            found["sliced_w2"] = _sliced(images.pixels().cpu().numpy(), shown, n_projections, seed)
        by_epoch.append(found)
    unknown = dict.fromkeys(("w1", "sliced_w2"), Estimate(*[float("nan")] * 3))
    return unknown | {name: _interval([found[name] for found in by_epoch], level) for name in by_epoch[0]}


class _Resampled(NamedTuple):
    """A measure on the images, and on each resample of them, shape (n_bootstrap,)."""

    value: float
    resampled: np.ndarray


def _outcome(
    system: System, images: Images, classifier: nn.Module, random: torch.Generator
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Return reconstructions, messages and measures of each image, where those are."""
    pixels = images.pixels()
    shown, messages = system.reconstruct(pixels, random)
    logits = in_chunks(classifier, shown)
    per_image = {
        "mse": squared_error(pixels, shown),
        "cross_entropy": cross_entropy(logits, images.classes),
        "accuracy": logits.argmax(dim=1) == images.classes,
    }
    if system.critic is not None:
        per_image["w1"] = (in_chunks(system.critic, pixels) - in_chunks(system.critic, shown))[:, 0]
    measures = {name: values.double().cpu().numpy() for name, values in per_image.items()}
    return shown.cpu().numpy(), messages.cpu().numpy(), measures


def _entropies(messages: np.ndarray, weights: np.ndarray) -> _Resampled:
    seen, place = np.unique(messages, return_inverse=True)
    sent = np.eye(len(seen))[place]
    return _Resampled(entropy(sent.mean(axis=0)), np.array([entropy(masses) for masses in weights @ sent]))


def _given_dither(system: System, images: Images, weights: np.ndarray, seed: int) -> _Resampled:
    """Return the entropy of messages where all images share a dither, mean over dithers."""
    latent = system.latent(images.pixels()).cpu()
    found = []
    for dither in shared_dithers(system, _DITHERS if system.quantiser.is_dithered else 1, seed):
        found.append(_entropies(system.quantiser.messages(latent, dither).numpy(), weights))
    return _Resampled(float(np.mean([one.value for one in found])), np.mean([one.resampled for one in found], axis=0))


def _interval(by_epoch: Sequence[_Resampled], level: float) -> Estimate:
    """Return the basic bootstrap interval of a mean over epochs: resampled values reflected at the value."""
    value = float(np.mean([one.value for one in by_epoch]))
    resampled = np.mean([one.resampled for one in by_epoch], axis=0)
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(value, float(2 * value - high), float(2 * value - low))


def _sliced(pixels: np.ndarray, shown: np.ndarray, n_projections: int, seed: int) -> _Resampled:
    distance: Callable[[Any, Any], float] = lambda x, y: sliced_squared_wasserstein(  # noqa: E731
        x, y, n_projections=n_projections, rng=seed
    )
    random = np.random.default_rng(seed)
    drawn = [random.integers(len(pixels), size=len(pixels)) for _ in range(_SLICED_RESAMPLES)]
    resampled = np.array([distance(pixels[chosen], shown[chosen]) for chosen in drawn])
    return _Resampled(distance(pixels, shown), resampled)
