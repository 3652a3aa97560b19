"""`UniversalCode`: one encoder and one stream, and a decoder for each of several targets."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from rdcsolve import files
from rdcsolve.calls import public_call
from rdcsolve.codes.code import Code, check_code, mixed_costs
from rdcsolve.codes.streams import pack, unpack
from rdcsolve.codes.universal_measure import UniversalMeasure, measured
from rdcsolve.errors import InvalidInput, UnreadableFile

_FORMAT = "rdcsolve universal code"


@dataclass(frozen=True, eq=False, repr=False)
class UniversalCode:
    """One encoder whose messages every decoder reads in its own way: `fit_universal_quantiser` makes it.

    The message of a sample is the one of the least weighted mean of what it costs the decoders, see `Code`.

    Attributes
    ----------
    decoders : dict of str to Code
        By name of the target: words of its own, and the multiplier of the classifier that it was made for. Messages
        and their frequencies are the same in all.
    weights : dict of str to float
        How much every target counts in the choice of messages; they sum to one.
    alone : dict of str to Code
        A code made for each target alone, to compare with; empty once the code was loaded from a file.
    """

    decoders: dict[str, Code]
    weights: dict[str, float]
    alone: dict[str, Code] = field(default_factory=dict)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the targets."""
        return tuple(self.decoders)

    @property
    def n_words(self) -> int:
        """Number of messages."""
        return self._first.n_words

    @property
    def frequencies(self) -> np.ndarray:
        """How often each message is expected, for the entropy coder, shape (k,)."""
        return self._first.frequencies

    @public_call
    def messages(self, x: Any) -> np.ndarray:
        """Return the message of every sample, shape (n,), for samples of shape (n, ...)."""
        codes = tuple(self.decoders.values())
        rows, classes = max(codes, key=lambda code: code.classifier_multiplier).seen(x)
        messages: np.ndarray = mixed_costs(codes, self.weights.values(), rows, classes).argmin(axis=1)
        return messages

    @public_call
    def encode(self, x: Any) -> bytes:
        """Return samples of shape (n, ...) as bytes, which any of the decoders reads; needs the extra codes."""
        return pack(self.messages(x), self.frequencies, self._identity())

    @public_call
    def decode(self, stream: bytes, decoder: str) -> np.ndarray:
        """Return what a decoder makes of a stream, shape (n, ...); needs the extra codes.

        Parameters
        ----------
        stream : bytes
            That of `encode`.
        decoder : str
            Name of a target.

        Raises
        ------
        InvalidInput
            If there is no such decoder, or the stream is damaged, cut short, or of another code.
        """
        shown = self._decoder(decoder)
        return shown.reconstruct(unpack(stream, self.frequencies, self._identity()))

    @public_call
    def measure(
        self,
        x: Any,
        *,
        labels: Any = None,
        letters: Any = None,
        unit: str = "nat",
        tolerance: float = 1e-4,
        n_bootstrap: int = 200,
        rng: Any = 0,
    ) -> UniversalMeasure:
        """Return what the code attains on samples, beside codes for one target alone and beside the certified limit.

        Parameters
        ----------
        x : array_like
            Samples, shape (n, ...), better not those of the design.
        labels : sequence or array_like, optional
            The class of each sample, or a row of probabilities for each. By default what the classifier says of it.
        letters : array_like, optional
            More reconstructions that a better code could use, shape (k, ...), made on other data. The words of all
            decoders, and the means of the samples of every message, are always among them.
        unit : {"nat", "bit"}, optional
            Of all information.
        tolerance : float, optional
            Gap of the certified limits, nats; see `universal_rate`.
        n_bootstrap : int, optional
            Resamples for intervals; 0 for none.
        rng : int or numpy.random.Generator, optional

        Returns
        -------
        UniversalMeasure

        Raises
        ------
        InvalidInput
            If labels or letters do not fit the samples, the classifier is missing where a target minds it, or there are
            too many letters for so many decoders.
        """
        stated: dict[str, Any] = {"labels": labels, "letters": letters, "unit": unit, "tolerance": tolerance}
        codes = (self.decoders, self.alone)
        return measured(codes, self.messages(x), x, n_bootstrap=n_bootstrap, rng=rng, **stated)

    @public_call
    def save(self, path: str | PathLike[str]) -> None:
        """Write the code as one npz file, without pickle, its classifier or `alone`, whole or not at all."""
        codes = tuple(self.decoders.values())
        header = {
            "format": _FORMAT,
            "names": list(self.names),
            "weights": [float(weight) for weight in self.weights.values()],
            "classifier_multipliers": [float(code.classifier_multiplier) for code in codes],
            "length_multiplier": float(self._first.length_multiplier),
            "shape": list(self._first.shape),
        }
        arrays = {name: np.stack([getattr(code, name) for code in codes]) for name in ("words", "decisions")}
        files.write(path, header, {**arrays, "frequencies": self.frequencies})

    @property
    def _first(self) -> Code:
        return next(iter(self.decoders.values()))

    def _decoder(self, name: Any) -> Code:
        if not isinstance(name, str) or name not in self.decoders:
            raise InvalidInput(f"no decoder is called {name!r}; there are {', '.join(map(repr, self.names))}")
        return self.decoders[name]

    def _identity(self) -> bytes:
        return hashlib.sha256(b"".join(code.identity() for code in self.decoders.values())).digest()

    def __repr__(self) -> str:
        return (
            f"UniversalCode({self.n_words} messages, samples of shape {self._first.shape}, decoders "
            f"{', '.join(map(repr, self.names))})"
        )


