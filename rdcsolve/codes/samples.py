"""A codec seen at work: samples, what was sent for them, and what came out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rdcsolve import options
from rdcsolve.errors import InvalidInput
from rdcsolve.information import entropy
from rdcsolve.problems.samples import column_names
from rdcsolve.problems.validation import mass_vector, real_numbers
from rdcsolve.reading import as_floats, columns_of, distinct, hashable_values, read


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
        Which symbol, message and reconstruction each sample has, shape (n,). A message is told apart together with its
        dither.
    n_messages, n_sent : int
        Of messages with and without their dither.
    weights : numpy.ndarray
        Positive, shape (n,).
    dither : numpy.ndarray
        Which of its values encoder and decoder shared, shape (n,): independent of the symbol, all zero without one.
    n_stated : int
    kept : numpy.ndarray
        Which of the samples that were stated these are: those of positive weight.
    """

    shape: tuple[int, ...]
    points: np.ndarray
    reconstructions: np.ndarray
    symbol: np.ndarray
    message: np.ndarray
    shown: np.ndarray
    n_messages: int
    n_sent: int
    weights: np.ndarray
    dither: np.ndarray
    n_stated: int
    kept: np.ndarray

    @property
    def n(self) -> int:
        """Number of samples."""
        return int(self.symbol.size)

    @property
    def n_dithers(self) -> int:
        """Number of values of the dither."""
        return int(self.dither.max()) + 1

    @property
    def n_alike(self) -> float:
        """How many samples of equal weights say as much as these about a mean (Kish)."""
        return self.n if np.ptp(self.weights) == 0 else float(self.weights.sum() ** 2 / np.square(self.weights).sum())

    @property
    def p(self) -> np.ndarray:
        """Share of every symbol among the samples, shape (n_x,)."""
        masses = np.bincount(self.symbol, self.weights)
        return masses / masses.sum()

    @property
    def group(self) -> np.ndarray:
        """Which samples were one before each was sent with every value of the dither, shape (n,)."""
        if self.n_dithers == 1:
            return np.arange(self.n)
        pair = self.symbol * self.n_dithers + self.dither
        order = np.argsort(pair, kind="stable")
        counts = np.bincount(pair)
        turn = np.empty(self.n, dtype=np.int64)  # a sample's turn among those of its symbol and dither
        turn[order] = np.arange(self.n) - (np.cumsum(counts) - counts)[pair[order]]
        least = counts.reshape(-1, self.n_dithers).min(axis=1)[self.symbol]
        return np.unique(self.symbol * np.int64(self.n) + turn * least // counts[pair], return_inverse=True)[1]

    def mean(self, values: np.ndarray) -> float:
        """Return the mean of something that every sample has."""
        return math.fsum((self.weights * values).tolist()) / math.fsum(self.weights.tolist())

    def channel(self, output: np.ndarray, n_outputs: int) -> np.ndarray:
        """Return p(output | symbol), shape (n_x, n_outputs)."""
        counts = np.zeros((self.points.shape[0], n_outputs))
        np.add.at(counts, (self.symbol, output), self.weights)
        return counts / counts.sum(axis=1, keepdims=True)

    def entropy_of(self, output: np.ndarray) -> float:
        """Return the entropy of something that every sample has, nats."""
        return _entropy(np.bincount(output, self.weights))

    @property
    def entropy_sent(self) -> float:
        """Entropy of the message given the dither, nats."""
        return max(0.0, self.entropy_of(self.message) - self.entropy_of(self.dither))

    @property
    def information_sent(self) -> float:
        """I(X; message | dither), nats: its entropy where every symbol and dither have one message."""
        pairs = _counts(self.symbol, self.message, self.weights)
        if pairs.size == self.points.shape[0] * self.n_dithers:
            return self.entropy_sent
        found = self.entropy_of(self.message) + self.entropy_of(self.symbol) - _entropy(pairs)
        return min(self.entropy_sent, max(0.0, found))

    @property
    def information_decoded(self) -> float:
        """I(X; reconstruction), nats: its entropy where every symbol has one; at most what was sent."""
        pairs = _counts(self.symbol, self.shown, self.weights)
        whole = self.entropy_of(self.shown)
        if pairs.size > self.points.shape[0]:
            whole = min(whole, max(0.0, whole + self.entropy_of(self.symbol) - _entropy(pairs)))
        return min(whole, self.information_sent)


def read_samples(x: Any, x_hat: Any, messages: Any, weights: Any = None, dither: Any = None) -> Samples:
    """Return samples as stated, checked: shapes, and that a message always becomes the same reconstruction."""
    first, second = _points(x, "x"), _points(x_hat, "x_hat")
    if first.shape != second.shape:
        raise InvalidInput(f"x has shape {first.shape} but x_hat {second.shape}; give one reconstruction per sample")
    n = first.shape[0]
    masses = np.ones(n) if weights is None else _weights(weights, n)
    kept = np.flatnonzero(masses > 0)
    first, second, masses = first[kept], second[kept], masses[kept]
    symbol, points = distinct_rows(first.reshape(kept.size, -1))
    shown, reconstructions = distinct_rows(second.reshape(kept.size, -1))
    seed = np.zeros(kept.size, dtype=np.int64)
    if dither is not None:
        if messages is None:
            raise InvalidInput("dither= needs messages=, as it is not part of them; give what was sent for each sample")
        seeds = _read_messages(dither, n, "dither", "value", kept)
        seed, _ = _numbered(seeds)
        _check_independence(seeds, symbol, seed, masses)
    message, n_messages, n_sent = shown, reconstructions.shape[0], reconstructions.shape[0]
    if messages is not None:
        values = _read_messages(messages, n, "messages", "message", kept)
        sent, n_sent = _numbered(values)
        message, n_messages = _numbered(list(zip(sent.tolist(), seed.tolist(), strict=True)))
        _check_decoder(values, message, shown, n_messages, kept)
    return Samples(
        shape=first.shape[1:],
        points=points,
        reconstructions=reconstructions,
        symbol=symbol,
        message=message,
        shown=shown,
        n_messages=n_messages,
        n_sent=n_sent,
        weights=masses,
        dither=seed,
        n_stated=n,
        kept=kept,
    )


class Classes(NamedTuple):
    """What the classes of samples are: a row of probabilities for each, shape (n, n_s), and what columns are called."""

    masses: np.ndarray
    names: list[Any]

    def given(self, of: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the mass of every class together with each value of something, shape (k, n_s)."""
        from scipy.sparse import csr_array

        shape = (int(of.max()) + 1, of.size)
        found: np.ndarray = csr_array((weights, (of, np.arange(of.size))), shape=shape) @ self.masses
        return found


def read_labels(labels: Any, samples: Samples) -> Classes:
    """Return the classes of the samples that are kept, from one label for each that was stated, or probabilities."""
    n = samples.n_stated
    rows = _rows_of_numbers(labels)
    if rows is not None:
        if rows.shape[0] != n:
            raise InvalidInput(f"labels has {rows.shape[0]} rows but x has {n} samples; give one row per sample")
        is_law = (rows >= 0).all(axis=1) & (np.abs(rows.sum(axis=1) - 1) <= 1e-6)
        if not is_law.all():
            k = int(np.flatnonzero(~is_law)[0])
            raise InvalidInput(
                f"labels has shape {rows.shape}, but row {k} is no distribution (entries >= {rows[k].min():.6g}, sum "
                f"{rows[k].sum():.6g}); give one label per sample, or rows of probabilities that sum to one"
            )
        rows = rows / rows.sum(axis=1, keepdims=True)
        names = column_names(labels)
        return Classes(rows[samples.kept], list(range(rows.shape[1])) if names is None else names)
    values = hashable_values(labels, "labels", "label of sample")
    if len(values) != n:
        raise InvalidInput(f"labels has {len(values)} entries but x has {n} samples; give one label per sample")
    values = [values[k] for k in samples.kept]
    number, n_classes = _numbered(values)
    _refuse_fractions(values, n_classes)
    return Classes(np.eye(n_classes)[number], distinct(values))


def read_lengths(lengths: Any, samples: Samples, to_nats: float) -> float:
    """Return the mean length, nats, of one length or one per sample."""
    n = samples.n_stated
    values = real_numbers(lengths, "lengths")
    if values.ndim > 1 or values.size not in (1, n):
        raise InvalidInput(f"lengths has shape {values.shape}; give one number, or one per sample, shape ({n},)")
    if not (np.isfinite(values) & (values >= 0)).all():
        place = int(np.flatnonzero(~(np.isfinite(values.ravel()) & (values.ravel() >= 0)))[0])
        where = f"[{place}]" if values.ndim else ""
        raise InvalidInput(f"lengths{where} is {values.ravel()[place]:.6g}; lengths of messages are finite and >= 0")
    mean, least = samples.mean(np.broadcast_to(values.ravel(), n)[samples.kept]) * to_nats, samples.entropy_sent
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


def check_finite(points: np.ndarray, name: str) -> None:
    """Raise if an entry of samples or letters is not finite, with its place."""
    if not np.isfinite(points).all():
        place = tuple(int(k) for k in np.argwhere(~np.isfinite(points))[0])
        raise InvalidInput(f"{name}{list(place)} is {points[place]}; drop that row, or fix it")


def _points(value: Any, name: str) -> np.ndarray:
    points = as_floats(read(value, name), name)
    if points.ndim == 1:
        points = points[:, None]
    if points.ndim < 2 or points.size == 0:
        raise InvalidInput(f"{name} has shape {points.shape}; give at least one sample, shape (n, ...)")
    check_finite(points, name)
    return points


def distinct_rows(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which distinct row each row is, numbered by first appearance, and the distinct rows."""
    rows = np.ascontiguousarray(rows + 0.0)  # -0 is 0
    number: dict[bytes, int] = {}
    places = np.array([number.setdefault(row.tobytes(), len(number)) for row in rows], dtype=np.int64)
    first = np.zeros(len(number), dtype=np.int64)
    first[places[::-1]] = np.arange(rows.shape[0])[::-1]
    return places, rows[first]


def _weights(weights: Any, n: int) -> np.ndarray:
    masses = mass_vector(weights, "weights", normalise=True)
    if masses.size != n:
        raise InvalidInput(f"weights has {masses.size} entries but x has {n} samples; give one weight per sample")
    return masses


def _rows_of_numbers(labels: Any) -> np.ndarray | None:
    """Return labels that are a table with several columns, shape (n, n_s), None for anything else."""
    if isinstance(labels, (list, tuple)):
        is_table = len(labels) > 0 and all(map(_is_row, labels))
    else:
        is_table = columns_of(labels) is not None or getattr(labels, "ndim", 1) == 2
        is_table = is_table and np.shape(labels)[1:] != (1,)
    if not is_table:
        return None
    rows = as_floats(read(labels, "labels"), "labels")
    if rows.ndim != 2:
        raise InvalidInput(f"labels has shape {rows.shape}; give one label per sample, or one row of probabilities")
    return rows


def _is_row(row: Any) -> bool:
    """Say whether one of the labels is a row of numbers; a tuple is one if it holds fractions, else a class."""
    is_fractions = isinstance(row, tuple) and len(row) > 1 and all(isinstance(v, (float, np.floating)) for v in row)
    return is_fractions or isinstance(row, list) or getattr(row, "ndim", 0) == 1


def _refuse_fractions(values: list[Any], n_classes: int) -> None:
    """Raise if labels are fractions most of which were seen once: probabilities or measurements, not classes."""
    k = next((k for k, value in enumerate(values) if isinstance(value, float) and not value.is_integer()), None)
    if k is not None and n_classes > 8 and 2 * n_classes > len(values):
        raise InvalidInput(
            f"labels has {n_classes} different values among {len(values)} samples, fractions such as {values[k]!r}, "
            "which are no classes; give one class per sample, or a row of probabilities for each, shape (n, n_s)"
        )


def _numbered(values: list[Any]) -> tuple[np.ndarray, int]:
    """Return a number for each value, the same where they are equal, and how many there are."""
    number = {value: k for k, value in enumerate(distinct(values))}
    return np.array([number[value] for value in values], dtype=np.int64), len(number)


def _read_messages(messages: Any, n: int, name: str, item: str, kept: np.ndarray) -> list[Any]:
    """Return messages, or values of the dither, of the samples that are kept."""
    if isinstance(messages, (list, tuple)):
        messages = [_nested(one) for one in messages]
    elif getattr(messages, "ndim", 1) > 1:
        entries = read(messages, name).entries
        messages = [tuple(row) for row in entries.reshape(entries.shape[0], math.prod(entries.shape[1:])).tolist()]
    values = hashable_values(messages, name, f"{item} of sample")
    if len(values) != n:
        raise InvalidInput(f"{name} has {len(values)} entries but x has {n} samples; give one {item} per sample")
    return [values[k] for k in kept]


def _nested(message: Any) -> Any:
    """Return a message that is a list, or an array of several dimensions, as tuples."""
    if isinstance(message, list):
        return tuple(map(_nested, message))
    if getattr(message, "ndim", 0) > 1:
        return _nested(read(message, "a message").entries.tolist())
    return message


def _check_decoder(
    values: list[Any], message: np.ndarray, shown: np.ndarray, n_messages: int, kept: np.ndarray
) -> None:
    first = np.zeros(n_messages, dtype=np.int64)
    first[message[::-1]] = np.arange(message.size)[::-1]
    other = np.flatnonzero(shown != shown[first[message]])
    if other.size:
        k = int(other[0])
        raise InvalidInput(
            f"message {values[k]!r} is decoded in two ways (samples {kept[first[message[k]]]} and {kept[k]}), so x_hat "
            "depends on more than the message; if decoder and encoder share a dither of few values, state it as "
            "dither=, else fix its seed for the audit"
        )


def _check_independence(values: list[Any], symbol: np.ndarray, dither: np.ndarray, weights: np.ndarray) -> None:
    """Raise unless every sample comes with every value of the dither, as often as the others do.

    What is sent given the dither bounds what is decoded only if samples tell nothing of it.
    """
    n_dithers = int(dither.max()) + 1
    joint = np.bincount(symbol * n_dithers + dither, weights, (int(symbol.max()) + 1) * n_dithers)
    joint = joint.reshape(-1, n_dithers)
    alike = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0) / joint.sum()
    wrong = np.argwhere(np.abs(joint - alike) > 1e-9 * alike)
    if wrong.size:
        k = int(np.flatnonzero(symbol == wrong[0, 0])[0])
        value = values[int(np.flatnonzero(dither == wrong[0, 1])[0])]
        raise InvalidInput(
            f"sample {k} does not come with dither {value!r} as often as other samples do, so that samples and dither "
            "tell something of each other, which a dither must not; send every sample with every one of a few values, "
            "such as np.tile(x, (8, 1)) with np.repeat(range(8), len(x))"
        )


def _counts(one: np.ndarray, other: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weights of all pairs that occur."""
    places = np.unique(one * np.int64(other.max() + 1) + other, return_inverse=True)[1]
    return np.bincount(places, weights)


def _entropy(counts: np.ndarray) -> float:
    return entropy(np.sort(counts) / counts.sum())  # equal counts in any order add up to the same digits
