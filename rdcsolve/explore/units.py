"""Units of the arrays of sweeps: what is an amount of information, and the same arrays in another unit."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from rdcsolve.errors import InvalidInput
from rdcsolve.information import UNITS
from rdcsolve.problems.statement import spelled_out
from rdcsolve.problems.validation import one_of
from rdcsolve.results.units import is_information

if TYPE_CHECKING:
    import xarray

_RATES = ("rate_lower", "rate_upper")
_OF_THE_OBJECTIVE = ("objective_lower", "objective_upper", "gap")
_PRICES = ("multipliers", "certificate_multipliers")


def unit_of(data: xarray.Dataset) -> str:
    """Return the unit of all information in the arrays of a sweep."""
    return str(data.attrs.get("unit", "nat"))


def information_losses(data: xarray.Dataset) -> tuple[str, ...]:
    """Return the names of the losses that are in that unit."""
    names = data.attrs.get("information_losses", data.attrs.get("label_entropies", ""))
    return tuple(str(names).split())


def units_of(unit: str, known: Iterable[str], named: Mapping[str, str] | None) -> dict[str, str]:
    """Return the units that pictures write, by name: of the rate, of losses that are information, and a user's own.

    Parameters
    ----------
    unit : {"nat", "bit"}
        Of all information shown.
    known : iterable of str
        Names of the losses that are information.
    named : mapping of str to str, optional

    Raises
    ------
    InvalidInput
        If the user's names would relabel information that is in the other unit.
    """
    own = dict.fromkeys(("rate", *known), unit)
    for name, other in (named or {}).items():
        if name in own and other in UNITS and other != unit:
            raise InvalidInput(
                f"units says {other} for {name} but the data are in {unit}; leave it out, or convert first, "
                f"with in_unit(data, {other!r}) or a problem in that unit"
            )
    return own | dict(named or {})


def in_unit(data: xarray.Dataset, unit: str) -> xarray.Dataset:
    """Return the arrays of a sweep with all information in another unit: values, axes, multipliers and attributes.

    Parameters
    ----------
    data : xarray.Dataset
        Of `sweep` or `tradeoff`.
    unit : {"nat", "bit"}

    Returns
    -------
    xarray.Dataset
        A copy, unless the unit is that of the data.

    Raises
    ------
    InvalidInput
        If the unit is unknown, or the data are not of a sweep.
    """
    one_of(unit, UNITS, "unit")
    if "objective" not in data.attrs or "loss" not in data.coords:
        raise InvalidInput("the data are not of sweep or tradeoff, so their units are not known; pass those")
    if unit == unit_of(data):
        return data
    bit = math.log(2) if unit == "nat" else 1 / math.log(2)  # what one old unit is in new ones
    known, objective = information_losses(data), str(data.attrs["objective"])

    def factor(name: str) -> float:
        return bit if is_information(name, known) else 1.0

    values: dict[str, Any] = dict.fromkeys(_RATES, bit) | dict.fromkeys(_OF_THE_OBJECTIVE, factor(objective))
    of_losses = np.array([factor(str(name)) for name in data["loss"].values])
    values |= {"losses": of_losses} | dict.fromkeys(_PRICES, bit / of_losses)
    values["minimum"] = np.array([factor(str(name)) for name in data["limit"].values])
    over_limits, labels = data.attrs["axes"] == "limits", data.attrs.get("label_entropies", "").split()
    for name in map(str, data["status"].dims):
        own = factor(spelled_out(name, labels))
        values[name] = own if over_limits else bit / own
    changed = {  # bare arrays: xarray would look for the new places along the old axes
        name: (data[name].dims, data[name].values * by, dict(data[name].attrs))
        for name, by in values.items()
        if name in data
    }
    converted = data.assign_coords({name: changed.pop(name) for name in map(str, data["status"].dims)}).assign(changed)
    attributes = {"unit": unit, "information_losses": " ".join(known)}
    attributes |= {name: data.attrs[name] * bit for name in ("rate",) if name in data.attrs}
    attributes |= {name: (data.attrs[name] * of_losses).tolist() for name in ("origins",) if name in data.attrs}
    attributes["tolerance"] = data.attrs["tolerance"] * factor(objective)
    converted.attrs |= attributes
    for variable in converted.variables.values():
        if variable.attrs.get("units") == unit_of(data):
            variable.attrs["units"] = unit
    return converted
