"""`simulate`: a channel that was solved for, run as a code for one symbol at a time with a shared seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.errors import InvalidInput
from rdcsolve.information import mutual_information
from rdcsolve.problems import Problem
from rdcsolve.problems.validation import freeze
from rdcsolve.reading import as_floats, read
from rdcsolve.results import Result

_BLOCK = 64  # letters that are drawn together
_REST = 1e-13  # mass of indices left out of their entropy
_MOST_TERMS = 2e8
_LARGEST_RATIO = 1e6
_NEVER = 64.0  # a place beyond this many times the largest ratio is sent with a probability below exp(-63)


@dataclass(frozen=True, eq=False, repr=False)
class ChannelCode:
    """A code whose output, over seeds, has exactly the law of a channel.

    Encoder and decoder draw the same letters from the output masses, one list for every symbol of a sequence. The
    encoder sends the place of one of them, 1, 2, ..., and small numbers are the likely ones.

    Attributes
    ----------
    p_x : numpy.ndarray
        Shape (n_x,).
    q : numpy.ndarray
        Output masses, shape (k,).
    ratios : numpy.ndarray
        W(a | x) / q(a), shape (n_x, k).
    seed : int
    rate : float
        I(X; A) of the channel, nats.
    entropy : float
        H(K) of the place sent, nats; NaN where its law has too long a tail to be added up.
    mean_log : float
        E log K, nats.
    bound : float
        What H(K) is proved to be at most: I + log(I + 1) + 4 with I in bits, given in nats (Li and El Gamal 2018).
    """

    p_x: np.ndarray
    q: np.ndarray
    ratios: np.ndarray
    seed: int
    rate: float
    entropy: float
    mean_log: float
    bound: float

    @public_call
    def encode(self, symbols: Any, *, first: int = 0) -> np.ndarray:
        """Return the place to send for every symbol, integers >= 1, shape (n,).

        Parameters
        ----------
        symbols : array_like
            Integers, shape (n,), of symbols that have mass.
        first : int, optional
            Which place in the sequence the first symbol has; both sides must agree.
        """
        values = _whole_numbers(symbols, "symbols", 0, self.p_x.size - 1)
        idle = np.flatnonzero(self.p_x[values] <= 0)
        if idle.size:
            raise InvalidInput(f"symbols[{idle[0]}] is {values[idle[0]]}, which has no mass; its channel is not known")
        first = options.whole(first, "first", 0)
        return np.array([self._place(int(x), first + i) for i, x in enumerate(values)], dtype=np.int64)

    @public_call
    def decode(self, places: Any, *, first: int = 0) -> np.ndarray:
        """Return the letter of every place sent, numbers of the channel's columns, shape (n,).

        Raises
        ------
        InvalidInput
            If a place is no whole number >= 1, or so large that this code does not send it.
        """
        values = _whole_numbers(places, "places", 1, self._last_place())
        first = options.whole(first, "first", 0)
        return np.array([self._letter(int(k), first + i) for i, k in enumerate(values)], dtype=np.int64)

    def _place(self, x: int, index: int) -> int:
        """Return the K of least T_K / r(x, A_K) over a Poisson process T and letters A."""
        ratio = self.ratios[x]
        largest = float(ratio.max())
        rng, arrival, best, place, seen = self._generator(index), 0.0, math.inf, 0, 0
        while True:
            letters, gaps = self._drawn(rng)
            arrivals = arrival + np.cumsum(gaps)
            scores = np.divide(arrivals, ratio[letters], out=np.full(_BLOCK, math.inf), where=ratio[letters] > 0)
            k = int(scores.argmin())
            if scores[k] < best:
                best, place = float(scores[k]), seen + k + 1
            arrival, seen = float(arrivals[-1]), seen + _BLOCK
            if arrival >= best * largest:  # whatever comes later has a larger score
                return place

    def _last_place(self) -> int:
        """Return a place that practically no symbol needs: K is geometric, with a mean of at most the largest ratio."""
        return math.ceil(_NEVER * (1.0 + float(self.ratios.max())))

    def _letter(self, place: int, index: int) -> int:
        rng = self._generator(index)
        for _ in range((place - 1) // _BLOCK):
            self._drawn(rng)
        return int(self._drawn(rng)[0][(place - 1) % _BLOCK])

    def _generator(self, index: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64([self.seed, index]))

    def _drawn(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the next letters and the times between them: of uniform numbers, which are the same everywhere."""
        uniform = rng.random((2, _BLOCK))
        edges = np.cumsum(self.q)
        letters = np.minimum(np.searchsorted(edges, uniform[0] * edges[-1], side="right"), self.q.size - 1)
        return letters, -np.log1p(-uniform[1])

    def __repr__(self) -> str:
        return (
            f"ChannelCode({self.p_x.size} symbols, {self.q.size} letters: I {self.rate:.6g}, H(K) {self.entropy:.6g}, "
            f"at most {self.bound:.6g} nat)"
        )


