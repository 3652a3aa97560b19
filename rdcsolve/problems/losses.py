"""Losses with their matrices, and the table of them that all variants of a problem share."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.validation import freeze, loss_matrix

_RESERVED = ("rate", "lagrangian", "D", "C")


def loss_name(name: Any) -> str:
    """Return a loss's name if it can be used as a keyword of `Problem.with_limits`."""
    if not isinstance(name, str) or not name.isidentifier():
        raise InvalidInput(f"a loss is named {name!r}; use a Python identifier, such as 'tail_loss'")
    if name in _RESERVED:
        raise InvalidInput(f"a loss is named {name!r}, which is reserved; choose another name")
    return name


@dataclass(frozen=True, eq=False, repr=False)
class Loss:
    """A linear loss: what each letter costs each symbol.

    Parameters
    ----------
    name : str
        A Python identifier, used as a keyword in `Problem.with_limits` and `Problem.at_multipliers`.
    matrix : array_like
        Shape (n_x, n_y), entries in [0, inf]; ``+inf`` forbids the pair. Kept read-only.
    """

    name: str
    matrix: Any

    def __post_init__(self) -> None:
        loss_name(self.name)
        object.__setattr__(self, "matrix", loss_matrix(self.matrix, f"loss '{self.name}'"))

    def block(self, rows: Any = None, letters: Any = None) -> np.ndarray:
        """Return what letters cost symbols, a dense block.

        Parameters
        ----------
        rows, letters : slice or numpy.ndarray, optional
            Which; all by default.
        """
        part = self.matrix if rows is None else self.matrix[rows]
        return part if letters is None else part[:, letters]

    def row_minima(self) -> np.ndarray:
        """Return every symbol's least entry, shape (n_x,)."""
        return self.matrix.min(axis=1)

    def __repr__(self) -> str:
        return f"Loss({self.name!r}, {self.matrix.shape[0]} x {self.matrix.shape[1]})"


@dataclass(frozen=True, eq=False, repr=False)
class LabelEntropy:
    """H(S | A) of a label: the log-loss of the best soft decision on each letter, so it depends on the channel.

    Parameters
    ----------
    name : str
        A Python identifier, as of a `Loss`.
    conditional : numpy.ndarray
        p(s | x), shape (n_x, n_s).
    label : int, optional
        Which of the source's labels it is.
    """

    name: str
    conditional: np.ndarray
    label: int = 0

    def __post_init__(self) -> None:
        loss_name(self.name)

    def log_loss(self, decisions: np.ndarray) -> np.ndarray:
        """Return -sum_s p(s | x) log r_s for soft decisions r of shape (k, n_s): an (n_x, k) array, nats.

        A decision that excludes a class costs +inf where the class has mass.
        """
        return log_loss(self.conditional, decisions)

    def __repr__(self) -> str:
        return f"LabelEntropy({self.name!r}, {self.conditional.shape[0]} x {self.conditional.shape[1]})"


@dataclass(frozen=True, eq=False, repr=False)
class FreeDistortion:
    """Squared error to letters that may be any points: at its best E |X - E[X | A]|^2, so it depends on the channel.

    Parameters
    ----------
    name : str
        ``"distortion"``.
    points : numpy.ndarray
        The source's points, shape (n_x, dim).
    scale : float, optional
        1 for the squared error, 1 / dim for its mean over the coordinates.
    """

    name: str
    points: np.ndarray
    scale: float = 1.0

    def matrix(self, letters: np.ndarray) -> np.ndarray:
        """Return the squared errors to letters at points of shape (k, dim), shape (n_x, k)."""
        from scipy.spatial.distance import cdist

        return cdist(self.points, letters, "sqeuclidean") * self.scale  # of differences: products would cancel

    def means(self, joint: np.ndarray) -> np.ndarray:
        """Return E[X | a] for joint masses of symbols and letters, shape (n_x, k): an array of shape (k, dim).

        Each is found as a deviation from the letter's heaviest point, so that a letter of one point is exactly there.
        """
        q = joint.sum(axis=0)
        origin = self.points[joint.argmax(axis=0)]
        means = origin.astype(float)
        for d, coordinate in enumerate(self.points.T):
            deviation = (joint * (coordinate[:, None] - origin[:, d])).sum(axis=0)
            means[:, d] += np.divide(deviation, q, out=np.zeros(q.size), where=q > 0)
        return means

    def __repr__(self) -> str:
        return f"FreeDistortion({self.name!r}, {self.points.shape[0]} points in R^{self.points.shape[1]})"


