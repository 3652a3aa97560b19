"""Images of MNIST and its likes as a source: real data of the size that papers use, read from files."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.data.arguments import count
from rdcsolve.data.idx import image_arrays
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Source
from rdcsolve.problems.validation import freeze


def mnist(
    part: str = "test",
    folder: str | os.PathLike[str] | None = None,
    *,
    n: int | None = None,
    rng: Any = 0,
    dataset: str = "mnist",
    download: bool = False,
) -> Source:
    """Return images of MNIST, Fashion-MNIST or the like as an empirical source labelled by class.

    Parameters
    ----------
    part : {"test", "train"}, optional
        10 000 or 60 000 images.
    folder : path-like, optional
        Where the files lie, packed or not: in the folder, in its subfolder `mnist` or `fashion-mnist`, or where
        torchvision puts them. By default the environment variable RDCSOLVE_DATA names it.
    n : int, optional
        Draw so many images at random without replacement, and keep their order; by default all are taken.
    rng : int or numpy.random.Generator, optional
        Decides the draw: equal seeds give equal images.
    dataset : {"mnist", "fashion-mnist", "any"}, optional
        Files of the first two are compared with the SHA-256 of the originals; ``"any"`` takes other images of
        28 x 28 pixels.
    download : bool, optional
        Fetch files that are missing.

    Returns
    -------
    Source
        Points of shape (n, 784): the pixels row by row, scaled to [0, 1]. Equal masses, also for equal images. One
        label, shape (n, 10), which is the class itself: each row is a unit vector. It has more columns if the
        files of ``"any"`` name more classes.

    Raises
    ------
    UnreadableFile
        If a file is missing, damaged, of another data set, or cannot be downloaded.
    SaveFailed
        If a downloaded file cannot be written.
    InvalidInput
        If no folder is known, or there are fewer than `n` images.

    Examples
    --------
    >>> mnist("test", n=500)  # doctest: +SKIP
    Source('mnist test', n_x=500, dim=784, labels=(10,))
    """
    n = None if n is None else count(n, "n")
    images, classes = image_arrays(part, folder, dataset=dataset, download=download)
    n_classes = max(10, int(classes.max()) + 1)
    if n is not None:
        if n > classes.size:
            raise InvalidInput(f"n is {n} but there are {classes.size} images; ask for at most {classes.size}")
        chosen = np.sort(options.generator(rng).choice(classes.size, size=n, replace=False))
        images, classes = images[chosen], classes[chosen]
    points = freeze(images.reshape(classes.size, -1) / 255.0)  # 0.4 GB for 60 000: frozen, Source makes no copy
    p_x = np.full(classes.size, 1.0 / classes.size)
    name = f"{'images' if dataset == 'any' else dataset} {part}"
    return Source(points, p_x, labels=[np.eye(n_classes)[classes]], name=name)
