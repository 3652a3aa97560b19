"""What serving many targets amounts to: one ordinary problem, and the way back from its result.

A reduction has `apply`, from the targets to the equivalent problem, and `invert`, from a result of that problem to an
encoder, one decoder per target, and bounds on R(Theta). Every limit of every target is one of the equivalent problem's,
or is implied by those; the proofs are in the docs, Universal representations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.letters.tuples import TupleSpace
from rdcsolve.problems import Problem
from rdcsolve.results import Result, Status
from rdcsolve.universal.decoding import Decoder, best_decoder, decoder_of
from rdcsolve.universal.targets import labels_of, limits_labels, limits_laws, with_bounds, with_split_letters


@dataclass(frozen=True, eq=False)
class Served:
    """An encoder that serves all targets, and the problem whose result bounds R(Theta).

    Attributes
    ----------
    law : str
    result : Result
        Of the equivalent problem: its bounds on the rate hold for R(Theta).
    problem : Problem
        The equivalent problem.
    encoder : numpy.ndarray
        p(z | x), shape (n_x, k); no columns where there is no encoder.
    decoders : tuple of Decoder
        One per target; none where there is no encoder.
    status : Status
        Why the search for the encoder stopped.
    message : str
        More about the status.
    """

    law: str
    result: Result
    problem: Problem
    encoder: np.ndarray
    decoders: tuple[Decoder, ...]
    status: Status
    message: str


@dataclass(frozen=True, eq=False)
class CornerReduction:
    """One decoder is best at all that is limited, so the targets amount to the least of all their bounds.

    Parameters
    ----------
    problem : Problem
        Its letters are free; or the targets limit no more than one linear loss together, and letters are split, or no
        label's entropy is limited. Where the law of the reproduction is limited, one target implies all others.
    bounds : numpy.ndarray
        Of the targets, shape (J, L).
    """

    problem: Problem
    bounds: np.ndarray

    law = "corner"

    def apply(self) -> Problem:
        """Return the problem under the least of all bounds on every loss."""
        return with_bounds(self.problem, self.bounds.min(axis=0))

    def invert(self, result: Result) -> Served:
        """Return the encoder of a result of that problem, and its best decoder for every target."""
        encoder, joint = messages_of(self.problem, result)
        decoders: tuple[Decoder, ...] = ()
        if joint.shape[1]:
            decoders = (self._decoder(result, joint),) * len(self.bounds)
        return Served(self.law, result, self.apply(), encoder, decoders, result.status, result.message)

    def _decoder(self, result: Result, joint: np.ndarray) -> Decoder:
        """Return the decoder that is best at all limits: of laws, the one that shows the channel's own symbols."""
        if limits_laws(self.problem, self.bounds):
            return decoder_of(self.problem, joint, result.letters[result.q > 0])
        limited = limited_linear(self.problem, self.bounds)
        return best_decoder(self.problem, joint, int(limited[0]) if limited.size else 0)


@dataclass(frozen=True, eq=False)
class TupleReduction:
    """The encoder sends tuples of symbols, one for each target that no other one implies, and the labels' posteriors.

    A target is left without a symbol of its own if another's limits imply all its limits on linear losses and on the
    law of the reproduction. Its limits on labels are kept for it: every decoder reads the labels from the whole
    message, whose entropies are limited by the least bounds of *all* targets, those left out included.

    Parameters
    ----------
    problem : Problem
        Letters are listed, and split, or no label's entropy is limited.
    bounds : numpy.ndarray
        Of the targets, shape (J, L).
    own : tuple of int
        The targets that get a symbol of their own.
    server : tuple of int
        Whose symbol each target shows, as a place in `own`.
    tuples : TupleSpace
        Over the symbols of the targets in `own`, with the limits that are to be kept.
    """

    problem: Problem
    bounds: np.ndarray
    own: tuple[int, ...]
    server: tuple[int, ...]
    tuples: TupleSpace

    law = "tuples"

    @classmethod
    def of(cls, problem: Problem, bounds: np.ndarray, *, drop: bool = True) -> TupleReduction:
        """Return the reduction; without `drop` every target gets a symbol of its own."""
        labels = labels_of(problem)
        of_symbols = np.delete(bounds, labels, axis=1)  # what the symbols shown decide
        own = undominated(of_symbols) if drop else list(range(len(bounds)))
        server = [next(place for place, j in enumerate(own) if (of_symbols[j] <= row).all()) for row in of_symbols]
        kept = bounds[own]
        kept[:, labels] = bounds[:, labels].min(axis=0)
        return cls(problem, bounds, tuple(own), tuple(server if drop else own), TupleSpace(problem, kept))

    @property
    def is_linear(self) -> bool:
        """Whether targets limit linear losses alone, so that tuples can be priced without a list of them."""
        return not (limits_labels(self.problem, self.bounds) or limits_laws(self.problem, self.bounds))

    def apply(self, tuples: np.ndarray | None = None) -> Problem:
        """Return the problem over these tuples, shape (T, number of `own`); by default over all of them."""
        return self.tuples.stated(self.tuples.everything() if tuples is None else tuples)

    def invert(self, result: Result, tuples: np.ndarray | None = None) -> Served:
        """Return the encoder of a result of the problem over these tuples, and a decoder for every target."""
        encoder, joint = messages_of(self.problem, result)
        decoders: tuple[Decoder, ...] = ()
        held = self.tuples.everything() if tuples is None else tuples
        if joint.shape[1]:
            shown = held[result.letters[result.q > 0]]
            own = [decoder_of(self.problem, joint, self.tuples.symbols(shown, place)) for place in range(len(self.own))]
            decoders = tuple(own[place] for place in self.server)
        stated = self.tuples.stated(held)
        return Served(self.law, result, stated, encoder, decoders, result.status, result.message)


