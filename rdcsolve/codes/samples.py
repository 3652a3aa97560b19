"""A codec seen at work: samples, what was sent for them, and what came out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy
from rdcsolve.reading import as_floats, distinct, hashable_values, read


@dataclass(frozen=True, eq=False)
class Samples:
    """n samples of a codec, each with numbers for its symbol, its message and its reconstruction.

    Attributes
    ----------
    shape : tuple of int
        Of one sample, as it came.
    points, reconstructions : numpy.ndarray
        The distinct samples and reconstructions, shapes (n_x, dim) and (n_a, dim).
    symbol, message, shown : numpy.ndarray
        Which symbol, message and reconstruction each sample has, shape (n,).
    n_messages : int
    """

    shape: tuple[int, ...]
    points: np.ndarray
    reconstructions: np.ndarray
    symbol: np.ndarray
    message: np.ndarray
    shown: np.ndarray
    n_messages: int

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.symbol.size)

    @property
    def p(self) -> np.ndarray:
        """Share of every symbol among the samples, shape (n_x,)."""
        return np.bincount(self.symbol) / self.n

    def channel(self, output: np.ndarray, n_outputs: int) -> np.ndarray:
        """Return p(output | symbol), shape (n_x, n_outputs)."""
        counts = np.zeros((self.points.shape[0], n_outputs))
        np.add.at(counts, (self.symbol, output), 1.0)
        return counts / counts.sum(axis=1, keepdims=True)

    def entropy_of(self, output: np.ndarray) -> float:
        """Return the entropy of something that every sample has, nats."""
        return _entropy(np.bincount(output))

    def information(self, output: np.ndarray) -> float:
        """Return I(X; output), nats: the entropy of the output unless one symbol has several."""
        whole = self.entropy_of(output)
        pairs = np.unique(self.symbol * np.int64(output.max() + 1) + output, return_counts=True)[1]
        if pairs.size == self.points.shape[0]:
            return whole
        return min(whole, max(0.0, whole + self.entropy_of(self.symbol) - _entropy(pairs)))


def read_samples(x: Any, x_hat: Any, messages: Any) -> Samples:
    """Return samples as stated, checked: shapes, and that a message always becomes the same reconstruction."""
    first, second = _points(x, "x"), _points(x_hat, "x_hat")
    if first.shape != second.shape:
        raise InvalidInput(f"x has shape {first.shape} but x_hat {second.shape}; give one reconstruction per sample")
    n = first.shape[0]
    symbol, points = _distinct_rows(first.reshape(n, -1))
    shown, reconstructions = _distinct_rows(second.reshape(n, -1))
    message, n_messages = shown, reconstructions.shape[0]
    if messages is not None:
        values = _messages(messages)
        if len(values) != n:
            raise InvalidInput(f"messages has {len(values)} entries but x has {n} samples; give one message per sample")
        number = {value: k for k, value in enumerate(distinct(values))}
        message, n_messages = np.array([number[value] for value in values]), len(number)
        _check_decoder(values, message, shown, n_messages)
    return Samples(first.shape[1:], points, reconstructions, symbol, message, shown, n_messages)


def read_labels(labels: Any, n: int) -> tuple[np.ndarray, list[Any]]:
    """Return the class of every sample as a number, shape (n,), and what the classes are called."""
    values = hashable_values(labels, "labels", "label of sample")
    if len(values) != n:
        raise InvalidInput(f"labels has {len(values)} entries but x has {n} samples; give one label per sample")
    classes = distinct(values)
    number = {value: k for k, value in enumerate(classes)}
    return np.array([number[value] for value in values]), classes


def read_lengths(lengths: Any, n: int, to_nats: float, least: float) -> float:
    """Return the mean length, nats, of one length or one per sample; `least` is the entropy of the messages."""
    values = as_floats(read(lengths, "lengths"), "lengths")
    if values.ndim > 1 or values.size not in (1, n):
        raise InvalidInput(f"lengths has shape {values.shape}; give one number, or one per sample, shape ({n},)")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise InvalidInput("lengths holds an entry that is negative or not finite; give lengths of messages >= 0")
    mean = math.fsum(values.ravel().tolist()) / values.size * to_nats
    if mean < least * (1 - 1e-12) - 1e-12:
        raise InvalidInput(
            f"the mean length is {mean:.6g} nat ({mean / math.log(2):.6g} bit) but the messages have an entropy of "
            f"{least:.6g} nat ({least / math.log(2):.6g} bit), which no code that can be read message by message goes "
            "below; check the unit (unit='bit'), or leave lengths out if they are of a coder that uses more than the "
            "message"
        )
    return mean


def read_targets(targets: Any) -> list[dict[str, float]]:
    """Return limits by name, for every target."""
    form = "give a list of limits by name, such as [{'D': 0.1}, {'D': 0.2, 'classifier_loss': 0.3}]"
    if isinstance(targets, (str, bytes, Mapping)) or not isinstance(targets, Iterable):
        raise InvalidInput(f"targets is {targets!r}; {form}")
    found = []
    for target in targets:
        if not isinstance(target, Mapping) or not target:
            raise InvalidInput(f"a target is {target!r}; {form}")
        found.append({str(name): options.real(bound, f"the target for {name}", form) for name, bound in target.items()})
    return found


def _points(value: Any, name: str) -> np.ndarray:
    points = as_floats(read(value, name), name)
    if points.ndim == 1:
        points = points[:, None]
    if points.ndim < 2 or points.size == 0:
        raise InvalidInput(f"{name} has shape {points.shape}; give at least one sample, shape (n, ...)")
    if not np.isfinite(points).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(points))[0])
        raise InvalidInput(f"{name}{list(place)} is {points[place]}; drop that sample, or fix it")
    return points


def _distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which distinct row each row is, numbered by first appearance, and the distinct rows."""
    rows = np.ascontiguousarray(rows + 0.0)  # -0 is 0
    number: dict[bytes, int] = {}
    places = np.array([number.setdefault(row.tobytes(), len(number)) for row in rows], dtype=np.int64)
    first = np.zeros(len(number), dtype=np.int64)
    first[places[::-1]] = np.arange(rows.shape[0])[::-1]
    return places, rows[first]


def _messages(messages: Any) -> list[Any]:
    if isinstance(messages, (list, tuple)):
        messages = [_nested(one) for one in messages]
    elif getattr(messages, "ndim", 1) > 1:
        entries = read(messages, "messages").entries
        messages = [tuple(row) for row in entries.reshape(entries.shape[0], math.prod(entries.shape[1:])).tolist()]
    return hashable_values(messages, "messages", "message of sample")


def _nested(message: Any) -> Any:
    """Return a message that is a list, or an array of several dimensions, as tuples."""
    if isinstance(message, list):
        return tuple(map(_nested, message))
    if getattr(message, "ndim", 0) > 1:
        return _nested(read(message, "a message").entries.tolist())
    return message


def _check_decoder(values: list[Any], message: np.ndarray, shown: np.ndarray, n_messages: int) -> None:
    first = np.zeros(n_messages, dtype=np.int64)
    first[message[::-1]] = np.arange(message.size)[::-1]
    other = np.flatnonzero(shown != shown[first[message]])
    if other.size:
        k = int(other[0])
        raise InvalidInput(
            f"message {values[k]!r} is decoded in two ways (samples {int(first[message[k]])} and {k}), so x_hat "
            "depends on more than the message; if decoder and encoder share a dither, fix its seed for the audit and "
            "state messages of that one code"
        )


def _entropy(counts: np.ndarray) -> float:
    return entropy(np.sort(counts) / counts.sum())  # equal counts in any order add up to the same digits
