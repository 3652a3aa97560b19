"""Handwritten digits that come with scikit-learn: real data that needs no network."""

from __future__ import annotations

from typing import Any

import numpy as np

from rdcsolve import extras, options
from rdcsolve.problems import Source
from rdcsolve.problems.validation import one_of


def digits(part: str = "all", rng: Any = 0) -> Source:
    """Return scikit-learn's 1797 handwritten digits as an empirical source labelled by class.

    Parameters
    ----------
    part : {"all", "train", "test"}, optional
        All images in their order, or one of two random halves (898 for training, 899 for testing) in that
        order.
    rng : int or numpy.random.Generator, optional
        Decides the halves. Use one integer for both calls to get complementary halves; a generator moves on.

    Returns
    -------
    Source
        Points of shape (n, 64): the 8 x 8 pixels row by row, scaled to [0, 1]. Equal masses. One label, shape
        (n, 10), which is the class itself: each row is a unit vector.

    Examples
    --------
    >>> digits("train")
    Source('digits train', n_x=898, dim=64, labels=(10,))
    """
    one_of(part, ("all", "train", "test"), "part")
    extras.need("learn", "sources.digits")
    from sklearn.datasets import load_digits

    pixels, classes = load_digits(return_X_y=True)
    n = classes.size
    if part == "all":
        chosen = np.arange(n)
    else:
        shuffled = options.generator(rng).permutation(n)
        chosen = np.sort(shuffled[: n // 2] if part == "train" else shuffled[n // 2 :])
    name = "digits" if part == "all" else f"digits {part}"
    p_x = np.full(chosen.size, 1.0 / chosen.size)
    return Source(pixels[chosen] / 16.0, p_x, labels=[np.eye(10)[classes[chosen]]], name=name)
