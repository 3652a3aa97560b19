"""`Columns`: what a table's columns were taken for, so that whoever shows a source can tell."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rdcsolve.errors import InvalidInput

_SHOWN = 8  # names that are told one by one


@dataclass(frozen=True)
class Columns:
    """How the columns of a table were read.

    Attributes
    ----------
    coordinates : tuple of str
        Names of the columns that are the coordinates of the symbols, or their words, in order.
    labels : tuple of str
        Names of the columns of the labels, in order.
    weight : str or None
        Name of the column of weights.
    unused : tuple of str
        Names of the other columns.
    header : bool
        Whether the first line was taken for the names. Otherwise columns are called by their places, from 0.
    """

    coordinates: tuple[str, ...]
    labels: tuple[str, ...] = ()
    weight: str | None = None
    unused: tuple[str, ...] = ()
    header: bool = True

    def __str__(self) -> str:
        parts = ["line 1 names the columns" if self.header else "no header, columns are called by their places from 0"]
        parts.append(f"coordinates {listing(self.coordinates)}")
        parts += [f"label {name}" for name in self.labels]
        parts += [] if self.weight is None else [f"weight {self.weight}"]
        parts += [f"not used {listing(self.unused)}"] if self.unused else []
        return "; ".join(parts)

    def as_text(self) -> str:
        """Return the fields as JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str, name: str) -> Columns:
        """Return what `as_text` returned; `name` is what holds it.

        Raises
        ------
        InvalidInput
            If the text is anything else.
        """
        try:
            held = json.loads(text)
            lists = [held[field] for field in ("coordinates", "labels", "unused")]
            is_right = all(isinstance(one, list) and all(isinstance(word, str) for word in one) for one in lists)
            is_right &= isinstance(held["weight"], (str, type(None))) and isinstance(held["header"], bool)
        except (ValueError, LookupError, TypeError, RecursionError):
            is_right = False
        if not is_right:
            raise InvalidInput(f"the text columns of {name} does not say how a table was read; leave it out")
        coordinates, labels, unused = map(tuple, lists)
        return cls(coordinates, labels, held["weight"], unused, held["header"])

    def summary(self, with_labels: bool = True) -> list[str]:
        """Return what was taken for what, in words that fit into the text of a source or a problem.

        Parameters
        ----------
        with_labels : bool, optional
            Whether the labels are told, too.
        """
        parts = [f"columns=({listing(self.coordinates)})"]
        parts += [f"label columns=({listing(self.labels)})"] if with_labels and self.labels else []
        return parts + ([] if self.weight is None else [f"weight column={self.weight}"])


def listing(names: Sequence[str]) -> str:
    """Return names one after the other; of many, the first and the last."""
    shown = [name or "(no name)" for name in names]
    if len(shown) > _SHOWN:
        shown = [*shown[:3], "...", shown[-1]]
    return ", ".join(shown)
