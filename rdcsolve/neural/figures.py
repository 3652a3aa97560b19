"""Figure 6 with the systems of an experiment, the solver's limit below them, and reconstructions to look at."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from rdcsolve.data.arguments import count
from rdcsolve.explore.envelope import Envelope
from rdcsolve.explore.record import read_dataset
from rdcsolve.neural.experiment import CONVENTIONAL, LOW_CROSS_ENTROPY, LOW_DISTORTION
from rdcsolve.neural.images import SIDE, load_images
from rdcsolve.neural.limit import CURVE
from rdcsolve.neural.standing import read_codebook
from rdcsolve.neural.sweep import read_experiment, read_results
from rdcsolve.neural.system import load_system

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PUBLISHED = {
    ("cross_entropy", False): ((1.475, 0.0455), (0.555, 0.0461), (0.176, 0.0506)),
    ("accuracy", True): (
        (0.700, 0.0457),
        (0.762, 0.0469),
        (0.828, 0.0576),
        (0.854, 0.0655),
        (0.847, 0.0703),
        (0.846, 0.0758),
    ),
}
"""Conventional systems of the paper's Figure 6, MNIST at 4.75 bits: pairs of a measure and the squared error per pixel,
without the Wasserstein term by cross-entropy (nats), with it by accuracy. For orientation: lambda_p is unpublished."""

PUBLISHED_UNIVERSAL = {
    ("cross_entropy", False): ((0.17, 0.0501), (0.21, 0.0505)),
    ("accuracy", True): (
        (0.852, 0.0473),
        (0.851, 0.0487),
        (0.855, 0.0586),
        (0.851, 0.0674),
        (0.847, 0.0717),
        (0.849, 0.0755),
    ),
}
"""The universal ones beside them, without the Wasserstein term the ends of the ranges of both measures."""

_MARGIN = 0.06
"""Of an axis: what an inset's ticks take beside it."""

_STYLES: dict[str, dict[str, Any]] = {
    CONVENTIONAL: {"marker": "o", "edgecolors": "black", "color": "tab:blue"},
    LOW_CROSS_ENTROPY: {"marker": "^", "color": "tab:orange"},
    LOW_DISTORTION: {"marker": "v", "color": "tab:green"},
}
_WORDS = {
    CONVENTIONAL: "conventional",
    LOW_CROSS_ENTROPY: "universal, encoder for low cross-entropy",
    LOW_DISTORTION: "universal, encoder for low distortion",
}


def figure_6(folder: str | os.PathLike[str]) -> Figure:
    """Draw squared error against cross-entropy and accuracy, without and with the Wasserstein term.

    Parameters
    ----------
    folder : path-like
        Of an experiment; what is finished is drawn, and the limit if it is there.

    Returns
    -------
    matplotlib.figure.Figure
        Error bars are bootstrap intervals over the test images; lines join the runs of the first seed, points off them
        are of other seeds.
    """
    from matplotlib import pyplot

    folder = Path(folder)
    experiment, results = read_experiment(folder), read_results(folder)
    terms = sorted({found["run"].weights.lambda_p for found in results.values()})
    figure, axes = pyplot.subplots(
        max(len(terms), 1), 2, figsize=(11, 4.2 * max(len(terms), 1)), squeeze=False, layout="constrained"
    )
    is_published = experiment.dataset == "mnist" and (experiment.dimension, experiment.levels) == (3, 3)
    for row, lambda_p in zip(axes, terms, strict=False):
        for ax, measure in zip(row, ("cross_entropy", "accuracy"), strict=True):
            _draw_systems(ax, results, measure, lambda_p)
            if is_published:
                _draw_published(ax, measure, lambda_p > 0)
            ax.set_title(f"Wasserstein term, lambda_p = {lambda_p:g}" if lambda_p else "without a Wasserstein term")
        if (folder / CURVE).exists():
            _draw_limit(row[0], Envelope(read_dataset(folder / CURVE)))
        codebook = read_codebook(folder)
        if codebook:
            place = codebook["cross_entropy"], codebook["distortion"]
            words = f"vector quantiser, {experiment.quantiser.n_messages} centroids"
            row[0].plot(*place, "*", color="black", markersize=9, label=words)
        _draw_inset(row[0], results, lambda_p)
    handles = {words: handle for ax in axes.flat for handle, words in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=2, frameon=False)
    bits = experiment.quantiser.rate / np.log(2)
    figure.suptitle(f"{experiment.dataset}, at most {bits:.3g} bits an image, preset {experiment.preset.name}")
    return figure