@public_call
def load_universal_code(path: str | PathLike[str], classifier: Any = None) -> UniversalCode:
    """Return the code that `UniversalCode.save` wrote; nothing is unpickled.

    Parameters
    ----------
    path : path-like
    classifier : callable, estimator or module, optional
        That of the encoder, which the file does not hold. Decoders need none.

    Raises
    ------
    UnreadableFile
        If the file is missing, damaged, or no saved universal code.
    """
    header, arrays = files.read(path, "universal code; write it with UniversalCode.save")
    try:
        return _read(header, arrays, classifier)
    except UnreadableFile as error:
        raise UnreadableFile(f"{path} cannot be read: {error}") from error


def _read(header: Mapping[str, Any], arrays: dict[str, np.ndarray], classifier: Any) -> UniversalCode:
    wrong = "it is not a saved universal code; write it with UniversalCode.save"
    files.check(header.get("format") == _FORMAT, wrong)
    header = dict(header)
    words, decisions = files.array(arrays, "words", 3), files.array(arrays, "decisions", 3)
    frequencies = files.array(arrays, "frequencies", 1)
    names = [files.text(name) for name in files.field(header, "names", files.listed)]
    shape = tuple(files.count(side) for side in files.field(header, "shape", files.listed))
    weights = _numbers(header, "weights")
    multipliers = _numbers(header, "classifier_multipliers")
    length = files.field(header, "length_multiplier", files.real)
    counts = {len(names), len(set(names)), len(weights), len(multipliers), words.shape[0], decisions.shape[0]}
    files.check(len(counts) == 1 and bool(names), "it does not name its decoders one by one")
    are_shares = all(weight > 0 for weight in weights) and abs(sum(weights) - 1.0) < 1e-9
    files.check(are_shares, "its weights are no shares")
    codes = {}
    for name, own, decided, multiplier in zip(names, words, decisions, multipliers, strict=True):
        check_code(own, frequencies, decided, shape, [multiplier, length])
        codes[name] = Code(own, frequencies, decided, multiplier, length, shape, classifier)
    return UniversalCode(codes, dict(zip(names, weights, strict=True)))


def _numbers(header: dict[str, Any], name: str) -> Sequence[float]:
    return [files.real(value) for value in files.field(header, name, files.listed)]
