"""What the places that letters show cost, as one more linear loss in place of limits on the reproduction's law."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from rdcsolve.problems.losses import Loss
from rdcsolve.problems.structures import LetterLoss
from rdcsolve.problems.validation import freeze

_NAME = "price_of_the_place"


def with_prices(problem: Any, prices: np.ndarray) -> Any:
    """Return a problem with one more linear loss, what each letter costs whatever the symbol, and no perceptions.

    Parameters
    ----------
    problem : Problem
    prices : numpy.ndarray
        Shape (n_letters,), finite and >= 0. The loss comes last of the linear ones, with multiplier one where these
        are given, else without a limit.
    """
    table, bare = problem._table, problem.without_perceptions()
    at = len(table.losses)
    losses = [*table.losses, Loss(_NAME, LetterLoss(problem.n_x, prices))]
    given = problem.multipliers
    return bare._variant(
        _table=table.with_losses(losses),
        bounds=freeze(np.insert(problem.bounds, at, math.inf)),
        equal=freeze(np.insert(problem.equal, at, False)),
        multipliers=None if given is None else freeze(np.insert(given, at, 1.0)),
    )