def _draw_published(ax: Axes, measure: str, has_term: bool) -> None:
    for points, mark, kind in ((PUBLISHED, "x", "conventional"), (PUBLISHED_UNIVERSAL, "+", "universal")):
        if (measure, has_term) in points:
            ax.plot(*np.transpose(points[measure, has_term]), mark, color="0.5", label=f"published, {kind}")


def _draw_systems(ax: Axes, results: dict[str, Any], measure: str, lambda_p: float) -> None:
    for kind, style in _STYLES.items():
        chosen = [
            found
            for found in results.values()
            if found["run"].kind == kind and found["run"].weights.lambda_p == lambda_p
        ]
        if not chosen:
            continue
        x, y = (np.array([one["measures"][name] for one in chosen]) for name in (measure, "mse"))
        ax.errorbar(x[:, 0], y[:, 0], _arms(y), _arms(x), fmt="none", ecolor=style["color"], elinewidth=0.7, alpha=0.6)
        ax.scatter(x[:, 0], y[:, 0], s=28, zorder=3, label=_WORDS[kind], **style)
        first = np.array([one["run"].repetition == 0 for one in chosen])
        order = np.argsort([one["run"].weights.lambda_c for one in chosen], kind="stable")
        order = order[first[order]]
        ax.plot(x[order, 0], y[order, 0], color=style["color"], linewidth=0.8, alpha=0.7)
    ax.set_xlabel("accuracy of the classifier" if measure == "accuracy" else "cross-entropy of the classifier, nat")
    ax.set_ylabel("squared error per pixel")


def _draw_inset(ax: Axes, results: dict[str, Any], lambda_p: float) -> None:
    """Draw the decoders that reuse an encoder for low cross-entropy once more, enlarged: their points hardly spread."""
    runs = [found for found in results.values() if found["run"].weights.lambda_p == lambda_p]
    chosen = [found for found in runs if found["run"].kind == LOW_CROSS_ENTROPY]
    if len(chosen) < 2:
        return
    inset = ax.inset_axes(
        _emptier(ax, [[found["measures"][name].value for name in ("cross_entropy", "mse")] for found in runs])
    )
    _draw_systems(inset, results, "cross_entropy", lambda_p)
    for set_limits, name in ((inset.set_xlim, "cross_entropy"), (inset.set_ylim, "mse")):
        values = np.array([found["measures"][name].value for found in chosen])
        margin = 0.3 * float(np.ptp(values)) or 0.02 * float(values.max())
        set_limits(float(values.min()) - margin, float(values.max()) + margin)
    inset.set(xlabel="", ylabel="")
    inset.tick_params(labelsize="x-small")
    ax.indicate_inset_zoom(inset, edgecolor="0.4")


def _emptier(ax: Axes, points: list[list[float]]) -> tuple[float, float, float, float]:
    """Return where an inset hides fewer of the points: in the upper corner, or below it and above a limit's curve."""
    ends = np.array([ax.get_xlim(), ax.get_ylim()])
    across, up = ((np.array(points) - ends[:, 0]) / (ends[:, 1] - ends[:, 0])).T

    def hidden(place: tuple[float, float, float, float]) -> int:
        left, low, _, height = place
        return int(np.count_nonzero((across > left - _MARGIN) & (up > low - _MARGIN) & (up < low + height)))

    return min(((0.45, 0.45, 0.53, 0.53), (0.45, 0.18, 0.53, 0.4)), key=hidden)


