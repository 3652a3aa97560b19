"""`fit_quantiser`, `fit_universal_quantiser`: entropy-constrained vector quantisers that mind a classifier.

Both by descent on a Lagrangian: a code with one decoder, or with one for each of several targets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.codes.classes import class_masses
from rdcsolve.codes.code import Code
from rdcsolve.codes.design import Design, read_design
from rdcsolve.codes.universal_code import UniversalCode
from rdcsolve.errors import InvalidInput

Told = Callable[[int, int, float], Any]


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
    callback: Told | None = None,
) -> Code:
    """Return a quantiser designed on samples: few words, cheap to send, near the samples, and clear to a classifier.

    Parameters
    ----------
    x : array_like
        Samples, shape (n, ...). Numbers, shape (n,), are samples of shape (1,), and come back as (n, 1).
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
    if options.real(classifier_multiplier, "classifier_multiplier") > 0 and classifier is None:
        raise InvalidInput("classifier_multiplier needs the classifier whose loss it prices; give classifier=")
    multipliers = [_not_negative(classifier_multiplier, "classifier_multiplier")]
    n_words, design = _read(x, n_words, classifier, multipliers, [1.0], length_multiplier)
    run = _Run(n_words, n_starts, max_steps, rng, callback)
    codes, _ = run.best(design)
    return design.finished(codes)[0]


@public_call
def fit_universal_quantiser(  # noqa: PLR0913 - what may be stated
    x: Any,
    n_words: int,
    *,
    targets: Mapping[str, float],
    classifier: Any = None,
    weights: Mapping[str, float] | None = None,
    length_multiplier: float = 0.0,
    n_starts: int = 1,
    max_steps: int = 30,
    rng: Any = 0,
    callback: Told | None = None,
) -> UniversalCode:
    """Return one encoder, one stream, and a decoder for every target, designed together on samples.

    Parameters
    ----------
    x : array_like
        Samples, shape (n, ...).
    n_words : int
        Messages at most; those that nothing is sent as are dropped.
    targets : mapping of str to float
        For every decoder, by name, how much mean squared error a nat of the classifier's cross-entropy is worth to it:
        ``{"restore": 0.0, "recognise": 0.02}``.
    classifier : callable, estimator or module, optional
        As in `fit_quantiser`; needed where a target minds it.
    weights : mapping of str to float, optional
        How much every target counts in the choice of messages, positive, in any proportion. By default all alike.
    length_multiplier, n_starts, max_steps, rng, callback
        As in `fit_quantiser`; the callback counts the starts of all descents.

    Returns
    -------
    UniversalCode
        With, in `alone`, a code made for each target alone in the same way, with as many words at most.

    Raises
    ------
    InvalidInput
        As `fit_quantiser`, and if targets or weights are not numbers by name, or differ in their names.

    Notes
    -----
    The Lagrangian is the weighted mean of those of the targets, each with words of its own; the messages are common.
    One descent begins at what each target alone would send, so that on the samples of the design nothing is lost
    against reusing the encoder of any of them with decoders of one's own. The codes made for one target alone begin at
    the common messages as well: without a price on length, what reuse costs each target is never negative there. See
    Codes you can run, in the docs.

    Examples
    --------
    >>> x = np.repeat([0.0, 0.1, 1.0, 1.1], 5)
    >>> def is_large(batch):
    ...     shares = 1 / (1 + np.exp(-8 * (batch[:, :1] - 0.5)))
    ...     return np.hstack([1 - shares, shares])
    >>> code = fit_universal_quantiser(x, 2, targets={"restore": 0.0, "recognise": 1.0}, classifier=is_large)
    >>> code.names, code.messages([0.2, 0.9]).tolist(), code.decoders["restore"].words.ravel().round(3).tolist()
    (('restore', 'recognise'), [0, 1], [0.05, 1.05])
    """
    multipliers, shares = _read_targets(targets, weights)
    if max(multipliers.values()) > 0 and classifier is None:
        raise InvalidInput("a target minds the classifier's loss; give classifier=, or multipliers of zero")
    n_words, design = _read(x, n_words, classifier, list(multipliers.values()), shares, length_multiplier)
    run = _Run(n_words, n_starts, max_steps, rng, callback)
    alone = {name: design.alone(place) for place, name in enumerate(multipliers)}
    made = {name: run.best(one) for name, one in alone.items()}
    codes, _ = run.best(
        design, [one.messages(found) for one, (found, _) in zip(alone.values(), made.values(), strict=True)]
    )
    codes = design.finished(codes)
    common = design.messages(codes)
    for place, (name, one) in enumerate(alone.items()):
        made[name] = min(made[name], run.continued(one, (codes[place],), common), key=lambda pair: pair[1])
    return UniversalCode(
        decoders=dict(zip(multipliers, codes, strict=True)),
        weights=dict(zip(multipliers, shares, strict=True)),
        alone={name: one.finished(made[name][0])[0] for name, one in alone.items()},
    )


