"""A channel whose rows are made when they are asked for: output masses, multipliers, and the losses they came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Problem
from rdcsolve.problems.exact_sums import mean_excess
from rdcsolve.problems.structures import TABLE_BYTES, row_blocks

DENSE_CHANNEL_BYTES = 2**23
"""The largest channel that a result holds as an array where the losses are not stored: 8 MB."""


class Channel:
    """W(a | i) = q_a exp(-lambda.L(i, a)) / t_i, a block of rows at a time; nothing as large as the channel is stored.

    Parameters
    ----------
    problem : Problem or None
        Of finitely many letters. None for a channel from a file, which has rows once `of` has told it the problem.
    letters : numpy.ndarray
        Shape (k,): indices of the letters used.
    q : numpy.ndarray
        Shape (k,), > 0. Not the channel's output masses, unless the multipliers are stationary: see `output_law`.
    multipliers : numpy.ndarray
        Shape (M,), >= 0.
    n_x : int, optional
        Number of symbols, where there is no problem.

    Examples
    --------
    >>> problem = Problem.from_arrays([0.5, 0.5], [[0, 1], [1, 0]])
    >>> channel = Channel(problem, np.array([0, 1]), np.array([0.5, 0.5]), np.array([np.log(3.0)]))
    >>> channel.rows().round(12).tolist()
    [[0.75, 0.25], [0.25, 0.75]]
    >>> round(channel.mean_loss(0), 12), channel.output_law().round(12).tolist()
    (0.25, [0.5, 0.5])
    """

    def __init__(
        self, problem: Problem | None, letters: np.ndarray, q: np.ndarray, multipliers: np.ndarray, n_x: int = 0
    ) -> None:
        self._problem, self.letters, self.q, self.multipliers = problem, letters, q, multipliers
        self.n_x = n_x if problem is None else problem.n_x
        self._law: np.ndarray | None = None

    @property
    def problem(self) -> Problem:
        """The problem that the losses are taken from.

        Raises
        ------
        InvalidInput
            If the channel comes from a file, and has not been told.
        """
        if self._problem is None:
            raise InvalidInput(
                "the channel comes from a file, which holds its masses and multipliers but not the losses; "
                "use result.channel.of(problem) with the problem that was solved"
            )
        return self._problem

    def of(self, problem: Problem) -> Channel:
        """Return the channel with the losses of a problem, the one that was solved; itself if it has some.

        Raises
        ------
        InvalidInput
            If the problem has another number of symbols, letters or losses.
        """
        if self._problem is not None:
            return self
        if problem.n_x != self.n_x or len(problem.losses) != self.multipliers.size:
            raise InvalidInput(
                f"the channel has {self.n_x} symbols and {self.multipliers.size} losses, the problem {problem.n_x} and "
                f"{len(problem.losses)}; pass the problem that was solved"
            )
        if self.letters.size and self.letters.max() >= problem.n_letters:
            raise InvalidInput(
                f"the channel uses letter {self.letters.max()} but the problem has {problem.n_letters} letters; "
                "pass the problem that was solved"
            )
        return Channel(problem, self.letters, self.q, self.multipliers)

    def is_same(self, other: object) -> bool:
        """Return whether another channel is of the same masses and multipliers."""
        return isinstance(other, Channel) and all(
            np.array_equal(getattr(self, name), getattr(other, name)) for name in ("letters", "q", "multipliers")
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(n_x, k): symbols and letters used."""
        return self.n_x, self.letters.size

    def rows(self, symbols: slice | np.ndarray | None = None) -> np.ndarray:
        """Return the distributions of the letter given some symbols, shape (len(symbols), k); all by default.

        A symbol that may use none of the letters, whose mass is then zero, gets their masses.
        """
        exponent: np.ndarray | None = None
        for loss, multiplier in zip(self.problem.linear_losses, self.multipliers, strict=False):
            if multiplier:
                block = loss.block(symbols, self.letters)
                lowest = block.min(axis=1, keepdims=True)  # so that a constant in all of a row rounds nothing
                part = block - np.where(np.isfinite(lowest), lowest, 0.0)
                part *= -multiplier
                exponent = part if exponent is None else np.add(exponent, part, out=exponent)
        if exponent is None:
            exponent = np.zeros((self._count(symbols), self.letters.size))
        exponent += np.log(self.q)
        if self.problem.forbidden is not None:
            every = slice(None) if symbols is None else symbols
            exponent[self.problem.forbidden[every][:, self.letters]] = -np.inf
        top = exponent.max(axis=1, keepdims=True)
        stranded = np.isneginf(top[:, 0])
        exponent -= np.where(np.isneginf(top), 0.0, top)
        rows = np.exp(exponent, out=exponent)
        rows[stranded] = self.q
        rows /= rows.sum(axis=1, keepdims=True)
        return np.asarray(rows)

    def remember(self, law: np.ndarray) -> None:
        """Keep the masses of the letters, shape (k,), for `output_law`."""
        self._law = law

    def output_law(self) -> np.ndarray:
        """Return the masses of the letters, shape (k,)."""
        if self._law is None:
            law = np.zeros(self.letters.size)
            for symbols, rows in self._blocks():
                law += self.problem.p_x[symbols] @ rows
            self._law = law
        return self._law

    def rate(self) -> float:
        """Return I(X; A), nats."""
        log_law = np.log(self.output_law())
        total = 0.0
        for symbols, rows in self._blocks():
            positive = rows > 0
            logs = np.log(rows, out=np.zeros_like(rows), where=positive)
            total += float(self.problem.p_x[symbols] @ (rows * np.where(positive, logs - log_law, 0.0)).sum(axis=1))
        return max(total, 0.0)

    def mean_loss(self, m: int) -> float:
        """Return the mean of linear loss m, rounded as if its least values were known exactly."""
        loss = self.problem.linear_losses[m]
        lowest, above = np.zeros(self.problem.n_x), np.zeros(self.problem.n_x)
        for symbols, rows in self._blocks():
            block = loss.block(symbols, self.letters)
            least = block.min(axis=1)
            least = np.where(np.isfinite(least), least, 0.0)
            excess = np.where(np.isinf(block), 0.0, block - least[:, None])  # no mass there: 0 * inf is 0
            lowest[symbols], above[symbols] = least, (rows * excess).sum(axis=1)
        return mean_excess(self.problem.p_x, lowest, 0.0, above)

    def posterior(self, label: int = 0) -> np.ndarray:
        """Return p(s | a) of a label of the source, shape (k, n_s)."""
        conditional = self.problem.source.labels[label]
        joint = np.zeros((self.letters.size, conditional.shape[1]))
        for symbols, rows in self._blocks():
            joint += (rows * self.problem.p_x[symbols][:, None]).T @ conditional[symbols]
        return np.asarray(joint / joint.sum(axis=1, keepdims=True))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        n_x, k = self.shape
        if 8 * n_x * k > TABLE_BYTES:
            raise InvalidInput(
                f"the channel has {n_x} x {k} entries, {8e-6 * n_x * k:.0f} MB, and is not stored; ask for some of its "
                "rows with channel.rows(symbols), or for rate(), mean_loss(m), output_law() and posterior(label)"
            )
        return np.asarray(self.rows(), dtype=dtype)

    def _count(self, symbols: slice | np.ndarray | None) -> int:
        if symbols is None:
            return self.n_x
        return len(range(self.problem.n_x)[symbols]) if isinstance(symbols, slice) else len(symbols)

    def _blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        for symbols in row_blocks(self.shape):
            yield symbols, self.rows(symbols)

    def __repr__(self) -> str:
        return f"Channel({self.shape[0]} symbols, {self.shape[1]} letters, rows on demand)"
