"""Encoders in hand: a matrix, a result of this library, or the messages that somebody's encoder sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Source
from rdcsolve.problems.validation import freeze, mass_rows, point_array
from rdcsolve.reading import columns_of, distinct, hashable_values, read
from rdcsolve.results import Result
from rdcsolve.universal.answer import Answer


@dataclass(frozen=True, eq=False, repr=False)
class Encoder:
    """p(z | x), counted from samples.

    Attributes
    ----------
    channel : numpy.ndarray
        Shape (n_x, k).
    messages : tuple
        The k distinct messages, in increasing order where they can be compared.
    n_samples : int
        How many samples were counted, which decides the width of bootstrap intervals.
    """

    channel: np.ndarray
    messages: tuple[Any, ...]
    n_samples: int

    def __repr__(self) -> str:
        n_x, k = self.channel.shape
        return f"Encoder(n_x={n_x}, {k} messages, {self.n_samples} samples)"


@public_call
def encoder_from_samples(z: Any, x: Any, source: Source) -> Encoder:
    """Return the encoder p(z | x) that was seen to send message z[i] for sample x[i].

    Parameters
    ----------
    z : sequence
        n messages: hashable values (integers, strings, tuples), or an array, tensor or frame of shape (n, h) whose
        rows are messages, such as the quantised latents of a neural encoder.
    x : array_like
        What was encoded: indices of the source's symbols, integers of shape (n,), or points, shape (n, dim), each
        of which must be one of the source's (to all digits).
    source : Source
        For instance ``Source.from_samples(x, labels)``.

    Returns
    -------
    Encoder
        With the share of every message among the samples of a symbol.

    Raises
    ------
    InvalidInput
        If lengths disagree, a sample is not a symbol of the source, or a symbol of positive mass was never encoded.

    Examples
    --------
    >>> source = Source.from_samples([0.0, 1.0, 1.0, 2.0])
    >>> encoder = encoder_from_samples(["a", "a", "b", "b"], [0.0, 1.0, 1.0, 2.0], source)
    >>> encoder.messages, encoder.channel.tolist()
    (('a', 'b'), [[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    """
    if not isinstance(source, Source):
        raise InvalidInput(f"source is {source!r}; pass a Source, such as Source.from_samples(x, labels)")
    messages, codes = _messages(z)
    symbols = _symbols(x, source)
    if symbols.size != codes.size:
        raise InvalidInput(f"z has {codes.size} messages but x has {symbols.size} samples; give one message per sample")
    counts = np.zeros((source.n_x, len(messages)))
    np.add.at(counts, (symbols, codes), 1.0)
    seen = counts.sum(axis=1)
    missing = np.flatnonzero((seen == 0) & (source.p_x > 0))
    if missing.size:
        raise InvalidInput(
            f"symbol {missing[0]} has mass {source.p_x[missing[0]]:.6g} but was never encoded (symbols so affected: "
            f"{missing.size}); encode every symbol at least once"
        )
    counts[seen == 0] = 1.0  # a symbol without mass may send anything
    return Encoder(freeze(counts / counts.sum(axis=1, keepdims=True)), messages, int(codes.size))


def channel_of(
    encoder: Any, n_x: int, *, normalise: bool = False, masses: np.ndarray | None = None, name: str = "encoder"
) -> np.ndarray:
    """Return p(z | x) of anything that is an encoder of n_x symbols, shape (n_x, k).

    Rows are rescaled to sum to one if `normalise` is set; symbols whose `masses` are zero need none. Messages call it
    by `name`.

    Raises
    ------
    InvalidInput
        If it is of another source, or no channel.
    """
    if isinstance(encoder, (Encoder, Result)):
        channel = encoder.channel
    elif isinstance(encoder, Answer):
        channel = encoder.encoder
    else:
        cure = "give p(z | x), one row per symbol, or pass normalise=True"
        return mass_rows(encoder, name, n_x, normalise=normalise, cure=cure, masses=masses)
    if channel.shape[1] == 0:
        raise InvalidInput(f"the encoder {encoder!r} has no channel; pass one that was solved")
    return mass_rows(channel, "encoder", n_x)


def _messages(z: Any) -> tuple[tuple[Any, ...], np.ndarray]:
    """Return the distinct messages and which of them each sample has."""
    if columns_of(z) is not None or getattr(z, "ndim", 1) == 2:
        entries = read(z, "z").entries
        if entries.dtype.kind in "biuf" and not np.isnan(entries).any():
            rows, codes = np.unique(entries, axis=0, return_inverse=True)
            if rows.size:
                return tuple(tuple(row) for row in rows.tolist()), codes.reshape(-1)
        z = [tuple(row) for row in entries.tolist()]
    values = hashable_values(z, "z", "message")
    if not values:
        raise InvalidInput("z is empty; give one message per sample")
    messages = distinct(values)
    code = {value: k for k, value in enumerate(messages)}
    return tuple(messages), np.array([code[value] for value in values])


def _symbols(x: Any, source: Source) -> np.ndarray:
    """Return the symbol of every sample."""
    samples = read(x, "x").entries
    if samples.ndim == 1 and samples.dtype.kind in "iu":
        if samples.size and not 0 <= samples.min() <= samples.max() < source.n_x:
            raise InvalidInput(
                f"x holds symbol {int(samples.min() if samples.min() < 0 else samples.max())} but the source has "
                f"symbols 0 to {source.n_x - 1}; give indices of its symbols, or points as real numbers"
            )
        return samples.astype(np.intp)
    if source.points is None:
        raise InvalidInput("x holds points but the source has none; give indices of its symbols")
    points = point_array(x, "x")
    place = {row.tobytes(): i for i, row in reversed(list(enumerate(source.points + 0.0)))}
    symbols = np.array([place.get(row.tobytes(), -1) for row in points + 0.0])
    strange = np.flatnonzero(symbols < 0)
    if strange.size:
        raise InvalidInput(
            f"x[{strange[0]}] is {points[strange[0]].tolist()}, which is no symbol of the source (samples so affected: "
            f"{strange.size}); make the source from the same samples, or give indices"
        )
    return symbols
