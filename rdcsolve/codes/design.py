"""The steps of the descent that makes quantisers: messages, frequencies, words, for one decoder or for several."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rdcsolve.codes.classes import class_masses, improved_words
from rdcsolve.codes.code import Code, mixed_costs
from rdcsolve.codes.samples import check_finite
from rdcsolve.errors import InvalidInput
from rdcsolve.problems.losses import log_loss
from rdcsolve.reading import as_floats, read

_GRADIENT_STEPS = 25
_LARGEST = 1e150  # its squares, and sums of them, are within floating point
_SMALLEST = 1e-150  # differences whose squares are 0, or have few digits
_SETTLED = 1e-7  # of the Lagrangian: a round that saves less is the last


def read_design(x: Any) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return samples as rows, shape (n, dim), and the shape of one."""
    points = as_floats(read(x, "x"), "x")
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim < 2 or points.size == 0:
        raise InvalidInput(f"x has shape {points.shape}; give at least one sample, shape (n, ...)")
    check_finite(points, "x")
    largest = float(np.abs(points).max())
    if largest > _LARGEST:
        raise InvalidInput(
            f"x holds entries as large as {largest:.3g}, whose squared differences are beyond floating point; divide x "
            "by its scale"
        )
    spread = float(np.ptp(points, axis=0).max())
    if 0 < spread < _SMALLEST:
        raise InvalidInput(
            f"x holds samples that differ by at most {spread:.3g}, the square of which is below floating point; divide "
            "x by its scale"
        )
    return points.reshape(points.shape[0], -1), points.shape[1:]