def log_loss(conditional: np.ndarray, decisions: np.ndarray) -> np.ndarray:
    """Return -sum_s w(s | x) log c(s | a): zero weights contribute nothing, excluded classes make it +inf."""
    excluded = decisions == 0
    log_decisions = np.log(decisions, out=np.zeros_like(decisions), where=~excluded)
    losses = np.maximum(conditional @ -log_decisions.T, 0.0)  # rows that sum to 1 + 1e-16 could give -1e-16
    if excluded.any():
        needs_excluded = (conditional > 0).astype(float) @ excluded.T.astype(float) > 0
        losses[needs_excluded] = np.inf
    return losses


class LossTable:
    """The losses of a problem, checked against one another and against the masses; immutable.

    Parameters
    ----------
    p_x : numpy.ndarray
        Masses, shape (n_x,).
    losses : sequence of Loss
        At least one; all of shape (n_x, n_y), with distinct names.
    labels : sequence of LabelEntropy, optional
        Each with n_x rows; they come after the losses in `names`.
    free : FreeDistortion, optional
        In place of losses, where letters are free; it comes first in `names`.

    Raises
    ------
    InvalidInput
        If shapes disagree, a name occurs twice, or a symbol of positive mass has no letter that it may use.
    """

    def __init__(
        self,
        p_x: np.ndarray,
        losses: Sequence[Loss],
        labels: Sequence[LabelEntropy] = (),
        free: FreeDistortion | None = None,
    ) -> None:
        self.p_x = p_x
        self.losses = tuple(losses)
        self.labels = tuple(labels)
        self.free = free
        first = [] if free is None else [free.name]
        self.names = (*first, *(loss.name for loss in losses), *(label.name for label in labels))
        self._check_names()
        self._check_shapes()
        self.forbidden = self._forbidden_pairs()

    @property
    def n_letters(self) -> int:
        """Number of letters, the columns of every matrix; zero where letters are free."""
        return int(self.losses[0].matrix.shape[1]) if self.losses else 0

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of masses, names and matrices."""
        digest = hashlib.sha256(b"rdcsolve losses 1")
        for name, array in (("p_x", self.p_x), *((loss.name, loss.matrix) for loss in self.losses)):
            digest.update(f"|{name}{array.shape}|".encode())
            digest.update(np.ascontiguousarray(array, dtype="<f8").data)
        if self.free is not None:
            digest.update(f"|free {self.free.name}{self.free.points.shape}{self.free.scale!r}|".encode())
            digest.update(np.ascontiguousarray(self.free.points, dtype="<f8").data)
        for label in self.labels:
            digest.update(f"|entropy of {label.name}{label.conditional.shape}|".encode())
            digest.update(np.ascontiguousarray(label.conditional, dtype="<f8").data)
        return digest.hexdigest()[:16]

    def index(self, name: Any) -> int:
        """Return the position of the loss called `name`; the error lists the known names."""
        if name in self.names:
            return self.names.index(name)
        known = ", ".join(repr(known) for known in self.names)
        raise InvalidInput(f"unknown loss {name!r}; this problem has the losses {known}")

    def _check_names(self) -> None:
        for name in self.names:
            if self.names.count(name) > 1:
                raise InvalidInput(f"{self.names.count(name)} losses are called {name!r}; give each its own name=")

    def _check_shapes(self) -> None:
        n_x = self.p_x.size
        for loss in self.losses:
            rows, columns = loss.matrix.shape
            if rows != n_x:
                raise InvalidInput(
                    f"loss '{loss.name}' has {rows} rows but the source has {n_x} symbols; give one row each"
                )
            if columns != self.n_letters:
                raise InvalidInput(
                    f"loss '{loss.name}' has {columns} columns but '{self.names[0]}' has {self.n_letters}; "
                    "give every loss one column per letter"
                )

    def _forbidden_pairs(self) -> np.ndarray | None:
        """Return the (n_x, n_y) mask of pairs that some loss forbids, or None if there is none."""
        forbidding = [np.isinf(loss.matrix) for loss in self.losses if np.isinf(loss.matrix.max())]
        if not forbidding:
            return None
        mask = np.logical_or.reduce(forbidding)
        stranded = np.flatnonzero(mask.all(axis=1) & (self.p_x > 0))
        if stranded.size:
            i = int(stranded[0])
            raise InvalidInput(
                f"symbol {i} has mass {self.p_x[i]:.6g} but every letter is forbidden to it by +inf losses "
                f"(symbols so affected: {stranded.size}); allow it a letter, or set its mass to zero"
            )
        return freeze(mask)
