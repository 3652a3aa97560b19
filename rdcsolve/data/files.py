"""Sources from files: samples in CSV, alphabets in npz. Nothing in a file is ever executed."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from rdcsolve import options
from rdcsolve.data.tables import Table, read_table
from rdcsolve.errors import InvalidInput, UnreadableFile
from rdcsolve.files import read_arrays
from rdcsolve.problems import Columns, Source
from rdcsolve.problems.storage import check_names, source_of

_OF_A_SOURCE = re.compile(r"points|p_x|(labels|classes)_\d+|symbols|label_names|columns")
"""The arrays of an archive that `from_npz` looks at."""


def from_csv(  # noqa: PLR0913 - what may be stated of a file
    path: str | os.PathLike[str] | IO[Any],
    columns: str | int | Sequence[str | int] | None = None,
    labels: str | int | Sequence[str | int] = (),
    weight: str | int | None = None,
    *,
    header: bool | None = None,
    delimiter: str | None = None,
    decimal: str = ".",
    words: bool = False,
    classes: Any = None,
    name: str = "",
) -> Source:
    """Return the empirical source of samples in a CSV file, one per line.

    What was taken for what is told by the source's `columns`, and by the text of the source and of its problems.

    Parameters
    ----------
    path : path-like or file
        A file or stream of UTF-8 text; ``"-"`` is standard input.
    columns : str, int or sequence of them, optional
        The coordinates: names of columns, or places from 0; by default all columns that are neither labels nor the
        weight. A column without a name that counts the lines, as pandas writes it, is left out.
    labels : str, int or sequence of them, optional
        The label columns; their values are compared as integers if all are written as such, as text otherwise, so
        that ``01`` and ``1`` are two classes.
    weight : str or int, optional
        A column of non-negative weights.
    header : bool, optional
        Whether the first line names the columns. By default that is so if a column is called by name here, or if
        line 1 has a text above nothing but numbers; it is a sample if it holds a number such as 1.5. Where it can be
        either, that is an error. Without names columns are called by their places, ``"0"``, ``"1"``, ...
    delimiter : str, optional
        What separates the cells, one character; a blank stands for any number of them. By default a tab where the
        name ends in ``.tsv``, ``.tab`` or ``.txt``, a semicolon where decimals have a comma, else a comma.
    decimal : {".", ","}, optional
        The decimal mark of numbers.
    words : bool, optional
        Take the cells of `columns` as words: the symbols are the distinct words (or tuples of them), in order, in
        `Source.symbols`. Between them only the distortion ``"hamming"`` is known by name.
    classes : sequence, optional
        As in `Source.from_samples`: integers where the cells of the label are, else text.
    name : str, optional
        Shown in summaries and plots; by default the file's name.

    Returns
    -------
    Source
        As of `Source.from_samples`: equal samples are merged, labels become conditional frequencies.

    Raises
    ------
    UnreadableFile
        If the file is missing or not text, a line has the wrong number of cells, a coordinate or weight is not a
        finite number, a label is empty, or it cannot be seen whether line 1 is a header.
    InvalidInput
        If a named column does not exist, or a class is not among those stated.
    """
    words = options.switch(words, "words")
    label_columns = _listed(labels)
    stated = [*_listed(() if columns is None else columns), *label_columns, *([] if weight is None else [weight])]
    for column in stated:
        if not isinstance(column, (str, int)) or isinstance(column, bool):
            raise InvalidInput(f"a column is called {column!r}; give its name, or its place as an integer from 0")
    named = [column for column in stated if isinstance(column, str)]
    table = read_table(path, delimiter=delimiter, decimal=decimal, header=header, named=named)
    label_places = [table.place(column) for column in label_columns]
    weight_place = None if weight is None else table.place(weight)
    spoken_for = {*label_places, weight_place}
    if columns is None:
        places = [k for k in range(len(table.names)) if k not in spoken_for and not _is_index(table, k)]
    else:
        places = [table.place(column) for column in _listed(columns)]
    if not places:
        raise InvalidInput(f"no feature column is chosen from {table.origin}; name at least one in columns=")
    read = Columns(
        coordinates=tuple(table.names[k] for k in places),
        labels=tuple(table.names[k] for k in label_places),
        weight=None if weight_place is None else table.names[weight_place],
        unused=tuple(other for k, other in enumerate(table.names) if k not in {*places, *spoken_for}),
        header=table.has_header,
    )
    values = [table.classes(k) for k in label_places] or None
    weights = None if weight_place is None else table.numbers(weight_place)
    name = name or Path(table.origin).name
    told: dict[str, Any] = {"label_names": read.labels, "columns": read}
    if not words:
        samples = np.stack([table.numbers(k) for k in places], axis=1)
        return replace(Source.from_samples(samples, values, weights, name, classes), **told)
    cells = [table.words(k, "column") for k in places]
    texts: list[Any] = cells[0] if len(cells) == 1 else list(zip(*cells, strict=True))
    symbols = sorted(set(texts))
    code = {symbol: k for k, symbol in enumerate(symbols)}
    source = Source.from_samples([code[text] for text in texts], values, weights, name, classes)
    return replace(source, points=None, symbols=symbols, **told)


def _listed(columns: Any) -> list[Any]:
    if isinstance(columns, (str, int)):
        return [columns]
    try:
        return list(columns)
    except TypeError:
        return [columns]


def _is_index(table: Table, place: int) -> bool:
    """Whether a column is not data: without a name, it counts the lines as pandas and R write them, or is empty.

    Raises
    ------
    UnreadableFile
        If a column without a name is something else.
    """
    if not table.has_header or not re.fullmatch(r"(Unnamed: \d+)?", table.names[place]):
        return False
    cells = table.column(place)
    counts = [[str(k + start) for k in range(len(cells))] for start in (0, 1)]
    if cells in counts or not any(cells):
        return True
    raise UnreadableFile(
        f"column {place} of {table.origin} has no name and does not count the lines; name it in line 1, or choose the "
        "coordinates in columns="
    )


def from_npz(path: str | os.PathLike[str], name: str = "", *, normalise: bool = False) -> Source:
    """Return a source from an npz archive, as written by ``numpy.savez``.

    Parameters
    ----------
    path : path-like
        An archive with `p_x` (n_x,), and optionally `points` (n_x, dim) and `labels_0`, `labels_1`, ...
        (n_x, n_s); and what things are called, as texts or numbers: `symbols` (n_x,), `classes_0` (n_s,), ...,
        `label_names` (K,). Other arrays are not looked at, unless their names are nearly known ones.
        Pickled objects are refused.
    name : str, optional
        Shown in summaries and plots; by default the file's name.
    normalise : bool, optional
        Rescale `p_x` and the rows of the labels to sum to one; see `Source`. Arrays of integers are counts, and are
        rescaled in any case.

    Returns
    -------
    Source

    Raises
    ------
    UnreadableFile
        If the file is missing, corrupt, pickled, or lacks `p_x` or a label in the middle.
    InvalidInput
        If the arrays do not form a source, or one has a misspelt name.
    """
    path, held = options.path(path), list[str]()

    def wanted(key: str) -> bool:
        held.append(key)
        return _OF_A_SOURCE.fullmatch(key) is not None

    arrays = read_arrays(path, wanted)
    check_names(held, str(path), strange=False)
    if "p_x" not in arrays:
        raise UnreadableFile(f"{path} holds {', '.join(held) or 'nothing'} but no p_x; save the masses as p_x")
    n_labels = sum(key.startswith("labels_") for key in arrays)
    missing = [f"labels_{k}" for k in range(n_labels) if f"labels_{k}" not in arrays]
    if missing:
        raise UnreadableFile(f"{path} has {n_labels} labels but no {missing[0]}; number them from labels_0")
    labels = [arrays[f"labels_{k}"] for k in range(n_labels)]
    return source_of(arrays, labels, name or path.name, where=str(path), normalise=normalise)
