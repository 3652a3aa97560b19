"""Images in a data set that hands them out one by one with their class, as those of torchvision do."""

from __future__ import annotations

from typing import Any

import numpy as np

from rdcsolve import options
from rdcsolve.calls import public_call
from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Source
from rdcsolve.reading import as_floats, read

_MOST_CLASSES = 100_000
_FORM = "give an object with a length whose items are pairs of an image and its class, such as torchvision's data sets"


@public_call
def images(dataset: Any, *, n: int | None = None, rng: Any = 0) -> Source:
    """Return the images of a data set as an empirical source labelled by class.

    Parameters
    ----------
    dataset : sequence of (image, class)
        Whatever has a length and items that are such pairs: a data set of torchvision, with or without a transform, a
        subset of one, a list. Images are arrays, tensors or those of Pillow, all of one shape; classes are whole
        numbers >= 0.
    n : int, optional
        Draw so many at random without replacement, and keep their order; by default all are taken.
    rng : int or numpy.random.Generator, optional
        Decides the draw: equal seeds give equal images.

    Returns
    -------
    Source
        Points of shape (n, dim), the entries of an image one after the other: bytes are divided by 255, other numbers
        are as they came. Equal masses. One label, the class itself, with the names in `dataset.classes` where there are
        as many as classes.

    Raises
    ------
    InvalidInput
        If items are not such pairs, images differ in shape, or there are fewer than `n`.

    Examples
    --------
    >>> images([(np.zeros((2, 2)), 0), (np.ones((2, 2)), 1), (np.eye(2), 1)])
    Source('images', n_x=3, dim=4, labels=(2,))
    """
    n_items = length_of(dataset)
    chosen = np.arange(n_items)
    if n is not None:
        n = count(n, "n")
        if n > n_items:
            raise InvalidInput(f"n is {n} but there are {n_items} images; ask for at most {n_items}")
        chosen = np.sort(options.generator(rng).choice(n_items, size=n, replace=False))
    pixels, classes = read_items(dataset, chosen)
    names = [str(name) for name in getattr(dataset, "classes", ())]
    n_classes = max(len(names), int(classes.max()) + 1)
    return Source(
        pixels.reshape(chosen.size, -1),
        np.full(chosen.size, 1.0 / chosen.size),
        labels=[np.eye(n_classes)[classes]],
        classes=[names if len(names) == n_classes and len(set(names)) == n_classes else None],
        name="images",
    )


def length_of(dataset: Any) -> int:
    """Return how many items a data set has, at least one."""
    if not hasattr(dataset, "__getitem__") or not hasattr(dataset, "__len__"):
        raise InvalidInput(f"dataset is {type(dataset).__name__}; {_FORM}")
    if len(dataset) == 0:
        raise InvalidInput(f"dataset has no items; {_FORM}")
    return len(dataset)


def read_items(dataset: Any, chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return chosen images and their classes.

    Returns
    -------
    images : numpy.ndarray
        Shape (n, ...), float64: bytes divided by 255, other numbers as they came.
    classes : numpy.ndarray
        Shape (n,), int64.
    """
    parts, classes = [], np.empty(chosen.size, dtype=np.int64)
    for place, k in enumerate(chosen.tolist()):
        item = dataset[k]
        if not isinstance(item, (tuple, list)) or len(item) != 2:
            raise InvalidInput(f"item {k} of dataset is {type(item).__name__}; {_FORM}")
        parts.append(_pixels(item[0], f"the image of item {k}"))
        classes[place] = _class(item[1], f"the class of item {k}")
        if parts[-1].shape != parts[0].shape:
            raise InvalidInput(
                f"item {chosen[0]} of dataset has an image of shape {parts[0].shape} but item {k} one of "
                f"{parts[-1].shape}; give images of one shape, such as by a transform that crops or scales them"
            )
    return np.stack(parts), classes


def _pixels(image: Any, name: str) -> np.ndarray:
    if hasattr(image, "__array_interface__") and not isinstance(image, np.ndarray):
        image = np.asarray(image)  # Pillow's
    entries = read(image, name).entries
    pixels = entries / 255.0 if entries.dtype == np.uint8 else as_floats(read(image, name), name)
    if pixels.size == 0 or not np.isfinite(pixels).all():
        raise InvalidInput(f"{name} has shape {pixels.shape}, or entries that are not finite; leave it out, or fix it")
    return pixels


def _class(label: Any, name: str) -> int:
    entries = read(label, name).entries if hasattr(label, "ndim") else np.asarray(label)
    if entries.size != 1 or not np.issubdtype(entries.dtype, np.integer) or not 0 <= entries.item() < _MOST_CLASSES:
        raise InvalidInput(f"{name} is {options.shown(label)}; it must be a whole number from 0 to {_MOST_CLASSES - 1}")
    return int(entries.item())