class _Run:
    """Descents from several starts, each told to whoever listens."""

    def __init__(self, n_words: int, n_starts: Any, max_steps: Any, rng: Any, callback: Any) -> None:
        self.n_words = n_words
        self.n_starts, self.max_steps = options.whole(n_starts, "n_starts"), options.whole(max_steps, "max_steps")
        self.callback = options.function_or_none(callback, "callback", "the start, the round and the Lagrangian")
        self.generator = options.generator(rng)
        self.begun = 0

    def best(self, design: Design, partitions: Any = ()) -> tuple[tuple[Code, ...], float]:
        """Return the code of the least Lagrangian, and that, from first codebooks and from messages given."""
        seeds = [int(self.generator.integers(2**31)) for _ in range(self.n_starts)]
        found = [self._descended(design, design.first(self.n_words, seed)) for seed in seeds]
        first = found[0][0]
        return min([*found, *(self.continued(design, first, one) for one in partitions)], key=lambda pair: pair[1])

    def continued(
        self, design: Design, codes: tuple[Code, ...], messages: np.ndarray
    ) -> tuple[tuple[Code, ...], float]:
        """Return the code that a descent from these messages leads to, and its Lagrangian."""
        return self._descended(design, design.improved(codes, messages)[0])

    def _descended(self, design: Design, codes: tuple[Code, ...]) -> tuple[tuple[Code, ...], float]:
        start, self.begun = self.begun, self.begun + 1

        def tell(step: int, value: float) -> None:
            if self.callback is not None:
                self.callback(start, step, value)

        return design.descended(codes, self.max_steps, tell)


def _read(
    x: Any, n_words: Any, classifier: Any, multipliers: list[float], weights: list[float], length_multiplier: Any
) -> tuple[int, Design]:
    rows, shape = read_design(x)
    n_words = options.whole(n_words, "n_words")
    if rows.shape[0] < n_words:
        raise InvalidInput(
            f"x has {rows.shape[0]} samples, fewer than n_words={n_words}; give more, or ask for fewer words"
        )
    length_multiplier = _not_negative(length_multiplier, "length_multiplier")
    classes = None if classifier is None else class_masses(classifier, rows.reshape(-1, *shape))
    return n_words, Design(rows, shape, classifier, classes, multipliers, weights, length_multiplier)


def _not_negative(value: Any, name: str) -> float:
    if not 0 <= options.real(value, name) < math.inf:
        raise InvalidInput(f"{name} is {value!r}; it must be finite and >= 0")
    return float(value)


def _read_targets(targets: Any, weights: Any) -> tuple[dict[str, float], list[float]]:
    """Return the classifier's multiplier of every target, by name, and their weights, which sum to one."""
    cure = "give the classifier's multiplier of every decoder by name, such as {'restore': 0.0, 'recognise': 0.02}"
    if not isinstance(targets, Mapping) or not targets or not all(isinstance(name, str) for name in targets):
        raise InvalidInput(f"targets is {targets!r}; {cure}")
    multipliers = {name: _not_negative(value, f"the target {name!r}") for name, value in targets.items()}
    if weights is None:
        return multipliers, [1 / len(multipliers)] * len(multipliers)
    if not isinstance(weights, Mapping) or set(weights) != set(multipliers):
        named = ", ".join(map(repr, multipliers))
        raise InvalidInput(f"weights is {weights!r}; give one positive number for each of the targets {named}")
    cure = "give a positive number"
    shares = [options.positive(weights[name], f"the weight of {name!r}", cure) for name in multipliers]
    return multipliers, [share / math.fsum(shares) for share in shares]
