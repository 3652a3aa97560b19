"""What the places that letters show cost, as one more linear loss in place of limits on the reproduction's law."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from rdcsolve.problems.losses import Loss
from rdcsolve.problems.structures import LetterLoss
from rdcsolve.problems.validation import freeze
from rdcsolve.rounding import two_sum, units

_NAME = "price_of_the_place"


def letter_prices(problem: Any, prices: Sequence[np.ndarray]) -> np.ndarray:
    """Return what letters cost by the prices of the places that they show, rounded down.

    Prices of a class's places count for symbols as they belong to the class: w_place g_i, with the weights g of
    `Perception.weights`. Each of these is rounded down: g errs by the products' and the sums' roundings, an exact sum's
    one among them, and the quotients', which are six in all.

    Parameters
    ----------
    problem : Problem
    prices : sequence of numpy.ndarray
        For every perception of the problem w, shape (m,), >= 0.

    Returns
    -------
    numpy.ndarray
        Shape (n_letters,), or (n_x, n_letters) where some prices are those of a class's places.
    """
    total = np.zeros(problem.n_letters)
    for perception, w in zip(problem.perceptions, prices, strict=True):
        if not w.any():
            continue
        more, weights = w[perception.place], perception.weights(problem.p_x)
        if weights is not None:
            more = np.outer(weights * (1 - units(12)), more)
            more = np.where(more > 0, np.nextafter(more, 0.0), 0.0)
        total, left = two_sum(total, more)
        total = np.where(left < 0, np.nextafter(total, 0.0), total)
    return np.asarray(total)


def with_prices(problem: Any, prices: np.ndarray) -> Any:
    """Return a problem with one more linear loss, what each letter costs whatever the symbol, and no perceptions.

    Parameters
    ----------
    problem : Problem
    prices : numpy.ndarray
        Shape (n_letters,), or (n_x, n_letters) where they differ between symbols, finite and >= 0. The loss comes last
        of the linear ones, with multiplier one where these are given, else without a limit.
    """
    table, bare = problem._table, problem.without_perceptions()
    at = len(table.losses)
    priced = freeze(prices) if prices.ndim == 2 else LetterLoss(problem.n_x, prices)
    losses = [*table.losses, Loss(_NAME, priced)]
    given = problem.multipliers
    return bare._variant(
        _table=table.with_losses(losses),
        bounds=freeze(np.insert(problem.bounds, at, math.inf)),
        equal=freeze(np.insert(problem.equal, at, False)),
        multipliers=None if given is None else freeze(np.insert(given, at, 1.0)),
    )
