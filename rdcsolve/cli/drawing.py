"""A figure of the paper, drawn, with what is said about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import xarray
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure and what is said about it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    lines : tuple of str
        The numbers drawn, as text.
    not_certified : tuple of str
        What in the figure is not certified, in words; nothing where all of it is.
    """

    figure: Figure
    lines: tuple[str, ...]
    not_certified: tuple[str, ...] = ()


def not_certified(data: xarray.Dataset, where: str) -> tuple[str, ...]:
    """Return, in words, how many points of a sweep are not certified; nothing where all of them are."""
    open_ones = int((data["proof"] != "CERTIFIED").sum())
    return (f"{open_ones} of {data['proof'].size} points {where}",) if open_ones else ()