class Design:
    """Samples, with what the classifier says of them, and the steps of the descent.

    What is minimised is the mean over the samples of sum_j w_j (squared error of decoder j + its multiplier times the
    cross-entropy of the classifier there) + length_multiplier length. A code is a tuple of `Code`, one per decoder,
    with the same frequencies.

    Parameters
    ----------
    rows : numpy.ndarray
        Shape (n, dim).
    shape : tuple of int
        Of a sample.
    classifier : callable, estimator or module, optional
    classes : numpy.ndarray, optional
        What it answers on the samples, shape (n, n_s).
    multipliers, weights : sequence of float
        The classifier's multiplier and the weight w_j of every decoder; weights sum to one.
    length_multiplier : float
    """

    def __init__(
        self,
        rows: np.ndarray,
        shape: tuple[int, ...],
        classifier: Any,
        classes: np.ndarray | None,
        multipliers: Sequence[float],
        weights: Sequence[float],
        length_multiplier: float,
    ) -> None:
        self.rows, self.shape, self.classifier, self.classes = rows, shape, classifier, classes
        self.multipliers, self.weights = [float(one) for one in multipliers], np.array(weights, dtype=float)
        self.length_multiplier = float(length_multiplier)
        self.centre = rows.mean(axis=0)
        self.square = float(np.square(rows - self.centre).sum()) / rows.size

    def first(self, n_words: int, seed: int) -> tuple[Code, ...]:
        """Return a code to begin with: k-means inside the classes that the classifier sees, words as they need them."""
        multiplier = float(self.weights @ self.multipliers)
        groups = [np.arange(self.rows.shape[0])]
        if self.classes is not None and multiplier > 0:
            guess = self.classes.argmax(axis=1)
            groups = [np.flatnonzero(guess == s) for s in range(self.classes.shape[1]) if (guess == s).any()]
        words = self._few(n_words, seed, multiplier) if len(groups) > n_words else self._within(groups, n_words, seed)
        return self._codes([words] * len(self.multipliers), np.full(words.shape[0], 1 / words.shape[0]))

    def alone(self, place: int) -> Design:
        """Return the design of one of the decoders alone."""
        stated = (self.rows, self.shape, self.classifier, self.classes)
        return Design(*stated, [self.multipliers[place]], [1.0], self.length_multiplier)

    def messages(self, codes: tuple[Code, ...]) -> np.ndarray:
        """Return what every sample is sent as, shape (n,)."""
        messages: np.ndarray = mixed_costs(codes, self.weights, self.rows, self.classes).argmin(axis=1)
        return messages

    def descended(
        self, codes: tuple[Code, ...], max_steps: int, tell: Callable[[int, float], Any]
    ) -> tuple[tuple[Code, ...], float]:
        """Return the code after rounds of the descent, at most so many, and its Lagrangian."""
        value = math.inf
        for step in range(max_steps):
            codes, new = self.improved(codes, self.messages(codes))
            tell(step, new)
            is_settled = value - new <= _SETTLED * abs(new)
            value = new
            if is_settled:
                break
        return codes, value

    def improved(self, codes: tuple[Code, ...], messages: np.ndarray) -> tuple[tuple[Code, ...], float]:
        """Return the code after these messages, new frequencies and words, and its Lagrangian, which is not higher."""
        counts = np.bincount(messages, minlength=codes[0].n_words)
        used = np.flatnonzero(counts)
        place = np.zeros(codes[0].n_words, dtype=np.int64)
        place[used] = np.arange(used.size)
        messages, counts = place[messages], counts[used]
        means = _sums(self.rows, messages, used.size) / counts[:, None]
        masses = None
        if self.classes is not None and max(self.multipliers) > 0:
            masses = _sums(self.classes, messages, used.size) / counts[:, None]
        value = self.square - float(counts @ np.square(means - self.centre).sum(axis=1)) / self.rows.size
        words = []
        for code, multiplier, weight in zip(codes, self.multipliers, self.weights, strict=True):
            found, cost = self._best_words(code.words[used], means, masses if multiplier > 0 else None, multiplier)
            words.append(found)
            value += float(weight) * float(counts @ cost) / counts.sum()
        better = self._codes(words, counts / counts.sum())
        return better, value + self.length_multiplier * float(better[0].frequencies @ better[0].lengths)

    def finished(self, codes: tuple[Code, ...]) -> tuple[Code, ...]:
        """Return the code in an order of its words that does not depend on the start, with room for rare messages."""
        order = np.lexsort(codes[0].words.T[::-1])
        counts = codes[0].frequencies[order] * self.rows.shape[0] + 0.5  # what is rare here may be less so elsewhere
        return self._codes([code.words[order] for code in codes], counts / counts.sum())

    def _within(self, groups: list[np.ndarray], n_words: int, seed: int) -> np.ndarray:
        """Return k-means of every group of samples, at least one word each."""
        share = _shared(n_words, [part.size for part in groups])
        if len(groups) > 1:
            errors = [_kmeans(self.rows[part], k, seed)[1] for part, k in zip(groups, share, strict=True)]
            weights = [max(error, 1e-300) * k for error, k in zip(errors, share, strict=True)]
            share = [min(k, part.size) for k, part in zip(_shared(n_words, weights), groups, strict=True)]
        return np.concatenate([_kmeans(self.rows[part], k, seed)[0] for part, k in zip(groups, share, strict=True)])

    def _few(self, n_words: int, seed: int, multiplier: float) -> np.ndarray:
        """Return fewer words than classes: k-means of samples together with what the classifier says of them.

        Classes that are sent together cost about the squared difference of their answers, in nats.
        """
        assert self.classes is not None
        scale = math.sqrt(2 * multiplier * self.rows.shape[1])
        centres, _ = _kmeans(np.hstack([self.rows, scale * self.classes]), n_words, seed)
        words: np.ndarray = centres[:, : self.rows.shape[1]]
        return words

    def _best_words(
        self, words: np.ndarray, means: np.ndarray, masses: np.ndarray | None, multiplier: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return for every cell the best of its old word, its mean, what lies between, and what gradients find.

        With them what they add to the Lagrangian of their cells, beyond the samples' distances from their means.
        """
        if masses is None:
            return means, np.zeros(means.shape[0])
        candidates = [words, means, 0.5 * (words + means)]
        found = improved_words(self.classifier, means, masses, multiplier, self.shape, _GRADIENT_STEPS)
        candidates += [] if found is None else [found]
        costs = np.stack([self._word_costs(one, means, masses, multiplier) for one in candidates])
        best, places = costs.argmin(axis=0), np.arange(words.shape[0])
        return np.stack(candidates)[best, places], costs[best, places]

    def _word_costs(self, words: np.ndarray, means: np.ndarray, masses: np.ndarray, multiplier: float) -> np.ndarray:
        decisions = class_masses(self.classifier, words.reshape(-1, *self.shape))
        cost: np.ndarray = np.square(words - means).mean(axis=1) + multiplier * np.diagonal(log_loss(masses, decisions))
        return cost

    def _codes(self, words: list[np.ndarray], frequencies: np.ndarray) -> tuple[Code, ...]:
        codes = []
        for one, multiplier in zip(words, self.multipliers, strict=True):
            decisions = np.empty((one.shape[0], 0))
            if self.classifier is not None:
                decisions = class_masses(self.classifier, one.reshape(-1, *self.shape))
            pair = (multiplier, self.length_multiplier)
            codes.append(Code(one, frequencies, decisions, *pair, self.shape, self.classifier))
        return tuple(codes)


def _sums(rows: np.ndarray, messages: np.ndarray, k: int) -> np.ndarray:
    """Return the sum of the rows of every message, shape (k, columns)."""
    from scipy.sparse import csr_array

    n = rows.shape[0]
    sums: np.ndarray = csr_array((np.ones(n), (messages, np.arange(n))), shape=(k, n)) @ rows
    return sums


def _kmeans(rows: np.ndarray, k: int, seed: int) -> tuple[np.ndarray, float]:
    """Return at most k centres, fewer where fewer rows differ, and the squared error around them."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    number = min(k, _n_distinct(rows, k))
    with warnings.catch_warnings():
        # rows that differ in their last digits are one to k-means, which counts its centres again and warns of it
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = KMeans(number, n_init=1, max_iter=30, random_state=seed).fit(rows)
    return fit.cluster_centers_, float(fit.inertia_)


def _n_distinct(rows: np.ndarray, enough: int) -> int:
    """Return how many rows differ; `enough` or more where there are as many."""
    seen: set[bytes] = set()
    for row in np.ascontiguousarray(rows + 0.0):  # -0 is 0
        seen.add(row.tobytes())
        if len(seen) >= enough:
            break
    return len(seen)


def _shared(total: int, weights: list[float]) -> list[int]:
    """Return whole numbers >= 1 in about these proportions that add up to `total`."""
    left = total - len(weights)
    exact = [left * weight / sum(weights) for weight in weights]
    share = [1 + math.floor(value) for value in exact]
    for k in sorted(range(len(weights)), key=lambda k: math.floor(exact[k]) - exact[k])[: total - sum(share)]:
        share[k] += 1
    return share
