"""What a classifier answers on samples, as probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.problems.classifiers import Classifier, is_estimator, is_module

_BATCH = 2048


def class_masses(classifier: Any, samples: np.ndarray) -> np.ndarray:
    """Return the probabilities of the classes, shape (n, n_s), for samples of shape (n, ...).

    Parameters
    ----------
    classifier : callable, estimator or module
        As `ClassifierLossLimit` takes it; estimators are given rows.
    samples : numpy.ndarray
    """
    if not callable(classifier) and not is_estimator(classifier):
        raise InvalidInput(f"classifier is {type(classifier).__name__}; pass a function, an estimator or a module")
    stated = Classifier(classifier, None, None, False, False)
    shape = (samples.shape[0], -1) if is_estimator(classifier) else samples.shape
    parts = []
    for start in range(0, samples.shape[0], _BATCH):
        table = stated.at(samples.reshape(shape)[start : start + _BATCH]).table
        if table is None:
            raise InvalidInput("the classifier decides for one class; give one that puts out probabilities")
        parts.append(table)
    joined = np.concatenate(parts)
    return np.hstack([1 - joined, joined]) if joined.shape[1] == 1 else joined


def improved_words(
    classifier: Any, means: np.ndarray, masses: np.ndarray, multiplier: float, shape: tuple[int, ...], steps: int
) -> np.ndarray | None:
    """Return words that please a module of torch more than the means of their cells, or None for other classifiers.

    Parameters
    ----------
    classifier : Any
    means : numpy.ndarray
        Shape (k, dim).
    masses : numpy.ndarray
        Mean of the classifier's answers in every cell, shape (k, n_s).
    multiplier : float
        Of the cross-entropy beside the mean squared error.
    shape : tuple of int
        Of a sample.
    steps : int
        Of gradient descent; what comes out is judged by the caller.
    """
    if not is_module(classifier):
        return None
    import torch

    like = next(iter(classifier.parameters()), torch.zeros(1))
    made: dict[str, Any] = {"dtype": like.dtype, "device": like.device}
    word = torch.tensor(means, requires_grad=True, **made)
    goal, target = torch.tensor(means, **made), torch.tensor(masses, **made)
    descent = torch.optim.Adam([word], lr=2e-3 * float(np.ptp(means) or 1.0))
    was_training = classifier.training
    classifier.eval()
    low, high = float(means.min()), float(means.max())
    for _ in range(steps):
        descent.zero_grad()
        logits = classifier(word.reshape(-1, *shape))
        fit = ((word - goal) ** 2).mean(1).sum()
        (fit - multiplier * (target * torch.log_softmax(logits, 1)).sum()).backward()
        descent.step()
        with torch.no_grad():
            word.clamp_(low, high)
    classifier.train(was_training)
    found: np.ndarray = word.detach().cpu().double().numpy()
    return found
