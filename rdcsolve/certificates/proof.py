"""The proof of a largest price: places of tangents, trees of cells, cells of the line. Records, and their arrays.

What they mean, and how they are checked, is on the page about the certificate file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rdcsolve.errors import InvalidInput

_PART = re.compile(r"(\d+)_(places_columns|places|splits|ends)")


def _integers(*shape: int) -> Any:
    return field(default_factory=lambda: np.empty(shape, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class PartProof:
    """What bounds the prices of one part; columns that occur nowhere are bounded by their total.

    Attributes
    ----------
    places_columns : numpy.ndarray
        Shape (t,), int64: columns that a tangent bounds.
    places : numpy.ndarray
        Shape (t, N): where each tangent is taken.
    splits : numpy.ndarray
        Shape (nodes,), int64: the edge at which each node of the tree is halved, -1 for none; breadth first.
    ends : numpy.ndarray
        Shape (e, 2), int64: nodes, and the columns that are bounded there.
    """

    places_columns: np.ndarray = _integers(0)
    places: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    splits: np.ndarray = _integers(0)
    ends: np.ndarray = _integers(0, 2)


@dataclass(frozen=True, eq=False)
class PriceProof:
    """What proves the largest price of letters with soft decisions, or at points of the line.

    Attributes
    ----------
    parts : tuple of PartProof
        In the order of the corners.
    line : numpy.ndarray or None
        Shape (c, 2): cells of the line, where letters are points.
    """

    parts: tuple[PartProof, ...] = ()
    line: np.ndarray | None = None

    def packed(self) -> dict[str, np.ndarray]:
        """Return the arrays that are not empty, by name."""
        arrays = {} if self.line is None else {"line": self.line}
        for g, part in enumerate(self.parts):
            held = {
                "places_columns": part.places_columns,
                "places": part.places,
                "splits": part.splits,
                "ends": part.ends,
            }
            arrays |= {f"{g}_{name}": values for name, values in held.items() if values.size}
        return arrays | {"parts": np.array(len(self.parts))}


def unpacked(arrays: Mapping[str, np.ndarray]) -> PriceProof:
    """Return the proof of which `PriceProof.packed` made these arrays.

    Raises
    ------
    InvalidInput
        If an array is not of the type or shape that it must have.
    """
    line = arrays.get("line")
    if line is not None and (line.dtype != np.float64 or line.ndim != 2 or line.shape[1] != 2):
        raise InvalidInput(f"the cells of the line have shape {line.shape}; pairs of ends are needed")
    count = arrays.get("parts")
    if count is None or count.dtype.kind not in "iu" or count.ndim or not 0 <= count <= 1 << 20:
        raise InvalidInput("the proof does not say how many parts it has")
    held: list[dict[str, np.ndarray]] = [{} for _ in range(int(count))]
    for name, values in arrays.items():
        match = _PART.fullmatch(name)
        if match is None:
            continue
        g, which = int(match[1]), match[2]
        if g >= len(held):
            raise InvalidInput(f"the proof holds {name} but has {len(held)} parts")
        held[g][which] = _checked(which, values)
    return PriceProof(tuple(PartProof(**part) for part in held), line)


def _checked(which: str, values: np.ndarray) -> np.ndarray:
    kind, ndim = {"places": (np.float64, 2), "ends": (np.int64, 2)}.get(which, (np.int64, 1))
    if values.dtype != kind or values.ndim != ndim or (which == "ends" and values.shape[1] != 2):
        raise InvalidInput(f"the proof's {which} holds {values.dtype} of shape {values.shape}")
    return values
