"""`fit_quantiser`: entropy-constrained vector quantisers that mind a classifier, by descent on a Lagrangian."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.codes.classes import class_masses, improved_words
from rdcsolve.codes.code import Code
from rdcsolve.errors import InvalidInput
from rdcsolve.problems.losses import log_loss
from rdcsolve.reading import as_floats, read

_GRADIENT_STEPS = 25
_LARGEST = 1e150  # its squares, and sums of them, are within floating point
_SETTLED = 1e-7  # of the Lagrangian: a round that saves less is the last


@public_call
def fit_quantiser(  # noqa: PLR0913 - what may be stated
    x: Any,
    n_words: int,
    *,
    classifier: Any = None,
    classifier_multiplier: float = 0.0,
    length_multiplier: float = 0.0,
    n_starts: int = 1,
    max_steps: int = 30,
    rng: Any = 0,
    callback: Callable[[int, int, float], Any] | None = None,
) -> Code:
    """Return a quantiser designed on samples: few words, cheap to send, near the samples, and clear to a classifier.

    Parameters
    ----------
    x : array_like
        Samples, shape (n, ...).
    n_words : int
        Words at most; those that nothing is sent as are dropped.
    classifier : callable, estimator or module, optional
        What reconstructions shall please, in batches of the shape of `x`. Its own answers on samples stand for the
        classes: no label is needed.
    classifier_multiplier : float, optional
        How much mean squared error a nat of its cross-entropy is worth.
    length_multiplier : float, optional
        How much mean squared error a nat of length is worth.
    n_starts : int, optional
        From how many first codebooks; the code of the least Lagrangian is returned.
    max_steps : int, optional
        Rounds for each.
    rng : int or numpy.random.Generator, optional
    callback : callable, optional
        Called after every round with the number of the start, of the round, and the Lagrangian.

    Returns
    -------
    Code

    Raises
    ------
    InvalidInput
        If samples are not usable numbers, there are fewer than `n_words`, or a multiplier of the classifier comes
        without one.

    Notes
    -----
    A generalised Lloyd iteration (Chou, Lookabaugh and Gray 1989) on the mean of squared error +
    classifier_multiplier CE + length_multiplier length: messages, then frequencies, then words, each of which lowers
    it. What is reached is stationary, not optimal; `audit` tells how far it is from the limits. First codebooks are
    k-means inside each class that the classifier sees, or in all samples without one.

    Examples
    --------
    >>> x = np.repeat([0.0, 0.1, 1.0, 1.1], 5)
    >>> code = fit_quantiser(x, 2)
    >>> code.words.ravel().round(3).tolist(), code.messages([0.2, 0.9]).tolist()
    ([0.05, 1.05], [0, 1])
    """
    rows, shape = _samples(x)
    n_words = options.whole(n_words, "n_words")
    if rows.shape[0] < n_words:
        raise InvalidInput(
            f"x has {rows.shape[0]} samples, fewer than n_words={n_words}; give more, or ask for fewer words"
        )
    for name, value in (("classifier_multiplier", classifier_multiplier), ("length_multiplier", length_multiplier)):
        if not 0 <= options.real(value, name) < math.inf:
            raise InvalidInput(f"{name} is {value!r}; it must be finite and >= 0")
    if classifier_multiplier > 0 and classifier is None:
        raise InvalidInput("classifier_multiplier needs the classifier whose loss it prices; give classifier=")
    n_starts, max_steps = options.whole(n_starts, "n_starts"), options.whole(max_steps, "max_steps")
    options.function_or_none(callback, "callback", "the start, the round and the Lagrangian")
    generator = options.generator(rng)
    classes = None if classifier is None else class_masses(classifier, rows.reshape(-1, *shape))
    best, least = None, math.inf
    for start in range(n_starts):
        design = _Design(rows, classes, shape, classifier, classifier_multiplier, length_multiplier)
        code = design.first(n_words, int(generator.integers(2**31)))
        value = math.inf
        for step in range(max_steps):
            code, new = design.improved(code)
            if callback is not None:
                callback(start, step, new)
            is_settled = value - new <= _SETTLED * abs(new)
            value = new
            if is_settled:
                break
        if best is None or value < least:
            best, least = code, value
    assert best is not None
    order = np.lexsort(best.words.T[::-1])
    counts = best.frequencies[order] * rows.shape[0] + 0.5  # what is rare here may be less so elsewhere
    return replace(best, words=best.words[order], frequencies=counts / counts.sum(), decisions=best.decisions[order])


def _samples(x: Any) -> tuple[np.ndarray, tuple[int, ...]]:
    points = as_floats(read(x, "x"), "x")
    points = points[:, None] if points.ndim == 1 else points
    if points.ndim < 2 or points.size == 0 or not np.isfinite(points).all():
        raise InvalidInput(
            f"x has shape {points.shape}, or entries that are not finite; give samples of shape (n, ...)"
        )
    largest = float(np.abs(points).max())
    if largest > _LARGEST:
        raise InvalidInput(
            f"x holds entries as large as {largest:.3g}, whose squared differences are beyond floating point; divide x "
            "by its scale"
        )
    return points.reshape(points.shape[0], -1), points.shape[1:]


class _Design:
    """Samples, with what the classifier says of them, and the steps of the descent."""

    def __init__(
        self,
        rows: np.ndarray,
        classes: np.ndarray | None,
        shape: tuple[int, ...],
        classifier: Any,
        classifier_multiplier: float,
        length_multiplier: float,
    ) -> None:
        self.rows, self.classes, self.shape, self.classifier = rows, classes, shape, classifier
        self.classifier_multiplier, self.length_multiplier = classifier_multiplier, length_multiplier
        self.square = float(np.square(rows).sum()) / rows.size

    def first(self, n_words: int, seed: int) -> Code:
        """Return a code to begin with: k-means inside the classes that the classifier sees, words as they need them."""
        groups = [np.arange(self.rows.shape[0])]
        if self.classes is not None and self.classifier_multiplier > 0:
            guess = self.classes.argmax(axis=1)
            groups = [np.flatnonzero(guess == s) for s in range(self.classes.shape[1]) if (guess == s).any()]
        if len(groups) > n_words:
            return self._few(n_words, seed)
        share = _shared(n_words, [part.size for part in groups])
        if len(groups) > 1:
            errors = [_kmeans(self.rows[part], k, seed)[1] for part, k in zip(groups, share, strict=True)]
            weights = [max(error, 1e-300) * k for error, k in zip(errors, share, strict=True)]
            share = [min(k, part.size) for k, part in zip(_shared(n_words, weights), groups, strict=True)]
        words = np.concatenate([_kmeans(self.rows[part], k, seed)[0] for part, k in zip(groups, share, strict=True)])
        return self._code(words, np.full(words.shape[0], 1 / words.shape[0]))

    def _few(self, n_words: int, seed: int) -> Code:
        """Return fewer words than classes: k-means of samples together with what the classifier says of them.

        Classes that are sent together cost about the squared difference of their answers, in nats.
        """
        assert self.classes is not None
        scale = math.sqrt(2 * self.classifier_multiplier * self.rows.shape[1])
        centres, _ = _kmeans(np.hstack([self.rows, scale * self.classes]), n_words, seed)
        words = centres[:, : self.rows.shape[1]]
        return self._code(words, np.full(words.shape[0], 1 / words.shape[0]))

    def improved(self, code: Code) -> tuple[Code, float]:
        """Return the code after new messages, frequencies and words, and its Lagrangian, which is not higher."""
        messages = code.costs(self.rows, self.classes).argmin(axis=1)
        counts = np.bincount(messages, minlength=code.n_words)
        used = np.flatnonzero(counts)
        place = np.zeros(code.n_words, dtype=np.int64)
        place[used] = np.arange(used.size)
        messages, counts = place[messages], counts[used]
        means = _sums(self.rows, messages, used.size) / counts[:, None]
        masses = None
        if self.classes is not None and self.classifier_multiplier > 0:
            masses = _sums(self.classes, messages, used.size) / counts[:, None]
        words = self._best_words(code.words[used], means, masses)
        better = self._code(words, counts / counts.sum())
        value = self.square - float(counts @ np.square(means).sum(axis=1)) / self.rows.size
        value += float(counts @ self._word_costs(words, means, masses)) / counts.sum()
        value += self.length_multiplier * float(better.frequencies @ better.lengths)
        return better, value

    def _best_words(self, words: np.ndarray, means: np.ndarray, masses: np.ndarray | None) -> np.ndarray:
        """Return for every cell the best of its old word, its mean, what lies between, and what gradients find."""
        if masses is None:
            return means
        candidates = [words, means, 0.5 * (words + means)]
        found = improved_words(self.classifier, means, masses, self.classifier_multiplier, self.shape, _GRADIENT_STEPS)
        candidates += [] if found is None else [found]
        costs = np.stack([self._word_costs(one, means, masses) for one in candidates])
        best: np.ndarray = np.stack(candidates)[costs.argmin(axis=0), np.arange(words.shape[0])]
        return best

    def _word_costs(self, words: np.ndarray, means: np.ndarray, masses: np.ndarray | None) -> np.ndarray:
        """Return what words add to the Lagrangian of their cells, beyond the samples' distances from their means."""
        cost: np.ndarray = np.square(words - means).mean(axis=1)
        if masses is not None:
            decisions = class_masses(self.classifier, words.reshape(-1, *self.shape))
            cost = cost + self.classifier_multiplier * np.diagonal(log_loss(masses, decisions))
        return cost

    def _code(self, words: np.ndarray, frequencies: np.ndarray) -> Code:
        decisions = np.empty((words.shape[0], 0))
        if self.classifier is not None:
            decisions = class_masses(self.classifier, words.reshape(-1, *self.shape))
        multipliers = (float(self.classifier_multiplier), float(self.length_multiplier))
        return Code(words, frequencies, decisions, *multipliers, self.shape, self.classifier)


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
