"""What a codec wrote into one file, read for an audit: an npz archive, or a table in CSV."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from rdcsolve.data.tables import Table, read_table
from rdcsolve.errors import InvalidInput
from rdcsolve.files import read_arrays

ARRAYS = ("x", "x_hat", "messages", "lengths", "labels", "classifier", "letters", "weights", "dither")
"""What an archive may hold, by the names of what `audit` takes."""

_COLUMNS = {
    "x": "x",
    "x_hat": "x_hat",
    "message": "messages",
    "length": "lengths",
    "label": "labels",
    "classifier": "classifier",
    "weight": "weights",
    "dither": "dither",
}
_NUMBERS = ("x", "x_hat", "lengths", "classifier", "weights")
_NAME = re.compile(r"(x_hat|x|messages?|lengths?|labels?|classifier|weights?|dither)(?:[_ .\[]?(\d+)\]?)?")


def read_codec(path: Path) -> dict[str, Any]:
    """Return what `audit` takes, by name.

    Parameters
    ----------
    path : Path
        An archive that ends in ``.npz``, with arrays of these names; or a table that ends in ``.csv``, ``.tsv`` or
        ``.txt``, or comes from standard input (``-``), one sample a line, with columns x, x_hat, message, length,
        label, classifier, weight and dither. Several columns of one kind are numbered: ``x_1``, ``x_2``; those of label
        are probabilities.

    Raises
    ------
    UnreadableFile
        If the file is missing or damaged, or a cell is no number where there has to be one.
    InvalidInput
        If it lacks x or x_hat, or holds something else.
    """
    found: dict[str, Any]
    if path.suffix.lower() in (".csv", ".tsv", ".txt") or str(path) == "-":
        found = _columns(read_table(str(path), delimiter=None, decimal=".", header=True))
        known = f"name columns {', '.join(_COLUMNS)}, numbered where there are several (x_1, x_2)"
    else:
        found = dict(read_arrays(path))
        unknown = [name for name in found if name not in ARRAYS]
        if unknown:
            raise InvalidInput(f"{path} holds {unknown[0]}; save x and x_hat, and of {', '.join(ARRAYS[2:])} any")
        known = f"save x and x_hat, and of {', '.join(ARRAYS[2:])} what there is"
    if not {"x", "x_hat"} <= set(found):
        raise InvalidInput(f"{path} lacks {'x' if 'x' not in found else 'x_hat'}; {known}")
    return found


def _columns(table: Table) -> dict[str, Any]:
    places: dict[str, dict[int, int]] = {}
    for place, name in enumerate(table.names):
        match = _NAME.fullmatch(name.strip())
        if match is None:
            raise InvalidInput(
                f"{table.origin} has a column {name!r}; name columns {', '.join(_COLUMNS)}, numbered where there are "
                "several (x_1, x_2), and write the table without an index"
            )
        kind = match[1] if match[1] in _COLUMNS else match[1].removesuffix("s")
        of_kind, number = places.setdefault(_COLUMNS[kind], {}), int(match[2] or 0)
        if number in of_kind:
            raise InvalidInput(f"{table.origin} has two columns {name!r} of number {number}; number them apart")
        of_kind[number] = place
    return {kind: _values(table, kind, [of[k] for k in sorted(of)]) for kind, of in places.items()}


def _values(table: Table, kind: str, places: list[int]) -> Any:
    if kind in _NUMBERS or (kind == "labels" and len(places) > 1):
        values = np.stack([table.numbers(place) for place in places], axis=1)
        return values[:, 0] if len(places) == 1 and kind in ("lengths", "weights") else values
    columns = [table.classes(place) for place in places]
    return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
