"""Entropies of labels that stand on a grid, shown as differential entropies: h(S|A) = H(S|A) + log(step).

What is drawn stays where it is, and the ticks say other numbers: bounds are found on what was solved, and floors at
zero are floors of H.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve import options
from rdcsolve.errors import InvalidInput
from rdcsolve.problems.statement import spelled_out

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DIGITS = 12  # of a tick: roundings of the shift are not shown


def shift_of(step: float, unit: str = "nat") -> float:
    """Return what is added to the entropy of a label on a grid of this step for its differential entropy."""
    return math.log(step) if unit == "nat" else math.log2(step)


def shifts_of(
    steps: Mapping[str, float] | None, unit: str, information: Collection[str], labels: list[str]
) -> dict[str, float]:
    """Return the shifts of losses by name.

    Parameters
    ----------
    steps : mapping of str to float, or None
        The grid's step, or the volume of its cells, by name of the loss.
    unit : {"nat", "bit"}
        What is drawn.
    information : collection of str
        Names of the losses that are amounts of information.
    labels : list of str
        Names of the label entropies, of which ``C`` stands for the only one.

    Raises
    ------
    InvalidInput
        If a name is none of those, or a step is no positive number.
    """
    if steps is None:
        return {}
    options.instance(steps, Mapping, "label_steps", "give the grid's step by name, such as {'label_entropy': 0.5}")
    shifts = {}
    for name, step in steps.items():
        loss = spelled_out(name, labels) if isinstance(name, str) else name
        if loss not in information:
            have = ", ".join(sorted(information)) or "there are none here"
            raise InvalidInput(f"label_steps names {name!r}; steps are for losses that are information: {have}")
        shifts[loss] = shift_of(options.positive(step, f"the step of {name}", "give the grid's step"), unit)
    return shifts


def words_of(loss: str, shifts: Mapping[str, float]) -> str:
    """Return what an axis calls a loss."""
    words = loss.replace("_", " ")
    return f"differential {words}" if loss in shifts else words


def ticks_of(shift: float) -> tuple[Any, Any]:
    """Return a locator and a formatter: ticks say the values of an axis plus a shift, at round numbers of those."""
    from matplotlib.ticker import AutoLocator, Formatter

    class Shifted(AutoLocator):
        def tick_values(self, vmin: float, vmax: float) -> Any:
            return np.asarray(super().tick_values(vmin + shift, vmax + shift)) - shift

    class Said(Formatter):
        decimals = 0

        def set_locs(self, locs: Any) -> None:
            said = (f"{round(place + shift, _DIGITS):.{_DIGITS}f}".rstrip("0") for place in locs)
            self.decimals = max((len(text.partition(".")[2]) for text in said), default=0)

        def __call__(self, value: float, pos: int | None = None) -> str:
            digits = self.decimals if pos is not None else _DIGITS  # not of a tick: what the pointer shows
            return self.fix_minus(f"{round(value + shift, _DIGITS) + 0.0:.{digits}f}")

    locator = Shifted()
    locator.rdcsolve_shift = shift  # type: ignore[attr-defined]
    return locator, Said()


def check_axes(ax: Axes, shifts: Sequence[float | None]) -> None:
    """Raise `InvalidInput` if axes show something that the ticks would not fit, or the other way round."""
    for axis, shift in zip((ax.xaxis, ax.yaxis), shifts, strict=True):
        before = getattr(axis.get_major_locator(), "rdcsolve_shift", None)
        if ax.has_data() and before != shift:
            raise InvalidInput(
                "the axes hold a picture whose ticks are those of another grid's step, or of none; give all pictures "
                "in them the same label_steps, or draw in new axes"
            )


def show_shifted(ax: Axes, shifts: Sequence[float | None]) -> None:
    """Let the ticks to the right and upwards say their values plus a shift, where there is one."""
    for axis, shift in zip((ax.xaxis, ax.yaxis), shifts, strict=True):
        if shift is not None:
            locator, formatter = ticks_of(shift)
            axis.set_major_locator(locator)
            axis.set_major_formatter(formatter)
