"""A codebook of reproduction points by k-means, for sources too rich to be their own reproduction."""

from __future__ import annotations

from typing import Any

import numpy as np

from rdcsolve import extras, options
from rdcsolve.data.arguments import count
from rdcsolve.errors import InvalidInput
from rdcsolve.problems import Source
from rdcsolve.problems.validation import freeze, point_array


def kmeans_codebook(source: Any, size: int, rng: Any = 0, batch_size: int | None = None) -> np.ndarray:
    """Return cluster centres to serve as the reproduction of a `Problem`.

    Parameters
    ----------
    source : Source or array_like
        A source, whose masses weigh its points, or points of shape (n, dim) with equal weights.
    size : int
        Number of centres, at most the number of distinct points of positive mass.
    rng : int or numpy.random.Generator, optional
        Decides the starts of k-means; equal seeds give equal codebooks.
    batch_size : int, optional
        Points a step of mini-batch k-means (Sculley 2010), which finds large codebooks of many points in a small part
        of the time, a little worse; by default every step takes all points.

    Returns
    -------
    numpy.ndarray
        Shape (size, dim), read-only.

    Raises
    ------
    InvalidInput
        If there are no points, or fewer distinct ones than centres.
    MissingExtra
        Without scikit-learn.

    Examples
    --------
    >>> kmeans_codebook([0.0, 0.1, 5.0, 5.1], 2).round(2).ravel().tolist()
    [0.05, 5.05]
    """
    size = count(size, "size")
    if batch_size is not None:
        batch_size = count(batch_size, "batch_size")
    if isinstance(source, Source):
        if source.points is None:
            raise InvalidInput("the source has no points to cluster; pass points= to Source")
        points, masses = source.points[source.p_x > 0], source.p_x[source.p_x > 0]
    else:
        points = point_array(source, "points")
        masses = np.full(points.shape[0], 1.0 / points.shape[0])
    n_distinct = np.unique(points, axis=0).shape[0]
    if size > n_distinct:
        raise InvalidInput(f"size is {size} but there are {n_distinct} distinct points; ask for at most {n_distinct}")
    seed = int(options.generator(rng).integers(2**31))
    extras.need("learn", "sources.kmeans_codebook")
    from sklearn.cluster import KMeans, MiniBatchKMeans

    if batch_size is None:
        method = KMeans(n_clusters=size, n_init=4, random_state=seed)
    else:
        method = MiniBatchKMeans(n_clusters=size, n_init=4, random_state=seed, batch_size=batch_size)
    centres = method.fit(points, sample_weight=masses * masses.size).cluster_centers_.astype(float)
    return freeze(centres[np.lexsort(centres.T[::-1])])