Reduction = CornerReduction | TupleReduction


def reduction_of(problem: Problem, bounds: np.ndarray, method: str = "automatic") -> Reduction:
    """Return how the targets reduce to one ordinary problem.

    With fixed letters and limits on labels that is the problem with split letters, whose rate is no larger.

    Parameters
    ----------
    problem : Problem
    bounds : numpy.ndarray
        Of the targets, shape (J, L).
    method : {"automatic", "corner", "tuples"}, optional
        As of `universal_rate`.

    Raises
    ------
    InvalidInput
        If the method does not apply.
    """
    base = with_split_letters(problem) if limits_labels(problem, bounds) else problem
    limited = limited_linear(base, bounds)
    of_laws = limits_laws(base, bounds)
    holds = limited.size <= 1 if not of_laws else implies_all(bounds)
    if method == "corner" and of_laws and not holds:
        raise InvalidInput(
            "the targets limit the law of the reproduction, for which decoders of one message may show different "
            "symbols, so the corner law does not hold; leave method out"
        )
    if method == "corner" and not holds:
        names = ", ".join(problem.loss_names[m] for m in limited)
        raise InvalidInput(
            f"the targets limit {names}, at which different symbols may be best, so the corner law does not hold; "
            "leave method out"
        )
    if method == "tuples" and not problem.linear_losses:
        raise InvalidInput("method is 'tuples' but letters are free, so there is no list of tuples; leave method out")
    if method == "corner" or (method == "automatic" and holds):
        return CornerReduction(base, bounds)
    return TupleReduction.of(base, bounds, drop=method == "automatic")


def reductions_of(problem: Problem, bounds: np.ndarray) -> Iterator[Reduction]:
    """Yield every reduction of these targets that `reduction_of` may have chosen, as one method or another asked."""
    yield reduction_of(problem, bounds)
    if problem.linear_losses:
        yield TupleReduction.of(reduction_of(problem, bounds).problem, bounds, drop=True)
        yield TupleReduction.of(reduction_of(problem, bounds).problem, bounds, drop=False)


def limited_linear(problem: Problem, bounds: np.ndarray) -> np.ndarray:
    """Return which linear losses any of the targets limits."""
    return np.flatnonzero(np.isfinite(bounds[:, : labels_of(problem).start]).any(axis=0))


def undominated(bounds: np.ndarray) -> list[int]:
    """Return the rows that no other row is below in every entry, the first of equals."""
    kept = []
    for j, row in enumerate(bounds):
        below = (bounds <= row).all(axis=1)
        equal = (bounds == row).all(axis=1)
        if not (below & ~equal).any() and not equal[:j].any():
            kept.append(j)
    return kept


def implies_all(bounds: np.ndarray) -> bool:
    """Return whether one target's limits imply all limits of all targets, so that serving it serves all."""
    return bool((bounds == bounds.min(axis=0)).all(axis=1).any())


def messages_of(problem: Problem, result: Result) -> tuple[np.ndarray, np.ndarray]:
    """Return a result's channel into letters that have mass, (n_x, k), and the masses of symbol and letter."""
    if not result.channel.shape[1]:  # nothing was found, perhaps for another problem's letters
        empty = np.empty((problem.n_x, 0))
        return empty, empty
    channel = result.channel[:, result.q > 0]
    return channel, channel * problem.p_x[:, None]