def _arms(estimates: np.ndarray) -> np.ndarray:
    """Return the lengths of error bars downwards and upwards, shape (2, n)."""
    return np.maximum(np.stack([estimates[:, 0] - estimates[:, 1], estimates[:, 2] - estimates[:, 0]]), 0.0)


def _draw_limit(ax: Axes, limit: Envelope) -> None:
    """Draw the least squared error of any code, a band between certified bounds."""
    right = max(ax.get_xlim()[1], limit.points[:, 0].max())
    x = np.linspace(limit.points[:, 0].min(), right, 400)[:, None]
    lower, upper = limit.lower_at(x), limit.upper_at(x)
    ax.fill_between(x[:, 0], lower, upper, color="black", alpha=0.25, linewidth=0)
    ax.plot(x[:, 0], upper, color="black", label="limit of any code with the listed letters (certified)")
    ax.plot(limit.points[:, 0], limit.upper, "|", color="black", markersize=8)


def reconstructions(
    folder: str | os.PathLike[str],
    data: str | os.PathLike[str] | None = None,
    *,
    names: Sequence[str] | None = None,
    n_images: int = 10,
) -> Figure:
    """Draw test images, and below them what systems along the trade-off make of them.

    Parameters
    ----------
    folder : path-like
        Of an experiment.
    data : path-like, optional
        Folder of the images.
    names : sequence of str, optional
        Runs; by default those of the first seed at the least, a middle and the largest lambda_c.
    n_images : int, optional
        One of each class first.

    Returns
    -------
    matplotlib.figure.Figure
    """
    from matplotlib import pyplot

    folder = Path(folder)
    experiment, results = read_experiment(folder), read_results(folder)
    count(n_images, "n_images")
    images = load_images("test", data, dataset=experiment.dataset, n=experiment.preset.n_test)
    chosen = _one_of_each(images.classes, n_images)
    pixels = images.pixels(chosen)
    shown = [("test images", pixels)]
    for name in _along(results) if names is None else names:
        system = load_system(folder / f"{name}.pt")
        found = results[name]
        weights, kind = found["run"].weights, _WORDS[found["run"].kind].replace(", ", ",\n")
        words = f"{kind}\nlambda_c {weights.lambda_c:g}, lambda_p {weights.lambda_p:g}"
        shown.append((words, system.reconstruct(pixels, torch.Generator().manual_seed(0))[0]))
    figure, axes = pyplot.subplots(
        len(shown), 1, figsize=(2.4 + 0.72 * n_images, 0.78 * len(shown)), squeeze=False, layout="constrained"
    )
    for (words, rows), ax in zip(shown, axes[:, 0], strict=True):
        strip = rows.reshape(-1, SIDE, SIDE).permute(1, 0, 2).reshape(SIDE, -1).numpy()
        ax.imshow(1.0 - strip, cmap="gray", vmin=0.0, vmax=1.0)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.set_ylabel(words, rotation=0, ha="right", va="center", fontsize="x-small")
    return figure


def _one_of_each(classes: torch.Tensor, n: int) -> torch.Tensor:
    """Return the places of n images that go through the classes in turn."""
    queues = [torch.nonzero(classes == k).flatten().tolist() for k in range(10)]
    turns = [queue[turn] for turn in range(1 + n // 10) for queue in queues if turn < len(queue)]
    return torch.tensor(turns[:n])


def _along(results: dict[str, Any]) -> list[str]:
    """Return runs of the first seed at the least, a middle and the largest lambda_c, of every kind and term."""
    chosen = []
    for lambda_p in sorted({found["run"].weights.lambda_p for found in results.values()}):
        for kind in _STYLES:
            alike = [
                name
                for name, found in results.items()
                if (found["run"].kind, found["run"].weights.lambda_p, found["run"].repetition) == (kind, lambda_p, 0)
            ]
            alike.sort(key=lambda name: results[name]["run"].weights.lambda_c)
            places = sorted({0, len(alike) // 2, len(alike) - 1}) if kind == CONVENTIONAL else {0, len(alike) - 1}
            chosen += [alike[place] for place in sorted(places)] if alike else []
    return chosen
