"""How well a system does on images it was not trained on, each number with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy
from rdcsolve.neural.images import Images
from rdcsolve.neural.losses import cross_entropy, squared_error
from rdcsolve.neural.system import System, in_chunks
from rdcsolve.theory.transport import sliced_squared_wasserstein

_SLICED_RESAMPLES = 30
"""Resamples of the Wasserstein distance: each costs as much as the distance itself."""


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
    n_projections: int = 50,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Measure a system on images, with one fresh dither for each.

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
        Directions of the sliced distance.
    seed : int, optional
        Of the dither, the directions and the resampling.

    Returns
    -------
    dict of str to Estimate
        ``mse`` per pixel; ``cross_entropy`` in nats; ``accuracy``; ``w1``, what the critic makes of the distance
        between images and reconstructions, NaN without a critic; ``sliced_w2``, the mean over directions of the squared
        Wasserstein distance of the projected pixels; ``message_entropy``, the empirical one in nats, at most
        ``system.quantiser.rate``. Intervals are basic bootstrap ones over the images; the training is not resampled.

    Raises
    ------
    InvalidInput
    MissingExtra
        If POT is not installed.
    """
    count(n_bootstrap, "n_bootstrap", least=2)
    count(n_projections, "n_projections")
    count(seed, "seed", least=0)
    if not 0 < level < 1:
        raise InvalidInput(f"level is {level!r}; give a number between 0 and 1, such as 0.95")
    pixels = images.pixels()
    shown, messages = system.reconstruct(pixels, torch.Generator().manual_seed(seed))
    logits = in_chunks(classifier, shown)
    per_image = {
        "mse": squared_error(pixels, shown).double().numpy(),
        "cross_entropy": cross_entropy(logits, images.classes).double().numpy(),
        "accuracy": (logits.argmax(dim=1) == images.classes).double().numpy(),
    }
    if system.critic is not None:
        gap = in_chunks(system.critic, pixels) - in_chunks(system.critic, shown)
        per_image["w1"] = gap[:, 0].double().numpy()
    n = len(images)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_bootstrap) / n
    found = {name: _interval(values.mean(), weights @ values, level) for name, values in per_image.items()}
    found.setdefault("w1", Estimate(*[float("nan")] * 3))
    seen, place = np.unique(messages.numpy(), return_inverse=True)
    sent = np.eye(len(seen))[place]
    found["message_entropy"] = _interval(
        entropy(sent.mean(axis=0)), np.array([entropy(masses) for masses in weights @ sent]), level
    )
    found["sliced_w2"] = _sliced(pixels.numpy(), shown.numpy(), level, n_projections, seed)
    return found


def _interval(value: float, resampled: np.ndarray, level: float) -> Estimate:
    """Return the basic bootstrap interval: resampled values reflected at the value."""
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(value), float(2 * value - high), float(2 * value - low))


def _sliced(pixels: np.ndarray, shown: np.ndarray, level: float, n_projections: int, seed: int) -> Estimate:
    distance: Callable[[Any, Any], float] = lambda x, y: sliced_squared_wasserstein(  # noqa: E731
        x, y, n_projections=n_projections, rng=seed
    )
    random = np.random.default_rng(seed)
    drawn = [random.integers(len(pixels), size=len(pixels)) for _ in range(_SLICED_RESAMPLES)]
    resampled = np.array([distance(pixels[chosen], shown[chosen]) for chosen in drawn])
    return _interval(distance(pixels, shown), resampled, level)
