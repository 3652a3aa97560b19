"""From a sample to an alphabet: equal samples merge, their labels become conditional frequencies."""

from __future__ import annotations

from collections.abc import Hashable
from contextlib import suppress
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.validation import mass_vector, point_array


def merge_samples(samples: Any, labels: Any, weights: Any) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return distinct points (n_x, dim), their weights (n_x,), and (n_x, n_s) frequencies per label."""
    samples = point_array(samples, "samples")
    n = samples.shape[0]
    if weights is None:
        weights = np.full(n, 1.0)
    else:
        weights = mass_vector(weights, "weights", normalise=True)
        if weights.size != n:
            raise InvalidInput(f"weights has {weights.size} entries for {n} samples; give one weight per sample")
    points, symbol = np.unique(samples, axis=0, return_inverse=True)
    symbol = symbol.reshape(-1)
    masses = np.bincount(symbol, weights=weights)
    label_weights = np.where(masses[symbol] > 0, weights, 1.0)
    conditionals = [
        _frequencies(column, f"label {k}", symbol, label_weights) for k, column in enumerate(_columns(labels, n))
    ]
    return points, masses, conditionals


def _columns(labels: Any, n: int) -> list[list[Any]]:
    """Split the user's labels into columns of n values.

    Lists and arrays inside a list are columns; tuples and strings are values, so tuples may serve as labels.
    """
    if labels is None:
        return []
    if isinstance(labels, np.ndarray):
        if labels.ndim not in (1, 2):
            raise InvalidInput(f"labels has shape {labels.shape}; give (n,), or (n, K) for K labels")
        columns = [labels.tolist()] if labels.ndim == 1 else labels.T.tolist()
    else:
        try:
            values = list(labels)
        except TypeError as error:
            raise InvalidInput(f"labels is {labels!r}; give one label per sample") from error
        nested = bool(values) and all(isinstance(value, (list, np.ndarray)) and np.ndim(value) > 0 for value in values)
        columns = [list(value) for value in values] if nested else [values]
    for k, column in enumerate(columns):
        if len(column) != n:
            raise InvalidInput(f"label {k} has {len(column)} values for {n} samples; give one value per sample")
    return columns


def _frequencies(column: list[Any], name: str, symbol: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the (n_x, n_s) weighted frequencies of a label's classes within each symbol."""
    for i, value in enumerate(column):
        if not isinstance(value, Hashable):
            raise InvalidInput(f"{name} of sample {i} is {value!r}; use hashable values such as integers or strings")
        if value is None or value != value:
            raise InvalidInput(f"{name} of sample {i} is {value!r}; drop the sample or give it a class of its own")
    classes = list(dict.fromkeys(column))
    with suppress(TypeError):  # not comparable: keep the order of appearance
        classes.sort()
    code = {value: k for k, value in enumerate(classes)}
    codes = np.array([code[value] for value in column])
    n_x = int(symbol.max()) + 1
    table = np.bincount(symbol * len(classes) + codes, weights=weights, minlength=n_x * len(classes))
    table = table.reshape(n_x, len(classes))
    rows: np.ndarray = table / table.sum(axis=1, keepdims=True)
    return rows
