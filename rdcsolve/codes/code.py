"""`Code`: a quantiser that runs, from samples to bytes and back."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from rdcsolve import files
from rdcsolve.calls import public_call
from rdcsolve.codes.classes import class_masses
from rdcsolve.codes.samples import check_finite
from rdcsolve.codes.streams import pack, unpack
from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.problems.losses import log_loss
from rdcsolve.reading import as_floats, read

_FORMAT = "rdcsolve code"


@dataclass(frozen=True, eq=False, repr=False)
class Code:
    """Words, and a rule that says which of them a sample is sent as.

    The message of a sample is the word k of least mean squared error + classifier_multiplier CE_k + length_multiplier
    length_k, where CE_k is the cross-entropy of the classifier's answer on the sample with that on the word: the
    encoder never sees a label.

    Attributes
    ----------
    words : numpy.ndarray
        Shape (k, dim).
    frequencies : numpy.ndarray
        Shape (k,), positive: how often each message is expected, for the entropy coder.
    decisions : numpy.ndarray
        The classifier's answer on every word, shape (k, n_s); (k, 0) without a classifier.
    classifier_multiplier, length_multiplier : float
        In units of the squared error, per nat.
    shape : tuple of int
        Of a sample.
    classifier : callable, estimator or module, optional
        What answers on samples, for the encoder; it is not saved.
    """

    words: np.ndarray
    frequencies: np.ndarray
    decisions: np.ndarray
    classifier_multiplier: float
    length_multiplier: float
    shape: tuple[int, ...]
    classifier: Any = None

    def __post_init__(self) -> None:
        for name in ("words", "frequencies", "decisions"):
            if type(getattr(self, name)) is not np.ndarray:
                object.__setattr__(self, name, as_floats(read(getattr(self, name), name), name))
        multipliers = [self.classifier_multiplier, self.length_multiplier]
        try:
            check_code(self.words, self.frequencies, self.decisions, self.shape, multipliers)
        except UnreadableFile as error:
            raise InvalidInput(f"this is no code: {error}; make one with fit_quantiser") from None

    @property
    def n_words(self) -> int:
        """Number of words."""
        return int(self.words.shape[0])

    @property
    def lengths(self) -> np.ndarray:
        """What every message takes, -log of its frequency, nats, shape (k,)."""
        lengths: np.ndarray = -np.log(self.frequencies)
        return lengths

    @public_call
    def messages(self, x: Any) -> np.ndarray:
        """Return the message of every sample, shape (n,), for samples of shape (n, ...)."""
        messages: np.ndarray = self.costs(*self.seen(x)).argmin(axis=1)
        return messages

    def seen(self, x: Any) -> tuple[np.ndarray, np.ndarray | None]:
        """Return what an encoder sees of samples (n, ...): rows, and the classifier's answers where they count."""
        rows = self._rows(x)
        if self.classifier_multiplier == 0:
            return rows, None
        if self.classifier is None:
            raise InvalidInput(
                "the encoder needs the classifier's answer on samples, which a saved code does not hold; load the code "
                "with classifier="
            )
        n_classes = self.decisions.shape[1]
        if not rows.shape[0]:
            return rows, np.empty((0, n_classes))
        classes = class_masses(self.classifier, rows.reshape(-1, *self.shape))
        if classes.shape[1] != n_classes:
            raise InvalidInput(
                f"the classifier tells {classes.shape[1]} classes apart, that of the code {n_classes}; pass the one "
                "that the code was made with"
            )
        return rows, classes

    def costs(self, rows: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
        """Return what it costs to send each sample as each word, shape (n, k), less what is the same for all words.

        Parameters
        ----------
        rows : numpy.ndarray
            Shape (n, dim).
        classes : numpy.ndarray or None
            The classifier's answer on the samples, shape (n, n_s).
        """
        centre = self.words.mean(axis=0)  # squares of what all words have in common would hide how they differ
        words = self.words - centre
        cost = (np.square(words).sum(axis=1) - 2 * (rows - centre) @ words.T) / rows.shape[1]
        if self.length_multiplier > 0:
            cost = cost + self.length_multiplier * self.lengths
        if classes is not None and self.classifier_multiplier > 0:
            cost = cost + self.classifier_multiplier * log_loss(classes, self.decisions)
        return cost

    @public_call
    def encode(self, x: Any) -> bytes:
        """Return samples of shape (n, ...) as bytes; needs the extra codes."""
        return pack(self.messages(x), self.frequencies, self.identity())

    @public_call
    def decode(self, stream: bytes) -> np.ndarray:
        """Return the words of the samples that a stream holds, shape (n, ...); needs the extra codes.

        Raises
        ------
        InvalidInput
            If the stream is damaged, cut short, or of another code.
        """
        return self.reconstruct(unpack(stream, self.frequencies, self.identity()))

    @public_call
    def reconstruct(self, messages: Any) -> np.ndarray:
        """Return the words of messages, shape (n, ...).

        Raises
        ------
        InvalidInput
            If messages are not whole numbers from 0 to n_words - 1, shape (n,).
        """
        sent = read(messages, "messages").entries
        is_whole = sent.size == 0 or np.issubdtype(sent.dtype, np.integer)
        if sent.ndim != 1 or not is_whole or not ((sent >= 0) & (sent < self.n_words)).all():
            raise InvalidInput(
                f"messages must be whole numbers from 0 to {self.n_words - 1}, shape (n,); mind what was sent"
            )
        shown: np.ndarray = self.words[sent.astype(np.int64)].reshape(-1, *self.shape)
        return shown

    @public_call
    def save(self, path: str | PathLike[str]) -> None:
        """Write the code as one npz file, without pickle and without its classifier, whole or not at all."""
        header = {
            "format": _FORMAT,
            "classifier_multiplier": float(self.classifier_multiplier),
            "length_multiplier": float(self.length_multiplier),
            "shape": list(self.shape),
        }
        files.write(path, header, {name: getattr(self, name) for name in ("words", "frequencies", "decisions")})

    def _rows(self, x: Any) -> np.ndarray:
        points = as_floats(read(x, "x"), "x")
        if points.ndim == 1 and self.shape == (1,):
            points = points[:, None]
        if points.shape[1:] != self.shape:
            sides = ", ".join(map(str, self.shape))
            raise InvalidInput(f"x has shape {points.shape}; give samples of shape {self.shape}, an array (n, {sides})")
        check_finite(points, "x")
        return points.reshape(points.shape[0], self.words.shape[1])

    def identity(self) -> bytes:
        """Return a digest of the words and their frequencies, which a stream is read with."""
        digest = hashlib.sha256(np.ascontiguousarray(self.words, dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.frequencies, dtype="<f8").tobytes())
        return digest.digest()

    def __repr__(self) -> str:
        return f"Code({self.n_words} words, samples of shape {self.shape}, entropy {self._entropy():.4g} nat)"

    def _entropy(self) -> float:
        return float(self.frequencies @ self.lengths)


def mixed_costs(codes: Sequence[Code], weights: Any, rows: np.ndarray, classes: np.ndarray | None) -> np.ndarray:
    """Return the weighted sum of what codes with the same messages cost, shape (n, k); see `Code.costs`."""
    costs = [float(weight) * code.costs(rows, classes) for code, weight in zip(codes, weights, strict=True)]
    total: np.ndarray = costs[0] if len(costs) == 1 else np.sum(costs, axis=0)
    return total


@public_call
def load_code(path: str | PathLike[str], classifier: Any = None) -> Code:
    """Return the code that `Code.save` wrote; nothing is unpickled.

    Parameters
    ----------
    path : path-like
    classifier : callable, estimator or module, optional
        That of the encoder, which the file does not hold. A decoder needs none.

    Raises
    ------
    UnreadableFile
        If the file is missing, damaged, or no saved code.
    """
    header, arrays = files.read(path, "code; write it with Code.save")
    try:
        files.check(header.get("format") == _FORMAT, "it is not a saved code; write it with Code.save")
        words = files.array(arrays, "words", 2)
        frequencies, decisions = files.array(arrays, "frequencies", 1), files.array(arrays, "decisions", 2)
        shape = tuple(files.count(side) for side in files.field(header, "shape", files.listed))
        multipliers = [files.field(header, f"{name}_multiplier", files.real) for name in ("classifier", "length")]
        check_code(words, frequencies, decisions, shape, multipliers)
    except UnreadableFile as error:
        raise UnreadableFile(f"{path} cannot be read: {error}") from error
    return Code(words, frequencies, decisions, multipliers[0], multipliers[1], shape, classifier)


def check_code(words: Any, frequencies: Any, decisions: Any, shape: tuple[int, ...], multipliers: list[float]) -> None:
    """Raise unless these are the parts of a code."""
    files.check(words.size > 0 and math.prod(shape) == words.shape[1], "its words are not of the shape that it states")
    files.check(frequencies.shape == words.shape[:1] == decisions.shape[:1], "its arrays are not one entry per word")
    is_right = bool((frequencies > 0).all()) and abs(math.fsum(frequencies.tolist()) - 1.0) < 1e-9
    files.check(is_right, "its frequencies are no distribution")
    finite = np.isfinite(words).all() and np.isfinite(decisions).all() and all(0 <= m < math.inf for m in multipliers)
    files.check(bool(finite), "it holds numbers that are not finite")