@public_call
def simulate(result: Result, problem: Problem, seed: int = 0) -> ChannelCode:
    """Return a one-shot code with shared randomness that does what the channel of a result does.

    Over seeds, the letter decoded has exactly the law W(. | x), so every mean loss, every label's entropy and the law
    of the reproduction are those of the result. The price is a rate above I(X; A): the entropy of the place sent.

    Parameters
    ----------
    result : Result
        With a channel that is an array.
    problem : Problem
        The problem solved.
    seed : int, optional
        Of the randomness that encoder and decoder share.

    Returns
    -------
    ChannelCode

    Raises
    ------
    InvalidInput
        If there is no channel, or it is of another problem, or some letter is so much likelier given a symbol than
        without that a place would take more than a million draws.

    Notes
    -----
    The Poisson functional representation of Li and El Gamal (2018). See Codes, in the docs.

    Examples
    --------
    >>> import rdcsolve as rdc
    >>> coin = rdc.Problem(rdc.Source([0.0, 1.0], [0.7, 0.3]), distortion="hamming").with_limits(D=0.1)
    >>> code = simulate(rdc.solve(coin), coin, seed=7)
    >>> places = code.encode([0, 1, 1, 0, 0, 1])
    >>> bool((code.decode(places) == code.decode(places)).all()), code.rate < code.entropy < code.bound
    (True, True)
    """
    options.instance(result, Result, "result", "pass what solve() returned")
    options.instance(problem, Problem, "problem", "pass the Problem that was solved")
    seed = options.whole(seed, "seed", 0)
    if result.fingerprint != problem.fingerprint():
        raise InvalidInput("the result belongs to other losses or masses than the problem; pass the problem solved")
    if not isinstance(result.channel, np.ndarray) or result.channel.size == 0:
        raise InvalidInput(
            f"the result has no channel that is an array ({result.status.name}); solve a smaller problem"
        )
    p, channel = problem.p_x, result.channel
    q = p @ channel
    ratios = np.divide(channel, q, out=np.zeros_like(channel), where=q > 0)
    largest = float(ratios[p > 0].max())
    if largest > _LARGEST_RATIO:
        raise InvalidInput(
            f"a letter is {largest:.3g} times likelier given a symbol than without, so finding it takes about as many "
            "draws; merge symbols, or allow larger losses"
        )
    rate = mutual_information(p, channel)
    entropy, mean_log = _of_places(p, channel, q, ratios)
    bits = rate / math.log(2)
    return ChannelCode(
        p_x=p,
        q=freeze(q / q.sum()),
        ratios=freeze(ratios),
        seed=seed,
        rate=rate,
        entropy=entropy,
        mean_log=mean_log,
        bound=(bits + math.log2(bits + 1) + 4) * math.log(2),
    )


def _of_places(p: np.ndarray, channel: np.ndarray, q: np.ndarray, ratios: np.ndarray) -> tuple[float, float]:
    """Return H(K) and E log K, nats: given symbol and letter, K - 1 is geometric.

    Before the winning time m r(x, a), with m exponential, the letters that lose are Poisson of mean m g(x, a), where
    g(x, a) is the mean of (r(x, a) - r(x, A'))_+ over A' from q. So P(K >= k) is the mean of (g / (1 + g))^(k - 1).
    """
    joint = p[:, None] * channel
    excess = np.zeros_like(ratios)
    for x in np.flatnonzero(p > 0):
        order = np.argsort(ratios[x])
        sizes = ratios[x, order]
        excess[x, order] = sizes * np.cumsum(q[order]) - np.cumsum(q[order] * sizes)
    used = joint > 0
    mass, g = joint[used], np.maximum(excess[used], 0.0)
    logs = np.log(g, out=np.full(g.shape, -1e4), where=g > 0) - np.log1p(g)  # e^-10000 is 0, and its 0th power 1
    entropy, mean_log, k = 0.0, 0.0, 0
    while k * mass.size < _MOST_TERMS:
        places = k + np.arange(256)
        tails = np.exp(np.outer(np.append(places, places[-1] + 1), logs)) @ mass
        shares = np.maximum(tails[:-1] - tails[1:], 0.0)
        entropy -= float((shares * np.log(np.where(shares > 0, shares, 1.0))).sum())
        mean_log += float(shares @ np.log(places + 1.0))
        k += places.size
        if tails[-1] < _REST:
            return entropy, mean_log
    return math.nan, math.nan


def _whole_numbers(values: Any, name: str, least: int, most: int) -> np.ndarray:
    floats = as_floats(read(values, name), name)
    if floats.ndim != 1:
        raise InvalidInput(f"{name} has shape {floats.shape}; give whole numbers from {least} to {most}, shape (n,)")
    is_right = (floats >= least) & (floats <= most) & (floats == np.floor(floats))
    if not is_right.all():
        place = int(np.flatnonzero(~is_right)[0])
        raise InvalidInput(
            f"{name}[{place}] is {floats[place]:.12g}; give whole numbers from {least} to {most}, and mind what was "
            "sent"
        )
    return floats.astype(np.int64)
